import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LabSession } from '../src/lab-session.ts';
import { chat, comesIn, FakePort, join, joined, leave, left, openLab, play, say, settle } from './fakes.ts';

const time = suite('lab: unfinished messages');

time('a message without its last newline is complete after 100 ms, not before', () =>
  play(
    openLab(),
    `${join('room1', 'ann')}\\
     -- 99 ms
     -- 1 ms
     ${joined('room1', 0, 1)}
     ${chat(0, 'ann', 'ann has joined this chatroom.')}
     C: CHAT: 0
     C: JOIN_ID: 1
     C: CLIENT_NAME: ann
     C: MESSAGE: hi\\
     -- 60 ms
     C:  there\\
     -- 99 ms
     -- 1 ms
     ${chat(0, 'ann', 'hi there')}`,
  ),
);

time('nothing is due while nothing is unfinished, and a tick is harmless at any time', () => {
  const lab = openLab();
  const port = new FakePort();
  const session: LabSession = lab.tcp.open(port);
  assert.is(session.deadline(), Number.POSITIVE_INFINITY);
  session.receive(new TextEncoder().encode('HELO x'), 1000);
  assert.is(session.deadline(), 1100);
  session.tick(0);
  session.tick(1099);
  assert.is(port.take(), '');
  session.tick(1100);
  session.tick(1100);
  assert.is(port.take(), 'HELO x\nIP:192.0.2.1\nPort:5000\nStudentID:0042\n');
  assert.is(session.deadline(), Number.POSITIVE_INFINITY);
});

time('a message whose last field has not begun is not complete', () =>
  play(
    openLab(),
    `C: JOIN_CHATROOM: room1
     C: CLIENT_IP: 0\\
     -- 100 ms
     -- 5000 ms
     C:
     C: PORT: 0
     C: CLIENT_NAME: ann
     ${joined('room1', 0, 1)}
     ${chat(0, 'ann', 'ann has joined this chatroom.')}`,
  ),
);

time('at half-close what is there is answered, then the connection closes', () =>
  play(
    openLab(),
    `C: HELO x\\
     C: <half-close>
     S: HELO x
     S: IP:192.0.2.1
     S: Port:5000
     S: StudentID:0042
     S: <close>
     ${comesIn('bob', 1, '2')}
     ${join('room1', 'ann', '3')}\\
     C3: <half-close>
     ${joined('room1', 0, 2, '3')}
     ${chat(0, 'ann', 'ann has joined this chatroom.', '3')}
     ${chat(0, 'ann', 'ann has left this chatroom.', '3')}
     S3: <close>
     ${chat(0, 'ann', 'ann has joined this chatroom.', '2')}
     ${chat(0, 'ann', 'ann has left this chatroom.', '2')}`,
  ),
);

time('requests glued together are answered one after the other, in order', () =>
  play(
    openLab(),
    `${join('room1', 'ann')}\\
     ${join('room2', 'ann')}
     ${say(0, 1, 'ann', 'hi')}
     ${leave(1, 1, 'ann')}\\
     C: HELO x
     ${joined('room1', 0, 1)}
     ${chat(0, 'ann', 'ann has joined this chatroom.')}
     ${joined('room2', 1, 1)}
     ${chat(1, 'ann', 'ann has joined this chatroom.')}
     ${chat(0, 'ann', 'hi')}
     ${left(1, 1)}
     ${chat(1, 'ann', 'ann has left this chatroom.')}
     S: HELO x
     S: IP:192.0.2.1
     S: Port:5000
     S: StudentID:0042`,
  ),
);

time('a conversation is the same byte by byte', async () => {
  const script = `HELO x\n${join('r', 'ann')}\n${say(0, 1, 'ann', 'hi')}\n${leave(0, 1, 'ann')}\n`.replace(
    /^C: ?/gm,
    '',
  );
  const answers: string[] = [];
  for (const size of [1, 2, 7, 10_000]) {
    const port = new FakePort();
    const session = openLab().tcp.open(port);
    const bytes = new TextEncoder().encode(script);
    for (let at = 0; at < bytes.length; at += size) session.receive(bytes.subarray(at, at + size), at);
    await settle();
    answers.push(port.take());
  }
  assert.equal(answers, Array(4).fill(answers[0]));
  assert.match(answers[0] as string, /LEFT_CHATROOM: 0\n/);
});
time.run();
