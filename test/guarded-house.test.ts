import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import type { Member } from '../src/room.ts';
import { FakeTongue, refusal } from './fakes.ts';
import { openGuarded } from './guarded.ts';

const [ANN, BOB] = ['198.51.100.7', '198.51.100.8'];
const AT = { ip: BOB, port: 4444 };

/** Of a dialect without connections. */
class AfarTongue extends FakeTongue {
  readonly told: string[] = [];
  expel(member: Member, reason: string): void {
    this.told.push(`${member.person.name}: ${reason}`);
  }
  addressOf(): typeof AT {
    return AT;
  }
}

const out = suite('guarded house: out with them');

out('a connection is told, and its member is out', async () => {
  const on = openGuarded();
  const source = on.from(ANN);
  await on.house.enter('ann', new FakeTongue(), 'exactly');
  const ann = on.house.presence('ANN');
  assert.ok(ann && on.house.expel(ann, 'enough'));
  assert.equal([source.told, on.house.people], [['enough'], 0]);
  assert.not(on.house.expel(ann, 'enough'), 'nobody goes twice');
});

out('who has not been heard since the start is where the dialect says, and put out by it', async () => {
  const on = openGuarded();
  const tongue = new AfarTongue('datagram');
  await on.house.enter('bob', tongue, 'exactly');
  const bob = on.house.presence('bob');
  assert.equal(bob?.sources, [{ remote: AT, isDatagram: true, isGone: false }]);
  assert.ok(bob && on.house.expel(bob, 'enough'));
  assert.equal([tongue.told, on.house.people], [['bob: enough'], 0]);
});

out('who can not be told stays, and the operator is told so', async () => {
  const on = openGuarded();
  await on.house.enter('bob', new FakeTongue('datagram'), 'exactly');
  const bob = on.house.presence('bob');
  assert.equal(bob?.sources, []);
  assert.not(bob && on.house.expel(bob, 'enough'));
  assert.is(on.house.people, 1);
});

out('who is put out on its way into a room does not come into it', async () => {
  const on = openGuarded();
  on.from(ANN);
  const member = await on.house.enter('ann', new FakeTongue(), 'exactly');
  const room = await on.house.openRoom('hall');
  const ann = on.house.presence('ann');
  if (ann) on.house.expel(ann, 'enough');
  assert.throws(
    () => on.house.join(member, room),
    (error: unknown) => error instanceof HouseError,
  );
  assert.equal([room.people.size, member.rooms.size], [0, 0]);
});
out.run();

const logins = suite('guarded house: logins');

logins('a banned name is not admitted, and may not log in', async () => {
  const { house, gate } = openGuarded();
  house.admit('bob');
  gate.bans.add('Bob');
  for (const work of [() => house.admit('bob'), () => house.logIn('BOB')])
    assert.throws(work, /Bob is banned for good/);
});

logins('a ban closes the connections that have logged in to that name', async () => {
  const { house, gate, from } = openGuarded();
  const [first] = [from(BOB), house.logIn('bob')];
  const [second] = [from(BOB), house.logIn('Bob')];
  const [anns] = [from(ANN), house.logIn('ann')];
  const [over, logOut] = [from(ANN), house.logIn('bob')];
  logOut();
  gate.bans.add('bob');
  assert.is(house.expelBanned('you are banned'), 2);
  assert.equal(
    [first, second, anns, over].map(({ told }) => told.length),
    [1, 1, 0, 0],
  );
});
logins.run();

const guarded = suite('guarded house');

guarded('people have the address that they come from; who is asked by nobody has none', async () => {
  const on = openGuarded();
  const tongue = new FakeTongue();
  const nobody = await on.house.enter('a', tongue, 'exactly');
  on.from('192.0.2.7');
  const ann = await on.house.enter('ann', tongue, 'exactly');
  const bob = await on.house.enter('bob', tongue, 'exactly', undefined, { host: 'somewhere', account: 'Bob' });
  assert.equal(
    [nobody, ann, bob].map(({ person }) => person.host),
    [undefined, '192.0.2.7', 'somewhere'],
  );
  assert.is(bob.person.account, 'Bob');
});

guarded('a banned name is not taken later either', async () => {
  const on = openGuarded();
  on.gate.bans.add('eve');
  const ann = await on.house.enter('ann', new FakeTongue(), 'exactly');
  assert.is(await refusal(on.house.rename(ann, 'EVE')), 'not-allowed');
  assert.is(ann.person.name, 'ann');
});

guarded('somebody is found under the name of now', async () => {
  const on = openGuarded();
  const ann = await on.house.enter('ann', new FakeTongue(), 'exactly');
  await on.house.rename(ann, 'anna');
  assert.is(on.house.presence('ANNA')?.member, ann);
  assert.is(on.house.presence('ann'), undefined);
});
guarded.run();
