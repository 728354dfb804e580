// The screen of terminal.ts as a person sees it: screen-demo.ts on a pseudo-terminal, what it writes drawn by a
// small terminal emulator, rows and cursor compared.

import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limited, Program, pause, ROOT, temporaryDirectory } from './launch.ts';

const COLUMNS = 20;
const ROWS = 12;
const CTRL_C = '\x03';
const LEFT = '\x1b[D';
const UP = '\x1b[A';
/** Its size and itself: [rows, columns, program and arguments]; a line on fd 3 resizes it. */
const PYTHON = `
import fcntl, os, pty, select, signal, struct, sys, termios
size = lambda fd, rows, columns: fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
pid, fd = pty.fork()
if pid == 0:
    size(0, int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[4], sys.argv[4:])
sizes = os.open(sys.argv[3], os.O_RDWR)
while True:
    for ready in select.select([0, fd, sizes], [], [])[0]:
        try:
            data = os.read(ready, 65536)
        except OSError:
            data = b''
        if ready == fd and not data:
            status = os.waitpid(pid, 0)[1]
            sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
        if ready == sizes:
            size(fd, *map(int, data.split()))
        else:
            os.write(fd if ready == 0 else 1, data)
`;

/** What a terminal makes of what is written: as much of it as readline and terminal.ts need. */
class Emulator {
  /** `soft`: it goes on in the next row. */
  #grid: Array<{ cells: string[]; soft: boolean }> = [{ cells: [], soft: false }];
  #row = 0;
  #column = 0;
  #wraps = true;
  #columns: number;
  #rest = '';

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const parts = /\x1b\[([\d;?]*)([A-Za-z])|\x1b[^[]?|\x1b\[[\d;?]*$|[^\x1b]/gu;
    const all = this.#rest + text;
    this.#rest = '';
    for (const { 0: part, 1: argument = '', 2: code } of all.matchAll(parts)) {
      if (code) this.#control(code, argument);
      else if (part.startsWith('\x1b')) this.#rest = part;
      else this.#put(part);
    }
  }

  /** The rows that are not blank, with the cursor as a bar. */
  rows(rows = ROWS): string[] {
    const shown = this.#grid.map(({ cells }, row) => {
      const text = Array.from(cells, (cell) => cell ?? ' ');
      while (text.length < this.#column && row === this.#row) text.push(' ');
      if (row === this.#row) text.splice(this.#column, 0, '|');
      return text.join('').trimEnd();
    });
    while (shown.at(-1) === '') shown.pop();
    return shown.slice(-rows);
  }

  /** Folds the rows anew, as most terminals do. */
  resize(columns: number): void {
    this.#columns = columns;
    const old = this.#grid;
    this.#grid = [];
    let line: string[] = [];
    let cursor = -1;
    old.forEach(({ cells, soft }, row) => {
      if (row === this.#row) cursor = line.length + this.#column;
      line.push(...Array.from(cells, (cell) => cell ?? ' '));
      if (!soft) {
        this.#fold(line, cursor);
        line = [];
        cursor = -1;
      }
    });
  }

  #fold(line: string[], cursor: number): void {
    const first = this.#grid.length;
    for (let at = 0; at === 0 || at < line.length; at += this.#columns) {
      const cells = line.slice(at, at + this.#columns);
      this.#grid.push({ cells, soft: at + this.#columns < line.length });
    }
    if (cursor < 0) return;
    this.#row = first + Math.floor(cursor / this.#columns);
    this.#column = cursor % this.#columns;
    this.#rowAt(this.#row);
  }

  #rowAt(row: number): { cells: string[]; soft: boolean } {
    while (this.#grid.length <= row) this.#grid.push({ cells: [], soft: false });
    return this.#grid[row] as { cells: string[]; soft: boolean };
  }

  #put(char: string): void {
    if (char === '\r') this.#column = 0;
    else if (char === '\n') this.#rowAt(++this.#row);
    else if (char >= ' ') this.#letter(char);
  }

  #letter(char: string): void {
    const width = /[\u3000-\uffee]/.test(char) ? 2 : 1;
    if (this.#column + width > this.#columns) {
      if (!this.#wraps) this.#column = this.#columns - width;
      else {
        this.#rowAt(this.#row).soft = true;
        this.#row++;
        this.#column = 0;
      }
    }
    const { cells } = this.#rowAt(this.#row);
    cells[this.#column] = char;
    if (width === 2) cells[this.#column + 1] = '';
    this.#column += width;
  }

  #control(code: string, argument: string): void {
    const count = Number.parseInt(argument, 10) || 1;
    if (code === 'A') this.#row = Math.max(0, this.#row - count, this.#grid.length - ROWS);
    else if (code === 'B') this.#row += count;
    else if (code === 'C') this.#column += count;
    else if (code === 'D') this.#column = Math.max(0, Math.min(this.#column, this.#columns - 1) - count);
    else if (code === 'G') this.#column = count - 1;
    else if (code === 'J') this.#clearDown();
    else if (code === 'K') this.#rowAt(this.#row).cells.splice(this.#column);
    else if (argument === '?7') this.#wraps = code === 'h';
    else if (code !== 'm') throw new Error(`the emulator has no ${argument}${code}`);
  }

  #clearDown(): void {
    const row = this.#rowAt(this.#row);
    row.cells.splice(this.#column);
    row.soft = false;
    this.#grid.splice(this.#row + 1);
  }
}

class Demo {
  readonly #directory = temporaryDirectory();
  readonly #emulator = new Emulator(COLUMNS);
  readonly program: Program;
  #drawn = 0;

  constructor(keepsTyped = true, env: Readonly<Record<string, string>> = {}, terminal = true) {
    const [fifo, sizes] = [this.#file('fifo'), this.#file('sizes')];
    execFileSync('mkfifo', [fifo, sizes]);
    fs.writeFileSync(this.#file('log'), '');
    const demo = JSON.stringify({ fifo, log: this.#file('log'), prompt: '> ', keepsTyped });
    const program = [...runtime(), path.join(ROOT, 'test', 'screen-demo.ts')];
    const command = terminal ? ['python3', '-c', PYTHON, String(ROWS), String(COLUMNS), sizes, ...program] : program;
    this.program = new Program({ command, port: 'none', env: { TERM: 'xterm', ...env, DEMO: demo } });
  }

  get log(): string {
    return fs.readFileSync(this.#file('log'), 'utf8');
  }

  async logged(what: string, times = 1): Promise<void> {
    for (let left = 500; this.log.split(what).length <= times; left--) {
      if (left === 0)
        throw new Error(
          `${what} was not logged, but ${this.log}; ${JSON.stringify(this.program.stdout)} ${this.program.stderr}`,
        );
      await pause(10);
    }
  }

  async do(...words: readonly string[]): Promise<void> {
    const line = JSON.stringify(words);
    const times = this.log.split(`did ${line}\n`).length;
    fs.appendFileSync(this.#file('fifo'), `${line}\n`);
    await this.logged(`did ${line}\n`, times);
  }

  /** What the screen shows, once it shows that. */
  async shows(...rows: readonly string[]): Promise<void> {
    for (let left = 200; left > 0 && this.#rows().join('\n') !== rows.join('\n'); left--) await pause(10);
    assert.equal(this.#rows(), rows);
  }

  /** Once all that was written so far has been drawn in the old size. */
  async resize(columns: number, rows = ROWS): Promise<void> {
    await pause(100);
    this.#rows();
    this.#emulator.resize(columns);
    fs.appendFileSync(this.#file('sizes'), `${rows} ${columns}`);
    await pause(100);
  }

  #rows(): string[] {
    const { stdout } = this.program;
    this.#emulator.write(stdout.slice(this.#drawn));
    this.#drawn = stdout.length;
    return this.#emulator.rows();
  }

  #file(name: string): string {
    return path.join(this.#directory, name);
  }
}

/** SCREEN_RUNTIME: other than Node, such as `deno run -A`. */
function runtime(): string[] {
  return process.env.SCREEN_RUNTIME?.split(' ') ?? [process.execPath];
}

const test = suite('terminal');
const works = spawnSync('python3', ['-c', 'import pty, fcntl, termios']).status === 0;
const test_ = works ? limited(test) : (name: string) => test.skip(`${name} (needs python3)`);

async function open(keepsTyped?: boolean): Promise<Demo> {
  const demo = new Demo(keepsTyped);
  await demo.logged('ready');
  await demo.shows('> |');
  return demo;
}

test_('status lines stand above the line being typed, messages above them', async () => {
  const demo = await open();
  demo.program.type('hallo');
  await demo.do('status', 'a  10 %', 'b  20 %');
  await demo.shows('a  10 %', 'b  20 %', '> hallo|');
  demo.program.type(LEFT + LEFT);
  await demo.do('print', 'a message');
  await demo.shows('a message', 'a  10 %', 'b  20 %', '> hal|lo');
  await demo.do('status', 'a  11 %', 'b  20 %');
  await demo.shows('a message', 'a  11 %', 'b  20 %', '> hal|lo');
  await demo.do('prompt', 'room> ');
  await demo.shows('a message', 'a  11 %', 'b  20 %', 'room> hal|lo');
  demo.program.type('X');
  await demo.shows('a message', 'a  11 %', 'b  20 %', 'room> halX|lo');
  await demo.do('status', 'b  20 %');
  await demo.do('print', 'two\nlines');
  await demo.shows('a message', 'two', 'lines', 'b  20 %', 'room> halX|lo');
  await demo.do('status');
  await demo.shows('a message', 'two', 'lines', 'room> halX|lo');
});

test_('what is typed may be longer than a row', async () => {
  const demo = await open();
  await demo.do('status', 'one', 'two');
  demo.program.type('abcdefghijklmnopqrstuvwxyz日本語日本語日本語');
  await demo.shows('one', 'two', '> abcdefghijklmnopqr', 'stuvwxyz日本語日本語', '日本語|');
  await demo.do('print', 'a message');
  await demo.shows('a message', 'one', 'two', '> abcdefghijklmnopqr', 'stuvwxyz日本語日本語', '日本語|');
  demo.program.type(LEFT.repeat(10));
  await demo.do('status', 'three');
  await demo.shows('a message', 'three', '> abcdefghijklmnopqr', 'stuvwxy|z日本語日本語', '日本語');
  demo.program.type('!!');
  await demo.shows('a message', 'three', '> abcdefghijklmnopqr', 'stuvwxy!!|z日本語日本', '語日本語');
  demo.program.type('\r');
  await demo.shows('a message', '> abcdefghijklmnopqr', 'stuvwxy!!z日本語日本', '語日本語', 'three', '> |');
});

test_('exactly a row', async () => {
  const demo = await open();
  await demo.do('status', 'one');
  demo.program.type('abcdefghijklmnopqr');
  await demo.shows('one', '> abcdefghijklmnopqr', '|');
  await demo.do('print', 'x'.repeat(COLUMNS));
  await demo.do('status', 'one', 'two');
  await demo.shows('x'.repeat(COLUMNS), 'one', 'two', '> abcdefghijklmnopqr', '|');
  demo.program.type('\r');
  await demo.shows('x'.repeat(COLUMNS), '> abcdefghijklmnopqr', 'one', 'two', '> |');
});

for (const status of [[], ['one', 'two']]) {
  test_(`a pasted text of several rows, ${status.length} status lines`, async () => {
    const demo = await open();
    await demo.do('status', ...status);
    demo.program.type('abcdefghijklmnopqrstuvwxyz');
    await demo.shows(...status, '> abcdefghijklmnopqr', 'stuvwxyz|');
    demo.program.type(LEFT.repeat(10));
    await demo.shows(...status, '> abcdefghijklmnop|qr', 'stuvwxyz');
    demo.program.type(`${'x'.repeat(20)}\x05${'y'.repeat(12)}`);
    const rows = ['> abcdefghijklmnopxx', 'xxxxxxxxxxxxxxxxxxqr', 'stuvwxyzyyyyyyyyyyyy'];
    await demo.shows(...status, ...rows, '|');
    demo.program.type(`\r${'z'.repeat(38)}\r`);
    await demo.shows(...rows, `> ${'z'.repeat(18)}`, 'z'.repeat(20), ...status, '> |');
  });
}

test_('Enter: a typed line that is kept stands once, above what follows', async () => {
  const demo = await open();
  await demo.do('status', 'one');
  demo.program.type('talk\r');
  await demo.shows('> talk', 'one', 'two', 'one', '> |');
  await demo.do('status');
  demo.program.type('talk\rhalf');
  await demo.shows('> talk', 'one', 'two', '> talk', 'one', 'two', '> half|');
  assert.is(demo.log.split('line talk').length, 3);
});

test_('Enter: one that is not kept is gone', async () => {
  const demo = await open(false);
  await demo.do('status', 'one', 'two');
  demo.program.type('talk\r');
  await demo.shows('one', 'two', 'one', 'two', '> |');
  demo.program.type('a line that is longer than a row\r');
  await demo.logged('line a line');
  await demo.shows('one', 'two', 'one', 'two', '> |');
});

test_('the arrow keys bring back only what is worth it', async () => {
  const demo = await open();
  for (const line of ['hello', 's', 'you', 'x', 'x']) demo.program.type(`${line}\r`);
  await demo.logged('line x', 2);
  demo.program.type(UP);
  await demo.shows('> hello', '> s', '> you', '> x', '> x', '> you|');
  demo.program.type(UP);
  await demo.shows('> hello', '> s', '> you', '> x', '> x', '> hello|');
});

test_('a status line never begins a second row', async () => {
  const demo = await open();
  await demo.do('status', 'x'.repeat(30), '日本語'.repeat(5), `x${'日本語'.repeat(5)}`, 'a\nb');
  await demo.shows('x'.repeat(19), '日本語日本語日本語', 'x日本語日本語日本語', 'a', '> |');
  await demo.do('status', '❤'.repeat(19));
  await demo.shows('❤'.repeat(19), '> |');
});

test_('no more status lines than a third of the rows; what is typed comes first', async () => {
  const demo = await open();
  await demo.do('status', ...'abcdefgh');
  await demo.shows('a', 'b', 'c', '… and 5 more', '> |');
  await demo.do('status', ...'abcd');
  await demo.shows('a', 'b', 'c', 'd', '> |');
  demo.program.type('x'.repeat(18 + 20 * 8));
  await demo.shows('… and 4 more', '> xxxxxxxxxxxxxxxxxx', ...Array(8).fill('x'.repeat(20)), '|');
  await demo.do('print', 'a message');
  await demo.shows('a message', '… and 4 more', '> xxxxxxxxxxxxxxxxxx', ...Array(8).fill('x'.repeat(20)), '|');
  demo.program.type('\x15');
  await demo.shows('a message', 'a', 'b', 'c', 'd', '> |');
});

test_('at most eight status lines', async () => {
  const demo = await open();
  await demo.resize(COLUMNS, 60);
  await demo.do('status', ...'abcdefghij');
  await demo.shows(...'abcdefg', '… and 3 more', '> |');
});

test_('the same status again writes nothing', async () => {
  const demo = await open();
  await demo.do('status', 'one', 'two');
  await demo.shows('one', 'two', '> |');
  const { stdout } = demo.program;
  await demo.do('status', 'one', 'two');
  await pause(50);
  assert.is(demo.program.stdout, stdout);
});

test_('resizing folds status and typed text anew', async () => {
  const demo = await open();
  demo.program.type('abcdefghijklmnopqrstuvwxyz');
  await demo.do('print', 'a message');
  await demo.do('status', 'status of many columns', 'two');
  await demo.shows('a message', 'status of many colu', 'two', '> abcdefghijklmnopqr', 'stuvwxyz|');
  await demo.resize(10);
  await demo.shows('a message', 'status of', 'two', '> abcdefgh', 'ijklmnopqr', 'stuvwxyz|');
  await demo.do('print', 'hi');
  await demo.shows('a message', 'hi', 'status of', 'two', '> abcdefgh', 'ijklmnopqr', 'stuvwxyz|');
  await demo.resize(40);
  await demo.shows('a message', 'hi', 'status of many columns', 'two', '> abcdefghijklmnopqrstuvwxyz|');
});

test_('Tab completes; a choice is printed above', async () => {
  const demo = await open();
  await demo.do('status', 'one', 'two');
  demo.program.type('a\t');
  await demo.shows('one', 'two', '> alp|');
  demo.program.type('\t');
  await demo.shows('alpha  alps', 'one', 'two', '> alp|');
  demo.program.type('h\t');
  await demo.shows('alpha  alps', 'one', 'two', '> alpha |');
});

test_('Ctrl-C ends the input; status and messages go on; the next one kills', async () => {
  const demo = await open();
  await demo.do('status', 'one', 'two');
  demo.program.type(`half a line longer than that${LEFT.repeat(12)}`);
  await demo.shows('one', 'two', '> half a line long|er', ' than that');
  demo.program.type(CTRL_C);
  await demo.logged('ended');
  await demo.shows('> half a line longer', ' than that', 'one', 'two', '|');
  await demo.do('status', 'one', '2');
  await demo.do('print', 'a message');
  await demo.shows('> half a line longer', ' than that', 'a message', 'one', '2', '|');
  await demo.resize(10);
  await demo.shows('> half a l', 'ine longer', ' than that', 'a message', 'one', '2', '|');
  await demo.do('status', 'a new status');
  await demo.shows('> half a l', 'ine longer', ' than that', 'a message', 'a new sta', '|');
  await demo.do('status');
  await demo.do('print', 'the end');
  await demo.shows('> half a l', 'ine longer', ' than that', 'a message', 'the end', '|');
  demo.program.type(CTRL_C);
  assert.is((await demo.program.exit()).status, 130);
});

for (const ended of [false, true]) {
  test_(
    `closing leaves nothing of prompt and status${ended ? ', after the end of input too' : ''}`,
    async () => {
      const demo = await open();
      demo.program.type('typed');
      await demo.do('status', 'one', 'two');
      if (ended) demo.program.type(CTRL_C);
      if (ended) await demo.logged('ended');
      await demo.do('close');
      await demo.do('status', 'late');
      await demo.do('print', 'bye');
      await demo.shows(...(ended ? ['> typed'] : []), 'bye', '|');
      await demo.do('exit').catch(() => {});
    },
    10,
  );
}

limited(test)('to a pipe: lines as they come, asides to stderr, no status', async () => {
  const demo = new Demo(true, { TERM: 'xterm' }, false);
  await demo.logged('ready');
  await demo.do('status', 'one');
  await demo.do('print', 'a note', 'note');
  await demo.do('print', 'an aside', 'aside');
  await demo.do('prompt', 'room> ');
  demo.program.type('hi\n');
  await demo.logged('line hi');
  await demo.program.printed(/^a note\n$/);
  await demo.program.logged(/^an aside\n$/);
  demo.program.endInput();
  await demo.logged('ended');
  await demo.do('print', 'more');
  await demo.program.printed(/^a note\nmore\n$/);
});

for (const [what, env, seen] of [
  ['a colour', {}, '\x1b[2mnote\x1b[22m'],
  ['NO_COLOR: none', { NO_COLOR: '1' }, 'note'],
] as const) {
  test_(what, async () => {
    const demo = new Demo(true, env);
    await demo.logged('ready');
    await demo.do('print', 'note', 'aside');
    await demo.do('status', 'note');
    await demo.shows('note', 'note', '> |');
    assert.is(demo.program.stdout.split(seen).length, 3);
    assert.is(demo.program.stdout.includes('\x1b[2m'), what === 'a colour');
  });
}

test_('a dumb terminal is like a pipe', async () => {
  const demo = new Demo(true, { TERM: 'dumb' });
  await demo.logged('ready');
  await demo.do('status', 'one');
  await demo.do('print', 'a message', 'note');
  await demo.shows('a message', '|');
});

test.run();
