// Layer 4. Where a received file goes: a landing under a name that is free, with a note beside the part that says of
// which file it is. Bytes are written while the next ones come, so many at a time that nothing else has to wait.
//
// The note holds the SHA-256 of the whole file that the part is the beginning of. It is written when the part is empty,
// and so before the first byte. A part of another file, or one without a note, which may be of a transfer through the
// server, is left as it is, and the next name taken. What the note says is believed for the time being only: in the end
// the SHA-256 of all bytes decides.

import path from 'node:path';
import { type Disk, entryAt, whileWriting } from './disk.ts';
import { HouseError } from './errors.ts';
import { checkFileName } from './file-names.ts';
import { PartNote, UNKNOWN } from './gbn-part-note.ts';
import { type Landed, Landing, type Locks } from './landing.ts';

/** Hashed and written at once: a millisecond of work. */
const WRITE_BYTES = 1024 * 1024;
const MAX_NAMES = 100;
const isWindows = process.platform === 'win32';

export interface SinkOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly locks: Locks;
  readonly name: string;
  /** Of the whole file; undefined where nobody knows it: then it begins at 0 and is not verified. */
  readonly sha256: string | undefined;
}

export class GbnSink {
  /** Under which the file will be. */
  readonly name: string;
  /** Bytes that were there before. */
  offset: number;
  readonly #options: SinkOptions;
  readonly #landing: Landing;
  readonly #note: PartNote;
  #waiting: Uint8Array[] = [];
  #isWriting = false;
  #pushed: number;
  #last: Promise<void> = Promise.resolve();
  /** So many bytes, from the beginning of the file, are in the part. */
  onWritten: (position: number) => void = () => {};
  /** A HouseError; anything else is a bug. */
  onTrouble: (error: unknown) => void = () => {};

  private constructor(options: SinkOptions, name: string, landing: Landing) {
    this.#options = options;
    this.name = name;
    this.#landing = landing;
    this.#note = new PartNote(options.disk, landing.partPath);
    this.offset = landing.length;
    this.#pushed = landing.length;
  }

  /** Throws what a landing throws. `size` of the whole file, where it is known. */
  static async open(options: SinkOptions, size: number): Promise<GbnSink> {
    const { name, landing } = await openFree(options);
    const sink = new GbnSink(options, name, landing);
    try {
      const isPart = landing.length > 0 && landing.length <= size && options.sha256 !== undefined;
      if (!isPart || (await sink.#note.read()) !== options.sha256) await sink.restart();
      return sink;
    } catch (error) {
      await landing.close();
      throw error;
    }
  }

  get sha256(): string | undefined {
    return this.#options.sha256;
  }

  /** Bytes in the part. */
  get length(): number {
    return this.#landing.length;
  }

  get partPath(): string {
    return this.#landing.partPath;
  }

  /** What is there is not of this file. */
  async restart(): Promise<void> {
    await this.#landing.restart();
    await this.#note.write(this.#options.sha256 ?? UNKNOWN);
    this.offset = 0;
    this.#pushed = 0;
  }

  /** Appends; kept, not copied. */
  push(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#pushed += bytes.length;
    if (!this.#isWriting) this.#last = this.#write();
  }

  /** All that was pushed is in the part. */
  get isWritten(): boolean {
    return this.#landing.length === this.#pushed;
  }

  /** Throws `file-changed` when it is not what was sent. Without a digest it is what it is. */
  async finish(): Promise<Landed> {
    await this.#last;
    const landed = await this.#landing.finish(this.#options.sha256 ?? this.#landing.prefixDigest());
    await this.#note.remove();
    return landed;
  }

  /** Leaves what came to be resumed. */
  async close(): Promise<void> {
    await this.#last;
    const isEmpty = this.#landing.length === 0;
    await this.#landing.close();
    if (isEmpty) await this.#note.remove();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#waiting.length > 0) {
        await this.#landing.write(this.#batch());
        this.onWritten(this.#landing.length);
      }
    } catch (error) {
      this.#waiting = [];
      this.onTrouble(error);
    } finally {
      this.#isWriting = false;
    }
  }

  #batch(): Uint8Array[] {
    let bytes = 0;
    let count = 0;
    for (const chunk of this.#waiting) {
      if (count > 0 && bytes + chunk.length > WRITE_BYTES) break;
      bytes += chunk.length;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}

interface Free {
  readonly name: string;
  readonly landing: Landing;
}

/**
 * The name, or the first of `1NAME`, `11NAME`, … that no file has, no other transfer is filling, and under which no part
 * of another file waits to be gone on with. A part of this very file comes first, under whichever of these names.
 */
async function openFree(options: SinkOptions): Promise<Free> {
  const names = await freeNames(options);
  for (const name of names) {
    const opened = (await isOurs(options, name)) && (await openUnder(options, name, isOurs));
    if (opened) return opened;
  }
  for (const name of names) {
    const opened = (await isVacant(options, name)) && (await openUnder(options, name, isVacant));
    if (opened) return opened;
  }
  throw new HouseError('disk', `there are too many files called ${options.name}`);
}

/** As long as they are ones that a file may have. */
async function freeNames({ disk, directory, name: first }: SinkOptions): Promise<string[]> {
  checkFileName(first, isWindows);
  const names: string[] = [];
  for (let tries = 0, name = first; tries < MAX_NAMES && isFileName(name); tries++, name = `1${name}`) {
    const isTaken = await whileWriting(directory, () => entryAt(disk, path.join(directory, name)));
    if (!isTaken) names.push(name);
  }
  return names;
}

function isFileName(name: string): boolean {
  try {
    checkFileName(name, isWindows);
    return true;
  } catch {
    return false;
  }
}

/** Looked at once more when nobody else can fill it any more. */
async function openUnder(options: SinkOptions, name: string, isRight: typeof isOurs): Promise<Free | undefined> {
  const { disk, directory, locks } = options;
  const landing = await Landing.open({ disk, directory, name, locks, windows: isWindows });
  const isFirst = path.basename(landing.partPath) === `${name}.part`;
  if (isFirst && (await isRight(options, name))) return { name, landing };
  await landing.close();
  return undefined;
}

/** There is a part of what is to come. */
async function isOurs(options: SinkOptions, name: string): Promise<boolean> {
  const { disk, directory, sha256 = UNKNOWN } = options;
  const part = partOf(directory, name);
  const entry = await whileWriting(directory, () => entryAt(disk, part));
  return entry?.isFile() === true && (await new PartNote(disk, part).read()) === sha256;
}

/** There is no part, or one that nobody can go on with. */
async function isVacant(options: SinkOptions, name: string): Promise<boolean> {
  const { disk, directory } = options;
  const part = partOf(directory, name);
  const entry = await whileWriting(directory, () => entryAt(disk, part));
  if (!entry) return true;
  return entry.isFile() && (entry.size === 0n || (await new PartNote(disk, part).read()) === UNKNOWN);
}

function partOf(directory: string, name: string): string {
  return path.join(directory, `${name}.part`);
}
