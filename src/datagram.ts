// Layer 3. What the `datagram` dialect is besides its bytes: who has which name and where, and who is there. Group chat
// is the room `main`; who is offline finds what was said there in its history, and private messages in the store.

import { Alarms, type Sleeper } from './alarm.ts';
import type { Backbone } from './backbone.ts';
import { Allowances } from './datagram-allowance.ts';
import { Client } from './datagram-client.ts';
import { Delivery } from './datagram-delivery.ts';
import { Doubts } from './datagram-doubts.ts';
import { CHECK, CLASSIC, DatagramPeer, OURS } from './datagram-peer.ts';
import { GroupAudience } from './datagram-room.ts';
import { Strangers } from './datagram-strangers.ts';
import { Table } from './datagram-table.ts';
import { HouseError } from './errors.ts';
import type { Person, Post } from './events.ts';
import { Members } from './members.ts';
import { MAIN_ROOM, nameKey } from './names.ts';
import type { Member } from './room.ts';
import type { House } from './rooms.ts';
import type { Address, DatagramPort, Mailboxes } from './session.ts';
import type { Contact } from './store.ts';
import { encodeDatagram, MAX_CLASSIC_BYTES, readDatagram, type TableRow } from './wire-datagram.ts';

/** A burst of changes is one table. */
const TABLE_MS = 50;
/** Each change is a table for everybody: those of one IP get so much of them a second, and the last one in any case. */
const TABLE_BYTES_A_SECOND = 512 * 1024;
const MAX_CONTACTS = 10_000;
const MAX_CONTACTS_EACH_IP = 250;
/** Nobody's name goes to make room for others before that. */
const KEPT_MS = 86_400_000;
const NEVER = Number.POSITIVE_INFINITY;
const LOCALHOST = '127.0.0.1';
const NO_REG = encodeDatagram({ kind: 'no_reg' });
const MAX_REFUSED = 1000;
/** What `no_reg` says itself. */
const NAME_TROUBLES: ReadonlySet<string> = new Set(['name-taken', 'name-registered', 'bad-name']);

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

export class Datagram {
  readonly options: DatagramOptions;
  readonly alarms: Alarms;
  /** Members of other dialects. */
  readonly strangers: Strangers;
  readonly delivery: Delivery;
  readonly table: Table;
  readonly #members: Members<Client>;
  readonly #byIp = new Map<string, Set<Client>>();
  readonly #doubts: Doubts;
  readonly #allowances = new Allowances();
  /** Who is told so when a classic client listens for it. */
  readonly #refused: Array<{ readonly at: number; readonly address: Address; readonly bytes: Uint8Array }> = [];
  readonly #turningAway: Sleeper = {
    tick: (now) => {
      for (let [first] = this.#refused; first && first.at <= now; [first] = this.#refused) {
        this.#refused.shift();
        this.#port?.send(first.bytes, first.address);
      }
    },
    deadline: () => this.#refused[0]?.at ?? NEVER,
  };
  #port: DatagramPort | undefined;
  #nextAt = NEVER;

  constructor(options: DatagramOptions) {
    this.options = options;
    this.alarms = new Alarms((at) => {
      this.#nextAt = at;
      this.#port?.wake();
    });
    this.#doubts = new Doubts((client) => this.#drop(client, 'has never answered'));
    const clientOf = (name: string) => this.clientOf(name);
    this.strangers = new Strangers({
      mailboxes: options.mailboxes,
      changed: () => this.tableChanged(),
      received: (person, bytes, from) => this.#mailed(person, bytes, from),
    });
    this.table = new Table({
      strangers: (ip) => this.strangers.rows(ip),
      localIp: (ip) => this.#port?.localIp(ip) ?? LOCALHOST,
    });
    this.delivery = new Delivery({
      ...options,
      clientOf,
      keep: (client) => this.#keep(client),
      lose: (client, member) => this.#lose(client, member),
      goOffline: (client, reason) => this.goOffline(client, reason),
    });
    this.#members = new Members(
      options.house,
      'datagram',
      (room, sessionOf) => new GroupAudience(room, sessionOf, this.delivery, this.strangers),
      (client, whisper) => this.delivery.whisper(client, whisper),
      {
        expel: (client, reason) => this.#expel(client, reason),
        addressOf: ({ contact: { ip, port } }) => ({ ip, port }),
      },
    );
  }

  /** The socket on which those are reached who were there before the server was started again. */
  start(port: DatagramPort): void {
    if (this.#port) return;
    this.#port = port;
    const clients = [...this.options.backbone.contacts()].map((contact) => this.#add(contact, port));
    for (const client of clients.toSorted((a, b) => a.contact.seen - b.contact.seen)) {
      this.table.seen(client);
      // what was on its way to it then is on its way again
      if (client.contact.isOnline) this.comeBack(client, false).catch(this.delivery.unkept);
    }
  }

  get nextAt(): number {
    return this.#nextAt;
  }

  clientOf(name: string): Client | undefined {
    return this.table.find(nameKey(name.trim()));
  }

  // --- coming and going ----------------------------------------------------------------------------------

  /** A new name; rejects with a HouseError when it can't be had. */
  async register(name: string, address: Address, isOurs: boolean, port: DatagramPort): Promise<Client> {
    const key = nameKey(name.trim());
    this.#makeRoom(address.ip);
    const { wall, now } = this.options;
    const contact = { key, name: name.trim(), ...address, isOurs, isOnline: true, seen: wall(), heard: 0 };
    const client = this.#add(contact, port);
    try {
      await this.#enter(client, true);
    } catch (error) {
      this.#forget(client);
      throw error;
    }
    this.#doubts.add(client, now());
    this.alarms.update(this.#doubts);
    return client;
  }

  /** Where there are too many names, the one that was not seen for the longest time goes. */
  #makeRoom(ip: string): void {
    const those = this.#byIp.get(ip);
    const isFullIp = those !== undefined && those.size >= MAX_CONTACTS_EACH_IP;
    if (!isFullIp && this.table.size < MAX_CONTACTS) return;
    const before = this.options.wall() - KEPT_MS;
    for (const client of this.table.longestUnseen()) {
      if (client.contact.seen > before) break;
      if (client.member || (isFullIp && !those.has(client))) continue;
      return this.#drop(client, 'was not seen for long');
    }
    throw new HouseError('full', 'there are too many names');
  }

  /** Its name is free. */
  #drop(client: Client, reason: string): void {
    this.goOffline(client, reason);
    this.#forget(client);
    this.options.backbone.dropContact(client.contact.key);
    this.tableChanged();
  }

  /** How it is spelt, where it is now on its host, and what it is. */
  move(client: Client, name: string, port: number, isOurs: boolean): void {
    const { contact, peer } = client;
    const isOther = contact.name !== name || contact.port !== port;
    if (contact.port !== port) {
      contact.port = port;
      peer.move(this.#allowances.of(contact, this.options.now()));
    }
    Object.assign(contact, { name, isOurs });
    peer.pace = isOurs ? OURS : CLASSIC;
    this.#keep(client);
    if (isOther) this.tableChanged(client);
  }

  /** Its name is refused, or it is for `why`; whoever is online there would take that for an answer of its own. */
  turnAway({ ip, port }: Address, why?: HouseError): void {
    for (const { contact, member } of this.#byIp.get(ip) ?? []) if (contact.port === port && member) return;
    const now = this.options.now();
    const allowance = this.#allowances.of({ ip, port }, now);
    const told = why && !NAME_TROUBLES.has(why.code) ? [notOnline(why), NO_REG] : [NO_REG];
    for (const [nth, bytes] of told.entries()) {
      if (this.#refused.length >= MAX_REFUSED || allowance.roomAt(bytes) > 0) break;
      allowance.spend(bytes, now);
      this.#refused.push({ at: now + CLASSIC.answerMs + nth * CLASSIC.gapMs, address: { ip, port }, bytes });
    }
    this.#refused.sort((a, b) => a.at - b.at);
    this.alarms.update(this.#turningAway);
  }

  /** Told so, and offline. */
  #expel(client: Client, reason: string): void {
    client.peer.remark(encodeDatagram({ kind: 'error', text: ` [You are out: ${reason}.]` }));
    this.goOffline(client, reason);
  }

  /** It is there again: it gets the table, then what it missed; nothing of that too, unless it did not ask for it. */
  async comeBack(client: Client, hasAsked: boolean): Promise<void> {
    await this.enter(client);
    client.peer.wantsTable(this.options.now());
    await this.delivery.catchUp(client, hasAsked);
  }

  /** What waits for it is kept until it comes back. */
  goOffline(client: Client, reason: string): void {
    const { member } = client;
    if (!member) return;
    client.leave();
    this.#members.quit(member, reason);
    client.peer.silence(this.options.now());
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
    const member = await this.#members.enter(client.name, client, { exactly: true, owner: 'contact' });
    try {
      const room = await house.openRoom(MAIN_ROOM);
      // what was said before it came is not for it
      if (isNew) client.contact.heard = (await house.history(room, { limit: 1 }))[0]?.id ?? 0;
      else client.held = [];
      client.member = member;
      client.isLost = false;
      client.contact.isOnline = true;
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
    const options = {
      transmit: (bytes: Uint8Array) => port.send(bytes, { ip: client.contact.ip, port: client.contact.port }),
      repeated: () => port.repeated?.(),
      table: () => this.table.encode(client, 'table_update'),
      tableRestMs: ({ length }: Uint8Array) =>
        (1000 * length * this.#onlineAt(client.contact.ip)) / TABLE_BYTES_A_SECOND,
      mustWait: ({ length }: Uint8Array) => port.hasRoomToSpare?.(length, client.contact) === false,
      confirmation: (isShort: boolean) =>
        isShort ? encodeDatagram({ kind: 'conf_reg', table: [client.row] }) : this.table.encode(client, 'conf_reg'),
      proven: () => this.#proven(client),
      silent: () => this.#lose(client, client.member),
      changed: (those: DatagramPeer) => this.alarms.update(those),
    };
    const peer = new DatagramPeer(options, this.#allowances.of(contact, this.options.now()));
    peer.pace = contact.isOurs ? OURS : CLASSIC;
    const client = new Client(contact, peer);
    this.table.add(client);
    const those = this.#byIp.get(contact.ip) ?? new Set();
    this.#byIp.set(contact.ip, those.add(client));
    return client;
  }

  /** What it got before was cut to what anybody may get. */
  #proven(client: Client): void {
    this.#doubts.remove(client);
    const { length } = this.table.encode(client, 'table_update');
    if (client.member && length > MAX_CLASSIC_BYTES) client.peer.tableChanged(this.options.now());
  }

  #onlineAt(ip: string): number {
    let count = 0;
    for (const { member } of this.#byIp.get(ip) ?? []) if (member) count++;
    return count;
  }

  #forget(client: Client): void {
    const { ip } = client.contact;
    this.table.remove(client);
    this.alarms.forget(client.peer);
    this.#doubts.remove(client);
    const those = this.#byIp.get(ip);
    those?.delete(client);
    if (those?.size === 0) this.#byIp.delete(ip);
  }

  #keep(client: Client): void {
    client.contact.seen = this.options.wall();
    this.table.seen(client);
    this.options.backbone.putContact({ ...client.contact });
  }

  // --- the table -----------------------------------------------------------------------------------------

  /** Everybody who is there gets it, but for who gets it another way. */
  tableChanged(except?: Client): void {
    const at = this.options.now() + TABLE_MS;
    this.table.changed();
    for (const client of this.table) if (client.member && client !== except) client.peer.tableChanged(at);
    this.options.onTable?.(this.table.rows(LOCALHOST));
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

  /** Calls back whether it is there. */
  check(client: Client, answered: (isThere: boolean) => void): void {
    const { member } = client;
    const done = (isThere: boolean) => {
      answered(isThere);
      if (!isThere) this.#lose(client, member);
    };
    client.peer.ask({ ...CHECK, bytes: encodeDatagram({ kind: 'status_check' }), settledBy: 'alive', done });
  }

  /** A client has sent something to the port of a member of another dialect. */
  #mailed(to: Person, bytes: Uint8Array, from: Address): void {
    const message = readDatagram(bytes);
    if (message?.kind !== 'msg' && message?.kind !== 'ack') return this.#port?.ignored('broken', from);
    const client = message.from === undefined ? undefined : this.clientOf(message.from);
    if (client?.contact.ip !== from.ip) return this.#port?.ignored('forged', from);
    if (!client.member) return;
    const now = this.options.now();
    if (message.kind === 'ack') return client.peer.acked(now);
    client.peer.awaits(now);
    if (!this.options.house.whisper(client.member, to, message.text)) return;
    client.peer.answer(encodeDatagram({ kind: 'ack', from: to.name }), now);
  }
}

/** Why somebody can't come in. */
export function notOnline({ message }: HouseError): Uint8Array {
  return encodeDatagram({ kind: 'error', text: ` [You can't be online: ${message}.]` });
}
