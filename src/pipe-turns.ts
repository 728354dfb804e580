// Layer 4. Who asks for a file says where it is to be sent, and it may be somebody else's address: so of each person
// only a few requests at a time are tried. The others wait for their turn; a request that has been answered from
// that address, or has ended, makes room. Knows nothing of files.

import { HouseError } from './errors.ts';
import { nameKey } from './names.ts';

const MAX_AT_ONCE = 2;
const MAX_WAITING = 32;

interface Person {
  active: number;
  readonly waiting: Array<() => void>;
}

export class Turns {
  readonly #people = new Map<string, Person>();

  /** Resolves with what ends the turn, to be called once or more; rejects when too many wait. */
  async take(name: string): Promise<() => void> {
    const key = nameKey(name);
    const person = this.#people.get(key) ?? { active: 0, waiting: [] };
    this.#people.set(key, person);
    if (person.active < MAX_AT_ONCE) person.active++;
    else await this.#wait(person);
    let isOver = false;
    return () => {
      if (!isOver) this.#end(key, person);
      isOver = true;
    };
  }

  #wait({ waiting }: Person): Promise<void> {
    if (waiting.length >= MAX_WAITING) throw new HouseError('too-fast', 'too many requests at a time');
    return new Promise((resolve) => waiting.push(resolve));
  }

  /** The turn goes on to the next one. */
  #end(key: string, person: Person): void {
    const next = person.waiting.shift();
    if (next) return next();
    person.active--;
    if (person.active === 0) this.#people.delete(key);
  }
}
