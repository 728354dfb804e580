// Layer 2. Up to which post all is on disk, and who waits to hear of it. Ids rise, so one number says it for all.

import { HouseError } from './errors.ts';

interface Waiter {
  readonly id: number;
  resolve(): void;
  reject(error: HouseError): void;
}

export class SavedPosts {
  upTo = 0;
  /** The newest post that was not kept; those before it are not told apart from it any more. */
  #lostUpTo = 0;
  readonly #waiters: Waiter[] = [];

  /** Settles when the post is on disk; rejects when it will not be. */
  saved(id: number): Promise<void> {
    if (id <= this.#lostUpTo) return Promise.reject(notSaved());
    if (id <= this.upTo) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ id, resolve, reject }));
  }

  /** It was never handed over; those who wait for earlier ones still wait. */
  lost(id: number): void {
    this.#lostUpTo = id;
  }

  /** All that was handed over up to that one is written, or refused by the disk. */
  settle(upTo: number, isSaved: boolean): void {
    if (isSaved) this.upTo = upTo;
    let done = 0;
    for (; done < this.#waiters.length && (this.#waiters[done] as Waiter).id <= upTo; done++) {
      const waiter = this.#waiters[done] as Waiter;
      if (isSaved) waiter.resolve();
      else waiter.reject(notSaved());
    }
    this.#waiters.splice(0, done);
  }
}

export function notSaved(): HouseError {
  return new HouseError('not-saved', 'the message could not be stored');
}
