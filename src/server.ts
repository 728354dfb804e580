// Layer 5. parley-server: options, log, signals, exit status. Opens the ports, then the store, then the house.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers';
import { Accounts } from './accounts.ts';
import { isForeign } from './addresses.ts';
import { AdminSocket } from './admin-socket.ts';
import { UsageError } from './arguments.ts';
import { LocalBackbone } from './backbone.ts';
import { Bans } from './bans.ts';
import { Console } from './console.ts';
import { ConsoleScreen, hasOperator } from './console-screen.ts';
import { type DialectTable, dialectTable } from './dialects.ts';
import type { Person } from './events.ts';
import { Files } from './files.ts';
import { Gate } from './gate.ts';
import { GuardedHouse } from './guarded-house.ts';
import { Http } from './http.ts';
import type { HttpUploads } from './http-uploads.ts';
import { importUsers } from './import-users.ts';
import { MaskCache } from './irc-mask-cache.ts';
import { IrcOpening } from './irc-opening.ts';
import { readLimitsOf } from './limits-file.ts';
import { Listener, type Listening } from './listen.ts';
import { createLog, type Log, logBug, stackOf } from './log.ts';
import { MulticastSocket } from './multicast.ts';
import { readServerOptions, type ServerOptions, unknownVariables } from './options.ts';
import { Passwords } from './passwords.ts';
import { tellReady } from './readiness.ts';
import { reload, warnOfDates } from './reloading.ts';
import { DEFAULT_LIMITS } from './rooms.ts';
import { ServerMetrics } from './server-metrics.ts';
import { Serving } from './serving.ts';
import { WorkerStore } from './store.ts';
import { TlsServer } from './tls.ts';
import { openUploads, type UploadParts } from './upload-opening.ts';
import type { AdminAnswer } from './wire-admin.ts';
import { type TableRow, tableText } from './wire-datagram.ts';

/** Everything that is queued has this long to go out when the server ends. */
const STOP_MS = 2000;
const STORE_MS = 3000;
const BAN_RETRY_MS = 5000;
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
  if (options?.check) return look(options);
  if (options?.backup !== undefined) return copy(options.data, options.backup);
  if (options) await run(options);
}

/** Its modules are loaded for this only: a server starts sooner without them. */
async function look(options: ServerOptions): Promise<void> {
  const { check } = await import('./check.ts');
  // nobody reads on: `parley-server … --check | head`; a full disk hides what was found
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') fail(1, `standard output: ${message}`);
  });
  process.exitCode = await check(options, process.env, print);
}

async function copy(data: string, to: string): Promise<void> {
  try {
    const { backUp } = await import('./backup.ts');
    const { bytes, ms } = await backUp(data, to);
    print(`${to}: ${bytes} bytes, checked, in ${ms} ms`);
  } catch (error) {
    fail(1, (error as Error).message);
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
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

  // before they have been read, there is nothing to read again
  let reloadAll = (): string => 'not read yet';
  process.on('SIGHUP', () => {
    try {
      reloadAll();
    } catch (error) {
      log('error', 'not read again', { reason: (error as Error).message });
    }
  });

  const metrics = new ServerMetrics();
  // its thread starts while the ports are bound
  const store = new WorkerStore({
    onTrouble: (reason, lost) => {
      metrics.storeTrouble(reason);
      if (reason === undefined) log('warn', 'messages are kept again', { lost });
      else log('error', 'messages are not kept', { reason, lost });
    },
    onLost: (posts) => metrics.lost(posts),
  });
  for (const name of unknownVariables(process.env)) log('warn', 'unknown variable', { name });
  const tls = openTls(options);
  if (tls) warnOfDates(tls, log);
  const { host, sendqBytes, requireTls } = options;
  const bans = new Bans(
    store,
    Date.now,
    (error) => tellOfBans(error, log),
    (work) => setTimeout(work, BAN_RETRY_MS),
  );
  const gate = openGate(options, bans);
  const serving = new Serving();
  const listener = new Listener({ host, sendqBytes, log, metrics, gate, serving, tls, requireTls });
  const bound = await bind(listener, options, log);
  await openStore(store, options);

  metrics.storeTrouble(undefined);
  const backbone = new LocalBackbone(metrics.watch(store));
  bans.load(await store.bans());
  const now = () => performance.now();
  const masks = new MaskCache();
  const maskMatches = (mask: string, person: Person) => masks.matches(mask, person);
  const source = () => serving.source;
  const limits = { whisperMs: options.whisperMs };
  const house = new GuardedHouse({ backbone, wall: Date.now, onBug, bans, now, source, maskMatches, limits });
  const accounts = new Accounts({ backbone, hasher: new Passwords(), wall: Date.now, now });
  await takeOver(options, accounts, log);
  const uploads = await keepUploads(options, { house, accounts, bans, gate, log, metrics, random: randomToken });
  const files = new Files({ random: randomToken, isOpen: options.openFiles });
  const mainPort = bound.find(({ name }) => name === 'tcp')?.port ?? options.port;
  const irc = openIrc(options, mainPort);
  reloadAll = () => reload({ tls, gate, irc, options, log });
  const console = new Console({
    house,
    gate,
    // what was typed on the very screen that the log is on stands there already
    log: (level, event, fields) =>
      fields?.by === 'console' && screen?.showsLog ? undefined : log(level, event, fields),
    stop: (reason) => stop(reason),
    expelFrom: (isThere, reason) => listener.expelFrom(isThere, reason),
    reload: () => reloadAll(),
  });
  const dialects = dialectTable({
    house,
    files,
    filesPort: mainPort,
    studentId: options.studentId,
    advertise: options.advertise,
    kill: options.kill,
    udpIdleMs: options.udpIdleMs,
    stop: (reason) => stop(reason),
    broadcast: () => listener.broadcast(),
    accounts,
    doors: listener.doors,
    // what is said inside TLS is told to nobody outside of this machine
    multicast: new MulticastSocket(requireTls ? '127.0.0.1' : options.multicastIf, log),
    strictLobby: options.strictLobby,
    now,
    backbone,
    mailboxes: listener.mailboxes,
    wall: Date.now,
    irc: irc.settings,
    masks,
    expel: ({ name }, reason) => house.expelNamed(name, reason),
    onTable: options.verbose ? (rows) => show(tableOf(rows)) : undefined,
    toOperator: (name, text) => {
      if (screen) screen.print(console.heard(name, text));
      else log('info', 'said to the operator', { name, text: text.slice(0, LOGGED_CHARS) });
    },
    onBug,
  });
  const show = (text: string) => (screen ? screen.print(text) : print(text));
  const admin = await openAdmin(options, log, (command) => console.answer(command, 'admin socket'));
  let stopping = false;
  stop = (reason) => {
    if (stopping) return;
    stopping = true;
    metrics.storeTrouble('the server is stopping');
    admin?.close();
    screen?.close();
    screen = undefined;
    log('info', 'stopping', { reason });
    const graceMs = closeAll(dialects, reason);
    house.close(reason);
    bans.retry();
    const saved = Promise.race([store.close(), pause(STORE_MS)]);
    Promise.resolve(graceMs > 0 ? pause(graceMs) : undefined)
      .then(() => listener.stop(STOP_MS, saved))
      .then(() => process.exit(0))
      .catch((error) => fail(1, `it did not end in order: ${stackOf(error)}`));
  };
  listener.serve(dialects, new Http({ files, log, metrics, metricsToken: options.metricsToken, uploads }));
  process.stdout.write(`ready ${bound.map(({ name, port }) => `${name}=${port}`).join(' ')}\n`);
  log('info', 'ready', { data: options.data, ...Object.fromEntries(bound.map(({ name, port }) => [name, port])) });
  if (tls) print(`tls sha256=${tls.facts.fingerprint}`);
  tellReady(log);
  if (options.console || hasOperator()) screen = new ConsoleScreen(console, () => stop('the terminal was left'));
}

/** What is wrong with the files is found out before anybody can connect. */
function openTls({ tls, makeDirectory, data }: ServerOptions): TlsServer | undefined {
  if (!tls) return undefined;
  try {
    if (tls.kind === 'self' && tls.file !== undefined && makeDirectory) makeDirectoryOf(data);
    return new TlsServer(tls);
  } catch (error) {
    fail(1, `TLS: ${(error as Error).message}`);
  }
}

/** What is wrong with the file is found out before anybody can connect. */
function openGate(options: ServerOptions, bans: Bans): Gate {
  try {
    return new Gate(readLimitsOf(options), bans);
  } catch (error) {
    fail(2, (error as Error).message);
  }
}

/** What is wrong with the message of the day is found out before anybody can connect. */
function openIrc(options: ServerOptions, port: number): IrcOpening {
  try {
    return new IrcOpening(options, port);
  } catch (error) {
    fail(1, (error as Error).message);
  }
}

/** A server can do without, unless it was asked for. */
async function openAdmin(
  { admin }: ServerOptions,
  log: Log,
  run: (command: string) => Promise<AdminAnswer>,
): Promise<AdminSocket | undefined> {
  if (!admin) return undefined;
  try {
    return await AdminSocket.open(admin.path, run);
  } catch (error) {
    const { message } = error as Error;
    if (admin.isAsked) fail(1, `--admin: ${message}`);
    log('warn', 'no admin socket', { reason: message });
    return undefined;
  }
}

function tellOfBans(error: unknown, log: Log): void {
  if (error === undefined) log('warn', 'bans are kept again');
  else log('error', 'bans are not kept', { reason: (error as Error).message });
}

function makeDirectoryOf(data: string): void {
  mkdirSync(path.dirname(data), { recursive: true, mode: 0o700 });
}

/** As the server of the exercise prints it. */
function tableOf(rows: readonly TableRow[]): string {
  return `>>> [Client table updated.]\n${tableText(rows)}`;
}

/** Says how long connections are to stay open. */
function closeAll(dialects: DialectTable, reason: string): number {
  return Math.max(...Object.values(dialects).map((dialect) => dialect.close?.(reason) ?? 0));
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

async function openStore(store: WorkerStore, { data, makeDirectory, whisperMs }: ServerOptions): Promise<void> {
  try {
    if (makeDirectory && data !== ':memory:') makeDirectoryOf(data);
    await store.open(data, DEFAULT_LIMITS.rooms, whisperMs);
  } catch (error) {
    fail(1, `${(error as Error).message} (--data chooses another file)`);
  }
}

/** What is there already is known before anybody can ask for it. */
async function keepUploads(
  { uploads, publicUrl }: ServerOptions,
  parts: UploadParts,
): Promise<HttpUploads | undefined> {
  if (!uploads) return undefined;
  try {
    return await openUploads(uploads, publicUrl, parts);
  } catch (error) {
    fail(1, `${(error as Error).message} (--uploads off does without)`);
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

function explainBind(port: number, host: string, error: NodeJS.ErrnoException): string {
  const { code, message } = error;
  const where = `port ${port}${host === '' ? '' : ` of ${host}`}`;
  if (code === 'EADDRINUSE') return `${where} is taken by another program`;
  if (code === 'EACCES') return `no permission to listen on ${where}`;
  if (isForeign(host, error)) return `${host} is not an address of this machine`;
  return `can't listen on ${where}: ${message}`;
}

function fail(status: number, message: string): never {
  process.stderr.write(`parley-server: ${message}\n`);
  process.exit(status);
}

main().catch((error) => fail(1, stackOf(error)));
