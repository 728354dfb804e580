// What the benchmark scripts share: starting servers and load drivers, reading /proc, medians, tables. Whatever is
// started or created here is killed and removed when the script ends, however it ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';

export const ROOT = path.resolve(import.meta.dirname, '..');

/** /proc counts CPU time in USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;
const START_TIMEOUT_MS = 15_000;

const children = new Set<ChildProcess>();
const tempDirs = new Set<string>();

function cleanUp(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const dir of tempDirs) rmSync(dir, { recursive: true, force: true });
  children.clear();
  tempDirs.clear();
}

/** To be called once by a script that is started from the command line. */
export function cleanUpOnExit(): void {
  process.on('exit', cleanUp);
  process.on('SIGINT', () => process.exit(130));
  process.on('SIGTERM', () => process.exit(143));
  process.on('SIGHUP', () => process.exit(129));
}

export function makeTempDir(): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'parley-bench-'));
  tempDirs.add(dir);
  return dir;
}

export function removeTempDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  tempDirs.delete(dir);
}

function startChild(command: string[]): ChildProcess {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Keeps the last of what a child says on stderr, for the message when it fails. */
function collectStderr(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text = (text + part).slice(-2000);
  });
  return () => text.trim();
}

export type Server = { pid: number; port: number; stop(): Promise<void> };

/** Starts a server and waits for its `ready tcp=PORT` line, or fails with what it said when it ended instead. */
export function startServer(command: string[]): Promise<Server> {
  const child = startChild(command);
  const stderr = collectStderr(child);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  // Nothing in a benchmark needs an orderly end, and waiting for one would count against the time allowed.
  const stop = () => {
    child.kill('SIGKILL');
    return ended;
  };
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`${command.join(' ')}: ${why}${stderr() && `: ${stderr()}`}`));
    };
    const timer = setTimeout(() => fail('no ready line'), START_TIMEOUT_MS);
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      stdout = (stdout + part).slice(-2000);
      const ready = /^ready .*?\btcp=(\d+)/m.exec(stdout);
      if (ready === null || !stdout.includes('\n', ready.index)) return;
      clearTimeout(timer);
      resolve({ pid: child.pid as number, port: Number(ready[1]), stop });
    });
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => fail(`ended before it was ready (${signal ?? `status ${code}`})`));
  });
}

/** Runs one of our scripts to its end and returns the JSON that it prints. */
export function runScript<T>(script: string, args: string[], timeoutMs: number): Promise<T> {
  const child = startChild([process.execPath, path.join(import.meta.dirname, script), ...args]);
  const stderr = collectStderr(child);
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    stdout += part;
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(JSON.parse(stdout) as T);
      else reject(new Error(signal ? `${script} took over ${timeoutMs / 1000} s` : stderr() || `status ${code}`));
    });
  });
}

export type CpuTime = { processUs: number; mainThreadUs: number };

/** User and system time of a process with all its threads, and of its main thread alone. */
export function readCpuTime(pid: number): CpuTime {
  return { processUs: cpuOf(`/proc/${pid}/stat`), mainThreadUs: cpuOf(`/proc/${pid}/task/${pid}/stat`) };
}

function cpuOf(statFile: string): number {
  const stat = readFileSync(statFile, 'latin1');
  // proc(5): the second field is the command in parentheses and may hold blanks; utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

export function readRssKb(pid: number): number {
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(rss?.[1]);
}

/** How many files this process and its children may have open. */
export function readOpenFileLimit(): number {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  return limit === null ? Number.POSITIVE_INFINITY : Number(limit[1]);
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** 5570000 → `5.57 M`, 18300 → `18.3 k`. */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 1000) return `${(value / 1e3).toPrecision(3)} k`;
  return value.toPrecision(3);
}

export function formatNumber(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 10 ** digits ? value.toFixed(0) : value.toPrecision(digits);
}

export function printTable(title: string, head: string[], rows: string[][]): void {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  process.stdout.write(`\n### ${title}\n\n${[line(head), rule, ...rows.map(line)].join('\n')}\n`);
}

/** What was measured on: printed above every result, since absolute figures drift from machine to machine. */
export function printMachine(): void {
  const cpus = os.cpus();
  process.stdout.write(
    `Node ${process.version} · ${cpus[0]?.model ?? 'unknown CPU'} · ${os.availableParallelism()} cores · ` +
      `${os.type()} ${os.release()} · load ${os.loadavg()[0]?.toFixed(1)} · ` +
      `open files ${readOpenFileLimit()} · ${new Date().toISOString().slice(0, 10)}\n`,
  );
}

/** The numbers of so many rounds, as the time allows. */
export function* roundsOf(most: number, budgetMs: number): Generator<number> {
  const start = performance.now();
  for (let round = 0; round < most; round++) {
    const elapsedMs = performance.now() - start;
    if (round > 0 && elapsedMs * (1 + 1 / round) > budgetMs) {
      process.stderr.write(`no time for more than ${round} of ${most} rounds\n`);
      return;
    }
    yield round;
  }
}

/** Neighbours should not always be measured in the same order. */
export function rotate<T>(items: readonly T[], by: number): T[] {
  return items.map((_, index) => items[(index + by) % items.length] as T);
}
