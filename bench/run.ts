// All benchmarks: the codec alone, the server's fan-out, its files, its lobby, its UDP chat, Go-Back-N.
// `npm run bench -- OPTIONS`: `--quick`, and `--only PART`, where PART is `codec`, `file`, `lobby`, `datagram`, `gbn`,
// or one that fanout.ts, file.ts, lobby.ts, datagram.ts or gbn.ts names. `--only soak` and `--only fuzz` look for faults,
// not for figures, and take minutes: they run when they are asked for.
import { runCodec } from './codec.ts';
import { PARTS as DATAGRAM_PARTS, runDatagram } from './datagram.ts';
import { runFanout } from './fanout.ts';
import { PARTS as FILE_PARTS, runFile } from './file.ts';
import { runFuzz } from './fuzz.ts';
import { PARTS as GBN_PARTS, runGbn } from './gbn.ts';
import { cleanUpOnExit } from './harness.ts';
import { PARTS as LOBBY_PARTS, runLobby } from './lobby.ts';
import { runSoak } from './soak.ts';

cleanUpOnExit();
const args = process.argv.slice(2);
const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined;
const isHelp = args.includes('--help');
const isFile = FILE_PARTS.some((part) => part === only);
const isLobby = LOBBY_PARTS.some((part) => part === only);
const isDatagram = only === 'datagram' || DATAGRAM_PARTS.some((part) => part === only);
const isGbn = only === 'gbn' || GBN_PARTS.some((part) => part === only);
/** Those of a file together, and those that have no parts. */
const isWhole = only === 'codec' || only === 'file' || only === 'lobby' || only === 'soak' || only === 'fuzz';
try {
  if (!isHelp && (only === undefined || only === 'codec')) {
    runCodec(args.includes('--quick') ? ['--quick'] : []);
    process.stdout.write('\n');
  }
  if (isHelp || (!isWhole && !isFile && !isLobby && !isDatagram && !isGbn)) await runFanout(args);
  if (isHelp || only === undefined || isFile) await runFile(args);
  if (only === 'file') await runFile(args.filter((arg) => arg !== '--only' && arg !== 'file'));
  if (isHelp || only === undefined || isLobby) await runLobby(args);
  if (only === 'lobby') await runLobby(args.filter((arg) => arg !== '--only' && arg !== 'lobby'));
  if (isHelp || only === undefined || isDatagram) await runDatagram(args);
  if (isHelp || only === undefined || isGbn) await runGbn(args);
  if (isHelp || only === 'soak') await runSoak(args);
  if (isHelp || only === 'fuzz') await runFuzz(args);
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}; see --help\n`);
  process.exitCode = 1;
}
