// Layer 4. One UDP socket that drives one machine of a file transfer: what comes goes into the machine, what the machine
// has goes out, and one timer wakes it when it says so. Knows nothing of the file and of what the datagrams are.
//
// Who the peer is: the first datagram that its machine's owner takes for one of this transfer says so, and from then on
// the socket is connected to that address, so that the system throws away what others send before it costs anything.
// After a second without a word it listens to all again, for an address can change on the way, and the next datagram
// of the transfer says from where it goes on.

import { randomInt } from 'node:crypto';
import type dgram from 'node:dgram';
import net from 'node:net';
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { localIpFor, peerIp } from './addresses.ts';
import { BadLink, type BadLinkOptions, seededRandom } from './bad-link.ts';
import { type Address, isLoopback } from './session.ts';
import { asSent, type Lookup, openUdp, type UdpSocket } from './udp-socket.ts';

const FIRST_PORT = 40_000;
const PORTS = 10_000;
const ATTEMPTS = 10;
/** In one turn of the event loop: well below a millisecond of common packets, and one of the longest. */
const BATCH = 64;
/** Of datagrams that the system has not taken yet; what is behind them waits for its turn. */
const MAX_QUEUED_BYTES = 1024 * 1024;
const QUEUE_MS = 1;
/** Two blocks of the longest packets. */
const LEAST_ROOM_BYTES = 2 * 1024 * 1024;
const QUIET_MS = 1000;
/** A timer is set for no longer. */
const LONGEST_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;
const isDeno = 'Deno' in globalThis;

export interface Machine {
  input(datagram: Uint8Array, now: number): void;
  tick(now: number): void;
  take(): Uint8Array | undefined;
  deadline(): number;
}

/** Who has a machine. */
export interface Driver {
  readonly machine: Machine;
  /** Of this transfer; asked of what comes from elsewhere than before. */
  isOurs(datagram: Uint8Array): boolean;
  /** After each turn: what the machine wants is given to it, what it has is taken from it. */
  serve(now: number): void;
}

/** What is done to each datagram that goes out. Shares of 1. */
export interface Trouble {
  readonly loss: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly delayMs: number;
  /** The same trouble each time. */
  readonly seed: number | undefined;
}

/** Of datagrams that are not of the transfer, and from elsewhere than its peer: what is to be driven from now on. */
export type OnStranger = (datagram: Uint8Array, from: Address) => Driver | undefined;

export interface GbnSocketOptions {
  /** `''` is every address, of both families where the system has both. */
  readonly host: string;
  /**
   * A free one of 40000-49999 unless told, also for 0: Linux takes a port that it has chosen itself away from a socket
   * when that is connected no more.
   */
  readonly port?: number;
  readonly trouble?: Trouble;
  readonly onStranger?: OnStranger;
  onBug(error: unknown): void;
}

export interface SocketStats {
  /** Handed to the system, or to the trouble. */
  sent: number;
  sentBytes: number;
  received: number;
  receivedBytes: number;
  /** By the trouble, on purpose. */
  dropped: number;
}

export class GbnSocket {
  readonly port: number;
  readonly stats: SocketStats = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0, dropped: 0 };
  onStranger: OnStranger | undefined;
  readonly #options: GbnSocketOptions;
  readonly #socket: dgram.Socket;
  readonly #isV6: boolean;
  readonly #link: BadLink | undefined;
  #driver: Driver | undefined;
  #peer: Address | undefined;
  /** Its address is that of a datagram that came, and not only one that we were told. */
  #isFixed = false;
  #isConnected = false;
  #countedBytes = 0;
  #heardAt = 0;
  #isClosed = false;
  #immediate: ReturnType<typeof setImmediate> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = NEVER;

  private constructor({ socket, isV6 }: UdpSocket, options: GbnSocketOptions) {
    this.#options = options;
    this.onStranger = options.onStranger;
    this.#socket = socket;
    this.#isV6 = isV6;
    this.#link = options.trouble && badLink(options.trouble);
    this.port = socket.address().port;
    // as plain bytes: the slice of a Buffer is no copy
    socket.on('message', ({ buffer, byteOffset, length }, from) =>
      this.#guarded(() => this.#receive(new Uint8Array(buffer, byteOffset, length), from)),
    );
    // what could not be sent, or the peer did not take, is lost
    socket.on('error', ({ syscall }: NodeJS.ErrnoException) => {
      if (syscall === 'connect') this.#isConnected = false;
    });
  }

  /** Rejects with the system's error. */
  static async open(options: GbnSocketOptions): Promise<GbnSocket> {
    const { host } = options;
    for (let attempt = 1; ; attempt++) {
      const port = options.port || FIRST_PORT + randomInt(PORTS);
      try {
        return new GbnSocket(await openUdp(port, host, lookup), options);
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!isTaken || options.port || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** When the peer was. */
  get heardAt(): number {
    return this.#heardAt;
  }

  get peer(): Address | undefined {
    return this.#peer;
  }

  /**
   * What a receiver should let come before it is written, where that has to be less than usual: on the own machine
   * nothing is slower than this end, and what does not fit into the system's buffer is lost.
   */
  roomBytesFor(ip: string): number | undefined {
    // the system counts what its own bookkeeping takes, which is as much again
    if (!isOwnMachine(ip)) return undefined;
    return isDeno ? LEAST_ROOM_BYTES : Math.max(LEAST_ROOM_BYTES, this.#socket.getRecvBufferSize() / 2);
  }

  /** Instead of what was driven before. `peer` where it is known beforehand. */
  drive(driver: Driver, peer?: Address): void {
    this.#driver = driver;
    if (peer) {
      this.#disconnect();
      this.#peer = peer;
      this.#isFixed = false;
    }
    this.wake();
  }

  /** For another transfer. */
  release(): void {
    this.#driver = undefined;
    this.onStranger = undefined;
    this.#disconnect();
    this.#peer = undefined;
    this.#isFixed = false;
  }

  /** While nothing is driven yet. */
  say(datagram: Uint8Array, to: Address): void {
    try {
      if (!this.#isClosed) this.#socket.send(datagram, to.port, asSent(to.ip, this.#isV6));
    } catch {
      // lost
    }
  }

  /** Nothing that was sent is still on its way through the trouble. */
  get isIdle(): boolean {
    return this.#link === undefined || this.#link.length === 0;
  }

  /** Something was done to the machine, or there is something to give it. */
  wake(): void {
    if (this.#isClosed) return;
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      this.#guarded(() => this.#turn());
    });
  }

  /** At once: what is on its way through the trouble is lost. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#socket.close();
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onBug(error);
    }
  }

  // --- what comes -----------------------------------------------------------------------------------------

  #receive(bytes: Uint8Array, from: dgram.RemoteInfo): void {
    if (this.#isClosed) return;
    if (!this.#isFromPeer(from) && !this.#fix(bytes, { ip: peerIp(from.address), port: from.port })) return;
    const now = performance.now();
    this.stats.received++;
    this.stats.receivedBytes += bytes.length;
    this.#heardAt = now;
    this.#driver?.machine.input(bytes, now);
    this.wake();
  }

  #isFromPeer({ port, address }: dgram.RemoteInfo): boolean {
    const peer = this.#peer;
    if (!peer || !this.#isFixed || peer.port !== port || peer.ip !== peerIp(address)) return false;
    if (!this.#isConnected) this.#connect();
    return true;
  }

  /** True if this is the peer from now on. */
  #fix(bytes: Uint8Array, from: Address): boolean {
    if (this.#isFixed && performance.now() - this.#heardAt < QUIET_MS) return false;
    if (!this.#driver?.isOurs(bytes)) {
      const driver = this.onStranger?.(bytes, from);
      if (!driver) return false;
      this.#driver = driver;
    }
    this.#disconnect();
    this.#peer = from;
    this.#isFixed = true;
    this.#connect();
    return true;
  }

  #connect(): void {
    const peer = this.#peer;
    // Deno's socket hears nothing any more once it is connected
    if (!peer || isDeno) return;
    try {
      this.#socket.connect(peer.port, asSent(peer.ip, this.#isV6));
      this.#isConnected = true;
    } catch {
      // then the others' datagrams cost a little
    }
  }

  #disconnect(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    try {
      this.#socket.disconnect();
    } catch {
      // it was not, after all
    }
  }

  // --- what goes out --------------------------------------------------------------------------------------

  #turn(): void {
    const driver = this.#driver;
    if (!driver || this.#isClosed) return;
    const now = performance.now();
    const { machine } = driver;
    if (this.#isConnected && now - this.#heardAt >= QUIET_MS) this.#disconnect();
    machine.tick(now);
    driver.serve(now);
    // what it did may have closed this, or put another one in its place
    if (this.#isClosed || this.#driver !== driver) return;
    const isQueued = this.#queuedBytes > MAX_QUEUED_BYTES;
    const isMore = !isQueued && this.#send(machine, now);
    this.#deliver(now);
    if (isMore) this.wake();
    else this.#arm(isQueued ? now + QUEUE_MS : Math.min(machine.deadline(), this.#link?.deadline() ?? NEVER), now);
  }

  /** A batch; true if there may be more. */
  #send(machine: Machine, now: number): boolean {
    for (let count = 0; count < BATCH; count++) {
      const datagram = machine.take();
      if (!datagram) return false;
      this.stats.sent++;
      this.stats.sentBytes += datagram.length;
      if (this.#link) this.#link.send(datagram, now);
      else this.#put(datagram);
    }
    return true;
  }

  /** What has come through the trouble. */
  #deliver(now: number): void {
    const link = this.#link;
    if (!link) return;
    for (let count = 0; count < BATCH; count++) {
      const datagram = link.take(now);
      if (!datagram) break;
      this.#put(datagram);
    }
    this.stats.dropped = link.stats.lost;
  }

  #put(datagram: Uint8Array): void {
    const peer = this.#peer;
    if (!peer) return;
    try {
      if (this.#isConnected) this.#socket.send(datagram);
      else if (isDeno) this.#putCounted(datagram, peer);
      else this.#socket.send(datagram, peer.port, asSent(peer.ip, this.#isV6));
    } catch {
      // lost
    }
  }

  /** Deno does not say how much waits. */
  #putCounted(datagram: Uint8Array, { ip, port }: Address): void {
    this.#countedBytes += datagram.length;
    this.#socket.send(datagram, port, asSent(ip, this.#isV6), () => {
      this.#countedBytes -= datagram.length;
    });
  }

  get #queuedBytes(): number {
    return isDeno ? this.#countedBytes : this.#socket.getSendQueueSize();
  }

  /** One timer; one that is early does no harm, and is left. */
  #arm(at: number, now: number): void {
    const quietAt = this.#isConnected ? this.#heardAt + QUIET_MS : NEVER;
    const dueAt = Math.min(at, quietAt, now + LONGEST_MS);
    if (dueAt <= now) return this.wake();
    if (this.#timerAt <= dueAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = dueAt;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = NEVER;
        this.#guarded(() => this.#turn());
      },
      Math.ceil(dueAt - now),
    );
  }
}

function badLink({ seed, ...options }: Trouble): BadLink {
  return new BadLink(options satisfies BadLinkOptions, seededRandom(seed ?? randomInt(2 ** 32)));
}

export function isOwnMachine(ip: string): boolean {
  return isLoopback(ip) || localIpFor(ip) === ip;
}

/** Of addresses only, without a detour: it is asked for each datagram. */
const lookup: Lookup = (address, _options, callback) => callback(null, address, net.isIPv6(address) ? 6 : 4);
