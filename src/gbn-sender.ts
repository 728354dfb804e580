// Layer 1. The sending machine: it offers a file, sends it when the offer is accepted, and hears how it ended. Pure:
// datagrams, bytes of the file, time and randomness are handed in; what goes out is taken from it.
//
// What is sent next, and what an acknowledgement changes, is the course's: plain, or with blocks. This file has the
// states, the timers and the pace.

import { BlockCourse } from './gbn-blocks.ts';
import type { Course } from './gbn-course.ts';
import { Ending } from './gbn-ending.ts';
import { Numbers } from './gbn-numbers.ts';
import { type GbnSenderOptions, Offering, PATH_PACKET_BYTES } from './gbn-offering.ts';
import { Pacer } from './gbn-pace.ts';
import { PlainCourse } from './gbn-plain.ts';
import { GbnRate } from './gbn-rate.ts';
import { LossMeter } from './gbn-repairs.ts';
import { RoundTrip } from './gbn-rtt.ts';
import { emptyStats, type GbnEnd, type GbnStats, type GbnTrace } from './gbn-stats.ts';
import { FileWindow, type Want } from './gbn-window.ts';
import {
  type Accept,
  type Ack,
  DATA_HEAD_BYTES,
  type GbnMessage,
  isOfTransfer,
  kindOf,
  readGbn,
  stampOf,
} from './wire-gbn.ts';

const MAX_WINDOW_BYTES = 32 << 20;
/** Long packets stay on the own machine: all that is on the way stands in a socket's buffer. */
const MAX_LOCAL_BYTES = 2 << 20;
const LONGEST_ON_THE_WAY = 9000;
const OFFER_EVERY_MS = 250;
const WAITED_OFFER_EVERY_MS = 1000;
/** While the receiver has no room, or looks at what it has got. */
const ASK_EVERY_MS = 250;
/** A window goes out a little faster than in a round trip: the window is what holds it back. */
const PLAIN_PACE = 1.25;
const DEFAULT_SILENT_MS = 15_000;
const DEFAULT_STALLED_MS = 120_000;
const NEVER = Number.POSITIVE_INFINITY;
const HIGH = 4_294_967_296;

export type SenderState = 'offering' | 'sending' | 'done' | 'failed';

export class GbnSender {
  readonly #options: GbnSenderOptions;
  readonly #numbers: Numbers;
  readonly #offering: Offering;
  readonly #firstSeq: number;
  readonly #losses = new LossMeter();
  readonly #roundTrip = new RoundTrip();
  readonly #ending: Ending;
  readonly #stats = emptyStats();
  readonly #control: Uint8Array[] = [];
  #state: SenderState = 'offering';
  #now = 0;
  #startedAt: number | undefined;
  #heardAt = 0;
  #progressAt = 0;
  /** Of the next offer, or of the next question. */
  #timerAt = 0;
  #isAwaited = false;
  #offers = 0;
  #course: Course | undefined;
  #file: FileWindow | undefined;
  #rate: GbnRate | undefined;
  #pacer = new Pacer(PATH_PACKET_BYTES, 0);

  constructor(options: GbnSenderOptions) {
    this.#options = options;
    this.#firstSeq = Math.floor(options.random() * HIGH);
    this.#offering = new Offering(options, this.#firstSeq);
    this.#numbers = new Numbers(options.transferId, this.#firstSeq);
    this.#ending = new Ending(options.transferId, (bytes) => this.#control.push(bytes));
  }

  get state(): SenderState {
    return this.#state;
  }

  /** Why it is over. */
  get end(): GbnEnd | undefined {
    return this.#ending.end;
  }

  /** Nothing will go out or be taken any more. */
  get isClosed(): boolean {
    return this.#ending.isClosed && this.#control.length === 0;
  }

  get stats(): Readonly<GbnStats> {
    const { smoothedMs } = this.#roundTrip;
    const stats = this.#stats;
    stats.packets = this.#numbers.sent;
    stats.roundTripMs = this.#roundTrip.isKnown ? smoothedMs : 0;
    stats.bytesPerSecond = 1000 * (this.#rate?.arriving ?? 0) * (this.#file?.packetBytes ?? 0);
    stats.window = this.#window;
    return stats;
  }

  get #window(): number {
    const { window } = this.#options;
    return window === 'auto' ? Math.floor(this.#rate?.window ?? 0) : window;
  }

  /** Of the file; decided with the acceptance. */
  get packetBytes(): number | undefined {
    return this.#file?.packetBytes;
  }

  /** Bytes of the file that it needs next. The same until they are supplied. */
  get wants(): Want | undefined {
    if (this.#state !== 'sending' || !this.#course) return undefined;
    return this.#file?.wants(this.#course.end);
  }

  /** What it wants; kept, not copied. */
  supply(position: number, bytes: Uint8Array): void {
    if (this.#state === 'sending') this.#file?.supply(position, bytes);
  }

  /** By its user, or because the file is not what it was. */
  abort(code: 'aborted' | 'changed', text: string, now: number): void {
    this.#now = Math.max(this.#now, now);
    if (this.#isRunning) this.#fail(code, text);
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
    if (this.#startedAt === undefined) this.#startedAt = this.#heardAt = this.#progressAt = this.#now;
    const { silentMs = DEFAULT_SILENT_MS, stalledMs = DEFAULT_STALLED_MS } = this.#options;
    if (this.#now >= this.#heardAt + silentMs) this.#fail('silent', `nothing was heard for ${silentMs / 1000} s`);
    else if (this.#now >= this.#progressAt + stalledMs) this.#fail('stalled', `no progress for ${stalledMs / 1000} s`);
    else if (this.#now >= this.#timerAt) this.#expire();
  }

  /** The next datagram that may go out now; to be asked until there is none, after each call of another method. */
  take(): Uint8Array | undefined {
    const datagram = this.#control.shift() ?? this.#next();
    if (datagram) this.#stats.wireBytes += datagram.length;
    return datagram;
  }

  /** When `tick` and `take` are due. */
  deadline(): number {
    if (this.#control.length > 0) return this.#now;
    if (!this.#isRunning) return this.#ending.deadline();
    if (this.#startedAt === undefined) return 0;
    const { silentMs = DEFAULT_SILENT_MS, stalledMs = DEFAULT_STALLED_MS } = this.#options;
    const readyAt = this.#course?.hasNext() ? this.#pacer.readyAt(this.#now) : NEVER;
    return Math.min(readyAt, this.#timerAt, this.#heardAt + silentMs, this.#progressAt + stalledMs);
  }

  get #isRunning(): boolean {
    return this.#state === 'offering' || this.#state === 'sending';
  }

  // --- hearing --------------------------------------------------------------------------------------------

  /** False for what can't be true. */
  #hear(message: GbnMessage): boolean {
    switch (message.kind) {
      case 'ack':
        return this.#hearAck(message);
      case 'wait':
        this.#isAwaited = true;
        this.#progressAt = this.#now;
        return this.#state === 'offering';
      case 'accept':
        return this.#hearAccept(message);
      case 'end':
        return this.#hearEnd(message.code, message.text);
      case 'bye':
        this.#ending.hearBye();
        return !this.#isRunning;
      default:
        return false;
    }
  }

  #hearAccept(accept: Accept): boolean {
    // it comes again until something was heard of us
    if (this.#state !== 'offering') return true;
    const { size, window } = this.#options;
    const { offset, packetBytes } = accept;
    if (offset > size || packetBytes > this.#offering.mostBytes || packetBytes < this.#offering.leastBytes)
      return false;
    this.#sampleRoundTrip(accept);
    if (accept.trainArrived > 0) this.#noteTrain(accept.trainArrived);
    const file = new FileWindow(offset, size, packetBytes);
    const wireBytes = packetBytes + DATA_HEAD_BYTES;
    const mostBytes = packetBytes > LONGEST_ON_THE_WAY ? MAX_LOCAL_BYTES : MAX_WINDOW_BYTES;
    this.#file = file;
    this.#pacer = new Pacer(wireBytes, this.#now);
    this.#rate = new GbnRate(
      {
        packetBytes: wireBytes,
        maxPackets: Math.max(4, Math.floor(mostBytes / packetBytes)),
        roundTripMs: this.#roundTrip.smoothedMs,
        trainPackets: accept.trainPackets,
        trainUs: accept.trainUs,
      },
      this.#now,
    );
    const limit = this.#numbers.indexOf(accept.limit, 0);
    this.#course =
      window === 'auto'
        ? this.#blockCourse(file, limit)
        : new PlainCourse(this.#numbers, file, window, limit, this.#stats);
    this.#state = 'sending';
    this.#progressAt = this.#now;
    this.#timerAt = file.total === 0 ? this.#now + ASK_EVERY_MS : NEVER;
    this.#setPace();
    this.#trace('in', 'accept', this.#firstSeq, 'accepted');
    return true;
  }

  #noteTrain(arrived: number): void {
    const { trainCount } = this.#offering;
    // one alone is no train, and not counted
    if (trainCount > 1) this.#losses.note(trainCount, trainCount - Math.min(arrived, trainCount));
  }

  #blockCourse(file: FileWindow, limit: number): Course {
    const rate = this.#rate as GbnRate;
    return new BlockCourse({
      numbers: this.#numbers,
      file,
      blockPackets: this.#offering.blockPackets,
      limit,
      stats: this.#stats,
      losses: this.#losses,
      window: () => rate.window,
      roundPackets: () => rate.arriving * (rate.roundTripMs + rate.queueMs),
    });
  }

  #hearAck(ack: Ack): boolean {
    const course = this.#course;
    if (!course || this.#state !== 'sending') return !this.#isRunning;
    const before = course.base;
    const heard = this.#numbers.hear(ack, before, course.sentTo);
    if (!heard) return false;
    if (heard.passed > 0) {
      this.#sampleRoundTrip(ack);
      this.#losses.note(heard.passed, heard.lost);
      this.#noteRate(ack, heard.tx, heard.lost);
    }
    const wasHeldUp = course.isHeldUp;
    if (ack.isGap) this.#stats.duplicates++;
    course.acked(heard, ack);
    this.#trace('in', 'ack', ack.seq, ack.isGap ? 'gap' : 'next');
    const hasRoom = wasHeldUp && !course.isHeldUp;
    // who has everything may look at it for long
    const isWhole = course.base >= (this.#file as FileWindow).total;
    if (course.base > before || hasRoom || isWhole) this.#progress(course.base);
    if (heard.passed > 0 || course.base > before || hasRoom) this.#restartTimer();
    return true;
  }

  #progress(base: number): void {
    const file = this.#file as FileWindow;
    this.#progressAt = this.#now;
    this.#stats.bytes = Math.min(base * file.packetBytes, file.size - file.offset);
  }

  #restartTimer(): void {
    this.#roundTrip.answered();
    const { base, sentTo, isHeldUp } = this.#course as Course;
    const { total } = this.#file as FileWindow;
    if (base < sentTo) this.#timerAt = this.#now + this.#roundTrip.timeoutMs;
    else this.#timerAt = base >= total || isHeldUp ? this.#now + ASK_EVERY_MS : NEVER;
  }

  #noteRate(ack: Ack, tx: number, lost: number): void {
    this.#rate?.heard({
      now: this.#now,
      tx,
      lost,
      sent: this.#numbers.sent,
      received: this.#numbers.received,
      arrivedUs: ack.arrivedUs,
      stamp: ack.stamp,
      roundTripMs: this.#roundTrip.least,
      loss: this.#losses.loss,
    });
    this.#setPace();
  }

  #setPace(): void {
    const rate = this.#rate as GbnRate;
    const wireBytes = (this.#file as FileWindow).packetBytes + DATA_HEAD_BYTES;
    const { window } = this.#options;
    const pace = window === 'auto' ? rate.pace : (PLAIN_PACE * window) / Math.max(0.05, this.#roundTrip.smoothedMs);
    this.#pacer.bytesPerMs = wireBytes * pace;
  }

  #sampleRoundTrip({ stamp, heldUs }: { readonly stamp: number; readonly heldUs: number }): void {
    const us = (stampOf(this.#now) - stamp - heldUs) | 0;
    this.#roundTrip.sample(us / 1000);
  }

  #hearEnd(code: GbnEnd['code'], text: string): boolean {
    if (this.#isRunning) {
      // one that had all of it has no need of anything
      const isTooSoon = code === 'done' && this.#course !== undefined && !this.#isAllSent;
      if (isTooSoon) {
        this.#fail('invalid', 'the receiver says it has what was not sent');
        return true;
      }
      if (code === 'done' && this.#file) this.#progress(this.#file.total);
      this.#state = code === 'done' ? 'done' : 'failed';
    }
    this.#ending.hearEnd({ code, text }, this.#now);
    return true;
  }

  get #isAllSent(): boolean {
    return this.#course !== undefined && this.#course.sentTo >= (this.#file as FileWindow).total;
  }

  #fail(code: GbnEnd['code'], text: string): void {
    this.#state = 'failed';
    this.#control.length = 0;
    this.#ending.say({ code, text }, this.#now);
  }

  // --- sending --------------------------------------------------------------------------------------------

  #expire(): void {
    if (this.#state === 'offering') return this.#offer();
    const course = this.#course as Course;
    const isUnanswered = course.base < course.sentTo;
    if (isUnanswered) {
      this.#stats.timeouts++;
      this.#roundTrip.backOff();
      this.#rate?.idle();
    }
    course.nudge();
    this.#timerAt = this.#now + (isUnanswered ? this.#roundTrip.timeoutMs : ASK_EVERY_MS);
  }

  #next(): Uint8Array | undefined {
    const course = this.#course;
    if (!course || this.#state !== 'sending') return undefined;
    if (!course.hasNext()) {
      if (this.#isStarved(course)) this.#rate?.idle();
      return undefined;
    }
    if (!this.#pacer.mayGo(this.#now)) return undefined;
    const datagram = course.next(this.#now);
    this.#pacer.spend(datagram.length);
    if (this.#timerAt === NEVER) this.#timerAt = this.#now + this.#roundTrip.timeoutMs;
    if (this.#options.onTrace) {
      this.#trace('out', kindOf(datagram), this.#numbers.seqOf(course.lastIndex), course.lastWhy);
    }
    return datagram;
  }

  /** There is room on the way, and nothing to send. */
  #isStarved(course: Course): boolean {
    const next = course.sentTo;
    if (next >= (this.#file as FileWindow).total || course.isHeldUp) return true;
    return next >= (this.#file as FileWindow).suppliedTo;
  }

  #offer(): void {
    const isFirst = this.#offers++ === 0;
    const datagrams = isFirst ? this.#offering.train(this.#now) : [this.#offering.short(this.#now)];
    this.#control.push(...datagrams);
    this.#timerAt = this.#now + (this.#isAwaited ? WAITED_OFFER_EVERY_MS : OFFER_EVERY_MS);
    this.#trace('out', 'offer', this.#firstSeq, isFirst ? 'new' : 'again');
  }

  #trace(direction: 'in' | 'out', kind: GbnTrace['kind'], seq: number, why: string): void {
    this.#options.onTrace?.({ at: this.#now, direction, kind, seq, window: this.#window, why });
  }
}
