// Layer 3. What `datagram` clients ask of the server, on one socket. A request is believed from the address alone that
// its name has registered from; what can't be understood or believed is not answered, for whoever is named as its
// sender may have sent nothing.

import type { Datagram } from './datagram.ts';
import type { Client } from './datagram-client.ts';
import { HouseError } from './errors.ts';
import { nameKey } from './names.ts';
import type { Address, DatagramPort, DatagramSession } from './session.ts';
import { type DatagramMessage, encodeDatagram, readDatagram } from './wire-datagram.ts';

/** Classic clients send what is not answered again: copies within this time are one. */
const GROUP_COPY_MS = 500;
const OFFLINE_COPY_MS = 5000;
const MAX_COPIES = 10_000;
const ACK: DatagramMessage = { kind: 'ack', from: 'server' };
const ACK_BYTES = encodeDatagram(ACK);

type Of<K extends DatagramMessage['kind']> = DatagramMessage & { readonly kind: K };

/** A request that was there already: what it was answered, if it was. */
interface Copy {
  readonly key: string;
  readonly at: number;
  /** When the last of them came. */
  asked: number;
  readonly forMs: number;
  answer: Uint8Array | undefined;
}

export class DatagramServer implements DatagramSession {
  readonly #datagram: Datagram;
  readonly #port: DatagramPort;
  readonly #copies = new Map<string, Copy>();
  /** Registrations that are under way. */
  readonly #registering = new Set<string>();
  #now = 0;

  constructor(datagram: Datagram, port: DatagramPort) {
    this.#datagram = datagram;
    this.#port = port;
    datagram.start(port);
  }

  receive(bytes: Uint8Array, from: Address, now: number): void {
    this.#now = now;
    const message = readDatagram(bytes);
    if (message) this.#handle(message, from);
    else this.#port.ignored('broken', from);
  }

  tick(now: number): void {
    this.#now = now;
    this.#datagram.alarms.ring(now);
  }

  deadline(): number {
    return this.#datagram.nextAt;
  }

  #handle(message: DatagramMessage, from: Address): void {
    switch (message.kind) {
      case 'freg':
        return this.#run(this.#register(message, from));
      case 'dereg':
        return this.#as(message.name, from, (client) => this.#deregister(client));
      case 'reg':
        return this.#as(message.name, from, (client) => this.#run(this.#datagram.comeBack(client, true)));
      case 'group':
        return this.#as(message.name, from, (client) => this.#group(client, message));
      case 'to_offline':
        return this.#as(message.from, from, (client) => this.#offline(client, message));
      case 'ack':
        return this.#as(message.from, from, (client) => client.peer.acked(this.#now));
      case 'status_confirm':
        return this.#as(message.from, from, (client) => client.peer.alive(this.#now));
      default:
        return;
    }
  }

  /** For whoever is known by that name, if the datagram comes from where it registered. */
  #as(name: string, from: Address, then: (client: Client) => void): void {
    const client = this.#datagram.clientOf(name);
    if (client?.contact.ip === from.ip) then(client);
    else if (client) this.#port.ignored('forged', from);
  }

  #run(work: Promise<void>): void {
    work.catch((error) => {
      // a house that is full, or a disk: it asks again
      if (!(error instanceof HouseError)) this.#port.fail(error);
    });
  }

  // --- coming and going ----------------------------------------------------------------------------------

  async #register({ name, port, isOurs }: Of<'freg'>, from: Address): Promise<void> {
    const address = { ip: from.ip, port };
    const key = nameKey(name.trim());
    if (this.#registering.has(key)) return;
    this.#registering.add(key);
    try {
      const known = this.#datagram.clientOf(name);
      const client = known
        ? await this.#again(known, address, isOurs)
        : await this.#datagram.register(name, address, isOurs, this.#port);
      if (!client) return this.#turnAway(address);
      const wasThere = client.member !== undefined;
      await this.#datagram.enter(client);
      this.#welcome(client, wasThere);
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
      this.#turnAway(address);
    } finally {
      this.#registering.delete(key);
    }
  }

  /** Undefined where the name is somebody else's. */
  async #again(client: Client, address: Address, isOurs: boolean): Promise<Client | undefined> {
    const { contact } = client;
    if (contact.ip !== address.ip) return undefined;
    if (contact.port === address.port && client.member) {
      if (contact.isOurs !== isOurs) this.#datagram.move(client, address, isOurs);
      return client;
    }
    if (client.member && (await this.#isThere(client))) return undefined;
    this.#datagram.goOffline(client, 'has come back');
    this.#datagram.move(client, address, isOurs);
    return client;
  }

  #isThere(client: Client): Promise<boolean> {
    return new Promise((resolve) => this.#datagram.check(client, resolve));
  }

  /** It gets a chance to answer: until then it gets little. */
  #welcome(client: Client, wasThere: boolean): void {
    // it waits for that for as long as it takes
    client.peer.answer(this.#datagram.encodeTable(client, 'conf_reg'), this.#datagram.options.now(), true);
    if (!client.peer.isProven) client.peer.remark(encodeDatagram({ kind: 'status_check' }));
    if (!wasThere) this.#run(this.#datagram.comeBack(client, false));
  }

  /** Once, and slowly enough for a classic client: it may be somebody else at whom this is aimed. */
  #turnAway(address: Address): void {
    this.#datagram.later(() => this.#port.send(encodeDatagram({ kind: 'no_reg' }), address));
  }

  #deregister(client: Client): void {
    const { entering } = client;
    if (entering) return this.#run(entering.then(() => this.#deregister(client)));
    this.#datagram.goOffline(client, 'left');
    client.isLost = false;
    client.peer.answer(ACK_BYTES, this.#now);
  }

  // --- what is said --------------------------------------------------------------------------------------

  #group(client: Client, message: Of<'group'>): void {
    const { text } = message;
    if (!client.member) {
      // it does not know that it was given up
      if (!client.isLost) return;
      return this.#run(this.#datagram.comeBack(client, false).then(() => this.#group(client, message)));
    }
    const copy = this.#copy(`${client.contact.key}\0${text}`, GROUP_COPY_MS, client);
    if (copy) this.#run(this.#datagram.say(client, text).then(() => this.#answer(client, copy, ACK)));
  }

  #offline(client: Client, message: Of<'to_offline'>): void {
    const { to, text, time } = message;
    const copy = this.#copy([client.contact.key, to, time, text].join('\0'), OFFLINE_COPY_MS, client);
    if (!copy) return;
    const receiver = this.#datagram.clientOf(to);
    if (!receiver) return this.#toStranger(client, copy, message);
    const keep = () => {
      const kept = this.#datagram.delivery.keepFor(receiver, { sender: client.name, time: time.slice(0, 8), text });
      const answered = kept.then(() => this.#answer(client, copy, ACK));
      // it may be asked again
      this.#run(answered.catch((error) => this.#forget(copy, error)));
    };
    if (!receiver.member) return keep();
    this.#datagram.check(receiver, (isThere) => {
      isThere ? this.#exists(client, copy, receiver.name) : keep();
    });
  }

  /** A member of another dialect, whose port did not answer. */
  #toStranger(client: Client, copy: Copy, { to, text }: Of<'to_offline'>): void {
    const { house } = this.#datagram.options;
    const stranger = this.#datagram.strangers.find(to);
    const isTold = stranger && client.member && house.whisper(client.member, stranger, text);
    if (isTold) this.#answer(client, copy, ACK);
    else this.#answer(client, copy, { kind: 'error', text: ` [Client ${to.slice(0, 64)} can't be reached.]` });
  }

  #exists(client: Client, copy: Copy, name: string): void {
    this.#answer(client, copy, { kind: 'error', text: ` [Client ${name} exists!!]` });
    client.peer.wantsTable(this.#datagram.options.now());
  }

  #answer(client: Client, copy: Copy, message: DatagramMessage): void {
    copy.answer = encodeDatagram(message);
    client.peer.answer(copy.answer, copy.asked);
  }

  #forget(copy: Copy, error: unknown): never {
    if (this.#copies.get(copy.key) === copy) this.#copies.delete(copy.key);
    throw error;
  }

  /** Undefined for one that was there: it is answered as that was. */
  #copy(key: string, forMs: number, client: Client): Copy | undefined {
    for (const [old, { at, forMs: its }] of this.#copies) {
      if (at + its > this.#now && this.#copies.size < MAX_COPIES) break;
      this.#copies.delete(old);
    }
    client.peer.awaits(this.#now);
    const there = this.#copies.get(key);
    if (there && there.at + there.forMs > this.#now) {
      there.asked = this.#now;
      if (there.answer) client.peer.answer(there.answer, this.#now);
      return undefined;
    }
    const copy = { key, at: this.#now, asked: this.#now, forMs, answer: undefined };
    this.#copies.delete(key);
    this.#copies.set(key, copy);
    return copy;
  }
}
