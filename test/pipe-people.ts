// For the integration tests of the `pipe` client: a classic server on a socket, and our client in its rooms.

import { once } from 'node:events';
import net from 'node:net';
import { setTimeout } from 'node:timers';
import * as assert from 'uvu/assert';
import { clientCommand, Program, start, temporaryDirectory } from './launch.ts';
import { ClassicServer } from './pipe-classic-server.ts';

/** The classic server takes its time before it reads: what comes meanwhile is one message. */
const READ_MS = 10;
export const GOODBYE = 'Thank you for using the chat.\n';

// --- a classic server --------------------------------------------------------------------------------------------

export class ClassicListener {
  readonly house = new ClassicServer();
  readonly #sockets = new Set<net.Socket>();
  readonly #server = net.createServer((socket) => this.#serve(socket));

  static async start(port = 0): Promise<ClassicListener> {
    const listener = new ClassicListener();
    listener.#server.listen(port, '127.0.0.1');
    await once(listener.#server, 'listening');
    return listener;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** What clients have sent, besides what ours asks by itself. */
  get messages(): string[] {
    const isOurs = (text: string) => text.includes('line by line?') || text === '@server|files';
    return this.house.messages.map((text) => text.replace(/\n$/, '')).filter((text) => !isOurs(text));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    const close = () => setTimeout(() => socket.end(), READ_MS);
    const connection = this.house.connect((text) => socket.write(text), close, this.port);
    let unread: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => {
      if (unread.length === 0) setTimeout(() => read(), READ_MS);
      unread.push(bytes);
    });
    const read = () => {
      connection.read(Buffer.concat(unread));
      unread = [];
    };
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      connection.closed();
    });
  }
}

export interface Server {
  readonly port: number;
  close(): void;
}

type Where = Pick<Server, 'port'>;

const classics: ClassicListener[] = [];

/** After each test. */
export function closeClassics(): void {
  for (const server of classics.splice(0)) server.close();
}

export async function startClassic(port?: number): Promise<ClassicListener> {
  const server = await ClassicListener.start(port);
  classics.push(server);
  return server;
}

export async function startOurs(): Promise<Server> {
  const server = await start({ args: ['--pipe', '0'] });
  return { port: server.ports.pipe as number, close: () => server.kill('SIGKILL') };
}

// --- our client ---------------------------------------------------------------------------------------------

export function wordsFor({ port }: Where, directory: string, ...args: string[]): string[] {
  return [...clientCommand(), 'pipe', '--ip', '127.0.0.1', '--port', String(port), '--dir', directory, ...args];
}

export function open(server: Server, ...args: string[]): Program {
  return new Program({ command: wordsFor(server, temporaryDirectory(), ...args), port: 'none' });
}

/** One in the room `den`, which the first one makes. */
export async function enter(
  server: Server,
  name: string,
  choice: 'create' | 'join',
  ...args: string[]
): Promise<Program> {
  const client = open(server, ...args);
  client.type(`${name}\n${choice}\nden\n${choice === 'create' ? 'no\n' : ''}`);
  await client.printed(/^Welcome to den\./m);
  return client;
}

export async function leave(...clients: Program[]): Promise<void> {
  for (const client of clients) {
    client.endInput();
    assert.is((await client.exit()).status, 0);
    assert.is(client.stderr, '');
    assert.ok(client.stdout.endsWith(GOODBYE), client.stdout);
  }
}
