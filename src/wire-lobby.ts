// Layer 1. The frames of `lobby`, both directions, pure: a type of four letters, the size of what follows in
// four digits, a JSON object. Written as Python's json.dumps writes it (ASCII only), read as any UTF-8 JSON.

import { protocolError } from './errors.ts';
import {
  encodeFrame,
  type Fields,
  FLAG,
  type Frame,
  FrameReader,
  given,
  HEAD_BYTES,
  type Kind,
  LIST,
  listOf,
  MAX_PAYLOAD_BYTES,
  malformed,
  readFields,
  readObject,
  TEXT,
  TYPE_BYTES,
  typeName,
  WHOLE,
} from './json-frames.ts';
import { type Json, jsonPieceEnd, pythonJson, shortened } from './python-json.ts';
import { type Decoder, latin1Text } from './wire.ts';

export { MAX_PAYLOAD_BYTES };

/** A classic client reads no more of a datagram. */
export const MAX_DATAGRAM_BYTES = 1024;
export const MAX_FRAME_BYTES = HEAD_BYTES + MAX_PAYLOAD_BYTES;
/** Of what is said of a room, in a list: so there is always room for one at least. */
const MAX_ABOUT_BYTES = 4096;
const MAX_PORT = 65_535;
/** The longest that there is, `, "next": ` and a number of 16 digits. */
const MAX_NEXT_BYTES = 26;
const SEPARATOR_BYTES = 2;
const QUOTES_BYTES = 2;
const MAX_CODE_POINT_BYTES = 12;

export interface Chat {
  readonly creator: string;
  readonly room: string;
  readonly contents: string;
  /** `HH:MM:SS, MM/DD/YYYY` of its sender's clock. */
  readonly datetime: string;
  /** Its number in the house; told to Parley's own client, where it asks for history. */
  readonly id?: number;
}

/** What a client says. What a classic client can't say is marked `ours`. */
export type LobbyRequest =
  | { readonly kind: 'register'; readonly name: string; readonly password: string }
  | { readonly kind: 'login'; readonly name: string; readonly password: string }
  | { readonly kind: 'logout'; readonly name: string }
  /** Ours: `all`, beginning with the room number `skip`. */
  | { readonly kind: 'list'; readonly all: boolean; readonly skip: number }
  /** Ours: `password`, `viaTcp`. */
  | { readonly kind: 'join'; readonly room: string; readonly password?: string; readonly viaTcp: boolean }
  /** Ours: `description`, `password`. */
  | { readonly kind: 'make'; readonly room: string; readonly description: string; readonly password?: string }
  | { readonly kind: 'delete'; readonly room: string; readonly owner: string }
  | { readonly kind: 'chat'; readonly chat: Chat }
  /** Ours: `count` chats, those before the number `before`; of this connection's room when none is named. */
  | { readonly kind: 'history'; readonly room?: string; readonly count: number; readonly before?: number }
  /** Ours. */
  | { readonly kind: 'search'; readonly words: string; readonly count: number }
  | LobbyFault;

/** A frame that could not be understood; reading goes on behind it. */
export interface LobbyFault {
  readonly kind: 'fault';
  readonly detail: string;
}

/** What the server says. */
export type LobbyReply =
  | { readonly kind: 'good'; readonly message: string }
  | { readonly kind: 'error'; readonly message: string }
  | RoomList
  | {
      readonly kind: 'door';
      readonly port: number;
      readonly group: string;
      readonly groupPort: number;
      readonly viaTcp: boolean;
    }
  | { readonly kind: 'previous'; readonly chats: readonly Chat[] }
  | { readonly kind: 'chat'; readonly chat: Chat };

export interface RoomList {
  readonly kind: 'rooms';
  readonly names: readonly string[];
  /** Ours, in answer to `all`: how many people are in each, what is said of it, and where the list goes on. */
  readonly more?: {
    readonly people: readonly number[];
    readonly about: readonly string[];
    readonly next?: number;
  };
}

const PORT: Kind<number> = {
  what: 'a port',
  read: (value) => (Number(WHOLE.read(value)) <= MAX_PORT ? WHOLE.read(value) : undefined),
};
const TCP: Kind<'tcp'> = { what: '"tcp"', read: (value) => (value === 'tcp' ? value : undefined) };
const TEXTS = listOf(TEXT, 'a list of texts');
const WHOLES = listOf(WHOLE, 'a list of whole numbers');

// --- from a client ----------------------------------------------------------------------------------------

const REQUESTS: ReadonlyMap<string, (fields: Fields) => LobbyRequest> = new Map([
  ['CUSR', (fields): LobbyRequest => ({ kind: 'register', ...credentials(fields) })],
  ['LGIN', (fields): LobbyRequest => ({ kind: 'login', ...credentials(fields) })],
  ['LOUT', (fields): LobbyRequest => ({ kind: 'logout', name: fields.need('username', TEXT) })],
  ['LTRQ', list],
  ['JOIN', join],
  ['ROOM', make],
  ['DELR', remove],
  ['CHAT', (fields): LobbyRequest => ({ kind: 'chat', chat: readChat(fields) })],
  ['HIST', history],
  ['FIND', search],
]);

export class LobbyRequestDecoder implements Decoder<LobbyRequest> {
  readonly #frames = new FrameReader();

  push(bytes: Uint8Array): void {
    this.#frames.push(bytes);
  }

  /** A client that leaves inside a frame has left. */
  end(): void {}

  next(): LobbyRequest | undefined {
    const frame = this.#frames.next();
    if (!frame) return undefined;
    try {
      return readRequest(frame);
    } catch (error) {
      return { kind: 'fault', detail: protocolError(error).message };
    }
  }
}

function readRequest(frame: Frame): LobbyRequest {
  const read = REQUESTS.get(frame.type);
  if (!read) throw malformed(`${typeName(frame.type)} is not a request`);
  return read(readFields(frame));
}

function credentials(fields: Fields): { name: string; password: string } {
  return { name: fields.need('username', TEXT), password: fields.need('password', TEXT) };
}

function list(fields: Fields): LobbyRequest {
  return { kind: 'list', all: fields.may('all', FLAG) ?? false, skip: fields.may('skip', WHOLE) ?? 0 };
}

function join(fields: Fields): LobbyRequest {
  const room = fields.need('room', TEXT);
  const password = fields.may('password', TEXT);
  return { kind: 'join', room, ...given({ password }), viaTcp: fields.may('via', TCP) !== undefined };
}

function make(fields: Fields): LobbyRequest {
  const room = fields.need('name', TEXT);
  const description = fields.may('description', TEXT) ?? '';
  return { kind: 'make', room, description, ...given({ password: fields.may('password', TEXT) }) };
}

function remove(fields: Fields): LobbyRequest {
  return { kind: 'delete', room: fields.need('name', TEXT), owner: fields.need('owner', TEXT) };
}

function history(fields: Fields): LobbyRequest {
  const count = fields.need('count', WHOLE);
  return {
    kind: 'history',
    ...given({ room: fields.may('room', TEXT) }),
    count,
    ...given({ before: fields.may('before', WHOLE) }),
  };
}

function search(fields: Fields): LobbyRequest {
  return { kind: 'search', words: fields.need('words', TEXT), count: fields.need('count', WHOLE) };
}

function readChat(fields: Fields): Chat {
  return {
    creator: fields.need('creator', TEXT),
    room: fields.need('room', TEXT),
    contents: fields.need('contents', TEXT),
    datetime: fields.need('datetime', TEXT),
  };
}

/** A RangeError if no frame can hold it. */
export function encodeRequest(request: Exclude<LobbyRequest, LobbyFault>): Uint8Array {
  const [type, fields] = requestFields(request);
  return encodeFrame(type, pythonJson(fields));
}

function requestFields(request: Exclude<LobbyRequest, LobbyFault>): [string, Json] {
  switch (request.kind) {
    case 'register':
      return ['CUSR', { username: request.name, password: request.password }];
    case 'login':
      return ['LGIN', { username: request.name, password: request.password }];
    case 'logout':
      return ['LOUT', { username: request.name }];
    case 'list':
      return ['LTRQ', request.all ? { all: true, skip: request.skip } : {}];
    case 'join':
      return ['JOIN', { room: request.room, password: request.password, via: request.viaTcp ? 'tcp' : undefined }];
    case 'make': {
      const { room, description, password } = request;
      return ['ROOM', { name: room, description: description === '' ? undefined : description, password }];
    }
    case 'delete':
      return ['DELR', { name: request.room, owner: request.owner }];
    case 'chat':
      return ['CHAT', chatFields({ ...request.chat, id: undefined })];
    case 'history':
      return ['HIST', { count: request.count, room: request.room, before: request.before }];
    case 'search':
      return ['FIND', { words: request.words, count: request.count }];
  }
}

function chatFields({ creator, room, contents, datetime, id }: Chat): Json {
  return { creator, room, contents, datetime, id };
}

// --- from the server --------------------------------------------------------------------------------------

const REPLIES: ReadonlyMap<string, (fields: Fields) => LobbyReply> = new Map([
  ['GOOD', (fields): LobbyReply => ({ kind: 'good', message: fields.need('message', TEXT) })],
  ['ERRO', (fields): LobbyReply => ({ kind: 'error', message: fields.need('message', TEXT) })],
  ['LTRS', rooms],
  ['CONN', door],
  ['PREV', previous],
  ['CHAT', (fields): LobbyReply => ({ kind: 'chat', chat: readNumbered(fields) })],
]);

/** Out of step with the server a client can't know what is an answer to what: anything unclear ends it. */
export class LobbyReplyDecoder implements Decoder<LobbyReply> {
  readonly #frames = new FrameReader();
  #ended = false;

  push(bytes: Uint8Array): void {
    this.#frames.push(bytes);
  }

  end(): void {
    this.#ended = true;
  }

  next(): LobbyReply | undefined {
    const frame = this.#frames.next();
    if (!frame && this.#ended && this.#frames.pending) this.#frames.fail(malformed('the last frame was cut off'));
    if (!frame) return undefined;
    try {
      return readReply(frame);
    } catch (error) {
      this.#frames.fail(protocolError(error));
    }
  }
}

/** The one frame of a datagram, or undefined when it is none. Its size is not looked at, as in classic programs. */
export function readDatagram(bytes: Uint8Array): LobbyReply | undefined {
  try {
    return readReply({ type: latin1Text(bytes.subarray(0, TYPE_BYTES)), payload: bytes.subarray(HEAD_BYTES) });
  } catch (error) {
    protocolError(error);
    return undefined;
  }
}

function readReply(frame: Frame): LobbyReply {
  const read = REPLIES.get(frame.type);
  if (!read) throw malformed(`${typeName(frame.type)} is not a reply`);
  return read(readFields(frame));
}

function rooms(fields: Fields): LobbyReply {
  const names = fields.need('rooms', TEXTS);
  const people = fields.extra('people', WHOLES);
  const about = fields.extra('about', TEXTS);
  if (people?.length !== names.length || about?.length !== names.length) return { kind: 'rooms', names };
  return { kind: 'rooms', names, more: { people, about, ...given({ next: fields.extra('next', WHOLE) }) } };
}

function door(fields: Fields): LobbyReply {
  return {
    kind: 'door',
    port: fields.need('TCPport', PORT),
    group: fields.need('GRP', TEXT),
    groupPort: fields.need('MCport', PORT),
    viaTcp: fields.extra('via', TCP) !== undefined,
  };
}

function previous(fields: Fields): LobbyReply {
  const chats = fields.need('chats', LIST).map((chat) => readNumbered(readObject('PREV', chat)));
  return { kind: 'previous', chats };
}

function readNumbered(fields: Fields): Chat {
  return { ...readChat(fields), ...given({ id: fields.extra('id', WHOLE) }) };
}

/**
 * Never more than a frame can hold: a message is cut short, of previous chats the oldest are left out, of rooms
 * the last. A chat by itself must have been split.
 */
export function encodeReply(reply: LobbyReply): Uint8Array {
  switch (reply.kind) {
    case 'good':
      return encodeFrame('GOOD', messageJson(reply.message));
    case 'error':
      return encodeFrame('ERRO', messageJson(reply.message));
    case 'rooms':
      return encodeFrame('LTRS', roomsJson(reply));
    case 'door': {
      const { port, group, groupPort, viaTcp } = reply;
      const fields = { TCPport: port, GRP: group, MCport: groupPort, via: viaTcp ? 'tcp' : undefined };
      return encodeFrame('CONN', pythonJson(fields));
    }
    case 'previous':
      return encodeFrame('PREV', previousJson(reply.chats));
    case 'chat':
      return encodeFrame('CHAT', pythonJson(chatFields(reply.chat)));
  }
}

function messageJson(message: string): string {
  const room = MAX_PAYLOAD_BYTES - pythonJson({ message: '' }).length;
  return pythonJson({ message: shortened(message, room) });
}

function previousJson(chats: readonly Chat[]): string {
  const newest: string[] = [];
  let bytes = pythonJson({ chats: [] }).length;
  for (const chat of chats.toReversed()) {
    const json = pythonJson(chatFields(chat));
    bytes += json.length + (newest.length > 0 ? SEPARATOR_BYTES : 0);
    if (bytes > MAX_PAYLOAD_BYTES) break;
    newest.push(json);
  }
  return `{"chats": [${newest.reverse().join(', ')}]}`;
}

/** Where some don't go into the frame, the list goes on at `next`, or behind those that do. */
function roomsJson(list: RoomList): string {
  const count = roomsThatFit(list);
  return pythonJson(roomFields(list, 0, count, list.more?.next ?? (count < list.names.length ? count : undefined)));
}

/** How many of a list’s rooms go into one frame, together with whatever `next` is then due. */
export function roomsThatFit(list: RoomList): number {
  const { names, more } = list;
  const lengthOf = (from: number, to: number, next?: number): number =>
    pythonJson(roomFields(list, from, to, next)).length;
  const empty = lengthOf(0, 0);
  const ownNext = lengthOf(0, 0, more?.next) - empty;
  const anyNext = more ? MAX_NEXT_BYTES : 0;
  const between = SEPARATOR_BYTES * (more ? 3 : 1);
  let fit = 0;
  let bytes = empty - between;
  for (let at = 0; at < names.length; at++) {
    bytes += between + lengthOf(at, at + 1) - empty;
    if (bytes + ownNext > MAX_PAYLOAD_BYTES) return fit;
    if (bytes + anyNext <= MAX_PAYLOAD_BYTES) fit = at + 1;
  }
  return names.length;
}

function roomFields({ names, more }: RoomList, from: number, to: number, next?: number): Json {
  if (!more) return { rooms: names.slice(from, to) };
  const about = more.about.slice(from, to).map((text) => shortened(text, MAX_ABOUT_BYTES));
  return { rooms: names.slice(from, to), people: more.people.slice(from, to), about, next };
}

// --- chats ------------------------------------------------------------------------------------------------

/** The chat as several, each of a frame of at most `maxFrameBytes`; contents are cut between characters. */
export function splitChat(chat: Chat, maxFrameBytes: number): Chat[] {
  const { contents } = chat;
  const around = HEAD_BYTES + pythonJson(chatFields({ ...chat, contents: '' })).length;
  const room = Math.min(maxFrameBytes, MAX_FRAME_BYTES) - around;
  if (pythonJson(contents).length - QUOTES_BYTES <= room) return [chat];
  if (room < MAX_CODE_POINT_BYTES) throw new RangeError(`${maxFrameBytes} bytes leave no room for what a chat says`);
  const pieces: Chat[] = [];
  for (let from = 0; from < contents.length; ) {
    const end = jsonPieceEnd(contents, from, room);
    pieces.push({ ...chat, contents: contents.slice(from, end) });
    from = end;
  }
  return pieces;
}

/** `HH:MM:SS, MM/DD/YYYY`, local time. */
export function chatTime(at: number): string {
  const time = new Date(at);
  const two = (number: number): string => String(number).padStart(2, '0');
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
  const year = String(time.getFullYear()).padStart(4, '0');
  return `${clock}, ${two(time.getMonth() + 1)}/${two(time.getDate())}/${year}`;
}
