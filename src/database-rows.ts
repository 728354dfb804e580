// Layer 2. What is in the store, as it goes in and comes out. Plain data: it passes from thread to thread.

import type { ContactChange } from './mail-tables.ts';
import type { KeptRules } from './room-rules.ts';

export interface StoredRoom {
  readonly id: number;
  readonly key: string;
  readonly name: string;
  readonly made: number;
  readonly description: string;
  /** The key of the account that made it. */
  readonly owner: string | undefined;
  /** A hash; whoever enters it must know what it was made of. */
  readonly password: string | undefined;
  /** Something was said in it. */
  readonly used: boolean;
  /** What may be done in it, where it is another than usual. */
  readonly rules?: KeptRules | undefined;
  /** Its number in each dialect that numbers rooms. */
  readonly refs: Map<string, number>;
}

/** What of a room is written when it is made. */
export type NewRoom = Omit<StoredRoom, 'used' | 'refs' | 'rules'>;

/** What of a room may be another later. */
export interface RoomChange {
  readonly kind: 'rules';
  readonly room: number;
  readonly description: string;
  readonly password: string | undefined;
  readonly rules: KeptRules | undefined;
}

/** The posts of a room: those between the bounds, which are not among them; of too many the newest. */
export interface HistoryRange {
  readonly limit: number;
  readonly before?: Bound | undefined;
  readonly after?: Bound | undefined;
  /** Of too many the oldest. */
  readonly isOldestFirst?: boolean | undefined;
  /** A time: nothing that was said earlier. */
  readonly since?: number | undefined;
  /** A time: nothing that was said earlier in confidence. */
  readonly opened?: number | undefined;
}

/** A post, or a time. */
export type Bound = { readonly id: number } | { readonly at: number };

/** When something was said last. */
export interface LastPost {
  readonly room: number;
  readonly at: number;
}

export interface Account {
  readonly key: string;
  readonly name: string;
  readonly hash: string;
  readonly made: number;
}

export type Change =
  | ({ readonly kind: 'room' } & NewRoom)
  | { readonly kind: 'ref'; readonly room: number; readonly dialect: string; readonly ref: number }
  | { readonly kind: 'drop'; readonly room: number }
  | RoomChange
  | ContactChange;

/** Posts by column: cheap to hand to another thread. */
export interface PostColumns {
  readonly id: number[];
  readonly room: number[];
  readonly at: number[];
  readonly name: string[];
  readonly dialect: string[];
  readonly text: string[];
  readonly stamp: Array<string | null>;
  /** JSON of what few posts have. */
  readonly extra: Array<string | null>;
}

/** What is committed at once: the changes in their order, then the posts and whispers. */
export interface Group {
  readonly changes: Change[];
  readonly posts: PostColumns;
  readonly whispers?: readonly NewWhisper[];
}

/** One side of what two say to each other in private: each account keeps its own. */
export interface TalkSide {
  /** The key of the account that keeps it. */
  readonly owner: string;
  /** Of the other one's account, or name for who has none. */
  readonly other: string;
  /** What that key is made of. */
  readonly name: string;
  /** The owner has said it. */
  readonly isOwn: boolean;
}

export interface WhisperRow extends Omit<PostRow, 'stamp'> {
  /** The name of whom it was said to. */
  readonly target: string;
}

export interface NewWhisper extends WhisperRow {
  readonly sides: readonly TalkSide[];
}

/** Of a talk: with whom, and when something was said last. */
export interface Talk {
  readonly name: string;
  readonly at: number;
}

export interface TalksRange {
  readonly before?: { readonly at: number } | undefined;
  readonly after?: { readonly at: number } | undefined;
  readonly since?: number | undefined;
}

export interface PostRow {
  readonly id: number;
  readonly at: number;
  readonly name: string;
  readonly dialect: string;
  readonly text: string;
  readonly stamp?: string;
  readonly extra?: string;
}

export interface FoundRow {
  readonly post: PostRow;
  readonly room: string;
  readonly roomName: string;
}

/** Posts of rooms without a password are found, besides those that `account` owns and the room `room`. */
export interface SearchOptions {
  readonly limit: number;
  readonly account: string | undefined;
  readonly room: number | undefined;
}
