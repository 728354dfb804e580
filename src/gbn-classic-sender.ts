// Layer 1. Sends a file to a classic program. Pure: time, the file's bytes and datagrams are passed in.
//
// What such a receiver does rules all of this. It acknowledges packets at random, and the last number before the
// sequence starts again at 0 always. So a round, the packets numbered 0 to N-1, is acknowledged whole before the next
// begins, which leaves no doubt about what an ack is for; and the last round is filled up with empty packets, without
// which the end of a file would never be acknowledged.
//
// At random too it throws away what it has not acknowledged, repeats its last ack (-1 at the beginning of a round), and
// hears nothing but `STA`. After that it acknowledges every packet and throws nothing away until it gets `END`, which it
// never gets from us: from then on one packet at a time is on its way.
//
// When a datagram is really lost, it repeats its last ack as well, but goes on listening, and counts wrongly from then
// on, except at the beginning of a round. There the round is sent once more, and what it has it passes over. Anywhere
// else the transfer has failed, and no `EOF` makes the file look whole.

import { type ClassicFailure, type ClassicOutcome, checkWindow, DEFAULT_WINDOW, type Wanted } from './gbn-classic.ts';
import { type ClassicDatagram, decodeClassic, encodeClassic, MAX_CLASSIC_DATA, packetEnd } from './wire-gbn-classic.ts';

/** It creates its file meanwhile. */
const START_MS = 20;
/** It is slow, and its socket holds a few dozen packets. */
const BURST = 4;
const BURST_MS = 1;
/** After its last ack came again: what is under way arrives, and an ack that shows that it still listens. */
const QUIET_MS = 40;
const RESEND_MS = 500;
/** The last packet again; then `STA`. */
const MAX_TAILS = 2;
const SILENT_MS = 10_000;
/** `EOF` is not acknowledged. */
const EOFS = 3;
const EOF_MS = 60;
const MAX_SWEEPS = 3;
const MAX_SUPPLY_BYTES = 64 * 1024;
const MAX_INPUT = 64;
const NEVER = Number.POSITIVE_INFINITY;
const EMPTY = new Uint8Array(0);

export interface ClassicSenderOptions {
  readonly fileBytes: number;
  /** Both ends' have to be equal. */
  readonly window?: number;
  /** Where it asked us to send to. */
  readonly requesterPort: number;
  /** Where it finds us. */
  readonly ip: string;
  readonly port: number;
}

type Phase =
  /** Packets go out as the window allows. */
  | 'flow'
  /** It seems to have thrown packets away. */
  | 'quiet'
  /** One packet at a time, each acknowledged. */
  | 'single'
  | 'ending'
  | 'over';

export class ClassicSender {
  readonly #fileBytes: number;
  readonly #window: number;
  /** Of the file, not yet in packets. */
  #supplied = EMPTY;
  #position = 0;
  /** The packets of this round, by number. */
  readonly #round: Uint8Array[] = [];
  #acked = 0;
  #sent = 0;
  #phase: Phase = 'flow';
  /** It has heard `STA` and no `END`. */
  #isSingle = false;
  #at: number;
  /** Since then it has not answered what is under way. */
  #waitsSince: number;
  #hasHeard = false;
  #isConfirmed = true;
  #tails = 0;
  /** Answers to the last packets of rounds that we sent again, which may come yet. */
  #stale = 0;
  #sweeps = 0;
  #isSweeping = false;
  #eofs = 0;
  readonly #out: Uint8Array[] = [];
  #outcome: ClassicOutcome | undefined;

  constructor(options: ClassicSenderOptions, now: number) {
    const { requesterPort, ip, port } = options;
    this.#fileBytes = options.fileBytes;
    this.#window = checkWindow(options.window ?? DEFAULT_WINDOW);
    this.#out.push(encodeClassic({ kind: 'start', requesterPort, ip, port }));
    this.#at = now + START_MS;
    this.#waitsSince = now;
  }

  get outcome(): ClassicOutcome | undefined {
    return this.#outcome;
  }

  /** Of the file, not necessarily acknowledged. */
  get sentBytes(): number {
    return this.#position - this.#supplied.length;
  }

  /** What it needs next of the file. */
  get wants(): Wanted | undefined {
    const bytes = Math.min(this.#fileBytes - this.#position, MAX_SUPPLY_BYTES - this.#supplied.length);
    const isLow = this.#supplied.length < MAX_SUPPLY_BYTES / 2;
    return this.#outcome || bytes <= 0 || !isLow ? undefined : { position: this.#position, bytes };
  }

  /** All of that or a part of it; anything else is not taken. */
  supply(position: number, bytes: Uint8Array): void {
    const wanted = this.wants;
    if (!wanted || position !== wanted.position || bytes.length > wanted.bytes) return;
    const joined = new Uint8Array(this.#supplied.length + bytes.length);
    joined.set(this.#supplied);
    joined.set(bytes, this.#supplied.length);
    this.#supplied = joined;
    this.#position += bytes.length;
  }

  /** The next datagram to send. */
  take(): Uint8Array | undefined {
    return this.#out.shift();
  }

  input(datagram: Uint8Array, now: number): void {
    if (this.#outcome || this.#out.length > MAX_INPUT) return;
    const heard = readAck(datagram);
    if (heard === undefined || heard < -1 || heard >= this.#window) return;
    this.#hasHeard = true;
    if (this.#phase === 'flow') this.#heardInFlow(heard, now);
    else if (this.#phase === 'quiet') this.#heardInQuiet(heard, now);
    else if (this.#phase === 'single') this.#heardInSingle(heard, now);
  }

  tick(now: number): void {
    if (this.#outcome || now < this.deadline()) return;
    if (this.#phase === 'ending') this.#sendEof(now);
    else if (this.#phase === 'quiet') this.#sendAgain(now);
    else if (this.#phase === 'single') this.#singleUnheard(now);
    else if (this.#canSend) this.#burst(now);
    else this.#tailUnheard(now);
  }

  deadline(): number {
    if (this.#outcome) return NEVER;
    if (this.#phase !== 'flow' || this.#canSend) return this.#at;
    // while bytes of the file are waited for, it owes us nothing
    return this.#sent === this.#window ? this.#at : NEVER;
  }

  // --- packets ------------------------------------------------------------------------------------------

  get #isWholeFileCut(): boolean {
    return this.#position === this.#fileBytes && this.#supplied.length === 0;
  }

  get #canSend(): boolean {
    if (this.#sent === this.#window) return false;
    // no short packet while more of the file is to come
    const isEnough = this.#supplied.length >= MAX_CLASSIC_DATA || this.#position === this.#fileBytes;
    return this.#sent < this.#round.length || isEnough;
  }

  /** Of this number; made from the file if it is new, and empty when that has ended. */
  #packet(seq: number): Uint8Array {
    const known = this.#round[seq];
    if (known) return known;
    const bytes = this.#supplied.subarray(0, packetEnd(this.#supplied));
    this.#supplied = this.#supplied.subarray(bytes.length);
    const packet = encodeClassic({ kind: 'data', seq, bytes });
    this.#round.push(packet);
    return packet;
  }

  #burst(now: number): void {
    // one that acknowledges everything needs nothing to fill up the round
    const isAll = this.#round.length === (this.#isSingle ? this.#acked : 0);
    if (isAll && this.#isWholeFileCut) return this.#end(now);
    const most = this.#isSingle ? this.#acked + 1 : this.#window;
    for (let count = 0; count < BURST && this.#canSend && this.#sent < most; count++) {
      this.#out.push(this.#packet(this.#sent++));
    }
    if (this.#isSingle) this.#phase = 'single';
    const waits = this.#isSingle || this.#sent === this.#window;
    this.#at = now + (waits ? RESEND_MS : BURST_MS);
    if (waits || this.#sent <= BURST) this.#waitsSince = now;
  }

  #progress(acked: number, now: number): void {
    this.#acked = acked + 1;
    this.#sent = Math.max(this.#sent, this.#acked);
    if (this.#acked === this.#window) this.#stale += this.#tails;
    this.#tails = 0;
    this.#isSweeping = false;
    this.#waitsSince = now;
    if (this.#sent === this.#window) this.#at = now + RESEND_MS;
    if (this.#acked === this.#window) this.#nextRound(now);
  }

  #nextRound(now: number): void {
    this.#round.length = 0;
    this.#acked = 0;
    this.#sent = 0;
    this.#tails = 0;
    this.#sweeps = 0;
    this.#at = now;
    this.#waitsSince = now;
  }

  // --- what it says -------------------------------------------------------------------------------------

  #heardInFlow(ack: number, now: number): void {
    const acked = this.#acked;
    if (ack >= acked && ack < this.#round.length) return this.#progress(ack, now);
    if (this.#isStale(ack)) return;
    if (this.#tails > 0 && ack === -1) return this.#roundDoubted(now);
    // something is under way, and its last ack comes again
    if (ack !== acked - 1 || this.#sent === acked || this.#isSweeping) return;
    this.#phase = 'quiet';
    this.#at = now + QUIET_MS;
  }

  /** What it says to the last packet of a round when that comes once too often. */
  #isStale(ack: number): boolean {
    if (ack !== -1 || this.#acked > 0 || this.#stale === 0) return false;
    this.#stale--;
    return true;
  }

  /** The last packet came to it as one that it does not expect: it has had it before, when any ack of it was heard. */
  #roundDoubted(now: number): void {
    if (this.#acked > 0) this.#nextRound(now);
    else this.#fail('lost', 'acknowledgements were lost: it is not known what the receiver has');
  }

  /** One that threw packets away says nothing more. */
  #heardInQuiet(ack: number, now: number): void {
    if (ack === -1 && this.#acked === 0) this.#sweep(now);
    else this.#failLost();
  }

  #heardInSingle(ack: number, now: number): void {
    const seq = this.#acked;
    if (ack === seq) {
      this.#phase = 'flow';
      this.#sent = Math.min(this.#sent, seq + 1);
      this.#progress(ack, now);
      this.#at = now;
    } else if (ack !== seq - 1 || this.#isStale(ack)) return;
    else if (seq === 0 && this.#tails === 0) this.#sweep(now);
    else this.#failLost();
  }

  /** The whole round once more: what it has, it answers with -1 and passes over. */
  #sweep(now: number): void {
    if (++this.#sweeps > MAX_SWEEPS) return this.#failLost();
    this.#isSingle = false;
    this.#phase = 'flow';
    this.#isSweeping = true;
    this.#sent = 0;
    this.#tails = 0;
    this.#at = now + QUIET_MS;
  }

  // --- what it does not say -----------------------------------------------------------------------------

  /** From here on one at a time, from the first that was not acknowledged. */
  #sendAgain(now: number): void {
    this.#isSingle = true;
    this.#phase = 'single';
    this.#isSweeping = false;
    this.#sent = this.#acked + 1;
    this.#out.push(encodeClassic({ kind: 'again' }), this.#packet(this.#acked));
    this.#at = now + RESEND_MS;
  }

  #singleUnheard(now: number): void {
    if (now - this.#waitsSince >= SILENT_MS) return this.#failSilent(now);
    if (this.#acked === this.#window - 1) this.#tails++;
    this.#out.push(this.#packet(this.#acked));
    this.#at = now + RESEND_MS;
  }

  #tailUnheard(now: number): void {
    if (now - this.#waitsSince >= SILENT_MS) return this.#failSilent(now);
    this.#isSweeping = false;
    if (this.#tails === MAX_TAILS) return this.#sendAgain(now);
    this.#tails++;
    this.#out.push(this.#packet(this.#window - 1));
    this.#at = now + RESEND_MS;
  }

  // --- the end ------------------------------------------------------------------------------------------

  #end(now: number): void {
    this.#phase = 'ending';
    this.#isConfirmed &&= this.#fileBytes > 0;
    this.#sendEof(now);
  }

  #sendEof(now: number): void {
    this.#out.push(encodeClassic({ kind: 'eof' }));
    this.#eofs++;
    this.#at = now + EOF_MS;
    if (this.#eofs < EOFS) return;
    this.#phase = 'over';
    this.#outcome = { kind: 'done', bytes: this.#fileBytes, isConfirmed: this.#isConfirmed };
  }

  #failSilent(now: number): void {
    // one that is not like the others may have taken all of it without a word about the last packets
    if (!this.#hasHeard || !this.#isWholeFileCut) {
      return this.#fail('silent', `the receiver has not answered for ${SILENT_MS / 1000} seconds`);
    }
    this.#isConfirmed = false;
    this.#end(now);
  }

  #failLost(): void {
    this.#fail('lost', 'a packet was lost on the way, and the receiver can not recover from that');
  }

  #fail(reason: ClassicFailure, message: string): void {
    this.#phase = 'over';
    this.#outcome = { kind: 'failed', reason, message };
  }
}

/** Anything else is none of its business. */
function readAck(datagram: Uint8Array): number | undefined {
  let read: ClassicDatagram;
  try {
    read = decodeClassic(datagram);
  } catch {
    return undefined;
  }
  return read.kind === 'ack' ? read.seq : undefined;
}
