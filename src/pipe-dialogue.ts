// Layer 3. How a `pipe` client comes into a room: its name, create or join, the room, its password. One step takes
// one message; what fails may be tried again, a few times. What it says and where it leads is its host's to carry out.

import { HouseError } from './errors.ts';
import { checkRoomName, MAIN_ROOM, nameKey } from './names.ts';
import type { Pipe } from './pipe.ts';
import { type Member, Pass, type Room } from './room.ts';
import { isWord, listNames, type PipeReply } from './wire-pipe.ts';

/** At any one step. */
const MAX_TRIES = 5;

const NAME_TAKEN = 'Username taken, kindly choose another.';

type Step = 'name' | 'choice' | 'new room' | 'protect' | 'new password' | 'room' | 'password';

/** The connection. */
export interface Host {
  readonly ip: string;
  /** In one piece. */
  say(...replies: PipeReply[]): void;
  /** Into the house; rejects when the name can't be worn. */
  enter(name: string): Promise<Member>;
  /** Into the room. `isCreator`: it was made just now. */
  arrive(room: Room, pass: Pass, isCreator: boolean): void;
  /** Too many tries. */
  giveUp(): void;
}

export class Dialogue {
  readonly #pipe: Pipe;
  readonly #host: Host;
  #step: Step = 'name';
  #failed = 0;
  /** The name of the room that is being made. */
  #reserved: string | undefined;
  /** The room that is being joined. */
  #room: Room | undefined;
  #over = false;

  constructor(pipe: Pipe, host: Host) {
    this.#pipe = pipe;
    this.#host = host;
  }

  /** The connection is gone, or in. */
  close(): void {
    this.#over = true;
    this.#release();
  }

  async take(word: string): Promise<void> {
    try {
      await this.#take(word);
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
      if (!this.#over) this.#refuse(error);
    }
  }

  #take(word: string): Promise<void> | void {
    switch (this.#step) {
      case 'name':
        return this.#name(word);
      case 'choice':
        return this.#choice(word);
      case 'new room':
        return this.#newRoom(word);
      case 'protect':
        if (!/^yes/i.test(word)) return this.#make(undefined);
        return this.#go('new password', ok('Please enter password.'));
      case 'new password':
        return this.#make(word);
      case 'room':
        return this.#chooseRoom(word);
      case 'password':
        return this.#password(word);
    }
  }

  async #name(name: string): Promise<void> {
    if (isWord(name)) return this.#fail(NAME_TAKEN);
    const { person } = await this.#host.enter(name);
    if (this.#over) return;
    this.#go('choice', ok(`Username ${person.name} accepted. Send create/join a chatroom`));
  }

  #choice(word: string): void {
    const choice = word.toLowerCase();
    if (choice === 'create') return this.#go('new room', ok('Specify a chatroom name to create.'));
    if (choice !== 'join') return this.#fail('Sorry, specify join/create to join or create a chatroom');
    if (!this.#pipe.hasRooms) return this.#fail('There are no chatrooms to join now');
    const rooms = listNames(this.#pipe.roomNames());
    this.#go('room', ok('Here is a list of chatrooms you can join.'), ...rooms);
  }

  // --- a new room ------------------------------------------------------------------------------------------

  async #newRoom(asked: string): Promise<void> {
    const name = checkRoomName(asked);
    const isThere = nameKey(name) === MAIN_ROOM || isWord(name) || (await this.#pipe.findRoom(name)) !== undefined;
    if (this.#over) return;
    if (isThere || !this.#pipe.reserve(name)) return this.#taken();
    this.#reserved = name;
    this.#go('protect', ok(`Chatroom ${name} created. Do you want to password protect the room? [yes/no]`));
  }

  async #make(password: string | undefined): Promise<void> {
    const { house, accounts } = this.#pipe.options;
    const name = this.#reserved ?? '';
    const hash = password === undefined ? undefined : await accounts.hashPassword(password, this.#host.ip);
    if (this.#over) return;
    const room = await house.makeRoom(name, { description: '', owner: undefined, password: hash });
    if (this.#over) return;
    this.#release();
    this.#host.say(ok(hash === undefined ? 'Chatroom has been made public.' : 'Password accepted.'));
    this.#host.arrive(room, new Pass(room), true);
  }

  /** By somebody else of this dialect, or of another one meanwhile. */
  #taken(): void {
    this.#release();
    if (this.#step !== 'new room') this.#failed = 0;
    this.#step = 'new room';
    this.#fail('Sorry, chatroom already taken. Please try again.');
  }

  #release(): void {
    if (this.#reserved !== undefined) this.#pipe.release(this.#reserved);
    this.#reserved = undefined;
  }

  // --- a room that is there --------------------------------------------------------------------------------

  async #chooseRoom(name: string): Promise<void> {
    const room = await this.#pipe.findRoom(name);
    if (this.#over) return;
    if (!room) return this.#notFound();
    if (!room.isPrivate) return this.#host.arrive(room, new Pass(room), false);
    this.#room = room;
    this.#go('password', PRIVATE);
  }

  async #password(password: string): Promise<void> {
    const room = this.#room;
    if (!room) return this.#notFound();
    const pass = await this.#pipe.options.accounts.unlock(room, { password, ip: this.#host.ip });
    if (this.#over) return;
    this.#host.say(ok('Password accepted.'));
    this.#host.arrive(room, pass, false);
  }

  #notFound(): void {
    if (this.#step !== 'room') this.#failed = 0;
    this.#step = 'room';
    this.#fail('Sorry, chatroom name not found. Please try again.');
  }

  // --- what came of it -------------------------------------------------------------------------------------

  #go(step: Step, ...replies: PipeReply[]): void {
    this.#step = step;
    this.#failed = 0;
    this.#host.say(...replies);
  }

  #refuse({ code, message }: HouseError): void {
    if (code === 'no-such-room') return this.#notFound();
    if (this.#step === 'name' && (code === 'name-taken' || code === 'name-registered')) {
      return this.#fail(NAME_TAKEN);
    }
    if (code === 'name-taken') return this.#taken();
    if (this.#step !== 'password') return this.#fail(`Sorry, ${message}. Please try again.`);
    const left = MAX_TRIES - this.#failed - 1;
    const why = code === 'room-password' ? 'incorrect password' : message;
    this.#fail(`Sorry, ${why}. You have ${left} tries left.`, PRIVATE);
  }

  #fail(text: string, ...more: PipeReply[]): void {
    if (++this.#failed >= MAX_TRIES) this.#host.giveUp();
    else this.#host.say({ kind: 'error', text }, ...more);
  }
}

function ok(text: string): PipeReply {
  return { kind: 'ok', text };
}

const PRIVATE: PipeReply = ok('This chatroom is private. Please enter password.');
