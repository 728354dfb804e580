import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bans, banEnds, type StoredBan } from '../src/bans.ts';
import { Database } from '../src/database.ts';
import { HouseError } from '../src/errors.ts';
import { settle } from './fakes.ts';

function open(kept: StoredBan[] = []) {
  const database = new Database(':memory:');
  for (const ban of kept) database.putBan(ban);
  const clock = { now: Date.UTC(2026, 10, 21, 9) };
  const troubles: unknown[] = [];
  const state = { fails: false };
  const later: Array<() => void> = [];
  const store = {
    async putBan(ban: StoredBan) {
      if (state.fails) throw new HouseError('not-saved', 'the disk is full');
      database.putBan(ban);
    },
    async dropBan(kind: StoredBan['kind'], key: string) {
      if (state.fails) throw new HouseError('not-saved', 'the disk is full');
      database.dropBan(kind, key);
    },
  };
  const bans = new Bans(
    store,
    () => clock.now,
    (error) => troubles.push(error),
    (work) => later.push(work),
  );
  bans.load(database.bans());
  /** What the timer does, once. */
  const ring = async () => {
    for (const work of later.splice(0)) work();
    await bans.kept().catch(() => {});
    await settle();
  };
  return { bans, clock, database, troubles, state, later, ring };
}

const shown = (bans: Bans) => bans.list().map((ban) => `${ban.kind} ${ban.shown}`);

const test = suite('bans');

test('an address, a network and a name', () => {
  const { bans } = open();
  bans.add('198.51.100.7');
  bans.add('10.0.0.0/8');
  bans.add('Bob');
  assert.ok(bans.ofAddress('198.51.100.7') && bans.ofAddress('10.9.9.9') && bans.ofAddress('::ffff:10.0.0.1'));
  assert.not(bans.ofAddress('198.51.100.8') || bans.ofAddress('nonsense'));
  assert.ok(bans.ofName('bob') && bans.ofName(' BOB ') && bans.ofName('bob~2'));
  assert.not(bans.ofName('bobby'));
});

test('many are looked up as fast as few: by their length', () => {
  const { bans, clock } = open();
  for (let i = 0; i < 5000; i++) bans.add(`10.${i >> 8}.${i & 255}.0/24`, 5);
  bans.add('2001:db8::/32');
  assert.is(bans.ofAddress('10.19.135.9')?.shown, '10.19.135.0/24');
  assert.is(bans.ofAddress('10.19.136.9'), undefined);
  assert.is(bans.ofAddress('2001:db8:9::1')?.shown, '2001:db8::/32');
  for (let i = 0; i < 20_000; i++) assert.is(bans.ofAddress(`192.168.${i >> 8}.${i & 255}`), undefined);
  clock.now += 5 * 60_000;
  assert.is(bans.ofAddress('10.19.135.9'), undefined);
});

test('an address of IPv6 is its /64', () => {
  const { bans } = open();
  assert.is(bans.add('2001:db8:1:2::7').shown, '2001:db8:1:2::/64');
  assert.ok(bans.ofAddress('2001:db8:1:2:9::9'));
  assert.not(bans.ofAddress('2001:db8:1:3::7'));
  assert.ok(bans.remove('2001:db8:1:2::7'));
  assert.not(bans.ofAddress('2001:db8:1:2:9::9'));
});

test('for some minutes, and gone then, also from the store', async () => {
  const { bans, clock, database } = open();
  assert.match(banEnds(bans.add('bob', 10)), /2026-11-21 09:10/);
  assert.is(banEnds(bans.add('10.0.0.1')), 'for good');
  clock.now += 10 * 60_000 - 1;
  assert.ok(bans.ofName('bob'));
  clock.now += 1;
  assert.not(bans.ofName('bob'));
  assert.equal(shown(bans), ['network 10.0.0.1']);
  await bans.kept();
  assert.equal(
    database.bans().map(({ key }) => key),
    ['10.0.0.1'],
  );
});

test('the later of two is in force', () => {
  const { bans, clock } = open();
  bans.add('bob', 10);
  bans.add('BOB', 100);
  clock.now += 50 * 60_000;
  assert.ok(bans.ofName('bob'));
  assert.is(bans.list().length, 1);
});

test('are there again after a restart', async () => {
  const first = open();
  first.bans.add('10.0.0.0/8');
  first.clock.now++;
  first.bans.add('Bob', 5);
  await first.bans.kept();
  const { bans } = open(first.database.bans());
  assert.equal(shown(bans), ['network 10.0.0.0/8', 'name Bob']);
  assert.ok(bans.ofAddress('10.1.1.1') && bans.ofName('bob'));
});

test('may be taken back, once', async () => {
  const { bans, database } = open();
  bans.add('10.0.0.1');
  bans.add('bob');
  assert.ok(bans.remove('10.0.0.1') && bans.remove('BOB'));
  assert.not(bans.remove('bob'));
  assert.not(bans.ofAddress('10.0.0.1') || bans.ofName('bob'));
  await bans.kept();
  assert.equal(database.bans(), []);
});

test('nobody bans everybody, or a name that nobody can have', () => {
  const { bans } = open();
  for (const what of ['0.0.0.0/0', '::/0', '', 'a\nb', 'x'.repeat(200)]) {
    assert.throws(
      () => bans.add(what),
      (error: Error) => error instanceof HouseError,
    );
  }
  assert.equal(bans.list(), []);
});

test('what the store does not keep is told, and holds all the same', async () => {
  const { bans, troubles, state } = open();
  state.fails = true;
  const ban = bans.add('bob');
  const refusal = await bans.kept([ban]).catch((error) => error);
  assert.instance(refusal, HouseError);
  assert.is(troubles.length, 1);
  assert.ok(bans.ofName('bob'));
});

test('what was not kept is kept when the store has recovered', async () => {
  const { bans, troubles, state, database, ring, later } = open();
  state.fails = true;
  bans.add('bob');
  bans.add('10.0.0.0/8');
  await ring();
  await ring();
  assert.equal(database.bans(), []);
  assert.is(troubles.length, 1, 'told once');
  assert.is(later.length, 1, 'one timer');
  state.fails = false;
  await ring();
  assert.equal(shown(bans), ['name bob', 'network 10.0.0.0/8']);
  assert.equal(
    database
      .bans()
      .map(({ shown }) => shown)
      .sort(),
    ['10.0.0.0/8', 'bob'],
  );
  assert.is(troubles.length, 2);
  assert.is(troubles[1], undefined, 'and that it is over');
  assert.is(later.length, 0);
});

test('with the next that is kept, the others are', async () => {
  const { bans, state, database } = open();
  state.fails = true;
  bans.add('bob');
  await bans.kept().catch(() => {});
  state.fails = false;
  bans.add('eve');
  await bans.kept();
  await settle();
  assert.is(database.bans().length, 2);
});

test('what is in force at last is what is kept at last', async () => {
  const { bans, state, database, ring, clock } = open();
  bans.add('ann');
  bans.add('eve', 5);
  await bans.kept();
  state.fails = true;
  bans.add('bob');
  bans.remove('bob');
  bans.remove('ann');
  bans.add('eve', 60);
  await ring();
  state.fails = false;
  await ring();
  clock.now += 6 * 60_000;
  assert.equal(
    database.bans().map(({ shown }) => shown),
    ['eve'],
  );
  assert.equal(shown(open(database.bans()).bans), ['name eve']);
  assert.ok(bans.ofName('eve'));
});

test('however many were not kept, they are not all tried at once', async () => {
  const { bans, state, database, ring } = open();
  state.fails = true;
  for (let i = 0; i < 1000; i++) bans.add(`10.0.${i >> 8}.${i & 255}`);
  await ring();
  state.fails = false;
  await ring();
  for (let i = 0; i < 100; i++) await settle();
  assert.is(database.bans().length, 1000);
});

test('a later one that was refused is tried again, though the earlier one is kept after that', async () => {
  const answers: Array<{ resolve(): void; reject(error: Error): void }> = [];
  const putBan = () => new Promise<void>((resolve, reject) => answers.push({ resolve, reject }));
  const later: Array<() => void> = [];
  const bans = new Bans(
    { putBan, dropBan: putBan },
    () => 0,
    () => {},
    (work) => later.push(work),
  );
  const first = bans.add('bob');
  bans.add('bob', 5);
  answers[1]?.reject(new Error('busy'));
  answers[0]?.resolve();
  await bans.kept([first]).catch(() => {});
  await settle();
  for (const work of later) work();
  assert.is(answers.length, 3);
});

test('there are not without end', () => {
  const { bans } = open();
  for (let i = 0; i < 10_000; i++) bans.add(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  assert.throws(() => bans.add('bob'), /10000 bans/);
});
test.run();
