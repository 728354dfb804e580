// Layer 4. Where a received file goes: a landing under a name that is free, with a note beside the part that says of
// which file it is. Bytes are written while the next ones come, so many at a time that nothing else has to wait.
//
// The note holds the SHA-256 of the whole file that the part is the beginning of. It is written when the part is empty,
// and so before the first byte; an offer of another file, or a part without a note, begins at 0. What the note says is
// believed for the time being only: in the end the SHA-256 of all bytes decides.

import path from 'node:path';
import { carefulFlags, type Disk, entryAt, quietly, whileWriting } from './disk.ts';
import { HouseError } from './errors.ts';
import { checkFileName } from './file-names.ts';
import { type Landed, Landing, type Locks } from './landing.ts';

/** Hashed and written at once: a millisecond of work. */
const WRITE_BYTES = 1024 * 1024;
const NOTE_BYTES = 64;
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
    this.offset = landing.length;
    this.#pushed = landing.length;
  }

  /** Throws what a landing throws. `size` of the whole file, where it is known. */
  static async open(options: SinkOptions, size: number): Promise<GbnSink> {
    const { name, landing } = await openFree(options);
    const sink = new GbnSink(options, name, landing);
    try {
      const isSame = landing.length > 0 && landing.length <= size && (await sink.#readNote()) === options.sha256;
      if (!isSame || options.sha256 === undefined) await sink.restart();
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
    await this.#writeNote();
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
    await this.#removeNote();
    return landed;
  }

  /** Leaves what came to be resumed. */
  async close(): Promise<void> {
    await this.#last;
    const isEmpty = this.#landing.length === 0;
    await this.#landing.close();
    if (isEmpty) await this.#removeNote();
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

  // --- the note -------------------------------------------------------------------------------------------

  /** Hidden, so that nobody is offered it. */
  get #notePath(): string {
    const { dir, base } = path.parse(this.#landing.partPath);
    return path.join(dir, `.${base}`);
  }

  async #readNote(): Promise<string | undefined> {
    const { disk } = this.#options;
    let found: string | undefined;
    await quietly(async () => {
      const handle = await disk.open(this.#notePath, disk.constants.O_RDONLY | carefulFlags(disk));
      try {
        const bytes = new Uint8Array(NOTE_BYTES);
        const { bytesRead } = await handle.read(bytes, 0, NOTE_BYTES, 0);
        found = new TextDecoder().decode(bytes.subarray(0, bytesRead));
      } finally {
        await handle.close();
      }
    });
    return found;
  }

  /** A new file each time: what else has the name of the old one keeps its content. */
  async #writeNote(): Promise<void> {
    const { disk, directory, sha256 } = this.#options;
    await this.#removeNote();
    if (sha256 === undefined) return;
    await whileWriting(directory, async () => {
      const handle = await disk.open(this.#notePath, 'wx');
      try {
        await handle.writeFile(sha256);
      } finally {
        await handle.close();
      }
    });
  }

  #removeNote(): Promise<void> {
    return quietly(() => this.#options.disk.unlink(this.#notePath));
  }
}

interface Free {
  readonly name: string;
  readonly landing: Landing;
}

/** The name, or the first of `1NAME`, `11NAME`, … that no file has and no other transfer is filling. */
async function openFree(options: SinkOptions): Promise<Free> {
  const { disk, directory, locks } = options;
  let { name } = options;
  for (let tries = 0; tries < MAX_NAMES; tries++, name = `1${name}`) {
    checkFileName(name, isWindows);
    const isTaken = await whileWriting(directory, () => entryAt(disk, path.join(directory, name)));
    if (isTaken) continue;
    const landing = await Landing.open({ disk, directory, name, locks, windows: isWindows });
    if (path.basename(landing.partPath) === `${name}.part`) return { name, landing };
    await landing.close();
  }
  throw new HouseError('disk', `there are too many files called ${options.name}`);
}
