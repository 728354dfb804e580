// The lobby: a crowd that comes in through doors and leaves, chats by TCP and by multicast, and what logins, which are
// slow on purpose, cost those who talk meanwhile. Fresh processes for each measurement; the tables give medians.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  cleanUpOnExit,
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
import type { CrowdFigures, Delays, Logins } from './lobby-load.ts';

export const PARTS = ['crowd', 'rooms', 'logins'] as const;

const USAGE = `Usage: node bench/lobby.ts [options]

Measures the lobby dialect of the server in dist/ and prints Markdown tables.

Options:
  --server COMMAND  the server to measure, a port and a database are added (default: dist/parley-server)
  --only PART       ${PARTS.join(', ')}
  --rounds N        rounds, of which the tables give medians (default: 3)
  --quick           shorter, one round
  --help            this text
`;

const DEFAULT_SERVER = 'dist/parley-server';
const LOAD_TIMEOUT_MS = 120_000;
const MEMBERS = 500;
const ROOMS = 500;
/** Who talks while others log in. */
const TALKERS = 10;
const ACCOUNTS = 5;
/** Hashes as many passwords at once as the server does: the cores are busy, and the server is not. */
const HASHING = `
  const { scrypt } = require('node:crypto');
  const again = () => scrypt('password', 'salt', 32, { N: 16384, r: 8, p: 1 }, again);
  again();
  again();
  console.log('ready tcp=1');
`;

type Options = { server: string[]; only: string | undefined; rounds: number; seconds: number };

/** One measurement of a server with a database of its own. */
async function measure<T>({ server: command }: Options, mode: string, ...args: string[]): Promise<T> {
  const directory = makeTempDir();
  const server = await startServer([
    ...command,
    '0',
    '--data',
    path.join(directory, 'house.db'),
    '--log-level',
    'error',
  ]);
  try {
    const target = ['--port', String(server.port), '--pid', String(server.pid)];
    const found = await runScript<T>('lobby-load.ts', [mode, ...target, ...args], LOAD_TIMEOUT_MS);
    process.stderr.write(`${mode} ${args.join(' ')}: ${JSON.stringify(found)}\n`);
    return found;
  } finally {
    await server.stop();
    removeTempDir(directory);
  }
}

async function rounds<T>({ rounds: count }: Options, work: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let round = 0; round < count; round++) all.push(await work());
  return all;
}

function middle<T>(all: readonly T[], figure: (one: T) => number): number {
  return median(all.map(figure));
}

function showDelays(all: readonly Delays[]): string {
  return [middle(all, (one) => one.p50Ms), middle(all, (one) => one.p99Ms), middle(all, (one) => one.maxMs)]
    .map((ms) => formatNumber(ms))
    .join(' / ');
}

// --- parts ------------------------------------------------------------------------------------------------

async function runCrowd(options: Options): Promise<void> {
  const args = ['--members', String(MEMBERS), '--rooms', String(ROOMS)];
  const all = await rounds(options, () => measure<CrowdFigures>(options, 'crowd', ...args));
  const stand = (figure: (one: CrowdFigures) => number, digits = 0) => middle(all, figure).toFixed(digits);
  printTable(
    `${ROOMS} rooms of two, one by multicast, and one of ${MEMBERS}`,
    ['', ''],
    [
      ['all are in after', `${formatNumber(middle(all, (one) => one.seconds))} s`],
      ['members a second', stand((one) => one.members / one.seconds)],
      ['CPU of the server', `${formatNumber(middle(all, (one) => one.cpuS))} s`],
      [
        'RSS before → in → after, MB',
        [stand((one) => one.before.rssMb), stand((one) => one.inside.rssMb), stand((one) => one.after.rssMb)].join(
          ' → ',
        ),
      ],
      ['KB for each member', stand((one) => ((one.inside.rssMb - one.before.rssMb) * 1024) / one.members, 1)],
      [
        'open descriptors before → in → after',
        [
          stand((one) => one.before.descriptors),
          stand((one) => one.inside.descriptors),
          stand((one) => one.after.descriptors),
        ].join(' → '),
      ],
    ],
  );
}

async function runRooms(options: Options): Promise<void> {
  const rows: string[][] = [];
  for (const via of ['tcp', 'multicast']) {
    const args = ['--via', via, '--members', String(MEMBERS), '--seconds', String(options.seconds)];
    rows.push([via, showDelays(await rounds(options, () => measure<Delays>(options, 'chat', ...args)))]);
  }
  printTable(`Chat: 20 posts/s in a room of ${MEMBERS}`, ['by', 'p50 / p99 / max ms'], rows);
}

async function runLogins(options: Options): Promise<void> {
  const args = ['--members', String(TALKERS), '--seconds', String(options.seconds)];
  const quiet: Logins[] = [];
  const busy: Logins[] = [];
  const elsewhere: Logins[] = [];
  for (let round = 0; round < options.rounds; round++) {
    quiet.push(await measure<Logins>(options, 'logins', ...args));
    busy.push(await measure<Logins>(options, 'logins', ...args, '--accounts', String(ACCOUNTS)));
    const other = await startServer([process.execPath, '-e', HASHING]);
    elsewhere.push(await measure<Logins>(options, 'logins', ...args));
    await other.stop();
  }
  const p99 = (all: readonly Logins[]) => middle(all, (one) => one.p99Ms);
  printTable(
    `Chat: 20 posts/s to ${TALKERS} members, beside logins`,
    ['beside', 'p50 / p99 / max ms', 'p99, ratio', 'logins/s', 'CPU of the server, cores'],
    [
      ['nothing', showDelays(quiet), '1', '–', formatNumber(middle(quiet, (one) => one.cpuS))],
      [
        `${ACCOUNTS} who log in again and again`,
        showDelays(busy),
        formatNumber(p99(busy) / p99(quiet)),
        formatNumber(middle(busy, (one) => one.loginsPerSecond)),
        formatNumber(middle(busy, (one) => one.cpuS)),
      ],
      [
        'the same hashing in another process',
        showDelays(elsewhere),
        formatNumber(p99(elsewhere) / p99(quiet)),
        '–',
        formatNumber(middle(elsewhere, (one) => one.cpuS)),
      ],
    ],
  );
}

// ----------------------------------------------------------------------------------------------------------

function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      server: { type: 'string', default: DEFAULT_SERVER },
      only: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (values.only !== undefined && !PARTS.some((part) => part === values.only)) {
    throw new Error(`--only takes one of ${PARTS.join(', ')}`);
  }
  const count = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!(count >= 1)) throw new Error('--rounds takes a number');
  const isBuilt = values.server !== DEFAULT_SERVER || existsSync(path.join(ROOT, DEFAULT_SERVER));
  if (!isBuilt) throw new Error('dist/parley-server is not built: run ./compile.sh, or give --server COMMAND');
  const server = values.server.split(/\s+/).filter((word) => word !== '');
  return { server, only: values.only, rounds: count, seconds: values.quick ? 3 : 10 };
}

export async function runLobby(args: string[]): Promise<void> {
  const options = parseOptions(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  printMachine();
  const { only } = options;
  if (only === undefined || only === 'crowd') await runCrowd(options);
  if (only === undefined || only === 'rooms') await runRooms(options);
  if (only === undefined || only === 'logins') await runLogins(options);
}

if (import.meta.main) {
  cleanUpOnExit();
  try {
    await runLobby(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`lobby: ${(error as Error).message}; see --help\n`);
    process.exitCode = 1;
  }
}
