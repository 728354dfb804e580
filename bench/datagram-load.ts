// The load driver of `datagram`: one process that is a crowd of registered clients, classic ones or Parley's own, on one
// running server. It measures, and prints what it found as one line of JSON. What does not come makes it fail: never a
// figure.
//
//   node bench/datagram-load.ts crowd --port PORT --pid PID [--members N] [--kind ours|classic] [--posts N]
import dgram from 'node:dgram';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { percentile, readCpuTime, readRssKb } from './harness.ts';

/** Ends a driver whose parent is gone. */
const LIFETIME_MS = 60_000;
/** An address takes 250 names at most. */
const NAMES_EACH_IP = 200;
const PATIENCE_MS = 15_000;
/** Longer than the pause after which nothing more of a burst comes. */
const LULL_MS = 1500;
const PAUSE_MS = 500;
/** One more than the crowd, to look at the table. */
const OBSERVER = 100_000;
const TEXT = 'a line of a conversation, as long as most of them are: ';

export type CrowdFigures = {
  members: number;
  /** From the first registration sent to the last answer. */
  registeredS: number;
  registerCpuS: number;
  /** Of them taken for offline, though they have answered everything. */
  mistaken: number;
  /** Datagrams with a table that one client got during the burst: median and most; all of them, and their bytes. */
  tablesEach: number;
  tablesMost: number;
  tables: number;
  tableMb: number;
  rssBeforeMb: number;
  rssMb: number;
  /** From sending a group message to its arrival at one of the others, and at the last of them. */
  arrivalP50Ms: number;
  arrivalLastMs: number;
  /** To the ack that its sender gets. */
  ackMs: number;
  cpuMsEachPost: number;
  /** What was sent again though its ack was on its way. */
  repeats: number;
};

const { values: options } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    pid: { type: 'string' },
    members: { type: 'string', default: '1000' },
    kind: { type: 'string', default: 'ours' },
    posts: { type: 'string', default: '10' },
  },
});
const port = Number(options.port);
const pid = Number(options.pid);
const members = Number(options.members);
const isOurs = options.kind === 'ours';

// --- clients ----------------------------------------------------------------------------------------------

let isRegistered = 0;
let onGroup: (client: Client, text: string) => void = () => {};

class Client {
  readonly name: string;
  readonly #socket: dgram.Socket;
  readonly #ack: string;
  readonly #confirm: string;
  tables = 0;
  tableBytes = 0;
  isIn = false;
  onAck: () => void = () => {};

  /** Parley's own: gets long datagrams. */
  readonly #isOurs: boolean;
  lastTable = '';

  static async open(number: number, isOurs: boolean): Promise<Client> {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 18 });
    const host = number === OBSERVER ? '127.0.0.99' : `127.0.0.${1 + Math.floor(number / NAMES_EACH_IP)}`;
    await new Promise<void>((resolve) => socket.bind(0, host, resolve));
    return new Client(`member${number}`, socket, isOurs);
  }

  private constructor(name: string, socket: dgram.Socket, isOurs: boolean) {
    this.name = name;
    this.#isOurs = isOurs;
    this.#socket = socket;
    this.#ack = `{'type': 'ack', 'from': '${name}'}`;
    this.#confirm = `{'type': 'status_confirm', 'from': '${name}'}`;
    socket.on('message', (bytes) => this.#take(bytes));
  }

  send(text: string): void {
    this.#socket.send(text, port, '127.0.0.1');
  }

  register(): void {
    this.send(
      `{'type': 'freg', 'message': ('${this.name}', ${this.#socket.address().port}${this.#isOurs ? ", 'parley'" : ''})}`,
    );
  }

  #take(bytes: Buffer): void {
    const type = bytes.toString('latin1', 0, 32).split("'")[3];
    switch (type) {
      case 'conf_reg':
        if (!this.isIn) isRegistered++;
        this.isIn = true;
        this.lastTable = bytes.toString('latin1');
        return;
      case 'table_update':
        this.tables++;
        this.tableBytes += bytes.length;
        return;
      case 'status_check':
        return this.send(this.#confirm);
      case 'GC':
      case 'offline_messages':
        this.send(this.#ack);
        return onGroup(this, bytes.toString('latin1'));
      case 'ack':
        return this.onAck();
      default:
        fail(`${this.name}: ${bytes.toString('utf8', 0, 200)}`);
    }
  }
}

async function until(isSo: () => boolean, what: () => string): Promise<void> {
  for (const since = performance.now(); !isSo(); await sleep(2)) {
    if (performance.now() - since > PATIENCE_MS) throw new Error(what());
  }
}

/** Until no more tables have come for a while. */
async function quiet(clients: readonly Client[]): Promise<void> {
  const sum = () => clients.reduce((all, { tables }) => all + tables, 0);
  for (let last = -1; sum() !== last; ) {
    last = sum();
    await sleep(LULL_MS);
  }
}

/** Names that the server takes for offline. */
async function offline(): Promise<string[]> {
  const observer = await Client.open(OBSERVER, true);
  // a table of any length goes only to who has answered
  for (let tries = 0; tries < 2; tries++) {
    observer.register();
    await sleep(LULL_MS);
  }
  observer.send(`{'type': 'dereg', 'name': '${observer.name}'}`);
  return [...observer.lastTable.matchAll(/'(member\d+)', '[\d.]+', \d+, False/g)].map(([, name = '']) => name);
}

// ----------------------------------------------------------------------------------------------------------

async function measure(): Promise<CrowdFigures> {
  const clients: Client[] = [];
  for (let i = 0; i < members; i++) clients.push(await Client.open(i, isOurs));
  const rssBeforeMb = readRssKb(pid) / 1024;
  const cpu = readCpuTime(pid).processUs;
  const start = performance.now();
  for (const client of clients) client.register();
  await until(
    () => isRegistered === members,
    () => `${isRegistered} of ${members} have registered`,
  );
  const registeredS = (performance.now() - start) / 1000;
  await quiet(clients);
  const registerCpuS = (readCpuTime(pid).processUs - cpu) / 1e6;
  const tables = clients.map((client) => client.tables);
  const tableMb = clients.reduce((all, { tableBytes }) => all + tableBytes, 0) / 1e6;
  const mistaken = await offline();
  for (const name of mistaken)
    clients.find((client) => client.name === name)?.send(`{'type': 'reg', 'name': '${name}'}`);
  await quiet(clients);
  const tablesBefore = clients.reduce((all, client) => all + client.tables, 0);

  const arrivals: number[] = [];
  const lasts: number[] = [];
  const acks: number[] = [];
  let repeats = 0;
  const cpuBefore = readCpuTime(pid).processUs;
  for (let post = 0; post < Number(options.posts); post++) {
    const speaker = clients[(post * 37) % members] as Client;
    const marker = `${TEXT}${post}.`;
    const heard = new Set<Client>();
    let isAcked = false;
    const sent = performance.now();
    onGroup = (client, text) => {
      if (!text.includes(marker)) return;
      if (heard.has(client)) return void repeats++;
      heard.add(client);
      arrivals.push(performance.now() - sent);
    };
    speaker.onAck = () => {
      if (!isAcked) acks.push(performance.now() - sent);
      isAcked = true;
    };
    speaker.send(`{'type': 'GC', 'message': '${marker}', 'name': '${speaker.name}'}`);
    await until(
      () => heard.size === members - 1 && isAcked,
      () => `a post has come to ${heard.size} of ${members - 1}, ${isAcked ? 'was' : 'was not'} acknowledged`,
    );
    lasts.push(Math.max(...arrivals.slice(1 - members)));
    await sleep(PAUSE_MS);
  }
  const cpuMsEachPost = (readCpuTime(pid).processUs - cpuBefore) / 1000 / Number(options.posts);
  const gone = clients.reduce((all, client) => all + client.tables, 0) - tablesBefore;
  if (gone > 0) throw new Error(`${gone} tables came, though nobody came or went`);
  return {
    members,
    registeredS,
    registerCpuS,
    mistaken: mistaken.length,
    tablesEach: percentile(tables, 0.5),
    tablesMost: percentile(tables, 1),
    tables: tables.reduce((all, one) => all + one, 0),
    tableMb,
    rssBeforeMb,
    rssMb: readRssKb(pid) / 1024,
    arrivalP50Ms: percentile(arrivals, 0.5),
    arrivalLastMs: percentile(lasts, 0.5),
    ackMs: percentile(acks, 0.5),
    cpuMsEachPost,
    repeats,
  };
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

// Callbacks of sockets throw when the server does something wrong; there is nothing to go on with then.
process.on('uncaughtException', fail);
setTimeout(() => fail('datagram-load: took too long'), LIFETIME_MS);
if (!(port > 0) || !(pid > 0)) fail('usage: datagram-load.ts --port PORT --pid PID');
process.stdout.write(`${JSON.stringify(await measure())}\n`, () => process.exit(0));
