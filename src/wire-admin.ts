// Layer 1. The admin socket's wire, both directions, pure: a command is a line; its answer is the lines of a text, each
// that begins with a dot with one more in front, then `.` alone where it was done, `.failed` where it was not.

import { ProtocolError } from './errors.ts';

const DONE = '.';
const FAILED = '.failed';
/** Lists have an end, so answers have. */
const MAX_LINE_CHARS = 64 * 1024;
const MAX_ANSWER_CHARS = 4 * 1024 * 1024;
/** For the line that says how many lines were left out. */
const REST_CHARS = 40;

export interface AdminAnswer {
  readonly text: string;
  readonly hasFailed: boolean;
}

export function encodeCommand(command: string): string {
  return `${command.replace(/[\r\n]+/g, ' ')}\n`;
}

/** What is more than the other side takes is left out, and counted. */
export function encodeAnswer({ text, hasFailed }: AdminAnswer, maxChars = MAX_ANSWER_CHARS): string {
  const lines = text === '' ? [] : text.split('\n').map((line) => (line.startsWith('.') ? `.${line}` : line));
  const fit = countFitting(lines, maxChars);
  if (fit < lines.length) lines.splice(fit, lines.length, `… and ${lines.length - fit} more`);
  return [...lines, hasFailed ? FAILED : DONE, ''].join('\n');
}

function countFitting(lines: readonly string[], maxChars: number): number {
  let chars = 0;
  for (const { length } of lines) chars += length + 1;
  let fit = lines.length;
  if (chars <= maxChars) return fit;
  while (fit > 0 && chars > maxChars - REST_CHARS) chars -= (lines[--fit] as string).length + 1;
  return fit;
}

/** Lines, whatever pieces they come in. */
export class LineDecoder {
  readonly #maxChars: number;
  #rest = '';

  constructor(maxChars = MAX_LINE_CHARS) {
    this.#maxChars = maxChars;
  }

  push(text: string): void {
    this.#rest += text;
  }

  next(): string | undefined {
    const end = this.#rest.indexOf('\n');
    if (end < 0 && this.#rest.length <= this.#maxChars) return undefined;
    if (end < 0 || end > this.#maxChars) throw new ProtocolError('too-long', 'the line is too long');
    const line = this.#rest.slice(0, end).replace(/\r$/, '');
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }
}

export class AnswerDecoder {
  readonly #lines = new LineDecoder(MAX_ANSWER_CHARS);
  #text: string[] = [];
  #chars = 0;

  push(text: string): void {
    this.#lines.push(text);
  }

  next(): AdminAnswer | undefined {
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      if (line === DONE || line === FAILED) return this.#take(line === FAILED);
      this.#chars += line.length + 1;
      if (this.#chars > MAX_ANSWER_CHARS) throw new ProtocolError('too-long', 'the answer is too long');
      this.#text.push(line.replace(/^\.\./, '.'));
    }
    return undefined;
  }

  #take(hasFailed: boolean): AdminAnswer {
    const text = this.#text.join('\n');
    this.#text = [];
    this.#chars = 0;
    return { text, hasFailed };
  }
}
