// Layer 2. Who may do what in a room: each of these says no with a HouseError. Pure.

import { HouseError } from './errors.ts';
import type { Person } from './events.ts';
import { MAIN_ROOM } from './names.ts';
import type { Member, Pass, Room } from './room.ts';
import type { MaskMatcher } from './room-rules.ts';

/** As long as what a client may say it is. */
export const MAX_TITLE_CHARS = 390;
const LINE_END = /[\r\n\0]/;

/** To come in. Who was asked in by an operator needs nothing else, nor does the room's owner. */
export function checkEntry({ person }: Member, room: Room, pass: Pass | undefined, matches: MaskMatcher): void {
  const { rules, name } = room;
  if (rules.isAsked(person.id)) return;
  if (room.isPrivate && pass?.room !== room) throw new HouseError('room-password', `${name} has a password`);
  if (room.isOwnedBy(person)) return;
  if (rules.limit !== undefined && room.people.size >= rules.limit) {
    throw new HouseError('room-full', `nobody more fits into ${name}`);
  }
  if (rules.has('inviteOnly') && !rules.isOnInviteList(person, matches)) {
    throw new HouseError('invite-only', `${name} is for those only who are invited`);
  }
  if (rules.isBanned(person, matches)) throw new HouseError('banned', `you are banned from ${name}`);
}

/** To read what was said in it without being in. */
export function checkReading(person: Partial<Person> | undefined, room: Room): void {
  if (!room.rules.has('inviteOnly')) return;
  if (person && (room.people.has(person.id ?? '') || room.isOwnedBy(person))) return;
  throw new HouseError('invite-only', `${room.name} is for those only who are invited`);
}

/** To be heard in it. Who is not in it may be, where the room lets outsiders speak. */
export function checkSpeech(member: Member, room: Room, matches: MaskMatcher): void {
  const { person, isWarden, rooms } = member;
  const { rules, name } = room;
  if (!rooms.has(room.key) && (rules.has('membersOnly') || room.isClosed)) {
    throw new HouseError('not-in-room', `you are not in ${name}`);
  }
  if (!isWarden && rules.isSilenced(person, matches)) throw new HouseError('moderated', `you may not speak in ${name}`);
}

/** To rule a room. */
export function checkOperator({ person, isWarden, rooms }: Member, room: Room): void {
  if (isWarden || room.rules.isOperator(person.id)) return;
  if (!rooms.has(room.key)) throw new HouseError('not-in-room', `you are not in ${room.name}`);
  throw new HouseError('not-operator', `only an operator of ${room.name} may do that`);
}

/** To put somebody out. */
export function checkKick(by: Member, room: Room, whom: Person): void {
  if (room.key === MAIN_ROOM) throw new HouseError('not-allowed', `nobody is put out of ${room.name}`);
  checkOperator(by, room);
  if (!room.people.has(whom.id)) throw new HouseError('not-in-room', `${whom.name} is not in ${room.name}`);
}

/** To ask somebody in: where only the invited come in, that is the operators' to say. */
export function checkInvitation(by: Member, room: Room): void {
  if (!by.rooms.has(room.key)) throw new HouseError('not-in-room', `you are not in ${room.name}`);
  if (room.rules.has('inviteOnly')) checkOperator(by, room);
}

/** To say what the room is about. */
export function checkTitle(by: Member, room: Room, text: string): void {
  if (room.rules.has('topicLocked')) checkOperator(by, room);
  else if (!by.isWarden && !by.rooms.has(room.key)) throw new HouseError('not-in-room', `you are not in ${room.name}`);
  if (text.length > MAX_TITLE_CHARS || LINE_END.test(text)) {
    throw new HouseError('too-long', `a topic is one line of at most ${MAX_TITLE_CHARS} characters`);
  }
}
