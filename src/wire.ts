// Layer 1. What the codecs of all dialects share: a queue for unfinished bytes, text in and out.
// Pure: no socket, clock, emitter or promise; Uint8Array only.

const encoder = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NOTHING = new Uint8Array(0);
const FIRST_BYTES = 512;
/** So many memories wait for queues that get something: an empty one has none. */
const MAX_SPARE = 32;
const SHORT_BYTES = 12;
const CHARS_AT_ONCE = 4096;
const POOL_BYTES = 4096;
/** A queue fuller than this grows, or it would move its bytes for every few that come. */
const MAX_FILL = 3 / 4;
const MAX_BYTES_PER_CHAR = 3;

let pool = NOTHING;
const spare: Array<Uint8Array<ArrayBuffer>> = [];
let poolUsed = 0;
let segmenter: Intl.Segmenter | undefined;

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;

/** A codec for one direction: bytes in, messages out, at the caller's pace. */
export interface Decoder<M> {
  push(bytes: Uint8Array): void;
  next(): M | undefined;
  end(): void;
}

/**
 * Text as UTF-8. Short texts share 4 KiB of memory, for an array of one's own takes three times as long to
 * make. One that is kept keeps all 4 KiB: who lets many wait, or one for long, must take a copy (`slice`).
 */
export function encodeText(text: string): Uint8Array {
  const most = text.length * MAX_BYTES_PER_CHAR;
  if (most > POOL_BYTES / 2) return encoder.encode(text);
  if (pool.length - poolUsed < most) {
    pool = new Uint8Array(POOL_BYTES);
    poolUsed = 0;
  }
  const start = poolUsed;
  poolUsed += encoder.encodeInto(text, pool.subarray(start)).written;
  return pool.subarray(start, poolUsed);
}

/** Text as UTF-8; bytes that are not UTF-8 are taken as Latin-1, so that old programs stay readable. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return latin1Text(bytes);
  }
}

/** One character for each byte. */
export function latin1Text(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHARS_AT_ONCE) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHARS_AT_ONCE));
  }
  return text;
}

/**
 * Cuts a text into pieces of at most `maxBytes` UTF-8 bytes, never inside a character: not between
 * surrogates, nor between a letter and its combining marks where these fit. At least 4 bytes a piece.
 */
export function splitText(text: string, maxBytes: number): string[] {
  const room = Math.max(4, maxBytes);
  if (text.length * MAX_BYTES_PER_CHAR <= room) return [text];
  const memory = new Uint8Array(room);
  const pieces: string[] = [];
  for (let from = 0; from < text.length; ) {
    // two more, to see what would stand behind the cut
    const next = text.slice(from, from + room + 2);
    const piece = next.slice(0, charEnd(next, encoder.encodeInto(next, memory).read));
    pieces.push(piece);
    from += piece.length;
  }
  return pieces;
}

/** The last place up to `end` that is not inside a character as a reader sees it; `end` if there is none. */
export function charEnd(text: string, end: number): number {
  if (end === text.length || isAsciiPair(text, end)) return end;
  segmenter ??= new Intl.Segmenter('und', { granularity: 'grapheme' });
  return segmenter.segment(text).containing(end)?.index || end;
}

/** Two characters for sure; CR LF is one. */
function isAsciiPair(text: string, at: number): boolean {
  const first = text.charCodeAt(at - 1);
  return first < 0x80 && first !== CR && text.charCodeAt(at) < 0x80;
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

  /** The byte there, or -1. */
  at(position: number): number {
    return position < this.#end - this.#start ? (this.#memory[this.#start + position] as number) : -1;
  }

  /**
   * Where `byte` stands at or after `from`, or -1. What is looked for is near, mostly: then a loop is faster
   * than a call of the array's own indexOf, and four bytes a turn are faster than one.
   */
  indexOf(byte: number, from: number): number {
    const memory = this.#memory;
    const end = this.#end;
    let at = this.#start + from;
    for (; at + 3 < end; at += 4) {
      if (memory[at] === byte) return at - this.#start;
      if (memory[at + 1] === byte) return at + 1 - this.#start;
      if (memory[at + 2] === byte) return at + 2 - this.#start;
      if (memory[at + 3] === byte) return at + 3 - this.#start;
    }
    for (; at < end; at++) if (memory[at] === byte) return at - this.#start;
    return -1;
  }

  /** Do these bytes stand there? */
  has(bytes: Uint8Array, position: number): boolean {
    const memory = this.#memory;
    const start = this.#start + position;
    if (start + bytes.length > this.#end) return false;
    for (let at = 0; at < bytes.length; at++) if (memory[start + at] !== bytes[at]) return false;
    return true;
  }

  /** Where the bytes between two positions start, without the blanks and line ends before them. */
  trimStart(from: number, to: number): number {
    let at = from;
    while (at < to && isOuter(this.at(at))) at++;
    return at;
  }

  /** ... and where they end. */
  trimEnd(from: number, to: number): number {
    let at = to;
    while (at > from && isOuter(this.at(at - 1))) at--;
    return at;
  }

  /** The text between two positions, without the blanks and line ends around it. */
  text(from: number, to: number): string {
    const memory = this.#memory;
    let start = this.#start + from;
    let end = this.#start + to;
    while (start < end && isOuter(memory[start] as number)) start++;
    while (end > start && isOuter(memory[end - 1] as number)) end--;
    if (end - start > SHORT_BYTES) return decodeText(memory.subarray(start, end));
    // a few ASCII bytes are had for less than a decoder's call costs
    let text = '';
    for (let at = start; at < end; at++) {
      const byte = memory[at] as number;
      if (byte > 0x7f) return decodeText(memory.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** A copy. */
  slice(from: number, to: number): Uint8Array {
    return this.#memory.slice(this.#start + from, this.#start + to);
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#start += Math.min(count, this.length);
    if (this.#start < this.#end) return;
    this.#start = 0;
    this.#end = 0;
    if (this.#memory.length === FIRST_BYTES && spare.length < MAX_SPARE) spare.push(this.#memory);
    this.#memory = NOTHING;
  }

  #makeRoom(more: number): void {
    const kept = this.#memory.subarray(this.#start, this.#end);
    const needed = kept.length + more;
    if (needed <= this.#memory.length * MAX_FILL) this.#memory.copyWithin(0, this.#start, this.#end);
    else {
      this.#memory = memoryFor(needed);
      this.#memory.set(kept);
    }
    this.#end = kept.length;
    this.#start = 0;
  }
}

function memoryFor(bytes: number): Uint8Array<ArrayBuffer> {
  if (bytes <= FIRST_BYTES) return spare.pop() ?? new Uint8Array(FIRST_BYTES);
  return new Uint8Array(2 ** Math.ceil(Math.log2(bytes)));
}

function isOuter(byte: number): boolean {
  return byte <= SPACE && (byte === SPACE || byte === LF || byte === CR || byte === TAB);
}
