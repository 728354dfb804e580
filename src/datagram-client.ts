// Layer 3. One `datagram` client, as the server knows it: its name and address, what goes out to it, and what it has.

import type { DatagramPeer } from './datagram-peer.ts';
import type { Post } from './events.ts';
import type { Member } from './room.ts';
import type { Contact } from './store.ts';
import { MAX_CLASSIC_BYTES, MAX_OUR_BYTES, type TableRow } from './wire-datagram.ts';

/** Somebody who has registered. */
export class Client {
  readonly contact: { -readonly [field in keyof Contact]: Contact[field] };
  readonly peer: DatagramPeer;
  /** There, as far as is known. */
  member: Member | undefined;
  /** On its way into the house. */
  entering: Promise<void> | undefined;
  /** While what it has missed is being looked up: what is said meanwhile comes behind that. */
  held: Array<() => void> | undefined;
  /** The first of these. */
  firstHeld: number | undefined;
  /** It did not answer; it may not know that it is taken for offline. */
  isLost = false;
  /** The last post and the last mail that it was sent, whether it has them or not. */
  offered = { post: 0, mail: 0 };
  /** More was said than could be sent: it gets that from the store when it has the rest. */
  isBehind = false;
  /** What it has missed is looked up once at a time. */
  catching: Promise<void> = Promise.resolve();
  /** The last mail that it has. */
  got = 0;
  /** Its own group messages that were not heard yet, and what to do then. */
  readonly said: Array<(post: Post) => void> = [];
  #row: TableRow | undefined;

  constructor(contact: Contact, peer: DatagramPeer) {
    this.contact = { ...contact };
    this.peer = peer;
  }

  get name(): string {
    return this.contact.name;
  }

  get maxBytes(): number {
    return this.contact.isOurs && this.peer.isProven ? MAX_OUR_BYTES : MAX_CLASSIC_BYTES;
  }

  /** The same one until something in it changes. */
  get row(): TableRow {
    const { name, ip, port } = this.contact;
    const online = this.member !== undefined;
    const row = this.#row;
    if (row?.online === online && row.name === name && row.port === port && row.ip === ip) return row;
    this.#row = { name, ip, port, online };
    return this.#row;
  }

  /** Nobody is there any more: what was on its way to that one is not for the next. */
  leave(): void {
    this.member = undefined;
    this.held = undefined;
    this.firstHeld = undefined;
    this.said.length = 0;
    this.offered = { post: 0, mail: 0 };
    this.isLost = false;
    this.isBehind = false;
    this.contact.isOnline = false;
  }
}
