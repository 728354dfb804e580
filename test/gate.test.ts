import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bans } from '../src/bans.ts';
import { Bucket } from '../src/bucket.ts';
import { Gate } from '../src/gate.ts';
import { parseLimitsFile, readLimits } from '../src/limits.ts';
import { Reading } from '../src/reading.ts';

const IP = '198.51.100.7';

function open(text = '', wall = () => 0) {
  const store = { putBan: async () => {}, dropBan: async () => {} };
  const bans = new Bans(store, wall, () => {});
  return new Gate(readLimits(parseLimitsFile(text)), bans);
}

/** How many of so many get in at that time. */
function crowd(gate: Gate, many: number, ip: string, now = 0): number {
  let came = 0;
  for (let i = 0; i < many; i++) {
    if (gate.refuses(ip, now) !== undefined) continue;
    gate.enter(ip);
    came++;
  }
  return came;
}

const bucket = suite('bucket');

bucket('gives a burst at once, then so much a second', () => {
  const one = new Bucket();
  const rate = { burst: 10, perSecond: 2 };
  assert.is(one.spend(rate, 10, 0), 0);
  assert.is(one.spend(rate, 1, 0), 500);
  assert.is(one.spend(rate, 1, 0), 1000);
  assert.is(one.spend(rate, 0, 1000), 0);
});

bucket('takes nothing for what it refuses', () => {
  const one = new Bucket();
  const rate = { burst: 2, perSecond: 1 };
  assert.equal([one.take(rate, 1, 0), one.take(rate, 1, 0)], [0, 0]);
  for (let i = 0; i < 100; i++) assert.is(one.take(rate, 1, 0), 1000);
  assert.is(one.take(rate, 1, 1000), 0);
});

bucket('never gives more than the burst and what has come since', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 1, max: 20 })), { maxLength: 60 }), (steps) => {
      const one = new Bucket();
      const rate = { burst: 20, perSecond: 5 };
      let [now, got] = [0, 0];
      for (const [pause, amount] of steps) {
        now += pause;
        if (one.take(rate, amount, now) === 0) got += amount;
        assert.ok(got <= 20 + (now / 1000) * 5 + 1e-6);
      }
    }),
  ),
);

bucket('without a limit is never empty', () => {
  const rate = { burst: Number.POSITIVE_INFINITY, perSecond: Number.POSITIVE_INFINITY };
  const one = new Bucket();
  assert.is(one.spend(rate, 1e12, 0), 0);
  assert.ok(one.isFull(rate, 0));
});
bucket.run();

const gate = suite('gate');

gate('lets so many connections of one network in, and of other networks more', () => {
  const one = open('connections-each = 3');
  assert.is(crowd(one, 5, IP), 3);
  assert.is(crowd(one, 5, '198.51.100.8'), 3);
  assert.is(one.connections, 6);
});

gate('takes a /64 of IPv6 for one network', () => {
  const one = open('connections-each = 3');
  assert.is(crowd(one, 2, '2001:db8:1:1::1'), 2);
  assert.is(crowd(one, 2, '2001:db8:1:1:ffff::9'), 1);
  assert.is(crowd(one, 2, '2001:db8:1:2::1'), 2);
});

gate('lets so many in altogether, and who is trusted besides', () => {
  const one = open('connections = 3');
  for (let i = 0; i < 3; i++) assert.is(crowd(one, 1, `198.51.100.${i}`), 1);
  assert.is(crowd(one, 1, IP), 0);
  assert.is(crowd(one, 50, '127.0.0.1'), 50);
});

gate('has a place again when somebody leaves, once', () => {
  const one = open('connections-each = 1');
  const visit = one.enter(IP);
  assert.is(one.refuses(IP, 0), 'connections-each');
  visit.leave();
  visit.leave();
  assert.is(one.connections, 0);
  assert.is(one.refuses(IP, 0), undefined);
});

gate('lets new connections come at a rate', () => {
  const one = open('arrivals-each = 10+2/s');
  const come = (now: number) => (one.refuses(IP, now) === undefined ? 1 : 0);
  let came = 0;
  for (let now = 0; now < 10_000; now += 10) came += come(now);
  assert.is(came, 10 + 19);
  assert.is(one.refuses('127.0.0.1', 0), undefined);
});

gate('forgets networks that are not there, and no others', () => {
  const one = open('connections-each = 2');
  one.enter(IP);
  for (let i = 0; i < 30_000; i++) one.refuses(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 0);
  one.enter(IP);
  assert.is(one.refuses(IP, 0), 'connections-each');
});

gate('remembers what was asked for from where nobody is any more', () => {
  const one = open('arrivals-each = 3+1/s');
  for (let i = 0; i < 3; i++) {
    assert.is(one.refuses(IP, 0), undefined);
    one.enter(IP).leave();
  }
  assert.is(one.refuses(IP, 0), 'arrivals-each');
  assert.equal(one.busiest(9), []);
});

gate('says who has the most connections', () => {
  const one = open();
  crowd(one, 2, IP);
  crowd(one, 3, '198.51.100.8');
  assert.equal(one.busiest(1), [['198.51.100.8', 3]]);
  assert.equal(one.busiest(9).length, 2);
});

gate('slows who sends more messages, or more bytes', () => {
  const visit = open('messages = 10+2/s\nbytes = 1000+100/s').enter(IP);
  assert.is(visit.read(10, 100, 0), 0);
  assert.is(visit.read(1, 10, 0), 500);
  const other = open('messages = 10+2/s\nbytes = 1000+100/s').enter(IP);
  assert.is(other.read(1, 1500, 0), 5000);
});

gate('never slows who is trusted', () => {
  const visit = open('messages = 1+1/s').enter('127.0.0.1');
  for (let i = 0; i < 100; i++) assert.is(visit.read(1e6, 1e9, 0), 0);
  assert.equal([visit.login(0), visit.join(0), visit.isHopeless(1e9)], [0, 0, false]);
});

gate('slows those of a network who send more than their part, and no others', () => {
  const one = open('messages-each = 100+10/s\npatience = 5');
  const [loud, quiet] = [one.enter(IP), one.enter(IP)];
  assert.is(loud.read(100, 0, 0), 0, 'nobody else wants anything');
  assert.is(loud.read(1, 0, 0), 10_200, 'its part is 50, and 5 a second');
  assert.is(quiet.read(5, 5, 0), 0);
  assert.ok(loud.read(60, 0, 5000) > 0);
  assert.is(quiet.read(1, 1, 5000), 0);
  assert.equal([loud.isHopeless(5000), quiet.isHopeless(5000)], [true, false]);
});

gate('lets a network that was far too fast go on when those who were are gone', () => {
  const one = open('messages-each = 100+10/s');
  const crowd = Array.from({ length: 50 }, () => one.enter(IP));
  for (const each of crowd) each.read(1000, 0, 0);
  for (const each of crowd) each.leave();
  assert.is(one.refusesDatagram(IP, 1, 10, 2000) ?? 'none', 'none');
});

gate('loosened limits hold at once, also for who was too fast', () => {
  const one = open('bytes = 10+1/s');
  const visit = one.enter(IP);
  assert.ok(visit.read(1, 100_000, 0) > 10_000);
  one.limits = readLimits();
  assert.is(visit.read(0, 0, 1), 0);
});

gate('gives up who is too fast for long without a pause', () => {
  const visit = open('messages = 10+1/s\npatience = 60').enter(IP);
  let now = 0;
  for (; now < 59_000; now += visit.read(20, 10, now)) assert.not(visit.isHopeless(now));
  visit.read(20, 10, now);
  assert.ok(visit.isHopeless(60_000));
});

gate('gives nobody up who makes a pause', () => {
  const visit = open('messages = 10+1/s\npatience = 60').enter(IP);
  for (let now = 0; now < 1_000_000; now += 30_000) {
    visit.read(20, 10, now);
    assert.not(visit.isHopeless(now));
  }
});

for (const what of ['login', 'join'] as const) {
  gate(`lets one connection ${what} so often, and its network more`, () => {
    const one = open(`${what}s = 3+1/s\n${what}s-each = 5+1/s`);
    const [first, second] = [one.enter(IP), one.enter(IP)];
    for (let i = 0; i < 3; i++) assert.is(first[what](0), 0);
    assert.is(first[what](0), 1000);
    assert.equal([second[what](0), second[what](0)], [0, 0]);
    assert.is(second[what](0), 1000);
    // what the network refused has cost nothing
    assert.equal([second[what](1000), second[what](1000)], [0, 1000]);
  });
}

gate('answers a stranger by UDP with little more than it has sent', () => {
  const one = open('answers = 1000+100/s');
  let sent = 0;
  for (let i = 0; i < 1000; i++) if (one.mayAnswer(IP, 9, 100, 0)) sent += 100;
  assert.is(sent, 1000);
  assert.is(one.refusesDatagram(IP, 9, 50, 0), undefined);
  for (let i = 0; i < 1000; i++) if (one.mayAnswer(IP, 9, 100, 0)) sent += 100;
  assert.is(sent, 1100);
  assert.ok(one.mayAnswer(IP, 10, 100, 0), 'another port has its own');
  assert.ok(one.mayAnswer('127.0.0.1', 9, 1e6, 0));
});

gate('answers a network by UDP with no more than that, whatever the ports', () => {
  const one = open('answers = 1000+100/s\nanswers-each = 5000+100/s');
  let sent = 0;
  for (let port = 1; port < 30_000; port++) if (one.mayAnswer(IP, port, 100, 0)) sent += 100;
  assert.is(sent, 5000);
});

gate('reads datagrams of a network at a rate', () => {
  const one = open('messages-each = 10+1/s');
  const heard = Array.from({ length: 20 }, (_, port) => one.refusesDatagram(IP, port, 10, 0));
  assert.is(heard.filter((why) => why === undefined).length, 10);
  assert.is(one.refusesDatagram('127.0.0.1', 1, 10, 0), undefined);
});

gate('lets nobody in who is banned, trusted or not', () => {
  const clock = { now: 0 };
  const one = open('', () => clock.now);
  one.bans.add('127.0.0.0/8', 5);
  assert.is(one.refuses('127.0.0.1', 0), 'banned');
  assert.is(one.refusesDatagram('127.0.0.1', 1, 10, 0), 'banned');
  clock.now = 5 * 60_000;
  assert.is(one.refuses('127.0.0.1', 0), undefined);
});

gate('takes other limits while people are there', () => {
  const one = open();
  const visit = one.enter(IP);
  one.limits = readLimits(parseLimitsFile('messages = 1+1/s\ntrusted = 198.51.100.9'));
  assert.is(visit.read(2, 1, 0), 1000);
  assert.ok(one.isTrusted('198.51.100.9'));
});
gate.run();

const reading = suite('reading');

function read(text: string, ip = IP): Reading {
  return new Reading(open(text).enter(ip), 0);
}

reading('stops for who is too fast, until nothing is owed', () => {
  const one = read('messages = 10+10/s');
  assert.is(one.count(10, 10, 0), 'fine');
  assert.is(one.count(5, 5, 0), 'slower');
  assert.not(one.isOpen);
  assert.is(one.deadline, 500);
  assert.is(one.tick(499), undefined);
  assert.is(one.tick(500), 'go on');
  assert.ok(one.isOpen);
});

reading('is hopeless for who stays too fast', () => {
  const one = read('messages = 1+1/s\npatience = 3');
  let now = 0;
  let pace = one.count(10, 10, now);
  while (pace === 'slower') {
    now = one.deadline;
    one.tick(now);
    pace = one.count(1, 1, now);
  }
  assert.is(pace, 'hopeless');
  assert.ok(now >= 3000 && now < 20_000, String(now));
});

reading('ends for who is silent, but not for who is in the house or was not read', () => {
  const one = read('idle = 60\nmessages = 1+1/s\npatience = 1000');
  assert.is(one.deadline, 60_000);
  one.count(1, 1, 30_000);
  assert.is(one.tick(89_999), undefined);
  assert.is(one.tick(90_000), 'idle');
  one.count(101, 101, 80_000);
  let now = 80_000;
  while (one.tick(now) !== 'go on') now = one.deadline;
  assert.is(now, 180_000);
  assert.is(one.deadline, 240_000);
  one.mayBeSilent();
  assert.is(one.deadline, Number.POSITIVE_INFINITY);
});

reading('stops while anything of it is full, and never for who is trusted', () => {
  const one = read('messages = 1+1/s', '127.0.0.1');
  assert.is(one.count(1000, 1000, 0), 'fine');
  assert.is(one.deadline, Number.POSITIVE_INFINITY);
  one.isCongested = true;
  assert.not(one.isOpen);
  one.isCongested = false;
  one.isSessionFull = true;
  assert.not(one.isOpen);
});

reading.run();
