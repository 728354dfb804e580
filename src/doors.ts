// Layer 4. Doors: listeners that take one connection each, from one address, within a few seconds. Which door
// somebody comes through says who it is.

import net from 'node:net';
import { plainIp } from './addresses.ts';
import type { Alarms, Sleeper } from './alarm.ts';
import { HouseError } from './errors.ts';
import { type Doors, networkOf, type Port, type Session } from './session.ts';

const OPEN_MS = 10_000;
const MAX_OPEN = 8000;
const MAX_OPEN_EACH = 1000;

export interface DoorOptions {
  /** '' for every address of both families. */
  readonly host: string;
  readonly socket: net.ServerOpts;
  readonly alarms: Alarms;
  readonly now: () => number;
  /** Whoever came through is a connection with this session; or, if it can't be one, `unused` is called. */
  enter(socket: net.Socket, open: (port: Port) => Session, unused: () => void, isEncrypted: boolean): void;
}

export class DoorKeeper implements Doors {
  readonly #options: DoorOptions;
  readonly #open = new Set<Door>();
  readonly #openFor = new Map<string, number>();

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  async open(ip: string, open: (port: Port) => Session, unused: () => void, isEncrypted = false): Promise<number> {
    const { host, socket, alarms, now, enter } = this.#options;
    const forWhom = networkOf(ip);
    const those = this.#openFor.get(forWhom) ?? 0;
    if (this.#open.size >= MAX_OPEN || those >= MAX_OPEN_EACH) {
      unused();
      throw new HouseError('too-fast', 'too many are on their way in: try again soon');
    }
    const server = net.createServer(socket);
    const door = new Door(server, now() + OPEN_MS, ip, (used) => {
      alarms.forget(door);
      this.#open.delete(door);
      const left = (this.#openFor.get(forWhom) ?? 1) - 1;
      if (left > 0) this.#openFor.set(forWhom, left);
      else this.#openFor.delete(forWhom);
      if (used) enter(used, open, unused, isEncrypted);
      else unused();
    });
    this.#open.add(door);
    this.#openFor.set(forWhom, those + 1);
    try {
      const port = await listen(server, host);
      alarms.update(door);
      return port;
    } catch (error) {
      door.close();
      throw new HouseError('full', `no port is free for you (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  close(): void {
    for (const door of this.#open) door.close();
  }
}

class Door implements Sleeper {
  readonly #server: net.Server;
  readonly #until: number;
  /** Gone once it is closed: what waits in the clock's heap must not keep who came through. */
  #done: ((used?: net.Socket) => void) | undefined;

  constructor(server: net.Server, until: number, ip: string, done: (used?: net.Socket) => void) {
    this.#server = server;
    this.#until = until;
    this.#done = done;
    server.on('connection', (socket) => {
      if (this.#done && plainIp(socket.remoteAddress) === ip) this.close(socket);
      else socket.destroy();
    });
  }

  tick(now: number): void {
    if (now >= this.#until) this.close();
  }

  deadline(): number {
    return this.#done ? this.#until : Number.POSITIVE_INFINITY;
  }

  close(used?: net.Socket): void {
    const done = this.#done;
    if (!done) return;
    this.#done = undefined;
    this.#server.close();
    done(used);
  }
}

function listen(server: net.Server, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, backlog: 8, ...(host === '' ? {} : { host }) }, () => {
      server.off('error', reject);
      // a door that breaks is one that nobody comes through
      server.on('error', () => {});
      resolve((server.address() as net.AddressInfo).port);
    });
  });
}
