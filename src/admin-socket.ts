// Layer 5. The operator's commands without a terminal: a unix socket that only the server's own user can open. What the
// commands are is the console's to say; what stands on the wire is wire-admin.ts.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { type AdminAnswer, encodeAnswer, LineDecoder } from './wire-admin.ts';

const MAX_CONNECTIONS = 16;
/** What the system has room for. */
export const MAX_PATH_BYTES = 103;
const OWN_USER_ONLY = 0o177;

export type RunCommand = (command: string) => Promise<AdminAnswer>;

export class AdminSocket {
  readonly #server: net.Server;
  readonly #connections = new Set<AdminConnection>();

  private constructor(server: net.Server, run: RunCommand) {
    this.#server = server;
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket) => {
      const connection = new AdminConnection(socket, run);
      this.#connections.add(connection);
      socket.on('close', () => this.#connections.delete(connection));
    });
    // one that breaks is nobody's but the operator's
    server.on('error', () => {});
  }

  /** Throws an Error that can be shown. A socket that nobody listens on any more is replaced. */
  static async open(path: string, run: RunCommand): Promise<AdminSocket> {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw new Error(`${path} is longer than ${MAX_PATH_BYTES} bytes`);
    await removeDead(path);
    const server = net.createServer({ allowHalfOpen: true });
    await listen(server, path);
    return new AdminSocket(server, run);
  }

  /** What is being answered still is. */
  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.end();
  }
}

/** One command after the other. */
class AdminConnection {
  readonly #socket: net.Socket;
  readonly #run: RunCommand;
  readonly #decoder = new LineDecoder();
  #isBusy = false;
  #isEnding = false;

  constructor(socket: net.Socket, run: RunCommand) {
    this.#socket = socket;
    this.#run = run;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      this.#decoder.push(text);
      this.#pump();
    });
    socket.on('end', () => this.end());
    socket.on('error', () => socket.destroy());
  }

  end(): void {
    this.#isEnding = true;
    this.#pump();
  }

  #pump(): void {
    if (this.#isBusy) return;
    const command = this.#next();
    if (this.#isBusy) return;
    if (command === undefined) {
      if (this.#isEnding) this.#socket.end();
      else this.#socket.resume();
      return;
    }
    this.#isBusy = true;
    this.#socket.pause();
    this.#run(command)
      .catch((error): AdminAnswer => ({ text: (error as Error).message, hasFailed: true }))
      .then((answer) => this.#write(encodeAnswer(answer)))
      .then(() => {
        this.#isBusy = false;
        this.#pump();
      })
      .catch(() => this.#socket.destroy());
  }

  /** Settles when it has gone out: who reads no answers gets no more. */
  #write(text: string): Promise<void> {
    if (!this.#socket.writable) return Promise.resolve();
    return new Promise((resolve) => this.#socket.write(text, () => resolve()));
  }

  #next(): string | undefined {
    try {
      return this.#decoder.next();
    } catch (error) {
      this.#isBusy = true;
      const answer = encodeAnswer({ text: (error as Error).message, hasFailed: true });
      this.#socket.pause().end(answer, () => this.#socket.destroy());
      return undefined;
    }
  }
}

/** Throws where somebody listens there, or something else is there. */
async function removeDead(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (!isSocket) throw new Error(`${path} is there and is no socket`);
  if (await isAlive(path)) throw new Error(`${path} is another server's`);
  unlinkSync(path);
}

export function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    const done = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}

/** It is bound within the call, so nobody else ever finds it open. */
function listen(server: net.Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(OWN_USER_ONLY);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        chmodSync(path, 0o600);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}
