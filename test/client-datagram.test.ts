// The client's `datagram` face: several of them on a simulated link, with a classic server as its reference
// describes one. Time is the link's.

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DatagramFace } from '../src/client-datagram.ts';
import type { Action } from '../src/client-datagram-asking.ts';
import { printable } from '../src/printable.ts';
import type { Address } from '../src/session.ts';
import { type DatagramMessage, decodeDatagram, encodeDatagram, type TableRow } from '../src/wire-datagram.ts';
import { ClassicServer } from './datagram-classic.ts';

const SERVER: Address = { ip: '10.0.0.1', port: 5000 };
const QUIET_MS = 60_000;
/** What has been heard this long before is another message. */
const SURELY_APART_MS = 550;
const NEVER = Number.POSITIVE_INFINITY;

// --- a link --------------------------------------------------------------------------------------------------

/** How late each copy of a datagram comes: none is a loss. */
type Link = () => readonly number[];
type Sent = { readonly from: Address; readonly to: Address; readonly message: DatagramMessage; readonly at: number };

class Stage {
  now = 0;
  readonly sent: Sent[] = [];
  readonly clients: Client[] = [];
  link: Link;
  server: ClassicServer | undefined;
  #events: Array<{ readonly at: number; readonly work: () => void }> = [];

  constructor(link: Link = () => [2]) {
    this.link = link;
    this.server = new ClassicServer(this.clock, (bytes, to) => this.send(SERVER, to, bytes));
  }

  readonly clock = (): string => new Date(this.now).toISOString().slice(11, 19);

  client(name: string): Client {
    const client = new Client(this, name, {
      ip: `10.0.0.${this.clients.length + 2}`,
      port: 3000 + this.clients.length,
    });
    this.clients.push(client);
    client.perform(client.face.start(this.now));
    this.settle();
    return client;
  }

  send(from: Address, to: Address, bytes: Uint8Array): void {
    this.sent.push({ from, to, message: decodeDatagram(bytes), at: this.now });
    for (const delay of this.link()) {
      this.#events.push({ at: this.now + delay, work: () => this.#arrive(from, to, bytes) });
    }
  }

  /** Until nothing more happens by itself. */
  settle(until = this.now + QUIET_MS): void {
    for (;;) {
      const next = Math.min(this.server?.deadline() ?? NEVER, ...this.clients.map((one) => one.deadline()));
      const event = this.#events.toSorted((a, b) => a.at - b.at)[0];
      const at = Math.max(this.now, Math.min(next, event?.at ?? NEVER));
      if (at > until) break;
      this.now = at;
      if (event && event.at <= at) {
        this.#events.splice(this.#events.indexOf(event), 1);
        event.work();
      }
      this.server?.tick(at);
      for (const client of this.clients) client.tick();
    }
    if (until < NEVER && until - this.now < QUIET_MS) this.now = until;
  }

  #arrive(from: Address, to: Address, bytes: Uint8Array): void {
    if (to.ip === SERVER.ip) return this.server?.input(bytes, from, this.now);
    const client = this.clients.find(({ address }) => address.ip === to.ip && address.port === to.port);
    client?.receive(decodeDatagram(bytes), from);
  }
}

class Client {
  readonly face: DatagramFace;
  readonly address: Address;
  readonly screen: string[] = [];
  readonly heard: Array<{ readonly message: DatagramMessage; readonly at: number }> = [];
  status: number | undefined;
  isKilled = false;
  readonly #stage: Stage;

  constructor(stage: Stage, name: string, address: Address, json = false) {
    this.#stage = stage;
    this.address = address;
    this.face = new DatagramFace({ name, port: address.port, server: SERVER, clock: stage.clock, json });
  }

  type(line: string): void {
    this.begin(line);
    this.#stage.settle();
  }

  begin(line: string): void {
    this.screen.push(`>>> ${line}`);
    this.perform(this.face.line(line, this.#stage.now));
  }

  receive(message: DatagramMessage, from: Address): void {
    if (this.isKilled) return;
    this.heard.push({ message, at: this.#stage.now });
    this.perform(this.face.input(message, from, this.#stage.now));
  }

  deadline(): number {
    return this.isKilled ? NEVER : this.face.deadline();
  }

  tick(): void {
    if (this.#stage.now >= this.deadline()) this.perform(this.face.tick(this.#stage.now));
  }

  perform(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.kind === 'print') this.screen.push(...action.text.split('\n'));
      if (action.kind === 'exit') this.status = action.status;
      if (action.kind !== 'send') continue;
      const { message, to } = action.request;
      this.#stage.send(this.address, to, encodeDatagram(message));
    }
  }
}

// --- the seven test cases ------------------------------------------------------------------------------------

/** The seed's one known bug: no prompt stands after what has come in. Here one does. */
function screenOf(transcript: string): string[] {
  const lines = transcript.split('\n').map((line) => line.replace(/^ {4}/, ''));
  return lines
    .filter((line) => line.trim() !== '' && line.trim() !== '>>>')
    .map((line) => (line.startsWith('>>> ') ? line : `>>> ${line}`));
}

function sees(client: Client, transcript: string): void {
  const withoutTime = (line: string) => line.replace(/\b\d\d:\d\d:\d\d\b/, 'HH:MM:SS');
  assert.equal(client.screen.map(withoutTime), screenOf(transcript).map(withoutTime));
}

const cases = suite('client-datagram: the test cases');

cases('1: messages, and two for one who is offline', () => {
  const stage = new Stage();
  const [x, y, z] = [stage.client('x'), stage.client('y'), stage.client('z')];
  x.type('send y hi y from x');
  y.type('send z hi z from y');
  z.type('send x hi x from z');
  x.type('send z hi z from x');
  y.type('send x hi x from y');
  z.type('send y hi y from z');
  x.type('dereg');
  y.type('send x hi offline x');
  z.type('send x hi offline x from z');
  x.type('reg');
  sees(
    x,
    `>>> [Welcome, You are registered.]
    >>> send y hi y from x
    >>> [Message received by y.]
    >>> z: hi x from z
    send z hi z from x
    >>> [Message received by z.]
    >>> y: hi x from y
    dereg
    >>> [You are Offline. Bye.]
    >>> reg
    >>> [RegSent]
    >>> >>> [You have offline messages:]
    >>> y: 23:32:21 hi offline x
    >>> z: 23:32:35 hi offline x from z`,
  );
  sees(
    y,
    `>>> [Welcome, You are registered.]
    >>> x: hi y from x
    send z hi z from y
    >>> [Message received by z.]
    >>> send x hi x from y
    >>> [Message received by x.]
    >>> z: hi y from z
    send x hi offline x
    >>> [Offline Message sent at 23:32:21 received by the server and saved.]
    >>>  [Offline Message sent at 23:32:21 received by x.]`,
  );
  sees(
    z,
    `>>> [Welcome, You are registered.]
    >>> y: hi z from y
    send x hi x from z
    >>> [Message received by x.]
    >>> x: hi z from x
    send y hi y from z
    >>> [Message received by y.]
    >>> send x hi offline x from z
    >>> [Offline Message sent at 23:32:35 received by the server and saved.]
    >>>  [Offline Message sent at 23:32:35 received by x.]`,
  );
});

cases('2: a server that is gone', () => {
  const stage = new Stage();
  const [x, y, z] = [stage.client('x'), stage.client('y'), stage.client('z')];
  stage.server = undefined;
  x.type('send z this is a discrete message');
  const since = stage.now;
  y.type('dereg');
  sees(
    x,
    `>>> [Welcome, You are registered.]
    >>> send z this is a discrete message
    >>> [Message received by z.]
    >>>`,
  );
  sees(
    y,
    `>>> [Welcome, You are registered.]
    >>> dereg
    >>> [Server not responding]
    >>> [Exiting]`,
  );
  sees(
    z,
    `>>> [Welcome, You are registered.]
    >>> x: this is a discrete message`,
  );
  assert.equal([x.status, y.status, z.status], [undefined, 4, undefined]);
  assert.equal(
    stage.sent.filter(({ message }) => message.kind === 'dereg').map(({ at }) => at - since),
    [0, 500, 1000, 1500, 2000],
  );
});

cases('3: the group, one of it offline', () => {
  const stage = new Stage();
  const [x, y, z, a] = [stage.client('x'), stage.client('y'), stage.client('z'), stage.client('a')];
  a.type('dereg');
  x.type('send_all yoyoyo everyone');
  y.type('send a did u see that?');
  a.type('reg');
  sees(
    x,
    `>>> [Welcome, You are registered.]
    >>> send_all yoyoyo everyone
    >>> [Group Message received by Server.]
    >>>`,
  );
  sees(
    y,
    `>>> [Welcome, You are registered.]
    >>> >>> Group Chat x:  yoyoyo everyone
    send a did u see that?
    >>> [Offline Message sent at 23:39:52 received by the server and saved.]
    >>>  [Offline Message sent at 23:39:52 received by a.]`,
  );
  sees(
    z,
    `>>> [Welcome, You are registered.]
    >>> >>> Group Chat x:  yoyoyo everyone`,
  );
  sees(
    a,
    `>>> [Welcome, You are registered.]
    >>> dereg
    >>> [You are Offline. Bye.]
    >>> reg
    >>> [RegSent]
    >>> >>> [You have offline messages:]
    >>> Group Chat x: 23:39:33 yoyoyo everyone
    >>> y: 23:39:52 did u see that?`,
  );
});

cases('4: a receipt among the offline messages', () => {
  const stage = new Stage();
  const [foo, bar] = [stage.client('foo'), stage.client('bar')];
  bar.type('dereg');
  foo.type('send bar hi');
  foo.type('dereg');
  const baz = stage.client('baz');
  baz.type('send_all hi everyone');
  bar.type('reg');
  foo.type('reg');
  sees(
    foo,
    `>>> [Welcome, You are registered.]
    >>> send bar hi
    >>> [Offline Message sent at 22:55:29 received by the server and saved.]
    >>> dereg
    >>> [You are Offline. Bye.]
    >>> reg
    >>> [RegSent]
    >>> >>> [You have offline messages:]
    >>> Group Chat baz: 22:56:40 hi everyone
    >>>  [Offline Message sent at 22:55:29 received by bar.]`,
  );
  sees(
    bar,
    `>>> [Welcome, You are registered.]
    >>> dereg
    >>> [You are Offline. Bye.]
    >>> reg
    >>> [RegSent]
    >>> >>> [You have offline messages:]
    >>> foo: 22:55:29 hi
    >>> Group Chat baz: 22:56:40 hi everyone`,
  );
  sees(
    baz,
    `>>> [Welcome, You are registered.]
    >>> send_all hi everyone
    >>> [Group Message received by Server.]
    >>>`,
  );
});

cases('5: a server that is gone, one client after another', () => {
  const stage = new Stage();
  const [foo, bar, baz] = [stage.client('foo'), stage.client('bar'), stage.client('baz')];
  foo.type('send_all hi from foooo');
  bar.type('send_all hi from barrrrr');
  baz.type('send_all hi from bazzzzz');
  stage.server = undefined;
  bar.type('send foo hi foo priv');
  bar.type('send baz hi baz priv');
  foo.type('send bar whats up');
  baz.type('send_all are you talking without me smfh');
  bar.type('send foo i think baz died');
  bar.type('send baz yo u alive?');
  foo.type('send bar no way!');
  sees(
    foo,
    `>>> [Welcome, You are registered.]
    >>> send_all hi from foooo
    >>> [Group Message received by Server.]
    >>> >>> Group Chat bar:  hi from barrrrr
    >>> Group Chat baz:  hi from bazzzzz
    bar: hi foo priv
    send bar whats up
    >>> [Message received by bar.]
    >>> bar: i think baz died
    send bar no way!
    >>> [No ACK from bar, message sent to server.]
    >>> [Server not responding]
    >>> [Exiting]`,
  );
  sees(
    bar,
    `>>> [Welcome, You are registered.]
    >>> >>> Group Chat foo:  hi from foooo
    send_all hi from barrrrr
    >>> [Group Message received by Server.]
    >>> >>> Group Chat baz:  hi from bazzzzz
    send foo hi foo priv
    >>> [Message received by foo.]
    >>> send baz hi baz priv
    >>> [Message received by baz.]
    >>> foo: whats up
    send foo i think baz died
    >>> [Message received by foo.]
    >>> send baz yo u alive?
    >>> [No ACK from baz, message sent to server.]
    >>> [Server not responding]
    >>> [Exiting]`,
  );
  sees(
    baz,
    `>>> [Welcome, You are registered.]
    >>> >>> Group Chat foo:  hi from foooo
    >>> Group Chat bar:  hi from barrrrr
    send_all hi from bazzzzz
    >>> [Group Message received by Server.]
    >>> bar: hi baz priv
    send_all are you talking without me smfh
    >>> [Server not responding]
    >>> [Exiting]`,
  );
  assert.equal([foo.status, bar.status, baz.status], [4, 4, 4]);
});

cases('6: one leaves silently', () => {
  const stage = new Stage();
  const [foo, bar, baz] = [stage.client('foo'), stage.client('bar'), stage.client('baz')];
  foo.type('dereg');
  baz.type('send_all Goodbye Everyone.');
  baz.isKilled = true;
  bar.type('send foo yo when you see this, i think baz died again');
  bar.type('send_all baz if u can hear us, come back');
  foo.type('reg');
  sees(
    foo,
    `>>> [Welcome, You are registered.]
    >>> dereg
    >>> [You are Offline. Bye.]
    >>> reg
    >>> [RegSent]
    >>> >>> [You have offline messages:]
    >>> Group Chat baz: 23:10:43 Goodbye Everyone.
    >>> bar: 23:11:32 yo when you see this, i think baz died again
    >>> Group Chat bar: 23:11:59 baz if u can hear us, come back`,
  );
  sees(
    bar,
    `>>> [Welcome, You are registered.]
    >>> >>> Group Chat baz:  Goodbye Everyone.
    send foo yo when you see this, i think baz died again
    >>> [Offline Message sent at 23:11:32 received by the server and saved.]
    >>> send_all baz if u can hear us, come back
    >>> [Group Message received by Server.]
    >>>  [Offline Message sent at 23:11:32 received by foo.]`,
  );
});

cases('7: all leave silently', () => {
  const stage = new Stage();
  const [foo, bar] = [stage.client('foo'), stage.client('bar')];
  foo.isKilled = true;
  bar.isKilled = true;
  const baz = stage.client('baz');
  baz.type('send_all yo anyone here');
  baz.type('dereg');
  const wag = stage.client('wag');
  wag.type('send baz i just joined what up');
  wag.isKilled = true;
  baz.type('reg');
  sees(foo, '>>> [Welcome, You are registered.]');
  sees(
    baz,
    `>>> [Welcome, You are registered.]
    >>> send_all yo anyone here
    >>> [Group Message received by Server.]
    >>> dereg
    >>> [You are Offline. Bye.]
    >>> reg
    >>> [RegSent]
    >>> >>> [You have offline messages:]
    >>> wag: 23:28:10 i just joined what up`,
  );
  sees(
    wag,
    `>>> [Welcome, You are registered.]
    >>> send baz i just joined what up
    >>> [Offline Message sent at 23:28:10 received by the server and saved.]
    >>>`,
  );
});
cases.run();

// --- what is lost, comes twice or late -----------------------------------------------------------------------

const OUTCOME =
  /^>>> \[(?:Message received by|Offline Message sent at .* and saved|Group Message received|Message not delivered|Server not responding|You are Offline|RegSent|Name not found)/;

function outcomes(client: Client): number {
  return client.screen.filter((line) => OUTCOME.test(line)).length;
}

const losses = suite('client-datagram: losses');

losses('whatever is lost, each command has one outcome, and nothing is shown twice', () => {
  const step = fc.record({
    who: fc.nat(2),
    what: fc.constantFrom('send a', 'send b', 'send c', 'send_all', 'dereg', 'reg'),
  });
  const copies = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.integer({ min: 1, max: 25 })) },
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 25 })) },
  );
  const steps = fc.array(step, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(steps, fc.array(copies, { minLength: 20, maxLength: 80 }), (all, link) => {
      const stage = new Stage();
      const clients = ['a', 'b', 'c'].map((name) => stage.client(name));
      let at = 0;
      // whoever was not asked by the server can't know that its ack was lost: a classic one takes any datagram for
      // an answer of the one it has asked
      const isCheck = () => stage.sent.at(-1)?.message.kind === 'status_check';
      stage.link = () => (isCheck() ? [2] : (link[at++ % link.length] ?? []));
      for (const [number, { who, what }] of all.entries()) tryOut(stage, clients[who] as Client, what, number);
      assert.is(stage.server?.death, undefined);
      for (const client of clients) checkShownOnce(stage, client, all.length);
    }),
    { numRuns: 300 },
  );
});

/** A command that can be given, and waits for its outcome. */
function tryOut(stage: Stage, client: Client, what: string, number: number): void {
  const isOffline = client.face.complete('reg').length > 0 || client.face.complete('re').length > 0;
  if (client.status !== undefined || isOffline !== (what === 'reg')) return;
  const before = outcomes(client);
  client.type(what.startsWith('send') ? `${what} text ${number}.` : what);
  // that it was sent is told at once, and that nobody has answered after that
  const isInVain = what === 'reg' && client.status !== undefined;
  assert.is(outcomes(client), before + (isInVain ? 2 : 1), `${what}\n${client.screen.join('\n')}`);
  assert.not.ok(
    stage.clients.some((one) => one.deadline() < NEVER),
    'somebody still waits',
  );
}

/** A classic server passes on each copy that it gets: what of that comes long apart can't be known for a copy. */
function checkShownOnce(stage: Stage, client: Client, count: number): void {
  for (let number = 0; number < count; number++) {
    const text = `text ${number}.`;
    const lines = client.screen.filter((line) => line.endsWith(` ${text}`) && !line.startsWith('>>> send'));
    const stored = lines.filter((line) => /\w: \d\d:\d\d/.test(line));
    const live = lines.length - stored.length;
    const heard = client.heard.filter(({ message }) => message.kind === 'group' && message.text === text);
    const apart = heard.filter(({ at }, nth) => nth === 0 || at - (heard[nth - 1]?.at ?? 0) >= SURELY_APART_MS);
    assert.ok(live <= Math.max(1, apart.length), client.screen.join('\n'));
    const relays = stage.server?.relays.filter((relay) => relay.text === text) ?? [];
    const saved = stage.server?.got.flatMap((got) => (got.kind === 'to_offline' && got.text === text ? got.time : []));
    assert.ok(stored.length <= Math.max(1, relays.length, new Set(saved).size), stored.join('\n'));
  }
}

/** Datagrams of this kind are lost, so many of them. */
function losing(stage: Stage, count: number, isLost: (sent: Sent) => boolean): void {
  let left = count;
  stage.link = () => {
    const last = stage.sent.at(-1);
    return last && isLost(last) && left-- > 0 ? [] : [2];
  };
}

losses('a lost ack: the message is sent again, and shown once', () => {
  const stage = new Stage();
  const [x, y] = [stage.client('x'), stage.client('y')];
  losing(stage, 1, ({ message, to }) => message.kind === 'ack' && to.ip === x.address.ip);
  x.type('send y hi');
  assert.equal(x.screen.slice(2), [
    '>>> [No ACK from y, message sent to server.]',
    '>>>  [Client y exists!!]',
    '>>> [Message received by y.]',
  ]);
  assert.equal(y.screen.slice(1), ['>>> x: hi']);
  x.type('send y hi');
  assert.equal(y.screen.slice(1), ['>>> x: hi', '>>> x: hi']);
});

losses('one who hears the server only is told as not reached', () => {
  const stage = new Stage();
  const [x, y] = [stage.client('x'), stage.client('y')];
  losing(stage, 100, ({ message }) => message.kind === 'msg');
  x.type('send y hi');
  assert.is(x.screen.at(-1), '>>> [Message not delivered to y.]');
  assert.is(x.screen.filter((line) => line.includes('No ACK')).length, 3);
  assert.is(y.screen.length, 1);
});

losses('who says the same thing twice is heard twice', () => {
  const stage = new Stage();
  const [x, y, z] = [stage.client('x'), stage.client('y'), stage.client('z')];
  for (const line of ['send y ok', 'send y ok', 'send_all ok', 'send_all ok']) x.begin(line);
  stage.settle();
  assert.equal(y.screen.slice(1), [...['>>> x: ok', '>>> x: ok', '>>> Group Chat x:  ok', '>>> Group Chat x:  ok']]);
  z.type('dereg');
  for (const line of ['send z ok', 'send z ok']) x.begin(line);
  stage.settle();
  z.type('reg');
  assert.is(z.screen.filter((line) => /x: \d\d:\d\d:\d\d ok$/.test(line)).length, 2);
  assert.is(x.screen.filter((line) => /received by z\.\]$/.test(line)).length, 2);
});

losses('a registration is repeated, then given up', () => {
  const stage = new Stage();
  stage.server = undefined;
  const x = stage.client('x');
  assert.equal(x.screen, ['>>> [Server not responding]', '>>> [Exiting]']);
  assert.is(x.status, 4);
  assert.equal(
    stage.sent.map(({ at }) => at),
    [0, 500, 1000, 1500, 2000],
  );
});

losses('our acks to a peer come 30 ms after its message, to the server at once', () => {
  const stage = new Stage();
  const [x, y] = [stage.client('x'), stage.client('y')];
  x.type('send y hi');
  x.type('send_all hi');
  const from = (client: Client) => stage.sent.filter((sent) => sent.from.ip === client.address.ip);
  const [toPeer, toServer] = from(y).filter(({ message }) => message.kind === 'ack');
  const [msg] = stage.sent.filter(({ message }) => message.kind === 'msg');
  const [group] = stage.sent.filter(({ message, from: { ip } }) => message.kind === 'group' && ip === SERVER.ip);
  assert.is((toPeer as Sent).at, (msg as Sent).at + 2 + 30);
  assert.is((toServer as Sent).at, (group as Sent).at + 2);
});
losses.run();

// --- our server ----------------------------------------------------------------------------------------------

const PEER: Address = { ip: '10.0.0.9', port: 4000 };
const ROWS: TableRow[] = [
  { name: 'x', ip: '10.0.0.2', port: 3000, online: true },
  { name: 'y', ...PEER, online: true },
  { name: 'gone', ip: '10.0.0.8', port: 4001, online: false },
];
const CONF: DatagramMessage = { kind: 'conf_reg', table: ROWS };
const ACK: DatagramMessage = { kind: 'ack', from: 'server' };

/** One face, and what it does told in short. */
class Alone {
  readonly face: DatagramFace;
  now = 0;
  #clock = 0;

  constructor(json = false) {
    const clock = () => `12:00:${String(this.#clock + Math.floor(this.now / 1000)).padStart(2, '0')}`;
    this.face = new DatagramFace({ name: 'x', port: 3000, server: SERVER, clock, json });
    this.face.start(0);
  }

  /** Registered, with a server of that kind. */
  static ready(isOurs: boolean, json = false): Alone {
    const alone = new Alone(json);
    alone.hear(CONF);
    alone.wait(40);
    alone.hear(isOurs ? CONF : { kind: 'no_reg' });
    alone.wait(40);
    if (isOurs) alone.hear(CONF);
    alone.wait(40);
    return alone;
  }

  hear(message: DatagramMessage, from = SERVER): string[] {
    return this.face.input(message, from, this.now).map(tell);
  }

  type(...lines: string[]): string[] {
    return lines.flatMap((line) => this.face.line(line, this.now).map(tell));
  }

  wait(ms: number): string[] {
    const told: string[] = [];
    for (const until = this.now + ms; this.now < until; ) {
      this.now = Math.min(until, Math.max(this.now + 1, this.face.deadline()));
      told.push(...this.face.tick(this.now).map(tell));
    }
    return told;
  }
}

function tell(action: Action): string {
  if (action.kind === 'print') return action.text;
  if (action.kind === 'exit') return `exit ${action.status}`;
  if (action.kind !== 'send') return action.kind;
  const { kind, ...fields } = action.request.message;
  return `-> ${action.request.to.ip} ${kind} ${JSON.stringify(fields)}`;
}

const SAYS = (isOurs: boolean) => `-> 10.0.0.1 freg {"name":"x","port":3000,"isOurs":${isOurs}}`;
const MY_ACK = '-> 10.0.0.1 ack {"from":"x"}';
const PEER_ACK = '-> 10.0.0.9 ack {"from":"x"}';

const alone = suite('client-datagram: alone');

alone('says that it is ours only to a server that answers a second registration', () => {
  const ours = new Alone();
  assert.equal(ours.hear(CONF), ['>>> [Welcome, You are registered.]']);
  assert.equal(ours.type('send_all hi'), [], 'what is typed waits');
  assert.equal(ours.wait(40), [SAYS(false)]);
  assert.equal(ours.hear(CONF, PEER), [], 'not of somebody else');
  ours.hear(CONF);
  assert.equal(ours.wait(40), [SAYS(true)]);
  ours.hear(CONF);
  assert.equal(ours.wait(40), ['-> 10.0.0.1 group {"name":"x","text":"hi"}']);

  const classic = new Alone();
  classic.hear(CONF);
  classic.wait(40);
  assert.equal(classic.hear({ kind: 'no_reg' }), []);
  assert.equal(classic.wait(5000), []);

  const silent = new Alone();
  silent.hear(CONF);
  assert.equal(silent.wait(5000), [SAYS(false)]);
});

alone('a name that is taken', () => {
  assert.equal(new Alone().hear({ kind: 'no_reg' }), ['>>> [Invalid Name]', 'exit 1']);
});

for (const [line, answer] of [
  ['send', '[Invalid command]'],
  ['send y', '[Invalid command]'],
  ['send y  ', '[Invalid command]'],
  ['send_all', '[Invalid command]'],
  ['send_all  ', '[Invalid command]'],
  ['dereg x', '[Invalid command]'],
  ['reg', '[Invalid command]'],
  ['SEND y hi', '[Invalid command]'],
  ['constructor', '[Invalid command]'],
  ['send nobody hi', '[Name not found]'],
  ['send constructor hi', '[Name not found]'],
] as const) {
  alone(`${JSON.stringify(line)} is answered`, () => {
    assert.equal(Alone.ready(false).type(line), [`>>> ${answer}`]);
  });
}

alone('blanks stand as they were typed; an empty line is nothing', () => {
  assert.equal(Alone.ready(false).type('send y a  b  '), ['-> 10.0.0.9 msg {"from":"x","text":"a  b  "}']);
  assert.equal(Alone.ready(false).type('', '  '), []);
});

alone('while offline there is but reg; the group and the server are answered', () => {
  const one = Alone.ready(false);
  one.type('dereg');
  assert.equal(one.hear(ACK), ['>>> [You are Offline. Bye.]']);
  one.wait(40);
  assert.equal(one.type('send y hi', 'dereg', 'send_all hi'), Array(3).fill('>>> [Invalid command]'));
  assert.equal(one.hear({ kind: 'msg', from: 'y', text: 'hi' }, PEER), []);
  assert.equal(one.wait(100), []);
  assert.equal(one.hear({ kind: 'status_check' }), ['-> 10.0.0.1 status_confirm {"from":"x"}']);
  assert.equal(one.hear({ kind: 'group', name: 'y', text: 'hi' }), [MY_ACK, '>>> >>> Group Chat y:  hi']);
  assert.equal(one.type('reg'), ['>>> [RegSent]', '-> 10.0.0.1 reg {"name":"x"}']);
  assert.equal(one.hear({ kind: 'offline_messages', messages: [] }), [MY_ACK]);
});

alone('the same list is acked again and not shown again', () => {
  const one = Alone.ready(true);
  const list: DatagramMessage = {
    kind: 'offline_messages',
    messages: [
      { from: 'y', time: '12:00:00', text: 'ok', isGroup: true },
      { from: 'y', time: '12:00:00', text: 'ok', isGroup: true },
    ],
  };
  const row = '>>> Group Chat y: 12:00:00 ok';
  assert.equal(one.hear(list), [MY_ACK, `>>> >>> [You have offline messages:]\n${row}\n${row}`]);
  one.wait(500);
  assert.equal(one.hear(list), [MY_ACK]);
  const rest = { from: 'y', time: '12:00:01', text: 'more', isGroup: false };
  assert.equal(one.hear({ kind: 'offline_messages', messages: [rest] }), [MY_ACK, '>>> y: 12:00:01 more']);
});

alone('a copy of the group’s message is acked again and not shown again', () => {
  const one = Alone.ready(true);
  const group: DatagramMessage = { kind: 'group', name: 'y', text: 'hi' };
  assert.is(one.hear(group).length, 2);
  for (let copy = 0; copy < 2; copy++) {
    one.wait(200);
    assert.equal(one.hear(group), [MY_ACK]);
  }
  one.wait(600);
  assert.is(one.hear(group).length, 2);
});

alone('what an ack is for, and of whom', () => {
  const one = Alone.ready(false);
  one.type('send y hi');
  assert.equal(one.hear(ACK), []);
  assert.equal(one.hear({ kind: 'ack', from: 'y' }, { ip: '10.0.0.66', port: 4000 }), []);
  assert.equal(one.hear({ kind: 'ack', from: 'y' }, { ip: PEER.ip, port: 55_555 }), ['>>> [Message received by y.]']);
  one.wait(40);
  one.type('send gone hi');
  assert.equal(one.hear({ kind: 'ack', from: 'y' }), []);
  assert.equal(one.hear(ACK, PEER), []);
  assert.equal(one.hear(ACK), ['>>> [Offline Message sent at 12:00:00 received by the server and saved.]']);
});

alone('a classic server that says no more than that somebody is gone', () => {
  const one = Alone.ready(false);
  one.type('send y hi');
  assert.is(one.wait(500)[0], '>>> [No ACK from y, message sent to server.]');
  const gone = ROWS.map((row) => ({ ...row, online: row.name === 'x' }));
  assert.equal(one.hear({ kind: 'table_update', table: gone }), []);
  assert.equal(one.wait(100), ['>>> [Offline Message sent at 12:00:00 received by the server and saved.]']);
});

alone('long texts: 2,048 bytes to a peer, each piece acked; one outcome', () => {
  const one = Alone.ready(false);
  const told = one.type(`send y ${'ä'.repeat(3000)}`);
  const pieces: string[] = [];
  for (let sent = told; sent[0]?.startsWith('->'); sent = one.wait(40)) {
    const text = JSON.parse(sent[0].replace(/^.* msg /, '')).text;
    assert.ok(encodeDatagram({ kind: 'msg', from: 'x', text }).length <= 2048);
    pieces.push(text);
    const outcome = one.hear({ kind: 'ack', from: 'y' }, PEER);
    assert.equal(outcome, pieces.join('').length < 3000 ? [] : ['>>> [Message received by y.]']);
  }
  assert.is(pieces.join(''), 'ä'.repeat(3000));
  assert.ok(pieces.length > 1);
});

alone('the server takes it for offline: it comes back', () => {
  const one = Alone.ready(true);
  const table = ROWS.map((row) => ({ ...row, online: row.name !== 'x' }));
  assert.equal(one.hear({ kind: 'table_update', table }), ['-> 10.0.0.1 reg {"name":"x"}']);
});

alone('the end of input: what was typed, then goodbye', () => {
  const one = Alone.ready(false);
  one.type('send_all a', 'send_all b');
  assert.ok(one.face.isWaiting);
  assert.equal(one.face.inputEnded(one.now), []);
  assert.equal(one.hear(ACK), ['>>> [Group Message received by Server.]']);
  assert.equal(one.wait(40), ['-> 10.0.0.1 group {"name":"x","text":"b"}']);
  one.hear(ACK);
  assert.equal(one.wait(40), ['-> 10.0.0.1 dereg {"name":"x"}']);
  assert.equal(one.hear({ kind: 'msg', from: 'y', text: 'bye' }, PEER), ['>>> y: bye']);
  assert.equal(one.hear(ACK), ['>>> [You are Offline. Bye.]']);
  assert.equal(one.wait(40), [PEER_ACK, 'exit 0'], 'whoever waits for an ack gets it');
});

alone('what the server could not keep is said again by nobody', () => {
  const one = Alone.ready(false);
  one.type('send_all a', 'send_all b');
  assert.equal(one.hear({ kind: 'error', text: ' [Not kept.]' }), ['>>>  [Not kept.]']);
  assert.equal(one.wait(40), ['-> 10.0.0.1 group {"name":"x","text":"b"}']);
});

alone('a signal: goodbye at once, whatever is under way', () => {
  const one = Alone.ready(false);
  one.type('send_all a', 'send_all b');
  one.face.interrupted(one.now);
  const told = one.wait(40);
  assert.ok(told.length <= 1);
  assert.equal(one.hear(ACK), ['>>> [You are Offline. Bye.]']);
  assert.equal(one.wait(300).at(-1), 'exit 0');
  assert.equal(new Alone().face.interrupted(0).map(tell), ['exit 0']);
});

alone('JSON: one object a line', () => {
  const one = Alone.ready(true, true);
  const say = (message: DatagramMessage, from?: Address) =>
    one.hear(message, from).flatMap((told) => (told.startsWith('{') ? [JSON.parse(told)] : []));
  assert.equal(say({ kind: 'msg', from: 'y', text: 'a\n\u009b\u202eb' }, PEER), [
    { event: 'message', from: 'y', text: 'a\n\u009b\u202eb' },
  ]);
  assert.ok(
    !/[\n\u0080-\u009f\u202e]/.test(one.hear({ kind: 'msg', from: 'y', text: '\n\u009b\u202e' }, PEER).join('')),
  );
  assert.equal(say({ kind: 'table_update', table: ROWS }), [], 'nothing has changed');
  const table = ROWS.map((row) => ({ ...row, online: true }));
  assert.equal(say({ kind: 'table_update', table }), [{ event: 'table', table }]);
  say({ kind: 'table_update', table: ROWS });
  one.type('send_all hi');
  assert.equal(say(ACK), [{ event: 'acked', group: true }]);
  one.wait(40);
  one.type('send gone hi');
  assert.equal(say(ACK), [{ event: 'saved', to: 'gone', time: '12:00:00' }]);
  one.wait(40);
  assert.equal(JSON.parse(one.type('x')[0] ?? ''), { event: 'error', text: '[Invalid command]' });
});

alone('Tab: commands, and names after send', () => {
  const { face } = Alone.ready(false);
  assert.equal(face.complete(''), []);
  assert.equal(face.complete('se'), ['send ', 'send_all ']);
  assert.equal(face.complete('send '), ['send y ', 'send gone ']);
  assert.equal(face.complete('send g'), ['send gone ']);
  assert.equal(face.complete('d'), ['dereg']);
});
alone.run();

// --- hostile datagrams ---------------------------------------------------------------------------------------

const hostile = suite('client-datagram: hostile datagrams');

const name = fc.oneof(fc.constantFrom('x', 'y', 'gone', 'server', '__proto__'), fc.string({ maxLength: 20 }));
const text = fc.string({ unit: 'binary', maxLength: 40 });
const rows = fc.array(
  fc.record({ name, ip: fc.constantFrom('10.0.0.9', 'evil.example'), port: fc.nat(65_535), online: fc.boolean() }),
);
const messages: fc.Arbitrary<DatagramMessage> = fc.oneof(
  fc.record({ kind: fc.constantFrom('conf_reg', 'table_update'), table: rows }),
  fc.record({ kind: fc.constantFrom('no_reg', 'status_check') }),
  fc.record({ kind: fc.constantFrom('ack', 'status_confirm'), from: name }),
  fc.record({ kind: fc.constant('msg'), from: fc.option(name, { nil: undefined }), text }),
  fc.record({ kind: fc.constant('group'), name, text }),
  fc.record({ kind: fc.constant('error'), text }),
  fc.record({
    kind: fc.constant('offline_messages'),
    messages: fc.array(
      fc.record({ from: fc.option(name, { nil: undefined }), time: text, text, isGroup: fc.boolean() }),
    ),
  }),
) as fc.Arbitrary<DatagramMessage>;

hostile('strangers are not heard, whatever they say', () => {
  fc.assert(
    fc.property(fc.array(messages), fc.boolean(), (all, isBusy) => {
      const one = Alone.ready(false);
      if (isBusy) one.type('send gone hi');
      for (const message of all) assert.equal(one.hear(message, { ip: '10.6.6.6', port: 3000 }), []);
    }),
  );
});

hostile('nobody else can answer for the server, or speak for somebody else', () => {
  fc.assert(
    fc.property(fc.array(messages), (all) => {
      const one = Alone.ready(false);
      one.type('send gone hi');
      for (const message of all) {
        for (const told of one.hear(message, PEER)) assert.match(told, /^>>> y: /);
      }
    }),
  );
});

hostile('no server can move the cursor, or make it throw', () => {
  fc.assert(
    fc.property(fc.array(messages), (all) => {
      const one = Alone.ready(false);
      one.type('send y hi', 'send_all hi');
      for (const message of all) {
        for (const told of one.hear(message)) assert.ok(told.startsWith('->') || printable(told) === told, told);
        one.wait(10);
      }
    }),
  );
});

hostile('a text of several rows is one message', () => {
  const one = Alone.ready(false);
  const told = one.hear({ kind: 'msg', from: 'y', text: 'a\n>>> [Server not responding]' }, PEER);
  assert.equal(told, ['>>> y: a\n    >>> [Server not responding]']);
});
hostile.run();
