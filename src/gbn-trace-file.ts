// Layer 4. Writes what the machines tell of each packet to a file, a line for each. Numbers are counted from the first
// packet of the file, so that those of both ends are the same and can be read.

import fs from 'node:fs';
import { systemCode, systemWords } from './disk.ts';
import type { Machine } from './gbn-socket.ts';
import type { GbnTrace } from './gbn-stats.ts';
import { printTraceLine } from './gbn-trace.ts';
import { readGbn } from './wire-gbn.ts';

const WRITE_CHARS = 65_536;

/** One that can't be written any more says nothing, and harms no transfer. */
export class TraceFile {
  readonly file: string;
  readonly #fd: number;
  readonly #end: 'send' | 'recv';
  #text = '';
  #firstSeq = 0;
  /** The first that is not acknowledged, or not here. */
  #base = 0;
  #startedAt: number | undefined;
  #trouble: string | undefined;
  #isClosed = false;

  /** Throws the system's error. */
  constructor(file: string, end: 'send' | 'recv') {
    this.file = file;
    this.#fd = fs.openSync(file, 'w');
    this.#end = end;
  }

  /** Why it is not whole, once that is known: at the latest when it is closed. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Nothing has been noted. */
  get isEmpty(): boolean {
    return this.#startedAt === undefined;
  }

  readonly note = ({ at: now, direction, kind, seq, window, why }: GbnTrace): void => {
    this.#startedAt ??= now;
    const at = now - this.#startedAt;
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

  /** Never throws. */
  close(): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
    this.#tryTo(() => fs.closeSync(this.#fd));
  }

  #follow(kind: string, number: number, why: string): void {
    if (this.#end === 'send') {
      if (kind === 'ack') this.#base = Math.max(this.#base, number);
    } else if (kind === 'data' && why === 'kept' && number === this.#base) this.#base++;
    else if (kind === 'ack') this.#base = number;
  }

  #flush(): void {
    const text = this.#text;
    this.#text = '';
    if (this.#trouble !== undefined || this.#isClosed) return;
    this.#tryTo(() => fs.writeFileSync(this.#fd, text));
  }

  #tryTo(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#trouble ??= systemCode(error) === 'ENOSPC' ? 'the disk is full' : systemWords(error);
    }
  }
}

/** A file for each of several transfers, one after the other: FILE, FILE.2, … */
export class TraceFiles {
  readonly #file: string;
  readonly #end: 'send' | 'recv';
  #current: TraceFile | undefined;
  #number = 1;
  #isClosed = false;
  #trouble: string | undefined;

  /** Throws the system's error. */
  constructor(file: string, end: 'send' | 'recv') {
    this.#file = file;
    this.#end = end;
    this.#current = new TraceFile(file, end);
  }

  readonly note = (trace: GbnTrace): void => {
    if (!this.#current && this.#trouble === undefined && !this.#isClosed) this.#openNext();
    this.#current?.note(trace);
  };

  /** A transfer is over. What is wrong with its trace. */
  endTransfer(): string | undefined {
    const current = this.#current;
    if (!current?.isEmpty) this.#closeCurrent();
    const trouble = this.#trouble;
    this.#trouble = undefined;
    return trouble;
  }

  /** Nothing is noted any more. Never throws. */
  close(): void {
    this.#isClosed = true;
    this.#closeCurrent();
  }

  #closeCurrent(): void {
    const current = this.#current;
    if (!current) return;
    current.close();
    this.#current = undefined;
    if (current.trouble !== undefined) this.#trouble = `the trace ${current.file} is not whole: ${current.trouble}`;
  }

  #openNext(): void {
    const file = `${this.#file}.${++this.#number}`;
    try {
      this.#current = new TraceFile(file, this.#end);
    } catch (error) {
      this.#trouble = `${file} can't be written: ${systemWords(error)}`;
    }
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
