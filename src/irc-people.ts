// Layer 3. Who is there, and in what state: AWAY, SETNAME, ISON, USERHOST, WHOIS, WHOWAS, MONITOR. WHO is in irc-who.ts.

import type { Person } from './events.ts';
import { type Gone, isSameNick, type Said } from './irc.ts';
import type { CommandRow } from './irc-commands.ts';
import { packWords } from './irc-lines.ts';
import { AWAY_CHARS, cut, foldIrc, isNick, Mask } from './irc-masks.ts';
import { MAX_MONITORED } from './irc-monitors.ts';
import type { Numeric } from './irc-numerics.ts';
import { REAL_NAME_CHARS } from './irc-registration.ts';
import { type IrcSession, personOf } from './irc-session.ts';
import { idleSeconds, neighbours, prefixesOf, visibleRooms } from './irc-sight.ts';
import { who } from './irc-who.ts';
import type { IrcMessage } from './wire-irc.ts';

export const MAX_USERHOSTS = 5;
/** Names that are asked for at once. */
export const MAX_ASKED = 4;
/** Of one name, whoever had it. */
const MAX_WHOWAS = 50;

// --- its own state -----------------------------------------------------------------------------------------

function away(session: IrcSession, { params: [text = ''] }: IrcMessage): undefined {
  const before = session.away;
  session.away = text === '' ? undefined : cut(text, AWAY_CHARS);
  if (session.away === undefined) session.reply('RPL_UNAWAY', 'You are no longer marked as being away');
  else session.reply('RPL_NOWAWAY', 'You have been marked as being away');
  if (session.away === before) return;
  const said = saidBy(session, 'AWAY', session.away === undefined ? [] : [session.away]);
  for (const other of neighbours(session, 'away-notify')) other.hear(said);
}

function setname(session: IrcSession, { params: [text = ''] }: IrcMessage): undefined {
  const realName = cut(text.trim(), REAL_NAME_CHARS);
  if (realName === '') return session.fail('SETNAME', 'INVALID_REALNAME', 'Realname is not valid') as undefined;
  session.realName = realName;
  const said = saidBy(session, 'SETNAME', [realName]);
  for (const other of neighbours(session, 'setname')) other.hear(said);
  if (session.caps.has('setname')) session.tell(said);
}

function saidBy(session: IrcSession, command: string, params: readonly string[]): Said {
  return { ...session.irc.saidBy(personOf(session), session.irc.options.wall()), command, params };
}

// --- who is there ------------------------------------------------------------------------------------------

function ison(session: IrcSession, { params }: IrcMessage): undefined {
  const found = askedFor(session, params).map((person) => session.irc.names.nickOf(person));
  // more than a line has is not told
  session.reply('RPL_ISON', packWords(found)[0] ?? '');
}

function userhost(session: IrcSession, { params }: IrcMessage): undefined {
  const { names } = session.irc;
  const found = askedFor(session, params.slice(0, MAX_USERHOSTS)).map((person) => {
    const isOper = session.irc.isOper(person) ? '*' : '';
    const isAway = session.irc.awayOf(person) === undefined ? '+' : '-';
    return `${names.nickOf(person)}${isOper}=${isAway}${names.userOf(person)}@${names.hostOf(person)}`;
  });
  session.reply('RPL_USERHOST', found.join(' '));
}

function askedFor({ irc }: IrcSession, params: readonly string[]): Person[] {
  const nicks = params.flatMap((param) => param.split(' ')).filter((nick) => nick !== '');
  return nicks.flatMap((nick) => irc.names.personOf(nick) ?? []);
}

// --- WHOIS -------------------------------------------------------------------------------------------------

function whois(session: IrcSession, { params }: IrcMessage): undefined {
  const [server, nick = ''] = params.length > 1 ? params : [undefined, ...params];
  const { irc } = session;
  if (nick === '') return session.reply('ERR_NONICKNAMEGIVEN', 'No nickname given') as undefined;
  if (server !== undefined && !isServer(session, server)) {
    return session.reply('ERR_NOSUCHSERVER', server, 'No such server') as undefined;
  }
  const person = irc.names.personOf(nick);
  if (person) describe(session, person);
  else session.reply('ERR_NOSUCHNICK', nick, 'No such nick/channel');
  session.reply('RPL_ENDOFWHOIS', person ? irc.names.nickOf(person) : nick, 'End of /WHOIS list');
}

/** A server may be meant by somebody who is on it. */
function isServer({ irc }: IrcSession, name: string): boolean {
  return isSameNick(name, irc.serverName) || irc.names.personOf(name) !== undefined;
}

function describe(session: IrcSession, person: Person): void {
  const { irc } = session;
  const { names } = irc;
  const nick = names.nickOf(person);
  const tell = (numeric: Numeric, ...params: readonly string[]) => session.reply(numeric, nick, ...params);
  tell('RPL_WHOISUSER', names.userOf(person), names.hostOf(person), '*', irc.realNameOf(person));
  const rooms = visibleRooms(session, person).map((room) => prefixesOf(session, room, person) + names.channelOf(room));
  for (const line of packWords(rooms)) tell('RPL_WHOISCHANNELS', line);
  tell('RPL_WHOISSERVER', irc.serverName, irc.options.irc.network);
  const awayText = irc.awayOf(person);
  if (awayText !== undefined) tell('RPL_AWAY', awayText);
  if (irc.isOper(person)) tell('RPL_WHOISOPERATOR', 'is an IRC operator');
  if (person.account !== undefined) tell('RPL_WHOISACCOUNT', person.account, 'is logged in as');
  if (person.dialect !== 'irc') tell('RPL_WHOISSPECIAL', `speaks ${person.dialect || 'for the server'}`);
  describeClient(session, person, tell);
}

/** What is known of IRC clients alone. */
function describeClient(
  { irc }: IrcSession,
  person: Person,
  tell: (numeric: Numeric, ...params: readonly string[]) => void,
): void {
  const other = irc.sessionOf(person);
  if (!other) return;
  if (irc.isBot(person)) tell('RPL_WHOISBOT', `is a bot on ${irc.options.irc.network}`);
  if (other.port.isEncrypted) tell('RPL_WHOISSECURE', 'is using a secure connection');
  const idle = idleSeconds(other);
  tell('RPL_WHOISIDLE', String(idle), String(Math.floor(other.signedOn / 1000)), 'seconds idle, signon time');
}

// --- WHOWAS ------------------------------------------------------------------------------------------------

async function whowas(session: IrcSession, { params: [asked = '', most = '0'] }: IrcMessage): Promise<void> {
  if (asked === '') return session.reply('ERR_NONICKNAMEGIVEN', 'No nickname given');
  const count = Number.parseInt(most, 10);
  for (const nick of asked.split(',').slice(0, MAX_ASKED)) {
    const those = goneCalled(session, nick, count > 0 ? Math.min(count, MAX_WHOWAS) : MAX_WHOWAS);
    for (const gone of those) tellGone(session, gone);
    if (those.length === 0) session.reply('ERR_WASNOSUCHNICK', nick, 'There was no such nickname');
  }
  session.reply('RPL_ENDOFWHOWAS', asked, 'End of WHOWAS');
  await session.letOthers();
}

/** The latest first. */
function goneCalled({ irc }: IrcSession, nick: string, most: number): Gone[] {
  const mask = /[*?]/.test(nick) ? new Mask(`${nick}!*@*`) : undefined;
  const found: Gone[] = [];
  for (let at = irc.gone.length - 1; at >= 0 && found.length < most; at--) {
    const gone = irc.gone[at] as Gone;
    if (isSameNick(gone.nick, nick) || mask?.matches(`${foldIrc(gone.nick)}!-@-`)) found.push(gone);
  }
  return found;
}

function tellGone(session: IrcSession, { nick, user, host, realName, at }: Gone): void {
  session.reply('RPL_WHOWASUSER', nick, user, host, '*', realName);
  session.reply('RPL_WHOISSERVER', nick, session.irc.serverName, new Date(at).toUTCString());
}

// --- MONITOR -----------------------------------------------------------------------------------------------

function monitor(session: IrcSession, { params: [sub = '', nicks = ''] }: IrcMessage): undefined {
  const { monitors } = session.irc;
  const asked = nicks.split(',').filter((nick) => nick !== '');
  switch (sub.toUpperCase()) {
    case '+':
      return watch(session, asked);
    case '-':
      for (const nick of asked) monitors.remove(session, nick);
      return undefined;
    case 'C':
      return monitors.forget(session) as undefined;
    case 'L':
      for (const line of packWords(monitors.listOf(session), undefined, ',')) session.reply('RPL_MONLIST', line);
      return session.reply('RPL_ENDOFMONLIST', 'End of MONITOR list') as undefined;
    case 'S':
      return tellState(session, monitors.listOf(session));
  }
}

function watch(session: IrcSession, asked: readonly string[]): undefined {
  const { monitors } = session.irc;
  const wrong = asked.find((nick) => !isNick(nick));
  if (wrong !== undefined) session.reply('ERR_ERRONEUSNICKNAME', wrong, 'Erroneous nickname');
  const nicks = asked.filter((nick) => isNick(nick));
  const tooMany = nicks.filter((nick) => !monitors.add(session, nick));
  tellState(
    session,
    nicks.filter((nick) => !tooMany.includes(nick)),
  );
  const limit = String(MAX_MONITORED);
  if (tooMany.length > 0) session.reply('ERR_MONLISTFULL', limit, tooMany.join(','), 'Monitor list is full');
}

function tellState(session: IrcSession, nicks: readonly string[]): undefined {
  const { names } = session.irc;
  const found = nicks.map((nick) => ({ nick, person: names.personOf(nick) }));
  const here = found.flatMap(({ person }) => (person ? [names.prefixOf(person)] : []));
  const missing = found.flatMap(({ person, nick }) => (person ? [] : [nick]));
  for (const line of packWords(here, undefined, ',')) session.reply('RPL_MONONLINE', line);
  for (const line of packWords(missing, undefined, ',')) session.reply('RPL_MONOFFLINE', line);
}

export const PEOPLE_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [
  ['AWAY', { run: away }],
  ['SETNAME', { run: setname, minParams: 1 }],
  ['ISON', { run: ison, minParams: 1 }],
  ['USERHOST', { run: userhost, minParams: 1 }],
  ['WHO', { run: who, minParams: 1 }],
  ['WHOIS', { run: whois }],
  ['WHOWAS', { run: whowas }],
  ['MONITOR', { run: monitor, minParams: 1 }],
];
