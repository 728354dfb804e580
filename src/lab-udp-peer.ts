// Layer 3. One `lab` client over UDP: what it has said lately, to tell a repeated datagram from a repeated
// text, and what goes out to it, in order.

import type { Post } from './events.ts';
import { encodeRefusal, type Lab, Seats } from './lab.ts';
import type { Address } from './session.ts';

/** A CHAT repeated byte for byte within this time is the same CHAT. */
const REPEAT_MS = 2000;
/** How many CHATs (and SEQs) of a peer are remembered, and how much of what acknowledged them. */
const REMEMBERED = 64;
const REMEMBERED_BYTES = 65_536;
/** What waits behind a CHAT that is not stored yet; more is lost, as datagrams may be. */
const MAX_WAITING = 256;

interface Chatted {
  /** The same for the same datagram. */
  readonly key: string;
  readonly hasSeq: boolean;
  readonly room: string;
  readonly at: number;
}

/** A CHAT that was accepted; answered again when it is repeated. */
interface Said extends Chatted {
  heard: boolean;
  /** What acknowledged it: its own delivery, once it is stored. */
  delivery: readonly Uint8Array[];
}

export class UdpPeer {
  readonly joinId: string;
  readonly address: Address;
  readonly seats = new Seats();
  /** How to answer the JOINs that are under way, by the room's key. */
  readonly answers = new Map<string, (ref: string) => void>();
  readonly #lab: Lab;
  readonly #transmit: (bytes: Uint8Array) => void;
  readonly #said: Said[] = [];
  /** What is to go out, in order; undefined is a delivery that is not stored yet. Empty when nothing waits. */
  readonly #waiting: Array<{ datagrams: readonly Uint8Array[] | undefined }> = [];
  joining = false;
  lastSeen = 0;
  gone = false;

  constructor(joinId: string, address: Address, transmit: (bytes: Uint8Array) => void, lab: Lab) {
    this.joinId = joinId;
    this.address = address;
    this.#transmit = transmit;
    this.#lab = lab;
  }

  /** Behind what is still waiting for the disk: a LEFT must not overtake a CHAT. */
  readonly send = (bytes: Uint8Array): void => {
    if (this.#waiting.length === 0) this.#transmit(bytes);
    // a copy: an encoded datagram may be a view on memory that it shares
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push({ datagrams: [bytes.slice()] });
  };

  /** True for a CHAT that was there before; what acknowledged it goes out again. */
  repeats(key: string, now: number): boolean {
    const known = this.#said.find((said) => said.key === key && (said.hasSeq || said.at + REPEAT_MS > now));
    for (const bytes of known?.delivery ?? []) this.send(bytes);
    return known !== undefined;
  }

  remember(chatted: Chatted): Said {
    const said: Said = { ...chatted, heard: false, delivery: [] };
    this.#said.push(said);
    if (this.#said.length > REMEMBERED) this.#said.shift();
    return said;
  }

  /** It was refused: it may be tried again. */
  forget(said: Said): void {
    this.#said.splice(this.#said.indexOf(said), 1);
  }

  /** Its own CHAT has been posted: acknowledged by its delivery, when it is stored. */
  heardOwn(post: Post, delivery: readonly Uint8Array[]): void {
    const said = this.#said.find((one) => !one.heard && one.room === post.room);
    if (said) said.heard = true;
    const place: { datagrams: readonly Uint8Array[] | undefined } = { datagrams: undefined };
    this.#waiting.push(place);
    const answer = (datagrams: readonly Uint8Array[]) => {
      place.datagrams = datagrams.map((bytes) => bytes.slice());
      if (said) this.#keep(said, place.datagrams);
      this.#sendWaiting();
    };
    this.#lab.house.saved(post).then(
      () => answer(delivery),
      (error) => answer([encodeRefusal(error)]),
    );
  }

  #sendWaiting(): void {
    for (let first = this.#waiting[0]; first?.datagrams; first = this.#waiting[0]) {
      this.#waiting.shift();
      for (const bytes of first.datagrams) this.#transmit(bytes);
    }
  }

  /** Of the older ones only that they were there is remembered when there is too much. */
  #keep(said: Said, delivery: readonly Uint8Array[]): void {
    said.delivery = delivery;
    let bytes = 0;
    for (const one of this.#said.toReversed()) {
      for (const datagram of one.delivery) bytes += datagram.length;
      if (bytes > REMEMBERED_BYTES && one !== said) one.delivery = [];
    }
  }
}
