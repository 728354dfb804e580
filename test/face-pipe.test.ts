import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Given, readCommandLine, UsageError } from '../src/arguments.ts';
import { PIPE_LINE, readOptions } from '../src/face-pipe.ts';
import { Folder } from '../src/pipe-folder.ts';

const test = suite('face-pipe');

function read(...args: string[]): ReturnType<typeof readOptions> {
  return readOptions(readCommandLine(PIPE_LINE, ['pipe', ...args], {}) as Given);
}

test('without options', () => {
  assert.equal(read(), {
    host: 'localhost',
    port: undefined,
    tls: undefined,
    isSharing: true,
    parallel: 2,
    transfers: {
      directory: 'folder',
      window: undefined,
      trouble: undefined,
      trace: undefined,
      timeoutMs: undefined,
      way: 'any',
    },
  });
});

test('with all of them', () => {
  const short = read('-s', '0', '-p', '5', '-w', '32', '-e', '50', '--ip', '10.0.0.5', '--port', '50003', '--dir', 'd');
  assert.equal([short.host, short.port, short.isSharing, short.parallel], ['10.0.0.5', 50_003, false, 5]);
  assert.equal([short.transfers.directory, short.transfers.window, short.transfers.trouble?.loss], ['d', 32, 0.02]);
  const trouble = ['--loss', '2.5', '--dup=1%', '--reorder', '10', '--delay', '20', '--seed', '7'];
  const { transfers } = read(...trouble, '--trace', 't.json', '--timeout', '30', '--relay-only');
  assert.equal(transfers, {
    ...read().transfers,
    trouble: { loss: 0.025, duplicated: 0.01, reordered: 0.1, delayMs: 20, seed: 7 },
    trace: 't.json',
    timeoutMs: 30_000,
    way: 'relay',
  });
  assert.is(read('--direct-only').transfers.way, 'direct');
  for (const none of ['0', '1']) assert.is(read('-e', none, '--seed', '1').transfers.trouble, undefined);
});

test('with TLS files go through the server, unless they shall not', () => {
  const main = ['--port', '5000', '--tls'];
  assert.equal([read(...main).tls, read(...main).transfers.way], [{ pin: undefined }, 'relay']);
  assert.is(read(...main, '--direct-only').transfers.way, 'direct');
  assert.equal(read('--port', '5000', '--tls-pin', 'A0'.repeat(32)).tls, { pin: 'a0'.repeat(32) });
});

for (const args of [
  ['--tls'],
  ['--port', '0'],
  ['--port', 'x'],
  ['--ip', 'no host'],
  ['--ip', ''],
  ['-s', '2'],
  ['-p', '0'],
  ['-w', '1'],
  ['-w', '1025'],
  ['-e', 'often'],
  ['-e', '10', '--loss', '3'],
  ['--loss', '101'],
  ['--dup', 'many'],
  ['--timeout', '0'],
  ['--direct-only', '--relay-only'],
  ['--dir', ''],
  ['--nonsense'],
  ['word'],
]) {
  test(`${args.join(' ')} is refused`, () => {
    assert.throws(
      () => read(...args),
      (error: unknown) => error instanceof UsageError && !error.message.includes('\n'),
    );
  });
}

test('a folder is made, and only what others can ask for is in it', () => {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
  try {
    const directory = path.join(parent, 'a', 'b');
    const folder = new Folder(directory);
    for (const name of ['song.mp3', 'Grüße.txt', 'half.part', '.hidden', 'a|b']) {
      fs.writeFileSync(path.join(directory, name), '');
    }
    fs.mkdirSync(path.join(directory, 'below'));
    fs.symlinkSync(path.join(directory, 'song.mp3'), path.join(directory, 'link'));
    assert.equal([...folder.names()].sort(), ['Grüße.txt', 'song.mp3']);
    assert.throws(() => new Folder(path.join(directory, 'song.mp3')), /is not a directory/);
    assert.throws(() => new Folder(path.join(directory, 'song.mp3', 'x')), /is not a directory/);
  } finally {
    fs.rmSync(parent, { recursive: true, force: true });
  }
});

test('a file is there from the moment when it was put there, and no longer than it is', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
  try {
    const folder = new Folder(directory);
    for (let at = 0; at < 200; at++) {
      fs.writeFileSync(path.join(directory, `f${at}`), '');
      assert.ok(folder.names().includes(`f${at}`));
      if (at % 3 > 0) continue;
      fs.rmSync(path.join(directory, `f${at}`));
      assert.not(folder.names().includes(`f${at}`));
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
});

test('a trace among what is shared is refused, whatever leads there', () => {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
  try {
    const dir = path.join(parent, 'dir');
    fs.mkdirSync(path.join(dir, 'below'), { recursive: true });
    fs.symlinkSync(dir, path.join(parent, 'link'));
    fs.writeFileSync(path.join(dir, 'song.mp3'), '');
    fs.symlinkSync(path.join(dir, 'song.mp3'), path.join(parent, 'trace'));
    const words = (directory: string, trace: string) => [
      ...['--dir', path.join(parent, directory)],
      ...['--trace', path.join(parent, trace)],
    ];
    for (const [directory, trace] of [
      ['dir', 'dir/t'],
      ['dir', 'dir/below/../t'],
      ['dir', 'link/song.mp3'],
      ['link', 'dir/t'],
      ['dir', 'trace'],
      ['new', 'new/t'],
    ] as const) {
      assert.throws(() => read(...words(directory, trace)), /^--trace .*: it would be in --dir .*[^\n]$/, trace);
    }
    for (const trace of ['t', 'dir/below/t', 'other/t']) {
      assert.is(read(...words('dir', trace)).transfers.trace, path.join(parent, trace));
    }
  } finally {
    fs.rmSync(parent, { recursive: true, force: true });
  }
});

test.run();
