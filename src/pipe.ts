// Layer 3. What all `pipe` clients of a server share: who they are in the house, which rooms they are told of, which
// room names are about to be taken, and how names are written that have the `|` of this wire in them.

import type { Accounts } from './accounts.ts';
import type { Files } from './files.ts';
import { Members } from './members.ts';
import { alias, nameKey } from './names.ts';
import type { PipeAudience } from './pipe-room.ts';
import type { PipeSession } from './pipe-session.ts';
import type { Member, Room } from './room.ts';
import type { House } from './rooms.ts';
import { type Broadcast, networkOf } from './session.ts';
import { Throttle } from './throttle.ts';
import { isWord } from './wire-pipe.ts';

/** What one address says to the operator. */
const TO_OPERATOR = { burst: 20, everyMs: 1000 };
/** Classic clients need so long to hear of the end: a pause, `kill`, a pause. */
const KILL_MS = 150;
/** Stands for a `|`. */
const BROKEN_BAR = '¦';
/** What has been spelled otherwise has one of these. */
const LIKE_ODD = /[¦~]/;

export interface PipeOptions {
  readonly house: House;
  readonly accounts: Accounts;
  /** The address to tell instead of the connection's own. */
  readonly advertise: string | undefined;
  /** The clock of `Session.receive`. */
  readonly now: () => number;
  readonly files: Files;
  /** Where files are had by HTTP. */
  readonly filesPort: number;
  broadcast(): Broadcast;
  /** Somebody has said something to the operator. */
  toOperator(name: string, text: string): void;
}

type AudienceMaker = (pipe: Pipe, room: Room, sessionOf: (member: Member) => PipeSession) => PipeAudience;

export class Pipe {
  readonly options: PipeOptions;
  readonly members: Members<PipeSession>;
  readonly #sessions = new Set<PipeSession>();
  /** Names of rooms that somebody is about to make. */
  readonly #reserved = new Set<string>();
  readonly #toOperator = new Throttle(TO_OPERATOR);

  constructor(options: PipeOptions, audienceOf: AudienceMaker) {
    this.options = options;
    this.members = new Members(
      options.house,
      'pipe',
      (room, sessionOf) => audienceOf(this, room, sessionOf),
      (session, whisper) => session.whisper(whisper),
    );
  }

  opened(session: PipeSession): void {
    this.#sessions.add(session);
  }

  closed(session: PipeSession): void {
    this.#sessions.delete(session);
  }

  /** The server is going down: those who are in no room yet are told too. Says how many milliseconds that takes. */
  close(): number {
    const hasClassics = [...this.#sessions].some((session) => session.isClassic);
    for (const session of [...this.#sessions]) session.kill();
    return hasClassics ? KILL_MS : 0;
  }

  /** False when there was too much of it from there. */
  tellOperator(name: string, text: string, ip: string): boolean {
    const { now, toOperator } = this.options;
    if (this.#toOperator.take(networkOf(ip), now()) > 0) return false;
    toOperator(name, text);
    return true;
  }

  // --- rooms ---------------------------------------------------------------------------------------------

  /** False when somebody is making one of that name. */
  reserve(name: string): boolean {
    const key = nameKey(name);
    if (this.#reserved.has(key)) return false;
    this.#reserved.add(key);
    return true;
  }

  release(name: string): void {
    this.#reserved.delete(nameKey(name));
  }

  get hasRooms(): boolean {
    return this.options.house.rooms.size > 0;
  }

  /** As they are listed: first those that somebody is in. */
  *roomNames(): Iterable<string> {
    const { house } = this.options;
    for (const room of house.activeRooms) if (isListed(room)) yield this.roomName(room);
    for (const room of house.rooms.values()) if (room.people.size === 0 && isListed(room)) yield this.roomName(room);
  }

  /** On this wire. */
  roomName(room: Room): string {
    if (!isOdd(room.name)) return room.name;
    return spell(room.name, (name) => this.options.house.findRoom(name) !== undefined);
  }

  async findRoom(name: string): Promise<Room | undefined> {
    const { house } = this.options;
    const there = await house.lookUp(name);
    if (there || !LIKE_ODD.test(name)) return there;
    const key = nameKey(name);
    for (const room of house.rooms.values()) {
      if (isOdd(room.name) && nameKey(this.roomName(room)) === key) return room;
    }
    return undefined;
  }
}

/** Not secret ones; of rooms with a password, those that were made here: others' are entered by those who know that they are there. */
function isListed(room: Room): boolean {
  return !room.rules.has('secret') && (!room.isPrivate || room.settings.owner === undefined);
}

/** The names of the people in a room, as they are on this wire: each is one person's, for as long as that one is in. */
export class Spellings {
  readonly #nameOf = new Map<string, string>();
  readonly #idOf = new Map<string, string>();

  /** Somebody's name; it is given on first use. */
  of(id: string, name: string): string {
    const known = this.#nameOf.get(id);
    if (known !== undefined) return known;
    const given = spell(name, (one) => this.#idOf.has(nameKey(one)));
    this.#nameOf.set(id, given);
    this.#idOf.set(nameKey(given), id);
    return given;
  }

  /** Who goes by that name. */
  find(name: string): string | undefined {
    return this.#idOf.get(nameKey(name));
  }

  forget(id: string): void {
    const name = this.#nameOf.get(id);
    if (name === undefined) return;
    this.#nameOf.delete(id);
    this.#idOf.delete(nameKey(name));
  }
}

/** With a broken bar for each `|`, and with a number behind it where that is another's name, or a word. */
function spell(name: string, isTaken: (name: string) => boolean): string {
  const plain = plainName(name);
  for (let n = isWord(plain) ? 2 : 1; ; n++) if (!isTaken(alias(plain, n))) return alias(plain, n);
}

export function plainName(name: string): string {
  return name.replaceAll('|', BROKEN_BAR);
}

/** It can't be written as it is. */
function isOdd(name: string): boolean {
  return name.includes('|') || isWord(name);
}
