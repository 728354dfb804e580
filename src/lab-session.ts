// Layer 3. What a `lab` client on a TCP connection may do: the codec below, the house above.
// On TCP the connection is the identity. A connection has one JOIN_ID; it may wear several handles, each of
// which is a person of its own in the house, there as long as it is in a room. What the house has done is
// answered when it is heard (JOINED, LEFT, the end), in the one order that everybody hears.

import type { HouseEvent, Whisper } from './events.ts';
import {
  encodeDrop,
  encodeFault,
  encodeRefusal,
  type Lab,
  refOf,
  type Seat,
  Seats,
  wireChats,
  wireWhisper,
} from './lab.ts';
import { Members } from './members.ts';
import type { Audience, Member, Room } from './room.ts';
import type { Broadcast, Port, Session } from './session.ts';
import { encodeReply, type LabRequest, LabRequestDecoder } from './wire-lab.ts';

/** A message whose last field has begun is complete after this much silence. */
const LULL_MS = 100;

/** All `lab` connections of a server. */
export class LabTcp {
  readonly lab: Lab;
  readonly members: Members<LabSession>;

  constructor(lab: Lab) {
    const { house, broadcast } = lab.options;
    this.lab = lab;
    this.members = new Members(
      house,
      'lab',
      (room, sessionOf) => new LabAudience(room, broadcast(), sessionOf),
      (session, whisper) => session.whisper(whisper),
    );
  }

  open(port: Port): LabSession {
    return new LabSession(this, port);
  }
}

/** The members of one room that are here over TCP: each event is encoded once for all of them. */
class LabAudience implements Audience {
  readonly #ref: string;
  readonly #room: Room;
  readonly #broadcast: Broadcast;
  readonly #sessionOf: (member: Member) => LabSession;
  readonly #seated = new Map<string, LabSession>();

  constructor(room: Room, broadcast: Broadcast, sessionOf: (member: Member) => LabSession) {
    this.#ref = refOf(room);
    this.#room = room;
    this.#broadcast = broadcast;
    this.#sessionOf = sessionOf;
  }

  add(member: Member): void {
    const session = this.#sessionOf(member);
    this.#seated.set(member.person.id, session);
    this.#broadcast.add(session.port);
  }

  remove(member: Member): void {
    const session = this.#seated.get(member.person.id);
    if (!session) return;
    this.#seated.delete(member.person.id);
    this.#broadcast.remove(session.port);
    session.unseated(this.#ref);
  }

  hear(event: HouseEvent): void {
    // one's own JOINED and LEFT come first, then the announcement to all, oneself included
    if (event.kind === 'joined') this.#seated.get(event.who.id)?.joined(this.#ref, this.#room);
    if (event.kind === 'left') this.#seated.get(event.who.id)?.left(this.#ref, event.by !== undefined);
    for (const chat of wireChats(event)) this.#broadcast.append(encodeReply({ kind: 'chat', ref: this.#ref, ...chat }));
  }
}

export class LabSession implements Session {
  readonly port: Port;
  readonly #tcp: LabTcp;
  readonly #lab: Lab;
  readonly #decoder = new LabRequestDecoder();
  readonly #seats = new Seats();
  #joinId: string | undefined;
  /** How this client wrote the names of the rooms that it has asked for, by the room's key. */
  readonly #asked = new Map<string, string>();
  /** The JOIN_IDs of the LEAVEs that are under way, by ROOM_REF. */
  readonly #leaving = new Map<string, string>();
  #lullAt = Number.POSITIVE_INFINITY;
  /** A request has to wait for the house; those behind it wait too. */
  #busy = false;
  #inputEnded = false;
  /** No more requests: it ends when it is out of all rooms. */
  #finishing = false;
  #gone = false;

  constructor(tcp: LabTcp, port: Port) {
    this.#tcp = tcp;
    this.#lab = tcp.lab;
    this.port = port;
  }

  receive(bytes: Uint8Array, now: number): boolean {
    if (this.#finishing || this.#gone) return true;
    this.#decoder.push(bytes);
    this.#pump();
    this.#lullAt = this.#decoder.pending ? now + LULL_MS : Number.POSITIVE_INFINITY;
    return !this.#busy;
  }

  ended(): void {
    this.#inputEnded = true;
    this.#decoder.end();
    this.#pump();
  }

  closed(reason: string): void {
    this.#gone = true;
    this.#quitAll(reason);
  }

  dropped(reason: string): void {
    this.port.send(encodeDrop(reason));
  }

  tick(now: number): void {
    if (now < this.#lullAt) return;
    this.#lullAt = Number.POSITIVE_INFINITY;
    this.#decoder.lull();
    this.#pump();
  }

  deadline(): number {
    return this.#busy ? Number.POSITIVE_INFINITY : this.#lullAt;
  }

  // --- what the house has done ---------------------------------------------------------------------------

  joined(ref: string, room: Room): void {
    const { ip, port } = this.#lab.address(this.port.local);
    const name = this.#asked.get(room.key) ?? room.name;
    this.#asked.delete(room.key);
    this.port.send(encodeReply({ kind: 'joined', room: name, ip, port, ref, joinId: this.#id() }));
  }

  /** The announcement is still to come. Who is put out has left, too. */
  left(ref: string, isPutOut: boolean): void {
    const joinId = this.#leaving.get(ref) ?? (isPutOut ? this.#id() : undefined);
    if (joinId !== undefined) this.#sendLeft(ref, joinId);
    this.#leaving.delete(ref);
  }

  whisper(whisper: Whisper): boolean {
    const seat = this.#seats.of(whisper.to);
    if (!seat || this.#finishing || this.#gone) return false;
    this.port.send(encodeReply({ kind: 'chat', ref: refOf(seat.room), ...wireWhisper(whisper) }));
    return true;
  }

  /** It hears no more of the room. */
  unseated(ref: string): void {
    const member = this.#seats.get(ref)?.member;
    this.#seats.delete(ref);
    if (member?.rooms.size === 0) this.#tcp.members.quit(member, 'left');
    this.#endWhenOut();
  }

  // --- requests ------------------------------------------------------------------------------------------

  /** Handles what has come, one request after the other, as long as none of them has to wait. */
  #pump(): void {
    while (!this.#busy && !this.#finishing && !this.#gone) {
      const request = this.#decoder.next();
      if (request === undefined) break;
      this.#handle(request);
    }
    if (this.#inputEnded && !this.#busy) this.#finish('the connection was closed');
  }

  #handle(request: LabRequest): void {
    try {
      switch (request.kind) {
        case 'helo':
          return this.port.send(this.#lab.helo(request.line, this.port.local));
        case 'kill':
          return this.#lab.kill(this.port.remote.ip);
        case 'join':
          return this.#wait(this.#join(request.room, request.name));
        case 'leave':
          return this.#leave(request.ref, request.joinId);
        case 'disconnect':
          return this.#finish('disconnected');
        case 'chat':
          return this.#chat(request.ref, request.text);
        case 'fault':
          return this.port.send(encodeFault(request));
        case 'other':
          return;
      }
    } catch (error) {
      this.port.send(encodeRefusal(error));
    }
  }

  /** The next request waits until this one is done. */
  #wait(work: Promise<void>): void {
    this.#busy = true;
    work
      .catch((error) => this.port.send(encodeRefusal(error)))
      .then(() => {
        this.#busy = false;
        this.#pump();
        if (!this.#busy) this.port.resume();
      })
      .catch((error) => this.port.fail(error));
  }

  async #join(roomName: string, handle: string): Promise<void> {
    const there = this.#seatIn(this.#lab.house.findRoom(roomName));
    if (there) {
      this.#asked.set(there.room.key, roomName);
      return this.joined(refOf(there.room), there.room);
    }
    this.#lab.checkPlace(this.#seats);
    const member = this.#seats.memberOf(handle) ?? (await this.#tcp.members.enter(handle, this));
    try {
      const room = await this.#lab.house.openRoom(roomName);
      const ref = String(await this.#lab.house.refOf(room, 'lab'));
      if (this.#gone) return;
      this.#asked.set(room.key, roomName);
      this.#seats.set(ref, { member, room });
      this.#seat(ref, member, room);
    } finally {
      if (member.rooms.size === 0) this.#tcp.members.quit(member, 'not in any room');
    }
  }

  #seat(ref: string, member: Member, room: Room): void {
    try {
      this.#lab.house.join(member, room);
    } catch (error) {
      this.#asked.delete(room.key);
      this.#seats.delete(ref);
      throw error;
    }
  }

  #leave(ref: string, joinId: string): void {
    const seat = this.#seats.find(ref);
    if (!seat?.member.rooms.has(seat.room.key)) return this.#sendLeft(this.#lab.refOutside(ref), joinId);
    const { member, room } = seat;
    this.#leaving.set(refOf(room), joinId);
    this.#lab.house.leave(member, room, 'left');
  }

  /** The id as the client sent it (scripts compare), its own when that is none. */
  #sendLeft(ref: string, joinId: string): void {
    this.port.send(encodeReply({ kind: 'left', ref, joinId: /^\d{1,40}$/.test(joinId) ? joinId : this.#id() }));
  }

  #chat(ref: string, text: string): void {
    const seat = this.#seats.find(ref) ?? this.#lab.refuse(ref);
    this.#lab.house.say(seat.member, seat.room, text);
  }

  /** Leaves everything, with announcements that this client gets too, and closes. */
  #finish(reason: string): void {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#quitAll(reason);
    this.#endWhenOut();
  }

  #endWhenOut(): void {
    if (this.#finishing && this.#seats.size === 0) this.port.end();
  }

  #quitAll(reason: string): void {
    for (const member of this.#seats.members()) this.#tcp.members.quit(member, reason);
  }

  #id(): string {
    this.#joinId ??= this.#lab.newJoinId();
    return this.#joinId;
  }

  #seatIn(room: Room | undefined): Seat | undefined {
    for (const seat of this.#seats.values()) {
      if (seat.room === room && seat.member.rooms.has(room.key)) return seat;
    }
    return undefined;
  }
}
