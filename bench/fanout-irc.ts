// Rooms over IRC: Parley beside ngIRCd and InspIRCd (Debian's packages), in one interleaved run; see fanout-rounds.ts.
// Those that are not installed are left out.
import { parseArgs } from 'node:util';
import { candidateOf, checkBuilt, FANOUT_OPTIONS } from './fanout.ts';
import { checkOptions, PARTS, runTables } from './fanout-rounds.ts';
import { cleanUpOnExit, printMachine } from './harness.ts';
import { installedPeers } from './irc-peers.ts';

const USAGE = `Usage: node bench/fanout-irc.ts [options]

Measures the server in dist/ and the IRC servers that are installed (inspircd, ngircd) in turn and prints Markdown tables.

Options:
  --server COMMAND  the server to measure; the word TEMPFILE in it becomes a path for its data
  --against NAME    only that one of the others: inspircd or ngircd
  --only PART       ${PARTS.join(', ')}
  --rounds N        rounds, of which the tables give medians (default: 3)
  --quick           fewer points, shorter, one round
  --help            this text
`;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { ...FANOUT_OPTIONS, against: { type: 'string' } } });
  if (values.help) return void process.stdout.write(USAGE);
  const options = checkOptions('irc', values);
  checkBuilt(values.server);
  printMachine();
  const peers = installedPeers().filter(({ name }) => [undefined, name.toLowerCase()].includes(values.against));
  if (peers.length === 0)
    process.stderr.write(`${values.against ?? 'inspircd or ngircd'} is not installed: Parley alone\n`);
  await runTables(options, [...peers, candidateOf('Parley', values.server)]);
}

cleanUpOnExit();
try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`fanout-irc: ${(error as Error).message}; see --help\n`);
  process.exitCode = 1;
}
