// Layer 3. What the client's `pipe` face shares, and what it answers to those who ask for it. Knows the names of the
// files, from an object that is handed in, and neither the files nor the wire that they go on.

import type { Refusal, Request } from './client-pipe-transfers.ts';
import { HAVE, NO_FILE_NAME, type Place, type Relayed } from './client-pipe-words.ts';
import { readPattern } from './file-pattern.ts';

export interface ShareOptions {
  /** Names of what is in the folder now. */
  files(): readonly string[];
  readonly isOn: boolean;
  /** So many files go out at once. */
  readonly parallel: number;
}

export type Answer =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'serve'; readonly request: Request }
  | { readonly kind: 'refuse'; readonly request: Request; readonly reason: Refusal };

/** Of those who asked for a file, and have not said where to send it. */
const MAX_PENDING = 100;

export class Shares {
  readonly #options: ShareOptions;
  #isOn: boolean;
  /** Not shared, whatever else is. */
  readonly #kept = new Set<string>();
  readonly #pending = new Map<string, string>();
  #serving = 0;

  constructor(options: ShareOptions) {
    this.#options = options;
    this.#isOn = options.isOn;
  }

  get serving(): number {
    return this.#serving;
  }

  /** To somebody's command; undefined where there is nothing to say. */
  answer(from: string, relayed: Relayed): Answer | undefined {
    switch (relayed.kind) {
      case 'incomplete':
        return say(from, NO_FILE_NAME);
      case 'whohas':
        return this.#matching(relayed.pattern).length > 0 ? say(from, HAVE) : undefined;
      case 'getfile':
        if (relayed.place) return this.#decide(from, relayed.file, relayed.place);
        this.#await(from, relayed.file);
        return undefined;
      case 'place':
        return this.#placed(from, relayed.place);
      default:
        return undefined;
    }
  }

  /** Others may have it. */
  has(file: string): boolean {
    return this.#isOn && !this.#kept.has(file) && this.#options.files().includes(file);
  }

  /** A file has gone, or not. */
  ended(): void {
    this.#serving = Math.max(0, this.#serving - 1);
  }

  // --- one's own commands ----------------------------------------------------------------------------------------

  /** Says what has come of it. */
  obey(command: string, argument: string): string {
    switch (command) {
      case 'setshare':
        return this.#change(argument, (name) => this.#kept.delete(name), 'shared', this.#isOn ? '' : OFF);
      case 'clrshare':
        return this.#change(argument, (name) => this.#kept.add(name), 'not shared', '');
      case 'setglobalshare':
        this.#isOn = true;
        break;
      case 'clrglobalshare':
        this.#isOn = false;
        break;
    }
    return this.#status();
  }

  #status(): string {
    if (!this.#isOn) return 'sharing is off';
    const { length } = this.#matching('*');
    const kept = this.#options.files().filter((name) => this.#kept.has(name));
    const but = kept.length > 0 ? `, not ${kept.join(', ')}` : '';
    return `sharing is on: ${length === 1 ? '1 file' : `${length || 'no'} files`}${but}`;
  }

  // --- others' commands ------------------------------------------------------------------------------------------

  #matching(pattern: string): string[] {
    const isMeant = readPattern(pattern);
    return this.#isOn ? this.#options.files().filter((name) => !this.#kept.has(name) && isMeant(name)) : [];
  }

  #await(from: string, file: string): void {
    this.#pending.delete(from);
    this.#pending.set(from, file);
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > MAX_PENDING && oldest !== undefined) this.#pending.delete(oldest);
  }

  #placed(from: string, place: Place): Answer | undefined {
    const file = this.#pending.get(from);
    this.#pending.delete(from);
    return file === undefined ? undefined : this.#decide(from, file, place);
  }

  /** A file is asked for by its name: what looks like a pattern is none here. */
  #decide(to: string, file: string, place: Place): Answer {
    const request = { to, file, ...place };
    if (!this.has(file)) return { kind: 'refuse', request, reason: 'not-found' };
    if (this.#serving >= this.#options.parallel) return { kind: 'refuse', request, reason: 'busy' };
    this.#serving++;
    return { kind: 'serve', request };
  }

  #change(pattern: string, change: (name: string) => unknown, now: string, but: string): string {
    const isMeant = readPattern(pattern);
    const names = this.#options.files().filter((name) => name === pattern || isMeant(name));
    if (names.length === 0) return `there is no file ${pattern}`;
    for (const name of names) change(name);
    return `${now}: ${names.join(', ')}${but}`;
  }
}

const OFF = ', as soon as sharing is on';

function say(to: string, text: string): Answer {
  return { kind: 'say', text: `@${to}|${text}` };
}
