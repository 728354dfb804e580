// Layer 5. The server's options: one table, from which `--help` is printed, and what the values mean.

import { isIP, isIPv4 } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type CommandLine, oneOf, readCommandLine, UsageError, wholeNumber } from './arguments.ts';
import { BUILT, DIALECTS, type DialectName } from './dialects.ts';
import type { KillPolicy } from './lab.ts';
import { LEVELS, type Level } from './log.ts';

export interface ServerOptions {
  readonly port: number;
  readonly host: string;
  readonly listen: ReadonlyArray<{ readonly dialect: DialectName; readonly port: number }>;
  /** Where `pipe` is spoken, besides `listen`; `auto` is the first free one of those that its clients try. */
  readonly pipe: number | 'auto' | 'off';
  /** The operator's console reads stdin, be it a terminal or not. */
  readonly console: boolean;
  /** A path, or `:memory:`. */
  readonly data: string;
  /** The directory of `data` is ours to make. */
  readonly makeDirectory: boolean;
  readonly kill: KillPolicy;
  readonly studentId: string;
  readonly advertise: string | undefined;
  readonly sendqBytes: number;
  readonly udpIdleMs: number;
  /** Members' files may be had over HTTP by anybody. */
  readonly openFiles: boolean;
  /** A file of names and passwords to be taken over as accounts. */
  readonly importUsers: string | undefined;
  /** A login ends with its connection, whatever classic clients do. */
  readonly strictLobby: boolean;
  /** The address of the interface to send multicast on. */
  readonly multicastIf: string | undefined;
  /** The table of `datagram` clients is printed at each change. */
  readonly verbose: boolean;
  readonly logLevel: Level;
  readonly logFormat: 'text' | 'json';
}

const SERVER: CommandLine = {
  name: 'parley-server',
  usage: '<port>',
  about: 'A chat server for every client on one port',
  options: [
    { flag: '--host <address>', help: 'Listen on this address only', shownDefault: 'all, IPv4 and IPv6' },
    {
      flag: '--listen <dialect:port>',
      help: `One dialect (${BUILT.join(', ')}) on a port of its own; repeatable`,
      repeats: true,
    },
    {
      flag: '--pipe <port>',
      help: 'Port for pipe clients, auto or off',
      shownDefault: 'auto: the first free of 50000-50009',
    },
    { flag: '--console', help: "The operator's console on stdin, also where that is no terminal" },
    {
      flag: '--data <file>',
      help: 'Database, or :memory: to keep nothing',
      shownDefault: 'PORT.db in ~/.local/state/parley',
    },
    { flag: '--kill <who>', help: 'Who may send KILL_SERVICE: any, local, off', shownDefault: 'local' },
    { flag: '--student-id <id>', help: "The StudentID in HELO's answer", shownDefault: '00000000' },
    { flag: '--advertise <ip>', help: "Address to tell clients instead of the connection's own" },
    { flag: '--sendq <bytes>', help: 'Drop a client with more than this unread', shownDefault: '1048576' },
    { flag: '--udp-idle <seconds>', help: 'A silent UDP client leaves after this', shownDefault: '300' },
    { flag: '--open-files', help: "Anybody may fetch members' files over HTTP (curl), not members only" },
    { flag: '--import-users <file>', help: 'Make accounts of the rows NAME,PASSWORD of a file' },
    { flag: '--strict-lobby', help: 'Classic lobby clients log in again after each room' },
    {
      flag: '--multicast-if <ip>',
      help: "Send lobby rooms' multicast on this interface",
      shownDefault: 'the system chooses',
    },
    { flag: '--verbose', help: 'Print the table of datagram clients at each change; -s PORT is PORT --verbose' },
    { flag: '--log-level <level>', help: LEVELS.join(', '), shownDefault: 'info' },
    { flag: '--log-format <format>', help: 'text or json, one line for each event on stderr', shownDefault: 'text' },
  ],
  examples: [
    'parley-server 5000',
    'parley-server 5000 --data house.db --listen lab:6000',
    'PARLEY_STUDENT_ID=12345678 parley-server 5000',
  ],
};

/** Undefined when help or the version was printed; throws UsageError. */
export function readServerOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ServerOptions | undefined {
  // the form that the exercise of `datagram` gave its server
  const given = readCommandLine(
    SERVER,
    argv.map((word) => (word === '-s' ? '--verbose' : word)),
    env,
  );
  if (!given) return undefined;
  const asked = given.words[0];
  if (asked === undefined || asked === '') throw new UsageError('PORT is missing, for example: parley-server 5000');
  const port = wholeNumber('PORT', asked, 0, 65_535);
  const data = given.one('data');
  if (data === '') throw new UsageError('--data: must be a file, or :memory:');
  const listen = given.all('listen').map(listenOf);
  return {
    port,
    host: hostOf(given.one('host') ?? ''),
    listen,
    pipe: pipeOf(given.one('pipe'), listen),
    console: given.has('console'),
    data: data ?? defaultData(port, env),
    makeDirectory: data === undefined,
    kill: oneOf('kill', given.one('kill') ?? 'local', ['any', 'local', 'off']),
    studentId: studentIdOf(given.one('student-id') ?? '00000000'),
    advertise: advertiseOf(given.one('advertise')),
    sendqBytes: wholeNumber('--sendq', given.one('sendq') ?? '1048576', 65_536, 2 ** 30),
    udpIdleMs: 1000 * wholeNumber('--udp-idle', given.one('udp-idle') ?? '300', 1, 86_400),
    openFiles: given.has('open-files'),
    importUsers: given.one('import-users'),
    strictLobby: given.has('strict-lobby'),
    multicastIf: multicastIfOf(given.one('multicast-if')),
    verbose: given.has('verbose'),
    logLevel: oneOf('log-level', given.one('log-level') ?? 'info', LEVELS),
    logFormat: oneOf('log-format', given.one('log-format') ?? 'text', ['text', 'json']),
  };
}

/** A server on any free port is there for a while only, and keeps nothing. */
function defaultData(port: number, env: Readonly<Record<string, string | undefined>>): string {
  if (port === 0) return ':memory:';
  const state = env.XDG_STATE_HOME;
  const base = state && path.isAbsolute(state) ? state : path.join(os.homedir(), '.local', 'state');
  return path.join(base, 'parley', `${port}.db`);
}

function hostOf(host: string): string {
  if (host !== '' && host !== 'localhost' && isIP(host) === 0)
    throw new UsageError(`--host ${host}: must be an IP address`);
  return host === 'localhost' ? '127.0.0.1' : host;
}

function listenOf(value: string): { dialect: DialectName; port: number } {
  const [name = '', port = '', ...rest] = value.split(':');
  if (port === '' || rest.length > 0) throw new UsageError(`--listen ${value}: must be DIALECT:PORT`);
  const dialect = oneOf('listen', name, DIALECTS);
  if (!BUILT.includes(dialect)) throw new UsageError(`--listen ${value}: this build speaks ${BUILT.join(', ')}`);
  return { dialect, port: wholeNumber('--listen port', port, 0, 65_535) };
}

/** Unless told otherwise, a port of `--listen` is enough. */
function pipeOf(value: string | undefined, listen: ServerOptions['listen']): ServerOptions['pipe'] {
  if (value === undefined) return listen.some(({ dialect }) => dialect === 'pipe') ? 'off' : 'auto';
  return value === 'auto' || value === 'off' ? value : wholeNumber('--pipe', value, 0, 65_535);
}

function studentIdOf(id: string): string {
  if (!/^[\x20-\x7e]{1,64}$/.test(id)) throw new UsageError('--student-id: must be 1 to 64 printable ASCII characters');
  return id;
}

function advertiseOf(ip: string | undefined): string | undefined {
  if (ip !== undefined && isIP(ip) === 0) throw new UsageError(`--advertise ${ip}: must be an IP address`);
  return ip;
}

function multicastIfOf(ip: string | undefined): string | undefined {
  if (ip !== undefined && !isIPv4(ip)) throw new UsageError(`--multicast-if ${ip}: must be an IPv4 address`);
  return ip;
}
