// Layer 3. The table of the commands that IRC clients may send.

import { CHANNEL_COMMANDS } from './irc-channels.ts';
import { HISTORY_COMMANDS } from './irc-history.ts';
import { MESSAGE_COMMANDS } from './irc-messages.ts';
import { MODE_COMMANDS } from './irc-mode-commands.ts';
import { OPERATOR_COMMANDS } from './irc-operators.ts';
import { PEOPLE_COMMANDS } from './irc-people.ts';
import { QUERY_COMMANDS } from './irc-queries.ts';
import { REGISTRATION_COMMANDS } from './irc-registration.ts';
import type { IrcSession } from './irc-session.ts';
import type { IrcMessage } from './wire-irc.ts';

export interface CommandRow {
  /** With a promise, the next command waits for it. A HouseError that it throws is told. */
  run(session: IrcSession, message: IrcMessage): Promise<void> | undefined;
  readonly minParams?: number;
  /** Also for who has no nick yet. */
  readonly isForStrangers?: boolean;
}

/** Made when it is first asked for: what commands do needs the session, which needs these. */
let table: ReadonlyMap<string, CommandRow> | undefined;

export function commandNamed(name: string): CommandRow | undefined {
  return allCommands().get(name);
}

export function allCommands(): ReadonlyMap<string, CommandRow> {
  table ??= new Map([
    ...REGISTRATION_COMMANDS,
    ...CHANNEL_COMMANDS,
    ...MODE_COMMANDS,
    ...MESSAGE_COMMANDS,
    ...PEOPLE_COMMANDS,
    ...QUERY_COMMANDS,
    ...HISTORY_COMMANDS,
    ...OPERATOR_COMMANDS,
  ]);
  return table;
}
