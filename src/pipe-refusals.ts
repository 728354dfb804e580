// Layer 4. The datagrams by which the `pipe` client refuses requests. Whose address it was is not known, so there are
// never many on their way: what is too much is dropped, and who asked finds out by silence.

import { Buffer } from 'node:buffer';
import dgram from 'node:dgram';
import net from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Refusal, Request } from './client-pipe-transfers.ts';
import type { Address } from './session.ts';
import { encodeGbn, ID_BYTES } from './wire-gbn.ts';
import { encodeClassic } from './wire-gbn-classic.ts';

const MAX_WAITING = 32;
/** Between two of the same; a refusal that has gone out counts for so long. */
const PAUSE_MS = 50;

/** One may be lost; but a classic client takes the second for something else. */
const SOUND_TIMES = 2;
const CLASSIC_TIMES = 1;

type Family = 'udp4' | 'udp6';

export class Refusals {
  /** One for each family, once it is needed. */
  readonly #sockets = new Map<Family, dgram.Socket>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  /** In the words of the requester's wire. Resolves when that is done. */
  refuse(request: Request, reason: Refusal): Promise<void> {
    const transferId = transferIdOf(request);
    if (!transferId) return this.say(classicRefusal(request, reason), CLASSIC_TIMES, request);
    const text = reason === 'busy' ? 'too many files are being sent, try again later' : 'there is no such file';
    return this.say(encodeGbn(transferId, { kind: 'end', code: 'refused', text }), SOUND_TIMES, request);
  }

  /** So many times. Resolves when that is done, be it that nothing was sent. */
  say(datagram: Uint8Array, times: number, { ip, port }: Address): Promise<void> {
    if (this.#timers.size >= MAX_WAITING) return Promise.resolve();
    return new Promise((resolve) => this.#say(datagram, times, { ip, port }, resolve));
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #say(datagram: Uint8Array, times: number, to: Address, done: () => void): void {
    if (times === 0) return done();
    this.#socketFor(net.isIPv6(to.ip) ? 'udp6' : 'udp4').send(datagram, to.port, to.ip, () => {});
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#say(datagram, times - 1, to, done);
    }, PAUSE_MS);
    this.#timers.add(timer);
  }

  #socketFor(family: Family): dgram.Socket {
    const open = this.#sockets.get(family);
    if (open) return open;
    const socket = dgram.createSocket(family);
    this.#sockets.set(family, socket);
    // one that could not be opened, as when there are too many files, is tried again for the next
    socket.on('error', () => {
      if (this.#sockets.get(family) === socket) this.#sockets.delete(family);
      try {
        socket.close();
      } catch {
        // it is closed
      }
    });
    return socket;
  }
}

/** Undefined of a classic client's request. */
export function transferIdOf({ token }: Request): Uint8Array | undefined {
  if (token === undefined) return undefined;
  const id = Buffer.from(token, 'base64url');
  return id.length === ID_BYTES ? new Uint8Array(id) : undefined;
}

function classicRefusal({ to }: Request, reason: Refusal): Uint8Array {
  return encodeClassic(reason === 'busy' ? { kind: 'busy', requester: to } : { kind: 'not-found' });
}
