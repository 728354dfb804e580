import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Console } from '../src/console.ts';
import { FakePort, FakeTongue, goIn, openLab, openMenu, settle, type TestPipe } from './fakes.ts';
import { openGuarded } from './guarded.ts';

function open(on = openGuarded()) {
  const stops: string[] = [];
  const logged: string[] = [];
  const console = new Console({
    house: on.house,
    gate: on.gate,
    stop: (reason) => void stops.push(reason),
    expelFrom: () => 0,
    reload: () => {
      throw new Error('line 3 is wrong');
    },
    log: (_level, event, { by, command, failed } = {}) => void logged.push(`${event} ${by} ${command} ${failed}`),
  });
  return { on, stops, logged, console };
}

/** Somebody of another dialect; can be told something alone. */
async function other(on: TestPipe, name: string, ...rooms: string[]) {
  const whispers: string[] = [];
  const tongue = Object.assign(new FakeTongue('irc'), {
    whisper: (_: unknown, { who, text }: { who: { name: string }; text: string }) => {
      whispers.push(`${who.name}: ${text}`);
      return true;
    },
  });
  const member = await on.house.enter(name, tongue, 'exactly');
  for (const room of rooms) on.house.join(member, await on.house.openRoom(room));
  tongue.take();
  for (const client of on.clients.values()) client.take();
  return { tongue, member, whispers };
}

const test = suite('console');

test('to all: everybody in every room, each in the form of its dialect', async () => {
  const { on, console } = open();
  const alice = await goIn(on, 'alice', 'hall', true);
  const bob = await goIn(on, 'bob', 'den');
  const ann = await other(on, 'ann', 'hall');
  assert.is(await console.line('@all|good morning|x'), '');
  await on.pass(100);
  assert.equal(alice.take(), ['#server|good morning|x\n']);
  assert.equal(bob.take(), ['#server|good morning|x\n']);
  assert.equal(ann.tongue.take(), ['hall server: good morning|x']);
  assert.equal(on.bugs, []);
});

test('to all: lab and menu clients hear it too', async () => {
  const { on, console } = open();
  const [lab, menu] = [openLab({}, on), openMenu({}, on)];
  const [one, two] = [new FakePort('c1'), new FakePort('c2')];
  const bytes = (text: string) => new TextEncoder().encode(text);
  lab.tcp.open(one).receive(bytes('JOIN_CHATROOM: main\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ann\n'), 0);
  menu.menu.open(two).receive(bytes('bob\n'), 0);
  await settle();
  one.take();
  await console.line('@all|hi');
  assert.is(one.take(), 'CHAT: 0\nCLIENT_NAME: server\nMESSAGE: hi\n\n');
  assert.is(two.take(), 'server: hi\n');
  assert.is(await console.line('@ann|psst'), '');
  assert.match(one.take(), /^CHAT: 0\nCLIENT_NAME: server\nMESSAGE: .*psst\n\n$/);
});

test('nobody sees the operator come, go or sit there', async () => {
  const { on, console } = open();
  const alice = await goIn(on, 'alice', 'hall', true);
  await console.line('@all|hi');
  alice.take();
  assert.equal(await alice.line('@server|get_peers'), ['alice\n']);
  assert.is(on.house.people, 1);
});

test('to one alone, whatever the case', async () => {
  const { on, console } = open();
  const alice = await goIn(on, 'alice', 'hall', true);
  const bob = await goIn(on, 'bob', 'hall', true);
  const ann = await other(on, 'Ann', 'elsewhere');
  alice.take();
  assert.is(await console.line('@ALICE|psst|x'), '');
  assert.is(await console.line('@ann|hello'), '');
  assert.equal(alice.take(), ['#server|psst|x\n']);
  assert.equal(bob.take(), []);
  assert.equal(ann.whispers, ['server: hello']);
});

test('says so when there is nobody to tell', async () => {
  const { on, console } = open();
  assert.match(await console.line('@all|hi'), /nobody/);
  assert.match(await console.line('@alice|hi'), /nobody called alice/);
  const member = await on.house.enter('eve', new FakeTongue(), 'exactly');
  on.house.join(member, await on.house.openRoom('hall'));
  assert.match(await console.line('@eve|hi'), /eve can't be told/);
  assert.match(await console.line(`@all|${'x'.repeat(70_000)}`), /too long/);
  assert.match(await console.line('@all'), /@all\|/);
});

test('to the server itself: shown here', async () => {
  const { console, stops } = open();
  assert.is(await console.line('@server|note|x'), 'server: note|x');
  assert.equal(stops, []);
});

for (const line of ['exit', 'quit', 'kill', ' EXIT ', '@server|exit', '@server|quit', '@server|kill']) {
  test(`${line} ends the server`, async () => {
    const { console, stops } = open();
    assert.is(await console.line(line), '');
    assert.is(stops.length, 1);
  });
}

test('peers: who is in which rooms, of whatever dialect', async () => {
  const { on, console } = open();
  assert.match(await console.line('peers'), /nobody/);
  await goIn(on, 'alice');
  await other(on, 'ann', 'hall', 'den');
  assert.is(await console.line('peers'), 'alice (pipe) in hall\nann (irc) in hall, den');
});

test('rooms: with how many are in them, the fullest first', async () => {
  const { on, console } = open();
  assert.match(await console.line('rooms'), /no rooms/);
  await on.house.openRoom('empty');
  await on.house.makeRoom('den', { description: '', owner: undefined, password: 'hash' });
  await other(on, 'ann', 'hall');
  await other(on, 'ben', 'hall', 'lab');
  assert.is(
    await console.line('rooms'),
    'hall: 2 people\nlab: 1 person\nempty: 0 people\nden: 0 people, with a password',
  );
});

test('lists have an end on a screen, and none for a program', async () => {
  const { on, console } = open();
  for (let i = 0; i < 250; i++) await on.house.openRoom(`room ${i}`);
  const lines = (await console.line('rooms')).split('\n');
  assert.is(lines.length, 201);
  assert.is(lines.at(-1), '… and 50 more');
  const { text } = await console.answer('rooms', 'admin socket');
  assert.is(text.split('\n').length, 250);
});

test('of bans a screen shows the newest', async () => {
  const { on, console } = open();
  for (let i = 0; i < 250; i++) {
    on.clock.now++;
    await console.line(`ban "name ${i}"`);
  }
  const shown = await console.line('bans');
  assert.ok(shown.startsWith('name 249 (name) for good\nname 248 '), shown.slice(0, 100));
  assert.ok(shown.endsWith('name 50 (name) for good\n… and 50 more'), shown.slice(-100));
  assert.is((await console.answer('bans', 'admin socket')).text.split('\n').length, 250);
});

for (const [line, hint] of [
  ['kill bob', /kick NAME/],
  ['exit now', /kick NAME/],
  ['quit 5', /kick NAME/],
  ['peers hall', /who NAME/],
  ['rooms hall', /alone/],
  ['bans bob', /ban NAME/],
  ['limits joins', /alone/],
  ['reload limits', /alone/],
  ['help ban', /alone/],
] as const) {
  test(`${line} is refused: nothing stands behind that word`, async () => {
    const { console, stops } = open();
    const { text, hasFailed } = await console.answer(line, 'test');
    assert.ok(hasFailed);
    assert.match(text, hint);
    assert.match(text, new RegExp(`^${line.split(' ')[0]} `));
    assert.equal(stops, []);
  });
}

test('a bug in a command is in the log with its stack, and the operator is told', async () => {
  const { on, console, logged } = open();
  on.house.openRoom('hall');
  Object.defineProperty(on.house, 'rooms', {
    get: () => {
      throw new TypeError('a bug');
    },
  });
  const { text, hasFailed } = await console.answer('rooms', 'test');
  assert.ok(hasFailed);
  assert.match(text, /log/);
  assert.match(logged.join(), /^bug .*,operator test rooms true$/);
});

test('help names everything that there is', async () => {
  const help = await open().console.line('help');
  const words = 'peers rooms help exit quit kill who say kick ban unban bans limits reload @all| @NAME| @server|';
  for (const word of words.split(' ')) {
    assert.ok(help.includes(word), word);
  }
  assert.ok(help.split('\n').every((line) => line.length <= 80));
});

test('an empty line is nothing, another word is not known', async () => {
  const { console, stops } = open();
  for (const line of ['', '  ', '\t']) assert.is(await console.line(line), '');
  for (const line of ['dance', 'constructor', 'toString x', 'peersx']) assert.match(await console.line(line), /help/);
  assert.equal(stops, []);
});

test('Tab completes commands and names', async () => {
  const { on, console } = open();
  await goIn(on, 'alice');
  await console.line('ban Albert');
  await console.line('ban 10.0.0.0/8');
  assert.equal(console.complete('unban al'), ['unban Albert']);
  assert.equal(console.complete('unban 1'), ['unban 10.0.0.0/8']);
  assert.equal(console.complete('unban '), ['unban Albert', 'unban 10.0.0.0/8']);
  assert.equal(console.complete('p'), ['peers']);
  assert.equal(console.complete('ban al'), ['ban alice']);
  assert.equal(console.complete('kick AL'), ['kick alice']);
  assert.equal(console.complete('@al'), ['@all|', '@alice|']);
  assert.equal(console.complete('@AL'), ['@all|', '@alice|']);
  assert.equal(console.complete('x'), []);
});

test('say: to everybody in every room, as it stands', async () => {
  const { on, console } = open();
  const alice = await goIn(on, 'alice', 'hall', true);
  assert.is(await console.line('say  good morning, 5 o’clock'), '');
  await on.pass(100);
  assert.equal(alice.take(), ['#server|good morning, 5 o’clock\n']);
  assert.match(await console.line('say'), /what/);
});

test('all that is asked is logged, but not what is said to one alone', async () => {
  const { on, console, logged } = open();
  await goIn(on, 'alice', 'hall', true);
  for (const line of ['@alice|a secret', '@all|no secret', 'bans', 'dance', '']) await console.line(line);
  assert.equal((await console.answer('kick bob', 'admin socket')).hasFailed, true);
  assert.equal(logged, [
    'operator console @alice|… false',
    'operator console @all|no secret false',
    'operator console bans false',
    'operator console dance true',
    'operator admin socket kick bob true',
  ]);
});

test('what was not done is a failure, with what is wrong', async () => {
  const { console } = open();
  const lines = [
    'dance',
    '@all|hi',
    '@bob|hi',
    '@all',
    'say',
    'kick',
    'kick bob',
    'unban bob',
    'ban',
    'reload',
    'who bob',
  ];
  for (const line of lines) {
    const { text, hasFailed } = await console.answer(line, 'test');
    assert.ok(hasFailed && text !== '', line);
  }
  assert.is(await console.line('reload'), 'line 3 is wrong');
  for (const line of ['', 'bans', 'who', 'rooms', 'peers', 'limits', 'help']) {
    assert.not((await console.answer(line, 'test')).hasFailed, line);
  }
});

test('what a client says to it is one line that moves no cursor', () => {
  const { console } = open();
  assert.is(console.heard('bob', 'help|me'), 'bob: help|me');
  assert.is(console.heard('bob', 'a\x1b[2Jb\nc\td'), 'bob: a\ufffd[2Jb c d');
});

test('any line is answered, and what is shown moves no cursor', async () => {
  const { on, console } = open();
  await goIn(on, 'alice');
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (line) => {
      for (const one of [
        line,
        `@${line}`,
        `@alice|${line}`,
        `rooms ${line}`,
        `who ${line}`,
        `unban ${line}`,
        `ban ${line}`,
        `kick x${line}`,
      ]) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        assert.not(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(await console.line(one)), JSON.stringify(one));
        console.complete(one);
      }
    }),
  );
});
test.run();
