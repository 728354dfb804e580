import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LabUdp } from '../src/lab-udp.ts';
import type { Address } from '../src/session.ts';
import { FakeDatagramPort, FakeTongue, openHouse, openLab, settle, type TestLab } from './fakes.ts';

const ANN: Address = { ip: '198.51.100.7', port: 7000 };
const BOB: Address = { ip: '198.51.100.8', port: 8000 };
/** Where Ann wants her answers; her requests come from another port. */
const CALLBACK = '198.51.100.7:7777';
const MINUTE = 60_000;

interface TestUdp extends TestLab {
  readonly udp: LabUdp;
  readonly port: FakeDatagramPort;
  /** Somebody of another dialect in room1. */
  readonly watcher: FakeTongue;
  /** Sends a datagram and waits for what it causes. */
  send(from: Address, lines: string, now?: number): Promise<void>;
}

async function open(lab = openLab()): Promise<TestUdp> {
  const port = new FakeDatagramPort();
  const udp = new LabUdp(lab.lab, port);
  const watcher = new FakeTongue();
  const room = await lab.house.openRoom('room1');
  await lab.house.refOf(room, 'lab');
  lab.house.join(await lab.house.enter('watcher', watcher, 'exactly'), room);
  watcher.take();
  const send = (from: Address, lines: string, now = 0) => {
    udp.receive(new TextEncoder().encode(lines), from, now);
    return settle();
  };
  return { ...lab, udp, port, watcher, send };
}

const join = (room = 'room1', name = 'ann', ip = ANN.ip, port = '7777') =>
  `JOIN_CHATROOM: ${room}\nCLIENT_IP: ${ip}\nPORT: ${port}\nCLIENT_NAME: ${name}\n`;
const leave = (ref: string | number = 0, id: string | number = 1) =>
  `LEAVE_CHATROOM: ${ref}\nJOIN_ID: ${id}\nCLIENT_NAME: ann\n`;
const disconnect = (ip = ANN.ip) => `DISCONNECT: ${ip}\nPORT: 7777\nCLIENT_NAME: ann\n`;
const say = (text: string, seq = '', id: string | number = 1, ref: string | number = 0) =>
  `CHAT: ${ref}\nJOIN_ID: ${id}\nCLIENT_NAME: ann\nMESSAGE: ${text}\n\n${seq && `SEQ: ${seq}\n`}`;
const chat = (text: string, name = 'ann') => `CHAT: 0\nCLIENT_NAME: ${name}\nMESSAGE: ${text}\n\n`;
const JOINED = 'JOINED_CHATROOM: room1\nSERVER_IP: 192.0.2.1\nPORT: 5000\nROOM_REF: 0\nJOIN_ID: 1\n';
const LEFT = 'LEFT_CHATROOM: 0\nJOIN_ID: 1\n';
const error = (code: number) => new RegExp(`^ERROR_CODE: ${code}\nERROR_DESCRIPTION: [^\n]+\n$`);

/** With Ann in room1, and everything taken that was sent for it. */
async function withAnn(lab?: TestLab): Promise<TestUdp> {
  const test = await open(lab);
  await test.send(ANN, join());
  test.port.take();
  test.watcher.take();
  return test;
}

const each = suite('lab over UDP: each request');

each('HELO is answered where it came from', async () => {
  const { send, port } = await open();
  await send(ANN, 'HELO x');
  assert.equal(port.take('198.51.100.7:7000'), ['HELO x\nIP:192.0.2.1\nPort:5000\nStudentID:0042\n']);
});

each('is answered at the callback port, which may be another than the source', async () => {
  const { send, port, watcher } = await open();
  await send(ANN, join());
  assert.equal(port.take(CALLBACK), [JOINED, chat('ann has joined this chatroom.')]);
  await send({ ...ANN, port: 7001 }, say('hi'));
  assert.equal(port.take(CALLBACK), [chat('hi')]);
  await send({ ...ANN, port: 7002 }, leave());
  assert.equal(port.take(CALLBACK), [LEFT, chat('ann has left this chatroom.')]);
  assert.equal(watcher.take(), ['room1 +ann', 'room1 ann: hi', 'room1 -ann (left)']);
});

each('that asks for callbacks to another host is refused, and that host gets nothing', async () => {
  const { send, port, house } = await open();
  for (const request of [join('room1', 'ann', BOB.ip), disconnect(BOB.ip)]) {
    await send(ANN, request);
    assert.equal([...new Set(port.sent.map(({ to }) => to))], ['198.51.100.7:7000']);
    assert.match(port.take()[0] as string, error(9));
  }
  assert.is(house.people, 1);
});

each('JOIN with a port that is none is refused', async () => {
  const { send, port } = await open();
  for (const bad of ['65536', '-1', 'x', '99999999']) {
    await send(ANN, join('room1', 'ann', ANN.ip, bad));
    assert.match(port.take('198.51.100.7:7000')[0] as string, error(1), bad);
  }
});

each('of an unknown JOIN_ID is error 3', async () => {
  const { send, port, watcher } = await withAnn();
  await send(BOB, say('hi', '', 99));
  assert.match(port.take('198.51.100.8:8000')[0] as string, error(3));
  assert.equal(watcher.take(), []);
});

each('of another client’s JOIN_ID does nothing to that client', async () => {
  const { send, port, watcher, house } = await withAnn();
  await send(BOB, say('I am ann', '', 1));
  assert.match(port.take('198.51.100.8:8000')[0] as string, error(3));
  await send(BOB, leave());
  await send(BOB, disconnect());
  assert.equal(watcher.take(), []);
  assert.is(house.people, 2);
  assert.equal(port.take(CALLBACK), []);
});

const WRONG: Array<[string, number, string]> = [
  ['a malformed JOIN', 1, 'JOIN_CHATROOM: room1\nPORT: 1\n'],
  ['a JOIN cut short', 1, 'JOIN_CHATROOM: room1\n'],
  ['a CHAT to an unknown room', 2, say('hi', '', 1, 77)],
  ['a LEAVE of an unknown room', 2, leave(77)],
  ['a CHAT to a room one is not in', 4, say('hi', '', 1, 'other')],
  ['a JOIN of no room', 5, join('')],
];
for (const [what, code, request] of WRONG) {
  each(`${what} is error ${code}`, async () => {
    const test = await withAnn();
    await test.house.openRoom('other');
    await test.send(ANN, request);
    const answers = test.port.take();
    assert.is(answers.length, 1);
    assert.match(answers[0] as string, error(code));
  });
}

each('that is none is ignored', async () => {
  const { send, port } = await open();
  for (const noise of ['', '\n', 'hello', '\0\xff', '{}']) await send(ANN, noise);
  assert.equal(port.take(), []);
});

each('may be a room’s name', async () => {
  const { send, port } = await withAnn();
  await send(ANN, say('hi', '', 1, 'ROOM1'));
  await send(ANN, leave('room1'));
  assert.equal(port.take(CALLBACK), [chat('hi'), LEFT, chat('ann has left this chatroom.')]);
});
each.run();

const repeats = suite('lab over UDP: repeats');

repeats('of JOIN get the same answer, and one announcement', async () => {
  const { send, port, watcher } = await open();
  await Promise.all([send(ANN, join()), send(ANN, join())]);
  assert.equal(port.take(CALLBACK), [JOINED, chat('ann has joined this chatroom.')]);
  await send({ ...ANN, port: 7001 }, join(), 5000);
  assert.equal(port.take(CALLBACK), [JOINED]);
  assert.equal(watcher.take(), ['room1 +ann']);
});

repeats('of LEAVE get the same answer, and one announcement', async () => {
  const { send, port, watcher } = await withAnn();
  await send(ANN, leave());
  assert.equal(port.take(CALLBACK), [LEFT, chat('ann has left this chatroom.')]);
  for (let i = 0; i < 3; i++) {
    await send(ANN, leave(), i * 3000);
    assert.equal(port.take(CALLBACK), [LEFT]);
  }
  assert.equal(watcher.take(), ['room1 -ann (left)']);
});

repeats('of DISCONNECT leave once', async () => {
  const { send, port, watcher, house, bugs } = await withAnn();
  for (let i = 0; i < 3; i++) await send(ANN, disconnect(), i);
  assert.equal(port.take(), [chat('ann has left this chatroom.')]);
  assert.equal([watcher.take().length, house.people, bugs], [1, 1, []]);
});

repeats('of CHAT within 2 s are answered and not posted', async () => {
  const { send, port, watcher } = await withAnn();
  await send(ANN, say('hi'), 1000);
  await send(ANN, say('hi'), 1500);
  await send({ ...ANN, port: 7001 }, say('hi'), 2999);
  assert.equal(port.take(CALLBACK), [chat('hi'), chat('hi'), chat('hi')]);
  assert.equal(watcher.take(), ['room1 ann: hi']);
});

repeats('of CHAT after 2 s are posted', async () => {
  const { send, watcher } = await withAnn();
  await send(ANN, say('hi'), 1000);
  await send(ANN, say('hi'), 3001);
  assert.equal(watcher.take(), ['room1 ann: hi', 'room1 ann: hi']);
  await send(ANN, say('hi'), 3002);
  await send(ANN, say('hi'), 5000);
  assert.equal(watcher.take(), []);
  await send(ANN, say('hi'), 5002);
  assert.equal(watcher.take(), ['room1 ann: hi']);
});

repeats('of CHAT with a SEQ are posted when it is new', async () => {
  const { send, port, watcher } = await withAnn();
  for (const seq of ['1', '1', '2', '1', '2']) await send(ANN, say('hi', seq), 1000);
  assert.is(port.take(CALLBACK).length, 5);
  assert.equal(watcher.take(), ['room1 ann: hi', 'room1 ann: hi']);
});

repeats('are none when the text is another, even with a SEQ that was there', async () => {
  const { send, watcher } = await withAnn();
  await send(ANN, say('one', '1'), 1000);
  await send(ANN, say('two', '1'), 60_000);
  assert.equal(watcher.take(), ['room1 ann: one', 'room1 ann: two']);
});

repeats('of one client are none of another’s', async () => {
  const { send, port, watcher } = await withAnn();
  await send(BOB, join('room1', 'bob', BOB.ip, '0'), 1000);
  watcher.take();
  port.take();
  await send(ANN, say('hi'), 1000);
  await send(BOB, say('hi', '', 2), 1000);
  assert.equal(watcher.take(), ['room1 ann: hi', 'room1 bob: hi']);
  assert.is(port.take(CALLBACK).length, 2);
});

repeats('of a refused CHAT are tried again', async () => {
  const { send, port, watcher } = await withAnn();
  await send(ANN, leave(), 1000);
  port.take();
  await send(ANN, say('hi'), 1000);
  assert.match(port.take(CALLBACK)[0] as string, error(4));
  await send(ANN, join(), 1100);
  await send(ANN, say('hi'), 1200);
  assert.is(port.take(CALLBACK).at(-1), chat('hi'));
  assert.is(watcher.take().at(-1), 'room1 ann: hi');
});
repeats.run();

const saving = suite('lab over UDP: acknowledgements');

saving('come when the post is saved; the others hear it at once', async () => {
  const { send, port, watcher, store } = await withAnn();
  store.saving = 'held';
  await send(ANN, say('hi'), 1000);
  await send(ANN, say('hi'), 1500);
  assert.equal([port.take(CALLBACK), watcher.take()], [[], ['room1 ann: hi']]);
  store.release();
  await settle();
  assert.equal(port.take(CALLBACK), [chat('hi')]);
  await send(ANN, say('hi'), 1600);
  assert.equal(port.take(CALLBACK), [chat('hi')]);
});

saving('are an error when the post is not saved', async () => {
  const { send, port, store } = await withAnn();
  store.saving = 'fails';
  await send(ANN, say('hi'), 1000);
  const answers = port.take(CALLBACK);
  assert.is(answers.length, 1);
  assert.match(answers[0] as string, /^ERROR_CODE: \d+\nERROR_DESCRIPTION: the disk is full\n$/);
});

const LONG: Array<[string, string]> = [
  ['letters', 'x'.repeat(5000)],
  ['umlauts', 'ä'.repeat(3000)],
  ['emoji of several code points', '👩‍👩‍👧‍👦'.repeat(400)],
  ['lines', 'line\n'.repeat(800).trimEnd()],
];
for (const [what, text] of LONG) {
  saving(`of ${what} longer than 1,400 bytes are several CHATs that together are the text`, async () => {
    const { send, port, watcher } = await withAnn();
    await send(ANN, say(text), 1000);
    for (const { bytes } of port.sent) assert.ok(bytes <= 1400, `${bytes} bytes`);
    const pieces = port
      .take(CALLBACK)
      .map((datagram) => /^CHAT: 0\nCLIENT_NAME: ann\nMESSAGE: (.*)\n\n$/s.exec(datagram)?.[1]);
    assert.ok(pieces.length > 1 && pieces.length < 12, `${pieces.length} pieces`);
    assert.is(pieces.join('').replaceAll('\n', ''), text.replaceAll('\n', ''));
    assert.equal(watcher.take(), [`room1 ann: ${text}`]);
    if (what.startsWith('emoji')) for (const piece of pieces) assert.match(piece as string, /^(👩‍👩‍👧‍👦)+$/u);
  });
}
saving.run();

const bounds = suite('lab over UDP: bounds');

bounds('a silent client leaves after the idle time, not before', async () => {
  const { send, udp, watcher, house } = await withAnn();
  await send(ANN, say('hi'), MINUTE);
  assert.is(udp.deadline(), 6 * MINUTE);
  udp.tick(6 * MINUTE - 1);
  assert.is(house.people, 2);
  udp.tick(6 * MINUTE);
  udp.tick(6 * MINUTE);
  assert.equal([house.people, udp.deadline()], [1, Number.POSITIVE_INFINITY]);
  assert.is(watcher.take().length, 2);
  await send(ANN, join(), 7 * MINUTE);
  assert.is(house.people, 2);
});

bounds('the deadline is that of the one who was silent longest', async () => {
  const { send, udp, house } = await withAnn();
  await send(BOB, join('room1', 'bob', BOB.ip, '0'), MINUTE);
  await send(ANN, say('hi'), 2 * MINUTE);
  assert.is(udp.deadline(), 6 * MINUTE);
  udp.tick(6 * MINUTE);
  assert.equal([house.people, udp.deadline()], [2, 7 * MINUTE]);
});

bounds('there are at most 10,000 clients; those in no room make place', async () => {
  const { send, udp, port, house } = await open(openLab({}, openHouse({ people: 20_000, rooms: 20_000 })));
  const at = (i: number) => ({ ip: `10.0.${i % 100}.1`, port: i });
  const joinAt = (i: number, room: string) => join(room, `n${i}`, at(i).ip, `${i}`);
  for (let i = 1; i <= 9999; i++) udp.receive(new TextEncoder().encode(joinAt(i, `r${i}`)), at(i), i);
  await send(at(10_000), joinAt(10_000, ''), 10_000);
  await send(at(10_001), joinAt(10_001, 'r1'), 10_001);
  assert.is(house.people, 1 + 10_000);
  port.take();
  await send(at(10_002), joinAt(10_002, 'r1'), 10_002);
  assert.match(port.take().at(-1) as string, error(11));
  await send(at(1), joinAt(1, 'r1'), 10_003);
  assert.match(port.take()[0] as string, /^JOINED/, 'who is here is served');
});

bounds('one host takes at most 250 places, and gives them back', async () => {
  const { send, port, house } = await open();
  for (let i = 1; i <= 251; i++) await send(ANN, join('r', `n${i}`, ANN.ip, `${i}`));
  assert.is(house.people, 1 + 250);
  assert.match(port.take(`${ANN.ip}:${ANN.port}`).at(-1) as string, error(11));
  await send(ANN, `DISCONNECT: ${ANN.ip}\nPORT: 1\nCLIENT_NAME: n1\n`);
  await send(ANN, join('r', 'late', ANN.ip, '300'));
  assert.match(port.take(`${ANN.ip}:300`)[0] as string, /^JOINED/);
});

bounds('one client is in at most a hundred rooms, whatever its handles', async () => {
  const { send, port, house } = await open();
  for (let i = 0; i <= 100; i++) await send(ANN, join(`r${i}`, `n${i}`));
  assert.is(house.people, 1 + 100);
  assert.match(port.take().at(-1) as string, error(9));
});
bounds.run();

const order = suite('lab over UDP: order');

order('a LEFT does not overtake a CHAT that is not stored yet', async () => {
  const test = await withAnn();
  test.store.saving = 'held';
  await test.send(ANN, say('hi'));
  await test.send(ANN, leave());
  assert.equal(test.port.take(), []);
  test.store.release();
  await settle();
  assert.equal(test.port.take(), [chat('hi'), LEFT, chat('ann has left this chatroom.')]);
});

order('what waits behind it is bounded', async () => {
  const test = await withAnn();
  test.store.saving = 'held';
  await test.send(ANN, say('hi'));
  for (let i = 0; i < 1000; i++) await test.send(ANN, leave(77));
  test.store.release();
  await settle();
  assert.is(test.port.take().length, 256);
});
order.run();
