// Layer 1. The datagrams of an offer come as a train, sent at once: how far apart they arrive says how fast the slowest
// link on the way is, before anything else was sent. Pure: time is passed in.

const MAX_ARRIVALS = 64;
const PATIENCE_MS = 4;

export interface TrainSpeed {
  readonly packets: number;
  readonly us: number;
}

export class Train {
  readonly #arrivals: number[] = [];
  #mostBytes = 0;
  #isWhole = false;

  /** `index` of `count`, with so much room in it. */
  arrived(index: number, count: number, roomBytes: number, now: number): void {
    this.#mostBytes = Math.max(this.#mostBytes, roomBytes);
    if (index >= count - 1) this.#isWhole = true;
    if (count > 1 && this.#arrivals.length < MAX_ARRIVALS) this.#arrivals.push(now);
  }

  /** Of its datagrams. */
  get count(): number {
    return this.#arrivals.length;
  }

  /** The longest datagram that came through. */
  get mostBytes(): number {
    return this.#mostBytes;
  }

  /** Until then more of it may come. */
  get endAt(): number {
    const last = this.#arrivals.at(-1);
    if (this.#isWhole || last === undefined) return 0;
    const span = last - (this.#arrivals[0] as number);
    return last + PATIENCE_MS + (2 * span) / this.#arrivals.length;
  }

  /** Of the whole or of its second half, whichever is slower: some links let the beginning of a train pass faster. */
  get speed(): TrainSpeed {
    const whole = this.#part(0);
    const half = this.#part(this.#arrivals.length >> 1);
    return half.packets >= 4 && half.us * whole.packets > whole.us * half.packets ? half : whole;
  }

  #part(from: number): TrainSpeed {
    const last = this.#arrivals.length - 1;
    if (last <= from) return { packets: 0, us: 0 };
    const ms = (this.#arrivals[last] as number) - (this.#arrivals[from] as number);
    return { packets: last - from, us: Math.round(ms * 1000) };
  }
}
