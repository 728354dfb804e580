// Layer 3. MODE: what rules in channels, and what IRC users have said of themselves. The letters stand for rules of the
// house (MODE_LETTERS).

import type { MaskKind, RuleChange } from './events.ts';
import { FLAGS, isSameNick, LISTS, MODE_LETTERS, RULES } from './irc.ts';
import { NOT_THERE, refuse, targetOf, tellOutside, withRoom } from './irc-channels.ts';
import type { CommandRow } from './irc-commands.ts';
import { Mask, spellNick } from './irc-masks.ts';
import { type ModeChange, readModes, type Takes, writeModes } from './irc-modes.ts';
import type { Numeric } from './irc-numerics.ts';
import { sentence } from './irc-registration.ts';
import { type IrcSession, memberOf, type UserMode } from './irc-session.ts';
import { isShown } from './irc-sight.ts';
import { MAIN_ROOM } from './names.ts';
import type { Room } from './room.ts';
import { checkOperator } from './room-rights.ts';
import { MAX_MASKS } from './room-rules.ts';
import type { IrcMessage } from './wire-irc.ts';

/** KEYLEN of ISUPPORT. */
export const KEY_CHARS = 64;
/** What can be written as one parameter, and in a list of keys. */
const KEY = new RegExp(`^(?!:)[^\\s,\\p{Cc}\\p{Surrogate}]{1,${KEY_CHARS}}$`, 'u');
/** Of these the common room has none. */
const CLOSING: ReadonlyArray<RuleChange['rule']> = ['inviteOnly', 'limit', 'key'];
const LIMIT = /^[1-9]\d{0,8}$/;

/** What clients may set of themselves; `o` they can only give up. */
export const USER_MODES: readonly UserMode[] = ['B', 'i', 'o', 'w'];

const LIST_REPLIES: Readonly<Record<MaskKind, readonly [one: Numeric, end: Numeric, what: string]>> = {
  ban: ['RPL_BANLIST', 'RPL_ENDOFBANLIST', 'channel ban list'],
  exempt: ['RPL_EXCEPTLIST', 'RPL_ENDOFEXCEPTLIST', 'channel exception list'],
  invited: ['RPL_INVEXLIST', 'RPL_ENDOFINVEXLIST', 'channel invite exception list'],
};

function mode(session: IrcSession, { params: [target = '', ...params] }: IrcMessage): Promise<void> | undefined {
  if (!target.startsWith('#')) return userMode(session, target, params);
  return withRoom(session, target, (room) => channelMode(session, room, params));
}

// --- channels ----------------------------------------------------------------------------------------------

function channelMode(session: IrcSession, room: Room, params: readonly string[]): Promise<void> | undefined {
  const channel = session.irc.names.channelOf(room);
  const { changes, unknown, missing } = readModes(params, takes);
  for (const letter of unknown) session.reply('ERR_UNKNOWNMODE', letter, 'is unknown mode char to me');
  const isQuestion = params.length === 0 || changes.some(isAsking);
  if (isQuestion && !isShown(session, room)) {
    return void session.reply('ERR_NOTONCHANNEL', channel, "You're not on that channel");
  }
  if (params.length === 0) return sendModes(session, room);
  for (const change of changes) if (isAsking(change)) sendMasks(session, room, RULES.get(change.mode) as MaskKind);
  const wanted = changes.filter((change) => !isAsking(change));
  if (wanted.length === 0 && missing.length === 0) return undefined;
  return change(session, room, wanted, missing);
}

/** A key is taken away whatever stands there, or nothing. */
function takes(letter: string, isAdded: boolean): Takes {
  const rule = RULES.get(letter);
  switch (rule) {
    case undefined:
      return 'unknown';
    case 'operator':
    case 'voice':
      return 'always';
    case 'ban':
    case 'exempt':
    case 'invited':
      return 'optional';
    case 'key':
      return isAdded ? 'always' : 'optional';
    case 'limit':
      return isAdded ? 'always' : 'never';
    default:
      return 'never';
  }
}

/** A list without a mask is a question. */
function isAsking({ mode, param }: ModeChange): boolean {
  const rule = RULES.get(mode);
  return param === undefined && LISTS.some((kind) => kind === rule);
}

function change(
  session: IrcSession,
  room: Room,
  wanted: readonly ModeChange[],
  missing: readonly string[],
): Promise<void> | undefined {
  const channel = session.irc.names.channelOf(room);
  try {
    checkOperator(memberOf(session), room);
  } catch (error) {
    return void refuse(session, channel, error);
  }
  for (const letter of missing) invalid(session, channel, letter, '', 'a parameter is missing');
  // a hash takes long: of several keys the last one counts
  const lastKey = wanted.findLast(({ mode }) => mode === MODE_LETTERS.key);
  const one = wanted.filter((each) => each.mode !== MODE_LETTERS.key || each === lastKey);
  const changes = one.flatMap((each) => ruleOf(session, room, each) ?? []);
  const key = changes.find(({ rule, isAdded }) => rule === 'key' && isAdded);
  if (!key) return apply(session, room, changes);
  return applyWithKey(session, room, changes, key);
}

function invalid(session: IrcSession, channel: string, letter: string, param: string, why: string): undefined {
  session.reply('ERR_INVALIDMODEPARAM', channel, letter, param === '' ? '*' : param, sentence(why));
}

/** Undefined for what can't be, which is told. */
function ruleOf(session: IrcSession, room: Room, { mode, isAdded, param = '' }: ModeChange): RuleChange | undefined {
  const rule = RULES.get(mode) as RuleChange['rule'];
  const channel = session.irc.names.channelOf(room);
  switch (rule) {
    case 'operator':
    case 'voice':
      return memberRule(session, room, { isAdded, rule, param });
    case 'ban':
    case 'exempt':
    case 'invited': {
      const { text } = new Mask(param);
      return text === '' ? invalid(session, channel, mode, param, 'that is no mask') : { isAdded, rule, param: text };
    }
    case 'limit':
      if (!isAdded) return { isAdded, rule };
      if (LIMIT.test(param)) return { isAdded, rule, param: Number(param) };
      return invalid(session, channel, mode, param, 'a limit is a number from 1');
    case 'key':
      if (!isAdded) return { isAdded, rule };
      if (KEY.test(param)) return { isAdded, rule, param };
      // what was nearly a key is not for everybody's eyes
      return invalid(session, channel, mode, '', `a key has 1 to ${KEY_CHARS} characters, no blanks and no commas`);
    default:
      return { isAdded, rule };
  }
}

function memberRule(session: IrcSession, room: Room, change: RuleChange): RuleChange | undefined {
  const nick = String(change.param);
  const person = targetOf(session, nick);
  if (!person) return undefined;
  if (room.people.has(person.id)) return { ...change, param: person.id };
  session.reply('ERR_USERNOTINCHANNEL', nick, session.irc.names.channelOf(room), NOT_THERE);
}

async function applyWithKey(
  session: IrcSession,
  room: Room,
  changes: readonly RuleChange[],
  key: RuleChange,
): Promise<void> {
  const { accounts } = session.irc.options;
  const hash = await accounts.hashPassword(String(key.param), session.port.remote.ip);
  if (session.isGone) return;
  const hashed = changes.map((each) => (each === key ? { ...key, param: hash } : each));
  apply(session, room, hashed);
}

function apply(session: IrcSession, room: Room, changes: readonly RuleChange[]): undefined {
  if (changes.length === 0) return;
  const channel = session.irc.names.channelOf(room);
  try {
    const done = session.irc.house.rule(memberOf(session), room, changes);
    for (const params of session.irc.modesOf(room, done)) tellOutside(session, room, 'MODE', params);
  } catch (error) {
    return void refuse(session, channel, error);
  }
  for (const each of changes) tellUndone(session, room, each);
}

/** What the house can't do, and no member can help: it is told, where nothing else would be. */
function tellUndone(session: IrcSession, room: Room, change: RuleChange): void {
  const channel = session.irc.names.channelOf(room);
  const { isAdded, rule, param } = change;
  const kind = LISTS.find((one) => one === rule);
  if (kind && isAdded && isFull(room, kind, param)) {
    session.reply('ERR_BANLISTFULL', channel, String(param), `Channel list is full (+${MODE_LETTERS[kind]})`);
  } else if (isAdded && room.key === MAIN_ROOM && CLOSING.includes(rule)) {
    session.reply('ERR_CHANOPRIVSNEEDED', channel, 'Everybody may be here');
  } else if (!isAdded && rule === 'operator' && room.rules.isOperator(String(param))) {
    session.reply('ERR_CHANOPRIVSNEEDED', channel, 'The owner of a channel stays its operator');
  }
}

/** A mask that was to be added and isn't there had no place. */
function isFull(room: Room, kind: MaskKind, mask: RuleChange['param']): boolean {
  const masks = room.rules.masks(kind);
  return masks.length >= MAX_MASKS && !masks.some((one) => one.mask === mask);
}

// --- what is asked -----------------------------------------------------------------------------------------

function sendModes(session: IrcSession, room: Room): undefined {
  const channel = session.irc.names.channelOf(room);
  session.reply('RPL_CHANNELMODEIS', channel, ...modesIn(room));
  session.reply('RPL_CREATIONTIME', channel, secondsOf(room.made));
}

/** The letters, and their parameters; a key is nobody's to read. */
function modesIn({ rules, isPrivate }: Room): string[] {
  const flags = FLAGS.filter((flag) => rules.has(flag)).map((flag) => MODE_LETTERS[flag]);
  const limit = rules.limit === undefined ? [] : [MODE_LETTERS.limit];
  const key = isPrivate ? [MODE_LETTERS.key] : [];
  const params = [...key.map(() => '*'), ...limit.map(() => String(rules.limit))];
  return [`+${[...flags, ...key, ...limit].join('')}`, ...params];
}

function sendMasks(session: IrcSession, room: Room, kind: MaskKind): void {
  const channel = session.irc.names.channelOf(room);
  const [one, end, what] = LIST_REPLIES[kind];
  for (const { mask, by, at } of room.rules.masks(kind)) {
    session.reply(one, channel, mask, spellNick(by), secondsOf(at));
  }
  session.reply(end, channel, `End of ${what}`);
}

function secondsOf(at: number): string {
  return String(Math.floor(at / 1000));
}

// --- users -------------------------------------------------------------------------------------------------

function userMode(session: IrcSession, nick: string, params: readonly string[]): undefined {
  if (!isSameNick(nick, session.nick)) {
    if (targetOf(session, nick)) session.reply('ERR_USERSDONTMATCH', "Can't change mode for other users");
    return;
  }
  if (params.length === 0) return void session.reply('RPL_UMODEIS', `+${session.modes}`);
  const { changes, unknown } = readModes(params, (letter) => (isUserMode(letter) ? 'never' : 'unknown'));
  if (unknown.length > 0) session.reply('ERR_UMODEUNKNOWNFLAG', 'Unknown MODE flag');
  const done = changes.filter((each) => setUserMode(session, each));
  if (done.length > 0) tellUserModes(session, done);
}

function isUserMode(letter: string): letter is UserMode {
  return USER_MODES.some((one) => one === letter);
}

/** Whether it is another than before. Nobody becomes an operator of the server by saying so. */
function setUserMode(session: IrcSession, { mode, isAdded }: ModeChange): boolean {
  if (!isUserMode(mode) || session.hasMode(mode) === isAdded || (mode === 'o' && isAdded)) return false;
  session.setMode(mode, isAdded);
  return true;
}

export function tellUserModes(session: IrcSession, done: readonly ModeChange[]): void {
  const at = session.irc.options.wall();
  for (const words of writeModes(done)) {
    session.tell({ source: session.prefix, command: 'MODE', params: [session.nick, ...words], at });
  }
}

export const MODE_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [['MODE', { run: mode, minParams: 1 }]];
