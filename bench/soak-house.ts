// The server that is soaked or fuzzed: started, killed without warning, started again on the same ports and the same
// database; what it logs that it should not, its memory, its descriptors.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTempDir, ROOT, readRssKb } from './harness.ts';

export const HOST = '127.0.0.1';
const START_MS = 15_000;
const STOP_MS = 10_000;
const MAX_SHOWN = 20;
/** Below what systems give to outgoing connections: on such a port a client could connect to itself. */
const PORTS = { from: 20_000, to: 30_000 };
const BAD_LINE = /^\S+ (?:error|warn ) |"level":"(?:error|warn)"|Warning:|^\s+at |Uncaught|panic/;
/** Machines without a network for multicast. */
const FORGIVEN = / no multicast/;

export interface HouseOptions {
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Lines that are no complaint here. */
  readonly forgiven?: RegExp;
}

export class House {
  readonly data = path.join(makeTempDir(), 'house.db');
  readonly #options: HouseOptions;
  #child: ChildProcess | undefined;
  #stdout = '';
  /** Lines on stderr that should not be there. */
  readonly complaints: string[] = [];
  port = 0;
  pipe = 0;
  /** How often it was started; whether it may be talked to. */
  lives = 0;
  isUp = false;

  constructor(options: HouseOptions) {
    this.#options = options;
    process.once('exit', () => this.#child?.kill('SIGKILL'));
  }

  get pid(): number {
    return this.#child?.pid as number;
  }

  get hasEnded(): boolean {
    return this.#child?.exitCode !== null || this.#child.signalCode !== null;
  }

  async start(): Promise<void> {
    this.lives++;
    if (this.port === 0) [this.port, this.pipe] = [await freePort(), await freePort()];
    const [program = '', ...before] = this.#options.command;
    const words = [String(this.port), '--pipe', String(this.pipe), '--data', this.data, '--kill', 'off'];
    const child = spawn(program, [...before, ...words, ...this.#options.args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: cleanEnvironment(),
    });
    this.#child = child;
    this.#stdout = '';
    this.#watch(child);
    const deadline = Date.now() + START_MS;
    while (!/^ready .*\n/m.test(this.#stdout)) {
      if (this.hasEnded || Date.now() > deadline) throw new Error(`not ready: ${this.complaints.join('; ')}`);
      await sleep(10);
    }
    this.isUp = true;
  }

  async kill(): Promise<void> {
    this.isUp = false;
    const child = this.#child as ChildProcess;
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    await gone;
  }

  /** In order; its exit status. */
  async stop(): Promise<number | null> {
    this.isUp = false;
    const child = this.#child as ChildProcess;
    if (this.hasEnded) return child.exitCode;
    const gone = once(child, 'close');
    child.kill('SIGTERM');
    await Promise.race([gone, sleep(STOP_MS, undefined, { ref: false })]);
    return child.exitCode;
  }

  rssMb(): number {
    return readRssKb(this.pid) / 1024;
  }

  descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** How many there are when they are as few as is due, or after so long. */
  async descriptorsBack(due: number, withinMs: number): Promise<number> {
    for (const end = performance.now() + withinMs; this.descriptors() > due && performance.now() < end; )
      await sleep(100);
    return this.descriptors();
  }

  #watch(child: ChildProcess): void {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-2000);
    });
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()?.slice(-10_000) ?? '';
      for (const line of lines) this.#look(line);
    });
  }

  #look(line: string): void {
    if (!BAD_LINE.test(line) || FORGIVEN.test(line) || this.#options.forgiven?.test(line)) return;
    if (this.complaints.length < MAX_SHOWN) this.complaints.push(line.slice(0, 1000));
  }
}

async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    const server = net.createServer();
    try {
      server.listen(port, '::');
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
      return port;
    } catch {
      // somebody has it
    }
  }
  throw new Error('no free port');
}

/** Nothing that would change the server's settings. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (name.startsWith('PARLEY_') || name === 'NODE_OPTIONS') delete env[name];
  return env;
}
