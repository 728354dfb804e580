import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isChannel } from '../src/irc-masks.ts';
import {
  addOther,
  converse,
  gather,
  hush,
  openIrc,
  register,
  rest,
  roomNamed,
  SERVER,
  type TestIrc,
} from './irc-stage.ts';

// --- NAMES ------------------------------------------------------------------------------------------------------

const naming = suite('irc lists: NAMES');

naming('tells ranks: the highest, or all of them', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann bob', '#a');
  await gather(on, 'cat', '#a', { caps: 'multi-prefix' });
  await gather(on, 'dan', '#a', { caps: 'userhost-in-names' });
  await ann?.say('MODE #a +vv ann bob');
  hush(on);
  await converse(
    on,
    `bob: NAMES #a
     bob< ~353 bob = #a :@ann +bob cat dan
     bob< ~366 bob #a :End of /NAMES list
     cat: NAMES #a
     cat< ~353 cat = #a :@+ann +bob cat dan
     cat< ~366 cat #a :End of /NAMES list
     dan: NAMES #a
     dan< ~353 dan = #a :@ann!ann@198.51.100.7 +bob!bob@198.51.100.7 cat!cat@198.51.100.7 dan!dan@198.51.100.7
     dan< ~366 dan #a :End of /NAMES list`,
  );
});

naming('hides secret channels and invisible people from those outside', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#open,#secret');
  await gather(on, 'bob', '#open');
  await register(on, 'cat');
  await on.clients.get('ann')?.say('MODE #secret +s');
  await on.clients.get('bob')?.say('MODE bob +i');
  hush(on);
  await converse(
    on,
    `cat: NAMES #open,#secret,#nowhere
     cat< ~353 cat = #open @ann
     cat< ~366 cat #open :End of /NAMES list
     cat< ~366 cat #secret :End of /NAMES list
     cat< ~366 cat #nowhere :End of /NAMES list
     ann: NAMES #open,#secret
     ann< ~353 ann = #open :@ann bob
     ann< ~366 ann #open :End of /NAMES list
     ann< ~353 ann @ #secret @ann
     ann< ~366 ann #secret :End of /NAMES list
     cat: NAMES
     cat< ~353 cat = #open @ann
     cat< ~366 cat * :End of /NAMES list`,
  );
});

naming('takes as many lines as it needs, none too long', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#a');
  const nicks = ['ann'];
  for (let nth = 0; nth < 60; nth++) {
    const nick = `ü${'x'.repeat(20)}${nth}`;
    await addOther(on, nick, { rooms: 'a' });
    nicks.push(nick);
  }
  hush(on);
  const told = (await ann?.say('NAMES #a')) ?? [];
  assert.is(told.pop(), `:${SERVER} 366 ann #a :End of /NAMES list`);
  const longest = Math.max(...told.map((line) => new TextEncoder().encode(line).length));
  assert.ok(longest <= 510 && longest > 470, `${longest}`);
  const named = told.flatMap((line) => line.replace(/^.* = #a :/, '').split(' '));
  assert.equal(named, ['@ann', ...nicks.slice(1)]);
});

naming('tells of a channel once, however often it is asked for, and of all where none is named', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a,#b');
  await converse(
    on,
    `ann: NAMES #a,#A,,#b,#a,#no,#NO
     ann< ~353 ann = #a @ann
     ann< ~366 ann #a :End of /NAMES list
     ann< ~353 ann = #b @ann
     ann< ~366 ann #b :End of /NAMES list
     ann< ~366 ann #NO :End of /NAMES list
     ann: NAMES :
     ann< ~353 ann = #a @ann
     ann< ~353 ann = #b @ann
     ann< ~366 ann * :End of /NAMES list`,
  );
});

naming('of many people goes on when what was told has been read', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#a');
  assert.ok(ann);
  for (let n = 1000; n < 2500; n++) await addOther(on, `${'x'.repeat(60)}${n}`, { rooms: 'a' });
  hush(on);
  const { port } = ann;
  const send = port.send.bind(port);
  port.send = (bytes) => {
    port.isCongested = true;
    return send(bytes);
  };
  const first = await ann.say('NAMES #a');
  assert.not(first.some((line) => line.includes(' 366 ')));
  port.isCongested = false;
  ann.session.tick(on.clock.now);
  await rest();
  const lines = [...first, ...ann.take()];
  assert.is(lines.join(' ').match(/x\d+/g)?.length, 1500);
  assert.match(lines.at(-1) as string, / 366 ann #a :/);
});

naming('gives nobody a nick that somebody is called by already', async () => {
  const on = openIrc();
  await addOther(on, 'a b', { rooms: 'a', dialect: 'lab' });
  await addOther(on, 'a_b', { rooms: 'a', dialect: 'lab' });
  await gather(on, 'ann', '#a');
  await converse(
    on,
    `ann: NAMES #a
     ann< ~353 ann = #a :a_b a_b~2 ann
     ann< ~366 ann #a :End of /NAMES list
     ann: NICK A_b
     ann< ~433 ann A_b :The name A_b is taken
     bob: NICK a_b
     bob: USER bob 0 * :Bob
     bob< ~433 * a_b :The name a_b is taken`,
  );
});

naming('calls everybody by another nick, by which they can be called', async () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(name, { maxLength: 20 }), async (names) => {
      const on = openIrc();
      const [ann] = await gather(on, 'ann', '#a');
      const members: string[] = [];
      for (const one of [...names, '_ _', '__', '_ _~2', 'a b', 'a.b', 'a_b~2']) {
        const other = await addOther(on, one, { rooms: 'a' }).catch(() => undefined);
        if (other) members.push(other.member.person.id);
      }
      hush(on);
      const told = ((await ann?.say('NAMES #a')) ?? []).slice(0, -1);
      const nicks = told.flatMap((line) => line.replace(/^.* = #a :/, '').split(' ')).slice(1);
      assert.is(
        new Set(nicks.map((nick) => nick.replace(/[A-Z]/g, (letter) => letter.toLowerCase()))).size,
        nicks.length,
      );
      assert.equal(
        nicks.map((nick) => on.irc.names.personOf(nick)?.id),
        members,
      );
    }),
    { numRuns: 60 },
  );
});

naming.run();

// --- LIST -------------------------------------------------------------------------------------------------------

const listing = suite('irc lists: LIST');

async function withRooms() {
  const on = openIrc();
  await gather(on, 'ann bob', '#tea');
  await gather(on, 'cat', '#coffee,#secret');
  await on.clients.get('cat')?.say('MODE #secret +s', 'TOPIC #coffee :black or white');
  await register(on, 'dan');
  hush(on);
  return on;
}

listing('tells channels with how many are in, and what they are about', async () => {
  await converse(
    await withRooms(),
    `dan: LIST
     dan< ~321 dan Channel :Users  Name
     dan< ~322 dan #tea 2 :
     dan< ~322 dan #coffee 1 :black or white
     dan< ~323 dan :End of /LIST
     cat: LIST #secret,#TEA,#nowhere
     cat< ~321 cat Channel :Users  Name
     cat< ~322 cat #secret 1 :
     cat< ~322 cat #tea 2 :
     cat< ~323 cat :End of /LIST
     dan: LIST #secret
     dan< ~321 dan Channel :Users  Name
     dan< ~323 dan :End of /LIST`,
  );
});

listing('tries no number for each of thousands that are spelled the same', async () => {
  const on = openIrc();
  const { rooms } = on.house;
  let tried = 0;
  Object.defineProperty(on.house, 'rooms', {
    get: () => {
      tried++;
      return rooms;
    },
  });
  const channels = new Set<string>();
  const letters = (n: number) => [...n.toString(2).padStart(9, '0')].map((bit) => (bit === '0' ? '_' : ','));
  for (let n = 0; n < 512; n++) {
    const channel = on.irc.names.channelOf(await on.house.openRoom(`a${letters(n).join('')}b`));
    channels.add(channel);
    assert.ok(isChannel(channel));
    assert.is(on.irc.names.roomOf(channel)?.name, `a${letters(n).join('')}b`);
  }
  assert.is(channels.size, rooms.size);
  assert.ok(tried < 512 * 40, `${tried}`);
});

listing('calls no two rooms the same', async () => {
  const on = openIrc();
  await addOther(on, 'zoe', { rooms: '', dialect: 'lab' });
  const [zoe] = on.house.members();
  assert.ok(zoe);
  for (const name of ['a b', 'a_b', 'a,b']) on.house.join(zoe, await on.house.openRoom(name));
  await gather(on, 'ann');
  await converse(
    on,
    `ann: LIST
     ann< ~321 ann Channel :Users  Name
     ann< ~322 ann #a_b~2 1 :
     ann< ~322 ann #a_b 1 :
     ann< ~322 ann #a_b~3 1 :
     ann< ~323 ann :End of /LIST
     ann: JOIN #A_B~3
     ann< :ann!ann@198.51.100.7 JOIN #a_b~3
     ann< ~353 ann = #a_b~3 :zoe ann
     ann< ~366 ann #a_b~3 :End of /NAMES list`,
  );
  assert.is(roomNamed(on, 'a,b').people.size, 2);
});

listing('forgets rooms in which nobody is, but not those that somebody owns', async () => {
  const on = await withRooms();
  await on.house.openRoom('empty');
  await on.house.makeRoom('owned', { description: 'mine', owner: 'zoe', password: undefined });
  await on.house.makeRoom('hidden', { description: '', owner: 'zoe', password: 'hash' });
  await converse(
    on,
    `dan: LIST #empty,#owned,#hidden
     dan< ~321 dan Channel :Users  Name
     dan< ~322 dan #owned 0 mine
     dan< ~323 dan :End of /LIST`,
  );
});

/** The channels that dan is told of. */
async function listed(on: TestIrc, asked: string): Promise<string> {
  const lines = (await on.clients.get('dan')?.say(`LIST ${asked}`)) ?? [];
  const channels = lines.filter((line) => line.includes(' 322 ')).map((line) => line.split(' ')[3]);
  return channels.join(' ');
}

const CONDITIONS: ReadonlyArray<readonly [asked: string, told: string]> = [
  ['>1', '#tea'],
  ['<2', '#coffee'],
  ['>0,<2', '#coffee'],
  ['*e*', '#tea #coffee'],
  ['#t*', '#tea'],
  ['#??a', '#tea'],
  ['!*TEA', '#coffee'],
  ['!*tea,>1', ''],
  ['T<5', '#coffee'],
  ['T>5', ''],
  ['C<5', '#tea #coffee'],
  ['C>5', ''],
  ['c>0', ''],
];

for (const [asked, told] of CONDITIONS) {
  listing(`knows the condition ${asked}`, async () => {
    assert.is(await listed(await withRooms(), asked), told);
  });
}

listing('takes ten conditions, and leaves out the rest', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await converse(
    on,
    `ann: LIST >0,C<9,*,**,***,#*,*a,*?,?*,!*b,>99
     ann< ~321 ann Channel :Users  Name
     ann< ~322 ann #a 1 :
     ann< ~323 ann :End of /LIST
     ann: LIST >0,C<9,*,**,***,#*,*a,*?,?*,>99,!*b
     ann< ~321 ann Channel :Users  Name
     ann< ~323 ann :End of /LIST`,
  );
});

listing('counts minutes since a channel was made, or its topic was set', async () => {
  const on = await withRooms();
  on.clock.now += 6 * 60_000;
  for (const [asked, told] of [
    ['T>5', '#coffee'],
    ['C>5', '#tea #coffee'],
    ['T<6', ''],
    ['C<7', '#tea #coffee'],
  ] as const) {
    assert.is(await listed(on, asked), told, asked);
  }
});

listing.run();
