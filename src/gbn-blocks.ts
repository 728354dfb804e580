// Layer 1. The course of Go-Back-N with blocks: some packets of the file, then repair packets made of them, so that
// most losses need no going back. Pure.
//
// The receiver keeps the block that it is in and what has come of the next one; nothing else. When all of a block has
// been sent, and packets behind it have arrived, and it still lacks some, it gets as many more repair packets, and the
// sender goes back to the first block that the receiver has kept nothing of.

import type { Course, Why } from './gbn-course.ts';
import type { Heard, Numbers } from './gbn-numbers.ts';
import { chooseRepairs, type LossMeter } from './gbn-repairs.ts';
import type { GbnStats } from './gbn-stats.ts';
import type { FileWindow } from './gbn-window.ts';
import { MAX_REPAIRS, RepairEncoder } from './repair-code.ts';
import type { Ack } from './wire-gbn.ts';

/** That the receiver keeps. */
export const KEPT_BLOCKS = 2;
const TAIL_PROBES = 2;
/** So many datagrams behind a block's last must have arrived before it is taken to be cut: some come out of order. */
const LEAST_LATE = 3;
/** More, where later ones were seen to come. */
const LATE_MARGIN = 1.5;
const MOST_LATE = 400;
/** For all of its repair packets the table of a block grows by so many at a time. */
const SPARE_REPAIRS = 8;
/** Blocks that may be on their way beyond the window. */
const EXTRA_BLOCKS = 2;
const NEVER = Number.POSITIVE_INFINITY;

export interface BlockOptions {
  readonly numbers: Numbers;
  readonly file: FileWindow;
  readonly blockPackets: number;
  readonly limit: number;
  readonly stats: GbnStats;
  readonly losses: LossMeter;
  /** Packets on the way at most. */
  window(): number;
  /** Packets that go out in a round trip. */
  roundPackets(): number;
}

class SentBlock {
  readonly first: number;
  readonly count: number;
  /** Of its data packets, sent in this pass. */
  place = 0;
  repairs: number;
  repairsSent = 0;
  /** All of it, once: from then on it is mended. */
  isSent = false;
  /** Of its last datagram; never while some are due. */
  endTx = NEVER;
  /** When it was taken to be cut: its last datagram, and the next one to be sent. */
  cutEndTx = 0;
  cutTx = 0;
  #encoder: RepairEncoder | undefined;
  #encoded: number;

  constructor(first: number, count: number, repairs: number, packetBytes: number) {
    this.first = first;
    this.count = count;
    this.repairs = repairs;
    this.#encoded = repairs;
    this.#encoder = repairs > 0 ? new RepairEncoder(repairs, packetBytes) : undefined;
  }

  add(bytes: Uint8Array): void {
    this.#encoder?.add(this.place, bytes);
  }

  repair(number: number, file: FileWindow): Uint8Array {
    if (!this.#encoder || number >= this.#encoded) this.#encode(Math.min(MAX_REPAIRS, number + SPARE_REPAIRS), file);
    return (this.#encoder as RepairEncoder).repair(number);
  }

  #encode(repairs: number, file: FileWindow): void {
    this.#encoded = repairs;
    this.#encoder = new RepairEncoder(repairs, file.packetBytes);
    for (let place = 0; place < this.count; place++) this.#encoder.add(place, file.packet(this.first + place));
  }

  /** Not even what has been made is needed any more. */
  forget(): void {
    this.#encoder = undefined;
    this.#encoded = 0;
  }
}

export class BlockCourse implements Course {
  readonly #options: BlockOptions;
  readonly #file: FileWindow;
  readonly #numbers: Numbers;
  readonly #stats: GbnStats;
  readonly #k: number;
  readonly #blockCount: number;
  readonly #blocks = new Map<number, SentBlock>();
  base = 0;
  sentTo = 0;
  lastIndex = 0;
  lastWhy: Why = 'new';
  #limit: number;
  #cursor = 0;
  /** The block behind the base, which the receiver has whole. */
  #whole = -1;
  /** Blocks that more repair packets are due for. */
  readonly #cut: SentBlock[] = [];
  #isNudging = false;
  #tailProbes = 0;
  #late = LEAST_LATE;

  constructor(options: BlockOptions) {
    const { numbers, file, stats, blockPackets, limit } = options;
    this.#options = options;
    this.#numbers = numbers;
    this.#file = file;
    this.#stats = stats;
    this.#k = blockPackets;
    this.#limit = limit;
    this.#blockCount = Math.ceil(file.total / blockPackets);
  }

  get end(): number {
    return this.base + Math.ceil(this.#options.window()) + EXTRA_BLOCKS * this.#k;
  }

  get isHeldUp(): boolean {
    return this.#nextIndex >= this.#limit;
  }

  get #nextIndex(): number {
    return this.#cursor * this.#k + (this.#blocks.get(this.#cursor)?.place ?? 0);
  }

  hasNext(): boolean {
    if (this.#isNudging) return true;
    if (this.#cut.length > 0) return true;
    if (this.#cursor >= this.#blockCount) return this.#tailProbes > 0;
    if (this.#numbers.inFlight >= this.#options.window()) return false;
    const block = this.#blocks.get(this.#cursor);
    if (block && block.place === block.count) return true;
    return this.#nextIndex < Math.min(this.end, this.#limit, this.#file.suppliedTo);
  }

  next(now: number): Uint8Array {
    if (this.#isNudging) {
      this.#isNudging = false;
      return this.#probe('timeout', now);
    }
    const [cut] = this.#cut;
    if (cut) return this.#more(cut, now);
    if (this.#cursor >= this.#blockCount) {
      this.#tailProbes--;
      return this.#probe('tail', now);
    }
    const block = this.#blocks.get(this.#cursor) ?? this.#begin(this.#cursor);
    return block.place < block.count ? this.#data(block, now) : this.#repair(block, 'repair', now);
  }

  acked(heard: Heard, ack: Ack): void {
    this.#limit = Math.max(this.#limit, heard.limit);
    if (heard.index < this.base) return;
    this.#advance(heard.index, heard.tx);
    if (this.base >= this.#file.total) return;
    const current = Math.floor(this.base / this.#k);
    this.#whole = ack.nextLacks === 0 ? current + 1 : -1;
    const isCut = this.#mend(current, ack.lacks, heard.tx);
    if (ack.nextLacks > 0) this.#mend(current + 1, ack.nextLacks, heard.tx);
    if (isCut) this.#goBack(current + KEPT_BLOCKS);
  }

  nudge(): void {
    this.#isNudging = true;
  }

  #advance(index: number, tx: number): void {
    if (index === this.base) return;
    const block = Math.floor(index / this.#k);
    for (let done = Math.floor(this.base / this.#k); done < block; done++) {
      this.#noteLate(this.#blocks.get(done), tx);
      this.#blocks.delete(done);
    }
    this.base = index;
    const isDone = index >= this.#file.total;
    while (this.#cut.length > 0 && (isDone || (this.#cut[0] as SentBlock).first < block * this.#k)) this.#cut.shift();
    if (this.#cursor < block) this.#cursor = block;
    this.#skip();
    this.#file.release(block * this.#k);
  }

  /** It was whole before anything that was sent to mend it could have come: its packets were late, not lost. */
  #noteLate(block: SentBlock | undefined, tx: number): void {
    if (!block || tx >= block.cutTx) return;
    this.#late = Math.min(MOST_LATE, Math.max(this.#late, Math.ceil(LATE_MARGIN * (tx - block.cutEndTx))));
  }

  /** True if the block is cut, and more of it is due now. */
  #mend(number: number, lacks: number, tx: number): boolean {
    const block = this.#blocks.get(number);
    const isLast = tx === this.#numbers.sent - 1;
    if (!block || lacks === 0 || tx < block.endTx || !(isLast || tx >= block.endTx + this.#late)) return false;
    this.#stats.duplicates++;
    const repairs = Math.min(lacks, block.count) + this.#spare(lacks);
    block.cutEndTx = block.endTx;
    block.cutTx = this.#numbers.sent;
    block.endTx = NEVER;
    if (block.repairsSent + repairs > MAX_REPAIRS) {
      this.#again(number);
      return true;
    }
    block.repairs = block.repairsSent + repairs;
    this.#cut.push(block);
    return true;
  }

  /** All of it, as if it had never been sent. */
  #again(number: number): void {
    this.#blocks.delete(number);
    this.#cursor = Math.min(this.#cursor, number);
    this.#tailProbes = 0;
  }

  #goBack(to: number): void {
    this.#stats.fastGoBacks++;
    for (const number of this.#blocks.keys()) if (number >= to) this.#blocks.delete(number);
    this.#cursor = Math.min(this.#cursor, to);
    if (this.#cursor < this.#blockCount) this.#tailProbes = 0;
  }

  #begin(number: number): SentBlock {
    const first = number * this.#k;
    const count = Math.min(this.#k, this.#file.total - first);
    const block = new SentBlock(first, count, this.#spare(count), this.#file.packetBytes);
    this.#blocks.set(number, block);
    return block;
  }

  /** Repair packets for so many others. */
  #spare(packets: number): number {
    const { loss, unevenness } = this.#options.losses;
    const stallPackets = Math.max(this.#k / 4, this.#options.roundPackets() - (KEPT_BLOCKS - 1) * this.#k);
    return chooseRepairs({ packets, loss, unevenness, stallPackets, most: MAX_REPAIRS - 1 });
  }

  #data(block: SentBlock, now: number): Uint8Array {
    const index = block.first + block.place;
    const bytes = this.#file.packet(index);
    block.add(bytes);
    block.place++;
    this.lastIndex = index;
    this.lastWhy = index < this.sentTo ? 'again' : 'new';
    if (index < this.sentTo) this.#stats.resent++;
    this.sentTo = Math.max(this.sentTo, index + 1);
    const datagram = this.#numbers.data(index, bytes, now);
    if (block.place === block.count && block.repairs === 0) this.#end(block);
    return datagram;
  }

  #repair(block: SentBlock, why: Why, now: number): Uint8Array {
    const bytes = block.repair(block.repairsSent, this.#file);
    this.lastIndex = block.first;
    this.lastWhy = why;
    this.#stats.repairs++;
    const datagram = this.#numbers.repair(block.first, block.repairsSent++, bytes, now);
    if (block.repairsSent >= block.repairs) this.#end(block);
    return datagram;
  }

  /** For a block that is cut. */
  #more(block: SentBlock, now: number): Uint8Array {
    const datagram = this.#repair(block, 'more', now);
    if (block.repairsSent >= block.repairs) this.#cut.shift();
    return datagram;
  }

  #end(block: SentBlock): void {
    block.endTx = this.#numbers.sent - 1;
    block.forget();
    block.isSent = true;
    this.#skip();
  }

  /** What has been sent is mended; it is not sent again in passing. */
  #skip(): void {
    const from = this.#cursor;
    while (this.#cursor === this.#whole || this.#blocks.get(this.#cursor)?.isSent) this.#cursor++;
    if (from < this.#blockCount && this.#cursor >= this.#blockCount) this.#tailProbes = TAIL_PROBES;
  }

  #probe(why: Why, now: number): Uint8Array {
    this.lastIndex = Math.min(this.#nextIndex, this.#file.total);
    this.lastWhy = why;
    return this.#numbers.probe(this.lastIndex, now);
  }
}
