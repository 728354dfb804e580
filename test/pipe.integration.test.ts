// The `pipe` dialect on real sockets: where it listens, the dialogue as classic clients play it, the operator's
// console on a pipe and on a terminal.

import net from 'node:net';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Client,
  chat,
  hasJoined,
  hasTerminals,
  join,
  limited,
  runToEnd,
  type Server,
  said,
  serverCommand,
  start,
  Terminal,
  temporaryDirectory,
} from './launch.ts';

const RANGE = Array.from({ length: 10 }, (_, i) => 50_000 + i);

/** What a client says and what it is told for that, step by step. */
async function talk(
  client: Client,
  steps: ReadonlyArray<readonly [say: string, told: string | RegExp]>,
): Promise<void> {
  for (const [say, told] of steps) {
    client.send(say);
    await client.expect(told);
  }
}

async function connect(server: Server, port = server.ports.pipe as number): Promise<Client> {
  const client = await Client.connect(port);
  await client.expect(`Connected to 127.0.0.1 at port ${port}\nPlease enter your username\n`);
  return client;
}

const accepted = (name: string) => `OK|Username ${name} accepted. Send create/join a chatroom\n`;
const welcome = (room: string) => `Welcome to ${room}. You are all set to pass messages\n`;
const found = (...rooms: string[]) => `OK|Here is a list of chatrooms you can join.\n${rooms.join('|')}\n`;

/** `end` is a newline for our own clients, nothing for classic ones. */
async function make(server: Server, name: string, room: string, end = ''): Promise<Client> {
  const client = await connect(server);
  await talk(client, [
    [`${name}${end}`, accepted(name)],
    [`create${end}`, 'OK|Specify a chatroom name to create.\n'],
    [`${room}${end}`, `OK|Chatroom ${room} created. Do you want to password protect the room? [yes/no]\n`],
    [`no${end}`, `OK|Chatroom has been made public.\n${welcome(room)}`],
  ]);
  return client;
}

async function enter(server: Server, name: string, room: string, peers: string, end = ''): Promise<Client> {
  const client = await connect(server);
  await talk(client, [
    [`${name}${end}`, accepted(name)],
    [`join${end}`, found(room)],
    [
      `${room}${end}`,
      `OK|You have joined chatroom - ${room}\nHere is a list of peers in the room:\n${peers}\n${welcome(room)}`,
    ],
  ]);
  return client;
}

const PIPE = ['--pipe', '0'];

// --- where ------------------------------------------------------------------------------------------------------

const where = suite('pipe server: its port');
const where_ = limited(where);

where_('is one of its own, in the ready line', async () => {
  for (const args of [PIPE, ['--listen', 'pipe:0'], ['--pipe', 'off', '--listen', 'pipe:0']]) {
    const server = await start({ args });
    assert.match(server.stdout, /^ready tcp=\d+ udp=\d+ pipe=\d+\n$/);
    await connect(server);
  }
});

where_('is the first free one of those that classic clients try', async () => {
  const one = await start({ env: { PARLEY_PIPE: 'auto' } });
  const two = await start({ args: ['--pipe', 'auto'] });
  const ports = [one.ports.pipe as number, two.ports.pipe as number];
  assert.ok(ports.every((port) => RANGE.includes(port)) && ports[0] !== ports[1], `${ports}`);
  for (const server of [one, two]) await connect(server);
});

where_('is none when all of those are taken: that is said, and all else works', async () => {
  const holders = await Promise.all(RANGE.map(hold));
  try {
    const server = await start({ args: ['--pipe', 'auto'] });
    assert.match(server.stdout, /^ready tcp=\d+ udp=\d+\n$/);
    assert.is(server.stderr.match(/no port for pipe clients is free/g)?.length, 1);
    const client = await Client.connect(server.tcp);
    client.send('HELO x\n');
    await client.expect(/HELO x\n/);
  } finally {
    for (const holder of holders) holder.close();
  }
});

/** One that is taken already serves as well. */
function hold(port: number): Promise<net.Server> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(server));
    server.listen(port, () => resolve(server));
  });
}

where_('is off when told so, and one that is asked for and taken is refused', async () => {
  const server = await start({ args: ['--pipe', 'off'] });
  assert.match(server.stdout, /^ready tcp=\d+ udp=\d+\n$/);
  const { status, stderr } = await runToEnd({ data: ':memory:', args: ['--pipe', String(server.tcp)] });
  assert.is(status, 1);
  assert.match(stderr, new RegExp(`^parley-server: port ${server.tcp} is taken by another program\n$`));
});
where.run();

// --- talk -------------------------------------------------------------------------------------------------------

const talking = suite('pipe server: classic clients');
const talking_ = limited(talking);

talking_('a room with a password, from the first word to the last', async () => {
  const server = await start({ args: PIPE });
  const alice = await connect(server);
  await talk(alice, [
    ['alice', accepted('alice')],
    ['join', 'ERROR|There are no chatrooms to join now\n'],
    ['create', 'OK|Specify a chatroom name to create.\n'],
    ['room1', 'OK|Chatroom room1 created. Do you want to password protect the room? [yes/no]\n'],
    ['yes', 'OK|Please enter password.\n'],
    ['sekret', `OK|Password accepted.\n${welcome('room1')}`],
  ]);
  const bob = await connect(server);
  const asked = 'OK|This chatroom is private. Please enter password.\n';
  await talk(bob, [
    ['alice', 'ERROR|Username taken, kindly choose another.\n'],
    ['bob', accepted('bob')],
    ['join', found('room1')],
    ['room1', asked],
    ['wrong', `ERROR|Sorry, incorrect password. You have 4 tries left.\n${asked}`],
    [
      'sekret',
      'OK|Password accepted.\nOK|You have joined chatroom - room1\n' +
        `Here is a list of peers in the room:\nalice\n${welcome('room1')}`,
    ],
  ]);
  await alice.expect('INFO| New user bob has joined\n');
  bob.send('@alice|getfile|song.mp3@alice|127.0.0.1|46268');
  await alice.expect('#bob|getfile|song.mp3\n#bob|127.0.0.1|46268\n');
  alice.send('@all|hi|Zoë 🙂');
  await bob.expect('#alice|hi|Zoë 🙂\n');
  await talk(bob, [
    ['@me|setshare|song.mp3', '#me|setshare|song.mp3\n'],
    ['@server|get_peers', 'alice|bob\n'],
    ['@server|get_rooms', 'room1\n'],
    ['@nobody|hi', 'ERROR|Sorry, destination client not present in chatroom\n'],
    ['hi', 'ERROR|Sorry, first field in message should be @<destination>\n'],
  ]);
  bob.send('@server|exit');
  assert.is(await bob.toEnd(), 'exit');
  await alice.expect('INFO| User bob has left\n');
});

talking_('too many tries: the error, exit, closed', async () => {
  const server = await start({ args: PIPE });
  const client = await connect(server);
  for (let tries = 1; tries < 5; tries++)
    await talk(client, [['all', 'ERROR|Username taken, kindly choose another.\n']]);
  client.send('all');
  assert.is(await client.toEnd(), 'ERROR|Max tries reached, closing connection.\nexit');
});

talking_('one that vanishes leaves its name and the room', async () => {
  const server = await start({ args: PIPE });
  const alice = await make(server, 'alice', 'hall');
  for (const how of ['reset', 'destroy'] as const) {
    const bob = await enter(server, 'bob', 'hall', 'alice');
    await alice.expect('INFO| New user bob has joined\n');
    bob[how]();
    await alice.expect('INFO| User bob has left\n');
  }
});

talking_('a script from a pipe: all at once, then the end', async () => {
  const server = await start({ args: PIPE });
  const client = await connect(server);
  client.send('bob\ncreate\nhall\nno\n@me|hi\n@server|get_peers\n');
  client.halfClose();
  assert.match(await client.toEnd(), /Welcome to hall[^\n]*\n#me\|hi\nbob\nexit\n$/);
});

talking_('byte by byte', async () => {
  const server = await start({ args: PIPE });
  const client = await connect(server);
  await client.sendByByte('bob\r\ncreate\r\nhall\r\nno\r\n@me|Zoë 🙂\r\n');
  await client.expect(/[\s\S]*Welcome to hall[^\n]*\n#me\|Zoë 🙂\n/);
});

talking_('and lab clients are in one room', async () => {
  const server = await start({ args: PIPE });
  const ann = await Client.connect(server.tcp);
  ann.send(join('hall', 'ann'));
  await ann.expect(new RegExp(`[\\s\\S]*?${hasJoined(0, 'ann')}`));
  const bob = await enter(server, 'bob', 'hall', 'ann');
  await ann.expect(hasJoined(0, 'bob'));
  bob.send('@all|hi|ann');
  await ann.expect(said(0, 'bob', 'hi|ann'));
  ann.send(chat(0, 1, 'ann', 'hi bob'));
  await ann.expect(said(0, 'ann', 'hi bob'));
  await bob.expect('#ann|hi bob\n');
  bob.send('@ann|psst');
  await ann.expect(/CHAT: 0\nCLIENT_NAME: bob\nMESSAGE: .*psst\n\n/);
  ann.destroy();
  await bob.expect('INFO| User ann has left\n');
});

talking_('a room keeps its password when the server is started again', async () => {
  const server = await start({ args: PIPE });
  const alice = await connect(server);
  await talk(alice, [
    ['alice\n', accepted('alice')],
    ['create\n', /OK[^\n]*\n/],
    ['den\n', /OK[^\n]*\n/],
    ['yes\n', /OK[^\n]*\n/],
    ['sekret\n', `OK|Password accepted.\n${welcome('den')}`],
  ]);
  server.kill('SIGKILL');
  await server.exit();
  const again = await start({ args: PIPE, data: server.data });
  const bob = await connect(again);
  await talk(bob, [
    ['bob\n', accepted('bob')],
    ['join\n', found('den')],
    ['den\n', 'OK|This chatroom is private. Please enter password.\n'],
    ['sekret\n', /OK\|Password accepted\.\nOK\|You have joined chatroom - den\n/],
  ]);
});

talking_(
  'one that reads nothing is dropped alone',
  async () => {
    const server = await start({ args: PIPE, data: ':memory:' });
    const alice = await make(server, 'alice', 'hall', '\n');
    const stuck = await enter(server, 'stuck', 'hall', 'alice');
    const bob = await enter(server, 'bob', 'hall', 'alice|stuck', '\n');
    await alice.expect('INFO| New user stuck has joined\nINFO| New user bob has joined\n');
    stuck.stopReading();
    const [said, gone] = [`alice|${'x'.repeat(4000)}\n`, 'INFO| User stuck has left\n'];
    const COUNT = 100;
    let heard = '';
    // 45 MB at most; the largest socket buffers of Linux have 4 MB and 32 MB
    for (let round = 0; round < 112 && !heard.includes(gone); round++) {
      alice.send(said.replace('alice', '@all').repeat(COUNT));
      heard = await bob.take(COUNT * (said.length + 1), 15_000);
    }
    if (heard.includes(gone)) await bob.take(gone.length);
    else await bob.expect(gone, 15_000);
    await alice.expect(gone);
  },
  60,
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  talking_(`${signal}: everybody is told kill, and the server ends with 0`, async () => {
    const server = await start({ args: PIPE });
    const alice = await make(server, 'alice', 'hall');
    const bob = await enter(server, 'bob', 'hall', 'alice', '\n');
    await alice.expect('INFO| New user bob has joined\n');
    const eve = await connect(server);
    server.kill(signal);
    assert.is(await alice.toEnd(), 'kill');
    assert.is(await bob.toEnd(), 'kill\n');
    assert.is(await eve.toEnd(), 'kill');
    assert.equal(await server.exit(), { status: 0, signal: null });
  });
}
talking.run();

// --- the operator -----------------------------------------------------------------------------------------------

const operator = suite("pipe server: the operator's console");
const operator_ = limited(operator);

operator_('on a pipe with --console: talks, lists, ends the server', async () => {
  const server = await start({ args: [...PIPE, '--console'] });
  const alice = await make(server, 'alice', 'hall');
  server.type('@all|good morning\n');
  await alice.expect('#server|good morning\n');
  server.type('@ALICE|psst\n');
  await alice.expect('#server|psst\n');
  alice.send('@server|help me|please');
  await server.printed(/^alice: help me\|please$/m);
  server.type('peers\nrooms\n');
  await server.printed(/^alice \(pipe\) in hall\nhall: 1 person$/m);
  server.type('exit\n');
  assert.is(await alice.toEnd(), 'kill');
  assert.equal(await server.exit(), { status: 0, signal: null });
});

operator_('the end of a pipe ends nothing', async () => {
  const server = await start({ args: [...PIPE, '--console'] });
  server.type('help\n');
  server.endInput();
  await server.printed(/peers/);
  const alice = await make(server, 'alice', 'hall');
  alice.send('@me|x');
  await alice.expect('#me|x\n');
});

operator_('without --console a pipe is not read, and what is said to the operator is logged', async () => {
  const server = await start({ args: PIPE });
  server.type('exit\n');
  const alice = await make(server, 'alice', 'hall');
  alice.send('@server|help me');
  await server.logged(/said to the operator name=alice text="help me"\n/);
  assert.match(server.stdout, /^ready [^\n]+\n$/);
});

const onTerminal = hasTerminals() ? operator_ : limited(operator.skip);

onTerminal('on a terminal: what comes in stands above the line that is being typed', async () => {
  const directory = temporaryDirectory();
  const words = [...serverCommand(), '0', '--pipe', '0', '--data', path.join(directory, 'house.db')];
  const terminal = new Terminal(words, directory);
  const [, port] = await terminal.program.printed(/ready tcp=\d+ udp=\d+ pipe=(\d+)/);
  await terminal.endsWith('> |');
  const server = { ports: { pipe: Number(port) } } as unknown as Server;
  const alice = await make(server, 'alice', 'hall');
  terminal.type('@all|half a li');
  await terminal.endsWith('> @all|half a li|');
  alice.send('@server|may I?');
  await terminal.endsWith('alice: may I?', '> @all|half a li|');
  terminal.type('ne\r');
  await alice.expect('#server|half a line\n');
  await terminal.endsWith('> @all|half a line', '> |');
  terminal.type('quit\r');
  assert.is(await alice.toEnd(), 'kill');
  assert.equal(await terminal.program.exit(), { status: 0, signal: null });
});

for (const [what, key] of [
  ['Ctrl-C', '\x03'],
  ['Ctrl-D', '\x04'],
] as const) {
  onTerminal(`${what} on its terminal ends the server`, async () => {
    const directory = temporaryDirectory();
    const terminal = new Terminal([...serverCommand(), '0', '--pipe', 'off', '--data', ':memory:'], directory);
    await terminal.endsWith('> |');
    terminal.type(key);
    assert.equal(await terminal.program.exit(), { status: 0, signal: null });
    assert.match(terminal.rows().join('\n'), /stopping reason=/);
  });
}
operator.run();
