import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, LocalBackbone, type Owner } from '../src/backbone.ts';
import type { Draft, Person, Post } from '../src/events.ts';

import type { HistoryRange, StoredRoom } from '../src/store.ts';
import {
  confer,
  FakePort,
  FakeTongue,
  type FrameTold,
  LobbyClient,
  MemoryStore,
  openLab,
  openLobby,
  settle,
  type TestLobby,
} from './fakes.ts';

const STAMP = '03:53:24, 11/21/2026';
const HALL = { room: 'hall' };

const chatOf = (creator: string, contents: string, room = 'hall', datetime = STAMP) => ({
  creator,
  room,
  contents,
  datetime,
});
const good = (contents: string): FrameTold => ['GOOD', { message: `got your chat: "${contents}"` }];

async function login(on: TestLobby, name: string): Promise<LobbyClient> {
  if (!on.backbone.isRegistered(name)) await on.accounts.take(name, '123');
  const client = new LobbyClient(on, undefined, name);
  const [answer] = await client.say('LGIN', { username: name, password: '123' });
  assert.is(answer?.[0], 'GOOD', `${name} is logged in`);
  return client;
}

/** Through a door into a room; `name` is logged in, or a guest. PREV is still to be read. */
async function enter(
  on: TestLobby,
  name?: string,
  join: { room: string; via?: 'tcp'; password?: string } = HALL,
): Promise<LobbyClient> {
  const lobby = name === undefined ? new LobbyClient(on) : await login(on, name);
  const [answer] = await lobby.say('JOIN', join);
  assert.is(answer?.[0], 'CONN', JSON.stringify(answer));
  lobby.close();
  const client = new LobbyClient(on, answer?.[1].TCPport, `${name ?? 'guest'} in ${join.room}`);
  await settle();
  return client;
}

/** The same, with PREV read. */
async function inside(...given: Parameters<typeof enter>): Promise<LobbyClient> {
  const client = await enter(...given);
  assert.is(client.take()[0]?.[0], 'PREV');
  return client;
}

/** Somebody of another dialect in the room, for saying and hearing. */
async function other(on: TestLobby, name = 'other', room = 'hall') {
  const tongue = new FakeTongue();
  const member = await on.house.enter(name, tongue, 'exactly');
  const there = await on.house.openRoom(room);
  on.house.join(member, there);
  tongue.take();
  return { tongue, member, room: there, say: (text: string) => on.house.say(member, there, text) };
}

function people(on: TestLobby, room = 'hall'): string[] {
  return [...(on.house.findRoom(room)?.people.values() ?? [])].map(({ name }) => name);
}

/** What multicast carried since the last time, as chats. */
function heard(on: TestLobby): Array<Record<string, string>> {
  return on.multicast.take().map((text) => {
    assert.is(text.slice(0, 4), 'CHAT');
    assert.is(Number(text.slice(4, 8)), text.length - 8);
    return JSON.parse(text.slice(8));
  });
}

// --- talk ---------------------------------------------------------------------------------------------------

const talk = suite('lobby room: talk');

talk('as it was captured: PREV, then an answer to each chat, and everybody’s chats by multicast', async () => {
  const on = openLobby();
  await on.accounts.take('bob', '123');
  await confer(
    on,
    `C10000: <connect>
     C: LGIN {"username": "bob", "password": "123"}
     S: GOOD {"message": "you are now logged in!"}
     C: JOIN {"room": "griffsRoom"}
     S: CONN {"TCPport": 50001, "GRP": "224.3.29.71", "MCport": 10000}
     C: <broken>
     C50001: <connect>
     S50001: PREV {"chats": []}
     C50001: CHAT {"creator": "bob", "room": "griffsRoom", "contents": "Hey Griff!", "datetime": "03:53:24, 11/21/2026"}
     S50001: GOOD {"message": "got your chat: \\"Hey Griff!\\""}
     S10000: CHAT {"creator": "bob", "room": "griffsRoom", "contents": "Hey Griff!", "datetime": "03:53:24, 11/21/2026"}
     C2: JOIN {"room": "griffsroom"}
     S2: CONN {"TCPport": 50002, "GRP": "224.3.29.71", "MCport": 10000}
     C2: <broken>
     C50002: <connect>
     S50002: PREV {"chats": [{"creator": "bob", "room": "griffsRoom", "contents": "Hey Griff!", "datetime": "03:53:24, 11/21/2026"}]}
     C50002: CHAT {"creator": "", "room": "griffsRoom", "contents": "", "datetime": "03:53:25, 11/21/2026"}
     S50002: GOOD {"message": "got your chat: \\"\\""}
     S10000: CHAT {"creator": "guest-…", "room": "griffsRoom", "contents": "", "datetime": "03:53:25, 11/21/2026"}`,
  );
});

talk('of other dialects comes by multicast, and is answered to nobody', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  const { say, tongue } = await other(on);
  say('hi');
  assert.equal(
    heard(on).map(({ creator, room, contents }) => [creator, room, contents]),
    [['other', 'hall', 'hi']],
  );
  assert.equal(client.take(), []);
  await client.say('CHAT', chatOf('ann', 'hello'));
  assert.equal(tongue.take(), ['hall other: hi', 'hall ann: hello']);
});

talk('that is over TCP comes there, one’s own too, and the answers with it', async () => {
  const on = openLobby();
  const [ann, bob] = [
    await inside(on, 'ann', { ...HALL, via: 'tcp' }),
    await inside(on, 'bob', { ...HALL, via: 'tcp' }),
  ];
  const told = await ann.say('CHAT', chatOf('ann', 'hi'));
  assert.equal(told.sort(), [['CHAT', chatOf('ann', 'hi')], good('hi')].sort());
  assert.equal(bob.take(), [['CHAT', chatOf('ann', 'hi')]]);
  assert.equal(on.multicast.take(), [], 'nobody listens by multicast');
});

talk('is by who is logged in, whatever the frame says, in the room that the connection is in', async () => {
  const on = openLobby();
  await on.accounts.take('griffin', '1');
  const client = await inside(on, 'eve');
  const { tongue } = await other(on);
  for (const creator of ['griffin', '', 'server', 'eve~guest', 'x'.repeat(3000)]) {
    assert.equal(await client.say('CHAT', chatOf(creator, 'I am griffin', 'somewhere else')), [good('I am griffin')]);
  }
  assert.equal(
    heard(on).map(({ creator, room }) => [creator, room]),
    new Array(5).fill(['eve', 'hall']),
  );
  assert.equal(new Set(tongue.take()), new Set(['hall eve: I am griffin']));
  assert.equal(people(on), ['eve', 'other']);
});

talk('has the sender’s own time, or the house’s where that is none', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  for (const datetime of [STAMP, '', 'now', '3:53, 1/1/2026', `${STAMP}\n`, `x${STAMP}`]) {
    await client.say('CHAT', chatOf('ann', 'x', 'hall', datetime));
  }
  const [first, ...rest] = heard(on).map(({ datetime }) => datetime);
  assert.is(first, STAMP);
  for (const one of rest) {
    assert.match(one ?? '', /^\d\d:\d\d:\d\d, \d\d\/\d\d\/\d{4}$/);
    assert.is.not(one, STAMP);
  }
});

talk('of several in a segment is answered in order, each with one frame', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  for (let i = 0; i < 20; i++) client.send('CHAT', chatOf('ann', `${i}`));
  await settle();
  assert.equal(
    client.take(),
    Array.from({ length: 20 }, (_, i) => good(`${i}`)),
  );
  assert.equal(
    heard(on).map(({ contents }) => contents),
    Array.from({ length: 20 }, (_, i) => `${i}`),
  );
});

talk('is acknowledged when it is stored, and everybody hears it at once', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  on.store.saving = 'held';
  assert.equal(await client.say('CHAT', chatOf('ann', 'hi')), []);
  assert.is(heard(on).length, 1);
  on.store.release();
  await settle();
  assert.equal(client.take(), [good('hi')]);
  on.store.saving = 'fails';
  assert.equal(await client.say('CHAT', chatOf('ann', 'lost')), [['ERRO', { message: 'the disk is full' }]]);
  on.store.saving = 'at once';
  assert.equal(await client.say('CHAT', chatOf('ann', 'kept')), [good('kept')]);
});

talk('that is stored out of order is answered in order, faults and history with it', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  on.store.saving = 'held';
  client.send('CHAT', chatOf('ann', '1'));
  on.store.saving = 'fails';
  client.send('CHAT', chatOf('ann', '2'));
  on.store.saving = 'at once';
  client.send('CHAT', chatOf('ann', '3'));
  client.send('CHAT', { creator: 'ann' });
  client.send('LTRQ', {});
  client.send('HIST', { count: 1 });
  client.send('CHAT', chatOf('ann', '4'));
  await settle();
  assert.equal(client.take(), []);
  on.store.release();
  await settle();
  assert.equal(
    client.take().map(([type, payload]) => `${type} ${payload.message ?? payload.chats[0].contents}`.slice(0, 24)),
    ['GOOD got your chat: "1"', 'ERRO the disk is full', 'GOOD got your chat: "3"']
      .concat(['ERRO CHAT: room is missi', 'ERRO you are in a room: ', 'PREV 3', 'GOOD got your chat: "4"'])
      .map((line) => line.slice(0, 24)),
  );
});

talk('that is not stored yet is read no further than so much', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  on.store.saving = 'held';
  const read: boolean[] = [];
  for (let i = 0; i < 80; i++) read.push(client.send('CHAT', chatOf('ann', `${i}`)));
  await settle();
  assert.ok(read[0]);
  assert.not(read[79]);
  assert.ok(heard(on).length < 80);
  const { resumed } = client.port;
  for (let i = 0; i < 3; i++) {
    on.store.release();
    await settle();
  }
  assert.ok(client.port.resumed > resumed);
  assert.equal(
    client.take(),
    Array.from({ length: 80 }, (_, i) => good(`${i}`)),
  );
});

talk('before PREV waits, and is answered after it', async () => {
  const on = openLobby();
  const lobby = new LobbyClient(on);
  const [answer] = await lobby.say('JOIN', HALL);
  const client = new LobbyClient(on, answer?.[1].TCPport);
  assert.is(client.send('CHAT', chatOf('', 'early')), false);
  await settle();
  await settle();
  assert.equal(client.take(), [['PREV', { chats: [] }], good('early')]);
});

talk('echoes what is too long for a frame in part', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  for (const contents of ['"'.repeat(4900), 'é'.repeat(1600), '\u0001'.repeat(1600)]) {
    const [answer] = await client.say('CHAT', chatOf('ann', contents));
    assert.is(answer?.[0], 'GOOD');
    assert.ok(answer?.[1].message.startsWith(`got your chat: "${contents.slice(0, 100)}`));
  }
});

talk('longer than a datagram is split between characters, each piece a chat of its own', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  for (const contents of ['x'.repeat(9000), 'é'.repeat(1500), '👍🏽'.repeat(300), `${'a'.repeat(925)}👍🏽`]) {
    assert.equal((await client.say('CHAT', chatOf('ann', contents)))[0]?.[0], 'GOOD');
    const sizes = on.multicast.sent.map(({ bytes }) => bytes);
    assert.ok(
      sizes.every((bytes) => bytes <= 1024),
      `${sizes}`,
    );
    const pieces = heard(on);
    assert.ok(pieces.length > 1);
    assert.is(pieces.map((piece) => piece.contents).join(''), contents);
    for (const piece of pieces) {
      assert.equal({ ...piece, contents: '' }, chatOf('ann', ''));
      assert.ok(piece.contents?.isWellFormed());
    }
  }
});

talk('of exactly 1,024 bytes goes as one datagram, of one more as two', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  const around = `CHAT0000{"creator": "ann", "room": "hall", "contents": "", "datetime": "${STAMP}"}`.length;
  await client.say('CHAT', chatOf('ann', 'x'.repeat(1024 - around)));
  assert.equal(
    on.multicast.sent.map(({ bytes }) => bytes),
    [1024],
  );
  on.multicast.take();
  await client.say('CHAT', chatOf('ann', 'x'.repeat(1025 - around)));
  assert.is(heard(on).length, 2);
});

talk('with the longest of names still goes into datagrams', async () => {
  const on = openLobby();
  const room = '\u4e00'.repeat(64);
  await inside(on, '\u4e01'.repeat(64), { room });
  const { say } = await other(on, '\u4e02'.repeat(64), room);
  say('\u4e03'.repeat(200));
  assert.equal(on.bugs, []);
  assert.ok(on.multicast.sent.every(({ bytes }) => bytes <= 1024));
  assert.is(
    heard(on)
      .map(({ contents }) => contents)
      .join(''),
    '\u4e03'.repeat(200),
  );
});

talk('of several rooms goes to groups and ports of their own', async () => {
  const on = openLobby();
  const [a, b] = [await inside(on, 'ann', { room: 'a' }), await inside(on, 'bob', { room: 'b' })];
  await a.say('CHAT', chatOf('ann', '1', 'a'));
  await b.say('CHAT', chatOf('bob', '2', 'b'));
  assert.equal(
    on.multicast.sent.map(({ to }) => to),
    ['224.3.29.71:10000', '224.3.29.72:10010'],
  );
  a.close();
  await settle();
  const c = await inside(on, 'cy', { room: 'c' });
  on.multicast.take();
  await c.say('CHAT', chatOf('cy', '3', 'c'));
  assert.equal(
    on.multicast.sent.map(({ to }) => to),
    ['224.3.29.71:10000'],
    'what was given back is used again',
  );
});

talk('is not sent by multicast when nobody is there to hear it', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  const { say } = await other(on);
  client.close();
  say('anybody?');
  assert.equal(on.multicast.take(), []);
});

talk('is told to both kinds of listeners in one room', async () => {
  const on = openLobby();
  const [classic, ours] = [await inside(on, 'ann'), await inside(on, 'bob', { ...HALL, via: 'tcp' })];
  assert.equal(await classic.say('CHAT', chatOf('ann', 'hi')), [good('hi')]);
  assert.equal(ours.take(), [['CHAT', chatOf('ann', 'hi')]]);
  assert.is(heard(on).length, 1);
});
talk.run();

// --- guests ---------------------------------------------------------------------------------------------------

const guests = suite('lobby room: guests');

guests('are guest-N, each with a number of its own', async () => {
  const on = openLobby();
  const [a, b] = [await inside(on), await inside(on)];
  await a.say('CHAT', chatOf('', 'x'));
  await b.say('CHAT', chatOf('  ', 'x'));
  const names = heard(on).map(({ creator }) => creator ?? '');
  for (const name of names) assert.match(name, /^guest-\d+$/);
  assert.is(new Set(names).size, 2);
});

guests('may say once what they are called, and are then NAME~guest to everybody', async () => {
  const on = openLobby();
  const client = await inside(on);
  const { tongue } = await other(on);
  await client.say('CHAT', chatOf(' zoe ', 'hi'));
  await client.say('CHAT', chatOf('max', 'ho'));
  await client.say('CHAT', chatOf('', 'he'));
  assert.equal(
    heard(on).map(({ creator }) => creator),
    ['zoe~guest', 'zoe~guest', 'zoe~guest'],
  );
  assert.equal(people(on), ['other', 'zoe~guest']);
  const [came, went, ...said] = tongue.take();
  assert.is(came, 'hall +zoe~guest');
  assert.match(went ?? '', /^hall -guest-\d+ \(is zoe~guest now\)$/);
  assert.equal(said, ['hall zoe~guest: hi', 'hall zoe~guest: ho', 'hall zoe~guest: he']);
  client.close();
  await settle();
  assert.equal([people(on), on.house.people], [['other'], 1]);
});

guests('are never called what an account is', async () => {
  const on = openLobby();
  await on.accounts.take('griffin', '1');
  const client = await inside(on);
  await client.say('CHAT', chatOf('griffin', 'I am griffin'));
  assert.is(heard(on)[0]?.creator, 'griffin~guest');
  for (const name of ['griffin~guest', 'guest-1', 'guest-77']) {
    const [answer] = await new LobbyClient(on).say('CUSR', { username: name, password: '1' });
    assert.is(answer?.[0], 'ERRO', name);
  }
});

guests('of one name are told apart', async () => {
  const on = openLobby();
  for (let i = 0; i < 2; i++) await (await inside(on)).say('CHAT', chatOf('zoe', 'x'));
  const names = heard(on).map(({ creator }) => creator ?? '');
  assert.is(names[0], 'zoe~guest');
  assert.match(names[1] ?? '', /^zoe~guest./);
});

guests('with a name that is none stay guest-N, and the chat is said all the same', async () => {
  for (const name of ['a\nb', '\u202eabc', '\x1b[31mred', '\ud800', 'x'.repeat(3000), '👍'.repeat(200)]) {
    const on = openLobby();
    const client = await inside(on);
    assert.equal(await client.say('CHAT', chatOf(name, 'hi')), [good('hi')]);
    assert.equal(await client.say('CHAT', chatOf('zoe', 'ho')), [good('ho')]);
    const names = heard(on).map(({ creator }) => creator ?? '');
    assert.is(names[0], names[1], 'it is asked once');
    assert.match(names[0] ?? '', /^guest-\d+$|~guest$/);
    assert.ok((names[0] ?? '').length <= 64 && (names[0] ?? '').isWellFormed());
    assert.equal([on.bugs, on.house.people, people(on)], [[], 1, [names[0]]]);
  }
});

guests('who claim a name with chats behind it are answered in order', async () => {
  const on = openLobby();
  const client = await inside(on);
  for (const [creator, text] of [
    ['zoe', '1'],
    ['zoe', '2'],
    ['eve', '3'],
  ] as const)
    client.send('CHAT', chatOf(creator, text));
  await settle();
  assert.equal(client.take(), [good('1'), good('2'), good('3')]);
  assert.equal(
    heard(on).map(({ creator, contents }) => [creator, contents]),
    [
      ['zoe~guest', '1'],
      ['zoe~guest', '2'],
      ['zoe~guest', '3'],
    ],
  );
});

guests('over TCP claim a name in a room with a password, and miss nothing', async () => {
  const on = openLobby();
  const owner = await login(on, 'griffin');
  await owner.say('ROOM', { name: 'vault', password: 'open' });
  const inVault = { room: 'vault', via: 'tcp', password: 'open' } as const;
  const [zoe, ann] = [await inside(on, undefined, inVault), await inside(on, 'ann', inVault)];
  await zoe.say('CHAT', chatOf('zoe', '1', 'vault'));
  ann.send('CHAT', chatOf('ann', '2', 'vault'));
  await settle();
  assert.equal(
    ann.take().flatMap(([type, payload]) => (type === 'CHAT' ? [payload.creator] : [])),
    ['zoe~guest', 'ann'],
  );
  assert.equal(
    zoe.take().flatMap(([type, payload]) => (type === 'CHAT' ? [payload.contents] : [])),
    ['2'],
  );
});
guests.run();

// --- people and connections ---------------------------------------------------------------------------------

const persons = suite('lobby room: people');

persons('two connections of one account are one person, in one room', async () => {
  const on = openLobby();
  const { tongue } = await other(on);
  const [a, b] = [await inside(on, 'ann'), await inside(on, 'ann', { ...HALL, via: 'tcp' })];
  assert.equal([people(on), on.house.people, tongue.take()], [['other', 'ann'], 2, ['hall +ann']]);
  assert.equal(await a.say('CHAT', chatOf('ann', '1')), [good('1')]);
  assert.equal(b.take(), [['CHAT', chatOf('ann', '1')]], 'the other hears it, and gets no answer');
  assert.equal((await b.say('CHAT', chatOf('ann', '2'))).length, 2);
  assert.equal(a.take(), []);
  a.close();
  await settle();
  assert.equal(
    [people(on), tongue.take()],
    [
      ['other', 'ann'],
      ['hall ann: 1', 'hall ann: 2'],
    ],
  );
  b.close();
  await settle();
  assert.equal([people(on), on.house.people], [['other'], 1]);
  assert.match(tongue.take()[0] ?? '', /^hall -ann/);
});

persons('two connections of one account are one person, in two rooms', async () => {
  const on = openLobby();
  const [a, b] = [await inside(on, 'ann', { room: 'a' }), await inside(on, 'ann', { room: 'b' })];
  assert.is(on.house.people, 1);
  on.store.saving = 'held';
  a.send('CHAT', chatOf('ann', 'in a'));
  b.send('CHAT', chatOf('ann', 'in b'));
  await settle();
  on.store.release();
  await settle();
  assert.equal([a.take(), b.take()], [[good('in a')], [good('in b')]]);
  on.store.saving = 'at once';
  a.close();
  await settle();
  assert.equal([people(on, 'a'), people(on, 'b'), on.house.people], [[], ['ann'], 1]);
  assert.equal(await b.say('CHAT', chatOf('ann', 'still here')), [good('still here')]);
  b.close();
  await settle();
  assert.is(on.house.people, 0);
});

persons('answers go to the connection that said it, in whatever order it comes', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(2), fc.constantFrom('held', 'at once', 'fails')), { minLength: 1, maxLength: 30 }),
      async (steps) => {
        const on = openLobby();
        const clients = [
          await inside(on, 'ann'),
          await inside(on, 'ann'),
          await inside(on, 'ann', { room: 'elsewhere' }),
        ];
        const wanted: FrameTold[][] = [[], [], []];
        for (const [i, [who, saving]] of steps.entries()) {
          on.store.saving = saving;
          clients[who]?.send('CHAT', chatOf('ann', `${i}`));
          wanted[who]?.push(saving === 'fails' ? ['ERRO', { message: 'the disk is full' }] : good(`${i}`));
          if (i % 7 === 3) on.store.release();
          await settle();
        }
        on.store.release();
        await settle();
        for (const [who, client] of clients.entries()) assert.equal(client.take(), wanted[who]);
      },
    ),
    { numRuns: 60 },
  ),
);

persons('who left can come again under the same name, at once', async () => {
  const on = openLobby();
  for (let i = 0; i < 5; i++) {
    const client = await inside(on, 'ann');
    assert.equal(people(on), ['ann']);
    client.close();
  }
});

persons('one connection of an account closes as another opens, in one turn', async () => {
  const on = openLobby();
  const first = await inside(on, 'ann');
  const lobby = await login(on, 'ann');
  const [answer] = await lobby.say('JOIN', HALL);
  first.close();
  const second = new LobbyClient(on, answer?.[1].TCPport);
  await settle();
  assert.is(second.take()[0]?.[0], 'PREV');
  assert.equal([people(on), on.house.people], [['ann'], 1]);
});

persons('a room is active while somebody is in it, and stays with what was said when nobody is', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  const lobby = new LobbyClient(on);
  assert.equal((await lobby.say('LTRQ', {}))[0]?.[1].rooms, ['hall']);
  await client.say('CHAT', chatOf('ann', 'hi'));
  client.close();
  await settle();
  assert.equal((await lobby.say('LTRQ', {}))[0]?.[1].rooms, []);
  assert.equal((await enter(on)).take(), [['PREV', { chats: [chatOf('ann', 'hi')] }]]);
});

persons('leaving in the middle of anything leaves nothing', async () => {
  for (const after of [0, 1, 2, 3]) {
    const on = openLobby();
    const lobby = new LobbyClient(on);
    const [answer] = await lobby.say('JOIN', HALL);
    const client = new LobbyClient(on, answer?.[1].TCPport);
    for (let i = 0; i < after; i++) await Promise.resolve();
    if (after === 2) client.send('CHAT', chatOf('zoe', 'hi'));
    if (after === 3) {
      await settle();
      client.send('CHAT', chatOf('zoe', 'hi'));
    }
    client.session.closed('the connection broke');
    await settle();
    assert.equal([on.house.people, people(on), client.port.bugs, on.bugs], [0, [], [], []]);
    assert.is((await lobby.say('JOIN', { room: 'new' }))[0]?.[1].MCport, 10_000, 'the group is free');
  }
});

persons('a half-close is answered to the end, then one has left', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  on.store.saving = 'held';
  client.send('CHAT', chatOf('ann', '1'));
  client.send('CHAT', chatOf('ann', '2'));
  client.session.ended(0);
  await settle();
  assert.not(client.port.ended);
  on.store.release();
  await settle();
  assert.equal([client.take(), client.port.ended, people(on)], [[good('1'), good('2')], true, []]);
});

persons('a server that is full says so to who comes through a door', async () => {
  const on = openLobby({ limits: { people: 1 } });
  await inside(on, 'ann');
  const client = await enter(on, 'bob');
  assert.equal(client.take(), [['ERRO', { message: 'the server is full' }]]);
  assert.ok(client.port.ended);
  assert.equal([people(on), on.bugs, client.port.bugs], [['ann'], [], []]);
});

persons('a server that is full while the store looks for the room breaks nothing', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    const store = new SlowStore();
    store.start = { ...store.start, resting: 1 };
    const on = openLobby({ store, limits: { people: 1 } });
    store.slow = true;
    await on.house.enter('other', new FakeTongue(), 'exactly');
    const lobby = new LobbyClient(on);
    lobby.send('JOIN', HALL);
    await settle();
    store.answer();
    await settle();
    const client = new LobbyClient(on, lobby.take()[0]?.[1].TCPport);
    await settle();
    await settle();
    store.answer();
    await settle();
    assert.equal([client.take()[0]?.[0], unhandled], ['ERRO', []]);
  } finally {
    process.off('unhandledRejection', note);
  }
});
persons.run();

// --- what a room was ------------------------------------------------------------------------------------------

/** Its reads are answered when the test says so, from what was there when they were asked, or is there now. */
class SlowStore extends MemoryStore {
  slow = false;
  /** A read sees what was written before it was answered. */
  late = false;
  readonly #reads: Array<() => void> = [];

  override async history(room: StoredRoom, range: HistoryRange): Promise<Post[]> {
    const then = await super.history(room, range);
    if (this.slow) await new Promise<void>((resolve) => this.#reads.push(resolve));
    return this.late ? super.history(room, range) : then;
  }

  override async findRoom(key: string): Promise<StoredRoom | undefined> {
    if (this.slow) await new Promise<void>((resolve) => this.#reads.push(resolve));
    return super.findRoom(key);
  }

  answer(): void {
    for (const resolve of this.#reads.splice(0)) resolve();
  }
}

/** Publishes when the test says so. */
class LateBackbone extends LocalBackbone {
  readonly #waiting: Draft[] = [];
  late = false;
  gate: Promise<void> | undefined;

  override async claim(key: string, owner?: Owner): Promise<Claim> {
    await this.gate;
    return super.claim(key, owner);
  }

  override publish(draft: Draft): void {
    if (this.late) this.#waiting.push(draft);
    else super.publish(draft);
  }

  deliver(count = this.#waiting.length): void {
    for (const draft of this.#waiting.splice(0, count)) super.publish(draft);
  }
}

const before = suite('lobby room: what was said before');

before('are the last ten, oldest first', async () => {
  const on = openLobby();
  const { say } = await other(on);
  for (let i = 1; i <= 15; i++) say(`${i}`);
  const [frame] = (await enter(on, 'ann')).take();
  assert.equal(
    frame?.[1].chats.map(({ contents }: { contents: string }) => contents),
    ['6', '7', '8', '9', '10', '11', '12', '13', '14', '15'],
  );
});

before('is trimmed from its old end to what a frame holds', async () => {
  const on = openLobby();
  const { say } = await other(on);
  for (let i = 0; i < 10; i++) say(`${i}${'é'.repeat(300)}`);
  const client = await enter(on, 'ann');
  const size = client.port.blocks[0]?.length ?? 0;
  const [frame] = client.take();
  assert.ok(size <= 8 + 9999);
  assert.equal(
    frame?.[1].chats.map(({ contents }: { contents: string }) => contents[0]),
    ['5', '6', '7', '8', '9'],
  );
});

before('is told where a single text is longer than a frame', async () => {
  const on = openLobby();
  const { say } = await other(on);
  say('before');
  say(`${'é'.repeat(20_000)}the end`);
  const [frame] = (await enter(on, 'ann')).take();
  assert.match(frame?.[1].chats.at(-1).contents, /é+the end$/);
});

before('is left out where the store can’t be asked; what a bug breaks is that connection alone', async () => {
  const on = openLobby();
  const { say } = await other(on);
  say('hi');
  const history = on.store.history;
  on.store.history = async () => {
    throw Object.assign(new Error('a bug in the store'));
  };
  const broken = await enter(on, 'ann');
  assert.equal(broken.take(), []);
  assert.equal(
    broken.port.bugs.map((error) => (error as Error).message),
    ['a bug in the store'],
  );
  broken.close();
  on.store.history = history;
  const sound = await inside(on, 'bob');
  assert.equal(await sound.say('CHAT', chatOf('bob', 'ho')), [good('ho')]);
  assert.equal([people(on), on.bugs], [['other', 'bob'], []]);
});

/** Contents of PREV, then of the chats after it. */
function listened(client: LobbyClient): { previous: string[]; after: string[] } {
  const [first, ...rest] = client.take();
  assert.is(first?.[0], 'PREV');
  const previous = first?.[1].chats.map(({ contents }: { contents: string }) => contents);
  return { previous, after: rest.flatMap(([type, { contents }]) => (type === 'CHAT' ? [contents] : [])) };
}

for (const late of [false, true]) {
  before(
    `over TCP what comes while the store reads is neither lost nor told twice (${late ? 'late' : 'early'})`,
    async () => {
      const store = new SlowStore();
      const on = openLobby({ store });
      const { say } = await other(on);
      say('1');
      store.late = late;
      store.slow = true;
      const client = await enter(on, 'ann', { ...HALL, via: 'tcp' });
      say('2');
      client.send('CHAT', chatOf('ann', 'mine'));
      await settle();
      say('3');
      assert.equal(client.take(), [], 'nothing comes before PREV');
      store.slow = false;
      store.answer();
      await settle();
      say('4');
      const { previous, after } = listened(client);
      assert.equal(
        [...previous, ...after].filter((text) => text !== 'mine'),
        ['1', '2', '3', '4'],
      );
      assert.is([...previous, ...after].filter((text) => text === 'mine').length, 1);
    },
  );
}

before('over TCP is PREV, then exactly what comes after it, on all interleavings', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('say', 'say', 'own', 'deliver one', 'deliver', 'answer', 'settle', 'late'), {
        maxLength: 40,
      }),
      fc.boolean(),
      async (steps, isLateRead) => {
        const store = new SlowStore();
        const backbone = new LateBackbone(store);
        const on = openLobby({ store, backbone });
        const { say } = await other(on);
        let said = 0;
        for (let i = 0; i < 3; i++) say(`${++said}`);
        const lobby = await login(on, 'ann');
        const [answer] = await lobby.say('JOIN', { ...HALL, via: 'tcp' });
        store.late = isLateRead;
        store.slow = true;
        backbone.late = true;
        const client = new LobbyClient(on, answer?.[1].TCPport);
        let own = 0;
        for (const step of steps) {
          if (step === 'say') say(`${++said}`);
          else if (step === 'own') client.send('CHAT', chatOf('ann', `own ${++own}`));
          else if (step === 'deliver one') backbone.deliver(1);
          else if (step === 'deliver') backbone.deliver();
          else if (step === 'answer') store.answer();
          else if (step === 'late') backbone.late = !backbone.late;
          else await settle();
          // what is published at once does not overtake
          if (!backbone.late) backbone.deliver();
        }
        store.slow = false;
        for (let i = 0; i < 3; i++) {
          backbone.deliver();
          await settle();
          store.answer();
          await settle();
        }
        backbone.deliver();
        await settle();
        const frames = client.take();
        const [first = assert.unreachable('no PREV') as never] = frames;
        assert.is(first[0], 'PREV');
        const texts = (only: (text: string) => boolean) =>
          [
            ...first[1].chats.map((chat: { contents: string }) => chat.contents),
            ...frames.slice(1).flatMap(([type, { contents }]) => (type === 'CHAT' ? [contents] : [])),
          ].filter(only);
        const wanted = Array.from({ length: said }, (_, i) => `${i + 1}`);
        const others = texts((text) => !text.startsWith('own'));
        // PREV holds ten at most: before it something may be missing, behind it nothing
        assert.equal(others, wanted.slice(wanted.length - others.length));
        if (first[1].chats.length < 10) assert.equal(others, wanted);
        assert.equal(
          texts((text) => text.startsWith('own')),
          Array.from({ length: own }, (_, i) => `own ${i + 1}`),
        );
        assert.equal(
          frames.filter(([type]) => type === 'GOOD'),
          Array.from({ length: own }, (_, i) => good(`own ${i + 1}`)),
        );
        assert.equal([client.port.bugs, on.bugs], [[], []]);
      },
    ),
    { numRuns: 300 },
  ),
);
before.run();

// --- history and search from a room -------------------------------------------------------------------------

const back = suite('lobby room: history and search');

const contents = (frame: FrameTold | undefined): string[] => {
  assert.is(frame?.[0], 'PREV', JSON.stringify(frame));
  return frame?.[1].chats.map((chat: { contents: string }) => chat.contents);
};

back('of a room with a password is told to who is in it', async () => {
  const on = openLobby();
  const owner = await login(on, 'griffin');
  for (const name of ['vault', 'other']) await owner.say('ROOM', { name, password: 'open' });
  const griffin = await inside(on, 'griffin', { room: 'vault', via: 'tcp' });
  const second = await inside(on, 'griffin', { room: 'other', via: 'tcp' });
  await griffin.say('CHAT', chatOf('griffin', 'the secret word'));
  await second.say('CHAT', chatOf('griffin', 'another secret word'));
  const guest = await enter(on, undefined, { room: 'vault', via: 'tcp', password: 'open' });
  guest.take();
  assert.equal(contents((await guest.say('HIST', { count: 5 }))[0]), ['the secret word']);
  assert.equal(contents((await guest.say('HIST', { count: 5, room: 'Vault' }))[0]), ['the secret word']);
  assert.is((await guest.say('HIST', { count: 5, room: 'other' }))[0]?.[0], 'ERRO');
  assert.equal(contents((await guest.say('FIND', { count: 5, words: 'secret' }))[0]), ['the secret word']);
  griffin.take();
  assert.equal(contents((await griffin.say('FIND', { count: 5, words: 'secret' }))[0]), [
    'the secret word',
    'another secret word',
  ]);
});

back('what is asked and answered does not break the order', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  client.send('CHAT', chatOf('ann', '1'));
  client.send('HIST', { count: 5 });
  client.send('FIND', { words: '1', count: 5 });
  client.send('CHAT', chatOf('ann', '2'));
  await settle();
  await settle();
  assert.equal(
    client.take().map(([type]) => type),
    ['GOOD', 'PREV', 'PREV', 'GOOD'],
  );
});
back.run();

// --- rooms with a password ---------------------------------------------------------------------------------

const secret = suite('lobby room: rooms with a password');

secret(
  'are never sent by multicast, also where somebody has asked for the group before the room was made',
  async () => {
    const on = openLobby();
    const eve = new LobbyClient(on);
    assert.is((await eve.say('JOIN', { room: 'vault' }))[0]?.[0], 'CONN');
    const owner = await login(on, 'griffin');
    await owner.say('ROOM', { name: 'vault', password: 'open' });
    const griffin = await inside(on, 'griffin', { room: 'vault', via: 'tcp' });
    await griffin.say('CHAT', chatOf('griffin', 'the secret', 'vault'));
    assert.equal(on.multicast.take(), []);
    const [number] = [...on.doors.waiting.keys()];
    const intruder = new LobbyClient(on, number);
    await settle();
    assert.equal(
      intruder.take().map(([type]) => type),
      ['ERRO'],
    );
    assert.ok(intruder.port.ended);
    assert.equal(people(on, 'vault'), ['griffin']);
    on.house.close('bye');
    assert.equal(on.multicast.take(), []);
  },
);

secret('let nobody in with what opened a room of that name before', async () => {
  const on = openLobby();
  const owner = await login(on, 'griffin');
  await owner.say('ROOM', { name: 'vault', password: 'open' });
  const eve = new LobbyClient(on);
  const [answer] = await eve.say('JOIN', { room: 'vault', via: 'tcp', password: 'open' });
  await owner.say('DELR', { name: 'vault', owner: 'griffin' });
  await owner.say('ROOM', { name: 'vault', password: 'changed' });
  const late = new LobbyClient(on, answer?.[1].TCPport);
  await settle();
  assert.equal(
    late.take().map(([type]) => type),
    ['ERRO'],
  );
  assert.equal(people(on, 'vault'), []);
});

secret('are open to their owner', async () => {
  const on = openLobby();
  await (await login(on, 'griffin')).say('ROOM', { name: 'vault', password: 'open' });
  await inside(on, 'griffin', { room: 'vault', via: 'tcp' });
  assert.equal(people(on, 'vault'), ['griffin']);
});
secret.run();

// --- deleted ------------------------------------------------------------------------------------------------

const deleted = suite('lobby room: deleted by its owner');

deleted('everybody is put out: connections are closed, lab hears it and gets its name back', async () => {
  const on = openLobby();
  const owner = await login(on, 'griffin');
  await owner.say('ROOM', { name: 'hall' });
  const [classic, ours, guest] = [
    await inside(on, 'griffin'),
    await inside(on, 'ann', { ...HALL, via: 'tcp' }),
    await inside(on),
  ];
  const elsewhere = await inside(on, 'ann', { room: 'other' });
  const port = new FakePort('lab');
  openLab({}, on)
    .tcp.open(port)
    .receive(new TextEncoder().encode('JOIN_CHATROOM: hall\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: bob\n'), 0);
  await settle();
  port.take();
  assert.equal(await owner.say('DELR', { name: 'hall', owner: 'griffin' }), [
    ['GOOD', { message: 'room hall deleted' }],
  ]);
  await settle();
  for (const client of [classic, ours, guest]) assert.ok(client.port.ended, client.port.id);
  assert.equal([classic.take(), guest.take()], [[], []], 'nothing is pushed to a classic client');
  assert.match(port.take(), /^CHAT: 0\nCLIENT_NAME: bob\nMESSAGE: bob has left this chatroom\.\n/m);
  assert.not(elsewhere.port.ended);
  assert.is(on.house.people, 1, 'those who are elsewhere too');
  assert.is((await on.house.enter('bob', new FakeTongue(), 'exactly')).person.name, 'bob');
  assert.equal((await owner.say('LTRQ', {}))[0]?.[1].rooms, ['other']);
  assert.equal((await enter(on, 'ann')).take(), [['PREV', { chats: [] }]]);
  assert.is((await owner.say('JOIN', { room: 'third' }))[0]?.[1].MCport, 10_020, 'two groups are in use');
});

deleted('two connections of one account in it are both closed', async () => {
  const on = openLobby();
  const owner = await login(on, 'griffin');
  await owner.say('ROOM', { name: 'hall' });
  const [a, b] = [await inside(on, 'griffin'), await inside(on, 'griffin', { ...HALL, via: 'tcp' })];
  await owner.say('DELR', { name: 'hall', owner: 'griffin' });
  await settle();
  assert.equal([a.port.ended, b.port.ended, on.house.people, on.bugs], [true, true, 0, []]);
});

deleted('what is on its way to the store is still answered, or the connection closed', async () => {
  const on = openLobby();
  const owner = await login(on, 'griffin');
  await owner.say('ROOM', { name: 'hall' });
  const client = await inside(on, 'ann');
  on.store.saving = 'held';
  client.send('CHAT', chatOf('ann', '1'));
  owner.send('DELR', { name: 'hall', owner: 'griffin' });
  client.send('CHAT', chatOf('ann', '2'));
  await settle();
  on.store.release();
  await settle();
  assert.ok(client.port.ended);
  assert.equal([client.port.bugs, on.bugs, on.house.people], [[], [], 0]);
});

deleted('who is behind a door comes into a new room', async () => {
  const on = openLobby();
  const owner = await login(on, 'griffin');
  await owner.say('ROOM', { name: 'hall' });
  const lobby = new LobbyClient(on);
  const [answer] = await lobby.say('JOIN', HALL);
  await owner.say('DELR', { name: 'hall', owner: 'griffin' });
  const client = new LobbyClient(on, answer?.[1].TCPport);
  await settle();
  assert.equal(client.take(), [['PREV', { chats: [] }]]);
  assert.is(people(on).length, 1);
});
deleted.run();

// --- frames --------------------------------------------------------------------------------------------------

const ruled = suite('lobby room: what others do');

/** Somebody of another dialect who may do everything. */
async function warden(on: TestLobby) {
  const those = await other(on, 'eve');
  those.member.isWarden = true;
  return those;
}

ruled('who is put out is told why where that can be, and closed', async () => {
  const on = openLobby();
  const [classic, ours] = [await inside(on, 'griffin'), await inside(on, 'ann', { ...HALL, via: 'tcp' })];
  const { member, room } = await warden(on);
  for (const name of ['griffin', 'ann']) on.house.kick(member, room, on.house.personNamed(name) as Person, 'enough');
  await settle();
  assert.equal(classic.take(), []);
  const told = ours.take();
  assert.equal(
    told.map(([type, { creator, contents }]) => [type, creator, contents]),
    [['CHAT', 'server', 'eve has put you out: enough']],
  );
  assert.equal([classic.port.ended, ours.port.ended, people(on), on.bugs], [true, true, ['eve'], []]);
});

ruled('another name is that of the next chats; a notice is a chat; a topic is the description', async () => {
  const on = openLobby();
  const ours = await inside(on, 'ann', { ...HALL, via: 'tcp' });
  const { member, room } = await warden(on);
  await on.house.rename(member, 'eva');
  on.house.say(member, room, 'hi', { notice: true });
  on.house.signal(member, room, { '+typing': 'active' });
  on.house.title(member, room, 'about nothing');
  assert.equal(
    ours.take().map(([, { creator, contents }]) => [creator, contents]),
    [['eva', 'hi']],
  );
  const lobby = new LobbyClient(on);
  const [list] = await lobby.say('LTRQ', { all: true });
  assert.ok(JSON.stringify(list).includes('about nothing'));
});

ruled(
  'a room that is secret is not listed; one for the invited is not read from outside, nor sent by multicast',
  async () => {
    const on = openLobby();
    const { member, room, say } = await warden(on);
    say('the word');
    const guest = new LobbyClient(on);
    on.house.rule(member, room, [{ isAdded: true, rule: 'secret' }]);
    for (const list of await guest.say('LTRQ', { all: true })) assert.not(JSON.stringify(list).includes('hall'));
    assert.is((await guest.say('HIST', { room: 'hall', count: 5 }))[0]?.[0], 'PREV');
    on.house.rule(member, room, [{ isAdded: true, rule: 'inviteOnly' }]);
    for (const ask of [() => guest.say('HIST', { room: 'hall', count: 5 }), () => guest.say('JOIN', HALL)]) {
      const [answer] = await ask();
      assert.equal([answer?.[0], /invited/.test(answer?.[1].message)], ['ERRO', true]);
    }
    const door = await enter(on, undefined, { ...HALL, via: 'tcp' });
    assert.equal(door.take(), [['ERRO', { message: 'hall is for those only who are invited' }]]);
  },
);

ruled('who may not speak is told so', async () => {
  const on = openLobby();
  const ours = await inside(on, 'ann', { ...HALL, via: 'tcp' });
  const { member, room } = await warden(on);
  on.house.rule(member, room, [{ isAdded: true, rule: 'moderated' }]);
  assert.equal(await ours.say('CHAT', chatOf('ann', 'hi')), [['ERRO', { message: 'you may not speak in hall' }]]);
});
ruled.run();

const frames = suite('lobby room: frames');

frames('nothing but answers ever goes to a classic client over TCP', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.constantFrom(
          'chat',
          'other says',
          'other comes',
          'guest comes',
          'classic comes',
          'fault',
          'hist',
          'close',
          'drop',
        ),
        { maxLength: 30 },
      ),
      async (steps) => {
        const on = openLobby();
        const client = await inside(on, 'ann');
        const { say } = await other(on);
        let asked = 0;
        let answered = 0;
        for (const [i, step] of steps.entries()) {
          if (step === 'chat') client.send('CHAT', chatOf('ann', `${i}`));
          else if (step === 'fault') client.send('CHAT', { x: i });
          else if (step === 'hist') client.send('HIST', { count: 3 });
          else if (step === 'other says') say(`${i}`);
          else if (step === 'other comes') await other(on, `o${i}`);
          else if (step === 'guest comes') await (await enter(on)).say('CHAT', chatOf(`g${i}`, 'x'));
          else if (step === 'classic comes') (await enter(on, `c${i}`)).close();
          else if (step === 'close') on.house.close('bye');
          else client.session.dropped('you read too slowly');
          if (['chat', 'fault', 'hist'].includes(step)) asked++;
          await settle();
          const told = client.take();
          assert.not(told.some(([type]) => type === 'CHAT'));
          answered += told.length;
          assert.ok(answered <= asked);
          if (!steps.includes('close')) assert.is(answered, asked);
        }
      },
    ),
    { numRuns: 60 },
  ),
);

frames('that are wrong are answered in their place, and the next one too', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  for (const payload of [
    {},
    { ...chatOf('ann', 'x'), contents: 5 },
    { creator: 'ann', room: 'hall', contents: 'x' },
    [],
    null,
  ]) {
    assert.is((await client.say('CHAT', payload))[0]?.[0], 'ERRO', JSON.stringify(payload));
  }
  for (const type of ['LGIN', 'JOIN', 'LTRQ', 'NONO', 'GOOD', 'PREV', 'chat']) {
    const told = client.session.receive(
      new TextEncoder().encode(`${type}0017{"username": "x"}`.replace('0017', '0017')),
      0,
    );
    assert.type(told, 'boolean');
    await settle();
    assert.is(client.take()[0]?.[0], 'ERRO', type);
  }
  assert.equal(await client.say('CHAT', chatOf('ann', 'still here')), [good('still here')]);
  assert.not(client.port.ended);
});

frames('whose end can’t be known close the connection when what came before is answered', async () => {
  const on = openLobby();
  const client = await inside(on, 'ann');
  on.store.saving = 'held';
  client.send('CHAT', chatOf('ann', '1'));
  client.send('CHAT', chatOf('ann', '2'));
  client.session.receive(new TextEncoder().encode('CHATxxxx{}'), 0);
  client.session.receive(new TextEncoder().encode('CHAT0002{}'), 0);
  await settle();
  on.store.release();
  await settle();
  const told = client.take();
  assert.equal(told.slice(0, 2), [good('1'), good('2')]);
  assert.equal([told.length, told[2]?.[0], client.port.ended, people(on)], [3, 'ERRO', true, []]);
});

frames('a bug in the store costs that connection alone', async () => {
  const on = openLobby();
  const [broken, sound] = [await inside(on, 'ann'), await inside(on, 'bob')];
  const { saved, addPost } = on.store;
  on.store.saved = () => Promise.reject(new Error('a bug in the store'));
  broken.send('CHAT', chatOf('ann', '1'));
  await settle();
  on.store.saved = saved;
  assert.equal([broken.take(), broken.port.bugs.length], [[], 1]);
  broken.close();
  assert.equal(await sound.say('CHAT', chatOf('bob', '2')), [good('2')]);
  on.store.addPost = () => {
    throw new Error('a bug in the store');
  };
  assert.throws(() => sound.send('CHAT', chatOf('bob', '3')), 'a bug in the store');
  on.store.addPost = addPost;
  assert.equal(people(on), ['bob']);
});

frames('the reason for being dropped is told over TCP', async () => {
  const on = openLobby();
  const ours = await inside(on, 'ann', { ...HALL, via: 'tcp' });
  ours.session.dropped('you read too slowly');
  assert.equal(ours.take(), [['ERRO', { message: 'you read too slowly' }]]);
});

frames('a server that goes down says so to the room', async () => {
  const on = openLobby();
  const [classic, ours] = [await inside(on, 'ann'), await inside(on, 'bob', { ...HALL, via: 'tcp' })];
  on.house.close('maintenance');
  assert.equal(classic.take(), []);
  assert.is(ours.take()[0]?.[1].creator, 'server');
  assert.is(heard(on)[0]?.creator, 'server');
});
frames.run();

// --- over a backbone that delivers late -------------------------------------------------------------------------

const late = suite('lobby room: over a late backbone');

async function lateHall(): Promise<{ on: TestLobby; backbone: LateBackbone; store: SlowStore }> {
  const store = new SlowStore();
  const backbone = new LateBackbone(store);
  const on = openLobby({ store, backbone });
  await other(on);
  return { on, backbone, store };
}

late('nobody is in before it was heard; a chat is answered when it was heard', async () => {
  const { on, backbone } = await lateHall();
  backbone.late = true;
  const client = await enter(on, 'ann');
  assert.equal([client.take(), people(on)], [[], ['other']]);
  client.send('CHAT', chatOf('ann', 'early'));
  backbone.deliver();
  await settle();
  assert.equal(client.take(), [['PREV', { chats: [] }]]);
  backbone.deliver();
  await settle();
  assert.equal(client.take(), [good('early')]);
});

late('who comes again before the leaving was heard stays', async () => {
  const { on, backbone } = await lateHall();
  const first = await inside(on, 'ann');
  const keeper = await inside(on, 'ann', { room: 'elsewhere' });
  backbone.late = true;
  first.close();
  const second = await enter(on, 'ann');
  backbone.deliver();
  await settle();
  assert.not(second.port.ended, 'it was the first that left');
  assert.is(second.take()[0]?.[0], 'PREV');
  second.send('CHAT', chatOf('ann', 'hi'));
  backbone.deliver();
  await settle();
  assert.equal(second.take(), [good('hi')]);
  assert.equal([people(on), keeper.port.ended], [['other', 'ann'], false]);
});

late('an account that comes again while its first connection was on its way in keeps its name', async () => {
  const { on, backbone } = await lateHall();
  await on.accounts.take('ann', '123');
  const gate = Promise.withResolvers<void>();
  backbone.gate = gate.promise;
  const first = await enter(on, 'ann');
  first.close();
  const second = await enter(on, 'ann');
  gate.resolve();
  await settle();
  await settle();
  assert.is(second.take()[0]?.[0], 'PREV');
  assert.equal(people(on), ['other', 'ann']);
  second.close();
  await settle();
  assert.equal([people(on), on.house.people], [['other'], 1]);
  assert.is((await inside(on, 'ann')).port.ended, false);
  assert.equal(people(on), ['other', 'ann']);
});

late('a second connection in the same room is seated with the first', async () => {
  const { on, backbone } = await lateHall();
  backbone.late = true;
  const [first, second] = [await enter(on, 'ann'), await enter(on, 'ann')];
  backbone.deliver();
  await settle();
  assert.equal(
    [first.take(), second.take()].map((told) => told.map(([type]) => type)),
    [['PREV'], ['PREV']],
  );
});

late('a guest’s claim is heard in order', async () => {
  const { on, backbone } = await lateHall();
  const client = await inside(on, undefined, { ...HALL, via: 'tcp' });
  backbone.late = true;
  client.send('CHAT', chatOf('zoe', '1'));
  client.send('CHAT', chatOf('zoe', '2'));
  for (let i = 0; i < 4; i++) {
    await settle();
    backbone.deliver(1);
  }
  backbone.deliver();
  await settle();
  const told = client.take();
  for (const [type, wanted] of [
    ['GOOD', [good('1'), good('2')]],
    ['CHAT', ['1', '2'].map((text): FrameTold => ['CHAT', chatOf('zoe~guest', text)])],
  ] as const)
    assert.equal(
      told.filter(([one]) => one === type),
      wanted,
    );
  assert.equal(people(on), ['other', 'zoe~guest']);
});

late('leaving before one was in leaves nothing', async () => {
  const { on, backbone } = await lateHall();
  backbone.late = true;
  const client = await enter(on, 'ann');
  client.close();
  backbone.deliver();
  await settle();
  assert.equal([people(on), on.house.people, client.take(), on.bugs], [['other'], 1, [], []]);
});
late.run();
