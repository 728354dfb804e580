// Layer 2. Which posts have which words: an FTS5 index beside the posts, which is filled after them, in batches and
// in the order of their ids. So where it stopped is its highest id, however the process ended.
// The transactions are the caller's.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { IS_CONFIDENTIAL } from './past-table.ts';

/** So much is indexed at once: the writing of posts waits no longer than that. */
const BATCH_POSTS = 1000;
const BATCH_BYTES = 1024 * 1024;
/** Of the posts that match, only so many are looked at, whoever may read them. */
const MAX_MATCHES = 200_000;
/** The last word may be the beginning of one, if it is not one of which there are too many. */
const MIN_PREFIX_CHARS = 3;
const MAX_WORDS = 20;
const MAX_QUERY_CHARS = 500;

/** What the tokenizer keeps of a text: the rest stands between words. */
const WORD = /[\p{L}\p{N}\p{Mn}\p{Co}]+/gu;

/** The newest posts that match and that somebody may read: of an account (its rooms), and of one room besides. */
export const NEWEST_MATCHES = `SELECT posts.id FROM
    (SELECT rowid AS id FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ${MAX_MATCHES}) AS matches
    CROSS JOIN posts ON posts.id = matches.id CROSS JOIN rooms ON rooms.id = posts.room
  WHERE ((rooms.password IS NULL AND (rooms.rules IS NULL OR NOT instr(rooms.rules, '"inviteOnly"')))
      OR rooms.owner = ? OR rooms.id = ?)
    AND (posts.at >= coalesce(rooms.rules ->> '$.opened', 0) OR NOT ${IS_CONFIDENTIAL})
  ORDER BY posts.id DESC LIMIT ?`;

export class WordIndex {
  readonly #next: StatementSync;
  readonly #add: StatementSync;
  readonly #last: StatementSync;
  readonly #forget: StatementSync;
  readonly #removeFirst: StatementSync;

  constructor(db: DatabaseSync) {
    this.#last = db.prepare('SELECT max(rowid) AS last FROM words');
    this.#next = db.prepare(
      `SELECT id, octet_length(text) AS bytes FROM posts WHERE id > ? ORDER BY id LIMIT ${BATCH_POSTS}`,
    );
    this.#add = db.prepare('INSERT INTO words (rowid, text) SELECT id, text FROM posts WHERE id > ? AND id <= ?');
    this.#forget = prepareChange(
      db,
      `DELETE FROM words WHERE rowid IN (
         SELECT rowid FROM words WHERE rowid < coalesce((SELECT min(id) FROM posts), ${Number.MAX_SAFE_INTEGER})
         ORDER BY rowid LIMIT ${BATCH_POSTS})`,
    );
    this.#removeFirst = prepareChange(
      db,
      'DELETE FROM words WHERE rowid IN (SELECT id FROM posts WHERE room = ? ORDER BY id LIMIT ?)',
    );
  }

  /** Takes in the next batch; true when there may be more. */
  addBatch(): boolean {
    const from = Number(this.#last.get()?.last ?? 0);
    const next = this.#next.all(from);
    let to = from;
    let bytes = 0;
    for (const row of next) {
      if (bytes >= BATCH_BYTES) break;
      bytes += Number(row.bytes);
      to = Number(row.id);
    }
    if (to > from) this.#add.run(from, to);
    return next.length === BATCH_POSTS || bytes >= BATCH_BYTES;
  }

  /** Drops a batch of what is older than every post; true when there may be more. */
  forgetBatch(): boolean {
    return Number(this.#forget.run().changes) === BATCH_POSTS;
  }

  /** Drops what is known of the first posts of a room. */
  removeFirst(room: number, posts: number): void {
    this.#removeFirst.run(room, posts);
  }
}

/**
 * A statement that changes something. Numbers come back as BigInt: a change of the index leaves a
 * "last inserted id" behind that is too large for a number, and `run` of any later statement would throw.
 */
export function prepareChange(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  statement.setReadBigInts(true);
  return statement;
}

/**
 * What FTS5 is asked for to find all words of a text, which are split at white space; undefined when there is none.
 * A word like `10.0.0.7` is what FTS5 calls a phrase. Nothing that has a meaning in its language gets there.
 */
export function matchOf(text: string): string | undefined {
  const phrases: string[] = [];
  let last = '';
  let left = MAX_WORDS;
  for (const written of text.slice(0, MAX_QUERY_CHARS).split(/\s+/)) {
    const words = written.match(WORD)?.slice(0, left) ?? [];
    left -= words.length;
    if (words.length === 0) continue;
    phrases.push(`"${words.join(' ')}"`);
    last = words.at(-1) ?? '';
  }
  const isBeginning = last.length >= MIN_PREFIX_CHARS || /\P{ASCII}/u.test(last);
  return phrases.length > 0 ? `${phrases.join(' ')}${isBeginning ? ' *' : ''}` : undefined;
}
