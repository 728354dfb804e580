// Layer 1. The part of the file that a sender holds: what may have to be sent again, and a little of what comes next.
// Pure: says which bytes it wants, and is given them.

const CHUNK_BYTES = 262_144;
/** Read ahead, behind the window. */
const AHEAD_CHUNKS = 2;

export interface Want {
  readonly position: number;
  readonly bytes: number;
}

export class FileWindow {
  readonly offset: number;
  readonly size: number;
  readonly packetBytes: number;
  /** Packets from the offset on. */
  readonly total: number;
  readonly #chunkPackets: number;
  readonly #chunks = new Map<number, Uint8Array>();
  #firstChunk = 0;
  #nextChunk = 0;
  #lastChunk = -1;
  #last: Uint8Array | undefined;

  constructor(offset: number, size: number, packetBytes: number) {
    this.offset = offset;
    this.size = size;
    this.packetBytes = packetBytes;
    this.total = Math.ceil((size - offset) / packetBytes);
    this.#chunkPackets = Math.max(1, Math.floor(CHUNK_BYTES / packetBytes));
  }

  /** How many packets are here, from the first on. */
  get suppliedTo(): number {
    return Math.min(this.total, this.#nextChunk * this.#chunkPackets);
  }

  /** Bytes that are held. */
  get heldBytes(): number {
    return this.#chunks.size * this.#chunkPackets * this.packetBytes;
  }

  /** What comes next, while packets up to `end` may be sent. */
  wants(end: number): Want | undefined {
    const first = this.#nextChunk * this.#chunkPackets;
    if (first >= this.total || first >= end + AHEAD_CHUNKS * this.#chunkPackets) return undefined;
    const position = this.offset + first * this.packetBytes;
    return { position, bytes: Math.min(this.#chunkPackets * this.packetBytes, this.size - position) };
  }

  /** Exactly what it wants; it is kept, not copied. */
  supply(position: number, bytes: Uint8Array): void {
    const due = this.wants(Number.POSITIVE_INFINITY);
    if (due?.position !== position || due.bytes !== bytes.length) {
      throw new RangeError(`${bytes.length} bytes at ${position}, where ${due?.bytes} at ${due?.position} were wanted`);
    }
    this.#chunks.set(this.#nextChunk++, bytes);
  }

  packet(index: number): Uint8Array {
    const chunk = Math.floor(index / this.#chunkPackets);
    if (chunk !== this.#lastChunk) {
      this.#last = this.#chunks.get(chunk);
      this.#lastChunk = chunk;
    }
    const bytes = this.#last;
    if (!bytes) throw new RangeError(`packet ${index} is not here`);
    const start = (index - chunk * this.#chunkPackets) * this.packetBytes;
    return bytes.subarray(start, start + this.packetBytes);
  }

  /** Packets before this one will not be needed again. */
  release(before: number): void {
    const first = Math.floor(before / this.#chunkPackets);
    for (; this.#firstChunk < first; this.#firstChunk++) this.#chunks.delete(this.#firstChunk);
    if (this.#lastChunk < this.#firstChunk) this.#lastChunk = -1;
  }
}
