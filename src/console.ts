// Layer 3. The operator's commands, pure: a line in, text out; from the server's terminal or the admin socket, which is
// not known here. The operator is in the house as `server`: what is said to all is a post in every room where somebody
// is, what is said to one is a whisper, so members of every dialect hear it in their own form.

import { CommandError, Warden, type WardenOptions } from './console-warden.ts';
import { HouseError } from './errors.ts';
import type { Person } from './events.ts';
import type { Log } from './log.ts';
import { nameKey } from './names.ts';
import { printable } from './printable.ts';
import { Member, type Room, type Tongue } from './room.ts';
import type { House } from './rooms.ts';

const MAX_LISTED = 200;
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

interface Command {
  /** With what stands behind the word. */
  readonly usage: string;
  readonly about: string;
  /** What is to be shown. */
  run(console: Console, rest: string): string;
}

/** A new command is a row here. */
const COMMANDS: Readonly<Record<string, Command>> = {
  peers: { usage: 'peers', about: 'who is in which room', run: (on) => on.peers() },
  who: { usage: 'who [NAME]', about: 'everybody, with where from', run: (on, rest) => listed(on.warden.who(rest)) },
  rooms: { usage: 'rooms', about: 'the rooms, those with people first', run: (on) => on.rooms() },
  say: { usage: 'say TEXT', about: 'to everybody in every room', run: (on, rest) => on.sayToAll(rest) },
  kick: { usage: 'kick NAME', about: 'out with that one', run: (on, rest) => on.warden.kick(rest, on.operator) },
  ban: {
    usage: 'ban NAME|ADDRESS [MINUTES]',
    about: 'not to come in; NETWORK/BITS too',
    run: (on, rest) => on.warden.ban(rest, on.operator),
  },
  unban: { usage: 'unban NAME|ADDRESS', about: 'may come in again', run: (on, rest) => on.warden.unban(rest) },
  bans: { usage: 'bans', about: 'who is banned', run: (on) => listed(on.warden.bans()) },
  limits: { usage: 'limits', about: 'the limits, and what is in use', run: (on) => listed(on.warden.limits()) },
  reload: { usage: 'reload', about: 'read limits and certificates again', run: (on) => on.reload() },
  help: { usage: 'help', about: 'this text', run: () => help() },
  exit: { usage: 'exit, quit, kill', about: 'tell everybody and end the server', run: (on) => on.end() },
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

  /** What a typed line is answered; '' for nothing. */
  line(typed: string): string {
    return this.answer(typed, 'console').text;
  }

  /** All that is asked is logged. `by`: where it was typed. */
  answer(typed: string, by: string): Answer {
    const text = typed.trim();
    if (text === '') return { text: '', hasFailed: false };
    const answer = this.#answer(text);
    this.#options.log('info', 'operator', { by, command: logged(text), failed: answer.hasFailed });
    return { ...answer, text: printable(answer.text) };
  }

  #answer(text: string): Answer {
    try {
      return { text: text.startsWith('@') ? this.#say(text) : this.#command(text), hasFailed: false };
    } catch (error) {
      if (!(error instanceof HouseError || error instanceof CommandError)) throw error;
      return { text: error.message, hasFailed: true };
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
    const [, before = '', begun] = /^((?:kick|ban|unban|who)\s+)(.*)$/s.exec(line) ?? [];
    if (begun !== undefined)
      return this.warden.names().flatMap((name) => (startsLike(name, begun) ? before + name : []));
    return [...Object.keys(COMMANDS), ...Object.keys(OTHER_WORDS)].filter((word) => word.startsWith(line)).sort();
  }

  // --- commands ------------------------------------------------------------------------------------------

  peers(): string {
    const lines = [...this.#people()].map(
      ([{ name, dialect }, rooms]) => `${name} (${dialect}) in ${rooms.map((room) => room.name).join(', ')}`,
    );
    return lines.length > 0 ? listed(lines) : 'nobody is in a room';
  }

  rooms(): string {
    const all = [...this.#house.rooms.values()].sort((a, b) => b.people.size - a.people.size);
    return all.length > 0 ? listed(all.map(roomLine)) : 'there are no rooms';
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

  #command(text: string): string {
    const [, typed = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
    const word = typed.toLowerCase();
    const name = Object.hasOwn(OTHER_WORDS, word) ? OTHER_WORDS[word] : word;
    const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) throw new CommandError(`there is no command ${typed}: type help`);
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

function listed(lines: readonly string[]): string {
  const rest = lines.length - MAX_LISTED;
  return [...lines.slice(0, MAX_LISTED), ...(rest > 0 ? [`… and ${rest} more`] : [])].join('\n');
}
