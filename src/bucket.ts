// Layer 2. A bucket of tokens that one thing is measured by: so much at once, then so much a second. What is kept is how
// much is missing in it, so that a rate may change. Time is passed in.

export interface Rate {
  /** So much at once ... */
  readonly burst: number;
  /** ... and then so much a second. Infinity: no limit. */
  readonly perSecond: number;
}

export class Bucket {
  #missing = 0;
  #at = 0;

  /** Takes so much, be it there or not; says how many milliseconds until nothing is owed, which is at most `maxMs`. */
  spend(rate: Rate, amount: number, now: number, maxMs = Number.POSITIVE_INFINITY): number {
    const { burst, perSecond } = rate;
    if (perSecond === Number.POSITIVE_INFINITY) return 0;
    const most = burst + (perSecond * maxMs) / 1000;
    this.#missing = Math.min(most, this.#after(rate, now) + amount);
    this.#at = now;
    return Math.max(0, ((this.#missing - burst) * 1000) / perSecond);
  }

  /** Takes so much and says 0; where that is not there, takes nothing and says when it will be. */
  take(rate: Rate, amount: number, now: number): number {
    const wait = this.spend(rate, amount, now);
    if (wait > 0) this.#missing -= amount;
    return wait;
  }

  has(rate: Rate, amount: number, now: number): boolean {
    return this.#after(rate, now) + amount <= rate.burst;
  }

  /** Some of what was taken comes back. */
  refund(amount: number): void {
    this.#missing = Math.max(0, this.#missing - amount);
  }

  isFull(rate: Rate, now: number): boolean {
    return this.#after(rate, now) === 0;
  }

  #after({ perSecond }: Rate, now: number): number {
    if (perSecond === Number.POSITIVE_INFINITY) return 0;
    return Math.max(0, this.#missing - ((now - this.#at) * perSecond) / 1000);
  }
}
