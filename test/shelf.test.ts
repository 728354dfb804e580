import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import * as realDisk from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setImmediate } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Disk } from '../src/disk.ts';
import { HouseError } from '../src/errors.ts';
import { Shelf } from '../src/shelf.ts';

const test = suite('shelf');

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-shelf-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));
let made = 0;

/** A directory with these files; beside it `outside.txt`, which nobody may ever read. */
function directoryWith(files: Record<string, string | Uint8Array> = {}): string {
  const home = path.join(root, `${++made}`);
  const shared = path.join(home, 'shared');
  fs.mkdirSync(shared, { recursive: true });
  fs.writeFileSync(path.join(home, 'outside.txt'), 'secret');
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(shared, name), content);
  return shared;
}

const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

/** Some MiB and a bit, no two chunks alike. */
function longContent(mib: number): Buffer {
  const content = Buffer.alloc(mib * 1024 * 1024 + 77);
  for (let i = 0; i + 4 <= content.length; i += 4) content.writeUInt32LE((i * 2654435761) % 2 ** 32, i);
  return content;
}

interface Watched {
  readonly disk: Disk;
  readonly opened: string[];
  readonly readNow: Set<FileHandle>;
  reads: number;
  mostAtOnce: number;
  bytesRead: number;
  open: number;
}

/** The real disk, with a count of what is done; `onRead` comes before every read. */
function watch(onRead: (count: number) => void = () => {}): Watched {
  const watched: Watched = {
    opened: [],
    readNow: new Set(),
    reads: 0,
    mostAtOnce: 0,
    bytesRead: 0,
    open: 0,
    disk: { ...realDisk, open: (async (...args: Parameters<Disk['open']>) => watchHandle(args)) as Disk['open'] },
  };
  const watchHandle = async (args: Parameters<Disk['open']>): Promise<FileHandle> => {
    watched.opened.push(String(args[0]));
    const real = await realDisk.open(...args);
    watched.open++;
    return new Proxy(real, {
      get(target, key) {
        if (key === 'read') {
          return async (buffer: Buffer, offset: number, length: number, position: number) => {
            onRead(++watched.reads);
            watched.readNow.add(target);
            watched.mostAtOnce = Math.max(watched.mostAtOnce, watched.readNow.size);
            const got = await target.read(buffer, offset, length, position);
            watched.bytesRead += got.bytesRead;
            return got;
          };
        }
        if (key === 'close') {
          return async () => {
            watched.readNow.delete(target);
            watched.open--;
            await target.close();
          };
        }
        const value = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return watched;
}

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

test('a regular file is shared with its size and a short version', async () => {
  const shelf = new Shelf(realDisk, directoryWith({ 'pic.jpg': 'hello', empty: '' }));
  const { size, version } = await shelf.look('pic.jpg');
  assert.is(size, 5);
  assert.match(version, /^[0-9a-z-]{1,64}$/);
  assert.is((await shelf.look('empty')).size, 0);
  assert.equal(await shelf.look('pic.jpg'), { size, version });
});

test('a file that changes has another version', async () => {
  const directory = directoryWith({ f: 'one' });
  const file = path.join(directory, 'f');
  const shelf = new Shelf(realDisk, directory);
  const versions = [(await shelf.look('f')).version];
  fs.appendFileSync(file, ' more');
  versions.push((await shelf.look('f')).version);
  fs.utimesSync(file, 1000, 1000);
  versions.push((await shelf.look('f')).version);
  fs.utimesSync(file, 1000, 1001);
  versions.push((await shelf.look('f')).version);
  fs.writeFileSync(`${file}2`, 'one more');
  fs.utimesSync(`${file}2`, 1000, 1001);
  fs.renameSync(`${file}2`, file);
  versions.push((await shelf.look('f')).version);
  assert.is(new Set(versions).size, versions.length, versions.join(' '));
});

test('names that are none are refused before the disk is asked', async () => {
  const shelf = new Shelf({} as Disk, '/nowhere');
  for (const name of ['', '..', '../outside.txt', '.hidden', 'a/b', 'a\0', 'nul']) {
    assert.match(await refusal(shelf.look(name)), /^bad-file: /, name);
    assert.match(await refusal(shelf.digest(name, 'v')), /^bad-file: /, name);
    assert.match(await refusal(shelf.hasPrefix(name, 'v', 1, '')), /^bad-file: /, name);
    assert.match(await refusal(shelf.open(name, 'v')), /^bad-file: /, name);
  }
  assert.match(await refusal(new Shelf({} as Disk, '/nowhere', true).look('a:b')), /^bad-file: /);
});

test('what is not there is not there', async () => {
  const directory = directoryWith();
  assert.is(await refusal(new Shelf(realDisk, directory).look('pic.jpg')), 'no-such-file: there is no file pic.jpg');
  fs.rmdirSync(directory);
  assert.match(await refusal(new Shelf(realDisk, directory).look('pic.jpg')), /^no-such-file: /);
});

test('directories are not shared, nor what is in them', async () => {
  const directory = directoryWith();
  fs.mkdirSync(path.join(directory, 'sub'));
  fs.writeFileSync(path.join(directory, 'sub', 'f'), 'x');
  fs.symlinkSync('sub', path.join(directory, 'to-sub'));
  fs.symlinkSync('sub/f', path.join(directory, 'to-file-in-sub'));
  fs.symlinkSync('.', path.join(directory, 'to-itself'));
  const shelf = new Shelf(realDisk, directory);
  for (const name of ['sub', 'to-sub', 'to-file-in-sub', 'to-itself']) {
    assert.match(await refusal(shelf.look(name)), new RegExp(`^not-shared: ${name} is not shared: it `));
  }
});

test('links to files of the directory are shared, through other links too', async () => {
  const directory = directoryWith({ f: 'content' });
  fs.symlinkSync('f', path.join(directory, 'link'));
  fs.symlinkSync('link', path.join(directory, 'link-to-link'));
  fs.symlinkSync(path.join(directory, 'f'), path.join(directory, 'absolute'));
  fs.symlinkSync('../shared/f', path.join(directory, 'roundabout'));
  const shelf = new Shelf(realDisk, directory);
  for (const name of ['link', 'link-to-link', 'absolute', 'roundabout']) {
    const { size, version } = await shelf.look(name);
    assert.is(size, 7, name);
    assert.is(await shelf.digest(name, version), sha256('content'), name);
  }
});

test('links that lead out, to hidden files or nowhere are not shared', async () => {
  const directory = directoryWith({ '.hidden': 'x' });
  const links: Record<string, [string, RegExp]> = {
    out: ['../outside.txt', /^not-shared: out is not shared: it leads out of the shared directory$/],
    'to-out': ['out', /^not-shared: .*leads out/],
    'far-out': ['/etc/passwd', /^not-shared: .*leads out/],
    'to-hidden': ['.hidden', /^not-shared: .*hidden/],
    dangling: ['nothing', /^(no-such-file|not-shared): /],
    loop: ['loop', /^not-shared: /],
  };
  for (const [name, [target]] of Object.entries(links)) fs.symlinkSync(target, path.join(directory, name));
  const { disk, opened } = watch();
  const shelf = new Shelf(disk, directory);
  for (const [name, [, words]] of Object.entries(links)) assert.match(await refusal(shelf.look(name)), words);
  assert.equal(opened, []);
});

test('a shared directory may itself be reached through a link', async () => {
  const directory = directoryWith({ f: 'content' });
  fs.symlinkSync('shared', path.join(directory, '..', 'way'));
  assert.is((await new Shelf(realDisk, path.join(directory, '..', 'way')).look('f')).size, 7);
});

test('a FIFO is not shared and hangs nobody', async () => {
  const directory = directoryWith({ f: 'x' });
  const fifo = path.join(directory, 'fifo');
  try {
    execFileSync('mkfifo', [fifo], { stdio: 'ignore' });
  } catch {
    return; // there are none here
  }
  const regular = await realDisk.lstat(path.join(directory, 'f'));
  const deceived = { ...realDisk, lstat: (async () => regular) as unknown as Disk['lstat'] };
  for (const disk of [realDisk, deceived]) {
    assert.is(
      await refusal(new Shelf(disk, directory).look('fifo')),
      'not-shared: fifo is not shared: it is no regular file',
    );
  }
});

test('devices are not shared nor opened', async () => {
  if (process.platform === 'win32') return;
  const { disk, opened } = watch();
  assert.match(await refusal(new Shelf(disk, '/dev').look('null')), /^not-shared: .*no regular file/);
  assert.equal(opened, []);
});

test('a link that takes the place of a file at the last moment is not followed', async () => {
  const directory = directoryWith({ f: 'content' });
  const file = path.join(directory, 'f');
  const disk: Disk = {
    ...realDisk,
    open: (async (...args: Parameters<Disk['open']>) => {
      fs.rmSync(file);
      fs.symlinkSync('../outside.txt', file);
      return realDisk.open(...args);
    }) as Disk['open'],
  };
  assert.match(await refusal(new Shelf(disk, directory).look('f')), /^not-shared: /);
});

test('a file that may not be read is not shared; other errors are told without paths', async () => {
  const directory = directoryWith({ f: 'content' });
  const failing = (code: string, words: string): Disk => ({
    ...realDisk,
    open: (async () => {
      throw Object.assign(new Error(`${code}: ${words}, open '${directory}/f'`), { code });
    }) as Disk['open'],
  });
  for (const code of ['EACCES', 'EPERM']) {
    const said = await refusal(new Shelf(failing(code, 'permission denied'), directory).look('f'));
    assert.match(said, /^not-shared: f .*can't be read$/);
  }
  const said = await refusal(new Shelf(failing('EIO', 'i/o error'), directory).look('f'));
  assert.match(said, /i\/o error/);
  assert.not.match(said, new RegExp(directory));
});

test('a bug of the disk is no refusal', async () => {
  const broken = {
    ...realDisk,
    realpath: (() => Promise.reject(new TypeError('a bug'))) as unknown as Disk['realpath'],
  };
  try {
    await new Shelf(broken, directoryWith({ f: 'x' })).look('f');
    assert.unreachable();
  } catch (error) {
    assert.instance(error, TypeError);
  }
});

test('hashes a file once for all who ask at once, and never again', async () => {
  const content = longContent(3);
  const watched = watch();
  const shelf = new Shelf(watched.disk, directoryWith({ f: content }));
  const { version } = await shelf.look('f');
  assert.is(shelf.knownDigest('f', version), undefined);
  watched.opened.length = 0;
  const digests = await Promise.all(Array.from({ length: 20 }, () => shelf.digest('f', version)));
  assert.equal(new Set(digests), new Set([sha256(content)]));
  assert.is(watched.opened.length, 1);
  assert.is(watched.bytesRead, content.length);
  assert.is(await shelf.digest('f', version), sha256(content));
  assert.is(shelf.knownDigest('f', version), sha256(content));
  assert.is(watched.opened.length, 1);
  assert.is(watched.open, 0);
});

test('hashes a file again when it has changed, and refuses the old version', async () => {
  const directory = directoryWith({ f: 'one' });
  const shelf = new Shelf(realDisk, directory);
  const old = (await shelf.look('f')).version;
  await shelf.digest('f', old);
  fs.writeFileSync(path.join(directory, 'f'), 'another');
  const { version } = await shelf.look('f');
  assert.is.not(version, old);
  assert.is(shelf.knownDigest('f', version), undefined);
  assert.is(await shelf.digest('f', version), sha256('another'));
  fs.appendFileSync(path.join(directory, 'f'), '!');
  assert.is(await refusal(shelf.open('f', version)), 'file-changed: f has changed');
  assert.match(await refusal(shelf.digest('f', 'long-ago')), /^file-changed: /);
  assert.match(await refusal(shelf.hasPrefix('f', 'long-ago', 1, sha256('a'))), /^file-changed: /);
});

const CHANGES: Record<string, (file: string) => void> = {
  grows: (file) => fs.appendFileSync(file, 'x'),
  shrinks: (file) => fs.truncateSync(file, 100),
  'is written over': (file) => {
    const handle = fs.openSync(file, 'r+');
    fs.writeSync(handle, 'other', 0);
    fs.closeSync(handle);
    fs.utimesSync(file, 1000, 1000);
  },
};
for (const [what, change] of Object.entries(CHANGES)) {
  test(`a file that ${what} while it is hashed gets no digest, then the right one`, async () => {
    const directory = directoryWith({ f: longContent(2) });
    const file = path.join(directory, 'f');
    const watched = watch((count) => count === 2 && change(file));
    const shelf = new Shelf(watched.disk, directory);
    const { version } = await shelf.look('f');
    const both = [refusal(shelf.digest('f', version)), refusal(shelf.digest('f', version))];
    for (const said of await Promise.all(both)) assert.match(said, /^file-changed: /);
    assert.is(shelf.knownDigest('f', version), undefined);
    assert.is(watched.open, 0);
    const now = (await shelf.look('f')).version;
    assert.is(await shelf.digest('f', now), sha256(fs.readFileSync(file)));
  });
}

test('hashes two files at a time, and all of them', async () => {
  const files = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`f${i}`, longContent(i % 3)]));
  const watched = watch();
  const shelf = new Shelf(watched.disk, directoryWith(files));
  const digests = await Promise.all(
    Object.keys(files).map(async (name) => shelf.digest(name, (await shelf.look(name)).version)),
  );
  assert.equal(digests, Object.values(files).map(sha256));
  assert.ok(watched.mostAtOnce <= 2, `${watched.mostAtOnce} at once`);
  assert.is(watched.open, 0);
});

test('a hash that fails leaves its place to others', async () => {
  const shelf = new Shelf(realDisk, directoryWith({ f: 'x' }));
  const { version } = await shelf.look('f');
  for (let i = 0; i < 5; i++) await refusal(shelf.digest('f', `v${i}`));
  assert.is(await shelf.digest('f', version), sha256('x'));
});

test('lets others have their turn while a long file is hashed', async () => {
  const shelf = new Shelf(realDisk, directoryWith({ f: longContent(16) }));
  const { version } = await shelf.look('f');
  let turns = 0;
  let hashing = true;
  const turn = () => {
    turns++;
    if (hashing) setImmediate(turn);
  };
  setImmediate(turn);
  await shelf.digest('f', version);
  hashing = false;
  assert.ok(turns >= 10, `${turns} turns`);
});

test('tells whether the first bytes are the same, and reads them once', async () => {
  const content = longContent(2);
  const watched = watch();
  const shelf = new Shelf(watched.disk, directoryWith({ f: content }));
  const { version } = await shelf.look('f');
  for (const length of [0, 1, 1024 * 1024, 1024 * 1024 + 1, content.length]) {
    assert.is(await shelf.hasPrefix('f', version, length, sha256(content.subarray(0, length))), true, `${length}`);
    const before = watched.bytesRead;
    assert.is(await shelf.hasPrefix('f', version, length, sha256('other')), false, `${length}`);
    assert.is(watched.bytesRead, before);
  }
  assert.is(await shelf.hasPrefix('f', version, content.length + 1, sha256(content)), false);
  assert.is(await shelf.hasPrefix('f', version, -1, sha256('')), false);
  assert.is(await shelf.hasPrefix('f', version, 1.5, sha256('')), false);
  assert.is(await shelf.hasPrefix('f', version, Number.NaN, sha256('')), false);
  assert.is(watched.open, 0);
});

test('what is opened is read from the version that was asked for', async () => {
  const directory = directoryWith({ f: 'content' });
  const shelf = new Shelf(realDisk, directory);
  const handle = await shelf.open('f', (await shelf.look('f')).version);
  const buffer = Buffer.alloc(7);
  await handle.read(buffer, 0, 7, 0);
  await handle.close();
  assert.is(buffer.toString(), 'content');
});

test.run();
