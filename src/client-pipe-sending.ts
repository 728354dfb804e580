// Layer 3. What the client's `pipe` face sends into a room, and when. A classic server takes all that it reads at once
// for one message, of at most 4,096 bytes, and never answers again one who sends it anything but ASCII. Ours takes any
// number of lines of any text. Both greet in the same words, so where it matters the server is asked: of two lines in
// one piece, sent to oneself, ours makes two messages and a classic one makes one. Pure: time is passed in.

import { encodeText, splitText } from './wire.ts';
import { MAX_MESSAGE_BYTES, MAX_WRITE_BYTES, type PipeReply } from './wire-pipe.ts';

export type Out =
  /** In one piece, each a line. */
  { readonly kind: 'lines'; readonly lines: readonly string[] } | { readonly kind: 'refused'; readonly reason: string };

const LULL_MS = 20;
/** Between two messages to a classic server. */
const GAP_MS = 50;
/** One that has not answered by then is treated like a classic one. */
const PROBE_MS = 1000;
/** To send fewer than so many one by one takes no time worth asking for. */
const MANY = 5;
const MAX_ANSWERS = 20;
const PROBE = 'parley-client: line by line?';
/** For what a server puts before a message that it passes on. */
const HEAD_BYTES = 96;
const NEVER = Number.POSITIVE_INFINITY;

interface Waiting {
  readonly text: string;
  /** To somebody else's question, not something typed. */
  readonly isAnswer: boolean;
}

export class Sending {
  /** `presumed` is treated like a classic one, but for what only a classic one can't bear. */
  #server: 'unknown' | 'presumed' | 'classic' | 'ours' = 'unknown';
  #waiting: Waiting[] = [];
  #lastAt = Number.NEGATIVE_INFINITY;
  #isLoose = false;
  /** Since when an answer is waited for. */
  #askedAt: number | undefined;
  /** Lines that are to come back, be it later than they are waited for. */
  #echoes = 0;

  get length(): number {
    return this.#waiting.length;
  }

  /** After so much silence what the server has not ended has no end. */
  get lullMs(): number {
    if (this.#server === 'ours') return NEVER;
    return this.#isLoose ? 0 : LULL_MS;
  }

  say(...texts: readonly string[]): void {
    this.#waiting.push(...texts.map((text) => ({ text, isAnswer: false })));
  }

  /** Others' questions can come without end: what is too much is not answered. */
  answer(text: string): void {
    if (this.#waiting.filter(({ isAnswer }) => isAnswer).length < MAX_ANSWERS) {
      this.#waiting.push({ text, isAnswer: true });
    }
  }

  drop(): void {
    this.#waiting = [];
  }

  /** Something of the server's had no newline: so it is classic, or the network was slow. */
  heardUnended(): void {
    this.#isLoose = true;
  }

  /** Whether it was the answer to our own question, which is nobody else's business. */
  heard(reply: PipeReply): boolean {
    if (this.#echoes === 0 || !('text' in reply)) return false;
    const isEcho = reply.kind === 'relay' && reply.from === 'me' && reply.text === PROBE;
    const isRest = reply.kind === 'line' && reply.text === `@me|${PROBE}`;
    if (!isEcho && !isRest) return false;
    // the second one tells
    if (--this.#echoes === 0) this.#know(isEcho ? 'ours' : 'classic');
    return true;
  }

  /** What is to go out now. */
  next(now: number): Out | undefined {
    if (this.#askedAt !== undefined && now >= this.#askedAt + PROBE_MS) this.#know('presumed');
    const [first] = this.#waiting;
    if (!first || now < this.#dueAt()) return undefined;
    this.#lastAt = now;
    if (this.#isWorthAsking(first.text)) {
      this.#askedAt = now;
      this.#echoes = 2;
      const line = `@me|${PROBE}`;
      return { kind: 'lines', lines: [line, line] };
    }
    this.#waiting.shift();
    return this.#fit(first);
  }

  deadline(): number {
    return this.#waiting.length > 0 || this.#askedAt !== undefined ? this.#dueAt() : NEVER;
  }

  #know(server: 'presumed' | 'classic' | 'ours'): void {
    this.#server = server;
    this.#askedAt = undefined;
  }

  #dueAt(): number {
    if (this.#askedAt !== undefined) return this.#askedAt + PROBE_MS;
    return this.#server === 'ours' ? Number.NEGATIVE_INFINITY : this.#lastAt + GAP_MS;
  }

  #isWorthAsking(text: string): boolean {
    if (this.#server !== 'unknown') return false;
    return (this.#waiting.length >= MANY && !this.#isLoose) || !isAscii(text) || isLong(text);
  }

  /** It, or its first piece. */
  #fit({ text, isAnswer }: Waiting): Out {
    if (this.#server === 'classic' && !isAscii(text)) {
      return { kind: 'refused', reason: 'not sent: this server takes nothing but ASCII' };
    }
    const maxBytes = this.#server === 'ours' ? MAX_MESSAGE_BYTES : MAX_WRITE_BYTES;
    const pieces = cut(text, maxBytes);
    if (!pieces) return { kind: 'refused', reason: `not sent: a message has at most ${maxBytes - 1} bytes` };
    const [first = '', ...rest] = pieces;
    this.#waiting.unshift(...rest.map((piece) => ({ text: piece, isAnswer })));
    return { kind: 'lines', lines: [first] };
  }
}

/** Messages to the same, none too long; undefined where that can't be done. */
function cut(text: string, maxBytes: number): string[] | undefined {
  // the newline counts
  if (encodeText(text).length < maxBytes) return [text];
  const [to = ''] = /^@[^|]{0,500}\|/.exec(text) ?? [];
  if (to === '') return undefined;
  const room = maxBytes - 1 - HEAD_BYTES - encodeText(to).length;
  return splitText(text.slice(to.length), room).map((piece) => to + piece);
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are ASCII too
  return /^[\x00-\x7f]*$/.test(text);
}

function isLong(text: string): boolean {
  return encodeText(text).length >= MAX_WRITE_BYTES;
}
