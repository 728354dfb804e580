// The parts of the Go-Back-N machines that can be looked at alone: round trips, the pace, trains, the choice of repair
// packets, what a sender holds and what a receiver keeps.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { seededRandom } from '../src/bad-link.ts';
import { BlockInbox, PlainInbox } from '../src/gbn-inbox.ts';
import { type GbnSenderOptions, Offering } from '../src/gbn-offering.ts';
import { Pacer } from '../src/gbn-pace.ts';
import { chooseRepairs, LossMeter } from '../src/gbn-repairs.ts';
import { RoundTrip } from '../src/gbn-rtt.ts';
import { Train } from '../src/gbn-train.ts';
import { FileWindow } from '../src/gbn-window.ts';
import { RepairEncoder } from '../src/repair-code.ts';

// --- time -------------------------------------------------------------------------------------------------

const time = suite('udp-gbn: time');

time('before anything was measured it waits 250 ms', () => {
  const trip = new RoundTrip();
  assert.equal([trip.isKnown, trip.timeoutMs], [false, 250]);
});

time('it waits for a round trip and four times what that varies by', () => {
  const trip = new RoundTrip();
  trip.sample(100);
  assert.equal([trip.smoothedMs, trip.timeoutMs], [100, 300]);
  trip.sample(140);
  assert.equal([trip.smoothedMs, trip.timeoutMs, trip.least], [105, 105 + 4 * 47.5, 100]);
});

time('it waits never less than 10 ms, twice as long each time, and at most a second more', () => {
  const trip = new RoundTrip();
  for (let round = 0; round < 100; round++) trip.sample(0.1);
  assert.is(trip.timeoutMs, 10);
  trip.backOff();
  assert.is(trip.timeoutMs, 20);
  for (let round = 0; round < 100; round++) trip.backOff();
  assert.ok(trip.timeoutMs < 1010);
  trip.answered();
  assert.is(trip.timeoutMs, 10);
});

time('what can not be a round trip is not taken for one', () => {
  const trip = new RoundTrip();
  for (const ms of [-1, Number.NaN, 1e9]) trip.sample(ms);
  assert.not.ok(trip.isKnown);
});

/** What a pacer lets go in so many milliseconds, asked when it says. */
function pace(bytesPerMs: number, packetBytes: number, ms: number): { bytes: number; asked: number } {
  const pacer = new Pacer(packetBytes, 0);
  pacer.bytesPerMs = bytesPerMs;
  let bytes = 0;
  let asked = 0;
  for (let now = 0; now < ms; now = pacer.readyAt(now)) {
    asked++;
    while (pacer.mayGo(now)) {
      pacer.spend(packetBytes);
      bytes += packetBytes;
    }
  }
  return { bytes, asked };
}

time('the pace is kept, a millisecond at once if it is a fast one', () => {
  for (const [bytesPerMs, packetBytes] of [
    [12_500, 1464],
    [125, 1464],
    [1_000_000, 32_790],
  ] as const) {
    const { bytes, asked } = pace(bytesPerMs, packetBytes, 1000);
    assert.ok(Math.abs(bytes - 1000 * bytesPerMs) <= bytesPerMs + 3 * packetBytes, `${bytes}`);
    assert.ok(asked <= 1300, `${asked} times`);
  }
});

time('after a stall a few milliseconds are made up for, no more', () => {
  const pacer = new Pacer(1000, 0);
  pacer.bytesPerMs = 10_000;
  let bytes = 0;
  while (pacer.mayGo(5000)) {
    pacer.spend(1000);
    bytes += 1000;
  }
  assert.ok(bytes <= 43_000, `${bytes}`);
});

time('a train tells how fast the link is, and how long a datagram may be', () => {
  const train = new Train();
  for (let index = 0; index < 32; index++) train.arrived(index, 32, 1400, 10 + index * 0.1);
  assert.equal(train.speed, { packets: 31, us: 3100 });
  assert.equal([train.endAt, train.mostBytes, train.count], [0, 1400, 32]);
});

time('of a train whose beginning passed at once the second half counts', () => {
  const train = new Train();
  for (let index = 0; index < 32; index++) train.arrived(index, 32, 1400, index < 16 ? 0 : (index - 15) * 0.1);
  const { packets, us } = train.speed;
  assert.ok(Math.abs(us / packets - 100) < 1, `${us} for ${packets}`);
});

const OFFERED: GbnSenderOptions = {
  transferId: new Uint8Array(8),
  name: 'song',
  size: 20_000_000,
  sha256: 'ab'.repeat(32),
  version: 'v1',
  packetBytes: 'auto',
  window: 'auto',
  random: () => 0.5,
};

const TRAINS: ReadonlyArray<readonly [string, Partial<GbnSenderOptions>, number]> = [
  ['a large file', {}, 32],
  ['an empty file', { size: 0 }, 1],
  ['a byte', { size: 1 }, 1],
  ['a packet', { size: 1400 }, 1],
  ['a byte more', { size: 1401 }, 2],
  ['ten packets', { size: 14_000 }, 10],
  ['a window', { window: 5 }, 5],
  ['long packets', { packetBytes: 12_000 }, 4],
  ['short packets', { packetBytes: 100, size: 250 }, 3],
];

for (const [what, options, count] of TRAINS) {
  time(`an offer of ${what} is a train of ${count}, no more than the file`, () => {
    const offering = new Offering({ ...OFFERED, ...options }, 7);
    assert.equal([offering.trainCount, offering.train(0).length], [count, count]);
    const bytes = offering.train(0).reduce((sum, datagram) => sum + datagram.length, 0);
    assert.ok(bytes < 50_000, `${bytes} bytes`);
  });
}

time('a train without its end is waited for, but not for long', () => {
  const train = new Train();
  for (let index = 0; index < 30; index++) train.arrived(index, 32, 1400, index * 0.1);
  assert.ok(train.endAt > 3 && train.endAt < 10, `${train.endAt}`);
});
time.run();

// --- repairs ----------------------------------------------------------------------------------------------

const repairs = suite('udp-gbn: repairs');
const NEED = { packets: 100, loss: 0, unevenness: 1, stallPackets: 700, most: 54 };

repairs('none without losses, more with more of them, and more where they come in heaps', () => {
  assert.is(chooseRepairs(NEED), 0);
  let before = 0;
  for (const loss of [0.001, 0.01, 0.05, 0.1, 0.2]) {
    const count = chooseRepairs({ ...NEED, loss });
    assert.ok(count > before && count > 100 * loss, `${count} for ${loss}`);
    assert.ok(chooseRepairs({ ...NEED, loss, unevenness: 4 }) > count);
    before = count;
  }
});

repairs('fewer where going back costs less', () => {
  assert.ok(chooseRepairs({ ...NEED, loss: 0.02, stallPackets: 20 }) < chooseRepairs({ ...NEED, loss: 0.02 }));
});

repairs('are the number for which all together costs least, as a trial shows', () => {
  const random = seededRandom(1);
  const best = chooseRepairs({ ...NEED, loss: 0.05 });
  const cost = (count: number) => {
    let cut = 0;
    for (let round = 0; round < 4000; round++) {
      let lost = 0;
      for (let at = 0; at < 100 + count; at++) if (random() < 0.05) lost++;
      if (lost > count) cut++;
    }
    return count + (700 * cut) / 4000;
  };
  assert.ok(cost(best) <= cost(best - 4) && cost(best) <= cost(best + 6), `${best}`);
});

repairs('the meter finds the rate of loss, and how unevenly it falls', () => {
  const random = seededRandom(2);
  const even = new LossMeter();
  const heaps = new LossMeter();
  for (let round = 0; round < 2000; round++) {
    let lost = 0;
    for (let at = 0; at < 16; at++) if (random() < 0.05) lost++;
    even.note(16, lost);
    heaps.note(16, random() < 0.05 ? 16 : 0);
  }
  assert.ok(Math.abs(even.loss - 0.05) < 0.015, `${even.loss}`);
  assert.ok(even.unevenness < 2, `${even.unevenness}`);
  assert.ok(Math.abs(heaps.loss - 0.05) < 0.03, `${heaps.loss}`);
  assert.ok(heaps.unevenness > 4, `${heaps.unevenness}`);
});

repairs('where nothing is lost the guess of the beginning fades', () => {
  const meter = new LossMeter();
  const first = meter.loss;
  for (let round = 0; round < 1000; round++) meter.note(16, 0);
  assert.ok(first > 0.005 && first < 0.03, `${first}`);
  assert.ok(meter.loss < 1e-5, `${meter.loss}`);
});
repairs.run();

// --- the file ---------------------------------------------------------------------------------------------

const file = suite('udp-gbn: the file');

file('what is wanted comes in order, and no further than the window and a little', () => {
  const window = new FileWindow(100, 3_000_000, 1000);
  let end = 0;
  for (let want = window.wants(50); want; want = window.wants(50)) {
    assert.is(want.position, 100 + end);
    window.supply(want.position, new Uint8Array(want.bytes).fill(end / 1000));
    end += want.bytes;
  }
  assert.ok(end > 50_000 && end < 850_000, `${end}`);
  assert.equal([window.total, window.packet(0).length, window.packet(300)[0]], [3000, 1000, 6]);
  window.release(300);
  assert.throws(() => window.packet(10), /not here/);
  assert.throws(() => window.supply(0, new Uint8Array(5)), /were wanted/);
});

file('plain: takes what comes next, and nothing else', () => {
  const inbox = new PlainInbox({ offset: 5, size: 2505, packetBytes: 1000, total: 3 });
  const packet = (value: number, length = 1000) => new Uint8Array(length).fill(value);
  assert.is(inbox.data(1, packet(1), 0), 'early');
  assert.ok(inbox.isGap);
  assert.is(inbox.data(0, packet(0), 1), 'kept');
  assert.is(inbox.data(0, packet(9), 1), 'known');
  assert.is(inbox.data(2, packet(2), 1), 'wrong');
  assert.is(inbox.data(1, packet(1), 1), 'kept');
  assert.is(inbox.take(2, false), undefined, 'too little to hand out');
  assert.is(inbox.data(2, packet(2, 500), 3), 'kept');
  const piece = inbox.take(3, false);
  assert.equal([piece?.position, piece?.bytes.length, piece?.bytes[2499]], [5, 2500, 2]);
});

file('plain: little is handed out too, after a while', () => {
  const inbox = new PlainInbox({ offset: 0, size: 5000, packetBytes: 1000, total: 5 });
  inbox.data(0, new Uint8Array(1000), 7);
  assert.is(inbox.flushAt, 107);
  assert.is(inbox.take(107, false)?.bytes.length, 1000);
});

file('blocks: any so many of data and repairs are enough, in any order', () => {
  const random = seededRandom(4);
  for (let round = 0; round < 200; round++) {
    const size = 1 + Math.floor(random() * 3000);
    const packetBytes = 100;
    const total = Math.ceil(size / packetBytes);
    const bytes = Uint8Array.from({ length: size }, () => random() * 256);
    const inbox = new BlockInbox({ offset: 0, size, packetBytes, total }, 10);
    const got: number[] = [];
    for (let first = 0; first < total; first += 10) {
      const count = Math.min(10, total - first);
      const encoder = new RepairEncoder(10, packetBytes);
      const packet = (place: number) =>
        bytes.subarray((first + place) * packetBytes, (first + place + 1) * packetBytes);
      for (let place = 0; place < count; place++) encoder.add(place, packet(place));
      const all = Array.from({ length: count + 10 }, (_, at) => at).sort(() => random() - 0.5);
      assert.is(inbox.lacks, count);
      for (const at of all.slice(0, count)) {
        if (at < count) assert.is(inbox.data(first + at, packet(at)), 'kept');
        else assert.is(inbox.repair(first, at - count, encoder.repair(at - count)), 'kept');
      }
      for (let piece = inbox.take(); piece; piece = inbox.take()) got.push(...piece.bytes);
    }
    assert.is(inbox.next, total);
    assert.equal(Uint8Array.from(got), bytes);
  }
});

file('blocks: the next block is kept too, the one behind it is not', () => {
  const inbox = new BlockInbox({ offset: 0, size: 50, packetBytes: 1, total: 50 }, 10);
  const one = Uint8Array.of(1);
  for (let index = 10; index < 20; index++) assert.is(inbox.data(index, one), 'kept');
  assert.equal([inbox.isGap, inbox.lacks, inbox.nextLacks, inbox.next], [true, 10, 0, 0]);
  assert.is(inbox.data(20, one), 'early');
  for (let index = 0; index < 10; index++) inbox.data(index, one);
  assert.equal([inbox.isGap, inbox.lacks, inbox.next], [false, 10, 20]);
});
file.run();
