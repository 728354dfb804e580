// Layer 4. One request for a file: the owner is asked, its bytes are passed on as they come, and nothing is
// held but what is on the way. The owner's client is connected to where it listens; where that fails it is
// asked to bring the bytes itself (`PUT /relay/TICKET`). Whatever ends early ends for both sides.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate, setTimeout } from 'node:timers';
import { plainIp } from './addresses.ts';
import { HouseError } from './errors.ts';
import { checkFileName } from './file-names.ts';
import type { FileOwner, Files, Requester, Ticket } from './files.ts';
import { answerLine, refuse } from './http-answers.ts';
import {
  DIRECT,
  FROM_HEADER,
  PREFIX_HEADER,
  readPrefix,
  readRange,
  readToken,
  type Span,
  TICKET_HEADER,
  writeDigest,
  writeRange,
} from './http-files.ts';
import type { Fields } from './log.ts';
import { type Offer, STALL_MS, TICKET_MS } from './offers.ts';
import { isLoopback } from './session.ts';
import { StallWatch } from './stall.ts';

/** An owner that can't be connected to is not tried again for a while. */
const CONNECT_MS = 2000;
const UNREACHABLE_MS = 60_000;
/** So much is passed on in one turn of the event loop, by all relays together. */
const TURN_BYTES = 256 * 1024;
/** Signs of life are passed on so often. */
const ALIVE_MS = 1000;

/** What comes from the owner: an answer to our GET, or its PUT. */
export interface Source {
  readonly bytes: IncomingMessage;
  /** To be answered when all is over. */
  readonly answer?: ServerResponse;
}

export interface RelayContext {
  readonly http: typeof import('node:http');
  readonly files: Files;
  readonly now: () => number;
  /** Owners that could not be connected to, and when they are tried again. */
  readonly unreachable: WeakMap<FileOwner, number>;
  /** Who waits for a PUT under which ticket. */
  readonly awaited: Map<string, (source: Source) => void>;
  readonly turns: Turns;
}

/** Shares each turn of the event loop with the chat: a fast owner alone could fill it with megabytes. */
export class Turns {
  #bytes = 0;
  readonly #waiting: Array<() => void> = [];

  /** False when that is enough for this turn: `wait` for the next. */
  take(bytes: number): boolean {
    if (this.#bytes === 0) setImmediate(() => this.#next());
    this.#bytes += bytes;
    return this.#bytes < TURN_BYTES;
  }

  wait(goOn: () => void): void {
    this.#waiting.push(goOn);
  }

  #next(): void {
    this.#bytes = 0;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }
}

export class Relay {
  readonly #context: RelayContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #requester: Requester;
  readonly #watch: StallWatch;
  /** Rejected when the requester goes or nothing moves any more. */
  readonly #over = Promise.withResolvers<never>();
  #ticket: Ticket | undefined;
  #source: Source | undefined;
  #moved = 0;
  #aliveAt = Number.NEGATIVE_INFINITY;

  constructor(context: RelayContext, request: IncomingMessage, response: ServerResponse) {
    this.#context = context;
    this.#request = request;
    this.#response = response;
    this.#requester = { token: readToken(request.headers.authorization), ip: plainIp(request.socket.remoteAddress) };
    this.#watch = new StallWatch(context.now, () => this.#stalled());
    this.#over.promise.catch(() => {});
    response.on('close', () => this.#stop(new HouseError('stalled', 'they have broken off')));
  }

  /** For the log: who asked, how, and how many bytes were passed on. */
  get summary(): Fields {
    return { from: this.#requester.ip, method: this.#request.method, bytes: this.#moved };
  }

  tick(): void {
    this.#watch.watch(this.#response.socket);
    this.#watch.tick();
  }

  /** To its end, whatever that is; throws what the requester is to be told. */
  async run(owner: string, file: string): Promise<void> {
    try {
      await this.#serve(owner, file);
      this.#ticket?.end('');
    } catch (error) {
      this.#ticket?.end(error instanceof HouseError ? error.message : 'the server has failed');
      this.#source?.bytes.destroy();
      throw error;
    }
  }

  refuse(error: HouseError): void {
    refuse(this.#response, error);
  }

  async #serve(owner: string, file: string): Promise<void> {
    const { headers, method } = this.#request;
    checkFileName(file);
    const had = readPrefix(headers.range, headers[PREFIX_HEADER]?.toString());
    const isHead = method === 'HEAD';
    this.#ticket = this.#context.files.ask(this.#requester, owner, file, { ...had, digest: isHead });
    this.#ticket.onAlive = () => this.#alive();
    this.#ticket.onRefused = (error) => {
      if (!this.#source) this.#stop(error);
    };
    const offer = await this.#orOver(this.#ticket.offered);
    const span = this.#spanOf(offer, had.have > 0);
    if (span === 'unsatisfiable') return this.#answerNothing(offer);
    const whole = { from: 0, to: offer.size };
    const { from, to } = span === 'whole' ? whole : span;
    const head = {
      'Content-Length': to - from,
      ...(span === 'whole' ? {} : { 'Content-Range': `bytes ${from}-${to - 1}/${offer.size}` }),
    };
    const status = span === 'whole' ? 200 : 206;
    if (isHead || from === to) return this.#answer(status, head, offer);
    const direct = this.#directAddress(this.#ticket.owner);
    if (direct) return this.#redirect(`${direct}/${encodeURIComponent(file)}`, from, offer, this.#ticket);
    const source = await this.#orOver(this.#fetch(this.#ticket, offer, { from, to }, file));
    this.#source = source;
    this.#response.writeHead(status, { ...this.#headers(offer), ...head });
    await this.#orOver(this.#flow(source, to - from));
    source.answer?.writeHead(204).end();
  }

  /** What part is asked for: a Range counts as long as the file is still the one that was begun. */
  #spanOf(offer: Offer, isResumed: boolean): Span | 'whole' | 'unsatisfiable' {
    const { range, 'if-range': ifRange } = this.#request.headers;
    if (isResumed && !offer.same) return 'whole';
    if (ifRange !== undefined && ifRange !== etag(offer)) return 'whole';
    return readRange(range, offer.size);
  }

  #headers(offer: Offer): Record<string, string> {
    return {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': 'attachment',
      'X-Content-Type-Options': 'nosniff',
      ...this.#identity(offer),
    };
  }

  /** Which file it is. */
  #identity(offer: Offer): Record<string, string> {
    return {
      'Accept-Ranges': 'bytes',
      ETag: etag(offer),
      ...(offer.sha256 === undefined ? {} : { 'Repr-Digest': writeDigest(offer.sha256) }),
    };
  }

  /** Who has all of it learns so by the digest. */
  #answerNothing(offer: Offer): void {
    const headers = { ...this.#identity(offer), 'Content-Range': `bytes */${offer.size}` };
    answerLine(this.#response, 416, `there is nothing behind that byte: the file has ${offer.size} bytes`, headers);
  }

  #answer(status: number, head: Readonly<Record<string, string | number>>, offer: Offer): void {
    this.#response.writeHead(status, { ...this.#headers(offer), ...head }).end();
  }

  // --- straight from the owner ---------------------------------------------------------------------------

  /** Where the requester may try for itself, if it wants to. */
  #directAddress({ address }: FileOwner): string | undefined {
    if (this.#request.headers.prefer !== DIRECT || !address) return undefined;
    if (isLoopback(address.ip) && !isLoopback(this.#requester.ip)) return undefined;
    return `http://${hostOf(address.ip)}:${address.port}`;
  }

  #redirect(location: string, from: number, offer: Offer, ticket: Ticket): void {
    this.#answer(307, { Location: location, [TICKET_HEADER]: ticket.id, [FROM_HEADER]: from }, offer);
    // it counts until the owner has seen it, or has forgotten it
    ticket.isDirect = true;
    setTimeout(() => ticket.release(), TICKET_MS).unref();
  }

  // --- through here --------------------------------------------------------------------------------------

  async #fetch(ticket: Ticket, offer: Offer, span: Span, file: string): Promise<Source> {
    const { unreachable, now } = this.#context;
    const { owner } = ticket;
    if (owner.address && now() >= (unreachable.get(owner) ?? 0)) {
      const bytes = await this.#pull(ticket, offer, span, file);
      if (bytes) return { bytes };
      unreachable.set(owner, now() + UNREACHABLE_MS);
    }
    return this.#pushed(ticket, span);
  }

  /** Undefined when there is nobody, or not the owner's client. */
  #pull(ticket: Ticket, offer: Offer, span: Span, file: string): Promise<IncomingMessage | undefined> {
    const { ip: host = '', port } = ticket.owner.address ?? {};
    return new Promise((resolve) => {
      const request = this.#context.http.request({
        host,
        port,
        path: `/${encodeURIComponent(file)}`,
        headers: { Authorization: `Bearer ${ticket.id}`, Range: writeRange(span), Via: '1.1 parley' },
        agent: false,
        timeout: CONNECT_MS,
      });
      request.on('response', (answer) => {
        request.setTimeout(0);
        const isIt =
          answer.statusCode === 206 &&
          answer.headers.etag === etag(offer) &&
          answer.headers['content-length'] === String(span.to - span.from);
        if (isIt) return resolve(answer);
        answer.destroy();
        resolve(undefined);
      });
      request.on('timeout', () => request.destroy());
      // after the answer has begun, its own end tells
      request.on('error', () => resolve(undefined));
      this.#response.on('close', () => request.destroy());
      request.end();
    });
  }

  #pushed(ticket: Ticket, { from, to }: Span): Promise<Source> {
    const { awaited } = this.#context;
    return new Promise((resolve, reject) => {
      awaited.set(ticket.id, (source) => {
        awaited.delete(ticket.id);
        if (source.bytes.headers['content-length'] === String(to - from)) return resolve(source);
        if (source.answer) answerLine(source.answer, 400, `${to - from} bytes are due`);
        reject(new HouseError('owner-gone', 'the owner sent something else'));
      });
      this.#over.promise.catch(() => awaited.delete(ticket.id));
      ticket.push(from, to);
    });
  }

  /** At the pace of whoever is slower. */
  #flow({ bytes }: Source, due: number): Promise<void> {
    const response = this.#response;
    const { turns } = this.#context;
    let came = 0;
    let waits = false;
    return new Promise((resolve, reject) => {
      const cut = () => reject(new HouseError('owner-gone', 'the owner has broken off'));
      bytes.on('data', (chunk: Uint8Array) => {
        came += chunk.length;
        this.#moved = came;
        this.#watch.touch();
        const isTaken = response.write(chunk) || response.writableLength === 0;
        const isEnough = !turns.take(chunk.length);
        if (!isTaken || isEnough) bytes.pause();
        if (!isEnough || waits) return;
        waits = true;
        turns.wait(() => {
          waits = false;
          if (!response.writableNeedDrain) bytes.resume();
        });
      });
      bytes.on('end', () => (came === due ? response.end() : cut()));
      bytes.on('close', () => came < due && cut());
      bytes.on('error', cut);
      response.on('drain', () => {
        this.#watch.touch();
        if (!waits) bytes.resume();
      });
      response.on('finish', resolve);
    });
  }

  // --- ends ----------------------------------------------------------------------------------------------

  /** Passed on, unless the last time has not been taken yet, or was a moment ago. */
  #alive(): void {
    const now = this.#context.now();
    if (now - this.#aliveAt < ALIVE_MS || this.#response.socket?.writableLength !== 0) return;
    this.#aliveAt = now;
    this.#watch.touch();
    if (!this.#response.headersSent && this.#request.httpVersion === '1.1') this.#response.writeProcessing();
  }

  #stalled(): void {
    const seconds = STALL_MS / 1000;
    const byRequester = this.#source !== undefined && this.#response.writableNeedDrain;
    const reason = byRequester ? `nothing was taken for ${seconds} s` : `nothing came for ${seconds} s`;
    this.#stop(new HouseError('stalled', reason));
  }

  #stop(error: HouseError): void {
    this.#over.reject(error);
  }

  #orOver<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#over.promise]);
  }
}

function etag({ version }: Offer): string {
  return `"${version}"`;
}

function hostOf(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}
