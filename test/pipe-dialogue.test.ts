import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LocalBackbone } from '../src/backbone.ts';
import { PipeSession } from '../src/pipe-session.ts';
import {
  converseByPipe,
  FakePort,
  FakeTongue,
  goIn,
  MemoryStore,
  openPipe,
  PipeClient,
  settle,
  type TestPipe,
} from './fakes.ts';

/** Somebody of another dialect, in a room. */
async function other(on: TestPipe, name: string, room: string): Promise<void> {
  const member = await on.house.enter(name, new FakeTongue('irc'), 'exactly');
  on.house.join(member, await on.house.openRoom(room));
}

const TAKEN = 'ERROR|Username taken, kindly choose another.\n';
const MAX = 'ERROR|Max tries reached, closing connection.\n';

// --- the dialogue -----------------------------------------------------------------------------------------------

const dialogue = suite('pipe: the dialogue');

dialogue('as it was captured: a room with a password, then somebody who joins it', async () => {
  await converseByPipe(
    openPipe(),
    `alice> alice
     alice< OK|Username alice accepted. Send create/join a chatroom⏎
     alice> create
     alice< OK|Specify a chatroom name to create.⏎
     alice> room1
     alice< OK|Chatroom room1 created. Do you want to password protect the room? [yes/no]⏎
     alice> yes
     alice< OK|Please enter password.⏎
     alice> sekret
     alice< OK|Password accepted.⏎
     alice< Welcome to room1. You are all set to pass messages⏎
     bob> bob
     bob< OK|Username bob accepted. Send create/join a chatroom⏎
     bob> join
     bob< OK|Here is a list of chatrooms you can join.⏎room1⏎
     bob> room1
     bob< OK|This chatroom is private. Please enter password.⏎
     bob> wrong
     bob< ERROR|Sorry, incorrect password. You have 4 tries left.⏎OK|This chatroom is private. Please enter password.⏎
     bob> sekret
     bob< OK|Password accepted.⏎
     alice< INFO| New user bob has joined⏎
     bob< OK|You have joined chatroom - room1⏎Here is a list of peers in the room:⏎alice⏎Welcome to room1. You are all set to pass messages⏎`,
  );
});

dialogue('a public room; alone in a room that was left', async () => {
  const on = openPipe();
  await converseByPipe(
    on,
    `alice> alice
     alice< OK|Username alice accepted. Send create/join a chatroom⏎
     alice> CREATE
     alice< OK|Specify a chatroom name to create.⏎
     alice> room1
     alice< OK|Chatroom room1 created. Do you want to password protect the room? [yes/no]⏎
     alice> no
     alice< OK|Chatroom has been made public.⏎
     alice< Welcome to room1. You are all set to pass messages⏎
     alice> <broken>
     bob> bob
     bob< OK|Username bob accepted. Send create/join a chatroom⏎
     bob> Join
     bob< OK|Here is a list of chatrooms you can join.⏎room1⏎
     bob> ROOM1
     bob< OK|You have joined chatroom - room1⏎There are no peers in the room:⏎Welcome to room1. You are all set to pass messages⏎`,
  );
});

dialogue('our own client gets everything at once, each line ended', async () => {
  const on = openPipe();
  await goIn(on, 'alice');
  const bob = new PipeClient(on, 'bob');
  bob.send('bob\njoin\nhall\n');
  await settle();
  assert.is(
    bob.take().join(''),
    'OK|Username bob accepted. Send create/join a chatroom\n' +
      'OK|Here is a list of chatrooms you can join.\nhall\n' +
      'OK|You have joined chatroom - hall\nHere is a list of peers in the room:\nalice\n' +
      'Welcome to hall. You are all set to pass messages\n',
  );
});

dialogue('refuses names that are taken, reserved or none', async () => {
  const on = openPipe();
  await goIn(on, 'alice');
  for (const [i, name] of ['alice', 'ALICE', 'server', 'all', 'root', 'me'].entries()) {
    const client = new PipeClient(on);
    assert.equal(await client.type(name), [TAKEN], name);
    assert.equal(await client.type(`bob ${i}`), [`OK|Username bob ${i} accepted. Send create/join a chatroom\n`]);
  }
  for (const name of ['\n', ' \r\n', '|x', 'x'.repeat(65), 'a\x1b[2J']) {
    const client = new PipeClient(on);
    const [told = '', ...more] = await client.type(name);
    assert.match(told, /^ERROR\|Sorry, [^|\n]+\n$/, JSON.stringify(name));
    assert.equal(more, []);
  }
});

dialogue('the name of an account is taken, whoever asks', async () => {
  const on = openPipe();
  await on.accounts.take('griffin', '123');
  const client = new PipeClient(on);
  assert.equal(await client.type('Griffin'), ['ERROR|Username taken, kindly choose another.\n']);
});

dialogue('takes the first field of each answer, trimmed', async () => {
  await converseByPipe(
    openPipe(),
    `bob>  bob |x|y
     bob< OK|Username bob accepted. Send create/join a chatroom⏎
     bob> create|now
     bob< OK|Specify a chatroom name to create.⏎
     bob>  my room |x
     bob< OK|Chatroom my room created. Do you want to password protect the room? [yes/no]⏎
     bob> YES please
     bob< OK|Please enter password.⏎
     bob> pass|word
     bob< OK|Password accepted.⏎
     bob< Welcome to my room. You are all set to pass messages⏎
     eve>> eve
     eve< OK|Username eve accepted. Send create/join a chatroom⏎
     eve>> join
     eve< OK|Here is a list of chatrooms you can join.⏎my room⏎
     eve>> my room
     eve< OK|This chatroom is private. Please enter password.⏎
     eve>> pass
     eve< OK|Password accepted.⏎
     bob< INFO| New user eve has joined⏎
     eve< OK|You have joined chatroom - my room⏎Here is a list of peers in the room:⏎bob⏎Welcome to my room. You are all set to pass messages⏎`,
  );
});

dialogue('without a room there is none to join', async () => {
  await converseByPipe(
    openPipe(),
    `bob> bob
     bob< OK|Username bob accepted. Send create/join a chatroom⏎
     bob> join
     bob< ERROR|There are no chatrooms to join now⏎
     bob> what
     bob< ERROR|Sorry, specify join/create to join or create a chatroom⏎
     bob> create
     bob< OK|Specify a chatroom name to create.⏎`,
  );
});

dialogue('rooms that are there are taken, and others are not found', async () => {
  const on = openPipe();
  await goIn(on, 'alice', 'room1');
  await other(on, 'ann', 'lab room');
  await converseByPipe(
    on,
    `bob> bob
     bob< OK|Username bob accepted. Send create/join a chatroom⏎
     bob> create
     bob< OK|Specify a chatroom name to create.⏎
     bob> Room1
     bob< ERROR|Sorry, chatroom already taken. Please try again.⏎
     bob> lab room
     bob< ERROR|Sorry, chatroom already taken. Please try again.⏎
     bob> main
     bob< ERROR|Sorry, chatroom already taken. Please try again.⏎
     bob> room2
     bob< OK|Chatroom room2 created. Do you want to password protect the room? [yes/no]⏎
     eve> eve
     eve< OK|Username eve accepted. Send create/join a chatroom⏎
     eve> join
     eve< OK|Here is a list of chatrooms you can join.⏎room1|lab room⏎
     eve> room2
     eve< ERROR|Sorry, chatroom name not found. Please try again.⏎
     eve> nowhere
     eve< ERROR|Sorry, chatroom name not found. Please try again.⏎`,
  );
});

dialogue('of two who make the same room the first has it, until gone', async () => {
  const on = openPipe();
  await converseByPipe(
    on,
    `bob>> bob
     bob< OK|Username bob accepted. Send create/join a chatroom⏎
     bob>> create
     bob< OK|Specify a chatroom name to create.⏎
     bob>> den
     bob< OK|Chatroom den created. Do you want to password protect the room? [yes/no]⏎
     eve>> eve
     eve< OK|Username eve accepted. Send create/join a chatroom⏎
     eve>> create
     eve< OK|Specify a chatroom name to create.⏎
     eve>> DEN
     eve< ERROR|Sorry, chatroom already taken. Please try again.⏎
     bob> <broken>
     eve>> den
     eve< OK|Chatroom den created. Do you want to password protect the room? [yes/no]⏎
     eve>> no
     eve< OK|Chatroom has been made public.⏎
     eve< Welcome to den. You are all set to pass messages⏎`,
  );
});

dialogue('a room that another dialect makes meanwhile is taken', async () => {
  const on = openPipe();
  const bob = new PipeClient(on, 'bob');
  for (const text of ['bob', 'create', 'den']) await bob.type(text);
  await on.house.openRoom('den');
  assert.equal(await bob.type('no'), ['ERROR|Sorry, chatroom already taken. Please try again.\n']);
  assert.match((await bob.type('den2')).join(''), /^OK\|Chatroom den2 created/);
});

dialogue('the password is never sent back, and kept as a hash alone', async () => {
  const on = openPipe();
  const bob = new PipeClient(on, 'bob');
  const told: string[] = [];
  for (const text of ['bob', 'create', 'den', 'yes', 'sekret', '@server|get_passwd'])
    told.push(...(await bob.type(text)));
  assert.not(told.join('').includes('sekret'));
  assert.is(on.store.rooms.find(({ key }) => key === 'den')?.password, 'fake$1$sekret');
});

dialogue('an empty password is none, and asked for again', async () => {
  const on = openPipe();
  const bob = new PipeClient(on, 'bob');
  for (const text of ['bob', 'create', 'den', 'yes']) await bob.type(text);
  assert.match((await bob.line('')).join(''), /^ERROR\|Sorry, [^\n]+\n$/);
  assert.match((await bob.line('x')).join(''), /^OK\|Password accepted\.\nWelcome to den\./);
});

/** Each is a step at which the last word, said five times, fails. */
const STEPS: ReadonlyArray<readonly [string, string[], string]> = [
  ['names', [], 'all'],
  ['choices', ['bob'], 'what'],
  ['rooms to make', ['bob', 'create'], 'hall'],
  ['rooms to join', ['bob', 'join'], 'nowhere'],
  ['passwords', ['bob', 'join', 'den'], 'wrong'],
];
for (const [what, before, wrong] of STEPS) {
  dialogue(`after five failed ${what} comes the end: the error, a pause, exit alone, a pause, the close`, async () => {
    const on = openPipe();
    await goIn(on, 'alice');
    const password = await on.accounts.hashPassword('sekret', '192.0.2.9');
    await on.house.makeRoom('den', { description: '', owner: undefined, password });
    const bob = new PipeClient(on, 'bob');
    for (const text of before) await bob.type(text);
    for (let tries = 1; tries < 5; tries++) assert.match((await bob.type(wrong)).join(''), /^ERROR\|/, `${tries}`);
    assert.equal(await bob.type(wrong), [MAX]);
    await on.pass(49);
    assert.equal(bob.take(), []);
    await on.pass(1);
    assert.equal(bob.take(), ['exit']);
    await on.pass(49);
    assert.not(bob.port.ended);
    await on.pass(1);
    assert.ok(bob.port.ended);
    assert.equal(bob.take(), []);
    // the name is free
    const again = new PipeClient(on, 'again');
    assert.match((await again.type('bob')).join(''), /^OK\|/);
  });
}

dialogue('the tries are counted at each step anew', async () => {
  const on = openPipe();
  const bob = new PipeClient(on, 'bob');
  for (let tries = 1; tries < 5; tries++) await bob.type('all');
  await bob.type('bob');
  for (let tries = 1; tries < 5; tries++) assert.match((await bob.type('what')).join(''), /^ERROR\|Sorry, specify/);
  assert.match((await bob.type('create')).join(''), /^OK\|/);
});

dialogue('a client that ends its lines is told and closed at once', async () => {
  const on = openPipe();
  const bob = new PipeClient(on, 'bob');
  bob.send('all\nall\nall\nall\nall\nbob\n');
  await settle();
  assert.is(bob.take().slice(4).join(''), 'ERROR|Max tries reached, closing connection.\nexit\n');
  assert.ok(bob.port.ended);
});

dialogue('many wrong passwords from one address have to wait, in whatever connection', async () => {
  const on = openPipe();
  const password = await on.accounts.hashPassword('sekret', '192.0.2.9');
  await on.house.makeRoom('den', { description: '', owner: undefined, password });
  const tries = async (name: string, ...words: string[]) => {
    const client = new PipeClient(on, name);
    for (const text of [name, 'join', 'den']) await client.line(text);
    const told: string[] = [];
    for (const word of words) told.push(...(await client.line(word)));
    return told.join('');
  };
  await tries('bob', 'a', 'b', 'c', 'd', 'e');
  assert.match(
    await tries('eve', 'sekret'),
    /^ERROR\|Sorry, too many wrong passwords: try again in \d+ s\. You have 4 /,
  );
  on.clock.now += 10_000;
  assert.match(await tries('kim', 'sekret'), /^OK\|Password accepted\.\n/);
});

dialogue('says what the house has against it', async () => {
  const store = new MemoryStore();
  const on = openPipe({ store, backbone: new LocalBackbone(store), limits: { people: 1 } });
  const bob = new PipeClient(on, 'bob');
  await bob.type('bob');
  const eve = new PipeClient(on, 'eve');
  assert.equal(await eve.type('eve'), ['ERROR|Sorry, the server is full. Please try again.\n']);
  store.saving = 'fails';
  await bob.type('create');
  await bob.type('den');
  assert.equal(await bob.type('no'), ['ERROR|Sorry, the disk is full. Please try again.\n']);
  store.saving = 'at once';
  assert.match((await bob.type('no')).join(''), /^OK\|Chatroom has been made public/);
});

dialogue('somebody who goes while the house works leaves nothing behind', async () => {
  const on = openPipe();
  for (const words of [['bob'], ['bob', 'create', 'den'], ['bob', 'create', 'den', 'no'], ['bob', 'join', 'hall']]) {
    await on.house.openRoom('hall');
    const bob = new PipeClient(on, `c${on.clients.size}`);
    for (const word of words.slice(0, -1)) await bob.line(word);
    bob.send(`${words.at(-1)}\n`);
    bob.breaks();
    await settle();
    assert.is(on.house.people, 0, words.join());
    assert.ok(on.pipe.reserve('den'));
    on.pipe.release('den');
  }
  assert.equal(on.bugs, []);
});

dialogue('leaves with @server|exit before it is in a room, and with its half-close', async () => {
  const on = openPipe();
  const bob = new PipeClient(on, 'bob');
  await bob.type('bob');
  await on.pass(50);
  assert.equal(await bob.type('@server|exit'), ['exit']);
  await on.pass(50);
  assert.ok(bob.port.ended);
  const eve = new PipeClient(on, 'eve');
  await eve.line('eve');
  eve.session.ended();
  assert.equal(eve.take(), ['exit\n']);
  assert.ok(eve.port.ended);
  assert.is(on.house.people, 0);
});

dialogue('tells the address that it was told to tell', async () => {
  const { pipe } = openPipe({ advertise: '203.0.113.9' });
  const port = new FakePort();
  new PipeSession(pipe, port);
  assert.is(port.take(), 'Connected to 203.0.113.9 at port 5000\nPlease enter your username\n');
});
dialogue.run();
