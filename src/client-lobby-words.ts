// Layer 3. What can be typed to the client's `lobby` face, and what is shown: words and texts, nothing that goes on.

import type { ClientRequest, LobbyFace } from './client-lobby.ts';
import type { Action as FaceAction, PromptStyle } from './face.ts';
import { printable } from './printable.ts';
import type { Chat, LobbyReply } from './wire-lobby.ts';

export type Action = FaceAction<ClientRequest>;

export interface Command {
  readonly form: string;
  /** So many words must follow. */
  readonly needs?: number;
  readonly says?: string;
  /** ... even when words are missing, and then another form is told. */
  readonly whenMissing?: string;
  run(face: LobbyFace, words: readonly string[]): Action[];
}

export const LOBBY_PROMPT = 'enter a command> ';
export const ROOM_PROMPT = 'enter a chat ("\\quit" to leave)> \n';
export const PASSWORD_PROMPT = 'password> ';
export const IN_ROOM: PromptStyle = { keepsTyped: false };
const HISTORY_COUNT = 20;
const MAX_HISTORY = 1000;

export const COMMANDS: Readonly<Record<string, Command>> = {
  login: {
    form: 'login <username> <password>',
    needs: 2,
    says: 'loging in...',
    run: (face, [name = '', password = '']) => face.login(name, password),
  },
  list: {
    form: 'list',
    says: 'listing...',
    run: (face, [option]) => (option === '--all' ? face.listAll() : face.list()),
  },
  newuser: {
    form: 'newuser <username> <password>',
    needs: 2,
    says: 'creating user...',
    whenMissing: 'newuser <name> <password>',
    run: (face, [name = '', password = '']) => face.register(name, password),
  },
  join: {
    form: 'join <roomname>',
    needs: 1,
    says: 'joining room...',
    run: (face, [room = '', password]) => face.join(room, password),
  },
  logout: { form: 'logout', says: 'logging out...', run: (face) => face.logout() },
  help: { form: 'help', run: () => [plain(`Commands:\n${HELP.map((form) => ` -"${form}"`).join('\n')}`)] },
  exit: { form: 'exit', run: (face) => face.exit() },
  room: {
    form: 'room <roomname> [description] [--password]',
    needs: 1,
    run: (face, words) => face.room(words),
  },
  delete: {
    form: 'delete <roomname>',
    needs: 1,
    says: 'deleting room...',
    run: (face, [room = '']) => face.delete(room),
  },
  history: { form: 'history [roomname] [count]', run: (face, words) => face.history(words) },
  search: { form: 'search <words>', needs: 1, run: (face, words) => face.search(words) },
};
const OURS = ['list --all', 'join <roomname> <password>', 'room', 'delete', 'history', 'search'];
const HELP = ['login', 'list', 'newuser', 'join', 'logout', 'help', 'exit', ...OURS].map(
  (name) => COMMANDS[name]?.form ?? name,
);
export const ROOM_HELP = ' -"\\history [count]"\n -"\\search <words>"\n -"\\help"\n -"\\quit"';
export const NO_SUCH_COMMAND = note('this server has no such command');

// --- words -------------------------------------------------------------------------------------------------

export function wordsOf(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== '');
}

/** What a line can hold as one word. */
export function isTypeable(name: string): boolean {
  return /^\S+$/.test(name) && printable(name) === name;
}

export function isPasswordOption(word: string): boolean {
  return word === '--password' || word.startsWith('--password=');
}

/** The next line is the password. */
export function asksForPassword(line: string): boolean {
  const [command, , ...words] = wordsOf(line);
  return command === 'room' && ['--password', '--password='].includes(words.find(isPasswordOption) ?? '');
}

/** ... or it may be in this one; mistyped, too. */
export function hasPassword(line: string): boolean {
  const [command = '', ...words] = wordsOf(line.toLowerCase());
  if (command === 'login' || command === 'newuser') return true;
  return command === 'join' ? words.length > 1 : words.some((word) => word.startsWith('--password='));
}

export function countFrom(word: string | undefined): number {
  return word === undefined ? HISTORY_COUNT : Math.min(MAX_HISTORY, Math.max(1, Number(word)));
}

export function countOf(chats: readonly Chat[]): string {
  return chats.length === 1 ? '1 chat' : `${chats.length || 'no'} chats`;
}

export function isSame(a: Chat, b: Chat): boolean {
  return a.creator === b.creator && a.contents === b.contents && a.datetime === b.datetime;
}

// --- what is shown -------------------------------------------------------------------------------------------

export function plain(text: string): Action {
  return { kind: 'print', tone: 'plain', text };
}

export function note(text: string): Action {
  return { kind: 'print', tone: 'note', text };
}

export function missing(form: string): Action {
  return plain(`missing arguments. -"${form}"`);
}

export function prompt(text: string, style: PromptStyle): Action {
  return { kind: 'prompt', text, style };
}

export function good(reply: LobbyReply): Action[] | undefined {
  return reply.kind === 'good' ? [plain(printable(reply.message))] : undefined;
}

/** Of what answers nothing only an error is worth showing. */
export function unasked(reply: LobbyReply): Action[] {
  return reply.kind === 'error' ? [plain(printable(reply.message))] : [];
}

/** Nobody's text can pass for a chat of somebody else: only the last line of a chat begins with `~`. */
export function signed({ creator, room, contents, datetime }: Chat, withRoom = false): Action {
  const who = oneLine(creator);
  const where = withRoom ? ` in ${oneLine(room)}` : '';
  const text = printable(contents).replaceAll('\n', '\n  ');
  return { kind: 'print', tone: 'signed', who, text: `${text}\n~${who} @${oneLine(datetime)}${where}\n` };
}

export function roomRow(name: string, people = 0, about = ''): string {
  const count = people === 1 ? '1 person' : `${people || 'no'} people`;
  return `  - ${oneLine(name)} (${count})${about === '' ? '' : `: ${oneLine(about)}`}\n`;
}

export function oneLine(text: string): string {
  return printable(text).replaceAll('\n', ' ');
}
