// Layer 5. `parley-server --check`: what would a server with these options meet? One line for each thing. Nothing is
// made or changed; it may be asked while a server runs.

import { accessSync, existsSync, constants as fsConstants, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { copyDatabase, settle } from './backup.ts';
import { explain, MIGRATIONS } from './database-file.ts';
import { readMotd } from './irc-opening.ts';
import { readLimitsOf } from './limits-file.ts';
import type { ServerOptions } from './options.ts';
import { factsOf, readPair, type TlsSource } from './tls-files.ts';

/** `note` is nothing that stops a server, or nothing that stays so. */
type Verdict = 'ok' | 'note' | 'bad';

interface Finding {
  readonly verdict: Verdict;
  readonly text: string;
}

const DAY_MS = 86_400_000;
/** A certificate that ends within so many days is worth a word. */
const SOON_DAYS = 21;

/** 0 when all is good, otherwise 1. */
export async function check(options: ServerOptions, print: (line: string) => void, now = new Date()): Promise<number> {
  const things: Array<readonly [name: string, look: () => Finding | Promise<Finding>]> = [
    ['options', () => ok(options.requireTls ? 'TLS is required' : 'understood')],
    ['limits', () => checkLimits(options)],
    ...(options.irc.motd === undefined ? [] : [['motd', () => checkMotd(options.irc.motd as string)] as const]),
    ['certificate', () => checkCertificate(options.tls, now)],
    ['database', () => checkDatabase(options)],
    ...portsOf(options).map((port) => [`port ${port}`, () => checkPort(port, options.host)] as const),
  ];
  let isGood = true;
  for (const [name, look] of things) {
    const { verdict, text } = await found(look);
    if (verdict === 'bad') isGood = false;
    print(`${verdict.padEnd(4)} ${name}: ${text}`);
  }
  return isGood ? 0 : 1;
}

async function found(look: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    return bad((error as Error).message);
  }
}

function checkLimits(options: ServerOptions): Finding {
  readLimitsOf(options);
  return ok('understood');
}

function checkMotd(file: string): Finding {
  const lines = readMotd(file).length;
  return lines > 0 ? ok(`${lines} lines`) : note(`${file} is empty`);
}

function checkCertificate(source: TlsSource | undefined, now: Date): Finding {
  if (!source) return ok('none, TLS is not spoken');
  const pair = readPair(source);
  if (!pair) return ok('one will be made');
  const { subject, fingerprint, from, to } = factsOf(pair);
  const text = `${subject}, until ${to.toISOString()}, sha256 ${fingerprint}`;
  if (now < from) return bad(`${text}: not valid before ${from.toISOString()}`);
  if (now > to)
    return source.kind === 'self' ? note(`${text}: it has ended, another will be made`) : bad(`${text}: it has ended`);
  const days = Math.floor((to.getTime() - now.getTime()) / DAY_MS);
  return days < SOON_DAYS ? note(`${text}: ${days} days are left`) : ok(text);
}

async function checkDatabase({ data, makeDirectory }: ServerOptions): Promise<Finding> {
  if (data === ':memory:') return ok('nothing is kept');
  if (!existsSync(data)) return checkPlace(data, makeDirectory);
  try {
    accessSync(data, fsConstants.R_OK | fsConstants.W_OK);
    accessSync(path.dirname(data), fsConstants.W_OK);
    return await look(data);
  } catch (error) {
    return bad(explain(data, error));
  }
}

/** At a copy: a look at the database itself would leave traces, and none is to be had while a server runs. */
async function look(data: string): Promise<Finding> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'parley-check-'));
  try {
    const copy = path.join(directory, 'copy.db');
    await copyDatabase(data, copy);
    const { version, isOurs, damage } = settle(copy);
    if (!isOurs) return bad(`${data} is not a Parley database`);
    if (damage !== undefined) return bad(`${data} is damaged: ${damage}`);
    const newest = MIGRATIONS.length;
    if (version > newest) return bad(`${data} was made by a newer Parley (version ${version})`);
    return version === newest
      ? ok(`${data}, whole, version ${version}`)
      : note(`${data}, whole, version ${version}: a server will make it version ${newest} and keep a copy`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function checkPlace(data: string, makeDirectory: boolean): Finding {
  const directory = path.dirname(data);
  if (makeDirectory && !existsSync(directory)) return ok(`${data} will be made, with its directory`);
  try {
    accessSync(directory, fsConstants.W_OK);
    return ok(`${data} will be made`);
  } catch (error) {
    return bad(explain(data, error));
  }
}

function portsOf({ port, listen, pipe }: ServerOptions): number[] {
  const all = [port, ...listen.map((one) => one.port), ...(typeof pipe === 'number' ? [pipe] : [])];
  return all.filter((one) => one !== 0);
}

function checkPort(port: number, host: string): Promise<Finding> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'EADDRINUSE') resolve(note('taken, perhaps by a server that runs'));
      else resolve(bad(code === 'EACCES' ? 'no permission to listen there' : message));
    });
    server.listen({ port, ...(host === '' ? {} : { host }) }, () => server.close(() => resolve(ok('free'))));
  });
}

function ok(text: string): Finding {
  return { verdict: 'ok', text };
}

function note(text: string): Finding {
  return { verdict: 'note', text };
}

function bad(text: string): Finding {
  return { verdict: 'bad', text };
}
