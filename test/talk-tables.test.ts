import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bound, Database, type Group, type HistoryRange, type NewWhisper } from '../src/database.ts';
import { MIGRATIONS, migrate } from '../src/database-file.ts';
import { MAX_TALKS, TalkTables } from '../src/talk-tables.ts';

const NO_POSTS = { id: [], room: [], at: [], name: [], dialect: [], text: [], stamp: [], extra: [] };

/** From one account to another; both keep it. */
function whisper(id: number, from = 'ann', to = 'ben', more: Partial<NewWhisper> = {}): NewWhisper {
  const sides = [
    { owner: from, other: to, name: to, isOwn: true },
    { owner: to, other: from, name: from, isOwn: false },
  ];
  return { id, at: 1000 + id, name: from, target: to, dialect: 'irc', text: `${id}`, sides, ...more };
}

const group = (...whispers: NewWhisper[]): Group => ({ changes: [], posts: NO_POSTS, whispers });
const ids = (rows: Array<{ id: number }>) => rows.map(({ id }) => id);
const ALL: HistoryRange = { limit: 1_000_000 };

/** Tables with bounds that a test can reach. */
function opened(maxWhispers?: number, inMemory = false) {
  const db = new DatabaseSync(':memory:');
  migrate(db, MIGRATIONS);
  db.exec('PRAGMA foreign_keys = ON');
  const count = (table: string) => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);
  return { tables: new TalkTables(db, inMemory, maxWhispers), count };
}

const test = suite('talk tables');

test('each of the two has what was said, and nobody else', () => {
  const db = new Database(':memory:');
  const extra = '{"notice":true}';
  db.write(group(whisper(3), whisper(5, 'ben', 'ann', { extra }), whisper(6, 'ann', 'cat')));
  const [first, second] = db.whispers('ann', 'ben', ALL);
  assert.equal(first, { id: 3, at: 1003, name: 'ann', target: 'ben', dialect: 'irc', text: '3' });
  assert.equal(second, { id: 5, at: 1005, name: 'ben', target: 'ann', dialect: 'irc', text: '5', extra });
  assert.equal(db.whispers('ben', 'ann', ALL), [first, second]);
  assert.equal(ids(db.whispers('cat', 'ann', ALL)), [6]);
  for (const [one, other] of [
    ['cat', 'ben'],
    ['ben', 'cat'],
    ['dan', 'ann'],
    ['ann', 'dan'],
    ['ann', 'ann'],
  ]) {
    assert.equal(db.whispers(one as string, other as string, ALL), []);
  }
  assert.is(db.lastPost(), 6);
});

test('is in no search, and in no room', () => {
  const db = new Database(':memory:');
  db.write(group(whisper(1, 'ann', 'ben', { text: 'rosebud' })));
  while (db.index()) {}
  assert.equal(db.search('rosebud', { limit: 10, account: 'ann', room: 1 }), []);
  assert.equal([db.rooms(), db.lastRoom(), db.history(1, { limit: 10 })], [[], 0, []]);
});

test('what is between two bounds is what a list of them would give', () => {
  const { tables } = opened();
  const times = [5, 5, 6, 9, 9, 9, 12].map((at, nth) => ({ at, id: 2 * nth + 3 }));
  tables.add(times.map(({ at, id }) => whisper(id, 'ann', 'ben', { at })));
  // between them are those of others
  const bound: fc.Arbitrary<Bound | undefined> = fc.oneof(
    fc.constant(undefined),
    fc.record({ id: fc.integer({ min: 0, max: 20 }) }),
    fc.record({ at: fc.integer({ min: 3, max: 14 }) }),
  );
  fc.assert(
    fc.property(
      bound,
      bound,
      fc.integer({ min: 0, max: 8 }),
      fc.boolean(),
      fc.integer({ min: 0, max: 13 }),
      (after, before, limit, isOldestFirst, since) => {
        const isAfter = (one: { id: number; at: number }, b: Bound) => ('id' in b ? one.id > b.id : one.at > b.at);
        const isBefore = (one: { id: number; at: number }, b: Bound) => ('id' in b ? one.id < b.id : one.at < b.at);
        const fit = times.filter(
          (one) => one.at >= since && (!after || isAfter(one, after)) && (!before || isBefore(one, before)),
        );
        const wanted = isOldestFirst ? fit.slice(0, limit) : limit === 0 ? [] : fit.slice(-limit);
        const range = { after, before, limit, isOldestFirst, since };
        assert.equal(ids(tables.whispers('ben', 'ann', range)), ids(wanted));
      },
    ),
  );
});

test('talks are told by what was said last between the times', () => {
  const { tables } = opened();
  tables.add([whisper(1), whisper(2, 'ann', 'cat'), whisper(3, 'cat', 'ann'), whisper(4)]);
  assert.equal(tables.of('ann', {}), [
    { name: 'cat', at: 1003 },
    { name: 'ben', at: 1004 },
  ]);
  assert.equal(tables.of('cat', {}), [{ name: 'ann', at: 1003 }]);
  assert.equal(tables.of('dan', {}), []);
  const between = (after: number, before: number) => tables.of('ann', { after: { at: after }, before: { at: before } });
  assert.equal(between(1000, 1004), [
    { name: 'cat', at: 1003 },
    { name: 'ben', at: 1001 },
  ]);
  assert.equal(between(1001, 1004), [{ name: 'cat', at: 1003 }]);
  assert.equal(between(1003, 1009), [{ name: 'ben', at: 1004 }]);
  assert.equal(between(1004, 1009), []);
  assert.equal(tables.of('ann', { since: 1004 }), [{ name: 'ben', at: 1004 }]);
});

test('of one talk the latest are kept', () => {
  const { tables, count } = opened(3);
  tables.add([1, 2, 3, 4, 5].map((id) => whisper(id)));
  tables.add([whisper(6, 'ann', 'cat')]);
  while (tables.trim()) {}
  assert.equal(ids(tables.whispers('ann', 'ben', ALL)), [3, 4, 5]);
  assert.equal(ids(tables.whispers('ben', 'ann', ALL)), [3, 4, 5]);
  assert.equal(ids(tables.whispers('ann', 'cat', ALL)), [6]);
  assert.is(count('whispers'), 8);
});

test('of one account’s talks those go in which it said nothing, then the silent ones; the others keep theirs', () => {
  const { tables } = opened();
  tables.add([whisper(1, 'ann', 'old'), whisper(2, 'spam', 'ann'), whisper(3, 'ann', 'ben')]);
  const many = Array.from({ length: MAX_TALKS - 3 }, (_, n) => whisper(4 + n, 'ann', `x${n}`));
  tables.add(many);
  assert.is(tables.of('ann', {}).length, MAX_TALKS);
  tables.add([whisper(5000, 'more spam', 'ann')]);
  assert.is(tables.of('ann', {}).length, MAX_TALKS);
  assert.equal(tables.whispers('ann', 'spam', ALL), []);
  assert.is(tables.whispers('spam', 'ann', ALL).length, 1);
  tables.add([whisper(5001, 'ann', 'new')]);
  assert.equal(tables.whispers('ann', 'more spam', ALL), []);
  assert.is(tables.whispers('ann', 'old', ALL).length, 1);
  tables.add([whisper(5002, 'ann', 'newer')]);
  assert.equal(tables.whispers('ann', 'old', ALL), []);
  assert.is(tables.whispers('ann', 'new', ALL).length, 1);
  assert.is(tables.of('ann', {}).length, MAX_TALKS);
});

test('what is too old goes, a batch at a time, and talks with it', () => {
  const { tables, count } = opened();
  tables.add(Array.from({ length: 1200 }, (_, n) => whisper(n + 1)));
  tables.add([whisper(1201, 'ann', 'cat')]);
  assert.not(tables.forgetBatch(1001));
  assert.is(count('whispers'), 2402);
  let batches = 1;
  while (tables.forgetBatch(1000 + 1201)) batches++;
  assert.ok(batches > 1);
  assert.equal([count('whispers'), count('talks')], [2, 2]);
  assert.equal(ids(tables.whispers('cat', 'ann', ALL)), [1201]);
  assert.not(tables.forgetBatch(Number.POSITIVE_INFINITY));
  assert.equal([count('whispers'), count('talks')], [0, 0]);
});

test('in memory the oldest make room', () => {
  const { tables, count } = opened(undefined, true);
  const text = 'x'.repeat(1024 * 1024);
  for (let id = 1; id <= 20; id++) tables.add([whisper(id, 'ann', 'ben', { text })]);
  assert.is(count('whispers'), 16);
  assert.equal(ids(tables.whispers('ben', 'ann', ALL)), [13, 14, 15, 16, 17, 18, 19, 20]);
  for (let id = 21; id <= 40_020; id += 2000) {
    tables.add(Array.from({ length: 2000 }, (_, n) => whisper(id + n)));
  }
  assert.is(count('whispers'), 20_000);
});

test.run();
