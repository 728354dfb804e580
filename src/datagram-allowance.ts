// Layer 3. How much goes to an address that has not answered anything yet: it may be somebody else's, at whom this is
// aimed. Short answers are about as long as their requests, and help nobody who aims; of everything longer all names
// and ports of one IP share what there is, until they answer. Pure: time is passed in.

import type { Address } from './session.ts';

const WINDOW_BYTES = 4000;
const WINDOW_MS = 1000;
const MAX_BYTES = 20_000;
const SMALL_BYTES = 256;
/** After so long without a byte all is forgiven. */
const FORGIVEN_MS = 600_000;
const MAX_KEPT = 20_000;

class Budget {
  usedAt = 0;
  #bytes = 0;
  #window = { until: 0, bytes: 0 };

  /** When so much may go out; Infinity for never. */
  roomAt(length: number): number {
    if (this.#bytes + length > MAX_BYTES) return Number.POSITIVE_INFINITY;
    return this.#window.bytes + length > WINDOW_BYTES ? this.#window.until : 0;
  }

  spend(length: number, now: number): void {
    this.usedAt = now;
    this.#bytes += length;
    if (now >= this.#window.until) this.#window = { until: now + WINDOW_MS, bytes: 0 };
    this.#window.bytes += length;
  }

  refund(length: number): void {
    this.#bytes = Math.max(0, this.#bytes - length);
    this.#window.bytes = Math.max(0, this.#window.bytes - length);
  }
}

export class Allowance {
  readonly #own: Budget;
  readonly #ofIp: Budget;
  /** Of what the IP has. */
  #shared = 0;

  constructor(own = new Budget(), ofIp = new Budget()) {
    this.#own = own;
    this.#ofIp = ofIp;
  }

  roomAt({ length }: Uint8Array): number {
    const own = this.#own.roomAt(length);
    return length > SMALL_BYTES ? Math.max(own, this.#ofIp.roomAt(length)) : own;
  }

  spend({ length }: Uint8Array, now: number): void {
    this.#own.spend(length, now);
    if (length <= SMALL_BYTES) return;
    this.#ofIp.spend(length, now);
    this.#shared += length;
  }

  /** It has answered: nobody was aimed at. */
  prove(): void {
    this.#ofIp.refund(this.#shared);
    this.#shared = 0;
  }
}

export class Allowances {
  readonly #byAddress = new Map<string, Budget>();
  readonly #byIp = new Map<string, Budget>();

  of({ ip, port }: Address, now: number): Allowance {
    return new Allowance(budgetOf(this.#byAddress, `${ip} ${port}`, now), budgetOf(this.#byIp, ip, now));
  }
}

function budgetOf(budgets: Map<string, Budget>, key: string, now: number): Budget {
  const known = budgets.get(key);
  const budget = known && known.usedAt + FORGIVEN_MS > now ? known : new Budget();
  budgets.delete(key);
  budgets.set(key, budget);
  for (const oldest of budgets.keys()) {
    if (budgets.size <= MAX_KEPT) break;
    budgets.delete(oldest);
  }
  return budget;
}
