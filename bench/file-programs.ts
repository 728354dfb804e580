// Programs that the file benchmark starts and that are no server and no driver of its own: `parley-client`, curl.
// They are killed when the script ends, however it ends.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from './harness.ts';

const POLL_MS = 5;
const START_TIMEOUT_MS = 10_000;
const MENU = "Enter an option ('m', 'f', 'x'):";

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

function start(command: string[]): ChildProcess {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] });
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
}

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Runs a program to its end and returns what it prints. */
export function runProgram(command: string[], timeoutMs: number): Promise<string> {
  const child = start(command);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    stdout += part;
  });
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    stderr = (stderr + part).slice(-2000);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(stdout);
      else reject(new Error(`${command[0]}: ${stderr.trim() || (signal ?? `status ${code}`)}`));
    });
  });
}

/** A `parley-client` that is fed lines as from a pipe that stays open. */
export class MenuClient {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #screen = '';
  #hasEnded = false;

  /** Ready when the menu is there: the server has let it in then. */
  static async open(command: string[], name: string): Promise<MenuClient> {
    const client = new MenuClient(command);
    client.type(name);
    await client.until(() => client.#screen.includes(MENU), START_TIMEOUT_MS);
    return client;
  }

  private constructor(command: string[]) {
    this.#child = start(command);
    const note = (part: string): void => {
      this.#screen = (this.#screen + part).slice(-4000);
    };
    this.#child.stdout?.setEncoding('utf8').on('data', note);
    this.#child.stderr?.setEncoding('utf8').on('data', note);
    this.#child.stdin?.on('error', () => {});
    this.#child.once('error', (error) => note(error.message));
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        this.#hasEnded = true;
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  type(...lines: string[]): void {
    this.#child.stdin?.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** Looks every few ms; throws with what is on its screen when it ends before, or does not get there in time. */
  async until(isSo: () => boolean, timeoutMs: number): Promise<void> {
    const start = performance.now();
    while (!isSo()) {
      const isLate = performance.now() - start > timeoutMs;
      if (this.#hasEnded || isLate) {
        throw new Error(`parley-client ${isLate ? 'takes too long' : 'has ended'}: ${this.#screen.trim().slice(-600)}`);
      }
      await sleep(POLL_MS);
    }
  }

  stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    return this.#ended;
  }
}
