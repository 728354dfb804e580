// Layer 3. What the `datagram` dialect is besides its bytes: who has which name and where, who is there, what waits
// for those who are not. Group chat is the room `main`; who is offline finds what was said there in its history,
// and private messages in the store.

import { Alarms } from './alarm.ts';
import type { Backbone } from './backbone.ts';
import { clockTime, datagramsOf, type Entry, entryOfMail, entryOfPost, inOrder } from './datagram-missed.ts';
import { CHECK, CLASSIC, DatagramPeer, OURS } from './datagram-peer.ts';
import { Strangers } from './datagram-strangers.ts';
import { HouseError, ProtocolError } from './errors.ts';
import type { HouseEvent, Person, Post, Whisper } from './events.ts';
import { Members } from './members.ts';
import { MAIN_ROOM, nameKey } from './names.ts';
import type { Audience, Member, Room } from './room.ts';
import type { House } from './rooms.ts';
import type { Address, DatagramPort, Mailboxes } from './session.ts';
import type { Contact, Mail } from './store.ts';
import { AtMost } from './throttle.ts';
import {
  type DatagramMessage,
  decodeDatagram,
  encodeDatagram,
  MAX_CLASSIC_BYTES,
  MAX_OUR_BYTES,
  splitMessage,
  type TableRow,
  tableThatFits,
} from './wire-datagram.ts';

/** What is asked of an online client, how often, and how far apart. */
const GROUP = { tries: 3, everyMs: 200 };
const OFFLINE = { tries: 5, everyMs: 500 };
/** A burst of changes is one table. */
const TABLE_MS = 50;
/** So much of what was said in the group waits for somebody. */
const MAX_MISSED = 200;
const MAX_CONTACTS = 10_000;
const MAX_READING = 16;
const MAX_CONTACTS_EACH_IP = 250;

export interface DatagramOptions {
  readonly house: House;
  readonly backbone: Backbone;
  readonly mailboxes: Mailboxes;
  /** A monotonic time in milliseconds, and the time of day. */
  readonly now: () => number;
  readonly wall: () => number;
  /** Told of the table at each change, for the operator. */
  readonly onTable?: (rows: readonly TableRow[]) => void;
  readonly onBug: (error: unknown) => void;
}

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
  /** The last mail that it has. */
  got = 0;
  /** Its own group messages that were not heard yet, and what to do then. */
  readonly said: Array<(post: Post) => void> = [];

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
}

export class Datagram {
  readonly options: DatagramOptions;
  readonly alarms: Alarms;
  /** Members of other dialects. */
  readonly strangers: Strangers;
  readonly #members: Members<Client>;
  readonly #clients = new Map<string, Client>();
  readonly #perIp = new Map<string, number>();
  readonly #tables = new Map<string, Uint8Array>();
  /** The store does not answer everybody at once. */
  readonly #reading = new AtMost(MAX_READING);
  #port: DatagramPort | undefined;
  #nextAt = Number.POSITIVE_INFINITY;

  constructor(options: DatagramOptions) {
    this.options = options;
    this.alarms = new Alarms((at) => {
      this.#nextAt = at;
      this.#port?.wake();
    });
    this.strangers = new Strangers({
      mailboxes: options.mailboxes,
      changed: () => this.tableChanged(),
      received: (person, bytes, from) => this.#mailed(person, bytes, from),
    });
    this.#members = new Members(
      options.house,
      'datagram',
      (room, clientOf) => new GroupAudience(this, room, clientOf),
      (client, whisper) => this.whisper(client, whisper),
    );
  }

  /** The socket on which those are reached who were there before the server was started again. */
  start(port: DatagramPort): void {
    if (this.#port) return;
    this.#port = port;
    for (const contact of this.options.backbone.contacts()) {
      const client = this.#add(contact, port);
      // what was on its way to it then is on its way again
      if (contact.isOnline) this.comeBack(client, false).catch(this.#unkept);
    }
  }

  /** After the time that a classic client needs to listen for an answer. */
  later(work: () => void): void {
    const at = this.options.now() + CLASSIC.answerMs;
    let isDone = false;
    this.alarms.update({
      tick: (now) => {
        if (isDone || now < at) return;
        isDone = true;
        work();
      },
      deadline: () => (isDone ? Number.POSITIVE_INFINITY : at),
    });
  }

  get nextAt(): number {
    return this.#nextAt;
  }

  clientOf(name: string): Client | undefined {
    return this.#clients.get(nameKey(name.trim()));
  }

  // --- coming and going ----------------------------------------------------------------------------------

  /** A new name; rejects with a HouseError when it can't be had. */
  async register(name: string, address: Address, isOurs: boolean, port: DatagramPort): Promise<Client> {
    const key = nameKey(name.trim());
    if (this.#clients.size >= MAX_CONTACTS || (this.#perIp.get(address.ip) ?? 0) >= MAX_CONTACTS_EACH_IP) {
      throw new HouseError('full', 'there are too many names');
    }
    const { wall } = this.options;
    const contact = { key, name: name.trim(), ...address, isOurs, isOnline: true, seen: wall(), heard: 0 };
    const client = this.#add(contact, port);
    try {
      await this.#enter(client, true);
    } catch (error) {
      this.#forget(client);
      throw error;
    }
    return client;
  }

  /** Where it is now. */
  move(client: Client, { ip, port }: Address, isOurs: boolean): void {
    Object.assign(client.contact, { ip, port, isOurs });
    client.peer.pace = isOurs ? OURS : CLASSIC;
    this.#keep(client);
    this.tableChanged(client);
  }

  /** It is there again: it gets the table, then what it missed; nothing of that too, unless it did not ask for it. */
  async comeBack(client: Client, hasAsked: boolean): Promise<void> {
    await this.enter(client);
    client.peer.wantsTable(this.options.now());
    await this.#catchUp(client, hasAsked);
  }

  /** What waits for it is kept until it comes back. */
  goOffline(client: Client, reason: string): void {
    const { member } = client;
    if (!member) return;
    client.member = undefined;
    client.held = undefined;
    client.firstHeld = undefined;
    client.said.length = 0;
    client.isLost = false;
    client.contact.isOnline = false;
    this.#members.quit(member, reason);
    client.peer.silence(this.options.now());
    client.offered = { post: 0, mail: 0 };
    this.#keep(client);
    this.tableChanged();
  }

  /** That member of the house did not answer; it may be back as another. */
  #lose(client: Client, member: Member | undefined): void {
    if (!member || client.member !== member) return;
    this.goOffline(client, 'does not answer');
    client.isLost = true;
  }

  /** It is there, as others see it. */
  enter(client: Client): Promise<void> {
    return client.member ? Promise.resolve() : this.#enter(client);
  }

  #enter(client: Client, isNew = false): Promise<void> {
    client.entering ??= this.#join(client, isNew).finally(() => {
      client.entering = undefined;
    });
    return client.entering;
  }

  async #join(client: Client, isNew: boolean): Promise<void> {
    const { house } = this.options;
    const member = await this.#members.enter(client.name, client, { exactly: isNew });
    try {
      const room = await house.openRoom(MAIN_ROOM);
      client.member = member;
      client.contact.isOnline = true;
      // what was said before it came is not for it
      if (isNew) client.contact.heard = (await house.history(room, 1))[0]?.id ?? 0;
      else client.held = [];
      house.join(member, room);
    } catch (error) {
      client.member = undefined;
      this.#members.quit(member, 'not in');
      throw error;
    }
    this.#keep(client);
    this.tableChanged(client);
  }

  #add(contact: Contact, port: DatagramPort): Client {
    const peer = new DatagramPeer({
      transmit: (bytes) => port.send(bytes, { ip: client.contact.ip, port: client.contact.port }),
      table: () => this.table(client, 'table_update'),
      silent: () => this.#lose(client, client.member),
      changed: (those) => this.alarms.update(those),
    });
    peer.pace = contact.isOurs ? OURS : CLASSIC;
    const client = new Client(contact, peer);
    this.#clients.set(contact.key, client);
    this.#perIp.set(contact.ip, (this.#perIp.get(contact.ip) ?? 0) + 1);
    return client;
  }

  #forget(client: Client): void {
    const { key, ip } = client.contact;
    this.#clients.delete(key);
    this.alarms.forget(client.peer);
    const others = (this.#perIp.get(ip) ?? 1) - 1;
    if (others > 0) this.#perIp.set(ip, others);
    else this.#perIp.delete(ip);
  }

  #keep(client: Client): void {
    client.contact.seen = this.options.wall();
    this.options.backbone.putContact({ ...client.contact });
  }

  // --- the table -----------------------------------------------------------------------------------------

  /** Everybody who is there gets it, but for who gets it another way. */
  tableChanged(except?: Client): void {
    const at = this.options.now() + TABLE_MS;
    this.#tables.clear();
    for (const client of this.#clients.values()) if (client.member && client !== except) client.peer.wantsTable(at);
    this.options.onTable?.(this.#rows('127.0.0.1'));
  }

  /** As that client is told it. */
  table(client: Client, kind: 'conf_reg' | 'table_update'): Uint8Array {
    const { maxBytes: most } = client;
    const ip = this.#port?.localIp(client.contact.ip) ?? '127.0.0.1';
    if (client.peer.isSpent) return encodeDatagram({ kind, table: [rowOf(client)] });
    const key = `${kind} ${most} ${ip}`;
    let bytes = this.#tables.get(key);
    if (!bytes) {
      const rows = this.#rows(ip);
      const latest = new Map(rows.map((row, at) => [row, this.clientOf(row.name)?.contact.seen ?? at]));
      const bySeen = rows.toSorted((a, b) => (latest.get(b) ?? 0) - (latest.get(a) ?? 0));
      const fit = new Set(tableThatFits(kind, bySeen, most));
      bytes = encodeDatagram({ kind, table: rows.filter((row) => fit.has(row)) });
      this.#tables.set(key, bytes);
    }
    return bytes;
  }

  #rows(ip: string): TableRow[] {
    const ours = [...this.#clients.values()].map(rowOf);
    // who is called like one of ours who is away is not taken for that one
    return [...ours, ...this.strangers.rows(ip).filter(({ name }) => !this.clientOf(name))];
  }

  // --- what is said --------------------------------------------------------------------------------------

  /** Settles when it is kept. */
  say(client: Client, text: string): Promise<void> {
    const { house } = this.options;
    const { member } = client;
    const room = house.findRoom(MAIN_ROOM);
    if (!member || !room) return Promise.reject(new HouseError('not-in-room', 'you are offline'));
    return new Promise((resolve, reject) => {
      const heard = (post: Post) => house.saved(post).then(resolve, reject);
      client.said.push(heard);
      try {
        house.say(member, room, text);
      } catch (error) {
        client.said.splice(client.said.indexOf(heard), 1);
        reject(error);
      }
    });
  }

  /** To an online client; who does not acknowledge it is offline, and finds it when it comes back. */
  tellGroup(client: Client, post: Post, pieces: readonly Uint8Array[]): void {
    const { member } = client;
    if (!member) return;
    if (client.held) {
      client.firstHeld ??= post.id;
      client.held.push(() => this.tellGroup(client, post, pieces));
      return;
    }
    client.offered.post = post.id;
    pieces.forEach((bytes, at) => {
      const isLast = at === pieces.length - 1;
      client.peer.ask({
        ...GROUP,
        bytes,
        settledBy: 'ack',
        done: (ok) => {
          if (!ok) this.#lose(client, member);
          else if (isLast) this.#heard(client, post.id);
        },
      });
    });
  }

  #heard(client: Client, id: number): void {
    client.contact.heard = Math.max(client.contact.heard, id);
    this.#keep(client);
  }

  /** To one alone; kept for it when it does not answer. */
  whisper(client: Client, { who, at, text }: Whisper): boolean {
    const { member } = client;
    if (!member) return false;
    const pieces = splitMessage({ kind: 'msg', from: who.name, text }, client.maxBytes);
    pieces.forEach((piece) => {
      client.peer.ask({
        ...GROUP,
        bytes: encodeDatagram(piece),
        settledBy: 'ack',
        done: (ok) => {
          if (ok || piece.kind !== 'msg') return;
          // before those behind it
          this.keepFor(client, { sender: who.name, time: clockTime(at), text: piece.text }).catch(this.#unkept);
          this.#lose(client, member);
        },
      });
    });
    return true;
  }

  /** Settles when it is on disk. */
  async keepFor(client: Client, mail: Pick<Mail, 'sender' | 'time' | 'text'>): Promise<void> {
    const { member } = client;
    await this.options.backbone.addMail({ ...mail, owner: client.contact.key, at: this.options.wall() });
    // it has come back meanwhile
    if (client.member && client.member !== member) this.#catchUp(client, false).catch(this.#unkept);
  }

  /** Calls back whether it is there. */
  check(client: Client, answered: (isThere: boolean) => void): void {
    const { member } = client;
    const done = (isThere: boolean) => {
      answered(isThere);
      if (!isThere) this.#lose(client, member);
    };
    client.peer.ask({ ...CHECK, bytes: encodeDatagram({ kind: 'status_check' }), settledBy: 'alive', done });
  }

  // --- what was missed -----------------------------------------------------------------------------------

  async #catchUp(client: Client, evenNothing: boolean): Promise<void> {
    const { member } = client;
    if (!member) return;
    await new Promise<void>((resolve) => client.peer.whenClosed(resolve));
    if (client.member !== member) return;
    const [posts, mails] = await this.#waiting(client).catch((error) => {
      // or it would hear what comes now, and never what came before
      if (client.member === member && client.held) this.goOffline(client, 'what it missed is out of reach');
      throw error;
    });
    if (client.member !== member) return;
    const { offered } = client;
    const { key, heard } = client.contact;
    const until = client.firstHeld ?? Number.POSITIVE_INFINITY;
    const isMissed = ({ id, who }: Post) =>
      id > Math.max(heard, offered.post) && id < until && (who.dialect !== 'datagram' || nameKey(who.nick) !== key);
    const missed = posts.filter(isMissed);
    const kept = mails.filter(({ id }) => id > Math.max(client.got, offered.mail));
    offered.post = Math.max(offered.post, missed.at(-1)?.id ?? 0);
    offered.mail = Math.max(offered.mail, kept.at(-1)?.id ?? 0);
    const entries = inOrder(missed.map(entryOfPost), kept.map(entryOfMail));
    if (entries.length > 0 || evenNothing) this.#offer(client, entries);
    const { held } = client;
    client.held = undefined;
    client.firstHeld = undefined;
    for (const tell of held ?? []) tell();
  }

  async #waiting({ contact }: Client): Promise<[Post[], Mail[]]> {
    const { house, backbone } = this.options;
    const room = await house.openRoom(MAIN_ROOM);
    return this.#reading.run(() => Promise.all([house.history(room, MAX_MISSED), backbone.mailOf(contact.key)]));
  }

  #offer(client: Client, entries: readonly Entry[]): void {
    const { member } = client;
    for (const { bytes, entries: carried } of datagramsOf(entries, client.maxBytes)) {
      client.peer.ask({
        ...OFFLINE,
        bytes,
        settledBy: 'ack',
        done: (ok) => (ok ? this.#delivered(client, carried) : this.#lose(client, member)),
      });
    }
  }

  #delivered(client: Client, entries: readonly Entry[]): void {
    const { backbone } = this.options;
    const posts = entries.flatMap(({ post }) => post ?? []);
    const mails = entries.flatMap(({ mail }) => mail ?? []);
    this.#heard(client, posts.at(-1)?.id ?? 0);
    if (mails.length > 0) {
      const last = mails.at(-1)?.id ?? 0;
      client.got = Math.max(client.got, last);
      this.#reading.run(() => backbone.dropMail(client.contact.key, last)).catch(this.#unkept);
    }
    for (const { sender, time } of mails) if (sender !== undefined) this.#receipt(sender, time, client.name);
  }

  /** Its sender learns that it has arrived, now or when it comes back. */
  #receipt(sender: string, time: string, receiver: string): void {
    const to = this.clientOf(sender);
    if (!to) return;
    const text = ` [Offline Message sent at ${time} received by ${receiver}.]`;
    const keep = () => this.keepFor(to, { sender: undefined, time, text }).catch(this.#unkept);
    const { member } = to;
    if (!member) return void keep();
    const bytes = encodeDatagram({ kind: 'msg', from: undefined, text });
    to.peer.ask({
      ...GROUP,
      bytes,
      settledBy: 'ack',
      done: (ok) => {
        if (ok) return;
        keep();
        this.#lose(to, member);
      },
    });
  }

  /** The store says so in the log. */
  readonly #unkept = (error: unknown): void => {
    if (!(error instanceof HouseError)) this.options.onBug(error);
  };

  /** A client has sent something to the port of a member of another dialect. */
  #mailed(to: Person, bytes: Uint8Array, from: Address): void {
    const message = readDatagram(bytes);
    if (message?.kind !== 'msg' && message?.kind !== 'ack') return;
    const client = message.from === undefined ? undefined : this.clientOf(message.from);
    if (!client?.member || client.contact.ip !== from.ip) return;
    const now = this.options.now();
    if (message.kind === 'ack') return client.peer.acked(now);
    client.peer.awaits(now);
    if (!this.options.house.whisper(client.member, to, message.text)) return;
    client.peer.answer(encodeDatagram({ kind: 'ack', from: to.name }), now);
  }
}

/** The clients who are online, as they hear the common room. */
class GroupAudience implements Audience {
  readonly #datagram: Datagram;
  readonly #room: Room;
  readonly #clientOf: (member: Member) => Client;
  readonly #seated = new Map<string, Client>();

  constructor(datagram: Datagram, room: Room, clientOf: (member: Member) => Client) {
    this.#datagram = datagram;
    this.#room = room;
    this.#clientOf = clientOf;
  }

  add(member: Member): void {
    this.#seated.set(member.person.id, this.#clientOf(member));
    if (this.#seated.size === 1) for (const person of this.#room.people.values()) this.#came(person);
  }

  remove(member: Member): void {
    this.#seated.delete(member.person.id);
    if (this.#seated.size === 0) this.#datagram.strangers.clear();
  }

  hear(event: HouseEvent): void {
    switch (event.kind) {
      case 'joined':
        return this.#came(event.who);
      case 'left':
        return this.#datagram.strangers.left(event.who.id);
      case 'post':
        return this.#tell(event);
      case 'closing':
        return;
    }
  }

  #came(person: Person): void {
    if (person.dialect !== 'datagram') this.#datagram.strangers.came(person);
  }

  #tell(post: Post): void {
    const own = this.#seated.get(post.who.id);
    const message = { kind: 'group', name: post.who.name, text: post.text } as const;
    const pieces = new Map<number, readonly Uint8Array[]>();
    // those who do not answer leave meanwhile
    for (const client of [...this.#seated.values()]) {
      if (client === own) continue;
      const { maxBytes } = client;
      const those = pieces.get(maxBytes) ?? splitMessage(message, maxBytes).map(encodeDatagram);
      pieces.set(maxBytes, those);
      this.#datagram.tellGroup(client, post, those);
    }
    own?.said.shift()?.(post);
  }
}

function rowOf({ contact, member }: Client): TableRow {
  return { name: contact.name, ip: contact.ip, port: contact.port, online: member !== undefined };
}

/** Undefined for what is no message: it is not answered, for its sender may be forged. */
export function readDatagram(bytes: Uint8Array): DatagramMessage | undefined {
  try {
    return decodeDatagram(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return undefined;
  }
}
