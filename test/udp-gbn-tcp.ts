// A TCP stream without end beside our transfers, as far as a link sees it: a window that grows as cubic or Reno has it,
// an acknowledgement for each segment, a cut for each round trip with losses, a timeout when nothing comes back.

import type { End } from './udp-gbn-pair.ts';

/** So that with a link's 42 bytes for each datagram a segment takes 1,514. */
const SEGMENT_BYTES = 1472;
export const SEGMENT_DATA_BYTES = 1448;
const ACK_BYTES = 12;
const FIRST_WINDOW = 10;
const DUPLICATES = 3;
const TIMEOUT_MS = 1000;
const CUBIC_CUT = 0.7;
const CUBIC_C = 0.4;
const RENO_CUT = 0.5;
const LOST_AT_ONCE = 64;

function numberIn(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

function datagram(length: number, number: number): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

export class TcpSource implements End {
  readonly #kind: 'cubic' | 'reno';
  window = FIRST_WINDOW;
  #threshold = Number.POSITIVE_INFINITY;
  #sent = 0;
  #highest = -1;
  #now = 0;
  #heardAt = 0;
  /** Those not acknowledged, with the time they were sent. */
  readonly #open = new Map<number, number>();
  /** Losses of what was sent before this one are one loss. */
  #recoverTo = -1;
  #most = 0;
  #cutAt = 0;
  #friendly = 0;
  #roundTripMs = 0;
  cuts = 0;

  constructor(kind: 'cubic' | 'reno') {
    this.#kind = kind;
  }

  input(bytes: Uint8Array, now: number): void {
    this.#now = this.#heardAt = now;
    const number = numberIn(bytes);
    const sentAt = this.#open.get(number);
    if (sentAt === undefined) return;
    this.#open.delete(number);
    this.#highest = Math.max(this.#highest, number);
    this.#roundTripMs = now - sentAt;
    this.#grow();
    let looked = 0;
    for (const other of this.#open.keys()) {
      if (other > this.#highest - DUPLICATES || ++looked > LOST_AT_ONCE) break;
      this.#open.delete(other);
      if (other > this.#recoverTo) this.#cut();
    }
  }

  tick(now: number): void {
    this.#now = now;
    if (this.#open.size === 0) this.#heardAt = now;
    if (this.#open.size === 0 || now < this.#heardAt + TIMEOUT_MS) return;
    this.#open.clear();
    this.#threshold = this.window / 2;
    this.window = 1;
    this.#heardAt = now;
  }

  take(): Uint8Array | undefined {
    if (this.#open.size >= this.window) return undefined;
    this.#open.set(this.#sent, this.#now);
    return datagram(SEGMENT_BYTES, this.#sent++);
  }

  deadline(): number {
    return this.#heardAt + TIMEOUT_MS;
  }

  #grow(): void {
    if (this.window < this.#threshold) {
      this.window++;
      return;
    }
    const reno = 1 / this.window;
    if (this.#kind === 'reno') {
      this.window += reno;
      return;
    }
    const seconds = (this.#now + this.#roundTripMs - this.#cutAt) / 1000;
    const k = Math.cbrt((this.#most * (1 - CUBIC_CUT)) / CUBIC_C);
    const target = CUBIC_C * (seconds - k) ** 3 + this.#most;
    this.#friendly += ((3 * (1 - CUBIC_CUT)) / (1 + CUBIC_CUT)) * reno;
    const wanted = Math.max(target, this.#friendly);
    if (wanted > this.window) this.window += Math.min(0.5, (wanted - this.window) / this.window);
  }

  #cut(): void {
    this.cuts++;
    this.#recoverTo = this.#sent - 1;
    this.#most = this.window;
    this.#cutAt = this.#now;
    this.window = Math.max(2, this.window * (this.#kind === 'cubic' ? CUBIC_CUT : RENO_CUT));
    this.#friendly = this.window;
    this.#threshold = this.window;
  }
}

export class TcpSink implements End {
  segments = 0;
  readonly #answers: Uint8Array[] = [];

  input(bytes: Uint8Array): void {
    this.segments++;
    this.#answers.push(datagram(ACK_BYTES, numberIn(bytes)));
  }

  tick(): void {}

  take(): Uint8Array | undefined {
    return this.#answers.shift();
  }

  deadline(): number {
    return Number.POSITIVE_INFINITY;
  }
}
