import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Accounts } from '../src/accounts.ts';
import { HouseError } from '../src/errors.ts';
import { Passwords } from '../src/passwords.ts';
import { FakeTongue, openLobby, refusal, settle, type TestLobby } from './fakes.ts';

const HOME = '198.51.100.7';
const AWAY = '203.0.113.9';

async function withGriffin(): Promise<TestLobby & { accounts: Accounts }> {
  const on = openLobby();
  await on.accounts.register('griffin', '123', HOME);
  return on;
}

async function message(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, HouseError);
    return (error as HouseError).message;
  }
  return 'no refusal';
}

/** `count` wrong logins, one after the other; how each of them was refused. */
async function fail(on: TestLobby, count: number, name = 'griffin', ip = HOME): Promise<string[]> {
  const codes: string[] = [];
  for (let i = 0; i < count; i++) codes.push(await refusal(on.accounts.login(name, 'wrong', ip)));
  return codes;
}

const register = suite('accounts: registering');

register('keeps a name, its key, when, and a hash; not the password', async () => {
  const on = openLobby();
  on.clock.now = 4711;
  await on.accounts.register(' Griffin ', 'pass-word', HOME);
  assert.equal(
    [...on.store.accounts],
    [['griffin', { key: 'griffin', name: 'Griffin', hash: 'fake$1$pass-word', made: 4711 }]],
  );
});

register('a taken name is refused however it is spelled, and keeps its password', async () => {
  const on = await withGriffin();
  for (const name of ['griffin', 'GRIFFIN', ' grif\u200bfin ', '\uff47riffin']) {
    assert.is(await refusal(on.accounts.register(name, 'mine', AWAY)), 'name-registered', name);
  }
  assert.is((await on.accounts.login('griffin', '123', HOME)).key, 'griffin');
});

register('of two at once who want a name, one gets it', async () => {
  const on = openLobby();
  const both = await Promise.all([
    refusal(on.accounts.register('ann', '1', HOME)),
    refusal(on.accounts.register('Ann', '2', AWAY)),
  ]);
  assert.equal(both, ['no refusal', 'name-registered']);
  await on.accounts.login('ann', '1', HOME);
});

register('a name that somebody wears right now is refused, until they are gone', async () => {
  const on = openLobby();
  const member = await on.house.enter('Ann', new FakeTongue(), 'exactly');
  assert.is(await refusal(on.accounts.register('ann', '1', HOME)), 'name-taken');
  on.house.quit(member, 'bye');
  await on.accounts.register('ann', '1', HOME);
});

register('while the name is being kept nobody else can wear it, and when it can’t be kept everybody can', async () => {
  const on = openLobby();
  on.store.saving = 'held';
  const registering = on.accounts.register('ann', '1', HOME);
  await settle();
  assert.is(await refusal(on.house.enter('ann', new FakeTongue(), 'aliased')), 'name-registered');
  on.store.saving = 'at once';
  on.store.release();
  await registering;
  on.store.saving = 'fails';
  assert.is(await refusal(on.accounts.register('bob', '1', HOME)), 'not-saved');
  assert.is((await on.house.enter('bob', new FakeTongue(), 'exactly')).person.name, 'bob');
});

for (const bad of ['', ' ', 'a\nb', 'x'.repeat(65), 'server', 'ROOT', 'guest-1', 'Guest-007', 'ann~guest', 'ann~2']) {
  register(`${JSON.stringify(bad.slice(0, 20))} is no name for an account`, async () => {
    const on = openLobby();
    assert.is(await refusal(on.accounts.register(bad, '123', HOME)), 'bad-name');
    assert.is(await refusal(on.accounts.take(bad, '123')), 'bad-name');
    assert.is(on.store.accounts.size, 0);
  });
}

register('wide spellings of guests’ names are none either', async () => {
  const on = openLobby();
  for (const bad of ['\uff47uest-1', 'guest-\uff11', 'ann\uff5eguest']) {
    assert.is(await refusal(on.accounts.register(bad, '123', HOME)), 'bad-name', bad);
  }
});

register('no password and one that is far too long are refused', async () => {
  const on = openLobby();
  for (const bad of ['', 'x'.repeat(1025)])
    assert.is(await refusal(on.accounts.register('ann', bad, HOME)), 'not-allowed');
  await on.accounts.register('ann', 'x'.repeat(1024), HOME);
  await on.accounts.login('ann', 'x'.repeat(1024), HOME);
});

register('from one address is limited, and says how long to wait', async () => {
  const on = openLobby();
  for (let i = 0; i < 30; i++) await on.accounts.register(`a${i}`, '123', HOME);
  assert.match(await message(on.accounts.register('b', '123', HOME)), /too many accounts .*: try again in 20 s$/);
  await on.accounts.register('b', '123', AWAY);
  on.clock.now += 20_000;
  await on.accounts.register('c', '123', HOME);
  assert.is(await refusal(on.accounts.register('d', '123', HOME)), 'too-fast');
});

register('names that are taken don’t count', async () => {
  const on = await withGriffin();
  for (let i = 0; i < 100; i++) await refusal(on.accounts.register('griffin', '123', HOME));
  await on.accounts.register('ann', '123', HOME);
});

register('a whole network of IPv6 is one address', async () => {
  const on = openLobby();
  for (let i = 0; i < 30; i++) await on.accounts.register(`a${i}`, '123', `2001:db8:1:2::${i}`);
  assert.is(await refusal(on.accounts.register('b', '123', '2001:db8:1:2:3:4:5:6')), 'too-fast');
  await on.accounts.register('b', '123', '2001:db8:1:3::1');
});

register('from the operator’s file is not limited; who is there stays as they are', async () => {
  const on = await withGriffin();
  for (let i = 0; i < 100; i++) assert.is(await on.accounts.take(`a${i}`, '123'), true);
  assert.is(await on.accounts.take('Griffin', 'other'), false);
  await on.accounts.login('griffin', '123', HOME);
  await on.accounts.login('a99', '123', HOME);
});
register.run();

const login = suite('accounts: logging in');

login('with the right password gives the name as it was registered', async () => {
  const on = openLobby();
  await on.accounts.register('Griffin', '123', HOME);
  assert.equal(await on.accounts.login(' gRIFFIN ', '123', AWAY), { key: 'griffin', name: 'Griffin' });
});

login('with a wrong password, or as nobody, is refused in the same words, after the same work', async () => {
  const on = await withGriffin();
  await fail(on, 1, 'nobody');
  const { hashed } = on.hasher;
  on.hasher.verified = 0;
  const wrong = await message(on.accounts.login('griffin', '124', HOME));
  assert.is(on.hasher.verified, 1);
  assert.is(await message(on.accounts.login('nobody', '124', HOME)), wrong);
  assert.is(on.hasher.verified, 2);
  assert.is(on.hasher.hashed, hashed, 'what is compared with for nobody is made once');
});

login('nobody gets in with the password that stands for nobody’s', async () => {
  const on = await withGriffin();
  for (const name of ['nobody', '', '\0', 'x'.repeat(9000)]) {
    assert.is(await refusal(on.accounts.login(name, '', `192.0.2.${name.length % 250}`)), 'wrong-password');
  }
  assert.is(await refusal(on.accounts.login('griffin', '', HOME)), 'wrong-password');
});

login('five wrong ones of a name from anywhere, then one in ten seconds', async () => {
  const on = await withGriffin();
  for (let i = 1; i <= 5; i++) assert.equal(await fail(on, 1, 'griffin', `192.0.2.${i}`), ['wrong-password']);
  assert.match(
    await message(on.accounts.login('griffin', '123', AWAY)),
    /^too many wrong passwords: try again in 10 s$/,
  );
  on.clock.now += 9_999;
  assert.match(await message(on.accounts.login('griffin', '123', AWAY)), /try again in 1 s$/);
  on.clock.now += 1;
  assert.equal(await fail(on, 2, 'griffin', AWAY), ['wrong-password', 'too-fast']);
  on.clock.now += 10_000;
  await on.accounts.login('griffin', '123', AWAY);
});

login('five wrong ones of an address for anybody, then one in ten seconds', async () => {
  const on = await withGriffin();
  for (let i = 1; i <= 5; i++) assert.equal(await fail(on, 1, `n${i}`), ['wrong-password']);
  assert.is(await refusal(on.accounts.login('griffin', '123', HOME)), 'too-fast');
  await on.accounts.login('griffin', '123', AWAY);
  on.clock.now += 10_000;
  await on.accounts.login('griffin', '123', HOME);
});

login('spellings of a name are one name, and addresses of an IPv6 network one address', async () => {
  const on = await withGriffin();
  const spellings = ['griffin', 'GRIFFIN', ' griffin ', 'grif\u200bfin', '\uff47riffin'];
  for (const [i, name] of spellings.entries()) await fail(on, 1, name, `192.0.2.${i}`);
  assert.is(await refusal(on.accounts.login('griffin', '123', AWAY)), 'too-fast');
  for (let i = 1; i <= 5; i++) await fail(on, 1, `n${i}`, `2001:db8::${i}`);
  assert.equal(await fail(on, 1, 'other', '2001:db8::abcd:1'), ['too-fast']);
});

login('many wrong ones at once are no more than the burst', async () => {
  const on = await withGriffin();
  const codes = await Promise.all(
    Array.from({ length: 100 }, (_, i) => refusal(on.accounts.login('griffin', `${i + 200}`, `192.0.2.${i}`))),
  );
  assert.is(codes.filter((code) => code === 'wrong-password').length, 5);
  assert.is(codes.filter((code) => code === 'too-fast').length, 95);
  assert.ok(on.hasher.verified <= 5);
});

login('many right ones at once from one address are never refused', async () => {
  const on = openLobby();
  for (let i = 0; i < 200; i++) await on.accounts.take(`a${i}`, `${i}`);
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => on.accounts.login(`a${i}`, `${i}`, HOME)));
  assert.equal(
    all.map(({ name }) => name),
    Array.from({ length: 200 }, (_, i) => `a${i}`),
  );
});

login('many right ones at once of one name from many addresses are never refused', async () => {
  const on = await withGriffin();
  await Promise.all(Array.from({ length: 200 }, (_, i) => on.accounts.login('griffin', '123', `192.0.2.${i}`)));
});

login('who has got in from an address is not locked out there by others’ wrong passwords elsewhere', async () => {
  const on = await withGriffin();
  await on.accounts.login('griffin', '123', HOME);
  for (let i = 1; i <= 20; i++) await fail(on, 1, 'griffin', `192.0.2.${i}`);
  await on.accounts.login('griffin', '123', HOME);
  assert.is(await refusal(on.accounts.login('griffin', '123', AWAY)), 'too-fast');
  assert.equal(await fail(on, 6), [...new Array(5).fill('wrong-password'), 'too-fast'], 'which has limits of its own');
});

login('a hash of less cost is made anew, when the password was right', async () => {
  const on = await withGriffin();
  on.hasher.cost = 2;
  await fail(on, 1);
  assert.is(on.store.accounts.get('griffin')?.hash, 'fake$1$123');
  await on.accounts.login('griffin', '123', HOME);
  assert.is(on.store.accounts.get('griffin')?.hash, 'fake$2$123');
  const { hashed } = on.hasher;
  await on.accounts.login('griffin', '123', HOME);
  assert.is(on.hasher.hashed, hashed, 'once');
});

login('a hash that can’t be made anew now is made anew another time: the password was right', async () => {
  const on = await withGriffin();
  on.hasher.cost = 2;
  on.store.saving = 'fails';
  assert.equal(await on.accounts.login('griffin', '123', HOME), { key: 'griffin', name: 'griffin' });
  on.store.saving = 'at once';
  await on.accounts.login('griffin', '123', HOME);
  assert.is(on.store.accounts.get('griffin')?.hash, 'fake$2$123');
});

login('what breaks is a bug and no wrong password', async () => {
  const on = await withGriffin();
  on.store.findAccount = async () => {
    throw new Error('a bug in the store');
  };
  for (let i = 0; i < 10; i++) {
    const error = await on.accounts.login('griffin', '123', HOME).catch((thrown) => thrown);
    assert.is(error.message, 'a bug in the store');
  }
});

login('with real hashes', async () => {
  const on = openLobby();
  const { Accounts } = await import('../src/accounts.ts');
  const now = () => on.clock.now;
  const accounts = new Accounts({ backbone: on.backbone, hasher: new Passwords(), wall: now, now });
  await accounts.register('ann', 'pä🔑', HOME);
  assert.not(JSON.stringify([...on.store.accounts]).includes('pä🔑'));
  assert.is((await accounts.login('ann', 'pä🔑', HOME)).name, 'ann');
  assert.is(await refusal(accounts.login('ann', 'pa🔑', HOME)), 'wrong-password');
  assert.is(await refusal(accounts.login('bob', 'pä🔑', HOME)), 'wrong-password');
});
login.run();

const unlock = suite('accounts: rooms with a password');

async function withRoom() {
  const on = await withGriffin();
  const password = await on.accounts.hashPassword('open', '192.0.2.9');
  const room = await on.house.makeRoom('vault', { description: '', owner: 'griffin', password });
  return { ...on, room };
}

unlock('a room without one is open to everybody', async () => {
  const on = openLobby();
  const room = await on.house.openRoom('hall');
  assert.is((await on.accounts.unlock(room, { ip: HOME })).room, room);
});

unlock('the password opens it, and so does being its owner', async () => {
  const { accounts, room } = await withRoom();
  assert.is((await accounts.unlock(room, { ip: AWAY, password: 'open' })).room, room);
  assert.is((await accounts.unlock(room, { ip: AWAY, login: { key: 'griffin', name: 'griffin' } })).room, room);
  for (const by of [{}, { password: '' }, { password: 'shut' }, { login: { key: 'ann', name: 'ann' } }]) {
    assert.is(await refusal(accounts.unlock(room, { ip: AWAY, ...by })), 'room-password');
  }
});

unlock('five wrong ones at a room from an address, then one in ten seconds; others get in', async () => {
  const { accounts, room, clock } = await withRoom();
  const wrong = () => refusal(accounts.unlock(room, { ip: AWAY, password: 'shut' }));
  for (let i = 0; i < 5; i++) assert.is(await wrong(), 'room-password');
  assert.match(await message(accounts.unlock(room, { ip: AWAY, password: 'open' })), /too many wrong passwords/);
  await accounts.unlock(room, { ip: HOME, password: 'open' });
  clock.now += 10_000;
  assert.equal([await wrong(), await wrong()], ['room-password', 'too-fast']);
});

unlock('asking without one is no try', async () => {
  const { accounts, room } = await withRoom();
  for (let i = 0; i < 20; i++) await refusal(accounts.unlock(room, { ip: AWAY }));
  await accounts.unlock(room, { ip: AWAY, password: 'open' });
});
unlock.run();
