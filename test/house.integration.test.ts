// One house: somebody of each dialect in the room `main`, on raw sockets; each says things, and all others have to hear
// them, each in its own form, whole and in order.

import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { splitText } from '../src/wire.ts';
import { decodeDatagram, encodeDatagram } from '../src/wire-datagram.ts';
import { encodeRequest as encodeLobby, type LobbyReply, LobbyReplyDecoder } from '../src/wire-lobby.ts';
import { chat, eventually, join, limited, pause, type Server, start } from './launch.ts';

const test = suite('one house');
const test_ = limited(test);
const HOST = '127.0.0.1';
const WAIT_MS = 20_000;

interface Heard {
  readonly from: string;
  readonly text: string;
}

/** Somebody in `main`. */
interface Voice {
  readonly name: string;
  say(text: string): void;
  /** All that others have said so far, in order. */
  heard(): Heard[];
}

// --- the dialects -------------------------------------------------------------------------------------------------

class Line {
  readonly socket: net.Socket;
  #bytes = Buffer.alloc(0);
  onData: (bytes: Buffer) => void = () => {};

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.onData(bytes);
    });
  }

  static async open(port: number): Promise<Line> {
    const socket = net.connect({ port, host: HOST, noDelay: true });
    await once(socket, 'connect');
    return new Line(socket);
  }

  get text(): string {
    return this.#bytes.toString();
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  async until(pattern: RegExp): Promise<RegExpExecArray> {
    return eventually(() => pattern.exec(this.text) ?? undefined, `no ${pattern}`, WAIT_MS);
  }
}

function all(text: string, pattern: RegExp, own: string): Heard[] {
  const found = [...text.matchAll(pattern)].map(([, from = '', said = '']) => ({ from, text: said }));
  return found.filter(({ from }) => from !== own);
}

async function lab(server: Server): Promise<Voice> {
  const name = 'larry';
  const line = await Line.open(server.tcp);
  line.send(join('main', name));
  const [, ref = '', id = ''] = await line.until(/ROOM_REF: ?(\d+)\nJOIN_ID: ?(\d+)/);
  return {
    name,
    say: (text) => line.send(chat(ref, id, name, text)),
    heard: () =>
      all(line.text, /CHAT: ?\d+\nCLIENT_NAME: ?(.*)\nMESSAGE: ?(.*)\n\n/g, name).filter(
        ({ text }) => !/has (?:joined|left) this chatroom\.$/.test(text),
      ),
  };
}

async function menu(server: Server): Promise<Voice> {
  const name = 'mary';
  const line = await Line.open(server.tcp);
  line.send(`${name}\n`);
  return {
    name,
    say: (text) => line.send(`${text}\n`),
    heard: () => all(line.text, /^([^\s:]+): (.*)\n/gm, name),
  };
}

async function pipe(server: Server): Promise<Voice> {
  const name = 'piet';
  const line = await Line.open(server.ports.pipe as number);
  line.send(`${name}\njoin\nmain\n`);
  await line.until(/Welcome to main/);
  return {
    name,
    say: (text) => line.send(`@all|${text}\n`),
    heard: () => all(line.text, /^#([^|\n]+)\|(.*)\n/gm, name),
  };
}

async function datagram(server: Server): Promise<Voice> {
  const name = 'dora';
  const socket = dgram.createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  const got: Heard[] = [];
  let isIn = false;
  const send = (message: Parameters<typeof encodeDatagram>[0]) =>
    socket.send(encodeDatagram(message), server.udp, HOST);
  // while a message waits for its ack, the next one waits
  const waiting: string[] = [];
  const sayNext = (): void => {
    const [text] = waiting;
    if (text !== undefined) send({ kind: 'group', name, text });
  };
  socket.on('message', (bytes) => {
    const message = decodeDatagram(bytes);
    switch (message.kind) {
      case 'conf_reg':
        isIn = true;
        return;
      case 'status_check':
        return send({ kind: 'status_confirm', from: name });
      case 'ack':
        waiting.shift();
        return sayNext();
      case 'group':
        got.push({ from: message.name, text: message.text });
        return send({ kind: 'ack', from: name });
      default:
        return;
    }
  });
  socket.unref();
  send({ kind: 'freg', name, port: socket.address().port, isOurs: false });
  await eventually(() => isIn || undefined, 'not registered', WAIT_MS);
  return {
    name,
    say: (text) => {
      waiting.push(text);
      if (waiting.length === 1) sayNext();
    },
    heard: () => got,
  };
}

async function lobby(server: Server): Promise<Voice> {
  const name = 'lobo';
  const replies: LobbyReply[] = [];
  const talk = async (port: number): Promise<Line> => {
    const line = await Line.open(port);
    const decoder = new LobbyReplyDecoder();
    line.onData = (bytes) => {
      decoder.push(bytes);
      for (let reply = decoder.next(); reply; reply = decoder.next()) replies.push(reply);
    };
    return line;
  };
  const is = <K extends LobbyReply['kind']>(kind: K) =>
    eventually(
      () => replies.find((reply): reply is LobbyReply & { kind: K } => reply.kind === kind),
      `no ${kind}`,
      WAIT_MS,
    );
  const hall = await talk(server.tcp);
  hall.send(encodeLobby({ kind: 'register', name, password: 'sekret 12' }));
  await is('good');
  replies.length = 0;
  hall.send(encodeLobby({ kind: 'login', name, password: 'sekret 12' }));
  await is('good');
  hall.send(encodeLobby({ kind: 'join', room: 'main', viaTcp: true }));
  const door = await is('door');
  const room = await talk(door.port);
  await is('previous');
  return {
    name,
    say: (contents) =>
      room.send(
        encodeLobby({
          kind: 'chat',
          chat: { creator: name, room: 'main', contents, datetime: '22:22:54, 05/10/2023' },
        }),
      ),
    heard: () =>
      replies.flatMap((reply) =>
        reply.kind === 'chat' && reply.chat.creator !== name
          ? [{ from: reply.chat.creator, text: reply.chat.contents }]
          : [],
      ),
  };
}

async function irc(server: Server): Promise<Voice> {
  const name = 'iris';
  const line = await Line.open(server.tcp);
  line.send(`NICK ${name}\r\nUSER ${name} 0 * :${name}\r\nJOIN #main\r\n`);
  await line.until(/ 366 iris #main /);
  return {
    name,
    say: (text) => {
      for (const piece of splitText(text, 400)) line.send(`PRIVMSG #main :${piece}\r\n`);
    },
    heard: () => all(line.text, /^:([^\s!]+)!\S+ PRIVMSG #main :?(.*)\r\n/gm, name),
  };
}

// --- what is said -------------------------------------------------------------------------------------------------

const TEXTS = [
  'hello',
  'Zoë, 漢字, 🙂 and ñandú',
  `long ${Array.from({ length: 500 }, (_, i) => `wörd${i}`).join(' ')} end`,
  "a|b|@all|c # {\"x\": [1]} 'q' \"d\" \\n MESSAGE: 1, m\tx {'type': 'GC'} $5 %s 100 %",
  'the last one',
];

function inTurn(voice: Voice, from: string): string {
  return voice
    .heard()
    .filter((heard) => heard.from === from)
    .map(({ text }) => text)
    .join('');
}

test_(
  'somebody of each dialect hears all others, whole and in order',
  async () => {
    const server = await start({ args: ['--pipe', '0'] });
    const voices: Voice[] = [];
    for (const open of [lab, menu, pipe, datagram, lobby, irc]) voices.push(await open(server));
    await pause(300);
    for (const text of TEXTS) {
      for (const voice of voices) {
        voice.say(text);
        await pause(20);
      }
    }
    // a blank at which a text was cut may be on either side, and is never lost
    const due = TEXTS.join('');
    for (const listener of voices) {
      for (const { name } of voices.filter((voice) => voice !== listener)) {
        await eventually(
          () => inTurn(listener, name).endsWith('the last one') || undefined,
          `${listener.name} heard of ${name}: ${JSON.stringify(inTurn(listener, name).slice(-300))}`,
          WAIT_MS,
        );
        assert.is(inTurn(listener, name), due, `${listener.name} heard ${name}`);
      }
    }
  },
  60,
);
test.run();
