// Layer 2. The rules of one room: who its operators are, who has a voice, who is kept out or let in all the same, and
// what is switched on. Pure: whether a mask fits somebody is told by what is handed in. Nothing that is empty is held.

import type { Flag, MaskKind, Person, RuleChange } from './events.ts';

export const MAX_MASKS = 100;
/** Of those invited who have not come, only so many are remembered. */
const MAX_INVITES = 100;
const MAX_LIMIT = 2 ** 31 - 1;

const OPERATOR = 1;
const VOICE = 2;

/** What a room has that nobody has said anything else of. */
const DEFAULT_FLAGS: readonly Flag[] = ['membersOnly', 'topicLocked'];
const FLAG_BITS: Readonly<Record<Flag, number>> = {
  inviteOnly: 1,
  moderated: 2,
  membersOnly: 4,
  secret: 8,
  topicLocked: 16,
};
const FLAGS = Object.keys(FLAG_BITS) as Flag[];
const DEFAULT_BITS = bitsOf(DEFAULT_FLAGS);
/** Those that keep people out, or from speaking. */
const SHUTTING_FLAGS: readonly Flag[] = ['inviteOnly', 'moderated'];
const MASK_KINDS: readonly MaskKind[] = ['ban', 'exempt', 'invited'];

export interface KeptMask {
  readonly mask: string;
  /** The name of whoever set it, and when. */
  readonly by: string;
  readonly at: number;
}

/** Who said last what the room is about, and when. */
export interface KeptTopic {
  readonly by: string;
  readonly at: number;
}

/** What the store keeps. Who is an operator, has a voice or was asked in is not kept. */
export interface KeptRules {
  readonly flags: readonly Flag[];
  readonly limit?: number;
  readonly masks?: Partial<Record<MaskKind, readonly KeptMask[]>>;
  readonly topic?: KeptTopic;
  /** The password was given as a rule: the room was there without. */
  readonly isKeyed?: true;
  /** When it was closed no more: what had been said in it behind closed doors is nobody's to read. */
  readonly opened?: number;
}

export type MaskMatcher = (mask: string, person: Person) => boolean;

export class RoomRules {
  #flags = DEFAULT_BITS;
  #limit: number | undefined;
  #topic: KeptTopic | undefined;
  #ranks: Map<string, number> | undefined;
  #masks: Partial<Record<MaskKind, Map<string, KeptMask>>> | undefined;
  #invites: Set<string> | undefined;
  #isKeyed: boolean;
  #opened: number;
  /** Whether the bans are for somebody, looked up with every post: a change of name makes another person of them. */
  #verdicts: WeakMap<Person, boolean> | undefined;

  constructor(kept?: KeptRules) {
    this.#isKeyed = kept?.isKeyed ?? false;
    this.#opened = kept?.opened ?? 0;
    if (!kept) return;
    this.#flags = bitsOf(kept.flags);
    this.#limit = kept.limit;
    this.#topic = kept.topic;
    for (const kind of MASK_KINDS) {
      const masks = kept.masks?.[kind];
      if (masks) this.#masks = { ...this.#masks, [kind]: new Map(masks.map((one) => [one.mask, one])) };
    }
  }

  /** Undefined where there is nothing to keep. */
  kept(): KeptRules | undefined {
    const isPlain = this.#flags === DEFAULT_BITS && this.#limit === undefined && !this.#masks;
    if (isPlain && !this.#topic && !this.#isKeyed && this.#opened === 0) return undefined;
    const masks: Partial<Record<MaskKind, readonly KeptMask[]>> = {};
    for (const kind of MASK_KINDS) if (this.#masks?.[kind]) masks[kind] = this.masks(kind);
    return {
      flags: this.flags(),
      ...(this.#limit !== undefined && { limit: this.#limit }),
      ...(this.#masks && { masks }),
      ...(this.#topic && { topic: this.#topic }),
      ...(this.#isKeyed && { isKeyed: true }),
      ...(this.#opened > 0 && { opened: this.#opened }),
    };
  }

  // --- what they are ---------------------------------------------------------------------------------------

  has(flag: Flag): boolean {
    return (this.#flags & FLAG_BITS[flag]) !== 0;
  }

  flags(): Flag[] {
    return FLAGS.filter((flag) => this.has(flag));
  }

  get limit(): number | undefined {
    return this.#limit;
  }

  get topic(): KeptTopic | undefined {
    return this.#topic;
  }

  get isKeyed(): boolean {
    return this.#isKeyed;
  }

  /** What was said before in confidence is nobody's to read any more. */
  get opened(): number {
    return this.#opened;
  }

  masks(kind: MaskKind): KeptMask[] {
    return [...(this.#masks?.[kind]?.values() ?? [])];
  }

  isOperator(id: string): boolean {
    return ((this.#ranks?.get(id) ?? 0) & OPERATOR) !== 0;
  }

  hasVoice(id: string): boolean {
    return ((this.#ranks?.get(id) ?? 0) & VOICE) !== 0;
  }

  /** Asked in by an operator, and not come yet. */
  isAsked(id: string): boolean {
    return this.#invites?.has(id) ?? false;
  }

  isBanned(person: Person, matches: MaskMatcher): boolean {
    if (!this.#masks?.ban) return false;
    this.#verdicts ??= new WeakMap();
    const known = this.#verdicts.get(person);
    if (known !== undefined) return known;
    const isBanned = this.#fits('ban', person, matches) && !this.#fits('exempt', person, matches);
    this.#verdicts.set(person, isBanned);
    return isBanned;
  }

  isOnInviteList(person: Person, matches: MaskMatcher): boolean {
    return this.#fits('invited', person, matches);
  }

  /** Who is in the room and may not be heard: the moderated are, and the banned, but not operators and voices. */
  isSilenced(person: Person, matches: MaskMatcher): boolean {
    if (!this.#masks?.ban && !this.has('moderated')) return false;
    if (this.#ranks?.has(person.id)) return false;
    return this.has('moderated') || this.isBanned(person, matches);
  }

  // --- what changes ----------------------------------------------------------------------------------------

  /** Whether anything is another than before. Where the one with that id is, and the password, are the room's to know. */
  apply({ isAdded, rule, param }: RuleChange, by: string, at: number): boolean {
    switch (rule) {
      case 'operator':
        return typeof param === 'string' && this.#setRank(param, OPERATOR, isAdded);
      case 'voice':
        return typeof param === 'string' && this.#setRank(param, VOICE, isAdded);
      case 'ban':
      case 'exempt':
      case 'invited':
        if (typeof param !== 'string' || param === '') return false;
        return isAdded ? this.#addMask(rule, { mask: param, by, at }) : this.#dropMask(rule, param);
      case 'limit':
        return this.#setLimit(isAdded ? param : undefined, isAdded);
      case 'key':
        return false;
      default:
        return this.#setFlag(rule, isAdded);
    }
  }

  setKeyed(isKeyed: boolean): void {
    this.#isKeyed = isKeyed;
  }

  /** Nothing keeps anybody out any more, nor from speaking; whether anything did. */
  open(): boolean {
    const before = this.#flags;
    this.#flags &= ~bitsOf(SHUTTING_FLAGS);
    const isOther = before !== this.#flags || this.#limit !== undefined || this.#masks !== undefined || this.#isKeyed;
    this.#limit = undefined;
    this.#masks = undefined;
    this.#verdicts = undefined;
    this.#isKeyed = false;
    return isOther;
  }

  setOpened(at: number): void {
    this.#opened = Math.max(this.#opened, at);
  }

  setTopic(topic: KeptTopic | undefined): void {
    this.#topic = topic;
  }

  /** Asked in: the oldest of too many are forgotten. */
  ask(id: string): void {
    this.#invites ??= new Set();
    this.#invites.delete(id);
    this.#invites.add(id);
    const [oldest] = this.#invites;
    if (this.#invites.size > MAX_INVITES && oldest !== undefined) this.#invites.delete(oldest);
  }

  came(id: string, isOperator: boolean): void {
    if (isOperator) this.#setRank(id, OPERATOR, true);
    if (this.#invites?.delete(id) && this.#invites.size === 0) this.#invites = undefined;
  }

  left(id: string): void {
    if (this.#ranks?.delete(id) && this.#ranks.size === 0) this.#ranks = undefined;
  }

  #setRank(id: string, rank: number, isAdded: boolean): boolean {
    const before = this.#ranks?.get(id) ?? 0;
    const after = isAdded ? before | rank : before & ~rank;
    if (after === before) return false;
    this.#ranks ??= new Map();
    if (after !== 0) this.#ranks.set(id, after);
    else if (this.#ranks.delete(id) && this.#ranks.size === 0) this.#ranks = undefined;
    return true;
  }

  #setFlag(flag: Flag, isAdded: boolean): boolean {
    if (!Object.hasOwn(FLAG_BITS, flag) || this.has(flag) === isAdded) return false;
    this.#flags ^= FLAG_BITS[flag];
    return true;
  }

  #setLimit(limit: string | number | undefined, isAdded: boolean): boolean {
    if (isAdded && !(typeof limit === 'number' && Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT))
      return false;
    if (limit === this.#limit) return false;
    this.#limit = limit as number | undefined;
    return true;
  }

  #addMask(kind: MaskKind, mask: KeptMask): boolean {
    const masks = this.#masks?.[kind];
    if (masks && (masks.has(mask.mask) || masks.size >= MAX_MASKS)) return false;
    if (masks) masks.set(mask.mask, mask);
    else this.#masks = { ...this.#masks, [kind]: new Map([[mask.mask, mask]]) };
    this.#verdicts = undefined;
    return true;
  }

  #dropMask(kind: MaskKind, mask: string): boolean {
    const masks = this.#masks?.[kind];
    if (!this.#masks || !masks?.delete(mask)) return false;
    if (masks.size === 0) delete this.#masks[kind];
    if (Object.keys(this.#masks).length === 0) this.#masks = undefined;
    this.#verdicts = undefined;
    return true;
  }

  #fits(kind: MaskKind, person: Person, matches: MaskMatcher): boolean {
    for (const mask of this.#masks?.[kind]?.keys() ?? []) if (matches(mask, person)) return true;
    return false;
  }
}

function bitsOf(flags: readonly Flag[]): number {
  return flags.reduce((bits, flag) => bits | (FLAG_BITS[flag] ?? 0), 0);
}
