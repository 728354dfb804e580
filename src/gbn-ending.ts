// Layer 1. The last words of a transfer, the same for both ends: who knows first how it ended says so until the other
// one has answered, or for some seconds; who has been told answers each time. Pure: time is passed in.

import type { GbnEnd } from './gbn-stats.ts';
import { encodeGbn, MAX_TEXT_BYTES } from './wire-gbn.ts';
import { fitText } from './wire-gbn-fields.ts';

const EVERY_MS = 200;
const TIMES = 25;
/** At once, for one of them may be lost. */
const COPIES = 2;
/** The other one may ask again so long. */
const LINGER_MS = 3000;
const MAX_BYES = 100;
const NEVER = Number.POSITIVE_INFINITY;

export class Ending {
  readonly #id: Uint8Array;
  readonly #send: (bytes: Uint8Array) => void;
  #end: GbnEnd | undefined;
  #datagram: Uint8Array | undefined;
  #left = 0;
  #byes = 0;
  /** Of the next time it is said; of the last moment that it is answered. */
  #at = NEVER;
  #isClosed = false;

  constructor(id: Uint8Array, send: (bytes: Uint8Array) => void) {
    this.#id = id;
    this.#send = send;
  }

  get end(): GbnEnd | undefined {
    return this.#end;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** It is known here first. */
  say({ code, text }: GbnEnd, now: number): void {
    if (this.#end) return;
    this.#end = { code, text: fitText(text, MAX_TEXT_BYTES) };
    this.#datagram = encodeGbn(this.#id, { kind: 'end', ...this.#end });
    for (let copy = 0; copy < COPIES; copy++) this.#send(this.#datagram);
    this.#left = TIMES;
    this.#at = now + EVERY_MS;
  }

  /** The other one has said so. */
  hearEnd(end: GbnEnd, now: number): void {
    if (!this.#end) {
      this.#end = end;
      this.#at = now + LINGER_MS;
    }
    if (this.#byes++ < MAX_BYES) this.#send(encodeGbn(this.#id, { kind: 'bye' }));
  }

  hearBye(): void {
    if (this.#datagram) this.#close();
  }

  tick(now: number): void {
    if (now < this.#at) return;
    if (!this.#datagram || this.#left === 0) return this.#close();
    this.#left--;
    this.#at = now + EVERY_MS;
    this.#send(this.#datagram);
  }

  deadline(): number {
    return this.#at;
  }

  #close(): void {
    this.#isClosed = true;
    this.#at = NEVER;
  }
}
