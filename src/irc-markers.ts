// Layer 3. MARKREAD: up to where somebody has read in a channel or from a person. Accounts have theirs in the store, and
// all connections of an account hear of it; who has no account is remembered as long as the connection lasts.

import { HouseError } from './errors.ts';
import { timeOf } from './irc.ts';
import { foldIrc, isChannel, isNick } from './irc-masks.ts';
import type { IrcSession } from './irc-session.ts';
import { spelledEnd } from './irc-talks.ts';
import { timeIn } from './irc-times.ts';
import type { IrcMessage } from './wire-irc.ts';

/** Of one connection without an account; beyond, the one that was set first goes. */
const MAX_MARKERS = 200;

export async function markread(session: IrcSession, { params }: IrcMessage): Promise<void> {
  const [target = '', asked] = params;
  if (target === '') return session.fail('MARKREAD', 'NEED_MORE_PARAMS', 'Missing parameters');
  if (!isChannel(target) && !isNick(target))
    return session.fail('MARKREAD', 'INVALID_PARAMS', target, 'Invalid target');
  if (asked === undefined) return tellMarker(session, target, await markerOf(session, target));
  const at = timeIn(asked);
  if (at === undefined) return session.fail('MARKREAD', 'INVALID_PARAMS', target, 'Invalid timestamp');
  await mark(session, target, at);
}

/** Time of day; undefined where there is none. */
export async function markerOf(session: IrcSession, target: string): Promise<number | undefined> {
  const { login, irc, markers } = session;
  const key = keyOf(session, target);
  return login ? irc.house.marker(login.key, key) : markers?.get(key);
}

export function tellMarker(session: IrcSession, target: string, at: number | undefined): void {
  session.out.send({ source: session.irc.serverName, command: 'MARKREAD', params: [target, written(at)] });
}

function written(at: number | undefined): string {
  return at === undefined ? '*' : `timestamp=${timeOf(at)}`;
}

async function mark(session: IrcSession, target: string, at: number): Promise<void> {
  const key = keyOf(session, target);
  const { login, irc } = session;
  if (!login) return tellMarker(session, target, markHere(session, key, at));
  try {
    const held = await irc.house.setMarker(login.key, key, at);
    tellMarker(session, target, held);
    // an older one has changed nothing
    if (held === at) tellOthers(session, login.key, target, at);
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    session.fail('MARKREAD', 'INTERNAL_ERROR', target, error.message);
  }
}

function markHere(session: IrcSession, key: string, at: number): number {
  session.markers ??= new Map();
  const held = Math.max(at, session.markers.get(key) ?? 0);
  session.markers.set(key, held);
  const [oldest] = session.markers.keys();
  if (session.markers.size > MAX_MARKERS && oldest !== undefined) session.markers.delete(oldest);
  return held;
}

function tellOthers(session: IrcSession, account: string, target: string, at: number): void {
  const { irc } = session;
  const message = { source: irc.serverName, command: 'MARKREAD', params: [target, written(at)] };
  for (const other of irc.sessions) {
    if (other === session || other.login?.key !== account || !other.caps.has('draft/read-marker')) continue;
    other.out.news({ message });
  }
}

/** The same for all spellings of a target, and for all nicks of an account. */
function keyOf({ irc }: IrcSession, target: string): string {
  const room = irc.names.roomOf(target);
  return room ? `#${room.key}` : foldIrc(spelledEnd(irc, target));
}
