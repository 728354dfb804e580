// Layer 2. What is said in private: the statements of talks and whispers. Each account keeps its own side of a talk, so
// that nobody's bounds are another's. Part of the database: it is called within its transactions.

import type { DatabaseSync } from 'node:sqlite';
import type { HistoryRange, NewWhisper, Talk, TalkSide, TalksRange, WhisperRow } from './database-rows.ts';
import { firstFrom, PastTable } from './past-table.ts';
import { postOf, type Row } from './row-readers.ts';
import { prepareChange } from './word-index.ts';

/** Of one talk; beyond, the oldest go. */
const MAX_WHISPERS = 10_000;
/** Of one account; beyond, those go in which it never said a word, and then those that are silent for longest. */
export const MAX_TALKS = 1000;
/** So many go at once: the writing of others waits no longer than that. */
const BATCH_WHISPERS = 1000;
const BATCH_TALKS = 20;
/** Without a file there is only memory to fill, so the oldest go. */
const MEMORY_WHISPERS = 20_000;
const MEMORY_TEXT_BYTES = 16 * 1024 * 1024;

export class TalkTables {
  readonly #inMemory: boolean;
  readonly #maxWhispers: number;
  readonly #past: PastTable;
  readonly #sql: ReturnType<typeof statements>;
  /** Talks in which there may be too much. */
  readonly #grown = new Set<number>();
  /** What a database in memory holds; undefined when it has to be counted again. */
  #held: { whispers: number; bytes: number } | undefined;

  constructor(db: DatabaseSync, inMemory: boolean, maxWhispers = MAX_WHISPERS) {
    this.#inMemory = inMemory;
    this.#maxWhispers = maxWhispers;
    this.#past = new PastTable(db, 'whispers', 'talk');
    this.#sql = statements(db);
  }

  add(whispers: readonly NewWhisper[]): void {
    if (whispers.length === 0) return;
    for (const whisper of whispers) {
      for (const side of whisper.sides) this.#addTo(this.#talkOf(side, whisper.id), whisper);
    }
    if (this.#inMemory) this.#forgetTooMuch(whispers);
  }

  /** What `owner` has of it; oldest first. */
  whispers(owner: string, other: string, range: HistoryRange): WhisperRow[] {
    const talk = this.#sql.talk.get(owner, other);
    return talk ? this.#past.rows(Number(talk.id), range).map(whisperOf) : [];
  }

  /** Those of an account in which something was said between the times. */
  of(owner: string, { before, after, since = 0 }: TalksRange): Talk[] {
    const earliest = Math.max(since, after ? Math.floor(after.at) + 1 : 0);
    // looked up once for all of them
    const bound = before && { id: this.#firstFrom(Math.ceil(before.at)) };
    return this.#sql.talksOf.all(owner).flatMap((talk): Talk[] => {
      if (Number(talk.at) < earliest) return [];
      const [row] = this.#past.rows(Number(talk.id), { before: bound, limit: 1, since: earliest });
      return row ? [{ name: String(talk.name), at: Number(row.at) }] : [];
    });
  }

  /** Takes away what is too much in some of the talks that have grown; true when there may be more. */
  trim(): boolean {
    const those = [...this.#grown].slice(0, BATCH_TALKS);
    for (const talk of those) {
      this.#grown.delete(talk);
      if (this.#sql.trim.run({ talk, most: this.#maxWhispers }).changes > 0) this.#held = undefined;
    }
    return this.#grown.size > 0;
  }

  /** Takes a batch of what was said before that time away; true when there may be more. */
  forgetBatch(before: number): boolean {
    const oldest = this.#sql.oldest.get();
    if (!oldest || Number(oldest.at) >= before) return false;
    this.#held = undefined;
    const gone = Number(this.#sql.forget.run(Math.ceil(before)).changes);
    this.#sql.dropEmpty.run();
    return gone === BATCH_WHISPERS;
  }

  #firstFrom(at: number): number {
    return firstFrom(this.#sql.span.get(), at, (id) => this.#sql.from.get(id));
  }

  #talkOf({ owner, other, name, isOwn }: TalkSide, whisper: number): number {
    const known = this.#sql.talk.get(owner, other);
    if (known) {
      this.#sql.putTalk.run(name, Number(isOwn), whisper, Number(known.id));
      return Number(known.id);
    }
    const talk = Number(this.#sql.addTalk.get(owner, other, name, Number(isOwn), whisper)?.id);
    if (this.#sql.dropTalks.run({ owner, talk, most: MAX_TALKS - 1 }).changes > 0) this.#held = undefined;
    return talk;
  }

  #addTo(talk: number, { id, at, name, target, dialect, text, extra }: NewWhisper): void {
    this.#sql.addWhisper.run(talk, id, Math.floor(at), name, target, dialect, text, extra ?? null);
    this.#grown.add(talk);
  }

  #forgetTooMuch(added: readonly NewWhisper[]): void {
    const held = this.#held ?? this.#count();
    if (this.#held) {
      for (const { sides, text, extra = '' } of added) {
        held.whispers += sides.length;
        held.bytes += sides.length * (Buffer.byteLength(text) + Buffer.byteLength(extra));
      }
    }
    // what is taken back when something fails is counted again
    this.#held = undefined;
    while (held.whispers > MEMORY_WHISPERS || held.bytes > MEMORY_TEXT_BYTES) {
      held.bytes -= Number(this.#sql.forgetOldest.get()?.bytes);
      held.whispers--;
    }
    this.#held = held;
  }

  #count(): { whispers: number; bytes: number } {
    const row = this.#sql.held.get();
    return { whispers: Number(row?.whispers), bytes: Number(row?.bytes) };
  }
}

function statements(db: DatabaseSync) {
  const change = (sql: string) => prepareChange(db, sql);
  const bytes = "octet_length(text) + octet_length(coalesce(extra, ''))";
  return {
    talk: db.prepare('SELECT id FROM talks WHERE owner = ? AND other = ?'),
    addTalk: change('INSERT INTO talks (owner, other, name, answered, last) VALUES (?, ?, ?, ?, ?) RETURNING id'),
    putTalk: change('UPDATE talks SET name = ?, answered = max(answered, ?), last = ? WHERE id = ?'),
    dropTalks: change(
      `DELETE FROM talks WHERE id IN (SELECT id FROM talks WHERE owner = :owner AND id <> :talk
         ORDER BY answered DESC, last DESC LIMIT -1 OFFSET :most)`,
    ),
    addWhisper: change(
      'INSERT INTO whispers (talk, id, at, name, target, dialect, text, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    talksOf: db.prepare(
      `SELECT talks.id, talks.name, whispers.at FROM talks
         JOIN whispers ON whispers.talk = talks.id AND whispers.id = talks.last WHERE owner = ? ORDER BY talks.last`,
    ),
    span: db.prepare('SELECT (SELECT min(id) FROM whispers) AS first, (SELECT max(id) FROM whispers) AS last'),
    from: db.prepare('SELECT id, at FROM whispers WHERE id >= ? ORDER BY id LIMIT 1'),
    trim: change(
      `DELETE FROM whispers WHERE talk = :talk AND id <=
         (SELECT id FROM whispers WHERE talk = :talk ORDER BY id DESC LIMIT 1 OFFSET :most)`,
    ),
    oldest: db.prepare('SELECT at FROM whispers ORDER BY id LIMIT 1'),
    forget: change(
      `DELETE FROM whispers WHERE (talk, id) IN (SELECT talk, id FROM
         (SELECT talk, id, at FROM whispers ORDER BY id LIMIT ${BATCH_WHISPERS}) WHERE at < ?)`,
    ),
    // ids rise: of what was said last nothing is left where all that is left is newer
    dropEmpty: change(
      `DELETE FROM talks WHERE last < coalesce((SELECT min(id) FROM whispers), ${Number.MAX_SAFE_INTEGER})`,
    ),
    forgetOldest: db.prepare(
      `DELETE FROM whispers WHERE (talk, id) IN (SELECT talk, id FROM whispers ORDER BY id LIMIT 1)
         RETURNING ${bytes} AS bytes`,
    ),
    held: db.prepare(`SELECT count(*) AS whispers, total(${bytes}) AS bytes FROM whispers`),
  };
}

function whisperOf(row: Row): WhisperRow {
  return { ...postOf(row), target: String(row.target) };
}
