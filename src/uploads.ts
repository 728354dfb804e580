// Layer 2. Which files the house keeps: how large each may be and all together, for how long, and who has brought too
// much. What is full takes nothing more; what is old goes; nothing goes before its time. Knows no disk and no socket:
// bytes are counted here, and lie where layer 4 puts them.

import { Bucket, type Rate } from './bucket.ts';
import { HouseError } from './errors.ts';
import { networkOf } from './session.ts';

export interface UploadPolicy {
  /** Of one file, and of all with what each takes besides its bytes. */
  readonly fileBytes: number;
  readonly totalBytes: number;
  readonly keepMs: number;
}

/** A file that is kept. */
export interface Upload {
  /** Who has it may read the file: it can't be guessed. */
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
  readonly sha256: string;
  /** When it came, ms since 1970. */
  readonly at: number;
}

export interface UploadsOptions {
  readonly policy: UploadPolicy;
  /** Unguessable, another one each time; fits `isUploadId`. */
  readonly random: () => string;
  /** The time of day, and a monotonic time, in milliseconds. */
  readonly wall: () => number;
  readonly now: () => number;
  /** No limit is for that address but those of the house. */
  readonly isTrusted: (ip: string) => boolean;
  /** Its bytes may go. */
  readonly forget: (upload: Upload) => void;
}

/** A disk gives out blocks; the note about a file is one more. */
const BLOCK_BYTES = 4096;
/** Coming at the same time, in all and from one network. */
const AT_ONCE = 512;
const AT_ONCE_EACH = 64;
/** From one network, at once and then within an hour; or twice the largest file. */
const HOUR_BYTES = 1024 ** 3;
const HOUR_SECONDS = 3600;
/** A file is so much more than its bytes: nobody brings small ones without end. */
const FILE_CHARGE = 64 * 1024;
const MAX_FILES = 100_000;
const MAX_NETWORKS = 10_000;

export function isUploadId(text: string): boolean {
  return /^[A-Za-z0-9_-]{16,64}$/.test(text);
}

/** What a file of so many bytes takes of the total. */
export function costOf(bytes: number): number {
  return (Math.ceil(bytes / BLOCK_BYTES) + 1) * BLOCK_BYTES;
}

/** What one network brings. */
class Bringer {
  atOnce = 0;
  readonly bytes = new Bucket();
}

export class Uploads {
  readonly policy: UploadPolicy;
  readonly #options: UploadsOptions;
  readonly #rate: Rate;
  readonly #kept = new Map<string, Upload>();
  readonly #arriving = new Set<string>();
  readonly #bringers = new Map<string, Bringer>();
  #keptBytes = 0;
  /** The cost of all that is kept or on its way. */
  #used = 0;

  constructor(options: UploadsOptions) {
    this.policy = options.policy;
    this.#options = options;
    const burst = Math.max(HOUR_BYTES, 2 * options.policy.fileBytes);
    this.#rate = { burst, perSecond: burst / HOUR_SECONDS };
  }

  get count(): number {
    return this.#kept.size;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** Those that were kept before. One from a time that is still to come would stay for too long. */
  load(kept: Iterable<Upload>): void {
    const now = this.#options.wall();
    for (const upload of kept) this.#add({ ...upload, at: Math.min(upload.at, now) });
    this.sweep();
  }

  find(id: string): Upload | undefined {
    const upload = this.#kept.get(id);
    return upload && this.leftMs(upload) > 0 ? upload : undefined;
  }

  /** For how long it will be there. */
  leftMs({ at }: Upload): number {
    return at + this.policy.keepMs - this.#options.wall();
  }

  /** What is old goes. */
  sweep(): void {
    for (const upload of this.#kept.values()) if (this.leftMs(upload) <= 0) this.#drop(upload);
  }

  /** It is not there any more, whoever took it. */
  lost(id: string): void {
    const upload = this.#kept.get(id);
    if (upload) this.#drop(upload);
  }

  /** Somebody brings a file, of so many bytes where that is told. Throws when it can't be taken. */
  begin(ip: string, announced: number | undefined): Arrival {
    this.#checkSize(announced ?? 0);
    const isTrusted = this.#options.isTrusted(ip);
    const bringer = this.#bringer(networkOf(ip));
    if (this.#arriving.size >= AT_ONCE) throw new HouseError('too-fast', 'too many files are coming: try again soon');
    if (!isTrusted && bringer.atOnce >= AT_ONCE_EACH) {
      throw new HouseError('too-fast', `at most ${AT_ONCE_EACH} files at once from your network`);
    }
    if (!this.#fits(costOf(announced ?? 0)) || !this.#hasPlace()) throw this.#full();
    if (!isTrusted) this.charge(bringer, FILE_CHARGE + (announced ?? 0));
    const id = this.#newId();
    this.#arriving.add(id);
    this.#used += costOf(0);
    bringer.atOnce++;
    return new Arrival(this, id, bringer, isTrusted, announced ?? 0);
  }

  // --- for arrivals ----------------------------------------------------------------------------------------

  /** One that has `before` bytes is to have `after`. */
  grow(before: number, after: number): void {
    this.#checkSize(after);
    const more = costOf(after) - costOf(before);
    if (more > 0 && !this.#fits(more)) throw this.#full();
    this.#used += more;
  }

  charge(bringer: Bringer, bytes: number): void {
    const wait = bringer.bytes.take(this.#rate, bytes, this.#options.now());
    if (wait === 0) return;
    const minutes = Math.ceil(wait / 60_000);
    throw new HouseError('too-fast', `too much has come from your network: try again in ${minutes} min`);
  }

  refund(bringer: Bringer, bytes: number): void {
    bringer.bytes.refund(bytes);
  }

  describe(id: string, about: Pick<Upload, 'name' | 'type' | 'bytes' | 'sha256'>): Upload {
    return { id, ...about, at: this.#options.wall() };
  }

  /** It is over; what has come is kept or not there any more. */
  end(id: string, bringer: Bringer, bytes: number, upload: Upload | undefined): void {
    this.#arriving.delete(id);
    bringer.atOnce--;
    this.#used -= costOf(bytes);
    if (upload) this.#add(upload);
  }

  // --- inside ------------------------------------------------------------------------------------------------

  #add(upload: Upload): void {
    this.#kept.set(upload.id, upload);
    this.#keptBytes += upload.bytes;
    this.#used += costOf(upload.bytes);
  }

  #drop(upload: Upload): void {
    if (!this.#kept.delete(upload.id)) return;
    this.#keptBytes -= upload.bytes;
    this.#used -= costOf(upload.bytes);
    this.#options.forget(upload);
  }

  #checkSize(bytes: number): void {
    const { fileBytes } = this.policy;
    if (bytes > fileBytes) throw new HouseError('too-long', `a file has at most ${fileBytes} bytes here`);
  }

  #fits(more: number): boolean {
    if (this.#used + more <= this.policy.totalBytes) return true;
    this.sweep();
    return this.#used + more <= this.policy.totalBytes;
  }

  #hasPlace(): boolean {
    if (this.#kept.size + this.#arriving.size >= MAX_FILES) this.sweep();
    return this.#kept.size + this.#arriving.size < MAX_FILES;
  }

  #full(): HouseError {
    return new HouseError('full', 'the house is full of files: older ones go in time');
  }

  #newId(): string {
    for (;;) {
      const id = this.#options.random();
      if (!this.#kept.has(id) && !this.#arriving.has(id)) return id;
    }
  }

  #bringer(network: string): Bringer {
    const known = this.#bringers.get(network);
    if (known) return known;
    if (this.#bringers.size >= MAX_NETWORKS) this.#forgetBringers();
    const made = new Bringer();
    this.#bringers.set(network, made);
    return made;
  }

  /** Those who owe nothing; and, where all do, whoever was first seen longest ago. */
  #forgetBringers(): void {
    const now = this.#options.now();
    for (const [network, { atOnce, bytes }] of this.#bringers) {
      if (atOnce === 0 && bytes.isFull(this.#rate, now)) this.#bringers.delete(network);
    }
    for (const [network, { atOnce }] of this.#bringers) {
      if (this.#bringers.size < MAX_NETWORKS) return;
      if (atOnce === 0) this.#bringers.delete(network);
    }
  }
}

/** A file on its way into the house. */
export class Arrival {
  readonly id: string;
  readonly #uploads: Uploads;
  readonly #bringer: Bringer;
  readonly #isTrusted: boolean;
  /** So much its network was charged for. */
  #charged: number;
  #bytes = 0;
  #isOver = false;

  constructor(uploads: Uploads, id: string, bringer: Bringer, isTrusted: boolean, charged: number) {
    this.id = id;
    this.#uploads = uploads;
    this.#bringer = bringer;
    this.#isTrusted = isTrusted;
    this.#charged = charged;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** So many bytes more have come; throws when that is too much. Asked before they are written. */
  take(bytes: number): void {
    const after = this.#bytes + bytes;
    this.#uploads.grow(this.#bytes, after);
    this.#bytes = after;
    if (this.#isTrusted || after <= this.#charged) return;
    this.#uploads.charge(this.#bringer, after - this.#charged);
    this.#charged = after;
  }

  /** As it will be kept. */
  describe(about: Pick<Upload, 'name' | 'type' | 'sha256'>): Upload {
    return this.#uploads.describe(this.id, { ...about, bytes: this.#bytes });
  }

  /** It is on the disk. */
  keep(upload: Upload): void {
    this.#end(upload);
  }

  /** It has gone. Harmless when it was kept. */
  giveUp(): void {
    this.#end(undefined);
  }

  #end(upload: Upload | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isTrusted) this.#uploads.refund(this.#bringer, Math.max(0, this.#charged - this.#bytes));
    this.#uploads.end(this.id, this.#bringer, this.#bytes, upload);
  }
}
