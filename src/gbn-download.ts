// Layer 4. A file on its way from one peer into a folder, by the sound wire or the classic one: socket, machine and
// landing joined. Ends once, with a reason; after that the socket stays for the last words, as long as the machine
// wants it. What was cut is kept, and the next download of the same file goes on from there.

import { clearTimeout, setTimeout } from 'node:timers';
import { HouseError } from './errors.ts';
import { ClassicIncoming, type EndOfTransfer, type Incoming, type IncomingOffer } from './gbn-classic-ends.ts';
import { type DownloadEnd, type DownloadOptions, isClassicStart } from './gbn-download-options.ts';
import { openOwnSocket } from './gbn-own-socket.ts';
import { GbnSink } from './gbn-sink.ts';
import type { Driver, GbnSocket, Machine } from './gbn-socket.ts';
import { emptyStats, type GbnStats, type GbnTrace } from './gbn-stats.ts';
import { TracedReceiver } from './gbn-trace-file.ts';
import { nextTransferId } from './gbn-upload.ts';
import type { Landed } from './landing.ts';
import { printable } from './printable.ts';
import { Progress } from './progress.ts';
import type { Address } from './session.ts';
import { GbnReceiver, transferIdOf } from './udp-gbn.ts';
import { isOfTransfer, readGbn } from './wire-gbn.ts';

const PROGRESS_MS = 50;
/** One that takes the first comer takes another one when that has been silent for so long. */
const REPLACED_MS = 3000;
const NOTHING: Readonly<GbnStats> = emptyStats();

export type { DownloadEnd, DownloadOptions, DownloadWire } from './gbn-download-options.ts';

export class GbnDownload implements Driver {
  /** Once something was offered. */
  progress: Progress | undefined;
  /** Never rejects. */
  readonly ended: Promise<DownloadEnd>;
  readonly closed: Promise<void>;
  readonly #options: DownloadOptions;
  readonly #ended = Promise.withResolvers<DownloadEnd>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #socket: GbnSocket;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #machine: Incoming | undefined;
  /** The same, or one that traces it. */
  #driven: Machine | undefined;
  #transferId: Uint8Array | undefined;
  /** Of the machine that follows when this one has told its end: all begins again. */
  #nextId: Uint8Array | undefined;
  #isRetry = false;
  #isOpening = false;
  #opening: Promise<void> = Promise.resolve();
  #sink: GbnSink | undefined;
  #isFinishing = false;
  #landed: Landed | undefined;
  #startedAt = performance.now();
  /** Bytes that the progress does not know of yet. */
  #unshown = 0;
  #shownAt = 0;
  #isOver = false;
  #isReplaced = false;
  #isEnded = false;
  readonly #droppedBefore: number;

  private constructor(options: DownloadOptions, socket: GbnSocket) {
    this.#options = options;
    this.ended = this.#ended.promise;
    this.closed = this.#closed.promise;
    this.#transferId = options.wire.transferId;
    this.#socket = socket;
    this.#droppedBefore = socket.stats.dropped;
    socket.onStranger = (datagram, from) => this.#meet(datagram, from);
    this.#expect();
  }

  /** Rejects with `disk` when there is no socket. */
  static async open(options: DownloadOptions): Promise<GbnDownload> {
    const { socket, host = '', port, trouble, onBug } = options;
    const chosen = { ...(port !== undefined && { port }), ...(trouble && { trouble }) };
    return new GbnDownload(options, socket ?? (await openOwnSocket({ host, onBug, ...chosen })));
  }

  /** Something, for so long. */
  #expect(): void {
    const { patienceMs } = this.#options;
    clearTimeout(this.#patience);
    if (patienceMs === undefined || this.#machine) return;
    this.#patience = setTimeout(
      () => this.#endUnmet('silent', `nothing came for ${Math.round(patienceMs / 1000)} s`),
      patienceMs,
    );
  }

  get port(): number {
    return this.#socket.port;
  }

  /** Something has come. */
  get hasBegun(): boolean {
    return this.#machine !== undefined;
  }

  get isClassic(): boolean {
    return this.#machine instanceof ClassicIncoming;
  }

  get machine(): Machine {
    return this.#driven ?? (this.#machine as Machine);
  }

  isOurs(datagram: Uint8Array): boolean {
    return this.#transferId !== undefined && isOfTransfer(datagram, this.#transferId);
  }

  /** The other end is told, and what came is kept. */
  abort(text: string): void {
    if (!this.#machine) return this.#endUnmet('aborted', text);
    this.#machine.abort(text, performance.now());
    this.#socket.wake();
  }

  /** Without the last words. */
  close(): void {
    this.abort('closed');
    if (this.#machine && !this.#isOver) this.#settle(this.#machine, performance.now());
    this.#end();
  }

  #end(): void {
    clearTimeout(this.#patience);
    if (!this.#options.socket) this.#socket.close();
    else if (!this.#isEnded) this.#socket.release();
    this.#isEnded = true;
    this.#closed.resolve();
  }

  // --- who sends ------------------------------------------------------------------------------------------

  /** The first datagram of all, or one of somebody else. */
  #meet(datagram: Uint8Array, from: Address): Driver | undefined {
    const { wire, name = 'a file' } = this.#options;
    const isClassic = wire.kind !== 'sound' && isClassicStart(datagram);
    if (!isClassic && !this.#isFirst(datagram)) return undefined;
    if (this.#machine) {
      if (wire.transferId === undefined && !this.isClassic) this.#replace();
      return undefined;
    }
    this.#startedAt = performance.now();
    this.#transferId ??= isClassic ? undefined : transferIdOf(datagram);
    this.#machine = isClassic ? this.#newClassic() : this.#newSound(from.ip);
    this.#expect();
    this.progress = this.#newProgress(name, from);
    this.progress.note = 'offered';
    this.#driven = this.#trace(this.#machine, datagram);
    return this;
  }

  /** Of a sound transfer. */
  #isFirst(datagram: Uint8Array): boolean {
    const { wire } = this.#options;
    const isNamed = wire.transferId !== undefined;
    if (wire.kind === 'classic' || (isNamed && (this.#machine || !this.isOurs(datagram)))) return false;
    const kind = readGbn(datagram)?.kind;
    // the sender is reading the file for its digest
    if (kind === 'wait' && isNamed) this.#expect();
    return kind === 'offer' || (kind === 'end' && isNamed);
  }

  /** The number of the first packet is in no other datagram. */
  #trace(machine: Incoming, datagram: Uint8Array): Machine {
    const { onTrace } = this.#options.wire;
    const offer = onTrace && readGbn(datagram);
    if (offer?.kind !== 'offer') return machine;
    const { firstSeq: seq, window } = offer;
    onTrace?.({ at: this.#startedAt, direction: 'in', kind: 'offer', seq, window, why: 'new' });
    return new TracedReceiver(machine, seq, onTrace as (trace: GbnTrace) => void);
  }

  /** The one that was heard last has been silent for a while, and somebody else offers something. */
  #replace(): void {
    if (this.#isOver || performance.now() - this.#socket.heardAt < REPLACED_MS) return;
    this.#isReplaced = true;
    this.#machine?.abort('another sender has come', performance.now());
    this.close();
  }

  #newClassic(): Incoming {
    const { wire, name = '' } = this.#options;
    return new ClassicIncoming({ name, ...(wire.window && { window: wire.window }) }, performance.now());
  }

  #newSound(ip: string): Incoming {
    const { silentMs, onTrace } = this.#options.wire;
    const roomBytes = this.#socket.roomBytesFor(ip);
    return new GbnReceiver({
      transferId: this.#transferId as Uint8Array,
      ...(roomBytes !== undefined && { roomBytes }),
      ...(silentMs !== undefined && { silentMs }),
      ...(onTrace && { onTrace }),
    });
  }

  #newProgress(name: string, peer: Address | undefined): Progress {
    const from = this.#options.from ?? peer?.ip ?? '?';
    return new Progress(printable(`${name} from ${from}`), performance.now());
  }

  // --- the file -------------------------------------------------------------------------------------------

  serve(now: number): void {
    const machine = this.#machine;
    if (!machine) return;
    if (machine.state === 'offered' && !this.#isOpening) this.#opening = this.#accept(machine);
    this.#take(machine, now);
    if (machine.state === 'verifying' && this.#sink?.isWritten && !this.#isFinishing) this.#finish(machine, this.#sink);
    if (!machine.end || this.#isFinishing) return;
    if (this.#nextId && machine.isClosed) return this.#startOver(this.#nextId);
    if (!this.#isOver && !this.#nextId) this.#settle(machine, now);
    if (machine.isClosed && this.#isOver && this.#socket.isIdle) this.#end();
  }

  async #accept(machine: Incoming): Promise<void> {
    this.#isOpening = true;
    const { name, size, sha256 } = machine.offer as IncomingOffer;
    try {
      this.#sink ??= await this.#openSink(this.#options.name ?? name, size, sha256);
      if (this.#sink.sha256 !== sha256) throw new HouseError('file-changed', 'it is another file than before');
      this.#startedAt = performance.now();
      this.progress = this.#newProgress(this.#options.name ?? name, this.#socket.peer);
      this.progress.begin(size, this.#sink.offset, this.#startedAt);
      if (size === Number.POSITIVE_INFINITY) this.progress.total = undefined;
      machine.accept(this.#sink.offset, this.#startedAt);
    } catch (error) {
      machine.refuse(this.#refusalOf(error), performance.now());
    }
    this.#socket.wake();
  }

  async #openSink(name: string, size: number, sha256: string | undefined): Promise<GbnSink> {
    const { disk, directory, locks } = this.#options;
    const sink = await GbnSink.open({ disk, directory, locks, name, sha256 }, size);
    sink.onWritten = (position) => {
      this.#machine?.written(position, performance.now());
      this.#socket.wake();
    };
    sink.onTrouble = (error) => this.#fail(error);
    return sink;
  }

  #take(machine: Incoming, now: number): void {
    const sink = this.#sink;
    if (!sink) return;
    for (let piece = machine.read(); piece; piece = machine.read()) {
      sink.push(piece.bytes);
      this.#unshown += piece.bytes.length;
    }
    if (now - this.#shownAt < PROGRESS_MS && !machine.end) return;
    this.progress?.advance(this.#unshown, now);
    this.#unshown = 0;
    this.#shownAt = now;
  }

  #finish(machine: Incoming, sink: GbnSink): void {
    this.#isFinishing = true;
    this.#land(machine, sink)
      .catch((error) => this.#fail(error))
      .finally(() => {
        this.#isFinishing = false;
        this.#socket.wake();
      });
  }

  async #land(machine: Incoming, sink: GbnSink): Promise<void> {
    try {
      this.#landed = await sink.finish();
      machine.finish(true, '', performance.now());
    } catch (error) {
      if (!(error instanceof HouseError) || error.code !== 'file-changed') throw error;
      await this.#forget(sink);
      machine.finish(false, 'what arrived is not what was offered', performance.now());
    }
  }

  /** What was there before may have been at fault: then all of it is sent again, once. */
  async #forget(sink: GbnSink): Promise<void> {
    const wasResumed = sink.offset > 0 && !this.#isRetry;
    await sink.restart();
    if (wasResumed && this.#transferId) this.#nextId = nextTransferId(this.#transferId);
  }

  #startOver(id: Uint8Array): void {
    this.#transferId = id;
    this.#nextId = undefined;
    this.#isRetry = true;
    this.#isOpening = false;
    this.#driven = undefined;
    this.#machine = this.#newSound(this.#socket.peer?.ip ?? '');
    this.#socket.wake();
  }

  // --- the end --------------------------------------------------------------------------------------------

  #fail(error: unknown): void {
    this.#machine?.abort(this.#refusalOf(error), performance.now());
    this.#socket.wake();
  }

  /** In words for the other end. */
  #refusalOf(error: unknown): string {
    if (error instanceof HouseError) return error.message;
    this.#options.onBug(error);
    return 'the receiver has failed';
  }

  #endUnmet(code: 'aborted' | 'silent', text: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ended.resolve(this.#endOf({ code, text }, performance.now(), NOTHING));
    this.#end();
  }

  #settle(machine: Incoming, now: number): void {
    this.#isOver = true;
    const end = machine.end as EndOfTransfer;
    this.#opening
      .then(() => this.#sink?.close())
      .then(() => this.#ended.resolve(this.#endOf(end, now, machine.stats)))
      .catch(this.#options.onBug)
      .finally(() => this.#socket.wake());
  }

  #endOf(end: EndOfTransfer, now: number, stats: Readonly<GbnStats>): DownloadEnd {
    const sink = this.#sink;
    const isDone = this.#landed !== undefined;
    const size = this.#machine?.offer?.size ?? 0;
    return {
      ...end,
      isDone,
      isVerified: isDone && sink?.sha256 !== undefined,
      name: sink?.name,
      path: this.#landed?.path,
      size: Number.isFinite(size) ? size : (sink?.length ?? 0),
      offset: sink?.offset ?? 0,
      keptBytes: isDone ? 0 : (sink?.length ?? 0),
      ms: now - this.#startedAt,
      stats,
      dropped: this.#socket.stats.dropped - this.#droppedBefore,
      isReplaced: this.#isReplaced,
    };
  }
}
