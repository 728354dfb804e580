import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Person } from '../src/events.ts';
import { Spellings } from '../src/pipe.ts';
import type { Room } from '../src/room.ts';
import {
  converseByPipe,
  FakeTongue,
  goIn,
  openLab,
  openPipe,
  PipeClient,
  play,
  settle,
  type TestPipe,
} from './fakes.ts';

/** Somebody of another dialect; in a room, if one is named. */
async function other(on: TestPipe, name: string, room?: string) {
  const tongue = new FakeTongue('irc');
  const whispers: string[] = [];
  const speaking = Object.assign(tongue, {
    whisper: (_: unknown, { who, text }: { who: { name: string }; text: string }) => {
      whispers.push(`${who.name}: ${text}`);
      return true;
    },
  });
  const member = await on.house.enter(name, speaking, 'exactly');
  const join = async (there: string) => on.house.join(member, await on.house.openRoom(there));
  if (room !== undefined) await join(room);
  tongue.take();
  for (const client of on.clients.values()) client.take();
  const say = async (text: string, there = room ?? 'hall') =>
    on.house.say(member, await on.house.openRoom(there), text);
  return { tongue, member, whispers, join, say };
}

// --- one house --------------------------------------------------------------------------------------------------

const house = suite('pipe room: one house');

house('members of other dialects come, talk, are talked to, and go', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const ann = await other(on, 'ann');
  await ann.join('hall');
  assert.equal(alice.take(), ['INFO| New user ann has joined\n']);
  await ann.say('hello|there');
  await on.pass(100);
  assert.equal(alice.take(), ['#ann|hello|there\n']);
  await alice.type('@all|a|b');
  await alice.type('@ann|just|you');
  assert.equal(ann.tongue.take(), ['hall +ann', 'hall ann: hello|there', 'hall alice: a|b']);
  assert.equal(ann.whispers, ['alice: just|you']);
  assert.equal(await alice.type('@server|get_peers'), ['alice|ann\n']);
  on.house.whisper(ann.member, [...(on.house.findRoom('hall')?.people.values() ?? [])][0] as never, 'psst|x');
  await on.pass(100);
  assert.equal(alice.take(), ['#ann|psst|x\n']);
  on.house.quit(ann.member, 'left');
  await on.pass(100);
  assert.equal(alice.take(), ['INFO| User ann has left\n']);
});

house('a room made here is found there, and one made there is found here', async () => {
  const on = openPipe();
  const lab = openLab({}, on);
  const alice = await goIn(on, 'alice', 'hall', true);
  await play(
    lab,
    `C: JOIN_CHATROOM: Hall
     C: CLIENT_IP: 0
     C: PORT: 0
     C: CLIENT_NAME: ann
     S: JOINED_CHATROOM: Hall
     S: SERVER_IP: 192.0.2.1
     S: PORT: 5000
     S: ROOM_REF: 0
     S: JOIN_ID: 1
     S: CHAT: 0
     S: CLIENT_NAME: ann
     S: MESSAGE: ann has joined this chatroom.
     S:
     C: CHAT: 0
     C: JOIN_ID: 1
     C: CLIENT_NAME: ann
     C: MESSAGE: one
     C: two
     C:
     S: CHAT: 0
     S: CLIENT_NAME: ann
     S: MESSAGE: one
     S: two
     S:`,
  );
  assert.equal(alice.take(), ['INFO| New user ann has joined\n', '#ann|one\n', '#ann|two\n']);
  assert.equal(await alice.line('@ann|psst'), []);
});

house('somebody whose dialect has no way to be told alone counts as absent', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const member = await on.house.enter('ann', new FakeTongue('irc'), 'exactly');
  on.house.join(member, await on.house.openRoom('hall'));
  alice.take();
  const told = await alice.type('@ann|psst');
  await on.pass(20);
  assert.is([...told, ...alice.take()].at(-1), 'ERROR|Sorry, destination client not present in chatroom\n');
});

house('main is listed when somebody has been in it, and can be joined', async () => {
  const on = openPipe();
  const bob = new PipeClient(on, 'bob');
  await bob.line('bob');
  assert.equal(await bob.line('join'), ['ERROR|There are no chatrooms to join now\n']);
  const ann = await other(on, 'ann', 'main');
  on.house.quit(ann.member, 'left');
  assert.is((await bob.line('join')).join(''), 'OK|Here is a list of chatrooms you can join.\nmain\n');
  assert.match((await bob.line('main')).join(''), /^OK\|You have joined chatroom - main\nThere are no peers/);
});

house('rooms stay when they are empty; those with people are listed first', async () => {
  const on = openPipe();
  (await goIn(on, 'a', 'one')).breaks();
  (await goIn(on, 'b', 'two')).breaks();
  await goIn(on, 'c', 'three');
  const bob = new PipeClient(on, 'bob');
  await bob.line('bob');
  assert.is((await bob.line('join')).join(''), 'OK|Here is a list of chatrooms you can join.\nthree|one|two\n');
});

house('a private room of another dialect is not listed; who knows of it comes in with its password', async () => {
  const on = openPipe();
  await on.accounts.take('griffin', '123');
  const password = await on.accounts.hashPassword('sekret', '192.0.2.9');
  await on.house.makeRoom('den', { description: '', owner: 'griffin', password });
  await converseByPipe(
    on,
    `bob>> bob
     bob< OK|Username bob accepted. Send create/join a chatroom⏎
     bob>> join
     bob< OK|Here is a list of chatrooms you can join.⏎⏎
     bob>> den
     bob< OK|This chatroom is private. Please enter password.⏎
     bob>> sekret
     bob< OK|Password accepted.⏎
     bob< OK|You have joined chatroom - den⏎There are no peers in the room:⏎Welcome to den. You are all set to pass messages⏎
     bob>> @server|get_rooms
     bob< ⏎`,
  );
});

house('a private room made here is private everywhere', async () => {
  const on = openPipe();
  const alice = new PipeClient(on, 'alice');
  for (const text of ['alice', 'create', 'den', 'yes', 'sekret']) await alice.line(text);
  const room = on.house.findRoom('den');
  assert.ok(room?.isPrivate);
  const ann = await other(on, 'ann');
  assert.throws(() => on.house.join(ann.member, room as never));
});

house('who is in a room that is deleted is told so, and closed', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice');
  const bob = await goIn(on, 'bob', 'hall', true);
  for (const client of [alice, bob]) client.take();
  await on.house.deleteRoom(on.house.findRoom('hall') as never);
  assert.match(bob.take().join(''), /ERROR\|Sorry, the room was deleted\nexit\n$/);
  assert.ok(bob.port.ended);
  await on.pass(200);
  const writes = alice.take();
  assert.is(writes.at(-1), 'exit');
  assert.ok(writes.includes('ERROR|Sorry, the room was deleted\n'));
  assert.ok(alice.port.ended);
  assert.is(on.house.people, 0);
  assert.equal(on.bugs, []);
});

house('a text with line ends is several messages, whoever says it', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  const ann = await other(on, 'ann', 'hall');
  await ann.say('one\r\ntwo|2\n\nfour\n');
  assert.equal(alice.take(), ['#ann|one\n', '#ann|two|2\n', '#ann|\n', '#ann|four\n']);
});

house('messages of one sender reach everybody in the order sent, once, in whatever way they read', async () => {
  const on = openPipe();
  const clients = [await goIn(on, 'a'), await goIn(on, 'b', 'hall', true), await goIn(on, 'c')];
  const sender = await goIn(on, 'eve', 'hall', true);
  for (const client of clients) client.take();
  const due: string[] = [];
  let early = '';
  for (let i = 0; i < 300; i++) {
    await sender.line(`@all|${i}`);
    due.push(`#eve|${i}\n`);
    // in the midst of it one turns out to end its lines
    if (i === 150) early = (await clients[2]?.line('@me|x'))?.join('') ?? '';
  }
  await on.pass(5000);
  const [a, b, c = ''] = clients.map((client, i) => (i === 2 ? early : '') + client.take().join(''));
  assert.is(a, due.join(''));
  assert.is(b, due.join(''));
  assert.is(c.replace('#me|x\n', ''), due.join(''));
});
house.run();

// --- names ------------------------------------------------------------------------------------------------------

const moved = suite('pipe room: what others do');

moved('another name is told as a leave and a join, and found; a notice is a message', async () => {
  const on = openPipe();
  const [alice, ours] = [await goIn(on, 'alice'), await goIn(on, 'bob', 'hall', true)];
  const ann = await other(on, 'ann', 'hall');
  await on.house.rename(ann.member, 'an|na');
  on.house.setAccount(ann.member, 'anna');
  await on.pass(100);
  assert.is(ours.take().join(''), 'INFO| User ann has left\nINFO| New user an¦na has joined\n');
  assert.is(alice.take().join(''), 'INFO| User ann has left\nINFO| New user an¦na has joined\n');
  assert.equal(await ours.line('@server|get_peers'), ['alice|bob|an¦na\n']);
  await ours.line('@an¦na|psst');
  assert.equal(ann.whispers, ['bob: psst']);
  on.house.say(ann.member, on.house.findRoom('hall') as Room, 'hi', { notice: true });
  on.house.signal(ann.member, on.house.findRoom('hall') as Room, { '+typing': 'done' });
  await on.pass(100);
  assert.equal([alice.take(), ours.take()], [['#an¦na|hi\n'], ['#an¦na|hi\n']]);
});

moved('who is put out is told why, and closed', async () => {
  const on = openPipe();
  const [alice, ours] = [await goIn(on, 'alice'), await goIn(on, 'bob', 'hall', true)];
  const ann = await other(on, 'ann', 'hall');
  ann.member.isWarden = true;
  const room = on.house.findRoom('hall') as Room;
  for (const name of ['alice', 'bob']) {
    on.house.kick(ann.member, room, on.house.personNamed(name) as Person, 'enough');
    await on.pass(500);
  }
  assert.match(alice.take().join(''), /ann has put you out: enough/);
  assert.match(ours.take().join(''), /User alice has left\n.*ann has put you out: enough/s);
  assert.equal([alice.port.ended, ours.port.ended, on.house.people, on.bugs], [true, true, 1, []]);
});

moved('a secret room is not listed, and entered by who knows of it', async () => {
  const on = openPipe();
  const ann = await other(on, 'ann', 'hall');
  ann.member.isWarden = true;
  on.house.rule(ann.member, on.house.findRoom('hall') as Room, [{ isAdded: true, rule: 'secret' }]);
  await goIn(on, 'bob', 'yard', true);
  assert.equal(await (on.clients.get('bob') as PipeClient).line('@server|get_rooms'), ['yard\n']);
  await goIn(on, 'carl', 'hall', true);
});

moved('who may not come in is told why', async () => {
  const on = openPipe();
  const ann = await other(on, 'ann', 'hall');
  ann.member.isWarden = true;
  on.house.rule(ann.member, on.house.findRoom('hall') as Room, [{ isAdded: true, rule: 'ban', param: 'bob' }]);
  const client = new PipeClient(on, 'bob');
  for (const word of ['bob', 'join']) await client.line(word);
  assert.equal(await client.line('hall'), ['ERROR|Sorry, you are banned from hall. Please try again.\n']);
});
moved.run();

const names = suite('pipe room: names that this wire can’t write');

names('have a broken bar for each bar, and are addressed by that', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  const ann = await other(on, 'an|n');
  await ann.join('hall');
  await ann.say('hello');
  assert.equal(alice.take(), ['INFO| New user an¦n has joined\n', '#an¦n|hello\n']);
  assert.equal(await alice.line('@an¦n|psst'), []);
  assert.equal(ann.whispers, ['alice: psst']);
  assert.equal(await alice.line('@server|get_peers'), ['alice|an¦n\n']);
  on.house.quit(ann.member, 'left');
  assert.equal(alice.take(), ['INFO| User an¦n has left\n']);
});

names('that come out the same are told apart for as long as both are there', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  const one = await other(on, 'an|n', 'hall');
  const two = await other(on, 'an¦n', 'hall');
  assert.equal(await alice.line('@server|get_peers'), ['alice|an¦n|an¦n~2\n']);
  await alice.line('@an¦n|one');
  await alice.line('@AN¦N~2|two');
  assert.equal([one.whispers, two.whispers], [['alice: one'], ['alice: two']]);
  on.house.quit(one.member, 'left');
  assert.equal(alice.take(), ['INFO| User an¦n has left\n']);
  assert.equal(await alice.line('@server|get_peers'), ['alice|an¦n~2\n']);
});

names('of rooms are listed, shown and found the same way', async () => {
  const on = openPipe();
  await other(on, 'ann', 'a|b');
  await converseByPipe(
    on,
    `bob>> bob
     bob< OK|Username bob accepted. Send create/join a chatroom⏎
     bob>> create
     bob< OK|Specify a chatroom name to create.⏎
     bob>> A¦B
     bob< ERROR|Sorry, chatroom already taken. Please try again.⏎
     bob> <half-close>
     bob< exit⏎
     eve>> eve
     eve< OK|Username eve accepted. Send create/join a chatroom⏎
     eve>> join
     eve< OK|Here is a list of chatrooms you can join.⏎a¦b⏎
     eve>> a¦b
     eve< OK|You have joined chatroom - a¦b⏎Here is a list of peers in the room:⏎ann⏎Welcome to a¦b. You are all set to pass messages⏎
     eve>> @server|get_rooms
     eve< a¦b⏎`,
  );
});

names('that a classic client would act on in a list are told apart by a number', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  const ann = await other(on, 'Exit', 'hall');
  const ben = await other(on, 'ben', 'getfile');
  assert.equal(await alice.line('@server|get_peers'), ['alice|Exit~2\n']);
  assert.equal(await alice.line('@server|get_rooms'), ['hall|getfile~2\n']);
  await alice.line('@exit~2|psst');
  assert.equal(ann.whispers, ['alice: psst']);
  const bob = new PipeClient(on, 'bob');
  assert.equal(await bob.line('KILL'), ['ERROR|Username taken, kindly choose another.\n']);
  for (const text of ['bob', 'create']) await bob.line(text);
  assert.equal(await bob.line('quit'), ['ERROR|Sorry, chatroom already taken. Please try again.\n']);
  const eve = new PipeClient(on, 'eve');
  for (const text of ['eve', 'join']) await eve.line(text);
  assert.match((await eve.line('getfile~2')).join(''), /^OK\|You have joined chatroom - getfile~2\n/);
  assert.equal(ben.tongue.take(), ['getfile +eve']);
});

names('in a room: each is one person’s, whatever they are', () => {
  const name = fc.string({ unit: fc.constantFrom('|', '¦', 'a', 'A', '~', '2', 'exit'), minLength: 1, maxLength: 4 });
  const step = fc.record({ name, leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const spellings = new Spellings();
      const there = new Map<string, string>();
      for (const [id, one] of steps.entries()) {
        const given = spellings.of(`${id}`, one.name);
        assert.not(given.includes('|'));
        there.set(`${id}`, given);
        if (one.leaves) {
          spellings.forget(`${id}`);
          there.delete(`${id}`);
        }
        for (const [who, known] of there) {
          assert.is(spellings.of(who, '?'), known);
          assert.is(spellings.find(known), who);
        }
      }
    }),
  );
});
names.run();

// --- many -------------------------------------------------------------------------------------------------------

const crowd = suite('pipe room: a crowd');

crowd('a list that is long goes out as several messages, each read whole', async () => {
  const on = openPipe();
  const alice = await goIn(on, 'alice', 'hall', true);
  for (let i = 0; i < 400; i++) await other(on, `somebody with a rather long name, number ${i}`, 'hall');
  alice.take();
  const lines = (await alice.line('@server|get_peers')).join('').trimEnd().split('\n');
  assert.ok(lines.length > 3);
  for (const line of lines) assert.ok(line.length < 4096);
  assert.is(lines.join('|').split('|').length, 401);
  await settle();
});
crowd.run();
