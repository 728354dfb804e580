// Layer 1. What the server and a client that shares files say to one another on the chat connection before a file's
// bytes move: a verb and its fields, apart by TABs. Pure; the dialect says how such a line differs from its others.

import { isSha256, type Offer, type Want } from './offers.ts';

/** What a client answers. */
export type OwnerAnswer =
  | ({ readonly kind: 'offer'; readonly ticket: string } & Offer)
  | { readonly kind: 'no'; readonly ticket: string; readonly status: number; readonly reason: string }
  | { readonly kind: 'busy'; readonly ticket: string }
  /** Somebody came straight to us with it. */
  | { readonly kind: 'used'; readonly ticket: string };

/** What it is asked. */
export type OwnerQuestion =
  | ({ readonly kind: 'want' } & Want)
  /** Send the bytes from `from` up to `to`. */
  | { readonly kind: 'push'; readonly ticket: string; readonly from: number; readonly to: number }
  /** The ticket is worth nothing any more. */
  | { readonly kind: 'done'; readonly ticket: string; readonly reason: string };

/** Undefined for another verb; a text that says what is wrong with its fields. */
export function readAnswer(verb: string, rest: string): OwnerAnswer | string | undefined {
  switch (verb) {
    case 'offer':
      return offerOf(rest.split('\t')) ?? 'offer needs TICKET, SIZE, VERSION, SHA256, SAME';
    case 'no':
      return noOf(rest.split('\t')) ?? 'no needs TICKET, STATUS, REASON';
    case 'busy':
    case 'used':
      return { kind: verb, ticket: rest };
    default:
      return undefined;
  }
}

function offerOf([ticket = '', size = '', version = '', sha256 = '', same = '']: string[]): OwnerAnswer | undefined {
  const bytes = numberOf(size);
  if (bytes === undefined || !isVersion(version) || (sha256 !== '-' && !isSha256(sha256))) return undefined;
  return { kind: 'offer', ticket, size: bytes, version, sha256: known(sha256), same: same === 'same' };
}

function noOf([ticket = '', status = '', ...reason]: string[]): OwnerAnswer | undefined {
  if (!/^[45]\d\d$/.test(status)) return undefined;
  return { kind: 'no', ticket, status: Number(status), reason: reason.join(' ') };
}

export function answerLine(answer: OwnerAnswer): string {
  switch (answer.kind) {
    case 'offer': {
      const { ticket, size, version, sha256 = '-', same } = answer;
      return `offer\t${ticket}\t${size}\t${version}\t${sha256}\t${same ? 'same' : 'other'}`;
    }
    case 'no':
      return `no\t${answer.ticket}\t${answer.status}\t${answer.reason}`;
    case 'busy':
    case 'used':
      return `${answer.kind}\t${answer.ticket}`;
  }
}

/** Undefined for another verb, and for one that makes no sense. */
export function readQuestion([verb = '', ...fields]: readonly string[]): OwnerQuestion | undefined {
  const [ticket = '', second = '', third = ''] = fields;
  switch (verb) {
    case 'want':
      return wantOf(fields);
    case 'push': {
      const [from, to] = [numberOf(second), numberOf(third)];
      return from === undefined || to === undefined ? undefined : { kind: 'push', ticket, from, to };
    }
    case 'done':
      return { kind: 'done', ticket, reason: second };
    default:
      return undefined;
  }
}

function wantOf([ticket = '', who = '', have = '', prefix = '', digest = '', ...rest]: string[]):
  | OwnerQuestion
  | undefined {
  const bytes = numberOf(have);
  if (bytes === undefined || (prefix !== '-' && !isSha256(prefix))) return undefined;
  const file = rest.join('\t');
  return { kind: 'want', ticket, who, have: bytes, prefix: known(prefix), digest: digest === 'digest', file };
}

export function questionLine(question: OwnerQuestion): string {
  switch (question.kind) {
    case 'want': {
      const { ticket, who, have, prefix = '-', digest, file } = question;
      return ['want', ticket, who, have, prefix, digest ? 'digest' : '-', file].join('\t');
    }
    case 'push':
      return ['push', question.ticket, question.from, question.to].join('\t');
    case 'done':
      return ['done', question.ticket, oneLine(question.reason)].join('\t');
  }
}

/** As one field of a line. */
export function oneLine(text: string): string {
  return text.replace(/[\t\r\n]+/g, ' ');
}

/** It becomes an ETag. */
function isVersion(text: string): boolean {
  return /^[\w.-]{1,64}$/.test(text);
}

function known(field: string): string | undefined {
  return field === '-' ? undefined : field;
}

export function numberOf(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
