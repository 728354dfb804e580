// Layer 1. Numbers, positions and texts in the datagrams of the sound Go-Back-N wire: highest byte first. Pure.

import { ProtocolError } from './errors.ts';

const HIGH = 4_294_967_296;

export function readU32(bytes: Uint8Array, at: number): number {
  const low = ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  return (((bytes[at] as number) << 24) | low) >>> 0;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function readPosition(bytes: Uint8Array, at: number): number {
  const position = readU32(bytes, at) * HIGH + readU32(bytes, at + 4);
  if (!Number.isSafeInteger(position)) throw malformed('a position that no file has');
  return position;
}

export function writePosition(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / HIGH));
  writeU32(bytes, at + 4, value >>> 0);
}

export function malformed(message: string): ProtocolError {
  return new ProtocolError('malformed', message);
}

export function readFlag(bytes: Uint8Array, at: number): boolean {
  const value = bytes[at] as number;
  if (value > 1) throw malformed(`${value} is not a flag`);
  return value === 1;
}

export function readHex(bytes: Uint8Array, at: number, length: number): string {
  let hex = '';
  for (const byte of bytes.subarray(at, at + length)) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A byte that says how long it is, and it. */
export function readText(bytes: Uint8Array, at: number, maxBytes: number): string {
  const length = bytes[at] ?? 0;
  const end = at + 1 + length;
  if (length > maxBytes || end > bytes.length) throw malformed('a text that is longer than its datagram');
  try {
    return strict.decode(bytes.subarray(at + 1, end));
  } catch {
    throw malformed('a text that is not UTF-8');
  }
}

const encoder = new TextEncoder();

/** So much of a text as fits, cut between characters. */
export function fitText(text: string, maxBytes: number): string {
  const well = text.toWellFormed();
  const { read } = encoder.encodeInto(well, new Uint8Array(maxBytes));
  return well.slice(0, read);
}

export function writeText(bytes: Uint8Array, at: number, text: Uint8Array): void {
  bytes[at] = text.length;
  bytes.set(text, at + 1);
}
