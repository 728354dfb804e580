// What the soak knows: who has said what, which of it was acknowledged, who has heard what on which connection. It
// is asked nothing and waits for nothing; what is wrong goes to `troubles`.

import type { Chance } from './soak-chance.ts';

const MAX_TROUBLES = 20;
/** A datagram is repeated while its ack is on its way: so long after the first it can't be that. */
const REPEATED_MS = 1500;

export interface Said {
  readonly text: string;
  isAcked: boolean;
}

/** How one knows a text again, whatever a dialect has put around it. */
const MARKER = /<([a-z]+\d*)\.(\d+)>/g;
const PADDING = ['and so on ', 'Zoë, ñandú ', '漢字 🙂 ', 'it\'s {"x": [1]} ', 'a|b # @all|c '];

export class Ledger {
  /** By marker. */
  readonly said = new Map<string, Said>();
  readonly troubles: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #numbers = new Map<string, number>();

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  trouble(text: string): void {
    this.count('troubles');
    if (this.troubles.length < MAX_TROUBLES) this.troubles.push(text);
  }

  /** The next text of this one, never said before. */
  compose(name: string, chance: Chance): { marker: string; text: string } {
    const number = (this.#numbers.get(name) ?? 0) + 1;
    this.#numbers.set(name, number);
    const marker = `${name}.${number}`;
    const length = chance.isOne(0.1) ? chance.upTo(900) : chance.upTo(60);
    const text = `<${marker}> ${chance.pick(PADDING).repeat(40).slice(0, length).toWellFormed()}`.trim();
    this.said.set(marker, { text, isAcked: false });
    this.count('said');
    return { marker, text };
  }

  acked(marker: string): void {
    const said = this.said.get(marker);
    if (!said || said.isAcked) return;
    said.isAcked = true;
    this.count('acknowledged');
  }

  /** What the house has kept, after all: everything that was acknowledged, whole, and nothing twice. */
  judge(kept: Iterable<string>): void {
    const times = new Map<string, number>();
    for (const text of kept) {
      const [marker] = markersOf(text);
      if (marker === undefined) continue;
      times.set(marker, (times.get(marker) ?? 0) + 1);
      const said = this.said.get(marker);
      if (said?.text !== text) this.trouble(`kept as ${JSON.stringify(text)}, said as ${JSON.stringify(said?.text)}`);
    }
    this.count('kept', times.size);
    for (const [marker, count] of times) if (count > 1) this.trouble(`${marker} is kept ${count} times`);
    for (const [marker, { isAcked }] of this.said) {
      if (isAcked && !times.has(marker)) this.trouble(`${marker} was acknowledged, and is lost`);
    }
  }
}

export function markersOf(text: string): string[] {
  return [...text.matchAll(MARKER)].map(([, name, number]) => `${name}.${number}`);
}

/** What is heard on one connection: nothing twice, and the numbers of each sender rise. */
export class Ear {
  readonly #ledger: Ledger;
  readonly #owner: string;
  /** When each was heard. */
  readonly #heard = new Map<string, number>();
  readonly #last = new Map<string, number>();
  /** Datagrams are repeated until their ack has come. */
  readonly #mayRepeat: boolean;

  constructor(ledger: Ledger, owner: string, mayRepeat = false) {
    this.#ledger = ledger;
    this.#owner = owner;
    this.#mayRepeat = mayRepeat;
  }

  has(marker: string): boolean {
    return this.#heard.has(marker);
  }

  /** Texts as they come. */
  hear(text: string): void {
    for (const marker of markersOf(text)) {
      if (this.#isNew(marker)) this.#follow(marker);
    }
  }

  /** What was said while one was away: may come behind what is said now. */
  catchUp(text: string): void {
    for (const marker of markersOf(text)) this.#isNew(marker);
  }

  #isNew(marker: string): boolean {
    const before = this.#heard.get(marker);
    const now = performance.now();
    if (before === undefined) {
      this.#heard.set(marker, now);
      this.#ledger.count('heard');
      return true;
    }
    if (this.#mayRepeat && now - before < REPEATED_MS) this.#ledger.count('repeated');
    else this.#ledger.trouble(`${this.#owner} heard ${marker} twice, ${Math.round(now - before)} ms apart`);
    return false;
  }

  #follow(marker: string): void {
    const [name = '', number] = marker.split('.');
    const last = this.#last.get(name) ?? 0;
    if (Number(number) < last) this.#ledger.trouble(`${this.#owner} heard ${marker} after ${name}.${last}`);
    this.#last.set(name, Math.max(last, Number(number)));
  }
}
