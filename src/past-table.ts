// Layer 2. What was said in many places (rooms, talks), each in the order of its ids, and what of that is between two
// bounds. The transactions are the caller's.

import type { DatabaseSync } from 'node:sqlite';
import type { Bound, HistoryRange } from './database-rows.ts';
import type { Row } from './row-readers.ts';

/** Of a row: said where not everybody could come in. */
export const IS_CONFIDENTIAL = "coalesce(extra ->> '$.isConfidential', 0)";

export class PastTable {
  readonly #sql: ReturnType<typeof statements>;

  /** `place` is the column that says where something was said; beside it there are `id` and `at`. */
  constructor(db: DatabaseSync, table: string, place: string) {
    this.#sql = statements(db, table, place);
  }

  /** Oldest first. */
  rows(place: number, { limit, before, after, isOldestFirst, since = 0, opened = 0 }: HistoryRange): Row[] {
    const earliest = since > 0 ? this.#firstFrom(place, Math.ceil(since)) : 0;
    const from = Math.max(earliest, after === undefined ? 0 : this.#after(place, after));
    const to = before === undefined ? Number.MAX_SAFE_INTEGER : this.#before(place, before);
    if (isOldestFirst) return this.#sql.oldest.all(place, from, to, opened, limit);
    return this.#sql.newest.all(place, from, to, opened, limit).reverse();
  }

  /** The first id that is behind the bound. */
  #after(place: number, bound: Bound): number {
    return 'id' in bound ? bound.id + 1 : this.#firstFrom(place, Math.floor(bound.at) + 1);
  }

  /** The first id that is not before it. */
  #before(place: number, bound: Bound): number {
    return 'id' in bound ? bound.id : this.#firstFrom(place, Math.ceil(bound.at));
  }

  #firstFrom(place: number, at: number): number {
    const span = this.#sql.span.get(place);
    return firstFrom(span, at, (id) => this.#sql.from.get(place, id));
  }
}

/** The lowest id of what was said at that time or later: ids and times rise together, so it is searched by halves. */
export function firstFrom(span: Row | undefined, at: number, from: (id: number) => Row | undefined): number {
  let low = Number(span?.first ?? 0);
  let high = Number(span?.last ?? 0) + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = from(middle);
    if (row && Number(row.at) < at) low = Number(row.id) + 1;
    else high = middle;
  }
  return low;
}

function statements(db: DatabaseSync, table: string, place: string) {
  const between = `SELECT * FROM ${table} WHERE ${place} = ? AND id >= ? AND id < ?
    AND (at >= ? OR NOT ${IS_CONFIDENTIAL}) ORDER BY id`;
  return {
    newest: db.prepare(`${between} DESC LIMIT ?`),
    oldest: db.prepare(`${between} LIMIT ?`),
    span: db.prepare(
      `SELECT (SELECT min(id) FROM ${table} WHERE ${place} = ?1) AS first,
         (SELECT max(id) FROM ${table} WHERE ${place} = ?1) AS last`,
    ),
    from: db.prepare(`SELECT id, at FROM ${table} WHERE ${place} = ? AND id >= ? ORDER BY id LIMIT 1`),
  };
}
