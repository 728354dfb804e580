// Layer 1. Python's literals: read as `eval` reads them, without evaluating anything, and written as `repr`
// writes them. Pure; knows no message.
//
// What is read: str, int, True, False, None, tuple, list and dict, with the blanks, line ends, comments and
// trailing commas that CPython takes between them; adjacent strings, triple quotes and the prefix u too, since
// they are no other values. What is not, though CPython reads it: numbers that are not whole, bytes, raw
// strings, sets, `...`, \N{names}, a tuple without parentheses, a sign before parentheses, what is nested deeper
// than 16. What is, though CPython refuses it: blanks at the start of a line that is in no brackets. Each step
// goes forward and the first thing wrong ends it: the time is that of the text's length.
//
// Surrogates: Python tells the two escapes \ud83d\ude00 from the one character U+1F600, a JavaScript string
// does not. Here they are that character, and it is written as such. Unpaired ones stay what they are.
//
// A code point that Unicode has defined after CPython 3.11 is written as is; there it would be escaped. To the
// reader it is the same.

import { malformed } from './json-frames.ts';
import { charEnd } from './wire.ts';

/** An int is a bigint where a number can't hold it. A dict keeps its order. */
export type Literal =
  | string
  | number
  | bigint
  | boolean
  | null
  | Tuple
  | readonly Literal[]
  | ReadonlyMap<Literal, Literal>;

export class Tuple {
  readonly items: readonly Literal[];

  constructor(items: readonly Literal[]) {
    this.items = items;
  }
}

/** Brackets in brackets. */
export const MAX_DEPTH = 16;
/** CPython takes no more. */
const MAX_DECIMALS = 4300;
/** Of hexadecimal, octal and binary digits: what they say has no more decimals than that. */
const MAX_DIGITS = 3571;
const MAX_CODE_POINT = 0x10ffff;
/** `\U0001f600` */
export const MAX_CODE_POINT_BYTES = 10;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// --- reading ----------------------------------------------------------------------------------------------

/** A line that is continued must go on. */
const BLANKS = /(?:[ \t\f]+|\\\n(?=[\s\S]))*/y;
const BLANKS_AND_LINES = /(?:[ \t\f\n]+|#[^\n]*|\\\n(?=[\s\S]))*/y;
const WORD = /True|False|None/y;
const SIGN = /[-+]/y;
/** What may not stand behind it can't stand behind any value. */
const INT = /0[xX](?:_?[\dA-Fa-f])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?0)*|[1-9](?:_?\d)*/y;
const OPENING = /[uU]?('''|"""|'|")/y;
const ESCAPE = /\\(?:([0-7]{1,3})|x([\dA-Fa-f]{2})|u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8})|([\n\\'"abfnrtv]))/y;

const WORDS: Readonly<Record<string, Literal>> = { True: true, False: false, None: null };
/** Up to what may be the string's end, or an escape. */
const PLAIN: Readonly<Record<string, RegExp>> = {
  "'": /[^'\\\n]*/y,
  '"': /[^"\\\n]*/y,
  "'''": /[^'\\]*/y,
  '"""': /[^"\\]*/y,
};
const ESCAPED: Readonly<Record<string, string>> = {
  '\n': '',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** A ProtocolError for what is no literal, or no UTF-8. */
export function decodeLiteral(bytes: Uint8Array): Literal {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw malformed('not UTF-8');
  }
  return parseLiteral(text);
}

/** A ProtocolError for what is no literal. */
export function parseLiteral(text: string): Literal {
  if (text.includes('\0')) throw malformed('a NUL in a literal');
  return new Reader(text.replace(/\r\n?/g, '\n')).read();
}

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Literal {
    this.#match(BLANKS_AND_LINES);
    const value = this.#value();
    this.#match(BLANKS_AND_LINES);
    if (this.#at < this.#text.length) this.#fail('the end was due');
    return value;
  }

  #value(): Literal {
    switch (this.#text[this.#at]) {
      case '(':
        return this.#inBrackets(() => this.#tuple());
      case '[':
        return this.#inBrackets(() => this.#items(']').items);
      case '{':
        return this.#inBrackets(() => this.#dict());
    }
    const quote = this.#match(OPENING)?.[1];
    if (quote) return this.#strings(quote);
    const word = this.#match(WORD)?.[0];
    if (word) return WORDS[word] as Literal;
    return this.#int();
  }

  #int(): number | bigint {
    const sign = this.#match(SIGN)?.[0];
    if (sign) this.#skip();
    const digits =
      this.#match(INT)?.[0].replaceAll('_', '') ?? this.#fail(sign ? 'digits were due' : 'a value was due');
    if (digits.length > (/^0[^0]/.test(digits) ? MAX_DIGITS : MAX_DECIMALS)) this.#fail('too many digits');
    const number = Number(digits);
    // no -0
    if (Number.isSafeInteger(number)) return sign === '-' ? 0 - number : number;
    return sign === '-' ? -BigInt(digits) : BigInt(digits);
  }

  // --- strings

  #strings(first: string): string {
    let text = '';
    for (let quote: string | undefined = first; quote; quote = this.#match(OPENING)?.[1]) {
      text += this.#string(quote);
      this.#skip();
    }
    return text;
  }

  #string(quote: string): string {
    let text = '';
    for (;;) {
      text += this.#match(PLAIN[quote] as RegExp)?.[0];
      if (this.#text.startsWith(quote, this.#at)) break;
      const char = this.#text[this.#at];
      if (char === '\\') text += this.#escape();
      // one or two quotes inside three
      else if (char === quote[0]) text += this.#text[this.#at++];
      else this.#fail('a string does not end');
    }
    this.#at += quote.length;
    return text;
  }

  #escape(): string {
    const found = this.#match(ESCAPE);
    if (!found) return this.#backslash();
    const [, octal, x, u, U, char] = found;
    if (char) return ESCAPED[char] ?? char;
    const code = octal ? Number.parseInt(octal, 8) : Number.parseInt(x ?? u ?? U ?? '', 16);
    if (code > MAX_CODE_POINT) this.#fail('no such character');
    return String.fromCodePoint(code);
  }

  /** One that escapes nothing is itself. */
  #backslash(): string {
    if (/[xuUN]/.test(this.#text[this.#at + 1] ?? '')) this.#fail('an escape that is not understood');
    this.#at++;
    return '\\';
  }

  // --- brackets

  #inBrackets<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) this.#fail('nested too deep');
    this.#at++;
    const value = read();
    this.#depth--;
    return value;
  }

  #tuple(): Literal {
    const { items, isOpen } = this.#items(')');
    return items.length === 1 && !isOpen ? (items[0] as Literal) : new Tuple(items);
  }

  /** `isOpen`: a comma is behind the last one. */
  #items(close: string): { items: Literal[]; isOpen: boolean } {
    const items: Literal[] = [];
    for (;;) {
      this.#skip();
      if (this.#take(close)) return { items, isOpen: true };
      items.push(this.#value());
      this.#skip();
      if (this.#take(',')) continue;
      this.#need(close);
      return { items, isOpen: false };
    }
  }

  /** Of keys that are equal the first one stays, with what is said last. */
  #dict(): ReadonlyMap<Literal, Literal> {
    const dict = new Map<Literal, Literal>();
    const firsts = new Map<string, Literal>();
    for (;;) {
      this.#skip();
      if (this.#take('}')) return dict;
      const key = this.#firstKey(this.#value(), firsts);
      this.#skip();
      this.#need(':');
      this.#skip();
      dict.set(key, this.#value());
      this.#skip();
      if (this.#take(',')) continue;
      this.#need('}');
      return dict;
    }
  }

  /** A Map tells texts apart as Python does. */
  #firstKey(key: Literal, firsts: Map<string, Literal>): Literal {
    if (typeof key === 'string') return key;
    const identity = this.#identity(key);
    const first = firsts.get(identity);
    if (first !== undefined) return first;
    firsts.set(identity, key);
    return key;
  }

  /** The same for two keys that are equal in Python, where True is 1. */
  #identity(key: Literal): string {
    if (typeof key === 'boolean') return key ? '1' : '0';
    if (key instanceof Tuple) return `(${key.items.map((item) => this.#identity(item)).join()})`;
    if (typeof key === 'object' && key !== null) this.#fail('a list or dict is no key');
    return printLiteral(key);
  }

  // --- characters

  #match(what: RegExp): RegExpExecArray | null {
    what.lastIndex = this.#at;
    const found = what.exec(this.#text);
    if (found) this.#at = what.lastIndex;
    return found;
  }

  /** A line ends a literal, unless it is in brackets. */
  #skip(): void {
    this.#match(this.#depth > 0 ? BLANKS_AND_LINES : BLANKS);
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #need(char: string): void {
    if (!this.#take(char)) this.#fail(`${char} was due`);
  }

  #fail(what: string): never {
    throw malformed(`${what} at character ${this.#at}`);
  }
}

// --- writing ----------------------------------------------------------------------------------------------

const PLAIN_ASCII = /^[ !#-&(-[\]-~]*$/;
/** What CPython doesn't call printable, and the backslash. */
const UNPRINTABLE = /[\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const IS_UNPRINTABLE = new RegExp(UNPRINTABLE.source, 'u');
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const SHORT_ESCAPE_BYTES = 2;

/** As `repr` writes it. Numbers are whole ones. */
export function printLiteral(value: Literal): string {
  if (typeof value === 'string') return printText(value);
  if (typeof value === 'number') return String(BigInt(value));
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value === null) return 'None';
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Tuple) {
    const items = value.items.map(printLiteral);
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;
  }
  if (isList(value)) return `[${value.map(printLiteral).join(', ')}]`;
  const fields = Array.from(value, ([key, field]) => `${printLiteral(key)}: ${printLiteral(field)}`);
  return `{${fields.join(', ')}}`;
}

function isList(value: object): value is readonly Literal[] {
  return Array.isArray(value);
}

function printText(text: string): string {
  if (PLAIN_ASCII.test(text)) return `'${text}'`;
  const escaped = text.replace(UNPRINTABLE, escapeOf);
  if (!text.includes("'")) return `'${escaped}'`;
  return text.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
}

function escapeOf(char: string): string {
  const short = SHORT_ESCAPES[char];
  if (short) return short;
  const code = char.codePointAt(0) as number;
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/**
 * Where the piece of a text that starts at `from` ends so that it takes at most `maxBytes` of UTF-8 between its
 * quotes: not inside what a reader sees as one character if that fits at all, and never between surrogates. A
 * piece has a code point at least.
 */
export function literalPieceEnd(text: string, from: number, maxBytes: number): number {
  let end = from;
  let apostrophes = 0;
  let hasQuotes = false;
  for (let bytes = 0; end < text.length; ) {
    const code = text.codePointAt(end) as number;
    bytes += printedBytes(code);
    if (code === 0x27) apostrophes++;
    if (code === 0x22) hasQuotes = true;
    // these are escaped where both are
    if (bytes + (hasQuotes ? apostrophes : 0) > maxBytes && end > from) break;
    end += code > 0xffff ? 2 : 1;
  }
  // two more, to see what would stand behind the cut
  return from + charEnd(text.slice(from, end + 2), end - from);
}

function printedBytes(code: number): number {
  if (code >= 0x20 && code < 0x7f) return code === 0x5c ? SHORT_ESCAPE_BYTES : 1;
  const char = String.fromCodePoint(code);
  if (IS_UNPRINTABLE.test(char)) return escapeOf(char).length;
  if (code <= 0x7ff) return 2;
  return code <= 0xffff ? 3 : 4;
}
