// Layer 2. How much anybody may ask of the server: the table of limits with their defaults, and how an operator writes
// others down, in a file of lines `name = value` or as options. Pure.
//
// The defaults are such that nobody honest meets them: a pasted page of 2,000 lines, a class of 200 behind one address.

import type { Rate } from './bucket.ts';
import { type Cidr, formatCidr, isInCidr, parseCidr, parseIp } from './cidr.ts';

export interface Limits {
  /** Connections in all, and of one network. */
  readonly connections: number;
  readonly connectionsEach: number;
  /** New connections of one network. */
  readonly arrivals: Rate;
  /** What one connection sends, and all of one network together. */
  readonly messages: Rate;
  readonly messagesEach: Rate;
  readonly bytes: Rate;
  readonly bytesEach: Rate;
  /** People who come into the house, and rooms that are entered. */
  readonly logins: Rate;
  readonly loginsEach: Rate;
  readonly joins: Rate;
  readonly joinsEach: Rate;
  /** Bytes that one address and port, and one network, is answered by UDP besides three times what it has sent. */
  readonly answers: Rate;
  readonly answersEach: Rate;
  /** Who has been too fast for so long without a pause is put out. */
  readonly patienceMs: number;
  /** Who is not in the house and says nothing for so long is put out. */
  readonly idleMs: number;
  /** No limit is for these. */
  readonly trusted: readonly Cidr[];
}

type Kind = 'count' | 'rate' | 'seconds';
interface LimitRow {
  readonly name: string;
  readonly field: keyof Omit<Limits, 'trusted'>;
  readonly kind: Kind;
  readonly shownDefault: string;
  readonly about: string;
}

/** A new limit is a row here. */
export const LIMIT_ROWS: readonly LimitRow[] = [
  row('connections', 'connections', 'count', '10000', 'connections in all'),
  row('connections-each', 'connectionsEach', 'count', '1000', 'of one network'),
  row('arrivals-each', 'arrivals', 'rate', '1000+20/s', 'new connections of one network'),
  row('messages', 'messages', 'rate', '5000+50/s', 'messages of one connection'),
  row('messages-each', 'messagesEach', 'rate', '50000+1000/s', 'of one network'),
  row('bytes', 'bytes', 'rate', '4M+256K/s', 'bytes from one connection'),
  row('bytes-each', 'bytesEach', 'rate', '64M+8M/s', 'from one network'),
  row('logins', 'logins', 'rate', '150+1/s', 'people who come in on one connection'),
  row('logins-each', 'loginsEach', 'rate', '2000+20/s', 'from one network'),
  row('joins', 'joins', 'rate', '300+2/s', 'rooms entered on one connection'),
  row('joins-each', 'joinsEach', 'rate', '5000+50/s', 'from one network'),
  row('answers', 'answers', 'rate', '64K+32K/s', 'UDP bytes to one address and port, besides 3 times what it sent'),
  row('answers-each', 'answersEach', 'rate', '4M+1M/s', 'to one network, the same'),
  row('patience', 'patienceMs', 'seconds', '120', 'seconds of being too fast without a pause'),
  row('idle', 'idleMs', 'seconds', '3600', 'seconds of silence of who is not in the house'),
];

export const LOOPBACK: readonly Cidr[] = ['127.0.0.0/8', '::1'].map((text) => parseCidr(text) as Cidr);
const MAX_TRUSTED = 1000;
const MAX_NUMBER = 2 ** 50;
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** What is wrong with a limit, for the operator. */
export class LimitError extends Error {}

/** `trusted` and the limits by name, as they are written; later ones go before earlier ones. */
export interface Written {
  readonly limits: ReadonlyArray<readonly [name: string, value: string]>;
  /** Networks; `none` takes the loopback out, which is trusted otherwise. */
  readonly trusted: readonly string[];
}

export function readLimits(...written: readonly Written[]): Limits {
  const values = new Map<string, string>(LIMIT_ROWS.map(({ name, shownDefault }) => [name, shownDefault]));
  for (const { limits } of written) for (const [name, value] of limits) values.set(known(name), value);
  const fields = LIMIT_ROWS.map(({ name, field, kind }) => [field, limitOf(name, kind, values.get(name) ?? '')]);
  return { ...Object.fromEntries(fields), trusted: trustedOf(written.flatMap(({ trusted }) => trusted)) } as Limits;
}

/** Lines `name = value`; `#` begins a comment. */
export function parseLimitsFile(text: string): Written {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  const limits: Array<readonly [string, string]> = [];
  const trusted: string[] = [];
  for (const [at, line] of lines.entries()) {
    const [name, value] = named(line.replace(/#.*$/, ''), `line ${at + 1}`) ?? [];
    if (name === undefined || value === undefined) continue;
    if (name === 'trusted') trusted.push(...value.split(/[\s,]+/).filter((one) => one !== ''));
    else limits.push([name, value]);
  }
  return { limits, trusted };
}

/** Of an option: `messages=100+5/s`. */
export function parseLimit(text: string): readonly [name: string, value: string] {
  const found = named(text, text);
  if (!found || found[0] === 'trusted') throw new LimitError(`${text}: must be NAME=VALUE`);
  const { name, kind } = LIMIT_ROWS.find((one) => one.name === known(found[0])) as LimitRow;
  limitOf(name, kind, found[1]);
  return found;
}

export function isTrusted({ trusted }: Limits, ip: string): boolean {
  const bytes = parseIp(ip);
  return bytes !== undefined && trusted.some((cidr) => isInCidr(cidr, bytes));
}

/** As they can be written down. */
export function showLimits(limits: Limits): Array<readonly [name: string, value: string, about: string]> {
  const rows = LIMIT_ROWS.map(({ name, field, kind, about }) => [name, show(kind, limits[field]), about] as const);
  const trusted = limits.trusted.map(formatCidr).join(', ') || 'none';
  return [...rows, ['trusted', trusted, 'no limit is for these']];
}

function row(name: string, field: LimitRow['field'], kind: Kind, shownDefault: string, about: string): LimitRow {
  return { name, field, kind, shownDefault, about };
}

function named(text: string, where: string): readonly [name: string, value: string] | undefined {
  if (text.trim() === '') return undefined;
  const [, name, value] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/s.exec(text) ?? [];
  if (name === undefined || value === undefined || value === '') throw new LimitError(`${where}: must be NAME=VALUE`);
  return [name.toLowerCase(), value];
}

function known(name: string): string {
  if (LIMIT_ROWS.some((one) => one.name === name)) return name;
  throw new LimitError(`there is no limit ${name}: must be one of ${LIMIT_ROWS.map((one) => one.name).join(', ')}`);
}

function limitOf(name: string, kind: Kind, value: string): number | Rate {
  if (kind === 'rate') return rateOf(name, value);
  const number = value === 'off' ? Number.POSITIVE_INFINITY : numberOf(value);
  if (number === undefined) throw new LimitError(`${name} = ${value}: must be a number, or off`);
  return kind === 'seconds' ? number * 1000 : number;
}

function rateOf(name: string, value: string): Rate {
  if (value === 'off') return { burst: Number.POSITIVE_INFINITY, perSecond: Number.POSITIVE_INFINITY };
  const [, first = '', second = ''] = /^(\w+)\s*\+\s*(\w+)\s*\/\s*s$/.exec(value) ?? [];
  const [burst, perSecond] = [numberOf(first), numberOf(second)];
  if (burst === undefined || perSecond === undefined) {
    throw new LimitError(`${name} = ${value}: must be so much at once and then a second, like 5000+50/s, or off`);
  }
  return { burst, perSecond };
}

/** Nothing at all would be a server that nobody can use. */
function numberOf(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15})([KMG]?)$/i.exec(text) ?? [];
  const number = Number(digits) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  return number >= 1 && number <= MAX_NUMBER ? number : undefined;
}

function trustedOf(written: readonly string[]): Cidr[] {
  if (written.length > MAX_TRUSTED) throw new LimitError(`no more than ${MAX_TRUSTED} networks can be trusted`);
  const given = written.filter((one) => one !== 'none').map(trustedCidr);
  return written.includes('none') ? given : [...LOOPBACK, ...given];
}

export function trustedCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new LimitError(`trusted ${text}: must be a network like 10.0.0.0/8, an address, or none`);
  return cidr;
}

function show(kind: Kind, value: number | Rate): string {
  if (typeof value !== 'number') {
    const isOff = value.perSecond === Number.POSITIVE_INFINITY;
    return isOff ? 'off' : `${short(value.burst)}+${short(value.perSecond)}/s`;
  }
  if (value === Number.POSITIVE_INFINITY) return 'off';
  return kind === 'seconds' ? String(value / 1000) : short(value);
}

/** Whole units as such. */
function short(number: number): string {
  for (const unit of ['G', 'M', 'K']) {
    const size = UNITS[unit] ?? 1;
    if (number >= size && number % size === 0) return `${number / size}${unit}`;
  }
  return String(number);
}
