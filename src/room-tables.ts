// Layer 2. What of a room's past is looked up in the store: its posts between two bounds, when something was said
// last, and up to where each account has read. The transactions are the caller's.

import type { DatabaseSync } from 'node:sqlite';
import type { HistoryRange, LastPost } from './database.ts';
import { PastTable } from './past-table.ts';
import type { Row } from './row-readers.ts';
import { prepareChange } from './word-index.ts';

/** The marks of one account; beyond, the one furthest back goes. */
const MAX_MARKERS = 1000;

export class RoomTables {
  readonly #posts: PastTable;
  readonly #sql: ReturnType<typeof statements>;

  constructor(db: DatabaseSync) {
    this.#posts = new PastTable(db, 'posts', 'room');
    this.#sql = statements(db);
  }

  /** Oldest first. */
  posts(room: number, range: HistoryRange): Row[] {
    return this.#posts.rows(room, range);
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
}

function statements(db: DatabaseSync) {
  return {
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
