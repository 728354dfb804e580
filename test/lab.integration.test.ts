import { setImmediate } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Client,
  chat,
  disconnect,
  error,
  externalIp,
  hasJoined,
  hasLeft,
  join,
  joined,
  leave,
  left,
  limited,
  type Server,
  said,
  start,
} from './launch.ts';

const MAX_MEMORY_MB = 200;

/** A member of a room that is new to the server. */
async function member(server: Server, room: string, name: string, ref: number, id: number): Promise<Client> {
  const client = await Client.connect(server.tcp);
  client.send(join(room, name));
  await client.expect(joined(room, server, ref, id));
  await client.expect(hasJoined(ref, name));
  return client;
}

function helo(server: Server, text: string, id = '00000000'): string {
  return `HELO ${text}\nIP:127.0.0.1\nPort:${server.tcp}\nStudentID:${id}\n`;
}

async function answersHelo(client: Client, server: Server, text = 'still there'): Promise<void> {
  client.send(`HELO ${text}\n`);
  await client.expect(helo(server, text));
}

// --- HELO and KILL_SERVICE -------------------------------------------------------------------------------

const control = suite('lab control');
const control_ = limited(control);

control_('answers HELO with the text as sent, address, port and student id', async () => {
  const server = await start({ args: ['--student-id', '0042'] });
  const client = await Client.connect(server.tcp);
  for (const text of ['BASE_TEST', 'two words: and a colon', 'käse ☃']) {
    client.send(`HELO ${text}\n`);
    await client.expect(helo(server, text, '0042'));
  }
  client.send('HELO windows\r\n');
  await client.expect(helo(server, 'windows', '0042'));
  client.send('HELO without its newline');
  await client.expect(helo(server, 'without its newline', '0042'));
  await client.sendByByte('HELO slow\n');
  await client.expect(helo(server, 'slow', '0042'));
  client.halfClose();
  assert.is(await client.toEnd(), '');
});

control_('answers a HELO that ends with half of the connection', async () => {
  const server = await start();
  const client = await Client.connect(server.tcp);
  client.send('HELO nc');
  client.halfClose();
  assert.is(await client.toEnd(), helo(server, 'nc'));
});

control_('tells the address that --advertise gives', async () => {
  const server = await start({ args: ['--advertise', '203.0.113.9'] });
  const client = await Client.connect(server.tcp);
  client.send(`HELO x\n${join('room1', 'ann')}`);
  await client.expect(`HELO x\nIP:203.0.113.9\nPort:${server.tcp}\nStudentID:00000000\n`);
  await client.expect(joined('room1', server, 0, 1).replace('127.0.0.1', '203.0.113.9'));
});

control_('ignores what is none of its messages and goes on', async () => {
  const server = await start();
  const client = await Client.connect(server.tcp);
  await answersHelo(client, server);
  client.send('ANYTHING 5828d335af7cc');
  await client.silent(250); // longer than the silence that ends an unfinished line
  await answersHelo(client, server);
  client.send(`\n\nfoo bar\n: : :\nCHATTER: 1\n${'\n'.repeat(20)}`);
  await answersHelo(client, server);
});

for (const [form, text, halfClose] of [
  ['with a newline', 'KILL_SERVICE\n', false],
  ['with CRLF', 'KILL_SERVICE\r\n', false],
  ['without a newline', 'KILL_SERVICE', false],
  ['at a half-close', 'KILL_SERVICE', true],
] as const) {
  control_(`ends at KILL_SERVICE ${form}, and everybody's connection with it`, async () => {
    const server = await start();
    const ann = await member(server, 'room1', 'ann', 0, 1);
    const silent = await Client.connect(server.tcp);
    const killer = await Client.connect(server.tcp);
    killer.send(text);
    if (halfClose) killer.halfClose();
    await ann.expect(/CHAT: 0\nCLIENT_NAME: server\nMESSAGE: [^\n]+\n\n/);
    assert.is(await ann.toEnd(), '');
    assert.is(await silent.toEnd(), '');
    assert.is(await killer.toEnd(), '');
    assert.equal(await server.exit(), { status: 0, signal: null });
  });
}

control_('refuses KILL_SERVICE when it is off, and goes on', async () => {
  const server = await start({ args: ['--kill', 'off'] });
  const client = await Client.connect(server.tcp);
  client.send('KILL_SERVICE\n');
  await client.expect(error(9));
  await answersHelo(client, server);
});

const elsewhere = externalIp();
if (elsewhere === undefined) console.log('skipped: no address but loopback, so KILL_SERVICE comes from nowhere else');
const fromElsewhere = elsewhere === undefined ? limited(control.skip) : control_;

fromElsewhere('refuses KILL_SERVICE from another address unless --kill any', async () => {
  const server = await start();
  const stranger = await Client.connect(server.tcp, elsewhere);
  stranger.send('KILL_SERVICE\n');
  await stranger.expect(error(9));
  stranger.send('HELO me\n');
  await stranger.expect(`HELO me\nIP:${elsewhere}\nPort:${server.tcp}\nStudentID:00000000\n`);
  const open = await start({ args: ['--kill', 'any'] });
  const killer = await Client.connect(open.tcp, elsewhere);
  killer.send('KILL_SERVICE\n');
  assert.is((await open.exit()).status, 0);
});

control.run();

// --- rooms -----------------------------------------------------------------------------------------------

const rooms = suite('lab rooms');
const rooms_ = limited(rooms);

rooms_('takes three clients through the typical sequence, byte for byte', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  const ben = await member(server, 'room1', 'ben', 0, 2);
  await ann.expect(hasJoined(0, 'ben'));
  ann.send(chat(0, 1, 'ann', 'hello: at 10:30: ok'));
  for (const one of [ann, ben]) await one.expect(said(0, 'ann', 'hello: at 10:30: ok'));
  const cat = await member(server, 'room2', 'cat', 1, 3);
  cat.send(join('room1', 'cat'));
  await cat.expect(joined('room1', server, 0, 3));
  for (const one of [ann, ben, cat]) await one.expect(hasJoined(0, 'cat'));
  ben.send(chat(0, 2, 'ben', 'line one\nline two'));
  for (const one of [ann, ben, cat]) await one.expect(said(0, 'ben', 'line one\nline two'));
  ann.send(leave(0, 1, 'ann'));
  await ann.expect(left(0, 1));
  for (const one of [ann, ben, cat]) await one.expect(hasLeft(0, 'ann'));
  ben.send(chat(0, 2, 'ben', 'ann is gone'));
  for (const one of [ben, cat]) await one.expect(said(0, 'ben', 'ann is gone'));
  await answersHelo(ann, server); // and nothing of the room before it
  cat.send(disconnect('cat'));
  await cat.expect(hasLeft(1, 'cat') + hasLeft(0, 'cat'));
  assert.is(await cat.toEnd(), '');
  await ben.expect(hasLeft(0, 'cat'));
});

rooms_('puts each block in one segment, JOINED first', async () => {
  const server = await start();
  const ann = await Client.connect(server.tcp);
  ann.send(join('room1', 'ann'));
  const whole = joined('room1', server, 0, 1) + hasJoined(0, 'ann');
  assert.is(await ann.expect(/[\s\S]+/), whole);
});

rooms_('reads fields in every spelling', async () => {
  const server = await start();
  const spellings: ReadonlyArray<readonly [string, string]> = [
    ['CRLF', join('room1', 'ann').replaceAll('\n', '\r\n')],
    ['no blank', join('room1', 'ann').replaceAll(': ', ':')],
    [
      'blanks around',
      join('room1', 'ann')
        .replaceAll(/^(.*)$/gm, '  $1  ')
        .replaceAll(': ', ' :   '),
    ],
    ['lower case', join('room1', 'ann').replaceAll(/[A-Z_]+:/g, (name) => name.toLowerCase())],
    ['a blank for an underscore', join('room1', 'ann').replaceAll('_', ' ')],
    ['empty fields', join('room1', 'ann', '', '')],
    ['blank lines behind', `${join('room1', 'ann')}\n\n\n`],
    ['blank lines before', `\n\r\n${join('room1', 'ann')}`],
    ['no newline at the end', join('room1', 'ann').trimEnd()],
  ];
  for (const [i, [spelling, request]] of spellings.entries()) {
    const client = await Client.connect(server.tcp);
    client.send(request);
    try {
      await client.expect(joined('room1', server, 0, i + 1) + hasJoined(0, 'ann'));
    } catch (problem) {
      throw new Error(`${spelling}: ${(problem as Error).message}`);
    }
    client.send(disconnect('ann'));
    await client.expect(hasLeft(0, 'ann'));
    await client.toEnd();
  }
});

rooms_('reads a whole script byte by byte, and glued into one segment', async () => {
  const server = await start();
  const script =
    join('room1', 'ann') + chat(0, 1, 'ann', 'hi') + join('room2', 'ann') + leave(0, 1, 'ann') + disconnect('ann');
  const answers = (id: number) =>
    joined('room1', server, 0, id) +
    hasJoined(0, 'ann') +
    said(0, 'ann', 'hi') +
    joined('room2', server, 1, id) +
    hasJoined(1, 'ann') +
    left(0, 1) +
    hasLeft(0, 'ann') +
    hasLeft(1, 'ann');
  const slow = await Client.connect(server.tcp);
  await slow.sendByByte(script);
  assert.is(await slow.toEnd(), answers(1));
  const glued = await Client.connect(server.tcp);
  glued.send(script);
  assert.is(await glued.toEnd(), answers(2));
});

rooms_('finds the next request inside a line whose newline is missing', async () => {
  const server = await start();
  const client = await Client.connect(server.tcp);
  const requests = [join('room1', 'ben'), join('room2', 'ben'), leave(0, 1, 'ben'), leave(1, 1, 'ben')];
  client.send(`${requests.map((request) => request.trimEnd()).join('')}${disconnect('ben').trimEnd()}`);
  await client.expect(joined('room1', server, 0, 1) + hasJoined(0, 'ben'));
  await client.expect(joined('room2', server, 1, 1) + hasJoined(1, 'ben'));
  await client.expect(left(0, 1) + hasLeft(0, 'ben') + left(1, 1) + hasLeft(1, 'ben'));
  assert.is(await client.toEnd(), '');
});

rooms_('takes an unfinished request after a short silence', async () => {
  const server = await start();
  const ann = await Client.connect(server.tcp);
  ann.send(join('room1', 'ann').trimEnd());
  await ann.expect(joined('room1', server, 0, 1) + hasJoined(0, 'ann'));
  for (const end of ['', '\n']) {
    ann.send(chat(0, 1, 'ann', 'unfinished').trimEnd() + end);
    await ann.expect(said(0, 'ann', 'unfinished'));
  }
  ann.send(leave(0, 1, 'ann').trimEnd());
  await ann.expect(left(0, 1) + hasLeft(0, 'ann'));
  ann.send(disconnect('ann').trimEnd());
  assert.is(await ann.toEnd(), '');
});

rooms_('does not take a request whose last field has not begun', async () => {
  const server = await start();
  const ann = await Client.connect(server.tcp);
  const request = join('room1', 'ann');
  const cut = request.indexOf('CLIENT_NAME') + 6;
  ann.send(request.slice(0, cut));
  await ann.silent(300);
  ann.send(request.slice(cut));
  await ann.expect(joined('room1', server, 0, 1) + hasJoined(0, 'ann'));
});

rooms_('answers what a half-closed connection asked, then closes', async () => {
  const server = await start();
  const ben = await member(server, 'room1', 'ben', 0, 1);
  const ann = await Client.connect(server.tcp);
  ann.send(join('room1', 'ann') + chat(0, 2, 'ann', 'and away').trimEnd());
  ann.halfClose();
  const start_ = joined('room1', server, 0, 2) + hasJoined(0, 'ann') + said(0, 'ann', 'and away');
  assert.ok((await ann.toEnd()).startsWith(start_));
  await ben.expect(hasJoined(0, 'ann') + said(0, 'ann', 'and away') + hasLeft(0, 'ann'));
});

rooms_('answers a repeated JOIN and LEAVE again and announces once', async () => {
  const server = await start();
  const ben = await member(server, 'room1', 'ben', 0, 1);
  const ann = await member(server, 'room1', 'ann', 0, 2);
  ann.send(join('room1', 'ann').repeat(3));
  await ann.expect(joined('room1', server, 0, 2).repeat(3));
  ann.send(chat(0, 2, 'ann', 'once'));
  await ann.expect(said(0, 'ann', 'once'));
  ann.send(leave(0, 2, 'ann').repeat(3));
  await ann.expect(left(0, 2) + hasLeft(0, 'ann') + left(0, 2) + left(0, 2));
  await answersHelo(ann, server);
  ben.send(leave(0, 1, 'ben'));
  await ben.expect(hasJoined(0, 'ann') + said(0, 'ann', 'once') + hasLeft(0, 'ann') + left(0, 1) + hasLeft(0, 'ben'));
  const cat = await member(server, 'room1', 'cat', 0, 3);
  cat.send(leave(7, 3, 'cat'));
  await cat.expect(error(2));
});

rooms_('does not check JOIN_ID and CLIENT_NAME of a member, and takes a room by its name', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  for (const id of ['0', 'undefined', "b'1'", '99999999999999999999', '']) {
    ann.send(chat(0, id, 'somebody else', `as '${id}'`));
    await ann.expect(said(0, 'ann', `as '${id}'`));
  }
  ann.send(chat('room1', 1, 'ann', 'by name'));
  await ann.expect(said(0, 'ann', 'by name'));
  ann.send(leave('room1', 1, 'ann'));
  await ann.expect(/LEFT_CHATROOM: (?:0|room1)\nJOIN_ID: 1\n/);
  await ann.expect(hasLeft(0, 'ann'));
});

rooms_('lets several connections wear one handle', async () => {
  const server = await start();
  const one = await member(server, 'room1', 'ann', 0, 1);
  const other = await member(server, 'room1', 'ann', 0, 2);
  await one.expect(hasJoined(0, 'ann'));
  other.send(chat(0, 2, 'ann', 'me too'));
  for (const client of [one, other]) await client.expect(said(0, 'ann', 'me too'));
});

rooms_('answers errors and keeps the connection', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  const other = await member(server, 'room2', 'ben', 1, 2);
  const table: ReadonlyArray<readonly [string, number]> = [
    [chat(77, 1, 'ann', 'where?'), 2],
    [chat(-1, 1, 'ann', 'where?'), 2],
    [chat('nowhere', 1, 'ann', 'where?'), 2],
    [chat(1, 1, 'ann', 'let me in'), 4],
    [leave(99, 1, 'ann'), 2],
    [join('', 'ann'), 5],
    [join('room3', ''), 5],
    [join('r'.repeat(65), 'ann'), 5],
    [join('a\0b', 'ann'), 5],
    [join('room3', 'a\x1b[2Jb'), 5],
    ['JOIN_CHATROOM: room1\nPORT: 0\n', 1],
    ['CHAT: 0\nMESSAGE: too soon\n\n', 1],
    [chat(0, 1, 'ann', 'x'.repeat(65_537)), 8],
  ];
  for (const [request, code] of table) {
    ann.send(request);
    try {
      await ann.expect(error(code));
    } catch (problem) {
      throw new Error(`${JSON.stringify(request.slice(0, 60))}: ${(problem as Error).message}`);
    }
    await answersHelo(ann, server);
  }
  ann.send(chat(0, 1, 'ann', 'x'.repeat(65_000)));
  await ann.expect(said(0, 'ann', 'x'.repeat(65_000)));
  await answersHelo(other, server);
});

rooms_('announces that a client has vanished', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  const ben = await member(server, 'room1', 'ben', 0, 2);
  const cat = await member(server, 'room1', 'cat', 0, 3);
  ben.destroy();
  await ann.expect(hasJoined(0, 'ben') + hasJoined(0, 'cat') + hasLeft(0, 'ben'));
  cat.reset();
  await ann.expect(hasLeft(0, 'cat'));
});

rooms_(
  'brings every message of 200 clients to everybody, once and in order',
  async () => {
    const CLIENTS = 200;
    const EACH = 5;
    const server = await start();
    const names = Array.from({ length: CLIENTS }, (_, i) => `client${i + 100}`);
    const clients = await Promise.all(names.map(() => Client.connect(server.tcp)));
    const everybody = <T>(work: (client: Client, name: string, i: number) => Promise<T>) =>
      Promise.all(clients.map((client, i) => work(client, names[i] as string, i)));
    await everybody(async (client, name) => {
      client.send(join('hall', name).trimEnd());
      await client.expect(/JOINED_CHATROOM: hall\nSERVER_IP: 127.0.0.1\nPORT: \d+\nROOM_REF: 0\nJOIN_ID: \d+\n/);
      await client.expect(hasJoined(0, name));
    });
    (clients[0] as Client).send(chat(0, 1, '', 'everybody is here'));
    const marker = said(0, names[0] as string, 'everybody is here');
    await everybody((client) => client.expect(new RegExp(`(?:CHAT.*\n.*\n.*joined.*\n\n)*${marker}`)));
    for (let n = 0; n < EACH; n++) {
      for (const [i, client] of clients.entries())
        client.send(chat(0, 1, names[i] as string, `no ${n} of ${names[i]}`));
      if (n % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const block = said(0, names[0] as string, `no 0 of ${names[0]}`).length;
    const heard = await everybody((client) => client.take(CLIENTS * EACH * block, 15_000));
    const order = heard[0] as string;
    for (const [i, text] of heard.entries()) assert.ok(text === order, `${names[i]} heard the same in the same order`);
    const posts = [...order.matchAll(/CHAT: 0\nCLIENT_NAME: (\w+)\nMESSAGE: no (\d) of \1\n\n/g)];
    assert.is(posts.length, CLIENTS * EACH);
    const next = new Map(names.map((name) => [name, 0]));
    for (const [, name = '', n] of posts) {
      assert.is(Number(n), next.get(name), `order of ${name}`);
      next.set(name, Number(n) + 1);
    }
    const ends = await everybody(async (client, name) => {
      client.send(leave(0, 1, name) + disconnect(name));
      return client.toEnd(15_000);
    });
    for (const [i, text] of ends.entries()) {
      const name = names[i] as string;
      assert.ok(text.endsWith(left(0, 1) + hasLeft(0, name)), `${name} hears nothing after it has left`);
    }
  },
  40,
);

rooms_(
  'drops a slow reader alone, and says why',
  async () => {
    const server = await start({ args: ['--sendq', '65536'] });
    const ann = await member(server, 'room1', 'ann', 0, 1);
    const ben = await member(server, 'room1', 'ben', 0, 2);
    const slow = await member(server, 'room1', 'slow', 0, 3);
    await ann.expect(hasJoined(0, 'ben') + hasJoined(0, 'slow'));
    await ben.expect(hasJoined(0, 'slow'));
    slow.stopReading();
    const text = 'x'.repeat(30_000);
    const isGone = server.logged(/dropped .*reason=.*too slowly/, 15_000);
    let gone = false;
    isGone.then(
      () => {
        gone = true;
      },
      () => {},
    );
    let posts = 0;
    for (; !gone && posts < 3000; posts++) {
      ann.send(chat(0, 1, 'ann', text));
      for (const one of [ann, ben]) await one.expect(new RegExp(`(?:${hasLeft(0, 'slow')})?${said(0, 'ann', text)}`));
    }
    await isGone;
    ann.send(chat(0, 1, 'ann', 'go on'));
    for (const one of [ann, ben]) {
      await one.expect(new RegExp(`(?:${hasLeft(0, 'slow')})?${said(0, 'ann', 'go on')}`));
      await answersHelo(one, server);
    }
    slow.readOn();
    const heard = await slow.toEnd();
    assert.ok(
      heard.endsWith('\n') && /ERROR_CODE: 10\nERROR_DESCRIPTION: [^\n]*slow[^\n]*\n$/.test(heard),
      'is told why',
    );
    const whole = heard.slice(0, heard.indexOf('ERROR_CODE'));
    assert.is(whole, said(0, 'ann', text).repeat(whole.length / said(0, 'ann', text).length), 'no post is cut');
  },
  30,
);

rooms.run();

// --- hostile clients -------------------------------------------------------------------------------------

const hostile = suite('lab hostile');
const hostile_ = limited(hostile);

/** After all that, the server is there for others and has not grown. */
async function isUnharmed(server: Server): Promise<void> {
  const client = await Client.connect(server.tcp);
  await answersHelo(client, server);
  if (process.platform !== 'linux') return;
  const megabytes = server.memory();
  assert.ok(megabytes < MAX_MEMORY_MB, `the server takes ${megabytes.toFixed(0)} MB`);
}

hostile_(
  'survives 10 MB without a newline, wherever they come',
  async () => {
    const server = await start();
    const flood = Buffer.alloc(10_000_000, 'a');
    const first = await Client.connect(server.tcp);
    first.send(flood);
    // no dialect begins like that: it is too long a name
    await first.expect(/server: .*\n/);
    first.destroy();
    for (const before of ['HELO ', 'HELO x\n', join('room1', 'ann').trimEnd(), 'CHAT: 0\nJOIN_ID: 1\nCLIENT_NAME: ']) {
      const client = await Client.connect(server.tcp);
      await answersHelo(client, server, 'first');
      client.send(before);
      client.send(flood);
      client.send('\n\n');
      await client.expect(before.endsWith('\n') ? helo(server, 'x') : error(8), 10_000);
      if (before.endsWith('\n')) await client.expect(error(8), 10_000);
      await answersHelo(client, server);
      client.destroy();
    }
    const talker = await member(server, 'room2', 'bob', 0, 1);
    talker.send(chat(0, 1, 'bob', '').trimEnd());
    talker.send(Buffer.alloc(10_000_000, 'lines of text\n'));
    talker.send('\n\n');
    await talker.expect(error(8), 10_000);
    await answersHelo(talker, server);
    await isUnharmed(server);
  },
  40,
);

hostile_('survives NULs and bytes that are no UTF-8', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  ann.send(Buffer.alloc(100_000));
  ann.send('\n');
  ann.send(Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0x0a, 0x0a]));
  const raw = Buffer.from(chat(0, 1, 'ann', 'a\x01b\x02c'));
  raw[raw.indexOf(1)] = 0xff;
  raw[raw.indexOf(2)] = 0;
  ann.send(raw);
  const answers = await ann.expect(/[\s\S]*CHAT: 0\nCLIENT_NAME: ann\nMESSAGE: a.*b.*c\n\n/);
  assert.ok(/^(?:ERROR_CODE: 8\nERROR_DESCRIPTION: [^\n]+\n)?CHAT/.test(answers), answers);
  await answersHelo(ann, server);
  await isUnharmed(server);
});

hostile_(
  'survives a million blank lines',
  async () => {
    const server = await start();
    const client = await Client.connect(server.tcp);
    await answersHelo(client, server);
    client.send('\n'.repeat(1_000_000));
    client.send('\r\n'.repeat(500_000));
    client.send('HELO behind\n');
    await client.expect(helo(server, 'behind'), 10_000);
    const talker = await member(server, 'room1', 'ann', 0, 1);
    talker.send(chat(0, 1, 'ann', 'hi') + '\n'.repeat(1_000_000) + chat(0, 1, 'ann', 'ho'));
    await talker.expect(said(0, 'ann', 'hi') + said(0, 'ann', 'ho'), 10_000);
    await isUnharmed(server);
  },
  30,
);

hostile_(
  'survives many connections that send one byte, and a flood of small requests',
  async () => {
    const server = await start();
    const many = await Promise.all(Array.from({ length: 1000 }, () => Client.connect(server.tcp)));
    for (const [i, client] of many.entries()) client.send('JHGLNU\n{'.charAt(i % 8));
    await isUnharmed(server);
    const flooder = await member(server, 'room1', 'ann', 0, 1);
    const COUNT = 20_000;
    flooder.send(join('room1', 'ann').repeat(COUNT));
    await flooder.take(COUNT * joined('room1', server, 0, 1).length, 15_000);
    await isUnharmed(server);
    for (const client of many) client.destroy();
  },
  40,
);

hostile.run();
