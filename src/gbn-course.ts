// Layer 1. What plain Go-Back-N and the one with blocks have in common, for the sender: what is sent next, and what an
// acknowledgement changes.

import type { Heard } from './gbn-numbers.ts';
import type { Ack } from './wire-gbn.ts';

/** What a datagram is sent for. */
export type Why = 'new' | 'again' | 'repair' | 'more' | 'tail' | 'timeout';

export interface Course {
  /** All packets before it have arrived. */
  readonly base: number;
  /** Packets before it were sent at least once. */
  readonly sentTo: number;
  /** Packets from the base on that may be sent while nothing more is acknowledged end here. */
  readonly end: number;
  /** The packet, and the reason, of what was sent last. */
  readonly lastIndex: number;
  readonly lastWhy: Why;
  /** The receiver has no room for what comes next. */
  readonly isHeldUp: boolean;
  /** There is something that may be sent now. */
  hasNext(): boolean;
  next(now: number): Uint8Array;
  /** False for one that says nothing that is new. */
  acked(heard: Heard, ack: Ack): void;
  /** Nothing was heard for too long: something goes out that has to be answered. */
  nudge(): void;
}
