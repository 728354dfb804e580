// Layer 4. What a download is told, and what it tells in the end.

import type { Disk } from './disk.ts';
import type { EndOfTransfer } from './gbn-classic-ends.ts';
import type { GbnSocket, Trouble } from './gbn-socket.ts';
import type { GbnStats, GbnTrace } from './gbn-stats.ts';
import type { Locks } from './landing.ts';
import { decodeClassic } from './wire-gbn-classic.ts';

export interface DownloadWire {
  /** `first`: as the first datagram has it. */
  readonly kind: 'sound' | 'classic' | 'first';
  /** Undefined takes whatever is offered first. */
  readonly transferId?: Uint8Array | undefined;
  /** Of the classic wire: both ends' have to be equal. */
  readonly window?: number | undefined;
  readonly silentMs?: number | undefined;
  readonly onTrace?: ((trace: GbnTrace) => void) | undefined;
}

export interface DownloadOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly locks: Locks;
  /** What was asked for; undefined is what the other end calls it. */
  readonly name: string | undefined;
  /** As a person would say; undefined is the address. */
  readonly from?: string;
  readonly wire: DownloadWire;
  /** Left open in the end, for the next one; else it has one of its own, as the following have it. */
  readonly socket?: GbnSocket;
  readonly host?: string;
  readonly port?: number;
  readonly trouble?: Trouble | undefined;
  /** Until something comes. */
  readonly patienceMs?: number;
  onBug(error: unknown): void;
}

export interface DownloadEnd extends EndOfTransfer {
  readonly isDone: boolean;
  /** Its SHA-256 is the sender's. */
  readonly isVerified: boolean;
  /** That it has or would have had in the folder; undefined if it never got so far. */
  readonly name: string | undefined;
  readonly path: string | undefined;
  /** Of the whole file. */
  readonly size: number;
  /** What was there before. */
  readonly offset: number;
  /** What is kept of one that was cut. */
  readonly keptBytes: number;
  /** From the acceptance on. */
  readonly ms: number;
  readonly stats: Readonly<GbnStats>;
  readonly dropped: number;
  /** Another sender came while this one was silent. */
  readonly isReplaced: boolean;
}

/** What a classic sender begins with, be it a refusal. */
export function isClassicStart(datagram: Uint8Array): boolean {
  try {
    return ['start', 'not-found', 'busy', 'refused'].includes(decodeClassic(datagram).kind);
  } catch {
    return false;
  }
}
