// Layer 5. parley-client: which face, exit status. A new face is a row in FACES.

import os from 'node:os';
import { type CommandLine, type Given, readCommandLine, UsageError } from './arguments.ts';
import { ADMIN_LINE, openAdmin } from './face-admin.ts';
import { DATAGRAM_LINE, openDatagram } from './face-datagram.ts';
import { GBN_LINE, openGbn } from './face-gbn.ts';
import { LAB_LINE, openLab } from './face-lab.ts';
import { LOBBY_LINE, openLobby } from './face-lobby.ts';
import { MENU_LINE, openMenu } from './face-menu.ts';
import { openPipe, PIPE_LINE } from './face-pipe.ts';
import type { Exit } from './player.ts';
import { VERSION } from './version.ts';

interface FaceRow {
  readonly line: CommandLine;
  open(given: Given, userName: string, exit: Exit): void;
}

const FACES: Readonly<Record<string, FaceRow>> = {
  menu: { line: MENU_LINE, open: openMenu },
  lab: { line: LAB_LINE, open: openLab },
  lobby: { line: LOBBY_LINE, open: openLobby },
  datagram: { line: DATAGRAM_LINE, open: openDatagram },
  pipe: { line: PIPE_LINE, open: openPipe },
  gbn: { line: GBN_LINE, open: openGbn },
  admin: { line: ADMIN_LINE, open: openAdmin },
};

const PROTOCOLS = Object.keys(FACES).join(', ');

function main(argv: readonly string[]): void {
  const [first = ''] = argv;
  if (first === '--help' || first === '-h') return print(help());
  if (first === '--version' || first === '-v') return print(`parley-client/${VERSION}`);
  // without a protocol's name: the forms that the exercises of `datagram` and `menu` gave their clients
  if (first === '-c') return main(['datagram', ...argv.slice(1)]);
  if (first.startsWith('-')) return main(['menu', ...argv]);
  const face = Object.hasOwn(FACES, first) ? FACES[first] : undefined;
  if (!face)
    throw new UsageError(
      first === ''
        ? `which protocol, ${PROTOCOLS}? for example: parley-client lab`
        : `there is no protocol ${first}: must be one of ${PROTOCOLS}`,
    );
  const given = readCommandLine(face.line, argv, process.env);
  if (given) face.open(given, userName(), exit);
}

function help(): string {
  const lines = Object.values(FACES).map(({ line }) => ({ form: line.shownUsage ?? line.usage, about: line.about }));
  const width = Math.max(...lines.map(({ form }) => form.length));
  const faces = lines.map(({ form, about }) => `  ${form.padEnd(width)}  ${about}`);
  return [
    'Usage: parley-client followed by',
    ...faces,
    '',
    'Options:',
    '  -h, --help     This text; the options of one: parley-client PROTOCOL --help',
    `                 where PROTOCOL is one of ${PROTOCOLS}`,
    '  -v, --version  Display version number',
  ].join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return 'guest';
  }
}

/** When all that was written has gone out: a socket as stdout takes its time. */
function exit(status: number, error?: string): void {
  if (error !== undefined) process.stderr.write(`parley-client: ${error}\n`);
  process.stdout.write('', () => process.stderr.write('', () => process.exit(status)));
}

// nobody reads on: `parley-client … | head`
process.stdout.on('error', () => process.exit(1));
try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  exit(2, `${error.message} (see --help)`);
}
