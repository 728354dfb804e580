import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { Refusals } from '../src/pipe-refusals.ts';
import { Traces } from '../src/pipe-traces.ts';
import { Turns } from '../src/pipe-turns.ts';

const test = suite('pipe-turns');

/** The number of those that have got their turn, after all that is due has been done. */
async function settled(turns: readonly Promise<unknown>[]): Promise<number> {
  let count = 0;
  for (const turn of turns) turn.then(() => count++).catch(() => {});
  for (let round = 0; round < 10; round++) await undefined;
  return count;
}

test('two of each person at a time, the others in turn', async () => {
  const turns = new Turns();
  const [first, ...rest] = ['bob', 'Bob', 'BOB', 'bob'].map((name) => turns.take(name));
  assert.is(await settled(rest), 1);
  assert.is(await settled([turns.take('eve'), turns.take('eve'), turns.take('eve')]), 2);
  const end = await first;
  end?.();
  // whoever ends twice makes room once
  end?.();
  assert.is(await settled(rest), 2);
});

test('of one person not more than 32 wait', async () => {
  const turns = new Turns();
  const taken = Array.from({ length: 35 }, () => turns.take('bob').catch((error: unknown) => error));
  const last = await taken.at(-1);
  assert.ok(last instanceof HouseError && last.code === 'too-fast');
  for (const turn of taken.slice(0, 34)) ((await turn) as () => void)();
  ((await turns.take('bob')) as () => void)();
});

test('refusals of either family come so often, and no more than 32 wait', async () => {
  const refusals = new Refusals();
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const heard: string[] = [];
  socket.on('message', (bytes) => heard.push(bytes.toString()));
  const to = { ip: '127.0.0.1', port: socket.address().port };
  await Promise.all(Array.from({ length: 100 }, (_, at) => refusals.say(new Uint8Array([48 + (at % 10)]), 2, to)));
  assert.ok(heard.length <= 64, `${heard.length} have come`);
  await refusals.say(new Uint8Array([120]), 1, { ip: '::1', port: to.port });
  refusals.close();
  socket.close();
});

test('a trace of nothing leaves no file, and its name is for the next', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
  try {
    const traces = new Traces(path.join(directory, 't'));
    const line = { at: 1, direction: 'in', kind: 'offer', seq: 1, window: 1, why: 'new' } as const;
    traces.open('recv')?.close();
    assert.equal(fs.readdirSync(directory), []);
    const [first, second] = [traces.open('recv'), traces.open('send')];
    first?.note(line);
    second?.note(line);
    first?.close();
    first?.close();
    traces.close();
    assert.equal(fs.readdirSync(directory).sort(), ['t', 't.2']);
    assert.throws(() => new Traces(path.join(directory, 'none', 't')).open('recv'), /^can't write the trace: /);
    assert.is(new Traces(undefined).open('recv'), undefined);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
});

test.run();
