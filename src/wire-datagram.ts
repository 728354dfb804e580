// Layer 1. The datagrams of `datagram`, both directions, pure: each is one Python dictionary literal with a `type`.
// Tuples and lists are taken for each other; what is not asked for is not looked at.
//
// Unpaired surrogates: in a text that has come they are U+FFFD, since a Python program dies when it prints one;
// in a name they stay, so that it is refused, not mistaken for another.

import { ProtocolError, protocolError } from './errors.ts';
import { Fields, FLAG, type Kind, malformed, typeName } from './json-frames.ts';
import {
  decodeLiteral,
  type Literal,
  literalPieceEnd,
  MAX_CODE_POINT_BYTES,
  printLiteral,
  Tuple,
} from './python-literal.ts';
import { encodeText } from './wire.ts';

/** A classic program reads no more of a datagram, and goes deaf on one that is cut. */
export const MAX_CLASSIC_BYTES = 2048;
/** What we send to one of our own. */
export const MAX_OUR_BYTES = 60_000;
/** There are no longer ones. */
export const MAX_UDP_BYTES = 65_507;
const MAX_NAME_CHARS = 256;
const MAX_TIME_CHARS = 32;
const MAX_PORT = 65_535;
const OURS = 'parley';
const SEPARATOR_BYTES = 2;
const QUOTES_BYTES = 2;

/** A row of the table, under its name. */
export interface TableRow {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly online: boolean;
}

export interface OfflineMessage {
  /** Undefined for a receipt. */
  readonly from: string | undefined;
  /** `HH:MM:SS` */
  readonly time: string;
  readonly text: string;
  readonly isGroup: boolean;
}

export type DatagramMessage =
  /** `isOurs`: the third member of `message` says 'parley'. */
  | { readonly kind: 'freg'; readonly name: string; readonly port: number; readonly isOurs: boolean }
  | { readonly kind: 'dereg'; readonly name: string }
  | { readonly kind: 'reg'; readonly name: string }
  | { readonly kind: 'group'; readonly name: string; readonly text: string }
  | {
      readonly kind: 'to_offline';
      readonly time: string;
      readonly to: string;
      readonly from: string;
      readonly text: string;
    }
  | { readonly kind: 'ack'; readonly from: string }
  | { readonly kind: 'status_confirm'; readonly from: string }
  | { readonly kind: 'conf_reg'; readonly table: readonly TableRow[] }
  | { readonly kind: 'no_reg' }
  | { readonly kind: 'table_update'; readonly table: readonly TableRow[] }
  /** `from` undefined: from the server. */
  | { readonly kind: 'msg'; readonly from: string | undefined; readonly text: string }
  | { readonly kind: 'offline_messages'; readonly messages: readonly OfflineMessage[] }
  | { readonly kind: 'status_check' }
  | { readonly kind: 'error'; readonly text: string };

// --- fields -----------------------------------------------------------------------------------------------

const TEXT: Kind<string> = {
  what: 'text',
  read: (value) => (typeof value === 'string' ? value.toWellFormed() : undefined),
};
const TIME: Kind<string> = {
  what: 'a time',
  read: (value) => (isShort(value, MAX_TIME_CHARS) ? value.toWellFormed() : undefined),
};
const NAME: Kind<string> = {
  what: `a name of at most ${MAX_NAME_CHARS} characters`,
  read: (value) => (isShort(value, MAX_NAME_CHARS) ? value : undefined),
};
const NAME_OR_NONE: Kind<string | null> = {
  what: `None or ${NAME.what}`,
  read: (value) => (value === null ? null : NAME.read(value)),
};
const PORT: Kind<number> = {
  what: `a port of 1 to ${MAX_PORT}`,
  read: (value) => {
    const port = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value;
    return typeof port === 'number' && port >= 1 && port <= MAX_PORT ? port : undefined;
  },
};
const REGISTRATION: Kind<DatagramMessage> = { what: '(name, port)', read: readRegistration };
const TABLE: Kind<TableRow[]> = {
  what: 'a dict of names and (name, ip, port, online)',
  read: (value) => (value instanceof Map ? every(value, readRow) : undefined),
};
const OFFLINE: Kind<OfflineMessage[]> = {
  what: 'a list of [name, time, text, is_group]',
  read: (value) => every(itemsOf(value), readOffline),
};

/** Characters are counted as Python does. */
function isShort(value: unknown, maxChars: number): value is string {
  if (typeof value !== 'string' || value.length > 2 * maxChars) return false;
  return value.length <= maxChars || [...value].length <= maxChars;
}

function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (value instanceof Tuple) return value.items;
  return Array.isArray(value) ? value : undefined;
}

/** Undefined if one of them is. */
function every<T, U>(all: Iterable<T> | undefined, read: (one: T) => U | undefined): U[] | undefined {
  const found: U[] = [];
  for (const one of all ?? []) {
    const value = read(one);
    if (value === undefined) return undefined;
    found.push(value);
  }
  return all && found;
}

function readRegistration(value: unknown): DatagramMessage | undefined {
  const [first, second, third] = itemsOf(value) ?? [];
  const name = NAME.read(first);
  const port = PORT.read(second);
  if (name === undefined || port === undefined) return undefined;
  return { kind: 'freg', name, port, isOurs: third === OURS };
}

function readRow([key, row]: readonly [unknown, unknown]): TableRow | undefined {
  const [first, second, third, fourth] = itemsOf(row) ?? [];
  const name = NAME.read(first);
  const ip = NAME.read(second);
  const port = PORT.read(third);
  const online = FLAG.read(fourth);
  if (name === undefined || ip === undefined || port === undefined || online === undefined) return undefined;
  return name === key ? { name, ip, port, online } : undefined;
}

function readOffline(entry: unknown): OfflineMessage | undefined {
  const [first, second, third, fourth] = itemsOf(entry) ?? [];
  const from = NAME_OR_NONE.read(first);
  const time = TIME.read(second);
  const text = TEXT.read(third);
  const isGroup = FLAG.read(fourth);
  if (from === undefined || time === undefined || text === undefined || isGroup === undefined) return undefined;
  return { from: from ?? undefined, time, text, isGroup };
}

// --- reading ----------------------------------------------------------------------------------------------

const TYPES: ReadonlyMap<string, (fields: Fields) => DatagramMessage> = new Map([
  ['freg', (fields): DatagramMessage => fields.need('message', REGISTRATION)],
  ['dereg', (fields): DatagramMessage => ({ kind: 'dereg', name: fields.need('name', NAME) })],
  ['reg', (fields): DatagramMessage => ({ kind: 'reg', name: fields.need('name', NAME) })],
  ['GC', readGroup],
  ['to_offline', readToOffline],
  ['ack', (fields): DatagramMessage => ({ kind: 'ack', from: fields.need('from', NAME) })],
  ['status_confirm', (fields): DatagramMessage => ({ kind: 'status_confirm', from: fields.need('from', NAME) })],
  ['conf_reg', (fields): DatagramMessage => ({ kind: 'conf_reg', table: fields.need('table', TABLE) })],
  ['no_reg', (): DatagramMessage => ({ kind: 'no_reg' })],
  ['table_update', (fields): DatagramMessage => ({ kind: 'table_update', table: fields.need('table', TABLE) })],
  ['msg', readMsg],
  ['offline_messages', readOfflineMessages],
  ['status_check', (): DatagramMessage => ({ kind: 'status_check' })],
  ['error', (fields): DatagramMessage => ({ kind: 'error', text: fields.need('message', TEXT) })],
]);

/** A ProtocolError for what is no such literal, has no known `type` or lacks a field. */
export function decodeDatagram(bytes: Uint8Array): DatagramMessage {
  if (bytes.length > MAX_UDP_BYTES) throw new ProtocolError('too-long', `a datagram of ${bytes.length} bytes`);
  const value = decodeLiteral(bytes);
  if (!(value instanceof Map)) throw malformed('a dict was due');
  const type: unknown = value.get('type');
  if (typeof type !== 'string') throw malformed('a dict without a type');
  const read = TYPES.get(type);
  if (!read) throw malformed(`${typeName(type.slice(0, 12))} is not a type`);
  return read(new Fields(type, Object.fromEntries([...value].filter(([key]) => typeof key === 'string'))));
}

/** Undefined for what is no message: it is not answered, for its sender may be forged. */
export function readDatagram(bytes: Uint8Array): DatagramMessage | undefined {
  try {
    return decodeDatagram(bytes);
  } catch (error) {
    protocolError(error);
    return undefined;
  }
}

function readGroup(fields: Fields): DatagramMessage {
  return { kind: 'group', name: fields.need('name', NAME), text: fields.need('message', TEXT) };
}

function readToOffline(fields: Fields): DatagramMessage {
  return {
    kind: 'to_offline',
    time: fields.need('timestamp', TIME),
    to: fields.need('name_to', NAME),
    from: fields.need('name_from', NAME),
    text: fields.need('message', TEXT),
  };
}

function readMsg(fields: Fields): DatagramMessage {
  const from = fields.may('name_from', NAME_OR_NONE) ?? undefined;
  return { kind: 'msg', from, text: fields.need('msg', TEXT) };
}

function readOfflineMessages(fields: Fields): DatagramMessage {
  return { kind: 'offline_messages', messages: fields.need('offline_messages', OFFLINE) };
}

/** `HH:MM:SS`, local time. */
export function clockTime(at: number): string {
  return new Date(at).toTimeString().slice(0, 8);
}

// --- writing ----------------------------------------------------------------------------------------------

/** A RangeError if no datagram can hold it. */
export function encodeDatagram(message: DatagramMessage): Uint8Array {
  // it may be kept, to be sent again
  const bytes = new TextEncoder().encode(printLiteral(fieldsOf(message)));
  if (bytes.length > MAX_UDP_BYTES) throw new RangeError(`${message.kind}: no datagram holds ${bytes.length} bytes`);
  return bytes;
}

function fieldsOf(message: DatagramMessage): Literal {
  switch (message.kind) {
    case 'freg': {
      const { name, port, isOurs } = message;
      return dict({ type: 'freg', message: isOurs ? new Tuple([name, port, OURS]) : new Tuple([name, port]) });
    }
    case 'dereg':
    case 'reg':
      return dict({ type: message.kind, name: message.name });
    case 'group':
      return dict({ type: 'GC', message: message.text, name: message.name });
    case 'to_offline': {
      const { time, to, from, text } = message;
      return dict({ timestamp: time, type: 'to_offline', name_to: to, name_from: from, message: text });
    }
    case 'ack':
    case 'status_confirm':
      return dict({ type: message.kind, from: message.from });
    case 'conf_reg':
    case 'table_update':
      return dict({ type: message.kind, table: tableOf(message.table) });
    case 'no_reg':
    case 'status_check':
      return dict({ type: message.kind });
    case 'msg':
      return dict({ type: 'msg', msg: message.text, name_from: message.from ?? null });
    case 'offline_messages':
      return dict({ type: 'offline_messages', offline_messages: message.messages.map(entryOf) });
    case 'error':
      return dict({ type: 'error', message: message.text });
  }
}

function dict(fields: Readonly<Record<string, Literal>>): Literal {
  return new Map(Object.entries(fields));
}

/** As Python prints it. */
export function tableText(rows: readonly TableRow[]): string {
  return printLiteral(tableOf(rows));
}

function tableOf(rows: readonly TableRow[]): Literal {
  return new Map(rows.map(({ name, ip, port, online }) => [name, new Tuple([name, ip, port, online])]));
}

function entryOf({ from, time, text, isGroup }: OfflineMessage): Literal {
  return [from ?? null, time, text, isGroup];
}

// --- what fits --------------------------------------------------------------------------------------------

function literalBytes(value: Literal): number {
  return encodeText(printLiteral(value)).length;
}

/**
 * The rows that fit into a `type` datagram of so many bytes: online ones first, then in the order given; one that
 * is too long makes room for a shorter one behind it. In table order.
 */
export function tableThatFits(
  kind: 'conf_reg' | 'table_update',
  rows: readonly TableRow[],
  maxBytes: number,
): TableRow[] {
  const shortest = literalBytes(tableOf([{ name: '', ip: '', port: 1, online: true }]));
  let room = maxBytes - literalBytes(fieldsOf({ kind, table: [] })) + SEPARATOR_BYTES;
  const fit = new Set<TableRow>();
  for (const row of [...rows.filter(({ online }) => online), ...rows.filter(({ online }) => !online)]) {
    if (room < shortest) break;
    if (room < shortest + 2 * row.name.length + row.ip.length) continue;
    // braces around it, or a separator: it is the same
    const bytes = literalBytes(tableOf([row]));
    if (bytes > room) continue;
    room -= bytes;
    fit.add(row);
  }
  return rows.filter((row) => fit.has(row));
}

/**
 * The message as several (`msg`, `group`) of at most so many bytes each, cut between characters. A RangeError if the
 * name leaves no room.
 */
export function splitMessage(
  message: DatagramMessage & { kind: 'msg' | 'group' },
  maxBytes: number,
): DatagramMessage[] {
  const room = maxBytes - literalBytes(fieldsOf({ ...message, text: '' }));
  return splitText(message.text, room).map((text) => ({ ...message, text }));
}

/**
 * As many datagrams as needed for these, one at least; a text that fits in none is split. A RangeError if its name
 * leaves no room.
 */
export function splitOffline(messages: readonly OfflineMessage[], maxBytes: number): DatagramMessage[] {
  const most = maxBytes - literalBytes(fieldsOf({ kind: 'offline_messages', messages: [] })) + SEPARATOR_BYTES;
  const parts: OfflineMessage[][] = [[]];
  let room = most;
  for (const entry of messages.flatMap((message) => splitEntry(message, most))) {
    const bytes = entryBytes(entry);
    if (bytes > room) {
      parts.push([]);
      room = most;
    }
    room -= bytes;
    parts.at(-1)?.push(entry);
  }
  return parts.map((part) => ({ kind: 'offline_messages', messages: part }));
}

function splitEntry(entry: OfflineMessage, maxBytes: number): OfflineMessage[] {
  const room = maxBytes - entryBytes({ ...entry, text: '' });
  return splitText(entry.text, room).map((text) => ({ ...entry, text }));
}

function entryBytes(entry: OfflineMessage): number {
  return literalBytes(entryOf(entry)) + SEPARATOR_BYTES;
}

/** Pieces that take at most `room` bytes between their quotes. */
function splitText(text: string, room: number): string[] {
  const isWhole = literalPieceEnd(text, 0, room) === text.length;
  if (isWhole && literalBytes(text) <= QUOTES_BYTES + room) return [text];
  if (room < MAX_CODE_POINT_BYTES) throw new RangeError('the names leave no room for a text');
  const pieces: string[] = [];
  for (let from = 0; from < text.length; ) {
    const end = literalPieceEnd(text, from, room);
    pieces.push(text.slice(from, end));
    from = end;
  }
  return pieces;
}
