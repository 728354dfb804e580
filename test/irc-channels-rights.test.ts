import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOther, converse, gather, hush, openIrc, register, roomNamed, STARTED, type TestIrc } from './irc-stage.ts';

// --- TOPIC ------------------------------------------------------------------------------------------------------

const topics = suite('irc channels: TOPIC');

topics('is told, set and taken away', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a');
  await converse(
    on,
    `ann: TOPIC #a
     ann< ~331 ann #a :No topic is set
     ann: TOPIC #a :new topic
     ann< :ann!ann@198.51.100.7 TOPIC #a :new topic
     bob< :ann!ann@198.51.100.7 TOPIC #a :new topic
     -- 2000 ms
     bob: TOPIC #a
     bob< ~332 bob #a :new topic
     bob< ~333 bob #a ann 1767268800
     ann: TOPIC #a :
     ann< :ann!ann@198.51.100.7 TOPIC #a :
     bob< :ann!ann@198.51.100.7 TOPIC #a :
     ann: TOPIC #a
     ann< ~331 ann #a :No topic is set`,
  );
});

topics('is the operators’ to set where it is locked, and every member’s where not', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a');
  await register(on, 'cat');
  await converse(
    on,
    `bob: TOPIC #a :mine
     bob< ~482 bob #a :You're not a channel operator
     cat: TOPIC #a :mine
     cat< ~442 cat #a :You're not on that channel
     ann: MODE #a -t
     ann< :ann!ann@198.51.100.7 MODE #a -t
     bob< :ann!ann@198.51.100.7 MODE #a -t
     bob: TOPIC #a :mine
     bob< :bob!bob@198.51.100.7 TOPIC #a mine
     ann< :bob!bob@198.51.100.7 TOPIC #a mine
     cat: TOPIC #a :mine
     cat< ~442 cat #a :You're not on that channel
     cat: TOPIC #a
     cat< ~332 cat #a mine
     cat< ~333 cat #a bob 1767268800
     cat: TOPIC #nowhere
     cat< ~403 cat #nowhere :No such channel
     cat: TOPIC #nowhere :x
     cat< ~403 cat #nowhere :No such channel
     cat: TOPIC
     cat< ~461 cat TOPIC :Not enough parameters`,
  );
});

topics('of a secret channel are not told outside', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await register(on, 'bob');
  await converse(
    on,
    `ann: MODE #a +s
     ann< :ann!ann@198.51.100.7 MODE #a +s
     bob: TOPIC #a
     bob< ~442 bob #a :You're not on that channel`,
  );
});

topics('are cut to TOPICLEN, between characters', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#a');
  assert.ok(ann);
  await ann.say(`TOPIC #a :${'x'.repeat(389)}😀y`);
  assert.is(roomNamed(on, 'a').settings.description, 'x'.repeat(389));
});

topics('are the descriptions of rooms, whoever has said them', async () => {
  const on = openIrc();
  await on.house.makeRoom('den', { description: 'of the lobby', owner: 'zoe', password: undefined });
  await gather(on, 'ann');
  await converse(
    on,
    `ann: JOIN #den
     ann< :ann!ann@198.51.100.7 JOIN #den
     ann< ~332 ann #den :of the lobby
     ann< ~353 ann = #den ann
     ann< ~366 ann #den :End of /NAMES list`,
  );
});

topics.run();

// --- rooms that rest ----------------------------------------------------------------------------------------------

const resting = suite('irc channels: rooms that rest in the store');

/** `#a`, which has an owner, has had to make place for others; nobody has ever been in `#never`. */
async function restRoom(on: TestIrc): Promise<void> {
  await on.house.makeRoom('a', { description: '', owner: 'zoe', password: undefined });
  const [ann] = await gather(on, 'ann', '#a');
  ann?.session.setMode('o', true);
  await ann?.say('TOPIC #a :kept', 'MODE #a +mb bob!*@*', 'PART #a');
  ann?.session.setMode('o', false);
  for (const room of 'bcd') await on.house.openRoom(room);
  assert.is(on.house.findRoom('a'), undefined);
  hush(on);
}

resting('have their topic', async () => {
  const on = openIrc({ limits: { rooms: 3 } });
  await restRoom(on);
  await converse(
    on,
    `ann: TOPIC #A
     ann< ~332 ann #a kept
     ann< ~333 ann #a ann ${STARTED / 1000}
     ann: TOPIC #never
     ann< ~403 ann #never :No such channel`,
  );
});

resting('have their modes and their masks', async () => {
  const on = openIrc({ limits: { rooms: 3 } });
  await restRoom(on);
  await converse(
    on,
    `ann: MODE #a
     ann< ~324 ann #a +mnt
     ann< ~329 ann #a ${STARTED / 1000}
     ann: MODE #a b
     ann< ~367 ann #a bob!*@* ann ${STARTED / 1000}
     ann< ~368 ann #a :End of channel ban list
     ann: MODE #never
     ann< ~403 ann #never :No such channel`,
  );
});

resting('are ruled by an operator of the server, and nobody is asked into them from outside', async () => {
  const on = openIrc({ limits: { rooms: 3 } });
  await restRoom(on);
  await converse(
    on,
    `ann: INVITE ann #a
     ann< ~442 ann #a :You're not on that channel
     ann: INVITE ann #never
     ann< ~403 ann #never :No such channel`,
  );
  on.clients.get('ann')?.session.setMode('o', true);
  await converse(
    on,
    `ann: MODE #a -m
     ann< :ann!ann@198.51.100.7 MODE #a -m
     ann: TOPIC #a :another
     ann< :ann!ann@198.51.100.7 TOPIC #a another`,
  );
});

resting.run();

// --- KICK -------------------------------------------------------------------------------------------------------

const kicking = suite('irc channels: KICK');

kicking('puts somebody out, and all are told', async () => {
  const on = openIrc();
  await gather(on, 'ann bob cat', '#a');
  await converse(
    on,
    `ann: KICK #a bob :bye bye
     ann< :ann!ann@198.51.100.7 KICK #a bob :bye bye
     bob< :ann!ann@198.51.100.7 KICK #a bob :bye bye
     cat< :ann!ann@198.51.100.7 KICK #a bob :bye bye
     ann: KICK #a CAT
     ann< :ann!ann@198.51.100.7 KICK #a cat ann
     cat< :ann!ann@198.51.100.7 KICK #a cat ann
     ann: NAMES #a
     ann< ~353 ann = #a @ann
     ann< ~366 ann #a :End of /NAMES list`,
  );
});

kicking('is told once to who puts itself out, and to an operator of the server too', async () => {
  const on = openIrc();
  const [ann, bob] = await gather(on, 'ann bob', '#a');
  bob?.session.setMode('o', true);
  await converse(
    on,
    `ann: KICK #a ann :bye
     ann< :ann!ann@198.51.100.7 KICK #a ann bye
     bob< :ann!ann@198.51.100.7 KICK #a ann bye
     bob: KICK #a bob
     bob< :bob!bob@198.51.100.7 KICK #a bob bob`,
  );
  assert.is(ann?.session.member?.rooms.size, 0);
});

kicking('takes several people of one channel, or as many channels as people', async () => {
  const on = openIrc();
  await gather(on, 'ann bob cat', '#a,#b');
  await converse(
    on,
    `ann: KICK #a bob,cat :out
     ann< :ann!ann@198.51.100.7 KICK #a bob out
     ann< :ann!ann@198.51.100.7 KICK #a cat out
     bob< :ann!ann@198.51.100.7 KICK #a bob out
     cat< :ann!ann@198.51.100.7 KICK #a bob out
     cat< :ann!ann@198.51.100.7 KICK #a cat out
     ann: KICK #a,#b bob,bob :out
     ann< ~441 ann bob #a :They aren't on that channel
     ann< :ann!ann@198.51.100.7 KICK #b bob out
     bob< :ann!ann@198.51.100.7 KICK #b bob out
     cat< :ann!ann@198.51.100.7 KICK #b bob out
     ann: KICK #a,#b bob,cat,cat
     ann< ~461 ann KICK :Not enough parameters
     ann: KICK #b
     ann< ~461 ann KICK :Not enough parameters`,
  );
});

kicking('is the operators’, of those who are there', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a');
  await register(on, 'cat');
  await converse(
    on,
    `bob: KICK #a ann
     bob< ~482 bob #a :You're not a channel operator
     bob: KICK #a nobody
     bob< ~482 bob #a :You're not a channel operator
     cat: KICK #a ann
     cat< ~442 cat #a :You're not on that channel
     ann: KICK #a nobody
     ann< ~401 ann nobody :No such nick
     ann: KICK #a cat
     ann< ~441 ann cat #a :They aren't on that channel
     ann: KICK #nowhere bob
     ann< ~403 ann #nowhere :No such channel`,
  );
});

kicking('puts members of other dialects out as well', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  const zoe = await addOther(on, 'Zoë B', { rooms: 'a', dialect: 'lab' });
  hush(on);
  zoe.tongue.take();
  await converse(
    on,
    `ann: KICK #a Zoë_B :enough
     ann< :ann!ann@198.51.100.7 KICK #a Zoë_B enough`,
  );
  assert.equal(zoe.tongue.take(), ['a -Zoë B (enough, by ann)']);
});

kicking('is not from main, not even by who rules everywhere', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann bob', '#main');
  ann?.session.setMode('o', true);
  await converse(
    on,
    `ann: KICK #main bob
     ann< ~482 ann #main :Nobody is put out of main
     bob: KICK #main ann
     bob< ~482 bob #main :You're not a channel operator`,
  );
});

kicking('and TOPIC and MODE are done by an operator of the server from outside, who hears of it', async () => {
  const on = openIrc();
  await gather(on, 'bob', '#a');
  const ann = await register(on, 'ann');
  ann.session.setMode('o', true);
  await converse(
    on,
    `ann: TOPIC #a :new topic
     ann< :ann!ann@198.51.100.7 TOPIC #a :new topic
     bob< :ann!ann@198.51.100.7 TOPIC #a :new topic
     ann: MODE #a +m
     ann< :ann!ann@198.51.100.7 MODE #a +m
     bob< :ann!ann@198.51.100.7 MODE #a +m
     ann: KICK #a bob
     ann< :ann!ann@198.51.100.7 KICK #a bob ann
     bob< :ann!ann@198.51.100.7 KICK #a bob ann`,
  );
});

kicking.run();

// --- INVITE -----------------------------------------------------------------------------------------------------

const inviting = suite('irc channels: INVITE');

inviting('asks somebody in, past all that is closed if an operator asks', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await register(on, 'bob');
  await on.clients.get('ann')?.say('MODE #a +ilkb 1 beer bob!*@*');
  await converse(
    on,
    `bob: JOIN #a
     bob< ~475 bob #a :Cannot join channel (+k)
     ann: INVITE bob #a
     ann< ~341 ann bob #a
     bob< :ann!ann@198.51.100.7 INVITE bob #a
     bob: INVITE
     bob< ~336 bob #a
     bob< ~337 bob :End of /INVITE list
     bob: JOIN #a
     bob< :bob!bob@198.51.100.7 JOIN #a
     bob< ...
     ann< :bob!bob@198.51.100.7 JOIN #a
     bob: INVITE
     bob< ~337 bob :End of /INVITE list`,
  );
});

inviting('is every member’s where all may come, and the operators’ where only the invited may', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a');
  await gather(on, 'cat dan');
  await converse(
    on,
    `bob: INVITE cat #a
     bob< ~341 bob cat #a
     cat< :bob!bob@198.51.100.7 INVITE cat #a
     ann: MODE #a +i
     ann< :ann!ann@198.51.100.7 MODE #a +i
     bob< :ann!ann@198.51.100.7 MODE #a +i
     bob: INVITE cat #a
     bob< ~482 bob #a :You're not a channel operator
     cat: JOIN #a
     cat< ~473 cat #a :Cannot join channel (+i)
     dan: INVITE cat #a
     dan< ~442 dan #a :You're not on that channel`,
  );
});

inviting('needs somebody who is there, and not in yet, and a channel', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a');
  await converse(
    on,
    `ann: INVITE nobody #a
     ann< ~401 ann nobody :No such nick
     ann: INVITE bob #nowhere
     ann< ~403 ann #nowhere :No such channel
     ann: INVITE bob #a
     ann< ~443 ann bob #a :is already on channel
     ann: INVITE bob
     ann< ~461 ann INVITE :Not enough parameters`,
  );
});

inviting('is told to members who want to know', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a');
  await gather(on, 'cat', '#a', { caps: 'invite-notify' });
  await register(on, 'dan');
  await converse(
    on,
    `ann: INVITE dan #a
     ann< ~341 ann dan #a
     cat< :ann!ann@198.51.100.7 INVITE dan #a
     dan< :ann!ann@198.51.100.7 INVITE dan #a`,
  );
});

inviting('tells people of other dialects in words', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  const zoe = await addOther(on, 'zoe', { rooms: 'main', dialect: 'menu' });
  await converse(
    on,
    `ann: INVITE zoe #a
     ann< ~341 ann zoe #a`,
  );
  assert.equal(
    zoe.tongue.whispers.map(({ text }) => text),
    ['ann invites you to the room a'],
  );
});

inviting.run();

// --- anything ---------------------------------------------------------------------------------------------------

const anything = suite('irc channels: anything');

anything('that is sent is answered in lines that are whole, and all hear the same', async () => {
  const command = fc.constantFrom('JOIN', 'PART', 'TOPIC', 'KICK', 'INVITE', 'NAMES', 'LIST');
  const word = fc.oneof(
    fc.constantFrom(
      '#a',
      '#A,#b',
      '#main',
      'ann',
      'bob,ann',
      '0',
      ':',
      ',',
      ':a b',
      '#',
      '#a,#a',
      '*',
      '>1',
      '!x',
      'k',
    ),
    fc.string({ maxLength: 20, unit: 'grapheme' }),
  );
  const line = fc.tuple(command, fc.array(word, { maxLength: 4 }));
  const by = fc.constantFrom('ann', 'bob');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(by, line), { minLength: 1, maxLength: 12 }), async (script) => {
      const on = openIrc();
      await gather(on, 'ann bob', '#a');
      const [dan] = await gather(on, 'dan', '#a');
      for (const [who, [verb, words]] of script) {
        const sent = `${verb} ${words.join(' ')}`.replace(/[\r\n\0]/g, '');
        const told = (await on.clients.get(who)?.say(sent)) ?? [];
        const heard = dan?.take() ?? [];
        for (const one of [...told, ...heard]) {
          assert.match(one, /^:(irc\.example \d{3} \S+ |(ann|bob)!\S+ [A-Z]+ )/);
          assert.ok(new TextEncoder().encode(one).length <= 510, one);
        }
        for (const one of heard) assert.ok(told.includes(one), `${who} did not hear: ${one}`);
      }
      assert.equal(on.bugs, []);
      for (const { port } of on.clients.values()) assert.equal(port.bugs, []);
      for (const room of on.house.rooms.values()) assert.ok(room.people.size <= 3);
    }),
    { numRuns: 100 },
  );
});

anything.run();
