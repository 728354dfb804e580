// Layer 3. What is said in the client's `datagram` face, and how it gets there: to the group by the server, to a
// person straight, or by the server when that person does not answer. Each ends in one line that tells what became
// of it. Pure.

import { type Action, type Asking, REST_MS } from './client-datagram-asking.ts';
import type { Heard } from './client-datagram-heard.ts';
import { type DatagramEvent, receiptOf } from './client-datagram-words.ts';
import type { Address } from './session.ts';
import {
  type DatagramMessage,
  encodeDatagram,
  MAX_CLASSIC_BYTES,
  MAX_OUR_BYTES,
  splitMessage,
  type TableRow,
} from './wire-datagram.ts';

/** Who says it. */
export interface Writer {
  readonly name: string;
  readonly now: number;
  readonly isOurServer: boolean;
  /** `HH:MM:SS` */
  clock(): string;
  row(name: string): TableRow | undefined;
  addressOf(row: TableRow): Address;
  show(event: DatagramEvent): Action[];
  /** `answered` hears of the server only. */
  askServer(
    message: DatagramMessage,
    answered: (reply: DatagramMessage) => Action[] | undefined,
    other?: { readonly everyMs: number },
  ): Action[];
}

/** A private message on its way. */
interface Letter {
  readonly row: TableRow;
  /** What is not with anybody yet. */
  rest: string[];
  directTries: number;
  /** When it went to the server. */
  time: string;
}

const ACK_WAIT_MS = 500;
/** What comes 500 ms later is another message to the server. */
const GROUP_REPEAT_MS = 400;
/** ... and to everybody after this. */
const SAME_GROUP_MS = 700;
const SAME_SECOND_MS = 1000;
/** Until somebody who has just answered the server listens again. */
const RESEND_MS = 100;
const PRESUMED_MS = 100;
const DIRECT_TRIES = 3;

export function isServersAck(reply: DatagramMessage): boolean {
  return reply.kind === 'ack' && reply.from === 'server';
}

export class Letters {
  readonly #writer: Writer;
  readonly #asking: Asking;
  readonly #heard: Heard;
  #lastGroup = { text: '', until: 0 };
  /** What was given to the server in this second. */
  #lastSecond = { time: '', saved: new Set<string>() };

  constructor(writer: Writer, asking: Asking, heard: Heard) {
    this.#writer = writer;
    this.#asking = asking;
    this.#heard = heard;
  }

  /** A RangeError, of `toPerson` too, if the names leave no room. */
  toAll(text: string): Action[] {
    return this.#sayToAll(piecesOf({ kind: 'group', name: this.#writer.name, text }, this.#maxToServer));
  }

  toPerson(row: TableRow, text: string): Action[] {
    const letter = { row, rest: [text], directTries: 0, time: '' };
    this.#piecesToSave(letter);
    return row.online ? this.#deliver(letter) : this.#save(letter);
  }

  #sayToAll([text = '', ...rest]: readonly string[]): Action[] {
    const { name, now } = this.#writer;
    const { text: before, until } = this.#lastGroup;
    if (text === before && now < until) return this.#asking.later(until, () => this.#sayToAll([text, ...rest]));
    const answered = (reply: DatagramMessage): Action[] | undefined => {
      // it was said, and is shown already why that is all
      if (reply.kind === 'error') return [];
      if (!isServersAck(reply)) return undefined;
      this.#lastGroup = { text, until: this.#asking.sentAt + SAME_GROUP_MS };
      return rest.length > 0
        ? this.#later(REST_MS, () => this.#sayToAll(rest))
        : this.#writer.show({ event: 'group-acked' });
    };
    return this.#writer.askServer({ kind: 'group', name, text }, answered, { everyMs: GROUP_REPEAT_MS });
  }

  // --- straight --------------------------------------------------------------------------------------------

  #deliver(letter: Letter): Action[] {
    const { name } = letter.row;
    letter.directTries++;
    letter.rest = piecesOf(this.#asMessage(letter), MAX_CLASSIC_BYTES);
    return this.#deliverPiece(letter, this.#writer.addressOf(this.#writer.row(name) ?? letter.row));
  }

  #deliverPiece(letter: Letter, to: Address): Action[] {
    const { name } = letter.row;
    const message: DatagramMessage = { kind: 'msg', from: this.#writer.name, text: letter.rest[0] ?? '' };
    const question = {
      ...{ message, to, tries: 1, everyMs: ACK_WAIT_MS },
      answered: (reply: DatagramMessage, from: Address): Action[] | undefined =>
        reply.kind === 'ack' && reply.from === name && from.ip === to.ip ? this.#delivered(letter, to) : undefined,
      unanswered: () => [...this.#writer.show({ event: 'unacked', to: name }), ...this.#save(letter)],
    };
    return this.#asking.ask(question, this.#writer.now);
  }

  #delivered(letter: Letter, to: Address): Action[] {
    letter.rest.shift();
    if (letter.rest.length > 0) return this.#later(REST_MS, () => this.#deliverPiece(letter, to));
    return this.#writer.show({ event: 'acked', to: letter.row.name });
  }

  // --- by the server ---------------------------------------------------------------------------------------

  #save(letter: Letter): Action[] {
    letter.rest = this.#piecesToSave(letter);
    letter.time = '';
    return this.#savePiece(letter);
  }

  /** What has the same names, time and text is a copy to the server. */
  #savePiece(letter: Letter): Action[] {
    const { name } = letter.row;
    const time = letter.time || this.#writer.clock();
    const message = this.#toOffline(name, time, letter.rest[0] ?? '');
    if (time !== this.#lastSecond.time) this.#lastSecond = { time, saved: new Set() };
    const { saved } = this.#lastSecond;
    const key = JSON.stringify(message);
    if (saved.has(key)) {
      letter.time = '';
      return this.#later(SAME_SECOND_MS, () => this.#savePiece(letter));
    }
    saved.add(key);
    if (letter.time !== time) this.#heard.expectReceipt(receiptOf(name, time));
    letter.time = time;
    const wasOnline = this.#writer.row(name)?.online === true;
    return this.#writer.askServer(message, (reply) => {
      if (isServersAck(reply)) return this.#saved(letter);
      if (reply.kind === 'error') return this.#refused(letter, reply.text);
      return reply.kind === 'table_update' && wasOnline ? this.#presumeSaved(letter) : undefined;
    });
  }

  /** A classic server says no more than this when it has found somebody gone. */
  #presumeSaved(letter: Letter): undefined {
    const { isOurServer, now } = this.#writer;
    if (isOurServer || this.#writer.row(letter.row.name)?.online !== false) return undefined;
    return this.#asking.presume(now + PRESUMED_MS, () => this.#saved(letter));
  }

  #saved(letter: Letter): Action[] {
    letter.rest.shift();
    if (letter.rest.length > 0) return this.#later(REST_MS, () => this.#savePiece(letter));
    return this.#writer.show({ event: 'saved', to: letter.row.name, time: letter.time });
  }

  /** The server says that it is there after all; or, of somebody of another dialect, that it is not. */
  #refused(letter: Letter, why: string): Action[] {
    const isThere = why.includes('exists');
    if (isThere && letter.directTries < DIRECT_TRIES) return this.#later(RESEND_MS, () => this.#deliver(letter));
    return this.#writer.show({ event: 'undelivered', to: letter.row.name });
  }

  // --- pieces ----------------------------------------------------------------------------------------------

  #later(ms: number, next: () => Action[]): Action[] {
    return this.#asking.later(this.#writer.now + ms, next);
  }

  #asMessage({ rest }: Letter): DatagramMessage & { kind: 'msg' } {
    return { kind: 'msg', from: this.#writer.name, text: rest.join('') };
  }

  #toOffline(to: string, time: string, text: string): DatagramMessage {
    return { kind: 'to_offline', time, to, from: this.#writer.name, text };
  }

  #piecesToSave(letter: Letter): string[] {
    const message = this.#asMessage(letter);
    const { length } = encodeDatagram(this.#toOffline(letter.row.name, this.#writer.clock(), ''));
    const overhead = length - encodeDatagram({ ...message, text: '' }).length;
    return piecesOf(message, this.#maxToServer - overhead);
  }

  get #maxToServer(): number {
    return this.#writer.isOurServer ? MAX_OUR_BYTES : MAX_CLASSIC_BYTES;
  }
}

function piecesOf(message: DatagramMessage & { kind: 'msg' | 'group' }, maxBytes: number): string[] {
  return splitMessage(message, maxBytes).map((piece) => ('text' in piece ? piece.text : ''));
}
