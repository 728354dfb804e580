import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Throttle, Tries } from '../src/throttle.ts';
import { settle } from './fakes.ts';

const OPTIONS = { burst: 5, everyMs: 10_000 };

const throttle = suite('throttle');

throttle('lets a burst through, then one in so many milliseconds', () => {
  const limit = new Throttle(OPTIONS);
  for (let i = 0; i < 5; i++) assert.is(limit.take('a', 1000), 0);
  assert.is(limit.take('a', 1000), 10_000);
  assert.is(limit.take('a', 10_999), 1);
  assert.is(limit.take('a', 11_000), 0);
  assert.is(limit.take('a', 11_000), 10_000);
});

throttle('takes nothing for what it refuses', () => {
  const limit = new Throttle(OPTIONS);
  for (let i = 0; i < 500; i++) limit.take('a', 0);
  assert.is(limit.take('a', 10_000), 0);
});

throttle('is full again after a pause, and not fuller', () => {
  const limit = new Throttle(OPTIONS);
  for (let i = 0; i < 5; i++) limit.take('a', 0);
  assert.is(limit.left('a', 0), 0);
  assert.is(limit.left('a', 25_000), 2);
  assert.is(limit.left('a', 9_000_000), 5);
  for (let i = 0; i < 5; i++) assert.is(limit.take('a', 9_000_000), 0);
  assert.is(limit.take('a', 9_000_000), 10_000);
});

throttle('keeps keys apart', () => {
  const limit = new Throttle(OPTIONS);
  for (let i = 0; i < 9; i++) limit.take('a', 0);
  assert.is(limit.take('b', 0), 0);
});

throttle('looks without taking', () => {
  const limit = new Throttle(OPTIONS);
  for (let i = 0; i < 50; i++) assert.equal([limit.wait('a', 0), limit.left('a', 0)], [0, 5]);
});

throttle('forgets those that were first seen longest ago when there are too many', () => {
  const limit = new Throttle({ ...OPTIONS, maxKeys: 3 });
  for (const key of ['a', 'b', 'c']) for (let i = 0; i < 5; i++) limit.take(key, 0);
  limit.take('d', 0);
  assert.equal(
    ['a', 'b', 'c', 'd'].map((key) => limit.left(key, 0)),
    [5, 0, 0, 4],
  );
});

throttle('never lets more through than the burst and what has come since', () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 60 }), (pauses) => {
      const limit = new Throttle(OPTIONS);
      const taken: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        if (limit.take('a', now) === 0) taken.push(now);
      }
      for (const [i, from] of taken.entries()) {
        for (const [j, to] of taken.entries()) {
          if (j >= i) assert.ok(j - i + 1 <= 5 + Math.floor((to - from) / 10_000), `${j - i + 1} in ${to - from} ms`);
        }
      }
    }),
  ),
);

throttle('there is a token exactly when there is nothing to wait for, on a clock of fractions too', () =>
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.array(fc.oneof(fc.double({ min: 0, max: 30_000, noNaN: true }), fc.constant('when it is due')), {
        maxLength: 20,
      }),
      (start, steps) => {
        const limit = new Throttle(OPTIONS);
        let now = start;
        for (const step of steps) {
          now += typeof step === 'number' ? step : limit.wait('a', now);
          assert.is(limit.left('a', now) > 0, limit.wait('a', now) === 0);
          limit.take('a', now);
        }
      },
    ),
    { numRuns: 3000 },
  ),
);
throttle.run();

const tries = suite('tries');

class Wrong extends Error {}

/** Tries whose work ends when the test says so. */
function open() {
  const clock = { now: 0 };
  const limit = new Tries(OPTIONS, () => clock.now);
  const underWay: Array<{ right(): void; wrong(error?: Error): void }> = [];
  const told: string[] = [];
  const start = (name: string, key = 'a') => {
    const work = () =>
      new Promise<void>((resolve, reject) => {
        underWay.push({ right: resolve, wrong: (error = new Wrong('wrong')) => reject(error) });
      });
    const refuse = (waitMs: number) => {
      throw new Error(`wait ${waitMs}`);
    };
    limit
      .run(key, work, (error) => error instanceof Wrong, refuse)
      .then(
        () => told.push(`${name} right`),
        (error) => told.push(`${name} ${error.message}`),
      );
  };
  return { clock, underWay, told, start };
}

tries('that fail are refused after a burst of five, and one more in ten seconds', async () => {
  const { clock, underWay, told, start } = open();
  for (let i = 1; i <= 7; i++) {
    start(`${i}`);
    await settle();
    underWay.shift()?.wrong();
    await settle();
  }
  assert.equal(told, ['1 wrong', '2 wrong', '3 wrong', '4 wrong', '5 wrong', '6 wait 10000', '7 wait 10000']);
  clock.now = 10_000;
  start('8');
  await settle();
  underWay.shift()?.wrong();
  start('9');
  await settle();
  assert.equal(told.slice(7), ['8 wrong', '9 wait 10000']);
});

tries('that are right cost nothing, however many come at once', async () => {
  const { underWay, told, start } = open();
  for (let i = 1; i <= 300; i++) start(`${i}`);
  while (told.length < 300) {
    await settle();
    assert.ok(underWay.length > 0 && underWay.length <= 5, `${underWay.length} at once`);
    for (const one of underWay.splice(0)) one.right();
    await settle();
  }
  assert.ok(told.every((line) => line.endsWith('right')));
});

tries('are never more at once than may still fail', async () => {
  const { underWay, told, start } = open();
  for (let i = 1; i <= 20; i++) start(`${i}`);
  await settle();
  assert.is(underWay.length, 5);
  for (const one of underWay.splice(0)) one.wrong();
  await settle();
  assert.is(underWay.length, 0);
  assert.is(told.filter((line) => line.endsWith('wrong')).length, 5);
  assert.is(told.filter((line) => line.endsWith('wait 10000')).length, 15, 'nobody is left waiting');
});

tries('that wait go on when one that is under way was right', async () => {
  const { underWay, told, start } = open();
  for (let i = 1; i <= 6; i++) start(`${i}`);
  await settle();
  underWay.shift()?.right();
  await settle();
  assert.equal([told, underWay.length], [['1 right'], 5]);
  underWay.shift()?.wrong();
  for (const one of underWay.splice(0)) one.right();
  await settle();
  assert.equal(told.slice(1).sort(), ['2 wrong', '3 right', '4 right', '5 right', '6 right']);
});

tries('that break for another reason are no failures', async () => {
  const { underWay, told, start } = open();
  for (let i = 1; i <= 10; i++) {
    start(`${i}`);
    await settle();
    underWay.shift()?.wrong(new Error('broken'));
    await settle();
  }
  assert.ok(told.every((line) => line.endsWith('broken')));
});

tries('of one key do not hold up those of another', async () => {
  const { underWay, start } = open();
  for (let i = 1; i <= 20; i++) start(`${i}`);
  start('other', 'b');
  await settle();
  assert.is(underWay.length, 6);
});

tries('leave nobody waiting, whatever comes of them', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.constantFrom('start', 'right', 'wrong'),
          fc.double({ min: 0, max: 20_000, noNaN: true }),
          fc.constant(10_000),
        ),
        { maxLength: 40 },
      ),
      async (steps) => {
        const { clock, underWay, told, start } = open();
        let started = 0;
        for (const step of steps) {
          if (step === 'start') start(`${++started}`);
          else if (step === 'right') underWay.shift()?.right();
          else if (step === 'wrong') underWay.shift()?.wrong();
          else clock.now += Number(step);
          await settle();
        }
        while (underWay.length > 0) {
          underWay.shift()?.right();
          await settle();
        }
        assert.is(told.length, started);
      },
    ),
  ),
);
tries.run();
