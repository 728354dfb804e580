// Layer 4. HTTP on the main port: sockets that turned out to speak it are handed over to node:http, which is
// loaded with the first of them. Routes only; a file's way through the house is relay.ts, what is kept http-uploads.ts.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { clearInterval, setInterval } from 'node:timers';
import { plainIp } from './addresses.ts';
import { HouseError } from './errors.ts';
import type { FileOwner, Files } from './files.ts';
import type { Visit } from './gate.ts';
import { answerLine, refuse } from './http-answers.ts';
import { pathParts } from './http-files.ts';
import { HttpSocket } from './http-socket.ts';
import type { HttpUploads } from './http-uploads.ts';
import { type Log, logBug } from './log.ts';
import { OperatorPages } from './operator-pages.ts';
import { Relay, type RelayContext, type Source, Turns } from './relay.ts';
import type { ServerMetrics } from './server-metrics.ts';
import { answerNoUploads } from './upload-answers.ts';

const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_MS = 10_000;
const KEEP_ALIVE_MS = 10_000;
const TICK_MS = 1000;

export interface HttpOptions {
  readonly files: Files;
  readonly log: Log;
  readonly metrics: ServerMetrics;
  /** Opens what operators read to other machines. */
  readonly metricsToken: string | undefined;
  /** Undefined: no files are kept. */
  readonly uploads: HttpUploads | undefined;
}

export class Http {
  readonly #files: Files;
  readonly #log: Log;
  readonly #metrics: ServerMetrics;
  readonly #pages: OperatorPages;
  readonly #uploads: HttpUploads | undefined;
  readonly #relays = new Set<Relay>();
  readonly #awaited = new Map<string, (source: Source) => void>();
  readonly #sockets = new Set<Socket>();
  /** Of relays that have ended. */
  #relayedBytes = 0;
  #server: Server | undefined;
  #ticking: ReturnType<typeof setInterval> | undefined;

  constructor({ files, log, metrics, metricsToken, uploads }: HttpOptions) {
    this.#files = files;
    this.#log = log;
    this.#metrics = metrics;
    this.#pages = new OperatorPages(metrics, metricsToken);
    this.#uploads = uploads;
    metrics.readTransferred(() => [...this.#relays].reduce((sum, relay) => sum + bytesOf(relay), this.#relayedBytes));
  }

  /** The socket speaks HTTP, beginning with these bytes. */
  take(socket: Socket, first: Uint8Array | undefined, visit: Visit): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    this.#open().emit('connection', new HttpSocket(socket, first, visit, () => performance.now()));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Says how many that were. */
  closeFrom(isThere: (ip: string) => boolean): number {
    const those = [...this.#sockets].filter((socket) => isThere(plainIp(socket.remoteAddress)));
    for (const socket of those) socket.destroy();
    return those.length;
  }

  /** Whoever fetches is cut, and resumes with the next server. */
  stop(): void {
    clearInterval(this.#ticking);
    this.#uploads?.stop();
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #open(): Server {
    if (this.#server) return this.#server;
    const http = process.getBuiltinModule('node:http');
    const context: RelayContext = {
      http,
      files: this.#files,
      now: () => performance.now(),
      unreachable: new WeakMap<FileOwner, number>(),
      awaited: this.#awaited,
      turns: new Turns(),
    };
    const server = http.createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADERS_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        // a body may take as long as it moves
        requestTimeout: 0,
        connectionsCheckingInterval: TICK_MS,
        noDelay: true,
      },
      (request, response) => this.#handle(context, request, response, false),
    );
    // who waits for a word before the body comes
    server.on('checkContinue', (request, response) => this.#handle(context, request, response, true));
    // it listens nowhere itself: this is what makes it watch over slow headers
    server.emit('listening');
    this.#server = server;
    return server;
  }

  #handle(context: RelayContext, request: IncomingMessage, response: ServerResponse, isExpecting: boolean): void {
    const socket = request.socket as unknown as HttpSocket;
    socket.began(request, response);
    if (socket.isTooFast) return answerLine(response, 429, 'you ask too much, too fast: come back and go slower');
    const parts = pathParts(request.url ?? '') ?? [];
    if (parts[0] === 'upload') {
      if (this.#uploads) this.#uploads.handle(parts, request, response, isExpecting);
      else answerNoUploads(request, response);
      return;
    }
    if (isExpecting) response.writeContinue();
    const [root, first = '', second = ''] = parts;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (root === 'files' && parts.length === 3) {
      if (isRead) this.#sendFile(new Relay(context, request, response), first, second);
      else answerLine(response, 405, 'only GET and HEAD here', { Allow: 'GET, HEAD' });
    } else if (root === 'relay' && parts.length === 2) {
      if (request.method === 'PUT') this.#takeFile(request, response, first);
      else answerLine(response, 405, 'only PUT here', { Allow: 'PUT' });
    } else if (OperatorPages.has(parts)) this.#pages.answer(root, request, response);
    else refuse(response, new HouseError('no-such-file', 'there is nothing here'));
  }

  #sendFile(relay: Relay, owner: string, file: string): void {
    const started = performance.now();
    this.#add(relay);
    const note = (outcome: string) => {
      const ms = Math.round(performance.now() - started);
      this.#log('info', 'file', { ...relay.summary, owner, file, outcome, ms });
    };
    relay
      .run(owner, file)
      .then(() => {
        this.#metrics.transferred('sent');
        note('sent');
      })
      .catch((error) => {
        const isRefusal = error instanceof HouseError;
        this.#metrics.transferred(isRefusal ? 'refused' : 'failed');
        note(isRefusal ? error.message : 'bug');
        if (!isRefusal) logBug(this.#log, error);
        relay.refuse(isRefusal ? error : new HouseError('disk', 'the server has failed'));
      })
      .finally(() => this.#remove(relay));
  }

  #takeFile(request: IncomingMessage, response: ServerResponse, ticket: string): void {
    const take = this.#awaited.get(ticket);
    if (take) take({ bytes: request, answer: response });
    else refuse(response, new HouseError('no-such-file', 'nobody waits for that'));
  }

  #add(relay: Relay): void {
    this.#relays.add(relay);
    this.#ticking ??= setInterval(() => {
      for (const one of this.#relays) one.tick();
    }, TICK_MS);
  }

  #remove(relay: Relay): void {
    if (this.#relays.delete(relay)) this.#relayedBytes += bytesOf(relay);
    if (this.#relays.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }
}

function bytesOf(relay: Relay): number {
  return Number(relay.summary.bytes);
}
