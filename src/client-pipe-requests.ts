// Layer 3. What the client's `pipe` face asks of whoever has its connection and its files, and what it is told at the
// start: types.

import type { Refusal, Request, Wish } from './client-pipe-transfers.ts';

export type ClientRequest =
  /** In one piece, each ended by a newline. */
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  /** To be answered with `invited` or `failed`. */
  | { readonly kind: 'fetch'; readonly wish: Wish }
  | { readonly kind: 'abandon'; readonly wish: Wish }
  /** Whether what is waited for from there will come has to be seen. */
  | { readonly kind: 'owner-left'; readonly owner: string }
  /** To be answered with `served` or `notServed`. */
  | { readonly kind: 'serve'; readonly request: Request }
  | { readonly kind: 'refuse'; readonly request: Request; readonly reason: Refusal }
  | { readonly kind: 'window'; readonly packets: number };

export interface PipeOptions {
  /** Names of the files in one's own folder, as they are now. */
  files(): readonly string[];
  readonly isSharing: boolean;
  /** So many files go out at once. */
  readonly parallel: number;
  /** It asks our server to pass files on. */
  readonly usesServer: boolean;
  /** Good news is for people; a script has the exit status, and waits for its files. */
  readonly isPerson: boolean;
}
