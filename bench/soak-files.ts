// Files in a soak: a `menu` member who owns some, scripted, and somebody without a session who fetches them over HTTP
// and goes on where a dead server broke off. What has arrived is compared byte by byte.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeRequest, type MenuReply, MenuReplyDecoder } from '../src/wire-menu.ts';
import { matches, sizeOf } from './file-bytes.ts';
import { push, serve, VERSION } from './file-owner.ts';
import type { Chance } from './soak-chance.ts';
import { HOST, type House } from './soak-house.ts';
import type { Ledger } from './soak-ledger.ts';
import { Wire } from './soak-people.ts';

const SIZES = [0, 1, 65_536, 1_000_003, 3_000_017];
const PAUSE_MS = 300;
const ATTEND_MS = 1000;
const TRIES = 60;
const FETCH_MS = 20_000;

/** A full `menu` client; the server comes to its port, or, where it has none, is brought the bytes. */
export class Owner {
  readonly name: string;
  readonly #house: House;
  readonly #server = net.createServer({ noDelay: true }, serve);
  readonly #isDeaf: boolean;
  #wire: Wire | undefined;
  isIn = false;

  constructor(name: string, house: House, isDeaf: boolean) {
    this.name = name;
    this.#house = house;
    this.#isDeaf = isDeaf;
  }

  async come(): Promise<void> {
    if (!this.#server.listening) {
      this.#server.listen(0, HOST);
      await once(this.#server, 'listening');
    }
    this.#wire?.socket.destroy();
    const decoder = new MenuReplyDecoder();
    const wire = await Wire.open(this.#house.port, (bytes) => {
      decoder.push(bytes);
      for (let reply = decoder.next(); reply; reply = decoder.next()) this.#answer(reply);
    });
    this.#wire = wire;
    wire.socket.on('close', () => {
      this.isIn = false;
    });
    const listen = this.#isDeaf ? 0 : (this.#server.address() as net.AddressInfo).port;
    wire.socket.write(encodeRequest({ kind: 'name', client: 'full', name: this.name, listen }));
  }

  leave(): void {
    this.#wire?.socket.destroy();
    this.#server.close();
  }

  #answer(reply: MenuReply): void {
    if (reply.kind === 'welcome') this.isIn = reply.name === this.name;
    else if (reply.kind === 'push') push(this.#house.port, reply.ticket, reply.from, reply.to);
    else if (reply.kind === 'want') {
      const { ticket, file } = reply;
      const size = sizeOf(file);
      this.#wire?.socket.write(
        size === undefined
          ? encodeRequest({ kind: 'no', ticket, status: 404, reason: 'no such file' })
          : encodeRequest({ kind: 'offer', ticket, size, version: VERSION, sha256: undefined, same: false }),
      );
    }
  }
}

/** What of a file has come; the status that ended it, 0 for a connection that broke off. */
function fetchFrom(port: number, path: string, from: number, onBytes: (bytes: Buffer) => void): Promise<number> {
  return new Promise((resolve) => {
    const headers = from > 0 ? { Range: `bytes=${from}-` } : {};
    const request = http.get({ host: HOST, port, path, headers, agent: false, timeout: FETCH_MS }, (response) => {
      const isGood = response.statusCode === (from > 0 ? 206 : 200);
      if (isGood) response.on('data', onBytes);
      else response.resume();
      response.on('close', () => resolve(response.complete ? (response.statusCode ?? 0) : 0));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(0));
  });
}

/** One file, however often the server dies meanwhile; false when it is given up. */
async function fetchFile(house: House, ledger: Ledger, owner: string, size: number): Promise<boolean> {
  let at = 0;
  let isRight = true;
  for (let tries = 0; tries < TRIES; tries++) {
    if (tries > 0) ledger.count('fetches resumed');
    const status = await fetchFrom(house.port, `/files/${owner}/bytes-${size}`, at, (bytes) => {
      isRight &&= matches(bytes, at);
      at += bytes.length;
    });
    if (!isRight || at > size) ledger.trouble(`a file of ${size} bytes came with others`);
    if (at === size && (status === 200 || status === 206)) return true;
    if (at === size && size > 0) return true;
    await sleep(PAUSE_MS);
  }
  return false;
}

/** Fetches one file behind the other until it is told to end. */
export async function fetchFiles(
  house: House,
  ledger: Ledger,
  chance: Chance,
  owners: readonly Owner[],
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const owner = chance.pick(owners);
    const size = chance.pick(SIZES);
    const isHere = await fetchFile(house, ledger, owner.name, size);
    if (isHere) ledger.count('files');
    else ledger.trouble(`a file of ${size} bytes of ${owner.name} never came`);
    await sleep(chance.between(50, 500));
  }
}

/** Keeps an owner in the house. */
export async function attend(owner: Owner, house: House, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    if (!owner.isIn && house.isUp) await owner.come().catch(() => {});
    await sleep(ATTEND_MS);
  }
  owner.leave();
}
