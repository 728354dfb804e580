// Layer 3. What the server tells clients that it can do, RPL_ISUPPORT: each value is the one that the code goes by.

import { FLAGS, LISTS, MODE_LETTERS } from './irc.ts';
import { MAX_KICKED } from './irc-channels.ts';
import { MAX_HISTORY } from './irc-history.ts';
import { LIST_CONDITIONS, MAX_NAMED_ROOMS } from './irc-lists.ts';
import { AWAY_CHARS, CHANNEL_CHARS, KICK_CHARS, NICK_CHARS, TOPIC_CHARS } from './irc-masks.ts';
import { MAX_TARGETS } from './irc-messages.ts';
import { KEY_CHARS } from './irc-mode-commands.ts';
import { MODE_PARAMS } from './irc-modes.ts';
import { MAX_MONITORED } from './irc-monitors.ts';
import { MAX_ASKED, MAX_USERHOSTS } from './irc-people.ts';
import { REAL_NAME_CHARS, USER_CHARS } from './irc-registration.ts';
import type { IrcSession } from './irc-session.ts';
import { MAX_MASKS } from './room-rules.ts';

/** Of one line: there are 15 parameters, with the nick and the text. */
const TOKENS_EACH = 13;
const lettersOf = (rules: readonly (keyof typeof MODE_LETTERS)[]) =>
  rules
    .map((rule) => MODE_LETTERS[rule])
    .sort()
    .join('');

const LIST_MODES = lettersOf(LISTS);
const RANK_MODES = MODE_LETTERS.operator + MODE_LETTERS.voice;
const FLAG_MODES = lettersOf(FLAGS);
/** Those that take a parameter, and all. */
export const PARAM_MODES = [...(LIST_MODES + MODE_LETTERS.key + MODE_LETTERS.limit + RANK_MODES)].sort().join('');
export const CHANNEL_MODES = [...(PARAM_MODES + FLAG_MODES)].sort().join('');

export function tellSupport(session: IrcSession): void {
  const tokens = supportOf(session);
  for (let at = 0; at < tokens.length; at += TOKENS_EACH) {
    session.reply('RPL_ISUPPORT', ...tokens.slice(at, at + TOKENS_EACH), 'are supported by this server');
  }
}

function supportOf({ irc, port }: IrcSession): string[] {
  const { network, fileHost } = irc.options.irc;
  const host = fileHost?.(port);
  return [
    `AWAYLEN=${AWAY_CHARS}`,
    'BOT=B',
    'CASEMAPPING=ascii',
    `CHANLIMIT=#:${irc.house.limits.roomsEach}`,
    `CHANMODES=${LIST_MODES},${MODE_LETTERS.key},${MODE_LETTERS.limit},${FLAG_MODES}`,
    `CHANNELLEN=${CHANNEL_CHARS}`,
    'CHANTYPES=#',
    `CHATHISTORY=${MAX_HISTORY}`,
    `ELIST=${LIST_CONDITIONS}`,
    `EXCEPTS=${MODE_LETTERS.exempt}`,
    `INVEX=${MODE_LETTERS.invited}`,
    `KEYLEN=${KEY_CHARS}`,
    `KICKLEN=${KICK_CHARS}`,
    // each list has its own room
    `MAXLIST=${[...LIST_MODES].map((letter) => `${letter}:${MAX_MASKS}`).join(',')}`,
    `MODES=${MODE_PARAMS}`,
    `MONITOR=${MAX_MONITORED}`,
    'MSGREFTYPES=msgid,timestamp',
    `NAMELEN=${REAL_NAME_CHARS}`,
    `NETWORK=${escapeToken(network)}`,
    `NICKLEN=${NICK_CHARS}`,
    `PREFIX=(${RANK_MODES})@+`,
    'STATUSMSG=@+',
    `TARGMAX=${targetsOf()}`,
    `TOPICLEN=${TOPIC_CHARS}`,
    `USERLEN=${USER_CHARS}`,
    'UTF8ONLY',
    'WHOX',
    ...(host === undefined ? [] : [`soju.im/FILEHOST=${escapeToken(host)}`]),
  ];
}

/** Without a number: as many as a line holds. */
function targetsOf(): string {
  const many = ['JOIN', 'LIST', 'PART'].map((command) => `${command}:`);
  const few = ['NOTICE', 'PRIVMSG', 'TAGMSG'].map((command) => `${command}:${MAX_TARGETS}`);
  const others = [`KICK:${MAX_KICKED}`, `NAMES:${MAX_NAMED_ROOMS}`, `USERHOST:${MAX_USERHOSTS}`];
  return [...many, ...few, ...others, 'WHOIS:1', `WHOWAS:${MAX_ASKED}`].sort().join(',');
}

/** A value has no blank, and a `=` might be taken for another token's. */
export function escapeToken(value: string): string {
  return value.replace(/[\\ =]/g, (char) => `\\x${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}
