// The text format of Prometheus (0.0.4), and what must stay bounded.

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Post } from '../src/events.ts';
import { Metrics } from '../src/metrics.ts';
import { ServerMetrics } from '../src/server-metrics.ts';
import type { Store } from '../src/store-contract.ts';

// --- the text ------------------------------------------------------------------------------------------------

const text = suite('metrics: the text');

text('of each kind', () => {
  const metrics = new Metrics();
  const said = metrics.counter('said_total', 'Said.', ['dialect', 'way']);
  said.add(2, 'lab', 'tcp');
  said.at('lab', 'udp').add();
  said.add(1, 'lab', 'tcp');
  metrics.counter('plain_total', 'From the start.');
  metrics.gauge('now', 'Now.', () => 1.5);
  const seconds = metrics.histogram('wait_seconds', 'Waited.', [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
  assert.is(
    metrics.text(),
    [
      '# HELP said_total Said.',
      '# TYPE said_total counter',
      'said_total{dialect="lab",way="tcp"} 3',
      'said_total{dialect="lab",way="udp"} 1',
      '# HELP plain_total From the start.',
      '# TYPE plain_total counter',
      'plain_total 0',
      '# HELP now Now.',
      '# TYPE now gauge',
      'now 1.5',
      '# HELP wait_seconds Waited.',
      '# TYPE wait_seconds histogram',
      'wait_seconds_bucket{le="0.1"} 2',
      'wait_seconds_bucket{le="1"} 3',
      'wait_seconds_bucket{le="+Inf"} 4',
      'wait_seconds_sum 7.65',
      'wait_seconds_count 4',
      '',
    ].join('\n'),
  );
});

const VALUES: Array<[value: number, text: string]> = [
  [0, '0'],
  [-1.25, '-1.25'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
];
for (const [value, shown] of VALUES) {
  text(`${value} is ${shown}`, () => {
    const metrics = new Metrics();
    metrics.gauge('x', '', () => value);
    assert.ok(metrics.text().endsWith(`\nx ${shown}\n`));
  });
}

text('no label can end its line or its quotes', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const metrics = new Metrics();
      metrics.counter('x', '', ['a']).add(1, value);
      const line = /^x\{a="((?:[^"\\\n]|\\[\\"n])*)"\} 1$/m.exec(metrics.text());
      const back = line?.[1]?.replace(/\\([\\"n])/g, (_, one: string) => (one === 'n' ? '\n' : one));
      assert.is(back, value);
    }),
  );
});

text('a metric that is asked for a thousand label sets keeps a hundred, and loses no count', () => {
  const metrics = new Metrics();
  const counter = metrics.counter('x', '', ['a']);
  for (let i = 0; i < 1000; i++) counter.add(1, `v${i}`);
  const samples = [...counter.samples()];
  assert.ok(samples.length <= 101, String(samples.length));
  assert.is(
    samples.reduce((sum, { value }) => sum + value, 0),
    1000,
  );
  assert.ok(samples.some(({ values }) => values[0] === 'other'));
});

text('a name is taken once, and is a name', () => {
  const metrics = new Metrics();
  metrics.counter('x', '');
  assert.throws(() => metrics.counter('x', ''), /already/);
  assert.throws(() => metrics.counter('X y', ''), /no name/);
});

text.run();

// --- the server's --------------------------------------------------------------------------------------------

const server = suite('metrics: of a server');

/** The value of a line of its text. */
function figure(metrics: ServerMetrics, name: string): number {
  const line = metrics
    .text()
    .split('\n')
    .find((one) => one.startsWith(`${name} `));
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1));
}

function postOf(id: number, dialect: string): Post {
  return { kind: 'post', id, room: 'main', who: { id: '', name: 'ann', nick: 'ann', dialect }, at: 0, text: 'hi' };
}

/** Keeps what it is told to keep, when it is told. */
class SlowStore {
  readonly added: number[] = [];
  readonly #waiting: Array<{ id: number; resolve: () => void; reject: (error: Error) => void }> = [];

  addPost({ id }: Post): void {
    this.added.push(id);
  }

  saved(id: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ id, resolve, reject }));
  }

  /** A private member shows that methods are called on the store itself. */
  get waiting(): number {
    return this.#waiting.length;
  }

  async save(isLost = false): Promise<void> {
    for (const { resolve, reject } of this.#waiting.splice(0)) isLost ? reject(new Error('lost')) : resolve();
    await Promise.resolve();
    await Promise.resolve();
  }
}

server('counts posts by the dialect of who spoke, and asks the disk once for a group', async () => {
  const metrics = new ServerMetrics();
  const slow = new SlowStore();
  const store = metrics.watch(slow as unknown as Store);
  for (let id = 1; id <= 10; id++) store.addPost(postOf(id, id % 2 ? 'lab' : 'menu'), 1);
  assert.is(slow.added.length, 10);
  assert.is(slow.waiting, 1);
  assert.is(figure(metrics, 'parley_messages_total{dialect="lab"}'), 5);
  assert.is(figure(metrics, 'parley_messages_total{dialect="menu"}'), 5);
  assert.is(figure(metrics, 'parley_store_queue'), 10);
  await slow.save();
  assert.is(figure(metrics, 'parley_store_queue'), 9);
  await slow.save();
  assert.is(figure(metrics, 'parley_store_queue'), 0);
  assert.is(slow.waiting, 0);
  assert.is(figure(metrics, 'parley_store_seconds_count'), 2);
});

server('a post that was lost waits no longer, and is no sample', async () => {
  const metrics = new ServerMetrics();
  const slow = new SlowStore();
  metrics.watch(slow as unknown as Store).addPost(postOf(1, 'lab'), 1);
  await slow.save(true);
  assert.is(figure(metrics, 'parley_store_queue'), 0);
  assert.is(figure(metrics, 'parley_store_seconds_count'), 0);
});

server('the other methods are the store’s own', async () => {
  const slow = new SlowStore();
  const store = new ServerMetrics().watch(slow as unknown as Store);
  const done = store.saved(1);
  assert.is(slow.waiting, 1);
  await slow.save();
  await done;
});

server('is up when the store is, and says why not', () => {
  const metrics = new ServerMetrics();
  assert.ok(metrics.trouble);
  metrics.storeTrouble(undefined);
  assert.is(figure(metrics, 'parley_store_up'), 1);
  metrics.storeTrouble('the disk is full');
  assert.is(metrics.trouble, 'the disk is full');
  assert.is(figure(metrics, 'parley_store_up'), 0);
  metrics.lost(7);
  assert.is(figure(metrics, 'parley_store_lost_total'), 7);
});

server('reads of connections and transfers what there is', () => {
  const metrics = new ServerMetrics();
  metrics.readConnections(() => ({ byDialect: [['lab', 3]], waitingBytes: 70, mostWaitingBytes: 50 }));
  metrics.readTransferred(() => 12_345);
  metrics.connected('lab', true);
  metrics.reject('slow');
  metrics.datagrams('lab').add(4);
  const wanted: Array<[string, number]> = [
    ['parley_connections{dialect="lab"}', 3],
    ['parley_queue_bytes', 70],
    ['parley_queue_most_bytes', 50],
    ['parley_transfer_bytes_total', 12_345],
    ['parley_connections_total{dialect="lab",tls="yes"}', 1],
    ['parley_rejects_total{reason="slow"}', 1],
    ['parley_datagrams_total{dialect="lab"}', 4],
  ];
  for (const [name, value] of wanted) assert.is(figure(metrics, name), value, name);
});

server('every line is one that Prometheus reads', () => {
  const metrics = new ServerMetrics();
  metrics.reject('slow');
  for (const line of metrics.text().trimEnd().split('\n')) {
    assert.match(line, /^(?:# (?:HELP|TYPE) [a-z_]+ .+|[a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? [-+.\w]+)$/);
  }
});

server.run();
