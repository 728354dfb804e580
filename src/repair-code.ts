// Layer 1. Repair packets for blocks of data packets: a systematic Cauchy Reed-Solomon code over GF(256). Of a block,
// any so many packets as it has data packets, data or repair, are enough to have all of it. Pure; knows no wire.
//
// The field's polynomial is x^8+x^4+x^3+x^2+1. Repair packet r is the sum over the data packets j of j's bytes times
// 1/((200+r) xor j). All of that is linear, so it is done for four repair packets at once: a table turns a byte of data
// into the products that go into four of them, side by side in one 32-bit word, and a pass over four data packets
// reads and writes each sum once.

export const MAX_DATA = 200;
export const MAX_REPAIRS = 55;

const POLYNOMIAL = 0x11d;
/** Powers of 2 repeat after so many. */
const ORDER = 255;
/** Sums side by side in a word. */
const LANES = 4;
/** Data packets in a pass. */
const STAGED = 4;
const BYTE_VALUES = 256;

// --- the field --------------------------------------------------------------------------------------------

const POWERS = new Uint8Array(2 * ORDER);
const LOGS = new Uint8Array(BYTE_VALUES);
for (let power = 0, value = 1; power < ORDER; power++) {
  POWERS[power] = value;
  POWERS[power + ORDER] = value;
  LOGS[value] = power;
  value = (value << 1) ^ (value < 128 ? 0 : POLYNOMIAL);
}

function log(value: number): number {
  return LOGS[value] as number;
}

function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : (POWERS[log(a) + log(b)] as number);
}

/** What data packet `index` is multiplied by for repair packet `repair`. */
function factor(repair: number, index: number): number {
  return repair < MAX_REPAIRS ? (POWERS[ORDER - log((MAX_DATA + repair) ^ index)] as number) : 0;
}

// --- tables -----------------------------------------------------------------------------------------------

/** For each byte: its products with the four factors, the first in the lowest bits. */
type Table = Int32Array;
/** For the packet that is added, and four of the sums. */
type Tables = (group: number, index: number) => Table;

function buildTable(factors: readonly number[]): Table {
  const table = new Int32Array(BYTE_VALUES);
  for (let bit = 1; bit < BYTE_VALUES; bit <<= 1) {
    let word = 0;
    for (const [lane, by] of factors.entries()) word |= multiply(by, bit) << (8 * lane);
    // a byte's products are the sum of those of its bits
    for (let below = 0; below < bit; below++) table[bit | below] = word ^ (table[below] as number);
  }
  return table;
}

/** Of the code itself, once they were needed: at most 2,800 of a kilobyte. */
const kept: Array<Table | undefined> = [];

function codeTable(group: number, index: number): Table {
  const place = group * MAX_DATA + index;
  const known = kept[place];
  if (known) return known;
  const table = buildTable(four((lane) => factor(group * LANES + lane, index)));
  kept[place] = table;
  return table;
}

function four(factorOf: (lane: number) => number): number[] {
  return Array.from({ length: LANES }, (_, lane) => factorOf(lane));
}

// --- sums -------------------------------------------------------------------------------------------------

/** One pass. The four tables stand behind each other, the four packets too. */
function addFour(sums: Int32Array, packets: Uint8Array, bytes: number, tables: Int32Array): void {
  const second = bytes;
  const third = 2 * bytes;
  const fourth = 3 * bytes;
  for (let at = 0; at < bytes; at++) {
    (sums[at] as number) ^=
      (tables[packets[at] as number] as number) ^
      (tables[256 | (packets[at + second] as number)] as number) ^
      (tables[512 | (packets[at + third] as number)] as number) ^
      (tables[768 | (packets[at + fourth] as number)] as number);
  }
}

/** Sums of packets, each multiplied by a factor for each sum. Packets wait until there are enough for a pass. */
class Mixer {
  readonly #tables: Tables;
  readonly #bytes: number;
  readonly #sums: readonly Int32Array[];
  readonly #staged: Uint8Array;
  readonly #indexes: number[] = [];
  readonly #passTables = new Int32Array(STAGED * BYTE_VALUES);

  constructor(rows: number, bytes: number, tables: Tables) {
    this.#tables = tables;
    this.#bytes = bytes;
    this.#sums = Array.from({ length: Math.ceil(rows / LANES) }, () => new Int32Array(bytes));
    this.#staged = new Uint8Array(rows > 0 ? STAGED * bytes : 0);
  }

  add(index: number, packet: Uint8Array): void {
    if (this.#sums.length === 0) return;
    const start = this.#indexes.length * this.#bytes;
    this.#staged.set(packet, start);
    this.#staged.fill(0, start + packet.length, start + this.#bytes);
    this.#indexes.push(index);
    if (this.#indexes.length === STAGED) this.#pass();
  }

  row(row: number): Uint8Array {
    if (this.#indexes.length > 0) this.#pass();
    const sums = this.#sums[Math.floor(row / LANES)] as Int32Array;
    const shift = 8 * (row % LANES);
    const bytes = new Uint8Array(this.#bytes);
    for (let at = 0; at < bytes.length; at++) bytes[at] = (sums[at] as number) >>> shift;
    return bytes;
  }

  #pass(): void {
    // what is left of earlier packets counts for nothing
    this.#passTables.fill(0);
    for (const [group, sums] of this.#sums.entries()) {
      for (const [place, index] of this.#indexes.entries()) {
        this.#passTables.set(this.#tables(group, index), place * BYTE_VALUES);
      }
      addFour(sums, this.#staged, this.#bytes, this.#passTables);
    }
    this.#indexes.length = 0;
  }
}

// --- the two ends -----------------------------------------------------------------------------------------

export class RepairEncoder {
  readonly #repairs: number;
  readonly #packetBytes: number;
  readonly #added = new Set<number>();
  readonly #mixer: Mixer;

  constructor(repairs: number, packetBytes: number) {
    checkWhole('repairs', repairs, 0, MAX_REPAIRS);
    checkWhole('packetBytes', packetBytes, 1, Number.MAX_SAFE_INTEGER);
    this.#repairs = repairs;
    this.#packetBytes = packetBytes;
    this.#mixer = new Mixer(repairs, packetBytes, codeTable);
  }

  /** In any order, each once; one that is never added is all zeros. */
  add(index: number, data: Uint8Array): void {
    checkWhole('index', index, 0, MAX_DATA - 1);
    checkWhole('data.length', data.length, 0, this.#packetBytes);
    if (this.#added.has(index)) throw new RangeError(`data packet ${index} was added before`);
    this.#added.add(index);
    this.#mixer.add(index, data);
  }

  repair(index: number): Uint8Array {
    checkWhole('index', index, 0, this.#repairs - 1);
    return this.#mixer.row(index);
  }
}

export class RepairDecoder {
  readonly #count: number;
  readonly #packetBytes: number;
  /** The block, with zeros where packets are missing. */
  readonly #block: Uint8Array;
  readonly #hasData: Uint8Array;
  readonly #repairs = new Map<number, Uint8Array>();
  #missing: number;

  constructor(count: number, packetBytes: number) {
    checkWhole('count', count, 1, MAX_DATA);
    checkWhole('packetBytes', packetBytes, 1, Number.MAX_SAFE_INTEGER);
    this.#count = count;
    this.#packetBytes = packetBytes;
    this.#block = new Uint8Array(count * packetBytes);
    this.#hasData = new Uint8Array(count);
    this.#missing = count;
  }

  /** One that is there already stays as it is. */
  addData(index: number, data: Uint8Array): void {
    checkWhole('data.length', data.length, 0, this.#packetBytes);
    if (this.has(index)) return;
    this.#block.set(data, index * this.#packetBytes);
    this.#hasData[index] = 1;
    this.#missing--;
  }

  /** More than are needed are not kept. */
  addRepair(index: number, bytes: Uint8Array): void {
    checkWhole('index', index, 0, MAX_REPAIRS - 1);
    checkWhole('bytes.length', bytes.length, this.#packetBytes, this.#packetBytes);
    if (!this.isSolvable && !this.#repairs.has(index)) this.#repairs.set(index, bytes.slice());
  }

  has(index: number): boolean {
    checkWhole('index', index, 0, this.#count - 1);
    return this.#hasData[index] === 1;
  }

  get missing(): number {
    return this.#missing;
  }

  get isSolvable(): boolean {
    return this.#repairs.size >= this.#missing;
  }

  /** From now on nothing is missing. */
  solve(): void {
    if (!this.isSolvable)
      throw new RangeError(`${this.#missing} packets miss, ${this.#repairs.size} repairs are there`);
    if (this.#missing === 0) return;
    const lost: number[] = [];
    for (let index = 0; index < this.#count; index++) if (!this.has(index)) lost.push(index);
    const used = [...this.#repairs.keys()].slice(0, lost.length).sort((a, b) => a - b);
    const mixer = new Mixer(lost.length, this.#packetBytes, inverseTables(used, lost));
    for (const [place, rest] of this.#rests(used).entries()) mixer.add(place, rest);
    for (const [row, index] of lost.entries()) this.addData(index, mixer.row(row));
    this.#repairs.clear();
  }

  /** A view of the decoder's own memory. */
  data(index: number): Uint8Array {
    if (!this.has(index)) throw new RangeError(`data packet ${index} is missing`);
    return this.#block.subarray(index * this.#packetBytes, (index + 1) * this.#packetBytes);
  }

  /** What the missing packets alone have given to these repair packets. */
  #rests(used: readonly number[]): Uint8Array[] {
    const groups = [...new Set(used.map((repair) => Math.floor(repair / LANES)))];
    const tables: Tables = (group, index) => codeTable(groups[group] as number, index);
    const mixer = new Mixer(groups.length * LANES, this.#packetBytes, tables);
    for (let index = 0; index < this.#count; index++) if (this.has(index)) mixer.add(index, this.data(index));
    return used.map((repair) => {
      const known = mixer.row(groups.indexOf(Math.floor(repair / LANES)) * LANES + (repair % LANES));
      const whole = this.#repairs.get(repair) as Uint8Array;
      return whole.map((byte, at) => byte ^ (known[at] as number));
    });
  }
}

/** The Cauchy matrix of these repair and data packets, inverted, as tables; its closed form, in logarithms. */
function inverseTables(repairs: readonly number[], lost: readonly number[]): Tables {
  const xs = repairs.map((repair) => MAX_DATA + repair);
  const byRepair = xs.map((x) => logOfDistances(x, lost) - logOfDistances(x, xs));
  const byLost = lost.map((y) => logOfDistances(y, xs) - logOfDistances(y, lost));
  return (group, column) =>
    buildTable(
      four((lane) => {
        const row = group * LANES + lane;
        const y = lost[row];
        if (y === undefined) return 0;
        const sum = (byRepair[column] as number) + (byLost[row] as number) - log((xs[column] as number) ^ y);
        return POWERS[((sum % ORDER) + ORDER) % ORDER] as number;
      }),
    );
}

/** Of the product of the differences to all others. */
function logOfDistances(from: number, others: readonly number[]): number {
  let sum = 0;
  for (const other of others) if (other !== from) sum += log(from ^ other);
  return sum;
}

function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} is ${value}, and has to be ${least} to ${most}`);
}
