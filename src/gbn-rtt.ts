// Layer 1. How long a round trip takes, and how long to wait for an answer (RFC 6298). Pure: time is passed in.

const FIRST_MS = 250;
const LEAST_MS = 10;
/** Without the round trip itself. */
const MOST_MS = 1000;
/** Acknowledgements may be held so long by the other end's timer and scheduler. */
const GRANULARITY_MS = 5;
const MAX_SAMPLE_MS = 20_000;
const MAX_DOUBLINGS = 8;

export class RoundTrip {
  #smoothed = 0;
  #variation = 0;
  #doublings = 0;
  least = Number.POSITIVE_INFINITY;

  get isKnown(): boolean {
    return this.least !== Number.POSITIVE_INFINITY;
  }

  get smoothedMs(): number {
    return this.isKnown ? this.#smoothed : FIRST_MS;
  }

  /** Until what is not answered is taken for lost. */
  get timeoutMs(): number {
    const once = this.isKnown ? this.#smoothed + Math.max(GRANULARITY_MS, 4 * this.#variation) : FIRST_MS;
    return Math.min(once + MOST_MS, Math.max(LEAST_MS, once) * 2 ** this.#doublings);
  }

  sample(ms: number): void {
    // a peer that says it held its answer longer than there was time has no say
    if (!(ms >= 0) || ms > MAX_SAMPLE_MS) return;
    if (this.isKnown) {
      this.#variation += (Math.abs(ms - this.#smoothed) - this.#variation) / 4;
      this.#smoothed += (ms - this.#smoothed) / 8;
    } else {
      this.#smoothed = ms;
      this.#variation = ms / 2;
    }
    this.least = Math.min(this.least, ms);
  }

  /** Something has come through. */
  answered(): void {
    this.#doublings = 0;
  }

  backOff(): void {
    this.#doublings = Math.min(MAX_DOUBLINGS, this.#doublings + 1);
  }
}
