// Layer 4. On whose behalf the server is at work right now. A connection (or the sender of a datagram) says so around
// the handling of what it has sent; what follows from that, promises included, is still on its behalf. So the house can
// tell where somebody comes from, and the sessions of all dialects need not hand it through.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Source } from './guarded-house.ts';

export class Serving {
  readonly #storage = new AsyncLocalStorage<Source | undefined>();

  get source(): Source | undefined {
    return this.#storage.getStore();
  }

  /** Undefined: on nobody's behalf. */
  run(source: Source | undefined, work: () => void): void {
    this.#storage.run(source, work);
  }
}
