// Layer 3. What is said to a `datagram` client, until it has it: group messages and private ones at once to who is
// there; to who comes back, what it missed. Who does not acknowledge is taken for offline.

import type { Backbone } from './backbone.ts';
import type { Client } from './datagram-client.ts';
import { datagramsOf, type Entry, entryOfMail, entryOfPost, inOrder } from './datagram-missed.ts';
import { HouseError } from './errors.ts';
import type { Post, Whisper } from './events.ts';
import { MAIN_ROOM, nameKey } from './names.ts';
import type { Member } from './room.ts';
import type { House } from './rooms.ts';
import type { Mail } from './store.ts';
import { AtMost } from './throttle.ts';
import { clockTime, encodeDatagram, splitMessage } from './wire-datagram.ts';

/** What is asked of an online client, how often, and how far apart. */
const TOLD = { tries: 3, everyMs: 200, settledBy: 'ack' } as const;
const OFFLINE = { tries: 5, everyMs: 500, settledBy: 'ack' } as const;
/** So much of what was said in the group waits for somebody. */
const MAX_MISSED = 1000;
/** What is said while it is looked up what one has missed. */
const MAX_HELD = 256;
const MAX_READING = 16;

type Letter = Pick<Mail, 'sender' | 'time' | 'text'>;

export interface DeliveryOptions {
  readonly house: House;
  readonly backbone: Backbone;
  /** The time of day. */
  readonly wall: () => number;
  clientOf(name: string): Client | undefined;
  /** What is known of it has changed. */
  keep(client: Client): void;
  /** That member of the house has not acknowledged something. */
  lose(client: Client, member: Member): void;
  goOffline(client: Client, reason: string): void;
  readonly onBug: (error: unknown) => void;
}

export class Delivery {
  readonly #options: DeliveryOptions;
  /** The store does not answer everybody at once. */
  readonly #reading = new AtMost(MAX_READING);

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** The store says so in the log. */
  readonly unkept = (error: unknown): void => {
    if (!(error instanceof HouseError)) this.#options.onBug(error);
  };

  /** Who does not acknowledge it finds it when it comes back. */
  group(client: Client, post: Post, pieces: readonly Uint8Array[]): void {
    const { member } = client;
    if (!member || client.isBehind) return;
    if (client.peer.room < pieces.length || (client.held && client.held.length >= MAX_HELD)) {
      client.isBehind = true;
      return;
    }
    if (client.held) {
      client.firstHeld ??= post.id;
      client.held.push(() => this.group(client, post, pieces));
      return;
    }
    client.offered.post = post.id;
    pieces.forEach((bytes, at) => {
      const isLast = at === pieces.length - 1;
      const done = (ok: boolean) => {
        if (!ok) return this.#options.lose(client, member);
        if (isLast) this.#heard(client, post.id);
        this.#settled(client);
      };
      client.peer.ask({ ...TOLD, bytes, done });
    });
  }

  /** To one alone; kept for it when it does not answer. */
  whisper(client: Client, { who, at, text }: Whisper): boolean {
    const { member } = client;
    if (!member) return false;
    for (const piece of splitMessage({ kind: 'msg', from: who.name, text }, client.maxBytes)) {
      const mail = { sender: who.name, time: clockTime(at), text: piece.kind === 'msg' ? piece.text : text };
      if (client.peer.isFull) this.#keepBehind(client, mail).catch(this.unkept);
      else this.#tell(client, member, encodeDatagram(piece), mail);
    }
    return true;
  }

  async #keepBehind(client: Client, mail: Letter): Promise<void> {
    await this.keepFor(client, mail);
    client.isBehind = true;
    this.#settled(client);
  }

  #tell(client: Client, member: Member, bytes: Uint8Array, mail: Letter): void {
    const done = (ok: boolean) => {
      if (ok) return this.#settled(client);
      // before those behind it
      this.keepFor(client, mail).catch(this.unkept);
      this.#options.lose(client, member);
    };
    client.peer.ask({ ...TOLD, bytes, done });
  }

  /** Settles when it is on disk. */
  async keepFor(client: Client, mail: Letter): Promise<void> {
    const { member } = client;
    const { backbone, wall } = this.#options;
    await backbone.addMail({ ...mail, owner: client.contact.key, at: wall() });
    // it has come back meanwhile
    if (client.member && client.member !== member) this.catchUp(client, false).catch(this.unkept);
  }

  /** It has everything that was sent; there may be more. */
  #settled(client: Client): void {
    if (client.isBehind && client.peer.isSettled) this.catchUp(client, false).catch(this.unkept);
  }

  /** What it missed; that this is nothing too, where it is to know. */
  catchUp(client: Client, evenNothing: boolean): Promise<void> {
    const caughtUp = client.catching.then(() => this.#catchUp(client, evenNothing));
    client.catching = caughtUp.catch(() => {});
    return caughtUp;
  }

  async #catchUp(client: Client, evenNothing: boolean): Promise<void> {
    const { member } = client;
    if (!member) return;
    if (client.isBehind) client.held ??= [];
    client.isBehind = false;
    await new Promise<void>((resolve) => client.peer.whenClosed(resolve));
    if (client.member !== member) return;
    const [posts, mails] = await this.#waiting(client).catch((error) => {
      // or it would hear what comes now, and never what came before
      if (client.member === member && client.held) this.#options.goOffline(client, 'what it missed is out of reach');
      throw error;
    });
    if (client.member !== member) return;
    const entries = missed(client, posts, mails);
    if (entries.length > 0 || evenNothing) this.#offer(client, member, entries, evenNothing);
    const { held } = client;
    client.held = undefined;
    client.firstHeld = undefined;
    for (const tell of held ?? []) tell();
  }

  async #waiting({ contact }: Client): Promise<[Post[], Mail[]]> {
    const { house, backbone } = this.#options;
    const room = await house.openRoom(MAIN_ROOM);
    return this.#reading.run(() =>
      Promise.all([house.history(room, { limit: MAX_MISSED }), backbone.mailOf(contact.key)]),
    );
  }

  /** As much as it can take at once; who was there all the time has receipts as messages. */
  #offer(client: Client, member: Member, entries: readonly Entry[], isBack: boolean): void {
    const isReceipt = ({ from }: Entry) => from === undefined;
    const isLive = !isBack && entries.length > 0 && entries.every(isReceipt);
    const datagrams = isLive ? entries.map(receiptOf) : datagramsOf(entries, client.maxBytes);
    const { room } = client.peer;
    for (const { bytes, entries: carried } of datagrams.slice(0, room)) {
      for (const { post, mail } of carried) {
        if (post) client.offered.post = post.id;
        if (mail) client.offered.mail = mail.id;
      }
      const done = (ok: boolean) => (ok ? this.#delivered(client, carried) : this.#options.lose(client, member));
      client.peer.ask({ ...(isLive ? TOLD : OFFLINE), bytes, done });
    }
    if (datagrams.length > room) client.isBehind = true;
  }

  #delivered(client: Client, entries: readonly Entry[]): void {
    const posts = entries.flatMap(({ post }) => post ?? []);
    const mails = entries.flatMap(({ mail }) => mail ?? []);
    this.#heard(client, posts.at(-1)?.id ?? 0);
    if (mails.length > 0) {
      client.got = Math.max(client.got, mails.at(-1)?.id ?? 0);
      this.#reading.run(() => this.#receipt(client, mails)).catch(this.unkept);
    }
    this.#settled(client);
  }

  /** Their senders learn that they have arrived, now or when they come back; whatever happens in between. */
  async #receipt(client: Client, mails: readonly Mail[]): Promise<void> {
    const { backbone, clientOf, wall } = this.#options;
    const senders = new Set<Client>();
    for (const { sender, time } of mails) {
      const to = sender === undefined ? undefined : clientOf(sender);
      if (!to) continue;
      const text = ` [Offline Message sent at ${time} received by ${client.name}.]`;
      const receipt = { owner: to.contact.key, sender: undefined, time, text, at: wall() };
      await backbone.addMail(receipt).catch(this.unkept);
      senders.add(to);
    }
    await backbone.dropMail(client.contact.key, mails.at(-1)?.id ?? 0);
    for (const to of senders) if (to.member) this.catchUp(to, false).catch(this.unkept);
  }

  #heard(client: Client, id: number): void {
    client.contact.heard = Math.max(client.contact.heard, id);
    this.#options.keep(client);
  }
}

/** To a sender who is there. */
function receiptOf(entry: Entry): { bytes: Uint8Array; entries: Entry[] } {
  return { bytes: encodeDatagram({ kind: 'msg', from: undefined, text: entry.text }), entries: [entry] };
}

/** What it has not been offered yet. */
function missed(client: Client, posts: readonly Post[], mails: readonly Mail[]): Entry[] {
  const { offered, firstHeld = Number.POSITIVE_INFINITY } = client;
  const { key, heard } = client.contact;
  const after = Math.max(heard, offered.post);
  const isOwn = ({ who }: Post) => who.dialect === 'datagram' && nameKey(who.nick) === key;
  const said = posts.filter((post) => post.id > after && post.id < firstHeld && !isOwn(post));
  const kept = mails.filter(({ id }) => id > Math.max(client.got, offered.mail));
  return inOrder(said.map(entryOfPost), kept.map(entryOfMail));
}
