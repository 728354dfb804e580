// parley-client on a real terminal: a pseudo-terminal of util-linux's `script`, or of Python. All that the client
// writes, to stderr too, comes on one stream, with the terminal's own codes.

import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, clientCommand, limited, Program, pause, type Server, start } from './launch.ts';

const COLUMNS = 40;
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const CLEAR = '\x1b[0J';
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour begins with
const COLOUR = /\x1b\[[\d;]*m/;
const PYTHON = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(["sh", "-c", sys.argv[1]])))';

/** How to run a shell command on a pseudo-terminal here. */
function onTerminal(): ((shell: string) => string[]) | undefined {
  const works = ([program = '', ...args]: string[]) =>
    spawnSync(program, args, { input: '', timeout: 5000 }).status === 7;
  const ways = [
    (shell: string) => ['script', '-qfec', shell, '/dev/null'],
    (shell: string) => ['python3', '-c', PYTHON, shell],
  ];
  return ways.find((way) => works(way('test -t 0 && test -t 1 && exit 7')));
}

const terminal = onTerminal();
const test = suite('parley-client on a terminal');
const test_ = terminal ? limited(test) : (name: string) => test.skip(`${name} (needs util-linux's script, or python3)`);

function open(server: Server, env: Record<string, string> = {}): Program {
  const words = [...clientCommand(), 'lab', '127.0.0.1', String(server.tcp), '--name', 'ann', '--room', 'r'];
  const shell = `stty cols ${COLUMNS} rows 24; exec ${words.map((word) => `'${word}'`).join(' ')}`;
  return new Program({ command: terminal?.(shell) ?? [], port: 'none', env: { TERM: 'xterm', ...env } });
}

/** On the screen after the last time that the rows from here on were cleared. */
function sinceClear(program: Program): string {
  return program.stdout.slice(program.stdout.lastIndexOf(CLEAR) + CLEAR.length);
}

async function join(server: Server): Promise<Client> {
  const eve = await Client.connect(server.tcp);
  eve.send('JOIN_CHATROOM: r\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: eve\n');
  await eve.expect(/[\s\S]*eve has joined this chatroom\.\n\n/);
  return eve;
}

const say = (text: string) => `CHAT: 0\nJOIN_ID: 2\nCLIENT_NAME: eve\nMESSAGE: ${text}\n\n`;

test_('what is being typed stays when a message comes in', async () => {
  const server = await start();
  const client = open(server);
  await client.printed(/ann has joined/);
  const eve = await join(server);
  await client.printed(/eve has joined/);
  client.type('hal');
  await client.printed(/hal$/);
  eve.send(say('hi ann'));
  await client.printed(/hi ann\r\n[\s\S]*r> hal/);
  assert.match(sinceClear(client), /^r> hal/);
  client.type('lo\r');
  await eve.expect(/[\s\S]*MESSAGE: hallo\n\n/);
});

test_('a line that is said is not left standing, however wide its characters are', async () => {
  const server = await start();
  const client = open(server);
  await client.printed(/ann has joined[\s\S]*r> /);
  const wide = '日本語'.repeat(12);
  client.type(wide);
  await client.printed(/日本語$/);
  client.type('\r');
  await client.printed(new RegExp(`: ${wide}\r\n`));
  // 72 columns behind the prompt are two rows; a third one is begun by Enter
  assert.ok(client.stdout.includes(`\r\n\x1b[2A\x1b[1G${CLEAR}`));
});

test_('a server that goes away is told in one line, status 1', async () => {
  const server = await start();
  const client = open(server);
  await client.printed(/ann has joined/);
  client.type('half a line');
  await client.printed(/half a line$/);
  server.kill('SIGKILL');
  assert.is((await client.exit()).status, 1);
  assert.is(sinceClear(client), 'parley-client: the server has closed the connection\r\n');
});

for (const [name, key] of [
  ['Ctrl-D', CTRL_D],
  ['Ctrl-C', CTRL_C],
] as const) {
  test_(`${name} leaves, status 0`, async () => {
    const server = await start();
    const client = open(server);
    await client.printed(/ann has joined[\s\S]*r> /);
    client.type(key);
    assert.is((await client.exit()).status, 0);
    assert.match(sinceClear(client), /^r> [\s\S]*ann has left this chatroom\.[\s\S]*\r\n$/);
  });
}

test_('Ctrl-C is heard while an answer is awaited', async () => {
  const server = await start();
  const client = open(server);
  await client.printed(/ann has joined[\s\S]*r> /);
  process.kill(server.pid, 'SIGSTOP');
  client.type('/join other\rwaits for it\r');
  await pause(300);
  client.type(CTRL_C);
  await client.printed(/\r\n$/);
  process.kill(server.pid, 'SIGCONT');
  assert.is((await client.exit()).status, 0);
  await client.printed(/waits for it\r\n/);
});

for (const [env, coloured] of [
  [{}, true],
  [{ NO_COLOR: '1' }, false],
] as const) {
  test_(`${coloured ? 'colours' : 'NO_COLOR: no colours'}`, async () => {
    const server = await start();
    const client = open(server, env);
    await client.printed(/ann has joined[\s\S]*r> /);
    client.type('hello\r');
    await client.printed(/: hello\r\n/);
    assert.is(COLOUR.test(client.stdout), coloured);
  });
}
test.run();
