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
  readonly #nextRef = new Map<string, number>();
  #nextRoom = 1;
  #lastPost: number;
  #hear: (event: HouseEvent) => void = () => {};

  constructor(store: Store) {
    this.#store = store;
    this.#lastPost = store.lastPost;
    for (const room of store.rooms) {
      this.#rooms.set(room.key, room);
      this.#nextRoom = Math.max(this.#nextRoom, room.id + 1);
      for (const [dialect, ref] of room.refs) this.#nextRef.set(dialect, Math.max(this.#refAfter(dialect), ref + 1));
    }
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
    const known = this.#rooms.get(key);
    if (known) return known;
    const room: StoredRoom = { id: this.#nextRoom++, key, name, made: at, used: false, refs: new Map() };
    this.#rooms.set(key, room);
    this.#store.addRoom(room);
    return room;
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
    const ref = this.#refAfter(dialect);
    this.#nextRef.set(dialect, ref + 1);
    room.refs.set(dialect, ref);
    this.#store.addRef(room.id, dialect, ref);
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

  #refAfter(dialect: string): number {
    return this.#nextRef.get(dialect) ?? 0;
  }

  #room(key: string): StoredRoom {
    const room = this.#rooms.get(key);
    if (!room) throw new HouseError('no-such-room', 'there is no such room');
    return room;
  }
}
