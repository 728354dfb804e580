// Layer 2. Which names people and rooms may have, and when two names are the same. Pure.

import { HouseError } from './errors.ts';

export const MAX_NAME_CHARS = 64;
/** A name may be written with this many, as letters and marks apart; more are not normalised, for that takes long. */
const MAX_WRITTEN_CHARS = 4 * MAX_NAME_CHARS;
/** The key of all that is longer: no name has a control character. */
const NO_NAME = '\0';

/** Control and unpaired characters, line separators, and those that turn the direction of text around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const UNFIT = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/u;
/** U+2800 is a braille cell without dots. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]/gu;

/** Words that are spelled in one way only, but for their case. */
const PLAIN = /^[!-~]+(?: [!-~]+)*$/;

/** Names that dialects give a meaning to: nobody wears one of them. */
const RESERVED: ReadonlySet<string> = new Set(['server', 'all', 'root', 'me']);

/** The one room of dialects without rooms: everybody's, and nobody's own. */
export const MAIN_ROOM = 'main';

/** The same for all spellings of one name: without case, width and invisible characters, blanks being one blank. */
export function nameKey(name: string): string {
  if (name.length > MAX_WRITTEN_CHARS) return NO_NAME;
  if (PLAIN.test(name)) return name.toLowerCase();
  const seen = name.normalize('NFKC').replace(INVISIBLE, '').replace(/\s+/gu, ' ').trim();
  // at the end of a word this letter has a form of its own
  return seen.toLowerCase().replaceAll('ς', 'σ').normalize('NFC');
}

/** The name as it will stand, or a HouseError that says what is wrong with it. */
export function checkName(name: string): string {
  return check(name, 'bad-name', 'a name');
}

export function checkRoomName(name: string): string {
  return check(name, 'bad-room', 'a room name');
}

export function isReserved(key: string): boolean {
  return RESERVED.has(key);
}

/** `name`, then `name~2`, `name~3` …: what others are shown when a name is taken. */
export function alias(name: string, n: number): string {
  return n < 2 ? name : `${name}~${n}`;
}

function check(name: string, code: 'bad-name' | 'bad-room', what: string): string {
  const written = name.trim();
  const fit = written.length > MAX_WRITTEN_CHARS ? written : written.normalize('NFC');
  if (fit.length > MAX_NAME_CHARS) throw new HouseError(code, `${what} has at most ${MAX_NAME_CHARS} characters`);
  if (nameKey(fit).trim() === '') throw new HouseError(code, `${what} is missing`);
  if (UNFIT.test(fit)) throw new HouseError(code, `${what} has no control characters`);
  return fit;
}
