import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Database } from '../src/database.ts';
import { HouseError } from '../src/errors.ts';
import type { Person, Post } from '../src/events.ts';
import {
  type Contact,
  type Found,
  MAX_HISTORY,
  type Mail,
  type NewMail,
  type SearchOptions,
  type StoredRoom,
  type StoreOptions,
  WorkerStore,
} from '../src/store.ts';
import { program, refusal } from './fakes.ts';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-store-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newFile = () => path.join(directory, `${++files}.db`);

const who = { id: '1.1', name: 'ann', nick: 'ann', dialect: 'lab' };
const post = (id: number, text = `${id}`): Post => ({ kind: 'post', id, room: 'r', who, at: 1000 + id, text });
const OPEN = { description: '', owner: undefined, password: undefined };
const room = (id: number, key = 'r', settings: Partial<StoredRoom> = {}): StoredRoom => {
  return { id, key, name: key, made: 5, ...OPEN, used: false, refs: new Map(), ...settings };
};
const ROOM = room(1);

interface Opened {
  readonly store: WorkerStore;
  readonly worker: Worker;
  readonly troubles: Array<string | undefined>;
  /** How many posts each trouble that is over has cost. */
  readonly losses: number[];
}

const stores: WorkerStore[] = [];

async function open(
  file: string,
  options: Partial<StoreOptions> = {},
  maxRooms?: number,
  whisperMs?: number,
): Promise<Opened> {
  const troubles: Array<string | undefined> = [];
  const losses: number[] = [];
  const onTrouble = (reason: string | undefined, lost: number) => {
    troubles.push(reason);
    if (reason === undefined) losses.push(lost);
  };
  const store = new WorkerStore({ onTrouble, ...options });
  stores.push(store);
  // the store keeps its thread to itself: it is caught where it is spoken to
  let worker: Worker | undefined;
  const postMessage = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<typeof postMessage>) {
    worker = this;
    return postMessage.apply(this, args);
  };
  const opened = store.open(file, maxRooms, whisperMs);
  Worker.prototype.postMessage = postMessage;
  await opened;
  return { store, worker: worker as Worker, troubles, losses };
}

const texts = (posts: Post[]) => posts.map(({ text }) => text);

const said = (found: Found[]) => texts(found.map(({ post }) => post));
const DAY_MS = 86_400_000;
const whisperer = (name: string, account: string): Person => ({ id: '1.1', name, nick: name, dialect: 'irc', account });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const ANN = { key: 'ann', name: 'Ann', hash: '#', made: 7 };
const ANYBODY: SearchOptions = { limit: 100, account: undefined, room: undefined };
const MODULE = new URL('../src/store.ts', import.meta.url).href;

/** How many posts that say `word` the index holds; it holds no others. */
function indexed(file: string): number {
  const db = new DatabaseSync(file);
  const matches = db.prepare("SELECT count(*) AS n FROM words WHERE words MATCH 'word'").get()?.n;
  assert.is(db.prepare('SELECT count(*) AS n FROM words').get()?.n, matches);
  db.exec("INSERT INTO words (words) VALUES ('integrity-check')");
  db.close();
  return Number(matches);
}

/** Runs a program until it has said so many lines, and some time, then kills it. The number in its last line. */
async function killed(code: string, lines: number, ms = 0): Promise<number> {
  const child = spawn(process.execPath, program(directory, code), { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.split('\n').length > lines) setTimeout(() => child.kill('SIGKILL'), ms);
  });
  await new Promise((resolve) => child.once('close', resolve));
  assert.ok(output.split('\n').length > lines, 'it ended early');
  return Number(output.split('\n').at(-2));
}

/** A file in which a post that says `poison` can't be written. */
async function poisoned(): Promise<string> {
  const file = newFile();
  const { store } = await open(file);
  await store.close();
  const db = new DatabaseSync(file);
  db.exec(`CREATE TRIGGER poison BEFORE INSERT ON posts WHEN NEW.text = 'poison'
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`);
  db.close();
  return file;
}

function test(name: string): ReturnType<typeof suite> {
  const group = suite(name);
  group.after(async () => {
    for (const store of stores.splice(0)) await store.close();
  });
  return group;
}

const keeps = test('store: what is kept');

keeps('rooms that were not loaded are found by name', async () => {
  const file = newFile();
  const first = await open(file);
  for (let id = 1; id <= 5; id++) first.store.addRoom({ ...ROOM, id, key: `r${id}` });
  first.store.addRef(4, 'lab', 9);
  first.store.addPost(post(1), 3);
  first.store.addPost(post(2), 2);
  await first.store.saved(2);
  await first.store.close();
  const { store } = await open(file, {}, 3);
  const keys = store.rooms.map(({ key }) => key);
  assert.equal(keys, ['r1', 'r2', 'r3'], 'those in which something was said come first');
  const numbers = { lastPost: 2, lastRoom: 5, lastRefs: [['lab', 9]], resting: 2 };
  assert.equal(store.start, { ...numbers, accounts: [], contacts: [] });
  assert.equal((await store.findRoom('r4'))?.refs, new Map([['lab', 9]]));
  assert.is(await store.findRoom('nowhere'), undefined);
});

keeps('rooms, numbers and posts are there again', async () => {
  const file = newFile();
  const first = await open(file);
  assert.equal([first.store.rooms, first.store.start.lastPost], [[], 0]);
  first.store.addRoom(ROOM);
  first.store.addRef(1, 'lab', 7);
  first.store.addPost(post(1), 1);
  await first.store.saved(1);
  await first.store.close();
  const { store } = await open(file);
  assert.is(store.start.lastPost, 1);
  assert.equal(store.rooms, [{ ...ROOM, used: true, refs: new Map([['lab', 7]]) }]);
  await store.saved(1);
  const [kept] = await store.history(ROOM, { limit: 10 });
  assert.equal([kept?.id, kept?.room, kept?.at, kept?.who.name, kept?.who.dialect], [1, 'r', 1001, 'ann', 'lab']);
});

keeps('what was promised survives a SIGKILL', async () => {
  const file = newFile();
  const code = `
    const { WorkerStore } = await import(${JSON.stringify(MODULE)});
    const store = new WorkerStore({ onTrouble: console.error });
    await store.open(${JSON.stringify(file)});
    store.addRoom(${JSON.stringify(ROOM)});
    const who = { id: '1.1', name: 'ann', nick: 'ann', dialect: 'lab' };
    for (let id = 1; ; id++) {
      store.addPost({ kind: 'post', id, room: 'r', who, at: id, text: String(id) }, 1);
      if (id % 3 === 0) await store.saved(id).then(() => process.stdout.write(id + '\\n'));
    }`;
  const promised = await killed(code, 30);
  assert.ok(promised >= 90, `${promised}`);
  const db = new Database(file);
  assert.ok(db.lastPost() >= promised, `${db.lastPost()} of ${promised}`);
  const wanted = Array.from({ length: promised }, (_, i) => `${i + 1}`);
  assert.equal(
    db.history(1, { limit: promised, before: { id: promised + 1 } }).map(({ text }) => text),
    wanted,
  );
  assert.equal(
    db.rooms().map(({ key }) => key),
    ['r'],
  );
  db.close();
});

keeps('history knows what is not written yet', async () => {
  const { store } = await open(newFile());
  store.addRoom(ROOM);
  for (let id = 1; id <= 5; id++) store.addPost(post(id), 1);
  assert.equal(texts(await store.history(ROOM, { limit: 2 })), ['4', '5']);
  assert.equal(texts(await store.history(ROOM, { limit: 2, before: { id: 4 } })), ['2', '3']);
});

keeps('what few posts have, and who said it under which account', async () => {
  const { store } = await open(newFile());
  store.addRoom(ROOM);
  const who = { id: '1.1', name: 'ann', nick: 'ann', dialect: 'irc', host: '192.0.2.7' };
  const plain = { kind: 'post', room: 'r', at: 1, text: 'hi' } as const;
  store.addPost({ ...plain, id: 1, who }, 1);
  store.addPost({ ...plain, id: 2, who: { ...who, account: 'Ann' }, notice: true, tags: { '+x': 'y' } }, 1);
  const past = { name: 'ann', nick: 'ann', dialect: 'irc', id: '' };
  assert.equal(await store.history(ROOM, { limit: 9 }), [
    { ...plain, id: 1, who: past },
    { ...plain, id: 2, who: { ...past, account: 'Ann' }, notice: true, tags: { '+x': 'y' } },
  ]);
});

keeps('the rules of a room: the last of several that wait', async () => {
  const file = newFile();
  const { store } = await open(file);
  store.addRoom(ROOM);
  for (let limit = 1; limit <= 9; limit++) store.putRules({ ...ROOM, description: 'x', rules: { flags: [], limit } });
  await store.close();
  const again = await open(file);
  assert.equal(again.store.rooms[0], { ...ROOM, description: 'x', rules: { flags: [], limit: 9 } });
});

keeps('when something was said last, and up to where accounts have read', async () => {
  const { store } = await open(newFile());
  store.addRoom(ROOM);
  for (let id = 1; id <= 3; id++) store.addPost(post(id), 1);
  assert.equal(await store.lastPosts([1, 2], {}), [{ room: 1, at: 1003 }]);
  assert.equal(await store.lastPosts([1], { before: { at: 1001 } }), []);
  assert.equal([await store.setMarker('ann', 'r', 9), await store.setMarker('ann', 'r', 8)], [9, 9]);
  assert.equal([await store.marker('ann', 'r'), await store.marker('ann', 's')], [9, undefined]);
});

keeps('whispers, for each of the two who has an account, among the ids of posts', async () => {
  const file = newFile();
  const first = await open(file);
  first.store.addRoom(ROOM);
  first.store.addPost(post(1), 1);
  const [ann, ben] = [whisperer('ann', 'Ann'), whisperer('ben', 'Ben')];
  first.store.addWhisper({ id: 2, who: ann, to: ben, at: 5, text: 'one', notice: true });
  first.store.addWhisper({ id: 4, who: ben, to: ann, at: 6, text: 'two', tags: { '+x': 'y' } });
  await first.store.saved(4);
  await first.store.close();
  const { store } = await open(file);
  assert.is(store.start.lastPost, 4);
  await store.saved(4);
  const past = [
    { id: 2, who: { ...ann, id: '' }, to: { name: 'ben' }, at: 5, text: 'one', notice: true },
    { id: 4, who: { ...ben, id: '' }, to: { name: 'ann' }, at: 6, text: 'two', tags: { '+x': 'y' } },
  ];
  assert.equal(await store.whispers('ann', 'ben', { limit: 9 }), past);
  assert.equal(await store.whispers('ben', 'ann', { limit: 9 }), past);
  assert.equal(await store.whispers('ben', 'ann', { limit: -1 }), []);
  assert.equal(await store.talks('ann', {}), [{ name: 'Ben', at: 6 }]);
  assert.equal(texts(await store.history(ROOM, { limit: 9 })), ['1']);
});

keeps('whispers that were promised survive a SIGKILL', async () => {
  const file = newFile();
  const code = `
    const { WorkerStore } = await import(${JSON.stringify(MODULE)});
    const store = new WorkerStore({ onTrouble: console.error });
    await store.open(${JSON.stringify(file)});
    const who = ${JSON.stringify(whisperer('ann', 'ann'))};
    for (let id = 1; ; id++) {
      store.addWhisper({ id, who, to: { name: 'cat' }, at: id, text: String(id) });
      if (id % 3 === 0) await store.saved(id).then(() => process.stdout.write(id + '\\n'));
    }`;
  const promised = await killed(code, 30);
  const { store } = await open(file);
  assert.ok(store.start.lastPost >= promised, `${store.start.lastPost} of ${promised}`);
  const past = await store.whispers('ann', 'cat', { limit: promised, isOldestFirst: true });
  assert.equal(
    past.map(({ text }) => text),
    Array.from({ length: promised }, (_, i) => `${i + 1}`),
  );
});

keeps('no whispers that are older than it was told to keep them', async () => {
  const file = newFile();
  const first = await open(file);
  const [ann, now] = [whisperer('ann', 'ann'), Date.now()];
  first.store.addWhisper({ id: 1, who: ann, to: { name: 'ben' }, at: now - 2 * DAY_MS, text: 'old' });
  first.store.addWhisper({ id: 2, who: ann, to: { name: 'ben' }, at: now - 60_000, text: 'new' });
  await first.store.close();
  for (const [whisperMs, left] of [
    [DAY_MS, 1],
    [0, 0],
  ] as const) {
    const { store } = await open(file, {}, undefined, whisperMs);
    // it forgets when it has a moment
    while ((await store.whispers('ann', 'ben', { limit: 9 })).length !== left) await sleep(5);
    assert.is((await store.talks('ann', {})).length, left);
    await store.close();
  }
});

keeps('history is bounded however much is asked for', async () => {
  const { store } = await open(':memory:');
  for (let id = 1; id <= MAX_HISTORY + 5; id++) store.addPost(post(id), 1);
  assert.is((await store.history(ROOM, { limit: 1e9 })).length, MAX_HISTORY);
});

keeps('close writes what is left, and may be called twice', async () => {
  const file = newFile();
  const { store } = await open(file);
  store.addRoom(ROOM);
  for (let id = 1; id <= 1000; id++) store.addPost(post(id), 1);
  const promise = store.saved(1000);
  await store.close();
  await store.close();
  await promise;
  const db = new Database(file);
  assert.is(db.lastPost(), 1000);
  db.close();
});

/** Opening it fails with a reason, and leaves it as it was. */
async function isRefused(file: string, why: RegExp): Promise<void> {
  const before = fs.readFileSync(file);
  const store = new WorkerStore({ onTrouble: () => {} });
  stores.push(store);
  const message = await store.open(file).then(
    () => 'opened',
    (error: Error) => error.message,
  );
  assert.match(message, why);
  assert.ok(message.includes(file), message);
  await store.close();
  assert.equal(fs.readFileSync(file), before);
}

keeps('a file that is none is refused with a reason', async () => {
  const file = newFile();
  fs.writeFileSync(file, 'my notes');
  await isRefused(file, /not a Parley database/);
});

keeps('a file that is damaged in the middle is refused with a reason', async () => {
  const file = newFile();
  const { store } = await open(file);
  store.addRoom(ROOM);
  for (let id = 1; id <= 200; id++) store.addPost(post(id), 1);
  await store.close();
  const bytes = fs.readFileSync(file);
  bytes.fill(0xa5, 4096, 8192);
  fs.writeFileSync(file, bytes);
  await isRefused(file, /damaged/);
});
keeps('what a sender’s clock showed', async () => {
  const { store } = await open(newFile());
  store.addPost({ ...post(1), stamp: 'noon' }, 1);
  store.addPost(post(2), 1);
  const [first, second] = await store.history(ROOM, { limit: 2 });
  assert.is(first?.stamp, 'noon');
  assert.not('stamp' in (second as Post));
});

keeps('rooms with an owner, and accounts', async () => {
  const file = newFile();
  const first = await open(file);
  const made = room(1, 'r', { description: 'über', owner: 'ann', password: '#' });
  await first.store.makeRoom(made);
  await first.store.addAccount(ANN);
  await first.store.setHash('ann', '#2');
  assert.equal(await first.store.findRoom('r'), made);
  await first.store.close();
  const { store } = await open(file);
  assert.equal([store.rooms, store.start.accounts], [[made], ['ann']]);
  assert.equal(await store.findAccount('ann'), { ...ANN, hash: '#2' });
  assert.is(await store.findAccount('bob'), undefined);
  assert.is(await refusal(store.addAccount(ANN)), 'name-registered');
  await store.deleteRoom(1);
  assert.is(await store.findRoom('r'), undefined);
});

keeps('nobody has more than a hundred rooms', async () => {
  const { store } = await open(newFile());
  const making = Array.from({ length: 100 }, (_, i) => store.makeRoom(room(i + 1, `r${i}`, { owner: 'ann' })));
  await Promise.all(making);
  assert.is(await refusal(store.makeRoom(room(101, 's', { owner: 'ann' }))), 'not-allowed');
});

keeps('an account that was promised survives a SIGKILL', async () => {
  const file = newFile();
  const code = `
    const { WorkerStore } = await import(${JSON.stringify(MODULE)});
    const store = new WorkerStore({ onTrouble: console.error });
    await store.open(${JSON.stringify(file)});
    for (let n = 1; ; n++) {
      await store.addAccount({ key: String(n), name: 'n', hash: '#', made: 1 });
      await store.makeRoom({ ...${JSON.stringify(ROOM)}, id: n, key: String(n), owner: String(n), refs: new Map() });
      process.stdout.write(n + '\\n');
    }`;
  const promised = await killed(code, 20);
  const { store } = await open(file);
  assert.ok(store.start.accounts.length >= promised);
  assert.ok(store.rooms.length >= promised);
});
keeps.run();

const searching = test('store: search');

searching('finds what is not written yet', async () => {
  const { store } = await open(newFile());
  store.addRoom(ROOM);
  for (let id = 1; id <= 2500; id++) store.addPost(post(id, `word ${id}`), 1);
  const found = await store.search('word', { ...ANYBODY, limit: 2 });
  assert.equal(said(found), ['word 2499', 'word 2500']);
  assert.equal([found[1]?.post, found[1]?.roomName], [{ ...post(2500, 'word 2500'), who: { ...who, id: '' } }, 'r']);
  store.addPost(post(3000, 'another'), 1);
  assert.equal(said(await store.search('ano', ANYBODY)), ['another']);
});

searching('goes on while posts are written, a batch at a time', async () => {
  const { store } = await open(newFile());
  store.addRoom(ROOM);
  for (let id = 1; id <= 20_000; id++) store.addPost(post(id, `word ${id}`), 1);
  await store.saved(20_000);
  const order: string[] = [];
  const found = store.search('word', { ...ANYBODY, limit: 1 }).then((all) => order.push(`found ${said(all)}`));
  store.addPost(post(20_001, 'word 20001'), 1);
  await store.saved(20_001).then(() => order.push('written'));
  await found;
  assert.is(order[0], 'written');
  assert.match(order[1] as string, /^found word 2000[01]$/);
});

searching('a pause in writing is used to index', async () => {
  const file = newFile();
  const { store } = await open(file);
  store.addRoom(ROOM);
  for (let id = 1; id <= 2500; id++) store.addPost(post(id, 'word'), 1);
  await store.saved(2500);
  await sleep(500);
  await store.close();
  assert.is(indexed(file), 2500);
});

searching('so is the first pause after a restart, and a deleted room’s posts go', async () => {
  const file = newFile();
  const { store } = await open(file);
  store.addRoom(ROOM);
  store.addRoom(room(2, 's'));
  for (let id = 1; id <= 5000; id++) store.addPost(post(id, 'word'), 1 + (id % 2));
  await store.deleteRoom(2);
  await store.close();
  const again = await open(file);
  assert.is(again.store.start.lastRoom, 2);
  await sleep(500);
  await again.store.close();
  assert.is(indexed(file), 2500);
  const db = new Database(file);
  assert.equal([db.history(2, { limit: 1 }), db.lastRoom()], [[], 1]);
  db.close();
});

searching('does not wait for ever for a pause', async () => {
  const file = newFile();
  const { store } = await open(file);
  store.addRoom(ROOM);
  const until = performance.now() + 2500;
  for (let id = 1; performance.now() < until; id++) {
    store.addPost(post(id, 'word'), 1);
    await sleep(10);
  }
  await store.close();
  assert.ok(indexed(file) > 50);
});

searching('forgets and repeats nothing, whenever the process is killed', async () => {
  const file = newFile();
  const code = `
    const { WorkerStore } = await import(${JSON.stringify(MODULE)});
    const store = new WorkerStore({ onTrouble: console.error });
    await store.open(${JSON.stringify(file)});
    const room = { ...${JSON.stringify(ROOM)}, refs: new Map() };
    const who = { id: '1.1', name: 'ann', nick: 'ann', dialect: 'lab' };
    let id = store.start.lastPost;
    let last = store.start.lastRoom;
    if (last === 0) store.addRoom({ ...room, id: ++last });
    for (let turn = 1; ; turn++) {
      await store.makeRoom({ ...room, id: ++last, key: 'k' + last, owner: 'ann' });
      for (let i = 0; i < 3000; i++) store.addPost({ kind: 'post', id: ++id, room: 'r', who, at: id, text: 'word' }, i % 2 ? 1 : last);
      if (turn % 2 === 0) await store.search('word', { limit: 1 });
      await store.deleteRoom(last);
      process.stdout.write(turn + '\\n');
      await new Promise((resolve) => setTimeout(resolve, 60));
    }`;
  for (let turns = 1; turns <= 5; turns++) await killed(code, turns, 17 * turns);
  const { store } = await open(file);
  await store.search('word', ANYBODY);
  await sleep(500);
  await store.close();
  const db = new DatabaseSync(file);
  const missing = 'SELECT count(*) AS n FROM posts WHERE id NOT IN (SELECT rowid FROM words)';
  const orphans = 'SELECT count(*) AS n FROM posts WHERE room NOT IN (SELECT id FROM rooms)';
  assert.equal([db.prepare(missing).get()?.n, db.prepare(orphans).get()?.n], [0, 0]);
  const count = Number(db.prepare('SELECT count(*) AS n FROM posts').get()?.n);
  db.close();
  assert.is(indexed(file), count);
});

searching('an index that can’t be written stops nothing else, and is tried again', async () => {
  const file = newFile();
  await (await open(file)).store.close();
  const structure = setStructure(file, Buffer.alloc(40, 0xff));
  const { store, troubles } = await open(file);
  store.addRoom(ROOM);
  store.addPost(post(1, 'word'), 1);
  assert.is(await refusal(store.search('word', ANYBODY)), 'not-saved');
  await sleep(200);
  store.addPost(post(2, 'word'), 1);
  await store.saved(2);
  assert.equal(texts(await store.history(ROOM, { limit: 9 })), ['word', 'word']);
  await store.close();
  assert.equal(troubles, []);
  setStructure(file, structure);
  const again = await open(file);
  assert.equal(said(await again.store.search('word', ANYBODY)), ['word', 'word']);
});

/** Writes the one record that FTS5 can't do without; returns what was there. */
function setStructure(file: string, record: Uint8Array): Uint8Array {
  const db = new DatabaseSync(file, { defensive: false });
  const before = db.prepare('SELECT block FROM words_data WHERE id = 10').get()?.block;
  db.prepare('UPDATE words_data SET block = ? WHERE id = 10').run(record);
  db.close();
  return before as Uint8Array;
}

searching('a deleted room’s posts that can’t be taken away are taken away later', async () => {
  const file = newFile();
  const first = await open(file);
  first.store.addRoom(ROOM);
  for (let id = 1; id <= 10; id++) first.store.addPost(post(id, 'word'), 1);
  await first.store.close();
  const setting = (sql: string) => {
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
  };
  setting(`CREATE TRIGGER poison BEFORE DELETE ON posts BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`);
  const { store } = await open(file);
  await store.deleteRoom(1);
  await sleep(200);
  assert.equal(await store.search('word', ANYBODY), []);
  store.addPost(post(11, 'word'), 2);
  await store.saved(11);
  await store.close();
  setting('DROP TRIGGER poison');
  const again = await open(file);
  await sleep(200);
  assert.is((await again.store.history(ROOM, { limit: 99 })).length, 0);
  await again.store.close();
  assert.is(indexed(file), 1);
});

searching('a close waits for no search', async () => {
  const { store } = await open(newFile());
  store.addRoom(ROOM);
  for (let id = 1; id <= 20_000; id++) store.addPost(post(id, 'word'), 1);
  const asked = refusal(store.search('word', ANYBODY));
  const closing = store.close();
  const late = refusal(store.search('word', ANYBODY));
  await closing;
  assert.equal(await Promise.all([asked, late]), ['not-saved', 'not-saved']);
});
searching.run();

const limits = test('store: limits');

limits('posts beyond what may wait are not kept, and later ones are', async () => {
  const { store, troubles } = await open(newFile(), { maxUnsaved: 10 });
  store.addRoom(ROOM);
  const promises: Array<Promise<string>> = [];
  for (let id = 1; id <= 15; id++) {
    store.addPost(post(id), 1);
    promises.push(refusal(store.saved(id)));
  }
  const [kept, not] = [Array(10).fill('no refusal'), Array(5).fill('not-saved')];
  assert.equal(await Promise.all(promises), [...kept, ...not]);
  store.addPost(post(16), 1);
  await store.saved(16);
  assert.equal(texts(await store.history(ROOM, { limit: 3 })), ['9', '10', '16']);
  assert.is(troubles.length, 2);
  assert.type(troubles[0], 'string');
  assert.is(troubles[1], undefined);
});

limits('a post that was not kept is never said to be saved', async () => {
  const { store } = await open(newFile(), { maxUnsaved: 2 });
  for (let id = 1; id <= 2; id++) store.addPost(post(id), 1);
  const second = store.saved(2);
  store.addPost(post(3), 1);
  await second;
  store.addPost(post(4), 1);
  assert.is(await refusal(store.saved(3)), 'not-saved', 'while a later one is being written');
  await store.saved(4);
  assert.is(await refusal(store.saved(3)), 'not-saved', 'after a later one was written');
});

limits('a trouble lasts until less than half of what may wait is waiting, and tells what it cost', async () => {
  const { store, troubles, losses } = await open(newFile(), { maxUnsaved: 10 });
  store.addPost(post(1), 1);
  const first = store.saved(1);
  // hands over what there is: one post is on its way, and the others are the next group
  const reading = store.history(ROOM, { limit: 1 });
  for (let id = 2; id <= 12; id++) store.addPost(post(id), 1);
  await first;
  assert.equal(troubles, ['too much is waiting to be written'], 'nine are waiting');
  store.addPost(post(13), 1);
  const last = store.saved(13);
  store.addPost(post(14), 1);
  await last;
  assert.equal(troubles, ['too much is waiting to be written', undefined]);
  assert.equal(losses, [3]);
  await reading;
});

limits('rooms and numbers beyond what may wait are refused until the others are written', async () => {
  const { store } = await open(await poisoned(), { maxChanges: 3 });
  store.addRoom(ROOM);
  store.addRef(1, 'lab', 0);
  assert.not(store.isFull);
  store.addRef(1, 'other', 0);
  store.addPost(post(1, 'poison'), 1);
  const isFull = (error: Error) => error instanceof HouseError && error.code === 'full';
  for (const when of ['while they are on their way', 'while they can’t be written']) {
    assert.ok(store.isFull, when);
    assert.throws(() => store.addRoom(room(2, 's')), isFull);
    assert.throws(() => store.addRef(1, 'third', 0), isFull);
    assert.is(await refusal(store.saved(1)), 'not-saved');
  }
  store.addPost(post(2), 1);
  await store.saved(2);
  assert.not(store.isFull);
  store.addRoom(room(2, 's'));
});

limits('readers beyond a thousand are sent away', async () => {
  const { store } = await open(newFile());
  const reads = Array.from({ length: 1050 }, () => refusal(store.history(ROOM, { limit: 10 })));
  const answers = await Promise.all(reads);
  assert.is(answers.filter((answer) => answer === 'no refusal').length, 1000);
  assert.is(answers.filter((answer) => answer === 'too-fast').length, 50);
  assert.equal(await store.history(ROOM, { limit: 10 }), [], 'and served later');
});
limits.run();

const mail = test('store: contacts and mail');

const contact = (key: string, seen = 5): Contact => {
  return { key, name: key, ip: '10.0.0.7', port: 4000, isOurs: false, isOnline: true, seen, heard: 2 };
};
const letter = (text: string, owner = 'ann'): NewMail => ({ owner, sender: 'bob', time: '10:11:12', text, at: 6 });
const textsOf = (mails: Mail[]) => mails.map(({ text }) => text);

/** A file in which a contact that is called `poison` can't be written. */
async function poisonedContacts(): Promise<string> {
  const file = await poisoned();
  const db = new DatabaseSync(file);
  db.exec(`CREATE TRIGGER poisonContact BEFORE INSERT ON contacts WHEN NEW.name = 'poison'
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`);
  db.close();
  return file;
}

mail('contacts are there again, the latest first', async () => {
  const file = newFile();
  const first = await open(file);
  const changing = { ...contact('ann', 7) };
  first.store.putContact(contact('eve', 6));
  first.store.putContact(contact('bob', 9));
  first.store.putContact({ ...contact('ann', 8), isOurs: true, isOnline: false });
  first.store.putContact(changing);
  changing.seen = 99;
  first.store.dropContact('eve');
  await first.store.close();
  const { store } = await open(file);
  assert.equal(store.start.contacts, [contact('bob', 9), contact('ann', 7)]);
});

mail('is there again, oldest first, until it is dropped', async () => {
  const file = newFile();
  const first = await open(file);
  const ids = [];
  for (const text of ['1', '2', '3']) ids.push(await first.store.addMail(letter(text)));
  await first.store.addMail({ ...letter('4', 'bob'), sender: undefined });
  await first.store.dropMail('ann', ids[0] as number);
  await first.store.close();
  const { store } = await open(file);
  assert.equal(await store.mailOf('ann'), [
    { ...letter('2'), id: ids[1] },
    { ...letter('3'), id: ids[2] },
  ]);
  assert.equal((await store.mailOf('bob'))[0]?.sender, undefined);
  await store.dropMail('ann', ids[2] as number);
  assert.equal([await store.mailOf('ann'), textsOf(await store.mailOf('bob'))], [[], ['4']]);
});

mail('a burst of it is written whole and in order, though a hundred questions wait', async () => {
  const { store } = await open(newFile());
  const reads = Array.from({ length: 100 }, () => store.mailOf('bob'));
  const owners = ['ann', 'bob', 'eve'];
  const adding = Array.from({ length: 1000 }, (_, i) => store.addMail(letter(`${i}`, owners[i % 3])));
  const ids = await Promise.all(adding);
  assert.equal(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  await Promise.all(reads);
  const all = await Promise.all(owners.map((owner) => store.mailOf(owner)));
  assert.equal(
    all.map(({ length }) => length),
    [334, 333, 333],
  );
});

mail('that nobody has waited for is seen by who asks', async () => {
  const { store } = await open(newFile());
  const adding = ['1', '2', '3'].map((text) => store.addMail(letter(text)));
  assert.equal(textsOf(await store.mailOf('ann')), ['1', '2', '3']);
  await Promise.all(adding);
});

mail('beyond a thousand for one is refused, and beyond a thousand that wait', async () => {
  const { store } = await open(newFile());
  const adding = Array.from({ length: 1500 }, (_, i) => refusal(store.addMail(letter(`${i}`, `${i % 2}`))));
  const answers = await Promise.all(adding);
  assert.is(answers.filter((answer) => answer === 'too-fast').length, 499, 'one is on its way at once');
  for (let id = 500; id < 1000; id += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.addMail(letter(`${id + i}`, '0')).catch(() => {})));
  }
  assert.is(await refusal(store.addMail(letter('x', '0'))), 'full');
  assert.is((await store.mailOf('0')).length, 1000);
  const both = [refusal(store.addMail(letter('x', '0'))), refusal(store.addMail(letter('y', '1')))];
  assert.equal(await Promise.all(both), ['full', 'no refusal']);
});

mail('goes with its contact, and not with the one who comes after', async () => {
  const { store } = await open(newFile());
  store.putContact(contact('ann'));
  const first = refusal(store.addMail(letter('1')));
  const second = refusal(store.addMail(letter('2')));
  store.dropContact('ann');
  store.putContact(contact('ann', 6));
  assert.equal(await store.mailOf('ann'), []);
  assert.equal(await Promise.all([first, second]), ['no refusal', 'not-saved']);
  await store.addMail(letter('3'));
  store.putContact(contact('ann', 7));
  assert.equal(textsOf(await store.mailOf('ann')), ['3']);
});

mail('is refused while what came before it can’t be written', async () => {
  const file = await poisonedContacts();
  const { store, troubles } = await open(file);
  store.putContact(contact('ann'));
  await store.addMail(letter('1'));
  store.dropContact('ann');
  store.putContact(contact('poison'));
  assert.is(await refusal(store.addMail(letter('2'))), 'not-saved', 'it would be dropped later');
  assert.equal(troubles, ['the disk is full']);
  assert.equal(textsOf(await store.mailOf('ann')), ['1']);
  for (let i = 0; i < 3; i++) {
    store.putContact({ ...contact('poison'), port: i });
    assert.is(await refusal(store.addMail(letter('3'))), 'not-saved');
  }
  store.putContact({ ...contact('poison'), name: 'cured' });
  store.putContact(contact('ann', 8));
  await store.addMail(letter('4'));
  assert.equal(textsOf(await store.mailOf('ann')), ['4']);
  await store.close();
  const db = new Database(file);
  assert.equal(
    db.contacts().map(({ name, seen }) => [name, seen]),
    [
      ['ann', 8],
      ['cured', 5],
    ],
  );
  db.close();
});

mail('contacts that change while they can’t be written are no more than there are contacts', async () => {
  const { store } = await open(await poisonedContacts(), { maxChanges: 3 });
  store.putContact(contact('poison'));
  for (let i = 0; i < 20; i++) {
    store.dropContact('ann');
    store.putContact(contact('ann', i));
    if (i % 4 === 0) await store.mailOf('ann');
  }
  await store.mailOf('ann');
  assert.not(store.isFull, 'one of Ann, and the other');
  store.addRoom(ROOM);
  assert.ok(store.isFull);
  store.putContact(contact('bob'));
  store.putContact({ ...contact('poison'), name: 'cured' });
  await store.mailOf('ann');
  assert.not(store.isFull);
});

mail('that the disk refuses is not kept', async () => {
  const file = await poisoned();
  const db = new DatabaseSync(file);
  db.exec(`CREATE TRIGGER poisonMail BEFORE INSERT ON mail WHEN NEW.text = 'poison'
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`);
  db.close();
  const { store } = await open(file);
  assert.is(await refusal(store.addMail(letter('poison'))), 'not-saved');
  await store.addMail(letter('1'));
  assert.equal(textsOf(await store.mailOf('ann')), ['1']);
});

mail('that was promised survives a SIGKILL', async () => {
  const file = newFile();
  const code = `
    const { WorkerStore } = await import(${JSON.stringify(MODULE)});
    const store = new WorkerStore({ onTrouble: console.error });
    await store.open(${JSON.stringify(file)});
    for (let n = 1; ; n++) {
      store.putContact({ ...${JSON.stringify(contact(''))}, key: String(n) });
      const mails = [1, 2, 3].map(() => store.addMail({ ...${JSON.stringify(letter('hi'))}, owner: String(n) }));
      await Promise.all(mails);
      process.stdout.write(n + '\\n');
    }`;
  const promised = await killed(code, 20);
  const { store } = await open(file);
  assert.ok(store.start.contacts.length >= promised);
  for (let n = 1; n <= promised; n++) assert.is((await store.mailOf(`${n}`)).length, 3);
});

mail('that waits is written by a close, and refused after it', async () => {
  const file = newFile();
  const { store, worker } = await open(file);
  const adding = Array.from({ length: 10 }, (_, i) => store.addMail(letter(`${i}`)));
  const closing = store.close();
  const late = refusal(store.addMail(letter('late')));
  await Promise.all([...adding, closing]);
  assert.equal(await Promise.all([late, refusal(store.addMail(letter('later')))]), ['not-saved', 'not-saved']);
  const again = await open(file);
  assert.is((await again.store.mailOf('ann')).length, 10);
  const all = Promise.all(['1', '2', '3'].map((text) => refusal(again.store.addMail(letter(text)))));
  await again.worker.terminate();
  assert.equal(await soon(all), ['not-saved', 'not-saved', 'not-saved']);
  again.store.putContact(contact('ann'));
  again.store.dropContact('ann');
  await worker.terminate();
});
mail.run();

const troubles = test('store: troubles');

troubles('a group that can’t be written is told, and the next one is', async () => {
  const { store, troubles } = await open(await poisoned());
  store.addRoom(ROOM);
  store.addPost(post(1, 'poison'), 1);
  assert.is(await refusal(store.saved(1)), 'not-saved');
  assert.equal(troubles, ['the disk is full']);
  store.addPost(post(2), 1);
  await store.saved(2);
  assert.equal(troubles, ['the disk is full', undefined]);
  assert.is(await refusal(store.saved(1)), 'not-saved', 'a lost post stays lost');
  await store.close();
});

troubles('what the disk says is not hidden by how much is waiting', async () => {
  let lost = 0;
  const onLost = (posts: number) => {
    lost += posts;
  };
  const { store, troubles, losses } = await open(await poisoned(), { maxUnsaved: 2, onLost });
  store.addPost(post(1, 'poison'), 1);
  assert.is(await refusal(store.saved(1)), 'not-saved');
  assert.is(lost, 1);
  for (let id = 2; id <= 3; id++) store.addPost(post(id), 1);
  const last = store.saved(3);
  store.addPost(post(4), 1);
  assert.equal(troubles, ['the disk is full']);
  await last;
  assert.equal([troubles, losses, lost], [['the disk is full', undefined], [2], 2]);
});

troubles('rooms and numbers of groups that failed are written later, in their order', async () => {
  const file = await poisoned();
  const { store } = await open(file);
  store.addRoom(ROOM);
  store.addPost(post(1, 'poison'), 1);
  const first = store.history(ROOM, { limit: 1 });
  store.addRef(1, 'lab', 0);
  store.addPost(post(2, 'poison'), 1);
  const second = store.history(ROOM, { limit: 1 });
  await Promise.all([first, second]);
  store.addPost(post(3), 1);
  assert.is(await refusal(store.saved(3)), 'no refusal');
  await store.close();
  const db = new Database(file);
  assert.equal(
    db.rooms().map(({ key, refs }) => [key, refs]),
    [['r', new Map([['lab', 0]])]],
  );
  db.close();
});

troubles('rooms of a group that failed are written though nothing else is', async () => {
  const { store } = await open(await poisoned(), { maxChanges: 1 });
  store.addRoom(ROOM);
  store.addPost(post(1, 'poison'), 1);
  assert.is(await refusal(store.saved(1)), 'not-saved');
  assert.ok(store.isFull);
  for (const until = performance.now() + 3000; store.isFull && performance.now() < until; ) await sleep(50);
  assert.not(store.isFull);
});

troubles('a thread that dies is told; nobody waits for ever and chat goes on', async () => {
  const { store, worker, troubles } = await open(newFile(), { maxChanges: 10 });
  store.addRoom(ROOM);
  store.addPost(post(1), 1);
  const waiting = refusal(store.saved(1));
  const reading = store.history(ROOM, { limit: 1 }).then(
    () => 'answered',
    () => 'refused',
  );
  await worker.terminate();
  assert.is(await waiting, 'not-saved');
  assert.is(await reading, 'refused');
  assert.is(troubles.length, 1);
  for (let id = 2; id <= 100; id++) store.addRoom(room(id, `${id}`));
  assert.not(store.isFull);
  for (let id = 2; id <= 100; id++) store.addPost(post(id), 1);
  assert.is(await refusal(store.saved(100)), 'not-saved');
  assert.is(await refusal(store.history(ROOM, { limit: 1 })), 'not-saved');
  assert.is(await refusal(store.addAccount(ANN)), 'not-saved');
  await store.close();
});

troubles('a thread that dies before its file is opened is a reason not to start', async () => {
  const { on } = Worker.prototype;
  let worker: Worker | undefined;
  Worker.prototype.on = function (this: Worker, ...args: Parameters<typeof on>) {
    worker = this;
    return on.apply(this, args);
  };
  const store = new WorkerStore({ onTrouble: () => {} });
  Worker.prototype.on = on;
  await worker?.terminate();
  const opening = store.open(newFile()).then(
    () => 'opened',
    (error: Error) => error.message,
  );
  assert.match(await soon(opening), /its thread ended/);
});

/** Fails where a promise would be waited for in vain. */
function soon<T>(promise: Promise<T>): Promise<T> {
  const late = new Promise<T>((_, reject) => setTimeout(() => reject(new Error('it waits')), 2000).unref());
  return Promise.race([promise, late]);
}

troubles('a close waits for nobody once the thread has died', async () => {
  const { store, worker } = await open(newFile());
  store.addPost(post(1), 1);
  const closing = store.close();
  await worker.terminate();
  await soon(closing);
});
troubles.run();
