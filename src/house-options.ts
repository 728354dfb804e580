// Layer 2. What a house is told when it opens, and what may be said along with what is asked of it.

import type { Backbone } from './backbone.ts';
import type { ClientTags } from './events.ts';
import type { MaskMatcher } from './room-rules.ts';

export interface Limits {
  readonly people: number;
  readonly rooms: number;
  readonly roomsEach: number;
  readonly textChars: number;
  /** What is said to one alone is kept for so long; 0: not at all. */
  readonly whisperMs: number;
}

const YEAR_MS = 365 * 86_400_000;
export const DEFAULT_LIMITS: Limits = {
  people: 20_000,
  rooms: 10_000,
  roomsEach: 100,
  textChars: 65_536,
  whisperMs: YEAR_MS,
};

export interface HouseOptions {
  readonly backbone: Backbone;
  /** The time of day in milliseconds. */
  readonly wall: () => number;
  readonly onBug: (error: unknown) => void;
  readonly limits?: Partial<Limits>;
  /** Whether a mask of a room's lists is for somebody; without it a mask is a name. */
  readonly maskMatches?: MaskMatcher | undefined;
}

/** What is known of somebody who comes in. */
export interface Newcomer {
  /** The name of the account that they are logged in to; for `owner` 'account' it is the name unless it is said. */
  readonly account?: string | undefined;
  readonly host?: string | undefined;
}

export interface Saying {
  readonly stamp?: string | undefined;
  readonly notice?: boolean | undefined;
  readonly tags?: ClientTags | undefined;
}

export interface Whispering {
  readonly notice?: boolean | undefined;
  readonly tags?: ClientTags | undefined;
  /** From `newId`, where it has to be known before. */
  readonly id?: string | undefined;
  /** Nothing that is said between the two: it is not kept. */
  readonly isPassing?: boolean | undefined;
}
