import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Alarms, type Sleeper } from '../src/alarm.ts';

class Dreamer implements Sleeper {
  at = Number.POSITIVE_INFINITY;
  ticks: number[] = [];
  /** What a tick does to its deadline. */
  next: (now: number) => number = () => Number.POSITIVE_INFINITY;

  tick(now: number): void {
    this.ticks.push(now);
    if (now >= this.at) this.at = this.next(now);
  }

  deadline(): number {
    return this.at;
  }
}

/** The one timer, with a clock that jumps to it. */
class Clock {
  readonly alarms = new Alarms((at) => {
    this.armed = at;
  });
  armed = Number.POSITIVE_INFINITY;
  now = 0;
  rings = 0;

  advance(to: number): void {
    while (this.armed <= to) {
      if (++this.rings > 10_000) throw new Error(`spins at ${this.now}`);
      this.now = Math.max(this.now, this.armed);
      this.armed = Number.POSITIVE_INFINITY;
      this.alarms.ring(this.now);
    }
    this.now = to;
  }
}

const test = suite('alarms');

test('wake each sleeper at its own time, once', () => {
  const clock = new Clock();
  const sleepers = [30, 10, 20].map((at) => Object.assign(new Dreamer(), { at }));
  for (const sleeper of sleepers) clock.alarms.update(sleeper);
  clock.advance(100);
  assert.equal(
    sleepers.map(({ ticks }) => ticks),
    [[30], [10], [20]],
  );
  assert.is(clock.armed, Number.POSITIVE_INFINITY);
});

test('are set once for many updates', () => {
  const clock = new Clock();
  const sleeper = Object.assign(new Dreamer(), { at: 10 });
  for (let i = 0; i < 1000; i++) clock.alarms.update(sleeper);
  clock.advance(100);
  assert.equal([sleeper.ticks, clock.rings], [[10], 1]);
});

test('come earlier when a deadline does', () => {
  const clock = new Clock();
  const sleeper = Object.assign(new Dreamer(), { at: 50 });
  clock.alarms.update(sleeper);
  sleeper.at = 20;
  clock.alarms.update(sleeper);
  clock.advance(100);
  assert.equal(sleeper.ticks[0], 20);
  assert.is(sleeper.at, Number.POSITIVE_INFINITY);
});

test('leave a forgotten sleeper alone', () => {
  const clock = new Clock();
  const [gone, stays] = [Object.assign(new Dreamer(), { at: 5 }), Object.assign(new Dreamer(), { at: 6 })];
  clock.alarms.update(gone);
  clock.alarms.update(stays);
  clock.alarms.forget(gone);
  clock.advance(100);
  assert.equal([gone.ticks, stays.ticks], [[], [6]]);
});

test('do not spin when a deadline stays in the past', () => {
  const clock = new Clock();
  const stuck = Object.assign(new Dreamer(), { at: 10, next: () => 10 });
  const other = Object.assign(new Dreamer(), { at: 15 });
  clock.alarms.update(stuck);
  clock.alarms.update(other);
  clock.advance(30);
  assert.equal(other.ticks, [15]);
  assert.ok(stuck.ticks.length <= 21, `${stuck.ticks.length} ticks in 20 ms`);
});

test('of the others ring when one sleeper throws', () => {
  const clock = new Clock();
  const thrower: Sleeper = {
    deadline: () => 10,
    tick: () => {
      throw new Error('a bug in a session');
    },
  };
  const [same, later] = [Object.assign(new Dreamer(), { at: 10 }), Object.assign(new Dreamer(), { at: 20 })];
  for (const sleeper of [thrower, same, later]) clock.alarms.update(sleeper);
  for (let to = 10; to <= 30; to += 10) {
    try {
      clock.advance(to);
    } catch (error) {
      assert.is((error as Error).message, 'a bug in a session');
      clock.alarms.forget(thrower);
    }
  }
  assert.equal([same.ticks.length, later.ticks.length], [1, 1]);
});

const sleeperOf = fc.nat(4);
const step = fc.oneof(
  fc.record({ do: fc.constant('set' as const), who: sleeperOf, in: fc.oneof(fc.nat(20), fc.constant(Infinity)) }),
  fc.record({ do: fc.constant('forget' as const), who: sleeperOf }),
  fc.record({ do: fc.constant('advance' as const), by: fc.nat(15) }),
);

test('keep every deadline in any sequence of steps', () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new Clock();
      const sleepers = Array.from({ length: 5 }, () => new Dreamer());
      const kept = new Set<Dreamer>();
      for (const one of steps) {
        if (one.do === 'advance') {
          const due = [...kept].filter(({ at }) => at <= clock.now + one.by).map((sleeper) => [sleeper, sleeper.at]);
          const before = new Map(sleepers.map((sleeper) => [sleeper, sleeper.ticks.length]));
          clock.advance(clock.now + one.by);
          for (const [sleeper, at] of due as Array<[Dreamer, number]>) {
            assert.is(sleeper.ticks.slice(before.get(sleeper)).includes(at), true, `woken at ${at}`);
          }
        } else {
          const sleeper = sleepers[one.who] as Dreamer;
          if (one.do === 'set') {
            sleeper.at = clock.now + one.in + 1;
            kept.add(sleeper);
            clock.alarms.update(sleeper);
          } else {
            kept.delete(sleeper);
            clock.alarms.forget(sleeper);
          }
        }
      }
      const ticks = sleepers.reduce((sum, sleeper) => sum + sleeper.ticks.length, 0);
      assert.ok(ticks <= steps.length, `${ticks} ticks for ${steps.length} steps`);
      for (const sleeper of sleepers) if (!kept.has(sleeper)) assert.ok(sleeper.ticks.every((at) => at <= clock.now));
    }),
    { numRuns: 500 },
  ));

test.run();
