// Layer 3. What `datagram` clients ask of the server, on one socket. A request is believed from the address alone that
// its name has registered from; what can't be understood or believed is not answered, for whoever is named as its
// sender may have sent nothing.

import { type Datagram, notOnline } from './datagram.ts';
import type { Client } from './datagram-client.ts';
import { Copies, type Copy } from './datagram-copies.ts';
import { HouseError } from './errors.ts';
import { nameKey } from './names.ts';
import type { Address, DatagramPort, DatagramSession } from './session.ts';
import { type DatagramMessage, encodeDatagram, readDatagram } from './wire-datagram.ts';

/** Classic clients send what is not answered again: copies within this time are one. */
const NOT_KEPT: DatagramMessage = { kind: 'error', text: ' [That was said, but could not be kept.]' };
const GROUP_COPY_MS = 500;
const OFFLINE_COPY_MS = 5000;
const ACK: DatagramMessage = { kind: 'ack', from: 'server' };
const ACK_BYTES = encodeDatagram(ACK);

type Of<K extends DatagramMessage['kind']> = DatagramMessage & { readonly kind: K };

export class DatagramServer implements DatagramSession {
  readonly #datagram: Datagram;
  readonly #port: DatagramPort;
  readonly #copies = new Copies();
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
    this.#copies.sweep(now);
    this.#datagram.alarms.ring(now);
  }

  deadline(): number {
    return Math.min(this.#datagram.nextAt, this.#copies.deadline);
  }

  #handle(message: DatagramMessage, from: Address): void {
    switch (message.kind) {
      case 'freg':
        return this.#run(this.#register(message, from));
      case 'dereg':
        return this.#as(message.name, from, (client) => this.#deregister(client));
      case 'reg':
        return this.#as(message.name, from, (client) => this.#comeBack(client));
      case 'group':
        return this.#as(message.name, from, (client) => this.#group(client, message));
      case 'to_offline':
        return this.#asFound(message.from, from, (client) => this.#offline(client, message));
      case 'ack':
        return this.#asFound(message.from, from, (client) => client.peer.acked(this.#now));
      case 'status_confirm':
        return this.#asFound(message.from, from, (client) => client.peer.alive(this.#now));
      default:
        return this.#port.ignored('broken', from);
    }
  }

  /** The same; who did not answer, and says something after all, is there. */
  #asFound(name: string, from: Address, then: (client: Client) => void): void {
    this.#as(name, from, (client) => {
      then(client);
      if (client.isLost && !client.entering) this.#run(this.#datagram.comeBack(client, false));
    });
  }

  /** For whoever is known by that name, if the datagram comes from where it registered. */
  #as(name: string, from: Address, then: (client: Client) => void): void {
    const client = this.#datagram.clientOf(name);
    if (client?.contact.ip === from.ip) then(client);
    else this.#port.ignored('forged', from);
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
        ? await this.#again(known, name.trim(), address, isOurs)
        : await this.#datagram.register(name, address, isOurs, this.#port);
      if (!client) return this.#datagram.turnAway(address);
      const wasThere = client.member !== undefined;
      await this.#datagram.enter(client);
      this.#welcome(client, wasThere);
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
      this.#datagram.turnAway(address, error);
    } finally {
      this.#registering.delete(key);
    }
  }

  /** Undefined where the name is somebody else's. */
  async #again(client: Client, name: string, { ip, port }: Address, isOurs: boolean): Promise<Client | undefined> {
    const { contact } = client;
    if (contact.ip !== ip) return undefined;
    const isSame = contact.port === port && contact.name === name;
    if (isSame && client.member) {
      if (contact.isOurs !== isOurs) this.#datagram.move(client, name, port, isOurs);
      return client;
    }
    if (contact.port !== port && client.member && (await this.#isThere(client))) return undefined;
    this.#datagram.goOffline(client, 'has come back');
    this.#datagram.move(client, name, port, isOurs);
    return client;
  }

  #isThere(client: Client): Promise<boolean> {
    return new Promise((resolve) => this.#datagram.check(client, resolve));
  }

  /** It gets a chance to answer: until then it gets little. */
  #welcome(client: Client, wasThere: boolean): void {
    client.peer.confirm(this.#datagram.options.now());
    if (!client.peer.isProven) client.peer.remark(encodeDatagram({ kind: 'status_check' }));
    if (!wasThere) this.#run(this.#datagram.comeBack(client, false));
  }

  #deregister(client: Client): void {
    const { entering } = client;
    if (entering) return this.#run(entering.then(() => this.#deregister(client)));
    this.#datagram.goOffline(client, 'left');
    client.isLost = false;
    client.peer.answer(ACK_BYTES, this.#now);
  }

  #comeBack(client: Client): void {
    const refused = (error: unknown) => {
      if (!(error instanceof HouseError)) throw error;
      client.peer.remark(notOnline(error));
    };
    this.#run(this.#datagram.comeBack(client, true).catch(refused));
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
    if (!copy) return;
    const answered = this.#datagram
      .say(client, text)
      .catch((error) => this.#silenced(client, error))
      .then(() => this.#answer(client, copy, ACK));
    this.#run(
      answered.catch((error) => {
        if (!(error instanceof HouseError && error.code === 'not-saved')) this.#forget(copy, error);
        // all have heard it, and must not hear it again for want of an acknowledgement
        this.#answer(client, copy, NOT_KEPT);
      }),
    );
  }

  /** Who may not speak is told so; without an acknowledgement it would give the server up. */
  #silenced(client: Client, error: unknown): void {
    if (!(error instanceof HouseError && error.code === 'moderated')) throw error;
    client.peer.remark(encodeDatagram({ kind: 'error', text: ` [${error.message}.]` }));
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
    this.#copies.forget(copy.key);
    throw error;
  }

  /** Undefined for one that was there: it is answered as that was. */
  #copy(key: string, forMs: number, client: Client): Copy | undefined {
    client.peer.awaits(this.#now);
    const { copy, isFirst } = this.#copies.take(key, forMs, this.#now);
    if (isFirst) return copy;
    if (copy.answer) client.peer.answer(copy.answer, this.#now);
    return undefined;
  }
}
