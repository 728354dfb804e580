// Starts parley-server for the integration tests, and plays the classic clients: raw bytes over TCP and UDP.
// The server is dist/parley-server, or the command in PARLEY_SERVER (words apart by blanks, run in the root of
// the project). Every wait has a limit and tells what had come by then; `limited` makes tests that leave
// nothing behind: no process, no socket, no file.

import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';

export const ROOT = path.join(import.meta.dirname, '..');
/** Long enough for a busy machine; what is there is answered at once. */
const WAIT_MS = 10_000;
const PORT_TRIES = 20;
const PORT_TAKEN_MS = 250;
const START_MS = 10_000;
/** Of what was due and what came. */
const SHOWN_CHARS = 800;

const leftovers: Array<() => unknown> = [];
const servers = new Set<Program>();

type Test = (name: string, work: () => Promise<void>) => void;

/** Tests with a time limit. Afterwards everything started is gone, and no server has met a bug of its own. */
export function limited(test: Test): (name: string, work: () => Promise<void>, seconds?: number) => void {
  return (name, work, seconds = 30) =>
    test(name, async () => {
      try {
        await within(work(), seconds * 1000, () => 'the test did not end');
        for (const { stderr } of servers) {
          const bug = /^.*(?: error bug |"event":"bug"|Warning:).*$/m.exec(stderr);
          if (bug) throw new Error(`the server logged: ${bug[0]}`);
        }
      } finally {
        await cleanUp();
      }
    });
}

async function cleanUp(): Promise<void> {
  servers.clear();
  for (const undo of leftovers.splice(0).reverse()) await undo();
}

async function within<T>(work: Promise<T>, ms: number, state: () => string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${ms} ms: ${state()}`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
  leftovers.push(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Something that changes, and can be waited for. */
class Watched {
  readonly #watchers = new Set<() => void>();

  protected changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Until `look` finds something (or throws). */
  protected async until<T>(look: () => T | undefined, ms: number, state: () => string): Promise<T> {
    const now = look();
    if (now !== undefined) return now;
    let watcher = () => {};
    const found = new Promise<T>((resolve, reject) => {
      watcher = () => {
        try {
          const value = look();
          if (value !== undefined) resolve(value);
        } catch (error) {
          reject(error);
        }
      };
      this.#watchers.add(watcher);
    });
    try {
      return await within(found, ms, state);
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}

// --- processes -------------------------------------------------------------------------------------------

export interface Exit {
  readonly status: number | null;
  readonly signal: string | null;
}

export interface StartOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The whole command, instead of the server's. */
  readonly command?: readonly string[];
  readonly cwd?: string;
  /** 0 (any free one) unless told. */
  readonly port?: number | 'none';
  /** A file in a directory of its own unless told. */
  readonly data?: string | 'none';
}

/** A process: what it has written so far and how it ended. */
export class Program extends Watched {
  readonly #child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';
  #exit: Exit | undefined;

  constructor({ args = [], env = {}, command = serverCommand(), cwd = ROOT, port = 0, data = 'none' }: StartOptions) {
    super();
    const [program = '', ...before] = command;
    const words = [...before, ...(port === 'none' ? [] : [String(port)]), ...(data === 'none' ? [] : ['--data', data])];
    this.#child = spawn(program, [...words, ...args], { cwd, env: { ...cleanEnvironment(), ...env } });
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
      this.changed();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
      this.changed();
    });
    // one that has ended reads no more
    this.#child.stdin.on('error', () => {});
    this.#child.on('error', (error) => this.#ended({ status: null, signal: error.message }));
    this.#child.on('close', (status, signal) => this.#ended({ status, signal }));
    leftovers.push(() => {
      this.kill('SIGKILL');
      return this.exit();
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** What its user types, or a pipe brings. */
  type(text: string): void {
    this.#child.stdin.write(text);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /** Waits for something on stdout; the match. */
  printed(pattern: RegExp, ms = WAIT_MS): Promise<RegExpExecArray> {
    return this.until(
      () => pattern.exec(this.stdout) ?? undefined,
      ms,
      () => `${pattern} was not printed; ${this.#written()}`,
    );
  }

  kill(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  exit(ms = WAIT_MS): Promise<Exit> {
    return this.until(
      () => this.#exit,
      ms,
      () => `still running; ${this.#written()}`,
    );
  }

  /** Waits for a line on stderr; the match. */
  logged(pattern: RegExp, ms = WAIT_MS): Promise<RegExpExecArray> {
    return this.until(
      () => pattern.exec(this.stderr) ?? undefined,
      ms,
      () => `${pattern} was not logged; ${this.#written()}`,
    );
  }

  /** The ready line's ports; fails when the process ends before it. */
  ready(): Promise<Readonly<Record<string, number>>> {
    const look = () => {
      const line = /^ready (.+)\n/.exec(this.stdout)?.[1];
      if (line === undefined && this.#exit) throw new Error(`ended with ${this.#exit.status}; ${this.#written()}`);
      return line && Object.fromEntries(line.split(' ').map((one) => [one.split('=')[0], Number(one.split('=')[1])]));
    };
    return this.until(
      () => look() || undefined,
      START_MS,
      () => `not ready; ${this.#written()}`,
    );
  }

  /** Resident memory in MB. */
  memory(): number {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  #ended(exit: Exit): void {
    this.#exit ??= exit;
    this.changed();
  }

  #written(): string {
    return `stdout: ${JSON.stringify(this.stdout)}, stderr: ${JSON.stringify(this.stderr.slice(-2000))}`;
  }
}

/** A server that is ready. */
export class Server extends Program {
  readonly data: string;
  ports: Readonly<Record<string, number>> = {};

  constructor(options: StartOptions & { readonly data: string }) {
    super(options);
    this.data = options.data;
    servers.add(this);
  }

  get tcp(): number {
    return this.ports.tcp as number;
  }

  get udp(): number {
    return this.ports.udp as number;
  }
}

export async function start(options: StartOptions = {}): Promise<Server> {
  const data = options.data ?? path.join(temporaryDirectory(), 'house.db');
  for (let tries = 1; ; tries++) {
    const server = new Server({ ...options, data });
    try {
      server.ports = await server.ready();
      return server;
    } catch (error) {
      // a port that was ours may have become that of somebody's connection, for a moment
      if (tries === PORT_TRIES || !server.stderr.includes('is taken by another program')) throw error;
      await pause(PORT_TAKEN_MS);
    }
  }
}

/** Runs one that is to end by itself. */
export async function runToEnd(
  options: StartOptions,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const program = new Program(options);
  const { status } = await program.exit(START_MS);
  return { status, stdout: program.stdout, stderr: program.stderr };
}

/** Deno is not told that standard output is full. */
export const isDeno = `${process.env.PARLEY_SERVER}`.includes('deno');

export function serverCommand(): string[] {
  return command(process.env.PARLEY_SERVER, 'parley-server');
}

export function clientCommand(): string[] {
  return command(process.env.PARLEY_CLIENT, 'parley-client');
}

function command(given: string | undefined, name: string): string[] {
  if (given?.trim()) {
    const [program = '', ...args] = given.trim().split(/\s+/);
    return [program === 'deno' ? denoItself() : program, ...args.map(fromRoot)];
  }
  const built = path.join(ROOT, 'dist', name);
  if (!fs.existsSync(built)) throw new Error(`dist/${name} is missing: run ./compile.sh first`);
  return [built];
}

/** Some tests start it elsewhere. */
function fromRoot(word: string): string {
  const file = path.join(ROOT, word);
  return !word.startsWith('-') && fs.existsSync(file) ? file : word;
}

/** The npm package's `deno` starts the program as a child and keeps the signals from it. */
function denoItself(): string {
  return execFileSync('deno', ['eval', 'console.log(Deno.execPath())'], { encoding: 'utf8' }).trim();
}

/** The tests' own settings, and nothing that would change the server's; ten servers have ports for `pipe`, not all. */
function cleanEnvironment(): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = { ...process.env };
  for (const name of Object.keys(env)) if (name.startsWith('PARLEY_') || name === 'NODE_OPTIONS') delete env[name];
  return { ...env, PARLEY_PIPE: 'off' };
}

// --- a TCP client ----------------------------------------------------------------------------------------

export class Client extends Watched {
  readonly #socket: net.Socket;
  #received: Buffer = Buffer.alloc(0);
  #pieces: Buffer[] = [];
  #length = 0;
  #end: string | undefined;

  static async connect(port: number, host = '127.0.0.1'): Promise<Client> {
    const socket = net.connect({ port, host, noDelay: true, allowHalfOpen: true });
    leftovers.push(() => socket.destroy());
    await within(once(socket, 'connect'), WAIT_MS, () => `no connection to ${host}:${port}`);
    return new Client(socket);
  }

  constructor(socket: net.Socket) {
    super();
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#pieces.push(bytes);
      this.#length += bytes.length;
      this.changed();
    });
    const ended = (how: string) => {
      this.#end ??= how;
      this.changed();
    };
    socket.on('end', () => {
      ended('end');
      socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => ended(error.code ?? error.message));
    socket.on('close', () => ended('close'));
  }

  /** Its own end of the connection, as the server sees it. */
  get port(): number {
    return this.#socket.localPort as number;
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Every byte a segment of its own. */
  async sendByByte(text: string): Promise<void> {
    for (const byte of Buffer.from(text)) {
      await new Promise((resolve) => this.#socket.write(Buffer.of(byte), resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Resolves when all that was sent has left, or can't any more. */
  async sent(ms = WAIT_MS): Promise<void> {
    if (this.#socket.writableLength === 0) return;
    const gone = Promise.race([once(this.#socket, 'drain'), once(this.#socket, 'close')]);
    await within(gone, ms, () => `${this.#socket.writableLength} bytes are not taken; ${this.#state()}`);
  }

  halfClose(): void {
    this.#socket.end();
  }

  /** Gone without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  stopReading(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  /** These bytes come next; or text that the pattern matches from its beginning. The text. */
  async expect(expected: string | RegExp, ms = WAIT_MS): Promise<string> {
    const look = typeof expected === 'string' ? () => this.#lookForText(expected) : () => this.#lookFor(expected);
    return this.until(look, ms, () => `${show(expected)} did not come; ${this.#state()}`);
  }

  /** The next bytes, however many. */
  async take(count: number, ms = WAIT_MS): Promise<string> {
    const look = () => (this.#length >= count ? this.#takeBytes(count) : this.#mustGoOn(`${count} bytes`));
    return this.until(look, ms, () => `${count} bytes did not come; ${this.#state()}`);
  }

  /** The next bytes, which need not be UTF-8. */
  async takeRaw(count: number, ms = WAIT_MS): Promise<Buffer> {
    const look = () => {
      if (this.#length < count) return this.#mustGoOn(`${count} bytes`);
      const bytes = this.#gather().subarray(0, count);
      this.#takeBytes(count);
      return bytes;
    };
    return this.until(look, ms, () => `${count} bytes did not come; ${this.#state()}`);
  }

  /** What comes up to the end, which is one without an error. */
  async toEnd(ms = WAIT_MS): Promise<string> {
    const how = await this.#over(ms);
    if (how !== 'end') throw new Error(`ended with ${how}; ${this.#state()}`);
    return this.#takeBytes(this.#length);
  }

  /** The connection ends in whatever way. */
  async gone(ms = WAIT_MS): Promise<void> {
    await this.#over(ms);
  }

  /** Nothing comes, and the connection stays open. */
  async silent(ms: number): Promise<void> {
    await pause(ms);
    if (this.#length > 0 || this.#end !== undefined) throw new Error(`not silent: ${this.#state()}`);
  }

  #over(ms: number): Promise<string> {
    return this.until(
      () => this.#end,
      ms,
      () => `no end; ${this.#state()}`,
    );
  }

  #lookForText(text: string): string | undefined {
    const expected = Buffer.from(text);
    const got = this.#gather().subarray(0, expected.length);
    if (!got.equals(expected.subarray(0, got.length))) throw new Error(`${show(text)} was due; ${this.#state()}`);
    return got.length === expected.length ? this.#takeBytes(got.length) : this.#mustGoOn(show(text));
  }

  #lookFor(pattern: RegExp): string | undefined {
    const match = new RegExp(`^(?:${pattern.source})`, pattern.flags).exec(this.#gather().toString());
    return match ? this.#takeBytes(Buffer.byteLength(match[0])) : this.#mustGoOn(show(pattern));
  }

  #mustGoOn(what: string): undefined {
    if (this.#end !== undefined) throw new Error(`${what} was due, the connection is over (${this.#state()})`);
  }

  #gather(): Buffer {
    if (this.#pieces.length > 0) this.#received = Buffer.concat([this.#received, ...this.#pieces]);
    this.#pieces = [];
    return this.#received;
  }

  #takeBytes(count: number): string {
    const text = this.#gather().toString('utf8', 0, count);
    this.#received = this.#received.subarray(count);
    this.#length -= count;
    return text;
  }

  #state(): string {
    const text = this.#gather().toString('utf8', 0, SHOWN_CHARS);
    return `received ${this.#length} bytes: ${JSON.stringify(text)}${this.#end === undefined ? '' : `, then ${this.#end}`}`;
  }
}

function show(expected: string | RegExp): string {
  const text = typeof expected === 'string' ? JSON.stringify(expected) : String(expected);
  return text.length <= SHOWN_CHARS ? text : `${text.slice(0, SHOWN_CHARS)}... (${text.length} characters)`;
}

// --- a UDP client ----------------------------------------------------------------------------------------

export class Datagrams extends Watched {
  readonly #socket: dgram.Socket;
  readonly #received: string[] = [];
  readonly port: number;

  static async open(host = '127.0.0.1'): Promise<Datagrams> {
    const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.bind(0, host, resolve));
    leftovers.push(() => socket.close());
    return new Datagrams(socket);
  }

  constructor(socket: dgram.Socket) {
    super();
    this.#socket = socket;
    this.port = socket.address().port;
    socket.on('message', (bytes) => {
      this.#received.push(bytes.toString());
      this.changed();
    });
    socket.on('error', () => {}); // ECONNREFUSED, after the server's end
  }

  send(text: string | Uint8Array, port: number, host = '127.0.0.1'): void {
    this.#socket.send(text, port, host);
  }

  /** The next datagram is this one, or one that the pattern matches whole. */
  async expect(expected: string | RegExp, ms = WAIT_MS): Promise<string> {
    const text = await this.next(ms, show(expected));
    const fits =
      typeof expected === 'string'
        ? text === expected
        : new RegExp(`^(?:${expected.source})$`, expected.flags).test(text);
    if (!fits) throw new Error(`${show(expected)} was due, came: ${JSON.stringify([text, ...this.#received])}`);
    return text;
  }

  next(ms = WAIT_MS, what = 'a datagram'): Promise<string> {
    return this.until(
      () => this.#received.shift(),
      ms,
      () => `${what} did not come; received ${JSON.stringify(this.#received)}`,
    );
  }

  /** Whether there is anything by then that was not looked at. */
  hasCome(ms: number): Promise<boolean> {
    const has = this.until(
      () => this.#received.length > 0 || undefined,
      ms,
      () => '',
    );
    return has.catch(() => false);
  }

  /** What has come and was not looked at. */
  rest(): string[] {
    return this.#received.splice(0);
  }

  async silent(ms: number): Promise<void> {
    await pause(ms);
    if (this.#received.length > 0) throw new Error(`not silent: ${JSON.stringify(this.#received)}`);
  }
}

// --- the lab dialect, as its pages spell it --------------------------------------------------------------

export function join(room: string, name: string, ip: string | number = 0, port: string | number = 0): string {
  return `JOIN_CHATROOM: ${room}\nCLIENT_IP: ${ip}\nPORT: ${port}\nCLIENT_NAME: ${name}\n`;
}

export function leave(ref: number | string, id: number | string, name: string): string {
  return `LEAVE_CHATROOM: ${ref}\nJOIN_ID: ${id}\nCLIENT_NAME: ${name}\n`;
}

export function disconnect(name: string): string {
  return `DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: ${name}\n`;
}

export function chat(ref: number | string, id: number | string, name: string, text: string): string {
  return `CHAT: ${ref}\nJOIN_ID: ${id}\nCLIENT_NAME: ${name}\nMESSAGE: ${text}\n\n`;
}

export function joined(room: string, server: Server, ref: number | string, id: number | string): string {
  return `JOINED_CHATROOM: ${room}\nSERVER_IP: 127.0.0.1\nPORT: ${server.tcp}\nROOM_REF: ${ref}\nJOIN_ID: ${id}\n`;
}

export function left(ref: number | string, id: number | string): string {
  return `LEFT_CHATROOM: ${ref}\nJOIN_ID: ${id}\n`;
}

export function said(ref: number | string, name: string, text: string): string {
  return `CHAT: ${ref}\nCLIENT_NAME: ${name}\nMESSAGE: ${text}\n\n`;
}

export function hasJoined(ref: number | string, name: string): string {
  return said(ref, name, `${name} has joined this chatroom.`);
}

export function hasLeft(ref: number | string, name: string): string {
  return said(ref, name, `${name} has left this chatroom.`);
}

export function error(code: number): RegExp {
  return new RegExp(`ERROR_CODE: ${code}\nERROR_DESCRIPTION: [^\n]+\n`);
}

// --- what a server left behind ---------------------------------------------------------------------------

/** Reads a copy, so that the file stays as a crash left it. */
export function copyOfData(file: string): string {
  const copy = path.join(temporaryDirectory(), 'copy.db');
  for (const part of ['', '-wal']) if (fs.existsSync(file + part)) fs.copyFileSync(file + part, copy + part);
  return copy;
}

export function externalIp(): string | undefined {
  const all = Object.values(os.networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

export function hasIpv6Loopback(): boolean {
  return Object.values(os.networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
}

// --- the menu dialect --------------------------------------------------------------------------------------

/** In the room `main`, where all members of the menu dialect are: hears who joins it and what is said. */
export async function watchMain(server: Server): Promise<Client> {
  const watcher = await Client.connect(server.tcp);
  watcher.send(join('main', 'watcher'));
  await watcher.expect(/JOINED_CHATROOM: main\n[\s\S]*?watcher has joined this chatroom\.\n\n/);
  return watcher;
}

/** Until the watcher has heard that. */
export async function heard(watcher: Client, what: string, ms = WAIT_MS): Promise<void> {
  await watcher.expect(new RegExp(`[\\s\\S]*?MESSAGE: ${what.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}\n\n`, 'u'), ms);
}

/** Java's writeUTF: a length of two bytes, then modified UTF-8. */
export function writeUtf(...texts: readonly string[]): Buffer {
  const bytesOf = (unit: number): number[] => {
    if (unit > 0 && unit < 0x80) return [unit];
    if (unit < 0x800) return [0xc0 | (unit >> 6), 0x80 | (unit & 0x3f)];
    return [0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)];
  };
  const frames = texts.map((text) => {
    const bytes = Array.from({ length: text.length }, (_, at) => bytesOf(text.charCodeAt(at))).flat();
    return Buffer.from([bytes.length >> 8, bytes.length & 0xff, ...bytes]);
  });
  return Buffer.concat(frames);
}

export interface MenuOptions {
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** 0 (any free one) unless told. */
  readonly listen?: number;
}

/** parley-client in the form that the exercise gives it, in a directory of its own unless told. */
export function startMenu(port: number, options: MenuOptions = {}): Program {
  const { args = [], cwd = temporaryDirectory(), listen = 0 } = options;
  const words = ['-l', String(listen), '-p', String(port), ...args];
  return new Program({ command: [...clientCommand(), ...words], port: 'none', cwd });
}

/** Looks again and again, where nothing tells that something has changed. */
export async function eventually<T>(look: () => T | undefined, what: string, ms = WAIT_MS): Promise<T> {
  for (const since = performance.now(); ; await pause(10)) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() - since > ms) throw new Error(`after ${ms} ms: ${what}`);
  }
}

// --- a terminal ------------------------------------------------------------------------------------------

const PTY = `
import fcntl, os, pty, select, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', int(sys.argv[1]), int(sys.argv[2]), 0, 0))
    os.execvp(sys.argv[3], sys.argv[3:])
sources = [0, fd]
while True:
    for ready in select.select(sources, [], [])[0]:
        try:
            data = os.read(ready, 65536)
        except OSError:
            data = b''
        if ready == 0 and not data:
            sources.remove(0)
        elif ready == fd and not data:
            status = os.waitpid(pid, 0)[1]
            sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
        else:
            os.write(fd if ready == 0 else 1, data)
`;

/** Whether programs can be run on a pseudo-terminal here. */
export function hasTerminals(): boolean {
  return spawnSync('python3', ['-c', 'import pty, fcntl, termios']).status === 0;
}

/** A program on a terminal, and what a person sees there. */
export class Terminal {
  readonly program: Program;
  readonly #screen: TerminalScreen;
  #drawn = 0;

  constructor(command: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}, size = [24, 120]) {
    const [rows = 24, columns = 120] = size;
    this.#screen = new TerminalScreen(columns, rows);
    const words = ['python3', '-c', PTY, String(rows), String(columns), ...command];
    this.program = new Program({ command: words, port: 'none', cwd, env: { TERM: 'xterm', ...env } });
  }

  type(text: string): void {
    this.program.type(text);
  }

  /** All rows, also those that have gone out above, with the cursor as a bar. */
  rows(): string[] {
    const { stdout } = this.program;
    this.#screen.write(stdout.slice(this.#drawn));
    this.#drawn = stdout.length;
    return this.#screen.rows();
  }

  /** Until these are the last rows. */
  async endsWith(...expected: ReadonlyArray<string | RegExp>): Promise<void> {
    const fits = (row: string | undefined, one: string | RegExp) =>
      typeof one === 'string' ? row === one : one.test(row ?? '');
    const last = () => this.rows().slice(-expected.length);
    try {
      await eventually(() => expected.every((one, at) => fits(last()[at], one)) || undefined, '');
    } catch {
      throw new Error(`the screen should end with\n${expected.join('\n')}\nbut is\n${this.rows().join('\n')}`);
    }
  }
}

/** What a terminal makes of what is written: as much of it as our screen needs. */
class TerminalScreen {
  readonly #columns: number;
  readonly #height: number;
  readonly #grid: string[][] = [[]];
  #row = 0;
  #column = 0;
  #wraps = true;
  #rest = '';

  constructor(columns: number, height: number) {
    this.#columns = columns;
    this.#height = height;
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const parts = /\x1b\[([\d;?]*)([A-Za-z])|\x1b[^[]?|\x1b\[[\d;?]*$|[^\x1b]/gu;
    const all = this.#rest + text;
    this.#rest = '';
    for (const { 0: part, 1: argument = '', 2: code } of all.matchAll(parts)) {
      if (code) this.#control(code, argument);
      else if (part.startsWith('\x1b')) this.#rest = part;
      else if (part === '\r') this.#column = 0;
      else if (part === '\n') this.#rowAt(++this.#row);
      else if (part >= ' ') this.#letter(part);
    }
  }

  rows(): string[] {
    const shown = this.#grid.map((cells, row) => {
      const text = Array.from(cells, (cell) => cell ?? ' ');
      while (row === this.#row && text.length < this.#column) text.push(' ');
      if (row === this.#row) text.splice(this.#column, 0, '|');
      return text.join('').trimEnd();
    });
    while (shown.at(-1) === '') shown.pop();
    return shown;
  }

  #rowAt(row: number): string[] {
    while (this.#grid.length <= row) this.#grid.push([]);
    return this.#grid[row] as string[];
  }

  #letter(char: string): void {
    const width = /[\u3000-\uffee]/.test(char) ? 2 : 1;
    if (this.#column + width > this.#columns) {
      if (this.#wraps) this.#row++;
      this.#column = this.#wraps ? 0 : this.#columns - width;
    }
    const cells = this.#rowAt(this.#row);
    cells[this.#column] = char;
    if (width === 2) cells[this.#column + 1] = '';
    this.#column += width;
  }

  #control(code: string, argument: string): void {
    const count = Number.parseInt(argument, 10) || 1;
    if (code === 'A') this.#row = Math.max(0, this.#row - count, this.#grid.length - this.#height);
    else if (code === 'B') this.#row += count;
    else if (code === 'C') this.#column += count;
    else if (code === 'D') this.#column = Math.max(0, Math.min(this.#column, this.#columns - 1) - count);
    else if (code === 'G') this.#column = count - 1;
    else if (code === 'J') this.#clearDown();
    else if (code === 'K') this.#rowAt(this.#row).splice(this.#column);
    else if (argument === '?7') this.#wraps = code === 'h';
    else if (code !== 'm') throw new Error(`the screen has no ${argument}${code}`);
  }

  #clearDown(): void {
    this.#rowAt(this.#row).splice(this.#column);
    this.#grid.splice(this.#row + 1);
  }
}
