// TLS on the port that all protocols share: what is spoken inside is what is spoken outside.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { Socket } from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makePair } from '../src/tls-files.ts';
import {
  Client,
  clientCommand,
  eventually,
  externalIp,
  hasJoined,
  heard,
  join,
  joined,
  limited,
  Program,
  pause,
  runToEnd,
  type Server,
  start,
  temporaryDirectory,
  watchMain,
} from './launch.ts';

const HELLO = 'HELO text\n';
const MANY = 200_000;

// asked before a suite runs: those of one file must not meet
const canStart = (await runToEnd({ command: clientCommand(), args: ['--version'], port: 'none' })).status === 0;
if (!canStart) console.log('skipped: parley-client does not start');

/** A certificate of files, as operators have them. */
function writePair(directory: string): { args: string[]; cert: string } {
  const pair = makePair(new Date());
  const files = { cert: path.join(directory, 'cert.pem'), key: path.join(directory, 'key.pem') };
  fs.writeFileSync(files.cert, pair.cert);
  fs.writeFileSync(files.key, pair.key);
  return { args: ['--tls-cert', files.cert, '--tls-key', files.key], cert: pair.cert };
}

interface Encrypted {
  readonly client: Client;
  readonly socket: tls.TLSSocket;
  readonly fingerprint: string;
}

async function connectTls(port: number, options: tls.ConnectionOptions = {}): Promise<Encrypted> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  const { fingerprint256 = '' } = socket.getPeerX509Certificate() as X509Certificate;
  return { client: new Client(socket as Socket), socket, fingerprint: fingerprint256 };
}

/** Until the server has closed a connection that sends this. */
async function isClosed(port: number, bytes: string | Uint8Array, host?: string): Promise<void> {
  const client = await Client.connect(port, host);
  client.send(bytes);
  await client.gone();
}

// --- inside --------------------------------------------------------------------------------------------------

const inside = suite('tls: inside');
const inside_ = limited(inside);

inside_('every dialect is told by its first bytes, and meets the others', async () => {
  const server = await start({ args: ['--tls-self'] });
  const plain = await Client.connect(server.tcp);
  plain.send(join('hall', 'ann'));
  await plain.expect(joined('hall', server, 0, 1));
  await plain.expect(hasJoined(0, 'ann'));
  const { client } = await connectTls(server.tcp);
  client.send(join('hall', 'bob'));
  await client.expect(joined('hall', server, 0, 2));
  await plain.expect(hasJoined(0, 'bob'));
  const main = await watchMain(server);
  const menu = (await connectTls(server.tcp)).client;
  menu.send('carol\n');
  await heard(main, 'carol has joined this chatroom.');
  const lobby = (await connectTls(server.tcp)).client;
  lobby.send('LGIN0042{"username": "griffin", "password": "123"}');
  await lobby.expect(/(?:GOOD|ERRO)\d{4}/);
});

inside_('a hello that comes byte by byte, and much behind it', async () => {
  const server = await start({ args: ['--tls-self', '--data', ':memory:'], data: 'none' });
  const slow = await Client.connect(server.tcp);
  const hello = Buffer.from('16030100050100000100', 'hex');
  for (const byte of hello) {
    slow.send(Buffer.of(byte));
    await pause(2);
  }
  slow.destroy();
  const { client } = await connectTls(server.tcp);
  client.send(`HELO ${'x'.repeat(1000)}\n`.repeat(20));
  for (let i = 0; i < 20; i++) await client.expect(/HELO x{1000}\nIP:[^\n]+\nPort:\d+\nStudentID:\d+\n?/);
});

inside_('files and pages over HTTPS, on a connection that is kept', async () => {
  const server = await start({ args: ['--tls-self'] });
  const { socket } = await connectTls(server.tcp, { ALPNProtocols: ['h2', 'http/1.1'] });
  assert.is(socket.alpnProtocol, 'http/1.1', 'browsers ask for more than there is');
  const request = http.request({ path: '/healthz', createConnection: () => socket });
  request.end();
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  assert.is(answer.statusCode, 200);
  assert.is((await answer.toArray()).join(''), 'ok\n');
});

inside_('pipe, where the server speaks first, for who asks for it in the hello', async () => {
  const server = await start({ args: ['--tls-self'] });
  const { client } = await connectTls(server.tcp, { ALPNProtocols: ['parley-pipe'] });
  await client.expect(/Connected to \S+ at port \d+\nPlease enter your username\n/);
  client.send('ann\n');
  await client.expect('OK|Username ann accepted. Send create/join a chatroom\n');
});

inside_('a port for one dialect takes it in plain text and inside TLS', async () => {
  const server = await start({ args: ['--tls-self', '--listen', 'lab:0'] });
  const port = server.ports.lab as number;
  const { client } = await connectTls(port);
  client.send(HELLO);
  await client.expect(/HELO text\n/);
  const plain = await Client.connect(port);
  plain.send(HELLO);
  await plain.expect(/HELO text\n/);
});

inside_('a client that does not read costs only itself', async () => {
  const server = await start({ args: ['--tls-self', '--sendq', '65536'] });
  const { client, socket } = await connectTls(server.tcp);
  client.stopReading();
  socket.on('error', () => {});
  for (let i = 0; i < 20 && !socket.destroyed; i++) socket.write(HELLO.repeat(MANY / HELLO.length));
  await pause(200);
  const other = await connectTls(server.tcp);
  other.client.send(HELLO);
  await other.client.expect(/HELO text\n/);
  socket.destroy();
});

inside_('what is no TLS, or stops, costs only itself', async () => {
  const server = await start({ args: ['--tls-self'] });
  await isClosed(server.tcp, Buffer.concat([Buffer.from('1603010200', 'hex'), Buffer.alloc(600, 0xff)]));
  const { socket } = await connectTls(server.tcp);
  socket.destroy();
  const { client } = await connectTls(server.tcp);
  client.send(HELLO);
  await client.expect(/HELO text\n/);
  await server.logged(/no TLS/);
});

inside_('a hello to a server without a certificate is closed at once', async () => {
  const server = await start();
  await isClosed(server.tcp, Buffer.from('1603010005', 'hex'));
});

inside_('a server that stops waits for nobody', async () => {
  const server = await start({ args: ['--tls-self'] });
  const half = await Client.connect(server.tcp);
  half.send(Buffer.from('1603010200', 'hex'));
  const { client } = await connectTls(server.tcp);
  client.send(join('hall', 'bob'));
  await client.expect(joined('hall', server, 0, 1));
  server.kill('SIGTERM');
  assert.equal(await server.exit(), { status: 0, signal: null });
});

inside.run();

// --- certificates --------------------------------------------------------------------------------------------

const certificates = suite('tls: certificates');
const certificates_ = limited(certificates);

function printedFingerprint(server: Server): Promise<string> {
  return server.printed(/^tls sha256=((?:[0-9A-F]{2}:){31}[0-9A-F]{2})$/m).then((match) => match[1] as string);
}

certificates_('one of our own keeps its fingerprint over restarts, and is nobody else’s to read', async () => {
  const data = path.join(temporaryDirectory(), 'house.db');
  const first = await start({ args: ['--tls-self'], data });
  const fingerprint = await printedFingerprint(first);
  assert.is((await connectTls(first.tcp)).fingerprint, fingerprint);
  assert.is(fs.statSync(`${data}.tls.pem`).mode & 0o777, 0o600);
  first.kill('SIGTERM');
  await first.exit();
  const second = await start({ args: ['--tls-self'], data });
  assert.is(await printedFingerprint(second), fingerprint);
});

certificates_('another certificate is taken on SIGHUP, and nobody is dropped', async () => {
  const directory = temporaryDirectory();
  const { args, cert } = writePair(directory);
  const server = await start({ args });
  const before = await connectTls(server.tcp);
  assert.is(before.fingerprint, new X509Certificate(cert).fingerprint256);
  before.client.send(join('hall', 'ann'));
  await before.client.expect(joined('hall', server, 0, 1));
  await before.client.expect(hasJoined(0, 'ann'));
  const next = new X509Certificate(writePair(directory).cert).fingerprint256;
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/certificate read/);
  const after = await connectTls(server.tcp);
  assert.is(after.fingerprint, next);
  after.client.send(join('hall', 'bob'));
  await before.client.expect(hasJoined(0, 'bob'));
});

certificates_('what is no good is not taken: the old one stays', async () => {
  const directory = temporaryDirectory();
  const { args, cert } = writePair(directory);
  const server = await start({ args });
  fs.writeFileSync(path.join(directory, 'cert.pem'), 'half a cert');
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/the old certificate stays/);
  assert.is((await connectTls(server.tcp)).fingerprint, new X509Certificate(cert).fingerprint256);
});

const BAD: Array<[what: string, spoil: (directory: string) => void, why: RegExp]> = [
  ['a missing certificate', (directory) => fs.rmSync(path.join(directory, 'cert.pem')), /there is no file .*cert\.pem/],
  ['no certificate', (directory) => fs.writeFileSync(path.join(directory, 'cert.pem'), 'text'), /cert\.pem/],
  [
    'the key of another',
    (directory) => fs.writeFileSync(path.join(directory, 'key.pem'), makePair(new Date()).key),
    /key/,
  ],
];
for (const [what, spoil, why] of BAD) {
  certificates_(`a server does not start with ${what}`, async () => {
    const directory = temporaryDirectory();
    const { args } = writePair(directory);
    spoil(directory);
    const { status, stderr } = await runToEnd({ args, data: ':memory:' });
    assert.is(status, 1, stderr);
    assert.match(stderr, why);
    assert.is(stderr.trim().split('\n').length, 1, stderr);
  });
}

certificates.run();

// --- no plain text -------------------------------------------------------------------------------------------

const required = suite('tls: required');
const required_ = limited(required);
const outside = externalIp();
const fromOutside_ = limited(outside === undefined ? required.skip : required);

required_('this machine is served in plain text all the same', async () => {
  const server = await start({ args: ['--tls-self', '--require-tls', '--pipe', '0'] });
  const plain = await Client.connect(server.tcp);
  plain.send(HELLO);
  await plain.expect(/HELO text\n/);
  const pipe = await Client.connect(server.ports.pipe as number);
  await pipe.expect(/Connected to/);
});

fromOutside_('others are not, whatever they speak', async () => {
  const server = await start({ args: ['--tls-self', '--require-tls', '--listen', 'lab:0', '--pipe', '0'] });
  const texts = [HELLO, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'LGIN0042{"username": "griffin"', 'ann\t6000\n'];
  for (const text of texts) {
    const client = await Client.connect(server.tcp, outside);
    client.send(text);
    assert.is(await client.toEnd(), '', JSON.stringify(text));
  }
  await isClosed(server.ports.lab as number, HELLO, outside);
  const options = { host: outside, servername: 'localhost' };
  const { client } = await connectTls(server.tcp, options);
  client.send(HELLO);
  await client.expect(/HELO text\n/);
  const pipe = await connectTls(server.ports.pipe as number, options);
  await pipe.client.expect(/Connected to/);
});

required_('it needs a certificate', async () => {
  const { status, stderr } = await runToEnd({ args: ['--require-tls'] });
  assert.is(status, 2);
  assert.match(stderr, /--require-tls/);
});

required.run();

// --- our clients ---------------------------------------------------------------------------------------------

const clients = suite('tls: clients');
const clients_ = limited(canStart ? clients : clients.skip);

async function metricsOf({ tcp }: Server): Promise<string> {
  return (await fetch(`http://127.0.0.1:${tcp}/metrics`)).text();
}

function startClient(args: readonly string[], env: Record<string, string> = {}): Program {
  return new Program({ command: clientCommand(), args, env, port: 'none' });
}

clients_('the fingerprint that the server prints is enough', async () => {
  const server = await start({ args: ['--tls-self'] });
  const pin = await printedFingerprint(server);
  const watcher = await watchMain(server);
  const lab = startClient([
    'lab',
    '127.0.0.1',
    String(server.tcp),
    '--tls-pin',
    pin,
    '--name',
    'ann',
    '--room',
    'main',
  ]);
  await watcher.expect(hasJoined(0, 'ann'));
  lab.type('hello from ann\n');
  await watcher.expect(/[\s\S]*MESSAGE: ?hello from ann/);
  const menu = startClient(['-l', '0', '-p', String(server.tcp), '--host', '127.0.0.1', '--tls-pin', pin]);
  menu.type('bob\nm\nhello from bob\n');
  await watcher.expect(/[\s\S]*MESSAGE: ?hello from bob/);
  const pipe = startClient(['pipe', '--ip', '127.0.0.1', '--port', String(server.tcp), '--tls-pin', pin.toLowerCase()]);
  await pipe.printed(/username/);
  pipe.type('carol\njoin\nmain\n@all|hello from carol\n');
  await watcher.expect(/[\s\S]*MESSAGE: ?hello from carol/);
  // a room is a connection of its own, on another port
  const lobby = startClient(['lobby', '127.0.0.1', String(server.tcp), `--tls-pin=sha256:${pin}`]);
  lobby.type('newuser dora secret12\nlogin dora secret12\njoin main\nhello from dora\n');
  await watcher.expect(/[\s\S]*MESSAGE: ?hello from dora/);
  await lobby.printed(/hello from dora/);
  const text = await metricsOf(server);
  for (const dialect of ['lab', 'menu', 'pipe', 'lobby']) {
    assert.match(text, new RegExp(`^parley_connections_total\\{dialect="${dialect}",tls="yes"\\} [12]$`, 'm'));
  }
  assert.match(text, /^parley_connections_total\{dialect="lobby",tls="yes"\} 2$/m);
});

const WRONG: Array<[what: string, args: string[], why: RegExp]> = [
  [
    'another fingerprint',
    ['--tls-pin', '0'.repeat(64)],
    /certificate is another one: its fingerprint is [0-9A-F:]{95}/,
  ],
  ['no trust', ['--tls'], /not to be trusted \(\w+\); if it is the right one: --tls-pin [0-9A-F:]{95}/],
];
for (const [what, args, why] of WRONG) {
  clients_(`with ${what} nothing is said`, async () => {
    const server = await start({ args: ['--tls-self', '--log-level', 'debug'] });
    const port = String(server.tcp);
    const lines = [
      ['lab', '127.0.0.1', port, '--name', 'ann', '--room', 'hall'],
      ['-l', '0', '-p', port, '--host', '127.0.0.1'],
      ['lobby', '127.0.0.1', port],
      ['pipe', '--ip', '127.0.0.1', '--port', port],
    ];
    for (const line of lines) {
      const client = startClient([...line, ...args]);
      client.type('ann\n');
      assert.is((await client.exit()).status, 1, line.join(' '));
      assert.match(client.stderr, why, line.join(' '));
    }
    const watcher = await Client.connect(server.tcp);
    watcher.send(join('hall', 'first'));
    await watcher.expect(joined('hall', server, 0, 1));
  });
}

clients_('a certificate that this machine trusts needs no pin', async () => {
  const directory = temporaryDirectory();
  const { args } = writePair(directory);
  const server = await start({ args });
  const env = { NODE_EXTRA_CA_CERTS: path.join(directory, 'cert.pem') };
  const lab = startClient(['lab', 'localhost', String(server.tcp), '--tls', '--name', 'ann'], env);
  lab.type('/helo text\n');
  lab.endInput();
  const { status } = await lab.exit();
  assert.is(status, 0, lab.stderr);
});

clients_('a server without TLS is told from one with it', async () => {
  const server = await start();
  const { status, stderr } = await runToEnd({
    command: clientCommand(),
    args: ['lab', '127.0.0.1', String(server.tcp), '--tls'],
    port: 'none',
  });
  assert.is(status, 1);
  assert.match(stderr, /TLS|closed the connection/);
});

clients_('a file comes over HTTPS', async () => {
  const server = await start({ args: ['--tls-self'] });
  const pin = await printedFingerprint(server);
  const [from, to] = [temporaryDirectory(), temporaryDirectory()];
  const bytes = Buffer.alloc(MANY, 'parley');
  fs.writeFileSync(path.join(from, 'song.bin'), bytes);
  const common = ['-l', '0', '-p', String(server.tcp), '--host', '127.0.0.1', '--tls-pin', pin];
  const owner = startClient([...common, '--dir', from]);
  const watcher = await watchMain(server);
  owner.type('ann\n');
  await heard(watcher, 'ann has joined this chatroom.');
  const fetcher = startClient([...common, '--dir', to]);
  fetcher.type('bob\nf\nann\nsong.bin\n');
  const arrived = await eventually(() => {
    const file = path.join(to, 'song.bin');
    return fs.existsSync(file) ? fs.readFileSync(file) : undefined;
  }, 'the file');
  assert.equal(arrived, bytes);
});

clients.run();
