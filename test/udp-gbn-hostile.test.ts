// Go-Back-N machines and a peer, or somebody on the way, who does not keep to the wire: nothing is believed that can't
// be true, nothing grows, and what ends ends with a reason.

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GbnReceiver, GbnSender } from '../src/udp-gbn.ts';
import { type Ack, decodeGbn, encodeGbn, type GbnMessage, type Offer } from '../src/wire-gbn.ts';

const ID = Uint8Array.from([9, 8, 7, 6, 5, 4, 3, 2]);
const SHA256 = '5a'.repeat(32);
const FIRST = 1000;
const SIZE = 2_000_000;

const OFFER: Offer = {
  kind: 'offer',
  firstSeq: FIRST,
  index: 0,
  count: 1,
  packetBytes: 1000,
  leastBytes: 1000,
  blockPackets: 0,
  window: 32,
  size: SIZE,
  sha256: SHA256,
  name: 'a.bin',
  version: 'v1',
  stamp: 0,
  roomBytes: 0,
};
const BLOCKS: Offer = { ...OFFER, blockPackets: 100, window: 0 };

function drain(machine: { take(): Uint8Array | undefined }): GbnMessage[] {
  const messages: GbnMessage[] = [];
  for (let bytes = machine.take(); bytes; bytes = machine.take()) messages.push(decodeGbn(bytes));
  return messages;
}

/** A receiver that has been offered a file and wants it from the beginning. */
function openReceiver(offer: Offer, roomBytes = 500_000): GbnReceiver {
  const receiver = new GbnReceiver({ transferId: ID, roomBytes });
  receiver.tick(0);
  receiver.input(encodeGbn(ID, offer), 0);
  receiver.accept(0, 0);
  receiver.tick(10);
  drain(receiver);
  assert.is(receiver.state, 'receiving');
  return receiver;
}

function data(index: number, tx: number, length = 1000): Uint8Array {
  return encodeGbn(ID, { kind: 'data', seq: FIRST + index, tx, stamp: tx, bytes: new Uint8Array(length).fill(index) });
}

/** A sender that has been accepted, and has sent what it may. */
function openSender(window: number | 'auto'): { sender: GbnSender; sent: GbnMessage[]; firstSeq: number } {
  const sender = new GbnSender({
    transferId: ID,
    name: 'a.bin',
    size: SIZE,
    sha256: SHA256,
    version: 'v1',
    packetBytes: 1000,
    window,
    random: () => 0.25,
  });
  sender.tick(0);
  const [offer] = drain(sender) as [Offer];
  sender.input(encodeGbn(ID, acceptOf(offer.firstSeq)), 10);
  const sent = run(sender, 10, 60);
  return { sender, sent, firstSeq: offer.firstSeq };
}

function acceptOf(firstSeq: number): GbnMessage {
  const limit = (firstSeq + 2000) >>> 0;
  const train = { trainUs: 0, trainPackets: 0, trainArrived: 0 };
  return { kind: 'accept', offset: 0, packetBytes: 1000, limit, stamp: 0, heldUs: 0, ...train };
}

/** What goes out meanwhile; the file is all zeros. */
function run(sender: GbnSender, from: number, to: number): GbnMessage[] {
  const sent: GbnMessage[] = [];
  for (let now = from; now <= to; now += 0.5) {
    sender.tick(now);
    for (let want = sender.wants; want; want = sender.wants) sender.supply(want.position, new Uint8Array(want.bytes));
    sent.push(...drain(sender));
  }
  return sent;
}

function ackOf(firstSeq: number, fields: Partial<Ack>): Uint8Array {
  const seq = firstSeq;
  const base = { limit: seq + 2000, tx: firstSeq, received: 1, stamp: 0, heldUs: 0, arrivedUs: 0 };
  return encodeGbn(ID, { kind: 'ack', seq, ...base, isGap: false, lacks: 255, nextLacks: 255, ...fields });
}

// --- the receiver -----------------------------------------------------------------------------------------

const receiving = suite('udp-gbn: a receiver and a hostile sender');

receiving('of another transfer nothing is heard', () => {
  const receiver = openReceiver(OFFER);
  const bytes = data(0, 1);
  bytes[5] = 77;
  receiver.input(bytes, 11);
  assert.equal([receiver.stats.packets, receiver.stats.invalid], [0, 0]);
});

for (const [kind, offer] of [
  ['plain', OFFER],
  ['blocks', BLOCKS],
] as const) {
  receiving(`${kind}: packets of a length that can't be are not taken`, () => {
    const receiver = openReceiver(offer);
    for (const length of [1, 999, 1001, 60_000]) receiver.input(data(0, length, length), 11);
    assert.equal([receiver.stats.packets, receiver.stats.invalid], [0, 4]);
    assert.is(receiver.read(), undefined);
  });

  receiving(`${kind}: packets that the file does not have, or that there is no room for, are not taken`, () => {
    const receiver = openReceiver(offer);
    for (const index of [-1, -1000, 500, 1999, 2000, 2001, 1_000_000, 2 ** 31]) {
      receiver.input(data(((index % 2 ** 32) + 2 ** 32) % 2 ** 32, 5 + (index & 0xff)), 11);
    }
    assert.equal([receiver.stats.packets, receiver.stats.invalid], [0, 8]);
  });

  receiving(`${kind}: one datagram a million times is one`, () => {
    const receiver = openReceiver(offer);
    const bytes = data(0, 1);
    let answers = 0;
    for (let round = 0; round < 100_000; round++) {
      receiver.input(bytes, 11 + round / 1000);
      answers += drain(receiver).length;
    }
    assert.equal([receiver.stats.packets, receiver.stats.duplicates], [1, 99_999]);
    assert.ok(answers <= 1, `${answers} answers`);
  });

  receiving(`${kind}: another file under the same offer ends it, and both hear why`, () => {
    for (const other of [{ size: 5 }, { sha256: '00'.repeat(32) }, { version: 'v2' }, { firstSeq: 4 }]) {
      const receiver = openReceiver(offer);
      receiver.input(encodeGbn(ID, { ...offer, ...other }), 20);
      assert.is(receiver.state, 'failed');
      assert.is(receiver.end?.code, 'changed');
      assert.ok(drain(receiver).every((message) => message.kind === 'end' && message.code === 'changed'));
    }
  });

  receiving(`${kind}: who is never read from keeps no more than there is room for`, () => {
    const receiver = openReceiver(offer, 300_000);
    for (let index = 0, tx = 0; index < 2000; index++) receiver.input(data(index, tx++), 12 + index / 10);
    assert.is(receiver.stats.bytes, 300_000);
    let bytes = 0;
    for (let piece = receiver.read(); piece; piece = receiver.read()) bytes += piece.bytes.length;
    assert.ok(bytes <= 300_000);
  });
}

receiving('an offer that can not be taken is answered with a reason', () => {
  for (const offer of [
    { ...OFFER, window: 0 },
    { ...BLOCKS, blockPackets: 201 },
    { ...BLOCKS, blockPackets: 200, packetBytes: 60_000 },
  ]) {
    const receiver = new GbnReceiver({ transferId: ID });
    receiver.tick(0);
    receiver.input(encodeGbn(ID, offer), 0);
    assert.is(receiver.end?.code, 'invalid');
    assert.ok(drain(receiver).some((message) => message.kind === 'end'));
  }
});

receiving('an offer is answered once for each time it comes, and with no more bytes', () => {
  const receiver = new GbnReceiver({ transferId: ID });
  receiver.tick(0);
  const bytes = encodeGbn(ID, OFFER);
  for (let now = 0; now < 1000; now++) {
    receiver.input(bytes, now);
    let answer = 0;
    for (let out = receiver.take(); out; out = receiver.take()) answer += out.length;
    assert.ok(answer <= bytes.length);
  }
});

receiving('whatever comes: no bug, nothing out of order, no more answers than questions', () => {
  const number = fc.oneof(fc.integer({ min: FIRST - 5, max: FIRST + 400 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
  const bytes = fc.oneof(fc.constant(new Uint8Array(1000)), fc.uint8Array({ minLength: 1, maxLength: 30 }));
  const numbered = { seq: number, tx: number, stamp: number };
  const message: fc.Arbitrary<GbnMessage> = fc.oneof(
    fc.record({ kind: fc.constant('data' as const), ...numbered, bytes }),
    fc.record({ kind: fc.constant('repair' as const), ...numbered, index: fc.nat(255), bytes }),
    fc.record({ kind: fc.constant('probe' as const), ...numbered }),
    fc.constant(OFFER),
    fc.constant({ kind: 'bye' as const }),
  );
  fc.assert(
    fc.property(fc.constantFrom(OFFER, BLOCKS), fc.array(message, { maxLength: 200 }), (offer, messages) => {
      const receiver = openReceiver(offer);
      let position = 0;
      for (const [at, one] of messages.entries()) {
        receiver.input(encodeGbn(ID, one), 10 + at);
        receiver.tick(10 + at);
        assert.ok(drain(receiver).length <= 4);
        for (let piece = receiver.read(); piece; piece = receiver.read()) {
          assert.is(piece.position, position);
          position += piece.bytes.length;
        }
      }
    }),
    { numRuns: 400 },
  );
});
receiving.run();

// --- the sender -------------------------------------------------------------------------------------------

const sending = suite('udp-gbn: a sender and a hostile receiver');

for (const window of [20, 'auto'] as const) {
  const name = `window ${window}`;
  const lies: ReadonlyArray<readonly [string, (firstSeq: number, sent: number) => Partial<Ack>]> = [
    ['of more than was sent', (firstSeq) => ({ seq: firstSeq + 1500 })],
    ['of the whole file', (firstSeq) => ({ seq: firstSeq + 2000 })],
    ['from before the file', (firstSeq) => ({ seq: firstSeq - 1 })],
    ['of a datagram that was not sent', (firstSeq, sent) => ({ tx: firstSeq + sent })],
    ['of more datagrams than were sent', (_, sent) => ({ received: sent + 1 })],
  ];
  for (const [what, lie] of lies) {
    sending(`${name}: an acknowledgement ${what} is not believed`, () => {
      const { sender, firstSeq } = openSender(window);
      const { packets } = sender.stats;
      sender.input(ackOf(firstSeq, lie(firstSeq, packets)), 70);
      assert.equal([sender.stats.invalid, sender.stats.bytes, sender.stats.packets], [1, 0, packets]);
      assert.is(sender.state, 'sending');
    });
  }

  sending(`${name}: a receiver that has it all too soon ends it`, () => {
    const { sender } = openSender(window);
    sender.input(encodeGbn(ID, { kind: 'end', code: 'done', text: '' }), 70);
    assert.is(sender.end?.code, 'invalid');
  });

  sending(`${name}: one acknowledgement of a gap, for ever, makes it go back once`, () => {
    const { sender, firstSeq } = openSender(window);
    const gap = ackOf(firstSeq, { isGap: true, tx: firstSeq + 5, received: 5, lacks: 100 });
    for (let now = 70; now < 80; now += 0.01) sender.input(gap, now);
    assert.ok(sender.stats.fastGoBacks <= 1, `${sender.stats.fastGoBacks}`);
    assert.ok(drain(sender).length < 200);
  });

  sending(`${name}: an offset or a packet size that was not offered is not taken`, () => {
    const transfer = { transferId: ID, name: 'a', size: SIZE, sha256: SHA256, version: '' };
    const sender = new GbnSender({ ...transfer, packetBytes: 1000, window, random: () => 0 });
    sender.tick(0);
    drain(sender);
    const accept = acceptOf(0) as GbnMessage & { kind: 'accept' };
    for (const lie of [{ offset: SIZE + 1 }, { packetBytes: 999 }, { packetBytes: 1001 }]) {
      sender.input(encodeGbn(ID, { ...accept, ...lie }), 10);
    }
    assert.equal([sender.state, sender.stats.invalid], ['offering', 3]);
  });

  sending(`${name}: whatever comes: no bug, and no more is held than the window and a little`, () => {
    const { firstSeq } = openSender(window);
    const near = fc.integer({ min: firstSeq - 3, max: firstSeq + 300 });
    const number = fc.oneof(near, fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    const message: fc.Arbitrary<GbnMessage> = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('ack' as const),
          seq: near,
          limit: number,
          tx: near,
          received: fc.oneof(fc.nat(300), number),
          stamp: number,
          heldUs: number,
          arrivedUs: number,
          isGap: fc.boolean(),
          lacks: fc.nat(255),
          nextLacks: fc.nat(255),
        }),
      },
      { weight: 1, arbitrary: fc.constant(acceptOf(firstSeq)) },
      { weight: 1, arbitrary: fc.constant({ kind: 'wait' as const, stamp: 0, heldUs: 0 }) },
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
        const opened = openSender(window);
        let supplied = 0;
        for (const [at, one] of messages.entries()) {
          opened.sender.input(encodeGbn(ID, one), 70 + at);
          const want = opened.sender.wants;
          if (want) supplied = Math.max(supplied, want.position + want.bytes);
          run(opened.sender, 70 + at, 71 + at);
        }
        assert.ok(supplied - opened.sender.stats.bytes <= (window === 'auto' ? SIZE : 900_000));
        assert.not(opened.sender.state === 'done');
      }),
      { numRuns: 60 },
    );
  });
}

sending('plain: a gap in each answer costs no more than a window for each of them', () => {
  const { sender, firstSeq } = openSender(20);
  let sent = 0;
  for (let round = 0; round < 50; round++) {
    const tx = firstSeq + sender.stats.packets - 1;
    sender.input(ackOf(firstSeq, { isGap: true, tx, received: 1 }), 70 + round * 20);
    sent = run(sender, 70 + round * 20, 89 + round * 20).length;
    assert.ok(sent <= 22, `${sent} in round ${round}`);
  }
});
sending.run();
