// A fuzz over sockets: random and broken bytes into every listener of a server, whole, cut, glued, slow, by TCP, TLS and
// UDP, while somebody asks it HELO all the time. The server lives, answers, keeps its memory bounded and logs no bug.
// Prints what happened as JSON; status 1 when anything was wrong.
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { breakBytes, DATAGRAMS, SAMPLES } from './fuzz-bytes.ts';
import { cleanUpOnExit } from './harness.ts';
import { Chance } from './soak-chance.ts';
import { HOST, House } from './soak-house.ts';
import { askForDoor } from './soak-lobby-people.ts';
import { type RunOptions, readRun } from './soak-options.ts';

const USAGE = `Usage: node bench/fuzz.ts [options]

Sends random and broken bytes to every listener of a server; prints what was wrong.

Options:
  --server COMMAND  a port and a database are added (default: dist/parley-server)
  --seconds N       for how long (default: 300)
  --seed N          the same seed makes the same bytes (default: 1)
  --help            this text
`;

const DEFAULT_SERVER = 'dist/parley-server';
const SHOOTERS = 8;
/** Longest for HELO to be answered; the machine may be busy. */
const ANSWER_MS = 10_000;
const ASK_MS = 200;
const CONNECT_MS = 5000;
/** A target reads no more of ours than it likes. */
const LINGER_MS = [0, 60] as const;
const MAX_SLOW_BYTES = 200;
const DATAGRAMS_AT_ONCE = 20;
const PAUSE_MS = 5;
/** What a server may hold at any time, for eight connections at once and what is kept in its house. */
const MAX_RSS_MB = 450;
const REST_MS = 2000;
/** A `lab` client on UDP is a member until then. */
const UDP_IDLE_S = 5;
const ARGS = ['--tls-self', '--open-files', '--admin', 'off', '--udp-idle', String(UDP_IDLE_S)];
/** No limit is for this machine: 300 kB of newlines are as many messages, more than the disk takes at once. */
const FORGIVEN = / (?:error messages are not kept reason="too much is waiting|warn {2}messages are kept again)/;
/** Doors that nobody has used are open for ten seconds. A short fuzz does not wait for them. */
const BACK_MS = 20_000;
const WAITS_FROM_S = 30;
const MORE_DESCRIPTORS = 4;

type Counts = Record<string, number>;

class Fuzz {
  readonly house: House;
  readonly counts: Counts = {};
  readonly troubles: string[] = [];
  isOver = false;

  constructor(house: House) {
    this.house = house;
  }

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  most(what: string, figure: number): void {
    this.counts[what] = Math.max(this.counts[what] ?? 0, figure);
  }

  trouble(text: string): void {
    this.troubles.push(text);
    this.isOver = true;
  }
}

// --- targets ------------------------------------------------------------------------------------------------------

type Target = (fuzz: Fuzz, chance: Chance) => Promise<net.Socket | undefined>;

/** A connection, or nothing if it does not come about: a door that has closed, a handshake that fails. */
async function connected(socket: net.Socket, event: 'connect' | 'secureConnect'): Promise<net.Socket | undefined> {
  socket.on('error', () => {});
  socket.resume();
  const timeout = AbortSignal.timeout(CONNECT_MS);
  try {
    await once(socket, event, { signal: timeout });
    return socket;
  } catch {
    socket.destroy();
    return undefined;
  }
}

function plain(port: number): Promise<net.Socket | undefined> {
  return connected(net.connect({ port, host: HOST, noDelay: true }), 'connect');
}

const TARGETS: Readonly<Record<string, Target>> = {
  main: (fuzz) => plain(fuzz.house.port),
  pipe: (fuzz) => plain(fuzz.house.pipe),
  door: async (fuzz) => plain((await askForDoor(fuzz.house.port).catch(() => 0)) || fuzz.house.port),
  tls: ({ house: { port } }, chance) => {
    const ALPNProtocols = chance.isOne(0.3) ? ['parley-pipe'] : undefined;
    // no name is looked up and nothing is trusted here: the certificate is the server's own
    return connected(tls.connect({ port, host: HOST, rejectUnauthorized: false, ALPNProtocols }), 'secureConnect');
  },
};

/** What may come first: a valid beginning, so that the junk is not thrown away at the door. */
function payload(chance: Chance): Buffer {
  const broken = breakBytes(chance, chance.pick(SAMPLES));
  return chance.isOne(0.3) ? Buffer.concat([chance.pick(SAMPLES), broken]) : broken;
}

async function shoot(fuzz: Fuzz, name: string, target: Target, chance: Chance): Promise<void> {
  const socket = await target(fuzz, chance);
  if (!socket) return fuzz.count(`${name} refused`);
  const bytes = payload(chance);
  if (chance.isOne(0.1)) await sendSlowly(socket, bytes.subarray(0, MAX_SLOW_BYTES), chance);
  else socket.write(bytes);
  fuzz.count(`${name} connections`);
  fuzz.count('bytes', bytes.length);
  await sleep(chance.between(...LINGER_MS));
  const end = chance.upTo(3);
  if (end === 0 && !(socket instanceof tls.TLSSocket)) socket.resetAndDestroy();
  else if (end <= 1) socket.destroy();
  else await endInOrder(socket);
}

async function sendSlowly(socket: net.Socket, bytes: Buffer, chance: Chance): Promise<void> {
  for (let at = 0; at < bytes.length && !socket.destroyed; ) {
    const next = at + chance.between(1, 20);
    socket.write(bytes.subarray(at, next));
    at = next;
    await sleep(chance.upTo(15));
  }
}

async function endInOrder(socket: net.Socket): Promise<void> {
  socket.end();
  await sleep(50);
  socket.destroy();
}

async function shootAll(fuzz: Fuzz, chance: Chance): Promise<void> {
  const names = Object.keys(TARGETS);
  while (!fuzz.isOver) {
    const name = chance.pick(names);
    await shoot(fuzz, name, TARGETS[name] as Target, chance);
    await sleep(PAUSE_MS);
  }
}

async function shootDatagrams(fuzz: Fuzz, chance: Chance): Promise<void> {
  const socket = dgram.createSocket('udp4');
  // one that is too long is an error of ours
  socket.on('error', () => {});
  socket.bind(0, HOST);
  await once(socket, 'listening');
  while (!fuzz.isOver) {
    for (let left = chance.upTo(DATAGRAMS_AT_ONCE); left > 0; left--) {
      const bytes = breakBytes(chance, chance.pick(DATAGRAMS)).subarray(0, 65_507);
      socket.send(bytes, fuzz.house.port, HOST, () => {});
      fuzz.count('datagrams');
    }
    await sleep(PAUSE_MS * 4);
  }
  socket.close();
}

// --- somebody who behaves -----------------------------------------------------------------------------------------

/** HELO on a connection of its own, and on one that stays. */
async function askHelo(fuzz: Fuzz): Promise<void> {
  const { house } = fuzz;
  const stays = await plain(house.port);
  if (!stays) return fuzz.trouble('no connection');
  while (!fuzz.isOver) {
    const fresh = await plain(house.port);
    if (!fresh) return fuzz.trouble('no new connection');
    for (const socket of [stays, fresh]) {
      const since = performance.now();
      if (!(await answersHelo(socket))) return fuzz.trouble(`HELO had no answer in ${ANSWER_MS} ms`);
      fuzz.most('longest HELO ms', performance.now() - since);
      fuzz.count('HELO answered');
    }
    fresh.destroy();
    fuzz.most('most RSS MB', house.rssMb());
    await sleep(ASK_MS);
  }
  stays.destroy();
}

async function answersHelo(socket: net.Socket): Promise<boolean> {
  const answer = once(socket, 'data', { signal: AbortSignal.timeout(ANSWER_MS) });
  socket.write('HELO are you there\n');
  try {
    return String((await answer)[0]).startsWith('HELO are you there\nIP:');
  } catch {
    return false;
  }
}

// ------------------------------------------------------------------------------------------------------------------

async function fuzzServer({ server, seconds, seed }: RunOptions): Promise<Fuzz> {
  const house = new House({ command: server, args: ARGS, forgiven: FORGIVEN });
  const fuzz = new Fuzz(house);
  await house.start();
  fuzz.most('descriptors before', house.descriptors());
  const all = [
    askHelo(fuzz),
    ...Array.from({ length: SHOOTERS }, (_, i) => shootAll(fuzz, new Chance(seed, `tcp${i}`))),
    shootDatagrams(fuzz, new Chance(seed, 'udp')),
  ];
  for (const end = performance.now() + seconds * 1000; performance.now() < end && !fuzz.isOver; ) {
    await sleep(100);
    if (house.hasEnded) fuzz.trouble('the server has ended');
  }
  fuzz.isOver = true;
  await Promise.all(all);
  if (house.hasEnded) return fuzz;
  await sleep(REST_MS);
  if (seconds >= WAITS_FROM_S) await waitForDescriptors(fuzz);
  fuzz.most('RSS at the end MB', house.rssMb());
  fuzz.most('descriptors after', house.descriptors());
  if ((fuzz.counts['most RSS MB'] ?? 0) > MAX_RSS_MB) fuzz.trouble(`more than ${MAX_RSS_MB} MB`);
  const status = await house.stop();
  if (status !== 0) fuzz.trouble(`the server ended with ${status}`);
  return fuzz;
}

async function waitForDescriptors({ house, counts, troubles }: Fuzz): Promise<void> {
  const due = (counts['descriptors before'] ?? 0) + MORE_DESCRIPTORS;
  const left = await house.descriptorsBack(due, BACK_MS);
  if (left > due) troubles.push(`${left} descriptors, ${due} are due`);
}

export async function runFuzz(args: string[]): Promise<void> {
  const options = readRun(args, { server: DEFAULT_SERVER, seconds: 300, leastSeconds: 1 });
  if (options === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  const { counts, troubles, house } = await fuzzServer(options);
  const rounded = Object.fromEntries(Object.entries(counts).map(([name, figure]) => [name, Math.round(figure)]));
  const all = [...troubles, ...house.complaints];
  process.stdout.write(
    `${JSON.stringify({ seed: options.seed, seconds: options.seconds, ...rounded, troubles: all })}\n`,
  );
  if (all.length > 0) process.exitCode = 1;
}

if (import.meta.main) {
  cleanUpOnExit();
  try {
    await runFuzz(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`fuzz: ${(error as Error).stack}; see --help\n`);
    process.exitCode = 1;
  }
}
