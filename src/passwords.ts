// Layer 4. Passwords as scrypt hashes, made in threads of their own: slow on purpose, a few at a time. The cost
// stands beside each hash, so that it can be raised later: older ones stay good.

import type { ScryptOptions } from 'node:crypto';
import type { Hasher } from './accounts.ts';
import { AtMost } from './throttle.ts';

/** Some 40 ms and 16 MB. */
const COST = { N: 16_384, r: 8, p: 1 };
/** What stands in a database is not believed beyond this. */
const MAX_COST = { N: 1_048_576, r: 32, p: 16 };
const MAX_MEMORY = 512 * 1024 * 1024;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** The threads are for others too. */
const AT_ONCE = 2;
const MAX_WAITING = 500;

interface Cost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

export class Passwords implements Hasher {
  readonly #turns = new AtMost(AT_ONCE, MAX_WAITING);

  async hash(password: string): Promise<string> {
    const salt = crypto().randomBytes(SALT_BYTES);
    const hash = await this.#scrypt(password, salt, HASH_BYTES, COST);
    return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
  }

  async verify(password: string, stored: string): Promise<boolean> {
    const { cost, salt, hash } = read(stored);
    const made = await this.#scrypt(password, salt, hash.length, cost);
    return crypto().timingSafeEqual(made, hash);
  }

  isOld(stored: string): boolean {
    const { cost } = read(stored);
    return effortOf(cost) < effortOf(COST);
  }

  #scrypt(password: string, salt: Buffer, length: number, cost: Cost): Promise<Buffer> {
    return this.#turns.run(() => scrypt(password, salt, length, { ...cost, maxmem: MAX_MEMORY }));
  }
}

/** Loaded with the first password: a server starts sooner without it. */
function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}

function scrypt(password: string, salt: Buffer, length: number, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    crypto().scrypt(password, salt, length, options, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}

function effortOf({ N, r, p }: Cost): number {
  return N * r * p;
}

function read(stored: string): { cost: Cost; salt: Buffer; hash: Buffer } {
  const [, n, r, p, salt = '', hash = ''] = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([\w-]+)\$([\w-]+)$/.exec(stored) ?? [];
  const cost = { N: Number(n), r: Number(r), p: Number(p) };
  const isSane = cost.N <= MAX_COST.N && cost.r <= MAX_COST.r && cost.p <= MAX_COST.p;
  if (hash === '' || !isSane) throw new Error('a password hash in the database is damaged');
  return { cost, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') };
}
