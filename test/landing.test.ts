import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import * as realDisk from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Disk } from '../src/disk.ts';
import { HouseError } from '../src/errors.ts';
import { Landing, type Locks, type Release } from '../src/landing.ts';
import { PartLocks } from '../src/part-locks.ts';
import { settle } from './fakes.ts';

const test = suite('landing');

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-landing-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));
let made = 0;

/** A directory with these files; beside it `outside.txt`, which nobody may ever touch. */
function directoryWith(files: Record<string, string> = {}): string {
  const home = path.join(root, `${++made}`);
  const directory = path.join(home, 'down');
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(path.join(home, 'outside.txt'), 'precious');
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), content);
  return directory;
}

const outside = (directory: string) => fs.readFileSync(path.join(directory, '..', 'outside.txt'), 'utf8');

/** What is in a directory: name to content, links as `-> target`. */
function contents(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of fs.readdirSync(directory).sort()) {
    const file = path.join(directory, name);
    const stats = fs.lstatSync(file);
    if (stats.isSymbolicLink()) found[name] = `-> ${fs.readlinkSync(file)}`;
    else found[name] = stats.isFile() ? fs.readFileSync(file, 'utf8') : 'odd';
  }
  return found;
}

class FakeLocks implements Locks {
  readonly held = new Set<string>();

  async tryLock(file: string) {
    if (this.held.has(file)) return undefined;
    this.held.add(file);
    return async () => void this.held.delete(file);
  }

  async lock(file: string): Promise<Release | undefined> {
    for (;;) {
      const release = await this.tryLock(file);
      if (release) return release;
      await settle();
    }
  }
}

interface Arrival {
  readonly disk?: Disk;
  readonly locks?: Locks;
  readonly name?: string;
}

function open(directory: string, { disk = realDisk, locks = new FakeLocks(), name = 'f' }: Arrival = {}) {
  return Landing.open({ disk, directory, name, locks });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

/** All of one file, from nothing. */
async function land(directory: string, content: string, arrival: Arrival = {}) {
  const landing = await open(directory, arrival);
  try {
    await landing.write([bytes(content)]);
    return await landing.finish(sha256(content));
  } finally {
    await landing.close();
  }
}

function systemError(code: string, words = 'some words'): Error {
  return Object.assign(new Error(`${code}: ${words}, write '/some/where'`), { code });
}

/** The real disk, where some calls fail or do something else. */
function diskWith(
  changes: Record<string, unknown>,
  handleChanges?: (handle: FileHandle) => Record<string, unknown>,
): Disk {
  const openChanged = async (...args: Parameters<Disk['open']>) => {
    const handle = await realDisk.open(...args);
    const changed = handleChanges?.(handle) ?? {};
    return new Proxy(handle, {
      get(target, key) {
        const value = changed[String(key)] ?? Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return { ...realDisk, ...(handleChanges && { open: openChanged }), ...changes } as Disk;
}

const failing = (code: string) => async () => Promise.reject(systemError(code));

/** `code: message` of a HouseError. */
async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, HouseError, String(error));
    assert.not.match((error as HouseError).message, /\n/);
    return `${(error as HouseError).code}: ${(error as HouseError).message}`;
  }
  return 'no refusal';
}

test('a file arrives as a part and gets its name at the end', async () => {
  const directory = directoryWith();
  const locks = new FakeLocks();
  const landing = await open(directory, { locks });
  assert.is(landing.partPath, path.join(directory, 'f.part'));
  assert.is(landing.length, 0);
  assert.is(landing.prefixDigest(), sha256(''));
  await landing.write([bytes('one '), bytes(''), bytes('two ')]);
  await landing.write([]);
  await landing.write([bytes('three')]);
  assert.is(landing.length, 13);
  assert.is(landing.prefixDigest(), sha256('one two three'));
  assert.equal(contents(directory), { 'f.part': 'one two three' });
  assert.equal(await landing.finish(sha256('one two three')), { path: path.join(directory, 'f') });
  assert.equal(contents(directory), { f: 'one two three' });
  assert.equal([...locks.held], []);
  await landing.close();
  await landing.close();
  assert.equal(contents(directory), { f: 'one two three' });
});

test('an empty file arrives too', async () => {
  const directory = directoryWith();
  const landing = await open(directory);
  await landing.finish(sha256(''));
  await landing.close();
  assert.equal(contents(directory), { f: '' });
});

test('a file that arrived is not executable', async () => {
  if (process.platform === 'win32') return;
  const directory = directoryWith();
  await land(directory, '#!/bin/sh');
  assert.is(fs.statSync(path.join(directory, 'f')).mode & 0o777, 0o666 & ~process.umask());
});

test('a part is resumed after it was closed', async () => {
  const directory = directoryWith();
  const locks = new FakeLocks();
  const first = await open(directory, { locks });
  await first.write([bytes('one ')]);
  await first.close();
  await first.close();
  assert.equal(contents(directory), { 'f.part': 'one ' });
  assert.equal([...locks.held], []);
  const second = await open(directory, { locks });
  assert.is(second.length, 4);
  assert.is(second.prefixDigest(), sha256('one '));
  await second.write([bytes('two')]);
  await second.finish(sha256('one two'));
  assert.equal(contents(directory), { f: 'one two' });
});

test('an empty part does not stay behind', async () => {
  const directory = directoryWith();
  await (await open(directory)).close();
  assert.equal(contents(directory), {});
  fs.writeFileSync(path.join(directory, 'f.part'), 'old');
  const landing = await open(directory);
  await landing.restart();
  await landing.close();
  assert.equal(contents(directory), {});
});

test('a part is begun again', async () => {
  const directory = directoryWith({ 'f.part': 'a long part of something else' });
  const landing = await open(directory);
  await landing.restart();
  assert.is(landing.length, 0);
  assert.is(landing.prefixDigest(), sha256(''));
  await landing.write([bytes('new')]);
  await landing.finish(sha256('new'));
  assert.equal(contents(directory), { f: 'new' });
});

test('what is not what was sent never gets the name, and can be begun again', async () => {
  const directory = directoryWith({ f: 'old' });
  const landing = await open(directory);
  await landing.write([bytes('wrong')]);
  assert.match(await refusal(landing.finish(sha256('right'))), /^file-changed: /);
  assert.equal(contents(directory), { f: 'old', 'f.part': 'wrong' });
  await landing.restart();
  await landing.write([bytes('right')]);
  await landing.finish(sha256('right'));
  assert.equal(contents(directory), { f: 'right', 'f.~1~': 'old' });
});

test('calls that do not wait for each other are done in their order', async () => {
  const directory = directoryWith();
  const landing = await open(directory);
  const done = [
    landing.write([bytes('x')]),
    landing.restart(),
    landing.write([bytes('a')]),
    landing.write([bytes('b')]),
  ];
  await Promise.all([...done, landing.finish(sha256('ab')), landing.close()]);
  assert.equal(contents(directory), { f: 'ab' });
});

test('an existing file is kept beside the new one, each under a number of its own', async () => {
  const directory = directoryWith({ f: 'first' });
  assert.equal(await land(directory, 'second'), {
    path: path.join(directory, 'f'),
    kept: path.join(directory, 'f.~1~'),
  });
  assert.is((await land(directory, 'third')).kept, path.join(directory, 'f.~2~'));
  assert.equal(contents(directory), { f: 'third', 'f.~1~': 'first', 'f.~2~': 'second' });
});

test('no backup is written over, whatever it is', async () => {
  const directory = directoryWith({ f: 'old', 'f.~1~': 'backup' });
  fs.symlinkSync('nowhere', path.join(directory, 'f.~2~'));
  fs.mkdirSync(path.join(directory, 'f.~3~'));
  for (const disk of Object.values(WITHOUT_LINKS)) {
    fs.writeFileSync(path.join(directory, 'f'), 'old');
    const { kept = '' } = await land(directory, 'new', { disk });
    assert.is(fs.readFileSync(kept, 'utf8'), 'old');
    fs.rmSync(kept);
    assert.equal(contents(directory), { f: 'new', 'f.~1~': 'backup', 'f.~2~': '-> nowhere', 'f.~3~': 'odd' });
  }
});

test('an existing file of the same content is not kept', async () => {
  const directory = directoryWith({ f: 'same' });
  for (const disk of Object.values(WITHOUT_LINKS)) {
    assert.equal(await land(directory, 'same', { disk }), { path: path.join(directory, 'f') });
    assert.equal(contents(directory), { f: 'same' });
  }
});

test('an existing file of the same size and other content is kept', async () => {
  const directory = directoryWith({ f: 'old.' });
  assert.is((await land(directory, 'new.')).kept, path.join(directory, 'f.~1~'));
  assert.equal(contents(directory), { f: 'new.', 'f.~1~': 'old.' });
});

const refuseCopies = async (...args: Parameters<Disk['open']>) => {
  if (args[1] === 'wx' && args[2] !== undefined) throw systemError('ENOSPC');
  return realDisk.open(...args);
};

/** Every way to keep the old file. */
const WITHOUT_LINKS: Record<string, Disk> = {
  links: realDisk,
  'no links': diskWith({ link: failing('EPERM'), symlink: failing('EPERM') }),
  'links not known': diskWith({ link: failing('ENOSYS'), symlink: failing('ENOTSUP') }),
  'no links, and no room for a copy': diskWith({
    link: failing('EMLINK'),
    symlink: failing('EPERM'),
    open: refuseCopies,
  }),
};
for (const [what, disk] of Object.entries(WITHOUT_LINKS)) {
  test(`on a disk with ${what} files arrive and old ones are kept`, async () => {
    const directory = directoryWith();
    assert.equal(await land(directory, 'first', { disk }), { path: path.join(directory, 'f') });
    assert.is((await land(directory, 'second', { disk })).kept, path.join(directory, 'f.~1~'));
    assert.is((await land(directory, 'third', { disk })).kept, path.join(directory, 'f.~2~'));
    assert.equal(contents(directory), { f: 'third', 'f.~1~': 'first', 'f.~2~': 'second' });
  });

  test(`on a disk with ${what} a link under the name is kept and not followed`, async () => {
    const directory = directoryWith();
    fs.symlinkSync('../outside.txt', path.join(directory, 'f'));
    const { kept } = await land(directory, 'new', { disk });
    assert.is(kept, path.join(directory, 'f.~1~'));
    assert.equal(contents(directory), { f: 'new', 'f.~1~': '-> ../outside.txt' });
    assert.is(outside(directory), 'precious');
  });

  test(`on a disk with ${what} nothing is lost when the name can't be given`, async () => {
    const directory = directoryWith({ f: 'old' });
    const rename = async (from: string, to: string) => {
      if (from.endsWith('.part')) throw systemError('EIO');
      await realDisk.rename(from, to);
    };
    const locks = new FakeLocks();
    assert.match(
      await refusal(land(directory, 'new', { disk: { ...disk, rename: rename as Disk['rename'] }, locks })),
      /^disk: /,
    );
    assert.equal(contents(directory), { f: 'old', 'f.part': 'new' });
    assert.equal([...locks.held], []);
    const landing = await open(directory);
    await landing.finish(sha256('new'));
    assert.equal(contents(directory), { f: 'new', 'f.~1~': 'old' });
  });
}

test('a dangling link under the name is an existing file too', async () => {
  const directory = directoryWith();
  fs.symlinkSync('../nothing', path.join(directory, 'f'));
  await land(directory, 'new');
  assert.equal(contents(directory), { f: 'new', 'f.~1~': '-> ../nothing' });
  assert.not(fs.existsSync(path.join(directory, '..', 'nothing')));
});

test('a long file is copied whole where there are no links, with its mode', async () => {
  const directory = directoryWith({ f: 'x'.repeat(2_500_000) });
  fs.chmodSync(path.join(directory, 'f'), 0o744);
  await land(directory, 'new', { disk: diskWith({ link: failing('EPERM') }) });
  assert.is(fs.statSync(path.join(directory, 'f.~1~')).size, 2_500_000);
  assert.is(fs.statSync(path.join(directory, 'f.~1~')).mode & 0o777, 0o744);
});

test('what appears under the name at the last moment is kept', async () => {
  const directory = directoryWith();
  const link = async (from: string, to: string) => {
    if (to.endsWith('f') && !fs.existsSync(to)) fs.writeFileSync(to, 'sudden');
    await realDisk.link(from, to);
  };
  await land(directory, 'new', { disk: diskWith({ link }) });
  assert.equal(contents(directory), { f: 'new', 'f.~1~': 'sudden' });
});

test('a full disk in the middle of a write leaves what is known to be there, and goes on when there is room', async () => {
  const directory = directoryWith();
  let isFull = true;
  const disk = diskWith({}, (handle) => ({
    writev: async (chunks: Uint8Array[], position: number) => {
      if (!isFull || position < 4) return handle.writev(chunks.slice(0, isFull ? 1 : undefined), position);
      await handle.write(bytes('garbage'), 0, 7, position);
      throw systemError('ENOSPC', 'no space left on device');
    },
  }));
  const landing = await open(directory, { disk });
  assert.is(await refusal(landing.write([bytes('one '), bytes('two '), bytes('three')])), 'disk: the disk is full');
  assert.is(landing.length, 4);
  assert.is(landing.prefixDigest(), sha256('one '));
  assert.equal(contents(directory), { 'f.part': 'one ' });
  isFull = false;
  await landing.write([bytes('two ')]);
  assert.is(landing.prefixDigest(), sha256('one two '));
  await landing.close();
  const again = await open(directory);
  assert.is(again.length, 8);
  await again.write([bytes('three')]);
  await again.finish(sha256('one two three'));
  assert.equal(contents(directory), { f: 'one two three' });
});

test('what could not even be cut off does not get into the file', async () => {
  const directory = directoryWith();
  let isFull = true;
  const disk = diskWith({}, (handle) => ({
    writev: async (chunks: Uint8Array[], position: number) => {
      if (!isFull) return handle.writev(chunks, position);
      await handle.write(bytes('a lot of garbage'), 0, 16, position);
      throw systemError('EDQUOT');
    },
    truncate: (length: number) => (isFull ? Promise.reject(systemError('EIO')) : handle.truncate(length)),
  }));
  const landing = await open(directory, { disk });
  assert.is(await refusal(landing.write([bytes('new')])), 'disk: the disk is full');
  assert.is(landing.length, 0);
  isFull = false;
  await landing.write([bytes('new')]);
  await landing.finish(sha256('new'));
  assert.equal(contents(directory), { f: 'new' });
});

test('writes that take a few bytes at a time are gone on with', async () => {
  const directory = directoryWith();
  const disk = diskWith({}, (handle) => ({
    writev: async ([chunk = bytes('')]: Uint8Array[], position: number) =>
      handle.writev([chunk.subarray(0, 3)], position),
  }));
  const landing = await open(directory, { disk });
  await landing.write([bytes('one two'), bytes(' '), bytes('three')]);
  assert.is(landing.length, 13);
  await landing.finish(sha256('one two three'));
  assert.equal(contents(directory), { f: 'one two three' });
});

const SAID: Array<[string, RegExp]> = [
  ['ENOSPC', /^disk: the disk is full$/],
  ['EDQUOT', /^disk: the disk is full$/],
  ['EACCES', /^disk: can't write in \/.*down: permission denied$/],
  ['EPERM', /^disk: can't write in \/.*down: permission denied$/],
  ['EROFS', /^disk: can't write in \/.*down: the file system is read-only$/],
  ['EFBIG', /^disk: .*too large/],
  ['ENAMETOOLONG', /^disk: .*too long/],
  ['EIO', /^disk: .*some words$/],
];
for (const [code, words] of SAID) {
  test(`${code} is told to a person, at every step`, async () => {
    const directory = directoryWith({ f: 'old' });
    const locks = new FakeLocks();
    assert.match(await refusal(open(directory, { disk: diskWith({ open: failing(code) }), locks })), words);
    assert.equal([...locks.held], []);
    let trouble = '';
    const handleTrouble = (handle: FileHandle) =>
      Object.fromEntries(
        (['writev', 'truncate', 'datasync'] as const).map((call) => [
          call,
          (...args: never[]) =>
            trouble === call
              ? Promise.reject(systemError(code))
              : (handle[call] as (...a: never[]) => unknown)(...args),
        ]),
      );
    const landing = await open(directory, { disk: diskWith({}, handleTrouble), locks });
    await landing.write([bytes('new')]);
    trouble = 'writev';
    assert.match(await refusal(landing.write([bytes('x')])), words);
    trouble = 'truncate';
    assert.match(await refusal(landing.restart()), words);
    assert.is(landing.prefixDigest(), sha256('new'));
    trouble = 'datasync';
    assert.match(await refusal(landing.finish(sha256('new'))), words);
    await landing.close();
    assert.equal(contents(directory), { f: 'old', 'f.part': 'new' });
    assert.equal([...locks.held], []);
  });
}

test('a directory that is missing is told', async () => {
  assert.match(await refusal(open(path.join(directoryWith(), 'nowhere'))), /^disk: .*no such directory/);
});

test('names that are none, and those of parts, are refused', async () => {
  const directory = directoryWith();
  for (const name of ['', '..', '../outside.txt', '.bashrc', 'nul', 'a\nb', 'f.part', 'f.PART']) {
    assert.match(await refusal(open(directory, { name })), /^bad-file: /, name);
  }
  const options = { disk: realDisk, directory, locks: new FakeLocks() };
  assert.match(await refusal(Landing.open({ ...options, name: 'a:b', windows: true })), /^bad-file: /);
  assert.equal(contents(directory), {});
});

test('the longest name has room for part and backup', async () => {
  const directory = directoryWith();
  const name = 'x'.repeat(240);
  await land(directory, 'one', { name });
  await land(directory, 'two', { name });
  assert.equal(contents(directory), { [name]: 'two', [`${name}.~1~`]: 'one' });
});

test('a link in place of the part is not followed', async () => {
  const directory = directoryWith();
  fs.symlinkSync('../outside.txt', path.join(directory, 'f.part'));
  const locks = new FakeLocks();
  assert.match(await refusal(open(directory, { locks })), /^disk: f\.part /);
  assert.equal([...locks.held], []);
  const regular = await realDisk.lstat(path.join(directory, '..', 'outside.txt'), { bigint: true });
  const lstat = async (file: string, options: never) =>
    file.endsWith('.part') ? regular : realDisk.lstat(file, options);
  assert.match(await refusal(open(directory, { disk: diskWith({ lstat }) })), /^disk: /);
  assert.is(outside(directory), 'precious');
  assert.equal(contents(directory), { 'f.part': '-> ../outside.txt' });
});

test('a part that is another file too leaves that alone', async () => {
  const directory = directoryWith({ other: 'precious' });
  fs.linkSync(path.join(directory, 'other'), path.join(directory, 'f.part'));
  const landing = await open(directory);
  await landing.restart();
  await landing.write([bytes('new')]);
  await landing.finish(sha256('new'));
  assert.equal(contents(directory), { f: 'new', other: 'precious' });
});

test('directories in the way are told at once', async () => {
  const directory = directoryWith();
  fs.mkdirSync(path.join(directory, 'f'));
  fs.mkdirSync(path.join(directory, 'g.part'));
  assert.is(await refusal(open(directory)), 'disk: f is a directory');
  assert.match(await refusal(open(directory, { name: 'g' })), /^disk: g\.part /);
  const landing = await open(directory, { name: 'h' });
  await landing.write([bytes('new')]);
  fs.mkdirSync(path.join(directory, 'h'));
  assert.is(await refusal(landing.finish(sha256('new'))), 'disk: h is a directory');
  await landing.close();
  assert.equal(contents(directory), { f: 'odd', 'g.part': 'odd', h: 'odd', 'h.part': 'new' });
});

test('a FIFO hangs nobody: in place of the part it is told, under the name it is kept', async () => {
  const directory = directoryWith();
  try {
    execFileSync('mkfifo', [path.join(directory, 'f.part'), path.join(directory, 'g')], { stdio: 'ignore' });
  } catch {
    return; // there are none here
  }
  assert.match(await refusal(open(directory)), /^disk: f\.part /);
  await land(directory, 'new', { name: 'g' });
  assert.ok(fs.lstatSync(path.join(directory, 'g.~1~')).isFIFO());
  assert.is(fs.readFileSync(path.join(directory, 'g'), 'utf8'), 'new');
});

test('a part that another program moved or wrote to does not get the name', async () => {
  for (const harm of [
    (part: string) => fs.renameSync(part, `${part}.away`),
    (part: string) => fs.truncateSync(part, 1),
    (part: string) => {
      fs.writeFileSync(`${part}2`, 'bad');
      fs.renameSync(`${part}2`, part);
    },
  ]) {
    const directory = directoryWith({ f: 'old' });
    const landing = await open(directory);
    await landing.write([bytes('new')]);
    harm(landing.partPath);
    assert.match(await refusal(landing.finish(sha256('new'))), /^disk: /);
    await landing.close();
    assert.is(contents(directory).f, 'old');
  }
});

test('two landings of one name have parts of their own, and both files stay', async () => {
  const directory = directoryWith({ f: 'old' });
  const locks = new FakeLocks();
  const [a, b, c] = await Promise.all([
    open(directory, { locks }),
    open(directory, { locks }),
    open(directory, { locks }),
  ]);
  assert.equal([a, b, c].map(({ partPath }) => path.basename(partPath)).sort(), ['f.part', 'f~2.part', 'f~3.part']);
  await Promise.all([a.write([bytes('from a')]), b.write([bytes('from b')]), c.write([bytes('from c')])]);
  await Promise.all([a.finish(sha256('from a')), b.finish(sha256('from b')), c.finish(sha256('from c'))]);
  const found = contents(directory);
  assert.equal(Object.keys(found), ['f', 'f.~1~', 'f.~2~', 'f.~3~']);
  assert.equal(Object.values(found).sort(), ['from a', 'from b', 'from c', 'old']);
  assert.equal([...locks.held], []);
});

test('two landings of one content leave one file', async () => {
  const directory = directoryWith();
  const locks = new FakeLocks();
  const both = await Promise.all([open(directory, { locks }), open(directory, { locks })]);
  await Promise.all(both.map((one) => one.write([bytes('same')])));
  await Promise.all(both.map((one) => one.finish(sha256('same'))));
  assert.equal(contents(directory), { f: 'same' });
});

test('a closed landing takes nothing more', async () => {
  const landing = await open(directoryWith());
  await landing.close();
  for (const work of [() => landing.write([bytes('x')]), () => landing.restart(), () => landing.finish(sha256(''))]) {
    let message = '';
    await work().catch((error: Error) => {
      message = error.message;
    });
    assert.match(message, /closed/);
  }
});

const lockDirectory = () => path.join(directoryWith(), 'locks');
const DEAD_PID = 2 ** 22 + 1; // above Linux' highest; elsewhere nobody has it for long

test('a part lock excludes others of this program until it is released', async () => {
  const directory = lockDirectory();
  const part = path.join(root, 'a.part');
  const release = await new PartLocks(directory).tryLock(part);
  assert.type(release, 'function');
  assert.is(fs.statSync(directory).mode & 0o777, 0o700);
  assert.is(await new PartLocks(directory).tryLock(part), undefined);
  const other = await new PartLocks(directory).tryLock(path.join(root, 'b.part'));
  assert.type(other, 'function');
  await other?.();
  await release?.();
  await release?.();
  assert.equal(fs.readdirSync(directory), []);
  const again = await new PartLocks(directory).tryLock(part);
  assert.type(again, 'function');
  await again?.();
});

test('one part has one lock, whatever way leads to it', async () => {
  const directory = lockDirectory();
  const home = directoryWith();
  fs.symlinkSync('down', path.join(home, '..', 'way'));
  const release = await new PartLocks(directory).tryLock(path.join(home, 'f.part'));
  assert.is(await new PartLocks(directory).tryLock(path.join(home, '..', 'way', 'f.part')), undefined);
  await release?.();
});

const LOCKS: Array<[string, string, number, boolean]> = [
  ['of a living program', `${process.ppid}`, 100, false],
  ['of a program that is no more', `${DEAD_PID}`, 0, true],
  ['of an earlier program with our number', `${process.pid}`, 0, true],
  ['that is being written', '', 0, false],
  ['that was never written', '', 60, true],
  ['that is garbled', '-1\n', 60, true],
  ['that was garbled just now', 'x', 0, false],
];
for (const [what, content, ageS, isTaken] of LOCKS) {
  test(`a lock ${what} is ${isTaken ? 'taken' : 'respected'}`, async () => {
    const directory = lockDirectory();
    const part = path.join(root, `${++made}.part`);
    await (await new PartLocks(directory).tryLock(part))?.();
    const key = createHash('sha256')
      .update(fs.realpathSync(root) + path.sep + path.basename(part))
      .digest('hex');
    const lock = path.join(directory, key);
    fs.writeFileSync(lock, content);
    const then = Date.now() / 1000 - ageS;
    fs.utimesSync(lock, then, then);
    const release = await new PartLocks(directory).tryLock(part);
    assert.is(release !== undefined, isTaken);
    assert.is(fs.readFileSync(lock, 'utf8'), isTaken ? `${process.pid}` : content);
    await release?.();
    assert.equal(fs.readdirSync(directory), isTaken ? [] : [key]);
  });
}

test('where locks can not be kept they hold within the program', async () => {
  const directory = directoryWith({ file: '' });
  const open777 = path.join(directory, 'open');
  fs.mkdirSync(open777);
  fs.chmodSync(open777, 0o777);
  fs.symlinkSync('.', path.join(directory, 'link'));
  for (const unusable of ['file', 'file/below', 'open', 'link']) {
    const locks = new PartLocks(path.join(directory, unusable));
    const release = await locks.tryLock(path.join(root, 'c.part'));
    assert.type(release, 'function', unusable);
    assert.is(await locks.tryLock(path.join(root, 'c.part')), undefined);
    await release?.();
  }
  assert.equal(fs.readdirSync(open777), []);
});

test.run();
