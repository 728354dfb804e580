// Layer 4. The sockets that are listened on, the one clock and the one timer. Which connection speaks what
// is the sniffer's and the table's to say; what it may do is the session's.

import net from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { Alarms } from './alarm.ts';
import { Connection, type ConnectionContext } from './connection.ts';
import { DatagramSocket, mailboxes } from './datagrams.ts';
import type { Dialect, DialectName, DialectTable } from './dialects.ts';
import { DoorKeeper } from './doors.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import { Outbox } from './outbox.ts';
import type { Broadcast, DatagramSession, Doors, Mailboxes } from './session.ts';
import { sniffDatagram } from './sniff.ts';

const SOCKET = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
/** When everything is written, peers have this long to close their side. */
const CLOSE_GRACE_MS = 200;
const PORT_TRIES = 20;
const BACKLOG = 1024;
const UDP_DIALECTS: readonly DialectName[] = ['lab', 'datagram'];

/** Where connections or datagrams are taken, as the ready line names it. */
export interface Listening {
  readonly name: string;
  readonly port: number;
}

export interface ListenOptions {
  /** '' for every address of both families. */
  readonly host: string;
  readonly sendqBytes: number;
  readonly log: Log;
}

export class Listener {
  readonly #host: string;
  readonly #log: Log;
  readonly #outbox: Outbox;
  readonly #alarms: Alarms;
  readonly #servers: net.Server[] = [];
  readonly #datagrams: DatagramSocket[] = [];
  readonly #connections = new Set<Connection>();
  readonly #doors: DoorKeeper;
  /** What has come before `serve`. */
  readonly #waiting: Array<(context: ConnectionContext) => void> = [];
  #context: ConnectionContext | undefined;
  #http: Http | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #nextId = 1;
  #stopping = false;

  constructor({ host, sendqBytes, log }: ListenOptions) {
    this.#host = host;
    this.#log = log;
    this.#outbox = new Outbox({ softBytes: sendqBytes / 4, hardBytes: sendqBytes });
    this.#alarms = new Alarms((at) => this.#arm(at));
    this.#doors = new DoorKeeper({
      host,
      socket: SOCKET,
      alarms: this.#alarms,
      now,
      enter: (socket, open) => this.#accept(socket, ({ lobby }) => ({ ...lobby, open })),
    });
  }

  broadcast(): Broadcast {
    return this.#outbox.broadcast();
  }

  get doors(): Doors {
    return this.#doors;
  }

  get mailboxes(): Mailboxes {
    return mailboxes(this.#host, this.#log);
  }

  /** TCP and UDP on one number; any free one for 0. `dialect`: the only one spoken there. */
  async open(port: number, dialect?: DialectName): Promise<Listening[]> {
    for (let tries = 1; ; tries++) {
      const server = await this.#listenTcp(port, dialect);
      const bound = (server.address() as net.AddressInfo).port;
      try {
        if (speaksUdp(dialect)) await this.#listenUdp(bound, dialect);
      } catch (error) {
        server.close();
        this.#servers.splice(this.#servers.indexOf(server), 1);
        // another free number may be free for both
        if (port === 0 && tries < PORT_TRIES && (error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
        throw error;
      }
      if (dialect) return [{ name: dialect, port: bound }];
      return [
        { name: 'tcp', port: bound },
        { name: 'udp', port: bound },
      ];
    }
  }

  /** The first free one of these; undefined when there is none. */
  async openFirst(first: number, last: number, dialect: DialectName): Promise<Listening | undefined> {
    for (let port = first; port <= last; port++) {
      const [found] = await this.open(port, dialect).catch(() => []);
      if (found) return found;
    }
    return undefined;
  }

  /** The house is open: what has connected meanwhile is served. */
  serve(dialects: DialectTable, http: Http): void {
    this.#http = http;
    this.#context = {
      outbox: this.#outbox,
      alarms: this.#alarms,
      dialects,
      http,
      log: this.#log,
      now,
      connections: this.#connections,
    };
    for (const start of this.#waiting.splice(0)) start(this.#context);
  }

  /**
   * No more of anybody: closes everything once it is written, at the latest after `ms`. Datagrams still go
   * out until `saved` has settled: acknowledgements wait for the disk.
   */
  async stop(ms: number, saved: Promise<unknown>): Promise<void> {
    this.#stopping = true;
    for (const server of this.#servers) server.close();
    this.#doors.close();
    this.#outbox.flush();
    for (const connection of this.#connections) connection.end();
    this.#http?.stop();
    await Promise.all([this.#emptied(ms), saved]);
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#datagrams) await socket.close();
    clearTimeout(this.#timer);
  }

  /** A peer that leaves its side open is not waited for when all is written. */
  async #emptied(ms: number): Promise<void> {
    const started = now();
    const isBusy = () => {
      const grace = now() - started < CLOSE_GRACE_MS;
      return [...this.#connections].some((connection) => grace || !connection.isWritten);
    };
    while (isBusy() && now() - started < ms) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  // --- TCP -----------------------------------------------------------------------------------------------

  #listenTcp(port: number, only: DialectName | undefined): Promise<net.Server> {
    const server = net.createServer(SOCKET, (socket) => this.#accept(socket, (dialects) => only && dialects[only]));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const where = this.#host === '' ? {} : { host: this.#host };
      server.listen({ port, backlog: BACKLOG, ...where }, () => {
        this.#servers.push(server);
        server.off('error', reject);
        server.on('error', (error) => this.#log('error', 'listener', { error: error.message }));
        resolve(server);
      });
    });
  }

  /** `only` chooses what it speaks, where its first bytes need not tell. */
  #accept(socket: net.Socket, only: (dialects: DialectTable) => Dialect | undefined): void {
    if (this.#stopping || socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    // one that breaks while the house is not open yet is nobody's bug
    if (!this.#context) socket.on('error', () => {});
    const start = (context: ConnectionContext) => {
      if (socket.destroyed) return;
      new Connection(context, `c${this.#nextId++}`, socket, only(context.dialects));
    };
    if (this.#context) start(this.#context);
    else this.#waiting.push(start);
  }

  // --- UDP -----------------------------------------------------------------------------------------------

  async #listenUdp(port: number, only: DialectName | undefined): Promise<void> {
    const socket = await DatagramSocket.bind(port, this.#host, this.#log);
    this.#datagrams.push(socket);
    this.#waiting.push((context) => this.#serveUdp(context, socket, only));
  }

  #serveUdp(context: ConnectionContext, socket: DatagramSocket, only: DialectName | undefined): void {
    const sessions = new Map<DialectName, DatagramSession>();
    for (const name of only ? [only] : UDP_DIALECTS) {
      const session = context.dialects[name].openDatagrams?.(socket);
      if (session) sessions.set(name, session);
    }
    const wake = () => {
      for (const session of sessions.values()) this.#alarms.update(session);
    };
    socket.onWake(wake);
    wake();
    socket.onDatagram((bytes, from) => {
      const name = only ?? sniffDatagram(bytes);
      const session = name === 'unknown' ? undefined : sessions.get(name);
      if (!session) return socket.ignored('broken', from);
      session.receive(bytes, from, now());
      this.#alarms.update(session);
    });
  }

  // --- the one timer -------------------------------------------------------------------------------------

  #arm(at: number): void {
    clearTimeout(this.#timer);
    if (at === Number.POSITIVE_INFINITY || this.#stopping) return;
    this.#timer = setTimeout(() => this.#alarms.ring(now()), Math.max(0, Math.ceil(at - now())));
  }
}

function now(): number {
  return performance.now();
}

function speaksUdp(only: DialectName | undefined): boolean {
  return only === undefined || UDP_DIALECTS.includes(only);
}
