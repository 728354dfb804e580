// Layer 1. When the next datagram may go out, at a rate that somebody else decides. Pure: time is passed in.
//
// What a timer of a millisecond can do: a millisecond's worth goes out at once. Time that was missed is made up for a
// few milliseconds only, since more would stand in a queue on the way.

const BURST_MS = 1;
const CATCH_UP_MS = 4;
/** Half a byte: sums are not exact. */
const ABOUT_NOTHING = -0.5;
const LEAST_WAIT_MS = 0.01;

export class Pacer {
  #bytesPerMs = Number.POSITIVE_INFINITY;
  #credit = 0;
  #at: number;
  readonly #packetBytes: number;

  constructor(packetBytes: number, now: number) {
    this.#packetBytes = packetBytes;
    this.#at = now;
  }

  set bytesPerMs(rate: number) {
    this.#bytesPerMs = Math.max(rate, 1);
  }

  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  mayGo(now: number): boolean {
    if (now > this.#at) {
      const most = this.#bytesPerMs * CATCH_UP_MS + this.#packetBytes;
      this.#credit = Math.min(most, this.#credit + this.#bytesPerMs * (now - this.#at));
      this.#at = now;
    }
    return this.#credit >= ABOUT_NOTHING;
  }

  spend(bytes: number): void {
    this.#credit -= bytes;
  }

  /** When it is worth while to ask again. */
  readyAt(now: number): number {
    if (this.mayGo(now)) return now;
    const worthwhile = Math.max(0, this.#bytesPerMs * BURST_MS - this.#packetBytes);
    return now + Math.max(LEAST_WAIT_MS, (worthwhile - this.#credit) / this.#bytesPerMs);
  }
}
