// Layer 4. Uploads on the disk: in a directory of their own, the bytes under the file's id and what is known of them in
// a note beside it, `ID.json`. Names that peers choose are in notes only, never paths. What is on its way is `ID.part`;
// bytes get their id when they and the note are on the disk. Bytes without a note, or a note without bytes, were never
// promised to anybody.

import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { carefulFlags, quietly, systemCode, whileWriting } from './disk.ts';
import { HouseError } from './errors.ts';
import { isSha256 } from './offers.ts';
import { isUploadId, type Upload } from './uploads.ts';

export type DiskForUploads = Pick<
  typeof import('node:fs/promises'),
  'constants' | 'mkdir' | 'open' | 'readdir' | 'readFile' | 'rename' | 'lstat' | 'statfs' | 'unlink'
>;

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** Left for everything else that lives on the disk, the database first. */
const FREE_BYTES = 128 * 1024 ** 2;
const MAX_NOTE_BYTES = 4096;
const LOOKED_AT_ONCE = 32;
/** Peers are not told where it is. */
const WHERE = 'the directory of uploads';

export class UploadDisk {
  readonly #disk: DiskForUploads;
  readonly #directory: string;

  constructor(disk: DiskForUploads, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /** Those that are there, the oldest first; what was never finished goes. Throws what the system says. */
  async open(): Promise<Upload[]> {
    const names = new Set(await this.#list());
    const found: Upload[] = [];
    const looks: Array<() => Promise<void>> = [];
    for (const name of names) {
      const [id = '', ending = ''] = name.split('.', 2);
      if (!isUploadId(id) || !['', 'json', 'part'].includes(ending) || name.split('.').length > 2) continue;
      if (ending === 'part' || (ending === 'json' && !names.has(id))) looks.push(() => this.#unlink(name));
      if (ending === '') looks.push(async () => void found.push(...(await this.#look(id))));
    }
    while (looks.length > 0) await Promise.all(looks.splice(0, LOOKED_AT_ONCE).map((look) => look()));
    return found.sort((a, b) => a.at - b.at);
  }

  /** Throws a HouseError when the disk has no place, `bytes` being what is expected. */
  async begin(id: string, bytes: number): Promise<UploadWriter> {
    return this.#writing(async () => {
      await this.#makeDirectory();
      await this.#checkFree(bytes);
      const { O_WRONLY, O_CREAT, O_EXCL } = this.#disk.constants;
      const flags = O_WRONLY | O_CREAT | O_EXCL | carefulFlags(this.#disk);
      const handle = await this.#disk.open(this.#path(`${id}.part`), flags, FILE_MODE);
      return new UploadWriter(this, id, handle);
    });
  }

  /** For reading, to be closed by the caller; undefined when it is not there any more as it was. */
  async read({ id, bytes }: Upload): Promise<FileHandle | undefined> {
    try {
      const flags = this.#disk.constants.O_RDONLY | carefulFlags(this.#disk);
      return await whole(await this.#disk.open(this.#path(id), flags), bytes);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw refusalOf(error);
    }
  }

  /** The bytes first: alone they are nothing, with a note alone nobody could be told. */
  async remove(id: string): Promise<void> {
    await quietly(() => this.#unlink(id));
    await quietly(() => this.#unlink(`${id}.json`));
  }

  // --- for writers -------------------------------------------------------------------------------------------

  /** The bytes are on the disk; the note follows, then both have their names for good. */
  async keep(upload: Upload): Promise<void> {
    const { id, ...about } = upload;
    await this.#writing(async () => {
      const note = await this.#disk.open(this.#path(`${id}.json`), 'wx', FILE_MODE);
      try {
        await note.writeFile(`${JSON.stringify(about)}\n`);
        await note.sync();
      } finally {
        await note.close();
      }
      await this.#disk.rename(this.#path(`${id}.part`), this.#path(id));
      await this.#syncDirectory(this.#directory);
    });
  }

  async giveUp(id: string): Promise<void> {
    for (const name of [`${id}.part`, id, `${id}.json`]) await quietly(() => this.#unlink(name));
  }

  // --- inside ------------------------------------------------------------------------------------------------

  async #list(): Promise<string[]> {
    try {
      return await this.#disk.readdir(this.#directory);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** What can't be read now may be readable again: it stays. */
  async #look(id: string): Promise<Upload[]> {
    const stats = await this.#disk.lstat(this.#path(id));
    if (!stats.isFile()) return [];
    const upload = await this.#readNote(id);
    if (upload?.bytes === stats.size) return [upload];
    await this.giveUp(id);
    return [];
  }

  async #readNote(id: string): Promise<Upload | undefined> {
    try {
      const stats = await this.#disk.lstat(this.#path(`${id}.json`));
      if (!stats.isFile() || stats.size > MAX_NOTE_BYTES) return undefined;
      return readNote(id, await this.#disk.readFile(this.#path(`${id}.json`), 'utf8'));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #makeDirectory(): Promise<void> {
    const made = await this.#disk.mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
    if (made !== undefined) await this.#syncDirectory(path.dirname(this.#directory));
  }

  /** Where the system can't say, the disk itself will. */
  async #checkFree(bytes: number): Promise<void> {
    let free = Number.POSITIVE_INFINITY;
    await quietly(async () => {
      const { bavail, bsize } = await this.#disk.statfs(this.#directory);
      free = bavail * bsize;
    });
    if (free - bytes < FREE_BYTES) throw new HouseError('full', 'the disk is nearly full');
  }

  /** Not every system has that. */
  async #syncDirectory(directory: string): Promise<void> {
    await quietly(async () => {
      const handle = await this.#disk.open(directory, 'r');
      await handle.sync().finally(() => handle.close());
    });
  }

  async #unlink(name: string): Promise<void> {
    try {
      await this.#disk.unlink(this.#path(name));
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }

  #writing<T>(work: () => Promise<T>): Promise<T> {
    return whileUploading(work);
  }

  #path(name: string): string {
    return path.join(this.#directory, name);
  }
}

/** One file on its way to the disk. */
export class UploadWriter {
  readonly #uploads: UploadDisk;
  readonly #id: string;
  readonly #handle: FileHandle;
  readonly #hash: Hash = process.getBuiltinModule('node:crypto').createHash('sha256');

  constructor(uploads: UploadDisk, id: string, handle: FileHandle) {
    this.#uploads = uploads;
    this.#id = id;
    this.#handle = handle;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    await whileUploading(async () => {
      for (let at = 0; at < bytes.length; ) at += (await this.#handle.write(bytes, at)).bytesWritten;
    });
  }

  /** All has come; `describe` is told its SHA-256, and may refuse. From the end on it outlives a crash. */
  async keep(describe: (sha256: string) => Upload): Promise<Upload> {
    await whileUploading(() => this.#handle.sync());
    const upload = describe(this.#hash.digest('hex'));
    await this.#handle.close();
    await this.#uploads.keep(upload);
    return upload;
  }

  /** Nothing of it stays. */
  async giveUp(): Promise<void> {
    await quietly(() => this.#handle.close());
    await this.#uploads.giveUp(this.#id);
  }
}

/** Undefined, and closed, when it is not what was kept. */
async function whole(handle: FileHandle, bytes: number): Promise<FileHandle | undefined> {
  let isWhole = false;
  try {
    const stats = await handle.stat();
    isWhole = stats.isFile() && stats.size === bytes;
  } finally {
    if (!isWhole) await handle.close();
  }
  return isWhole ? handle : undefined;
}

/** A note is ours, but may be damaged. */
function readNote(id: string, text: string): Upload | undefined {
  let note: Partial<Record<keyof Upload, unknown>> | null;
  try {
    note = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { name, type, bytes, sha256, at } = note ?? {};
  if (typeof name !== 'string' || typeof type !== 'string' || typeof sha256 !== 'string') return undefined;
  if (name === '' || !/^[\x20-\x7e]+$/.test(type) || !isSha256(sha256)) return undefined;
  if (!isCount(bytes) || !isCount(at)) return undefined;
  return { id, name, type, bytes, sha256, at };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A full disk is a full house. */
async function whileUploading<T>(work: () => Promise<T>): Promise<T> {
  return whileWriting(WHERE, async () => {
    try {
      return await work();
    } catch (error) {
      const code = systemCode(error) ?? '';
      if (code === 'ENOSPC' || code === 'EDQUOT') throw new HouseError('full', 'the disk is full');
      throw error;
    }
  });
}

function refusalOf(error: unknown): unknown {
  const code = systemCode(error);
  return code === undefined ? error : new HouseError('disk', `the file can't be read: ${code}`);
}
