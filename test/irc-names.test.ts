// How IRC clients are told of people and rooms whose names IRC can't spell: by an alias that is theirs as long as they are
// called so, and no longer.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOther, converse, openIrc, register } from './irc-stage.ts';

const names = suite('irc names');

names('an alias is good from the moment that somebody is called so, whoever sees it', async () => {
  const on = openIrc();
  await register(on, 'ann');
  const lil = await addOther(on, 'lil lab');
  await converse(on, 'ann: ISON lil_lab\nann< ~303 ann lil_lab');
  await on.house.rename(lil.member, 'lil two');
  await converse(
    on,
    `ann: ISON lil_lab lil_two
     ann< ~303 ann lil_two
     ann: PRIVMSG lil_two :hi
     ann: PRIVMSG lil_lab :hi
     ann< ~401 ann lil_lab :No such nick/channel`,
  );
  assert.equal(
    lil.tongue.whispers.map(({ text }) => text),
    ['hi'],
  );
});

names('of two who are spelled alike each has one; whoever is called otherwise frees it', async () => {
  const on = openIrc();
  await register(on, 'ann');
  const one = await addOther(on, 'a b');
  const two = await addOther(on, 'a!b');
  await converse(on, 'ann: ISON a_b a_b~2\nann< ~303 ann :a_b a_b~2');
  await on.house.rename(one.member, 'x y');
  await on.house.rename(two.member, 'a?b');
  await converse(on, 'ann: ISON a_b a_b~2 x_y\nann< ~303 ann :a_b x_y');
});

names('who is watched for goes and comes under the alias; one that stays the same is no news', async () => {
  const on = openIrc();
  await register(on, 'ann');
  const lil = await addOther(on, 'a b');
  await converse(on, 'ann: MONITOR + a_b,c_d\nann< ~730 ann a_b!menu@parley\nann< ~731 ann c_d');
  await on.house.rename(lil.member, 'a!b');
  await converse(on, '');
  await on.house.rename(lil.member, 'A b');
  await converse(on, '');
  await on.house.rename(lil.member, 'c d');
  await converse(on, 'ann< ~731 ann A_b\nann< ~730 ann c_d!menu@parley');
});

names.run();
