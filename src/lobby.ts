// Layer 3. What all `lobby` clients of a server share: who they are in the house, which multicast group a room
// has, and which logins are on their way from a room back to the lobby.

import type { Accounts, Login } from './accounts.ts';
import { HouseError } from './errors.ts';
import type { Post, Whisper } from './events.ts';
import type { LobbyAudience, RoomSession } from './lobby-room.ts';
import { Members } from './members.ts';
import type { Member, Room } from './room.ts';
import { checkReading } from './room-rights.ts';
import type { House } from './rooms.ts';
import { type Address, type Broadcast, type Doors, type Multicast, networkOf } from './session.ts';
import { AtMost, AtMostEach } from './throttle.ts';
import { type Chat, chatTime, type LobbyReply, type LobbyRequest, splitChat } from './wire-lobby.ts';

/** More than fit into a frame anyway. */
const MAX_CHATS = 100;
const MAX_SEARCHES = 100;
const LOOKS_BACK_EACH = { atOnce: 2, waiting: 200 };
/** Of a longer one at least the end fits into a frame together with others. */
const PAST_CHAT_BYTES = 4096;

export interface LobbyOptions {
  readonly house: House;
  readonly accounts: Accounts;
  readonly doors: Doors;
  readonly multicast: Multicast;
  /** A login ends with its connection, whatever classic clients do. */
  readonly strictLobby: boolean;
  /** The clock of `Session.receive`. */
  readonly now: () => number;
  broadcast(): Broadcast;
}

type AudienceMaker = (lobby: Lobby, room: Room, somebodyOf: (member: Member) => Somebody) => LobbyAudience;

export class Lobby {
  readonly options: LobbyOptions;
  readonly people: People;
  readonly groups = new Groups();
  readonly carried = new Carried();
  /** One after another, and few for one address: others' posts, logins and rooms don't wait behind a queue of them. */
  readonly searches = new AtMost(1, MAX_SEARCHES);
  readonly looksBack = new AtMostEach(LOOKS_BACK_EACH.atOnce, LOOKS_BACK_EACH.waiting);
  readonly #audiences = new Map<string, LobbyAudience>();

  constructor(options: LobbyOptions, audienceOf: AudienceMaker) {
    this.options = options;
    this.people = new People(
      new Members(
        options.house,
        'lobby',
        (room, somebodyOf) => {
          const audience = audienceOf(this, room, somebodyOf);
          this.#audiences.set(room.key, audience);
          return audience;
        },
        (somebody, whisper) => somebody.whisper(whisper),
      ),
    );
  }

  /** Those of this dialect who are in the room now. */
  audienceOf(room: Room): LobbyAudience | undefined {
    return this.#audiences.get(room.key);
  }

  emptied(audience: LobbyAudience): void {
    const { key } = audience.room;
    if (this.#audiences.get(key) === audience) this.#audiences.delete(key);
  }
}

/** What a post is on this wire. */
export function chatOf(post: Post, room: string): Chat {
  return { creator: post.who.name, room, contents: post.text, datetime: post.stamp ?? chatTime(post.at) };
}

/** The same for what was said before: several, where it is long. */
export function pastChats(post: Post, room: string): Chat[] {
  return splitChat(chatOf(post, room), PAST_CHAT_BYTES);
}

/** `history` and `search`, the same in the lobby and in a room (`here`). */
export function readBack(
  lobby: Lobby,
  request: LobbyRequest & { kind: 'history' | 'search' },
  login: Login | undefined,
  ip: string,
  here?: Room,
): Promise<LobbyReply> {
  return lobby.looksBack.run(networkOf(ip), () => lookBack(lobby, request, login, ip, here));
}

async function lookBack(
  lobby: Lobby,
  request: LobbyRequest & { kind: 'history' | 'search' },
  login: Login | undefined,
  ip: string,
  here?: Room,
): Promise<LobbyReply> {
  const { house, accounts } = lobby.options;
  const count = Math.min(request.count, MAX_CHATS);
  if (request.kind === 'search') {
    const options = { limit: count, account: login?.key, room: here?.key };
    const found = await lobby.searches.run(() => house.search(request.words, options));
    return { kind: 'previous', chats: found.flatMap(({ post, roomName }) => numbered(post, roomName)) };
  }
  const room = request.room === undefined ? here : await house.lookUp(request.room);
  if (!room) throw request.room === undefined ? new HouseError('bad-room', 'which room?') : noSuchRoom(request.room);
  if (room !== here) {
    await accounts.unlock(room, { login, ip });
    checkReading(login && { account: login.name }, room);
  }
  const before = request.before === undefined ? undefined : { id: request.before };
  const posts = count > 0 ? await house.history(room, { limit: count, before }) : [];
  return { kind: 'previous', chats: posts.flatMap((post) => numbered(post, room.name)) };
}

function numbered(post: Post, room: string): Chat[] {
  return pastChats(post, room).map((chat) => ({ ...chat, id: post.id }));
}

/** A refusal in the dialect's form; anything else is a bug and thrown on. */
export function refusal(error: unknown): LobbyReply {
  if (!(error instanceof HouseError)) throw error;
  // the classic server's own words
  const message = error.code === 'wrong-password' ? 'invalad username or password.' : error.message;
  return { kind: 'error', message };
}

export function noSuchRoom(name: string): HouseError {
  return new HouseError('no-such-room', `there is no room ${name.slice(0, 64)}`);
}

// --- people -----------------------------------------------------------------------------------------------

/** One person in the house: a guest on one connection, or an account on all of its own. */
export class Somebody {
  readonly key: string | undefined;
  readonly entered: Promise<Member>;
  /** Those of its connections that are in a room, or about to be. */
  readonly sessions = new Set<RoomSession>();
  /** What was said and not heard yet. */
  readonly #said: Array<{ readonly room: string; heard(post: Post): void }> = [];
  uses = 0;

  constructor(key: string | undefined, enter: (somebody: Somebody) => Promise<Member>) {
    this.key = key;
    this.entered = enter(this);
    // whoever waits for it is told, but may do so later
    this.entered.catch(() => {});
  }

  *sessionsIn(room: Room): Iterable<RoomSession> {
    for (const session of this.sessions) if (session.room === room) yield session;
  }

  /** `say` publishes; `heard` is called when the post comes back. */
  say(room: Room, say: () => void, heard: (post: Post) => void): void {
    const said = { room: room.key, heard };
    this.#said.push(said);
    try {
      say();
    } catch (error) {
      this.#said.splice(this.#said.indexOf(said), 1);
      throw error;
    }
  }

  /** On one of those connections that can be told something unasked. */
  whisper(whisper: Whisper): boolean {
    for (const session of this.sessions) if (session.whisper(whisper)) return true;
    return false;
  }

  heard(post: Post): void {
    const at = this.#said.findIndex(({ room }) => room === post.room);
    if (at >= 0) this.#said.splice(at, 1)[0]?.heard(post);
  }
}

export class People {
  readonly #members: Members<Somebody>;
  readonly #byAccount = new Map<string, Somebody>();
  #nextGuest = 1;

  constructor(members: Members<Somebody>) {
    this.#members = members;
  }

  /** For one more connection, until `drop`: the person of an account, or a new guest. */
  take(login: Login | undefined, guestName?: string): Somebody {
    const known = login && this.#byAccount.get(login.key);
    const name = login?.name ?? guestName ?? `guest-${this.#nextGuest++}`;
    const somebody =
      known ?? new Somebody(login?.key, (those) => this.#members.enter(name, those, { owner: login && 'account' }));
    if (login && !known) this.#byAccount.set(login.key, somebody);
    somebody.uses++;
    return somebody;
  }

  drop(somebody: Somebody, reason: string): void {
    if (--somebody.uses > 0) return;
    somebody.entered.then(
      (member) => {
        // while it was on its way in another connection may have come
        if (somebody.uses > 0) return;
        this.#forget(somebody);
        this.#members.quit(member, reason);
      },
      () => this.#forget(somebody),
    );
  }

  #forget(somebody: Somebody): void {
    const { key } = somebody;
    if (key !== undefined && this.#byAccount.get(key) === somebody) this.#byAccount.delete(key);
  }
}

// --- multicast groups -------------------------------------------------------------------------------------

const FIRST_GROUP = [224, 3, 29, 71].reduce((number, byte) => number * 256 + byte);
const FIRST_PORT = 10_000;
const PORT_STEP = 10;
/** Classic clients listen on a port for every group: so each room has a port of its own too. */
const MAX_GROUPS = Math.floor((65_535 - FIRST_PORT) / PORT_STEP) + 1;

interface Group {
  readonly number: number;
  readonly address: Address;
  uses: number;
}

/** The group of each room that somebody listens to by multicast, or is about to. */
export class Groups {
  readonly #byRoom = new Map<string, Group>();
  readonly #taken = new Set<number>();

  of(room: string): Address | undefined {
    return this.#byRoom.get(room)?.address;
  }

  take(room: string): Address {
    const group = this.#byRoom.get(room) ?? this.#add(room);
    group.uses++;
    return group.address;
  }

  release(room: string): void {
    const group = this.#byRoom.get(room);
    if (!group || --group.uses > 0) return;
    this.#byRoom.delete(room);
    this.#taken.delete(group.number);
  }

  #add(room: string): Group {
    let number = 0;
    while (this.#taken.has(number)) number++;
    if (number >= MAX_GROUPS) throw new HouseError('full', 'there is no multicast group left');
    const group = { number, address: { ip: groupIp(number), port: FIRST_PORT + PORT_STEP * number }, uses: 0 };
    this.#taken.add(number);
    this.#byRoom.set(room, group);
    return group;
  }
}

function groupIp(number: number): string {
  const ip = FIRST_GROUP + number;
  return [24, 16, 8, 0].map((shift) => (ip >>> shift) & 255).join('.');
}

// --- logins on their way ----------------------------------------------------------------------------------

/** A classic client closes its lobby connection to enter a room, and opens another so soon after it. */
const CARRY_MS = 1000;
/** The new connection may be seen before the end of the old one. */
const EARLY_MS = 100;
const MAX_EACH = 100;
const MAX_ADDRESSES = 1000;

export class Carried {
  readonly #from = new Map<string, Array<{ readonly login: Login; readonly at: number }>>();

  leave(ip: string, login: Login, at: number): void {
    const those = [...(this.#from.get(ip) ?? []), { login, at }].slice(-MAX_EACH);
    this.#from.delete(ip);
    this.#from.set(ip, those);
    const [oldest] = this.#from.keys();
    if (this.#from.size > MAX_ADDRESSES && oldest !== undefined) this.#from.delete(oldest);
  }

  /** The login that a connection opened then takes over: the one that left first. Each is taken over once. */
  take(ip: string, opened: number): Login | undefined {
    const those = this.#from.get(ip) ?? [];
    const found = those.findIndex(({ at }) => at - EARLY_MS <= opened && opened <= at + CARRY_MS);
    return found < 0 ? undefined : those.splice(found, 1)[0]?.login;
  }
}
