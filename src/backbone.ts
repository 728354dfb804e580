// Layer 2. The seam between the house and the rest of the world of houses. What all nodes must agree on
// (who wears a name, which rooms there are, their numbers, the order of events) goes through a Backbone;
// the house itself keeps only what it was told through `hear`. One process is the simplest backbone.

import { HouseError } from './errors.ts';
import type { Draft, HouseEvent, Post } from './events.ts';
import type { Store, StoredRoom } from './store.ts';

export interface Backbone {
  /** Different for each node; part of every person's id. */
  readonly node: string;
  /** The rooms that are known at the start. */
  rooms(): Iterable<StoredRoom>;
  /** Every event of every node comes here, in one order for each room. */
  listen(hear: (event: HouseEvent) => void): void;
  /** Takes a name for a member of this node; false when somebody wears it. */
  claim(key: string): Promise<boolean>;
  release(key: string): void;
  /** The room of that key, made under `name` when there is none. */
  openRoom(key: string, name: string, at: number): Promise<StoredRoom>;
  /** It is not needed for now; `openRoom` brings it back as it was. */
  restRoom(key: string): void;
  /** It never was. */
  forgetRoom(key: string): void;
  /** The room's number in a dialect that has numbers for rooms, given on first use. */
  refOf(key: string, dialect: string): Promise<number>;
  publish(draft: Draft): void;
  /** Settles when the post is where a crash can't take it; rejects with `not-saved`. */
  saved(postId: number): Promise<void>;
  history(key: string, limit: number, before?: number): Promise<Post[]>;
}

/** All members are in this process. */
export class LocalBackbone implements Backbone {
  readonly node = '1';
  readonly #store: Store;
  readonly #names = new Set<string>();
  readonly #rooms = new Map<string, StoredRoom>();
  readonly #nextRef: Map<string, number>;
  #nextRoom: number;
  /** How many rooms are in the store alone. */
  #resting: number;
  #lastPost: number;
  #hear: (event: HouseEvent) => void = () => {};

  constructor(store: Store) {
    this.#store = store;
    const { lastPost, lastRoom, lastRefs, resting } = store.start;
    this.#lastPost = lastPost;
    this.#nextRoom = lastRoom + 1;
    this.#nextRef = new Map([...lastRefs].map(([dialect, ref]) => [dialect, ref + 1]));
    this.#resting = resting;
    for (const room of store.rooms) this.#rooms.set(room.key, room);
  }

  rooms(): Iterable<StoredRoom> {
    return this.#rooms.values();
  }

  listen(hear: (event: HouseEvent) => void): void {
    this.#hear = hear;
  }

  async claim(key: string): Promise<boolean> {
    if (this.#names.has(key)) return false;
    this.#names.add(key);
    return true;
  }

  release(key: string): void {
    this.#names.delete(key);
  }

  async openRoom(key: string, name: string, at: number): Promise<StoredRoom> {
    const known = this.#rooms.get(key) ?? (await this.#wake(key));
    if (known) return known;
    const room: StoredRoom = { id: this.#nextRoom++, key, name, made: at, used: false, refs: new Map() };
    // it may refuse
    this.#store.addRoom(room);
    this.#rooms.set(key, room);
    return room;
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
    const { room, who, at, text } = draft;
    const post: Post = { kind: 'post', id: ++this.#lastPost, room, who, at, text };
    this.#store.addPost(post, this.#room(room).id);
    this.#hear(post);
  }

  saved(postId: number): Promise<void> {
    return this.#store.saved(postId);
  }

  async history(key: string, limit: number, before?: number): Promise<Post[]> {
    const room = this.#room(key);
    return this.#store.history(room, limit, before);
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
