// Layer 4. One TCP connection: its bytes go to the sniffer until the dialect is known, then to the
// dialect's session. Handlers are shared by all sockets, so that an idle connection costs little.

import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers';
import { plainIp } from './addresses.ts';
import type { Alarms, Sleeper } from './alarm.ts';
import type { Dialect, DialectName, DialectTable } from './dialects.ts';
import type { Http } from './http.ts';
import { type Log, logBug } from './log.ts';
import { type Outbox, OutPort } from './outbox.ts';
import type { Address, Port, Session } from './session.ts';
import { SNIFF_MAX_BYTES, SNIFF_MAX_MS, SNIFF_SILENCE_MS, sniff, sniffSilent } from './sniff.ts';

/** What is left unwritten this long after the end is given up ... */
const END_MS = 5000;
/** ... as is a peer that goes on sending: so much is read and thrown away. */
const END_BYTES = 1024 * 1024;
/** Who has more than the soft limit waiting, and has taken nothing of it for this long, is gone. */
const UNREAD_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly outbox: Outbox;
  readonly alarms: Alarms;
  readonly dialects: DialectTable;
  readonly http: Http;
  readonly log: Log;
  readonly now: () => number;
  readonly connections: Set<Connection>;
}

/** What a connection must not do for ever: stay unknown, leave what waits for it, be ending. */
type Limit = 'unknown' | 'stalled' | 'ending';

interface ParleySocket extends Socket {
  parley: Connection;
}

export class Connection extends OutPort implements Port, Sleeper {
  readonly id: string;
  readonly local: Address;
  readonly remote: Address;
  readonly opened: number;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  #dialect: DialectName | undefined;
  #session: Session | undefined;
  /** What came before the dialect was known. */
  #unknown: Uint8Array | undefined;
  #unknownUntil = NEVER;
  #limit: Limit | undefined;
  #limitAt = NEVER;
  /** Nothing is read while its own answers pile up ... */
  #congested = false;
  /** ... or while its session has as much as it can handle. */
  #sessionFull = false;
  /** What waited when the limit `stalled` was set. */
  #stalledAt = 0;
  #dropping = false;
  #ending = false;
  #readSinceEnd = 0;

  constructor(context: ConnectionContext, id: string, socket: Socket, dialect?: Dialect) {
    super(context.outbox, socket);
    this.#context = context;
    this.#socket = socket;
    this.id = id;
    this.local = { ip: plainIp(socket.localAddress), port: socket.localPort ?? 0 };
    this.remote = { ip: plainIp(socket.remoteAddress), port: socket.remotePort ?? 0 };
    this.opened = context.now();
    context.connections.add(this);
    (socket as ParleySocket).parley = this;
    socket.on('data', onData).on('end', onEnd).on('drain', onDrain).on('error', onError).on('close', onClose);
    context.log('debug', 'connected', { id, from: this.remote.ip, port: this.remote.port });
    if (dialect) this.#become(dialect);
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
    this.#sessionFull = false;
    this.#readOn();
    this.#context.alarms.update(this);
  }

  wake(): void {
    this.#context.alarms.update(this);
  }

  get isCongested(): boolean {
    return this.#congested;
  }

  fail(error: unknown): void {
    this.#logBug(error);
    this.#endFor('a bug of the server');
  }

  // --- OutPort: what waits to be written -----------------------------------------------------------------

  /** Who does not read its answers is not read either: that stops it from asking for more. */
  protected override congested(is: boolean): void {
    this.#congested = is;
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
    setImmediate(() => this.drop(`you read too slowly: ${waitingBytes} bytes were waiting for you`));
  }

  // --- Sleeper -------------------------------------------------------------------------------------------

  tick(now: number): void {
    if (now >= this.#limitAt) this.#limitReached();
    else this.#guard(() => this.#session?.tick(now));
  }

  deadline(): number {
    const session = this.#ending ? NEVER : (this.#session?.deadline() ?? NEVER);
    return Math.min(this.#limitAt, session);
  }

  // --- events of the socket ------------------------------------------------------------------------------

  received(bytes: Uint8Array): void {
    if (this.#ending) return this.#readAfterEnd(bytes.length);
    this.#guard(() => (this.#session ? this.#pass(this.#session, bytes) : this.#sniff(bytes)));
    this.#context.alarms.update(this);
  }

  halfClosed(): void {
    if (this.#ending) return;
    this.#guard(() => {
      if (!this.#session && this.#unknown) this.#decide(sniff(this.#unknown, true) as DialectName);
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

  // --- for the listener ----------------------------------------------------------------------------------

  /** Ends it for a reason that the peer is told, if its dialect has words for one. */
  drop(reason: string): void {
    if (this.#ending) return;
    this.#context.log('info', 'dropped', { id: this.id, from: this.remote.ip, dialect: this.#dialect, reason });
    this.#guard(() => this.#session?.dropped(reason));
    this.#endFor(reason);
  }

  /** Everything has gone out; only the peer has not closed its side yet. */
  get isWritten(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** Now, and without waiting for anything to be written. */
  destroy(): void {
    this.#socket.destroy();
  }

  // --- inside --------------------------------------------------------------------------------------------

  #pass(session: Session, bytes: Uint8Array): void {
    if (session.receive(bytes, this.#context.now())) return;
    this.#sessionFull = true;
    this.#socket.pause();
  }

  #readOn(): void {
    if (!this.#congested && !this.#sessionFull) this.#socket.resume();
  }

  #sniff(bytes: Uint8Array): void {
    const before = this.#unknown;
    const now = this.#context.now();
    if (!before) this.#unknownUntil = now + SNIFF_MAX_MS;
    this.#setLimit('unknown', Math.min(SNIFF_SILENCE_MS, this.#unknownUntil - now));
    const all = new Uint8Array((before?.length ?? 0) + bytes.length);
    if (before) all.set(before);
    all.set(bytes, before?.length);
    this.#unknown = all;
    const found = sniff(all);
    if (found !== 'more') this.#decide(found);
    else if (all.length >= SNIFF_MAX_BYTES) this.#dropUnknown();
  }

  #decide(found: DialectName): void {
    const bytes = this.#unknown;
    this.#unknown = undefined;
    this.#clearLimit();
    this.#become(this.#context.dialects[found], bytes);
    if (bytes && this.#session) this.#pass(this.#session, bytes);
  }

  #become(dialect: Dialect, first?: Uint8Array): void {
    this.#dialect = dialect.name;
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
    const socket = this.#socket;
    socket.off('data', onData).off('end', onEnd).off('drain', onDrain).off('error', onError).off('close', onClose);
    socket.pause();
    this.closed('handed over');
    this.#context.http.take(socket, first);
  }

  #limitReached(): void {
    if (this.#limit === 'unknown') return this.#guard(() => this.#silent());
    if (this.#limit !== 'stalled') return this.destroy();
    if (this.#socket.writableLength < this.#stalledAt) return this.#watchStall();
    this.drop(`you have read nothing for ${UNREAD_MS / 1000} s`);
  }

  /** No byte for a while, and no dialect yet. */
  #silent(): void {
    const found = this.#unknown ? sniffSilent(this.#unknown) : 'more';
    const now = this.#context.now();
    if (found !== 'more') this.#decide(found);
    else if (now >= this.#unknownUntil) this.#dropUnknown();
    else this.#setLimit('unknown', this.#unknownUntil - now);
  }

  #dropUnknown(): void {
    this.drop('no dialect could be told from what was sent');
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

  /** A bug in a session costs its own connection. */
  #guard(work: () => void): void {
    try {
      work();
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
