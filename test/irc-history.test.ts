// Transcripts of CHATHISTORY, from the draft of IRCv3.

import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_HISTORY } from '../src/irc-history.ts';
import { timeIn } from '../src/irc-times.ts';
import { addOther, converse, gather, type IrcClient, join, openIrc, register, STARTED } from './irc-stage.ts';

const CAPS = 'batch server-time message-tags draft/chathistory';

const time = (seconds: number, ms = 0) => new Date(STARTED + 1000 * seconds + ms).toISOString();
const timestamp = (seconds: number, ms = 0) => `timestamp=${time(seconds, ms)}`;
const msgid = (post: number) => `msgid=p${post.toString(36)}`;

/** A room in which post n was said n seconds after the beginning. */
async function withPast(posts: number, caps = CAPS) {
  const on = openIrc();
  const lil = await addOther(on, 'lil', { rooms: 'a', dialect: 'lab' });
  for (let n = 1; n <= posts; n++) {
    await on.pass(1000);
    on.house.say(lil.member, [...lil.member.rooms.values()][0] as never, `text ${n}`);
  }
  const ann = await register(on, 'ann', { caps });
  await join(on, ann, '#a');
  return { on, ann, lil };
}

/** The texts of the messages, which are one batch. */
async function asked(ann: IrcClient, words: string): Promise<number[]> {
  const lines = await ann.say(`CHATHISTORY ${words}`);
  const [first = '', last = ''] = [lines[0], lines.at(-1)];
  const [, batch] = /^:irc\.example BATCH \+(\S+) chathistory #a$/.exec(first) ?? assert.unreachable(first) ?? [];
  assert.is(last, `:irc.example BATCH -${batch}`);
  return lines.slice(1, -1).map((line) => {
    const [, ref, n] = /^@batch=(\S+?);.* :lil!lab@parley PRIVMSG #a :text (\d+)$/.exec(line) ?? [];
    assert.is(ref, batch, line);
    assert.match(line, `msgid=p${Number(n).toString(36)};time=${time(Number(n))} `);
    return Number(n);
  });
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

const past = suite('irc chathistory');

for (const [words, wanted] of [
  ['LATEST #a * 3', [8, 9, 10]],
  ['latest #A * 3', [8, 9, 10]],
  [`LATEST #a ${msgid(8)} 5`, [9, 10]],
  [`LATEST #a ${msgid(5)} 2`, [9, 10]],
  [`LATEST #a ${timestamp(8)} 5`, [9, 10]],
  [`BEFORE #a ${msgid(4)} 2`, [2, 3]],
  [`BEFORE #a ${timestamp(4)} 2`, [2, 3]],
  [`BEFORE #a ${timestamp(4, 1)} 2`, [3, 4]],
  [`BEFORE #a ${msgid(1)} 2`, []],
  [`AFTER #a ${msgid(4)} 2`, [5, 6]],
  [`AFTER #a ${timestamp(4)} 2`, [5, 6]],
  [`AFTER #a ${timestamp(3, 999)} 2`, [4, 5]],
  [`AFTER #a ${msgid(10)} 2`, []],
  [`AROUND #a ${msgid(5)} 1`, [5]],
  [`AROUND #a ${msgid(5)} 3`, [4, 5, 6]],
  [`AROUND #a ${msgid(5)} 4`, [3, 4, 5, 6]],
  [`AROUND #a ${timestamp(5)} 3`, [4, 5, 6]],
  [`AROUND #a ${timestamp(5, 500)} 2`, [5, 6]],
  [`AROUND #a ${msgid(1)} 4`, [1, 2, 3, 4]],
  [`AROUND #a ${msgid(10)} 4`, [7, 8, 9, 10]],
  [`BETWEEN #a ${msgid(3)} ${msgid(8)} 9`, [4, 5, 6, 7]],
  [`BETWEEN #a ${msgid(3)} ${msgid(8)} 2`, [4, 5]],
  [`BETWEEN #a ${msgid(8)} ${msgid(3)} 9`, [4, 5, 6, 7]],
  [`BETWEEN #a ${msgid(8)} ${msgid(3)} 2`, [6, 7]],
  [`BETWEEN #a ${timestamp(3)} ${timestamp(8)} 2`, [4, 5]],
  [`BETWEEN #a ${timestamp(8)} ${timestamp(3)} 2`, [6, 7]],
  [`BETWEEN #a ${msgid(3)} ${timestamp(8)} 2`, [4, 5]],
  [`BETWEEN #a ${timestamp(8)} ${msgid(3)} 2`, [6, 7]],
  [`LATEST #a * ${10 * MAX_HISTORY}`, range(1, 10)],
] as const) {
  past(words, async () => {
    const { ann } = await withPast(10);
    assert.equal(await asked(ann, words), wanted);
  });
}

past('whole pages tell everything once, from either end', async () => {
  const { ann } = await withPast(23);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.boolean(), async (limit, isForward) => {
      const all: number[] = [];
      for (let from = isForward ? 0 : 24; ; from = (isForward ? all.at(-1) : all[0]) as number) {
        const page = await asked(ann, `${isForward ? 'AFTER' : 'BEFORE'} #a ${msgid(from)} ${limit}`);
        if (page.length === 0) break;
        if (isForward) all.push(...page);
        else all.unshift(...page);
      }
      assert.equal(all, range(1, 23));
    }),
    { numRuns: 15 },
  );
});

for (const [words, answer] of [
  ['', 'FAIL CHATHISTORY INVALID_PARAMS * :Unknown command'],
  ['WHAT #a * 1', 'FAIL CHATHISTORY INVALID_PARAMS WHAT :Unknown command'],
  ['LATEST #a *', 'FAIL CHATHISTORY INVALID_PARAMS LATEST :Wrong number of parameters'],
  ['LATEST #a * 1 1', 'FAIL CHATHISTORY INVALID_PARAMS LATEST :Wrong number of parameters'],
  [`BETWEEN #a ${timestamp(1)} 3`, 'FAIL CHATHISTORY INVALID_PARAMS BETWEEN :Wrong number of parameters'],
  ['LATEST #a * x', 'FAIL CHATHISTORY INVALID_PARAMS LATEST :Invalid limit'],
  ['LATEST #a * 0', 'FAIL CHATHISTORY INVALID_PARAMS LATEST :Invalid limit'],
  ['LATEST #a * -3', 'FAIL CHATHISTORY INVALID_PARAMS LATEST :Invalid limit'],
  ['LATEST #no * 1', 'FAIL CHATHISTORY INVALID_TARGET LATEST #no :Messages could not be retrieved'],
  ['LATEST #b * 1', 'FAIL CHATHISTORY INVALID_TARGET LATEST #b :Messages could not be retrieved'],
  ['LATEST a.b * 1', 'FAIL CHATHISTORY INVALID_TARGET LATEST a.b :Messages could not be retrieved'],
  ['BEFORE #a * 1', 'FAIL CHATHISTORY INVALID_MSGREFTYPE BEFORE * :Unknown reference'],
  ['BEFORE #a x=1 1', 'FAIL CHATHISTORY INVALID_MSGREFTYPE BEFORE x :Unknown reference'],
  ['BEFORE #a msgid=w1-1 1', 'FAIL CHATHISTORY INVALID_PARAMS BEFORE :Unknown msgid'],
  ['BEFORE #a timestamp=noon 1', 'FAIL CHATHISTORY INVALID_PARAMS BEFORE :Unknown timestamp'],
  [`TARGETS ${timestamp(1)} 1`, 'FAIL CHATHISTORY INVALID_PARAMS TARGETS :Wrong number of parameters'],
  [`TARGETS ${timestamp(1)} ${msgid(1)} 1`, 'FAIL CHATHISTORY INVALID_PARAMS TARGETS :Invalid timestamp'],
] as const) {
  past(`refused: CHATHISTORY ${words}`, async () => {
    const on = openIrc();
    await gather(on, 'ann', '#a');
    await gather(on, 'ben', '#b');
    await converse(on, `ann: CHATHISTORY ${words}\nann< ~${answer}`);
  });
}

past('of two without accounts is empty, for nobody keeps it', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '', { caps: CAPS });
  await converse(on, 'ann: CHATHISTORY LATEST ben * 5\nann< ~BATCH +1 chathistory ben\nann< ~BATCH -1');
});

past('notices, actions, tags and accounts come back; signals and joins are not told', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: `${CAPS} account-tag`, password: 'secret' });
  const ann = on.clients.get('ann');
  assert.ok(ann);
  await join(on, ann, '#a');
  await converse(
    on,
    `ann: @+draft/reply=p9 NOTICE #a :take note
     ann: PRIVMSG #a :\x01ACTION waves\x01
     ann: @+typing=done TAGMSG #a
     ann: CHATHISTORY LATEST #a * 5
     ann< ~BATCH +1 chathistory #a
     ann< @batch=1;msgid=p1;time=…;account=ann;+draft/reply=p9 :ann!… NOTICE #a :take note
     ann< @batch=1;msgid=p2;time=…;account=ann :ann!… PRIVMSG #a :\x01ACTION waves\x01
     ann< ~BATCH -1`,
  );
});

past('a post of several lines is told whole, and counts as several', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', { caps: 'batch message-tags draft/chathistory' });
  await join(on, ann, '#a');
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  for (const text of ['1', '2\n3\n4', '5', '6\n7']) await lil.say(text);
  const texts = async (words: string) =>
    (await ann.say(`CHATHISTORY ${words}`))
      .slice(1, -1)
      .map((line) => line.replace(/^.* PRIVMSG #a /, ''))
      .join('');
  ann.take();
  assert.is(await texts('LATEST #a * 3'), '567');
  assert.is(await texts('LATEST #a * 1'), '67');
  assert.is(await texts('AFTER #a msgid=p1 2'), '234');
  assert.is(await texts('AFTER #a msgid=p2.1 2'), '5');
  assert.is(await texts('BEFORE #a msgid=p3 4'), '1234');
  assert.is(await texts('AROUND #a msgid=p3 4'), '2345');
});

past('without batches, and with a label', async () => {
  const on = openIrc();
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  await lil.say('1');
  await gather(on, 'ann', '#a', { caps: 'draft/chathistory' });
  await gather(on, 'ben', '#a', { caps: `${CAPS} labeled-response` });
  await converse(
    on,
    `ann< ...
     ann: CHATHISTORY LATEST #a * 5
     ann< :lil!menu@parley PRIVMSG #a 1
     ben: @label=x CHATHISTORY LATEST #a * 5
     ben< @label=x ~BATCH +1 chathistory #a
     ben< @batch=1;msgid=p1;time=… :lil!menu@parley PRIVMSG #a 1
     ben< ~BATCH -1`,
  );
});

past('TARGETS: the channels that one is in, by their last message', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', { caps: CAPS });
  await join(on, ann, '#a,#b,#c');
  const [a, b, d] = await Promise.all(['a', 'b', 'd'].map((room) => addOther(on, `in${room}`, { rooms: room })));
  for (const other of [b, a, b, d]) {
    await on.pass(1000);
    await other?.say('hi');
  }
  ann.take();
  const targets = async (words: string) => {
    const [first, ...lines] = await ann.say(`CHATHISTORY TARGETS ${words}`);
    assert.match(first ?? '', /^:irc\.example BATCH \+\w+ draft\/chathistory-targets$/);
    return lines.slice(0, -1).map((line) => line.replace(/^@batch=\w+;time=\S+ :irc.example CHATHISTORY TARGETS /, ''));
  };
  const [aWas, bWas] = [`#a ${time(2)}`, `#b ${time(3)}`];
  assert.equal(await targets(`${timestamp(0)} ${timestamp(9)} 10`), [aWas, bWas]);
  assert.equal(await targets(`${timestamp(9)} ${timestamp(0)} 10`), [aWas, bWas]);
  assert.equal(await targets(`${timestamp(0)} ${timestamp(9)} 1`), [aWas]);
  assert.equal(await targets(`${timestamp(9)} ${timestamp(0)} 1`), [bWas]);
  assert.equal(await targets(`${timestamp(2)} ${timestamp(9)} 10`), [bWas]);
  assert.equal(await targets(`${timestamp(3)} ${timestamp(9)} 10`), []);
});

for (const [written, at] of [
  [`timestamp=${time(0)}`, STARTED],
  ['timestamp=2026-01-01T12:00:00Z', STARTED],
  ['timestamp=2026-01-01T12:00:00.5Z', STARTED + 500],
  ['timestamp=2026-01-01', undefined],
  ['timestamp=2026-13-01T12:00:00.000Z', undefined],
  ['timestamp=2026-01-01T12:00:00.000+01:00', undefined],
  ['2026-01-01T12:00:00.000Z', undefined],
  ['*', undefined],
] as const) {
  past(`${written} is ${at}`, () => assert.is(timeIn(written), at));
}

past.run();
