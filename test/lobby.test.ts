import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Login } from '../src/accounts.ts';
import { Carried, Groups } from '../src/lobby.ts';
import type { Address } from '../src/session.ts';

const groups = suite('lobby: multicast groups');

groups('begin at 224.3.29.71, port 10000; each room has an address and a port of its own', () => {
  const all = new Groups();
  assert.equal(all.take('a'), { ip: '224.3.29.71', port: 10_000 });
  assert.equal(all.take('b'), { ip: '224.3.29.72', port: 10_010 });
  assert.equal(all.take('c'), { ip: '224.3.29.73', port: 10_020 });
  assert.equal(all.of('b'), { ip: '224.3.29.72', port: 10_010 });
  assert.is(all.of('d'), undefined);
});

groups('are one for all in a room, and free when the last of them has left', () => {
  const all = new Groups();
  const first = all.take('a');
  assert.is(all.take('a'), first);
  all.release('a');
  assert.is(all.of('a'), first);
  all.take('b');
  all.release('a');
  assert.is(all.of('a'), undefined);
  assert.equal(all.take('c'), { ip: '224.3.29.71', port: 10_000 }, 'it is used again');
  assert.equal(all.of('b'), { ip: '224.3.29.72', port: 10_010 });
});

groups('go on over the end of a byte, for thousands of rooms, and then there is none', () => {
  const all = new Groups();
  const taken: Address[] = [];
  assert.throws(
    () => {
      for (let i = 0; i < 10_000; i++) taken.push(all.take(`${i}`));
    },
    (error: { code?: string }) => error.code === 'full',
  );
  assert.ok(taken.length >= 5000);
  assert.equal(taken[185], { ip: '224.3.30.0', port: 11_850 });
  assert.is(new Set(taken.map(({ ip }) => ip)).size, taken.length);
  assert.ok(taken.every(({ port }, i) => port === 10_000 + 10 * i && port <= 65_535));
  all.release('7');
  assert.equal(all.take('new'), taken[7]);
});

groups('of rooms that are taken at the same time never meet', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(6)), { maxLength: 60 }), (steps) => {
      const all = new Groups();
      const uses = new Map<string, number>();
      for (const [isTaken, room] of steps) {
        const key = `r${room}`;
        const before = uses.get(key) ?? 0;
        if (isTaken) all.take(key);
        else all.release(key);
        uses.set(key, Math.max(0, before + (isTaken ? 1 : -1)));
        const live = [...uses].filter(([, count]) => count > 0).map(([name]) => all.of(name));
        assert.not(live.includes(undefined));
        assert.is(new Set(live.map((one) => one?.port)).size, live.length);
        assert.is(new Set(live.map((one) => one?.ip)).size, live.length);
        for (const [name, count] of uses) if (count === 0) assert.is(all.of(name), undefined);
      }
    }),
  ),
);
groups.run();

const carried = suite('lobby: logins on their way');
const login = (key: string): Login => ({ key, name: key });
const HOME = '198.51.100.7';

carried('are taken over by a connection that is opened within a second', () => {
  for (const [after, found] of [
    [0, true],
    [1000, true],
    [1001, false],
    [-100, true],
    [-101, false],
  ] as const) {
    const all = new Carried();
    all.leave(HOME, login('ann'), 5000);
    assert.is(all.take(HOME, 5000 + after)?.key, found ? 'ann' : undefined, `${after} ms after`);
  }
});

carried('are taken over once, from the same address only, in the order in which they left', () => {
  const all = new Carried();
  all.leave(HOME, login('ann'), 5000);
  all.leave(HOME, login('bob'), 5100);
  assert.is(all.take('203.0.113.9', 5200), undefined);
  assert.is(all.take(HOME, 5200)?.key, 'ann');
  assert.is(all.take(HOME, 5200)?.key, 'bob');
  assert.is(all.take(HOME, 5200), undefined);
});

carried('that are too old do not stand before those that are not', () => {
  const all = new Carried();
  all.leave(HOME, login('ann'), 5000);
  all.leave(HOME, login('bob'), 6500);
  assert.is(all.take(HOME, 6600)?.key, 'bob');
});

carried('are forgotten when there are too many: no address fills the memory', () => {
  const all = new Carried();
  all.leave('first', login('ann'), 5000);
  for (let i = 0; i < 1000; i++) all.leave(`a${i}`, login('x'), 5000);
  assert.is(all.take('first', 5000), undefined);
  for (let i = 0; i < 101; i++) all.leave(HOME, login(`n${i}`), 5000);
  assert.is(all.take(HOME, 5000)?.key, 'n1');
});
carried.run();
