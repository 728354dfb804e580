// Layer 4. Files that others ask this client for. A question comes over the chat connection and is answered
// there (size, version, digest); the bytes go to whoever shows the ticket at our own port, or to the server
// when it says that it can't connect to us. A ticket is good for one time.

import type { FileHandle } from 'node:fs/promises';
import http, { type ClientRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import type { Served } from './client-menu.ts';
import { HouseError } from './errors.ts';
import { pathParts, readRange, readToken, type Span } from './http-files.ts';
import { type Offer, STALL_MS, statusOf, TICKET_MS, type Want } from './offers.ts';
import { printable } from './printable.ts';
import { Progress } from './progress.ts';
import type { Shelf } from './shelf.ts';
import { StallWatch } from './stall.ts';
import { type Server as ChatServer, requestOptions } from './tls-client.ts';
import type { OwnerAnswer } from './wire-owner.ts';

/** Files up to this size are hashed before they are offered, larger ones while they are sent. */
const SMALL_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** While a file is hashed the server hears so often that we are at it. */
const BUSY_MS = 5000;
const TICK_MS = 1000;
const MAX_PLEDGES = 1000;
/** Some questions have to be answered with much reading. */
const MAX_ASKED = 256;
const MAX_SENDING = 1000;
/** The server ends a relay that is stalled; should it not, then we do. */
const RELAY_STALL_MS = 10 * STALL_MS;
const REASON_MS = 300;

export interface SharerOptions {
  readonly shelf: Shelf;
  readonly server: ChatServer;
  /** Over the chat connection. */
  answer(answer: OwnerAnswer): void;
  /** Somebody gets bytes from here on, and does no more. */
  serving(): void;
  served(served: Served): void;
  onBug(error: unknown): void;
}

/** An answer to a GET at our port, or our PUT. */
type Sink = ServerResponse | ClientRequest;

/** What was offered, to be fetched with a ticket. */
interface Pledge {
  readonly who: string;
  readonly file: string;
  readonly version: string;
  readonly size: number;
  readonly madeAt: number;
}

export class Sharer {
  readonly #options: SharerOptions;
  readonly #server: Server;
  /** Tickets whose question is not answered yet ... */
  readonly #asked = new Set<string>();
  /** ... and those that were answered with an offer. */
  readonly #pledges = new Map<string, Pledge>();
  readonly #sending = new Map<string, Sending>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(options: SharerOptions) {
    this.#options = options;
    this.#server = http.createServer({ requestTimeout: STALL_MS, noDelay: true }, (request, response) =>
      this.#serve(request, response),
    );
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** The port that it has; any free one for 0. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address ? address.port : port);
      });
    });
  }

  get active(): Progress[] {
    return [...this.#sending.values()].map(({ progress }) => progress);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#server.close();
    this.#server.closeAllConnections();
  }

  // --- over the chat connection ----------------------------------------------------------------------------

  want(want: Want): void {
    const { ticket } = want;
    if (this.#asked.size >= MAX_ASKED)
      return this.refuse(ticket, new HouseError('too-fast', 'too many questions at once'));
    this.#asked.add(ticket);
    const busy = setInterval(() => this.#options.answer({ kind: 'busy', ticket }), BUSY_MS);
    this.#consider(want)
      .then((offer) => this.#options.answer({ kind: 'offer', ticket, ...offer }))
      .catch((error) => this.refuse(ticket, error))
      .finally(() => {
        clearInterval(busy);
        this.#asked.delete(ticket);
      });
  }

  /** What is no refusal is a bug. */
  refuse(ticket: string, error: unknown): void {
    const isRefusal = error instanceof HouseError;
    if (!isRefusal) this.#options.onBug(error);
    const [status, reason] = isRefusal ? [statusOf(error.code), error.message] : [500, 'the owner’s client has failed'];
    this.#options.answer({ kind: 'no', ticket, status, reason });
  }

  push(id: string, span: Span): void {
    const pledge = this.#take(id);
    if (!pledge || span.from > span.to || span.to > pledge.size) {
      return this.refuse(id, new HouseError('file-changed', 'that ticket is used up'));
    }
    const request = http.request({
      ...requestOptions(this.#options.server),
      method: 'PUT',
      path: `/relay/${encodeURIComponent(id)}`,
      headers: { 'Content-Length': span.to - span.from, 'Content-Type': 'application/octet-stream' },
    });
    request.on('response', (answer) => answer.resume());
    this.#send(id, pledge, span, request, RELAY_STALL_MS);
  }

  /** The server says that a ticket is used up, or worth nothing any more, and then why. */
  done(id: string, reason: string): void {
    this.#asked.delete(id);
    this.#pledges.delete(id);
    if (reason !== '') this.#sending.get(id)?.stop(reason);
  }

  /** The connection to the server is gone: nothing that was promised there holds. */
  forget(): void {
    this.#asked.clear();
    this.#pledges.clear();
  }

  async #consider({ ticket, who, have, prefix, digest, file }: Want): Promise<Offer> {
    if (this.#pledges.size >= MAX_PLEDGES) throw new HouseError('too-fast', 'too many files at once');
    const { shelf } = this.#options;
    const { size, version } = await shelf.look(file);
    const isWanted = () => this.#asked.has(ticket);
    const same = have > 0 && prefix !== undefined && (await shelf.hasPrefix(file, version, have, prefix, isWanted));
    let sha256 = shelf.knownDigest(file, version);
    if (sha256 === undefined) {
      const hashing = shelf.digest(file, version);
      if (digest || size <= SMALL_BYTES) sha256 = await hashing;
      // should it fail, it does so again for whoever asks
      else hashing.catch(() => {});
    }
    // the request may have died meanwhile, and its ticket with it
    if (isWanted()) this.#pledges.set(ticket, { who, file, version, size, madeAt: performance.now() });
    return { size, version, sha256, same };
  }

  // --- at our own port -------------------------------------------------------------------------------------

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const parts = pathParts(request.url ?? '') ?? [];
    const id = readToken(request.headers.authorization) ?? '';
    const pledge = this.#pledges.get(id);
    if (request.method !== 'GET' || !pledge || parts.length !== 1 || parts[0] !== pledge.file) {
      response.writeHead(403, { 'Content-Type': 'text/plain', Connection: 'close' }).end('not without a ticket\n');
      return;
    }
    this.#take(id);
    this.#options.answer({ kind: 'used', ticket: id });
    const range = readRange(request.headers.range, pledge.size);
    if (range === 'unsatisfiable' || this.#sending.size >= MAX_SENDING) {
      const isFull = range !== 'unsatisfiable';
      response.writeHead(isFull ? 503 : 416, { 'Content-Range': `bytes */${pledge.size}`, Connection: 'close' }).end();
      return;
    }
    const span = range === 'whole' ? { from: 0, to: pledge.size } : range;
    response.writeHead(range === 'whole' ? 200 : 206, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': span.to - span.from,
      ETag: `"${pledge.version}"`,
      ...(range === 'whole' ? {} : { 'Content-Range': `bytes ${span.from}-${span.to - 1}/${pledge.size}` }),
    });
    // the disk may take longer than whoever asks waits for an answer
    response.flushHeaders();
    const isRelay = request.headers.via !== undefined;
    this.#send(id, pledge, span, response, isRelay ? RELAY_STALL_MS : STALL_MS);
  }

  // --- the bytes -------------------------------------------------------------------------------------------

  #take(id: string): Pledge | undefined {
    const pledge = this.#pledges.get(id);
    this.#pledges.delete(id);
    return pledge;
  }

  #send(id: string, pledge: Pledge, span: Span, sink: Sink, stallMs: number): void {
    const sending = new Sending(pledge, span, sink, stallMs);
    this.#sending.set(id, sending);
    this.#options.serving();
    sending
      .run(this.#options.shelf)
      .then(
        () => undefined,
        (error) => {
          sink.destroy();
          if (!(error instanceof HouseError)) throw error;
          return error.message;
        },
      )
      .finally(() => this.#sending.delete(id))
      .then((trouble) => this.#options.served({ who: pledge.who, file: pledge.file, trouble }))
      .catch(this.#options.onBug);
  }

  #tick(): void {
    const oldest = performance.now() - TICKET_MS;
    for (const [id, { madeAt }] of this.#pledges) if (madeAt < oldest) this.#pledges.delete(id);
    for (const sending of this.#sending.values()) sending.tick();
  }
}

/** One file, or a part of it, on its way out. */
class Sending {
  readonly progress: Progress;
  readonly #pledge: Pledge;
  readonly #span: Span;
  readonly #sink: Sink;
  readonly #watch: StallWatch;
  readonly #stopped = Promise.withResolvers<never>();

  constructor(pledge: Pledge, span: Span, sink: Sink, stallMs: number) {
    this.progress = new Progress(printable(`${pledge.file} to ${pledge.who || 'a stranger'}`), performance.now());
    this.progress.begin(pledge.size, span.from, performance.now());
    this.#pledge = pledge;
    this.#span = span;
    this.#sink = sink;
    this.#watch = new StallWatch(
      () => performance.now(),
      () => this.stop(`nothing was taken for ${stallMs / 1000} s`),
      stallMs,
    );
    this.#stopped.promise.catch(() => {});
    // the server may be about to say why
    const broken = () => setTimeout(() => this.stop('they have broken off'), REASON_MS);
    sink.on('error', broken);
    sink.on('close', broken);
  }

  tick(): void {
    this.#watch.watch(this.#sink.socket);
    this.#watch.tick();
  }

  stop(reason: string): void {
    this.#stopped.reject(new HouseError('stalled', reason));
  }

  /** Throws a HouseError with the reason if it doesn't get there. */
  async run(shelf: Shelf): Promise<void> {
    const { file, version } = this.#pledge;
    const handle = await shelf.open(file, version);
    try {
      await this.#copy(handle);
    } finally {
      await handle.close();
    }
    await this.#orStopped(new Promise<void>((resolve) => this.#sink.end(resolve)));
  }

  async #copy(handle: FileHandle): Promise<void> {
    const { from, to } = this.#span;
    for (let at = from; at < to; ) {
      const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, to - at));
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) throw new HouseError('file-changed', 'it became shorter while it was sent');
      at += bytesRead;
      const isFull = !this.#sink.write(chunk.subarray(0, bytesRead));
      this.progress.advance(bytesRead, performance.now());
      if (isFull) await this.#orStopped(new Promise<void>((resolve) => this.#sink.once('drain', resolve)));
      this.#watch.touch();
    }
  }

  #orStopped<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#stopped.promise]);
  }
}
