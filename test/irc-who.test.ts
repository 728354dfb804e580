// Transcripts of WHO, from modern.ircdocs.horse and the specification of WHOX.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addOther,
  converse,
  gather,
  HOST,
  join,
  openIrc,
  register,
  rest,
  roomNamed,
  type TestIrc,
} from './irc-stage.ts';

function memberOf(on: TestIrc, nick: string) {
  const member = on.clients.get(nick)?.session.member;
  assert.ok(member);
  return member;
}

const who = suite('irc WHO');

who('of a channel, a nick, a mask', async () => {
  const on = openIrc();
  await register(on, 'ann', { realName: 'Ann of a' });
  await register(on, 'ben', { realName: 'Ben of b', user: 'bb' });
  await join(on, on.clients.get('ann') as never, '#a');
  await join(on, on.clients.get('ben') as never, '#a');
  await addOther(on, 'lil', { dialect: 'lab', rooms: 'a main', host: '192.0.2.9' });
  memberOf(on, 'ben').isWarden = true;
  const a = `~352 ann #a ann ${HOST} irc.example ann H@ :0 Ann of a`;
  const b = `~352 ann #a bb ${HOST} irc.example ben G* :0 Ben of b`;
  const l = '~352 ann #a lab 192.0.2.9 irc.example lil H :0 lil';
  const asked = async (words: string, ...answers: string[]) => {
    const end = `~315 ann ${words.split(' ')[0]} :End of WHO list`;
    await converse(on, [`ann: WHO ${words}`, ...[...answers, end].map((answer) => `ann< ${answer}`)].join('\n'));
  };
  await converse(on, 'ann< ...\nben< ...\nben: AWAY :x\nben< …');
  await asked('#a', a, b, l);
  await asked('#A', a, b, l);
  await asked('#a o', b);
  await asked('#no');
  await asked('BEN', b);
  await asked('no');
  await asked('*', a, b, l);
  await asked('0', a, b, l);
  await asked('* o', b);
  await asked('b?n', b);
  await asked('bb', b);
  await asked('ben?of?b', b);
  await asked('192.0.*', l);
  await asked('*!lab@*', l);
  await asked('ann!*@*', a);
  await asked('irc.example', a, b, l);
  await converse(on, 'ann: WHO\nann< ~461 ann WHO :Not enough parameters');
});

who('the invisible are seen by who knows their nick, or shares a room', async () => {
  const on = openIrc();
  await gather(on, 'ann ben');
  on.clients.get('ben')?.session.setMode('i', true);
  const ann = on.clients.get('ann');
  const seen = async (words: string) =>
    (await ann?.say(`WHO ${words}`))?.some((line) => line.includes(' ben H')) ?? false;
  ann?.take();
  assert.equal([await seen('be*'), await seen('ben')], [false, true]);
  await on.clients.get('ben')?.say('JOIN #a');
  assert.equal([await seen('be*'), await seen('#a')], [false, false]);
  await ann?.say('JOIN #a');
  assert.equal([await seen('be*'), await seen('#a')], [true, true]);
});

who('secret rooms are not shown from outside', async () => {
  const on = openIrc();
  await gather(on, 'ben', '#s');
  on.house.rule(memberOf(on, 'ben'), roomNamed(on, 's'), [{ isAdded: true, rule: 'secret' }]);
  await gather(on, 'ann');
  await converse(
    on,
    `ann: WHO #s
     ann< ~315 ann #s :End of WHO list
     ann: WHO ben
     ann< ~352 ann * ben ${HOST} irc.example ben H :0 ben
     ann< ~315 ann ben :End of WHO list`,
  );
});

who('WHOX: the fields that are asked for, in their order', async () => {
  const on = openIrc();
  await register(on, 'ann', { password: 'secret', realName: 'Ann of a' });
  await register(on, 'ben');
  await join(on, on.clients.get('ann') as never, '#a');
  await addOther(on, 'lil', { dialect: 'lab' });
  on.clients.get('ann')?.session.setMode('B', true);
  await on.pass(4000);
  await converse(
    on,
    `ben: WHO ann %tcuihsnfdlaor,123
     ben< ~354 ben 123 #a ann ${HOST} ${HOST} irc.example ann H@B 0 4 ann 0 :Ann of a
     ben< ~315 ben ann :End of WHO list
     ben: WHO ann %rnat,7
     ben< ~354 ben 7 ann ann :Ann of a
     ben< ~315 …
     ben: WHO ben %an
     ben< ~354 ben ben 0
     ben< ~315 …
     ben: WHO ben o%n
     ben< ~315 …
     ben: WHO ben %tn,12345
     ben< ~354 ben 0 ben
     ben< ~315 …
     ben: WHO lil %iun
     ben< ~354 ben lab 255.255.255.255 lil
     ben< ~315 …
     ben: WHO ben %!
     ben< ~352 ben * ben ${HOST} irc.example ben H :0 ben
     ben< ~315 …`,
  );
});

who('a long answer goes out as fast as it is read', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', { caps: 'batch labeled-response' });
  for (let n = 0; n < 450; n++) await addOther(on, `o${n}`, { rooms: 'a' });
  await join(on, ann, '#a');
  const { port } = ann;
  const send = port.send.bind(port);
  port.send = (bytes) => {
    send(bytes);
    port.isCongested ||= port.blocks.length > 100;
  };
  const got: string[][] = [];
  ann.send('@label=x WHO #a\r\nISON ann\r\n');
  for (let turn = 0; turn < 5; turn++) {
    await rest();
    got.push(ann.take());
    port.isCongested = false;
    await on.pass(0);
  }
  assert.equal(
    got.map((lines) => lines.length),
    [201, 200, 51 + 1 + 1 + 1, 0, 0],
  );
  const all = got.flat();
  assert.is(all[0], '@label=x :irc.example BATCH +1 labeled-response');
  assert.equal(all.slice(-3), [
    '@batch=1 :irc.example 315 ann #a :End of WHO list',
    ':irc.example BATCH -1',
    ':irc.example 303 ann ann',
  ]);
  assert.equal(port.bugs, []);
});

who('whoever goes away in the middle of it is told no more', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann');
  for (let n = 0; n < 450; n++) await addOther(on, `o${n}`, { rooms: 'a' });
  await join(on, ann, '#a');
  const send = ann.port.send.bind(ann.port);
  ann.port.send = (bytes) => {
    send(bytes);
    ann.port.isCongested = true;
  };
  ann.send('WHO #a\r\n');
  await rest();
  ann.breaks();
  assert.is(ann.take().length, 200);
  await rest();
  assert.equal([ann.take(), ann.port.bugs], [[], []]);
});

for (const question of ['WHO *', 'WHO ann', 'LIST', 'NAMES', 'NAMES #a', 'WHOWAS *']) {
  who(`others are heard before what stands behind a search of everybody: ${question}`, async () => {
    const on = openIrc();
    const [ann, bob] = await gather(on, 'ann bob', '#a');
    assert.ok(ann && bob);
    // nothing is due before the loop has turned
    ann.port.wake = () => {};
    const first = await ann.say(question, 'PING :behind');
    assert.match(first.at(-1) as string, / (?:315|323|366|369) /);
    bob.send('PRIVMSG #a :hello\r\n');
    assert.is(ann.session.deadline(), 0);
    ann.session.tick(on.clock.now);
    await rest();
    const then = ann.take();
    assert.match(then.join('\n'), /^:bob!.* PRIVMSG #a hello\n.* PONG .*behind$/);
  });
}

who('whoever goes away behind it is gone', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann', '#a');
  assert.ok(ann);
  ann.port.wake = () => {};
  await ann.say('WHO *', 'PRIVMSG #a :never said');
  ann.breaks();
  await rest();
  assert.equal([ann.take(), ann.port.bugs, ann.session.deadline()], [[], [], Number.POSITIVE_INFINITY]);
});

who.run();
