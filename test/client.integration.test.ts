import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, clientCommand, limited, Program, pause, ROOT, runToEnd, type Server, start } from './launch.ts';

const test = suite('parley-client');
const test_ = limited(test);

/** As some servers write it: no spaces, no last newline. */
const HELO_ANSWER = 'HELO x\nIP:1.2.3.4\nPort:5\nStudentID:77';

function noServer(port: number): RegExp {
  return new RegExp(`^parley-client: no server answers on 127.0.0.1 port ${port}\n$`);
}

/** Over UDP, Deno is not told that a datagram was refused. */
function noServerOverUdp(port: number): RegExp {
  const silence = `127.0.0.1 port ${port} does not answer over UDP`;
  return process.env.PARLEY_CLIENT?.includes('deno') ? new RegExp(`^parley-client: ${silence}\n$`) : noServer(port);
}

function open(server: Server, ...args: string[]): Program {
  const words = ['lab', '127.0.0.1', String(server.tcp), ...args];
  return new Program({ command: [...clientCommand(), ...words], port: 'none' });
}

async function script(server: Server, lines: string, ...args: string[]) {
  const client = open(server, ...args);
  client.type(lines);
  client.endInput();
  const { status } = await client.exit();
  return { status, stdout: client.stdout, stderr: client.stderr };
}

for (const [name, args] of [
  ['TCP', []],
  ['UDP', ['--udp']],
] as const) {
  test_(`does from a pipe what the lines say, over ${name}`, async () => {
    const server = await start();
    const lines = '/helo BASE TEST\n/join my room\nhello: all\nhello: all\n/leave\n/join other\n/quit\n';
    const { status, stdout, stderr } = await script(server, lines, '--name', 'ann', ...args);
    const farewell = '[other] ann has left this chatroom.\n';
    assert.is(
      // over UDP nothing says that the farewell was the last, and the client need not wait for it
      stdout.replace(farewell, ''),
      `HELO BASE TEST\nIP:127.0.0.1\nPort:${server.tcp}\nStudentID:00000000\n` +
        'You are in my room (ROOM_REF 0, JOIN_ID 1).\n[my room] ann has joined this chatroom.\n' +
        '[my room] ann: hello: all\n[my room] ann: hello: all\n' +
        'You have left my room.\n[my room] ann has left this chatroom.\n' +
        'You are in other (ROOM_REF 1, JOIN_ID 1).\n[other] ann has joined this chatroom.\n',
    );
    assert.equal({ status, stderr }, { status: 0, stderr: '' });
  });
}

test_('two of them talk, one over UDP', async () => {
  const server = await start();
  const ann = open(server, '--name', 'ann', '--room', 'r');
  await ann.printed(/ann has joined/);
  const ben = open(server, '--name', 'ben', '--room', 'r', '--udp');
  await ann.printed(/ben has joined/);
  await ben.printed(/ben has joined/);
  ann.type('hi ben\n');
  await ben.printed(/^\[r\] ann: hi ben$/m);
  ben.type('hi ann\n');
  await ann.printed(/^\[r\] ben: hi ann$/m);
  ben.endInput();
  assert.is((await ben.exit()).status, 0);
  await ann.printed(/ben has left/);
});

test_('a thousand lines from a pipe all arrive, in order', async () => {
  const server = await start();
  const numbers = Array.from({ length: 1000 }, (_, i) => `line ${i}`);
  const { status, stdout } = await script(server, `/join r\n${numbers.join('\n')}\n`, '--name', 'ann');
  const expected = numbers.map((line) => `[r] ann: ${line}`);
  assert.equal(stdout.split('\n').slice(2, -2), expected);
  assert.is(status, 0);
});

test_('who reads slowly gets all that was printed before the end', async () => {
  const server = await start();
  const [program = '', ...words] = [...clientCommand(), 'lab', '127.0.0.1', String(server.tcp), '--name', 'ann'];
  const client = spawn(program, words, { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });
  client.stdin.end(`/join r\n${'a line\n'.repeat(10_000)}`);
  let printed = '';
  client.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  const closed = once(client, 'close');
  client.stdout.pause();
  await pause(1500);
  client.stdout.resume();
  await closed;
  assert.is(printed.split('\n').filter((line) => line === '[r] ann: a line').length, 10_000);
});

test_('an ERROR_CODE ends it with status 1', async () => {
  const server = await start();
  const { status, stderr } = await script(server, '/join \x01\nnever\n');
  assert.is(status, 1);
  assert.match(stderr, /^parley-client: ERROR_CODE 5: [^\n]+\n$/);
});

test_('a server that goes away is told in one line, status 1', async () => {
  const server = await start();
  const client = open(server, '--name', 'ann', '--room', 'r');
  await client.printed(/ann has joined/);
  server.kill('SIGKILL');
  assert.is((await client.exit()).status, 1);
  assert.is(client.stderr, 'parley-client: the server has closed the connection\n');
});

for (const args of [[], ['--udp']]) {
  test_(`KILL_SERVICE ${args.join('')} ends the service and the client, status 0`, async () => {
    const server = await start();
    const { status, stderr } = await script(server, '/join r\n/kill\n', ...args);
    assert.equal({ status, stderr }, { status: 0, stderr: '' });
    assert.is((await server.exit()).status, 0);
  });
}

test_('a server that goes away is told in one line over UDP too, status 1', async () => {
  const server = await start();
  const client = open(server, '--name', 'ann', '--room', 'r', '--udp');
  await client.printed(/ann has joined/);
  server.kill('SIGKILL');
  await server.exit();
  client.type('hello\n');
  assert.is((await client.exit()).status, 1);
  assert.match(client.stderr, noServerOverUdp(server.udp));
});

test_('waits for a server that does not answer, and says so once', async () => {
  const silent = net.createServer((socket) => setTimeout(() => socket.write(HELO_ANSWER), 10_500));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as net.AddressInfo;
  const client = new Program({ command: [...clientCommand(), 'lab', '127.0.0.1', String(port)], port: 'none' });
  client.type('/helo x\n');
  await client.printed(/StudentID/, 15_000);
  assert.is(client.stdout, `no answer yet from 127.0.0.1 port ${port}\n${HELO_ANSWER}\n`);
  client.kill('SIGKILL');
  silent.close();
});

test_('understands a server that writes no spaces and no last newline', async () => {
  const server = net.createServer((socket) => {
    socket.once('data', () => socket.write(HELO_ANSWER));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const client = new Program({ command: [...clientCommand(), 'lab', '127.0.0.1', String(port)], port: 'none' });
  client.type('/helo x\n');
  await client.printed(/^HELO x\nIP:1.2.3.4\nPort:5\nStudentID:77\n/);
  client.kill('SIGKILL');
  server.close();
});

test_('what others send can not drive the terminal', async () => {
  const server = await start();
  const client = open(server, '--name', 'ann', '--room', 'r');
  await client.printed(/ann has joined/);
  const other = await Client.connect(server.tcp);
  other.send('JOIN_CHATROOM: r\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: eve\n');
  other.send('CHAT: 0\nJOIN_ID: 2\nCLIENT_NAME: eve\nMESSAGE: \x1b]0;owned\x07\x1b[2J\n\n');
  await client.printed(/eve: \ufffd\]0;owned\ufffd\ufffd\[2J/);
});

const WRONG: ReadonlyArray<readonly [readonly string[], number, RegExp]> = [
  [[], 2, /which protocol/],
  [['gopher'], 2, /gopher/],
  [['lab', 'localhost', '0'], 2, /PORT "0"/],
  [['lab', 'localhost', 'x'], 2, /PORT "x"/],
  [['lab', 'localhost', '5', '6'], 2, /one argument too many: 6/],
  [['lab', '--frobnicate'], 2, /there is no option --frobnicate/],
  [['lab', '--name'], 2, /--name needs a value/],
  [['lab', '127.0.0.1', '1'], 1, noServer(1)],
  [['lab', '127.0.0.1', '1', '--udp', '--room', 'r'], 1, noServerOverUdp(1)],
];
for (const [args, expected, reason] of WRONG) {
  test_(`says what is wrong with: ${args.join(' ') || 'nothing'}`, async () => {
    const { status, stdout, stderr } = await runToEnd({ command: [...clientCommand(), ...args], port: 'none' });
    assert.equal({ status, stdout }, { status: expected, stdout: '' });
    assert.match(stderr, reason);
    assert.match(stderr, /^parley-client: [^\n]+\n$/);
  });
}

for (const args of [['--help'], ['lab', '--help'], ['--version'], ['lab', '--version']]) {
  test_(`${args.join(' ')} goes to stdout with 0`, async () => {
    const { status, stdout, stderr } = await runToEnd({ command: [...clientCommand(), ...args], port: 'none' });
    assert.equal({ status, stderr }, { status: 0, stderr: '' });
    assert.match(stdout, args.includes('--help') ? /^[\s\S]+Options:/ : /^parley-client\/\d/);
    assert.ok(stdout.split('\n').length < 30, stdout);
  });
}
test.run();
