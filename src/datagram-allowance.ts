// Layer 3. How much an address gets that has not answered anything yet: it may be somebody else, at whom this is aimed.
// Pure: time is passed in.

const WINDOW_BYTES = 4000;
const WINDOW_MS = 1000;
const MAX_BYTES = 20_000;
/** About as long as what it answers: that helps nobody who aims. */
const SMALL_BYTES = 256;
const MAX_ADDRESSES = 20_000;

export class Allowance {
  #bytes = 0;
  #window = { until: 0, bytes: 0 };

  get isHalfSpent(): boolean {
    return this.#bytes >= MAX_BYTES / 2;
  }

  /** When so much may go out; Infinity for never. */
  roomAt({ length }: Uint8Array): number {
    if (this.#bytes + length > MAX_BYTES) return Number.POSITIVE_INFINITY;
    return this.#windowAt(length);
  }

  /** The same for what it has asked for: a short answer it always gets in the end. */
  answerRoomAt(bytes: Uint8Array): number {
    return bytes.length <= SMALL_BYTES ? this.#windowAt(bytes.length) : this.roomAt(bytes);
  }

  spend({ length }: Uint8Array, now: number): void {
    this.#bytes += length;
    if (now >= this.#window.until) this.#window = { until: now + WINDOW_MS, bytes: 0 };
    this.#window.bytes += length;
  }

  #windowAt(length: number): number {
    return this.#window.bytes + length > WINDOW_BYTES ? this.#window.until : 0;
  }
}

/** One for each address, whatever names are registered from there. */
export class Allowances {
  readonly #byAddress = new Map<string, Allowance>();

  of({ ip, port }: { readonly ip: string; readonly port: number }): Allowance {
    const key = `${ip} ${port}`;
    const allowance = this.#byAddress.get(key) ?? new Allowance();
    this.#byAddress.delete(key);
    this.#byAddress.set(key, allowance);
    for (const oldest of this.#byAddress.keys()) {
      if (this.#byAddress.size <= MAX_ADDRESSES) break;
      this.#byAddress.delete(oldest);
    }
    return allowance;
  }
}
