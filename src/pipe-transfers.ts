// Layer 4. The files of the `pipe` client: straight from one client to the other by Go-Back-N, on the sound wire or, where
// the other end knows no better, on the classic one; through the server where they do not reach each other.

import { Buffer } from 'node:buffer';
import disk from 'node:fs/promises';
import path from 'node:path';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import type {
  Refusal,
  Request,
  TransferEvents,
  TransferOptions,
  Transfers,
  Way,
  Wish,
} from './client-pipe-transfers.ts';
import type { Place } from './client-pipe-words.ts';
import { entryAt } from './disk.ts';
import { HouseError } from './errors.ts';
import { Fetcher } from './fetcher.ts';
import { type DownloadEnd, GbnDownload } from './gbn-download.ts';
import { GbnUpload, newTransferId, type UploadWire } from './gbn-upload.ts';
import { nameKey } from './names.ts';
import { PartLocks } from './part-locks.ts';
import { Refusals, transferIdOf } from './pipe-refusals.ts';
import { type Trace, Traces } from './pipe-traces.ts';
import { Turns } from './pipe-turns.ts';
import { printable } from './printable.ts';
import { Progress } from './progress.ts';
import { Sharer } from './sharer.ts';
import { Shelf } from './shelf.ts';
import type { TlsTrust } from './tls-client.ts';
import type { OwnerAnswer } from './wire-owner.ts';
import type { PipeNotice } from './wire-pipe.ts';

/** From asking for a file to the first sign of it, and from the first offer to the first answer. */
const REACH_MS = 3000;
/** How soon it is noticed that somebody has answered. */
const REACHED_MS = 50;
/** Of one who has left, silence for so long is the end. */
const LEFT_MS = 2000;
const MAX_NAMES = 100;
const isWindows = process.platform === 'win32';

export interface PipeServer {
  readonly host: string;
  readonly tls?: TlsTrust | undefined;
  answer(answer: OwnerAnswer): void;
  /** Whether others may have it at all. */
  shares(file: string): boolean;
  onBug(error: unknown): void;
}

/** What the server said, once it has. */
interface Relay {
  readonly fetcher: Fetcher;
  readonly sharer: Sharer;
}

interface Download extends Wish {
  readonly waiting: Progress;
  hasOwnerLeft: boolean;
}

/** What has gone wrong at this end. */
interface Trouble {
  text: string | undefined;
}

export class PipeTransfers implements Transfers {
  readonly #options: TransferOptions;
  readonly #server: PipeServer;
  readonly #events: TransferEvents;
  readonly #shelf: Shelf;
  readonly #locks = new PartLocks();
  readonly #downloads = new Map<GbnDownload, Download>();
  readonly #uploads = new Set<GbnUpload>();
  readonly #traces: Traces;
  readonly #turns = new Turns();
  readonly #refusals = new Refusals();
  #window: number | undefined;
  #relay: Relay | undefined;
  readonly #welcome = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(options: TransferOptions, server: PipeServer, events: TransferEvents) {
    this.#options = options;
    this.#server = server;
    this.#events = events;
    this.#shelf = new Shelf(disk, options.directory, isWindows);
    this.#traces = new Traces(options.trace);
    this.#window = options.window;
  }

  // --- what we want ------------------------------------------------------------------------------------------

  async fetch(wish: Wish): Promise<Place | undefined> {
    if (this.#options.way === 'relay') {
      void this.#fetchThrough(await this.#welcomed(), wish);
      return undefined;
    }
    const transferId = newTransferId();
    const trace = this.#traces.open('recv');
    const download = await this.#openDownload(wish, transferId, trace).catch((error) => {
      trace?.close();
      throw error instanceof HouseError ? error : new HouseError('disk', `can't listen for it: ${error.message}`);
    });
    this.#downloads.set(download, { ...wish, waiting: waitingFor(wish), hasOwnerLeft: false });
    download.ended.then((end) => this.#came(wish, download, end)).catch(this.#server.onBug);
    if (trace) download.closed.then(() => trace.close()).catch(this.#server.onBug);
    const token = Buffer.from(transferId).toString('base64url');
    return { ip: this.#options.ip, port: download.port, token };
  }

  #openDownload({ owner, file }: Wish, transferId: Uint8Array, trace: Trace | undefined): Promise<GbnDownload> {
    return GbnDownload.open({
      disk,
      directory: this.#options.directory,
      locks: this.#locks,
      name: file,
      from: owner,
      wire: { kind: 'first', transferId, window: this.#window, ...this.#soundOptions(trace) },
      trouble: this.#options.trouble,
      patienceMs: REACH_MS,
      onBug: this.#server.onBug,
    });
  }

  /** The server's answer may be on its way. */
  async #welcomed(): Promise<Relay> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, REACH_MS).unref());
    await Promise.race([this.#welcome.promise, late]);
    if (!this.#relay) throw new HouseError('not-allowed', 'files go through servers of Parley only');
    return this.#relay;
  }

  abandon(wish: Wish): void {
    for (const [download, one] of this.#downloads) {
      if (one.owner !== wish.owner || one.file !== wish.file) continue;
      this.#downloads.delete(download);
      download.close();
    }
  }

  ownerLeft(name: string): void {
    for (const [download, { owner }] of this.#downloads) {
      if (nameKey(owner) === nameKey(name)) this.#watch(download);
    }
  }

  /** Its owner may have left the room alone, and go on sending. */
  #watch(download: GbnDownload): void {
    const done = download.progress?.done;
    setTimeout(() => {
      const one = this.#downloads.get(download);
      const { progress } = download;
      // what is all there is being checked
      if (!one || (progress && progress.done === progress.total)) return;
      if (progress?.done !== done) return this.#watch(download);
      one.hasOwnerLeft = true;
      download.abort(`${one.owner} has left`);
    }, LEFT_MS).unref();
  }

  #came(wish: Wish, download: GbnDownload, end: DownloadEnd): void {
    // an abandoned one is not spoken of
    const hasOwnerLeft = this.#downloads.get(download)?.hasOwnerLeft;
    if (!this.#downloads.delete(download) || this.#isClosed) return;
    if (end.isDone) return this.#arrived(wish, end, download.isClassic ? 'classic' : 'direct');
    const mayRelay = this.#relay && this.#options.way === 'any' && !download.hasBegun;
    const kept = end.keptBytes > 0 ? '; what has come is kept for the next try' : '';
    if (hasOwnerLeft) return this.#events.failed(wish, `${wish.owner} has left${kept}`);
    if (this.#relay && mayRelay) {
      this.#events.relaying(wish);
      return void this.#fetchThrough(this.#relay, wish);
    }
    this.#events.failed(wish, download.hasBegun ? `${end.text}${kept}` : `nothing came of it in ${REACH_MS / 1000} s`);
  }

  #arrived(wish: Wish, { path: where, size, offset, ms, isVerified }: DownloadEnd, way: Way): void {
    const bytes = Number.isFinite(size) ? size - offset : 0;
    this.#events.arrived({ ...wish, path: where ?? wish.file, bytes, ms, way, isVerified });
  }

  async #fetchThrough({ fetcher }: Relay, wish: Wish): Promise<void> {
    const fetched = await fetcher.fetch(wish.owner, wish.file);
    if (this.#isClosed) return;
    if (fetched.kind === 'failed') return this.#events.failed(wish, fetched.reason);
    const { path: where, bytes, ms } = fetched;
    this.#events.arrived({ ...wish, path: where, bytes, ms, way: 'relay', isVerified: true });
  }

  // --- what others want --------------------------------------------------------------------------------------

  serve(request: Request): void {
    this.#send(request).catch((error) => {
      const reason = reasonOf(error);
      if (reason === undefined) this.#server.onBug(error);
      else if (!this.#isClosed) this.#events.notServed(request, reason);
    });
  }

  async #send(request: Request): Promise<void> {
    // an event never comes inside a call
    await undefined;
    if (this.#options.way === 'relay') throw new HouseError('not-allowed', 'it can be had through the server only');
    const askedAt = performance.now();
    const endTurn = await this.#turns.take(request.to);
    try {
      const isStale = request.token !== undefined && performance.now() - askedAt > REACH_MS;
      if (isStale) throw new HouseError('stalled', 'too many requests at a time: it has waited too long');
      if (!this.#isClosed) await this.#sendNow(request, endTurn);
    } finally {
      endTurn();
    }
  }

  async #sendNow(request: Request, endTurn: () => void): Promise<void> {
    const trace = transferIdOf(request) ? this.#traces.open('send') : undefined;
    const trouble: Trouble = { text: undefined };
    const upload = await this.#startUpload(request, trace, trouble).catch((error) => {
      trace?.close();
      throw error;
    });
    if (trace) upload.closed.then(() => trace.close()).catch(this.#server.onBug);
    if (this.#isClosed) return upload.close();
    this.#uploads.add(upload);
    // whoever has answered is there, and the next one may try
    const timer = setInterval(() => upload.isReached && endTurn(), REACHED_MS);
    const end = await upload.ended;
    clearInterval(timer);
    this.#uploads.delete(upload);
    if (this.#isClosed) return;
    if (end.isDone) return this.#events.served(request, end.size - end.offset, end.ms);
    const text = trouble.text ?? (this.#relay && !upload.isReached ? UNREACHED : end.text);
    this.#events.notServed(request, text);
  }

  #startUpload(request: Request, trace: Trace | undefined, trouble: Trouble): Promise<GbnUpload> {
    const { to, file, ip, port } = request;
    return GbnUpload.start({
      shelf: this.#shelf,
      name: file,
      peer: { ip, port },
      to,
      wire: this.#wireTo(request, trace),
      trouble: this.#options.trouble,
      reachMs: REACH_MS,
      onBug: (error) => {
        trouble.text ??= reasonOf(error);
        if (trouble.text === undefined) this.#server.onBug(error);
      },
    });
  }

  #wireTo(request: Request, trace: Trace | undefined): UploadWire {
    const transferId = transferIdOf(request);
    if (!transferId) return { kind: 'classic', window: this.#window };
    return {
      kind: 'sound',
      transferId,
      window: this.#window ?? 'auto',
      packetBytes: 'auto',
      ...this.#soundOptions(trace),
    };
  }

  refuse(request: Request, reason: Refusal): void {
    this.#refuse(request, reason).catch((error) => {
      // whoever asks that much is not answered
      if (reasonOf(error) === undefined) this.#server.onBug(error);
    });
  }

  async #refuse(request: Request, reason: Refusal): Promise<void> {
    const endTurn = await this.#turns.take(request.to);
    try {
      if (!this.#isClosed) await this.#refusals.refuse(request, reason);
    } finally {
      endTurn();
    }
  }

  setWindow(packets: number): void {
    this.#window = packets;
  }

  // --- through the server ------------------------------------------------------------------------------------

  noticed(notice: PipeNotice): void {
    switch (notice.kind) {
      case 'welcome':
        this.#relay ??= this.#open(notice.token, notice.port);
        return this.#welcome.resolve();
      case 'through-server':
        return this.#goThrough(notice.name);
      case 'want':
        if (this.#server.shares(notice.file) && this.#options.way !== 'direct') return this.#relay?.sharer.want(notice);
        return this.#relay?.sharer.refuse(notice.ticket, new HouseError('no-such-file', 'there is no such file'));
      case 'push':
        return this.#relay?.sharer.push(notice.ticket, notice);
      case 'done':
        return this.#relay?.sharer.done(notice.ticket, notice.reason);
    }
  }

  #open(token: string, port: number): Relay {
    const { directory } = this.#options;
    const { host, tls } = this.#server;
    const server = { host, port, tls };
    const fetcher = new Fetcher({
      disk,
      directory,
      locks: this.#locks,
      server,
      direct: false,
      token: () => Promise.resolve(token),
      nameFor: (file) => freeName(directory, file),
    });
    const sharer = new Sharer({
      shelf: this.#shelf,
      server,
      answer: (answer) => this.#server.answer(answer),
      serving: () => {},
      served: ({ who, file, trouble }) => this.#events.relayed(who, file, trouble),
      onBug: this.#server.onBug,
    });
    return { fetcher, sharer };
  }

  /** Whoever that is has no other way. */
  #goThrough(owner: string): void {
    const relay = this.#relay;
    for (const [download, wish] of this.#downloads) {
      if (!relay || nameKey(wish.owner) !== nameKey(owner) || download.hasBegun) continue;
      this.#downloads.delete(download);
      download.close();
      if (this.#options.way === 'any') void this.#fetchThrough(relay, wish);
      else this.#events.failed(wish, 'it can be had through the server only');
    }
  }

  // --- all of it ---------------------------------------------------------------------------------------------

  lines(now: number, columns: number): readonly string[] {
    const coming = [...this.#downloads].map(([{ progress }, { waiting }]) => progress ?? waiting);
    const going = [...this.#uploads].map(({ progress }) => progress);
    const relayed = this.#relay ? [...this.#relay.fetcher.active, ...this.#relay.sharer.active] : [];
    return [...coming, ...going, ...relayed].map((progress) => progress.line(now, columns));
  }

  close(): void {
    this.#isClosed = true;
    for (const download of this.#downloads.keys()) download.abort('the client has been ended');
    for (const upload of this.#uploads) upload.abort('the client has been ended');
    this.#relay?.sharer.close();
    this.#refusals.close();
    this.#traces.close();
  }

  #soundOptions(trace: Trace | undefined) {
    return { silentMs: this.#options.timeoutMs, onTrace: trace?.note };
  }
}

const UNREACHED = 'they can’t be reached directly; the server passes it on when they ask';

/** Of what the sender's machine and disk may come to; undefined of a bug. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof HouseError) return error.message;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const isOfSystem = typeof code === 'string' && /^E[A-Z0-9]+$/.test(code);
  return isOfSystem ? `it can't be sent now: ${(error as Error).message}` : undefined;
}

/** Before anything has come. */
function waitingFor({ owner, file }: Wish): Progress {
  const progress = new Progress(printable(`${file} from ${owner}`), performance.now());
  progress.note = printable(`waiting for ${owner}`);
  return progress;
}

/** One that is taken gets a `1` in front. */
async function freeName(directory: string, file: string): Promise<string> {
  let name = file;
  for (let tries = 0; tries < MAX_NAMES; tries++, name = `1${name}`) {
    if (!(await entryAt(disk, path.join(directory, name)))) return name;
  }
  throw new HouseError('disk', `there are too many files called ${file}`);
}
