// Layer 5. `parley-client lobby`: the face of client-lobby.ts on its connections, multicast and screen. From our
// server a room is one more connection, and the one to the lobby stays. From a classic server it is a connection
// in the place of that one, and a multicast group that brings the chats.

import dgram from 'node:dgram';
import type { Socket } from 'node:net';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { type CommandLine, type Given, wholeNumber } from './arguments.ts';
import { type ClientRequest, type Door, LobbyFace } from './client-lobby.ts';
import { ProtocolError } from './errors.ts';
import { type Exit, Player } from './player.ts';
import { dial, explainTls, type Server } from './tls-client.ts';
import { readTls, TLS_OPTIONS } from './tls-options.ts';
import { chatTime, encodeRequest, type LobbyReply, LobbyReplyDecoder, readDatagram } from './wire-lobby.ts';

/** One's own chat is back by then, or will not come. */
const BACK_MS = 2000;
/** How soon a server that has vanished is noticed. */
const KEEP_ALIVE_MS = 30_000;
const HOST = 'localhost';
const PORT = '50000';
/** Several clients of one host share a port. Where the system has no such option, reuseAddr does it. */
const SHARED = { reuseAddr: true, reusePort: !['darwin', 'win32'].includes(process.platform) };

export const LOBBY_LINE: CommandLine = {
  name: 'parley-client',
  usage: 'lobby [host] [port]',
  about: 'Log in, list rooms and talk in them; type help for the commands',
  words: [
    { word: 'host', help: 'Where the server is', shownDefault: HOST },
    { word: 'port', help: 'Its port', shownDefault: PORT },
  ],
  options: [...TLS_OPTIONS],
  examples: ['parley-client lobby', 'parley-client lobby 10.0.0.5 5000'],
};

type Request = Parameters<typeof encodeRequest>[0];

export function openLobby(given: Given, _userName: string, exit: Exit): void {
  const [host = HOST, port = PORT] = given.words;
  new LobbyClient({ host, port: wholeNumber('PORT', port, 1, 65_535), tls: readTls(given) }, exit);
}

class LobbyClient {
  readonly #server: Server;
  readonly #exit: Exit;
  readonly #face = new LobbyFace(() => chatTime(Date.now()));
  /** From the first connection on. */
  #player: Player<ClientRequest> | undefined;
  #lobby: Link;
  #room: Link | undefined;
  #group: dgram.Socket | undefined;
  #back: ReturnType<typeof setTimeout> | undefined;

  constructor(server: Server, exit: Exit) {
    this.#server = server;
    this.#exit = exit;
    this.#lobby = this.#openLobby();
  }

  #openLobby(): Link {
    return new Link(this.#server, {
      opened: () => this.#start(),
      received: (reply) => this.#play(this.#face.received(reply)),
      closed: (error) => {
        const reason = error && explain(this.#server, error);
        if (this.#player) this.#play(this.#face.closed(reason));
        else this.#exit(1, reason ?? 'the server has closed the connection');
      },
    });
  }

  #start(): void {
    if (this.#player) return;
    const wire = { server: nameOf(this.#server), send: (request: ClientRequest) => this.#send(request) };
    this.#player = new Player<ClientRequest>(this.#face, wire, this.#exit);
    this.#play(this.#face.start());
  }

  #play(actions: Parameters<Player<ClientRequest>['play']>[0]): void {
    this.#player?.play(actions);
  }

  /** There is never more under way than one request. */
  #send(request: ClientRequest): boolean {
    switch (request.kind) {
      case 'ask':
        this.#request(this.#lobby, request.request, (reply) => this.#face.received(reply));
        return true;
      case 'tell':
        if (request.request.kind === 'chat') this.#expectBack();
        this.#request(this.#room, request.request, (reply) => this.#face.roomReceived(reply));
        return true;
      case 'enter':
        this.#enter(request.door);
        return true;
      case 'leave':
        this.#leave();
        return true;
    }
  }

  #request(
    link: Link | undefined,
    request: Request,
    answer: (reply: LobbyReply) => ReturnType<LobbyFace['line']>,
  ): void {
    try {
      link?.send(request);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      setImmediate(() => this.#play(answer({ kind: 'error', message: 'that is too long' })));
    }
  }

  #expectBack(): void {
    clearTimeout(this.#back);
    this.#back = setTimeout(() => this.#play(this.#face.overdue()), BACK_MS);
  }

  // --- rooms -----------------------------------------------------------------------------------------------

  /** At the address where the lobby was found: a door is for one address, and `localhost` has two. */
  #enter(door: Door): void {
    const { host, tls } = this.#server;
    const address = { host: this.#lobby.address ?? host, name: host, port: door.port, tls };
    if (door.viaTcp) return this.#openRoom(address);
    this.#lobby.close();
    // first the group: what is said before the room's connection is there is not missed
    this.#joinGroup(door, () => this.#openRoom(address));
  }

  #openRoom(address: Server): void {
    this.#room = new Link(address, {
      received: (reply) => this.#play(this.#face.roomReceived(reply)),
      closed: (error) => {
        const reason = (error && explain(address, error)) ?? 'the room has closed the connection';
        this.#play(this.#face.roomClosed(reason));
      },
    });
  }

  #joinGroup({ group, groupPort }: Door, joined: () => void): void {
    const socket = dgram.createSocket({ type: 'udp4', ...SHARED });
    this.#group = socket;
    const fail = (error: Error): void => {
      if (this.#group === socket) this.#play(this.#face.roomClosed(`can't hear the room's chats: ${error.message}`));
    };
    socket.on('error', fail);
    socket.on('message', (bytes) => {
      const reply = readDatagram(bytes);
      if (reply?.kind === 'chat' && this.#group === socket) this.#play(this.#face.heard(reply.chat));
    });
    socket.bind(groupPort, '0.0.0.0', () => {
      try {
        socket.addMembership(group);
      } catch (error) {
        return fail(error as Error);
      }
      joined();
    });
  }

  #leave(): void {
    clearTimeout(this.#back);
    this.#room?.close();
    this.#room = undefined;
    this.#group?.close();
    this.#group = undefined;
    if (this.#lobby.isClosed) this.#lobby = this.#openLobby();
  }
}

interface LinkEvents {
  opened?(): void;
  received(reply: LobbyReply): void;
  /** By the other side, or by an error. */
  closed(error: NodeJS.ErrnoException | undefined): void;
}

/** One connection. Each frame is one write: a classic server takes none that comes in parts. */
class Link {
  readonly #socket: Socket;
  readonly #events: LinkEvents;
  readonly #decoder = new LobbyReplyDecoder();
  isClosed = false;
  #error: Error | undefined;

  constructor(server: Server, events: LinkEvents) {
    this.#events = events;
    const socket = dial(server, { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, () => {
      if (!this.isClosed) events.opened?.();
    });
    this.#socket = socket;
    socket.on('data', (bytes: Uint8Array) => this.#read(bytes));
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      if (this.isClosed) return;
      this.isClosed = true;
      events.closed(this.#error);
    });
  }

  get address(): string | undefined {
    return this.#socket.remoteAddress;
  }

  send(request: Request): void {
    this.#socket.write(encodeRequest(request));
  }

  /** Nothing is heard of it any more. */
  close(): void {
    this.isClosed = true;
    this.#socket.end();
  }

  #read(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
    try {
      while (!this.isClosed) {
        const reply = this.#decoder.next();
        if (!reply) break;
        this.#events.received(reply);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#socket.destroy(error);
    }
  }
}

function nameOf({ host, port }: Server): string {
  return `${host} port ${port}`;
}

/** Undefined where there is no more to say than that the connection is gone. */
function explain(server: Server, error: NodeJS.ErrnoException): string | undefined {
  const { code, message } = error;
  if (error instanceof ProtocolError) return `this is not a lobby server: ${message}`;
  if (code === 'ECONNREFUSED') return `no server answers on ${nameOf(server)}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `there is no host ${server.host}`;
  if (code === 'ECONNRESET' || code === 'EPIPE') return undefined;
  const trouble = explainTls(error);
  if (trouble !== undefined) return trouble;
  return `can't reach ${nameOf(server)}: ${message}`;
}
