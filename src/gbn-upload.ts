// Layer 4. A shared file on its way to one peer, by the sound wire or the classic one: socket, machine and file joined.
// Ends once, with a reason; after that the socket stays for the last words, as long as the machine wants it.

import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';
import { localIpFor } from './addresses.ts';
import { HouseError } from './errors.ts';
import { ClassicOutgoing, type EndOfTransfer, type Outgoing } from './gbn-classic-ends.ts';
import { openOwnSocket } from './gbn-own-socket.ts';
import { type Driver, type GbnSocket, isOwnMachine, type Machine, type Trouble } from './gbn-socket.ts';
import { GbnSource } from './gbn-source.ts';
import type { GbnStats, GbnTrace } from './gbn-stats.ts';
import { printable } from './printable.ts';
import { Progress } from './progress.ts';
import type { Address } from './session.ts';
import type { Shelf } from './shelf.ts';
import { GbnSender } from './udp-gbn.ts';
import { encodeGbn, isOfTransfer } from './wire-gbn.ts';
import { decodeClassic } from './wire-gbn-classic.ts';

/** What the own machine's loopback takes. */
const OWN_PACKET_BYTES = 32_000;
const PROGRESS_MS = 50;
/** Between two signs of life while the file is read for its digest. */
const BUSY_MS = 500;

export type UploadWire =
  | {
      readonly kind: 'sound';
      /** Of 8 bytes. */
      readonly transferId: Uint8Array;
      readonly window: number | 'auto';
      readonly packetBytes: number | 'auto';
      readonly silentMs?: number | undefined;
      readonly onTrace?: ((trace: GbnTrace) => void) | undefined;
    }
  | { readonly kind: 'classic'; readonly window?: number | undefined };

export interface UploadOptions {
  readonly shelf: Shelf;
  readonly name: string;
  readonly peer: Address;
  /** As a person would say. */
  readonly to: string;
  readonly wire: UploadWire;
  readonly host?: string;
  readonly port?: number;
  readonly trouble?: Trouble | undefined;
  /** It is given up when nothing was heard by then. */
  readonly reachMs?: number;
  onBug(error: unknown): void;
}

export interface UploadEnd extends EndOfTransfer {
  readonly isDone: boolean;
  /** Of the whole file. */
  readonly size: number;
  /** What the other end had before. */
  readonly offset: number;
  /** From the acceptance on. */
  readonly ms: number;
  readonly stats: Readonly<GbnStats>;
  /** Of the socket's datagrams, on purpose. */
  readonly dropped: number;
}

export class GbnUpload implements Driver {
  readonly progress: Progress;
  /** Never rejects. */
  readonly ended: Promise<UploadEnd>;
  /** When the last words are said. */
  readonly closed: Promise<void>;
  readonly #options: UploadOptions;
  readonly #source: GbnSource;
  readonly #sha256: string;
  readonly #socket: GbnSocket;
  readonly #ended = Promise.withResolvers<UploadEnd>();
  readonly #closed = Promise.withResolvers<void>();
  #startedAt = performance.now();
  #machine: Outgoing;
  #transferId: Uint8Array | undefined;
  /** Where the first byte that it wants stands: what is before the other end has. */
  #offset: number | undefined;
  #done = 0;
  #advancedAt = 0;
  #isRetry = false;
  #isOver = false;
  readonly #reaching: ReturnType<typeof setTimeout> | undefined;

  private constructor(options: UploadOptions, source: GbnSource, sha256: string, socket: GbnSocket) {
    this.#options = options;
    this.#source = source;
    this.#sha256 = sha256;
    this.#socket = socket;
    this.ended = this.#ended.promise;
    this.closed = this.#closed.promise;
    const { name, to, wire } = options;
    this.progress = new Progress(printable(`${name} to ${to}`), this.#startedAt);
    this.progress.total = source.file.size;
    this.#transferId = wire.kind === 'sound' ? wire.transferId : undefined;
    this.#machine = this.#newMachine();
    source.onReady = () => socket.wake();
    source.onTrouble = (error) => this.#fail(error);
    socket.drive(this, options.peer);
    const { reachMs } = options;
    if (reachMs === undefined) return;
    this.#reaching = setTimeout(() => {
      if (!this.isReached) this.abort(`there was no answer for ${Math.round(reachMs / 1000)} s`);
    }, reachMs);
  }

  /** Reads the file once, for its digest. Rejects with what a shelf throws, or `disk` when there is no socket. */
  static async start(options: UploadOptions): Promise<GbnUpload> {
    const { shelf, name, peer, wire, host = '', port, trouble, onBug } = options;
    const source = await GbnSource.open(shelf, name);
    let socket: GbnSocket | undefined;
    try {
      const chosen = { ...(port !== undefined && { port }), ...(trouble && { trouble }) };
      socket = await openOwnSocket({ host, onBug, ...chosen });
      if (wire.kind === 'classic') return new GbnUpload(options, source, '', socket);
      const sha256 = await digestFor(shelf, source, () => socket?.say(waitOf(wire.transferId), peer));
      return new GbnUpload(options, source, sha256, socket);
    } catch (error) {
      socket?.close();
      await source.close();
      throw error;
    }
  }

  /** Something was heard of the other end. */
  get isReached(): boolean {
    return this.#socket.stats.received > 0;
  }

  get machine(): Machine {
    return this.#machine;
  }

  isOurs(datagram: Uint8Array): boolean {
    if (this.#transferId) return isOfTransfer(datagram, this.#transferId);
    return this.#socket.stats.received === 0 && isClassicAck(datagram);
  }

  /** The other end is told. */
  abort(text: string): void {
    this.#machine.abort('aborted', text, performance.now());
    this.#socket.wake();
  }

  /** Without the last words. */
  close(): void {
    if (!this.#machine.end) this.#machine.abort('aborted', 'closed', performance.now());
    if (!this.#isOver) this.#settle(this.#machine.end as EndOfTransfer, performance.now());
    this.#socket.close();
    this.#closed.resolve();
  }

  serve(now: number): void {
    const machine = this.#machine;
    this.#supply(machine);
    this.#advance(now);
    if (!machine.end) return;
    if (!this.#isOver && this.#mustStartOver(machine.end)) return this.#startOver();
    if (!this.#isOver) this.#settle(machine.end, now);
    if (!machine.isClosed || !this.#socket.isIdle) return;
    this.#socket.close();
    this.#closed.resolve();
  }

  #supply(machine: Outgoing): void {
    for (let want = machine.wants; want; want = machine.wants) {
      if (this.#offset === undefined) this.#begin(want.position);
      const bytes = this.#source.at(want.position, want.bytes);
      if (!bytes) return;
      machine.supply(want.position, bytes);
    }
  }

  #begin(offset: number): void {
    this.#offset = offset;
    this.#startedAt = performance.now();
    this.progress.begin(this.#source.file.size, offset, this.#startedAt);
  }

  #advance(now: number): void {
    if (now - this.#advancedAt < PROGRESS_MS && !this.#machine.end) return;
    this.#advancedAt = now;
    const { bytes } = this.#machine.stats;
    this.progress.advance(bytes - this.#done, now);
    this.#done = bytes;
  }

  /** The part that was there was of another file, as it turned out: the other end begins again at 0, once. */
  #mustStartOver({ code }: EndOfTransfer): boolean {
    return code === 'damaged' && !this.#isRetry && (this.#offset ?? this.#source.file.size) > 0;
  }

  #startOver(): void {
    this.#isRetry = true;
    this.#transferId = nextTransferId(this.#transferId as Uint8Array);
    this.#source.rewind();
    this.#offset = undefined;
    this.#done = 0;
    this.#machine = this.#newMachine();
    this.#socket.wake();
  }

  #newMachine(): Outgoing {
    const { wire, peer } = this.#options;
    const { file } = this.#source;
    if (wire.kind === 'classic') {
      const own = { ip: localIpFor(peer.ip), port: this.#socket.port };
      const options = { fileBytes: file.size, requesterPort: peer.port, ...own };
      return new ClassicOutgoing({ ...options, ...(wire.window && { window: wire.window }) }, performance.now());
    }
    const { window, packetBytes, silentMs, onTrace } = wire;
    return new GbnSender({
      ...file,
      transferId: this.#transferId as Uint8Array,
      sha256: this.#sha256,
      window,
      packetBytes,
      random: seedOfSystem,
      ...(isOwnMachine(peer.ip) && { maxPacketBytes: OWN_PACKET_BYTES }),
      ...(silentMs !== undefined && { silentMs }),
      ...(onTrace && { onTrace }),
    });
  }

  #fail(error: unknown): void {
    const isRefusal = error instanceof HouseError;
    if (!isRefusal) this.#options.onBug(error);
    const isChange = isRefusal && error.code === 'file-changed';
    const text = isRefusal ? error.message : 'the sender has failed';
    this.#machine.abort(isChange ? 'changed' : 'aborted', text, performance.now());
    this.#socket.wake();
  }

  #settle(end: EndOfTransfer, now: number): void {
    this.#isOver = true;
    clearTimeout(this.#reaching);
    const { size } = this.#source.file;
    const { stats } = this.#machine;
    const isDone = end.code === 'done';
    const offset = this.#offset ?? (isDone ? size : 0);
    const settled = { isDone, size, offset, ms: now - this.#startedAt, stats, dropped: this.#socket.stats.dropped };
    this.#source
      .close()
      .then(() => this.#explain(end))
      .then((explained) => this.#ended.resolve({ ...end, ...explained, ...settled }))
      .catch(this.#options.onBug);
  }

  /** One that does not have the digest it was offered with may have been changed meanwhile. */
  async #explain(end: EndOfTransfer): Promise<Partial<EndOfTransfer>> {
    if (end.code !== 'damaged') return {};
    const { name, version } = this.#source.file;
    const now = await this.#options.shelf.look(name).catch(() => undefined);
    return now?.version === version ? {} : { text: `${name} has changed while it was sent` };
  }
}

/** Says now and then that it is at work, if it takes long. */
async function digestFor(shelf: Shelf, { file }: GbnSource, say: () => void): Promise<string> {
  const timer = setInterval(say, BUSY_MS);
  try {
    return await shelf.digest(file.name, file.version);
  } finally {
    clearInterval(timer);
  }
}

function waitOf(transferId: Uint8Array): Uint8Array {
  return encodeGbn(transferId, { kind: 'wait', stamp: 0, heldUs: 0 });
}

/** What both ends go on with when a transfer begins again: another one, so that none is taken for the other. */
export function nextTransferId(id: Uint8Array): Uint8Array {
  const next = Uint8Array.from(id);
  next[next.length - 1] = (next.at(-1) as number) ^ 1;
  return next;
}

export function newTransferId(): Uint8Array {
  return Uint8Array.from(randomBytes(8));
}

function seedOfSystem(): number {
  return Buffer.from(randomBytes(4)).readUInt32LE() / 2 ** 32;
}

function isClassicAck(datagram: Uint8Array): boolean {
  try {
    return decodeClassic(datagram).kind === 'ack';
  } catch {
    return false;
  }
}
