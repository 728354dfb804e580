// The people of a soak who speak over TCP: `lab`, `menu`, `pipe`. Each joins `main`, says what it is given, checks what it
// hears, and goes, politely or not.

import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeModified, encodeModified } from '../src/wire-menu.ts';
import type { Chance } from './soak-chance.ts';
import { HOST, type House } from './soak-house.ts';
import { Ear, type Ledger } from './soak-ledger.ts';

const JOIN_MS = 10_000;
const LOOK_MS = 5;
const MAX_KEPT_CHARS = 4_000_000;

/** A member of the house, of whatever dialect. */
export abstract class Person {
  readonly name: string;
  readonly chance: Chance;
  protected readonly house: House;
  protected readonly ledger: Ledger;
  ear: Ear;
  isIn = false;

  constructor(name: string, house: House, ledger: Ledger, chance: Chance) {
    this.name = name;
    this.house = house;
    this.ledger = ledger;
    this.chance = chance;
    this.ear = new Ear(ledger, name);
  }

  /** Into `main`. */
  abstract come(): Promise<void>;
  protected abstract send(text: string, marker: string): void;
  /** As its dialect says goodbye. */
  abstract leave(): void;
  /** Gone without a word. */
  abstract die(): void;
  /** Bytes that make no sense, on the connection that one has. */
  abstract babble(bytes: Uint8Array): void;

  /** Whether the next text may be said: some wait for the answer to the last. */
  get isReady(): boolean {
    return this.isIn;
  }

  say(): string {
    const { marker, text } = this.ledger.compose(this.name, this.chance);
    this.send(text, marker);
    return marker;
  }

  protected async until(look: () => boolean, what: string, ms = JOIN_MS): Promise<void> {
    const deadline = performance.now() + ms;
    while (!look()) {
      if (performance.now() > deadline) throw new Error(`${this.name}: ${what}`);
      await sleep(LOOK_MS);
    }
  }
}

/** A connection; it knows how it ended. */
export class Wire {
  readonly socket: net.Socket;
  isOver = false;

  private constructor(socket: net.Socket, onBytes: (bytes: Buffer) => void) {
    this.socket = socket;
    socket.on('data', onBytes);
    // its end follows
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isOver = true;
    });
  }

  static async open(port: number, onBytes: (bytes: Buffer) => void): Promise<Wire> {
    const socket = net.connect({ port, host: HOST, noDelay: true });
    await once(socket, 'connect');
    return new Wire(socket, onBytes);
  }
}

/** On one connection, in lines of text. */
abstract class LinePerson extends Person {
  #wire: Wire | undefined;
  /** What has come and is not understood yet. */
  protected text = '';

  protected abstract greet(): Promise<void>;
  /** A line without its end. */
  protected abstract hearLine(line: string): void;
  protected port(): number {
    return this.house.port;
  }

  async come(): Promise<void> {
    this.text = '';
    this.ear = new Ear(this.ledger, this.name);
    const decoder = new TextDecoder();
    this.#wire = await Wire.open(this.port(), (bytes) => this.take(bytes, decoder));
    this.#wire.socket.on('close', () => {
      this.isIn = false;
    });
    await this.greet();
    this.isIn = !this.#wire.isOver;
  }

  protected take(bytes: Buffer, decoder: TextDecoder): void {
    this.text += decoder.decode(bytes, { stream: true });
    if (this.text.length > MAX_KEPT_CHARS) this.ledger.trouble(`${this.name} got a line without an end`);
    const lines = this.text.split('\n');
    this.text = lines.pop() ?? '';
    for (const line of lines) this.hearLine(line);
  }

  protected write(bytes: string | Uint8Array): void {
    this.#wire?.socket.write(bytes);
  }

  leave(): void {
    this.isIn = false;
    this.goodbye();
    this.#wire?.socket.end();
  }

  protected goodbye(): void {}

  die(): void {
    this.isIn = false;
    if (this.chance.isOne(0.5)) this.#wire?.socket.resetAndDestroy();
    else this.#wire?.socket.destroy();
  }

  babble(bytes: Uint8Array): void {
    this.write(bytes);
  }

  protected get isGone(): boolean {
    return this.#wire?.isOver ?? true;
  }
}

export class LabPerson extends LinePerson {
  #ref = '';
  #id = '';

  protected async greet(): Promise<void> {
    this.#id = '';
    this.write(`JOIN_CHATROOM: main\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ${this.name}\n`);
    await this.until(() => this.#id !== '' || this.isGone, 'no JOINED_CHATROOM');
  }

  protected hearLine(line: string): void {
    const [, field, value = ''] = /^([A-Z_]+): ?(.*)$/.exec(line) ?? [];
    if (field === 'ROOM_REF') this.#ref = value;
    else if (field === 'JOIN_ID') this.#id = value;
    // one's own comes back at once, before it is on disk: no acknowledgement on TCP
    else if (field === 'MESSAGE') this.ear.hear(value);
  }

  protected send(text: string): void {
    this.write(`CHAT: ${this.#ref}\nJOIN_ID: ${this.#id}\nCLIENT_NAME: ${this.name}\nMESSAGE: ${text}\n\n`);
  }

  protected override goodbye(): void {
    this.write(
      this.chance.isOne(0.5)
        ? `DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: ${this.name}\n`
        : `LEAVE_CHATROOM: ${this.#ref}\nJOIN_ID: ${this.#id}\nCLIENT_NAME: ${this.name}\n`,
    );
  }
}

export class MenuPerson extends LinePerson {
  protected async greet(): Promise<void> {
    // a plain client is never told that it is in
    this.write(`${this.name}\n`);
  }

  protected hearLine(line: string): void {
    this.ear.hear(line);
  }

  protected send(text: string): void {
    this.write(`${text}\n`);
  }
}

/** A Java client: a length of two bytes before each message. */
export class UtfPerson extends LinePerson {
  #bytes: Buffer = Buffer.alloc(0);

  protected async greet(): Promise<void> {
    this.#bytes = Buffer.alloc(0);
    this.send(this.name);
  }

  protected override take(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= 2 && this.#bytes.length >= 2 + this.#bytes.readUInt16BE(0)) {
      const end = 2 + this.#bytes.readUInt16BE(0);
      this.hearLine(decodeModified(this.#bytes.subarray(2, end)));
      this.#bytes = this.#bytes.subarray(end);
    }
  }

  protected hearLine(line: string): void {
    this.ear.hear(line);
  }

  protected send(text: string): void {
    const bytes = encodeModified(text);
    this.write(Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]));
  }
}

export class PipePerson extends LinePerson {
  #seen = '';
  #isWelcome = false;

  protected override port(): number {
    return this.house.pipe;
  }

  protected async greet(): Promise<void> {
    this.#seen = '';
    this.#isWelcome = false;
    const said = (text: string) => () => this.#seen.includes(text) || this.isGone;
    this.write(`${this.name}\n`);
    await this.until(said(' accepted. Send'), `no name: ${this.#seen}`);
    this.write('join\n');
    await this.until(said('\nOK|Here'), `no list: ${this.#seen}`);
    this.write('main\n');
    await this.until(() => this.#isWelcome || this.isGone, `not welcome: ${this.#seen}`);
  }

  protected hearLine(line: string): void {
    if (!this.#isWelcome) this.#seen += `\n${line}`;
    if (line.startsWith('Welcome to main')) this.#isWelcome = true;
    else if (line.startsWith('#')) this.ear.hear(line);
  }

  protected send(text: string): void {
    this.write(`@all|${text}\n`);
  }

  protected override goodbye(): void {
    this.write('@server|exit\n');
  }
}
