// Layer 4. A copy of the database while a server writes to it. The server has it for itself, so SQLite lets nobody
// else read; but the order in which SQLite writes is known. What is said goes to the write-ahead log, and from there
// to the database, and the log begins anew, with another header, only when all of it is there. So a copy of the
// database and then of the log is whole if the log's header has stayed the same: whatever of the database was
// changed, or half changed, while it was copied stands in the log. SQLite then puts them together, and checks.
// The server's files are only read, and never locked.

import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  constants as fsConstants,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers';
import { APPLICATION_ID, explain } from './database-file.ts';

const WAL_HEADER_BYTES = 32;
const AGAIN_MS = 20;
/** When the log begins anew during each copy for so long, it always will. */
const PATIENCE_MS = 60_000;
/** Of what is copied, and of what comes with it while SQLite works on it. */
const SUFFIXES = ['', '-wal', '-shm', '-journal'];

/** What a look at a database that nobody uses has found. */
export interface DatabaseFacts {
  readonly version: number;
  readonly isOurs: boolean;
  /** What SQLite says is wrong with it. */
  readonly damage: string | undefined;
}

/** Throws an Error whose message can be shown to the operator; then there is no file `to`. */
export async function backUp(data: string, to: string): Promise<{ bytes: number; ms: number }> {
  const started = performance.now();
  if (existsSync(to)) throw new Error(`${to} is there already; it was left as it is`);
  const part = `${to}.part`;
  try {
    await copyDatabase(data, part);
    const { isOurs, damage } = settle(part);
    if (!isOurs) throw new Error(`${data} is not a Parley database, it was not copied`);
    if (damage !== undefined) throw new Error(`${data} is damaged, it was not copied: ${damage}`);
    publish(part, to);
  } catch (error) {
    throw new Error(explain(data, error), { cause: error });
  } finally {
    removeCopy(part);
  }
  return { bytes: statSync(to).size, ms: Math.round(performance.now() - started) };
}

/** The database as it was at one moment, with its log, under another name. */
export async function copyDatabase(data: string, to: string, patienceMs = PATIENCE_MS): Promise<void> {
  const started = performance.now();
  while (!copyOnce(data, to)) {
    if (performance.now() - started > patienceMs) {
      throw new Error(`${data} is written faster than it can be copied: try again when there is less to do`);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Puts a copy and its log together; it is one file then. */
export function settle(file: string): DatabaseFacts {
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA journal_mode = DELETE');
    const found = db.prepare('PRAGMA integrity_check(1)').get()?.integrity_check;
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
    const isOurs = db.prepare('PRAGMA application_id').get()?.application_id === APPLICATION_ID;
    return { version, isOurs, damage: found === 'ok' ? undefined : String(found) };
  } finally {
    db.close();
  }
}

export function removeCopy(file: string): void {
  for (const suffix of SUFFIXES) rmSync(`${file}${suffix}`, { force: true });
}

/** False when the log began anew meanwhile, so that changes may be missing. */
function copyOnce(data: string, to: string): boolean {
  removeCopy(to);
  const before = stateOf(data);
  copyPrivately(data, to);
  try {
    copyPrivately(`${data}-wal`, `${to}-wal`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return before === stateOf(data);
}

/** Different when what was copied in between may not belong together. */
function stateOf(data: string): string {
  const { ino, size, mtimeNs } = statSync(data, { bigint: true });
  const header = walHeaderOf(`${data}-wal`);
  return header === '' ? `${ino} ${size} ${mtimeNs}` : `${ino} ${header}`;
}

/** Empty where there is no log, or nothing in it. */
function walHeaderOf(file: string): string {
  try {
    const fd = openSync(file, 'r');
    try {
      const header = Buffer.alloc(WAL_HEADER_BYTES);
      const length = readSync(fd, header, 0, WAL_HEADER_BYTES, 0);
      return header.toString('hex', 0, length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** At once where the file system can share what is in both. */
function copyPrivately(from: string, to: string): void {
  closeSync(openSync(to, 'wx', 0o600));
  copyFileSync(from, to, fsConstants.COPYFILE_FICLONE);
  chmodSync(to, 0o600);
}

/** Under its name it is whole, also after a power cut; what has come there meanwhile stays. */
function publish(part: string, to: string): void {
  sync(part);
  try {
    linkSync(part, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new Error(`${to} is there already; it was left as it is`, { cause: error });
    // a file system without links
    renameSync(part, to);
  }
  if (process.platform !== 'win32') sync(path.dirname(path.resolve(to)));
}

function sync(file: string): void {
  const fd = openSync(file, process.platform === 'win32' ? 'r+' : 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
