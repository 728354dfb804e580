// The people of a soak who come through the lobby: guests and those with an account. GOOD for a chat says that it is on
// disk.

import { setTimeout as sleep } from 'node:timers/promises';
import { encodeRequest, type LobbyReply, LobbyReplyDecoder, type LobbyRequest } from '../src/wire-lobby.ts';
import type { Chance } from './soak-chance.ts';
import type { House } from './soak-house.ts';
import { Ear, type Ledger } from './soak-ledger.ts';
import { Person, Wire } from './soak-people.ts';

const PASSWORD = 'sekret 12';
const ANSWER_MS = 10_000;
const LOOK_MS = 5;
const STAMP = '22:22:54, 05/10/2023';

class Talk {
  readonly wire: Wire;
  readonly replies: LobbyReply[];

  private constructor(wire: Wire, replies: LobbyReply[]) {
    this.wire = wire;
    this.replies = replies;
  }

  static async open(port: number, onReply?: (reply: LobbyReply) => void): Promise<Talk> {
    const decoder = new LobbyReplyDecoder();
    const replies: LobbyReply[] = [];
    const wire = await Wire.open(port, (bytes) => {
      decoder.push(bytes);
      for (let reply = decoder.next(); reply; reply = decoder.next()) {
        if (onReply) onReply(reply);
        else replies.push(reply);
      }
    });
    return new Talk(wire, replies);
  }

  send(request: Exclude<LobbyRequest, { kind: 'fault' }>): void {
    this.wire.socket.write(encodeRequest(request));
  }
}

export class LobbyPerson extends Person {
  readonly #hasAccount: boolean;
  #isMade = false;
  #room: Talk | undefined;
  #isSeated = false;
  /** Said and not answered yet, in order. */
  #waiting: string[] = [];

  constructor(name: string, house: House, ledger: Ledger, chance: Chance, hasAccount: boolean) {
    super(name, house, ledger, chance);
    this.#hasAccount = hasAccount;
  }

  async come(): Promise<void> {
    this.ear = new Ear(this.ledger, this.name);
    this.#waiting = [];
    this.#isSeated = false;
    const lobby = await Talk.open(this.house.port);
    try {
      if (this.#hasAccount) await this.#logIn(lobby);
      const door = await this.#ask(lobby, { kind: 'join', room: 'main', viaTcp: true });
      if (door.kind !== 'door') throw new Error(`${this.name}: no door but ${JSON.stringify(door)}`);
      const room = await Talk.open(door.port, (reply) => this.#take(reply));
      room.wire.socket.on('close', () => {
        this.isIn = false;
      });
      this.#room = room;
      await this.until(() => this.#isSeated || room.wire.isOver, 'no PREV');
      this.isIn = !room.wire.isOver;
    } finally {
      lobby.wire.socket.destroy();
    }
  }

  /** Makes the account where there is none: what the house has promised to keep it has kept. */
  async #logIn(lobby: Talk): Promise<void> {
    const who = { name: this.name, password: PASSWORD };
    if (!this.#isMade) {
      const made = await this.#ask(lobby, { kind: 'register', ...who });
      this.#isMade = made.kind === 'good';
    }
    const answer = await this.#ask(lobby, { kind: 'login', ...who });
    if (answer.kind !== 'good') this.ledger.trouble(`${this.name} may not log in: ${JSON.stringify(answer)}`);
  }

  async #ask(lobby: Talk, request: Exclude<LobbyRequest, { kind: 'fault' }>): Promise<LobbyReply> {
    lobby.send(request);
    await this.until(() => lobby.replies.length > 0 || lobby.wire.isOver, `no answer to ${request.kind}`, ANSWER_MS);
    const reply = lobby.replies.shift();
    if (!reply) throw new Error(`${this.name}: closed`);
    return reply;
  }

  #take(reply: LobbyReply): void {
    switch (reply.kind) {
      case 'previous':
        for (const { contents } of reply.chats) this.ear.hear(contents);
        this.#isSeated = true;
        return;
      case 'chat':
        return this.ear.hear(reply.chat.contents);
      case 'good':
        return this.ledger.acked(this.#waiting.shift() ?? '');
      case 'error':
        this.#waiting.shift();
        return this.ledger.count('refused');
      default:
    }
  }

  protected send(contents: string, marker: string): void {
    this.#waiting.push(marker);
    const chat = { creator: this.name, room: 'main', contents, datetime: STAMP };
    this.#room?.send({ kind: 'chat', chat });
  }

  leave(): void {
    this.isIn = false;
    this.#room?.wire.socket.end();
  }

  die(): void {
    this.isIn = false;
    this.#room?.wire.socket.destroy();
  }

  babble(bytes: Uint8Array): void {
    this.#room?.wire.socket.write(bytes);
  }
}

/** A door of the house, for somebody else to go through; 0 where there was no answer. */
export async function askForDoor(port: number): Promise<number> {
  const lobby = await Talk.open(port);
  try {
    lobby.send({ kind: 'join', room: 'fuzz', viaTcp: true });
    const deadline = performance.now() + ANSWER_MS;
    while (lobby.replies.length === 0 && !lobby.wire.isOver && performance.now() < deadline) await sleep(LOOK_MS);
    const [reply] = lobby.replies;
    return reply?.kind === 'door' ? reply.port : 0;
  } finally {
    lobby.wire.socket.destroy();
  }
}
