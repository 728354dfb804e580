// Layer 3. What goes out to a classic `pipe` client, message by message: it takes whatever it reads at once for one
// message, so each is a write of its own, with a pause before the next. What it acts on stands alone for longer.

import type { Port } from './session.ts';
import { MAX_WRITE_BYTES } from './wire-pipe.ts';

/** Between two messages. */
const GAP_MS = 5;
/** Before and behind one that the client acts on. */
export const ALONE_MS = 50;
/** A classic client takes what it reads behind a `getfile` for the second half of it: that one is waited for. */
const HOLD_MS = 300;
/** Of one person. */
const MAX_COMMANDS = 8;
/** When more wait, those that are only shown share writes. */
const CROWD = 64;
/** When more wait, all goes out: what a connection may have waiting is limited elsewhere. */
const MAX_WAITING_BYTES = 256 * 1024;
const NEVER = Number.POSITIVE_INFINITY;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly isAlone: boolean;
  /** Whose message it is, of those that a client acts on. */
  readonly by?: string;
  /** It is half of a request by that person. */
  readonly firstOf?: string;
  readonly secondOf?: string;
}

export class Pace {
  readonly #port: Port;
  readonly #now: () => number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #lastWasAlone = false;
  /** Whose second half is due, and until when. */
  #heldFor: string | undefined;
  #heldUntil = Number.NEGATIVE_INFINITY;
  #whenDone: (() => void) | undefined;

  constructor(port: Port, now: () => number) {
    this.#port = port;
    this.#now = now;
  }

  send(bytes: Uint8Array, isAlone = false): void {
    this.#add({ bytes, isAlone }, this.#waiting.length);
  }

  /** What it acts on. Somebody who sends much of it makes all others wait: what is too much does not go out. */
  sendCommand(bytes: Uint8Array, by: string): void {
    if (this.#mayWait(by)) this.#add({ bytes, isAlone: true, by }, this.#waiting.length);
  }

  /** The first of two messages that belong together: nothing comes between. */
  sendFirst(bytes: Uint8Array, of: string): void {
    if (this.#mayWait(of)) this.#add({ bytes, isAlone: true, by: of, firstOf: of }, this.#waiting.length);
  }

  sendSecond(bytes: Uint8Array, of: string): void {
    const those = this.#waiting;
    if (!this.#mayWait(of, 1)) return;
    const first = those.findIndex((one, at) => one.firstOf === of && those[at + 1]?.secondOf !== of);
    const isDue = first < 0 && this.#heldFor === of;
    if (isDue) this.#heldFor = undefined;
    const at = first < 0 && !isDue ? those.length : first + 1;
    this.#add({ bytes, isAlone: true, by: of, secondOf: of }, at);
  }

  #mayWait(by: string, more = 0): boolean {
    return this.#waiting.filter((one) => one.by === by).length < MAX_COMMANDS + more;
  }

  /** Everything at once, in order: for a client that doesn't mind. */
  flush(): void {
    for (const { bytes } of this.#waiting.splice(0)) this.#port.send(bytes);
    this.#waitingBytes = 0;
    this.#heldFor = undefined;
    this.#wrote(this.#now(), false);
  }

  /** Calls back when all has gone out, and had its time to be read. */
  whenDone(then: () => void): void {
    this.#whenDone = then;
    this.#port.wake();
  }

  tick(now: number): void {
    while (this.#waiting.length > 0 && now >= this.#dueAt()) this.#write(now);
    if (!this.#whenDone || now < this.deadline()) return;
    const then = this.#whenDone;
    this.#whenDone = undefined;
    then();
  }

  deadline(): number {
    if (this.#waiting.length > 0) return this.#dueAt();
    return this.#whenDone ? this.#lastAt + ALONE_MS : NEVER;
  }

  #add(one: Waiting, at: number): void {
    const now = this.#now();
    this.#waiting.splice(at, 0, one);
    this.#waitingBytes += one.bytes.length;
    if (at === 0 && now >= this.#dueAt()) return this.#write(now);
    // short texts share memory, which must not be kept for what waits
    this.#waiting[at] = { ...one, bytes: one.bytes.slice() };
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.flush();
    else this.#port.wake();
  }

  /** The first of those that wait. */
  #dueAt(): number {
    const isAlone = this.#lastWasAlone || this.#waiting[0]?.isAlone;
    const after = this.#lastAt + (isAlone ? ALONE_MS : GAP_MS);
    return this.#heldFor === undefined ? after : Math.max(after, this.#heldUntil);
  }

  #write(now: number): void {
    const pieces = this.#takeNext();
    const [first] = pieces;
    if (!first) return;
    this.#port.send(pieces.length === 1 ? first.bytes : joined(pieces));
    this.#wrote(now, first.isAlone);
    const isHalf = first.firstOf !== undefined && this.#waiting[0]?.secondOf !== first.firstOf;
    this.#heldFor = isHalf ? first.firstOf : undefined;
    this.#heldUntil = now + HOLD_MS;
  }

  #takeNext(): Waiting[] {
    const pieces = this.#waiting.splice(0, this.#countNext());
    for (const { bytes } of pieces) this.#waitingBytes -= bytes.length;
    return pieces;
  }

  /** One; of a crowd as many as are only shown, and are read at once. */
  #countNext(): number {
    if (this.#waiting.length <= CROWD) return 1;
    let bytes = 0;
    const end = this.#waiting.findIndex((one) => {
      bytes += one.bytes.length;
      return one.isAlone || bytes > MAX_WRITE_BYTES;
    });
    return end < 0 ? this.#waiting.length : Math.max(1, end);
  }

  #wrote(now: number, wasAlone: boolean): void {
    this.#lastAt = now;
    this.#lastWasAlone = wasAlone;
  }
}

function joined(pieces: readonly Waiting[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let at = 0;
  for (const { bytes } of pieces) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}
