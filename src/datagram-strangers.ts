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
  isOpening: boolean;
}

export class Strangers {
  readonly #options: StrangersOptions;
  /** Those who came first have mailboxes. */
  readonly #byId = new Map<string, Stranger>();
  /** Mailboxes, open or being opened. */
  #open = 0;

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
    if (this.#byId.has(person.id)) return;
    this.#byId.set(person.id, { person, mailbox: undefined, isOpening: false });
    this.#openNext();
  }

  left(id: string): void {
    if (!this.#forget(id)) return;
    this.#options.changed();
    this.#openNext();
  }

  clear(): void {
    const were = [...this.#byId.keys()].map((id) => this.#forget(id));
    if (were.includes(true)) this.#options.changed();
  }

  /** Whether it was listed. */
  #forget(id: string): boolean {
    const stranger = this.#byId.get(id);
    this.#byId.delete(id);
    if (!stranger?.mailbox) return false;
    stranger.mailbox.close();
    this.#open--;
    return true;
  }

  #openNext(): void {
    for (const stranger of this.#byId.values()) {
      if (this.#open >= MAX_MAILBOXES) return;
      if (!stranger.mailbox && !stranger.isOpening) this.#openFor(stranger);
    }
  }

  #openFor(stranger: Stranger): void {
    const { mailboxes, changed, received } = this.#options;
    const { person } = stranger;
    stranger.isOpening = true;
    this.#open++;
    mailboxes
      .open((bytes, from) => received(person, bytes, from))
      .then((mailbox) => {
        stranger.isOpening = false;
        if (this.#byId.get(person.id) === stranger) {
          stranger.mailbox = mailbox;
          return changed();
        }
        mailbox.close();
        this.#open--;
        this.#openNext();
      })
      .catch(() => {
        // there is no port left: not before somebody leaves
        stranger.isOpening = false;
        this.#open--;
      });
  }
}
