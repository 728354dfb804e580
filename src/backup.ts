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
/** What SQLite says of the copy's place, not of what was copied: no permission, trouble with the disk, full, can't open. */
const TARGET_SQLITE: readonly number[] = [8, 10, 13, 14];
/** What the system says of the place that is written. */
const TARGET_CODES: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS'];
/** Of what is copied, and of what comes with it while SQLite works on it. */
const SUFFIXES = ['', '-wal', '-shm', '-journal'];

/** Its message can be shown to the operator, and names the file that is in the way. */
export class CopyError extends Error {
  readonly side: 'source' | 'target';

  constructor(side: 'source' | 'target', message: string, options?: ErrorOptions) {
    super(message, options);
    this.side = side;
  }
}

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
  if (existsSync(to)) throw new CopyError('target', `${to} is there already; it was left as it is`);
  const part = `${to}.part`;
  try {
    await copyDatabase(data, part);
    const { isOurs, damage } = settle(part, data);
    if (!isOurs) throw new CopyError('source', `${data} is not a Parley database, it was not copied`);
    if (damage !== undefined) throw new CopyError('source', `${data} is damaged, it was not copied: ${damage}`);
    ofTarget(to, () => publish(part, to));
  } finally {
    ofTarget(to, () => removeCopy(part));
  }
  return { bytes: statSync(to).size, ms: Math.round(performance.now() - started) };
}

/** The database as it was at one moment, with its log, under another name. Throws CopyError. */
export async function copyDatabase(data: string, to: string, patienceMs = PATIENCE_MS): Promise<void> {
  const started = performance.now();
  while (!copyOnce(data, to)) {
    if (performance.now() - started > patienceMs) {
      throw new CopyError(
        'source',
        `${data} is written faster than it can be copied: try again when there is less to do`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Puts a copy of `data` and its log together; it is one file then. Throws CopyError. */
export function settle(copy: string, data: string): DatabaseFacts {
  try {
    return factsOf(copy);
  } catch (error) {
    const isTarget = TARGET_SQLITE.includes(((error as { errcode?: number }).errcode ?? 0) & 0xff);
    throw isTarget ? targetError(copy, error) : sourceError(data, error);
  }
}

function factsOf(copy: string): DatabaseFacts {
  const db = new DatabaseSync(copy);
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
  ofTarget(to, () => removeCopy(to));
  const before = stateOf(data);
  copyPrivately(data, data, to);
  copyPrivately(data, `${data}-wal`, `${to}-wal`);
  return before === stateOf(data);
}

/** Different when what was copied in between may not belong together. */
function stateOf(data: string): string {
  const { ino, size, mtimeNs } = ofSource(data, () => statSync(data, { bigint: true }));
  const header = ofSource(data, () => walHeaderOf(`${data}-wal`));
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

/** At once where the file system can share what is in both. Of the log, there may be none. */
function copyPrivately(data: string, from: string, to: string): void {
  if (from !== data && !existsSync(from)) return;
  ofTarget(to, () => closeSync(openSync(to, 'wx', 0o600)));
  try {
    copyFileSync(from, to, fsConstants.COPYFILE_FICLONE);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (TARGET_CODES.includes(code)) throw targetError(to, error);
    // the server may have ended meanwhile
    if (from === data || code !== 'ENOENT') throw sourceError(data, error);
    return ofTarget(to, () => rmSync(to, { force: true }));
  }
  ofTarget(to, () => chmodSync(to, 0o600));
}

function ofSource<T>(data: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw sourceError(data, error);
  }
}

function ofTarget<T>(to: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw targetError(to, error);
  }
}

function sourceError(data: string, error: unknown): CopyError {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  return new CopyError('source', isMissing ? `there is no ${data}` : explain(data, error), { cause: error });
}

/** As the operator has named it. */
function targetError(to: string, error: unknown): CopyError {
  if (error instanceof CopyError) return error;
  return new CopyError('target', explain(to.replace(/\.part(?:-wal)?$|-wal$/, ''), error), { cause: error });
}

/** Under its name it is whole, also after a power cut; what has come there meanwhile stays. */
function publish(part: string, to: string): void {
  sync(part);
  try {
    linkSync(part, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new CopyError('target', `${to} is there already; it was left as it is`, { cause: error });
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
