// Transcripts of PRIVMSG, NOTICE and TAGMSG, from RFC 2812, modern.ircdocs.horse and the specifications of IRCv3
// (message-tags, echo-message, labeled-response).

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { linesOf, packWords, textOf } from '../src/irc-lines.ts';
import { addOther, converse, gather, HOST, join, openIrc, register, roomNamed } from './irc-stage.ts';

const TAGS = 'message-tags echo-message';
const ANN = `ann!ann@${HOST}`;
const BEN = `ben!ben@${HOST}`;

const channels = suite('irc messages to channels');

channels('go to all others in it', async () => {
  const on = openIrc();
  await gather(on, 'ann ben cat', '#a');
  await converse(
    on,
    `ann: PRIVMSG #a :hello there
     ben< :${ANN} PRIVMSG #a :hello there
     cat< :${ANN} PRIVMSG #a :hello there
     ben: NOTICE #A word
     ann< :${BEN} NOTICE #a word
     cat< :${BEN} NOTICE #a word`,
  );
});

channels('reach members of other dialects, and come from them', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  const lil = await addOther(on, 'lil', { rooms: 'a', dialect: 'lab', host: '192.0.2.9' });
  await converse(on, 'ann< ...\nben< ...\nann: PRIVMSG #a :hello\nben< …');
  assert.equal(lil.tongue.take().at(-1), 'a ann: hello');
  await lil.say('two\nlines, and \x01VERSION\x01');
  await converse(
    on,
    `ann< :lil!lab@192.0.2.9 PRIVMSG #a two
     ann< :lil!lab@192.0.2.9 PRIVMSG #a :lines, and VERSION
     ben< ...`,
  );
});

channels('an ACTION is `/me` in the house', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  await converse(
    on,
    `ann< ...\nben< ...\nann: PRIVMSG #a :\x01ACTION waves\x01\nben< :${ANN} PRIVMSG #a :\x01ACTION waves\x01`,
  );
  assert.equal(lil.tongue.take().at(-1), 'a ann: /me waves');
  await lil.say('/me waves back');
  await converse(on, 'ann< :lil!menu@… PRIVMSG #a :\x01ACTION waves back\x01\nben< …');
});

channels('a request to a program passes between IRC clients alone', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  lil.tongue.take();
  await converse(on, `ann< ...\nben< ...\nann: PRIVMSG #a :\x01VERSION\x01\nben< :${ANN} PRIVMSG #a \x01VERSION\x01`);
  assert.equal(lil.tongue.take(), []);
  assert.equal(on.store.posts, []);
});

for (const [why, script] of [
  ['no channel', 'ann: PRIVMSG #no :hi\nann< ~403 ann #no :No such channel'],
  ['not in it', 'ann: PRIVMSG #b :hi\nann< ~404 ann #b :Cannot send to channel: …'],
  ['not in it, a request', 'ann: PRIVMSG #b :\x01PING 1\x01\nann< ~404 ann #b :Cannot send to channel: …'],
  ['not in it, to operators', 'ann: PRIVMSG @#b :hi\nann< ~404 ann #b :Cannot send to channel: …'],
  ['no target', 'ann: PRIVMSG\nann< ~411 ann :No recipient given (PRIVMSG)'],
  ['no text', 'ann: PRIVMSG #a\nann< ~412 ann :No text to send'],
  ['empty text', 'ann: PRIVMSG #a :\nann< ~412 ann :No text to send'],
  ['no such nick', 'ann: PRIVMSG no :hi\nann< ~401 ann no :No such nick/channel'],
  ['too many targets', 'ann: PRIVMSG a,b,c,d,e :hi\nann< ~407 ann a,b,c,d,e :At most 4 targets'],
  [
    'a notice is never refused',
    'ann: NOTICE #no :hi\nann: NOTICE #b :hi\nann: NOTICE no :hi\nann: NOTICE\nann: NOTICE #a',
  ],
  ['nor one of several', 'ann: NOTICE a,b,c,d,e :hi'],
] as const) {
  channels(`refused: ${why}`, async () => {
    const on = openIrc();
    await gather(on, 'ann', '#a');
    await gather(on, 'ben', '#b');
    await converse(on, script);
  });
}

channels('the moderated and the banned are not heard', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  const ann = on.clients.get('ann')?.session.member;
  assert.ok(ann);
  on.house.rule(ann, roomNamed(on, 'a'), [{ isAdded: true, rule: 'moderated' }]);
  await converse(
    on,
    `ann< ...
     ben< ...
     ben: PRIVMSG #a :hi
     ben< ~404 ben #a :Cannot send to channel: …
     ben: PRIVMSG #a :\x01PING 1\x01
     ben< ~404 ben #a :Cannot send to channel: …
     ben: PRIVMSG @#a :hi
     ben< ~404 ben #a :Cannot send to channel: …
     ben: NOTICE #a :hi
     ann: PRIVMSG #a :hi
     ben< :${ANN} PRIVMSG #a hi`,
  );
});

channels('who is outside is heard where the room allows it, and hears itself', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await register(on, 'ben', { caps: TAGS });
  const ann = on.clients.get('ann')?.session.member;
  assert.ok(ann);
  on.house.rule(ann, roomNamed(on, 'a'), [{ isAdded: false, rule: 'membersOnly' }]);
  await converse(
    on,
    `ann< ...
     ben: @+x=y PRIVMSG #a :may I
     ann< :${BEN} PRIVMSG #a :may I
     ben< @+x=y :${BEN} PRIVMSG #a :may I
     ben: @+x=y TAGMSG #a
     ben< @msgid=w…;+x=y :${BEN} TAGMSG #a`,
  );
});

channels('several targets, each once', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  await converse(
    on,
    `ann: PRIVMSG ben,#a,BEN,,no :hi
     ann< ~401 ann no :No such nick/channel
     ben< :${ANN} PRIVMSG ben hi
     ben< :${ANN} PRIVMSG #a hi`,
  );
});

channels('to operators, and to those with a voice', async () => {
  const on = openIrc();
  await gather(on, 'ann ben cat dan', '#a');
  const [ann, ben] = ['ann', 'ben'].map((nick) => on.clients.get(nick)?.session.member);
  assert.ok(ann && ben);
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  const room = roomNamed(on, 'a');
  on.house.rule(ann, room, [
    { isAdded: true, rule: 'voice', param: ben.person.id },
    { isAdded: true, rule: 'operator', param: lil.member.person.id },
  ]);
  await converse(
    on,
    `ann< ...
     ben< ...
     cat< ...
     dan< ...
     cat: PRIVMSG @#a :to operators
     ann< :cat!cat@${HOST} PRIVMSG @#a :to operators
     cat: PRIVMSG +#a :to voices
     ann< :cat!cat@${HOST} PRIVMSG +#a :to voices
     ben< :cat!cat@${HOST} PRIVMSG +#a :to voices
     cat: NOTICE @+#a :to both
     ann< :cat!cat@${HOST} NOTICE +#a :to both
     ben< :cat!cat@${HOST} NOTICE +#a :to both
     cat: PRIVMSG @#no :hi
     cat< ~403 cat #no :No such channel`,
  );
  assert.equal(
    lil.tongue.whispers.map(({ text, notice }) => [text, notice]),
    [
      ['(for those who lead a) to operators', undefined],
      ['(for those who lead a) to voices', undefined],
      ['(for those who lead a) to both', true],
    ],
  );
  assert.equal(on.store.posts, []);
});

channels.run();

const people = suite('irc messages to people');

people('are told to them alone', async () => {
  const on = openIrc();
  await gather(on, 'ann ben cat', '#a');
  await converse(
    on,
    `ann: PRIVMSG BEN :psst
     ben< :${ANN} PRIVMSG ben psst
     ben: NOTICE ann :\x01VERSION mine 1.0\x01
     ann< :${BEN} NOTICE ann :\x01VERSION mine 1.0\x01
     ann: PRIVMSG ben :\x01DCC SEND a.txt 3232235777 5000 12\x01
     ben< :${ANN} PRIVMSG ben :\x01DCC SEND a.txt 3232235777 5000 12\x01`,
  );
});

people('who are away say so, but not to notices', async () => {
  const on = openIrc();
  await gather(on, 'ann ben');
  await converse(
    on,
    `ben: AWAY :at lunch
     ben< ~306 …
     ann: PRIVMSG ben :psst
     ann< ~301 ann ben :at lunch
     ben< :${ANN} PRIVMSG ben psst
     ann: NOTICE ben :psst
     ben< :${ANN} NOTICE ben psst`,
  );
});

people('of other dialects, as far as these have a way', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: TAGS });
  const lil = await addOther(on, 'lil');
  await addOther(on, 'mia', { canBeWhispered: false });
  await converse(
    on,
    `ann: PRIVMSG lil :\x01ACTION waves\x01
     ann< @msgid=w… :${ANN} PRIVMSG lil :\x01ACTION waves\x01
     ann: PRIVMSG lil :\x01VERSION\x01
     ann< ~401 ann lil :lil (menu) takes no requests to programs
     ann: PRIVMSG mia :hello
     ann< ~401 ann mia :mia (menu) can be told nothing in private
     ann: NOTICE lil :\x01VERSION mine\x01
     ann: NOTICE mia :hello
     ann: @+typing=active TAGMSG lil
     ann< @msgid=w…;+typing=active :${ANN} TAGMSG lil`,
  );
  assert.equal(
    lil.tongue.whispers.map(({ text }) => text),
    ['/me waves'],
  );
});

people.run();

const tags = suite('irc message tags');

tags('a client’s own tags go to who has asked for tags; others never', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'message-tags' });
  await register(on, 'ben', { caps: 'message-tags' });
  await register(on, 'cat');
  for (const client of on.clients.values()) await join(on, client, '#a');
  await converse(
    on,
    `ann: @+draft/reply=p1;label=x;fizz=buzz;msgid=forged;time=now PRIVMSG #a :hi
     ben< @msgid=p1;+draft/reply=p1 :${ANN} PRIVMSG #a hi
     cat< :${ANN} PRIVMSG #a hi
     cat: @+x=y PRIVMSG #a :hi
     ann< @msgid=p2 :cat!cat@${HOST} PRIVMSG #a hi
     ben< @msgid=p2 :cat!cat@${HOST} PRIVMSG #a hi
     ann: @+typing=active TAGMSG #a
     ben< @msgid=w…;+typing=active :${ANN} TAGMSG #a
     ann: @fizz=buzz TAGMSG #a
     ben< @msgid=w… :${ANN} TAGMSG #a
     ann: @+typing=active TAGMSG ben,cat,no
     ann< ~401 ann no :No such nick/channel
     ben< @msgid=w…;+typing=active :${ANN} TAGMSG ben
     ann: @+typing=active TAGMSG @#a
     ann: @+typing=active TAGMSG #no
     ann< ~403 ann #no :No such channel
     ann: @+typing=active TAGMSG
     ann< ~411 ann :No recipient given (TAGMSG)
     cat: @+typing=active TAGMSG #a
     cat< ~421 cat TAGMSG :Unknown command`,
  );
  assert.is(on.store.posts.length, 2);
});

tags('an echo is what others get, with the same id', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a', { caps: `${TAGS} server-time` });
  for (const target of ['#a', 'ben', '@#a']) {
    const [ann, ben] = [on.clients.get('ann'), on.clients.get('ben')];
    assert.ok(ann && ben);
    const [from, to] = target === '@#a' ? [ben, ann] : [ann, ben];
    for (const verb of [`PRIVMSG ${target} :hi`, `NOTICE ${target} :hi`, `TAGMSG ${target}`]) {
      const echoed = await from.say(`@+x=y ${verb}`);
      assert.is(echoed.length, 1, verb);
      // the server's tags come first
      assert.match(echoed[0] ?? '', /^@msgid=\S+;time=\S+;\+x=y /);
      assert.equal(to.take(), echoed, verb);
    }
  }
});

tags('what is said to oneself is heard once without, and once as an echo with the label', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'echo-message batch labeled-response' });
  await converse(
    on,
    `ann: @label=1 PRIVMSG ann :hi
     ann< :${ANN} PRIVMSG ann hi
     ann< @label=1 :${ANN} PRIVMSG ann hi`,
  );
});

tags('labels: an echo, an ACK, or a batch', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'batch labeled-response' });
  await register(on, 'ben', { caps: 'echo-message batch labeled-response' });
  for (const client of on.clients.values()) await join(on, client, '#a');
  await converse(
    on,
    `ann: @label=1 PRIVMSG #a :hi
     ann< @label=1 ~ACK
     ben< :${ANN} PRIVMSG #a hi
     ann: @label=2 NOTICE no :hi
     ann< @label=2 ~ACK
     ann: @label=3 PRIVMSG no :hi
     ann< @label=3 ~401 ann no :No such nick/channel
     ben: @label=4 PRIVMSG #a,ann :hi
     ann< :${BEN} PRIVMSG #a hi
     ann< :${BEN} PRIVMSG ann hi
     ben< @label=4 ~BATCH +1 labeled-response
     ben< @batch=1 :${BEN} PRIVMSG #a hi
     ben< @batch=1 :${BEN} PRIVMSG ann hi
     ben< ~BATCH -1`,
  );
});

tags('a bot is known by a tag', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a');
  await gather(on, 'ben', '#a', { caps: 'message-tags' });
  await converse(
    on,
    `ann< ...
     ann: MODE ann +B
     ann< …
     ann: PRIVMSG #a :beep
     ben< @msgid=p1;bot :${ANN} PRIVMSG #a beep
     ann: NOTICE ben :boop
     ben< @msgid=w…;bot :${ANN} NOTICE ben boop
     ann: PRIVMSG @#a :to leaders
     ann: PART #a
     ann< :${ANN} PART #a
     ben< @bot :${ANN} PART #a`,
  );
});

tags('the account of the sender', async () => {
  const on = openIrc();
  await register(on, 'ann', { password: 'secret' });
  await register(on, 'ben', { caps: 'account-tag' });
  await converse(on, `ann: PRIVMSG ben :hi\nben< @account=ann :${ANN} PRIVMSG ben hi`);
});

tags.run();

const lines = suite('irc lines');

lines('a long text is several messages, whole characters each, within 512 bytes', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#a', { caps: 'message-tags' });
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  ann?.take();
  const text = '🙂é'.repeat(300);
  await lil.say(text);
  const got = ann?.take() ?? [];
  const bodies = got.map((line) => line.replace(/^@\S+ /, ''));
  assert.is(bodies.map((line) => line.replace(/^.*? PRIVMSG #a :?/, '')).join(''), text);
  for (const body of bodies) assert.ok(new TextEncoder().encode(body).length <= 510);
  assert.equal(
    got.map((line) => /msgid=(\S+)/.exec(line)?.[1]),
    ['p1', 'p1.1', 'p1.2', 'p1.3'],
  );
});

for (const [line, text] of [
  ['hi', 'hi'],
  ['\x01ACTION waves\x01', '/me waves'],
  ['\x01ACTION waves', '/me waves'],
  ['\x01ACTION\x01', undefined],
  ['\x01VERSION\x01', undefined],
  ['\x01\x01', undefined],
] as const) {
  lines(`${JSON.stringify(line)} is ${text}`, () => assert.is(textOf(line), text));
}

lines('what another dialect says is no request', () => {
  assert.equal(linesOf('\x01VERSION\x01', 'a!b@c', 'PRIVMSG', '#a', false), ['VERSION']);
  assert.equal(linesOf('/me \x01x\x01', 'a!b@c', 'PRIVMSG', '#a', true), ['\x01ACTION x\x01']);
});

lines('words are packed', () => {
  assert.equal(packWords(['aa', 'bb', 'cc'], 5), ['aa bb', 'cc']);
  assert.equal(packWords(['aa', 'ü', 'cc'], 5, ','), ['aa,ü', 'cc']);
  assert.equal(packWords([]), []);
});

lines.run();
