// Layer 1. What stands behind `ban`: who, and for how long. What could be a slip of the pen is refused, for it would be
// a ban of a name for good that looks like something else. Pure.

import { parseCidr } from './cidr.ts';
import { CommandError } from './console-error.ts';

/** `minutes` undefined: for good. */
export interface BanOrder {
  readonly what: string;
  readonly minutes: number | undefined;
}

const UNIT_MINUTES: Readonly<Record<string, number>> = { '': 1, m: 1, h: 60, d: 24 * 60 };
const MAX_MINUTES = 366 * 24 * 60;
const DURATION = /^(\d+)([mhd]?)$/i;
/** Numbers with dots, two colons or more, brackets, and what ends in a length. */
const LIKE_AN_ADDRESS = /^\d+\.\d|^\[|:.*:|\/\d*$/;

/** Throws CommandError. */
export function readBan(text: string): BanOrder {
  const order = text.trim();
  const [first = '', ...rest] = order.split(/\s+/);
  if (order.startsWith('"')) return readQuoted(order);
  if (parseCidr(first)) return { what: first, minutes: minutesOf(rest) };
  if (LIKE_AN_ADDRESS.test(first)) {
    throw new CommandError(`${first} is no address and no network; a name that looks like one stands in quotes`);
  }
  return readName(order);
}

function readQuoted(order: string): BanOrder {
  const [, quoted, rest = ''] = /^"([^"]*)"(?:\s+(.*))?$/s.exec(order) ?? [];
  if (quoted === undefined) throw new CommandError(`quotes stand around the whole name, not so: ${order}`);
  if (quoted.trim() === '') throw nobody();
  // a shell may have put address and time together
  const [first = '', ...more] = quoted.trim().split(/\s+/);
  if (parseCidr(first) && more.length > 0) throw new CommandError(`an address stands without quotes: ban ${first} 1h`);
  return { what: quoted.trim(), minutes: minutesOf(rest.split(/\s+/).filter((word) => word !== '')) };
}

/** Without quotes it is clear only as one word, or with a time behind it. */
function readName(order: string): BanOrder {
  const [, name = '', last = order] = /^(.*)\s(\S+)$/s.exec(order) ?? [];
  if (DURATION.test(last)) {
    if (name === '') throw nobody();
    return { what: name.trim(), minutes: minutesOf([last]) };
  }
  if (name !== '' || /^\d/.test(last)) {
    throw new CommandError(`is that a name? then it stands in quotes: ban "${order}"; a time is like 10, 10m, 1h, 2d`);
  }
  if (order === '') throw nobody();
  return { what: order, minutes: undefined };
}

function minutesOf(words: readonly string[]): number | undefined {
  const [word, ...more] = words;
  if (word === undefined) return undefined;
  const [, digits, unit = ''] = DURATION.exec(word) ?? [];
  if (digits === undefined || more.length > 0) {
    throw new CommandError(`for how long? ${words.join(' ')} is no time like 10 (minutes), 10m, 1h, 2d`);
  }
  const minutes = Number(digits) * (UNIT_MINUTES[unit.toLowerCase()] ?? 1);
  if (minutes >= 1 && minutes <= MAX_MINUTES) return minutes;
  throw new CommandError(`a ban is for 1 to ${MAX_MINUTES} minutes, or for good`);
}

function nobody(): CommandError {
  return new CommandError(
    'who is to be banned? a name, an address or a network; then a time like 10m, 1h, 2d, if not for good',
  );
}
