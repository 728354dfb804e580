// Files between our machines and models of the classic programs, on simulated links, under a virtual clock. On a clean
// link every file arrives whole, whatever the classic end throws away; on any other there is an end, soon and clear.

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ClassicOutcome } from '../src/gbn-classic.ts';
import { ClassicReceiver } from '../src/gbn-classic-receiver.ts';
import { ClassicSender } from '../src/gbn-classic-sender.ts';
import {
  bytesOf,
  ClassicGiver,
  type ClassicOptions,
  ClassicTaker,
  Link,
  type LinkOptions,
  latin1,
} from './gbn-classic-peers.ts';
import { type Random, randomFrom } from './random.ts';

const SEEDS = Number(process.env.SEEDS ?? 200);
const CLEAN: LinkOptions = { delayMs: 0.2 };
/** Of virtual time; no end in this time is a hang. */
const END_MS = 600_000;
const SENDER = { requesterPort: 48970, ip: '127.0.0.1', port: 49652 };

function fileOf(bytes: number, random: Random): Uint8Array {
  return Uint8Array.from({ length: bytes }, () => random(256));
}

interface Played {
  readonly outcome: ClassicOutcome;
  readonly file: Uint8Array;
  readonly ms: number;
  /** What we sent. */
  readonly log: readonly string[];
}

function outcomeOf(machine: { outcome: ClassicOutcome | undefined }, link: Link): ClassicOutcome {
  assert.ok(machine.outcome, `no end after ${link.now} ms`);
  return machine.outcome;
}

function sendTo(
  file: Uint8Array,
  seed: number,
  on: LinkOptions,
  options: ClassicOptions = {},
): Played & { taker: ClassicTaker } {
  const random = randomFrom(seed);
  const link = new Link(random, on);
  const sender = new ClassicSender({ ...SENDER, fileBytes: file.length, window: options.window }, 0);
  const log: string[] = [];
  const taker = new ClassicTaker(random, (text) => link.carry(() => sender.input(bytesOf(text), link.now)), options);
  const pump = () => {
    for (let wanted = sender.wants; wanted; wanted = sender.wants) {
      assert.ok(wanted.bytes > 0 && wanted.bytes <= 65_536);
      sender.supply(wanted.position, file.subarray(wanted.position, wanted.position + wanted.bytes));
    }
    for (let datagram = sender.take(); datagram; datagram = sender.take()) {
      const sent = datagram;
      assert.ok(sent.length <= 2048);
      log.push(latin1(sent));
      link.carry(() => taker.receive(sent));
    }
  };
  for (pump(); link.now < END_MS && link.step(sender); ) pump();
  return { outcome: outcomeOf(sender, link), file: taker.file, ms: link.now, log, taker };
}

function receiveFrom(file: Uint8Array, seed: number, on: LinkOptions, options: ClassicOptions = {}): Played {
  const random = randomFrom(seed);
  const link = new Link(random, on);
  const receiver = new ClassicReceiver({ window: 16 }, 0);
  const giver = new ClassicGiver(file, (text) => link.carry(() => receiver.input(bytesOf(text), link.now)), options);
  const log: string[] = [];
  const parts: Uint8Array[] = [];
  const pump = () => {
    for (let part = receiver.read(); part; part = receiver.read()) parts.push(part);
    for (let datagram = receiver.take(); datagram; datagram = receiver.take()) {
      const sent = datagram;
      log.push(latin1(sent));
      link.carry(() => giver.receive(sent));
    }
  };
  link.at(1, () => giver.start());
  for (pump(); link.now < END_MS && link.step(receiver); ) pump();
  return { outcome: outcomeOf(receiver, link), file: Buffer.concat(parts), ms: link.now, log };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Lengths around those of packets and rounds, and any. */
const lengths = fc.oneof(
  fc.constantFrom(0, 1, 2037, 2038, 2039, 15 * 2038, 16 * 2038, 16 * 2038 + 1, 32 * 2038, 33 * 2038),
  fc.integer({ min: 0, max: 200_000 }),
);

/** More than any network that one would send a file over in this way. */
const TROUBLES: ReadonlyArray<(random: Random) => Partial<LinkOptions>> = [
  (random) => ({ loss: random(0.02) }),
  (random) => ({ doubled: random(0.05) }),
  (random) => ({ jitterMs: random(3) }),
  (random) => ({ loss: random(0.1), doubled: random(0.05), jitterMs: random(3) }),
];

interface Ends {
  right: number;
  /** And said to be right. */
  wrong: number;
  unsure: number;
  failed: number;
}

function countEnds(
  trouble: (typeof TROUBLES)[number],
  play: (file: Uint8Array, seed: number, on: LinkOptions) => Played,
): Ends {
  const ends: Ends = { right: 0, wrong: 0, unsure: 0, failed: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = randomFrom(seed);
    const on = { delayMs: random(20), ...trouble(random) };
    const file = fileOf(random(150_000), random);
    const { outcome, file: came } = play(file, seed, on);
    if (outcome.kind === 'failed') ends.failed++;
    else if (isSame(file, came)) ends.right++;
    else if (outcome.isConfirmed) ends.wrong++;
    else ends.unsure++;
  }
  if (process.env.SHOW) console.log(ends);
  return ends;
}

// --- to a classic receiver --------------------------------------------------------------------------------

const sending = suite('classic file wire: sender');

sending('sends a file byte for byte as classic programs do, fills up the round, and ends it', () => {
  const file = fileOf(5000, randomFrom(1));
  const { log, outcome } = sendTo(file, 1, CLEAN, { err: 1 });
  const text = latin1(file);
  assert.equal(log, [
    'OK| Sending file on port 48970 from |127.0.0.1|49652',
    `0|*)${text.slice(0, 2038)}`,
    `1|*)${text.slice(2038, 4076)}`,
    `2|*)${text.slice(4076)}`,
    ...Array.from({ length: 13 }, (_, at) => `${at + 3}|*)`),
    'EOF',
    'EOF',
    'EOF',
  ]);
  assert.equal(outcome, { kind: 'done', bytes: 5000, isConfirmed: true });
});

sending('sends an empty file as nothing but its end', () => {
  const { log, outcome, taker } = sendTo(new Uint8Array(0), 1, CLEAN);
  assert.equal(log.slice(1), ['EOF', 'EOF', 'EOF']);
  assert.equal(outcome, { kind: 'done', bytes: 0, isConfirmed: false });
  assert.is(taker.state, 'over');
});

sending('gets any file through on a clean link, however much is thrown away', () => {
  let throws = 0;
  const peers = fc.record({ err: fc.constantFrom(1, 5, 20, 100), window: fc.constantFrom(2, 5, 16, 40) });
  fc.assert(
    fc.property(lengths, peers, fc.nat(), fc.double({ min: 0, max: 15, noNaN: true }), (bytes, peer, seed, delayMs) => {
      const file = fileOf(bytes, randomFrom(seed));
      const played = sendTo(file, seed, { delayMs }, peer);
      assert.equal(played.outcome, { kind: 'done', bytes, isConfirmed: bytes > 0 });
      assert.ok(isSame(played.file, file), 'the file came as it was');
      assert.is(played.taker.state, 'over');
      throws += played.taker.throws;
    }),
    { numRuns: Math.ceil(SEEDS / 2) },
  );
  assert.ok(throws > SEEDS / 10, `${throws} times something was thrown away`);
});

sending('gets files full of separators through', () => {
  const parts = fc.array(fc.constantFrom('|', '*', ')', '|*)', 'ab', 'x'.repeat(2036)), { maxLength: 60 });
  fc.assert(
    fc.property(parts, fc.nat(), (texts, seed) => {
      const file = bytesOf(texts.join(''));
      const played = sendTo(file, seed, CLEAN, { err: 30 });
      assert.is(played.outcome.kind, 'done');
      assert.ok(isSame(played.file, file), 'the file came as it was');
    }),
    { numRuns: Math.ceil(SEEDS / 3) },
  );
});

sending('never says END, waits for STA to be understood, and has little under way', () => {
  for (let seed = 1; seed <= SEEDS / 10; seed++) {
    const { log, taker } = sendTo(fileOf(100_000, randomFrom(seed)), seed, CLEAN, { err: 10 });
    assert.not(log.includes('END'));
    assert.ok(log.filter((text) => text === 'STA').length <= 1, 'once is enough');
    assert.is(taker.throws > 0, log.includes('STA'));
  }
});

sending('sends a few packets at once, then pauses', () => {
  const sender = new ClassicSender({ ...SENDER, fileBytes: 100_000 }, 0);
  const { position, bytes } = sender.wants as { position: number; bytes: number };
  assert.is(position, 0);
  sender.supply(0, new Uint8Array(bytes));
  const takeAll = () => {
    let count = 0;
    while (sender.take()) count++;
    return count;
  };
  assert.is(takeAll(), 1);
  const counts: number[] = [];
  while (counts.length < 5) {
    const at = sender.deadline();
    sender.tick(at - 0.1);
    assert.is(takeAll(), 0, 'early does no harm');
    sender.tick(at);
    counts.push(takeAll());
  }
  // 16 under way, then the last of them again
  assert.equal(counts, [4, 4, 4, 4, 1]);
});

sending('fails clearly when nobody answers', () => {
  const { outcome, log, ms } = sendTo(fileOf(50_000, randomFrom(1)), 1, { delayMs: 1, loss: 1 });
  assert.is(outcome.kind === 'failed' && outcome.reason, 'silent');
  assert.not(log.includes('EOF'), 'nothing that makes the file look whole');
  assert.ok(ms < 15_000);
});

sending('waits for the file as long as it takes', () => {
  const sender = new ClassicSender({ ...SENDER, fileBytes: 10_000 }, 0);
  assert.is(sender.deadline(), Number.POSITIVE_INFINITY);
  sender.tick(100_000);
  assert.is(sender.outcome, undefined);
  sender.supply(0, new Uint8Array(10_000));
  assert.ok(sender.deadline() <= 100_000);
});

sending('takes nothing but what it asked for', () => {
  const sender = new ClassicSender({ ...SENDER, fileBytes: 100 }, 0);
  sender.supply(1, new Uint8Array(10));
  sender.supply(0, new Uint8Array(101));
  assert.equal(sender.wants, { position: 0, bytes: 100 });
  sender.supply(0, new Uint8Array(60));
  assert.equal(sender.wants, { position: 60, bytes: 40 });
});

sending('minds no garbage', () => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constantFrom('16|ACK', '99999|ACK', '-2|ACK', '3|NACK', 'EOF', 'END', 'STA', '0|*)x', '-1|ACKx').map(bytesOf),
  );
  fc.assert(
    fc.property(fc.array(garbage, { maxLength: 30 }), (datagrams) => {
      const sender = new ClassicSender({ ...SENDER, fileBytes: 100_000 }, 0);
      sender.supply(0, new Uint8Array(65_536));
      for (const [at, datagram] of datagrams.entries()) {
        sender.tick(at * 10);
        sender.input(datagram, at * 10);
      }
      let count = 0;
      while (sender.take()) count++;
      assert.ok(count < 60);
    }),
  );
});

sending('always has something to do at its deadline, whatever is acknowledged, and ends', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1, max: 15 }), { maxLength: 200 }), fc.nat({ max: 40 }), (acks, sweep) => {
      const sender = new ClassicSender({ ...SENDER, fileBytes: 60_000 }, 0);
      sender.supply(0, new Uint8Array(60_000));
      let now = 0;
      for (let steps = 0; !sender.outcome; steps++) {
        assert.ok(steps < 1000, 'it ends');
        now = sender.deadline();
        sender.tick(now);
        assert.ok(sender.deadline() > now, 'it does not spin');
        while (sender.take());
        const ack = acks.pop();
        if (ack !== undefined && steps >= sweep) sender.input(bytesOf(`${ack}|ACK`), now);
      }
    }),
  );
});

sending('comes to a clear end on a link that loses, doubles and reorders', () => {
  for (const trouble of TROUBLES) {
    const ends = countEnds(trouble, (file, seed, on) => sendTo(file, seed, on, { err: 50 }));
    assert.ok(ends.wrong <= SEEDS / 100, `${ends.wrong} of ${SEEDS} came wrong and were confirmed`);
    assert.ok(ends.right > 0 && ends.failed > 0);
  }
});
sending.run();

// --- from a classic sender --------------------------------------------------------------------------------

const receiving = suite('classic file wire: receiver');

receiving('receives a file, acknowledging strictly forward, and asks whether that was all', () => {
  const file = fileOf(5000, randomFrom(1));
  const { log, outcome, file: came } = receiveFrom(file, 1, CLEAN);
  assert.ok(isSame(came, file));
  assert.equal(log, ['2|ACK', '2|ACK', '3|ACK']);
  assert.equal(outcome, { kind: 'done', bytes: 5000, isConfirmed: true });
});

receiving('receives any file on a clean link', () => {
  fc.assert(
    fc.property(lengths, fc.nat(), fc.double({ min: 0, max: 50, noNaN: true }), (bytes, seed, delayMs) => {
      const file = fileOf(bytes, randomFrom(seed));
      const played = receiveFrom(file, seed, { delayMs });
      assert.equal(played.outcome, { kind: 'done', bytes, isConfirmed: true });
      assert.ok(isSame(played.file, file));
    }),
    { numRuns: Math.ceil(SEEDS / 3) },
  );
});

function receiverAt(window = 16): ClassicReceiver {
  const receiver = new ClassicReceiver({ window }, 0);
  receiver.input(bytesOf('OK| Sending file on port 48970 from |127.0.0.1|49652'), 0);
  return receiver;
}

function takeAll(receiver: ClassicReceiver): string[] {
  const taken: string[] = [];
  for (let datagram = receiver.take(); datagram; datagram = receiver.take()) taken.push(latin1(datagram));
  return taken;
}

receiving('learns where the file comes from', () => {
  const receiver = new ClassicReceiver({}, 0);
  assert.is(receiver.source, undefined);
  receiver.input(bytesOf('0|*)early'), 0);
  receiver.input(bytesOf('OK| Sending file on port 48970 from |10.0.0.7|49652'), 0);
  assert.equal(receiver.source, { ip: '10.0.0.7', port: 49652 });
  assert.equal(takeAll(receiver), []);
});

const REFUSALS: Array<[string, string]> = [
  ['ERROR| File Not Found', 'not-found'],
  ['@bob|ERROR: Max file share connections reached. Please try later', 'busy'],
  ['ERROR| Not today', 'refused'],
];
for (const [text, reason] of REFUSALS) {
  receiving(`ends at ${text}`, () => {
    const receiver = new ClassicReceiver({}, 0);
    receiver.input(bytesOf(text), 1);
    // as the original does
    receiver.input(bytesOf('OK| Sending file on port 48970 from |127.0.0.1|49652'), 1);
    const { outcome } = receiver;
    assert.is(outcome?.kind === 'failed' && outcome.reason, reason);
    assert.is(receiver.deadline(), Number.POSITIVE_INFINITY);
  });
}

receiving('asks for a missing packet once, by the last ack, and by -1 at the beginning of a round', () => {
  const receiver = receiverAt(4);
  receiver.input(bytesOf('0|*)a'), 1);
  receiver.input(bytesOf('2|*)c'), 1);
  receiver.input(bytesOf('3|*)d'), 1);
  receiver.tick(receiver.deadline());
  assert.equal(takeAll(receiver), ['0|ACK']);
  receiver.input(bytesOf('STA'), 30);
  for (const packet of ['1|*)b', '2|*)c', '3|*)d']) receiver.input(bytesOf(packet), 31);
  receiver.input(bytesOf('END'), 32);
  receiver.input(bytesOf('1|*)f'), 33);
  receiver.tick(receiver.deadline());
  assert.equal(takeAll(receiver), ['1|ACK', '2|ACK', '3|ACK', '-1|ACK']);
});

receiving('is not content with an end that comes while a packet is missing', () => {
  const receiver = receiverAt();
  for (const text of ['0|*)a', '2|*)c', 'EOF']) receiver.input(bytesOf(text), 1);
  for (let at = receiver.deadline(); at < 60_000; at = receiver.deadline()) receiver.tick(at);
  assert.is(receiver.outcome?.kind === 'failed' && receiver.outcome.reason, 'lost');
  assert.equal(latin1(receiver.read() as Uint8Array), 'a');
});

receiving('is done, but not sure, when the sender has gone after its end', () => {
  const receiver = receiverAt();
  for (const text of ['0|*)a', 'EOF']) receiver.input(bytesOf(text), 1);
  for (let at = receiver.deadline(); at < 60_000; at = receiver.deadline()) receiver.tick(at);
  assert.equal(receiver.outcome, { kind: 'done', bytes: 1, isConfirmed: false });
});

receiving('gets the end of a file that was lost before EOF', () => {
  const receiver = receiverAt();
  receiver.input(bytesOf('0|*)a'), 1);
  receiver.input(bytesOf('EOF'), 1);
  receiver.tick(receiver.deadline());
  assert.equal(takeAll(receiver), ['0|ACK', '0|ACK']);
  for (const text of ['STA', '1|*)b', 'EOF']) receiver.input(bytesOf(text), 200);
  assert.is(receiver.outcome, undefined);
  receiver.tick(receiver.deadline());
  receiver.input(bytesOf('EOF'), 400);
  assert.equal(receiver.outcome, { kind: 'done', bytes: 2, isConfirmed: true });
  assert.equal(takeAll(receiver), ['1|ACK', '1|ACK', '2|ACK']);
});

receiving('fails clearly when the sender is silent from the beginning, or stops', () => {
  const never = new ClassicReceiver({}, 0);
  never.tick(never.deadline());
  assert.is(never.outcome?.kind === 'failed' && never.outcome.reason, 'silent');
  const stopped = receiverAt();
  for (let at = stopped.deadline(); at < 60_000; at = stopped.deadline()) stopped.tick(at);
  assert.is(stopped.outcome?.kind === 'failed' && stopped.outcome.reason, 'silent');
});

receiving('says so when the other end counts further than it does', () => {
  const { outcome } = receiveFrom(fileOf(100_000, randomFrom(1)), 1, CLEAN, { window: 20 });
  assert.is(outcome.kind === 'failed' && outcome.reason, 'window');
});

receiving('does not take a file for whole whose sender counts less far', () => {
  const { outcome, file } = receiveFrom(fileOf(100_000, randomFrom(1)), 1, CLEAN, { window: 8 });
  assert.is(outcome.kind === 'failed' && outcome.reason, 'lost');
  assert.is(file.length, 8 * 2038);
});

receiving('passes over what it has had, when an ack at the end of a round was lost', () => {
  const receiver = receiverAt(4);
  for (const text of ['0|*)a', '1|*)b', '2|*)c', '3|*)d', '0|*)e', '1|*)f']) receiver.input(bytesOf(text), 1);
  assert.equal(takeAll(receiver), ['1|ACK', '3|ACK', '1|ACK']);
  // 3|ACK was lost, so 1|ACK looks older than what it keeps
  for (const text of ['STA', '2|*)c', '3|*)d', '0|*)e', '1|*)f', 'END', '2|*)g']) receiver.input(bytesOf(text), 2);
  assert.equal(takeAll(receiver), ['2|ACK', '3|ACK', '0|ACK', '1|ACK']);
  assert.is(receiver.receivedBytes, 7);
});

receiving('acknowledges nothing while nobody reads, and goes on when somebody does', () => {
  const receiver = receiverAt();
  const packet = 'x'.repeat(2038);
  let acks = 0;
  for (let count = 0; count < 528; count++) {
    receiver.input(bytesOf(`${count % 16}|*)${packet}`), count);
    acks += takeAll(receiver).length;
  }
  assert.is(acks, 64, 'two in a round, up to a megabyte');
  assert.is(receiver.deadline(), Number.POSITIVE_INFINITY);
  for (let part = receiver.read(); part; part = receiver.read());
  assert.equal(takeAll(receiver), ['15|ACK']);
  assert.is.not(receiver.deadline(), Number.POSITIVE_INFINITY);
});

receiving('comes to a clear end on a link that loses, doubles and reorders, nearly always with the file', () => {
  for (const trouble of TROUBLES) {
    const ends = countEnds(trouble, receiveFrom);
    // what is left is what this wire can't tell apart
    assert.ok(ends.wrong <= SEEDS / 100, `${ends.wrong} of ${SEEDS} came wrong and were confirmed`);
    assert.ok(ends.right > 0.8 * SEEDS, `${ends.right} of ${SEEDS} came right`);
  }
});

receiving('always has something to do at its deadline, whatever comes, and ends', () => {
  const said = fc.oneof(
    fc.nat({ max: 15 }).map((seq) => `${seq}|*)x`),
    fc.constantFrom('STA', 'END', 'EOF'),
  );
  fc.assert(
    fc.property(fc.array(said, { maxLength: 100 }), (datagrams) => {
      const receiver = receiverAt();
      for (let steps = 0; !receiver.outcome; steps++) {
        assert.ok(steps < 1000, 'it ends');
        const now = receiver.deadline();
        receiver.tick(now);
        assert.ok(receiver.deadline() > now, 'it does not spin');
        takeAll(receiver);
        const datagram = datagrams.pop();
        if (datagram !== undefined) receiver.input(bytesOf(datagram), now);
      }
    }),
  );
});

receiving('minds no garbage', () => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constantFrom('0|*)', '5|*)x', '15|*)', 'STA', 'END', 'EOF', '3|ACK', 'ERROR| x').map(bytesOf),
  );
  fc.assert(
    fc.property(fc.array(garbage, { maxLength: 60 }), (datagrams) => {
      const receiver = receiverAt();
      for (const [at, datagram] of datagrams.entries()) {
        receiver.tick(at * 10);
        receiver.input(datagram, at * 10);
      }
      assert.ok(takeAll(receiver).length <= 2 * datagrams.length);
    }),
  );
});
receiving.run();
