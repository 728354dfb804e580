// Layer 4. The sender of a datagram, as somebody on whose behalf the server is at work. There is no connection: who is
// put out is told, and gone as if it had said goodbye, where its dialect has a word for that.

import type { DialectName } from './dialects.ts';
import type { Gate, Visit } from './gate.ts';
import type { Source } from './guarded-house.ts';
import type { Address, DatagramSession } from './session.ts';
import { encodeDatagram } from './wire-datagram.ts';

export class DatagramSource implements Source {
  readonly remote: Address;
  readonly isDatagram = true;
  readonly isGone = false;
  readonly #gate: Gate;
  readonly #dialect: DialectName;
  readonly #session: DatagramSession;
  #visit: Visit | undefined;

  constructor(gate: Gate, from: Address, dialect: DialectName, session: DatagramSession) {
    this.#gate = gate;
    this.remote = from;
    this.#dialect = dialect;
    this.#session = session;
  }

  /** Most datagrams need none. */
  get visit(): Visit {
    this.#visit ??= this.#gate.guest(this.remote.ip);
    return this.#visit;
  }

  hasEntered(): void {}

  expel(_reason: string, name: string): void {
    if (this.#dialect !== 'datagram') return;
    this.#session.receive(encodeDatagram({ kind: 'dereg', name }), this.remote, performance.now());
  }
}
