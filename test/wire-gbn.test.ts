// The bytes of the sound Go-Back-N wire, as docs/udp-gbn.md has them.

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProtocolError } from '../src/errors.ts';
import {
  ahead,
  decodeGbn,
  encodeGbn,
  type GbnMessage,
  isGbn,
  isOfTransfer,
  readGbn,
  transferIdOf,
} from '../src/wire-gbn.ts';
import { fitText } from '../src/wire-gbn-fields.ts';

const ID = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
const ID_HEX = '0102030405060708';
const SHA256 = 'ab'.repeat(32);

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

const OFFER: GbnMessage = {
  kind: 'offer',
  firstSeq: 0xfffffffe,
  index: 3,
  count: 32,
  packetBytes: 1400,
  leastBytes: 1200,
  blockPackets: 120,
  window: 0,
  size: 5_000_000_000,
  sha256: SHA256,
  name: 'ä.mp3',
  version: 'v1',
  stamp: 7,
  roomBytes: 57,
};

const rows: ReadonlyArray<readonly [string, GbnMessage, string]> = [
  [
    'an offer',
    OFFER,
    `fb00${ID_HEX}0100000007032078fffffffe057804b000000000000000012a05f200${SHA256}06c3a42e6d7033027631`,
  ],
  ['a wait', { kind: 'wait', stamp: 1, heldUs: 2 }, `fb01${ID_HEX}0000000100000002`],
  [
    'an acceptance',
    {
      kind: 'accept',
      offset: 2 ** 32 + 1,
      packetBytes: 1400,
      limit: 9,
      stamp: 1,
      heldUs: 2,
      trainUs: 3720,
      trainPackets: 31,
      trainArrived: 32,
    },
    `fb02${ID_HEX}0000000100000001057800000009000000010000000200000e880000001f0020`,
  ],
  [
    'data',
    { kind: 'data', seq: 0xffffffff, tx: 1, stamp: 2, bytes: fromHex('00ff') },
    `fb03${ID_HEX}ffffffff000000010000000200ff`,
  ],
  [
    'a repair packet',
    { kind: 'repair', seq: 120, tx: 1, stamp: 2, index: 54, bytes: fromHex('aa') },
    `fb04${ID_HEX}00000078000000010000000236aa`,
  ],
  ['a probe', { kind: 'probe', seq: 1, tx: 2, stamp: 3 }, `fb05${ID_HEX}000000010000000200000003`],
  [
    'an acknowledgement',
    {
      kind: 'ack',
      seq: 1,
      limit: 2,
      tx: 3,
      received: 4,
      stamp: 5,
      heldUs: 6,
      arrivedUs: 7,
      isGap: true,
      lacks: 8,
      nextLacks: 255,
    },
    `fb06${ID_HEX}000000010000000200000003000000040000000500000006000000070108ff`,
  ],
  ['an end', { kind: 'end', code: 'refused', text: 'no €' }, `fb07${ID_HEX}01066e6f20e282ac`],
  ['an answer to an end', { kind: 'bye' }, `fb08${ID_HEX}`],
];

const wire = suite('wire-gbn');

for (const [name, message, bytes] of rows) {
  wire(`${name}: written, read, and read again`, () => {
    const written = encodeGbn(ID, message);
    if (message.kind === 'offer') assert.is(hex(written), bytes);
    else assert.is(hex(written), bytes);
    const read = decodeGbn(written);
    if (message.kind !== 'offer') assert.equal(read, message);
    else assert.equal({ ...read, roomBytes: 57 }, message);
    assert.equal(transferIdOf(written), ID);
  });

  wire(`${name}: one that is cut is none, and nothing but a ProtocolError comes of it`, () => {
    const written = encodeGbn(ID, message);
    const least = message.kind === 'data' ? 22 : message.kind === 'repair' ? 23 : written.length - 1;
    const whole = message.kind === 'offer' ? 10 : least;
    for (let length = 0; length <= whole; length++) {
      assert.throws(() => decodeGbn(written.subarray(0, length)), isProtocolError);
      assert.is(readGbn(written.subarray(0, length)), undefined);
    }
  });
}

function isProtocolError(error: unknown): boolean {
  return error instanceof ProtocolError;
}

wire('an offer is as long as the packets that it stands for, if it says less', () => {
  const long = encodeGbn(ID, { ...(OFFER as GbnMessage & { kind: 'offer' }), roomBytes: 1400 });
  assert.is(long.length, 1422);
  const read = decodeGbn(long);
  assert.is(read.kind === 'offer' && read.roomBytes, 1400);
});

wire('a datagram of another transfer, or of a classic program, is told at once', () => {
  const bye = encodeGbn(ID, { kind: 'bye' });
  assert.ok(isOfTransfer(bye, ID));
  for (let at = 0; at < 8; at++) {
    const other = ID.slice();
    other[at] = 99;
    assert.not.ok(isOfTransfer(bye, other));
  }
  for (const text of ['', '0|ACK', 'OK| Sending file', 'EOF', '12|*)data', '@bob|ERROR', 'ûûûûûûûûûûûûû']) {
    assert.not.ok(isGbn(new TextEncoder().encode(text)), text);
  }
});

const refused: ReadonlyArray<readonly [string, string]> = [
  ['a kind that is not known', `fb09${ID_HEX}`],
  ['another wire version', hex(encodeGbn(ID, OFFER)).replace(/^(.{20})01/, '$102')],
  ['packets of no bytes', hex(encodeGbn(ID, OFFER)).replace('057804b0', '00000000')],
  ['more at least than at most', hex(encodeGbn(ID, OFFER)).replace('057804b0', '04b00578')],
  ['a size that no file has', hex(encodeGbn(ID, OFFER)).replace('000000012a05f200', 'ffffffffffffffff')],
  ['a name that is not UTF-8', hex(encodeGbn(ID, OFFER)).replace('c3a42e', 'ffff2e')],
  ['no name', hex(encodeGbn(ID, OFFER)).replace('06c3a4', '00c3a4')],
  ['a name that is longer than its datagram', hex(encodeGbn(ID, OFFER)).replace('06c3a4', 'fec3a4')],
  ['an end that is not known', `fb07${ID_HEX}ff00`],
  ['an end with more behind it', `fb07${ID_HEX}000000`],
  ['a flag that is none', `fb06${ID_HEX}000000010000000200000003000000040000000500000006000000070208ff`],
  ['an acceptance of packets of no bytes', `fb02${ID_HEX}${'00'.repeat(32)}`],
];

for (const [name, bytes] of refused) {
  wire(`${name} is refused`, () => {
    assert.throws(() => decodeGbn(fromHex(bytes)), isProtocolError);
  });
}

wire('whatever comes is a message or a ProtocolError', () => {
  const kinds = fc.integer({ min: 0, max: 12 });
  const any = fc.tuple(kinds, fc.uint8Array({ maxLength: 120 })).map(([kind, rest]) => {
    return Uint8Array.from([0xfb, kind, ...ID, ...rest]);
  });
  fc.assert(
    fc.property(any, (bytes) => {
      const message = readGbn(bytes);
      if (message === undefined || message.kind === 'offer') return;
      assert.equal(decodeGbn(encodeGbn(ID, message)), message);
    }),
    { numRuns: 5000 },
  );
});

wire('numbers are compared by how far they are apart', () => {
  assert.is(ahead(1, 0xffffffff), 2);
  assert.is(ahead(0xffffffff, 1), -2);
  assert.is(ahead(5, 5), 0);
});

wire('a text is cut between characters', () => {
  assert.is(fitText('€€€', 8), '€€');
  assert.is(fitText('abc', 8), 'abc');
  assert.is(fitText('a\ud800', 8), 'a\ufffd');
});
wire.run();
