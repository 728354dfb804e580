// Layer 5. `parley-client admin`: the operator's commands to a server of this user, through its socket. One command from
// the command line, or those that come on standard input.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { AdminLink } from './admin-link.ts';
import { isAlive } from './admin-socket.ts';
import type { CommandLine, Given } from './arguments.ts';
import type { Exit } from './player.ts';
import { stateDirectory } from './state-directory.ts';
import type { AdminAnswer } from './wire-admin.ts';

export const ADMIN_LINE: CommandLine = {
  name: 'parley-client',
  usage: 'admin [...command]',
  about: "An operator's commands to a server on this machine",
  words: [
    {
      word: 'command',
      help: 'As on the console: help lists them',
      shownDefault: 'one from each line of standard input',
    },
  ],
  options: [
    {
      flag: '--socket <file>',
      help: "The server's, PORT.sock in its state directory or beside its database",
      shownDefault: 'that of the only server of yours that runs',
    },
  ],
  examples: [
    'parley-client admin who',
    'parley-client admin ban 198.51.100.7 1h',
    'parley-client admin --socket house.sock say the server ends in five minutes',
  ],
};

export function openAdmin(given: Given, _userName: string, exit: Exit): void {
  // the program ends with it; that nobody reads on (`… | head`) is not worth a word
  process.stdout.prependListener('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') process.stderr.write(`parley-client: standard output: ${message}\n`);
  });
  const command = commandOf(given.words);
  runAdmin(given.one('socket'), command)
    .then((hasFailed) => exit(hasFailed ? 1 : 0))
    .catch((error) => exit(1, (error as Error).message));
}

/** A name with blanks that is banned stands in quotes, for a number may stand behind it. */
function commandOf(words: readonly string[]): string | undefined {
  if (words.length === 0) return undefined;
  const [verb = '', ...rest] = words;
  const quotes = verb === 'ban' ? rest.map((word) => (/\s/.test(word) ? `"${word}"` : word)) : rest;
  return [verb, ...quotes].join(' ');
}

/** True when a command was not done. */
async function runAdmin(asked: string | undefined, command: string | undefined): Promise<boolean> {
  const link = await AdminLink.open(asked ?? (await findSocket()));
  try {
    if (command !== undefined) return await show(await link.ask(command));
    let hasFailed = false;
    for await (const line of createInterface({ input: process.stdin })) {
      if (line.trim() !== '' && (await show(await link.ask(line)))) hasFailed = true;
    }
    return hasFailed;
  } finally {
    link.end();
  }
}

/** True when it was not done. Never settles when it can't be shown: then the program ends. */
async function show({ text, hasFailed }: AdminAnswer): Promise<boolean> {
  const lines = text === '' ? '' : `${text}\n`;
  if (hasFailed) process.stderr.write(`parley-client: ${lines || 'that was not done\n'}`);
  else await print(lines);
  return hasFailed;
}

function print(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, (error) => {
      if (!error) resolve();
    });
  });
}

/** Of the one server that runs. */
async function findSocket(): Promise<string> {
  const directory = stateDirectory(process.env);
  const found: string[] = [];
  for (const name of socketsIn(directory)) {
    const file = path.join(directory, name);
    if (await isAlive(file)) found.push(file);
  }
  const [only, ...others] = found;
  if (only === undefined) throw new Error('no server of yours runs here: start one, or say --socket FILE');
  if (others.length > 0)
    throw new Error(`several servers run here, say which: --socket ${found.join(' or --socket ')}`);
  return only;
}

function socketsIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith('.sock'));
  } catch {
    return [];
  }
}
