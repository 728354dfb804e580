import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatBytes, formatDuration, Progress } from '../src/progress.ts';

const test = suite('progress');

const LABEL = 'pic.jpg from alice';
const MB = 1_000_000;

const BYTES: Array<[number, string]> = [
  [0, '0 B'],
  [0.4, '0 B'],
  [999, '999 B'],
  [999.4, '999 B'],
  [999.5, '1.0 kB'],
  [1000, '1.0 kB'],
  [1049, '1.0 kB'],
  [99_949, '99.9 kB'],
  [99_950, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [12_345_678, '12.3 MB'],
  [999.6 * MB, '1.00 GB'],
  [1.2e9, '1.20 GB'],
  [9.994e9, '9.99 GB'],
  [9.995e9, '10.0 GB'],
  [123.4e9, '123 GB'],
  [5e12, '5.00 TB'],
  [Number.MAX_SAFE_INTEGER, '9.01 PB'],
  [-1, '0 B'],
];
for (const [bytes, text] of BYTES) test(`${bytes} bytes are ${text}`, () => assert.is(formatBytes(bytes), text));

test('never more than three digits', () => {
  for (let bytes = 1; bytes < 1e18; bytes *= 1.01) {
    const digits = formatBytes(bytes).replace(/\D/g, '');
    assert.ok(digits.length <= 3, `${bytes}: ${formatBytes(bytes)}`);
  }
});

const DURATIONS: Array<[number, string]> = [
  [0, '0:00'],
  [2000, '0:02'],
  [59_499, '0:59'],
  [59_500, '1:00'],
  [75_000, '1:15'],
  [3_599_999, '1:00:00'],
  [7_389_000, '2:03:09'],
  [-5, '0:00'],
];
for (const [ms, text] of DURATIONS) test(`${ms} ms are ${text}`, () => assert.is(formatDuration(ms), text));

/** [at, bytes that come then] */
type Arrival = readonly [number, number];

/** Every 100 ms the same, from one time to the other. */
function steady(from: number, to: number, perSecond: number): Arrival[] {
  const arrivals: Arrival[] = [];
  for (let at = from + 100; at <= to; at += 100) arrivals.push([at, perSecond / 10]);
  return arrivals;
}

function transfer(total: number, had: number, arrivals: readonly Arrival[]): Progress {
  const progress = new Progress(LABEL, 0);
  progress.begin(total, had, 0);
  for (const [at, bytes] of arrivals) progress.advance(bytes, at);
  return progress;
}

const LINES: Array<[string, Progress, number, string]> = [
  ['a start', transfer(36 * MB, 0, []), 0, '  0 %  0 B/36.0 MB  0 B/s'],
  ['an even rate', transfer(36 * MB, 0, steady(0, 2000, 6 * MB)), 2000, ' 33 %  12.0/36.0 MB  6.0 MB/s  0:04 left'],
  ['units that differ', transfer(2000 * MB, 0, [[1000, MB]]), 1000, '  0 %  1.0 MB/2.00 GB  1.0 MB/s  33:19 left'],
  [
    'a part that was there',
    transfer(36 * MB, 18 * MB, steady(0, 1000, 6 * MB)),
    1000,
    ' 66 %  24.0/36.0 MB  6.0 MB/s  0:02 left',
  ],
  [
    'the rate of late',
    transfer(900 * MB, 0, [...steady(0, 10_000, MB), ...steady(10_000, 15_000, 10 * MB)]),
    15_000,
    '  6 %  60.0/900 MB  10.0 MB/s  1:24 left',
  ],
  [
    'a rate that has halved a moment ago',
    transfer(900 * MB, 0, [...steady(0, 10_000, 10 * MB), ...steady(10_000, 11_000, 5 * MB)]),
    11_000,
    ' 11 %  105/900 MB  8.8 MB/s  1:31 left',
  ],
  ['a short stall', transfer(36 * MB, 0, steady(0, 4000, 6 * MB)), 6000, ' 66 %  24.0/36.0 MB  3.0 MB/s  0:04 left'],
  ['a long stall', transfer(36 * MB, 0, steady(0, 4000, 6 * MB)), 8000, ' 66 %  24.0/36.0 MB  0 B/s'],
  ['all at once', transfer(36 * MB, 0, [[0, 18 * MB]]), 0, ' 50 %  18.0/36.0 MB  36.0 MB/s  0:01 left'],
  ['nearly all', transfer(36 * MB, 36 * MB - 1, []), 1000, ' 99 %  36.0/36.0 MB  0 B/s'],
  ['nearly all of very much', transfer(2 ** 53, 2 ** 53 - 1, []), 1000, ' 99 %  9.01/9.01 PB  0 B/s'],
  ['all', transfer(36 * MB, 0, steady(0, 6000, 6 * MB)), 6000, '100 %  36.0/36.0 MB  6.0 MB/s'],
  ['an empty file', transfer(0, 0, []), 0, '100 %  0/0 B  0 B/s'],
  ['no end in sight', transfer(2 ** 50, 0, [[1000, 1]]), 1000, '  0 %  1 B/1.13 PB  1 B/s'],
  ['a clock that goes back', transfer(36 * MB, 0, [[1000, MB]]), -1000, '  2 %  1.0/36.0 MB  2.0 MB/s  0:18 left'],
];
for (const [what, progress, now, text] of LINES) {
  test(what, () => assert.is(progress.line(now), `${LABEL}  ${text}`));
}

test('without a total: what has come', () => {
  const progress = new Progress(LABEL, 5000);
  assert.is(progress.line(5000), `${LABEL}  0 B  0 B/s`);
  progress.advance(2 * MB, 6000);
  assert.is(progress.line(6000), `${LABEL}  2.0 MB  2.0 MB/s`);
});

test('a note stands instead of rate and time left', () => {
  const progress = transfer(36 * MB, 0, steady(0, 2000, 6 * MB));
  progress.note = 'retry 2 in 4 s';
  assert.is(progress.line(2000), `${LABEL}   33 %  12.0/36.0 MB  retry 2 in 4 s`);
  progress.note = undefined;
  assert.match(progress.line(2000), /6\.0 MB\/s {2}0:04 left$/);
});

test('a new start measures anew', () => {
  const progress = transfer(36 * MB, 0, steady(0, 2000, 6 * MB));
  progress.begin(36 * MB, 8 * MB, 2100);
  assert.is(progress.line(2100), `${LABEL}   22 %  8.0/36.0 MB  0 B/s`);
  for (const [at, bytes] of steady(2100, 4100, MB)) progress.advance(bytes, at);
  assert.is(progress.line(4100), `${LABEL}   27 %  10.0/36.0 MB  1.0 MB/s  0:26 left`);
});

test('the rate of what comes in bursts does not jump', () => {
  const progress = new Progress(LABEL, 0);
  progress.begin(1e12, 0, 0);
  for (let at = 500; at <= 60_000; at += 500) {
    progress.advance(5 * MB, at);
    const [, rate] = /([\d.]+) MB\/s/.exec(progress.line(at + 250)) ?? [];
    if (at > 4000) assert.ok(Math.abs(Number(rate) - 10) < 1.5, `${rate} MB/s at ${at}`);
  }
});

test('a thousand advances in a moment are one sample or two', () => {
  const progress = transfer(
    36 * MB,
    0,
    Array.from({ length: 1000 }, (_, at): Arrival => [at / 10, 1000]),
  );
  assert.is(progress.line(100), `${LABEL}    2 %  1.0/36.0 MB  2.0 MB/s  0:18 left`);
});

for (const [label, shown] of [
  ['x'.repeat(30), 'x'.repeat(30)],
  ['a-very-long-name-of-a-picture.jpg from alice', 'a-very-long-na….jpg from alice'],
  ['日本語日本語日本語日本語日本語日本語.jpg', '日本語日本語…日本語日本語.jpg'],
] as const) {
  test(`the label ${label} fits`, () => {
    const progress = new Progress(label, 0);
    progress.begin(1.2e9, 999_000, 0);
    assert.is(progress.line(0), `${shown}    0 %  999 kB/1.20 GB  0 B/s`);
  });
}

const NARROW: Array<[number, string]> = [
  [60, 'pic.jpg from alice   33 %  12.0/36.0 MB  6.0 MB/s  0:04 left'],
  [59, 'pic.jpg from alice   33 %  12.0/36.0 MB  6.0 MB/s'],
  [49, 'pic.jpg from alice   33 %  12.0/36.0 MB  6.0 MB/s'],
  [48, 'pic.jpg from alice   33 %  12.0/36.0 MB'],
  [39, 'pic.jpg from alice   33 %  12.0/36.0 MB'],
  [38, 'pic.jpg from alice   33 %'],
  [25, 'pic.jpg from alice   33 %'],
  [24, 'pic.jpg…rom alice   33 %'],
  [19, 'pic.j… alice   33 %'],
  [11, 'p…ce   33 %'],
  [10, ' 33 %'],
  [1, ' 33 %'],
];
for (const [room, line] of NARROW) {
  test(`in ${room} columns: ${line}`, () => {
    assert.is(transfer(36 * MB, 0, steady(0, 2000, 6 * MB)).line(2000, room), line);
  });
}

test('in few columns a note is left out like the rate', () => {
  const progress = transfer(36 * MB, 0, steady(0, 2000, 6 * MB));
  progress.note = 'the connection broke; again in 4 s';
  assert.is(progress.line(2000, 50), `${LABEL}   33 %  12.0/36.0 MB`);
  assert.is(progress.line(2000, 30), `${LABEL}   33 %`);
});

test('fits into any width, whatever is wide in its name', () => {
  for (const label of ['', 'a', '日本語日本語日本語 from ann', 'a日b本c語d', 'e\u0301'.repeat(40)]) {
    const progress = new Progress(label, 0);
    for (let room = 1; room < 100; room++) {
      progress.total = undefined;
      const widthOf = (line: string) => line.replace(/[\u0301]/g, '').replace(/[日本語]/g, 'xx').length;
      assert.ok(widthOf(progress.line(0, room)) <= Math.max(room, 4), `${label} in ${room}`);
      progress.begin(1.2e9, 999_000, 0);
      const line = progress.line(0, room);
      assert.ok(widthOf(line) <= Math.max(room, 5), `${line} in ${room}`);
      assert.ok(line.includes('  0 %'));
    }
  }
});

test.run();
