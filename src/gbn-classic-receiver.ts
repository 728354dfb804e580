// Layer 1. Receives a file from a classic program. Pure: time and datagrams are passed in, the file's bytes taken out.
//
// Such a sender compares numbers as they are. An ack below the oldest packet that it keeps makes it send `STA` and then
// all it keeps, one packet at a time, each until that very packet is acknowledged; so we ask for a packet that is
// missing by the last ack once more, or by -1 where that would be the highest number. An ack that comes when it keeps
// nothing ends its ears: so no packet is acknowledged twice unless nothing has come for a while. It keeps `EOF` like a
// packet, and that is how we ask at the end whether there was something before it that we have not got.

import { type ClassicFailure, type ClassicOutcome, checkWindow, DEFAULT_WINDOW } from './gbn-classic.ts';
import { type ClassicDatagram, decodeClassic, encodeClassic } from './wire-gbn-classic.ts';

/** From the request to the first datagram. */
const START_MS = 20_000;
/** A packet that was overtaken may yet come. */
const GAP_MS = 20;
const ACK_MS = 10;
const STALL_MS = 500;
const MAX_STALLS = 8;
/** It notes that it has sent `EOF`. */
const EOF_MS = 100;
const EOF_AGAIN_MS = 250;
const MAX_EOF_ASKS = 3;
/** With so much unread, nothing is acknowledged. */
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_OUT = 64;
const NEVER = Number.POSITIVE_INFINITY;

export interface ClassicReceiverOptions {
  /** Both ends' have to be equal. */
  readonly window?: number;
}

export interface ClassicSource {
  readonly ip: string;
  readonly port: number;
}

type Phase =
  | 'waiting'
  | 'flow'
  /** A packet is missing. */
  | 'gap'
  /** It sends one packet at a time. */
  | 'again'
  | 'over';

export class ClassicReceiver {
  readonly #window: number;
  #phase: Phase = 'waiting';
  #source: ClassicSource | undefined;
  /** The number of the next packet. */
  #expected = 0;
  #bytes = 0;
  /** Of the last packet under each number. */
  readonly #prints: Uint32Array;
  readonly #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  /** The last packet is not acknowledged yet. */
  #isOwed = false;
  /** And is not until somebody reads. */
  #isHeld = false;
  /** The last that was acknowledged since `STA`. */
  #ackedAgain: number | undefined;
  /** For what is missing, and it has not reacted. */
  #hasAsked = false;
  /** It will send what it waits for once more. */
  #isRepeatDue = false;
  /** It has reacted to our last ack. */
  #isAnswered = true;
  #isPassing = false;
  #stalls = 0;
  #hasEof = false;
  #eofAsks = 0;
  #at: number;
  readonly #out: Uint8Array[] = [];
  #outcome: ClassicOutcome | undefined;

  constructor(options: ClassicReceiverOptions, now: number) {
    this.#window = checkWindow(options.window ?? DEFAULT_WINDOW);
    this.#prints = new Uint32Array(this.#window);
    this.#at = now + START_MS;
  }

  get outcome(): ClassicOutcome | undefined {
    return this.#outcome;
  }

  /** Where it says that it sends from, once it has said so. */
  get source(): ClassicSource | undefined {
    return this.#source;
  }

  get receivedBytes(): number {
    return this.#bytes;
  }

  /** What comes next of the file; also when it is over. */
  read(): Uint8Array | undefined {
    const bytes = this.#unread.shift();
    if (!bytes) return undefined;
    this.#unreadBytes -= bytes.length;
    if (this.#isHeld && this.#unreadBytes < MAX_UNREAD_BYTES / 2) {
      this.#isHeld = false;
      this.#ackLast();
    }
    return bytes;
  }

  /** The next datagram to send. */
  take(): Uint8Array | undefined {
    return this.#out.shift();
  }

  input(datagram: Uint8Array, now: number): void {
    if (this.#outcome || this.#out.length > MAX_OUT) return;
    const read = decode(datagram);
    if (!read) return;
    if (this.#phase === 'waiting') this.#inputFirst(read, now);
    else if (read.kind === 'data') this.#inputData(read.seq, read.bytes, now);
    else if (read.kind === 'eof') this.#inputEof(now);
    else if (read.kind === 'again') this.#inputAgain(now);
    else if (read.kind === 'again-over') this.#inputAgainOver();
  }

  tick(now: number): void {
    if (this.#outcome || now < this.deadline()) return;
    if (this.#phase === 'waiting') this.#fail('silent', 'the sender has not begun');
    else if (this.#hasEof && this.#phase !== 'gap') this.#askEnd(now);
    else if (this.#isOwed && this.#phase === 'flow') this.#settle(now);
    else this.#stalled(now);
  }

  deadline(): number {
    return this.#outcome || this.#isHeld ? NEVER : this.#at;
  }

  // --- what comes ---------------------------------------------------------------------------------------

  #inputFirst(read: ClassicDatagram, now: number): void {
    if (read.kind === 'not-found') return this.#fail('not-found', 'there is no such file');
    if (read.kind === 'busy') return this.#fail('busy', 'too many files are being sent; try later');
    if (read.kind === 'refused') return this.#fail('refused', `the sender refuses: ${read.text}`);
    if (read.kind !== 'start') return;
    this.#source = { ip: read.ip, port: read.port };
    this.#phase = 'flow';
    this.#wait(now, STALL_MS);
  }

  #inputData(seq: number, bytes: Uint8Array, now: number): void {
    if (seq >= this.#window) {
      const message = `the sender counts to ${seq} or more, and our window is ${this.#window}`;
      return this.#fail('window', message);
    }
    if (this.#isPassing && this.#isKnown(seq, bytes)) return this.#pass(seq, now);
    this.#isPassing = false;
    if (seq === this.#expected) this.#accept(bytes, now);
    else if (this.#isOld(seq, bytes)) this.#repeated(seq);
    else this.#skipped(now);
  }

  /** One that we have had, rather than one far ahead, or one that is counted otherwise. */
  #isOld(seq: number, bytes: Uint8Array): boolean {
    const behind = (this.#last - seq + this.#window) % this.#window;
    return behind < this.#window / 2 && this.#isKnown(seq, bytes);
  }

  #accept(bytes: Uint8Array, now: number): void {
    if (this.#phase === 'gap') this.#phase = 'flow';
    this.#prints[this.#expected] = fingerprint(bytes);
    this.#unread.push(bytes.slice());
    this.#unreadBytes += bytes.length;
    this.#bytes += bytes.length;
    this.#expected = (this.#expected + 1) % this.#window;
    this.#stalls = 0;
    this.#eofAsks = 0;
    this.#isHeld = this.#unreadBytes >= MAX_UNREAD_BYTES;
    this.#isOwed = true;
    this.#isAnswered = true;
    this.#wait(now, this.#hasEof ? EOF_MS : ACK_MS);
    if (this.#isHeld || (this.#phase === 'flow' && !this.#hasEof && !this.#isAckDue)) return;
    this.#ackLast();
    if (!this.#hasEof) this.#wait(now, STALL_MS);
  }

  /** Twice in a round: acks that overtake each other, or come twice, make it forget what we have not got. */
  get #isAckDue(): boolean {
    return this.#expected === 0 || this.#expected === Math.ceil(this.#window / 2);
  }

  /** Sent one at a time, each has to be acknowledged, also those that we have had; but no others. */
  #repeated(seq: number): void {
    if (this.#phase !== 'again') return;
    const last = this.#ackedAgain;
    const isNext = last === undefined || seq === (last + 1) % this.#window;
    if (isNext || (seq === last && this.#isRepeatDue)) this.#ack(seq);
  }

  #skipped(now: number): void {
    this.#isAnswered = true;
    if (this.#phase !== 'flow') return;
    this.#phase = 'gap';
    this.#wait(now, GAP_MS);
  }

  /**
   * Without being asked, and without a word about our last ack: that looked old to it, because the one at the end of
   * the round was lost. Then what comes is old, up to the packet that we have acknowledged last, if it is the same.
   */
  #inputAgain(now: number): void {
    this.#isPassing = !this.#hasAsked && !this.#isAnswered;
    this.#hasAsked = false;
    this.#phase = 'again';
    this.#ackedAgain = undefined;
    this.#wait(now, STALL_MS);
  }

  #inputAgainOver(): void {
    this.#isAnswered = true;
    this.#hasAsked = false;
    this.#isPassing = false;
    if (this.#phase === 'again') this.#phase = 'flow';
  }

  /** It is what came under this number last. */
  #isKnown(seq: number, bytes: Uint8Array): boolean {
    return this.#prints[seq] === fingerprint(bytes);
  }

  #pass(seq: number, now: number): void {
    this.#repeated(seq);
    this.#wait(now, STALL_MS);
    if (seq === this.#last) this.#isPassing = false;
  }

  /** One that is an answer to us is the last of what it keeps. */
  #inputEof(now: number): void {
    if (this.#eofAsks > 0 && this.#phase !== 'gap') {
      this.#ack(this.#expected);
      return this.#done(true);
    }
    if (this.#hasEof) return;
    this.#hasEof = true;
    if (this.#phase === 'gap') return;
    if (this.#isOwed && !this.#isHeld) this.#ackLast();
    this.#wait(now, EOF_MS);
  }

  // --- what does not come -------------------------------------------------------------------------------

  /** No more comes: its window is smaller, or it is slow. */
  #settle(now: number): void {
    this.#ackLast();
    this.#wait(now, STALL_MS);
  }

  #stalled(now: number): void {
    if (this.#stalls++ >= MAX_STALLS) return this.#failStalled();
    this.#askAgain();
    this.#wait(now, STALL_MS);
  }

  #failStalled(): void {
    if (this.#phase === 'gap')
      this.#fail('lost', 'a packet was lost on the way, and the sender does not send it again');
    else this.#fail('silent', 'the sender has stopped before the end');
  }

  #askEnd(now: number): void {
    if (this.#eofAsks++ >= MAX_EOF_ASKS) return this.#done(false);
    this.#askAgain();
    this.#wait(now, EOF_AGAIN_MS);
  }

  /** By the last ack, which is below all that it keeps. */
  #askAgain(): void {
    this.#hasAsked = true;
    this.#isRepeatDue = true;
    this.#out.push(encodeClassic({ kind: 'ack', seq: this.#expected - 1 }));
  }

  // --- the rest -----------------------------------------------------------------------------------------

  get #last(): number {
    return (this.#expected - 1 + this.#window) % this.#window;
  }

  #ackLast(): void {
    this.#ack(this.#last);
  }

  #ack(seq: number): void {
    if (this.#phase === 'again') this.#ackedAgain = seq;
    this.#isOwed = false;
    this.#isAnswered = false;
    this.#isRepeatDue = false;
    this.#out.push(encodeClassic({ kind: 'ack', seq }));
  }

  #wait(now: number, ms: number): void {
    this.#at = now + ms;
  }

  #done(isConfirmed: boolean): void {
    this.#phase = 'over';
    this.#outcome = { kind: 'done', bytes: this.#bytes, isConfirmed };
  }

  #fail(reason: ClassicFailure, message: string): void {
    this.#phase = 'over';
    this.#outcome = { kind: 'failed', reason, message };
  }
}

/** FNV-1a. */
function fingerprint(bytes: Uint8Array): number {
  let print = 0x811c9dc5;
  for (const byte of bytes) print = Math.imul(print ^ byte, 0x01000193);
  return print >>> 0;
}

/** Garbage is none of its business. */
function decode(datagram: Uint8Array): ClassicDatagram | undefined {
  try {
    return decodeClassic(datagram);
  } catch {
    return undefined;
  }
}
