// Layer 3. The operator's commands, pure: a line in, text out; from the server's terminal or the admin socket, which is
// not known here. The operator is in the house as `server`: what is said to all is a post in every room where somebody
// is, what is said to one is a whisper, so members of every dialect hear it in their own form.

import { CommandError } from './console-error.ts';
import { Warden, type WardenOptions } from './console-warden.ts';
import { HouseError } from './errors.ts';
import type { Person } from './events.ts';
import { type Log, logBug } from './log.ts';
import { nameKey } from './names.ts';
import { printable } from './printable.ts';
import { Member, type Room, type Tongue } from './room.ts';
import type { House } from './rooms.ts';

/** Of a list; more would scroll out of sight. */
const SCREEN_LINES = 200;
const LOGGED_CHARS = 200;

export interface ConsoleOptions extends WardenOptions {
  /** Ends the service. */
  stop(reason: string): void;
  /** Reads what the server was told in files again; says what. Throws an Error that can be shown. */
  reload(): string;
  readonly log: Log;
}

export interface Answer {
  /** '' for nothing. */
  readonly text: string;
  /** It was not done. */
  readonly hasFailed: boolean;
}

/** What is to be shown: a text, or a list that may have an end. */
type Shown = string | readonly string[] | Promise<string>;

interface Command {
  /** With what stands behind the word. */
  readonly usage: string;
  readonly about: string;
  /** Nothing stands behind the word; who puts something there may mean this. */
  readonly alone?: string;
  run(console: Console, rest: string): Shown;
}

/** A new command is a row here. */
const COMMANDS: Readonly<Record<string, Command>> = {
  peers: {
    usage: 'peers',
    about: 'who is in which room',
    alone: 'who NAME tells where one is',
    run: (on) => on.peers(),
  },
  who: { usage: 'who [NAME]', about: 'everybody, with where from', run: (on, rest) => on.warden.who(rest) },
  rooms: {
    usage: 'rooms',
    about: 'the rooms, those with people first',
    alone: 'peers tells who is in which',
    run: (on) => on.rooms(),
  },
  say: { usage: 'say TEXT', about: 'to everybody in every room', run: (on, rest) => on.sayToAll(rest) },
  kick: { usage: 'kick NAME', about: 'out with that one', run: (on, rest) => on.warden.kick(rest, on.operator) },
  ban: {
    usage: 'ban NAME|ADDRESS [TIME]',
    about: 'not to come in; NETWORK/BITS too; 10m, 1h, 2d',
    run: (on, rest) => on.warden.ban(rest, on.operator),
  },
  unban: { usage: 'unban NAME|ADDRESS', about: 'may come in again', run: (on, rest) => on.warden.unban(rest) },
  bans: {
    usage: 'bans',
    about: 'who is banned, the newest first',
    alone: 'ban NAME bans one, unban NAME lets one in again',
    run: (on) => on.warden.bans(),
  },
  limits: {
    usage: 'limits',
    about: 'the limits, and what is in use',
    alone: 'it shows all of them; reload reads them again',
    run: (on) => on.warden.limits(),
  },
  reload: {
    usage: 'reload',
    about: 'read limits and certificates again',
    alone: 'it reads all that can be read again',
    run: (on) => on.reload(),
  },
  help: { usage: 'help', about: 'this text', alone: 'it lists all commands', run: () => help() },
  exit: {
    usage: 'exit, quit, kill',
    about: 'tell everybody and end the server',
    alone: 'it ends the server; kick NAME puts one out',
    run: (on) => on.end(),
  },
};
const OTHER_WORDS: Readonly<Record<string, string>> = { quit: 'exit', kill: 'exit', '?': 'help' };

/** How something is said: destination and text. */
const SAID: ReadonlyArray<readonly [usage: string, about: string]> = [
  ['@all|text', 'to everybody in every room'],
  ['@NAME|text', 'to one alone'],
  ['@server|text', 'to this console'],
];

/** It sits in no room, so there is nothing to hear. */
const TONGUE: Tongue = {
  dialect: 'operator',
  audience: () => {
    throw new Error('the operator hears no room');
  },
};

export class Console {
  readonly prompt = '> ';
  readonly #house: House;
  readonly #options: ConsoleOptions;
  readonly warden: Warden;
  readonly operator = new Member({ id: 'operator', name: 'server', nick: 'server', dialect: 'operator' }, TONGUE);

  constructor(options: ConsoleOptions) {
    this.#house = options.house;
    this.#options = options;
    this.warden = new Warden(options);
    this.operator.isWarden = true;
  }

  /** What a line typed on a screen is answered; '' for nothing. */
  async line(typed: string): Promise<string> {
    return (await this.answer(typed, 'console', SCREEN_LINES)).text;
  }

  /** Never rejects. What is asked is done at once, and logged once it is known what came of it. `by`: where it was typed. */
  async answer(typed: string, by: string, mostLines = Number.POSITIVE_INFINITY): Promise<Answer> {
    const text = typed.trim();
    if (text === '') return { text: '', hasFailed: false };
    const answer = await this.#answer(text, mostLines);
    this.#options.log('info', 'operator', { by, command: logged(text), failed: answer.hasFailed });
    return { ...answer, text: printable(answer.text) };
  }

  async #answer(text: string, mostLines: number): Promise<Answer> {
    try {
      const shown = await (text.startsWith('@') ? this.#say(text) : this.#command(text));
      return { text: typeof shown === 'string' ? shown : listed(shown, mostLines), hasFailed: false };
    } catch (error) {
      const isExpected = error instanceof HouseError || error instanceof CommandError;
      if (!isExpected) logBug(this.#options.log, error);
      return { text: isExpected ? error.message : 'that went wrong: the log says how', hasFailed: true };
    }
  }

  /** Somebody has said something to the operator. */
  heard(name: string, text: string): string {
    return printable(`${name}: ${text}`).replace(/[\n\t]/g, ' ');
  }

  /** What Tab can make of the beginning of a line. */
  complete(line: string): string[] {
    if (line.startsWith('@')) {
      const names = ['all', 'server', ...[...this.#people().keys()].map(({ name }) => name)];
      return names.map((name) => `@${name}|`).filter((one) => one.toLowerCase().startsWith(line.toLowerCase()));
    }
    const [, before = '', word, begun] = /^((kick|ban|unban|who)\s+)(.*)$/s.exec(line) ?? [];
    if (begun !== undefined) {
      const names = word === 'unban' ? this.warden.banned() : this.warden.names();
      return names.flatMap((name) => (startsLike(name, begun) ? before + name : []));
    }
    return [...Object.keys(COMMANDS), ...Object.keys(OTHER_WORDS)].filter((word) => word.startsWith(line)).sort();
  }

  // --- commands ------------------------------------------------------------------------------------------

  peers(): readonly string[] {
    const lines = [...this.#people()].map(
      ([{ name, dialect }, rooms]) => `${name} (${dialect}) in ${rooms.map((room) => room.name).join(', ')}`,
    );
    return lines.length > 0 ? lines : ['nobody is in a room'];
  }

  rooms(): readonly string[] {
    const all = [...this.#house.rooms.values()].sort((a, b) => b.people.size - a.people.size);
    return all.length > 0 ? all.map(roomLine) : ['there are no rooms'];
  }

  end(): string {
    this.#options.stop('told so by the operator');
    return '';
  }

  reload(): string {
    try {
      return this.#options.reload();
    } catch (error) {
      throw new CommandError((error as Error).message);
    }
  }

  #command(text: string): Shown {
    const [, typed = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
    const word = typed.toLowerCase();
    const name = Object.hasOwn(OTHER_WORDS, word) ? OTHER_WORDS[word] : word;
    const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) throw new CommandError(`there is no command ${typed}: type help`);
    if (command.alone !== undefined && rest.trim() !== '') {
      throw new CommandError(`${word} is said alone: ${command.alone}`);
    }
    return command.run(this, rest.trim());
  }

  // --- what is said --------------------------------------------------------------------------------------

  #say(message: string): string {
    const bar = message.indexOf('|');
    if (bar < 0) throw new CommandError('what is to be said? for example: @all|good morning');
    const to = message.slice(1, bar).trim();
    const text = message.slice(bar + 1);
    switch (nameKey(to)) {
      case 'all':
        return this.sayToAll(text);
      case 'server':
        return isEnd(text) ? this.end() : `server: ${text}`;
      default:
        return this.#sayTo(to, text);
    }
  }

  sayToAll(text: string): string {
    const rooms = [...this.#house.activeRooms];
    if (text === '') throw new CommandError('what is to be said?');
    if (rooms.length === 0) throw new CommandError('nobody is in a room');
    for (const room of rooms) this.#post(room, text);
    return '';
  }

  /** It is in the room for that moment, and nobody sees it come or go. */
  #post(room: Room, text: string): void {
    const { rooms } = this.operator;
    rooms.set(room.key, room);
    try {
      this.#house.say(this.operator, room, text);
    } finally {
      rooms.delete(room.key);
    }
  }

  #sayTo(name: string, text: string): string {
    const key = nameKey(name);
    for (const person of this.#people().keys()) {
      if (nameKey(person.name) !== key) continue;
      if (this.#house.whisper(this.operator, person, text)) return '';
      throw new CommandError(`${person.name} can't be told anything alone`);
    }
    throw new CommandError(`nobody called ${name} is in a room`);
  }

  /** Everybody who is in a room, in the order of the rooms. */
  #people(): Map<Person, Room[]> {
    const found = new Map<string, [Person, Room[]]>();
    for (const room of this.#house.activeRooms) {
      for (const person of room.people.values()) {
        const known = found.get(person.id);
        if (known) known[1].push(room);
        else found.set(person.id, [person, [room]]);
      }
    }
    return new Map(found.values());
  }
}

function help(): string {
  const commands = Object.values(COMMANDS).map(({ usage, about }) => [usage, about] as const);
  const rows = [...commands, ...SAID];
  const width = Math.max(...rows.map(([usage]) => usage.length));
  return rows.map(([usage, about]) => `${usage.padEnd(width)}  ${about}`).join('\n');
}

/** What is said to one alone is nobody else's. */
function logged(text: string): string {
  const [whisper] = /^@(?!\s*(?:all|server)\s*\|)[^|]*\|/i.exec(text) ?? [];
  return whisper === undefined ? text.slice(0, LOGGED_CHARS) : `${whisper.slice(0, LOGGED_CHARS)}…`;
}

function startsLike(name: string, begun: string): boolean {
  return name.toLowerCase().startsWith(begun.toLowerCase());
}

function isEnd(text: string): boolean {
  return /^\s*(?:exit|quit|kill)\s*$/i.test(text);
}

function roomLine({ name, people, isPrivate }: Room): string {
  const count = people.size === 1 ? '1 person' : `${people.size} people`;
  return `${name}: ${count}${isPrivate ? ', with a password' : ''}`;
}

function listed(lines: readonly string[], most: number): string {
  const rest = lines.length - most;
  return rest > 0 ? [...lines.slice(0, most), `… and ${rest} more`].join('\n') : lines.join('\n');
}
