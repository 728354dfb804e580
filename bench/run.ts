// All benchmarks: the codec alone, then the server over loopback. `npm run bench -- OPTIONS`; the options are those of
// fanout.ts, and `--only codec` besides.
import { runCodec } from './codec.ts';
import { runFanout } from './fanout.ts';
import { cleanUpOnExit } from './harness.ts';

cleanUpOnExit();
const args = process.argv.slice(2);
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;
const isHelp = args.includes('--help');
try {
  if (!isHelp && (only === undefined || only === 'codec')) {
    runCodec(args.includes('--quick') ? ['--quick'] : []);
    process.stdout.write('\n');
  }
  if (isHelp || only !== 'codec') await runFanout(args);
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}; see --help\n`);
  process.exitCode = 1;
}
