// Layer 2. When one connection is read: not while its own answers pile up, nor while its session has as much as it can
// handle, nor for a while after it was too fast. And how long it may be silent. Pure: time is passed in.

import type { Visit } from './gate.ts';

const ASK_AGAIN_MS = 1000;
const NEVER = Number.POSITIVE_INFINITY;

export class Reading {
  isCongested = false;
  isSessionFull = false;
  readonly #visit: Visit;
  /** 0: it is not too fast. */
  #slowUntil = 0;
  #idleAt = NEVER;

  constructor(visit: Visit, now: number) {
    this.#visit = visit;
    if (!visit.isTrusted) this.#idleAt = now + visit.idleMs;
  }

  get isOpen(): boolean {
    return !this.isCongested && !this.isSessionFull && this.#slowUntil === 0;
  }

  /** What was read counts. Who is too fast is read later, which costs nobody else; who goes on like that is hopeless. */
  count(messages: number, bytes: number, now: number): 'fine' | 'slower' | 'hopeless' {
    if (this.#visit.isTrusted) return 'fine';
    this.#wasHeard(now);
    const wait = this.#visit.read(messages, bytes, now);
    if (this.#visit.isHopeless(now)) return 'hopeless';
    if (wait === 0) return 'fine';
    // it is asked again before that: the limits may have been loosened, or others have gone
    this.#slowUntil = now + Math.min(wait, ASK_AGAIN_MS);
    return 'slower';
  }

  /** As long as it likes. */
  mayBeSilent(): void {
    this.#idleAt = NEVER;
  }

  /** When there is something for `tick`: who is not read is not silent. */
  get deadline(): number {
    return this.#slowUntil || this.#idleAt;
  }

  get isSlowed(): boolean {
    return this.#slowUntil > 0;
  }

  /** It was slow for long enough, or silent for too long. */
  tick(now: number): 'go on' | 'idle' | 'hopeless' | undefined {
    if (this.#slowUntil === 0) return now >= this.#idleAt ? 'idle' : undefined;
    if (now < this.#slowUntil) return undefined;
    const wait = this.#visit.waits(now);
    this.#slowUntil = wait > 0 ? now + Math.min(wait, ASK_AGAIN_MS) : 0;
    if (wait > 0) return this.#visit.isHopeless(now) ? 'hopeless' : undefined;
    this.#wasHeard(now);
    return 'go on';
  }

  #wasHeard(now: number): void {
    if (this.#idleAt !== NEVER) this.#idleAt = now + this.#visit.idleMs;
  }
}
