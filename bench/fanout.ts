// The real server beside the prototype, over loopback, in one interleaved run; see fanout-rounds.ts.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Candidate, checkOptions, PARTS, runTables } from './fanout-rounds.ts';
import { cleanUpOnExit, printMachine, ROOT, startServer } from './harness.ts';

export const DEFAULT_SERVER = 'dist/parley-server 0 --data TEMPFILE --log-level error';

const USAGE = `Usage: node bench/fanout.ts [options]

Measures the server in dist/ and bench/prototype.ts in turn and prints Markdown tables.

Options:
  --server COMMAND  the server to measure; the word TEMPFILE in it becomes a path for its data
                    (default: ${DEFAULT_SERVER})
  --only PART       ${PARTS.join(', ')}
  --rounds N        rounds, of which the tables give medians (default: 3)
  --quick           fewer points, shorter, one round
  --help            this text
`;

export const FANOUT_OPTIONS = {
  server: { type: 'string', default: DEFAULT_SERVER },
  only: { type: 'string' },
  rounds: { type: 'string' },
  quick: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** One of ours, which says on which port it is. */
export function candidateOf(name: string, command: string): Candidate {
  const words = command.split(/\s+/).filter((word) => word !== '');
  const start = (dir: string) => {
    return startServer(words.map((word) => (word === 'TEMPFILE' ? path.join(dir, 'bench.db') : word)));
  };
  return { name, start };
}

export function checkBuilt(server: string): void {
  if (server !== DEFAULT_SERVER || existsSync(path.join(ROOT, 'dist/parley-server'))) return;
  throw new Error('dist/parley-server is not built: run ./compile.sh, or give --server COMMAND');
}

export async function runFanout(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: FANOUT_OPTIONS });
  if (values.help) return void process.stdout.write(USAGE);
  const options = checkOptions('lab', values);
  checkBuilt(values.server);
  printMachine();
  const prototype = path.join(import.meta.dirname, 'prototype.ts');
  await runTables(options, [
    candidateOf('prototype', `${process.execPath} ${prototype} 0`),
    candidateOf('server', values.server),
  ]);
}

if (import.meta.main) {
  cleanUpOnExit();
  try {
    await runFanout(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`fanout: ${(error as Error).message}; see --help\n`);
    process.exitCode = 1;
  }
}
