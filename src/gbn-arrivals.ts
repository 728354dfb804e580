// Layer 1. Which numbered datagrams have arrived at a receiver: each is counted once, however often it comes. Pure.

import { ahead } from './wire-gbn.ts';

/** Numbers that are remembered, to know one that comes twice. */
const REMEMBERED = 4096;
const HIGH = 4_294_967_296;

export class Arrivals {
  readonly #seen = new Int32Array(REMEMBERED);
  /** The highest. */
  tx: number | undefined;
  /** Of the highest. */
  stamp = 0;
  at = 0;
  #count = 0;

  constructor() {
    // none of them belongs where it stands
    for (let place = 0; place < REMEMBERED; place++) this.#seen[place] = place + 1;
  }

  /** As it goes over the wire. */
  get count(): number {
    return this.#count % HIGH;
  }

  get total(): number {
    return this.#count;
  }

  isKnown(tx: number): boolean {
    return this.#seen[tx % REMEMBERED] === (tx | 0);
  }

  add(tx: number, stamp: number, now: number): void {
    this.#seen[tx % REMEMBERED] = tx | 0;
    this.#count++;
    if (this.tx !== undefined && ahead(tx, this.tx) <= 0) return;
    this.tx = tx;
    this.note(stamp, now);
  }

  /** What the next answer echoes. */
  note(stamp: number, now: number): void {
    this.stamp = stamp;
    this.at = now;
  }
}
