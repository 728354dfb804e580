// `datagram`: a burst of registrations and what it costs in tables, then group messages to all of the crowd. Fresh
// processes for each measurement; the tables give medians.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { CrowdFigures } from './datagram-load.ts';
import {
  cleanUpOnExit,
  formatCount,
  formatNumber,
  makeTempDir,
  median,
  printMachine,
  printTable,
  ROOT,
  removeTempDir,
  runScript,
  startServer,
} from './harness.ts';

export const PARTS = ['ours', 'classic'] as const;

const USAGE = `Usage: node bench/datagram.ts [options]

Measures the datagram dialect of the server in dist/ and prints a Markdown table.

Options:
  --server COMMAND  the server to measure, a port and a database are added (default: dist/parley-server)
  --only PART       ${PARTS.join(', ')}
  --members N       clients that register at once (default: 1000)
  --rounds N        rounds, of which the table gives medians (default: 3)
  --quick           shorter, one round
  --help            this text
`;

const DEFAULT_SERVER = 'dist/parley-server';
const LOAD_TIMEOUT_MS = 60_000;
const DIALECT = 'datagram';

type Options = { server: string[]; only: string | undefined; rounds: number; members: number; posts: number };

/** One measurement of a server with a database of its own. */
async function measure({ server: command, members, posts }: Options, kind: string): Promise<CrowdFigures> {
  const directory = makeTempDir();
  const words = ['0', '--data', path.join(directory, 'house.db'), '--log-level', 'error'];
  const server = await startServer([...command, ...words]);
  try {
    const target = ['--port', String(server.port), '--pid', String(server.pid)];
    const args = ['--kind', kind, '--members', String(members), '--posts', String(posts)];
    const found = await runScript<CrowdFigures>('datagram-load.ts', [...target, ...args], LOAD_TIMEOUT_MS);
    process.stderr.write(`${kind}: ${JSON.stringify(found)}\n`);
    return found;
  } finally {
    await server.stop();
    removeTempDir(directory);
  }
}

async function measureKind(options: Options, kind: string): Promise<string[]> {
  const all: CrowdFigures[] = [];
  for (let round = 0; round < options.rounds; round++) all.push(await measure(options, kind));
  const middle = (figure: (one: CrowdFigures) => number) => median(all.map(figure));
  const number = (figure: (one: CrowdFigures) => number) => formatNumber(middle(figure));
  return [
    `${number((one) => one.registeredS)} s, ${number((one) => one.registerCpuS)} s`,
    middle((one) => one.mistaken).toFixed(0),
    `${middle((one) => one.tablesEach).toFixed(0)} / ${middle((one) => one.tablesMost).toFixed(0)}`,
    `${formatCount(middle((one) => one.tables))}, ${middle((one) => one.tableMb).toFixed(1)} MB`,
    `${number((one) => one.arrivalP50Ms)} / ${number((one) => one.arrivalLastMs)} ms`,
    `${number((one) => one.ackMs)} ms`,
    `${number((one) => one.cpuMsEachPost)} ms`,
    middle((one) => one.repeats).toFixed(0),
    `${middle((one) => one.rssBeforeMb).toFixed(0)} → ${middle((one) => one.rssMb).toFixed(0)} MB`,
  ];
}

const ROWS = [
  'all are registered after, CPU of the server',
  'taken for offline meanwhile, though they answer',
  'tables that a client got of it, median / most',
  'all tables',
  'a group message comes to one / to the last of them after',
  'its sender has the ack after',
  'CPU of the server for it and its acks',
  'group messages sent again',
  'RSS before → at the end',
];

function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      server: { type: 'string', default: DEFAULT_SERVER },
      only: { type: 'string' },
      rounds: { type: 'string' },
      members: { type: 'string', default: '1000' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { only } = values;
  if (only !== undefined && only !== DIALECT && !PARTS.some((part) => part === only)) {
    throw new Error(`--only takes one of ${PARTS.join(', ')}`);
  }
  const count = Number(values.rounds ?? (values.quick ? 1 : 3));
  const members = Number(values.members);
  if (!(count >= 1 && members >= 2)) throw new Error('--rounds and --members take a number');
  const isBuilt = values.server !== DEFAULT_SERVER || existsSync(path.join(ROOT, DEFAULT_SERVER));
  if (!isBuilt) throw new Error('dist/parley-server is not built: run ./compile.sh, or give --server COMMAND');
  const server = values.server.split(/\s+/).filter((word) => word !== '');
  return { server, only, rounds: count, members, posts: values.quick ? 3 : 10 };
}

export async function runDatagram(args: string[]): Promise<void> {
  const options = parseOptions(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  printMachine();
  const kinds = PARTS.filter((part) => options.only === undefined || options.only === DIALECT || options.only === part);
  const columns: string[][] = [];
  for (const kind of kinds) columns.push(await measureKind(options, kind));
  printTable(
    `${options.members} clients that register at once, and group messages to all of them`,
    ['', ...kinds],
    ROWS.map((title, row) => [title, ...columns.map((column) => column[row] ?? '')]),
  );
}

if (import.meta.main) {
  cleanUpOnExit();
  try {
    await runDatagram(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench/datagram: ${(error as Error).message}; see --help\n`);
    process.exitCode = 1;
  }
}
