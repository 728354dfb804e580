// Layer 4. Datagrams to groups on the networks around: for those who listen to a room that way. Where the machine
// has no network for it, that is found out at the start, and said once.

import dgram from 'node:dgram';
import type { Log } from './log.ts';
import type { Address, Multicast } from './session.ts';

/** On the networks that we are on, and no further. */
const TTL = 1;
/** What would make more than this wait is thrown away: any datagram may be lost. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Where there was no way out, it is tried again after so long. */
const AGAIN_MS = 10_000;
/** An empty datagram to the port that throws everything away tells whether there is a way out. */
const PROBE = { ip: '224.3.29.71', port: 9 };

export class MulticastSocket implements Multicast {
  readonly #via: string | undefined;
  #socket: dgram.Socket | undefined;
  #trouble: Promise<string | undefined>;
  #tried = performance.now();
  #waitingBytes = 0;

  /** `via` is the address of the interface to send on; undefined leaves that to the system. */
  constructor(via: string | undefined, log: Log) {
    this.#via = via;
    this.#trouble = this.#try();
    this.#trouble.then((reason) => {
      if (reason !== undefined) log('warn', 'no multicast: classic lobby clients can enter no room', { reason });
    });
  }

  /** A network may have come since it was last tried. */
  async trouble(): Promise<string | undefined> {
    const reason = await this.#trouble;
    if (reason === undefined || performance.now() - this.#tried < AGAIN_MS) return reason;
    this.#tried = performance.now();
    this.#trouble = this.#try();
    return this.#trouble;
  }

  send(bytes: Uint8Array, { ip, port }: Address): void {
    if (!this.#socket || this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return;
    this.#waitingBytes += bytes.length;
    this.#socket.send(bytes, port, ip, () => {
      // an error is a lost datagram
      this.#waitingBytes -= bytes.length;
    });
  }

  async #try(): Promise<string | undefined> {
    const socket = dgram.createSocket('udp4');
    try {
      await open(socket, this.#via);
      this.#socket = socket;
      return undefined;
    } catch (error) {
      socket.close();
      return explain(error as NodeJS.ErrnoException, this.#via);
    }
  }
}

async function open(socket: dgram.Socket, via: string | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, resolve);
  });
  socket.removeAllListeners('error').on('error', () => {});
  socket.setMulticastTTL(TTL);
  socket.setMulticastLoopback(true);
  if (via !== undefined) socket.setMulticastInterface(via);
  await new Promise<void>((resolve, reject) => {
    socket.send(new Uint8Array(0), PROBE.port, PROBE.ip, (error) => (error ? reject(error) : resolve()));
  });
}

function explain({ code, message }: NodeJS.ErrnoException, via: string | undefined): string {
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH') return `there is no route to ${PROBE.ip}`;
  if (via !== undefined && (code === 'EADDRNOTAVAIL' || code === 'EINVAL'))
    return `${via} is not an address of this machine`;
  return message;
}
