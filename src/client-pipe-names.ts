// Layer 3. What the client's `pipe` face has heard of: people, rooms, who has which file. For Tab alone: nothing
// depends on it, and it forgets what was first.

import type { Step } from './client-pipe-dialogue.ts';
import { addresseeOf } from './client-pipe-words.ts';
import { nameKey } from './names.ts';
import { printable } from './printable.ts';
import { fieldsOf, readAddress } from './wire-pipe.ts';

const MAX_NAMES = 500;
const TO_ANYBODY = ['whohas|', 'getfile|'];
const TO_ME = ['setshare|', 'clrshare|', 'setglobalshare', 'clrglobalshare', 'getsharestatus', 'setwindowsize|'];
const TO_SERVER = ['exit', 'get_peers', 'get_rooms', 'get_passwd'];
const ABOUT_OWN_FILES = ['setshare|', 'clrshare|'];

export class Names {
  readonly #people = new Set<string>();
  readonly #files = new Map<string, Set<string>>();
  #rooms: readonly string[] = [];
  /** The file that was asked for last, and of whom. */
  #wanted: { readonly to: string; readonly file: string } | undefined;

  met(name: string): void {
    if (isTypeable(name) && addresseeOf(name) === 'somebody') keepIn(this.#people, name);
  }

  /** What the server tells everybody in a room; who has left it. */
  heard(info: string): string | undefined {
    const [, joined, left] = /^(?:New user (.*) has joined|User (.*) has left)$/.exec(info) ?? [];
    if (joined !== undefined) this.met(joined);
    if (left !== undefined) this.#left(left);
    return left;
  }

  /** A list, as it came. */
  listed(of: 'people' | 'rooms', names: string): void {
    const all = fieldsOf(names).filter(isTypeable).slice(0, MAX_NAMES);
    if (of === 'rooms') this.#rooms = all;
    else for (const name of all) this.met(name);
  }

  wants(to: string, file: string): void {
    this.#wanted = /[*?[]/.test(file) ? undefined : { to, file };
  }

  /** Somebody has what was asked for last. */
  has(owner: string): void {
    const wanted = this.#wanted;
    if (!wanted || !isTypeable(owner)) return;
    if (addresseeOf(wanted.to) !== 'all' && nameKey(wanted.to) !== nameKey(owner)) return;
    const files = this.#files.get(owner) ?? new Set();
    keepIn(files, wanted.file);
    if (this.#files.size < MAX_NAMES || this.#files.has(owner)) this.#files.set(owner, files);
  }

  /** What a line can become. */
  complete(line: string, step: Step, ownFiles: () => readonly string[]): string[] {
    if (line === '') return [];
    return this.#candidates(line, step, ownFiles).filter((one) => one !== line && one.startsWith(line));
  }

  #left(name: string): void {
    this.#people.delete(name);
    this.#files.delete(name);
  }

  #candidates(line: string, step: Step, ownFiles: () => readonly string[]): string[] {
    if (step === 'choice') return ['create', 'join'];
    if (step === 'room') return [...this.#rooms];
    const address = step === 'chat' ? readAddress(line) : undefined;
    if (!address) return [];
    const { to, text } = address;
    if (!line.includes('|')) return ['all', 'me', 'server', ...[...this.#people].sort()].map((name) => `@${name}|`);
    return this.#words(to, text, ownFiles).map((word) => `@${to}|${word}`);
  }

  #words(to: string, text: string, ownFiles: () => readonly string[]): readonly string[] {
    const [command] = /^\w+\|/.exec(text) ?? [];
    const addressee = addresseeOf(to);
    if (addressee === 'server') return TO_SERVER;
    if (command === undefined) return addressee === 'me' ? TO_ME : TO_ANYBODY;
    const isOwn = addressee === 'me' && ABOUT_OWN_FILES.includes(command);
    const files = isOwn ? ownFiles().filter(isTypeable) : TO_ANYBODY.includes(command) ? this.#known(to) : [];
    return files.map((file) => command + file);
  }

  #known(owner: string): string[] {
    if (addresseeOf(owner) !== 'all') return [...(this.#files.get(owner) ?? [])];
    return [...new Set([...this.#files.values()].flatMap((files) => [...files]))];
  }
}

/** What a line can hold between two bars. */
function isTypeable(name: string): boolean {
  return name !== '' && !/[|\t\n]/.test(name) && printable(name) === name;
}

function keepIn(names: Set<string>, name: string): void {
  names.delete(name);
  names.add(name);
  const [oldest] = names;
  if (names.size > MAX_NAMES && oldest !== undefined) names.delete(oldest);
}
