// Layer 2. Where one file arrives. Its bytes gather in NAME.part, and the file gets its name only when their
// SHA-256 is the sender's; what stood under the name before is kept beside it. Follows no link, destroys nothing
// but parts. Knows neither the sender nor how the bytes travel; disk and locks are handed in.

import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import {
  carefulFlags,
  type Disk,
  entryAt,
  hashBytes,
  type Identity,
  isSameFile,
  newBuffer,
  quietly,
  whileWriting,
} from './disk.ts';
import { HouseError } from './errors.ts';
import { checkFileName } from './file-names.ts';
import { giveName, isDirectory } from './final-name.ts';
import { alias } from './names.ts';

export interface LandingOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly name: string;
  readonly windows?: boolean;
  readonly locks: Locks;
}

export type Release = () => Promise<void>;

export interface Locks {
  /** Undefined when another living program, or another landing of this one, has it. */
  tryLock(path: string): Promise<Release | undefined>;
  /** Waits for it; undefined when that takes too long. */
  lock(path: string): Promise<Release | undefined>;
}

export interface Landed {
  readonly path: string;
  /** Where that is which had the name before. */
  readonly kept?: string;
}

interface Part extends Identity {
  readonly handle: FileHandle;
  readonly hash: Hash;
  readonly length: number;
}

const MAX_PARTS = 100;

/** One file on its way; its calls are worked off in their order. */
export class Landing {
  readonly partPath: string;
  readonly #options: LandingOptions;
  readonly #finalPath: string;
  readonly #identity: Identity;
  readonly #release: Release;
  #handle: FileHandle | undefined;
  #hash: Hash;
  #length: number;
  #landed = false;
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(options: LandingOptions, partPath: string, part: Part, release: Release) {
    this.#options = options;
    this.partPath = partPath;
    this.#finalPath = path.join(options.directory, options.name);
    this.#identity = part;
    this.#release = release;
    this.#handle = part.handle;
    this.#hash = part.hash;
    this.#length = part.length;
  }

  /** Takes up what is there already. Throws `bad-file`, or `disk` with a line for a person. */
  static async open(options: LandingOptions): Promise<Landing> {
    const { disk, directory, name, windows = false } = options;
    checkFileName(name, windows);
    if (/\.part$/i.test(name)) throw new HouseError('bad-file', 'a file that ends in .part has not arrived yet itself');
    return whileWriting(directory, async () => {
      if ((await entryAt(disk, path.join(directory, name)))?.isDirectory()) throw isDirectory(name);
      const { partPath, release } = await lockPart(options);
      try {
        return new Landing(options, partPath, await openPart(disk, partPath), release);
      } catch (error) {
        await release();
        throw error;
      }
    });
  }

  /** Bytes that are in the part now. */
  get length(): number {
    return this.#length;
  }

  /** The SHA-256 of these bytes. */
  prefixDigest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Forgets what is there. */
  restart(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#opened().truncate(0);
      this.#length = 0;
      this.#hash = createHash('sha256');
    });
  }

  /** Appends. After a failure, length and digest are those of what did get into the part. */
  write(bytes: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async () => {
      const handle = this.#opened();
      let left = bytes.filter((chunk) => chunk.length > 0);
      while (left.length > 0) left = this.#count(left, await this.#append(handle, left));
    });
  }

  /** Gives the file its name. Throws `file-changed`, and stays open, when it is not what was sent. */
  finish(sha256: string): Promise<Landed> {
    return this.#inTurn(async () => {
      const { disk, name } = this.#options;
      this.#opened();
      if (this.prefixDigest() !== sha256) throw new HouseError('file-changed', `${name} is not what was sent`);
      const unlock = await this.#lockName();
      try {
        await this.#settle();
        const kept = await giveName(disk, this.partPath, this.#finalPath, { length: this.#length, sha256 });
        this.#landed = true;
        await this.#release();
        return { path: this.#finalPath, ...(kept !== undefined && { kept }) };
      } finally {
        await unlock();
      }
    });
  }

  /** Leaves the part to be resumed, unless it is empty. Never fails: what is lost is missed when it is resumed. */
  close(): Promise<void> {
    this.#closing ??= this.#inTurn(async () => {
      if (this.#landed) return;
      await quietly(async () => this.#handle?.close());
      this.#handle = undefined;
      if (this.#length === 0) await quietly(() => this.#removePart());
      await this.#release();
    });
    return this.#closing;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => whileWriting(this.#options.directory, work));
    this.#last = done.catch(() => {});
    return done;
  }

  #opened(): FileHandle {
    if (!this.#handle) throw new Error('the landing is closed');
    return this.#handle;
  }

  async #append(handle: FileHandle, chunks: Uint8Array[]): Promise<number> {
    try {
      const { bytesWritten } = await handle.writev(chunks, this.#length);
      if (bytesWritten === 0) throw new HouseError('disk', 'the disk takes no more');
      return bytesWritten;
    } catch (error) {
      // nobody knows how much got in; what can't be cut off is written over, or cut off by finish
      await quietly(() => handle.truncate(this.#length));
      throw error;
    }
  }

  /** Notes the first `written` bytes as there; gives the others. */
  #count(chunks: Uint8Array[], written: number): Uint8Array[] {
    this.#length += written;
    let left = written;
    for (const [i, chunk] of chunks.entries()) {
      this.#hash.update(chunk.subarray(0, left));
      if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(i + 1)];
      left -= chunk.length;
    }
    return [];
  }

  /** Two that finish one name at a time would each take the other's file for what was there before. */
  async #lockName(): Promise<Release> {
    const { locks, name } = this.#options;
    const unlock = await locks.lock(this.#finalPath);
    if (!unlock) throw new HouseError('disk', `another program is still finishing ${name}`);
    return unlock;
  }

  /** The part is on the disk as it was counted, under its name, and closed. */
  async #settle(): Promise<void> {
    const handle = this.#opened();
    if ((await handle.stat()).size > this.#length) await handle.truncate(this.#length);
    await handle.datasync();
    const isOurs = isSameFile(this.#identity, await entryAt(this.#options.disk, this.partPath));
    if (!isOurs || (await handle.stat()).size !== this.#length) {
      throw new HouseError('disk', `another program has changed ${path.basename(this.partPath)}`);
    }
    this.#handle = undefined;
    await handle.close();
  }

  async #removePart(): Promise<void> {
    const { disk } = this.#options;
    if (isSameFile(this.#identity, await entryAt(disk, this.partPath))) await disk.unlink(this.partPath);
  }
}

/** NAME.part, or the next that nobody else is filling. */
async function lockPart({ directory, name, locks }: LandingOptions): Promise<{ partPath: string; release: Release }> {
  for (let n = 1; n <= MAX_PARTS; n++) {
    const partPath = path.join(directory, `${alias(name, n)}.part`);
    const release = await locks.tryLock(partPath);
    if (release) return { partPath, release };
  }
  throw new HouseError('disk', `too many programs are fetching ${name} at once`);
}

async function openPart(disk: Disk, partPath: string): Promise<Part> {
  const before = await entryAt(disk, partPath);
  if (before && !before.isFile()) throw inTheWay(partPath);
  // the file has another name besides, which must keep its content
  if (before && before.nlink > 1) await disk.unlink(partPath);
  const { O_RDWR, O_CREAT } = disk.constants;
  const handle = await disk.open(partPath, O_RDWR | O_CREAT | carefulFlags(disk), 0o666);
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) throw inTheWay(partPath);
    const hash = createHash('sha256');
    const length = await hashBytes(handle, hash, Number(stats.size), newBuffer());
    return { handle, hash, length, dev: stats.dev, ino: stats.ino };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function inTheWay(partPath: string): HouseError {
  return new HouseError('disk', `${path.basename(partPath)} is in the way: it is no regular file`);
}
