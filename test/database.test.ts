import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bound, type Change, Database, type Group, type NewRoom, type SearchOptions } from '../src/database.ts';
import { MIGRATIONS, openFile } from '../src/database-file.ts';
import { program, refusal } from './fakes.ts';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-database-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newFile = () => path.join(directory, `${++files}.db`);

const OPEN = { description: '', owner: undefined, password: undefined };
const newRoom = (id: number, settings: Partial<NewRoom> = {}): NewRoom => {
  return { id, key: `r${id}`, name: `R${id}`, made: 5, ...OPEN, ...settings };
};
const room = (id: number, key = `r${id}`): Change => ({ kind: 'room', ...newRoom(id, { key }) });

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
      stamp: all(() => null),
      extra: all(() => null),
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
  const fields = { made: 5, ...OPEN, refs: new Map() };
  assert.equal(again.rooms(), [
    { id: 1, key: 'r1', name: 'R1', used: false, ...fields },
    { id: 2, key: 'r2', name: 'R2', used: true, ...fields, refs: new Map([['lab', 0]]) },
  ]);
  assert.is(again.lastPost(), 2);
  assert.equal(again.history(2, { limit: 1 }), [
    { id: 2, at: 1002, name: 'ann', dialect: 'lab', text: 'ünï 🦜\nline' },
  ]);
  again.close();
});

content('history comes in pages, oldest first, of one room only', () => {
  const db = open(':memory:');
  db.write(posts(range(1, 10), 1));
  db.write(posts([11], 2));
  assert.equal(idsOf(db.history(1, { limit: 3 })), [8, 9, 10]);
  assert.equal(idsOf(db.history(1, { limit: 3, before: { id: 8 } })), [5, 6, 7]);
  assert.equal(idsOf(db.history(1, { limit: 9, before: { id: 2 } })), [1]);
  assert.equal(idsOf(db.history(1, { limit: 9, before: { id: 1 } })), []);
  assert.equal(idsOf(db.history(3, { limit: 9 })), []);
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
  assert.equal(idsOf(db.history(1, { limit: 1, before: { id: 20_001 } })), [], 'the first 20,000 are gone');
  assert.equal(idsOf(db.history(1, { limit: 1, before: { id: 20_002 } })), [20_001]);
  assert.is(db.lastPost(), 120_000);
  db.close();
});

content(':memory: forgets its oldest posts when their texts are too many bytes', () => {
  const db = open(':memory:');
  const text = 'é'.repeat(4 * 2 ** 20);
  db.write(posts(range(1, 8), 1, text));
  assert.is(db.history(1, { limit: 9 }).length, 8, '64 MiB are kept');
  assert.throws(() => db.write(posts([9, 10, 10], 1, text)));
  assert.is(db.history(1, { limit: 9 }).length, 8, 'a group that fails takes no place');
  db.write(posts([9]));
  assert.equal(idsOf(db.history(1, { limit: 9 })), range(2, 9));
  db.write(posts([10, 11], 1, text));
  assert.equal(idsOf(db.history(1, { limit: 9 })), range(4, 11));
  db.write(posts([12], 1, text.repeat(9)));
  assert.equal([idsOf(db.history(1, { limit: 9 })), db.lastPost()], [[], 0], 'one text that is too much by itself');
  db.write(posts([13]));
  assert.equal(idsOf(db.history(1, { limit: 9 })), [13]);
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
content('a post keeps what its sender’s clock showed', () => {
  const db = open(':memory:');
  const { posts: columns } = posts([1, 2]);
  db.write({ changes: [room(1)], posts: { ...columns, stamp: ['10:11:12, 01/02/2003', null] } });
  assert.equal(
    db.history(1, { limit: 9 }).map(({ stamp }) => stamp),
    ['10:11:12, 01/02/2003', undefined],
  );
  assert.not('stamp' in (db.history(1, { limit: 9 })[1] as object));
  db.close();
});

content('a number for a room that is gone is no error', () => {
  const db = open(':memory:');
  db.write(changes(room(1), { kind: 'ref', room: 2, dialect: 'lab', ref: 0 }));
  db.write(changes({ kind: 'ref', room: 1, dialect: 'lab', ref: 0 }));
  assert.equal(db.lastRefs(), [['lab', 0]]);
  db.close();
});
content.run();

const owned = suite('database: rooms with an owner, and accounts');

const ANN = { key: 'ann', name: 'Ann', hash: '#1', made: 7 };

owned('a room keeps what its owner said of it', () => {
  const file = newFile();
  const db = open(file);
  const settings = { description: 'über uns', owner: 'ann', password: '#2' };
  db.makeRoom(newRoom(1, settings));
  db.makeRoom(newRoom(2, { owner: 'ann' }));
  db.close();
  const again = open(file);
  const kept = { ...newRoom(1, settings), used: false, refs: new Map() };
  assert.equal(again.findRoom('r1'), kept);
  assert.equal(again.rooms(), [kept, { ...newRoom(2, { owner: 'ann' }), used: false, refs: new Map() }]);
  again.close();
});

owned('nobody has more than a hundred rooms', async () => {
  const db = open(':memory:');
  for (let id = 1; id <= 100; id++) db.makeRoom(newRoom(id, { owner: 'ann' }));
  assert.is(await refusal(() => db.makeRoom(newRoom(101, { owner: 'ann' }))), 'not-allowed');
  db.makeRoom(newRoom(101, { owner: 'bob' }));
  db.deleteRoom(7);
  db.makeRoom(newRoom(102, { owner: 'ann' }));
  assert.is(db.roomCount(), 101);
  db.close();
});

owned('rooms with an owner are loaded as those in which something was said', () => {
  const db = open(':memory:');
  db.write(changes(room(1), room(2), room(3)));
  db.makeRoom(newRoom(4, { owner: 'ann', made: 1500 }));
  // said at 1001 and 2000
  db.write(posts([1], 2));
  db.write(posts([1000], 3));
  assert.equal(idsOf(db.rooms(3)), [2, 3, 4]);
  assert.equal(idsOf(db.rooms(2)), [3, 4], 'the room of Ann was made after what was said in 2');
  assert.not(db.findRoom('r4')?.used);
  db.close();
});

owned('accounts are there again', async () => {
  const file = newFile();
  const db = open(file);
  assert.equal([db.accounts(), db.findAccount('ann')], [[], undefined]);
  db.addAccount(ANN);
  db.addAccount({ ...ANN, key: 'bob' });
  assert.is(await refusal(() => db.addAccount({ ...ANN, hash: '#9' })), 'name-registered');
  db.setHash('ann', '#3');
  assert.is(await refusal(() => db.setHash('eve', '#3')), 'not-saved');
  db.close();
  const again = open(file);
  assert.equal(again.accounts(), ['ann', 'bob']);
  assert.equal([again.findAccount('ann'), again.findAccount('bob')?.hash], [{ ...ANN, hash: '#3' }, '#1']);
  again.close();
});
owned.run();

const past = suite('database: what was said, between bounds');

past('of posts and times alike, from either end', () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(1, 2), fc.nat(3)), { maxLength: 40 }),
      fc.nat(9),
      fc.option(fc.tuple(fc.boolean(), fc.nat(60))),
      fc.option(fc.tuple(fc.boolean(), fc.nat(60))),
      fc.boolean(),
      (said, limit, before, after, isOldestFirst) => {
        const db = open(':memory:');
        const rows: Array<{ id: number; room: number; at: number }> = [];
        for (const [room, pause] of said) rows.push({ id: rows.length + 1, room, at: (rows.at(-1)?.at ?? 0) + pause });
        const columns = posts(rows.map(({ id }) => id)).posts;
        const times = { room: rows.map(({ room }) => room), at: rows.map(({ at }) => at) };
        db.write({ changes: [room(1), room(2)], posts: { ...columns, ...times } });
        const bound = (given: [boolean, number] | null): Bound | null =>
          given && (given[0] ? { id: given[1] } : { at: given[1] });
        const [to, from] = [bound(before), bound(after)];
        const range = { limit, isOldestFirst, ...(to && { before: to }), ...(from && { after: from }) };
        const fit = rows.filter(
          ({ id, room, at }) =>
            room === 1 &&
            (!to || ('id' in to ? id < to.id : at < to.at)) &&
            (!from || ('id' in from ? id > from.id : at > from.at)),
        );
        const wanted = isOldestFirst ? fit.slice(0, limit) : fit.slice(Math.max(fit.length - limit, 0));
        assert.equal(
          idsOf(db.history(1, range)),
          wanted.map(({ id }) => id),
        );
        const last = fit.at(-1);
        assert.equal(db.lastPosts([1, 9], range), last ? [{ room: 1, at: last.at }] : []);
        db.close();
      },
    ),
  ),
);

past('with what few posts have', () => {
  const db = open(newFile());
  const { posts: columns } = posts([1, 2]);
  db.write({ changes: [room(1)], posts: { ...columns, extra: ['{"notice":true}', null] } });
  const [first, second] = db.history(1, { limit: 9 });
  assert.is(first?.extra, '{"notice":true}');
  assert.not('extra' in (second as object));
  db.close();
});

past('is marked by each account, which goes forward only, and a thousand times', () => {
  const file = newFile();
  const db = open(file);
  assert.is(db.marker('ann', 'r'), undefined);
  assert.equal([db.setMarker('ann', 'r', 5), db.setMarker('ann', 'r', 3), db.setMarker('bob', 'r', 2)], [5, 5, 2]);
  for (let i = 0; i < 1000; i++) db.setMarker('ann', `r${i}`, 10 + i);
  assert.equal([db.marker('ann', 'r'), db.marker('ann', 'r0'), db.marker('bob', 'r')], [undefined, 10, 2]);
  db.close();
  const again = open(file);
  assert.is(again.marker('ann', 'r999'), 1009);
  again.close();
});

past('in a room whose rules are another is there with them', () => {
  const file = newFile();
  const db = open(file);
  const rules = { flags: ['secret'], limit: 3, topic: { by: 'ann', at: 5 } } as const;
  const change = (id: number): Change => ({ kind: 'rules', room: id, description: 'x', password: '#', rules });
  db.write(changes(room(1), room(2), change(1), change(7), { ...change(2), rules: undefined } as Change));
  db.close();
  const again = open(file);
  const settings = { description: 'x', password: '#' };
  assert.equal(again.rooms(), [
    { ...newRoom(1, settings), used: false, rules, refs: new Map() },
    { ...newRoom(2, settings), used: false, refs: new Map() },
  ]);
  again.close();
});
past.run();

const search = suite('database: search');

const ANYBODY: SearchOptions = { limit: 100, account: undefined, room: undefined };

function finish(db: Database): void {
  while (db.index() || db.tidy());
}

/** Posts 1 up in room 1. */
function saying(...texts: string[]): Database {
  const db = open(':memory:');
  db.write(changes(room(1)));
  texts.forEach((text, i) => {
    db.write(posts([i + 1], 1, text));
  });
  finish(db);
  return db;
}

function find(db: Database, text: string, options: Partial<SearchOptions> = {}): number[] {
  return idsOf(db.search(text, { ...ANYBODY, ...options }).map(({ post }) => post));
}

const SAID = [
  'Hello World',
  'hello again, Zoë',
  'ÜBER den Wolken',
  'ping 10.0.0.7 now',
  'Привет, мир',
  'a-b c',
  '!!',
  '',
];
const FINDS: Array<[string, number[]]> = [
  ['hello', [1, 2]],
  ['HELLO', [1, 2]],
  ['uber', [3]],
  ['über', [3]],
  ['u\u0308ber', [3]],
  ['zoe', [2]],
  ['ПРИВЕТ', [5]],
  ['wor', [1]],
  ['hello wor', [1]],
  ['world hello', [1]],
  ['wor hello', []],
  ['hello !! world', [1]],
  ['world !!', [1]],
  ['10.0.0.7', [4]],
  ['0.0.10', []],
  ['b-a', []],
  ['"hello"', [1, 2]],
  ['hel*', [1, 2]],
  ['text:hello', []],
  ['hello AND world', []],
  ['hello OR world', []],
  ['NEAR(hello world)', []],
  ['-hello', [1, 2]],
  ['^world', [1]],
  ['hello\0world', [1]],
  ['', []],
  [' \t\u00a0 ', []],
  ['!! "" *', []],
  ['\0', []],
  ['\ud800', []],
];
for (const [text, ids] of FINDS) {
  search(`${JSON.stringify(text)} finds ${ids.length === 0 ? 'nothing' : ids}`, () => {
    const db = saying(...SAID);
    assert.equal(find(db, text), ids);
    db.close();
  });
}

search('tells the post and its room', () => {
  const db = open(':memory:');
  const { posts: columns } = posts([1], 1, 'hi there');
  db.write({ changes: [room(1)], posts: { ...columns, stamp: ['noon'] } });
  finish(db);
  const post = { id: 1, at: 1001, name: 'ann', dialect: 'lab', text: 'hi there', stamp: 'noon' };
  assert.equal(db.search('hi', ANYBODY), [{ post, room: 'r1', roomName: 'R1' }]);
  db.close();
});

search('finds the newest, oldest first, at most a hundred', () => {
  const db = open(':memory:');
  db.write(changes(room(1)));
  db.write(posts(range(1, 300), 1, 'word'));
  finish(db);
  assert.equal(find(db, 'word', { limit: 3 }), [298, 299, 300]);
  assert.equal(find(db, 'word', { limit: 1e9 }), range(201, 300));
  assert.equal([find(db, 'word', { limit: 0 }), find(db, 'word', { limit: -1 })], [[], []]);
  db.close();
});

search('a room with a password is for its owner and for those in it', () => {
  const db = open(':memory:');
  db.write(changes(room(1)));
  db.makeRoom(newRoom(2, { owner: 'ann', password: '#' }));
  db.makeRoom(newRoom(3, { owner: 'bob', password: '#' }));
  db.makeRoom(newRoom(4, { owner: 'bob' }));
  for (let id = 1; id <= 4; id++) db.write(posts([id], id, 'word'));
  finish(db);
  assert.equal(find(db, 'word'), [1, 4]);
  assert.equal(find(db, 'word', { account: 'ann' }), [1, 2, 4]);
  assert.equal(find(db, 'word', { account: 'ann', room: 3 }), [1, 2, 3, 4]);
  assert.equal(find(db, 'word', { room: 2 }), [1, 2, 4]);
  db.close();
});

search('a room for the invited only is for its owner and for those in it', () => {
  const db = open(newFile());
  const rules = { flags: ['inviteOnly'] } as const;
  const open_ = { flags: ['secret'], masks: { invited: [{ mask: '"inviteOnly"', by: 'a', at: 1 }] } } as const;
  const all = { kind: 'rules', description: '', password: undefined } as const;
  db.write(changes(...[1, 2].map((id): Change => ({ kind: 'room', ...newRoom(id, { owner: 'ann' }) }))));
  db.write(changes({ ...all, room: 1, rules }, { ...all, room: 2, rules: open_ }));
  db.write(posts([1], 1, 'word'));
  db.write(posts([2], 2, 'word'));
  finish(db);
  assert.equal(find(db, 'word'), [2]);
  assert.equal(find(db, 'word', { account: 'ann' }), [1, 2]);
  assert.equal(find(db, 'word', { room: 1 }), [1, 2]);
  db.close();
});

search('what was said in confidence before a room was opened is found by nobody, be they in it', () => {
  const db = open(newFile());
  const said = posts([1, 2, 3], 1, 'word');
  const extra = [null, '{"isConfidential":true}', '{"isConfidential":true}'];
  const rules = { flags: [], opened: said.posts.at[2] as number } as const;
  db.write(changes(room(1), { kind: 'rules', room: 1, description: '', password: undefined, rules }));
  db.write({ ...said, posts: { ...said.posts, extra } });
  finish(db);
  const found = db.history(1, { limit: 9, opened: rules.opened }).map(({ id }) => id);
  assert.equal(
    [find(db, 'word'), find(db, 'word', { room: 1 }), found],
    [
      [1, 3],
      [1, 3],
      [1, 3],
    ],
  );
  db.close();
});

search('finds what stands behind thousands of matches in a room that one may not enter', () => {
  const db = open(':memory:');
  db.write(changes(room(1)));
  db.makeRoom(newRoom(2, { owner: 'ann', password: '#' }));
  db.write(posts([1, 2], 1, 'word'));
  db.write(posts(range(3, 10_001), 2, 'word'));
  finish(db);
  assert.equal(find(db, 'word'), [1, 2]);
  db.close();
});

search('no question is an error, or takes long', () => {
  const db = saying(...SAID);
  const pieces = fc.constantFrom(
    '"',
    '*',
    'AND',
    'OR',
    'NOT',
    'NEAR(',
    ')',
    '-',
    '^',
    'text:',
    '{',
    '\0',
    '+',
    'hello',
    ' ',
    '\u0903',
    '\ud800',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.oneof(pieces, fc.string()), { maxLength: 30 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (asked) => {
      db.search(asked, ANYBODY);
    }),
    { numRuns: 2000 },
  );
  for (const long of [
    'a-'.repeat(5000),
    'a '.repeat(5000),
    '"'.repeat(10_000),
    'क\u093f'.repeat(5000),
    'a'.repeat(10_000),
  ]) {
    const since = performance.now();
    db.search(long, ANYBODY);
    assert.ok(performance.now() - since < 200);
  }
  db.close();
});
search.run();

const indexing = suite('database: the index');

/** What the index holds, whatever the posts are. */
function indexed(file: string): number[] {
  const db = new DatabaseSync(file);
  const rows = db.prepare("SELECT rowid AS id FROM words WHERE words MATCH 'word' ORDER BY rowid").all();
  const all = db.prepare('SELECT rowid AS id FROM words ORDER BY rowid').all();
  db.exec("INSERT INTO words (words) VALUES ('integrity-check')");
  db.close();
  assert.equal(rows, all);
  return rows.map((row) => Number(row.id));
}

indexing('comes in batches, and goes on where it stopped', () => {
  const file = newFile();
  const first = open(file);
  first.write(changes(room(1)));
  first.write(posts(range(1, 2500), 1, 'word'));
  assert.equal(find(first, 'word'), [], 'later');
  assert.ok(first.index());
  first.close();
  assert.equal(indexed(file), range(1, 1000));
  const again = open(file);
  assert.ok(again.index());
  again.write(posts(range(2501, 2510), 1, 'word'));
  assert.not(again.index(), 'the last batch');
  assert.not(again.index());
  again.close();
  assert.equal(indexed(file), range(1, 2510));
});

indexing('long texts are fewer at a time', () => {
  const file = newFile();
  const db = open(file);
  db.write(posts(range(1, 10), 1, `word ${'x'.repeat(400_000)}`));
  const batches = [];
  while (db.index()) batches.push(1);
  db.close();
  assert.is(batches.length, 3);
  assert.equal(indexed(file), range(1, 10));
});

indexing('a group that is not written leaves no words', () => {
  const file = made(0);
  const db = open(file, [...MIGRATIONS, 'PRAGMA max_page_count = 60']);
  assert.throws(() => db.write(posts(range(1, 500), 1, `word ${'x'.repeat(1000)}`)), /full/);
  db.write(posts([501], 1, 'word'));
  finish(db);
  db.close();
  assert.equal(indexed(file), [501]);
});

indexing('a full disk stops it, and it goes on when there is room', () => {
  const file = newFile();
  const db = open(file);
  const text = 'word '.repeat(200);
  db.write(posts(range(1, 900), 1, text));
  db.close();
  const full = open(file, [...MIGRATIONS, `PRAGMA max_page_count = ${fs.statSync(file).size / 4096}`]);
  assert.throws(() => full.index(), /full/);
  assert.equal(idsOf(full.history(1, { limit: 1 })), [900]);
  full.close();
  const other = new DatabaseSync(file);
  other.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  other.close();
  const again = open(file);
  finish(again);
  again.close();
  assert.equal(indexed(file), range(1, 900));
});

indexing(':memory: forgets the words of the posts that it forgets', () => {
  const db = open(':memory:');
  db.write(changes(room(1)));
  for (let at = 1; at <= 100_001; at += 20_000) {
    db.write(posts(range(at, at + 19_999), 1, 'word'));
    // some are forgotten before anybody looks, others after
    if (at < 60_000) finish(db);
  }
  finish(db);
  assert.not(db.tidy());
  db.write(posts([200_000], 1, 'other'));
  finish(db);
  assert.equal(find(db, 'word', { limit: 1 }), [120_000]);
  assert.equal(find(db, 'other'), [200_000]);
  db.close();
});

for (const isIndexed of [true, false]) {
  indexing(
    `a deleted room goes with its numbers, posts and words (${isIndexed ? 'indexed' : 'not indexed yet'})`,
    () => {
      const file = newFile();
      const db = open(file);
      db.write(changes(room(1), room(2), { kind: 'ref', room: 2, dialect: 'lab', ref: 0 }));
      for (let id = 1; id <= 5000; id += 2) db.write(posts([id, id + 1], 1 + (id % 4 === 1 ? 0 : 1), 'word'));
      if (isIndexed) finish(db);
      const others = idsOf(db.history(1, { limit: 5000 }));
      db.deleteRoom(2);
      assert.equal([idsOf(db.rooms()), db.findRoom('r2'), db.lastRefs()], [[1], undefined, []]);
      assert.equal(find(db, 'word'), isIndexed ? others.slice(-100) : [], 'at once');
      db.tidy();
      db.write(posts([6001], 1, 'word'));
      assert.is(db.lastRoom(), 2, 'nobody gets its number while something is left of it');
      db.close();
      const again = open(file);
      finish(again);
      assert.equal([idsOf(again.history(2, { limit: 9 })), again.lastRoom()], [[], 1]);
      // every kind of change works after it, though the index leaves large numbers behind
      again.write(changes(room(3), { kind: 'ref', room: 3, dialect: 'lab', ref: 0 }, { kind: 'drop', room: 3 }));
      again.addAccount(ANN);
      again.setHash('ann', '#2');
      again.makeRoom(newRoom(3, { owner: 'ann' }));
      again.deleteRoom(3);
      again.deleteRoom(3);
      again.write(posts([6002], 1, 'word'));
      finish(again);
      again.close();
      assert.equal(indexed(file), [...others, 6001, 6002]);
    },
  );
}

indexing('holds exactly the posts, whatever is done in whatever order', () => {
  const step = fc.oneof(
    fc.record({
      what: fc.constant('posts' as const),
      room: fc.integer({ min: 1, max: 3 }),
      count: fc.integer({ min: 1, max: 1500 }),
    }),
    fc.record({
      what: fc.constantFrom('index' as const, 'tidy' as const, 'restart' as const),
      room: fc.constant(0),
      count: fc.constant(0),
    }),
    fc.record({ what: fc.constant('delete' as const), room: fc.integer({ min: 1, max: 3 }), count: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
      const file = newFile();
      let db = open(file);
      let last = 0;
      // where each of the three rooms is now
      const ids = [0, 1, 2, 3];
      let lastRoom = 3;
      db.write(changes(room(1), room(2), room(3)));
      for (const { what, room: n, count } of steps) {
        const id = ids[n] as number;
        if (what === 'posts') {
          db.write(posts(range(last + 1, last + count), id, 'word'));
          last += count;
        } else if (what === 'index') db.index();
        else if (what === 'tidy') db.tidy();
        else if (what === 'restart') {
          db.close();
          db = open(file);
          last = db.lastPost();
          lastRoom = Math.max(db.lastRoom(), 3);
        } else {
          db.deleteRoom(id);
          ids[n] = ++lastRoom;
          db.write(changes(room(lastRoom)));
        }
      }
      finish(db);
      const kept = ids.slice(1).flatMap((id) => idsOf(db.history(id, { limit: 1e6 })));
      db.close();
      assert.equal(
        indexed(file),
        kept.sort((a, b) => a - b),
      );
      fs.rmSync(file);
    }),
    { numRuns: 25 },
  );
});
indexing.run();

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
  assert.equal(idsOf(before.history(1, { limit: 9 })), [1, 2, 3]);
  before.close();
  assert.throws(() => open(file), /newer Parley/);
});

migration('that fails leaves the file as it was', () => {
  const file = made();
  const steps = [...MIGRATIONS, 'ALTER TABLE posts ADD COLUMN mood TEXT; DROP TABLE nowhere'];
  assert.throws(() => open(file, steps));
  const db = open(file);
  assert.equal(idsOf(db.history(1, { limit: 9 })), [1, 2, 3]);
  db.close();
  assert.throws(() => open(file, steps), /nowhere/, 'and may be tried again');
});

migration('is not needed for a file of this version', () => {
  const file = made();
  open(file).close();
  assert.not(fs.existsSync(`${file}.version-${MIGRATIONS.length}`));
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
/** A file as the first version left it. */
function firstVersion(): string {
  const file = newFile();
  const db = openFile(file, MIGRATIONS.slice(0, 1));
  db.exec(`INSERT INTO rooms VALUES (1, 'r1', 'R1', 5), (2, 'r2', 'R2', 6);
    INSERT INTO room_refs VALUES ('lab', 0, 2);
    WITH RECURSIVE ids(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 1500)
    INSERT INTO posts SELECT id, 1 + id % 2, 1000 + id, 'ann', 'lab', 'word ' || id FROM ids`);
  db.close();
  return file;
}

migration('of a file of the first version keeps everything', () => {
  const file = firstVersion();
  const db = open(file);
  const fields = { ...OPEN, used: true };
  assert.equal(db.rooms(), [
    { id: 1, key: 'r1', name: 'R1', made: 5, ...fields, refs: new Map() },
    { id: 2, key: 'r2', name: 'R2', made: 6, ...fields, refs: new Map([['lab', 0]]) },
  ]);
  assert.equal([db.lastPost(), db.accounts(), db.contacts(), db.mailOf('ann')], [1500, [], [], []]);
  assert.equal(db.history(2, { limit: 1 }), [{ id: 1499, at: 2499, name: 'ann', dialect: 'lab', text: 'word 1499' }]);
  finish(db);
  assert.equal(find(db, 'word 149', { limit: 2 }), [1498, 1499], 'it is indexed later');
  assert.equal(find(db, 'word'), range(1401, 1500), 'all of it');
  assert.equal(find(db, 'word 14'), [14], 'a word of two letters is no beginning of others');
  db.close();
  assert.ok(fs.existsSync(`${file}.version-1`));
  assert.equal(indexed(file), range(1, 1500));
});

migration('of a file of the second version keeps everything', () => {
  const file = newFile();
  const before = openFile(file, MIGRATIONS.slice(0, 2));
  before.exec(`INSERT INTO rooms VALUES (1, 'r1', 'R1', 5, 'über uns', 'ann', '#2'), (2, 'r2', 'R2', 6, '', NULL, NULL);
    INSERT INTO room_refs VALUES ('lab', 0, 2);
    INSERT INTO posts VALUES (1, 2, 1001, 'ann', 'lab', 'word 1', NULL), (2, 2, 1002, 'ann', 'lab', 'word 2', 'noon');
    INSERT INTO words (rowid, text) VALUES (1, 'word 1');
    INSERT INTO accounts VALUES ('ann', 'Ann', '#1', 7);
    INSERT INTO posts VALUES (3, 9, 1003, 'ann', 'lab', 'word 3', NULL);
    INSERT INTO deleted_rooms VALUES (9)`);
  before.close();
  const db = open(file);
  const settings = { description: 'über uns', owner: 'ann', password: '#2' };
  assert.equal(db.rooms(), [
    { ...newRoom(1, settings), used: false, refs: new Map() },
    { ...newRoom(2, { made: 6 }), used: true, refs: new Map([['lab', 0]]) },
  ]);
  assert.equal([db.accounts(), db.findAccount('ann')], [['ann'], ANN]);
  assert.equal(
    db.history(2, { limit: 9 }).map(({ id, stamp }) => [id, stamp]),
    [
      [1, undefined],
      [2, 'noon'],
    ],
  );
  finish(db);
  assert.equal(find(db, 'word'), [1, 2]);
  assert.equal([db.contacts(), db.mailOf('ann'), db.lastRoom()], [[], [], 2]);
  assert.equal(db.addMails([{ owner: 'ann', sender: undefined, time: '10:11:12', text: 'hi', at: 1 }]), [1]);
  db.close();
  assert.ok(fs.existsSync(`${file}.version-2`));
});

migration('of a file of the fifth version adds what is said in private, and keeps everything', () => {
  const file = newFile();
  const before = openFile(file, MIGRATIONS.slice(0, 5));
  before.exec(`INSERT INTO rooms (id, key, name, made) VALUES (1, 'r1', 'R1', 5);
    INSERT INTO posts (id, room, at, name, dialect, text) VALUES (4, 1, 1004, 'ann', 'lab', 'word 4');
    INSERT INTO markers VALUES ('ann', '#r1', 9)`);
  before.close();
  const db = open(file);
  assert.equal(idsOf(db.history(1, { limit: 9 })), [4]);
  assert.equal([db.lastPost(), db.marker('ann', '#r1'), db.talks('ann', {})], [4, 9, []]);
  const side = { owner: 'ann', other: 'ben', name: 'ben', isOwn: true };
  const whisper = { id: 5, at: 1005, name: 'ann', target: 'ben', dialect: 'irc', text: 'psst', sides: [side] };
  db.write({ ...posts([]), whispers: [whisper] });
  db.close();
  const again = open(file);
  assert.equal([again.lastPost(), again.talks('ann', {})], [5, [{ name: 'ben', at: 1005 }]]);
  again.close();
  assert.ok(fs.existsSync(`${file}.version-5`));
});
migration.run();
