// Layer 3. What a `lobby` client may do on its connection to the lobby: one request, one answer. A login belongs to
// the connection; rooms are entered through doors, see lobby-room.ts.

import type { Login } from './accounts.ts';
import { HouseError, ProtocolError } from './errors.ts';
import { Lobby, type LobbyOptions, noSuchRoom, readBack, refusal } from './lobby.ts';
import { LobbyAudience, RoomSession } from './lobby-room.ts';
import { checkRoomName, MAIN_ROOM, nameKey } from './names.ts';
import type { Room } from './room.ts';
import type { Port, Session } from './session.ts';
import {
  encodeReply,
  type LobbyReply,
  type LobbyRequest,
  LobbyRequestDecoder,
  type RoomList,
  roomsThatFit,
} from './wire-lobby.ts';

const MAX_DESCRIPTION_CHARS = 200;

export function openLobby(options: LobbyOptions): Lobby {
  return new Lobby(options, (lobby, room, somebodyOf) => new LobbyAudience(lobby, room, somebodyOf));
}

export class LobbySession implements Session {
  readonly #lobby: Lobby;
  readonly #port: Port;
  readonly #decoder = new LobbyRequestDecoder();
  #login: Login | undefined;
  #logOut: () => void = () => {};
  /** A request is being answered, or its answer goes out; those behind it wait. */
  #busy = false;
  /** The next request is for the next turn of the event loop: a segment may bring thousands. */
  #isNextTurn = false;
  #hasCarried = false;
  #inputEnded = false;
  #gone = false;

  constructor(lobby: Lobby, port: Port) {
    this.#lobby = lobby;
    this.#port = port;
    if (!lobby.options.strictLobby) this.#carryOn();
  }

  receive(bytes: Uint8Array): boolean {
    if (this.#gone) return true;
    this.#decoder.push(bytes);
    this.#pump();
    return !this.#busy;
  }

  ended(): void {
    this.#inputEnded = true;
    this.#pump();
  }

  closed(): void {
    this.#gone = true;
    this.#logOut();
  }

  dropped(reason: string): void {
    this.#send({ kind: 'error', message: reason });
  }

  tick(): void {
    if (!this.#isNextTurn || this.#port.isCongested) return;
    this.#isNextTurn = false;
    this.#busy = false;
    this.#pump();
    if (!this.#busy && !this.#gone) this.#port.resume();
  }

  deadline(): number {
    return this.#isNextTurn && !this.#port.isCongested ? 0 : Number.POSITIVE_INFINITY;
  }

  // --- requests ------------------------------------------------------------------------------------------

  #pump(): void {
    const request = this.#busy || this.#gone ? undefined : this.#next();
    if (request !== undefined) {
      this.#busy = true;
      this.#answer(request)
        .then((reply) => {
          this.#send(reply);
          this.#isNextTurn = true;
          this.#port.wake();
        })
        .catch((error) => this.#port.fail(error));
    }
    if (this.#inputEnded && !this.#busy) this.#end();
  }

  #next(): LobbyRequest | undefined {
    try {
      return this.#decoder.next();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#send({ kind: 'error', message: error.message });
      this.#end();
      return undefined;
    }
  }

  async #answer(request: LobbyRequest): Promise<LobbyReply> {
    try {
      return await this.#handle(request);
    } catch (error) {
      return refusal(error);
    }
  }

  async #handle(request: LobbyRequest): Promise<LobbyReply> {
    const { accounts, house } = this.#lobby.options;
    const { ip } = this.#port.remote;
    switch (request.kind) {
      case 'register':
        house.admit(request.name);
        await accounts.register(request.name, request.password, ip);
        return good('user created');
      case 'login':
        this.#logIn(await accounts.login(request.name, request.password, ip));
        return good('you are now logged in!');
      case 'logout':
        return this.#logout(request.name);
      case 'list':
        return request.all ? this.#listAll(request.skip) : this.#listActive();
      case 'join':
        return this.#join(request);
      case 'make':
        return this.#make(request);
      case 'delete':
        return this.#delete(request);
      case 'history':
      case 'search':
        return readBack(this.#lobby, request, this.#login, ip);
      case 'chat':
        throw new HouseError('not-in-room', 'you are in the lobby: JOIN a room first');
      case 'fault':
        return { kind: 'error', message: request.detail };
    }
  }

  /** Throws for one that is banned. */
  #logIn(login: Login): void {
    const logOut = this.#lobby.options.house.logIn(login.name);
    this.#logOut();
    this.#logOut = logOut;
    this.#login = login;
    if (this.#gone) logOut();
  }

  /** As who has just left a room, unless that one was put out of it. */
  #carryOn(): void {
    const login = this.#lobby.carried.take(this.#port.remote.ip, this.#port.opened);
    try {
      if (login) this.#logIn(login);
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
    }
  }

  #logout(name: string): LobbyReply {
    if (this.#login?.key !== nameKey(name.trim())) return { kind: 'error', message: 'Could not logout.' };
    this.#logOut();
    this.#login = undefined;
    return good('you are now logged out!');
  }

  #listActive(): RoomList {
    const rooms = [...this.#lobby.options.house.activeRooms].filter(isListed);
    return { kind: 'rooms', names: rooms.map(({ name }) => name) };
  }

  #listAll(skip: number): RoomList {
    const rooms = [...this.#lobby.options.house.rooms.values()].filter(isListed);
    const those = rooms.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(skip);
    const people = those.map((room) => room.people.size);
    const about = those.map((room) => room.settings.description);
    const list = { kind: 'rooms', names: those.map(({ name }) => name), more: { people, about } } as const;
    const fit = roomsThatFit(list);
    return fit === those.length ? list : { ...list, more: { ...list.more, next: skip + fit } };
  }

  /** The room itself is made by whoever comes through the door: what is asked for and not used leaves nothing. */
  async #join({ room: name, password, viaTcp }: LobbyRequest & { kind: 'join' }): Promise<LobbyReply> {
    const { house, accounts, doors } = this.#lobby.options;
    const { isEncrypted, remote } = this.#port;
    const { ip } = remote;
    const login = this.#login;
    const asked = checkRoomName(name);
    const room = await house.lookUp(asked);
    if (!viaTcp) await this.#checkMulticast(room);
    const pass = room && (await accounts.unlock(room, { login, password, ip }));
    const key = nameKey(asked);
    const group = viaTcp ? undefined : this.#lobby.groups.take(key);
    const release = () => {
      if (group) this.#lobby.groups.release(key);
    };
    const entrance = { room: asked, login, pass, viaTcp, mayCarry: () => this.#mayCarry(), release };
    const enter = (those: Port) => new RoomSession(this.#lobby, those, entrance);
    const port = await doors.open(ip, enter, release, isEncrypted);
    return { kind: 'door', port, group: group?.ip ?? '', groupPort: group?.port ?? 0, viaTcp };
  }

  /** Once, after a classic client has left the lobby for a room. */
  #mayCarry(): boolean {
    if (!this.#gone || this.#hasCarried) return false;
    this.#hasCarried = true;
    return true;
  }

  async #checkMulticast(room: Room | undefined): Promise<void> {
    if (room?.isPrivate) {
      throw new HouseError('room-password', `${room.name} has a password: it is not sent by multicast`);
    }
    if (room?.isClosed) {
      throw new HouseError('invite-only', `${room.name} is for the invited only: it is not sent by multicast`);
    }
    const trouble = await this.#lobby.options.multicast.trouble();
    if (trouble !== undefined) {
      throw new HouseError('not-allowed', `this server can't send by multicast, which your client needs: ${trouble}`);
    }
  }

  async #make({ room, description, password }: LobbyRequest & { kind: 'make' }): Promise<LobbyReply> {
    const { house, accounts } = this.#lobby.options;
    const login = this.#loggedIn();
    if (description.length > MAX_DESCRIPTION_CHARS) {
      throw new HouseError('too-long', `a description has at most ${MAX_DESCRIPTION_CHARS} characters`);
    }
    if (nameKey(room.trim()) === MAIN_ROOM) throw new HouseError('not-allowed', `${MAIN_ROOM} is everybody's room`);
    if (await house.lookUp(room)) throw new HouseError('name-taken', `there is a room ${room.trim()} already`);
    const hash = password ? await accounts.hashPassword(password, this.#port.remote.ip) : undefined;
    const made = await house.makeRoom(room, { description, owner: login.key, password: hash });
    return good(`room ${made.name} created`);
  }

  async #delete({ room: name, owner }: LobbyRequest & { kind: 'delete' }): Promise<LobbyReply> {
    const { house } = this.#lobby.options;
    const login = this.#loggedIn();
    const room = await house.lookUp(name);
    if (!room) throw noSuchRoom(name);
    if (room.settings.owner !== login.key || nameKey(owner.trim()) !== login.key) {
      throw new HouseError('not-allowed', `only its owner deletes ${room.name}`);
    }
    await house.deleteRoom(room);
    return good(`room ${room.name} deleted`);
  }

  #loggedIn(): Login {
    if (!this.#login) throw new HouseError('not-allowed', 'you are not logged in');
    return this.#login;
  }

  #send(reply: LobbyReply): void {
    if (!this.#gone) this.#port.send(encodeReply(reply));
  }

  #end(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#port.end();
  }
}

function isListed(room: Room): boolean {
  return !room.isPrivate && !room.rules.has('secret');
}

function good(message: string): LobbyReply {
  return { kind: 'good', message };
}
