// Layer 3. The files that the client's `pipe` face has asked others for, until each has come or not. Nobody says whose
// message had no reader, so it notes to whom something went.

import type { Wish } from './client-pipe-transfers.ts';
import { addresseeOf } from './client-pipe-words.ts';
import { HouseError } from './errors.ts';
import { checkFileName } from './file-names.ts';
import { nameKey } from './names.ts';
import { printable } from './printable.ts';

interface Fetch extends Wish {
  /** The owner has been told where to send it. */
  isAsked: boolean;
}

/** What the server says of somebody absent is about what was sent so shortly before. */
const ABSENT_MS = 2000;
const MAX_RECENT = 100;

export class Fetches {
  #fetches: Fetch[] = [];
  #recent: Array<{ readonly to: string; readonly at: number }> = [];

  get length(): number {
    return this.#fetches.length;
  }

  begin(wish: Wish): void {
    this.#fetches.push({ ...wish, isAsked: false });
  }

  /** False when it is not waited for. */
  ask(wish: Wish, now: number): boolean {
    const fetch = this.#fetches.find((one) => isSame(one, wish) && !one.isAsked);
    if (!fetch) return false;
    fetch.isAsked = true;
    this.saidTo(wish.owner, now);
    return true;
  }

  /** False when it had ended before. */
  end(wish: Wish): boolean {
    const at = this.#fetches.findIndex((one) => isSame(one, wish));
    if (at >= 0) this.#fetches.splice(at, 1);
    return at >= 0;
  }

  saidTo(name: string, now: number): void {
    this.#recent = this.#recent.slice(1 - MAX_RECENT);
    this.#recent.push({ to: nameKey(name), at: now });
  }

  /** Whether something is waited for from that one. */
  isFrom(name: string): boolean {
    return this.#fetches.some(({ owner }) => nameKey(owner) === nameKey(name));
  }

  /** Somebody is not there: the files that will not come, if it can be known who. */
  missing(now: number): Wish[] {
    const people = new Set(this.#recent.filter(({ at }) => now - at < ABSENT_MS).map(({ to }) => to));
    const [key] = people;
    if (people.size !== 1) return [];
    return this.#fetches
      .filter((one) => nameKey(one.owner) === key && one.isAsked)
      .map(({ owner, file }) => ({ owner, file }));
  }
}

/** Why nobody need be asked for it. */
export function refusalOf({ owner, file }: Wish, ownName: string): string | undefined {
  const addressee = addresseeOf(owner);
  if (owner === '' || addressee === 'all' || addressee === 'server') {
    return 'a file is asked of one: @NAME|getfile|FILE';
  }
  if (addressee === 'me' || nameKey(owner) === nameKey(ownName.trim()))
    return `${nameOf({ owner, file })}: that is you`;
  try {
    checkFileName(file);
    return undefined;
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    return `${nameOf({ owner, file })}: ${error.message}`;
  }
}

export function nameOf({ owner, file }: Wish): string {
  return `${printable(file)} from ${printable(owner)}`;
}

function isSame(a: Wish, b: Wish): boolean {
  return a.owner === b.owner && a.file === b.file;
}
