// What the tests and the bench of Go-Back-N stand on: a file that is made where it is looked at, two machines, a link
// between them that several may share, and a clock that jumps to whatever comes next.

import * as assert from 'uvu/assert';
import { BadLink, type BadLinkOptions, seededRandom } from '../src/bad-link.ts';
import { GbnReceiver, type GbnReceiverOptions, GbnSender, type GbnSenderOptions } from '../src/udp-gbn.ts';

const PERIOD = 65_521;
const SHA256 = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';

const periods: Array<Uint8Array | undefined> = Array.from({ length: 5 }, () => undefined);

/** A file of any size, without its bytes. */
export class MadeFile {
  readonly #period: Uint8Array;

  /** There are few of them: to make one takes longer than to send it. */
  constructor(seed: number) {
    const kind = seed % periods.length;
    const random = seededRandom(kind);
    this.#period = periods[kind] ?? Uint8Array.from({ length: PERIOD }, () => random() * 256);
    periods[kind] = this.#period;
  }

  at(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const from = (position + done) % PERIOD;
      const part = this.#period.subarray(from, Math.min(PERIOD, from + length - done));
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }
}

export interface Parcel {
  readonly bytes: Uint8Array;
  readonly to: End;
  readonly length: number;
}

/** Something at one end of a link. */
export interface End {
  input(datagram: Uint8Array, now: number): void;
  tick(now: number): void;
  take(): Uint8Array | undefined;
  deadline(): number;
  /** What its owner does after each call. */
  owner?(now: number): void;
}

interface Attached {
  readonly end: End;
  readonly out: BadLink<Parcel>;
  readonly other: () => End;
  deadline: number;
}

/** Two links, one for each direction, and all that is attached to them. */
export class World {
  readonly forward: BadLink<Parcel>;
  readonly back: BadLink<Parcel>;
  readonly #attached = new Map<End, Attached>();
  now = 0;
  /** Nothing comes through any more. */
  isCut = false;

  constructor(forward: BadLinkOptions, back: BadLinkOptions, seed: number) {
    const random = seededRandom(seed);
    this.forward = new BadLink(forward, random);
    this.back = new BadLink(back, random);
  }

  attach(from: End, to: End): void {
    this.#attached.set(from, { end: from, out: this.forward, other: () => to, deadline: this.now });
    this.#attached.set(to, { end: to, out: this.back, other: () => from, deadline: this.now });
  }

  detach(end: End): void {
    this.#attached.delete(end);
  }

  /** Until that is so; false if the time is over before. */
  run(until: () => boolean, endMs: number): boolean {
    while (!until()) {
      let at = Math.min(this.forward.deadline(), this.back.deadline());
      for (const { deadline } of this.#attached.values()) at = Math.min(at, deadline);
      if (at > endMs) return false;
      this.now = Math.max(this.now, at);
      this.#carry(this.forward);
      this.#carry(this.back);
      for (const attached of this.#attached.values()) {
        if (attached.deadline > this.now) continue;
        attached.end.tick(this.now);
        this.#serve(attached);
      }
    }
    return true;
  }

  /** After something was done to it from outside. */
  touch(end: End): void {
    const attached = this.#attached.get(end);
    if (attached) this.#serve(attached);
  }

  #carry(link: BadLink<Parcel>): void {
    for (let parcel = link.take(this.now); parcel; parcel = link.take(this.now)) {
      const attached = this.#attached.get(parcel.to);
      if (!attached || this.isCut) continue;
      attached.end.input(parcel.bytes, this.now);
      this.#serve(attached);
    }
  }

  #serve(attached: Attached): void {
    const { end, out, other } = attached;
    end.owner?.(this.now);
    for (let bytes = end.take(); bytes; bytes = end.take()) {
      out.send({ bytes, to: other(), length: bytes.length }, this.now);
    }
    attached.deadline = end.deadline();
  }
}

export interface TransferOptions {
  readonly size: number;
  readonly seed: number;
  readonly offset?: number;
  readonly file?: MadeFile;
  readonly sender?: Partial<GbnSenderOptions>;
  readonly receiver?: Partial<GbnReceiverOptions>;
  /** Packets that are not checked: the bench has no time for it. */
  readonly isUnchecked?: boolean;
  readonly isRight?: boolean;
  readonly refuses?: string;
  /** So long the owner takes to answer an offer. */
  readonly hashMs?: number;
  /** So long it takes to look at all the bytes. */
  readonly verifyMs?: number;
  /** So many bytes a millisecond can be written. */
  readonly diskBytesPerMs?: number;
}

class SenderEnd implements End {
  readonly machine: GbnSender;
  readonly #file: MadeFile;
  suppliedTo = 0;

  constructor(machine: GbnSender, file: MadeFile) {
    this.machine = machine;
    this.#file = file;
  }

  input(datagram: Uint8Array, now: number): void {
    this.machine.input(datagram, now);
  }

  tick(now: number): void {
    this.machine.tick(now);
  }

  take(): Uint8Array | undefined {
    return this.machine.take();
  }

  deadline(): number {
    return this.machine.deadline();
  }

  owner(): void {
    for (let want = this.machine.wants; want; want = this.machine.wants) {
      this.suppliedTo = want.position + want.bytes;
      this.machine.supply(want.position, this.#file.at(want.position, want.bytes));
    }
  }
}

class ReceiverEnd implements End {
  readonly machine: GbnReceiver;
  readonly #options: TransferOptions;
  readonly #file: MadeFile;
  position: number;
  doneAt = 0;
  /** Bytes that were handed out and not written. */
  mostWaiting = 0;
  #offeredAt: number | undefined;
  #isAnswered = false;
  #writtenTo: number;
  #writtenAt = 0;

  constructor(machine: GbnReceiver, file: MadeFile, options: TransferOptions) {
    this.machine = machine;
    this.#file = file;
    this.#options = options;
    this.position = options.offset ?? 0;
    this.#writtenTo = this.position;
  }

  input(datagram: Uint8Array, now: number): void {
    this.machine.input(datagram, now);
  }

  tick(now: number): void {
    this.machine.tick(now);
  }

  take(): Uint8Array | undefined {
    return this.machine.take();
  }

  deadline(): number {
    const { hashMs = 0, diskBytesPerMs } = this.#options;
    const isHashing = this.#offeredAt !== undefined && !this.#isAnswered;
    const hashedAt = isHashing ? (this.#offeredAt ?? 0) + hashMs : Number.POSITIVE_INFINITY;
    const isWriting = diskBytesPerMs !== undefined && this.#writtenTo < this.position;
    const own = Math.min(hashedAt, isWriting ? this.#writtenAt + 5 : Number.POSITIVE_INFINITY);
    const { verifyMs = 0 } = this.#options;
    const isVerifying = this.machine.state === 'verifying' && this.doneAt > 0;
    const verifiedAt = isVerifying ? this.doneAt + verifyMs : Number.POSITIVE_INFINITY;
    return Math.min(this.machine.deadline(), own, verifiedAt);
  }

  owner(now: number): void {
    const { machine } = this;
    if (machine.state === 'offered' && !this.#isAnswered) this.#answer(now);
    for (let piece = machine.read(); piece; piece = machine.read()) this.#check(piece.position, piece.bytes);
    this.mostWaiting = Math.max(this.mostWaiting, this.position - this.#writtenTo);
    this.#write(now);
    if (machine.state !== 'verifying' || this.#writtenTo < (machine.offer?.size ?? 0)) return;
    this.doneAt ||= now;
    if (now < this.doneAt + (this.#options.verifyMs ?? 0)) return;
    machine.finish(this.#options.isRight ?? true, 'looked at', now);
  }

  #answer(now: number): void {
    const { hashMs = 0, refuses, offset = 0 } = this.#options;
    this.#offeredAt ??= now;
    if (now < this.#offeredAt + hashMs) return;
    this.#isAnswered = true;
    if (refuses === undefined) this.machine.accept(offset, now);
    else this.machine.refuse(refuses, now);
  }

  #write(now: number): void {
    const { diskBytesPerMs = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#writtenTo === this.position) {
      this.#writtenAt = now;
      return;
    }
    const room = diskBytesPerMs === Number.POSITIVE_INFINITY ? this.position : (now - this.#writtenAt) * diskBytesPerMs;
    this.#writtenTo = Math.min(this.position, this.#writtenTo + room);
    this.#writtenAt = now;
    this.machine.written(this.#writtenTo, now);
  }

  #check(position: number, bytes: Uint8Array): void {
    assert.is(position, this.position, 'in order');
    this.position += bytes.length;
    if (this.#options.isUnchecked) return;
    const isSame = Buffer.compare(bytes, this.#file.at(position, bytes.length)) === 0;
    assert.ok(isSame, `other bytes at ${position}`);
  }
}

/** A sender and a receiver of one file. */
export class Transfer {
  readonly from: SenderEnd;
  readonly to: ReceiverEnd;

  constructor(options: TransferOptions) {
    const random = seededRandom(options.seed);
    const transferId = Uint8Array.from({ length: 8 }, () => random() * 256);
    const file = options.file ?? new MadeFile(options.seed);
    const sender = new GbnSender({
      transferId,
      name: 'song.mp3',
      size: options.size,
      sha256: SHA256,
      version: 'v1',
      packetBytes: 1400,
      window: 'auto',
      random,
      ...options.sender,
    });
    this.from = new SenderEnd(sender, file);
    this.to = new ReceiverEnd(new GbnReceiver({ transferId, ...options.receiver }), file, options);
  }

  get sender(): GbnSender {
    return this.from.machine;
  }

  get receiver(): GbnReceiver {
    return this.to.machine;
  }

  get isOver(): boolean {
    return this.sender.end !== undefined && this.receiver.end !== undefined;
  }
}
