// Layer 2. The rooms of a house, and what was said in them and in private: a house knows besides who is in and may do
// what.

import type { Backbone, RoomSettings, SearchOptions } from './backbone.ts';
import type { KeptWhisper, Post } from './events.ts';
import type { Limits } from './house-options.ts';
import { checkRoomName, nameKey } from './names.ts';
import type { Room } from './room.ts';
import { RoomList } from './room-list.ts';
import type { Found, HistoryRange, Talk, TalksRange } from './store.ts';

export class HouseRooms {
  protected readonly backbone: Backbone;
  /** The time of day in milliseconds. */
  protected readonly wall: () => number;
  protected readonly list: RoomList;
  readonly limits: Limits;

  constructor(backbone: Backbone, wall: () => number, limits: Limits) {
    this.backbone = backbone;
    this.wall = wall;
    this.limits = limits;
    this.list = new RoomList(backbone, limits.rooms, wall);
  }

  get rooms(): ReadonlyMap<string, Room> {
    return this.list.all;
  }

  /** Those in which somebody is, in the order in which they were entered. */
  get activeRooms(): Iterable<Room> {
    return this.list.active.values();
  }

  get activeCount(): number {
    return this.list.active.size;
  }

  /** The room of that name; it is made when there is none. */
  async openRoom(name: string): Promise<Room> {
    const asked = checkRoomName(name);
    const key = nameKey(asked);
    return this.list.get(key) ?? this.list.load(() => this.backbone.openRoom(key, asked, this.wall()));
  }

  /** The room of that name, if there is one, also where it only rests in the store. */
  async lookUp(name: string): Promise<Room | undefined> {
    const key = nameKey(name.trim());
    const known = this.list.get(key);
    if (known || !(await this.backbone.findRoom(key))) return known;
    return this.openRoom(name);
  }

  /** A room with an owner; it stays when it is empty, and when nothing was said in it. */
  makeRoom(name: string, settings: RoomSettings): Promise<Room> {
    const asked = checkRoomName(name);
    return this.list.load(() => this.backbone.makeRoom(nameKey(asked), asked, this.wall(), settings));
  }

  /** Who is in it is out of it. */
  deleteRoom(room: Room): Promise<void> {
    return this.backbone.deleteRoom(room.key, this.wall());
  }

  findRoom(name: string): Room | undefined {
    return this.list.get(nameKey(name.trim()));
  }

  /** The room's number in a dialect that has numbers for rooms. */
  async refOf(room: Room, dialect: string): Promise<number> {
    const ref = await this.backbone.refOf(room.key, dialect);
    this.list.numbered(room, dialect, ref);
    return ref;
  }

  roomByRef(dialect: string, ref: number): Room | undefined {
    return this.list.byRef(dialect, ref);
  }

  // --- what was said ---------------------------------------------------------------------------------------

  /** Settles when a crash can't take the post any more. */
  saved(post: Post): Promise<void> {
    return this.backbone.saved(post.id);
  }

  /** Oldest first. */
  history(room: Room, range: HistoryRange): Promise<Post[]> {
    return this.backbone.history(room.key, { ...range, opened: room.rules.opened });
  }

  /** By the room's key: when something was said in it last, where that was between the bounds. */
  lastPosts(rooms: Iterable<Room>, range: Pick<HistoryRange, 'before' | 'after'>): Promise<Map<string, number>> {
    return this.backbone.lastPosts(
      [...rooms].map(({ key }) => key),
      range,
    );
  }

  /** What an account (its key) keeps of its talk with that one (the key of an account or name); oldest first. */
  whispers(account: string, other: string, range: HistoryRange): Promise<KeptWhisper[]> {
    return this.backbone.whispers(account, other, { ...range, since: this.#whispersSince });
  }

  /** Those of an account in which something was said between the times, and when that was last. */
  talks(account: string, range: Omit<TalksRange, 'since'> = {}): Promise<Talk[]> {
    return this.backbone.talks(account, { ...range, since: this.#whispersSince });
  }

  /** Up to where an account (its key) has read there: a time. */
  marker(account: string, target: string): Promise<number | undefined> {
    return this.backbone.marker(account, target);
  }

  /** It only goes forward; what holds then. */
  setMarker(account: string, target: string, at: number): Promise<number> {
    return this.backbone.setMarker(account, target, at);
  }

  /** The newest posts that have all the words, in public rooms and those of `options`; oldest first. */
  search(words: string, options: SearchOptions): Promise<Found[]> {
    return this.backbone.search(words, options);
  }

  /** The store may take its time to forget. */
  get #whispersSince(): number {
    return this.wall() - this.limits.whisperMs;
  }
}
