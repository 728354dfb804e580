// Layer 5. `parley-server --check`: what would a server with these options meet? One line for each thing. Nothing is
// made or changed; it may be asked while a server runs.

import { checkAdmin, checkDatabase, checkDisk, checkUploads, checkUsers } from './check-files.ts';
import { bad, type Finding, note, ok } from './check-finding.ts';
import { checkPorts } from './check-ports.ts';
import { readMotd } from './irc-opening.ts';
import { readLimitsOf } from './limits-file.ts';
import { type ServerOptions, unknownVariables } from './options.ts';
import { datesTrouble, judgePair, readPair, type TlsSource } from './tls-files.ts';

type Environment = Readonly<Record<string, string | undefined>>;
/** `status`: with which a server would end, where that is not 1. */
type Row = readonly [name: string, look: () => Finding | Promise<Finding>, status?: number];

const DAY_MS = 86_400_000;
/** A certificate that ends within so many days is worth a word. */
const SOON_DAYS = 21;

/** 0 when all is good, otherwise the status with which a server would end. */
export async function check(
  options: ServerOptions,
  env: Environment,
  print: (line: string) => void,
  now = new Date(),
): Promise<number> {
  let ends = 0;
  for (const [name, look, status = 1] of rowsOf(options, env, now)) {
    const { verdict, text } = await found(look);
    if (verdict === 'bad') ends = Math.max(ends, status);
    print(`${verdict.padEnd(4)} ${name}: ${text}`);
  }
  return ends;
}

function rowsOf(options: ServerOptions, env: Environment, now: Date): Row[] {
  const { data, importUsers } = options;
  return [
    ['options', () => ok(options.requireTls ? 'TLS is required' : 'understood')],
    ...unknownVariables(env).map((name): Row => [name, () => note('no variable of that name is known')]),
    ['limits', () => checkLimits(options), 2],
    ...(options.irc.motd === undefined ? [] : [['motd', () => checkMotd(options.irc.motd as string)] as const]),
    ['certificate', () => checkCertificate(options.tls, now)],
    ['database', () => checkDatabase(options)],
    ...(data === ':memory:' ? [] : [['disk', () => checkDisk(options)] as const]),
    ['uploads', () => checkUploads(options)],
    ...(importUsers === undefined ? [] : [['users', () => checkUsers(importUsers)] as const]),
    ['admin socket', () => checkAdmin(options)],
    ...checkPorts(options),
  ];
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
  const { facts } = judgePair(source, pair);
  const text = `${facts.subject}, until ${facts.to.toISOString()}, sha256 ${facts.fingerprint}`;
  const trouble = datesTrouble(facts, now);
  if (trouble !== undefined) {
    const isRenewed = source.kind === 'self' && now > facts.to;
    return isRenewed ? note(`${text}: it has ended, another will be made`) : bad(`${text}: ${trouble}`);
  }
  const days = Math.floor((facts.to.getTime() - now.getTime()) / DAY_MS);
  return days < SOON_DAYS ? note(`${text}: ${days} days are left`) : ok(text);
}
