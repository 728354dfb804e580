// Layer 2. One room as this node has it: who is in it, and which audiences hear it.

import type { RoomSettings } from './backbone.ts';
import type { HouseEvent, Invited, Person, RuleChange, Signal, Titled, Whisper } from './events.ts';
import { MAIN_ROOM, nameKey } from './names.ts';
import { RoomRules } from './room-rules.ts';
import type { Address } from './session.ts';
import type { StoredRoom } from './store.ts';

/** In the common room everybody may be. */
const CLOSING_RULES: readonly RuleChange['rule'][] = ['inviteOnly', 'limit', 'key'];

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
  /** Tags without a text, for one of them alone (`room` is ''); who has no form for that hears nothing of it. */
  signal?(member: Member, signal: Signal): boolean;
  /** Tells one of them that they are asked into a room; where it can't, a whisper says so. */
  invited?(member: Member, invited: Invited): boolean;
  /** Takes one of them out of the house, telling why; for a dialect without connections that could be closed. */
  expel?(member: Member, reason: string): void;
  /** Where it is; for the same. */
  addressOf?(member: Member): Address;
}

/** Somebody who is connected to this node. */
export class Member {
  /** Another one after a change of name or account; the id stays. */
  person: Person;
  readonly tongue: Tongue;
  readonly rooms = new Map<string, Room>();
  /** An operator of the server, as whoever checked that has said. */
  isWarden = false;

  constructor(person: Person, tongue: Tongue) {
    this.person = person;
    this.tongue = tongue;
  }
}

export class Room {
  readonly key: string;
  readonly name: string;
  /** When that was, by the time of day. */
  readonly made: number;
  /** Everybody in it, of every node, in the order in which they came. */
  readonly people = new Map<string, Person>();
  /** Its number in each dialect that numbers rooms, as far as this node has heard. */
  readonly refs: Map<string, number>;
  /** The description and the password may change; another object is put here then. */
  settings: RoomSettings;
  readonly rules: RoomRules;
  readonly #local = new Map<string, Member>();
  readonly #audiences = new Map<Tongue, { readonly audience: Audience; size: number }>();

  constructor(record: StoredRoom) {
    this.key = record.key;
    this.name = record.name;
    this.made = record.made;
    this.refs = new Map(record.refs);
    const { description, owner, password } = record;
    this.settings = { description, owner, password };
    this.rules = new RoomRules(record.rules);
  }

  /** Only who knows its password comes in, or is told of it. */
  get isPrivate(): boolean {
    return this.settings.password !== undefined;
  }

  /** Not everybody may hear what is said in it. */
  get isClosed(): boolean {
    return this.isPrivate || this.rules.has('inviteOnly');
  }

  /** It is closed only until the last one has left. */
  get isConfidential(): boolean {
    return this.settings.owner === undefined && (this.rules.isKeyed || this.rules.has('inviteOnly'));
  }

  /** There is something to keep of it, were nothing ever said in it. */
  get isShaped(): boolean {
    const { description, owner } = this.settings;
    return this.isPrivate || owner !== undefined || description !== '' || this.rules.kept() !== undefined;
  }

  isOwnedBy({ account }: Pick<Person, 'account'>): boolean {
    const { owner } = this.settings;
    return owner !== undefined && account !== undefined && nameKey(account) === owner;
  }

  /**
   * Nobody is in it: a room without an owner is open again then, or whoever was the last one in it could keep all others
   * out for good. What was said as long as it was closed stays among those who were there. Whether anything changes.
   */
  reopen(at: number): boolean {
    if (this.settings.owner !== undefined || this.key === MAIN_ROOM) return false;
    if (this.isConfidential) this.rules.setOpened(at + 1);
    if (this.rules.isKeyed) this.settings = { ...this.settings, password: undefined };
    return this.rules.open();
  }

  /** Whether anything is another than before. */
  rule(change: RuleChange, by: string, at: number): boolean {
    const { isAdded, rule, param } = change;
    if (this.key === MAIN_ROOM && isAdded && CLOSING_RULES.includes(rule)) return false;
    if (rule === 'key') return this.#setPassword(isAdded ? param : undefined, isAdded);
    if (rule === 'operator' || rule === 'voice') {
      const who = typeof param === 'string' ? this.people.get(param) : undefined;
      // the owner stays what they are
      if (!who || (rule === 'operator' && !isAdded && this.isOwnedBy(who))) return false;
    }
    return this.rules.apply(change, by, at);
  }

  title({ text, who, at }: Titled): void {
    this.settings = { ...this.settings, description: text };
    this.rules.setTopic(text === '' ? undefined : { by: who.name, at });
  }

  #setPassword(hash: string | number | undefined, isAdded: boolean): boolean {
    if (isAdded && (typeof hash !== 'string' || hash === '')) return false;
    const { password } = this.settings;
    if (hash === password) return false;
    this.rules.setKeyed(isAdded && (password === undefined || this.rules.isKeyed));
    this.settings = { ...this.settings, password: hash as string | undefined };
    return true;
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
