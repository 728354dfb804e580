import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOther, converse, gather, hush, makeAccount, openIrc, register, type TestIrcOptions } from './irc-stage.ts';

/** Ann may become an operator of the server; bob has an account, and may not. */
async function withOpers(more: TestIrcOptions = {}) {
  const on = openIrc({ opers: ['Boss'], ...more });
  await makeAccount(on, 'boss', 'secret');
  await makeAccount(on, 'bert', 'other');
  await gather(on, 'ann bob cat');
  return on;
}

async function withOper(more: TestIrcOptions = {}) {
  const on = await withOpers(more);
  await on.clients.get('ann')?.say('OPER boss secret');
  hush(on);
  return on;
}

// --- OPER -------------------------------------------------------------------------------------------------------

const opers = suite('irc operators: OPER');

opers('makes one of who knows the password', async () => {
  const on = await withOpers();
  await converse(
    on,
    `ann: OPER Boss secret
     ann< :ann!ann@198.51.100.7 MODE ann +o
     ann< ~381 ann :You are now an IRC operator
     ann: MODE ann
     ann< ~221 ann +o
     ann: OPER boss secret
     ann< ~381 ann :You are now an IRC operator`,
  );
  assert.is(on.clients.get('ann')?.session.login, undefined, 'that is no login');
});

opers('refuses a wrong password, and accounts that may not', async () => {
  const on = await withOpers();
  await converse(
    on,
    `bob: OPER boss other
     bob< ~464 bob :The name or the password is wrong
     bob: OPER nobody secret
     bob< ~464 bob :The name or the password is wrong
     bob: OPER bert other
     bob< ~491 bob :No operator is called that
     bob: OPER boss
     bob< ~461 bob OPER :Not enough parameters
     bob: MODE bob
     bob< ~221 bob +`,
  );
});

opers('slows down who guesses', async () => {
  const on = await withOpers();
  const told: string[] = [];
  for (let nth = 0; nth < 6; nth++) told.push(...((await on.clients.get('bob')?.say(`OPER boss ${nth}`)) ?? []));
  assert.equal(
    told.map((line) => line.split(' ')[1]),
    ['464', '464', '464', '464', '464', '263'],
  );
});

opers.run();

// --- KILL -------------------------------------------------------------------------------------------------------

const kills = suite('irc operators: KILL');

kills('puts somebody out of the house', async () => {
  const on = await withOper();
  await on.clients.get('bob')?.say('JOIN #a');
  await on.clients.get('cat')?.say('JOIN #a');
  hush(on);
  await converse(
    on,
    `ann: KILL bob :some arbitrary reason
     bob< :ann!ann@198.51.100.7 KILL bob :some arbitrary reason
     bob< ERROR :Killed (ann (some arbitrary reason))
     bob< <close>
     cat< :bob!bob@198.51.100.7 QUIT :Killed (ann (some arbitrary reason))
     ann: KILL bob :again
     ann< ~401 ann bob :No such nick`,
  );
  assert.is(on.house.personNamed('bob'), undefined);
});

kills('needs no reason, and may be of oneself', async () => {
  await converse(
    await withOper(),
    `ann: KILL bob
     bob< :ann!ann@198.51.100.7 KILL bob ann
     bob< ERROR :Killed (ann (ann))
     bob< <close>
     ann: KILL
     ann< ~461 ann KILL :Not enough parameters
     ann: KILL ann :bye
     ann< :ann!ann@198.51.100.7 KILL ann bye
     ann< ERROR :Killed (ann (bye))
     ann< <close>`,
  );
});

kills('is for operators of the server alone', async () => {
  const on = await withOper();
  await on.clients.get('bob')?.say('JOIN #a');
  await converse(
    on,
    `bob: KILL cat :some arbitrary reason
     bob< ~481 bob :Permission Denied- You're not an IRC operator
     bob: KILL nobody :x
     bob< ~481 bob :Permission Denied- You're not an IRC operator`,
  );
  assert.ok(on.house.personNamed('cat'));
});

kills('puts people of other dialects out as the house does', async () => {
  const out: string[] = [];
  const expel = ({ name }: { name: string }, reason: string) => out.push(`${name}: ${reason}`) > 0 && name !== 'far';
  const on = await withOper({ expel });
  await addOther(on, 'Zoë B', { dialect: 'lab' });
  await addOther(on, 'far', { dialect: 'lab' });
  await converse(
    on,
    `ann: KILL Zoë_B :enough
     ann: KILL far
     ann< ~483 ann far :They are out of reach`,
  );
  assert.equal(out, ['Zoë B: Killed (ann (enough))', 'far: Killed (ann (ann))']);
});

kills.run();

// --- WALLOPS ----------------------------------------------------------------------------------------------------

const walls = suite('irc operators: WALLOPS');

walls('speaks to all who want to hear it', async () => {
  const on = await withOper();
  await on.clients.get('ann')?.say('MODE ann +w');
  await on.clients.get('bob')?.say('MODE bob +w');
  await converse(
    on,
    `ann: WALLOPS :hi everyone
     ann< :ann!ann@198.51.100.7 WALLOPS :hi everyone
     bob< :ann!ann@198.51.100.7 WALLOPS :hi everyone
     ann: WALLOPS :
     ann< ~461 ann WALLOPS :Not enough parameters
     ann: WALLOPS
     ann< ~461 ann WALLOPS :Not enough parameters`,
  );
});

walls('is for operators of the server alone', async () => {
  const on = await withOper();
  await register(on, 'dan');
  await converse(
    on,
    `dan: WALLOPS :hi
     dan< ~481 dan :Permission Denied- You're not an IRC operator`,
  );
});

walls.run();
