// Go-Back-N in one process, under a virtual clock: two machines over a simulated link, the grid of links on which other
// programs were measured, beside what is to be reached; then transfers that share a link, and one beside a TCP stream.
//
//   node bench/gbn-link.ts [--only plain|auto|share|tcp] [--rtt MS] [--loss PERCENT] [--seeds N]
import { parseArgs } from 'node:util';
import { beside, GRID, ipBytes, linkOf, plainWindow, share } from '../test/udp-gbn-grid.ts';
import { Transfer, World } from '../test/udp-gbn-pair.ts';

const SIZE = 20_000_000;

interface Cell {
  readonly mbit: number;
  readonly ratio: number;
  readonly cpuMs: number;
  readonly note: string;
}

function measure(rttMs: number, loss: number, window: number | 'auto', seed: number): Cell {
  const world = new World(linkOf(rttMs, loss), linkOf(rttMs, loss), seed);
  const transfer = new Transfer({ size: SIZE, seed, sender: { window } });
  const start = process.cpuUsage();
  world.attach(transfer.from, transfer.to);
  const isDone = world.run(() => transfer.isOver, 200_000);
  const { user, system } = process.cpuUsage(start);
  const { stats } = transfer.sender;
  const ms = transfer.to.doneAt;
  const { overflowed } = world.forward.stats;
  const note = `fast ${stats.fastGoBacks} timeouts ${stats.timeouts} resent ${stats.resent} repairs ${stats.repairs} overflowed ${overflowed}`;
  return {
    mbit: isDone && transfer.receiver.state === 'done' ? (SIZE * 8) / ms / 1000 : 0,
    ratio: ipBytes(world.forward.stats) / SIZE,
    cpuMs: (user + system) / 1000,
    note,
  };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number;
}

function grid(
  kind: 'plain' | 'auto',
  only: { rtt: number | undefined; loss: number | undefined; seeds: number },
): void {
  console.log(`\n| RTT ms, loss % | ${kind} Mbit/s | goal | IP bytes/file | CPU s | |\n|---|---|---|---|---|---|`);
  for (const [rtt, loss, plainGoal, autoGoal] of GRID) {
    if ((only.rtt ?? rtt) !== rtt || (only.loss ?? loss) !== loss) continue;
    const window = kind === 'plain' ? plainWindow(rtt) : 'auto';
    const cells = Array.from({ length: only.seeds }, (_, seed) => measure(rtt, loss, window, seed + 1));
    const mbit = median(cells.map((cell) => cell.mbit));
    const goal = kind === 'plain' ? plainGoal : autoGoal;
    const ratio = median(cells.map((cell) => cell.ratio)).toFixed(3);
    const cpu = (median(cells.map((cell) => cell.cpuMs)) / 1000).toFixed(1);
    const verdict = mbit >= goal ? '' : ' (below)';
    console.log(`| ${rtt}, ${loss} | ${mbit.toFixed(1)}${verdict} | ${goal} | ${ratio} | ${cpu} | ${cells[0]?.note} |`);
  }
}

function sharing(): void {
  console.log('\n| two transfers: RTT ms, loss %, second after ms | first | second | ratio |\n|---|---|---|---|');
  for (const rtt of [2, 20, 80]) {
    for (const [loss, later] of [
      [0, 0],
      [0, 1500],
      [1, 1500],
    ] as const) {
      const [a = 0, b = 0] = share(rtt, loss, later, 1);
      const ratio = Math.max(a, b) / Math.min(a, b);
      console.log(`| ${rtt}, ${loss}, ${later} | ${a.toFixed(1)} | ${b.toFixed(1)} | ${ratio.toFixed(2)} |`);
    }
  }
}

function besideTcp(): void {
  console.log('\n| beside TCP: RTT ms, kind, who was first | ours | TCP | TCP of both |\n|---|---|---|---|');
  for (const rtt of [2, 20, 80]) {
    for (const kind of ['cubic', 'reno'] as const) {
      for (const isFirst of [true, false]) {
        const [ours = 0, tcp = 0] = beside(rtt, kind, isFirst, 1);
        const part = ((100 * tcp) / (ours + tcp)).toFixed(0);
        const who = isFirst ? 'TCP' : 'we';
        console.log(`| ${rtt}, ${kind}, ${who} | ${ours.toFixed(1)} | ${tcp.toFixed(1)} | ${part} % |`);
      }
    }
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rtt: { type: 'string' },
      loss: { type: 'string' },
      seeds: { type: 'string', default: '1' },
    },
  });
  const only = {
    rtt: values.rtt === undefined ? undefined : Number(values.rtt),
    loss: values.loss === undefined ? undefined : Number(values.loss),
    seeds: Number(values.seeds),
  };
  if (values.only === undefined || values.only === 'plain') grid('plain', only);
  if (values.only === undefined || values.only === 'auto') grid('auto', only);
  if (values.only === undefined || values.only === 'share') sharing();
  if (values.only === undefined || values.only === 'tcp') besideTcp();
}

if (import.meta.main) main();
