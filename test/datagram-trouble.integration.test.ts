// The datagram dialect when things go wrong: clients that do not answer, a server that dies, datagrams that nobody should
// send.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ACK,
  ack,
  allLive,
  bound,
  CHECK,
  Classic,
  conf,
  DEAF_MS,
  datagramTests,
  dereg,
  freg,
  group,
  HOST,
  LULL_MS,
  MAX_BYTES,
  MIN_GAP_MS,
  missed,
  msg,
  NO_REG,
  NOTHING,
  OTHER_HOST,
  receipt,
  reg,
  throwAway,
  timed,
  toOffline,
} from './datagram-peers.ts';
import { pause, runToEnd, type Server, start } from './launch.ts';

// --- who does not answer ----------------------------------------------------------------------------------

const silent = suite('datagram, clients that do not answer');
const silent_ = datagramTests(silent);

/** Two who know each other. */
async function two(): Promise<{ server: Server; x: Classic; y: Classic }> {
  const server = await start();
  const x = await Classic.join(server, 'x');
  const y = await Classic.join(server, 'y');
  await x.sees(/'y'/);
  for (const one of [x, y]) one.skipsTables = true;
  return { server, x, y };
}

silent_('a private message behind a group message is acknowledged and kept', async () => {
  const { x, y } = await two();
  y.isDeaf = true;
  await x.ask(group('to all', 'x'), ACK);
  await x.insist(toOffline('10:00:00', 'y', 'x', 'to you'));
  await pause(DEAF_MS);
  y.isDeaf = false;
  y.rest();
  await y.send(reg('y'));
  await y.expect(timed(missed("['x', 'HH:MM:SS', 'to all', True]", "['x', '10:00:00', 'to you', False]")));
});

silent_('a program that has crashed is started again while it is being asked', async () => {
  const { server, x, y } = await two();
  y.quit();
  await x.ask(group('to all', 'x'), ACK);
  const second = await Classic.open(server, 'y');
  await second.send(freg('y', second.port));
  await second.hears(/'conf_reg'/);
  await second.hears(timed(missed("['x', 'HH:MM:SS', 'to all', True]")));
  allLive(second);
});

silent_('who talks and does not acknowledge what others say finds it later', async () => {
  const { x, y } = await two();
  y.isDeaf = true;
  await x.ask(group('from x', 'x'), ACK);
  await y.send(group('from y', 'y'));
  await y.hears(ACK);
  await pause(DEAF_MS + LULL_MS);
  y.isDeaf = false;
  y.rest();
  await y.send(reg('y'));
  await y.expect(timed(missed("['x', 'HH:MM:SS', 'from x', True]")));
});

silent_('a reg that comes twice brings what waits once', async () => {
  const { x, y } = await two();
  await y.ask(dereg('y'), ACK);
  await x.ask(toOffline('10:00:00', 'y', 'x', 'to you'), ACK);
  for (let i = 0; i < 2; i++) await y.send(reg('y'));
  await y.expect(missed("['x', '10:00:00', 'to you', False]"));
  await x.expect(receipt('10:00:00', 'y'));
  await pause(LULL_MS);
  const again = [...x.rest(), ...y.rest()].filter((text) => text.includes('10:00:00'));
  assert.equal(again, []);
});

silent_('of several receipts none is lost when their reader is gone', async () => {
  const { x, y } = await two();
  await y.ask(dereg('y'), ACK);
  for (let i = 0; i < 3; i++) await x.ask(toOffline(`10:00:0${i}`, 'y', 'x', 'to you'), ACK);
  x.isDeaf = true;
  await y.send(reg('y'));
  await y.hears(/'offline_messages'/);
  await y.sees(/'x', '127\.0\.0\.1', \d+, False/);
  x.isDeaf = false;
  x.rest();
  await pause(LULL_MS);
  await x.send(reg('x'));
  const all = await x.expect(/\{'type': 'offline_messages'.*/s);
  for (let i = 0; i < 3; i++) assert.ok(all.includes(`sent at 10:00:0${i} received by y.`), all);
});

silent.run();

// --- what lasts -------------------------------------------------------------------------------------------

const lasting = suite('datagram, after kill -9');
const lasting_ = datagramTests(lasting);

async function crash(server: Server): Promise<Server> {
  server.kill('SIGKILL');
  await server.exit();
  return start({ data: server.data, port: server.tcp });
}

lasting_('names, who is there and what waits are there again; what was acknowledged comes once', async () => {
  const first = await start();
  const [x, y, z] = [
    await Classic.join(first, 'x'),
    await Classic.join(first, 'y'),
    await Classic.join(first, 'z'),
  ] as const;
  const all = [x, y, z];
  await x.sees(/'z'/);
  for (const one of all) one.skipsTables = true;
  await z.ask(dereg('z'), ACK);
  await x.ask(group('heard by y', 'x'), ACK);
  await y.expect(group('heard by y', 'x'));
  await x.ask(toOffline('10:00:00', 'z', 'x', 'private'), ACK);
  await y.ask(group('the last word', 'y'), ACK);
  await x.expect(group('the last word', 'y'));
  await pause(2 * MIN_GAP_MS);
  const second = await crash(first);
  const later = await Classic.open(second, 'later');
  // still in the order in which they registered
  await later.ask(
    freg('later', later.port),
    conf(['x', x.port], ['y', y.port], ['z', z.port, false], ['later', later.port]),
  );
  await later.hears(CHECK);
  await later.ask(dereg('later'), ACK);
  const foreign = await Classic.open(second, 'y', { host: OTHER_HOST });
  await foreign.ask(freg('y', foreign.port), NO_REG);
  await x.ask(group('are you there', 'x'), ACK);
  await y.expect(group('are you there', 'x'));
  for (const one of all) one.rest();
  await y.ask(dereg('y'), ACK);
  await y.send(reg('y'));
  await y.expect(NOTHING);
  await z.send(reg('z'));
  await z.expect(
    timed(
      missed(
        "['x', 'HH:MM:SS', 'heard by y', True]",
        "['x', '10:00:00', 'private', False]",
        "['y', 'HH:MM:SS', 'the last word', True]",
        "['x', 'HH:MM:SS', 'are you there', True]",
      ),
    ),
  );
  await x.expect(receipt('10:00:00', 'z'));
  // that it was acknowledged is on disk a little later
  await pause(2 * MIN_GAP_MS);
  await crash(second);
  for (const one of all) {
    await one.send(reg(one.name));
    await one.expect(NOTHING);
  }
  allLive(...all);
});

lasting_('what was acknowledged to its sender and heard by nobody is not lost', async () => {
  const { server, x, y } = await two();
  y.isDeaf = true;
  await x.ask(group('before', 'x'), ACK);
  y.arrivals.length = 0;
  await crash(server);
  y.isDeaf = false;
  await x.ask(group('after', 'x'), ACK);
  await pause(DEAF_MS);
  y.rest();
  await y.ask(dereg('y'), ACK);
  await y.send(reg('y'));
  await y.expect(/.*'offline_messages'.*/s);
  const heard = y.arrivals.map(({ text }) => text).filter((text) => text.includes("'before'"));
  assert.equal(new Set(heard).size, 1, heard.join('\n'));
  assert.match(heard[0] ?? '', timed(missed("['x', 'HH:MM:SS', 'before', True]")));
});

lasting.run();

// --- what nobody should send ------------------------------------------------------------------------------

const hostile = suite('datagram, hostile clients');
const hostile_ = datagramTests(hostile);

hostile_('requests in the name of somebody at another address are dropped', async () => {
  const server = await start();
  const x = await Classic.join(server, 'x');
  const y = await Classic.join(server, 'y');
  await x.sees(/'y'/);
  await pause(LULL_MS);
  for (const one of [x, y]) one.rest();
  for (const forged of [
    dereg('x'),
    reg('x'),
    group('forged', 'x'),
    toOffline('10:00:00', 'y', 'x', 'forged'),
    ack('x'),
    msg('forged', 'x'),
    "{'type': 'status_confirm', 'from': 'x'}",
  ]) {
    await throwAway(forged, server.udp, OTHER_HOST);
  }
  await Promise.all([x.silent(), y.silent()]);
  // nor does an ack settle anything for x
  x.isDeaf = true;
  await y.ask(group('hi', 'y'), ACK);
  for (let i = 0; i < 5; i++) {
    await throwAway(ack('x'), server.udp, OTHER_HOST);
    await pause(50);
  }
  await y.sees(/'x', '127\.0\.0\.1', \d+, False/);
  assert.is(x.rest().filter((text) => text === group('hi', 'y')).length, 3);
});

hostile_(
  'an address that never answers gets 20 KB at most; one that has lost a datagram goes on',
  async () => {
    const server = await start();
    const victim = await Classic.open(server, 'victim');
    const x = await Classic.open(server, 'x');
    for (const one of [victim, x]) {
      one.isDeaf = true;
      await one.send(freg(one.name, one.port));
      await one.hears(CHECK);
    }
    x.isDeaf = false;
    const enter = (name: string, ip: number) => throwAway(freg(name, 9), server.udp, `127.0.1.${ip}`);
    for (let i = 1; i <= 50; i++) await enter(`${'n'.repeat(40)}${i}`, i);
    for (let i = 1; i <= 60; i++) {
      await victim.send(freg('victim', victim.port));
      if (i % 5 === 0) await enter(`again${i}`, i);
      await pause(100);
    }
    const bytes = victim.arrivals.reduce((sum, one) => sum + one.bytes, 0);
    assert.ok(bytes > MAX_BYTES && bytes <= 20_000 + MAX_BYTES, `${bytes} bytes`);
    const y = await Classic.join(server, 'y');
    await y.send(group('still here?', 'y'));
    await x.hears(group('still here?', 'y'));
    allLive(victim, x, y);
  },
  30,
);

hostile_('nor does it get more under many names', async () => {
  const server = await start();
  const victim = await Classic.open(server, 'victim');
  victim.isDeaf = true;
  for (let i = 0; i < 60; i++) await victim.send(freg(`victim${i}`, victim.port));
  await pause(4 * LULL_MS);
  const bytes = victim.arrivals.reduce((sum, one) => sum + one.bytes, 0);
  assert.ok(bytes > 0 && bytes <= 20_000 + MAX_BYTES, `${bytes} bytes`);
});

const HOSTILE: ReadonlyArray<string | Uint8Array> = [
  '',
  '\0',
  '{',
  '{}',
  '[]',
  'None',
  '[[[[[[[[[[[[[[[[[',
  '['.repeat(65_507),
  '{'.repeat(65_507),
  '('.repeat(65_507),
  "{'type': ".repeat(7000),
  `{'type': 'GC', 'name': 'x', 'message': '${'\\'.repeat(65_000)}`,
  `{'type': 'GC', 'name': 'x', 'message': ${'9'.repeat(65_000)}}`,
  `{'type': 'GC', 'name': 'x', 'message': ${'-'.repeat(65_000)}1}`,
  `{'type': 'reg', 'name': '${'x'.repeat(65_000)}'}`,
  `{'type': 'freg', 'message': ('${'x'.repeat(65_000)}', 3333)}`,
  `{${"'a': 1, ".repeat(8000)}'type': 'nothing'}`,
  "{'type': 'nothing'}",
  "{'type': None}",
  "{'type': ['freg']}",
  "{'type': 'freg'}",
  "{'type': 'freg', 'message': None}",
  "{'type': 'freg', 'message': ()}",
  "{'type': 'freg', 'message': ('x',)}",
  "{'type': 'freg', 'message': ('port', 0)}",
  "{'type': 'freg', 'message': ('port', -1)}",
  "{'type': 'freg', 'message': ('port', 65536)}",
  "{'type': 'freg', 'message': ('port', 10**9)}",
  "{'type': 'freg', 'message': ('port', True)}",
  "{'type': 'freg', 'message': (None, 3333)}",
  "{'type': 'dereg'}",
  "{'type': 'dereg', 'name': 'nobody'}",
  "{'type': 'dereg', 'name': ['x']}",
  "{'type': 'reg', 'name': '__proto__'}",
  "{'type': 'GC', 'name': 'x'}",
  "{'type': 'GC', 'name': 'nobody', 'message': 'hi'}",
  "{'type': 'GC', 'message': {'a': 1}, 'name': 'x'}",
  "{'type': 'to_offline', 'name_to': 'x', 'name_from': 'nobody', 'timestamp': '10:00:00', 'message': 'hi'}",
  "{'type': 'ack', 'from': 'server'}",
  "{'type': 'ack'}",
  "{'type': 'conf_reg', 'table': {}}",
  "{'type': 'table_update', 'table': {'x': ('x', '127.0.0.1', 1, True)}}",
  "{'type': 'offline_messages', 'offline_messages': []}",
  '__import__("os").system("false")',
  "{'type': __import__('os').system('false')}",
  Buffer.of(0xff, 0xfe, 0x00),
  Buffer.concat([Buffer.from("{'type': 'GC', 'message': '"), Buffer.of(0xff, 0xc0), Buffer.from("', 'name': 'x'}")]),
  Buffer.concat([Buffer.from("{'type': 'freg', 'message': ('"), Buffer.of(0xe2, 0x98), Buffer.from("', 3333)}")]),
];

hostile_('datagrams of every kind change nothing and are not answered', async () => {
  const server = await start();
  const x = await Classic.join(server, 'x');
  const one = await bound(0, HOST);
  let answers = 0;
  one.on('message', () => answers++);
  for (let round = 0; round < 3; round++) {
    for (const bytes of HOSTILE)
      await new Promise<void>((resolve) => one.send(bytes, server.udp, HOST, () => resolve()));
  }
  await x.silent();
  assert.is(answers, 0);
  await x.ask(group('hi', 'x'), ACK);
});

hostile_('names that would spoil a screen are refused', async () => {
  const server = await start();
  const x = await Classic.join(server, 'x');
  for (const name of [
    '',
    '   ',
    'a\\nb',
    '\\x1b[2J',
    '\\x00',
    '\\u202eniffirg',
    '\\ud800',
    '\\ufdd0\\x7f',
    'y'.repeat(200),
    'server',
  ]) {
    const other = await Classic.open(server, name);
    await other.ask(freg(name, other.port), NO_REG);
    await other.silent(2 * MIN_GAP_MS);
  }
  // what is said is another matter
  const y = await Classic.join(server, 'y');
  x.rest();
  y.skipsTables = true;
  await x.send(group('\\x1b[2J\\n\\x00 \\ud800', 'x'));
  await y.expect(/\{'type': 'GC', 'message': '[\x20-\x7e\ufffd]*', 'name': 'x'\}/);
  allLive(x, y);
});

hostile_('-s with a port that is none: one line, and status 2', async () => {
  for (const port of ['70000', '-1', 'abc', '', '5000x', '1e3']) {
    const { status, stdout, stderr } = await runToEnd({ port: 'none', args: ['-s', port] });
    assert.equal([status, stdout, stderr.split('\n').length], [2, '', 2], `${port}: ${stderr}`);
  }
  const { status, stdout, stderr } = await runToEnd({ port: 'none', args: ['-s'] });
  assert.equal([status, stdout, stderr.split('\n').length], [2, '', 2], stderr);
});

hostile.run();
