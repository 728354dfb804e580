// Layer 1. What the two ends of the sound Go-Back-N wire say to each other; wire-gbn.ts has the bytes.

export const KINDS = ['offer', 'wait', 'accept', 'data', 'repair', 'probe', 'ack', 'end', 'bye'] as const;
export type GbnKind = (typeof KINDS)[number];

/** How a transfer ends, the same at both ends. */
export const END_CODES = ['done', 'refused', 'changed', 'aborted', 'damaged', 'silent', 'invalid', 'stalled'] as const;
export type EndCode = (typeof END_CODES)[number];

export interface Offer {
  readonly kind: 'offer';
  readonly firstSeq: number;
  /** The datagrams of one train are alike but for this, their stamp and their length. */
  readonly index: number;
  readonly count: number;
  /** Of the file in a packet, at most and at least: what comes through is decided by the receiver. */
  readonly packetBytes: number;
  readonly leastBytes: number;
  /** 0: plain Go-Back-N. */
  readonly blockPackets: number;
  /** 0: auto. */
  readonly window: number;
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
  readonly name: string;
  readonly version: string;
  readonly stamp: number;
  /** Of the file, if the datagram were one of its packets: as much as came through. */
  readonly roomBytes: number;
}

export interface Wait {
  readonly kind: 'wait';
  readonly stamp: number;
  readonly heldUs: number;
}

export interface Accept {
  readonly kind: 'accept';
  readonly offset: number;
  readonly packetBytes: number;
  /** The first packet that there is no room for. */
  readonly limit: number;
  readonly stamp: number;
  readonly heldUs: number;
  /** How long the datagrams of the offer took to arrive, from the first to the last, and how many followed the first. */
  readonly trainUs: number;
  readonly trainPackets: number;
  /** Of the train's datagrams. */
  readonly trainArrived: number;
}

export interface Data {
  readonly kind: 'data';
  readonly seq: number;
  readonly tx: number;
  readonly stamp: number;
  readonly bytes: Uint8Array;
}

export interface Repair {
  readonly kind: 'repair';
  /** Of the block's first packet. */
  readonly seq: number;
  readonly tx: number;
  readonly stamp: number;
  readonly index: number;
  readonly bytes: Uint8Array;
}

export interface Probe {
  readonly kind: 'probe';
  /** All below has been sent. */
  readonly seq: number;
  readonly tx: number;
  readonly stamp: number;
}

export interface Ack {
  readonly kind: 'ack';
  /** The next packet wanted: all before it have arrived. */
  readonly seq: number;
  /** The first packet that there is no room for. */
  readonly limit: number;
  /** The highest that has arrived. */
  readonly tx: number;
  /** Numbered datagrams that have arrived, each counted once. */
  readonly received: number;
  /** Of the numbered datagram that came last, how long ago, and when on the receiver's clock. */
  readonly stamp: number;
  readonly heldUs: number;
  readonly arrivedUs: number;
  /** Something came that follows on what is missing. */
  readonly isGap: boolean;
  /** Packets that the block of `seq` still needs; the one behind it. 255: so many or more. */
  readonly lacks: number;
  readonly nextLacks: number;
}

export interface End {
  readonly kind: 'end';
  readonly code: EndCode;
  readonly text: string;
}

export interface Bye {
  readonly kind: 'bye';
}

export type GbnMessage = Offer | Wait | Accept | Data | Repair | Probe | Ack | End | Bye;
