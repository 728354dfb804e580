// A transfer as both ends would have traced it: Go-Back-N with a window, on a link of a given delay, where named
// packets are lost the first time. Made by a small model, so that the drawings have something true to draw.

import type { TracePacket } from '../src/gbn-trace.ts';

export interface TransferOptions {
  readonly packets: number;
  readonly window: number;
  readonly delayMs: number;
  readonly packetMs: number;
  readonly timeoutMs: number;
  /** Data packets that are lost the first time. */
  readonly lost?: readonly number[];
  /** Acks that are lost, all of that number. */
  readonly lostAcks?: readonly number[];
  /** What the receiver's clock shows at the sender's 0. */
  readonly receiverClockMs?: number;
}

type Bare = Pick<TracePacket, 'kind' | 'seq'> & { why?: string };

class Model {
  readonly #options: TransferOptions;
  readonly sender: TracePacket[] = [];
  readonly receiver: TracePacket[] = [];
  readonly #events: Array<{ at: number; run: () => void }> = [];
  #now = 0;
  #base = 0;
  #next = 0;
  #sentTo = 0;
  #expected = 0;
  #timer = 0;
  #why = 'timeout';
  #askedAt = -1;
  #gapAt = -1;

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  run(): void {
    this.#cross('send', { kind: 'offer', seq: 0, why: 'first' }, () =>
      this.#cross('recv', { kind: 'accept', seq: 0, why: 'first' }, () => this.#pump()),
    );
    for (let event = this.#events.shift(); event; event = this.#events.shift()) {
      this.#now = event.at;
      event.run();
    }
  }

  #at(ms: number, run: () => void): void {
    const at = this.#now + ms;
    const place = this.#events.findIndex((event) => event.at > at);
    this.#events.splice(place < 0 ? this.#events.length : place, 0, { at, run });
  }

  #note(end: 'send' | 'recv', direction: 'out' | 'in', { kind, seq, why }: Bare): void {
    const { window, packets, receiverClockMs = 0 } = this.#options;
    const first = end === 'send' ? this.#base : this.#expected;
    const last = Math.min(first + (end === 'send' ? window : 1), packets) - 1;
    const at = this.#now + (end === 'send' ? 0 : receiverClockMs);
    const packet: TracePacket = { at, end, direction, kind, seq, window: [first, last] };
    (end === 'send' ? this.sender : this.receiver).push(why === undefined ? packet : { ...packet, why });
  }

  #cross(from: 'send' | 'recv', packet: Bare, arrived: () => void, isLost = false): void {
    this.#note(from, 'out', packet);
    if (isLost) return;
    this.#at(this.#options.delayMs, () => {
      this.#note(from === 'send' ? 'recv' : 'send', 'in', { kind: packet.kind, seq: packet.seq });
      arrived();
    });
  }

  #pump(): void {
    const { window, packets, packetMs, timeoutMs, lost = [] } = this.#options;
    if (this.#next >= Math.min(this.#base + window, packets)) return;
    const seq = this.#next++;
    const isFirst = seq >= this.#sentTo;
    this.#sentTo = Math.max(this.#sentTo, seq + 1);
    const packet = { kind: 'data', seq, why: isFirst ? 'first' : this.#why };
    this.#cross('send', packet, () => this.#take(seq), isFirst && lost.includes(seq));
    const timer = ++this.#timer;
    this.#at(timeoutMs, () => timer === this.#timer && this.#goBack('timeout'));
    this.#at(packetMs, () => this.#pump());
  }

  #take(seq: number): void {
    const { lostAcks = [] } = this.#options;
    if (seq === this.#expected) this.#expected++;
    const ack = this.#expected;
    this.#cross('recv', { kind: 'ack', seq: ack, why: 'first' }, () => this.#acked(ack), lostAcks.includes(ack));
  }

  #acked(ack: number): void {
    if (ack === this.#base && this.#next > ack && this.#gapAt !== ack) {
      if (this.#askedAt === ack) {
        this.#gapAt = ack;
        return this.#goBack('gap');
      }
      this.#askedAt = ack;
    }
    if (ack <= this.#base) return;
    this.#base = ack;
    this.#next = Math.max(this.#next, ack);
    if (ack < this.#options.packets) return this.#pump();
    this.#timer++;
    this.#cross('send', { kind: 'end', seq: ack, why: 'first' }, () => {});
  }

  #goBack(why: string): void {
    if (this.#base >= this.#options.packets) return;
    this.#why = why;
    this.#next = this.#base;
    this.#pump();
  }
}

export function makeTraces(options: TransferOptions): { sender: TracePacket[]; receiver: TracePacket[] } {
  const model = new Model(options);
  model.run();
  return { sender: model.sender, receiver: model.receiver };
}
