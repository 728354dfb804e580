import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readLimitsOf } from '../src/limits-file.ts';
import { readRegularFile } from '../src/regular-file.ts';
import { loadPair } from '../src/tls-files.ts';

const MAX = 1024 * 1024;
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
const named = (name: string) => path.join(directory, name);
const pipe = named('pipe');
const hasPipe = spawnSync('mkfifo', [pipe]).status === 0;

const test = suite('regular file');
test.after(() => fs.rmSync(directory, { recursive: true, force: true }));

test('is read whole, up to 1 MiB', () => {
  for (const text of ['', 'messages = 5+5/s\n', 'ü'.repeat(MAX / 2)]) {
    fs.writeFileSync(named('text'), text);
    assert.is(readRegularFile(named('text')) === text, true);
  }
  fs.symlinkSync(named('text'), named('link'));
  assert.is(readRegularFile(named('link')).length, MAX / 2);
});

for (const [what, file, why] of [
  ['one that is too long', named('long'), /too long/],
  ['a directory', directory, /directory/],
  ['a device without an end', '/dev/zero', /not a regular file/],
  ['one that is not there', named('none'), /ENOENT|no file/],
] as const) {
  test(`refuses ${what}`, () => {
    fs.writeFileSync(named('long'), ' '.repeat(MAX + 1));
    refused(file, why);
  });
}

// nobody writes into it
(hasPipe ? test : test.skip)('refuses a pipe, at once', () => refused(pipe, /not a regular file/));

function refused(file: string, why: RegExp): void {
  assert.throws(() => readRegularFile(file), why);
  assert.throws(() => readLimitsOf({ limitsFile: file, limits: { limits: [], trusted: [] } }), why);
  assert.throws(() => loadPair({ kind: 'files', cert: file, key: file }, new Date()), why);
}
test.run();
