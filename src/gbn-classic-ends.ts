// Layer 4. The machines of the classic wire in the shape of the sound ones, so that uploads and downloads drive both
// alike. What that wire cannot say, an offer, an abort, a digest, is not said: one that is given up falls silent.

import type { ClassicOutcome } from './gbn-classic.ts';
import { ClassicReceiver, type ClassicReceiverOptions } from './gbn-classic-receiver.ts';
import { ClassicSender, type ClassicSenderOptions } from './gbn-classic-sender.ts';
import type { Piece } from './gbn-inbox.ts';
import type { Machine } from './gbn-socket.ts';
import { emptyStats, type GbnStats } from './gbn-stats.ts';
import type { Want } from './gbn-window.ts';
import type { EndCode } from './wire-gbn.ts';

/** So much may wait to be written. */
const MAX_UNWRITTEN_BYTES = 4 * 1024 * 1024;

export interface EndOfTransfer {
  readonly code: EndCode;
  readonly text: string;
  /** On the classic wire: everything has come, as far as it can tell. */
  readonly isConfirmed?: boolean;
}

/** What an upload drives. */
export interface Outgoing extends Machine {
  readonly end: EndOfTransfer | undefined;
  readonly isClosed: boolean;
  readonly stats: Readonly<GbnStats>;
  readonly wants: Want | undefined;
  supply(position: number, bytes: Uint8Array): void;
  abort(code: 'aborted' | 'changed', text: string, now: number): void;
}

export interface IncomingOffer {
  readonly name: string;
  /** Infinity where it is not said. */
  readonly size: number;
  readonly sha256: string | undefined;
}

/** What a download drives. */
export interface Incoming extends Machine {
  readonly state: 'waiting' | 'offered' | 'receiving' | 'verifying' | 'done' | 'failed';
  readonly end: EndOfTransfer | undefined;
  readonly isClosed: boolean;
  readonly stats: Readonly<GbnStats>;
  readonly offer: IncomingOffer | undefined;
  accept(offset: number, now: number): void;
  refuse(text: string, now: number): void;
  abort(text: string, now: number): void;
  read(): Piece | undefined;
  written(position: number, now: number): void;
  finish(isRight: boolean, text: string, now: number): void;
}

const CODES: Readonly<Record<string, EndCode>> = { silent: 'silent', lost: 'stalled', window: 'invalid' };

function failureOf(outcome: ClassicOutcome): EndOfTransfer | undefined {
  return outcome.kind === 'failed' ? { code: CODES[outcome.reason] ?? 'refused', text: outcome.message } : undefined;
}

export class ClassicOutgoing implements Outgoing {
  readonly #machine: ClassicSender;
  readonly #stats = emptyStats();
  #given: EndOfTransfer | undefined;

  constructor(options: ClassicSenderOptions, now: number) {
    this.#machine = new ClassicSender(options, now);
    this.#stats.window = options.window ?? 0;
  }

  get end(): EndOfTransfer | undefined {
    const { outcome } = this.#machine;
    if (this.#given || !outcome) return this.#given;
    const isConfirmed = outcome.kind === 'done' && outcome.isConfirmed;
    return failureOf(outcome) ?? { code: 'done', text: '', isConfirmed };
  }

  get isClosed(): boolean {
    return this.end !== undefined;
  }

  get stats(): Readonly<GbnStats> {
    this.#stats.bytes = this.#machine.sentBytes;
    return this.#stats;
  }

  get wants(): Want | undefined {
    return this.#given ? undefined : this.#machine.wants;
  }

  supply(position: number, bytes: Uint8Array): void {
    this.#machine.supply(position, bytes);
  }

  abort(code: 'aborted' | 'changed', text: string): void {
    if (!this.end) this.#given = { code, text };
  }

  input(datagram: Uint8Array, now: number): void {
    this.#stats.wireBytes += datagram.length;
    this.#machine.input(datagram, now);
  }

  tick(now: number): void {
    if (!this.#given) this.#machine.tick(now);
  }

  take(): Uint8Array | undefined {
    const datagram = this.#given ? undefined : this.#machine.take();
    if (!datagram) return undefined;
    this.#stats.packets++;
    this.#stats.wireBytes += datagram.length;
    return datagram;
  }

  deadline(): number {
    return this.#given ? Number.POSITIVE_INFINITY : this.#machine.deadline();
  }
}

export class ClassicIncoming implements Incoming {
  readonly #machine: ClassicReceiver;
  readonly #name: string;
  readonly #stats = emptyStats();
  #isAccepted = false;
  #position = 0;
  #writtenTo = 0;
  #given: EndOfTransfer | undefined;

  /** Nobody says what the file is called, so whoever asked for it does. */
  constructor(options: ClassicReceiverOptions & { readonly name: string }, now: number) {
    this.#machine = new ClassicReceiver(options, now);
    this.#name = options.name;
    this.#stats.window = options.window ?? 0;
  }

  get state(): Incoming['state'] {
    if (this.end) return this.end.code === 'done' ? 'done' : 'failed';
    if (!this.#machine.source) return 'waiting';
    if (!this.#isAccepted) return 'offered';
    const isAllRead = this.#position === this.#machine.receivedBytes;
    return this.#machine.outcome && isAllRead ? 'verifying' : 'receiving';
  }

  get end(): EndOfTransfer | undefined {
    const { outcome } = this.#machine;
    return this.#given ?? (outcome && failureOf(outcome));
  }

  get isClosed(): boolean {
    return this.end !== undefined;
  }

  get stats(): Readonly<GbnStats> {
    this.#stats.bytes = this.#position;
    return this.#stats;
  }

  get offer(): IncomingOffer | undefined {
    if (!this.#machine.source) return undefined;
    return { name: this.#name, size: Number.POSITIVE_INFINITY, sha256: undefined };
  }

  accept(): void {
    this.#isAccepted = true;
  }

  refuse(text: string): void {
    if (!this.end) this.#given = { code: 'refused', text };
  }

  abort(text: string): void {
    if (!this.end) this.#given = { code: 'aborted', text };
  }

  read(): Piece | undefined {
    if (!this.#isAccepted || this.#position - this.#writtenTo > MAX_UNWRITTEN_BYTES) return undefined;
    const bytes = this.#machine.read();
    if (!bytes) return undefined;
    const position = this.#position;
    this.#position += bytes.length;
    return { position, bytes };
  }

  written(position: number): void {
    this.#writtenTo = position;
  }

  finish(isRight: boolean, text: string): void {
    const { outcome } = this.#machine;
    if (this.end || !outcome) return;
    const isConfirmed = outcome.kind === 'done' && outcome.isConfirmed;
    this.#given = isRight ? { code: 'done', text, isConfirmed } : { code: 'damaged', text };
  }

  input(datagram: Uint8Array, now: number): void {
    this.#stats.packets++;
    this.#stats.wireBytes += datagram.length;
    this.#machine.input(datagram, now);
  }

  tick(now: number): void {
    if (!this.#given) this.#machine.tick(now);
  }

  take(): Uint8Array | undefined {
    const datagram = this.#machine.take();
    if (datagram) this.#stats.wireBytes += datagram.length;
    return datagram;
  }

  deadline(): number {
    return this.#given ? Number.POSITIVE_INFINITY : this.#machine.deadline();
  }
}
