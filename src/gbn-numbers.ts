// Layer 1. The numbers on a sender's datagrams, and what an acknowledgement says about them. Inside, packets and
// datagrams are counted from 0 and never wrap; on the wire both start at a random number and wrap. Pure.

import { type Ack, ahead, encodeGbn, stampOf } from './wire-gbn.ts';

const HIGH = 4_294_967_296;

/** What an acknowledgement is about, counted from 0. */
export interface Heard {
  /** The next packet wanted. */
  readonly index: number;
  /** The datagram that arrived last, of those sent. */
  readonly tx: number;
  /** The first packet that there is no room for. */
  readonly limit: number;
  /** New since the last one: datagrams known to have arrived or to be lost, and lost. */
  readonly passed: number;
  readonly lost: number;
}

export class Numbers {
  readonly #id: Uint8Array;
  readonly #first: number;
  /** Datagrams numbered so far. */
  sent = 0;
  /** The highest known to have arrived. */
  arrivedTo = -1;
  /** So many have arrived. */
  received = 0;

  constructor(id: Uint8Array, first: number) {
    this.#id = id;
    this.#first = first;
  }

  seqOf(index: number): number {
    return (this.#first + index) % HIGH;
  }

  /** The count of what has this number on the wire, near one that is known. */
  indexOf(seq: number, near: number): number {
    return near + ahead(seq, this.seqOf(near));
  }

  /** Those sent, not heard of, and not passed by others. */
  get inFlight(): number {
    return this.sent - 1 - this.arrivedTo;
  }

  data(index: number, bytes: Uint8Array, now: number): Uint8Array {
    return encodeGbn(this.#id, { kind: 'data', ...this.#next(index, now), bytes });
  }

  repair(index: number, number: number, bytes: Uint8Array, now: number): Uint8Array {
    return encodeGbn(this.#id, { kind: 'repair', ...this.#next(index, now), index: number, bytes });
  }

  probe(index: number, now: number): Uint8Array {
    return encodeGbn(this.#id, { kind: 'probe', ...this.#next(index, now) });
  }

  /** Undefined for an acknowledgement that can't be true; `sentTo`: packets before that were sent. */
  hear(ack: Ack, base: number, sentTo: number): Heard | undefined {
    const index = this.indexOf(ack.seq, base);
    const tx = this.indexOf(ack.tx, Math.max(0, this.sent - 1));
    const received = this.received + ahead(ack.received, this.received % HIGH);
    if (index > sentTo || index < 0 || tx >= this.sent || tx < 0 || received > tx + 1) return undefined;
    const limit = this.indexOf(ack.limit, index);
    const passed = Math.max(0, tx - this.arrivedTo);
    // one that was passed on the way says nothing new
    const isNew = passed > 0 || received > this.received;
    const lost = isNew ? passed - (received - this.received) : 0;
    this.arrivedTo = Math.max(this.arrivedTo, tx);
    this.received = Math.max(this.received, received);
    return { index, tx, limit, passed, lost };
  }

  #next(index: number, now: number): { seq: number; tx: number; stamp: number } {
    return { seq: this.seqOf(index), tx: this.seqOf(this.sent++), stamp: stampOf(now) };
  }
}
