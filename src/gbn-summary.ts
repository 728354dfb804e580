// Layer 1. How a transfer went, for a person, in one line, or as JSON. Pure.

import type { GbnStats } from './gbn-stats.ts';
import { printable } from './printable.ts';
import { formatBytes, formatDuration } from './progress.ts';

export interface Summary {
  readonly name: string;
  readonly isDone: boolean;
  readonly code: string;
  readonly text: string;
  /** Known at the receiving end. */
  readonly isVerified?: boolean;
  /** Of the classic wire: as far as it can tell. */
  readonly isConfirmed?: boolean | undefined;
  readonly path: string | undefined;
  readonly size: number;
  readonly offset: number;
  readonly ms: number;
  readonly stats: Readonly<GbnStats>;
  readonly dropped: number;
}

/** Of less than this the offer and the acknowledgements are most of what was on the wire. */
const LEAST_RATED_BYTES = 100_000;

/** With a newline behind each. */
export function linesOf(end: 'send' | 'recv', summary: Summary): string {
  const { stats, dropped } = summary;
  const counts = countsOf(end, stats).map(([name, value]) => `${name} ${value}`);
  const trouble = dropped > 0 ? [`lost on purpose ${dropped}`] : [];
  return [headOf(end, summary), `  ${[...counts, ...trouble].join(', ')}`, `  ${linkOf(end, summary)}`, ''].join('\n');
}

export function lineOf(end: 'send' | 'recv', summary: Summary): string {
  const counts = countsOf(end, summary.stats).map(([name, value]) => `${name} ${value}`);
  return `${[headOf(end, summary), ...counts, linkOf(end, summary)].join(', ')}\n`;
}

export function jsonOf(end: 'send' | 'recv', summary: Summary): string {
  const { name, isDone, isVerified, isConfirmed, path, code, text, size, offset, ms, stats, dropped } = summary;
  return JSON.stringify({
    event: 'end',
    end,
    ok: isDone,
    code,
    reason: isDone ? undefined : text,
    name,
    path,
    verified: isVerified,
    confirmed: isConfirmed,
    size,
    offset,
    ms: Math.round(ms * 10) / 10,
    goodput: Math.round(goodputOf(summary)),
    ...stats,
    dropped,
  });
}

/** Bytes of the file in a second, without those that were there before. */
function goodputOf({ isDone, size, offset, ms, stats }: Summary): number {
  const bytes = isDone ? size - offset : stats.bytes;
  return (bytes * 1000) / Math.max(1, ms);
}

function headOf(end: 'send' | 'recv', summary: Summary): string {
  const { name, isDone, isVerified, isConfirmed, size, offset, ms, stats } = summary;
  const bytes = isDone ? size - offset : stats.bytes;
  const amount =
    offset > 0 ? `${formatBytes(bytes)} behind the ${formatBytes(offset)} that were there` : formatBytes(bytes);
  const checked = isVerified ? ', SHA-256 is right' : isConfirmed === false ? ', not confirmed by the other end' : '';
  const verb = end === 'send' ? 'sent' : 'received';
  const rate = `${formatBytes(goodputOf(summary))}/s`;
  return `${printable(name) || 'nothing'}: ${amount} ${verb} in ${formatSeconds(ms)}, ${rate}${isDone ? checked : ', not all of it'}`;
}

function formatSeconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toPrecision(3)} s` : formatDuration(ms);
}

function countsOf(end: 'send' | 'recv', stats: Readonly<GbnStats>): Array<[string, number]> {
  const { packets, resent, repairs, timeouts, fastGoBacks, duplicates, invalid } = stats;
  const common: Array<[string, number]> = [
    ['packets', packets],
    [end === 'send' ? 'sent again' : 'had before', resent],
    ['repairs', repairs],
  ];
  const own: Array<[string, number]> =
    end === 'send'
      ? [
          ['timeouts', timeouts],
          ['fast go-backs', fastGoBacks],
          ['duplicate acks', duplicates],
        ]
      : [['twice', duplicates]];
  return [...common, ...own, ...(invalid > 0 ? [['invalid', invalid] as [string, number]] : [])];
}

function linkOf(end: 'send' | 'recv', { stats, size, offset, isDone }: Summary): string {
  const { roundTripMs, window, wireBytes } = stats;
  const moved = size - offset;
  const rate = isDone && moved >= LEAST_RATED_BYTES ? ` (× ${(wireBytes / moved).toFixed(2)})` : '';
  const wire = `${formatBytes(wireBytes)} on the wire${rate}`;
  if (end === 'recv' || roundTripMs === 0) return wire;
  return `RTT ${roundTripMs.toPrecision(3)} ms, window ${window}, ${wire}`;
}
