// What Go-Back-N gets out of a link, under a virtual clock: the window is kept, and the goals are reached. The same links as bench/gbn-link.ts, so that a change that costs speed is seen here.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BadLinkOptions, seededRandom } from '../src/bad-link.ts';
import { type GbnMessage, readGbn } from '../src/wire-gbn.ts';
import { GRID, ipBytes, linkOf, megabits, plainWindow } from './udp-gbn-grid.ts';
import { type End, Transfer, World } from './udp-gbn-pair.ts';

const SIZE = 20_000_000;

// --- the window -------------------------------------------------------------------------------------------

/** Hears what a sender says and is told, and counts. */
class Watched implements End {
  readonly #end: Transfer['from'];
  readonly seqs: number[] = [];
  #first: number | undefined;
  #sentTo = 0;
  #acked = 0;
  most = 0;

  constructor(end: Transfer['from']) {
    this.#end = end;
  }

  input(datagram: Uint8Array, now: number): void {
    const message = readGbn(datagram);
    if (message?.kind === 'ack' && this.#first !== undefined) {
      this.#acked = Math.max(this.#acked, (message.seq - this.#first) | 0);
    }
    this.#end.input(datagram, now);
  }

  tick(now: number): void {
    this.#end.tick(now);
  }

  take(): Uint8Array | undefined {
    const bytes = this.#end.take();
    const message = bytes && readGbn(bytes);
    if (message) this.#count(message);
    return bytes;
  }

  deadline(): number {
    return this.#end.deadline();
  }

  owner(): void {
    this.#end.owner();
  }

  #count(message: GbnMessage): void {
    if (message.kind === 'offer') this.#first = message.firstSeq;
    if (message.kind !== 'data') return;
    const index = (message.seq - (this.#first as number)) | 0;
    this.seqs.push(index);
    this.#sentTo = Math.max(this.#sentTo, index + 1);
    this.most = Math.max(this.most, this.#sentTo - this.#acked);
  }
}

interface Window {
  readonly transfer: Transfer;
  readonly watched: Watched;
}

function watch(link: BadLinkOptions, window: number | 'auto', size: number, seed: number): Window {
  const world = new World(link, link, seed);
  const transfer = new Transfer({ size, seed, sender: { window, silentMs: 120_000 }, receiver: { silentMs: 120_000 } });
  const watched = new Watched(transfer.from);
  world.attach(watched, transfer.to);
  assert.ok(world.run(() => transfer.isOver, 4_000_000));
  assert.is(transfer.receiver.state, 'done');
  return { transfer, watched };
}

const windows = suite('udp-gbn: the window');

windows('never are more than N packets out that are not acknowledged', () => {
  const random = seededRandom(5);
  for (let seed = 1; seed <= 300; seed++) {
    const window = 1 + Math.floor(random() ** 2 * 150);
    const link = { ...linkOf(random() * 60, random() * 30), duplicated: random() * 0.2, reordered: random() * 0.2 };
    const { watched } = watch(link, window, Math.floor(random() * 200_000), seed);
    assert.ok(watched.most <= window, `seed ${seed}: ${watched.most} of ${window}`);
  }
});

windows('on a clean link each packet goes out once, in order, and all of the window is used', () => {
  for (const window of [1, 2, 16, 100]) {
    const { watched, transfer } = watch(linkOf(20, 0), window, 400_000, 1);
    assert.equal(
      watched.seqs,
      Array.from({ length: Math.ceil(400_000 / 1400) }, (_, index) => index),
    );
    assert.is(watched.most, window);
    assert.equal([transfer.sender.stats.resent, transfer.sender.stats.timeouts], [0, 0]);
  }
});

windows('with one packet lost, all from there on go out again, once, and in order', () => {
  const { seqs } = watch(linkOf(20, 1), 30, 300_000, 4).watched;
  const backs = seqs.filter((index, at) => at > 0 && index < (seqs[at - 1] as number));
  assert.ok(backs.length > 0);
  for (const [at, index] of seqs.entries()) {
    if (at > 0) assert.ok(index <= (seqs[at - 1] as number) + 1, 'nothing is left out');
  }
});

windows('what is out stays in bounds when it is chosen by the link', () => {
  for (const rtt of [2, 20, 80]) {
    const { watched } = watch(linkOf(rtt, 0.5), 'auto', 5_000_000, 1);
    // what the way and its queue hold, and the blocks that are not full
    const held = (linkOf(rtt, 0).queueBytes ?? 0) / 1464 + (rtt * 12_500) / 1464;
    assert.ok(watched.most < 1.5 * held + 400, `${watched.most} at ${rtt} ms`);
  }
});
windows.run();

// --- the goals --------------------------------------------------------------------------------------------

const goals = suite('udp-gbn: goals');

/** Milliseconds, and bytes of IP. */
function bring(rtt: number, loss: number, window: number | 'auto', seed: number): { ms: number; sent: number } {
  const world = new World(linkOf(rtt, loss), linkOf(rtt, loss), seed);
  const transfer = new Transfer({ size: SIZE, seed, sender: { window }, isUnchecked: true });
  world.attach(transfer.from, transfer.to);
  assert.ok(world.run(() => transfer.isOver, 200_000));
  assert.is(transfer.receiver.state, 'done');
  return { ms: transfer.to.doneAt, sent: ipBytes(world.forward.stats) };
}

for (const [rtt, loss, plainGoal, autoGoal] of GRID) {
  for (const kind of ['plain', 'auto'] as const) {
    const goal = kind === 'plain' ? plainGoal : autoGoal;
    goals(`${rtt} ms, ${loss} % loss, ${kind}: ${goal} of 100 Mbit/s`, () => {
      const window = kind === 'plain' ? plainWindow(rtt) : kind;
      // where few are lost it depends on how many
      const seeds = loss === 0 ? [1] : loss < 1 ? [1, 2, 3, 4, 5] : [1, 2, 3];
      const all = seeds.map((seed) => bring(rtt, loss, window, seed));
      const ms = all.reduce((sum, one) => sum + one.ms, 0) / all.length;
      const mbit = megabits(SIZE, ms);
      assert.ok(mbit >= goal, `${mbit.toFixed(1)} Mbit/s`);
      const ratio = all.reduce((sum, one) => sum + one.sent, 0) / all.length / SIZE;
      const most = loss === 0 ? 1.05 : loss < 5 ? 1.12 : 1.3;
      if (kind === 'auto') assert.ok(ratio <= most, `${ratio.toFixed(3)} of the file on the wire`);
    });
  }
}
goals.run();
