// Layer 2. What of a room's past is looked up in the store: its posts between two bounds, when something was said
// last, and up to where each account has read. The transactions are the caller's.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Bound, HistoryRange, LastPost } from './database.ts';
import { prepareChange } from './word-index.ts';

/** The marks of one account; beyond, the one furthest back goes. */
const MAX_MARKERS = 1000;

export class RoomTables {
  readonly #sql: ReturnType<typeof statements>;

  constructor(db: DatabaseSync) {
    this.#sql = statements(db);
  }

  /** Oldest first. */
  posts(
    room: number,
    { limit, before, after, isOldestFirst = false }: HistoryRange,
  ): Array<Record<string, SQLOutputValue>> {
    const from = after === undefined ? 0 : this.#after(room, after);
    const to = before === undefined ? Number.MAX_SAFE_INTEGER : this.#before(room, before);
    if (isOldestFirst) return this.#sql.oldest.all(room, from, to, limit);
    return this.#sql.newest.all(room, from, to, limit).reverse();
  }

  /** Of those of the rooms in which something was said between the bounds. */
  lastPosts(rooms: readonly number[], { before, after }: Pick<HistoryRange, 'before' | 'after'>): LastPost[] {
    return rooms.flatMap((room) => {
      const [last] = this.posts(room, { before, after, limit: 1 });
      return last ? [{ room, at: Number(last.at) }] : [];
    });
  }

  marker(account: string, target: string): number | undefined {
    const row = this.#sql.marker.get(account, target);
    return row && Number(row.at);
  }

  /** It only goes forward; what holds then. */
  setMarker(account: string, target: string, at: number): number {
    this.#sql.setMarker.run(account, target, Math.floor(at));
    this.#sql.forgetMarkers.run(account, account, MAX_MARKERS);
    return this.marker(account, target) ?? Math.floor(at);
  }

  /** The first id that is behind the bound. */
  #after(room: number, bound: Bound): number {
    return 'id' in bound ? bound.id + 1 : this.#firstFrom(room, Math.floor(bound.at) + 1);
  }

  /** The first id that is not before it. */
  #before(room: number, bound: Bound): number {
    return 'id' in bound ? bound.id : this.#firstFrom(room, Math.ceil(bound.at));
  }

  /** The lowest id of a post of that time or later: ids and times rise together, so it is searched by halves. */
  #firstFrom(room: number, at: number): number {
    const span = this.#sql.span.get(room);
    let low = Number(span?.first ?? 0);
    let high = Number(span?.last ?? 0) + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const post = this.#sql.from.get(room, middle);
      if (post && Number(post.at) < at) low = Number(post.id) + 1;
      else high = middle;
    }
    return low;
  }
}

function statements(db: DatabaseSync) {
  const between = 'SELECT * FROM posts WHERE room = ? AND id >= ? AND id < ? ORDER BY id';
  return {
    newest: db.prepare(`${between} DESC LIMIT ?`),
    oldest: db.prepare(`${between} LIMIT ?`),
    span: db.prepare(
      `SELECT (SELECT min(id) FROM posts WHERE room = ?1) AS first, (SELECT max(id) FROM posts WHERE room = ?1) AS last`,
    ),
    from: db.prepare('SELECT id, at FROM posts WHERE room = ? AND id >= ? ORDER BY id LIMIT 1'),
    marker: db.prepare('SELECT at FROM markers WHERE account = ? AND target = ?'),
    setMarker: prepareChange(
      db,
      `INSERT INTO markers (account, target, at) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET at = max(at, excluded.at)`,
    ),
    forgetMarkers: prepareChange(
      db,
      `DELETE FROM markers WHERE account = ? AND target IN
         (SELECT target FROM markers WHERE account = ? ORDER BY at DESC, target LIMIT -1 OFFSET ?)`,
    ),
  };
}
