// Layer 2. The house: who is in it, which rooms there are, who hears what. Knows no dialect, no socket and
// no clock. It never waits for a member: an event is handed once to each audience (the members of a room
// that hear it in the same form), which encodes it once for all of them.

import type { Backbone, Owner, RoomSettings, SearchOptions } from './backbone.ts';
import { HouseError } from './errors.ts';
import type { Deleted, Draft, HouseEvent, Person, Post } from './events.ts';
import { alias, checkName, checkRoomName, isReserved, nameKey } from './names.ts';
import { Member, type Pass, Room, type Tongue } from './room.ts';
import type { Found, StoredRoom } from './store.ts';

export interface Limits {
  readonly people: number;
  readonly rooms: number;
  readonly roomsEach: number;
  readonly textChars: number;
}

export const DEFAULT_LIMITS: Limits = { people: 20_000, rooms: 10_000, roomsEach: 100, textChars: 65_536 };

/** So many aliases of a taken name are tried one by one. */
const NEAR_ALIASES = 16;

export interface HouseOptions {
  readonly backbone: Backbone;
  /** The time of day in milliseconds. */
  readonly wall: () => number;
  readonly onBug: (error: unknown) => void;
  readonly limits?: Partial<Limits>;
}

export class House {
  readonly #backbone: Backbone;
  readonly #wall: () => number;
  readonly #onBug: (error: unknown) => void;
  readonly limits: Limits;
  readonly #rooms = new Map<string, Room>();
  readonly #active = new Map<string, Room>();
  readonly #byRef = new Map<string, Map<number, Room>>();
  readonly #members = new Map<string, Member>();
  /** For each name that is worn under aliases: how many wear it, and the last alias number given. */
  readonly #worn = new Map<string, { wearers: number; last: number }>();
  /** Rooms in which something was said. */
  readonly #used = new Set<string>();
  #nextId = 1;
  /** Under way: they count, or many at once would pass the limits. */
  #entering = 0;
  #opening = 0;
  #closed = false;

  constructor({ backbone, wall, onBug, limits }: HouseOptions) {
    this.#backbone = backbone;
    this.#wall = wall;
    this.#onBug = onBug;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    for (const record of backbone.rooms()) this.#addRoom(record);
    backbone.listen((event) => this.#hear(event));
  }

  get people(): number {
    return this.#members.size;
  }

  get rooms(): ReadonlyMap<string, Room> {
    return this.#rooms;
  }

  /** Those in which somebody is, in the order in which they were entered. */
  get activeRooms(): Iterable<Room> {
    return this.#active.values();
  }

  /**
   * A person comes in. A taken name is refused (`exactly`) or becomes `name~2` for the others (`aliased`):
   * that is for dialects which can't refuse one. The name of an account or a contact is for its owner only.
   */
  async enter(nick: string, tongue: Tongue, as: 'exactly' | 'aliased', owner?: Owner): Promise<Member> {
    const asked = checkName(nick);
    if (this.#members.size + this.#entering >= this.limits.people) throw new HouseError('full', 'the server is full');
    this.#entering++;
    try {
      const name = await this.#claim(asked, as, owner);
      const id = `${this.#backbone.node}.${this.#nextId++}`;
      const member = new Member({ id, name, nick: asked, dialect: tongue.dialect }, tongue);
      this.#members.set(id, member);
      return member;
    } finally {
      this.#entering--;
    }
  }

  /** Throws where somebody of that name is not welcome. */
  admit(_name: string): void {}

  /** The same for somebody who has logged in and may never enter; what is returned is to be called when that is over. */
  logIn(_name: string): () => void {
    return () => {};
  }

  /** The person leaves every room and the house. */
  quit(member: Member, reason: string): void {
    if (!this.#members.delete(member.person.id)) return;
    for (const room of [...member.rooms.values()]) this.leave(member, room, reason);
    this.#release(member.person);
  }

  /** The room of that name; it is made when there is none. */
  async openRoom(name: string): Promise<Room> {
    const asked = checkRoomName(name);
    const key = nameKey(asked);
    return this.#rooms.get(key) ?? this.#load(() => this.#backbone.openRoom(key, asked, this.#wall()));
  }

  /** The room of that name, if there is one, also where it only rests in the store. */
  async lookUp(name: string): Promise<Room | undefined> {
    const key = nameKey(name.trim());
    const known = this.#rooms.get(key);
    if (known || !(await this.#backbone.findRoom(key))) return known;
    return this.openRoom(name);
  }

  /** A room with an owner; it stays when it is empty, and when nothing was said in it. */
  makeRoom(name: string, settings: RoomSettings): Promise<Room> {
    const asked = checkRoomName(name);
    return this.#load(() => this.#backbone.makeRoom(nameKey(asked), asked, this.#wall(), settings));
  }

  /** Who is in it is out of it. */
  deleteRoom(room: Room): Promise<void> {
    return this.#backbone.deleteRoom(room.key, this.#wall());
  }

  findRoom(name: string): Room | undefined {
    return this.#rooms.get(nameKey(name.trim()));
  }

  /** The room's number in a dialect that has numbers for rooms. */
  async refOf(room: Room, dialect: string): Promise<number> {
    const ref = await this.#backbone.refOf(room.key, dialect);
    room.refs.set(dialect, ref);
    this.#refsOf(dialect).set(ref, room);
    return ref;
  }

  roomByRef(dialect: string, ref: number): Room | undefined {
    return this.#byRef.get(dialect)?.get(ref);
  }

  join(member: Member, room: Room, pass?: Pass): void {
    if (member.rooms.has(room.key)) return;
    if (room.isPrivate && pass?.room !== room) throw new HouseError('room-password', `${room.name} has a password`);
    if (this.#rooms.get(room.key) !== room) throw new HouseError('no-such-room', `${room.name} is gone`);
    if (member.rooms.size >= this.limits.roomsEach) {
      throw new HouseError('not-allowed', `nobody is in more than ${this.limits.roomsEach} rooms`);
    }
    member.rooms.set(room.key, room);
    this.#publish({ kind: 'joined', room: room.key, who: member.person, at: this.#wall() });
  }

  leave(member: Member, room: Room, reason: string): void {
    if (!member.rooms.delete(room.key)) return;
    this.#publish({ kind: 'left', room: room.key, who: member.person, at: this.#wall(), reason });
  }

  say(member: Member, room: Room, text: string, stamp?: string): void {
    if (!member.rooms.has(room.key)) throw new HouseError('not-in-room', `you are not in ${room.name}`);
    if (text.length > this.limits.textChars) throw new HouseError('too-long', 'the message is too long');
    this.#used.add(room.key);
    const post = { kind: 'post', room: room.key, who: member.person, at: this.#wall(), text } as const;
    this.#publish(stamp === undefined ? post : { ...post, stamp });
  }

  /** To one person of this node alone; false when that one can't be told. */
  whisper(from: Member, to: Person, text: string): boolean {
    const member = this.#members.get(to.id);
    if (!member || text.length > this.limits.textChars) return false;
    const whisper = { kind: 'whisper', to: to.id, who: from.person, at: this.#wall(), text } as const;
    return member.tongue.whisper?.(member, whisper) ?? false;
  }

  /** Settles when a crash can't take the post any more. */
  saved(post: Post): Promise<void> {
    return this.#backbone.saved(post.id);
  }

  /** The newest posts of a room, or those before a post; oldest first. */
  history(room: Room, limit: number, before?: number): Promise<Post[]> {
    return this.#backbone.history(room.key, limit, before);
  }

  /** The newest posts that have all the words, in public rooms and those of `options`; oldest first. */
  search(words: string, options: SearchOptions): Promise<Found[]> {
    return this.#backbone.search(words, options);
  }

  /** Tells everybody here that the server is going down. Nothing is published afterwards. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    const at = this.#wall();
    for (const room of this.#rooms.values()) {
      room.hear({ kind: 'closing', room: room.key, at, reason }, this.#onBug);
    }
  }

  #publish(draft: Draft): void {
    if (!this.#closed) this.#backbone.publish(draft);
  }

  #hear(event: HouseEvent | Deleted): void {
    const room = this.#rooms.get(event.room);
    if (!room) return;
    if (event.kind === 'deleted') return this.#deleted(room, event);
    if (event.kind === 'joined') {
      const member = this.#members.get(event.who.id);
      room.people.set(event.who.id, event.who);
      this.#active.set(room.key, room);
      if (member) room.seat(member);
    }
    room.hear(event, this.#onBug);
    if (event.kind === 'left') {
      room.people.delete(event.who.id);
      room.unseat(event.who.id);
      if (room.people.size === 0) this.#emptied(room);
    }
  }

  #deleted(room: Room, { at }: Deleted): void {
    for (const who of room.people.values()) {
      this.#members.get(who.id)?.rooms.delete(room.key);
      this.#hear({ kind: 'left', room: room.key, who, at, reason: 'the room was deleted' });
    }
    this.#forgetRoom(room);
    this.#used.delete(room.key);
  }

  /** Rooms stand in the order in which they were left, for `#makePlace`. */
  #emptied(room: Room): void {
    this.#active.delete(room.key);
    this.#rooms.delete(room.key);
    this.#rooms.set(room.key, room);
  }

  /** A room that comes from the backbone, with a place among those of the house. */
  async #load(get: () => Promise<StoredRoom>): Promise<Room> {
    if (this.#rooms.size + this.#opening >= this.limits.rooms) this.#makePlace();
    this.#opening++;
    try {
      const record = await get();
      return this.#rooms.get(record.key) ?? this.#addRoom(record);
    } finally {
      this.#opening--;
    }
  }

  async #claim(asked: string, as: 'exactly' | 'aliased', owner: Owner | undefined): Promise<string> {
    const base = nameKey(asked);
    let worn = this.#worn.get(base);
    if (!worn) {
      worn = { wearers: 0, last: 1 };
      this.#worn.set(base, worn);
    }
    worn.wearers++;
    const claim = isReserved(base) ? 'worn' : await this.#backbone.claim(base, owner);
    if (claim === 'ours') return asked;
    if (claim === 'registered') {
      this.#unwear(base);
      throw new HouseError('name-registered', `the name ${asked} belongs to an account`);
    }
    if (as === 'aliased') {
      // the next free one; where a crowd wears them all as names of their own, in strides that double
      for (let tries = 1, stride = 1; ; tries++) {
        if (tries > NEAR_ALIASES) stride *= 2;
        worn.last += stride;
        const other = alias(asked, worn.last);
        if ((await this.#backbone.claim(nameKey(other))) === 'ours') return other;
      }
    }
    this.#unwear(base);
    throw new HouseError('name-taken', `the name ${asked} is taken`);
  }

  #release(person: Person): void {
    this.#backbone.release(nameKey(person.name));
    this.#unwear(nameKey(person.nick));
  }

  #unwear(base: string): void {
    const worn = this.#worn.get(base);
    if (worn && --worn.wearers === 0) this.#worn.delete(base);
  }

  #addRoom(record: StoredRoom): Room {
    const room = new Room(record);
    this.#rooms.set(room.key, room);
    if (record.used) this.#used.add(room.key);
    for (const [dialect, ref] of record.refs) this.#refsOf(dialect).set(ref, room);
    return room;
  }

  #refsOf(dialect: string): Map<number, Room> {
    let refs = this.#byRef.get(dialect);
    if (!refs) {
      refs = new Map();
      this.#byRef.set(dialect, refs);
    }
    return refs;
  }

  #forgetRoom(room: Room): void {
    this.#rooms.delete(room.key);
    for (const [dialect, ref] of room.refs) this.#byRef.get(dialect)?.delete(ref);
  }

  /** Makes place for a room: of those that are empty, the one that has been so for longest goes. */
  #makePlace(): void {
    for (const room of this.#rooms.values()) {
      if (room.people.size > 0) continue;
      this.#forgetRoom(room);
      // what was said is kept, and comes back with the room
      if (this.#used.delete(room.key) || room.settings.owner !== undefined || room.isPrivate)
        this.#backbone.restRoom(room.key);
      else this.#backbone.forgetRoom(room.key);
      return;
    }
    throw new HouseError('full', `the server has its ${this.limits.rooms} rooms`);
  }
}
