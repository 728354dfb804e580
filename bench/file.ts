// The relay of files beside the least that relays (two sockets and `pipe()`), over loopback, in one interleaved run: in
// each round every way is measured in turn, with fresh processes, the order rotated; the tables give medians over the
// rounds, and the ratio of the best rounds beside that of the medians.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Chat,
  type Memory,
  makeShared,
  measureChat,
  measureClients,
  measureCurlPython,
  measureCurlRelay,
  measureCurlStatic,
  measureMemory,
  measureProxy,
  measureRelay,
  type Shared,
  type Transfer,
} from './file-measure.ts';
import { isInstalled } from './file-programs.ts';
import {
  cleanUpOnExit,
  formatNumber,
  median,
  printMachine,
  printTable,
  ROOT,
  removeTempDir,
  rotate,
  roundsOf,
} from './harness.ts';

export const PARTS = ['relay', 'curl', 'clients', 'chat', 'memory'] as const;
type Part = (typeof PARTS)[number];

const USAGE = `Usage: node bench/file.ts [options]

Measures how files travel through the server in dist/ and prints Markdown tables.

Options:
  --server COMMAND  the server to measure (default: dist/parley-server 0 --open-files --data :memory: --log-level error)
  --client COMMAND  the client to measure (default: dist/parley-client)
  --only PART       ${PARTS.join(', ')}
  --size BYTES      of the file (default: 1e9)
  --rounds N        rounds, of which the tables give medians (default: 3)
  --quick           a smaller file, shorter, one round
  --help            this text
`;

const DEFAULT_SERVER = 'dist/parley-server 0 --open-files --data :memory: --log-level error';
const DEFAULT_CLIENT = 'dist/parley-client';
/** No further round is begun when it could end later than this after the first. Together under five minutes. */
const TRANSFER_BUDGET_MS = 170_000;
const CHAT_BUDGET_MS = 75_000;
const SLOW_READERS = 50;
const SLOW_RATE = 100_000;

type Figures = Record<string, number>;
type Row = { part: Part; label: string; measure: () => Promise<Figures> };
type Options = {
  server: string[];
  client: string[];
  only: string | undefined;
  size: number;
  rounds: number;
  quick: boolean;
};

const PROXY = 'proxy: two sockets, `pipe()`';

function transferRows({ server, client, size, only }: Options, shared: Shared | undefined): Row[] {
  const rows: Row[] = [
    // what the others are compared with, in whichever part
    { part: 'relay', label: PROXY, measure: () => measureProxy(size) },
    { part: 'relay', label: 'relay, pull', measure: () => measureRelay(server, size, 'pull') },
    { part: 'relay', label: 'relay, push', measure: () => measureRelay(server, size, 'push') },
  ];
  const programs: Row[] = [{ part: 'curl', label: 'curl, relay', measure: () => measureCurlRelay(server, size) }];
  if (shared) {
    const python = {
      part: 'curl' as const,
      label: 'curl, python3 -m http.server',
      measure: () => measureCurlPython(shared),
    };
    programs.push(
      { part: 'curl', label: 'curl, static node:http', measure: () => measureCurlStatic(shared) },
      ...(isInstalled('python3') ? [python] : []),
      { part: 'clients', label: 'two clients', measure: () => measureClients(server, client, shared) },
      { part: 'clients', label: 'two clients, --p2p', measure: () => measureClients(server, client, shared, '--p2p') },
    );
  }
  const hasCurl = isInstalled('curl');
  return [...rows, ...programs].filter(
    ({ part, label }) => (only === undefined || only === part || label === PROXY) && (part !== 'curl' || hasCurl),
  );
}

function chatRows({ server, size, quick }: Options): Row[] {
  const seconds = quick ? 2 : 5;
  const row = (label: string, beside: Parameters<typeof measureChat>[3]): Row => {
    return { part: 'chat', label, measure: () => measureChat(server, size, seconds, beside) };
  };
  return [
    row('nothing', 'nothing'),
    row('a relay', 'relay'),
    row('the same through the proxy: the cores are busy, the server is not', 'proxy'),
  ];
}

function memoryRows({ server, size, quick }: Options): Row[] {
  const seconds = quick ? 5 : 15;
  const row = (label: string, rate: number): Row => {
    return {
      part: 'memory',
      label,
      measure: () => measureMemory(server, size, { count: SLOW_READERS, rate, seconds }),
    };
  };
  return [row(`each takes ${SLOW_RATE / 1000} kB/s`, SLOW_RATE), row('none takes anything', 0)];
}

// --- rounds -----------------------------------------------------------------------------------------------

/** The figures of each round for each row, and what went wrong. */
class Results {
  readonly failures: string[] = [];
  readonly #rounds = new Map<string, Figures[]>();

  add({ label }: Row, figures: Figures): void {
    this.#rounds.set(label, [...(this.#rounds.get(label) ?? []), figures]);
  }

  all(label: string, name: string): number[] {
    return (this.#rounds.get(label) ?? []).map((round) => round[name] ?? Number.NaN);
  }

  medians<T extends Figures>({ label }: Row): T | undefined {
    const names = Object.keys(this.#rounds.get(label)?.[0] ?? {});
    if (names.length === 0) return undefined;
    return Object.fromEntries(names.map((name) => [name, median(this.all(label, name))])) as T;
  }
}

function showFigures(figures: Figures): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${formatNumber(value, 3)}`)
    .join(', ');
}

/** Rounds over all rows, as many as asked for and the time allows. */
async function runRounds(rows: Row[], rounds: number, budgetMs: number): Promise<Results> {
  const results = new Results();
  for (const round of roundsOf(rounds, budgetMs)) {
    for (const row of rotate(rows, round)) {
      const name = `round ${round + 1}, ${row.part}, ${row.label}`;
      try {
        const figures = await row.measure();
        results.add(row, figures);
        process.stderr.write(`${name}: ${showFigures(figures)}\n`);
      } catch (error) {
        results.failures.push(`${name}: ${(error as Error).message}`);
        process.stderr.write(`${results.failures.at(-1)}\n`);
      }
    }
  }
  return results;
}

// --- tables -----------------------------------------------------------------------------------------------

function printResults(
  title: string,
  head: string[],
  rows: Row[],
  results: Results,
  show: (row: Row) => string[],
): void {
  const failed = ['failed', ...head.slice(2).map(() => '–')];
  printTable(
    title,
    head,
    rows.map((row) => [row.label, ...(results.medians(row) ? show(row) : failed)]),
  );
  for (const failure of results.failures) process.stdout.write(`\nFailed: ${failure}\n`);
  if (results.failures.length > 0) process.exitCode = 1;
}

function showTransfer(row: Row, results: Results): string[] {
  const figures = results.medians<Transfer>(row) as Transfer;
  const rates = results.all(row.label, 'mbPerSecond');
  const proxyRates = results.all(PROXY, 'mbPerSecond');
  return [
    formatNumber(figures.mbPerSecond, 3),
    formatNumber(figures.mbPerSecond / median(proxyRates)),
    formatNumber(Math.max(...rates) / Math.max(...proxyRates)),
    `${formatNumber(figures.middleCpuPerGb)} / ${formatNumber(figures.sourceCpuPerGb)} / ${formatNumber(figures.sinkCpuPerGb)}`,
    formatNumber(figures.rssPeakMb, 3),
  ];
}

async function runTransfers(options: Options): Promise<void> {
  const needsFile = [undefined, 'curl', 'clients'].includes(options.only);
  const shared = needsFile ? makeShared(options.size) : undefined;
  try {
    const rows = transferRows(options, shared);
    const results = await runRounds(rows, options.rounds, TRANSFER_BUDGET_MS);
    const title = `One file of ${formatNumber(options.size / 1e9, 3)} GB`;
    const cpu = 'CPU s/GB: in the middle / source / sink';
    const head = ['way', 'MB/s', 'ratio to the proxy', 'ratio of the best rounds', cpu, 'peak RSS in the middle, MB'];
    printResults(title, head, rows, results, (row) => showTransfer(row, results));
    for (const program of ['curl', 'python3']) {
      if (!isInstalled(program)) process.stdout.write(`\n${program} is not installed.\n`);
    }
  } finally {
    if (shared) removeTempDir(shared.directory);
  }
}

async function runChat(options: Options): Promise<void> {
  const rows = chatRows(options);
  const results = await runRounds(rows, options.rounds, CHAT_BUDGET_MS);
  const head = ['beside', 'p50 / p99 / max ms', 'MB/s of the transfer'];
  printResults('Chat: 100 posts/s, 10 members', head, rows, results, (row) => {
    const { p50Ms, p99Ms, maxMs, mbPerSecond } = results.medians<Chat>(row) as Chat;
    const delays = `${formatNumber(p50Ms)} / ${formatNumber(p99Ms)} / ${formatNumber(maxMs)}`;
    return [delays, mbPerSecond > 0 ? formatNumber(mbPerSecond, 3) : '–'];
  });
}

async function runMemory(options: Options): Promise<void> {
  const rows = memoryRows(options);
  const results = await runRounds(rows, 1, Number.POSITIVE_INFINITY);
  const head = ['requesters', 'RSS before → peak, MB', 'MB for each relay', 'CPU of the server', 'taken by each, MB'];
  printResults(`Memory of ${SLOW_READERS} relays at once`, head, rows, results, (row) => {
    const figures = results.medians<Memory>(row) as Memory;
    const { rssBeforeMb, rssPeakMb, cpuShare, leastBytes, mostBytes } = figures;
    return [
      `${rssBeforeMb.toFixed(0)} → ${rssPeakMb.toFixed(0)}`,
      formatNumber((rssPeakMb - rssBeforeMb) / SLOW_READERS),
      `${(cpuShare * 100).toFixed(1)} %`,
      `${formatNumber(leastBytes / 1e6)}–${formatNumber(mostBytes / 1e6)}`,
    ];
  });
}

// ----------------------------------------------------------------------------------------------------------

function wordsOf(command: string): string[] {
  return command.split(/\s+/).filter((word) => word !== '');
}

function parseOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      server: { type: 'string', default: DEFAULT_SERVER },
      client: { type: 'string', default: DEFAULT_CLIENT },
      only: { type: 'string' },
      size: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (values.only !== undefined && !PARTS.some((part) => part === values.only)) {
    throw new Error(`--only takes one of ${PARTS.join(', ')}`);
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!(rounds >= 1)) throw new Error('--rounds takes a number');
  const size = Number(values.size ?? (values.quick ? 2e8 : 1e9));
  if (!Number.isSafeInteger(size) || size < 1e8) throw new Error('--size takes a number of bytes, 1e8 or more');
  const isBuilt = values.server !== DEFAULT_SERVER || existsSync(path.join(ROOT, 'dist/parley-server'));
  if (!isBuilt) throw new Error('dist/parley-server is not built: run ./compile.sh, or give --server COMMAND');
  const { only, quick } = values;
  return { server: wordsOf(values.server), client: wordsOf(values.client), only, size, rounds, quick };
}

export async function runFile(args: string[]): Promise<void> {
  const options = parseOptions(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  printMachine();
  const { only } = options;
  if (only === undefined || ['relay', 'curl', 'clients'].includes(only)) await runTransfers(options);
  if (only === undefined || only === 'chat') await runChat(options);
  if (only === undefined || only === 'memory') await runMemory(options);
}

if (import.meta.main) {
  cleanUpOnExit();
  try {
    await runFile(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`file: ${(error as Error).message}; see --help\n`);
    process.exitCode = 1;
  }
}
