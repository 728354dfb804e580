// Layer 2. What is kept: rooms, their numbers, posts, contacts and their mail. SQLite runs in a thread of its own
// (store-worker.ts); this side gathers what is to be written and hands it over in groups a few milliseconds
// apart, so that a burst costs one fsync and chat never waits for the disk. All that waits is bounded: posts that
// come while too many are unwritten are not kept (and whoever waits for an acknowledgement gets none), and rooms,
// numbers and mail are refused.

import { setImmediate, setTimeout } from 'node:timers';
import { Worker } from 'node:worker_threads';
import type { StoredBan } from './bans.ts';
import type {
  Account,
  Change,
  Database,
  HistoryRange,
  LastPost,
  RoomChange,
  SearchOptions,
  StoredRoom,
  Talk,
  TalksRange,
} from './database.ts';
import { HouseError } from './errors.ts';
import type { KeptWhisper, Post } from './events.ts';
import { whisperOf } from './kept-whispers.ts';
import { MailQueue } from './mail-queue.ts';
import { type Contact, type ContactChange, type Mail, mergeChanges, type NewMail } from './mail-tables.ts';
import { postOf } from './post-columns.ts';
import { Questions } from './questions.ts';
import { notSaved, SavedPosts } from './saved-posts.ts';
import type { Found, Store } from './store-contract.ts';
import type { FromWorker, Method, StoreStart, ToWorker } from './store-worker.ts';
import { Unwritten } from './unwritten.ts';

export type * from './database-rows.ts';
export type { Contact, Mail, NewMail } from './mail-tables.ts';
export type { Found, Store } from './store-contract.ts';

export interface StoreOptions {
  /**
   * Told of trouble (the reason), and when it is over (undefined), or at the end, how many posts were not kept meanwhile.
   */
  readonly onTrouble: (reason: string | undefined, lost: number) => void;
  /** So many posts are lost: they were said, and are not kept. */
  readonly onLost?: (posts: number) => void;
  readonly maxUnsaved?: number;
  readonly maxChanges?: number;
}

/** Put in by build.mjs: the worker's code as a bundle. */
declare const STORE_WORKER: string;

const GROUP_MS = 3;
const RETRY_MS = 1000;
const MAX_UNSAVED = 50_000;
const MAX_CHANGES = 20_000;
/** A trouble is over when less than this part of what may wait is waiting. */
const RECOVERED = 1 / 2;
export const MAX_HISTORY = 1000;
/** Rooms that are looked at in one question. */
const MAX_LAST_POSTS = 1000;
const CLOSE_MS = 5000;

interface InFlight {
  readonly changes: number;
  /** Of posts and whispers. */
  readonly count: number;
  readonly chars: number;
  readonly lastId: number;
}

/** Starts the worker's thread; `open` is called later, when the port is known to be ours. */
export class WorkerStore implements Store {
  readonly rooms: StoredRoom[] = [];
  start: StoreStart = { lastPost: 0, lastRoom: 0, lastRefs: [], resting: 0, accounts: [], contacts: [] };
  readonly #worker: Worker;
  readonly #onTrouble: StoreOptions['onTrouble'];
  readonly #onLost: (posts: number) => void;
  readonly #maxChanges: number;
  #changes: Change[] = [];
  readonly #contacts = new Map<string, ContactChange>();
  readonly #rules = new Map<number, RoomChange>();
  /** So many changes of groups that failed are waiting in the thread for the next one. */
  #owed = 0;
  readonly #said: Unwritten;
  readonly #inFlight: InFlight[] = [];
  readonly #saved = new SavedPosts();
  readonly #questions = new Questions((question) => this.#send(question));
  readonly #mails = new MailQueue((mails) => this.#askNow('addMails', mails));
  #scheduled = false;
  #failing = false;
  #lastGroupAt = 0;
  #trouble: string | undefined;
  /** Posts that were not kept since the trouble began. */
  #lost = 0;
  #opened: { resolve(): void; reject(error: Error): void } | undefined;
  #closed: (() => void) | undefined;
  #dead = false;

  constructor({ onTrouble, onLost = () => {}, maxUnsaved = MAX_UNSAVED, maxChanges = MAX_CHANGES }: StoreOptions) {
    this.#onTrouble = onTrouble;
    this.#onLost = onLost;
    this.#said = new Unwritten(maxUnsaved);
    this.#maxChanges = maxChanges;
    this.#worker =
      typeof STORE_WORKER === 'string'
        ? new Worker(STORE_WORKER, { eval: true })
        : new Worker(new URL('./store-worker.ts', import.meta.url));
    this.#worker.on('message', (message: FromWorker) => this.#answered(message));
    this.#worker.on('error', (error: Error) => this.#died(error.message));
    this.#worker.on('exit', () => this.#died('its thread ended'));
  }

  /**
   * Loads at most `maxRooms`; whispers are kept for `whisperMs`. Rejects with an Error that can be shown to the
   * operator.
   */
  open(file: string, maxRooms = Number.MAX_SAFE_INTEGER, whisperMs = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#dead) return Promise.reject(new Error(this.#trouble));
    return new Promise((resolve, reject) => {
      this.#opened = { resolve, reject };
      this.#send({ op: 'open', file, rooms: maxRooms, whisperMs });
    });
  }

  /** So much waits to be written that rooms and numbers are refused. */
  get isFull(): boolean {
    const onTheirWay = this.#inFlight.reduce((sum, { changes }) => sum + changes, 0);
    const waiting = this.#changes.length + this.#rules.size + this.#contacts.size + onTheirWay + this.#owed;
    return waiting >= this.#maxChanges && !this.#dead;
  }

  addRoom({ used: _used, refs: _refs, rules: _rules, ...room }: StoredRoom): void {
    this.#refuseIfFull();
    this.#change({ kind: 'room', ...room });
  }

  addRef(room: number, dialect: string, ref: number): void {
    this.#refuseIfFull();
    this.#change({ kind: 'ref', room, dialect, ref });
  }

  putRules({ id, description, password, rules }: StoredRoom): void {
    if (this.#dead) return;
    this.#rules.set(id, { kind: 'rules', room: id, description, password, rules });
    this.#schedule();
  }

  dropRoom(room: number): void {
    this.#rules.delete(room);
    this.#change({ kind: 'drop', room });
  }

  addPost(post: Post, room: number): void {
    if (!this.#hasPlace(post.id)) return;
    this.#said.addPost(post, room);
    this.#schedule();
  }

  addWhisper(whisper: KeptWhisper): void {
    if (!this.#hasPlace(whisper.id)) return;
    this.#said.addWhisper(whisper);
    this.#schedule();
  }

  saved(postId: number): Promise<void> {
    return this.#dead ? Promise.reject(notSaved()) : this.#saved.saved(postId);
  }

  findRoom(key: string): Promise<StoredRoom | undefined> {
    return this.#ask('findRoom', key);
  }

  async history(room: StoredRoom, range: HistoryRange): Promise<Post[]> {
    const limit = Math.max(Math.min(range.limit, MAX_HISTORY), 0);
    const rows = await this.#ask('history', room.id, { ...range, limit });
    return rows.map((row) => postOf(row, room.key));
  }

  lastPosts(rooms: readonly number[], range: Pick<HistoryRange, 'before' | 'after'>): Promise<LastPost[]> {
    return this.#ask('lastPosts', rooms.slice(0, MAX_LAST_POSTS), range);
  }

  async whispers(account: string, other: string, range: HistoryRange): Promise<KeptWhisper[]> {
    const limit = Math.max(Math.min(range.limit, MAX_HISTORY), 0);
    const rows = await this.#ask('whispers', account, other, { ...range, limit });
    return rows.map(whisperOf);
  }

  talks(account: string, range: TalksRange): Promise<Talk[]> {
    return this.#ask('talks', account, range);
  }

  marker(account: string, target: string): Promise<number | undefined> {
    return this.#ask('marker', account, target);
  }

  setMarker(account: string, target: string, at: number): Promise<number> {
    return this.#ask('setMarker', account, target, at);
  }

  makeRoom(room: StoredRoom): Promise<void> {
    return this.#ask('makeRoom', room);
  }

  deleteRoom(id: number): Promise<void> {
    return this.#ask('deleteRoom', id);
  }

  addAccount(account: Account): Promise<void> {
    return this.#ask('addAccount', account);
  }

  setHash(key: string, hash: string): Promise<void> {
    return this.#ask('setHash', key, hash);
  }

  findAccount(key: string): Promise<Account | undefined> {
    return this.#ask('findAccount', key);
  }

  putContact(contact: Contact): void {
    this.#changeContact({ kind: 'contact', key: contact.key, isDropped: false, contact: { ...contact } });
  }

  dropContact(key: string): void {
    this.#mails.drop(key);
    this.#changeContact({ kind: 'contact', key, isDropped: true, contact: undefined });
  }

  addMail(mail: NewMail): Promise<number> {
    return this.#mails.add(mail);
  }

  mailOf(owner: string): Promise<Mail[]> {
    return this.#ask('mailOf', owner);
  }

  dropMail(owner: string, upTo: number): Promise<void> {
    return this.#ask('dropMail', owner, upTo);
  }

  /** As an operator has said; asked once, at the start. */
  bans(): Promise<StoredBan[]> {
    return this.#ask('bans');
  }

  putBan(ban: StoredBan): Promise<void> {
    return this.#ask('putBan', ban);
  }

  dropBan(kind: StoredBan['kind'], key: string): Promise<void> {
    return this.#ask('dropBan', kind, key);
  }

  async search(words: string, options: SearchOptions): Promise<Found[]> {
    const rows = await this.#ask('search', words, options);
    return rows.map(({ post, room, roomName }) => ({ post: postOf(post, room), roomName }));
  }

  /** What was handed over before is written first. */
  #ask<M extends Method>(method: M, ...args: Parameters<Database[M]>): Promise<ReturnType<Database[M]>> {
    if (this.#questions.areTooMany) {
      return Promise.reject(new HouseError('too-fast', 'the store is busy, try again later'));
    }
    this.#mails.handOver();
    return this.#askNow(method, ...args);
  }

  #askNow<M extends Method>(method: M, ...args: Parameters<Database[M]>): Promise<ReturnType<Database[M]>> {
    if (this.#dead) return Promise.reject(new HouseError('not-saved', 'the store has stopped'));
    this.#flush();
    return this.#questions.ask(method, args);
  }

  async close(): Promise<void> {
    if (this.#dead) return;
    this.#mails.handOver();
    this.#flush();
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      this.#send({ op: 'close' });
      setTimeout(resolve, CLOSE_MS).unref();
    });
    this.#dead = true;
    this.#abandon('the store is closed');
    if (this.#lost > 0) this.#onTrouble(this.#trouble, this.#lost);
    await this.#worker.terminate();
  }

  #refuseIfFull(): void {
    if (this.isFull) throw new HouseError('full', 'too much is waiting to be written');
  }

  /** What finds none is lost. */
  #hasPlace(postId: number): boolean {
    if (this.#dead) {
      this.#onLost(1);
      return false;
    }
    if (this.#said.filled < 1) return true;
    this.#lose(1, postId);
    // what the disk says explains more
    if (this.#trouble === undefined) this.#setTrouble('too much is waiting to be written');
    return false;
  }

  #change(change: Change): void {
    if (this.#dead) return;
    this.#changes.push(change);
    this.#schedule();
  }

  #changeContact(change: ContactChange): void {
    if (this.#dead) return;
    this.#contacts.set(change.key, mergeChanges(this.#contacts.get(change.key), change));
    this.#schedule();
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** One group is on its way at a time; what comes meanwhile is the next. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0 || this.#dead) return;
    this.#scheduled = true;
    const wait = this.#lastGroupAt + (this.#failing ? RETRY_MS : GROUP_MS) - performance.now();
    const flush = () => this.#flush();
    if (wait > 0) setTimeout(flush, wait);
    else setImmediate(flush);
  }

  #flush(): void {
    this.#scheduled = false;
    if (!this.#hasMore() || this.#dead) return;
    const {
      posts,
      whispers,
      count,
      chars,
      lastId = this.#inFlight.at(-1)?.lastId ?? this.#saved.upTo,
    } = this.#said.handOver();
    const changes = [...this.#changes, ...this.#rules.values(), ...this.#contacts.values()];
    this.#inFlight.push({ changes: changes.length, count, chars, lastId });
    this.#changes = [];
    this.#rules.clear();
    this.#contacts.clear();
    this.#lastGroupAt = performance.now();
    this.#send({ op: 'write', group: { changes, posts, whispers } });
  }

  /** What is owed goes with whatever is on its way. */
  #hasMore(): boolean {
    const isOwed = this.#owed > 0 && this.#inFlight.length === 0;
    const isChanged = this.#changes.length > 0 || this.#rules.size > 0 || this.#contacts.size > 0;
    return isOwed || isChanged || this.#said.count > 0;
  }

  #answered(message: FromWorker): void {
    switch (message.op) {
      case 'opened':
        this.rooms.push(...message.rooms);
        this.start = message.start;
        this.#saved.upTo = message.start.lastPost;
        this.#opened?.resolve();
        return;
      case 'refused':
        this.#opened?.reject(new Error(message.message));
        return;
      case 'written':
        this.#written(message.owed, message.error);
        return;
      case 'answer':
        this.#questions.settle(message);
        return;
      case 'closed':
        this.#closed?.();
    }
  }

  #written(owed: number, error: string | undefined): void {
    const group = this.#inFlight.shift();
    if (!group) return;
    this.#said.written(group);
    this.#owed = owed;
    if (error !== undefined) {
      if (group.count > 0) this.#lose(group.count, group.lastId);
    }
    this.#failing = error !== undefined;
    // not over while the next burst would bring it back
    if (error !== undefined || this.#said.filled < RECOVERED) this.#setTrouble(error);
    this.#saved.settle(group.lastId, error === undefined);
    if (this.#hasMore()) this.#schedule();
  }

  #lose(posts: number, upTo: number): void {
    this.#lost += posts;
    this.#saved.lost(upTo);
    this.#onLost(posts);
  }

  #setTrouble(reason: string | undefined): void {
    if (reason === this.#trouble) return;
    this.#trouble = reason;
    this.#onTrouble(reason, this.#lost);
    if (reason === undefined) this.#lost = 0;
  }

  /** The thread is gone: chat goes on, nothing more is kept. */
  #died(reason: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#setTrouble(`the store has stopped: ${reason}`);
    this.#opened?.reject(new Error(reason));
    this.#abandon('the store has stopped');
    this.#closed?.();
  }

  /** Nobody waits for what will not come. */
  #abandon(reason: string): void {
    this.#saved.settle(Number.POSITIVE_INFINITY, false);
    this.#questions.abandon(reason);
  }
}
