// Layer 5. `--import-users`: takes over the user file of a classic lobby server, rows of NAME,PASSWORD.

import { readFileSync } from 'node:fs';
import type { Accounts } from './accounts.ts';
import { parseCsv } from './csv.ts';
import { HouseError } from './errors.ts';
import type { Log } from './log.ts';
import { nameKey } from './names.ts';
import { decodeText } from './wire.ts';

/** Hashing takes most of the time; more at once would take no less. */
const AT_ONCE = 2;

/** Each row that can't be one is told of, and the others are taken; accounts that are there already stay as they are. */
export async function importUsers(file: string, accounts: Accounts, log: Log): Promise<void> {
  // a name that stands there again has its last password, as in the classic server
  const users = new Map<string, { readonly line: number; readonly name: string; readonly password: string }>();
  for (const { line, fields } of parseCsv(decodeText(readFileSync(file)))) {
    const [name = '', password] = fields;
    if (password === undefined) log('warn', 'user not imported', { line, reason: 'the row has no password' });
    else users.set(nameKey(name.trim()), { line, name, password });
  }
  log('info', 'importing users', { file, rows: users.size });
  let made = 0;
  const rows = users.values();
  const takeRows = async () => {
    for (const { line, name, password } of rows) {
      try {
        if (await accounts.take(name, password)) made++;
      } catch (error) {
        if (!(error instanceof HouseError)) throw error;
        log('warn', 'user not imported', { line, reason: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, takeRows));
  log('info', 'users imported', { file, made });
}
