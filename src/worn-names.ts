// Layer 2. Names as they are claimed and given back: a taken one is refused or becomes an alias.

import type { Backbone, Owner } from './backbone.ts';
import { HouseError } from './errors.ts';
import type { Person } from './events.ts';
import { alias, isReserved, nameKey } from './names.ts';

/** So many aliases of a taken name are tried one by one. */
const NEAR_ALIASES = 16;

/** What is theirs then. One text serves all tables: there are many of them. */
export interface Worn {
  readonly name: string;
  readonly key: string;
}

export class WornNames {
  readonly #backbone: Backbone;
  /** For each name that is worn under aliases: how many wear it, and the last alias number given. */
  readonly #worn = new Map<string, { wearers: number; last: number }>();

  constructor(backbone: Backbone) {
    this.#backbone = backbone;
  }

  async claim(asked: string, as: 'exactly' | 'aliased', owner: Owner | undefined): Promise<Worn> {
    const base = nameKey(asked);
    const worn = this.#wear(base);
    const claim = isReserved(base) ? 'worn' : await this.#backbone.claim(base, owner);
    if (claim === 'ours') return { name: asked, key: base };
    if (claim === 'registered') {
      this.#unwear(base);
      throw new HouseError('name-registered', `the name ${asked} belongs to an account`);
    }
    if (as === 'aliased') {
      // the next free one; where a crowd wears them all as names of their own, in strides that double
      for (let tries = 1, stride = 1; ; tries++) {
        if (tries > NEAR_ALIASES) stride *= 2;
        worn.last += stride;
        const name = alias(asked, worn.last);
        const key = nameKey(name);
        if ((await this.#backbone.claim(key)) === 'ours') return { name, key };
      }
    }
    this.#unwear(base);
    throw new HouseError('name-taken', `the name ${asked} is taken`);
  }

  release({ name, nick }: Pick<Person, 'name' | 'nick'>): void {
    this.#backbone.release(nameKey(name));
    this.#unwear(nameKey(nick));
  }

  /** The same name in another spelling; an alias becomes a name of its own by that. */
  respell(before: Pick<Person, 'nick'>, asked: string): void {
    this.#wear(nameKey(asked));
    this.#unwear(nameKey(before.nick));
  }

  #wear(base: string): { wearers: number; last: number } {
    let worn = this.#worn.get(base);
    if (!worn) {
      worn = { wearers: 0, last: 1 };
      this.#worn.set(base, worn);
    }
    worn.wearers++;
    return worn;
  }

  #unwear(base: string): void {
    const worn = this.#worn.get(base);
    if (worn && --worn.wearers === 0) this.#worn.delete(base);
  }
}
