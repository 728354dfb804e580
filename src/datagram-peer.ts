// Layer 3. What goes out to one `datagram` client, and when. Pure: time is passed in.
//
// Classic programs reopen their socket after each datagram, and take anything that comes within an instant of their
// request for nothing: so they get one datagram at a time, with a pause between, and an answer some time after the
// request. What a client has to acknowledge is asked one at a time too, since an ack does not say what it is for.

import type { Sleeper } from './alarm.ts';
import type { Allowance } from './datagram-allowance.ts';
import { encodeDatagram } from './wire-datagram.ts';

export interface Pace {
  /** Between two datagrams. */
  readonly gapMs: number;
  /** From a request to its answer. */
  readonly answerMs: number;
  /** An answer that comes later is taken for that of another request. */
  readonly lateMs: number;
}

const NEVER = Number.POSITIVE_INFINITY;
export const CLASSIC: Pace = { gapMs: 40, answerMs: 30, lateMs: 80 };
export const OURS: Pace = { gapMs: 0, answerMs: 0, lateMs: NEVER };

/** A sender that waits for what comes of it gives up after 500 ms. */
export const CHECK = { tries: 3, everyMs: 120 };
const STATUS_CHECK = encodeDatagram({ kind: 'status_check' });
/** An ack of the same thing sent twice may come twice. */
const ECHO_MS = 150;
const MAX_ANSWERS = 32;
const MAX_QUESTIONS = 512;
/** A table that must wait is tried again then. */
const CROWDED_MS = 500;

/** Something that is repeated until it is settled. */
export interface Question {
  readonly bytes: Uint8Array;
  /** By an ack; or by any sign of life. */
  readonly settledBy: 'ack' | 'alive';
  readonly tries: number;
  readonly everyMs: number;
  done(ok: boolean): void;
}

export interface PeerOptions {
  transmit(bytes: Uint8Array): void;
  /** What goes out next was sent before. */
  repeated?(): void;
  /** The table as it is now. */
  table(): Uint8Array;
  /** For how long the next one waits after one like that; whether it has to wait for other reasons. */
  tableRestMs?(table: Uint8Array): number;
  mustWait?(table: Uint8Array): boolean;
  /** That it is registered, with the table; or with its own row alone. */
  confirmation(isShort: boolean): Uint8Array;
  /** It has answered something for the first time. */
  proven(): void;
  /** It has not answered, and must get no more. */
  silent(): void;
  /** The deadline may have changed. */
  changed(peer: DatagramPeer): void;
}

interface Answer {
  /** The confirmation is made when it goes out. */
  readonly what: Uint8Array | 'confirmation';
  readonly at: number;
  readonly until: number;
}

/** Questions of one kind; the first of them is asked. */
class Lane {
  questions: Question[] = [];
  /** So many times. */
  asked = 0;
  /** When it is due again. */
  at = 0;

  get dueAt(): number {
    return this.questions.length > 0 ? this.at : NEVER;
  }
}

export class DatagramPeer implements Sleeper {
  readonly #options: PeerOptions;
  pace: Pace = CLASSIC;
  /** It has answered something: it is where it says. */
  isProven = false;
  /** In the order in which they are due. */
  readonly #answers: Answer[] = [];
  /** What nothing depends on. */
  readonly #remarks: Uint8Array[] = [];
  #tableAt = NEVER;
  /** Not before that, unless it is asked for. */
  #restsUntil = 0;
  readonly #lanes = { ack: new Lane(), alive: new Lane() };
  /** Who it is has left; it may still acknowledge what it got last. */
  #isClosing = false;
  /** What is asked after that. */
  readonly #afterwards: Question[] = [];
  #onClosed: Array<() => void> = [];
  /** Of the last tick. */
  #now = 0;
  #freeAt = 0;
  /** It waits for an answer, and would take anything for it. */
  #quietUntil = 0;
  /** It has got as much as who has not answered may get. */
  #heldUntil = 0;
  /** While it has not answered. */
  #allowance: Allowance;

  constructor(options: PeerOptions, allowance: Allowance) {
    this.#options = options;
    this.#allowance = allowance;
  }

  /** It is somewhere else now, and has answered nothing from there. */
  move(allowance: Allowance): void {
    if (this.#allowance === allowance) return;
    this.#allowance = allowance;
    this.isProven = false;
  }

  /** Nothing more that it has to acknowledge can be asked for now. */
  get isFull(): boolean {
    return this.room === 0;
  }

  /** So much more can. */
  get room(): number {
    return MAX_QUESTIONS - (this.#isClosing ? this.#afterwards : this.#lanes.ack.questions).length;
  }

  /** It has acknowledged everything, as far as it will. */
  get isSettled(): boolean {
    return this.#lanes.ack.questions.length === 0;
  }

  /** It has asked for something that will be answered. */
  awaits(now: number): void {
    if (this.pace.lateMs !== NEVER) this.#quietUntil = now + this.pace.lateMs;
  }

  /** To what was asked then; goes before everything else. One that waits already is not put behind itself. */
  answer(bytes: Uint8Array, asked: number): void {
    this.#enqueue({ what: bytes, at: asked + this.pace.answerMs, until: asked + this.pace.lateMs });
  }

  /** It waits for that for as long as it takes. */
  confirm(asked: number): void {
    this.#enqueue({ what: 'confirmation', at: asked + this.pace.answerMs, until: NEVER });
  }

  #enqueue(answer: Answer): void {
    if (this.#answers.length < MAX_ANSWERS && !this.#answers.some(({ what }) => what === answer.what)) {
      this.#answers.push(answer);
      this.#answers.sort((a, b) => a.at - b.at);
    }
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

  /** Something in the table has changed, then or soon after. */
  tableChanged(at: number): void {
    this.wantsTable(Math.max(at, this.#restsUntil));
  }

  ask(question: Question): void {
    const isLater = this.#isClosing && question.settledBy === 'ack';
    const questions = isLater ? this.#afterwards : this.#lanes[question.settledBy].questions;
    if (questions.length >= MAX_QUESTIONS) return question.done(false);
    questions.push(question);
    this.#options.changed(this);
  }

  /** It has acknowledged something. */
  acked(now: number): void {
    const lane = this.#lanes.ack;
    if (lane.questions[0] && lane.asked > 0) this.#finish(lane, true, now);
    // of something long past: it may not be the last of them
    else if (lane.at <= now) lane.at = now + ECHO_MS;
    if (this.#isClosing) this.#close();
    this.alive(now);
  }

  /** It has said that it is there. */
  alive(now: number): void {
    if (!this.isProven) this.#prove();
    const lane = this.#lanes.alive;
    const settled = lane.asked > 0 ? lane.questions.splice(0) : [];
    lane.asked = 0;
    lane.at = now;
    for (const { done } of settled) done(true);
    this.#options.changed(this);
  }

  #prove(): void {
    this.isProven = true;
    this.#heldUntil = 0;
    this.#allowance.prove();
    this.#options.proven();
  }

  /** Nothing more is asked. For a while yet an ack may come of what was asked last. */
  silence(now: number): void {
    const { ack, alive } = this.#lanes;
    this.#tableAt = NEVER;
    this.#heldUntil = 0;
    alive.asked = 0;
    for (const { done } of alive.questions.splice(0)) done(false);
    ack.questions.push(...this.#afterwards.splice(0));
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (ack.asked === 0) return this.#close();
    ack.at = now + ECHO_MS;
    this.#options.changed(this);
  }

  /** When it is known what has reached it; at once where nothing is under way. */
  whenClosed(work: () => void): void {
    if (this.#isClosing) this.#onClosed.push(work);
    else work();
  }

  /** What was not acknowledged has not reached it, as far as is known. */
  #close(): void {
    const { ack } = this.#lanes;
    this.#isClosing = false;
    ack.asked = 0;
    const unsettled = ack.questions.splice(0, ack.questions.length, ...this.#afterwards.splice(0));
    for (const { done } of unsettled) done(false);
    for (const work of this.#onClosed.splice(0)) work();
  }

  tick(now: number): void {
    this.#now = now;
    for (let bytes = this.#next(now); bytes; bytes = this.#next(now)) {
      if (this.#roomAt(bytes) > now) continue;
      this.#freeAt = now + this.pace.gapMs;
      if (!this.isProven) this.#allowance.spend(bytes, now);
      this.#options.transmit(bytes);
    }
  }

  deadline(): number {
    const [answer] = this.#answers;
    const answerAt = answer ? Math.max(answer.at, this.#answerRoomAt(answer)) : NEVER;
    const { ack, alive } = this.#lanes;
    const heldAt = Math.max(Math.min(this.#tableAt, ack.dueAt), this.#heldUntil);
    const otherAt = Math.max(Math.min(heldAt, alive.dueAt, this.#remarks.length > 0 ? 0 : NEVER), this.#quietUntil);
    // the answer comes first, unless there is time enough
    const isAnswerFirst = Math.max(otherAt, this.#freeAt, this.#now) + this.pace.gapMs > answerAt;
    return Math.max(isAnswerFirst ? answerAt : otherAt, this.#freeAt);
  }

  /** What is to go out now. */
  #next(now: number): Uint8Array | undefined {
    if (now < this.#freeAt) return undefined;
    while (this.#answers[0] && this.#isVain(this.#answers[0], now)) this.#answers.shift();
    const [answer] = this.#answers;
    const hasRoom = answer && this.#answerRoomAt(answer) <= now;
    if (hasRoom && answer.at <= now) {
      this.#answers.shift();
      this.#quietUntil = 0;
      return answer.what === 'confirmation' ? this.#confirmation(now) : answer.what;
    }
    // nothing that would delay it
    if (now < this.#quietUntil || (hasRoom && answer.at < now + this.pace.gapMs)) return undefined;
    return this.#ask(this.#lanes.alive, now) ?? this.#table(now) ?? this.#remarks.shift() ?? this.#askAck(now);
  }

  /** It is too late, or it is never let through. */
  #isVain(answer: Answer, now: number): boolean {
    return answer.until < now || this.#answerRoomAt(answer) === NEVER;
  }

  /** Where there is no room for the table it follows when there is. */
  #confirmation(now: number): Uint8Array {
    const whole = this.#options.confirmation(false);
    if (this.#roomAt(whole) <= now) return this.#rested(whole, now);
    this.#tableAt = Math.min(this.#tableAt, now);
    return this.#options.confirmation(true);
  }

  #table(now: number): Uint8Array | undefined {
    if (now < this.#tableAt || now < this.#heldUntil) return undefined;
    const bytes = this.#options.table();
    if (!this.#mayGet(bytes, now)) return this.#ask(this.#lanes.alive, now);
    if (this.#options.mustWait?.(bytes)) {
      this.#tableAt = now + CROWDED_MS;
      return undefined;
    }
    this.#tableAt = NEVER;
    return this.#rested(bytes, now);
  }

  #rested(table: Uint8Array, now: number): Uint8Array {
    this.#restsUntil = now + (this.#options.tableRestMs?.(table) ?? 0);
    return table;
  }

  #askAck(now: number): Uint8Array | undefined {
    const lane = this.#lanes.ack;
    const [question] = lane.questions;
    if (!question || now < this.#heldUntil) return undefined;
    if (this.#isClosing) {
      if (now >= lane.at) this.#close();
      return undefined;
    }
    if (lane.asked < question.tries && now >= lane.at && !this.#mayGet(question.bytes, now)) {
      return this.#ask(this.#lanes.alive, now);
    }
    return this.#ask(lane, now);
  }

  #ask(lane: Lane, now: number): Uint8Array | undefined {
    for (;;) {
      const [question] = lane.questions;
      if (!question || now < lane.at) return undefined;
      if (lane.asked < question.tries) {
        if (lane.asked++ > 0) this.#options.repeated?.();
        lane.at = now + question.everyMs;
        return question.bytes;
      }
      this.#finish(lane, false, now);
    }
  }

  #finish(lane: Lane, ok: boolean, now: number): void {
    const question = lane.questions.shift();
    lane.at = lane === this.#lanes.ack && (lane.asked > 1 || !ok) ? now + ECHO_MS : now;
    lane.asked = 0;
    question?.done(ok);
  }

  /** Otherwise it is asked whether it is there. */
  #mayGet(bytes: Uint8Array, now: number): boolean {
    const at = this.#roomAt(bytes);
    if (at <= now) return true;
    this.#heldUntil = at;
    const { alive } = this.#lanes;
    if (alive.questions.length > 0) return false;
    const done = (ok: boolean) => {
      if (ok) return;
      this.#tableAt = NEVER;
      this.#heldUntil = 0;
      this.#options.silent();
    };
    alive.questions.push({ ...CHECK, bytes: STATUS_CHECK, settledBy: 'alive', done });
    return false;
  }

  /** When an address that has not answered yet may get it. */
  #roomAt(bytes: Uint8Array): number {
    return this.isProven ? 0 : this.#allowance.roomAt(bytes);
  }

  #answerRoomAt({ what }: Answer): number {
    return this.#roomAt(what === 'confirmation' ? this.#options.confirmation(true) : what);
  }
}
