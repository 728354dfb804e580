// Transcripts of AWAY, SETNAME, ISON, USERHOST, WHOIS, WHOWAS and MONITOR, from modern.ircdocs.horse and the
// specifications of IRCv3 (away-notify, setname, monitor, extended-monitor, bot mode).

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_MONITORED } from '../src/irc-monitors.ts';
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
  STARTED,
  type TestIrc,
} from './irc-stage.ts';

const ANN = `ann!ann@${HOST}`;
const BEN = `ben!ben@${HOST}`;

function memberOf(on: TestIrc, nick: string) {
  const member = on.clients.get(nick)?.session.member;
  assert.ok(member);
  return member;
}

const state = suite('irc AWAY and SETNAME');

state('AWAY, and who asked to know of it', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a,#b', { caps: 'away-notify' });
  await gather(on, 'cat', '#a');
  await register(on, 'dan', { caps: 'away-notify' });
  await converse(
    on,
    `ann: AWAY :at lunch
     ann< ~306 ann :You have been marked as being away
     ben< :${ANN} AWAY :at lunch
     ann: AWAY :at lunch
     ann< ~306 ann :You have been marked as being away
     ann: AWAY :
     ann< ~305 ann :You are no longer marked as being away
     ben< :${ANN} AWAY
     ann: AWAY
     ann< ~305 ann :You are no longer marked as being away`,
  );
});

state('a long AWAY is cut, between characters', async () => {
  const on = openIrc();
  await gather(on, 'ann');
  await on.clients.get('ann')?.say(`AWAY :a${'🙂'.repeat(120)}`);
  await converse(on, 'ann: WHOIS ann\nann< ...');
  assert.is(on.clients.get('ann')?.session.away, `a${'🙂'.repeat(120)}`);
  await on.clients.get('ann')?.say(`AWAY :${'x'.repeat(450)}`);
  assert.is(on.clients.get('ann')?.session.away?.length, 390);
});

state('who is away joins: others in the room know it', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a', { caps: 'away-notify' });
  await register(on, 'ben');
  await converse(
    on,
    `ben: AWAY :at lunch
     ben< ~306 …
     ben: JOIN #a
     ben< ...
     ann< :${BEN} JOIN #a
     ann< :${BEN} AWAY :at lunch`,
  );
});

state('SETNAME, told to who knows it, oneself too', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a,#b', { caps: 'setname' });
  await gather(on, 'cat', '#a');
  await converse(
    on,
    `ann: SETNAME :Ann of a
     ann< :${ANN} SETNAME :Ann of a
     ben< :${ANN} SETNAME :Ann of a
     cat: WHOIS ann
     cat< ~311 cat ann ann ${HOST} * :Ann of a
     cat< ...
     cat: SETNAME Cat
     ann< :cat!cat@${HOST} SETNAME Cat
     ben< :cat!cat@${HOST} SETNAME Cat
     ann: SETNAME
     ann< ~461 ann SETNAME :Not enough parameters
     ann: SETNAME :  ${''}
     ann< ~FAIL SETNAME INVALID_REALNAME :Realname is not valid`,
  );
});

state.run();

const here = suite('irc ISON and USERHOST');

here('ISON and USERHOST', async () => {
  const on = openIrc({ opers: ['cat'] });
  await gather(on, 'ann ben');
  await addOther(on, 'lil m', { dialect: 'lab', host: '::1' });
  memberOf(on, 'ben').isWarden = true;
  await converse(
    on,
    `ben: AWAY :x
     ben< ~306 …
     ann: ISON ANN no lil_m :ben  no2
     ann< ~303 ann :ann lil_m ben
     ann: ISON no
     ann< ~303 ann :
     ann: ISON
     ann< ~461 ann ISON :Not enough parameters
     ann: USERHOST ann ben no lil_m a ann
     ann< ~302 ann :ann=+ann@${HOST} ben*=-ben@${HOST} lil_m=+lab@0::1
     ann: USERHOST no
     ann< ~302 ann :
     ann: USERHOST
     ann< ~461 ann USERHOST :Not enough parameters`,
  );
});

here.run();

const whois = suite('irc WHOIS');

whois('of an IRC client', async () => {
  const on = openIrc({ opers: ['ben'] });
  await register(on, 'ben', { password: 'secret', realName: 'Ben of b', isEncrypted: true });
  await register(on, 'ann');
  for (const client of on.clients.values()) await join(on, client, '#b');
  memberOf(on, 'ben').isWarden = true;
  on.clients.get('ben')?.session.setMode('B', true);
  await on.pass(5000);
  await converse(
    on,
    `ben: AWAY :at lunch
     ben< ~306 …
     ann: WHOIS BEN
     ann< ~311 ann ben ben ${HOST} * :Ben of b
     ann< ~319 ann ben @#b
     ann< ~312 ann ben irc.example Example
     ann< ~301 ann ben :at lunch
     ann< ~313 ann ben :is an IRC operator
     ann< ~330 ann ben ben :is logged in as
     ann< ~335 ann ben :is a bot on Example
     ann< ~671 ann ben :is using a secure connection
     ann< ~317 ann ben 5 ${STARTED / 1000} :seconds idle, signon time
     ann< ~318 ann ben :End of /WHOIS list`,
  );
});

whois('tells since when somebody has said nothing', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  await on.pass(7000);
  await converse(
    on,
    `ben: PRIVMSG #a :hi
     ann< …
     -- 3500 ms
     ben: PRIVMSG #a :\x01VERSION\x01
     ann< …
     ann: WHOIS ben
     ann< ~311 …
     ann< ~319 …
     ann< ~312 …
     ann< ~317 ann ben 3 ${STARTED / 1000} :seconds idle, signon time
     ann< ~318 …`,
  );
});

whois('of a member of another dialect', async () => {
  const on = openIrc();
  await gather(on, 'ann');
  await addOther(on, 'lil', { dialect: 'lab', host: '192.0.2.9', account: 'Lil' });
  await converse(
    on,
    `ann: WHOIS irc.example lil
     ann< ~311 ann lil lab 192.0.2.9 * lil
     ann< ~319 ann lil #main
     ann< ~312 ann lil irc.example Example
     ann< ~330 ann lil Lil :is logged in as
     ann< ~320 ann lil :speaks lab
     ann< ~318 ann lil :End of /WHOIS list
     ann: WHOIS lil lil
     ann< ~311 …
     ann< ...`,
  );
});

for (const [words, ...answers] of [
  ['', '431 ann :No nickname given'],
  ['no', '401 ann no :No such nick/channel', '318 ann no :End of /WHOIS list'],
  ['other.example ann', '402 ann other.example :No such server'],
] as const) {
  whois(`refused: WHOIS ${words}`, async () => {
    const on = openIrc();
    await gather(on, 'ann');
    await converse(on, [`ann: WHOIS ${words}`, ...answers.map((answer) => `ann< ~${answer}`)].join('\n'));
  });
}

whois('shows rooms only to who may know of them', async () => {
  const on = openIrc();
  await gather(on, 'ben', '#open,#secret,#locked');
  const ben = memberOf(on, 'ben');
  on.house.rule(ben, roomNamed(on, 'secret'), [{ isAdded: true, rule: 'secret' }]);
  on.house.rule(ben, roomNamed(on, 'locked'), [{ isAdded: true, rule: 'key', param: '#x' }]);
  await register(on, 'ann');
  const roomsFor = async (nick: string) =>
    (await on.clients.get(nick)?.say('WHOIS ben'))?.flatMap((line) => / 319 \w+ ben :?(.*)/.exec(line)?.[1] ?? []);
  on.clients.get('ben')?.take();
  assert.equal(await roomsFor('ann'), ['@#open']);
  assert.equal(await roomsFor('ben'), ['@#open @#secret @#locked']);
  await on.clients.get('ann')?.say('JOIN #secret');
  assert.equal(await roomsFor('ann'), ['@#open @#secret']);
  on.clients.get('ben')?.session.setMode('i', true);
  assert.equal(await roomsFor('ann'), ['@#secret']);
  memberOf(on, 'ann').isWarden = true;
  assert.equal(await roomsFor('ann'), ['@#open @#secret @#locked']);
});

whois('lists many rooms in lines that fit, with all ranks for who asks', async () => {
  const on = openIrc();
  const ben = await register(on, 'ben', { caps: 'multi-prefix' });
  for (let n = 0; n < 60; n++) await join(on, ben, `#room-${n}`);
  on.house.rule(memberOf(on, 'ben'), roomNamed(on, 'room-0'), [{ isAdded: true, rule: 'voice', param: ben.person.id }]);
  ben.take();
  const lines = (await ben.say('WHOIS ben')).filter((line) => line.includes(' 319 '));
  assert.ok(lines.length > 1);
  for (const line of lines) assert.ok(line.length < 450);
  const rooms = lines.flatMap((line) => line.replace(/^.* ben :/, '').split(' '));
  assert.equal([rooms.length, rooms[0], rooms[59]], [60, '@+#room-0', '@#room-59']);
});

whois.run();

const whowas = suite('irc WHOWAS');

whowas('tells of those who have gone, the latest first', async () => {
  const on = openIrc();
  await register(on, 'ann');
  for (const realName of ['first', 'second']) {
    const ben = await register(on, 'ben', { realName });
    await on.pass(1000);
    ben.breaks();
    on.clients.delete('ben');
  }
  await gather(on, 'cat');
  await converse(
    on,
    `cat: NICK dan
     cat< :cat!cat@${HOST} NICK dan
     ann: WHOWAS BEN
     ann< ~314 ann ben ben ${HOST} * second
     ann< ~312 ann ben irc.example :Thu, 01 Jan 2026 12:00:02 GMT
     ann< ~314 ann ben ben ${HOST} * first
     ann< ~312 ann ben irc.example :Thu, 01 Jan 2026 12:00:01 GMT
     ann< ~369 ann BEN :End of WHOWAS
     ann: WHOWAS ben 1
     ann< ~314 ann ben ben ${HOST} * second
     ann< ~312 …
     ann< ~369 ann ben :End of WHOWAS
     ann: WHOWAS ben -1
     ann< ~314 …
     ann< ~312 …
     ann< ~314 …
     ann< ~312 …
     ann< ~369 ann ben :End of WHOWAS
     ann: WHOWAS c*,b?n 1
     ann< ~314 ann cat cat ${HOST} * cat
     ann< ~312 …
     ann< ~314 ann ben ben ${HOST} * second
     ann< ~312 …
     ann< ~369 ann c*,b?n :End of WHOWAS
     ann: WHOWAS dan
     ann< ~406 ann dan :There was no such nickname
     ann< ~369 ann dan :End of WHOWAS
     ann: WHOWAS
     ann< ~431 ann :No nickname given`,
  );
});

whowas('of one name no more than 50 are told', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann');
  for (let n = 1; n <= 30; n++) {
    ann.send(`NICK ben${n}\r\nNICK ann\r\n`);
    await rest();
  }
  ann.take();
  for (const words of ['*', '* 60', '* -1']) {
    const told = (await ann.say(`WHOWAS ${words}`)).filter((line) => line.includes(' 314 '));
    assert.is(told.length, 50);
    assert.match(told[0] ?? '', ' 314 ann ben30 ');
  }
});

whowas.run();

const monitor = suite('irc MONITOR');

monitor('tells who comes and goes, under every name', async () => {
  const on = openIrc();
  await gather(on, 'ann ben');
  await converse(
    on,
    `ann: MONITOR + BEN,cat,lil
     ann< ~730 ann ${BEN}
     ann< ~731 ann cat,lil
     ann: MONITOR + ben
     ann< ~730 ann ${BEN}
     ann: MONITOR L
     ann< ~732 ann BEN,cat,lil
     ann< ~733 ann :End of MONITOR list
     ben: NICK cat
     ben< :${BEN} NICK cat
     ann< ~731 ann ben
     ann< ~730 ann cat!ben@${HOST}
     ben: NICK Cat
     ben< :cat!ben@${HOST} NICK Cat
     ann: MONITOR s
     ann< ~730 ann Cat!ben@${HOST}
     ann< ~731 ann BEN,lil`,
  );
  await addOther(on, 'lil', { dialect: 'lab', host: '192.0.2.9' });
  await converse(on, 'ann< ~730 ann lil!lab@192.0.2.9\nben: <broken>\nann< ~731 ann Cat');
});

monitor('whoever comes is told of with user and host', async () => {
  const on = openIrc();
  await gather(on, 'ann');
  await converse(
    on,
    `ann: MONITOR + ben
     ann< ~731 ann ben
     ben: NICK ben
     ben: USER user 0 * :Ben
     ben< ...
     ann< ~730 ann ben!user@${HOST}
     ann: MONITOR - ben,no
     ben: <broken>`,
  );
});

monitor('has room for so many, and none for masks', async () => {
  const on = openIrc();
  const [ann] = await gather(on, 'ann');
  const nicks = Array.from({ length: MAX_MONITORED - 1 }, (_, n) => `x${n}`);
  for (let at = 0; at < nicks.length; at += 40) await ann?.say(`MONITOR + ${nicks.slice(at, at + 40).join(',')}`);
  ann?.take();
  await converse(
    on,
    `ann: MONITOR + *!user@*
     ann< ~432 ann *!user@* :Erroneous nickname
     ann: MONITOR + a,b,x1,c
     ann< ~731 ann a,x1
     ann< ~734 ann ${MAX_MONITORED} b,c :Monitor list is full
     ann: MONITOR C
     ann: MONITOR L
     ann< ~733 ann :End of MONITOR list
     ann: MONITOR + b
     ann< ~731 ann b
     ann: MONITOR
     ann< ~461 ann MONITOR :Not enough parameters
     ann: MONITOR ?`,
  );
  ann?.breaks();
  assert.equal(on.irc.monitors.listOf(ann?.session as never), []);
});

monitor('extended: what becomes of somebody who shares no room', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'extended-monitor away-notify account-notify setname' });
  await register(on, 'ben', { caps: 'sasl' });
  await register(on, 'cat', { caps: 'extended-monitor' });
  await on.accounts.take('bob', 'secret');
  await converse(
    on,
    `ann: MONITOR + ben
     ann< ~730 …
     cat: MONITOR + ben
     cat< ~730 …
     ben: AWAY :x
     ben< ~306 …
     ann< :${BEN} AWAY x
     ben: SETNAME B
     ann< :${BEN} SETNAME B
     ben: AUTHENTICATE PLAIN
     ben< AUTHENTICATE +
     ben: AUTHENTICATE ${btoa('\0bob\0secret')}
     ben< ...
     ann< :${BEN} ACCOUNT bob
     ann: MONITOR C
     ann: JOIN #a
     ann< ...
     ben: JOIN #a
     ann< :${BEN} JOIN #a
     ann< :${BEN} AWAY x
     ben< ...
     ann: MONITOR + ben
     ann< …
     ben: AWAY
     ben< …
     ann< :${BEN} AWAY`,
  );
});

monitor.run();
