// The links on which other programs were measured, and what is to be reached on them; transfers that share a link.

import type { BadLinkOptions, LinkStats } from '../src/bad-link.ts';
import { Transfer, World } from './udp-gbn-pair.ts';
import { SEGMENT_DATA_BYTES, TcpSink, TcpSource } from './udp-gbn-tcp.ts';

const BITS_PER_SECOND = 100_000_000;
const BYTES_PER_MS = BITS_PER_SECOND / 8000;
/** Of Ethernet, IP and UDP. */
const OVERHEAD_BYTES = 42;
const ETHERNET_BYTES = 14;
const LEAST_QUEUE_BYTES = 150_000;
const DATAGRAM_BYTES = 1422 + OVERHEAD_BYTES;
const ACK_EVERY = 8;

/** RTT in ms, loss in percent, the goals for plain and auto in Mbit/s. */
export const GRID: ReadonlyArray<readonly [number, number, number, number]> = [
  [2, 0, 92, 92],
  [2, 0.1, 88, 90],
  [2, 1, 75, 87],
  [2, 5, 42, 80],
  [20, 0, 91, 91],
  [20, 0.1, 77, 88],
  [20, 1, 33, 86],
  [20, 5, 9, 78],
  [80, 0, 86, 86],
  [80, 0.1, 53, 83],
  [80, 1, 11.5, 81],
  [80, 5, 2.5, 74],
];

export function linkOf(rttMs: number, lossPercent: number): BadLinkOptions {
  const queueBytes = Math.max(LEAST_QUEUE_BYTES, BYTES_PER_MS * rttMs);
  const common = { bitsPerSecond: BITS_PER_SECOND, queueBytes, delayMs: rttMs / 2, overheadBytes: OVERHEAD_BYTES };
  return { ...common, loss: lossPercent / 100 };
}

/** As many as the way holds, and those that wait for their acknowledgement. */
export function plainWindow(rttMs: number): number {
  const held = (rttMs * BYTES_PER_MS) / DATAGRAM_BYTES;
  return Math.ceil(held + 2 + Math.min(ACK_EVERY, held / 4));
}

const SHARED_SIZE = 400_000_000;
const SHARED_MS = 8000;
/** What comes before is the beginning. */
const SETTLED_MS = 3000;
const JOINED_MS = 1000;

export function ipBytes({ sent, sentBytes }: LinkStats): number {
  return sentBytes - sent * ETHERNET_BYTES;
}

export function megabits(bytes: number, ms: number): number {
  return (bytes * 8) / ms / 1000;
}

/** Two transfers, the second some time after the first: what each gets while both run. */
export function share(rttMs: number, loss: number, laterMs: number, seed: number): [number, number] {
  const world = new World(linkOf(rttMs, loss), linkOf(rttMs, loss), seed);
  const first = new Transfer({ size: SHARED_SIZE, seed: 10 * seed + 1, isUnchecked: true });
  const second = new Transfer({ size: SHARED_SIZE, seed: 10 * seed + 2, isUnchecked: true });
  world.attach(first.from, first.to);
  world.run(() => false, laterMs);
  world.now = Math.max(world.now, laterMs);
  world.attach(second.from, second.to);
  world.run(() => false, laterMs + JOINED_MS);
  const before = [first.to.position, second.to.position] as const;
  world.run(() => false, laterMs + JOINED_MS + SHARED_MS);
  return [megabits(first.to.position - before[0], SHARED_MS), megabits(second.to.position - before[1], SHARED_MS)];
}

/** Beside a TCP stream that was there before, or comes later: what we get, and it. */
export function beside(rttMs: number, kind: 'cubic' | 'reno', isFirst: boolean, seed: number): [number, number] {
  const world = new World(linkOf(rttMs, 0), linkOf(rttMs, 0), seed);
  const transfer = new Transfer({ size: SHARED_SIZE, seed, isUnchecked: true });
  const tcp = { from: new TcpSource(kind), to: new TcpSink() };
  for (const [at, pair] of (isFirst ? [tcp, transfer] : [transfer, tcp]).entries()) {
    world.now = Math.max(world.now, at * SETTLED_MS);
    world.attach(pair.from, pair.to);
    world.run(() => false, (at + 1) * SETTLED_MS);
  }
  const from = 2 * SETTLED_MS;
  const before = [transfer.to.position, tcp.to.segments] as const;
  world.run(() => false, from + SHARED_MS);
  return [
    megabits(transfer.to.position - before[0], SHARED_MS),
    megabits((tcp.to.segments - before[1]) * SEGMENT_DATA_BYTES, SHARED_MS),
  ];
}
