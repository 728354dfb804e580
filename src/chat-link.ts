// Layer 4. The client's chat connection of `menu`: kept alive over restarts of the server. The name is said
// again each time; what is to be said meanwhile waits.

import type { Socket } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { ProtocolError } from './errors.ts';
import { dial, type Server } from './tls-client.ts';
import { encodeRequest, type MenuReply, MenuReplyDecoder, type MenuRequest } from './wire-menu.ts';

/** A server that is just being started may take this long. */
const FIRST_TRY_MS = 2000;
/** After the first connection: so long is tried again. */
const GIVE_UP_MS = 60_000;
const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 2000;
/** With so much to be said, no more is read from a pipe until the server is back. */
const MANY_WAITING = 1000;
/** A server that closes so often before it has let us in does not want us. */
const MAX_REFUSALS = 3;
const END_MS = 1000;

type Request = Exclude<MenuRequest, { kind: 'fault' }>;

export interface LinkEvents {
  received(reply: MenuReply): void;
  /** The connection is gone, and tried again. */
  lost(): void;
  closed(error: NodeJS.ErrnoException): void;
  drained(): void;
}

export class ChatLink {
  readonly #server: Server;
  readonly #events: LinkEvents;
  #socket: Socket | undefined;
  #hello: Request | undefined;
  #token: string | undefined;
  readonly #tokenWaiters: Array<(token: string) => void> = [];
  /** Said while there was no connection. */
  #waiting: Request[] = [];
  #wasConnected = false;
  #wasWelcome = false;
  /** The connection is gone, and that has been told. */
  #isLost = false;
  /** Connections in a row that ended without a welcome to our name, before there was any. */
  #refusals = 0;
  #triedSince = performance.now();
  #waitMs = FIRST_WAIT_MS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(server: Server, events: LinkEvents) {
    this.#server = server;
    this.#events = events;
  }

  connect(): void {
    const decoder = new MenuReplyDecoder();
    const socket = dial(this.#server, { keepAlive: true, keepAliveInitialDelay: 30_000 }, (ready) =>
      this.#connected(ready),
    );
    let trouble: NodeJS.ErrnoException = new Error('the server has closed the connection');
    const read = (): void => {
      for (let reply = decoder.next(); reply; reply = decoder.next()) this.#receive(reply);
    };
    socket.on('data', (bytes: Uint8Array) => {
      decoder.push(bytes);
      try {
        read();
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        socket.destroy(error);
      }
    });
    socket.on('drain', () => this.#events.drained());
    socket.on('error', (error) => {
      trouble = error;
    });
    socket.on('close', () => this.#disconnected(trouble));
  }

  /** Who we are, now and each time the server has to be told. */
  enter(hello: Request): void {
    this.#hello = hello;
    this.#socket?.write(encodeRequest(hello));
  }

  /** False when no more should be said for now. */
  send(request: Request): boolean {
    if (this.#socket && this.#token !== undefined) return this.#socket.write(encodeRequest(request));
    this.#waiting.push(request);
    return this.#waiting.length < MANY_WAITING;
  }

  /** For what only makes sense on this very connection. */
  answer(request: Request): void {
    this.#socket?.write(encodeRequest(request));
  }

  /** What proves membership, as soon as there is a connection. */
  token(): Promise<string> {
    if (this.#token !== undefined) return Promise.resolve(this.#token);
    return new Promise((resolve) => this.#tokenWaiters.push(resolve));
  }

  /** Says goodbye; `done` when it has gone out, or can't, with the number of messages that were never sent. */
  end(done: (unsent: number) => void): void {
    this.#ended = true;
    clearTimeout(this.#retry);
    const unsent = this.#waiting.filter(({ kind }) => kind === 'message').length;
    const socket = this.#socket;
    if (!socket) return done(unsent);
    const timer = setTimeout(done, END_MS, unsent);
    socket.end(encodeRequest({ kind: 'exit' }), () => {
      clearTimeout(timer);
      done(unsent);
    });
  }

  #connected(socket: Socket): void {
    this.#socket = socket;
    this.#wasConnected = true;
    if (this.#hello) socket.write(encodeRequest(this.#hello));
  }

  #receive(reply: MenuReply): void {
    if (reply.kind === 'welcome') {
      this.#token = reply.token;
      this.#wasWelcome = true;
      this.#isLost = false;
      this.#waitMs = FIRST_WAIT_MS;
      for (const resolve of this.#tokenWaiters.splice(0)) resolve(reply.token);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const request of waiting) this.#socket?.write(encodeRequest(request));
    }
    this.#events.received(reply);
  }

  #disconnected(error: NodeJS.ErrnoException): void {
    const wasUp = this.#socket !== undefined;
    // what stands before a server that is away may accept, and close: that is like a refusal
    const wasIn = this.#wasWelcome ? this.#token !== undefined : wasUp;
    if (wasUp && this.#hello && !this.#wasWelcome) this.#refusals++;
    this.#socket = undefined;
    this.#token = undefined;
    if (this.#ended) return;
    if (wasIn) {
      this.#triedSince = performance.now();
      if (!this.#isLost) this.#events.lost();
      this.#isLost = true;
    }
    const patienceMs = this.#wasConnected ? GIVE_UP_MS : FIRST_TRY_MS;
    const isFinal = this.#refusals >= MAX_REFUSALS || (!this.#wasConnected && error.code !== 'ECONNREFUSED');
    if (isFinal || performance.now() - this.#triedSince + this.#waitMs > patienceMs) {
      this.#ended = true;
      return this.#events.closed(error);
    }
    this.#retry = setTimeout(() => this.connect(), this.#waitMs);
    this.#waitMs = Math.min(MAX_WAIT_MS, this.#waitMs * 2);
  }
}
