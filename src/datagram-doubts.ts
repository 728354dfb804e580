// Layer 3. `datagram` clients that have registered and not answered anything since: after a while nobody of that name
// has ever been there. Pure: time is passed in.

import type { Sleeper } from './alarm.ts';
import type { Client } from './datagram-client.ts';

const DOUBT_MS = 60_000;

export class Doubts implements Sleeper {
  readonly #confirmed: (client: Client) => void;
  /** The longest doubted first. */
  readonly #since = new Map<Client, number>();

  /** `confirmed` is called when a doubt turned out to be right. */
  constructor(confirmed: (client: Client) => void) {
    this.#confirmed = confirmed;
  }

  add(client: Client, now: number): void {
    this.#since.set(client, now);
  }

  remove(client: Client): void {
    this.#since.delete(client);
  }

  tick(now: number): void {
    for (const [client, since] of this.#since) {
      if (since + DOUBT_MS > now) break;
      this.#since.delete(client);
      this.#confirmed(client);
    }
  }

  deadline(): number {
    for (const since of this.#since.values()) return since + DOUBT_MS;
    return Number.POSITIVE_INFINITY;
  }
}
