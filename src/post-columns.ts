// Layer 2. Posts as they go to the store and come back. What few posts have stands in one column, as JSON.

import type { PostColumns, PostRow } from './database.ts';
import type { ClientTags, Person, Post } from './events.ts';

export interface Extra {
  readonly notice?: true;
  readonly tags?: ClientTags;
  readonly account?: string;
  readonly isConfidential?: true;
}

export function noPosts(): PostColumns {
  return { id: [], room: [], at: [], name: [], dialect: [], text: [], stamp: [], extra: [] };
}

/** Returns how many characters wait with it. */
export function addPost(columns: PostColumns, post: Post, room: number): number {
  const extra = extraOf(post);
  columns.id.push(post.id);
  columns.room.push(room);
  columns.at.push(post.at);
  columns.name.push(post.who.name);
  columns.dialect.push(post.who.dialect);
  columns.text.push(post.text);
  columns.stamp.push(post.stamp ?? null);
  columns.extra.push(extra);
  return post.text.length + (post.stamp?.length ?? 0) + (extra?.length ?? 0);
}

export function postOf({ id, at, name, dialect, text, stamp, extra }: PostRow, room: string): Post {
  const { account, ...more }: Extra = extra === undefined ? {} : JSON.parse(extra);
  const who: Person = { id: '', name, nick: name, dialect, ...(account !== undefined && { account }) };
  return { kind: 'post', id, room, who, at, text, ...(stamp !== undefined && { stamp }), ...more };
}

export function extraOf({
  who: { account },
  notice,
  tags,
  isConfidential,
}: Pick<Post, 'who' | 'notice' | 'tags' | 'isConfidential'>): string | null {
  if (account === undefined && !notice && tags === undefined && !isConfidential) return null;
  const extra = { notice, tags, account, isConfidential } satisfies { [key in keyof Extra]: Extra[key] | undefined };
  return JSON.stringify(extra);
}
