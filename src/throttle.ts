// Layer 2. How often something may be done, and how often it may fail: a bucket of tokens for each key. How much may
// be done at once. Time is passed in.

import { HouseError } from './errors.ts';

export interface ThrottleOptions {
  /** So many at once ... */
  readonly burst: number;
  /** ... and then one in so many milliseconds. */
  readonly everyMs: number;
  /** So many keys are remembered; beyond, those that were first seen longest ago are forgotten. */
  readonly maxKeys?: number;
}

const MAX_KEYS = 10_000;

export class Throttle {
  readonly #burst: number;
  readonly #everyMs: number;
  readonly #maxKeys: number;
  /** When each key's bucket is full again. */
  readonly #fullAt = new Map<string, number>();

  constructor({ burst, everyMs, maxKeys = MAX_KEYS }: ThrottleOptions) {
    this.#burst = burst;
    this.#everyMs = everyMs;
    this.#maxKeys = maxKeys;
  }

  /** Takes a token and says 0, or takes none and says how long until there is one. */
  take(key: string, now: number): number {
    const wait = this.wait(key, now);
    if (wait > 0) return wait;
    this.#fullAt.set(key, Math.max(this.#fullAt.get(key) ?? now, now) + this.#everyMs);
    if (this.#fullAt.size > this.#maxKeys) this.#forget(now);
    return 0;
  }

  /** How many tokens there are. */
  left(key: string, now: number): number {
    // one that is there by `wait` is there: what divides and what adds round differently
    if (this.wait(key, now) > 0) return 0;
    const missing = Math.max(0, (this.#fullAt.get(key) ?? now) - now) / this.#everyMs;
    return Math.max(1, Math.floor(this.#burst - missing));
  }

  /** How long until there is one. */
  wait(key: string, now: number): number {
    return Math.max(0, (this.#fullAt.get(key) ?? now) + this.#everyMs - now - this.#burst * this.#everyMs);
  }

  /** Those at the front that are full again, and in any case the first. */
  #forget(now: number): void {
    let first = true;
    for (const [key, fullAt] of this.#fullAt) {
      if (!first && fullAt > now) return;
      this.#fullAt.delete(key);
      first = false;
    }
  }
}

/** Tries that may fail: what fails costs a token, and no more are under way at once than may still fail. */
export class Tries {
  readonly #throttle: Throttle;
  readonly #now: () => number;
  readonly #underWay = new Map<string, number>();
  readonly #waiting = new Map<string, Array<() => void>>();

  constructor(options: ThrottleOptions, now: () => number) {
    this.#throttle = new Throttle(options);
    this.#now = now;
  }

  /** Calls `refuse` with the time to wait when there were too many failures. */
  async run<T>(
    key: string,
    work: () => Promise<T>,
    isFailure: (error: unknown) => boolean,
    refuse: (waitMs: number) => never,
  ): Promise<T> {
    await this.#turn(key, refuse);
    try {
      return await work();
    } catch (error) {
      if (isFailure(error)) this.#throttle.take(key, this.#now());
      throw error;
    } finally {
      const others = (this.#underWay.get(key) ?? 1) - 1;
      if (others > 0) this.#underWay.set(key, others);
      else this.#underWay.delete(key);
      this.#wake(key);
    }
  }

  /** One more is under way when it settles. */
  async #turn(key: string, refuse: (waitMs: number) => never): Promise<void> {
    for (;;) {
      const wait = this.#throttle.wait(key, this.#now());
      if (wait > 0) refuse(wait);
      const underWay = this.#underWay.get(key) ?? 0;
      if (underWay < this.#throttle.left(key, this.#now())) {
        this.#underWay.set(key, underWay + 1);
        return;
      }
      await new Promise<void>((resolve) => {
        const waiting = this.#waiting.get(key);
        if (waiting) waiting.push(resolve);
        else this.#waiting.set(key, [resolve]);
      });
    }
  }

  /** As many as may go on now; all, where they are to be refused. */
  #wake(key: string): void {
    const waiting = this.#waiting.get(key) ?? [];
    const left = this.#throttle.left(key, this.#now());
    const free = left > 0 ? left - (this.#underWay.get(key) ?? 0) : waiting.length;
    for (const resolve of waiting.splice(0, free)) resolve();
    if (waiting.length === 0) this.#waiting.delete(key);
  }
}

/** So much at once, and no more; what comes besides waits its turn. */
export class AtMost {
  readonly #atOnce: number;
  readonly #maxWaiting: number;
  #running = 0;
  readonly #waiting: Array<() => void> = [];

  constructor(atOnce: number, maxWaiting = Number.POSITIVE_INFINITY) {
    this.#atOnce = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  get isIdle(): boolean {
    return this.#running === 0;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnce) this.#running++;
    else if (this.#waiting.length < this.#maxWaiting) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else throw new HouseError('too-fast', 'too many are waiting: try again soon');
    try {
      return await work();
    } finally {
      // whoever is next takes over this place
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

/** The same for each key. */
export class AtMostEach {
  readonly #atOnce: number;
  readonly #maxWaiting: number;
  readonly #byKey = new Map<string, AtMost>();

  constructor(atOnce: number, maxWaiting: number) {
    this.#atOnce = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turns = this.#byKey.get(key) ?? new AtMost(this.#atOnce, this.#maxWaiting);
    this.#byKey.set(key, turns);
    try {
      return await turns.run(work);
    } finally {
      if (turns.isIdle) this.#byKey.delete(key);
    }
  }
}
