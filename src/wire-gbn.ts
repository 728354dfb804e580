// Layer 1. The datagrams of the sound Go-Back-N wire, both directions, pure (docs/udp-gbn.md). The first byte is one
// that no text has, so that they are never taken for those of a classic program, which are text.
//
// A packet of the file has a number (`seq`), the same however often it is sent; each datagram that the sender numbers
// has one of its own besides (`tx`), which tells what was lost and what an acknowledgement answers. Both are of 32 bits
// and wrap. Stamps are microseconds of their writer's clock, of 32 bits.

import { ProtocolError, protocolError } from './errors.ts';
import {
  type Accept,
  type Ack,
  type Data,
  END_CODES,
  type End,
  type GbnKind,
  type GbnMessage,
  KINDS,
  type Offer,
  type Probe,
  type Repair,
} from './gbn-messages.ts';
import {
  malformed,
  readFlag,
  readHex,
  readPosition,
  readText,
  readU16,
  readU32,
  writePosition,
  writeText,
  writeU16,
  writeU32,
} from './wire-gbn-fields.ts';

export type {
  Accept,
  Ack,
  Bye,
  Data,
  End,
  EndCode,
  GbnKind,
  GbnMessage,
  Offer,
  Probe,
  Repair,
  Wait,
} from './gbn-messages.ts';

const MAGIC = 0xfb;
export const ID_BYTES = 8;
const HEAD_BYTES = 2 + ID_BYTES;
/** Of a data packet; a repair packet has one more, its number. */
export const DATA_HEAD_BYTES = HEAD_BYTES + 12;
export const REPAIR_HEAD_BYTES = DATA_HEAD_BYTES + 1;
const ACK_BYTES = HEAD_BYTES + 31;
const WAIT_BYTES = HEAD_BYTES + 8;
const ACCEPT_BYTES = HEAD_BYTES + 32;
const SHA256_BYTES = 32;
const OFFER_FIXED_BYTES = HEAD_BYTES + 28 + SHA256_BYTES;
export const MAX_NAME_BYTES = 255;
export const MAX_VERSION_BYTES = 64;
export const MAX_TEXT_BYTES = 200;
/** A datagram with more is not sent, nor taken. */
export const MAX_PACKET_BYTES = 65_000;
const UNKNOWN_LACK = 255;
const WIRE_VERSION = 1;

// --- numbers ----------------------------------------------------------------------------------------------

/** How far `a` is ahead of `b`; both wrap. */
export function ahead(a: number, b: number): number {
  return (a - b) | 0;
}

export function stampOf(ms: number): number {
  return (ms * 1000) >>> 0;
}

// --- reading ----------------------------------------------------------------------------------------------

export function isGbn(bytes: Uint8Array): boolean {
  return bytes[0] === MAGIC && bytes.length >= HEAD_BYTES;
}

/** One of this transfer; others are not looked at. */
export function isOfTransfer(bytes: Uint8Array, id: Uint8Array): boolean {
  if (!isGbn(bytes)) return false;
  for (let at = 0; at < ID_BYTES; at++) if (bytes[at + 2] !== id[at]) return false;
  return true;
}

/** Undefined for what is not of this wire. */
export function transferIdOf(bytes: Uint8Array): Uint8Array | undefined {
  return isGbn(bytes) ? bytes.slice(2, HEAD_BYTES) : undefined;
}

/** Of one that is well formed. */
export function kindOf(bytes: Uint8Array): GbnKind {
  return KINDS[bytes[1] as number] as GbnKind;
}

/** A ProtocolError for what is no such datagram. What it holds of a file is a view. */
export function decodeGbn(bytes: Uint8Array): GbnMessage {
  if (!isGbn(bytes)) throw malformed('not of this wire');
  switch (KINDS[bytes[1] as number]) {
    case 'data':
      return readData(bytes);
    case 'ack':
      return readAck(bytes);
    case 'repair':
      return readRepair(bytes);
    case 'probe':
      needLength(bytes, DATA_HEAD_BYTES);
      return { kind: 'probe', seq: readU32(bytes, 10), tx: readU32(bytes, 14), stamp: readU32(bytes, 18) };
    case 'offer':
      return readOffer(bytes);
    case 'wait':
      needLength(bytes, WAIT_BYTES);
      return { kind: 'wait', stamp: readU32(bytes, 10), heldUs: readU32(bytes, 14) };
    case 'accept':
      return readAccept(bytes);
    case 'end':
      return readEnd(bytes);
    case 'bye':
      needLength(bytes, HEAD_BYTES);
      return { kind: 'bye' };
    default:
      throw malformed(`kind ${bytes[1]} is not known`);
  }
}

/** Undefined for what is no such datagram: it is not answered. */
export function readGbn(bytes: Uint8Array): GbnMessage | undefined {
  try {
    return decodeGbn(bytes);
  } catch (error) {
    protocolError(error);
    return undefined;
  }
}

function needLength(bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw malformed(`${bytes.length} bytes where ${length} were due`);
}

function needAtLeast(bytes: Uint8Array, length: number): void {
  if (bytes.length < length) throw malformed(`${bytes.length} bytes where ${length} or more were due`);
}

function needAtMost(bytes: Uint8Array, length: number): void {
  if (bytes.length > length) throw new ProtocolError('too-long', `${bytes.length} bytes`);
}

function readData(bytes: Uint8Array): Data {
  needAtLeast(bytes, DATA_HEAD_BYTES + 1);
  needAtMost(bytes, DATA_HEAD_BYTES + MAX_PACKET_BYTES);
  const data = bytes.subarray(DATA_HEAD_BYTES);
  return { kind: 'data', seq: readU32(bytes, 10), tx: readU32(bytes, 14), stamp: readU32(bytes, 18), bytes: data };
}

function readRepair(bytes: Uint8Array): Repair {
  needAtLeast(bytes, REPAIR_HEAD_BYTES + 1);
  needAtMost(bytes, REPAIR_HEAD_BYTES + MAX_PACKET_BYTES);
  return {
    kind: 'repair',
    seq: readU32(bytes, 10),
    tx: readU32(bytes, 14),
    stamp: readU32(bytes, 18),
    index: bytes[DATA_HEAD_BYTES] as number,
    bytes: bytes.subarray(REPAIR_HEAD_BYTES),
  };
}

function readAck(bytes: Uint8Array): Ack {
  needLength(bytes, ACK_BYTES);
  return {
    kind: 'ack',
    seq: readU32(bytes, 10),
    limit: readU32(bytes, 14),
    tx: readU32(bytes, 18),
    received: readU32(bytes, 22),
    stamp: readU32(bytes, 26),
    heldUs: readU32(bytes, 30),
    arrivedUs: readU32(bytes, 34),
    isGap: readFlag(bytes, 38),
    lacks: bytes[39] as number,
    nextLacks: bytes[40] as number,
  };
}

function readAccept(bytes: Uint8Array): Accept {
  needLength(bytes, ACCEPT_BYTES);
  const packetBytes = readU16(bytes, 18);
  if (packetBytes === 0 || packetBytes > MAX_PACKET_BYTES) throw malformed(`packets of ${packetBytes} bytes`);
  return {
    kind: 'accept',
    offset: readPosition(bytes, 10),
    packetBytes,
    limit: readU32(bytes, 20),
    stamp: readU32(bytes, 24),
    heldUs: readU32(bytes, 28),
    trainUs: readU32(bytes, 32),
    trainPackets: readU32(bytes, 36),
    trainArrived: readU16(bytes, 40),
  };
}

function readOffer(bytes: Uint8Array): Offer {
  needAtLeast(bytes, OFFER_FIXED_BYTES + 2);
  needAtMost(bytes, DATA_HEAD_BYTES + MAX_PACKET_BYTES);
  if (bytes[10] !== WIRE_VERSION) throw malformed(`wire version ${bytes[10]}`);
  const packetBytes = readU16(bytes, 22);
  const leastBytes = readU16(bytes, 24);
  if (packetBytes > MAX_PACKET_BYTES || leastBytes === 0 || leastBytes > packetBytes) {
    throw malformed(`packets of ${leastBytes} to ${packetBytes} bytes`);
  }
  const nameAt = OFFER_FIXED_BYTES;
  const name = readText(bytes, nameAt, MAX_NAME_BYTES);
  const version = readText(bytes, nameAt + 1 + (bytes[nameAt] as number), MAX_VERSION_BYTES);
  if (name.length === 0) throw malformed('no name');
  return {
    kind: 'offer',
    stamp: readU32(bytes, 11),
    index: bytes[15] as number,
    count: bytes[16] as number,
    blockPackets: bytes[17] as number,
    firstSeq: readU32(bytes, 18),
    packetBytes,
    leastBytes,
    window: readU32(bytes, 26),
    size: readPosition(bytes, 30),
    sha256: readHex(bytes, 38, SHA256_BYTES),
    name,
    version,
    roomBytes: bytes.length - DATA_HEAD_BYTES,
  };
}

function readEnd(bytes: Uint8Array): End {
  needAtLeast(bytes, HEAD_BYTES + 2);
  const code = END_CODES[bytes[10] as number];
  if (code === undefined) throw malformed(`end ${bytes[10]} is not known`);
  const text = readText(bytes, 11, MAX_TEXT_BYTES);
  needLength(bytes, HEAD_BYTES + 2 + (bytes[11] as number));
  return { kind: 'end', code, text };
}

const encoder = new TextEncoder();

// --- writing ----------------------------------------------------------------------------------------------

/** Datagrams are cut from slabs: an array of its own for each takes several times as long to make. */
const SLAB_BYTES = 65_536;
let slab = new Uint8Array(0);
let slabUsed = 0;

function allocate(length: number): Uint8Array {
  if (length > SLAB_BYTES / 8) return new Uint8Array(length);
  if (slabUsed + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  const bytes = slab.subarray(slabUsed, slabUsed + length);
  slabUsed += length;
  return bytes;
}

function startDatagram(kind: GbnKind, id: Uint8Array, length: number): Uint8Array {
  const bytes = allocate(length);
  bytes[0] = MAGIC;
  bytes[1] = KINDS.indexOf(kind);
  for (let at = 0; at < ID_BYTES; at++) bytes[at + 2] = id[at] as number;
  return bytes;
}

function startNumbered(kind: GbnKind, id: Uint8Array, length: number, message: Data | Repair | Probe): Uint8Array {
  const bytes = startDatagram(kind, id, length);
  writeU32(bytes, 10, message.seq);
  writeU32(bytes, 14, message.tx);
  writeU32(bytes, 18, message.stamp);
  return bytes;
}

/** A RangeError for what does not fit: it is ours to see to. */
export function encodeGbn(id: Uint8Array, message: GbnMessage): Uint8Array {
  switch (message.kind) {
    case 'data': {
      const bytes = startNumbered('data', id, DATA_HEAD_BYTES + message.bytes.length, message);
      bytes.set(message.bytes, DATA_HEAD_BYTES);
      return bytes;
    }
    case 'repair': {
      const bytes = startNumbered('repair', id, REPAIR_HEAD_BYTES + message.bytes.length, message);
      bytes[DATA_HEAD_BYTES] = message.index;
      bytes.set(message.bytes, REPAIR_HEAD_BYTES);
      return bytes;
    }
    case 'probe':
      return startNumbered('probe', id, DATA_HEAD_BYTES, message);
    case 'ack':
      return writeAck(id, message);
    case 'offer':
      return writeOffer(id, message);
    case 'wait': {
      const bytes = startDatagram('wait', id, WAIT_BYTES);
      writeU32(bytes, 10, message.stamp);
      writeU32(bytes, 14, message.heldUs);
      return bytes;
    }
    case 'accept':
      return writeAccept(id, message);
    case 'end':
      return writeEnd(id, message);
    case 'bye':
      return startDatagram('bye', id, HEAD_BYTES);
  }
}

function writeAck(id: Uint8Array, ack: Ack): Uint8Array {
  const bytes = startDatagram('ack', id, ACK_BYTES);
  writeU32(bytes, 10, ack.seq);
  writeU32(bytes, 14, ack.limit);
  writeU32(bytes, 18, ack.tx);
  writeU32(bytes, 22, ack.received);
  writeU32(bytes, 26, ack.stamp);
  writeU32(bytes, 30, ack.heldUs);
  writeU32(bytes, 34, ack.arrivedUs);
  bytes[38] = ack.isGap ? 1 : 0;
  bytes[39] = Math.min(ack.lacks, UNKNOWN_LACK);
  bytes[40] = Math.min(ack.nextLacks, UNKNOWN_LACK);
  return bytes;
}

function writeAccept(id: Uint8Array, accept: Accept): Uint8Array {
  const bytes = startDatagram('accept', id, ACCEPT_BYTES);
  writePosition(bytes, 10, accept.offset);
  writeU16(bytes, 18, accept.packetBytes);
  writeU32(bytes, 20, accept.limit);
  writeU32(bytes, 24, accept.stamp);
  writeU32(bytes, 28, accept.heldUs);
  writeU32(bytes, 32, accept.trainUs);
  writeU32(bytes, 36, accept.trainPackets);
  writeU16(bytes, 40, accept.trainArrived);
  return bytes;
}

function writeOffer(id: Uint8Array, offer: Offer): Uint8Array {
  const name = encoder.encode(offer.name);
  const version = encoder.encode(offer.version);
  if (name.length === 0 || name.length > MAX_NAME_BYTES) throw new RangeError(`a name of ${name.length} bytes`);
  if (version.length > MAX_VERSION_BYTES) throw new RangeError(`a version of ${version.length} bytes`);
  const least = OFFER_FIXED_BYTES + 2 + name.length + version.length;
  const bytes = startDatagram('offer', id, Math.max(least, offer.roomBytes + DATA_HEAD_BYTES));
  bytes[10] = WIRE_VERSION;
  writeU32(bytes, 11, offer.stamp);
  bytes[15] = offer.index;
  bytes[16] = offer.count;
  bytes[17] = offer.blockPackets;
  writeU32(bytes, 18, offer.firstSeq);
  writeU16(bytes, 22, offer.packetBytes);
  writeU16(bytes, 24, offer.leastBytes);
  writeU32(bytes, 26, offer.window);
  writePosition(bytes, 30, offer.size);
  for (let at = 0; at < SHA256_BYTES; at++) {
    bytes[38 + at] = Number.parseInt(offer.sha256.slice(2 * at, 2 * at + 2), 16);
  }
  writeText(bytes, OFFER_FIXED_BYTES, name);
  writeText(bytes, OFFER_FIXED_BYTES + 1 + name.length, version);
  return bytes;
}

function writeEnd(id: Uint8Array, end: End): Uint8Array {
  const text = encoder.encode(end.text);
  if (text.length > MAX_TEXT_BYTES) throw new RangeError(`a text of ${text.length} bytes`);
  const bytes = startDatagram('end', id, HEAD_BYTES + 2 + text.length);
  bytes[10] = END_CODES.indexOf(end.code);
  writeText(bytes, 11, text);
  return bytes;
}
