// Layer 2. Who is who: names with passwords, and who may enter a room that has one. What a wrong password costs is
// time: each name and each address has so many tries. Passwords are hashed by what is handed in, and kept by the
// backbone.

import type { Backbone } from './backbone.ts';
import { HouseError, tooFast } from './errors.ts';
import type { Person } from './events.ts';
import { checkName, isReserved, nameKey } from './names.ts';
import { Pass, type Room } from './room.ts';
import { networkOf } from './session.ts';
import { AtMostEach, Throttle, Tries } from './throttle.ts';

export interface Hasher {
  hash(password: string): Promise<string>;
  /** In the same time for every wrong password. */
  verify(password: string, hash: string): Promise<boolean>;
  /** It was made with less effort than is usual now. */
  isOld(hash: string): boolean;
}

/** Somebody whose password was right. */
export interface Login {
  readonly key: string;
  readonly name: string;
}

export interface AccountsOptions {
  readonly backbone: Backbone;
  readonly hasher: Hasher;
  /** The time of day in milliseconds. */
  readonly wall: () => number;
  /** A monotonic time in milliseconds. */
  readonly now: () => number;
}

const MAX_PASSWORD_CHARS = 1024;
const FAILURES = { burst: 5, everyMs: 10_000 };
/** A class behind one address gets in; who fills the database doesn't. */
const REGISTRATIONS = { burst: 30, everyMs: 20_000 };
/** Addresses at which a name's own password was right: others' failures there don't lock it out. */
const MAX_KNOWN = 10_000;
/** So many passwords of one address are hashed at once, or wait for it: others are not kept from logging in. */
const HASHES_EACH = { atOnce: 5, waiting: 100 };
/** Names that are made up for those who have no account. */
const GUEST = /^guest-\d+$|~/;

export class Accounts {
  readonly #backbone: Backbone;
  readonly #hasher: Hasher;
  readonly #wall: () => number;
  readonly #now: () => number;
  readonly #triesOfName: Tries;
  readonly #triesFrom: Tries;
  readonly #triesAtRoom: Tries;
  readonly #registrationsFrom = new Throttle(REGISTRATIONS);
  readonly #hashing = new AtMostEach(HASHES_EACH.atOnce, HASHES_EACH.waiting);
  readonly #known = new Set<string>();
  #decoy: Promise<string> | undefined;

  constructor({ backbone, hasher, wall, now }: AccountsOptions) {
    this.#backbone = backbone;
    this.#hasher = hasher;
    this.#wall = wall;
    this.#now = now;
    this.#triesOfName = new Tries(FAILURES, now);
    this.#triesFrom = new Tries(FAILURES, now);
    this.#triesAtRoom = new Tries(FAILURES, now);
  }

  /** `wearer` is whoever asks: what that one is called right now it may register. */
  async register(name: string, password: string, ip: string, wearer?: Person): Promise<void> {
    const account = checkAccount(name, password);
    if (this.#backbone.isRegistered(account.key)) throw registered(account.name);
    const wait = this.#registrationsFrom.take(networkOf(ip), this.#now());
    if (wait > 0) throw tooFast('too many accounts were made from your address', wait);
    await this.#hashing.run(networkOf(ip), () => this.#add(account, password, wearer));
  }

  /** From a file of the operator's: nobody is slowed. False when there is one of that name, which stays as it is. */
  async take(name: string, password: string): Promise<boolean> {
    const account = checkAccount(name, password);
    if (this.#backbone.isRegistered(account.key)) return false;
    await this.#add(account, password);
    return true;
  }

  /** A wrong one costs its name and its address a try. */
  async login(name: string, password: string, ip: string): Promise<Login> {
    const key = nameKey(name.trim());
    const known = `${key} ${ip}`;
    const check = () => this.#hashing.run(networkOf(ip), () => this.#check(key, password));
    const login = await limited(this.#triesFrom, networkOf(ip), () =>
      this.#known.has(known) ? check() : limited(this.#triesOfName, key, check),
    );
    this.#remember(known);
    return login;
  }

  async hashPassword(password: string, ip: string): Promise<string> {
    checkPassword(password);
    return this.#hashing.run(networkOf(ip), () => this.#hasher.hash(password));
  }

  /** What lets one into a room: its owner, or whoever knows its password. */
  async unlock(
    room: Room,
    by: { readonly login?: Login; readonly password?: string; readonly ip: string },
  ): Promise<Pass> {
    const { owner, password: hash } = room.settings;
    if (hash === undefined || (owner !== undefined && by.login?.key === owner)) return new Pass(room);
    if (by.password === undefined) throw new HouseError('room-password', `${room.name} has a password`);
    const { password } = by;
    await limited(this.#triesAtRoom, `${networkOf(by.ip)} ${room.key}`, async () => {
      if (await this.#hashing.run(networkOf(by.ip), () => this.#verify(password, hash))) return;
      throw new HouseError('room-password', `that is not the password of ${room.name}`);
    });
    return new Pass(room);
  }

  async #add({ key, name }: Login, password: string, wearer?: Person): Promise<void> {
    const hash = await this.#hasher.hash(password);
    await this.#backbone.addAccount(
      { key, name, hash, made: this.#wall() },
      wearer !== undefined && nameKey(wearer.name) === key,
    );
  }

  async #check(key: string, password: string): Promise<Login> {
    const account = await this.#backbone.findAccount(key);
    // a name that nobody has takes as long as one that somebody has
    const hash = account?.hash ?? (await this.#decoyHash());
    const isRight = await this.#verify(password, hash);
    if (!account || !isRight) throw new HouseError('wrong-password', 'the name or the password is wrong');
    if (this.#hasher.isOld(hash)) await this.#renew(key, password);
    return { key, name: account.name };
  }

  /** What can't be kept now is tried again at the next login. */
  async #renew(key: string, password: string): Promise<void> {
    try {
      await this.#backbone.setHash(key, await this.#hasher.hash(password));
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
    }
  }

  async #verify(password: string, hash: string): Promise<boolean> {
    return password.length <= MAX_PASSWORD_CHARS && (await this.#hasher.verify(password, hash));
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= this.#hasher.hash('').catch((error) => {
      this.#decoy = undefined;
      throw error;
    });
    return this.#decoy;
  }

  #remember(known: string): void {
    this.#known.delete(known);
    this.#known.add(known);
    if (this.#known.size <= MAX_KNOWN) return;
    for (const oldest of this.#known) {
      this.#known.delete(oldest);
      return;
    }
  }
}

/** The name of an account as it will stand, and its key. */
function checkAccount(name: string, password: string): Login {
  const fit = checkName(name);
  const key = nameKey(fit);
  if (isReserved(key)) throw new HouseError('bad-name', `nobody is called ${fit}`);
  if (GUEST.test(key)) throw new HouseError('bad-name', 'names with ~, and guest-1 and the like, are for guests');
  checkPassword(password);
  return { key, name: fit };
}

function checkPassword(password: string): void {
  if (password === '') throw new HouseError('not-allowed', 'the password is missing');
  if (password.length > MAX_PASSWORD_CHARS) {
    throw new HouseError('not-allowed', `a password has at most ${MAX_PASSWORD_CHARS} characters`);
  }
}

/** Runs a try, if there may be one. */
function limited<T>(tries: Tries, key: string, work: () => Promise<T>): Promise<T> {
  return tries.run(key, work, isWrongPassword, (wait) => {
    throw tooFast('too many wrong passwords', wait);
  });
}

function isWrongPassword(error: unknown): boolean {
  return error instanceof HouseError && (error.code === 'wrong-password' || error.code === 'room-password');
}

function registered(name: string): HouseError {
  return new HouseError('name-registered', `the name ${name} is taken`);
}
