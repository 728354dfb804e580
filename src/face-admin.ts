// Layer 5. `parley-client admin`: the operator's commands to a server of this user, through its socket. One command from
// the command line, or those that come on standard input.

import { readdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { isAlive } from './admin-socket.ts';
import type { CommandLine, Given } from './arguments.ts';
import type { Exit } from './player.ts';
import { stateDirectory } from './state-directory.ts';
import { type AdminAnswer, AnswerDecoder, encodeCommand } from './wire-admin.ts';

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
    'parley-client admin ban 198.51.100.7 60',
    'parley-client admin --socket house.sock say the server ends in five minutes',
  ],
};

export function openAdmin(given: Given, _userName: string, exit: Exit): void {
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
    if (command !== undefined) return show(await link.ask(command));
    let hasFailed = false;
    for await (const line of createInterface({ input: process.stdin })) {
      if (line.trim() !== '' && show(await link.ask(line))) hasFailed = true;
    }
    return hasFailed;
  } finally {
    link.end();
  }
}

function show({ text, hasFailed }: AdminAnswer): boolean {
  const lines = text === '' ? '' : `${text}\n`;
  if (hasFailed) process.stderr.write(`parley-client: ${lines || 'that was not done\n'}`);
  else process.stdout.write(lines);
  return hasFailed;
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

/** A connection on which one command is answered after the other. */
class AdminLink {
  readonly #socket: net.Socket;
  readonly #decoder = new AnswerDecoder();
  #waiting: { resolve(answer: AdminAnswer): void; reject(error: Error): void } | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the server has closed the connection'));
  }

  static open(file: string): Promise<AdminLink> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(file);
      socket.once('error', (error: NodeJS.ErrnoException) => reject(new Error(explain(file, error))));
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        resolve(new AdminLink(socket));
      });
    });
  }

  ask(command: string): Promise<AdminAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (this.#socket.writable) this.#socket.write(encodeCommand(command));
      else this.#fail('the server has closed the connection');
    });
  }

  end(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #read(text: string): void {
    try {
      this.#decoder.push(text);
      const answer = this.#decoder.next();
      if (answer) this.#settle()?.resolve(answer);
    } catch (error) {
      this.#fail((error as Error).message);
    }
  }

  #fail(reason: string): void {
    this.#settle()?.reject(new Error(reason));
  }

  #settle() {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}

function explain(file: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return `there is no ${file}: does the server run, and with --admin?`;
  if (code === 'ECONNREFUSED') return `nobody listens on ${file}: the server does not run`;
  if (code === 'EACCES') return `${file} is another user's`;
  return `${file}: ${message}`;
}
