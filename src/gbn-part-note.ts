// Layer 4. The note beside a part: the SHA-256 of the whole file that the part is the beginning of. Knows nothing of
// what is in the part.

import path from 'node:path';
import { carefulFlags, type Disk, quietly, whileWriting } from './disk.ts';

const NOTE_BYTES = 64;
/** Of a part that nobody can go on with, for nobody knows what the whole is. */
export const UNKNOWN = 'unknown';

export class PartNote {
  readonly #disk: Disk;
  readonly #directory: string;
  /** Hidden, so that nobody is offered it. */
  readonly #path: string;

  constructor(disk: Disk, partPath: string) {
    const { dir, base } = path.parse(partPath);
    this.#disk = disk;
    this.#directory = dir;
    this.#path = path.join(dir, `.${base}`);
  }

  /** Undefined where there is none. */
  async read(): Promise<string | undefined> {
    const disk = this.#disk;
    let found: string | undefined;
    await quietly(async () => {
      const handle = await disk.open(this.#path, disk.constants.O_RDONLY | carefulFlags(disk));
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
  async write(sha256: string): Promise<void> {
    await this.remove();
    await whileWriting(this.#directory, async () => {
      const handle = await this.#disk.open(this.#path, 'wx');
      try {
        await handle.writeFile(sha256);
      } finally {
        await handle.close();
      }
    });
  }

  remove(): Promise<void> {
    return quietly(() => this.#disk.unlink(this.#path));
  }
}
