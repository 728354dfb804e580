// Layer 1. The lines of the `irc` dialect, both directions: RFC 1459 and 2812 as modern.ircdocs.horse has them, with
// the message tags of IRCv3. Knows what a line may look like and nothing of what a command means. Pure.
//
// How the bytes were cut into chunks makes no difference: the same bytes give the same messages and faults. Of a line
// that is too long nothing is held beyond what tells its command and its label, so that it can be answered.

import { MAX_CLIENT_TAG_BYTES, readTags, type Tags, writeTags } from './irc-tags.ts';
import { ByteQueue, CR, type Decoder, encodeText, LF, latin1Text, SPACE, splitText } from './wire.ts';

export { MAX_CLIENT_TAG_BYTES, MAX_TAG_BYTES, type Tags } from './irc-tags.ts';

export interface IrcMessage {
  readonly tags: Tags;
  readonly source: string | undefined;
  /** In upper case. */
  readonly command: string;
  readonly params: readonly string[];
}

/** What is wrong with a line; reading goes on at the next one. */
export interface IrcFault {
  readonly kind: 'fault';
  readonly code: 'too-long' | 'not-utf8';
  /** '' where it can't be told. */
  readonly command: string;
  readonly label: string | undefined;
}

export type IrcHeard = ({ readonly kind: 'message' } & IrcMessage) | IrcFault;

/** What is to be written: only the command is due. */
export interface IrcSent extends Partial<Omit<IrcMessage, 'command'>> {
  readonly command: string;
}

/** Of a line without its tags, with CR LF. */
export const MAX_LINE_BYTES = 512;
const MAX_PARAMS = 15;
const MAX_BODY_BYTES = MAX_LINE_BYTES - 2;
const MAX_SOURCE_BYTES = 400;
const MAX_BYTES_PER_CHAR = 3;
/** A text of more lines has the rest of them in one: each goes out with a sender and a target before it. */
const MAX_TEXT_LINES = 100;

const MAX_ASCII = 0x7f;
const AT = 0x40;
const COLON = 0x3a;
const CRLF = '\r\n';
const NO_TAGS: Tags = Object.freeze({});
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

const TELLABLE = /^[A-Z0-9]{1,32}$/;

// --- reading ----------------------------------------------------------------------------------------------

/** Reads what a client sends; a client that reads a server allows for MAX_TAG_BYTES. Never throws. */
export class IrcDecoder implements Decoder<IrcHeard> {
  /** With `@` and blank. */
  readonly #maxTagBytes: number;
  readonly #queue = new ByteQueue();
  /** No line ends before this position. */
  #searched = 0;
  /** All bytes up to there, or'ed: more than 0x7f if one of them is not ASCII. */
  #bits = 0;
  /** The rest of a line that was too long is thrown away. */
  #isSkipping = false;
  #hasEnded = false;

  constructor(maxTagBytes = MAX_CLIENT_TAG_BYTES + 2) {
    this.#maxTagBytes = maxTagBytes;
  }

  /** A line has begun. */
  get pending(): boolean {
    return this.#queue.length > 0 || this.#isSkipping;
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  /** What has come without the end of its line is a line. */
  end(): void {
    this.#hasEnded = true;
  }

  next(): IrcHeard | undefined {
    for (;;) {
      const end = this.#findEnd();
      if (end < 0) return this.#checkUnfinished();
      const heard = this.#isSkipping || end === 0 ? undefined : this.#read(end);
      this.#isSkipping = false;
      this.#drop(end + 1);
      if (heard) return heard;
    }
  }

  /** Where the line ends: at LF, CR or both, for what stands between these two is an empty line. -1: not yet. */
  #findEnd(): number {
    const queue = this.#queue;
    const length = queue.length;
    let bits = this.#bits;
    for (let at = this.#searched; at < length; at++) {
      const byte = queue.at(at);
      bits |= byte;
      if (byte > CR || (byte !== LF && byte !== CR)) continue;
      this.#bits = bits;
      return at;
    }
    this.#bits = bits;
    this.#searched = length;
    return this.#hasEnded && length > 0 ? length : -1;
  }

  #checkUnfinished(): IrcFault | undefined {
    const queue = this.#queue;
    const most = queue.at(0) === AT ? this.#maxTagBytes + MAX_BODY_BYTES : MAX_BODY_BYTES;
    if (!this.#isSkipping && queue.length <= most) return undefined;
    const fault = this.#isSkipping ? undefined : this.#fault('too-long', queue.length);
    this.#drop(queue.length);
    this.#isSkipping = true;
    return fault;
  }

  #drop(count: number): void {
    this.#queue.drop(count);
    this.#searched = 0;
    this.#bits = 0;
  }

  #read(end: number): IrcHeard | undefined {
    const queue = this.#queue;
    const bodyAt = queue.at(0) === AT ? this.#findBody(end) : 0;
    if (bodyAt < 0 ? end >= this.#maxTagBytes : end - bodyAt > MAX_BODY_BYTES) return this.#fault('too-long', end);
    const tags = bodyAt === 0 ? '' : this.#text(1, bodyAt < 0 ? end : bodyAt - 1);
    const body = bodyAt < 0 ? '' : this.#text(bodyAt, end);
    if (tags === undefined || body === undefined) return this.#fault('not-utf8', end);
    return readBody(tags === '' ? NO_TAGS : readTags(tags), body);
  }

  /** The text there; nothing if it is not UTF-8. The queue's own has no blanks around it: they are put back. */
  #text(from: number, to: number): string | undefined {
    const queue = this.#queue;
    const start = queue.trimStart(from, to);
    const end = queue.trimEnd(start, to);
    const text = queue.text(start, end);
    // what is not UTF-8 comes as one character for each byte
    if (this.#bits > MAX_ASCII && text.length === end - start && !isAscii(text)) return undefined;
    if (start === from && end === to) return text;
    return latin1Text(queue.slice(from, start)) + text + latin1Text(queue.slice(end, to));
  }

  /** Where the tags end, with their blank. -1: not within what tags may have. */
  #findBody(end: number): number {
    const most = Math.min(end, this.#maxTagBytes);
    for (let at = 1; at < most; at++) if (this.#queue.at(at) === SPACE) return at + 1;
    return -1;
  }

  /** Looks only at bytes that are there however the line was cut. */
  #fault(code: IrcFault['code'], end: number): IrcFault {
    const bodyAt = this.#queue.at(0) === AT ? this.#findBody(end) : 0;
    const label = bodyAt === 0 ? undefined : this.#labelIn(end, bodyAt);
    return { kind: 'fault', code, command: bodyAt < 0 ? '' : this.#commandIn(end, bodyAt), label };
  }

  #labelIn(end: number, bodyAt: number): string | undefined {
    const text = lenient.decode(this.#queue.slice(1, bodyAt < 0 ? Math.min(end, this.#maxTagBytes) : bodyAt - 1));
    // the last tag may be cut
    const { label } = readTags(bodyAt < 0 ? text.slice(0, text.lastIndexOf(';') + 1) : text);
    return label?.includes('\ufffd') ? undefined : label;
  }

  #commandIn(end: number, bodyAt: number): string {
    const most = bodyAt + MAX_BODY_BYTES;
    const text = lenient.decode(this.#queue.slice(bodyAt, Math.min(end, most)));
    // the last word may be cut
    const body = end > most ? text.slice(0, text.lastIndexOf(' ') + 1) : text;
    const command = readBody(NO_TAGS, body)?.command ?? '';
    return TELLABLE.test(command) ? command : '';
  }
}

/** A line without its tags. Nothing if it has no command. */
function readBody(tags: Tags, text: string): ({ kind: 'message' } & IrcMessage) | undefined {
  const body = text.includes('\0') ? text.replaceAll('\0', '') : text;
  let at = skipBlanks(body, 0);
  let source: string | undefined;
  if (body.charCodeAt(at) === COLON) {
    const end = wordEnd(body, at);
    if (end > at + 1) source = body.slice(at + 1, end);
    at = skipBlanks(body, end);
  }
  const end = wordEnd(body, at);
  if (end === at) return undefined;
  return { kind: 'message', tags, source, command: upperCase(body.slice(at, end)), params: readParams(body, end) };
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > MAX_ASCII) return false;
  return true;
}

function readParams(body: string, from: number): string[] {
  const params: string[] = [];
  for (let at = skipBlanks(body, from); at < body.length; ) {
    const isTrailing = body.charCodeAt(at) === COLON;
    const isRest = isTrailing || params.length === MAX_PARAMS - 1;
    const end = isRest ? body.length : wordEnd(body, at);
    params.push(body.slice(isTrailing ? at + 1 : at, end));
    at = isRest ? end : skipBlanks(body, end);
  }
  return params;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === SPACE) at++;
  return at;
}

function wordEnd(text: string, from: number): number {
  const end = text.indexOf(' ', from);
  return end < 0 ? text.length : end;
}

/** ASCII only: `ı` must not become another command's I. */
function upperCase(word: string): string {
  return /[a-z]/.test(word) ? word.replace(/[a-z]+/g, (letters) => letters.toUpperCase()) : word;
}

// --- writing ----------------------------------------------------------------------------------------------

/**
 * A line with its CR LF. Whatever it is given, it is one line, with as many parameters as it was given (15 at most),
 * and no longer than allowed: what is too much of the last parameter is cut off, and tags that do not fit are left out.
 */
export function encodeIrc(message: IrcSent): Uint8Array {
  const tags = message.tags === undefined ? '' : writeTags(message.tags);
  const line = writeLine(message);
  const bytes = encodeText(tags === '' ? line : tags + line);
  // a character of the tags is one byte at least
  return bytes.length - tags.length <= MAX_LINE_BYTES ? bytes : encodeText(tags + fitLine(line));
}

/** The same without CR LF. */
export function ircLine(message: IrcSent): string {
  return (message.tags === undefined ? '' : writeTags(message.tags)) + fitLine(writeLine(message)).slice(0, -2);
}

/**
 * A text as the texts of messages: one for each of its lines that is not empty, and several for a line that is too
 * long, cut between characters. At least 4 bytes each.
 */
export function fitText(text: string, maxBytes: number): string[] {
  const clean = text.includes('\0') ? text.replaceAll('\0', '') : text;
  if (clean === '') return [];
  if (!/[\r\n]/.test(clean)) return splitText(clean, maxBytes);
  const lines = clean.split(/[\r\n]+/).filter((line) => line !== '');
  const rest = lines.splice(MAX_TEXT_LINES - 1).join(' ');
  return [...lines, rest].flatMap((line) => (line === '' ? [] : splitText(line, maxBytes)));
}

function fitLine(line: string): string {
  if (line.length * MAX_BYTES_PER_CHAR <= MAX_LINE_BYTES || encodeText(line).length <= MAX_LINE_BYTES) return line;
  const body = dropLongSource(line).slice(0, -2).slice(0, MAX_LINE_BYTES);
  return splitText(body, MAX_BODY_BYTES)[0] + CRLF;
}

/** One that leaves no room for what it has sent. */
function dropLongSource(line: string): string {
  if (line.charCodeAt(0) !== COLON) return line;
  const end = line.indexOf(' ');
  return encodeText(line.slice(0, end)).length > MAX_SOURCE_BYTES ? line.slice(end + 1) : line;
}

/** A line without tags, however long. */
function writeLine({ source, command, params = [] }: IrcSent): string {
  const line = joinWords(source, command, params);
  return isOneLine(line) ? line : joinWords(source && oneLine(source), oneLine(command), params.map(oneLine));
}

/** Nothing but its end is what a line can't have inside. Three searches take less than one regular expression. */
function isOneLine(line: string): boolean {
  return line.indexOf('\n') === line.length - 1 && line.indexOf('\r') === line.length - 2 && !line.includes('\0');
}

function joinWords(source: string | undefined, command: string, params: readonly string[]): string {
  if (params.length > MAX_PARAMS) return joinWords(source, command, withRest(params));
  const last = params.length - 1;
  // tags would begin like this
  const verb = command.charCodeAt(0) === AT ? `_${command.slice(1)}` : command;
  let body = source === undefined || source === '' ? word(verb) : `:${word(source)} ${word(verb)}`;
  for (let at = 0; at < last; at++) body += ` ${word(params[at] as string)}`;
  if (last < 0) return body + CRLF;
  const text = params[last] as string;
  return isWord(text) ? `${body} ${text}\r\n` : `${body} :${text}\r\n`;
}

function withRest(params: readonly string[]): string[] {
  return [...params.slice(0, MAX_PARAMS - 1), params.slice(MAX_PARAMS - 1).join(' ')];
}

/** Can it stand where a blank ends it? */
function isWord(text: string): boolean {
  return text !== '' && text.charCodeAt(0) !== COLON && !text.includes(' ');
}

/** What can't stand there becomes what can; `*` is how IRC writes that there is nothing. */
function word(text: string): string {
  if (isWord(text)) return text;
  return text === '' ? '*' : text.replace(/^:| /g, '_');
}

/** A line end is a blank. */
function oneLine(text: string): string {
  return text.replaceAll('\0', '').replace(/[\r\n]+/g, ' ');
}
