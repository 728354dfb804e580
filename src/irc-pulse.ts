// Layer 3. Whether there is still somebody at the other end: who says nothing for long is asked, and has so long to
// answer. Pure: the time is handed in.

const PING_MS = 120_000;
const PONG_MS = 60_000;
/** After this silence somebody counts as gone. */
export const SILENCE_MS = PING_MS + PONG_MS;

export class Pulse {
  #heardAt: number;
  #pingedAt: number | undefined;

  constructor(now: number) {
    this.#heardAt = now;
  }

  heard(now: number): void {
    this.#heardAt = now;
    this.#pingedAt = undefined;
  }

  /** What is due now: to ask, or to give up. */
  tick(now: number): 'ask' | 'give up' | undefined {
    if (now < this.deadline()) return undefined;
    if (this.#pingedAt !== undefined) return 'give up';
    this.#pingedAt = now;
    return 'ask';
  }

  deadline(): number {
    return this.#pingedAt === undefined ? this.#heardAt + PING_MS : this.#pingedAt + PONG_MS;
  }
}
