// What the tests of layers 2 to 4 stand on instead of sockets, disks and clocks: a store in memory, a house
// on it, a tongue that notes what it hears, ports that are arrays, and conversations written as transcripts.

import fs from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers';
import * as assert from 'uvu/assert';
import { Accounts, type Hasher } from '../src/accounts.ts';
import { type Backbone, LocalBackbone } from '../src/backbone.ts';
import { type DatagramOptions, Datagram as RealDatagram } from '../src/datagram.ts';
import { DatagramServer } from '../src/datagram-session.ts';
import { HouseError } from '../src/errors.ts';
import type { HouseEvent, KeptWhisper, Post } from '../src/events.ts';
import { Files, type FilesOptions } from '../src/files.ts';
import { Lab, type LabOptions } from '../src/lab.ts';
import { LabTcp } from '../src/lab-session.ts';
import type { Lobby, LobbyOptions } from '../src/lobby.ts';
import { LobbySession, openLobby as openRealLobby } from '../src/lobby-session.ts';
import { Menu } from '../src/menu-session.ts';
import { nameKey } from '../src/names.ts';
import type { Pipe, PipeOptions } from '../src/pipe.ts';
import { openPipe as openRealPipe, PipeSession } from '../src/pipe-session.ts';
import type { Member, Room, Tongue } from '../src/room.ts';
import type { Limits } from '../src/rooms.ts';
import { House } from '../src/rooms.ts';
import type {
  Address,
  Broadcast,
  DatagramPort,
  Doors,
  Ignored,
  Mailbox,
  Mailboxes,
  Multicast,
  Port,
  Session,
} from '../src/session.ts';
import type {
  Account,
  Bound,
  Contact,
  Found,
  HistoryRange,
  LastPost,
  Mail,
  NewMail,
  SearchOptions,
  Store,
  StoredRoom,
  Talk,
  TalksRange,
} from '../src/store.ts';
import type { StoreStart } from '../src/store-worker.ts';
import { type DatagramMessage, decodeDatagram, encodeDatagram, type TableRow } from '../src/wire-datagram.ts';

/** Everything that waits for promises alone has happened. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class MemoryStore implements Store {
  readonly rooms: StoredRoom[] = [];
  readonly posts: Array<Post & { roomId: number }> = [];
  readonly keptWhispers: KeptWhisper[] = [];
  readonly dropped: number[] = [];
  readonly accounts = new Map<string, Account>();
  readonly contacts = new Map<string, Contact>();
  readonly markers = new Map<string, number>();
  mail: Mail[] = [];
  #lastMail = 0;
  start: StoreStart = { lastPost: 0, lastRoom: 0, lastRefs: [], resting: 0, accounts: [], contacts: [] };
  /** `held` answers when `release` is called, and is done then. */
  saving: 'at once' | 'held' | 'fails' = 'at once';
  #held: Array<() => void> = [];

  addRoom(room: StoredRoom): void {
    this.rooms.push(room);
  }

  addRef(): void {}

  dropRoom(room: number): void {
    this.dropped.push(room);
  }

  async findRoom(key: string): Promise<StoredRoom | undefined> {
    const room = this.rooms.findLast((one) => one.key === key && !this.dropped.includes(one.id));
    return room && { ...room, used: this.posts.some(({ roomId }) => roomId === room.id) };
  }

  addPost(post: Post, roomId: number): void {
    this.posts.push({ ...post, roomId });
  }

  saved(): Promise<void> {
    if (this.saving === 'fails') return Promise.reject(new HouseError('not-saved', 'the disk is full'));
    if (this.saving === 'at once') return Promise.resolve();
    return new Promise((resolve) => this.#held.push(resolve));
  }

  release(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }

  putRules(room: StoredRoom): void {
    const at = this.rooms.findIndex(({ id }) => id === room.id);
    if (at >= 0) this.rooms[at] = room;
  }

  async history(room: StoredRoom, range: HistoryRange): Promise<Post[]> {
    const those = this.posts.filter(({ roomId }) => roomId === room.id);
    const { opened = 0 } = range;
    return within(
      those.filter(({ at, isConfidential }) => at >= opened || !isConfidential),
      range,
    );
  }

  addWhisper(whisper: KeptWhisper): void {
    this.keptWhispers.push(whisper);
  }

  async whispers(account: string, other: string, range: HistoryRange): Promise<KeptWhisper[]> {
    return within(this.#talks(account).get(other) ?? [], range).map(({ to: { name }, ...kept }) => ({
      ...kept,
      to: { name },
    }));
  }

  async talks(account: string, { since = 0, ...range }: TalksRange): Promise<Talk[]> {
    const talks = [...this.#talks(account)].flatMap(([key, all]): Talk[] => {
      const [last] = within(all, { ...range, limit: 1 }).filter(({ at }) => at >= since);
      const end = last && [last.who, last.to].find((one) => keyOf(one) === key);
      return last && end ? [{ name: end.account ?? end.name, at: last.at }] : [];
    });
    return talks.sort((a, b) => a.at - b.at);
  }

  /** Of one account, by the key of the other. */
  #talks(account: string): Map<string, KeptWhisper[]> {
    const talks = new Map<string, KeptWhisper[]>();
    for (const one of this.keptWhispers) {
      const isMine = (end: KeptWhisper['to']) => end.account !== undefined && nameKey(end.account) === account;
      const other = isMine(one.who) ? one.to : isMine(one.to) ? one.who : undefined;
      if (other) talks.set(keyOf(other), [...(talks.get(keyOf(other)) ?? []), one]);
    }
    return talks;
  }

  async lastPosts(rooms: readonly number[], range: Pick<HistoryRange, 'before' | 'after'>): Promise<LastPost[]> {
    const found: LastPost[] = [];
    for (const room of rooms) {
      const [last] = await this.history({ id: room } as StoredRoom, { ...range, limit: 1 });
      if (last) found.push({ room, at: last.at });
    }
    return found;
  }

  async marker(account: string, target: string): Promise<number | undefined> {
    return this.markers.get(`${account} ${target}`);
  }

  async setMarker(account: string, target: string, at: number): Promise<number> {
    await this.saved();
    const held = Math.max(at, this.markers.get(`${account} ${target}`) ?? 0);
    this.markers.set(`${account} ${target}`, held);
    return held;
  }

  async makeRoom(room: StoredRoom): Promise<void> {
    await this.saved();
    const owned = this.rooms.filter(({ id, owner }) => owner === room.owner && !this.dropped.includes(id));
    if (owned.length >= 100) throw new HouseError('not-allowed', 'nobody owns more than 100 rooms');
    this.rooms.push(room);
  }

  async deleteRoom(id: number): Promise<void> {
    await this.saved();
    this.dropped.push(id);
    const others = this.posts.filter(({ roomId }) => roomId !== id);
    this.posts.splice(0, this.posts.length, ...others);
  }

  async addAccount(account: Account): Promise<void> {
    await this.saved();
    const { key, name } = account;
    if (this.accounts.has(key)) throw new HouseError('name-registered', `the name ${name} is taken`);
    this.accounts.set(key, account);
  }

  async setHash(key: string, hash: string): Promise<void> {
    await this.saved();
    const account = this.accounts.get(key);
    if (!account) throw new HouseError('not-saved', 'there is no such account');
    this.accounts.set(key, { ...account, hash });
  }

  async findAccount(key: string): Promise<Account | undefined> {
    return this.accounts.get(key);
  }

  putContact(contact: Contact): void {
    this.contacts.set(contact.key, { ...contact });
  }

  dropContact(key: string): void {
    this.contacts.delete(key);
    this.mail = this.mail.filter(({ owner }) => owner !== key);
  }

  async addMail(mail: NewMail): Promise<number> {
    await this.saved();
    const kept = this.mail.filter(({ owner }) => owner === mail.owner);
    if (kept.length >= 1000) throw new HouseError('full', 'nobody keeps more than 1000 messages for one name');
    const id = ++this.#lastMail;
    this.mail.push({ ...mail, id });
    return id;
  }

  countMailFrom(last: number): void {
    this.#lastMail = last;
  }

  async mailOf(owner: string): Promise<Mail[]> {
    return this.mail.filter((mail) => mail.owner === owner);
  }

  async dropMail(owner: string, upTo: number): Promise<void> {
    await this.saved();
    this.mail = this.mail.filter((mail) => mail.owner !== owner || mail.id > upTo);
  }

  async search(text: string, { limit, account, room }: SearchOptions): Promise<Found[]> {
    const wanted = wordsOf(text);
    const last = wanted.pop();
    if (last === undefined) return [];
    const found = this.posts.flatMap(({ roomId, ...post }): Found[] => {
      const kept = this.rooms.find(({ id }) => id === roomId && !this.dropped.includes(id));
      const isOpen = kept?.password === undefined || kept.owner === account || kept.id === room;
      const words = wordsOf(post.text);
      const isMatch = wanted.every((word) => words.includes(word)) && words.some((word) => word.startsWith(last));
      return kept && isOpen && isMatch ? [{ post, roomName: kept.name }] : [];
    });
    return limit > 0 ? found.slice(-Math.min(limit, 100)) : [];
  }

  async close(): Promise<void> {}
}

function keyOf({ name, account = name }: KeptWhisper['to']): string {
  return nameKey(account);
}

/** What is in their order and between the bounds. */
function within<T extends { id: number; at: number }>(
  all: readonly T[],
  { limit, before, after, isOldestFirst, since = 0 }: HistoryRange,
): T[] {
  const isBefore = (one: T, bound: Bound) => ('id' in bound ? one.id < bound.id : one.at < bound.at);
  const isAfter = (one: T, bound: Bound) => ('id' in bound ? one.id > bound.id : one.at > bound.at);
  const isIn = (one: T) => (!before || isBefore(one, before)) && (!after || isAfter(one, after)) && one.at >= since;
  const fit = all.filter(isIn);
  return isOldestFirst ? fit.slice(0, limit) : fit.slice(-limit);
}

/** As the store's index takes a text apart, near enough. */
function wordsOf(text: string): string[] {
  return (
    text
      .normalize('NFD')
      .replace(/\p{M}/gu, '')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}

export interface TestHouse {
  readonly house: House;
  readonly store: MemoryStore;
  readonly bugs: unknown[];
  readonly clock: { now: number };
}

export function openHouse(limits: Partial<Limits> = {}, backbone?: Backbone): TestHouse {
  const store = new MemoryStore();
  const bugs: unknown[] = [];
  const clock = { now: 1000 };
  const house = new House({
    backbone: backbone ?? new LocalBackbone(store),
    wall: () => clock.now,
    onBug: (error) => bugs.push(error),
    limits,
  });
  return { house, store, bugs, clock };
}

/** What an event says, in one line. */
export function tell(event: HouseEvent): string {
  switch (event.kind) {
    case 'joined':
      return `+${event.who.name}`;
    case 'left':
      return `-${event.who.name} (${event.reason}${event.by ? `, by ${event.by.name}` : ''})`;
    case 'post':
      return `${event.who.name}: ${event.text}`;
    case 'closing':
      return `closing (${event.reason})`;
    case 'changed':
      return `${event.before.name} is ${event.who.name}${event.who.account ? ` (${event.who.account})` : ''}`;
    case 'ruled':
      return `${event.who.name} rules ${event.changes.map(({ isAdded, rule, param }) => `${isAdded ? '+' : '-'}${[rule, param].filter((one) => one !== undefined).join(' ')}`).join(', ')}`;
    case 'titled':
      return `${event.who.name} titles ${event.text}`;
    case 'signal':
      return `${event.who.name} signals ${Object.keys(event.tags).join(', ')}`;
    case 'invited':
      return `${event.who.name} invites ${event.whom.name}`;
  }
}

/** A tongue that is only ever heard by the test. */
export class FakeTongue implements Tongue {
  readonly dialect: string;
  /** Every call of `hear`: room, and what was said. */
  readonly heard: string[] = [];
  readonly events: HouseEvent[] = [];
  /** Calls of `add` and `remove`. */
  readonly seats: string[] = [];
  throws = false;

  constructor(dialect = 'fake') {
    this.dialect = dialect;
  }

  audience(room: Room) {
    return {
      add: (member: Member) => void this.seats.push(`add ${member.person.name} to ${room.key}`),
      remove: (member: Member) => void this.seats.push(`remove ${member.person.name} from ${room.key}`),
      hear: (event: HouseEvent) => {
        if (this.throws) throw new Error('a bug in an audience');
        this.events.push(event);
        this.heard.push(`${room.key} ${tell(event)}`);
      },
    };
  }

  take(): string[] {
    return this.heard.splice(0);
  }
}

export class FakePort implements Port {
  readonly id: string;
  readonly local: Address = { ip: '192.0.2.1', port: 5000 };
  readonly remote: Address;
  opened = 0;
  readonly blocks: string[] = [];
  readonly #pieces: Uint8Array[] = [];
  readonly bugs: unknown[] = [];
  resumed = 0;
  ended = false;
  /** The connection broke: what is sent is lost, as in the outbox. */
  broken = false;

  constructor(id = 'c1', ip = '198.51.100.7') {
    this.id = id;
    this.remote = { ip, port: 40_001 };
  }

  send(bytes: Uint8Array): void {
    assert.not(this.ended, `${this.id} was sent something after its end`);
    if (this.broken) return;
    this.blocks.push(new TextDecoder().decode(bytes));
    this.#pieces.push(bytes.slice());
  }

  end(): void {
    this.ended = true;
  }

  resume(): void {
    this.resumed++;
  }

  isCongested = false;
  /** Whose deadline may have changed: what is due at once is done at once. */
  session: Session | undefined;

  wake(): void {
    queueMicrotask(() => {
      if (this.session?.deadline() === 0) this.session.tick(0);
    });
  }

  fail(error: unknown): void {
    this.bugs.push(error);
  }

  /** What has been sent since the last time. */
  take(): string {
    this.#pieces.length = 0;
    return this.blocks.splice(0).join('');
  }

  /** The same, byte for byte. */
  takeBytes(): Uint8Array {
    const bytes = Uint8Array.from(this.#pieces.flatMap((piece) => [...piece]));
    this.take();
    return bytes;
  }
}

/** Sends at once, which keeps the order that the outbox promises. */
export class FakeBroadcast implements Broadcast {
  readonly #ports = new Set<Port>();

  add(port: Port): void {
    this.#ports.add(port);
  }

  remove(port: Port): void {
    this.#ports.delete(port);
  }

  append(bytes: Uint8Array, except?: Port): void {
    for (const port of this.#ports) if (port !== except && !(port as FakePort).ended) port.send(bytes);
  }
}

export interface Datagram {
  readonly to: string;
  readonly text: string;
  readonly bytes: number;
}

export class FakeDatagramPort implements DatagramPort {
  readonly number = 5000;
  woken = 0;
  readonly bugs: unknown[] = [];
  readonly sent: Datagram[] = [];
  readonly ignoredOnes: string[] = [];

  localIp(): string {
    return '192.0.2.1';
  }

  send(bytes: Uint8Array, to: Address): void {
    this.sent.push({ to: `${to.ip}:${to.port}`, text: new TextDecoder().decode(bytes), bytes: bytes.length });
  }

  wake(): void {
    this.woken++;
  }

  ignored(why: Ignored, { ip }: Address): void {
    this.ignoredOnes.push(`${why} ${ip}`);
  }

  fail(error: unknown): void {
    this.bugs.push(error);
  }

  /** What has been sent since the last time, to one address or to all. */
  take(to?: string): string[] {
    const all = this.sent.splice(0);
    return all.filter((datagram) => to === undefined || datagram.to === to).map(({ text }) => text);
  }
}

export interface TestLab extends TestHouse {
  readonly lab: Lab;
  readonly tcp: LabTcp;
  readonly stops: string[];
}

export function openLab(options: Partial<LabOptions> = {}, on: TestHouse = openHouse()): TestLab {
  const stops: string[] = [];
  const lab = new Lab({
    house: on.house,
    studentId: '0042',
    advertise: undefined,
    kill: 'local',
    udpIdleMs: 300_000,
    stop: (reason) => stops.push(reason),
    broadcast: () => new FakeBroadcast(),
    ...options,
  });
  return { ...on, lab, tcp: new LabTcp(lab), stops };
}

export interface TestMenu extends TestHouse {
  readonly menu: Menu;
  readonly files: Files;
}

/** Tokens and tickets are `#1`, `#2` … */
export function openMenu(options: Partial<FilesOptions> = {}, on: TestHouse = openHouse()): TestMenu {
  let made = 0;
  const files = new Files({ random: () => `#${++made}`, isOpen: false, ...options });
  return { ...on, files, menu: new Menu({ house: on.house, files, broadcast: () => new FakeBroadcast() }) };
}

/**
 * Plays a conversation and compares it byte for byte. `C:` is what the first client sends, `S:` what it gets;
 * `C2:` and `S2:` are the second client's. Lines in a row are one segment; `\` at the end of a line leaves out
 * its newline; `…` stands for anything up to the end of a line. Besides there are `C: <half-close>`,
 * `C: <broken>`, `C: <drop>`, `S: <close>` and `-- 100 ms`. What a client got and nobody expected is an error.
 */
export async function play(lab: TestLab, script: string): Promise<void> {
  await converse(lab, script);
}

/** The same, and the ports of the clients, by their number (the first has none). */
export function converse(lab: TestLab, script: string): Promise<Map<string, FakePort>> {
  return talk((port) => lab.tcp.open(port), script, lab.bugs);
}

/**
 * The same for `menu`: `␞`, `␉`, `␀` and the like stand for control characters, «text» for a short text in
 * writeUTF.
 */
export async function chatter(on: TestMenu, script: string): Promise<void> {
  await talk(
    (port) => on.menu.open(port),
    script,
    on.bugs,
    (text) =>
      text
        .replace(/[\u2400-\u241f]/g, (picture) => String.fromCharCode(picture.charCodeAt(0) - 0x2400))
        .replace(/«([^»]*)»/g, (_, said) => `\0${String.fromCharCode(said.length)}${said}`),
  );
}

async function talk(
  open: (port: FakePort) => Session,
  script: string,
  bugs: readonly unknown[],
  read = (text: string) => text,
): Promise<Map<string, FakePort>> {
  const ports = new Map<string, FakePort>();
  const sessions = new Map<string, Session>();
  let now = 0;
  const session = (n: string): Session => {
    const known = sessions.get(n);
    if (known) return known;
    const port = new FakePort(`c${n || '1'}`);
    const opened = open(port);
    port.session = opened;
    ports.set(n, port);
    sessions.set(n, opened);
    return opened;
  };
  for (const { who, n, text } of steps(script)) {
    if (who === '--') {
      now += Number(/^(\d+) ms/.exec(text)?.[1]);
      for (const one of sessions.values()) if (one.deadline() <= now) one.tick(now);
    } else if (who === 'S') {
      session(n);
      const port = ports.get(n) as FakePort;
      if (text === '<close>\n') assert.ok(port.ended, `${port.id} is still open`);
      else expect(port.take(), read(text), port.id);
      continue;
    } else if (text === '<half-close>\n') session(n).ended(now);
    else if (text === '<broken>\n') {
      const broken = session(n);
      (ports.get(n) as FakePort).broken = true;
      broken.closed('the connection broke');
    } else if (text === '<drop>\n') session(n).dropped('you read too slowly');
    else session(n).receive(new TextEncoder().encode(read(text)), now);
    await settle();
  }
  for (const port of ports.values()) {
    assert.is(port.take(), '', `${port.id} got more than was expected`);
    assert.equal(port.bugs, []);
  }
  assert.equal(bugs, []);
  return ports;
}

function steps(script: string): Array<{ who: string; n: string; text: string }> {
  const found: Array<{ who: string; n: string; text: string }> = [];
  for (const raw of script.split('\n')) {
    const line = raw.trimStart();
    if (line === '') continue;
    const [, who = '', n = '', rest = ''] = /^(C|S|--)(\d*):? ?(.*)$/.exec(line) ?? assert.unreachable(line) ?? [];
    const text = rest.endsWith('\\') ? rest.slice(0, -1) : `${rest}\n`;
    const last = found.at(-1);
    if (last?.who === who && last.n === n && who !== '--' && !text.startsWith('<') && !last.text.startsWith('<')) {
      found[found.length - 1] = { who, n, text: last.text + text };
    } else found.push({ who, n, text });
  }
  return found;
}

function expect(actual: string, wanted: string, who: string): void {
  const literal = (part: string) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const pattern = new RegExp(`^${wanted.split('…').map(literal).join('[^\\n]*')}$`);
  if (!pattern.test(actual)) assert.is(actual, wanted, `${who} got something else`);
}

/** The lines of a JOIN and of its answer, for transcripts. */
export function join(room: string, name: string, n = ''): string {
  return `C${n}: JOIN_CHATROOM: ${room}\nC${n}: CLIENT_IP: 0\nC${n}: PORT: 0\nC${n}: CLIENT_NAME: ${name}`;
}

export function joined(room: string, ref: number, id: number, n = ''): string {
  return `S${n}: JOINED_CHATROOM: ${room}\nS${n}: SERVER_IP: 192.0.2.1\nS${n}: PORT: 5000\nS${n}: ROOM_REF: ${ref}\nS${n}: JOIN_ID: ${id}`;
}

export function leave(ref: string | number, id: string | number, name: string, n = ''): string {
  return `C${n}: LEAVE_CHATROOM: ${ref}\nC${n}: JOIN_ID: ${id}\nC${n}: CLIENT_NAME: ${name}`;
}

export function left(ref: string | number, id: string | number, n = ''): string {
  return `S${n}: LEFT_CHATROOM: ${ref}\nS${n}: JOIN_ID: ${id}`;
}

export function say(ref: string | number, id: string | number, name: string, text: string, n = ''): string {
  return `C${n}: CHAT: ${ref}\nC${n}: JOIN_ID: ${id}\nC${n}: CLIENT_NAME: ${name}\nC${n}: MESSAGE: ${text}\nC${n}:`;
}

export function chat(ref: number, name: string, text: string, n = ''): string {
  return `S${n}: CHAT: ${ref}\nS${n}: CLIENT_NAME: ${name}\nS${n}: MESSAGE: ${text}\nS${n}:`;
}

/** A client joins a room and nobody but itself hears of it. */
export function comesIn(name: string, id = 1, n = '', ref = 0, room = 'room1'): string {
  return `${join(room, name, n)}\n${joined(room, ref, id, n)}\n${chat(ref, name, `${name} has joined this chatroom.`, n)}`;
}

/** Writes a module and says how this runtime is told to run it, so that a test can end or starve a process. */
export function program(directory: string, code: string): string[] {
  const file = path.join(directory, 'program.mjs');
  fs.writeFileSync(file, code);
  return 'Deno' in globalThis ? ['run', '-A', '--no-lock', '--node-modules-dir=manual', file] : [file];
}

/** What a promise is rejected with, as the code of a HouseError. */
export async function refusal(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    assert.instance(error, HouseError);
    return (error as HouseError).code;
  }
  return 'no refusal';
}

// --- lobby ------------------------------------------------------------------------------------------------

/** Hashes that can be read. */
export class FakeHasher implements Hasher {
  cost = 1;
  hashed = 0;
  verified = 0;

  async hash(password: string): Promise<string> {
    this.hashed++;
    return `fake$${this.cost}$${password}`;
  }

  async verify(password: string, hash: string): Promise<boolean> {
    this.verified++;
    return hash.split('$').slice(2).join('$') === password;
  }

  isOld(hash: string): boolean {
    return Number(hash.split('$')[1]) < this.cost;
  }
}

interface FakeDoor {
  readonly ip: string;
  open(port: Port): Session;
  unused(): void;
}

/** Doors that the test goes through, or closes. Their ports are 50001, 50002 … */
export class FakeDoors implements Doors {
  readonly waiting = new Map<number, FakeDoor>();
  full = false;
  #last = 50_000;

  async open(ip: string, open: (port: Port) => Session, unused: () => void): Promise<number> {
    if (this.full) {
      unused();
      throw new HouseError('full', 'no port is free for you');
    }
    this.waiting.set(++this.#last, { ip, open, unused });
    return this.#last;
  }

  enter(number: number, port: FakePort): Session {
    const door = this.waiting.get(number);
    if (!door) throw new Error(`there is no door ${number}`);
    assert.is(port.remote.ip, door.ip, 'a door is for one address');
    this.waiting.delete(number);
    return door.open(port);
  }

  /** Nobody came. */
  expire(): void {
    for (const { unused } of this.waiting.values()) unused();
    this.waiting.clear();
  }
}

export class FakeMulticast implements Multicast {
  reason: string | undefined;
  readonly sent: Datagram[] = [];
  readonly #listening = new Map<number, FakePort[]>();

  async trouble(): Promise<string | undefined> {
    return this.reason;
  }

  send(bytes: Uint8Array, { ip, port }: Address): void {
    this.sent.push({ to: `${ip}:${port}`, text: new TextDecoder().decode(bytes), bytes: bytes.length });
    for (const one of this.#listening.get(port) ?? []) one.send(bytes);
  }

  listen(number: number, port: FakePort): void {
    this.#listening.set(number, [...(this.#listening.get(number) ?? []), port]);
  }

  take(): string[] {
    return this.sent.splice(0).map(({ text }) => text);
  }
}

export interface TestLobby extends TestHouse {
  readonly lobby: Lobby;
  readonly backbone: Backbone;
  readonly accounts: Accounts;
  readonly hasher: FakeHasher;
  readonly doors: FakeDoors;
  readonly multicast: FakeMulticast;
}

export type TestLobbyOptions = Partial<LobbyOptions> & OnAccounts;

interface OnAccounts {
  readonly store?: MemoryStore | undefined;
  readonly backbone?: Backbone | undefined;
  readonly limits?: Partial<Limits> | undefined;
}

/** A house with accounts; everything is on its one clock. */
function openAccounts({ store = new MemoryStore(), backbone = new LocalBackbone(store), limits }: OnAccounts) {
  const on = { ...openHouse(limits, backbone), store };
  const now = () => on.clock.now;
  const hasher = new FakeHasher();
  const accounts = new Accounts({ backbone, hasher, wall: now, now });
  return { ...on, backbone, accounts, hasher, now };
}

export function openLobby(given: TestLobbyOptions = {}): TestLobby {
  const { store, backbone, limits, ...options } = given;
  const on = openAccounts({ store, backbone, limits });
  const { accounts, now } = on;
  const [doors, multicast] = [new FakeDoors(), new FakeMulticast()];
  const lobby = openRealLobby({
    house: on.house,
    accounts,
    doors,
    multicast,
    strictLobby: false,
    now,
    broadcast: () => new FakeBroadcast(),
    ...options,
  });
  return { ...on, lobby, doors, multicast };
}

/** A session on a port of the test's; opened now. */
export class LobbyClient {
  readonly port: FakePort;
  readonly session: Session;

  constructor(on: TestLobby, door?: number, id = 'c1', ip?: string) {
    this.port = new FakePort(id, ip);
    this.port.opened = on.clock.now;
    this.session = door === undefined ? new LobbySession(on.lobby, this.port) : on.doors.enter(door, this.port);
    this.port.session = this.session;
  }

  /** One frame in one segment; what it was answered. */
  async say(type: string, payload: unknown): Promise<FrameTold[]> {
    this.send(type, payload);
    await settle();
    return this.take();
  }

  send(type: string, payload: unknown): boolean {
    return this.session.receive(new TextEncoder().encode(framed(type, JSON.stringify(payload))), 0);
  }

  /** The frames that it has got, each of them one write. */
  take(): FrameTold[] {
    const frames: FrameTold[] = [];
    for (const block of this.port.blocks) {
      const [, type = '', size, json = ''] = /^([A-Z]{4})(\d{4})(.*)$/s.exec(block) ?? assert.unreachable(block) ?? [];
      assert.is(Number(size), json.length, 'the size is the payload’s length');
      assert.match(json, /^[ -~]*$/, 'JSON is ASCII only');
      frames.push([type, JSON.parse(json)]);
    }
    this.port.take();
    return frames;
  }

  close(): void {
    this.port.broken = true;
    this.session.closed('the connection was closed');
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what tests look at
export type FrameTold = [type: string, payload: any];

function framed(type: string, json: string): string {
  return type + String(new TextEncoder().encode(json).length).padStart(4, '0') + json;
}

/**
 * A transcript of the lobby: a line `LGIN {…}` is a frame whose size is filled in. Client numbers from 50001 on are
 * connections to the door of that port, those from 10000 on hear the multicast of that port; both begin with
 * `C50001: <connect>`.
 */
export async function confer(on: TestLobby, script: string): Promise<void> {
  const open = (port: FakePort): Session => {
    const number = Number(port.id.slice(1));
    port.opened = on.clock.now;
    if (number > 50_000) return on.doors.enter(number, port);
    if (number < 10_000) return new LobbySession(on.lobby, port);
    on.multicast.listen(number, port);
    return new LobbySession(on.lobby, new FakePort());
  };
  await talk(open, script, on.bugs, (text) =>
    text.replace(/^<connect>\n/, '').replace(/^([A-Z]{4}) (\{.*\})\n/gm, (_, type: string, json: string) => {
      if (!json.includes('…')) return framed(type, json);
      return `${type}…${json}`;
    }),
  );
}

// --- datagram ---------------------------------------------------------------------------------------------

/** Mailboxes with the ports 60001, 60002 … */
export class FakeMailboxes implements Mailboxes {
  readonly opened = new Map<number, (bytes: Uint8Array, from: Address) => void>();
  full = false;
  #last = 60_000;

  async open(receive: (bytes: Uint8Array, from: Address) => void): Promise<Mailbox> {
    if (this.full) throw new HouseError('full', 'there is no port left');
    const port = ++this.#last;
    this.opened.set(port, receive);
    return { port, close: () => void this.opened.delete(port) };
  }
}

/** What was sent, and when. */
export interface Sent {
  readonly at: number;
  readonly to: string;
  readonly bytes: Uint8Array;
}

export interface TestDatagram extends TestHouse {
  readonly backbone: Backbone;
  readonly session: DatagramServer;
  readonly datagram: RealDatagram;
  readonly port: FakeDatagramPort;
  readonly mailboxes: FakeMailboxes;
  /** Each table as the operator sees it. */
  readonly tables: Array<readonly TableRow[]>;
  /** What happens to each datagram; without it they are kept in `sent`. */
  onSent: ((sent: Sent) => void) | undefined;
  readonly sent: Sent[];
  /** A datagram from there, now; what waits for nothing but promises has happened then. */
  send(from: Address, message: DatagramMessage | string | Uint8Array): Promise<void>;
  /** The session is woken whenever it wants to be. */
  pass(ms: number): Promise<void>;
  /** What that address was sent since the last time. */
  take(to: Address): DatagramMessage[];
}

export interface TestDatagramOptions extends Partial<DatagramOptions> {
  readonly store?: MemoryStore;
  readonly backbone?: Backbone;
  readonly limits?: Partial<Limits>;
  readonly on?: TestHouse;
}

/** Everything is on the house's one clock; `on` is a house that is there already, on this backbone. */
export function openDatagram(given: TestDatagramOptions = {}): TestDatagram {
  const { on, store = on?.store ?? new MemoryStore(), limits, backbone = new LocalBackbone(store), ...options } = given;
  const base = on ?? { ...openHouse(limits, backbone), store };
  const { clock, bugs } = base;
  const [mailboxes, port] = [new FakeMailboxes(), new FakeDatagramPort()];
  const tables: Array<readonly TableRow[]> = [];
  const datagram = new RealDatagram({
    house: base.house,
    backbone,
    mailboxes,
    now: () => clock.now,
    wall: () => clock.now,
    onTable: (rows) => void tables.push(rows),
    onBug: (error) => bugs.push(error),
    ...options,
  });
  const test: TestDatagram = {
    ...base,
    backbone,
    datagram,
    session: new DatagramServer(datagram, port),
    port,
    mailboxes,
    tables,
    onSent: undefined,
    sent: [],
    send: (from, message) => {
      const isReady = typeof message === 'string' || message instanceof Uint8Array;
      const bytes = isReady ? message : encodeDatagram(message);
      test.session.receive(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes, from, clock.now);
      return settle();
    },
    pass: async (ms) => {
      const end = clock.now + ms;
      await settle();
      for (let at = test.session.deadline(); at <= end; at = test.session.deadline()) {
        clock.now = Math.max(clock.now, at);
        test.session.tick(clock.now);
        await settle();
      }
      clock.now = end;
    },
    take: (to) => {
      const those = test.sent.filter((sent) => sent.to === `${to.ip}:${to.port}`);
      for (const one of those) test.sent.splice(test.sent.indexOf(one), 1);
      return those.map(({ bytes }) => decodeDatagram(bytes));
    },
  };
  port.send = (bytes, to) => {
    const sent = { at: clock.now, to: `${to.ip}:${to.port}`, bytes };
    if (test.onSent) test.onSent(sent);
    else test.sent.push(sent);
  };
  return test;
}

/** What is on disk, as a server finds it that is started again. */
export function startedAgain(store: MemoryStore): MemoryStore {
  const next = new MemoryStore();
  next.rooms.push(...store.rooms);
  next.posts.push(...store.posts);
  for (const [key, contact] of store.contacts) next.contacts.set(key, contact);
  next.mail = [...store.mail];
  const lastMail = Math.max(0, ...store.mail.map(({ id }) => id));
  next.countMailFrom(lastMail);
  next.start = {
    ...store.start,
    lastPost: Math.max(0, ...store.posts.map(({ id }) => id)),
    lastRoom: Math.max(0, ...store.rooms.map(({ id }) => id)),
    contacts: [...store.contacts.values()],
  };
  return next;
}

// --- pipe -------------------------------------------------------------------------------------------------

export interface TestPipe extends TestHouse {
  readonly pipe: Pipe;
  readonly backbone: Backbone;
  readonly accounts: Accounts;
  readonly hasher: FakeHasher;
  readonly files: Files;
  /** What was said to the operator. */
  readonly said: string[];
  readonly clients: Map<string, PipeClient>;
  /** The sessions are woken whenever they want to be. */
  pass(ms: number): Promise<void>;
}

export type TestPipeOptions = Partial<PipeOptions> & OnAccounts;

export function openPipe(given: TestPipeOptions = {}): TestPipe {
  const { store, backbone, limits, ...options } = given;
  const on = openAccounts({ store, backbone, limits });
  const { accounts, now } = on;
  const said: string[] = [];
  let made = 0;
  const files = new Files({ random: () => `#${++made}`, isOpen: false });
  const pipe = openRealPipe({
    house: on.house,
    accounts,
    advertise: undefined,
    files,
    filesPort: 5000,
    now,
    broadcast: () => new FakeBroadcast(),
    toOperator: (name, text) => void said.push(`${name}: ${text}`),
    ...options,
  });
  const clients = new Map<string, PipeClient>();
  const pass = async (ms: number) => {
    const end = on.clock.now + ms;
    const next = () => Math.min(...[...clients.values()].map(({ session }) => session.deadline()), Number.MAX_VALUE);
    await settle();
    for (let at = next(); at <= end; at = next()) {
      on.clock.now = Math.max(on.clock.now, at);
      for (const { session } of clients.values()) if (session.deadline() <= on.clock.now) session.tick(on.clock.now);
      await settle();
    }
    on.clock.now = end;
  };
  return { ...on, pipe, files, said, clients, pass };
}

/** A connection, with the greeting read. */
export class PipeClient {
  readonly port: FakePort;
  readonly session: PipeSession;
  readonly #on: TestPipe;

  constructor(on: TestPipe, id = `c${on.clients.size + 1}`, ip?: string) {
    this.#on = on;
    this.port = new FakePort(id, ip);
    this.session = new PipeSession(on.pipe, this.port);
    this.port.session = this.session;
    on.clients.set(id, this);
    assert.equal(this.take(), ['Connected to 192.0.2.1 at port 5000\nPlease enter your username\n']);
  }

  /** As a classic client sends it: nothing ends it but silence. What was written since. */
  async type(text: string): Promise<string[]> {
    this.send(text);
    await this.#on.pass(20);
    return this.take();
  }

  /** As our own client sends it. */
  async line(text: string): Promise<string[]> {
    this.send(`${text}\n`);
    await settle();
    return this.take();
  }

  send(text: string | Uint8Array): boolean {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    return this.session.receive(bytes, this.#on.clock.now);
  }

  /** The connection breaks. */
  breaks(): void {
    this.port.broken = true;
    this.session.closed('the connection broke');
  }

  /** Each write since the last time. */
  take(): string[] {
    const writes = [...this.port.blocks];
    this.port.take();
    return writes;
  }
}

/**
 * Plays a conversation, write by write. `bob> text` is sent by the client bob as a classic one sends it, `bob>> text` as
 * ours does; `bob< text` is the next write to bob, within 100 ms, with `⏎` for each newline. Besides there are
 * `bob< <close>`, `bob> <broken>`, `bob> <half-close>` and `-- 50 ms`. A client connects with its first line.
 */
export async function converseByPipe(on: TestPipe, script: string): Promise<void> {
  const clientOf = (id: string) => on.clients.get(id) ?? new PipeClient(on, id);
  for (const raw of script.split('\n').filter((one) => one.trim() !== '')) {
    const [, id = '', how = '', text = ''] = /^ *(\S+?) ?(>>|>|<|--) ?(.*)$/.exec(raw) ?? [];
    const ms = /^ *-- (\d+) ms$/.exec(raw)?.[1];
    if (ms !== undefined) {
      await on.pass(Number(ms));
      continue;
    }
    if (id === '') throw new Error(`what is ${raw}`);
    const client = clientOf(id);
    for (let ms = 0; how === '<' && ms < 100 && client.port.blocks.length === 0; ms += 5) await on.pass(5);
    if (how === '<' && text === '<close>') assert.ok(client.port.ended, `${id} is still open`);
    else if (how === '<') assert.is(client.port.blocks.shift(), text.replaceAll('⏎', '\n'), `${id} got something else`);
    else if (text === '<broken>') client.breaks();
    else if (text === '<half-close>') client.session.ended();
    else client.send(how === '>>' ? `${text}\n` : text);
    if (how === '>') await on.pass(20);
    await settle();
  }
  for (const [id, { port }] of on.clients) {
    assert.equal(port.blocks, [], `${id} got more than was expected`);
    assert.equal(port.bugs, []);
  }
  assert.equal(on.bugs, []);
}

/** Makes or enters a room: as a classic client, or as ours. What it was told is read. */
export async function goIn(on: TestPipe, name: string, room = 'hall', isOurs = false): Promise<PipeClient> {
  const client = new PipeClient(on, name);
  const say = (text: string) => (isOurs ? client.line(text) : client.type(text));
  await say(name);
  const words = (await on.pipe.findRoom(room)) ? ['join', room] : ['create', room, 'no'];
  for (const word of words) await say(word);
  await on.pass(100);
  assert.match(client.take().join(''), isOurs ? /^$/ : /^(?:Welcome.*\n)?$/);
  for (const other of on.clients.values()) other.take();
  return client;
}
