// Layer 3. What the `lab` dialect is over TCP and UDP alike: its options, its words for the house's events
// and refusals, and the rooms that one client is in.

import { HouseError } from './errors.ts';
import { type HouseEvent, type Person, WHISPERED, type Whisper } from './events.ts';
import { nameKey } from './names.ts';
import type { Member, Room } from './room.ts';
import type { House } from './rooms.ts';
import { type Address, type Broadcast, isLoopback } from './session.ts';
import { encodeReply, type LabRequest } from './wire-lab.ts';

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

/** What all `lab` clients of a server share. */
export class Lab {
  readonly options: LabOptions;
  readonly house: House;
  #nextJoinId = 1;

  constructor(options: LabOptions) {
    this.options = options;
    this.house = options.house;
  }

  newJoinId(): string {
    return String(this.#nextJoinId++);
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

  /** One client, whatever its handles, is in so many rooms and no more. */
  checkPlace(seats: Seats): void {
    const most = this.house.limits.roomsEach;
    if (seats.size >= most) throw new HouseError('not-allowed', `nobody is in more than ${most} rooms`);
  }

  /** A room that the client is not in, by ROOM_REF or by name. */
  findRoom(ref: string): Room {
    const room = isNumber(ref) ? this.house.roomByRef('lab', Number(ref)) : this.house.findRoom(ref);
    if (!room) throw new HouseError('no-such-room', `there is no room with ROOM_REF ${ref.slice(0, 20)}`);
    return room;
  }

  /** LEAVE's answer where there is nothing to leave. */
  refOutside(ref: string): string {
    return String(this.findRoom(ref).refs.get('lab') ?? ref);
  }

  /** A message to a room that the client is not in. */
  refuse(ref: string): never {
    throw new HouseError('not-in-room', `you are not in ${this.findRoom(ref).name}`);
  }
}

export interface Seat {
  readonly member: Member;
  readonly room: Room;
}

/** The rooms that one client is in, by ROOM_REF. */
export class Seats extends Map<string, Seat> {
  /** By ROOM_REF; what is not a number is tried as the name of a room that this client is in. */
  find(ref: string): Seat | undefined {
    if (isNumber(ref)) return this.get(ref);
    const key = nameKey(ref);
    for (const seat of this.values()) if (seat.room.key === key) return seat;
    return undefined;
  }

  /** The person that a handle of this client is in the house. */
  memberOf(handle: string): Member | undefined {
    const key = nameKey(handle.trim());
    for (const { member } of this.values()) if (nameKey(member.person.nick) === key) return member;
    return undefined;
  }

  /** One in which that person sits. */
  of(id: string): Seat | undefined {
    for (const seat of this.values()) if (seat.member.person.id === id) return seat;
    return undefined;
  }

  members(): Set<Member> {
    return new Set([...this.values()].map((seat) => seat.member));
  }
}

/** The number a room is known by on this wire; it has one before anybody joins it. */
export function refOf(room: Room): string {
  const ref = room.refs.get('lab');
  if (ref === undefined) throw new Error(`${room.name} has no ROOM_REF`);
  return String(ref);
}

/** On this wire its own people go by the name they gave, others by the name the house knows. */
function wireName(who: Person): string {
  return who.dialect === 'lab' ? who.nick : who.name;
}

/** Name and text of a CHAT. */
export interface Chat {
  readonly name: string;
  readonly text: string;
}

/** The CHATs that tell of an event; none of what this wire has no form for. */
export function wireChats(event: HouseEvent): Chat[] {
  switch (event.kind) {
    case 'joined':
      return [joinedChat(event.who)];
    case 'left':
      return [leftChat(event.who, event.by && ` (put out by ${wireName(event.by)}: ${event.reason})`)];
    case 'changed':
      return wireName(event.before) === wireName(event.who) ? [] : [leftChat(event.before), joinedChat(event.who)];
    case 'post':
      return [{ name: wireName(event.who), text: event.text }];
    case 'closing':
      return [{ name: 'server', text: 'This server is going down.' }];
    default:
      return [];
  }
}

function joinedChat(who: Person): Chat {
  return { name: wireName(who), text: `${wireName(who)} has joined this chatroom.` };
}

function leftChat(who: Person, more = ''): Chat {
  return { name: wireName(who), text: `${wireName(who)} has left this chatroom.${more}` };
}

/** A whisper looks like a CHAT in one of the rooms. */
export function wireWhisper({ who, text }: Whisper): Chat {
  return { name: wireName(who), text: `${WHISPERED}${text}` };
}

export const MALFORMED = 1;
export const NOT_YOUR_ID = 3;
const TOO_LONG = 8;
const TOO_FAST = 10;

const ERROR_CODES: Readonly<Record<HouseError['code'], number>> = {
  'no-such-room': 2,
  'not-in-room': 4,
  banned: 9,
  'invite-only': 9,
  'room-full': 11,
  moderated: 9,
  'not-operator': 9,
  'bad-name': 5,
  'bad-room': 5,
  'name-taken': 5,
  'name-registered': 6,
  'wrong-password': 6,
  'room-password': 7,
  'too-long': TOO_LONG,
  'not-allowed': 9,
  'too-fast': TOO_FAST,
  full: 11,
  'not-saved': 11,
  'bad-file': 9,
  'no-such-file': 9,
  'not-shared': 9,
  'file-changed': 9,
  'owner-gone': 9,
  stalled: 9,
  disk: 9,
};

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

export function encodeFault(fault: LabRequest & { kind: 'fault' }): Uint8Array {
  return encodeError(fault.code === 'too-long' ? TOO_LONG : MALFORMED, fault.detail);
}

/** The last word to a client that is dropped. */
export function encodeDrop(reason: string): Uint8Array {
  return encodeError(TOO_FAST, reason);
}

function encodeError(code: number, description: string): Uint8Array {
  return encodeReply({ kind: 'error', code: String(code), description });
}

function isNumber(ref: string): boolean {
  return /^\d+$/.test(ref);
}
