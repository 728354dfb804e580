// Two Go-Back-N machines on links that lose, delay, double and reorder, under a virtual clock: whatever the link does,
// the file arrives as it is, or both ends say the same of why it does not.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BadLinkOptions, seededRandom } from '../src/bad-link.ts';
import { MadeFile, Transfer, type TransferOptions, World } from './udp-gbn-pair.ts';

const SEEDS = Number(process.env.SEEDS ?? 2000);
const FIRST = Number(process.env.SEED ?? 1);
const END_MS = 4_000_000;
const CLEAN: BadLinkOptions = { bitsPerSecond: 100_000_000, queueBytes: 150_000, delayMs: 5 };

interface Played {
  readonly world: World;
  readonly transfer: Transfer;
}

function play(options: TransferOptions, forward: BadLinkOptions = CLEAN, back: BadLinkOptions = forward): Played {
  const world = new World(forward, back, options.seed);
  const transfer = new Transfer(options);
  world.attach(transfer.from, transfer.to);
  assert.ok(
    world.run(() => transfer.isOver, END_MS),
    'it comes to an end',
  );
  return { world, transfer };
}

function assertDone({ transfer }: Played, size: number): void {
  const { sender, receiver } = transfer;
  assert.equal([sender.state, receiver.state], ['done', 'done'], JSON.stringify([sender.end, receiver.end]));
  assert.is(transfer.to.position, size, 'every byte');
}

function assertFailed({ transfer }: Played, code: string, text?: string): void {
  const { sender, receiver } = transfer;
  assert.equal([sender.state, receiver.state], ['failed', 'failed']);
  assert.equal([sender.end?.code, receiver.end?.code], [code, code]);
  if (text !== undefined) assert.equal([sender.end?.text, receiver.end?.text], [text, text]);
}

// --- any link ---------------------------------------------------------------------------------------------

interface Draw {
  readonly link: BadLinkOptions;
  readonly options: TransferOptions;
}

/** A transfer of some dozens to hundreds of packets. */
function draw(seed: number): Draw {
  const random = seededRandom(seed);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const packetBytes = one([1, 7, 100, 512, 1400, 1400, 1400, 2038]);
  const packets = Math.floor(random() ** 2 * 400);
  const size = Math.max(0, packets * packetBytes - Math.floor(random() * packetBytes));
  const link = {
    bitsPerSecond: one([1e6, 1e7, 1e8, Number.POSITIVE_INFINITY]),
    queueBytes: one([60_000, 150_000, 1_000_000]),
    delayMs: random() ** 2 * 100,
    jitterMs: random() < 0.5 ? 0 : random() * 20,
    loss: random() < 0.2 ? 0 : random() * 0.3,
    lossBurst: random() < 0.8 ? 1 : 1 + random() * 5,
    duplicated: random() < 0.5 ? 0 : random() * 0.3,
    reordered: random() < 0.5 ? 0 : random() * 0.3,
    reorderMs: random() * 20,
    overheadBytes: 28,
  };
  const window: number | 'auto' = random() < 0.5 ? 'auto' : 1 + Math.floor(random() ** 3 * 200);
  const offset = random() < 0.7 ? 0 : Math.floor(random() * size);
  return {
    link,
    options: {
      size,
      seed,
      offset,
      sender: { packetBytes, window, silentMs: 120_000 },
      receiver: { silentMs: 120_000 },
    },
  };
}

const links = suite('udp-gbn: any link');

links(`brings the file whole over ${SEEDS} links of up to 30 % loss`, () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const { link, options } = draw(seed);
    try {
      assertDone(play(options, link), options.size);
    } catch (error) {
      (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
      throw error;
    }
  }
});
links.run();

// --- files ------------------------------------------------------------------------------------------------

const files = suite('udp-gbn: files');
const LOSSY: BadLinkOptions = { ...CLEAN, loss: 0.05, reordered: 0.02, duplicated: 0.02 };

for (const size of [0, 1, 1399, 1400, 1401, 2038, 2039, 240_000]) {
  for (const window of [1, 16, 'auto'] as const) {
    files(`of ${size} bytes, window ${window}`, () => {
      for (const seed of [1, 2, 3]) assertDone(play({ size, seed, sender: { window } }, LOSSY), size);
      for (const seed of [1, 2]) {
        const sender = { window, packetBytes: 2038 };
        assertDone(play({ size, seed, sender }, LOSSY), size);
      }
    });
  }
}

files('at positions that need more than 32 bits', () => {
  for (const window of [50, 'auto'] as const) {
    const size = 5_000_000_123;
    assertDone(play({ size, seed: 1, offset: size - 600_001, sender: { window } }, LOSSY), size);
    const around = 2 ** 32 + 300_000;
    assertDone(play({ size: around, seed: 2, offset: around - 600_000, sender: { window } }, LOSSY), around);
  }
});

files('with numbers that wrap', () => {
  for (const window of [7, 300, 'auto'] as const) {
    for (const before of [0, 1, 2, 30, 500]) {
      const random = () => (2 ** 32 - 1 - before) / 2 ** 32;
      assertDone(play({ size: 1_400_000, seed: 3, sender: { window, random } }, LOSSY), 1_400_000);
    }
  }
});

files('of any size take the same memory', () => {
  for (const window of [64, 'auto'] as const) {
    const played = new Transfer({ size: 10_000_000, seed: 1, sender: { window } });
    const world = new World(LOSSY, LOSSY, 1);
    world.attach(played.from, played.to);
    let most = 0;
    const isOver = () => {
      most = Math.max(most, played.from.suppliedTo - played.sender.stats.bytes);
      return played.isOver;
    };
    assert.ok(world.run(isOver, END_MS));
    assert.ok(most < 2_000_000, `${most} bytes are held`);
  }
});

files('go on from where they stopped, however they were stopped', () => {
  const random = seededRandom(7);
  for (let seed = 1; seed < 25; seed++) {
    const file = new MadeFile(seed);
    const size = Math.floor(random() * 400_000);
    let offset = 0;
    for (let round = 0; round < 3; round++) {
      const window = random() < 0.5 ? 'auto' : 20;
      const world = new World(LOSSY, LOSSY, 10 * seed + round);
      const transfer = new Transfer({ size, seed: 100 * seed + round, offset, file, sender: { window } });
      world.attach(transfer.from, transfer.to);
      world.run(() => transfer.isOver, random() * 60);
      offset = transfer.to.position;
    }
    const last = play({ size, seed, offset, file }, LOSSY);
    assertDone(last, size);
    assert.is(last.transfer.sender.stats.bytes, size - offset);
  }
});

files('wait for a receiver that can write no faster', () => {
  for (const window of [100, 'auto'] as const) {
    const roomBytes = 200_000;
    const options = { size: 2_000_000, seed: 1, diskBytesPerMs: 500, receiver: { roomBytes }, sender: { window } };
    const played = play(options, CLEAN);
    assertDone(played, 2_000_000);
    const { mostWaiting } = played.transfer.to;
    assert.ok(mostWaiting <= roomBytes, `${mostWaiting} bytes wait`);
    assert.ok(played.world.now < 6000, `it took ${played.world.now} ms`);
  }
});

files('wait for an owner who has to look at what is there', () => {
  const played = play({ size: 100_000, seed: 1, hashMs: 40_000 }, LOSSY);
  assertDone(played, 100_000);
  assert.ok(played.world.now > 40_000);
});
files('wait for an owner who takes long to look at what has come', () => {
  const played = play({ size: 100_000, seed: 1, verifyMs: 200_000 }, LOSSY);
  assertDone(played, 100_000);
  assert.ok(played.world.now > 200_000);
});
files.run();

// --- ends -------------------------------------------------------------------------------------------------

const ends = suite('udp-gbn: how it ends');
const BAD: BadLinkOptions = { ...CLEAN, loss: 0.3 };

function interrupt(seed: number, after: number, act: (transfer: Transfer, now: number) => void): Played {
  const world = new World(BAD, BAD, seed);
  const transfer = new Transfer({ size: 3_000_000, seed });
  world.attach(transfer.from, transfer.to);
  world.run(() => false, after);
  act(transfer, world.now);
  world.touch(transfer.from);
  world.touch(transfer.to);
  assert.ok(world.run(() => transfer.isOver, END_MS));
  return { world, transfer };
}

ends('a refusal is heard', () => {
  for (let seed = 1; seed < 50; seed++) {
    assertFailed(play({ size: 10, seed, refuses: 'no room on the disk' }, BAD), 'refused', 'no room on the disk');
  }
});

ends('bytes that are not the offered ones are told', () => {
  for (let seed = 1; seed < 50; seed++) {
    assertFailed(play({ size: 10_000, seed, isRight: false }, BAD), 'damaged', 'looked at');
  }
});

ends('either end may stop it', () => {
  for (let seed = 1; seed < 14; seed++) {
    const after = 1 + seed * 15;
    assertFailed(
      interrupt(seed, after, ({ sender }, now) => sender.abort('aborted', 'enough', now)),
      'aborted',
      'enough',
    );
    assertFailed(
      interrupt(seed, after, ({ sender }, now) => sender.abort('changed', 'grown', now)),
      'changed',
      'grown',
    );
    assertFailed(
      interrupt(seed, after, ({ receiver }, now) => receiver.abort('enough', now)),
      'aborted',
      'enough',
    );
  }
});

ends('a text that is too long is cut between characters', () => {
  const played = play({ size: 10, seed: 1, refuses: '€'.repeat(100) });
  assertFailed(played, 'refused', '€'.repeat(66));
});

ends('a peer that has vanished is given up by both', () => {
  for (const after of [0, 20, 200]) {
    const world = new World(CLEAN, CLEAN, 1);
    const transfer = new Transfer({ size: 10_000_000, seed: 1 });
    world.attach(transfer.from, transfer.to);
    world.run(() => false, after);
    world.isCut = true;
    const from = world.now;
    assert.ok(world.run(() => transfer.isOver, END_MS));
    assertFailed({ world, transfer }, 'silent');
    assert.ok(world.now - from <= 15_010, `after ${world.now - from} ms`);
  }
});

ends('a receiver without room for ever is given up', () => {
  const played = play({ size: 10_000_000, seed: 1, diskBytesPerMs: 0, receiver: { roomBytes: 300_000 } });
  assertFailed(played, 'stalled');
});

ends('both are closed some seconds later, and say no more', () => {
  for (let seed = 1; seed < 30; seed++) {
    const { world, transfer } = play({ size: 10_000, seed }, BAD);
    const { sender, receiver } = transfer;
    assert.ok(world.run(() => sender.isClosed && receiver.isClosed, world.now + 10_000));
    assert.equal([sender.deadline(), receiver.deadline()], [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  }
});
ends.run();
