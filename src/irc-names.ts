// Layer 3. How people and rooms of the house are spelled for IRC clients, and who is meant by a spelling. What IRC can
// spell stands as it is; the rest gets an alias that stays the same as long as they are there.

import type { Person } from './events.ts';
import { CHANNEL_CHARS, cut, foldIrc, NICK_CHARS, spellChannel, spellNick } from './irc-masks.ts';
import { alias } from './names.ts';
import type { Room } from './room.ts';
import type { House } from './rooms.ts';

/** So many numbers are tried in turn for what is spelled like another; then the next that no other one has got. */
const MAX_TRIED = 20;
/** Of somebody whose address is not known. */
const NOWHERE = 'parley';

export class IrcNames {
  readonly #house: House;
  readonly #prefixes = new WeakMap<Person, string>();
  /** Nicks that are not the name ... */
  readonly #nicks = new WeakMap<Person, string>();
  /** ... and whose they are, by id. */
  readonly #byNick = new Map<string, string>();
  readonly #channels = new WeakMap<Room, string>();
  readonly #byChannel = new Map<string, Room>();
  #nextNumber = MAX_TRIED + 1;
  readonly #userOf: (person: Person) => string | undefined;

  /** `userOf` knows what IRC clients call themselves. */
  constructor(house: House, userOf: (person: Person) => string | undefined) {
    this.#house = house;
    this.#userOf = userOf;
  }

  nickOf(person: Person): string {
    const known = this.#nicks.get(person);
    if (known !== undefined) return known;
    const spelled = spellNick(person.name);
    // who has gone long ago needs no name that nobody else has
    const isPlain = spelled === person.name && !this.isAlias(spelled);
    if (isPlain || this.#house.personById(person.id) !== person) return spelled;
    return this.#alias(person, spelled);
  }

  /** Somebody is called so whose name is another. */
  isAlias(nick: string): boolean {
    return this.#byNick.size > 0 && this.#byNick.has(foldIrc(nick));
  }

  /** That one is gone, or is called something else. */
  forget(person: Person): void {
    const nick = this.#nicks.get(person);
    if (nick !== undefined) this.#byNick.delete(foldIrc(nick));
  }

  /** It is the same one under the same name. */
  kept(before: Person, after: Person): void {
    const nick = this.#nicks.get(before);
    if (nick !== undefined) this.#nicks.set(after, nick);
  }

  personOf(nick: string): Person | undefined {
    const id = this.#byNick.get(foldIrc(nick));
    if (id !== undefined) return this.#house.personById(id);
    const person = this.#house.personNamed(nick);
    // a name that is spelled otherwise here is not called by its own
    return person && this.nickOf(person) === person.name ? person : undefined;
  }

  /** nick!user@host. */
  prefixOf(person: Person): string {
    let prefix = this.#prefixes.get(person);
    if (prefix === undefined) {
      prefix = `${this.nickOf(person)}!${this.userOf(person)}@${this.hostOf(person)}`;
      this.#prefixes.set(person, prefix);
    }
    return prefix;
  }

  userOf(person: Person): string {
    return this.#userOf(person) ?? (person.dialect === '' ? 'parley' : person.dialect);
  }

  hostOf({ host = NOWHERE }: Pick<Person, 'host'>): string {
    return host.startsWith(':') ? `0${host}` : host;
  }

  channelOf(room: Room): string {
    const known = this.#channels.get(room);
    if (known !== undefined) return known;
    const plain = `#${room.name}`;
    const spelled = spellChannel(room.name);
    const isPlain = spelled === plain && this.#roomCalled(plain) === undefined;
    const channel = isPlain ? plain : this.#channelAlias(room, spelled);
    this.#channels.set(room, channel);
    return channel;
  }

  roomOf(channel: string): Room | undefined {
    const other = this.#roomCalled(channel);
    if (other) return other;
    const room = channel.startsWith('#') ? this.#house.findRoom(channel.slice(1)) : undefined;
    return room && this.channelOf(room) === `#${room.name}` ? room : undefined;
  }

  /** By an alias; what is no longer among the rooms has none. */
  #roomCalled(channel: string): Room | undefined {
    const room = this.#byChannel.get(foldIrc(channel));
    return room && this.#house.rooms.get(room.key) === room ? room : undefined;
  }

  #alias(person: Person, spelled: string): string {
    for (let n = 1; ; n = this.#after(n)) {
      const nick = numbered(spelled, n, NICK_CHARS);
      const key = foldIrc(nick);
      if (this.#byNick.has(key) || this.#house.personNamed(nick)) continue;
      this.#byNick.set(key, person.id);
      this.#nicks.set(person, nick);
      return nick;
    }
  }

  #channelAlias(room: Room, spelled: string): string {
    for (let n = 1; ; n = this.#after(n)) {
      const channel = numbered(spelled, n, CHANNEL_CHARS);
      if (this.#roomCalled(channel) || this.#house.findRoom(channel.slice(1))) continue;
      this.#byChannel.set(foldIrc(channel), room);
      this.#sweep();
      return channel;
    }
  }

  /** Whoever makes thousands that are spelled the same must not have each of them tried for the next one. */
  #after(n: number): number {
    return n < MAX_TRIED ? n + 1 : this.#nextNumber++;
  }

  /** Rooms that are no longer among the rooms need no alias. */
  #sweep(): void {
    const { rooms } = this.#house;
    if (this.#byChannel.size <= 2 * rooms.size) return;
    for (const [channel, room] of this.#byChannel) if (rooms.get(room.key) !== room) this.#byChannel.delete(channel);
  }
}

/** With `~2` and so on, and no longer than it may be. */
function numbered(spelled: string, n: number, maxChars: number): string {
  return alias(cut(spelled, n < 2 ? maxChars : maxChars - `~${n}`.length), n);
}
