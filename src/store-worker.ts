// Layer 2. The store's own thread: SQLite waits for the disk here, so that nobody else does. What can be done later
// (new posts are indexed for searches, deleted rooms' posts and old whispers taken away) is done when nothing has been
// written for a moment, a batch in each turn, so that what is to be written goes between.

import { clearTimeout, setImmediate, setInterval, setTimeout } from 'node:timers';
import { parentPort } from 'node:worker_threads';
import { type Change, Database, type Group, type StoredRoom } from './database.ts';
import { explain } from './database-file.ts';
import { type HouseCode, HouseError } from './errors.ts';
import { type Contact, type ContactChange, mergeChanges } from './mail-tables.ts';

/** What may be asked of the database; each question sees what was written before it. */
export type Method =
  | 'findRoom'
  | 'history'
  | 'lastPosts'
  | 'whispers'
  | 'talks'
  | 'marker'
  | 'setMarker'
  | 'makeRoom'
  | 'deleteRoom'
  | 'addAccount'
  | 'setHash'
  | 'findAccount'
  | 'addMails'
  | 'mailOf'
  | 'dropMail'
  | 'bans'
  | 'putBan'
  | 'dropBan'
  | 'search';

export interface Question {
  readonly op: 'ask';
  readonly id: number;
  readonly method: Method;
  /** Of the method of that name. */
  readonly args: readonly unknown[];
}

export type ToWorker =
  | { readonly op: 'open'; readonly file: string; readonly rooms: number; readonly whisperMs: number }
  | { readonly op: 'write'; readonly group: Group }
  | Question
  | { readonly op: 'close' };

/** The code is missing where it is a bug. */
export interface Refusal {
  readonly code?: HouseCode;
  readonly message: string;
}

/** Questions are answered in any order. */
export interface Answer {
  readonly op: 'answer';
  readonly id: number;
  readonly value?: unknown;
  readonly refusal?: Refusal;
}

export type FromWorker =
  | { readonly op: 'opened'; readonly rooms: StoredRoom[]; readonly start: StoreStart }
  | { readonly op: 'refused'; readonly message: string }
  /**
   * Answers to `write`, in its order; an error's message when nothing was written. The posts of that group are lost
   * then; its changes are kept here for the next one: so many are.
   */
  | { readonly op: 'written'; readonly owed: number; readonly error?: string }
  | Answer
  | { readonly op: 'closed' };

/** Where the numbers of a store go on. */
export interface StoreStart {
  readonly lastPost: number;
  readonly lastRoom: number;
  readonly lastRefs: ReadonlyArray<readonly [dialect: string, ref: number]>;
  /** Rooms that are in the file and were not loaded. */
  readonly resting: number;
  /** The keys of all accounts. */
  readonly accounts: readonly string[];
  /** At most the 10,000 seen last, the latest first. */
  readonly contacts: readonly Contact[];
}

const IDLE_MS = 50;
/** Where there is never a pause, no more than this piles up. */
const LATEST_MS = 2000;
/** Where nothing is written, what is too old goes all the same. */
const TIDY_EVERY_MS = 3_600_000;

let database: Database | undefined;
/** The changes of groups that failed. They come before those of the next one: what is later may need them. */
let owed: Change[] = [];
/** Searches that wait until all is indexed that was written before them. */
const searches: Question[] = [];
/** So long are whispers kept. */
let whisperMs = Number.POSITIVE_INFINITY;
let timer: ReturnType<typeof setTimeout> | undefined;
let latest = 0;
/** A batch is done in each turn. */
let isBusy = false;

function send(message: FromWorker): void {
  parentPort?.postMessage(message);
}

function open(file: string, mostRooms: number): FromWorker {
  try {
    const db = new Database(file);
    database = db;
    const rooms = db.rooms(mostRooms);
    const resting = db.roomCount() - rooms.length;
    const numbers = { lastPost: db.lastPost(), lastRoom: db.lastRoom(), lastRefs: db.lastRefs() };
    return { op: 'opened', rooms, start: { ...numbers, resting, accounts: db.accounts(), contacts: db.contacts() } };
  } catch (error) {
    return { op: 'refused', message: explain(file, error) };
  }
}

function write({ changes, posts, whispers }: Group): FromWorker {
  const all = owed.length > 0 ? joined(owed, changes) : changes;
  try {
    database?.write({ changes: all, posts, whispers });
    owed = [];
    return { op: 'written', owed: 0 };
  } catch (error) {
    owed = all;
    return { op: 'written', owed: owed.length, error: (error as Error).message };
  }
}

/** Both in their order; of each contact and room there is one change only, whatever number of times it is tried again. */
function joined(older: Change[], newer: Change[]): Change[] {
  const others: Change[] = [];
  const rules = new Map<number, Change>();
  const contacts = new Map<string, ContactChange>();
  for (const change of [...older, ...newer]) {
    if (change.kind === 'contact') contacts.set(change.key, mergeChanges(contacts.get(change.key), change));
    else if (change.kind === 'rules') rules.set(change.room, change);
    else others.push(change);
  }
  return [...others, ...rules.values(), ...contacts.values()];
}

function answer({ id, method, args }: Question): FromWorker {
  try {
    if (!database) throw new HouseError('not-saved', 'the store is closed');
    // what is owed may take its owner away, with all mail; or the owner is not on disk
    if (method === 'addMails' && owed.length > 0) throw new HouseError('not-saved', 'the message could not be stored');
    return { op: 'answer', id, value: Reflect.apply(database[method], database, args) };
  } catch (error) {
    return { op: 'answer', id, refusal: refusalOf(error) };
  }
}

function refusalOf(error: unknown): Refusal {
  const { message, code } = error as Error & { code?: string };
  if (error instanceof HouseError) return { code: error.code, message };
  return code === 'ERR_SQLITE_ERROR' ? { code: 'not-saved', message: `the store failed: ${message}` } : { message };
}

/** After a pause in writing. */
function tidySoon(): void {
  if (isBusy) return;
  const now = performance.now();
  if (timer === undefined) latest = now + LATEST_MS;
  else if (now + IDLE_MS > latest) return;
  clearTimeout(timer);
  timer = setTimeout(tidy, IDLE_MS);
}

function tidy(): void {
  clearTimeout(timer);
  timer = undefined;
  isBusy = tidyBatch();
  if (isBusy) setImmediate(tidy);
}

/** True when there is more to be done. What the disk refuses is tried again after the next write. */
function tidyBatch(): boolean {
  try {
    if (database?.index()) return true;
    for (const search of searches.splice(0)) send(answer(search));
    if (database?.tidy()) return true;
    return database?.forgetWhispers(Date.now() - whisperMs) ?? false;
  } catch (error) {
    const refusal = refusalOf(error);
    for (const { id } of searches.splice(0)) send({ op: 'answer', id, refusal });
    return false;
  }
}

/** Searches that still wait are refused. */
function close(): void {
  database?.close();
  database = undefined;
  tidyBatch();
  send({ op: 'closed' });
}

function hear(message: ToWorker): void {
  switch (message.op) {
    case 'open':
      whisperMs = message.whisperMs;
      setInterval(tidySoon, TIDY_EVERY_MS).unref();
      send(open(message.file, message.rooms));
      return tidySoon();
    case 'write':
      send(write(message.group));
      return tidySoon();
    case 'ask':
      if (message.method === 'search') {
        searches.push(message);
        if (!isBusy) tidy();
        return;
      }
      send(answer(message));
      return message.method === 'deleteRoom' ? tidySoon() : undefined;
    case 'close':
      return close();
  }
}

parentPort?.on('message', hear);
