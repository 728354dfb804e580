// Layer 2. A bucket of tokens that one thing is measured by: so much at once, then so much a second. One number; time
// is passed in.

export interface Rate {
  /** So much at once ... */
  readonly burst: number;
  /** ... and then so much a second. Infinity: no limit. */
  readonly perSecond: number;
}

export class Bucket {
  /** When it is full again. */
  #fullAt = Number.NEGATIVE_INFINITY;

  /** Takes so much, be it there or not; says how many milliseconds until nothing is owed. */
  spend({ burst, perSecond }: Rate, amount: number, now: number): number {
    if (perSecond === Number.POSITIVE_INFINITY) return 0;
    this.#fullAt = Math.max(this.#fullAt, now) + (amount * 1000) / perSecond;
    return Math.max(0, this.#fullAt - now - (burst * 1000) / perSecond);
  }

  /** Takes so much and says 0; where that is not there, takes nothing and says when it will be. */
  take(rate: Rate, amount: number, now: number): number {
    const before = this.#fullAt;
    const wait = this.spend(rate, amount, now);
    if (wait > 0) this.#fullAt = before;
    return wait;
  }

  /** Some of what was taken comes back. */
  refund({ perSecond }: Rate, amount: number): void {
    this.#fullAt -= (amount * 1000) / perSecond;
  }

  isFull(now: number): boolean {
    return this.#fullAt <= now;
  }
}
