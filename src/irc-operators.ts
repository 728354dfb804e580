// Layer 3. What the operators of the server may do over IRC: OPER makes one of somebody who knows the password of an
// account that is named for that; KILL puts somebody out of the house; WALLOPS speaks to all who want to hear it.

import type { Login } from './accounts.ts';
import { HouseError } from './errors.ts';
import type { Person } from './events.ts';
import { targetOf } from './irc-channels.ts';
import type { CommandRow } from './irc-commands.ts';
import { cut, KICK_CHARS } from './irc-masks.ts';
import { tellUserModes } from './irc-mode-commands.ts';
import { sentence } from './irc-registration.ts';
import { type IrcSession, memberOf, personOf } from './irc-session.ts';
import type { IrcMessage } from './wire-irc.ts';

async function oper(session: IrcSession, { params: [name = '', password = ''] }: IrcMessage): Promise<void> {
  const login = await logIn(session, name, password);
  if (!login || session.isGone) return;
  // whose account that is may know that it is none of those
  if (!session.irc.mayBeOper(login.key)) return session.reply('ERR_NOOPERHOST', 'No operator is called that');
  if (!session.hasMode('o')) {
    session.setMode('o', true);
    tellUserModes(session, [{ isAdded: true, mode: 'o', param: undefined }]);
  }
  session.reply('RPL_YOUREOPER', 'You are now an IRC operator');
}

/** Undefined where the password is wrong, which is told. */
async function logIn(session: IrcSession, name: string, password: string): Promise<Login | undefined> {
  try {
    return await session.irc.options.accounts.login(name, password, session.port.remote.ip);
  } catch (error) {
    if (!(error instanceof HouseError) || error.code === 'too-fast') throw error;
    session.reply('ERR_PASSWDMISMATCH', sentence(error.message));
    return undefined;
  }
}

function kill(session: IrcSession, { params: [nick = '', comment = ''] }: IrcMessage): undefined {
  if (!isOper(session)) return;
  const person = targetOf(session, nick);
  if (!person) return;
  const why = cut(comment, KICK_CHARS) || session.nick;
  if (!putOut(session, person, why)) session.reply('ERR_CANTKILLSERVER', nick, 'They are out of reach');
}

/** IRC clients are told as IRC tells it, others by their own dialect; people of other nodes are out of reach. */
function putOut(session: IrcSession, person: Person, why: string): boolean {
  const reason = `Killed (${session.nick} (${why}))`;
  const target = session.irc.sessionOf(person);
  if (!target) return session.irc.options.expel(person, reason);
  target.hear({ source: session.prefix, command: 'KILL', params: [target.nick, why], at: session.irc.options.wall() });
  target.close(reason);
  return true;
}

function wallops(session: IrcSession, { params: [text = ''] }: IrcMessage): undefined {
  if (!isOper(session)) return;
  if (text === '') return session.needsMore('WALLOPS');
  const at = session.irc.options.wall();
  const { account } = personOf(session);
  const said = { source: session.prefix, command: 'WALLOPS', params: [text], at, account };
  for (const one of session.irc.sessions) {
    if (one === session && one.hasMode('w')) one.tell(said);
    else if (one.member && one.hasMode('w')) one.hear(said);
  }
}

/** Who is none is told so. */
function isOper(session: IrcSession): boolean {
  if (memberOf(session).isWarden) return true;
  session.reply('ERR_NOPRIVILEGES', "Permission Denied- You're not an IRC operator");
  return false;
}

export const OPERATOR_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [
  ['OPER', { run: oper, minParams: 2 }],
  ['KILL', { run: kill, minParams: 1 }],
  ['WALLOPS', { run: wallops, minParams: 1 }],
];
