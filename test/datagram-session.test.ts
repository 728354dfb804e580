import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import type { Person, Whisper } from '../src/events.ts';
import type { Tongue } from '../src/room.ts';
import type { Address } from '../src/session.ts';
import { type DatagramMessage, encodeDatagram } from '../src/wire-datagram.ts';
import {
  FakePort,
  FakeTongue,
  LobbyClient,
  openDatagram,
  openLab,
  openLobby,
  openMenu,
  settle,
  startedAgain,
  type TestDatagram,
} from './fakes.ts';

/** A model of a client that answers what it is asked, unless it is gone. */
class Client {
  readonly name: string;
  readonly address: Address;
  readonly #on: TestDatagram;
  /** What it has got: kinds, or `kind: text`. */
  got: string[] = [];
  messages: DatagramMessage[] = [];
  times: number[] = [];
  isGone = false;

  constructor(on: TestDatagram, name: string, address: Address) {
    this.#on = on;
    this.name = name;
    this.address = address;
  }

  receive(message: DatagramMessage): void {
    if (this.isGone) return;
    const { kind } = message;
    this.messages.push(message);
    this.times.push(this.#on.clock.now);
    this.got.push(tell(message));
    if (kind === 'status_check') this.send({ kind: 'status_confirm', from: this.name });
    const isAsked = kind === 'group' || kind === 'msg' || kind === 'offline_messages';
    if (isAsked) this.send({ kind: 'ack', from: this.name });
  }

  /** From a port that nobody listens on. */
  send(message: DatagramMessage | string): Promise<void> {
    return this.#on.send({ ip: this.address.ip, port: 33_333 }, message);
  }

  /** What it has got since the last time, without what everybody gets all the time. */
  take(): string[] {
    this.messages = [];
    this.times = [];
    return this.got.splice(0).filter((one) => one !== 'status_check' && !one.startsWith('table_update'));
  }

  get table(): string {
    return this.got.findLast((one) => one.startsWith('table_update')) ?? '';
  }
}

function tell(message: DatagramMessage): string {
  switch (message.kind) {
    case 'conf_reg':
    case 'table_update':
      return `${message.kind} ${message.table.map(({ name, online }) => `${online ? '+' : '-'}${name}`).join(' ')}`;
    case 'group':
      return `GC ${message.name}: ${message.text}`;
    case 'msg':
      return `msg ${message.from ?? 'None'}: ${message.text}`;
    case 'ack':
      return `ack ${message.from}`;
    case 'offline_messages':
      return `offline ${message.messages
        .map(({ from, text, isGroup }) => `${from ?? 'None'}${isGroup ? '*' : ''}: ${text}`)
        .join(' | ')}`;
    case 'error':
      return `error${message.text}`;
    default:
      return message.kind;
  }
}

interface World {
  readonly on: TestDatagram;
  readonly clients: Map<string, Client>;
  /** Registers; each has an IP of its own. */
  join(name: string, options?: { isOurs?: boolean; ip?: string; port?: number }): Promise<Client>;
  pass(ms: number): Promise<void>;
}

async function open(on: TestDatagram = openDatagram(), known: Iterable<Client> = []): Promise<World> {
  const clients = new Map<string, Client>();
  const byAddress = new Map<string, Client>();
  const { decodeDatagram } = await import('../src/wire-datagram.ts');
  on.onSent = (sent) => {
    const client = byAddress.get(sent.to);
    if (client) client.receive(decodeDatagram(sent.bytes));
    else on.sent.push(sent);
  };
  const add = (client: Client) => {
    clients.set(client.name, client);
    byAddress.set(`${client.address.ip}:${client.address.port}`, client);
  };
  for (const { name, address } of known) add(new Client(on, name, address));
  return {
    on,
    clients,
    join: async (name, { isOurs = false, ip, port } = {}) => {
      const n = clients.size + 1;
      const client = new Client(on, name, { ip: ip ?? `198.51.100.${n}`, port: port ?? 3000 + n });
      add(client);
      await client.send({ kind: 'freg', name, port: client.address.port, isOurs });
      await on.pass(200);
      return client;
    },
    pass: (ms) => on.pass(ms),
  };
}

const TIME = '00:00:01';
const group = (name: string, text: string): DatagramMessage => ({ kind: 'group', name, text });
const toOffline = (from: string, to: string, text: string): DatagramMessage => ({
  kind: 'to_offline',
  time: TIME,
  to,
  from,
  text,
});
const freg = (name: string, port: number, isOurs = false): DatagramMessage => ({ kind: 'freg', name, port, isOurs });
const dereg = (name: string): DatagramMessage => ({ kind: 'dereg', name });
const reg = (name: string): DatagramMessage => ({ kind: 'reg', name });
const RECEIVED = (name: string, time = TIME) => ` [Offline Message sent at ${time} received by ${name}.]`;

async function three(on?: TestDatagram): Promise<World & { x: Client; y: Client; z: Client }> {
  const world = await open(on);
  const [x, y, z] = [await world.join('x'), await world.join('y'), await world.join('z')];
  for (const client of [x, y, z]) client.take();
  world.on.tables.splice(0);
  return { ...world, x, y, z };
}

const registering = suite('datagram: names');

registering('a new name is confirmed after 30 ms; the others get the table within 50 ms', async () => {
  const { on, join, pass } = await open();
  const x = await join('x');
  assert.equal(x.got.slice(0, 2), ['conf_reg +x', 'status_check']);
  x.take();
  const at = on.clock.now;
  const y = new Client(on, 'y', { ip: '198.51.100.77', port: 1111 });
  await y.send(freg('y', 1111));
  await pass(200);
  assert.equal(
    on.sent.map(({ at: then, to, bytes }) => `${then - at} ${to} ${new TextDecoder().decode(bytes)}`).slice(0, 1),
    [
      "30 198.51.100.77:1111 {'type': 'conf_reg', 'table': {'x': ('x', '198.51.100.1', 3001, True), 'y': ('y', '198.51.100.77', 1111, True)}}",
    ],
  );
  assert.equal([x.got, x.times.map((then) => then - at)], [['table_update +x +y'], [50]]);
});

registering('a name that is taken is refused, online or not', async () => {
  const { on, x, pass } = await three();
  for (const name of ['x', 'X', ' x ', 'ｘ']) {
    await on.send({ ip: '203.0.113.9', port: 1 }, freg(name, 9999));
    await pass(29);
    assert.equal(on.take({ ip: '203.0.113.9', port: 9999 }), []);
    await pass(1);
    assert.equal(on.take({ ip: '203.0.113.9', port: 9999 }), [{ kind: 'no_reg' }], name);
  }
  await x.send(dereg('x'));
  await on.send({ ip: '203.0.113.9', port: 1 }, freg('x', 9999));
  await pass(100);
  assert.equal(on.take({ ip: '203.0.113.9', port: 9999 }), [{ kind: 'no_reg' }]);
  assert.is(on.sent.length, 0);
});

registering('the names of accounts, and those of members of other dialects, are refused', async () => {
  const on = openDatagram();
  await on.backbone.addAccount({ key: 'ann', name: 'Ann', hash: '' } as never);
  await on.house.enter('bob', new FakeTongue(), 'exactly');
  for (const name of ['ann', 'Bob', 'server', 'all', '', ' ', 'a\nb', 'x'.repeat(65), '\ud800', '\u200b']) {
    await on.send({ ip: '203.0.113.9', port: 1 }, freg(name, 9999));
    await on.pass(100);
    assert.equal(on.take({ ip: '203.0.113.9', port: 9999 }), [{ kind: 'no_reg' }], name);
  }
  assert.equal([on.store.contacts.size, on.bugs, on.port.bugs], [0, [], []]);
});

registering('the same name, IP and port again is confirmed again', async () => {
  const { on, x, y, pass } = await three();
  await x.send(freg('x', x.address.port));
  await pass(200);
  assert.equal(x.take(), ['conf_reg +x +y +z']);
  assert.equal(y.take(), []);
  assert.is(on.tables.length, 0);
});

registering('many copies at once are one registration, and get one answer', async () => {
  const { on, pass } = await open();
  const at = { ip: '203.0.113.9', port: 9999 };
  for (let i = 0; i < 5; i++) on.session.receive(encodeDatagram(freg('x', 9999)), at, on.clock.now);
  await pass(1000);
  assert.equal(on.take(at).map(tell), ['conf_reg +x', 'status_check']);
  assert.equal([on.house.people, on.store.contacts.size, on.bugs], [1, 1, []]);
  await pass(61_000);
  assert.equal([on.house.people, on.store.contacts.size], [0, 0], 'nobody has ever answered');
});

registering('a name that is offline moves with its owner, who is told to be there', async () => {
  const { on, x, y, pass } = await three();
  await x.send(dereg('x'));
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(100);
  on.sent.length = 0;
  const there = { ip: x.address.ip, port: 4444 };
  await on.send(there, freg('x', 4444));
  await pass(30);
  assert.equal(on.take(there).map(tell), ['conf_reg +x +y +z']);
  await pass(300);
  assert.equal(
    on
      .take(there)
      .map(tell)
      .filter((one) => one.startsWith('offline')),
    ['offline y: hi'],
  );
});

registering('an online name moves when its owner does not answer, and not when it does', async () => {
  const { on, x, pass } = await three();
  const there = { ip: x.address.ip, port: 4444 };
  await on.send(there, freg('x', 4444));
  await pass(1000);
  assert.equal(on.take(there), [{ kind: 'no_reg' }]);
  x.isGone = true;
  await on.send(there, freg('x', 4444));
  await pass(500);
  assert.is(tell(on.take(there)[0] as DatagramMessage), 'conf_reg +x +y +z');
});

registering('a client that deregisters while it is coming back is offline', async () => {
  const { on, x, y, pass } = await three();
  await x.send(dereg('x'));
  await pass(200);
  for (const message of [reg('x'), dereg('x')]) on.session.receive(encodeDatagram(message), x.address, on.clock.now);
  await pass(500);
  assert.is(y.table, 'table_update -x +y +z');
});

registering('a burst of a thousand is few tables for each', async () => {
  const { on, x, pass } = await three();
  for (let i = 0; i < 1000; i++) {
    const from = { ip: `10.0.${i % 250}.1`, port: 2000 + i };
    on.session.receive(encodeDatagram(freg(`n${i}`, from.port)), from, on.clock.now);
    if (i % 10 === 0) await pass(1);
  }
  await pass(1000);
  const tables = x.got.filter((one) => one.startsWith('table_update')).length;
  assert.ok(tables >= 1 && tables <= 5, `${tables} tables`);
  const most = new Map<string, number>();
  for (const { to, bytes } of on.sent) {
    assert.ok(bytes.length <= 2048);
    most.set(to, (most.get(to) ?? 0) + 1);
  }
  assert.ok(Math.max(...most.values()) <= 9, `${Math.max(...most.values())} datagrams`);
  assert.is(on.house.people, 3, 'who never answers is not taken to be there');
});

registering('of one IP there are at most 250, in all 10,000', async () => {
  const on = openDatagram();
  const from = (i: number) => ({ ip: `10.0.${Math.floor(i / 250)}.1`, port: 2000 + i });
  const contacts = Array.from({ length: 9999 }, (_, i) => ({
    key: `n${i}`,
    name: `n${i}`,
    ...from(i),
    isOurs: false,
    isOnline: false,
    seen: 0,
    heard: 0,
  }));
  const store = startedAgain(on.store);
  const full = openDatagram({ store: Object.assign(store, { start: { ...store.start, contacts } }) });
  for (const [name, at, wanted] of [
    ['a', { ip: '10.0.3.1', port: 1 }, ['error', 'no_reg']],
    ['b', { ip: '192.0.2.9', port: 1 }, ['conf_reg', 'status_check']],
    ['c', { ip: '192.0.2.10', port: 1 }, ['error', 'no_reg']],
  ] as const) {
    await full.send(at, freg(name, 1));
    await full.pass(100);
    const kinds = full.take(at).map(({ kind }) => kind);
    assert.equal(kinds.slice(0, 2), wanted, name);
  }
});

registering('the table has who is online first, then who was seen last, and fits', async () => {
  const { on, join, pass } = await open();
  const clients: Client[] = [];
  for (let i = 0; i < 60; i++) clients.push(await join(`member-number-${i}`));
  for (const client of clients.slice(0, 50)) {
    await client.send(dereg(client.name));
    await pass(1);
  }
  await pass(500);
  const last = clients.at(-1) as Client;
  const rows = last.messages.findLast(({ kind }) => kind === 'table_update') as DatagramMessage & {
    kind: 'table_update';
  };
  assert.ok(encodeDatagram(rows).length <= 2048);
  const online = rows.table.filter((row) => row.online).map(({ name }) => name);
  assert.equal(
    online,
    clients.slice(50).map(({ name }) => name),
  );
  const offline = rows.table.filter((row) => !row.online).map(({ name }) => name);
  assert.ok(offline.length > 10 && offline.length < 50);
  assert.ok(offline.includes('member-number-49') && !offline.includes('member-number-0'), 'seen last');
  assert.equal([...on.bugs, ...on.port.bugs], []);
});
registering('its owner may spell it another way, from the same address', async () => {
  const { on, x, y, pass } = await three();
  const again = new Client(on, 'X', x.address);
  await again.send(freg('X', x.address.port));
  await pass(300);
  assert.is(
    x.got.find((one) => one.startsWith('conf_reg')),
    'conf_reg +X +y +z',
  );
  assert.is(y.table, 'table_update +X +y +z');
});

registering('is nobody else’s in any dialect, while its owner is away', async () => {
  const { on, x, pass } = await three();
  await x.send(dereg('x'));
  await pass(100);
  const member = await on.house.enter('x', new FakeTongue(), 'aliased');
  assert.is(member.person.name, 'x~2');
  const refused = await on.backbone.addAccount({ key: 'x', name: 'x', hash: '', made: 0 }).catch((error) => error.code);
  assert.is(refused, 'name-taken');
});

registering('a refusal does not go where somebody is online', async () => {
  const { on, x, y, pass } = await three();
  await on.send({ ip: y.address.ip, port: 1 }, freg('server', y.address.port));
  await on.send({ ip: x.address.ip, port: 1 }, freg('y', x.address.port));
  await pass(200);
  assert.equal([x.take(), y.take()], [[], []]);
});
registering.run();

const groups = suite('datagram: group chat');

groups('is acknowledged, and told to the others who are online', async () => {
  const { on, x, y, z, pass } = await three();
  const at = on.clock.now;
  await x.send(group('x', 'hi'));
  await pass(1000);
  assert.equal([x.times[0], x.take(), y.take(), z.take()], [at + 30, ['ack server'], ['GC x: hi'], ['GC x: hi']]);
});

groups('is acknowledged when it is stored', async () => {
  const { on, x, y, pass } = await three();
  on.store.saving = 'held';
  await x.send(group('x', 'hi'));
  await pass(50);
  assert.equal([x.take(), y.take()], [[], ['GC x: hi']]);
  on.store.release();
  await pass(1);
  assert.equal(x.take(), ['ack server']);
  on.store.saving = 'fails';
  await x.send(group('x', 'lost'));
  await pass(300);
  await x.send(group('x', 'lost'));
  await pass(100);
  const told = 'error [That was said, but could not be kept.]';
  assert.equal([x.take(), y.take(), on.port.bugs], [[told, told], ['GC x: lost'], []], 'all have heard it once');
});

groups('copies within half a second are acknowledged and not said again', async () => {
  const { on, x, y, pass } = await three();
  for (let i = 0; i < 5; i++) {
    await x.send(group('x', 'hi'));
    await pass(100);
  }
  await pass(200);
  assert.equal([x.take(), y.take()], [new Array(5).fill('ack server'), ['GC x: hi']]);
  await x.send(group('x', 'hi'));
  await pass(300);
  assert.equal([y.take(), on.store.posts.length], [['GC x: hi'], 2]);
});

groups('who does not acknowledge is asked three times, 200 ms apart, and finds it when it comes back', async () => {
  const { on, x, y, z, pass } = await three();
  z.isGone = true;
  const asked: number[] = [];
  const forward = on.onSent;
  on.onSent = (sent) => {
    if (sent.to.endsWith(`:${z.address.port}`) && new TextDecoder().decode(sent.bytes).includes('GC')) {
      asked.push(sent.at);
    }
    forward?.(sent);
  };
  await x.send(group('x', 'one'));
  await pass(300);
  await y.send(group('y', 'two'));
  await pass(299);
  assert.is(on.tables.length, 0);
  await pass(200);
  assert.equal(
    asked.map((then) => then - (asked[0] as number)),
    [0, 200, 400],
  );
  assert.equal([x.table, y.table], ['table_update +x +y -z', 'table_update +x +y -z']);
  await x.send(group('x', 'three'));
  await x.send(dereg('x'));
  await x.send(reg('x'));
  await pass(1000);
  z.isGone = false;
  z.got = [];
  await z.send(reg('z'));
  await pass(500);
  assert.equal(z.take(), ['offline x*: one | y*: two | x*: three']);
  await z.send(reg('z'));
  await pass(500);
  assert.equal(z.take(), ['offline ']);
});

groups('what a client says itself does not hide what it has not heard', async () => {
  const { x, y, pass } = await three();
  y.isGone = true;
  await x.send(group('x', 'before'));
  await pass(50);
  await y.send(group('y', 'mine'));
  await pass(1000);
  y.isGone = false;
  await y.send(reg('y'));
  await pass(500);
  assert.equal(y.take(), ['offline x*: before']);
});

groups('a client that was given up and says something is back, and has missed nothing', async () => {
  const { x, y, z, pass } = await three();
  y.isGone = true;
  await x.send(group('x', 'one'));
  await pass(1000);
  assert.is(x.table, 'table_update +x -y +z');
  y.isGone = false;
  await y.send(group('y', 'I am here'));
  await pass(1000);
  assert.equal(y.take(), ['ack server', 'offline x*: one']);
  assert.is(x.table, 'table_update +x +y +z');
  assert.equal(z.take(), ['GC x: one', 'GC y: I am here']);
});

groups('of who has deregistered is nothing', async () => {
  const { on, x, y, pass } = await three();
  await x.send(dereg('x'));
  await pass(100);
  x.take();
  await x.send(group('x', 'hi'));
  await pass(1000);
  assert.equal([x.take(), y.take(), on.store.posts.length], [[], [], 0]);
});

groups('that was on its way when somebody left is not told again', async () => {
  const { x, y, pass } = await three();
  await x.send(group('x', 'hi'));
  y.isGone = true;
  const received = y.address;
  await pass(0);
  y.isGone = false;
  assert.ok(received);
  await y.send(dereg('y'));
  await y.send({ kind: 'ack', from: 'y' });
  await pass(300);
  y.take();
  await y.send(reg('y'));
  await pass(500);
  assert.equal(y.take(), ['offline ']);
});

groups('long texts come in pieces to classic clients, and whole to ours', async () => {
  const { on, x, y, join, pass } = await three();
  const w = await join('w', { isOurs: true });
  w.take();
  const text = 'äöü '.repeat(2000).trim();
  await x.send(group('x', text));
  await pass(3000);
  const pieces = y.messages.filter(({ kind }) => kind === 'group');
  assert.is(pieces.map((piece) => (piece.kind === 'group' ? piece.text : '')).join(''), text);
  for (const piece of pieces) assert.ok(encodeDatagram(piece).length <= 2048);
  assert.equal(w.take(), [`GC x: ${text}`]);
  assert.equal(on.bugs, []);
});

groups('from and to other dialects', async () => {
  const { on, x, y, pass } = await three();
  const tongue = new FakeTongue();
  const ann = await on.house.enter('ann', tongue, 'exactly');
  const main = await on.house.openRoom('main');
  on.house.join(ann, main);
  tongue.take();
  on.house.say(ann, main, 'hello');
  await pass(200);
  await x.send(group('x', 'hi'));
  await pass(200);
  assert.equal(
    [x.take(), y.take()],
    [
      ['GC ann: hello', 'ack server'],
      ['GC ann: hello', 'GC x: hi'],
    ],
  );
  assert.equal(tongue.take(), ['main ann: hello', 'main x: hi']);
});
groups('who was given up and acknowledges late is there again, and has missed nothing', async () => {
  for (const late of ['ack', 'status_confirm'] as const) {
    const { x, y, pass } = await three();
    y.isGone = true;
    await x.send(group('x', 'one'));
    await pass(2000);
    assert.is(x.table, 'table_update +x -y +z');
    await x.send(group('x', 'two'));
    await pass(100);
    y.isGone = false;
    await y.send({ kind: late, from: 'y' });
    await pass(1000);
    assert.equal(y.take(), ['offline x*: one | x*: two'], late);
    assert.is(x.table, 'table_update +x +y +z');
    await x.send(group('x', 'three'));
    await pass(500);
    assert.equal(y.take(), ['GC x: three']);
  }
});

groups('a burst of more than can be sent at once loses nobody and nothing', async () => {
  const { on, x, y, join, pass } = await three();
  const w = await join('w', { isOurs: true });
  for (const client of [x, y, w]) client.take();
  const main = await on.house.openRoom('main');
  const ann = await on.house.enter('ann', new FakeTongue(), 'exactly');
  on.house.join(ann, main);
  const texts = Array.from({ length: 900 }, (_, i) => `line ${i}`);
  for (const text of texts) on.house.say(ann, main, text);
  await pass(60_000);
  for (const client of [x, y, w]) {
    const heard = client.messages.flatMap((message) => {
      if (message.kind === 'group') return message.text;
      return message.kind === 'offline_messages' ? message.messages.map(({ text }) => text) : [];
    });
    assert.equal(heard, texts, client.name);
  }
  assert.is(x.table, 'table_update +x +y +z +w +ann');
});
groups.run();

const offline = suite('datagram: offline messages');

offline('are acknowledged when kept, delivered, and their sender learns of it', async () => {
  const { on, x, y, z, pass } = await three();
  await x.send(dereg('x'));
  await pass(100);
  assert.equal(x.take(), ['ack server']);
  on.store.saving = 'held';
  await y.send(toOffline('y', 'x', 'hi offline x'));
  await pass(200);
  assert.equal(y.take(), []);
  on.store.saving = 'at once';
  on.store.release();
  await y.send(toOffline('y', 'x', 'hi offline x'));
  await z.send(toOffline('z', 'x', 'hi offline x from z'));
  await pass(200);
  assert.equal([y.take(), z.take()], [['ack server'], ['ack server']]);
  await x.send(reg('x'));
  await pass(1000);
  assert.equal(x.got[0], 'table_update +x +y +z', 'the table first');
  assert.equal(x.take(), ['offline y: hi offline x | z: hi offline x from z']);
  assert.equal([y.take(), z.take()], [[`msg None: ${RECEIVED('x')}`], [`msg None: ${RECEIVED('x')}`]]);
  assert.equal(on.store.mail, []);
});

offline('test case 4: the receipt waits for a sender who is offline', async () => {
  const { on, join, pass } = await open();
  const [foo, bar] = [await join('foo'), await join('bar')];
  await bar.send(dereg('bar'));
  await pass(200);
  await foo.send(toOffline('foo', 'bar', 'hi'));
  await pass(200);
  await foo.send(dereg('foo'));
  await pass(200);
  const baz = await join('baz');
  await baz.send(group('baz', 'hi everyone'));
  await pass(200);
  for (const client of [foo, bar, baz]) client.take();
  await bar.send(reg('bar'));
  await pass(500);
  assert.equal(bar.take(), ['offline foo: hi | baz*: hi everyone']);
  await foo.send(reg('foo'));
  await pass(500);
  assert.equal(foo.take(), [`offline baz*: hi everyone | None: ${RECEIVED('bar')}`]);
  assert.equal([on.store.mail, baz.take()], [[], []]);
});

offline('are repeated every half second up to five times, and kept until they are acknowledged', async () => {
  const { on, x, y, pass } = await three();
  await x.send(dereg('x'));
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(200);
  x.take();
  x.isGone = true;
  const at = on.clock.now;
  const asked: number[] = [];
  const forward = on.onSent;
  on.onSent = (sent) => {
    if (new TextDecoder().decode(sent.bytes).includes('offline_messages')) asked.push(sent.at - at);
    forward?.(sent);
  };
  await x.send(reg('x'));
  await pass(5000);
  assert.equal(asked, [40, 540, 1040, 1540, 2040]);
  assert.is(y.table, 'table_update -x +y +z');
  assert.is(on.store.mail.length, 1);
  x.isGone = false;
  await x.send(reg('x'));
  await pass(1000);
  assert.equal([x.take(), on.store.mail.length], [['offline y: hi'], 0]);
});

offline('a second reg before the first is acknowledged does not double them', async () => {
  const { x, y, pass } = await three();
  await x.send(dereg('x'));
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(200);
  x.take();
  for (let i = 0; i < 3; i++) await x.send(reg('x'));
  await pass(1000);
  assert.equal(x.take(), ['offline y: hi', 'offline ', 'offline ']);
});

offline('somebody who answers is there: an error and the table', async () => {
  const { on, x, y, pass } = await three();
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(500);
  assert.equal(y.got, ['error [Client x exists!!]', 'table_update +x +y +z']);
  assert.equal([x.got, on.store.mail], [['status_check'], []]);
});

/** As a classic client sends to x, until it is answered. */
async function insist({ pass }: World, client: Client, ...texts: string[]): Promise<void> {
  const answers = client.got.filter((one) => one.startsWith('ack')).length + texts.length;
  for (let round = 0; round < 5; round++) {
    if (client.got.filter((one) => one.startsWith('ack')).length >= answers) break;
    for (const text of texts) await client.send(toOffline(client.name, 'x', text));
    await pass(100);
  }
}

offline('somebody who does not answer three status checks is offline', async () => {
  const world = await three();
  const { on, x, y, z, pass } = world;
  x.isGone = true;
  const at = on.clock.now;
  await insist(world, y, 'hi');
  await pass(100);
  assert.equal([y.take(), on.store.mail.length], [['ack server'], 1]);
  assert.ok((z.times[0] as number) - at < 500, 'within half a second');
  assert.is(z.table, 'table_update -x +y +z');
});

offline('a check does not wait for a question that is not acknowledged', async () => {
  const world = await three();
  const { on, x, y, z, pass } = world;
  x.isGone = true;
  await z.send(group('z', 'hi'));
  await pass(10);
  await insist(world, y, 'one', 'two');
  assert.equal(y.take(), ['GC z: hi', 'ack server', 'ack server']);
  assert.equal(
    on.store.mail.map(({ text }) => text),
    ['one', 'two'],
  );
  await pass(500);
  x.isGone = false;
  await x.send(reg('x'));
  await pass(500);
  assert.equal(x.take(), ['offline z*: hi | y: one | y: two']);
});

offline('copies within five seconds are acknowledged and not kept again', async () => {
  const { on, x, y, pass } = await three();
  await x.send(dereg('x'));
  for (let i = 0; i < 49; i++) {
    await y.send(toOffline('y', 'x', 'hi'));
    await pass(100);
  }
  assert.equal([y.take(), on.store.mail.length], [new Array(49).fill('ack server'), 1]);
  await pass(200);
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(100);
  assert.is(on.store.mail.length, 2);
});

offline('what the store refuses may be asked again at once', async () => {
  const { on, x, y, pass } = await three();
  await x.send(dereg('x'));
  on.store.saving = 'fails';
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(100);
  on.store.saving = 'at once';
  assert.equal(y.take(), []);
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(100);
  assert.equal([y.take(), on.store.mail.length], [['ack server'], 1]);
});

offline('more than fits comes in several datagrams, in order', async () => {
  const { on, x, y, pass } = await three();
  await x.send(dereg('x'));
  const texts = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(i === 30 ? 5000 : 100)}`);
  for (const text of texts) {
    await y.send(toOffline('y', 'x', text));
    await pass(50);
  }
  x.got = [];
  x.messages = [];
  await x.send(reg('x'));
  await pass(10_000);
  const got = x.messages.flatMap((message) => (message.kind === 'offline_messages' ? message.messages : []));
  assert.is(got.map(({ text }) => text).join(''), texts.join(''));
  assert.is(on.store.mail.length, 0);
  assert.is(y.got.filter((one) => one.startsWith('msg None')).length, 60, 'one receipt each');
});

offline('of a store that fails when they are looked up nothing is passed over', async () => {
  const { on, x, y, pass } = await three();
  await x.send(dereg('x'));
  await y.send(group('y', 'missed'));
  await pass(200);
  const { mailOf } = on.store;
  on.store.mailOf = () => Promise.reject(new HouseError('not-saved', 'the disk is gone'));
  await x.send(reg('x'));
  await y.send(group('y', 'heard'));
  await pass(1000);
  on.store.mailOf = mailOf;
  x.take();
  await x.send(reg('x'));
  await pass(500);
  assert.equal(x.take(), ['offline y*: missed | y*: heard']);
});
offline('the receipt of a sender who seems to be there, and is not, outlives a restart', async () => {
  const world = await three();
  const { x, y, pass } = world;
  await x.send(dereg('x'));
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(200);
  y.isGone = true;
  await x.send(reg('x'));
  await pass(300);
  const next = await again(world);
  await next.pass(1000);
  assert.equal(next.clients.get('y')?.take(), [`msg None: ${RECEIVED('x')}`]);
});
offline.run();

const restart = suite('datagram: a restart');

async function again({ on, clients }: World): Promise<World> {
  const next = await open(openDatagram({ store: startedAgain(on.store) }), clients.values());
  next.on.clock.now = on.clock.now + 1000;
  await next.pass(200);
  return next;
}

restart('keeps names, who was online, and what waits', async () => {
  const world = await three();
  const { x, y, pass } = world;
  await x.send(dereg('x'));
  await y.send(toOffline('y', 'x', 'hi'));
  await pass(1);
  await y.send(group('y', 'all'));
  await pass(300);
  const next = await again(world);
  const [x2, y2, z2] = ['x', 'y', 'z'].map((name) => next.clients.get(name)) as [Client, Client, Client];
  assert.equal([y2.table, y2.take(), z2.take()], ['table_update -x +y +z', [], []], 'nothing is told twice');
  await next.on.send({ ip: '203.0.113.9', port: 1 }, freg('x', 1));
  await next.pass(100);
  assert.equal(next.on.take({ ip: '203.0.113.9', port: 1 }), [{ kind: 'no_reg' }]);
  await x2.send(reg('x'));
  await next.pass(1000);
  assert.equal(x2.take(), ['offline y: hi | y*: all']);
  assert.equal([y2.take(), next.on.store.mail], [[`msg None: ${RECEIVED('x')}`], []]);
  assert.equal(next.on.bugs, []);
});

restart('what was on its way is on its way again', async () => {
  const world = await three();
  world.z.isGone = true;
  await world.x.send(group('x', 'hi'));
  await world.pass(100);
  const next = await again(world);
  assert.equal(next.clients.get('z')?.take(), ['offline x*: hi']);
  assert.equal(next.clients.get('y')?.take(), []);
  await next.clients.get('z')?.send(dereg('z'));
  await next.pass(100);
  next.clients.get('z')?.take();
  await next.clients.get('z')?.send(reg('z'));
  await next.pass(500);
  assert.equal(next.clients.get('z')?.take(), ['offline ']);
});

restart('nobody who was heard of before gets more than the table until something is for it', async () => {
  const world = await three();
  const next = await open(openDatagram({ store: startedAgain(world.on.store) }));
  await next.pass(60_000);
  const kinds = next.on.sent.map(({ bytes }) => /'type': '(\w+)'/.exec(new TextDecoder().decode(bytes))?.[1]);
  assert.equal([...new Set(kinds)], ['table_update']);
  assert.ok(kinds.length <= 6);
});
restart.run();

const forged = suite('datagram: forged, broken and too much');

forged('requests in a name from another IP are dropped', async () => {
  const { on, x, y, pass } = await three();
  const evil = { ip: '203.0.113.66', port: 3001 };
  await y.send(dereg('y'));
  await y.send(toOffline('x', 'y', 'forged'));
  y.take();
  await pass(100);
  for (const message of [
    dereg('x'),
    reg('x'),
    group('x', 'forged'),
    toOffline('x', 'y', 'forged'),
    { kind: 'ack', from: 'x' } as const,
    { kind: 'status_confirm', from: 'x' } as const,
  ]) {
    await on.send(evil, message);
  }
  await pass(5000);
  assert.equal([x.take(), on.store.mail, on.store.posts, on.sent], [[], [], [], []]);
  assert.is(on.house.people, 2);
  assert.equal(on.port.ignoredOnes, ['forged 198.51.100.2', ...new Array(6).fill('forged 203.0.113.66')]);
});

forged('an ack from elsewhere settles nothing', async () => {
  const { on, x, y, pass } = await three();
  y.isGone = true;
  await x.send(group('x', 'hi'));
  await on.send({ ip: '203.0.113.66', port: 1 }, { kind: 'ack', from: 'y' });
  await pass(1000);
  y.isGone = false;
  await y.send(reg('y'));
  await pass(500);
  assert.equal(y.take(), ['offline x*: hi']);
});

forged('what does not parse, is of no type or lacks something is never answered', async () => {
  const { on, x, pass } = await three();
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc
      .tuple(
        fc.constantFrom(
          'freg',
          'dereg',
          'reg',
          'GC',
          'to_offline',
          'ack',
          'status_confirm',
          'msg',
          'conf_reg',
          '',
          'x',
        ),
        fc.constantFrom('name', 'from', 'message', 'name_to', 'table', 'msg'),
        fc.constantFrom("'x'", "'nobody'", '1', 'None', '()', "('x',)", "('x', 0)", "('x', '99999')", '{}', '[[[['),
      )
      .map(([type, field, value]) => `{'type': '${type}', '${field}': ${value}}`)
      .filter((text) => !/'(dereg|reg|ack|status_confirm)'.*'(name|from)': 'x'/.test(text)),
  );
  await fc.assert(
    fc.asyncProperty(noise, async (datagram) => {
      await on.send(x.address, datagram);
      await on.send({ ip: '203.0.113.66', port: 1 }, datagram);
    }),
    { numRuns: 500 },
  );
  await pass(1000);
  assert.equal([x.got, on.sent, on.bugs, on.port.bugs], [[], [], [], []]);
});

forged('the messages of a server are ignored', async () => {
  const { on, x, y, pass } = await three();
  for (const message of [
    { kind: 'conf_reg', table: [] },
    { kind: 'no_reg' },
    { kind: 'table_update', table: [] },
    { kind: 'msg', from: 'x', text: 'hi' },
    { kind: 'offline_messages', messages: [] },
    { kind: 'status_check' },
    { kind: 'error', text: 'x' },
  ] as const) {
    await x.send(message);
  }
  await pass(1000);
  assert.equal([x.got, y.got, on.sent], [[], [], []]);
});

forged('an address that never answers gets at most 4 KB in a second and 20 KB', async () => {
  const { on, pass, x } = await three();
  const victim = { ip: '203.0.113.66', port: 7777 };
  for (let i = 0; i < 60; i++) {
    const from = { ip: `10.0.0.${i}`, port: 2000 };
    on.session.receive(encodeDatagram(freg(`a-rather-long-name-${i}`, 2000)), from, on.clock.now);
  }
  await pass(1000);
  on.sent.length = 0;
  const perSecond = new Map<number, number>();
  for (let i = 0; i < 1000; i++) {
    await on.send(victim, freg('victim', 7777));
    if (i % 7 === 0) await x.send(group('x', `hi ${i} ${'x'.repeat(1000)}`));
    if (i % 5 === 0) await x.send(toOffline('x', 'victim', `${i}`));
    await pass(50);
  }
  for (const { at, to, bytes } of on.sent.filter((sent) => sent.to === '203.0.113.66:7777')) {
    assert.is(to, '203.0.113.66:7777');
    const second = Math.floor(at / 1000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + bytes.length);
  }
  const sums = [...perSecond.values()];
  assert.ok(Math.max(...sums) <= 2 * 4096, 'in any second of the clock, which is two of its own');
  // what it has asked for itself goes on, as short as its question
  const long = on.sent.filter(({ to, bytes }) => to === '203.0.113.66:7777' && bytes.length > 256);
  assert.ok(long.reduce((sum, { bytes }) => sum + bytes.length, 0) <= 20_480);
  assert.equal(on.bugs, []);
});

forged('a flood of copies and of names is bounded', async () => {
  const { on, x, pass } = await three();
  for (let i = 0; i < 20_000; i++) {
    on.session.receive(encodeDatagram(toOffline('x', 'nobody', `${i}`)), x.address, on.clock.now);
  }
  await pass(5000);
  assert.ok(x.got.length <= 32, `${x.got.length} answers`);
  assert.equal(on.bugs, []);
});
forged('many names and ports at one IP that never answers get little', async () => {
  const on = openDatagram();
  for (let i = 0; i < 250; i++) await on.send({ ip: '203.0.113.9', port: 1 }, freg(`n${i}`, 2000 + i));
  await on.pass(50_000);
  const sent = on.sent.reduce((sum, { bytes }) => sum + bytes.length, 0);
  assert.ok(sent < 20_000 + 250 * 400, `${sent} bytes`);
  for (let i = 0; i < 5000; i++) await on.send({ ip: '203.0.113.10', port: 1 }, freg('n1', 7));
  await on.pass(1000);
  const refusals = on.sent
    .filter(({ to }) => to === '203.0.113.10:7')
    .reduce((sum, { bytes }) => sum + bytes.length, 0);
  assert.ok(refusals > 0 && refusals <= 4000, `${refusals} bytes`);
  await on.pass(60_000);
  assert.equal([on.house.people, on.store.contacts.size, on.bugs], [0, 0, []]);
});
forged.run();

const strangers = suite('datagram: members of other dialects');

/** Somebody of another dialect who can be whispered to. */
class Whispered extends FakeTongue implements Tongue {
  readonly whispers: string[] = [];
  whisper(_: unknown, { who, text }: Whisper): boolean {
    this.whispers.push(`${who.name}: ${text}`);
    return true;
  }
}

async function withAnn() {
  const world = await three();
  const { on } = world;
  const tongue = new Whispered();
  const ann = await on.house.enter('ann', tongue, 'exactly');
  const main = await on.house.openRoom('main');
  on.house.join(ann, main);
  await world.pass(200);
  return { ...world, ann, tongue, main };
}

strangers('are in the table with our address and a port, as long as they are here', async () => {
  const { on, x, y, z, ann, pass } = await withAnn();
  const row = x.messages.flatMap((message) => (message.kind === 'table_update' ? message.table : [])).at(-1);
  assert.equal(row, { name: 'ann', ip: '192.0.2.1', port: 60_001, online: true });
  on.house.quit(ann, 'left');
  await pass(200);
  assert.equal([x.table, on.mailboxes.opened.size], ['table_update +x +y +z', 0]);
  const bob = await on.house.enter('bob', new FakeTongue(), 'exactly');
  on.house.join(bob, await on.house.openRoom('main'));
  await pass(200);
  assert.is(on.mailboxes.opened.size, 1);
  for (const client of [x, y, z]) await client.send(dereg(client.name));
  await pass(200);
  assert.is(on.mailboxes.opened.size, 0, 'nobody is left who could see it');
  await x.send(reg('x'));
  await pass(200);
  assert.equal([x.table, on.mailboxes.opened.size], ['table_update +x -y -z +bob', 1]);
});

strangers('get what a client sends to their port, which is acknowledged in their name', async () => {
  const { on, x, tongue, pass } = await withAnn();
  x.take();
  const at = on.clock.now;
  const mailbox = on.mailboxes.opened.get(60_001);
  mailbox?.(encodeDatagram({ kind: 'msg', from: 'x', text: 'hi ann' }), { ip: x.address.ip, port: 1 });
  await pass(200);
  assert.equal([tongue.whispers, x.times, x.take()], [['x: hi ann'], [at + 30], ['ack ann']]);
});

strangers('get nothing from anybody else, and nothing else', async () => {
  const { on, x, y, tongue, pass } = await withAnn();
  const mailbox = on.mailboxes.opened.get(60_001);
  await y.send(dereg('y'));
  await pass(200);
  for (const client of [x, y]) client.take();
  const hi = (from: string | undefined) => encodeDatagram({ kind: 'msg', from, text: 'hi' });
  mailbox?.(hi('x'), { ip: '203.0.113.66', port: 1 });
  mailbox?.(hi('y'), y.address);
  mailbox?.(hi('nobody'), x.address);
  mailbox?.(hi(undefined), x.address);
  mailbox?.(encodeDatagram(group('x', 'hi')), x.address);
  mailbox?.(encodeDatagram(dereg('x')), x.address);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => mailbox?.(noise, x.address)),
    { numRuns: 200 },
  );
  await pass(500);
  assert.equal([tongue.whispers, x.take(), y.take(), on.sent], [[], [], [], []]);
});

strangers('reach a client alone, who is asked until it acknowledges, also at the port', async () => {
  const { on, x, ann, pass } = await withAnn();
  x.take();
  const to = on.datagram.clientOf('x')?.member?.person;
  assert.ok(to && on.house.whisper(ann, to, 'psst'));
  await pass(100);
  assert.equal(x.take(), ['msg ann: psst']);
  x.isGone = true;
  assert.ok(on.house.whisper(ann, to, 'one'));
  assert.ok(on.house.whisper(ann, to, 'two'));
  await pass(2000);
  assert.equal(
    on.store.mail.map(({ owner, sender, text }) => `${owner} ${sender} ${text}`),
    ['x ann one', 'x ann two'],
  );
  x.isGone = false;
  await x.send(reg('x'));
  await pass(500);
  assert.equal([x.take(), on.store.mail], [['offline ann: one | ann: two'], []]);
  const member = on.datagram.clientOf('x')?.member?.person;
  x.isGone = true;
  assert.ok(member && on.house.whisper(ann, member, 'three'));
  await pass(10);
  on.mailboxes.opened.get(60_001)?.(encodeDatagram({ kind: 'ack', from: 'x' }), x.address);
  await pass(2000);
  assert.equal([on.store.mail, on.datagram.clientOf('x')?.member !== undefined], [[], true]);
});

strangers('that did not acknowledge at their port are told by the server', async () => {
  const { x, tongue, pass } = await withAnn();
  x.take();
  await x.send(toOffline('x', 'ann', 'hi'));
  await x.send(toOffline('x', 'nobody', 'hi'));
  await pass(200);
  assert.equal(tongue.whispers, ['x: hi']);
  assert.equal(x.take(), ['ack server', "error [Client nobody can't be reached.]"]);
});

strangers('have at most 256 ports', async () => {
  const { on, main, pass } = await withAnn();
  for (let i = 0; i < 300; i++) on.house.join(await on.house.enter(`s${i}`, new FakeTongue(), 'exactly'), main);
  await pass(200);
  assert.is(on.mailboxes.opened.size, 256);
});

strangers('without a port are not in the table', async () => {
  const { on, x, main, pass } = await withAnn();
  on.mailboxes.full = true;
  on.house.join(await on.house.enter('bob', new FakeTongue(), 'exactly'), main);
  await pass(200);
  assert.is(x.table, 'table_update +x +y +z +ann');
  assert.equal(on.bugs, []);
});

strangers('who leave before they have a port leave none open', async () => {
  const { on, main, pass } = await withAnn();
  const bob = await on.house.enter('bob', new FakeTongue(), 'exactly');
  on.house.join(bob, main);
  on.house.quit(bob, 'left');
  await pass(200);
  assert.is(on.mailboxes.opened.size, 1);
});

strangers('can not be called like a client that is away', async () => {
  const { on, x, y, main, pass } = await withAnn();
  await y.send(dereg('y'));
  await pass(200);
  const refused = await on.house.enter('y', new FakeTongue(), 'exactly').catch((error) => error);
  assert.is(refused.code, 'name-taken');
  on.house.join(await on.house.enter('y', new FakeTongue(), 'aliased'), main);
  await pass(200);
  assert.is(x.table, 'table_update +x -y +z +ann +y~2');
});

strangers('of lab, menu and lobby hear a whisper as theirs', async () => {
  const lobby = openLobby();
  const on = openDatagram({ on: lobby, backbone: lobby.backbone });
  const { join, pass } = await open(on);
  const x = await join('x');
  const bytes = (text: string) => new TextEncoder().encode(text);

  const labPort = new FakePort('lab');
  const lab = openLab({}, lobby).tcp.open(labPort);
  lab.receive(bytes('JOIN_CHATROOM: main\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: larry\n'), 0);
  await settle();
  const menuPort = new FakePort('menu');
  const menu = openMenu({}, lobby).menu.open(menuPort);
  menu.receive(bytes('mary\n'), 0);
  await settle();
  await pass(300);
  for (const port of [labPort, menuPort]) port.take();
  const rows = x.messages.flatMap((message) => (message.kind === 'table_update' ? [message.table] : [])).at(-1);
  for (const { name, port } of rows ?? []) {
    if (name === 'x') continue;
    on.mailboxes.opened.get(port)?.(encodeDatagram({ kind: 'msg', from: 'x', text: `hi ${name}` }), x.address);
  }
  await pass(300);
  assert.is(labPort.take(), 'CHAT: 0\nCLIENT_NAME: x\nMESSAGE: (to you alone) hi larry\n\n');
  if (rows?.some(({ name }) => name === 'mary')) assert.match(menuPort.take(), /\(to you alone\) hi mary/);
  assert.equal(lobby.bugs, []);
  assert.ok(LobbyClient);
});
strangers('of more than there are ports the next one is listed when one leaves', async () => {
  const { on, x, ann, main, pass } = await withAnn();
  for (let i = 0; i < 300; i++) on.house.join(await on.house.enter(`s${i}`, new FakeTongue(), 'exactly'), main);
  await pass(200);
  const listed = () => on.mailboxes.opened.size;
  assert.is(listed(), 256);
  on.house.quit(ann, 'left');
  await pass(200);
  assert.is(listed(), 256);
  assert.ok(x.got.length > 0);
});

strangers('with another name are another row, and the old port is closed; a notice is a message', async () => {
  const { on, x, ann, main, tongue, pass } = await withAnn();
  x.take();
  await on.house.rename(ann, 'anna');
  on.house.setAccount(ann, 'anna');
  on.house.say(ann, main, 'hi', { notice: true });
  await pass(200);
  assert.is(x.table, 'table_update +x +y +z +anna');
  assert.equal(x.take(), ['GC anna: hi']);
  assert.equal([...on.mailboxes.opened.keys()], [60_002]);
  const mailbox = on.mailboxes.opened.get(60_002);
  mailbox?.(encodeDatagram({ kind: 'msg', from: 'x', text: 'hi anna' }), x.address);
  await pass(200);
  assert.equal([tongue.whispers, on.bugs], [['x: hi anna'], []]);
});

strangers('may have it moderated: who may not speak is told so, and acknowledged', async () => {
  const { on, x, y, ann, main, tongue, pass } = await withAnn();
  for (const client of [x, y]) client.take();
  tongue.take();
  ann.isWarden = true;
  on.house.rule(ann, main, [{ isAdded: true, rule: 'moderated' }]);
  await x.send(group('x', 'hi'));
  await pass(500);
  const told = x.messages.flatMap((message) => (message.kind === 'error' ? [message.text] : []));
  assert.equal(told, [' [you may not speak in main.]']);
  assert.equal([x.take().includes('ack server'), y.take(), tongue.take().length, on.bugs], [true, [], 1, []]);
});

strangers('put nobody out of this room, and change nothing else that is seen here', async () => {
  const { on, x, ann, main, pass } = await withAnn();
  x.take();
  ann.isWarden = true;
  assert.throws(() => on.house.kick(ann, main, on.house.personNamed('x') as Person, ''), /nobody is put out/);
  on.house.title(ann, main, 'about nothing');
  on.house.signal(ann, main, { '+typing': 'active' });
  await pass(200);
  assert.equal([x.take(), on.bugs], [[], []]);
});
strangers.run();
