// For the tests of `irc`: a house in memory with accounts on one virtual clock, clients on ports that are arrays, and
// conversations written as transcripts.

import * as assert from 'uvu/assert';
import { Accounts } from '../src/accounts.ts';
import { LocalBackbone } from '../src/backbone.ts';
import type { Person, Signal, Whisper } from '../src/events.ts';
import { Irc, type IrcOptions, type IrcSettings } from '../src/irc.ts';
import { IrcAudience } from '../src/irc-audience.ts';
import { MaskCache } from '../src/irc-mask-cache.ts';
import { IrcSession } from '../src/irc-session.ts';
import { nameKey } from '../src/names.ts';
import type { Member, Room, Tongue } from '../src/room.ts';
import { House, type Limits } from '../src/rooms.ts';
import { FakeBroadcast, FakeHasher, FakePort, FakeTongue, MemoryStore, settle, type TestHouse } from './fakes.ts';

/** What the stage's server is called. */
export const SERVER = 'irc.example';
/** Where clients come from unless they say otherwise. */
export const HOST = '198.51.100.7';
/** The wall clock when it begins, 2026-01-01T12:00:00.000Z. */
export const STARTED = Date.UTC(2026, 0, 1, 12);

export interface TestIrc extends TestHouse {
  readonly irc: Irc;
  readonly accounts: Accounts;
  readonly hasher: FakeHasher;
  /** By the name in transcripts. */
  readonly clients: Map<string, IrcClient>;
  /** Who was put out, and why. */
  readonly expelled: string[];
  /** The clock goes on; sessions are woken whenever they want to be. */
  pass(ms: number): Promise<void>;
}

export interface TestIrcOptions extends Partial<Omit<IrcSettings, 'opers'>> {
  /** Names of accounts. */
  readonly opers?: readonly string[];
  readonly limits?: Partial<Limits>;
  /** As another server has left it. */
  readonly store?: MemoryStore;
  readonly expel?: IrcOptions['expel'];
}

export function openIrc({
  opers = [],
  limits = {},
  store = new MemoryStore(),
  expel,
  ...settings
}: TestIrcOptions = {}): TestIrc {
  const bugs: unknown[] = [];
  const clock = { now: STARTED };
  const now = () => clock.now;
  const backbone = new LocalBackbone(store);
  const masks = new MaskCache();
  const maskMatches = (mask: string, person: Person) => masks.matches(mask, person);
  const house = new House({ backbone, wall: now, onBug: (error) => bugs.push(error), limits, maskMatches });
  const hasher = new FakeHasher();
  const accounts = new Accounts({ backbone, hasher, wall: now, now });
  const expelled: string[] = [];
  const clients = new Map<string, IrcClient>();
  const leave = (person: Person, reason: string) => {
    expelled.push(`${person.name}: ${reason}`);
    const client = [...clients.values()].find(({ session }) => session.member?.person.id === person.id);
    if (!client) return false;
    client.session.dropped(reason);
    client.port.ended = true;
    client.session.closed(reason);
    return true;
  };
  const options: IrcOptions = {
    house,
    accounts,
    masks,
    broadcast: () => new FakeBroadcast(),
    wall: now,
    now,
    irc: {
      serverName: SERVER,
      network: 'Example',
      replay: 20,
      motd: [],
      ...settings,
      opers: new Set(opers.map(nameKey)),
    },
    expel: expel ?? leave,
  };
  const irc = new Irc(options, (...given) => new IrcAudience(...given));
  const pass = (ms: number) => passTime(clock, clients, ms);
  return { house, store, bugs, clock, irc, accounts, hasher, clients, expelled, pass };
}

async function passTime(clock: { now: number }, clients: ReadonlyMap<string, IrcClient>, ms: number): Promise<void> {
  const end = clock.now + ms;
  const sessions = () => [...clients.values()].map(({ session }) => session);
  const next = () => Math.min(...sessions().map((session) => session.deadline()), Number.MAX_VALUE);
  await settle();
  for (let at = next(); at <= end; at = next()) {
    clock.now = Math.max(clock.now, at);
    for (const session of sessions()) if (session.deadline() <= clock.now) session.tick(clock.now);
    await settle();
  }
  clock.now = end;
}

// --- clients ----------------------------------------------------------------------------------------------------

export interface ClientOptions {
  readonly ip?: string;
  readonly isEncrypted?: boolean;
}

/** A connection that has said nothing yet. */
export class IrcClient {
  readonly port: FakePort;
  readonly session: IrcSession;
  readonly #on: TestIrc;

  constructor(on: TestIrc, id = `c${on.clients.size + 1}`, { ip = HOST, isEncrypted = false }: ClientOptions = {}) {
    this.#on = on;
    this.port = new FakePort(id, ip);
    this.port.opened = on.clock.now;
    if (isEncrypted) Object.assign(this.port, { isEncrypted });
    this.session = new IrcSession(on.irc, this.port);
    this.port.session = this.session;
    on.clients.set(id, this);
  }

  /** Its id and `nick!user@host`. */
  get person(): Person {
    const { member } = this.session;
    if (!member) throw new Error(`${this.port.id} is nobody yet`);
    return member.person;
  }

  /** Sends lines, and says what came back when all has settled. */
  async say(...lines: readonly string[]): Promise<string[]> {
    this.send(lines.map((line) => `${line}\r\n`).join(''));
    await rest();
    return this.take();
  }

  send(said: string | Uint8Array): boolean {
    const bytes = typeof said === 'string' ? new TextEncoder().encode(said) : said;
    return this.session.receive(bytes, this.#on.clock.now);
  }

  /** The lines that came since the last time. */
  take(): string[] {
    const text = this.port.take();
    if (text === '') return [];
    assert.ok(text.endsWith('\r\n'), `${this.port.id} got a line without an end`);
    return text.slice(0, -2).split('\r\n');
  }

  /** The connection breaks. */
  breaks(): void {
    this.port.broken = true;
    this.session.closed('Connection closed');
  }
}

/** Work that waits for the house, several times over, has been done. */
export async function rest(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await settle();
}

export interface Registering extends ClientOptions {
  /** Blank between them. */
  readonly caps?: string;
  readonly user?: string;
  readonly realName?: string;
  /** Of the account that is called like the nick, which is made if there is none. */
  readonly password?: string;
}

/** Somebody who is in; what they and others were told of that is read. In transcripts they are called like their nick. */
export async function register(on: TestIrc, nick: string, more: Registering = {}): Promise<IrcClient> {
  const { caps = '', user = nick.toLowerCase(), realName = nick, password, ...client } = more;
  const made = new IrcClient(on, nick, client);
  if (password !== undefined) await makeAccount(on, nick, password);
  const begin = caps === '' ? [] : ['CAP LS 302', `CAP REQ :${caps}`, 'CAP END'];
  const pass = password === undefined ? [] : [`PASS ${password}`];
  const told = await made.say(...pass, `NICK ${nick}`, `USER ${user} 0 * :${realName}`, ...begin);
  assert.ok(
    told.some((line) => line.includes(` 001 ${nick} `)),
    `${nick} is not in: ${told.join('\n')}`,
  );
  hush(on);
  return made;
}

export async function makeAccount(on: TestIrc, name: string, password: string): Promise<void> {
  await on.accounts.take(name, password);
}

/** Several who are in, one after the other, and in those rooms. */
export async function gather(on: TestIrc, nicks: string, channels = '', more: Registering = {}): Promise<IrcClient[]> {
  const clients: IrcClient[] = [];
  for (const nick of nicks.split(' ')) clients.push(await register(on, nick, more));
  for (const client of clients) if (channels !== '') await join(on, client, channels);
  return clients;
}

/** What it and others were told of that is read. `words` as they stand behind JOIN. */
export async function join(on: TestIrc, client: IrcClient, words: string): Promise<void> {
  await client.say(`JOIN ${words}`);
  hush(on);
}

/** What everybody has been told is forgotten. */
export function hush(on: TestIrc): void {
  for (const { port } of on.clients.values()) port.take();
}

// --- members of other dialects ----------------------------------------------------------------------------------

/** Hears everything, and notes it. */
export class OtherTongue extends FakeTongue implements Tongue {
  readonly whispers: Whisper[] = [];
  readonly signals: Signal[] = [];
  whisper?: (member: Member, whisper: Whisper) => boolean;

  constructor(dialect: string, canBeWhispered: boolean) {
    super(dialect);
    if (!canBeWhispered) return;
    this.whisper = (_member, whisper) => {
      this.whispers.push(whisper);
      return true;
    };
  }
}

export interface Other {
  readonly member: Member;
  readonly tongue: OtherTongue;
  say(text: string): Promise<void>;
}

export interface OtherOptions {
  /** The names of rooms, blank between them. */
  readonly rooms?: string;
  readonly dialect?: string;
  readonly canBeWhispered?: boolean;
  readonly host?: string;
  readonly account?: string;
}

/** A member who speaks another dialect. What IRC clients are told of that is not read. */
export async function addOther(on: TestIrc, name: string, more: OtherOptions = {}): Promise<Other> {
  const { rooms = 'main', dialect = 'menu', canBeWhispered = true, host, account } = more;
  const tongue = new OtherTongue(dialect, canBeWhispered);
  const member = await on.house.enter(name, tongue, 'exactly', undefined, { host, account });
  for (const room of rooms.split(' ').filter((one) => one !== '')) on.house.join(member, await on.house.openRoom(room));
  const say = async (text: string) => {
    for (const room of member.rooms.values()) await on.house.say(member, room, text);
    await rest();
  };
  return { member, tongue, say };
}

export function roomNamed(on: TestIrc, name: string): Room {
  const room = on.house.findRoom(name);
  if (!room) throw new Error(`there is no room ${name}`);
  return room;
}

// --- transcripts ------------------------------------------------------------------------------------------------

/**
 * Plays a conversation. `ann: JOIN #a` is sent by ann (who connects with her first line), `ann< :irc.example …` is the
 * next line that she gets, with `…` for anything but the end of a line, and `~` before a code for `:irc.example` and its
 * blank: `ann< ~366 ann #a :End …`. `ann< ...` skips whatever else she has got, `ann< <close>` says that the connection
 * was ended, `ann: <broken>` and `ann: <half-close>` do what they say, `-- 50 ms` lets time pass. What anybody got
 * and nobody expected is an error, told before the next line is sent.
 */
export async function converse(on: TestIrc, script: string): Promise<void> {
  const waiting = new Map<string, string[]>();
  const linesOf = (id: string) => {
    const lines = waiting.get(id) ?? [];
    const client = on.clients.get(id);
    if (client) lines.push(...client.take());
    waiting.set(id, lines);
    return lines;
  };
  const nothingMore = (before: string) => {
    for (const [id, { port }] of on.clients) {
      assert.equal(linesOf(id), [], `${id} got more than was expected before ${before}`);
      assert.equal(port.bugs, [], `${id} met a bug`);
    }
  };
  for (const { id, how, text } of steps(script)) {
    if (how === '--') await on.pass(Number(/^(\d+) ms$/.exec(text)?.[1]));
    else if (how === '<') hears(on, id, text, linesOf(id));
    else {
      nothingMore(`${id}: ${text}`);
      says(on, on.clients.get(id) ?? new IrcClient(on, id), text);
      await rest();
    }
  }
  nothingMore('the end');
  assert.equal(on.bugs, []);
}

function says(on: TestIrc, client: IrcClient, text: string): void {
  if (text === '<broken>') client.breaks();
  else if (text === '<half-close>') client.session.ended(on.clock.now);
  else client.send(`${text}\r\n`);
}

function hears(on: TestIrc, id: string, wanted: string, lines: string[]): void {
  if (wanted === '...') return void lines.splice(0);
  if (wanted === '<close>') return assert.ok(on.clients.get(id)?.port.ended, `${id} is still open`);
  const line = wanted.replace(/^((?:@\S+ )?)~/, `$1:${SERVER} `);
  const got = lines.shift();
  const [first = '', ...others] = line.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const form = new RegExp(`^${[first, ...others].join('.*')}$`, 'u');
  if (got === undefined || !form.test(got)) assert.is(got, line, `${id} got something else`);
}

interface Step {
  readonly id: string;
  readonly how: string;
  readonly text: string;
}

function steps(script: string): Step[] {
  return script
    .split('\n')
    .map((line) => line.trimStart())
    .filter((line) => line !== '')
    .map((line) => {
      const [, ms] = /^-- (.*)$/.exec(line) ?? [];
      if (ms !== undefined) return { id: '', how: '--', text: ms };
      const [, id = '', how = '', text = ''] = /^([^\s:<]+)(:|<) ?(.*)$/.exec(line) ?? [];
      if (id === '') throw new Error(`what is ${line}`);
      return { id, how, text };
    });
}
