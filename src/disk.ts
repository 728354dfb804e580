// Layer 0. What files need of a disk: its type (node:fs/promises, or a test's own), the flags that make opening
// safe, what its errors say to a person, and the way through a file with a hash. Has no disk of its own.

import { Buffer } from 'node:buffer';
import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { HouseError } from './errors.ts';

export type Disk = Pick<
  typeof import('node:fs/promises'),
  'constants' | 'open' | 'lstat' | 'realpath' | 'readlink' | 'rename' | 'link' | 'symlink' | 'unlink'
>;

/** How much is read at a time. */
const CHUNK_BYTES = 1024 * 1024;

/** Which file an entry is, whatever it is called. */
export interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** With these, opening follows no link and never hangs; Windows has neither. */
export function carefulFlags({ constants }: Pick<Disk, 'constants'>): number {
  return (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
}

/** The code of a system's error (`ENOENT`), undefined for anything else: that is a bug. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && /^(?:E(?!RR_)[A-Z0-9]+|UNKNOWN)$/.test(code) ? code : undefined;
}

/** What the system says, without code and path: peers may read it. */
export function systemWords(error: unknown): string {
  const { message } = error as Error;
  return /^(?:[A-Z0-9]+: )?([^,:(]+?)(?:,| \(os error)/.exec(message)?.[1] ?? systemCode(error) ?? 'unknown error';
}

/** Undefined where nothing stands; a link is not followed. */
export async function entryAt(disk: Disk, path: string) {
  try {
    return await disk.lstat(path, { bigint: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function isSameFile(a: Identity, b: Identity | undefined): boolean {
  return a.dev === b?.dev && a.ino === b.ino;
}

/** Hashes the first `length` bytes, as long as that is wanted; says how many there were. */
export async function hashBytes(
  handle: FileHandle,
  hash: Hash,
  length: number,
  buffer: Buffer,
  isWanted = () => true,
): Promise<number> {
  let done = 0;
  while (done < length && isWanted()) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - done), done);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    done += bytesRead;
  }
  return done;
}

export function newBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(CHUNK_BYTES);
}

/** Whatever the disk says to it: there is a better error to be told, or none is needed. */
export async function quietly(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** What the disk says is told as a HouseError. */
export async function whileWriting<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw writeRefusal(error, directory);
  }
}

function writeRefusal(error: unknown, directory: string): unknown {
  switch (systemCode(error)) {
    case undefined:
      return error;
    case 'ENOSPC':
    case 'EDQUOT':
      return new HouseError('disk', 'the disk is full');
    case 'EACCES':
    case 'EPERM':
      return new HouseError('disk', `can't write in ${directory}: permission denied`);
    case 'EROFS':
      return new HouseError('disk', `can't write in ${directory}: the file system is read-only`);
    case 'ENOENT':
    case 'ENOTDIR':
      return new HouseError('disk', `can't write in ${directory}: there is no such directory`);
    case 'EFBIG':
      return new HouseError('disk', 'the file is too large for this disk');
    case 'ENAMETOOLONG':
      return new HouseError('disk', 'the file name is too long for this disk');
    default:
      return new HouseError('disk', `can't write in ${directory}: ${systemWords(error)}`);
  }
}
