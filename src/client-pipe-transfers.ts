// Layer 3. What the `pipe` client wants of whoever carries its files, and what it hears of them: types.

import type { Place } from './client-pipe-words.ts';

/** How a file went. */
export type Way = 'direct' | 'classic' | 'relay';

/** Why a request is refused. */
export type Refusal = 'not-found' | 'busy';

export interface TransferOptions {
  /** What is shared, and where files arrive. */
  readonly directory: string;
  /** Where others can reach this client, as the connection to the server has it. */
  readonly ip: string;
  /** Packets; undefined is 16 toward a classic client, and fitted to the path toward our own. */
  readonly window: number | undefined;
  /** What is done to every datagram, for teaching and tests; undefined is nothing. Shares of 1. */
  readonly trouble:
    | {
        readonly loss: number;
        readonly duplicated: number;
        readonly reordered: number;
        readonly delayMs: number;
        /** The same trouble each time; undefined is another one each time. */
        readonly seed: number | undefined;
      }
    | undefined;
  /** A file that gets a line of JSON for each packet. */
  readonly trace: string | undefined;
  /** Silence for so long ends a transfer; undefined is up to the carrier. */
  readonly timeoutMs: number | undefined;
  readonly way: 'any' | 'direct' | 'relay';
}

/** A file that is asked of somebody. */
export interface Wish {
  readonly owner: string;
  readonly file: string;
}

/** A file that somebody asks for. */
export interface Request extends Place {
  readonly to: string;
  readonly file: string;
}

export type Arrived = Wish & {
  readonly path: string;
  readonly bytes: number;
  readonly ms: number;
  readonly way: Way;
  /** Its SHA-256 is the owner's. */
  readonly isVerified: boolean;
};

/** Never called from within a call of `Transfers`. */
export interface TransferEvents {
  arrived(arrived: Arrived): void;
  /** Of `fetch`, after it has been invited; each wish ends once. */
  failed(wish: Wish, reason: string): void;
  /** Its owner was not reached: from here on the server is asked for it. */
  relaying(wish: Wish): void;
  /** Of `serve`; each request ends once, here or below. */
  served(request: Request, bytes: number, ms: number): void;
  notServed(request: Request, reason: string): void;
  /** Somebody has had a file through the server; `trouble` is what went wrong. */
  relayed(who: string, file: string, trouble: string | undefined): void;
}

export interface Transfers {
  /**
   * Gets ready for it: where the owner is to send it; undefined where the owner need not be asked. Rejects with a
   * HouseError, and then `failed` is not called.
   */
  fetch(wish: Wish): Promise<Place | undefined>;
  /** It will not come: its owner is not there. Nothing more is heard of it. */
  abandon(wish: Wish): void;
  /** Files of that one of which nothing comes any more are given up. */
  ownerLeft(name: string): void;
  serve(request: Request): void;
  /** By datagram, in the words of the requester's wire. Nothing more is heard of it. */
  refuse(request: Request, reason: Refusal): void;
  setWindow(packets: number): void;
  /** How far everything is, a line of so many columns each. */
  lines(now: number, columns: number): readonly string[];
  /** Everything ends, and what came is kept. */
  close(): void;
}
