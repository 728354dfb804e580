// A classic server of the `datagram` dialect, as its reference describes one: what it does, how long it waits, and
// what it dies of. Pure: the unit tests drive it with a clock of their own, the integration tests on a socket.

import type { Address } from '../src/session.ts';
import {
  type DatagramMessage,
  decodeDatagram,
  encodeDatagram,
  type OfflineMessage,
  type TableRow,
} from '../src/wire-datagram.ts';

const WAIT_MS = 100;
/** It reopens its socket after each datagram. */
const DEAF_MS = 1;

interface Got {
  readonly message: DatagramMessage;
  readonly from: Address;
}

/** Yields how long it waits; gets what has come, or undefined after that time. */
type Work = Generator<number, void, Got | undefined>;

export class ClassicServer {
  /** What the published one would have died of. */
  death: string | undefined;
  /** All that it got and understood, and when it began to tell the group. */
  readonly got: DatagramMessage[] = [];
  readonly relays: Array<{ readonly text: string; readonly at: number }> = [];
  readonly #clock: () => string;
  readonly #send: (bytes: Uint8Array, to: Address) => void;
  readonly #table = new Map<string, TableRow>();
  readonly #offline = new Map<string, OfflineMessage[]>();
  readonly #work: Work;
  #wakeAt: number;
  #now = 0;
  #deafUntil = 0;

  constructor(clock: () => string, send: (bytes: Uint8Array, to: Address) => void) {
    this.#clock = clock;
    this.#send = send;
    this.#work = this.#serve();
    this.#wakeAt = this.#work.next().value as number;
  }

  input(bytes: Uint8Array, from: Address, now: number): void {
    this.#now = now;
    if (this.death !== undefined || now < this.#deafUntil) return;
    this.#deafUntil = now + DEAF_MS;
    try {
      if (bytes.length > 2048) throw new Error('longer than 2048 bytes');
      const message = decodeDatagram(bytes);
      this.got.push(message);
      this.#wake({ message, from });
    } catch (error) {
      this.death = `${error}: ${new TextDecoder().decode(bytes.slice(0, 200))}`;
    }
  }

  tick(now: number): void {
    this.#now = now;
    if (now >= this.#wakeAt) this.#wake(undefined);
  }

  deadline(): number {
    return this.death === undefined ? this.#wakeAt : Number.POSITIVE_INFINITY;
  }

  #wake(got: Got | undefined): void {
    this.#wakeAt = this.#now + (this.#work.next(got).value ?? Number.POSITIVE_INFINITY);
  }

  *#serve(): Work {
    for (;;) {
      const got = yield Number.POSITIVE_INFINITY;
      if (got) yield* this.#handle(got);
    }
  }

  *#handle({ message, from }: Got): Work {
    switch (message.kind) {
      case 'freg':
        return this.#register(message, from);
      case 'dereg':
        this.#set(message.name, false);
        this.#tellTable();
        return this.#tell(message.name, { kind: 'ack', from: 'server' });
      case 'reg':
        return yield* this.#back(message.name);
      case 'group':
        return yield* this.#group(message);
      case 'to_offline':
        return yield* this.#toOffline(message);
    }
  }

  #register({ name, port, isOurs }: DatagramMessage & { kind: 'freg' }, { ip }: Address): void {
    if (isOurs) throw new Error('too many values to unpack (expected 2)');
    if (this.#table.has(name)) return this.#send(encodeDatagram({ kind: 'no_reg' }), { ip, port });
    this.#table.set(name, { name, ip, port, online: true });
    this.#tellTable(name);
    this.#tell(name, { kind: 'conf_reg', table: [...this.#table.values()] });
  }

  *#back(name: string): Work {
    this.#set(name, true);
    this.#tellTable();
    yield* this.#sleep();
    const messages = this.#offline.get(name) ?? [];
    this.#tell(name, { kind: 'offline_messages', messages });
    if (!(yield WAIT_MS)) return;
    this.#offline.delete(name);
    for (const { from, time, isGroup } of messages) {
      if (from === undefined || isGroup) continue;
      const text = ` [Offline Message sent at ${time} received by ${name}.]`;
      if (!this.#row(from).online) this.#keep(from, { from: undefined, time, text, isGroup: false });
      else {
        yield* this.#sleep();
        this.#tell(from, { kind: 'msg', from: undefined, text });
      }
    }
  }

  *#group({ name, text }: DatagramMessage & { kind: 'group' }): Work {
    this.#row(name);
    this.#tell(name, { kind: 'ack', from: 'server' });
    this.relays.push({ text, at: this.#now });
    let isSomebodyGone = false;
    for (const row of [...this.#table.values()]) {
      if (!row.online) this.#keep(row.name, { from: name, time: this.#clock(), text, isGroup: true });
      else if (row.name !== name) {
        this.#tell(row.name, { kind: 'group', name, text });
        if (yield WAIT_MS) continue;
        this.#set(row.name, false);
        isSomebodyGone = true;
      }
    }
    if (isSomebodyGone) this.#tellTable();
  }

  *#toOffline({ to, from, time, text }: DatagramMessage & { kind: 'to_offline' }): Work {
    this.#row(from);
    const entry = { from, time, text, isGroup: false };
    if (!this.#row(to).online) {
      this.#tell(from, { kind: 'ack', from: 'server' });
      return this.#keep(to, entry);
    }
    this.#tell(to, { kind: 'status_check' });
    if (yield WAIT_MS) {
      this.#tell(from, { kind: 'error', text: ` [Client ${to} exists!!]` });
      return this.#tell(from, { kind: 'table_update', table: [...this.#table.values()] });
    }
    this.#set(to, false);
    this.#tellTable();
    this.#keep(to, entry);
  }

  /** Deaf meanwhile. */
  *#sleep(): Work {
    for (const until = this.#now + WAIT_MS; this.#now < until; ) yield until - this.#now;
  }

  #row(name: string): TableRow {
    const row = this.#table.get(name);
    if (!row) throw new Error(`KeyError: '${name}'`);
    return row;
  }

  #set(name: string, online: boolean): void {
    this.#table.set(name, { ...this.#row(name), online });
  }

  #keep(name: string, entry: OfflineMessage): void {
    this.#offline.set(name, [...(this.#offline.get(name) ?? []), entry]);
  }

  #tell(name: string, message: DatagramMessage): void {
    this.#send(encodeDatagram(message), this.#row(name));
  }

  #tellTable(except?: string): void {
    const table = [...this.#table.values()];
    for (const { name, online } of table) {
      if (online && name !== except) this.#tell(name, { kind: 'table_update', table });
    }
  }
}
