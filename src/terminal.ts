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
  /** The end of input; not after `close`. */
  ended(): void;
  complete(line: string): string[];
}

export function openScreen(prompt: string, events: ScreenEvents): Screen {
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY && process.env.TERM !== 'dumb';
  return isTerminal ? new TerminalScreen(prompt, events) : new PipeScreen(events);
}

class PipeScreen implements Screen {
  readonly #lines: readline.Interface;
  #closed = false;

  constructor(events: ScreenEvents) {
    this.#lines = readline.createInterface({
      input: process.stdin,
      terminal: false,
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    this.#lines.on('line', (text) => events.line(text));
    this.#lines.on('close', () => {
      if (!this.#closed) events.ended();
    });
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
    this.#closed = true;
    this.#lines.close();
  }
}

/** What readline keeps to itself: Node and Deno have it. */
interface Internals {
  /** How far the cursor stands below the prompt's first row, as readline knows it. */
  prevRows: number;
  _getDisplayPos?(text: string): { readonly rows: number };
}

class TerminalScreen implements Screen {
  readonly #lines: readline.Interface & Internals;
  /** By `close`, or by whoever types. */
  #closed = false;

  constructor(prompt: string, events: ScreenEvents) {
    this.#lines = readline.createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt,
      historySize: 500,
      removeHistoryDuplicates: true,
      completer: (line: string) => [events.complete(line), line],
    }) as readline.Interface & Internals;
    this.#lines.on('line', (text) => {
      this.#eraseTyped(text);
      events.line(text);
      if (!this.#closed) this.#lines.prompt();
    });
    this.#lines.on('SIGINT', () => this.#lines.close());
    // back from Ctrl-Z: below what the shell has written meanwhile
    this.#lines.on('SIGCONT', () => this.#promptHere());
    this.#lines.on('close', () => {
      process.stdout.off('resize', this.#resized);
      if (this.#closed) return;
      this.#closed = true;
      process.stdout.write('\n');
      events.ended();
    });
    // before readline hears of it
    process.stdout.prependListener('resize', this.#resized);
    this.#lines.prompt();
  }

  print(text: string, tone: Tone, who?: string): void {
    const line = `${colour(text, tone, who)}\n`;
    if (!this.#closed) this.#erasePrompt();
    process.stdout.write(line);
    if (!this.#closed) this.#promptHere();
  }

  setPrompt(prompt: string): void {
    if (this.#closed) return;
    this.#erasePrompt();
    this.#lines.setPrompt(prompt);
    this.#promptHere();
  }

  /** A person does not overrun us, and in raw mode Ctrl-C is input too. */
  pause(): void {}

  resume(): void {}

  close(): void {
    if (this.#closed) return;
    this.#erasePrompt();
    this.#closed = true;
    this.#lines.close();
  }

  /** Most terminals fold their rows anew: so does the one that readline goes up to. */
  readonly #resized = (): void => {
    this.#lines.prevRows = this.#lines.getCursorPos().rows;
  };

  /** What was typed comes back as what was said; it need not stand there twice. */
  #eraseTyped(text: string): void {
    this.#eraseFrom(this.#rowsOf(this.#lines.getPrompt() + text) + 1);
  }

  #erasePrompt(): void {
    this.#eraseFrom(this.#lines.getCursorPos().rows);
  }

  #eraseFrom(rowsUp: number): void {
    readline.moveCursor(process.stdout, 0, -rowsUp);
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
  }

  /** The prompt and what is being typed, from the row of the cursor on. */
  #promptHere(): void {
    this.#lines.prevRows = 0;
    this.#lines.prompt(true);
  }

  /** How many rows the cursor is further down behind this text: some characters are two columns wide. */
  #rowsOf(text: string): number {
    const { rows } = this.#lines._getDisplayPos?.(text) ?? {
      rows: Math.floor(text.length / (process.stdout.columns || 80)),
    };
    return rows;
  }
}

function colour(text: string, tone: Tone, who: string | undefined): string {
  if (tone === 'note') return kleur.dim(text);
  if (tone === 'plain' || who === undefined) return text;
  const at = text.indexOf(`${who}:`);
  return at < 0 ? text : text.slice(0, at) + kleur.bold().cyan(who) + text.slice(at + who.length);
}
