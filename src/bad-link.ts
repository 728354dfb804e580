// Layer 1. One direction of a simulated link: what is sent waits in a queue, goes out at the link's rate, and arrives
// later, not at all, twice or out of order. Pure: time is passed in, randomness comes from a seed, so that a run can be
// repeated. Knows nothing of what the datagrams are.

export interface BadLinkOptions {
  /** Infinity: nothing waits. */
  readonly bitsPerSecond?: number;
  /** What does not fit is lost. */
  readonly queueBytes?: number;
  readonly delayMs?: number;
  /** At most so much longer; alone it keeps the order. */
  readonly jitterMs?: number;
  /** Of 1. */
  readonly loss?: number;
  /** How many in a row are lost, on average; the share that is lost stays the same. */
  readonly lossBurst?: number;
  /** Of 1. */
  readonly duplicated?: number;
  /** Of 1: so many come late by up to `reorderMs`, and others pass them. */
  readonly reordered?: number;
  readonly reorderMs?: number;
  /** What each datagram takes on the link besides its own bytes. */
  readonly overheadBytes?: number;
}

export interface LinkStats {
  sent: number;
  sentBytes: number;
  lost: number;
  overflowed: number;
  duplicated: number;
  reordered: number;
}

/** Evenly distributed over 0 to 1, 1 excluded; the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const NEVER = Number.POSITIVE_INFINITY;
const BITS_PER_BYTE = 8;
const MS_PER_SECOND = 1000;
const DEFAULT_REORDER_MS = 5;

export class BadLink<T extends { readonly length: number } = Uint8Array> {
  readonly #options: Required<BadLinkOptions>;
  readonly #random: () => number;
  readonly #arrivals = new Arrivals<T>();
  readonly #bytesPerMs: number;
  /** When what is queued will have gone out. */
  #freeAt = 0;
  #lastAt = 0;
  #isLosing = false;
  readonly stats: LinkStats = { sent: 0, sentBytes: 0, lost: 0, overflowed: 0, duplicated: 0, reordered: 0 };

  constructor(options: BadLinkOptions, random: () => number) {
    this.#options = {
      bitsPerSecond: NEVER,
      queueBytes: NEVER,
      delayMs: 0,
      jitterMs: 0,
      loss: 0,
      lossBurst: 1,
      duplicated: 0,
      reordered: 0,
      reorderMs: DEFAULT_REORDER_MS,
      overheadBytes: 0,
      ...options,
    };
    this.#random = random;
    this.#bytesPerMs = this.#options.bitsPerSecond / BITS_PER_BYTE / MS_PER_SECOND;
  }

  /** Those on their way. */
  get length(): number {
    return this.#arrivals.length;
  }

  /** Bytes that wait. */
  queued(now: number): number {
    return this.#bytesPerMs === NEVER ? 0 : Math.max(0, this.#freeAt - now) * this.#bytesPerMs;
  }

  /** It is kept until it arrives, not copied. */
  send(datagram: T, now: number): void {
    const { queueBytes, overheadBytes, duplicated } = this.#options;
    const bytes = datagram.length + overheadBytes;
    this.stats.sent++;
    this.stats.sentBytes += bytes;
    if (this.queued(now) + bytes > queueBytes) {
      this.stats.overflowed++;
      return;
    }
    this.#freeAt = Math.max(this.#freeAt, now) + bytes / this.#bytesPerMs;
    if (this.#isLost()) {
      this.stats.lost++;
      return;
    }
    this.#arrivals.add(this.#arrivalAt(), datagram);
    if (duplicated > 0 && this.#random() < duplicated) {
      this.stats.duplicated++;
      this.#arrivals.add(this.#arrivalAt(), datagram);
    }
  }

  /** The next one that has arrived. */
  take(now: number): T | undefined {
    return this.#arrivals.firstAt <= now ? this.#arrivals.take() : undefined;
  }

  deadline(): number {
    return this.#arrivals.firstAt;
  }

  #isLost(): boolean {
    const { loss, lossBurst } = this.#options;
    if (loss <= 0) return false;
    if (lossBurst <= 1) return this.#random() < loss;
    // two states: in one of them all is lost, and it lasts so many datagrams
    const isChange = this.#random() < (this.#isLosing ? 1 / lossBurst : loss / (lossBurst * (1 - loss)));
    if (isChange) this.#isLosing = !this.#isLosing;
    return this.#isLosing;
  }

  #arrivalAt(): number {
    const { delayMs, jitterMs, reordered, reorderMs } = this.#options;
    const at = this.#freeAt + delayMs + (jitterMs > 0 ? jitterMs * this.#random() : 0);
    this.#lastAt = Math.max(this.#lastAt, at);
    if (reordered <= 0 || this.#random() >= reordered) return this.#lastAt;
    this.stats.reordered++;
    return this.#lastAt + reorderMs * this.#random();
  }
}

/** A heap: the earliest first, those of one time in the order in which they came. */
class Arrivals<T> {
  readonly #heap: Array<{ readonly at: number; readonly order: number; readonly datagram: T }> = [];
  #order = 0;

  get length(): number {
    return this.#heap.length;
  }

  get firstAt(): number {
    return this.#heap[0]?.at ?? NEVER;
  }

  add(at: number, datagram: T): void {
    const heap = this.#heap;
    const entry = { at, order: this.#order++, datagram };
    let place = heap.length;
    heap.push(entry);
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (this.#isBefore(above, entry)) break;
      heap[place] = heap[above] as (typeof heap)[0];
      place = above;
    }
    heap[place] = entry;
  }

  take(): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last) return undefined;
    if (heap.length > 0) this.#sink(last);
    return first.datagram;
  }

  #sink(entry: { at: number; order: number; datagram: T }): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      const right = heap[below + 1];
      if (right && this.#isBefore(below + 1, heap[below] as (typeof heap)[0])) below++;
      if (below >= heap.length || !this.#isBefore(below, entry)) break;
      heap[place] = heap[below] as (typeof heap)[0];
      place = below;
    }
    heap[place] = entry;
  }

  #isBefore(place: number, entry: { readonly at: number; readonly order: number }): boolean {
    const other = this.#heap[place] as { at: number; order: number };
    return other.at === entry.at ? other.order < entry.order : other.at < entry.at;
  }
}
