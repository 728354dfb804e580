import {
  formatCount,
  formatNumber,
  makeTempDir,
  median,
  printTable,
  removeTempDir,
  rotate,
  roundsOf,
  runScript,
  type Server,
} from './harness.ts';
import type { Connections, Idle, Latency, Probe, Throughput } from './load.ts';

export const PARTS = ['throughput', 'latency', 'idle', 'connections', 'probe'] as const;
type Part = (typeof PARTS)[number];

/** Longest for one measurement; what takes longer is stuck. */
const RUN_TIMEOUT_MS = 30_000;
/** No further round is begun when it could end later than this after the first. Together under six minutes. */
const THROUGHPUT_BUDGET_MS = 230_000;
const OTHERS_BUDGET_MS = 110_000;
/** Above this share of a core the load driver, not the server, may be what limits the figure. */
const DRIVER_LIMIT = 0.9;

/** Members, senders, posts outstanding: the rows of the table of peers. */
const POINTS = [
  [10, 1, 1],
  [10, 1, 16],
  [10, 10, 128],
  [100, 1, 1],
  [100, 1, 16],
  [100, 10, 128],
  [1000, 1, 1],
  [1000, 1, 128],
  [1000, 10, 16],
] as const;
const QUICK_POINTS = [POINTS[0], POINTS[5], POINTS[7]];

type Figures = Record<string, number>;
/** A server to measure; it keeps what it has to in the directory. */
export type Candidate = { name: string; start(dir: string): Promise<Server> };
type Row = {
  part: Part;
  label: string;
  args: string[];
  show: (figures: Figures) => string;
  /** The figure whose ratio real/prototype is given, and which of two such figures is the better one. */
  ratioOf: string;
  better: (a: number, b: number) => number;
};

export type Options = { wire: string; only: string | undefined; rounds: number; quick: boolean };

/** A row whose figures are of one of the result types of the load driver. */
function row<T extends Figures>(
  part: Part,
  label: string,
  args: string,
  show: (figures: T) => string,
  ratioOf: keyof T & string,
): Row {
  const better = ratioOf.endsWith('PerSecond') || ratioOf === 'perSecond' ? Math.max : Math.min;
  return { part, label, args: [part, ...args.split(' ')], show: show as Row['show'], ratioOf, better };
}

function throughputRows({ quick }: Options): Row[] {
  const show = (figures: Throughput) =>
    `${formatCount(figures.deliveriesPerSecond)} (${formatNumber(figures.cpuUsPerDelivery)} / ` +
    `${formatNumber(figures.mainCpuUsPerDelivery)})${figures.driverBusy > DRIVER_LIMIT ? ' *' : ''}`;
  return (quick ? QUICK_POINTS : POINTS).map(([members, senders, window]) =>
    row<Throughput>(
      'throughput',
      `${members}, ${senders}, ${window}`,
      `--members ${members} --senders ${senders} --window ${window} --seconds ${quick ? 1 : 2}`,
      show,
      'deliveriesPerSecond',
    ),
  );
}

function otherRows({ quick }: Options): Row[] {
  const seconds = quick ? 1 : 3;
  const idle = quick ? 1000 : 5000;
  const entering = quick ? 500 : 2000;
  return [
    row<Latency>(
      'latency',
      'latency p50 / p99 ms (100 members, 10 senders, 1,000 posts/s)',
      `--members 100 --senders 10 --rate 1000 --seconds ${seconds}`,
      ({ p50Ms, p99Ms }) => `${formatNumber(p50Ms)} / ${formatNumber(p99Ms)}`,
      'p99Ms',
    ),
    row<Idle>(
      'idle',
      `KB for each idle connection (${idle} after the first 100, rooms of 50); RSS before → after, MB`,
      `--connections ${idle}`,
      ({ kbEach, rssAtStartMb, rssMb, connections }) =>
        `${formatNumber(kbEach)}; ${rssAtStartMb.toFixed(0)} → ${rssMb.toFixed(0)}` +
        `${connections < idle ? ` (only ${connections}: ulimit -n)` : ''}`,
      'kbEach',
    ),
    row<Connections>(
      'connections',
      `connected and joined per second (CPU µs each; ${entering}, a room each)`,
      `--connections ${entering}`,
      ({ perSecond, cpuUsEach }) => `${formatCount(perSecond)} (${formatNumber(cpuUsEach)})`,
      'perSecond',
    ),
    row<Probe>(
      'probe',
      'an answer, p50 / p99 / max ms, beside 2,000 posts/s to a room of 10',
      `--members 10 --senders 10 --rate 2000 --seconds ${quick ? 1 : 4}`,
      ({ p50Ms, p99Ms, maxMs }) => `${formatNumber(p50Ms)} / ${formatNumber(p99Ms)} / ${formatNumber(maxMs)}`,
      'p99Ms',
    ),
  ];
}

async function measure(candidate: Candidate, wire: string, args: string[]): Promise<Figures> {
  const dir = makeTempDir();
  try {
    const server = await candidate.start(dir);
    try {
      const where = ['--port', String(server.port), '--pid', String(server.pid), '--wire', wire];
      return await runScript<Figures>('load.ts', [...args, ...where], RUN_TIMEOUT_MS);
    } finally {
      await server.stop();
    }
  } finally {
    removeTempDir(dir);
  }
}

/** The figures of each round for each row and candidate, and what went wrong. */
class Results {
  readonly failures: string[] = [];
  readonly #rounds = new Map<string, Figures[]>();

  add(line: Row, candidate: Candidate, figures: Figures): void {
    const key = `${line.label}\n${candidate.name}`;
    this.#rounds.set(key, [...(this.#rounds.get(key) ?? []), figures]);
  }

  /** The best round's figure: where neighbours disturb some rounds, nearer to the truth than the median. */
  best(line: Row, candidate: Candidate): number {
    const rounds = this.#rounds.get(`${line.label}\n${candidate.name}`) ?? [];
    return rounds
      .map((round) => round[line.ratioOf] ?? Number.NaN)
      .reduce((a, b) => line.better(a, b), rounds[0]?.[line.ratioOf] ?? Number.NaN);
  }

  medians(line: Row, candidate: Candidate): Figures | undefined {
    const rounds = this.#rounds.get(`${line.label}\n${candidate.name}`);
    const names = Object.keys(rounds?.[0] ?? {});
    if (rounds === undefined) return undefined;
    return Object.fromEntries(names.map((name) => [name, median(rounds.map((round) => round[name] ?? Number.NaN))]));
  }
}

/** Rounds over all rows and candidates, as many as asked for and the time allows. */
async function runRounds(
  rows: Row[],
  candidates: Candidate[],
  { wire, rounds }: Options,
  budgetMs: number,
): Promise<Results> {
  const results = new Results();
  for (const round of roundsOf(rounds, budgetMs)) {
    for (const line of rows) {
      for (const candidate of rotate(candidates, round)) {
        const name = `round ${round + 1}, ${line.part} ${line.part === 'throughput' ? line.label : ''}`.trim();
        try {
          const figures = await measure(candidate, wire, line.args);
          results.add(line, candidate, figures);
          process.stderr.write(`${name}, ${candidate.name}: ${line.show(figures)}\n`);
        } catch (error) {
          results.failures.push(`${name}, ${candidate.name}: ${(error as Error).message}`);
          process.stderr.write(`${results.failures.at(-1)}\n`);
        }
      }
    }
  }
  return results;
}

/** The last of the candidates is compared with the first. */
function printResults(title: string, firstHead: string, rows: Row[], candidates: Candidate[], results: Results): void {
  const [base, real] = [candidates[0], candidates.at(-1)] as [Candidate, Candidate];
  const ratioOf = (of: (candidate: Candidate) => number | undefined) =>
    formatNumber((of(real) ?? Number.NaN) / (of(base) ?? Number.NaN));
  const cells = rows.map((line) => {
    const figures = candidates.map((candidate) => results.medians(line, candidate));
    return [
      line.label,
      ...figures.map((found) => (found === undefined ? 'failed' : line.show(found))),
      ratioOf((candidate) => results.medians(line, candidate)?.[line.ratioOf]),
      ratioOf((candidate) => results.best(line, candidate)),
    ];
  });
  const heads = [
    firstHead,
    ...candidates.map(({ name }) => name),
    `${real.name} / ${base.name}`,
    'ratio of the best rounds',
  ];
  printTable(title, heads, cells);
  for (const failure of results.failures) process.stdout.write(`\nFailed: ${failure}\n`);
  if (results.failures.length > 0) process.exitCode = 1;
}

export async function runTables(options: Options, candidates: Candidate[]): Promise<void> {
  const wanted = ({ part }: Row) => options.only === undefined || options.only === part;
  const throughput = throughputRows(options).filter(wanted);
  if (throughput.length > 0) {
    const results = await runRounds(throughput, candidates, options, THROUGHPUT_BUDGET_MS);
    const title = 'Room fan-out: deliveries/s (CPU µs per delivery: whole process / main thread)';
    printResults(title, 'members, senders, outstanding', throughput, candidates, results);
    process.stdout.write('\n\\* the load driver was busy over 90 % of the time: the server may be able to do more\n');
  }
  const others = otherRows(options).filter(wanted);
  if (others.length > 0) {
    const results = await runRounds(others, candidates, options, OTHERS_BUDGET_MS);
    printResults('Waiting, memory, entering', 'what', others, candidates, results);
  }
}

/** Of the command line: the options that all of them have. */
export function checkOptions(wire: string, values: { only?: string; rounds?: string; quick?: boolean }): Options {
  const { only, quick = false } = values;
  if (only !== undefined && !PARTS.some((part) => part === only))
    throw new Error(`--only takes one of ${PARTS.join(', ')}`);
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  if (!(rounds >= 1)) throw new Error('--rounds takes a number');
  return { wire, only, rounds, quick };
}
