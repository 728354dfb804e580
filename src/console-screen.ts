// Layer 5. The operator's console on the server's own terminal, or on what a pipe brings. As long as a line may be
// being typed, the log goes above it.

import fs from 'node:fs';
import type { Console } from './console.ts';
import { isTerminal, openScreen, type Screen } from './terminal.ts';

export class ConsoleScreen {
  readonly #isTerminal = isTerminal();
  readonly #screen: Screen;
  #isOver = false;
  /** One command after the other, whatever they wait for. */
  #answered: Promise<void> = Promise.resolve();

  /** `ended`: whoever sat at the terminal has left it. */
  constructor(console: Console, ended: () => void) {
    this.#screen = openScreen(
      { prompt: console.prompt, keepsTyped: true },
      {
        line: (typed) => this.#take(console, typed),
        ended: () => {
          this.#isOver = true;
          if (this.#isTerminal) ended();
        },
        remembers: (line) => line.trim() !== '',
        complete: (line) => console.complete(line),
      },
    );
  }

  #take(console: Console, typed: string): void {
    this.#screen.pause();
    this.#answered = this.#answered.then(async () => {
      this.print(await console.line(typed));
      if (!this.#isOver) this.#screen.resume();
    });
  }

  print(text: string): void {
    if (text !== '') this.#screen.print(text, 'plain');
  }

  /** The log stands on this screen, too. */
  get showsLog(): boolean {
    return !this.#isOver && this.#isTerminal && process.stderr.isTTY === true;
  }

  /** A line of the log; where that goes elsewhere than the screen, nothing is in its way. */
  log(line: string): void {
    if (this.showsLog) this.#screen.print(line, 'aside');
    else process.stderr.write(`${line}\n`);
  }

  close(): void {
    this.#isOver = true;
    this.#screen.close();
  }
}

/** Somebody may type: stdin is a terminal, and this program is not one in the background that must not read from it. */
export function hasOperator(): boolean {
  return process.stdin.isTTY === true && isForeground();
}

function isForeground(): boolean {
  let stat: string;
  try {
    stat = fs.readFileSync('/proc/self/stat', 'latin1');
  } catch {
    // a system without it
    return true;
  }
  // behind the program's name: state, parent, process group, session, terminal, the terminal's process group
  const [, , group, , , ofTerminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === ofTerminal;
}
