// Layer 5. A look at the ports before the start: may they be had, TCP and UDP as the server would open them? Each is
// taken for a moment.

import net from 'node:net';
import { isForeign } from './addresses.ts';
import { bad, type Finding, note, ok } from './check-finding.ts';
import type { DialectName } from './dialects.ts';
import { speaksUdp } from './listen.ts';
import { openUdp } from './udp-socket.ts';

/** `dialect` undefined: every one that can be told. */
interface AskedPort {
  readonly port: number;
  readonly dialect: DialectName | undefined;
}

export interface AskedPorts {
  readonly port: number;
  readonly host: string;
  readonly listen: ReadonlyArray<{ readonly dialect: DialectName; readonly port: number }>;
  readonly pipe: number | 'auto' | 'off';
}

type State = 'free' | 'taken' | Finding;

/** One row for each number, however often it was asked for. */
export function checkPorts(asked: AskedPorts): Array<readonly [name: string, look: () => Promise<Finding>]> {
  const byNumber = Map.groupBy(portsOf(asked), ({ port }) => port);
  return [...byNumber].map(([port, those]) => [`port ${port}`, () => checkPort(port, asked.host, those)] as const);
}

function portsOf({ port, listen, pipe }: AskedPorts): AskedPort[] {
  const own: AskedPort[] = typeof pipe === 'number' ? [{ port: pipe, dialect: 'pipe' }] : [];
  return [{ port, dialect: undefined }, ...listen, ...own].filter((one) => one.port !== 0);
}

async function checkPort(port: number, host: string, those: readonly AskedPort[]): Promise<Finding> {
  const users = those.map(({ dialect }) => dialect ?? 'every dialect');
  if (users.length > 1) return bad(`asked for ${users.length} times, by ${users.join(', ')}`);
  const tcp = await stateOf(host, tryTcp(port, host));
  const hasUdp = those.some(({ dialect }) => speaksUdp(dialect));
  const udp = hasUdp ? await stateOf(host, tryUdp(port, host)) : tcp;
  for (const state of [tcp, udp]) if (typeof state === 'object') return state;
  if (tcp === 'taken') return note('taken, perhaps by a server that runs');
  return udp === 'free' ? ok('free') : bad('UDP is taken by another program');
}

async function stateOf(host: string, tried: Promise<void>): Promise<State> {
  try {
    await tried;
    return 'free';
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    const { code, message } = failure;
    if (code === 'EADDRINUSE') return 'taken';
    if (code === 'EACCES') return bad('no permission to listen there');
    return bad(isForeign(host, failure) ? `${host} is not an address of this machine` : message);
  }
}

function tryTcp(port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen({ port, ...(host === '' ? {} : { host }) }, () => server.close(() => resolve()));
  });
}

async function tryUdp(port: number, host: string): Promise<void> {
  const { socket } = await openUdp(port, host);
  await new Promise<void>((resolve) => socket.close(resolve));
}
