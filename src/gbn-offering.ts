// Layer 1. What a sender is told, and the offer that it makes of it. Pure.
//
// The first time it goes out as a train, so that the receiver can measure the link, and see how long a datagram may be;
// later ones are one short datagram, since nobody may be there.

import type { GbnTrace } from './gbn-stats.ts';
import { MAX_DATA } from './repair-code.ts';
import { encodeGbn, ID_BYTES, MAX_PACKET_BYTES, stampOf } from './wire-gbn.ts';

/** Of the file in a packet, on a common link: with all that is put in front of it, it needs no splitting. */
export const PATH_PACKET_BYTES = 1400;
/** For a path that takes so long ones, somewhere between. */
const MIDDLE_PACKET_BYTES = 8192;
const BLOCK_PACKETS = 120;
/** Of long packets, so that a block stays small. */
const MAX_BLOCK_BYTES = 1 << 20;
const TRAIN_BYTES = 48_000;
const MAX_TRAIN = 32;
const MIN_TRAIN = 4;
const MAX_WINDOW = 1 << 24;

export interface GbnSenderOptions {
  /** Of 8 bytes; both ends know it beforehand. */
  readonly transferId: Uint8Array;
  readonly name: string;
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
  /** Of the file: another one for other content. */
  readonly version: string;
  /** Of the file in a packet. `auto`: as many as the path takes. */
  readonly packetBytes: number | 'auto';
  /** What `auto` may try; more than a common link takes only on the own machine. */
  readonly maxPacketBytes?: number;
  /** Packets that are not acknowledged, at most: plain Go-Back-N. `auto`: blocks, and what the link takes. */
  readonly window: number | 'auto';
  /** 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly silentMs?: number;
  /** Without anything new being acknowledged. */
  readonly stalledMs?: number;
  readonly onTrace?: (trace: GbnTrace) => void;
}

export class Offering {
  readonly #options: GbnSenderOptions;
  readonly #firstSeq: number;
  readonly mostBytes: number;
  readonly leastBytes: number;
  /** 0: plain. */
  readonly blockPackets: number;
  /** Datagrams in the train. */
  readonly trainCount: number;

  constructor(options: GbnSenderOptions, firstSeq: number) {
    checkOptions(options);
    const { packetBytes, maxPacketBytes = PATH_PACKET_BYTES, window } = options;
    this.#options = options;
    this.#firstSeq = firstSeq;
    const isAuto = packetBytes === 'auto';
    this.mostBytes = isAuto ? maxPacketBytes : packetBytes;
    this.leastBytes = isAuto ? Math.min(PATH_PACKET_BYTES, this.mostBytes) : this.mostBytes;
    const fitBlock = Math.max(1, Math.min(MAX_DATA, BLOCK_PACKETS, Math.floor(MAX_BLOCK_BYTES / this.mostBytes)));
    this.blockPackets = window === 'auto' ? fitBlock : 0;
    const fitTrain = Math.min(MAX_TRAIN, Math.max(MIN_TRAIN, Math.floor(TRAIN_BYTES / this.mostBytes)));
    // no more than the file itself would take
    const packets = Math.max(1, Math.ceil(options.size / this.mostBytes));
    this.trainCount = Math.min(fitTrain, packets, window === 'auto' ? MAX_TRAIN : window);
  }

  train(now: number): Uint8Array[] {
    const count = this.trainCount;
    const all = Array.from({ length: count }, (_, index) => this.#datagram(index, this.mostBytes, now));
    // if the long ones do not come through
    for (const bytes of [MIDDLE_PACKET_BYTES, PATH_PACKET_BYTES]) {
      if (bytes < this.mostBytes && bytes >= this.leastBytes) all.push(this.#datagram(count - 1, bytes, now));
    }
    return all;
  }

  short(now: number): Uint8Array {
    return this.#datagram(0, 0, now);
  }

  #datagram(index: number, roomBytes: number, now: number): Uint8Array {
    const { transferId, name, version, size, sha256, window } = this.#options;
    return encodeGbn(transferId, {
      kind: 'offer',
      firstSeq: this.#firstSeq,
      index,
      count: roomBytes > 0 ? this.trainCount : 1,
      packetBytes: this.mostBytes,
      leastBytes: this.leastBytes,
      blockPackets: this.blockPackets,
      window: window === 'auto' ? 0 : window,
      size,
      sha256,
      name,
      version,
      stamp: stampOf(now),
      roomBytes,
    });
  }
}

function checkOptions({ packetBytes, maxPacketBytes, window, size, transferId, sha256 }: GbnSenderOptions): void {
  if (transferId.length !== ID_BYTES) throw new RangeError(`a transfer id of ${transferId.length} bytes`);
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError('sha256 is not one in hex');
  if (packetBytes !== 'auto') checkWhole('packetBytes', packetBytes, 1, MAX_PACKET_BYTES);
  if (maxPacketBytes !== undefined) checkWhole('maxPacketBytes', maxPacketBytes, 1, MAX_PACKET_BYTES);
  if (window !== 'auto') checkWhole('window', window, 1, MAX_WINDOW);
  checkWhole('size', size, 0, Number.MAX_SAFE_INTEGER);
}

function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} is ${value}, and has to be ${least} to ${most}`);
}
