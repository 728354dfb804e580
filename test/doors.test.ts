import { once } from 'node:events';
import net from 'node:net';
import { setTimeout } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Alarms } from '../src/alarm.ts';
import { DoorKeeper } from '../src/doors.ts';
import type { Port, Session } from '../src/session.ts';
import { refusal } from './fakes.ts';
import { limited } from './launch.ts';

const HOME = '127.0.0.1';

const doors = suite('doors');
const sockets = new Set<net.Socket>();
let keepers: DoorKeeper[] = [];

doors.after.each(() => {
  for (const keeper of keepers) keeper.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  keepers = [];
});

const test = limited(doors);

/** Time passes when the test says so. */
function open(host = HOME) {
  const clock = { now: 0 };
  let ringAt = Number.POSITIVE_INFINITY;
  const alarms = new Alarms((at) => {
    ringAt = at;
  });
  const entered: Array<{ socket: net.Socket; open: (port: Port) => Session }> = [];
  const keeper = new DoorKeeper({
    host,
    socket: { allowHalfOpen: true },
    alarms,
    now: () => clock.now,
    enter: (socket, session) => {
      sockets.add(socket);
      entered.push({ socket, open: session });
    },
  });
  keepers.push(keeper);
  const ring = (ms: number) => {
    clock.now += ms;
    if (ringAt <= clock.now) alarms.ring(clock.now);
  };
  const unused: string[] = [];
  const door = (name: string, ip = HOME) => {
    const session = () => ({ name }) as unknown as Session;
    return keeper.open(ip, session, () => unused.push(name));
  };
  const names = () => entered.map((one) => (one.open({} as Port) as unknown as { name: string }).name);
  return { keeper, clock, alarms, ring, door, entered, names, unused };
}

/** How a connection goes: it is taken, closed by the server, or refused. */
async function knock(port: number, from = HOME): Promise<'in' | 'closed' | 'refused'> {
  const socket = net.connect({ port, host: HOME, localAddress: from });
  sockets.add(socket);
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'closed'));
    socket.on('close', () => resolve('closed'));
    socket.on('connect', () => {
      // who is turned away is so at once
      const patience = setTimeout(() => resolve('in'), 100);
      socket.on('close', () => clearTimeout(patience));
    });
    socket.resume();
  });
}

test('take one connection, and that is who the door was opened for', async () => {
  const { door, names, unused } = open();
  const [a, b] = [await door('ann'), await door('bob')];
  assert.is.not(a, b);
  assert.equal([await knock(b), await knock(a)], ['in', 'in']);
  assert.equal([names(), unused], [['bob', 'ann'], []]);
});

test('are closed once somebody came through', async () => {
  const { door, names } = open();
  const port = await door('ann');
  assert.equal([await knock(port), await knock(port), await knock(port)], ['in', 'refused', 'refused']);
  assert.equal(names(), ['ann']);
});

test('let one in of two who come at once', async () => {
  const { door, names } = open();
  const port = await door('ann');
  const all = await Promise.all(Array.from({ length: 5 }, () => knock(port)));
  assert.is(all.filter((one) => one === 'in').length, 1, all.join());
  assert.equal(names(), ['ann']);
});

test('are for one address; others are turned away, and the door stays open', async () => {
  const { door, names, unused } = open();
  const port = await door('ann');
  assert.equal([await knock(port, '127.0.0.2'), await knock(port, '127.0.0.3')], ['closed', 'closed']);
  assert.equal([names(), unused], [[], []]);
  assert.is(await knock(port), 'in');
  assert.equal(names(), ['ann']);
});

test('take an IPv4 address for itself on a server for both families', async () => {
  const { door, names } = open('');
  const port = await door('ann');
  assert.is(await knock(port), 'in');
  assert.equal(names(), ['ann']);
});

test('are open for ten seconds', async () => {
  const { door, names, ring, unused } = open();
  const port = await door('ann');
  const late = await door('late');
  ring(9_999);
  assert.equal([unused, await knock(port)], [[], 'in']);
  ring(1);
  assert.equal([unused, await knock(late)], [['late'], 'refused']);
  assert.equal(names(), ['ann']);
});

test('that were used or are late leave nothing', async () => {
  const { door, ring, unused, clock, alarms } = open();
  await knock(await door('ann'));
  await door('late');
  ring(10_000);
  assert.equal(unused, ['late']);
  for (let i = 0; i < 3; i++) ring(10_000);
  alarms.ring(clock.now + 1_000_000);
  assert.equal(unused, ['late'], 'told once');
});

test('what was taken goes on when the doors are closed', async () => {
  const { door, entered, keeper, unused } = open();
  const port = await door('ann');
  const other = await door('bob');
  const socket = net.connect({ port, host: HOME });
  sockets.add(socket);
  await once(socket, 'connect');
  while (entered.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  keeper.close();
  assert.equal([unused, await knock(other)], [['bob'], 'refused']);
  entered[0]?.socket.write('hello');
  assert.is(String((await once(socket, 'data'))[0]), 'hello');
});

test('are not left open by a close that comes while they are being opened', async () => {
  const { door, keeper, unused } = open();
  let port: number | undefined;
  door('ann').then(
    (opened) => {
      port = opened;
    },
    () => {},
  );
  keeper.close();
  assert.equal(unused, ['ann']);
  await new Promise((resolve) => setTimeout(resolve, 100));
  if (port !== undefined) assert.is(await knock(port), 'refused');
});

test('on an address that this machine has not are refused as full', async () => {
  const { door, unused } = open('203.0.113.1');
  assert.is(await refusal(door('ann')), 'full');
  assert.equal(unused, ['ann']);
});

test('are limited in number, for each network and for all', async () => {
  const { door, unused, keeper } = open();
  const opened = await Promise.all(Array.from({ length: 1000 }, (_, i) => door(`${i}`)));
  assert.is(new Set(opened).size, 1000);
  assert.is(await refusal(door('one more')), 'too-fast');
  assert.equal(unused.splice(0), ['one more']);
  const other = await door('from elsewhere', '127.0.0.2');
  assert.is(await knock(other, '127.0.0.2'), 'in');
  assert.is(await knock(opened[0] as number), 'in');
  await door('in its place');
  assert.is(await refusal(door('one more')), 'too-fast');
  keeper.close();
  assert.is(unused.length, 1 + 999 + 1);
  await door('again');
});

test('of a network of IPv6 are counted together', async () => {
  const { door } = open();
  await Promise.all(Array.from({ length: 1000 }, (_, i) => door(`${i}`, `2001:db8::${(i + 1).toString(16)}`)));
  assert.is(await refusal(door('one more', '2001:db8::ffff')), 'too-fast');
  await door('from elsewhere', '2001:db8:0:1::1');
});
doors.run();
