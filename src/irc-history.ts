// Layer 3. What was said in a channel before: CHATHISTORY for clients that ask, and the last lines after JOIN for those
// that can't. Who is in a room may read what was said in it.

import type { Post } from './events.ts';
import { type Irc, type Said, timeOf } from './irc.ts';
import type { CommandRow } from './irc-commands.ts';
import { ME, messagesIn } from './irc-lines.ts';
import { markread } from './irc-markers.ts';
import { isNick } from './irc-masks.ts';
import { type IrcSession, memberOf } from './irc-session.ts';
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

// --- one channel -------------------------------------------------------------------------------------------

async function tellPast(session: IrcSession, name: string, params: readonly string[]): Promise<void> {
  const count = SELECTORS.get(name);
  if (count === undefined) throw new Refusal('INVALID_PARAMS', [], 'Unknown command');
  if (params.length !== count + 2) throw new Refusal('INVALID_PARAMS', [], 'Wrong number of parameters');
  const [target = '', ...words] = params;
  const limit = readLimit(words.pop());
  const selectors = words.map((word) => readSelector(session.irc, word, name));
  const room = readTarget(session, target);
  // what was said to one person alone is not kept
  const past = room ? await pastOf(session.irc, room, name, selectors, limit) : [];
  if (session.isGone) return;
  tellBatch(session, room ? session.irc.names.channelOf(room) : target, past);
}

/** Undefined for a person. */
function readTarget(session: IrcSession, target: string): Room | undefined {
  if (isNick(target)) return undefined;
  const room = session.irc.names.roomOf(target);
  if (room && memberOf(session).rooms.has(room.key)) return room;
  throw new Refusal('INVALID_TARGET', [target], 'Messages could not be retrieved');
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

/** What the messages of some posts are, oldest first: a post of several lines is several messages. */
type Past = ReadonlyArray<readonly Said[]>;

async function pastOf(
  irc: Irc,
  room: Room,
  name: string,
  [first = '*', second = '*']: readonly Selector[],
  limit: number,
): Promise<Past> {
  if (name === 'AROUND' && first !== '*') return around(irc, room, first, limit);
  const range = await rangeOf(irc, room, name, first, second, limit);
  return fit(await read(irc, room, range), limit, range.isOldestFirst === true);
}

async function rangeOf(
  irc: Irc,
  room: Room,
  name: string,
  first: Selector,
  second: Selector,
  limit: number,
): Promise<HistoryRange> {
  if (name === 'BEFORE') return { limit, ...between('*', first) };
  if (name === 'AFTER') return { limit, ...between(first, '*'), isOldestFirst: true };
  if (name !== 'BETWEEN') return { limit, ...between(first, '*') };
  if (await isLater(irc, room, first, second)) return { limit, ...between(second, first) };
  return { limit, ...between(first, second), isOldestFirst: true };
}

function between(after: Selector, before: Selector): Pick<HistoryRange, 'after' | 'before'> {
  return { ...(after !== '*' && { after }), ...(before !== '*' && { before }) };
}

async function isLater(irc: Irc, room: Room, first: Selector, second: Selector): Promise<boolean> {
  if (first === '*' || second === '*') return false;
  if ('id' in first && 'id' in second) return first.id > second.id;
  const [one, other] = [await momentOf(irc, room, first), await momentOf(irc, room, second)];
  return one > other;
}

/** A message that is not there any more counts as the oldest. */
async function momentOf(irc: Irc, room: Room, bound: Bound): Promise<number> {
  if ('at' in bound) return bound.at;
  const [post] = await irc.house.history(room, { limit: 1, after: { id: bound.id - 1 }, isOldestFirst: true });
  return post?.at ?? 0;
}

/** As many before it as from it on, as far as there are. */
async function around(irc: Irc, room: Room, middle: Bound, limit: number): Promise<Past> {
  const from = 'id' in middle ? { id: middle.id - 1 } : { at: middle.at - 1 };
  const older = await read(irc, room, { limit, before: middle });
  const newer = await read(irc, room, { limit, after: from, isOldestFirst: true });
  const second = fit(newer, limit - Math.min(Math.floor(limit / 2), older.flat().length), true);
  return [...fit(older, limit - second.flat().length, false), ...second];
}

async function read(irc: Irc, room: Room, range: HistoryRange): Promise<Past> {
  return (await irc.house.history(room, range)).map((post) => messagesOf(irc, room, post));
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

/** `note` stands before the text. */
function messagesOf(irc: Irc, room: Room, post: Post, note = ''): Said[] {
  const { id, who, at, notice, tags } = post;
  return messagesIn({
    by: irc.saidBy(who, at),
    command: notice ? 'NOTICE' : 'PRIVMSG',
    target: irc.names.channelOf(room),
    text: post.text.startsWith(ME) ? ME + note + post.text.slice(ME.length) : note + post.text,
    isFromIrc: who.dialect === 'irc',
    msgid: irc.msgidOf(id),
    client: tags,
  });
}

function tellBatch(session: IrcSession, target: string, past: Past): void {
  session.out.batch('chathistory', [target], () => {
    for (const said of past.flat()) session.tell(said);
  });
}

// --- which channels ----------------------------------------------------------------------------------------

async function tellTargets(session: IrcSession, params: readonly string[]): Promise<void> {
  const [from = '', to = '', most] = params;
  if (params.length !== 3) throw new Refusal('INVALID_PARAMS', [], 'Wrong number of parameters');
  const limit = readLimit(most);
  const [first, second] = [timeIn(from), timeIn(to)];
  if (first === undefined || second === undefined) throw new Refusal('INVALID_PARAMS', [], 'Invalid timestamp');
  const isForward = first <= second;
  const [after, before] = isForward ? [first, second] : [second, first];
  const rooms = [...memberOf(session).rooms.values()];
  const last = await session.irc.house.lastPosts(rooms, { after: { at: after }, before: { at: before } });
  if (session.isGone) return;
  const found = rooms.flatMap((room) => ({ room, at: last.get(room.key) ?? Number.NaN })).filter(({ at }) => at >= 0);
  found.sort((one, other) => one.at - other.at);
  tellChannels(session, isForward ? found.slice(0, limit) : found.slice(-limit));
}

function tellChannels(session: IrcSession, found: ReadonlyArray<{ readonly room: Room; readonly at: number }>): void {
  const { irc, out } = session;
  out.batch('draft/chathistory-targets', [], () => {
    for (const { room, at } of found) {
      const params = ['TARGETS', irc.names.channelOf(room), timeOf(at)];
      out.send({ source: irc.serverName, command: 'CHATHISTORY', params });
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
  const past = those.map((post) => messagesOf(irc, room, post, caps.has('server-time') ? '' : clockOf(post.at)));
  tellBatch(session, irc.names.channelOf(room), fit(past, limit, false));
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
