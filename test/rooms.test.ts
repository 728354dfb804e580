import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Member, Pass, Room } from '../src/room.ts';
import { FakeTongue, openHouse, refusal, settle } from './fakes.ts';

const NOWHERE = { id: 9, name: 'x', made: 1, used: false, refs: new Map(), description: '', owner: undefined };

const names = suite('rooms: names');

names('are unique without case, width and invisible characters', async () => {
  const { house } = openHouse();
  const tongue = new FakeTongue();
  await house.enter('Ann', tongue, 'exactly');
  for (const taken of ['ann', 'ANN', 'an\u200bn', '\uff41nn', ' ann ']) {
    assert.is(await refusal(house.enter(taken, tongue, 'exactly')), 'name-taken', taken);
  }
  assert.is(house.people, 1);
});

names('that are taken become name~2, name~3 for the others', async () => {
  const { house } = openHouse();
  const tongue = new FakeTongue();
  const people: Member[] = [];
  for (const nick of ['ben', 'Ben', 'BEN']) people.push(await house.enter(nick, tongue, 'aliased'));
  assert.equal(
    people.map(({ person }) => person.name),
    ['ben', 'Ben~2', 'BEN~3'],
  );
  assert.equal(
    people.map(({ person }) => person.nick),
    ['ben', 'Ben', 'BEN'],
  );
});

names('asked for at the same time are given once', async () => {
  const { house } = openHouse();
  const tongue = new FakeTongue();
  const people = await Promise.all(['a', 'a', 'a'].map((nick) => house.enter(nick, tongue, 'aliased')));
  assert.equal(new Set(people.map(({ person }) => person.name)).size, 3);
});

names('of an alias can be taken by somebody who is called that', async () => {
  const { house } = openHouse();
  const tongue = new FakeTongue();
  await house.enter('ben~2', tongue, 'exactly');
  await house.enter('ben', tongue, 'aliased');
  const third = await house.enter('ben', tongue, 'aliased');
  assert.is(third.person.name, 'ben~3');
});

names('are free again when their wearer quits', async () => {
  const { house } = openHouse();
  const tongue = new FakeTongue();
  const ben = await house.enter('ben', tongue, 'exactly');
  const second = await house.enter('ben', tongue, 'aliased');
  house.quit(ben, 'bye');
  house.quit(second, 'bye');
  assert.is((await house.enter('ben', tongue, 'exactly')).person.name, 'ben');
  assert.is((await house.enter('ben', tongue, 'aliased')).person.name, 'ben~2');
});

names('that dialects give a meaning to are worn under an alias or not at all', async () => {
  const { house } = openHouse();
  const tongue = new FakeTongue();
  for (const name of ['server', 'All', 'ROOT', 'me']) {
    assert.is(await refusal(house.enter(name, tongue, 'exactly')), 'name-taken', name);
    assert.is((await house.enter(name, tongue, 'aliased')).person.name, `${name}~2`);
  }
});

names('that are none are refused, and nobody is let in', async () => {
  const { house } = openHouse();
  for (const bad of ['', ' ', 'a\nb', 'x'.repeat(65)]) {
    for (const as of ['exactly', 'aliased'] as const) {
      assert.is(await refusal(house.enter(bad, new FakeTongue(), as)), 'bad-name');
    }
  }
  assert.is(house.people, 0);
});
names.run();

const rooms = suite('rooms: rooms');

rooms('are found without case, and keep the name that they were made under', async () => {
  const { house } = openHouse();
  const room = await house.openRoom('Main Hall');
  assert.is(await house.openRoom('main hall'), room);
  assert.is(house.findRoom(' MAIN HALL '), room);
  assert.is(room.name, 'Main Hall');
  assert.is(house.findRoom('other'), undefined);
});

rooms('opened by two at once are one', async () => {
  const { house } = openHouse();
  const [a, b] = await Promise.all([house.openRoom('x'), house.openRoom('X')]);
  assert.is(a, b);
});

rooms('whose names are none are refused', async () => {
  const { house } = openHouse();
  for (const bad of ['', '\n', 'x'.repeat(65)]) assert.is(await refusal(house.openRoom(bad)), 'bad-room');
});

rooms('list their people in the order in which they came', async () => {
  const { house } = openHouse();
  const room = await house.openRoom('r');
  const members: Member[] = [];
  for (const name of ['c', 'a', 'b']) members.push(await house.enter(name, new FakeTongue(), 'exactly'));
  for (const member of members) house.join(member, room);
  house.leave(members[0] as Member, room, 'left');
  house.join(members[0] as Member, room);
  assert.equal(
    [...room.people.values()].map(({ name }) => name),
    ['a', 'b', 'c'],
  );
});

rooms('are numbered from 0 in each dialect, in the order of the first use', async () => {
  const { house } = openHouse();
  const [a, b] = [await house.openRoom('a'), await house.openRoom('b')];
  assert.equal([await house.refOf(b, 'lab'), await house.refOf(a, 'lab'), await house.refOf(b, 'lab')], [0, 1, 0]);
  assert.is(await house.refOf(a, 'other'), 0);
  assert.is(house.roomByRef('lab', 1), a);
  assert.is(house.roomByRef('lab', 2), undefined);
});
rooms.run();

const settings = (owner: string | undefined, password?: string) => ({ description: '', owner, password });

const active = suite('rooms: active');

active('are those with somebody in them, in the order in which they were entered', async () => {
  const { house } = openHouse();
  const names = () => [...house.activeRooms].map(({ name }) => name);
  const tongues = [new FakeTongue('a'), new FakeTongue('b')];
  const [ann, bob] = await Promise.all(
    tongues.map((tongue, i) => house.enter(['ann', 'bob'][i] as string, tongue, 'exactly')),
  );
  const [r, s] = [await house.openRoom('r'), await house.openRoom('s')];
  assert.equal(names(), []);
  house.join(ann as Member, s);
  house.join(ann as Member, r);
  house.join(bob as Member, s);
  assert.equal(names(), ['s', 'r']);
  house.leave(ann as Member, s, 'left');
  assert.equal(names(), ['s', 'r'], 'bob is still there');
  house.quit(bob as Member, 'bye');
  assert.equal(names(), ['r']);
  house.quit(ann as Member, 'bye');
  assert.equal(names(), []);
});
active.run();

const closed = suite('rooms: with a password');

closed('let in who has a pass for this very room', async () => {
  const { house } = openHouse();
  const room = await house.makeRoom('vault', settings('ann', 'hash'));
  const eve = await house.enter('eve', new FakeTongue(), 'exactly');
  assert.ok(room.isPrivate);
  assert.is(await refusal(() => house.join(eve, room)), 'room-password');
  assert.is(
    await refusal(() => house.join(eve, room, new Pass(new Room({ ...NOWHERE, key: 'vault', password: 'hash' })))),
    'room-password',
  );
  assert.equal([room.people.size, eve.rooms.size], [0, 0]);
  house.join(eve, room, new Pass(room));
  assert.is(room.people.size, 1);
});

closed('are found again after they had to make place, as they were; nobody’s empty room is not', async () => {
  const { house } = openHouse({ rooms: 2 });
  await house.makeRoom('vault', settings('ann', 'hash'));
  await house.openRoom('empty');
  await house.openRoom('r');
  await house.openRoom('s');
  assert.equal([...house.rooms.keys()], ['r', 's']);
  assert.is(await house.lookUp('empty'), undefined);
  const vault = await house.lookUp(' VAULT ');
  assert.equal([vault?.settings.owner, vault?.isPrivate], ['ann', true]);
});

closed('looking for a room makes none', async () => {
  const { house, store } = openHouse();
  for (const name of ['r', '', 'x'.repeat(500), 'a\nb']) assert.is(await house.lookUp(name), undefined);
  assert.equal([house.rooms.size, store.rooms.length], [0, 0]);
});
closed.run();

const deleted = suite('rooms: deleted');

deleted('everybody in them hears that everybody has left, and is in no room', async () => {
  const { house, bugs } = openHouse();
  const [one, two] = [new FakeTongue('one'), new FakeTongue('two')];
  const room = await house.makeRoom('r', settings('ann'));
  const ref = await house.refOf(room, 'lab');
  const [ann, bob] = [await house.enter('ann', one, 'exactly'), await house.enter('bob', two, 'exactly')];
  for (const member of [ann, bob]) house.join(member, room);
  one.take();
  two.take();
  await house.deleteRoom(room);
  assert.equal(one.take(), ['r -ann (the room was deleted)']);
  assert.equal(two.take(), ['r -ann (the room was deleted)', 'r -bob (the room was deleted)']);
  assert.equal([ann.rooms.size, bob.rooms.size, house.people, room.people.size], [0, 0, 2, 0]);
  assert.equal([house.findRoom('r'), house.roomByRef('lab', ref), [...house.activeRooms]], [undefined, undefined, []]);
  assert.is(await refusal(() => house.join(ann, room)), 'no-such-room');
  assert.is(await refusal(() => house.say(ann, room, 'hi')), 'not-in-room');
  assert.equal(bugs, []);
});

deleted('a new one of that name is another', async () => {
  const { house } = openHouse();
  const room = await house.makeRoom('r', settings('ann', 'hash'));
  const pass = new Pass(room);
  await house.deleteRoom(room);
  const again = await house.makeRoom('r', settings('bob', 'other'));
  assert.is.not(again, room);
  const ann = await house.enter('ann', new FakeTongue(), 'exactly');
  assert.is(await refusal(() => house.join(ann, again, pass)), 'room-password');
});
deleted.run();

const events = suite('rooms: events');

events('are handed once to each audience, however many its members', async () => {
  const { house } = openHouse();
  const [one, other] = [new FakeTongue('one'), new FakeTongue('other')];
  const room = await house.openRoom('r');
  const members: Member[] = [];
  for (let i = 0; i < 20; i++) members.push(await house.enter(`n${i}`, i % 2 ? one : other, 'exactly'));
  for (const member of members) house.join(member, room);
  one.take();
  other.take();
  house.say(members[0] as Member, room, 'hi');
  assert.equal(one.take(), ['r n0: hi']);
  assert.equal(other.take(), ['r n0: hi']);
});

events('of joining are heard by the newcomer, and of leaving by the leaver', async () => {
  const { house } = openHouse();
  const tongue = new FakeTongue();
  const room = await house.openRoom('r');
  const ann = await house.enter('ann', tongue, 'exactly');
  house.join(ann, room);
  house.join(ann, room);
  house.leave(ann, room, 'left');
  house.leave(ann, room, 'left');
  assert.equal(tongue.heard, ['r +ann', 'r -ann (left)']);
  assert.equal(tongue.seats, ['add ann to r', 'remove ann from r']);
});

events('do not come from a room that one is not in', async () => {
  const { house } = openHouse();
  const [here, there] = [new FakeTongue(), new FakeTongue()];
  const [r, s] = [await house.openRoom('r'), await house.openRoom('s')];
  const ann = await house.enter('ann', here, 'exactly');
  const bob = await house.enter('bob', there, 'exactly');
  house.join(ann, r);
  house.join(bob, s);
  there.take();
  house.say(ann, r, 'hi');
  assert.is(await refusal(() => house.say(ann, s, 'hi')), 'not-in-room');
  assert.equal(there.take(), []);
});

events('of one sender come in the order sent, once, with rising ids', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(2), fc.string()), { maxLength: 50 }), async (said) => {
      const { house } = openHouse();
      const tongue = new FakeTongue();
      const room = await house.openRoom('r');
      const members: Member[] = [];
      for (const name of ['a', 'b', 'c']) members.push(await house.enter(name, tongue, 'exactly'));
      for (const member of members) house.join(member, room);
      tongue.events.length = 0;
      for (const [who, text] of said) house.say(members[who] as Member, room, text);
      const posts = tongue.events.flatMap((event) => (event.kind === 'post' ? [event] : []));
      assert.equal(
        posts.map(({ who, text }) => [who.name, text]),
        said.map(([who, text]) => ['abc'[who], text]),
      );
      assert.equal(
        posts.map(({ id }) => id),
        posts.map((_, i) => i + 1),
      );
    }),
  ),
);

events('reach the other audiences when one throws, which is told as a bug', async () => {
  const { house, bugs } = openHouse();
  const [broken, sound] = [new FakeTongue(), new FakeTongue()];
  const room = await house.openRoom('r');
  const ann = await house.enter('ann', broken, 'exactly');
  const bob = await house.enter('bob', sound, 'exactly');
  house.join(ann, room);
  house.join(bob, room);
  broken.throws = true;
  house.say(ann, room, 'hi');
  house.quit(ann, 'bye');
  assert.equal(sound.heard.slice(-2), ['r ann: hi', 'r -ann (bye)']);
  assert.is(bugs.length, 2);
  assert.equal(
    [...room.people.values()].map(({ name }) => name),
    ['bob'],
  );
});

events('carry the time of the house', async () => {
  const { house, clock } = openHouse();
  const tongue = new FakeTongue();
  const ann = await house.enter('ann', tongue, 'exactly');
  clock.now = 4711;
  house.join(ann, await house.openRoom('r'));
  assert.is(tongue.events[0]?.at, 4711);
});

events('of a quit are one for each room', async () => {
  const { house } = openHouse();
  const tongue = new FakeTongue();
  const ann = await house.enter('ann', tongue, 'exactly');
  for (const name of ['r', 's']) house.join(ann, await house.openRoom(name));
  tongue.take();
  house.quit(ann, 'bye');
  house.quit(ann, 'bye again');
  assert.equal(tongue.take(), ['r -ann (bye)', 's -ann (bye)']);
  assert.is(house.people, 0);
});

events('of closing go to everybody, and then nothing is published', async () => {
  const { house, store } = openHouse();
  const tongue = new FakeTongue();
  const ann = await house.enter('ann', tongue, 'exactly');
  const [r, s] = [await house.openRoom('r'), await house.openRoom('s')];
  house.join(ann, r);
  house.join(ann, s);
  tongue.take();
  house.close('maintenance');
  house.say(ann, r, 'too late');
  house.quit(ann, 'bye');
  house.close('again');
  await settle();
  assert.equal(tongue.take(), ['r closing (maintenance)', 's closing (maintenance)']);
  assert.equal(store.posts, []);
});
events.run();
