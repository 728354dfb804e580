import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { type Arrival, costOf, isUploadId, type Upload, type UploadPolicy, Uploads } from '../src/uploads.ts';

const MB = 1024 ** 2;
const HOUR = 3_600_000;
const POLICY: UploadPolicy = { fileBytes: MB, totalBytes: 10 * MB, keepMs: 10 * HOUR };
const SHA256 = 'a'.repeat(64);

interface TestUploads {
  readonly uploads: Uploads;
  readonly forgotten: string[];
  pass(ms: number): void;
}

function open(policy: Partial<UploadPolicy> = {}, isTrusted = false): TestUploads {
  let now = 0;
  let made = 0;
  const forgotten: string[] = [];
  const uploads = new Uploads({
    policy: { ...POLICY, ...policy },
    random: () => `id-number-${String(++made).padStart(8, '0')}`,
    wall: () => 1_000_000 + now,
    now: () => now,
    isTrusted: () => isTrusted,
    forget: ({ id }) => void forgotten.push(id),
  });
  return {
    uploads,
    forgotten,
    pass: (ms) => {
      now += ms;
    },
  };
}

function keep(arrival: Arrival): Upload {
  const upload = arrival.describe({ name: 'f', type: 'text/plain', sha256: SHA256 });
  arrival.keep(upload);
  return upload;
}

function bring(uploads: Uploads, bytes: number, ip = '10.0.0.1'): Upload {
  const arrival = uploads.begin(ip, bytes);
  arrival.take(bytes);
  return keep(arrival);
}

/** `code: message` of a HouseError. */
async function refusal(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    assert.instance(error, HouseError, String((error as Error).stack));
    return `${(error as HouseError).code}: ${(error as HouseError).message}`;
  }
  return 'no refusal';
}

const test = suite('uploads');

test('what has come whole is found, for as long as it is to be kept', () => {
  const { uploads, forgotten, pass } = open();
  const upload = bring(uploads, 1000);
  assert.ok(isUploadId(upload.id));
  assert.equal(uploads.find(upload.id), upload);
  assert.is(upload.bytes, 1000);
  assert.is(uploads.keptBytes, 1000);
  pass(10 * HOUR - 1);
  uploads.sweep();
  assert.is(uploads.leftMs(upload), 1);
  assert.ok(uploads.find(upload.id));
  pass(1);
  assert.is(uploads.find(upload.id), undefined);
  assert.equal(forgotten, []);
  uploads.sweep();
  assert.equal(forgotten, [upload.id]);
  assert.equal([uploads.count, uploads.keptBytes, uploads.usedBytes], [0, 0, 0]);
});

test('an empty file is a file', () => {
  const { uploads } = open();
  assert.is(uploads.find(bring(uploads, 0).id)?.bytes, 0);
});

test('what is on its way is not there yet, and what is given up leaves nothing', async () => {
  const { uploads, forgotten } = open();
  const arrival = uploads.begin('10.0.0.1', 5000);
  arrival.take(5000);
  assert.is(uploads.find(arrival.id), undefined);
  assert.ok(uploads.usedBytes >= 5000);
  arrival.giveUp();
  arrival.giveUp();
  assert.equal([uploads.count, uploads.usedBytes, forgotten.length], [0, 0, 0]);
});

test('giving up what was kept changes nothing', () => {
  const { uploads } = open();
  const arrival = uploads.begin('10.0.0.1', undefined);
  arrival.take(10);
  const upload = keep(arrival);
  arrival.giveUp();
  assert.equal(uploads.find(upload.id), upload);
});

test('a file that is too large is refused: by what is said of it, or by what comes', async () => {
  const { uploads } = open();
  assert.match(await refusal(() => uploads.begin('10.0.0.1', MB + 1)), /^too-long/);
  const arrival = uploads.begin('10.0.0.1', 10);
  arrival.take(MB);
  assert.match(await refusal(() => arrival.take(1)), /^too-long/);
});

test('a house that is full takes nothing until something is old', async () => {
  const { uploads, forgotten, pass } = open({ fileBytes: 9 * MB });
  const first = bring(uploads, 5 * MB);
  pass(HOUR);
  const second = bring(uploads, 4 * MB);
  assert.match(await refusal(() => uploads.begin('10.0.0.1', 2 * MB)), /^full/);
  const arrival = uploads.begin('10.0.0.1', undefined);
  assert.match(await refusal(() => arrival.take(2 * MB)), /^full/);
  arrival.giveUp();
  assert.equal(forgotten, []);
  pass(9 * HOUR);
  const third = bring(uploads, 5 * MB);
  assert.equal(forgotten, [first.id]);
  assert.ok(uploads.find(second.id) && uploads.find(third.id));
});

test('small files count with what they take: they can’t be without number', async () => {
  const { uploads } = open({ totalBytes: 10 * costOf(1) });
  for (let i = 0; i < 10; i++) bring(uploads, 1);
  assert.match(await refusal(() => uploads.begin('10.0.0.1', 1)), /^full/);
  assert.ok(costOf(0) > 0);
});

test('files of before count, and none is from a time to come', () => {
  const { uploads, pass } = open();
  const one = { id: 'x'.repeat(20), name: 'a', type: 'b/c', bytes: 100, sha256: SHA256, at: 1_000_000 + HOUR };
  uploads.load([one]);
  assert.is(uploads.keptBytes, 100);
  pass(10 * HOUR);
  assert.is(uploads.find(one.id), undefined);
});

test('of those of before, what is old goes; more than may be there stays its time', async () => {
  const { uploads, forgotten, pass } = open({ totalBytes: 100_000 });
  const one = { name: 'a', type: 'b/c', bytes: 90_000, sha256: SHA256 };
  pass(20 * HOUR);
  const at = 1_000_000 + 20 * HOUR;
  uploads.load([
    { ...one, id: 'a'.repeat(20), at: at - 11 * HOUR },
    { ...one, id: 'b'.repeat(20), at: at - 9 * HOUR },
    { ...one, id: 'c'.repeat(20), at },
  ]);
  assert.equal(forgotten, ['a'.repeat(20)]);
  assert.is(uploads.count, 2);
  assert.match(await refusal(() => uploads.begin('10.0.0.1', 1)), /^full/);
});

test('one network brings so many files at once, others are free to', async () => {
  const { uploads } = open({ totalBytes: 100 * MB });
  const arrivals = Array.from({ length: 64 }, () => uploads.begin('2001:db8::1', 1));
  assert.match(await refusal(() => uploads.begin('2001:db8::2', 1)), /^too-fast/);
  uploads.begin('2001:db8:0:1::1', 1);
  arrivals[0]?.giveUp();
  uploads.begin('2001:db8::2', 1);
});

test('one network brings so much in an hour, whatever becomes of it', async () => {
  const { uploads, pass } = open({ fileBytes: 512 * MB, totalBytes: 10_240 * MB });
  bring(uploads, 500 * MB);
  const cut = uploads.begin('10.0.0.1', undefined);
  cut.take(500 * MB);
  cut.giveUp();
  assert.match(await refusal(() => uploads.begin('10.0.0.1', 100 * MB)), /^too-fast: .* 5 min$/);
  const untold = uploads.begin('10.0.0.1', undefined);
  assert.match(await refusal(() => untold.take(100 * MB)), /^too-fast/);
  untold.giveUp();
  bring(uploads, 100 * MB, '10.0.0.2');
  pass(HOUR);
  bring(uploads, 512 * MB);
});

test('small files are more than their bytes', async () => {
  const { uploads, pass } = open({ totalBytes: 10_240 * MB });
  let brought = 0;
  for (; brought < 20_000; brought++) {
    if ((await refusal(() => bring(uploads, 1))) !== 'no refusal') break;
  }
  assert.is(Math.round(brought / 100), 164);
  bring(uploads, 1, '10.0.0.2');
  pass(HOUR);
  for (let i = 0; i < 10_000; i++) bring(uploads, 1);
});

test('there is a last file, however small they are', async () => {
  const { uploads, pass } = open({ totalBytes: 10_240 * MB }, true);
  for (let i = 0; i < 100_000; i++) bring(uploads, 0);
  assert.match(await refusal(() => uploads.begin('10.0.0.1', 0)), /^full/);
  pass(10 * HOUR);
  bring(uploads, 0);
  assert.is(uploads.count, 1);
});

test('what was announced and did not come is not counted', () => {
  const { uploads } = open({ fileBytes: 512 * MB, totalBytes: 10_240 * MB });
  for (let i = 0; i < 10; i++) {
    const arrival = uploads.begin('10.0.0.1', 512 * MB);
    arrival.take(1000);
    arrival.giveUp();
  }
});

test('whom the operator trusts brings what the house takes', () => {
  const { uploads } = open({ fileBytes: 512 * MB, totalBytes: 10_240 * MB }, true);
  for (let i = 0; i < 10; i++) bring(uploads, 512 * MB);
  for (let i = 0; i < 100; i++) uploads.begin('10.0.0.1', 1);
});

test('what somebody took from the disk is forgotten', () => {
  const { uploads, forgotten } = open();
  const { id } = bring(uploads, 10);
  uploads.lost(id);
  uploads.lost(id);
  assert.equal([uploads.find(id), uploads.usedBytes, forgotten], [undefined, 0, [id]]);
});

test('many networks are not remembered for ever', () => {
  const { uploads } = open({ totalBytes: 100 * MB });
  for (let i = 0; i < 25_000; i++) uploads.begin(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 1).giveUp();
});
test.run();

// --- whatever happens ------------------------------------------------------------------------------------------

const always = suite('uploads: always');

type Step =
  | { readonly kind: 'begin'; readonly announced: number | undefined }
  | { readonly kind: 'take'; readonly which: number; readonly bytes: number }
  | { readonly kind: 'keep' | 'give up' | 'lost'; readonly which: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'sweep' };

const which = fc.nat(20);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('begin' as const),
        announced: fc.option(fc.nat(120_000), { nil: undefined }),
      }),
    },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('take' as const), which, bytes: fc.nat(60_000) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('keep' as const, 'give up' as const), which }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('lost' as const), which }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(4 * HOUR) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
  ),
  { maxLength: 120 },
);

always('the total is never more than it may be, and nothing goes before its time', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const policy = { fileBytes: 100_000, totalBytes: 300_000, keepMs: 5 * HOUR };
      const { uploads, forgotten, pass } = open(policy);
      const arriving: Arrival[] = [];
      const kept: Upload[] = [];
      const taken = new Set<string>();
      for (const step of all) {
        try {
          run(step);
        } catch (error) {
          assert.match(String(error), /^HouseError/, String((error as Error).stack));
        }
        check();
      }
      for (const arrival of arriving.splice(0)) arrival.giveUp();
      check();
      pass(policy.keepMs);
      uploads.sweep();
      assert.equal([uploads.usedBytes, uploads.count, uploads.keptBytes], [0, 0, 0]);
      assert.equal([...forgotten].sort(), kept.map(({ id }) => id).sort());

      function run(step: Step): void {
        if (step.kind === 'begin') arriving.push(uploads.begin('10.0.0.1', step.announced));
        else if (step.kind === 'pass') pass(step.ms);
        else if (step.kind === 'sweep') uploads.sweep();
        else if (step.kind === 'lost') {
          const one = kept[step.which];
          if (one) taken.add(one.id);
          if (one) uploads.lost(one.id);
        } else {
          const one = arriving[step.which];
          if (!one) return;
          if (step.kind === 'take') return one.take(step.bytes);
          arriving.splice(step.which, 1);
          if (step.kind === 'keep') kept.push(keep(one));
          else one.giveUp();
        }
      }

      function check(): void {
        const there = kept.filter(({ id }) => !forgotten.includes(id));
        const cost = [...there, ...arriving].reduce((sum, { bytes }) => sum + costOf(bytes), 0);
        assert.is(uploads.usedBytes, cost);
        assert.ok(cost <= policy.totalBytes);
        assert.is(new Set(forgotten).size, forgotten.length);
        for (const upload of kept) {
          const isDue = uploads.leftMs(upload) > 0 && !taken.has(upload.id);
          assert.is(uploads.find(upload.id) !== undefined, isDue);
          if (isDue) assert.not(forgotten.includes(upload.id));
        }
      }
    }),
    { numRuns: 300 },
  );
});
always.run();
