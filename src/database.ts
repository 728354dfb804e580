// Layer 2. The SQLite file: schema, checks, statements. Synchronous; runs in the store's worker thread,
// and in tests directly. A file that is not ours, damaged, newer or in use is left untouched.

import { closeSync, copyFileSync, fstatSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** `PRLY`: tells our files from other SQLite files. */
const APPLICATION_ID = 0x50524c59;
const MEMORY = ':memory:';
/** Without a file there is only memory to fill, so the oldest posts go. */
const MEMORY_POSTS = 100_000;
const MEMORY_TEXT_BYTES = 64 * 1024 * 1024;

/** Statements that lead from version i to i + 1. Never edited once released, only added to. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE rooms (
     id INTEGER PRIMARY KEY,
     key TEXT NOT NULL UNIQUE,
     name TEXT NOT NULL,
     made INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE room_refs (
     dialect TEXT NOT NULL,
     ref INTEGER NOT NULL,
     room INTEGER NOT NULL REFERENCES rooms ON DELETE CASCADE,
     PRIMARY KEY (dialect, ref),
     UNIQUE (dialect, room)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE posts (
     id INTEGER PRIMARY KEY,
     room INTEGER NOT NULL,
     at INTEGER NOT NULL,
     name TEXT NOT NULL,
     dialect TEXT NOT NULL,
     text TEXT NOT NULL
   ) STRICT;
   CREATE INDEX posts_by_room ON posts (room, id);`,
];

export type Change =
  | { readonly kind: 'room'; readonly id: number; readonly key: string; readonly name: string; readonly made: number }
  | { readonly kind: 'ref'; readonly room: number; readonly dialect: string; readonly ref: number }
  | { readonly kind: 'drop'; readonly room: number };

/** Posts by column: cheap to hand to another thread. */
export interface PostColumns {
  readonly id: number[];
  readonly room: number[];
  readonly at: number[];
  readonly name: string[];
  readonly dialect: string[];
  readonly text: string[];
}

/** What is committed at once: the changes in their order, then the posts. */
export interface Group {
  readonly changes: Change[];
  readonly posts: PostColumns;
}

export interface RoomRow {
  readonly id: number;
  readonly key: string;
  readonly name: string;
  readonly made: number;
  readonly used: boolean;
  readonly refs: ReadonlyArray<readonly [dialect: string, ref: number]>;
}

export interface PostRow {
  readonly id: number;
  readonly at: number;
  readonly name: string;
  readonly dialect: string;
  readonly text: string;
}

export class Database {
  readonly #db: DatabaseSync;
  readonly #inMemory: boolean;
  readonly #addRoom: StatementSync;
  readonly #addRef: StatementSync;
  readonly #dropRoom: StatementSync;
  readonly #addPost: StatementSync;
  readonly #roomBy: Readonly<Record<'id' | 'key', StatementSync>>;
  readonly #refsOf: StatementSync;
  readonly #postsBefore: StatementSync;
  readonly #forgetOldest: StatementSync;
  /** What a database in memory holds. */
  #held = { posts: 0, bytes: 0 };

  /** Opens the file, or makes it; throws an Error whose message can be shown to the operator. */
  constructor(file: string, migrations: readonly string[] = MIGRATIONS) {
    this.#inMemory = file === MEMORY;
    this.#db = this.#inMemory ? new DatabaseSync(MEMORY) : openFile(file, migrations);
    if (this.#inMemory) migrate(this.#db, migrations);
    // FULL: what was committed survives a power cut, not only a crash of the process
    this.#db.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY');
    this.#addRoom = this.#db.prepare('INSERT INTO rooms (id, key, name, made) VALUES (?, ?, ?, ?)');
    this.#addRef = this.#db.prepare('INSERT INTO room_refs (room, dialect, ref) VALUES (?, ?, ?)');
    this.#dropRoom = this.#db.prepare('DELETE FROM rooms WHERE id = ?');
    this.#addPost = this.#db.prepare('INSERT INTO posts (id, room, at, name, dialect, text) VALUES (?, ?, ?, ?, ?, ?)');
    const room = 'SELECT *, EXISTS (SELECT 1 FROM posts WHERE room = rooms.id) AS used FROM rooms';
    this.#roomBy = {
      id: this.#db.prepare(`${room} WHERE id = ?`),
      key: this.#db.prepare(`${room} WHERE key = ?`),
    };
    this.#refsOf = this.#db.prepare('SELECT dialect, ref FROM room_refs WHERE room = ?');
    this.#postsBefore = this.#db.prepare(
      'SELECT id, at, name, dialect, text FROM posts WHERE room = ? AND id < ? ORDER BY id DESC LIMIT ?',
    );
    this.#forgetOldest = this.#db.prepare(
      'DELETE FROM posts WHERE id = (SELECT min(id) FROM posts) RETURNING octet_length(text) AS bytes',
    );
  }

  /** At most `most` rooms, those in which something was said last; in the order in which they were made. */
  rooms(most = Number.MAX_SAFE_INTEGER): RoomRow[] {
    const last = '(SELECT max(id) FROM posts WHERE room = rooms.id)';
    const rows = this.#db.prepare(`SELECT id FROM rooms ORDER BY ${last} DESC NULLS LAST, id LIMIT ?`).all(most);
    const ids = rows.map((row) => Number(row.id)).sort((a, b) => a - b);
    return ids.map((id) => this.#room('id', id) as RoomRow);
  }

  findRoom(key: string): RoomRow | undefined {
    return this.#room('key', key);
  }

  roomCount(): number {
    return Number(this.#db.prepare('SELECT count(*) AS rooms FROM rooms').get()?.rooms);
  }

  lastRoom(): number {
    return Number(this.#db.prepare('SELECT max(id) AS last FROM rooms').get()?.last ?? 0);
  }

  /** The highest number given in each dialect. */
  lastRefs(): Array<[dialect: string, ref: number]> {
    const rows = this.#db.prepare('SELECT dialect, max(ref) AS last FROM room_refs GROUP BY dialect').all();
    return rows.map((row) => [String(row.dialect), Number(row.last)]);
  }

  lastPost(): number {
    return Number(this.#db.prepare('SELECT max(id) AS last FROM posts').get()?.last ?? 0);
  }

  /** All of the group, or nothing of it. */
  write({ changes, posts }: Group): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const change of changes) this.#apply(change);
      for (let i = 0; i < posts.id.length; i++) {
        const text = posts.text[i] as string;
        this.#addPost.run(
          posts.id[i] as number,
          posts.room[i] as number,
          posts.at[i] as number,
          posts.name[i] as string,
          posts.dialect[i] as string,
          text,
        );
      }
      const held = this.#inMemory ? this.#forgetTooMuch(posts) : this.#held;
      this.#db.exec('COMMIT');
      this.#held = held;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** At most `limit` posts of a room with ids below `before`, oldest first. */
  history(room: number, limit: number, before = Number.MAX_SAFE_INTEGER): PostRow[] {
    const rows = this.#postsBefore.all(room, before, limit).map((row) => ({
      id: Number(row.id),
      at: Number(row.at),
      name: String(row.name),
      dialect: String(row.dialect),
      text: String(row.text),
    }));
    return rows.reverse();
  }

  close(): void {
    this.#db.close();
  }

  /** In memory, the oldest posts make room for those that were added. Says what is held then. */
  #forgetTooMuch(added: PostColumns): { posts: number; bytes: number } {
    let posts = this.#held.posts + added.id.length;
    let bytes = added.text.reduce((sum, text) => sum + Buffer.byteLength(text), this.#held.bytes);
    for (; posts > MEMORY_POSTS || bytes > MEMORY_TEXT_BYTES; posts--) {
      bytes -= Number(this.#forgetOldest.get()?.bytes);
    }
    return { posts, bytes };
  }

  #room(by: 'id' | 'key', value: number | string): RoomRow | undefined {
    const row = this.#roomBy[by].get(value);
    if (!row) return undefined;
    const id = Number(row.id);
    const refs = this.#refsOf.all(id).map((ref): [string, number] => [String(ref.dialect), Number(ref.ref)]);
    return { id, key: String(row.key), name: String(row.name), made: Number(row.made), used: row.used === 1, refs };
  }

  #apply(change: Change): void {
    switch (change.kind) {
      case 'room':
        this.#addRoom.run(change.id, change.key, change.name, change.made);
        return;
      case 'ref':
        this.#addRef.run(change.room, change.dialect, change.ref);
        return;
      case 'drop':
        this.#dropRoom.run(change.room);
    }
  }
}

function openFile(file: string, migrations: readonly string[]): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    if (isNew(file)) create(file, migrations);
    db = new DatabaseSync(file);
    // one server to a file; the lock goes with the process, however it ends
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = 0');
    const version = versionOf(db);
    if (version > migrations.length) throw new Error(`${file} was made by a newer Parley (version ${version})`);
    db.exec('PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE; COMMIT');
    if (version < migrations.length) {
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      copyFileSync(file, `${file}.version-${version}`);
      migrate(db, migrations);
    }
    return db;
  } catch (error) {
    db?.close();
    throw new Error(explain(file, error), { cause: error });
  }
}

/** Looks at the header without SQLite, which might roll a stranger's journal back. */
function isNew(file: string): boolean {
  let fd: number;
  try {
    fd = openSync(file, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${file} is not a regular file`);
    if (stat.size === 0) return true;
    const header = Buffer.alloc(100);
    readSync(fd, header, 0, 100, 0);
    if (header.toString('latin1', 0, 16) !== 'SQLite format 3\0' || header.readUInt32BE(68) !== APPLICATION_ID) {
      throw new Error(`${file} is not a Parley database; it was left as it is`);
    }
    return false;
  } finally {
    closeSync(fd);
  }
}

/** Made under another name, so that a file under its own name is always whole. */
function create(file: string, migrations: readonly string[]): void {
  const made = `${file}.new`;
  rmSync(made, { force: true });
  closeSync(openSync(made, 'wx', 0o600));
  const db = new DatabaseSync(made);
  try {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    migrate(db, migrations);
  } finally {
    db.close();
  }
  renameSync(made, file);
}

function migrate(db: DatabaseSync, migrations: readonly string[]): void {
  for (let version = versionOf(db); version < migrations.length; version++) {
    db.exec(`BEGIN; ${migrations[version]}; PRAGMA user_version = ${version + 1}; COMMIT`);
  }
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.user_version);
}

/** What can be shown to the operator. */
export function explain(file: string, error: unknown): string {
  const { code, errcode, message } = error as NodeJS.ErrnoException & { errcode?: number };
  const reasons: Record<string, string> = {
    ENOENT: `the directory ${path.dirname(file)} does not exist`,
    EISDIR: `${file} is a directory`,
    ENOTDIR: `${path.dirname(file)} is not a directory`,
    EACCES: `no permission to use ${file}`,
    EPERM: `no permission to use ${file}`,
    EROFS: `${file} is on a read-only disk`,
    ENOSPC: `the disk of ${file} is full`,
  };
  const sqlite: Record<number, string> = {
    5: `${file} is in use by another server`,
    8: `no permission to write ${file}`,
    11: `${file} is damaged; it was left as it is`,
    13: `the disk of ${file} is full`,
    14: `${file} can't be opened (no permission for it or its directory?)`,
    26: `${file} is damaged; it was left as it is`,
  };
  const known = (code && reasons[code]) || (errcode !== undefined && sqlite[errcode & 0xff]);
  return known || (message.includes(file) ? message : `${file}: ${message}`);
}
