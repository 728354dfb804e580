import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import disk from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { GbnSink } from '../src/gbn-sink.ts';
import { Landing } from '../src/landing.ts';
import { PartLocks } from '../src/part-locks.ts';
import { refusal } from './fakes.ts';

const test = suite('gbn sink');

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-sink-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));
const locks = new PartLocks(path.join(root, 'locks'));
let made = 0;

function directoryWith(files: Record<string, string> = {}): string {
  const directory = path.join(root, `${++made}`);
  fs.mkdirSync(directory);
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), content);
  return directory;
}

function contents(directory: string): Record<string, string> {
  const names = fs.readdirSync(directory).sort();
  return Object.fromEntries(names.map((name) => [name, fs.readFileSync(path.join(directory, name), 'utf8')]));
}

function digest(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

function open(directory: string, content: string, name = 'song'): Promise<GbnSink> {
  return GbnSink.open({ disk, directory, locks, name, sha256: digest(content) }, content.length);
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** Cut after so many bytes. */
async function cut(directory: string, content: string, length: number): Promise<void> {
  const sink = await open(directory, content);
  sink.push(bytes(content.slice(0, length)));
  await sink.close();
}

test('what arrives gets its name, and nothing is left beside it', async () => {
  const directory = directoryWith();
  const sink = await open(directory, 'hello');
  const written: number[] = [];
  sink.onWritten = (position) => written.push(position);
  sink.push(bytes('he'));
  sink.push(bytes('llo'));
  assert.is((await sink.finish()).path, path.join(directory, 'song'));
  await sink.close();
  assert.equal(contents(directory), { song: 'hello' });
  assert.is(written.at(-1), 5);
});

test('an empty file', async () => {
  const directory = directoryWith();
  const sink = await open(directory, '');
  await sink.finish();
  await sink.close();
  assert.equal(contents(directory), { song: '' });
});

test('a part goes on where it was cut, and beside it is of what', async () => {
  const directory = directoryWith();
  await cut(directory, 'hello world', 5);
  assert.equal(contents(directory), { '.song.part': digest('hello world'), 'song.part': 'hello' });
  const sink = await open(directory, 'hello world');
  assert.is(sink.offset, 5);
  sink.push(bytes(' world'));
  await sink.finish();
  await sink.close();
  assert.equal(contents(directory), { song: 'hello world' });
});

const OTHERS: ReadonlyArray<readonly [string, Record<string, string>]> = [
  ['of another file', { 'song.part': 'hello', '.song.part': digest('hello there') }],
  ['without a note', { 'song.part': 'hello' }],
  ['with a note that is none', { 'song.part': 'hello', '.song.part': 'hello' }],
];

for (const [what, files] of OTHERS) {
  test(`a part ${what} stays, and the next name is taken`, async () => {
    const directory = directoryWith(files);
    const sink = await open(directory, 'hello world');
    assert.equal([sink.name, sink.offset], ['1song', 0]);
    sink.push(bytes('hello world'));
    await sink.finish();
    await sink.close();
    assert.equal(contents(directory), { ...files, '1song': 'hello world' });
  });
}

const USELESS: ReadonlyArray<readonly [string, Record<string, string>]> = [
  ['longer than the file', { 'song.part': 'hello world and more', '.song.part': digest('hello world') }],
  ['that is empty, and without a note', { 'song.part': '' }],
  ['that is empty, and of another file', { 'song.part': '', '.song.part': digest('hello there') }],
];

for (const [what, files] of USELESS) {
  test(`a part ${what} begins at 0`, async () => {
    const directory = directoryWith(files);
    const sink = await open(directory, 'hello world');
    assert.equal([sink.name, sink.offset], ['song', 0]);
    await sink.close();
    assert.equal(contents(directory), {});
  });
}

test('the part of the file is found behind those of others, and behind names without one', async () => {
  const others = {
    'song.part': 'by the relay',
    '1song': 'a file',
    '11song.part': 'hullo',
    '.11song.part': digest('x'),
  };
  const own = { '1111song.part': 'hello', '.1111song.part': digest('hello world') };
  const directory = directoryWith({ ...others, ...own });
  const sink = await open(directory, 'hello world');
  assert.equal([sink.name, sink.offset], ['1111song', 5]);
  sink.push(bytes(' world'));
  await sink.finish();
  await sink.close();
  assert.equal(contents(directory), { ...others, '1111song': 'hello world' });
});

test('what stands in the place of a part and is none stays', async () => {
  const directory = directoryWith();
  fs.mkdirSync(path.join(directory, 'song.part'));
  const sink = await open(directory, 'hello');
  assert.is(sink.name, '1song');
  await sink.close();
});

test('a name too long for one more digit in front has no other', async () => {
  const name = 's'.repeat(240);
  const directory = directoryWith();
  fs.writeFileSync(path.join(directory, `${name}.part`), 'hello');
  let last: string | undefined;
  for (let n = 0; n < 30; n++) {
    const error = await open(directory, `hello ${n}`, name).then(
      async (sink) => {
        assert.is(sink.offset, 0);
        sink.push(bytes('hel'));
        await sink.close();
      },
      (refused) => refused,
    );
    if (error === undefined) continue;
    assert.instance(error, HouseError);
    last = error.code;
  }
  assert.is(last, 'disk');
  assert.is(fs.readFileSync(path.join(directory, `${name}.part`), 'utf8'), 'hello');
});

test('a note that leads elsewhere is neither read nor written through', async () => {
  const directory = directoryWith({ 'song.part': 'hello', '1song.part': '' });
  const outside = path.join(root, 'outside');
  fs.writeFileSync(outside, digest('hello world'));
  for (const name of ['song', '1song']) fs.symlinkSync(outside, path.join(directory, `.${name}.part`));
  const sink = await open(directory, 'hello world');
  assert.equal([sink.name, sink.offset], ['1song', 0]);
  sink.push(bytes('hello'));
  await sink.close();
  assert.is(fs.readFileSync(outside, 'utf8'), digest('hello world'));
  assert.is(fs.lstatSync(path.join(directory, '.1song.part')).isSymbolicLink(), false);
});

test('a part that turns out to be wrong is refused its name, and can begin again', async () => {
  const directory = directoryWith({ 'song.part': 'hullo', '.song.part': digest('hello world') });
  const sink = await open(directory, 'hello world');
  sink.push(bytes(' world'));
  assert.is(await refusal(sink.finish()), 'file-changed');
  await sink.restart();
  assert.is(sink.offset, 0);
  sink.push(bytes('hello world'));
  await sink.finish();
  await sink.close();
  assert.equal(contents(directory), { song: 'hello world' });
});

test('names that are taken get a 1 in front, by files and by transfers under way', async () => {
  const directory = directoryWith({ song: 'old', '1song': 'older' });
  const sinks = [await open(directory, 'first'), await open(directory, 'second')];
  assert.equal(
    sinks.map(({ name }) => name),
    ['11song', '111song'],
  );
  for (const [n, text] of ['first', 'second'].entries()) {
    sinks[n]?.push(bytes(text));
    await sinks[n]?.finish();
    await sinks[n]?.close();
  }
  assert.equal(contents(directory), { '111song': 'second', '11song': 'first', '1song': 'older', song: 'old' });
});

test('the part of a name that was taken meanwhile is found again', async () => {
  const directory = directoryWith({ song: 'old' });
  await cut(directory, 'hello world', 5);
  const sink = await open(directory, 'hello world');
  assert.equal([sink.name, sink.offset], ['1song', 5]);
  await sink.close();
});

for (const name of ['../song', '.song', 'a/b', 'song.part', '', 'nul']) {
  test(`the name ${JSON.stringify(name)} is refused`, async () => {
    assert.is(await refusal(open(directoryWith(), 'x', name)), 'bad-file');
  });
}

test('a directory that is not there', async () => {
  assert.is(await refusal(open(path.join(root, 'nowhere'), 'x')), 'disk');
});

function openUnknown(directory: string): Promise<GbnSink> {
  return GbnSink.open({ disk, directory, locks, name: 'song', sha256: undefined }, 1000);
}

test('without a digest it begins at 0 and is what it is', async () => {
  const directory = directoryWith({ 'song.part': 'hello' });
  const sink = await openUnknown(directory);
  sink.push(bytes('other'));
  await sink.finish();
  await sink.close();
  assert.equal(contents(directory), { 'song.part': 'hello', '1song': 'other' });
});

test('what was cut without a digest is of no use to anybody, and gives way', async () => {
  for (const next of [openUnknown, (directory: string) => open(directory, 'other')]) {
    const directory = directoryWith();
    const first = await openUnknown(directory);
    first.push(bytes('hello'));
    await first.close();
    const sink = await next(directory);
    assert.equal([sink.name, sink.offset], ['song', 0]);
    sink.push(bytes('other'));
    await sink.finish();
    await sink.close();
    assert.equal(contents(directory), { song: 'other' });
  }
});

test('much at once is written in order, and a failing disk is told', async () => {
  const directory = directoryWith();
  const content = randomBytes(5_000_000);
  const sink = await GbnSink.open({ disk, directory, locks, name: 'song', sha256: digest(content) }, content.length);
  const written: number[] = [];
  sink.onWritten = (position) => written.push(position);
  for (let at = 0; at < content.length; at += 100_000) sink.push(content.subarray(at, at + 100_000));
  assert.not(sink.isWritten);
  await sink.finish();
  await sink.close();
  assert.ok(content.equals(fs.readFileSync(path.join(directory, 'song'))));
  assert.equal(
    written,
    [...written].sort((a, b) => a - b),
  );
  assert.ok(written.length >= 5, 'in pieces');
});

test('a disk that fails is told once, and what came before is kept', async () => {
  const directory = directoryWith();
  const sink = await open(directory, 'hello world');
  sink.push(bytes('hello'));
  await new Promise<void>((resolve) => {
    sink.onWritten = () => resolve();
  });
  const write = Landing.prototype.write;
  const told: unknown[] = [];
  sink.onTrouble = (error) => told.push(error);
  Landing.prototype.write = () => Promise.reject(new HouseError('disk', 'the disk is full'));
  try {
    sink.push(bytes(' wor'));
    sink.push(bytes('ld'));
    await sink.close();
  } finally {
    Landing.prototype.write = write;
  }
  assert.equal(
    told.map((error) => (error as HouseError).message),
    ['the disk is full'],
  );
  assert.is(contents(directory)['song.part'], 'hello');
});

test.run();
