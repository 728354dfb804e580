import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FakeTongue, refusal } from './fakes.ts';
import { openGuarded } from './guarded.ts';

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
