// Layer 2. Mail that waits to be written. One by one, each for an fsync of its own, a burst would take seconds; so
// what comes while some is being written is written together after it. It knows no database: it is given a way there.

import { HouseError } from './errors.ts';
import { type NewMail, tooMuchMail } from './mail-tables.ts';

const MAX_WAITING = 1000;

/** Writes all that can be: the number of each, undefined where its owner has too much already. */
type Write = (mails: NewMail[]) => Promise<Array<number | undefined>>;

interface Waiter {
  readonly mail: NewMail;
  resolve(id: number): void;
  reject(error: Error): void;
}

export class MailQueue {
  readonly #write: Write;
  #waiting: Waiter[] = [];
  #onTheirWay = 0;

  constructor(write: Write) {
    this.#write = write;
  }

  add(mail: NewMail): Promise<number> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(new HouseError('too-fast', 'too much mail is waiting to be written, try again later'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ mail: { ...mail }, resolve, reject });
      if (this.#onTheirWay === 0) this.handOver();
    });
  }

  /** What waits is written now. */
  async handOver(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const waiters = this.#waiting;
    this.#waiting = [];
    this.#onTheirWay++;
    try {
      const ids = await this.#write(waiters.map(({ mail }) => mail));
      waiters.forEach(({ resolve, reject }, i) => {
        const id = ids[i];
        if (id === undefined) reject(tooMuchMail());
        else resolve(id);
      });
    } catch (error) {
      for (const { reject } of waiters) reject(error as Error);
    }
    this.#onTheirWay--;
    if (this.#onTheirWay === 0) this.handOver();
  }

  /** What waits for that one is not written any more. */
  drop(owner: string): void {
    const dropped = this.#waiting.filter(({ mail }) => mail.owner === owner);
    if (dropped.length === 0) return;
    this.#waiting = this.#waiting.filter(({ mail }) => mail.owner !== owner);
    for (const { reject } of dropped) reject(new HouseError('not-saved', 'there is nobody of that name any more'));
  }
}
