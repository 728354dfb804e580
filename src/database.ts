// Layer 2. What is in the store, and the statements that change and read it. Synchronous; runs in the store's
// worker thread, and in tests directly. Each change is one transaction: all of it is kept, or nothing.

import { DatabaseSync } from 'node:sqlite';
import type { StoredBan } from './bans.ts';
import { MIGRATIONS, migrate, openFile } from './database-file.ts';
import type {
  Account,
  Change,
  FoundRow,
  Group,
  HistoryRange,
  LastPost,
  NewRoom,
  PostColumns,
  PostRow,
  RoomChange,
  SearchOptions,
  StoredRoom,
  Talk,
  TalksRange,
  WhisperRow,
} from './database-rows.ts';
import { HouseError } from './errors.ts';
import { type Contact, type Mail, MailTables, type NewMail } from './mail-tables.ts';
import { RoomTables } from './room-tables.ts';
import { banOf, optional, postOf } from './row-readers.ts';
import { TalkTables } from './talk-tables.ts';
import { matchOf, NEWEST_MATCHES, prepareChange, WordIndex } from './word-index.ts';

export type * from './database-rows.ts';

const MEMORY = ':memory:';
/** Without a file there is only memory to fill, so the oldest posts go. */
const MEMORY_POSTS = 100_000;
const MEMORY_TEXT_BYTES = 64 * 1024 * 1024;
/** So many posts of a deleted room go at once: the writing of others waits no longer than that. */
const BATCH_POSTS = 1000;
const BYTES = "octet_length(text) + octet_length(coalesce(extra, ''))";
const MAX_OWNED = 100;
export const MAX_FOUND = 100;

export class Database {
  readonly #db: DatabaseSync;
  readonly #inMemory: boolean;
  readonly #sql: ReturnType<typeof statements>;
  readonly #words: WordIndex;
  readonly #mail: MailTables;
  readonly #past: RoomTables;
  readonly #talks: TalkTables;
  /** What a database in memory holds. */
  #held = { posts: 0, bytes: 0 };

  /** Opens the file, or makes it; throws an Error whose message can be shown to the operator. */
  constructor(file: string, migrations: readonly string[] = MIGRATIONS) {
    this.#inMemory = file === MEMORY;
    this.#db = this.#inMemory ? new DatabaseSync(MEMORY) : openFile(file, migrations);
    if (this.#inMemory) migrate(this.#db, migrations);
    // FULL: what was committed survives a power cut, not only a crash of the process
    this.#db.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY');
    this.#sql = statements(this.#db);
    this.#words = new WordIndex(this.#db);
    this.#mail = new MailTables(this.#db, this.#inMemory);
    this.#past = new RoomTables(this.#db);
    this.#talks = new TalkTables(this.#db, this.#inMemory);
  }

  /** At most `most` rooms: those with an owner, rules, or in which something was said; the latest, in the order they were made. */
  rooms(most = Number.MAX_SAFE_INTEGER): StoredRoom[] {
    const said = '(SELECT at FROM posts WHERE room = rooms.id ORDER BY id DESC LIMIT 1)';
    const last = `coalesce(${said}, iif(owner IS NULL AND rules IS NULL, NULL, made))`;
    const rows = this.#db.prepare(`SELECT id FROM rooms ORDER BY ${last} DESC NULLS LAST, id LIMIT ?`).all(most);
    const ids = rows.map((row) => Number(row.id)).sort((a, b) => a - b);
    return ids.map((id) => this.#room('id', id) as StoredRoom);
  }

  findRoom(key: string): StoredRoom | undefined {
    return this.#room('key', key);
  }

  roomCount(): number {
    return Number(this.#db.prepare('SELECT count(*) AS rooms FROM rooms').get()?.rooms);
  }

  /** The highest number of a room of which something is left. */
  lastRoom(): number {
    const all =
      'SELECT max(id) AS id FROM rooms UNION SELECT max(room) FROM posts UNION SELECT max(room) FROM deleted_rooms';
    return Number(this.#db.prepare(`SELECT max(id) AS last FROM (${all})`).get()?.last ?? 0);
  }

  /** The highest number given in each dialect. */
  lastRefs(): Array<[dialect: string, ref: number]> {
    const rows = this.#db.prepare('SELECT dialect, max(ref) AS last FROM room_refs GROUP BY dialect').all();
    return rows.map((row) => [String(row.dialect), Number(row.last)]);
  }

  /** Whispers have their ids from the same row. */
  lastPost(): number {
    const all = 'SELECT max(id) AS id FROM posts UNION SELECT max(id) FROM whispers';
    return Number(this.#db.prepare(`SELECT max(id) AS last FROM (${all})`).get()?.last ?? 0);
  }

  /** The keys of all. */
  accounts(): string[] {
    return this.#db
      .prepare('SELECT key FROM accounts')
      .all()
      .map((row) => String(row.key));
  }

  /** Those seen last, the latest first. */
  contacts(): Contact[] {
    return this.#mail.contacts();
  }

  write({ changes, posts, whispers = [] }: Group): void {
    this.#transact(() => {
      for (const change of changes) this.#apply(change);
      for (let i = 0; i < posts.id.length; i++) {
        this.#sql.addPost.run(
          posts.id[i] as number,
          posts.room[i] as number,
          posts.at[i] as number,
          posts.name[i] as string,
          posts.dialect[i] as string,
          posts.text[i] as string,
          posts.stamp[i] as string | null,
          posts.extra[i] as string | null,
        );
      }
      this.#talks.add(whispers);
      if (this.#inMemory) this.#forgetTooMuch(posts);
    });
  }

  /** Oldest first. */
  history(room: number, range: HistoryRange): PostRow[] {
    return this.#past.posts(room, range).map(postOf);
  }

  /** Of those of the rooms in which something was said between the bounds. */
  lastPosts(rooms: readonly number[], range: Pick<HistoryRange, 'before' | 'after'>): LastPost[] {
    return this.#past.lastPosts(rooms, range);
  }

  /** Up to where an account has read there. */
  marker(account: string, target: string): number | undefined {
    return this.#past.marker(account, target);
  }

  /** It only goes forward; what holds then. */
  setMarker(account: string, target: string, at: number): number {
    return this.#transact(() => this.#past.setMarker(account, target, at));
  }

  /** What `owner` has of a talk; oldest first. */
  whispers(owner: string, other: string, range: HistoryRange): WhisperRow[] {
    return this.#talks.whispers(owner, other, range);
  }

  /** Those in which something was said between the times. */
  talks(owner: string, range: TalksRange): Talk[] {
    return this.#talks.of(owner, range);
  }

  /** Takes a batch of whispers from before that time away; true when there may be more. */
  forgetWhispers(before: number): boolean {
    return this.#transact(() => this.#talks.forgetBatch(before));
  }

  /** A room that has an owner, without numbers. */
  makeRoom(room: NewRoom): void {
    this.#transact(() => {
      const { owner } = room;
      if (owner !== undefined && Number(this.#sql.ownedBy.get(owner)?.rooms) >= MAX_OWNED) {
        throw new HouseError('not-allowed', `nobody owns more than ${MAX_OWNED} rooms`);
      }
      this.#addRoom(room);
    });
  }

  /** It is gone at once, and nothing that was said in it can be read; `tidy` takes that away. */
  deleteRoom(id: number): void {
    this.#transact(() => {
      this.#sql.dropRoom.run(id);
      this.#sql.addDeleted.run(id, id);
    });
  }

  addAccount({ key, name, hash, made }: Account): void {
    const { changes } = this.#sql.addAccount.run(key, name, hash, made);
    if (Number(changes) === 0) throw new HouseError('name-registered', `the name ${name} is taken`);
  }

  setHash(key: string, hash: string): void {
    const { changes } = this.#sql.setHash.run(hash, key);
    if (Number(changes) === 0) throw new HouseError('not-saved', 'there is no such account');
  }

  findAccount(key: string): Account | undefined {
    const row = this.#sql.account.get(key);
    return row && { key: String(row.key), name: String(row.name), hash: String(row.hash), made: Number(row.made) };
  }

  /** The number of each in its order; undefined where its owner has too much already. */
  addMails(mails: readonly NewMail[]): Array<number | undefined> {
    return this.#transact(() => this.#mail.add(mails));
  }

  /** Oldest first. */
  mailOf(owner: string): Mail[] {
    return this.#mail.of(owner);
  }

  dropMail(owner: string, upTo: number): void {
    this.#mail.drop(owner, upTo);
  }

  bans(): StoredBan[] {
    return this.#db.prepare('SELECT * FROM bans ORDER BY at').all().map(banOf);
  }

  putBan({ kind, key, shown, at, until }: StoredBan): void {
    this.#sql.putBan.run(kind, key, shown, Math.floor(at), until === undefined ? null : Math.floor(until));
  }

  dropBan(kind: StoredBan['kind'], key: string): void {
    this.#sql.dropBan.run(kind, key);
  }

  /** Of what `index` has seen: the newest posts that have all the words, the last of which may go on; oldest first. */
  search(text: string, { limit, account, room }: SearchOptions): FoundRow[] {
    const match = matchOf(text);
    const most = Math.min(Math.max(limit, 0), MAX_FOUND);
    if (match === undefined) return [];
    const rows = this.#sql.found.all(match, account ?? null, room ?? null, most);
    return rows.map((row) => ({ post: postOf(row), room: String(row.roomKey), roomName: String(row.roomName) }));
  }

  /** Makes a batch of new posts known to `search`; true when there may be more. */
  index(): boolean {
    return this.#transact(() => this.#words.addBatch());
  }

  /** Takes a batch away of what belongs to nothing any more; true when there may be more. */
  tidy(): boolean {
    return this.#transact(
      () => this.#buryBatch() || this.#talks.trim() || (this.#inMemory && this.#words.forgetBatch()),
    );
  }

  close(): void {
    this.#db.close();
  }

  #transact<T>(work: () => T): T {
    const held = this.#held;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#held = held;
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** In memory, the oldest posts make room for those that were added. */
  #forgetTooMuch(added: PostColumns): void {
    let posts = this.#held.posts + added.id.length;
    let { bytes } = this.#held;
    for (const text of [...added.text, ...added.extra]) bytes += Buffer.byteLength(text ?? '');
    for (; posts > MEMORY_POSTS || bytes > MEMORY_TEXT_BYTES; posts--) {
      bytes -= Number(this.#sql.forgetOldest.get()?.bytes);
    }
    this.#held = { posts, bytes };
  }

  /** The first posts of a deleted room go; true when there may be more. */
  #buryBatch(): boolean {
    const row = this.#sql.deleted.get();
    if (!row) return false;
    const room = Number(row.room);
    this.#words.removeFirst(room, BATCH_POSTS);
    const gone = this.#sql.removeFirst.all(room, BATCH_POSTS);
    if (gone.length < BATCH_POSTS) this.#sql.dropDeleted.run(room);
    const bytes = gone.reduce((sum, post) => sum + Number(post.bytes), 0);
    this.#held = { posts: this.#held.posts - gone.length, bytes: this.#held.bytes - bytes };
    return true;
  }

  #room(by: 'id' | 'key', value: number | string): StoredRoom | undefined {
    const row = (by === 'id' ? this.#sql.roomById : this.#sql.roomByKey).get(value);
    if (!row) return undefined;
    const id = Number(row.id);
    const refs = this.#sql.refsOf.all(id).map((ref): [string, number] => [String(ref.dialect), Number(ref.ref)]);
    return {
      id,
      key: String(row.key),
      name: String(row.name),
      made: Number(row.made),
      description: String(row.description),
      owner: optional(row.owner),
      password: optional(row.password),
      used: row.used === 1,
      ...(row.rules !== null && { rules: JSON.parse(String(row.rules)) }),
      refs: new Map(refs),
    };
  }

  #apply(change: Change): void {
    switch (change.kind) {
      case 'room':
        return this.#addRoom(change);
      case 'ref':
        this.#sql.addRef.run(change.room, change.dialect, change.ref, change.room);
        return;
      case 'drop':
        this.#sql.dropRoom.run(change.room);
        return;
      case 'rules':
        return this.#setRules(change);
      case 'contact':
        this.#mail.apply(change);
    }
  }

  #addRoom({ id, key, name, made, description, owner, password }: NewRoom): void {
    this.#sql.addRoom.run(id, key, name, made, description, owner ?? null, password ?? null);
  }

  #setRules({ room, description, password, rules }: RoomChange): void {
    this.#sql.setRules.run(description, password ?? null, rules ? JSON.stringify(rules) : null, room);
  }
}

function statements(db: DatabaseSync) {
  const room = 'SELECT *, EXISTS (SELECT 1 FROM posts WHERE room = rooms.id) AS used FROM rooms';
  const change = (sql: string) => prepareChange(db, sql);
  return {
    addRoom: change(
      'INSERT INTO rooms (id, key, name, made, description, owner, password) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    setRules: change('UPDATE rooms SET description = ?, password = ?, rules = ? WHERE id = ?'),
    // a room that is gone needs no number; were that an error, its group would be tried for ever
    addRef: change(
      'INSERT INTO room_refs (room, dialect, ref) SELECT ?, ?, ? WHERE EXISTS (SELECT 1 FROM rooms WHERE id = ?)',
    ),
    dropRoom: change('DELETE FROM rooms WHERE id = ?'),
    // the hot one: its own id is the last inserted, which is a small number
    addPost: db.prepare(
      'INSERT INTO posts (id, room, at, name, dialect, text, stamp, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    roomById: db.prepare(`${room} WHERE id = ?`),
    roomByKey: db.prepare(`${room} WHERE key = ?`),
    refsOf: db.prepare('SELECT dialect, ref FROM room_refs WHERE room = ?'),
    forgetOldest: db.prepare(`DELETE FROM posts WHERE id = (SELECT min(id) FROM posts) RETURNING ${BYTES} AS bytes`),
    ownedBy: db.prepare('SELECT count(*) AS rooms FROM rooms WHERE owner = ?'),
    addDeleted: change(
      'INSERT OR IGNORE INTO deleted_rooms (room) SELECT ? WHERE EXISTS (SELECT 1 FROM posts WHERE room = ?)',
    ),
    deleted: db.prepare('SELECT min(room) AS room FROM deleted_rooms HAVING room IS NOT NULL'),
    dropDeleted: change('DELETE FROM deleted_rooms WHERE room = ?'),
    removeFirst: db.prepare(
      `DELETE FROM posts WHERE id IN (SELECT id FROM posts WHERE room = ? ORDER BY id LIMIT ?)
       RETURNING ${BYTES} AS bytes`,
    ),
    addAccount: change('INSERT INTO accounts (key, name, hash, made) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING'),
    setHash: change('UPDATE accounts SET hash = ? WHERE key = ?'),
    account: db.prepare('SELECT * FROM accounts WHERE key = ?'),
    putBan: change('INSERT OR REPLACE INTO bans (kind, key, shown, at, until) VALUES (?, ?, ?, ?, ?)'),
    dropBan: change('DELETE FROM bans WHERE kind = ? AND key = ?'),
    found: db.prepare(
      `SELECT posts.*, rooms.key AS roomKey, rooms.name AS roomName
         FROM posts CROSS JOIN rooms ON rooms.id = posts.room
         WHERE posts.id IN (${NEWEST_MATCHES}) ORDER BY posts.id`,
    ),
  };
}
