// Layer 2. Who may not come in: networks and names, for a while or for good. Kept in the store that is handed in; the
// time of day is passed in.

import { type Cidr, cidrOf, formatCidr, parseCidr, parseIp } from './cidr.ts';
import { HouseError } from './errors.ts';
import { checkName, nameKey } from './names.ts';

const MAX_BANS = 10_000;

/** As it is kept. */
export interface StoredBan {
  /** A network as it is written, or the key of a name. */
  readonly key: string;
  readonly kind: 'network' | 'name';
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
  readonly #pending = new Set<Promise<void>>();

  /** `onTrouble` hears what the store could not keep. */
  constructor(store: BanStore, wall: () => number, onTrouble: (error: unknown) => void) {
    this.#store = store;
    this.#wall = wall;
    this.#onTrouble = onTrouble;
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
    this.#keep(this.#store.putBan(ban));
    return ban;
  }

  /** False when that was not banned. */
  remove(what: string): boolean {
    const cidr = networkToBan(what);
    const kind = cidr ? 'network' : 'name';
    const key = cidr ? formatCidr(cidr) : nameKey(what.trim());
    const isThere = this.#forget(kind, key);
    if (isThere) this.#keep(this.#store.dropBan(kind, key));
    return isThere;
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
    for (const one of [key, key.replace(/~\d+$/, '')]) {
      const ban = this.#byKey.get(`name ${one}`);
      if (ban && this.#isInForce(ban)) return ban;
    }
    return undefined;
  }

  /** Settles when all is kept; rejects with what the store said. */
  async kept(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #keep(work: Promise<void>): void {
    this.#pending.add(work);
    work.catch(this.#onTrouble).finally(() => this.#pending.delete(work));
  }

  #set(ban: StoredBan): void {
    this.#forget(ban.kind, ban.key);
    this.#byKey.set(`${ban.kind} ${ban.key}`, ban);
    const cidr = ban.kind === 'network' ? parseCidr(ban.key) : undefined;
    if (!cidr) return;
    const those = this.#byBits.get(cidr.bits) ?? new Map<string, StoredBan>();
    this.#byBits.set(cidr.bits, those.set(idOf(cidr), ban));
  }

  #isInForce({ until }: StoredBan): boolean {
    return until === undefined || until > this.#wall();
  }

  #forget(kind: StoredBan['kind'], key: string): boolean {
    const isThere = this.#byKey.delete(`${kind} ${key}`);
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
      this.#keep(this.#store.dropBan(ban.kind, ban.key));
    }
  }
}

/** How long, as it is told. */
export function banEnds({ until }: StoredBan): string {
  return until === undefined ? 'for good' : `until ${new Date(until).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
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
