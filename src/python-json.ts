// Layer 1. JSON as Python's json.dumps writes it: ASCII only, a blank behind each comma and colon. So a
// program that counts characters and one that counts bytes come to the same size. Pure.

import { charEnd } from './wire.ts';

/** Numbers are whole ones; a field that is undefined is left out. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

const BEYOND_ASCII = /[\x7f-\uffff]/g;
const SHORT_ESCAPES = '"\\\n\r\t\b\f';
const SHORT_ESCAPE_BYTES = 2;
const ESCAPE_BYTES = 6;
const ELLIPSIS = '…';

/** An unpaired surrogate becomes U+FFFD: a Python program dies when it prints one. */
export function pythonJson(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value.toWellFormed()).replace(BEYOND_ASCII, escaped);
  if (typeof value !== 'object' || value === null) return String(value);
  if (isList(value)) return `[${value.map(pythonJson).join(', ')}]`;
  const fields: string[] = [];
  for (const [name, field] of Object.entries(value)) {
    if (field !== undefined) fields.push(`${pythonJson(name)}: ${pythonJson(field)}`);
  }
  return `{${fields.join(', ')}}`;
}

/**
 * Where the piece of a text that starts at `from` ends so that it takes at most `maxBytes` between its quotes:
 * not inside what a reader sees as one character if that fits at all, and never between surrogates. A piece
 * has a code point at least.
 */
export function jsonPieceEnd(text: string, from: number, maxBytes: number): number {
  let end = from;
  for (let bytes = 0; end < text.length; ) {
    const code = text.codePointAt(end) as number;
    bytes += bytesOf(code);
    if (bytes > maxBytes && end > from) break;
    end += code > 0xffff ? 2 : 1;
  }
  // two more, to see what would stand behind the cut
  return from + charEnd(text.slice(from, end + 2), end - from);
}

/** The text, or as much of its beginning as takes at most `maxBytes` between its quotes, with `…`. */
export function shortened(text: string, maxBytes: number): string {
  if (jsonPieceEnd(text, 0, maxBytes) === text.length) return text;
  return text.slice(0, jsonPieceEnd(text, 0, maxBytes - ESCAPE_BYTES)) + ELLIPSIS;
}

function bytesOf(code: number): number {
  if (code > 0xffff) return 2 * ESCAPE_BYTES;
  if (code > 0x7e) return ESCAPE_BYTES;
  if (SHORT_ESCAPES.includes(String.fromCharCode(code))) return SHORT_ESCAPE_BYTES;
  return code < 0x20 ? ESCAPE_BYTES : 1;
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
