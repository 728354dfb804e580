// Layer 3. What was said before: CHATHISTORY for clients that ask, and the last lines of a channel after JOIN for those
// that can't. Who is in a room may read what was said in it; what was said in private is in irc-talks.ts.

import { type Irc, type Said, timeOf } from './irc.ts';
import type { CommandRow } from './irc-commands.ts';
import { messagesOf } from './irc-lines.ts';
import { markread } from './irc-markers.ts';
import { isNick } from './irc-masks.ts';
import { type IrcSession, memberOf } from './irc-session.ts';
import { talkOf, talksOf } from './irc-talks.ts';
import { timeIn } from './irc-times.ts';
import type { Room } from './room.ts';
import type { Bound, HistoryRange } from './store.ts';
import type { IrcMessage } from './wire-irc.ts';

/** Messages at once; told to clients in ISUPPORT. */
export const MAX_HISTORY = 100;

/** A moment, or a message, to count from. */
type Selector = '*' | Bound;

const SELECTORS: ReadonlyMap<string, number> = new Map([
  ['LATEST', 1],
  ['BEFORE', 1],
  ['AFTER', 1],
  ['AROUND', 1],
  ['BETWEEN', 2],
]);

/** What is wrong with a request, as the specification calls it. */
class Refusal extends Error {
  readonly code: string;
  readonly context: readonly string[];

  constructor(code: string, context: readonly string[], text: string) {
    super(text);
    this.code = code;
    this.context = context;
  }
}

async function chathistory(session: IrcSession, { params }: IrcMessage): Promise<void> {
  const [sub = '*', ...rest] = params;
  const name = sub.toUpperCase();
  try {
    if (name === 'TARGETS') await tellTargets(session, rest);
    else await tellPast(session, name, rest);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    session.fail('CHATHISTORY', error.code, sub, ...error.context, error.message);
  }
}

// --- one channel or talk -----------------------------------------------------------------------------------

async function tellPast(session: IrcSession, name: string, params: readonly string[]): Promise<void> {
  const count = SELECTORS.get(name);
  if (count === undefined) throw new Refusal('INVALID_PARAMS', [], 'Unknown command');
  if (params.length !== count + 2) throw new Refusal('INVALID_PARAMS', [], 'Wrong number of parameters');
  const [target = '', ...words] = params;
  const limit = readLimit(words.pop());
  const selectors = words.map((word) => readSelector(session.irc, word, name));
  const place = readTarget(session, target);
  const past = await pastOf(place, name, selectors, limit);
  if (session.isGone) return;
  tellBatch(session, place.shown, past);
}

/** Where something was said, as far as somebody may know of it. */
export interface Place {
  readonly shown: string;
  /** The messages of posts between two bounds, oldest first: a post of several lines is several. */
  past(range: HistoryRange): Promise<Past>;
}

type Past = ReadonlyArray<readonly Said[]>;

function readTarget(session: IrcSession, target: string): Place {
  if (isNick(target)) return talkOf(session, target);
  const room = session.irc.names.roomOf(target);
  if (room && memberOf(session).rooms.has(room.key)) return placeOf(session.irc, room);
  throw new Refusal('INVALID_TARGET', [target], 'Messages could not be retrieved');
}

function placeOf(irc: Irc, room: Room): Place {
  const shown = irc.names.channelOf(room);
  const past = async (range: HistoryRange) =>
    (await irc.house.history(room, range)).map((post) => messagesOf(irc, shown, post));
  return { shown, past };
}

function readLimit(word = ''): number {
  const limit = /^\d{1,9}$/.test(word) ? Number(word) : 0;
  if (limit === 0) throw new Refusal('INVALID_PARAMS', [], 'Invalid limit');
  return Math.min(limit, MAX_HISTORY);
}

function readSelector(irc: Irc, word: string, name: string): Selector {
  if (word === '*' && name === 'LATEST') return '*';
  const [, kind = '', value = ''] = /^([^=]*)=(.*)$/.exec(word) ?? [];
  if (kind !== 'msgid' && kind !== 'timestamp')
    throw new Refusal('INVALID_MSGREFTYPE', [kind || word], 'Unknown reference');
  const at = timeIn(word);
  const id = kind === 'msgid' ? irc.postOf(value) : undefined;
  if (at !== undefined) return { at };
  if (id === undefined) throw new Refusal('INVALID_PARAMS', [], `Unknown ${kind}`);
  return { id };
}

async function pastOf(
  place: Place,
  name: string,
  [first = '*', second = '*']: readonly Selector[],
  limit: number,
): Promise<Past> {
  if (name === 'AROUND' && first !== '*') return around(place, first, limit);
  const range = await rangeOf(place, name, first, second, limit);
  return fit(await place.past(range), limit, range.isOldestFirst === true);
}

async function rangeOf(
  place: Place,
  name: string,
  first: Selector,
  second: Selector,
  limit: number,
): Promise<HistoryRange> {
  if (name === 'BEFORE') return { limit, ...between('*', first) };
  if (name === 'AFTER') return { limit, ...between(first, '*'), isOldestFirst: true };
  if (name !== 'BETWEEN') return { limit, ...between(first, '*') };
  if (await isLater(place, first, second)) return { limit, ...between(second, first) };
  return { limit, ...between(first, second), isOldestFirst: true };
}

function between(after: Selector, before: Selector): Pick<HistoryRange, 'after' | 'before'> {
  return { ...(after !== '*' && { after }), ...(before !== '*' && { before }) };
}

async function isLater(place: Place, first: Selector, second: Selector): Promise<boolean> {
  if (first === '*' || second === '*') return false;
  if ('id' in first && 'id' in second) return first.id > second.id;
  const [one, other] = [await momentOf(place, first), await momentOf(place, second)];
  return one > other;
}

/** A message that is not there any more counts as the oldest. */
async function momentOf(place: Place, bound: Bound): Promise<number> {
  if ('at' in bound) return bound.at;
  const [post] = await place.past({ limit: 1, after: { id: bound.id - 1 }, isOldestFirst: true });
  return post?.[0]?.at ?? 0;
}

/** As many before it as from it on, as far as there are. */
async function around(place: Place, middle: Bound, limit: number): Promise<Past> {
  const from = 'id' in middle ? { id: middle.id - 1 } : { at: middle.at - 1 };
  const older = await place.past({ limit, before: middle });
  const newer = await place.past({ limit, after: from, isOldestFirst: true });
  const second = fit(newer, limit - Math.min(Math.floor(limit / 2), older.flat().length), true);
  return [...fit(older, limit - second.flat().length, false), ...second];
}

/** As many whole posts as make so many messages; one at least, or who asks for more would not get on. */
function fit(past: Past, limit: number, isOldestFirst: boolean): Past {
  const inOrder = isOldestFirst ? past : past.toReversed();
  let messages = 0;
  const end = inOrder.findIndex((one, at) => {
    messages += one.length;
    return messages > limit && (at > 0 || limit <= 0);
  });
  const those = end < 0 ? inOrder : inOrder.slice(0, end);
  return isOldestFirst ? those : those.toReversed();
}

function tellBatch(session: IrcSession, target: string, past: Past): void {
  session.out.batch('chathistory', [target], () => {
    for (const said of past.flat()) session.tell(said);
  });
}

// --- which of them -----------------------------------------------------------------------------------------

async function tellTargets(session: IrcSession, params: readonly string[]): Promise<void> {
  const [from = '', to = '', most] = params;
  if (params.length !== 3) throw new Refusal('INVALID_PARAMS', [], 'Wrong number of parameters');
  const limit = readLimit(most);
  const [first, second] = [timeIn(from), timeIn(to)];
  if (first === undefined || second === undefined) throw new Refusal('INVALID_PARAMS', [], 'Invalid timestamp');
  const isForward = first <= second;
  const [after, before] = isForward ? [first, second] : [second, first];
  const times = { after: { at: after }, before: { at: before } };
  const found = [...(await channelsOf(session, times)), ...(await talksOf(session, times))];
  if (session.isGone) return;
  found.sort((one, other) => one.at - other.at);
  tellFound(session, isForward ? found.slice(0, limit) : found.slice(-limit));
}

/** Where something was said, and when that was last. */
export interface Target {
  readonly shown: string;
  readonly at: number;
}

async function channelsOf(session: IrcSession, range: Pick<HistoryRange, 'after' | 'before'>): Promise<Target[]> {
  const { irc } = session;
  const rooms = [...memberOf(session).rooms.values()];
  const last = await irc.house.lastPosts(rooms, range);
  return rooms.flatMap((room): Target[] => {
    const at = last.get(room.key);
    return at === undefined ? [] : [{ shown: irc.names.channelOf(room), at }];
  });
}

function tellFound({ irc, out }: IrcSession, found: readonly Target[]): void {
  out.batch('draft/chathistory-targets', [], () => {
    for (const { shown, at } of found) {
      out.send({ source: irc.serverName, command: 'CHATHISTORY', params: ['TARGETS', shown, timeOf(at)] });
    }
  });
}

// --- after JOIN --------------------------------------------------------------------------------------------

/** The last lines of the room, or those that came since it was left: for clients that can't ask for them. */
export async function replayTo(session: IrcSession, room: Room): Promise<void> {
  const { irc, caps } = session;
  const limit = Math.min(irc.options.irc.replay, MAX_HISTORY);
  if (limit <= 0 || caps.has('draft/chathistory')) return;
  const seen = irc.lastSeen(session.seenAs, room);
  const audience = session.audienceOf(room);
  if (!audience) return;
  audience.beginReplay(session);
  const range = { limit, ...(seen !== undefined && { after: { id: seen } }) };
  let heard = 0;
  const posts = await irc.house.history(room, range).finally(() => {
    heard = audience.endReplay(session);
  });
  const those = posts.filter(({ id }) => id < heard);
  if (session.isGone || session.audienceOf(room) !== audience || those.length === 0) return;
  const shown = irc.names.channelOf(room);
  const past = those.map((post) => messagesOf(irc, shown, post, caps.has('server-time') ? '' : clockOf(post.at)));
  tellBatch(session, shown, fit(past, limit, false));
  const last = those.at(-1);
  if (last) irc.saw(session.seenAs, room, last.id);
}

function clockOf(at: number): string {
  return `[${timeOf(at).slice(11, 16)}] `;
}

export const HISTORY_COMMANDS: ReadonlyArray<readonly [string, CommandRow]> = [
  ['CHATHISTORY', { run: chathistory }],
  ['MARKREAD', { run: markread }],
];
