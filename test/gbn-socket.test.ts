// On real sockets of the own machine: what is asked here is what the system does.

import dgram from 'node:dgram';
import { setImmediate, setTimeout } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Driver, GbnSocket, type GbnSocketOptions, type Machine } from '../src/gbn-socket.ts';
import type { Address } from '../src/session.ts';

const test = suite('gbn socket');

const HOST = '127.0.0.1';
const NEVER = Number.POSITIVE_INFINITY;
const LONG_MS = 10_000;

const open: GbnSocket[] = [];
const strangers: dgram.Socket[] = [];
test.after.each(() => {
  for (const socket of open.splice(0)) socket.close();
  for (const socket of strangers.splice(0)) socket.close();
});

/** Says what it was told to say; notes what it hears and when it was woken. */
class FakeMachine implements Machine {
  readonly heard: string[] = [];
  readonly out: Uint8Array[] = [];
  ticks: number[] = [];
  at = NEVER;

  input(datagram: Uint8Array): void {
    this.heard.push(Buffer.from(datagram).toString());
  }

  tick(now: number): void {
    this.ticks.push(now);
    if (now >= this.at) this.at = NEVER;
  }

  take(): Uint8Array | undefined {
    return this.out.shift();
  }

  deadline(): number {
    return this.at;
  }
}

/** Ours is what begins with `us`. */
function driver(machine: Machine, serve: (now: number) => void = () => {}): Driver {
  return { machine, isOurs: (bytes) => Buffer.from(bytes).toString().startsWith('us'), serve };
}

async function socket(options: Partial<GbnSocketOptions> = {}): Promise<GbnSocket> {
  const one = await GbnSocket.open({
    host: HOST,
    onBug: (error) => {
      throw error;
    },
    ...options,
  });
  open.push(one);
  return one;
}

interface Stranger {
  readonly address: Address;
  readonly heard: string[];
  say(text: string, port: number): void;
}

async function stranger(): Promise<Stranger> {
  const one = dgram.createSocket('udp4');
  strangers.push(one);
  await new Promise<void>((resolve) => one.bind(0, HOST, resolve));
  const heard: string[] = [];
  one.on('message', (bytes) => heard.push(bytes.toString()));
  const address = { ip: HOST, port: one.address().port };
  return { address, heard, say: (text, port) => one.send(text, port, HOST) };
}

async function until(what: string, isSo: () => boolean, again: () => void = () => {}): Promise<void> {
  for (const end = performance.now() + LONG_MS; !isSo(); again()) {
    if (performance.now() > end) assert.unreachable(what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('has a port of 40000-49999, unless told', async () => {
  for (let n = 0; n < 5; n++) {
    const { port } = await socket();
    assert.ok(port >= 40_000 && port <= 49_999, `${port}`);
  }
  const { port } = await socket();
  open.pop()?.close();
  assert.is((await socket({ port })).port, port);
});

test('a port that is taken is an error', async () => {
  const { port } = await socket();
  const error = await socket({ port }).catch((reason) => reason);
  assert.is(error.code, 'EADDRINUSE');
});

test('two machines: what one has goes to the other', async () => {
  const [a, b] = [new FakeMachine(), new FakeMachine()];
  const from = await socket();
  const to = await socket({
    onStranger: (bytes) => (Buffer.from(bytes).toString() === 'us 1' ? driver(b) : undefined),
  });
  a.out.push(Buffer.from('us 1'), Buffer.from('us 2'));
  from.drive(driver(a), { ip: HOST, port: to.port });
  await until('both arrive', () => b.heard.length === 2);
  assert.equal(b.heard, ['us 1', 'us 2']);
  assert.equal(to.peer, { ip: HOST, port: from.port });
  b.out.push(Buffer.from('us too'));
  to.wake();
  await until('the answer arrives', () => a.heard.length === 1);
  assert.equal([from.stats.sent, from.stats.received, to.stats.received], [2, 1, 2]);
});

test('what others send never reaches the machine', async () => {
  const machine = new FakeMachine();
  const to = await socket();
  const [peer, other] = [await stranger(), await stranger()];
  to.drive(driver(machine), { ip: HOST, port: 9 });
  other.say('not yours', to.port);
  await until(
    'the peer is known',
    () => machine.heard.length > 0,
    () => peer.say('us', to.port),
  );
  const known = machine.heard.length;
  for (let n = 0; n < 20; n++) other.say('us, they say', to.port);
  await until(
    'more of the peer arrives',
    () => machine.heard.length >= known + 3,
    () => peer.say('us again', to.port),
  );
  assert.equal(
    machine.heard.filter((text) => text !== 'us' && text !== 'us again'),
    [],
  );
  assert.equal(to.peer, peer.address);
});

test('an address that has changed is followed after a silence', async () => {
  const machine = new FakeMachine();
  const to = await socket();
  const [before, after] = [await stranger(), await stranger()];
  to.drive(driver(machine), before.address);
  await until(
    'the peer is known',
    () => machine.heard.length > 0,
    () => before.say('us', to.port),
  );
  await until(
    'the new one is',
    () => machine.heard.includes('us now'),
    () => after.say('us now', to.port),
  );
  machine.out.push(Buffer.from('hello'));
  to.wake();
  await until('it is answered there', () => after.heard.includes('hello'));
  assert.not(before.heard.includes('hello'));
});

test('a machine is woken at its deadline, and has its turn after each call', async () => {
  const machine = new FakeMachine();
  let served = 0;
  const one = await socket();
  machine.at = performance.now() + 30;
  const due = machine.at;
  one.drive(
    driver(machine, () => {
      served++;
    }),
    { ip: HOST, port: 9 },
  );
  await until('it is woken', () => machine.at === NEVER);
  assert.ok((machine.ticks.at(-1) as number) >= due);
  assert.is(served, machine.ticks.length);
});

test('one that never ends sending leaves others their turn', async () => {
  const machine = new FakeMachine();
  machine.take = () => Buffer.from('more');
  const sink = await stranger();
  const one = await socket();
  one.drive(driver(machine), sink.address);
  let turns = 0;
  let most = 0;
  for (let sent = 0; turns < 50; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, one.stats.sent - sent);
    sent = one.stats.sent;
  }
  assert.ok(one.stats.sent > 1000 && most <= 128, `${most} at once`);
});

test('nobody there: what is refused is lost, and no error', async () => {
  const gone = await stranger();
  strangers.pop()?.close();
  const machine = new FakeMachine();
  const one = await socket();
  one.drive(driver(machine), gone.address);
  for (let n = 0; n < 20; n++) {
    machine.out.push(Buffer.from('anybody?'));
    one.wake();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.is(machine.out.length, 0);
});

test('trouble: of what goes out so much is lost, the same for the same seed', async () => {
  const runs: string[][] = [];
  for (let run = 0; run < 2; run++) {
    const sink = await stranger();
    const machine = new FakeMachine();
    const trouble = { loss: 0.5, duplicated: 0, reordered: 0, delayMs: 1, seed: 5 };
    const one = await socket({ trouble });
    for (let n = 0; n < 100; n++) machine.out.push(Buffer.from(`us ${n}`));
    one.drive(driver(machine), sink.address);
    await until('the rest arrives', () => one.isIdle && sink.heard.length + one.stats.dropped === 100);
    runs.push(sink.heard);
  }
  assert.equal(runs[0], runs[1]);
  const count = runs[0]?.length ?? 0;
  assert.ok(count > 30 && count < 70, `${count}`);
});

test('closed, it is silent', async () => {
  const machine = new FakeMachine();
  const one = await socket();
  one.drive(driver(machine), { ip: HOST, port: 9 });
  one.close();
  one.close();
  one.wake();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.is(machine.ticks.length, 0);
});

test('what its owner throws is told', async () => {
  const machine = new FakeMachine();
  const told: unknown[] = [];
  const one = await socket({ onBug: (error) => told.push(error) });
  one.drive(
    driver(machine, () => {
      throw new Error('a bug');
    }),
    { ip: HOST, port: 9 },
  );
  await until('it is told', () => told.length === 1);
});

test.run();
