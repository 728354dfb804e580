// Layer 3. What a `lab` client on a TCP connection may do: the codec below, the house above.
// On TCP the connection is the identity. A connection has one JOIN_ID; it may wear several handles, each of
// which is a person of its own in the house, there as long as it is in a room.

import { HouseError } from './errors.ts';
import { nameKey } from './names.ts';
import type { Audience, House, HouseEvent, Member, Person, Room, Tongue } from './rooms.ts';
import type { Address, Broadcast, Port, Session } from './session.ts';
import { encodeReply, type LabRequest, LabRequestDecoder } from './wire-lab.ts';

/** A message whose last field has begun is complete after this much silence. */
const LULL_MS = 100;

export type KillPolicy = 'any' | 'local' | 'off';

export interface LabOptions {
  readonly house: House;
  readonly studentId: string;
  /** The address to tell instead of the connection's own. */
  readonly advertise: string | undefined;
  readonly kill: KillPolicy;
  readonly udpIdleMs: number;
  /** Ends the service. */
  stop(reason: string): void;
  broadcast(): Broadcast;
}

/** What all `lab` connections of a server share. */
export class Lab {
  readonly options: LabOptions;
  readonly house: House;
  readonly #sessions = new Map<Member, LabSession>();
  readonly #tongue: Tongue;
  #nextJoinId = 1;

  constructor(options: LabOptions) {
    this.options = options;
    this.house = options.house;
    this.#tongue = {
      dialect: 'lab',
      audience: (room) => new LabAudience(refOf(room), options.broadcast(), (member) => this.#sessionOf(member)),
    };
  }

  open(port: Port): LabSession {
    return new LabSession(this, port);
  }

  newJoinId(): number {
    return this.#nextJoinId++;
  }

  async enter(handle: string, session: LabSession): Promise<Member> {
    const member = await this.house.enter(handle, this.#tongue, 'aliased');
    this.#sessions.set(member, session);
    return member;
  }

  quit(member: Member, reason: string): void {
    this.house.quit(member, reason);
    this.#sessions.delete(member);
  }

  /** HELO's answer and JOINED's: where this server is, as that client sees it. */
  address(local: Address): { ip: string; port: string } {
    return { ip: this.options.advertise ?? local.ip, port: String(local.port) };
  }

  helo(line: Uint8Array, local: Address): Uint8Array {
    return encodeReply({ kind: 'helo', line, ...this.address(local), studentId: this.options.studentId });
  }

  kill(from: string): void {
    const { kill } = this.options;
    if (kill === 'off' || (kill === 'local' && !isLoopback(from))) {
      throw new HouseError('not-allowed', 'KILL_SERVICE is not allowed from here');
    }
    this.options.stop(`KILL_SERVICE from ${from}`);
  }

  #sessionOf(member: Member): LabSession {
    const session = this.#sessions.get(member);
    if (!session) throw new Error(`${member.person.name} has no session`);
    return session;
  }

  /** Why a message to a room that the client is not in is refused. */
  notThere(ref: string): HouseError {
    const room = /^\d{1,10}$/.test(ref) ? this.house.roomByRef('lab', Number(ref)) : this.house.findRoom(ref);
    if (room) return new HouseError('not-in-room', `you are not in ${room.name}`);
    return new HouseError('no-such-room', `there is no room with ROOM_REF ${ref.slice(0, 20)}`);
  }
}

/** The number a room is known by on this wire; there is one before anybody joins it. */
export function refOf(room: Room): string {
  const ref = room.refs.get('lab');
  if (ref === undefined) throw new Error(`${room.name} has no ROOM_REF`);
  return String(ref);
}

/** On this wire its own people go by the name they gave, others by the name the house knows. */
function wireName(who: Person): string {
  return who.dialect === 'lab' ? who.nick : who.name;
}

/** Name and text of the CHAT that tells of an event. */
export function wireChat(event: HouseEvent): { name: string; text: string } {
  switch (event.kind) {
    case 'joined':
      return { name: wireName(event.who), text: `${wireName(event.who)} has joined this chatroom.` };
    case 'left':
      return { name: wireName(event.who), text: `${wireName(event.who)} has left this chatroom.` };
    case 'post':
      return { name: wireName(event.who), text: event.text };
    case 'closing':
      return { name: 'server', text: 'This server is going down.' };
  }
}

const ERROR_CODES: Readonly<Record<HouseError['code'], number>> = {
  'no-such-room': 2,
  'not-in-room': 4,
  'bad-name': 5,
  'bad-room': 5,
  'name-taken': 5,
  'name-registered': 6,
  'room-password': 7,
  'too-long': 8,
  'not-allowed': 9,
  'too-fast': 10,
  full: 11,
  'not-saved': 11,
};

export const MALFORMED = 1;
export const NOT_YOUR_ID = 3;
const TOO_LONG = 8;
const TOO_SLOW = 10;

function encodeError(code: number, description: string): Uint8Array {
  return encodeReply({ kind: 'error', code: String(code), description });
}

export function encodeFault(fault: LabRequest & { kind: 'fault' }): Uint8Array {
  return encodeError(fault.code === 'too-long' ? TOO_LONG : MALFORMED, fault.detail);
}

/** A refusal that is about this wire alone. */
export class LabError extends Error {
  readonly number: number;

  constructor(number: number, message: string) {
    super(message);
    this.number = number;
  }
}

/** A refusal in the dialect's form; anything else is a bug and thrown on. */
export function encodeRefusal(error: unknown): Uint8Array {
  if (error instanceof HouseError) return encodeError(ERROR_CODES[error.code], error.message);
  if (error instanceof LabError) return encodeError(error.number, error.message);
  throw error;
}

export function isLoopback(ip: string): boolean {
  return ip === '::1' || /^127\./.test(ip);
}

/** The members of one room that are here over TCP: each event is encoded once for all of them. */
class LabAudience implements Audience {
  readonly #ref: string;
  readonly #broadcast: Broadcast;
  readonly #sessionOf: (member: Member) => LabSession;
  readonly #seated = new Map<string, LabSession>();

  constructor(ref: string, broadcast: Broadcast, sessionOf: (member: Member) => LabSession) {
    this.#ref = ref;
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
    this.#seated.delete(member.person.id);
    if (session) this.#broadcast.remove(session.port);
  }

  hear(event: HouseEvent): void {
    // one's own JOINED and LEFT come first, then the announcement to all, oneself included
    if (event.kind === 'joined') this.#seated.get(event.who.id)?.joined(this.#ref);
    if (event.kind === 'left') this.#seated.get(event.who.id)?.left(this.#ref);
    this.#broadcast.append(encodeReply({ kind: 'chat', ref: this.#ref, ...wireChat(event) }));
  }
}

interface Seat {
  readonly member: Member;
  readonly room: Room;
}

export class LabSession implements Session {
  readonly port: Port;
  readonly #lab: Lab;
  readonly #decoder = new LabRequestDecoder();
  /** The rooms it is in, by ROOM_REF. */
  readonly #seats = new Map<string, Seat>();
  #joinId: string | undefined;
  /** The room's name as this client wrote it, for the answer to the JOIN that is under way. */
  #askedFor = '';
  /** The LEAVE that is under way. */
  #leaving: { readonly ref: string; readonly joinId: string } | undefined;
  #lullAt = Number.POSITIVE_INFINITY;
  #busy = false;
  #ended = false;
  #gone = false;

  constructor(lab: Lab, port: Port) {
    this.#lab = lab;
    this.port = port;
  }

  receive(bytes: Uint8Array, now: number): boolean {
    if (this.#gone) return true;
    this.#decoder.push(bytes);
    this.#pump();
    this.#lullAt = this.#decoder.pending ? now + LULL_MS : Number.POSITIVE_INFINITY;
    return !this.#busy;
  }

  ended(): void {
    this.#ended = true;
    this.#decoder.end();
    this.#pump();
  }

  closed(reason: string): void {
    this.#gone = true;
    this.#quitAll(reason);
  }

  dropped(reason: string): void {
    this.port.send(encodeError(TOO_SLOW, reason));
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

  /** The house has let a handle of this connection into a room. */
  joined(ref: string): void {
    const { ip, port } = this.#lab.address(this.port.local);
    this.port.send(encodeReply({ kind: 'joined', room: this.#askedFor, ip, port, ref, joinId: this.#id() }));
  }

  /** ... out of a room. */
  left(ref: string): void {
    this.#seats.delete(ref);
    if (this.#leaving?.ref === ref) this.#sendLeft(ref, this.#leaving.joinId);
  }

  /** Handles what has come, one request after the other, as long as none of them has to wait. */
  #pump(): void {
    while (!this.#busy && !this.#gone) {
      const request = this.#decoder.next();
      if (request === undefined) break;
      this.#handle(request);
    }
    if (this.#ended && !this.#busy && !this.#gone) this.#finish('the connection was closed');
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
        this.port.resume();
      })
      .catch((error) => this.port.fail(error));
  }

  async #join(roomName: string, handle: string): Promise<void> {
    this.#askedFor = roomName;
    const there = this.#lab.house.findRoom(roomName);
    const ref = there && this.#refIn(there);
    if (ref !== undefined) return this.joined(ref);
    const member = this.#memberOf(handle) ?? (await this.#lab.enter(handle, this));
    try {
      const room = await this.#lab.house.openRoom(roomName);
      const newRef = await this.#lab.house.refOf(room, 'lab');
      if (this.#gone) return;
      this.#lab.house.join(member, room);
      this.#seats.set(String(newRef), { member, room });
    } finally {
      if (member.rooms.size === 0) this.#lab.quit(member, 'not in any room');
    }
  }

  #leave(ref: string, joinId: string): void {
    const found = this.#find(ref);
    if (!found) {
      const why = this.#lab.notThere(ref);
      if (why.code === 'no-such-room') throw why;
      return this.#sendLeft(ref, joinId);
    }
    const [known, { member, room }] = found;
    this.#leaving = { ref: known, joinId };
    this.#lab.house.leave(member, room, 'left');
    this.#leaving = undefined;
    if (member.rooms.size === 0) this.#lab.quit(member, 'left');
  }

  /** The id as the client sent it (scripts compare), its own when that is none. */
  #sendLeft(ref: string, joinId: string): void {
    this.port.send(encodeReply({ kind: 'left', ref, joinId: /^\d{1,40}$/.test(joinId) ? joinId : this.#id() }));
  }

  #chat(ref: string, text: string): void {
    const found = this.#find(ref);
    if (!found) throw this.#lab.notThere(ref);
    this.#lab.house.say(found[1].member, found[1].room, text);
  }

  /** Leaves everything, with announcements that this client gets too, and closes. */
  #finish(reason: string): void {
    this.#gone = true;
    this.#quitAll(reason);
    this.port.end();
  }

  #quitAll(reason: string): void {
    const members = new Set([...this.#seats.values()].map((seat) => seat.member));
    for (const member of members) this.#lab.quit(member, reason);
    this.#seats.clear();
  }

  #id(): string {
    this.#joinId ??= String(this.#lab.newJoinId());
    return this.#joinId;
  }

  #memberOf(handle: string): Member | undefined {
    const key = nameKey(handle.trim());
    for (const { member } of this.#seats.values()) if (nameKey(member.person.nick) === key) return member;
    return undefined;
  }

  #refIn(room: Room): string | undefined {
    for (const [ref, seat] of this.#seats) if (seat.room === room) return ref;
    return undefined;
  }

  /** By ROOM_REF; what is not a number is tried as the name of a room that this client is in. */
  #find(ref: string): [string, Seat] | undefined {
    const seat = this.#seats.get(ref);
    if (seat) return [ref, seat];
    if (/^\d+$/.test(ref)) return undefined;
    const key = nameKey(ref);
    for (const [known, candidate] of this.#seats) if (candidate.room.key === key) return [known, candidate];
    return undefined;
  }
}
