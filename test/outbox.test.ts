import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Outbox, type OutboxOptions, OutPort, type Sink } from '../src/outbox.ts';
import type { Address, Broadcast, Port } from '../src/session.ts';

/** A turn of the event loop that ends when the test says so. */
class Loop {
  readonly outbox: Outbox;
  calls = 0;
  #due: Array<() => void> = [];

  constructor(options: Partial<OutboxOptions> = {}) {
    const schedule = (flush: () => void) => void this.#due.push(flush);
    this.outbox = new Outbox({ softBytes: 1000, hardBytes: 4000, schedule, ...options });
  }

  /** One round of polling; false when nothing was due. */
  poll(): boolean {
    const due = this.#due.splice(0);
    this.calls += due.length;
    for (const flush of due) flush();
    return due.length > 0;
  }

  turn(): void {
    while (this.poll());
  }
}

class FakeSink implements Sink {
  readonly pieces: Uint8Array[] = [];
  /** Writes as the system sees them: what is corked together is one. */
  writes = 0;
  writableLength = 0;
  /** A peer that reads nothing. */
  stuck = false;
  #corked = false;

  write(bytes: Uint8Array): boolean {
    if (!this.#corked) this.writes++;
    this.pieces.push(bytes);
    if (this.stuck) this.writableLength += bytes.length;
    return !this.stuck;
  }

  cork(): void {
    this.#corked = true;
    this.writes++;
  }

  uncork(): void {
    this.#corked = false;
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString();
  }
}

class TestPort extends OutPort implements Port {
  readonly id = 'p';
  readonly local: Address = { ip: '', port: 0 };
  readonly remote: Address = { ip: '', port: 0 };
  readonly opened = 0;
  readonly isCongested = false;
  readonly sink: FakeSink;
  readonly told: string[] = [];

  constructor(loop: Loop, sink = new FakeSink()) {
    super(loop.outbox, sink);
    this.sink = sink;
  }

  wake(): void {}

  end(): void {
    this.shut();
  }

  drain(): void {
    this.sink.stuck = false;
    this.sink.writableLength = 0;
    this.drained();
  }

  resume(): void {}
  fail(): void {}

  protected override congested(is: boolean): void {
    this.told.push(is ? 'congested' : 'drained');
  }

  protected override overflowed(waitingBytes: number): void {
    this.told.push(`overflowed ${waitingBytes}`);
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

const slices = suite('outbox: slices');

slices('are the same memory for all, one write for each port and turn', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const ports = Array.from({ length: 5 }, () => new TestPort(loop));
  for (const port of ports) room.add(port);
  for (const line of ['a', 'b', 'c']) room.append(bytes(line));
  assert.equal(
    ports.map(({ sink }) => sink.writes),
    [0, 0, 0, 0, 0],
    'nothing goes out before the end of the turn',
  );
  loop.turn();
  const [first] = ports.map(({ sink }) => sink.pieces[0] as Uint8Array);
  for (const { sink } of ports) {
    assert.equal([sink.text, sink.writes], ['abc', 1]);
    assert.is(sink.pieces[0]?.buffer, first?.buffer);
    assert.is(sink.pieces[0]?.byteOffset, first?.byteOffset);
  }
});

slices('are not overwritten by later turns', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const port = new TestPort(loop);
  room.add(port);
  let wanted = '';
  for (let i = 0; i < 200; i++) {
    const line = `${i}:${'x'.repeat((i * 37) % 300)};`;
    room.append(bytes(line));
    wanted += line;
    if (i % 3 === 0) loop.turn();
  }
  loop.turn();
  assert.is(port.sink.text, wanted);
});

slices('are copies of what the caller may overwrite', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const port = new TestPort(loop);
  room.add(port);
  const line = bytes('hello');
  room.append(line);
  line.fill(0);
  loop.turn();
  assert.is(port.sink.text, 'hello');
});

slices('leave out one port’s own lines and keep the order of the others', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const [a, b] = [new TestPort(loop), new TestPort(loop)];
  room.add(a);
  room.add(b);
  room.append(bytes('1'));
  room.append(bytes('2'), a);
  room.append(bytes('3'));
  room.append(bytes('4'), b);
  room.append(bytes('5'));
  loop.turn();
  assert.equal([a.sink.text, b.sink.text], ['1345', '1235']);
  assert.equal([a.sink.writes, b.sink.writes], [1, 1]);
});

slices('begin where a port joins and end where it leaves', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const [stays, joins, leaves] = [new TestPort(loop), new TestPort(loop), new TestPort(loop)];
  room.add(stays);
  room.add(leaves);
  room.append(bytes('1'));
  room.add(joins);
  room.add(joins);
  room.append(bytes('2'));
  room.remove(leaves);
  room.remove(leaves);
  room.append(bytes('3'));
  loop.turn();
  assert.equal(
    [stays, joins, leaves].map(({ sink }) => sink.text),
    ['123', '23', '12'],
  );
});

slices('keep their place among what one port alone is sent', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const [a, b] = [new TestPort(loop), new TestPort(loop)];
  room.add(a);
  room.add(b);
  room.append(bytes('1'));
  a.send(bytes('<private>'));
  room.append(bytes('2'));
  loop.turn();
  assert.equal([a.sink.text, b.sink.text], ['1<private>2', '12']);
  assert.equal([a.sink.writes, b.sink.writes], [1, 1]);
});

slices('go out early when a turn brings very much', () => {
  const loop = new Loop({ softBytes: 2 ** 30, hardBytes: 2 ** 30 });
  const room = loop.outbox.broadcast();
  const port = new TestPort(loop);
  room.add(port);
  for (let i = 0; i < 100; i++) room.append(bytes(`${i}`.padEnd(10_000, '.')));
  assert.ok(port.sink.writes > 0, 'some of a megabyte is out before the end of the turn');
  loop.turn();
  assert.is(port.sink.text.length, 1_000_000);
  assert.is(port.sink.text.replace(/\.+/g, ' '), Array.from({ length: 100 }, (_, i) => `${i} `).join(''));
});

slices('of a port that is none of ours are refused as a bug', () => {
  assert.throws(() => new Loop().outbox.broadcast().add({} as Port), TypeError);
});
slices.run();

const polls = suite('outbox: polling again');

polls('happens at most three times while that brings more', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const port = new TestPort(loop);
  room.add(port);
  room.append(bytes('0'));
  for (let i = 1; i < 10 && port.sink.writes === 0; i++) {
    loop.poll();
    if (port.sink.writes === 0) room.append(bytes(`${i}`));
  }
  assert.is(loop.calls, 4);
  assert.is(port.sink.text, '0123');
});

polls('stops when nothing more has come', () => {
  const loop = new Loop();
  const port = new TestPort(loop);
  port.send(bytes('x'));
  loop.turn();
  assert.is(port.sink.text, 'x');
  assert.ok(loop.calls <= 2, `${loop.calls} calls for a lone line`);
  assert.not(loop.poll(), 'an idle outbox asks for nothing');
});
polls.run();

const limits = suite('outbox: limits');

limits('congest a port that does not read, then overflow it; the others go on', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const [slow, quick] = [new TestPort(loop), new TestPort(loop)];
  room.add(slow);
  room.add(quick);
  slow.sink.stuck = true;
  for (let i = 0; i < 9; i++) {
    room.append(bytes('x'.repeat(500)));
    loop.turn();
  }
  assert.equal(slow.told, ['congested', 'overflowed 4500']);
  assert.equal([quick.sink.text.length, quick.told], [4500, []]);
  slow.drain();
  slow.drain();
  assert.equal(slow.told.slice(2), ['drained']);
});

limits('do not mind what was written and merely reported late', () => {
  const loop = new Loop();
  const port = new TestPort(loop);
  port.sink.stuck = true;
  port.send(bytes('x'.repeat(1000)));
  loop.turn();
  assert.equal(port.told, []);
});
limits.run();

const shut = suite('outbox: a port that is shut');

shut('gets what was said before, and nothing after', () => {
  const loop = new Loop();
  const room = loop.outbox.broadcast();
  const [port, other] = [new TestPort(loop), new TestPort(loop)];
  room.add(port);
  room.add(other);
  room.append(bytes('1'));
  port.send(bytes('2'));
  port.end();
  assert.is(port.sink.text, '12', 'at once');
  room.append(bytes('3'));
  port.send(bytes('4'));
  port.end();
  loop.turn();
  assert.equal([port.sink.text, other.sink.text, port.places.length], ['12', '13', 0]);
});
shut.run();

const flood = suite('outbox: one port that is sent much in a turn');

flood('is congested before the turn ends, and free again when the socket took it', () => {
  const loop = new Loop();
  const port = new TestPort(loop);
  port.send(bytes('x'.repeat(1000)));
  assert.equal(port.told, []);
  port.send(bytes('x'));
  port.send(bytes('x'));
  assert.is(port.told.length, 1);
  loop.turn();
  assert.is(port.told.length, 2);
  assert.is(port.sink.text.length, 1002);
});
flood.run();

type Step =
  | { do: 'add' | 'remove' | 'append' | 'except'; room: number; port: number }
  | { do: 'send'; port: number }
  | { do: 'poll' }
  | { do: 'turn' };

const PORTS = 3;
const ROOMS = 2;
const port = fc.nat(PORTS - 1);
const room = fc.nat(ROOMS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('add', 'remove'), room, port }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('append', 'except'), room, port }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const), port }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('poll', 'turn') }) },
) as fc.Arbitrary<Step>;

const model = suite('outbox: any sequence of steps');

model('gives each port the lines of each room, and its own, in order', () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.constantFrom(3, 700), (steps, size) => {
      const loop = new Loop({ softBytes: 2 ** 30, hardBytes: 2 ** 30 });
      const ports = Array.from({ length: PORTS }, () => new TestPort(loop));
      const rooms = Array.from({ length: ROOMS }, () => loop.outbox.broadcast());
      const seated = rooms.map(() => new Set<number>());
      const wanted = ports.map(() => [] as string[]);
      for (const [i, one] of steps.entries()) {
        if (one.do === 'poll') loop.poll();
        else if (one.do === 'turn') loop.turn();
        else if (one.do === 'send') {
          wanted[one.port]?.push(`p${i}`);
          ports[one.port]?.send(bytes(`p${i};`));
        } else {
          const out = ports[one.port] as TestPort;
          const it = rooms[one.room] as Broadcast;
          const members = seated[one.room] as Set<number>;
          if (one.do === 'add') {
            members.add(one.port);
            it.add(out);
          } else if (one.do === 'remove') {
            members.delete(one.port);
            it.remove(out);
          } else {
            const line = `${one.room}-${i}-${'x'.repeat(size)}`;
            it.append(bytes(`${line};`), one.do === 'except' ? out : undefined);
            for (const member of members) {
              if (one.do === 'append' || member !== one.port) wanted[member]?.push(line);
            }
          }
        }
      }
      loop.turn();
      for (const [n, { sink }] of ports.entries()) {
        const got = sink.text.split(';').slice(0, -1);
        for (let r = 0; r < ROOMS; r++) {
          const ofRoom = (line: string) => line.startsWith(`${r}-`) || line.startsWith('p');
          assert.equal(got.filter(ofRoom), wanted[n]?.filter(ofRoom));
        }
        assert.is(got.length, wanted[n]?.length);
      }
    }),
    { numRuns: 500 },
  ),
);
model.run();
