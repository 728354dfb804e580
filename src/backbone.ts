// Layer 2. The seam between the house and the rest of the world of houses. What all nodes must agree on
// (who wears a name, which rooms there are, their numbers, the order of events) goes through a Backbone;
// the house itself keeps only what it was told through `hear`. One process is the simplest backbone.

import { HouseError } from './errors.ts';
import type { Deleted, Draft, HouseEvent, KeptWhisper, Post } from './events.ts';
import type { KeptRules } from './room-rules.ts';
import type {
  Account,
  Contact,
  Found,
  HistoryRange,
  Mail,
  NewMail,
  Store,
  StoredRoom,
  Talk,
  TalksRange,
} from './store.ts';

/** What became of a claim to a name. */
export type Claim = 'ours' | 'worn' | 'registered';
/** What a name is somebody's by: a password that was given; or the address from which it came to `datagram`. */
export type Owner = 'account' | 'contact';

/** What the owner of a room has said of it. */
export interface RoomSettings {
  readonly description: string;
  /** The key of an account. */
  readonly owner: string | undefined;
  /** A hash; undefined where anybody may enter. */
  readonly password: string | undefined;
}

/** What somebody may see of what was said: the posts of public rooms, and of these. */
export interface SearchOptions {
  readonly limit: number;
  /** The key of an account that may own rooms. */
  readonly account: string | undefined;
  /** The key of a room. */
  readonly room: string | undefined;
}

const NO_SETTINGS: RoomSettings = { description: '', owner: undefined, password: undefined };

export interface Backbone {
  /** Different for each node; part of every person's id. */
  readonly node: string;
  /** The rooms that are known at the start. */
  rooms(): Iterable<StoredRoom>;
  /** Every event of every node comes here, in one order for each room. */
  listen(hear: (event: HouseEvent | Deleted) => void): void;
  /** Takes a name for a member of this node; one that belongs to an account or a contact only for its owner. */
  claim(key: string, owner?: Owner): Promise<Claim>;
  release(key: string): void;
  /** The name belongs to an account. */
  isRegistered(key: string): boolean;
  /** Settles when it is kept; rejects when somebody has the name, or somebody else wears it. */
  addAccount(account: Account, isWornByOwner?: boolean): Promise<void>;
  findAccount(key: string): Promise<Account | undefined>;
  setHash(key: string, hash: string): Promise<void>;
  /** The room of that key, made under `name` when there is none. */
  openRoom(key: string, name: string, at: number): Promise<StoredRoom>;
  findRoom(key: string): Promise<StoredRoom | undefined>;
  /** Settles when it is kept; rejects when there is one of that key. */
  makeRoom(key: string, name: string, at: number, settings: RoomSettings): Promise<StoredRoom>;
  /** The room, all that was said in it, and everybody's place in it. */
  deleteRoom(key: string, at: number): Promise<void>;
  /** What the room is from now on; its owner stays. */
  keepRules(key: string, settings: RoomSettings, rules: KeptRules | undefined): void;
  /** It is not needed for now; `openRoom` brings it back as it was. */
  restRoom(key: string): void;
  /** It never was. */
  forgetRoom(key: string): void;
  /** The room's number in a dialect that has numbers for rooms, given on first use. */
  refOf(key: string, dialect: string): Promise<number>;
  publish(draft: Draft): void;
  /** For a whisper that is to be kept: higher than those of all posts before it. */
  nextId(): number;
  /** For those of the two who have accounts. */
  keepWhisper(whisper: KeptWhisper): void;
  /** What the account (its key) keeps of its talk with that one (the key of an account or name); oldest first. */
  whispers(account: string, other: string, range: HistoryRange): Promise<KeptWhisper[]>;
  /** Those of the account in which something was said between the times, and when that was last. */
  talks(account: string, range: TalksRange): Promise<Talk[]>;
  /** Settles when the post is where a crash can't take it; rejects with `not-saved`. */
  saved(postId: number): Promise<void>;
  /** Oldest first. */
  history(key: string, range: HistoryRange): Promise<Post[]>;
  /** Of those of the rooms in which something was said between the bounds: when that was last. */
  lastPosts(keys: readonly string[], range: Pick<HistoryRange, 'before' | 'after'>): Promise<Map<string, number>>;
  /** Up to where an account (its key) has read there: a time. */
  marker(account: string, target: string): Promise<number | undefined>;
  /** It only goes forward; what holds then. Rejects with `not-saved`. */
  setMarker(account: string, target: string, at: number): Promise<number>;
  search(words: string, options: SearchOptions): Promise<Found[]>;
  /** Those that are known at the start: at most the 10,000 seen last, the latest first. */
  contacts(): Iterable<Contact>;
  putContact(contact: Contact): void;
  /** With its mail. */
  dropContact(key: string): void;
  /** Settles when it is kept, with its number; rejects when it can't be. */
  addMail(mail: NewMail): Promise<number>;
  /** Oldest first. */
  mailOf(owner: string): Promise<Mail[]>;
  /** What is kept for that one up to this number. */
  dropMail(owner: string, upTo: number): Promise<void>;
}

/** All members are in this process. */
export class LocalBackbone implements Backbone {
  readonly node = '1';
  readonly #store: Store;
  /** Worn now. */
  readonly #names = new Set<string>();
  readonly #registered: Set<string>;
  /** Of contacts, there or not. */
  readonly #kept: Set<string>;
  /** Being made or deleted, until that is kept. */
  readonly #changing = new Map<string, Promise<unknown>>();
  readonly #rooms = new Map<string, StoredRoom>();
  readonly #nextRef: Map<string, number>;
  #nextRoom: number;
  /** How many rooms are in the store alone. */
  #resting: number;
  #lastPost: number;
  #hear: (event: HouseEvent | Deleted) => void = () => {};

  constructor(store: Store) {
    this.#store = store;
    const { lastPost, lastRoom, lastRefs, resting, accounts, contacts } = store.start;
    this.#registered = new Set(accounts);
    this.#kept = new Set(contacts.map(({ key }) => key));
    this.#lastPost = lastPost;
    this.#nextRoom = lastRoom + 1;
    this.#nextRef = new Map([...lastRefs].map(([dialect, ref]) => [dialect, ref + 1]));
    this.#resting = resting;
    for (const room of store.rooms) this.#rooms.set(room.key, room);
  }

  rooms(): Iterable<StoredRoom> {
    return this.#rooms.values();
  }

  listen(hear: (event: HouseEvent | Deleted) => void): void {
    this.#hear = hear;
  }

  async claim(key: string, owner?: Owner): Promise<Claim> {
    if (this.#registered.has(key) && owner !== 'account') return 'registered';
    if (this.#names.has(key) || (this.#kept.has(key) && owner !== 'contact')) return 'worn';
    this.#names.add(key);
    return 'ours';
  }

  release(key: string): void {
    this.#names.delete(key);
  }

  isRegistered(key: string): boolean {
    return this.#registered.has(key);
  }

  async addAccount(account: Account, isWornByOwner = false): Promise<void> {
    const { key, name } = account;
    if (this.#registered.has(key)) throw new HouseError('name-registered', `the name ${name} is taken`);
    if (this.#names.has(key) && !isWornByOwner)
      throw new HouseError('name-taken', `somebody is called ${name} right now`);
    if (this.#kept.has(key)) throw new HouseError('name-taken', `the name ${name} is taken`);
    this.#registered.add(key);
    try {
      await this.#store.addAccount(account);
    } catch (error) {
      this.#registered.delete(key);
      throw error;
    }
  }

  findAccount(key: string): Promise<Account | undefined> {
    return this.#registered.has(key) ? this.#store.findAccount(key) : Promise.resolve(undefined);
  }

  setHash(key: string, hash: string): Promise<void> {
    return this.#store.setHash(key, hash);
  }

  async openRoom(key: string, name: string, at: number): Promise<StoredRoom> {
    do {
      const known = (await this.findRoom(key)) ?? this.#rooms.get(key);
      if (known) return known;
      // somebody may have begun to make it since it was looked for
    } while (this.#changing.has(key));
    const room = this.#newRoom(key, name, at, NO_SETTINGS);
    // it may refuse
    this.#store.addRoom(room);
    this.#rooms.set(key, room);
    return room;
  }

  async findRoom(key: string): Promise<StoredRoom | undefined> {
    while (this.#changing.has(key)) await this.#changing.get(key);
    return this.#rooms.get(key) ?? (await this.#wake(key));
  }

  async makeRoom(key: string, name: string, at: number, settings: RoomSettings): Promise<StoredRoom> {
    do {
      const known = (await this.findRoom(key)) ?? this.#rooms.get(key);
      if (known) throw new HouseError('name-taken', `there is a room ${name} already`);
    } while (this.#changing.has(key));
    const room = this.#newRoom(key, name, at, settings);
    const kept = this.#store.makeRoom(room).then(() => void this.#rooms.set(key, room));
    await this.#change(key, kept);
    return room;
  }

  async deleteRoom(key: string, at: number): Promise<void> {
    const { id } = this.#room(key);
    // nothing more is said in it
    this.#hear({ kind: 'deleted', room: key, at });
    this.#rooms.delete(key);
    try {
      await this.#change(key, this.#store.deleteRoom(id));
    } catch (error) {
      // it is still there
      this.#resting++;
      throw error;
    }
  }

  keepRules(key: string, { description, password }: RoomSettings, rules: KeptRules | undefined): void {
    const known = this.#rooms.get(key);
    if (!known) return;
    const room = { ...known, description, password, rules };
    this.#rooms.set(key, room);
    this.#store.putRules(room);
  }

  restRoom(key: string): void {
    if (this.#rooms.delete(key)) this.#resting++;
  }

  forgetRoom(key: string): void {
    const room = this.#rooms.get(key);
    if (!room) return;
    this.#rooms.delete(key);
    this.#store.dropRoom(room.id);
  }

  async refOf(key: string, dialect: string): Promise<number> {
    const room = this.#room(key);
    const known = room.refs.get(dialect);
    if (known !== undefined) return known;
    const ref = this.#nextRef.get(dialect) ?? 0;
    this.#store.addRef(room.id, dialect, ref);
    this.#nextRef.set(dialect, ref + 1);
    room.refs.set(dialect, ref);
    return ref;
  }

  publish(draft: Draft): void {
    if (draft.kind !== 'post') return this.#hear(draft);
    const { room } = draft;
    const post: Post = { ...draft, id: ++this.#lastPost };
    this.#store.addPost(post, this.#room(room).id);
    this.#hear(post);
  }

  nextId(): number {
    return ++this.#lastPost;
  }

  keepWhisper(whisper: KeptWhisper): void {
    this.#store.addWhisper(whisper);
  }

  whispers(account: string, other: string, range: HistoryRange): Promise<KeptWhisper[]> {
    return this.#store.whispers(account, other, range);
  }

  talks(account: string, range: TalksRange): Promise<Talk[]> {
    return this.#store.talks(account, range);
  }

  saved(postId: number): Promise<void> {
    return this.#store.saved(postId);
  }

  async history(key: string, range: HistoryRange): Promise<Post[]> {
    return this.#store.history(this.#room(key), range);
  }

  async lastPosts(
    keys: readonly string[],
    range: Pick<HistoryRange, 'before' | 'after'>,
  ): Promise<Map<string, number>> {
    const keyOf = new Map(keys.flatMap((key) => (this.#rooms.has(key) ? [[this.#room(key).id, key] as const] : [])));
    const found = await this.#store.lastPosts([...keyOf.keys()], range);
    return new Map(found.map(({ room, at }) => [keyOf.get(room) as string, at]));
  }

  marker(account: string, target: string): Promise<number | undefined> {
    return this.#store.marker(account, target);
  }

  setMarker(account: string, target: string, at: number): Promise<number> {
    return this.#store.setMarker(account, target, at);
  }

  search(words: string, { limit, account, room }: SearchOptions): Promise<Found[]> {
    return this.#store.search(words, { limit, account, room: room === undefined ? undefined : this.#room(room).id });
  }

  contacts(): Iterable<Contact> {
    return this.#store.start.contacts;
  }

  putContact(contact: Contact): void {
    this.#kept.add(contact.key);
    this.#store.putContact(contact);
  }

  dropContact(key: string): void {
    this.#kept.delete(key);
    this.#store.dropContact(key);
  }

  addMail(mail: NewMail): Promise<number> {
    return this.#store.addMail(mail);
  }

  mailOf(owner: string): Promise<Mail[]> {
    return this.#store.mailOf(owner);
  }

  dropMail(owner: string, upTo: number): Promise<void> {
    return this.#store.dropMail(owner, upTo);
  }

  #newRoom(key: string, name: string, made: number, settings: RoomSettings): StoredRoom {
    return { ...settings, id: this.#nextRoom++, key, name, made, used: false, refs: new Map() };
  }

  /** Others wait until the change of that room is kept, or is not. */
  async #change(key: string, change: Promise<void>): Promise<void> {
    const settled = change.catch(() => {});
    this.#changing.set(key, settled);
    try {
      await change;
    } finally {
      if (this.#changing.get(key) === settled) this.#changing.delete(key);
    }
  }

  async #wake(key: string): Promise<StoredRoom | undefined> {
    if (this.#resting === 0) return undefined;
    const found = await this.#store.findRoom(key);
    // while the store was asked somebody else may have brought it back, or made it
    const known = this.#rooms.get(key);
    if (known || !found) return known;
    this.#resting--;
    this.#rooms.set(key, found);
    return found;
  }

  #room(key: string): StoredRoom {
    const room = this.#rooms.get(key);
    if (!room) throw new HouseError('no-such-room', 'there is no such room');
    return room;
  }
}
