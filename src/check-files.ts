// Layer 5. A look at what a server keeps and reads, before the start: the database, room on its disk, the place of the
// admin socket, the file of users. Nothing is made or changed beside them.

import {
  accessSync,
  existsSync,
  constants as fsConstants,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isAlive, MAX_PATH_BYTES } from './admin-socket.ts';
import { CopyError, copyDatabase, settle } from './backup.ts';
import { bad, type Finding, note, ok } from './check-finding.ts';
import { parseCsv } from './csv.ts';
import { explain, MIGRATIONS } from './database-file.ts';
import type { ServerOptions } from './options.ts';
import { isUploadId } from './uploads.ts';
import { decodeText } from './wire.ts';

/** Less will not last long. */
const LEAST_FREE_BYTES = 10 * 1024 * 1024;

export async function checkDatabase({ data, makeDirectory }: ServerOptions): Promise<Finding> {
  if (data === ':memory:') return ok('nothing is kept');
  if (!existsSync(data)) return checkPlace(data, makeDirectory);
  try {
    accessSync(data, fsConstants.R_OK | fsConstants.W_OK);
    accessSync(path.dirname(data), fsConstants.W_OK);
    return await look(data);
  } catch (error) {
    return bad(error instanceof CopyError ? error.message : explain(data, error));
  }
}

/** At a copy: a look at the database itself would leave traces, and none is to be had while a server runs. */
async function look(data: string): Promise<Finding> {
  const directory = temporary();
  try {
    const copy = path.join(directory, 'copy.db');
    await copyDatabase(data, copy);
    const { version, isOurs, damage } = settle(copy, data);
    if (!isOurs) return bad(`${data} is not a Parley database`);
    if (damage !== undefined) return bad(`${data} is damaged: ${damage}`);
    const newest = MIGRATIONS.length;
    if (version > newest) return bad(`${data} was made by a newer Parley (version ${version})`);
    return version === newest
      ? ok(`${data}, whole, version ${version}`)
      : note(`${data}, whole, version ${version}: a server will make it version ${newest} and keep a copy`);
  } catch (error) {
    throw error instanceof CopyError && error.side === 'target' ? noPlace(error) : error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function temporary(): string {
  try {
    return mkdtempSync(path.join(os.tmpdir(), 'parley-check-'));
  } catch (error) {
    throw noPlace(new CopyError('target', explain(path.join(os.tmpdir(), 'copy'), error)));
  }
}

function noPlace({ message }: CopyError): CopyError {
  const text = `not looked at: there is no place for a copy in ${os.tmpdir()} (${message}); TMPDIR names another directory`;
  return new CopyError('target', text);
}

function checkPlace(data: string, makeDirectory: boolean): Finding {
  const directory = path.dirname(data);
  if (makeDirectory && !existsSync(directory)) return ok(`${data} will be made, with its directory`);
  try {
    accessSync(directory, fsConstants.W_OK);
    return ok(`${data} will be made`);
  } catch (error) {
    return bad(explain(data, error));
  }
}

/** Of the database. */
export function checkDisk({ data }: ServerOptions): Finding {
  let directory = path.resolve(path.dirname(data));
  while (!existsSync(directory) && directory !== path.dirname(directory)) directory = path.dirname(directory);
  const { bavail, bsize } = statfsSync(directory);
  const text = `${Math.floor((bavail * bsize) / 1024 / 1024)} MB are free`;
  return bavail * bsize < LEAST_FREE_BYTES ? note(`only ${text}: what is said will soon not be kept`) : ok(text);
}

/** Their directory is made when the first one comes. */
export function checkUploads({ uploads }: ServerOptions): Finding {
  if (!uploads) return ok('off');
  const { directory } = uploads;
  try {
    const there = lstatSync(directory, { throwIfNoEntry: false });
    if (!there) return ok(`${directory} will be made when there is one`);
    if (!there.isDirectory()) return bad(`${directory} is there and is no directory`);
    const files = readdirSync(directory).filter(isUploadId).length;
    accessSync(directory, fsConstants.R_OK | fsConstants.W_OK | fsConstants.X_OK);
    return ok(`${directory}, ${files} of them`);
  } catch (error) {
    return bad(explain(directory, error));
  }
}

/** Where nobody asked for one, a server does without. */
export async function checkAdmin({ admin, makeDirectory }: ServerOptions): Promise<Finding> {
  if (!admin) return ok('off');
  const trouble = admin.isAsked ? bad : note;
  if (Buffer.byteLength(admin.path) > MAX_PATH_BYTES)
    return trouble(`${admin.path} is longer than ${MAX_PATH_BYTES} bytes`);
  const directory = path.dirname(admin.path);
  if (!admin.isAsked && makeDirectory && !existsSync(directory)) return ok(`${admin.path} will be made`);
  try {
    accessSync(directory, fsConstants.W_OK | fsConstants.X_OK);
    const there = lstatSync(admin.path, { throwIfNoEntry: false });
    if (there && !there.isSocket()) return trouble(`${admin.path} is there and is no socket`);
  } catch (error) {
    return trouble(explain(admin.path, error));
  }
  return (await isAlive(admin.path))
    ? note(`${admin.path} is another server's, perhaps of one that runs`)
    : ok(`${admin.path} will be made`);
}

export function checkUsers(file: string): Finding {
  try {
    return ok(`${file}, ${[...parseCsv(decodeText(readFileSync(file)))].length} rows`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return bad(code === 'ENOENT' ? `there is no ${file}` : `${file}: ${message}`);
  }
}
