// Layer 2. Who may not come in: networks and names, for a while or for good. Kept in the store that is handed in; the
// time of day is passed in.

import { type Cidr, cidrOf, formatCidr, parseCidr, parseIp } from './cidr.ts';
import { HouseError } from './errors.ts';
import { checkName, nameKey } from './names.ts';

const MAX_BANS = 10_000;
/** So many are asked of the store at once where it has failed. */
const MAX_AGAIN = 100;

export interface BanId {
  /** A network as it is written, or the key of a name. */
  readonly key: string;
  readonly kind: 'network' | 'name';
}

/** As it is kept. */
export interface StoredBan extends BanId {
  /** As the operator wrote it. */
  readonly shown: string;
  /** The time of day, ms. */
  readonly at: number;
  /** Undefined: for good. */
  readonly until: number | undefined;
}

export interface BanStore {
  /** Settles when it is kept. */
  putBan(ban: StoredBan): Promise<void>;
  dropBan(kind: StoredBan['kind'], key: string): Promise<void>;
}

export class Bans {
  readonly #store: BanStore;
  readonly #wall: () => number;
  readonly #byKey = new Map<string, StoredBan>();
  /** Those of networks once more, by their length: however many there are, an address is looked up a few times. */
  readonly #byBits = new Map<number, Map<string, StoredBan>>();
  readonly #onTrouble: (error: unknown) => void;
  readonly #later: (work: () => void) => void;
  /** What the store has been asked last about each. */
  readonly #pending = new Map<string, Promise<void>>();
  /** Those of which the store may have something else than what is in force. */
  readonly #unsaved = new Map<string, BanId>();
  #isTrouble = false;
  #isTimed = false;

  /**
   * `onTrouble` hears what the store said when it could not keep one, and undefined when all are kept again. `later` does
   * the work in a while: then it is tried again.
   */
  constructor(
    store: BanStore,
    wall: () => number,
    onTrouble: (error: unknown) => void,
    later: (work: () => void) => void = () => {},
  ) {
    this.#store = store;
    this.#wall = wall;
    this.#onTrouble = onTrouble;
    this.#later = later;
  }

  /** Those that were kept. */
  load(kept: Iterable<StoredBan>): void {
    for (const ban of kept) this.#set(ban);
  }

  /** `what` is an address, a network or a name. Says what is banned now; of IPv6 an address alone is its /64. */
  add(what: string, minutes?: number): StoredBan {
    this.#sweep();
    if (this.#byKey.size >= MAX_BANS) throw new HouseError('full', `there are ${MAX_BANS} bans already`);
    const at = this.#wall();
    const until = minutes === undefined ? undefined : at + minutes * 60_000;
    const cidr = networkToBan(what);
    const shown = cidr ? formatCidr(cidr) : checkName(what);
    const ban: StoredBan = {
      kind: cidr ? 'network' : 'name',
      key: cidr ? shown : nameKey(shown),
      shown,
      at,
      until,
    };
    this.#set(ban);
    this.#keep(ban);
    return ban;
  }

  /** Undefined when that was not banned. */
  remove(what: string): BanId | undefined {
    const cidr = networkToBan(what);
    const kind = cidr ? 'network' : 'name';
    const key = cidr ? formatCidr(cidr) : nameKey(what.trim());
    if (!this.#forget(kind, key)) return undefined;
    this.#keep({ kind, key });
    return { kind, key };
  }

  /** Those that are in force, the oldest first. */
  list(): StoredBan[] {
    this.#sweep();
    return [...this.#byKey.values()].sort((a, b) => a.at - b.at);
  }

  /** The ban that an address meets. */
  ofAddress(ip: string): StoredBan | undefined {
    const bytes = this.#byBits.size > 0 ? parseIp(ip) : undefined;
    if (!bytes) return undefined;
    for (const [bits, those] of this.#byBits) {
      const ban = those.get(idOf(cidrOf(bytes, bits)));
      if (ban && this.#isInForce(ban)) return ban;
    }
    return undefined;
  }

  /** Aliases (`name~2`) are the name's. */
  ofName(name: string): StoredBan | undefined {
    const key = nameKey(name.trim());
    for (const one of [key, key.replace(/(?:~\d+)+$/, '')]) {
      const ban = this.#byKey.get(idOfBan({ kind: 'name', key: one }));
      if (ban && this.#isInForce(ban)) return ban;
    }
    return undefined;
  }

  /** Settles when that is kept, or all; rejects with what the store said. */
  async kept(those?: readonly BanId[]): Promise<void> {
    const asked = those ? those.map((one) => this.#pending.get(idOfBan(one))) : [...this.#pending.values()];
    await Promise.all(asked);
  }

  /** What the store has not taken is offered to it again. */
  retry(): void {
    for (const ban of [...this.#unsaved.values()].slice(0, MAX_AGAIN)) {
      if (!this.#pending.has(idOfBan(ban))) this.#keep(ban);
    }
  }

  /** As it is now. Whatever the order of answers, what was asked last counts. */
  #keep({ kind, key }: BanId): void {
    const id = idOfBan({ kind, key });
    const ban = this.#byKey.get(id);
    const work = ban ? this.#store.putBan(ban) : this.#store.dropBan(kind, key);
    this.#pending.set(id, work);
    const settled = () => this.#pending.get(id) === work && this.#pending.delete(id);
    work.then(
      () => settled() && this.#wasKept(id),
      (error) => settled() && this.#wasNotKept({ kind, key }, error),
    );
  }

  /** Where one is kept, others may be. */
  #wasKept(id: string): void {
    this.#unsaved.delete(id);
    if (this.#pending.size > 0 || !this.#isTrouble) return;
    if (this.#unsaved.size > 0) return this.retry();
    this.#isTrouble = false;
    this.#onTrouble(undefined);
  }

  #wasNotKept(ban: BanId, error: unknown): void {
    this.#unsaved.set(idOfBan(ban), ban);
    if (!this.#isTrouble) this.#onTrouble(error);
    this.#isTrouble = true;
    if (this.#isTimed) return;
    this.#isTimed = true;
    this.#later(() => {
      this.#isTimed = false;
      this.retry();
    });
  }

  #set(ban: StoredBan): void {
    this.#forget(ban.kind, ban.key);
    this.#byKey.set(idOfBan(ban), ban);
    const cidr = ban.kind === 'network' ? parseCidr(ban.key) : undefined;
    if (!cidr) return;
    const those = this.#byBits.get(cidr.bits) ?? new Map<string, StoredBan>();
    this.#byBits.set(cidr.bits, those.set(idOf(cidr), ban));
  }

  #isInForce({ until }: StoredBan): boolean {
    return until === undefined || until > this.#wall();
  }

  #forget(kind: StoredBan['kind'], key: string): boolean {
    const isThere = this.#byKey.delete(idOfBan({ kind, key }));
    const cidr = kind === 'network' ? parseCidr(key) : undefined;
    const those = cidr && this.#byBits.get(cidr.bits);
    if (cidr) those?.delete(idOf(cidr));
    if (cidr && those?.size === 0) this.#byBits.delete(cidr.bits);
    return isThere;
  }

  #sweep(): void {
    for (const ban of [...this.#byKey.values()]) {
      if (this.#isInForce(ban)) continue;
      this.#forget(ban.kind, ban.key);
      this.#keep(ban);
    }
  }
}

/** How long, as it is told. */
export function banEnds({ until }: StoredBan): string {
  return until === undefined ? 'for good' : `until ${new Date(until).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function idOfBan({ kind, key }: BanId): string {
  return `${kind} ${key}`;
}

/** Four bytes and sixteen are told apart by their number. */
function idOf({ bytes }: Cidr): string {
  return bytes.join('.');
}

/** One customer has a whole /64 of IPv6. Everybody is too many. */
function networkToBan(what: string): Cidr | undefined {
  const cidr = parseCidr(what);
  if (!cidr) return undefined;
  if (cidr.bits === 0) throw new HouseError('not-allowed', `${what} is everybody`);
  return cidr.bits === 128 ? parseCidr(`${formatCidr(cidr)}/64`) : cidr;
}
