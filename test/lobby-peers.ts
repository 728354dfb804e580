// Who the tests of the lobby are about: people with classic programs, raw sockets of theirs. One request, one answer
// that they block for; a room's chats by multicast.

import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import * as assert from 'uvu/assert';
import { Client, Datagrams, limited, type Server } from './launch.ts';

/** A classic client reads no more of a datagram, and dies of what is cut. */
const MAX_DATAGRAM = 1024;
const PROBE_MS = 1000;
const PROBE = '224.3.29.70';

const sockets = new Set<dgram.Socket>();

type Test = (name: string, work: () => Promise<void>) => void;

/** As `limited`; sockets for multicast are closed too. */
export function lobbyTests(test: Test): ReturnType<typeof limited> {
  const limitedTest = limited(test);
  return (name, work, seconds) =>
    limitedTest(
      name,
      async () => {
        try {
          await work();
        } finally {
          for (const socket of sockets) socket.close();
          sockets.clear();
        }
      },
      seconds,
    );
}

// --- frames -----------------------------------------------------------------------------------------------

export interface Frame {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is looked at by the tests
  readonly data: any;
}

export interface Chat {
  readonly creator: string;
  readonly room: string;
  readonly contents: string;
  readonly datetime: string;
}

/** As Python's json.dumps writes it. */
export function dumps(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(dumps).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, field]) => `${dumps(key)}: ${dumps(field)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function frame(type: string, fields: unknown): string {
  return framed(type, dumps(fields));
}

/** A frame around whatever is said to be JSON. */
export function framed(type: string, json: string): string {
  return type + String(Buffer.byteLength(json)).padStart(4, '0') + json;
}

export function chatOf(contents: string, creator = '', room = ''): Chat {
  return { creator, room, contents, datetime: '22:22:54, 05/10/2023' };
}

export function good(message: string): string {
  return frame('GOOD', { message });
}

export function refused(message: string): string {
  return frame('ERRO', { message });
}

// --- connections ------------------------------------------------------------------------------------------

/** From another address of this machine, where `from` is given. It ends with the server at the latest. */
export async function connect(port: number, from?: string): Promise<Client> {
  if (from === undefined) return Client.connect(port);
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  return new Client(socket);
}

/** A connection to the lobby or to a room. */
export class Lobby {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  static async open(server: Server, from?: string): Promise<Lobby> {
    return new Lobby(await connect(server.tcp, from));
  }

  send(type: string, fields: unknown): void {
    this.client.send(frame(type, fields));
  }

  async next(ms?: number): Promise<Frame> {
    const head = await this.client.take(8, ms);
    assert.match(head, /^[A-Z]{4}\d{4}$/);
    const json = await this.client.take(Number(head.slice(4)), ms);
    assert.match(json, /^[\x20-\x7e]+$/);
    return { type: head.slice(0, 4), data: JSON.parse(json) };
  }

  ask(type: string, fields: unknown, ms?: number): Promise<Frame> {
    this.send(type, fields);
    return this.next(ms);
  }

  async good(type: string, fields: unknown, ms?: number): Promise<string> {
    const answer = await this.ask(type, fields, ms);
    assert.is(answer.type, 'GOOD', `${type} ${dumps(fields)}: ${answer.data.message}`);
    return answer.data.message;
  }

  async refused(type: string, fields: unknown, ms?: number): Promise<string> {
    const answer = await this.ask(type, fields, ms);
    assert.is(answer.type, 'ERRO', `${type} ${dumps(fields)}: ${dumps(answer.data)}`);
    return answer.data.message;
  }

  async rooms(): Promise<string[]> {
    return (await this.ask('LTRQ', {})).data.rooms;
  }

  /** Whose login it has. */
  async isLoggedIn(username: string): Promise<boolean> {
    const { type } = await this.ask('LOUT', { username });
    return type === 'GOOD';
  }

  async door(room: string, more: object = {}): Promise<{ TCPport: number; GRP: string; MCport: number }> {
    const { type, data } = await this.ask('JOIN', { room, ...more });
    assert.is(type, 'CONN', data.message);
    return data;
  }
}

/** Somebody in a room. */
export interface Member {
  readonly room: Lobby;
  readonly previous: Chat[];
  /** Classic ones hear the room by it. */
  readonly ears: Ears;
}

/** A connection through a door; the chats that it is shown first. */
export async function goThrough(port: number, from?: string): Promise<{ room: Lobby; previous: Chat[] }> {
  const room = new Lobby(await connect(port, from));
  const { type, data } = await room.next();
  assert.is(type, 'PREV', data.message);
  return { room, previous: data.chats };
}

/** As a classic client does: the lobby connection is closed, then the door, then the group. */
export async function enterClassic(lobby: Lobby, room: string): Promise<Member> {
  const { TCPport, GRP, MCport } = await lobby.door(room);
  lobby.client.halfClose();
  assert.is(await lobby.client.toEnd(), '');
  const those = await goThrough(TCPport);
  return { ...those, ears: await Ears.open(GRP, MCport, room) };
}

export async function enterTcp(lobby: Lobby, room: string, password?: string): Promise<Omit<Member, 'ears'>> {
  const { TCPport } = await lobby.door(room, { via: 'tcp', ...(password === undefined ? {} : { password }) });
  return goThrough(TCPport);
}

/** An account's lobby connection. */
export async function login(server: Server, username: string, password = `${username}'s password`): Promise<Lobby> {
  const lobby = await Lobby.open(server);
  await lobby.ask('CUSR', { username, password });
  await lobby.good('LGIN', { username, password });
  return lobby;
}

// --- multicast --------------------------------------------------------------------------------------------

/** A classic client's socket for multicast. Other servers of this machine use the same groups: their rooms are not heard. */
export class Ears {
  readonly #datagrams: Datagrams;
  readonly #room: string;

  static async open(group: string, port: number, room: string): Promise<Ears> {
    const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true, reusePort: true });
    sockets.add(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, '0.0.0.0', resolve);
    });
    socket.addMembership(group);
    return new Ears(new Datagrams(socket), room);
  }

  constructor(datagrams: Datagrams, room: string) {
    this.#datagrams = datagrams;
    this.#room = room;
  }

  /** The next frame of this room as it came. */
  async text(): Promise<string> {
    for (;;) {
      const text = await this.#datagrams.next();
      if (this.#isOurs(text)) return text;
    }
  }

  /** The next chat, which is a whole frame that a classic client survives. */
  async chat(): Promise<Chat> {
    const text = await this.text();
    assert.ok(text.length <= MAX_DATAGRAM, `a datagram has ${text.length} bytes`);
    assert.match(text, /^CHAT\d{4}[\x20-\x7e]+$/);
    assert.is(Number(text.slice(4, 8)), text.length - 8);
    return JSON.parse(text.slice(8));
  }

  async hears(creator: string, contents: string): Promise<void> {
    const chat = await this.chat();
    assert.equal([chat.creator, chat.contents], [creator, contents]);
  }

  /** What has come and was not looked at, of whatever room of this server. */
  rest(rooms: readonly string[] = [this.#room]): string[] {
    return this.#datagrams.rest().filter((text) => rooms.some((room) => text.includes(`"room": ${dumps(room)}`)));
  }

  #isOurs(text: string): boolean {
    return text.includes(`"room": ${dumps(this.#room)}`);
  }
}

/** Whether what is sent to a group here comes back; if not, why. */
export async function multicastTrouble(): Promise<string | undefined> {
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true });
  try {
    await new Promise<void>((resolve) => socket.bind(0, '0.0.0.0', resolve));
    socket.addMembership(PROBE);
    socket.setMulticastLoopback(true);
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve('what is sent does not come back'), PROBE_MS);
      const done = (trouble?: string) => {
        clearTimeout(timer);
        resolve(trouble);
      };
      socket.on('message', () => done());
      socket.send('probe', socket.address().port, PROBE, (error) => error && done(error.message));
    });
  } catch (error) {
    return (error as Error).message;
  } finally {
    socket.close();
  }
}
