// Layer 2. The rooms that a house has at hand, by name and by number. There is place for so many: those that have been
// empty for longest go, and come back from the backbone when they are asked for.

import type { Backbone } from './backbone.ts';
import { HouseError } from './errors.ts';
import { Room } from './room.ts';
import type { StoredRoom } from './store.ts';

export class RoomList {
  readonly #backbone: Backbone;
  readonly #maxRooms: number;
  readonly #wall: () => number;
  /** In the order in which they were made or left. */
  readonly #rooms = new Map<string, Room>();
  readonly #active = new Map<string, Room>();
  readonly #byRef = new Map<string, Map<number, Room>>();
  /** Rooms in which something was said. */
  readonly #used = new Set<string>();
  /** Under way: they count, or many at once would pass the limit. */
  #opening = 0;

  constructor(backbone: Backbone, maxRooms: number, wall: () => number) {
    this.#backbone = backbone;
    this.#maxRooms = maxRooms;
    this.#wall = wall;
    for (const record of backbone.rooms()) this.#add(record);
  }

  get all(): ReadonlyMap<string, Room> {
    return this.#rooms;
  }

  /** Those in which somebody is, in the order in which they were entered. */
  get active(): ReadonlyMap<string, Room> {
    return this.#active;
  }

  get(key: string): Room | undefined {
    return this.#rooms.get(key);
  }

  byRef(dialect: string, ref: number): Room | undefined {
    return this.#byRef.get(dialect)?.get(ref);
  }

  /** A room that comes from the backbone, with a place among these. */
  async load(get: () => Promise<StoredRoom>): Promise<Room> {
    if (this.#rooms.size + this.#opening >= this.#maxRooms) this.#makePlace();
    this.#opening++;
    try {
      const record = await get();
      return this.#rooms.get(record.key) ?? this.#add(record);
    } finally {
      this.#opening--;
    }
  }

  numbered(room: Room, dialect: string, ref: number): void {
    room.refs.set(dialect, ref);
    this.#refsOf(dialect).set(ref, room);
  }

  entered(room: Room): void {
    this.#active.set(room.key, room);
  }

  emptied(room: Room): void {
    this.#active.delete(room.key);
    this.#rooms.delete(room.key);
    this.#rooms.set(room.key, room);
  }

  used(room: Room): void {
    this.#used.add(room.key);
  }

  deleted(room: Room): void {
    this.#forget(room);
    this.#used.delete(room.key);
  }

  #add(record: StoredRoom): Room {
    const room = new Room(record);
    this.#rooms.set(room.key, room);
    // nobody was left to do it when a server was killed
    if (room.reopen(this.#wall())) this.#backbone.keepRules(room.key, room.settings, room.rules.kept());
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

  #forget(room: Room): void {
    this.#rooms.delete(room.key);
    for (const [dialect, ref] of room.refs) this.#byRef.get(dialect)?.delete(ref);
  }

  /** Makes place for a room: of those that are empty, the one that has been so for longest goes. */
  #makePlace(): void {
    for (const room of this.#rooms.values()) {
      if (room.people.size > 0) continue;
      this.#forget(room);
      // what was said, and what was laid down, is kept, and comes back with the room
      if (this.#used.delete(room.key) || room.isShaped) this.#backbone.restRoom(room.key);
      else this.#backbone.forgetRoom(room.key);
      return;
    }
    throw new HouseError('full', `the server has its ${this.#maxRooms} rooms`);
  }
}
