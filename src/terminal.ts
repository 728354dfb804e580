// Layer 5. Where a person types and reads: a terminal, or a pipe. On a terminal what comes in is printed
// above the line that is being typed, which stays as it is, cursor and all; in between stand the status lines.
// From a pipe: plain lines.
//
// To readline the status lines are the beginning of its prompt, so that it counts their rows itself whenever it
// redraws what is typed. Where readline no longer reads they are drawn and erased without it.

import readline from 'node:readline';
import kleur from 'kleur';
import type { PromptStyle, Tone } from './face.ts';
import { printable } from './printable.ts';

const MAX_STATUS_LINES = 8;
/** Of a terminal that does not tell. */
const ROWS = 24;
const COLUMNS = 80;
/** Some characters are wider than readline knows: these keep them from beginning another row. */
const WRAP_OFF = '\x1b[?7l';
const WRAP_ON = '\x1b[?7h';

export interface Screen {
  print(text: string, tone: Tone, who?: string): void;
  setPrompt(prompt: string, style?: PromptStyle): void;
  /** Plain text of one row each, right above the line being typed; more than fits is cut off, and counted. */
  setStatus(lines: readonly string[]): void;
  /** No lines for now; those that were read already still come. */
  pause(): void;
  resume(): void;
  close(): void;
}

export interface ScreenOptions {
  readonly prompt: string;
  /** A typed line remains standing above all that follows, unless a prompt says otherwise. */
  readonly keepsTyped: boolean;
}

export interface ScreenEvents {
  line(text: string): void;
  /** The end of input; not after `close`. What is printed from now on still shows, and so does the status. */
  ended(): void;
  /** Whether the arrow keys bring it back; asked before `line`. */
  remembers(line: string): boolean;
  complete(line: string): string[];
}

/** Whether a person sits there, at a terminal whose cursor moves. */
export function isTerminal(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY && process.env.TERM !== 'dumb';
}

export function openScreen(options: ScreenOptions, events: ScreenEvents): Screen {
  return isTerminal() ? new TerminalScreen(options, events) : new PipeScreen(events);
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

  print(text: string, tone: Tone): void {
    const stream = tone === 'aside' ? process.stderr : process.stdout;
    stream.write(`${text}\n`);
  }

  setPrompt(prompt: string, style: PromptStyle = {}): void {
    if (style.piped) process.stdout.write(prompt.endsWith('\n') ? prompt : `${prompt}\n`);
  }

  setStatus(): void {}

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
  /** All that it shows of a line, with or without the prompt before it. */
  _writeToOutput(text: string): void;
}

class TerminalScreen implements Screen {
  readonly #events: ScreenEvents;
  readonly #keepsTyped: boolean;
  readonly #lines: readline.Interface & Internals;
  #prompt: string;
  #style: PromptStyle = {};
  #status: readonly string[] = [];
  /** The status as it stands on the screen, each line with its newline. */
  #shown = '';
  /** Nobody has ended the input yet. */
  #typing = true;
  /** Neither status nor prompt is on the screen now; they come back by `#show`. */
  #lifted = false;
  #closed = false;

  constructor({ prompt, keepsTyped }: ScreenOptions, events: ScreenEvents) {
    this.#events = events;
    this.#keepsTyped = keepsTyped;
    this.#prompt = prompt;
    this.#lines = readline.createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt,
      historySize: 500,
      removeHistoryDuplicates: true,
      completer: (line: string) => [this.#complete(line), line],
    }) as readline.Interface & Internals;
    this.#hideSecrets();
    this.#lines.on('history', (history) => {
      if (!events.remembers(history[0] ?? '')) history.shift();
    });
    this.#lines.on('line', (text) => this.#entered(text));
    this.#lines.on('SIGINT', () => this.#lines.close());
    // back from Ctrl-Z: below what the shell has written meanwhile
    this.#lines.on('SIGCONT', () => this.#show());
    this.#lines.on('close', () => this.#ended());
    // before readline hears of it
    process.stdout.prependListener('resize', this.#redraw);
    // after readline has heard of it
    process.stdin.on('keypress', this.#keyPressed);
    this.#lines.prompt();
  }

  print(text: string, tone: Tone, who?: string): void {
    this.#above(() => process.stdout.write(`${colour(text, tone, who)}\n`));
  }

  setPrompt(prompt: string, style: PromptStyle = {}): void {
    const isSame = prompt === this.#prompt && style.secret === this.#style.secret;
    this.#prompt = prompt;
    this.#style = style;
    if (style.clears) this.#above(() => this.#scrollAway());
    else if (!isSame) this.#redraw();
  }

  setStatus(lines: readonly string[]): void {
    if (lines.length === this.#status.length && lines.every((line, at) => line === this.#status[at])) return;
    this.#status = [...lines];
    this.#redraw();
  }

  /** A person does not overrun us, and in raw mode Ctrl-C is input too. */
  pause(): void {}

  resume(): void {}

  close(): void {
    if (this.#closed) return;
    this.#erase();
    this.#closed = true;
    process.stdout.off('resize', this.#redraw);
    process.stdin.off('keypress', this.#keyPressed);
    this.#lines.close();
  }

  /** What was typed is to come back as what was said, or stands once, above the status. */
  #entered(text: string): void {
    this.#eraseFrom(this.#rowsOf(this.#lines.getPrompt() + text) + 1);
    this.#lifted = true;
    if (this.#style.keepsTyped ?? this.#keepsTyped) process.stdout.write(`${this.#prompt}${this.#shownAs(text)}\n`);
    this.#events.line(text);
    this.#show();
  }

  /** Whoever types has ended the input: what was begun remains standing. */
  #ended(): void {
    if (this.#closed) return;
    this.#erase();
    this.#lifted = true;
    this.#typing = false;
    process.stdin.off('keypress', this.#keyPressed);
    process.stdout.write(`${this.#prompt}${this.#shownAs(this.#lines.line)}\n`);
    this.#events.ended();
    this.#show();
  }

  /** What Tab inserts. A choice is printed by us: readline would write it over with the status. */
  #complete(line: string): string[] {
    const found = this.#events.complete(line);
    const [first = ''] = found;
    const longer = first.slice(0, line.length + 1);
    if (found.length < 2 || (longer !== line && found.every((one) => one.startsWith(longer)))) return found;
    this.print(printable(found.map((one) => one.trim()).join('  ')), 'note');
    return [];
  }

  /** Readline goes on counting what was typed, so something stands for it. */
  #shownAs(typed: string): string {
    return this.#style.secret ? '*'.repeat(typed.length) : typed;
  }

  #hideSecrets(): void {
    const write = this.#lines._writeToOutput;
    this.#lines._writeToOutput = (text) => {
      const prompt = this.#lines.getPrompt();
      const before = text.startsWith(prompt) ? prompt : '';
      const typed = text.slice(before.length);
      // blanks alone are readline's own, to get to the next row
      write.call(this.#lines, typed.trim() === '' ? text : before + this.#shownAs(typed));
    };
  }

  // --- status and prompt, the last rows on the screen -------------------------------------------------------

  /** Most terminals fold their rows anew when resized: so do those that are counted to go up. */
  readonly #redraw = (): void => this.#above(() => {});

  /** Readline counts no rows of what is pasted, and leaves the cursor on a row that it fills. */
  readonly #keyPressed = (): void => {
    if (!this.#typing) return;
    const { rows, cols } = this.#lines.getCursorPos();
    this.#lines.prevRows = rows;
    if (cols === 0 && this.#lines.line !== '' && this.#lines.cursor === this.#lines.line.length) {
      process.stdout.write(' ');
      readline.cursorTo(process.stdout, 0);
    }
    this.#fit();
  };

  /** Before what is typed grows out of the screen, status lines make room for it. */
  #fit(): void {
    if (this.#status.length > 0 && this.#statusText() !== this.#shown) this.#redraw();
  }

  /** In one write: nothing flickers. */
  #above(write: () => void): void {
    if (this.#lifted || this.#closed) return write();
    process.stdout.cork();
    this.#erase();
    write();
    this.#show();
    process.stdout.uncork();
  }

  #erase(): void {
    if (this.#lifted) return;
    if (this.#typing) this.#eraseFrom(this.#lines.getCursorPos().rows);
    else if (this.#shown !== '') this.#eraseFrom(this.#rowsOf(this.#shown));
  }

  #eraseFrom(rowsUp: number): void {
    readline.moveCursor(process.stdout, 0, -rowsUp);
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
  }

  /**
   * All rows above the cursor's go out at the top, where they can be scrolled back to. The first row stays empty:
   * what is erased from there on tmux takes for a screen that is cleared, and keeps it among the others.
   */
  #scrollAway(): void {
    const rows = process.stdout.rows || ROWS;
    process.stdout.write('\n'.repeat(rows - 1));
    this.#eraseFrom(Math.max(0, rows - 2));
  }

  /** From the row of the cursor on. */
  #show(): void {
    if (this.#closed) return;
    this.#lifted = false;
    this.#shown = this.#statusText();
    if (!this.#typing) {
      process.stdout.write(this.#shown);
      return;
    }
    this.#lines.setPrompt(this.#shown + this.#prompt);
    this.#lines.prevRows = 0;
    this.#lines.prompt(true);
  }

  #statusText(): string {
    const room = this.#statusRoom();
    const fits = this.#status.length <= room;
    const lines = fits ? this.#status : this.#status.slice(0, Math.max(0, room - 1));
    const rest = fits || room < 1 ? [] : [`… and ${this.#status.length - lines.length} more`];
    return [...lines, ...rest].map((line) => `${WRAP_OFF}${kleur.dim(this.#cut(line))}${WRAP_ON}\n`).join('');
  }

  /** One row is left over: the next one that is typed scrolls nothing away. */
  #statusRoom(): number {
    const rows = process.stdout.rows || ROWS;
    const typedRows = this.#typing ? this.#rowsOf(this.#prompt + this.#lines.line) + 1 : 0;
    return Math.min(MAX_STATUS_LINES, Math.floor(rows / 3), rows - typedRows - 1);
  }

  /** What of it ends before the last column. */
  #cut(line: string): string {
    const chars = [...line];
    chars.splice((process.stdout.columns || COLUMNS) - 1);
    while (this.#rowsOf(chars.join('')) > 0) chars.pop();
    return chars.join('');
  }

  /** How many rows the cursor is further down behind this text: some characters are two columns wide. */
  #rowsOf(text: string): number {
    const { rows } = this.#lines._getDisplayPos?.(text) ?? {
      rows: Math.floor(text.length / (process.stdout.columns || COLUMNS)),
    };
    return rows;
  }
}

function colour(text: string, tone: Tone, who: string | undefined): string {
  if (tone === 'note' || tone === 'aside') return kleur.dim(text);
  if (tone === 'plain' || who === undefined) return text;
  if (tone === 'signed') {
    const at = text.lastIndexOf('\n~') + '\n~'.length;
    return text.slice(0, at) + kleur.bold().cyan(who) + kleur.dim(text.slice(at + who.length));
  }
  const at = text.indexOf(`${who}:`);
  return at < 0 ? text : text.slice(0, at) + kleur.bold().cyan(who) + text.slice(at + who.length);
}
