// Layer 3. Whether a mask of a room's lists is for somebody, as layer 2 asks: masks are compiled once, and what people
// are called is asked of who spells them.

import type { Person } from './events.ts';
import { foldIrc, Mask, spellNick } from './irc-masks.ts';

/** Some hundred rooms with full lists; each is a few kilobytes. */
const MAX_MASKS = 5000;

export class MaskCache {
  readonly #masks = new Map<string, Mask>();
  readonly #folded = new WeakMap<Person, string>();
  readonly #maxMasks: number;
  #prefixOf = plainPrefix;

  constructor(maxMasks = MAX_MASKS) {
    this.#maxMasks = maxMasks;
  }

  /** Who knows better how people are spelled: `nick!user@host`. */
  spellWith(prefixOf: (person: Person) => string): void {
    this.#prefixOf = prefixOf;
  }

  matches(mask: string, person: Person): boolean {
    return this.#compiled(mask).matches(this.#prefix(person));
  }

  /** How many are kept. */
  get size(): number {
    return this.#masks.size;
  }

  #compiled(text: string): Mask {
    const known = this.#masks.get(text);
    if (known) return known;
    const mask = new Mask(text);
    this.#masks.set(text, mask);
    for (const [oldest] of this.#masks) {
      if (this.#masks.size <= this.#maxMasks) break;
      this.#masks.delete(oldest);
    }
    return mask;
  }

  /** A change of name makes another person of them. */
  #prefix(person: Person): string {
    let prefix = this.#folded.get(person);
    if (prefix === undefined) {
      prefix = foldIrc(this.#prefixOf(person));
      this.#folded.set(person, prefix);
    }
    return prefix;
  }
}

function plainPrefix({ name, dialect, host = '' }: Person): string {
  return `${spellNick(name)}!${dialect}@${host}`;
}
