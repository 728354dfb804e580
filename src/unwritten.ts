// Layer 2. What was said and is not on disk: posts by column, and whispers. Some of it has been handed over; so much
// may wait altogether. Pure.

import type { NewWhisper, PostColumns } from './database-rows.ts';
import type { KeptWhisper, Post } from './events.ts';
import { charsOf, newWhisper } from './kept-whispers.ts';
import { addPost, noPosts } from './post-columns.ts';

/** What is handed over at once. */
export interface Said {
  readonly posts: PostColumns;
  readonly whispers: readonly NewWhisper[];
  /** How many they are, of how many characters. */
  readonly count: number;
  readonly chars: number;
  /** The highest id; undefined when there are none. */
  readonly lastId: number | undefined;
}

const MAX_CHARS = 32 * 1024 * 1024;

export class Unwritten {
  readonly #most: number;
  #posts = noPosts();
  #whispers: NewWhisper[] = [];
  #chars = 0;
  #handedOver = { count: 0, chars: 0 };

  constructor(most: number) {
    this.#most = most;
  }

  /** Not handed over. */
  get count(): number {
    return this.#posts.id.length + this.#whispers.length;
  }

  /** How much of what may wait is waiting. */
  get filled(): number {
    const { count, chars } = this.#handedOver;
    return Math.max((count + this.count) / this.#most, (chars + this.#chars) / MAX_CHARS);
  }

  addPost(post: Post, room: number): void {
    this.#chars += addPost(this.#posts, post, room);
  }

  addWhisper(whisper: KeptWhisper): void {
    const added = newWhisper(whisper);
    this.#whispers.push(added);
    this.#chars += charsOf(added);
  }

  /** All of it; it still waits until `written` says otherwise. */
  handOver(): Said {
    const [posts, whispers, chars, count] = [this.#posts, this.#whispers, this.#chars, this.count];
    this.#posts = noPosts();
    this.#whispers = [];
    this.#chars = 0;
    this.#handedOver.count += count;
    this.#handedOver.chars += chars;
    const last = Math.max(posts.id.at(-1) ?? 0, whispers.at(-1)?.id ?? 0);
    return { posts, whispers, count, chars, lastId: count === 0 ? undefined : last };
  }

  /** Or refused by the disk. */
  written({ count, chars }: Pick<Said, 'count' | 'chars'>): void {
    this.#handedOver.count -= count;
    this.#handedOver.chars -= chars;
  }
}
