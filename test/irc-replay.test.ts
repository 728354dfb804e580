// Transcripts of MARKREAD, from the draft of IRCv3 (read-marker), and of the lines that are told after JOIN to clients that
// can't ask for them.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryStore } from './fakes.ts';
import { addOther, converse, HOST, openIrc, register, rest, STARTED } from './irc-stage.ts';

const ANN = `ann!ann@${HOST}`;

const time = (seconds: number) => new Date(STARTED + 1000 * seconds).toISOString();
const timestamp = (seconds: number) => `timestamp=${time(seconds)}`;

const markers = suite('irc read markers');

markers('are told after JOIN, go only forward, and to all who are that account', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'draft/read-marker', password: 'secret' });
  await register(on, 'ann2', { caps: 'sasl draft/read-marker' });
  await register(on, 'ann3', { caps: 'sasl' });
  await register(on, 'ben', { caps: 'draft/read-marker' });
  const login = btoa('\0ann\0secret');
  for (const nick of ['ann2', 'ann3']) {
    const client = on.clients.get(nick);
    await client?.say('AUTHENTICATE PLAIN', `AUTHENTICATE ${login}`);
  }
  await converse(
    on,
    `ann2: JOIN #a
     ann2< :ann2!ann2@${HOST} JOIN #a
     ann2< ~MARKREAD #a *
     ann2< ~353 …
     ann2< ~366 …
     ann: MARKREAD #a ${timestamp(5)}
     ann< ~MARKREAD #a ${timestamp(5)}
     ann2< ~MARKREAD #a ${timestamp(5)}
     ann2: MARKREAD #A ${timestamp(4)}
     ann2< ~MARKREAD #A ${timestamp(5)}
     ann3: MARKREAD #a
     ann3< ~MARKREAD #a ${timestamp(5)}
     ben: MARKREAD #a
     ben< ~MARKREAD #a *
     ann: JOIN #a
     ann< :ann!ann@${HOST} JOIN #a
     ann< ~MARKREAD #a ${timestamp(5)}
     ann< ~353 …
     ann< ~366 …
     ann2< :ann!ann@${HOST} JOIN #a`,
  );
});

markers('of who has no account last as long as the connection', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'draft/read-marker' });
  await converse(
    on,
    `ann: MARKREAD Ben ${timestamp(5)}
     ann< ~MARKREAD Ben ${timestamp(5)}
     ann: MARKREAD ben ${timestamp(3)}
     ann< ~MARKREAD ben ${timestamp(5)}
     ann: MARKREAD ben
     ann< ~MARKREAD ben ${timestamp(5)}`,
  );
  for (let n = 0; n < 500; n++) on.clients.get('ann')?.send(`MARKREAD x${n} ${timestamp(1)}\r\n`);
  for (let n = 0; n < 100; n++) await rest();
  assert.is(on.clients.get('ann')?.session.markers?.size, 200);
});

markers('are refused in the draft’s words', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'draft/read-marker', password: 'secret' });
  await converse(
    on,
    `ann: MARKREAD
     ann< ~FAIL MARKREAD NEED_MORE_PARAMS :Missing parameters
     ann: MARKREAD #a noon
     ann< ~FAIL MARKREAD INVALID_PARAMS #a :Invalid timestamp
     ann: MARKREAD #a *
     ann< ~FAIL MARKREAD INVALID_PARAMS #a :Invalid timestamp
     ann: MARKREAD a!b ${timestamp(1)}
     ann< ~FAIL MARKREAD INVALID_PARAMS a!b :Invalid target`,
  );
  on.store.saving = 'fails';
  await converse(on, `ann: MARKREAD #a ${timestamp(1)}\nann< ~FAIL MARKREAD INTERNAL_ERROR #a :…`);
});

markers.run();

const replay = suite('irc replay');

replay('after JOIN, with the time in the text or beside it', async () => {
  const on = openIrc({ replay: 2 });
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  for (const text of ['1', '2', '/me waves']) await lil.say(text);
  await register(on, 'ann');
  await register(on, 'ben', { caps: 'batch server-time' });
  await register(on, 'cat', { caps: 'batch draft/chathistory' });
  await converse(
    on,
    `ann: JOIN #a
     ann< :${ANN} JOIN #a
     ann< ~353 …
     ann< ~366 …
     ann< :lil!menu@parley PRIVMSG #a :[12:00] 2
     ann< :lil!menu@parley PRIVMSG #a :\x01ACTION [12:00] waves\x01
     ben: JOIN #a
     ben< @time=… :ben!ben@${HOST} JOIN #a
     ben< @time=… ~353 …
     ben< @time=… ~366 …
     ben< ~BATCH +1 chathistory #a
     ben< @batch=1;time=${time(0)} :lil!menu@parley PRIVMSG #a 2
     ben< @batch=1;time=${time(0)} :lil!menu@parley PRIVMSG #a :\x01ACTION waves\x01
     ben< ~BATCH -1
     ann< :ben!ben@${HOST} JOIN #a
     cat: JOIN #a
     cat< :cat!cat@${HOST} JOIN #a
     cat< ~353 …
     cat< ~366 …
     ann< …
     ben< …`,
  );
});

replay('only what is new, once for each gap', async () => {
  const on = openIrc();
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  await lil.say('1');
  const ann = await register(on, 'ann');
  const texts = async () =>
    (await ann.say('JOIN #a')).flatMap((line) => /PRIVMSG #a :\[12:00\] (.*)/.exec(line)?.[1] ?? []).join('');
  const away = async (...said: string[]) => {
    await ann.say('PART #a');
    for (const text of said) await lil.say(text);
  };
  assert.is(await texts(), '1');
  await away();
  assert.is(await texts(), '');
  await away('2', '3');
  assert.is(await texts(), '23');
  await lil.say('4');
  await away('5');
  assert.is(await texts(), '5');
  await away();
  assert.is(await texts(), '');
});

replay('none where there shall be none', async () => {
  const on = openIrc({ replay: 0 });
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  await lil.say('1');
  const ann = await register(on, 'ann');
  assert.is((await ann.say('JOIN #a')).length, 3);
});

/** Answers when it is told to. */
class SlowStore extends MemoryStore {
  #go: Array<() => void> = [];

  override async history(...asked: Parameters<MemoryStore['history']>): ReturnType<MemoryStore['history']> {
    await new Promise<void>((resolve) => this.#go.push(resolve));
    return super.history(...asked);
  }

  go(): void {
    for (const resolve of this.#go.splice(0)) resolve();
  }
}

replay('what is said meanwhile is heard once, behind the answer to JOIN', async () => {
  const store = new SlowStore();
  const on = openIrc({ store });
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  await lil.say('1');
  const ann = await register(on, 'ann', { caps: 'batch labeled-response' });
  ann.send('@label=x JOIN #a\r\n');
  await rest();
  await lil.say('2');
  store.go();
  await rest();
  await converse(
    on,
    `ann< @label=x ~BATCH +1 labeled-response
     ann< @batch=1 :${ANN} JOIN #a
     ann< @batch=1 ~353 …
     ann< @batch=1 ~366 …
     ann< :lil!menu@parley PRIVMSG #a 2
     ann< @batch=1 ~BATCH +2 chathistory #a
     ann< @batch=2 :lil!menu@parley PRIVMSG #a :[12:00] 1
     ann< @batch=1 ~BATCH -2
     ann< ~BATCH -1`,
  );
});

replay('who has left meanwhile is told nothing', async () => {
  const store = new SlowStore();
  const on = openIrc({ store });
  const lil = await addOther(on, 'lil', { rooms: 'a' });
  await lil.say('1');
  const ann = await register(on, 'ann');
  ann.send('JOIN #a\r\n');
  await rest();
  ann.breaks();
  ann.take();
  store.go();
  await rest();
  assert.equal(ann.take(), []);
  assert.equal([...on.bugs, ...ann.port.bugs], []);
});

replay.run();
