import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { allCommands } from '../src/irc-commands.ts';
import { HELP } from '../src/irc-help.ts';
import { escapeToken } from '../src/irc-support.ts';
import { VERSION } from '../src/version.ts';
import { addOther, converse, gather, hush, IrcClient, openIrc, register, SERVER, type TestIrc } from './irc-stage.ts';

/** The tokens of all lines 005 that came. */
function supported(lines: readonly string[]): Map<string, string | undefined> {
  const tokens = lines
    .filter((line) => line.startsWith(`:${SERVER} 005 `))
    .flatMap((line) =>
      line
        .replace(/ :are supported by this server$/, '')
        .split(' ')
        .slice(3),
    );
  return new Map(tokens.map((token) => [token.replace(/=.*/, ''), /=(.*)$/.exec(token)?.[1]]));
}

async function supportOf(on: TestIrc, client: IrcClient): Promise<Map<string, string | undefined>> {
  hush(on);
  return supported(await client.say('VERSION'));
}

// --- the server -------------------------------------------------------------------------------------------------

const queries = suite('irc: questions about the server');

queries('PING has its token back; without one there is no answer to make', async () => {
  const on = openIrc();
  await register(on, 'ann');
  await converse(
    on,
    `ann: PING 12345
     ann< ~PONG irc.example 12345
     ann: PING :two words
     ann< ~PONG irc.example :two words
     ann: PING
     ann< ~461 ann PING :Not enough parameters
     ann: PING :
     ann< ~409 ann :No origin specified
     ann: PONG
     ann: PONG anything
     ann: ERROR :from a client`,
  );
});

queries('VERSION, TIME, INFO, ADMIN, LINKS', async () => {
  const on = openIrc();
  await register(on, 'ann');
  on.clock.now += 90_061_000;
  await converse(
    on,
    `ann: VERSION
     ann< ~351 ann parley-${VERSION} irc.example :…
     ann< ~005 ann …
     ann< ~005 ann …
     ann< ~005 ann …
     ann: TIME
     ann< ~391 ann irc.example :2026-01-02 13:01:01 UTC
     ann: INFO
     ann< ~371 ann :…
     ann< ~371 ann :…2026-01-01 12:00:00 UTC…
     ann< ~374 ann :End of /INFO list
     ann: ADMIN
     ann< ~423 ann irc.example :No administrative info available
     ann: LINKS
     ann< ~364 ann irc.example irc.example :0 Example
     ann< ~365 ann * :End of /LINKS list
     ann: STATS u
     ann< ~242 ann :Server Up 1 days 1:01:01
     ann< ~219 ann u :End of /STATS report
     ann: STATS
     ann< ~219 ann * :End of /STATS report
     ann: STATS c
     ann< ~219 ann c :End of /STATS report`,
  );
});

for (const [command, code] of [
  ['VERSION', '351'],
  ['TIME', '391'],
  ['INFO', '371'],
  ['ADMIN', '423'],
  ['MOTD', '422'],
  ['STATS u', '242'],
  ['LUSERS *', '251'],
] as const) {
  queries(`${command} of this server, by name, mask or nick, and of no other`, async () => {
    const on = openIrc();
    const ann = await register(on, 'ann');
    for (const target of ['irc.example', 'IRC.Example', 'irc.*', '*xamp*', '*', 'ann']) {
      const [first = ''] = await ann.say(`${command} ${target}`);
      assert.ok(first.startsWith(`:${SERVER} ${code} ann `), `${target}: ${first}`);
    }
    for (const target of ['other.example', 'irc.example2', '?', 'ben', '*!*@*x']) {
      assert.equal(await ann.say(`${command} ${target}`), [`:${SERVER} 402 ann ${target} :No such server`]);
    }
  });
}

queries('MOTD, if there is one', async () => {
  const on = openIrc({ motd: ['one', '', 'two words'] });
  await register(on, 'ann');
  await converse(
    on,
    `ann: MOTD
     ann< ~375 ann :- irc.example Message of the day - 
     ann< ~372 ann :- one
     ann< ~372 ann :- 
     ann< ~372 ann :- two words
     ann< ~376 ann :End of /MOTD command`,
  );
  const none = openIrc();
  await register(none, 'ben');
  await converse(none, 'ben: MOTD\nben< ~422 ben :There is no message of the day');
});

queries('LUSERS counts people of all dialects, and those who are nobody yet', async () => {
  const on = openIrc({ opers: ['boss'] });
  await gather(on, 'ann ben', '#a');
  await register(on, 'boss', { password: 'sesame' });
  await addOther(on, 'cat');
  const gone = await register(on, 'dora');
  gone.breaks();
  new IrcClient(on, 'stranger');
  hush(on);
  await converse(
    on,
    `boss: OPER boss sesame
     boss< ...
     ann: MODE ann +i
     ann< ...
     ann: LUSERS
     ann< ~251 ann :There are 3 users and 1 invisible on 1 server(s)
     ann< ~252 ann 1 :operator(s) online
     ann< ~253 ann 1 :unknown connection(s)
     ann< ~254 ann 2 :channel(s) formed
     ann< ~255 ann :I have 4 clients and 0 servers
     ann< ~265 ann 4 5 :Current local users 4, max 5
     ann< ~266 ann 4 5 :Current global users 4, max 5
     stranger: QUIT
     stranger< ...
     boss: QUIT
     boss< ...
     ann: MODE ann -i
     ann< ...
     ann: LUSERS
     ann< ~251 ann :There are 3 users and 0 invisible on 1 server(s)
     ann< ~254 ann 2 :channel(s) formed
     ann< ~255 ann :I have 3 clients and 0 servers
     ann< ~265 ann 3 5 :Current local users 3, max 5
     ann< ~266 ann 3 5 :Current global users 3, max 5`,
  );
});

queries('what is no command', async () => {
  const on = openIrc();
  await register(on, 'ann');
  await converse(
    on,
    `ann: nosuch thing
     ann< ~421 ann NOSUCH :Unknown command`,
  );
});

// --- HELP -------------------------------------------------------------------------------------------------------

const help = suite('irc: HELP');

help('knows every command, and no other', () => {
  assert.equal([...HELP.keys()].sort(), [...allCommands().keys()].sort());
});

help('of one, of all, and of none', async () => {
  const on = openIrc();
  await register(on, 'ann');
  await converse(
    on,
    `ann: HELP ping
     ann< ~704 ann PING :PING token
     ann< ~705 ann PING :Is answered with PONG and the token.
     ann< ~706 ann PING :End of help
     ann: HELPOP PING
     ann< ~704 ann PING :PING token
     ann< ...
     ann: HELP nosuch
     ann< ~524 ann NOSUCH :There is no help on that
     ann: HELP :
     ann< ~704 ann * :…
     ann< ...`,
  );
  const ann = on.clients.get('ann') as IrcClient;
  const lines = await ann.say('HELP');
  assert.match(lines[0] ?? '', `:${SERVER} 704 ann * :`);
  assert.is(lines.at(-1), `:${SERVER} 706 ann * :End of help`);
  const text = lines.map((line) => line.replace(/^\S+ 705 ann \* :?/, '')).join(' ');
  for (const command of allCommands().keys()) assert.ok(text.split(' ').includes(command), command);
});

help('every line of it fits', () => {
  for (const [command, lines] of HELP) {
    assert.ok(lines.length >= 2, command);
    for (const line of lines) assert.ok(line.length > 0 && line.length <= 300, `${command}: ${line}`);
  }
});

// --- QUIT -------------------------------------------------------------------------------------------------------

const quits = suite('irc: QUIT');

quits('whoever is in a room with them hears it once, with the reason', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a,#b');
  await register(on, 'eve');
  await converse(
    on,
    `ann: QUIT :bye all
     ann< ERROR :Quit: bye all
     ann< <close>
     ben< :ann!ann@198.51.100.7 QUIT :Quit: bye all`,
  );
  await register(on, 'ann');
});

quits('without a reason; and nothing is read behind it', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  on.clients.get('ann')?.send('QUIT\r\nPRIVMSG #a :still here?\r\n');
  await converse(
    on,
    `ann< ERROR Quit
     ann< <close>
     ben< :ann!ann@198.51.100.7 QUIT Quit`,
  );
});

quits('a connection that ends, or breaks, is told as such', async () => {
  const on = openIrc();
  await gather(on, 'ann ben cat', '#a');
  await converse(
    on,
    `ann: <half-close>
     ann< ERROR :Connection closed
     ann< <close>
     ben< :ann!ann@198.51.100.7 QUIT :Connection closed
     cat< :ann!ann@198.51.100.7 QUIT :Connection closed
     ben: <broken>
     cat< :ben!ben@198.51.100.7 QUIT :Connection closed`,
  );
});

quits('the server goes down: ERROR to all', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a');
  new IrcClient(on, 'stranger');
  on.irc.close('SIGTERM');
  await converse(
    on,
    `ann< ERROR SIGTERM
     ben< ERROR SIGTERM
     stranger< ERROR SIGTERM`,
  );
});

// --- ISUPPORT ---------------------------------------------------------------------------------------------------

const support = suite('irc: ISUPPORT');

support('says what there is', async () => {
  const on = openIrc({ network: 'Our House' });
  const tokens = await supportOf(on, await register(on, 'ann'));
  assert.equal(Object.fromEntries(tokens), {
    AWAYLEN: '390',
    BOT: 'B',
    CASEMAPPING: 'ascii',
    CHANLIMIT: '#:100',
    CHANMODES: 'Ibe,k,l,imnst',
    CHANNELLEN: '65',
    CHANTYPES: '#',
    CHATHISTORY: '100',
    ELIST: 'CMNTU',
    EXCEPTS: 'e',
    INVEX: 'I',
    KEYLEN: '64',
    KICKLEN: '390',
    MAXLIST: 'I:100,b:100,e:100',
    MODES: '13',
    MONITOR: '100',
    MSGREFTYPES: 'msgid,timestamp',
    NAMELEN: '160',
    NETWORK: 'Our\\x20House',
    NICKLEN: '64',
    PREFIX: '(ov)@+',
    STATUSMSG: '@+',
    TARGMAX: 'JOIN:,KICK:10,LIST:,NAMES:10,NOTICE:4,PART:,PRIVMSG:4,TAGMSG:4,USERHOST:5,WHOIS:1,WHOWAS:4',
    TOPICLEN: '390',
    USERLEN: '16',
    UTF8ONLY: undefined,
    WHOX: undefined,
  });
});

support('is in lines of at most 13, before the message of the day', async () => {
  const on = openIrc();
  const ann = new IrcClient(on, 'ann');
  const lines = await ann.say('NICK ann', 'USER ann 0 * :Ann');
  const those = lines.filter((line) => line.includes(' 005 '));
  assert.ok(those.length >= 2);
  for (const line of those) {
    assert.ok(line.endsWith(' :are supported by this server'));
    assert.ok(line.length <= 510 && line.split(' ').length <= 3 + 13 + 5);
  }
  const codes = lines.map((line) => line.split(' ')[1]);
  assert.ok(codes.lastIndexOf('005') < codes.indexOf('251'));
});

support('lengths are as long as it says', async () => {
  const on = openIrc();
  const ann = await register(on, 'ann');
  const nick = 'n'.repeat(64);
  assert.equal(await ann.say(`NICK ${nick}`), [`:ann!ann@198.51.100.7 NICK ${nick}`]);
  assert.match((await ann.say(`NICK ${nick}x`)).join(), / 432 /);
  const channel = `#${'c'.repeat(64)}`;
  assert.match((await ann.say(`JOIN ${channel}`)).join(), `JOIN ${channel}`);
  assert.match((await ann.say(`JOIN ${channel}x`)).join(), / (?:403|476|479) /);
  const ben = await register(on, 'ben');
  await ben.say('JOIN #b');
  assert.equal(await ben.say(`TOPIC #b :${'t'.repeat(400)}`), [`:ben!ben@198.51.100.7 TOPIC #b ${'t'.repeat(390)}`]);
  assert.equal(await ben.say(`AWAY :${'a'.repeat(400)}`), [`:${SERVER} 306 ben :You have been marked as being away`]);
  assert.is(ben.session.away, 'a'.repeat(390));
});

support('FILEHOST is where this connection may bring files', async () => {
  const fileHost = ({ isEncrypted = false }) => (isEncrypted ? 'https://chat.example/a=b' : undefined);
  const on = openIrc({ fileHost });
  const ann = await register(on, 'ann');
  assert.not((await supportOf(on, ann)).has('soju.im/FILEHOST'));
  const ben = await register(on, 'ben', { isEncrypted: true });
  assert.is((await supportOf(on, ben)).get('soju.im/FILEHOST'), 'https://chat.example/a\\x3Db');
});

support('values have no blanks', () => {
  assert.is(escapeToken('a b=c\\d'), 'a\\x20b\\x3Dc\\x5Cd');
  assert.is(escapeToken('plain-Ö:/?&'), 'plain-Ö:/?&');
});

for (const tests of [queries, help, quits, support]) tests.run();
