// Layer 3. The members of one room who are `pipe` clients: each event is encoded once for all of them. Those who end
// their lines get the room's bytes together; classic ones get each message by itself.

import type { Changed, HouseEvent, Person, Post } from './events.ts';
import { type Pipe, plainName, Spellings } from './pipe.ts';
import type { PipeSession } from './pipe-session.ts';
import type { Audience, Member, Room } from './room.ts';
import type { Broadcast } from './session.ts';
import { encodeRelay, encodeReply } from './wire-pipe.ts';

export class PipeAudience implements Audience {
  readonly room: Room;
  readonly #sessionOf: (member: Member) => PipeSession;
  readonly #seated = new Map<string, PipeSession>();
  readonly #modern: Broadcast;
  readonly #classics = new Set<PipeSession>();
  readonly #spellings = new Spellings();

  constructor(pipe: Pipe, room: Room, sessionOf: (member: Member) => PipeSession) {
    this.room = room;
    this.#sessionOf = sessionOf;
    this.#modern = pipe.options.broadcast();
    for (const person of room.people.values()) this.nameOf(person);
  }

  add(member: Member): void {
    const session = this.#sessionOf(member);
    this.#seated.set(member.person.id, session);
    if (session.isClassic) this.#classics.add(session);
    else this.#modern.add(session.port);
    session.seated(this);
  }

  remove(member: Member): void {
    const session = this.#seated.get(member.person.id);
    if (!session) return;
    this.#seated.delete(member.person.id);
    if (!this.#classics.delete(session)) this.#modern.remove(session.port);
  }

  /** It has turned out to end its lines. */
  modernized(session: PipeSession): void {
    if (this.#classics.delete(session)) this.#modern.add(session.port);
  }

  hear(event: HouseEvent): void {
    switch (event.kind) {
      case 'joined':
        this.#tell(`New user ${this.nameOf(event.who)} has joined`, event.who);
        return this.#seated.get(event.who.id)?.joined();
      case 'left':
        this.#tell(`User ${this.nameOf(event.who)} has left`, event.who);
        this.#spellings.forget(event.who.id);
        return this.#seated
          .get(event.who.id)
          ?.putOut(event.by ? `${this.nameOf(event.by)} has put you out: ${event.reason}` : event.reason);
      case 'changed':
        return this.#rename(event);
      case 'post':
        return this.#relay(event);
      case 'closing':
        for (const session of this.#seated.values()) session.kill();
    }
  }

  // --- people --------------------------------------------------------------------------------------------

  /** One who is not in it, as the operator, has no name that another could not have. */
  nameOf({ id, name }: Person): string {
    return this.room.people.has(id) ? this.#spellings.of(id, name) : plainName(name);
  }

  find(name: string): Person | undefined {
    const id = this.#spellings.find(name);
    return id === undefined ? undefined : this.room.people.get(id);
  }

  *names(except?: Person): Iterable<string> {
    for (const person of this.room.people.values()) if (person.id !== except?.id) yield this.nameOf(person);
  }

  /** It is as if one had left and another had come. */
  #rename({ before, who }: Changed): void {
    if (before.name === who.name) return;
    const name = this.nameOf(before);
    this.#spellings.forget(who.id);
    this.#tell(`User ${name} has left`, who);
    this.#tell(`New user ${this.nameOf(who)} has joined`, who);
  }

  // --- to all of them --------------------------------------------------------------------------------------

  #tell(text: string, except: Person): void {
    const bytes = encodeReply({ kind: 'info', text });
    const own = this.#seated.get(except.id);
    this.#modern.append(bytes, own?.port);
    for (const session of this.#classics) if (session !== own) session.tell(bytes);
  }

  #relay({ who, text }: Post): void {
    const own = this.#seated.get(who.id);
    const pieces = encodeRelay(this.nameOf(who), text);
    for (const piece of pieces) this.#modern.append(piece, own?.port);
    for (const session of this.#classics) if (session !== own) session.relay(who.id, text, pieces);
  }
}
