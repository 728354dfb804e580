// Layer 3. The client's `pipe` face: a line typed or something said by the server comes in, actions out. Pure: no
// socket, terminal, disk or clock; time is passed in, `deadline` says when to call `tick`. Works with our server and
// with a classic one, which takes what comes at once for one message and now and then ends none of its own.
//
// What is typed goes out as it is, and what comes is shown as it came. In between it answers others who look for files,
// and does what one tells oneself: such a command comes back from the server before it is done.

import { Dialogue } from './client-pipe-dialogue.ts';
import { Fetches, nameOf, refusalOf } from './client-pipe-fetches.ts';
import { type ListOf, Lists } from './client-pipe-lists.ts';
import { Names } from './client-pipe-names.ts';
import type { PipeOptions } from './client-pipe-requests.ts';
import { Sending } from './client-pipe-sending.ts';
import { type Answer, Shares } from './client-pipe-shares.ts';
import type { Arrived, Request, Wish } from './client-pipe-transfers.ts';
import {
  type Action,
  arrivedText,
  aside,
  askForFile,
  GOODBYE,
  LEAVE,
  MAX_WINDOW,
  MIN_WINDOW,
  note,
  type Place,
  PROMPT,
  plain,
  promptFor,
  readRelayed,
  readTyped,
  readWindow,
  send,
  sentText,
  shown,
  textOf,
  withoutPassword,
} from './client-pipe-words.ts';
import { printable } from './printable.ts';
import type { PipeReply } from './wire-pipe.ts';

export type { ClientRequest, PipeOptions } from './client-pipe-requests.ts';

/** More typed lines than this wait to be read. */
const MAX_WAITING = 16;
/** A server has said goodbye by then, or never will. */
const GOODBYE_MS = 2000;
/** Whoever has nothing more to say waits no longer for an answer. */
const ANSWER_MS = 10_000;
const ABSENT = 'Sorry, destination client not present';
/** A shell's, for what Ctrl-C has ended. */
const INTERRUPTED = 130;
/** To a classic server's operator it is a word. */
const ASK_FOR_FILES = '@server|files';
const NEVER = Number.POSITIVE_INFINITY;

export class PipeFace {
  readonly prompt = PROMPT;
  readonly #options: PipeOptions;
  readonly #dialogue = new Dialogue();
  readonly #sending = new Sending();
  readonly #shares: Shares;
  readonly #names = new Names();
  readonly #typed: string[] = [];
  readonly #fetches = new Fetches();
  readonly #lists = new Lists();
  #isSecret = false;
  #hasMissed = false;
  #inputEnded = false;
  /** Since when nothing has moved, for who waits to leave. */
  #movedAt = 0;
  #isLeaving = false;
  /** Since when the server has had a goodbye to answer. */
  #leftAt: number | undefined;
  #status = 0;
  #isOver = false;

  constructor(options: PipeOptions) {
    this.#options = options;
    this.#shares = new Shares({ files: options.files, isOn: options.isSharing, parallel: options.parallel });
  }

  get isWaiting(): boolean {
    return this.#typed.length > 0 || this.#sending.length > MAX_WAITING;
  }

  get isAwaiting(): boolean {
    return !this.#dialogue.isOver && this.#dialogue.isAwaiting;
  }

  /** After so much silence what has come is to be given to `received`, ended or not. */
  get lullMs(): number {
    return this.#sending.lullMs;
  }

  line(text: string, now: number): Action[] {
    // a classic client does not send it either
    if (text !== '') this.#typed.push(text);
    this.#movedAt = now;
    return this.#goOn(now);
  }

  inputEnded(now: number): Action[] {
    this.#inputEnded = true;
    this.#movedAt = now;
    const files = this.#fetches.length + this.#shares.serving;
    const actions = this.#goOn(now);
    if (this.#isOver || files === 0 || !this.#options.isPerson) return actions;
    return [...actions, aside(`Waiting for ${files === 1 ? 'a file' : `${files} files`} on the way; Ctrl-C gives up.`)];
  }

  /** To leave at once, but not without a word: a classic server never notices. */
  interrupted(now: number): Action[] {
    this.#typed.length = 0;
    this.#status = INTERRUPTED;
    // a goodbye that still waits is sent again
    if (this.#leftAt === undefined) {
      this.#sending.drop();
      this.#isLeaving = false;
    }
    return this.#leave(now);
  }

  /** `isEnded`: by a newline, not by silence. */
  received(reply: PipeReply, isEnded: boolean, now: number): Action[] {
    if (this.#isOver) return [];
    this.#movedAt = now;
    if (!isEnded) this.#sending.heardUnended();
    const actions = this.#sending.heard(reply) ? [] : this.#hear(reply, now);
    return [...actions, ...this.#promptAnew(), ...this.#goOn(now)];
  }

  /** The connection is gone. */
  closed(error = 'the server has closed the connection'): Action[] {
    return this.#isLeaving ? this.#exit(this.#endStatus()) : this.#exit(1, error);
  }

  tick(now: number): Action[] {
    return this.#goOn(now);
  }

  deadline(): number {
    if (this.#isOver) return NEVER;
    const typed = this.#typed.length > 0 ? this.#dialogue.deadline() : NEVER;
    return Math.min(typed, this.#sending.deadline(), this.#endsAt());
  }

  /** Passwords are not for the arrow keys. */
  remembers(): boolean {
    return this.#dialogue.isOver || !(this.#dialogue.isSecret || this.#typed.length > 0);
  }

  complete(line: string): string[] {
    return this.#names.complete(line, this.#dialogue.step, this.#options.files);
  }

  // --- files -----------------------------------------------------------------------------------------------------

  /** The place for a file is ready: its owner is asked. */
  invited(wish: Wish, place: Place, now: number): Action[] {
    if (!this.#fetches.ask(wish, now)) return [];
    this.#sending.say(...askForFile(wish.owner, wish.file, place));
    return this.#goOn(now);
  }

  arrived(file: Arrived, now: number): Action[] {
    if (!this.#fetches.end(file)) return [];
    return [note(`${nameOf(file)}: ${arrivedText(file)}`), ...this.#goOn(now)];
  }

  failed(wish: Wish, reason: string, now: number): Action[] {
    if (!this.#fetches.end(wish)) return [];
    this.#hasMissed = true;
    return [note(`${nameOf(wish)}: ${printable(reason)}`), ...this.#goOn(now)];
  }

  /** After all, that is: how it has come is told in the end, so this is for people. */
  relaying(wish: Wish): Action[] {
    if (!this.#options.isPerson) return [];
    return [note(`${nameOf(wish)}: not reached directly, it comes through the server`)];
  }

  served({ to, file }: Request, bytes: number, ms: number, now: number): Action[] {
    this.#shares.ended();
    const told = this.#options.isPerson ? [note(`${printable(file)} to ${printable(to)}: ${sentText(bytes, ms)}`)] : [];
    return [...told, ...this.#goOn(now)];
  }

  notServed({ to, file }: Request, reason: string, now: number): Action[] {
    this.#shares.ended();
    return [note(`${printable(file)} to ${printable(to)}: ${printable(reason)}`), ...this.#goOn(now)];
  }

  /** Through the server; that it went well is for people. */
  relayed(who: string, file: string, trouble: string | undefined, now: number): Action[] {
    const what = `${printable(file)} to ${printable(who) || 'a stranger'}`;
    const how = trouble === undefined ? 'sent, through the server' : printable(trouble);
    const isTold = trouble !== undefined || this.#options.isPerson;
    return [...(isTold ? [note(`${what}: ${how}`)] : []), ...this.#goOn(now)];
  }

  /** Whether others may have it. */
  shares(file: string): boolean {
    return this.#shares.has(file);
  }

  // --- what was typed --------------------------------------------------------------------------------------------

  #goOn(now: number): Action[] {
    const actions: Action[] = [];
    while (!this.#isOver && !this.#isLeaving && this.#mayTakeLine(now)) {
      actions.push(...this.#run(this.#typed.shift() as string, now));
    }
    return [...actions, ...this.#flush(now), ...this.#leaveWhenDone(now)];
  }

  #mayTakeLine(now: number): boolean {
    const [next] = this.#typed;
    if (next === undefined) return false;
    if (!this.#dialogue.isOver && !this.#dialogue.isReady(now)) return false;
    const isLeaving = this.#dialogue.isOver && readTyped(next).kind === 'leave';
    return !isLeaving || this.#options.isPerson || this.#fetches.length + this.#shares.serving === 0;
  }

  #run(line: string, now: number): Action[] {
    if (!this.#dialogue.isOver) return this.#reply(line, now);
    const typed = readTyped(line);
    switch (typed.kind) {
      case 'leave':
        this.#sending.say(line);
        this.#isLeaving = true;
        return [];
      case 'getfile':
        return this.#fetch({ owner: typed.to, file: typed.file });
      case 'list':
        this.#lists.ask(typed.of);
        break;
      case 'whohas':
        this.#names.wants(typed.of, typed.pattern);
        break;
    }
    if (typed.to !== undefined) this.#fetches.saidTo(typed.to, now);
    this.#sending.say(line);
    return [];
  }

  /** On the way in. A classic server would take a goodbye for a name. */
  #reply(line: string, now: number): Action[] {
    this.#dialogue.sends(line);
    if (this.#dialogue.isOver) return this.#run(line, now);
    return readTyped(line).kind === 'leave' ? this.#exit(this.#endStatus()) : [send(line)];
  }

  #fetch(wish: Wish): Action[] {
    const refusal = refusalOf(wish, this.#dialogue.name);
    if (refusal !== undefined) {
      this.#hasMissed = true;
      return [note(refusal)];
    }
    this.#fetches.begin(wish);
    return [{ kind: 'send', request: { kind: 'fetch', wish } }];
  }

  #flush(now: number): Action[] {
    const actions: Action[] = [];
    for (let out = this.#sending.next(now); out && !this.#isOver; out = this.#sending.next(now)) {
      if (out.kind === 'lines') actions.push(send(...out.lines));
      else actions.push(note(out.reason));
    }
    return actions;
  }

  // --- what the server says --------------------------------------------------------------------------------------

  #hear(reply: PipeReply, now: number): Action[] {
    const of = this.#lists.take(reply, this.#dialogue.step, this.#isLeaving);
    if (of !== undefined) return this.#hearList(of, reply, now);
    if (reply.kind === 'exit') return [plain(GOODBYE), ...this.#ended()];
    if (reply.kind === 'kill')
      return [note('The server is going down.'), send(LEAVE), ...this.#exit(this.#endStatus())];
    const safe = this.#dialogue.step === 'new password' ? withoutPassword(reply) : reply;
    const wasOver = this.#dialogue.isOver;
    this.#dialogue.heard(reply, now);
    if (!wasOver) this.#lists.expect(reply);
    if (!wasOver && this.#dialogue.isOver && this.#options.usesServer) this.#sending.say(ASK_FOR_FILES);
    return [shown(safe), ...this.#act(reply, now)];
  }

  #hearList(of: ListOf, reply: PipeReply, now: number): Action[] {
    this.#names.listed(of, textOf(reply));
    this.#dialogue.heardNames(now);
    return [shown(reply)];
  }

  #act(reply: PipeReply, now: number): Action[] {
    if (reply.kind === 'info') return this.#inform(reply.text);
    if (reply.kind === 'error' && reply.text.startsWith(ABSENT)) return this.#missOwner(now);
    if (reply.kind !== 'relay') return [];
    const { from, text } = reply;
    this.#names.met(from);
    const relayed = readRelayed(text);
    if (!relayed) return [];
    if (relayed.kind === 'have') this.#names.has(from);
    if (from === 'me' && relayed.kind === 'incomplete') return [note('a file name is missing')];
    if (relayed.kind === 'own') return from === 'me' ? this.#obey(relayed.command, relayed.argument) : [];
    const answer = this.#shares.answer(from, relayed);
    return answer ? this.#give(answer) : [];
  }

  #inform(text: string): Action[] {
    const left = this.#names.heard(text);
    if (left === undefined || !this.#fetches.isFrom(left)) return [];
    return [{ kind: 'send', request: { kind: 'owner-left', owner: left } }];
  }

  #give(answer: Answer): Action[] {
    if (answer.kind !== 'say') return [{ kind: 'send', request: answer }];
    this.#sending.answer(answer.text);
    return [];
  }

  #missOwner(now: number): Action[] {
    return this.#fetches.missing(now).flatMap((wish): Action[] => {
      const abandon: Action = { kind: 'send', request: { kind: 'abandon', wish } };
      return [abandon, ...this.failed(wish, `${wish.owner} is not in this room`, now)];
    });
  }

  /** One's own command, back from the server. */
  #obey(command: string, argument: string): Action[] {
    if (command === 'setwindowsize') return this.#setWindow(argument.trim());
    return [note(printable(this.#shares.obey(command, argument)))];
  }

  #setWindow(argument: string): Action[] {
    const packets = readWindow(argument);
    if (packets === undefined) return [note(`a window is a whole number from ${MIN_WINDOW} to ${MAX_WINDOW}`)];
    return [{ kind: 'send', request: { kind: 'window', packets } }, note(`window: ${packets} packets`)];
  }

  #promptAnew(): Action[] {
    const { isSecret } = this.#dialogue;
    if (isSecret === this.#isSecret) return [];
    this.#isSecret = isSecret;
    return [promptFor(isSecret)];
  }

  // --- the end -----------------------------------------------------------------------------------------------------

  /** The server has said `exit`. */
  #ended(): Action[] {
    return this.#isLeaving ? this.#exit(this.#endStatus()) : this.#exit(1, 'the server has ended this session');
  }

  #endsAt(): number {
    if (this.#leftAt !== undefined) return this.#leftAt + GOODBYE_MS;
    if (this.#isLeaving || !this.#inputEnded || this.#dialogue.isOver) return NEVER;
    return this.#typed.length > 0
      ? this.#movedAt + ANSWER_MS
      : Math.min(this.#dialogue.deadline(), this.#movedAt + ANSWER_MS);
  }

  #leaveWhenDone(now: number): Action[] {
    if (this.#isOver) return [];
    if (this.#isLeaving) {
      if (this.#sending.length === 0) this.#leftAt ??= now;
      return now >= this.#endsAt() ? this.#exit(this.#endStatus()) : [];
    }
    if (!this.#inputEnded) return [];
    if (!this.#dialogue.isOver) return this.#leaveDialogue(now);
    const files = this.#fetches.length + this.#shares.serving;
    return this.#typed.length + this.#sending.length + files > 0 ? [] : this.#leave(now);
  }

  /** There is no way out but to close. */
  #leaveDialogue(now: number): Action[] {
    const isDone = this.#typed.length === 0 && this.#dialogue.isReady(now);
    if (isDone && this.#dialogue.isOver) return this.#leave(now);
    if (isDone) return this.#options.isPerson ? this.#exit(0) : this.#exit(1, 'the input has ended outside any room');
    return now >= this.#movedAt + ANSWER_MS ? this.#exit(1, 'no answer from the server') : [];
  }

  #leave(now: number): Action[] {
    if (this.#isOver) return [];
    if (!this.#dialogue.isOver) return this.#exit(this.#endStatus());
    if (!this.#isLeaving) this.#sending.say(LEAVE);
    this.#isLeaving = true;
    return [...this.#flush(now), ...this.#leaveWhenDone(now)];
  }

  #endStatus(): number {
    return this.#status === 0 && this.#hasMissed && !this.#options.isPerson ? 1 : this.#status;
  }

  #exit(status: number, error?: string): Action[] {
    if (this.#isOver) return [];
    this.#isOver = true;
    return [{ kind: 'exit', status, ...(error === undefined ? {} : { error }) }];
  }
}
