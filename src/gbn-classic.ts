// Layer 1. What the two machines for the classic file wire have in common. That wire has no checksum, no timer and a
// sequence space as large as the window: a file that was lost in part can come out wrong with both ends content.
// These machines never hang, and say so wherever they can know that something is wrong.

export const DEFAULT_WINDOW = 16;
export const MAX_WINDOW = 1024;

export type ClassicFailure =
  /** The peer refused: there is no such file, too many are under way, or else. */
  | 'not-found'
  | 'busy'
  | 'refused'
  /** Nothing came, or nothing more. */
  | 'silent'
  /** Packets were lost in a way that a classic program does not recover from. */
  | 'lost'
  /** The other end counts by another window. */
  | 'window';

export type ClassicOutcome =
  /**
   * `isConfirmed`: the other end has said that it has, or has sent, everything, as far as it can know. No more than
   * that: this wire cannot verify a file.
   */
  | { readonly kind: 'done'; readonly bytes: number; readonly isConfirmed: boolean }
  | { readonly kind: 'failed'; readonly reason: ClassicFailure; readonly message: string };

export interface Wanted {
  readonly position: number;
  readonly bytes: number;
}

export function checkWindow(window: number): number {
  if (Number.isInteger(window) && window >= 2 && window <= MAX_WINDOW) return window;
  throw new RangeError(`a window of ${window}: it has to be 2 to ${MAX_WINDOW}`);
}
