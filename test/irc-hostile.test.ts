// Whatever clients send, with or without sense: no bug of the server's, lines that IRC allows, nobody else harmed.

import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_LINE_BYTES } from '../src/wire-irc.ts';
import { bytesOf } from './decoders.ts';
import { addOther, gather, type IrcClient, openIrc, rest } from './irc-stage.ts';

const COMMANDS = (
  'PRIVMSG NOTICE TAGMSG CHATHISTORY MARKREAD WHO WHOIS WHOWAS AWAY ISON USERHOST MONITOR SETNAME JOIN PART TOPIC NAMES ' +
  'LIST KICK INVITE MODE OPER KILL WALLOPS NICK CAP PING PONG MOTD LUSERS VERSION TIME INFO HELP ADMIN STATS REGISTER ' +
  'AUTHENTICATE USER PASS WHAT'
).split(' ');
const WORDS = (
  '#a #b #main #no @#a +#a ann ben cat lil lil_m * 0 1 -1 100 99999999999 %tcuihsnfdlaor,1 o LATEST BEFORE AFTER AROUND ' +
  'BETWEEN TARGETS msgid=p1 msgid=p0 msgid=pzzzzzzzzzz msgid=w1-1 timestamp=2026-01-01T12:00:00.000Z ' +
  'timestamp=9999-12-31T23:59:59.999Z timestamp=0000-01-01T00:00:00Z + - C L S +ov-b +k +l +b -o *!*@* ann,ben,#a,,no ' +
  'é 🙂 \u0001VERSION\u0001 \u0001ACTION \u0001 a!b@c irc.example LS REQ END LIST'
).split(' ');

/** What makes sense, so that there is something to be upset. */
const SENSE = [
  'PRIVMSG #a :hello',
  '@+x=y PRIVMSG ben,#b :/me \u0001waves',
  'NOTICE @#a :\u0001ACTION waves\u0001',
  '@+typing=active TAGMSG #a,ann',
  'PRIVMSG cat :\u0001DCC CHAT chat 1 2\u0001',
  'JOIN #a,#b,#c key',
  'JOIN 0',
  'PART #a,#b :bye',
  'KICK #a ben,cat :out',
  'INVITE ben #b',
  'TOPIC #a :about',
  'TOPIC #b :',
  'MODE #a +ovb-k ben cat *!*@192.0.2.* x',
  'MODE #b +mistklI 3 key cat',
  'MODE #a -ntl+e ben',
  'MODE ann +iBw',
  'MODE cat -i+B',
  'OPER ann secret',
  'KILL cat :enough',
  'WALLOPS :hear',
  'NICK annie',
  'NICK ben2',
  'AWAY :gone',
  'AWAY',
  'SETNAME :Somebody else',
  'MONITOR + ann,ben,cat,annie,lil_m',
  'MONITOR C',
  'MONITOR S',
  'CHATHISTORY LATEST #a * 10',
  'CHATHISTORY AROUND #a msgid=p2 3',
  'CHATHISTORY BETWEEN #a msgid=p1 timestamp=2026-01-01T12:00:00.001Z 5',
  'CHATHISTORY TARGETS timestamp=2026-01-01T00:00:00Z timestamp=2026-01-02T00:00:00Z 5',
  'MARKREAD #a timestamp=2026-01-01T12:00:00.000Z',
  'WHO #a %tcuihsnfdlaor,1',
  'WHO * o',
  'WHOIS lil_m',
  'WHOIS ben',
  'WHOWAS *',
  'CAP REQ :multi-prefix account-tag extended-join',
  'CAP REQ :-batch',
  'NAMES #a,#b',
  'LIST >0,*a*',
  'REGISTER * * password',
  'QUIT :bye',
];

const word = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...WORDS) },
  fc.string({ maxLength: 8 }),
  fc.constantFrom('x'.repeat(300), '🙂'.repeat(90), ''),
);
const tags = fc.constantFrom('', '', '', '@label=1 ', '@label=1;+x=y ', '@+typing=active ', '@=;;+ ');
const noise = fc
  .tuple(tags, fc.constantFrom(...COMMANDS), fc.array(word, { maxLength: 5 }), fc.option(word))
  .map(([tag, command, words, last]) => `${tag}${[command, ...words].join(' ')}${last === null ? '' : ` :${last}`}`);
const sense = fc.tuple(fc.constantFrom('', '', '@label=2 '), fc.constantFrom(...SENSE));
const line = fc.oneof(
  { weight: 3, arbitrary: sense.map(([label, said]) => (said.startsWith('@') ? said : label + said)) },
  { weight: 2, arbitrary: noise },
);
const script = fc.array(fc.tuple(fc.constantFrom(0, 1, 2), line), { minLength: 5, maxLength: 40 });

const CAPS = [
  '',
  'message-tags server-time batch labeled-response echo-message',
  'extended-monitor draft/chathistory batch',
];

async function open() {
  const on = openIrc({ opers: ['ann'] });
  const lil = await addOther(on, 'lil m', { rooms: 'a main', dialect: 'lab' });
  const clients: IrcClient[] = [];
  for (const [nth, nick] of ['ann', 'ben', 'cat'].entries()) {
    const caps = CAPS[nth] ?? '';
    clients.push(...(await gather(on, nick, '#a', nth === 0 ? { caps, password: 'secret' } : { caps })));
  }
  return { on, lil, clients };
}

/** A line may have what tags there are before it, and is never longer than lines may be. */
function check(told: string): void {
  assert.match(told, /^(?:@\S+ )?(?::[^ ]+ )?[A-Z0-9]+(?: |$)/);
  const body = told.replace(/^@\S+ /, '');
  assert.ok(bytesOf(body).length + 2 <= MAX_LINE_BYTES, `${bytesOf(body).length} bytes`);
  assert.not.match(told, /[\r\n\0]/);
}

const hostile = suite('irc hostile clients');

hostile('nothing that three of them send is a bug', async () => {
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      const { on, lil, clients } = await open();
      for (const [who, said] of steps) {
        const client = clients[who] as IrcClient;
        if (client.port.ended) continue;
        client.send(`${said}\r\n`);
        await rest();
        for (const one of clients) for (const told of one.take()) check(told);
      }
      for (const { port } of clients) assert.equal(port.bugs, []);
      assert.equal(on.bugs, []);
      await lil.say('still here');
      assert.equal(on.bugs, []);
    }),
    { numRuns: 150 },
  );
});

hostile('what is sent at once is answered as if it came line by line', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 20 }), async (lines) => {
      const quiet = lines.filter((one) => !/REGISTER|AUTHENTICATE|PASS|CAP|MODE|JOIN|OPER|NICK|KILL/.test(one));
      const [one, other] = [await open(), await open()];
      const [first, second] = [one.clients[0], other.clients[0]];
      for (const said of quiet) if (!first?.port.ended) first?.send(`${said}\r\n`);
      second?.send(quiet.map((said) => `${said}\r\n`).join(''));
      for (let turn = 0; turn < 30; turn++) await rest();
      assert.equal(second?.take(), first?.take());
    }),
    { numRuns: 40 },
  );
});

hostile.run();
