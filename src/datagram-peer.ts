// Layer 3. What goes out to one `datagram` client, and when. Pure: time is passed in.
//
// Classic programs reopen their socket after each datagram, and take anything that comes within an instant of their
// request for nothing: so they get one datagram at a time, with a pause between, and an answer some time after the
// request. What a client has to acknowledge is asked one at a time too, since an ack does not say what it is for.

import type { Sleeper } from './alarm.ts';

export interface Pace {
  /** Between two datagrams. */
  readonly gapMs: number;
  /** From a request to its answer. */
  readonly answerMs: number;
}

export const CLASSIC: Pace = { gapMs: 40, answerMs: 30 };
export const OURS: Pace = { gapMs: 0, answerMs: 0 };

/** Who has not answered yet may be somebody else, at whom this is aimed. */
const UNPROVEN = { bytesEach: 4000, everyMs: 1000, bytes: 20_000 };
/** An ack of the same thing sent twice may come twice. */
const ECHO_MS = 150;
const MAX_ANSWERS = 32;
const MAX_QUESTIONS = 512;
const NEVER = Number.POSITIVE_INFINITY;

/** Something that is repeated until it is settled. */
export interface Question {
  readonly bytes: Uint8Array;
  readonly settledBy: 'ack' | 'alive';
  readonly tries: number;
  readonly everyMs: number;
  done(ok: boolean): void;
}

export interface PeerOptions {
  transmit(bytes: Uint8Array): void;
  /** The table as it is now. */
  table(): Uint8Array;
  /** The deadline may have changed. */
  changed(peer: DatagramPeer): void;
}

export class DatagramPeer implements Sleeper {
  readonly #options: PeerOptions;
  pace: Pace = CLASSIC;
  /** It has answered something: it is where it says. */
  isProven = false;
  readonly #answers: Array<{ readonly bytes: Uint8Array; readonly at: number }> = [];
  /** What nothing depends on. */
  readonly #remarks: Uint8Array[] = [];
  #tableAt = NEVER;
  #questions: Question[] = [];
  /** Of the first question. */
  #asked = 0;
  #askAt = 0;
  #freeAt = 0;
  #sentUnproven = 0;
  #window = { until: 0, bytes: 0 };

  constructor(options: PeerOptions) {
    this.#options = options;
  }

  /** Goes before everything else. */
  answer(bytes: Uint8Array, now: number): void {
    if (this.#answers.length < MAX_ANSWERS) this.#answers.push({ bytes, at: now + this.pace.answerMs });
    this.#options.changed(this);
  }

  /** Once, and no answer is awaited. */
  remark(bytes: Uint8Array): void {
    if (this.#remarks.length < MAX_ANSWERS) this.#remarks.push(bytes);
    this.#options.changed(this);
  }

  /** The table is due then; several such wishes are one. */
  wantsTable(at: number): void {
    this.#tableAt = Math.min(this.#tableAt, at);
    this.#options.changed(this);
  }

  ask(question: Question): void {
    if (this.#questions.length >= MAX_QUESTIONS) return question.done(false);
    this.#questions.push(question);
    this.#options.changed(this);
  }

  /** It has acknowledged something. */
  acked(now: number): void {
    this.isProven = true;
    this.#settle('ack', now);
    this.#settle('alive', now);
  }

  /** It has said that it is there. */
  alive(now: number): void {
    this.isProven = true;
    this.#settle('alive', now);
  }

  /** Nothing more is asked; nobody is told what became of it. */
  silence(): void {
    this.#questions = [];
    this.#tableAt = NEVER;
    this.#asked = 0;
  }

  tick(now: number): void {
    for (let bytes = this.#next(now); bytes; bytes = this.#next(now)) {
      this.#freeAt = now + this.pace.gapMs;
      if (!this.isProven) this.#count(bytes.length, now);
      this.#options.transmit(bytes);
    }
  }

  deadline(): number {
    const askAt = this.#questions.length > 0 ? this.#askAt : NEVER;
    const at = Math.min(this.#answers[0]?.at ?? NEVER, this.#tableAt, askAt, this.#remarks.length > 0 ? 0 : NEVER);
    if (at === NEVER) return NEVER;
    return Math.max(at, this.#freeAt, this.#heldUntil());
  }

  /** What is to go out now. */
  #next(now: number): Uint8Array | undefined {
    if (now < this.#freeAt || now < this.#heldUntil()) return undefined;
    const [answer] = this.#answers;
    if (answer && answer.at <= now) {
      this.#answers.shift();
      return answer.bytes;
    }
    // nothing that would delay it
    if (answer && answer.at < now + this.pace.gapMs) return undefined;
    if (this.#tableAt <= now) {
      this.#tableAt = NEVER;
      return this.#options.table();
    }
    return this.#remarks.shift() ?? this.#ask(now);
  }

  #ask(now: number): Uint8Array | undefined {
    for (;;) {
      const [question] = this.#questions;
      if (!question || now < this.#askAt) return undefined;
      if (this.#asked < question.tries) {
        this.#asked++;
        this.#askAt = now + question.everyMs;
        return question.bytes;
      }
      this.#finish(question, false, now);
    }
  }

  #settle(by: Question['settledBy'], now: number): void {
    const [question] = this.#questions;
    if (question?.settledBy === by && this.#asked > 0) this.#finish(question, true, now);
    this.#options.changed(this);
  }

  #finish(question: Question, ok: boolean, now: number): void {
    this.#askAt = ok && this.#asked > 1 ? now + ECHO_MS : now;
    this.#asked = 0;
    this.#questions.shift();
    question.done(ok);
  }

  /** Until then an address that has not answered yet gets no more. */
  #heldUntil(): number {
    if (this.isProven) return 0;
    if (this.#sentUnproven >= UNPROVEN.bytes) return NEVER;
    return this.#window.bytes >= UNPROVEN.bytesEach ? this.#window.until : 0;
  }

  #count(bytes: number, now: number): void {
    this.#sentUnproven += bytes;
    if (now >= this.#window.until) this.#window = { until: now + UNPROVEN.everyMs, bytes: 0 };
    this.#window.bytes += bytes;
  }
}
