// Layer 4. The sockets that are listened on, the one clock and the one timer. Which connection speaks what
// is the sniffer's and the table's to say; what it may do is the session's.

import dgram from 'node:dgram';
import net from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { localIpFor, plainIp } from './addresses.ts';
import { Alarms } from './alarm.ts';
import { Connection, type ConnectionContext } from './connection.ts';
import type { DialectName, DialectTable } from './dialects.ts';
import type { Log } from './log.ts';
import { Outbox } from './outbox.ts';
import type { Address, Broadcast, DatagramPort, DatagramSession } from './session.ts';
import { sniffDatagram } from './sniff.ts';

const KEEP_ALIVE_MS = 60_000;
const DATAGRAM_BUFFER_BYTES = 4 * 1024 * 1024;
/** More than this waiting in a datagram socket is thrown away: datagrams may be lost. */
const MAX_DATAGRAM_QUEUE_BYTES = 8 * 1024 * 1024;
const PORT_TRIES = 20;
const BACKLOG = 1024;

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
  readonly #datagrams: dgram.Socket[] = [];
  readonly #connections = new Set<Connection>();
  readonly #start: Array<(context: ConnectionContext) => void> = [];
  #context: ConnectionContext | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #nextId = 1;
  #stopping = false;

  constructor({ host, sendqBytes, log }: ListenOptions) {
    this.#host = host;
    this.#log = log;
    this.#outbox = new Outbox({ softBytes: sendqBytes / 4, hardBytes: sendqBytes });
    this.#alarms = new Alarms((at) => this.#arm(at));
  }

  broadcast(): Broadcast {
    return this.#outbox.broadcast();
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

  /** The house is open: what has connected meanwhile is served. */
  serve(dialects: DialectTable): void {
    this.#context = {
      outbox: this.#outbox,
      alarms: this.#alarms,
      dialects,
      log: this.#log,
      now,
      connections: this.#connections,
    };
    for (const start of this.#start.splice(0)) start(this.#context);
  }

  /** No more of anybody: closes everything once it is written, at the latest after `ms`. */
  async stop(reason: string, ms: number): Promise<void> {
    this.#stopping = true;
    for (const server of this.#servers) server.close();
    this.#outbox.flush();
    for (const connection of this.#connections) connection.end();
    await this.#emptied(ms);
    for (const connection of this.#connections) connection.destroy();
    for (const socket of this.#datagrams) socket.close();
    clearTimeout(this.#timer);
    this.#log('debug', 'stopped', { reason });
  }

  async #emptied(ms: number): Promise<void> {
    const until = now() + ms;
    const busy = () => this.#connections.size > 0 || this.#datagrams.some((socket) => socket.getSendQueueSize() > 0);
    while (busy() && now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  // --- TCP -----------------------------------------------------------------------------------------------

  #listenTcp(port: number, only: DialectName | undefined): Promise<net.Server> {
    const server = net.createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
      (socket) => this.#accept(socket, only),
    );
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const where = this.#host === '' ? {} : { host: this.#host };
      server.listen({ port, backlog: BACKLOG, ...where }, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#log('error', 'listener', { error: error.message }));
        resolve(server);
      });
    });
  }

  #accept(socket: net.Socket, only: DialectName | undefined): void {
    if (this.#stopping || socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const start = (context: ConnectionContext) => {
      if (socket.destroyed) return;
      new Connection(context, `c${this.#nextId++}`, socket, only && context.dialects[only]);
    };
    if (this.#context) start(this.#context);
    else this.#start.push(start);
  }

  // --- UDP -----------------------------------------------------------------------------------------------

  async #listenUdp(port: number, only: DialectName | undefined): Promise<void> {
    const isV6 = this.#host === '' ? hasIpv6() : net.isIPv6(this.#host);
    const socket = dgram.createSocket({ type: isV6 ? 'udp6' : 'udp4' });
    this.#datagrams.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port, ...(this.#host === '' ? {} : { address: this.#host }), exclusive: true }, () => {
        socket.off('error', reject);
        socket.on('error', (error) => this.#log('warn', 'datagram socket', { error: error.message }));
        resolve();
      });
    }).catch((error) => {
      this.#datagrams.splice(this.#datagrams.indexOf(socket), 1);
      socket.close();
      throw error;
    });
    growBuffers(socket);
    this.#start.push((context) => this.#serveUdp(context, socket, port, isV6, only));
  }

  #serveUdp(context: ConnectionContext, socket: dgram.Socket, number: number, isV6: boolean, only?: DialectName): void {
    const port: DatagramPort = {
      number,
      localIp: (remote) =>
        this.#host === '' || /^(0\.0\.0\.0|::)$/.test(this.#host) ? localIpFor(remote) : this.#host,
      send: (bytes, to) => {
        if (socket.getSendQueueSize() > MAX_DATAGRAM_QUEUE_BYTES) return;
        // a failed send is a lost datagram
        socket.send(bytes, to.port, isV6 && net.isIPv4(to.ip) ? `::ffff:${to.ip}` : to.ip, () => {});
      },
      fail: (error) => this.#log('error', 'bug', { stack: (error as Error)?.stack ?? String(error) }),
    };
    const sessions = new Map<DialectName, DatagramSession | undefined>();
    const sessionOf = (name: DialectName) => {
      if (!sessions.has(name)) sessions.set(name, context.dialects[name].openDatagrams?.(port));
      return sessions.get(name);
    };
    socket.on('message', (bytes, from) => {
      const name = only ?? sniffDatagram(bytes);
      const remote: Address = { ip: plainIp(from.address), port: from.port };
      const session = name === 'unknown' ? undefined : sessionOf(name);
      if (!session) return this.#log('debug', 'datagram ignored', { from: remote.ip, dialect: name });
      try {
        session.receive(bytes, remote, now());
      } catch (error) {
        port.fail(error);
      }
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
  return only === undefined || only === 'lab' || only === 'datagram';
}

function hasIpv6(): boolean {
  return localIpFor('::1') === '::1';
}

/** As far as the system allows; Deno allocates the whole buffer for each datagram, so not there. */
function growBuffers(socket: dgram.Socket): void {
  if ('Deno' in globalThis) return;
  try {
    socket.setRecvBufferSize(DATAGRAM_BUFFER_BYTES);
    socket.setSendBufferSize(DATAGRAM_BUFFER_BYTES);
  } catch {
    // the default is enough
  }
}
