// Layer 1. What HTTP says about an upload, both directions, pure: name, type, length, who sends it; and the fields
// with which it is given back so that no browser takes it for a page of ours.

import type { HouseCode } from './errors.ts';
import { statusOf } from './offers.ts';
import { encodeName } from './upload-links.ts';

const MAX_TYPE_CHARS = 100;
const UNKNOWN_TYPE = 'application/octet-stream';
/** A link may be passed on for as long as the file is there; whoever has it has read it. */
const CACHE_SECONDS = 86_400;

/** Types that no browser runs anything in: shown, where all others are saved. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...['png', 'jpeg', 'gif', 'webp', 'avif', 'apng', 'bmp'].map((kind) => `image/${kind}`),
  ...['mpeg', 'mp4', 'ogg', 'opus', 'wav', 'webm', 'flac', 'aac'].map((kind) => `audio/${kind}`),
  ...['mp4', 'webm', 'ogg'].map((kind) => `video/${kind}`),
  'text/plain',
]);
/** By the end of the name, for programs that say no type. */
const TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  wav: 'audio/wav',
  flac: 'audio/flac',
  mp4: 'video/mp4',
  webm: 'video/webm',
  txt: 'text/plain',
  log: 'text/plain',
  md: 'text/plain',
  diff: 'text/plain',
  patch: 'text/plain',
  pdf: 'application/pdf',
  zip: 'application/zip',
};
/** What programs say when they do not know. */
const SAYS_NOTHING: readonly string[] = ['', UNKNOWN_TYPE, 'application/x-www-form-urlencoded'];

/** Any page of the web may send files with a name and a password, and look at what has a link. */
export const OPEN_TO_PAGES: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Location, Content-Disposition, Content-Range, ETag',
};
export const PREFLIGHT: Readonly<Record<string, string>> = {
  ...OPEN_TO_PAGES,
  'Access-Control-Allow-Methods': 'GET, HEAD, OPTIONS, POST, PUT',
  'Access-Control-Allow-Headers': 'Authorization, Content-Disposition, Content-Type, Range, Repr-Digest',
  'Access-Control-Max-Age': '86400',
};

/** RFC 6266: `filename*` before `filename`. Undefined where there is none that can be read. */
export function readFileName(disposition: string | undefined): string | undefined {
  const text = disposition ?? '';
  const [, charset = '', coded] = /(?:^|;)\s*filename\*\s*=\s*"?([\w-]*)'[\w-]*'([^\s;"]*)/i.exec(text) ?? [];
  const extended = coded === undefined ? undefined : decodeExtended(charset.toLowerCase(), coded);
  if (extended) return extended;
  const [, quoted, token] = /(?:^|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/is.exec(text) ?? [];
  const plain = quoted === undefined ? token : quoted.replace(/\\(.)/gs, unescaped);
  return plain === undefined || plain === '' ? undefined : decodeBytes(plain);
}

/** RFC 7617; undefined where it is something else. */
export function readBasic(authorization: string): { readonly name: string; readonly password: string } | undefined {
  const [, base64 = ''] = /^Basic +([A-Za-z0-9+/_-]+={0,2})$/i.exec(authorization.trim()) ?? [];
  if (base64 === '') return undefined;
  try {
    const text = decodeBytes(atob(base64.replaceAll('-', '+').replaceAll('_', '/')));
    const colon = text.indexOf(':');
    return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
  } catch {
    return undefined;
  }
}

/** The type without what could do harm in a header; of one that says nothing what the name says. */
export function readType(contentType: string | undefined, name: string): string {
  const text = (contentType ?? '').trim();
  const [, essence = ''] = /^([a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*)\s*(?:;|$)/i.exec(text) ?? [];
  const type = essence.toLowerCase();
  if (type.length > MAX_TYPE_CHARS || SAYS_NOTHING.includes(type)) return typeOfName(name);
  const [, charset] = /;\s*charset\s*=\s*"?([a-z][\w-]{0,30})"?\s*(?:;|$)/i.exec(text) ?? [];
  return charset !== undefined && type.startsWith('text/') ? `${type}; charset=${charset.toLowerCase()}` : type;
}

export function isForm(contentType: string | undefined): boolean {
  return /^\s*multipart\//i.test(contentType ?? '');
}

/** Undefined: it is not told. */
export function readLength(contentLength: string | undefined): number | undefined {
  return contentLength !== undefined && /^\d{1,15}$/.test(contentLength) ? Number(contentLength) : undefined;
}

export interface Given {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** When it was sent, ms since 1970. */
  readonly at: number;
}

/** What is said of an upload, all of it or a part, for so long. */
export function uploadFields({ id, name, type, at }: Given, leftMs: number): Record<string, string> {
  const [essence = ''] = type.split(';');
  const isShown = HARMLESS.has(essence);
  return {
    'Content-Type': !isShown ? UNKNOWN_TYPE : type === 'text/plain' ? 'text/plain; charset=utf-8' : type,
    'Content-Disposition': `${isShown ? 'inline' : 'attachment'}; ${writeFileName(name)}`,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy':
      "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Robots-Tag': 'noindex',
    'Cache-Control': `private, max-age=${Math.max(0, Math.min(CACHE_SECONDS, Math.floor(leftMs / 1000)))}, immutable`,
    'Accept-Ranges': 'bytes',
    ETag: entityTag(id),
    'Last-Modified': new Date(at).toUTCString(),
    ...OPEN_TO_PAGES,
  };
}

/** What an id stands for never changes. */
export function entityTag(id: string): string {
  return `"${id}"`;
}

export function isTagAmong(tag: string, ifNoneMatch: string | undefined): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((one) => one.trim().replace(/^W\//, ''));
  return tags.includes(tag) || tags.includes('*');
}

const STATUS: Readonly<Partial<Record<HouseCode, number>>> = {
  'too-long': 413,
  full: 507,
  'wrong-password': 401,
  stalled: 408,
};

export function uploadStatusOf(code: HouseCode): number {
  return STATUS[code] ?? statusOf(code);
}

function typeOfName(name: string): string {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return Object.hasOwn(TYPES, ending) ? (TYPES[ending] ?? UNKNOWN_TYPE) : UNKNOWN_TYPE;
}

/** For programs that know ASCII only, and for the others. */
function writeFileName(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/gu, '_');
  return `filename="${ascii}"; filename*=UTF-8''${encodeName(name)}`;
}

function decodeExtended(charset: string, coded: string): string | undefined {
  try {
    if (charset === 'utf-8') return decodeURIComponent(coded);
    return charset === 'iso-8859-1' ? unescapeLatin1(coded) : undefined;
  } catch {
    return undefined;
  }
}

function unescapeLatin1(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Old browsers leave the backslashes of a path as they are. */
function unescaped(pair: string, char: string): string {
  return char === '"' || char === '\\' ? char : pair;
}

/** A character for each byte came; most mean UTF-8. */
function decodeBytes(latin1: string): string {
  const bytes = Uint8Array.from(latin1, (char) => char.charCodeAt(0));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return latin1;
  }
}
