// Layer 1. The course of plain Go-Back-N: a fixed window, one go-back for each loss. Pure.
//
// The receiver keeps nothing but what comes next. So with the first sign of a gap all is sent again from there, once:
// what was sent before the going back and arrives after it says nothing about it, and its number tells.

import type { Course, Why } from './gbn-course.ts';
import type { Heard, Numbers } from './gbn-numbers.ts';
import type { GbnStats } from './gbn-stats.ts';
import type { FileWindow } from './gbn-window.ts';
import type { Ack } from './wire-gbn.ts';

/** Behind the last packet, so that its loss is noticed: so often, since one of them may be lost too. */
const TAIL_PROBES = 2;

export class PlainCourse implements Course {
  readonly #numbers: Numbers;
  readonly #file: FileWindow;
  readonly #window: number;
  readonly #stats: GbnStats;
  base = 0;
  sentTo = 0;
  lastIndex = 0;
  lastWhy: Why = 'new';
  #next = 0;
  #limit: number;
  /** The first datagram that was sent after going back. */
  #backTx = 0;
  /** One packet was sent after a timeout, and no more until it is answered. */
  #isHolding = false;
  #isNudging = false;
  #tailProbes = 0;

  constructor(numbers: Numbers, file: FileWindow, window: number, limit: number, stats: GbnStats) {
    this.#numbers = numbers;
    this.#file = file;
    this.#window = window;
    this.#limit = limit;
    this.#stats = stats;
  }

  get end(): number {
    return this.base + this.#window;
  }

  get isHeldUp(): boolean {
    return this.#next >= this.#limit;
  }

  hasNext(): boolean {
    if (this.#isNudging) return true;
    if (this.#isHolding) return false;
    if (this.#next >= this.#file.total) return this.#tailProbes > 0;
    return this.#next < Math.min(this.end, this.#limit, this.#file.suppliedTo);
  }

  next(now: number): Uint8Array {
    if (this.#isNudging) return this.#nudged(now);
    if (this.#next >= this.#file.total) {
      this.#tailProbes--;
      return this.#probe('tail', now);
    }
    const bytes = this.#data(this.#next++, this.#next <= this.sentTo ? 'again' : 'new', now);
    if (this.#next === this.#file.total) this.#tailProbes = TAIL_PROBES;
    return bytes;
  }

  acked(heard: Heard, ack: Ack): void {
    this.#limit = Math.max(this.#limit, heard.limit);
    if (heard.index > this.base) {
      this.base = heard.index;
      // it was for the packet before
      this.#isHolding = false;
      this.#next = Math.max(this.#next, this.base);
      this.#file.release(this.base);
    }
    const isStale = heard.index < this.base || heard.tx < this.#backTx;
    if (isStale) return;
    this.#isHolding = false;
    if (!ack.isGap || this.#next === this.base) return;
    this.#stats.fastGoBacks++;
    this.#goBack();
  }

  nudge(): void {
    this.#isNudging = true;
    if (this.base < this.sentTo) this.#goBack();
  }

  #goBack(): void {
    this.#next = this.base;
    this.#backTx = this.#numbers.sent;
    this.#tailProbes = 0;
  }

  /** The first that is missing, or, if none is, or the receiver has no room, a question. */
  #nudged(now: number): Uint8Array {
    this.#isNudging = false;
    if (this.base >= Math.min(this.sentTo, this.#limit)) return this.#probe('timeout', now);
    this.#isHolding = true;
    this.#next = Math.max(this.#next, this.base + 1);
    return this.#data(this.base, 'timeout', now);
  }

  #data(index: number, why: Why, now: number): Uint8Array {
    this.lastIndex = index;
    this.lastWhy = why;
    if (index < this.sentTo) this.#stats.resent++;
    this.sentTo = Math.max(this.sentTo, index + 1);
    return this.#numbers.data(index, this.#file.packet(index), now);
  }

  #probe(why: Why, now: number): Uint8Array {
    this.lastIndex = this.#next;
    this.lastWhy = why;
    return this.#numbers.probe(this.#next, now);
  }
}
