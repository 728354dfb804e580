// Layer 2. What the house wants of a store, whatever it is made of.

import type { Account, HistoryRange, LastPost, SearchOptions, StoredRoom, Talk, TalksRange } from './database.ts';
import type { KeptWhisper, Post } from './events.ts';
import type { Contact, Mail, NewMail } from './mail-tables.ts';
import type { StoreStart } from './store-worker.ts';

export interface Found {
  readonly post: Post;
  readonly roomName: string;
}

export interface Store {
  readonly rooms: readonly StoredRoom[];
  /** Where its numbers go on, and how many rooms it has besides. */
  readonly start: StoreStart;
  /** Throws `full` when too much waits to be written. */
  addRoom(room: StoredRoom): void;
  /** The same. */
  addRef(room: number, dialect: string, ref: number): void;
  dropRoom(room: number): void;
  /** One that is not among `rooms`. */
  findRoom(key: string): Promise<StoredRoom | undefined>;
  addPost(post: Post, room: number): void;
  /** Its id is one of the posts' row: it is higher than theirs before it. `saved` is for it, too. */
  addWhisper(whisper: KeptWhisper): void;
  /** Settles when the post is on disk; rejects with `not-saved`. */
  saved(postId: number): Promise<void>;
  /** Never refused; of several changes of one room that wait, the last is written. */
  putRules(room: StoredRoom): void;
  /** Oldest first. */
  history(room: StoredRoom, range: HistoryRange): Promise<Post[]>;
  /** Of those of the rooms (their ids) in which something was said between the bounds. */
  lastPosts(rooms: readonly number[], range: Pick<HistoryRange, 'before' | 'after'>): Promise<LastPost[]>;
  /** What the account (its key) keeps of its talk with that one (the key of an account or name); oldest first. */
  whispers(account: string, other: string, range: HistoryRange): Promise<KeptWhisper[]>;
  /** Those of the account in which something was said between the times, and when that was last. */
  talks(account: string, range: TalksRange): Promise<Talk[]>;
  /** Up to where an account has read there: a time. */
  marker(account: string, target: string): Promise<number | undefined>;
  /** It only goes forward; what holds then. Rejects with `not-saved`. */
  setMarker(account: string, target: string, at: number): Promise<number>;
  /**
   * The next four settle when it is on disk, and reject with `not-saved` when the disk refuses: then nothing is changed.
   * A room with an owner, who has at most a hundred of them: otherwise `not-allowed`. Its `refs` are not written.
   */
  makeRoom(room: StoredRoom): Promise<void>;
  /** With its numbers and posts. */
  deleteRoom(id: number): Promise<void>;
  /** Rejects with `name-registered` when there is one of that key. */
  addAccount(account: Account): Promise<void>;
  setHash(key: string, hash: string): Promise<void>;
  findAccount(key: string): Promise<Account | undefined>;
  /** Never refused; of several changes of one contact that wait, the last is written. */
  putContact(contact: Contact): void;
  /** With its mail. */
  dropContact(key: string): void;
  /**
   * Settles when it is on disk, with its number; that of later mail is higher. Rejects with `not-saved` when the disk
   * refuses, with `full` when a thousand messages are kept for its owner, and `too-fast` when as many wait.
   */
  addMail(mail: NewMail): Promise<number>;
  /** Oldest first. */
  mailOf(owner: string): Promise<Mail[]>;
  /** What is kept for that one up to this number. */
  dropMail(owner: string, upTo: number): Promise<void>;
  /**
   * The newest posts (at most a hundred) that have all of these words, the last of which may go on; oldest first.
   * Not those in rooms with a password, unless `account` owns the room or it is the room `room`.
   */
  search(words: string, options: SearchOptions): Promise<Found[]>;
  /** Writes what is left, then closes. */
  close(): Promise<void>;
}
