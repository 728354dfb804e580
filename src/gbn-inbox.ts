// Layer 1. What a receiver keeps: of plain Go-Back-N nothing but what comes next, of blocks the one that it is in and
// what has come of the next. Hands out the file's bytes in order. Pure.

import { KEPT_BLOCKS } from './gbn-blocks.ts';
import { MAX_REPAIRS, RepairDecoder } from './repair-code.ts';

/** `kept`: new and of use; `known`: there already; `early`: something before it is missing; `wrong`: can't be true. */
export type Put = 'kept' | 'known' | 'early' | 'wrong';

export interface Piece {
  readonly position: number;
  readonly bytes: Uint8Array;
}

export interface Span {
  readonly offset: number;
  readonly size: number;
  readonly packetBytes: number;
  readonly total: number;
}

export interface Inbox {
  /** All packets before it are here. */
  readonly next: number;
  /** Something came that follows on what is missing. */
  readonly isGap: boolean;
  readonly lacks: number;
  readonly nextLacks: number;
  /** When what is here should be handed out, be it little. */
  readonly flushAt: number;
  data(index: number, bytes: Uint8Array, now: number): Put;
  repair(first: number, number: number, bytes: Uint8Array): Put;
  /** All packets before this one were sent. */
  passed(index: number): void;
  /** `isForced`: however little there is. */
  take(now: number, isForced: boolean): Piece | undefined;
}

const CHUNK_BYTES = 262_144;
const PIECE_BYTES = 65_536;
const FLUSH_MS = 100;
const NEVER = Number.POSITIVE_INFINITY;
/** A lack that is not known: all of it. */
const ALL = 255;

function bytesOf({ offset, size, packetBytes, total }: Span, index: number): number {
  return index === total - 1 ? size - offset - index * packetBytes : packetBytes;
}

export class PlainInbox implements Inbox {
  readonly #span: Span;
  next = 0;
  isGap = false;
  readonly lacks = ALL;
  readonly nextLacks = ALL;
  readonly #ready: Piece[] = [];
  #chunk = new Uint8Array(0);
  #filled = 0;
  #handedOut = 0;
  /** Of the chunk's first byte. */
  #position: number;
  flushAt = NEVER;

  constructor(span: Span) {
    this.#span = span;
    this.#position = span.offset;
  }

  data(index: number, bytes: Uint8Array, now: number): Put {
    if (bytes.length !== bytesOf(this.#span, index)) return 'wrong';
    if (index < this.next) return 'known';
    if (index > this.next) {
      this.isGap = true;
      return 'early';
    }
    if (this.#filled + bytes.length > this.#chunk.length) this.#startChunk();
    this.#chunk.set(bytes, this.#filled);
    this.#filled += bytes.length;
    if (this.flushAt === NEVER) this.flushAt = now + FLUSH_MS;
    this.next++;
    this.isGap = false;
    return 'kept';
  }

  repair(): Put {
    return 'wrong';
  }

  passed(index: number): void {
    if (index > this.next) this.isGap = true;
  }

  take(now: number, isForced: boolean): Piece | undefined {
    const length = this.#filled - this.#handedOut;
    const isDue = length >= PIECE_BYTES || isForced || now >= this.flushAt || this.next === this.#span.total;
    if (length > 0 && isDue) this.#handOut();
    return this.#ready.shift();
  }

  #handOut(): void {
    const bytes = this.#chunk.subarray(this.#handedOut, this.#filled);
    if (bytes.length > 0) this.#ready.push({ position: this.#position + this.#handedOut, bytes });
    this.#handedOut = this.#filled;
    this.flushAt = NEVER;
  }

  #startChunk(): void {
    this.#handOut();
    this.#position += this.#filled;
    const { size, packetBytes } = this.#span;
    this.#chunk = new Uint8Array(Math.min(Math.max(CHUNK_BYTES, packetBytes), size - this.#position));
    this.#filled = 0;
    this.#handedOut = 0;
  }
}

/** Written to one piece of memory; a decoder is made only for a block that has lost something. */
class ReceivedBlock {
  readonly count: number;
  readonly #packetBytes: number;
  readonly bytes: Uint8Array;
  readonly #has: Uint8Array;
  readonly #repairs = new Map<number, Uint8Array>();
  #missing: number;
  /** Packets of the block from its first on. */
  prefix = 0;

  constructor(count: number, packetBytes: number) {
    this.count = count;
    this.#packetBytes = packetBytes;
    this.bytes = new Uint8Array(count * packetBytes);
    this.#has = new Uint8Array(count);
    this.#missing = count;
  }

  get lacks(): number {
    return this.#missing - this.#repairs.size;
  }

  add(place: number, bytes: Uint8Array): Put {
    if (this.lacks === 0 || this.#has[place]) return 'known';
    this.#fill(place, bytes);
    while (this.#has[this.prefix]) this.prefix++;
    return 'kept';
  }

  addRepair(number: number, bytes: Uint8Array): Put {
    if (this.lacks === 0 || this.#repairs.has(number)) return 'known';
    this.#repairs.set(number, bytes.slice());
    return 'kept';
  }

  /** Once it lacks nothing. */
  solve(): void {
    if (this.#missing === 0) return;
    const decoder = new RepairDecoder(this.count, this.#packetBytes);
    const missing: number[] = [];
    for (let place = 0; place < this.count; place++) {
      if (this.#has[place]) decoder.addData(place, this.#packet(place));
      else missing.push(place);
    }
    for (const [number, bytes] of this.#repairs) decoder.addRepair(number, bytes);
    decoder.solve();
    for (const place of missing) this.#fill(place, decoder.data(place));
  }

  #packet(place: number): Uint8Array {
    return this.bytes.subarray(place * this.#packetBytes, (place + 1) * this.#packetBytes);
  }

  #fill(place: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, place * this.#packetBytes);
    this.#has[place] = 1;
    this.#missing--;
  }
}

export class BlockInbox implements Inbox {
  readonly #span: Span;
  readonly #k: number;
  readonly #blockCount: number;
  #current = 0;
  readonly #blocks: Array<ReceivedBlock | undefined> = Array.from({ length: KEPT_BLOCKS }, () => undefined);
  readonly #ready: Piece[] = [];
  isGap = false;
  readonly flushAt = NEVER;

  constructor(span: Span, blockPackets: number) {
    this.#span = span;
    this.#k = blockPackets;
    this.#blockCount = Math.ceil(span.total / blockPackets);
  }

  get next(): number {
    return Math.min(this.#span.total, this.#current * this.#k + (this.#blocks[0]?.prefix ?? 0));
  }

  get lacks(): number {
    return this.#lacksOf(0);
  }

  get nextLacks(): number {
    return this.#lacksOf(1);
  }

  data(index: number, bytes: Uint8Array): Put {
    if (bytes.length !== bytesOf(this.#span, index)) return 'wrong';
    return this.#put(Math.floor(index / this.#k), (block) => block.add(index % this.#k, bytes));
  }

  repair(first: number, number: number, bytes: Uint8Array): Put {
    const isTrue = bytes.length === this.#span.packetBytes && first % this.#k === 0 && number < MAX_REPAIRS;
    if (!isTrue) return 'wrong';
    return this.#put(first / this.#k, (block) => block.addRepair(number, bytes));
  }

  passed(index: number): void {
    if (index >= Math.min(this.#span.total, (this.#current + 1) * this.#k) && this.lacks > 0) this.isGap = true;
  }

  take(): Piece | undefined {
    return this.#ready.shift();
  }

  #put(number: number, add: (block: ReceivedBlock) => Put): Put {
    const place = number - this.#current;
    if (place < 0) return 'known';
    if (place > 0) this.isGap = true;
    if (place >= KEPT_BLOCKS) return 'early';
    const put = add(this.#block(place));
    while (this.#current < this.#blockCount && this.#blocks[0]?.lacks === 0) this.#finish(this.#blocks[0]);
    return put;
  }

  #block(place: number): ReceivedBlock {
    const known = this.#blocks[place];
    if (known) return known;
    const block = new ReceivedBlock(this.#countOf(place), this.#span.packetBytes);
    this.#blocks[place] = block;
    return block;
  }

  #countOf(place: number): number {
    return Math.min(this.#k, this.#span.total - (this.#current + place) * this.#k);
  }

  #lacksOf(place: number): number {
    if (this.#current + place >= this.#blockCount) return ALL;
    return this.#blocks[place]?.lacks ?? this.#countOf(place);
  }

  #finish(block: ReceivedBlock): void {
    block.solve();
    const { offset, size, packetBytes } = this.#span;
    const position = offset + this.#current * this.#k * packetBytes;
    this.#ready.push({ position, bytes: block.bytes.subarray(0, Math.min(block.bytes.length, size - position)) });
    this.#current++;
    this.#blocks.shift();
    this.#blocks.push(undefined);
    this.isGap = false;
  }
}
