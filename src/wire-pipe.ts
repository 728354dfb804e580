// Layer 1. The bytes of `pipe`, both directions, pure: fields apart by `|`, and no framing to speak of. A classic
// client sends one message for each line typed and ends none of them, so silence ends a message too (`lull`); a
// classic server leaves the newline out here and there. What silence means in milliseconds is for others to say.

import { ByteQueue, CR, type Decoder, decodeText, encodeText, LF, splitText } from './wire.ts';
import {
  answerLine,
  numberOf,
  type OwnerAnswer,
  type OwnerQuestion,
  questionLine,
  readAnswer,
  readQuestion,
} from './wire-owner.ts';

/** A message of a client. */
export const MAX_MESSAGE_BYTES = 65_536;
/** What a classic client reads at once, and takes for one message. */
export const MAX_WRITE_BYTES = 4096;
/** A text of line ends would become many times as long: beyond these the rest is one. */
const MAX_TEXT_LINES = 100;
/** A list is cut into so many messages; names beyond are left out. */
const MAX_LISTS = 16;
const BAR = '|';
/** What begins with it is between our own client and our server. */
const CONTROL = '\x1e';

/** What a client has sent: one message. `isEnded`: by a newline, which a classic client never sends. */
export interface PipeSaid {
  readonly kind: 'said';
  readonly text: string;
  readonly isEnded: boolean;
}

/** A message that was longer than any may be; reading goes on behind it. */
export interface PipeFault {
  readonly kind: 'fault';
  readonly detail: string;
}

export function isNotice(said: PipeReply | PipeNotice): said is PipeNotice {
  return NOTICES.has(said.kind);
}

/** About files, from a client that has said `@server|files`. */
export interface PipeAnswer {
  readonly kind: 'answer';
  readonly answer: OwnerAnswer;
}

export type PipeRequest = PipeSaid | PipeAnswer | PipeFault;

/** What a server says. */
export type PipeReply =
  | { readonly kind: 'ok'; readonly text: string }
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'info'; readonly text: string }
  /** `#FROM|text`; from oneself it is `#me`. */
  | { readonly kind: 'relay'; readonly from: string; readonly text: string }
  /** Anything else: a greeting, a list of names. */
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'exit' }
  /** The server is going down: a client answers `@server|exit`. */
  | { readonly kind: 'kill' };

const NOTICES: ReadonlySet<string> = new Set<PipeNotice['kind']>(['welcome', 'through-server', 'want', 'push', 'done']);

/** What our server says to our client about files. */
export type PipeNotice =
  /** The answer to `@server|files`: with the token it gets files of others by HTTP at that port. */
  | { readonly kind: 'welcome'; readonly token: string; readonly port: number }
  /** Somebody who was asked for a file is of another dialect: it can be had from the server alone. */
  | { readonly kind: 'through-server'; readonly name: string }
  | OwnerQuestion;

/** Fields that a client acts on, the second of what it reads ... */
const COMMANDS: ReadonlySet<string> = new Set([
  'getfile',
  'whohas',
  'setshare',
  'clrshare',
  'setglobalshare',
  'clrglobalshare',
  'getsharestatus',
  'setwindowsize',
]);

/** ... and the first. */
const LAST_WORDS: ReadonlySet<string> = new Set(['exit', 'quit', 'kill']);

/** `@bob|getfile|song.mp3`, then `@bob|10.0.0.2|46268`, in one piece: two sends of a classic client. */
const GLUED =
  /^(@([^|]+)\|getfile\|.*?)(@\2\|(?:\d{1,3}(?:\.\d{1,3}){3}\|\d{1,5}(?:\|gbn2\|[\w-]+)?|[\da-f]{0,4}:[\da-f:]{1,38}\|\d{1,5}\|gbn2\|[\w-]+))(?=@|$)/is;
/** An IPv6 address comes from our own clients alone: no classic one could send to it. */
const WHERE = /^(?:\d{1,3}(?:\.\d{1,3}){3}\|\d{1,5}(?:\||$)|[\da-f]{0,4}:[\da-f:]{1,38}\|\d{1,5}\|gbn2\|)/i;

// --- messages -----------------------------------------------------------------------------------------------

export function fieldsOf(text: string): string[] {
  return text.split(BAR);
}

export function firstField(text: string): string {
  const bar = text.indexOf(BAR);
  return bar < 0 ? text : text.slice(0, bar);
}

/** Whom a message is for, and what it says to that one; undefined for one without `@`. */
export function readAddress(message: string): { readonly to: string; readonly text: string } | undefined {
  if (!message.startsWith('@')) return undefined;
  const to = firstField(message).slice(1);
  return { to, text: message.slice(to.length + 2) };
}

/** The command in a text, in small letters. */
export function commandOf(text: string): string | undefined {
  const word = firstField(text).toLowerCase();
  return COMMANDS.has(word) ? word : undefined;
}

/** A classic client would act on a list with such a name in it. */
export function isWord(name: string): boolean {
  const word = name.toLowerCase();
  return COMMANDS.has(word) || LAST_WORDS.has(word);
}

/** The second half of a `getfile`: where the file is to be sent. */
export function saysWhere(text: string): boolean {
  return WHERE.test(text);
}

/** A message of our own client. */
export function encodeSaid(text: string): Uint8Array {
  return encodeText(`${oneLine(text)}\n`);
}

/** From one direction: lines that a newline ends, or silence. */
class PipeLines {
  readonly #maxBytes: number;
  readonly #queue = new ByteQueue();
  /** No line ends before this. */
  #searched = 0;
  #isLulled = false;
  #isEnded = false;
  /** The rest of what was too long is thrown away. */
  #skips = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get pending(): boolean {
    return this.#queue.length > 0 || this.#skips;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#isLulled = false;
    this.#queue.push(bytes);
  }

  lull(): void {
    this.#isLulled = true;
    if (this.#queue.length === 0) this.#skips = false;
  }

  end(): void {
    this.#isEnded = true;
  }

  next(): PipeSaid | 'too-long' | undefined {
    for (;;) {
      const queue = this.#queue;
      const end = queue.indexOf(LF, this.#searched);
      const isEnded = end >= 0;
      if (!isEnded && (queue.length === 0 || !(this.#isLulled || this.#isEnded))) return this.#wait();
      const to = isEnded ? end : queue.length;
      const wasSkipped = this.#skips;
      const said = wasSkipped ? undefined : this.#read(to, isEnded);
      queue.drop(isEnded ? end + 1 : to);
      this.#searched = 0;
      this.#skips = false;
      if (said) return said;
      if (!wasSkipped) return 'too-long';
    }
  }

  /** Undefined when it is too long. */
  #read(to: number, isEnded: boolean): PipeSaid | undefined {
    const queue = this.#queue;
    const end = to > 0 && queue.at(to - 1) === CR ? to - 1 : to;
    if (end > this.#maxBytes) return undefined;
    return { kind: 'said', text: decodeText(queue.slice(0, end)), isEnded };
  }

  /** For more; of what is too long already nothing is kept. */
  #wait(): 'too-long' | undefined {
    this.#searched = this.#queue.length;
    // a CR may be the first half of its end
    if (this.#queue.length <= this.#maxBytes + 1) return undefined;
    const isFirst = !this.#skips;
    this.#skips = true;
    this.#queue.drop(this.#queue.length);
    this.#searched = 0;
    return isFirst ? 'too-long' : undefined;
  }
}

/** What clients send. */
export class PipeRequestDecoder implements Decoder<PipeRequest> {
  readonly #lines = new PipeLines(MAX_MESSAGE_BYTES);
  /** Of one piece that was several messages. */
  readonly #unglued: PipeSaid[] = [];

  /** Something may be a message that only silence ends. */
  get pending(): boolean {
    return this.#lines.pending;
  }

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  /** Nothing has come for a while. */
  lull(): void {
    this.#lines.lull();
  }

  end(): void {
    this.#lines.end();
  }

  next(): PipeRequest | undefined {
    const waiting = this.#unglued.shift();
    if (waiting) return waiting;
    const said = this.#lines.next();
    if (said === undefined) return undefined;
    if (said === 'too-long') return { kind: 'fault', detail: `a message has at most ${MAX_MESSAGE_BYTES} bytes` };
    if (said.text.startsWith(CONTROL)) return answerOf(said.text.slice(CONTROL.length));
    const [first = '', ...others] = unglue(said.text);
    for (const text of others) this.#unglued.push({ ...said, text });
    return { ...said, text: first };
  }
}

function answerOf(line: string): PipeRequest {
  const verb = line.split('\t', 1)[0] ?? '';
  const answer = readAnswer(verb, line.slice(verb.length + 1));
  if (answer === undefined) return { kind: 'fault', detail: `there is no ${JSON.stringify(verb.slice(0, 20))} here` };
  return typeof answer === 'string' ? { kind: 'fault', detail: answer } : { kind: 'answer', answer };
}

export function encodeAnswer(answer: OwnerAnswer): Uint8Array {
  return encodeText(`${CONTROL}${answerLine(answer)}\n`);
}

/** The messages that a piece consists of. */
function unglue(piece: string): string[] {
  const messages: string[] = [];
  let rest = piece;
  for (let match = GLUED.exec(rest); match; match = GLUED.exec(rest)) {
    const [both, request = '', , where = ''] = match;
    messages.push(request, where);
    rest = rest.slice(both.length);
  }
  return rest === '' && messages.length > 0 ? messages : [...messages, rest];
}

// --- what a server says ---------------------------------------------------------------------------------------

/** To a classic client `exit` and `kill` go out without a newline, as from a classic server. */
export function encodeReply(reply: PipeReply | PipeNotice, isClassic = false): Uint8Array {
  const text = replyText(reply);
  const isBare = isClassic && (reply.kind === 'exit' || reply.kind === 'kill');
  return encodeText(isBare ? text : `${text}\n`);
}

/** Several, each ended, in one piece; in more where a classic client could not read it whole. */
export function encodeReplies(replies: ReadonlyArray<PipeReply | PipeNotice>): Uint8Array[] {
  const pieces: string[] = [];
  let bytes = 0;
  for (const reply of replies) {
    const text = `${replyText(reply)}\n`;
    const more = encodeText(text).length;
    const fits = pieces.length > 0 && bytes + more <= MAX_WRITE_BYTES;
    bytes = fits ? bytes + more : more;
    pieces.push(fits ? `${pieces.pop()}${text}` : text);
  }
  return pieces.map(encodeText);
}

/** What somebody has said as messages that a classic client takes whole: one for each line, and a long line is several. */
export function encodeRelay(from: string, text: string): Uint8Array[] {
  const maxBytes = MAX_WRITE_BYTES - encodeText(`#${oneLine(from)}|\n`).length;
  const pieces = linesOf(text).flatMap((line) => splitText(line, maxBytes));
  return pieces.map((piece) => encodeReply({ kind: 'relay', from, text: piece }));
}

/** `NAME|NAME|…`, as many messages as it takes; a single empty one for nobody. */
export function listNames(names: Iterable<string>): PipeReply[] {
  const lists: string[] = [];
  let list: string | undefined;
  let bytes = 0;
  for (const name of names) {
    const more = encodeText(name).length + 1;
    if (list !== undefined && bytes + more > MAX_WRITE_BYTES) {
      lists.push(list);
      if (lists.length === MAX_LISTS) return lists.map(lineOf);
      list = undefined;
    }
    bytes = list === undefined ? more : bytes + more;
    list = list === undefined ? name : `${list}${BAR}${name}`;
  }
  return [...lists, list ?? ''].map(lineOf);
}

/** What a server sends, as a client reads it: any text is some reply. */
export class PipeReplyDecoder implements Decoder<PipeReply | PipeNotice> {
  readonly #lines: PipeLines;

  constructor(maxBytes = MAX_MESSAGE_BYTES) {
    this.#lines = new PipeLines(maxBytes);
  }

  get pending(): boolean {
    return this.#lines.pending;
  }

  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  lull(): void {
    this.#lines.lull();
  }

  end(): void {
    this.#lines.end();
  }

  next(): PipeReply | PipeNotice | undefined {
    for (;;) {
      const said = this.#lines.next();
      if (said === undefined) return undefined;
      // no server says that much at once: nothing is lost that one could use
      if (said !== 'too-long') return readReply(said.text);
    }
  }
}

export function readReply(line: string): PipeReply | PipeNotice {
  if (line.startsWith(CONTROL))
    return readControl(line.slice(CONTROL.length).split('\t')) ?? { kind: 'line', text: line };
  const word = firstField(line);
  const text = line.slice(word.length + 1);
  if (/^(?:exit|quit)$/i.test(word)) return { kind: 'exit' };
  if (word === 'kill') return { kind: 'kill' };
  if (word.length === line.length) return { kind: 'line', text: line };
  if (word === 'OK') return { kind: 'ok', text };
  if (word === 'ERROR') return { kind: 'error', text };
  if (word === 'INFO') return { kind: 'info', text: text.replace(/^ /, '') };
  return word.startsWith('#') ? { kind: 'relay', from: word.slice(1), text } : { kind: 'line', text: line };
}

function readControl(words: readonly string[]): PipeNotice | undefined {
  const [verb, first = '', second = ''] = words;
  if (verb === 'through-server') return { kind: verb, name: first };
  if (verb !== 'welcome') return readQuestion(words);
  const port = numberOf(second);
  return port === undefined || port > 65_535 ? undefined : { kind: verb, token: first, port };
}

function replyText(reply: PipeReply | PipeNotice): string {
  switch (reply.kind) {
    case 'welcome':
      return `${CONTROL}welcome\t${reply.token}\t${reply.port}`;
    case 'through-server':
      return `${CONTROL}through-server\t${oneLine(reply.name)}`;
    case 'want':
    case 'push':
    case 'done':
      return `${CONTROL}${questionLine(reply)}`;
    case 'ok':
      return `OK|${oneLine(reply.text)}`;
    case 'error':
      return `ERROR|${oneLine(reply.text)}`;
    case 'info':
      return `INFO| ${oneLine(reply.text)}`;
    case 'relay':
      return `#${oneLine(reply.from)}|${oneLine(reply.text)}`;
    case 'line':
      return oneLine(reply.text);
    case 'exit':
    case 'kill':
      return reply.kind;
  }
}

function lineOf(text: string): PipeReply {
  return { kind: 'line', text };
}

/** What a text ends with adds no empty line. */
function linesOf(text: string): string[] {
  const lines = text.replace(/(?:\r\n|\r|\n)$/, '').split(/\r\n|\r|\n/);
  const rest = lines.splice(MAX_TEXT_LINES - 1).join(' ');
  return rest === '' ? lines : [...lines, rest];
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
