// Layer 3. PRIVMSG, NOTICE and TAGMSG: to a channel, to those in it who have a rank (`@#channel`), and to one person.
// What the house keeps as said goes through the house; requests to programs (CTCP) pass between IRC clients alone.

import { HouseError } from './errors.ts';
import type { ClientTags, Person } from './events.ts';
import type { Said } from './irc.ts';
import type { CommandRow } from './irc-commands.ts';
import { messagesIn, textOf } from './irc-lines.ts';
import { foldIrc } from './irc-masks.ts';
import type { Numeric } from './irc-numerics.ts';
import { type IrcSession, memberOf, personOf } from './irc-session.ts';
import type { Room } from './room.ts';
import type { IrcMessage } from './wire-irc.ts';

/** Of one message; told to clients in ISUPPORT. */
export const MAX_TARGETS = 4;
/** `@`: operators, `+`: those with a voice too. */
const RANKED = /^([@+]+)(#.*)$/;

type Verb = 'PRIVMSG' | 'NOTICE' | 'TAGMSG';

/** What is sent, to whomever. */
interface Letter {
  readonly verb: Verb;
  /** As it came; '' for a TAGMSG. */
  readonly line: string;
  /** As the house has it; undefined for a request to a program. */
  readonly text: string | undefined;
  readonly tags: ClientTags | undefined;
}

function privmsg(session: IrcSession, message: IrcMessage): undefined {
  if (!hasText(session, message)) return;
  const letter = letterOf(session, 'PRIVMSG', message);
  if (letter.text !== undefined) session.spokeAt = session.irc.options.now();
  sendToAll(session, letter, message.params[0]);
}

/** Nothing that goes wrong is answered: programs that answer notices would never stop. */
function notice(session: IrcSession, message: IrcMessage): undefined {
  const [targets = '', line = ''] = message.params;
  if (line !== '') sendToAll(session, letterOf(session, 'NOTICE', message), targets);
}

function tagmsg(session: IrcSession, message: IrcMessage): undefined {
  if (!session.caps.has('message-tags'))
    return session.reply('ERR_UNKNOWNCOMMAND', 'TAGMSG', 'Unknown command') as undefined;
  const [targets = ''] = message.params;
  const letter = letterOf(session, 'TAGMSG', message);
  if (targets === '') session.reply('ERR_NORECIPIENT', 'No recipient given (TAGMSG)');
  else sendToAll(session, letter, targets);
}

function hasText(session: IrcSession, { params: [targets = '', line = ''] }: IrcMessage): boolean {
  if (targets === '') session.reply('ERR_NORECIPIENT', 'No recipient given (PRIVMSG)');
  else if (line === '') session.reply('ERR_NOTEXTTOSEND', 'No text to send');
  return targets !== '' && line !== '';
}

function letterOf(session: IrcSession, verb: Verb, { params: [, line = ''], tags }: IrcMessage): Letter {
  return {
    verb,
    line: verb === 'TAGMSG' ? '' : line,
    text: verb === 'TAGMSG' ? '' : textOf(line),
    tags: session.caps.has('message-tags') ? clientTags(tags) : undefined,
  };
}

/** Those that are for others; undefined if there are none. */
function clientTags(tags: ClientTags): ClientTags | undefined {
  const those = Object.entries(tags).filter(([key]) => key.startsWith('+'));
  return those.length === 0 ? undefined : Object.fromEntries(those);
}

// --- to whom -----------------------------------------------------------------------------------------------

function sendToAll(session: IrcSession, letter: Letter, targets = ''): undefined {
  if (!targets.includes(',')) return sendTo(session, letter, targets);
  const all = new Map(targets.split(',').map((target) => [foldIrc(target), target]));
  all.delete('');
  if (all.size > MAX_TARGETS) {
    return refuse(session, letter, 'ERR_TOOMANYTARGETS', targets, `At most ${MAX_TARGETS} targets`);
  }
  for (const target of all.values()) sendTo(session, letter, target);
}

function sendTo(session: IrcSession, letter: Letter, target: string): undefined {
  if (target.startsWith('#')) return sendToChannel(session, letter, '', target);
  const [, ranks = '', channel = ''] = RANKED.exec(target) ?? [];
  return channel === '' ? sendToNick(session, letter, target) : sendToChannel(session, letter, ranks, channel);
}

function refuse(session: IrcSession, { verb }: Letter, numeric: Numeric, ...params: readonly string[]): undefined {
  if (verb !== 'NOTICE') session.reply(numeric, ...params);
}

function sendToChannel(session: IrcSession, letter: Letter, ranks: string, channel: string): undefined {
  const room = session.irc.names.roomOf(channel);
  if (!room) return refuse(session, letter, 'ERR_NOSUCHCHANNEL', channel, 'No such channel');
  try {
    if (ranks !== '') sendToRanked(session, letter, room, ranks);
    else if (letter.text === undefined) pass(session, letter, room, session.irc.names.channelOf(room), () => true);
    else say(session, letter, room, letter.text);
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    if (error.code === 'too-fast' || error.code === 'too-long') {
      if (letter.verb !== 'NOTICE') throw error;
    } else refuse(session, letter, 'ERR_CANNOTSENDTOCHAN', channel, `Cannot send to channel: ${error.message}`);
  }
}

/** The room echoes what is said in it; who speaks from outside is not among those who hear it. */
function say(session: IrcSession, letter: Letter, room: Room, text: string): void {
  const { house, names } = session.irc;
  const { verb, tags } = letter;
  const member = memberOf(session);
  let id: string | undefined;
  if (verb === 'TAGMSG') id = house.signal(member, room, tags ?? {});
  else house.say(member, room, text, { notice: verb === 'NOTICE', tags });
  if (member.rooms.has(room.key)) return;
  for (const said of saidBy(session, letter, names.channelOf(room), id)) session.echo(said);
}

// --- what the house does not keep --------------------------------------------------------------------------

/** Other dialects' operators are told in words of their own. */
function sendToRanked(session: IrcSession, letter: Letter, room: Room, ranks: string): void {
  const { irc } = session;
  const rank = ranks.includes('+') ? '+' : '@';
  const isMeant = ({ id }: Person) => room.rules.isOperator(id) || (rank === '+' && room.rules.hasVoice(id));
  pass(session, letter, room, `${rank}${irc.names.channelOf(room)}`, isMeant);
  const { text, verb, tags } = letter;
  if (text === undefined || verb === 'TAGMSG') return;
  for (const person of room.people.values()) {
    if (!isMeant(person) || irc.sessionOf(person)) continue;
    irc.house.whisper(memberOf(session), person, `(for those who lead ${room.name}) ${text}`, {
      notice: verb === 'NOTICE',
      tags,
      isPassing: true,
    });
  }
}

/** To IRC clients of the room that are meant. */
function pass(
  session: IrcSession,
  letter: Letter,
  room: Room,
  target: string,
  isMeant: (who: Person) => boolean,
): void {
  const { irc } = session;
  irc.house.checkSpeech(memberOf(session), room);
  const lines = saidBy(session, letter, target, irc.house.newId());
  for (const person of room.people.values()) {
    const other = irc.sessionOf(person);
    if (!other || other === session || !isMeant(person)) continue;
    if (letter.verb === 'TAGMSG' && !other.caps.has('message-tags')) continue;
    for (const line of lines) other.hear(line);
  }
  for (const line of lines) session.echo(line);
}

/** What came from this client, as others and itself are told it: a long one is several. */
function saidBy(
  session: IrcSession,
  { verb, line, text = line, tags }: Letter,
  target: string,
  id: string | undefined,
  at: number = session.irc.options.wall(),
): Said[] {
  const by = session.irc.saidBy(personOf(session), at);
  if (verb === 'TAGMSG') return [{ ...by, command: verb, params: [target], msgid: id, client: tags }];
  return messagesIn({ by, command: verb, target, text, isFromIrc: true, msgid: id, client: tags });
}

// --- to one person -----------------------------------------------------------------------------------------

function sendToNick(session: IrcSession, letter: Letter, nick: string): undefined {
  const { irc } = session;
  const person = irc.names.personOf(nick);
  if (!person) return refuse(session, letter, 'ERR_NOSUCHNICK', nick, 'No such nick/channel');
  const told = whisper(session, letter, person);
  if (!told) {
    const why = letter.text === undefined ? 'takes no requests to programs' : 'can be told nothing in private';
    return refuse(session, letter, 'ERR_NOSUCHNICK', nick, `${person.name} (${person.dialect}) ${why}`);
  }
  for (const line of saidBy(session, letter, irc.names.nickOf(person), told.msgid, told.at)) session.echo(line);
  const away = irc.awayOf(person);
  if (away !== undefined && letter.verb === 'PRIVMSG') session.reply('RPL_AWAY', irc.names.nickOf(person), away);
}

/** Undefined where that one can't be told. */
function whisper(
  session: IrcSession,
  { verb, line, text, tags }: Letter,
  person: Person,
): Pick<Said, 'msgid' | 'at'> | undefined {
  const { house, options } = session.irc;
  const member = memberOf(session);
  if (verb === 'TAGMSG') {
    // who has no form for tags misses nothing that was said
    const msgid = house.newId();
    house.signalTo(member, person, tags ?? {}, msgid);
    return { msgid, at: options.wall() };
  }
  if (text === undefined && person.dialect !== 'irc') return undefined;
  const more = { notice: verb === 'NOTICE', tags, isPassing: text === undefined };
  const told = house.whisper(member, person, text ?? line, more);
  return told && { msgid: session.irc.msgidOfWhisper(told), at: told.at };
}

export const MESSAGE_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [
  ['PRIVMSG', { run: privmsg }],
  ['NOTICE', { run: notice }],
  ['TAGMSG', { run: tagmsg }],
];
