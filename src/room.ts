// Layer 2. One room as this node has it: who is in it, and which audiences hear it.

import type { RoomSettings } from './backbone.ts';
import type { HouseEvent, Person, Whisper } from './events.ts';
import type { Address } from './session.ts';
import type { StoredRoom } from './store.ts';

/** The members of one room that hear events in the same form. */
export interface Audience {
  /** `member` is one of this tongue; called before the audience hears that it joined. */
  add(member: Member): void;
  /** Called after the audience heard that it left. */
  remove(member: Member): void;
  hear(event: HouseEvent): void;
}

/** A form in which members hear events: a dialect, or a dialect over one kind of transport. */
export interface Tongue {
  readonly dialect: string;
  audience(room: Room): Audience;
  /** Tells one of them alone; false where the dialect has no way to. */
  whisper?(member: Member, whisper: Whisper): boolean;
  /** Takes one of them out of the house, telling why; for a dialect without connections that could be closed. */
  expel?(member: Member, reason: string): void;
  /** Where it is; for the same. */
  addressOf?(member: Member): Address;
}

/** Somebody who is connected to this node. */
export class Member {
  readonly person: Person;
  readonly tongue: Tongue;
  readonly rooms = new Map<string, Room>();

  constructor(person: Person, tongue: Tongue) {
    this.person = person;
    this.tongue = tongue;
  }
}

export class Room {
  readonly key: string;
  readonly name: string;
  /** Everybody in it, of every node, in the order in which they came. */
  readonly people = new Map<string, Person>();
  /** Its number in each dialect that numbers rooms, as far as this node has heard. */
  readonly refs: Map<string, number>;
  readonly settings: RoomSettings;
  readonly #local = new Map<string, Member>();
  readonly #audiences = new Map<Tongue, { readonly audience: Audience; size: number }>();

  constructor(record: StoredRoom) {
    this.key = record.key;
    this.name = record.name;
    this.refs = new Map(record.refs);
    const { description, owner, password } = record;
    this.settings = { description, owner, password };
  }

  /** Only who knows its password comes in, or is told of it. */
  get isPrivate(): boolean {
    return this.settings.password !== undefined;
  }

  seat(member: Member): void {
    if (this.#local.has(member.person.id)) return;
    this.#local.set(member.person.id, member);
    let group = this.#audiences.get(member.tongue);
    if (!group) {
      group = { audience: member.tongue.audience(this), size: 0 };
      this.#audiences.set(member.tongue, group);
    }
    group.size++;
    group.audience.add(member);
  }

  unseat(id: string): void {
    const member = this.#local.get(id);
    const group = member && this.#audiences.get(member.tongue);
    if (!member || !group) return;
    this.#local.delete(id);
    group.audience.remove(member);
    if (--group.size === 0) this.#audiences.delete(member.tongue);
  }

  /** One audience's bug is not another's: what it throws goes to `onBug`. */
  hear(event: HouseEvent, onBug: (error: unknown) => void): void {
    for (const { audience } of this.#audiences.values()) {
      try {
        audience.hear(event);
      } catch (error) {
        onBug(error);
      }
    }
  }
}

/** Proof that somebody may enter a room; see `Accounts.unlock`. */
export class Pass {
  readonly room: Room;

  constructor(room: Room) {
    this.room = room;
  }
}
