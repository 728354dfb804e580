// Layer 3. What a `pipe` client may do on its connection. The server speaks first. Somebody is a classic client until
// it has ended a line: what it gets goes out message by message, see pipe-pace.ts.

import { HouseError } from './errors.ts';
import type { Person, Whisper } from './events.ts';
import { FileDesk } from './file-desk.ts';
import { nameKey } from './names.ts';
import { Pipe, type PipeOptions, plainName } from './pipe.ts';
import { Dialogue } from './pipe-dialogue.ts';
import { Pace } from './pipe-pace.ts';
import { PipeAudience } from './pipe-room.ts';
import type { Member, Pass, Room } from './room.ts';
import { isLoopback, type Port, type Session } from './session.ts';
import {
  commandOf,
  encodeRelay,
  encodeReplies,
  encodeReply,
  firstField,
  listNames,
  type PipeNotice,
  type PipeReply,
  type PipeRequest,
  PipeRequestDecoder,
  type PipeSaid,
  readAddress,
  saysWhere,
} from './wire-pipe.ts';

/** Bytes that stay without a newline for so long are a message ... */
const LULL_MS = 20;
/** ... but one who ends its lines has only not got around to it. */
const UNFINISHED_MS = 1000;
const NEVER = Number.POSITIVE_INFINITY;
const ABSENT: PipeReply = { kind: 'error', text: 'Sorry, destination client not present in chatroom' };
const NO_ADDRESS: PipeReply = { kind: 'error', text: 'Sorry, first field in message should be @<destination>' };
const TOO_MANY: PipeReply = { kind: 'error', text: 'Max tries reached, closing connection.' };

export function openPipe(options: PipeOptions): Pipe {
  return new Pipe(options, (pipe, room, sessionOf) => new PipeAudience(pipe, room, sessionOf));
}

export class PipeSession implements Session {
  readonly port: Port;
  readonly #pipe: Pipe;
  readonly #decoder = new PipeRequestDecoder();
  readonly #pace: Pace;
  #isClassic = true;
  /** Until it is in a room. */
  #dialogue: Dialogue | undefined;
  #member: Member | undefined;
  #room: Room | undefined;
  #audience: PipeAudience | undefined;
  #desk: FileDesk | undefined;
  /** It has made the room that it is in. */
  #isCreator = false;
  /** Whom it has asked for a file in vain: the second half of that is to come. */
  #askedInVain: string | undefined;
  #lullAt = NEVER;
  /** A step of the dialogue is under way; what comes behind it waits. */
  #busy = false;
  /** There may be messages that were not handled for being too many. */
  #waits = false;
  #inputEnded = false;
  #finishing = false;
  #gone = false;

  constructor(pipe: Pipe, port: Port) {
    this.#pipe = pipe;
    this.port = port;
    this.#pace = new Pace(port, pipe.options.now);
    this.#dialogue = new Dialogue(pipe, {
      ip: port.remote.ip,
      say: (...replies) => this.#say(...replies),
      enter: (name) => this.#enter(name),
      arrive: (room, pass, isCreator) => this.#arrive(room, pass, isCreator),
      giveUp: () => this.#finish('too many tries', TOO_MANY),
    });
    pipe.opened(this);
    const ip = pipe.options.advertise ?? port.local.ip;
    this.#say(line(`Connected to ${ip} at port ${port.local.port}`), line('Please enter your username'));
  }

  get isClassic(): boolean {
    return this.#isClassic;
  }

  receive(bytes: Uint8Array, now: number): boolean {
    if (this.#isOver) return true;
    this.#decoder.push(bytes);
    this.#pump();
    this.#watchLull(now);
    return !this.#isFull;
  }

  ended(): void {
    this.#inputEnded = true;
    this.#decoder.end();
    this.#pump();
  }

  closed(reason: string): void {
    this.#gone = true;
    this.#quit(reason);
  }

  /** A classic client is told nothing but that it is over: else it would go on reading from nobody. */
  dropped(reason: string): void {
    if (this.#isClassic) this.port.send(encodeReply({ kind: 'exit' }, true));
    else this.#say({ kind: 'error', text: reason }, { kind: 'exit' });
  }

  tick(now: number): void {
    this.#pace.tick(now);
    if (this.#isOver || this.#isFull) return;
    if (this.#waits) this.#goOn();
    else if (now >= this.#lullAt) {
      this.#lullAt = NEVER;
      this.#decoder.lull();
      this.#pump();
    }
  }

  deadline(): number {
    return Math.min(this.#readingAt(), this.#pace.deadline());
  }

  // --- what the house has done ---------------------------------------------------------------------------

  seated(audience: PipeAudience): void {
    this.#audience = audience;
  }

  /** Who has made the room knows who is in it. */
  joined(): void {
    const { person } = this.#member ?? {};
    const [audience, room] = [this.#audience, this.#room];
    if (!audience || !room || this.#isOver) return;
    const name = this.#pipe.roomName(room);
    const welcome = line(`Welcome to ${name}. You are all set to pass messages`);
    if (this.#isCreator) return this.#say(welcome);
    const isAlone = room.people.size < 2;
    const peers = isAlone
      ? [line('There are no peers in the room:')]
      : [line('Here is a list of peers in the room:'), ...listNames(audience.names(person))];
    this.#say({ kind: 'ok', text: `You have joined chatroom - ${name}` }, ...peers, welcome);
  }

  /** The room is gone. */
  putOut(reason: string): void {
    this.#finish(reason, { kind: 'error', text: `Sorry, ${reason}` });
  }

  whisper({ who, text }: Whisper): boolean {
    if (!this.#member || this.#isOver) return false;
    const from = this.#audience?.nameOf(who) ?? plainName(who.name);
    const heard = this.#withReachable(text);
    this.relay(who.id, heard, encodeRelay(from, heard));
    return true;
  }

  /** Who talks to the server on its own machine is to others where the server is. */
  #withReachable(text: string): string {
    const ip = firstField(text);
    if (!isLoopback(ip) || !saysWhere(text) || isLoopback(this.port.remote.ip)) return text;
    return (this.#pipe.options.advertise ?? this.port.local.ip) + text.slice(ip.length);
  }

  /** What somebody has said, as the messages that it is. */
  relay(id: string, text: string, pieces: readonly Uint8Array[]): void {
    if (this.#isOver) return;
    const isGetfile = commandOf(text) === 'getfile';
    for (const piece of pieces) {
      if (!this.#isClassic) this.port.send(piece);
      else if (isGetfile) this.#pace.sendFirst(piece, id);
      else if (saysWhere(text)) this.#pace.sendSecond(piece, id);
      else if (commandOf(text) !== undefined) this.#pace.sendCommand(piece, id);
      else this.#pace.send(piece);
    }
  }

  tell(bytes: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#isClassic) this.#pace.send(bytes);
    else this.port.send(bytes);
  }

  /** The server is going down. */
  kill(): void {
    if (this.#isOver) return;
    this.#finishing = true;
    this.#end({ kind: 'kill' });
  }

  // --- messages ------------------------------------------------------------------------------------------

  get #isOver(): boolean {
    return this.#finishing || this.#gone;
  }

  /** No more messages for now. */
  get #isFull(): boolean {
    return this.#busy || this.port.isCongested;
  }

  #readingAt(): number {
    if (this.#isFull || this.#isOver) return NEVER;
    return this.#waits ? 0 : this.#lullAt;
  }

  #pump(): void {
    this.#waits = false;
    while (!this.#isOver) {
      if (this.#isFull) {
        this.#waits = true;
        return;
      }
      const request = this.#decoder.next();
      if (request === undefined) break;
      this.#handle(request);
    }
    if (this.#inputEnded && !this.#busy) this.#finish('the connection was closed');
  }

  #handle(request: PipeRequest): void {
    if (request.kind === 'answer') return this.#desk?.answered(request.answer);
    if (request.kind === 'fault') return this.#say({ kind: 'error', text: `Sorry, ${request.detail}` });
    if (request.isEnded) this.#modernize();
    if (isFarewell(request)) return this.#finish('left');
    if (this.#dialogue) return this.#wait(this.#dialogue.take(firstField(request.text).trim()));
    try {
      this.#message(request.text);
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
      this.#say({ kind: 'error', text: `Sorry, ${error.message}` });
    }
  }

  #modernize(): void {
    if (!this.#isClassic) return;
    this.#pace.flush();
    this.#isClassic = false;
    this.#audience?.modernized(this);
  }

  #wait(work: Promise<void>): void {
    this.#busy = true;
    work
      .then(() => {
        this.#busy = false;
        this.#goOn();
      })
      .catch((error) => this.port.fail(error));
  }

  #goOn(): void {
    this.#pump();
    // what has not come for not being read has not been silent
    this.#watchLull(this.#pipe.options.now());
    if (!this.#isFull) this.port.resume();
    this.port.wake();
  }

  #watchLull(now: number): void {
    this.#lullAt = this.#decoder.pending ? now + (this.#isClassic ? LULL_MS : UNFINISHED_MS) : NEVER;
  }

  #message(message: string): void {
    const address = readAddress(message);
    const [member, room] = [this.#member, this.#room];
    if (!address) return this.#say(NO_ADDRESS);
    if (!member || !room) return;
    const { to, text } = address;
    switch (nameKey(to)) {
      case 'all':
        return this.#pipe.options.house.say(member, room, text);
      case 'me':
        return this.#echo(text);
      case 'server':
        return this.#ask(member, text);
    }
    const person = this.#audience?.find(to);
    if (person?.id === member.person.id) return this.#echo(text);
    if (!person || !this.#tell(member, person, text)) this.#say(ABSENT);
  }

  /** Local commands of a classic client come back to it this way. */
  #echo(text: string): void {
    this.relay('me', text, encodeRelay('me', text));
  }

  /** Files go straight between clients of this dialect alone. */
  #tell(member: Member, person: Person, text: string): boolean {
    const vain = this.#askedInVain;
    this.#askedInVain = undefined;
    if (person.dialect !== 'pipe') {
      if (vain === person.id && saysWhere(text)) return true;
      if (commandOf(text) === 'getfile') {
        this.#askedInVain = person.id;
        if (!this.#desk) return false;
        this.#say({ kind: 'through-server', name: this.#audience?.nameOf(person) ?? person.name });
        return true;
      }
    }
    return this.#pipe.options.house.whisper(member, person, text) !== undefined;
  }

  // --- requests to the server ----------------------------------------------------------------------------

  #ask(member: Member, text: string): void {
    switch (firstField(text).trim().toLowerCase()) {
      case 'get_peers':
        return this.#say(...listNames(this.#audience?.names() ?? []));
      case 'get_rooms':
        return this.#say(...listNames(this.#pipe.roomNames()));
      case 'get_passwd':
        return this.#say(this.#aboutPassword());
      case 'files':
        return this.#openDesk(member);
    }
    const isTold = this.#pipe.tellOperator(member.person.name, text, this.port.remote.ip);
    if (!isTold) this.#say({ kind: 'error', text: 'Sorry, the operator has got too much from you: try again soon' });
  }

  /** Its files can be had by others through the server, and theirs by it. */
  #openDesk(member: Member): void {
    const { files, filesPort } = this.#pipe.options;
    this.#desk ??= new FileDesk(files, member, undefined, (question) => this.#say(question));
    this.#say({ kind: 'welcome', token: this.#desk.token, port: filesPort });
  }

  #aboutPassword(): PipeReply {
    if (!this.#room?.isPrivate) return line('This chatroom is public and has no password protection.');
    if (this.#isCreator)
      return { kind: 'ok', text: 'This chatroom has the password that you gave it. It is not shown.' };
    return { kind: 'error', text: "Sorry, the password is the creator's to know" };
  }

  // --- in and out ----------------------------------------------------------------------------------------

  async #enter(name: string): Promise<Member> {
    const { members } = this.#pipe;
    const member = await members.enter(name, this, { exactly: true });
    if (this.#isOver) members.quit(member, 'gone');
    else this.#member = member;
    return member;
  }

  #arrive(room: Room, pass: Pass, isCreator: boolean): void {
    const member = this.#member;
    if (!member || this.#isOver) return;
    this.#room = room;
    this.#isCreator = isCreator;
    this.#pipe.options.house.join(member, room, pass);
    this.#dialogue?.close();
    this.#dialogue = undefined;
  }

  #say(...replies: Array<PipeReply | PipeNotice>): void {
    for (const bytes of encodeReplies(replies)) this.tell(bytes);
  }

  /** Leaves, and closes when that has been read. */
  #finish(reason: string, lastWord?: PipeReply): void {
    if (this.#isOver) return;
    if (lastWord) this.#say(lastWord);
    this.#finishing = true;
    this.#quit(reason);
    this.#end({ kind: 'exit' });
  }

  #end(farewell: PipeReply): void {
    if (!this.#isClassic) {
      this.port.send(encodeReply(farewell));
      return this.port.end();
    }
    this.#pace.send(encodeReply(farewell, true), true);
    this.#pace.whenDone(() => {
      if (!this.#gone) this.port.end();
    });
  }

  #quit(reason: string): void {
    this.#pipe.closed(this);
    this.#dialogue?.close();
    this.#desk?.close();
    this.#desk = undefined;
    const member = this.#member;
    this.#member = undefined;
    if (member) this.#pipe.members.quit(member, reason);
  }
}

/** Also before it is in a room, where a classic server takes it for a name. */
function isFarewell({ text }: PipeSaid): boolean {
  return /^@server\|\s*(?:exit|quit)\s*(?:\||$)/i.test(text);
}

function line(text: string): PipeReply {
  return { kind: 'line', text };
}
