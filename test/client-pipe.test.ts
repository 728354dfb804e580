import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { seededRandom } from '../src/bad-link.ts';
import { type ClientRequest, PipeFace } from '../src/client-pipe.ts';
import type { Action } from '../src/face.ts';
import { printable } from '../src/printable.ts';
import { isNotice, PipeReplyDecoder } from '../src/wire-pipe.ts';
import { Desk, entered, GREETING, tell, tellRequest } from './client-pipe-desk.ts';
import { ClassicServer } from './pipe-classic-server.ts';

const LULL_MS = 20;
const PROMPT = 'prompt > ';
const PASSWORD_PROMPT = 'prompt password>  {"secret":true}';
const PROBE = '@me|parley-client: line by line?';
const ECHO = PROBE.replace('@', '< #');
const GOODBYE = 'Thank you for using the chat.';

// --- the way in ------------------------------------------------------------------------------------------------

const way = suite('client-pipe: the way in');

way('a room is made and protected; its password is a secret, whatever the server says', () => {
  const desk = new Desk().follows([
    ...GREETING,
    ['> ann', '-> ann'],
    ['< OK|Username ann accepted. Send create/join a chatroom'],
    ['> create', '-> create'],
    ['< OK|Specify a chatroom name to create.'],
    ['> den', '-> den'],
    ['< OK|Chatroom den created. Do you want to password protect the room? [yes/no]'],
    ['> yes', '-> yes'],
    ['< OK|Please enter password.', PASSWORD_PROMPT],
  ]);
  assert.is(desk.face.remembers(), false);
  assert.equal(desk.do('> sekret'), ['-> sekret']);
  assert.equal(desk.do('< OK|Password sekret accepted.'), ['OK|Password accepted.', PROMPT]);
  desk.follows([['< Welcome to den. You are all set to pass messages'], ['> @all|hi', '-> @all|hi']]);
  assert.is(desk.face.remembers(), true);
});

way('names and rooms that are taken, and wrong passwords, are tried again', () => {
  const desk = new Desk().follows([
    ...GREETING,
    ['> me', '-> me'],
    ['< ERROR|Username taken, kindly choose another.'],
    ['> bob', '-> bob'],
    ['< OK|Username bob accepted. Send create/join a chatroom'],
    ['> hello', '-> hello'],
    ['< ERROR|Sorry, specify join/create to join or create a chatroom'],
    ['> JOIN', '-> JOIN'],
    ['< ERROR|There are no chatrooms to join now'],
    ['> join', '-> join'],
    ['< OK|Here is a list of chatrooms you can join.'],
    ['< room2|room1'],
    ['> room3', '-> room3'],
    ['< ERROR|Sorry, chatroom name not found. Please try again.'],
    ['> room1', '-> room1'],
    ['< OK|This chatroom is private. Please enter password.', PASSWORD_PROMPT],
    ['> wrong', '-> wrong'],
    ['< ERROR|Sorry, incorrect password. You have 4 tries left.'],
    ['< OK|This chatroom is private. Please enter password.'],
    ['> sekret', '-> sekret'],
    ['< OK|Password accepted.', PROMPT],
    ['< OK|You have joined chatroom - room1'],
    ['< There are no peers in the room:'],
    ['< Welcome to room1. You are all set to pass messages'],
  ]);
  assert.equal(desk.do('> @all|hi'), ['-> @all|hi']);
});

way('lines that are typed ahead wait, each for its answer', () => {
  const desk = new Desk();
  for (const line of ['ann', 'join', 'den', 'wrong', 'right', '@all|hi']) assert.equal(desk.do(`> ${line}`), []);
  assert.is(desk.face.isWaiting, true);
  desk.follows([
    ['< Connected to 127.0.0.1 at port 50100'],
    ['< Please enter your username', '-> ann'],
    ['+5000'],
    ['< OK|Username ann accepted. Send create/join a chatroom', '-> join'],
    ['< OK|Here is a list of chatrooms you can join.'],
    // the list is a send of its own, and late
    ['+45'],
    ['< den', '-> den'],
    ['< OK|This chatroom is private. Please enter password.', PASSWORD_PROMPT, '-> wrong'],
    ['< ERROR|Sorry, incorrect password. You have 4 tries left.'],
    ['< OK|This chatroom is private. Please enter password.', '-> right'],
    ['< OK|Password accepted.', PROMPT],
    ['< OK|You have joined chatroom - den'],
    ['< Here is a list of peers in the room:'],
    ['< bob'],
    ['< Welcome to den. You are all set to pass messages', '-> @all|hi'],
  ]);
});

way('a server that does not ask again for the password is not waited for', () => {
  const desk = new Desk();
  for (const line of ['ann', 'join', 'den', 'wrong', 'right']) desk.do(`> ${line}`);
  desk.follows([
    ['< Please enter your username', '-> ann'],
    ['< OK|Username ann accepted. Send create/join a chatroom', '-> join'],
    ['< OK|Here is a list of chatrooms you can join.'],
    ['< den', '-> den'],
    ['< OK|This chatroom is private. Please enter password.', PASSWORD_PROMPT, '-> wrong'],
    ['< ERROR|Sorry, incorrect password. You have 4 tries left.'],
    ['+100', '-> right'],
  ]);
});

way('a server with words of its own is understood by its silence', () => {
  const desk = new Desk();
  for (const line of ['ann', 'join', '@all|hi']) desk.do(`> ${line}`);
  desk.follows([
    ['< Who are you?'],
    ['+49'],
    ['+1', '-> ann'],
    ['< create or join?'],
    ['+50', '-> join'],
    ['< you are in'],
    ['+50', '-> @all|hi'],
    ['.'],
    ['+50', '-> @server|exit'],
  ]);
});

way('names of rooms are no sentences: not even `exit` ends it, nor is a welcome one', () => {
  const desk = new Desk();
  for (const line of ['ann', 'join']) desk.do(`> ${line}`);
  desk.follows([
    ['< Please enter your username', '-> ann'],
    ['< OK|Username ann accepted. Send create/join a chatroom', '-> join'],
    ['< OK|Here is a list of chatrooms you can join.'],
  ]);
  assert.equal(desk.do('< exit|Welcome to x. You are all set to pass messages'), ['exit']);
  assert.equal(desk.do('> room'), ['-> room']);
  desk.do('< ERROR|Sorry, chatroom name not found. Please try again.');
  assert.equal(desk.face.complete('OK'), []);
});

way('a list of rooms may begin with OK', () => {
  const desk = new Desk().follows([
    ['> ann'],
    ['> join'],
    ['< Please enter your username', '-> ann'],
    ['< OK|Username ann accepted. Send create/join a chatroom', '-> join'],
    ['< OK|Here is a list of chatrooms you can join.'],
    ['< OK|Please enter password.'],
    ['> OK', '-> OK'],
  ]);
  assert.equal(desk.face.complete('O'), ['OK']);
});

for (const names of ['OK|ann', '#x|bob', 'INFO|bob', 'ERROR|x', 'exit|bob', 'Welcome to |x']) {
  way(`a list of people may be ${names}, and what follows is none`, () => {
    const desk = new Desk().follows([
      ['> ann'],
      ['> join'],
      ['> den'],
      ['< Please enter your username', '-> ann'],
      ['< OK|Username ann accepted. Send create/join a chatroom', '-> join'],
      ['< OK|Here is a list of chatrooms you can join.'],
      ['< den', '-> den'],
      ['< OK|You have joined chatroom - den'],
      ['< Here is a list of peers in the room:'],
    ]);
    desk.do(`< ${names}`);
    desk.follows([
      ['> @all|hi'],
      ['< Welcome to den. You are all set to pass messages', '-> @all|hi'],
      ['< #bob|whohas|song.mp3'],
      ['+50', '-> @bob|ME'],
    ]);
  });
}

way('too many tries: what the server says is shown, status 1', () => {
  new Desk().follows([
    ...GREETING,
    ['> all', '-> all'],
    ['< ERROR|Max tries reached, closing connection.'],
    ['<~ exit', 'Thank you for using the chat.', 'exit 1 the server has ended this session'],
  ]);
});

way('an empty line is not sent', () => {
  entered().follows([['> '], ['> @all|hi', '-> @all|hi']]);
});

way('a goodbye is no name: there is no way out but to close', () => {
  new Desk().follows([...GREETING, ['> @server|exit', 'exit 0']]);
});

// --- talking -----------------------------------------------------------------------------------------------------

const talk = suite('client-pipe: talking');

talk('what is typed goes out as it is, what comes is shown as it came', () => {
  entered().follows([
    ['> hello', '-> hello'],
    ['< ERROR|Sorry, first field in message should be @<destination>'],
    ['+50'],
    ['> @bob|a|b ', '-> @bob|a|b '],
    ['<~ #bob|x|y'],
    ['< INFO| New user eve has joined'],
    ['<~ #server|supper'],
    ['> @me|x', ...[]],
    ['+50', '-> @me|x'],
    ['< #me|x'],
  ]);
});

talk('messages to a server that is not known to be ours keep their distance', () => {
  const desk = entered();
  desk.follows([['> @all|1', '-> @all|1'], ['> @all|2'], ['> @all|3'], ['+49'], ['+1', '-> @all|2'], ['+49']]);
  desk.follows([['> @all|4'], ['+1', '-> @all|3'], ['+50', '-> @all|4'], ['+1000']]);
});

talk('many of them are worth a question: ours takes them all', () => {
  const desk = entered();
  const lines = Array.from({ length: 8 }, (_, at) => `@all|${at}`);
  const sent = lines.flatMap((line) => desk.do(`> ${line}`));
  assert.equal(sent, ['-> @all|0']);
  assert.equal(desk.do('+50'), [`-> ${PROBE} & ${PROBE}`]);
  assert.equal(desk.do(ECHO), []);
  assert.equal(
    desk.do(ECHO),
    lines.slice(1).map((line) => `-> ${line}`),
  );
  desk.follows([
    ['> @all|ä', '-> @all|ä'],
    ['> @all|more', '-> @all|more'],
  ]);
});

for (const [what, answers] of [
  ['a classic server', [ECHO, `< ${PROBE}`]],
  ['a server that answers nothing', ['+950']],
] as const) {
  talk(`... and ${what} gets them one by one`, () => {
    const desk = entered();
    for (let at = 0; at < 8; at++) desk.do(`> @all|${at}`);
    desk.do('+50');
    for (const answer of answers) assert.equal(desk.do(answer), []);
    desk.follows([['+49'], ['+1', '-> @all|1'], ['+49'], ['+1', '-> @all|2']]);
  });
}

talk('an answer that comes late still counts, and is not shown', () => {
  const desk = entered();
  desk.follows([['> @all|ä', `-> ${PROBE} & ${PROBE}`], ['+999'], ['+1', '-> @all|ä'], ['> @all|b'], ['> @all|c']]);
  desk.do(ECHO);
  desk.follows([[ECHO, '-> @all|b', '-> @all|c']]);
});

talk('a classic server never gets what it would die of', () => {
  const desk = entered().follows([['> @all|ä', `-> ${PROBE} & ${PROBE}`]]);
  assert.equal([...desk.do(ECHO), ...desk.do(`< ${PROBE}`)], []);
  desk.follows([
    ['+50', '(not sent: this server takes nothing but ASCII)'],
    ['+50'],
    ['> @all|a', '-> @all|a'],
    ['+50'],
    ['> @all|ö', '(not sent: this server takes nothing but ASCII)'],
  ]);
});

talk('what is too long for one message is several', () => {
  const desk = entered().follows([['> @all|ä', `-> ${PROBE} & ${PROBE}`]]);
  desk.do(ECHO);
  desk.do(`< ${PROBE}`);
  desk.pass(1000);
  const text = 'word '.repeat(2000);
  const sent = [...desk.do(`> @all|${text}`), ...desk.pass(1000)].map((line) => line.replace('-> ', ''));
  assert.is(sent.length, 3);
  for (const line of sent) assert.ok(line.startsWith('@all|') && line.length < 4096, `${line.length}`);
  assert.is(sent.map((line) => line.slice(5)).join(''), text);
  assert.match(desk.do(`> ${'x'.repeat(5000)}`).join(), /not sent: a message has at most 4095 bytes/);
});

talk('how long an end is waited for is a matter of what is known', () => {
  const desk = entered();
  assert.is(desk.face.lullMs, LULL_MS);
  desk.do('<~ #bob|hi');
  assert.is(desk.face.lullMs, 0);
  // it was the network that was slow
  desk.do('> @all|ä');
  desk.do(ECHO);
  desk.do(ECHO);
  assert.is(desk.face.lullMs, Number.POSITIVE_INFINITY);
});

talk('nothing that the server says moves the cursor', () => {
  const told = entered().do('< #bob|\x1b[2J\x9b1A\u202e\r');
  assert.equal(told, ['#bob|\ufffd[2J\ufffd1A\ufffd\ufffd']);
});

// --- the end -----------------------------------------------------------------------------------------------------

const end = suite('client-pipe: the end');
for (const line of ['@server|exit', '@server|QUIT|now', '@SERVER|exit']) {
  end(`${line}: the server's exit is the end`, () => {
    entered().follows([[`> ${line}`, `-> ${line}`], ['<~ #bob|bye'], ['<~ exit', GOODBYE, 'exit 0']]);
  });
}

end('the end of input leaves, after all that was typed', () => {
  entered({ isPerson: false }).follows([
    ['> @all|1', '-> @all|1'],
    ['> @all|2'],
    ['.'],
    ['+50', '-> @all|2'],
    ['+50', '-> @server|exit'],
    ['<~ exit', GOODBYE, 'exit 0'],
  ]);
});

end('a server without a goodbye keeps nobody, be the room ever so noisy', () => {
  const desk = entered();
  assert.equal(desk.do('.'), ['-> @server|exit']);
  for (let at = 0; at < 19; at++) assert.equal([...desk.do('<~ #bob|bla'), ...desk.pass(100)], ['#bob|bla']);
  assert.equal(desk.pass(100), ['exit 0']);
});

end('the connection may end without a word', () => {
  const desk = entered();
  assert.equal(desk.face.closed().map(tell), ['exit 1 the server has closed the connection']);
  const leaving = entered();
  leaving.do('> @server|exit');
  assert.equal(leaving.face.closed().map(tell), ['exit 0']);
});

end('exit unasked is told by the status; kill is answered', () => {
  entered().follows([['<~ exit', GOODBYE, 'exit 1 the server has ended this session']]);
  entered().follows([['<~ kill', '(The server is going down.)', '-> @server|exit', 'exit 0']]);
});

end('a script that ends outside any room, or hears nothing, fails', () => {
  const script = { isPerson: false };
  new Desk(script).follows([...GREETING, ['.', 'exit 1 the input has ended outside any room']]);
  new Desk().follows([...GREETING, ['.', 'exit 0']]);
  new Desk(script).follows([['> ann'], ['.'], ['+9999'], ['+1', 'exit 1 no answer from the server']]);
  new Desk(script).follows([...GREETING, ['> ann', '-> ann'], ['.'], ['+10000', 'exit 1 no answer from the server']]);
});

end('Ctrl-C leaves at once, but not without a word', () => {
  const desk = entered();
  desk.do('> @all|1');
  desk.do('> @all|2');
  assert.equal(desk.face.interrupted(desk.now).map(tell), []);
  desk.follows([
    ['+50', '-> @server|exit'],
    ['<~ exit', GOODBYE, 'exit 130'],
  ]);
  assert.equal(new Desk().face.interrupted(0).map(tell), ['exit 130']);
  const leaving = entered();
  for (const line of ['@all|1', '@all|2', '@server|exit']) leaving.do(`> ${line}`);
  leaving.face.interrupted(leaving.now);
  assert.equal(leaving.pass(10_000), ['-> @server|exit', 'exit 130']);
});

// --- whatever comes --------------------------------------------------------------------------------------------------

const any = suite('client-pipe: whatever comes');

/** Texts near enough to what is acted on. */
const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom('#bob', '#me', '@me', 'whohas', 'getfile', '10.0.0.1', '4000', 'gbn2', 'exit', 'OK', 'ERROR', 'INFO'),
  fc.constantFrom(
    'setshare',
    'clrshare',
    'setwindowsize',
    ECHO.slice(2),
    '*',
    'song.mp3',
    '',
    ' New user x has joined',
    '[',
    '[!]',
  ),
);
const said = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join('|'));

any('nothing breaks it, and what it shows and sends is sound', () => {
  const step = fc.record({ kind: fc.constantFrom('<', '<~', '>', '.'), text: said, ms: fc.nat(200) });
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 40 }), (isIn, steps) => {
      const desk = isIn ? entered() : new Desk();
      for (const { kind, text, ms } of steps) {
        const told = [...desk.do(`${kind} ${text.replace(/\n/g, ' ')}`), ...desk.pass(ms)];
        for (const line of told) {
          if (!line.startsWith('->') && !line.startsWith('=>')) assert.is(printable(line), line);
          if (line.startsWith('=> serve'))
            assert.match(line, /^=> serve (?:song\.mp3|a b\.txt|Notes\.md) to .* at [\d.]+:\d+/s);
        }
      }
      assert.ok(desk.face.deadline() > desk.now);
    }),
    { numRuns: 400 },
  );
});

any('a classic server reads each line of a script alone, however slow it is', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 12 }), (seed, count) => {
      const random = seededRandom(seed);
      const texts = Array.from({ length: count }, (_, at) => `@${['all', 'me', 'nobody'][at % 3]}|${at}`);
      const script = ['me', 'ann', 'join', 'den', 'wrong', 'sekret', ...texts];
      assert.equal(
        runScript(script, () => random() * 20),
        [...script, '@server|exit'],
      );
    }),
    { numRuns: 60 },
  );
});

/** What the server took for messages; besides questions of ours. The network and the server take their time. */
function runScript(script: readonly string[], delayMs: () => number): string[] {
  const server = new ClassicServer();
  server.rooms.set('den', { name: 'den', password: 'sekret', members: [] });
  const events: Array<{ at: number; run: () => void }> = [];
  const later = (ms: number, run: () => void) => events.push({ at: now + ms, run });
  let now = 0;
  const face = new PipeFace({ files: () => [], isSharing: true, parallel: 1, usesServer: false, isPerson: false });
  const decoder = new PipeReplyDecoder();
  let lull = 0;
  let unread = '';
  const isOver = () => face.deadline() === Number.POSITIVE_INFINITY;
  const play = (actions: Action<ClientRequest>[]): void => {
    for (const action of actions) if (action.kind === 'send') send(tellRequest(action.request));
  };
  const send = (told: string): void => {
    const lines = told.slice(3).split(' & ');
    later(delayMs(), () => {
      if (unread === '') later(delayMs(), readAll);
      unread += lines.map((line) => `${line}\n`).join('');
    });
  };
  const readAll = (): void => {
    connection.read(new TextEncoder().encode(unread));
    unread = '';
  };
  let arrivesAt = 0;
  const say = (text: string): void => {
    arrivesAt = Math.max(arrivesAt, now + delayMs());
    later(arrivesAt - now, () => hear(text));
  };
  const drain = (isEnded: boolean): void => {
    for (let reply = decoder.next(); reply; reply = decoder.next()) {
      if (!isNotice(reply)) play(face.received(reply, isEnded, now));
    }
  };
  const hear = (text: string): void => {
    decoder.push(new TextEncoder().encode(text));
    drain(true);
    const mine = ++lull;
    later(LULL_MS, () => {
      if (mine !== lull || !decoder.pending) return;
      decoder.lull();
      drain(false);
    });
  };
  const connection = server.connect(say, () => {});
  for (const line of script) play(face.line(line, now));
  play(face.inputEnded(now));
  for (let turns = 0; turns < 10_000 && !(isOver() && server.messages.at(-1) === '@server|exit\n'); turns++) {
    events.sort((a, b) => a.at - b.at);
    const [next] = events;
    const due = face.deadline();
    if (next && next.at <= due) {
      events.shift();
      now = next.at;
      next.run();
    } else {
      now = Math.max(now, due);
      play(face.tick(now));
    }
  }
  return server.messages.map((message) => message.replace(/\n$/, '')).filter((message) => !message.startsWith(PROBE));
}

for (const one of [way, talk, end, any]) one.run();
