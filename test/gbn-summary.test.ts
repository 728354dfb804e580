import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { emptyStats } from '../src/gbn-stats.ts';
import { jsonOf, lineOf, linesOf, type Summary } from '../src/gbn-summary.ts';

const test = suite('gbn summary');

const DONE: Summary = {
  name: 'song.mp3',
  isDone: true,
  code: 'done',
  text: '',
  path: 'in/song.mp3',
  size: 20_000_000,
  offset: 0,
  ms: 2000,
  stats: {
    ...emptyStats(),
    bytes: 20_000_000,
    packets: 15_000,
    wireBytes: 21_000_000,
    resent: 12,
    repairs: 34,
    timeouts: 5,
    fastGoBacks: 6,
    duplicates: 7,
    roundTripMs: 20.04,
    window: 180,
  },
  dropped: 0,
};

test('of a sender, for a person', () => {
  assert.is(
    linesOf('send', { ...DONE, dropped: 3 }),
    `song.mp3: 20.0 MB sent in 2.00 s, 10.0 MB/s
  packets 15000, sent again 12, repairs 34, timeouts 5, fast go-backs 6, duplicate acks 7, lost on purpose 3
  RTT 20.0 ms, window 180, 21.0 MB on the wire (× 1.05)
`,
  );
});

test('of a receiver, in one line', () => {
  assert.is(
    lineOf('recv', { ...DONE, isVerified: true }),
    'song.mp3: 20.0 MB received in 2.00 s, 10.0 MB/s, SHA-256 is right, packets 15000, had before 12, repairs 34, ' +
      'twice 7, 21.0 MB on the wire (× 1.05)\n',
  );
});

test('of one that went on where it was cut', () => {
  const line = lineOf('recv', { ...DONE, offset: 5_000_000, isVerified: true });
  assert.match(line, /^song\.mp3: 15\.0 MB behind the 5\.0 MB that were there received in 2\.00 s, 7\.5 MB\/s, SHA/);
});

test('of one that failed', () => {
  const stats = { ...DONE.stats, bytes: 1_000_000 };
  const line = lineOf('send', { ...DONE, isDone: false, code: 'silent', text: 'nothing was heard', stats });
  assert.match(line, /^song\.mp3: 1\.0 MB sent in 2\.00 s, 500 kB\/s, not all of it, /);
});

test('how much was on the wire for each byte is told of a whole file that is not small', () => {
  const small = { ...DONE.stats, wireBytes: 90_000 };
  assert.match(lineOf('recv', { ...DONE, size: 99_999, stats: small }), /90\.0 kB on the wire\n$/);
  assert.match(lineOf('recv', { ...DONE, size: 100_000, stats: small }), /on the wire \(× 0\.90\)\n$/);
  assert.match(lineOf('recv', { ...DONE, offset: 19_950_000, stats: small }), /on the wire\n$/);
  assert.match(lineOf('recv', { ...DONE, isDone: false }), /on the wire\n$/);
  assert.match(linesOf('send', { ...DONE, isDone: false }), /on the wire\n$/);
});

test('of the classic wire, which can not tell', () => {
  assert.match(lineOf('recv', { ...DONE, isConfirmed: false }), /, not confirmed by the other end, /);
});

test('nothing moves the cursor', () => {
  assert.not.ok(lineOf('send', { ...DONE, name: 'a\x1b[2Jb' }).includes('\x1b'));
});

test('as JSON', () => {
  const told = JSON.parse(jsonOf('recv', { ...DONE, isVerified: true, offset: 5_000_000 }));
  const { event, end, ok, verified, goodput, size, offset, packets, path, reason } = told;
  assert.equal([event, end, ok, verified, goodput], ['end', 'recv', true, true, 7_500_000]);
  assert.equal([size, offset, packets, path, reason], [20_000_000, 5_000_000, 15_000, 'in/song.mp3', undefined]);
  assert.is(JSON.parse(jsonOf('send', { ...DONE, isDone: false, text: 'why' })).reason, 'why');
});

test.run();
