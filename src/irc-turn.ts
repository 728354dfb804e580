// Layer 3. How long what one client asks for may keep all others waiting: thousands of commands come in one read, and some
// take long. Pure: the time is handed in.

/** Then others come first. */
const TURN_MS = 20;
/** What comes sooner than this after what was done last comes with it: nobody else had a turn in between. */
const GAP_MS = 1;

export class Turn {
  #began = Number.NEGATIVE_INFINITY;
  #workedAt = Number.NEGATIVE_INFINITY;

  /** Others have had theirs. */
  begin(now: number): void {
    this.#began = now;
    this.#workedAt = now;
  }

  /** There is more to do. */
  goOn(now: number): void {
    if (now - this.#workedAt >= GAP_MS) this.begin(now);
  }

  /** To be asked before each command. */
  isOver(now: number): boolean {
    this.#workedAt = now;
    return now - this.#began >= TURN_MS;
  }
}
