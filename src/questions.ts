// Layer 2. The questions that the store's thread has not answered yet.

import type { Database } from './database.ts';
import { HouseError } from './errors.ts';
import type { Answer, Method, Question } from './store-worker.ts';

const MAX_ASKED = 1000;

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Questions {
  readonly #send: (question: Question) => void;
  readonly #asked = new Map<number, Asked>();
  #next = 1;

  constructor(send: (question: Question) => void) {
    this.#send = send;
  }

  /** So many wait for an answer that others should be sent away. */
  get areTooMany(): boolean {
    return this.#asked.size >= MAX_ASKED;
  }

  ask<M extends Method>(method: M, args: Parameters<Database[M]>): Promise<ReturnType<Database[M]>> {
    const id = this.#next++;
    this.#send({ op: 'ask', id, method, args });
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve: (value) => resolve(value as ReturnType<Database[M]>), reject });
    });
  }

  settle({ id, value, refusal }: Answer): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (!refusal) asked?.resolve(value);
    else asked?.reject(refusal.code ? new HouseError(refusal.code, refusal.message) : new Error(refusal.message));
  }

  /** Nobody waits for what will not come. */
  abandon(reason: string): void {
    for (const asked of this.#asked.values()) asked.reject(new HouseError('not-saved', reason));
    this.#asked.clear();
  }
}
