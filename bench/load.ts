// The load driver: one process that puts one kind of load on one running server, over `lab` or IRC, measures it, and
// prints what it found as one line of JSON. A wrong count, a lost or repeated post or a refusal makes it fail: never a
// figure.
//
//   node bench/load.ts throughput|latency|idle|connections|probe --port PORT --pid PID [--wire lab|irc] [options]
import { performance } from 'node:perf_hooks';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Crowd, handleOf, inParallel } from './crowd.ts';
import { WIRES, type Wire } from './crowd-wire.ts';
import { percentile, readCpuTime, readOpenFileLimit, readRssKb } from './harness.ts';

/** Ends a driver whose parent is gone. */
const LIFETIME_MS = 60_000;
const WARM_UP_MS = 700;
/** Files that a process needs open besides its connections, with room to spare. */
const SPARE_FILES = 200;
const PROBE_INTERVAL_MS = 10;
/** What a storm of newcomers leaves behind in a heap is no cost of an idle connection. */
const IDLE_AT_ONCE = 250;

export type Throughput = {
  deliveriesPerSecond: number;
  cpuUsPerDelivery: number;
  mainCpuUsPerDelivery: number;
  /** Share of the time that this driver was busy: near 1, the server could have done more. */
  driverBusy: number;
};
export type Latency = { p50Ms: number; p99Ms: number };
export type Idle = { connections: number; kbEach: number; rssAtStartMb: number; rssMb: number };
export type Connections = { perSecond: number; cpuUsEach: number };
export type Probe = { p50Ms: number; p99Ms: number; maxMs: number };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    pid: { type: 'string' },
    wire: { type: 'string', default: 'lab' },
    members: { type: 'string', default: '100' },
    senders: { type: 'string', default: '10' },
    window: { type: 'string', default: '1' },
    rate: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '2' },
  },
});
const port = Number(options.port);
const pid = Number(options.pid);
const wire = WIRES[options.wire] as Wire;
const runMs = Number(options.seconds) * 1000;

function gather(): Promise<Crowd> {
  return Crowd.gather(wire, port, Number(options.members), Number(options.senders));
}

/** Starts measuring; the function that it returns tells what has happened since. */
function startMeter(crowd: Crowd): () => Throughput {
  const { deliveries } = crowd;
  const cpu = readCpuTime(pid);
  const ownCpu = process.cpuUsage();
  const start = performance.now();
  return () => {
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(ownCpu);
    const cpuNow = readCpuTime(pid);
    const made = crowd.deliveries - deliveries;
    return {
      deliveriesPerSecond: made / seconds,
      cpuUsPerDelivery: (cpuNow.processUs - cpu.processUs) / made,
      mainCpuUsPerDelivery: (cpuNow.mainThreadUs - cpu.mainThreadUs) / made,
      driverBusy: (user + system) / 1e6 / seconds,
    };
  };
}

/** Keeps `--window` posts outstanding: for each that has reached everyone, another is posted. */
async function measureThroughput(): Promise<Throughput> {
  const crowd = await gather();
  crowd.onCompleted = (count) => crowd.post(count);
  crowd.post(Number(options.window));
  await sleep(WARM_UP_MS);
  const stopMeter = startMeter(crowd);
  await sleep(runMs);
  const result = stopMeter();
  crowd.onCompleted = undefined;
  await crowd.finish();
  return result;
}

/** Posts `--rate` lines a second, spread as evenly as a timer of one millisecond can, until told to stop. */
function startPosting(crowd: Crowd): () => void {
  const perMs = Number(options.rate) / 1000;
  const start = performance.now();
  let posted = 0;
  const timer = setInterval(() => {
    const due = Math.floor((performance.now() - start) * perMs) - posted;
    if (due <= 0) return;
    posted += due;
    crowd.post(due);
  }, 1);
  return () => clearInterval(timer);
}

async function measureLatency(): Promise<Latency> {
  const crowd = await gather();
  const stopPosting = startPosting(crowd);
  await sleep(WARM_UP_MS);
  crowd.measureLatency();
  await sleep(runMs);
  stopPosting();
  await crowd.finish();
  return { p50Ms: crowd.latencyMs(0.5), p99Ms: crowd.latencyMs(0.99) };
}

/** A connection of its own asks something small every 10 ms while a room is busy: what the event loop makes outsiders wait. */
async function measureProbe(): Promise<Probe> {
  const crowd = await gather();
  const stopPosting = startPosting(crowd);
  await sleep(WARM_UP_MS);
  const waitsMs = await probe(runMs);
  stopPosting();
  await crowd.finish();
  return { p50Ms: percentile(waitsMs, 0.5), p99Ms: percentile(waitsMs, 0.99), maxMs: Math.max(...waitsMs) };
}

/** Asks whether or not the last question was answered, so that a stall counts as often as it would hurt. */
async function probe(durationMs: number): Promise<number[]> {
  const askedAt: number[] = [];
  const waitsMs: number[] = [];
  let text = '';
  const connection = await wire.join(port, 'probe', handleOf(99_999));
  connection.receive = (length, bytes) => {
    text += bytes.toString('latin1', 0, length);
    for (let found = wire.answer.exec(text); found !== null; found = wire.answer.exec(text)) {
      waitsMs.push(performance.now() - (askedAt[waitsMs.length] as number));
      text = text.slice(found[0].length);
    }
  };
  const timer = setInterval(() => {
    askedAt.push(performance.now());
    connection.socket.write(wire.question);
  }, PROBE_INTERVAL_MS);
  await sleep(durationMs);
  clearInterval(timer);
  await sleep(200);
  if (waitsMs.length !== askedAt.length) throw new Error(`${askedAt.length} questions, ${waitsMs.length} answers`);
  return waitsMs;
}

/** Waits until the server's memory no longer changes by more than a percent in half a second. */
async function settledRssKb(): Promise<number> {
  let last = readRssKb(pid);
  for (let look = 0; look < 6; look++) {
    await sleep(500);
    const now = readRssKb(pid);
    if (Math.abs(now - last) < last / 100) return now;
    last = now;
  }
  return last;
}

/** The first two rooms are filled before the first look, so that the figure is what *further* connections cost. */
async function measureIdle(): Promise<Idle> {
  const roomSize = 50;
  const first = 2 * roomSize;
  const connections = Math.min(Number(options.connections), readOpenFileLimit() - SPARE_FILES - first);
  const enter = (index: number) => wire.join(port, `idle-${Math.floor(index / roomSize)}`, handleOf(index));
  await inParallel(first, wire.atOnce, enter);
  const before = await settledRssKb();
  await inParallel(connections, Math.min(IDLE_AT_ONCE, wire.atOnce), (index) => enter(first + index));
  const after = await settledRssKb();
  return { connections, kbEach: (after - before) / connections, rssAtStartMb: before / 1024, rssMb: after / 1024 };
}

/** Each connects and joins a room of its own. */
async function measureConnections(): Promise<Connections> {
  const warmUp = 200;
  const count = Math.min(Number(options.connections), readOpenFileLimit() - SPARE_FILES - warmUp);
  const enter = (index: number) => wire.join(port, `room-${index}`, handleOf(index));
  await inParallel(warmUp, wire.atOnce, enter);
  const cpu = readCpuTime(pid);
  const start = performance.now();
  await inParallel(count, wire.atOnce, (index) => enter(warmUp + index));
  const seconds = (performance.now() - start) / 1000;
  return { perSecond: count / seconds, cpuUsEach: (readCpuTime(pid).processUs - cpu.processUs) / count };
}

const modes: Record<string, () => Promise<unknown>> = {
  throughput: measureThroughput,
  latency: measureLatency,
  probe: measureProbe,
  idle: measureIdle,
  connections: measureConnections,
};

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

// Callbacks of sockets throw when the server does something wrong; there is nothing to go on with then.
process.on('uncaughtException', fail);
setTimeout(() => fail('load: took too long'), LIFETIME_MS);
const mode = modes[positionals[0] ?? ''];
if (mode === undefined || !(port > 0) || !(pid > 0)) {
  fail(`usage: lab-load.ts ${Object.keys(modes).join('|')} --port PORT --pid PID`);
}
process.stdout.write(`${JSON.stringify(await mode())}\n`, () => process.exit(0));
