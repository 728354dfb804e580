import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Client,
  chat,
  copyOfData,
  Datagrams,
  error,
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

/** A JOIN with the address where the client takes its answers. */
function joinFrom(client: Datagrams, room: string, name: string): string {
  return join(room, name, '127.0.0.1', client.port);
}

async function member(server: Server, room: string, name: string, ref: number, id: number): Promise<Datagrams> {
  const client = await Datagrams.open();
  client.send(joinFrom(client, room, name), server.udp);
  await client.expect(joined(room, server, ref, id));
  await client.expect(hasJoined(ref, name));
  return client;
}

function disconnectFrom(client: Datagrams, name: string): string {
  return `DISCONNECT: 127.0.0.1\nPORT: ${client.port}\nCLIENT_NAME: ${name}\n`;
}

/** All that was sent has been read: what a server has no room for until then is lost. */
async function isRead(client: Datagrams, server: Server, word: string): Promise<void> {
  client.send(`HELO ${word}\n`, server.udp);
  while (!(await client.next()).startsWith(`HELO ${word}\n`));
}

/** The texts of all posts that are on disk. */
function postsOnDisk(server: Server): Set<string> {
  const db = new DatabaseSync(copyOfData(server.data));
  try {
    assert.is(db.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
    return new Set(
      db
        .prepare('SELECT text FROM posts')
        .all()
        .map(({ text }) => String(text)),
    );
  } finally {
    db.close();
  }
}

const udp = suite('lab over UDP');
const udp_ = limited(udp);

udp_('answers HELO, with a newline or without', async () => {
  const server = await start({ args: ['--student-id', '0042'] });
  const client = await Datagrams.open();
  for (const end of ['\n', '\r\n', '']) {
    client.send(`HELO BASE TEST${end}`, server.udp);
    await client.expect(`HELO BASE TEST\nIP:127.0.0.1\nPort:${server.udp}\nStudentID:0042\n`);
  }
});

udp_('ends at KILL_SERVICE, and refuses it when it is off', async () => {
  const careful = await start({ args: ['--kill', 'off'] });
  const client = await Datagrams.open();
  client.send('KILL_SERVICE\n', careful.udp);
  await client.expect(error(9));
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  client.send('KILL_SERVICE', server.udp);
  await ann.expect(/CHAT: 0\nCLIENT_NAME: server\nMESSAGE: [^\n]+\n\n/);
  assert.equal(await server.exit(), { status: 0, signal: null });
});

udp_('takes members through join, chat and leave, each answer a datagram', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  const ben = await member(server, 'room1', 'ben', 0, 2);
  await ann.expect(hasJoined(0, 'ben'));
  ann.send(chat(0, 1, 'ann', 'hello: at 10:30'), server.udp);
  for (const one of [ann, ben]) await one.expect(said(0, 'ann', 'hello: at 10:30'));
  ben.send(chat(0, 2, 'ben', 'no newline').trimEnd(), server.udp);
  for (const one of [ann, ben]) await one.expect(said(0, 'ben', 'no newline'));
  ann.send(joinFrom(ann, 'room2', 'ann'), server.udp);
  await ann.expect(joined('room2', server, 1, 1));
  await ann.expect(hasJoined(1, 'ann'));
  ann.send(leave(0, 1, 'ann'), server.udp);
  await ann.expect(left(0, 1));
  await ann.expect(hasLeft(0, 'ann'));
  await ben.expect(hasLeft(0, 'ann'));
  ben.send(chat(0, 2, 'ben', 'alone'), server.udp);
  await ben.expect(said(0, 'ben', 'alone'));
  ann.send(disconnectFrom(ann, 'ann'), server.udp);
  await ann.expect(hasLeft(1, 'ann'));
  ann.send(chat(1, 1, 'ann', 'gone'), server.udp);
  await ann.expect(error(3));
});

udp_('sends to the callback port, and takes only the address a datagram comes from', async () => {
  const server = await start();
  const ear = await Datagrams.open();
  const mouth = await Datagrams.open();
  mouth.send(joinFrom(ear, 'room1', 'ann'), server.udp);
  await ear.expect(joined('room1', server, 0, 1));
  await ear.expect(hasJoined(0, 'ann'));
  mouth.send(chat(0, 1, 'ann', 'from another port'), server.udp);
  await ear.expect(said(0, 'ann', 'from another port'));
  mouth.send(join('room1', 'eve', '203.0.113.9', 9), server.udp);
  await mouth.expect(error(9));
  mouth.send(join('room1', 'eve', '127.0.0.1', 99_999), server.udp);
  await mouth.expect(error(1));
  mouth.send('JOIN_CHATROOM: room1\nPORT: 0\n', server.udp);
  await mouth.expect(error(1));
  mouth.send(chat(0, 77, 'eve', 'hi'), server.udp);
  await mouth.expect(error(3));
  mouth.send(leave(9, 1, 'ann'), server.udp);
  await ear.expect(error(2));
  await ear.silent(100);
});

udp_('answers every repeated request again, and does everything once', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  const tom = await Client.connect(server.tcp);
  tom.send(join('room1', 'tom'));
  await tom.expect(joined('room1', server, 0, 2) + hasJoined(0, 'tom'));
  await ann.expect(hasJoined(0, 'tom'));
  for (let n = 0; n < 3; n++) {
    ann.send(joinFrom(ann, 'room1', 'ann'), server.udp);
    await ann.expect(joined('room1', server, 0, 1));
  }
  for (let n = 0; n < 3; n++) {
    ann.send(chat(0, 1, 'ann', 'once'), server.udp);
    await ann.expect(said(0, 'ann', 'once'));
  }
  await tom.expect(said(0, 'ann', 'once'));
  for (const seq of [1, 2, 2, 1, 3]) {
    ann.send(`${chat(0, 1, 'ann', 'same text')}SEQ: ${seq}\n`, server.udp);
    await ann.expect(said(0, 'ann', 'same text'));
  }
  await tom.expect(said(0, 'ann', 'same text').repeat(3));
  ann.send(leave(0, 1, 'ann'), server.udp);
  await ann.expect(left(0, 1));
  await ann.expect(hasLeft(0, 'ann'));
  for (let n = 0; n < 2; n++) {
    ann.send(leave(0, 1, 'ann'), server.udp);
    await ann.expect(left(0, 1));
  }
  for (let n = 0; n < 2; n++) ann.send(disconnectFrom(ann, 'ann'), server.udp);
  await ann.silent(100);
  await tom.expect(hasLeft(0, 'ann'));
  tom.send('HELO last\n');
  await tom.expect(/HELO last\n/);
});

udp_('lets TCP and UDP members hear each other in order', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  const tom = await Client.connect(server.tcp);
  tom.send(join('room1', 'tom'));
  await tom.expect(joined('room1', server, 0, 2) + hasJoined(0, 'tom'));
  await ann.expect(hasJoined(0, 'tom'));
  for (let n = 0; n < 50; n++) {
    tom.send(chat(0, 2, 'tom', `tcp ${n}`));
    await ann.expect(said(0, 'tom', `tcp ${n}`));
    ann.send(chat(0, 1, 'ann', `udp ${n}`), server.udp);
    await ann.expect(said(0, 'ann', `udp ${n}`));
    await tom.expect(said(0, 'tom', `tcp ${n}`) + said(0, 'ann', `udp ${n}`));
  }
  const long = 'ä☃'.repeat(1000);
  tom.send(chat(0, 2, 'tom', long));
  await tom.expect(said(0, 'tom', long));
  let heard = '';
  while (heard.length < long.length) {
    const datagram = await ann.next();
    assert.ok(Buffer.byteLength(datagram) <= 1400);
    heard += /^CHAT: 0\nCLIENT_NAME: tom\nMESSAGE: (.*)\n\n$/.exec(datagram)?.[1] ?? `? ${datagram}`;
  }
  assert.is(heard, long);
  tom.destroy();
  await ann.expect(hasLeft(0, 'tom'));
});

udp_('lets a silent member leave', async () => {
  const server = await start({ args: ['--udp-idle', '1'] });
  const tom = await Client.connect(server.tcp);
  tom.send(join('room1', 'tom'));
  await tom.expect(joined('room1', server, 0, 1) + hasJoined(0, 'tom'));
  const ann = await member(server, 'room1', 'ann', 0, 2);
  await tom.expect(hasJoined(0, 'ann') + hasLeft(0, 'ann'));
  await ann.expect(hasLeft(0, 'ann'));
});

udp_('survives datagrams of every kind', async () => {
  const server = await start();
  const client = await Datagrams.open();
  for (const bytes of [
    '',
    '\0',
    '\n\n\n',
    'HELO',
    'CHAT:',
    'x'.repeat(60_000),
    '{"a":1}',
    '\xff\xfe',
    'JOIN_CHATROOM',
  ]) {
    client.send(Buffer.from(bytes, 'latin1'), server.udp);
  }
  await isRead(client, server, 'kinds');
  for (let n = 1; n <= 500; n++) {
    client.send(`CHAT: ${n}\nJOIN_ID: ${'9'.repeat(n)}\n`, server.udp);
    if (n % 25 === 0) await isRead(client, server, `after ${n}`);
  }
  const ann = await member(server, 'room1', 'ann', 0, 1);
  ann.send(chat(0, 1, 'ann', 'hi'), server.udp);
  await ann.expect(said(0, 'ann', 'hi'));
});

udp.run();

const crash = suite('lab after kill -9');
const crash_ = limited(crash);

crash_('has every acknowledged post on disk', async () => {
  const server = await start();
  const ann = await member(server, 'room1', 'ann', 0, 1);
  ann.send(chat(0, 1, 'ann', 'remember this'), server.udp);
  await ann.expect(said(0, 'ann', 'remember this'));
  server.kill('SIGKILL');
  await server.exit();
  assert.ok(postsOnDisk(server).has('remember this'));
});

crash_('keeps the numbers of rooms over restarts', async () => {
  let server = await start();
  const ann = await member(server, 'red', 'ann', 0, 1);
  ann.send(joinFrom(ann, 'green', 'ann'), server.udp);
  await ann.expect(joined('green', server, 1, 1));
  await ann.expect(hasJoined(1, 'ann'));
  ann.send(chat(1, 1, 'ann', 'green it is'), server.udp);
  await ann.expect(said(1, 'ann', 'green it is'));
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    server.kill(signal);
    await server.exit();
    server = await start({ data: server.data });
    const tom = await Client.connect(server.tcp);
    tom.send(join('blue', 'tom') + join('green', 'tom') + join('red', 'tom'));
    for (const [room, ref] of [
      ['blue', 2],
      ['green', 1],
      ['red', 0],
    ] as const) {
      await tom.expect(joined(room, server, ref, 1) + hasJoined(ref, 'tom'));
    }
    await member(server, 'Green', 'ann', 1, 2);
  }
});

crash_(
  'has lost nothing acknowledged in 20 crashes under load',
  async () => {
    const ROUNDS = 20;
    const acknowledged: string[] = [];
    let server = await start();
    for (let round = 0; round < ROUNDS; round++) {
      const talkers = await Promise.all(
        ['ann', 'ben', 'cat'].map(async (name) => ({ name, socket: await Datagrams.open() })),
      );
      const ids: string[] = [];
      for (const { name, socket } of talkers) {
        socket.send(joinFrom(socket, `room of ${name}`, name), server.udp);
        ids.push(/JOIN_ID: (\d+)\n$/.exec(await socket.next())?.[1] as string);
        await socket.expect(/CHAT: \d+\n[\s\S]* has joined this chatroom\.\n\n/);
      }
      let sent = 0;
      const say = (who: number) => {
        const { name, socket } = talkers[who] as (typeof talkers)[number];
        socket.send(chat(`room of ${name}`, ids[who] as string, name, `round ${round} post ${sent++}`), server.udp);
      };
      const take = (text: string) => {
        const post = /MESSAGE: (round \d+ post \d+)\n\n$/.exec(text)?.[1];
        if (post === undefined) throw new Error(`not a post: ${JSON.stringify(text)}`);
        acknowledged.push(post);
      };
      // a few are always on their way; the crash comes at another moment each time
      for (let n = 0; n < 30; n++) say(n % 3);
      for (let n = 0; n < 10 + 7 * round; n++) {
        take(await (talkers[n % 3] as (typeof talkers)[number]).socket.next());
        say(n % 3);
      }
      server.kill('SIGKILL');
      await server.exit();
      await new Promise((resolve) => setImmediate(resolve));
      for (const { socket } of talkers) for (const text of socket.rest()) take(text);
      const onDisk = postsOnDisk(server);
      const lost = acknowledged.filter((post) => !onDisk.has(post));
      assert.equal(lost, [], `round ${round}: lost of ${acknowledged.length}`);
      server = await start({ data: server.data, port: server.tcp });
    }
    assert.ok(acknowledged.length > ROUNDS * 10);
  },
  50,
);

crash.run();
