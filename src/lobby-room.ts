// Layer 3. What a `lobby` client may do in a room, on the connection that came through a door. Who it is was
// settled in the lobby. A classic client takes every frame on this connection as the answer to its last request, and
// listens to the room by multicast; Parley's own has the room's chats on this connection too.

import type { Login } from './accounts.ts';
import { HouseError, ProtocolError } from './errors.ts';
import { type HouseEvent, type Left, type Post, WHISPERED, type Whisper } from './events.ts';
import { chatOf, type Lobby, pastChats, readBack, refusal, type Somebody } from './lobby.ts';
import { Answers } from './lobby-answers.ts';
import type { Audience, Member, Pass, Room } from './room.ts';
import type { Broadcast, Port, Session } from './session.ts';
import {
  type Chat,
  chatTime,
  encodeReply,
  type LobbyReply,
  type LobbyRequest,
  LobbyRequestDecoder,
  MAX_DATAGRAM_BYTES,
  MAX_FRAME_BYTES,
  splitChat,
} from './wire-lobby.ts';

/** A newcomer sees so many of the last chats. */
const PREVIOUS = 10;
/** So many chats of one connection are on their way to the disk. */
const MAX_UNANSWERED = 64;
/** What is said while the previous chats are read; beyond, the oldest are lost. */
const MAX_MISSED = 1000;
/** What a guest claims to be called is cut to what a name may have, with `~guest` behind it. */
const MAX_CLAIM_CHARS = 56;
const STAMP = /^\d\d:\d\d:\d\d, \d\d\/\d\d\/\d{4}$/;

/** How somebody came to a door. */
export interface Entrance {
  readonly room: string;
  readonly login: Login | undefined;
  readonly pass: Pass | undefined;
  readonly viaTcp: boolean;
  /** Whether its login may go on with the next connection to the lobby. */
  mayCarry(): boolean;
  /** Gives the place in the multicast group up. */
  release(): void;
}

/** The members of one room: each chat is encoded once for those on TCP, and once for the multicast group. */
export class LobbyAudience implements Audience {
  readonly room: Room;
  readonly #lobby: Lobby;
  readonly #somebodyOf: (member: Member) => Somebody;
  readonly #seated = new Map<string, Somebody>();
  readonly #tcp: Broadcast;
  #tcpListeners = 0;
  /** Those on TCP that have not got the previous chats yet: what is said meanwhile comes behind these. */
  readonly #reading = new Set<RoomSession>();

  constructor(lobby: Lobby, room: Room, somebodyOf: (member: Member) => Somebody) {
    this.#lobby = lobby;
    this.room = room;
    this.#somebodyOf = somebodyOf;
    this.#tcp = lobby.options.broadcast();
  }

  add(member: Member): void {
    this.#seated.set(member.person.id, this.#somebodyOf(member));
  }

  remove(member: Member): void {
    this.#seated.delete(member.person.id);
    if (this.#seated.size === 0) this.#lobby.emptied(this);
  }

  /** One more connection of somebody who may be seated already. */
  attach(session: RoomSession, member: Member): void {
    if (this.#seated.has(member.person.id)) session.seated(this);
  }

  hear(event: HouseEvent): void {
    switch (event.kind) {
      case 'joined':
        for (const session of this.#sessionsOf(event)) session.seated(this);
        return;
      case 'left':
        for (const session of this.#sessionsOf(event)) session.putOut(event);
        return;
      case 'post':
        this.#seated.get(event.who.id)?.heard(event);
        for (const session of this.#reading) session.missed(event);
        return this.#tell(chatOf(event, this.room.name));
      case 'closing': {
        const contents = 'This server is going down.';
        return this.#tell({ creator: 'server', room: this.room.name, contents, datetime: chatTime(event.at) });
      }
    }
  }

  startReading(session: RoomSession): void {
    this.#reading.add(session);
  }

  listen(session: RoomSession): void {
    if (!this.#reading.delete(session)) return;
    this.#tcpListeners++;
    this.#tcp.add(session.port);
  }

  unlisten(session: RoomSession): void {
    if (this.#reading.delete(session)) return;
    this.#tcpListeners--;
    this.#tcp.remove(session.port);
  }

  #sessionsOf({ who }: HouseEvent & { kind: 'joined' | 'left' }): RoomSession[] {
    return [...(this.#seated.get(who.id)?.sessionsIn(this.room) ?? [])];
  }

  #tell(chat: Chat): void {
    if (this.#tcpListeners > 0) for (const bytes of encodeChats(chat, MAX_FRAME_BYTES)) this.#tcp.append(bytes);
    // somebody may have asked for the group before the room was made with a password
    const group = this.room.isClosed ? undefined : this.#lobby.groups.of(this.room.key);
    if (!group) return;
    for (const bytes of encodeChats(chat, MAX_DATAGRAM_BYTES)) this.#lobby.options.multicast.send(bytes, group);
  }
}

export class RoomSession implements Session {
  readonly port: Port;
  readonly #lobby: Lobby;
  readonly #entrance: Entrance;
  readonly #decoder = new LobbyRequestDecoder();
  readonly #answers: Answers;
  #somebody: Somebody;
  #member: Member | undefined;
  #room: Room | undefined;
  #audience: LobbyAudience | undefined;
  #missed: Post[] = [];
  /** It is on its way in, or a request has to be done before the next one. */
  #busy = true;
  #claimed = false;
  /** What comes can't be read any more. */
  #broken = false;
  #inputEnded = false;
  #gone = false;

  constructor(lobby: Lobby, port: Port, entrance: Entrance) {
    this.#lobby = lobby;
    this.port = port;
    this.#entrance = entrance;
    this.#answers = new Answers((reply) => this.#send(reply));
    this.#somebody = lobby.people.take(entrance.login);
    this.#enter().catch((error) => this.#turnAway(error));
  }

  get room(): Room | undefined {
    return this.#room;
  }

  receive(bytes: Uint8Array): boolean {
    if (this.#gone) return true;
    this.#decoder.push(bytes);
    this.#pump();
    return !this.#isFull;
  }

  ended(): void {
    this.#inputEnded = true;
    this.#pump();
  }

  closed(reason: string): void {
    this.#leave(reason);
  }

  dropped(reason: string): void {
    if (this.#entrance.viaTcp) this.#send({ kind: 'error', message: reason });
  }

  tick(): void {}

  deadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  // --- what the house has done ---------------------------------------------------------------------------

  /** It hears the room from now on; the chats before that come first. */
  seated(audience: LobbyAudience): void {
    const room = this.#room;
    if (this.#audience || !room || this.#gone) return;
    this.#audience = audience;
    if (this.#entrance.viaTcp) audience.startReading(this);
    this.#lobby.options.house
      .history(room, { limit: PREVIOUS })
      .catch((error): Post[] => {
        // who can't be told what was said can still talk
        if (error instanceof HouseError) return [];
        throw error;
      })
      .then((posts) => this.#begin(audience, room, posts))
      .catch((error) => this.port.fail(error));
  }

  missed(post: Post): void {
    this.#missed.push(post);
    if (this.#missed.length > MAX_MISSED) this.#missed.shift();
  }

  /** False for a classic client, which would take it for an answer. */
  whisper({ who, at, text }: Whisper): boolean {
    const room = this.#room;
    if (!this.#entrance.viaTcp || !this.#audience || !room || this.#gone) return false;
    this.#tell({ creator: who.name, room: room.name, contents: `${WHISPERED}${text}`, datetime: chatTime(at) });
    return true;
  }

  /** Or the room is gone. Whoever is not seated yet hears of an earlier stay of theirs. */
  putOut({ by, reason, at }: Left): void {
    const room = this.#room;
    if (!this.#audience || !room) return;
    const contents = by && `${by.name} has put you out: ${reason}`;
    if (contents && this.#entrance.viaTcp) {
      this.#tell({ creator: 'server', room: room.name, contents, datetime: chatTime(at) });
    }
    this.#end(contents ?? 'the room was deleted');
  }

  #begin(audience: LobbyAudience, room: Room, posts: readonly Post[]): void {
    if (this.#gone) return;
    this.#send({ kind: 'previous', chats: posts.flatMap((post) => pastChats(post, room.name)).slice(-PREVIOUS) });
    if (this.#entrance.viaTcp) {
      const last = posts.at(-1)?.id ?? 0;
      for (const post of this.#missed) if (post.id > last) this.#tell(chatOf(post, room.name));
      this.#missed = [];
      audience.listen(this);
    }
    this.#free();
  }

  // --- in and out ----------------------------------------------------------------------------------------

  async #enter(): Promise<void> {
    const { house } = this.#lobby.options;
    const { room: name, pass } = this.#entrance;
    const room = await house.openRoom(name);
    const member = await this.#somebody.entered;
    if (this.#gone) return;
    this.#room = room;
    this.#member = member;
    this.#somebody.sessions.add(this);
    if (member.rooms.has(room.key)) this.#lobby.audienceOf(room)?.attach(this, member);
    else house.join(member, room, pass);
  }

  #turnAway(error: unknown): void {
    if (this.#gone) return;
    if (!(error instanceof HouseError)) return this.port.fail(error);
    this.#send(refusal(error));
    this.#end(error.message);
  }

  #end(reason: string): void {
    if (this.#gone) return;
    this.#leave(reason);
    this.port.end();
  }

  #leave(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    const { login, viaTcp, mayCarry, release } = this.#entrance;
    const { strictLobby, now } = this.#lobby.options;
    if (viaTcp) this.#audience?.unlisten(this);
    release();
    this.#giveUp(this.#somebody, reason);
    if (login && !viaTcp && !strictLobby && mayCarry()) this.#lobby.carried.leave(this.port.remote.ip, login, now());
  }

  /** No longer one of that person's connections; the last one in the room takes the person out of it. */
  #giveUp(somebody: Somebody, reason: string): void {
    const room = this.#room;
    somebody.sessions.delete(this);
    const [other] = room ? somebody.sessionsIn(room) : [];
    if (room && this.#member && !other) this.#lobby.options.house.leave(this.#member, room, reason);
    this.#lobby.people.drop(somebody, reason);
  }

  // --- requests ------------------------------------------------------------------------------------------

  get #isFull(): boolean {
    return this.#busy || this.#answers.waiting >= MAX_UNANSWERED;
  }

  #pump(): void {
    while (!this.#isFull && !this.#gone) {
      const request = this.#next();
      if (request === undefined) break;
      this.#handle(request);
    }
    if (this.#inputEnded && !this.#busy && this.#answers.waiting === 0) this.#end('the connection was closed');
  }

  #next(): LobbyRequest | undefined {
    if (this.#broken) return undefined;
    try {
      return this.#decoder.next();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // it ends when what came before is answered
      this.#answers.add()({ kind: 'error', message: error.message });
      this.#broken = true;
      this.#inputEnded = true;
      return undefined;
    }
  }

  /** Requests go on. */
  #free(): void {
    this.#busy = false;
    this.#goOn();
  }

  #goOn(): void {
    this.#pump();
    if (!this.#isFull && !this.#gone) this.port.resume();
  }

  #handle(request: LobbyRequest): void {
    switch (request.kind) {
      case 'chat':
        return this.#chat(request.chat);
      case 'history':
      case 'search':
        return this.#wait(readBack(this.#lobby, request, this.#entrance.login, this.port.remote.ip, this.#room));
      case 'fault':
        return this.#answers.add()({ kind: 'error', message: request.detail });
      default:
        return this.#answers.add()({ kind: 'error', message: 'you are in a room: go back to the lobby for that' });
    }
  }

  /** The next request waits until this one is done. */
  #wait(work: Promise<LobbyReply>): void {
    const answer = this.#answers.add();
    this.#busy = true;
    work
      .catch(refusal)
      .then((reply) => {
        answer(reply);
        this.#free();
      })
      .catch((error) => this.port.fail(error));
  }

  #chat(chat: Chat): void {
    if (this.#isClaim(chat.creator)) {
      this.#busy = true;
      this.#claim(chat.creator)
        .then(() => {
          this.#say(chat);
          this.#free();
        })
        .catch((error) => this.port.fail(error));
    } else this.#say(chat);
  }

  #say({ contents, datetime }: Chat): void {
    const { house } = this.#lobby.options;
    const member = this.#member;
    const room = this.#room;
    if (!member || !room || this.#gone) return;
    const answer = this.#answers.add();
    const stamp = STAMP.test(datetime) ? datetime : undefined;
    const kept = (reply: LobbyReply) => {
      answer(reply);
      this.#goOn();
    };
    try {
      this.#somebody.say(
        room,
        () => house.say(member, room, contents, { stamp }),
        (post) =>
          house
            .saved(post)
            .then((): LobbyReply => ({ kind: 'good', message: `got your chat: "${contents}"` }), refusal)
            .then(kept)
            .catch((error) => this.port.fail(error)),
      );
    } catch (error) {
      answer(refusal(error));
    }
  }

  /** A guest may say once what it wants to be called. */
  #isClaim(creator: string): boolean {
    return !this.#entrance.login && !this.#claimed && creator.trim() !== '' && creator !== this.#member?.person.name;
  }

  async #claim(creator: string): Promise<void> {
    this.#claimed = true;
    const { house } = this.#lobby.options;
    const somebody = this.#lobby.people.take(
      undefined,
      `${creator.trim().slice(0, MAX_CLAIM_CHARS).toWellFormed()}~guest`,
    );
    try {
      const member = await somebody.entered;
      const room = this.#room;
      if (this.#gone || !room) return this.#lobby.people.drop(somebody, 'gone');
      somebody.sessions.add(this);
      house.join(member, room, this.#entrance.pass);
      this.#giveUp(this.#somebody, `is ${member.person.name} now`);
      this.#somebody = somebody;
      this.#member = member;
    } catch (error) {
      // with such a name it stays who it is
      this.#lobby.people.drop(somebody, 'not in');
      if (!(error instanceof HouseError)) throw error;
    }
  }

  #tell(chat: Chat): void {
    for (const bytes of encodeChats(chat, MAX_FRAME_BYTES)) this.port.send(bytes);
  }

  #send(reply: LobbyReply): void {
    if (!this.#gone) this.port.send(encodeReply(reply));
  }
}

function encodeChats(chat: Chat, maxFrameBytes: number): Uint8Array[] {
  return splitChat(chat, maxFrameBytes).map((piece) => encodeReply({ kind: 'chat', chat: piece }));
}
