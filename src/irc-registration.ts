// Layer 3. The beginning of an IRC connection: capabilities, PASS, NICK, USER, SASL, until it is somebody. SASL and
// capabilities may come again later.

import type { Login } from './accounts.ts';
import { HouseError } from './errors.ts';
import type { CommandRow } from './irc-commands.ts';
import { cut, isNick } from './irc-masks.ts';
import { greet } from './irc-queries.ts';
import type { IrcSession } from './irc-session.ts';
import { nameKey } from './names.ts';
import { decodeText } from './wire.ts';
import type { IrcMessage } from './wire-irc.ts';

export const USER_CHARS = 16;
export const REAL_NAME_CHARS = 160;
const SASL_CHUNK = 400;
const MAX_SASL_CHARS = 4000;

export class Registration {
  readonly #session: IrcSession;
  nick: string | undefined;
  password: string | undefined;
  hasUser = false;
  /** CAP has begun and not ended. */
  isNegotiating = false;
  #isCancelled = false;

  constructor(session: IrcSession) {
    this.#session = session;
  }

  cancel(): void {
    this.#isCancelled = true;
  }

  /** When all is known it is somebody, or told why it can't be. */
  async complete(): Promise<void> {
    const session = this.#session;
    const { nick } = this;
    if (nick === undefined || !this.hasUser || this.isNegotiating || session.registration !== this) return;
    abortSasl(session);
    try {
      await this.#logIn(nick);
      const isOwner = session.login?.key === nameKey(nick);
      const member = await session.irc.enter(session, nick, isOwner);
      if (this.#isCancelled) return session.irc.quit(member, 'Connection closed');
      session.registered(member);
      greet(session);
    } catch (error) {
      this.#refused(nick, error);
    }
  }

  /** A password is that of an account: `name:password`, or of the nick. */
  async #logIn(nick: string): Promise<void> {
    const { password } = this;
    const session = this.#session;
    if (password === undefined || session.login) return;
    this.password = undefined;
    const [, name = nick, secret = password] = /^([^:]+):(.*)$/s.exec(password) ?? [];
    const login = await session.irc.options.accounts.login(name, secret, session.port.remote.ip).catch((error) => {
      if (!(error instanceof HouseError)) throw error;
      session.reply('ERR_PASSWDMISMATCH', sentence(error.message));
    });
    if (login) loggedIn(session, login);
  }

  #refused(nick: string, error: unknown): void {
    if (!(error instanceof HouseError)) throw error;
    const session = this.#session;
    this.nick = undefined;
    switch (error.code) {
      case 'name-taken':
      case 'name-registered':
        return session.reply('ERR_NICKNAMEINUSE', nick, sentence(error.message));
      case 'bad-name':
        return session.reply('ERR_ERRONEUSNICKNAME', nick, sentence(error.message));
      case 'not-allowed':
        session.reply('ERR_YOUREBANNEDCREEP', sentence(error.message));
        return session.close(error.message);
      default:
        return session.close(error.message);
    }
  }
}

// --- commands ----------------------------------------------------------------------------------------------

function cap(session: IrcSession, { params: [sub = '', ...rest] }: IrcMessage): Promise<void> | undefined {
  switch (sub.toUpperCase()) {
    case 'LS':
      return listCaps(session, Number.parseInt(rest[0] ?? '301', 10) || 301);
    case 'LIST':
      return void sendCaps(session, 'LIST', session.caps.list());
    case 'REQ':
      return requestCaps(session, rest[0] ?? '');
    case 'END':
      if (!session.registration) return undefined;
      session.registration.isNegotiating = false;
      return session.registration.complete();
    default:
      return void session.reply('ERR_INVALIDCAPCMD', sub || '*', 'Invalid CAP command');
  }
}

function listCaps(session: IrcSession, version: number): undefined {
  const { caps, irc, registration } = session;
  if (registration) registration.isNegotiating = true;
  if (version >= 302) {
    caps.isModern = true;
    // what may change is told to those who know so
    session.setCaps([['cap-notify', true]]);
  }
  sendCaps(session, 'LS', irc.caps.list(caps.isModern ? 302 : version));
}

/** In lines that fit; who knows 302 is told that more come. */
function sendCaps(session: IrcSession, sub: string, names: readonly string[]): void {
  const lines = [''];
  for (const name of names) {
    const line = lines.at(-1) as string;
    if (line.length + name.length > 400) lines.push(name);
    else lines[lines.length - 1] = line === '' ? name : `${line} ${name}`;
  }
  const source = session.irc.serverName;
  for (const [at, line] of lines.entries()) {
    const more = session.caps.isModern && at < lines.length - 1 ? ['*'] : [];
    session.out.send({ source, command: 'CAP', params: [session.nick, sub, ...more, line] });
  }
}

/** All of them, or none. */
function requestCaps(session: IrcSession, text: string): undefined {
  if (session.registration) session.registration.isNegotiating = true;
  const asked = text.split(' ').filter((name) => name !== '');
  const changes = asked.map((name) =>
    name.startsWith('-') ? ([name.slice(1), false] as const) : ([name, true] as const),
  );
  const { caps, irc } = session;
  const isPossible = changes.every(([name, isOn]) => irc.caps.has(name) && caps.mayBe(name, isOn));
  if (isPossible) session.setCaps(changes);
  const source = irc.serverName;
  session.out.send({ source, command: 'CAP', params: [session.nick, isPossible ? 'ACK' : 'NAK', text.trim()] });
}

function pass(session: IrcSession, { params: [password = ''] }: IrcMessage): undefined {
  if (!session.registration) session.reply('ERR_ALREADYREGISTERED', 'You may not reregister');
  else session.registration.password = password;
}

function user(session: IrcSession, { params }: IrcMessage): Promise<void> | undefined {
  const [name = '', , , realName = ''] = params;
  const { registration } = session;
  if (!registration || registration.hasUser)
    return void session.reply('ERR_ALREADYREGISTERED', 'You may not reregister');
  if (name === '' || realName === '') return session.needsMore('USER');
  session.user = name.replace(/[^\w.~-]/g, '').slice(0, USER_CHARS) || 'user';
  session.realName = cut(realName, REAL_NAME_CHARS);
  registration.hasUser = true;
  return registration.complete();
}

function nick(session: IrcSession, { params: [wanted = ''] }: IrcMessage): Promise<void> | undefined {
  if (wanted === '') return void session.reply('ERR_NONICKNAMEGIVEN', 'No nickname given');
  if (!isNick(wanted)) return void session.reply('ERR_ERRONEUSNICKNAME', wanted, 'Erroneous nickname');
  const { registration } = session;
  if (!registration) return rename(session, wanted);
  registration.nick = wanted;
  return registration.complete();
}

async function rename(session: IrcSession, wanted: string): Promise<void> {
  const { member, irc } = session;
  if (!member || member.person.name === wanted) return;
  const before = session.prefix;
  const owner = session.login?.key === nameKey(wanted) ? 'account' : undefined;
  try {
    irc.checkNick(wanted);
    await irc.house.rename(member, wanted, owner);
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    if (error.code === 'name-taken' || error.code === 'name-registered') {
      return session.reply('ERR_NICKNAMEINUSE', wanted, sentence(error.message));
    }
    if (error.code === 'bad-name') return session.reply('ERR_ERRONEUSNICKNAME', wanted, sentence(error.message));
    throw error;
  }
  if (session.isGone) return;
  const by = irc.saidBy(member.person, irc.options.wall());
  session.tell({ ...by, source: before, command: 'NICK', params: [wanted] });
}

// --- accounts ----------------------------------------------------------------------------------------------

async function authenticate(session: IrcSession, { params: [text = ''] }: IrcMessage): Promise<void> {
  if (!session.caps.has('sasl')) return session.reply('ERR_SASLFAIL', 'SASL was not asked for');
  if (text === '*') return abortSasl(session, true);
  if (session.sasl === undefined) return beginSasl(session, text);
  if (text.length > SASL_CHUNK || session.sasl.length > MAX_SASL_CHARS) {
    session.sasl = undefined;
    return session.reply('ERR_SASLTOOLONG', 'SASL message too long');
  }
  if (text !== '+') session.sasl += text;
  if (text.length === SASL_CHUNK) return;
  const said = session.sasl;
  session.sasl = undefined;
  await plain(session, said);
}

/** Who asks for it is told so, whether there was anything or not. */
function abortSasl(session: IrcSession, isAsked = false): void {
  if (session.sasl === undefined && !isAsked) return;
  session.sasl = undefined;
  session.reply('ERR_SASLABORTED', 'SASL authentication aborted');
}

function beginSasl(session: IrcSession, mechanism: string): void {
  if (session.login) return session.reply('ERR_SASLALREADY', 'You have already authenticated using SASL');
  if (mechanism.toUpperCase() !== 'PLAIN') {
    session.reply('RPL_SASLMECHS', 'PLAIN', 'are available SASL mechanisms');
    return session.reply('ERR_SASLFAIL', 'SASL authentication failed');
  }
  session.sasl = '';
  session.out.send({ command: 'AUTHENTICATE', params: ['+'] });
}

/** `authzid NUL authcid NUL password`, of which the first may be missing. */
async function plain(session: IrcSession, said: string): Promise<void> {
  const [as = '', name = '', password, ...more] = fromBase64(said)?.split('\0') ?? [];
  const failed = () => session.reply('ERR_SASLFAIL', 'SASL authentication failed');
  if (password === undefined || more.length > 0 || (as !== '' && nameKey(as) !== nameKey(name))) return failed();
  try {
    const login = await session.irc.options.accounts.login(name, password, session.port.remote.ip);
    if (session.isGone) return;
    loggedIn(session, login);
    session.reply('RPL_SASLSUCCESS', 'SASL authentication successful');
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    session.reply('ERR_SASLFAIL', `SASL authentication failed: ${error.message}`);
  }
}

/** Undefined for what is none, or no text. */
function fromBase64(text: string): string | undefined {
  const digits = /^([A-Za-z0-9+/]*)={0,2}$/.exec(text)?.[1];
  if (digits === undefined || digits.length % 4 === 1) return undefined;
  return decodeText(Uint8Array.from(atob(digits), (char) => char.charCodeAt(0)));
}

/** Before it is somebody, or later. */
export function loggedIn(session: IrcSession, login: Login): void {
  session.login = login;
  const { member, irc } = session;
  if (member) irc.house.setAccount(member, login.name);
  session.reply('RPL_LOGGEDIN', session.prefix, login.name, `You are now logged in as ${login.name}`);
}

/** REGISTER account email password: the account is called like whoever asks. */
async function register(session: IrcSession, { params }: IrcMessage): Promise<void> {
  const [asked = '*', , password = ''] = params;
  const { irc } = session;
  const name = asked === '*' ? session.nick : asked;
  const fail = (code: string, text: string) => session.fail('REGISTER', code, name, sentence(text));
  if (session.login) return fail('ALREADY_AUTHENTICATED', 'You are logged in already');
  if (name === '*') return fail('NEED_NICK', 'You need a nick first');
  try {
    await irc.options.accounts.register(name, password, session.port.remote.ip, session.member?.person);
    if (session.isGone) return;
    session.out.send({
      source: irc.serverName,
      command: 'REGISTER',
      params: ['SUCCESS', name, 'The account is made'],
    });
    loggedIn(session, { key: nameKey(name), name });
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    const isTaken = error.code === 'name-registered' || error.code === 'name-taken';
    const codes: Partial<Record<HouseError['code'], string>> = {
      'bad-name': 'BAD_ACCOUNT_NAME',
      'not-allowed': 'UNACCEPTABLE_PASSWORD',
      'too-fast': 'TEMPORARILY_UNAVAILABLE',
    };
    fail(isTaken ? 'ACCOUNT_EXISTS' : (codes[error.code] ?? 'TEMPORARILY_UNAVAILABLE'), error.message);
  }
}

/** An account is there at once, so nobody has a code to give. */
function verify(session: IrcSession, { params: [account = ''] }: IrcMessage): undefined {
  if (session.login) session.fail('VERIFY', 'ALREADY_AUTHENTICATED', account, 'You are logged in already');
  else session.fail('VERIFY', 'INVALID_CODE', account, 'Accounts need no verification here');
}

/** Messages of the house as IRC has them. */
export function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export const REGISTRATION_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [
  ['CAP', { run: cap, minParams: 1, isForStrangers: true }],
  ['PASS', { run: pass, minParams: 1, isForStrangers: true }],
  ['NICK', { run: nick, isForStrangers: true }],
  ['USER', { run: user, minParams: 4, isForStrangers: true }],
  ['AUTHENTICATE', { run: authenticate, minParams: 1, isForStrangers: true }],
  ['REGISTER', { run: register, minParams: 3, isForStrangers: true }],
  ['VERIFY', { run: verify, minParams: 2, isForStrangers: true }],
];
