// Layer 5. The server's options that are about IRC alone, and what their values mean.

import { type Given, type OptionRow, UsageError, wholeNumber } from './arguments.ts';
import { MAX_HISTORY } from './irc-history.ts';

const DEFAULT_REPLAY = 20;
const MAX_NETWORK_CHARS = 50;

export interface IrcWanted {
  /** What the server calls itself; the machine's name unless given. */
  readonly name: string | undefined;
  readonly network: string;
  /** Names of accounts. */
  readonly opers: readonly string[];
  readonly replay: number;
  /** A file, read again on SIGHUP. */
  readonly motd: string | undefined;
}

export const IRC_ROWS: readonly OptionRow[] = [
  { flag: '--name <name>', help: "The server's name for IRC clients", shownDefault: "the machine's" },
  { flag: '--network <name>', help: 'What IRC clients show for the network', shownDefault: 'Parley' },
  {
    flag: '--oper <account>',
    help: 'OPER with its password makes an operator of the server; repeatable',
    repeats: true,
  },
  {
    flag: '--replay <lines>',
    help: 'So much of a room is told to IRC clients that enter and do not ask for more',
    shownDefault: String(DEFAULT_REPLAY),
  },
  { flag: '--motd <file>', help: 'The message of the day for IRC clients; read again on SIGHUP' },
];

export function ircOf(given: Given): IrcWanted {
  return {
    name: nameOf(given.one('name')),
    network: networkOf(given.one('network') ?? 'Parley'),
    opers: given.all('oper').map(operOf),
    replay: wholeNumber('--replay', given.one('replay') ?? String(DEFAULT_REPLAY), 0, MAX_HISTORY),
    motd: fileOf(given.one('motd')),
  };
}

/** As servers are called: what a nick can't be mistaken for is up to who chooses it. */
export function isServerName(name: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/.test(name);
}

function nameOf(name: string | undefined): string | undefined {
  if (name !== undefined && !isServerName(name)) {
    throw new UsageError('--name: must be letters, digits, dots and hyphens, like irc.example.org');
  }
  return name;
}

function networkOf(name: string): string {
  if (!/^[\p{L}\p{N}\p{P}\p{S}]+(?: [\p{L}\p{N}\p{P}\p{S}]+)*$/u.test(name) || name.length > MAX_NETWORK_CHARS) {
    throw new UsageError(`--network: must be 1 to ${MAX_NETWORK_CHARS} characters that can be seen`);
  }
  return name;
}

function operOf(name: string): string {
  if (name.trim() === '') throw new UsageError('--oper: must be the name of an account');
  return name.trim();
}

function fileOf(file: string | undefined): string | undefined {
  if (file === '') throw new UsageError('--motd: must be a file');
  return file;
}
