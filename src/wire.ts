// Layer 1. What the codecs of all dialects share: a queue for unfinished bytes, text in and out.
// Pure: no socket, clock, emitter or promise; Uint8Array only.

const encoder = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NOTHING = new Uint8Array(0);
const FIRST_BYTES = 512;
const IDLE_BYTES = 4096;

export const LF = 0x0a;
export const CR = 0x0d;

/** A codec for one direction: bytes in, messages out, at the caller's pace. */
export interface Decoder<M> {
  push(bytes: Uint8Array): void;
  next(): M | undefined;
  end(): void;
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Text as UTF-8; bytes that are not UTF-8 are taken as Latin-1, so that old programs stay readable. */
export function decodeText(bytes: Uint8Array): string {
  const short = bytes.length <= 64 ? asciiText(bytes) : undefined;
  if (short !== undefined) return short;
  try {
    return strict.decode(bytes);
  } catch {
    return latin1Text(bytes);
  }
}

/** Short ASCII without the cost of a decoder's call; undefined when a byte is above 0x7f. */
function asciiText(bytes: Uint8Array): string | undefined {
  let text = '';
  for (const byte of bytes) {
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** One character for each byte. */
export function latin1Text(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += IDLE_BYTES) {
    text += String.fromCharCode(...bytes.subarray(at, at + IDLE_BYTES));
  }
  return text;
}

/**
 * Cuts a text into pieces of at most `maxBytes` UTF-8 bytes, never inside a character: not between
 * surrogates, nor between a letter and its combining marks where these fit. At least 4 bytes a piece.
 */
export function splitText(text: string, maxBytes: number): string[] {
  const room = Math.max(4, maxBytes);
  if (text.length * 3 <= room) return [text];
  const pieces: string[] = [];
  let piece = '';
  let used = 0;
  for (const cluster of clusters(text, room)) {
    const size = encoder.encode(cluster).length;
    if (used + size > room && piece !== '') {
      pieces.push(piece);
      piece = '';
      used = 0;
    }
    piece += cluster;
    used += size;
  }
  if (piece !== '' || pieces.length === 0) pieces.push(piece);
  return pieces;
}

/** Characters as a reader sees them; one that is too long for a piece of its own comes by code points. */
function* clusters(text: string, maxBytes: number): Generator<string> {
  for (const { segment } of new Intl.Segmenter('und', { granularity: 'grapheme' }).segment(text)) {
    if (segment.length * 3 <= maxBytes || encoder.encode(segment).length <= maxBytes) yield segment;
    else yield* segment;
  }
}

/**
 * Bytes that have come and are not used yet, in one piece. What is pushed is copied: a chunk is a view
 * on somebody else's memory. Positions are counted from the first byte that is still here.
 */
export class ByteQueue {
  #memory = NOTHING;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#memory.length) this.#makeRoom(bytes.length);
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  at(position: number): number {
    return this.#memory[this.#start + position] ?? -1;
  }

  /** Where `byte` stands at or after `from`, or -1. */
  indexOf(byte: number, from: number): number {
    const found = this.#memory.indexOf(byte, this.#start + from);
    return found < 0 || found >= this.#end ? -1 : found - this.#start;
  }

  /** A view, good until the next push or drop. */
  view(from: number, to: number): Uint8Array {
    return this.#memory.subarray(this.#start + from, this.#start + Math.min(to, this.length));
  }

  /** Where a view of this queue starts. */
  positionOf(view: Uint8Array): number {
    return view.byteOffset - this.#memory.byteOffset - this.#start;
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#start += Math.min(count, this.length);
    if (this.#start < this.#end) return;
    this.#start = 0;
    this.#end = 0;
    if (this.#memory.length > IDLE_BYTES) this.#memory = NOTHING;
  }

  #makeRoom(more: number): void {
    const kept = this.#memory.subarray(this.#start, this.#end);
    const needed = kept.length + more;
    if (needed <= this.#memory.length / 2) this.#memory.copyWithin(0, this.#start, this.#end);
    else {
      const bigger = new Uint8Array(Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(needed))));
      bigger.set(kept);
      this.#memory = bigger;
    }
    this.#end = kept.length;
    this.#start = 0;
  }
}
