// Layer 2. Gives a file that is whole its name. What stood under it before is kept beside it as NAME.~1~ (the
// first number that is free), unless it is the same; nothing is overwritten. The disk is handed in.

import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { carefulFlags, type Disk, entryAt, hashBytes, newBuffer, quietly, systemCode } from './disk.ts';
import { HouseError } from './errors.ts';

/** What is to get the name. */
interface Content {
  readonly length: number;
  readonly sha256: string;
}

interface Kept {
  readonly path: string;
  undo(): Promise<void>;
}

const MAX_BACKUPS = 9999;

export function isDirectory(file: string): HouseError {
  return new HouseError('disk', `${path.basename(file)} is a directory`);
}

/** Moves the part to its name; says where that is now which stood there before. */
export async function giveName(disk: Disk, part: string, file: string, content: Content): Promise<string | undefined> {
  try {
    // unlike rename, link never takes the place of another
    await disk.link(part, file);
    await quietly(() => disk.unlink(part));
    return undefined;
  } catch {
    // it is taken, or there are no links here
  }
  const old = await entryAt(disk, file);
  if (old?.isDirectory()) throw isDirectory(file);
  if (!old) {
    await disk.rename(part, file);
    return undefined;
  }
  if (old.isFile() && Number(old.size) === content.length && (await hasContent(disk, file, content))) {
    // whatever becomes of it from now on is somebody's work
    await disk.unlink(part);
    return undefined;
  }
  const kept = await keep(disk, file, old);
  try {
    await disk.rename(part, file);
    return kept.path;
  } catch (error) {
    await quietly(kept.undo);
    throw error;
  }
}

async function hasContent(disk: Disk, file: string, { length, sha256 }: Content): Promise<boolean> {
  const hash = createHash('sha256');
  try {
    const handle = await disk.open(file, disk.constants.O_RDONLY | carefulFlags(disk));
    try {
      // one more than there should be
      if ((await hashBytes(handle, hash, length + 1, newBuffer())) !== length) return false;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false; // what can't be read may be anything
  }
  return hash.digest('hex') === sha256;
}

/** Puts an entry under the name of a backup, or fails with EEXIST when there is something. */
type Way = (disk: Disk, file: string, backup: string) => Promise<void>;

/** Keeps what stands there under the first backup name that is free. */
async function keep(disk: Disk, file: string, old: BigIntStats): Promise<Kept> {
  // link would follow a symbolic link on some systems
  const ways = old.isSymbolicLink() ? [relink] : old.isFile() ? [link, copy] : [link];
  for (let n = 1; n <= MAX_BACKUPS; n++) {
    const backup = `${file}.~${n}~`;
    for (const way of [...ways, moveAside]) {
      try {
        await way(disk, file, backup);
        return { path: backup, undo: () => (way === moveAside ? disk.rename(backup, file) : disk.unlink(backup)) };
      } catch (error) {
        if (systemCode(error) === 'EEXIST') break;
        if (way === moveAside) throw error;
      }
    }
  }
  throw new HouseError('disk', `there are too many backups of ${path.basename(file)}`);
}

const link: Way = (disk, file, backup) => disk.link(file, backup);

const relink: Way = async (disk, file, backup) => disk.symlink(await disk.readlink(file), backup);

const copy: Way = async (disk, file, backup) => {
  const source = await disk.open(file, disk.constants.O_RDONLY | carefulFlags(disk));
  try {
    const { mode } = await source.stat();
    const target = await disk.open(backup, 'wx', mode & 0o777);
    try {
      await copyBytes(source, target);
    } catch (error) {
      await quietly(() => disk.unlink(backup));
      throw error;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
};

/** The last way, for a moment leaves nothing under the name; the empty file sees to it that no backup is lost. */
const moveAside: Way = async (disk, file, backup) => {
  await (await disk.open(backup, 'wx')).close();
  try {
    await disk.rename(file, backup);
  } catch (error) {
    await quietly(() => disk.unlink(backup));
    throw error;
  }
};

async function copyBytes(source: FileHandle, target: FileHandle): Promise<void> {
  const buffer = newBuffer();
  let done = 0;
  while (true) {
    const { bytesRead } = await source.read(buffer, 0, buffer.length, done);
    if (bytesRead === 0) break;
    for (let put = 0; put < bytesRead; ) {
      put += (await target.write(buffer, put, bytesRead - put, done + put)).bytesWritten;
    }
    done += bytesRead;
  }
  await target.datasync();
}
