// Layer 3. What an IRC client may do on its connection. Commands come one after the other: what has to wait for the house
// holds up those behind it. What each command does is in the files of irc-commands.ts.

import type { Login } from './accounts.ts';
import type { Invited, Person, Signal, Whisper } from './events.ts';
import type { Irc, Said } from './irc.ts';
import type { IrcAudience } from './irc-audience.ts';
import { Caps } from './irc-caps.ts';
import { dispatch } from './irc-dispatch.ts';
import { messagesIn } from './irc-lines.ts';
import { NUMERICS, type Numeric } from './irc-numerics.ts';
import { IrcOut, type Outlet } from './irc-out.ts';
import { Pulse, SILENCE_MS } from './irc-pulse.ts';
import { Registration } from './irc-registration.ts';
import { Turn } from './irc-turn.ts';
import type { Member, Room } from './room.ts';
import type { Port, Session } from './session.ts';
import { IrcDecoder, type IrcHeard } from './wire-irc.ts';

/** Who has no nick by then never will. */
const REGISTRATION_MS = 60_000;
/** Of a long answer, so much at once. */
const STRIDE_LINES = 200;
const NEVER = Number.POSITIVE_INFINITY;

export type UserMode = 'i' | 'o' | 'w' | 'B';

export class IrcSession implements Session, Outlet {
  readonly irc: Irc;
  readonly port: Port;
  readonly caps = new Caps();
  readonly out: IrcOut;
  readonly #decoder = new IrcDecoder();
  /** Until it is somebody. */
  registration: Registration | undefined;
  member: Member | undefined;
  login: Login | undefined;
  user = '';
  realName = '';
  away: string | undefined;
  /** Up to where it has read, by target, as long as it has no account. */
  markers: Map<string, number> | undefined;
  /** Of SASL, what has come of it. */
  sasl: string | undefined;
  /** Letters; of `o` the member knows. */
  #modes = '';
  readonly #audiences = new Map<Room, IrcAudience>();
  signedOn = 0;
  /** When it said something last, on the clock of `receive`. */
  spokeAt = 0;
  readonly #pulse: Pulse;
  readonly #turn = new Turn();
  /** What was told that concerns several rooms. */
  #heardOf: unknown;
  #busy = false;
  #waits = false;
  /** A long answer goes on when what was sent has been read. */
  #onDrained: (() => void) | undefined;
  #inputEnded = false;
  #gone = false;

  constructor(irc: Irc, port: Port) {
    this.irc = irc;
    this.port = port;
    this.#pulse = new Pulse(irc.options.now());
    this.out = new IrcOut(this);
    this.registration = new Registration(this);
    irc.opened(this);
  }

  // --- Session ---------------------------------------------------------------------------------------------

  receive(bytes: Uint8Array, now: number): boolean {
    if (this.#gone) return true;
    this.#pulse.heard(now);
    this.#decoder.push(bytes);
    this.#turn.goOn(now);
    this.#pump();
    return !this.#waits && !this.#isFull;
  }

  ended(now: number): void {
    this.#inputEnded = true;
    this.#decoder.end();
    this.#turn.goOn(now);
    this.#pump();
  }

  closed(reason: string): void {
    this.#leave(reason);
  }

  dropped(reason: string): void {
    this.#say('ERROR', reason);
  }

  tick(now: number): void {
    if (this.#onDrained && !this.port.isCongested) return this.#drained();
    if (this.#waits && !this.#isFull) {
      this.#turn.begin(now);
      return this.#goOn();
    }
    if (this.#gone) return;
    if (this.registration) {
      if (now - this.port.opened >= REGISTRATION_MS) this.close('Registration timed out');
      return;
    }
    const due = this.#pulse.tick(now);
    if (due === 'give up') this.close(`Ping timeout: ${SILENCE_MS / 1000} seconds`);
    else if (due === 'ask') this.out.news({ message: { command: 'PING', params: [this.irc.serverName] } });
  }

  deadline(): number {
    if (this.#gone) return NEVER;
    if ((this.#waits && !this.#isFull) || (this.#onDrained && !this.port.isCongested)) return 0;
    if (this.registration) return this.port.opened + REGISTRATION_MS;
    return this.#pulse.deadline();
  }

  // --- Outlet ----------------------------------------------------------------------------------------------

  get source(): string {
    return this.irc.serverName;
  }

  get wall(): number {
    return this.irc.options.wall();
  }

  write(bytes: Uint8Array): void {
    if (!this.#gone) this.port.send(bytes);
  }

  nextBatch(): string {
    return this.irc.nextBatch();
  }

  // --- who it is -------------------------------------------------------------------------------------------

  /** `*` for who has none yet. */
  get nick(): string {
    if (this.member) return this.irc.names.nickOf(this.member.person);
    return this.registration?.nick ?? '*';
  }

  get prefix(): string {
    const { names } = this.irc;
    if (this.member) return names.prefixOf(this.member.person);
    return `${this.nick}!${this.user || '*'}@${names.hostOf({ host: this.port.remote.ip })}`;
  }

  get modes(): string {
    const isOper = this.member?.isWarden ? ['o'] : [];
    return [...isOper, ...this.#modes].sort().join('');
  }

  hasMode(mode: UserMode): boolean {
    return mode === 'o' ? (this.member?.isWarden ?? false) : this.#modes.includes(mode);
  }

  setMode(mode: UserMode, isOn: boolean): void {
    if (mode === 'o') {
      if (this.member) this.member.isWarden = isOn;
    } else this.#modes = this.#modes.replace(mode, '') + (isOn ? mode : '');
    const counted = { o: this.irc.opers, i: this.irc.invisible, w: undefined, B: undefined }[mode];
    if (isOn) counted?.add(this);
    else counted?.delete(this);
  }

  // --- what it is told -------------------------------------------------------------------------------------

  /** A numeric; the last parameter may have blanks. */
  reply(numeric: Numeric, ...params: readonly string[]): void {
    this.out.send({ source: this.irc.serverName, command: NUMERICS[numeric], params: [this.nick, ...params] });
  }

  needsMore(command: string): undefined {
    this.reply('ERR_NEEDMOREPARAMS', command, 'Not enough parameters');
  }

  /** A numeric that answers nothing. */
  inform(numeric: Numeric, ...params: readonly string[]): void {
    const message = { source: this.irc.serverName, command: NUMERICS[numeric], params: [this.nick, ...params] };
    this.out.news({ message });
  }

  /** A standard reply. */
  fail(command: string, code: string, ...params: readonly string[]): void {
    this.out.send({ source: this.irc.serverName, command: 'FAIL', params: [command, code, ...params] });
  }

  /** What has come of its own command. */
  tell(said: Said): void {
    this.out.tell(said);
  }

  /** What others have said or done. */
  hear(said: Said): void {
    this.out.news({ said });
  }

  notice(text: string): void {
    this.out.send({ source: this.irc.serverName, command: 'NOTICE', params: [this.nick, text] });
  }

  /** A long list, no faster than it is read. */
  async tellEach<T>(items: readonly T[], tell: (item: T) => void): Promise<void> {
    for (const [at, item] of items.entries()) {
      if (this.#gone) return;
      tell(item);
      if (at % STRIDE_LINES !== STRIDE_LINES - 1) continue;
      this.out.flush();
      if (this.port.isCongested) await new Promise<void>((resolve) => (this.#onDrained = resolve));
    }
  }

  /** Everybody else is heard before it goes on: it may have asked for thousands of things that take long. */
  async letOthers(): Promise<void> {
    if (this.#gone) return;
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve;
      this.port.wake();
    });
  }

  /** What it has said itself, if it wants to hear that. */
  echo(said: Said): void {
    if (said.command === 'TAGMSG' && !this.caps.has('message-tags')) return;
    if (this.caps.has('echo-message')) this.out.tell(said);
  }

  /** False for what it has heard already in another room that both are in. */
  isNew(what: unknown): boolean {
    const isNew = this.#heardOf !== what;
    this.#heardOf = what;
    return isNew;
  }

  /** Ends it, with the reason. */
  close(reason: string): void {
    if (this.#gone) return;
    this.#say('ERROR', reason);
    this.#leave(reason);
    this.port.end();
  }

  // --- what the house has done -----------------------------------------------------------------------------

  seated(audience: IrcAudience): void {
    this.#audiences.set(audience.room, audience);
  }

  unseated(audience: IrcAudience, lastPost: number): void {
    this.#audiences.delete(audience.room);
    if (lastPost > 0) this.irc.saw(this.seenAs, audience.room, lastPost);
  }

  audienceOf(room: Room): IrcAudience | undefined {
    return this.#audiences.get(room);
  }

  /** Under what its place in rooms is remembered. */
  get seenAs(): string {
    return this.login ? `account ${this.login.key}` : `nick ${this.nick.toLowerCase()}`;
  }

  /** Its own JOIN is answered with what the room is. */
  joined(room: Room, said: Said): void {
    this.tell(said);
    this.onJoined?.(room);
    // before others are heard in the room
    this.out.flush();
  }

  /** Set by the command that is under way. */
  onJoined: ((room: Room) => void) | undefined;

  whisper(whisper: Whisper): boolean {
    const { who, at, text, notice, tags } = whisper;
    const msgid = this.irc.msgidOfWhisper(whisper);
    const by = this.irc.saidBy(who, at);
    const command = notice ? 'NOTICE' : 'PRIVMSG';
    const isFromIrc = who.dialect === 'irc';
    const said = messagesIn({ by, command, target: this.nick, text, isFromIrc, msgid, client: tags });
    for (const one of said) this.hear(one);
    return true;
  }

  signal({ who, at, tags, id }: Signal): boolean {
    if (!this.caps.has('message-tags')) return true;
    this.hear({ ...this.irc.saidBy(who, at), command: 'TAGMSG', params: [this.nick], msgid: id, client: tags });
    return true;
  }

  invited({ who, room, at }: Invited): boolean {
    const found = this.irc.house.rooms.get(room);
    if (!found) return false;
    const params = [this.nick, this.irc.names.channelOf(found)];
    this.hear({ ...this.irc.saidBy(who, at), command: 'INVITE', params });
    return true;
  }

  /** It wants other tags: rooms send it other bytes from now on. */
  setCaps(names: ReadonlyArray<readonly [name: string, isOn: boolean]>): void {
    const before = this.caps.variant;
    for (const [name, isOn] of names) this.caps.set(name, isOn);
    if (before === this.caps.variant) return;
    for (const audience of this.#audiences.values()) audience.moved(this, before);
  }

  /** It is somebody now. */
  registered(member: Member): void {
    this.member = member;
    this.registration = undefined;
    this.signedOn = this.irc.options.wall();
    this.spokeAt = this.irc.options.now();
  }

  // --- commands --------------------------------------------------------------------------------------------

  get isGone(): boolean {
    return this.#gone;
  }

  get #isFull(): boolean {
    return this.#busy || this.port.isCongested;
  }

  #pump(): void {
    this.#waits = false;
    while (!this.#gone) {
      if (this.#isFull || this.#turn.isOver(this.irc.options.now())) {
        this.#waits = true;
        return;
      }
      const heard = this.#decoder.next();
      if (heard === undefined) break;
      this.#handle(heard);
    }
    if (this.#inputEnded && !this.#busy && !this.#gone) this.close('Connection closed');
  }

  #drained(): void {
    const goOn = this.#onDrained;
    this.#onDrained = undefined;
    goOn?.();
  }

  #goOn(): void {
    this.#turn.goOn(this.irc.options.now());
    this.#pump();
    if (!this.#waits && !this.#isFull) this.port.resume();
    this.port.wake();
  }

  #handle(heard: IrcHeard): void {
    this.out.begin(heard.kind === 'fault' ? heard.label : heard.tags.label);
    const work = dispatch(this, heard);
    if (!work) return this.out.settle();
    this.#busy = true;
    work
      .then(() => {
        this.out.settle();
        this.#busy = false;
        this.#goOn();
      })
      .catch((error) => this.port.fail(error));
  }

  // --- the end ---------------------------------------------------------------------------------------------

  #say(command: string, text: string): void {
    if (this.#gone) return;
    this.out.send({ command, params: [text] });
    // the answer to a label may have been waiting
    this.out.settle();
  }

  #leave(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.irc.closed(this);
    this.registration?.cancel();
    this.#drained();
    const { member } = this;
    if (member) this.irc.quit(member, reason);
    this.member = member;
  }
}

/** What commands need of those who have one. */
export function personOf(session: IrcSession): Person {
  return memberOf(session).person;
}

export function memberOf(session: IrcSession): Member {
  if (!session.member) throw new Error('only for who is in');
  return session.member;
}
