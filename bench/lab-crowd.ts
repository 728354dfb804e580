// The load driver's side of the wire: `lab` connections, and a crowd of them in one room that posts and checks what
// comes. It must cost less than the server it measures, so a delivery is never made a string: all posts make blocks of
// one length, and each block is checked in place. Every member's every block must be the next one of its sender (so
// nothing is lost, repeated or reordered unseen); member 0 compares all of each block with what was posted.
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const HOST = '127.0.0.1';
const TEXT_BYTES = 100;
const FILLER = ' is the number of this post; what follows it only makes the text as long as people write them.';
const MAX_SENDERS = 64;
/** More posts than may be under way at once; a power of two, so that a ring of them is indexed with a mask. */
const RING = 1 << 16;
const LATENCY_STEP_MS = 0.01;
const LATENCY_STEPS = 500_000;

/** All sockets read into this one buffer: what is in it is dealt with before the next socket is read. */
const inbox = Buffer.allocUnsafeSlow(256 * 1024);

export type Connection = {
  socket: net.Socket;
  roomRef: number;
  joinId: number;
  receive: Receive;
};

/** What has come are the first `length` bytes; they are only there during the call. */
type Receive = (length: number, bytes: Buffer) => void;

/** A connection that hands its bytes to `connection.receive`; an end that nobody asked for ends the whole run. */
export function connect(port: number, receive: Receive): Connection {
  const callback = (length: number) => {
    connection.receive(length, inbox);
    return true;
  };
  const socket = net.connect({ port, host: HOST, noDelay: true, onread: { buffer: inbox, callback } });
  const connection: Connection = { socket, roomRef: -1, joinId: -1, receive };
  socket.on('error', (error) => {
    throw error;
  });
  socket.on('end', () => {
    throw new Error('the server closed a connection');
  });
  return connection;
}

/** Connects and joins: done when both the answer and the newcomer's own announcement are there. */
export function join(port: number, room: string, handle: string): Promise<Connection> {
  const announcement = `MESSAGE: ${handle} has joined this chatroom.\n\n`;
  return new Promise((resolve, reject) => {
    let text = '';
    const connection = connect(port, (length) => {
      text += inbox.toString('latin1', 0, length);
      if (text.startsWith('ERROR_CODE')) reject(new Error(`JOIN_CHATROOM was answered ${JSON.stringify(text)}`));
      const joined = /^JOINED_CHATROOM: .*\nSERVER_IP: .*\nPORT: .*\nROOM_REF: (\d+)\nJOIN_ID: (\d+)\n/.exec(text);
      if (joined === null || !text.includes(announcement, joined[0].length)) return;
      connection.roomRef = Number(joined[1]);
      connection.joinId = Number(joined[2]);
      connection.receive = ignore;
      resolve(connection);
    });
    connection.socket.write(`JOIN_CHATROOM: ${room}\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ${handle}\n`);
  });
}

function ignore(): void {
  // Announcements of others, to a connection that only has to be there.
}

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
  /** Posts that every member has received. */
  completed = 0;
  /** Posts × members that have received them. */
  deliveries = 0;
  onCompleted: ((count: number) => void) | undefined;

  readonly #members: Connection[];
  readonly #senders: number;
  /** What a sender writes and what the members then get, but for the post's number; one of each for each sender. */
  readonly #requests: Buffer[] = [];
  readonly #blocks: Buffer[] = [];
  readonly #requestBytes: number;
  readonly #blockBytes: number;
  readonly #requestTextAt: number;
  readonly #blockTextAt: number;

  readonly #nextToPost: Uint32Array;
  /** For each member and sender, the number that must come next. */
  readonly #nextToCome: Uint32Array;
  readonly #received: Uint32Array;
  /** How many members have received as many posts as the index says (modulo the ring). */
  readonly #reached = new Uint32Array(RING);
  /** Blocks cut by the end of a read: how much of it is there, and that much of it, for each member. */
  readonly #partialBytes: Uint32Array;
  readonly #partials: Buffer;

  #turn = 0;
  #sentAt: Float64Array | undefined;
  #latencies: Uint32Array | undefined;
  #now = 0;

  /** Brings `size` connections into one room and waits until the last announcement has reached the last of them. */
  static async gather(port: number, size: number, senders: number): Promise<Crowd> {
    const members = await inParallel(size, 32, (index) => join(port, 'bench', handleOf(index)));
    await settle(members);
    return new Crowd(members, senders);
  }

  private constructor(members: Connection[], senders: number) {
    if (senders > MAX_SENDERS) throw new RangeError(`at most ${MAX_SENDERS} senders`);
    this.#members = members;
    this.#senders = senders;
    for (let sender = 0; sender < senders; sender++) {
      const { roomRef, joinId } = members[sender] as Connection;
      const text = `${String.fromCharCode(48 + sender)}0000${FILLER}`.padEnd(TEXT_BYTES, '.');
      const name = `CLIENT_NAME: ${handleOf(sender)}\nMESSAGE: ${text}\n\n`;
      // Servers disregard the JOIN_ID on TCP, so it may be padded to keep all requests of one length.
      this.#requests.push(Buffer.from(`CHAT: ${roomRef}\nJOIN_ID: ${String(joinId).padStart(10, '0')}\n${name}`));
      this.#blocks.push(Buffer.from(`CHAT: ${roomRef}\n${name}`));
    }
    const tail = TEXT_BYTES + 2;
    this.#requestBytes = (this.#requests[0] as Buffer).length;
    this.#blockBytes = (this.#blocks[0] as Buffer).length;
    this.#requestTextAt = this.#requestBytes - tail;
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
    // 67 and 10: a block begins with the C of CHAT and ends with a newline.
    const inPlace = bytes[at] === 67 && bytes[at + this.#blockBytes - 1] === 10 && sender < this.#senders;
    if (!inPlace || this.#nextToCome[slot] !== number) this.#failAt(member, bytes, at);
    if (member === 0) this.#compare(sender, number, bytes, at);
    this.#nextToCome[slot] = number + 1;
    if (this.#latencies !== undefined) this.#countLatency(sender, number);
    this.deliveries++;
    const rank = (this.#received[member] as number) & (RING - 1);
    this.#received[member] = (this.#received[member] as number) + 1;
    const reached = (this.#reached[rank] as number) + 1;
    if (reached === this.#members.length) {
      this.#reached[rank] = 0;
      this.completed++;
    } else {
      this.#reached[rank] = reached;
    }
  }

  #compare(sender: number, number: number, bytes: Buffer, at: number): void {
    const expected = this.#blocks[sender] as Buffer;
    putNumber(expected, this.#blockTextAt + 1, number);
    if (expected.compare(bytes, at, at + this.#blockBytes) !== 0) this.#failAt(0, bytes, at);
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
    while (this.completed < this.posted && performance.now() < patience) await sleep(5);
    await sleep(30);
    for (let member = 0; member < this.#members.length; member++) {
      if (this.#received[member] === this.posted && this.#partialBytes[member] === 0) continue;
      throw new Error(`member ${member} received ${this.#received[member]} of ${this.posted} posts`);
    }
  }
}

/** Posts a line when all have joined. Where it has come, all the announcements before it have. */
async function settle(members: Connection[]): Promise<void> {
  const { roomRef, joinId, socket } = members[0] as Connection;
  const name = `CLIENT_NAME: ${handleOf(0)}\nMESSAGE: all are here\n\n`;
  const sign = Buffer.from(`CHAT: ${roomRef}\n${name}`);
  const seen = Promise.all(members.map((member) => waitFor(member, sign)));
  socket.write(`CHAT: ${roomRef}\nJOIN_ID: ${joinId}\n${name}`);
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
