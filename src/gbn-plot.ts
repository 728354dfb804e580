// Layer 1. From the traces of one end or of both to a sequence diagram, which is drawn elsewhere: arrows with their
// times, notes, the sender's window. Pure.
//
// Two ends have two clocks, and each trace begins at 0. So the receiver's is moved until the fastest packets of both
// directions take equally long. Which of several packets of one name has arrived is not
// written anywhere: the likeliest is taken.

import type { TracePacket } from './gbn-trace.ts';

export const DEFAULT_PACKETS = 200;
const MAX_PACKETS = 2000;
/** Of the fastest packet's time: no packet is faster. */
const LEAST_SHARE = 0.8;
/** Packets that an answer is looked for to. */
const MAX_WAITING = 1000;
/** Where no round trip was measured. */
const GUESSED_SHARE = 0.05;
/** Of these, the second of a number is one that was sent again. Repair packets may all have that of their block. */
const ONCE: ReadonlySet<string> = new Set(['offer', 'data']);
const RESENT_FOR: ReadonlySet<string> = new Set(['timeout', 'gap', 'again']);

export interface Arrow {
  readonly kind: string;
  readonly seq: number;
  readonly why: string | undefined;
  readonly isFromSender: boolean;
  /** Undefined: not known from the trace of one end. */
  readonly leftAt: number | undefined;
  readonly arrivedAt: number | undefined;
  readonly isLost: boolean;
  readonly isResent: boolean;
}

/** Something that the sender did. */
export interface Note {
  readonly at: number;
  readonly text: string;
}

export interface WindowStep {
  readonly at: number;
  readonly first: number;
  readonly last: number;
}

export interface Diagram {
  readonly arrows: readonly Arrow[];
  readonly notes: readonly Note[];
  readonly windows: readonly WindowStep[];
  readonly fromMs: number;
  readonly toMs: number;
  /** The whole way, where only one time of a packet is known. */
  readonly oneWayMs: number;
  /** What the reader has to know about all of it. */
  readonly remarks: readonly string[];
}

export interface PlotOptions {
  /** By the sender's clock, or that of the only end. */
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly maxPackets?: number;
}

type Trace = readonly TracePacket[];

/** One trace, or one of each end. */
export function layOut(traces: readonly Trace[], options: PlotOptions = {}): Diagram {
  const [first = [], second] = traces;
  const ends = traces.map((trace) => trace[0]?.end);
  if (traces.length > 2 || (second && ends[0] && ends[0] === ends[1])) {
    throw new RangeError('a diagram has one trace, or one of each end');
  }
  if (!second) return layOutOne(first, options);
  const [sender, receiver] = ends[0] === 'recv' || ends[1] === 'send' ? [second, first] : [first, second];
  return layOutBoth(sender, receiver, options);
}

// --- one end ----------------------------------------------------------------------------------------------

function layOutOne(trace: Trace, options: PlotOptions): Diagram {
  const rttMs = measureRtt(trace);
  const [least, most] = spanOf(trace.map(({ at }) => at));
  const resent = resentOf(trace);
  const arrows = trace.map((packet) => arrowOfOne(packet, resent));
  const isSender = trace[0]?.end !== 'recv';
  const oneWayMs = rttMs === undefined ? Math.max((most - least) * GUESSED_SHARE, 0.001) : rttMs / 2;
  const end = isSender ? 'sender' : 'receiver';
  const slope = rttMs === undefined ? 'no round trip was measured' : `half of ${formatMs(rttMs)}, the least round trip`;
  const remark = `Only the ${end} was traced: its arrows end or begin half way; their slope is a guess (${slope}).`;
  return cut({ arrows, windowsOf: isSender ? trace : [], oneWayMs, remarks: [remark] }, options);
}

function arrowOfOne(packet: TracePacket, resent?: ReadonlySet<TracePacket>): Arrow {
  const isOut = packet.direction === 'out';
  return {
    ...nameOf(packet, resent),
    isFromSender: isOut === (packet.end === 'send'),
    leftAt: isOut ? packet.at : undefined,
    arrivedAt: isOut ? undefined : packet.at,
    isLost: false,
  };
}

function nameOf(
  packet: TracePacket,
  resent?: ReadonlySet<TracePacket>,
): Pick<Arrow, 'kind' | 'seq' | 'why' | 'isResent'> {
  const { kind, seq, why } = packet;
  return { kind, seq, why, isResent: resent?.has(packet) ?? false };
}

/** By what it says, or because it has gone out before. */
function resentOf(trace: Trace): Set<TracePacket> {
  const seen = new Set<string>();
  const resent = new Set<TracePacket>();
  for (const packet of trace) {
    if (packet.direction === 'in') continue;
    const { kind, why } = packet;
    const isBefore = seen.has(keyOf(packet)) && ONCE.has(kind);
    // an ack may be for a gap, and is none the less a new one
    const isSaid = why !== undefined && RESENT_FOR.has(why) && kind !== 'ack';
    if (isBefore || isSaid) resent.add(packet);
    seen.add(keyOf(packet));
  }
  return resent;
}

/** The least time from a packet to its answer; packets that were sent more than once don't count. */
function measureRtt(trace: Trace): number | undefined {
  const times = countNames(trace.filter(({ direction }) => direction === 'out'));
  let waiting: TracePacket[] = [];
  let least: number | undefined;
  for (const packet of trace) {
    if (packet.direction === 'out') {
      if (ANSWERED.has(packet.kind) && times.get(keyOf(packet)) === 1) waiting.push(packet);
      if (waiting.length > MAX_WAITING) waiting.shift();
      continue;
    }
    const answered = waiting.findLast((sent) => isAnswer(sent, packet));
    if (!answered) continue;
    least = Math.min(least ?? Number.POSITIVE_INFINITY, packet.at - answered.at);
    waiting = waiting.filter((sent) => !isAnswer(sent, packet));
  }
  return least;
}

const ANSWERED: ReadonlySet<string> = new Set(['offer', 'accept', 'data']);

function isAnswer(sent: TracePacket, came: TracePacket): boolean {
  if (sent.kind === 'offer') return came.kind === 'accept';
  if (sent.kind === 'accept') return came.kind === 'data';
  return sent.kind === 'data' && came.kind === 'ack' && came.seq > sent.seq;
}

// --- both ends --------------------------------------------------------------------------------------------

function layOutBoth(sender: Trace, receiver: Trace, options: PlotOptions): Diagram {
  const there = leastDelay(sender, receiver);
  const back = leastDelay(receiver, sender);
  const shift = clockShift(there, back);
  const moved = receiver.map((packet) => ({ ...packet, at: packet.at - shift }));
  const thereMs = Math.max((there ?? shift) - shift, 0);
  const backMs = Math.max((back ?? -shift) + shift, 0);
  const arrows = [...pair(sender, moved, thereMs), ...pair(moved, sender, backMs)];
  const oneWayMs = thereMs || backMs || 0.001;
  const remarks: string[] = [];
  if (shift !== 0) remarks.push(`The receiver's clock was moved by ${formatMs(-shift)} to agree with the sender's.`);
  if (arrows.some(isHalf)) remarks.push('Arrows that end or begin half way were traced at one end only.');
  return cut({ arrows, windowsOf: sender, oneWayMs, remarks }, options);
}

/** One of its times is not known, and it is not known to be lost. */
export function isHalf(arrow: Arrow): boolean {
  return !arrow.isLost && (arrow.leftAt === undefined || arrow.arrivedAt === undefined);
}

/** By the two clocks; of packets that were sent once and came once. */
function leastDelay(from: Trace, to: Trace): number | undefined {
  const sent = from.filter(({ direction }) => direction === 'out');
  const came = to.filter(({ direction }) => direction === 'in');
  const [sentTimes, cameTimes] = [countNames(sent), countNames(came)];
  const sentAt = new Map(sent.map((packet) => [keyOf(packet), packet.at]));
  let least: number | undefined;
  for (const packet of came) {
    const key = keyOf(packet);
    const at = sentAt.get(key);
    if (at === undefined || sentTimes.get(key) !== 1 || cameTimes.get(key) !== 1) continue;
    least = Math.min(least ?? Number.POSITIVE_INFINITY, packet.at - at);
  }
  return least;
}

function clockShift(there: number | undefined, back: number | undefined): number {
  if (there === undefined && back === undefined) return 0;
  // what is below a microsecond is no difference
  const shift = ((there ?? -(back as number)) - (back ?? -(there as number))) / 2;
  return Math.abs(shift) < 0.001 ? 0 : shift;
}

interface Pairing {
  readonly sent: TracePacket;
  readonly arrivals: number[];
}

/** Each packet that was sent, for each time that it came, and whatever came from nowhere. */
function pair(from: Trace, to: Trace, leastMs: number): Arrow[] {
  const pairings = new Map<string, Pairing[]>();
  for (const sent of from) if (sent.direction === 'out') listOf(pairings, keyOf(sent)).push({ sent, arrivals: [] });
  const came = to.filter(({ direction }) => direction === 'in');
  const times = countNames(came);
  const orphans: TracePacket[] = [];
  for (const packet of came) {
    const all = pairings.get(keyOf(packet)) ?? [];
    const isComplete = all.length === times.get(keyOf(packet));
    const chosen = isComplete ? all.find(({ arrivals }) => arrivals.length === 0) : likeliest(all, packet.at, leastMs);
    if (chosen) chosen.arrivals.push(packet.at);
    else orphans.push(packet);
  }
  const resent = resentOf(from);
  const kinds = new Set(came.map(({ kind }) => kind));
  const paired = [...pairings.values()].flat().flatMap((one) => arrowsOfPair(one, resent, kinds.has(one.sent.kind)));
  return [...paired, ...orphans.map((packet) => arrowOfOne(packet))];
}

/** The one that would have taken about as long as the fastest; one that has come already only if there is no other. */
function likeliest(all: readonly Pairing[], at: number, leastMs: number): Pairing | undefined {
  const could = all.filter(({ sent }) => sent.at <= at - leastMs * LEAST_SHARE);
  const open = could.filter(({ arrivals }) => arrivals.length === 0);
  const farness = ({ sent }: Pairing) => Math.abs(at - leastMs - sent.at);
  return (open.length > 0 ? open : could).reduce<Pairing | undefined>(
    (best, one) => (best && farness(best) < farness(one) ? best : one),
    undefined,
  );
}

/** What the other end never notes is not lost. */
function arrowsOfPair({ sent, arrivals }: Pairing, resent: ReadonlySet<TracePacket>, isNoted: boolean): Arrow[] {
  const arrow = arrowOfOne(sent, resent);
  if (arrivals.length === 0) return [{ ...arrow, isLost: isNoted }];
  return arrivals.map((arrivedAt) => ({ ...arrow, arrivedAt }));
}

function listOf(lists: Map<string, Pairing[]>, key: string): Pairing[] {
  const known = lists.get(key);
  if (known) return known;
  const list: Pairing[] = [];
  lists.set(key, list);
  return list;
}

function keyOf({ kind, seq }: TracePacket): string {
  return `${kind} ${seq}`;
}

function countNames(packets: Trace): Map<string, number> {
  const counts = new Map<string, number>();
  for (const packet of packets) counts.set(keyOf(packet), (counts.get(keyOf(packet)) ?? 0) + 1);
  return counts;
}

// --- what of it is drawn ----------------------------------------------------------------------------------

interface Whole {
  readonly arrows: readonly Arrow[];
  readonly windowsOf: Trace;
  readonly oneWayMs: number;
  readonly remarks: readonly string[];
}

function cut({ arrows, windowsOf, oneWayMs, remarks }: Whole, options: PlotOptions): Diagram {
  const { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY } = options;
  const most = Math.min(options.maxPackets ?? DEFAULT_PACKETS, MAX_PACKETS);
  const within = arrows.filter((arrow) => startOf(arrow) >= fromMs && startOf(arrow) <= toMs).sort(byStart);
  if (within.length === 0 && arrows.length > 0) throw nothingWithin(arrows, options);
  const drawn = within.slice(0, most);
  // an arrow of which one end is not known goes half of the way
  const [least, last] = spanOf(
    drawn.flatMap(({ leftAt, arrivedAt }) => {
      const known = leftAt ?? arrivedAt ?? 0;
      return [leftAt ?? known - oneWayMs / 2, arrivedAt ?? known + oneWayMs / 2];
    }),
  );
  return {
    arrows: drawn,
    notes: notesOf(arrows).filter(({ at }) => at >= least && at <= last),
    windows: windowSteps(windowsOf, least, last),
    fromMs: least,
    toMs: Math.max(last, least + 0.001),
    oneWayMs,
    remarks: [...remarks, ...remarksOnCut(drawn.length, within.length, arrows.length)],
  };
}

function nothingWithin(arrows: readonly Arrow[], { fromMs, toMs }: PlotOptions): RangeError {
  const [first, last] = spanOf(arrows.map(startOf));
  const asked = [
    fromMs === undefined ? '' : ` from ${formatMs(fromMs)}`,
    toMs === undefined ? '' : ` to ${formatMs(toMs)}`,
  ];
  return new RangeError(
    `there is no packet${asked.join('')}: the traced ones go from ${formatMs(first)} to ${formatMs(last)}`,
  );
}

function remarksOnCut(drawn: number, within: number, all: number): string[] {
  if (drawn < within)
    return [`The first ${drawn} packets of ${within} are drawn; --from MS and --to MS choose others.`];
  return drawn < all ? [`${drawn} packets of ${all} are drawn.`] : [];
}

/** When it is first seen. */
export function startOf(arrow: Arrow): number {
  return arrow.leftAt ?? arrow.arrivedAt ?? 0;
}

function byStart(a: Arrow, b: Arrow): number {
  return startOf(a) - startOf(b);
}

/** Wherever the sender goes back, and why. */
function notesOf(arrows: readonly Arrow[]): Note[] {
  const notes: Note[] = [];
  let resending: Arrow | undefined;
  const isData = ({ kind, isFromSender, leftAt }: Arrow) =>
    isFromSender && leftAt !== undefined && (kind === 'data' || kind === 'repair');
  for (const arrow of arrows.filter(isData).sort(byStart)) {
    const isGoingOn = resending && resending.why === arrow.why && arrow.seq > resending.seq;
    if (arrow.isResent && !isGoingOn) {
      const why = arrow.why !== undefined && RESENT_FOR.has(arrow.why) ? `${arrow.why}: ` : '';
      notes.push({ at: startOf(arrow), text: `${why}back to ${arrow.seq}` });
    }
    resending = arrow.isResent ? arrow : undefined;
  }
  return notes;
}

function windowSteps(trace: Trace, fromMs: number, toMs: number): WindowStep[] {
  const steps: WindowStep[] = [];
  for (const { at, window } of trace) {
    if (at > toMs) break;
    const [first, last] = window;
    const step = { at: Math.max(at, fromMs), first, last };
    const before = steps.at(-1);
    if (before && before.first === first && before.last === last) continue;
    // what was before it all counts until something else does
    if (before && at <= fromMs) steps.pop();
    steps.push(step);
  }
  return steps;
}

function spanOf(times: readonly number[]): [number, number] {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const time of times) {
    least = Math.min(least, time);
    most = Math.max(most, time);
  }
  return least === Number.POSITIVE_INFINITY ? [0, 0] : [least, most];
}

// --- words ------------------------------------------------------------------------------------------------

export function formatMs(ms: number): string {
  const text = ms.toFixed(3);
  return `${text.includes('.') ? text.replace(/\.?0+$/, '') : text} ms`;
}

/** What it says on an arrow. */
export function labelOf({ kind, seq, isResent, isLost }: Arrow): string {
  const again = isResent ? ' again' : '';
  return `${kind} ${seq}${again}${isLost ? ', lost' : ''}`;
}

/** Lines of no more than so many characters, unless a word is longer. */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return text === '' ? [] : lines;
}
