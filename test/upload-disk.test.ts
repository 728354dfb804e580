import { createHash } from 'node:crypto';
import fs from 'node:fs';
import * as realDisk from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { type DiskForUploads, UploadDisk } from '../src/upload-disk.ts';
import type { Upload } from '../src/uploads.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-upload-disk-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));
let made = 0;

const ID = 'abcdefghijklmnopqrst-_';
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');

function newDirectory(): string {
  return path.join(root, `${++made}.db.uploads`);
}

function about(content: string, id = ID, at = 5): Upload {
  return { id, name: '../ö"x.txt', type: 'text/plain', bytes: Buffer.byteLength(content), sha256: sha256(content), at };
}

async function put(disk: UploadDisk, content: string, id = ID, at = 5): Promise<Upload> {
  const writer = await disk.begin(id, content.length);
  try {
    for (const char of content) await writer.write(Buffer.from(char));
    return await writer.keep((digest) => ({ ...about(content, id, at), sha256: digest }));
  } catch (error) {
    await writer.giveUp();
    throw error;
  }
}

async function text(disk: UploadDisk, upload: Upload): Promise<string | undefined> {
  const handle = await disk.read(upload);
  try {
    return await handle?.readFile('utf8');
  } finally {
    await handle?.close();
  }
}

function modes(directory: string): string[] {
  const mode = (file: string) => (fs.statSync(file).mode & 0o777).toString(8);
  return [mode(directory), ...fs.readdirSync(directory).map((name) => mode(path.join(directory, name)))];
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: some words, write '/some/secret/path'`), { code });
}

/** `code: message` of a HouseError. */
async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, HouseError, String((error as Error).stack));
    return `${(error as HouseError).code}: ${(error as HouseError).message}`;
  }
  return 'no refusal';
}

const test = suite('upload disk');

test('keeps a file, and finds it again', async () => {
  const directory = newDirectory();
  const disk = new UploadDisk(realDisk, directory);
  assert.equal(await disk.open(), []);
  assert.not(fs.existsSync(directory));
  const upload = await put(disk, 'hello');
  assert.is(upload.sha256, sha256('hello'));
  assert.equal(fs.readdirSync(directory).sort(), [ID, `${ID}.json`]);
  if (process.platform !== 'win32') assert.equal(modes(directory), ['700', '600', '600']);
  assert.is(await text(disk, upload), 'hello');
  const again = new UploadDisk(realDisk, directory);
  assert.equal(await again.open(), [upload]);
  assert.is(await text(again, upload), 'hello');
});

test('finds many, the oldest first', async () => {
  const disk = new UploadDisk(realDisk, newDirectory());
  const uploads: Upload[] = [];
  for (let i = 0; i < 70; i++) uploads.push(await put(disk, `${i}`, `${ID}${i}`, 1000 - i));
  assert.equal(await disk.open(), uploads.reverse());
});

test('removes a file', async () => {
  const directory = newDirectory();
  const disk = new UploadDisk(realDisk, directory);
  const upload = await put(disk, 'x');
  await disk.remove(ID);
  await disk.remove(ID);
  assert.equal(fs.readdirSync(directory), []);
  assert.is(await disk.read(upload), undefined);
});

test('what is given up leaves nothing', async () => {
  const directory = newDirectory();
  const disk = new UploadDisk(realDisk, directory);
  const writer = await disk.begin(ID, 5);
  await writer.write(Buffer.from('hello'));
  assert.equal(fs.readdirSync(directory), [`${ID}.part`]);
  await writer.giveUp();
  assert.equal(fs.readdirSync(directory), []);
});

test('at the start, what was never finished goes, and nothing of anybody else', async () => {
  const directory = newDirectory();
  const disk = new UploadDisk(realDisk, directory);
  const upload = await put(disk, 'hello');
  const other = (n: number) => `other-upload-number-${n}`;
  const note = (bytes: number) => {
    const { id, ...rest } = about('hello');
    return JSON.stringify({ ...rest, bytes });
  };
  const write = (name: string, content: string) => fs.writeFileSync(path.join(directory, name), content);
  write(`${other(1)}.part`, 'half');
  write(other(2), 'bytes alone');
  write(`${other(3)}.json`, note(5));
  write(other(4), 'hello');
  write(`${other(4)}.json`, note(4));
  write(other(5), 'hello');
  write(`${other(5)}.json`, '{"name":');
  write(other(6), 'hello');
  write(`${other(6)}.json`, 'null');
  write(other(7), 'hello');
  write(`${other(7)}.json`, note(5).replace('text/plain', 'text/plain\\r\\nX: y'));
  write(other(8), 'hello');
  write(`${other(8)}.json`, `${note(5)}${' '.repeat(5000)}`);
  write('README', 'mine');
  write('notes.txt.json', 'mine');
  write(`${other(9)}.json.bak`, 'mine');
  fs.mkdirSync(path.join(directory, `directory-of-somebody`));
  assert.equal(await disk.open(), [upload]);
  assert.equal(
    fs.readdirSync(directory).sort(),
    [ID, `${ID}.json`, 'README', 'notes.txt.json', `${other(9)}.json.bak`, 'directory-of-somebody'].sort(),
  );
});

test('no link is followed', async () => {
  if (process.platform === 'win32') return;
  const directory = newDirectory();
  const disk = new UploadDisk(realDisk, directory);
  const upload = await put(disk, 'hello');
  const outside = path.join(root, `outside-${made}`);
  fs.writeFileSync(outside, 'hello');
  fs.unlinkSync(path.join(directory, ID));
  fs.symlinkSync(outside, path.join(directory, ID));
  assert.match(await refusal(disk.read(upload)), /^disk/);
  assert.equal(await disk.open(), []);
  fs.symlinkSync(outside, path.join(directory, 'part-that-somebody-made.part'));
  assert.match(await refusal(disk.begin('part-that-somebody-made', 0)), /^disk/);
  assert.is(fs.readFileSync(outside, 'utf8'), 'hello');
});

test('bytes that somebody changed are not given', async () => {
  const directory = newDirectory();
  const disk = new UploadDisk(realDisk, directory);
  const upload = await put(disk, 'hello');
  fs.appendFileSync(path.join(directory, ID), '!');
  assert.is(await disk.read(upload), undefined);
});

test('a directory that can’t be read is no empty one', async () => {
  const disk = new UploadDisk(
    { ...realDisk, readdir: (async () => Promise.reject(systemError('EACCES'))) as never },
    '/x',
  );
  try {
    await disk.open();
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /EACCES/);
  }
});

for (const [code, wanted] of [
  ['ENOSPC', 'full: the disk is full'],
  ['EDQUOT', 'full: the disk is full'],
  ['EACCES', 'disk: can’t write in the directory of uploads: permission denied'],
  ['EIO', 'disk: can’t write in the directory of uploads: some words'],
] as const) {
  test(`${code} is told in words that a stranger may read`, async () => {
    const failing = (async () => Promise.reject(systemError(code))) as never;
    const changed: DiskForUploads = { ...realDisk, open: failing };
    const told = await refusal(new UploadDisk(changed, newDirectory()).begin(ID, 0));
    assert.is(told.replace(/'/g, '’'), wanted);
  });
}

test('a disk that is nearly full is left for others', async () => {
  const statfs = (async () => ({ bavail: 1000, bsize: 1024 ** 2 })) as never;
  const disk = new UploadDisk({ ...realDisk, statfs }, newDirectory());
  await (await disk.begin(ID, 800 * 1024 ** 2)).giveUp();
  assert.match(await refusal(disk.begin(ID, 900 * 1024 ** 2)), /^full/);
});

test('where the system can’t say how much is free, it is tried', async () => {
  const statfs = (async () => Promise.reject(systemError('ENOSYS'))) as never;
  const disk = new UploadDisk({ ...realDisk, statfs }, newDirectory());
  await (await disk.begin(ID, 1)).giveUp();
});

// --- wherever it stops -------------------------------------------------------------------------------------

/** The real disk, which is gone after so many calls that change something. */
function dyingAfter(calls: number): { disk: DiskForUploads; isDead: () => boolean } {
  let left = calls;
  const alive = () => {
    if (left-- <= 0) throw systemError('EIO');
  };
  const dying =
    <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      alive();
      return work(...args);
    };
  const open = async (...args: Parameters<DiskForUploads['open']>) => {
    alive();
    const handle = await realDisk.open(...args);
    return new Proxy(handle, {
      get(target, key) {
        const value = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return key === 'close' ? value.bind(target) : dying(value.bind(target));
      },
    });
  };
  const { mkdir, rename, unlink } = realDisk;
  const disk = { ...realDisk, open, mkdir: dying(mkdir as never), rename: dying(rename), unlink: dying(unlink) };
  return { disk: disk as unknown as DiskForUploads, isDead: () => left < 0 };
}

test('wherever it stops, what was promised is there afterwards, and nothing else', async () => {
  for (let calls = 0; ; calls++) {
    const directory = newDirectory();
    const before = await put(new UploadDisk(realDisk, directory), 'before', 'a-file-that-was-before');
    const { disk, isDead } = dyingAfter(calls);
    const dying = new UploadDisk(disk, directory);
    let promised: Upload | undefined;
    try {
      promised = await put(dying, 'hi');
    } catch (error) {
      assert.instance(error, HouseError, String(error));
    }
    const after = new UploadDisk(realDisk, directory);
    const found = await after.open();
    const others = found.filter(({ id }) => id !== before.id);
    assert.equal(
      found.find(({ id }) => id === before.id),
      before,
    );
    if (promised) assert.equal(others, [promised]);
    for (const upload of others) assert.is(await text(after, upload), 'hi');
    assert.is(fs.readdirSync(directory).length, 2 * found.length);
    if (!isDead()) break;
    assert.ok(calls < 100);
  }
});
test.run();
