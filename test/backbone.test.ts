import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Backbone, LocalBackbone } from '../src/backbone.ts';
import type { Draft, HouseEvent, Post } from '../src/events.ts';
import type { StoredRoom } from '../src/store.ts';
import {
  chat,
  FakeTongue,
  join,
  joined,
  leave,
  left,
  MemoryStore,
  openHouse,
  openLab,
  play,
  refusal,
  say,
  settle,
} from './fakes.ts';

const limits = suite('house: limits');

limits('hold for people', async () => {
  const { house } = openHouse({ people: 2 });
  const tongue = new FakeTongue();
  const ann = await house.enter('ann', tongue, 'exactly');
  await house.enter('bob', tongue, 'exactly');
  assert.is(await refusal(house.enter('cy', tongue, 'aliased')), 'full');
  house.quit(ann, 'bye');
  await house.enter('cy', tongue, 'exactly');
});

limits('hold for people who come at the same time', async () => {
  const { house } = openHouse({ people: 2 });
  await Promise.allSettled([...'abcd'].map((name) => house.enter(name, new FakeTongue(), 'exactly')));
  assert.is(house.people, 2);
});

limits('count a refused name for nothing', async () => {
  const { house } = openHouse({ people: 2 });
  const tongue = new FakeTongue();
  await house.enter('ann', tongue, 'exactly');
  for (let i = 0; i < 5; i++) assert.is(await refusal(house.enter('ann', tongue, 'exactly')), 'name-taken');
  await house.enter('bob', tongue, 'exactly');
});

limits('hold for the rooms of one member', async () => {
  const { house } = openHouse({ roomsEach: 2 });
  const tongue = new FakeTongue();
  const ann = await house.enter('ann', tongue, 'exactly');
  for (const name of ['a', 'b']) house.join(ann, await house.openRoom(name));
  const third = await house.openRoom('c');
  assert.is(await refusal(() => house.join(ann, third)), 'not-allowed');
  house.leave(ann, await house.openRoom('a'), 'left');
  house.join(ann, third);
});

limits('hold for the length of a text', async () => {
  const { house, store } = openHouse({ textChars: 5 });
  const ann = await house.enter('ann', new FakeTongue(), 'exactly');
  const room = await house.openRoom('r');
  house.join(ann, room);
  assert.is(await refusal(() => house.say(ann, room, '123456')), 'too-long');
  house.say(ann, room, '12345');
  assert.equal(
    store.posts.map(({ text }) => text),
    ['12345'],
  );
});

limits('hold for rooms: an empty one makes place, and what was said in it is kept', async () => {
  const { house, store } = openHouse({ rooms: 3 });
  const ann = await house.enter('ann', new FakeTongue(), 'exactly');
  const [peopled, spoken, empty] = [await house.openRoom('a'), await house.openRoom('b'), await house.openRoom('c')];
  await house.refOf(empty, 'lab');
  house.join(ann, peopled);
  house.join(ann, spoken);
  house.say(ann, spoken, 'hi');
  house.leave(ann, spoken, 'left');
  await house.openRoom('d');
  assert.equal([...house.rooms.keys()], ['a', 'b', 'd']);
  assert.equal(store.dropped, [3]);
  assert.is(house.roomByRef('lab', 0), undefined);
  assert.is(await refusal(() => house.join(ann, empty)), 'no-such-room');
  house.join(ann, await house.openRoom('d'));
  const ref = await house.refOf(spoken, 'lab');
  await house.openRoom('e');
  assert.equal([...house.rooms.keys()], ['a', 'd', 'e'], 'the one that was left first rests');
  const back = await house.openRoom('B');
  assert.equal([back.name, back.refs.get('lab'), house.roomByRef('lab', ref)], ['b', ref, back]);
  assert.equal((await house.history(back, { limit: 5 })).length, 1);
  assert.equal(store.dropped, [3, 5], 'only rooms in which nothing was said are gone');
  house.join(ann, back);
  assert.is(await refusal(house.openRoom('f')), 'full');
});

limits('hold for rooms that are opened at the same time', async () => {
  const { house } = openHouse({ rooms: 2 });
  await Promise.allSettled([...'abcd'].map((name) => house.openRoom(name)));
  assert.ok(house.rooms.size <= 2, `${house.rooms.size} rooms`);
});
limits.run();

const local = suite('local backbone');

local('goes on with the rooms, numbers and posts of the store', async () => {
  const store = new MemoryStore();
  const made = { made: 1, used: true, description: '', owner: undefined, password: undefined };
  store.rooms.push({ id: 3, key: 'r', name: 'R', refs: new Map([['lab', 4]]), ...made });
  store.rooms.push({ id: 7, key: 's', name: 'S', refs: new Map(), ...made });
  store.start = { lastPost: 10, lastRoom: 7, lastRefs: [['lab', 4]], resting: 0, accounts: [], contacts: [] };
  const { house } = openHouse({ rooms: 3 }, new LocalBackbone(store));
  assert.is(house.roomByRef('lab', 4), house.findRoom('r'));
  assert.is(await house.refOf(await house.openRoom('s'), 'lab'), 5);
  const ann = await house.enter('ann', new FakeTongue(), 'exactly');
  const room = await house.openRoom('new');
  house.join(ann, room);
  house.say(ann, room, 'hi');
  assert.equal([store.rooms.at(-1)?.id, store.posts[0]?.id, store.posts[0]?.roomId], [8, 11, 8]);
});

local('pages through the history of a room', async () => {
  const { house } = openHouse();
  const ann = await house.enter('ann', new FakeTongue(), 'exactly');
  const room = await house.openRoom('r');
  house.join(ann, room);
  for (let i = 1; i <= 5; i++) house.say(ann, room, `${i}`);
  const texts = async (limit: number, before?: number) =>
    (await house.history(room, { limit, ...(before && { before: { id: before } }) })).map(({ text }) => text);
  assert.equal(await texts(2), ['4', '5']);
  assert.equal(await texts(2, 4), ['2', '3']);
  assert.equal(await texts(9, 2), ['1']);
});

local('passes on whether a post is saved', async () => {
  const { house, store } = openHouse();
  const tongue = new FakeTongue();
  const ann = await house.enter('ann', tongue, 'exactly');
  const room = await house.openRoom('r');
  house.join(ann, room);
  house.say(ann, room, 'hi');
  const post = tongue.events.at(-1) as Post;
  await house.saved(post);
  store.saving = 'fails';
  assert.is(await refusal(house.saved(post)), 'not-saved');
});

local('passes on who is known by an address, and their mail', async () => {
  const store = new MemoryStore();
  const ann = { key: 'ann', name: 'Ann', ip: '10.0.0.7', port: 4000, isOurs: true, isOnline: true, seen: 5, heard: 2 };
  store.start = { ...store.start, contacts: [ann] };
  const backbone = new LocalBackbone(store);
  assert.equal([...backbone.contacts()], [ann]);
  backbone.putContact({ ...ann, isOnline: false });
  assert.equal([...store.contacts.values()], [{ ...ann, isOnline: false }]);
  const mail = { owner: 'ann', sender: 'bob', time: '10:11:12', text: 'hi', at: 6 };
  const ids = [await backbone.addMail(mail), await backbone.addMail({ ...mail, sender: undefined })];
  assert.equal(
    (await backbone.mailOf('ann')).map(({ id, sender }) => [id, sender]),
    [
      [ids[0], 'bob'],
      [ids[1], undefined],
    ],
  );
  await backbone.dropMail('ann', ids[0] as number);
  assert.is((await backbone.mailOf('ann')).length, 1);
  store.saving = 'fails';
  assert.is(await refusal(backbone.addMail(mail)), 'not-saved');
  assert.is(await refusal(backbone.dropMail('ann', 9)), 'not-saved');
  backbone.dropContact('ann');
  assert.equal([store.contacts.size, store.mail], [0, []]);
});
local.run();

const never = () => Promise.reject(new Error('not here'));
const owned = (owner: string, password?: string) => ({ description: '', owner, password });
const account = (key: string) => ({ key, name: key, hash: '', made: 1 });

const accounts = suite('local backbone: accounts');

accounts('a name of an account is for its owner, one at a time', async () => {
  const store = new MemoryStore();
  store.start = { ...store.start, accounts: ['ann'] };
  const backbone = new LocalBackbone(store);
  assert.equal([backbone.isRegistered('ann'), backbone.isRegistered('bob')], [true, false]);
  assert.is(await backbone.claim('ann'), 'registered');
  assert.is(await backbone.claim('ann', 'account'), 'ours');
  assert.is(await backbone.claim('ann', 'account'), 'worn');
  assert.is(await backbone.claim('ann'), 'registered');
  backbone.release('ann');
  assert.is(await backbone.claim('ann', 'account'), 'ours');
});

accounts('are added once, and not under a name that is worn', async () => {
  const backbone = new LocalBackbone(new MemoryStore());
  await backbone.addAccount(account('ann'));
  assert.is(await refusal(backbone.addAccount(account('ann'))), 'name-registered');
  await backbone.claim('bob');
  assert.is(await refusal(backbone.addAccount(account('bob'))), 'name-taken');
  backbone.release('bob');
  await backbone.addAccount(account('bob'));
  assert.is((await backbone.findAccount('bob'))?.key, 'bob');
  assert.is(await backbone.findAccount('nobody'), undefined);
});

accounts('that can’t be kept leave their names free', async () => {
  const store = new MemoryStore();
  const backbone = new LocalBackbone(store);
  store.saving = 'fails';
  assert.is(await refusal(backbone.addAccount(account('ann'))), 'not-saved');
  assert.equal([backbone.isRegistered('ann'), await backbone.claim('ann')], [false, 'ours']);
});

accounts('the store is not asked for names that nobody has', async () => {
  const store = new MemoryStore();
  store.findAccount = never;
  assert.is(await new LocalBackbone(store).findAccount('ann'), undefined);
});
accounts.run();

const kept = suite('local backbone: rooms');

/** How many of that key the store has been given and not been told to drop. */
const inStore = (store: MemoryStore, key: string) =>
  store.rooms.filter((room) => room.key === key && !store.dropped.includes(room.id)).length;

kept('with an owner are there when they are kept; others wait for that', async () => {
  const store = new MemoryStore();
  const backbone = new LocalBackbone(store);
  store.saving = 'held';
  const making = backbone.makeRoom('r', 'R', 1, owned('ann', 'hash'));
  await settle();
  const others = Promise.all([backbone.findRoom('r'), backbone.openRoom('r', 'r', 2), backbone.findRoom('r')]);
  const second = refusal(backbone.makeRoom('r', 'r', 2, owned('bob')));
  await settle();
  store.release();
  const room = await making;
  assert.equal([room.name, room.owner, room.password], ['R', 'ann', 'hash']);
  for (const one of await others) assert.is(one?.id, room.id);
  assert.equal([await second, inStore(store, 'r')], ['name-taken', 1]);
});

kept('that can’t be kept are not there', async () => {
  const store = new MemoryStore();
  const backbone = new LocalBackbone(store);
  store.saving = 'fails';
  assert.is(await refusal(backbone.makeRoom('r', 'R', 1, owned('ann'))), 'not-saved');
  assert.is(await backbone.findRoom('r'), undefined);
  store.saving = 'at once';
  assert.is((await backbone.openRoom('r', 'r', 1)).owner, undefined);
});

kept('that are there already can’t be made, with an owner or without', async () => {
  const backbone = new LocalBackbone(new MemoryStore());
  await backbone.openRoom('a', 'a', 1);
  await backbone.makeRoom('b', 'b', 1, owned('ann'));
  for (const key of ['a', 'b']) assert.is(await refusal(backbone.makeRoom(key, key, 1, owned('bob'))), 'name-taken');
});

for (const resting of [0, 1]) {
  const where = resting > 0 ? ', with rooms that rest in the store' : '';
  const open = () => {
    const store = new MemoryStore();
    store.start = { ...store.start, resting };
    return { store, backbone: new LocalBackbone(store) };
  };

  kept(`opened by two at once are one in the store too${where}`, async () => {
    const { store, backbone } = open();
    const [a, b] = await Promise.all([backbone.openRoom('r', 'r', 1), backbone.openRoom('r', 'R', 1)]);
    assert.equal([a.id === b.id, inStore(store, 'r')], [true, 1]);
  });

  kept(`made by two at once are one’s${where}`, async () => {
    const { store, backbone } = open();
    const both = await Promise.all(
      ['ann', 'bob'].map((owner) => refusal(backbone.makeRoom('r', 'r', 1, owned(owner)))),
    );
    assert.equal([both.sort(), inStore(store, 'r')], [['name-taken', 'no refusal'], 1]);
  });

  kept(`made and opened at once are one${where}`, async () => {
    for (const isMadeFirst of [true, false]) {
      const { store, backbone } = open();
      const make = () => backbone.makeRoom('r', 'r', 1, owned('ann')).catch(() => undefined);
      const first = isMadeFirst ? make() : undefined;
      const opened = backbone.openRoom('r', 'r', 1);
      const made = await (first ?? make());
      assert.is(inStore(store, 'r'), 1);
      assert.is((await opened).id, (await backbone.findRoom('r'))?.id);
      if (made) assert.is((await opened).id, made.id);
    }
  });

  kept(`that two wait for while they are deleted are one afterwards${where}`, async () => {
    const { store, backbone } = open();
    await backbone.makeRoom('r', 'r', 1, owned('ann'));
    store.saving = 'held';
    const deleting = backbone.deleteRoom('r', 2);
    const both = Promise.all([backbone.openRoom('r', 'r', 3), backbone.openRoom('r', 'R', 3)]);
    await settle();
    store.saving = 'at once';
    store.release();
    await deleting;
    const [a, b] = await both;
    assert.equal([a.id === b.id, a.owner, inStore(store, 'r')], [true, undefined, 1]);
  });
}

kept('that are deleted are gone at once, with what was said in them', async () => {
  const { house, store } = openHouse();
  const room = await house.makeRoom('r', owned('ann'));
  const ann = await house.enter('ann', new FakeTongue(), 'exactly');
  house.join(ann, room);
  house.say(ann, room, 'hi');
  store.saving = 'held';
  const deleting = house.deleteRoom(room);
  assert.equal([house.findRoom('r'), ann.rooms.size], [undefined, 0]);
  store.release();
  await deleting;
  assert.equal(await house.history(await house.openRoom('r'), { limit: 10 }), []);
});

kept('whose deletion fails are there again, as they were', async () => {
  const { house, store } = openHouse();
  const room = await house.makeRoom('r', owned('ann', 'hash'));
  store.saving = 'fails';
  assert.is(await refusal(house.deleteRoom(room)), 'not-saved');
  const again = await house.lookUp('R');
  assert.equal([again?.settings.owner, again?.isPrivate], ['ann', true]);
});

kept('that are deleted twice at once are deleted once', async () => {
  const { house, store } = openHouse();
  const room = await house.makeRoom('r', owned('ann'));
  const both = await Promise.all([refusal(house.deleteRoom(room)), refusal(house.deleteRoom(room))]);
  assert.equal([both, store.dropped], [['no refusal', 'no-such-room'], [1]]);
});
kept.run();

/** What the test of several nodes needs nothing of. */
const NO_ACCOUNTS = {
  isRegistered: () => false,
  addAccount: never,
  findAccount: never,
  setHash: never,
  makeRoom: never,
  deleteRoom: never,
  search: never,
  contacts: () => [],
  putContact: never,
  dropContact: never,
  addMail: never,
  mailOf: never,
  dropMail: never,
};

/** Several nodes: each house has one, all are joined by a wire that delivers when the test says so. */
class Wire {
  readonly #hears: Array<(event: HouseEvent) => void> = [];
  readonly #claimed = new Set<string>();
  readonly #rooms = new Map<string, StoredRoom>();
  #waiting: Draft[] = [];
  #posts = 0;

  node(node: string): Backbone {
    const later = <T>(value: () => T): Promise<T> => Promise.resolve().then(value);
    return {
      node,
      rooms: () => this.#rooms.values(),
      listen: (hear) => void this.#hears.push(hear),
      claim: (key) =>
        later(() => {
          if (this.#claimed.has(key)) return 'worn';
          this.#claimed.add(key);
          return 'ours';
        }),
      release: (key) => void this.#claimed.delete(key),
      ...NO_ACCOUNTS,
      openRoom: (key, name, made) =>
        later(() => {
          const id = this.#rooms.size + 1;
          const settings = { description: '', owner: undefined, password: undefined };
          const room = this.#rooms.get(key) ?? { ...settings, id, key, name, made, used: false, refs: new Map() };
          this.#rooms.set(key, room);
          return room;
        }),
      findRoom: (key) => later(() => this.#rooms.get(key)),
      restRoom: () => {},
      forgetRoom: (key) => void this.#rooms.delete(key),
      refOf: (key) => later(() => (this.#rooms.get(key)?.id ?? 0) - 1),
      publish: (draft) => void this.#waiting.push(draft),
      saved: () => later(() => undefined),
      keepRules: () => {},
      history: async () => [],
      lastPosts: async () => new Map(),
      nextId: () => ++this.#posts,
      keepWhisper: () => {},
      whispers: async () => [],
      talks: async () => [],
      marker: async () => undefined,
      setMarker: async (_account, _target, at) => at,
    };
  }

  deliver(): void {
    for (const draft of this.#waiting.splice(0)) {
      const event = draft.kind === 'post' ? { ...draft, id: ++this.#posts } : draft;
      for (const hear of this.#hears) hear(event);
    }
  }
}

const nodes = suite('several nodes');

nodes('share names, people and posts', async () => {
  const wire = new Wire();
  const [east, west] = [openHouse({}, wire.node('e')).house, openHouse({}, wire.node('w')).house];
  const [hereTongue, thereTongue] = [new FakeTongue(), new FakeTongue()];
  const [here, there] = [await east.openRoom('r'), await west.openRoom('R')];
  const ann = await east.enter('ann', hereTongue, 'exactly');
  assert.is(await refusal(west.enter('Ann', thereTongue, 'exactly')), 'name-taken');
  const bob = await west.enter('bob', thereTongue, 'exactly');
  east.join(ann, here);
  west.join(bob, there);
  assert.equal([here.people.size, hereTongue.heard], [0, []], 'nothing is so before it was heard');
  wire.deliver();
  assert.is.not(ann.person.id, bob.person.id);
  assert.equal(
    [...here.people.values()].map(({ name }) => name),
    ['ann', 'bob'],
  );
  assert.equal(
    [...there.people.values()].map(({ name }) => name),
    ['ann', 'bob'],
  );
  east.say(ann, here, '1');
  west.say(bob, there, '2');
  east.say(ann, here, '3');
  east.quit(ann, 'bye');
  wire.deliver();
  const common = ['r +bob', 'r ann: 1', 'r bob: 2', 'r ann: 3', 'r -ann (bye)'];
  assert.equal(hereTongue.heard, ['r +ann', ...common]);
  assert.equal(thereTongue.heard, common);
  assert.equal([here.people.size, there.people.size], [1, 1]);
  await west.enter('ann', thereTongue, 'exactly');
});

nodes('share operators, rules, topics, other names and who is put out', async () => {
  const wire = new Wire();
  const [east, west] = [openHouse({}, wire.node('e')).house, openHouse({}, wire.node('w')).house];
  const [hereTongue, thereTongue] = [new FakeTongue(), new FakeTongue()];
  const [here, there] = [await east.openRoom('r'), await west.openRoom('r')];
  const ann = await east.enter('ann', hereTongue, 'exactly');
  const bob = await west.enter('bob', thereTongue, 'exactly');
  const watched: string[] = [];
  west.watch({
    entered: ({ name }) => void watched.push(`+${name}`),
    changed: (one, other) => void watched.push(`${one.name} ${other.name}`),
    quit: ({ name }) => void watched.push(`-${name}`),
  });
  east.found(ann, here);
  wire.deliver();
  west.found(bob, there);
  wire.deliver();
  assert.equal(
    [here, there].map(({ rules }) => rules.isOperator(ann.person.id)),
    [true, true],
  );
  assert.is(await refusal(() => west.kick(bob, there, ann.person, '')), 'not-operator');
  east.rule(ann, here, [
    { isAdded: true, rule: 'moderated' },
    { isAdded: true, rule: 'operator', param: bob.person.id },
  ]);
  east.title(ann, here, 'about');
  await east.rename(ann, 'anna');
  wire.deliver();
  assert.equal([there.rules.has('moderated'), there.rules.isOperator(bob.person.id)], [true, true]);
  assert.equal([there.settings.description, west.personNamed('anna')?.id], ['about', ann.person.id]);
  assert.is(west.personById(ann.person.id)?.name, 'anna');
  assert.is(west.personNamed('ann'), undefined);
  west.kick(bob, there, ann.person, 'enough');
  wire.deliver();
  assert.equal([ann.rooms.size, here.people.size, there.people.size], [0, 1, 1]);
  assert.equal(hereTongue.heard.slice(-2), ['r ann is anna', 'r -anna (enough, by bob)']);
  assert.equal([watched, west.personNamed('anna')], [['+ann', 'ann anna', '-anna'], undefined]);
});

nodes('do not seat somebody who quit before the joining was heard', async () => {
  const wire = new Wire();
  const { house } = openHouse({}, wire.node('e'));
  const tongue = new FakeTongue();
  const room = await house.openRoom('r');
  const ann = await house.enter('ann', tongue, 'exactly');
  house.join(ann, room);
  house.quit(ann, 'gone');
  wire.deliver();
  assert.equal([room.people.size, tongue.heard], [0, []]);
});

/** Answers nothing at once, but delivers soon: what a `lab` client sees must be the same. */
function distantLab() {
  const wire = new Wire();
  const backbone = wire.node('e');
  const publish = (draft: Draft) => {
    backbone.publish(draft);
    queueMicrotask(() => wire.deliver());
  };
  return openLab({}, openHouse({}, { ...backbone, claim: async () => 'ours', publish }));
}

nodes('that hear late answer a lab client all the same', () =>
  play(
    distantLab(),
    `${join('r', 'ann')}
     ${joined('r', 0, 1)}
     ${chat(0, 'ann', 'ann has joined this chatroom.')}
     ${say(0, 1, 'ann', 'hi')}
     ${chat(0, 'ann', 'hi')}
     ${leave(0, 1, 'ann')}
     ${left(0, 1)}
     ${chat(0, 'ann', 'ann has left this chatroom.')}`,
  ),
);
nodes.run();
