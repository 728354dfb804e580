// Layer 5. The `pipe` client's connection: finds a server that greets, reads what it says, line by line and where a
// line has no end by the silence behind it. Knows nothing of what is said.

import type { Socket } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { plainIp } from './addresses.ts';
import { dial, type Server } from './tls-client.ts';
import { PIPE_PROTOCOL } from './tls-protocol.ts';
import type { OwnerAnswer } from './wire-owner.ts';
import { encodeAnswer, encodeSaid, isNotice, type PipeNotice, type PipeReply, PipeReplyDecoder } from './wire-pipe.ts';

export type { Server } from './tls-client.ts';

export interface Connection {
  readonly server: Server;
  readonly socket: Socket;
}

export interface LinkEvents {
  /** `isEnded`: by a newline. */
  received(reply: PipeReply, isEnded: boolean): void;
  noticed(notice: PipeNotice): void;
  closed(error: NodeJS.ErrnoException | undefined): void;
  drained(): void;
  /** What comes to no end for so long has none. */
  lullMs(): number;
}

/** A packet takes more: what is longer may go on in the next, a moment later. */
const SMALL_BYTES = 1000;
const NEXT_PACKET_MS = 20;
/** A server greets by then; another one may be meant. */
const GREETING_MS = 1000;
/** How soon a server that has vanished is noticed. */
const KEEP_ALIVE_MS = 30_000;
/** What was said last goes out by then, or never will. */
const END_MS = 1000;

/** Rejects with the system's error. */
export function connect(server: Server): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = open(server, () => {
      socket.off('error', reject);
      resolve({ server, socket });
    });
    socket.once('error', reject);
  });
}

/** The first of these ports where a server greets: somebody else may listen on others. */
export async function findServer(host: string, firstPort: number, lastPort: number): Promise<Connection | undefined> {
  for (let port = firstPort; port <= lastPort; port++) {
    const found = await greeted({ host, port });
    if (found) return found;
  }
  return undefined;
}

function greeted(server: Server): Promise<Connection | undefined> {
  return new Promise((resolve, reject) => {
    const socket = open(server);
    const giveUp = (error?: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      socket.destroy();
      // the same for every port
      if (error?.syscall === 'getaddrinfo') reject(error);
      else resolve(undefined);
    };
    const timer = setTimeout(giveUp, GREETING_MS);
    socket.once('error', giveUp).once('end', giveUp);
    socket.once('data', (greeting) => {
      clearTimeout(timer);
      socket.pause().off('error', giveUp).off('end', giveUp);
      socket.unshift(greeting);
      resolve({ server, socket });
    });
  });
}

/** Inside TLS also on the port where the server would wait for the client to speak. */
function open(server: Server, ready = () => {}): Socket {
  return dial(server, { protocol: PIPE_PROTOCOL, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, ready);
}

export class PipeLink {
  readonly #socket: Socket;
  readonly #events: LinkEvents;
  readonly #decoder = new PipeReplyDecoder();
  #lull: ReturnType<typeof setTimeout> | undefined;
  #error: Error | undefined;
  #isClosed = false;

  constructor({ socket }: Connection, events: LinkEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on('data', (bytes: Uint8Array) => this.#read(bytes));
    socket.on('drain', () => events.drained());
    socket.on('end', () => this.#readRest());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => this.#closed());
    socket.resume();
  }

  /** Of this side, as the server sees it. */
  get ip(): string {
    return plainIp(this.#socket.localAddress) || '127.0.0.1';
  }

  /** In one piece; false when no more should be sent for now. */
  send(lines: readonly string[]): boolean {
    if (!this.#socket.writable) return true;
    this.#socket.cork();
    const writes = lines.map((line) => this.#socket.write(encodeSaid(line)));
    this.#socket.uncork();
    return writes.at(-1) ?? true;
  }

  answer(answer: OwnerAnswer): void {
    if (this.#socket.writable) this.#socket.write(encodeAnswer(answer));
  }

  /** Nothing more is heard of it; calls back when what was sent has gone out. */
  end(done: () => void): void {
    this.#isClosed = true;
    clearTimeout(this.#lull);
    const timer = setTimeout(() => this.#socket.destroy(), END_MS);
    const finish = () => {
      clearTimeout(timer);
      done();
    };
    if (this.#socket.closed) return finish();
    this.#socket.once('close', finish);
    this.#socket.end(() => this.#socket.destroy());
  }

  #read(bytes: Uint8Array): void {
    clearTimeout(this.#lull);
    this.#decoder.push(bytes);
    this.#deliver(true);
    if (this.#isClosed || !this.#decoder.pending) return;
    const lullMs = this.#events.lullMs();
    if (lullMs === Number.POSITIVE_INFINITY) return;
    if (lullMs === 0 && bytes.length < SMALL_BYTES) this.#readRest();
    else this.#lull = setTimeout(() => this.#readRest(), lullMs || NEXT_PACKET_MS);
  }

  #readRest(): void {
    clearTimeout(this.#lull);
    this.#decoder.lull();
    this.#deliver(false);
  }

  #deliver(isEnded: boolean): void {
    for (let reply = this.#decoder.next(); reply && !this.#isClosed; reply = this.#decoder.next()) {
      if (isNotice(reply)) this.#events.noticed(reply);
      else this.#events.received(reply, isEnded);
    }
  }

  #closed(): void {
    clearTimeout(this.#lull);
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.closed(this.#error);
  }
}
