// Layer 3. What comes of one line of an IRC client: its command is looked up and done, or it is told why not.

import { HouseError } from './errors.ts';
import { commandNamed } from './irc-commands.ts';
import type { IrcSession } from './irc-session.ts';
import type { IrcFault, IrcHeard, IrcMessage } from './wire-irc.ts';

/** With a promise, the next line waits for it. */
export function dispatch(session: IrcSession, heard: IrcHeard): Promise<void> | undefined {
  if (heard.kind === 'fault') return tellFault(session, heard);
  const { command } = heard;
  try {
    return run(session, heard)?.catch((error) => refuse(session, command, error));
  } catch (error) {
    return refuse(session, command, error);
  }
}

function run(session: IrcSession, message: IrcMessage): Promise<void> | undefined {
  const { command, params } = message;
  const row = commandNamed(command);
  if (session.registration && !row?.isForStrangers) {
    return session.reply('ERR_NOTREGISTERED', 'You have not registered') as undefined;
  }
  if (!row) return session.reply('ERR_UNKNOWNCOMMAND', command, 'Unknown command') as undefined;
  if (params.length < (row.minParams ?? 0)) return session.needsMore(command);
  return row.run(session, message);
}

function tellFault(session: IrcSession, { code, command }: IrcFault): undefined {
  if (code === 'too-long') session.reply('ERR_INPUTTOOLONG', 'Input line was too long');
  else session.fail(command || '*', 'INVALID_UTF8', 'Message rejected, it is not UTF-8');
}

/** What the house refuses, and no command has words of its own for. */
function refuse(session: IrcSession, command: string, error: unknown): undefined {
  if (!(error instanceof HouseError)) throw error;
  session.reply(error.code === 'too-fast' ? 'RPL_TRYAGAIN' : 'ERR_UNKNOWNERROR', command, error.message);
}
