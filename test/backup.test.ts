// A copy of a database that is being written: whole, with all that was acknowledged before it was asked for.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { backUp, copyDatabase } from '../src/backup.ts';
import { checkDatabase } from '../src/check-files.ts';
import { Database, type PostColumns } from '../src/database.ts';
import type { ServerOptions } from '../src/options.ts';

const backups = suite('backup');
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
backups.after(() => fs.rmSync(directory, { recursive: true, force: true }));

let next = 0;

function fresh(): string {
  return path.join(fs.mkdtempSync(path.join(directory, 'd')), `${++next}.db`);
}

function write(db: Database, from: number, count: number): void {
  const ids = Array.from({ length: count }, (_, i) => from + i);
  const posts: PostColumns = {
    id: ids,
    room: ids.map(() => 1),
    at: ids,
    name: ids.map(() => 'ann'),
    dialect: ids.map(() => 'lab'),
    text: ids.map((id) => `message ${id} ${'x'.repeat(200)}`),
    stamp: ids.map(() => null),
    extra: ids.map(() => null),
  };
  db.write({ changes: [], posts });
}

/** The posts, which must be all from the first to the last. */
function countOf(file: string): number {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const { posts, last } = db.prepare('SELECT count(*) AS posts, coalesce(max(id), 0) AS last FROM posts').get() as {
      posts: number;
      last: number;
    };
    assert.is(posts, last, 'none is missing in between');
    assert.is(db.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
    return posts;
  } finally {
    db.close();
  }
}

async function isRefused(work: Promise<unknown>, why: RegExp): Promise<void> {
  const error = await work.then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  assert.ok(error, 'it was not refused');
  assert.match(error.message, why);
}

backups('has what was written, while the database is open and locked', async () => {
  const file = fresh();
  const db = new Database(file);
  write(db, 1, 100);
  const before = fs.readdirSync(path.dirname(file)).sort();
  const { bytes } = await backUp(file, `${file}.copy`);
  assert.is(countOf(`${file}.copy`), 100);
  assert.is(fs.statSync(`${file}.copy`).size, bytes);
  assert.is(fs.statSync(`${file}.copy`).mode & 0o777, 0o600);
  const after = fs.readdirSync(path.dirname(file)).sort();
  assert.equal(after, [...before, `${path.basename(file)}.copy`].sort(), 'nothing else is left behind');
  write(db, 101, 1);
  db.close();
  assert.is(countOf(file), 101, 'and it goes on');
});

backups('of a database that nobody uses', async () => {
  const file = fresh();
  const db = new Database(file);
  write(db, 1, 10);
  db.close();
  await backUp(file, `${file}.copy`);
  assert.is(countOf(`${file}.copy`), 10);
});

backups('a server starts with it', async () => {
  const file = fresh();
  const db = new Database(file);
  write(db, 1, 10);
  await backUp(file, `${file}.copy`);
  db.close();
  const again = new Database(`${file}.copy`);
  write(again, 11, 1);
  again.close();
  assert.is(countOf(`${file}.copy`), 11);
});

backups('is whole whatever is written between, across many beginnings of the log', async () => {
  const file = fresh();
  const db = new Database(file);
  let last = 0;
  for (let round = 0; round < 20; round++) {
    // some rounds end just before the log begins anew, some just after
    write(db, last + 1, 150 + 7 * round);
    last += 150 + 7 * round;
    const copy = `${file}.${round}`;
    await backUp(file, copy);
    assert.is(countOf(copy), last);
    fs.rmSync(copy);
  }
  db.close();
});

backups('a copy in the middle of which the log began anew is made again', async () => {
  const file = fresh();
  const db = new Database(file);
  write(db, 1, 500);
  // what belongs to two states: the database of one, the log of another
  const original = fs.copyFileSync;
  let copies = 0;
  fs.copyFileSync = (from, to, mode) => {
    original(from, to, mode);
    copies++;
    if (copies === 1) for (let i = 0; i < 100; i++) write(db, 501 + 100 * i, 100);
  };
  try {
    const { syncBuiltinESMExports } = await import('node:module');
    syncBuiltinESMExports();
    await copyDatabase(file, `${file}.copy`);
  } finally {
    fs.copyFileSync = original;
    (await import('node:module')).syncBuiltinESMExports();
    db.close();
  }
  assert.ok(copies >= 4, `${copies} copies`);
  const copy = new DatabaseSync(`${file}.copy`);
  assert.is(copy.prepare('SELECT count(*) AS posts FROM posts').get()?.posts, 10_500);
  copy.close();
});

backups('does not wait for ever for a quiet moment', async () => {
  const file = fresh();
  const db = new Database(file);
  write(db, 1, 10);
  const original = fs.copyFileSync;
  fs.copyFileSync = (from, to, mode) => {
    original(from, to, mode);
    // as when the log has begun anew
    const fd = fs.openSync(`${file}-wal`, 'r+');
    fs.writeSync(fd, Buffer.from([Math.floor(copied++ % 250)]), 0, 1, 16);
    fs.closeSync(fd);
  };
  let copied = 1;
  const { syncBuiltinESMExports } = await import('node:module');
  try {
    syncBuiltinESMExports();
    await isRefused(copyDatabase(file, `${file}.copy`, 0), /faster than it can be copied/);
  } finally {
    fs.copyFileSync = original;
    syncBuiltinESMExports();
    db.close();
  }
});

backups('what is there stays, and what fails leaves nothing', async () => {
  const file = fresh();
  new Database(file).close();
  fs.writeFileSync(`${file}.old`, 'a letter');
  await isRefused(backUp(file, `${file}.old`), /there already/);
  assert.is(fs.readFileSync(`${file}.old`, 'utf8'), 'a letter');
  await isRefused(backUp(`${file}.none`, `${file}.copy`), /./);
  fs.writeFileSync(`${file}.text`, 'no database at all, but long enough to be looked at');
  await isRefused(backUp(`${file}.text`, `${file}.copy`), /./);
  const stranger = new DatabaseSync(`${file}.stranger`);
  stranger.exec('CREATE TABLE t (a)');
  stranger.close();
  await isRefused(backUp(`${file}.stranger`, `${file}.copy`), /not a Parley database/);
  assert.not.ok(fs.readdirSync(path.dirname(file)).some((name) => name.includes('copy')));
});

/** What the system says when something is copied. */
async function copyFails(code: string, work: () => Promise<void>): Promise<void> {
  const { syncBuiltinESMExports } = await import('node:module');
  const original = fs.copyFileSync;
  fs.copyFileSync = () => {
    throw Object.assign(new Error(`${code}: as the system says it`), { code });
  };
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    fs.copyFileSync = original;
    syncBuiltinESMExports();
  }
}

backups('whatever is in the way is named', async () => {
  const file = fresh();
  const made = new Database(file);
  write(made, 1, 1);
  made.close();
  const directory = path.dirname(file);
  await isRefused(backUp(path.join(directory, 'none.db'), `${file}.copy`), /^there is no \S+none\.db$/);
  await isRefused(backUp(path.join(directory, 'none', 'a.db'), `${file}.copy`), /^there is no \S+a\.db$/);
  await isRefused(backUp(directory, `${file}.copy`), new RegExp(`^${directory} is a directory$`));
  await isRefused(backUp(file, path.join(directory, 'gone', 'b.db')), /^the directory \S+gone does not exist$/);
  await isRefused(backUp(file, path.join(file, 'b.db')), /^\S+\.db is not a directory$/);
  for (const [code, why] of [
    ['ENOSPC', new RegExp(`^the disk of ${file}\\.copy is full$`)],
    ['EROFS', new RegExp(`^${file}\\.copy is on a read-only disk$`)],
    ['EACCES', new RegExp(`^no permission to use ${file}$`)],
    ['EIO', new RegExp(`^${file}: EIO`)],
  ] as const) {
    await copyFails(code, () => isRefused(backUp(file, `${file}.copy`), why));
    assert.equal(
      fs.readdirSync(directory).filter((name) => name.includes('copy')),
      [],
      code,
    );
  }
});

backups('a look that finds no room for its copy names the temporary directory', async () => {
  const file = fresh();
  new Database(file).close();
  const options = { data: file, makeDirectory: false } as ServerOptions;
  assert.is((await checkDatabase(options)).verdict, 'ok');
  await copyFails('ENOSPC', async () => {
    const { verdict, text } = await checkDatabase(options);
    assert.is(verdict, 'bad');
    assert.match(text, /not looked at: .*is full.*TMPDIR/);
    assert.ok(text.includes(`no place for a copy in ${os.tmpdir()} `), text);
  });
  const before = process.env.TMPDIR;
  process.env.TMPDIR = path.join(path.dirname(file), 'none');
  try {
    assert.match((await checkDatabase(options)).text, /not looked at: .*none does not exist.*TMPDIR/);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});

backups('a damaged database is not called a backup', async () => {
  const file = fresh();
  const db = new Database(file);
  write(db, 1, 2000);
  db.close();
  const bytes = fs.readFileSync(file);
  bytes.fill(0x5a, 20_000, 40_000);
  fs.writeFileSync(file, bytes);
  await isRefused(backUp(file, `${file}.copy`), /damaged/);
  assert.not.ok(fs.existsSync(`${file}.copy`));
});

backups.run();
