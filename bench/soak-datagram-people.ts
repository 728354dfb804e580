// The people of a soak who speak over UDP: `datagram` as Parley's own client and as a classic one does, `lab` with
// callbacks. Both have acknowledgements: what one has seen of them is in the house for good.

import dgram from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DatagramMessage, encodeDatagram, readDatagram } from '../src/wire-datagram.ts';
import { LabReplyDecoder, MAX_DATAGRAM_BYTES } from '../src/wire-lab.ts';
import type { Chance } from './soak-chance.ts';
import { HOST, type House } from './soak-house.ts';
import { Ear, type Ledger, markersOf } from './soak-ledger.ts';
import { Person } from './soak-people.ts';

const REPEAT_MS = 500;
const TRIES = 10;
/** The answer to a copy may come behind the answer to the first: nothing is said until then. */
const COPY_MS = 60;
const AFTER_COPY_MS = 1000;
/** Who has no answer after so long gives up, and comes back. */
const ANSWER_MS = 5000;

abstract class UdpPerson extends Person {
  #socket: dgram.Socket | undefined;
  /** Of the server's lives, the one that is listened to. */
  #life = 0;

  protected abstract take(bytes: Buffer): void;
  protected abstract register(port: number): void;
  protected abstract goodbye(): void;

  async come(): Promise<void> {
    this.die();
    this.#listen();
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 18 });
    socket.bind(0, HOST);
    await once(socket, 'listening');
    socket.on('message', (bytes) => {
      // what a server has not noted before it died, that one was heard, comes again from the next
      if (this.#life !== this.house.lives) this.#listen();
      this.take(bytes);
    });
    socket.on('error', () => {});
    this.#socket = socket;
    for (let tries = 0; tries < TRIES && !this.isIn && this.house.isUp; tries++) {
      this.register(socket.address().port);
      await this.until(() => this.isIn, '', REPEAT_MS).catch(() => {});
    }
    if (!this.isIn) throw new Error(`${this.name}: not registered`);
  }

  #listen(): void {
    this.#life = this.house.lives;
    this.ear = new Ear(this.ledger, this.name, true);
  }

  protected write(bytes: string | Uint8Array): void {
    this.#socket?.send(bytes, this.house.port, HOST);
  }

  leave(): void {
    if (this.isIn) this.goodbye();
    this.die();
  }

  die(): void {
    this.isIn = false;
    this.#socket?.close();
    this.#socket = undefined;
  }

  babble(bytes: Uint8Array): void {
    this.write(bytes);
  }
}

export class DatagramPerson extends UdpPerson {
  readonly #isOurs: boolean;
  #waiting: { marker: string; since: number } | undefined;
  #quietUntil = 0;
  #lastOffline = '';
  #isParting = false;

  constructor(name: string, house: House, ledger: Ledger, chance: Chance, isOurs: boolean) {
    super(name, house, ledger, chance);
    this.#isOurs = isOurs;
  }

  protected register(port: number): void {
    this.#waiting = undefined;
    this.#isParting = false;
    this.#post({ kind: 'freg', name: this.name, port, isOurs: this.#isOurs });
  }

  override get isReady(): boolean {
    const now = performance.now();
    if (this.isIn && this.#waiting && now - this.#waiting.since > ANSWER_MS) {
      this.ledger.count('unanswered');
      this.die();
    }
    return this.isIn && this.#waiting === undefined && now > this.#quietUntil;
  }

  protected send(text: string, marker: string): void {
    this.#waiting = { marker, since: performance.now() };
    this.#post({ kind: 'group', name: this.name, text });
    if (this.chance.isOne(0.1)) void this.#copy(text);
  }

  /** As one does that has missed the ack. */
  async #copy(text: string): Promise<void> {
    const { lives } = this.house;
    this.#quietUntil = performance.now() + AFTER_COPY_MS;
    await sleep(COPY_MS);
    if (this.isIn && this.house.lives === lives) this.#post({ kind: 'group', name: this.name, text });
  }

  #post(message: DatagramMessage): void {
    this.write(encodeDatagram(message));
  }

  #ack(): void {
    this.#post({ kind: 'ack', from: this.name });
  }

  protected take(bytes: Buffer): void {
    const message = readDatagram(bytes);
    switch (message?.kind) {
      case 'conf_reg':
        this.isIn = true;
        return;
      case 'status_check':
        return this.#post({ kind: 'status_confirm', from: this.name });
      case 'ack':
        return this.#answered();
      case 'group':
        this.ear.hear(message.text);
        return this.#ack();
      case 'msg':
        return this.#ack();
      case 'offline_messages':
        // comes again until it is acknowledged
        if (bytes.toString() !== this.#lastOffline) {
          for (const { text } of message.messages) this.ear.catchUp(text);
        }
        this.#lastOffline = bytes.toString();
        return this.#ack();
      default:
        if (!message) this.ledger.trouble(`${this.name} got ${JSON.stringify(bytes.toString().slice(0, 200))}`);
    }
  }

  #answered(): void {
    if (this.#isParting || !this.#waiting) return;
    this.ledger.acked(this.#waiting.marker);
    this.#waiting = undefined;
  }

  protected goodbye(): void {
    this.#isParting = true;
    this.#post({ kind: 'dereg', name: this.name });
  }
}

/** The lab's UDP: one's own CHAT that comes back is the acknowledgement. */
export class LabUdpPerson extends UdpPerson {
  #ref = '';
  #id = '';
  #port = 0;
  #sequence = 0;

  protected register(port: number): void {
    this.#port = port;
    this.write(`JOIN_CHATROOM: main\nCLIENT_IP: ${HOST}\nPORT: ${port}\nCLIENT_NAME: ${this.name}\n`);
  }

  protected send(text: string): void {
    const head = `CHAT: ${this.#ref}\nJOIN_ID: ${this.#id}\nCLIENT_NAME: ${this.name}\n`;
    const datagram = `${head}MESSAGE: ${text}\n\nSEQ: ${++this.#sequence}\n`;
    this.write(datagram);
    // repeated with its SEQ, it is answered again and not said again
    if (this.chance.isOne(0.1)) this.write(datagram);
  }

  protected take(bytes: Buffer): void {
    const decoder = new LabReplyDecoder();
    decoder.push(bytes);
    decoder.end();
    const reply = decoder.next();
    if (reply?.kind === 'joined') {
      this.#ref = reply.ref;
      this.#id = reply.joinId;
      this.isIn = true;
    } else if (reply?.kind === 'chat' && bytes.length <= MAX_DATAGRAM_BYTES) {
      const [marker] = markersOf(reply.text);
      const isOwn = marker?.startsWith(`${this.name}.`);
      if (isOwn) this.ledger.acked(marker as string);
      // an answer to one's own that came again is no second saying
      if (!isOwn || !this.ear.has(marker as string)) this.ear.hear(reply.text);
    } else if (reply?.kind === 'error') this.isIn = false;
  }

  protected goodbye(): void {
    this.write(`DISCONNECT: ${HOST}\nPORT: ${this.#port}\nCLIENT_NAME: ${this.name}\n`);
  }
}
