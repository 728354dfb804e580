// Layer 4. One UDP socket: its datagrams go to the session of their dialect; what is sent is bounded.

import type dgram from 'node:dgram';
import { setTimeout } from 'node:timers';
import { localIpFor, peerIp } from './addresses.ts';
import type { Refusal } from './gate.ts';
import { type Log, logBug } from './log.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { Address, DatagramPort, Ignored, Mailboxes } from './session.ts';
import { asSent, openUdp } from './udp-socket.ts';

/** What would make more than this wait is thrown away: any datagram may be lost. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** How much may go to an address: it may be somebody else's, at whom this is aimed. */
export interface DatagramGuard {
  mayAnswer(to: Address, bytes: number): boolean;
  /** The same for what can wait. */
  hasRoomToSpare(to: Address, bytes: number): boolean;
}

export class DatagramSocket implements DatagramPort {
  readonly number: number;
  readonly #socket: dgram.Socket;
  readonly #isV6: boolean;
  readonly #host: string;
  readonly #log: Log;
  readonly #metrics: ServerMetrics;
  readonly #ignored = { broken: 0, forged: 0, plain: 0 };
  /** Handed to the system and not sent yet. */
  #waitingBytes = 0;
  #closed = false;
  #onWake: () => void = () => {};
  #guard: DatagramGuard = { mayAnswer: () => true, hasRoomToSpare: () => true };

  private constructor(
    socket: dgram.Socket,
    port: number,
    host: string,
    isV6: boolean,
    log: Log,
    metrics: ServerMetrics,
  ) {
    this.#socket = socket;
    this.number = port;
    this.#host = host;
    this.#isV6 = isV6;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** `host` '' is every address, of both families where the system has both. */
  static async bind(port: number, host: string, log: Log, metrics: ServerMetrics): Promise<DatagramSocket> {
    const { socket, isV6 } = await openUdp(port, host);
    socket.on('error', ({ message }) => log('warn', 'datagram socket', { error: message }));
    return new DatagramSocket(socket, socket.address().port, host, isV6, log, metrics);
  }

  onDatagram(receive: (bytes: Uint8Array, from: Address) => void): void {
    this.#socket.on('message', (bytes, from) => {
      try {
        receive(bytes, { ip: peerIp(from.address), port: from.port });
      } catch (error) {
        this.fail(error);
      }
    });
  }

  onWake(wake: () => void): void {
    this.#onWake = wake;
  }

  guard(guard: DatagramGuard): void {
    this.#guard = guard;
  }

  hasRoomToSpare(length: number, to: Address): boolean {
    return this.#guard.hasRoomToSpare(to, length);
  }

  wake(): void {
    this.#onWake();
  }

  localIp(remoteIp: string): string {
    const everywhere = this.#host === '' || this.#host === '0.0.0.0' || this.#host === '::';
    return everywhere ? localIpFor(remoteIp) : this.#host;
  }

  send(bytes: Uint8Array, to: Address): void {
    if (this.#closed || this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return;
    if (!this.#guard.mayAnswer(to, bytes.length)) return this.refused('answers', to);
    this.#waitingBytes += bytes.length;
    this.#socket.send(bytes, to.port, asSent(to.ip, this.#isV6), () => {
      // an error is a lost datagram
      this.#waitingBytes -= bytes.length;
    });
  }

  ignored(why: Ignored, from: Address): void {
    this.#ignored[why]++;
    this.#metrics.reject(`datagram-${why}`);
    this.#log('info', 'datagram ignored', { why, from: from.ip, count: this.#ignored[why] });
  }

  /** By the limits. */
  refused(why: Refusal, from: Address): void {
    this.#metrics.reject(why);
    this.#log('info', 'datagram refused', { why, from: from.ip });
  }

  repeated(): void {
    this.#metrics.repeated();
  }

  fail(error: unknown): void {
    logBug(this.#log, error);
  }

  /** When what waits has been sent, or soon. */
  async close(): Promise<void> {
    this.#closed = true;
    for (let tries = 0; this.#waitingBytes > 0 && tries < 20; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.#socket.close();
  }
}

/** Ports of one's own, at the address of the others. */
export function mailboxes(host: string, log: Log, metrics: ServerMetrics): Mailboxes {
  return {
    async open(receive) {
      const socket = await DatagramSocket.bind(0, host, log, metrics);
      socket.onDatagram(receive);
      return {
        port: socket.number,
        close: () => {
          socket.close().catch((error) => socket.fail(error));
        },
      };
    },
  };
}
