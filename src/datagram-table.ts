// Layer 3. The table of `datagram` clients, as each of them is told it. Pure.

import type { Client } from './datagram-client.ts';
import { encodeDatagram, type TableRow, tableThatFits } from './wire-datagram.ts';

export interface TableOptions {
  /** By the keys of their names. */
  readonly clients: ReadonlyMap<string, Client>;
  clientOf(name: string): Client | undefined;
  /** Members of other dialects, with our address as that IP sees it. */
  strangers(ip: string): readonly TableRow[];
  localIp(ip: string): string;
}

type Kind = 'conf_reg' | 'table_update';

export class Table {
  readonly #options: TableOptions;
  /** For all who are told the same. */
  readonly #encoded = new Map<string, Uint8Array>();

  constructor(options: TableOptions) {
    this.#options = options;
  }

  changed(): void {
    this.#encoded.clear();
  }

  rows(ip: string): TableRow[] {
    const { clients, clientOf, strangers } = this.#options;
    // who is called like one of ours who is away is not taken for that one
    const others = strangers(ip).filter(({ name }) => !clientOf(name));
    return [...[...clients.values()].map(({ row }) => row), ...others];
  }

  /** What does not fit is left out: first who is offline, first of those who was seen long ago. */
  encode(client: Client, kind: Kind): Uint8Array {
    const ip = this.#options.localIp(client.contact.ip);
    const key = `${kind} ${client.maxBytes} ${ip}`;
    let bytes = this.#encoded.get(key);
    if (!bytes) {
      const rows = this.rows(ip);
      const seen = new Map(rows.map((row) => [row, this.#options.clientOf(row.name)?.contact.seen ?? 0]));
      const latestFirst = rows.toSorted((a, b) => (seen.get(b) ?? 0) - (seen.get(a) ?? 0));
      const fit = new Set(tableThatFits(kind, latestFirst, client.maxBytes));
      bytes = encodeDatagram({ kind, table: rows.filter((row) => fit.has(row)) });
      this.#encoded.set(key, bytes);
    }
    return bytes;
  }
}
