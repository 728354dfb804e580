// Layer 3. What all IRC connections of a server share: who they are, how people and rooms are spelled, what the server is
// called, who watches for whom.

import type { Accounts } from './accounts.ts';
import { HouseError } from './errors.ts';
import type { ClientTags, Flag, MaskKind, Person, Rule, RuleChange, Whisper } from './events.ts';
import { CapTable } from './irc-caps.ts';
import type { MaskCache } from './irc-mask-cache.ts';
import { foldIrc } from './irc-masks.ts';
import { writeModes } from './irc-modes.ts';
import { Monitors } from './irc-monitors.ts';
import { IrcNames } from './irc-names.ts';
import type { IrcSession } from './irc-session.ts';
import { nameKey } from './names.ts';
import type { Audience, Member, Room } from './room.ts';
import type { House } from './rooms.ts';
import type { Broadcast, Port } from './session.ts';
import type { IrcSent } from './wire-irc.ts';

export interface IrcSettings {
  readonly serverName: string;
  readonly network: string;
  /** Keys of the accounts whose password makes an operator of the server. */
  readonly opers: ReadonlySet<string>;
  /** So many lines of a room are told to a client that can't ask for them. */
  readonly replay: number;
  /** The message of the day; none where there are no lines. */
  readonly motd: readonly string[];
  /** The value of `sts`, where there is TLS. */
  readonly sts?: string | undefined;
  /** Where files may be dropped, as seen from a connection. */
  readonly fileHost?: ((port: Port) => string | undefined) | undefined;
}

export interface IrcOptions {
  readonly house: House;
  readonly accounts: Accounts;
  readonly broadcast: () => Broadcast;
  /** The time of day in milliseconds. */
  readonly wall: () => number;
  readonly now: () => number;
  readonly irc: IrcSettings;
  /** What the house asks about masks; it is told here how people are spelled. */
  readonly masks: MaskCache;
  /** Puts somebody out of the house; false for who can't be. */
  readonly expel: (person: Person, reason: string) => boolean;
}

/** A message about which its receivers may know more, if they have asked for it. */
export interface Said extends IrcSent {
  readonly at: number;
  readonly account?: string | undefined;
  readonly msgid?: string | undefined;
  /** Said by a program. */
  readonly isBot?: boolean | undefined;
  /** Tags that the sender has added. */
  readonly client?: ClientTags | undefined;
  /** Parameters for those who know `extended-join`. */
  readonly extended?: readonly string[];
}

/** Somebody who is not here any more. */
export interface Gone {
  readonly nick: string;
  readonly user: string;
  readonly host: string;
  readonly realName: string;
  readonly at: number;
}

const MAX_GONE = 1000;
/** Last posts that were seen, by who and where: so many are remembered. */
const MAX_SEEN = 20_000;

/** The letters of channel modes. */
export const MODE_LETTERS: Readonly<Record<Rule, string>> = {
  operator: 'o',
  voice: 'v',
  ban: 'b',
  exempt: 'e',
  invited: 'I',
  inviteOnly: 'i',
  moderated: 'm',
  membersOnly: 'n',
  secret: 's',
  topicLocked: 't',
  limit: 'l',
  key: 'k',
};
export const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries(MODE_LETTERS).map(([rule, letter]) => [letter, rule as Rule]),
);
export const FLAGS: readonly Flag[] = ['inviteOnly', 'moderated', 'membersOnly', 'secret', 'topicLocked'];
export const LISTS: readonly MaskKind[] = ['ban', 'exempt', 'invited'];

export class Irc {
  readonly options: IrcOptions;
  readonly house: House;
  readonly names: IrcNames;
  readonly caps: CapTable;
  readonly monitors: Monitors;
  /** Clients with user mode `i`, and operators of the server. */
  readonly invisible = new Set<IrcSession>();
  readonly opers = new Set<IrcSession>();
  /** The latest last. */
  readonly gone: Gone[] = [];
  readonly started: number;
  readonly #sessions = new Map<string, IrcSession>();
  readonly #all = new Set<IrcSession>();
  readonly #seen = new Map<string, number>();
  readonly #tongue;
  #nextBatch = 1;
  /** The most that there have been at once. */
  mostPeople = 0;

  constructor(
    options: IrcOptions,
    audience: (irc: Irc, room: Room, sessionOf: (member: Member) => IrcSession) => Audience,
  ) {
    this.options = options;
    this.house = options.house;
    this.caps = new CapTable(options.irc.sts);
    this.started = options.wall();
    this.names = new IrcNames(options.house, (person) => this.#sessions.get(person.id)?.user);
    options.masks.spellWith((person) => this.names.prefixOf(person));
    this.monitors = new Monitors(this);
    this.#tongue = {
      dialect: 'irc',
      audience: (room: Room) => audience(this, room, (member) => this.#sessionOf(member)),
      whisper: (member: Member, whisper: Parameters<IrcSession['whisper']>[0]) =>
        this.#sessionOf(member).whisper(whisper),
      signal: (member: Member, signal: Parameters<IrcSession['signal']>[0]) => this.#sessionOf(member).signal(signal),
      invited: (member: Member, invited: Parameters<IrcSession['invited']>[0]) =>
        this.#sessionOf(member).invited(invited),
    };
    options.house.watch({
      // of ours it is not known yet who they are
      entered: (person) => !this.#isOurs(person) && this.#entered(person),
      changed: (before, after) => this.#changed(before, after),
      quit: (person) => this.#quit(person),
    });
  }

  get serverName(): string {
    return this.options.irc.serverName;
  }

  // --- sessions --------------------------------------------------------------------------------------------

  opened(session: IrcSession): void {
    this.#all.add(session);
  }

  closed(session: IrcSession): void {
    this.#all.delete(session);
    this.monitors.forget(session);
    this.invisible.delete(session);
    this.opers.delete(session);
  }

  get sessions(): Iterable<IrcSession> {
    return this.#all;
  }

  /** Connections that are nobody yet. */
  get unknown(): number {
    return this.#all.size - this.#sessions.size;
  }

  async enter(session: IrcSession, nick: string, isOwner: boolean): Promise<Member> {
    this.checkNick(nick);
    const owner = isOwner ? 'account' : undefined;
    const origin = { account: session.login?.name, host: session.port.remote.ip };
    const member = await this.house.enter(nick, this.#tongue, 'exactly', owner, origin);
    this.#sessions.set(member.person.id, session);
    this.#entered(member.person);
    return member;
  }

  /** Somebody whose name can't be spelled may be called that already, or the server. */
  checkNick(nick: string): void {
    if (this.names.isAlias(nick) || isSameNick(nick, this.serverName))
      throw new HouseError('name-taken', `the name ${nick} is taken`);
  }

  quit(member: Member, reason: string): void {
    this.house.quit(member, reason);
    this.#sessions.delete(member.person.id);
  }

  sessionOf(person: Person): IrcSession | undefined {
    return this.#sessions.get(person.id);
  }

  /** The server is going down. */
  close(reason: string): number {
    for (const session of this.#all) session.dropped(reason);
    return 0;
  }

  // --- what is known of people -----------------------------------------------------------------------------

  realNameOf(person: Person): string {
    return this.sessionOf(person)?.realName ?? person.nick;
  }

  awayOf(person: Person): string | undefined {
    return this.sessionOf(person)?.away;
  }

  /** What receivers may know of somebody who says or does something. */
  saidBy(person: Person, at: number): Pick<Said, 'at' | 'account' | 'isBot'> & { readonly source: string } {
    return { source: this.names.prefixOf(person), at, account: person.account, isBot: this.isBot(person) };
  }

  isOper(person: Person): boolean {
    return this.house.member(person.id)?.isWarden ?? false;
  }

  isBot(person: Person): boolean {
    return this.sessionOf(person)?.hasMode('B') ?? false;
  }

  mayBeOper(account: string): boolean {
    return this.options.irc.opers.has(nameKey(account));
  }

  // --- what was seen ---------------------------------------------------------------------------------------

  /** The last post of that room that somebody of that name has seen. */
  lastSeen(who: string, room: Room): number | undefined {
    return this.#seen.get(`${who}\n${room.key}`);
  }

  saw(who: string, room: Room, post: number): void {
    const key = `${who}\n${room.key}`;
    this.#seen.delete(key);
    this.#seen.set(key, post);
    for (const [oldest] of this.#seen) {
      if (this.#seen.size <= MAX_SEEN) return;
      this.#seen.delete(oldest);
    }
  }

  // --- spelling --------------------------------------------------------------------------------------------

  /** Of a post that takes several lines each has one, with a number behind it. */
  msgidOf(post: number): string {
    return `p${post.toString(36)}`;
  }

  /** What is kept has an id for good. */
  msgidOfWhisper({ id, keptAs }: Whisper): string {
    return keptAs === undefined ? id : this.msgidOf(keptAs);
  }

  postOf(msgid: string): number | undefined {
    const [, digits] = /^p([0-9a-z]{1,10})(?:\.\d+)?$/.exec(msgid) ?? [];
    return digits === undefined ? undefined : Number.parseInt(digits, 36);
  }

  nextBatch(): string {
    return (this.#nextBatch++).toString(36);
  }

  /** The parameters of the MODE messages that tell of these changes. */
  modesOf(room: Room, changes: readonly RuleChange[]): string[][] {
    const written = changes.map(({ isAdded, rule, param }) => ({
      isAdded,
      mode: MODE_LETTERS[rule],
      param: this.#modeParam(rule, param, isAdded),
    }));
    return writeModes(written).map((words) => [this.names.channelOf(room), ...words]);
  }

  #modeParam(rule: Rule, param: RuleChange['param'], isAdded: boolean): string | undefined {
    if (rule === 'key') return '*';
    if (rule === 'limit') return isAdded ? String(param) : undefined;
    if (rule !== 'operator' && rule !== 'voice') return param === undefined ? undefined : String(param);
    const person = this.house.personById(String(param));
    return person ? this.names.nickOf(person) : '*';
  }

  #sessionOf(member: Member): IrcSession {
    const session = this.#sessions.get(member.person.id);
    if (!session) throw new Error(`${member.person.name} has no session`);
    return session;
  }

  /** An IRC client of this node. */
  #isOurs({ id, dialect }: Person): boolean {
    return dialect === 'irc' && this.house.member(id) !== undefined;
  }

  // --- comings and goings ----------------------------------------------------------------------------------

  #entered(person: Person): void {
    this.mostPeople = Math.max(this.mostPeople, this.house.people);
    // who is spelled otherwise can be called by that from now on
    this.names.nickOf(person);
    this.monitors.came(person);
  }

  #changed(before: Person, after: Person): void {
    if (before.name === after.name) {
      this.names.kept(before, after);
      return this.monitors.accountChanged(after);
    }
    this.#remember(before);
    this.names.forget(before);
    // who is spelled otherwise can be called by that from now on
    this.names.nickOf(after);
    this.monitors.renamed(before, after);
  }

  #quit(person: Person): void {
    this.#remember(person);
    this.monitors.went(person);
    this.names.forget(person);
  }

  #remember(person: Person): void {
    const { names } = this;
    const nick = names.nickOf(person);
    this.gone.push({
      nick,
      user: names.userOf(person),
      host: names.hostOf(person),
      realName: this.realNameOf(person),
      at: this.options.wall(),
    });
    if (this.gone.length > MAX_GONE) this.gone.splice(0, this.gone.length - MAX_GONE);
  }
}

/** As `server-time` has it. */
export function timeOf(at: number): string {
  return new Date(at).toISOString();
}

export function isSameNick(a: string, b: string): boolean {
  return foldIrc(a) === foldIrc(b);
}
