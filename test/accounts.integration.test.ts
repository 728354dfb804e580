// Accounts, as lobby clients make and use them: what wrong passwords cost and whom, what a crash leaves, what can be
// read nowhere, and a classic server's user file.

import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, error, join, pause, runToEnd, type Server, start, temporaryDirectory } from './launch.ts';
import { chatOf, enterTcp, frame, framed, Lobby, lobbyTests, login } from './lobby-peers.ts';

const SLOWED = /^too many wrong passwords: try again in (\d+) s$/;
const WRONG = 'invalad username or password.';
/** An answer that takes longer than this was held up by what others do. */
const PROMPT_MS = 1000;

// --- passwords -------------------------------------------------------------------------------------------

const passwords = suite('accounts, passwords');
const passwords_ = lobbyTests(passwords);

interface Storm {
  readonly wrong: number;
  readonly slowed: number;
}

/** All at once, over several connections; each is answered. */
async function storm(server: Server, count: number, from: string): Promise<Storm> {
  const CONNECTIONS = 5;
  const each = count / CONNECTIONS;
  const messages: string[] = [];
  const one = async (number: number) => {
    const lobby = await Lobby.open(server, from);
    const tries = Array.from({ length: each }, (_, i) =>
      frame('LGIN', { username: 'griffin', password: `${number}-${i}` }),
    );
    lobby.client.send(tries.join(''));
    for (let i = 0; i < each; i++) {
      const { type, data } = await lobby.next(20_000);
      assert.is(type, 'ERRO');
      messages.push(data.message);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => one(i)));
  const wrong = messages.filter((message) => message === WRONG).length;
  const slowed = messages.filter((message) => SLOWED.test(message)).length;
  assert.is(wrong + slowed, count);
  return { wrong, slowed };
}

passwords_(
  'a thousand wrong passwords are slowed, and hold nobody up',
  async () => {
    const server = await start();
    const owner = await Lobby.open(server, '127.0.0.3');
    const right = { username: 'griffin', password: 'the right one' };
    await owner.good('CUSR', right);
    await owner.good('LGIN', right);
    const other = await login(server, 'other');
    const neighbour = await Lobby.open(server, '127.0.0.4');
    let isOver = false;
    const watch = async () => {
      for (let asked = 0; ; asked++) {
        if (isOver) return asked;
        await neighbour.ask('LTRQ', {}, PROMPT_MS);
        await pause(10);
      }
    };
    const watched = watch();
    const { wrong, slowed } = await storm(server, 1000, '127.0.0.2');
    isOver = true;
    assert.ok((await watched) > 5);
    assert.ok(wrong <= 10, `${wrong} passwords were tried`);
    assert.ok(slowed >= 990);
    // also the right one, from there
    const attacker = await Lobby.open(server, '127.0.0.2');
    assert.match(await attacker.refused('LGIN', right), SLOWED);
    // the owner, where they have been before; others anywhere
    assert.is(await owner.good('LGIN', right), 'you are now logged in!');
    assert.is(await (await Lobby.open(server, '127.0.0.3')).good('LGIN', right), 'you are now logged in!');
    await neighbour.good('LGIN', { username: 'other', password: "other's password" });
    assert.ok(await other.isLoggedIn('other'));
    // and after a while from anywhere
    const elsewhere = await Lobby.open(server);
    const [, seconds] = SLOWED.exec(await elsewhere.refused('LGIN', right)) ?? [];
    await pause(Number(seconds) * 1000);
    assert.is(await elsewhere.good('LGIN', right), 'you are now logged in!');
  },
  40,
);

passwords_('a name in other letters is the same account, and what no name is can not be made one', async () => {
  const server = await start();
  const lobby = await login(server, 'Griffin', '123');
  for (const name of ['griffin', 'GRIFFIN', ' griffin ', 'ｇriffin', 'grif\u200bfin']) {
    assert.match(await lobby.refused('CUSR', { username: name, password: '456' }), /taken|character/, name);
  }
  await lobby.good('LGIN', { username: 'gRIFFIN', password: '123' });
  for (const name of ['', ' ', 'server', 'all', 'guest-1', 'x~2', 'a\nb', 'a\u0000', 'x'.repeat(65), '\u200b']) {
    await lobby.refused('CUSR', { username: name, password: '123' });
  }
  for (const password of ['', 'x'.repeat(1025)]) await lobby.refused('CUSR', { username: 'ann', password });
  for (const password of [' ', 'x'.repeat(1024), '☃\u0000\n"']) {
    const username = `somebody ${password.length}`;
    await lobby.good('CUSR', { username, password });
    await lobby.good('LGIN', { username, password });
    await lobby.refused('LGIN', { username, password: `${password} ` });
  }
  const thief = await Client.connect(server.tcp);
  thief.send(join('one', 'GRIFFIN'));
  await thief.expect(error(6));
});

passwords_('an address makes so many accounts at once, another is not held up', async () => {
  const server = await start();
  const lobby = await Lobby.open(server);
  const make = (i: number) => ({ username: `user ${i}`, password: 'x' });
  for (let i = 0; i < 40; i++) lobby.send('CUSR', make(i));
  const answers = [];
  for (let i = 0; i < 40; i++) answers.push(await lobby.next());
  assert.is(answers.filter(({ type }) => type === 'GOOD').length, 30);
  assert.match(answers.at(-1)?.data.message, /^too many accounts .*try again in \d+ s$/);
  await lobby.good('LGIN', make(29));
  await (await Lobby.open(server)).refused('CUSR', make(41));
  const other = await Lobby.open(server, '127.0.0.2');
  await other.good('CUSR', make(39));
});

passwords_('no password stands in the log or in the database', async () => {
  const server = await start({ args: ['--log-level', 'debug'] });
  const SECRETS = ['tell-nobody-1', 'tell-nobody-2', 'tell-nobody-3', 'tell-nobody-4', 'tell-nobody-5'] as const;
  const [own, room, wrong, wrongRoom, unsent] = SECRETS;
  const lobby = await login(server, 'griffin', own);
  await lobby.good('ROOM', { name: 'closed', description: 'a description', password: room });
  await lobby.refused('LGIN', { username: 'griffin', password: wrong });
  const guest = await Lobby.open(server);
  await guest.refused('JOIN', { room: 'closed', via: 'tcp', password: wrongRoom });
  const member = await enterTcp(guest, 'closed', room);
  member.room.send('CHAT', chatOf('what was said'));
  assert.equal([await member.room.next(), await member.room.next()].map(({ type }) => type).sort(), ['CHAT', 'GOOD']);
  await guest.refused('LGIN', { username: 'griffin', passwort: unsent });
  guest.client.send(framed('LGIN', `{"username": "griffin", "password": "${unsent}"]`));
  assert.is((await guest.next()).type, 'ERRO');
  guest.client.send(`LGINxxxx{"password": "${unsent}"}`);
  await guest.client.gone();
  const names = fs.readdirSync(path.dirname(server.data)).filter((name) => !name.endsWith('.sock'));
  const files = names.map((name) => path.join(path.dirname(server.data), name));
  assert.ok(files.length > 0);
  const look = (): Buffer[] => files.filter((file) => fs.existsSync(file)).map((file) => fs.readFileSync(file));
  const before = look();
  assert.ok(before.some((bytes) => bytes.includes('what was said')));
  server.kill('SIGTERM');
  await server.exit();
  const everything = [...before, ...look(), Buffer.from(server.stderr), Buffer.from(server.stdout)];
  for (const secret of SECRETS) {
    for (const bytes of everything) {
      assert.not.ok(bytes.includes(secret), secret);
      assert.not.ok(bytes.includes(Buffer.from(secret).toString('base64url').slice(0, -2)), secret);
    }
  }
});

passwords.run();

// --- what stays ------------------------------------------------------------------------------------------

const kept = suite('accounts, after a crash');
const kept_ = lobbyTests(kept);

kept_('what was answered with GOOD is there after kill -9', async () => {
  const data = path.join(temporaryDirectory(), 'house.db');
  const crash = async (work: (server: Server) => Promise<void>) => {
    const server = await start({ data });
    await work(server);
    server.kill('SIGKILL');
    await server.exit();
  };
  const account = { username: 'griffin', password: '123' };
  await crash(async (server) => {
    await (await Lobby.open(server)).good('CUSR', account);
  });
  await crash(async (server) => {
    const lobby = await Lobby.open(server);
    await lobby.refused('CUSR', account);
    await lobby.good('LGIN', account);
    await lobby.good('ROOM', { name: 'closed', description: 'about it', password: 'sesame' });
  });
  await crash(async (server) => {
    const lobby = await Lobby.open(server);
    await lobby.refused('JOIN', { room: 'closed', via: 'tcp' });
    const { room } = await enterTcp(lobby, 'closed', 'sesame');
    room.send('CHAT', chatOf('the last words'));
    while ((await room.next()).type !== 'GOOD');
  });
  await crash(async (server) => {
    const lobby = await Lobby.open(server);
    await lobby.good('LGIN', account);
    await lobby.good('ROOM', { name: 'open', description: 'about it' });
    await lobby.good('ROOM', { name: 'closed too', password: 'sesame' });
    await lobby.good('DELR', { name: 'closed too', owner: 'griffin' });
  });
  const server = await start({ data });
  const lobby = await Lobby.open(server);
  const list = await lobby.ask('LTRQ', { all: true });
  assert.equal(list.data, { rooms: ['open'], people: [0], about: ['about it'] });
  const ann = await Client.connect(server.tcp);
  ann.send(join('closed', 'ann'));
  await ann.expect(error(7));
  await lobby.refused('JOIN', { room: 'closed', via: 'tcp', password: 'wrong' });
  await lobby.good('LGIN', account);
  const { previous } = await enterTcp(lobby, 'closed'); // its owner needs none
  assert.equal(
    previous.map(({ contents, datetime }) => [contents, datetime]),
    [['the last words', '22:22:54, 05/10/2023']],
  );
  const found = await lobby.ask('FIND', { words: 'last words', count: 5 });
  assert.is(found.data.chats.length, 1);
});

kept.run();

// --- a classic server's users ----------------------------------------------------------------------------

const users = suite('accounts, --import-users');
const users_ = lobbyTests(users);

users_('takes over a user file, odd rows and all, once', async () => {
  const directory = temporaryDirectory();
  const file = path.join(directory, 'users.csv');
  const data = path.join(directory, 'house.db');
  const ROWS = [
    '\ufeffgriffin,123',
    '"quo""ted, indeed","a,b"',
    '',
    'no password',
    'empty,',
    ',no name',
    'server,x',
    'guest-7,x',
    `${'x'.repeat(65)},x`,
    'two\u0007bells,x',
    'more,fields,than,needed',
    'GRIFFIN,another',
    'käse,☃',
    'twice,first',
    'twice,last',
    '   ',
    ' blanks , around ',
    'last,one',
  ];
  fs.writeFileSync(file, ROWS.join('\r\n'));
  const server = await start({ data, args: ['--import-users', file] });
  const lobby = await Lobby.open(server);
  const right = [
    ['quo"ted, indeed', 'a,b'],
    ['more', 'fields'],
    ['käse', '☃'],
    ['twice', 'last'],
    ['blanks', ' around '],
    ['last', 'one'],
    ['griffin', 'another'],
  ];
  for (const [username, password] of right) await lobby.good('LGIN', { username, password });
  await lobby.refused('LGIN', { username: 'twice', password: 'first' });
  const bad = [4, 5, 6, 7, 8, 9, 10, 16];
  await server.logged(/users imported/);
  for (const line of bad) assert.match(server.stderr, new RegExp(`warn +user not imported line=${line} reason=`));
  assert.is(server.stderr.match(/user not imported/g)?.length, bad.length);
  for (const secret of ['a,b', '☃', 'fields']) assert.not.ok(server.stderr.includes(secret));

  // another password for one who is there, and one who is new
  fs.writeFileSync(file, 'griffin,changed\nnew,one');
  server.kill('SIGTERM');
  await server.exit();
  const again = await start({ data, args: ['--import-users', file] });
  await again.logged(/users imported .*made=1/);
  const next = await Lobby.open(again);
  await next.good('LGIN', { username: 'new', password: 'one' });
  await next.good('LGIN', { username: 'griffin', password: 'another' });
});

users_('a file that is not there, or is none, is said in one line', async () => {
  const directory = temporaryDirectory();
  for (const file of [path.join(directory, 'missing.csv'), directory]) {
    const { status, stdout, stderr } = await runToEnd({ args: ['--import-users', file] });
    assert.is(status, 1, file);
    assert.is(stdout, '');
    assert.match(stderr, /^parley-server: --import-users [^\n]+\n$/);
    assert.ok(stderr.includes(file));
  }
  const empty = path.join(directory, 'empty.csv');
  fs.writeFileSync(empty, '');
  const server = await start({ args: ['--import-users', empty] });
  await server.logged(/users imported .*made=0/);
});

users.run();
