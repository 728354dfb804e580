// Layer 1. Blocks of `FIELD: value` lines, the form that the `lab` dialect's messages have in both
// directions. Knows a grammar (which block has which fields) and nothing of what the blocks mean.
//
// What makes it more than splitting lines: half of the programs that speak it leave out the newline after
// the last field. A block whose last field has begun is therefore complete at its newline, where the next
// block's keyword begins (even inside the line), after a silence that the owner reports with `lull()`, or
// at the end of input. A line that is not the one due gives a fault, and reading goes on at the next
// keyword: whatever a peer sends, it is never out of step for longer than one block.

import { ByteQueue, CR, type Decoder, decodeText, LF } from './wire.ts';

/** Which fields follow a keyword. The last one may be free text up to a blank line; `X?` may be absent. */
export interface Grammar {
  readonly blocks: Readonly<Record<string, readonly string[]>>;
  /** Blocks whose first line is `WORD text`, without a colon; they are complete with their fields. */
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** Where the last field of a block ends although its line goes on: the keyword of a glued next block. */
  readonly glued: RegExp;
  /** The name of the field that is free text. */
  readonly text: string;
  /** Free text also ends where a line begins with a keyword; else only at a blank line. */
  readonly textEndsAtKeyword: boolean;
}

export type Block =
  | { readonly kind: 'block'; readonly key: string; readonly values: readonly string[]; readonly line: Uint8Array }
  | { readonly kind: 'other'; readonly line: string }
  | { readonly kind: 'fault'; readonly code: 'malformed' | 'too-long'; readonly detail: string };

const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const MAX_KEY_BYTES = 32;
const MAX_FIELD_BYTES = 4096;
const EMPTY = new Uint8Array(0);

interface Draft {
  readonly key: string;
  readonly line: Uint8Array;
  readonly fields: readonly string[];
  readonly values: string[];
  /** Index in `fields` of the line that is due. */
  due: number;
}

export class FieldDecoder implements Decoder<Block> {
  readonly #grammar: Grammar;
  readonly #maxBytes: number;
  readonly #queue = new ByteQueue();
  #draft: Draft | undefined;
  /** In free text: where its next line starts; undefined outside. */
  #textAt: number | undefined;
  /** No newline stands before this position. */
  #scanned = 0;
  /** What follows belongs to a block that was refused: lines are dropped up to the next keyword. */
  #skipping = false;
  /** ... and so is the rest of the line that is being read. */
  #inDroppedLine = false;
  #final: 'no' | 'lull' | 'end' = 'no';

  constructor(grammar: Grammar, maxBytes: number) {
    this.#grammar = grammar;
    this.#maxBytes = maxBytes;
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  /** There has been silence for a while: a last line without its newline is taken as complete. */
  lull(): void {
    if (this.#final === 'no') this.#final = 'lull';
  }

  end(): void {
    this.#final = 'end';
  }

  /** Something is unfinished that a silence could complete. */
  get pending(): boolean {
    return this.#queue.length > 0 || this.#textAt !== undefined;
  }

  next(): Block | undefined {
    for (;;) {
      const block = this.#textAt === undefined ? this.#step() : this.#stepText(this.#textAt);
      if (block === 'again') continue;
      if (block !== 'wait') return block;
      if (this.#final === 'lull') this.#final = 'no';
      return this.#overflow() ?? this.#unfinished();
    }
  }

  // --- lines ---------------------------------------------------------------------------------------------

  #lineEnd = 0;
  #lineNext = 0;
  #lineWhole = false;

  /** Finds the line that starts at `from`; one without a newline counts only when no more is expected. */
  #findLine(from: number): boolean {
    const found = this.#queue.indexOf(LF, Math.max(from, this.#scanned));
    this.#lineWhole = found >= 0;
    this.#lineEnd = found >= 0 ? found : this.#queue.length;
    this.#lineNext = found >= 0 ? found + 1 : this.#queue.length;
    if (found < 0) {
      this.#scanned = this.#queue.length;
      if (this.#final === 'no' || this.#queue.length <= from) return false;
    }
    if (this.#lineEnd > from && this.#queue.at(this.#lineEnd - 1) === CR) this.#lineEnd--;
    return true;
  }

  #drop(count: number): void {
    this.#queue.drop(count);
    this.#scanned = 0;
  }

  // --- fields --------------------------------------------------------------------------------------------

  #step(): Block | 'again' | 'wait' {
    if (!this.#findLine(0)) return 'wait';
    if (this.#inDroppedLine) {
      this.#inDroppedLine = !this.#lineWhole;
      this.#drop(this.#lineNext);
      return 'again';
    }
    const line = trim(this.#queue.view(0, this.#lineEnd));
    if (line.length > this.#limit()) return this.#refuse(`a line of more than ${this.#limit()} bytes`, this.#lineNext);
    return this.#draft ? this.#readField(this.#draft, line) : this.#readFirst(line);
  }

  #limit(): number {
    return this.#draft && this.#textAt === undefined ? MAX_FIELD_BYTES : this.#maxBytes;
  }

  /** The first line of a block, or something that is none. */
  #readFirst(line: Uint8Array): Block | 'again' | 'wait' {
    const unsure = !this.#lineWhole && this.#final === 'lull';
    const colon = line.indexOf(COLON);
    const key = keyOf(line, colon);
    const fields = Object.hasOwn(this.#grammar.blocks, key) ? this.#grammar.blocks[key] : undefined;
    if (fields) {
      if (unsure) return 'wait';
      const values = [decodeText(trim(line.subarray(colon + 1)))];
      this.#drop(this.#lineNext);
      return this.#begin({ key, line: EMPTY, fields, values, due: 0 });
    }
    const word = this.#wordOf(line);
    if (word !== undefined) {
      const draft = { key: word, line: line.slice(), fields: this.#grammar.words[word] ?? [], values: [], due: 0 };
      this.#drop(this.#lineNext);
      return this.#begin(draft);
    }
    if (unsure && line.length > 0 && this.#mayBecomeKey(line)) return 'wait';
    return this.#readOther(line);
  }

  #begin(draft: Draft): Block | 'again' {
    this.#skipping = false;
    if (draft.fields.length === 0) return { kind: 'block', key: draft.key, values: draft.values, line: draft.line };
    this.#draft = draft;
    return 'again';
  }

  /** A line that begins no block: nothing, unless a keyword is glued to its end. */
  #readOther(line: Uint8Array): Block | 'again' {
    const text = decodeText(line.subarray(0, MAX_FIELD_BYTES));
    const cut = this.#gluedAt(line);
    if (line.length === 0) this.#skipping = false;
    const other = cut > 0 ? decodeText(line.subarray(0, cut)) : text;
    this.#drop(cut > 0 ? this.#queue.positionOf(line) + cut : this.#lineNext);
    return other === '' || this.#skipping ? 'again' : { kind: 'other', line: other };
  }

  #readField(draft: Draft, line: Uint8Array): Block | 'again' | 'wait' {
    const colon = line.indexOf(COLON);
    const key = keyOf(line, colon);
    const due = draft.fields[draft.due] ?? '';
    const last = draft.due === draft.fields.length - 1;
    if (!this.#lineWhole && this.#final === 'lull' && !(last && key === due)) return 'wait';
    if (due.endsWith('?')) {
      draft.due++;
      if (key === due.slice(0, -1)) this.#drop(this.#lineNext);
      return 'again';
    }
    if (key !== due) {
      const detail = `line ${draft.due + 2} of ${draft.key}: ${due} was due, not ${JSON.stringify(decodeText(line.subarray(0, 40)))}`;
      this.#draft = undefined;
      if (!this.#startsBlock(line)) this.#drop(this.#lineNext);
      return { kind: 'fault', code: 'malformed', detail };
    }
    if (due === this.#grammar.text) {
      this.#drop(this.#queue.positionOf(line) + colon + 1);
      this.#textAt = 0;
      return 'again';
    }
    return this.#readValue(draft, line.subarray(colon + 1), last);
  }

  #readValue(draft: Draft, value: Uint8Array, last: boolean): Block | 'again' {
    const cut = last ? this.#gluedAt(value) : -1;
    draft.values.push(decodeText(trim(cut >= 0 ? value.subarray(0, cut) : value)));
    draft.due++;
    this.#drop(cut >= 0 ? this.#queue.positionOf(value) + cut : this.#lineNext);
    if (!last) return 'again';
    this.#draft = undefined;
    return { kind: 'block', key: draft.key, values: draft.values, line: draft.line };
  }

  // --- free text -----------------------------------------------------------------------------------------

  /** Goes on through free text, line by line, to its blank line or to the next block's first line. */
  #stepText(from: number): Block | 'again' | 'wait' {
    if (!this.#findLine(from)) return this.#final === 'no' ? 'wait' : this.#endText(this.#queue.length, 0);
    const isFirst = from === 0;
    if (!isFirst && this.#lineEnd === from) return this.#endText(from, this.#lineNext - from);
    if (!isFirst && this.#grammar.textEndsAtKeyword) {
      if (this.#startsBlock(trim(this.#queue.view(from, this.#lineEnd)))) return this.#endText(from, 0);
    }
    if (!this.#lineWhole) return this.#endText(this.#queue.length, 0);
    this.#textAt = this.#lineNext;
    return 'again';
  }

  #endText(length: number, after: number): Block {
    const draft = this.#draft as Draft;
    if (length > this.#maxBytes) return this.#refuse(`more than ${this.#maxBytes} bytes of text`, length + after);
    const text = decodeText(trim(this.#queue.view(0, length)));
    draft.values.push(text.includes('\r') ? text.replaceAll('\r\n', '\n').trimEnd() : text);
    this.#drop(length + after);
    this.#draft = undefined;
    this.#textAt = undefined;
    return { kind: 'block', key: draft.key, values: draft.values, line: draft.line };
  }

  // --- limits --------------------------------------------------------------------------------------------

  /** Drops `count` bytes, and then everything up to the next keyword. */
  #refuse(detail: string, count: number): Block {
    this.#inDroppedLine = count >= this.#queue.length && this.#queue.at(count - 1) !== LF;
    this.#drop(count);
    this.#draft = undefined;
    this.#textAt = undefined;
    this.#skipping = true;
    return { kind: 'fault', code: 'too-long', detail };
  }

  #overflow(): Block | undefined {
    if (this.#inDroppedLine) {
      this.#drop(this.#queue.length);
      return undefined;
    }
    if (this.#queue.length <= this.#limit()) return undefined;
    return this.#refuse(`more than ${this.#limit()} bytes without an end`, this.#queue.length);
  }

  /** At the end of input, a block that lacks fields. */
  #unfinished(): Block | undefined {
    const draft = this.#draft;
    if (this.#final !== 'end' || !draft) return undefined;
    this.#draft = undefined;
    return { kind: 'fault', code: 'malformed', detail: `${draft.key} ended before ${draft.fields[draft.due]}` };
  }

  // --- keywords ------------------------------------------------------------------------------------------

  /** `WORD` or `WORD text`. */
  #wordOf(line: Uint8Array): string | undefined {
    const blank = line.findIndex(isBlank);
    const end = blank < 0 ? line.length : blank;
    if (end > MAX_KEY_BYTES) return undefined;
    const word = decodeText(line.subarray(0, end)).toUpperCase();
    return Object.hasOwn(this.#grammar.words, word) ? word : undefined;
  }

  #startsBlock(line: Uint8Array): boolean {
    const key = keyOf(line, line.indexOf(COLON));
    return Object.hasOwn(this.#grammar.blocks, key) || this.#wordOf(line) !== undefined;
  }

  /** Could more bytes make this the first line of a block? */
  #mayBecomeKey(line: Uint8Array): boolean {
    if (line.length > MAX_KEY_BYTES) return false;
    const text = normalKey(decodeText(line));
    const keys = [...Object.keys(this.#grammar.blocks), ...Object.keys(this.#grammar.words)];
    return keys.some((key) => key.startsWith(text));
  }

  /** Where the keyword of a glued block begins, or -1. */
  #gluedAt(bytes: Uint8Array): number {
    if (bytes.length < 5) return -1;
    // one character for each byte, so that the index found is a position in the bytes
    const text = String.fromCharCode(...bytes.subarray(0, MAX_FIELD_BYTES));
    return text.search(this.#grammar.glued);
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** Without blanks (and returns) around it. */
function trim(bytes: Uint8Array): Uint8Array {
  let from = 0;
  let to = bytes.length;
  const outer = (byte: number | undefined): boolean => byte === SPACE || byte === TAB || byte === CR || byte === LF;
  while (from < to && outer(bytes[from])) from++;
  while (to > from && outer(bytes[to - 1])) to--;
  return from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to);
}

/** The name before the colon: upper case, blanks as underscores; '' when there is none. */
function keyOf(line: Uint8Array, colon: number): string {
  if (colon < 1 || colon > MAX_KEY_BYTES) return '';
  const key = decodeText(line.subarray(0, colon));
  return /[a-z \t]/.test(key) ? normalKey(key) : key;
}

function normalKey(text: string): string {
  return text
    .trim()
    .replace(/[ \t]+/g, '_')
    .toUpperCase();
}
