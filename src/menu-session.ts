// Layer 3. What a `menu` client may do: the codec below, the house above. Everybody is in the room `main`
// and never hears its own messages. Only a full client is told more than messages, and can be asked for
// files; which files and where they go is between it, files.ts and the HTTP side.

import { HouseError } from './errors.ts';
import { type HouseEvent, type Post, WHISPERED, type Whisper } from './events.ts';
import { FileDesk } from './file-desk.ts';
import type { Files } from './files.ts';
import { Members } from './members.ts';
import { MAIN_ROOM } from './names.ts';
import type { Audience, Member, Room } from './room.ts';
import type { House } from './rooms.ts';
import type { Address, Broadcast, Port, Session } from './session.ts';
import {
  chatLines,
  chatPrefix,
  encodeLines,
  encodeReply,
  encodeUtf,
  type MenuKind,
  type MenuReply,
  type MenuRequest,
  MenuRequestDecoder,
} from './wire-menu.ts';

/** Bytes that stay without a newline for so long are a message. */
const LULL_MS = 20;
/** So many names a client is told for completion. */
const MAX_WHO = 1000;
const NEVER = Number.POSITIVE_INFINITY;

export interface MenuOptions {
  readonly house: House;
  readonly files: Files;
  broadcast(): Broadcast;
}

/** All `menu` connections of a server. */
export class Menu {
  readonly options: MenuOptions;
  readonly members: Members<MenuSession>;

  constructor(options: MenuOptions) {
    const { house, broadcast } = options;
    this.options = options;
    this.members = new Members(
      house,
      'menu',
      (_room, sessionOf) => new MenuAudience(broadcast, sessionOf),
      (session, whisper) => session.whisper(whisper),
    );
  }

  open(port: Port): MenuSession {
    return new MenuSession(this, port);
  }
}

/** The members of one room, by what their clients understand: each message is encoded once for each kind. */
class MenuAudience implements Audience {
  readonly #sessionOf: (member: Member) => MenuSession;
  readonly #seated = new Map<string, MenuSession>();
  /** Messages look the same to plain and full clients. */
  readonly #lines: Broadcast;
  readonly #utf: Broadcast;
  #utfClients = 0;

  constructor(broadcast: () => Broadcast, sessionOf: (member: Member) => MenuSession) {
    this.#sessionOf = sessionOf;
    this.#lines = broadcast();
    this.#utf = broadcast();
  }

  add(member: Member): void {
    const session = this.#sessionOf(member);
    this.#seated.set(member.person.id, session);
    if (session.client === 'utf') this.#utfClients++;
    this.#broadcastOf(session).add(session.port);
  }

  remove(member: Member): void {
    const session = this.#seated.get(member.person.id);
    if (!session) return;
    this.#seated.delete(member.person.id);
    if (session.client === 'utf') this.#utfClients--;
    this.#broadcastOf(session).remove(session.port);
    session.unseated();
  }

  hear(event: HouseEvent): void {
    switch (event.kind) {
      case 'joined':
        return this.#seated.get(event.who.id)?.joined();
      case 'post':
        return this.#tell(event.who.name, event.text, this.#sender(event));
      case 'closing':
        return this.#tell('server', 'This server is going down.');
    }
  }

  #tell(name: string, text: string, except?: Port): void {
    const lines = chatLines(name, text);
    this.#lines.append(encodeLines(lines), except);
    if (this.#utfClients > 0) this.#utf.append(encodeUtf(lines, chatPrefix(name)), except);
  }

  #sender({ who }: Post): Port | undefined {
    return this.#seated.get(who.id)?.port;
  }

  #broadcastOf({ client }: MenuSession): Broadcast {
    return client === 'utf' ? this.#utf : this.#lines;
  }
}

export class MenuSession implements Session {
  readonly port: Port;
  readonly #menu: Menu;
  readonly #decoder = new MenuRequestDecoder();
  #client: MenuKind = 'plain';
  #member: Member | undefined;
  #room: Room | undefined;
  #desk: FileDesk | undefined;
  #lullAt = NEVER;
  /** It is on its way in; what it says meanwhile waits. */
  #busy = false;
  #inputEnded = false;
  /** It has asked who is there; however often, it is told once in a turn. */
  #whoIsDue = false;
  #finishing = false;
  /** It hears the room. */
  #seated = false;
  #gone = false;

  constructor(menu: Menu, port: Port) {
    this.#menu = menu;
    this.port = port;
  }

  get client(): MenuKind {
    return this.#client;
  }

  receive(bytes: Uint8Array, now: number): boolean {
    if (this.#finishing || this.#gone) return true;
    this.#decoder.push(bytes);
    this.#pump();
    this.#lullAt = this.#decoder.pending ? now + LULL_MS : NEVER;
    return !this.#busy;
  }

  ended(): void {
    this.#inputEnded = true;
    this.#decoder.end();
    this.#pump();
  }

  closed(reason: string): void {
    this.#gone = true;
    this.#quit(reason);
  }

  dropped(reason: string): void {
    this.#refuse(reason);
  }

  tick(now: number): void {
    if (now < this.#lullAt) return;
    this.#lullAt = NEVER;
    this.#decoder.lull();
    this.#pump();
  }

  deadline(): number {
    return this.#busy ? NEVER : this.#lullAt;
  }

  // --- what the house has done ---------------------------------------------------------------------------

  joined(): void {
    this.#seated = true;
    const member = this.#member;
    if (!member || this.#client !== 'full') return;
    this.#send({ kind: 'welcome', name: member.person.name, token: this.#desk?.token ?? '' });
  }

  whisper({ who, text }: Whisper): boolean {
    if (!this.#seated || this.#finishing || this.#gone) return false;
    this.#tell(who.name, `${WHISPERED}${text}`);
    return true;
  }

  /** It hears no more of the room. */
  unseated(): void {
    this.#seated = false;
    if (this.#finishing) this.port.end();
  }

  // --- requests ------------------------------------------------------------------------------------------

  #pump(): void {
    while (!this.#busy && !this.#finishing && !this.#gone) {
      const request = this.#decoder.next();
      if (request === undefined) break;
      this.#handle(request);
    }
    this.#tellWho();
    if (this.#inputEnded && !this.#busy) this.#finish('the connection was closed');
  }

  #handle(request: MenuRequest): void {
    try {
      switch (request.kind) {
        case 'name':
          return this.#enter(request);
        case 'message':
          return this.#say(request.text);
        case 'exit':
          return this.#finish('left');
        case 'fault':
          if (!this.#member) this.#decoder.again();
          return this.#refuse(request.detail);
        case 'who':
          this.#whoIsDue = true;
          return;
        default:
          return this.#desk?.answered(request);
      }
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
      this.#refuse(error.message);
    }
  }

  #tellWho(): void {
    if (this.#whoIsDue && this.#desk) this.#send({ kind: 'who', names: this.#desk.others(MAX_WHO) });
    this.#whoIsDue = false;
  }

  /** What comes behind the name waits until it is in. */
  #enter({ client, name, listen }: MenuRequest & { kind: 'name' }): void {
    this.#client = client;
    this.#busy = true;
    this.#join(name, listen)
      .catch((error) => {
        if (!(error instanceof HouseError)) throw error;
        this.#decoder.again();
        this.#refuse(error.message);
        if (error.code === 'full') this.#finish('the server is full');
      })
      .then(() => {
        this.#busy = false;
        this.#pump();
        if (!this.#busy) this.port.resume();
      })
      .catch((error) => this.port.fail(error));
  }

  async #join(name: string, listen: number): Promise<void> {
    const { house, files } = this.#menu.options;
    const member = await this.#menu.members.enter(name, this);
    try {
      const room = await house.openRoom(MAIN_ROOM);
      if (this.#gone) return;
      if (this.#client === 'full') {
        const address: Address | undefined = listen > 0 ? { ip: this.port.remote.ip, port: listen } : undefined;
        this.#desk = new FileDesk(files, member, address, (question) => this.#send(question));
      }
      this.#member = member;
      this.#room = room;
      house.join(member, room);
    } finally {
      if (member.rooms.size === 0) this.#leave(member, 'not in');
    }
  }

  #say(text: string): void {
    if (this.#member && this.#room) this.#menu.options.house.say(this.#member, this.#room, text);
  }

  /** Leaves the room, and closes when it has. */
  #finish(reason: string): void {
    if (this.#finishing) return;
    this.#finishing = true;
    const hearsIt = this.#seated;
    this.#quit(reason);
    if (!hearsIt) this.port.end();
  }

  #quit(reason: string): void {
    if (this.#member) this.#leave(this.#member, reason);
  }

  #leave(member: Member, reason: string): void {
    this.#desk?.close();
    this.#desk = undefined;
    this.#member = undefined;
    this.#menu.members.quit(member, reason);
  }

  /** To a client that knows messages only, a refusal is one from the server. */
  #refuse(reason: string): void {
    if (this.#client === 'full') return this.#send({ kind: 'error', text: reason });
    this.#tell('server', reason);
  }

  #tell(name: string, text: string): void {
    const lines = chatLines(name, text);
    this.port.send(this.#client === 'utf' ? encodeUtf(lines, chatPrefix(name)) : encodeLines(lines));
  }

  #send(reply: Exclude<MenuReply, { kind: 'other' }>): void {
    if (!this.#gone && !this.#finishing) this.port.send(encodeReply(reply));
  }
}
