// Layer 3. What the client's `datagram` face asks, one thing at a time: an ack doesn't say what it is for. It is
// repeated until it is answered. Then comes a rest: classic programs reopen their socket after each datagram and
// miss what comes meanwhile, and a second ack of the same thing must not answer the next one. Pure.

import type { Action as FaceAction } from './face.ts';
import type { Address } from './session.ts';
import type { DatagramMessage } from './wire-datagram.ts';

export interface ClientDatagram {
  readonly message: DatagramMessage;
  readonly to: Address;
}

export type Action = FaceAction<ClientDatagram>;

export interface Question extends ClientDatagram {
  readonly tries: number;
  readonly everyMs: number;
  /** Undefined if it is no answer to this. */
  answered(message: DatagramMessage, from: Address): Action[] | undefined;
  unanswered(): Action[];
}

export const REST_MS = 40;
const LONG_REST_MS = 300;
const NEVER = Number.POSITIVE_INFINITY;

export class Asking {
  #question: Question | undefined;
  #asked = 0;
  #sentAt = 0;
  #repeatAt = 0;
  #presumed: (() => Action[]) | undefined;
  /** How what was begun goes on, after the rest. */
  #next: (() => Action[]) | undefined;
  #restUntil = 0;

  get kind(): DatagramMessage['kind'] | undefined {
    return this.#question?.message.kind;
  }

  /** When it was sent last. */
  get sentAt(): number {
    return this.#sentAt;
  }

  ask(question: Question, now: number): Action[] {
    this.#question = question;
    this.#asked = 0;
    this.#presumed = undefined;
    return this.#transmit(question, now);
  }

  /** This is how it goes on. */
  later(at: number, next: () => Action[]): Action[] {
    this.#restUntil = Math.max(this.#restUntil, at);
    this.#next = next;
    return [];
  }

  /** It has probably been answered: this becomes of it at that time, if no answer comes before. */
  presume(at: number, then: () => Action[]): undefined {
    this.#repeatAt = at;
    this.#presumed = then;
  }

  drop(): void {
    this.#question = undefined;
    this.#next = undefined;
  }

  input(message: DatagramMessage, from: Address, now: number): Action[] {
    const question = this.#question;
    const answer = question?.answered(message, from);
    // what was asked next, if anything, is another question
    if (answer && this.#question === question) this.#settle(now);
    return answer ?? [];
  }

  tick(now: number): Action[] {
    const question = this.#question;
    if (!question || now < this.#repeatAt) return [];
    if (!this.#presumed && this.#asked < question.tries) return this.#transmit(question, now);
    this.#settle(now);
    return (this.#presumed ?? question.unanswered)();
  }

  /** What was begun; else `more`, again and again while nothing is asked and there is something. */
  goOn(now: number, more: () => Action[] | undefined): Action[] {
    const actions: Action[] = [];
    while (!this.#question && now >= this.#restUntil) {
      const next = this.#next;
      this.#next = undefined;
      const done = next ? next() : more();
      if (!done) break;
      actions.push(...done);
    }
    return actions;
  }

  deadline(isMore: boolean): number {
    if (this.#question) return this.#repeatAt;
    return this.#next || isMore ? this.#restUntil : NEVER;
  }

  #settle(now: number): void {
    this.#restUntil = Math.max(this.#restUntil, now + (this.#asked > 1 ? LONG_REST_MS : REST_MS));
    this.#question = undefined;
  }

  #transmit({ message, to, everyMs }: Question, now: number): Action[] {
    this.#asked++;
    this.#sentAt = now;
    this.#repeatAt = now + everyMs;
    return [{ kind: 'send', request: { message, to } }];
  }
}
