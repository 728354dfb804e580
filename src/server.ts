// Layer 5. parley-server: options, log, signals, exit status. Opens the ports, then the store, then the house.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers';
import { Accounts } from './accounts.ts';
import { UsageError } from './arguments.ts';
import { LocalBackbone } from './backbone.ts';
import { Console } from './console.ts';
import { ConsoleScreen, hasOperator } from './console-screen.ts';
import { type DialectTable, dialectTable } from './dialects.ts';
import { Files } from './files.ts';
import { Http } from './http.ts';
import { importUsers } from './import-users.ts';
import { Listener, type Listening } from './listen.ts';
import { createLog, type Log, logBug, stackOf } from './log.ts';
import { MulticastSocket } from './multicast.ts';
import { readServerOptions, type ServerOptions } from './options.ts';
import { Passwords } from './passwords.ts';
import { DEFAULT_LIMITS, House } from './rooms.ts';
import { WorkerStore } from './store.ts';
import { type TableRow, tableText } from './wire-datagram.ts';

/** Everything that is queued has this long to go out when the server ends. */
const STOP_MS = 2000;
const STORE_MS = 3000;
const TOKEN_BYTES = 16;
const LOGGED_CHARS = 1000;
/** Where classic clients of `pipe` look for a server. */
const PIPE_PORTS = { first: 50_000, last: 50_009 };

async function main(): Promise<void> {
  let options: ServerOptions | undefined;
  try {
    options = readServerOptions(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(2, `${error.message} (see --help)`);
  }
  if (options) await run(options);
}

async function run(options: ServerOptions): Promise<void> {
  let screen: ConsoleScreen | undefined;
  const log = createLog({
    level: options.logLevel,
    format: options.logFormat,
    write: (line) => (screen ? screen.log(line) : process.stderr.write(`${line}\n`)),
    now: () => new Date(),
  });
  const onBug = (error: unknown) => logBug(log, error);
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
  // nobody may be left to read them
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  // before there is a house, nobody need be told
  let stop = (_reason: string): void => process.exit(0);
  let signals = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => (signals++ === 0 ? stop(signal) : process.exit(1)));
  }

  // its thread starts while the ports are bound
  const store = new WorkerStore({
    onTrouble: (reason, lost) => {
      if (reason === undefined) log('warn', 'messages are kept again', { lost });
      else log('error', 'messages are not kept', { reason });
    },
  });
  const listener = new Listener({ host: options.host, sendqBytes: options.sendqBytes, log });
  const bound = await bind(listener, options, log);
  await openStore(store, options);

  const backbone = new LocalBackbone(store);
  const house = new House({ backbone, wall: Date.now, onBug });
  const now = () => performance.now();
  const accounts = new Accounts({ backbone, hasher: new Passwords(), wall: Date.now, now });
  await takeOver(options, accounts, log);
  const files = new Files({ random: randomToken, isOpen: options.openFiles });
  const console = new Console({ house, stop: (reason) => stop(reason) });
  const dialects = dialectTable({
    house,
    files,
    filesPort: bound.find(({ name }) => name === 'tcp')?.port ?? options.port,
    studentId: options.studentId,
    advertise: options.advertise,
    kill: options.kill,
    udpIdleMs: options.udpIdleMs,
    stop: (reason) => stop(reason),
    broadcast: () => listener.broadcast(),
    accounts,
    doors: listener.doors,
    multicast: new MulticastSocket(options.multicastIf, log),
    strictLobby: options.strictLobby,
    now,
    backbone,
    mailboxes: listener.mailboxes,
    wall: Date.now,
    onTable: options.verbose ? (rows) => print(tableOf(rows)) : undefined,
    toOperator: (name, text) => {
      if (screen) screen.print(console.heard(name, text));
      else log('info', 'said to the operator', { name, text: text.slice(0, LOGGED_CHARS) });
    },
    onBug,
  });
  const print = (text: string) => (screen ? screen.print(text) : process.stdout.write(`${text}\n`));
  let stopping = false;
  stop = (reason) => {
    if (stopping) return;
    stopping = true;
    screen?.close();
    screen = undefined;
    log('info', 'stopping', { reason });
    const graceMs = closeAll(dialects);
    house.close(reason);
    const saved = Promise.race([store.close(), pause(STORE_MS)]);
    Promise.resolve(graceMs > 0 ? pause(graceMs) : undefined)
      .then(() => listener.stop(STOP_MS, saved))
      .then(() => process.exit(0))
      .catch((error) => fail(1, `it did not end in order: ${stackOf(error)}`));
  };
  listener.serve(dialects, new Http({ files, log }));
  process.stdout.write(`ready ${bound.map(({ name, port }) => `${name}=${port}`).join(' ')}\n`);
  log('info', 'ready', { data: options.data, ...Object.fromEntries(bound.map(({ name, port }) => [name, port])) });
  if (options.console || hasOperator()) screen = new ConsoleScreen(console, () => stop('the terminal was left'));
}

/** As the server of the exercise prints it. */
function tableOf(rows: readonly TableRow[]): string {
  return `>>> [Client table updated.]\n${tableText(rows)}`;
}

/** Says how long connections are to stay open. */
function closeAll(dialects: DialectTable): number {
  return Math.max(...Object.values(dialects).map((dialect) => dialect.close?.() ?? 0));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function randomToken(): string {
  // loaded with the first token: a server starts sooner without it
  return process.getBuiltinModule('node:crypto').randomBytes(TOKEN_BYTES).toString('base64url');
}

async function bind(listener: Listener, options: ServerOptions, log: Log): Promise<Listening[]> {
  const { pipe } = options;
  const bound: Listening[] = [];
  const own = typeof pipe === 'number' ? [{ port: pipe, dialect: 'pipe' } as const] : [];
  for (const { port, dialect } of [{ port: options.port, dialect: undefined }, ...options.listen, ...own]) {
    try {
      bound.push(...(await listener.open(port, dialect)));
    } catch (error) {
      fail(1, explainBind(port, options.host, error as NodeJS.ErrnoException));
    }
  }
  return pipe === 'auto' ? [...bound, ...(await bindPipe(listener, log))] : bound;
}

/** Without a port for it the server does without `pipe` clients. */
async function bindPipe(listener: Listener, log: Log): Promise<Listening[]> {
  const { first, last } = PIPE_PORTS;
  const found = await listener.openFirst(first, last, 'pipe');
  if (!found) log('warn', 'no port for pipe clients is free', { from: first, to: last });
  return found ? [found] : [];
}

async function openStore(store: WorkerStore, { data, makeDirectory }: ServerOptions): Promise<void> {
  try {
    if (makeDirectory && data !== ':memory:') mkdirSync(path.dirname(data), { recursive: true, mode: 0o700 });
    await store.open(data, DEFAULT_LIMITS.rooms);
  } catch (error) {
    fail(1, `${(error as Error).message} (--data chooses another file)`);
  }
}

async function takeOver({ importUsers: file }: ServerOptions, accounts: Accounts, log: Log): Promise<void> {
  if (file === undefined) return;
  try {
    await importUsers(file, accounts, log);
  } catch (error) {
    fail(1, `--import-users ${file}: ${(error as Error).message}`);
  }
}

function explainBind(port: number, host: string, { code, message }: NodeJS.ErrnoException): string {
  const where = `port ${port}${host === '' ? '' : ` of ${host}`}`;
  if (code === 'EADDRINUSE') return `${where} is taken by another program`;
  if (code === 'EACCES') return `no permission to listen on ${where}`;
  // Deno's word for it is EINVAL
  if (code === 'EADDRNOTAVAIL' || (code === 'EINVAL' && host !== ''))
    return `${host} is not an address of this machine`;
  return `can't listen on ${where}: ${message}`;
}

function fail(status: number, message: string): never {
  process.stderr.write(`parley-server: ${message}\n`);
  process.exit(status);
}

main().catch((error) => fail(1, stackOf(error)));
