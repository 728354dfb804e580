// One end of a transfer for gbn.ts, a process of its own: a socket and a machine, and memory where a disk would be, so
// that nothing but the wire is measured. Prints what it found as JSON.
//   node bench/gbn-end.ts send PORT BYTES [--packet N] [--window N] | recv PORT [--relayed] | tcp-send PORT BYTES | tcp-recv PORT
import net from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers';
import { parseArgs } from 'node:util';
import { type Driver, GbnSocket } from '../src/gbn-socket.ts';
import { GbnReceiver, GbnSender, transferIdOf } from '../src/udp-gbn.ts';

export type EndFigures = {
  ok: boolean;
  reason: string;
  /** From the first datagram to the last byte. */
  ms: number;
  bytes: number;
  cpuUs: number;
  packets: number;
  resent: number;
  repairs: number;
  timeouts: number;
  wireBytes: number;
  packetBytes: number;
  roundTripMs: number;
  loopP50Ms: number;
  loopP99Ms: number;
  loopMaxMs: number;
  rssMb: number;
};

const ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const SHA256 = '00'.repeat(32);
const HOST = '127.0.0.1';
const AGAIN_MS = 50;
/** How late a turn of the event loop is, beyond the timer's own step of a millisecond. */
const RESOLUTION_MS = 1;
const SUPPLY = new Uint8Array(1 << 20).map((_, at) => at * 7);

/** Of this process, from the first datagram on. */
class Meter {
  #cpu = process.cpuUsage();
  readonly #loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  startedAt = 0;
  endedAt = 0;

  start(): void {
    if (this.startedAt > 0) return;
    this.startedAt = performance.now();
    this.#cpu = process.cpuUsage();
    this.#loop.enable();
  }

  end(): void {
    this.endedAt ||= performance.now();
  }

  figures() {
    const { user, system } = process.cpuUsage(this.#cpu);
    const late = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
    return {
      ms: this.endedAt - this.startedAt,
      cpuUs: user + system,
      loopP50Ms: late(this.#loop.percentile(50)),
      loopP99Ms: late(this.#loop.percentile(99)),
      loopMaxMs: late(this.#loop.max),
      rssMb: process.resourceUsage().maxRSS / 1024,
    };
  }
}

function print(figures: EndFigures): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  process.exit(figures.ok ? 0 : 1);
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}

async function send(
  port: number,
  bytes: number,
  packet: number | undefined,
  window: number | undefined,
): Promise<void> {
  const meter = new Meter();
  const socket = await GbnSocket.open({ host: HOST, onBug: fail });
  const machine = new GbnSender({
    transferId: ID,
    name: 'bench',
    size: bytes,
    sha256: SHA256,
    version: 'v1',
    packetBytes: packet ?? 'auto',
    ...(packet === undefined && { maxPacketBytes: 32_000 }),
    ...(packet !== undefined && packet > 8000 && { maxPacketBytes: packet }),
    window: window ?? 'auto',
    random: Math.random,
  });
  const driver: Driver = {
    machine,
    isOurs: () => true,
    serve() {
      for (let want = machine.wants; want; want = machine.wants) {
        meter.start();
        machine.supply(want.position, SUPPLY.subarray(0, want.bytes));
      }
      if (!machine.end) return;
      meter.end();
      const { stats, packetBytes = 0 } = machine;
      print({ ok: machine.state === 'done', reason: machine.end.text, packetBytes, ...stats, ...meter.figures() });
    },
  };
  socket.drive(driver, { ip: HOST, port });
}

async function receive(port: number, isDirect: boolean): Promise<void> {
  const meter = new Meter();
  let machine: GbnReceiver | undefined;
  const driver = (one: GbnReceiver): Driver => ({
    machine: one,
    isOurs: () => true,
    serve(now) {
      if (one.state === 'offered') one.accept(0, now);
      for (let piece = one.read(); piece; piece = one.read()) {
        one.written(piece.position + piece.bytes.length, now);
      }
      if (one.state === 'verifying') {
        meter.end();
        one.finish(true, '', now);
      }
      if (!one.isClosed) return;
      const { stats, packetBytes = 0 } = one;
      print({ ok: one.state === 'done', reason: one.end?.text ?? '', packetBytes, ...stats, ...meter.figures() });
    },
  });
  const socket = await GbnSocket.open({
    host: HOST,
    port,
    onBug: fail,
    onStranger(datagram) {
      if (machine || !transferIdOf(datagram)) return undefined;
      meter.start();
      // behind a link that is slower than this machine, the machine's own room is right
      const roomBytes = isDirect ? socket.roomBytesFor(HOST) : undefined;
      machine = new GbnReceiver({ transferId: ID, ...(roomBytes && { roomBytes }) });
      return driver(machine);
    },
  });
}

// --- the same bytes by TCP ---------------------------------------------------------------------------------

function tcpFigures(meter: Meter, bytes: number): EndFigures {
  meter.end();
  const none = { packets: 0, resent: 0, repairs: 0, timeouts: 0, wireBytes: bytes, packetBytes: 0, roundTripMs: 0 };
  return { ok: true, reason: '', bytes, ...none, ...meter.figures() };
}

function sendTcp(port: number, bytes: number): void {
  const meter = new Meter();
  const socket = net.connect({ host: HOST, port });
  const piece = SUPPLY.subarray(0, 65_536);
  let left = bytes;
  const fill = () => {
    while (left > 0) {
      const part = piece.subarray(0, Math.min(left, piece.length));
      left -= part.length;
      if (!socket.write(part)) return;
    }
    socket.end();
  };
  socket.on('connect', () => {
    meter.start();
    fill();
  });
  socket.on('drain', fill);
  socket.on('close', () => {
    // the other end may not be there yet
    if (meter.startedAt > 0) print(tcpFigures(meter, bytes));
    else setTimeout(() => sendTcp(port, bytes), AGAIN_MS);
  });
  socket.on('error', (error) => {
    if (meter.startedAt > 0) fail(error);
  });
  socket.resume();
}

function receiveTcp(port: number): void {
  const meter = new Meter();
  let bytes = 0;
  const server = net.createServer((socket) => {
    meter.start();
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    socket.on('close', () => print(tcpFigures(meter, bytes)));
    socket.on('error', fail);
  });
  server.listen(port, HOST);
}

const { values, positionals } = parseArgs({
  options: { packet: { type: 'string' }, window: { type: 'string' }, relayed: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [role, port, bytes] = [positionals[0], Number(positionals[1]), Number(positionals[2] ?? 0)];
const numberOr = (text: string | undefined) => (text === undefined ? undefined : Number(text));
if (role === 'send') await send(port, bytes, numberOr(values.packet), numberOr(values.window));
else if (role === 'recv') await receive(port, !values.relayed);
else if (role === 'tcp-send') sendTcp(port, bytes);
else if (role === 'tcp-recv') receiveTcp(port);
else fail(new Error('which role?'));
