// The simulated link: what it does to datagrams, and that it does the same again for the same seed.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BadLink, type BadLinkOptions, seededRandom } from '../src/bad-link.ts';

interface Arrival {
  readonly at: number;
  readonly number: number;
}

function datagram(number: number, length = 100): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** One datagram each so many milliseconds, and what comes of them. */
function send(options: BadLinkOptions, count: number, everyMs: number, seed = 1): Arrival[] {
  const link = new BadLink(options, seededRandom(seed));
  for (let number = 0; number < count; number++) link.send(datagram(number), number * everyMs);
  const arrivals: Arrival[] = [];
  for (let at = link.deadline(); at < Number.POSITIVE_INFINITY; at = link.deadline()) {
    const bytes = link.take(at);
    assert.ok(bytes);
    arrivals.push({ at, number: numberOf(bytes) });
  }
  return arrivals;
}

const link = suite('bad-link');

link('without options brings everything at once, in order', () => {
  const arrivals = send({}, 50, 1);
  assert.equal(
    arrivals,
    Array.from({ length: 50 }, (_, number) => ({ at: number, number })),
  );
});

link('has nothing before its time', () => {
  const bad = new BadLink({ delayMs: 10 }, seededRandom(1));
  assert.is(bad.deadline(), Number.POSITIVE_INFINITY);
  bad.send(datagram(1), 5);
  assert.is(bad.deadline(), 15);
  assert.is(bad.take(14.9), undefined);
  assert.is(numberOf(bad.take(15) as Uint8Array), 1);
  assert.is(bad.length, 0);
});

link('lets one datagram after the other through, at its rate', () => {
  // 100 bytes and 25 more are 1,000 bits: a millisecond each
  const arrivals = send({ bitsPerSecond: 1_000_000, overheadBytes: 25, delayMs: 3 }, 5, 0);
  assert.equal(
    arrivals.map(({ at }) => at),
    [4, 5, 6, 7, 8],
  );
});

link('loses what its queue does not hold', () => {
  const bad = new BadLink({ bitsPerSecond: 800_000, queueBytes: 350 }, seededRandom(1));
  for (let number = 0; number < 5; number++) bad.send(datagram(number), 0);
  assert.is(bad.stats.overflowed, 2);
  assert.is(bad.queued(0), 300);
  assert.is(bad.queued(1.5), 150);
  bad.send(datagram(5), 1.5);
  assert.is(bad.stats.overflowed, 2, 'there is room again');
});

for (const lossBurst of [1, 5]) {
  link(`loses as many as it should, ${lossBurst} in a row`, () => {
    const arrivals = send({ loss: 0.1, lossBurst }, 50_000, 1);
    const lost = 1 - arrivals.length / 50_000;
    assert.ok(Math.abs(lost - 0.1) < 0.015, `${lost}`);
    let gaps = 0;
    for (const [at, { number }] of arrivals.entries()) {
      if (at > 0 && number !== (arrivals[at - 1] as Arrival).number + 1) gaps++;
    }
    const inRow = (50_000 - arrivals.length) / gaps;
    const due = lossBurst === 1 ? 1 / 0.9 : lossBurst;
    assert.ok(Math.abs(inRow - due) < 0.15 * due, `${inRow}`);
  });
}

link('keeps the order, however much the delay varies', () => {
  const arrivals = send({ delayMs: 5, jitterMs: 40 }, 1000, 1);
  assert.is(arrivals.length, 1000);
  for (const [at, { number }] of arrivals.entries()) assert.is(number, at);
});

link('lets some be overtaken if it is to', () => {
  const arrivals = send({ reordered: 0.1, reorderMs: 20 }, 5000, 1);
  assert.is(arrivals.length, 5000);
  const late = arrivals.filter(
    ({ number }, at) => number < Math.max(...arrivals.slice(Math.max(0, at - 30), at + 1).map((one) => one.number)),
  );
  assert.ok(late.length > 350 && late.length < 600, `${late.length}`);
});

link('brings some twice', () => {
  const arrivals = send({ duplicated: 0.2 }, 5000, 1);
  assert.ok(Math.abs(arrivals.length - 6000) < 150, `${arrivals.length}`);
  assert.is(new Set(arrivals.map(({ number }) => number)).size, 5000);
});

link('does the same again for the same seed, and something else for another', () => {
  const options = { loss: 0.1, lossBurst: 2, duplicated: 0.1, reordered: 0.1, jitterMs: 10, bitsPerSecond: 1e6 };
  assert.equal(send(options, 500, 1, 7), send(options, 500, 1, 7));
  assert.not.equal(send(options, 500, 1, 7), send(options, 500, 1, 8));
});

link('brings everything whatever the order, thousands of times', () => {
  const random = seededRandom(3);
  for (let round = 0; round < 300; round++) {
    const arrivals = send({ reordered: random(), reorderMs: 50, jitterMs: 10 * random() }, 100, random() * 3, round);
    assert.is(new Set(arrivals.map(({ number }) => number)).size, 100);
    for (const [at, arrival] of arrivals.entries()) {
      assert.ok(at === 0 || arrival.at >= (arrivals[at - 1] as Arrival).at);
    }
  }
});
link.run();
