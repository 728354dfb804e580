import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LabUdpLink } from '../src/client-lab-udp.ts';
import { decodeLabDatagram, encodeReply, type LabReply } from '../src/wire-lab.ts';

const test = suite('client-lab-udp');
const text = (bytes: Uint8Array | undefined) => (bytes ? new TextDecoder().decode(bytes).split('\n')[0] : undefined);

const join = { kind: 'join', room: 'room1', ip: '127.0.0.1', port: '9', name: 'ann' } as const;
const joined: LabReply = { kind: 'joined', room: 'room1', ip: '127.0.0.1', port: '5000', ref: '0', joinId: '1' };
const say = (words: string) => ({ kind: 'chat', ref: '0', joinId: '1', name: 'ann', text: words }) as const;
const echo = (words: string, name = 'ann'): LabReply => ({ kind: 'chat', ref: '0', name, text: words });
/** Has the request been answered? */
function isDone(link: LabUdpLink): boolean {
  return link.deadline() === Number.POSITIVE_INFINITY;
}

test('one request is out at a time, in order', () => {
  const link = new LabUdpLink();
  link.send(join, 0);
  link.send(say('a'), 0);
  assert.is(text(link.next()), 'JOIN_CHATROOM: room1');
  assert.is(link.next(), undefined);
  link.input(encodeReply(echo('somebody else')), 1);
  assert.is(link.next(), undefined);
  link.input(encodeReply(joined), 2);
  assert.is(text(link.next()), 'CHAT: 0');
});

test('a request is repeated as it was until it is answered', () => {
  const link = new LabUdpLink();
  link.send(say('a'), 0);
  const first = link.next();
  assert.is(link.deadline(), 300);
  link.tick(299);
  assert.is(link.next(), undefined);
  link.tick(300);
  assert.equal(link.next(), first);
  link.input(encodeReply(echo('a')), 310);
  link.tick(10_000);
  assert.is(link.next(), undefined);
  assert.is(link.deadline(), Number.POSITIVE_INFINITY);
  assert.is(link.ended, 'no');
});

test('the same text twice is told apart by SEQ', () => {
  const link = new LabUdpLink();
  link.send(say('a'), 0);
  link.send(say('a'), 0);
  const first = decodeLabDatagram(link.next() as Uint8Array);
  link.input(encodeReply(echo('a')), 1);
  const second = decodeLabDatagram(link.next() as Uint8Array);
  assert.ok(first?.kind === 'chat' && second?.kind === 'chat' && first.seq !== second.seq);
});

test('a CHAT is answered by the same text under the own name, and by nothing else', () => {
  const link = new LabUdpLink();
  link.send(say('hello'), 0);
  for (const other of [echo('hello', 'ben'), echo(''), echo('hell'), echo('hello!'), { ...echo('hello'), ref: '1' }]) {
    assert.equal(link.input(encodeReply(other as LabReply), 1), other, 'shown');
    assert.not.ok(isDone(link));
  }
  assert.ok(link.input(encodeReply(echo('hello')), 2));
  assert.ok(isDone(link));
});

test('an empty text is answered by an empty text', () => {
  const link = new LabUdpLink();
  link.send(say(''), 0);
  link.input(encodeReply(echo('ann has joined this chatroom.')), 1);
  assert.not.ok(isDone(link));
  link.input(encodeReply(echo('')), 2);
  assert.ok(isDone(link));
});

test('a long text is answered by all of its pieces, each shown once and in order', () => {
  const link = new LabUdpLink();
  const pieces = ['a '.repeat(600), 'b'.repeat(1200), 'c '.repeat(600), 'd'];
  link.send(say(pieces.join('')), 0);
  const shown: string[] = [];
  const hear = (...numbers: number[]) => {
    for (const n of numbers) {
      const reply = link.input(encodeReply(echo(pieces[n] as string)), 1);
      if (reply?.kind === 'chat') shown.push(reply.text.charAt(0));
    }
  };
  hear(0, 2, 3);
  assert.equal([shown.join(''), isDone(link)], ['a', false]);
  link.tick(300);
  hear(0, 1, 2);
  assert.equal([shown.join(''), isDone(link)], ['abc', false]);
  hear(3);
  assert.equal([shown.join(''), isDone(link)], ['abcd', true]);
});

test('what is answered twice because it was sent twice is shown once', () => {
  const link = new LabUdpLink();
  const hears = (reply: LabReply, now: number) => link.input(encodeReply(reply), now) !== undefined;
  link.send(join, 0);
  link.tick(300);
  assert.equal([hears(joined, 310), hears(joined, 320)], [true, false]);
  link.send(say('a'), 400);
  link.tick(700);
  link.tick(1000);
  assert.equal(
    [1010, 1020, 1030].map((now) => hears(echo('a'), now)),
    [true, false, false],
  );
  assert.ok(hears(echo('a'), 1040), 'no repetition of ours: somebody else of that name');
  link.send(say('b'), 1100);
  link.tick(1400);
  assert.equal([hears(echo('b'), 1410), hears(echo('b'), 9000)], [true, true]);
});

test('an answer that may be a late one of the text before is not taken for the new one', () => {
  const link = new LabUdpLink();
  link.send(say('a'), 0);
  link.tick(300);
  link.send(say('a'), 305);
  assert.ok(link.input(encodeReply(echo('a')), 310));
  assert.is(link.input(encodeReply(echo('a')), 320), undefined);
  assert.not.ok(isDone(link));
  assert.ok(link.input(encodeReply(echo('a')), 330));
  assert.ok(isDone(link));
});

test('LEFT_CHATROOM of another room answers nothing', () => {
  const link = new LabUdpLink();
  link.send({ kind: 'leave', ref: '0', joinId: '1', name: 'ann' }, 0);
  assert.is(link.input(encodeReply({ kind: 'left', ref: '1', joinId: '1' }), 1), undefined);
  assert.ok(link.input(encodeReply({ kind: 'left', ref: '0', joinId: '1' }), 2));
});

const goodbye = { kind: 'disconnect', ip: '127.0.0.1', port: '9', name: 'ann' } as const;
for (const [what, request, heard, ended] of [
  ['a request', join, true, 'refused'],
  ['goodbye to a server that was there', goodbye, true, 'left'],
  ['goodbye to one that never was', goodbye, false, 'refused'],
  ['KILL_SERVICE that was obeyed', { kind: 'kill' }, true, 'left'],
] as const) {
  test(`nobody listens any more: ${what} is ${ended}`, () => {
    const link = new LabUdpLink();
    if (heard) link.input(encodeReply(echo('hi', 'ben')), 0);
    link.send(request, 0);
    link.refused();
    assert.equal([link.ended, isDone(link)], [ended, true]);
  });
}

test('gives up after ten tries, and says goodbye three times at most', () => {
  const tries = (link: LabUdpLink): number => {
    let count = 0;
    for (let now = 0; now < 60_000; now += 50) {
      link.tick(now);
      while (link.next()) count++;
    }
    return count;
  };
  const silent = new LabUdpLink();
  silent.send(join, 0);
  assert.is(tries(silent), 10);
  assert.is(silent.ended, 'no answer');
  const leaving = new LabUdpLink();
  leaving.send(goodbye, 0);
  assert.is(tries(leaving), 3);
  assert.is(leaving.ended, 'left');
});

test('any datagram is a reply or nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const link = new LabUdpLink();
      link.send(join, 0);
      link.input(bytes, 1);
      assert.is(link.ended, 'no');
    }),
  );
});

test.run();
