import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addOther,
  converse,
  gather,
  HOST,
  IrcClient,
  makeAccount,
  openIrc,
  register,
  rest,
  SERVER,
} from './irc-stage.ts';
import { randomFrom } from './random.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const plain = (name: string, password: string, as = '') => base64(`${as}\0${name}\0${password}`);

/** The numerics and verbs that came, in order, each once. */
function codesOf(lines: readonly string[]): string[] {
  const codes = lines.map(
    (line) => line.replace(/^@\S+ /, '').split(' ')[line.includes(`:${SERVER} `) ? 1 : 0] as string,
  );
  return [...new Set(codes)];
}

// --- coming in --------------------------------------------------------------------------------------------------

const coming = suite('irc: coming in');

coming('001 to 005, how many there are, and the message of the day', async () => {
  const on = openIrc({ motd: ['Be kind.', '', 'Ask for help with HELP.'] });
  await converse(
    on,
    `ann: NICK ann
     ann: USER ann 0 * :Ann Example
     ann< ~001 ann :Welcome to the Example network, ann!ann@198.51.100.7
     ann< ~002 ann :Your host is irc.example, running version parley-…
     ann< ~003 ann :This server was started 2026-01-01 12:00:00 UTC
     ann< ~004 ann irc.example parley-… Biow Ibeiklmnostv Ibeklov
     ann< ~005 ann …:are supported by this server
     ann< ~005 ann …:are supported by this server
     ann< ~005 ann …:are supported by this server
     ann< ~251 ann :There are 1 users and 0 invisible on 1 server(s)
     ann< ~255 ann :I have 1 clients and 0 servers
     ann< ~265 ann 1 1 :Current local users 1, max 1
     ann< ~266 ann 1 1 :Current global users 1, max 1
     ann< ~375 ann :- irc.example Message of the day - 
     ann< ~372 ann :- Be kind.
     ann< ~372 ann :- 
     ann< ~372 ann :- Ask for help with HELP.
     ann< ~376 ann :End of /MOTD command`,
  );
});

coming('nobody is called like the server', async () => {
  const on = openIrc({ serverName: 'parley' });
  const ann = new IrcClient(on, 'ann');
  assert.equal(await ann.say('NICK Parley', 'USER ann 0 * :Ann'), [':parley 433 * Parley :The name Parley is taken']);
  assert.ok((await ann.say('NICK ann')).some((line) => line.startsWith(':parley 001 ann ')));
  assert.equal(await ann.say('NICK parley'), [':parley 433 ann parley :The name parley is taken']);
});

coming('a real name is cut between characters', async () => {
  const on = openIrc();
  await converse(
    on,
    `ann: NICK ann
     ann: USER ann 0 * :x${'🙂'.repeat(100)}
     ann< ...
     ann: WHOIS ann
     ann< ~311 ann ann ann ${HOST} * x${'🙂'.repeat(79)}
     ann< ...`,
  );
});

coming('USER before NICK, any case, any end of line, and what is before the command does not matter', async () => {
  const on = openIrc();
  const ann = new IrcClient(on, 'ann');
  ann.send('\r\n\n  user ann 0 * :Ann\n:who@ever nick ann\r');
  await rest();
  assert.ok(ann.take().some((line) => line.startsWith(`:${SERVER} 001 ann `)));
});

for (const [name, line, answer] of [
  ['NICK without one', 'NICK', '431 * :No nickname given'],
  ['NICK of nothing', 'NICK :', '431 * :No nickname given'],
  ['a nick with a blank', 'NICK :an n', '432 * an_n :Erroneous nickname'],
  ['a nick that is a number', 'NICK 1ann', '432 * 1ann :Erroneous nickname'],
  ['a nick that looks like a channel', 'NICK #ann', '432 * #ann :Erroneous nickname'],
  ['a nick with a mark of a mask', 'NICK an*n', '432 * an*n :Erroneous nickname'],
  ['a nick like a server', 'NICK irc.example', '432 * irc.example :Erroneous nickname'],
  ['a nick of 65 characters', `NICK ${'n'.repeat(65)}`, `432 * ${'n'.repeat(65)} :Erroneous nickname`],
  ['USER with too little', 'USER ann 0 *', '461 * USER :Not enough parameters'],
  ['USER without a real name', 'USER ann 0 * :', '461 * USER :Not enough parameters'],
  ['PASS without one', 'PASS', '461 * PASS :Not enough parameters'],
  ['PRIVMSG', 'PRIVMSG bob :hi', '451 * :You have not registered'],
  ['JOIN', 'JOIN #a', '451 * :You have not registered'],
  ['what is no command', 'HELLO', '451 * :You have not registered'],
] as const) {
  coming(`${name}: ${answer.slice(0, 3)}`, async () => {
    const on = openIrc();
    await converse(on, `ann: ${line}\nann< ~${answer}`);
  });
}

coming('one is asked for a token, and leaves, before one is somebody', async () => {
  const on = openIrc();
  await converse(
    on,
    `ann: PING 123
     ann< ~PONG irc.example 123
     ann: QUIT
     ann< ERROR Quit
     ann< <close>`,
  );
  assert.is(on.house.people, 0);
});

coming('a nick that somebody wears is refused, in any case, and another one may be tried', async () => {
  const on = openIrc();
  await register(on, 'Ann');
  await converse(
    on,
    `two: NICK ann
     two: USER two 0 * :Two
     two< ~433 * ann :…
     two: NICK ben
     two< ~001 ben …
     two< ...`,
  );
});

coming('of two who want a nick it is the first to be somebody that has it', async () => {
  const on = openIrc();
  await converse(
    on,
    `one: NICK ann
     two: NICK ann
     two: USER two 0 * :Two
     two< ~001 ann …
     two< ...
     one: USER one 0 * :One
     one< ~433 * ann :…`,
  );
});

coming("a member of another dialect's name is taken, too", async () => {
  const on = openIrc();
  await addOther(on, 'ben');
  await converse(
    on,
    `two: NICK BEN
     two: USER two 0 * :Two
     two< ~433 * BEN :…`,
  );
});

coming('PASS and USER come once', async () => {
  const on = openIrc();
  await register(on, 'ann');
  await converse(
    on,
    `ann: USER other 0 * :Other
     ann< ~462 ann :You may not reregister
     ann: PASS secret
     ann< ~462 ann :You may not reregister`,
  );
});

coming('what can not stand in a prefix is left out of the user name', async () => {
  const on = openIrc();
  await register(on, 'ann', { user: 'a!n@n:' });
  await register(on, 'ben', { user: '!!' });
  await register(on, 'cat', { user: 'c'.repeat(40) });
  const users = ['ann', 'ben', 'cat'].map((nick) => on.clients.get(nick)?.session.prefix);
  assert.equal(users, ['ann!ann@198.51.100.7', 'ben!user@198.51.100.7', `cat!${'c'.repeat(16)}@198.51.100.7`]);
});

coming('who comes by IPv6 has a host that does not begin with a colon', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann', { ip: '::1' });
  assert.is(ann.session.prefix, 'ann!ann@0::1');
});

coming('who is nobody after a minute is shown out', async () => {
  const on = openIrc();
  const ann = new IrcClient(on, 'ann');
  await ann.say('NICK ann');
  await on.pass(59_999);
  assert.equal(ann.take(), []);
  await on.pass(1);
  assert.equal(ann.take(), ['ERROR :Registration timed out']);
  assert.ok(ann.port.ended);
});

coming('who is silent is asked, and goes when nothing comes', async () => {
  const on = openIrc();
  const [ann, ben] = (await gather(on, 'ann ben', '#a')) as [IrcClient, IrcClient];
  await on.pass(110_000);
  await ben.say('PING x');
  await on.pass(10_000);
  assert.equal(ann.take(), [`PING ${SERVER}`]);
  await ann.say(`PONG ${SERVER}`);
  await on.pass(120_000);
  assert.equal(ann.take(), [`PING ${SERVER}`]);
  await ben.say('PING x');
  await on.pass(60_000);
  assert.equal(ann.take(), ['ERROR :Ping timeout: 180 seconds']);
  assert.ok(ann.port.ended);
  assert.equal(
    ben.take().filter((line) => line.includes('QUIT')),
    [':ann!ann@198.51.100.7 QUIT :Ping timeout: 180 seconds'],
  );
});

coming('a connection that breaks while the house is asked leaves nobody behind', async () => {
  const on = openIrc();
  await makeAccount(on, 'ann', 'secret');
  const ann = new IrcClient(on, 'ann');
  ann.send('PASS secret\r\nNICK ann\r\nUSER ann 0 * :Ann\r\n');
  ann.breaks();
  await rest();
  assert.is(on.house.people, 0);
  assert.equal([...on.irc.sessions], []);
});

// --- NICK -------------------------------------------------------------------------------------------------------

const nicks = suite('irc: NICK');

nicks('whoever is in a room with them hears it once, they themselves too', async () => {
  const on = openIrc();
  await gather(on, 'ann ben cat', '#a,#b');
  await register(on, 'eve');
  await converse(
    on,
    `ann: NICK dora
     ann< :ann!ann@198.51.100.7 NICK dora
     ben< :ann!ann@198.51.100.7 NICK dora
     cat< :ann!ann@198.51.100.7 NICK dora
     ann: PRIVMSG #a :it is me
     ben< :dora!ann@198.51.100.7 PRIVMSG #a :it is me
     cat< :dora!ann@198.51.100.7 PRIVMSG #a :it is me`,
  );
});

nicks('the same one is no change, the same in other letters is', async () => {
  const on = openIrc();
  await register(on, 'ann');
  await converse(
    on,
    `ann: NICK ann
     ann: NICK ANN
     ann< :ann!ann@198.51.100.7 NICK ANN`,
  );
});

nicks('a taken one, a registered one, and what is none are refused', async () => {
  const on = openIrc();
  await register(on, 'ann');
  await register(on, 'ben');
  await makeAccount(on, 'cat', 'secret');
  await converse(
    on,
    `ann: NICK BEN
     ann< ~433 ann BEN :…
     ann: NICK cat
     ann< ~433 ann cat :…
     ann: NICK *
     ann< ~432 ann * :Erroneous nickname
     ann: NICK
     ann< ~431 ann :No nickname given`,
  );
});

nicks('the old one is free for others', async () => {
  const on = openIrc();
  await register(on, 'ann');
  await converse(
    on,
    `ann: NICK dora
     ann< :ann!ann@198.51.100.7 NICK dora`,
  );
  await register(on, 'ann2');
  await converse(
    on,
    `ann2: NICK ann
     ann2< :ann2!ann2@198.51.100.7 NICK ann`,
  );
});

nicks('a nick and the name of another dialect are one', async () => {
  const on = openIrc();
  await register(on, 'ann');
  const ben = await addOther(on, 'ben', { rooms: 'a' });
  await converse(
    on,
    `ann: JOIN #a
     ann< ...
     ann: NICK zoë
     ann< :ann!ann@198.51.100.7 NICK zoë`,
  );
  assert.ok(ben.tongue.take().includes('a ann is zoë'));
});

// --- capabilities -----------------------------------------------------------------------------------------------

const caps = suite('irc: CAP');
const ALL =
  'account-notify account-tag away-notify batch cap-notify chghost draft/account-registration draft/chathistory ' +
  'draft/read-marker echo-message extended-join extended-monitor invite-notify labeled-response message-tags ' +
  'multi-prefix sasl server-time setname standard-replies userhost-in-names';

caps('LS 302 has values, 301 has none, and nobody is in until END', async () => {
  const on = openIrc();
  const ann = new IrcClient(on, 'ann');
  const [line = '', ...more] = await ann.say('CAP LS 302', 'NICK ann', 'USER ann 0 * :Ann');
  assert.equal(more, []);
  const [, text = ''] = line.split(`:${SERVER} CAP * LS :`);
  const all = text.split(' ');
  assert.equal(all.map((name) => name.replace(/=.*/, '')).sort(), ALL.split(' '));
  assert.ok(all.includes('sasl=PLAIN'));
  assert.ok(codesOf(await ann.say('CAP END')).includes('001'));
  const ben = new IrcClient(on, 'ben');
  assert.equal(await ben.say('CAP LS'), [`:${SERVER} CAP * LS :${ALL}`]);
});

caps('REQ is all or nothing; LIST says what is on', async () => {
  const on = openIrc();
  await converse(
    on,
    `ann: CAP REQ :server-time batch
     ann< @time=2026-01-01T12:00:00.000Z ~CAP * ACK :server-time batch
     ann: CAP REQ :echo-message no/such
     ann< @time=2026-01-01T12:00:00.000Z ~CAP * NAK :echo-message no/such
     ann: CAP LIST
     ann< @time=2026-01-01T12:00:00.000Z ~CAP * LIST :server-time batch
     ann: CAP REQ :-batch setname
     ann< @time=2026-01-01T12:00:00.000Z ~CAP * ACK :-batch setname
     ann: CAP LIST
     ann< @time=2026-01-01T12:00:00.000Z ~CAP * LIST :server-time setname
     ann: CAP REQ :-server-time -setname
     ann< ~CAP * ACK :-server-time -setname
     ann: CAP LIST
     ann< ~CAP * LIST :`,
  );
});

caps('cap-notify comes with version 302 and stays; who has asked for it may do without it', async () => {
  const on = openIrc();
  await converse(
    on,
    `ann: CAP LS 302
     ann< ~CAP * LS :…sasl=PLAIN…
     ann: CAP REQ :-cap-notify
     ann< ~CAP * NAK -cap-notify
     ann: CAP REQ :setname -cap-notify
     ann< ~CAP * NAK :setname -cap-notify
     ann: CAP REQ cap-notify
     ann< ~CAP * ACK cap-notify
     ann: CAP LIST
     ann< ~CAP * LIST cap-notify
     ben: CAP LS
     ben< ~CAP * LS :…
     ben: CAP REQ :cap-notify
     ben< ~CAP * ACK cap-notify
     ben: CAP REQ :-cap-notify
     ben< ~CAP * ACK -cap-notify
     ben: CAP LIST
     ben< ~CAP * LIST :`,
  );
});

caps('who knows version 302 knows it as long as the connection lasts', async () => {
  const on = openIrc();
  const ann = new IrcClient(on, 'ann');
  const [all] = await ann.say('CAP LS 302');
  for (const again of ['CAP LS', 'CAP LS 301', 'CAP LS 303']) assert.equal(await ann.say(again), [all]);
});

caps('what is no subcommand: 410; CAP alone: 461', async () => {
  const on = openIrc();
  await converse(
    on,
    `ann: CAP WAIT
     ann< ~410 * WAIT :Invalid CAP command
     ann: CAP
     ann< ~461 * CAP :Not enough parameters`,
  );
});

caps('REQ alone holds up the beginning, and END that was never begun does nothing', async () => {
  const on = openIrc();
  await converse(
    on,
    `ann: CAP REQ :multi-prefix
     ann< ~CAP * ACK multi-prefix
     ann: NICK ann
     ann: USER ann 0 * :Ann
     ann: CAP END
     ann< ~001 ann …
     ann< ...
     ann: CAP END
     ben: CAP END
     ben: NICK ben
     ben: USER ben 0 * :Ben
     ben< ~001 ben …
     ben< ...`,
  );
});

caps('may be changed later, with the nick before the answer', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  await converse(
    on,
    `ann: CAP REQ server-time
     ann< @time=2026-01-01T12:00:00.000Z ~CAP ann ACK server-time
     ben: PRIVMSG #a :one
     ann< @time=2026-01-01T12:00:00.000Z :ben!ben@198.51.100.7 PRIVMSG #a one
     ann: CAP REQ -server-time
     ann< ~CAP ann ACK -server-time
     ben: PRIVMSG #a :two
     ann< :ben!ben@198.51.100.7 PRIVMSG #a two
     ann: CAP LS 302
     ann< ~CAP ann LS :…`,
  );
});

caps('a list that is too long for a line says that more comes', async () => {
  const on = openIrc({ sts: `port=6697,duration=${'9'.repeat(200)}` });
  const ann = new IrcClient(on, 'ann');
  const lines = await ann.say('CAP LS 302');
  assert.is(lines.length, 2);
  assert.ok(lines[0]?.startsWith(`:${SERVER} CAP * LS * :`));
  assert.ok(lines[1]?.startsWith(`:${SERVER} CAP * LS sts=`));
  assert.ok(lines.every((line) => line.length <= 510));
});

caps('sts is told to those who read its value, and is not to be asked for', async () => {
  const on = openIrc({ sts: 'port=6697,duration=2592000' });
  const ann = new IrcClient(on, 'ann');
  assert.match((await ann.say('CAP LS 302')).join(), / sts=port=6697,duration=2592000(?: |$)/);
  assert.not.match((await new IrcClient(on, 'ben').say('CAP LS')).join(), /\bsts\b/);
  assert.equal(await ann.say('CAP REQ sts'), [`:${SERVER} CAP * NAK sts`]);
});

// --- labels -----------------------------------------------------------------------------------------------------

const labels = suite('irc: labels');
const LABELED = { caps: 'labeled-response batch message-tags echo-message' };

labels('one line has it, several are a batch, none is an ACK', async () => {
  const on = openIrc();
  await register(on, 'ann', LABELED);
  await converse(
    on,
    `ann: @label=x1 PING abc
     ann< @label=x1 ~PONG irc.example abc
     ann: @label=x2 PONG abc
     ann< @label=x2 ~ACK
     ann: @label=x3 ADMIN nowhere.example
     ann< @label=x3 ~402 ann nowhere.example :No such server
     ann: @label=x4 STATS u
     ann< @label=x4 ~BATCH +1 labeled-response
     ann< @batch=1 ~242 ann :Server Up 0 days 0:00:00
     ann< @batch=1 ~219 ann u :End of /STATS report
     ann< ~BATCH -1`,
  );
});

labels('faults of a line, and the end, have it as well', async () => {
  const on = openIrc();
  await register(on, 'ann', LABELED);
  await converse(
    on,
    `ann: @label=y1 NOSUCH
     ann< @label=y1 ~421 ann NOSUCH :Unknown command
     ann: @label=y2 PRIVMSG #a :${'x'.repeat(600)}
     ann< @label=y2 ~417 ann :Input line was too long
     ann: @label=y3 QUIT :bye
     ann< @label=y3 ERROR :Quit: bye
     ann< <close>`,
  );
});

labels('without the capability a label is nothing', async () => {
  const on = openIrc();
  await register(on, 'ann');
  await converse(
    on,
    `ann: @label=x1 PING abc
     ann< ~PONG irc.example abc`,
  );
});

// --- accounts ---------------------------------------------------------------------------------------------------

const accounts = suite('irc: accounts');

accounts('SASL PLAIN before one is somebody: the registered nick may be worn', async () => {
  const on = openIrc();
  await makeAccount(on, 'Ann', 'sesame');
  await converse(
    on,
    `ann: CAP LS 302
     ann< ...
     ann: CAP REQ sasl
     ann< ~CAP * ACK sasl
     ann: NICK ann
     ann: USER ann 0 * :Ann
     ann: AUTHENTICATE PLAIN
     ann< AUTHENTICATE +
     ann: AUTHENTICATE ${plain('ann', 'sesame')}
     ann< ~900 ann ann!ann@198.51.100.7 Ann :You are now logged in as Ann
     ann< ~903 ann :SASL authentication successful
     ann: CAP END
     ann< ~001 ann …
     ann< ...`,
  );
  assert.is(on.clients.get('ann')?.person.account, 'Ann');
});

for (const [name, said] of [
  ['a wrong password', plain('ann', 'sesam')],
  ['a name that nobody has', plain('eve', 'sesame')],
  ['somebody else in whose name one would act', plain('ann', 'sesame', 'ben')],
  ['too few parts', base64('ann\0sesame')],
  ['too many parts', base64('\0ann\0sesame\0more')],
  ['what is no base64', '%%%'],
  ['what is almost base64', 'AGFu='],
  ['a length that none has', 'AGFuA'],
  ['nothing', '+'],
  ['no UTF-8', Buffer.from([0, 255, 0, 255]).toString('base64')],
] as const) {
  accounts(`SASL with ${name} fails, and may be tried again`, async () => {
    const on = openIrc();
    await makeAccount(on, 'ann', 'sesame');
    await converse(
      on,
      `x: CAP REQ sasl
       x< ...
       x: AUTHENTICATE PLAIN
       x< AUTHENTICATE +
       x: AUTHENTICATE ${said}
       x< ~904 * :SASL authentication failed…
       x: AUTHENTICATE PLAIN
       x< AUTHENTICATE +
       x: AUTHENTICATE ${plain('ann', 'sesame', 'ann')}
       x< ~900 * *!*@198.51.100.7 ann :You are now logged in as ann
       x< ~903 * :SASL authentication successful`,
    );
  });
}

accounts('SASL: other mechanisms, giving up, twice, and without the capability', async () => {
  const on = openIrc();
  await makeAccount(on, 'ann', 'sesame');
  await converse(
    on,
    `x: AUTHENTICATE PLAIN
     x< ~904 * :…
     x: CAP REQ sasl
     x< ...
     x: AUTHENTICATE EXTERNAL
     x< ~908 * PLAIN :are available SASL mechanisms
     x< ~904 * :SASL authentication failed
     x: AUTHENTICATE PLAIN
     x< AUTHENTICATE +
     x: AUTHENTICATE *
     x< ~906 * :SASL authentication aborted
     x: AUTHENTICATE plain
     x< AUTHENTICATE +
     x: AUTHENTICATE ${plain('ann', 'sesame')}
     x< ~900 …
     x< ~903 …
     x: AUTHENTICATE PLAIN
     x< ~907 * :You have already authenticated using SASL
     x: AUTHENTICATE
     x< ~461 * AUTHENTICATE :Not enough parameters`,
  );
});

accounts('SASL in pieces of 400; too much of it is refused', async () => {
  const on = openIrc();
  const long = 'p'.repeat(900);
  const exact = 'q'.repeat(300 - 5);
  await makeAccount(on, 'ann', long);
  await makeAccount(on, 'ben', exact);
  const pieces = plain('ann', long).match(/.{1,400}/g) as string[];
  assert.is(plain('ben', exact).length, 400);
  await converse(
    on,
    `ann: CAP REQ sasl
     ann< ...
     ann: AUTHENTICATE PLAIN
     ann< AUTHENTICATE +
     ${pieces.map((piece) => `ann: AUTHENTICATE ${piece}`).join('\n')}
     ann< ~900 …
     ann< ~903 …
     ben: CAP REQ sasl
     ben< ...
     ben: AUTHENTICATE PLAIN
     ben< AUTHENTICATE +
     ben: AUTHENTICATE ${plain('ben', exact)}
     ben: AUTHENTICATE +
     ben< ~900 …
     ben< ~903 …
     eve: CAP REQ sasl
     eve< ...
     eve: AUTHENTICATE PLAIN
     eve< AUTHENTICATE +
     eve: AUTHENTICATE ${'A'.repeat(401)}
     eve< ~905 * :SASL message too long`,
  );
});

accounts('CAP END in the midst of SASL gives it up', async () => {
  const on = openIrc();
  await converse(
    on,
    `ann: CAP REQ sasl
     ann< ...
     ann: NICK ann
     ann: USER ann 0 * :Ann
     ann: AUTHENTICATE PLAIN
     ann< AUTHENTICATE +
     ann: CAP END
     ann< ~906 ann :SASL authentication aborted
     ann< ~001 ann …
     ann< ...`,
  );
});

accounts('SASL later: others are told of the account', async () => {
  const on = openIrc();
  await makeAccount(on, 'boss', 'sesame');
  await register(on, 'ann', { caps: 'sasl account-notify account-tag' });
  await register(on, 'ben', { caps: 'account-notify account-tag' });
  await register(on, 'cat');
  await converse(
    on,
    `ann: JOIN #a
     ann< ...
     ben: JOIN #a
     ben< ...
     ann< ...
     cat: JOIN #a
     cat< ...
     ann< ...
     ben< ...
     ann: AUTHENTICATE PLAIN
     ann< AUTHENTICATE +
     ann: AUTHENTICATE ${plain('boss', 'sesame')}
     ann< ~900 ann ann!ann@198.51.100.7 boss :You are now logged in as boss
     ann< ~903 ann :SASL authentication successful
     ben< @account=boss :ann!ann@198.51.100.7 ACCOUNT boss
     ann: PRIVMSG #a :hi
     ben< @account=boss :ann!ann@198.51.100.7 PRIVMSG #a hi
     cat< :ann!ann@198.51.100.7 PRIVMSG #a hi`,
  );
});

accounts('PASS is the password of the account of that name', async () => {
  const on = openIrc();
  await makeAccount(on, 'ann', 'se:same');
  await makeAccount(on, 'boss', 'other');
  await converse(
    on,
    `one: PASS boss:other
     one: NICK ben
     one: USER ben 0 * :Ben
     one< ~900 ben ben!ben@198.51.100.7 boss :You are now logged in as boss
     one< ~001 ben …
     one< ...
     two: PASS wrong
     two: NICK ann
     two: USER ann 0 * :Ann
     two< ~464 ann :…
     two< ~433 * ann :…`,
  );
});

accounts('a nick that has an account is for who knows its password', async () => {
  const on = openIrc();
  await makeAccount(on, 'ann', 'sesame');
  await converse(
    on,
    `x: NICK ann
     x: USER x 0 * :X
     x< ~433 * ann :…
     x: NICK ben
     x< ~001 ben …
     x< ...
     x: NICK ann
     x< ~433 ben ann :…`,
  );
  await register(on, 'ann', { password: 'sesame' });
});

accounts('who sits on the nick stays there; another connection of the account has another one', async () => {
  const on = openIrc();
  await register(on, 'ann', { password: 'sesame' });
  await converse(
    on,
    `two: PASS ann:sesame
     two: NICK ann
     two: USER two 0 * :Two
     two< ~900 ann ann!two@198.51.100.7 ann :You are now logged in as ann
     two< ~433 * ann :…
     two: NICK ann2
     two< ~001 ann2 …
     two< ...`,
  );
  assert.is(on.clients.get('two')?.person.account, 'ann');
});

// --- REGISTER ---------------------------------------------------------------------------------------------------

accounts('REGISTER makes an account, and one is logged in to it', async () => {
  const on = openIrc();
  await converse(
    on,
    `ann: CAP LS 302
     ann< ...
     ann: CAP REQ :draft/account-registration sasl
     ann< ...
     ann: NICK ann
     ann: REGISTER * * sesame
     ann< ~REGISTER SUCCESS ann :…
     ann< ~900 ann ann!*@198.51.100.7 ann :You are now logged in as ann
     ann: USER ann 0 * :Ann
     ann: CAP END
     ann< ~001 ann …
     ann< ...
     ann: REGISTER other * sesame
     ann< ~FAIL REGISTER ALREADY_AUTHENTICATED other :…
     x: REGISTER * * sesame
     x< ~FAIL REGISTER NEED_NICK * :…
     x: REGISTER ann * other
     x< ~FAIL REGISTER ACCOUNT_EXISTS ann :…
     x: REGISTER guest-1 * sesame
     x< ~FAIL REGISTER BAD_ACCOUNT_NAME guest-1 :…
     x: REGISTER new * :
     x< ~FAIL REGISTER UNACCEPTABLE_PASSWORD new :…
     x: REGISTER new *
     x< ~461 * REGISTER :Not enough parameters`,
  );
});

accounts('REGISTER of who is in: rooms are told of the account, and the nick is kept for them', async () => {
  const on = openIrc();
  const [ann] = (await gather(on, 'ann ben', '#a', { caps: 'account-notify' })) as [IrcClient, IrcClient];
  await converse(
    on,
    `ann: REGISTER ann a@b.example sesame
     ann< ~REGISTER SUCCESS ann :…
     ann< ~900 ann ann!ann@198.51.100.7 ann :You are now logged in as ann
     ben< :ann!ann@198.51.100.7 ACCOUNT ann`,
  );
  ann.breaks();
  await register(on, 'x');
  await converse(
    on,
    `ben< ...
     x: NICK ann
     x< ~433 x ann :…`,
  );
});

accounts('REGISTER *: what is refused names the account that it would have been', async () => {
  const on = openIrc();
  await makeAccount(on, 'ann', 'sesame');
  await converse(
    on,
    `x: NICK ann
     x: REGISTER * * sesame
     x< ~FAIL REGISTER ACCOUNT_EXISTS ann :…`,
  );
});

accounts('VERIFY: there is nothing to verify', async () => {
  const on = openIrc();
  await register(on, 'ann', { password: 'sesame' });
  await converse(
    on,
    `ann: VERIFY ann 123
     ann< ~FAIL VERIFY ALREADY_AUTHENTICATED ann :…
     x: VERIFY ann 123
     x< ~FAIL VERIFY INVALID_CODE ann :…
     x: VERIFY ann
     x< ~461 * VERIFY :Not enough parameters`,
  );
});

accounts('REGISTER of a name that somebody else wears is refused', async () => {
  const on = openIrc();
  await gather(on, 'ann ben');
  await converse(
    on,
    `ben: REGISTER ann * sesame
     ben< ~FAIL REGISTER ACCOUNT_EXISTS ann :…`,
  );
});

// --- whatever comes ---------------------------------------------------------------------------------------------

const anything = suite('irc: whatever comes');
const WORDS = [
  ...['CAP', 'LS', '302', 'REQ', ':sasl', 'END', 'LIST', 'NICK', 'USER', 'PASS', 'AUTHENTICATE', 'PLAIN', '*', '+'],
  ...[
    'REGISTER',
    'QUIT',
    'PING',
    ':',
    'ann',
    'ben',
    '0',
    '#a',
    'AGFubgBh',
    'AGFubgBhYmM=',
    '@label=1',
    'ERROR',
    'HELP',
  ],
];

anything('at the beginning is answered, and is no bug', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const random = randomFrom(seed);
      const on = openIrc();
      await makeAccount(on, 'ben', 'abc');
      const client = new IrcClient(on);
      for (let line = 0; line < 12 && !client.port.ended; line++) {
        const words = Array.from({ length: 1 + Math.floor(random(5)) }, () => WORDS[Math.floor(random(WORDS.length))]);
        client.send(`${words.join(' ')}\r\n`);
        await rest();
      }
      assert.ok(client.take().every((line) => line.length > 0));
      assert.equal(client.port.bugs, []);
      assert.equal(on.bugs, []);
    }),
    { numRuns: 60 },
  );
});

for (const tests of [coming, nicks, caps, labels, accounts, anything]) tests.run();
