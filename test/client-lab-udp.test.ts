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
const echo = (words: string): LabReply => ({ kind: 'chat', ref: '0', name: 'ann', text: words });

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
  leaving.send({ kind: 'disconnect', ip: '127.0.0.1', port: '9', name: 'ann' }, 0);
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
