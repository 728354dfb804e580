import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  chat,
  comesIn,
  converse,
  FakePort,
  join,
  leave,
  left,
  openHouse,
  openLab,
  play,
  say,
  settle,
} from './fakes.ts';

const table = suite('lab: each message');

table('HELO is echoed as sent, with address, port and student id', () =>
  play(
    openLab(),
    `C: HELO BASE_TEST
     S: HELO BASE_TEST
     S: IP:192.0.2.1
     S: Port:5000
     S: StudentID:0042
     C: HELO  two  words: and\tmore
     S: HELO  two  words: and\tmore
     S: IP:192.0.2.1
     S: Port:5000
     S: StudentID:0042`,
  ),
);

table('HELO and JOIN tell the advertised address', () =>
  play(
    openLab({ advertise: '203.0.113.9' }),
    `C: HELO
     S: HELO
     S: IP:203.0.113.9
     S: Port:5000
     S: StudentID:0042
     ${join('room1', 'ann')}
     S: JOINED_CHATROOM: room1
     S: SERVER_IP: 203.0.113.9
     S: PORT: 5000
     S: ROOM_REF: 0
     S: JOIN_ID: 1
     ${chat(0, 'ann', 'ann has joined this chatroom.')}`,
  ),
);

table('JOIN, CHAT, LEAVE and DISCONNECT are heard by the whole room', async () => {
  await play(
    openLab(),
    `${comesIn('client1')}
     ${comesIn('client2', 2, '2')}
     ${chat(0, 'client2', 'client2 has joined this chatroom.')}
     ${say(0, 1, 'client1', 'hello: is it 10:30?')}
     ${chat(0, 'client1', 'hello: is it 10:30?')}
     ${chat(0, 'client1', 'hello: is it 10:30?', '2')}
     ${leave(0, 1, 'client1')}
     ${left(0, 1)}
     ${chat(0, 'client1', 'client1 has left this chatroom.')}
     ${chat(0, 'client1', 'client1 has left this chatroom.', '2')}
     ${say(0, 2, 'client2', 'alone', '2')}
     ${chat(0, 'client2', 'alone', '2')}
     C2: DISCONNECT: 0
     C2: PORT: 0
     C2: CLIENT_NAME: client2
     ${chat(0, 'client2', 'client2 has left this chatroom.', '2')}
     S2: <close>`,
  );
});

table('each block is one write', async () => {
  const lab = openLab();
  const port = new FakePort();
  const session = lab.tcp.open(port);
  session.receive(new TextEncoder().encode(join('r', 'ann').replace(/^C: /gm, '').concat('\n')), 0);
  await settle();
  assert.is(port.blocks.length, 2);
  assert.match(port.blocks[0] as string, /^JOINED_CHATROOM: r\n(.+\n){4}$/);
  assert.match(port.blocks[1] as string, /^CHAT: 0\n(.+\n){2}\n$/);
});

table('a message may have lines; a blank one ends it', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${say(0, 1, 'ann', 'one\nC: two\nC:   three')}
     ${chat(0, 'ann', 'one\nS: two\nS:   three')}`,
  ),
);

table('ROOM_REFs count from 0, one JOIN_ID stands for all rooms, DISCONNECT leaves them in their order', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${comesIn('ann', 1, '', 1, 'room2')}
     ${comesIn('bob', 2, '2', 1, 'room2')}
     ${chat(1, 'bob', 'bob has joined this chatroom.')}
     ${comesIn('bob', 2, '2', 0, 'room1')}
     ${chat(0, 'bob', 'bob has joined this chatroom.')}
     C: DISCONNECT: 0
     C: PORT: 0
     C: CLIENT_NAME: ann
     ${chat(0, 'ann', 'ann has left this chatroom.')}
     ${chat(1, 'ann', 'ann has left this chatroom.')}
     S: <close>
     ${chat(0, 'ann', 'ann has left this chatroom.', '2')}
     ${chat(1, 'ann', 'ann has left this chatroom.', '2')}`,
  ),
);

table('joining again gives the same answer and no announcement', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${comesIn('bob', 2, '2')}
     ${chat(0, 'bob', 'bob has joined this chatroom.')}
     ${join('ROOM1', 'ann')}
     S: JOINED_CHATROOM: ROOM1
     S: SERVER_IP: 192.0.2.1
     S: PORT: 5000
     S: ROOM_REF: 0
     S: JOIN_ID: 1
     ${say(0, 1, 'ann', 'once')}
     ${chat(0, 'ann', 'once')}
     ${chat(0, 'ann', 'once', '2')}`,
  ),
);

table('leaving again gives the same answer and no announcement', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${comesIn('bob', 2, '2')}
     ${chat(0, 'bob', 'bob has joined this chatroom.')}
     ${leave(0, 1, 'ann')}
     ${left(0, 1)}
     ${chat(0, 'ann', 'ann has left this chatroom.')}
     ${chat(0, 'ann', 'ann has left this chatroom.', '2')}
     ${leave(0, 1, 'ann')}
     ${left(0, 1)}
     ${leave(0, 1, 'ann')}
     ${left(0, 1)}`,
  ),
);

table('leaving a room that one never was in is answered too', () =>
  play(openLab(), `${comesIn('ann')}\n${leave(0, 7, 'bob', '2')}\n${left(0, 7, '2')}`),
);

table('leaving and joining again keeps the room’s number and the client’s id', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${leave(0, 1, 'ann')}
     ${left(0, 1)}
     ${chat(0, 'ann', 'ann has left this chatroom.')}
     ${comesIn('ann')}`,
  ),
);

table('a room may be meant by its name', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${say('Room1', 1, 'ann', 'hi')}
     ${chat(0, 'ann', 'hi')}
     ${leave('room1', 1, 'ann')}
     ${left(0, 1)}
     ${chat(0, 'ann', 'ann has left this chatroom.')}`,
  ),
);

table('leaving by the room’s name gives the same answer however often', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     ${leave('room1', 1, 'ann')}
     ${left(0, 1)}
     ${chat(0, 'ann', 'ann has left this chatroom.')}
     ${leave('room1', 1, 'ann')}
     ${left(0, 1)}`,
  ),
);

table('a room whose name is a number is meant by its ROOM_REF', () =>
  play(
    openLab(),
    `${comesIn('ann', 1, '', 0, '1')}
     ${comesIn('ann', 1, '', 1, '0')}
     ${say(0, 1, 'ann', 'hi')}
     ${chat(0, 'ann', 'hi')}`,
  ),
);

for (const id of ['undefined', "b'1'", '', '-1', '99', '340282366920938463463374607431768211456']) {
  table(`a JOIN_ID of ${JSON.stringify(id)} and a wrong name are as good as any`, () =>
    play(
      openLab(),
      `${comesIn('ann')}
       ${say(0, id, 'somebody', 'hi')}
       ${chat(0, 'ann', 'hi')}
       ${leave(0, id, 'undefined')}
       S: LEFT_CHATROOM: 0
       S: JOIN_ID: …
       ${chat(0, 'ann', 'ann has left this chatroom.')}`,
    ),
  );
}

table('anything else is ignored', () =>
  play(
    openLab(),
    `C: HELO x
     S: HELO x
     S: IP:192.0.2.1
     S: Port:5000
     S: StudentID:0042
     C: ANYTHING 5828d335af7cc\\
     -- 100 ms
     C:
     C: JOINED: 0
     C:
     ${comesIn('ann')}`,
  ),
);
table.run();

const errors = suite('lab: errors');

const WRONG: Array<[string, number, string]> = [
  ['a JOIN without CLIENT_IP', 1, 'C: JOIN_CHATROOM: room1\nC: PORT: 0\nC: CLIENT_NAME: ann\nC:'],
  ['a CHAT whose second line is another', 1, 'C: CHAT: 0\nC: CLIENT_NAME: ann\nC: JOIN_ID: 1\nC: MESSAGE: x\nC:'],
  ['a CHAT to an unknown room', 2, say(77, 1, 'ann', 'hi')],
  ['a CHAT to a ref that is not even a name', 2, say('nowhere', 1, 'ann', 'hi')],
  ['a CHAT to no ref', 2, say('', 1, 'ann', 'hi')],
  ['a LEAVE of an unknown room', 2, leave(77, 1, 'ann')],
  ['a CHAT to a room one is not in', 4, say(0, 1, 'ann', 'hi')],
  ['a CHAT to the name of a room one is not in', 4, say('taken', 1, 'ann', 'hi')],
  ['a JOIN without a name', 5, join('room1', '')],
  ['a JOIN of no room', 5, join('', 'ann')],
  ['a JOIN with a name of 65 characters', 5, join('room1', 'x'.repeat(65))],
  ['a message of more than 64 KiB', 8, say(0, 1, 'ann', 'x'.repeat(65_537))],
  ['KILL_SERVICE from another host', 9, 'C: KILL_SERVICE'],
];
for (const [what, code, request] of WRONG) {
  errors(`${what} is error ${code}, and the connection stays open`, async () => {
    const lab = openLab();
    const ports = await converse(
      lab,
      `${comesIn('somebody', 1, '9', 0, 'taken')}
       ${request}
       S: ERROR_CODE: ${code}
       S: ERROR_DESCRIPTION: …
       C: HELO still there
       S: HELO still there
       S: IP:192.0.2.1
       S: Port:5000
       S: StudentID:0042`,
    );
    assert.not(ports.get('')?.ended);
    assert.is(lab.house.people, 1, 'nobody is left behind');
  });
}

errors('a full server is error 11', () =>
  play(
    openLab({}, openHouse({ people: 1 })),
    `${comesIn('ann')}
     ${join('room1', 'bob', '2')}
     S2: ERROR_CODE: 11
     S2: ERROR_DESCRIPTION: …`,
  ),
);

errors('being dropped is told as error 10', () =>
  play(
    openLab(),
    `${comesIn('ann')}
     C: <drop>
     S: ERROR_CODE: 10
     S: ERROR_DESCRIPTION: you read too slowly`,
  ),
);
errors.run();
