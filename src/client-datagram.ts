// Layer 3. The client's `datagram` face: lines typed and datagrams come in, actions out. Pure: time is passed in,
// `deadline` says when to call `tick`. Any datagram may be lost, come twice or late.
//
// Ours or not: a classic server that unpacks `message` in two would die of our third member. So it is sent only to
// one that has shown that it is ours: it answers a second registration from the same place, where a classic one
// refuses each name that was ever used.

import { type Action, Asking, type ClientDatagram, type Question, REST_MS } from './client-datagram-asking.ts';
import { Heard } from './client-datagram-heard.ts';
import { isServersAck, Letters, type Writer } from './client-datagram-letters.ts';
import { asJson, COMMANDS, type DatagramEvent, isTypeable, OFFLINE_COMMANDS, shown } from './client-datagram-words.ts';
import type { Address } from './session.ts';
import type { DatagramMessage, TableRow } from './wire-datagram.ts';

export interface DatagramOptions {
  readonly name: string;
  /** Where it listens. */
  readonly port: number;
  readonly server: Address;
  /** `HH:MM:SS` */
  clock(): string;
  readonly json: boolean;
}

const TRIES = 5;
const REPEAT_MS = 500;
const PROBE_MS = 300;
/** A classic client misses an ack that comes at once. */
const ACK_MS = 30;
const REFRESH_MS = 1000;
const MAX_OWED = 1000;
/** Our server says a thing three times, 200 ms apart. */
const SERVER_COPY_MS = 500;
const REFUSED = 1;
const INTERRUPTED = 130;
const NOT_RESPONDING = 4;
const NEVER = Number.POSITIVE_INFINITY;

export class DatagramFace {
  readonly #options: DatagramOptions;
  readonly #asking = new Asking();
  readonly #heard = new Heard();
  readonly #letters: Letters;
  #now = 0;
  #table: ReadonlyMap<string, TableRow> = new Map();
  #state: 'new' | 'online' | 'offline' = 'new';
  /** It is known, as far as it ever will be, whether the server is ours. */
  #isReady = false;
  #isOurs = false;
  /** The server takes it for offline. */
  #isForgotten = false;
  #isOver = false;
  #inputEnded = false;
  #isInterrupted = false;
  /** For scripts, which are told of changes only. */
  #shownTable = '';
  #serverIp: string;
  #typed: string[] = [];
  /** Acks that are due. */
  #owed: Array<ClientDatagram & { readonly at: number }> = [];
  #isFresh = false;
  #refreshAt = 0;

  constructor(options: DatagramOptions) {
    this.#options = options;
    this.#serverIp = options.server.ip;
    this.#letters = new Letters(this.#writer(), this.#asking, this.#heard);
  }

  get isWaiting(): boolean {
    return this.#typed.length > 0;
  }

  start(now: number): Action[] {
    this.#now = now;
    return this.#askServer(this.#registration(false), (reply) => {
      if (reply.kind === 'conf_reg') return this.#registered();
      return reply.kind === 'no_reg' ? [...this.#fail('[Invalid Name]'), ...this.#exit(REFUSED)] : undefined;
    });
  }

  line(text: string, now: number): Action[] {
    this.#now = now;
    this.#typed.push(text);
    return this.#goOn();
  }

  inputEnded(now: number): Action[] {
    this.#now = now;
    this.#inputEnded = true;
    return this.#goOn();
  }

  /** To leave at once; but nobody is to wait for one who is gone. The second time it does not even wait for that. */
  interrupted(now: number): Action[] {
    this.#now = now;
    if (this.#isOver) return [];
    if (this.#state === 'new') return this.#exit(0);
    if (this.#isInterrupted) return this.#exit(INTERRUPTED);
    this.#isInterrupted = true;
    this.#inputEnded = true;
    this.#isReady = true;
    this.#typed = [];
    if (this.#asking.kind !== 'dereg') this.#asking.drop();
    return this.#goOn();
  }

  tick(now: number): Action[] {
    this.#now = now;
    if (this.#isOver) return [];
    return [...this.#payOwed(now), ...this.#asking.tick(now), ...this.#goOn()];
  }

  deadline(): number {
    if (this.#isOver) return NEVER;
    const isMore = this.#isReady && (this.#typed.length > 0 || this.#inputEnded || this.#isForgotten);
    return Math.min(this.#asking.deadline(isMore), this.#owed[0]?.at ?? NEVER);
  }

  complete(line: string): string[] {
    if (line === '') return [];
    const names = [...this.#table.keys()].filter((name) => name !== this.#options.name && isTypeable(name));
    const online = [...COMMANDS, ...(line.startsWith('send ') ? names.map((name) => `send ${name} `) : [])];
    return (this.#state === 'offline' ? OFFLINE_COMMANDS : online).filter(
      (one) => one !== line && one.startsWith(line),
    );
  }

  // --- datagrams -------------------------------------------------------------------------------------------

  input(message: DatagramMessage, from: Address, now: number): Action[] {
    this.#now = now;
    if (this.#isOver) return [];
    this.#learnServer(message, from);
    const actions = this.#receive(message, from);
    return [...actions, ...this.#asking.input(message, from, now), ...this.#goOn()];
  }

  /** What it does whatever is under way. A server is known by its IP: a classic one sends from many ports. */
  #receive(message: DatagramMessage, from: Address): Action[] {
    if (message.kind === 'msg') return this.#receiveLetter(message, from);
    if (!this.#isServer(from)) return [];
    switch (message.kind) {
      case 'conf_reg':
      case 'table_update':
        return this.#setTable(message.table);
      case 'group':
        return this.#receiveGroup(message.name, message.text);
      case 'offline_messages':
        return this.#receiveOffline(message);
      case 'status_check':
        if (this.#state === 'new') return [];
        this.#heard.checked(this.#now);
        return [this.#tell({ kind: 'status_confirm', from: this.#options.name })];
      case 'error':
        return this.#fail(message.text);
      default:
        return [];
    }
  }

  #isServer({ ip }: Address): boolean {
    return ip === this.#serverIp || (this.#isServerHere && ip.startsWith('127.'));
  }

  /** A host may answer from another of its addresses. */
  #learnServer({ kind }: DatagramMessage, { ip, port }: Address): void {
    const isAnswer = kind === 'conf_reg' || kind === 'no_reg';
    if (this.#state === 'new' && isAnswer && port === this.#options.server.port) this.#serverIp = ip;
  }

  #setTable(rows: readonly TableRow[]): Action[] {
    this.#table = new Map(rows.map((row) => [row.name, row]));
    this.#isForgotten = this.#table.get(this.#options.name)?.online === false;
    if (!this.#options.json) return [];
    const text = JSON.stringify(rows);
    const isNews = text !== this.#shownTable;
    this.#shownTable = text;
    return isNews ? this.#show({ event: 'table', table: rows }) : [];
  }

  #receiveGroup(from: string, text: string): Action[] {
    if (this.#state === 'new') return [];
    const ack = this.#ackToServer();
    return this.#heard.isNewGroup(from, text, this.#now) ? [ack, ...this.#show({ event: 'group', from, text })] : [ack];
  }

  #receiveOffline({ messages }: DatagramMessage & { kind: 'offline_messages' }): Action[] {
    if (this.#state === 'new') return [];
    const { fresh, continues } = this.#heard.newOffline(messages, this.#isOurs, this.#now);
    const ack = this.#ackToServer();
    return fresh.length > 0 ? [ack, ...this.#show({ event: 'offline', messages: fresh, continues })] : [ack];
  }

  #receiveLetter({ from, text }: DatagramMessage & { kind: 'msg' }, address: Address): Action[] {
    if (this.#state !== 'online') return [];
    if (from === undefined) return this.#isServer(address) ? this.#receiveReceipt(text) : [];
    const row = this.#table.get(from);
    const home = row && this.#addressOf(row);
    if (home?.ip === address.ip) this.#owe(home);
    else if (row || !this.#isServer(address)) return row ? [] : this.#refresh();
    const ack = home ? [] : [this.#ackToServer()];
    // classic clients send from a port that they throw away
    const isOwnPort = home?.port === address.port;
    const isByServer = this.#isServer(address) && address.port === this.#options.server.port;
    const copyMs = isByServer ? SERVER_COPY_MS : isOwnPort ? ACK_MS + REST_MS : ACK_MS;
    const isNew = this.#heard.isNewLetter(from, text, copyMs, this.#now);
    return isNew ? [...ack, ...this.#show({ event: 'message', from, text })] : ack;
  }

  #receiveReceipt(text: string): Action[] {
    const ack = this.#ackToServer();
    return this.#heard.isNewReceipt(text) ? [ack, ...this.#show({ event: 'receipt', text })] : [ack];
  }

  /** Somebody is not in the table: it may be old. Only our server gives it again. */
  #refresh(): Action[] {
    if (!this.#isOurs || this.#now < this.#refreshAt) return [];
    this.#refreshAt = this.#now + REFRESH_MS;
    return [this.#tell(this.#registration(true))];
  }

  #ackToServer(): Action {
    return this.#tell({ kind: 'ack', from: this.#options.name });
  }

  #owe(to: Address): void {
    if (this.#owed.length >= MAX_OWED) return;
    this.#owed.push({ message: { kind: 'ack', from: this.#options.name }, to, at: this.#now + ACK_MS });
  }

  #payOwed(until: number): Action[] {
    const due = this.#owed.filter(({ at }) => at <= until);
    this.#owed = this.#owed.filter(({ at }) => at > until);
    return due.map(send);
  }

  // --- coming and going ------------------------------------------------------------------------------------

  #registered(): Action[] {
    this.#state = 'online';
    this.#asking.later(this.#now + REST_MS, () => this.#probe());
    return this.#show({ event: 'registered', name: this.#options.name });
  }

  #probe(): Action[] {
    const answered = (reply: DatagramMessage): Action[] | undefined => {
      if (reply.kind === 'no_reg') return this.#ready(false);
      return reply.kind === 'conf_reg' ? this.#asking.later(this.#now, () => this.#sayWhoWeAre()) : undefined;
    };
    const once = { tries: 1, everyMs: PROBE_MS, unanswered: () => this.#ready(false) };
    return this.#askServer(this.#registration(false), answered, once);
  }

  #sayWhoWeAre(): Action[] {
    return this.#askServer(this.#registration(true), (reply) =>
      reply.kind === 'conf_reg' ? this.#ready(true) : undefined,
    );
  }

  #ready(isOurs: boolean): Action[] {
    this.#isOurs = isOurs;
    this.#isReady = true;
    return [];
  }

  #dereg(): Action[] {
    return this.#askServer({ kind: 'dereg', name: this.#options.name }, (reply) => {
      if (!isServersAck(reply)) return undefined;
      this.#state = 'offline';
      return this.#show({ event: 'deregistered' });
    });
  }

  /** The list always comes, be it empty. */
  #reg(): Action[] {
    this.#state = 'online';
    this.#isForgotten = false;
    return this.#askServer({ kind: 'reg', name: this.#options.name }, (reply) =>
      reply.kind === 'offline_messages' ? [] : undefined,
    );
  }

  #serverIsGone(): Action[] {
    return [...this.#fail('[Server not responding]'), ...this.#fail('[Exiting]'), ...this.#exit(NOT_RESPONDING)];
  }

  /** Who waits for an ack gets it still. */
  #exit(status: number): Action[] {
    this.#isOver = true;
    return [...this.#payOwed(NEVER), { kind: 'exit', status }];
  }

  // --- what is typed ---------------------------------------------------------------------------------------

  #run(text: string): Action[] {
    const [, command = '', rest = ''] = /^\s*(\S*)\s?(.*)$/s.exec(text) ?? [];
    if (command === '') return [];
    const isAlone = rest.trim() === '';
    if (this.#state === 'offline') {
      if (command !== 'reg' || !isAlone) return this.#fail('[Invalid command]');
      return [...this.#show({ event: 'registering' }), ...this.#reg()];
    }
    if (command === 'dereg' && isAlone) return this.#dereg();
    const [, name = '', words = ''] = /^\s*(\S+) (.*)$/s.exec(rest) ?? [];
    try {
      if (command === 'send_all' && !isAlone) return this.#letters.toAll(rest);
      if (command === 'send' && words.trim() !== '') return this.#send(name, words);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return this.#fail('[Name too long]');
    }
    return this.#fail('[Invalid command]');
  }

  #send(name: string, text: string): Action[] {
    const row = this.#table.get(name);
    return row ? this.#letters.toPerson(row, text) : [...this.#fail('[Name not found]'), ...this.#refresh()];
  }

  // --- one after another -----------------------------------------------------------------------------------

  #goOn(): Action[] {
    return this.#asking.goOn(this.#now, () => this.#more());
  }

  #more(): Action[] | undefined {
    if (!this.#isReady || this.#isOver) return undefined;
    if (this.#isForgotten && this.#state === 'online') return this.#reg();
    const text = this.#typed.shift();
    if (text !== undefined) return this.#run(text);
    if (!this.#inputEnded) return undefined;
    return this.#state === 'online' ? this.#dereg() : this.#exit(0);
  }

  #askServer(
    message: DatagramMessage,
    answered: (reply: DatagramMessage) => Action[] | undefined,
    other: Partial<Question> = {},
  ): Action[] {
    const question = {
      ...{ message, to: this.#options.server, tries: TRIES, everyMs: REPEAT_MS },
      answered: (reply: DatagramMessage, from: Address) => (this.#isServer(from) ? answered(reply) : undefined),
      unanswered: () => this.#serverIsGone(),
      ...other,
    };
    return this.#asking.ask(question, this.#now);
  }

  #writer(): Writer {
    const face = this;
    return {
      name: this.#options.name,
      get now() {
        return face.#now;
      },
      get isOurServer() {
        return face.#isOurs;
      },
      clock: () => this.#options.clock(),
      row: (name) => this.#table.get(name),
      addressOf: (row) => this.#addressOf(row),
      show: (event) => this.#show(event),
      askServer: (message, answered, other) => this.#askServer(message, answered, other),
    };
  }

  #tell(message: DatagramMessage): Action {
    return send({ message, to: this.#options.server });
  }

  #registration(isOurs: boolean): DatagramMessage {
    const { name, port } = this.#options;
    return { kind: 'freg', name, port, isOurs };
  }

  /** What is 127.0.0.1 to the server is on the server's host. */
  #addressOf({ ip, port }: TableRow): Address {
    return { ip: ip.startsWith('127.') && !this.#isServerHere ? this.#options.server.ip : ip, port };
  }

  get #isServerHere(): boolean {
    return this.#options.server.ip.startsWith('127.');
  }

  #fail(text: string): Action[] {
    return this.#show({ event: 'error', text });
  }

  #show(event: DatagramEvent): Action[] {
    if (this.#options.json) return asJson(event);
    const actions = shown(event, this.#isFresh);
    this.#isFresh = !['message', 'group', 'offline'].includes(event.event);
    return actions;
  }
}

function send(request: ClientDatagram): Action {
  return { kind: 'send', request };
}
