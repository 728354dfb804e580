import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bans, banEnds, type StoredBan } from '../src/bans.ts';
import { Database } from '../src/database.ts';
import { HouseError } from '../src/errors.ts';

function open(kept: StoredBan[] = []) {
  const database = new Database(':memory:');
  for (const ban of kept) database.putBan(ban);
  const clock = { now: Date.UTC(2026, 10, 21, 9) };
  const troubles: unknown[] = [];
  const state = { fails: false };
  const store = {
    async putBan(ban: StoredBan) {
      if (state.fails) throw new HouseError('not-saved', 'the disk is full');
      database.putBan(ban);
    },
    dropBan: async (kind: StoredBan['kind'], key: string) => database.dropBan(kind, key),
  };
  const bans = new Bans(
    store,
    () => clock.now,
    (error) => troubles.push(error),
  );
  bans.load(database.bans());
  return { bans, clock, database, troubles, state };
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
  bans.add('bob');
  const refusal = await bans.kept().catch((error) => error);
  assert.instance(refusal, HouseError);
  assert.is(troubles.length, 1);
  assert.ok(bans.ofName('bob'));
  await bans.kept();
});

test('there are not without end', () => {
  const { bans } = open();
  for (let i = 0; i < 10_000; i++) bans.add(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  assert.throws(() => bans.add('bob'), /10000 bans/);
});
test.run();
