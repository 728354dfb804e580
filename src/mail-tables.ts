// Layer 2. Who is known by an address, and the mail that is kept for them: the statements of those two tables.
// Part of the database: it is called within its transactions.

import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { HouseError } from './errors.ts';
import { prepareChange } from './word-index.ts';

const MAX_CONTACTS = 10_000;
export const MAX_MAIL = 1000;
/** Without a file there is only memory to fill. Mail was promised to somebody, so what is too much is refused. */
const MEMORY_MAILS = 100_000;
const MEMORY_TEXT_BYTES = 64 * 1024 * 1024;

/** Somebody who is known by an address, online or not. */
export interface Contact {
  readonly key: string;
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** Our own client, which takes what classic ones can't. */
  readonly isOurs: boolean;
  readonly isOnline: boolean;
  /** The time of day, ms. */
  readonly seen: number;
  /** The last post of the common room that it has heard. */
  readonly heard: number;
}

/** A message that waits for somebody. */
export interface Mail {
  readonly id: number;
  /** A contact's key. */
  readonly owner: string;
  /** Undefined: a receipt. */
  readonly sender: string | undefined;
  /** HH:MM:SS. */
  readonly time: string;
  readonly text: string;
  /** The time of day, ms. */
  readonly at: number;
}

export type NewMail = Omit<Mail, 'id'>;

/** What becomes of a contact: it goes with its mail, or is written, or first the one and then the other. */
export interface ContactChange {
  readonly kind: 'contact';
  readonly key: string;
  readonly isDropped: boolean;
  readonly contact: Contact | undefined;
}

/** Two changes of one contact as one. */
export function mergeChanges(older: ContactChange | undefined, newer: ContactChange): ContactChange {
  return older?.isDropped ? { ...newer, isDropped: true } : newer;
}

export function tooMuchMail(): HouseError {
  return new HouseError('full', `nobody keeps more than ${MAX_MAIL} messages for one name`);
}

export class MailTables {
  readonly #inMemory: boolean;
  readonly #sql: ReturnType<typeof statements>;
  /** No number is given twice, or one who forgets what was read would forget what came since. */
  #lastId: number;
  /** What a database in memory holds; undefined when it has to be counted again. */
  #held: { mails: number; bytes: number } | undefined;

  constructor(db: DatabaseSync, inMemory: boolean) {
    this.#inMemory = inMemory;
    this.#sql = statements(db);
    this.#lastId = Number(this.#sql.last.get()?.last ?? 0);
  }

  /** Those seen last, the latest first. */
  contacts(): Contact[] {
    return this.#sql.contacts.all().map(contactOf);
  }

  apply({ key, isDropped, contact }: ContactChange): void {
    if (isDropped) {
      this.#held = undefined;
      this.#sql.dropContact.run(key);
      this.#sql.dropMail.run(key, Number.MAX_SAFE_INTEGER);
    }
    if (!contact) return;
    const { name, ip, port, isOurs, isOnline, seen, heard } = contact;
    this.#sql.putContact.run(key, name, ip, port, Number(isOurs), Number(isOnline), seen, heard);
  }

  /** The number of each in its order; undefined where its owner has too much already. */
  add(mails: readonly NewMail[]): Array<number | undefined> {
    const held = this.#inMemory ? (this.#held ?? this.#count()) : { mails: 0, bytes: 0 };
    // what is taken back when one of them fails is counted again
    this.#held = undefined;
    const ids = mails.map((mail): number | undefined => {
      const bytes = this.#inMemory ? Buffer.byteLength(mail.text) : 0;
      const isTooMuch = this.#inMemory && (held.mails >= MEMORY_MAILS || held.bytes + bytes > MEMORY_TEXT_BYTES);
      if (isTooMuch || Number(this.#sql.mailCount.get(mail.owner)?.mails) >= MAX_MAIL) return undefined;
      const id = ++this.#lastId;
      this.#sql.addMail.run(id, mail.owner, mail.sender ?? null, mail.time, mail.text, mail.at);
      held.mails++;
      held.bytes += bytes;
      return id;
    });
    this.#held = held;
    return ids;
  }

  /** Oldest first. */
  of(owner: string): Mail[] {
    return this.#sql.mailOf.all(owner).map(mailOf);
  }

  drop(owner: string, upTo: number): void {
    this.#held = undefined;
    this.#sql.dropMail.run(owner, upTo);
  }

  #count(): { mails: number; bytes: number } {
    const row = this.#sql.held.get();
    return { mails: Number(row?.mails), bytes: Number(row?.bytes) };
  }
}

function statements(db: DatabaseSync) {
  const change = (sql: string) => prepareChange(db, sql);
  return {
    contacts: db.prepare(
      `SELECT * FROM (SELECT * FROM contacts ORDER BY seen DESC, key LIMIT ${MAX_CONTACTS}) ORDER BY registered`,
    ),
    // a fraction is no error: its group would be tried for ever
    putContact: change(
      `INSERT INTO contacts (key, name, ip, port, ours, online, seen, heard)
         VALUES (?, ?, ?, ?, ?, ?, CAST(? AS INTEGER), CAST(? AS INTEGER))
         ON CONFLICT (key) DO UPDATE SET name = excluded.name, ip = excluded.ip, port = excluded.port,
           ours = excluded.ours, online = excluded.online, seen = excluded.seen, heard = excluded.heard`,
    ),
    dropContact: change('DELETE FROM contacts WHERE key = ?'),
    last: db.prepare('SELECT max(id) AS last FROM mail'),
    mailCount: db.prepare('SELECT count(*) AS mails FROM mail WHERE owner = ?'),
    addMail: change('INSERT INTO mail (id, owner, sender, time, text, at) VALUES (?, ?, ?, ?, ?, CAST(? AS INTEGER))'),
    mailOf: db.prepare('SELECT * FROM mail WHERE owner = ? ORDER BY id'),
    dropMail: change('DELETE FROM mail WHERE owner = ? AND id <= ?'),
    held: db.prepare('SELECT count(*) AS mails, total(octet_length(text)) AS bytes FROM mail'),
  };
}

function contactOf(row: Record<string, SQLOutputValue>): Contact {
  return {
    key: String(row.key),
    name: String(row.name),
    ip: String(row.ip),
    port: Number(row.port),
    isOurs: row.ours === 1,
    isOnline: row.online === 1,
    seen: Number(row.seen),
    heard: Number(row.heard),
  };
}

function mailOf(row: Record<string, SQLOutputValue>): Mail {
  return {
    id: Number(row.id),
    owner: String(row.owner),
    sender: row.sender === null ? undefined : String(row.sender),
    time: String(row.time),
    text: String(row.text),
    at: Number(row.at),
  };
}
