// Layer 3. What is said to a `datagram` client, until it has it: group messages and private ones at once to who is
// there; to who comes back, what it missed. Who does not acknowledge is taken for offline.

import type { Backbone } from './backbone.ts';
import type { Client } from './datagram-client.ts';
import { clockTime, datagramsOf, type Entry, entryOfMail, entryOfPost, inOrder } from './datagram-missed.ts';
import { HouseError } from './errors.ts';
import type { Post, Whisper } from './events.ts';
import { MAIN_ROOM, nameKey } from './names.ts';
import type { Member } from './room.ts';
import type { House } from './rooms.ts';
import type { Mail } from './store.ts';
import { AtMost } from './throttle.ts';
import { encodeDatagram, splitMessage } from './wire-datagram.ts';

/** What is asked of an online client, how often, and how far apart. */
const TOLD = { tries: 3, everyMs: 200, settledBy: 'ack' } as const;
const OFFLINE = { tries: 5, everyMs: 500, settledBy: 'ack' } as const;
/** So much of what was said in the group waits for somebody. */
const MAX_MISSED = 200;
const MAX_READING = 16;

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
    if (!member) return;
    if (client.held) {
      client.firstHeld ??= post.id;
      client.held.push(() => this.group(client, post, pieces));
      return;
    }
    client.offered.post = post.id;
    pieces.forEach((bytes, at) => {
      const isLast = at === pieces.length - 1;
      const done = (ok: boolean) => {
        if (!ok) this.#options.lose(client, member);
        else if (isLast) this.#heard(client, post.id);
      };
      client.peer.ask({ ...TOLD, bytes, done });
    });
  }

  /** To one alone; kept for it when it does not answer. */
  whisper(client: Client, { who, at, text }: Whisper): boolean {
    const { member } = client;
    if (!member) return false;
    for (const piece of splitMessage({ kind: 'msg', from: who.name, text }, client.maxBytes)) {
      const bytes = encodeDatagram(piece);
      const mail = { sender: who.name, time: clockTime(at), text: piece.kind === 'msg' ? piece.text : text };
      this.#tell(client, member, bytes, mail);
    }
    return true;
  }

  #tell(client: Client, member: Member, bytes: Uint8Array, mail: Pick<Mail, 'sender' | 'time' | 'text'>): void {
    const done = (ok: boolean) => {
      if (ok) return;
      // before those behind it
      this.keepFor(client, mail).catch(this.unkept);
      this.#options.lose(client, member);
    };
    client.peer.ask({ ...TOLD, bytes, done });
  }

  /** Settles when it is on disk. */
  async keepFor(client: Client, mail: Pick<Mail, 'sender' | 'time' | 'text'>): Promise<void> {
    const { member } = client;
    const { backbone, wall } = this.#options;
    await backbone.addMail({ ...mail, owner: client.contact.key, at: wall() });
    // it has come back meanwhile
    if (client.member && client.member !== member) this.catchUp(client, false).catch(this.unkept);
  }

  /** What it missed; that this is nothing too, where it is to know. */
  async catchUp(client: Client, evenNothing: boolean): Promise<void> {
    const { member } = client;
    if (!member) return;
    await new Promise<void>((resolve) => client.peer.whenClosed(resolve));
    if (client.member !== member) return;
    const [posts, mails] = await this.#waiting(client).catch((error) => {
      // or it would hear what comes now, and never what came before
      if (client.member === member && client.held) this.#options.goOffline(client, 'what it missed is out of reach');
      throw error;
    });
    if (client.member !== member) return;
    const entries = missed(client, posts, mails);
    if (entries.length > 0 || evenNothing) this.#offer(client, member, entries);
    const { held } = client;
    client.held = undefined;
    client.firstHeld = undefined;
    for (const tell of held ?? []) tell();
  }

  async #waiting({ contact }: Client): Promise<[Post[], Mail[]]> {
    const { house, backbone } = this.#options;
    const room = await house.openRoom(MAIN_ROOM);
    return this.#reading.run(() => Promise.all([house.history(room, MAX_MISSED), backbone.mailOf(contact.key)]));
  }

  #offer(client: Client, member: Member, entries: readonly Entry[]): void {
    for (const { bytes, entries: carried } of datagramsOf(entries, client.maxBytes)) {
      const done = (ok: boolean) => (ok ? this.#delivered(client, carried) : this.#options.lose(client, member));
      client.peer.ask({ ...OFFLINE, bytes, done });
    }
  }

  #delivered(client: Client, entries: readonly Entry[]): void {
    const { backbone } = this.#options;
    const posts = entries.flatMap(({ post }) => post ?? []);
    const mails = entries.flatMap(({ mail }) => mail ?? []);
    this.#heard(client, posts.at(-1)?.id ?? 0);
    if (mails.length > 0) {
      const last = mails.at(-1)?.id ?? 0;
      client.got = Math.max(client.got, last);
      this.#reading.run(() => backbone.dropMail(client.contact.key, last)).catch(this.unkept);
    }
    for (const { sender, time } of mails) if (sender !== undefined) this.#receipt(sender, time, client.name);
  }

  #heard(client: Client, id: number): void {
    client.contact.heard = Math.max(client.contact.heard, id);
    this.#options.keep(client);
  }

  /** Its sender learns that it has arrived, now or when it comes back. */
  #receipt(sender: string, time: string, receiver: string): void {
    const to = this.#options.clientOf(sender);
    if (!to) return;
    const text = ` [Offline Message sent at ${time} received by ${receiver}.]`;
    const mail = { sender: undefined, time, text };
    const { member } = to;
    if (!member) return void this.keepFor(to, mail).catch(this.unkept);
    this.#tell(to, member, encodeDatagram({ kind: 'msg', from: undefined, text }), mail);
  }
}

/** What it has not been offered yet. */
function missed(client: Client, posts: readonly Post[], mails: readonly Mail[]): Entry[] {
  const { offered, firstHeld = Number.POSITIVE_INFINITY } = client;
  const { key, heard } = client.contact;
  const after = Math.max(heard, offered.post);
  const isOwn = ({ who }: Post) => who.dialect === 'datagram' && nameKey(who.nick) === key;
  const said = posts.filter((post) => post.id > after && post.id < firstHeld && !isOwn(post));
  const kept = mails.filter(({ id }) => id > Math.max(client.got, offered.mail));
  offered.post = Math.max(offered.post, said.at(-1)?.id ?? 0);
  offered.mail = Math.max(offered.mail, kept.at(-1)?.id ?? 0);
  return inOrder(said.map(entryOfPost), kept.map(entryOfMail));
}
