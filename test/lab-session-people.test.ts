import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Person } from '../src/events.ts';
import type { KillPolicy } from '../src/lab.ts';
import { LabUdp } from '../src/lab-udp.ts';
import { isLoopback } from '../src/session.ts';
import {
  chat,
  comesIn,
  converse,
  FakeDatagramPort,
  FakePort,
  FakeTongue,
  join,
  leave,
  left,
  openLab,
  play,
  say,
  settle,
} from './fakes.ts';

const bytes = (script: string) => new TextEncoder().encode(`${script.replace(/^C: ?/gm, '')}\n`);

const handles = suite('lab: handles');

handles('may be several on one connection, which has one JOIN_ID', async () => {
  const lab = openLab();
  await play(
    lab,
    `${comesIn('ann')}
     ${comesIn('bob', 1, '', 1, 'room2')}
     ${say(0, 1, 'bob', 'in room1')}
     ${chat(0, 'ann', 'in room1')}
     ${say(1, 1, 'ann', 'in room2')}
     ${chat(1, 'bob', 'in room2')}
     C: DISCONNECT: 0
     C: PORT: 0
     C: CLIENT_NAME: ann
     ${chat(0, 'ann', 'ann has left this chatroom.')}
     ${chat(1, 'bob', 'bob has left this chatroom.')}
     S: <close>`,
  );
  assert.is(lab.house.people, 0);
});

handles('take no more places than one person may: a hundred rooms', async () => {
  const lab = openLab();
  const port = new FakePort();
  const session = lab.tcp.open(port);
  for (let i = 0; i <= 100; i++) {
    session.receive(bytes(join(`r${i}`, `n${i}`)), 0);
    await settle();
  }
  assert.is(lab.house.people, 100);
  assert.match(port.blocks.at(-1) ?? '', /^ERROR_CODE: 9\n[^\n]+\n$/);
});

handles('may be worn by several connections, and others are told of name~2', async () => {
  const lab = openLab();
  const tongue = new FakeTongue('irc');
  const room = await lab.house.openRoom('room1');
  const watcher = await lab.house.enter('watcher', tongue, 'exactly');
  lab.house.join(watcher, room);
  tongue.take();
  await play(
    lab,
    `${comesIn('ben')}
     ${comesIn('ben', 2, '2')}
     ${chat(0, 'ben', 'ben has joined this chatroom.')}
     ${say(0, 1, 'ben', 'first')}
     ${chat(0, 'ben', 'first')}
     ${chat(0, 'ben', 'first', '2')}
     ${say(0, 2, 'ben', 'second', '2')}
     ${chat(0, 'ben', 'second', '2')}
     ${chat(0, 'ben', 'second')}
     C: <broken>
     ${chat(0, 'ben', 'ben has left this chatroom.', '2')}`,
  );
  assert.equal(tongue.take(), [
    'room1 +ben',
    'room1 +ben~2',
    'room1 ben: first',
    'room1 ben~2: second',
    'room1 -ben (the connection broke)',
  ]);
});

handles('that somebody of another dialect wears are kept on this wire', async () => {
  const lab = openLab();
  const tongue = new FakeTongue('irc');
  const room = await lab.house.openRoom('room1');
  const ben = await lab.house.enter('ben', tongue, 'exactly');
  lab.house.join(ben, room);
  const port = new FakePort();
  lab.tcp.open(port).receive(bytes(join('room1', 'ben')), 0);
  await settle();
  assert.match(port.take(), /MESSAGE: ben has joined this chatroom\.\n\n$/);
  lab.house.say(ben, room, 'from irc');
  assert.is(port.take(), 'CHAT: 0\nCLIENT_NAME: ben\nMESSAGE: from irc\n\n');
  assert.equal(tongue.take().slice(1), ['room1 +ben~2', 'room1 ben: from irc']);
});

handles('are free again when their connection is gone, and JOIN_IDs are never given twice', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     C: <broken>
     ${comesIn('ann', 2, '2')}`,
  ),
);
handles.run();

const gone = suite('lab: connections that go');

gone('are announced in each of their rooms, once, and hear nothing of it', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${comesIn('ann', 1, '', 1, 'room2')}
     ${comesIn('bob', 2, '2')}
     ${chat(0, 'bob', 'bob has joined this chatroom.')}
     ${comesIn('bob', 2, '2', 1, 'room2')}
     ${chat(1, 'bob', 'bob has joined this chatroom.')}
     C2: LEAVE_CHATROOM: 1
     C2: JOIN_ID: 2
     C2: CLIENT_NAME: bob
     ${left(1, 2, '2')}
     ${chat(1, 'bob', 'bob has left this chatroom.', '2')}
     ${chat(1, 'bob', 'bob has left this chatroom.')}
     C2: <broken>
     ${chat(0, 'bob', 'bob has left this chatroom.')}`,
  ),
);

gone('while a JOIN is under way leave nobody behind', async () => {
  const lab = openLab();
  const tongue = new FakeTongue();
  const room = await lab.house.openRoom('room1');
  lab.house.join(await lab.house.enter('watcher', tongue, 'exactly'), room);
  tongue.take();
  const port = new FakePort();
  const session = lab.tcp.open(port);
  assert.not(session.receive(bytes(join('room1', 'ann')), 0), 'it asks to wait');
  session.closed('the connection broke');
  session.receive(bytes('HELO x'), 1);
  await settle();
  assert.equal([lab.house.people, room.people.size, tongue.take(), port.bugs], [1, 1, [], []]);
  assert.is((await lab.house.enter('ann', tongue, 'exactly')).person.name, 'ann');
});

gone('asks for reading to go on when the JOIN is done', async () => {
  const port = new FakePort();
  const session = openLab().tcp.open(port);
  assert.is(session.receive(bytes(join('room1', 'ann')), 0), false);
  assert.is(port.resumed, 0);
  await settle();
  assert.is(port.resumed, 1);
  assert.ok(session.receive(bytes('HELO x'), 1));
});

gone('by DISCONNECT are told of nothing else', async () => {
  const lab = openLab();
  const ports = await converse(
    lab,
    `${comesIn('ann')}
     C: DISCONNECT: 0
     C: PORT: 0
     C: CLIENT_NAME: ann
     C: HELO too late
     ${chat(0, 'ann', 'ann has left this chatroom.')}
     S: <close>
     C: HELO later still`,
  );
  assert.is(ports.get('')?.take(), '');
});

gone('with the server are told by it', async () => {
  const lab = openLab();
  const port = new FakePort();
  lab.tcp.open(port).receive(bytes(join('room1', 'ann')), 0);
  await settle();
  port.take();
  lab.house.close('KILL_SERVICE');
  assert.match(port.take(), /^CHAT: 0\nCLIENT_NAME: server\nMESSAGE: .+\n\n$/);
});

gone('and no CHAT of a room follows the leaver’s announcement', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${comesIn('bob', 2, '2')}
     ${chat(0, 'bob', 'bob has joined this chatroom.')}
     ${leave(0, 1, 'ann')}
     ${left(0, 1)}
     ${chat(0, 'ann', 'ann has left this chatroom.')}
     ${chat(0, 'ann', 'ann has left this chatroom.', '2')}
     ${say(0, 2, 'bob', 'anybody?', '2')}
     ${chat(0, 'bob', 'anybody?', '2')}`,
  ),
);
gone.run();

const kill = suite('lab: KILL_SERVICE');

const POLICIES: Array<[KillPolicy, string, boolean]> = [
  ['any', '198.51.100.7', true],
  ['any', '127.0.0.1', true],
  ['local', '127.0.0.1', true],
  ['local', '127.8.8.8', true],
  ['local', '::1', true],
  ['local', '198.51.100.7', false],
  ['local', '2001:db8::1', false],
  ['off', '127.0.0.1', false],
  ['off', '198.51.100.7', false],
];
for (const [policy, ip, obeyed] of POLICIES) {
  kill(`with --kill ${policy} is ${obeyed ? 'obeyed' : 'refused'} from ${ip}`, () => {
    const lab = openLab({ kill: policy });
    const port = new FakePort('c1', ip);
    lab.tcp.open(port).receive(bytes('KILL_SERVICE'), 0);
    const datagrams = new FakeDatagramPort();
    new LabUdp(lab.lab, datagrams).receive(bytes('KILL_SERVICE'), { ip, port: 9 }, 0);
    assert.is(lab.stops.length, obeyed ? 2 : 0);
    const refused = /^ERROR_CODE: 9\nERROR_DESCRIPTION: [^\n]+\n$/;
    for (const answer of [port.take(), datagrams.take().join('')]) {
      if (obeyed) assert.is(answer, '');
      else assert.match(answer, refused);
    }
  });
}

kill('without its newline is obeyed after 100 ms', async () => {
  const lab = openLab({ kill: 'any' });
  await play(lab, 'C: KILL_SERVICE\\\n-- 99 ms');
  assert.equal(lab.stops, []);
  const other = openLab({ kill: 'any' });
  await play(other, 'C: KILL_SERVICE\\\n-- 99 ms\n-- 1 ms');
  assert.is(other.stops.length, 1);
});

kill('takes no address for loopback that merely looks like one', () => {
  for (const ip of ['127.0.0.1', '127.255.0.3', '::1']) assert.ok(isLoopback(ip), ip);
  for (const ip of ['128.0.0.1', '12.7.0.1', '1127.0.0.1', '::2', '2001:db8::1', '']) assert.not(isLoopback(ip), ip);
});
kill.run();

const both = suite('lab: TCP and UDP in one room');

both('hear each other', async () => {
  const lab = openLab();
  const datagrams = new FakeDatagramPort();
  const udp = new LabUdp(lab.lab, datagrams);
  const port = new FakePort();
  const session = lab.tcp.open(port);
  session.receive(bytes(join('room1', 'ann')), 0);
  await settle();
  udp.receive(
    bytes('JOIN_CHATROOM: room1\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ben'),
    { ip: '198.51.100.9', port: 99 },
    0,
  );
  await settle();
  port.take();
  datagrams.take();
  session.receive(bytes(say(0, 1, 'ann', 'by TCP')), 1);
  assert.equal(datagrams.take(), ['CHAT: 0\nCLIENT_NAME: ann\nMESSAGE: by TCP\n\n']);
  port.take();
  udp.receive(bytes('CHAT: 0\nJOIN_ID: 2\nCLIENT_NAME: ben\nMESSAGE: by UDP\n'), { ip: '198.51.100.9', port: 98 }, 1);
  assert.is(port.take(), 'CHAT: 0\nCLIENT_NAME: ben\nMESSAGE: by UDP\n\n');
});

both(
  'are told of another name as of a leave and a join, and of notices as of messages; who is put out has left',
  async () => {
    const lab = openLab();
    const datagrams = new FakeDatagramPort();
    const udp = new LabUdp(lab.lab, datagrams);
    const port = new FakePort();
    lab.tcp.open(port).receive(bytes(join('room1', 'ann')), 0);
    await settle();
    udp.receive(
      bytes('JOIN_CHATROOM: room1\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ben'),
      { ip: '198.51.100.9', port: 99 },
      0,
    );
    await settle();
    const room = await lab.house.openRoom('room1');
    const eve = await lab.house.enter('eve', new FakeTongue('irc'), 'exactly');
    eve.isWarden = true;
    lab.house.join(eve, room);
    const wire = (name: string, text: string) => `CHAT: 0\nCLIENT_NAME: ${name}\nMESSAGE: ${text}\n\n`;
    port.take();
    datagrams.take();
    await lab.house.rename(eve, 'eva');
    lab.house.say(eve, room, 'hi', { notice: true, tags: { '+x': 'y' } });
    lab.house.signal(eve, room, { '+typing': 'active' });
    lab.house.title(eve, room, 'about nothing');
    lab.house.setAccount(eve, 'eva');
    const all = [
      wire('eve', 'eve has left this chatroom.'),
      wire('eva', 'eva has joined this chatroom.'),
      wire('eva', 'hi'),
    ];
    assert.is(port.take(), all.join(''));
    assert.equal(datagrams.take(), all);
    const [ann, ben] = [lab.house.personNamed('ann') as Person, lab.house.personNamed('ben') as Person];
    lab.house.kick(eve, room, ben, 'enough');
    const benOut = wire('ben', 'ben has left this chatroom. (put out by eva: enough)');
    assert.equal(datagrams.take(), ['LEFT_CHATROOM: 0\nJOIN_ID: 2\n', benOut]);
    lab.house.kick(eve, room, ann, 'you too');
    const annOut = wire('ann', 'ann has left this chatroom. (put out by eva: you too)');
    assert.is(port.take(), `${benOut}LEFT_CHATROOM: 0\nJOIN_ID: 1\n${annOut}`);
    assert.equal([lab.house.people, port.ended, lab.bugs], [1, false, []], 'the connection goes on');
  },
);
both.run();
