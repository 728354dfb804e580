// Layer 2. Who is there: the members of this node by id and by name, people of other nodes as long as they are in
// a room, and who wants to hear of them.

import type { HouseEvent, Person } from './events.ts';
import { nameKey } from './names.ts';
import type { Member } from './room.ts';

/** Told of everybody, in a room or not; of those of other nodes from their first room to their last. */
export interface Watcher {
  entered?(person: Person): void;
  changed?(before: Person, after: Person): void;
  quit?(person: Person, reason: string): void;
}

interface Stranger {
  person: Person;
  rooms: number;
}

export class People {
  readonly #node: string;
  readonly #onBug: (error: unknown) => void;
  readonly #members = new Map<string, Member>();
  readonly #byName = new Map<string, Member>();
  /** Of other nodes, by id and by name. */
  readonly #strangers = new Map<string, Stranger>();
  readonly #strangersByName = new Map<string, Stranger>();
  readonly #watchers: Watcher[] = [];

  constructor(node: string, onBug: (error: unknown) => void) {
    this.#node = `${node}.`;
    this.#onBug = onBug;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Of this node, there or gone. */
  isOurs(id: string): boolean {
    return id.startsWith(this.#node);
  }

  watch(watcher: Watcher): void {
    this.#watchers.push(watcher);
  }

  members(): Iterable<Member> {
    return this.#members.values();
  }

  member(id: string): Member | undefined {
    return this.#members.get(id);
  }

  named(name: string): Member | undefined {
    return this.#byName.get(nameKey(name.trim()));
  }

  personNamed(name: string): Person | undefined {
    const key = nameKey(name.trim());
    return this.#byName.get(key)?.person ?? this.#strangersByName.get(key)?.person;
  }

  personById(id: string): Person | undefined {
    return this.#members.get(id)?.person ?? this.#strangers.get(id)?.person;
  }

  /** `key` is that of the name. */
  add(member: Member, key: string): void {
    this.#members.set(member.person.id, member);
    this.#byName.set(key, member);
    this.#tell((watcher) => watcher.entered?.(member.person));
  }

  /** False when they were gone already. `leave` is what they do before others hear that they are gone. */
  remove(member: Member, reason: string, leave: () => void): boolean {
    const { person } = member;
    if (!this.#members.delete(person.id)) return false;
    this.#byName.delete(nameKey(person.name));
    leave();
    this.#tell((watcher) => watcher.quit?.(member.person, reason));
    return true;
  }

  /** Who they are from now on. */
  replace(member: Member, after: Person): void {
    const before = member.person;
    member.person = after;
    this.#byName.delete(nameKey(before.name));
    this.#byName.set(nameKey(after.name), member);
    this.#tell((watcher) => watcher.changed?.(before, after));
  }

  /** Of the members of this node more is known than that. */
  heard(event: HouseEvent): void {
    if (event.kind !== 'joined' && event.kind !== 'left' && event.kind !== 'changed') return;
    if (this.isOurs(event.who.id)) return;
    const stranger = this.#strangers.get(event.who.id);
    if (event.kind === 'joined') this.#came(event.who, stranger);
    else if (!stranger) return;
    else if (event.kind === 'left') this.#went(stranger, event.reason);
    else this.#became(stranger, event.who);
  }

  #came(person: Person, known: Stranger | undefined): void {
    if (known) {
      known.rooms++;
      return;
    }
    const stranger = { person, rooms: 1 };
    this.#strangers.set(person.id, stranger);
    this.#strangersByName.set(nameKey(person.name), stranger);
    this.#tell((watcher) => watcher.entered?.(person));
  }

  #went(stranger: Stranger, reason: string): void {
    if (--stranger.rooms > 0) return;
    this.#strangers.delete(stranger.person.id);
    this.#strangersByName.delete(nameKey(stranger.person.name));
    this.#tell((watcher) => watcher.quit?.(stranger.person, reason));
  }

  /** It is heard once for each of their rooms. */
  #became(stranger: Stranger, after: Person): void {
    const before = stranger.person;
    if (before.name === after.name && before.account === after.account) return;
    stranger.person = after;
    this.#strangersByName.delete(nameKey(before.name));
    this.#strangersByName.set(nameKey(after.name), stranger);
    this.#tell((watcher) => watcher.changed?.(before, after));
  }

  #tell(call: (watcher: Watcher) => void): void {
    for (const watcher of this.#watchers) {
      try {
        call(watcher);
      } catch (error) {
        this.#onBug(error);
      }
    }
  }
}
