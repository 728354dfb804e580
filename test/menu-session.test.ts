import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, LocalBackbone, type Owner } from '../src/backbone.ts';
import type { Draft } from '../src/events.ts';
import type { MenuSession } from '../src/menu-session.ts';
import { encodeUtf } from '../src/wire-menu.ts';
import {
  chatter,
  FakePort,
  FakeTongue,
  MemoryStore,
  openHouse,
  openMenu,
  refusal,
  settle,
  type TestHouse,
  type TestMenu,
} from './fakes.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const WANTED = { have: 0, prefix: undefined, digest: false };

async function open(
  on: TestMenu,
  said: string | Uint8Array,
  id = 'c1',
): Promise<{ port: FakePort; session: MenuSession }> {
  const port = new FakePort(id);
  const session = on.menu.open(port);
  session.receive(typeof said === 'string' ? bytesOf(said) : said, 0);
  await settle();
  return { port, session };
}

// --- messages ----------------------------------------------------------------------------------------------

const chat = suite('menu: messages');

chat('a name, then messages: the others get each as one line, the sender never its own', async () => {
  await chatter(
    openMenu(),
    `C: alice
     C2: bob
     C3: carol
     C: hello!
     S2: alice: hello!
     S3: alice: hello!
     C2: and hi
     C2: to all
     S: bob: and hi
     S: bob: to all
     S3: bob: and hi
     S3: bob: to all`,
  );
});

chat('a name alone tells nobody anything: no welcome, no join, no leave', async () => {
  await chatter(
    openMenu(),
    `C: alice
     C2: bob
     C3: carol␉0
     S3: ␞welcome␉carol␉#1
     C2: <half-close>
     S2: <close>
     C3: x
     S3: <close>
     C4: <half-close>
     S4: <close>
     C: anybody?`,
  );
});

chat('name and messages in one segment', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: alice
     C: one
     C: two
     S2: alice: one
     S2: alice: two`,
  ),
);

chat('returns, blanks and empty messages', async () => {
  const on = openMenu();
  const bob = await open(on, 'bob\r\n');
  await open(on, ' alice \r\n  two words \r\n\r\n\n');
  assert.is(bob.port.take(), 'alice:   two words \nalice: \nalice: \n');
});

chat('each message is one write', async () => {
  const on = openMenu();
  const bob = await open(on, 'bob\n');
  await open(on, 'alice\nhello\nworld\n');
  assert.equal(bob.port.blocks, ['alice: hello\n', 'alice: world\n']);
});

chat('without newlines: what stays unterminated for 20 ms is a name, then a message', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: alice\\
     -- 19 ms
     C2: nobody there
     -- 1 ms
     C: hello!\\
     -- 19 ms
     -- 1 ms
     S2: alice: hello!
     C2: hi\\
     -- 20 ms
     S: bob: hi`,
  ),
);

chat('a silence is counted from the last byte', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: alice
     C: hel\\
     -- 15 ms
     C: lo\\
     -- 15 ms
     C: !\\
     -- 20 ms
     S2: alice: hello!`,
  ),
);

chat('a name and a first message without a newline in one segment', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: alice
     C: hello\\
     -- 20 ms
     S2: alice: hello`,
  ),
);

chat('buffers that are filled up with NULs', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: alice␀␀␀␀\\
     -- 20 ms
     C: hello␀␀␀␀␀\\
     -- 20 ms
     S2: alice: hello
     C: line
     C: ␀␀␀␀\\
     S2: alice: line
     -- 20 ms`,
  ),
);

chat('asks for a tick only while something waits for silence', async () => {
  const on = openMenu();
  const { session } = await open(on, 'alice\n');
  assert.is(session.deadline(), Number.POSITIVE_INFINITY);
  assert.ok(session.receive(bytesOf('hel'), 100));
  assert.is(session.deadline(), 120);
  session.tick(110);
  assert.is(session.deadline(), 120, 'an early tick is harmless');
  session.receive(bytesOf('lo\n'), 115);
  assert.is(session.deadline(), Number.POSITIVE_INFINITY);
  session.tick(500);
});

chat('plain, writeUTF and full clients in one room, each in its own framing', () =>
  chatter(
    openMenu(),
    `C: alice
     C2: «bob»\\
     C3: carol␉0
     S3: ␞welcome␉carol␉#1
     C4: «dan»«hi all»\\
     S: dan: hi all
     S2: «dan: hi all»\\
     S3: dan: hi all
     C: hello
     S2: «alice: hello»\\
     S3: alice: hello
     S4: «alice: hello»\\
     C3: m␉there
     S: carol: there
     S2: «carol: there»\\
     S4: «carol: there»\\
     C2: «two
     C2: lines»\\
     S: bob: two
     S: bob: lines
     S3: bob: two
     S3: bob: lines
     S4: «bob: two»«bob: lines»\\`,
  ),
);

chat('writeUTF byte for byte, cut anywhere', async () => {
  const on = openMenu();
  const plain = await open(on, 'plain\n');
  const java = await open(on, encodeUtf(['java']));
  const said = encodeUtf(['🙂 \0 ë', '']);
  for (const byte of said) {
    const other = await open(on, '', 'c3');
    other.session.closed('');
    java.session.receive(Uint8Array.of(byte), 0);
    assert.is(java.session.deadline(), Number.POSITIVE_INFINITY, 'silence ends nothing');
  }
  assert.is(plain.port.take(), 'java: 🙂 \0 ë\njava: \n');
  plain.session.receive(bytesOf('🙂 \0 ë\n'), 0);
  assert.equal(java.port.takeBytes(), encodeUtf(['plain: 🙂 \0 ë']));
});

chat('bytes that are not UTF-8 reach the others as UTF-8', async () => {
  const on = openMenu();
  const bob = await open(on, 'bob\n');
  await open(
    on,
    Uint8Array.from('Zo\xeb\ncaf\xe9\n', (char) => char.charCodeAt(0)),
  );
  assert.is(bob.port.take(), 'Zoë: café\n');
});

chat('a message of another dialect arrives as lines, each with the name', async () => {
  const on = openMenu();
  const plain = await open(on, 'plain\n');
  const java = await open(on, encodeUtf(['java']));
  const full = await open(on, 'full\t0\n');
  full.port.take();
  const lab = new FakeTongue('lab');
  const ann = await on.house.enter('ann', lab, 'exactly');
  const main = await on.house.openRoom('main');
  on.house.join(ann, main);
  on.house.say(ann, main, 'one\ntwo\r\n\n');
  for (const { port } of [plain, full]) assert.equal(port.blocks.splice(0), ['ann: one\nann: two\nann: \n']);
  assert.equal(java.port.takeBytes(), encodeUtf(['ann: one', 'ann: two', 'ann: ']));
  plain.session.receive(bytesOf('hi\n'), 0);
  on.house.leave(ann, main, 'left');
  assert.equal(lab.take().slice(-2), ['main plain: hi', 'main -ann (left)']);
  assert.is(plain.port.take(), '', 'neither its coming nor its going is told');
});

chat('a notice is a message, under the name of then; other things that others do are not told', async () => {
  const on = openMenu();
  const plain = await open(on, 'plain\n');
  const ann = await on.house.enter('ann', new FakeTongue('irc'), 'exactly');
  const main = await on.house.openRoom('main');
  on.house.join(ann, main);
  ann.isWarden = true;
  await on.house.rename(ann, 'anna');
  on.house.say(ann, main, 'hi', { notice: true });
  on.house.title(ann, main, 'about nothing');
  on.house.signal(ann, main, { '+typing': 'active' });
  on.house.rule(ann, main, [{ isAdded: true, rule: 'moderated' }]);
  assert.is(plain.port.take(), 'anna: hi\n');
  plain.session.receive(bytesOf('hello\n'), 0);
  assert.is(plain.port.take(), 'server: you may not speak in main\n');
});

chat('messages too long are refused, and cost nothing else', async () => {
  const on = openMenu();
  const bob = await open(on, 'bob\n');
  const { port, session } = await open(on, 'alice\n');
  const full = await open(on, 'carol\t0\n');
  full.port.take();
  for (const length of [65_537, 65_553, 300_000]) {
    session.receive(bytesOf(`${'x'.repeat(length)}\nnext\n`), 0);
    assert.match(port.take(), /^server: [^\n]+\n$/);
    assert.is(bob.port.take(), 'alice: next\n');
    full.port.take();
    full.session.receive(bytesOf(`m\t${'x'.repeat(length)}\nm\tnext\n`), 0);
    assert.match(full.port.take().replace('\x1e', '^'), /^\^error\t[^\n]+\n$/);
    assert.is(bob.port.take(), 'carol: next\n');
    port.take();
  }
  session.receive(bytesOf(`${'x'.repeat(65_536)}\n`), 0);
  assert.is(bob.port.take(), `alice: ${'x'.repeat(65_536)}\n`);
});

chat('a message too long without any newline: the next one is heard', async () => {
  const on = openMenu();
  const bob = await open(on, 'bob\n');
  const { port, session } = await open(on, 'alice\n');
  session.receive(bytesOf('x'.repeat(65_536)), 0);
  session.receive(bytesOf('x'.repeat(4464)), 1);
  session.tick(21);
  assert.match(port.take(), /^server: [^\n]+\n$/);
  session.receive(bytesOf('hello'), 100);
  if (session.deadline() <= 120) session.tick(120);
  assert.is(bob.port.take(), 'alice: hello\n');
});

chat('what a full client says wrong is told to it alone', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: alice␉0
     S: ␞welcome␉alice␉#1
     C: hello
     S: ␞error␉…
     C: m␉hello
     S2: alice: hello`,
  ),
);

chat('who reads too slowly is told, as everybody is when the server goes down', async () => {
  const on = openMenu();
  const clients = [await open(on, 'a\n'), await open(on, encodeUtf(['b'])), await open(on, 'c\t0\n')];
  for (const { port } of clients) port.take();
  on.house.close('bye');
  const [plain, java, full] = clients.map(({ port }) => port.takeBytes());
  assert.equal([plain, full], [bytesOf('server: This server is going down.\n'), plain]);
  assert.equal(java, encodeUtf(['server: This server is going down.']));
  for (const { session } of clients) session.dropped('too slow');
  assert.equal(
    clients.map(({ port }) => port.take()),
    ['server: too slow\n', '\0\x10server: too slow', '\x1eerror\ttoo slow\n'],
  );
});
chat.run();

// --- names -------------------------------------------------------------------------------------------------

const names = suite('menu: names');

names('a taken name is another one for the others; only a full client is told', () =>
  chatter(
    openMenu(),
    `C: ann
     C2: Ann
     C3: ann␉0
     S3: ␞welcome␉ann~3␉#1
     C2: second
     S: Ann~2: second
     S3: Ann~2: second
     C3: m␉third
     S: ann~3: third
     S2: ann~3: third
     C: first
     S2: ann: first
     S3: ann: first
     C: <half-close>
     S: <close>
     C4: ann␉0
     S4: ␞welcome␉ann␉#2
     C4: m␉again
     S2: ann: again
     S3: ann: again`,
  ),
);

names('a name that has a meaning for other dialects can’t be worn as it is', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: server
     C: hi
     S2: server~2: hi`,
  ),
);

for (const [what, bad] of [
  ['is empty', ''],
  ['is blank', '  '],
  ['has 65 characters', 'x'.repeat(65)],
  ['has far too many', 'x'.repeat(70_000)],
  ['has control characters', 'a␛b'],
  ['has a NUL', 'a␀b'],
] as const) {
  names(`one that ${what} is refused once, and another may be said`, () =>
    chatter(
      openMenu(),
      `C2: bob
       C: ${bad}
       S: server: …
       C: ${bad}
       S: server: …
       C: alice
       C: hi
       S2: alice: hi`,
    ),
  );

  names(`one that ${what} and a good one in one segment`, () =>
    chatter(
      openMenu(),
      `C2: bob
       C: ${bad}
       C: alice
       C: hi
       S: server: …
       S2: alice: hi`,
    ),
  );

  names(`a full client’s that ${what}`, () =>
    chatter(
      openMenu(),
      `C2: bob
       C: ${bad}␉0
       S: ${bad.length > 65_000 ? 'server: …' : '␞error␉…'}
       C: alice␉0
       S: ␞welcome␉alice␉#1
       C: m␉hi
       S2: alice: hi`,
    ),
  );

  if (bad.length < 100) {
    names(`a writeUTF client’s that ${what}`, async () => {
      const on = openMenu();
      const bob = await open(on, 'bob\n');
      const { port, session } = await open(on, encodeUtf([bad.replace('␀', '\0').replace('␛', '\x1b')]));
      const bytes = port.takeBytes();
      assert.equal(bytes, encodeUtf([new TextDecoder().decode(bytes.subarray(2))]), 'one string');
      assert.match(new TextDecoder().decode(bytes.subarray(2)), /^server: ./);
      session.receive(encodeUtf(['alice', 'hi']), 0);
      await settle();
      assert.is(bob.port.take(), 'alice: hi\n');
    });
  }
}

names('one without a newline that is refused: the next one needs none either', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: a␛b\\
     -- 20 ms
     S: server: …
     C: alice\\
     -- 20 ms
     C: hi\\
     -- 20 ms
     S2: alice: hi`,
  ),
);

names('a port that is none is refused, and another line may be said', () =>
  chatter(
    openMenu(),
    `C: alice␉port
     S: …
     C: alice␉4000
     S: ␞welcome␉alice␉#1`,
  ),
);

names('another kind of client may show with the second name', () =>
  chatter(
    openMenu(),
    `C: ␉0
     S: ␞error␉…
     C: alice
     C2: bob
     C2: hi
     S: bob: hi`,
  ),
);

names('64 characters are a name, and a name beyond ASCII is one', async () => {
  const on = openMenu();
  const bob = await open(on, 'bob\n');
  await open(on, `${'漢'.repeat(64)}\nhi\n`);
  assert.is(bob.port.take(), `${'漢'.repeat(64)}: hi\n`);
});

names('a house that is full says so and closes', () =>
  chatter(
    openMenu({}, openHouse({ people: 1 })),
    `C: alice
     C2: bob
     S2: server: the server is full
     S2: <close>
     C3: carol␉0
     S3: ␞error␉the server is full
     S3: <close>
     C4: «dan»\\
     S4: «server: the server is full»\\
     S4: <close>
     C: <half-close>
     S: <close>
     C5: eve␉0
     S5: ␞welcome␉eve␉#1`,
  ),
);

names('a house without a place for the room lets nobody in, and keeps no name', async () => {
  const on = openMenu({}, openHouse({ rooms: 1 }));
  const other = await on.house.openRoom('other');
  const ann = await on.house.enter('ann', new FakeTongue(), 'exactly');
  on.house.join(ann, other);
  await chatter(
    on,
    `C: bob␉0
     S: ␞error␉…
     S: <close>`,
  );
  assert.is(on.house.people, 1);
});
names.run();

// --- the end -----------------------------------------------------------------------------------------------

const ends = suite('menu: the end');

for (const [how, end] of [
  ['a half-close', 'C: <half-close>\nS: <close>'],
  ['a broken connection', 'C: <broken>'],
] as const) {
  ends(`${how} takes the client out, and nobody is told`, async () => {
    const on = openMenu();
    await chatter(
      on,
      `C: alice
       C2: bob
       ${end}
       C2: alone`,
    );
    assert.is(on.house.people, 1);
  });
}

ends('x takes a full client out; what is behind it is not heard', async () => {
  const on = openMenu();
  await chatter(
    on,
    `C: alice␉0
     S: ␞welcome␉alice␉#1
     C2: bob
     C: m␉bye
     C: x
     C: m␉never
     S: <close>
     S2: alice: bye
     C: m␉never
     C: <half-close>
     C: <broken>
     C2: alone`,
  );
  assert.is(on.house.people, 1);
  assert.equal(on.files.ownersFor((await enter(on, 'carol')).member, 9), []);
});

ends('x and the end are messages to a plain client’s room, not to the server', () =>
  chatter(
    openMenu(),
    `C: alice
     C2: bob
     C: x
     S2: alice: x`,
  ),
);

ends('a half-close ends a line that is not, and a name', () =>
  chatter(
    openMenu(),
    `C2: bob
     C: alice
     C: last words\\
     C: <half-close>
     S: <close>
     S2: alice: last words
     C3: carol\\
     C3: <half-close>
     S3: <close>`,
  ),
);

ends('a half-close behind a name that is refused', () =>
  chatter(
    openMenu(),
    `C: a␛b\\
     C: <half-close>
     S: server: …
     S: <close>`,
  ),
);

ends('broken before it is in: nobody has come in', async () => {
  const on = openMenu();
  const port = new FakePort();
  const session = on.menu.open(port);
  assert.not(session.receive(bytesOf('alice\t0\nm\thi\n'), 0), 'no more is read for now');
  port.broken = true;
  session.closed('the connection broke');
  await settle();
  assert.equal([on.house.people, port.bugs], [0, []]);
  await chatter(on, 'C: alice␉0\nS: ␞welcome␉alice␉#1');
});

ends('the half-close comes while it is on its way in: its messages are said, then it is out', async () => {
  const on = openMenu();
  const bob = await open(on, 'bob\n');
  const port = new FakePort();
  const session = on.menu.open(port);
  session.receive(bytesOf('alice\nhi\nlast'), 0);
  session.ended();
  await settle();
  assert.is(bob.port.take(), 'alice: hi\nalice: last\n');
  assert.ok(port.ended);
  assert.is(on.house.people, 1);
});

ends('a bug costs its own connection', async () => {
  const backbone = new LocalBackbone(new MemoryStore());
  backbone.claim = () => Promise.reject(new Error('a bug'));
  const { port } = await open(openMenu({}, openHouse({}, backbone)), 'alice\n');
  assert.equal(
    port.bugs.map((bug) => (bug as Error).message),
    ['a bug'],
  );
});
ends.run();

// --- a house that takes its time ---------------------------------------------------------------------------

const late = suite('menu: a house that is late');

/** What is published is heard when the test says so, and a name is given when the test says so. */
class LateBackbone extends LocalBackbone {
  #waiting: Draft[] = [];
  #gate = Promise.withResolvers<void>();

  override async claim(key: string, owner?: Owner): Promise<Claim> {
    await this.#gate.promise;
    return super.claim(key, owner);
  }

  override publish(draft: Draft): void {
    this.#waiting.push(draft);
  }

  async admit(): Promise<void> {
    this.#gate.resolve();
    await settle();
  }

  deliver(): void {
    for (const draft of this.#waiting.splice(0)) super.publish(draft);
  }
}

async function lateMenu(): Promise<{ on: TestMenu; backbone: LateBackbone; others: FakeTongue }> {
  const backbone = new LateBackbone(new MemoryStore());
  const house: TestHouse = openHouse({}, backbone);
  const on = openMenu({}, house);
  const others = new FakeTongue();
  const entering = on.house.enter('other', others, 'exactly');
  await backbone.admit();
  on.house.join(await entering, await on.house.openRoom('main'));
  backbone.deliver();
  others.take();
  return { on, backbone, others };
}

for (const [kind, first, said] of [
  ['plain', 'alice\n', 'one\ntwo\n'],
  ['full', 'alice\t0\n', 'm\tone\nm\ttwo\n'],
  ['writeUTF', '\0\x05alice', '\0\x03one\0\x03two'],
] as const) {
  late(`a ${kind} client’s messages behind its name are not lost while it is on its way in`, async () => {
    const backbone = new LateBackbone(new MemoryStore());
    const on = openMenu({}, openHouse({}, backbone));
    const port = new FakePort();
    const session = on.menu.open(port);
    assert.not(session.receive(bytesOf(first + said), 0));
    assert.not(session.receive(bytesOf(said), 0), 'it is still on its way');
    await settle();
    assert.equal([port.resumed, on.house.people], [0, 0]);
    await backbone.admit();
    assert.is(port.resumed, 1, 'reading goes on');
    const others = new FakeTongue();
    on.house.join(await on.house.enter('other', others, 'exactly'), await on.house.openRoom('main'));
    backbone.deliver();
    assert.equal(
      others.take().filter((line) => line.includes('alice: ')),
      [],
      'who came later heard nothing',
    );
    session.receive(bytesOf(said), 0);
    backbone.deliver();
    assert.equal(others.take(), ['main alice: one', 'main alice: two']);
    assert.is(port.take(), kind === 'full' ? '\x1ewelcome\talice\t#1\n' : '');
    assert.equal(on.store.posts.length + port.bugs.length, 0);
  });

  late(`a ${kind} client’s messages are heard in their order when the house hears of it later still`, async () => {
    const { on, backbone, others } = await lateMenu();
    const { port } = await open(on, first + said);
    assert.equal([others.take(), port.take()], [[], '']);
    backbone.deliver();
    assert.equal(others.take(), ['main +alice', 'main alice: one', 'main alice: two']);
    assert.is(port.take(), kind === 'full' ? '\x1ewelcome\talice\t#1\n' : '');
  });
}

late('a message without a newline behind the name is ended by silence when the client is in', async () => {
  const { on, backbone, others } = await lateMenu();
  const { session } = await open(on, 'alice\nhello');
  assert.is(session.deadline(), 20);
  session.tick(20);
  backbone.deliver();
  assert.equal(others.take(), ['main +alice', 'main alice: hello']);
});

for (const [how, end] of [
  ['x', (session: MenuSession) => void session.receive(bytesOf('m\thi\nx\n'), 0)],
  [
    'a half-close',
    (session: MenuSession) => {
      session.receive(bytesOf('m\thi\n'), 0);
      session.ended();
    },
  ],
] as const) {
  late(`${how} before the house has heard the client come in closes the connection all the same`, async () => {
    const { on, backbone, others } = await lateMenu();
    const { port, session } = await open(on, 'alice\t0\n');
    end(session);
    await settle();
    backbone.deliver();
    await settle();
    assert.equal(others.take(), [
      'main +alice',
      'main alice: hi',
      `main -alice (${how === 'x' ? 'left' : 'the connection was closed'})`,
    ]);
    assert.is(on.house.people, 1);
    assert.ok(port.ended, 'it is still open');
  });
}

late('what a client hears before it is out comes before the end', async () => {
  const { on, backbone } = await lateMenu();
  const { port, session } = await open(on, 'alice\n');
  const bob = await open(on, 'bob\n');
  backbone.deliver();
  bob.session.receive(bytesOf('hi\n'), 0);
  session.ended();
  assert.not(port.ended);
  backbone.deliver();
  assert.equal([port.take(), port.ended], ['bob: hi\n', true]);
});
late.run();

// --- files -------------------------------------------------------------------------------------------------

const files = suite('menu: files');

/** A member of room `main`, or of another, in another dialect. */
async function enter(on: TestMenu, name: string, room = 'main') {
  const member = await on.house.enter(name, new FakeTongue(), 'exactly');
  on.house.join(member, await on.house.openRoom(room));
  return { member };
}

files('who lists the full clients where one is, without oneself', () =>
  chatter(
    openMenu(),
    `C: alice␉0
     S: ␞welcome␉alice␉#1
     C2: bob
     C3: «carol»\\
     C: who
     S: ␞who
     C4: dan␉4000
     S4: ␞welcome␉dan␉#2
     C5: dan␉0
     S5: ␞welcome␉dan~2␉#3
     C: who
     S: ␞who␉dan␉dan~2
     C4: who
     S4: ␞who␉alice␉dan~2
     C: x
     S: <close>
     C5: who
     S5: ␞who␉dan`,
  ),
);

files('who asks many times in one segment is told once', () =>
  chatter(
    openMenu(),
    `C: alice␉0
     S: ␞welcome␉alice␉#1
     C: who
     C: who
     C: who
     S: ␞who`,
  ),
);

files('an owner is asked on its connection, and its answers count', async () => {
  const on = openMenu();
  const { port, session } = await open(on, 'alice\t4000\n');
  assert.is(port.take(), '\x1ewelcome\talice\t#1\n');
  const bob = await open(on, 'bob\t0\n');
  assert.is(bob.port.take(), '\x1ewelcome\tbob\t#2\n');
  const ask = (file: string) => on.files.ask({ token: '#2', ip: '' }, 'alice', file, WANTED);

  const ticket = ask('a b.txt');
  assert.is(port.take(), '\x1ewant\t#3\tbob\t0\t-\t-\ta b.txt\n');
  assert.equal(ticket.owner.address, { ip: '198.51.100.7', port: 4000 });
  let alive = 0;
  ticket.onAlive = () => alive++;
  session.receive(bytesOf(`busy\t#3\nbusy\t#9\noffer\t#3\t10\tv1\t-\tsame\n`), 0);
  assert.is(alive, 1);
  assert.is((await ticket.offered).size, 10);
  ticket.push(0, 10);
  ticket.end('');
  assert.is(port.take(), '\x1epush\t#3\t0\t10\n\x1edone\t#3\t\n');

  const missing = ask('b.txt');
  port.take();
  session.receive(bytesOf('no\t#4\t404\tthere is no b.txt\n'), 0);
  assert.is(await refusal(missing.offered), 'no-such-file');

  const strange = on.files.ask({ token: '#1', ip: '' }, 'bob', 'c.txt', WANTED);
  session.receive(bytesOf('offer\t#5\t10\tv1\t-\tsame\nno\t#5\t404\t-\n'), 0);
  assert.is(strange.owner.address, undefined, 'port 0 is none');
  session.receive(bytesOf('x\n'), 0);
  bob.port.take();
  bob.session.receive(bytesOf('offer\t#5\t11\tv1\t-\tsame\n'), 0);
  assert.is((await strange.offered).size, 11, 'the owner alone has answered');
  assert.is(port.take() + bob.port.take(), '');
});

files(
  'nobody else owns files: not under a name that is taken, not before its name, not as a plain client',
  async () => {
    const on = openMenu({ isOpen: true });
    const ask = (owner: string) => refusal(() => on.files.ask({ token: undefined, ip: '' }, owner, 'f', WANTED));
    await open(on, 'plain\n');
    await open(on, encodeUtf(['java']));
    for (const owner of ['plain', 'java', 'nobody', '']) assert.is(await ask(owner), 'no-such-file');
    const first = await open(on, 'alice\t0\n');
    const second = await open(on, 'alice\t0\n');
    assert.is(await ask('ALICE'), 'no refusal');
    assert.is(await ask('alice~2'), 'no refusal');
    second.session.closed('');
    assert.is(await ask('alice~2'), 'no-such-file');
    assert.is(await ask('alice'), 'no refusal');
    first.session.receive(bytesOf('x\n'), 0);
    assert.is(await ask('alice'), 'no-such-file');
  },
);

for (const [how, end] of [
  ['x', (session: MenuSession) => void session.receive(bytesOf('x\n'), 0)],
  ['a half-close', (session: MenuSession) => session.ended()],
  ['a broken connection', (session: MenuSession) => session.closed('the connection broke')],
] as const) {
  files(`an owner gone by ${how} answers nothing more and is told nothing more`, async () => {
    const on = openMenu({ isOpen: true });
    const { port, session } = await open(on, 'alice\t0\n');
    const ticket = on.files.ask({ token: undefined, ip: '' }, 'alice', 'f', WANTED);
    port.take();
    end(session);
    assert.is(await refusal(ticket.offered), 'owner-gone');
    ticket.push(0, 1);
    ticket.end('the owner has gone');
    assert.is(port.take(), '');
    assert.is(await refusal(() => on.files.ask({ token: '#1', ip: '' }, 'alice', 'f', WANTED)), 'not-allowed');
  });
}
files.run();
