// The menu dialect over raw sockets: what students' clients send, byte for byte. Who has joined is heard from a
// lab member of the same room, for a plain client is told nothing.

import { randomBytes } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Client,
  chat,
  heard,
  limited,
  pause,
  type Server,
  type StartOptions,
  said,
  start,
  watchMain,
  writeUtf,
} from './launch.ts';

const LULL_MS = 20;
const MAX_MEMORY_MB = 250;
const RECORD = '\x1e';

interface House {
  readonly server: Server;
  readonly watcher: Client;
}

async function open(options: StartOptions = {}): Promise<House> {
  const server = await start(options);
  return { server, watcher: await watchMain(server) };
}

/** A client that is in when this resolves. */
async function enter(house: House, name: string, first: string | Uint8Array = `${name}\n`): Promise<Client> {
  const client = await Client.connect(house.server.tcp);
  client.send(first);
  await heard(house.watcher, `${name} has joined this chatroom.`);
  return client;
}

async function enterUtf(house: House, name: string): Promise<Client> {
  return enter(house, name, writeUtf(name));
}

async function enterFull(house: House, name: string, known = name): Promise<{ client: Client; token: string }> {
  const client = await Client.connect(house.server.tcp);
  client.send(`${name}\t0\n`);
  const welcome = await client.expect(record(/welcome\t[^\t\n]+\t[^\t\n]+\n/));
  const [, as, token = ''] = welcome.trimEnd().split('\t');
  assert.is(as, known);
  return { client, token };
}

/** What only a full client is told. */
function record(pattern: RegExp): RegExp {
  return new RegExp(RECORD + pattern.source);
}

async function expectBytes(client: Client, expected: Uint8Array): Promise<void> {
  assert.is((await client.takeRaw(expected.length)).toString('hex'), Buffer.from(expected).toString('hex'));
}

/** The text of the next frame, which has no characters that Java writes in its own way. */
async function takeUtf(client: Client): Promise<string> {
  return (await client.takeRaw((await client.takeRaw(2)).readUInt16BE())).toString();
}

// --- plain clients ---------------------------------------------------------------------------------------

const plain = suite('menu, plain clients');
const plain_ = limited(plain);

plain_('everybody else gets a message, its sender nothing, and nobody hears who comes and goes', async () => {
  const house = await open();
  const alice = await enter(house, 'alice');
  const bob = await enter(house, 'bob');
  const carol = await enter(house, 'carol');
  alice.send('hello!\n');
  for (const one of [bob, carol]) await one.expect('alice: hello!\n');
  carol.send('hi: there \n\n');
  for (const one of [alice, bob]) await one.expect('carol: hi: there \ncarol: \n');
  carol.destroy();
  await heard(house.watcher, 'carol has left this chatroom.');
  bob.send('she is gone\n');
  await alice.expect('bob: she is gone\n');
  for (const one of [alice, bob]) await one.silent(100);
});

plain_('clients that send no newlines: one send is one message', async () => {
  const house = await open();
  const bob = await enter(house, 'bob', 'bob');
  const alice = await enter(house, 'alice', 'alice');
  for (const text of ['hello', 'two words', 'x', 'käse ☃ 😀']) {
    const since = performance.now();
    alice.send(text);
    await bob.expect(`alice: ${text}\n`);
    assert.ok(performance.now() - since < 1000);
  }
  alice.send('a line\nand a rest');
  await bob.expect('alice: a line\nalice: and a rest\n');
  alice.send('\n');
  bob.send('back');
  await alice.expect('bob: back\n');
});

plain_('one byte at a time', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const alice = await Client.connect(house.server.tcp);
  await alice.sendByByte('alice\nhello bob\nä\n');
  await bob.expect('alice: hello bob\nalice: ä\n');
});

plain_('a name and messages in one segment', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const alice = await Client.connect(house.server.tcp);
  alice.send('alice\nhello\n\nbye\n');
  await bob.expect('alice: hello\nalice: \nalice: bye\n');
});

plain_('lines that end in CRLF, whole and cut between its bytes', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const alice = await enter(house, 'alice', 'alice\r\n');
  alice.send('hello\r\n\r\nbye\r');
  alice.send('\n');
  await bob.expect('alice: hello\nalice: \nalice: bye\n');
  await bob.silent(3 * LULL_MS);
});

plain_('buffers filled up with NULs', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const padded = (text: string, size: number) => Buffer.concat([Buffer.from(text), Buffer.alloc(size)], size);
  const alice = await enter(house, 'alice', padded('alice', 32));
  for (const text of ['hello', 'a rather long one, with blanks ']) {
    alice.send(padded(text, 1024));
    await bob.expect(`alice: ${text}\n`);
  }
  alice.send(padded('with a newline\n', 1024));
  await bob.expect('alice: with a newline\n');
  await pause(3 * LULL_MS);
  alice.send('C string\0');
  await bob.expect('alice: C string\n');
  await bob.silent(3 * LULL_MS);
});

plain_('bytes that are not UTF-8 are Latin-1', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const alice = await enter(house, 'alice');
  alice.send(Buffer.from('käse\n', 'latin1'));
  await bob.expect('alice: käse\n');
});

plain_('a message as long as one may be arrives, a longer one is refused and costs nothing else', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const alice = await enter(house, 'alice');
  const most = 'x'.repeat(65_536);
  alice.send(`${most}\n`);
  await bob.expect(`alice: ${most}\n`);
  alice.send(`${most}${most}\nhello\n`);
  await alice.expect(/server: [^\n]*65536[^\n]*\n/);
  await bob.expect('alice: hello\n');
});

plain_('a half-close behind the last message still delivers it, and ends the connection', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  for (const [open, bytes, expected] of [
    [() => enter(house, 'alice'), 'with a newline\n', 'alice: with a newline\n'],
    [() => enter(house, 'ann'), 'without', 'ann: without\n'],
    [() => enterUtf(house, 'java'), writeUtf('framed'), 'java: framed\n'],
    [() => Client.connect(house.server.tcp), 'nc\none\ntwo\nthree', 'nc: one\nnc: two\nnc: three\n'],
    [() => Client.connect(house.server.tcp), 'Jo\nhi\n', 'Jo: hi\n'],
  ] as const) {
    const client = await open();
    client.send(bytes);
    client.halfClose();
    await bob.expect(expected);
    assert.is(await client.toEnd(), '');
  }
  for (const name of ['alice', 'ann', 'java', 'nc', 'Jo']) await enter(house, name); // all of them have left
});

plain_('the end of the server is a message, then the end', async () => {
  const house = await open();
  const clients = [await enter(house, 'alice'), await enter(house, 'bob')];
  house.server.kill('SIGTERM');
  for (const one of clients) assert.match(await one.toEnd(), /^server: [^\n]+\n$/);
});

plain.run();

// --- names -----------------------------------------------------------------------------------------------

const names = suite('menu, names');
const names_ = limited(names);

names_('the second client of a name is another one to everybody else', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const first = await enter(house, 'alice');
  const second = await enter(house, 'alice~2', 'alice\n');
  const third = await enter(house, 'ALICE~3', 'ALICE\n');
  second.send('who am I?\n');
  for (const one of [bob, first, third]) await one.expect('alice~2: who am I?\n');
  first.send('alice\n');
  for (const one of [bob, second, third]) await one.expect('alice: alice\n');
  third.send('third\n');
  for (const one of [bob, first, second]) await one.expect('ALICE~3: third\n');
  first.destroy();
  await heard(house.watcher, 'alice has left this chatroom.');
  const fourth = await enter(house, 'alice');
  fourth.send('back\n');
  for (const one of [bob, second, third]) await one.expect('alice: back\n');
});

const PREFIXES = [
  'Jo',
  'J',
  'GET',
  'CHAT',
  'CHAT2026',
  'KILL',
  'NICK',
  'HEL',
  'LGIN',
  'POST',
  'Disco',
  'PRI',
  'ROOM12',
];

names_('names that begin like another protocol: at once with a newline', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  for (const name of PREFIXES) {
    const client = await Client.connect(house.server.tcp);
    const since = performance.now();
    client.send(`${name}\n`);
    client.send('hi\n');
    await bob.expect(`${name}: hi\n`);
    assert.ok(performance.now() - since < 1000, name);
  }
});

names_('names that begin like another protocol: after 2 s without one', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const clients = await Promise.all(PREFIXES.map(() => Client.connect(house.server.tcp)));
  const since = performance.now();
  for (const [at, name] of PREFIXES.entries()) clients[at]?.send(name);
  await heard(house.watcher, `${PREFIXES[0]} has joined this chatroom.`);
  const ms = performance.now() - since;
  assert.ok(ms > 1500 && ms < 3500, `${ms} ms`);
  await pause(500);
  for (const [at, name] of PREFIXES.entries()) {
    clients[at]?.send('hi');
    await bob.expect(`${name}: hi\n`);
  }
});

const BAD_NAMES: ReadonlyArray<readonly [string, string]> = [
  ['invisible characters', '\u200b\u200d'],
  ['65 characters', 'x'.repeat(65)],
  ['a control character', 'al\x01ice'],
  ['an escape', '\x1b[31malice'],
  ['more than a message', 'x'.repeat(100_000)],
];

names_('a name that cannot be had is told in one line, and a second try works', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  for (const [at, [what, bad]] of BAD_NAMES.entries()) {
    const client = await Client.connect(house.server.tcp);
    client.send(`${bad}\n`);
    try {
      await client.expect(/server: [^\n]+\n/);
      client.send(`good${at}\nhello\n`);
      await bob.expect(`good${at}: hello\n`);
      bob.send('hi\n');
      await client.expect('bob: hi\n');
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}`);
    }
    client.destroy();
    await heard(house.watcher, `good${at} has left this chatroom.`);
  }
});

names_('an empty line is no name; it is told when more comes, which could have been another protocol', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  for (const bad of ['\n', '   \n', '\r\n']) {
    const alice = await Client.connect(house.server.tcp);
    alice.send(bad);
    await alice.silent(5 * LULL_MS);
    alice.send('alice\nhello\n');
    await alice.expect(/server: [^\n]+\n/);
    await bob.expect('alice: hello\n');
    alice.destroy();
    await heard(house.watcher, 'alice has left this chatroom.');
  }
});

names_('nobody passes for the server', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const mallory = await enter(house, 'Server~2', 'Server\n');
  mallory.send('send me your password\n');
  await bob.expect('Server~2: send me your password\n');
});

names_('the second try may come in the same segment, and framed as writeUTF', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const glued = await Client.connect(house.server.tcp);
  glued.send('a\x01\nalice\nhello\n');
  await glued.expect(/server: [^\n]+\n/);
  await bob.expect('alice: hello\n');
  const java = await Client.connect(house.server.tcp);
  java.send(writeUtf('a\x01', 'java', 'hello'));
  assert.match(await takeUtf(java), /^server: [^\n]+$/);
  await bob.expect('java: hello\n');
});

names_('64 characters, blanks within and other scripts are a name', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  for (const name of ['y'.repeat(64), 'Ann Lee', 'Зоя', '日本', '😀'.repeat(20), 'a:b', '{"a":1}', '<b>', "o'x"]) {
    const client = await Client.connect(house.server.tcp);
    client.send(`${name}\nhi\n`);
    await bob.expect(`${name}: hi\n`);
  }
});

names_('on a port of its own every first line is a name, at once', async () => {
  const server = await start({ args: ['--listen', 'menu:0'] });
  const port = server.ports.menu as number;
  const watcher = await watchMain(server);
  const connect = async (bytes: string, name: string) => {
    const client = await Client.connect(port);
    const since = performance.now();
    client.send(bytes);
    await heard(watcher, `${name} has joined this chatroom.`);
    assert.ok(performance.now() - since < 1500, name);
    return client;
  };
  const helo = await connect('HELO x\n', 'HELO x');
  const jo = await connect('Jo', 'Jo');
  await connect('NICK foo\n', 'NICK foo');
  await connect('KILL_SERVICE\n', 'KILL_SERVICE');
  helo.send('hello\n');
  await jo.expect('HELO x: hello\n');
  assert.ok(server.running);
});

names.run();

// --- writeUTF --------------------------------------------------------------------------------------------

const utf = suite('menu, writeUTF clients');
const utf_ = limited(utf);

utf_('gets what is said in its own framing', async () => {
  const house = await open();
  const java = await enterUtf(house, 'java');
  const bob = await enter(house, 'bob');
  const other = await enterUtf(house, 'duke');
  for (const text of ['hello', '', 'käse ☃', 'a 😀 face', '日本']) {
    bob.send(`${text}\n`);
    for (const one of [java, other]) await expectBytes(one, writeUtf(`bob: ${text}`));
    java.send(writeUtf(text));
    await bob.expect(`java: ${text}\n`);
    await expectBytes(other, writeUtf(`java: ${text}`));
  }
  await java.silent(50);
});

utf_('surrogates are three bytes each, and NUL is two, both ways', async () => {
  const house = await open();
  const java = await enterUtf(house, 'java');
  const duke = await enterUtf(house, 'duke');
  const text = '61eda0bdedb880c08062'; // a, two surrogates, NUL, b
  java.send(Buffer.from(`000a${text}`, 'hex'));
  await expectBytes(duke, Buffer.from(`0010${Buffer.from('java: ').toString('hex')}${text}`, 'hex'));
});

utf_('any segmentation', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const java = await Client.connect(house.server.tcp);
  for (const byte of writeUtf('java', 'by bytes ☃')) {
    java.send(Buffer.of(byte));
    await pause(2);
  }
  await bob.expect('java: by bytes ☃\n');
  java.send(writeUtf('half').subarray(0, 3));
  await bob.silent(5 * LULL_MS); // its end is known
  java.send(Buffer.concat([writeUtf('half').subarray(3), writeUtf('two', 'three')]));
  await bob.expect('java: half\njava: two\njava: three\n');
});

utf_('what does not fit into a frame goes out as several, each with its sender', async () => {
  const house = await open();
  const java = await enterUtf(house, 'java');
  const bob = await enter(house, 'bob');
  const text = 'é'.repeat(32_768);
  bob.send(`${text}\n`);
  let got = '';
  while (got.length < text.length) {
    const frame = await takeUtf(java);
    assert.match(frame.slice(0, 20), /^bob: /); // or whoever chooses where it is cut could speak for others
    got += frame.slice('bob: '.length);
  }
  assert.ok(got === text);
});

utf_('a message with newlines is one for others in each line', async () => {
  const house = await open();
  const java = await enterUtf(house, 'java');
  const bob = await enter(house, 'bob');
  java.send(writeUtf('one\ntwo'));
  await bob.expect('java: one\njava: two\n');
});

utf.run();

// --- full clients ----------------------------------------------------------------------------------------

const full = suite('menu, full clients');
const full_ = limited(full);

full_('is welcomed with its name and a token, talks with m and leaves with x', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const { client: ann, token } = await enterFull(house, 'ann');
  assert.ok(token.length >= 16);
  ann.send('m\thello\nm\t\nm\ta\ttab\nm\tm\n');
  await bob.expect('ann: hello\nann: \nann: a\ttab\nann: m\n');
  bob.send('hi\nwho\n');
  await ann.expect('bob: hi\nbob: who\n');
  ann.send('x\n');
  assert.is(await ann.toEnd(), '');
  await heard(house.watcher, 'ann has left this chatroom.');
});

full_('who tells the others that share files, and only them', async () => {
  const house = await open();
  await enter(house, 'bob');
  const { client: ann } = await enterFull(house, 'ann');
  ann.send('who\n');
  await ann.expect(`${RECORD}who\n`);
  const { client: ben } = await enterFull(house, 'ben');
  await enterFull(house, 'ann', 'ann~2');
  ann.send('who\n');
  const line = await ann.expect(record(/who[^\n]*\n/));
  assert.equal(line.trimEnd().split('\t').slice(1).sort(), ['ann~2', 'ben']);
  ben.send('x\n');
  await ben.toEnd();
  await heard(house.watcher, 'ben has left this chatroom.');
  ann.send('who\n');
  await ann.expect(`${RECORD}who\tann~2\n`);
});

full_('its lines end with newlines, never with silence', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const ann = await Client.connect(house.server.tcp);
  ann.send('ann\t');
  await ann.silent(5 * LULL_MS);
  ann.send('0\n');
  await ann.expect(record(/welcome\tann\t[^\n]+\n/));
  ann.send('m\thel');
  await bob.silent(5 * LULL_MS);
  ann.send('lo\n');
  await bob.expect('ann: hello\n');
});

full_('what it says wrong is told in one line, and costs nothing else', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  const { client: ann } = await enterFull(house, 'ann');
  const wrong = ['frob', 'm', '', 'offer\ta', 'offer\ta\t1\t../x\t-\tsame', 'no\tt\t200\tok', 'M\thello', '\x1e', '\0'];
  for (const line of wrong) {
    ann.send(`${line}\n`);
    await ann.expect(record(/error\t[^\t\n]+\n/));
  }
  ann.send(`m\t${'x'.repeat(70_000)}\n`);
  await ann.expect(record(/error\t[^\t\n]*65536[^\t\n]*\n/));
  ann.send('offer\tnone\t1\tv\t-\tsame\nno\tnone\t404\tx\nbusy\tnone\nm\tstill here\n');
  await bob.expect('ann: still here\n');
  await ann.silent(50);
});

full_('a port or a name that is none is told, and a second try works', async () => {
  const house = await open();
  const bob = await enter(house, 'bob');
  for (const first of ['ann\t70000', 'ann\tx', 'ann\t-1', 'ann\t', '\t0', 'a\x01\t0']) {
    const ann = await Client.connect(house.server.tcp);
    ann.send(`${first}\n`);
    await ann.expect(/(?:.error\t|server: )[^\n]+\n/);
    ann.send('ann\t0\nm\thello\n');
    await ann.expect(record(/welcome\tann\t[^\n]+\n/));
    await bob.expect('ann: hello\n');
    ann.send('x\n');
    await ann.toEnd();
    await heard(house.watcher, 'ann has left this chatroom.');
  }
});

full.run();

// --- with others -----------------------------------------------------------------------------------------

const others = suite('menu, with others');
const others_ = limited(others);

others_('members of other dialects in the room main hear and are heard', async () => {
  const house = await open();
  const lara = house.watcher;
  const alice = await enter(house, 'alice');
  const java = await enterUtf(house, 'java');
  const { client: ann } = await enterFull(house, 'ann');
  lara.send(chat(0, 1, 'watcher', 'one: 1\ntwo'));
  for (const one of [alice, ann]) await one.expect('watcher: one: 1\nwatcher: two\n');
  await expectBytes(java, writeUtf('watcher: one: 1', 'watcher: two'));
  await lara.expect(/[\s\S]*MESSAGE: one: 1\ntwo\n\n/);
  alice.send('hello lab\n');
  await lara.expect(said(0, 'alice', 'hello lab'));
  java.send(writeUtf('hello ☃'));
  await lara.expect(said(0, 'java', 'hello ☃'));
  ann.send('m\thello\n');
  await lara.expect(said(0, 'ann', 'hello'));
});

others_(
  'of 200 clients each gets all that one says, once and in order',
  async () => {
    const house = await open();
    const poster = await enter(house, 'poster');
    const clients = await Promise.all(Array.from({ length: 199 }, () => Client.connect(house.server.tcp)));
    for (const [at, client] of clients.entries()) client.send(`c${at}\n`);
    const missing = new Set(clients.keys());
    while (missing.size > 0) {
      const text = await house.watcher.expect(/[\s\S]*?has joined this chatroom\.\n\n/);
      missing.delete(Number(/MESSAGE: c(\d+) has joined/.exec(text)?.[1]));
    }
    const lines = Array.from({ length: 100 }, (_, at) => `message ${at}`);
    poster.send(`${lines.join('\n')}\n`);
    const expected = lines.map((line) => `poster: ${line}\n`).join('');
    await Promise.all(clients.map((client) => client.expect(expected)));
    await poster.silent(100);
    for (const client of clients) await client.silent(0);
  },
  40,
);

others_(
  'a client that does not read is dropped alone',
  async () => {
    const house = await open({ args: ['--sendq', '65536'] });
    const { server } = house;
    const alice = await enter(house, 'alice');
    const slow = await enter(house, 'slow');
    const bob = await enter(house, 'bob');
    house.watcher.destroy();
    slow.stopReading();
    let gone = false;
    const isGone = server.logged(/dropped .*reason=.*too slowly/, 15_000).finally(() => {
      gone = true;
    });
    isGone.catch(() => {});
    const text = 'x'.repeat(30_000);
    for (let posts = 0; !gone && posts < 3000; posts++) {
      alice.send(`${text}\n`);
      await bob.expect(`alice: ${text}\n`);
    }
    await isGone;
    bob.send('still here\n');
    await alice.expect('bob: still here\n');
    slow.readOn();
    assert.match(await slow.toEnd(), /\nserver: [^\n]*slow[^\n]*\n$/);
  },
  40,
);

others_('random garbage costs nobody else anything', async () => {
  const house = await open();
  const alice = await enter(house, 'alice');
  const bob = await enter(house, 'bob');
  for (let round = 0; round < 60; round++) {
    const client = await Client.connect(house.server.tcp);
    const kind = round % 4;
    // no HTTP, no TLS, and what makes a name of it or not
    const first = ['', '\0', 'mallory\n', 'mallory\t0\n'][kind] ?? '';
    client.send(Buffer.concat([Buffer.from(first), randomBytes(1 + ((round * 613) % 5000))]));
    if (round % 3 === 0) client.halfClose();
    if (round % 3 === 1) client.reset();
  }
  alice.send('through all this\n');
  await bob.expect(/[\s\S]*\nalice: through all this\n|alice: through all this\n/);
  bob.send('I hear you\n');
  await alice.expect(/[\s\S]*\nbob: I hear you\n|bob: I hear you\n/);
  assert.ok(house.server.running);
});

others_('a megabyte without a newline costs its sender alone', async () => {
  const house = await open();
  const alice = await enter(house, 'alice');
  const bob = await enter(house, 'bob');
  const before = house.server.memory();
  const named = await enter(house, 'named');
  const { client: ann } = await enterFull(house, 'ann');
  const unnamed = await Client.connect(house.server.tcp);
  const megabyte = 'x'.repeat(1024 * 1024);
  for (const client of [named, unnamed]) client.send(megabyte);
  ann.send(`m\t${megabyte}`);
  await named.expect(/server: [^\n]*65536[^\n]*\n/);
  await unnamed.expect(/server: [^\n]+\n/);
  await ann.expect(record(/error\t[^\n]*65536[^\n]*\n/));
  alice.send('hello\n');
  await bob.expect('alice: hello\n');
  named.send('\nand me\n');
  await bob.expect(/(?:named: \n)?named: and me\n/);
  ann.send('\nm\tand me too\n');
  await bob.expect('ann: and me too\n');
  assert.ok(house.server.memory() < Math.max(MAX_MEMORY_MB, before + 50), `${house.server.memory()} MB`);
});

others_('after kill -9 it starts again on the same port at once', async () => {
  const first = await open();
  const clients = [await enter(first, 'alice'), await enter(first, 'bob')];
  first.server.kill('SIGKILL');
  await first.server.exit();
  for (const one of clients) await one.gone();
  for (let round = 0; round < 3; round++) {
    const house = await open({ port: first.server.tcp, data: first.server.data });
    assert.is(house.server.tcp, first.server.tcp);
    const alice = await enter(house, 'alice');
    const bob = await enter(house, 'bob');
    alice.send(`round ${round}\n`);
    await bob.expect(`alice: round ${round}\n`);
    house.server.kill('SIGKILL');
    await house.server.exit();
  }
});

const JUNK: ReadonlyArray<readonly [string, RegExp]> = [
  ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', /404/],
  ['GET / HTTP/1.0\r\n\r\n', /404/],
  ['GET /files HTTP/1.1\r\nHost: x\r\n\r\n', /404/],
  ['GET /files/alice/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n', /40[04]/],
  ['GET /files/alice/%2e%2e%2fpasswd HTTP/1.1\r\nHost: x\r\n\r\n', /40[014]/],
  ['GET /files/alice/%zz HTTP/1.1\r\nHost: x\r\n\r\n', /40[014]/],
  ['GET / HTTP/1.1\r\nno colon\r\n\r\n', /400/],
  ['GET /\r\n\r\n', /40[04]/],
  ['GET / HTTP/9.9\r\n\r\n', /400|505/],
  [`GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, /400|404|414|431/],
  ['POST /files/alice/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', /405/],
  ['PUT /relay/none HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', /40[0-9]/],
  ['PUT /relay/none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', /40[0-9]/],
];

others_('junk in HTTP gets a status and disturbs nobody', async () => {
  const house = await open();
  const alice = await enter(house, 'alice');
  const bob = await enter(house, 'bob');
  for (const [request, status] of JUNK) {
    const client = await Client.connect(house.server.tcp);
    client.send(request);
    const line = await client.expect(/HTTP\/1\.1 \d{3} [^\r]*\r\n/).catch((error) => {
      throw new Error(`${JSON.stringify(request.slice(0, 80))}: ${error.message}`);
    });
    assert.match(line, status, JSON.stringify(request.slice(0, 80)));
    alice.send('hello\n');
    await bob.expect('alice: hello\n');
  }
});

others.run();
