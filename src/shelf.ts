// Layer 2. What one client shares: the regular files directly in one directory, by name, each in the version it
// has now. Nothing outside that directory is ever opened, and nothing that is no regular file. Knows neither who
// asks nor how the bytes travel; the disk is handed in.

import type { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { carefulFlags, type Disk, hashBytes, newBuffer, systemCode, systemWords } from './disk.ts';
import { HouseError } from './errors.ts';
import { checkFileName } from './file-names.ts';

export interface Shared {
  readonly size: number;
  /** Another one as soon as the content may be another; `[0-9a-z-]+`. */
  readonly version: string;
}

interface Opened extends Shared {
  readonly handle: FileHandle;
}

/** An answer that is being made, and those who want it. */
interface Making {
  readonly answer: Promise<string>;
  readonly askers: Array<() => boolean>;
}

const ALWAYS = () => true;
const MAX_DIGESTS = 10_000;
const MAX_PREFIXES = 100;
const HASHED_AT_ONCE = 2;

/** One shared directory. What the client can't give is a HouseError in words that a stranger may read. */
export class Shelf {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #windows: boolean;
  readonly #digests = new Recent(MAX_DIGESTS);
  readonly #prefixes = new Recent(MAX_PREFIXES);
  /** Hashes that are being made, for all who ask meanwhile. */
  readonly #making = new Map<string, Making>();
  readonly #buffers = new Buffers(HASHED_AT_ONCE);

  constructor(disk: Disk, directory: string, windows = false) {
    this.#disk = disk;
    this.#directory = directory;
    this.#windows = windows;
  }

  /** Size and version of a file; throws `bad-file`, `no-such-file` or `not-shared`. */
  async look(name: string): Promise<Shared> {
    const { handle, size, version } = await this.#open(name);
    await handle.close();
    return { size, version };
  }

  /** The SHA-256 of that version, if it has been computed already. */
  knownDigest(name: string, version: string): string | undefined {
    return this.#digests.get(keyOf(name, version));
  }

  /** The SHA-256 of that version; throws `file-changed` if the file has another by now or while it is read. */
  digest(name: string, version: string): Promise<string> {
    return this.#once(this.#digests, keyOf(name, version), ALWAYS, (isWanted) => this.#hash(name, version, isWanted));
  }

  /**
   * Do its first `length` bytes have this SHA-256? Not when there are fewer. Such questions can be asked without
   * end: reading stops, with a `stalled`, when nobody wants the answer any more.
   */
  async hasPrefix(
    name: string,
    version: string,
    length: number,
    sha256: string,
    isWanted: () => boolean = ALWAYS,
  ): Promise<boolean> {
    const key = keyOf(name, version, length);
    if (this.#prefixes.get(key) === undefined) {
      const { size, version: now } = await this.look(name);
      if (now !== version) throw changed(name);
      if (!Number.isInteger(length) || length < 0 || length > size) return false;
      if (length === size) return (await this.digest(name, version)) === sha256;
    }
    const hash = (isStillWanted: () => boolean) => this.#hash(name, version, isStillWanted, length);
    return (await this.#once(this.#prefixes, key, isWanted, hash)) === sha256;
  }

  /** For reading, to be closed by the caller; throws `file-changed` when it is another version by now. */
  async open(name: string, version: string): Promise<FileHandle> {
    return (await this.#openVersion(name, version)).handle;
  }

  #once(
    answers: Recent,
    key: string,
    isWanted: () => boolean,
    make: (isWanted: () => boolean) => Promise<string>,
  ): Promise<string> {
    const known = answers.get(key);
    if (known !== undefined) return Promise.resolve(known);
    const underWay = this.#making.get(key);
    underWay?.askers.push(isWanted);
    return underWay?.answer ?? this.#make(answers, key, [isWanted], make);
  }

  #make(
    answers: Recent,
    key: string,
    askers: Array<() => boolean>,
    make: (isWanted: () => boolean) => Promise<string>,
  ): Promise<string> {
    const answer = make(() => askers.some((isWanted) => isWanted()))
      .then((made) => {
        answers.set(key, made);
        return made;
      })
      .finally(() => this.#making.delete(key));
    this.#making.set(key, { answer, askers });
    return answer;
  }

  /** Of the whole file, or of its first bytes. */
  #hash(name: string, version: string, isWanted: () => boolean, length?: number): Promise<string> {
    return this.#buffers.lend(async (buffer) => {
      if (!isWanted()) throw unwanted();
      const { handle, size } = await this.#openVersion(name, version);
      try {
        const hash = createHash('sha256');
        const wanted = length ?? size;
        const done = await hashBytes(handle, hash, wanted, buffer, isWanted);
        if (!isWanted()) throw unwanted();
        if (done < wanted || versionOf(await handle.stat({ bigint: true })) !== version) throw changed(name);
        return hash.digest('hex');
      } catch (error) {
        throw refusalOf(error, name);
      } finally {
        await handle.close();
      }
    });
  }

  async #openVersion(name: string, version: string): Promise<Opened> {
    const opened = await this.#open(name);
    if (opened.version === version) return opened;
    await opened.handle.close();
    throw changed(name);
  }

  async #open(name: string): Promise<Opened> {
    checkFileName(name, this.#windows);
    try {
      const file = await this.#resolve(name);
      const handle = await this.#disk.open(file, this.#disk.constants.O_RDONLY | carefulFlags(this.#disk));
      return await examine(handle, name);
    } catch (error) {
      throw refusalOf(error, name);
    }
  }

  /** Where the file really is. Short names and other spellings of hidden files are found out here too. */
  async #resolve(name: string): Promise<string> {
    const home = await this.#disk.realpath(this.#directory);
    const file = await this.#disk.realpath(path.join(home, name));
    if (path.dirname(file) !== home) throw notShared(name, 'it leads out of the shared directory');
    if (path.basename(file).startsWith('.')) throw notShared(name, 'it leads to a hidden file');
    // a device can do things when it is opened
    if (!(await this.#disk.lstat(file)).isFile()) throw noRegularFile(name);
    return file;
  }
}

/** What was opened counts: what stood under the name before may have been something else. */
async function examine(handle: FileHandle, name: string): Promise<Opened> {
  try {
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) throw noRegularFile(name);
    return { handle, size: Number(stats.size), version: versionOf(stats) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** With the time of the last change of the entry, for mtime can be set back. Hashed: it is for strangers. */
function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  const marks = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  return createHash('sha256').update(marks).digest('hex').slice(0, 24);
}

/** A file name has no slash, a number neither: no two questions have one key. */
function keyOf(name: string, version: string, length?: number): string {
  return `${length ?? ''}/${version}/${name}`;
}

function changed(name: string): HouseError {
  return new HouseError('file-changed', `${name} has changed`);
}

function unwanted(): HouseError {
  return new HouseError('stalled', 'nobody waits for it any more');
}

function notShared(name: string, why: string): HouseError {
  return new HouseError('not-shared', `${name} is not shared: ${why}`);
}

function noRegularFile(name: string): HouseError {
  return notShared(name, 'it is no regular file');
}

function refusalOf(error: unknown, name: string): unknown {
  switch (systemCode(error)) {
    case undefined:
      return error;
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      return new HouseError('no-such-file', `there is no file ${name}`);
    case 'EACCES':
    case 'EPERM':
      return notShared(name, "it can't be read");
    case 'ELOOP':
    case 'EISDIR':
    case 'ENXIO':
      return noRegularFile(name);
    default:
      return new HouseError('disk', `${name} can't be read: ${systemWords(error)}`);
  }
}

/** Answers by question; of too many, those that nobody asked for longest are forgotten. */
class Recent {
  readonly #most: number;
  readonly #answers = new Map<string, string>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): string | undefined {
    const answer = this.#answers.get(key);
    if (answer !== undefined) this.set(key, answer);
    return answer;
  }

  set(key: string, answer: string): void {
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    if (this.#answers.size > this.#most) this.#answers.delete(this.#answers.keys().next().value as string);
  }
}

/** Who hashes has a buffer; who has none waits for one. */
class Buffers {
  readonly #free: Array<Buffer | undefined>;
  readonly #waiting: Array<(buffer: Buffer) => void> = [];

  constructor(count: number) {
    this.#free = Array.from({ length: count }, () => undefined);
  }

  async lend<T>(work: (buffer: Buffer) => Promise<T>): Promise<T> {
    const buffer = await this.#take();
    try {
      return await work(buffer);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(buffer);
      else this.#free.push(buffer);
    }
  }

  #take(): Promise<Buffer> {
    if (this.#free.length === 0) return new Promise((resolve) => this.#waiting.push(resolve));
    return Promise.resolve(this.#free.pop() ?? newBuffer());
  }
}
