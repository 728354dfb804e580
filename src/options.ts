// Layer 5. The server's options: one table, from which `--help` is printed, and what the values mean.

import { isIP, isIPv4 } from 'node:net';
import path from 'node:path';
import {
  type CommandLine,
  type Given,
  oneOf,
  readCommandLine,
  UsageError,
  unknownVariables as unknownOf,
  wholeNumber,
} from './arguments.ts';
import { BUILT, DIALECTS, type DialectName } from './dialects.ts';
import { DEFAULT_LIMITS } from './house-options.ts';
import { IRC_ROWS, type IrcWanted, ircOf } from './irc-options.ts';
import type { KillPolicy } from './lab.ts';
import { parseLimit, trustedCidr, type Written } from './limits.ts';
import { LEVELS, type Level } from './log.ts';
import { socketBeside, stateDirectory } from './state-directory.ts';
import { ownFile, type TlsSource } from './tls-files.ts';

const DAY_MS = 86_400_000;
const MAX_DAYS = 36_500;
const DEFAULT_PRIVATE_DAYS = DEFAULT_LIMITS.whisperMs / DAY_MS;
const MAX_UPLOAD_BYTES = 1024 ** 4;
const MAX_UPLOADS_BYTES = 1024 ** 5;

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
  /** Files that anybody brings are kept. Undefined: none are. */
  readonly uploads: UploadOptions | undefined;
  /** The server's own address in links, without a slash at its end. */
  readonly publicUrl: string | undefined;
  /** What accounts are told in private is kept for so long; 0: not at all. */
  readonly whisperMs: number;
  readonly irc: IrcWanted;
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
  /** Undefined: TLS is not spoken. */
  readonly tls: TlsSource | undefined;
  /** A file of limits, and those of the command line, which go before it. */
  readonly limitsFile: string | undefined;
  readonly limits: Written;
  /** A socket for the operator's commands. `isAsked`: it must be there. */
  readonly admin: { readonly path: string; readonly isAsked: boolean } | undefined;
  /** Nobody is served in plain text, but on this machine. */
  readonly requireTls: boolean;
  /** Opens metrics and health to other machines. */
  readonly metricsToken: string | undefined;
  /** Instead of serving: a copy of the database goes there. */
  readonly backup: string | undefined;
  /** Instead of serving: says what would be wrong. */
  readonly check: boolean;
}

export interface UploadOptions {
  readonly directory: string;
  /** Of one file, and of all together. */
  readonly fileBytes: number;
  readonly totalBytes: number;
  readonly keepMs: number;
  /** Nobody brings files without an account. */
  readonly isAccountsOnly: boolean;
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
    {
      flag: '--uploads <size>',
      help: 'Keep files that people bring, up to this size each; or off',
      shownDefault: '100M',
    },
    { flag: '--upload-total <size>', help: 'All of them together take no more', shownDefault: '2G' },
    { flag: '--upload-days <days>', help: 'Each is kept for so long', shownDefault: '30' },
    { flag: '--upload-accounts-only', help: 'Who brings a file gives the password of an account' },
    {
      flag: '--public-url <url>',
      help: "This server's address in links, as https://chat.example",
      shownDefault: 'as it was reached',
    },
    {
      flag: '--private-days <days>',
      help: 'Private messages of accounts are kept for so long; 0: not at all',
      shownDefault: String(DEFAULT_PRIVATE_DAYS),
    },
    ...IRC_ROWS,
    { flag: '--import-users <file>', help: 'Make accounts of the rows NAME,PASSWORD of a file' },
    { flag: '--strict-lobby', help: 'Classic lobby clients log in again after each room' },
    {
      flag: '--multicast-if <ip>',
      help: "Send lobby rooms' multicast on this interface",
      shownDefault: 'the system chooses',
    },
    {
      flag: '--tls-cert <file>',
      help: 'Speak TLS, too, with this certificate (PEM, with its chain); read again on SIGHUP',
    },
    { flag: '--tls-key <file>', help: 'The key of that certificate' },
    { flag: '--tls-self', help: 'Speak TLS with a certificate made here and kept beside the database' },
    { flag: '--require-tls', help: 'Serve nobody in plain text, but on this machine' },
    { flag: '--metrics-token <token>', help: 'Who has it may read /metrics, /healthz and /readyz from elsewhere' },
    { flag: '--backup <file>', help: 'Copy the database there, also while a server runs, and end' },
    { flag: '--check', help: 'Say whether options, certificate, database and ports are good, and end' },
    { flag: '--limits <file>', help: 'Limits for abuse, lines NAME = VALUE; read again on SIGHUP' },
    { flag: '--limit <name=value>', help: 'One of them, like messages=5000+50/s; repeatable', repeats: true },
    {
      flag: '--trusted <network>',
      help: 'No limit is for these; none: not for this machine either; repeatable',
      shownDefault: 'this machine',
      repeats: true,
    },
    {
      flag: '--admin <file>',
      help: 'Socket for parley-client admin, or off',
      shownDefault: 'beside the database, PORT.sock',
    },
    { flag: '--verbose', help: 'Print the table of datagram clients at each change; -s PORT is PORT --verbose' },
    { flag: '--log-level <level>', help: LEVELS.join(', '), shownDefault: 'info' },
    { flag: '--log-format <format>', help: 'text or json, one line for each event on stderr', shownDefault: 'text' },
  ],
  examples: [
    'parley-server 5000',
    'parley-server 5000 --data house.db --listen lab:6000',
    'PARLEY_STUDENT_ID=12345678 parley-server 5000',
    'parley-server 5000 --tls-self --require-tls',
    'parley-server 5000 --backup house-monday.db',
  ],
};

/** What people set for `parley-client` on the same machine. */
const OF_CLIENTS = ['NAME', 'ROOM', 'DIR', 'SOCKET', 'TLS_PIN'].map((name) => `PARLEY_${name}`);

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
  const backup = given.one('backup');
  const asked = given.words[0] || (backup !== undefined && given.one('data') !== undefined ? '0' : undefined);
  if (asked === undefined || asked === '') throw new UsageError('PORT is missing, for example: parley-server 5000');
  const port = wholeNumber('PORT', asked, 0, 65_535);
  const data = given.one('data');
  if (data === '') throw new UsageError('--data: must be a file, or :memory:');
  const listen = given.all('listen').map(listenOf);
  const file = data ?? defaultData(port, env);
  const tls = tlsOf(given, file);
  if (given.has('require-tls') && !tls)
    throw new UsageError('--require-tls: needs --tls-cert and --tls-key, or --tls-self');
  return {
    port,
    host: hostOf(given.one('host') ?? ''),
    listen,
    pipe: pipeOf(given.one('pipe'), listen),
    console: given.has('console'),
    data: file,
    makeDirectory: data === undefined,
    kill: oneOf('kill', given.one('kill') ?? 'local', ['any', 'local', 'off']),
    studentId: studentIdOf(given.one('student-id') ?? '00000000'),
    advertise: advertiseOf(given.one('advertise')),
    sendqBytes: wholeNumber('--sendq', given.one('sendq') ?? '1048576', 65_536, 2 ** 30),
    udpIdleMs: 1000 * wholeNumber('--udp-idle', given.one('udp-idle') ?? '300', 1, 86_400),
    openFiles: given.has('open-files'),
    uploads: uploadsOf(given, file),
    publicUrl: publicUrlOf(given.one('public-url')),
    whisperMs:
      DAY_MS * wholeNumber('--private-days', given.one('private-days') ?? String(DEFAULT_PRIVATE_DAYS), 0, MAX_DAYS),
    irc: ircOf(given),
    importUsers: given.one('import-users'),
    strictLobby: given.has('strict-lobby'),
    multicastIf: multicastIfOf(given.one('multicast-if')),
    verbose: given.has('verbose'),
    logLevel: oneOf('log-level', given.one('log-level') ?? 'info', LEVELS),
    logFormat: oneOf('log-format', given.one('log-format') ?? 'text', ['text', 'json']),
    limitsFile: limitsFileOf(given.one('limits')),
    limits: { limits: given.all('limit').map(limitOf), trusted: given.all('trusted').map(trustedOf) },
    admin: adminOf(given.one('admin'), file),
    tls,
    requireTls: given.has('require-tls'),
    metricsToken: metricsTokenOf(given.one('metrics-token')),
    backup: backupOf(backup, file),
    check: given.has('check'),
  };
}

/** A slip of the pen in one of these goes unnoticed otherwise. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  return unknownOf(SERVER, env).filter((name) => !OF_CLIENTS.includes(name));
}

/** A server on any free port is there for a while only, and keeps nothing. */
function defaultData(port: number, env: Readonly<Record<string, string | undefined>>): string {
  if (port === 0) return ':memory:';
  return path.join(stateDirectory(env), `${port}.db`);
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

function tlsOf(given: Given, data: string): TlsSource | undefined {
  const cert = given.one('tls-cert');
  const key = given.one('tls-key');
  if (cert !== undefined && key !== undefined) {
    if (given.has('tls-self')) throw new UsageError('--tls-self: there is a certificate, --tls-cert');
    return { kind: 'files', cert, key };
  }
  if (cert !== undefined) throw new UsageError('--tls-cert: needs --tls-key');
  if (key !== undefined) throw new UsageError('--tls-key: needs --tls-cert');
  return given.has('tls-self') ? { kind: 'self', file: ownFile(data) } : undefined;
}

/** What keeps nothing keeps no files. */
function uploadsOf(given: Given, data: string): UploadOptions | undefined {
  const [size, total] = [given.one('uploads'), given.one('upload-total')];
  const fileBytes = size === 'off' ? 0 : sizeOf('--uploads', size ?? '100M', MAX_UPLOAD_BYTES);
  const totalBytes = sizeOf('--upload-total', total ?? '2G', MAX_UPLOADS_BYTES);
  const days = wholeNumber('--upload-days', given.one('upload-days') ?? '30', 1, MAX_DAYS);
  const isAccountsOnly = given.has('upload-accounts-only');
  if (total !== undefined && size !== undefined && totalBytes < fileBytes) {
    throw new UsageError('--upload-total: must be at least as large as --uploads');
  }
  if (size === 'off') return undefined;
  if (data === ':memory:') {
    if (size !== undefined) throw new UsageError('--uploads: needs a file for --data, uploads are kept beside it');
    return undefined;
  }
  const directory = `${data}.uploads`;
  const keepMs = days * DAY_MS;
  return { directory, fileBytes: Math.min(fileBytes, totalBytes), totalBytes, keepMs, isAccountsOnly };
}

function sizeOf(name: string, text: string, most: number): number {
  const [, digits, unit = ''] = /^(\d{1,15})([KMGT]?)$/i.exec(text) ?? [];
  const bytes = Number(digits) * 1024 ** ' KMGT'.indexOf(unit.toUpperCase() || ' ');
  if (!(bytes >= 1 && bytes <= most)) {
    throw new UsageError(
      `${name} ${text}: must be a size like 500K, 100M or 2G${name === '--uploads' ? ', or off' : ''}`,
    );
  }
  return bytes;
}

function publicUrlOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const isPlain = /^https?:\/\/[\x21-\x7e]{1,200}$/i.test(text) && URL.canParse(text);
  const url = isPlain ? new URL(text) : undefined;
  if (url?.username !== '' || url.password !== '' || /[?#]/.test(text)) {
    throw new UsageError('--public-url: must be a URL like https://chat.example or http://chat.example:5000/parley');
  }
  return url.href.replace(/\/+$/, '');
}

/** As it can stand in a header. */
function metricsTokenOf(token: string | undefined): string | undefined {
  if (token !== undefined && !/^[\x21-\x7e]{8,200}$/.test(token)) {
    throw new UsageError('--metrics-token: must be 8 to 200 printable ASCII characters without blanks');
  }
  return token;
}

function backupOf(file: string | undefined, data: string): string | undefined {
  if (file === '') throw new UsageError('--backup: must be a file');
  if (file !== undefined && data === ':memory:') throw new UsageError('--backup: --data is not a file');
  return file;
}

function limitsFileOf(file: string | undefined): string | undefined {
  if (file === '') throw new UsageError('--limits: must be a file');
  return file;
}

function limitOf(text: string): readonly [name: string, value: string] {
  try {
    return parseLimit(text);
  } catch (error) {
    throw new UsageError(`--limit ${(error as Error).message}`);
  }
}

function trustedOf(text: string): string {
  try {
    if (text !== 'none') trustedCidr(text);
    return text;
  } catch (error) {
    throw new UsageError(`--${(error as Error).message}`);
  }
}

/** Without a file for the data there is no place for it unless told. */
function adminOf(asked: string | undefined, data: string): ServerOptions['admin'] {
  if (asked === '') throw new UsageError('--admin: must be a file, or off');
  if (asked !== undefined) return asked === 'off' ? undefined : { path: asked, isAsked: true };
  const hasPlace = data !== ':memory:' && process.platform !== 'win32';
  return hasPlace ? { path: socketBeside(data), isAsked: false } : undefined;
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
