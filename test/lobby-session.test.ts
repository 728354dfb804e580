import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LobbySession } from '../src/lobby-session.ts';
import {
  confer,
  FakePort,
  FakeTongue,
  type FrameTold,
  LobbyClient,
  openLab,
  openLobby,
  openMenu,
  settle,
  type TestLobby,
} from './fakes.ts';

const AWAY = '203.0.113.9';
const LOGGED_IN = ['GOOD', { message: 'you are now logged in!' }];

async function withGriffin(options: Parameters<typeof openLobby>[0] = {}): Promise<TestLobby> {
  const on = openLobby(options);
  await on.accounts.register('griffin', '123', '192.0.2.200');
  return on;
}

async function loggedIn(on: TestLobby, name = 'griffin', ip?: string): Promise<LobbyClient> {
  if (!on.backbone.isRegistered(name)) await on.accounts.take(name, '123');
  const client = new LobbyClient(on, undefined, name, ip);
  assert.equal(await client.say('LGIN', { username: name, password: '123' }), [LOGGED_IN]);
  return client;
}

/** The message of the one ERRO that answers. */
function refused(frames: FrameTold[]): string {
  assert.is(frames.length, 1, JSON.stringify(frames));
  assert.is(frames[0]?.[0], 'ERRO');
  return frames[0]?.[1].message;
}

// --- accounts ----------------------------------------------------------------------------------------------

const accounts = suite('lobby session: accounts');

accounts('as it was captured', async () => {
  await confer(
    await withGriffin(),
    `C: LGIN {"username": "griffin", "password": "123"}
     S: GOOD {"message": "you are now logged in!"}
     C: LTRQ {}
     S: LTRS {"rooms": []}
     C: JOIN {"room": "griffsRoom"}
     S: CONN {"TCPport": 50001, "GRP": "224.3.29.71", "MCport": 10000}`,
  );
});

accounts('a new user, and a taken name that keeps its password', () =>
  confer(
    openLobby(),
    `C: CUSR {"username": "ann", "password": "1"}
     S: GOOD {"message": "user created"}
     C2: CUSR {"username": "Ann", "password": "2"}
     S2: ERRO {"message": "the name Ann is taken"}
     C2: LGIN {"username": "ann", "password": "2"}
     S2: ERRO {"message": "invalad username or password."}
     C: LGIN {"username": "ann", "password": "1"}
     S: GOOD {"message": "you are now logged in!"}`,
  ),
);

accounts('a new user is acknowledged when it is kept', async () => {
  const on = openLobby();
  on.store.saving = 'held';
  const client = new LobbyClient(on);
  assert.equal(await client.say('CUSR', { username: 'ann', password: '1' }), []);
  on.store.release();
  await settle();
  assert.equal(client.take(), [['GOOD', { message: 'user created' }]]);
  on.store.saving = 'fails';
  refused(await client.say('CUSR', { username: 'bob', password: '1' }));
  on.store.saving = 'at once';
  assert.equal(await client.say('CUSR', { username: 'bob', password: '1' }), [['GOOD', { message: 'user created' }]]);
});

accounts('a wrong password and a name that nobody has are refused in the same words', async () => {
  const on = await withGriffin();
  const client = new LobbyClient(on);
  const wrong = [['ERRO', { message: 'invalad username or password.' }]];
  assert.equal(await client.say('LGIN', { username: 'griffin', password: '124' }), wrong);
  assert.equal(await client.say('LGIN', { username: 'nobody', password: '124' }), wrong);
});

accounts('a wrong password leaves the login that was there', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  await client.say('LGIN', { username: 'other', password: '1' });
  assert.equal(await client.say('LOUT', { username: 'griffin' }), [['GOOD', { message: 'you are now logged out!' }]]);
});

accounts('too many wrong ones are told so', async () => {
  const on = await withGriffin();
  const client = new LobbyClient(on);
  for (let i = 0; i < 5; i++) await client.say('LGIN', { username: 'griffin', password: `${i}` });
  const message = refused(await client.say('LGIN', { username: 'griffin', password: '123' }));
  assert.match(message, /too many wrong passwords: try again in 10 s/);
  on.clock.now += 10_000;
  assert.equal(await client.say('LGIN', { username: 'griffin', password: '123' }), [LOGGED_IN]);
});

accounts('too many new ones are told so', async () => {
  const on = openLobby();
  const client = new LobbyClient(on);
  for (let i = 0; i < 30; i++) await client.say('CUSR', { username: `a${i}`, password: '1' });
  assert.match(refused(await client.say('CUSR', { username: 'b', password: '1' })), /too many accounts/);
  const other = new LobbyClient(on, undefined, 'c2', AWAY);
  assert.is((await other.say('CUSR', { username: 'b', password: '1' }))[0]?.[0], 'GOOD');
});

accounts('one logs oneself out, and nobody else', async () => {
  const on = await withGriffin();
  await confer(
    on,
    `C: LOUT {"username": "griffin"}
     S: ERRO {"message": "Could not logout."}
     C: LGIN {"username": "griffin", "password": "123"}
     S: GOOD {"message": "you are now logged in!"}
     C2: LOUT {"username": "griffin"}
     S2: ERRO {"message": "Could not logout."}
     C: LOUT {"username": "somebody"}
     S: ERRO {"message": "Could not logout."}
     C: LOUT {"username": "GRIFFIN"}
     S: GOOD {"message": "you are now logged out!"}
     C: LOUT {"username": "griffin"}
     S: ERRO {"message": "Could not logout."}
     C: ROOM {"name": "mine"}
     S: ERRO {"message": "you are not logged in"}`,
  );
});

accounts('no answer has a password in it', async () => {
  const on = await withGriffin();
  const client = new LobbyClient(on);
  const told: FrameTold[] = [];
  const say = async (type: string, payload: unknown) => told.push(...(await client.say(type, payload)));
  for (const password of ['s3cr3t', 's3cr3t'.repeat(300), ['s3cr3t'], { s3cr3t: 's3cr3t' }]) {
    await say('CUSR', { username: 'ann', password });
    await say('CUSR', { username: 'griffin', password });
    await say('LGIN', { username: 'griffin', password });
    await say('LGIN', { password });
    await say('ROOM', { name: 'vault', password });
    await say('JOIN', { room: 'vault', password, via: 'tcp' });
    await say('NONO', { password });
  }
  await say('LGIN', { username: 'ann', password: 's3cr3t' });
  await say('ROOM', { name: 'vault', password: 's3cr3t' });
  await say('LTRQ', { all: true });
  await say('JOIN', { room: 'vault', password: 's3cr3t' });
  client.session.receive(new TextEncoder().encode('LGIN0016{"x": "s3cr3t" '), 0);
  await settle();
  told.push(...client.take());
  assert.ok(told.length > 20);
  assert.not(JSON.stringify(told).includes('s3cr3t'));
});

accounts('a registered name is nobody else’s in any dialect', async () => {
  const on = await withGriffin();
  const lab = openLab({}, on);
  const port = new FakePort('lab');
  const session = lab.tcp.open(port);
  session.receive(new TextEncoder().encode('JOIN_CHATROOM: r\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: Griffin\n'), 0);
  await settle();
  assert.match(port.take(), /^ERROR_CODE: 6\nERROR_DESCRIPTION: .*\n$/);
  const menu = openMenu({}, on);
  const [classic, full] = [new FakePort('menu'), new FakePort('full')];
  const menuSession = menu.menu.open(classic);
  menuSession.receive(new TextEncoder().encode('griffin\n'), 0);
  menu.menu.open(full).receive(new TextEncoder().encode('griffin\t0\n'), 0);
  await settle();
  assert.match(classic.take(), /^server: .*griffin.*\n$/);
  assert.ok(full.take().startsWith('\x1eerror\t'));
  menuSession.receive(new TextEncoder().encode('tiffany\n'), 0);
  await settle();
  assert.equal(
    [...(on.house.findRoom('main')?.people.values() ?? [])].map(({ name }) => name),
    ['tiffany'],
  );
});

accounts('a name that somebody wears in another dialect can’t be registered', async () => {
  const on = openLobby();
  await on.house.enter('Ann', new FakeTongue('lab'), 'aliased');
  const message = refused(await new LobbyClient(on).say('CUSR', { username: 'ann', password: '1' }));
  assert.match(message, /ann/);
});
accounts.run();

// --- a login and its connection -----------------------------------------------------------------------------

const carry = suite('lobby session: a login belongs to its connection');

/** Into a room with the lobby connection closed, as classic clients do, and out again. */
async function visit(on: TestLobby, client: LobbyClient, closeLobby = true): Promise<LobbyClient> {
  const [, door] = (await client.say('JOIN', { room: 'hall' }))[0] as FrameTold;
  if (closeLobby) client.close();
  const room = new LobbyClient(on, door.TCPport, 'room', client.port.remote.ip);
  await settle();
  return room;
}

async function isLoggedIn(client: LobbyClient): Promise<boolean> {
  return (await client.say('LOUT', { username: 'griffin' }))[0]?.[0] === 'GOOD';
}

carry('another connection from the same address has none', async () => {
  const on = await withGriffin();
  await loggedIn(on);
  assert.not(await isLoggedIn(new LobbyClient(on)));
});

for (const ms of [0, 1, 999, 1000]) {
  carry(`one opened ${ms} ms after the room connection closed carries it on, once`, async () => {
    const on = await withGriffin();
    const room = await visit(on, await loggedIn(on));
    on.clock.now += 60_000;
    room.close();
    on.clock.now += ms;
    const [next, other] = [new LobbyClient(on), new LobbyClient(on)];
    assert.equal([await isLoggedIn(next), await isLoggedIn(other)], [true, false]);
  });
}

carry('not after more than a second', async () => {
  const on = await withGriffin();
  (await visit(on, await loggedIn(on))).close();
  on.clock.now += 1001;
  assert.not(await isLoggedIn(new LobbyClient(on)));
});

carry('what counts is when the connection was opened, not when it first spoke', async () => {
  const on = await withGriffin();
  const room = await visit(on, await loggedIn(on));
  const early = new FakePort('early');
  early.opened = on.clock.now - 5000;
  on.clock.now += 10;
  room.close();
  const session = new LobbySession(on.lobby, early);
  session.receive(new TextEncoder().encode('LOUT0023{"username": "griffin"}'));
  await settle();
  assert.match(early.take(), /^ERRO/);
  const late = new FakePort('late');
  late.opened = on.clock.now + 500;
  on.clock.now += 8000;
  new LobbySession(on.lobby, late).receive(new TextEncoder().encode('LOUT0023{"username": "griffin"}'));
  await settle();
  assert.match(late.take(), /^GOOD/);
});

carry('not to another address', async () => {
  const on = await withGriffin();
  (await visit(on, await loggedIn(on))).close();
  assert.not(await isLoggedIn(new LobbyClient(on, undefined, 'c9', AWAY)));
});

carry('not with --strict-lobby', async () => {
  const on = await withGriffin({ strictLobby: true });
  (await visit(on, await loggedIn(on))).close();
  assert.not(await isLoggedIn(new LobbyClient(on)));
});

carry('not while the lobby connection is still open: that one keeps it', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  (await visit(on, client, false)).close();
  assert.not(await isLoggedIn(new LobbyClient(on)));
  assert.ok(await isLoggedIn(client));
});

carry('not of a guest, nor of somebody who logged out before the room', async () => {
  const on = await withGriffin();
  (await visit(on, new LobbyClient(on))).close();
  assert.not(await isLoggedIn(new LobbyClient(on)));
  const client = await loggedIn(on);
  await client.say('LOUT', { username: 'griffin' });
  (await visit(on, client)).close();
  assert.not(await isLoggedIn(new LobbyClient(on)));
});

carry('from room to room, as often as one likes, and it can be logged out', async () => {
  const on = await withGriffin();
  let client = await loggedIn(on);
  for (let i = 0; i < 3; i++) {
    const room = await visit(on, client);
    assert.equal(
      [...(on.house.findRoom('hall')?.people.values() ?? [])].map(({ name }) => name),
      ['griffin'],
    );
    room.close();
    on.clock.now += 100;
    client = new LobbyClient(on);
  }
  assert.ok(await isLoggedIn(client));
  (await visit(on, client)).close();
  assert.not(await isLoggedIn(new LobbyClient(on)));
});

carry('somebody else may log in on such a connection', async () => {
  const on = await withGriffin();
  (await visit(on, await loggedIn(on))).close();
  const client = await loggedIn(on, 'ann');
  assert.not(await isLoggedIn(client));
  assert.is((await client.say('LOUT', { username: 'ann' }))[0]?.[0], 'GOOD');
});
carry.run();

// --- rooms -------------------------------------------------------------------------------------------------

const rooms = suite('lobby session: rooms');

rooms(
  'active ones are listed: those with somebody in them, of any dialect, in the order they came to life',
  async () => {
    const on = openLobby();
    const client = new LobbyClient(on);
    const list = async () => (await client.say('LTRQ', {}))[0]?.[1].rooms;
    const ann = await on.house.enter('ann', new FakeTongue(), 'exactly');
    const [b, a] = [await on.house.openRoom('Beta'), await on.house.openRoom('alpha')];
    assert.equal(await list(), []);
    on.house.join(ann, b);
    on.house.join(ann, a);
    assert.equal(await list(), ['Beta', 'alpha']);
    on.house.leave(ann, b, 'left');
    assert.equal(await list(), ['alpha']);
    on.house.join(ann, b);
    assert.equal(await list(), ['alpha', 'Beta']);
    on.house.quit(ann, 'bye');
    assert.equal(await list(), []);
  },
);

rooms('private ones are never listed', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  assert.equal(await client.say('ROOM', { name: 'vault', password: 'open' }), [
    ['GOOD', { message: 'room vault created' }],
  ]);
  const [, door] = (await client.say('JOIN', { room: 'vault', via: 'tcp' }))[0] as FrameTold;
  const inside = new LobbyClient(on, door.TCPport, 'inside');
  await settle();
  assert.equal(inside.take(), [['PREV', { chats: [] }]]);
  assert.equal(await client.say('LTRQ', {}), [['LTRS', { rooms: [] }]]);
  assert.equal((await client.say('LTRQ', { all: true }))[0]?.[1].rooms, []);
});

rooms('a list of more than a frame holds goes on where it is asked for', async () => {
  const on = openLobby();
  const names = Array.from({ length: 300 }, (_, i) => `a room with the long name ${String(i).padStart(30, '0')}`);
  for (const name of names) await on.house.openRoom(name);
  const client = new LobbyClient(on);
  const found: string[] = [];
  for (let skip: number | undefined = 0; skip !== undefined; ) {
    const [frame] = await client.say('LTRQ', { all: true, skip });
    assert.is(frame?.[0], 'LTRS');
    assert.ok(frame?.[1].rooms.length > 0);
    found.push(...(frame?.[1].rooms ?? []));
    skip = frame?.[1].next;
  }
  assert.equal(found, names);
});

rooms('all are listed with how many are in them and what is said of them', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  await client.say('ROOM', { name: 'quiet', description: 'psst' });
  on.house.join(await on.house.enter('ann', new FakeTongue(), 'exactly'), await on.house.openRoom('hall'));
  assert.equal(await client.say('LTRQ', { all: true }), [
    ['LTRS', { rooms: ['hall', 'quiet'], people: [1, 0], about: ['', 'psst'] }],
  ]);
});

rooms('are made by who is logged in, once', async () => {
  const on = await withGriffin();
  await confer(
    on,
    `C: ROOM {"name": "mine", "description": "my room"}
     S: ERRO {"message": "you are not logged in"}
     C: LGIN {"username": "griffin", "password": "123"}
     S: GOOD {"message": "you are now logged in!"}
     C: ROOM {"name": "mine", "description": "my room"}
     S: GOOD {"message": "room mine created"}
     C: ROOM {"name": "MINE"}
     S: ERRO {"message": "there is a room MINE already"}
     C: ROOM {"name": ""}
     S: ERRO {"message": "a room name is missing"}`,
  );
  const room = on.store.rooms.find(({ key }) => key === 'mine');
  assert.equal([room?.name, room?.owner, room?.description, room?.password], ['mine', 'griffin', 'my room', undefined]);
});

rooms('are made when they are kept, with the hash of their password', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  on.store.saving = 'fails';
  refused(await client.say('ROOM', { name: 'vault', password: 'open' }));
  assert.is(on.house.findRoom('vault'), undefined);
  on.store.saving = 'held';
  assert.equal(await client.say('ROOM', { name: 'vault', password: 'open' }), []);
  on.store.release();
  await settle();
  assert.is(client.take()[0]?.[0], 'GOOD');
  assert.is(on.store.rooms.at(-1)?.password, 'fake$1$open');
});

rooms('a description that is too long is refused', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  refused(await client.say('ROOM', { name: 'r', description: 'x'.repeat(201) }));
  assert.is((await client.say('ROOM', { name: 'r', description: 'x'.repeat(200) }))[0]?.[0], 'GOOD');
});

rooms('the one where everybody without rooms is can be nobody’s', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  for (const name of ['main', ' MAIN ', '\uff4dain']) refused(await client.say('ROOM', { name, password: 'mine' }));
  const menu = openMenu({}, on);
  const port = new FakePort('menu');
  menu.menu.open(port).receive(new TextEncoder().encode('tiffany\n'), 0);
  await settle();
  assert.equal([port.take(), on.house.findRoom('main')?.people.size], ['', 1]);
  refused(await client.say('DELR', { name: 'main', owner: 'griffin' }));
});

rooms('are deleted by their owners only', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  await client.say('ROOM', { name: 'mine' });
  await on.house.openRoom('nobody’s');
  const ann = await loggedIn(on, 'ann');
  const guest = new LobbyClient(on, undefined, 'guest');
  for (const owner of ['griffin', 'ann', 'guest']) {
    assert.match(refused(await ann.say('DELR', { name: 'mine', owner })), /only its owner/);
    refused(await guest.say('DELR', { name: 'mine', owner }));
    refused(await ann.say('DELR', { name: 'nobody’s', owner }));
  }
  refused(await client.say('DELR', { name: 'mine', owner: 'ann' }));
  assert.match(refused(await client.say('DELR', { name: 'none', owner: 'griffin' })), /there is no room none/);
  assert.ok(on.house.findRoom('mine'));
  assert.equal(await client.say('DELR', { name: 'Mine', owner: 'Griffin' }), [
    ['GOOD', { message: 'room mine deleted' }],
  ]);
  refused(await client.say('DELR', { name: 'mine', owner: 'griffin' }));
  assert.is((await ann.say('ROOM', { name: 'mine' }))[0]?.[0], 'GOOD', 'the name is free');
});

rooms('deleting is acknowledged when it is kept', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  await client.say('ROOM', { name: 'mine', description: 'still here' });
  on.store.saving = 'fails';
  refused(await client.say('DELR', { name: 'mine', owner: 'griffin' }));
  on.store.saving = 'at once';
  const [list] = await client.say('ROOM', { name: 'mine' });
  assert.is(list?.[0], 'ERRO', 'it is still there');
  assert.is((await client.say('DELR', { name: 'mine', owner: 'griffin' }))[0]?.[0], 'GOOD');
});

rooms('with a password are refused to lab, and their names keep their meaning there', async () => {
  const on = await withGriffin();
  await (await loggedIn(on)).say('ROOM', { name: 'vault', password: 'open' });
  const port = new FakePort('lab');
  const session = openLab({}, on).tcp.open(port);
  session.receive(new TextEncoder().encode('JOIN_CHATROOM: Vault\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: bob\n'), 0);
  await settle();
  assert.match(port.take(), /^ERROR_CODE: 7\nERROR_DESCRIPTION: .*\n$/);
  assert.is(on.house.people, 0);
});
rooms.run();

// --- doors -------------------------------------------------------------------------------------------------

const join = suite('lobby session: joining');

join('each gets a door of its own; a room has one group', () =>
  confer(
    openLobby(),
    `C: JOIN {"room": "hall"}
     S: CONN {"TCPport": 50001, "GRP": "224.3.29.71", "MCport": 10000}
     C2: JOIN {"room": "HALL"}
     S2: CONN {"TCPport": 50002, "GRP": "224.3.29.71", "MCport": 10000}
     C3: JOIN {"room": "other"}
     S3: CONN {"TCPport": 50003, "GRP": "224.3.29.72", "MCport": 10010}`,
  ),
);

join('what is asked for and not used leaves nothing', async () => {
  const on = openLobby();
  const client = new LobbyClient(on);
  for (let i = 0; i < 20; i++) assert.is((await client.say('JOIN', { room: `r${i}` }))[0]?.[0], 'CONN');
  assert.is(on.doors.waiting.size, 20);
  on.doors.expire();
  await settle();
  assert.equal([on.house.rooms.size, on.store.rooms.length, on.house.people], [0, 0, 0]);
  assert.equal((await client.say('JOIN', { room: 'new' }))[0]?.[1].MCport, 10_000, 'the groups are free');
});

join('without a free door is refused, and the group is free again', async () => {
  const on = openLobby();
  const client = new LobbyClient(on);
  on.doors.full = true;
  assert.match(refused(await client.say('JOIN', { room: 'r' })), /no port is free/);
  on.doors.full = false;
  assert.equal((await client.say('JOIN', { room: 's' }))[0]?.[1].MCport, 10_000);
});

join('a name that is none is refused', async () => {
  const client = new LobbyClient(openLobby());
  for (const room of ['', '  ', 'a\nb', 'x'.repeat(65)]) refused(await client.say('JOIN', { room }));
});

join('a room with a password is refused to a classic client, even with the password, even to its owner', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  await client.say('ROOM', { name: 'vault', password: 'open' });
  refused(await client.say('JOIN', { room: 'vault' }));
  refused(await client.say('JOIN', { room: 'vault', password: 'open' }));
  refused(await new LobbyClient(on).say('JOIN', { room: 'VAULT' }));
  assert.is(on.doors.waiting.size, 0);
});

join('over TCP needs the password, or to be the owner', async () => {
  const on = await withGriffin();
  const client = await loggedIn(on);
  await client.say('ROOM', { name: 'vault', password: 'open' });
  const guest = new LobbyClient(on);
  refused(await guest.say('JOIN', { room: 'vault', via: 'tcp' }));
  refused(await guest.say('JOIN', { room: 'vault', via: 'tcp', password: 'shut' }));
  assert.is((await guest.say('JOIN', { room: 'vault', via: 'tcp', password: 'open' }))[0]?.[0], 'CONN');
  assert.is((await client.say('JOIN', { room: 'vault', via: 'tcp' }))[0]?.[0], 'CONN');
  await client.say('LOUT', { username: 'griffin' });
  refused(await client.say('JOIN', { room: 'vault', via: 'tcp' }));
});

join('wrong passwords of a room are slowed', async () => {
  const on = await withGriffin();
  await (await loggedIn(on)).say('ROOM', { name: 'vault', password: 'open' });
  const guest = new LobbyClient(on);
  const knock = (password: string) => guest.say('JOIN', { room: 'vault', via: 'tcp', password });
  for (let i = 0; i < 5; i++) refused(await knock(`${i}`));
  assert.match(refused(await knock('open')), /too many wrong passwords: try again in 10 s/);
  on.clock.now += 10_000;
  assert.is((await knock('open'))[0]?.[0], 'CONN');
});

join('where there is no multicast a classic client is told why; over TCP all is well', async () => {
  const on = openLobby();
  on.multicast.reason = 'there is no route to 224.3.29.71';
  const client = new LobbyClient(on);
  assert.match(refused(await client.say('JOIN', { room: 'r' })), /there is no route to 224\.3\.29\.71/);
  assert.is((await client.say('JOIN', { room: 'r', via: 'tcp' }))[0]?.[0], 'CONN');
});

join('over TCP no group is taken', async () => {
  const on = openLobby();
  const client = new LobbyClient(on);
  await client.say('JOIN', { room: 'r', via: 'tcp' });
  assert.is((await client.say('JOIN', { room: 's' }))[0]?.[1].MCport, 10_000);
});
join.run();

// --- frames ------------------------------------------------------------------------------------------------

const frames = suite('lobby session: frames');

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

frames('several in one segment are answered in order, each with one write', async () => {
  const on = await withGriffin();
  const client = new LobbyClient(on);
  client.session.receive(
    bytesOf(
      'LGIN0042{"username": "griffin", "password": "123"}LTRQ0002{}JOIN0022{"room": "griffsRoom"}LOUT0023{"username": "griffin"}',
    ),
    0,
  );
  await settle();
  await settle();
  assert.equal(
    client.take().map(([type]) => type),
    ['GOOD', 'LTRS', 'CONN', 'GOOD'],
  );
});

frames('cut anywhere are put together', async () => {
  const whole = bytesOf('CUSR0040{"username": "ann", "password": "\xe9\u20ac"}LTRQ0002{}'.replace('0040', '0045'));
  const size = bytesOf('{"username": "ann", "password": "\xe9\u20ac"}').length;
  const right = bytesOf(`CUSR${String(size).padStart(4, '0')}{"username": "ann", "password": "\xe9\u20ac"}LTRQ   2{}`);
  assert.ok(whole.length > 0);
  for (let at = 1; at < right.length; at++) {
    const client = new LobbyClient(openLobby());
    client.session.receive(right.subarray(0, at), 0);
    await settle();
    client.session.receive(right.subarray(at), 0);
    await settle();
    assert.equal(client.take(), [
      ['GOOD', { message: 'user created' }],
      ['LTRS', { rooms: [] }],
    ]);
  }
});

frames('that are wrong and whose end is known are answered, and the next one too', async () => {
  const client = new LobbyClient(openLobby());
  for (const wrong of [
    'ltrq0002{}',
    'NONO0002{}',
    'LTRS0002{}',
    'GOOD0015{"message": "x"}'.replace('0015', '0016'),
    'LTRQ0000',
    'LTRQ0001{',
    'LTRQ0002[]',
    'LTRQ0004null',
    'LTRQ0001\xff'.replace('0001', '0002'),
    'LGIN0019{"username": "ann"}',
    'LGIN0032{"username": 5, "password": "1"}',
    'JOIN0013{"rooms": "r"}'.replace('0013', '0014'),
    'JOIN0012{"room": []}',
    'JOIN0013{"room": "r", "via": "udp"}'.replace('0013', '0027'),
    '\0\0\0\x010002{}',
  ]) {
    client.session.receive(bytesOf(wrong), 0);
    client.session.receive(bytesOf('LTRQ0002{}'), 0);
    await settle();
    const told = client.take();
    assert.equal(
      told.map(([type]) => type),
      ['ERRO', 'LTRS'],
      wrong,
    );
    assert.type(told[0]?.[1].message, 'string');
    assert.ok(told[0]?.[1].message.length > 5);
  }
  assert.not(client.port.ended);
});

frames('whose end can’t be known close the connection', async () => {
  for (const wrong of ['LTRQxxxx{}', 'LTRQ-002{}', 'LTRQ1e10{}', 'LTRQ\0\0\0\x02{}', 'LTRQ2   {}']) {
    const client = new LobbyClient(openLobby());
    client.session.receive(bytesOf(wrong), 0);
    await settle();
    assert.equal(
      client.take().map(([type]) => type),
      ['ERRO'],
    );
    assert.ok(client.port.ended, wrong);
    client.session.receive(bytesOf('LTRQ0002{}'), 0);
    client.close();
    assert.equal([client.take(), client.port.bugs], [[], []]);
  }
});

frames('of a room are answered in the lobby too', async () => {
  const client = new LobbyClient(openLobby());
  const chat = { creator: 'a', room: 'r', contents: 'x', datetime: '03:53:24, 11/21/2026' };
  assert.match(refused(await client.say('CHAT', chat)), /JOIN/);
});

frames('behind a half-close are answered, then the connection is closed', async () => {
  const on = openLobby();
  on.store.saving = 'held';
  const client = new LobbyClient(on);
  client.session.receive(bytesOf('CUSR0037{"username": "ann", "password": "1"}LTRQ0002{}'.replace('0037', '0036')), 0);
  client.session.ended(0);
  await settle();
  assert.not(client.port.ended);
  on.store.release();
  await settle();
  assert.equal(
    client.take().map(([type]) => type),
    ['GOOD', 'LTRS'],
  );
  assert.ok(client.port.ended);
});

frames('no more is read while one is being answered', async () => {
  const on = openLobby();
  on.store.saving = 'held';
  const client = new LobbyClient(on);
  assert.is(client.send('CUSR', { username: 'ann', password: '1' }), false);
  await settle();
  assert.is(client.port.resumed, 0);
  on.store.release();
  await settle();
  assert.is(client.port.resumed, 1);
});

frames('a bug in the store costs that connection alone', async () => {
  const on = await withGriffin();
  const [broken, sound] = [new LobbyClient(on), new LobbyClient(on, undefined, 'c2')];
  const find = on.store.findAccount;
  on.store.findAccount = async () => {
    throw new Error('a bug in the store');
  };
  assert.equal(await broken.say('LGIN', { username: 'griffin', password: '123' }), []);
  on.store.findAccount = find;
  assert.equal(
    broken.port.bugs.map((error) => (error as Error).message),
    ['a bug in the store'],
  );
  broken.close();
  assert.equal(await sound.say('LGIN', { username: 'griffin', password: '123' }), [LOGGED_IN]);
  assert.equal([sound.port.bugs, on.bugs], [[], []]);
});

frames('what comes of a request whose client has gone meanwhile is sent nowhere', async () => {
  const on = await withGriffin();
  on.store.saving = 'held';
  const client = new LobbyClient(on);
  client.send('CUSR', { username: 'ann', password: '1' });
  await settle();
  client.session.closed('the connection broke');
  on.store.release();
  await settle();
  assert.equal([client.take(), client.port.bugs, client.port.resumed], [[], [], 0]);
});

frames('the reason for being dropped is told', async () => {
  const client = new LobbyClient(openLobby());
  client.session.dropped('you read too slowly');
  assert.equal(client.take(), [['ERRO', { message: 'you read too slowly' }]]);
});
frames.run();

// --- history and search ---------------------------------------------------------------------------------------

const back = suite('lobby session: history and search');

async function withTalk(): Promise<TestLobby> {
  const on = await withGriffin();
  const client = await loggedIn(on);
  await client.say('ROOM', { name: 'vault', password: 'open' });
  const tongue = new FakeTongue();
  const ann = await on.house.enter('ann', tongue, 'exactly');
  const hall = await on.house.openRoom('hall');
  const vault = on.house.findRoom('vault');
  assert.ok(vault);
  on.house.join(ann, hall);
  on.house.join(ann, vault, await on.accounts.unlock(vault, { ip: AWAY, password: 'open' }));
  for (let i = 1; i <= 5; i++) on.house.say(ann, hall, `word ${i}`);
  on.house.say(ann, vault, 'the secret word');
  return on;
}

const contents = (frame: FrameTold | undefined): string[] => {
  assert.is(frame?.[0], 'PREV', JSON.stringify(frame));
  return frame?.[1].chats.map((chat: { contents: string }) => chat.contents);
};

back('of a room page by page', async () => {
  const on = await withTalk();
  const client = new LobbyClient(on);
  const [frame] = await client.say('HIST', { room: 'HALL', count: 2 });
  assert.equal(contents(frame), ['word 4', 'word 5']);
  const [first] = frame?.[1].chats ?? [];
  assert.equal([first.creator, first.room], ['ann', 'hall']);
  const [earlier] = await client.say('HIST', { room: 'hall', count: 9, before: first.id });
  assert.equal(contents(earlier), ['word 1', 'word 2', 'word 3']);
  assert.equal(contents((await client.say('HIST', { room: 'hall', count: 0 }))[0]), []);
  refused(await client.say('HIST', { room: 'none', count: 5 }));
  refused(await client.say('HIST', { count: 5 }));
});

back('asking for a room that is not makes none', async () => {
  const on = await withTalk();
  const before = on.house.rooms.size;
  await new LobbyClient(on).say('HIST', { room: 'none', count: 5 });
  await new LobbyClient(on).say('DELR', { name: 'none', owner: 'x' });
  assert.is(on.house.rooms.size, before);
});

back('of a room with a password are the owner’s, from the lobby', async () => {
  const on = await withTalk();
  refused(await new LobbyClient(on).say('HIST', { room: 'vault', count: 5 }));
  refused(await (await loggedIn(on, 'eve')).say('HIST', { room: 'vault', count: 5 }));
  assert.equal(contents((await (await loggedIn(on)).say('HIST', { room: 'vault', count: 5 }))[0]), ['the secret word']);
});

back('a search finds what is said in public, and in one’s own rooms', async () => {
  const on = await withTalk();
  const found = async (client: LobbyClient, words: string) =>
    contents((await client.say('FIND', { words, count: 50 }))[0]);
  const guest = new LobbyClient(on);
  assert.is((await found(guest, 'word')).length, 5);
  assert.equal(await found(guest, 'secret'), []);
  assert.equal(await found(await loggedIn(on, 'eve'), 'secret'), []);
  assert.equal(await found(await loggedIn(on), 'secret'), ['the secret word']);
  const [frame] = await guest.say('FIND', { words: 'word 3', count: 5 });
  assert.equal(
    frame?.[1].chats.map(({ creator, room, contents: said }: Record<string, string>) => [creator, room, said]),
    [['ann', 'hall', 'word 3']],
  );
});

back('a post of another dialect that no frame holds is told in pieces, not left out with all before it', async () => {
  const on = await withTalk();
  const ann = [...(on.house.findRoom('hall')?.people.values() ?? [])][0];
  assert.ok(ann);
  const bob = await on.house.enter('bob', new FakeTongue(), 'exactly');
  const hall = await on.house.openRoom('hall');
  on.house.join(bob, hall);
  on.house.say(bob, hall, `${'x'.repeat(15_000)}end`);
  const said = contents((await new LobbyClient(on).say('HIST', { room: 'hall', count: 3 }))[0]);
  assert.ok(said.length > 0);
  assert.match(said.at(-1) ?? '', /^x+end$/);
});
back.run();

const fair = suite('lobby: one client among others');

fair('thousands of requests in one segment are answered a turn each, and not while answers pile up', async () => {
  const on = openLobby();
  const client = new LobbyClient(on);
  client.port.isCongested = true;
  assert.not(client.session.receive(new TextEncoder().encode('LTRQ0002{}'.repeat(50)), 0), 'no more for now');
  await settle();
  assert.is(client.take().length, 1);
  assert.is(client.session.deadline(), Number.POSITIVE_INFINITY);
  client.port.isCongested = false;
  client.port.wake();
  await settle();
  assert.is(client.take().length, 49);
  assert.ok(client.port.resumed > 0);
});

fair('what a room’s name forbids is said before its password costs anything', async () => {
  const on = openLobby();
  await on.accounts.take('ann', '123');
  await on.house.openRoom('den');
  const client = new LobbyClient(on);
  await client.say('LGIN', { username: 'ann', password: '123' });
  const before = on.hasher.hashed;
  const [answer] = await client.say('ROOM', { name: 'DEN', password: 'x' });
  assert.is(answer?.[0], 'ERRO');
  assert.is(on.hasher.hashed, before);
});

fair('a login is carried on once for each lobby connection, and not by clients that keep theirs', async () => {
  const on = openLobby();
  await on.accounts.take('ann', '123');
  const isAnn = async (client: LobbyClient) => (await client.say('LOUT', { username: 'ann' }))[0]?.[0] === 'GOOD';
  const leave = async (joins: ReadonlyArray<Record<string, string>>) => {
    const lobby = new LobbyClient(on);
    await lobby.say('LGIN', { username: 'ann', password: '123' });
    const doors = [];
    for (const join of joins) doors.push((await lobby.say('JOIN', join))[0]?.[1].TCPport);
    lobby.close();
    for (const door of doors) {
      const inRoom = new LobbyClient(on, door);
      await settle();
      inRoom.close();
    }
    await settle();
  };
  await leave([{ room: 'a' }, { room: 'b' }]);
  assert.equal([await isAnn(new LobbyClient(on)), await isAnn(new LobbyClient(on))], [true, false]);
  await leave([{ room: 'a', via: 'tcp' }]);
  assert.not(await isAnn(new LobbyClient(on)));
});
fair.run();
