import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Console } from '../src/console.ts';
import { HouseError } from '../src/errors.ts';
import type { Member } from '../src/room.ts';
import { FakeTongue, goIn, type PipeClient, settle } from './fakes.ts';
import { type FakeSource, type Guarded, openGuarded } from './guarded.ts';

const [ANN, BOB] = ['198.51.100.7', '198.51.100.8'];

interface Open {
  readonly on: Guarded;
  readonly console: Console;
  /** Addresses whose other connections were closed, of those that were asked about. */
  readonly closed: string[];
  readonly logged: string[];
}

function open(limits = ''): Open {
  const on = openGuarded(limits);
  const closed: string[] = [];
  const logged: string[] = [];
  const console = new Console({
    house: on.house,
    gate: on.gate,
    stop: () => {},
    expelFrom: (isThere) => {
      closed.push(...[ANN, BOB, '10.0.0.1', '127.0.0.1'].filter(isThere));
      return 0;
    },
    reload: () => '',
    log: (_level, _event, { command, failed } = {}) => void logged.push(`${command} ${failed}`),
  });
  return { on, console, closed, logged };
}

/** A `pipe` client of ours from there; put out as its connection would be. */
async function come(on: Guarded, name: string, ip: string, room = 'hall'): Promise<[PipeClient, FakeSource]> {
  const source = on.from(ip);
  const client = await goIn(on, name, room, true);
  source.onExpelled = (reason) => {
    client.session.dropped(reason);
    client.session.closed(reason);
  };
  return [client, source];
}

/** Somebody by UDP, whose dialect has no connection. */
async function comeByUdp(on: Guarded, name: string, ip: string): Promise<{ told: string[]; member: Member }> {
  on.from(ip, true);
  const told: string[] = [];
  const whisper = (_: Member, { text }: { text: string }) => told.push(text) > 0;
  const member = await on.house.enter(name, Object.assign(new FakeTongue('lab'), { whisper }), 'exactly');
  on.house.join(member, await on.house.openRoom('hall'));
  return { told, member };
}

const test = suite('console: people');

test('who: everybody, in a room or not, with where from', async () => {
  const { on, console } = open();
  await come(on, 'ann', ANN);
  on.from('2001:db8::1');
  await on.house.enter('eve', new FakeTongue('irc'), 'exactly');
  await comeByUdp(on, 'bob', BOB);
  assert.is(
    await console.line('who'),
    [
      'ann (pipe) 198.51.100.7:40001 in hall',
      'eve (irc) [2001:db8::1]:40001 in no room',
      'bob (lab) 198.51.100.8:40001 (UDP) in hall',
    ].join('\n'),
  );
  assert.is(await console.line('who EVE'), 'eve (irc) [2001:db8::1]:40001 in no room');
});

test('kick: told in its own form, and out; others hear that it left', async () => {
  const { on, console } = open();
  const [ann] = await come(on, 'ann', ANN);
  const [bob] = await come(on, 'bob', BOB);
  ann.take();
  assert.is(await console.line('kick BOB'), 'bob is out');
  await on.pass(100);
  assert.equal(bob.take(), ['ERROR|you were put out by the operator\nexit\n']);
  assert.match(ann.take().join(''), /bob has left/);
  assert.is(await console.line('kick bob'), 'nobody called bob is here');
  assert.equal(on.bugs, []);
});

test('kick: who has no connection is told, and out of its rooms', async () => {
  const { on, console } = open();
  const { told, member } = await comeByUdp(on, 'bob', BOB);
  await console.line('kick bob');
  assert.equal(told, ['you were put out by the operator']);
  assert.is(member.rooms.size, 0);
  assert.is(on.house.people, 0);
});

test('kick: who may come again', async () => {
  const { on, console } = open();
  await come(on, 'bob', BOB);
  await console.line('kick bob');
  await settle();
  on.clients.clear();
  await come(on, 'bob', BOB);
  assert.match(await console.line('who'), /^bob/);
});

test('ban NAME: the name and where it comes from, and all who are there', async () => {
  const { on, console, closed } = open();
  const [, annsSource] = await come(on, 'ann', ANN);
  const [, bobsSource] = await come(on, 'bob', BOB);
  const [, bensSource] = await come(on, 'ben', BOB);
  assert.is(await console.line('ban bob'), 'banned bob for good\nbanned 198.51.100.8 for good\n2 put out');
  assert.equal(
    [bobsSource.told, bensSource.told, annsSource.told],
    [['you are banned for good'], ['you are banned for good'], []],
  );
  assert.equal(closed, [BOB]);
  assert.equal(on.kept, ['+bob', '+198.51.100.8']);
  assert.is(on.gate.refuses(BOB, 0), 'banned');
  const refusal = await on.house.enter('Bob', new FakeTongue(), 'exactly').catch((error) => error);
  assert.instance(refusal, HouseError);
  assert.match(refusal.message, /bob is banned for good/);
});

test('who comes and goes for long leaves no trace of where from', async () => {
  const { on } = open();
  const { member } = await comeByUdp(on, 'bob', BOB);
  const den = await on.house.openRoom('den');
  for (let i = 0; i < 300; i++) {
    on.from(i < 100 ? BOB : `10.0.0.${i % 200}`, true);
    on.house.join(member, den);
    on.house.leave(member, den, 'left');
    if (i === 99) assert.is(on.house.presence('bob')?.sources.length, 1);
  }
  assert.ok((on.house.presence('bob')?.sources.length ?? 0) <= 64);
});

test('ban NAME: of somebody whom the server has not heard since its start', async () => {
  const on = openGuarded();
  const { console } = open();
  assert.match(await console.line('ban bob'), /^banned bob for good$/);
  const member = await on.house.enter('bob', new FakeTongue('datagram'), 'exactly');
  on.house.join(member, await on.house.openRoom('main'));
  const presence = on.house.presence('bob');
  if (presence) on.house.expel(presence, 'out');
  assert.is(on.house.people, 1);
});

test('ban NAME: an address that is trusted is not locked', async () => {
  const { on, console } = open();
  const [, source] = await come(on, 'bob', '127.0.0.1');
  assert.is((await console.line('ban bob 60')).split('\n').length, 2);
  assert.equal(source.told.length, 1);
  assert.is(on.gate.refuses('127.0.0.1', 0), undefined);
  assert.equal(on.kept, ['+bob']);
});

test('ban NAME: of somebody who is not here', async () => {
  const { console, on } = open();
  assert.is(await console.line('ban "bob smith"'), 'banned bob smith for good');
  assert.match(await console.line('ban bob smith 5'), /^banned bob smith until /);
  assert.match(await console.line('ban "room 12"'), /^banned room 12 for good/);
  assert.match(await console.line('ban "room 12" 5'), /^banned room 12 until /);
  assert.is(on.gate.bans.list().length, 2);
});

test('ban ADDRESS and NETWORK: whoever is there, in the house or not', async () => {
  const { on, console, closed } = open();
  const [, source] = await come(on, 'ann', '10.0.0.1');
  assert.match(await console.line('ban 10.0.0.0/8 10'), /^banned 10\.0\.0\.0\/8 until .* UTC\n1 put out$/);
  assert.match(source.told[0] ?? '', /^you are banned until /);
  assert.equal(closed, ['10.0.0.1']);
  await console.line('ban 127.0.0.1');
  assert.is(on.gate.refuses('127.0.0.1', 0), 'banned');
});

test('ban: not for nothing, and not everybody', async () => {
  const { console } = open();
  for (const line of ['ban', 'ban bob 0', 'ban bob 99999999', 'ban 0.0.0.0/0', 'ban ::/0', `ban ${'x'.repeat(100)}`]) {
    assert.ok((await console.answer(line, 'test')).hasFailed, line);
  }
  assert.is(await console.line('bans'), 'nobody is banned');
});

test('bans and unban', async () => {
  const { on, console } = open();
  await console.line('ban Bob');
  on.clock.now += 5;
  await console.line('ban 10.0.0.0/8');
  assert.is(await console.line('bans'), '10.0.0.0/8 (network) for good\nBob (name) for good');
  assert.is(await console.line('unban bob'), 'bob may come in again');
  assert.is(await console.line('unban 10.0.0.0/8'), '10.0.0.0/8 may come in again');
  assert.match(await console.line('unban bob'), /not banned/);
  assert.is(await console.line('bans'), 'nobody is banned');
});

test('ban and unban: what the store does not keep holds until a restart, and is told so', async () => {
  const { on, console, logged } = open();
  on.storeFails('the store failed: disk full');
  const { text, hasFailed } = await console.answer('ban bob 5', 'admin socket');
  assert.ok(hasFailed);
  assert.match(text, /^banned bob until .*\nin force, but only until a restart: the store failed: disk full$/);
  assert.equal(logged, ['ban bob 5 true']);
  assert.ok(on.gate.bans.ofName('bob'));
  assert.match(await console.line('unban bob'), /^bob may come in again\nin force, but only until a restart: /);
  on.storeFails(undefined);
  assert.match(await console.line('ban bob 5'), /^banned bob until \S+ \S+ UTC$/);
});

test('limits: as they are, and what is in use', async () => {
  const { on, console } = open('messages = 7+3/s\nidle = off');
  on.gate.enter(ANN);
  const text = await console.line('limits');
  assert.match(text, /^messages +7\+3\/s +messages of one connection$/m);
  assert.match(text, /^idle +off /m);
  assert.match(text, /^trusted +127\.0\.0\.0\/8, ::1 /m);
  assert.match(text, /^connections now: 1 \(198\.51\.100\.7: 1\)$/m);
  assert.ok(text.split('\n').every((line) => line.length <= 120));
});

test('who comes in, or enters rooms, too often is told so in its own form', async () => {
  const { on } = open('logins = 2+1/s\njoins = 1+1/s');
  on.from(ANN);
  const tongue = new FakeTongue();
  const member = await on.house.enter('a', tongue, 'exactly');
  await on.house.enter('b', tongue, 'exactly');
  const refusal = await on.house.enter('c', tongue, 'exactly').catch((error) => error);
  assert.instance(refusal, HouseError);
  assert.is(refusal.code, 'too-fast');
  on.house.join(member, await on.house.openRoom('hall'));
  const den = await on.house.openRoom('den');
  assert.throws(() => on.house.join(member, den), /too many rooms: try again in 1 s/);
  on.clock.now += 1000;
  on.house.join(member, den);
  on.from('127.0.0.1');
  for (const name of ['d', 'e', 'f', 'g']) await on.house.enter(name, tongue, 'exactly');
});
test.run();
