// Layer 4. When is a transfer stalled? When no byte has moved for a while. What a slow peer takes from the
// system's own buffers is movement too, though no write ends by it: where the system tells how much still
// lies there (Linux), a fast server and a reader of some kB/s get along.

import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { STALL_MS } from './offers.ts';

/** From so much silence on the system is asked, with each tick. */
const ASK_MS = STALL_MS / 6;

export class StallWatch {
  readonly #now: () => number;
  readonly #stalled: () => void;
  readonly #limitMs: number;
  #lastAt: number;
  #sink: Socket | undefined;
  #unsent: number | undefined;
  #isOver = false;

  constructor(now: () => number, stalled: () => void, limitMs = STALL_MS) {
    this.#now = now;
    this.#stalled = stalled;
    this.#limitMs = limitMs;
    this.#lastAt = now();
  }

  /** What is written goes there. */
  watch(sink: Socket | null): void {
    this.#sink = sink ?? undefined;
  }

  /** Something has moved. */
  touch(): void {
    this.#lastAt = this.#now();
  }

  /** Called about once a second. */
  tick(): void {
    if (this.#isOver) return;
    const silentMs = this.#now() - this.#lastAt;
    if (silentMs >= this.#limitMs) {
      this.#isOver = true;
      this.#stalled();
    } else if (silentMs >= ASK_MS && this.#sink && this.#sink.writableLength > 0) this.#ask(this.#sink);
  }

  #ask(sink: Socket): void {
    unsentBytes(sink, this.#now()).then((unsent) => {
      if (this.#unsent !== undefined && unsent !== undefined && unsent < this.#unsent) this.touch();
      this.#unsent = unsent;
    });
  }
}

/** What the system says of all connections; asked once for all transfers that want to know at the same time. */
let known: { readonly at: number; readonly table: Promise<string> } | undefined;
const KNOWN_MS = 900;

/** What the system holds for a connection and the peer has not acknowledged; undefined where it can't be had. */
async function unsentBytes({ localPort = 0, remotePort = 0 }: Socket, now: number): Promise<number | undefined> {
  if (!known || now - known.at >= KNOWN_MS) known = { at: now, table: readTable() };
  const row = new RegExp(`:${hexPort(localPort)} [0-9A-F]+:${hexPort(remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`);
  const found = row.exec(await known.table);
  return found ? Number.parseInt(found[1] ?? '', 16) : undefined;
}

async function readTable(): Promise<string> {
  try {
    const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'latin1'));
    return (await Promise.all(tables)).join('');
  } catch {
    return '';
  }
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
