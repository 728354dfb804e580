// Layer 4. The files of the `pipe` client: straight from one client to the other by Go-Back-N, on the sound wire or, where
// the other end knows no better, on the classic one; through the server where they do not reach each other.

import { Buffer } from 'node:buffer';
import dgram from 'node:dgram';
import disk from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout } from 'node:timers';
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
import { TraceFile } from './gbn-trace-file.ts';
import { GbnUpload, newTransferId, type UploadWire } from './gbn-upload.ts';
import { PartLocks } from './part-locks.ts';
import { Sharer } from './sharer.ts';
import { Shelf } from './shelf.ts';
import type { TlsTrust } from './tls-client.ts';
import { encodeGbn, ID_BYTES } from './wire-gbn.ts';
import { encodeClassic } from './wire-gbn-classic.ts';
import type { OwnerAnswer } from './wire-owner.ts';
import type { PipeNotice } from './wire-pipe.ts';

/** From asking for a file to the first sign of it, and from the first offer to the first answer. */
const REACH_MS = 3000;
/** A refusal may be lost. */
const REFUSALS = 2;
const REFUSAL_MS = 50;
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

export class PipeTransfers implements Transfers {
  readonly #options: TransferOptions;
  readonly #server: PipeServer;
  readonly #events: TransferEvents;
  readonly #shelf: Shelf;
  readonly #locks = new PartLocks();
  readonly #downloads = new Map<GbnDownload, Wish>();
  readonly #uploads = new Set<GbnUpload>();
  readonly #traces = new Set<TraceFile>();
  #traced = 0;
  #window: number | undefined;
  #relay: Relay | undefined;
  readonly #welcome = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(options: TransferOptions, server: PipeServer, events: TransferEvents) {
    this.#options = options;
    this.#server = server;
    this.#events = events;
    this.#shelf = new Shelf(disk, options.directory, isWindows);
    this.#window = options.window;
  }

  // --- what we want ------------------------------------------------------------------------------------------

  async fetch(wish: Wish): Promise<Place | undefined> {
    if (this.#options.way === 'relay') {
      void this.#fetchThrough(await this.#welcomed(), wish);
      return undefined;
    }
    const transferId = newTransferId();
    const trace = this.#openTrace('recv');
    const { directory, ip } = this.#options;
    const download = await GbnDownload.open({
      disk,
      directory,
      locks: this.#locks,
      name: wish.file,
      from: wish.owner,
      wire: { kind: 'first', transferId, window: this.#window, ...this.#soundOptions(trace) },
      trouble: this.#options.trouble,
      patienceMs: REACH_MS,
      onBug: this.#server.onBug,
    }).catch(cannotListen);
    this.#downloads.set(download, wish);
    download.ended.then((end) => this.#came(wish, download, end)).catch(this.#server.onBug);
    if (trace) download.closed.then(() => this.#closeTrace(trace)).catch(this.#server.onBug);
    return { ip, port: download.port, token: Buffer.from(transferId).toString('base64url') };
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

  #came(wish: Wish, download: GbnDownload, end: DownloadEnd): void {
    // an abandoned one is not spoken of
    if (!this.#downloads.delete(download) || this.#isClosed) return;
    if (end.isDone) return this.#arrived(wish, end, download.isClassic ? 'classic' : 'direct');
    const mayRelay = this.#relay && this.#options.way === 'any' && !download.hasBegun;
    if (this.#relay && mayRelay) return void this.#fetchThrough(this.#relay, wish);
    const kept = end.keptBytes > 0 ? '; what has come is kept for the next try' : '';
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
      if (!(error instanceof HouseError)) this.#server.onBug(error);
      else this.#events.notServed(request, error.message);
    });
  }

  async #send(request: Request): Promise<void> {
    // an event never comes inside a call
    await undefined;
    if (this.#options.way === 'relay') throw new HouseError('not-allowed', 'it can be had through the server only');
    const { to, file, ip, port } = request;
    const trace = this.#openTrace('send');
    const upload = await GbnUpload.start({
      shelf: this.#shelf,
      name: file,
      peer: { ip, port },
      to,
      wire: this.#wireTo(request, trace),
      trouble: this.#options.trouble,
      reachMs: REACH_MS,
      onBug: this.#server.onBug,
    }).catch((error) => {
      if (trace) this.#closeTrace(trace);
      throw error;
    });
    if (this.#isClosed) return upload.close();
    this.#uploads.add(upload);
    const end = await upload.ended;
    this.#uploads.delete(upload);
    if (trace) upload.closed.then(() => this.#closeTrace(trace)).catch(this.#server.onBug);
    if (this.#isClosed) return;
    if (end.isDone) this.#events.served(request, end.size - end.offset, end.ms);
    else this.#events.notServed(request, this.#relay && !upload.isReached ? UNREACHED : end.text);
  }

  #wireTo({ token }: Request, trace: TraceFile | undefined): UploadWire {
    const transferId = token === undefined ? undefined : idOf(token);
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
    const { to, ip, port, token } = request;
    const transferId = token === undefined ? undefined : idOf(token);
    const text = reason === 'busy' ? 'too many files are being sent, try again later' : 'there is no such file';
    const datagram = transferId
      ? encodeGbn(transferId, { kind: 'end', code: 'refused', text })
      : encodeClassic(reason === 'busy' ? { kind: 'busy', requester: to } : { kind: 'not-found' });
    const socket = dgram.createSocket(net.isIPv6(ip) ? 'udp6' : 'udp4').on('error', () => {});
    const say = (times: number): void => {
      if (times === 0) return void socket.close();
      socket.send(datagram, port, ip, () => setTimeout(() => say(times - 1), REFUSAL_MS));
    };
    // a classic client takes the second for something else
    say(transferId ? REFUSALS : 1);
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
      if (!relay || wish.owner !== owner || download.hasBegun) continue;
      this.#downloads.delete(download);
      download.close();
      if (this.#options.way === 'any') void this.#fetchThrough(relay, wish);
      else this.#events.failed(wish, 'it can be had through the server only');
    }
  }

  // --- all of it ---------------------------------------------------------------------------------------------

  lines(now: number, columns: number): readonly string[] {
    const ways = [...this.#downloads.keys(), ...this.#uploads].map(({ progress }) => progress);
    const relayed = this.#relay ? [...this.#relay.fetcher.active, ...this.#relay.sharer.active] : [];
    return [...ways, ...relayed].flatMap((progress) => (progress ? [progress.line(now, columns)] : []));
  }

  close(): void {
    this.#isClosed = true;
    for (const download of this.#downloads.keys()) download.abort('the client has been ended');
    for (const upload of this.#uploads) upload.abort('the client has been ended');
    this.#relay?.sharer.close();
    for (const trace of [...this.#traces]) this.#closeTrace(trace);
  }

  #soundOptions(trace: TraceFile | undefined) {
    return { silentMs: this.#options.timeoutMs, onTrace: trace?.note };
  }

  /** The first transfer's has the name that was given, the next ones' a number behind it. */
  #openTrace(end: 'send' | 'recv'): TraceFile | undefined {
    const { trace } = this.#options;
    if (trace === undefined) return undefined;
    const number = ++this.#traced;
    try {
      const file = new TraceFile(number === 1 ? trace : `${trace}.${number}`, end);
      this.#traces.add(file);
      return file;
    } catch (error) {
      throw new HouseError('disk', `can't write the trace: ${(error as Error).message}`);
    }
  }

  #closeTrace(trace: TraceFile): void {
    if (this.#traces.delete(trace)) trace.close();
  }
}

const UNREACHED = 'they can’t be reached directly; the server passes it on when they ask';

function idOf(token: string): Uint8Array | undefined {
  const id = Buffer.from(token, 'base64url');
  return id.length === ID_BYTES ? new Uint8Array(id) : undefined;
}

function cannotListen(error: Error): never {
  throw new HouseError('disk', `can't listen for it: ${error.message}`);
}

/** One that is taken gets a `1` in front. */
async function freeName(directory: string, file: string): Promise<string> {
  let name = file;
  for (let tries = 0; tries < MAX_NAMES; tries++, name = `1${name}`) {
    if (!(await entryAt(disk, path.join(directory, name)))) return name;
  }
  throw new HouseError('disk', `there are too many files called ${file}`);
}
