// Layer 2. A house that knows where its people come from: banned names are refused, and who comes in or enters rooms
// too often is told so, by errors that each dialect has words for. On whose behalf something is asked is handed in.

import type { Owner } from './backbone.ts';
import { type Bans, banEnds } from './bans.ts';
import { HouseError, tooFast } from './errors.ts';
import type { Visit } from './gate.ts';
import type { Member, Pass, Room, Tongue } from './room.ts';
import { House, type HouseOptions, type Newcomer } from './rooms.ts';
import type { Address } from './session.ts';

/** Where somebody comes from ... */
export interface Origin {
  readonly remote: Address;
  /** There is no connection that could be closed. */
  readonly isDatagram: boolean;
  /** The connection is over. */
  readonly isGone: boolean;
}

/** ... as it is at work: a connection, or an address that sends datagrams. */
export interface Source extends Origin {
  readonly visit: Visit;
  /** Somebody has come into the house on it. */
  hasEntered(): void;
  /** Tells it why, in its dialect's form, and closes, where there is a connection. */
  expel(reason: string, name: string): void;
}

const MAX_SOURCES = 64;

/** Somebody who is in the house. */
export interface Presence {
  readonly member: Member;
  readonly sources: readonly Origin[];
}

class Known implements Presence {
  readonly member: Member;
  /** None of somebody who was there before the server was started again. */
  heard: readonly Source[];

  constructor(member: Member, source: Source | undefined) {
    this.member = member;
    this.heard = source ? [source] : [];
  }

  get sources(): readonly Origin[] {
    const remote = this.heard.length > 0 ? undefined : this.member.tongue.addressOf?.(this.member);
    return remote ? [{ remote, isDatagram: true, isGone: false }] : this.heard;
  }
}

/** Who has logged in, whether in the house or not. */
interface Login {
  readonly name: string;
  readonly source: Source;
}

export interface GuardedHouseOptions extends HouseOptions {
  readonly bans: Bans;
  /** A monotonic time in milliseconds. */
  readonly now: () => number;
  /** On whose behalf something is asked right now. */
  readonly source: () => Source | undefined;
}

export class GuardedHouse extends House {
  readonly #bans: Bans;
  readonly #now: () => number;
  readonly #source: () => Source | undefined;
  readonly #present = new Map<string, Known>();
  readonly #logins = new Set<Login>();

  constructor({ bans, now, source, ...options }: GuardedHouseOptions) {
    super(options);
    this.#bans = bans;
    this.#now = now;
    this.#source = source;
  }

  override async enter(
    nick: string,
    tongue: Tongue,
    as: 'exactly' | 'aliased',
    owner?: Owner,
    newcomer?: Newcomer,
  ): Promise<Member> {
    const source = this.#source();
    this.admit(nick);
    const wait = source?.visit.login(this.#now()) ?? 0;
    if (wait > 0) throw tooFast('too many have come in from where you are', wait);
    const member = await super.enter(nick, tongue, as, owner, { host: source?.remote.ip, ...newcomer });
    this.#present.set(member.person.id, new Known(member, source));
    source?.hasEntered();
    return member;
  }

  override async rename(member: Member, nick: string, owner?: Owner): Promise<void> {
    this.admit(nick);
    await super.rename(member, nick, owner);
  }

  override join(member: Member, room: Room, pass?: Pass, isFounder?: boolean): void {
    const source = this.#source();
    if (member.rooms.has(room.key)) return;
    // put out while it was on its way in
    if (!this.#present.has(member.person.id)) throw new HouseError('not-allowed', 'you were put out');
    const wait = source?.visit.join(this.#now()) ?? 0;
    if (wait > 0) throw tooFast('you have entered too many rooms', wait);
    super.join(member, room, pass, isFounder);
    // several connections may be one person's
    const known = this.#present.get(member.person.id);
    if (source && known) known.heard = withLatest(known.heard, source);
  }

  override quit(member: Member, reason: string): void {
    this.#present.delete(member.person.id);
    super.quit(member, reason);
  }

  override admit(name: string): void {
    const ban = this.#bans.ofName(name);
    if (ban) throw new HouseError('not-allowed', `the name ${ban.shown} is banned ${banEnds(ban)}`);
  }

  override logIn(name: string): () => void {
    this.admit(name);
    const source = this.#source();
    if (!source) return () => {};
    const login = { name, source };
    this.#logins.add(login);
    return () => void this.#logins.delete(login);
  }

  /** Everybody who is in, in a room or not. */
  present(): Iterable<Presence> {
    return this.#present.values();
  }

  presence(name: string): Presence | undefined {
    const member = this.memberNamed(name);
    return member && this.#present.get(member.person.id);
  }

  /** Out of the house: told why where its dialect can, and closed. Says whether it is. */
  expel({ member }: Presence, reason: string): boolean {
    const { person, tongue } = member;
    const known = this.#present.get(person.id);
    if (!known || (known.heard.length === 0 && !tongue.expel)) return false;
    for (const source of known.heard) source.expel(reason, person.name);
    if (this.#present.has(person.id)) tongue.expel?.(member, reason);
    // by UDP, and on connections that have asked for nothing, one is out when the house says so
    if (this.#present.has(person.id)) this.quit(member, reason);
    return true;
  }

  /** Closes the connections that have logged in to a name which is banned now; says how many. */
  expelBanned(reason: string): number {
    const those = [...this.#logins].filter(({ name, source }) => !source.isGone && this.#bans.ofName(name));
    for (const { name, source } of those) source.expel(reason, name);
    return those.length;
  }

  /** The same for who has that name; false for who is not here, or can't be put out. */
  expelNamed(name: string, reason: string): boolean {
    const presence = this.presence(name);
    return presence !== undefined && this.expel(presence, reason);
  }
}

/** The latest last; of those by UDP one for each address. */
function withLatest(sources: readonly Source[], source: Source): readonly Source[] {
  if (sources.at(-1) === source) return sources;
  const others = sources.filter((one) => one !== source && !one.isGone && !isSameSender(one, source));
  return [...others.slice(1 - MAX_SOURCES), source];
}

function isSameSender(a: Source, b: Source): boolean {
  return a.isDatagram && b.isDatagram && a.remote.ip === b.remote.ip && a.remote.port === b.remote.port;
}
