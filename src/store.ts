// Layer 2. What is kept: rooms, their numbers, posts. SQLite runs in a thread of its own (store-worker.ts);
// this side gathers what is to be written and hands it over in groups a few milliseconds apart, so that a
// burst costs one fsync and chat never waits for the disk. All that waits is bounded: posts that come while
// too many are unwritten are not kept (and whoever waits for an acknowledgement gets none).

import { setImmediate, setTimeout } from 'node:timers';
import { Worker } from 'node:worker_threads';
import type { Change, PostColumns, PostRow } from './database.ts';
import { HouseError } from './errors.ts';
import type { Person, Post } from './events.ts';
import type { FromWorker, ToWorker } from './store-worker.ts';

export interface StoredRoom {
  readonly id: number;
  readonly key: string;
  readonly name: string;
  readonly made: number;
  /** Something was said in it. */
  readonly used: boolean;
  /** Its number in each dialect that numbers rooms. */
  readonly refs: Map<string, number>;
}

export interface Store {
  readonly rooms: readonly StoredRoom[];
  readonly lastPost: number;
  addRoom(room: StoredRoom): void;
  addRef(room: number, dialect: string, ref: number): void;
  dropRoom(room: number): void;
  addPost(post: Post, room: number): void;
  /** Settles when the post is on disk; rejects with `not-saved`. */
  saved(postId: number): Promise<void>;
  /** Oldest first. */
  history(room: StoredRoom, limit: number, before?: number): Promise<Post[]>;
  /** Writes what is left, then closes. */
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Told when writing fails (with the reason) and when it works again (undefined). */
  readonly onTrouble: (reason: string | undefined) => void;
  readonly maxUnsaved?: number;
}

/** Put in by build.mjs: the worker's code as a bundle. */
declare const STORE_WORKER: string;

const GROUP_MS = 3;
const RETRY_MS = 1000;
const MAX_UNSAVED = 50_000;
const MAX_UNSAVED_CHARS = 32 * 1024 * 1024;
const MAX_READS = 100;
export const MAX_HISTORY = 1000;
const CLOSE_MS = 5000;

interface Waiter {
  readonly id: number;
  resolve(): void;
  reject(error: HouseError): void;
}

interface InFlight {
  readonly changes: Change[];
  readonly posts: number;
  readonly chars: number;
  readonly lastId: number;
}

/** Starts the worker's thread; `open` is called later, when the port is known to be ours. */
export class WorkerStore implements Store {
  readonly rooms: StoredRoom[] = [];
  lastPost = 0;
  readonly #worker: Worker;
  readonly #onTrouble: (reason: string | undefined) => void;
  readonly #maxUnsaved: number;
  #changes: Change[] = [];
  /** Changes of groups that failed, in their order: posts to come need them. */
  #retries: Change[] = [];
  #posts = noPosts();
  #chars = 0;
  readonly #inFlight: InFlight[] = [];
  #unsaved = 0;
  #unsavedChars = 0;
  #savedUpTo = 0;
  /** The newest post that was not kept; those before it are not told apart from it any more. */
  #lostUpTo = 0;
  #waiters: Waiter[] = [];
  readonly #reads = new Map<number, { room: StoredRoom; resolve(posts: Post[]): void; reject(error: Error): void }>();
  #nextRead = 1;
  #scheduled = false;
  #failing = false;
  #lastGroupAt = 0;
  #trouble: string | undefined;
  #opened: { resolve(): void; reject(error: Error): void } | undefined;
  #closed: (() => void) | undefined;
  #dead = false;

  constructor({ onTrouble, maxUnsaved = MAX_UNSAVED }: StoreOptions) {
    this.#onTrouble = onTrouble;
    this.#maxUnsaved = maxUnsaved;
    this.#worker =
      typeof STORE_WORKER === 'string'
        ? new Worker(STORE_WORKER, { eval: true })
        : new Worker(new URL('./store-worker.ts', import.meta.url));
    this.#worker.on('message', (message: FromWorker) => this.#answered(message));
    this.#worker.on('error', (error: Error) => this.#died(error.message));
    this.#worker.on('exit', () => this.#died('its thread ended'));
  }

  /** Rejects with an Error that can be shown to the operator. */
  open(file: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opened = { resolve, reject };
      this.#send({ op: 'open', file });
    });
  }

  addRoom({ id, key, name, made }: StoredRoom): void {
    this.#change({ kind: 'room', id, key, name, made });
  }

  addRef(room: number, dialect: string, ref: number): void {
    this.#change({ kind: 'ref', room, dialect, ref });
  }

  dropRoom(room: number): void {
    this.#change({ kind: 'drop', room });
  }

  addPost(post: Post, room: number): void {
    if (this.#unsaved >= this.#maxUnsaved || this.#unsavedChars >= MAX_UNSAVED_CHARS) {
      this.#setTrouble('too much is waiting to be written');
      this.#lostUpTo = post.id;
      return;
    }
    this.#unsaved++;
    this.#unsavedChars += post.text.length;
    this.#chars += post.text.length;
    const { id, room: rooms, at, name, dialect, text } = this.#posts;
    id.push(post.id);
    rooms.push(room);
    at.push(post.at);
    name.push(post.who.name);
    dialect.push(post.who.dialect);
    text.push(post.text);
    this.#schedule();
  }

  saved(postId: number): Promise<void> {
    if (postId <= this.#lostUpTo || this.#dead) return Promise.reject(notSaved());
    if (postId <= this.#savedUpTo) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ id: postId, resolve, reject }));
  }

  history(room: StoredRoom, limit: number, before?: number): Promise<Post[]> {
    if (this.#reads.size >= MAX_READS || this.#dead) {
      return Promise.reject(new HouseError('too-fast', 'the history is busy, try again later'));
    }
    this.#flush();
    const id = this.#nextRead++;
    this.#send({ op: 'history', id, room: room.id, limit: Math.min(limit, MAX_HISTORY), ...(before && { before }) });
    return new Promise((resolve, reject) => this.#reads.set(id, { room, resolve, reject }));
  }

  async close(): Promise<void> {
    if (this.#dead) return;
    this.#flush();
    await new Promise<void>((resolve) => {
      this.#closed = resolve;
      this.#send({ op: 'close' });
      setTimeout(resolve, CLOSE_MS).unref();
    });
    this.#dead = true;
    await this.#worker.terminate();
  }

  #change(change: Change): void {
    this.#changes.push(change);
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
    const posts = this.#posts;
    const changes = [...this.#retries, ...this.#changes];
    if ((posts.id.length === 0 && changes.length === 0) || this.#dead) return;
    const lastId = posts.id.at(-1) ?? this.#inFlight.at(-1)?.lastId ?? this.#savedUpTo;
    this.#inFlight.push({ changes, posts: posts.id.length, chars: this.#chars, lastId });
    this.#retries = [];
    this.#changes = [];
    this.#posts = noPosts();
    this.#chars = 0;
    this.#lastGroupAt = performance.now();
    this.#send({ op: 'write', group: { changes, posts } });
  }

  #answered(message: FromWorker): void {
    switch (message.op) {
      case 'opened':
        for (const row of message.rooms) this.rooms.push({ ...row, refs: new Map(row.refs) });
        this.lastPost = message.lastPost;
        this.#savedUpTo = message.lastPost;
        this.#opened?.resolve();
        return;
      case 'refused':
        this.#opened?.reject(new Error(message.message));
        return;
      case 'written':
        this.#written(message.error);
        return;
      case 'history': {
        const read = this.#reads.get(message.id);
        this.#reads.delete(message.id);
        if (!read) return;
        if (message.error !== undefined) read.reject(new Error(message.error));
        else read.resolve(message.posts.map((row) => postOf(row, read.room)));
        return;
      }
      case 'closed':
        this.#closed?.();
    }
  }

  #written(error: string | undefined): void {
    const group = this.#inFlight.shift();
    if (!group) return;
    this.#unsaved -= group.posts;
    this.#unsavedChars -= group.chars;
    if (error !== undefined) {
      this.#retries.push(...group.changes);
      if (group.posts > 0) this.#lostUpTo = group.lastId;
    } else this.#savedUpTo = group.lastId;
    this.#failing = error !== undefined;
    this.#setTrouble(error);
    this.#settle(group.lastId, error === undefined);
    if (this.#retries.length > 0 || this.#changes.length > 0 || this.#posts.id.length > 0) this.#schedule();
  }

  #settle(upTo: number, ok: boolean): void {
    let done = 0;
    for (; done < this.#waiters.length && (this.#waiters[done] as Waiter).id <= upTo; done++) {
      const waiter = this.#waiters[done] as Waiter;
      if (ok) waiter.resolve();
      else waiter.reject(notSaved());
    }
    this.#waiters.splice(0, done);
  }

  #setTrouble(reason: string | undefined): void {
    if (reason === this.#trouble) return;
    this.#trouble = reason;
    this.#onTrouble(reason);
  }

  /** The thread is gone: chat goes on, nothing more is kept. */
  #died(reason: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#setTrouble(`the store has stopped: ${reason}`);
    this.#opened?.reject(new Error(reason));
    this.#settle(Number.POSITIVE_INFINITY, false);
    for (const read of this.#reads.values()) read.reject(new Error(reason));
    this.#reads.clear();
    this.#closed?.();
  }
}

function noPosts(): PostColumns {
  return { id: [], room: [], at: [], name: [], dialect: [], text: [] };
}

function notSaved(): HouseError {
  return new HouseError('not-saved', 'the message could not be stored');
}

function postOf({ id, at, name, dialect, text }: PostRow, room: StoredRoom): Post {
  const who: Person = { id: '', name, nick: name, dialect };
  return { kind: 'post', id, room: room.key, who, at, text };
}
