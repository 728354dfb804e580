// Layer 1. How many repair packets a block gets: as many as make the useful share of what is sent largest, by the losses
// that were measured, and by how unevenly they fall. Pure.

/** What is taken for granted before much was measured: so much of a packet lost, of so many, and how fast that fades. */
const PRIOR_LOST = 0.4;
const LEAST_PRIOR_LOST = 0.02;
const PRIOR_SENT = 25;
const PRIOR_FADES = 300;
/** Beyond so many, old ones count half; where hardly any were lost it takes more to know how rare that is. */
const MEMORY = 4000;
const CLEAN_MEMORY = 20_000;
const CLEAN_LOST = 4;
/** Losses are counted in heaps of so many packets to see how unevenly they fall. */
const HEAP = 100;
const HEAP_WEIGHT = 1 / 16;
const MAX_UNEVENNESS = 20;
const MAX_LOSS = 0.5;
const TINY = 1e-9;

export class LossMeter {
  #sent = 0;
  #lost = 0;
  #heapSent = 0;
  #heapLost = 0;
  #mean = 0;
  #square = 0;
  #heaps = 0;

  /** Of the packets since the last time; less than none are lost when late ones come. */
  note(sent: number, lost: number): void {
    this.#sent += sent;
    this.#lost += lost;
    if (this.#sent > (this.#lost < CLEAN_LOST ? CLEAN_MEMORY : MEMORY)) {
      this.#sent /= 2;
      this.#lost /= 2;
    }
    this.#heapSent += sent;
    this.#heapLost += lost;
    if (this.#heapSent >= HEAP) this.#endHeap();
  }

  /** Of 1. */
  get loss(): number {
    const prior = LEAST_PRIOR_LOST + PRIOR_LOST * (PRIOR_FADES / (PRIOR_FADES + this.#sent)) ** 2;
    return Math.min(MAX_LOSS, (Math.max(0, this.#lost) + prior) / (this.#sent + PRIOR_SENT));
  }

  /** Variance over mean: 1 if each packet is lost for itself. */
  get unevenness(): number {
    if (this.#heaps < 4 || this.#mean < TINY) return 1;
    const found = (this.#square - this.#mean ** 2) / this.#mean;
    return Math.min(MAX_UNEVENNESS, Math.max(1, found));
  }

  #endHeap(): void {
    const lost = (Math.max(0, this.#heapLost) * HEAP) / this.#heapSent;
    const weight = Math.max(HEAP_WEIGHT, 1 / ++this.#heaps);
    this.#mean += (lost - this.#mean) * weight;
    this.#square += (lost ** 2 - this.#square) * weight;
    this.#heapSent = 0;
    this.#heapLost = 0;
  }
}

export interface RepairNeed {
  readonly packets: number;
  readonly loss: number;
  readonly unevenness: number;
  /** What it costs when they are not enough, in packets. */
  readonly stallPackets: number;
  readonly most: number;
}

/** The number for which repairs and expected stalls together cost least. */
export function chooseRepairs({ packets, loss, unevenness, stallPackets, most }: RepairNeed): number {
  let best = 0;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let repairs = 0; repairs <= most; repairs++) {
    if (repairs >= bestCost) break;
    const cost = repairs + stallPackets * chanceOfMore(repairs, (packets + repairs) * loss, unevenness);
    if (cost < bestCost) {
      bestCost = cost;
      best = repairs;
    }
  }
  return best;
}

/** That more than so many are lost: Poisson, or a negative binomial where losses come together. */
function chanceOfMore(count: number, mean: number, unevenness: number): number {
  const isEven = unevenness < 1.05;
  const size = isEven ? 0 : mean / (unevenness - 1);
  const share = isEven ? 0 : 1 - 1 / unevenness;
  let chance = isEven ? Math.exp(-mean) : unevenness ** -size;
  let sum = chance;
  for (let lost = 0; lost < count; lost++) {
    chance *= (isEven ? mean : (size + lost) * share) / (lost + 1);
    sum += chance;
  }
  return Math.max(0, 1 - sum);
}
