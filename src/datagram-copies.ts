// Layer 3. Requests that `datagram` clients repeat, though they were heard: classic ones do so within 100 ms. Copies
// within a time are one request, and get the answer of the first. Pure: time is passed in.

const MAX_COPIES = 10_000;
/** Of the texts that are kept to know them again. */
const MAX_CHARS = 4_000_000;

/** A request that was there already: what it was answered, if it was. */
export interface Copy {
  readonly key: string;
  readonly at: number;
  readonly forMs: number;
  /** When the last of them came. */
  asked: number;
  answer: Uint8Array | undefined;
}

export class Copies {
  /** The oldest first. */
  readonly #byKey = new Map<string, Copy>();
  #chars = 0;

  /** The one that was there, or a new one. */
  take(key: string, forMs: number, now: number): { copy: Copy; isFirst: boolean } {
    this.sweep(now);
    const there = this.#byKey.get(key);
    if (there && there.at + there.forMs > now) {
      there.asked = now;
      return { copy: there, isFirst: false };
    }
    this.forget(key);
    const copy = { key, at: now, forMs, asked: now, answer: undefined };
    this.#byKey.set(key, copy);
    this.#chars += key.length;
    return { copy, isFirst: true };
  }

  forget(key: string): void {
    if (this.#byKey.delete(key)) this.#chars -= key.length;
  }

  /** Those whose time is over, and the oldest where there are too many. */
  sweep(now: number): void {
    for (const [key, { at, forMs }] of this.#byKey) {
      if (at + forMs > now && this.#byKey.size < MAX_COPIES && this.#chars <= MAX_CHARS) break;
      this.forget(key);
    }
  }

  /** When there is something to sweep. */
  get deadline(): number {
    for (const { at, forMs } of this.#byKey.values()) return at + forMs;
    return Number.POSITIVE_INFINITY;
  }
}
