// Layer 3. What IRC clients are told of rooms when they ask for lists: who is in them (NAMES), and which there are
// (LIST). Rooms that are hidden are so for those outside.

import type { Person } from './events.ts';
import type { Irc } from './irc.ts';
import type { CommandRow } from './irc-commands.ts';
import { bytesOf, packWords } from './irc-lines.ts';
import { foldIrc, isChannel, Mask } from './irc-masks.ts';
import type { IrcSession } from './irc-session.ts';
import { isIn, isShown, prefixesOf } from './irc-sight.ts';
import type { Room } from './room.ts';
import { type IrcMessage, MAX_LINE_BYTES } from './wire-irc.ts';

/** What LIST can be asked: ELIST of ISUPPORT. */
export const LIST_CONDITIONS = 'CMNTU';
/** Each is asked of every room: more of one command are left out. */
const MAX_CONDITIONS = 10;
/** So many rooms are named at once: TARGMAX of ISUPPORT. */
export const MAX_NAMED_ROOMS = 10;
/** Who asks for the names in all rooms is told of so many people. */
const MAX_NAMED_PEOPLE = 2000;
/** Everything of a line with names but what changes: `:`, blanks, `353`, `=`, `:`, CR LF. */
const AROUND_NAMES_BYTES = 13;
const MINUTE_MS = 60_000;

// --- NAMES -------------------------------------------------------------------------------------------------

export function sendNames(session: IrcSession, room: Room): void {
  if (isShown(session, room)) nameThose(session, room);
  endNames(session, session.irc.names.channelOf(room));
}

function nameThose(session: IrcSession, room: Room): void {
  for (const line of linesOf(session, room)) session.reply('RPL_NAMREPLY', ...line);
}

function linesOf(session: IrcSession, room: Room): string[][] {
  const { irc } = session;
  const channel = irc.names.channelOf(room);
  const around = bytesOf(irc.serverName) + bytesOf(session.nick) + bytesOf(channel) + AROUND_NAMES_BYTES;
  const sign = room.rules.has('secret') ? '@' : room.isPrivate ? '*' : '=';
  return packWords(namesIn(session, room), MAX_LINE_BYTES - around).map((names) => [sign, channel, names]);
}

/** The invisible are not named to those outside. */
function* namesIn(session: IrcSession, room: Room): Generator<string> {
  const { irc, caps } = session;
  const isInside = isIn(session, room);
  const isLong = caps.has('userhost-in-names');
  for (const person of room.people.values()) {
    if (!isInside && isInvisible(irc, person)) continue;
    const name = isLong ? irc.names.prefixOf(person) : irc.names.nickOf(person);
    yield prefixesOf(session, room, person) + name;
  }
}

function isInvisible(irc: Irc, person: Person): boolean {
  return irc.sessionOf(person)?.hasMode('i') ?? false;
}

function endNames(session: IrcSession, channel: string): void {
  session.reply('RPL_ENDOFNAMES', channel, 'End of /NAMES list');
}

async function names(session: IrcSession, { params: [channels = ''] }: IrcMessage): Promise<void> {
  // who names one often is told of it once
  const asked = new Map(wordsOf(channels).map((channel) => [foldIrc(channel), channel]));
  if (asked.size === 0) nameAll(session);
  for (const channel of [...asked.values()].slice(0, MAX_NAMED_ROOMS)) {
    const room = session.irc.names.roomOf(channel);
    const lines = room && isShown(session, room) ? linesOf(session, room) : [];
    await session.tellEach(lines, (line) => session.reply('RPL_NAMREPLY', ...line));
    endNames(session, room ? session.irc.names.channelOf(room) : channel);
  }
  await session.letOthers();
}

function nameAll(session: IrcSession): void {
  let people = 0;
  for (const room of session.irc.house.activeRooms) {
    if (!isShown(session, room)) continue;
    people += room.people.size;
    if (people > MAX_NAMED_PEOPLE) break;
    nameThose(session, room);
  }
  endNames(session, '*');
}

// --- LIST --------------------------------------------------------------------------------------------------

/** What a room must be to be listed. */
type Condition = (room: Room) => boolean;

/** Channels by name, or those that meet all of the conditions. */
async function list(session: IrcSession, { params }: IrcMessage): Promise<void> {
  const words = [...new Set(params.flatMap(wordsOf))];
  const isName = (word: string) => isChannel(word) && !/[*?]/.test(word);
  const named = words.filter(isName);
  const others = words.filter((word) => !isName(word)).slice(0, MAX_CONDITIONS);
  const conditions = others.map((word) => conditionOf(session.irc, word));
  const rooms = named.length > 0 ? roomsNamed(session.irc, named) : session.irc.house.rooms.values();
  session.reply('RPL_LISTSTART', 'Channel', 'Users  Name');
  const found = [...rooms].filter((room) => {
    return isThere(room) && isShown(session, room) && conditions.every((isMet) => isMet(room));
  });
  await session.tellEach(found, (room) => listOne(session, room));
  session.reply('RPL_LISTEND', 'End of /LIST');
  await session.letOthers();
}

/** A room that is empty is none to IRC, unless it is somebody's. */
function isThere({ people, settings }: Room): boolean {
  return people.size > 0 || settings.owner !== undefined;
}

function roomsNamed(irc: Irc, channels: readonly string[]): Set<Room> {
  return new Set(channels.flatMap((channel) => irc.names.roomOf(channel) ?? []));
}

function listOne(session: IrcSession, room: Room): void {
  const channel = session.irc.names.channelOf(room);
  session.reply('RPL_LIST', channel, String(room.people.size), room.settings.description);
}

function conditionOf(irc: Irc, word: string): Condition {
  const [, what = '', sign, digits] = /^([CT]?)([<>])(\d{1,9})$/i.exec(word) ?? [];
  if (digits !== undefined) return countCondition(irc, what.toUpperCase(), sign === '>', Number(digits));
  if (word.startsWith('!')) return not(maskCondition(irc, word.slice(1)));
  return maskCondition(irc, word);
}

/** More, or less: people, or minutes since the room was made or its topic was set. */
function countCondition(irc: Irc, what: string, isMore: boolean, bound: number): Condition {
  if (what === '') return ({ people }) => (isMore ? people.size > bound : people.size < bound);
  const then = irc.options.wall() - bound * MINUTE_MS;
  return ({ made, rules }) => {
    const at = what === 'C' ? made : rules.topic?.at;
    return at !== undefined && (isMore ? at < then : at > then);
  };
}

function maskCondition(irc: Irc, text: string): Condition {
  // as if a channel were a nick: what parts a mask is no part of it here
  const mask = new Mask(`${text.replace(/[!@]/g, '?')}!*@*`);
  return (room) => mask.matches(`${foldIrc(irc.names.channelOf(room))}!*@*`);
}

function not(condition: Condition): Condition {
  return (room) => !condition(room);
}

export function wordsOf(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}

export const LIST_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [
  ['NAMES', { run: names }],
  ['LIST', { run: list }],
];
