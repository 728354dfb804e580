// parley-client -c from pipes and on a pseudo-terminal, against parley-server and against a classic server: the
// model of datagram-classic.ts on a real socket.

import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { clearTimeout, setTimeout } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type DatagramMessage, decodeDatagram, encodeDatagram } from '../src/wire-datagram.ts';
import { ClassicServer } from './datagram-classic.ts';
import {
  clientCommand,
  Datagrams,
  hasTerminals,
  limited,
  Program,
  pause,
  runToEnd,
  start,
  Terminal,
  temporaryDirectory,
} from './launch.ts';

const TIME = String.raw`\d\d:\d\d:\d\d`;
const KNOWN_MS = 200;
const WELCOME = '>>> [Welcome, You are registered.]\n';
const CTRL_C = '\x03';

// --- servers and clients -------------------------------------------------------------------------------------

interface Chat {
  readonly port: number;
  close(): Promise<void>;
}

class ClassicOnSocket implements Chat {
  readonly model: ClassicServer;
  readonly #socket = dgram.createSocket('udp4');
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    const clock = () => new Date().toTimeString().slice(0, 8);
    this.model = new ClassicServer(clock, (bytes, { ip, port }) => this.#socket.send(bytes, port, ip));
    this.#socket.on('message', (bytes, { address, port }) => {
      this.model.input(bytes, { ip: address, port }, performance.now());
      this.#arm();
    });
  }

  async open(): Promise<this> {
    this.#socket.bind(0, '127.0.0.1');
    await once(this.#socket, 'listening');
    return this;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const wait = this.model.deadline() - performance.now();
    if (wait === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.model.tick(performance.now());
        this.#arm();
      },
      Math.max(0, Math.ceil(wait)),
    );
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

async function startOurs(): Promise<Chat> {
  const server = await start();
  return {
    port: server.udp,
    close: async () => {
      server.kill('SIGKILL');
      await server.exit();
    },
  };
}

let nextPort = 20_000 + (process.pid % 20_000);

/** One that nobody listens on. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort++;
    const socket = dgram.createSocket('udp4');
    const isFree = await new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(false));
      socket.bind(port, '0.0.0.0', () => resolve(true));
    });
    socket.close();
    if (isFree) return port;
  }
}

async function wordsOf(name: string, { port }: { readonly port: number }, ...more: string[]): Promise<string[]> {
  return [...clientCommand(), '-c', name, '127.0.0.1', String(port), String(await freePort()), ...more];
}

async function join(name: string, server: Chat, ...more: string[]): Promise<Program> {
  const client = new Program({ command: await wordsOf(name, server, ...more), port: 'none' });
  await client.printed(more.includes('--json') ? /"registered"/ : /^>>> \[Welcome, You are registered\.\]\n/);
  // the others have the table a little later
  await pause(KNOWN_MS);
  return client;
}

const test = suite('parley-client -c');
const test_ = limited(test);
const terminal_: typeof test_ = hasTerminals() ? test_ : (name) => test.skip(`${name} (needs python3)`, async () => {});

for (const [kind, open] of [
  ['a classic server', () => new ClassicOnSocket().open()],
  ['our server', startOurs],
] as const) {
  // --- from a pipe -------------------------------------------------------------------------------------------

  test_(`messages, the group and offline messages, with ${kind}`, async () => {
    const server = await open();
    const [x, y] = [await join('x', server), await join('y', server)];
    x.type('send y hi y from x\n');
    await x.printed(/\n>>> \[Message received by y\.\]\n$/);
    await y.printed(/\n>>> x: hi y from x\n$/);
    y.type('send_all yoyoyo everyone\n');
    await y.printed(/\n>>> \[Group Message received by Server\.\]\n$/);
    await x.printed(/\n>>> >>> Group Chat y: {2}yoyoyo everyone\n$/);
    x.type('dereg\n');
    await x.printed(/\n>>> \[You are Offline\. Bye\.\]\n$/);
    y.type('send x hi  offline x\nsend nobody hi\nhello\n');
    await y.printed(/\[Name not found\]\n>>> \[Invalid command\]\n$/);
    await y.printed(new RegExp(`\n>>> \\[Offline Message sent at ${TIME} received by the server and saved\\.\\]\n`));
    x.type('reg\n');
    const list = `\n>>> \\[RegSent\\]\n>>> >>> \\[You have offline messages:\\]\n>>> y: ${TIME} hi  offline x\n$`;
    await x.printed(new RegExp(list));
    await y.printed(new RegExp(`\n>>>  \\[Offline Message sent at ${TIME} received by x\\.\\]\n$`));
    await server.close();
    y.type('dereg\n');
    assert.is((await y.exit()).status, 4);
    await y.printed(/\n>>> \[Server not responding\]\n>>> \[Exiting\]\n$/);
    if (server instanceof ClassicOnSocket) assert.is(server.model.death, undefined);
  });

  test_(`lines typed ahead, then the end of input: goodbye, with ${kind}`, async () => {
    const server = await open();
    const y = await join('y', server);
    const x = new Program({ command: await wordsOf('x', server), port: 'none' });
    x.type('send y one\nsend_all two\nsend y three');
    x.endInput();
    assert.is((await x.exit()).status, 0);
    const got = '>>> [Message received by y.]\n';
    assert.is(x.stdout, `${WELCOME}${got}>>> [Group Message received by Server.]\n${got}>>> [You are Offline. Bye.]\n`);
    assert.is(y.stdout, `${WELCOME}>>> x: one\n>>> Group Chat x:  two\n>>> x: three\n`);
    y.type('send x gone?\n');
    await y.printed(/saved\.\]\n$/);
    await server.close();
  });

  test_(`a name that is taken, with ${kind}`, async () => {
    const server = await open();
    await join('x', server);
    const again = await runToEnd({ command: await wordsOf('x', server), port: 'none' });
    assert.equal([again.status, again.stdout], [1, '>>> [Invalid Name]\n']);
    await server.close();
  });

  test_(`one who is killed, and SIGTERM, with ${kind}`, async () => {
    const server = await open();
    const [x, y] = [await join('x', server), await join('y', server)];
    y.kill('SIGKILL');
    await y.exit();
    x.type('send y are you there?\n');
    await x.printed(/\n>>> \[No ACK from y, message sent to server\.\]\n>>> \[Offline Message .* saved\.\]\n$/);
    x.kill('SIGTERM');
    assert.is((await x.exit()).status, 0);
    await x.printed(/\n>>> \[You are Offline\. Bye\.\]\n$/);
    await server.close();
  });

  test_(`JSON for scripts, with ${kind}`, async () => {
    const server = await open();
    const [x, y] = [await join('x', server, '--json'), await join('y', server)];
    y.type('send x hi "x"\n');
    await x.printed(/\{"event":"message","from":"y","text":"hi \\"x\\""\}\n/);
    x.type('send y hi\nsend_all hi\n');
    await x.printed(/\{"event":"acked","to":"y"\}\n[\s\S]*\{"event":"acked","group":true\}\n/);
    x.endInput();
    assert.is((await x.exit()).status, 0);
    const events = x.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).event);
    assert.is(events.at(-1), 'deregistered');
    assert.ok(events.includes('table'));
    await server.close();
  });

  // --- on a terminal -----------------------------------------------------------------------------------------

  terminal_(`what a person sees, with ${kind}`, async () => {
    const server = await open();
    const x = new Terminal(await wordsOf('x', server), temporaryDirectory());
    await x.endsWith(WELCOME.trimEnd(), '>>> |');
    const y = await join('y', server);
    x.type('send y half a');
    await x.endsWith('>>> send y half a|');
    y.type('send x hello\n');
    await x.endsWith('>>> y: hello', '>>> send y half a|');
    x.type(' line\r');
    await x.endsWith('>>> y: hello', '>>> send y half a line', '>>> [Message received by y.]', '>>> |');
    x.type('\x1b[A');
    await x.endsWith('>>> send y half a line|');
    x.type('\x15send_\t');
    await x.endsWith('>>> send_all |');
    x.type('\x15send \t');
    await x.endsWith('>>> send y |');
    x.type(`\x15${CTRL_C}`);
    assert.is((await x.program.exit()).status, 0);
    await x.endsWith('>>>', '>>> [You are Offline. Bye.]', '|');
    await server.close();
  });
}

// --- a classic peer --------------------------------------------------------------------------------------------

test_('a classic peer: throw-away ports, and acks not too early', async () => {
  const server = await new ClassicOnSocket().open();
  const [peer, thrown] = [await Datagrams.open(), await Datagrams.open()];
  const say = (message: DatagramMessage, port: number) => thrown.send(encodeDatagram(message), port);
  say({ kind: 'freg', name: 'y', port: peer.port, isOurs: false }, server.port);
  await peer.expect(/.*conf_reg.*/);
  const words = await wordsOf('x', server);
  const x = new Program({ command: words, port: 'none' });
  await x.printed(/Welcome/);
  await peer.expect(/.*table_update.*/);
  say({ kind: 'msg', from: 'y', text: 'hi x' }, Number(words.at(-1)));
  const since = performance.now();
  await peer.expect("{'type': 'ack', 'from': 'x'}");
  const ms = performance.now() - since;
  assert.ok(ms > 20 && ms < 90, `an ack after ${ms} ms`);
  x.type('send y it\'s "you"\n');
  const got = decodeDatagram(Buffer.from(await peer.next()));
  assert.equal(got, { kind: 'msg', from: 'x', text: 'it\'s "you"' });
  await pause(30);
  say({ kind: 'ack', from: 'y' }, Number(words.at(-1)));
  await x.printed(/\n>>> y: hi x\n>>> \[Message received by y\.\]\n$/);
  await server.close();
});

// --- arguments -------------------------------------------------------------------------------------------------

for (const [words, reason] of [
  [['-c'], /^parley-client: NAME is missing/],
  [['-c', 'x'], /SERVER_IP is missing/],
  [['-c', 'x', '127.0.0.1', '5000'], /CLIENT_PORT is missing/],
  [['-c', 'x y', '127.0.0.1', '5000', '3333'], /NAME "x y": must be one word/],
  [['-c', 'x', '1.2.3', '5000', '3333'], /SERVER_IP "1.2.3": is not an IPv4 address/],
  [['-c', 'x', '::1', '5000', '3333'], /SERVER_IP "::1": is not an IPv4 address/],
  [['-c', 'x', '127.0.0.1', '1023', '3333'], /SERVER_PORT "1023": must be a whole number from 1024 to 65535/],
  [['datagram', 'x', '127.0.0.1', '5000', '65536'], /CLIENT_PORT "65536": must be/],
  [['-c', 'x', '127.0.0.1', '5000', 'http'], /CLIENT_PORT "http": must be/],
  [['-c', 'x', '127.0.0.1', '5000', '3333', '4'], /one argument too many: 4/],
  [['gopher'], /must be one of menu, lab, lobby, datagram/],
] as const) {
  test_(`bad arguments are told in one line: ${words.join(' ')}`, async () => {
    const { status, stdout, stderr } = await runToEnd({ command: [...clientCommand(), ...words], port: 'none' });
    assert.is(status, 2);
    assert.is(stdout, '');
    assert.match(stderr, reason);
    assert.is(stderr.split('\n').length, 2);
  });
}

test_('a client port that is taken: one line, status 1', async () => {
  const other = await Datagrams.open('0.0.0.0');
  const words = ['-c', 'x', '127.0.0.1', '5000', String(other.port)];
  const { status, stderr } = await runToEnd({ command: [...clientCommand(), ...words], port: 'none' });
  assert.equal([status, stderr], [1, `parley-client: CLIENT_PORT ${other.port} is taken by another program\n`]);
});

test('the help names all protocols', () => {
  const [program = '', ...args] = clientCommand();
  const help = execFileSync(program, [...args, '--help'], { encoding: 'utf8' });
  assert.match(help, /-c <name> <server-ip> <server-port> <client-port>/);
  assert.match(help, /menu, lab, lobby, datagram/);
});
test.run();
