// Layer 4. Many deadlines, one timer. Whoever has a deadline is asked for it after each call; an entry that
// has become too early only wakes its owner for nothing, which `tick` must not mind. Time is passed in.

export interface Sleeper {
  tick(now: number): void;
  /** When it wants to be woken; Infinity for never. */
  deadline(): number;
}

interface Entry {
  readonly at: number;
  readonly sleeper: Sleeper;
}

export class Alarms {
  /** A binary heap, the earliest first. */
  readonly #heap: Entry[] = [];
  /** The earliest entry of each sleeper. */
  readonly #set = new Map<Sleeper, number>();
  readonly #arm: (at: number) => void;

  /** `arm(at)` sets the one timer to call `ring` at that time; Infinity for not at all. */
  constructor(arm: (at: number) => void) {
    this.#arm = arm;
  }

  /** Asks the sleeper for its deadline. */
  update(sleeper: Sleeper, notBefore = Number.NEGATIVE_INFINITY): void {
    const at = Math.max(sleeper.deadline(), notBefore);
    if (at === Number.POSITIVE_INFINITY) return;
    const known = this.#set.get(sleeper);
    if (known !== undefined && known <= at) return;
    this.#set.set(sleeper, at);
    this.#push({ at, sleeper });
    if (this.#heap[0]?.at === at) this.#arm(at);
  }

  forget(sleeper: Sleeper): void {
    this.#set.delete(sleeper);
  }

  /** Wakes everybody whose deadline has come, each once. */
  ring(now: number): void {
    const due: Sleeper[] = [];
    for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
      this.#pop();
      if (this.#set.get(first.sleeper) !== first.at) continue;
      this.#set.delete(first.sleeper);
      due.push(first.sleeper);
    }
    try {
      for (let next = due.shift(); next !== undefined; next = due.shift()) {
        next.tick(now);
        // a deadline that stays in the past must not spin
        this.update(next, now + 1);
      }
    } finally {
      // one that threw is a bug; the others ring all the same
      for (const sleeper of due) this.update(sleeper, now + 1);
      this.#arm(this.#heap[0]?.at ?? Number.POSITIVE_INFINITY);
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Entry;
      if (parent.at <= entry.at) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] as Entry).at < (heap[below] as Entry).at) below++;
      if ((heap[below] as Entry).at >= last.at) break;
      heap[at] = heap[below] as Entry;
      at = below;
    }
    heap[at] = last;
  }
}
