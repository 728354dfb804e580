// Layer 3. The table of `datagram` clients, as each of them is told it. Pure.

import type { Client } from './datagram-client.ts';
import { nameKey } from './names.ts';
import { encodeDatagram, type TableRow, tableThatFits } from './wire-datagram.ts';

export interface TableOptions {
  /** Members of other dialects, with our address as that IP sees it. */
  strangers(ip: string): readonly TableRow[];
  localIp(ip: string): string;
}

type Kind = 'conf_reg' | 'table_update';

export class Table {
  readonly #options: TableOptions;
  /** By the keys of their names, in the order of registration. */
  readonly #clients = new Map<string, Client>();
  /** Who was seen last is the last. */
  readonly #bySeen = new Set<Client>();
  /** For all who are told the same. */
  readonly #encoded = new Map<string, Uint8Array>();

  constructor(options: TableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#clients.size;
  }

  find(key: string): Client | undefined {
    return this.#clients.get(key);
  }

  [Symbol.iterator](): MapIterator<Client> {
    return this.#clients.values();
  }

  add(client: Client): void {
    this.#clients.set(client.contact.key, client);
    this.#bySeen.add(client);
  }

  remove(client: Client): void {
    this.#clients.delete(client.contact.key);
    this.#bySeen.delete(client);
  }

  seen(client: Client): void {
    if (this.#bySeen.delete(client)) this.#bySeen.add(client);
  }

  longestUnseen(): Iterable<Client> {
    return this.#bySeen;
  }

  /** Some row of it is another. */
  changed(): void {
    this.#encoded.clear();
  }

  rows(ip: string): TableRow[] {
    return [...this.#clients.values()].map(({ row }) => row).concat(this.#strangers(ip));
  }

  /** What does not fit is left out: first who is offline, first of those who was seen long ago. */
  encode(client: Client, kind: Kind): Uint8Array {
    const ip = this.#options.localIp(client.contact.ip);
    const key = `${kind} ${client.maxBytes} ${ip}`;
    let bytes = this.#encoded.get(key);
    if (!bytes) {
      const strangers = this.#strangers(ip);
      const latestFirst = [...this.#bySeen].reverse().map(({ row }) => row);
      const fit = new Set(tableThatFits(kind, [...latestFirst, ...strangers], client.maxBytes));
      const inOrder = [...this.#clients.values()].map(({ row }) => row).concat(strangers);
      bytes = encodeDatagram({ kind, table: inOrder.filter((row) => fit.has(row)) });
      this.#encoded.set(key, bytes);
    }
    return bytes;
  }

  /** Who is called like one of ours who is away is not taken for that one. */
  #strangers(ip: string): TableRow[] {
    return this.#options.strangers(ip).filter(({ name }) => !this.#clients.has(nameKey(name)));
  }
}
