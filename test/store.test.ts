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
import type { Post } from '../src/events.ts';
import { MAX_HISTORY, type StoredRoom, type StoreOptions, WorkerStore } from '../src/store.ts';
import { program, refusal } from './fakes.ts';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-store-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newFile = () => path.join(directory, `${++files}.db`);

const who = { id: '1.1', name: 'ann', nick: 'ann', dialect: 'lab' };
const post = (id: number, text = `${id}`): Post => ({ kind: 'post', id, room: 'r', who, at: 1000 + id, text });
const room = (id: number, key = 'r'): StoredRoom => ({ id, key, name: key, made: 5, used: false, refs: new Map() });
const ROOM = room(1);

interface Opened {
  readonly store: WorkerStore;
  readonly worker: Worker;
  readonly troubles: Array<string | undefined>;
  /** How many posts each trouble that is over has cost. */
  readonly losses: number[];
}

const stores: WorkerStore[] = [];

async function open(file: string, options: Partial<StoreOptions> = {}, maxRooms?: number): Promise<Opened> {
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
  const opened = store.open(file, maxRooms);
  Worker.prototype.postMessage = postMessage;
  await opened;
  return { store, worker: worker as Worker, troubles, losses };
}

const texts = (posts: Post[]) => posts.map(({ text }) => text);

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
  assert.equal(store.start, { lastPost: 2, lastRoom: 5, lastRefs: [['lab', 9]], resting: 2 });
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
  const [kept] = await store.history(ROOM, 10);
  assert.equal([kept?.id, kept?.room, kept?.at, kept?.who.name, kept?.who.dialect], [1, 'r', 1001, 'ann', 'lab']);
});

keeps('what was promised survives a SIGKILL', async () => {
  const file = newFile();
  const module = new URL('../src/store.ts', import.meta.url).href;
  const code = `
    const { WorkerStore } = await import(${JSON.stringify(module)});
    const store = new WorkerStore({ onTrouble: console.error });
    await store.open(${JSON.stringify(file)});
    store.addRoom({ id: 1, key: 'r', name: 'r', made: 5, used: false, refs: new Map() });
    const who = { id: '1.1', name: 'ann', nick: 'ann', dialect: 'lab' };
    for (let id = 1; ; id++) {
      store.addPost({ kind: 'post', id, room: 'r', who, at: id, text: String(id) }, 1);
      if (id % 3 === 0) await store.saved(id).then(() => process.stdout.write(id + '\\n'));
    }`;
  const child = spawn(process.execPath, program(directory, code), { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.split('\n').length > 30) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('close', resolve));
  const promised = Number(output.split('\n').at(-2));
  assert.ok(promised >= 90, output);
  const db = new Database(file);
  assert.ok(db.lastPost() >= promised, `${db.lastPost()} of ${promised}`);
  const wanted = Array.from({ length: promised }, (_, i) => `${i + 1}`);
  assert.equal(
    db.history(1, promised, promised + 1).map(({ text }) => text),
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
  assert.equal(texts(await store.history(ROOM, 2)), ['4', '5']);
  assert.equal(texts(await store.history(ROOM, 2, 4)), ['2', '3']);
});

keeps('history is bounded however much is asked for', async () => {
  const { store } = await open(':memory:');
  for (let id = 1; id <= MAX_HISTORY + 5; id++) store.addPost(post(id), 1);
  assert.is((await store.history(ROOM, 1e9)).length, MAX_HISTORY);
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
keeps.run();

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
  assert.equal(texts(await store.history(ROOM, 3)), ['9', '10', '16']);
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
  const reading = store.history(ROOM, 1);
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

limits('readers beyond a hundred are sent away', async () => {
  const { store } = await open(newFile());
  const reads = Array.from({ length: 150 }, () => refusal(store.history(ROOM, 10)));
  const answers = await Promise.all(reads);
  assert.is(answers.filter((answer) => answer === 'no refusal').length, 100);
  assert.is(answers.filter((answer) => answer === 'too-fast').length, 50);
  assert.equal(await store.history(ROOM, 10), [], 'and served later');
});
limits.run();

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
  const { store, troubles, losses } = await open(await poisoned(), { maxUnsaved: 2 });
  store.addPost(post(1, 'poison'), 1);
  assert.is(await refusal(store.saved(1)), 'not-saved');
  for (let id = 2; id <= 3; id++) store.addPost(post(id), 1);
  const last = store.saved(3);
  store.addPost(post(4), 1);
  assert.equal(troubles, ['the disk is full']);
  await last;
  assert.equal([troubles, losses], [['the disk is full', undefined], [2]]);
});

troubles('rooms and numbers of groups that failed are written later, in their order', async () => {
  const file = await poisoned();
  const { store } = await open(file);
  store.addRoom(ROOM);
  store.addPost(post(1, 'poison'), 1);
  const first = store.history(ROOM, 1);
  store.addRef(1, 'lab', 0);
  store.addPost(post(2, 'poison'), 1);
  const second = store.history(ROOM, 1);
  await Promise.all([first, second]);
  store.addPost(post(3), 1);
  assert.is(await refusal(store.saved(3)), 'no refusal');
  await store.close();
  const db = new Database(file);
  assert.equal(
    db.rooms().map(({ key, refs }) => [key, refs]),
    [['r', [['lab', 0]]]],
  );
  db.close();
});

troubles('a thread that dies is told; nobody waits for ever and chat goes on', async () => {
  const { store, worker, troubles } = await open(newFile(), { maxChanges: 10 });
  store.addRoom(ROOM);
  store.addPost(post(1), 1);
  const waiting = refusal(store.saved(1));
  const reading = store.history(ROOM, 1).then(
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
  assert.is(await refusal(store.history(ROOM, 1)), 'too-fast');
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
