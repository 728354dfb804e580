// Layer 3. What IRC clients do with channels: JOIN, PART, TOPIC, KICK, INVITE. The house says who may; its refusals
// become numerics here.

import { type HouseCode, HouseError } from './errors.ts';
import type { Person } from './events.ts';
import type { CommandRow } from './irc-commands.ts';
import { replayTo } from './irc-history.ts';
import { LIST_COMMANDS, sendNames, wordsOf } from './irc-lists.ts';
import { markerOf, tellMarker } from './irc-markers.ts';
import { cut, isChannel, KICK_CHARS, spellNick, TOPIC_CHARS } from './irc-masks.ts';
import type { Numeric } from './irc-numerics.ts';
import { sentence } from './irc-registration.ts';
import { type IrcSession, memberOf, personOf } from './irc-session.ts';
import { isIn, isShown } from './irc-sight.ts';
import type { Pass, Room } from './room.ts';
import { checkOperator } from './room-rights.ts';
import type { IrcMessage } from './wire-irc.ts';

/** So many are put out by one command: TARGMAX of ISUPPORT. */
export const MAX_KICKED = 10;

/** What the house refuses to do with a room, in the words of IRC; those without a text have the house's. */
const REFUSALS: Partial<Record<HouseCode, readonly [Numeric, string?]>> = {
  'room-password': ['ERR_BADCHANNELKEY', 'Cannot join channel (+k)'],
  'invite-only': ['ERR_INVITEONLYCHAN', 'Cannot join channel (+i)'],
  'room-full': ['ERR_CHANNELISFULL', 'Cannot join channel (+l)'],
  banned: ['ERR_BANNEDFROMCHAN', 'Cannot join channel (+b)'],
  'bad-room': ['ERR_BADCHANMASK'],
  'no-such-room': ['ERR_NOSUCHCHANNEL', 'No such channel'],
  'not-in-room': ['ERR_NOTONCHANNEL', "You're not on that channel"],
  'not-operator': ['ERR_CHANOPRIVSNEEDED', "You're not a channel operator"],
  'not-allowed': ['ERR_CHANOPRIVSNEEDED'],
  full: ['ERR_UNAVAILRESOURCE'],
};

/** Tells what the house has refused; anything else is thrown on. */
export function refuse(session: IrcSession, channel: string, error: unknown): void {
  const [numeric, text] = (error instanceof HouseError && REFUSALS[error.code]) || [];
  if (!(error instanceof HouseError) || !numeric) throw error;
  session.reply(numeric, channel, text ?? sentence(error.message));
}

/** The room of that name; who asks is told that there is none. */
export function roomOf(session: IrcSession, channel: string): Room | undefined {
  const room = session.irc.names.roomOf(channel);
  if (!room) session.reply('ERR_NOSUCHCHANNEL', channel, 'No such channel');
  return room;
}

type RoomWork = (room: Room) => Promise<void> | undefined;

/** Work on the room of that name, also where it only rests in the store; who asks is told that there is none. */
export function withRoom(session: IrcSession, channel: string, work: RoomWork): Promise<void> | undefined {
  const { house, names } = session.irc;
  if (names.roomOf(channel) || !isChannel(channel)) return workOn(session, channel, work);
  return house.lookUp(channel.slice(1)).then(() => (session.isGone ? undefined : workOn(session, channel, work)));
}

function workOn(session: IrcSession, channel: string, work: RoomWork): Promise<void> | undefined {
  const room = roomOf(session, channel);
  return room && work(room);
}

/** Who has that nick; who asks is told that there is nobody. */
export function targetOf(session: IrcSession, nick: string): Person | undefined {
  const person = session.irc.names.personOf(nick);
  if (!person) session.reply('ERR_NOSUCHNICK', nick, 'No such nick');
  return person;
}

/** An operator of the server may rule rooms without being in them, and hears of it all the same. */
export function tellOutside(session: IrcSession, room: Room, command: string, params: readonly string[]): void {
  if (!isIn(session, room)) tellSelf(session, command, params);
}

function tellSelf(session: IrcSession, command: string, params: readonly string[]): void {
  const { account } = personOf(session);
  session.tell({ source: session.prefix, command, params, at: session.irc.options.wall(), account });
}

// --- JOIN --------------------------------------------------------------------------------------------------

async function join(session: IrcSession, { params: [channels = '', keys = ''] }: IrcMessage): Promise<void> {
  if (channels === '0') return leaveAll(session);
  // a list in which nothing stands is none
  if (wordsOf(channels).length === 0) return session.needsMore('JOIN');
  const those = keys.split(',');
  for (const [nth, channel] of channels.split(',').entries()) {
    if (session.isGone) return;
    if (channel !== '') await joinOne(session, channel, those[nth] || undefined);
  }
}

async function joinOne(session: IrcSession, channel: string, key: string | undefined): Promise<void> {
  const { names, house } = session.irc;
  const known = names.roomOf(channel);
  if (known && isIn(session, known)) return;
  if (!known && !isChannel(channel)) return session.reply('ERR_NOSUCHCHANNEL', channel, 'No such channel');
  if (memberOf(session).rooms.size >= house.limits.roomsEach) {
    return session.reply('ERR_TOOMANYCHANNELS', channel, 'You have joined too many channels');
  }
  try {
    const room = known ?? (await house.openRoom(channel.slice(1)));
    // another spelling of one that it is in
    if (isIn(session, room)) return;
    const pass = await passTo(session, room, key);
    await comeIn(session, room, pass);
  } catch (error) {
    if (!(error instanceof HouseError) || error.code !== 'too-fast') return refuse(session, channel, error);
    session.reply('RPL_TRYAGAIN', 'JOIN', sentence(error.message));
  }
}

/** Who was asked in needs none. */
async function passTo(session: IrcSession, room: Room, password: string | undefined): Promise<Pass | undefined> {
  if (!room.isPrivate || room.rules.isAsked(personOf(session).id)) return undefined;
  const { login, port } = session;
  return session.irc.options.accounts.unlock(room, { login, password, ip: port.remote.ip });
}

async function comeIn(session: IrcSession, room: Room, pass: Pass | undefined): Promise<void> {
  const channel = session.irc.names.channelOf(room);
  const hasMarkers = session.caps.has('draft/read-marker');
  const marker = hasMarkers ? await markerOf(session, channel) : undefined;
  if (session.isGone) return;
  session.onJoined = () => describe(session, room, () => hasMarkers && tellMarker(session, channel, marker));
  try {
    session.irc.house.found(memberOf(session), room, pass);
  } finally {
    session.onJoined = undefined;
  }
  await replayTo(session, room);
}

/** The answers to JOIN: nothing where there is no topic. */
function describe(session: IrcSession, room: Room, markRead: () => void): void {
  if (room.settings.description !== '') sendTopic(session, room);
  markRead();
  sendNames(session, room);
}

// --- PART --------------------------------------------------------------------------------------------------

function leaveAll(session: IrcSession): void {
  const member = memberOf(session);
  for (const room of [...member.rooms.values()]) session.irc.house.leave(member, room, '');
}

function part(session: IrcSession, { params: [channels = '', reason = ''] }: IrcMessage): undefined {
  const member = memberOf(session);
  const those = wordsOf(channels);
  if (those.length === 0) return session.needsMore('PART');
  for (const channel of those) {
    const room = roomOf(session, channel);
    if (!room) continue;
    if (isIn(session, room)) session.irc.house.leave(member, room, cut(reason, KICK_CHARS));
    else session.reply('ERR_NOTONCHANNEL', channel, "You're not on that channel");
  }
}

// --- TOPIC -------------------------------------------------------------------------------------------------

function topic(session: IrcSession, { params: [channel = '', text] }: IrcMessage): Promise<void> | undefined {
  return withRoom(session, channel, (room) => topicOf(session, room, channel, text));
}

function topicOf(session: IrcSession, room: Room, channel: string, text: string | undefined): undefined {
  if (text !== undefined) return setTopic(session, room, cut(text, TOPIC_CHARS));
  if (!isShown(session, room)) session.reply('ERR_NOTONCHANNEL', channel, "You're not on that channel");
  else if (room.settings.description !== '') sendTopic(session, room);
  else session.reply('RPL_NOTOPIC', session.irc.names.channelOf(room), 'No topic is set');
}

function setTopic(session: IrcSession, room: Room, text: string): undefined {
  const channel = session.irc.names.channelOf(room);
  try {
    session.irc.house.title(memberOf(session), room, text);
  } catch (error) {
    return void refuse(session, channel, error);
  }
  tellOutside(session, room, 'TOPIC', [channel, text]);
}

/** A room may be about something since before anybody noted who said so. */
function sendTopic(session: IrcSession, room: Room): void {
  const channel = session.irc.names.channelOf(room);
  session.reply('RPL_TOPIC', channel, room.settings.description);
  const { topic } = room.rules;
  if (topic) session.reply('RPL_TOPICWHOTIME', channel, spellNick(topic.by), String(Math.floor(topic.at / 1000)));
}

// --- KICK and INVITE ---------------------------------------------------------------------------------------

/** Several people of one channel, or as many channels as people. */
function kick(session: IrcSession, { params: [channels = '', nicks = '', reason = ''] }: IrcMessage): undefined {
  const [rooms, people] = [wordsOf(channels), wordsOf(nicks)];
  const isComplete = people.length > 0 && (rooms.length === 1 || rooms.length === people.length);
  if (!isComplete) return session.needsMore('KICK');
  for (const [nth, nick] of people.slice(0, MAX_KICKED).entries()) {
    if (session.isGone) return;
    kickOne(session, rooms[nth] ?? (rooms[0] as string), nick, reason);
  }
}

function kickOne(session: IrcSession, channel: string, nick: string, reason: string): void {
  const room = roomOf(session, channel);
  if (!room) return;
  const member = memberOf(session);
  try {
    checkOperator(member, room);
    const whom = targetOf(session, nick);
    if (!whom) return;
    if (!room.people.has(whom.id)) return session.reply('ERR_USERNOTINCHANNEL', nick, channel, NOT_THERE);
    const why = cut(reason, KICK_CHARS) || session.nick;
    const { house, names } = session.irc;
    // it may put itself out
    const hears = isIn(session, room);
    house.kick(member, room, whom, why);
    if (!hears) tellSelf(session, 'KICK', [names.channelOf(room), names.nickOf(whom), why]);
  } catch (error) {
    refuse(session, channel, error);
  }
}

export const NOT_THERE = "They aren't on that channel";

function invite(session: IrcSession, { params: [nick, channel] }: IrcMessage): Promise<void> | undefined {
  if (nick === undefined) return listInvitations(session);
  if (channel === undefined) return session.needsMore('INVITE');
  const whom = targetOf(session, nick);
  return whom && withRoom(session, channel, (room) => inviteInto(session, room, channel, whom));
}

function inviteInto(session: IrcSession, room: Room, channel: string, whom: Person): undefined {
  const member = memberOf(session);
  if (isIn(session, room) && room.people.has(whom.id)) {
    const nick = session.irc.names.nickOf(whom);
    return void session.reply('ERR_USERONCHANNEL', nick, channel, 'is already on channel');
  }
  try {
    session.irc.house.invite(member, room, whom);
  } catch (error) {
    return void refuse(session, channel, error);
  }
  session.reply('RPL_INVITING', session.irc.names.nickOf(whom), session.irc.names.channelOf(room));
  const away = session.irc.awayOf(whom);
  if (away !== undefined) session.reply('RPL_AWAY', session.irc.names.nickOf(whom), away);
}

/** Where it may come in because it was asked. */
function listInvitations(session: IrcSession): undefined {
  const { id } = personOf(session);
  for (const room of session.irc.house.rooms.values()) {
    if (room.rules.isAsked(id)) session.reply('RPL_INVITELIST', session.irc.names.channelOf(room));
  }
  session.reply('RPL_ENDOFINVITELIST', 'End of /INVITE list');
}

export const CHANNEL_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [
  ['JOIN', { run: join, minParams: 1 }],
  ['PART', { run: part, minParams: 1 }],
  ['TOPIC', { run: topic, minParams: 1 }],
  ['KICK', { run: kick, minParams: 2 }],
  ['INVITE', { run: invite }],
  ...LIST_COMMANDS,
];
