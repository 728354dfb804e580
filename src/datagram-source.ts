// Layer 4. The sender of a datagram, as somebody on whose behalf the server is at work. There is no connection: who is
// put out is told so, and gone, by what its dialect does about that member.

import type { Gate, Visit } from './gate.ts';
import type { Source } from './guarded-house.ts';
import type { Address } from './session.ts';

export class DatagramSource implements Source {
  readonly remote: Address;
  readonly isDatagram = true;
  readonly isGone = false;
  readonly #gate: Gate;
  #visit: Visit | undefined;

  constructor(gate: Gate, from: Address) {
    this.#gate = gate;
    this.remote = from;
  }

  /** Most datagrams need none. */
  get visit(): Visit {
    this.#visit ??= this.#gate.guest(this.remote.ip);
    return this.#visit;
  }

  hasEntered(): void {}

  expel(): void {}
}
