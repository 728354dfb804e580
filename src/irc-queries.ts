// Layer 3. What an IRC client may ask about the server itself, what it is told when it is in, and how it goes.

import type { CommandRow } from './irc-commands.ts';
import { HELP, OVERVIEW } from './irc-help.ts';
import { foldIrc, Mask } from './irc-masks.ts';
import { USER_MODES } from './irc-mode-commands.ts';
import type { IrcSession } from './irc-session.ts';
import { CHANNEL_MODES, PARAM_MODES, tellSupport } from './irc-support.ts';
import { VERSION as NUMBER } from './version.ts';
import type { IrcMessage } from './wire-irc.ts';
import { fitText } from './wire-irc.ts';

const VERSION = `parley-${NUMBER}`;
const SECONDS = { day: 86_400, hour: 3600, minute: 60 } as const;
/** Commands in a line of HELP. */
const LIST_BYTES = 300;

// --- who comes in ------------------------------------------------------------------------------------------

/** To somebody who is in just now. */
export function greet(session: IrcSession): void {
  const { irc, prefix } = session;
  const { serverName, network } = irc.options.irc;
  session.reply('RPL_WELCOME', `Welcome to the ${network} network, ${prefix}`);
  session.reply('RPL_YOURHOST', `Your host is ${serverName}, running version ${VERSION}`);
  session.reply('RPL_CREATED', `This server was started ${dateOf(irc.started)}`);
  session.reply('RPL_MYINFO', serverName, VERSION, USER_MODES.join(''), CHANNEL_MODES, PARAM_MODES);
  tellSupport(session);
  tellCounts(session);
  tellMotd(session);
  if (session.modes !== '') session.reply('RPL_UMODEIS', `+${session.modes}`);
}

function tellCounts(session: IrcSession): void {
  const { house, unknown, mostPeople, invisible, opers } = session.irc;
  const { people } = house;
  const hidden = invisible.size;
  session.reply('RPL_LUSERCLIENT', `There are ${people - hidden} users and ${hidden} invisible on 1 server(s)`);
  if (opers.size > 0) session.reply('RPL_LUSEROP', String(opers.size), 'operator(s) online');
  if (unknown > 0) session.reply('RPL_LUSERUNKNOWN', String(unknown), 'unknown connection(s)');
  if (house.activeCount > 0) session.reply('RPL_LUSERCHANNELS', String(house.activeCount), 'channel(s) formed');
  session.reply('RPL_LUSERME', `I have ${people} clients and 0 servers`);
  const counts = [String(people), String(mostPeople)];
  session.reply('RPL_LOCALUSERS', ...counts, `Current local users ${people}, max ${mostPeople}`);
  session.reply('RPL_GLOBALUSERS', ...counts, `Current global users ${people}, max ${mostPeople}`);
}

function tellMotd(session: IrcSession): void {
  const { serverName, motd } = session.irc.options.irc;
  if (motd.length === 0) return session.reply('ERR_NOMOTD', 'There is no message of the day');
  session.reply('RPL_MOTDSTART', `- ${serverName} Message of the day - `);
  for (const line of motd) session.reply('RPL_MOTD', `- ${line}`);
  session.reply('RPL_ENDOFMOTD', 'End of /MOTD command');
}

// --- is it there -------------------------------------------------------------------------------------------

function ping(session: IrcSession, { params: [token = ''] }: IrcMessage): undefined {
  const { serverName } = session.irc;
  if (token === '') return void session.reply('ERR_NOORIGIN', 'No origin specified');
  session.out.send({ source: serverName, command: 'PONG', params: [serverName, token] });
}

/** Others may say why they leave, but not that it was the server's doing. */
function quit(session: IrcSession, { params: [reason = ''] }: IrcMessage): undefined {
  session.close(reason === '' ? 'Quit' : `Quit: ${reason}`);
}

function nothing(): undefined {}

// --- about the server --------------------------------------------------------------------------------------

function motd(session: IrcSession): undefined {
  tellMotd(session);
}

function lusers(session: IrcSession): undefined {
  tellCounts(session);
}

function version(session: IrcSession): undefined {
  session.reply('RPL_VERSION', VERSION, session.irc.serverName, 'a server for every chat client');
  tellSupport(session);
}

function time(session: IrcSession): undefined {
  const { irc } = session;
  session.reply('RPL_TIME', irc.serverName, dateOf(irc.options.wall()));
}

function info(session: IrcSession): undefined {
  const { irc } = session;
  const lines = [
    `This is Parley ${NUMBER}, a chat and file server: clients of several protocols meet in its rooms.`,
    `The server has been up since ${dateOf(irc.started)}.`,
  ];
  for (const line of lines) session.reply('RPL_INFO', line);
  session.reply('RPL_ENDOFINFO', 'End of /INFO list');
}

function admin(session: IrcSession): undefined {
  session.reply('ERR_NOADMININFO', session.irc.serverName, 'No administrative info available');
}

function stats(session: IrcSession, { params: [letter = '*'] }: IrcMessage): undefined {
  const { irc } = session;
  if (letter === 'u') session.reply('RPL_STATSUPTIME', `Server Up ${uptimeOf(irc.options.wall() - irc.started)}`);
  session.reply('RPL_ENDOFSTATS', letter, 'End of /STATS report');
}

function links(session: IrcSession): undefined {
  const { serverName, network } = session.irc.options.irc;
  session.reply('RPL_LINKS', serverName, serverName, `0 ${network}`);
  session.reply('RPL_ENDOFLINKS', '*', 'End of /LINKS list');
}

function help(session: IrcSession, { params: [asked = ''] }: IrcMessage): undefined {
  const subject = asked.trim().split(' ')[0]?.toUpperCase() || '*';
  const lines = subject === '*' ? overview() : HELP.get(subject);
  if (!lines) return void session.reply('ERR_HELPNOTFOUND', subject, 'There is no help on that');
  const [first = '', ...others] = lines;
  session.reply('RPL_HELPSTART', subject, first);
  for (const line of others) session.reply('RPL_HELPTXT', subject, line);
  session.reply('RPL_ENDOFHELP', subject, 'End of help');
}

function overview(): string[] {
  return [...OVERVIEW, ...fitText([...HELP.keys()].join(' '), LIST_BYTES)];
}

/** Only of this server something can be asked: by its name, a mask of it, or somebody who is on it. */
function ofServer(run: CommandRow['run'], at = 0): CommandRow['run'] {
  return (session, message) => {
    const server = message.params[at];
    if (server === undefined || server === '' || isHere(session, server)) return run(session, message);
    return void session.reply('ERR_NOSUCHSERVER', server, 'No such server');
  };
}

function isHere({ irc }: IrcSession, target: string): boolean {
  const isOurs = new Mask(`*!*@${target}`).matches(`*!*@${foldIrc(irc.serverName)}`);
  return isOurs || irc.names.personOf(target) !== undefined;
}

/** As everybody can read it: `2026-01-01 12:00:00 UTC`. */
function dateOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function uptimeOf(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const days = Math.floor(seconds / SECONDS.day);
  const parts = [
    (seconds % SECONDS.day) / SECONDS.hour,
    (seconds % SECONDS.hour) / SECONDS.minute,
    seconds % SECONDS.minute,
  ];
  const [hours = '', ...rest] = parts.map((part) => String(Math.floor(part)));
  return `${days} days ${[hours, ...rest.map((part) => part.padStart(2, '0'))].join(':')}`;
}

export const QUERY_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [
  ['PING', { run: ping, minParams: 1, isForStrangers: true }],
  ['PONG', { run: nothing, isForStrangers: true }],
  ['QUIT', { run: quit, isForStrangers: true }],
  ['ERROR', { run: nothing, isForStrangers: true }],
  ['MOTD', { run: ofServer(motd) }],
  ['LUSERS', { run: ofServer(lusers, 1) }],
  ['VERSION', { run: ofServer(version) }],
  ['TIME', { run: ofServer(time) }],
  ['INFO', { run: ofServer(info) }],
  ['ADMIN', { run: ofServer(admin) }],
  ['STATS', { run: ofServer(stats, 1) }],
  ['LINKS', { run: links }],
  ['HELP', { run: help }],
  ['HELPOP', { run: help }],
];
