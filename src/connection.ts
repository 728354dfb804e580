// Layer 4. One TCP connection: its bytes go to the sniffer until the dialect is known, then to the
// dialect's session. Handlers are shared by all sockets, so that an idle connection costs little.

import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers';
import { plainIp } from './addresses.ts';
import type { Alarms, Sleeper } from './alarm.ts';
import type { Dialect, DialectName, DialectTable } from './dialects.ts';
import type { Log } from './log.ts';
import { type Outbox, OutPort } from './outbox.ts';
import type { Address, Port, Session } from './session.ts';
import { SNIFF_MAX_BYTES, SNIFF_MAX_MS, sniff } from './sniff.ts';

/** What is left unwritten this long after the end is given up. */
const END_MS = 5000;
/** A peer that takes nothing of what waits for it, this long, is gone. */
const STALL_MS = 60_000;

export interface ConnectionContext {
  readonly outbox: Outbox;
  readonly alarms: Alarms;
  readonly dialects: DialectTable;
  readonly log: Log;
  readonly now: () => number;
  readonly connections: Set<Connection>;
}

interface ParleySocket extends Socket {
  parley: Connection;
}

export class Connection extends OutPort implements Port, Sleeper {
  readonly id: string;
  readonly local: Address;
  readonly remote: Address;
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  #session: Session | undefined;
  /** What came before the dialect was known. */
  #unknown: Uint8Array | undefined;
  /** When sniffing, ending or a stalled write is given up. */
  #limit = Number.POSITIVE_INFINITY;
  #limitMeans: 'unknown' | 'ending' | 'stalled' = 'unknown';
  #ending = false;
  #dropping: string | undefined;

  constructor(context: ConnectionContext, id: string, socket: Socket, dialect: Dialect | undefined) {
    super(context.outbox, socket);
    this.#context = context;
    this.#socket = socket;
    this.id = id;
    this.local = { ip: plainIp(socket.localAddress), port: socket.localPort ?? 0 };
    this.remote = { ip: plainIp(socket.remoteAddress), port: socket.remotePort ?? 0 };
    context.connections.add(this);
    (socket as ParleySocket).parley = this;
    socket.on('data', onData).on('end', onEnd).on('drain', onDrain).on('error', onError).on('close', onClose);
    context.log('debug', 'connected', { id, from: this.remote.ip, port: this.remote.port });
    if (dialect) this.#become(dialect);
  }

  get dialect(): DialectName | undefined {
    return this.#dialect;
  }

  #dialect: DialectName | undefined;

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
    if (!this.#ending && !this.#isFull) this.#socket.resume();
    this.#context.alarms.update(this);
  }

  fail(error: unknown): void {
    this.#context.log('error', 'bug', { id: this.id, stack: (error as Error)?.stack ?? String(error) });
    this.#end('a bug of the server');
  }

  // --- OutPort: what waits to be written -----------------------------------------------------------------

  #isFull = false;

  /** Who does not read its answers is not read either: that stops it from asking for more. */
  protected override congested(is: boolean): void {
    this.#isFull = is;
    if (is) {
      this.#socket.pause();
      this.#setLimit('stalled', STALL_MS);
    } else {
      if (this.#limitMeans === 'stalled') this.#limit = Number.POSITIVE_INFINITY;
      this.resume();
    }
  }

  protected override overflowed(waitingBytes: number): void {
    if (this.#dropping !== undefined || this.#ending) return;
    this.#dropping = `you read too slowly: ${waitingBytes} bytes were waiting for you`;
    // the flush that is under way must not meet what a farewell makes of the rooms
    setImmediate(() => this.drop(this.#dropping as string));
  }

  // --- Sleeper -------------------------------------------------------------------------------------------

  tick(now: number): void {
    if (now >= this.#limit) return this.#limitReached();
    this.#guard(() => this.#session?.tick(now));
  }

  deadline(): number {
    return Math.min(this.#limit, this.#ending ? Number.POSITIVE_INFINITY : (this.#session?.deadline() ?? this.#limit));
  }

  // --- events --------------------------------------------------------------------------------------------

  received(bytes: Uint8Array): void {
    if (this.#ending) return;
    if (this.#session) this.#guard(() => this.#pass(bytes));
    else this.#sniff(bytes);
    this.#context.alarms.update(this);
  }

  halfClosed(): void {
    if (this.#ending) return;
    if (!this.#session) this.#decide(sniff(this.#unknown ?? new Uint8Array(0), true) as DialectName);
    this.#guard(() => this.#session?.ended(this.#context.now()));
  }

  closed(reason: string): void {
    this.#context.alarms.forget(this);
    this.#context.connections.delete(this);
    this.shut();
    this.#guard(() => this.#session?.closed(reason));
    this.#session = undefined;
    this.#context.log('debug', 'disconnected', { id: this.id, reason });
  }

  override drained(): void {
    super.drained();
  }

  /** Ends it for a reason that the peer is told, if its dialect has words for one. */
  drop(reason: string): void {
    if (this.#ending) return;
    this.#context.log('info', 'dropped', { id: this.id, from: this.remote.ip, dialect: this.#dialect, reason });
    this.#guard(() => this.#session?.dropped(reason));
    this.#end(reason);
  }

  /** Now, and without waiting for anything to be written. */
  destroy(): void {
    this.#socket.destroy();
  }

  #pass(bytes: Uint8Array): void {
    if (this.#session?.receive(bytes, this.#context.now()) === false) this.#socket.pause();
  }

  #sniff(bytes: Uint8Array): void {
    if (this.#unknown) {
      const both = new Uint8Array(this.#unknown.length + bytes.length);
      both.set(this.#unknown);
      both.set(bytes, this.#unknown.length);
      this.#unknown = both;
    } else {
      this.#unknown = bytes.slice();
      this.#setLimit('unknown', SNIFF_MAX_MS);
    }
    const found = sniff(this.#unknown);
    if (found !== 'more') this.#decide(found);
    else if (this.#unknown.length >= SNIFF_MAX_BYTES) this.#limitReached();
  }

  #decide(found: DialectName): void {
    const bytes = this.#unknown;
    this.#unknown = undefined;
    this.#limit = Number.POSITIVE_INFINITY;
    this.#become(this.#context.dialects[found]);
    if (bytes && this.#session) this.#guard(() => this.#pass(bytes));
  }

  #become(dialect: Dialect): void {
    this.#dialect = dialect.name;
    if (dialect.open) {
      this.#session = dialect.open(this);
      return;
    }
    this.#context.log('info', 'not built', { id: this.id, from: this.remote.ip, dialect: dialect.name });
    this.send(Buffer.from(dialect.farewell ?? ''));
    this.end();
  }

  #limitReached(): void {
    if (this.#limitMeans === 'unknown') this.drop('no dialect could be told from what was sent');
    else {
      if (this.#limitMeans === 'stalled') this.#context.log('info', 'stalled', { id: this.id, from: this.remote.ip });
      this.destroy();
    }
  }

  #setLimit(means: 'unknown' | 'ending' | 'stalled', ms: number): void {
    this.#limitMeans = means;
    this.#limit = this.#context.now() + ms;
    this.#context.alarms.update(this);
  }

  #end(reason: string): void {
    const session = this.#session;
    this.#session = undefined;
    this.end();
    try {
      session?.closed(reason);
    } catch (error) {
      this.#context.log('error', 'bug', { id: this.id, stack: (error as Error)?.stack ?? String(error) });
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
}

function onData(this: Socket, bytes: Uint8Array): void {
  (this as ParleySocket).parley.received(bytes);
}

function onEnd(this: Socket): void {
  (this as ParleySocket).parley.halfClosed();
}

function onDrain(this: Socket): void {
  (this as ParleySocket).parley.drained();
}

/** `close` follows. */
function onError(): void {}

function onClose(this: Socket, hadError: boolean): void {
  (this as ParleySocket).parley.closed(hadError ? 'the connection broke' : 'the connection was closed');
}
