// Who the tests of `datagram` are about: the classic programs of the exercise. Each sends from a socket that it throws
// away, listens on the port that it has registered, and goes deaf on what it does not expect.

import dgram from 'node:dgram';
import { clearInterval, setInterval } from 'node:timers';
import * as assert from 'uvu/assert';
import { Datagrams, limited, pause, type Server } from './launch.ts';

export const HOST = '127.0.0.1';
export const OTHER_HOST = '127.0.0.2';
/** What a classic program reads of a datagram, and the types that it survives. */
export const MAX_BYTES = 2048;
const TYPES = /^(?:conf_reg|no_reg|table_update|msg|GC|ack|offline_messages|status_check|error)$/;
/** Between two datagrams, and from a request to its answer. */
export const MIN_GAP_MS = 30;
export const MIN_ANSWER_MS = 20;
export const MAX_ANSWER_MS = 80;
const REPEAT_MS = 500;
const MAX_TRIES = 5;
/** A receiver that was late itself measures nothing. */
const LATE_MS = 5;
const BEAT_MS = 2;
/** Several of the server's pauses. */
export const LULL_MS = 250;
/** What can't be answered is asked three times, 200 ms apart. */
export const DEAF_MS = 600;
const TIME = /\d\d:\d\d:\d\d/;
/** A classic program waits for a port of its own as long as another test has it. */
const PORT_TRIES = 50;

// --- classic clients --------------------------------------------------------------------------------------

const sockets = new Set<dgram.Socket>();
/** When the event loop of this process came back late. */
let late: Array<{ readonly from: number; readonly to: number }> = [];

type Test = (name: string, work: () => Promise<void>) => void;

/** As `limited`; sockets are closed too, and it is known when this process was busy. */
export function datagramTests(test: Test): ReturnType<typeof limited> {
  const limitedTest = limited(test);
  return (name, work, seconds) =>
    limitedTest(
      name,
      async () => {
        late = [];
        let last = performance.now();
        const heart = setInterval(() => {
          const now = performance.now();
          if (now - last > BEAT_MS + LATE_MS) late.push({ from: last, to: now });
          last = now;
        }, BEAT_MS);
        try {
          await work();
        } finally {
          clearInterval(heart);
          for (const socket of sockets) socket.close();
          sockets.clear();
        }
      },
      seconds,
    );
}

export async function bound(port: number, host: string): Promise<dgram.Socket> {
  for (let tries = 1; ; tries++) {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(port, host, resolve);
      });
      sockets.add(socket);
      return socket;
    } catch (error) {
      if (tries === PORT_TRIES) throw error;
      await pause(100);
    }
  }
}

/** From a socket of its own, as everything that a classic program sends. */
export async function throwAway(bytes: string | Uint8Array, port: number, host = HOST): Promise<void> {
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  await new Promise<void>((resolve, reject) =>
    socket.send(bytes, port, HOST, (error) => (error ? reject(error) : resolve())),
  );
  socket.close();
}

export const freg = (name: string, port: number, third = '') =>
  `{'type': 'freg', 'message': ('${name}', ${port}${third})}`;
export const dereg = (name: string) => `{'type': 'dereg', 'name': '${name}'}`;
export const reg = (name: string) => `{'type': 'reg', 'name': '${name}'}`;
export const group = (text: string, name: string) => `{'type': 'GC', 'message': '${text}', 'name': '${name}'}`;
export const ack = (from: string) => `{'type': 'ack', 'from': '${from}'}`;
export const msg = (text: string, from: string) => `{'type': 'msg', 'msg': '${text}', 'name_from': '${from}'}`;
export const receipt = (time: string, name: string) =>
  `{'type': 'msg', 'msg': ' [Offline Message sent at ${time} received by ${name}.]', 'name_from': None}`;
export const missed = (...entries: readonly string[]) =>
  `{'type': 'offline_messages', 'offline_messages': [${entries.join(', ')}]}`;
export const toOffline = (time: string, to: string, from: string, text: string) =>
  `{'timestamp': '${time}', 'type': 'to_offline', 'name_to': '${to}', 'name_from': '${from}', 'message': '${text}'}`;
export const ACK = ack('server');
export const CHECK = "{'type': 'status_check'}";
export const NO_REG = "{'type': 'no_reg'}";
export const NOTHING = missed();

export type Row = readonly [name: string, port: number, online?: boolean];

export function tableOf(...rows: readonly Row[]): string {
  const shown = rows.map(([name, port, online = true]) => {
    return `'${name}': ('${name}', '${HOST}', ${port}, ${online ? 'True' : 'False'})`;
  });
  return `{${shown.join(', ')}}`;
}

export const conf = (...rows: readonly Row[]) => `{'type': 'conf_reg', 'table': ${tableOf(...rows)}}`;
export const update = (...rows: readonly Row[]) => `{'type': 'table_update', 'table': ${tableOf(...rows)}}`;

/** A pattern for the text, in which `HH:MM:SS` is any time. */
export function timed(text: string): RegExp {
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('HH:MM:SS', TIME.source));
}

export interface Arrival {
  readonly at: number;
  readonly text: string;
  readonly bytes: number;
  readonly type: string;
  /** Of its sender. */
  readonly from: number;
}

/** One classic program: it hears, and acknowledges what has to be. Fails on what would make it deaf. */
export class Classic {
  readonly name: string;
  readonly host: string;
  readonly #datagrams: Datagrams;
  readonly #socket: dgram.Socket;
  readonly #to: number;
  readonly arrivals: Arrival[] = [];
  /** It does not answer any more. */
  isDeaf = false;
  /** A table that it may or may not have got is not looked at. */
  skipsTables = false;
  #sentAt = 0;

  static async open(server: Server, name: string, { port = 0, host = HOST, to = server.udp } = {}): Promise<Classic> {
    return new Classic(name, await bound(port, host), host, to);
  }

  /** Registered, and known to be where it says. */
  static async join(server: Server, name: string, at: { port?: number; host?: string; to?: number } = {}) {
    const client = await Classic.open(server, name, at);
    await client.register();
    return client;
  }

  private constructor(name: string, socket: dgram.Socket, host: string, to: number) {
    this.name = name;
    this.host = host;
    this.#to = to;
    this.#socket = socket;
    this.#datagrams = new Datagrams(socket);
    socket.on('message', (bytes, from) => this.#heard(bytes, from.port));
  }

  get port(): number {
    return this.#datagrams.port;
  }

  async register(): Promise<void> {
    await this.comeBack();
    await this.hears(CHECK);
  }

  /** Its name is known, and so is that it answers. */
  async comeBack(): Promise<void> {
    await this.ask(freg(this.name, this.port), /\{'type': 'conf_reg', 'table': \{.*\}\}/);
  }

  async send(text: string, to = this.#to): Promise<void> {
    this.#sentAt = performance.now();
    await throwAway(text, to, this.host);
  }

  /**
   * A request, and the next datagram after it. It asks again where nothing comes for long, as classic programs do: a
   * server that was held up says nothing rather than what would be taken for the answer of something else.
   */
  async ask(request: string, answer: string | RegExp): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      await this.send(request);
      if (await this.#datagrams.hasCome(REPEAT_MS)) break;
    }
    await this.expect(answer);
  }

  /** Again and again, as a classic program does until anything comes: it takes that for the ack. */
  async insist(request: string): Promise<void> {
    const before = this.arrivals.length;
    for (let tries = 0; tries < 5; tries++) {
      await this.send(request);
      for (let waited = 0; waited < 10; waited++) {
        if (this.arrivals.length > before) return;
        await pause(10);
      }
    }
    throw new Error(`[Server not responding]: ${request}`);
  }

  /** How long the last datagram came after the last request. */
  get waitedMs(): number {
    return (this.arrivals.at(-1)?.at ?? Number.POSITIVE_INFINITY) - this.#sentAt;
  }

  async expect(expected: string | RegExp): Promise<string> {
    if (!this.skipsTables) return this.#datagrams.expect(expected);
    for (;;) {
      const text = await this.#datagrams.next(undefined, String(expected));
      if (text.startsWith("{'type': 'table_update'")) continue;
      if (typeof expected === 'string') assert.is(text, expected);
      else assert.match(text, new RegExp(`^(?:${expected.source})$`));
      return text;
    }
  }

  async silent(ms = LULL_MS): Promise<void> {
    await this.#datagrams.silent(ms);
  }

  /** What has come and was not looked at. */
  rest(): string[] {
    return this.#datagrams.rest();
  }

  /** Until a table says so; other datagrams are left out. */
  async sees(row: RegExp): Promise<string> {
    for (;;) {
      const text = await this.#datagrams.next(undefined, String(row));
      if (/^\{'type': '(?:table_update|conf_reg)'/.test(text) && row.test(text)) return text;
    }
  }

  /** Until one like that comes; others are left out. */
  async hears(expected: string | RegExp): Promise<string> {
    for (;;) {
      const text = await this.#datagrams.next(undefined, String(expected));
      if (typeof expected === 'string' ? text === expected : expected.test(text)) return text;
    }
  }

  /** The program is gone. */
  quit(): void {
    sockets.delete(this.#socket);
    this.#socket.close();
  }

  #heard(bytes: Uint8Array, from: number): void {
    const text = Buffer.from(bytes).toString();
    const type = /^\{(?:'timestamp': .*, )?'type': '(\w+)'/.exec(text)?.[1] ?? '';
    this.arrivals.push({ at: performance.now(), text, bytes: bytes.length, type, from });
    if (this.isDeaf) return;
    const answers = () => {
      if (type === 'GC' || type === 'offline_messages') return this.send(ack(this.name));
      if (type === 'status_check') return this.send(`{'type': 'status_confirm', 'from': '${this.name}'}`);
      if (type === 'msg') return this.send(ack(this.name), /'name_from': None/.test(text) ? this.#to : from);
      return undefined;
    };
    answers()?.catch(() => {});
  }

  /** Whether a classic program would have lived through all of it. */
  get troubles(): string[] {
    return this.arrivals.flatMap(({ at, text, bytes, type, from: sender }, i) => {
      const shown = text.slice(0, 80);
      if (bytes > MAX_BYTES) return `${bytes} bytes: ${shown}`;
      if (!TYPES.test(type)) return `no type that it knows: ${shown}`;
      // other clients do not ask
      const before = this.arrivals.slice(0, i).findLast(({ from }) => from === sender)?.at ?? Number.NEGATIVE_INFINITY;
      const wasLate = late.some(({ from, to }) => from <= at + LATE_MS && to >= before - LATE_MS);
      return at - before < MIN_GAP_MS && !wasLate ? `${at - before} ms after another: ${shown}` : [];
    });
  }
}

export function allLive(...clients: readonly Classic[]): void {
  for (const client of clients) assert.equal(client.troubles, [], client.name);
}
