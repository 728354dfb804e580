// Layer 3. The client's `lobby` face: a line typed, a reply or a chat come in, actions out. Pure: no socket,
// terminal or clock of its own. What it says is the classic client's, word for word (and misspelling); its own
// commands are asked only of a server that has them: a classic one dies of what it does not know.
//
// Requests go one after another, so that lines from a pipe do what they say: what is typed while an answer is
// awaited waits for it, and `\quit` for one's own chats to come back from the room.

import {
  type Action,
  asksForPassword,
  COMMANDS,
  countFrom,
  countOf,
  good,
  hasPassword,
  IN_ROOM,
  isPasswordOption,
  isSame,
  isTypeable,
  LOBBY_PROMPT,
  missing,
  NO_SUCH_COMMAND,
  note,
  oneLine,
  PASSWORD_PROMPT,
  plain,
  prompt,
  ROOM_HELP,
  ROOM_PROMPT,
  roomRow,
  signed,
  unasked,
  wordsOf,
} from './client-lobby-words.ts';
import type { Face } from './face.ts';
import { printable } from './printable.ts';
import {
  type Chat,
  type LobbyFault,
  type LobbyReply,
  type LobbyRequest,
  MAX_DATAGRAM_BYTES,
  MAX_FRAME_BYTES,
  type RoomList,
  splitChat,
} from './wire-lobby.ts';

type Request = Exclude<LobbyRequest, LobbyFault>;
export type Door = LobbyReply & { readonly kind: 'door' };

export type ClientRequest =
  /** On the connection to the lobby. */
  | { readonly kind: 'ask'; readonly request: Request }
  /** Connect to a room. From a classic server that means: instead of to the lobby. */
  | { readonly kind: 'enter'; readonly door: Door }
  /** On the connection to the room. */
  | { readonly kind: 'tell'; readonly request: Request }
  | { readonly kind: 'leave' };

/** What becomes of an answer; undefined if it is none to what was asked. */
type Then = (reply: LobbyReply) => Action[] | undefined;

/** A room entered, or about to be. */
interface Stay {
  readonly name: string;
  /** Of our server: its chats come on the connection. */
  readonly viaTcp: boolean;
  isIn: boolean;
  /** What was heard before the previous chats came. */
  readonly early: Chat[];
  /** One's own chats that have not come back yet. */
  unheard: string[];
}

interface NewRoom {
  readonly room: string;
  readonly description: string;
  readonly password?: string;
}

const SEARCH_COUNT = 20;
/** A room that shouts before it has said what was before. */
const MAX_EARLY = 100;

export class LobbyFace implements Face<ClientRequest> {
  readonly keepsTyped = true;
  readonly #timeNow: () => string;
  /** Who is logged in; nobody is ''. */
  #user = '';
  #then: Then | undefined;
  /** It is made once its password has been typed. */
  #asking: NewRoom | undefined;
  #room: Stay | undefined;
  #lastRoom: string | undefined;
  /** Whether the server has our commands, as far as is known. */
  #isOurs: boolean | undefined;
  /** Rooms that Tab knows. */
  #known: readonly string[] = [];
  readonly #typed: string[] = [];
  #inputEnded = false;
  #isOver = false;

  constructor(timeNow: () => string) {
    this.#timeNow = timeNow;
  }

  get prompt(): string {
    return LOBBY_PROMPT;
  }

  get isWaiting(): boolean {
    return this.#typed.length > 0;
  }

  get isAwaiting(): boolean {
    return this.#then !== undefined;
  }

  start(): Action[] {
    return [plain('Starting interface...'), ...this.#settle()];
  }

  line(text: string): Action[] {
    this.#typed.push(text);
    return this.#runTyped();
  }

  inputEnded(): Action[] {
    this.#inputEnded = true;
    return this.#runTyped();
  }

  /** From the lobby. */
  received(reply: LobbyReply): Action[] {
    return this.#room ? unasked(reply) : this.#answered(reply);
  }

  /** On the connection to the room. */
  roomReceived(reply: LobbyReply): Action[] {
    if (!this.#room) return [];
    return reply.kind === 'chat' ? this.heard(reply.chat) : this.#answered(reply);
  }

  /** A chat, from the group or on the room's connection. */
  heard(chat: Chat): Action[] {
    const room = this.#room;
    // a classic room may share its group with another one
    if (!room || (!room.viaTcp && chat.room !== room.name)) return [];
    if (!room.isIn) {
      if (room.early.length < MAX_EARLY) room.early.push(chat);
      return [];
    }
    const own = room.unheard.indexOf(chat.contents);
    if (own >= 0) room.unheard.splice(own, 1);
    return [signed(chat), ...this.#runTyped()];
  }

  /** What was said last should have come back by now. */
  overdue(): Action[] {
    if (this.#room) this.#room.unheard = [];
    return this.#runTyped();
  }

  /** The room can't be reached, or is gone; the lobby may still be there. */
  roomClosed(reason: string): Action[] {
    if (!this.#room) return [];
    return [...this.#leave(), note(printable(reason)), ...this.#settle()];
  }

  /** The connection to the lobby is gone. */
  closed(error = 'the server has closed the connection'): Action[] {
    if (this.#isOver) return [];
    this.#isOver = true;
    return [{ kind: 'exit', status: 1, error }];
  }

  /** Passwords are not for the arrow keys. */
  remembers(line: string): boolean {
    const before = this.#typed.at(-1);
    if (before === undefined && this.#room?.isIn) return true;
    const isPassword = before === undefined ? this.#asking !== undefined : asksForPassword(before);
    return !isPassword && !hasPassword(line);
  }

  complete(line: string): string[] {
    if (line === '' || this.#asking) return [];
    const [, command] = /^(join|delete|history) /.exec(line) ?? [];
    if (this.#room?.isIn) return ['\\quit', '\\history ', '\\search ', '\\help'].filter((one) => one.startsWith(line));
    const candidates =
      command === undefined
        ? Object.entries(COMMANDS).map(([name, { form }]) => (form === name ? name : `${name} `))
        : this.#known.filter(isTypeable).map((room) => `${command} ${room}`);
    return candidates.filter((candidate) => candidate.startsWith(line));
  }

  // --- the classic commands --------------------------------------------------------------------------------

  login(name: string, password: string): Action[] {
    return this.#ask({ kind: 'login', name, password }, (reply) => {
      if (reply.kind === 'good') this.#user = name;
      return good(reply);
    });
  }

  register(name: string, password: string): Action[] {
    return this.#ask({ kind: 'register', name, password }, good);
  }

  logout(): Action[] {
    return this.#ask({ kind: 'logout', name: this.#user }, (reply) => {
      if (reply.kind === 'good') this.#user = '';
      return good(reply);
    });
  }

  list(): Action[] {
    return this.#ask({ kind: 'list', all: false, skip: 0 }, (reply) =>
      reply.kind === 'rooms' ? this.#activeRooms(reply) : undefined,
    );
  }

  join(room: string, password: string | undefined): Action[] {
    return this.#ask({ kind: 'join', room, password, viaTcp: true }, (door) => {
      if (door.kind !== 'door') return undefined;
      const { viaTcp, port } = door;
      this.#isOurs = viaTcp;
      this.#room = { name: room, viaTcp, isIn: false, early: [], unheard: [] };
      this.#then = (reply) => this.#entered(reply);
      return [plain(`attempting to connect to ${port}`), { kind: 'send', request: { kind: 'enter', door } }];
    });
  }

  exit(): Action[] {
    this.#isOver = true;
    return [plain('exiting...'), { kind: 'exit', status: 0 }];
  }

  #activeRooms({ names }: RoomList): Action[] {
    this.#known = [...names];
    return [plain('\n---Active Rooms---\n'), ...names.map((name) => plain(`  - ${oneLine(name)}\n`))];
  }

  // --- our own ---------------------------------------------------------------------------------------------

  listAll(skip = 0): Action[] {
    return this.#ask({ kind: 'list', all: true, skip }, (reply) => {
      if (reply.kind !== 'rooms') return undefined;
      this.#isOurs = reply.more !== undefined;
      const { names, more } = reply;
      if (!more) return this.#activeRooms(reply);
      this.#known = skip === 0 ? names : [...this.#known, ...names];
      const rows = names.map((name, at) => plain(roomRow(name, more.people[at], more.about[at])));
      const { next = 0 } = more;
      const rest = next > skip ? this.listAll(next) : [];
      return [...(skip === 0 ? [plain('\n---All Rooms---\n')] : []), ...rows, ...rest];
    });
  }

  room([room = '', ...words]: readonly string[]): Action[] {
    const description = words.filter((word) => !isPasswordOption(word)).join(' ');
    const option = words.find(isPasswordOption);
    const password = option?.slice('--password='.length);
    if (option === undefined || password) return this.#make({ room, description, password });
    this.#asking = { room, description };
    return [];
  }

  delete(room: string): Action[] {
    return this.#ifOurs(() => this.#ask({ kind: 'delete', room, owner: this.#user }, good));
  }

  history(words: readonly string[]): Action[] {
    const hasCount = /^\d+$/.test(words.at(-1) ?? '') && (words.length > 1 || this.#lastRoom !== undefined);
    const [room = this.#lastRoom] = hasCount ? words.slice(0, -1) : words;
    if (room === undefined) return [missing('history <roomname> [count]')];
    return this.#ifOurs(() => this.#readBack(room, countFrom(hasCount ? words.at(-1) : undefined)));
  }

  search(words: readonly string[]): Action[] {
    return this.#ifOurs(() => this.#find(words.join(' ')));
  }

  #make(made: NewRoom): Action[] {
    const ask = () => this.#ask({ kind: 'make', ...made }, good);
    return [plain('making room...'), ...this.#ifOurs(ask)];
  }

  /** Page by page from the newest; `got` is what came so far, oldest first. */
  #readBack(room: string, count: number, got: readonly Chat[] = []): Action[] {
    const before = got[0]?.id;
    const request = { kind: 'history', count: count - got.length, before } as const;
    return this.#ask(this.#room ? request : { ...request, room }, (reply) => {
      if (reply.kind !== 'previous') return undefined;
      const chats = [...reply.chats, ...got].slice(-count);
      const oldest = chats[0]?.id;
      const isOlder = reply.chats.length > 0 && oldest !== undefined && oldest < (before ?? Number.POSITIVE_INFINITY);
      if (isOlder && chats.length < count) return this.#readBack(room, count, chats);
      return [note(`${countOf(chats)} from ${oneLine(room)}:`), ...chats.map((chat) => signed(chat))];
    });
  }

  #find(words: string): Action[] {
    return this.#ask({ kind: 'search', words, count: SEARCH_COUNT }, (reply) => {
      if (reply.kind !== 'previous') return undefined;
      const { chats } = reply;
      return [note(`${countOf(chats)} with ${printable(words)}:`), ...chats.map((chat) => signed(chat, true))];
    });
  }

  /** Asks first what a classic server survives, and only ours answers with more than it. */
  #ifOurs(then: () => Action[]): Action[] {
    if (this.#isOurs !== undefined) return this.#isOurs ? then() : [NO_SUCH_COMMAND];
    return this.#ask({ kind: 'list', all: true, skip: 0 }, (reply) => {
      if (reply.kind !== 'rooms') return undefined;
      this.#isOurs = reply.more !== undefined;
      return this.#isOurs ? then() : [NO_SUCH_COMMAND];
    });
  }

  // --- in a room -------------------------------------------------------------------------------------------

  /** What was heard meanwhile may be among the previous chats already. */
  #entered(reply: LobbyReply): Action[] | undefined {
    const room = this.#room;
    if (!room) return [];
    if (reply.kind === 'error') return [...this.#leave(), plain(printable(reply.message))];
    if (reply.kind !== 'previous') return undefined;
    room.isIn = true;
    const { chats } = reply;
    const missed = room.early.filter((one) => !chats.some((chat) => isSame(chat, one)));
    return [
      prompt(ROOM_PROMPT, { ...IN_ROOM, clears: true }),
      ...[...chats, ...missed].map((chat) => signed(chat)),
      prompt(ROOM_PROMPT, { ...IN_ROOM, piped: true }),
    ];
  }

  /** A text that only looks like a command is said. */
  #runInRoom(text: string, room: Stay): Action[] {
    const [, command, argument = ''] = /^\\(quit|history|search|help)(?:\s+(.*))?$/s.exec(text) ?? [];
    if (command === 'quit' && argument === '') return [plain('Quitting'), ...this.#leave()];
    if (command === 'help' && argument === '') return [plain(`Commands:\n${ROOM_HELP}`)];
    if (command === 'history' && /^\d*\s*$/.test(argument)) {
      return this.#ifOurs(() => this.#readBack(room.name, countFrom(argument.trim() || undefined)));
    }
    if (command === 'search') {
      return argument === '' ? [missing('\\search <words>')] : this.#ifOurs(() => this.#find(argument.trim()));
    }
    return this.#say(text, room);
  }

  #say(contents: string, room: Stay): Action[] {
    const chat = { creator: this.#user, room: room.name, contents, datetime: this.#timeNow() };
    try {
      return this.#sayPieces(splitChat(chat, room.viaTcp ? MAX_FRAME_BYTES : MAX_DATAGRAM_BYTES), room);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return [note('the names of user and room are too long: no frame has room for a chat besides them')];
    }
  }

  #sayPieces([chat, ...rest]: readonly Chat[], room: Stay): Action[] {
    if (!chat) return [];
    room.unheard.push(chat.contents);
    return this.#send({ kind: 'chat', chat }, (reply) => {
      if (reply.kind === 'good') return this.#sayPieces(rest, room);
      // it will not come back
      room.unheard = [];
      return reply.kind === 'error' ? unasked(reply) : undefined;
    });
  }

  /** Whatever was awaited from the room will not come. */
  #leave(): Action[] {
    const room = this.#room;
    this.#room = undefined;
    this.#then = undefined;
    if (room?.isIn) this.#lastRoom = room.name;
    // a new connection, perhaps to another server
    if (!room?.viaTcp) this.#isOurs = undefined;
    const cleared = room?.isIn ? [prompt(LOBBY_PROMPT, { clears: true })] : [];
    return [{ kind: 'send', request: { kind: 'leave' } }, ...cleared];
  }

  // --- one after another -----------------------------------------------------------------------------------

  #ask(request: Request, then: Then): Action[] {
    return this.#send(request, (reply) => (reply.kind === 'error' ? unasked(reply) : then(reply)));
  }

  #send(request: Request, then: Then): Action[] {
    this.#then = then;
    return [{ kind: 'send', request: { kind: this.#room ? 'tell' : 'ask', request } }];
  }

  #answered(reply: LobbyReply): Action[] {
    const then = this.#then;
    if (!then) return unasked(reply);
    this.#then = undefined;
    const actions = then(reply);
    return actions
      ? [...actions, ...this.#settle()]
      : this.closed(`this is not a lobby server: ${reply.kind} is no answer`);
  }

  /** After something was done: the next thing is asked for. */
  #settle(): Action[] {
    return [...this.#prompt(), ...this.#runTyped()];
  }

  #prompt(): Action[] {
    if (this.#then || this.#isOver || this.#room) return [];
    if (this.#asking) return [prompt(PASSWORD_PROMPT, { secret: true, piped: true })];
    return [prompt(LOBBY_PROMPT, { piped: true })];
  }

  #runTyped(): Action[] {
    const actions: Action[] = [];
    while (!this.#then && !this.#isOver && !this.#mustHear()) {
      const text = this.#typed.shift();
      if (text === undefined && !this.#inputEnded) break;
      actions.push(...(text === undefined ? this.#end() : this.#run(text)), ...this.#prompt());
    }
    return actions;
  }

  /** Before it leaves: one's own chats are on their way back. */
  #mustHear(): boolean {
    const [next = this.#inputEnded ? '\\quit' : ''] = this.#typed;
    return /^\\quit\s*$/.test(next) && this.#room !== undefined && this.#room.unheard.length > 0;
  }

  #run(text: string): Action[] {
    if (this.#room) return this.#runInRoom(text, this.#room);
    if (this.#asking) return this.#passwordTyped(text, this.#asking);
    const [name = '', ...words] = wordsOf(text);
    if (name === '') return [];
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) return [plain('Invalad command. -"help" for list off commands.')];
    const { form, needs = 0, says, whenMissing } = command;
    const said = says === undefined ? [] : [plain(says)];
    if (words.length < needs) return [...(whenMissing ? said : []), missing(whenMissing ?? form)];
    return [...said, ...command.run(this, words)];
  }

  #passwordTyped(password: string, room: NewRoom): Action[] {
    this.#asking = undefined;
    return password === '' ? [note('no password, no room')] : this.#make({ ...room, password });
  }

  /** The input is over. */
  #end(): Action[] {
    return this.#room ? this.#runInRoom('\\quit', this.#room) : this.exit();
  }
}
