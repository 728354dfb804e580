// All benchmarks: the codec alone, the server's fan-out, its files. `npm run bench -- OPTIONS`: `--quick`, and
// `--only PART`, where PART is `codec`, `file`, or one that fanout.ts or file.ts names.
import { runCodec } from './codec.ts';
import { runFanout } from './fanout.ts';
import { PARTS as FILE_PARTS, runFile } from './file.ts';
import { cleanUpOnExit } from './harness.ts';

cleanUpOnExit();
const args = process.argv.slice(2);
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;
const isHelp = args.includes('--help');
const isFile = FILE_PARTS.some((part) => part === only);
try {
  if (!isHelp && (only === undefined || only === 'codec')) {
    runCodec(args.includes('--quick') ? ['--quick'] : []);
    process.stdout.write('\n');
  }
  if (isHelp || (only !== 'codec' && only !== 'file' && !isFile)) await runFanout(args);
  if (isHelp || only === undefined || isFile) await runFile(args);
  if (only === 'file') await runFile(args.filter((arg) => arg !== '--only' && arg !== 'file'));
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}; see --help\n`);
  process.exitCode = 1;
}
