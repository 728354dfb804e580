import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Change, Database, type Group, MIGRATIONS } from '../src/database.ts';
import { program } from './fakes.ts';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-database-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newFile = () => path.join(directory, `${++files}.db`);

const room = (id: number, key = `r${id}`): Change => ({ kind: 'room', id, key, name: key.toUpperCase(), made: 5 });

/** Posts of a room; each text is its id unless told. */
function posts(ids: number[], roomId = 1, text?: string): Group {
  const all = <T>(value: (id: number) => T) => ids.map(value);
  return {
    changes: [],
    posts: {
      id: ids,
      room: all(() => roomId),
      at: all((id) => 1000 + id),
      name: all(() => 'ann'),
      dialect: all(() => 'lab'),
      text: all((id) => text ?? `${id}`),
    },
  };
}

const changes = (...list: Change[]): Group => ({ ...posts([]), changes: list });

function open(file: string, migrations = MIGRATIONS): Database {
  return new Database(file, migrations);
}

/** A file as the server leaves it, with `count` posts. */
function made(count = 3): string {
  const file = newFile();
  const db = open(file);
  db.write(changes(room(1)));
  db.write(posts(Array.from({ length: count }, (_, i) => i + 1)));
  db.close();
  return file;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const idsOf = (rows: Array<{ id: number }>) => rows.map(({ id }) => id);

const content = suite('database: what is kept');

content('rooms with their numbers and posts are there again', () => {
  const file = newFile();
  const first = open(file);
  assert.equal([first.rooms(), first.lastPost()], [[], 0]);
  first.write(changes(room(1), room(2), { kind: 'ref', room: 2, dialect: 'lab', ref: 0 }));
  first.write(posts([1, 2], 2, 'ünï 🦜\nline'));
  first.close();
  const again = open(file);
  const fields = { made: 5, refs: [] };
  assert.equal(again.rooms(), [
    { id: 1, key: 'r1', name: 'R1', used: false, ...fields },
    { id: 2, key: 'r2', name: 'R2', used: true, ...fields, refs: [['lab', 0]] },
  ]);
  assert.is(again.lastPost(), 2);
  assert.equal(again.history(2, 1), [{ id: 2, at: 1002, name: 'ann', dialect: 'lab', text: 'ünï 🦜\nline' }]);
  again.close();
});

content('history comes in pages, oldest first, of one room only', () => {
  const db = open(':memory:');
  db.write(posts(range(1, 10), 1));
  db.write(posts([11], 2));
  assert.equal(idsOf(db.history(1, 3)), [8, 9, 10]);
  assert.equal(idsOf(db.history(1, 3, 8)), [5, 6, 7]);
  assert.equal(idsOf(db.history(1, 9, 2)), [1]);
  assert.equal(idsOf(db.history(1, 9, 1)), []);
  assert.equal(idsOf(db.history(3, 9)), []);
  db.close();
});

content('a dropped room takes its numbers with it', () => {
  const db = open(':memory:');
  db.write(changes(room(1), { kind: 'ref', room: 1, dialect: 'lab', ref: 0 }, { kind: 'drop', room: 1 }));
  db.write(changes(room(2), { kind: 'ref', room: 2, dialect: 'lab', ref: 0 }));
  assert.equal(idsOf(db.rooms()), [2]);
  db.close();
});

content('a group is written whole or not at all', () => {
  const db = open(':memory:');
  const bad: Group = { changes: [room(1)], posts: posts([1, 2, 2]).posts };
  assert.throws(() => db.write(bad));
  assert.equal([db.rooms(), db.lastPost()], [[], 0]);
  assert.throws(() => db.write(changes(room(1), room(2, 'r1'))));
  assert.equal(db.rooms(), []);
  db.write(changes(room(1)));
  db.write(posts([1]));
  assert.equal([db.rooms().length, db.lastPost()], [1, 1]);
  db.close();
});

content('a full disk costs that group; what was there stays, and writing works again', () => {
  const file = made();
  // the one connection of the server, which migrates before it is used
  const db = open(file, [...MIGRATIONS, 'PRAGMA max_page_count = 30']);
  assert.throws(() => db.write(posts(range(4, 500), 1, 'x'.repeat(1000))), /full/);
  assert.is(db.lastPost(), 3);
  db.write(posts([501]));
  assert.is(db.lastPost(), 501);
  db.close();
});

content(':memory: forgets its oldest posts', () => {
  const db = open(':memory:');
  for (let at = 1; at <= 100_001; at += 20_000) db.write(posts(range(at, at + 19_999)));
  assert.equal(idsOf(db.history(1, 1, 20_001)), [], 'the first 20,000 are gone');
  assert.equal(idsOf(db.history(1, 1, 20_002)), [20_001]);
  assert.is(db.lastPost(), 120_000);
  db.close();
});

content(':memory: forgets its oldest posts when their texts are too many bytes', () => {
  const db = open(':memory:');
  const text = 'é'.repeat(4 * 2 ** 20);
  db.write(posts(range(1, 8), 1, text));
  assert.is(db.history(1, 9).length, 8, '64 MiB are kept');
  assert.throws(() => db.write(posts([9, 10, 10], 1, text)));
  assert.is(db.history(1, 9).length, 8, 'a group that fails takes no place');
  db.write(posts([9]));
  assert.equal(idsOf(db.history(1, 9)), range(2, 9));
  db.write(posts([10, 11], 1, text));
  assert.equal(idsOf(db.history(1, 9)), range(4, 11));
  db.write(posts([12], 1, text.repeat(9)));
  assert.equal([idsOf(db.history(1, 9)), db.lastPost()], [[], 0], 'one text that is too much by itself');
  db.write(posts([13]));
  assert.equal(idsOf(db.history(1, 9)), [13]);
  db.close();
});

content('the file is for its owner alone, its companions too', () => {
  const mask = process.umask(0);
  const file = newFile();
  const db = open(file);
  db.write(posts([1]));
  for (const name of fs.readdirSync(directory).filter((one) => one.startsWith(path.basename(file)))) {
    assert.is(fs.statSync(path.join(directory, name)).mode & 0o777, 0o600, name);
  }
  db.close();
  process.umask(mask);
});
content.run();

const refused = suite('database: files that are refused');

/** It is refused with that message, and neither the file nor its directory is changed. */
function isRefused(file: string, why: RegExp): void {
  const state = () => {
    const isFile = fs.existsSync(file) && fs.statSync(file).isFile();
    return [isFile ? fs.readFileSync(file).toString('latin1') : '', fs.readdirSync(directory).join()];
  };
  const before = state();
  assert.throws(
    () => {
      const db = open(file);
      try {
        // the store reads these as it opens
        db.rooms();
        db.lastPost();
      } finally {
        db.close();
      }
    },
    (error: Error) => {
      assert.match(error.message, why);
      assert.not(error.message.includes('\n'));
      return error.message.includes(path.basename(file)) || error.message.includes(path.dirname(file));
    },
  );
  const [bytes, names] = state();
  assert.ok(bytes === before[0], 'the file was changed');
  assert.is(names, before[1]);
}

refused('another program’s database', () => {
  const file = newFile();
  const other = new DatabaseSync(file);
  other.exec('PRAGMA application_id = 7; CREATE TABLE rooms (id INTEGER)');
  other.close();
  isRefused(file, /not a Parley database/);
});

refused('another program’s database without an application id', () => {
  const file = newFile();
  const other = new DatabaseSync(file);
  other.exec('CREATE TABLE mine (id INTEGER)');
  other.close();
  isRefused(file, /not a Parley database/);
});

const CONTENTS: Array<[string, string, RegExp]> = [
  ['a text file', 'my notes\n', /not a Parley database/],
  ['a single byte', 'x', /not a Parley database/],
  ['the beginning of a header', 'SQLite format 3\0', /not a Parley database/],
];
for (const [what, text, why] of CONTENTS) {
  refused(what, () => {
    const file = newFile();
    fs.writeFileSync(file, text);
    isRefused(file, why);
  });
}

for (const keep of [100, 600, 4096, 5000, 12_288]) {
  refused(`a file of which ${keep} bytes are left`, () => {
    const file = made(200);
    fs.truncateSync(file, keep);
    isRefused(file, /damaged/);
  });
}

refused('a file with a sound header and nonsense behind it', () => {
  const file = made(200);
  const bytes = fs.readFileSync(file);
  bytes.fill(0xa5, 100);
  fs.writeFileSync(file, bytes);
  isRefused(file, /damaged/);
});

refused('a file of a newer version', () => {
  const file = made();
  const newer = new DatabaseSync(file);
  newer.exec('PRAGMA user_version = 99; PRAGMA journal_mode = DELETE');
  newer.close();
  isRefused(file, /newer Parley/);
});

refused('a directory', () => {
  const file = newFile();
  fs.mkdirSync(file);
  isRefused(file, /is a directory/);
});

refused('a pipe, without waiting for its other end', () => {
  const file = newFile();
  if (spawnSync('mkfifo', [file]).status === 0) isRefused(file, /not a regular file/);
});

refused('a file in a directory that does not exist', () => {
  isRefused(path.join(directory, 'nowhere', 'x.db'), /does not exist/);
});

refused('a file below a file', () => {
  const file = newFile();
  fs.writeFileSync(file, 'x');
  isRefused(path.join(file, 'x.db'), /not a directory/);
});

refused('a file that another process uses', async () => {
  const file = made();
  const module = new URL('../src/database.ts', import.meta.url).href;
  const code = `const { Database } = await import(${JSON.stringify(module)}); globalThis.db = new Database(${JSON.stringify(file)});
    console.log('open'); setInterval(() => {}, 1000)`;
  const other = spawn(process.execPath, program(directory, code), { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    other.stdout.once('data', resolve);
    other.once('exit', () => reject(new Error('ended early')));
  });
  isRefused(file, /in use/);
  other.kill('SIGKILL');
  await new Promise((resolve) => other.once('close', resolve));
  const db = open(file);
  assert.is(db.lastPost(), 3, 'the lock went with its process');
  db.close();
});

refused('a file that one may not read or write, with the reason', () => {
  fs.chmodSync(directory, 0o755);
  const module = new URL('../src/database.ts', import.meta.url).href;
  for (const mode of [0o000, 0o444]) {
    const file = made();
    fs.chmodSync(file, mode);
    const code = `const { Database } = await import(${JSON.stringify(module)});
      try { new Database(${JSON.stringify(file)}); console.log('opened'); } catch (error) { console.log(error.message); }`;
    // root may do anything, so it becomes somebody else
    const ids = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const before = fs.readFileSync(file);
    const { stdout } = spawnSync(process.execPath, program(directory, code), { encoding: 'utf8', ...ids });
    // the other user can't even read our sources here
    if (stdout === '') return;
    assert.match(stdout, /no permission/, `mode ${mode.toString(8)}`);
    assert.match(stdout, path.basename(file));
    assert.equal(fs.readFileSync(file), before);
  }
});

refused.run();

const migration = suite('database: migration');

migration('keeps a copy of what was there, for its owner alone', () => {
  const file = made();
  const db = open(file, [...MIGRATIONS, 'ALTER TABLE posts ADD COLUMN mood TEXT']);
  assert.is(db.lastPost(), 3);
  db.close();
  const copy = `${file}.version-${MIGRATIONS.length}`;
  assert.is(fs.statSync(copy).mode & 0o777, 0o600);
  const before = open(copy);
  assert.equal(idsOf(before.history(1, 9)), [1, 2, 3]);
  before.close();
  assert.throws(() => open(file), /newer Parley/);
});

migration('that fails leaves the file as it was', () => {
  const file = made();
  const steps = [...MIGRATIONS, 'ALTER TABLE posts ADD COLUMN mood TEXT; DROP TABLE nowhere'];
  assert.throws(() => open(file, steps));
  const db = open(file);
  assert.equal(idsOf(db.history(1, 9)), [1, 2, 3]);
  db.close();
  assert.throws(() => open(file, steps), /nowhere/, 'and may be tried again');
});

migration('is not needed for a file of this version', () => {
  const file = made();
  open(file).close();
  assert.not(fs.existsSync(`${file}.version-1`));
});

migration('makes what an interrupted start left half made', () => {
  const file = newFile();
  fs.writeFileSync(`${file}.new`, 'half');
  const db = open(file);
  db.write(posts([1]));
  db.close();
  assert.not(fs.existsSync(`${file}.new`));
  const empty = newFile();
  fs.writeFileSync(empty, '');
  open(empty).close();
});
migration.run();
