// Layer 5. Where a person types and reads: a terminal, or a pipe. On a terminal what comes in is printed
// above the line that is being typed, which stays as it is, cursor and all. From a pipe: plain lines.

import readline from 'node:readline';
import kleur from 'kleur';

export type Tone = 'chat' | 'note' | 'plain';

export interface Screen {
  print(text: string, tone: Tone, who?: string): void;
  setPrompt(prompt: string): void;
  /** No lines for now; those that were read already still come. */
  pause(): void;
  resume(): void;
  close(): void;
}

export interface ScreenEvents {
  line(text: string): void;
  ended(): void;
  complete(line: string): string[];
}

export function openScreen(prompt: string, events: ScreenEvents): Screen {
  const isTerminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
  return isTerminal ? new TerminalScreen(prompt, events) : new PipeScreen(events);
}

class PipeScreen implements Screen {
  readonly #lines: readline.Interface;

  constructor(events: ScreenEvents) {
    this.#lines = readline.createInterface({
      input: process.stdin,
      terminal: false,
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    this.#lines.on('line', (text) => events.line(text)).on('close', () => events.ended());
  }

  print(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  setPrompt(): void {}

  pause(): void {
    process.stdin.pause();
  }

  resume(): void {
    process.stdin.resume();
  }

  close(): void {
    this.#lines.close();
  }
}

class TerminalScreen implements Screen {
  readonly #lines: readline.Interface;
  #closed = false;

  constructor(prompt: string, events: ScreenEvents) {
    this.#lines = readline.createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt,
      historySize: 500,
      removeHistoryDuplicates: true,
      completer: (line: string) => [events.complete(line), line],
    });
    this.#lines.on('line', (text) => {
      this.#eraseTyped(text);
      events.line(text);
      if (!this.#closed) this.#lines.prompt();
    });
    this.#lines.on('SIGINT', () => this.#lines.close());
    this.#lines.on('close', () => {
      if (!this.#closed) process.stdout.write('\n');
      this.#closed = true;
      events.ended();
    });
    this.#lines.prompt();
  }

  print(text: string, tone: Tone, who?: string): void {
    const line = `${colour(text, tone, who)}\n`;
    if (this.#closed) {
      process.stdout.write(line);
      return;
    }
    this.#toFirstRow(this.#lines.getCursorPos().rows);
    process.stdout.write(line);
    // readline must not go up again by the rows that we went up already
    (this.#lines as unknown as { prevRows: number }).prevRows = 0;
    this.#lines.prompt(true);
  }

  setPrompt(prompt: string): void {
    this.#lines.setPrompt(prompt);
    if (this.#closed) return;
    this.#toFirstRow(this.#lines.getCursorPos().rows);
    (this.#lines as unknown as { prevRows: number }).prevRows = 0;
    this.#lines.prompt(true);
  }

  pause(): void {
    this.#lines.pause();
  }

  resume(): void {
    this.#lines.resume();
  }

  close(): void {
    if (!this.#closed) {
      this.#toFirstRow(this.#lines.getCursorPos().rows);
      this.#closed = true;
    }
    this.#lines.close();
  }

  /** What was typed comes back as what was said; it need not stand there twice. */
  #eraseTyped(text: string): void {
    const width = process.stdout.columns || 80;
    const rows = Math.ceil((this.#lines.getPrompt().length + text.length + 1) / width);
    this.#toFirstRow(rows);
  }

  #toFirstRow(rowsUp: number): void {
    readline.moveCursor(process.stdout, 0, -rowsUp);
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
  }
}

function colour(text: string, tone: Tone, who: string | undefined): string {
  if (tone === 'note') return kleur.dim(text);
  if (tone === 'plain' || who === undefined) return text;
  const at = text.indexOf(`${who}:`);
  return at < 0 ? text : text.slice(0, at) + kleur.bold().cyan(who) + text.slice(at + who.length);
}
