// Layer 1. How files are asked for in HTTP, both directions, pure: targets, ranges, digests.

import { Buffer } from 'node:buffer';
import { HouseError } from './errors.ts';
import { isSha256, type Want } from './offers.ts';

/** With a Range that goes on behind what the requester has: the SHA-256 of that. */
export const PREFIX_HEADER = 'parley-prefix';
/** In answer to `Prefer: direct`: ask there, with this ticket, from that byte on. */
export const TICKET_HEADER = 'parley-ticket';
export const FROM_HEADER = 'parley-from';
export const DIRECT = 'direct';

/** Bytes `from` up to `to`, without it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The parts of a target's path, decoded; undefined when it can't be. */
export function pathParts(target: string): string[] | undefined {
  const path = target.replace(/^https?:\/\/[^/?]*/i, '').replace(/[?#].*$/s, '');
  if (!path.startsWith('/')) return undefined;
  try {
    return path.slice(1).split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

export function filePath(owner: string, file: string): string {
  return `/files/${encodeURIComponent(owner)}/${encodeURIComponent(file)}`;
}

/** One range of bytes of a whole of that size. Several, or anything else, is no range: the whole. */
export function readRange(header: string | undefined, size: number): Span | 'whole' | 'unsatisfiable' {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return 'whole';
  if (first === '') {
    const span = { from: Math.max(0, size - Number(last)), to: size };
    return span.from < size ? span : 'unsatisfiable';
  }
  const from = Number(first);
  const to = last === '' ? size : Math.min(size, Number(last) + 1);
  if (last !== '' && Number(last) < from) return 'whole';
  return from < size ? { from, to } : 'unsatisfiable';
}

/** What the requester has already, and which SHA-256 that has; throws where it can't be what it says. */
export function readPrefix(range: string | undefined, prefix: string | undefined): Pick<Want, 'have' | 'prefix'> {
  if (prefix === undefined) return { have: 0, prefix: undefined };
  const [, have = ''] = /^bytes=(\d{1,15})-$/.exec(range ?? '') ?? [];
  if (have === '' || !isSha256(prefix)) {
    throw new HouseError('bad-file', `${PREFIX_HEADER} needs a SHA-256 in hex, and Range: bytes=N- with it`);
  }
  return { have: Number(have), prefix };
}

export function writeRange({ from, to }: Span): string {
  return `bytes=${from}-${to - 1}`;
}

/** Where an answer's bytes begin, and how many there are in all. */
export function readContentRange(header: string | undefined): { from: number; size: number } | undefined {
  const [, from, size] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15})$/.exec(header ?? '') ?? [];
  return from === undefined ? undefined : { from: Number(from), size: Number(size) };
}

/** RFC 9530. */
export function writeDigest(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`;
}

export function readDigest(header: string | undefined): string | undefined {
  const [, base64] = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(header ?? '') ?? [];
  return base64 && Buffer.from(base64, 'base64').toString('hex');
}

export function readToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}
