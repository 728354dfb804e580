// Layer 1. The first bytes of a connection, until they have told what it speaks. Pure: time is passed in; who holds
// one asks it again when it says so, or when the peer has ended.

import { SNIFF_MAX_BYTES, SNIFF_MAX_MS, SNIFF_SILENCE_MS, type Sniffed, sniff, sniffSilent } from './sniff.ts';

/** `own` is what the port is for; `nothing`: it never will be told. */
export type Told = Sniffed | 'own' | 'more' | 'nothing';

/** The first byte of every record in which a handshake of TLS is sent. */
const HELLO_FIRST = 0x16;

export class Beginning {
  readonly #isOwn: boolean;
  readonly #until: number;
  #bytes = new Uint8Array(0);

  /** `isOwn`: the port is for one dialect, of which only TLS need be told. */
  constructor(isOwn: boolean, now: number) {
    this.#isOwn = isOwn;
    this.#until = now + SNIFF_MAX_MS;
  }

  /** All that has come. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  push(bytes: Uint8Array): Told {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    this.#bytes = all;
    const told = this.#tell(sniff(all));
    return told === 'more' && all.length >= SNIFF_MAX_BYTES ? 'nothing' : told;
  }

  /** For so long nothing new has come. */
  silent(now: number): Told {
    const told = this.#tell(sniffSilent(this.#bytes));
    return told === 'more' && now >= this.#until ? 'nothing' : told;
  }

  /** Nothing will. */
  end(): Told {
    return this.#tell(sniff(this.#bytes, true));
  }

  /** How long to wait for more after some have come ... */
  patienceMs(now: number): number {
    return Math.min(SNIFF_SILENCE_MS, this.leftMs(now));
  }

  /** ... and after that. */
  leftMs(now: number): number {
    return this.#until - now;
  }

  #tell(found: Sniffed | 'more'): Told {
    if (!this.#isOwn || found === 'tls') return found;
    const mayBeHello = this.#bytes.length === 1 && this.#bytes[0] === HELLO_FIRST;
    return found === 'more' && mayBeHello ? 'more' : 'own';
  }
}
