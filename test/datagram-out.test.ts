// `datagram` members and what a house does that knows where its people come from: put out, banned, too many.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LocalBackbone } from '../src/backbone.ts';
import { Bans } from '../src/bans.ts';
import { DatagramSource } from '../src/datagram-source.ts';
import { Gate } from '../src/gate.ts';
import { GuardedHouse } from '../src/guarded-house.ts';
import { parseLimitsFile, readLimits } from '../src/limits.ts';
import type { Address } from '../src/session.ts';
import { type DatagramMessage, encodeDatagram } from '../src/wire-datagram.ts';
import { MemoryStore, openDatagram, startedAgain, type TestDatagram } from './fakes.ts';

const X: Address = { ip: '198.51.100.1', port: 3001 };
const KICKED = ' [You are out: enough.]';

interface World {
  readonly on: TestDatagram;
  readonly house: GuardedHouse;
  readonly gate: Gate;
  /** On behalf of where it comes from. */
  send(from: Address, message: DatagramMessage): Promise<void>;
  join(name: string, at?: Address, isOurs?: boolean): Promise<void>;
}

function open(limits = '', store = new MemoryStore()): World {
  const clock = { now: 1000 };
  const bugs: unknown[] = [];
  const backbone = new LocalBackbone(store);
  const wall = () => clock.now;
  const bans = new Bans({ putBan: async () => {}, dropBan: async () => {} }, wall, (error) => bugs.push(error));
  const gate = new Gate(readLimits(parseLimitsFile(limits)), bans);
  let source: DatagramSource | undefined;
  const onBug = (error: unknown) => bugs.push(error);
  const house = new GuardedHouse({ backbone, wall, onBug, bans, now: wall, source: () => source });
  const on = openDatagram({ on: { house, store, bugs, clock }, backbone });
  const { send: transmit } = on.port;
  Object.assign(on.port, {
    send: (bytes: Uint8Array, to: Address) => {
      if (gate.mayAnswer(to.ip, to.port, bytes.length, clock.now)) transmit(bytes, to);
      else on.port.ignoredOnes.push('answers');
    },
    hasRoomToSpare: (length: number, { ip, port }: Address) => gate.hasRoomToSpare(ip, port, length, clock.now),
  });
  const send = async (from: Address, message: DatagramMessage) => {
    const { length } = encodeDatagram(message);
    if (gate.refusesDatagram(from.ip, from.port, length, clock.now)) return;
    source = new DatagramSource(gate, from);
    await on.send(from, message);
    source = undefined;
  };
  const join = async (name: string, at = X, isOurs = false) => {
    await send(at, { kind: 'freg', name, port: at.port, isOurs });
    await on.pass(60);
    await send(at, { kind: 'status_confirm', from: name });
    await on.pass(200);
  };
  return { on, house, gate, send, join };
}

function kick({ house }: World, name: string): boolean {
  const presence = house.presence(name);
  return presence !== undefined && house.expel(presence, 'enough');
}

/** In the order in which they came, tables and questions left out. */
function told(on: TestDatagram, at: Address): string[] {
  const those = on.take(at).filter(({ kind }) => kind !== 'table_update' && kind !== 'status_check');
  return those.map((message) => (message.kind === 'error' ? message.text : message.kind));
}

const test = suite('datagram: out');

test('who is put out is told why, is offline, and is not heard', async () => {
  const world = open();
  const { on, house } = world;
  await world.join('x');
  told(on, X);
  assert.ok(kick(world, 'x'));
  await on.pass(100);
  assert.equal([told(on, X), house.people], [[KICKED], 0]);
  await world.send(X, { kind: 'group', name: 'x', text: 'still here' });
  await on.pass(1000);
  assert.equal([told(on, X), on.store.posts.length, house.people], [[], 0, 0]);
  await world.send(X, { kind: 'reg', name: 'x' });
  await on.pass(1000);
  assert.equal([told(on, X)[0], house.people, on.bugs], ['offline_messages', 1, []]);
});

test('a classic program gets that at its own pace: after the answer that it waits for, 40 ms apart', async () => {
  const world = open();
  const { on } = world;
  await world.join('x');
  on.sent.length = 0;
  const at = on.clock.now;
  await world.send(X, { kind: 'group', name: 'x', text: 'hi' });
  kick(world, 'x');
  await on.pass(1000);
  assert.equal(
    on.sent.map(({ at: then, bytes }) => [then - at, /'type': '(\w+)'/.exec(new TextDecoder().decode(bytes))?.[1]]),
    [
      [30, 'ack'],
      [70, 'error'],
    ],
  );
});

test('who has moved to another port is told there', async () => {
  const world = open();
  const { on, house } = world;
  await world.join('x');
  const there = { ...X, port: 4444 };
  await world.send(there, { kind: 'freg', name: 'x', port: 4444, isOurs: false });
  await on.pass(1000);
  on.sent.length = 0;
  assert.ok(kick(world, 'x'));
  await on.pass(1000);
  assert.equal([told(on, there), told(on, X), house.people, on.bugs], [[KICKED], [], 0, []]);
});

test('who was there before a restart is where it was, and is put out like others', async () => {
  const before = open();
  await before.join('x');
  const world = open('', startedAgain(before.on.store));
  const { on, house } = world;
  await on.pass(100);
  assert.equal(house.presence('x')?.sources, [{ remote: X, isDatagram: true, isGone: false }]);
  on.sent.length = 0;
  assert.ok(kick(world, 'x'));
  await on.pass(1000);
  await world.send(X, { kind: 'group', name: 'x', text: 'still here' });
  await on.pass(1000);
  assert.equal([told(on, X), on.store.posts.length, house.people, on.bugs], [[KICKED], 0, 0, []]);
});

test('a banned name is told so whatever it tries, and is never in', async () => {
  const world = open();
  const { on, house, gate } = world;
  await world.join('x');
  gate.bans.add('x');
  kick(world, 'x');
  await on.pass(1000);
  told(on, X);
  const banned = " [You can't be online: the name x is banned for good.]";
  await world.send(X, { kind: 'reg', name: 'x' });
  await on.pass(1000);
  assert.equal(told(on, X), [banned]);
  await world.send(X, { kind: 'freg', name: 'x', port: X.port, isOurs: false });
  await on.pass(1000);
  assert.equal(told(on, X), [banned, 'no_reg']);
  await world.send(X, { kind: 'ack', from: 'x' });
  await world.send(X, { kind: 'group', name: 'x', text: 'hi' });
  await on.pass(1000);
  assert.equal([told(on, X), on.store.posts.length, house.people, on.bugs], [[], 0, 0, []]);
});

test('who is put out while it comes in stays out', async () => {
  const world = open();
  const { on, house } = world;
  const isIn = new Promise<void>((resolve) => {
    const openRoom = house.openRoom.bind(house);
    house.openRoom = async (name) => {
      const room = await openRoom(name);
      kick(world, 'x');
      resolve();
      return room;
    };
  });
  await world.send(X, { kind: 'freg', name: 'x', port: X.port, isOurs: false });
  await isIn;
  await on.pass(1000);
  assert.equal([house.people, house.findRoom('main')?.people.size, on.bugs], [0, 0, []]);
});

test('too many names: how long to wait, before the word for a name that is refused', async () => {
  const world = open('logins-each = 1+1/s');
  const { on } = world;
  await world.join('x');
  const late = { ...X, port: 3002 };
  const at = on.clock.now;
  await world.send(late, { kind: 'freg', name: 'y', port: late.port, isOurs: false });
  await on.pass(1000);
  assert.equal(
    on.sent.filter(({ to }) => to.endsWith(':3002')).map((sent) => sent.at - at),
    [30, 70],
  );
  const [error, refusal, ...others] = told(on, late);
  assert.match(
    error ?? '',
    /^ \[You can't be online: too many have come in from where you are: try again in \d+ s\.\]$/,
  );
  assert.equal([refusal, others], ['no_reg', []]);
});
test.run();

const crowd = suite('datagram: a class behind one address');

const PEOPLE = 200;

async function crowded(limits: string, isOurs: boolean): Promise<World & { readonly all: readonly Address[] }> {
  const world = open(limits);
  const { on } = world;
  const all = Array.from({ length: PEOPLE }, (_, i) => ({ ip: X.ip, port: 3000 + i }));
  const byAddress = new Map(all.map(({ port }, i) => [`${X.ip}:${port}`, { i, port }]));
  on.onSent = (sent) => {
    on.sent.push(sent);
    const who = byAddress.get(sent.to);
    const kind = /'type': '(\w+)'/.exec(new TextDecoder().decode(sent.bytes))?.[1];
    if (!who) return;
    const from = `user${who.i}`;
    if (kind === 'status_check') void world.send({ ...X, port: who.port }, { kind: 'status_confirm', from });
    if (kind === 'GC' || kind === 'offline_messages') void world.send({ ...X, port: who.port }, { kind: 'ack', from });
  };
  for (const [i, at] of all.entries()) {
    await world.send(at, { kind: 'freg', name: `user${i}`, port: at.port, isOurs });
    await on.pass(20);
  }
  return { ...world, all };
}

for (const isOurs of [false, true]) {
  crowd(`${isOurs ? 'our' : 'classic'} clients: all come in and hear all, and nothing is refused`, async () => {
    const { on, house, all, send } = await crowded('', isOurs);
    await on.pass(10_000);
    assert.equal([house.people, on.port.ignoredOnes, on.bugs], [PEOPLE, [], []]);
    const last = new Map(on.sent.filter(({ bytes }) => bytes.length > 1000).map(({ to, bytes }) => [to, bytes]));
    const tables = new Set(
      [...last.values()].map((bytes) => new TextDecoder().decode(bytes).replace(/^.*'table': /, '')),
    );
    assert.equal([last.size, tables.size], [PEOPLE, 1], 'the last table is that of all');
    on.sent.length = 0;
    await send(all[0] as Address, { kind: 'group', name: 'user0', text: 'hello' });
    await on.pass(2000);
    const heard = on.sent.filter(({ bytes }) => new TextDecoder().decode(bytes).includes("'GC'"));
    assert.is(new Set(heard.map(({ to }) => to)).size, PEOPLE - 1);
    assert.equal([house.people, on.port.ignoredOnes], [PEOPLE, []]);
  });
}

crowd('tables are a bounded number of bytes a second, however often somebody comes or goes', async () => {
  const { on, all, send } = await crowded('', false);
  await on.pass(10_000);
  on.sent.length = 0;
  const started = on.clock.now;
  for (let i = 0; i < 100; i++) {
    const who = { kind: i % 2 === 0 ? 'dereg' : 'reg', name: 'user0' } as const;
    await send(all[0] as Address, who);
    await on.pass(60);
  }
  const seconds = (on.clock.now - started) / 1000;
  const others = on.sent.filter(({ to, bytes }) => to !== `${X.ip}:3000` && bytes.length > 1000);
  const bytes = others.reduce((sum, one) => sum + one.bytes.length, 0);
  assert.ok(bytes > 0 && bytes <= (seconds + 1) * 524_288, `${bytes} bytes in ${seconds} s`);
});

crowd('where there is little room, tables leave what is asked for its own', async () => {
  const { on, house, all, send } = await crowded('answers-each = 100K+20K/s', false);
  await on.pass(30_000);
  const confirmed = on.sent.filter(({ bytes }) => new TextDecoder().decode(bytes).includes("'conf_reg'"));
  assert.is(new Set(confirmed.map(({ to }) => to)).size, PEOPLE);
  on.sent.length = 0;
  for (const [i, at] of all.slice(0, 20).entries()) {
    await send(at, { kind: 'to_offline', time: '00:00:01', to: 'nobody', from: `user${i}`, text: 'x' });
  }
  await on.pass(70);
  const answered = on.sent.filter(({ bytes }) => new TextDecoder().decode(bytes).includes("'error'"));
  assert.equal([answered.length, house.people], [20, PEOPLE]);
});
crowd.run();

const spare = suite('gate: what can wait');

spare('leaves half of what may go at once', () => {
  const { gate } = open('answers = 1000+100/s\nanswers-each = 3000+100/s');
  assert.ok(gate.hasRoomToSpare(X.ip, 1, 500, 0));
  assert.not(gate.hasRoomToSpare(X.ip, 1, 501, 0));
  assert.ok(gate.hasRoomToSpare(X.ip, 1, 500, 0), 'it takes nothing');
  assert.ok(gate.mayAnswer(X.ip, 1, 800, 0) && gate.mayAnswer(X.ip, 2, 800, 0));
  assert.not(gate.hasRoomToSpare(X.ip, 3, 1, 0), 'of the network');
  assert.ok(gate.mayAnswer(X.ip, 3, 1000, 0));
  assert.ok(gate.hasRoomToSpare('127.0.0.1', 1, 1_000_000, 0), 'who is trusted has no limit');
});
spare.run();
