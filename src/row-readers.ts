// Layer 2. Rows of SQLite as what they stand for.

import type { SQLOutputValue } from 'node:sqlite';
import type { StoredBan } from './bans.ts';
import type { PostRow } from './database-rows.ts';

export type Row = Record<string, SQLOutputValue>;

export function postOf(row: Row): PostRow {
  const stamp = optional(row.stamp);
  const extra = optional(row.extra);
  return {
    id: Number(row.id),
    at: Number(row.at),
    name: String(row.name),
    dialect: String(row.dialect),
    text: String(row.text),
    ...(stamp !== undefined && { stamp }),
    ...(extra !== undefined && { extra }),
  };
}

export function banOf(row: Row): StoredBan {
  return {
    kind: row.kind === 'network' ? 'network' : 'name',
    key: String(row.key),
    shown: String(row.shown),
    at: Number(row.at),
    until: row.until === null ? undefined : Number(row.until),
  };
}

export function optional(value: SQLOutputValue | undefined): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}
