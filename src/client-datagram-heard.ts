// Layer 3. What the client's `datagram` face has heard: the same thing comes again when an ack was lost, and is not
// shown again. But who says the same thing twice is heard twice: times tell the two apart. Pure.
//
// A message from a peer: its sender waits for our ack, so what comes before that is a copy made on the way. If the
// ack is lost, it tells the server, which asks us whether we are there, and then sends again.
// A group's message: our server sends it three times, 200 ms apart; a client sends it again to a server that seems
// deaf, and a classic one passes on each copy. Ours sends the same text again only after a longer time.
// Offline messages have a time: ours gives none twice, a classic server keeps each copy that a client sent.

import type { OfflineMessage } from './wire-datagram.ts';

/** A copy comes 400 ms later, and 100 more if a classic server waits for somebody else first; the same text, 700. */
const GROUP_COPY_MS = 550;
/** From the server's question to its sender's second try. */
const RESENT_MS = 2000;
/** Lists that come within this time are parts of one. */
const LIST_MS = 2000;
const MOST = 1000;

export class Heard {
  readonly #letters = new Map<string, { readonly text: string; readonly at: number }>();
  readonly #groups = new Map<string, { readonly text: string; readonly at: number }>();
  /** How many are still to come. */
  readonly #receipts = new Map<string, number>();
  readonly #offline = new Set<string>();
  #checkedAt = Number.NEGATIVE_INFINITY;
  #listAt = Number.NEGATIVE_INFINITY;

  /** The server has asked whether we are there. */
  checked(now: number): void {
    this.#checkedAt = now;
  }

  /** `copyMs`: nobody says it again within this time. */
  isNewLetter(from: string, text: string, copyMs: number, now: number): boolean {
    const last = this.#letters.get(from);
    const isSame = last?.text === text;
    const isCopy = isSame && now < last.at + copyMs;
    const isResent = isSame && last.at <= this.#checkedAt && now < this.#checkedAt + RESENT_MS;
    if (!isCopy) remember(this.#letters, from, { text, at: now });
    return !isCopy && !isResent;
  }

  isNewGroup(from: string, text: string, now: number): boolean {
    const last = this.#groups.get(from);
    remember(this.#groups, from, { text, at: now });
    return last?.text !== text || now >= last.at + GROUP_COPY_MS;
  }

  /** What was given to the server will have one receipt. */
  expectReceipt(text: string): void {
    remember(this.#receipts, text, (this.#receipts.get(text) ?? 0) + 1);
  }

  /** One that is not expected is of an earlier time, when we were another process. */
  isNewReceipt(text: string): boolean {
    const due = this.#receipts.get(text);
    if (due === undefined) return true;
    this.#receipts.set(text, Math.max(0, due - 1));
    return due > 0;
  }

  /** What was in no list before, and whether that is the rest of a list. */
  newOffline(
    messages: readonly OfflineMessage[],
    isExact: boolean,
    now: number,
  ): { fresh: OfflineMessage[]; continues: boolean } {
    const keys = messages.map(({ from, time, text, isGroup }) => JSON.stringify([from ?? null, time, text, isGroup]));
    const isNew = (at: number) =>
      !this.#offline.has(keys[at] ?? '') && (isExact || keys.indexOf(keys[at] ?? '') === at);
    const fresh = messages.filter((_, at) => isNew(at));
    for (const key of keys) this.#offline.add(key);
    if (this.#offline.size > MOST) for (const key of [...this.#offline].slice(0, -MOST)) this.#offline.delete(key);
    const continues = now < this.#listAt + LIST_MS;
    if (fresh.length > 0) this.#listAt = now;
    return { fresh, continues };
  }
}

/** The last thing remembered is the last to be forgotten. */
function remember<T>(all: Map<string, T>, key: string, value: T): void {
  all.delete(key);
  all.set(key, value);
  if (all.size > MOST) for (const oldest of all.keys()) return void all.delete(oldest);
}
