// Layer 3. The client's `lab` face: a line typed or a reply come in, actions out. Pure: no socket, terminal
// or clock. Lines that are typed (or piped) while an answer is awaited wait for it, so that
// `/join room`, a text and `/quit` do from a pipe what they say.

import type { Face, Action as FaceAction } from './face.ts';
import { printable } from './printable.ts';
import { encodeText } from './wire.ts';
import type { LabReply, LabRequest } from './wire-lab.ts';

export type ClientRequest = Exclude<LabRequest, { kind: 'other' | 'fault' }>;
type Action = FaceAction<ClientRequest>;

/** Where the server is to call back: over TCP nowhere. */
export interface Callback {
  readonly ip: string;
  readonly port: string;
}

/** A room, and the name worn in it. */
interface Seat {
  readonly room: string;
  readonly name: string;
}

interface Command {
  readonly usage: string;
  readonly help: string;
  run(face: LabFace, argument: string): Action[];
}

const COMMANDS: Readonly<Record<string, Command>> = {
  join: { usage: '/join ROOM', help: 'enter a room', run: (face, room) => face.join(room) },
  leave: { usage: '/leave [ROOM]', help: 'leave it', run: (face, room) => face.leave(room) },
  room: { usage: '/room ROOM', help: 'talk in this one of your rooms', run: (face, room) => face.turnTo(room) },
  rooms: { usage: '/rooms', help: 'the rooms you are in', run: (face) => face.listRooms() },
  name: {
    usage: '/name NAME',
    help: 'your name in rooms that you enter from now on',
    run: (face, name) => face.rename(name),
  },
  say: { usage: '/say TEXT', help: 'a text that begins with a slash', run: (face, text) => face.say(text) },
  helo: { usage: '/helo TEXT', help: 'ask the server who it is', run: (face, text) => face.helo(text) },
  kill: { usage: '/kill', help: 'end the service', run: (face) => face.kill() },
  quit: { usage: '/quit', help: 'leave all rooms and end', run: (face) => face.quit() },
  help: { usage: '/help', help: 'this list', run: () => [note(helpText())] },
};

export class LabFace implements Face<ClientRequest> {
  readonly #callback: Callback;
  #name: string;
  /** The rooms it is in, by ROOM_REF. */
  readonly #rooms = new Map<string, Seat>();
  /** The names of these, and of those it was in: its own farewell comes after LEFT. */
  readonly #roomNames = new Map<string, string>();
  #current: string | undefined;
  #joinId = '0';
  /** The answer that typed lines wait for. */
  #awaited: LabReply['kind'] | undefined;
  readonly #typed: string[] = [];
  #inputEnded = false;
  /** The connection's end is what was asked for. */
  #leaving = false;

  constructor(name: string, callback: Callback) {
    this.#name = name;
    this.#callback = callback;
  }

  get prompt(): string {
    return `${(this.#current && this.#rooms.get(this.#current)?.room) ?? 'lab'}> `;
  }

  /** Typed lines are piling up: no more of them for now. */
  get isWaiting(): boolean {
    return this.#typed.length > 0;
  }

  get isAwaiting(): boolean {
    return this.#awaited !== undefined || this.#leaving;
  }

  line(text: string): Action[] {
    this.#typed.push(text);
    return this.#runTyped();
  }

  /** The end of input is like /quit, after what was typed before. */
  inputEnded(): Action[] {
    this.#inputEnded = true;
    return this.#runTyped();
  }

  received(reply: LabReply): Action[] {
    const actions = this.#show(printableReply(reply));
    if (reply.kind === this.#awaited) this.#awaited = undefined;
    return [...actions, ...this.#runTyped()];
  }

  /** The connection is gone. */
  closed(error?: string): Action[] {
    if (this.#leaving && error === undefined) return [{ kind: 'exit', status: 0 }];
    return [{ kind: 'exit', status: 1, error: error ?? 'the server has closed the connection' }];
  }

  /** What Tab can make of the beginning of a line. */
  complete(line: string): string[] {
    const [, command] = /^\/(leave|room) /.exec(line) ?? [];
    const candidates =
      command === undefined
        ? Object.keys(COMMANDS).map((name) => `/${name} `)
        : [...this.#rooms.values()].map(({ room }) => `/${command} ${room}`);
    return candidates.filter((candidate) => line !== '' && candidate.startsWith(line));
  }

  // --- commands ------------------------------------------------------------------------------------------

  join(room: string): Action[] {
    if (room === '') return [usage('join')];
    this.#awaited = 'joined';
    return [send({ kind: 'join', room, ...this.#callback, name: this.#name })];
  }

  leave(room: string): Action[] {
    const ref = room === '' ? this.#current : this.#refOf(room);
    if (ref === undefined) return [note(room === '' ? 'You are in no room.' : `You are not in ${room}.`)];
    this.#awaited = 'left';
    return [send({ kind: 'leave', ref, joinId: this.#joinId, name: this.#nameIn(ref) })];
  }

  turnTo(room: string): Action[] {
    const ref = this.#refOf(room);
    if (ref === undefined) return [room === '' ? usage('room') : note(`You are not in ${room}.`)];
    this.#current = ref;
    return [this.#prompt()];
  }

  listRooms(): Action[] {
    const rooms = [...this.#rooms].map(([ref, { room }]) => `${ref === this.#current ? '* ' : '  '}${room}`);
    return [note(rooms.length > 0 ? rooms.join('\n') : 'You are in no room.')];
  }

  rename(name: string): Action[] {
    if (name === '') return [usage('name')];
    this.#name = name;
    return [note(`You enter rooms as ${name} from now on.`)];
  }

  say(text: string): Action[] {
    if (text === '') return [usage('say')];
    const ref = this.#current;
    if (ref === undefined) return [note('You are in no room: /join ROOM first.')];
    return [send({ kind: 'chat', ref, joinId: this.#joinId, name: this.#nameIn(ref), text })];
  }

  helo(text: string): Action[] {
    this.#awaited = 'helo';
    return [send({ kind: 'helo', line: encodeText(`HELO ${text}`.trim()) })];
  }

  kill(): Action[] {
    this.#leaving = true;
    return [send({ kind: 'kill' })];
  }

  quit(): Action[] {
    this.#leaving = true;
    return [send({ kind: 'disconnect', ...this.#callback, name: this.#name })];
  }

  // --- inside --------------------------------------------------------------------------------------------

  #runTyped(): Action[] {
    const actions: Action[] = [];
    while (this.#awaited === undefined && !this.#leaving) {
      const text = this.#typed.shift();
      if (text !== undefined) actions.push(...this.#run(text));
      else if (this.#inputEnded) actions.push(...this.quit());
      else break;
    }
    return actions;
  }

  #run(text: string): Action[] {
    const line = text.trim();
    if (line === '') return [];
    const [, word, argument = ''] = /^\/(\S+)\s*(.*)$/s.exec(line) ?? [];
    if (word === undefined) return this.say(line);
    const command = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
    return command
      ? command.run(this, argument)
      : [note(`There is no /${printable(word)}: /help lists what there is.`)];
  }

  #show(reply: LabReply): Action[] {
    switch (reply.kind) {
      case 'helo': {
        const { line, ip, port, studentId } = reply;
        const text = `${new TextDecoder().decode(line)}\nIP:${ip}\nPort:${port}\nStudentID:${studentId}`;
        return [{ kind: 'print', tone: 'plain', text }];
      }
      case 'joined':
        // who enters a room again keeps the name worn there
        if (!this.#rooms.has(reply.ref)) this.#rooms.set(reply.ref, { room: reply.room, name: this.#name });
        this.#roomNames.set(reply.ref, reply.room);
        this.#current = reply.ref;
        this.#joinId = reply.joinId;
        return [note(`You are in ${reply.room} (ROOM_REF ${reply.ref}, JOIN_ID ${reply.joinId}).`), this.#prompt()];
      case 'left': {
        const room = this.#roomName(reply.ref);
        this.#rooms.delete(reply.ref);
        if (this.#current === reply.ref) this.#current = [...this.#rooms.keys()].at(-1);
        return [note(`You have left ${room}.`), this.#prompt()];
      }
      case 'chat':
        return [this.#chat(reply.ref, reply.name, reply.text)];
      case 'error':
        return [{ kind: 'exit', status: 1, error: `ERROR_CODE ${reply.code}: ${reply.description}` }];
    }
  }

  #chat(ref: string, who: string, text: string): Action {
    const room = this.#roomName(ref);
    const announces = text === `${who} has joined this chatroom.` || text === `${who} has left this chatroom.`;
    if (announces) return note(`[${room}] ${text}`);
    return { kind: 'print', tone: 'chat', who, text: `[${room}] ${who}: ${text.replaceAll('\n', '\n  ')}` };
  }

  #roomName(ref: string): string {
    return this.#roomNames.get(ref) ?? ref;
  }

  /** One's own name in a room. */
  #nameIn(ref: string): string {
    return this.#rooms.get(ref)?.name ?? this.#name;
  }

  #prompt(): Action {
    return { kind: 'prompt', text: this.prompt };
  }

  #refOf(room: string): string | undefined {
    for (const [ref, seat] of this.#rooms) if (seat.room.toLowerCase() === room.toLowerCase()) return ref;
    return this.#rooms.has(room) ? room : undefined;
  }
}

function send(request: ClientRequest): Action {
  return { kind: 'send', request };
}

function note(text: string): Action {
  return { kind: 'print', tone: 'note', text };
}

function usage(name: string): Action {
  return note(`Usage: ${COMMANDS[name]?.usage}`);
}

function helpText(): string {
  const rows = Object.values(COMMANDS).map((command) => `${command.usage.padEnd(16)}${command.help}`);
  return ['What you type is said in the room that the prompt shows. Commands:', ...rows].join('\n');
}

/** Every reply passes through here before anything is made of it. */
function printableReply(reply: LabReply): LabReply {
  const fields = Object.entries(reply).map(([field, value]: [string, string | Uint8Array]) => [
    field,
    typeof value === 'string' ? printable(value) : encodeText(printable(new TextDecoder().decode(value))),
  ]);
  return Object.fromEntries(fields);
}
