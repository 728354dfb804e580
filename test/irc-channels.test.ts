import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOther, converse, gather, join, makeAccount, openIrc, register, SERVER } from './irc-stage.ts';

// --- JOIN -------------------------------------------------------------------------------------------------------

const joining = suite('irc channels: JOIN');

joining('makes a channel, whose first member is its operator', async () => {
  const on = openIrc();
  await gather(on, 'ann bob');
  await converse(
    on,
    `ann: JOIN #den
     ann< :ann!ann@198.51.100.7 JOIN #den
     ann< ~353 ann = #den @ann
     ann< ~366 ann #den :End of /NAMES list
     bob: JOIN #den
     bob< :bob!bob@198.51.100.7 JOIN #den
     bob< ~353 bob = #den :@ann bob
     bob< ~366 bob #den :End of /NAMES list
     ann< :bob!bob@198.51.100.7 JOIN #den`,
  );
});

joining('shows the topic, with who set it and when, if there is one', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann bob');
  assert.ok(ann);
  await join(on, ann, '#den');
  await ann.say('TOPIC #den :tea and cake');
  await converse(
    on,
    `bob: JOIN #den
     bob< :bob!bob@198.51.100.7 JOIN #den
     bob< ~332 bob #den :tea and cake
     bob< ~333 bob #den ann 1767268800
     bob< ~353 bob = #den :@ann bob
     bob< ~366 bob #den :End of /NAMES list
     ann< :bob!bob@198.51.100.7 JOIN #den`,
  );
});

joining('is nothing for who is in already, in whatever case it is spelled', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#Den');
  await converse(
    on,
    `ann: JOIN #den
     ann: JOIN #DEN
     ann: NAMES #dEN
     ann< ~353 ann = #Den @ann
     ann< ~366 ann #Den :End of /NAMES list`,
  );
});

joining('takes several channels, and refuses those whose names can’t be', async () => {
  const on = openIrc();
  await gather(on, 'ann');
  await converse(
    on,
    `ann: JOIN #a,b,,#c
     ann< :ann!ann@198.51.100.7 JOIN #a
     ann< ~353 ann = #a @ann
     ann< ~366 ann #a :End of /NAMES list
     ann< ~403 ann b :No such channel
     ann< :ann!ann@198.51.100.7 JOIN #c
     ann< ~353 ann = #c @ann
     ann< ~366 ann #c :End of /NAMES list
     ann: JOIN
     ann< ~461 ann JOIN :Not enough parameters
     ann: JOIN #
     ann< ~403 ann # :No such channel
     ann: JOIN :#d e
     ann< ~403 ann #d_e :No such channel
     ann: JOIN #${'x'.repeat(65)}
     ann< ~403 ann #xxx… :No such channel`,
  );
});

joining('needs the key where there is one; each channel has its own', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a,#b');
  await gather(on, 'bob');
  await converse(
    on,
    `ann: MODE #a +k beer
     ann< :ann!ann@198.51.100.7 MODE #a +k *
     ann: MODE #b +k wine
     ann< :ann!ann@198.51.100.7 MODE #b +k *
     bob: JOIN #a
     bob< ~475 bob #a :Cannot join channel (+k)
     bob: JOIN #a,#b bees,wine
     bob< ~475 bob #a :Cannot join channel (+k)
     bob< :bob!bob@198.51.100.7 JOIN #b
     bob< ~353 bob * #b :@ann bob
     bob< ~366 bob #b :End of /NAMES list
     ann< :bob!bob@198.51.100.7 JOIN #b
     bob: JOIN #a beer
     bob< :bob!bob@198.51.100.7 JOIN #a
     bob< ...
     ann< :bob!bob@198.51.100.7 JOIN #a`,
  );
});

joining('is the same for two spellings that the house takes for one', async () => {
  const on = openIrc();
  await on.house.openRoom('a,b');
  await gather(on, 'ann');
  await converse(
    on,
    `ann: JOIN #a，b
     ann< :ann!ann@198.51.100.7 JOIN #a_b
     ann< ~353 ann = #a_b @ann
     ann< ~366 ann #a_b :End of /NAMES list
     ann: JOIN #a，b
     ann: JOIN #a_b
     ann: JOIN #\u2800
     ann< ~476 ann #\u2800 :A room name is missing`,
  );
});

joining('slows down who guesses keys', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  const bob = await register(on, 'bob');
  await on.clients.get('ann')?.say('MODE #a +k beer');
  const told: string[] = [];
  for (let nth = 0; nth < 6; nth++) told.push(...(await bob.say(`JOIN #a guess${nth}`)));
  assert.equal(
    told.map((line) => line.split(' ')[1]),
    ['475', '475', '475', '475', '475', '263'],
  );
});

joining('asks whether a ban is for somebody by what they are called now', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await gather(on, 'bob cat');
  await on.clients.get('ann')?.say('MODE #a +b-n bob!*@*');
  await converse(
    on,
    `bob: JOIN #a
     bob< ~474 bob #a :Cannot join channel (+b)
     bob: NICK rob
     bob< :bob!bob@198.51.100.7 NICK rob
     bob: JOIN #a
     bob< :rob!bob@198.51.100.7 JOIN #a
     bob< ...
     ann< :rob!bob@198.51.100.7 JOIN #a
     cat: PRIVMSG #a :from outside
     ann< :cat!cat@198.51.100.7 PRIVMSG #a :from outside
     bob< :cat!cat@198.51.100.7 PRIVMSG #a :from outside
     cat: NICK bob
     cat< :cat!cat@198.51.100.7 NICK bob
     cat: PRIVMSG #a :from outside
     cat< ~404 bob #a :Cannot send to channel: you may not speak in a
     cat: JOIN #a
     cat< ~474 bob #a :Cannot join channel (+b)`,
  );
});

joining('is refused where one is banned, not invited, or one too many', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#ban,#inv,#full');
  await register(on, 'bob');
  await converse(
    on,
    `ann: MODE #ban +b bob!*@*
     ann< :ann!ann@198.51.100.7 MODE #ban +b bob!*@*
     ann: MODE #inv +i
     ann< :ann!ann@198.51.100.7 MODE #inv +i
     ann: MODE #full +l 1
     ann< :ann!ann@198.51.100.7 MODE #full +l 1
     bob: JOIN #ban,#inv,#full
     bob< ~474 bob #ban :Cannot join channel (+b)
     bob< ~473 bob #inv :Cannot join channel (+i)
     bob< ~471 bob #full :Cannot join channel (+l)
     ann: MODE #ban +e *!*@198.51.100.*
     ann< :ann!ann@198.51.100.7 MODE #ban +e *!*@198.51.100.*
     ann: MODE #inv +I bob
     ann< :ann!ann@198.51.100.7 MODE #inv +I bob!*@*
     bob: JOIN #ban,#inv
     bob< :bob!bob@198.51.100.7 JOIN #ban
     bob< ~353 bob = #ban :@ann bob
     bob< ~366 bob #ban :End of /NAMES list
     bob< :bob!bob@198.51.100.7 JOIN #inv
     bob< ~353 bob = #inv :@ann bob
     bob< ~366 bob #inv :End of /NAMES list
     ann< :bob!bob@198.51.100.7 JOIN #ban
     ann< :bob!bob@198.51.100.7 JOIN #inv`,
  );
});

joining('has a limit of channels', async () => {
  const on = openIrc({ limits: { roomsEach: 2 } });
  await gather(on, 'ann', '#a,#b');
  await converse(
    on,
    `ann: JOIN #c
     ann< ~405 ann #c :You have joined too many channels`,
  );
  assert.is(on.house.findRoom('c'), undefined, 'no room was made');
});

joining('and parting need a channel: a list in which nothing stands is none', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await converse(
    on,
    `ann: JOIN :
     ann< ~461 ann JOIN :Not enough parameters
     ann: JOIN ,, key
     ann< ~461 ann JOIN :Not enough parameters
     ann: PART :
     ann< ~461 ann PART :Not enough parameters
     ann: PART , bye
     ann< ~461 ann PART :Not enough parameters
     ann: KICK #a :
     ann< ~461 ann KICK :Not enough parameters
     ann: KICK , ,
     ann< ~461 ann KICK :Not enough parameters`,
  );
});

joining('with 0 is to part from all', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a,#b');
  await converse(
    on,
    `ann: JOIN 0
     ann< :ann!ann@198.51.100.7 PART #a
     ann< :ann!ann@198.51.100.7 PART #b
     bob< :ann!ann@198.51.100.7 PART #a
     bob< :ann!ann@198.51.100.7 PART #b`,
  );
});

joining('goes to the rooms of other dialects, under another name where theirs can’t be spelled', async () => {
  const on = openIrc();
  await addOther(on, 'Zoë B', { rooms: 'main', dialect: 'lab' });
  await addOther(on, 'yan', { rooms: 'a_b', dialect: 'lab' });
  const room = await on.house.openRoom('a b');
  await gather(on, 'ann');
  const channel = on.irc.names.channelOf(room);
  await converse(
    on,
    `ann: JOIN #main
     ann< :ann!ann@198.51.100.7 JOIN #main
     ann< ~353 ann = #main :Zoë_B ann
     ann< ~366 ann #main :End of /NAMES list
     ann: JOIN ${channel}
     ann< :ann!ann@198.51.100.7 JOIN ${channel}
     ann< ~353 ann = ${channel} @ann
     ann< ~366 ann ${channel} :End of /NAMES list`,
  );
  assert.equal(
    [...room.people.values()].map(({ name }) => name),
    ['ann'],
  );
});

joining('tells the account and the real name to those who want to know', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a', { caps: 'extended-join' });
  await register(on, 'bob', { password: 'secret', realName: 'Bob B' });
  await converse(
    on,
    `bob: JOIN #a
     bob< ...
     ann< :bob!bob@198.51.100.7 JOIN #a bob :Bob B`,
  );
});

joining('tells up to where one has read, before the end of the names', async () => {
  const on = openIrc();
  await gather(on, 'ann', '', { caps: 'draft/read-marker', password: 'secret' });
  await converse(
    on,
    `ann: JOIN #a
     ann< :ann!ann@198.51.100.7 JOIN #a
     ann< ~MARKREAD #a *
     ann< ~353 ann = #a @ann
     ann< ~366 ann #a :End of /NAMES list
     ann: MARKREAD #a timestamp=2026-01-01T11:00:00.000Z
     ann< ~MARKREAD #a timestamp=2026-01-01T11:00:00.000Z
     ann: PART #a
     ann< :ann!ann@198.51.100.7 PART #a
     ann: JOIN #a
     ann< :ann!ann@198.51.100.7 JOIN #a
     ann< ~MARKREAD #a timestamp=2026-01-01T11:00:00.000Z
     ann< ~353 ann = #a @ann
     ann< ~366 ann #a :End of /NAMES list`,
  );
});

joining('tells what was said last to who can’t ask for it, behind the names', async () => {
  const on = openIrc();
  const zoe = await addOther(on, 'zoe', { rooms: 'a', dialect: 'lab' });
  await zoe.say('hello');
  await register(on, 'ann');
  await converse(
    on,
    `ann: JOIN #a
     ann< :ann!ann@198.51.100.7 JOIN #a
     ann< ~353 ann = #a :zoe ann
     ann< ~366 ann #a :End of /NAMES list
     ann< :zoe!…PRIVMSG #a :…hello`,
  );
});

joining('answers in one batch where it has a label', async () => {
  const on = openIrc();
  await gather(on, 'ann', '', { caps: 'labeled-response batch' });
  await converse(
    on,
    `ann: @label=x JOIN #a
     ann< @label=x :${SERVER} BATCH +1 labeled-response
     ann< @batch=1 :ann!ann@198.51.100.7 JOIN #a
     ann< @batch=1 ~353 ann = #a @ann
     ann< @batch=1 ~366 ann #a :End of /NAMES list
     ann< ~BATCH -1`,
  );
});

joining('as the owner of a room is to be its operator, and needs no key', async () => {
  const on = openIrc();
  await makeAccount(on, 'ann', 'secret');
  await on.house.makeRoom('hers', { description: '', owner: 'ann', password: await on.hasher.hash('k') });
  await register(on, 'bob');
  await register(on, 'ann', { password: 'secret' });
  await converse(
    on,
    `bob: JOIN #hers
     bob< ~475 bob #hers :Cannot join channel (+k)
     bob: JOIN #hers k
     bob< :bob!bob@198.51.100.7 JOIN #hers
     bob< ~353 bob * #hers bob
     bob< ~366 bob #hers :End of /NAMES list
     ann: JOIN #hers
     ann< :ann!ann@198.51.100.7 JOIN #hers
     ann< ~353 ann * #hers :bob @ann
     ann< ~366 ann #hers :End of /NAMES list
     bob< :ann!ann@198.51.100.7 JOIN #hers
     bob< :${SERVER} MODE #hers +o ann`,
  );
});

joining.run();

// --- PART -------------------------------------------------------------------------------------------------------

const parting = suite('irc channels: PART');

parting('tells everybody, with the reason if there is one', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a,#b');
  await converse(
    on,
    `ann: PART #a
     ann< :ann!ann@198.51.100.7 PART #a
     bob< :ann!ann@198.51.100.7 PART #a
     ann: PART #b :see you soon
     ann< :ann!ann@198.51.100.7 PART #b :see you soon
     bob< :ann!ann@198.51.100.7 PART #b :see you soon`,
  );
});

parting('takes several, and says where one is not or nothing is', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await gather(on, 'bob', '#b');
  await converse(
    on,
    `bob: PART #a,#nowhere,#b
     bob< ~442 bob #a :You're not on that channel
     bob< ~403 bob #nowhere :No such channel
     bob< :bob!bob@198.51.100.7 PART #b
     bob: PART
     bob< ~461 bob PART :Not enough parameters`,
  );
});

parting.run();
