// Layer 4. The sockets that are listened on, the one clock and the one timer. Which connection speaks what
// is the sniffer's and the table's to say; what it may do is the session's.

import net from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { plainIp } from './addresses.ts';
import { Alarms } from './alarm.ts';
import { Connection, type ConnectionContext } from './connection.ts';
import { DatagramSource } from './datagram-source.ts';
import { DatagramSocket, mailboxes } from './datagrams.ts';
import type { Dialect, DialectName, DialectTable } from './dialects.ts';
import { DoorKeeper } from './doors.ts';
import type { Gate, Visit } from './gate.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import type { Cell } from './metrics.ts';
import { Outbox } from './outbox.ts';
import type { ConnectionFigures, ServerMetrics } from './server-metrics.ts';
import type { Serving } from './serving.ts';
import {
  type Address,
  type Broadcast,
  type DatagramSession,
  type Doors,
  isLoopback,
  type Mailboxes,
} from './session.ts';
import { sniffDatagram } from './sniff.ts';
import type { TlsServer } from './tls.ts';
import { PIPE_PROTOCOL } from './tls-protocol.ts';

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

/** Somebody has come through one. */
interface Door {
  readonly isEncrypted: boolean;
  unused(): void;
}

interface VisitingSocket extends net.Socket {
  visit: Visit;
}

/** A socket that is to speak TLS, and what is known of it. */
interface Hello {
  readonly id: string;
  readonly visit: Visit;
  readonly first?: Uint8Array;
  readonly own: Dialect | undefined;
  failed?(): void;
}

export interface ListenOptions {
  /** '' for every address of both families. */
  readonly host: string;
  readonly sendqBytes: number;
  readonly log: Log;
  readonly metrics: ServerMetrics;
  readonly gate: Gate;
  readonly serving: Serving;
  readonly tls: TlsServer | undefined;
  /** Nobody is served in plain text, but on this machine. */
  readonly requireTls: boolean;
}

export class Listener {
  readonly #host: string;
  readonly #log: Log;
  readonly #metrics: ServerMetrics;
  readonly #gate: Gate;
  readonly #serving: Serving;
  readonly #tls: TlsServer | undefined;
  readonly #requireTls: boolean;
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

  constructor({ host, sendqBytes, log, metrics, gate, serving, tls, requireTls }: ListenOptions) {
    this.#host = host;
    this.#log = log;
    this.#metrics = metrics;
    this.#gate = gate;
    this.#serving = serving;
    this.#tls = tls;
    this.#requireTls = requireTls;
    metrics.readConnections(() => this.#figures());
    this.#outbox = new Outbox({ softBytes: sendqBytes / 4, hardBytes: sendqBytes });
    this.#alarms = new Alarms((at) => this.#arm(at));
    this.#doors = new DoorKeeper({
      host,
      socket: SOCKET,
      alarms: this.#alarms,
      now,
      enter: (socket, open, unused, isEncrypted) =>
        this.#accept(socket, ({ lobby }) => ({ ...lobby, open }), { isEncrypted, unused }),
    });
  }

  broadcast(): Broadcast {
    return this.#outbox.broadcast();
  }

  get doors(): Doors {
    return this.#doors;
  }

  get mailboxes(): Mailboxes {
    const { open } = mailboxes(this.#host, this.#log, this.#metrics);
    const isRead = (bytes: Uint8Array, { ip, port }: Address) =>
      this.#gate.refusesDatagram(ip, port, bytes.length, now()) === undefined;
    return {
      open: (receive) => open((bytes, from) => (isRead(bytes, from) ? receive(bytes, from) : undefined)),
    };
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
    const context: ConnectionContext = {
      outbox: this.#outbox,
      alarms: this.#alarms,
      dialects,
      http,
      log: this.#log,
      now,
      connections: this.#connections,
      serving: this.#serving,
      metrics: this.#metrics,
      unwrap: this.#tls && ((socket, hello) => this.#unwrap(context, socket, hello)),
      requireTls: this.#requireTls,
    };
    this.#context = context;
    for (const start of this.#waiting.splice(0)) start(context);
  }

  /**
   * No more of anybody: closes everything once it is written, at the latest after `ms`. Datagrams still go
   * out until `saved` has settled: acknowledgements wait for the disk.
   */
  async stop(ms: number, saved: Promise<unknown>): Promise<void> {
    this.#stopping = true;
    for (const server of this.#servers) server.close();
    this.#doors.close();
    this.#tls?.stop();
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
  #accept(socket: net.Socket, only: (dialects: DialectTable) => Dialect | undefined, door?: Door): void {
    if (this.#stopping || socket.remoteAddress === undefined) {
      socket.destroy();
      door?.unused();
      return;
    }
    // one that breaks while the house is not open yet is nobody's bug
    if (!this.#context) socket.on('error', () => {});
    const start = (context: ConnectionContext) => {
      if (socket.destroyed) return;
      const visit = this.#admit(socket);
      if (visit) this.#begin(context, socket, visit, only(context.dialects), door);
      else door?.unused();
    };
    if (this.#context) start(this.#context);
    else this.#waiting.push(start);
  }

  /** What it may ask for; whoever may not come in is closed without a word, for what it speaks is not known. */
  #admit(socket: net.Socket): Visit | undefined {
    const ip = plainIp(socket.remoteAddress);
    const reason = this.#gate.refuses(ip, now());
    if (reason !== undefined) {
      this.#metrics.reject(reason);
      this.#log('info', 'refused', { from: ip, reason });
      socket.destroy();
      return undefined;
    }
    const visit = this.#gate.enter(ip);
    (socket as VisitingSocket).visit = visit;
    socket.on('close', onClose);
    return visit;
  }

  /** Puts out whoever is connected from there; says how many that were. */
  expelFrom(isThere: (ip: string) => boolean, reason: string): number {
    const those = [...this.#connections].filter(({ remote, isGone }) => !isGone && isThere(remote.ip));
    for (const connection of those) connection.expel(reason);
    return those.length + (this.#http?.closeFrom(isThere) ?? 0);
  }

  /** What speaks first can't wait and see: there it is clear beforehand whether TLS comes. */
  #begin(
    context: ConnectionContext,
    socket: net.Socket,
    visit: Visit,
    own: Dialect | undefined,
    door: Door | undefined,
  ): void {
    const id = `c${this.#nextId++}`;
    const speaksFirst = door !== undefined || own?.name === 'pipe';
    const isTls = door
      ? door.isEncrypted
      : this.#requireTls && speaksFirst && !isLoopback(plainIp(socket.remoteAddress));
    if (isTls) return this.#unwrap(context, socket, { id, visit, own, failed: () => door?.unused() });
    const mayBeTls = this.#tls !== undefined && !speaksFirst;
    new Connection(context, id, socket, { visit, own, mayBeTls });
  }

  /** Inside it is sniffed again, unless the port or the hello has told. */
  #unwrap(context: ConnectionContext, socket: net.Socket, hello: Hello): void {
    const { id, visit, first, own, failed } = hello;
    const from = plainIp(socket.remoteAddress);
    const opened = (inside: net.Socket, protocol: string | undefined): void => {
      if (this.#gate.bans.ofAddress(from)) {
        // since the connection was taken
        this.#metrics.reject('banned');
        inside.on('error', () => {}).destroy();
        return failed?.();
      }
      const asked = protocol === PIPE_PROTOCOL ? context.dialects.pipe : undefined;
      new Connection(context, id, inside, { visit, own: own ?? asked, isEncrypted: true });
    };
    this.#tls?.take(socket, first, this.#alarms, now, opened, (reason) => {
      this.#metrics.reject('tls');
      this.#log('info', 'no TLS', { id, from, reason });
      failed?.();
    });
  }

  #figures(): ConnectionFigures {
    const byDialect = new Map<string, number>();
    let waitingBytes = 0;
    let mostWaitingBytes = 0;
    for (const connection of this.#connections) {
      byDialect.set(connection.dialect, (byDialect.get(connection.dialect) ?? 0) + 1);
      waitingBytes += connection.waitingBytes;
      mostWaitingBytes = Math.max(mostWaitingBytes, connection.waitingBytes);
    }
    if (this.#http) byDialect.set('http', this.#http.connections);
    return { byDialect, waitingBytes, mostWaitingBytes };
  }

  // --- UDP -----------------------------------------------------------------------------------------------

  async #listenUdp(port: number, only: DialectName | undefined): Promise<void> {
    const socket = await DatagramSocket.bind(port, this.#host, this.#log, this.#metrics);
    this.#datagrams.push(socket);
    this.#waiting.push((context) => this.#serveUdp(context, socket, only));
  }

  #serveUdp(context: ConnectionContext, socket: DatagramSocket, only: DialectName | undefined): void {
    const sessions = new Map<DialectName, DatagramSession>();
    const counts = new Map<DialectName, Cell>();
    for (const name of only ? [only] : UDP_DIALECTS) {
      const session = context.dialects[name].openDatagrams?.(socket);
      if (session) sessions.set(name, session);
      counts.set(name, this.#metrics.datagrams(name));
    }
    const wake = () => {
      for (const session of sessions.values()) this.#alarms.update(session);
    };
    socket.onWake(wake);
    wake();
    socket.guard({
      mayAnswer: ({ ip, port }, bytes) => this.#gate.mayAnswer(ip, port, bytes, now()),
      hasRoomToSpare: ({ ip, port }, bytes) => this.#gate.hasRoomToSpare(ip, port, bytes, now()),
    });
    socket.onDatagram((bytes, from) => {
      const refused = this.#gate.refusesDatagram(from.ip, from.port, bytes.length, now());
      if (refused !== undefined) return socket.refused(refused, from);
      if (this.#requireTls && !isLoopback(from.ip)) return socket.ignored('plain', from);
      const name = only ?? sniffDatagram(bytes);
      const session = name === 'unknown' ? undefined : sessions.get(name);
      if (!session) return socket.ignored('broken', from);
      counts.get(name as DialectName)?.add();
      const source = new DatagramSource(this.#gate, from);
      this.#serving.run(source, () => session.receive(bytes, from, now()));
      this.#alarms.update(session);
    });
  }

  // --- the one timer -------------------------------------------------------------------------------------

  #arm(at: number): void {
    clearTimeout(this.#timer);
    if (at === Number.POSITIVE_INFINITY || this.#stopping) return;
    const ring = () => this.#serving.run(undefined, () => this.#alarms.ring(now()));
    this.#timer = setTimeout(ring, Math.max(0, Math.ceil(at - now())));
  }
}

/** One function for all sockets: a closure for each would cost memory. */
function onClose(this: net.Socket): void {
  (this as VisitingSocket).visit.leave();
}

function now(): number {
  return performance.now();
}

export function speaksUdp(only: DialectName | undefined): boolean {
  return only === undefined || UDP_DIALECTS.includes(only);
}
