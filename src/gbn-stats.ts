// Layer 1. What a transfer counts, at either end, and what it tells of each datagram if it is asked to.

import type { EndCode, GbnKind } from './wire-gbn.ts';

export interface GbnStats {
  /** Of the file: sent and acknowledged, or received in order; without what was there before. */
  bytes: number;
  /** Numbered datagrams sent, or received. */
  packets: number;
  /** All bytes of all datagrams, sent and received. */
  wireBytes: number;
  resent: number;
  repairs: number;
  timeouts: number;
  fastGoBacks: number;
  /** At the receiver: datagrams that came again; at the sender: acknowledgements of a gap. */
  duplicates: number;
  /** Not believed, or not understood. */
  invalid: number;
  roundTripMs: number;
  bytesPerSecond: number;
  window: number;
}

export function emptyStats(): GbnStats {
  return {
    bytes: 0,
    packets: 0,
    wireBytes: 0,
    resent: 0,
    repairs: 0,
    timeouts: 0,
    fastGoBacks: 0,
    duplicates: 0,
    invalid: 0,
    roundTripMs: 0,
    bytesPerSecond: 0,
    window: 0,
  };
}

export interface GbnTrace {
  readonly at: number;
  readonly direction: 'in' | 'out';
  readonly kind: GbnKind;
  /** Of the packet, on the wire. */
  readonly seq: number;
  readonly window: number;
  readonly why: string;
}

/** Why a transfer ended. */
export interface GbnEnd {
  readonly code: EndCode;
  readonly text: string;
}
