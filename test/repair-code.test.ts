import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_DATA, MAX_REPAIRS, RepairDecoder, RepairEncoder } from '../src/repair-code.ts';

/** The field by its definition: polynomials over GF(2), modulo x^8+x^4+x^3+x^2+1. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ (product & 0x80 ? 0x11d : 0);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

function inverse(value: number): number {
  for (let other = 1; other < 256; other++) if (multiply(value, other) === 1) return other;
  throw new RangeError(`${value} has no inverse`);
}

/** A repair packet by the definition of the code. */
function repairOf(packets: readonly Uint8Array[], packetBytes: number, repair: number): Uint8Array {
  const sum = new Uint8Array(packetBytes);
  for (const [index, packet] of packets.entries()) {
    const by = inverse((200 + repair) ^ index);
    for (const [at, byte] of packet.entries()) sum[at] = (sum[at] as number) ^ multiply(by, byte);
  }
  return sum;
}

/** Bytes that look random, the same for the same seed. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed + 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return state >>> 16;
  });
}

function blockOf(count: number, packetBytes: number, seed: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => noise(packetBytes, seed + 1000 * index));
}

function encoderOf(packets: readonly Uint8Array[], repairs: number, packetBytes: number): RepairEncoder {
  const encoder = new RepairEncoder(repairs, packetBytes);
  for (const [index, packet] of packets.entries()) encoder.add(index, packet);
  return encoder;
}

function padded(packet: Uint8Array, packetBytes: number): Uint8Array {
  const whole = new Uint8Array(packetBytes);
  whole.set(packet);
  return whole;
}

const encoder = suite('repair code: encoder');

encoder('knows the first products by heart', () => {
  const one = encoderOf([Uint8Array.of(1), Uint8Array.of(0)], 2, 1);
  // 1/200 and 1/201 in this field
  assert.equal([...one.repair(0), ...one.repair(1)], [inverse(200), inverse(201)]);
  assert.equal(multiply(200, one.repair(0)[0] as number), 1);
});

encoder('gives what the definition says', () => {
  const whole = fc.record({
    count: fc.integer({ min: 1, max: 30 }),
    repairs: fc.integer({ min: 1, max: 12 }),
    packetBytes: fc.integer({ min: 1, max: 20 }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(whole, ({ count, repairs, packetBytes, seed }) => {
      const packets = blockOf(count, packetBytes, seed);
      const made = encoderOf(packets, repairs, packetBytes);
      for (let repair = 0; repair < repairs; repair++) {
        assert.equal(made.repair(repair), repairOf(packets, packetBytes, repair));
      }
    }),
    { numRuns: 60 },
  );
});

encoder('gives what the definition says at the largest indexes', () => {
  const packets = blockOf(MAX_DATA, 3, 7);
  const made = encoderOf(packets, MAX_REPAIRS, 3);
  for (const repair of [0, 51, 54]) assert.equal(made.repair(repair), repairOf(packets, 3, repair));
});

encoder('pads short packets with zeros, in any order, and can be asked in between', () => {
  const packets = [noise(9, 1), noise(4, 2), noise(0, 3), noise(9, 4), noise(7, 5)];
  const made = new RepairEncoder(5, 9);
  for (const index of [3, 1]) made.add(index, packets[index] as Uint8Array);
  made.repair(4);
  for (const index of [4, 0, 2]) made.add(index, packets[index] as Uint8Array);
  for (let repair = 0; repair < 5; repair++) assert.equal(made.repair(repair), repairOf(packets, 9, repair));
});

encoder('copies what it keeps, and gives away copies', () => {
  const packet = noise(8, 1);
  const made = encoderOf([packet], 1, 8);
  const expected = repairOf([packet], 8, 0);
  packet.fill(0xee);
  const first = made.repair(0);
  assert.equal(first, expected);
  first.fill(0xee);
  assert.equal(made.repair(0), expected);
});

encoder('may have nothing to do', () => {
  const made = encoderOf(blockOf(10, 5, 1), 0, 5);
  assert.throws(() => made.repair(0), RangeError);
});

const MISUSES: Array<[string, () => void]> = [
  ['too many repair packets', () => new RepairEncoder(MAX_REPAIRS + 1, 10)],
  ['less than none', () => new RepairEncoder(-1, 10)],
  ['half a repair packet', () => new RepairEncoder(1.5, 10)],
  ['empty packets', () => new RepairEncoder(1, 0)],
  ['a packet that is too long', () => new RepairEncoder(1, 10).add(0, new Uint8Array(11))],
  ['an index above the last', () => new RepairEncoder(1, 10).add(MAX_DATA, new Uint8Array(10))],
  ['an index below the first', () => new RepairEncoder(1, 10).add(-1, new Uint8Array(10))],
  ['a packet added twice', () => encoderOf([noise(1, 1)], 1, 1).add(0, noise(1, 1))],
  ['a repair packet that there is not', () => new RepairEncoder(3, 10).repair(3)],
  ['a block without packets', () => new RepairDecoder(0, 10)],
  ['too large a block', () => new RepairDecoder(MAX_DATA + 1, 10)],
  ['a block of empty packets', () => new RepairDecoder(10, 0)],
  ['data beyond the block', () => new RepairDecoder(10, 10).addData(10, new Uint8Array(10))],
  ['data that is too long', () => new RepairDecoder(10, 10).addData(0, new Uint8Array(11))],
  ['a repair packet that is too short', () => new RepairDecoder(10, 10).addRepair(0, new Uint8Array(9))],
  ['a repair packet beyond the last', () => new RepairDecoder(10, 10).addRepair(MAX_REPAIRS, new Uint8Array(10))],
  ['not a number', () => new RepairDecoder(10, 10).addRepair(Number.NaN, new Uint8Array(10))],
  ['solving too early', () => new RepairDecoder(1, 10).solve()],
  ['a packet that is missing', () => new RepairDecoder(1, 10).data(0)],
  ['asking beyond the block', () => new RepairDecoder(1, 10).has(1)],
];
for (const [name, misuse] of MISUSES) encoder(`refuses ${name}`, () => assert.throws(misuse, RangeError));
encoder.run();

const decoder = suite('repair code: decoder');

/** Which packets arrive: as many as there are data packets, or some more. */
const erasures = fc
  .record({
    count: fc.integer({ min: 1, max: MAX_DATA }),
    repairs: fc.integer({ min: 0, max: MAX_REPAIRS }),
    packetBytes: fc.integer({ min: 1, max: 12 }),
    seed: fc.nat(),
  })
  .chain((block) => {
    const all = Array.from({ length: block.count + block.repairs }, (_, index) => index);
    const arrived = fc.shuffledSubarray(all, { minLength: block.count });
    return fc.record({ block: fc.constant(block), arrived });
  });

decoder('needs any so many packets as there are data packets, and no more', () => {
  fc.assert(
    fc.property(erasures, ({ block: { count, repairs, packetBytes, seed }, arrived }) => {
      const packets = blockOf(count, packetBytes, seed);
      const made = encoderOf(packets, repairs, packetBytes);
      const solved = new RepairDecoder(count, packetBytes);
      for (const [place, index] of arrived.entries()) {
        assert.is(solved.isSolvable, place >= count);
        if (index < count) solved.addData(index, packets[index] as Uint8Array);
        else solved.addRepair(index - count, made.repair(index - count));
      }
      assert.ok(solved.isSolvable);
      solved.solve();
      assert.is(solved.missing, 0);
      for (const [index, packet] of packets.entries()) assert.equal(solved.data(index), packet);
    }),
    { numRuns: 150 },
  );
});

decoder('gives short packets back with their zeros', () => {
  const packets = [noise(10, 1), noise(10, 2), noise(3, 3)];
  const made = encoderOf(packets, 2, 10);
  const solved = new RepairDecoder(3, 10);
  solved.addData(0, packets[0] as Uint8Array);
  for (const repair of [1, 0]) solved.addRepair(repair, made.repair(repair));
  solved.solve();
  assert.equal([solved.data(1), solved.data(2)], [packets[1], padded(packets[2] as Uint8Array, 10)]);
});

decoder('counts what comes twice once, and keeps what came first', () => {
  const packets = blockOf(3, 4, 1);
  const made = encoderOf(packets, 3, 4);
  const solved = new RepairDecoder(3, 4);
  for (let times = 0; times < 3; times++) {
    solved.addData(1, packets[1] as Uint8Array);
    solved.addRepair(2, made.repair(2));
  }
  assert.equal([solved.missing, solved.isSolvable], [2, false]);
  solved.addData(1, noise(4, 99));
  solved.addRepair(2, noise(4, 99));
  solved.addRepair(0, made.repair(0));
  assert.equal([solved.missing, solved.isSolvable], [2, true]);
  solved.solve();
  for (const [index, packet] of packets.entries()) assert.equal(solved.data(index), packet);
});

decoder('says what it has', () => {
  const solved = new RepairDecoder(2, 4);
  assert.equal([solved.has(0), solved.has(1), solved.missing, solved.isSolvable], [false, false, 2, false]);
  solved.addData(1, noise(4, 1));
  assert.equal([solved.has(0), solved.has(1), solved.missing], [false, true, 1]);
  solved.addData(0, noise(4, 2));
  assert.equal([solved.missing, solved.isSolvable], [0, true]);
  solved.solve();
  assert.equal([solved.data(0), solved.data(1)], [noise(4, 2), noise(4, 1)]);
});

decoder('copies what it keeps', () => {
  const packets = blockOf(2, 6, 1);
  const arriving = new Uint8Array(6);
  const solved = new RepairDecoder(2, 6);
  arriving.set(packets[0] as Uint8Array);
  solved.addData(0, arriving);
  arriving.set(encoderOf(packets, 1, 6).repair(0));
  solved.addRepair(0, arriving);
  arriving.fill(0xee);
  solved.solve();
  assert.equal([solved.data(0), solved.data(1)], packets);
});

decoder('solves a block of packets as they are sent', () => {
  const packets = blockOf(100, 1400, 5);
  const made = encoderOf(packets, 20, 1400);
  const solved = new RepairDecoder(100, 1400);
  for (const [index, packet] of packets.entries()) if (index % 5 > 0) solved.addData(index, packet);
  for (let repair = 0; repair < 20; repair++) solved.addRepair(repair, made.repair(repair));
  solved.solve();
  for (const [index, packet] of packets.entries()) assert.equal(solved.data(index), packet);
});
decoder.run();
