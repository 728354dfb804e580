// The repair code alone: how fast repair packets are made, and lost packets made again, against the plain form of the
// same sums, one byte and one repair packet at a time. Rates are MB of data that went into one repair packet a second.
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { RepairDecoder, RepairEncoder } from '../src/repair-code.ts';
import { formatNumber, median, printMachine, printTable } from './harness.ts';

const USAGE = `Usage: node bench/repair.ts [--quick] [--help]

Makes repair packets for blocks of data, repairs blocks with losses, and prints a Markdown table.
`;

const PASSES = 5;
const SHAPES = [
  { count: 100, repairs: 1, packetBytes: 1400 },
  { count: 100, repairs: 4, packetBytes: 1400 },
  { count: 100, repairs: 12, packetBytes: 1400 },
  { count: 200, repairs: 55, packetBytes: 1400 },
  { count: 100, repairs: 12, packetBytes: 32_768 },
];
type Shape = (typeof SHAPES)[number];

function makeBlock({ count, packetBytes }: Shape): Uint8Array[] {
  let state = 1;
  return Array.from({ length: count }, () =>
    Uint8Array.from({ length: packetBytes }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
      return state >>> 16;
    }),
  );
}

function encodeBlock(block: readonly Uint8Array[], { repairs, packetBytes }: Shape): Uint8Array[] {
  const encoder = new RepairEncoder(repairs, packetBytes);
  for (const [index, packet] of block.entries()) encoder.add(index, packet);
  return Array.from({ length: repairs }, (_, index) => encoder.repair(index));
}

/** As many are lost as can be repaired, all over the block. */
function decodeBlock(block: readonly Uint8Array[], made: readonly Uint8Array[], shape: Shape): void {
  const decoder = new RepairDecoder(shape.count, shape.packetBytes);
  const isLost = (index: number) =>
    Math.floor(((index + 1) * shape.repairs) / shape.count) > Math.floor((index * shape.repairs) / shape.count);
  for (const [index, packet] of block.entries()) if (!isLost(index)) decoder.addData(index, packet);
  for (const [index, repair] of made.entries()) decoder.addRepair(index, repair);
  decoder.solve();
  const at = block.findIndex((_, index) => isLost(index));
  if (Buffer.compare(decoder.data(at), block[at] as Uint8Array) !== 0) throw new Error('a repaired packet is wrong');
}

/** The work of the plain form; what is multiplied by does not matter for it. */
function encodePlainly(block: readonly Uint8Array[], { repairs, packetBytes }: Shape): Uint8Array[] {
  return Array.from({ length: repairs }, (_, repair) => {
    const sum = new Uint8Array(packetBytes);
    for (const [index, packet] of block.entries())
      addPlainly(sum, packet, PRODUCTS[(repair + index) % 256] as Uint8Array);
    return sum;
  });
}

const PRODUCTS = Array.from({ length: 256 }, (_, by) => Uint8Array.from({ length: 256 }, (_, byte) => by * byte));

function addPlainly(sum: Uint8Array, packet: Uint8Array, products: Uint8Array): void {
  for (let at = 0; at < packet.length; at++) (sum[at] as number) ^= products[packet[at] as number] as number;
}

/** MB/s for each repair packet. */
function measure(shape: Shape, quick: boolean, run: () => void): number {
  const passMs = quick ? 60 : 300;
  const rates: number[] = [];
  for (let pass = 0; pass <= PASSES; pass++) {
    const start = performance.now();
    let times = 0;
    let elapsedMs = 0;
    for (; elapsedMs < passMs; elapsedMs = performance.now() - start) {
      run();
      times++;
    }
    // the first pass warms up
    if (pass > 0) rates.push((times * shape.count * shape.packetBytes * shape.repairs) / elapsedMs / 1000);
  }
  return median(rates);
}

function row(shape: Shape, quick: boolean): string[] {
  const block = makeBlock(shape);
  const made = encodeBlock(block, shape);
  const plain = measure(shape, quick, () => encodePlainly(block, shape));
  const encode = measure(shape, quick, () => encodeBlock(block, shape));
  const decode = measure(shape, quick, () => decodeBlock(block, made, shape));
  const perPacketUs = (shape.packetBytes * shape.repairs) / encode;
  return [
    `${shape.count} + ${shape.repairs} of ${shape.packetBytes}`,
    formatNumber(plain, 3),
    formatNumber(encode, 3),
    formatNumber(encode / plain),
    formatNumber(decode, 3),
    formatNumber(perPacketUs, 3),
  ];
}

export function runRepair(args: string[]): void {
  const { values } = parseArgs({
    args,
    options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  printMachine();
  const rows = SHAPES.map((shape) => row(shape, values.quick));
  const head = ['block', 'plain MB/s', 'encode MB/s', 'ratio', 'repair MB/s', 'encode µs a data packet'];
  printTable('The repair code, MB/s of data times repair packets', head, rows);
}

if (import.meta.main) runRepair(process.argv.slice(2));
