import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOther, converse, gather, hush, openIrc, register, roomNamed, STARTED } from './irc-stage.ts';

const SECONDS = STARTED / 1000;

// --- channels ---------------------------------------------------------------------------------------------------

const channels = suite('irc mode commands: channels');

channels('tells what is on, and when the channel was made', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await register(on, 'bob');
  await converse(
    on,
    `ann: MODE #a
     ann< ~324 ann #a +nt
     ann< ~329 ann #a ${SECONDS}
     ann: MODE #a +msl-n 10
     ann< :ann!ann@198.51.100.7 MODE #a +msl-n 10
     ann: MODE #a +k beer
     ann< :ann!ann@198.51.100.7 MODE #a +k *
     ann: MODE #A
     ann< ~324 ann #a +mstkl * 10
     ann< ~329 ann #a ${SECONDS}
     bob: MODE #a
     bob< ~442 bob #a :You're not on that channel
     ann: MODE #a -s-k
     ann< :ann!ann@198.51.100.7 MODE #a -sk *
     bob: MODE #a
     bob< ~324 bob #a +mtl 10
     bob< ~329 bob #a ${SECONDS}
     bob: MODE #nowhere
     bob< ~403 bob #nowhere :No such channel
     bob: MODE
     bob< ~461 bob MODE :Not enough parameters`,
  );
});

channels('have masks that leave place in a line for who set them, and when', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#a');
  assert.ok(ann);
  await ann.say(`MODE #a +b ${'é'.repeat(240)}`);
  const [line = ''] = await ann.say('MODE #a b');
  assert.match(line, new RegExp(` 367 ann #a é+!?\\S* ann ${SECONDS}$`));
});

channels('are told to all members, once, and only what has changed', async () => {
  const on = openIrc();
  await gather(on, 'ann bob cat', '#a');
  await converse(
    on,
    `ann: MODE #a +tmn-i
     ann< :ann!ann@198.51.100.7 MODE #a +m
     bob< :ann!ann@198.51.100.7 MODE #a +m
     cat< :ann!ann@198.51.100.7 MODE #a +m
     ann: MODE #a +m
     ann: MODE #a +ov-m bob CAT
     ann< :ann!ann@198.51.100.7 MODE #a +ov-m bob cat
     bob< :ann!ann@198.51.100.7 MODE #a +ov-m bob cat
     cat< :ann!ann@198.51.100.7 MODE #a +ov-m bob cat
     bob: MODE #a -o ann
     ann< :bob!bob@198.51.100.7 MODE #a -o ann
     bob< :bob!bob@198.51.100.7 MODE #a -o ann
     cat< :bob!bob@198.51.100.7 MODE #a -o ann
     ann: MODE #a +o ann
     ann< ~482 ann #a :You're not a channel operator`,
  );
});

channels('are the operators’ to set', async () => {
  const on = openIrc();
  await gather(on, 'ann bob', '#a');
  await gather(on, 'cat', '#c');
  await converse(
    on,
    `bob: MODE #a +o bob
     bob< ~482 bob #a :You're not a channel operator
     bob: MODE #a +i
     bob< ~482 bob #a :You're not a channel operator
     bob: MODE #a +b ann
     bob< ~482 bob #a :You're not a channel operator
     cat: MODE #a +o cat
     cat< ~442 cat #a :You're not on that channel
     ann: MODE #a +o cat
     ann< ~441 ann cat #a :They aren't on that channel
     ann: MODE #a +o nobody
     ann< ~401 ann nobody :No such nick
     ann: MODE #nowhere +o ann
     ann< ~403 ann #nowhere :No such channel`,
  );
});

channels('that are unknown, or lack what they need, are told one by one; the others are done', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await converse(
    on,
    `ann: MODE #a +xmyl
     ann< ~472 ann x :is unknown mode char to me
     ann< ~472 ann y :is unknown mode char to me
     ann< ~696 ann #a l * :A parameter is missing
     ann< :ann!ann@198.51.100.7 MODE #a +m
     ann: MODE #a +k
     ann< ~696 ann #a k * :A parameter is missing
     ann: MODE #a +k :
     ann< ~696 ann #a k * :A parameter is missing
     ann: MODE #a +o
     ann< ~696 ann #a o * :A parameter is missing
     ann: MODE #a +l 0
     ann< ~696 ann #a l 0 :A limit is a number from 1
     ann: MODE #a +l ten
     ann< ~696 ann #a l ten :A limit is a number from 1
     ann: MODE #a +l 99999999999
     ann< ~696 ann #a l 99999999999 :A limit is a number from 1
     ann: MODE #a +`,
  );
});

const WRONG_KEYS = ['a b', 'a,b', 'x'.repeat(65), ':a'];

for (const key of WRONG_KEYS) {
  channels(`refuse the key "${key.slice(0, 8)}", and don't show it`, async () => {
    const on = openIrc();
    await gather(on, 'ann', '#a');
    await converse(
      on,
      `ann: MODE #a +k :${key}
       ann< ~696 ann #a k * :A key has 1 to 64 characters, no blanks and no commas`,
    );
    assert.not(roomNamed(on, 'a').isPrivate);
  });
}

channels('change a key, and take it away whatever is given for it', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  for (const away of ['-k', '-k *', '-k other']) {
    await converse(
      on,
      `ann: MODE #a +k one
       ann< :ann!ann@198.51.100.7 MODE #a +k *
       ann: MODE #a +kk two three
       ann< :ann!ann@198.51.100.7 MODE #a +k *
       ann: MODE #a ${away}
       ann< :ann!ann@198.51.100.7 MODE #a -k *`,
    );
    assert.not(roomNamed(on, 'a').isPrivate);
  }
});

channels('of main never close it', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#main');
  ann?.session.setMode('o', true);
  await converse(
    on,
    `ann: MODE #main +ilkm 5 beer
     ann< :ann!ann@198.51.100.7 MODE #main +m
     ann< ~482 ann #main :Everybody may be here
     ann< ~482 ann #main :Everybody may be here
     ann< ~482 ann #main :Everybody may be here
     ann: MODE #main -ilk`,
  );
});

const LISTS: ReadonlyArray<readonly [letter: string, one: string, end: string, what: string]> = [
  ['b', '367', '368', 'channel ban list'],
  ['e', '348', '349', 'channel exception list'],
  ['I', '346', '347', 'channel invite exception list'],
];

for (const [letter, one, end, what] of LISTS) {
  channels(`keep masks with ${letter}, and tell them`, async () => {
    const on = openIrc();
    await gather(on, 'ann', '#a');
    await register(on, 'bob');
    await converse(
      on,
      `ann: MODE #a +${letter}${letter} BOB *@203.0.113.9
       ann< :ann!ann@198.51.100.7 MODE #a +${letter}${letter} bob!*@* *!*@203.0.113.9
       ann: MODE #a +${letter} bob!*
       -- 2000 ms
       ann: MODE #a ${letter}
       ann< ~${one} ann #a bob!*@* ann ${SECONDS}
       ann< ~${one} ann #a *!*@203.0.113.9 ann ${SECONDS}
       ann< ~${end} ann #a :End of ${what}
       bob: MODE #a +${letter}
       bob< ~${one} bob #a bob!*@* ann ${SECONDS}
       bob< ~${one} bob #a *!*@203.0.113.9 ann ${SECONDS}
       bob< ~${end} bob #a :End of ${what}
       ann: MODE #a -${letter} bob!*@*
       ann< :ann!ann@198.51.100.7 MODE #a -${letter} bob!*@*
       ann: MODE #a -${letter} bob!*@*
       ann: MODE #a ${letter}
       ann< ~${one} ann #a *!*@203.0.113.9 ann ${SECONDS}
       ann< ~${end} ann #a :End of ${what}`,
    );
  });
}

channels('leave the owner of a room its operator', async () => {
  const on = openIrc();
  await register(on, 'bob', { password: 'secret' });
  const room = await on.house.makeRoom('his', { description: '', owner: 'bob', password: undefined });
  await register(on, 'ann');
  for (const nick of ['bob', 'ann']) await on.clients.get(nick)?.say('JOIN #his');
  await on.clients.get('bob')?.say('MODE #his +o ann');
  hush(on);
  await converse(
    on,
    `ann: MODE #his -o bob
     ann< ~482 ann #his :The owner of a channel stays its operator
     bob: MODE #his -o ann
     bob< :bob!bob@198.51.100.7 MODE #his -o ann
     ann< :bob!bob@198.51.100.7 MODE #his -o ann`,
  );
  assert.is(room.rules.isOperator(on.clients.get('bob')?.person.id ?? ''), true);
});

channels('ban by address, and by what somebody of another dialect is spelled like', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await register(on, 'bob', { ip: '203.0.113.9' });
  const zoe = await addOther(on, 'Zoë B', { dialect: 'lab' });
  await on.clients.get('ann')?.say('MODE #a +bb *!*@203.0.113.* zoë_b', 'MODE #a +b Zoë_B!*@*');
  await converse(
    on,
    `bob: JOIN #a
     bob< ~474 bob #a :Cannot join channel (+b)`,
  );
  assert.throws(() => on.house.join(zoe.member, roomNamed(on, 'a')), /banned/);
});

channels('refuse a mask when there are a hundred', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#a');
  for (let at = 0; at < 100; at += 10) {
    const masks = Array.from({ length: 10 }, (_, nth) => `m${at + nth}`);
    await ann?.say(`MODE #a +${'b'.repeat(10)} ${masks.join(' ')}`);
  }
  await converse(
    on,
    `ann: MODE #a +b m7
     ann: MODE #a +b one!*@*
     ann< ~478 ann #a one!*@* :Channel list is full (+b)
     ann: MODE #a -b+b m7 one
     ann< :ann!ann@198.51.100.7 MODE #a -b+b m7!*@* one!*@*`,
  );
});

channels('of a secret channel are not told outside', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await register(on, 'bob');
  await on.clients.get('ann')?.say('MODE #a +s');
  await converse(
    on,
    `bob: MODE #a b
     bob< ~442 bob #a :You're not on that channel`,
  );
});

channels('answer in one batch where there is a label', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a', { caps: 'labeled-response batch' });
  await converse(
    on,
    `ann: @label=x MODE #a +k beer
     ann< @label=x :ann!ann@198.51.100.7 MODE #a +k *
     ann: @label=y MODE #a
     ann< @label=y ~BATCH +…
     ann< @batch=… ~324 ann #a +ntk *
     ann< @batch=… ~329 ann #a ${SECONDS}
     ann< ~BATCH -…
     ann: @label=z MODE #a +n
     ann< @label=z ~ACK`,
  );
});

channels('rule members of other dialects, too', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#a');
  const zoe = await addOther(on, 'Zoë B', { rooms: 'a', dialect: 'lab' });
  hush(on);
  zoe.tongue.take();
  assert.equal(await ann?.say('MODE #a +o Zoë_B'), [':ann!ann@198.51.100.7 MODE #a +o Zoë_B']);
  assert.ok(roomNamed(on, 'a').rules.isOperator(zoe.member.person.id));
});

channels('take anything and stay what they say they are', async () => {
  const words = fc.array(
    fc.oneof(fc.constantFrom('ann', 'bob', 'beer', '5', '*!*@*', '', ':', '#a'), fc.string({ maxLength: 12 })),
    { maxLength: 5 },
  );
  const letters = fc.string({ unit: fc.constantFrom(...'+-obeIiklmnstvxq'), minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(letters, words), { minLength: 1, maxLength: 8 }), async (lines) => {
      const on = openIrc();
      const [ann, bob] = await gather(on, 'ann bob', '#a');
      const sent = lines.map(([modes, params]) =>
        `MODE #a ${[modes, ...params].join(' ').replace(/[\r\n\0]/g, '')}`.slice(0, 400),
      );
      const told = (await ann?.say(...sent)) ?? [];
      assert.equal(on.bugs, []);
      assert.equal(ann?.port.bugs, []);
      for (const line of told) {
        assert.match(
          line,
          /^:(irc\.example (324|329|34[6-9]|36[78]|401|44[12]|472|482|696) ann |ann!ann@\S+ MODE #a )/,
        );
        assert.ok(new TextEncoder().encode(line).length <= 510);
      }
      const changes = told.filter((line) => line.includes(' MODE #a '));
      assert.equal(bob?.take(), changes, 'bob hears the same');
    }),
    { numRuns: 60 },
  );
});

channels.run();

// --- users ------------------------------------------------------------------------------------------------------

const users = suite('irc mode commands: users');

users('are asked, set and taken back', async () => {
  const on = openIrc();
  await gather(on, 'ann');
  await converse(
    on,
    `ann: MODE ann
     ann< ~221 ann +
     ann: MODE ANN +iB-w
     ann< :ann!ann@198.51.100.7 MODE ann +iB
     ann: MODE ann
     ann< ~221 ann +Bi
     ann: MODE ann -i+iB-B
     ann< :ann!ann@198.51.100.7 MODE ann -i+i-B
     ann: MODE ann i
     ann: MODE ann
     ann< ~221 ann +i`,
  );
});

users('are nobody else’s', async () => {
  const on = openIrc();
  await gather(on, 'ann bob');
  await converse(
    on,
    `ann: MODE bob +i
     ann< ~502 ann :Can't change mode for other users
     ann: MODE bob
     ann< ~502 ann :Can't change mode for other users
     ann: MODE nobody +i
     ann< ~401 ann nobody :No such nick`,
  );
});

users('who are programs are told by a tag', async () => {
  const on = openIrc();
  await gather(on, 'bot', '#a');
  await gather(on, 'ann', '#a', { caps: 'message-tags' });
  await gather(on, 'bob', '#a');
  await converse(
    on,
    `bot: MODE bot +B
     bot< :bot!bot@198.51.100.7 MODE bot +B
     bot: PRIVMSG #a :beep
     ann< @msgid=…;bot :bot!bot@198.51.100.7 PRIVMSG #a beep
     bob< :bot!bot@198.51.100.7 PRIVMSG #a beep
     bot: PRIVMSG ann :beep
     ann< @msgid=…;bot :bot!bot@198.51.100.7 PRIVMSG ann beep`,
  );
});

users('that are unknown are told once, and the others done', async () => {
  const on = openIrc();
  await gather(on, 'ann');
  await converse(
    on,
    `ann: MODE ann +xiyx
     ann< ~501 ann :Unknown MODE flag
     ann< :ann!ann@198.51.100.7 MODE ann +i`,
  );
});

users('make nobody an operator of the server, but can end that', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann');
  await converse(
    on,
    `ann: MODE ann +o
     ann: MODE ann
     ann< ~221 ann +`,
  );
  ann?.session.setMode('o', true);
  await converse(
    on,
    `ann: MODE ann
     ann< ~221 ann +o
     ann: MODE ann -o
     ann< :ann!ann@198.51.100.7 MODE ann -o
     ann: MODE ann
     ann< ~221 ann +`,
  );
});

users.run();
