// Layer 5. Keeps two programs, and two landings of one program, from filling one part: a file with the holder's
// pid in the user's directory of locks under the system's temporary one. Where that directory can't be trusted or
// used, locks hold within this program alone. A holder that is no more loses its lock to the next who asks.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import type { Locks, Release } from './landing.ts';

/** A lock without a pid is one that is being written, or was when its program ended. */
const UNWRITTEN_MS = 10_000;
/** Who waits for a lock looks so often, for so long. */
const STEP_MS = 20;
const PATIENCE_MS = 60_000;

/** The keys of all locks that this program has. */
const held = new Set<string>();

export class PartLocks implements Locks {
  readonly #directory: string;

  constructor(directory = path.join(os.tmpdir(), `parley-locks${ownerSuffix()}`)) {
    this.#directory = directory;
  }

  async tryLock(file: string): Promise<Release | undefined> {
    const key = keyOf(file);
    if (held.has(key)) return undefined;
    const lock = path.join(this.#directory, key);
    if (prepare(this.#directory) && !take(lock)) return undefined;
    held.add(key);
    return async () => {
      if (held.delete(key) && readPid(lock) === process.pid) remove(lock);
    };
  }

  async lock(file: string): Promise<Release | undefined> {
    for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += STEP_MS) {
      const release = await this.tryLock(file);
      if (release) return release;
      await setTimeout(STEP_MS);
    }
    return undefined;
  }
}

function ownerSuffix(): string {
  const uid = process.getuid?.();
  return uid === undefined ? '' : `-${uid}`;
}

/** The same for all ways to one file; it need not exist. */
function keyOf(file: string): string {
  const base = path.basename(file);
  // these do not tell the spellings of a name apart
  const folds = process.platform === 'win32' || process.platform === 'darwin';
  const name = folds ? base.normalize('NFC').toLowerCase() : base;
  return createHash('sha256')
    .update(path.join(realDirectory(path.dirname(file)), name))
    .digest('hex');
}

function realDirectory(directory: string): string {
  try {
    return fs.realpathSync.native(directory);
  } catch {
    return path.resolve(directory);
  }
}

/** Is there a directory that nobody else can write to? */
function prepare(directory: string): boolean {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const stats = fs.lstatSync(directory);
    const uid = process.getuid?.();
    return stats.isDirectory() && (uid === undefined || (stats.uid === uid && (stats.mode & 0o022) === 0));
  } catch {
    return false;
  }
}

function take(lock: string): boolean {
  switch (create(lock)) {
    case 'made':
    case 'impossible':
      return true;
    case 'exists':
      return isStale(lock) && takeOver(lock);
  }
}

/** One at a time, lest the second removes the lock that the first has just made. */
function takeOver(lock: string): boolean {
  const gate = `${lock}.gate`;
  if (create(gate) === 'exists') {
    // its program ended in between; whoever asks next gets on
    if (isStale(gate)) remove(gate);
    return false;
  }
  try {
    if (isStale(lock)) remove(lock);
    return create(lock) === 'made';
  } finally {
    remove(gate);
  }
}

function create(lock: string): 'made' | 'exists' | 'impossible' {
  try {
    fs.writeFileSync(lock, String(process.pid), { flag: 'wx', mode: 0o600 });
    return 'made';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST' ? 'exists' : 'impossible';
  }
}

function isStale(lock: string): boolean {
  const pid = readPid(lock);
  if (pid === undefined) return ageMs(lock) > UNWRITTEN_MS;
  // ours are in the set: this one is an earlier program's that had our number
  return pid === process.pid || !isAlive(pid);
}

function readPid(lock: string): number | undefined {
  try {
    const text = fs.readFileSync(lock, 'utf8');
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** No age where there is none: it has been released meanwhile. */
function ageMs(lock: string): number {
  try {
    return Date.now() - fs.statSync(lock).mtimeMs;
  } catch {
    return 0;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function remove(lock: string): void {
  try {
    fs.rmSync(lock, { force: true });
  } catch {
    // it stays, and is stale when this program ends
  }
}
