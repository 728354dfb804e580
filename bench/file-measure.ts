// What the file benchmark measures: each function starts fresh processes, measures one thing, and ends them.

import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileNameOf, OWNER } from './file-bytes.ts';
import type { Delays, Fetched, Slow } from './file-load.ts';
import { type Cost, startMeter } from './file-meter.ts';
import { MenuClient, runProgram } from './file-programs.ts';
import { makeTempDir, removeTempDir, runScript, type Server, startServer } from './harness.ts';

/** Longest for one measurement; what takes longer is stuck. */
const RUN_TIMEOUT_MS = 60_000;
/** Every byte of a transfer of this size is looked at before the one that is measured; it warms up, too. */
const VERIFY_BYTES = 64e6;
/** The file is fetched again and again for so long: in a second or less the scheduler has too large a part. */
const TRANSFER_SECONDS = 3;
const SMALL_BYTES = 1e6;
const COPY_BYTES = 4 * 1024 * 1024;
const PEERS = path.join(import.meta.dirname, 'file-peers.ts');
const SHARED_NAME = 'random.bin';

export type Transfer = { mbPerSecond: number } & Record<
  'middleCpuPerGb' | 'sourceCpuPerGb' | 'sinkCpuPerGb' | 'rssPeakMb',
  number
>;
export type Chat = Delays & { mbPerSecond: number };
export type Memory = { rssBeforeMb: number; rssPeakMb: number; cpuShare: number } & Slow;

/** Everything that one measurement has started; what was started last ends first. */
class Stage {
  readonly #stops: Array<() => unknown> = [];

  static async run<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
    const stage = new Stage();
    try {
      return await work(stage);
    } finally {
      for (const stop of stage.#stops.reverse()) await stop();
    }
  }

  async server(command: string[]): Promise<Server> {
    const server = await startServer(command);
    this.#stops.push(() => server.stop());
    return server;
  }

  peer(...args: string[]): Promise<Server> {
    return this.server([process.execPath, PEERS, ...args]);
  }

  async client(command: string[], name: string): Promise<MenuClient> {
    const client = await MenuClient.open(command, name);
    this.#stops.push(() => client.stop());
    return client;
  }

  directory(): string {
    const directory = makeTempDir();
    this.#stops.push(() => removeTempDir(directory));
    return directory;
  }

  /** A server, and an owner of files on it. */
  async house(command: string[], ...ownerArgs: string[]): Promise<{ server: Server; owner: Server }> {
    const server = await this.server(command);
    const owner = await this.peer('owner', '--server-port', String(server.port), ...ownerArgs);
    return { server, owner };
  }
}

function transferOf(bytes: number, seconds: number, cost: Cost): Transfer {
  const gb = bytes / 1e9;
  return {
    mbPerSecond: bytes / 1e6 / seconds,
    middleCpuPerGb: cost.middleCpuS / gb,
    sourceCpuPerGb: cost.sourceCpuS / gb,
    sinkCpuPerGb: cost.sinkCpuS / gb,
    rssPeakMb: cost.rssPeakMb,
  };
}

// --- from memory to nowhere -------------------------------------------------------------------------------

function fetch(port: number, size: number, ...more: string[]): Promise<Fetched> {
  const target = `/files/${OWNER}/${fileNameOf(size)}`;
  const args = ['fetch', '--port', String(port), '--path', target, '--size', String(size), ...more];
  return runScript<Fetched>('file-load.ts', args, RUN_TIMEOUT_MS);
}

async function fetchMeasured(middle: Server, source: Server, size: number): Promise<Transfer> {
  await fetch(middle.port, VERIFY_BYTES, '--verify');
  const stopMeter = startMeter({ middle: middle.pid, source: source.pid });
  const { bytes, seconds, cpuSeconds } = await fetch(middle.port, size, '--seconds', String(TRANSFER_SECONDS));
  return transferOf(bytes, seconds, { ...stopMeter(), sinkCpuS: cpuSeconds });
}

/** The server takes the bytes from where the owner listens, or is brought them. */
export function measureRelay(server: string[], size: number, way: 'pull' | 'push'): Promise<Transfer> {
  return Stage.run(async (stage) => {
    const house = await stage.house(server, ...(way === 'push' ? ['--deaf'] : []));
    return fetchMeasured(house.server, house.owner, size);
  });
}

export function measureProxy(size: number): Promise<Transfer> {
  return Stage.run(async (stage) => {
    const owner = await stage.peer('owner');
    const proxy = await stage.peer('proxy', '--to', String(owner.port));
    return fetchMeasured(proxy, owner, size);
  });
}

// --- curl -------------------------------------------------------------------------------------------------

async function curl(middle: Server, source: Server | undefined, url: string, size: number): Promise<Transfer> {
  const stopMeter = startMeter({ middle: middle.pid, source: source?.pid });
  const command = ['curl', '-sS', '--fail', '-o', '/dev/null', '-w', '%{size_download} %{time_total}', url];
  const [bytes, seconds] = (await runProgram(command, RUN_TIMEOUT_MS)).split(' ').map(Number);
  const cost = stopMeter();
  if (bytes !== size) throw new Error(`curl got ${bytes} bytes of ${size}`);
  return transferOf(size, seconds ?? Number.NaN, cost);
}

export function measureCurlRelay(server: string[], size: number): Promise<Transfer> {
  return Stage.run(async (stage) => {
    const house = await stage.house(server);
    await fetch(house.server.port, VERIFY_BYTES, '--verify');
    const url = `http://127.0.0.1:${house.server.port}/files/${OWNER}/${fileNameOf(size)}`;
    return curl(house.server, house.owner, url, size);
  });
}

export type Shared = { readonly directory: string; readonly size: number };

export function measureCurlStatic({ directory, size }: Shared): Promise<Transfer> {
  return Stage.run(async (stage) => {
    const server = await stage.peer('static', '--dir', directory);
    return curl(server, undefined, `http://127.0.0.1:${server.port}/${SHARED_NAME}`, size);
  });
}

/** `python3 -m http.server`, but that it says which port it has in the way our servers do. */
const PYTHON = `
import functools, http.server as h, sys
handler = functools.partial(h.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = h.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print("ready tcp=%d" % server.server_port, flush=True)
server.serve_forever()
`;

export function measureCurlPython({ directory, size }: Shared): Promise<Transfer> {
  return Stage.run(async (stage) => {
    const server = await stage.server(['python3', '-c', PYTHON, directory]);
    return curl(server, undefined, `http://127.0.0.1:${server.port}/${SHARED_NAME}`, size);
  });
}

// --- two clients ------------------------------------------------------------------------------------------

/** A file of random bytes in a directory of its own. */
export function makeShared(size: number): Shared {
  const directory = makeTempDir();
  const file = openSync(path.join(directory, SHARED_NAME), 'w');
  const buffer = Buffer.alloc(COPY_BYTES);
  for (let at = 0; at < size; at += COPY_BYTES) {
    writeSync(file, randomFillSync(buffer), 0, Math.min(COPY_BYTES, size - at));
  }
  closeSync(file);
  return { directory, size };
}

/** From the request until the file has its name: both SHA-256 passes and the disk are part of it. */
export function measureClients(
  server: string[],
  client: string[],
  shared: Shared,
  ...more: string[]
): Promise<Transfer> {
  return Stage.run(async (stage) => {
    const directory = stage.directory();
    const { port, pid } = await stage.server(server);
    const command = [...client, '-l', '0', '-p', String(port)];
    const owner = await stage.client([...command, '--dir', shared.directory], OWNER);
    const requester = await stage.client([...command, '--dir', directory, ...more], 'requester');
    const arrived = path.join(directory, SHARED_NAME);
    const stopMeter = startMeter({ middle: pid, source: owner.pid, sink: requester.pid });
    const start = performance.now();
    requester.type('f', OWNER, SHARED_NAME);
    await requester.until(() => existsSync(arrived), RUN_TIMEOUT_MS);
    const seconds = (performance.now() - start) / 1000;
    const cost = stopMeter();
    checkSame(path.join(shared.directory, SHARED_NAME), arrived);
    return transferOf(shared.size, seconds, cost);
  });
}

function checkSame(one: string, other: string): void {
  const files = [one, other].map((file) => openSync(file, 'r'));
  const buffers = files.map(() => Buffer.alloc(COPY_BYTES));
  try {
    for (;;) {
      const [expected, found] = files.map((file, index) => {
        const buffer = buffers[index] as Buffer;
        return buffer.subarray(0, readSync(file, buffer));
      }) as [Buffer, Buffer];
      if (!expected.equals(found)) throw new Error('what arrived is another file');
      if (expected.length === 0) return;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}

// --- chat beside it ---------------------------------------------------------------------------------------

/** With nothing beside it, a relay, or the same transfer through the proxy: that takes the CPU, but not the server's. */
export function measureChat(
  server: string[],
  size: number,
  seconds: number,
  beside: 'nothing' | 'relay' | 'proxy',
): Promise<Chat> {
  return Stage.run(async (stage) => {
    const house = await stage.house(server);
    const proxy = beside === 'proxy' ? await stage.peer('proxy', '--to', String(house.owner.port)) : undefined;
    const { port } = house.server;
    await fetch(port, VERIFY_BYTES, '--verify');
    const through = proxy?.port ?? port;
    const load = beside === 'nothing' ? undefined : fetch(through, size, '--seconds', String(seconds + 2));
    let isOver = false;
    load?.finally(() => (isOver = true)).catch(() => {});
    await sleep(500);
    const args = ['chat', '--port', String(port), '--seconds', String(seconds)];
    const delays = await runScript<Delays>('file-load.ts', args, RUN_TIMEOUT_MS);
    if (isOver) throw new Error('the transfer ended before the chat');
    const fetched = await load;
    return { ...delays, mbPerSecond: fetched ? fetched.bytes / 1e6 / fetched.seconds : 0 };
  });
}

// --- memory -----------------------------------------------------------------------------------------------

/** Many relays from a fast owner at once to those who read slowly, or not at all after their first bytes. */
export function measureMemory(
  server: string[],
  size: number,
  load: { count: number; rate: number; seconds: number },
): Promise<Memory> {
  return Stage.run(async (stage) => {
    const { server: middle } = await stage.house(server);
    // what the first relay loads is not what each one costs
    await fetch(middle.port, SMALL_BYTES, '--verify');
    const stopMeter = startMeter({ middle: middle.pid });
    const target = ['--port', String(middle.port), '--path', `/files/${OWNER}/${fileNameOf(size)}`];
    const args = Object.entries(load).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const slow = await runScript<Slow>(
      'file-load.ts',
      ['slow', ...target, '--size', String(size), ...args],
      RUN_TIMEOUT_MS,
    );
    const { rssBeforeMb, rssPeakMb, middleCpuS } = stopMeter();
    return { rssBeforeMb, rssPeakMb, cpuShare: middleCpuS / load.seconds, ...slow };
  });
}
