// Layer 3. What IRC clients may see of one another: who shares a room, which rooms are shown, and the signs before a
// name. Rooms that are secret or have a password are told of only to who is in them.

import type { Person } from './events.ts';
import { type IrcSession, memberOf, personOf } from './irc-session.ts';
import type { Room } from './room.ts';

export function isIn(session: IrcSession, room: Room): boolean {
  return memberOf(session).rooms.has(room.key);
}

/** Whether that client may know of the room. */
export function isShown(session: IrcSession, room: Room): boolean {
  if (isIn(session, room) || memberOf(session).isWarden) return true;
  return !room.isPrivate && !room.rules.has('secret');
}

export function sharesRoom(session: IrcSession, { id }: Person): boolean {
  for (const room of memberOf(session).rooms.values()) if (room.people.has(id)) return true;
  return false;
}

/** Those with that capability who are told what becomes of somebody: they share a room, or watch for the nick. */
export function neighbours(session: IrcSession, cap: string): Set<IrcSession> {
  const { irc } = session;
  const found = new Set<IrcSession>();
  const add = (other: IrcSession | undefined) => {
    if (other && other !== session && other.caps.has(cap)) found.add(other);
  };
  for (const room of memberOf(session).rooms.values()) {
    for (const person of room.people.values()) add(irc.sessionOf(person));
  }
  for (const other of irc.monitors.watchersOf(personOf(session))) if (other.caps.has('extended-monitor')) add(other);
  return found;
}

/** Hidden from who looks for people in general; who knows the nick, or is in a room with them, sees them. */
export function isHidden(session: IrcSession, person: Person): boolean {
  if (!session.irc.sessionOf(person)?.hasMode('i') || memberOf(session).isWarden) return false;
  return person.id !== personOf(session).id && !sharesRoom(session, person);
}

/** The rooms of that person of which that client may know. */
export function visibleRooms(session: IrcSession, person: Person): Room[] {
  const isOther = person.id !== personOf(session).id;
  const isInvisible = isOther && session.irc.sessionOf(person)?.hasMode('i') && !memberOf(session).isWarden;
  const rooms = roomsOf(session, person);
  return rooms.filter((room) => (isInvisible ? isIn(session, room) : isShown(session, room)));
}

function roomsOf({ irc }: IrcSession, { id }: Person): Room[] {
  const member = irc.house.member(id);
  if (member) return [...member.rooms.values()];
  return [...irc.house.activeRooms].filter((room) => room.people.has(id));
}

/** `@` and `+`: the highest, or all for who asked for that. */
export function prefixesOf({ caps }: IrcSession, { rules }: Room, { id }: Person): string {
  const all = (rules.isOperator(id) ? '@' : '') + (rules.hasVoice(id) ? '+' : '');
  return caps.has('multi-prefix') ? all : all.slice(0, 1);
}

/** Since it said something last. */
export function idleSeconds({ irc, spokeAt }: IrcSession): number {
  return Math.max(0, Math.floor((irc.options.now() - spokeAt) / 1000));
}
