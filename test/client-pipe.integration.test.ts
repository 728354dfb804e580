// parley-client pipe from a pipe, against parley-server and against a classic server, with classic clients beside it.

import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findServer } from '../src/pipe-link.ts';
import { Client, clientCommand, eventually, limited, Program, runToEnd, temporaryDirectory } from './launch.ts';
import {
  closeClassics,
  enter,
  GOODBYE,
  leave,
  open,
  type Server,
  startClassic,
  startOurs,
  wordsFor,
} from './pipe-people.ts';

const test = suite('parley-client pipe');
test.after.each(closeClassics);
const test_ = limited(test);

// --- what the tests do with them -----------------------------------------------------------------------------------

/** Lines from a pipe, to the end of what comes of them. */
async function script(server: Server, ...lines: string[]): Promise<{ status: number | null; stdout: string }> {
  const client = open(server);
  client.type(lines.map((line) => `${line}\n`).join(''));
  client.endInput();
  const { status } = await client.exit(15_000);
  assert.is(client.stderr, '');
  return { status, stdout: client.stdout };
}

for (const [kind, startOne] of [
  ['a classic server', startClassic],
  ['our server', startOurs],
] as const) {
  test_(`does from a pipe what the lines say, with ${kind}`, async () => {
    const server: Server = await startOne();
    const lines = ['all', 'ann', 'what', 'create', 'den', 'Yes please', 'se kret', 'hello', '@me|getsharestatus'];
    const { status, stdout } = await script(server, ...lines, '@bob|hi', '@server|get_peers', '@server|get_rooms');
    assert.is(status, 0);
    const due =
      `Connected to 127.0.0.1 at port ${server.port}\nPlease enter your username\n` +
      'ERROR|Username taken, kindly choose another.\n' +
      'OK|Username ann accepted. Send create/join a chatroom\n' +
      'ERROR|Sorry, specify join/create to join or create a chatroom\n' +
      'OK|Specify a chatroom name to create.\n' +
      'OK|Chatroom den created. Do you want to password protect the room? [yes/no]\n' +
      'OK|Please enter password.\nOK|Password accepted.\n' +
      'Welcome to den. You are all set to pass messages\n' +
      'ERROR|Sorry, first field in message should be @<destination>\n' +
      '#me|getsharestatus\nsharing is on: no files\n' +
      'ERROR|Sorry, destination client not present in chatroom\nann\nden\n';
    assert.is(stdout, due + GOODBYE);
  });

  test_(`two of them talk, and one looks for files, with ${kind}`, async () => {
    const server: Server = await startOne();
    const directory = temporaryDirectory();
    fs.writeFileSync(path.join(directory, 'song.mp3'), 'la');
    const ann = await enter(server, 'ann', 'create', '--dir', directory);
    const ben = await enter(server, 'ben', 'join');
    assert.match(
      ben.stdout,
      /\nOK\|You have joined chatroom - den\nHere is a list of peers in the room:\nann\nWelcome/,
    );
    await ann.printed(/^INFO\| New user ben has joined$/m);
    ann.type('@all|anybody here?\n@ben|a|b\n');
    await ben.printed(/^#ann\|anybody here\?\n#ann\|a\|b$/m);
    ben.type('@all|whohas|*.mp3\n');
    await ben.printed(/^#ann\|ME$/m);
    ann.type('@me|clrshare|song.mp3\n@ben|done\n');
    await ben.printed(/^#ann\|done$/m);
    ben.type('@all|whohas|*.mp3\n@ann|whohas\n');
    await ben.printed(/^#ann\|ERROR: Please specify filename$/m);
    assert.is(ben.stdout.match(/^#ann\|ME$/gm)?.length, 1);
    await leave(ben);
    await ann.printed(/^INFO\| User ben has left$/m);
    await leave(ann);
  });

  test_(`a script gets into a room with a password, and its lines arrive in order, with ${kind}`, async () => {
    const server: Server = await startOne();
    const ann = open(server);
    ann.type('ann\ncreate\nden\nyes\nsekret\n');
    await ann.printed(/^Welcome/m);
    const lines = Array.from({ length: 20 }, (_, at) => `@all|line ${at}`);
    const { status, stdout } = await script(server, 'ben', 'join', 'dan', 'den', 'wrong', 'sekret', ...lines);
    assert.is(status, 0);
    assert.match(stdout, /^ERROR\|Sorry, incorrect password\. You have 4 tries left\.$/m);
    await ann.printed(/^INFO\| User ben has left$/m);
    assert.equal(
      ann.stdout.match(/^#.*$/gm),
      lines.map((line) => line.replace('@all', '#ben')),
    );
    await leave(ann);
  });

  test_(`${kind} that goes away is told in one line`, async () => {
    const server: Server = await startOne();
    const client = await enter(server, 'ann', 'create');
    server.close();
    assert.is((await client.exit()).status, 1);
    assert.match(client.stderr, /^parley-client: the server has closed the connection\n$/);
  });

  test_(`SIGTERM leaves, and the name is free, with ${kind}`, async () => {
    const server: Server = await startOne();
    const ann = await enter(server, 'ann', 'create');
    const ben = await enter(server, 'ben', 'join');
    ann.kill('SIGTERM');
    assert.is((await ann.exit()).status, 130);
    await ben.printed(/^INFO\| User ann has left$/m);
    await leave(await enter(server, 'ann', 'join'), ben);
  });

  test_(`a script that comes into no room fails, with ${kind}`, async () => {
    const server: Server = await startOne();
    const client = open(server);
    client.type('ann\njoin\n');
    client.endInput();
    assert.is((await client.exit()).status, 1);
    assert.match(client.stdout, /(?:ERROR\|There are no chatrooms to join now|OK\|Here is a list .*)\n/);
    assert.is(client.stderr, 'parley-client: the input has ended outside any room\n');
  });
}

// --- classic programs ------------------------------------------------------------------------------------------------

test_('a classic server gets each message alone, no byte that ends it, and a goodbye', async () => {
  const server = await startClassic();
  const long = 'word '.repeat(1500).trim();
  await script(server, 'ann', 'create', 'den', 'no', '@all|grüße', '@all|a', `@all|${long}`, '@me|b');
  const [first, ...rest] = server.messages.slice(4);
  assert.is(first, '@all|a');
  assert.equal(rest.slice(-2), ['@me|b', '@server|exit']);
  assert.is(
    rest
      .slice(0, -2)
      .map((text) => text.replace('@all|', ''))
      .join(''),
    long,
  );
  assert.ok(rest.every((text) => text.length < 4096));
});

test_('kill is answered, and ends it', async () => {
  const server = await startClassic();
  const client = await enter(server, 'ann', 'create');
  server.house.type('kill');
  assert.is((await client.exit()).status, 0);
  await eventually(() => server.messages.includes('@server|exit') || undefined, 'no goodbye');
});

test_('too many tries end it, status 1', async () => {
  const server = await startClassic();
  const client = open(server);
  client.type('me\n'.repeat(7));
  assert.is((await client.exit()).status, 1);
  assert.ok(client.stdout.endsWith(`ERROR|Max tries reached, closing connection.\n${GOODBYE}`), client.stdout);
});

test_('what comes without a newline is shown at once, however much of it', async () => {
  const server = await startClassic();
  const client = await enter(server, 'ann', 'create');
  for (let at = 0; at < 5; at++) {
    server.house.type(`@all|notice ${at}`);
    await client.printed(new RegExp(`^#server\\|notice ${at}$`, 'm'));
  }
  server.house.type(`@all|${'x'.repeat(4000)}`);
  await client.printed(/^#server\|x{4000}$/m);
  await leave(client);
});

test_('a classic client beside it, on our server', async () => {
  const server = await startOurs();
  const directory = temporaryDirectory();
  fs.writeFileSync(path.join(directory, 'song.mp3'), 'la');
  const ann = await enter(server, 'ann', 'create', '--dir', directory);
  const old = await Client.connect(server.port);
  await old.expect(/Connected to .*\nPlease enter your username\n/);
  for (const [text, due] of [
    ['old', /OK\|Username old accepted.*\n/],
    ['join', /OK\|Here is a list.*\n.*den.*\n/],
    ['den', /OK\|You have joined[\s\S]*Welcome to den.*\n/],
    ['@ann|whohas|song.*', /#ann\|ME\n/],
    ['@ann|hello', /(?:)/],
  ] as const) {
    old.send(text);
    await old.expect(due);
  }
  await ann.printed(/^#old\|hello$/m);
  ann.type('@old|grüße\n');
  await old.expect('#ann|grüße\n');
  await leave(ann);
});

// --- the command line -------------------------------------------------------------------------------------------------

test_('the server that greets is found, whatever else listens', async () => {
  const silent = net.createServer(() => {});
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as net.AddressInfo;
  const classic = await startClassic(port + 2).catch(() => startClassic(port + 3));
  const found = await findServer('127.0.0.1', port, port + 3);
  assert.is(found?.server.port, classic.port);
  assert.match(String((await once((found as { socket: net.Socket }).socket.resume(), 'data'))[0]), /^Connected to /);
  found?.socket.destroy();
  assert.is(await findServer('127.0.0.1', port, port), undefined);
  silent.close();
  const nowhere = await findServer('no-such-host.invalid', port, port).catch((error) => error.syscall);
  assert.is(nowhere, 'getaddrinfo');
});

test_('bad arguments are told in one line, status 2', async () => {
  const file = path.join(temporaryDirectory(), 'file');
  fs.writeFileSync(file, '');
  for (const args of [
    ['-w', '1'],
    ['--dir', file],
  ]) {
    const command = [...clientCommand(), 'pipe', ...args];
    const { status, stdout, stderr } = await runToEnd({ command, port: 'none', cwd: temporaryDirectory() });
    assert.is(status, 2, args.join(' '));
    assert.is(stdout, '');
    assert.match(stderr, /^parley-client: [^\n]+ \(see --help\)\n$/);
  }
});

test_('-h tells every option; a server that is not there is told in one line', async () => {
  const help = await runToEnd({ command: [...clientCommand(), 'pipe', '-h'], port: 'none' });
  assert.is(help.status, 0);
  const options = ['-s, --share', '-p, --parallel', '-w, --window', '-e, --errprob', '--ip', '--port', '--dir', '-h'];
  for (const option of options) assert.ok(help.stdout.includes(option), option);
  const gone = await startClassic();
  const { port } = gone;
  gone.close();
  const command = wordsFor({ port }, temporaryDirectory());
  const { status, stderr } = await runToEnd({ command, port: 'none' });
  assert.is(status, 1);
  assert.is(stderr, `parley-client: no server answers on 127.0.0.1 port ${port}\n`);
});

test_('the folder is made', async () => {
  const server = await startClassic();
  const cwd = temporaryDirectory();
  const command = [...clientCommand(), 'pipe', '--ip', '127.0.0.1', '--port', String(server.port)];
  const client = new Program({ command, port: 'none', cwd });
  await client.printed(/username/);
  assert.ok(fs.statSync(path.join(cwd, 'folder')).isDirectory());
  client.endInput();
  await client.exit();
});

test.run();
