// Layer 0. What a requester and an owner say about a file before its bytes move, as plain data.

import type { HouseCode } from './errors.ts';

/** What an owner is asked. */
export interface Want {
  readonly ticket: string;
  /** Who wants it; empty for a stranger over HTTP. */
  readonly who: string;
  /** So many bytes the requester has already ... */
  readonly have: number;
  /** ... with this SHA-256. */
  readonly prefix: string | undefined;
  /** The answer must tell the digest of the whole file, also if that takes a while. */
  readonly digest: boolean;
  readonly file: string;
}

/** What the owner answers. */
export interface Offer {
  readonly size: number;
  /** Another one when the content may be another. */
  readonly version: string;
  /** Of the whole file, if it is known. */
  readonly sha256: string | undefined;
  /** The file begins with what the requester has. */
  readonly same: boolean;
}

/** A ticket that the requester takes to the owner itself is good for so long. */
export const TICKET_MS = 60_000;

/** How long either side may be silent before a transfer is given up. */
export const STALL_MS = 30_000;

export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** How a refusal is spelt in HTTP, and on the wire between server and owner. */
const STATUS: Readonly<Partial<Record<HouseCode, number>>> = {
  'bad-file': 400,
  'not-allowed': 401,
  'not-shared': 403,
  'no-such-file': 404,
  'file-changed': 409,
  'too-fast': 429,
  'owner-gone': 503,
  full: 503,
  stalled: 504,
};

export function statusOf(code: HouseCode): number {
  return STATUS[code] ?? 500;
}

export function codeOf(status: number): HouseCode {
  const found = Object.entries(STATUS).find(([, known]) => known === status);
  return (found?.[0] as HouseCode | undefined) ?? 'owner-gone';
}
