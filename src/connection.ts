// Layer 4. One TCP connection: its bytes go to the sniffer until the dialect is known, then to the
// dialect's session. Handlers are shared by all sockets, so that an idle connection costs little.

import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers';
import { plainIp } from './addresses.ts';
import type { Alarms, Sleeper } from './alarm.ts';
import { Beginning, type Told } from './beginning.ts';
import type { Dialect, DialectName, DialectTable } from './dialects.ts';
import type { Visit } from './gate.ts';
import type { Source } from './guarded-house.ts';
import type { Http } from './http.ts';
import { type Log, logBug } from './log.ts';
import { firstMessages } from './message-count.ts';
import { type Outbox, OutPort } from './outbox.ts';
import { Reading } from './reading.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { Serving } from './serving.ts';
import { type Address, isLoopback, type Port, type Session } from './session.ts';

/** What is left unwritten this long after the end is given up ... */
const END_MS = 5000;
/** ... as is a peer that goes on sending: so much is read and thrown away. */
const END_BYTES = 1024 * 1024;
/** Who has more than the soft limit waiting, and has taken nothing of it for this long, is gone. */
const UNREAD_MS = 60_000;
/** So many messages are passed on before it is asked whether there may be more. */
const AT_ONCE = 16;
const NEVER = Number.POSITIVE_INFINITY;

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly outbox: Outbox;
  readonly alarms: Alarms;
  readonly dialects: DialectTable;
  readonly http: Pick<Http, 'take'>;
  readonly log: Log;
  readonly now: () => number;
  readonly connections: Set<Connection>;
  readonly serving: Serving;
  readonly metrics: ServerMetrics;
  /** Takes a socket that began with a hello of TLS; undefined without a certificate. */
  readonly unwrap:
    | ((socket: Socket, hello: { id: string; visit: Visit; first: Uint8Array; own: Dialect | undefined }) => void)
    | undefined;
  /** Nobody is served in plain text, but on this machine. */
  readonly requireTls: boolean;
}

/** How a connection came about. */
export interface Way {
  /** What it may ask for. */
  readonly visit: Visit;
  /** The only dialect that is spoken there. */
  readonly own?: Dialect | undefined;
  /** It has come out of TLS. */
  readonly isEncrypted?: boolean;
  /** TLS may come where only one dialect is spoken: it speaks once the peer has. */
  readonly mayBeTls?: boolean;
}

/** What a connection must not do for ever: stay unknown, leave what waits for it, be ending. */
type Limit = 'unknown' | 'stalled' | 'ending';

interface ParleySocket extends Socket {
  parley: Connection;
}

export class Connection extends OutPort implements Port, Sleeper, Source {
  readonly id: string;
  readonly local: Address;
  readonly remote: Address;
  readonly opened: number;
  readonly isEncrypted: boolean;
  readonly visit: Visit;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #own: Dialect | undefined;
  readonly #reading: Reading;
  #dialect: DialectName | undefined;
  #session: Session | undefined;
  /** What came before the dialect was known. */
  #beginning: Beginning | undefined;
  #limit: Limit | undefined;
  #limitAt = NEVER;
  /** What waited when the limit `stalled` was set. */
  #stalledAt = 0;
  #dropping = false;
  #ending = false;
  #readSinceEnd = 0;

  constructor(
    context: ConnectionContext,
    id: string,
    socket: Socket,
    { visit, own, isEncrypted = false, mayBeTls = false }: Way,
  ) {
    super(context.outbox, socket);
    this.#context = context;
    this.#socket = socket;
    this.id = id;
    this.local = { ip: plainIp(socket.localAddress), port: socket.localPort ?? 0 };
    this.remote = { ip: plainIp(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.opened = context.now();
    this.isEncrypted = isEncrypted;
    this.visit = visit;
    this.#own = own;
    this.#reading = new Reading(visit, this.opened);
    context.connections.add(this);
    (socket as ParleySocket).parley = this;
    socket.on('data', onData).on('end', onEnd).on('drain', onDrain).on('error', onError).on('close', onClose);
    context.log('debug', 'connected', { id, from: this.remote.ip, port: this.remote.port });
    context.alarms.update(this);
    if (own && !mayBeTls) this.#guard(() => this.#become(own));
  }

  // --- Port: what the session asks for -------------------------------------------------------------------

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.shut();
    this.#socket.end();
    // reads on, or a reset for unread bytes would take the last answer from the peer
    this.#socket.resume();
    this.#setLimit('ending', END_MS);
  }

  resume(): void {
    if (this.#ending) return;
    this.#reading.isSessionFull = false;
    this.#readOn();
    this.#context.alarms.update(this);
  }

  wake(): void {
    this.#context.alarms.update(this);
  }

  get isCongested(): boolean {
    return this.#reading.isCongested;
  }

  fail(error: unknown): void {
    this.#logBug(error);
    this.#endFor('a bug of the server');
  }

  // --- OutPort: what waits to be written -----------------------------------------------------------------

  /** Who does not read its answers is not read either: that stops it from asking for more. */
  protected override congested(is: boolean): void {
    this.#reading.isCongested = is;
    if (this.#ending) return;
    if (is) {
      this.#socket.pause();
      this.#watchStall();
    } else {
      if (this.#limit === 'stalled') this.#clearLimit();
      this.#readOn();
      this.wake();
    }
  }

  protected override overflowed(waitingBytes: number): void {
    if (this.#dropping || this.#ending) return;
    this.#dropping = true;
    // the flush that is under way must not meet what a farewell makes of the rooms
    setImmediate(() => this.drop(`you read too slowly: ${waitingBytes} bytes were waiting for you`, 'slow'));
  }

  // --- Sleeper -------------------------------------------------------------------------------------------

  tick(now: number): void {
    if (now >= this.#limitAt) this.#limitReached();
    else if (this.#reading.isSlowed || now >= this.#reading.deadline) this.#tickReading(now);
    else this.#guard(() => this.#session?.tick(now));
  }

  deadline(): number {
    if (this.#ending) return this.#limitAt;
    const session = this.#reading.isSlowed ? NEVER : (this.#session?.deadline() ?? NEVER);
    return Math.min(this.#limitAt, this.#reading.deadline, session);
  }

  // --- events of the socket ------------------------------------------------------------------------------

  received(bytes: Uint8Array): void {
    if (this.#ending) return this.#readAfterEnd(bytes.length);
    this.#guard(() => (this.#session ? this.#take(this.#session, bytes) : this.#sniff(bytes)));
    this.#context.alarms.update(this);
  }

  halfClosed(): void {
    if (this.#ending) return;
    this.#guard(() => {
      if (!this.#session && this.#beginning) this.#heed(this.#beginning.end());
      if (this.#session) this.#session.ended(this.#context.now());
      else this.end();
    });
  }

  written(): void {
    this.drained();
  }

  closed(reason: string): void {
    this.#context.alarms.forget(this);
    this.#context.connections.delete(this);
    this.#ending = true;
    this.#clearLimit();
    this.shut();
    this.#leave(reason);
    this.#context.log('debug', 'disconnected', { id: this.id, reason });
  }

  // --- Source --------------------------------------------------------------------------------------------

  get isDatagram(): boolean {
    return false;
  }

  get isGone(): boolean {
    return this.#ending;
  }

  hasEntered(): void {
    this.#reading.mayBeSilent();
  }

  expel(reason: string): void {
    this.drop(reason, 'expelled');
  }

  // --- for the listener ----------------------------------------------------------------------------------

  /** Ends it for a reason that the peer is told, if its dialect has words for one. */
  drop(reason: string, counted = 'dropped'): void {
    if (this.#ending) return;
    this.#context.metrics.reject(counted);
    this.#context.log('info', 'dropped', { id: this.id, from: this.remote.ip, dialect: this.#dialect, reason });
    this.#guard(() => this.#session?.dropped(reason));
    this.#endFor(reason);
  }

  /** Everything has gone out; only the peer has not closed its side yet. */
  get isWritten(): boolean {
    return this.#socket.writableLength === 0;
  }

  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  get dialect(): DialectName | 'unknown' {
    return this.#dialect ?? 'unknown';
  }

  /** Now, and without waiting for anything to be written. */
  destroy(): void {
    this.#socket.destroy();
  }

  // --- inside --------------------------------------------------------------------------------------------

  /** One read may be many thousand messages: of those it may not send yet, none is passed on. */
  #take(session: Session, bytes: Uint8Array): void {
    if (this.visit.isTrusted) return this.#pass(session, bytes);
    for (let rest = bytes; rest.length > 0 && !this.#ending; ) {
      const { end, count } = firstMessages(this.#dialect, rest, AT_ONCE);
      this.#pass(session, rest.subarray(0, end));
      rest = rest.subarray(end);
      this.#measure(count, end);
      if (rest.length === 0 || this.#reading.isOpen) continue;
      this.#socket.unshift(rest);
      return;
    }
  }

  #pass(session: Session, bytes: Uint8Array): void {
    if (session.receive(bytes, this.#context.now())) return;
    this.#reading.isSessionFull = true;
    this.#socket.pause();
  }

  #measure(messages: number, bytes: number): void {
    if (this.#ending) return;
    const pace = this.#reading.count(messages, bytes, this.#context.now());
    if (pace === 'slower') this.#socket.pause();
    else if (pace === 'hopeless') this.#dropForFlood();
  }

  #tickReading(now: number): void {
    const what = this.#reading.tick(now);
    if (what === 'idle') this.drop('you have said nothing for too long', 'idle');
    else if (what === 'hopeless') this.#dropForFlood();
    else if (what === 'go on') this.#readOn();
  }

  #dropForFlood(): void {
    this.drop('you send too much, too fast: come back and go slower', 'flood');
  }

  #readOn(): void {
    if (this.#reading.isOpen) this.#socket.resume();
  }

  #sniff(bytes: Uint8Array): void {
    const now = this.#context.now();
    this.#beginning ??= new Beginning(this.#own !== undefined, now);
    this.#setLimit('unknown', this.#beginning.patienceMs(now));
    this.#heed(this.#beginning.push(bytes));
  }

  #heed(told: Told): void {
    if (told === 'nothing') this.drop('no dialect could be told from what was sent', 'unknown');
    else if (told !== 'more') this.#decide(told);
  }

  #decide(found: Exclude<Told, 'more' | 'nothing'>): void {
    const bytes = this.#beginning?.bytes;
    this.#beginning = undefined;
    this.#clearLimit();
    const { dialects, unwrap, requireTls } = this.#context;
    if (found === 'tls' && bytes && unwrap && !this.isEncrypted) {
      this.#release();
      return unwrap(this.#socket, { id: this.id, visit: this.visit, first: bytes, own: this.#own });
    }
    if (requireTls && !this.isEncrypted && !isLoopback(this.remote.ip)) return this.drop('TLS is required', 'plain');
    this.#become(found === 'own' ? (this.#own as Dialect) : dialects[found], bytes);
    if (bytes && this.#session) this.#take(this.#session, bytes);
  }

  #become(dialect: Dialect, first?: Uint8Array): void {
    this.#dialect = dialect.name;
    this.#context.metrics.connected(dialect.name, this.isEncrypted);
    if (dialect.name === 'http') return this.#handOver(first);
    if (dialect.open) {
      this.#session = dialect.open(this);
      return;
    }
    this.#context.log('info', 'not built', { id: this.id, from: this.remote.ip, dialect: dialect.name });
    this.send(Buffer.from(dialect.farewell ?? ''));
    this.end();
  }

  /** From here on the socket is node:http's. */
  #handOver(first: Uint8Array | undefined): void {
    this.#release();
    this.#context.http.take(this.#socket, first, this.visit);
  }

  /** From here on the socket is somebody else's. */
  #release(): void {
    const socket = this.#socket;
    socket.off('data', onData).off('end', onEnd).off('drain', onDrain).off('error', onError).off('close', onClose);
    socket.pause();
    this.closed('handed over');
  }

  #limitReached(): void {
    if (this.#limit === 'unknown') return this.#guard(() => this.#silent());
    if (this.#limit !== 'stalled') return this.destroy();
    if (this.#socket.writableLength < this.#stalledAt) return this.#watchStall();
    this.drop(`you have read nothing for ${UNREAD_MS / 1000} s`, 'stalled');
  }

  /** No byte for a while, and no dialect yet. */
  #silent(): void {
    const now = this.#context.now();
    const beginning = this.#beginning;
    const told = beginning?.silent(now) ?? 'nothing';
    if (beginning && told === 'more') this.#setLimit('unknown', beginning.leftMs(now));
    else this.#heed(told);
  }

  #watchStall(): void {
    this.#stalledAt = this.#socket.writableLength;
    this.#setLimit('stalled', UNREAD_MS);
  }

  #readAfterEnd(bytes: number): void {
    this.#readSinceEnd += bytes;
    if (this.#readSinceEnd > END_BYTES) this.destroy();
  }

  #setLimit(limit: Limit, ms: number): void {
    this.#limit = limit;
    this.#limitAt = this.#context.now() + ms;
    this.#context.alarms.update(this);
  }

  #clearLimit(): void {
    this.#limit = undefined;
    this.#limitAt = NEVER;
  }

  #endFor(reason: string): void {
    this.end();
    this.#leave(reason);
  }

  /** The session is told, once, that it is over. */
  #leave(reason: string): void {
    const session = this.#session;
    this.#session = undefined;
    try {
      session?.closed(reason);
    } catch (error) {
      this.#logBug(error);
    }
  }

  /** A bug in a session costs its own connection. What follows is on its behalf. */
  #guard(work: () => void): void {
    try {
      this.#context.serving.run(this, work);
    } catch (error) {
      this.fail(error);
    }
  }

  #logBug(error: unknown): void {
    logBug(this.#context.log, error, { id: this.id });
  }
}

function onData(this: Socket, bytes: Uint8Array): void {
  (this as ParleySocket).parley.received(bytes);
}

function onEnd(this: Socket): void {
  (this as ParleySocket).parley.halfClosed();
}

function onDrain(this: Socket): void {
  (this as ParleySocket).parley.written();
}

/** `close` follows. */
function onError(): void {}

function onClose(this: Socket, hadError: boolean): void {
  (this as ParleySocket).parley.closed(hadError ? 'the connection broke' : 'the connection was closed');
}
