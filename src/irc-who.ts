// Layer 3. WHO, with the fields of WHOX: people of a channel, or those whom a mask means.

import type { Person } from './events.ts';
import { foldIrc, Mask } from './irc-masks.ts';
import type { IrcSession } from './irc-session.ts';
import { idleSeconds, isHidden, isIn, isShown, prefixesOf, visibleRooms } from './irc-sight.ts';
import type { Room } from './room.ts';
import type { IrcMessage } from './wire-irc.ts';

/** To a question that is about the whole server. */
const MAX_FOUND = 500;
/** In the order in which they are answered. */
const FIELDS = 'tcuihsnfdlaor';
const NO_ADDRESS = '255.255.255.255';

interface Question {
  readonly areOpers: boolean;
  /** Of WHOX; undefined: the classic answer. */
  readonly fields: string | undefined;
  readonly token: string;
}

export async function who(session: IrcSession, { params: [asked = '', how = ''] }: IrcMessage): Promise<void> {
  const question = readQuestion(how);
  const room = asked.startsWith('#') ? session.irc.names.roomOf(asked) : undefined;
  const those = asked.startsWith('#') ? peopleIn(session, room) : peopleLike(session, asked);
  const meant = question.areOpers ? those.filter((person) => session.irc.isOper(person)) : those;
  await session.tellEach(meant, (person) => answer(session, question, person, room ?? commonRoom(session, person)));
  session.reply('RPL_ENDOFWHO', asked, 'End of WHO list');
  await session.letOthers();
}

/** `o`, `%fields`, `o%fields,token`. */
function readQuestion(how: string): Question {
  const [, flags = '', asked, token = ''] = /^([^%]*)(?:%([^,]*)(?:,(.*))?)?$/.exec(how) ?? [];
  const fields = asked && [...FIELDS].filter((field) => asked.includes(field)).join('');
  return {
    areOpers: flags.includes('o'),
    fields: fields || undefined,
    token: /^\d{1,3}$/.test(token) ? token : '0',
  };
}

function peopleIn(session: IrcSession, room: Room | undefined): Person[] {
  if (!room || !isShown(session, room)) return [];
  const people = [...room.people.values()];
  return isIn(session, room) ? people : people.filter((person) => !isHidden(session, person));
}

/** The one of that nick; or those whom a mask means, where `*` and `0` are everybody. */
function peopleLike(session: IrcSession, asked: string): Person[] {
  const one = session.irc.names.personOf(asked);
  if (one) return [one];
  const isMeant = meaning(session, asked === '0' ? '*' : asked);
  const people: Person[] = [];
  for (const person of everybody(session)) {
    if (people.length >= MAX_FOUND) break;
    if (!isHidden(session, person) && isMeant(person)) people.push(person);
  }
  return people;
}

/** A mask `nick!user@host` is for all three, any other one for each of what is known of somebody. */
function meaning({ irc }: IrcSession, asked: string): (person: Person) => boolean {
  const { names } = irc;
  if (/[!@]/.test(asked)) {
    const mask = new Mask(asked);
    return (person) => mask.matches(foldIrc(names.prefixOf(person)));
  }
  const mask = new Mask(`${asked}!*@*`);
  return (person) =>
    [names.nickOf(person), names.userOf(person), names.hostOf(person), irc.serverName, irc.realNameOf(person)].some(
      (text) => mask.matches(`${foldIrc(text)}!-@-`),
    );
}

/** Also those of other nodes, as far as they are in rooms. */
function* everybody({ irc }: IrcSession): Iterable<Person> {
  const strangers = new Map<string, Person>();
  for (const { person } of irc.house.members()) yield person;
  for (const room of irc.house.activeRooms) {
    for (const person of room.people.values()) {
      if (irc.house.member(person.id) || strangers.has(person.id)) continue;
      strangers.set(person.id, person);
      yield person;
    }
  }
}

/** Any that both are in, else one that may be shown. */
function commonRoom(session: IrcSession, person: Person): Room | undefined {
  const rooms = visibleRooms(session, person);
  return rooms.find((room) => isIn(session, room)) ?? rooms[0];
}

function answer(session: IrcSession, { fields, token }: Question, person: Person, room: Room | undefined): void {
  const { irc } = session;
  const of = (field: string) => fieldOf(session, field, person, room);
  if (fields === undefined) {
    const words = [...'cuhsnf'].map(of);
    return session.reply('RPL_WHOREPLY', ...words, `0 ${irc.realNameOf(person)}`);
  }
  session.reply('RPL_WHOSPCRPL', ...[...fields].map((field) => (field === 't' ? token : of(field))));
}

function fieldOf(session: IrcSession, field: string, person: Person, room: Room | undefined): string {
  const { irc } = session;
  const { names } = irc;
  switch (field) {
    case 'c':
      return room ? names.channelOf(room) : '*';
    case 'u':
      return names.userOf(person);
    case 'i':
      return person.host === undefined ? NO_ADDRESS : names.hostOf(person);
    case 'h':
      return names.hostOf(person);
    case 's':
      return irc.serverName;
    case 'n':
      return names.nickOf(person);
    case 'f':
      return flagsOf(session, person, room);
    case 'l':
      return String(idleOf(session, person));
    case 'a':
      return person.account ?? '0';
    case 'r':
      return irc.realNameOf(person);
    // how many servers lie between, and levels of operators: there are none
    default:
      return '0';
  }
}

/** Here or gone, an operator of the server, a rank in the room, a bot. */
function flagsOf(session: IrcSession, person: Person, room: Room | undefined): string {
  const { irc } = session;
  const isAway = irc.awayOf(person) !== undefined ? 'G' : 'H';
  const isOper = irc.isOper(person) ? '*' : '';
  const isBot = irc.isBot(person) ? 'B' : '';
  return isAway + isOper + (room ? prefixesOf(session, room, person) : '') + isBot;
}

function idleOf({ irc }: IrcSession, person: Person): number {
  const other = irc.sessionOf(person);
  return other ? idleSeconds(other) : 0;
}
