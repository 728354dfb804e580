// Layer 1. The receiving machine: it is offered a file, takes it from an offset that its owner chooses, hands out the
// bytes in order, and tells the sender how it ended. Pure: datagrams and time are handed in, what goes out is taken.

import { Arrivals } from './gbn-arrivals.ts';
import { Ending } from './gbn-ending.ts';
import { BlockInbox, type Inbox, type Piece, PlainInbox, type Put } from './gbn-inbox.ts';
import { emptyStats, type GbnEnd, type GbnStats, type GbnTrace } from './gbn-stats.ts';
import { Train } from './gbn-train.ts';
import { MAX_DATA } from './repair-code.ts';
import {
  ahead,
  type Data,
  encodeGbn,
  type GbnMessage,
  isOfTransfer,
  type Offer,
  type Probe,
  type Repair,
  readGbn,
  stampOf,
} from './wire-gbn.ts';

const ACK_EVERY = 16;
/** A window has to be so much longer than the way, and each going back costs all of it. */
const PLAIN_ACK_EVERY = 8;
const ACK_MS = 4;
/** While something is missing it is said again so often. */
const GAP_MS = 3;
/** So many behind the first sign of a gap it is a gap, and nothing that was overtaken. */
const SURE_GAP = 4;
const ACCEPT_EVERY_MS = 250;
/** At once, for one of them may be lost. */
const ACCEPT_COPIES = 2;
const DEFAULT_ROOM_BYTES = 16 << 20;
const MAX_BLOCK_BYTES = 2 << 20;
const DEFAULT_SILENT_MS = 15_000;
const HIGH = 4_294_967_296;
const NEVER = Number.POSITIVE_INFINITY;

export interface GbnReceiverOptions {
  /** Of 8 bytes; both ends know it beforehand. */
  readonly transferId: Uint8Array;
  /** Bytes that may wait to be written. */
  readonly roomBytes?: number;
  readonly silentMs?: number;
  readonly onTrace?: (trace: GbnTrace) => void;
}

export type ReceiverState = 'waiting' | 'offered' | 'receiving' | 'verifying' | 'done' | 'failed';

export class GbnReceiver {
  readonly #options: GbnReceiverOptions;
  readonly #ending: Ending;
  readonly #stats = emptyStats();
  readonly #control: Uint8Array[] = [];
  readonly #train = new Train();
  #state: ReceiverState = 'waiting';
  #now = 0;
  #startedAt: number | undefined;
  #heardAt = 0;
  #offer: Offer | undefined;
  #offeredAt = 0;
  #acceptedFrom: number | undefined;
  #acceptAt = NEVER;
  #packetBytes = 0;
  #total = 0;
  #inbox: Inbox | undefined;
  #written = 0;
  #limit = 0;
  readonly #arrivals = new Arrivals();
  // of acknowledgements
  #ackEvery = ACK_EVERY;
  #unacked = 0;
  #ackAt = NEVER;
  #gapCount = 0;
  #gapSaidAt = 0;

  constructor(options: GbnReceiverOptions) {
    if (options.transferId.length !== 8) throw new RangeError('a transfer id has 8 bytes');
    this.#options = options;
    this.#ending = new Ending(options.transferId, (bytes) => this.#control.push(bytes));
  }

  get state(): ReceiverState {
    return this.#state;
  }

  get end(): GbnEnd | undefined {
    return this.#ending.end;
  }

  get isClosed(): boolean {
    return this.#ending.isClosed && this.#control.length === 0;
  }

  /** Once there is one. */
  get offer(): Pick<Offer, 'name' | 'size' | 'sha256' | 'version' | 'window'> | undefined {
    return this.#offer;
  }

  get packetBytes(): number | undefined {
    return this.#inbox && this.#packetBytes;
  }

  get stats(): Readonly<GbnStats> {
    const stats = this.#stats;
    const next = this.#inbox?.next ?? 0;
    stats.packets = this.#arrivals.total;
    stats.bytes = Math.min(next * this.#packetBytes, (this.#offer?.size ?? 0) - (this.#acceptedFrom ?? 0));
    return stats;
  }

  /** Bytes before the offset are there already, and are the offered file's. */
  accept(offset: number, now: number): void {
    this.#now = Math.max(this.#now, now);
    if (this.#state !== 'offered') return;
    const { size } = this.#offer as Offer;
    if (!Number.isInteger(offset) || offset < 0 || offset > size) throw new RangeError(`${offset} of ${size}`);
    this.#acceptedFrom = offset;
    this.#acceptAt = Math.max(this.#now, this.#train.endAt);
  }

  refuse(text: string, now: number): void {
    this.#now = Math.max(this.#now, now);
    if (this.#state === 'offered') this.#fail('refused', text);
  }

  abort(text: string, now: number): void {
    this.#now = Math.max(this.#now, now);
    if (this.#isRunning) this.#fail('aborted', text);
  }

  /** In order; to be asked until there are none, after each call of another method. */
  read(): Piece | undefined {
    return this.#inbox?.take(this.#now, !this.#isRunning);
  }

  /** All bytes before this position have been dealt with: there is room for more. */
  written(position: number, now: number): void {
    this.#now = Math.max(this.#now, now);
    this.#written = Math.max(this.#written, position - (this.#acceptedFrom ?? 0));
    if (!this.#inbox || this.#state !== 'receiving') return;
    const room = this.#limit - this.#inbox.next;
    // the sender may stand still for want of room
    if (room < this.#roomPackets / 2 && this.#limitNow - this.#limit >= this.#roomPackets / 4) this.#ackAt = this.#now;
  }

  /** Every byte is here; this is what its owner makes of it. */
  finish(isRight: boolean, text: string, now: number): void {
    this.#now = Math.max(this.#now, now);
    if (this.#state !== 'verifying') return;
    if (!isRight) return this.#fail('damaged', text);
    this.#state = 'done';
    this.#ending.say({ code: 'done', text }, this.#now);
  }

  input(datagram: Uint8Array, now: number): void {
    this.#now = Math.max(this.#now, now);
    if (!isOfTransfer(datagram, this.#options.transferId)) return;
    this.#stats.wireBytes += datagram.length;
    const message = readGbn(datagram);
    if (!message || !this.#hear(message)) {
      this.#stats.invalid++;
      return;
    }
    this.#heardAt = this.#now;
  }

  tick(now: number): void {
    this.#now = Math.max(this.#now, now);
    this.#ending.tick(this.#now);
    if (!this.#isRunning) return;
    if (this.#startedAt === undefined) this.#startedAt = this.#heardAt = this.#now;
    const { silentMs = DEFAULT_SILENT_MS } = this.#options;
    if (this.#now >= this.#heardAt + silentMs)
      return this.#fail('silent', `nothing was heard for ${silentMs / 1000} s`);
    if (this.#now >= this.#acceptAt) this.#sayAccept();
  }

  take(): Uint8Array | undefined {
    const datagram = this.#control.shift() ?? this.#ackDue();
    if (datagram) this.#stats.wireBytes += datagram.length;
    return datagram;
  }

  deadline(): number {
    if (this.#control.length > 0) return this.#now;
    if (!this.#isRunning) return this.#ending.deadline();
    if (this.#startedAt === undefined) return 0;
    const { silentMs = DEFAULT_SILENT_MS } = this.#options;
    return Math.min(this.#acceptAt, this.#ackAt, this.#inbox?.flushAt ?? NEVER, this.#heardAt + silentMs);
  }

  get #isRunning(): boolean {
    return this.#state !== 'done' && this.#state !== 'failed';
  }

  // --- hearing --------------------------------------------------------------------------------------------

  /** False for what can't be true. */
  #hear(message: GbnMessage): boolean {
    switch (message.kind) {
      case 'data':
      case 'repair':
      case 'probe':
        return this.#hearNumbered(message);
      case 'offer':
        return this.#hearOffer(message);
      case 'end':
        if (message.code === 'done') return false;
        if (this.#isRunning) this.#state = 'failed';
        this.#ending.hearEnd({ code: message.code, text: message.text }, this.#now);
        return true;
      case 'bye':
        this.#ending.hearBye();
        return !this.#isRunning;
      default:
        return false;
    }
  }

  #hearOffer(offer: Offer): boolean {
    if (!this.#isRunning) return true;
    if (this.#offer && !isSameOffer(this.#offer, offer)) {
      this.#fail('changed', 'the file was offered again, and is another one');
      return true;
    }
    if (!this.#offer && !this.#take(offer)) return true;
    this.#train.arrived(offer.index, offer.count, offer.roomBytes, this.#now);
    // the last of the train is what the acceptance answers
    this.#arrivals.note(offer.stamp, this.#now);
    if (this.#acceptedFrom === undefined) this.#sayWait(offer);
    else if (!this.#inbox) this.#acceptAt = Math.min(this.#acceptAt, Math.max(this.#now, this.#train.endAt));
    else if (this.#arrivals.tx === undefined && offer.count === 1) this.#sayAccept();
    return true;
  }

  #take(offer: Offer): boolean {
    const { blockPackets, packetBytes, window } = offer;
    const isPlain = blockPackets === 0;
    const isSound = isPlain ? window > 0 : blockPackets <= MAX_DATA && blockPackets * packetBytes <= MAX_BLOCK_BYTES;
    this.#offer = offer;
    if (isSound) {
      this.#state = 'offered';
      this.#offeredAt = this.#now;
      if (isPlain) this.#ackEvery = Math.max(1, Math.min(PLAIN_ACK_EVERY, Math.floor(window / 4)));
    } else this.#fail('invalid', 'the offer is not one that can be taken');
    return isSound;
  }

  /** To one that was sent a while ago; who accepts at once has no need to. */
  #sayWait({ stamp, count }: Offer): void {
    if (count > 1 && this.#now - this.#offeredAt < ACCEPT_EVERY_MS) return;
    this.#say({ kind: 'wait', stamp, heldUs: 0 });
  }

  #sayAccept(): void {
    const copies = this.#inbox ? 1 : ACCEPT_COPIES;
    if (!this.#inbox) this.#open();
    const { packets, us } = this.#train.speed;
    this.#limit = this.#limitNow;
    for (let copy = 0; copy < copies; copy++) {
      this.#say({
        kind: 'accept',
        offset: this.#acceptedFrom as number,
        packetBytes: this.#packetBytes,
        limit: this.#seqOf(this.#limit),
        stamp: this.#arrivals.stamp,
        heldUs: stampOf(this.#now - this.#arrivals.at),
        trainUs: us,
        trainPackets: packets,
        trainArrived: this.#train.count,
      });
    }
    this.#acceptAt = this.#now + ACCEPT_EVERY_MS;
  }

  #open(): void {
    const { size, blockPackets, packetBytes, leastBytes } = this.#offer as Offer;
    const offset = this.#acceptedFrom as number;
    this.#packetBytes = Math.min(packetBytes, Math.max(leastBytes, this.#train.mostBytes));
    this.#total = Math.ceil((size - offset) / this.#packetBytes);
    const span = { offset, size, packetBytes: this.#packetBytes, total: this.#total };
    this.#inbox = blockPackets > 0 ? new BlockInbox(span, blockPackets) : new PlainInbox(span);
    this.#state = this.#total > 0 ? 'receiving' : 'verifying';
  }

  #hearNumbered(message: Data | Repair | Probe): boolean {
    const inbox = this.#inbox;
    if (!inbox) return false;
    const before = inbox.next;
    const index = before + ahead(message.seq, this.#seqOf(before));
    const end = message.kind === 'probe' ? this.#total + 1 : this.#limit;
    if (index < 0 || index >= end) return false;
    if (this.#arrivals.isKnown(message.tx)) {
      this.#stats.duplicates++;
      return true;
    }
    const put = this.#put(inbox, message, index);
    if (put === 'wrong') return false;
    this.#arrivals.add(message.tx, message.stamp, this.#now);
    this.#acceptAt = NEVER;
    if (put === 'known') this.#stats.resent++;
    if (message.kind === 'repair') this.#stats.repairs++;
    if (this.#options.onTrace) this.#trace(message.kind, message.seq, put);
    this.#planAck(inbox, before, message.kind === 'probe');
    if (inbox.next === this.#total && this.#state === 'receiving') this.#state = 'verifying';
    return true;
  }

  #put(inbox: Inbox, message: Data | Repair | Probe, index: number): Put {
    if (message.kind === 'data') return inbox.data(index, message.bytes, this.#now);
    if (message.kind === 'repair') return inbox.repair(index, message.index, message.bytes);
    inbox.passed(index);
    return 'kept';
  }

  // --- answering ------------------------------------------------------------------------------------------

  #planAck(inbox: Inbox, before: number, isAsked: boolean): void {
    this.#unacked++;
    const wasGap = this.#gapCount > 0;
    const isDone = inbox.next === this.#total;
    if (inbox.isGap) this.#noteGap();
    else this.#gapCount = 0;
    const isMended = wasGap && !inbox.isGap && inbox.next > before;
    if (isAsked || isDone || isMended || this.#unacked >= this.#ackEvery) this.#ackAt = this.#now;
    else this.#ackAt = Math.min(this.#ackAt, this.#now + ACK_MS);
  }

  #noteGap(): void {
    const count = ++this.#gapCount;
    if (count !== 1 && count !== SURE_GAP && this.#now - this.#gapSaidAt < GAP_MS) return;
    this.#gapSaidAt = this.#now;
    this.#ackAt = this.#now;
  }

  #ackDue(): Uint8Array | undefined {
    const inbox = this.#inbox;
    if (!inbox || !this.#isRunning || this.#ackAt > this.#now) return undefined;
    this.#ackAt = NEVER;
    if (this.#arrivals.tx === undefined) return undefined;
    this.#unacked = 0;
    this.#limit = this.#limitNow;
    return encodeGbn(this.#options.transferId, {
      kind: 'ack',
      seq: this.#seqOf(inbox.next),
      limit: this.#seqOf(this.#limit),
      tx: this.#arrivals.tx,
      received: this.#arrivals.count,
      stamp: this.#arrivals.stamp,
      heldUs: stampOf(this.#now - this.#arrivals.at),
      arrivedUs: stampOf(this.#arrivals.at),
      isGap: inbox.isGap,
      lacks: inbox.lacks,
      nextLacks: inbox.nextLacks,
    });
  }

  get #roomPackets(): number {
    return Math.floor((this.#options.roomBytes ?? DEFAULT_ROOM_BYTES) / this.#packetBytes);
  }

  get #limitNow(): number {
    const room = this.#options.roomBytes ?? DEFAULT_ROOM_BYTES;
    return Math.min(this.#total, Math.floor((this.#written + room) / this.#packetBytes));
  }

  #seqOf(index: number): number {
    return ((this.#offer as Offer).firstSeq + index) % HIGH;
  }

  #fail(code: GbnEnd['code'], text: string): void {
    this.#state = 'failed';
    this.#control.length = 0;
    this.#ending.say({ code, text }, this.#now);
  }

  #say(message: GbnMessage): void {
    this.#control.push(encodeGbn(this.#options.transferId, message));
  }

  #trace(kind: GbnTrace['kind'], seq: number, why: string): void {
    const { onTrace } = this.#options;
    onTrace?.({ at: this.#now, direction: 'in', kind, seq, window: this.#offer?.window ?? 0, why });
  }
}

function isSameOffer(a: Offer, b: Offer): boolean {
  return a.size === b.size && a.sha256 === b.sha256 && a.version === b.version && a.firstSeq === b.firstSeq;
}
