// Layer 3. Members of other dialects, as `datagram` clients see them: each has a row in the table, with a port that the
// server keeps for it. What is sent there reaches that member.

import type { Person } from './events.ts';
import { nameKey } from './names.ts';
import type { Address, Mailbox, Mailboxes } from './session.ts';
import type { TableRow } from './wire-datagram.ts';

const MAX_MAILBOXES = 256;

export interface StrangersOptions {
  readonly mailboxes: Mailboxes;
  /** The table is another. */
  changed(): void;
  received(to: Person, bytes: Uint8Array, from: Address): void;
}

interface Stranger {
  readonly person: Person;
  /** Until it has one it is not listed. */
  mailbox: Mailbox | undefined;
}

export class Strangers {
  readonly #options: StrangersOptions;
  readonly #byId = new Map<string, Stranger>();

  constructor(options: StrangersOptions) {
    this.#options = options;
  }

  find(name: string): Person | undefined {
    const key = nameKey(name.trim());
    for (const { person } of this.#byId.values()) if (nameKey(person.name) === key) return person;
    return undefined;
  }

  /** With our address as that client sees it. */
  rows(ip: string): TableRow[] {
    return [...this.#byId.values()].flatMap(({ person, mailbox }) =>
      mailbox ? [{ name: person.name, ip, port: mailbox.port, online: true }] : [],
    );
  }

  came(person: Person): void {
    const { id } = person;
    const { mailboxes, changed, received } = this.#options;
    if (this.#byId.has(id) || this.#byId.size >= MAX_MAILBOXES) return;
    const stranger: Stranger = { person, mailbox: undefined };
    this.#byId.set(id, stranger);
    mailboxes
      .open((bytes, from) => received(person, bytes, from))
      .then((mailbox) => {
        if (this.#byId.get(id) !== stranger) return mailbox.close();
        stranger.mailbox = mailbox;
        changed();
      })
      .catch(() => {
        // there is no port left
        if (this.#byId.get(id) === stranger) this.#byId.delete(id);
      });
  }

  left(id: string): void {
    const stranger = this.#byId.get(id);
    if (!stranger) return;
    this.#byId.delete(id);
    stranger.mailbox?.close();
    if (stranger.mailbox) this.#options.changed();
  }

  clear(): void {
    for (const id of [...this.#byId.keys()]) this.left(id);
  }
}
