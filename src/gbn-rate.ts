// Layer 1. How fast an `auto` sender goes, and how much it has on the way: its own design, after BBR, FAST and Copa
// (docs/udp-gbn.md has the reasons). Pure: all that it knows is in what it is told.
//
// It looks at how long datagrams wait in the link's queue, not at losses, since a bad link loses without being full. Of
// each transfer a little shall stand in the queue, the same for all, so that all that share a link come to share it
// evenly. Where a queue does not drain, whatever we do, somebody fills it who goes by losses: then we do as he does.

/** In the beginning the window may be so much larger than what has arrived asks for. */
const START_GROWTH = 2;
/** With a train to go by there is little left to find. */
const TRUSTED_GROWTH = 1.25;
const TRUSTED_TRAIN = 12;
const PACE_GAIN = 1.06;
/** Of the way to what is wanted, each round. */
const STEP = 0.5;
const MAX_CUT = 0.2;
const MAX_GROWTH = 0.125;
/** What shall stand in the queue: 2.4 ms at 100 Mbit/s. Less delay than the least is noise, more than the most is rude. */
const QUEUE_BYTES = 30_000;
const LEAST_QUEUE_MS = 1;
const MOST_QUEUE_MS = 40;
/** Rounds of a queue as of so many transfers, until it is taken for somebody's who will not yield. */
const PATIENCE_ROUNDS = 6;
const PATIENCE_MS = 80;
const CROWD = 8;
const COMPETING_CUT = 0.7;
/** Every so many rounds the own part of the queue is let run out, to see how short the way is without it. */
const DRAIN_ROUNDS = 16;
/** Every so many times half of the window runs out: what stood there before us may look like a part of the way. */
const DEEP_DRAINS = 4;
/** So many packets tell how many are lost; if it is so many more than it ever was of late, the link is too full. */
const LOSS_SAMPLE = 150;
const LOSS_SAMPLES = 40;
const EXCESS_LOSS = 0.08;
const EXCESS_TIMES = 2;
const CONGESTED_CUT = 0.8;
/** Of all losses, those that may be taken for the link's own, unless they stay after so many cuts. */
const COMMON_LOSS = 0.1;
const VAIN_CUTS = 4;
/** Where a queue overflows, less of it is used, and each round a little more again. */
const QUEUE_SHARE = 0.6;
const QUEUE_RETURN = 1.01;
const BASE_MS = 10_000;
const LEAST_WINDOW = 4;
const FIRST_WINDOW = 10;
/** As many as the train had, which says nothing if it came in one moment. */
const UNKNOWN_WINDOW = 32;
const MAX_FIRST_BYTES = 1 << 20;
const MAX_ALLOWED_LOSS = 0.15;
const RATE_ROUNDS = 8;

export interface RateOptions {
  /** What a packet takes. */
  readonly packetBytes: number;
  readonly maxPackets: number;
  readonly roundTripMs: number;
  /** Of the offer's datagrams, at the receiver. */
  readonly trainPackets: number;
  readonly trainUs: number;
}

export interface RateNews {
  readonly now: number;
  /** See Heard. */
  readonly tx: number;
  readonly lost: number;
  /** Numbered datagrams that were sent and that arrived so far. */
  readonly sent: number;
  readonly received: number;
  readonly arrivedUs: number;
  readonly stamp: number;
  readonly roundTripMs: number;
  readonly loss: number;
}

type Mode = 'starting' | 'steady' | 'draining' | 'competing';

/** The least (of delays) or the most (of rates) of the last while, in two halves. */
class Extreme {
  readonly #pick: (a: number, b: number) => number;
  #old: number | undefined;
  #new: number | undefined;

  constructor(pick: (a: number, b: number) => number) {
    this.#pick = pick;
  }

  add(value: number): void {
    this.#new = this.#new === undefined ? value : this.#pick(this.#new, value);
  }

  turn(): void {
    this.#old = this.#new;
    this.#new = undefined;
  }

  get value(): number | undefined {
    if (this.#old === undefined || this.#new === undefined) return this.#new ?? this.#old;
    return this.#pick(this.#old, this.#new);
  }
}

export class GbnRate {
  readonly #options: RateOptions;
  #mode: Mode = 'starting';
  /** The train has told the rate; otherwise the window grows by each packet that has arrived. */
  readonly #isTrusted: boolean;
  #lastTx = -1;
  #window: number;
  #roundTripMs: number;
  /** Packets a millisecond that arrive. */
  readonly #fastest = new Extreme(Math.max);
  #rate: number;
  #rateBefore = 0;
  /** Over a longer while: what the link may have to give. */
  readonly #best = new Extreme(Math.max);
  /** Of the way to the receiver, by two clocks that do not agree: only differences count. */
  readonly #base = new Extreme(Math.min);
  #clockUs: number | undefined;
  #baseTurnAt: number;
  #rounds = 0;
  #roundEnd = -1;
  #roundReceived = 0;
  #roundArrivedUs = 0;
  #roundLost = 0;
  #roundQueueMs = Number.POSITIVE_INFINITY;
  #queueMs = 0;
  #wasIdle = false;
  #drains = 0;
  readonly #leastLoss = new Extreme(Math.min);
  #lossSamples = 0;
  #sampleTx = 0;
  #sampleLost = 0;
  #sampleQueueMs = 0;
  #commonLoss = COMMON_LOSS;
  #vainCuts = 0;
  /** What the queue holds, as far as it was seen to overflow. */
  #queueHoldsMs = Number.POSITIVE_INFINITY;
  #crowdedRounds = 0;
  #crowdedAt = 0;
  #windowBefore = 0;
  #lookAt = 0;

  constructor(options: RateOptions, now: number) {
    const { roundTripMs, trainPackets, trainUs, maxPackets, packetBytes } = options;
    this.#options = options;
    this.#roundTripMs = roundTripMs;
    this.#baseTurnAt = now + BASE_MS;
    const rate = trainPackets > 0 && trainUs > 0 ? trainPackets / (trainUs / 1000) : 0;
    const hasTrain = rate > 0 && trainPackets >= TRUSTED_TRAIN;
    const least = rate > 0 ? FIRST_WINDOW : UNKNOWN_WINDOW;
    const most = Math.min(maxPackets, Math.max(FIRST_WINDOW, MAX_FIRST_BYTES / packetBytes));
    this.#window = Math.min(most, Math.max(least, rate * (roundTripMs + LEAST_QUEUE_MS)));
    this.#isTrusted = hasTrain && this.#window < most;
    this.#rate = this.#window / Math.max(roundTripMs, 0.05);
    if (hasTrain) this.#best.add(rate);
    if (hasTrain) this.#rate = Math.min(this.#rate, rate);
  }

  /** Packets on the way. */
  get window(): number {
    if (this.#mode === 'draining') {
      const own = this.#window - this.#rate * this.#queueMs - 1;
      return Math.max(LEAST_WINDOW, this.#drains % DEEP_DRAINS === 0 ? Math.min(own, this.#window / 2) : own);
    }
    return Math.max(LEAST_WINDOW, this.#window);
  }

  /** Packets a millisecond. */
  get pace(): number {
    if (this.#mode === 'starting') return Math.max(this.#rate, this.#window / (this.#roundTripMs + this.#queueMs + 2));
    const byWindow = this.#window / Math.max(0.05, this.#roundTripMs + this.#queueMs);
    return PACE_GAIN * Math.max(byWindow, this.#rate);
  }

  /** Packets a millisecond that arrive at most, of late. */
  get arriving(): number {
    return this.#fastest.value ?? this.#rate;
  }

  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  get mode(): Mode {
    return this.#mode;
  }

  get queueMs(): number {
    return this.#queueMs;
  }

  /** There was nothing to send though there was room: what arrives says nothing about the link. */
  idle(): void {
    this.#wasIdle = true;
  }

  heard(news: RateNews): void {
    this.#noteDelay(news);
    if (this.#roundEnd < 0) return this.#startRound(news);
    this.#roundLost += news.lost;
    this.#noteLoss(news);
    if (this.#mode === 'starting' && this.#queueMs > this.#wantedMs()) this.#endStart(news);
    if (this.#mode === 'starting' && !this.#isTrusted) this.#window += Math.max(0, news.tx - this.#lastTx);
    this.#lastTx = Math.max(this.#lastTx, news.tx);
    if (news.tx >= this.#roundEnd) this.#endRound(news);
  }

  #noteDelay({ now, arrivedUs, stamp, roundTripMs }: RateNews): void {
    const us = (arrivedUs - stamp) | 0;
    this.#clockUs ??= us;
    const ms = ((us - this.#clockUs) | 0) / 1000;
    if (now >= this.#baseTurnAt) {
      this.#base.turn();
      this.#best.turn();
      this.#baseTurnAt = now + BASE_MS;
    }
    this.#base.add(ms);
    this.#queueMs = ms - (this.#base.value ?? ms);
    this.#roundQueueMs = Math.min(this.#roundQueueMs, this.#queueMs);
    this.#roundTripMs = Math.min(this.#roundTripMs, Math.max(0.02, roundTripMs));
  }

  #startRound({ sent, received, arrivedUs }: RateNews): void {
    this.#rounds++;
    this.#roundEnd = sent;
    this.#roundReceived = received;
    this.#roundArrivedUs = arrivedUs;
    this.#roundLost = 0;
    this.#roundQueueMs = Number.POSITIVE_INFINITY;
    this.#wasIdle = false;
  }

  /** The queue that this transfer may have at such a rate, in milliseconds of the whole link's. */
  #wantedMs(rate = this.#rate): number {
    const ms = Math.max(LEAST_QUEUE_MS, QUEUE_BYTES / Math.max(1, rate * this.#options.packetBytes));
    return Math.min(this.#queueHoldsMs, ms > MOST_QUEUE_MS ? Math.sqrt(ms * MOST_QUEUE_MS) : ms);
  }

  /** Losses that come with our own rate, where the queue is too short to be seen or was full when we came. */
  #noteLoss({ tx, lost }: RateNews): void {
    this.#sampleLost += lost;
    this.#sampleQueueMs = Math.max(this.#sampleQueueMs, this.#queueMs);
    const count = tx - this.#sampleTx;
    if (count < Math.max(LOSS_SAMPLE, this.#window)) return;
    const loss = Math.max(0, this.#sampleLost) / count;
    const queueMs = this.#sampleQueueMs;
    this.#sampleTx = tx;
    this.#sampleLost = 0;
    this.#sampleQueueMs = 0;
    this.#leastLoss.add(loss);
    if (++this.#lossSamples % LOSS_SAMPLES === 0) this.#leastLoss.turn();
    const common = Math.min(this.#commonLoss, this.#leastLoss.value ?? 0);
    if (loss <= EXCESS_TIMES * common + EXCESS_LOSS) this.#vainCuts = 0;
    else if (this.#mode !== 'competing') this.#cut(loss, queueMs);
  }

  #cut(loss: number, queueMs: number): void {
    if (this.#mode === 'starting') this.#mode = 'steady';
    this.#window *= CONGESTED_CUT;
    this.#queueHoldsMs = Math.max(QUEUE_SHARE * queueMs, LEAST_QUEUE_MS / 4);
    if (++this.#vainCuts < VAIN_CUTS) return;
    this.#vainCuts = 0;
    this.#commonLoss = loss;
    this.#queueHoldsMs = Number.POSITIVE_INFINITY;
  }

  /** There is a queue: what arrives now is what the link takes. */
  #endStart({ loss }: RateNews): void {
    this.#mode = 'steady';
    const sent = this.arriving / (1 - Math.min(MAX_ALLOWED_LOSS, loss));
    this.#window = Math.min(this.#window, sent * (this.#roundTripMs + this.#wantedMs()));
  }

  #endRound(news: RateNews): void {
    const ms = ((news.arrivedUs - this.#roundArrivedUs) | 0) / 1000;
    const count = news.received - this.#roundReceived;
    if (ms > 0 && count > 0) this.#noteRate(count / ms);
    const queueMs = this.#roundQueueMs;
    if (queueMs !== Number.POSITIVE_INFINITY) this.#steer(queueMs, news, count);
    this.#startRound(news);
  }

  #noteRate(rate: number): void {
    if (this.#wasIdle && rate < this.#rate) return;
    this.#fastest.add(rate);
    this.#best.add(rate);
    if (this.#rounds % RATE_ROUNDS === 0) this.#fastest.turn();
    this.#rate = rate;
  }

  #steer(queueMs: number, news: RateNews, count: number): void {
    this.#queueHoldsMs *= QUEUE_RETURN;
    const wantedMs = this.#wantedMs();
    switch (this.#mode) {
      case 'starting':
        this.#grow(news);
        break;
      case 'draining':
        this.#mode = 'steady';
        break;
      case 'competing':
        this.#compete(queueMs, wantedMs, news, count);
        break;
      case 'steady':
        this.#settle(queueMs, wantedMs, news.now);
    }
    this.#limitWindow(news.loss);
  }

  /** What is sent now is seen in the round after the next. */
  #grow(news: RateNews): void {
    if (this.#wasIdle) return;
    if (!this.#isTrusted || this.#rounds % 2 === 0) return;
    if (this.#rate < (this.#rateBefore * (1 + TRUSTED_GROWTH)) / 2) return this.#endStart(news);
    this.#rateBefore = this.#rate;
    this.#window *= TRUSTED_GROWTH;
  }

  #settle(queueMs: number, wantedMs: number, now: number): void {
    const error = this.#rate * (wantedMs - queueMs);
    const most = this.#wasIdle ? 0 : Math.max(2, this.#window * MAX_GROWTH);
    this.#noteCrowd(queueMs > CROWD * this.#wantedMs(this.#best.value), now);
    this.#window += Math.min(most, Math.max(-MAX_CUT * this.#window, STEP * error));
    if (this.#mode !== 'steady' || this.#rounds % DRAIN_ROUNDS !== 0) return;
    this.#mode = 'draining';
    this.#drains++;
  }

  /** Our own windows shrink the queue; if it stays, it is not ours. */
  #noteCrowd(isCrowded: boolean, now: number): void {
    if (!isCrowded) {
      this.#crowdedRounds = 0;
      return;
    }
    if (this.#crowdedRounds++ === 0) {
      this.#crowdedAt = now;
      this.#windowBefore = this.#window;
    }
    if (this.#crowdedRounds < PATIENCE_ROUNDS || now - this.#crowdedAt < PATIENCE_MS) return;
    this.#mode = 'competing';
    this.#window = Math.max(this.#window, this.#windowBefore * COMPETING_CUT);
    this.#lookAt = this.#rounds + DRAIN_ROUNDS;
    this.#crowdedRounds = 0;
  }

  /** As TCP does; until the queue is seen to drain. */
  #compete(queueMs: number, wantedMs: number, { loss }: RateNews, count: number): void {
    if (queueMs < wantedMs) {
      this.#mode = 'steady';
      return;
    }
    const isCongested = this.#roundLost > Math.max(0.5, 2 * loss * count);
    if (isCongested || this.#rounds >= this.#lookAt) this.#window *= COMPETING_CUT;
    else this.#window += 1;
    if (this.#rounds >= this.#lookAt) this.#lookAt = this.#rounds + DRAIN_ROUNDS;
  }

  /** Never much more than what arrives: where a queue is too short to be seen, the window would grow for ever. */
  #limitWindow(loss: number): void {
    const { maxPackets } = this.#options;
    const fastest = this.#fastest.value;
    let most = maxPackets;
    if (fastest !== undefined) {
      const sent = fastest / (1 - Math.min(MAX_ALLOWED_LOSS, loss));
      most = 2 * LEAST_WINDOW + sent * (TRUSTED_GROWTH * this.#roundTripMs + 2 * this.#wantedMs());
      if (this.#mode === 'starting') most *= START_GROWTH;
      if (this.#mode === 'competing') most = Math.max(most, sent * (this.#roundTripMs + this.#queueMs) * 2);
    }
    this.#window = Math.min(maxPackets, most, Math.max(LEAST_WINDOW, this.#window));
  }
}
