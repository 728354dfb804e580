// CHATHISTORY of what was said in private, from the draft of IRCv3: two who talk, and who else may know of it.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addOther, converse, gather, hush, type IrcClient, join, openIrc, register, STARTED } from './irc-stage.ts';

const CAPS = 'batch server-time message-tags account-tag echo-message draft/chathistory';
const MEMBER = { caps: CAPS, password: 'secret' };

const time = (seconds: number) => new Date(STARTED + 1000 * seconds).toISOString();
const timestamp = (seconds: number) => `timestamp=${time(seconds)}`;
const EVER = `${timestamp(-9)} ${timestamp(999)}`;

interface Told {
  readonly msgid: string | undefined;
  readonly time: string | undefined;
  readonly account: string | undefined;
  readonly nick: string;
  readonly words: string;
}

/** What a line has that is the same live and later. */
function toldIn(line: string): Told {
  const [, tags = '', nick = '', words = ''] =
    /^@(\S+) :([^!]+)!\S+ (.*)$/.exec(line) ?? assert.unreachable(line) ?? [];
  const all = new Map(tags.split(';').map((tag) => tag.split('=') as [string, string]));
  return { msgid: all.get('msgid'), time: all.get('time'), account: all.get('account'), nick, words };
}

const isSaid = (line: string) => / (?:PRIVMSG|NOTICE) /.test(line);

/** What is in the one batch that CHATHISTORY answers with, for that target. */
async function asked(client: IrcClient, words: string): Promise<Told[]> {
  const lines = await client.say(`CHATHISTORY ${words}`);
  const [, ref] =
    /^:irc\.example BATCH \+(\S+) chathistory (\S+)$/.exec(lines[0] ?? '') ?? assert.unreachable(lines[0]) ?? [];
  assert.is(lines[0]?.split(' ').at(-1), words.split(' ')[1]);
  assert.is(lines.at(-1), `:irc.example BATCH -${ref}`);
  for (const line of lines.slice(1, -1)) assert.match(line, new RegExp(`^@(?:\\S*;)?batch=${ref}[; ]`));
  return lines.slice(1, -1).map(toldIn);
}

async function targets(client: IrcClient, words = `${EVER} 50`): Promise<string[]> {
  const lines = await client.say(`CHATHISTORY TARGETS ${words}`);
  assert.match(lines[0] ?? '', 'draft/chathistory-targets');
  return lines.slice(1, -1).map((line) => line.replace(/^.* CHATHISTORY TARGETS /, ''));
}

/** ann and ben say one thing each second, in turn; what each of them was echoed. */
async function talked(count: number) {
  const on = openIrc();
  const ann = await register(on, 'ann', MEMBER);
  const ben = await register(on, 'ben', MEMBER);
  const said: Told[] = [];
  for (let n = 1; n <= count; n++) {
    await on.pass(1000);
    const [from, to] = n % 2 === 1 ? [ann, 'ben'] : [ben, 'ann'];
    const [echo = ''] = await from.say(`PRIVMSG ${to} :text ${n}`);
    const [heard = ''] = (from === ann ? ben : ann).take();
    assert.equal(toldIn(heard), toldIn(echo));
    assert.is(toldIn(echo).time, time(n));
    said.push(toldIn(echo));
  }
  return { on, ann, ben, said };
}

const talk = suite('irc chathistory of two');

/** `<n>` is the msgid of the n-th message. */
for (const [words, wanted] of [
  ['LATEST * 20', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
  ['LATEST * 3', [8, 9, 10]],
  ['LATEST <7> 20', [8, 9, 10]],
  [`LATEST ${timestamp(7)} 20`, [8, 9, 10]],
  ['BEFORE <4> 2', [2, 3]],
  [`BEFORE ${timestamp(4)} 2`, [2, 3]],
  ['AFTER <4> 2', [5, 6]],
  [`AFTER ${timestamp(4)} 2`, [5, 6]],
  ['AROUND <5> 3', [4, 5, 6]],
  [`AROUND ${timestamp(5)} 3`, [4, 5, 6]],
  ['BETWEEN <3> <8> 9', [4, 5, 6, 7]],
  ['BETWEEN <8> <3> 2', [6, 7]],
  [`BETWEEN ${timestamp(3)} ${timestamp(8)} 2`, [4, 5]],
  [`BETWEEN <8> ${timestamp(3)} 2`, [6, 7]],
] as const) {
  talk(`${words}: as it was echoed, to both of them`, async () => {
    const { ann, ben, said } = await talked(10);
    const all = words.replace(/<(\d+)>/g, (_, n) => `msgid=${said[Number(n) - 1]?.msgid}`);
    for (const [client, other] of [
      [ann, 'ben'],
      [ben, 'ann'],
      [ben, 'ANN'],
    ] as const) {
      assert.equal(
        await asked(client, all.replace(' ', ` ${other} `)),
        wanted.map((n) => said[n - 1]),
      );
    }
  });
}

talk('is there when both have gone and come again, and when the server was started again', async () => {
  const { on, ann, ben, said } = await talked(4);
  ben.breaks();
  assert.equal(await asked(ann, 'LATEST ben * 9'), said);
  on.store.start = { ...on.store.start, lastPost: 4, accounts: ['ann', 'ben'] };
  const again = openIrc({ store: on.store });
  const back = await register(again, 'ben', { caps: CAPS, password: 'secret' });
  assert.equal(await asked(back, 'LATEST ann * 9'), said);
  assert.equal(await targets(back), [`ann ${time(4)}`]);
});

talk('to oneself is kept once, and is the same live, echoed and later', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', MEMBER);
  const lines = await ann.say('PRIVMSG ann :note');
  assert.is(lines.length, 2);
  assert.equal(toldIn(lines[0] as string), toldIn(lines[1] as string));
  assert.equal(await asked(ann, 'LATEST ann * 9'), [toldIn(lines[0] as string)]);
  assert.equal(await targets(ann), [`ann ${time(0)}`]);
});

talk('notices, actions and tags are kept; requests to programs and tags alone are not', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', MEMBER);
  await register(on, 'ben', MEMBER);
  await ann.say('@+draft/reply=p9 NOTICE ben :take note', 'PRIVMSG ben :\x01ACTION waves\x01');
  await ann.say('PRIVMSG ben :\x01VERSION\x01', 'NOTICE ben :\x01VERSION x\x01', '@+typing=done TAGMSG ben');
  hush(on);
  await converse(
    on,
    `ben: CHATHISTORY LATEST ann * 9
     ben< ~BATCH +…
     ben< @batch=…;msgid=p1;time=${time(0)};account=ann;+draft/reply=p9 :ann!… NOTICE ben :take note
     ben< @batch=…;msgid=p2;time=${time(0)};account=ann :ann!… PRIVMSG ben :\x01ACTION waves\x01
     ben< ~BATCH -…`,
  );
});

talk(
  'with somebody without an account is kept for who has one, and for nobody else who is called so later',
  async () => {
    const on = openIrc();
    const ann = await register(on, 'ann', MEMBER);
    const cat = await register(on, 'cat', { caps: CAPS });
    const [one = ''] = await ann.say('PRIVMSG cat :one');
    const two = (await cat.say('PRIVMSG ann :two')).find((line) => line.includes('ann two')) ?? '';
    assert.equal(await asked(cat, 'LATEST ann * 9'), []);
    assert.equal(await targets(cat), []);
    hush(on);
    assert.equal(await asked(ann, 'LATEST cat * 9'), [toldIn(one), toldIn(two)]);
    cat.breaks();
    const other = await register(on, 'cat', MEMBER);
    assert.equal(await asked(other, 'LATEST ann * 9'), []);
    assert.equal(await targets(other), []);
  },
);

talk('is nobody else’s: not who wears the nick now, nor a third one', async () => {
  const on = openIrc();
  const ben = await register(on, 'ben', MEMBER);
  // the account is another than the nick
  const ann = await register(on, 'ann', { caps: `${CAPS} sasl` });
  await on.accounts.take('annette', 'secret');
  await ann.say('AUTHENTICATE PLAIN', `AUTHENTICATE ${btoa('\0annette\0secret')}`);
  await ann.say('PRIVMSG ben :psst');
  hush(on);
  assert.is((await asked(ben, 'LATEST ann * 9')).length, 1);
  ann.breaks();
  hush(on);
  // told under the account when that one is not there
  assert.equal(await targets(ben), [`annette ${time(0)}`]);
  assert.is((await asked(ben, 'LATEST annette * 9')).length, 1);
  for (const more of [{ caps: CAPS }, MEMBER]) {
    const thief = await register(on, 'ann', more);
    for (const target of ['ben', 'ann', 'annette']) assert.equal(await asked(thief, `LATEST ${target} * 9`), []);
    assert.equal(await targets(thief), []);
    assert.equal(await asked(ben, 'LATEST ann * 9'), []);
    thief.breaks();
    hush(on);
  }
});

talk('all nicks of an account are one', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', MEMBER);
  await register(on, 'ben', MEMBER);
  const second = await register(on, 'ben2', { caps: `${CAPS} sasl` });
  await second.say('AUTHENTICATE PLAIN', `AUTHENTICATE ${btoa('\0ben\0secret')}`);
  await ann.say('PRIVMSG ben :one', 'PRIVMSG ben2 :two');
  hush(on);
  for (const target of ['ben', 'ben2']) {
    const words = (await asked(ann, `LATEST ${target} * 9`)).map((one) => one.words);
    assert.equal(words, ['PRIVMSG ben one', 'PRIVMSG ben2 two']);
  }
  assert.is((await asked(second, 'LATEST ann * 9')).length, 2);
  assert.equal(await targets(second), [`ann ${time(0)}`]);
});

talk('in another dialect is the same, under the name as IRC spells it', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', MEMBER);
  const lee = await addOther(on, 'Mary Lee', { dialect: 'lobby', account: 'Mary Lee' });
  hush(on);
  await ann.say('PRIVMSG Mary_Lee :hello');
  on.house.whisper(lee.member, ann.person, 'one\ntwo');
  const live = ann.take().filter(isSaid).map(toldIn);
  assert.equal(
    live.map(({ words }) => words),
    ['PRIVMSG ann one', 'PRIVMSG ann two'],
  );
  on.house.quit(lee.member, 'bye');
  hush(on);
  assert.equal(await targets(ann), [`Mary_Lee ${time(0)}`]);
  const past = await asked(ann, 'LATEST mary_lee * 9');
  assert.equal(past.slice(1), live);
  assert.is(past[0]?.words, 'PRIVMSG Mary_Lee hello');
});

talk('what is for those who lead a room, an invitation, or for nobody who is there, is not kept', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', MEMBER);
  await join(on, ann, '#a');
  await join(on, ann, '#b');
  const lee = await addOther(on, 'lee', { rooms: 'a', account: 'lee' });
  await ann.say('MODE #a +o lee', 'PRIVMSG @#a :leaders', 'PRIVMSG gone :hello', 'INVITE lee #b');
  assert.equal(
    lee.tongue.whispers.map(({ text }) => /leaders$|invites/.exec(text)?.[0]),
    ['leaders', 'invites'],
  );
  hush(on);
  assert.equal(on.store.keptWhispers, []);
  assert.equal(await targets(ann), []);
});

talk('TARGETS has channels and people by the time of what was said last', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann ben cat', '', MEMBER);
  assert.ok(ann);
  await join(on, ann, '#a');
  for (const target of ['ben', '#a', 'cat', 'ben']) {
    await on.pass(1000);
    await ann.say(`PRIVMSG ${target} :x`);
  }
  hush(on);
  assert.equal(await targets(ann), [`#a ${time(2)}`, `cat ${time(3)}`, `ben ${time(4)}`]);
  assert.equal(await targets(ann, `${timestamp(0)} ${timestamp(9)} 2`), [`#a ${time(2)}`, `cat ${time(3)}`]);
  assert.equal(await targets(ann, `${timestamp(9)} ${timestamp(0)} 2`), [`cat ${time(3)}`, `ben ${time(4)}`]);
  assert.equal(await targets(ann, `${timestamp(0)} ${timestamp(3)} 9`), [`ben ${time(1)}`, `#a ${time(2)}`]);
  assert.equal(await targets(on.clients.get('cat') as IrcClient), [`ann ${time(3)}`]);
});

talk('is kept for as long as the house says', async () => {
  const on = openIrc({ limits: { whisperMs: 10_000 } });
  const [ann] = await gather(on, 'ann ben', '', MEMBER);
  assert.ok(ann);
  await ann.say('PRIVMSG ben :one');
  await on.pass(8000);
  await ann.say('PRIVMSG ben :two');
  hush(on);
  assert.is((await asked(ann, 'LATEST ben * 9')).length, 2);
  await on.pass(4000);
  hush(on);
  assert.equal(
    (await asked(ann, 'AFTER ben msgid=p0 1')).map(({ words }) => words),
    ['PRIVMSG ben two'],
  );
  await on.pass(10_000);
  hush(on);
  assert.equal(await asked(ann, 'LATEST ben * 9'), []);
  assert.equal(await targets(ann), []);
});

talk('is not kept where the house keeps nothing', async () => {
  const on = openIrc({ limits: { whisperMs: 0 } });
  const [ann] = await gather(on, 'ann ben', '', MEMBER);
  assert.ok(ann);
  await ann.say('PRIVMSG ben :one');
  hush(on);
  assert.equal(on.store.keptWhispers, []);
  assert.equal(await asked(ann, 'LATEST ben * 9'), []);
});

talk('has a mark of how far it was read, the same for the nick and the account', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'draft/read-marker', password: 'secret' });
  const ben = await register(on, 'ben', { caps: 'sasl' });
  await on.accounts.take('Benedict', 'secret');
  await ben.say('AUTHENTICATE PLAIN', `AUTHENTICATE ${btoa('\0Benedict\0secret')}`);
  hush(on);
  await converse(
    on,
    `ann: MARKREAD ben ${timestamp(5)}
     ann< ~MARKREAD ben ${timestamp(5)}
     ann: MARKREAD benedict
     ann< ~MARKREAD benedict ${timestamp(5)}
     ben: QUIT
     ben< ERROR …
     ann: MARKREAD Benedict
     ann< ~MARKREAD Benedict ${timestamp(5)}
     ann: MARKREAD ben
     ann< ~MARKREAD ben *`,
  );
});

talk.run();
