import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_MESSAGE_BYTES } from '../src/wire-pipe.ts';
import { converseByPipe, FakeTongue, goIn, openPipe, PipeClient, settle } from './fakes.ts';

// --- messages ---------------------------------------------------------------------------------------------------

const messages = suite('pipe: messages');

messages('to all, to one, to oneself, to nobody', async () => {
  const on = openPipe();
  for (const name of ['alice', 'bob', 'carol']) await goIn(on, name);
  await goIn(on, 'eve', 'elsewhere');
  await converseByPipe(
    on,
    `alice> @all|hello|all of you
     bob< #alice|hello|all of you⏎
     carol< #alice|hello|all of you⏎
     alice> @bob|psst|x
     bob< #alice|psst|x⏎
     alice> @BOB|psst
     bob< #alice|psst⏎
     alice> @me|getsharestatus
     alice< #me|getsharestatus⏎
     alice> @alice|note
     -- 50 ms
     alice< #me|note⏎
     alice> @eve|psst
     alice< ERROR|Sorry, destination client not present in chatroom⏎
     alice> @nobody|psst
     alice< ERROR|Sorry, destination client not present in chatroom⏎
     alice> @|psst
     alice< ERROR|Sorry, destination client not present in chatroom⏎
     alice> hello
     alice< ERROR|Sorry, first field in message should be @<destination>⏎
     alice> all|hello
     alice< ERROR|Sorry, first field in message should be @<destination>⏎
     bob>> @all|Zoë: 漢字 🙂
     alice< #bob|Zoë: 漢字 🙂⏎
     carol< #bob|Zoë: 漢字 🙂⏎`,
  );
});

messages('to the server: who and which rooms there are, and the rest is for the operator', async () => {
  const on = openPipe();
  await goIn(on, 'alice', 'room1');
  await goIn(on, 'bob', 'room1');
  await goIn(on, 'eve', 'room2');
  await converseByPipe(
    on,
    `alice> @server|get_peers
     alice< alice|bob⏎
     eve> @server|GET_PEERS
     eve< eve⏎
     alice> @server|get_rooms
     alice< room1|room2⏎
     alice> @server|get_passwd
     alice< This chatroom is public and has no password protection.⏎
     alice> @server|help me|please
     bob> @server`,
  );
  assert.equal(on.said, ['alice: help me|please', 'bob: ']);
});

messages('one address tells the operator only so much', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  for (let i = 0; i < 20; i++) assert.equal(await alice.line('@server|x'), []);
  assert.match((await alice.line('@server|x')).join(''), /^ERROR\|Sorry, [^\n]+\n$/);
  assert.is(on.said.length, 20);
  on.clock.now += 1000;
  assert.equal(await alice.line('@server|x'), []);
});

messages('that the room has a password is told to who has made it', async () => {
  const on = openPipe();
  const alice = new PipeClient(on, 'alice');
  for (const text of ['alice', 'create', 'den', 'yes', 'sekret']) await alice.line(text);
  const bob = new PipeClient(on, 'bob');
  for (const text of ['bob', 'join', 'den', 'sekret']) await bob.line(text);
  alice.take();
  assert.match((await alice.line('@server|get_passwd')).join(''), /^OK\|[^\n]*password[^\n]*\n$/);
  assert.match((await bob.line('@server|get_passwd')).join(''), /^ERROR\|[^\n]+\n$/);
  alice.breaks();
  bob.take();
  const again = new PipeClient(on, 'again');
  for (const text of ['alice', 'join', 'den', 'sekret']) await again.line(text);
  assert.match((await again.line('@server|get_passwd')).join(''), /^ERROR\|[^\n]+\n$/);
});

for (const text of ['@server|exit', '@server|quit', '@server|EXIT|now', '@SERVER|Exit']) {
  messages(`${text}: exit, closed, and the room hears of it`, async () => {
    const on = openPipe();
    const alice = await goIn(on, 'alice');
    const bob = await goIn(on, 'bob');
    alice.take();
    assert.equal(await bob.type(text), ['exit']);
    assert.equal(alice.take(), ['INFO| User bob has left\n']);
    assert.not(bob.port.ended);
    // nothing that it sends now counts
    assert.equal(await bob.type('@all|still here'), []);
    await on.pass(30);
    assert.ok(bob.port.ended);
    assert.equal(alice.take(), []);
  });
}

messages('a connection that breaks: the name is free, and the room hears of it', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const bob = await goIn(on, 'bob');
  bob.breaks();
  assert.equal(alice.take(), ['INFO| User bob has left\n']);
  const again = new PipeClient(on);
  assert.match((await again.type('bob')).join(''), /^OK\|/);
  assert.is(on.house.findRoom('hall')?.people.size, 1);
});

messages('a message over 64 KiB is refused, the next one is read', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  const bob = await goIn(on, 'bob', 'hall', true);
  alice.take();
  alice.send(`@all|${'x'.repeat(MAX_MESSAGE_BYTES)}\n@all|short\n`);
  await settle();
  assert.match(alice.take().join(''), /^ERROR\|Sorry, a message has at most 65536 bytes\n$/);
  assert.equal(bob.take(), ['#alice|short\n']);
});

messages('a long one arrives whole, in messages that a classic client reads whole', async () => {
  const on = openPipe();
  await goIn(on, 'alice', 'hall', true);
  const bob = await goIn(on, 'bob');
  const text = 'üx'.repeat(5000);
  on.clients.get('alice')?.send(`@all|${text}\n`);
  await on.pass(100);
  const writes = bob.take();
  assert.ok(writes.every((one) => new TextEncoder().encode(one).length <= 4096));
  assert.is(writes.map((one) => one.slice('#alice|'.length, -1)).join(''), text);
});

messages('bytes without a newline are complete after 20 ms of silence, and not before', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const bob = await goIn(on, 'bob');
  alice.take();
  alice.send('@all|one');
  await on.pass(19);
  alice.send(' and a half');
  await on.pass(19);
  assert.equal(bob.take(), []);
  await on.pass(1);
  assert.equal(bob.take(), ['#alice|one and a half\n']);
});

messages('who ends its lines may take its time over one', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  const bob = await goIn(on, 'bob', 'hall', true);
  alice.take();
  alice.send('@all|one');
  await on.pass(500);
  alice.send(' and a half\n');
  await settle();
  assert.equal(bob.take(), ['#alice|one and a half\n']);
  alice.send('@all|two');
  await on.pass(1000);
  assert.equal(bob.take(), ['#alice|two\n']);
});

messages('answers that pile up stop the reading, and it goes on when they have gone out', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  alice.port.isCongested = true;
  assert.not(alice.send('@server|get_peers\n@server|get_peers\n'));
  await settle();
  assert.equal(alice.take(), []);
  alice.port.isCongested = false;
  alice.port.wake();
  await settle();
  assert.equal(alice.take(), ['alice\n', 'alice\n']);
  assert.ok(alice.port.resumed > 0);
});

messages('a client that is dropped: a classic one is told exit alone', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const bob = await goIn(on, 'bob', 'hall', true);
  alice.session.dropped('you read too slowly');
  bob.session.dropped('you read too slowly');
  assert.equal(alice.take().at(-1), 'exit');
  assert.is(bob.take().join(''), 'ERROR|you read too slowly\nexit\n');
});
messages.run();

// --- files ------------------------------------------------------------------------------------------------------

const files = suite('pipe: what is said of files');

files('the two halves of a getfile arrive 50 ms apart, glued or not', async () => {
  for (const isGlued of [true, false]) {
    const on = openPipe();
    const alice = await goIn(on, 'alice');
    const bob = await goIn(on, 'bob');
    alice.take();
    await on.pass(1000);
    if (isGlued) bob.send('@alice|getfile|song.mp3@alice|10.0.0.2|46268');
    else bob.send('@alice|getfile|song.mp3\n@alice|10.0.0.2|46268\n');
    await on.pass(20);
    assert.equal(alice.take(), ['#bob|getfile|song.mp3\n']);
    await on.pass(29);
    assert.equal(alice.take(), []);
    await on.pass(21);
    assert.equal(alice.take(), ['#bob|10.0.0.2|46268\n']);
  }
});

files('nothing comes between the halves, though the second is late', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  await goIn(on, 'bob');
  const eve = await goIn(on, 'eve', 'hall', true);
  for (const client of on.clients.values()) client.take();
  on.clients.get('bob')?.send('@alice|getfile|a');
  await on.pass(20);
  await eve.line('@alice|hi');
  await eve.line('@all|hi all');
  on.clients.get('bob')?.send('@alice|10.0.0.2|1');
  await on.pass(300);
  assert.equal(alice.take(), ['#bob|getfile|a\n', '#bob|10.0.0.2|1\n', '#eve|hi\n', '#eve|hi all\n']);
});

files('a second half that never comes is not waited for', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const eve = await goIn(on, 'eve', 'hall', true);
  alice.take();
  await eve.line('@alice|getfile|a');
  await eve.line('@alice|never mind');
  await on.pass(1000);
  assert.equal(alice.take(), ['#eve|getfile|a\n', '#eve|never mind\n']);
});

files('of one who asks for much, only some waits for a classic client', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const bob = await goIn(on, 'bob', 'hall', true);
  const carol = await goIn(on, 'carol', 'hall', true);
  for (let i = 0; i < 200; i++) bob.send(`@alice|getfile|f${i}\n`);
  carol.send('@alice|urgent\n');
  await on.pass(5000);
  const heard = alice.take();
  assert.ok(heard.includes('#carol|urgent\n'), heard.join(''));
  assert.ok(heard.length <= 12, `${heard.length} messages`);
});

files('an address of the server’s own machine is the server’s to those elsewhere', async () => {
  const on = openPipe({ advertise: undefined });
  const far = await goIn(on, 'far', 'hall', true);
  const near = await goIn(on, 'near', 'hall', true);
  near.send('@far|getfile|x\n@far|127.0.0.1|4000|gbn2|AAAAAAAAAAA\n');
  await on.pass(200);
  assert.is(far.take().join(''), '#near|getfile|x\n#near|192.0.2.1|4000|gbn2|AAAAAAAAAAA\n');
});

files('questions and answers are messages like others', async () => {
  const on = openPipe();
  await goIn(on, 'alice');
  await goIn(on, 'bob');
  await converseByPipe(
    on,
    `alice> @all|whohas|*.mp3
     -- 100 ms
     bob< #alice|whohas|*.mp3⏎
     bob> @alice|ME
     alice< #bob|ME⏎
     bob> @alice|ERROR: Please specify filename
     alice< #bob|ERROR: Please specify filename⏎`,
  );
});

files('a member of another dialect has none to give, and is not told of it', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const heard: string[] = [];
  const tongue = Object.assign(new FakeTongue('irc'), {
    whisper: (_: unknown, { text }: { text: string }) => heard.push(text) > 0,
  });
  const ann = await on.house.enter('ann', tongue, 'exactly');
  on.house.join(ann, await on.house.openRoom('hall'));
  alice.take();
  const ABSENT = 'ERROR|Sorry, destination client not present in chatroom\n';
  assert.equal(await alice.type('@ann|getfile|a@ann|10.0.0.2|46268'), [ABSENT]);
  assert.equal(await alice.type('@ann|getfile|a'), [ABSENT]);
  assert.equal(await alice.type('@ann|10.0.0.2|46268'), []);
  assert.equal(heard, []);
  assert.equal(await alice.type('@ann|10.0.0.2|46268'), []);
  assert.equal(await alice.type('@ann|hello|there'), []);
  assert.equal(heard, ['10.0.0.2|46268', 'hello|there']);
});
files.run();

// --- the end ----------------------------------------------------------------------------------------------------

const ending = suite('pipe: the server going down');

ending('everybody gets kill, alone, in a room or not', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const bob = await goIn(on, 'bob', 'hall', true);
  const eve = new PipeClient(on, 'eve');
  await on.pass(1000);
  for (const client of [alice, bob, eve]) client.take();
  bob.send('@all|last words\n');
  await settle();
  const ms = on.pipe.close();
  on.house.close('SIGTERM');
  assert.equal(bob.take(), ['kill\n']);
  assert.ok(bob.port.ended);
  assert.equal(alice.take(), ['#bob|last words\n']);
  assert.equal(eve.take(), ['kill']);
  await on.pass(50);
  assert.equal(alice.take(), ['kill']);
  assert.equal(await eve.type('@server|exit'), []);
  await on.pass(ms - 70);
  for (const client of [alice, eve]) assert.ok(client.port.ended);
  assert.equal(on.bugs, []);
});

ending('without classic clients nobody is waited for', async () => {
  const on = openPipe();
  await goIn(on, 'alice', 'hall', true);
  assert.is(on.pipe.close(), 0);
});

ending('the house tells those in rooms, if nobody else does', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  on.house.close('SIGTERM');
  assert.equal(alice.take(), ['kill\n']);
});
ending.run();

// --- anything ---------------------------------------------------------------------------------------------------

const law = suite('pipe: anything');

const WORDS = [
  'bob',
  'eve',
  'create',
  'join',
  'hall',
  'den',
  'yes',
  'no',
  'sekret',
  '',
  'all',
  '@all|x|y',
  '@me|setshare|f',
];
const MESSAGES = ['@ann|hi', '@ben|getfile|f', '@ben|10.0.0.2|1', '@ann|getfile|f@ann|10.0.0.2|1', '@server|get_peers'];
const REQUESTS = [
  '@server|get_rooms',
  '@server|get_passwd',
  '@server|exit',
  '@server|x',
  'x',
  '@',
  '@all',
  '\xff\n\0|',
];

law('that clients send, whenever, is no bug, and what they get is whole messages', async () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        who: fc.nat(3),
        text: fc.constantFrom(...WORDS, ...MESSAGES, ...REQUESTS, 'x'.repeat(5000), '@all|'.repeat(2000)),
        end: fc.constantFrom('', '', '\n', '\r\n'),
      }),
    },
    { weight: 4, arbitrary: fc.record({ pass: fc.constantFrom(1, 20, 50, 1000) }) },
    {
      weight: 1,
      arbitrary: fc.record({ who: fc.nat(3), end: fc.constantFrom('breaks', 'half', 'congested', 'free') }),
    },
    { weight: 1, arbitrary: fc.constantFrom('delete' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const on = openPipe();
      let opened = 0;
      const inside = [await goIn(on, 'ann'), await goIn(on, 'ben', 'hall', true)];
      const clients = [...inside, ...Array.from({ length: 2 }, () => new PipeClient(on, `c${++opened}`))];
      for (const one of steps) {
        if (one === 'delete') {
          const hall = on.house.findRoom('hall');
          if (hall) await on.house.deleteRoom(hall);
        } else if ('pass' in one) await on.pass(one.pass);
        else {
          const client = clients[one.who] as PipeClient;
          if ('text' in one) client.send(one.text + one.end);
          else if (one.end === 'half') client.session.ended();
          else if (one.end === 'breaks') {
            client.breaks();
            on.clients.delete(client.port.id);
            clients[one.who] = new PipeClient(on, `c${++opened}`);
          } else {
            client.port.isCongested = one.end === 'congested';
            client.port.wake();
          }
          await settle();
        }
        for (const { port } of on.clients.values()) assert.equal(port.bugs, []);
        for (const { port, session } of on.clients.values())
          if (port.ended) assert.not(session.deadline() <= on.clock.now);
      }
      for (const { port } of on.clients.values()) port.isCongested = false;
      for (const { port } of on.clients.values()) port.wake();
      await on.pass(10_000);
      for (const { port } of on.clients.values()) {
        for (const write of port.blocks) {
          assert.ok(new TextEncoder().encode(write).length <= 4096);
          assert.match(write, /^(?:exit|kill|[\s\S]*\n)$/);
        }
      }
      assert.equal(on.bugs, []);
      for (const client of on.clients.values()) client.breaks();
      assert.is(on.house.people, 0);
    }),
    { numRuns: 300 },
  );
});
law.run();

// --- files through the server -------------------------------------------------------------------------------------

const relayed = suite('pipe: files through the server');

/** Our own client, with a desk: its token. */
async function openDesk(client: PipeClient): Promise<string> {
  const [, token = '', port] = (await client.line('@server|files')).join('').split(/[\t\n]/);
  assert.is(port, '5000');
  return token;
}

relayed('our client says that it shares: it is asked, and its answers reach who asks', async () => {
  const on = openPipe();
  const [alice, bob] = [await goIn(on, 'alice', 'hall', true), await goIn(on, 'bob', 'hall', true)];
  const token = await openDesk(alice);
  await openDesk(bob);
  assert.ok(token);
  const nothing = { have: 0, prefix: undefined, digest: false };
  const ticket = on.files.ask({ token, ip: '127.0.0.1' }, 'bob', 'song.mp3', nothing);
  await settle();
  assert.is(bob.take().join(''), `\x1ewant\t${ticket.id}\talice\t0\t-\t-\tsong.mp3\n`);
  bob.send(`\x1eoffer\t${ticket.id}\t9\tv1\t-\tother\n`);
  await settle();
  assert.is((await ticket.offered).size, 9);
  ticket.push(0, 9);
  await settle();
  assert.is(bob.take().join(''), `\x1epush\t${ticket.id}\t0\t9\n`);
  ticket.end('it took too long');
  await settle();
  assert.is(bob.take().join(''), `\x1edone\t${ticket.id}\tit took too long\n`);
  bob.send('\x1enonsense\n\x1eoffer\tx\n');
  await settle();
  assert.is(
    bob
      .take()
      .join('')
      .match(/ERROR\|Sorry, /g)?.length,
    2,
  );
});

relayed('who has left is asked no more, and its token is worth nothing', async () => {
  const on = openPipe();
  const [alice, bob] = [await goIn(on, 'alice', 'hall', true), await goIn(on, 'bob', 'hall', true)];
  const token = await openDesk(alice);
  await openDesk(bob);
  bob.send('@server|exit\n');
  await settle();
  const ask = () => on.files.ask({ token, ip: '127.0.0.1' }, 'bob', 'x', { have: 0, prefix: undefined, digest: false });
  assert.throws(ask, /nobody of that name/);
  alice.send('@server|exit\n');
  await settle();
  assert.throws(ask, /token/);
});

relayed('of a member of another dialect they come through the server alone', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  const mary = await on.house.enter('mary', new FakeTongue(), 'exactly');
  on.house.join(mary, await on.house.openRoom('hall'));
  await settle();
  alice.take();
  alice.send('@mary|getfile|x\n@mary|10.0.0.1|4000|gbn2|AAAAAAAAAAA\n');
  await settle();
  assert.is(alice.take().join(''), 'ERROR|Sorry, destination client not present in chatroom\n');
  await openDesk(alice);
  alice.send('@mary|getfile|x\n@mary|10.0.0.1|4000|gbn2|AAAAAAAAAAA\n');
  await settle();
  assert.is(alice.take().join(''), '\x1ethrough-server\tmary\n');
});
relayed.run();
