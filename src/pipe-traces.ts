// Layer 4. The traces of the `pipe` client's transfers: the first one's has the name that was given, the next ones' a
// number behind it. One of which nothing was noted, as on the classic wire, leaves no file.

import fs from 'node:fs';
import { HouseError } from './errors.ts';
import type { GbnTrace } from './gbn-stats.ts';
import { TraceFile } from './gbn-trace-file.ts';

export interface Trace {
  note(trace: GbnTrace): void;
  /** Once or more. */
  close(): void;
}

export class Traces {
  readonly #name: string | undefined;
  readonly #open = new Set<Trace>();
  #opened = 0;

  constructor(name: string | undefined) {
    this.#name = name;
  }

  /** Undefined when none is wanted. Throws a HouseError. */
  open(end: 'send' | 'recv'): Trace | undefined {
    if (this.#name === undefined) return undefined;
    const number = ++this.#opened;
    const name = number === 1 ? this.#name : `${this.#name}.${number}`;
    try {
      const trace = this.#traceOf(new TraceFile(name, end), name, number);
      this.#open.add(trace);
      return trace;
    } catch (error) {
      throw new HouseError('disk', `can't write the trace: ${(error as Error).message}`);
    }
  }

  close(): void {
    for (const trace of [...this.#open]) trace.close();
  }

  #traceOf(file: TraceFile, name: string, number: number): Trace {
    let isEmpty = true;
    const trace: Trace = {
      note: (line) => {
        isEmpty = false;
        file.note(line);
      },
      close: () => {
        if (!this.#open.delete(trace)) return;
        file.close();
        if (!isEmpty) return;
        if (number === this.#opened) this.#opened--;
        removeEmpty(name);
      },
    };
    return trace;
  }
}

/** A device or a pipe stays. */
function removeEmpty(file: string): void {
  try {
    const found = fs.lstatSync(file);
    if (found.isFile() && found.size === 0) fs.unlinkSync(file);
  } catch {
    // then it stays
  }
}
