// Layer 2. Who owns files, who may ask for them, and the tickets under which they travel. Knows no socket
// and no disk: an owner is asked through its session, the bytes go where layer 4 sends them. A ticket is
// good for one request, is known to the owner alone, and dies with the request.

import { HouseError } from './errors.ts';
import { nameKey } from './names.ts';
import { codeOf, type Offer, type Want } from './offers.ts';
import type { Member } from './room.ts';
import type { Address } from './session.ts';

/** Transfers under way, in all and for one requester. */
const MAX_TICKETS = 1000;
const MAX_TICKETS_EACH = 64;
const MAX_REASON_CHARS = 200;

/** Somebody who can be asked for files. */
export interface FileOwner {
  readonly member: Member;
  /** Where its client can be connected to, if it takes connections. */
  readonly address: Address | undefined;
  want(want: Want): void;
  /** Brings the bytes from `from` up to `to` itself. */
  push(ticket: string, from: number, to: number): void;
  done(ticket: string, reason: string): void;
}

export interface FilesOptions {
  /** Unguessable, another one each time. */
  readonly random: () => string;
  /** Files may be had without being a member. */
  readonly isOpen: boolean;
}

/** Who asks: a member by its token, or a stranger. */
export interface Requester {
  readonly token: string | undefined;
  /** Counts a stranger's requests together. */
  readonly ip: string;
}

export type Asked = Pick<Want, 'have' | 'prefix' | 'digest'>;

export class Files {
  readonly #options: FilesOptions;
  readonly #owners = new Map<string, FileOwner>();
  readonly #members = new Map<string, Member>();
  readonly #tickets = new Map<string, Ticket>();
  /** How many tickets each requester holds. */
  readonly #held = new Map<string, number>();

  constructor(options: FilesOptions) {
    this.#options = options;
  }

  /** From now on it can be asked; the token lets it ask others over HTTP. */
  register(owner: FileOwner): string {
    const token = this.#options.random();
    this.#owners.set(nameKey(owner.member.person.name), owner);
    this.#members.set(token, owner.member);
    return token;
  }

  unregister(owner: FileOwner, token: string): void {
    this.#owners.delete(nameKey(owner.member.person.name));
    this.#members.delete(token);
    for (const ticket of this.#tickets.values()) if (ticket.owner === owner) ticket.ownerGone();
  }

  /** The names of those whom a member may ask, itself left out; at most so many. */
  ownersFor(member: Member, most: number): string[] {
    const names: string[] = [];
    for (const { member: owner } of this.#owners.values()) {
      if (names.length >= most) break;
      if (owner !== member && sharesRoom(owner, member)) names.push(owner.person.name);
    }
    return names;
  }

  /** Asks an owner for a file. What the owner says of it is in the ticket, when it comes. */
  ask(requester: Requester, ownerName: string, file: string, asked: Asked): Ticket {
    const member = this.#memberOf(requester);
    const owner = this.#owners.get(nameKey(ownerName));
    if (!owner || (member && !sharesRoom(owner.member, member))) {
      throw new HouseError('no-such-file', 'nobody of that name shares files here');
    }
    const holder = member?.person.id ?? requester.ip;
    this.#count(holder);
    const id = this.#options.random();
    const ticket = new Ticket(id, owner, () => this.#forget(id, holder));
    this.#tickets.set(id, ticket);
    owner.want({ ticket: id, who: member?.person.name ?? '', file, ...asked });
    return ticket;
  }

  /** The owner's answer; one that nobody waits for any more, or that is not its to give, is nothing. */
  offered(owner: FileOwner, id: string, offer: Offer): void {
    this.#ticketOf(owner, id)?.offer(offer);
  }

  refused(owner: FileOwner, id: string, status: number, reason: string): void {
    const text = reason.slice(0, MAX_REASON_CHARS) || 'refused';
    this.#ticketOf(owner, id)?.refuse(new HouseError(codeOf(status), text));
  }

  /** The owner is still at it. */
  busy(owner: FileOwner, id: string): void {
    this.#ticketOf(owner, id)?.alive();
  }

  /** Who was sent straight to the owner has got there. */
  used(owner: FileOwner, id: string): void {
    const ticket = this.#ticketOf(owner, id);
    if (ticket?.isDirect) ticket.release();
  }

  #ticketOf(owner: FileOwner, id: string): Ticket | undefined {
    const ticket = this.#tickets.get(id);
    return ticket?.owner === owner ? ticket : undefined;
  }

  #memberOf({ token }: Requester): Member | undefined {
    const member = token === undefined ? undefined : this.#members.get(token);
    if (member) return member;
    if (token !== undefined) throw new HouseError('not-allowed', 'that token is nobody’s here');
    if (!this.#options.isOpen) {
      throw new HouseError('not-allowed', 'files are for members only (the server runs without --open-files)');
    }
    return undefined;
  }

  #count(holder: string): void {
    const held = this.#held.get(holder) ?? 0;
    if (held >= MAX_TICKETS_EACH) throw new HouseError('too-fast', `at most ${MAX_TICKETS_EACH} files at once`);
    if (this.#tickets.size >= MAX_TICKETS) throw new HouseError('full', 'too many files are being sent');
    this.#held.set(holder, held + 1);
  }

  #forget(id: string, holder: string): void {
    if (!this.#tickets.delete(id)) return;
    const held = (this.#held.get(holder) ?? 1) - 1;
    if (held > 0) this.#held.set(holder, held);
    else this.#held.delete(holder);
  }
}

/** One request. */
export class Ticket {
  readonly id: string;
  readonly owner: FileOwner;
  /** Rejected with a HouseError when there is none. */
  readonly offered: Promise<Offer>;
  /** The owner has said that it is still at it ... */
  onAlive = (): void => {};
  /** ... or, after its offer, that nothing will come of it. */
  onRefused = (_error: HouseError): void => {};
  /** The requester was sent to the owner with it. */
  isDirect = false;
  readonly #forget: () => void;
  readonly #settle: { resolve(offer: Offer): void; reject(error: HouseError): void };
  #isOver = false;

  constructor(id: string, owner: FileOwner, forget: () => void) {
    this.id = id;
    this.owner = owner;
    this.#forget = forget;
    const { promise, resolve, reject } = Promise.withResolvers<Offer>();
    this.offered = promise;
    this.#settle = { resolve, reject };
    // one that nobody waits for any more
    promise.catch(() => {});
  }

  offer(offer: Offer): void {
    this.#settle.resolve(offer);
  }

  refuse(error: HouseError): void {
    this.#settle.reject(error);
    this.onRefused(error);
  }

  alive(): void {
    this.onAlive();
  }

  ownerGone(): void {
    this.refuse(new HouseError('owner-gone', `${this.owner.member.person.name} has gone`));
  }

  push(from: number, to: number): void {
    if (!this.#isOver) this.owner.push(this.id, from, to);
  }

  /** The owner is told why, and need not keep it any longer; one that the requester has taken there it does keep. */
  end(reason: string): void {
    if (this.#isOver || this.isDirect) return;
    this.release();
    this.owner.done(this.id, reason);
  }

  /** The owner need not be told. */
  release(): void {
    this.#isOver = true;
    this.#forget();
  }
}

function sharesRoom(one: Member, other: Member): boolean {
  for (const key of one.rooms.keys()) if (other.rooms.has(key)) return true;
  return false;
}
