// Layer 2. The SQLite file itself: its schema from version to version, how it is made and opened. A file that is
// not ours, damaged, newer or in use is left untouched.

import { closeSync, copyFileSync, fstatSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** `PRLY`: tells our files from other SQLite files. */
export const APPLICATION_ID = 0x50524c59;

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
  `ALTER TABLE rooms ADD COLUMN description TEXT NOT NULL DEFAULT '';
   ALTER TABLE rooms ADD COLUMN owner TEXT;
   ALTER TABLE rooms ADD COLUMN password TEXT;
   CREATE INDEX rooms_by_owner ON rooms (owner);
   ALTER TABLE posts ADD COLUMN stamp TEXT;
   CREATE TABLE accounts (
     key TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     hash TEXT NOT NULL,
     made INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE deleted_rooms (room INTEGER PRIMARY KEY) STRICT;
   CREATE VIRTUAL TABLE words USING fts5(
     text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2'
   );`,
  `CREATE TABLE contacts (
     registered INTEGER PRIMARY KEY,
     key TEXT NOT NULL UNIQUE,
     name TEXT,
     ip TEXT,
     port INTEGER,
     ours INTEGER,
     online INTEGER,
     seen INTEGER,
     heard INTEGER
   ) STRICT;
   CREATE TABLE mail (
     id INTEGER PRIMARY KEY,
     owner TEXT NOT NULL,
     sender TEXT,
     time TEXT NOT NULL,
     text TEXT NOT NULL,
     at INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX mail_by_owner ON mail (owner, id);`,
  `CREATE TABLE bans (
     kind TEXT NOT NULL,
     key TEXT NOT NULL,
     shown TEXT NOT NULL,
     at INTEGER NOT NULL,
     until INTEGER,
     PRIMARY KEY (kind, key)
   ) STRICT, WITHOUT ROWID;`,
  `ALTER TABLE rooms ADD COLUMN rules TEXT;
   ALTER TABLE posts ADD COLUMN extra TEXT;
   CREATE TABLE markers (
     account TEXT NOT NULL,
     target TEXT NOT NULL,
     at INTEGER NOT NULL,
     PRIMARY KEY (account, target)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE talks (
     id INTEGER PRIMARY KEY,
     owner TEXT NOT NULL,
     other TEXT NOT NULL,
     name TEXT NOT NULL,
     answered INTEGER NOT NULL,
     last INTEGER NOT NULL,
     UNIQUE (owner, other)
   ) STRICT;
   CREATE TABLE whispers (
     talk INTEGER NOT NULL REFERENCES talks ON DELETE CASCADE,
     id INTEGER NOT NULL,
     at INTEGER NOT NULL,
     name TEXT NOT NULL,
     target TEXT NOT NULL,
     dialect TEXT NOT NULL,
     text TEXT NOT NULL,
     extra TEXT,
     PRIMARY KEY (talk, id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX whispers_by_id ON whispers (id);`,
];

/** Opens the file, or makes it; throws an Error whose message can be shown to the operator. */
export function openFile(file: string, migrations: readonly string[]): DatabaseSync {
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

export function migrate(db: DatabaseSync, migrations: readonly string[]): void {
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
