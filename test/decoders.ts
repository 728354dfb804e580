// What the tests of all codecs do with a decoder: bytes go in, cut anywhere, and messages come out.

import { ByteQueue, type Decoder } from '../src/wire.ts';

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export function join(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function drain<M>(decoder: Decoder<M>): M[] {
  const messages: M[] = [];
  for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message);
  return messages;
}

/** Bytes cut at these positions. Each chunk is overwritten after its push: the decoder must own what it keeps. */
export function feed<M>(decoder: Decoder<M>, bytes: Uint8Array, cuts: readonly number[] = []): M[] {
  const messages: M[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...ends, bytes.length]) {
    const chunk = bytes.slice(from, to);
    decoder.push(chunk);
    chunk.fill(0x0a);
    messages.push(...drain(decoder));
    from = to;
  }
  return messages;
}

export const everyByte = (bytes: Uint8Array): number[] => Array.from(bytes, (_, index) => index);

interface Held {
  /** Bytes that a queue held at most. */
  most: number;
  pushes: number;
}

/** What decoders keep while that is done. */
export function watchQueues(work: (held: Held) => void): Held {
  const held = { most: 0, pushes: 0 };
  const original = ByteQueue.prototype.push;
  ByteQueue.prototype.push = function (this: ByteQueue, bytes: Uint8Array): void {
    original.call(this, bytes);
    held.most = Math.max(held.most, this.length);
    held.pushes++;
  };
  try {
    work(held);
  } finally {
    ByteQueue.prototype.push = original;
  }
  return held;
}
