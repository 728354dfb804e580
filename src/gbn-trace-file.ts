// Layer 4. Writes what the machines tell of each packet to a file, a line for each. Numbers are counted from the first
// packet of the file, so that those of both ends are the same and can be read.

import fs from 'node:fs';
import type { Machine } from './gbn-socket.ts';
import type { GbnTrace } from './gbn-stats.ts';
import { printTraceLine } from './gbn-trace.ts';
import { readGbn } from './wire-gbn.ts';

const WRITE_CHARS = 65_536;

export class TraceFile {
  readonly #fd: number;
  readonly #end: 'send' | 'recv';
  #text = '';
  #firstSeq = 0;
  /** The first that is not acknowledged, or not here. */
  #base = 0;

  /** Throws the system's error. */
  constructor(file: string, end: 'send' | 'recv') {
    this.#fd = fs.openSync(file, 'w');
    this.#end = end;
  }

  readonly note = ({ at, direction, kind, seq, window, why }: GbnTrace): void => {
    if (kind === 'offer') {
      this.#firstSeq = seq;
      this.#base = 0;
    }
    const number = (seq - this.#firstSeq) >>> 0;
    this.#follow(kind, number, why);
    const last = this.#base + Math.max(1, this.#end === 'send' ? window : 1) - 1;
    this.#text += `${printTraceLine({ at, end: this.#end, direction, kind, seq: number, window: [this.#base, last], why })}\n`;
    if (this.#text.length >= WRITE_CHARS) this.#flush();
  };

  close(): void {
    this.#flush();
    fs.closeSync(this.#fd);
  }

  #follow(kind: string, number: number, why: string): void {
    if (this.#end === 'send') {
      if (kind === 'ack') this.#base = Math.max(this.#base, number);
    } else if (kind === 'data' && why === 'kept' && number === this.#base) this.#base++;
    else if (kind === 'ack') this.#base = number;
  }

  #flush(): void {
    fs.writeSync(this.#fd, this.#text);
    this.#text = '';
  }
}

/** A receiver that tells of what it answers too: the machine itself tells of what it hears. */
export class TracedReceiver implements Machine {
  readonly #machine: Machine;
  readonly #firstSeq: number;
  readonly #onTrace: (trace: GbnTrace) => void;

  constructor(machine: Machine, firstSeq: number, onTrace: (trace: GbnTrace) => void) {
    this.#machine = machine;
    this.#firstSeq = firstSeq;
    this.#onTrace = onTrace;
  }

  input(datagram: Uint8Array, now: number): void {
    this.#machine.input(datagram, now);
  }

  tick(now: number): void {
    this.#machine.tick(now);
  }

  take(): Uint8Array | undefined {
    const datagram = this.#machine.take();
    if (datagram) this.#note(datagram);
    return datagram;
  }

  deadline(): number {
    return this.#machine.deadline();
  }

  #note(datagram: Uint8Array): void {
    const said = readGbn(datagram);
    if (said?.kind !== 'ack' && said?.kind !== 'accept') return;
    const isAck = said.kind === 'ack';
    const seq = isAck ? said.seq : this.#firstSeq;
    const why = !isAck ? 'accepted' : said.isGap ? 'gap' : 'next';
    this.#onTrace({ at: performance.now(), direction: 'out', kind: said.kind, seq, window: 1, why });
  }
}
