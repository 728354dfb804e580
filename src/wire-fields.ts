// Layer 1. Blocks of `FIELD: value` lines, the form that the `lab` dialect's messages have in both
// directions. Knows a grammar (which block has which fields) and nothing of what the blocks mean.
//
// What makes it more than splitting lines: half of the programs that speak it leave out the newline after
// the last field. A block whose last field has begun is therefore complete at its newline, where the next
// block's keyword begins (even inside the line), after a silence that the owner reports with `lull()`, or
// at the end of input. A line that is not the one due gives a fault, and reading goes on at the next
// keyword: whatever a peer sends, it is never out of step for longer than one block.
//
// How the bytes were cut into chunks makes no difference: without a lull, the same bytes give the same
// blocks. That is why free text starts at its colon, not when its first line is whole, and why a limit
// is checked against what surely belongs to the line or the text.

import { ByteQueue, CR, type Decoder, encodeText, LF, SPACE, TAB } from './wire.ts';

/** The messages of one direction, as they are written down. */
export interface Messages {
  /** Which fields follow a keyword. `X?` may be absent: its value is then empty. */
  readonly blocks: Readonly<Record<string, readonly string[]>>;
  /** Blocks whose first line is `WORD text`, without a colon. */
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** How a block begins where none is due: behind an unterminated line. `\n` stands for the line's end. */
  readonly glued: readonly string[];
  /** The field that is free text, up to a blank line. */
  readonly text: string;
  /** Free text also ends at a line that begins with one of `glued`. */
  readonly textEndsAtKeyword: boolean;
  /** The field that is a sentence: a keyword in it is just a word. */
  readonly sentence?: string;
}

export type Block =
  | { readonly kind: 'block'; readonly key: string; readonly values: readonly string[]; readonly line: Uint8Array }
  | { readonly kind: 'other'; readonly line: string }
  | { readonly kind: 'fault'; readonly code: 'malformed' | 'too-long'; readonly detail: string };

type Step = Block | 'again' | 'wait';

interface Field {
  readonly name: string;
  /** The bytes that its line begins with. */
  readonly start: Uint8Array;
  readonly kind: 'value' | 'optional' | 'sentence' | 'text';
}

interface Shape {
  readonly key: string;
  readonly start: Uint8Array;
  readonly fields: readonly Field[];
  readonly noValues: readonly string[];
}

/** Messages, with their names as bytes. */
export interface Grammar {
  readonly blocks: readonly Shape[];
  readonly words: readonly Shape[];
  readonly glued: readonly Uint8Array[];
  readonly text: Uint8Array;
  readonly textEndsAtKeyword: boolean;
}

/** A block that lacks fields. */
interface Draft {
  readonly kind: 'block';
  readonly key: string;
  readonly values: string[];
  readonly line: Uint8Array;
  readonly fields: readonly Field[];
  /** Index of the field that is due. */
  due: number;
}

const COLON = 0x3a;
const UNDERSCORE = 0x5f;
const TO_LOWER = 0x20;
/** By this many bytes it can be told whether a line begins with a keyword. */
const KEYWORD_BYTES = 32;
/** Blanks around a text that is as long as it may be. */
const MAX_BLANKS = 64;
/** Of a line that is not free text. */
const MAX_LINE_BYTES = 4096;
const MAX_QUOTED = 40;
const NOTHING = new Uint8Array(0);
const NO = -1;
/** The bytes end while they are still like the name. */
const CUT_SHORT = -2;

export function grammar(messages: Messages): Grammar {
  const field = (written: string): Field => {
    const name = written.replace('?', '');
    const kind = name === messages.text ? 'text' : name === messages.sentence ? 'sentence' : 'value';
    return { name, start: ownBytes(`${name}:`), kind: name === written ? kind : 'optional' };
  };
  const shapes = (of: Messages['blocks'], colon: string): Shape[] =>
    Object.entries(of).map(([key, fields]) => ({
      key,
      start: ownBytes(key + colon),
      fields: fields.map(field),
      noValues: ['', ...fields.map(() => '')],
    }));
  return {
    blocks: shapes(messages.blocks, ':'),
    words: shapes(messages.words, ''),
    glued: messages.glued.map(ownBytes),
    text: ownBytes(`${messages.text}:`),
    textEndsAtKeyword: messages.textEndsAtKeyword,
  };
}

function ownBytes(text: string): Uint8Array {
  return encodeText(text).slice();
}

export class FieldDecoder implements Decoder<Block> {
  readonly #grammar: Grammar;
  readonly #maxTextBytes: number;
  readonly #maxLineBytes: number;
  readonly #queue = new ByteQueue();
  #draft: Draft | undefined;
  /** In free text; without a draft it is the text of a block that was refused, and dropped. */
  #inText = false;
  /** In free text: where its next line starts, and whether that is the rest of the field's own line. */
  #textLineAt = 0;
  #isFirstTextLine = false;
  /** The rest of the line belongs to something refused. */
  #inDroppedLine = false;
  #final: 'no' | 'lull' | 'end' = 'no';
  /** No newline stands before this position. */
  #scanned = 0;
  /** The line that was looked at last: its end without the newline, and where the next one starts. */
  #lineEnd = 0;
  #lineNext = 0;

  constructor(rules: Grammar, maxTextBytes: number) {
    this.#grammar = rules;
    this.#maxTextBytes = maxTextBytes;
    this.#maxLineBytes = Math.min(maxTextBytes, MAX_LINE_BYTES);
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    if (this.#final === 'lull') this.#final = 'no';
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
    return this.#queue.length > 0 || this.#inText || this.#inDroppedLine;
  }

  next(): Block | undefined {
    for (;;) {
      const step = this.#inDroppedLine ? this.#dropLine() : this.#inText ? this.#readText() : this.#readLine();
      if (step === 'again') continue;
      if (step !== 'wait') return step;
      if (this.#final === 'lull') this.#final = 'no';
      return this.#unfinished();
    }
  }

  // --- lines ---------------------------------------------------------------------------------------------

  /** Looks at the line that starts at `from`. False: its newline has not come. */
  #findLine(from: number): boolean {
    const newline = this.#queue.indexOf(LF, Math.max(from, this.#scanned));
    const end = newline < 0 ? this.#queue.length : newline;
    this.#scanned = end;
    this.#lineNext = newline < 0 ? end : end + 1;
    this.#lineEnd = end > from && this.#queue.at(end - 1) === CR ? end - 1 : end;
    return newline >= 0;
  }

  #drop(count: number): void {
    this.#queue.drop(count);
    this.#scanned = Math.max(0, this.#scanned - count);
  }

  #dropLine(): 'again' | 'wait' {
    const isWhole = this.#findLine(0);
    this.#drop(this.#lineNext);
    if (!isWhole && this.#final === 'no') return 'wait';
    this.#inDroppedLine = false;
    return 'again';
  }

  // --- fields --------------------------------------------------------------------------------------------

  #readLine(): Step {
    const isWhole = this.#findLine(0);
    const draft = this.#draft;
    const field = draft?.fields[draft.due];
    if (field?.kind === 'text') {
      const at = this.#matchText();
      if (at >= 0) return this.#beginText(at);
    }
    const isLong = this.#lineEnd > this.#maxLineBytes;
    // a text that is not due has lines too, which must not be taken for messages
    if (isLong && this.#matchText() < 0) return this.#refuseLine(isWhole);
    if (!isWhole && !isLong && (this.#final === 'no' || this.#queue.length === 0)) return 'wait';
    const isUnsure = !isWhole && !isLong && this.#final === 'lull';
    return draft && field ? this.#readField(draft, field, isUnsure) : this.#readFirst(isUnsure);
  }

  /** The first line of a block, or something that is none. */
  #readFirst(isUnsure: boolean): Step {
    let mayBecomeKey = false;
    for (const shape of this.#grammar.blocks) {
      const at = this.#match(shape.start);
      if (at === CUT_SHORT) mayBecomeKey = true;
      if (at >= 0) return isUnsure ? 'wait' : this.#begin(shape, NOTHING, at);
    }
    for (const shape of this.#grammar.words) {
      const at = this.#matchWord(shape.start);
      if (at === CUT_SHORT) mayBecomeKey = true;
      if (at >= 0) return this.#begin(shape, this.#queue.slice(0, this.#lineEnd), at);
    }
    if (isUnsure && mayBecomeKey) return 'wait';
    const text = this.#matchText();
    return text >= 0 ? this.#beginText(text) : this.#readOther();
  }

  #begin(shape: Shape, line: Uint8Array, valueAt: number): Step {
    const values = [...shape.noValues];
    values[0] = this.#queue.text(valueAt, this.#lineEnd);
    this.#drop(this.#lineNext);
    const draft: Draft = { kind: 'block', key: shape.key, values, line, fields: shape.fields, due: 0 };
    if (shape.fields.length === 0) return draft;
    this.#draft = draft;
    return 'again';
  }

  /** A line that begins no block: nothing, unless a keyword is glued to its end. */
  #readOther(): Step {
    const cut = this.#gluedAt(0);
    const line = this.#queue.text(0, cut < 0 ? this.#lineEnd : cut);
    this.#drop(cut < 0 ? this.#lineNext : cut);
    return line === '' ? 'again' : { kind: 'other', line };
  }

  #readField(draft: Draft, field: Field, isUnsure: boolean): Step {
    const isLast = draft.due === draft.fields.length - 1;
    const at = this.#match(field.start);
    if (isUnsure && !(isLast && at >= 0)) return 'wait';
    if (at < 0 && field.kind !== 'optional') return this.#mismatch(draft, field);
    draft.due++;
    if (at < 0) return 'again';
    const cut = isLast && field.kind !== 'sentence' ? this.#gluedAt(at) : NO;
    draft.values[draft.due] = this.#queue.text(at, cut < 0 ? this.#lineEnd : cut);
    this.#drop(cut < 0 ? this.#lineNext : cut);
    if (!isLast) return 'again';
    this.#draft = undefined;
    return draft;
  }

  // --- free text -----------------------------------------------------------------------------------------

  #beginText(at: number): 'again' {
    this.#drop(at);
    this.#inText = true;
    this.#textLineAt = 0;
    this.#isFirstTextLine = true;
    return 'again';
  }

  /** Goes on through free text by a line. */
  #readText(): Step {
    const from = this.#textLineAt;
    const isWhole = this.#findLine(from);
    const isEnd = !isWhole && this.#final !== 'no';
    if (!isWhole && !isEnd && this.#queue.length - from < KEYWORD_BYTES) return 'wait';
    if (!this.#isFirstTextLine) {
      if (isWhole && this.#lineEnd === from) return this.#endText(from, this.#lineNext);
      if (this.#grammar.textEndsAtKeyword && this.#isKeywordAt(from)) return this.#endText(from, from);
    }
    if (this.#lineEnd > this.#maxTextBytes + MAX_BLANKS) return this.#refuseText(isWhole);
    if (isEnd) return this.#endText(this.#lineEnd, this.#lineNext);
    if (!isWhole) return 'wait';
    this.#textLineAt = this.#lineNext;
    this.#isFirstTextLine = false;
    if (!this.#draft) this.#dropText();
    return 'again';
  }

  #endText(to: number, next: number): Block | 'again' {
    const draft = this.#draft;
    const isTooLong = to > this.#maxTextBytes && this.#isTextTooLong(to);
    const text = draft && !isTooLong ? this.#queue.text(0, to) : '';
    this.#drop(next);
    this.#draft = undefined;
    this.#inText = false;
    if (!draft) return 'again';
    if (isTooLong) return { kind: 'fault', code: 'too-long', detail: this.#textLimit() };
    draft.values[draft.due + 1] = text.includes('\r') ? text.replaceAll('\r\n', '\n') : text;
    return draft;
  }

  #isTextTooLong(to: number): boolean {
    const start = this.#queue.trimStart(0, to);
    return this.#queue.trimEnd(start, to) - start > this.#maxTextBytes;
  }

  /** What is left of the text is dropped line by line. */
  #refuseText(isWhole: boolean): Block | 'again' {
    const wasKnown = this.#draft === undefined;
    this.#draft = undefined;
    this.#isFirstTextLine = false;
    this.#inDroppedLine = !isWhole;
    this.#textLineAt = this.#lineNext;
    this.#dropText();
    return wasKnown ? 'again' : { kind: 'fault', code: 'too-long', detail: this.#textLimit() };
  }

  #dropText(): void {
    this.#drop(this.#textLineAt);
    this.#textLineAt = 0;
  }

  #textLimit(): string {
    return `more than ${this.#maxTextBytes} bytes of text`;
  }

  // --- faults --------------------------------------------------------------------------------------------

  /** The line stays: it may begin a block. */
  #mismatch({ key, due }: Draft, field: Field): Block {
    const line = JSON.stringify(this.#queue.text(0, Math.min(this.#lineEnd, MAX_QUOTED)));
    this.#draft = undefined;
    return {
      kind: 'fault',
      code: 'malformed',
      detail: `${key}, line ${due + 2}: ${field.name} was due, not ${line}`,
    };
  }

  /** Drops the line, and the block that it is in. */
  #refuseLine(isWhole: boolean): Block {
    this.#drop(this.#lineNext);
    this.#inDroppedLine = !isWhole;
    this.#draft = undefined;
    return { kind: 'fault', code: 'too-long', detail: `a line of more than ${this.#maxLineBytes} bytes` };
  }

  /** At the end of input, a block that lacks fields. */
  #unfinished(): Block | undefined {
    const draft = this.#draft;
    if (this.#final !== 'end' || !draft) return undefined;
    this.#draft = undefined;
    const due = draft.fields[draft.due]?.name;
    return { kind: 'fault', code: 'malformed', detail: `${draft.key} ended before ${due}` };
  }

  // --- names ---------------------------------------------------------------------------------------------

  /** Where the value starts when the line begins with this name and its colon; else NO or CUT_SHORT. */
  #match(name: Uint8Array): number {
    // as nearly everybody writes it
    return this.#queue.has(name, 0) ? name.length : this.#matchLoosely(name);
  }

  /** The same for the field that is free text, if its name ends within the bytes that a line may have. */
  #matchText(): number {
    const at = this.#match(this.#grammar.text);
    return at > this.#maxLineBytes ? NO : at;
  }

  /** The same for `WORD text` and `WORD`. */
  #matchWord(word: Uint8Array): number {
    const at = this.#matchLoosely(word);
    return at < 0 || at === this.#lineEnd || isBlank(this.#queue.at(at)) ? at : NO;
  }

  /** In any case, blanks before it and before its colon, and for its underscores. */
  #matchLoosely(name: Uint8Array): number {
    const queue = this.#queue;
    const to = this.#lineEnd;
    let at = queue.trimStart(0, to);
    for (let index = 0; index < name.length; index++, at++) {
      const due = name[index] as number;
      if (due === COLON) at = queue.trimStart(at, to);
      if (at >= to) return at > 0 ? CUT_SHORT : NO;
      const byte = queue.at(at);
      if (byte === due) continue;
      if (due === UNDERSCORE) {
        if (!isBlank(byte)) return NO;
        while (isBlank(queue.at(at + 1))) at++;
      } else if (byte !== (due | TO_LOWER)) return NO;
    }
    return at;
  }

  /** Where in the line, at or after `from`, a glued block begins. */
  #gluedAt(from: number): number {
    for (let at = from; at < this.#lineEnd; at++) if (this.#isKeywordAt(at)) return at;
    return NO;
  }

  #isKeywordAt(position: number): boolean {
    const first = this.#queue.at(position);
    for (const keyword of this.#grammar.glued) {
      if (keyword[0] !== first) continue;
      let length = 1;
      while (length < keyword.length && this.#isByteAt(position + length, keyword[length] as number)) length++;
      if (length === keyword.length) return true;
    }
    return false;
  }

  #isByteAt(position: number, byte: number): boolean {
    return position < this.#lineEnd ? this.#queue.at(position) === byte : position === this.#lineEnd && byte === LF;
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
