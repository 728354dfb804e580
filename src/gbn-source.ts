// Layer 4. A shared file on its way out: one version of it, read in order and in large pieces, one piece ahead of what
// is being sent. Knows nothing of packets; the shelf is handed in.

import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { systemCode, systemWords } from './disk.ts';
import { HouseError } from './errors.ts';
import type { Shelf } from './shelf.ts';

/** A piece is as many of what is asked for as fit in this, or one. */
const PIECE_BYTES = 1024 * 1024;

interface Piece {
  readonly position: number;
  readonly bytes: Uint8Array;
}

export interface SourceFile {
  readonly name: string;
  readonly size: number;
  readonly version: string;
}

export class GbnSource {
  readonly file: SourceFile;
  readonly #handle: FileHandle;
  #piece: Piece | undefined;
  #ahead: Piece | undefined;
  #isReading = false;
  /** What was being read when it was rewound is not wanted any more. */
  #rewinds = 0;
  #reading: Promise<void> = Promise.resolve();
  #isClosed = false;
  /** Something has been read. */
  onReady: () => void = () => {};
  /** It can't be read, or is not what it was: a HouseError. Anything else is a bug. */
  onTrouble: (error: unknown) => void = () => {};

  private constructor(file: SourceFile, handle: FileHandle) {
    this.file = file;
    this.#handle = handle;
  }

  /** Throws what a shelf throws. */
  static async open(shelf: Shelf, name: string): Promise<GbnSource> {
    const { size, version } = await shelf.look(name);
    return new GbnSource({ name, size, version }, await shelf.open(name, version));
  }

  /** Some of so many bytes, at least one; all of them to one who asks for so many each time. Or later: `onReady`. */
  at(position: number, bytes: number): Uint8Array | undefined {
    const found = cut(this.#piece, position, bytes) ?? this.#next(position, bytes);
    this.#read(position, bytes);
    return found;
  }

  /** From the beginning, or anywhere else. */
  rewind(): void {
    this.#piece = undefined;
    this.#ahead = undefined;
    this.#rewinds++;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#reading;
    await this.#handle.close();
  }

  #next(position: number, bytes: number): Uint8Array | undefined {
    const found = cut(this.#ahead, position, bytes);
    if (!found) return undefined;
    this.#piece = this.#ahead;
    this.#ahead = undefined;
    return found;
  }

  /** What is behind the piece in use; or, if that is not it, what is asked for. */
  #read(asked: number, bytes: number): void {
    if (this.#isReading || this.#isClosed) return;
    const position = cut(this.#piece, asked, 1) ? endOf(this.#piece as Piece) : asked;
    if (this.#ahead?.position === position) return;
    this.#ahead = undefined;
    const length = Math.min(Math.max(1, Math.floor(PIECE_BYTES / bytes)) * bytes, this.file.size - position);
    if (length <= 0) return;
    this.#isReading = true;
    const rewinds = this.#rewinds;
    this.#reading = this.#fill(position, length).then(
      (piece) => {
        this.#isReading = false;
        if (rewinds === this.#rewinds) this.#ahead = piece;
        if (!this.#isClosed) this.onReady();
      },
      (error) => {
        if (!this.#isClosed) this.onTrouble(refusalOf(error, this.file.name));
      },
    );
  }

  async #fill(position: number, length: number): Promise<Piece> {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, position + done);
      if (bytesRead === 0) throw new HouseError('file-changed', `${this.file.name} became shorter while it was sent`);
      done += bytesRead;
    }
    return { position, bytes };
  }
}

function endOf({ position, bytes }: Piece): number {
  return position + bytes.length;
}

function cut(piece: Piece | undefined, position: number, bytes: number): Uint8Array | undefined {
  if (!piece || position < piece.position || position >= endOf(piece)) return undefined;
  const start = position - piece.position;
  return piece.bytes.subarray(start, start + bytes);
}

function refusalOf(error: unknown, name: string): unknown {
  return systemCode(error) === undefined
    ? error
    : new HouseError('disk', `${name} can't be read: ${systemWords(error)}`);
}
