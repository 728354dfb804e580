// parley-client lobby from a pipe and on a pseudo-terminal, against parley-server and against a classic server:
// the one below does what the published one does, and dies of what that one dies of.

import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { clientCommand, hasTerminals, limited, Program, pause, start, Terminal, temporaryDirectory } from './launch.ts';

const CTRL_C = '\x03';
const LEFT = '\x1b[D';
const UP = '\x1b[A';
const GROUP = '224.3.29.71';
const NEW_ROOM_MS = 100;
const PROMPT = 'enter a command> ';
const CHAT_PROMPT = 'enter a chat ("\\quit" to leave)> ';
const TIME = String.raw`\d\d:\d\d:\d\d, \d\d/\d\d/\d{4}`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour begins with
const COLOUR = /\x1b\[[\d;]*m/;

// --- a classic server ----------------------------------------------------------------------------------------

type Fields = Readonly<Record<string, unknown>>;

function frame(type: string, fields: Fields): string {
  const json = JSON.stringify(fields).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${type}${String(json.length).padStart(4, '0')}${json}`;
}

interface ClassicRoom {
  readonly door: Fields;
  readonly server: net.Server;
}

class ClassicServer {
  /** What it got, and where: in the lobby or in a room. */
  readonly frames: string[] = [];
  /** What the published one would have died of. */
  death: string | undefined;
  readonly #lobby = net.createServer((socket) => this.#serve(socket, (type, fields) => this.#answer(type, fields)));
  readonly #group = dgram.createSocket('udp4');
  readonly #users = new Map<string, unknown>();
  readonly #loggedIn: unknown[] = [];
  readonly #rooms = new Map<unknown, ClassicRoom>();
  readonly #sockets = new Set<net.Socket>();
  groupPort = 0;
  #closed = false;

  static async start(): Promise<ClassicServer> {
    const server = new ClassicServer();
    server.#lobby.listen(0, '127.0.0.1');
    await once(server.#lobby, 'listening');
    const free = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => free.bind(0, resolve));
    server.groupPort = free.address().port;
    free.close();
    return server;
  }

  get port(): number {
    return (this.#lobby.address() as net.AddressInfo).port;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
    for (const { server } of this.#rooms.values()) server.close();
    this.#lobby.close();
    this.#group.close();
  }

  /** To the group, whatever it is. */
  shout(datagram: string): void {
    this.#group.send(datagram, this.groupPort, GROUP);
  }

  /** It reads what is there, and closes when that is not a whole frame. */
  #serve(socket: net.Socket, answer: (type: string, fields: Fields) => string | Promise<string>): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', async (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; ) {
        const type = bytes.toString('latin1', at, at + 4);
        const end = at + 8 + Number(bytes.toString('latin1', at + 4, at + 8));
        if (!(bytes.length >= end)) return this.#die(socket, `a frame in parts: ${bytes}`);
        this.frames.push(bytes.toString('latin1', at, end));
        try {
          const reply = await answer(type, JSON.parse(bytes.toString('utf8', at + 8, end)));
          if (reply !== '') socket.write(reply);
        } catch (error) {
          return this.#die(socket, String(error));
        }
        at = end;
      }
    });
  }

  #die(socket: net.Socket, of: string): void {
    this.death ??= of;
    socket.destroy();
  }

  #answer(type: string, { username, password, room }: Fields): string | Promise<string> {
    const good = (message: string) => frame('GOOD', { message });
    const error = (message: string) => frame('ERRO', { message });
    switch (type) {
      case 'CUSR':
        this.#users.set(String(username), password);
        return good('user created');
      case 'LGIN':
        if (this.#users.get(String(username)) !== password) return error('invalad username or password.');
        this.#loggedIn.push(username);
        return good('you are now logged in!');
      case 'LOUT': {
        const at = this.#loggedIn.indexOf(username);
        if (at < 0) return error('Could not logout.');
        this.#loggedIn.splice(at, 1);
        return good('you are now logged out!');
      }
      case 'LTRQ':
        return frame('LTRS', { rooms: [...this.#rooms.keys()] });
      case 'JOIN':
        return this.#join(room);
      default:
        throw new Error(`${type} in the lobby`);
    }
  }

  async #join(name: unknown): Promise<string> {
    const room = this.#rooms.get(name) ?? (await this.#open(name));
    return frame('CONN', room.door);
  }

  async #open(name: unknown): Promise<ClassicRoom> {
    const chats: Fields[] = [];
    let connections = 0;
    const server = net.createServer((socket) => {
      connections++;
      socket.write(frame('PREV', { chats }));
      socket.on('close', () => {
        if (--connections > 0) return;
        this.#rooms.delete(name);
        server.close();
      });
      this.#serve(socket, (type, chat) => this.#chat(chats, type, chat));
    });
    server.listen(0, '127.0.0.1');
    await Promise.all([once(server, 'listening'), pause(NEW_ROOM_MS)]);
    const { port } = server.address() as net.AddressInfo;
    const room = { door: { TCPport: port, GRP: GROUP, MCport: this.groupPort }, server };
    this.#rooms.set(name, room);
    return room;
  }

  #chat(chats: Fields[], type: string, chat: Fields): string {
    const { creator, room, contents, datetime } = chat;
    const fields = [creator, room, contents, datetime];
    if (type !== 'CHAT' || fields.includes(undefined)) throw new Error(`${type} in a room`);
    chats.push({ creator, room, contents, datetime });
    if (chats.length > 10) chats.shift();
    const datagram = frame('CHAT', chat);
    if (datagram.length > 1024) throw new Error(`${datagram.length} bytes for classic clients to read`);
    // a moment later: what comes back is not there at once
    setTimeout(() => this.shout(datagram), 20);
    return frame('GOOD', { message: `got your chat: "${contents}"` });
  }
}

/** Whether what one socket sends to a group another one on this machine hears. */
async function hasMulticast(): Promise<boolean> {
  const socket = dgram.createSocket({ type: 'udp4', reuseAddr: true });
  try {
    await new Promise<void>((resolve) => socket.bind(0, resolve));
    socket.addMembership(GROUP);
    const heard = once(socket, 'message').then(() => true);
    socket.on('error', () => {});
    socket.send('x', socket.address().port, GROUP, () => {});
    return await Promise.race([heard, pause(1000).then(() => false)]);
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

// --- what the tests do with them -------------------------------------------------------------------------------

interface Lobby {
  readonly port: number;
  close(): void;
}

const classics: ClassicServer[] = [];

async function startClassic(): Promise<ClassicServer> {
  const server = await ClassicServer.start();
  classics.push(server);
  return server;
}

async function startOurs(): Promise<Lobby> {
  const server = await start();
  return { port: server.tcp, close: () => server.kill('SIGKILL') };
}

function open({ port }: { readonly port: number }): Program {
  return new Program({ command: [...clientCommand(), 'lobby', '127.0.0.1', String(port)], port: 'none' });
}

/** Lines from a pipe, to the end of what comes of them. */
async function script(lobby: Lobby, ...lines: string[]): Promise<{ status: number | null; stdout: string }> {
  const client = open(lobby);
  client.type(lines.map((line) => `${line}\n`).join(''));
  client.endInput();
  const { status } = await client.exit(10_000);
  assert.is(client.stderr, '');
  return { status, stdout: client.stdout };
}

/** One in a room, logged in. */
async function enter(lobby: Lobby, name: string, room: string): Promise<Program> {
  const client = open(lobby);
  client.type(`newuser ${name} secret\nlogin ${name} secret\njoin ${room}\n`);
  await client.printed(/\(.*\)> \n/);
  return client;
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
const chat = (contents: string, creator: string) => new RegExp(`^${escaped(contents)}\n~${creator} @${TIME}\n\n`, 'm');
const withTimes = (text: string) => text.replace(new RegExp(TIME, 'g'), 'TIME').replace(/( to )\d+\n/g, '$1PORT\n');

const multicast = await hasMulticast();
const test = suite('parley-client lobby');
test.after.each(() => {
  const deaths = classics.map(({ death }) => death);
  for (const server of classics.splice(0)) server.close();
  assert.equal(
    deaths.filter((death) => death !== undefined),
    [],
  );
});
const test_ = limited(test);
const classic_ = multicast ? test_ : (name: string) => test.skip(`${name} (needs multicast)`);
const terminal_ = hasTerminals() ? test_ : (name: string) => test.skip(`${name} (needs python3)`);

for (const [kind, open_, startOne] of [
  ['a classic server', classic_, startClassic],
  ['our server', test_, startOurs],
] as const) {
  open_(`does from a pipe what the lines say, with ${kind}`, async () => {
    const lobby: Lobby = await startOne();
    const lines = [
      'newuser a bcdefgh',
      'login a bcdefgh',
      'join room',
      'hello',
      'Grüße 😀',
      '\\quit',
      'logout',
      'exit',
    ];
    const { status, stdout } = await script(lobby, ...lines, 'list');
    assert.is(status, 0);
    assert.is(
      withTimes(stdout),
      `Starting interface...\n${PROMPT}\ncreating user...\nuser created\n${PROMPT}\n` +
        `loging in...\nyou are now logged in!\n${PROMPT}\njoining room...\nattempting to connect to PORT\n` +
        `${CHAT_PROMPT}\nhello\n~a @TIME\n\nGrüße 😀\n~a @TIME\n\nQuitting\n${PROMPT}\n` +
        `logging out...\nyou are now logged out!\n${PROMPT}\nexiting...\n`,
    );
  });

  open_(`two of them talk, with ${kind}`, async () => {
    const lobby: Lobby = await startOne();
    const ann = await enter(lobby, 'ann', 'den');
    ann.type('anybody here?\n');
    await ann.printed(chat('anybody here?', 'ann'));
    const ben = await enter(lobby, 'ben', 'den');
    await ben.printed(chat('anybody here?', 'ann'));
    ben.type('me\n');
    await ann.printed(chat('me', 'ben'));
    await ben.printed(chat('me', 'ben'));
    const long = 'a rather long line '.repeat(100).trim();
    ann.type(`${long}\n\\quit\nlist\n`);
    await ann.printed(/Active Rooms---\n\n {2}- den\n\n/);
    ann.type('join den\nback again\n');
    await ben.printed(chat('back again', 'ann'));
    const [first, ...rest] = Array.from(ben.stdout.matchAll(/^(.*)\n~ann @/gm), ([, text]) => text);
    assert.is(first, 'anybody here?');
    assert.is(rest.join(''), `${long}back again`);
    for (const client of [ann, ben]) {
      client.endInput();
      assert.is((await client.exit()).status, 0);
      assert.match(client.stdout, new RegExp(`Quitting\n${PROMPT}\nexiting\\.\\.\\.\n$`));
    }
  });

  open_(`many lines from a pipe arrive in order, with ${kind}`, async () => {
    const lobby: Lobby = await startOne();
    const lines = Array.from({ length: 50 }, (_, at) => `line ${at}`);
    const { stdout } = await script(lobby, 'newuser a bcdefgh', 'login a bcdefgh', 'join room', ...lines);
    assert.equal(stdout.match(/^line \d+$/gm), lines);
  });

  open_(`${kind} that goes away is told in one line`, async () => {
    const lobby: Lobby = await startOne();
    const client = open(lobby);
    await client.printed(/> \n/);
    lobby.close();
    assert.is((await client.exit()).status, 1);
    assert.match(client.stderr, /^parley-client: the server has closed the connection\n$/);
  });
}

// --- a classic server's limits ---------------------------------------------------------------------------------

classic_('a classic server gets nothing that it dies of', async () => {
  const server = await startClassic();
  const ours = ['room x', 'room x --password', 'secret', 'delete x', 'history x', 'search x'];
  const inRoom = ['join den', '\\history', '\\search a', '\\quit'];
  const { stdout } = await script(server, ...ours, 'list --all', ...inRoom, 'history', 'list');
  assert.is(stdout.split('this server has no such command\n').length - 1, 8);
  assert.match(stdout, /\n---Active Rooms---\n\nenter/);
  const types = new Set(server.frames.map((one) => one.slice(0, 4)));
  assert.equal([...types], ['LTRQ', 'JOIN']);
});

classic_('datagrams that are no chats of this room are not shown', async () => {
  const server = await startClassic();
  const ann = await enter(server, 'ann', 'den');
  const said = (room: string, contents: string) => frame('CHAT', { creator: 'eve', room, contents, datetime: '1, 2' });
  for (const junk of ['', 'CHAT', 'CHAT0002{}', 'GOOD0015{"message": ""}', '\xff\xfe', said('other', 'elsewhere')]) {
    server.shout(junk);
  }
  server.shout(said('den', 'right \x1b[2J here'));
  await ann.printed(/^right \ufffd\[2J here\n~eve @1, 2\n\n/m);
  assert.not.match(ann.stdout, /elsewhere/);
});

classic_('a classic room that is gone leads back to the lobby', async () => {
  const server = await startClassic();
  const ann = await enter(server, 'ann', 'den');
  ann.type('\\quit\nlist\n');
  await ann.printed(/Active Rooms/);
  assert.is(server.frames.at(-1), frame('LTRQ', {}));
});

// --- ours ------------------------------------------------------------------------------------------------------

test_('rooms with an owner and a password, history and search', async () => {
  const lobby = await startOurs();
  const ann = await script(
    lobby,
    ...[
      'newuser ann secret12',
      'login ann secret12',
      'room den a cosy place --password',
      'hush hush',
      'room hall for all',
    ],
    ...['join hall', 'first words', 'second words', '\\history 1', '\\quit', 'list --all', 'history 5', 'search first'],
  );
  assert.is(ann.status, 0);
  const at = ann.stdout.indexOf('Quitting');
  assert.match(ann.stdout.slice(0, at), new RegExp(`\n1 chat from hall:\nsecond words\n~ann @${TIME}\n\n$`));
  assert.match(ann.stdout.slice(at), /---All Rooms---\n\n {2}- hall \(.*\): for all\n\nenter/);
  assert.match(ann.stdout.slice(at), /\n2 chats from hall:\nfirst words\n[\s\S]*second words\n/);
  assert.match(ann.stdout.slice(at), new RegExp(`\n1 chat with first:\nfirst words\n~ann @${TIME} in hall\n\n`));
  const ben = await script(lobby, 'join den', 'join den wrong', 'delete hall', 'login ann secret12', 'delete hall');
  assert.is(ben.stdout.match(/joining room\.\.\.\n(?!attempting)/g)?.length, 2);
  assert.match(ben.stdout, /room hall deleted\n/);
});

// --- arguments -------------------------------------------------------------------------------------------------

test_('a server that is not there, and arguments that are wrong', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  const client = open({ port });
  assert.is((await client.exit()).status, 1);
  assert.is(client.stderr, `parley-client: no server answers on 127.0.0.1 port ${port}\n`);
  assert.is(client.stdout, '');
  const wrong = open({ port: 70_000 });
  assert.is((await wrong.exit()).status, 2);
});

test_('a server that speaks something else is told', async () => {
  const server = net.createServer((socket) => socket.end('SSH-2.0-OpenSSH\r\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = open({ port: (server.address() as net.AddressInfo).port });
  assert.is((await client.exit()).status, 1);
  assert.match(client.stderr, /^parley-client: this is not a lobby server: .*\n$/);
  server.close();
});

// --- on a terminal ---------------------------------------------------------------------------------------------

function onTerminal({ port }: Lobby, size?: number[], env: Record<string, string> = {}): Terminal {
  const words = [...clientCommand(), 'lobby', '127.0.0.1', String(port)];
  return new Terminal(words, temporaryDirectory(), env, size);
}

const CHAT_ROW = new RegExp(`^~\\w+ @${TIME}$`);

for (const [kind, open_, startOne] of [
  ['a classic server', multicast ? terminal_ : classic_, startClassic],
  ['our server', terminal_, startOurs],
] as const) {
  open_(`what a person sees, with ${kind}`, async () => {
    const lobby: Lobby = await startOne();
    const ann = onTerminal(lobby);
    await ann.endsWith('Starting interface...', `${PROMPT}|`);
    ann.type('newuser ann secret\rlogin ann secret\r');
    await ann.endsWith('you are now logged in!', `${PROMPT}|`);
    ann.type('join den\r');
    await ann.endsWith(/^attempting to connect to \d+$/, '', CHAT_PROMPT.trimEnd(), '|');
    // one row more than the screen has
    assert.match(ann.program.stdout, /\n{23}|(?:\r\n){23}/);
    assert.not.match(ann.program.stdout, /\[3J/);
    ann.type('half a line');
    await ann.endsWith(CHAT_PROMPT.trimEnd(), 'half a line|');
    const ben = await enter(lobby, 'ben', 'den');
    ann.type(LEFT.repeat(4));
    ben.type('hello\n');
    await ann.endsWith('hello', CHAT_ROW, '', CHAT_PROMPT.trimEnd(), 'half a |line');
    ann.type('whole \r');
    await ann.endsWith('hello', CHAT_ROW, '', 'half a whole line', CHAT_ROW, '', CHAT_PROMPT.trimEnd(), '|');
    assert.is(ann.rows().filter((row) => row.includes('half a')).length, 1);
    ann.type('\\quit\r');
    await ann.endsWith('Quitting', '', `${PROMPT}|`);
    ann.type('exit\r');
    assert.is((await ann.program.exit()).status, 0);
    await ann.endsWith(`${PROMPT}exit`, 'exiting...', '|');
  });
}

terminal_('a narrow and low one', async () => {
  const lobby = await startOurs();
  const ann = onTerminal(lobby, [5, 20]);
  ann.type('join den\r');
  await ann.endsWith('enter a chat ("\\quit', '" to leave)>', '|');
  const ben = await enter(lobby, 'ben', 'den');
  ann.type('this is more than a row');
  await ann.endsWith('enter a chat ("\\quit', '" to leave)>', 'this is more than a', 'row|');
  ben.type('hello\n');
  await ann.endsWith(
    'hello',
    /^~ben @/,
    /^/,
    '',
    'enter a chat ("\\quit',
    '" to leave)>',
    'this is more than a',
    'row|',
  );
});

terminal_('what is asked for as a password is not shown, and no password remembered', async () => {
  const lobby = await startOurs();
  const ann = onTerminal(lobby);
  ann.type('newuser ann secret12\rlogin ann secret12\r');
  await ann.endsWith('you are now logged in!', `${PROMPT}|`);
  ann.type(UP);
  await pause(100);
  await ann.endsWith(`${PROMPT}|`);
  ann.type('room den --password\r');
  await ann.endsWith('password> |');
  ann.type(`hus${LEFT}${LEFT}xh`);
  await ann.endsWith('password> ***|**');
  ann.type('\r');
  await ann.endsWith('password> *****', 'making room...', 'room den created', `${PROMPT}|`);
  ann.type(UP);
  await ann.endsWith(`${PROMPT}room den --password|`);
  assert.not.match(ann.program.stdout, /h[\s\S]*xh.*us/);
  ann.type('\x15room hall --password\r');
  await ann.endsWith('password> |');
  ann.type(`abc${CTRL_C}`);
  assert.is((await ann.program.exit()).status, 0);
  await ann.endsWith('password> ***', 'exiting...', '|');
  assert.not.match(ann.program.stdout, /abc/);
});

for (const [env, coloured] of [
  [{}, true],
  [{ NO_COLOR: '1' }, false],
] as const) {
  terminal_(`${coloured ? 'colours' : 'NO_COLOR: no colours'}`, async () => {
    const lobby = await startOurs();
    const ann = onTerminal(lobby, [24, 80], env);
    ann.type('newuser ann secret12\rlogin ann secret12\rjoin den\rhello\r');
    await ann.endsWith('hello', CHAT_ROW, '', CHAT_PROMPT.trimEnd(), '|');
    assert.is(COLOUR.test(ann.program.stdout), coloured);
  });
}
test.run();
