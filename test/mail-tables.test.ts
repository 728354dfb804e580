import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Database } from '../src/database.ts';
import { MIGRATIONS } from '../src/database-file.ts';
import { type Contact, type ContactChange, mergeChanges, type NewMail } from '../src/mail-tables.ts';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-mail-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newFile = () => path.join(directory, `${++files}.db`);

const contact = (key: string, settings: Partial<Contact> = {}): Contact => {
  const address = { ip: '10.0.0.7', port: 4000 };
  return { key, name: key.toUpperCase(), ...address, isOurs: false, isOnline: true, seen: 5, heard: 2, ...settings };
};
const put = (key: string, settings: Partial<Contact> = {}): ContactChange => {
  return { kind: 'contact', key, isDropped: false, contact: contact(key, settings) };
};
const drop = (key: string): ContactChange => ({ kind: 'contact', key, isDropped: true, contact: undefined });
const mail = (text: string, owner = 'ann'): NewMail => ({ owner, sender: 'bob', time: '10:11:12', text, at: 6 });

function write(db: Database, ...changes: ContactChange[]): void {
  db.write({ changes, posts: { id: [], room: [], at: [], name: [], dialect: [], text: [], stamp: [], extra: [] } });
}

const textsOf = (db: Database, owner = 'ann') => db.mailOf(owner).map(({ text }) => text);

const contacts = suite('database: contacts');

contacts('are there again as they were last, in the order in which they came first', () => {
  const file = newFile();
  const db = new Database(file);
  write(db, put('ann'), put('bob', { isOurs: true, isOnline: false, seen: 2 ** 45 }), put('eve'));
  const settings = { name: 'Änn', ip: '::1', port: 65_535, isOurs: true, isOnline: false, seen: 7, heard: 2 ** 40 };
  write(db, put('ann', settings), drop('eve'), drop('nobody'));
  db.close();
  const again = new Database(file);
  assert.equal(again.contacts(), [
    contact('ann', settings),
    contact('bob', { isOurs: true, isOnline: false, seen: 2 ** 45 }),
  ]);
  again.close();
});

contacts('of which ten thousand are loaded, those seen last', () => {
  const db = new Database(':memory:');
  write(db, ...Array.from({ length: 10_001 }, (_, i) => put(`${i}`, { seen: i })));
  const loaded = db.contacts();
  assert.equal([loaded.length, loaded[0]?.key, loaded.at(-1)?.key], [10_000, '1', '10000']);
  db.close();
});

contacts('with a time that is none are no error', () => {
  const db = new Database(':memory:');
  write(db, put('ann', { seen: 7.9 }), put('bob', { seen: Number.NaN }));
  assert.equal(
    db.contacts().map(({ seen }) => seen),
    [7, 0],
  );
  db.close();
});

contacts('two changes of one are one', () => {
  const [first, second] = [put('ann', { seen: 1 }), put('ann', { seen: 2 })];
  assert.equal(mergeChanges(undefined, first), first);
  assert.equal(mergeChanges(first, second), second);
  assert.equal(mergeChanges(first, drop('ann')), drop('ann'));
  assert.equal(mergeChanges(drop('ann'), second), { ...second, isDropped: true });
  assert.equal(mergeChanges(mergeChanges(drop('ann'), first), second), { ...second, isDropped: true });
});

contacts('go with their mail, before the one who comes after', () => {
  const db = new Database(':memory:');
  write(db, put('ann'));
  db.addMails([mail('1'), mail('2', 'bob')]);
  write(db, mergeChanges(drop('ann'), put('ann', { seen: 9 })));
  assert.equal([db.contacts(), textsOf(db), textsOf(db, 'bob')], [[contact('ann', { seen: 9 })], [], ['2']]);
  write(db, drop('ann'));
  assert.equal(db.contacts(), []);
  db.close();
});
contacts.run();

const letters = suite('database: mail');

letters('is there again, oldest first', () => {
  const file = newFile();
  const db = new Database(file);
  const odd = { owner: 'ann', sender: undefined, time: '23:59:59', text: 'ünï 🦜\0\n"\'', at: 2 ** 45 };
  assert.equal(db.addMails([mail('1'), mail('2', 'bob'), odd]), [1, 2, 3]);
  db.close();
  const again = new Database(file);
  assert.equal(again.mailOf('ann'), [
    { ...mail('1'), id: 1 },
    { ...odd, id: 3 },
  ]);
  assert.equal([textsOf(again, 'bob'), again.mailOf('nobody')], [['2'], []]);
  assert.equal(again.addMails([mail('4')]), [4]);
  again.close();
});

letters('is dropped up to a number, which nobody gets again', () => {
  const db = new Database(':memory:');
  db.addMails([mail('1'), mail('2'), mail('3', 'bob'), mail('4')]);
  db.dropMail('ann', 2);
  assert.equal([textsOf(db), textsOf(db, 'bob')], [['4'], ['3']]);
  db.dropMail('ann', 4);
  assert.equal(db.addMails([mail('5')]), [5]);
  db.dropMail('ann', 4);
  assert.equal(textsOf(db), ['5']);
  db.close();
});

letters('of one is a thousand at most; others get theirs', () => {
  const db = new Database(newFile());
  const many = Array.from({ length: 1002 }, (_, i) => mail(`${i}`));
  const ids = db.addMails([...many, mail('x', 'bob')]);
  assert.equal([ids[999], ids[1000], ids[1001], ids[1002]], [1000, undefined, undefined, 1001]);
  assert.is(db.mailOf('ann').length, 1000);
  db.dropMail('ann', 1);
  assert.equal(db.addMails([mail('y'), mail('z')]), [1002, undefined]);
  db.close();
});

letters('is written whole or not at all', () => {
  const file = newFile();
  new Database(file).close();
  const db = new Database(file, [...MIGRATIONS, 'PRAGMA max_page_count = 40']);
  assert.throws(() => db.addMails([mail('1'), mail('x'.repeat(200_000))]), /full/);
  assert.equal(db.mailOf('ann'), []);
  db.addMails([mail('2')]);
  assert.equal(textsOf(db), ['2']);
  db.close();
});

letters('in memory is not more than memory should hold', () => {
  const db = new Database(':memory:');
  const long = 'é'.repeat(4 * 2 ** 20);
  const ids = db.addMails(Array.from({ length: 9 }, () => mail(long)));
  assert.equal([ids[7], ids[8]], [8, undefined], '64 MiB are kept');
  assert.equal(db.addMails([mail('x', 'bob'), mail('')]), [undefined, 9]);
  db.dropMail('ann', 1);
  assert.equal(db.addMails([mail('x', 'bob'), mail(long), mail('y', 'bob')]), [10, undefined, 11]);
  write(db, drop('ann'));
  assert.equal(db.addMails(Array.from({ length: 8 }, () => mail(long))).at(-1), undefined, 'Bob’s take place too');
  assert.is(db.mailOf('ann').length, 7);
  db.close();
});

letters('in memory is not more than a hundred thousand', () => {
  const db = new Database(':memory:');
  for (let n = 0; n < 100; n++) db.addMails(Array.from({ length: 1000 }, () => mail('', `${n}`)));
  assert.equal(db.addMails([mail('')]), [undefined]);
  db.dropMail('7', Number.MAX_SAFE_INTEGER);
  assert.equal(db.addMails([mail('')]), [100_001]);
  db.close();
});

letters('is added, dropped and replaced after the index has left large numbers behind', () => {
  const db = new Database(newFile());
  const texts = Array.from({ length: 1500 }, (_, i) => `word ${i}`);
  const all = <T>(value: T) => texts.map(() => value);
  const id = texts.map((_, i) => i + 1);
  const columns = { id, room: all(1), at: all(1), name: all('ann'), dialect: all('lab'), text: texts };
  db.write({ changes: [], posts: { ...columns, stamp: all(null), extra: all(null) } });
  while (db.index());
  write(db, put('ann'), put('ann', { seen: 9 }));
  assert.equal(db.addMails([mail('1')]), [1]);
  db.dropMail('ann', 1);
  write(db, drop('ann'));
  assert.equal([db.contacts(), db.mailOf('ann')], [[], []]);
  db.close();
});
letters.run();
