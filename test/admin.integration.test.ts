// The operator's commands through the admin socket, by parley-client and by hand: on real servers, with people of
// several dialects there.

import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeDatagram } from '../src/wire-datagram.ts';
import {
  Client,
  clientCommand,
  Datagrams,
  eventually,
  hasLeft,
  isDeno,
  join,
  limited,
  Program,
  runToEnd,
  type Server,
  start,
  temporaryDirectory,
  watchMain,
} from './launch.ts';
import { connect, enterTcp, login } from './lobby-peers.ts';

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const socketOf = (server: Server) => server.data.replace(/\.db$/, '.sock');

/** One command, by `parley-client admin`. */
function admin(server: Server, ...words: string[]): Promise<Outcome> {
  const args = ['admin', '--socket', socketOf(server), ...words];
  return runToEnd({ command: clientCommand(), port: 'none', args });
}

async function done(server: Server, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await admin(server, ...words);
  assert.is(status, 0, `${words.join(' ')}: ${stderr}`);
  return stdout;
}

const socket = suite('admin socket');
const socket_ = limited(socket);

socket_('is the server’s own user’s alone, and gone with it', async () => {
  const server = await start();
  const file = socketOf(server);
  assert.is(fs.statSync(file).mode & 0o777, 0o600);
  server.kill('SIGTERM');
  await server.exit();
  assert.not(fs.existsSync(file));
});

socket_('stands in a directory of ours that nobody else reads', async () => {
  const state = temporaryDirectory();
  const server = await start({
    port: 0,
    data: 'none',
    env: { XDG_STATE_HOME: state },
    args: ['--admin', path.join(state, 's.sock')],
  });
  assert.is(fs.statSync(path.join(state, 's.sock')).mode & 0o777, 0o600);
  const { stdout } = await runToEnd({
    command: clientCommand(),
    port: 'none',
    args: ['admin', 'who'],
    env: { PARLEY_SOCKET: path.join(state, 's.sock') },
  });
  assert.is(stdout, 'nobody is here\n');
  server.kill('SIGTERM');
  await server.exit();
});

socket_('is not there with --admin off, or without a place for it', async () => {
  const off = await start({ args: ['--admin', 'off'] });
  assert.not(fs.existsSync(socketOf(off)));
  const { status, stderr } = await admin(off, 'who');
  assert.is(status, 1);
  assert.match(stderr, /^parley-client: there is no .*\.sock/);
  await start({ data: ':memory:' });
  assert.not(fs.existsSync(':memory:.sock'));
});

socket_('has no place in a directory with a long name: the server does without', async () => {
  const directory = path.join(temporaryDirectory(), 'x'.repeat(120));
  fs.mkdirSync(directory);
  const server = await start({ data: path.join(directory, 'house.db') });
  await server.logged(/no admin socket reason=.*longer than 103 bytes/);
});

socket_('takes the place of one that a killed server has left, and of nothing else', async () => {
  const first = await start();
  first.kill('SIGKILL');
  await first.exit();
  const second = await start({ data: first.data });
  assert.is(await done(second, 'who'), 'nobody is here\n');
  const other = path.join(temporaryDirectory(), 'notes.txt');
  fs.writeFileSync(other, 'mine');
  for (const [file, why] of [
    [other, /no socket/],
    [socketOf(second), /another server/],
  ] as const) {
    const { status, stderr } = await runToEnd({ port: 0, data: ':memory:', args: ['--admin', file] });
    assert.is(status, 1);
    assert.match(stderr, why);
  }
  assert.is(fs.readFileSync(other, 'utf8'), 'mine');
});

socket_('is spoken by hand: a line in, lines out, a dot', async () => {
  const server = await start();
  const hand = new Client(net.connect(socketOf(server)));
  hand.send('bans\ndance\n');
  await hand.expect('nobody is banned\n.\nthere is no command dance: type help\n.failed\n');
  hand.send('wh');
  hand.send('o\n');
  hand.halfClose();
  await hand.expect('nobody is here\n.\n');
  await hand.toEnd();
  const flood = new Client(net.connect(socketOf(server)));
  flood.send('x'.repeat(300_000));
  await flood.gone();
  assert.is(await done(server, 'who'), 'nobody is here\n');
});
socket.run();

const command = suite('parley-client admin');
const command_ = limited(command);

command_('takes commands from a pipe; one that was not done is exit status 1', async () => {
  const server = await start();
  const client = new Program({ command: clientCommand(), port: 'none', args: ['admin', '--socket', socketOf(server)] });
  client.type('ban bob\n\nkick eve\nkill eve\nban 10.0.0.0/8 5 minutes\nbans\n');
  client.endInput();
  assert.is((await client.exit()).status, 1);
  assert.is(client.stdout, 'banned bob for good\nbob (name) for good\n');
  assert.match(
    client.stderr,
    /^parley-client: nobody called eve is here\nparley-client: kill .*kick NAME.*\n.*how long.*\n$/,
  );
});

command_('finds the only server that runs, and asks which of several', async () => {
  const state = temporaryDirectory();
  const env = { XDG_STATE_HOME: state };
  fs.mkdirSync(path.join(state, 'parley'));
  const ask = () => runToEnd({ command: clientCommand(), port: 'none', args: ['admin', 'who'], env });
  const none = await ask();
  assert.equal([none.status, none.stdout], [1, '']);
  assert.match(none.stderr, /no server of yours/);
  const data = (name: string) => path.join(state, 'parley', name);
  await start({ data: data('1.db') });
  assert.equal((await ask()).stdout, 'nobody is here\n');
  await start({ data: data('2.db') });
  const two = await ask();
  assert.is(two.status, 1);
  assert.match(two.stderr, /1\.sock or --socket .*2\.sock/);
});

command_('lists are whole', async () => {
  const server = await start();
  const client = new Program({ command: clientCommand(), port: 'none', args: ['admin', '--socket', socketOf(server)] });
  for (let i = 0; i < 250; i++) client.type(`ban 10.0.${i}.0/24 1h\n`);
  client.endInput();
  assert.is((await client.exit()).status, 0, client.stderr);
  assert.is((await done(server, 'bans')).trimEnd().split('\n').length, 250);
});

command_('what can’t be shown is a failure; that nobody reads on is none worth a word', async () => {
  const server = await start();
  const words = [...clientCommand(), 'admin', '--socket', socketOf(server), 'help'];
  const shell = (rest: string) =>
    runToEnd({ command: ['sh', '-c', `${words.map((one) => `'${one}'`).join(' ')} ${rest}`], port: 'none' });
  if (fs.existsSync('/dev/full') && !isDeno) {
    const { status, stderr } = await shell('> /dev/full');
    assert.is(status, 1);
    assert.match(stderr, /^parley-client: standard output: ENOSPC/);
  }
  const { stdout, stderr } = await shell('| head -1');
  assert.match(stdout, /^peers .*\n$/);
  assert.is(stderr, '');
});

command_('bad arguments are exit status 2', async () => {
  const { status, stderr } = await runToEnd({ command: clientCommand(), port: 'none', args: ['admin', '--nonsense'] });
  assert.is(status, 2);
  assert.match(stderr, /--nonsense/);
});

command_('ends the server', async () => {
  const server = await start();
  await done(server, 'exit');
  assert.equal(await server.exit(), { status: 0, signal: null });
});
command.run();

const people = suite('admin: people');
const people_ = limited(people);

people_('who and kick, in the words of each dialect', async () => {
  const server = await start({ args: ['--pipe', '0'] });
  const watcher = await watchMain(server);
  const lab = await Client.connect(server.tcp);
  lab.send(join('main', 'ann'));
  await lab.expect(/[\s\S]*ann has joined this chatroom\.\n\n/);
  const menu = await Client.connect(server.tcp);
  menu.send('bob\n');
  const pipe = await Client.connect(server.ports.pipe as number);
  await pipe.expect(/[\s\S]*username\n/);
  pipe.send('eve\n');
  await pipe.expect(/OK.*\n/);
  await watcher.expect(/[\s\S]*bob has joined[\s\S]*?\n\n/);
  const who = await done(server, 'who');
  for (const line of [
    /^ann \(lab\) 127\.0\.0\.1:\d+ in main$/m,
    /^bob \(menu\) .* in main$/m,
    /^eve \(pipe\) .* in no room$/m,
  ]) {
    assert.match(who, line);
  }
  assert.is(await done(server, 'kick', 'ann'), 'ann is out\n');
  assert.match(await lab.toEnd(), /ERROR_DESCRIPTION: .*put out by the operator/);
  await watcher.expect(new RegExp(`[\\s\\S]*${hasLeft(0, 'ann')}`));
  await done(server, 'kick', 'bob');
  assert.match(await menu.toEnd(), /server: you were put out by the operator\n$/);
  await done(server, 'kick', 'eve');
  assert.is(await pipe.toEnd(), 'ERROR|you were put out by the operator\nexit\n');
  const { status, stderr } = await admin(server, 'kick', 'ann');
  assert.equal([status, stderr], [1, 'parley-client: nobody called ann is here\n']);
  await server.logged(/operator .*command="kick bob"/);
});

people_('kick of those who come by UDP: told, and gone as if they had said goodbye', async () => {
  const server = await start();
  const [lab, group] = [await Datagrams.open(), await Datagrams.open()];
  lab.send(join('main', 'ann', 0, 0), server.udp);
  await lab.expect(/JOINED_CHATROOM[\s\S]*/);
  group.send(encodeDatagram({ kind: 'freg', name: 'bob', port: group.port, isOurs: false }), server.udp);
  await eventually(() => group.rest()[0], 'the registration');
  const who = await done(server, 'who');
  assert.match(who, /^ann \(lab\) 127\.0\.0\.1:\d+ \(UDP\) in main$/m);
  assert.match(who, /^bob \(datagram\) 127\.0\.0\.1:\d+ \(UDP\) in main$/m);
  lab.rest();
  await done(server, 'kick', 'ann');
  await eventually(() => lab.rest().find((text) => text.includes('put out by the operator')), 'the reason');
  await done(server, 'kick', 'bob');
  assert.is(await done(server, 'who'), 'nobody is here\n');
});

people_('kick in a lobby room: every connection of that login', async () => {
  const server = await start();
  const lobby = await login(server, 'griffin');
  const rooms = [await enterTcp(lobby, 'hall'), await enterTcp(lobby, 'hall'), await enterTcp(lobby, 'den')];
  assert.match(await done(server, 'who'), /^griffin \(lobby\) .* in hall, den$/m);
  await done(server, 'kick', 'griffin');
  const ends = await Promise.all(rooms.map(({ room }) => room.client.toEnd()));
  assert.ok(
    ends.some((text) => /ERRO\d{4}.*put out by the operator/.test(text)),
    ends.join(),
  );
  assert.is(await done(server, 'who'), 'nobody is here\n');
});

people_('ban ADDRESS: those who are there are put out, others are not', async () => {
  const server = await start({ args: ['--trusted', 'none'] });
  const watcher = await watchMain(server);
  const bad = await connect(server.tcp, '127.0.0.9');
  bad.send(join('main', 'eve'));
  await watcher.expect(/[\s\S]*eve has joined/);
  const waiting = await connect(server.tcp, '127.0.0.9');
  const fetching = await connect(server.tcp, '127.0.0.9');
  fetching.send('GET /files/a/b HTTP/1.1\r\nHost: a\r\n');
  while (!(await done(server, 'limits')).includes('127.0.0.9: 3'));
  assert.match(await done(server, 'ban', '127.0.0.8/30', '5'), /^banned 127\.0\.0\.8\/30 until .*\n3 put out\n$/);
  assert.match(await bad.toEnd(), /you are banned until/);
  await waiting.gone();
  await fetching.gone();
  await (await connect(server.tcp, '127.0.0.10')).gone();
  await watcher.expect(/[\s\S]*eve has left/);
});

people_('say reaches everybody', async () => {
  const server = await start();
  const watcher = await watchMain(server);
  await done(server, 'say', 'the server ends in five minutes');
  await watcher.expect(/CHAT: 0\nCLIENT_NAME: server\nMESSAGE: the server ends in five minutes\n\n/);
});

people_('ban: nobody comes in from there, also after kill -9; unban', async () => {
  const server = await start({ args: ['--trusted', 'none'] });
  const ann = await Client.connect(server.tcp);
  ann.send(join('main', 'ann'));
  await ann.expect(/[\s\S]*ann has joined this chatroom\.\n\n/);
  assert.is(await done(server, 'ban', 'ann', '60').then((text) => text.split('\n').length), 4);
  assert.match(await ann.toEnd(), /you are banned until/);
  await (await Client.connect(server.tcp)).gone();
  server.kill('SIGKILL');
  await server.exit();
  const again = await start({ data: server.data });
  await (await Client.connect(again.tcp)).gone();
  const bans = (await done(again, 'bans')).split('\n').sort();
  assert.match(bans.join('\n'), /^\n127\.0\.0\.1 \(network\) until .*\nann \(name\) until .*$/);
  await done(again, 'unban', '127.0.0.1');
  const named = await Client.connect(again.tcp);
  named.send(join('main', 'ann'));
  assert.match(await named.expect(/ERROR_CODE: \d+\nERROR_DESCRIPTION: .*\n/), /the name ann is banned/);
  await done(again, 'unban', 'ann');
  named.send(join('main', 'ann'));
  await named.expect(/[\s\S]*ann has joined this chatroom\.\n\n/);
});

people_('reload and SIGHUP read the limits again; what is wrong changes nothing', async () => {
  const file = path.join(temporaryDirectory(), 'limits');
  fs.writeFileSync(file, 'messages = 7+3/s\n');
  const server = await start({ args: ['--limits', file, '--limit', 'idle=99'] });
  assert.match(await done(server, 'limits'), /^messages +7\+3\/s[\s\S]*^idle +99 /m);
  fs.writeFileSync(file, 'messages = 8+3/s\nidle = 5');
  await done(server, 'reload');
  assert.match(await done(server, 'limits'), /^messages +8\+3\/s[\s\S]*^idle +99 /m);
  fs.writeFileSync(file, 'messages = many');
  const { status, stderr } = await admin(server, 'reload');
  assert.is(status, 1);
  assert.match(stderr, /messages = many/);
  assert.match(await done(server, 'limits'), /^messages +8\+3\/s/m);
  fs.writeFileSync(file, 'messages = 9+3/s');
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/limits read[\s\S]*limits read/);
  assert.match(await done(server, 'limits'), /^messages +9\+3\/s/m);
});
people.run();
