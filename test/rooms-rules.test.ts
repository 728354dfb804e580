import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LocalBackbone } from '../src/backbone.ts';
import { HouseError } from '../src/errors.ts';
import type { Invited, Person, RuleChange, Signal, Whisper } from '../src/events.ts';
import { type Member, Pass, type Room } from '../src/room.ts';
import { House } from '../src/rooms.ts';
import { FakeTongue, MemoryStore, openHouse, refusal, startedAgain, type TestHouse } from './fakes.ts';

const add = (rule: RuleChange['rule'], param?: string | number): RuleChange => ({ isAdded: true, rule, param });
const drop = (rule: RuleChange['rule'], param?: string | number): RuleChange => ({ isAdded: false, rule, param });

/** A room `r` that op has founded, with ann in it; bob is outside. What was heard until then is forgotten. */
async function founded(on: TestHouse = openHouse()) {
  const tongue = new FakeTongue();
  const enter = (name: string, those = tongue) => on.house.enter(name, those, 'exactly');
  const [op, ann, bob] = [await enter('op'), await enter('ann'), await enter('bob')];
  const room = await on.house.openRoom('r');
  on.house.found(op, room);
  on.house.found(ann, room);
  const first = tongue.events.splice(0);
  tongue.take();
  return { ...on, tongue, enter, op, ann, bob, room, first };
}

const founders = suite('rooms: founders');

founders('are operators of a room that they find empty, and nobody who comes later', async () => {
  const { house, op, ann, room, first, tongue } = await founded();
  assert.equal([room.rules.isOperator(op.person.id), room.rules.isOperator(ann.person.id)], [true, false]);
  assert.equal(
    first.map((event) => event.kind === 'joined' && event.isOperator),
    [true, undefined],
  );
  assert.equal(room.rules.flags(), ['membersOnly', 'topicLocked']);
  house.leave(op, room, 'left');
  assert.not(room.rules.isOperator(op.person.id));
  house.found(op, room);
  assert.not(room.rules.isOperator(op.person.id), 'ann is in it');
  assert.equal(tongue.take(), ['r -op (left)', 'r +op']);
});

founders('are not those of main, of somebody’s room, or who only join', async () => {
  const { house, op } = await founded();
  const main = await house.openRoom('main');
  const owned = await house.makeRoom('owned', { description: '', owner: 'ann', password: undefined });
  const plain = await house.openRoom('plain');
  house.found(op, main);
  house.found(op, owned);
  house.join(op, plain);
  assert.equal(
    [main, owned, plain].map(({ rules }) => rules.isOperator(op.person.id)),
    [false, false, false],
  );
});

founders('need the password, where there is one', async () => {
  const { house, bob } = await founded();
  const room = await house.makeRoom('vault', { description: '', owner: undefined, password: 'hash' });
  assert.is(await refusal(() => house.found(bob, room)), 'room-password');
  house.found(bob, room, new Pass(room));
  assert.ok(room.rules.isOperator(bob.person.id));
});

founders('or not, the owner’s account is operator whenever it comes, and can’t be made less', async () => {
  const { house, bob, tongue, enter } = await founded();
  const room = await house.makeRoom('owned', { description: '', owner: 'griffin', password: undefined });
  house.found(bob, room);
  const owner = await house.enter('Griffin', new FakeTongue(), 'exactly', 'account');
  assert.is(owner.person.account, 'Griffin');
  house.join(owner, room);
  assert.ok(room.rules.isOperator(owner.person.id));
  assert.equal(house.rule(owner, room, [drop('operator', owner.person.id)]), []);
  const late = await enter('late');
  house.join(late, room);
  tongue.take();
  house.setAccount(late, 'griffin');
  assert.ok(room.rules.isOperator(late.person.id));
  assert.equal(tongue.take(), ['owned late is late (griffin)', `owned late rules +operator ${late.person.id}`]);
});
founders.run();

const rules = suite('rooms: rules');

rules('are for operators: others are told why not', async () => {
  const { house, op, ann, bob, room, tongue } = await founded();
  for (const [by, code] of [
    [ann, 'not-operator'],
    [bob, 'not-in-room'],
  ] as const) {
    assert.is(await refusal(() => house.rule(by, room, [add('moderated')])), code);
    assert.is(await refusal(() => house.kick(by, room, op.person, '')), code);
    assert.is(await refusal(() => house.title(by, room, 'x')), code);
  }
  assert.equal(tongue.take(), []);
  bob.isWarden = true;
  assert.equal(house.rule(bob, room, [add('moderated')]), [add('moderated')]);
});

rules('are told as what really changed, once for each audience', async () => {
  const { house, op, ann, room, tongue } = await founded();
  const other = new FakeTongue('other');
  house.join(await house.enter('eve', other, 'exactly'), room);
  tongue.take();
  other.take();
  const asked = [
    add('membersOnly'),
    add('voice', ann.person.id),
    add('voice', 'nobody'),
    add('limit', 9),
    add('ban', 'x'),
  ];
  const done = house.rule(op, room, asked);
  assert.equal(done, [asked[1], asked[3], asked[4]]);
  assert.equal(tongue.take(), [`r op rules +voice ${ann.person.id}, +limit 9, +ban x`]);
  assert.is(other.take().length, 1);
  assert.equal(house.rule(op, room, asked), []);
  assert.equal(tongue.take(), []);
});

const ENTRIES: ReadonlyArray<readonly [code: string, change: RuleChange, lets: RuleChange | undefined]> = [
  ['invite-only', add('inviteOnly'), add('invited', 'bob')],
  ['room-full', add('limit', 2), add('limit', 3)],
  ['banned', add('ban', 'bob'), add('exempt', 'bob')],
  ['room-password', add('key', 'hash'), drop('key')],
];
for (const [code, change, lets] of ENTRIES) {
  rules(`keep people out: ${code}; who is asked in by an operator comes in all the same`, async () => {
    const { house, op, bob, room } = await founded();
    house.rule(op, room, [change]);
    assert.is(await refusal(() => house.join(bob, room)), code);
    assert.is(await refusal(() => house.found(bob, room)), code);
    house.invite(op, room, bob.person);
    house.join(bob, room);
    house.leave(bob, room, 'left');
    assert.is(await refusal(() => house.join(bob, room)), code, 'an invitation is for once');
    if (lets) house.rule(op, room, [lets]);
    house.join(bob, room);
    assert.ok(room.people.has(bob.person.id));
  });
}

rules('do not close main to anybody', async () => {
  const { house, op } = await founded();
  const main = await house.openRoom('main');
  house.join(op, main);
  op.isWarden = true;
  assert.equal(house.rule(op, main, [add('inviteOnly'), add('limit', 1), add('key', 'hash'), add('moderated')]), [
    add('moderated'),
  ]);
  assert.is(await refusal(() => house.kick(op, main, op.person, '')), 'not-allowed');
});

rules('silence the moderated and the banned, but no voice, operator or warden', async () => {
  const { house, op, ann, room } = await founded();
  const say = (who: Member) => () => house.say(who, room, 'hi');
  for (const change of [add('moderated'), add('ban', 'ann')]) {
    house.rule(op, room, [change]);
    assert.is(await refusal(say(ann)), 'moderated');
    assert.is(await refusal(() => house.signal(ann, room, { '+typing': 'active' })), 'moderated');
    house.rule(op, room, [add('voice', ann.person.id)]);
    say(ann)();
    say(op)();
    house.rule(op, room, [{ ...change, isAdded: false }, drop('voice', ann.person.id)]);
    say(ann)();
  }
  house.rule(op, room, [add('moderated')]);
  ann.isWarden = true;
  say(ann)();
});

rules('let outsiders speak where it is not for members only, and not where it is closed', async () => {
  const { house, op, bob, room, tongue } = await founded();
  assert.is(await refusal(() => house.say(bob, room, 'hi')), 'not-in-room');
  house.rule(op, room, [drop('membersOnly')]);
  tongue.take();
  house.say(bob, room, 'hi');
  const post = tongue.events.at(-1);
  assert.equal([tongue.take(), post?.kind === 'post' && post.isOutside], [['r bob: hi'], true]);
  for (const change of [add('moderated'), add('ban', 'bob')]) {
    house.rule(op, room, [change]);
    assert.is(await refusal(() => house.say(bob, room, 'hi')), 'moderated');
    house.rule(op, room, [{ ...change, isAdded: false }]);
  }
  house.rule(op, room, [add('inviteOnly')]);
  assert.is(await refusal(() => house.say(bob, room, 'hi')), 'not-in-room');
});

rules('by masks are the dialect’s: whether they fit is asked of what the house was given', async () => {
  const base = openHouse();
  const house = new House({
    backbone: new LocalBackbone(new MemoryStore()),
    wall: () => 5,
    onBug: (error) => base.bugs.push(error),
    maskMatches: (mask, { host }) => mask === `*@${host}`,
  });
  const { op, room } = await founded({ ...base, house });
  house.rule(op, room, [add('ban', '*@192.0.2.7')]);
  const enter = (name: string, host: string) => house.enter(name, new FakeTongue(), 'exactly', undefined, { host });
  const bad = await enter('x', '192.0.2.7');
  assert.is(await refusal(() => house.join(bad, room)), 'banned');
  house.join(await enter('y', '192.0.2.8'), room);
});

/** All that can be said of a room. */
const ALL = [add('moderated'), add('inviteOnly'), add('secret'), add('limit', 5), add('ban', 'x'), add('exempt', 'y')];

rules('are there again after a restart, with the topic, where a room is somebody’s', async () => {
  const { house, store, clock, op, room } = await founded();
  clock.now = 77;
  const owned = await house.makeRoom('owned', { description: '', owner: 'ann', password: undefined });
  op.isWarden = true;
  for (const one of [owned, room]) {
    house.rule(op, one, [...ALL, add('key', 'hash')]);
    house.title(op, one, 'about');
  }
  const again = openHouse({}, new LocalBackbone(startedAgain(store))).house;
  const there = await again.openRoom('owned');
  assert.equal(there.rules.flags(), ['inviteOnly', 'moderated', 'membersOnly', 'secret', 'topicLocked']);
  assert.equal(there.rules.masks('ban'), [{ mask: 'x', by: 'op', at: 77 }]);
  assert.equal([there.rules.limit, there.rules.topic], [5, { by: 'op', at: 77 }]);
  assert.equal(there.settings, { description: 'about', owner: 'ann', password: 'hash' });
  const open = await again.openRoom('r');
  assert.equal(open.rules.flags(), ['membersOnly', 'secret', 'topicLocked']);
  assert.equal([open.rules.masks('ban'), open.rules.masks('exempt'), open.rules.limit], [[], [], undefined]);
  assert.equal(open.settings, { description: 'about', owner: undefined, password: undefined });
});

rules('are kept of a room that has to make place, and of one without them nothing is', async () => {
  const on = openHouse({ rooms: 2 });
  const { house, op, ann, room } = await founded(on);
  house.rule(op, room, [add('secret')]);
  for (const member of [op, ann]) house.leave(member, room, 'left');
  const plain = await house.openRoom('plain');
  for (const name of ['a', 'b']) await house.openRoom(name);
  assert.equal([house.rooms.has('r'), house.rooms.has('plain')], [false, false]);
  assert.is(await on.store.findRoom('plain'), undefined, plain.name);
  assert.ok((await house.openRoom('r')).rules.has('secret'));
});

const SHUTTING: ReadonlyArray<readonly [what: string, change: RuleChange]> = [
  ['only for the invited', add('inviteOnly')],
  ['for those who have the key', add('key', 'hash')],
  ['for one', add('limit', 1)],
  ['where all are silent', add('moderated')],
  ['from which all are banned', add('ban', 'bob')],
];
for (const [what, change] of SHUTTING) {
  rules(`of a room ${what} end when the last one has left it, and nobody owns it`, async () => {
    const { house, op, ann, bob, room } = await founded();
    house.rule(op, room, [change]);
    for (const member of [op, ann]) house.leave(member, room, 'left');
    house.found(bob, room);
    assert.ok(room.rules.isOperator(bob.person.id));
    house.join(ann, room);
    house.say(ann, room, 'hello');
  });
}

rules('do not end the password with which a room was made', async () => {
  const { house, op, bob } = await founded();
  const room = await house.makeRoom('vault', { description: '', owner: undefined, password: 'hash' });
  house.found(op, room, new Pass(room));
  house.rule(op, room, [add('key', 'another')]);
  house.leave(op, room, 'left');
  assert.is(await refusal(() => house.found(bob, room)), 'room-password');
});

rules('of main stay: nobody is ever the last one to have had it', async () => {
  const { house, op, ann } = await founded();
  const main = await house.openRoom('main');
  house.join(ann, main);
  op.isWarden = true;
  house.rule(op, main, [add('ban', 'bob')]);
  house.leave(ann, main, 'left');
  assert.is(main.rules.masks('ban').length, 1);
});

for (const [what, change] of SHUTTING.slice(0, 2)) {
  rules(`that end leave what was said in a room ${what} to those who were there`, async () => {
    const { house, store, clock, op, ann, bob, room } = await founded();
    house.say(op, room, 'in the open');
    house.rule(op, room, [change]);
    clock.now++;
    house.say(ann, room, 'in confidence');
    assert.is((await house.history(room, { limit: 9 })).length, 2, 'they may read it');
    for (const member of [op, ann]) house.leave(member, room, 'left');
    clock.now++;
    house.found(bob, room);
    const texts = async (range = {}) => (await house.history(room, { limit: 9, ...range })).map(({ text }) => text);
    assert.equal(await texts(), ['in the open']);
    clock.now++;
    house.say(bob, room, 'news');
    assert.equal(await texts(), ['in the open', 'news']);
    assert.equal(await texts({ isOldestFirst: true, after: { at: 0 } }), ['in the open', 'news']);
    const again = openHouse({}, new LocalBackbone(startedAgain(store))).house;
    const there = await again.openRoom('r');
    assert.equal(
      (await again.history(there, { limit: 9 })).map(({ text }) => text),
      ['in the open', 'news'],
    );
  });
}

rules('that end when a server was killed leave it to them as well', async () => {
  const { house, store, clock, op, room } = await founded();
  house.rule(op, room, [add('inviteOnly')]);
  house.say(op, room, 'in confidence');
  const again = openHouse({}, new LocalBackbone(startedAgain(store)));
  again.clock.now = clock.now + 5;
  const there = await again.house.openRoom('r');
  assert.equal(await again.house.history(there, { limit: 9 }), []);
});
rules.run();

const topics = suite('rooms: topics');

topics('are what the room is described as; who may change it is a rule', async () => {
  const { house, op, ann, bob, room, tongue, store } = await founded();
  house.title(op, room, 'one');
  house.rule(op, room, [drop('topicLocked')]);
  house.title(ann, room, 'two');
  assert.is(await refusal(() => house.title(bob, room, 'three')), 'not-in-room');
  for (const bad of ['x'.repeat(391), 'a\nb', 'a\0b'])
    assert.is(await refusal(() => house.title(op, room, bad)), 'too-long');
  assert.equal(tongue.take(), ['r op titles one', 'r op rules -topicLocked', 'r ann titles two']);
  assert.equal([room.settings.description, room.rules.topic?.by], ['two', 'ann']);
  assert.is(store.rooms[0]?.description, 'two');
  house.title(ann, room, '');
  assert.equal([room.settings.description, room.rules.topic], ['', undefined]);
});
topics.run();

const kicks = suite('rooms: kicks');

kicks('put one out, who may come again', async () => {
  const { house, op, ann, bob, room, tongue } = await founded();
  house.kick(op, room, ann.person, 'enough');
  assert.equal([ann.rooms.size, room.people.has(ann.person.id)], [0, false]);
  assert.is(await refusal(() => house.kick(op, room, bob.person, '')), 'not-in-room');
  house.join(ann, room);
  assert.equal(tongue.take(), ['r -ann (enough, by op)', 'r +ann']);
  assert.equal(tongue.seats.slice(-2), ['remove ann from r', 'add ann to r']);
});
kicks.run();

const invitations = suite('rooms: invitations');

invitations('are told in the room, and to whom they are for: by the tongue, or in words', async () => {
  const { house, op, ann, bob, room, tongue } = await founded();
  const told: string[] = [];
  const speaks = Object.assign(new FakeTongue(), {
    invited: (_: Member, { who, whom, room: key }: Invited) => told.push(`${who.name} ${whom.name} ${key}`) > 0,
  });
  const whispers = Object.assign(new FakeTongue(), {
    whisper: (_: Member, { who, text }: Whisper) => told.push(`${who.name}: ${text}`) > 0,
  });
  const [one, two] = [await house.enter('one', speaks, 'exactly'), await house.enter('two', whispers, 'exactly')];
  for (const whom of [one, two, bob]) house.invite(ann, room, whom.person);
  assert.equal(told, ['ann one r', 'ann: ann invites you to the room r']);
  assert.equal(tongue.take(), ['r ann invites one', 'r ann invites two', 'r ann invites bob']);
  assert.is(await refusal(() => house.invite(op, room, ann.person)), 'not-allowed');
  assert.is(await refusal(() => house.invite(bob, room, one.person)), 'not-in-room');
});

invitations(
  'of those who are no operators open nothing, and are not theirs where only the invited come in',
  async () => {
    const { house, op, ann, bob, room } = await founded();
    house.rule(op, room, [add('ban', 'bob')]);
    house.invite(ann, room, bob.person);
    assert.is(await refusal(() => house.join(bob, room)), 'banned');
    house.rule(op, room, [add('inviteOnly')]);
    assert.is(await refusal(() => house.invite(ann, room, bob.person)), 'not-operator');
  },
);
invitations.run();

const renamed = suite('rooms: other names');

renamed('are told in each room, and the old one is free', async () => {
  const { house, ann, room, tongue } = await founded();
  const hall = await house.openRoom('hall');
  house.join(ann, hall);
  tongue.take();
  const { id } = ann.person;
  await house.rename(ann, 'Anna');
  assert.equal(tongue.take(), ['r ann is Anna', 'hall ann is Anna']);
  assert.equal(ann.person, { id, name: 'Anna', nick: 'Anna', dialect: 'fake' });
  assert.is(room.people.get(id), ann.person);
  assert.equal([house.memberNamed('ANNA'), house.memberNamed('ann')], [ann, undefined]);
  assert.is((await house.enter('ann', tongue, 'exactly')).person.name, 'ann');
  assert.equal(
    [...room.people.values()].map(({ name }) => name),
    ['op', 'Anna'],
    'the order stays',
  );
});

renamed('that are none, taken or registered are refused, and change nothing', async () => {
  const store = new MemoryStore();
  store.start = { ...store.start, accounts: ['griffin'] };
  const base = openHouse({}, new LocalBackbone(store));
  const { house, ann, tongue } = await founded(base);
  for (const [name, code] of [
    ['', 'bad-name'],
    ['a\nb', 'bad-name'],
    ['OP', 'name-taken'],
    ['server', 'name-taken'],
    ['griffin', 'name-registered'],
  ] as const) {
    assert.is(await refusal(house.rename(ann, name)), code, name);
  }
  assert.equal([ann.person.name, tongue.take()], ['ann', []]);
  await house.rename(ann, 'Griffin', 'account');
  assert.equal(tongue.take(), ['r ann is Griffin']);
});

renamed('may be the same in another spelling; an alias becomes a name of its own', async () => {
  const { house, ann, tongue } = await founded();
  await house.rename(ann, 'ANN');
  await house.rename(ann, 'ANN');
  assert.equal(tongue.take(), ['r ann is ANN']);
  const second = await house.enter('ann', tongue, 'aliased');
  await house.rename(second, 'ann~2');
  assert.equal([second.person.name, second.person.nick], ['ann~2', 'ann~2']);
  house.quit(ann, 'bye');
  assert.is((await house.enter('ann', tongue, 'exactly')).person.name, 'ann');
});

renamed('of somebody who has gone meanwhile are free', async () => {
  const { house, ann, tongue } = await founded();
  const renaming = house.rename(ann, 'anna');
  house.quit(ann, 'bye');
  await renaming;
  await house.rename(ann, 'ANN');
  house.setAccount(ann, 'ann');
  assert.equal([ann.person.name, ann.person.account, house.memberNamed('ann')], ['ann', undefined, undefined]);
  assert.is((await house.enter('anna', tongue, 'exactly')).person.name, 'anna');
  assert.is((await house.enter('ann', tongue, 'exactly')).person.name, 'ann');
});

renamed('are seen by the bans of a room', async () => {
  const { house, op, ann, room } = await founded();
  house.rule(op, room, [add('ban', 'anna')]);
  house.say(ann, room, 'hi');
  await house.rename(ann, 'anna');
  assert.is(await refusal(() => house.say(ann, room, 'hi')), 'moderated');
});
renamed.run();

const watched = suite('rooms: watchers');

watched('hear of everybody who comes, changes and goes, in a room or not', async () => {
  const { house, ann, bob, enter, bugs } = await founded();
  const heard: string[] = [];
  house.watch({
    entered: () => {
      throw new Error('a bug of a watcher');
    },
  });
  house.watch({
    entered: (person) => void heard.push(`+${person.name}`),
    changed: (before, after) => void heard.push(`${before.name} ${after.name} ${after.account}`),
    quit: (person, reason) => void heard.push(`-${person.name} ${reason}`),
  });
  await enter('eve');
  await house.rename(bob, 'rob');
  house.setAccount(ann, 'anna');
  house.setAccount(ann, 'anna');
  house.setAccount(ann, undefined);
  house.quit(bob, 'bye');
  assert.equal(heard, ['+eve', 'bob rob undefined', 'ann ann anna', 'ann ann undefined', '-rob bye']);
  assert.is(bugs.length, 1);
  assert.equal(
    [...house.members()].map(({ person }) => person.name),
    ['op', 'ann', 'eve'],
  );
  assert.equal([house.personNamed('EVE')?.name, house.personNamed('rob')], ['eve', undefined]);
});

watched('are told of a quit in each event of it: which rooms, in which order', async () => {
  const { house, ann, tongue } = await founded();
  house.join(ann, await house.openRoom('s'));
  tongue.events.length = 0;
  house.quit(ann, 'bye');
  assert.equal(
    tongue.events.map((event) => event.kind === 'left' && [event.room, event.quit]),
    [
      ['r', ['r', 's']],
      ['s', ['r', 's']],
    ],
  );
});
watched.run();

const said = suite('rooms: what is said');

said('as a notice, with tags and by an account comes so, also from the past', async () => {
  const { house, ann, room, tongue } = await founded();
  house.setAccount(ann, 'anna');
  tongue.events.length = 0;
  house.say(ann, room, 'one', { notice: true, tags: { '+draft/reply': 'x' } });
  house.say(ann, room, 'two');
  const [first, second] = tongue.events.flatMap((event) => (event.kind === 'post' ? [event] : []));
  assert.equal([first?.notice, first?.tags, first?.who.account], [true, { '+draft/reply': 'x' }, 'anna']);
  assert.equal([second?.notice, second?.tags], [undefined, undefined]);
  const past = await house.history(room, { limit: 9 });
  assert.equal(
    past.map(({ text, notice }) => [text, notice]),
    [
      ['one', true],
      ['two', undefined],
    ],
  );
});

said('to one alone has an id of its own; tags without a text are for those who have a form for them', async () => {
  const { house, ann, bob, room, tongue } = await founded();
  const whispers: Whisper[] = [];
  const signals: Signal[] = [];
  const knowing = Object.assign(new FakeTongue(), {
    whisper: (_: Member, whisper: Whisper) => whispers.push(whisper) > 0,
    signal: (_: Member, signal: Signal) => signals.push(signal) > 0,
  });
  const eve = await house.enter('eve', knowing, 'exactly');
  assert.ok(house.whisper(ann, eve.person, 'a', { notice: true, tags: { '+x': '' } }));
  const id = house.newId();
  assert.ok(house.whisper(ann, eve.person, 'b', { id }));
  assert.ok(house.signalTo(ann, eve.person, { '+typing': 'done' }));
  assert.not(house.signalTo(ann, bob.person, { '+typing': 'done' }));
  assert.equal([whispers[0]?.notice, whispers[0]?.tags, whispers[1]?.id], [true, { '+x': '' }, id]);
  assert.is(new Set([...whispers, ...signals].map((one) => one.id)).size, 3);
  house.signal(ann, room, { '+typing': 'active' });
  assert.equal(tongue.take(), ['r ann signals +typing']);
});

said('to one alone is kept for whoever of the two has an account, under an id among those of posts', async () => {
  const { house, store, ann, bob, room } = await founded();
  const tongue = Object.assign(new FakeTongue(), { whisper: () => true });
  const [eve, dan] = [
    await house.enter('eve', tongue, 'exactly', undefined, { account: 'Eve' }),
    await house.enter('dan', tongue, 'exactly'),
  ];
  house.say(ann, room, 'before');
  const whisper = house.whisper(ann, eve.person, 'psst', { tags: { '+x': '' } });
  house.say(ann, room, 'after');
  const [before, after] = store.posts.slice(-2);
  assert.ok((before?.id ?? 0) < (whisper?.keptAs ?? 0) && (whisper?.keptAs ?? 0) < (after?.id ?? 0));
  const past = await house.whispers('eve', 'ann', { limit: 9 });
  assert.equal(
    past.map(({ id, who, to, at, text, tags }) => [id, who.name, to.name, at, text, tags]),
    [[whisper?.keptAs, 'ann', 'eve', whisper?.at, 'psst', { '+x': '' }]],
  );
  assert.equal(await house.talks('eve'), [{ name: 'ann', at: whisper?.at }]);
  assert.equal(await house.talks('ann'), []);
  // between two without accounts, in passing, and what was told to nobody
  assert.is(house.whisper(ann, dan.person, 'x')?.keptAs, undefined);
  assert.is(house.whisper(ann, eve.person, 'x', { isPassing: true })?.keptAs, undefined);
  assert.is(house.whisper(eve, bob.person, 'x'), undefined);
  house.quit(eve, 'bye');
  assert.is(house.whisper(ann, eve.person, 'x'), undefined);
  assert.is(store.keptWhispers.length, 1);
});

said('ids of a server that was started again are others', () => {
  const startedAt = (now: number) => {
    const backbone = new LocalBackbone(new MemoryStore());
    return new House({ backbone, wall: () => now, onBug: () => {} });
  };
  const ids = [1000, 1001].map(startedAt).flatMap((house) => [house.newId(), house.newId()]);
  assert.is(new Set(ids).size, 4);
});

said('last is known for many rooms at once, and where each account has read to', async () => {
  const { house, clock, ann, room } = await founded();
  const empty = await house.openRoom('empty');
  for (const at of [2000, 3000, 4000]) {
    clock.now = at;
    house.say(ann, room, `${at}`);
  }
  const last = (range: object) => house.lastPosts([room, empty], range);
  assert.equal([...(await last({}))], [['r', 4000]]);
  assert.equal([...(await last({ before: { at: 4000 }, after: { at: 2000 } }))], [['r', 3000]]);
  assert.equal([...(await last({ before: { at: 2000 } }))], []);
  assert.is(await house.marker('ann', 'r'), undefined);
  assert.is(await house.setMarker('ann', 'r', 9), 9);
  assert.is(await house.setMarker('ann', 'r', 7), 9);
  assert.equal([await house.marker('ann', 'r'), await house.marker('bob', 'r')], [9, undefined]);
});
said.run();

const anything = suite('rooms: whatever is done');

type Deed = (
  on: { house: House; members: Member[]; rooms: Room[] },
  who: number,
  what: number,
  other: number,
) => unknown;
const DEEDS: readonly Deed[] = [
  ({ house, members, rooms }, who, what) => house.found(members[who] as Member, rooms[what] as Room),
  ({ house, members, rooms }, who, what) => house.leave(members[who] as Member, rooms[what] as Room, 'left'),
  ({ house, members, rooms }, who, what, other) =>
    house.kick(members[who] as Member, rooms[what] as Room, (members[other] as Member).person, 'out'),
  ({ house, members, rooms }, who, what, other) =>
    house.invite(members[who] as Member, rooms[what] as Room, (members[other] as Member).person),
  ({ house, members, rooms }, who, what, other) => {
    const { id, name } = (members[other] as Member).person;
    const changes = [add('operator', id), add('ban', name), add('inviteOnly'), add('limit', 2), drop('operator', id)];
    return house.rule(members[who] as Member, rooms[what] as Room, changes.slice(other, other + 2));
  },
  ({ house, members }, who, what) => house.rename(members[who] as Member, `name ${what}`),
  ({ house, members }, who, what) => house.setAccount(members[who] as Member, what ? `account ${what}` : undefined),
  ({ house, members, rooms }, who, what) => house.say(members[who] as Member, rooms[what] as Room, 'hi'),
  ({ house, members }, who) => house.quit(members[who] as Member, 'bye'),
];

anything('rooms and people agree on who is where and is called what, and ranks are those of people inside', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(DEEDS.length - 1), fc.nat(3), fc.nat(2), fc.nat(3)), { maxLength: 60 }),
      async (deeds) => {
        const { house, bugs } = openHouse();
        const members: Member[] = [];
        for (const name of 'abcd') members.push(await house.enter(name, new FakeTongue(name), 'exactly'));
        const rooms: Room[] = [];
        for (const name of ['r', 's', 'main']) rooms.push(await house.openRoom(name));
        for (const [deed, ...how] of deeds) {
          try {
            await (DEEDS[deed] as Deed)({ house, members, rooms }, ...how);
          } catch (error) {
            assert.instance(error, HouseError);
          }
        }
        const there = new Set(house.members());
        for (const member of members) {
          const { id, name } = member.person;
          assert.is(house.memberNamed(name) === member, there.has(member));
          for (const room of rooms) {
            assert.is(room.people.get(id), member.rooms.has(room.key) ? member.person : undefined);
            assert.ok(room.people.has(id) || !(room.rules.isOperator(id) || room.rules.hasVoice(id)));
          }
        }
        assert.equal(bugs, []);
      },
    ),
  ),
);
anything.run();

const idle = suite('rooms: what nobody uses');

idle('a person has no more than what is known of them', async () => {
  const { house } = openHouse();
  const { person } = await house.enter('ann', new FakeTongue(), 'exactly', undefined, { host: '192.0.2.7' });
  const known: Person = { id: '1.1', name: 'ann', nick: 'ann', dialect: 'fake', host: '192.0.2.7' };
  assert.equal(person, known);
});
idle.run();
