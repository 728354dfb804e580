// Choices that a seed decides: everybody in a soak or a fuzz has such of its own, so that the same seed makes the same
// choices whatever happens meanwhile.

import { seededRandom } from '../src/bad-link.ts';

export class Chance {
  readonly #random: () => number;

  constructor(seed: number, whose = '') {
    let mixed = seed;
    for (const char of whose) mixed = (Math.imul(mixed, 31) + (char.codePointAt(0) as number)) | 0;
    this.#random = seededRandom(mixed >>> 0);
  }

  isOne(share: number): boolean {
    return this.#random() < share;
  }

  /** A whole number from 0 on, below `end`. */
  upTo(end: number): number {
    return Math.floor(this.#random() * end);
  }

  between(from: number, to: number): number {
    return from + this.upTo(to - from);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.upTo(from.length)] as T;
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.upTo(256)));
  }
}
