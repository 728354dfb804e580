// Layer 3. What was said in private, for CHATHISTORY: each account is told its own side of a talk, under the other's
// nick or account. Who is not logged in is told nothing, whatever nick they wear.

import type { KeptWhisper } from './events.ts';
import type { Irc } from './irc.ts';
import type { Place, Target } from './irc-history.ts';
import { messagesOf } from './irc-lines.ts';
import { foldIrc, spellNick } from './irc-masks.ts';
import type { IrcSession } from './irc-session.ts';
import { nameKey } from './names.ts';
import type { HistoryRange, TalksRange } from './store.ts';

/** Of what a name has that can't be spelled, this is left. */
const REPLACED = '_';

export function talkOf(session: IrcSession, target: string): Place {
  const { irc, login } = session;
  const told = ({ to, ...kept }: KeptWhisper) => messagesOf(irc, spellNick(to.name), kept);
  const past = async (range: HistoryRange) => {
    if (!login) return [];
    return (await irc.house.whispers(login.key, await endOf(irc, login.key, target), range)).map(told);
  };
  return { shown: target, past };
}

export async function talksOf({ irc, login }: IrcSession, range: TalksRange): Promise<Target[]> {
  const talks = login ? await irc.house.talks(login.key, range) : [];
  return talks.map(({ name, at }) => ({ shown: spellNick(name), at }));
}

/** Under what talks with that one are told: the account of who is there, or the nick. */
export function spelledEnd(irc: Irc, nick: string): string {
  const person = irc.names.personOf(nick);
  return person ? spellNick(person.account ?? person.name) : nick;
}

/** The key of the account or name that is meant. */
async function endOf({ house, names }: Irc, account: string, nick: string): Promise<string> {
  const person = names.personOf(nick);
  if (person) return nameKey(person.account ?? person.name);
  if (!nick.includes(REPLACED)) return nameKey(nick);
  // who has gone may have had a name that is spelled so
  const talks = await house.talks(account);
  const name = talks.findLast((talk) => foldIrc(spellNick(talk.name)) === foldIrc(nick))?.name;
  return nameKey(name ?? nick);
}
