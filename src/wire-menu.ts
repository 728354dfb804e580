// Layer 1. The chat bytes of `menu`, both directions, pure. Three kinds of client speak it:
//   plain  lines of UTF-8, the first one the name; many send no newlines, so silence ends a line too (`lull`)
//   utf    Java's writeUTF: a length of two bytes, then modified UTF-8; its first byte is 0x00
//   full   Parley's own: the first line is NAME<TAB>PORT, each further one a verb and its fields, apart by TABs
// What only a full client is told begins with the byte 0x1E, so that it can't be mistaken for a message.

import { ProtocolError } from './errors.ts';
import { ByteQueue, CR, type Decoder, decodeText, encodeText, LF, splitText, TAB } from './wire.ts';
import {
  answerLine,
  numberOf,
  type OwnerAnswer,
  type OwnerQuestion,
  oneLine,
  questionLine,
  readAnswer,
  readQuestion,
} from './wire-owner.ts';

/** A message; the lines that carry one may be a little longer. */
export const MAX_TEXT_BYTES = 65_536;
const MAX_CHAT_LINES = 100;
const MAX_LINE_BYTES = MAX_TEXT_BYTES + 16;
/** What a length of two bytes can say. */
const MAX_UTF_BYTES = 65_535;
/** A list of names is the longest line. */
const MAX_REPLY_BYTES = 1024 * 1024;
const CONTROL = '\x1e';
const NUL = 0;

export type MenuKind = 'plain' | 'utf' | 'full';

/** What a client says. */
export type MenuRequest =
  /** `listen`: the port on which a full client can be asked for files, 0 for none. */
  | { readonly kind: 'name'; readonly client: MenuKind; readonly name: string; readonly listen: number }
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'exit' }
  | { readonly kind: 'who' }
  | OwnerAnswer
  | MenuFault;

/** A line that could not be understood; reading goes on behind it. */
export interface MenuFault {
  readonly kind: 'fault';
  readonly code: 'malformed' | 'too-long';
  readonly detail: string;
}

/** What the server says. */
export type MenuReply =
  /** `<sender>: <message>` */
  | { readonly kind: 'chat'; readonly line: string }
  | { readonly kind: 'welcome'; readonly name: string; readonly token: string }
  | { readonly kind: 'who'; readonly names: readonly string[] }
  | { readonly kind: 'error'; readonly text: string }
  | OwnerQuestion
  /** Something newer than this client. */
  | { readonly kind: 'other' };

// --- from a client ----------------------------------------------------------------------------------------

export class MenuRequestDecoder implements Decoder<MenuRequest> {
  readonly #queue = new ByteQueue();
  #client: MenuKind | undefined;
  #named = false;
  #isFirst = true;
  /** No line ends before this. */
  #searched = 0;
  /** What has come is complete, though nothing says so. */
  #lulled = false;
  #ended = false;
  /** The rest of a line that was too long is thrown away. */
  #skipping = false;

  /** A message may be complete that only silence ends. */
  get pending(): boolean {
    return (this.#queue.length > 0 || this.#skipping) && this.#endsBySilence();
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#lulled = false;
    if (this.#isFirst && bytes[0] === NUL) this.#client = 'utf';
    this.#isFirst = false;
    this.#queue.push(bytes);
  }

  /** The client has been silent for a while. */
  lull(): void {
    this.#lulled = true;
    if (this.#queue.length === 0) this.#skipping = false;
  }

  end(): void {
    this.#ended = true;
  }

  /** A name that can't be worn: the next line is another one. */
  again(): void {
    if (this.#client !== 'utf') this.#client = undefined;
    this.#named = false;
  }

  next(): MenuRequest | undefined {
    const text = this.#client === 'utf' ? this.#nextUtf() : this.#nextLine();
    if (text === undefined || typeof text === 'object') return text;
    if (!this.#named) return this.#name(text);
    return this.#client === 'full' ? fullRequest(text) : { kind: 'message', text };
  }

  #name(text: string): MenuRequest {
    this.#named = true;
    const tab = this.#client === 'utf' ? -1 : text.indexOf('\t');
    this.#client ??= tab < 0 ? 'plain' : 'full';
    if (tab < 0) return { kind: 'name', client: this.#client, name: text, listen: 0 };
    const listen = numberOf(text.slice(tab + 1));
    if (listen === undefined || listen > 65_535) return fault('malformed', 'the first line must be NAME<TAB>PORT');
    return { kind: 'name', client: 'full', name: text.slice(0, tab), listen };
  }

  #nextUtf(): string | undefined {
    const queue = this.#queue;
    const length = (queue.at(0) << 8) | queue.at(1);
    if (queue.length < 2 || queue.length < 2 + length) return undefined;
    const text = decodeModified(queue.slice(2, 2 + length));
    queue.drop(2 + length);
    return text;
  }

  #nextLine(): string | MenuFault | undefined {
    const queue = this.#queue;
    for (;;) {
      const end = queue.indexOf(LF, this.#searched);
      const isWhole = end >= 0;
      if (!isWhole && !this.#endsHere()) {
        this.#searched = queue.length;
        return queue.length > MAX_LINE_BYTES ? this.#tooLong() : undefined;
      }
      const to = isWhole ? end : queue.length;
      const text = this.#skipping || to > MAX_LINE_BYTES ? undefined : this.#text(to);
      const wasSkipped = this.#skipping;
      this.#skipping = false;
      this.#searched = 0;
      queue.drop(isWhole ? end + 1 : to);
      if (text !== undefined) return text;
      if (!wasSkipped && to > MAX_LINE_BYTES) return TOO_LONG;
    }
  }

  /** Nothing if these are only the NULs that a fixed buffer was filled up with. */
  #text(to: number): string | undefined {
    const queue = this.#queue;
    let from = 0;
    let end = to;
    if (end > 0 && queue.at(end - 1) === CR) end--;
    if (this.#client === 'full') return decodeText(queue.slice(0, end));
    while (end > from && queue.at(end - 1) === NUL) end--;
    while (from < end && queue.at(from) === NUL) from++;
    if (from === end && to > 0 && queue.at(0) === NUL) return undefined;
    return decodeText(queue.slice(from, end));
  }

  #tooLong(): MenuFault | undefined {
    const isFirst = !this.#skipping;
    this.#queue.drop(this.#queue.length);
    this.#searched = 0;
    this.#skipping = true;
    return isFirst ? TOO_LONG : undefined;
  }

  #endsHere(): boolean {
    if (this.#queue.length === 0) return false;
    return this.#ended || (this.#lulled && this.#endsBySilence());
  }

  /** A full client ends its lines, and one that has sent a TAB is going to be one. */
  #endsBySilence(): boolean {
    if (this.#client === undefined) return this.#queue.indexOf(TAB, 0) < 0;
    return this.#client === 'plain';
  }
}

const TOO_LONG = fault('too-long', `a message has at most ${MAX_TEXT_BYTES} bytes`);

function fault(code: MenuFault['code'], detail: string): MenuFault {
  return { kind: 'fault', code, detail };
}

function fullRequest(line: string): MenuRequest {
  const tab = line.indexOf('\t');
  const verb = tab < 0 ? line : line.slice(0, tab);
  const rest = tab < 0 ? '' : line.slice(tab + 1);
  switch (verb) {
    case 'm':
      return tab < 0 ? fault('malformed', 'm needs a message') : { kind: 'message', text: rest };
    case 'x':
      return { kind: 'exit' };
    case 'who':
      return { kind: 'who' };
    default: {
      const answer = readAnswer(verb, rest) ?? `there is no ${JSON.stringify(verb.slice(0, 20))} here`;
      return typeof answer === 'string' ? fault('malformed', answer) : answer;
    }
  }
}

export function encodeRequest(request: Exclude<MenuRequest, MenuFault>): Uint8Array {
  switch (request.kind) {
    case 'name':
      return line(request.client === 'full' ? `${request.name}\t${request.listen}` : request.name);
    case 'message':
      return line(`m\t${request.text}`);
    case 'exit':
      return line('x');
    case 'who':
      return line('who');
    default:
      return line(answerLine(request));
  }
}

// --- from the server --------------------------------------------------------------------------------------

/**
 * A message as lines, one for each line of the text; what a text ends with adds no empty one. Beyond the most
 * lines the rest is one: each has the sender's name, and a text of line ends would become a hundred times as long.
 */
export function chatLines(name: string, text: string): string[] {
  const lines = text.replace(/(?:\r\n|\r|\n)$/, '').split(/\r\n|\r|\n/);
  const rest = lines.splice(MAX_CHAT_LINES - 1).join(' ');
  return [...lines, ...(rest === '' ? [] : [rest])].map((one) => chatPrefix(name) + one);
}

/** What a message begins with. */
export function chatPrefix(name: string): string {
  return `${name}: `;
}

export function encodeLines(lines: readonly string[]): Uint8Array {
  return encodeText(`${lines.join('\n')}\n`);
}

/** The same for a client that speaks writeUTF; a line that is too long goes out as several, each with the prefix. */
export function encodeUtf(lines: readonly string[], prefix = ''): Uint8Array {
  const pieces = lines.flatMap((one) => utfPieces(one, prefix));
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + 2 + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all[at] = piece.length >> 8;
    all[at + 1] = piece.length & 0xff;
    all.set(piece, at + 2);
    at += 2 + piece.length;
  }
  return all;
}

function utfPieces(line: string, prefix: string): Uint8Array[] {
  const whole = encodeModified(line);
  if (whole.length <= MAX_UTF_BYTES) return [whole];
  // NUL, the worst case, takes twice the bytes that it has in UTF-8
  const room = Math.floor(MAX_UTF_BYTES / 2) - encodeModified(prefix).length;
  return splitText(line.slice(prefix.length), room).map((piece) => encodeModified(prefix + piece));
}

export function encodeReply(reply: Exclude<MenuReply, { kind: 'other' }>): Uint8Array {
  switch (reply.kind) {
    case 'chat':
      return line(reply.line);
    case 'welcome':
      return control('welcome', reply.name, reply.token);
    case 'who':
      return control('who', ...reply.names);
    case 'error':
      return control('error', oneLine(reply.text));
    default:
      return line(CONTROL + questionLine(reply));
  }
}

/** What a full client is told. */
export class MenuReplyDecoder implements Decoder<MenuReply> {
  readonly #queue = new ByteQueue();
  #searched = 0;
  #ended = false;

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  end(): void {
    this.#ended = true;
  }

  next(): MenuReply | undefined {
    const queue = this.#queue;
    const end = queue.indexOf(LF, this.#searched);
    if (end < 0 && !(this.#ended && queue.length > 0)) {
      if (queue.length > MAX_REPLY_BYTES) throw new ProtocolError('too-long', 'the server’s line has no end');
      this.#searched = queue.length;
      return undefined;
    }
    const to = end < 0 ? queue.length : end;
    const text = decodeText(queue.slice(0, to > 0 && queue.at(to - 1) === CR ? to - 1 : to));
    queue.drop(end < 0 ? to : end + 1);
    this.#searched = 0;
    return text.startsWith(CONTROL) ? controlReply(text.slice(1).split('\t')) : { kind: 'chat', line: text };
  }
}

function controlReply(words: string[]): MenuReply {
  const [verb = '', ...fields] = words;
  const [first = '', second = ''] = fields;
  switch (verb) {
    case 'welcome':
      return { kind: 'welcome', name: first, token: second };
    case 'who':
      return { kind: 'who', names: fields };
    case 'error':
      return { kind: 'error', text: first };
    default:
      return readQuestion(words) ?? { kind: 'other' };
  }
}

// --- fields -----------------------------------------------------------------------------------------------

function line(text: string): Uint8Array {
  return encodeText(`${text}\n`);
}

function control(...fields: string[]): Uint8Array {
  return line(CONTROL + fields.join('\t'));
}

// --- Java's modified UTF-8 --------------------------------------------------------------------------------

/** NUL is two bytes, and a character outside the basic plane is its two surrogates, three bytes each. */
export function encodeModified(text: string): Uint8Array {
  if (!/[\0\ud800-\udfff]/.test(text)) return encodeText(text);
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0 && unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return Uint8Array.from(bytes);
}

/** What is no modified UTF-8 is taken as UTF-8, or as Latin-1. */
export function decodeModified(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] as number;
    const length = lead < 0x80 ? 1 : lead >> 5 === 6 ? 2 : lead >> 4 === 14 ? 3 : 0;
    const rest = bytes.subarray(at + 1, at + length);
    if (length === 0 || rest.length < length - 1 || rest.some((byte) => byte >> 6 !== 2)) return decodeText(bytes);
    const [first = 0, second = 0] = rest;
    if (length === 1) text += String.fromCharCode(lead);
    else if (length === 2) text += String.fromCharCode(((lead & 0x1f) << 6) | (first & 0x3f));
    else text += String.fromCharCode(((lead & 0x0f) << 12) | ((first & 0x3f) << 6) | (second & 0x3f));
    at += length;
  }
  return text;
}
