// Layer 1. How IRC spells people and rooms, and how it means many of them at once: CASEMAPPING=ascii, which nicks and
// channel names there are, and masks `nick!user@host` with `*` and `?`. Pure.

import { splitText } from './wire.ts';

/** Told to clients in ISUPPORT. */
export const NICK_CHARS = 64;
export const CHANNEL_CHARS = 65;
export const TOPIC_CHARS = 390;
export const KICK_CHARS = 390;
export const AWAY_CHARS = 390;
/** A longer mask is cut: in a list it has others beside it in its line. */
export const MASK_BYTES = 300;

/** Control, unpaired and line-separating characters, blanks, and those that turn the direction of text around. */
const UNFIT = '\\p{Cc}\\p{Surrogate}\\s\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069';
const NOT_IN_NICK = new RegExp(`[${UNFIT},*?!@:.]`, 'gu');
const NOT_IN_CHANNEL = new RegExp(`[${UNFIT},]`, 'gu');
const NOT_IN_MASK = new RegExp(`[${UNFIT},]`, 'gu');
/** A channel, a prefix of members or servers, a sign, or a number. */
const NOT_FIRST_IN_NICK = /^[#&$~%+\-\d]/;

/** The same for all spellings of one name: A to Z are a to z, and nothing else. */
export function foldIrc(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

export function isNick(text: string): boolean {
  if (text === '' || text.length > NICK_CHARS || NOT_FIRST_IN_NICK.test(text)) return false;
  return text.search(NOT_IN_NICK) < 0;
}

export function isChannel(text: string): boolean {
  if (text.length < 2 || text.length > CHANNEL_CHARS || text[0] !== '#') return false;
  return text.search(NOT_IN_CHANNEL) < 0;
}

/** A name of the house as a nick that others can be shown. Two names may have one: who lists them tells them apart. */
export function spellNick(name: string): string {
  const fit = name.replace(NOT_IN_NICK, '_');
  return cut(fit === '' || NOT_FIRST_IN_NICK.test(fit) ? `_${fit}` : fit, NICK_CHARS);
}

/** The same for a room. */
export function spellChannel(room: string): string {
  return `#${cut(room.replace(NOT_IN_CHANNEL, '_'), CHANNEL_CHARS - 1) || '_'}`;
}

/** No character is cut in two. */
export function cut(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : text.slice(0, maxChars).replace(/[\ud800-\udbff]$/, '');
}

function cutBytes(text: string, maxBytes: number): string {
  return splitText(text, maxBytes)[0] ?? '';
}

const WORD_BITS = 32;

/** What a mask is compiled to: a bit for each place in it. */
interface Places {
  /** Of each word, so many. */
  readonly words: number;
  /** The places where a `*` stands: one stays there whatever comes. */
  readonly stars: Uint32Array;
  /** For each character of the mask the places that it leads on from; the last row is that of all others. */
  readonly rows: Uint32Array;
  readonly rowOf: ReadonlyMap<string, number>;
  readonly otherRow: number;
  readonly last: number;
}

/**
 * Who is meant by `nick!user@host`, where `*` is any characters and `?` is one. All places in the mask where a prefix
 * can have got to are followed at once, so that a prefix is read once, whatever stars the mask has.
 */
export class Mask {
  /** With all three parts, folded. '' means nobody. */
  readonly text: string;
  #places: Places | undefined;

  constructor(text: string) {
    this.text = normalise(text);
  }

  /** `prefix` is `nick!user@host`, folded. */
  matches(prefix: string): boolean {
    this.#places ??= compile(this.text);
    const { words, stars, rows, rowOf, otherRow, last } = this.#places;
    const here = new Uint32Array(words);
    here[0] = 1;
    for (const char of prefix) {
      const row = rowOf.get(char) ?? otherRow;
      let carry = 0;
      let any = 0;
      for (let word = 0; word < words; word++) {
        const now = here[word] as number;
        const onward = now & (rows[row + word] as number);
        const next = (onward << 1) | carry | (now & (stars[word] as number));
        here[word] = next;
        carry = onward >>> 31;
        any |= next;
      }
      if (any === 0) return false;
    }
    return hasBit(here, last);
  }
}

function compile(mask: string): Places {
  const chars = [...mask];
  const places = chars.filter((char) => char !== '*');
  const words = (places.length >>> 5) + 1;
  const rowOf = new Map([...new Set(places)].map((char, index) => [char, index * words]));
  const otherRow = rowOf.size * words;
  const rows = new Uint32Array(otherRow + words);
  const stars = new Uint32Array(words);
  let place = 0;
  for (const char of chars) {
    if (char === '*') setBit(stars, place);
    else if (char !== '?') setBit(rows, (rowOf.get(char) as number) * WORD_BITS + place++);
    else {
      for (let row = 0; row <= otherRow; row += words) setBit(rows, row * WORD_BITS + place);
      place++;
    }
  }
  return { words, stars, rows, rowOf, otherRow, last: place };
}

function setBit(words: Uint32Array, bit: number): void {
  words[bit >>> 5] = (words[bit >>> 5] as number) | (1 << (bit & 31));
}

function hasBit(words: Uint32Array, bit: number): boolean {
  return (((words[bit >>> 5] as number) >>> (bit & 31)) & 1) === 1;
}

/** What is left out is `*`. No nick has a dot or a colon: one word with these is a host. */
function normalise(written: string): string {
  // what nobody's prefix has could not be written down: any one character stands for it
  const text = foldIrc(cutBytes(written, MASK_BYTES)).replace(NOT_IN_MASK, '?');
  if (text === '') return '';
  const [nick, user, host] = partsOf(text);
  // a word that begins with a colon would be the rest of a line
  const parts = `${nick.replace(/^:+/, '') || '*'}!${user || '*'}@${host || '*'}`;
  return cutBytes(parts.replace(/\*{2,}/g, '*'), MASK_BYTES);
}

function partsOf(text: string): readonly [nick: string, user: string, host: string] {
  const bang = text.indexOf('!');
  const at = text.indexOf('@', bang + 1);
  if (bang < 0 && at < 0) return /[.:]/.test(text) ? ['', '', text] : [text, '', ''];
  const userAndHost =
    at < 0 ? ([text.slice(bang + 1), ''] as const) : ([text.slice(bang + 1, at), text.slice(at + 1)] as const);
  return [text.slice(0, Math.max(0, bang)), ...userAndHost];
}
