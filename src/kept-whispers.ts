// Layer 2. Whispers as they go to the store and come back, and whose they are: whoever of the two is logged in to an
// account keeps what was said. Who has none keeps nothing, whatever becomes of the name. Pure.

import type { NewWhisper, TalkSide, WhisperRow } from './database-rows.ts';
import type { KeptWhisper, Person } from './events.ts';
import { nameKey } from './names.ts';
import { type Extra, extraOf } from './post-columns.ts';

type End = Pick<Person, 'name' | 'account'>;

/** One of them has an account. */
export function isForKeeping(who: End, to: End): boolean {
  return who.account !== undefined || to.account !== undefined;
}

export function newWhisper(whisper: KeptWhisper): NewWhisper {
  const { id, who, to, at, text } = whisper;
  const extra = extraOf(whisper);
  const row = { id, at, name: who.name, target: to.name, dialect: who.dialect, text };
  return { ...row, ...(extra !== null && { extra }), sides: sidesOf(who, to) };
}

export function whisperOf({ id, at, name, target, dialect, text, extra }: WhisperRow): KeptWhisper {
  const { account, ...more }: Extra = extra === undefined ? {} : JSON.parse(extra);
  const who: Person = { id: '', name, nick: name, dialect, ...(account !== undefined && { account }) };
  return { id, who, to: { name: target }, at, text, ...more };
}

/** How many characters wait with it. */
export function charsOf({ text, extra = '', sides }: NewWhisper): number {
  return sides.length * (text.length + extra.length);
}

function sidesOf(who: End, to: End): TalkSide[] {
  const sides: TalkSide[] = [];
  if (who.account !== undefined) sides.push(sideOf(who.account, to, true));
  // who talks to themselves keeps it once
  const isOther = to.account !== undefined && nameKey(to.account) !== sides[0]?.owner;
  if (to.account !== undefined && isOther) sides.push(sideOf(to.account, who, false));
  return sides;
}

function sideOf(account: string, other: End, isOwn: boolean): TalkSide {
  const name = other.account ?? other.name;
  return { owner: nameKey(account), other: nameKey(name), name, isOwn };
}
