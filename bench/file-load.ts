// The load driver: one process that puts one kind of load on a running server (or on what stands in for it), measures
// it, and prints what it found as one line of JSON. A wrong length, byte or count makes it fail: never a figure.
//
//   node bench/file-load.ts fetch --port PORT --path PATH --size N [--verify] [--seconds S: again and again]
//   node bench/file-load.ts chat --port PORT --seconds S
//   node bench/file-load.ts slow --port PORT --path PATH --size N --count N --rate BYTES_PER_SECOND --seconds S
import net, { type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { matches } from './file-bytes.ts';
import { percentile } from './harness.ts';

const HOST = '127.0.0.1';
/** Ends a driver whose parent is gone. */
const LIFETIME_MS = 90_000;
const READ_BYTES = 256 * 1024;
const SLOW_READ_BYTES = 64 * 1024;
const CHATTERS = 10;
const POST_INTERVAL_MS = 10;
const GRACE_MS = 5000;

export type Fetched = { bytes: number; seconds: number; cpuSeconds: number };
export type Delays = { p50Ms: number; p99Ms: number; maxMs: number; samples: number };
export type Slow = { leastBytes: number; mostBytes: number };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    path: { type: 'string', default: '/' },
    size: { type: 'string', default: '0' },
    verify: { type: 'boolean', default: false },
    count: { type: 'string', default: '50' },
    rate: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '0' },
  },
});
const port = Number(options.port);
const size = Number(options.size);
const runMs = Number(options.seconds) * 1000;

// --- one GET ----------------------------------------------------------------------------------------------

type Take = (bytes: Buffer, at: number, socket: Socket) => void;

/** Fetches the file, by hand: node:http would be slower than what is measured. Throws unless all of it came. */
function get(take: Take, readBytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let head = '';
    let isBody = false;
    let came = 0;
    const took = (bytes: Buffer): void => {
      if (bytes.length > 0) take(bytes, came, socket);
      came += bytes.length;
      if (came > size) throw new Error(`${came} bytes came of ${size}`);
    };
    const began = (bytes: Buffer): void => {
      head += bytes.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const isRight = head.startsWith('HTTP/1.1 200 ') && head.includes(`\r\nContent-Length: ${size}\r\n`);
      if (!isRight) throw new Error(`the answer is ${JSON.stringify(head.slice(0, 400))}`);
      isBody = true;
      took(Buffer.from(head.slice(end + 4), 'latin1'));
    };
    const socket = net.connect({
      host: HOST,
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(readBytes),
        callback: (length, buffer) => {
          const bytes = (buffer as Buffer).subarray(0, length);
          if (isBody) took(bytes);
          else began(bytes);
          return true;
        },
      },
    });
    socket.on('error', reject);
    socket.on('close', () => (came === size ? resolve() : reject(new Error(`${came} bytes came of ${size}`))));
    socket.write(`GET ${options.path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  });
}

// --- fetch ------------------------------------------------------------------------------------------------

async function measureFetch(): Promise<Fetched> {
  let bytes = 0;
  const check: Take = (piece, at) => {
    if (!matches(piece, at)) throw new Error(`wrong bytes behind ${at}`);
  };
  const cpu = process.cpuUsage();
  const start = performance.now();
  do {
    await get(options.verify ? check : () => {}, READ_BYTES);
    bytes += size;
  } while (performance.now() - start < runMs);
  const { user, system } = process.cpuUsage(cpu);
  return { bytes, seconds: (performance.now() - start) / 1000, cpuSeconds: (user + system) / 1e6 };
}

// --- chat -------------------------------------------------------------------------------------------------

/** A plain client that says its name and hears lines. */
function chatter(name: string, hear: (text: string) => void): Socket {
  const socket = net.connect({ host: HOST, port, noDelay: true });
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) hear(line);
  });
  socket.on('close', () => fail('the server has closed a connection'));
  socket.write(`${name}\n`);
  return socket;
}

/** One posts, the others note how long each post took to them. */
async function measureChat(): Promise<Delays> {
  const delaysMs: number[] = [];
  const present = new Set<number>();
  const listen = (index: number) => (line: string) => {
    const [, kind, postedAt] = /^chatter0: (hello|post) (\S+)$/.exec(line) ?? [];
    if (kind === 'hello') present.add(index);
    else if (kind === 'post') delaysMs.push(performance.now() - Number(postedAt));
  };
  const [poster] = Array.from({ length: CHATTERS }, (_, index) => chatter(`chatter${index}`, listen(index)));
  const listeners = CHATTERS - 1;
  while (present.size < listeners) {
    poster?.write(`hello ${performance.now()}\n`);
    await sleep(50);
  }
  let posts = 0;
  const timer = setInterval(() => {
    posts++;
    poster?.write(`post ${performance.now()}\n`);
  }, POST_INTERVAL_MS);
  await sleep(runMs);
  clearInterval(timer);
  for (let waited = 0; delaysMs.length < posts * listeners && waited < GRACE_MS; waited += 50) await sleep(50);
  if (delaysMs.length !== posts * listeners) throw new Error(`${posts} posts, ${delaysMs.length} deliveries`);
  return {
    p50Ms: percentile(delaysMs, 0.5),
    p99Ms: percentile(delaysMs, 0.99),
    maxMs: Math.max(...delaysMs),
    samples: delaysMs.length,
  };
}

// --- slow -------------------------------------------------------------------------------------------------

/** So many fetch at once, each at that rate; with rate 0 they take what comes first, and nothing after that. */
async function measureSlow(): Promise<Slow> {
  const rate = Number(options.rate);
  const taken = Array.from({ length: Number(options.count) }, (_, index) => {
    const tally = { bytes: 0 };
    const take: Take = (bytes, _at, socket) => {
      tally.bytes += bytes.length;
      socket.pause();
      if (rate > 0) setTimeout(() => socket.resume(), (bytes.length / rate) * 1000);
    };
    // none of them gets to the end
    get(take, SLOW_READ_BYTES).catch((error) => fail(`requester ${index}: ${error.message}`));
    return tally;
  });
  await sleep(runMs);
  const bytes = taken.map((tally) => tally.bytes);
  const least = Math.min(...bytes);
  if (least === 0 || least < (rate * runMs) / 1000 / 2) throw new Error(`a requester got ${least} bytes only`);
  return { leastBytes: least, mostBytes: Math.max(...bytes) };
}

// ----------------------------------------------------------------------------------------------------------

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

const modes: Record<string, () => Promise<unknown>> = { fetch: measureFetch, chat: measureChat, slow: measureSlow };

// Callbacks of sockets throw when the server does something wrong; there is nothing to go on with then.
process.on('uncaughtException', fail);
setTimeout(() => fail('file-load: took too long'), LIFETIME_MS);
const mode = modes[positionals[0] ?? ''];
if (mode === undefined || !(port > 0)) fail(`usage: file-load.ts ${Object.keys(modes).join('|')} --port PORT`);
process.stdout.write(`${JSON.stringify(await mode())}\n`, () => process.exit(0));
