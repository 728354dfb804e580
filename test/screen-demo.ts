// A program for terminal.test.ts: opens a screen and does to it what the lines of a FIFO say, each one array in
// JSON: what to call, and with what. DEMO: {"fifo", "prompt", "keepsTyped"}. What it hears it logs to DEMO.log.

import fs from 'node:fs';
import readline from 'node:readline';
import type { Tone } from '../src/face.ts';
import { openScreen } from '../src/terminal.ts';

const demo = JSON.parse(process.env.DEMO ?? '{}');
const log = (line: string): void => fs.appendFileSync(demo.log, `${line}\n`);

const screen = openScreen(demo, {
  line: (text) => {
    log(`line ${text}`);
    if (text === 'talk') for (const said of ['one', 'two']) screen.print(said, 'plain');
  },
  ended: () => log('ended'),
  remembers: (line) => line.length > 1,
  complete: (line) => ['alpha ', 'alps ', 'beta '].filter((word) => line !== '' && word.startsWith(line)),
});

const CALLS: Readonly<Record<string, (...words: never[]) => void>> = {
  print: (text: string, tone: Tone = 'plain') => screen.print(text, tone),
  status: (...lines: string[]) => screen.setStatus(lines),
  prompt: (text: string) => screen.setPrompt(text),
  close: () => screen.close(),
  exit: () => process.exit(0),
};

readline.createInterface({ input: fs.createReadStream(demo.fifo, { flags: 'r+' }) }).on('line', (line) => {
  const [call, ...words] = JSON.parse(line);
  CALLS[call]?.(...(words as never[]));
  log(`did ${line}`);
});
log('ready');
