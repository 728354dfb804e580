// The load driver of the lobby: one process that puts one kind of load on one running server, as classic clients and
// Parley's own do, measures it, and prints what it found as one line of JSON. An ERRO, or a chat that does not come,
// makes it fail: never a figure.
//
//   node bench/lobby-load.ts crowd|chat|logins --port PORT --pid PID [options]
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { percentile, readCpuTime, readRssKb } from './harness.ts';

/** Ends a driver whose parent is gone. */
const LIFETIME_MS = 120_000;
const HEAD_BYTES = 8;
const ENTER_AT_ONCE = 20;
/** Classic clients have a socket each; so many hear what all of them would hear. */
const EARS = 20;
const POSTS_PER_SECOND = 20;
/** The first posts warm up. */
const WARM_UP_POSTS = 20;
/** A server keeps what it knows of a used door for so long. */
const DOOR_MS = 10_500;
/** Longest for the last chats to come. */
const PATIENCE_MS = 5000;
const HALL = 'hall';

export type Stand = { rssMb: number; descriptors: number };
export type CrowdFigures = {
  seconds: number;
  cpuS: number;
  members: number;
  before: Stand;
  inside: Stand;
  after: Stand;
};
export type Delays = { p50Ms: number; p99Ms: number; maxMs: number; samples: number };
export type Logins = Delays & { loginsPerSecond: number; cpuS: number };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    pid: { type: 'string' },
    /** In the hall. */
    members: { type: 'string', default: '500' },
    /** Of two members each. */
    rooms: { type: 'string', default: '500' },
    via: { type: 'string', default: 'tcp' },
    /** Connections that log in again and again. */
    accounts: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '10' },
  },
});
const port = Number(options.port);
const pid = Number(options.pid);
const members = Number(options.members);
const runMs = Number(options.seconds) * 1000;

// --- connections ------------------------------------------------------------------------------------------

type Frame = { type: string; json: string };

/** A connection on which frames come, each looked at when it has come. */
class Wire {
  readonly socket: net.Socket;
  #rest: Buffer = Buffer.alloc(0);
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  /** Takes frames in the place of `next`. */
  onFrame: ((frame: Frame) => void) | undefined;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => {});
  }

  static async open(to: number): Promise<Wire> {
    const socket = net.connect({ port: to, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  send(type: string, fields: object): void {
    const json = JSON.stringify(fields);
    this.socket.write(`${type}${String(Buffer.byteLength(json)).padStart(4, '0')}${json}`);
  }

  async next(type: string): Promise<string> {
    while (this.#frames.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    const frame = this.#frames.shift() as Frame;
    if (frame.type !== type) throw new Error(`${type} was due, ${frame.type} ${frame.json} came`);
    return frame.json;
  }

  ask(type: string, fields: object, answer: string): Promise<string> {
    this.send(type, fields);
    return this.next(answer);
  }

  #take(bytes: Buffer): void {
    let rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes;
    while (rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + Number(rest.toString('latin1', 4, HEAD_BYTES));
      if (rest.length < end) break;
      const frame = { type: rest.toString('latin1', 0, 4), json: rest.toString('latin1', HEAD_BYTES, end) };
      rest = rest.subarray(end);
      if (this.onFrame) this.onFrame(frame);
      else this.#frames.push(frame);
    }
    this.#rest = rest;
    this.#wake?.();
  }
}

type Entered = { room: Wire; group: string; groupPort: number };

/** Asks on a connection of its own, as a classic client does, and goes through the door. */
async function enter(room: string, isTcp: boolean): Promise<Entered> {
  const lobby = await Wire.open(port);
  const door = JSON.parse(await lobby.ask('JOIN', isTcp ? { room, via: 'tcp' } : { room }, 'CONN'));
  lobby.socket.end();
  const wire = await Wire.open(door.TCPport);
  await wire.next('PREV');
  return { room: wire, group: door.GRP, groupPort: door.MCport };
}

async function enterAll(those: ReadonlyArray<{ room: string; isTcp: boolean }>): Promise<Entered[]> {
  const entered: Entered[] = [];
  const queue = [...those];
  const lane = async (): Promise<void> => {
    for (let one = queue.shift(); one; one = queue.shift()) entered.push(await enter(one.room, one.isTcp));
  };
  await Promise.all(Array.from({ length: ENTER_AT_ONCE }, lane));
  return entered;
}

async function listen({ group, groupPort }: Entered, onChat: (json: string) => void): Promise<void> {
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true, reusePort: true });
  await new Promise<void>((resolve) => socket.bind(groupPort, '0.0.0.0', resolve));
  socket.addMembership(group);
  socket.on('message', (bytes) => onChat(bytes.toString('latin1', HEAD_BYTES)));
}

// --- crowd ------------------------------------------------------------------------------------------------

function stand(): Stand {
  return { rssMb: readRssKb(pid) / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

async function measureCrowd(): Promise<CrowdFigures> {
  const those = Array.from({ length: members }, () => ({ room: HALL, isTcp: true }));
  for (let i = 0; i < Number(options.rooms); i++) {
    those.push({ room: `room ${i}`, isTcp: true }, { room: `room ${i}`, isTcp: false });
  }
  const before = stand();
  const cpu = readCpuTime(pid).processUs;
  const start = performance.now();
  const all = await enterAll(those);
  const seconds = (performance.now() - start) / 1000;
  const cpuS = (readCpuTime(pid).processUs - cpu) / 1e6;
  await sleep(DOOR_MS);
  const inside = stand();
  for (const { room } of all) room.socket.destroy();
  await sleep(DOOR_MS);
  return { seconds, cpuS, members: all.length, before, inside, after: stand() };
}

// --- chat -------------------------------------------------------------------------------------------------

/** Somebody posts, and everybody who can hear it is asked how long it took. */
async function chat(): Promise<Delays> {
  const isTcp = options.via === 'tcp';
  const all = await enterAll(Array.from({ length: members }, () => ({ room: HALL, isTcp })));
  const delaysMs: number[] = [];
  const posted: number[] = [];
  const marker = `${process.pid}-`;
  const onChat = (json: string): void => {
    const now = performance.now();
    const at = json.indexOf(marker);
    if (at < 0) return; // another server's
    const number = Number.parseInt(json.slice(at + marker.length), 10);
    if (number >= WARM_UP_POSTS) delaysMs.push(now - (posted[number] as number));
  };
  let answered = 0;
  for (const { room } of all) {
    room.onFrame = ({ type, json }) => {
      if (type === 'CHAT' && isTcp) onChat(json);
      else if (type === 'GOOD') answered++;
      else fail(`${type} ${json} came`);
    };
  }
  const ears = isTcp ? all.length : Math.min(EARS, all.length);
  if (!isTcp) for (const one of all.slice(0, ears)) await listen(one, onChat);
  const posts = WARM_UP_POSTS + Math.round((runMs / 1000) * POSTS_PER_SECOND);
  const start = performance.now();
  for (let number = 0; number < posts; number++) {
    await sleep(Math.max(0, start + (number * 1000) / POSTS_PER_SECOND - performance.now()));
    posted[number] = performance.now();
    // each a member in turn, as in a conversation
    const speaker = (all[number % all.length] as Entered).room;
    speaker.send('CHAT', { creator: '', room: HALL, contents: `${marker}${number}`, datetime: '' });
  }
  const due = (posts - WARM_UP_POSTS) * ears;
  for (const since = performance.now(); delaysMs.length < due || answered < posts; await sleep(10)) {
    if (performance.now() - since < PATIENCE_MS) continue;
    throw new Error(`${delaysMs.length} of ${due} chats came, ${answered} of ${posts} were answered`);
  }
  return {
    p50Ms: percentile(delaysMs, 0.5),
    p99Ms: percentile(delaysMs, 0.99),
    maxMs: percentile(delaysMs, 1),
    samples: delaysMs.length,
  };
}

// --- logins -----------------------------------------------------------------------------------------------

/** Accounts log in with the right password, one behind the other, while others talk. */
async function measureLogins(): Promise<Logins> {
  let isOver = false;
  let logins = 0;
  const wires: Wire[] = [];
  for (let i = 0; i < Number(options.accounts); i++) {
    const wire = await Wire.open(port);
    await wire.ask('CUSR', { username: `user ${i}`, password: `password ${i}` }, 'GOOD');
    wires.push(wire);
  }
  const again = async (wire: Wire, i: number): Promise<void> => {
    for (; !isOver; logins++) await wire.ask('LGIN', { username: `user ${i}`, password: `password ${i}` }, 'GOOD');
  };
  const cpu = readCpuTime(pid).processUs;
  const start = performance.now();
  const all = Promise.all(wires.map(again));
  const delays = await chat();
  const seconds = (performance.now() - start) / 1000;
  const cpuS = (readCpuTime(pid).processUs - cpu) / 1e6 / seconds;
  const loginsPerSecond = logins / seconds;
  isOver = true;
  await all;
  return { ...delays, loginsPerSecond, cpuS };
}

// ----------------------------------------------------------------------------------------------------------

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

const modes: Record<string, () => Promise<unknown>> = { crowd: measureCrowd, chat, logins: measureLogins };

// Callbacks of sockets throw when the server does something wrong; there is nothing to go on with then.
process.on('uncaughtException', fail);
setTimeout(() => fail('lobby-load: took too long'), LIFETIME_MS);
const mode = modes[positionals[0] ?? ''];
if (mode === undefined || !(port > 0) || !(pid > 0)) {
  fail(`usage: lobby-load.ts ${Object.keys(modes).join('|')} --port PORT --pid PID`);
}
process.stdout.write(`${JSON.stringify(await mode())}\n`, () => process.exit(0));
