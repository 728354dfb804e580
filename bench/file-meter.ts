// What a transfer costs: CPU time of the processes that take part, and the most memory of the one in the middle.
import { readFileSync, writeFileSync } from 'node:fs';
import { readCpuTime, readRssKb } from './harness.ts';

export type Part = 'middle' | 'source' | 'sink';
export type Pids = Partial<Record<Part, number>>;

/** What is not known is NaN. */
export type Cost = { middleCpuS: number; sourceCpuS: number; sinkCpuS: number; rssBeforeMb: number; rssPeakMb: number };

/** Starts measuring; the function that it returns tells what has been used since. */
export function startMeter(pids: Pids): () => Cost {
  const { middle, source, sink } = pids;
  if (middle !== undefined) resetPeak(middle);
  const rssBeforeMb = middle === undefined ? Number.NaN : readRssKb(middle) / 1024;
  const before = [middle, source, sink].map(cpuSeconds);
  return () => {
    const [middleCpuS = NaN, sourceCpuS = NaN, sinkCpuS = NaN] = [middle, source, sink].map(
      (pid, index) => cpuSeconds(pid) - (before[index] ?? Number.NaN),
    );
    const rssPeakMb = middle === undefined ? Number.NaN : readPeakRssKb(middle) / 1024;
    return { middleCpuS, sourceCpuS, sinkCpuS, rssBeforeMb, rssPeakMb };
  };
}

function cpuSeconds(pid: number | undefined): number {
  return pid === undefined ? Number.NaN : readCpuTime(pid).processUs / 1e6;
}

/** proc(5), clear_refs: what /proc knows as the peak becomes what is used now. */
function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function readPeakRssKb(pid: number): number {
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(peak?.[1]);
}
