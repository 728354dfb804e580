// parley-client pipe on a pseudo-terminal.

import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hasTerminals, limited, Terminal, temporaryDirectory } from './launch.ts';
import { closeClassics, enter, leave, startClassic, wordsFor } from './pipe-people.ts';

const CTRL_D = '\x04';
const LEFT = '\x1b[D';
const UP = '\x1b[A';
const TAB = '\t';
const END_OF_LINE = '\x05';
const CLEAR_LINE = '\x15';

const test = suite('parley-client pipe on a terminal');
test.after.each(closeClassics);
const test_ = limited(test);
const terminal_ = hasTerminals() ? test_ : (name: string) => test.skip(`${name} (needs python3)`);

/** What is typed, and what stands above the prompt then. */
async function arrive(terminal: Terminal, steps: ReadonlyArray<readonly [string, string]>): Promise<void> {
  await terminal.endsWith('Please enter your username', '> |');
  for (const [line, due] of steps) {
    terminal.type(`${line}\r`);
    await terminal.endsWith(due, '> |');
  }
}

terminal_('what is being typed stays, Tab completes, Ctrl-D leaves', async () => {
  const server = await startClassic();
  const ann = await enter(server, 'ann', 'create');
  const directory = temporaryDirectory();
  fs.writeFileSync(path.join(directory, 'song.mp3'), 'la');
  const ben = new Terminal(wordsFor(server, directory), directory);
  await arrive(ben, [
    ['ben', 'OK|Username ben accepted. Send create/join a chatroom'],
    ['join', 'den'],
    ['den', 'Welcome to den. You are all set to pass messages'],
  ]);
  ben.type(`half${LEFT}`);
  await ben.endsWith('> hal|f');
  ann.type('@all|hi there\n');
  await ben.endsWith('#ann|hi there', '> hal|f');
  ben.type(`${END_OF_LINE}${CLEAR_LINE}@an\t`);
  await ben.endsWith('> @ann||');
  ben.type('hello\r');
  await ben.endsWith('> @ann|hello', '> |');
  await ann.printed(/^#ben\|hello$/m);
  ben.type('@me|c');
  ben.type(TAB);
  await ben.endsWith('> @me|clr|');
  ben.type(TAB);
  await ben.endsWith('@me|clrshare|  @me|clrglobalshare', '> @me|clr|');
  ben.type('s\t');
  await ben.endsWith('> @me|clrshare||');
  ben.type(TAB);
  await ben.endsWith('> @me|clrshare|song.mp3|');
  ben.type('\r');
  await ben.endsWith('not shared: song.mp3', '> |');
  ben.type(CTRL_D);
  assert.is((await ben.program.exit()).status, 0);
  await ann.printed(/^INFO\| User ben has left$/m);
  await leave(ann);
});

terminal_('a password is neither shown nor kept', async () => {
  const server = await startClassic();
  const ann = new Terminal(wordsFor(server, temporaryDirectory()), temporaryDirectory(), { NO_COLOR: '1' });
  await arrive(ann, [
    ['ann', 'OK|Username ann accepted. Send create/join a chatroom'],
    ['create', 'OK|Specify a chatroom name to create.'],
    ['den', 'OK|Chatroom den created. Do you want to password protect the room? [yes/no]'],
  ]);
  ann.type('yes\r');
  await ann.endsWith('OK|Please enter password.', 'password> |');
  ann.type('sekret');
  await ann.endsWith('password> ******|');
  ann.type('\r');
  await ann.endsWith(
    'password> ******',
    'OK|Password accepted.',
    'Welcome to den. You are all set to pass messages',
    '> |',
  );
  assert.is(server.messages.at(-1), 'sekret');
  assert.not.match(ann.program.stdout, /sekret/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour begins with
  assert.not.match(ann.program.stdout, /\x1b\[[\d;]*m/);
  ann.type(UP);
  await ann.endsWith('> yes|');
  ann.type(CLEAR_LINE + CTRL_D);
  assert.is((await ann.program.exit()).status, 0);
});

test.run();
