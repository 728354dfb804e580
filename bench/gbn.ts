// `gbn`: Go-Back-N on real sockets. On loopback with packets of both lengths, beside the same bytes by TCP; then through
// a relay that is a link of a given round trip and loss. Fresh processes for each measurement; the tables give medians.
import { parseArgs } from 'node:util';
import type { EndFigures } from './gbn-end.ts';
import {
  cleanUpOnExit,
  formatNumber,
  median,
  printMachine,
  printTable,
  ROOT,
  runScript,
  startServer,
} from './harness.ts';

export const PARTS = ['loopback', 'link'] as const;

const USAGE = `Usage: node bench/gbn.ts [options]

Measures Go-Back-N between two processes and prints Markdown tables.

Options:
  --only PART   ${PARTS.join(', ')}
  --rounds N    rounds, of which the tables give medians (default: 3)
  --quick       shorter, one round
  --help        this text
`;

const FIRST_PORT = 46_000;
const TIMEOUT_MS = 120_000;
const LINK_MBIT = 100;
const LINK_BYTES = 20_000_000;
const LINK_PACKET_BYTES = 1400;
const DATAGRAM_BYTES = 1464;
const MB = 1e6;

/** RTT in ms, loss in percent, goals for plain and auto in Mbit/s. */
const GRID: ReadonlyArray<readonly [number, number, number, number]> = [
  [2, 0, 92, 92],
  [2, 1, 75, 87],
  [20, 0, 91, 91],
  [20, 1, 33, 86],
  [20, 5, 9, 78],
  [80, 0, 86, 86],
  [80, 1, 11.5, 81],
  [80, 5, 2.5, 74],
];
const QUICK_GRID = GRID.filter(([rtt]) => rtt === 20);

type Options = { only: string | undefined; rounds: number; isQuick: boolean };
type Pair = { from: EndFigures; to: EndFigures };

let nextPort = FIRST_PORT;

/** Both ends at once: the sender asks until the receiver is there. */
async function transfer(from: (port: number) => string[], to: (port: number) => string[]): Promise<Pair> {
  const port = nextPort++;
  const [received, sent] = await Promise.all([
    runScript<EndFigures>('gbn-end.ts', to(port), TIMEOUT_MS),
    runScript<EndFigures>('gbn-end.ts', from(port), TIMEOUT_MS),
  ]);
  process.stderr.write(`${JSON.stringify(sent)}\n${JSON.stringify(received)}\n`);
  return { from: sent, to: received };
}

// --- loopback ------------------------------------------------------------------------------------------------

type Way = { name: string; bytes: number; goal: string; run(bytes: number): Promise<Pair> };

const udp = (packet: number) => (bytes: number) =>
  transfer(
    (port) => ['send', `${port}`, `${bytes}`, '--packet', `${packet}`],
    (port) => ['recv', `${port}`],
  );
const tcp = (bytes: number) =>
  transfer(
    (port) => ['tcp-send', `${port}`, `${bytes}`],
    (port) => ['tcp-recv', `${port}`],
  );

const WAYS: readonly Way[] = [
  { name: 'packets of 1,400 bytes', bytes: 500 * MB, goal: '200', run: udp(1400) },
  { name: 'packets of 32,000 bytes', bytes: 2000 * MB, goal: '900', run: udp(32_000) },
  { name: 'TCP, two sockets in Node', bytes: 2000 * MB, goal: '–', run: tcp },
];

async function measureLoopback({ rounds, isQuick }: Options): Promise<void> {
  const found = new Map<Way, Pair[]>(WAYS.map((way) => [way, []]));
  for (let round = 0; round < rounds; round++) {
    for (const way of WAYS) found.get(way)?.push(await way.run(isQuick ? way.bytes / 4 : way.bytes));
  }
  const rows = WAYS.map((way) => loopbackRow(way, found.get(way) as Pair[]));
  printTable(
    'Go-Back-N on loopback, no disk',
    [
      'way',
      'MB/s',
      'goal',
      'CPU µs a packet: sender / receiver',
      'CPU s/GB',
      'sent again + repairs',
      'event loop p99: sender / receiver',
      'peak RSS',
    ],
    rows,
  );
}

function loopbackRow({ name, goal }: Way, pairs: Pair[]): string[] {
  const middle = (figure: (pair: Pair) => number) => median(pairs.map(figure));
  const cpu = (end: 'from' | 'to') => middle((pair) => pair[end].cpuUs / pair[end].packets);
  const perGb = (end: 'from' | 'to') => middle((pair) => pair[end].cpuUs / pair.from.bytes / 1e-3);
  const late = (end: 'from' | 'to') => formatNumber(middle((pair) => pair[end].loopP99Ms));
  const rss = (end: 'from' | 'to') => middle((pair) => pair[end].rssMb).toFixed(0);
  return [
    name,
    middle(({ to }) => to.bytes / to.ms / 1000).toFixed(0),
    goal,
    `${formatNumber(cpu('from'))} / ${formatNumber(cpu('to'))}`,
    `${formatNumber(perGb('from'))} / ${formatNumber(perGb('to'))}`,
    middle(({ from }) => from.resent + from.repairs).toFixed(0),
    `${late('from')} / ${late('to')} ms`,
    `${rss('from')} / ${rss('to')} MB`,
  ];
}

// --- a link --------------------------------------------------------------------------------------------------

/** As many as the way holds, and those that wait for their acknowledgement. */
function plainWindow(rttMs: number): number {
  const held = (rttMs * LINK_MBIT * 125) / DATAGRAM_BYTES;
  return Math.ceil(held + 2 + Math.min(16, held / 4));
}

async function throughLink(rtt: number, loss: number, window: number | undefined, seed: number): Promise<Pair> {
  const relayPort = nextPort++;
  const target = nextPort;
  const numbers = ['--mbit', LINK_MBIT, '--rtt', rtt, '--loss', loss, '--seed', seed].map(String);
  const script = `${ROOT}/bench/gbn-relay.ts`;
  const relay = await startServer([process.execPath, script, `${relayPort}`, `${target}`, ...numbers]);
  const words = window === undefined ? [] : ['--window', `${window}`];
  try {
    return await transfer(
      () => ['send', `${relayPort}`, `${LINK_BYTES}`, '--packet', `${LINK_PACKET_BYTES}`, ...words],
      (port) => ['recv', `${port}`, '--relayed'],
    );
  } finally {
    await relay.stop();
  }
}

async function measureLink({ rounds, isQuick }: Options): Promise<void> {
  const rows: string[][] = [];
  for (const [rtt, loss, plainGoal, autoGoal] of isQuick ? QUICK_GRID : GRID) {
    const cells: string[] = [];
    for (const [window, goal] of [[plainWindow(rtt), plainGoal] as const, [undefined, autoGoal] as const]) {
      const pairs: Pair[] = [];
      // what takes minutes is measured once
      const times = goal < 20 ? 1 : rounds;
      for (let round = 0; round < times; round++) pairs.push(await throughLink(rtt, loss, window, round + 1));
      const mbit = median(pairs.map(({ to }) => (to.bytes * 8) / to.ms / 1000));
      const ratio = median(pairs.map(({ from }) => from.wireBytes / from.bytes));
      cells.push(`${formatNumber(mbit)} (${goal})`, `× ${ratio.toFixed(2)}`);
    }
    rows.push([`${rtt}, ${loss}`, ...cells]);
  }
  printTable(
    `Go-Back-N through a link of ${LINK_MBIT} Mbit/s, 20 MB, Mbit/s (goal)`,
    ['RTT ms, loss %', 'plain', 'on the wire', 'auto', 'on the wire'],
    rows,
  );
}

// --- all of it -----------------------------------------------------------------------------------------------

function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { only, quick: isQuick } = values;
  if (only !== undefined && only !== 'gbn' && !PARTS.some((part) => part === only)) {
    throw new Error(`--only takes one of ${PARTS.join(', ')}`);
  }
  const rounds = Number(values.rounds ?? (isQuick ? 1 : 3));
  if (!(rounds >= 1)) throw new Error('--rounds takes a number');
  return { only: only === 'gbn' ? undefined : only, rounds, isQuick };
}

export async function runGbn(args: string[]): Promise<void> {
  const options = parseOptions(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  printMachine();
  if (options.only === undefined || options.only === 'loopback') await measureLoopback(options);
  if (options.only === undefined || options.only === 'link') await measureLink(options);
}

if (import.meta.main) {
  cleanUpOnExit();
  try {
    await runGbn(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench/gbn.ts: ${(error as Error).message}; see --help\n`);
    process.exitCode = 1;
  }
}
