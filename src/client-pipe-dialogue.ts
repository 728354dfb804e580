// Layer 3. The way into a room, as the client's `pipe` face sees it: which question of the server's is open, and
// whether what was typed next may go out. Lines from a pipe must not run ahead, for a classic server takes all that
// it reads at once for one answer. Pure: time is passed in.

import type { PipeReply } from './wire-pipe.ts';

export type Step =
  | 'greeting'
  | 'name'
  | 'choice'
  | 'new room'
  | 'protect'
  | 'new password'
  | 'room'
  | 'password'
  /** Nothing more is asked. */
  | 'entering'
  | 'chat';

/** How much more the server says before it wants an answer. */
type Rest = 'nothing' | 'perhaps' | 'something';

interface Row {
  readonly kind: PipeReply['kind'];
  readonly begins: string;
  readonly step: Step;
  readonly rest: Rest;
}

/** After so much silence nothing more is coming, as far as can be known: where more may come, and where it should. */
const QUIET_MS = { nothing: 0, perhaps: 50, something: 1000 };
const NEVER = Number.POSITIVE_INFINITY;

const ROWS: readonly Row[] = [
  { kind: 'line', begins: 'Please enter your username', step: 'name', rest: 'nothing' },
  { kind: 'error', begins: 'Username taken', step: 'name', rest: 'nothing' },
  { kind: 'ok', begins: 'Username ', step: 'choice', rest: 'nothing' },
  { kind: 'error', begins: 'Sorry, specify join/create', step: 'choice', rest: 'nothing' },
  { kind: 'error', begins: 'There are no chatrooms', step: 'choice', rest: 'nothing' },
  { kind: 'ok', begins: 'Specify a chatroom name', step: 'new room', rest: 'nothing' },
  { kind: 'error', begins: 'Sorry, chatroom already taken', step: 'new room', rest: 'nothing' },
  { kind: 'ok', begins: 'Chatroom has been made public', step: 'entering', rest: 'something' },
  { kind: 'ok', begins: 'Chatroom ', step: 'protect', rest: 'nothing' },
  { kind: 'ok', begins: 'Please enter password', step: 'new password', rest: 'nothing' },
  { kind: 'ok', begins: 'Password ', step: 'entering', rest: 'something' },
  { kind: 'ok', begins: 'Here is a list of chatrooms', step: 'room', rest: 'something' },
  { kind: 'error', begins: 'Sorry, chatroom name not found', step: 'room', rest: 'nothing' },
  { kind: 'ok', begins: 'This chatroom is private', step: 'password', rest: 'nothing' },
  // a classic server asks again at once
  { kind: 'error', begins: 'Sorry, incorrect password', step: 'password', rest: 'perhaps' },
  { kind: 'ok', begins: 'You have joined', step: 'entering', rest: 'something' },
  { kind: 'line', begins: 'Welcome to ', step: 'chat', rest: 'nothing' },
];

export class Dialogue {
  step: Step = 'greeting';
  /** As the server has accepted it. */
  name = '';
  /** What was sent has been answered, or nothing was. */
  #isAnswered = false;
  #quietAt = NEVER;
  /** What was said last is none of the sentences below. */
  #isForeign = false;

  /** What is typed now is a password. */
  get isSecret(): boolean {
    return this.step === 'password' || this.step === 'new password';
  }

  get isOver(): boolean {
    return this.step === 'chat';
  }

  get isAwaiting(): boolean {
    return !this.#isAnswered;
  }

  /** It is about to go out. Where the server has words of its own, who sends a message is in a room. */
  sends(line: string): void {
    if (this.#isForeign && /^@[^|]+\|/.test(line)) this.step = 'chat';
    this.#isAnswered = false;
    this.#quietAt = NEVER;
  }

  heard(reply: PipeReply, now: number): void {
    // nobody hears what is said in a room before being in it
    if (reply.kind === 'relay') this.step = 'chat';
    if (this.isOver || reply.kind === 'info') return;
    const row = ROWS.find((one) => one.kind === reply.kind && this.#text(reply).startsWith(one.begins));
    if (row) this.step = row.step;
    this.#isForeign = !row;
    this.name = /^Username (.*) accepted\./.exec(this.#text(reply))?.[1] ?? this.name;
    this.#wait(row?.rest ?? 'perhaps', now);
  }

  /** A list has come: nothing in it is a sentence of the server's. */
  heardNames(now: number): void {
    if (!this.isOver) this.#wait(this.step === 'entering' ? 'something' : 'nothing', now);
  }

  isReady(now: number): boolean {
    if (now < this.#quietAt || !this.#isAnswered) return false;
    // the welcome stands behind something that was not ended
    if (this.step === 'entering') this.step = 'chat';
    return true;
  }

  /** When an answer may go out, if nothing comes before. */
  deadline(): number {
    return this.isOver ? NEVER : this.#quietAt;
  }

  #wait(rest: Rest, now: number): void {
    this.#isAnswered = true;
    this.#quietAt = now + QUIET_MS[rest];
  }

  #text(reply: PipeReply): string {
    return 'text' in reply ? reply.text : '';
  }
}
