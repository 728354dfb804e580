// The load driver's side of the wire: a crowd of connections in one room that posts and checks what comes. It must cost
// less than the server it measures, so a delivery is never made a string: all posts make blocks of one length, and each
// block is checked in place. Every member's every block must be the next one of its sender (so nothing is lost,
// repeated or reordered unseen); one member compares all of each block with what was posted.
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, inbox, type Wire } from './crowd-wire.ts';

const TEXT_BYTES = 100;
const FILLER = ' is the number of this post; what follows it only makes the text as long as people write them.';
/** Who has just answered acknowledges late; who has been there for a while doesn't, and that is what is measured. */
const SETTLE_MS = 300;
const MAX_SENDERS = 64;
/** More posts than may be under way at once; a power of two, so that a ring of them is indexed with a mask. */
const RING = 1 << 16;
const NEWLINE = 10;
const LATENCY_STEP_MS = 0.01;
const LATENCY_STEPS = 500_000;

/** Runs `task` for 0 … count-1, `width` of them at a time. */
export async function inParallel<T>(count: number, width: number, task: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      results[index] = await task(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
  return results;
}

/** Names of one length, so that blocks are of one length. */
export function handleOf(index: number): string {
  return `m${String(index).padStart(5, '0')}`;
}

export class Crowd {
  posted = 0;
  /**
   * Posts that every member has received who only listens: those who post as well acknowledge late to a server that
   * waits for that (Nagle's algorithm), and then it is the two systems' timers that are measured.
   */
  completed = 0;
  /** Posts × members that have received them. */
  deliveries = 0;
  onCompleted: ((count: number) => void) | undefined;

  readonly #wire: Wire;
  readonly #members: Connection[];
  readonly #senders: number;
  readonly #firstListener: number;
  /** What a sender writes and what the members then get, but for the post's number; one of each for each sender. */
  readonly #requests: Buffer[] = [];
  readonly #blocks: Buffer[] = [];
  readonly #requestBytes: number;
  readonly #blockBytes: number;
  readonly #firstByte: number;
  readonly #requestTextAt: number;
  readonly #blockTextAt: number;

  readonly #nextToPost: Uint32Array;
  /** For each member and sender, the number that must come next. */
  readonly #nextToCome: Uint32Array;
  readonly #received: Uint32Array;
  /** How many of those who count have received as many posts as the index says (modulo the ring). */
  readonly #reached = new Uint32Array(RING);
  /** Blocks cut by the end of a read: how much of it is there, and that much of it, for each member. */
  readonly #partialBytes: Uint32Array;
  readonly #partials: Buffer;

  #turn = 0;
  #sentAt: Float64Array | undefined;
  #latencies: Uint32Array | undefined;
  #now = 0;

  /** Brings `size` connections into one room and waits until the last announcement has reached the last of them. */
  static async gather(wire: Wire, port: number, size: number, senders: number): Promise<Crowd> {
    const members = await inParallel(size, wire.atOnce, (index) => wire.join(port, 'bench', handleOf(index)));
    await settle(wire, members);
    await sleep(SETTLE_MS);
    return new Crowd(wire, members, senders);
  }

  private constructor(wire: Wire, members: Connection[], senders: number) {
    if (senders > MAX_SENDERS) throw new RangeError(`at most ${MAX_SENDERS} senders`);
    this.#wire = wire;
    this.#members = members;
    this.#senders = senders;
    this.#firstListener = members.length > senders ? senders : 0;
    for (let sender = 0; sender < senders; sender++) {
      const { request, block } = members[sender] as Connection;
      const text = `${String.fromCharCode(48 + sender)}0000${FILLER}`.padEnd(TEXT_BYTES, '.');
      this.#requests.push(Buffer.from(request + text + wire.requestEnd));
      this.#blocks.push(Buffer.from(block + text + wire.blockEnd));
    }
    const tail = TEXT_BYTES + wire.blockEnd.length;
    this.#firstByte = (this.#blocks[0] as Buffer)[0] as number;
    this.#requestBytes = (this.#requests[0] as Buffer).length;
    this.#blockBytes = (this.#blocks[0] as Buffer).length;
    this.#requestTextAt = this.#requestBytes - TEXT_BYTES - wire.requestEnd.length;
    this.#blockTextAt = this.#blockBytes - tail;
    this.#nextToPost = new Uint32Array(senders);
    this.#nextToCome = new Uint32Array(members.length * senders);
    this.#received = new Uint32Array(members.length);
    this.#partialBytes = new Uint32Array(members.length);
    this.#partials = Buffer.alloc(members.length * this.#blockBytes);
    for (const [index, member] of members.entries()) member.receive = (length) => this.#receive(index, length);
  }

  /** Posts that many lines, the senders taking turns; what one sender posts at once goes out in one write. */
  post(count: number): void {
    this.posted += count;
    if (this.posted - this.completed >= RING) throw new Error('the server fell far behind');
    const each = Math.floor(count / this.#senders);
    const more = count % this.#senders;
    for (let offset = 0; offset < this.#senders; offset++) {
      const lines = offset < more ? each + 1 : each;
      if (lines === 0) break;
      this.#write((this.#turn + offset) % this.#senders, lines);
    }
    this.#turn = (this.#turn + count) % this.#senders;
  }

  #write(sender: number, lines: number): void {
    const request = this.#requests[sender] as Buffer;
    const bytes = Buffer.allocUnsafe(lines * this.#requestBytes);
    const sentAt = this.#sentAt === undefined ? 0 : performance.now();
    for (let line = 0; line < lines; line++) {
      const number = this.#nextToPost[sender] as number;
      this.#nextToPost[sender] = number + 1;
      bytes.set(request, line * this.#requestBytes);
      putNumber(bytes, line * this.#requestBytes + this.#requestTextAt + 1, number);
      if (this.#sentAt !== undefined) this.#sentAt[sender * RING + (number & (RING - 1))] = sentAt;
    }
    (this.#members[sender] as Connection).socket.write(bytes);
    // what it does not get back it has
    if (!this.#wire.echoes) for (let line = 0; line < lines; line++) this.#countReceived(sender);
  }

  #receive(member: number, length: number): void {
    const completedBefore = this.completed;
    if (this.#latencies !== undefined) this.#now = performance.now();
    let at = this.#finishPartial(member, length);
    for (; at + this.#blockBytes <= length; at += this.#blockBytes) this.#take(member, inbox, at);
    if (at < length) {
      inbox.copy(this.#partials, member * this.#blockBytes, at, length);
      this.#partialBytes[member] = length - at;
    }
    if (this.completed > completedBefore) this.onCompleted?.(this.completed - completedBefore);
  }

  /** Completes the block that the last read left unfinished; returns where in `inbox` the next one begins. */
  #finishPartial(member: number, length: number): number {
    const have = this.#partialBytes[member] as number;
    if (have === 0) return 0;
    const start = member * this.#blockBytes;
    const taken = Math.min(this.#blockBytes - have, length);
    inbox.copy(this.#partials, start + have, 0, taken);
    if (have + taken < this.#blockBytes) {
      this.#partialBytes[member] = have + taken;
    } else {
      this.#partialBytes[member] = 0;
      this.#take(member, this.#partials, start);
    }
    return taken;
  }

  /** Checks and counts the block at `at`. */
  #take(member: number, bytes: Buffer, at: number): void {
    const textAt = at + this.#blockTextAt;
    const sender = (bytes[textAt] as number) - 48;
    const number = getNumber(bytes, textAt + 1);
    const slot = member * this.#senders + sender;
    const inPlace = bytes[at] === this.#firstByte && bytes[at + this.#blockBytes - 1] === NEWLINE;
    if (!inPlace || sender >= this.#senders || this.#nextToCome[slot] !== number) this.#failAt(member, bytes, at);
    // the last one posts least often, if at all
    if (member === this.#members.length - 1) this.#compare(sender, number, bytes, at);
    this.#nextToCome[slot] = number + 1;
    if (this.#latencies !== undefined) this.#countLatency(sender, number);
    this.deliveries++;
    this.#countReceived(member);
  }

  #countReceived(member: number): void {
    const rank = (this.#received[member] as number) & (RING - 1);
    this.#received[member] = (this.#received[member] as number) + 1;
    if (member < this.#firstListener) return;
    const reached = (this.#reached[rank] as number) + 1;
    if (reached === this.#members.length - this.#firstListener) {
      this.#reached[rank] = 0;
      this.completed++;
    } else {
      this.#reached[rank] = reached;
    }
  }

  #compare(sender: number, number: number, bytes: Buffer, at: number): void {
    const expected = this.#blocks[sender] as Buffer;
    putNumber(expected, this.#blockTextAt + 1, number);
    if (expected.compare(bytes, at, at + this.#blockBytes) !== 0) this.#failAt(this.#members.length - 1, bytes, at);
  }

  #failAt(member: number, bytes: Buffer, at: number): never {
    const found = JSON.stringify(bytes.toString('latin1', at, at + this.#blockBytes));
    throw new Error(`member ${member} after ${this.#received[member]} posts got ${found}: lost, repeated or garbled`);
  }

  /** From now on measures how long each delivery takes; forgets what was measured before. */
  measureLatency(): void {
    this.#sentAt ??= new Float64Array(this.#senders * RING);
    this.#latencies = new Uint32Array(LATENCY_STEPS);
  }

  #countLatency(sender: number, number: number): void {
    const sentAt = this.#sentAt?.[sender * RING + (number & (RING - 1))] as number;
    if (sentAt === 0) return; // Posted before measuring began.
    const step = Math.min(LATENCY_STEPS - 1, Math.floor((this.#now - sentAt) / LATENCY_STEP_MS));
    const latencies = this.#latencies as Uint32Array;
    latencies[step] = (latencies[step] as number) + 1;
  }

  latencyMs(share: number): number {
    const latencies = this.#latencies ?? new Uint32Array(0);
    let left = share * latencies.reduce((sum, count) => sum + count, 0);
    for (const [step, count] of latencies.entries()) {
      left -= count;
      if (left <= 0) return step * LATENCY_STEP_MS;
    }
    return Number.NaN;
  }

  /** Waits until every post has reached everyone, and makes sure that nothing comes on top. */
  async finish(): Promise<void> {
    const patience = performance.now() + 5000;
    while (this.#received.some((count) => count < this.posted) && performance.now() < patience) await sleep(5);
    await sleep(30);
    for (let member = 0; member < this.#members.length; member++) {
      if (this.#received[member] === this.posted && this.#partialBytes[member] === 0) continue;
      throw new Error(`member ${member} received ${this.#received[member]} of ${this.posted} posts`);
    }
  }
}

/** Posts a line when all have joined. Where it has come, all the announcements before it have. */
async function settle(wire: Wire, members: Connection[]): Promise<void> {
  const [first, ...others] = members as [Connection, ...Connection[]];
  const text = 'all are here';
  const sign = Buffer.from(first.block + text + wire.blockEnd);
  const seen = Promise.all((wire.echoes ? members : others).map((member) => waitFor(member, sign)));
  first.socket.write(first.request + text + wire.requestEnd);
  await seen;
}

function waitFor(member: Connection, sign: Buffer): Promise<void> {
  let tail = Buffer.alloc(0);
  return new Promise((resolve) => {
    member.receive = (length) => {
      tail = Buffer.concat([tail, inbox.subarray(Math.max(0, length - sign.length), length)]);
      tail = tail.subarray(Math.max(0, tail.length - sign.length));
      if (tail.equals(sign)) resolve();
    };
  });
}

/** Numbers are four printable characters of six bits: cheap to read, and a server has no reason to touch them. */
function putNumber(bytes: Uint8Array, at: number, number: number): void {
  bytes[at] = 48 + ((number >> 18) & 63);
  bytes[at + 1] = 48 + ((number >> 12) & 63);
  bytes[at + 2] = 48 + ((number >> 6) & 63);
  bytes[at + 3] = 48 + (number & 63);
}

function getNumber(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) - 48) * 4096 + ((bytes[at + 1] as number) - 48) * 64;
  return (high + ((bytes[at + 2] as number) - 48)) * 64 + ((bytes[at + 3] as number) - 48);
}
