import net from 'node:net';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readPlace } from '../src/client-pipe-words.ts';
import { Desk, entered, GREETING, tell } from './client-pipe-desk.ts';

const GAP_MS = 50;
const GOODBYE = 'Thank you for using the chat.';
const PROBE = '@me|parley-client: line by line?';
const ECHO = PROBE.replace('@', '< #');

function place(desk: Desk, owner: string, file: string, token?: string): string[] {
  return desk.face.invited({ owner, file }, { ip: '10.0.0.2', port: 46268, token }, desk.now).map(tell);
}

// --- sharing -------------------------------------------------------------------------------------------------------

const share = suite('client-pipe: sharing');

for (const [pattern, isThere] of [
  ['song.mp3', true],
  ['*.mp3', true],
  ['*', true],
  ['[sS]ong.mp?', true],
  ['SONG.mp3', false],
  ['*.ogg', false],
  ['a b.txt', true],
] as const) {
  share(`whohas|${pattern}: ${isThere ? 'ME' : 'silence'}`, () => {
    entered().follows([[`< #bob|whohas|${pattern}`, ...(isThere ? ['-> @bob|ME'] : [])]]);
  });
}

share('a command without its argument is told so, one of a person unknown does nothing else', () => {
  entered().follows([
    ['< #bob|WHOHAS', '-> @bob|ERROR: Please specify filename'],
    ['+50'],
    ['<~ #bob|getfile', '-> @bob|ERROR: Please specify filename'],
    ['+50'],
    ['< #bob|clrshare|song.mp3'],
    ['< #bob|clrglobalshare'],
    ['< #bob|whohas|song.mp3', '-> @bob|ME'],
    ['< #me|setshare', '(a file name is missing)'],
  ]);
});

share('no text but what people say is a command', () => {
  entered().follows([
    ['< a|whohas|song.mp3'],
    ['< INFO| whohas|song.mp3'],
    ['< OK|whohas|song.mp3'],
    ['< INFO| getfile'],
  ]);
});

share('a file is sent once it is said where; its second half stands alone', () => {
  entered().follows([
    ['< #bob|getfile|song.mp3'],
    ['<~ #carl|hello'],
    ['< #bob|10.0.0.7|40001', '=> serve song.mp3 to bob at 10.0.0.7:40001'],
    ['< #bob|10.0.0.7|40001'],
    ['< #carl|GetFile|song.mp3'],
    ['< #carl|10.0.0.8|40002|gbn2|dG9r-_', '=> serve song.mp3 to carl at 10.0.0.8:40002 dG9r-_'],
  ]);
});

for (const where of [
  '10.0.0.7|0',
  '10.0.0.7|65536',
  '10.0.0.256|1',
  'host|1',
  '10.0.0.7',
  '::1|1',
  '0.0.0.0|1',
  '224.0.0.1|1',
  '255.255.255.255|1',
]) {
  share(`${where} is nowhere to send a file`, () => {
    entered().follows([['< #bob|getfile|song.mp3'], [`< #bob|${where}`]]);
  });
}

for (const [ip, isPlace] of [
  ['::1', true],
  ['2001:db8::7', true],
  ['1:2:3:4:5:6:7:8', true],
  ['FE80::1', true],
  ['::', false],
  [':', false],
  [':::', false],
  ['1::2::3', false],
  ['1:2:3:4:5:6:7', false],
  ['1:2:3:4:5:6:7:8:9', false],
  ['1:2:3:4:5:6:7:8::', false],
  ['12345::', false],
  ['ff02::1', false],
  ['fe80::1%eth0', false],
  ['::ffff:10.0.0.7', false],
  ['localhost', false],
] as const) {
  share(`${ip} is ${isPlace ? 'a' : 'no'} place for our own wire, and none for the classic one`, () => {
    entered().follows([
      ['< #bob|getfile|song.mp3'],
      [`< #bob|${ip}|4000`],
      [`< #bob|${ip}|4000|gbn2|tok`, ...(isPlace ? [`=> serve song.mp3 to bob at ${ip}:4000 tok`] : [])],
    ]);
  });
}

share('every address that is taken is one', () => {
  const part = fc.oneof(
    fc.constantFrom('', '0', 'ff02', 'FFFF', '12345', '1.2.3.4'),
    fc.stringMatching(/^[\da-f]{0,5}$/),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
      const ip = parts.join(':');
      const place = readPlace([ip, '4000', 'gbn2', 'tok']);
      if (place) assert.ok(net.isIP(ip) > 0, ip);
    }),
  );
});

share('what is not there, or not shared, or outside, is refused', () => {
  const ask = (file: string) =>
    [
      [`< #bob|getfile|${file}`],
      ['< #bob|10.0.0.7|4000', `=> refuse ${file} to bob at 10.0.0.7:4000 not-found`],
    ] as const;
  entered().follows([...ask('other'), ...ask('../song.mp3'), ...ask('*.mp3')]);
  entered({ isSharing: false }).follows([...ask('song.mp3'), ['< #bob|whohas|song.mp3']]);
});

share('so many go out at once', () => {
  const desk = entered({ parallel: 1 });
  const request = { to: 'bob', file: 'song.mp3', ip: '10.0.0.7', port: 4000, token: undefined };
  const ask = ['< #bob|getfile|song.mp3|10.0.0.7|4000'] as const;
  desk.follows([
    [...ask, '=> serve song.mp3 to bob at 10.0.0.7:4000'],
    [...ask, '=> refuse song.mp3 to bob at 10.0.0.7:4000 busy'],
  ]);
  assert.equal(desk.face.served(request, 5000, 10, desk.now).map(tell), ['(song.mp3 to bob: sent, 5.0 kB in 0:00)']);
  desk.follows([[...ask, '=> serve song.mp3 to bob at 10.0.0.7:4000']]);
  assert.equal(desk.face.notServed(request, 'gone', desk.now).map(tell), ['(song.mp3 to bob: gone)']);
  desk.follows([[...ask, '=> serve song.mp3 to bob at 10.0.0.7:4000']]);
});

share('own commands are done when they come back', () => {
  entered().follows([
    ['> @me|clrshare|song.mp3', '-> @me|clrshare|song.mp3'],
    ['< #me|clrshare|song.mp3', '(not shared: song.mp3)'],
    ['< #bob|whohas|song.mp3'],
    ['< #me|GetShareStatus', '(sharing is on: 2 files, not song.mp3)'],
    ['< #me|setshare|other', '(there is no file other)'],
    ['< #me|setshare|*.mp3', '(shared: song.mp3)'],
    ['+50'],
    ['< #bob|whohas|song.mp3', '-> @bob|ME'],
    ['< #me|clrglobalshare', '(sharing is off)'],
    ['< #me|setshare|song.mp3', '(shared: song.mp3, as soon as sharing is on)'],
    ['< #bob|whohas|*'],
    ['< #me|setglobalshare', '(sharing is on: 3 files)'],
    ['< #me|setwindowsize|32', '=> window 32', '(window: 32 packets)'],
    ['< #me|setwindowsize|1', '(a window is a whole number from 2 to 1024)'],
    ['< #me|setwindowsize|many', '(a window is a whole number from 2 to 1024)'],
  ]);
});

share('questions without end are not all answered, and do not keep one from talking', () => {
  const desk = entered();
  desk.do('<~ #bob|hi');
  for (let at = 0; at < 1000; at++) desk.do('< #bob|whohas|*');
  desk.do('> @all|help');
  const sent = desk.pass(60_000);
  assert.is(sent.filter((line) => line === '-> @bob|ME').length, 20);
  assert.ok(sent.includes('-> @all|help'));
});

// --- fetching ------------------------------------------------------------------------------------------------------

const fetch = suite('client-pipe: fetching');

fetch('first a place, then two messages, apart', () => {
  const desk = entered().follows([['> @bob|getfile|song.ogg', '=> fetch song.ogg of bob']]);
  assert.equal(place(desk, 'bob', 'song.ogg', 'tok_-1'), ['-> @bob|getfile|song.ogg']);
  assert.equal(desk.pass(GAP_MS - 1), []);
  assert.equal(desk.pass(1), ['-> @bob|10.0.0.2|46268|gbn2|tok_-1']);
  const came = { owner: 'bob', file: 'song.ogg', path: 'folder/1song.ogg', bytes: 20_000_000, ms: 2000 };
  assert.equal(desk.face.arrived({ ...came, way: 'direct', isVerified: true }, desk.now).map(tell), [
    '(song.ogg from bob: it is in folder/1song.ogg: 20.0 MB in 0:02, straight from there, its SHA-256 is right)',
  ]);
  assert.equal(desk.face.failed(came, 'twice', desk.now).map(tell), []);
});

fetch('from our own server both at once', () => {
  const desk = entered();
  desk.do('> @all|ä');
  for (let at = 0; at < 2; at++) desk.do(ECHO);
  desk.do('> @bob|GETFILE|x');
  assert.equal(place(desk, 'bob', 'x'), ['-> @bob|getfile|x', '-> @bob|10.0.0.2|46268']);
});

for (const [line, refusal] of [
  ['@all|getfile|x', 'a file is asked of one: @NAME|getfile|FILE'],
  ['@me|getfile|x', 'x from me: that is you'],
  ['@ann|getfile|x', 'x from ann: that is you'],
  ['@ANN|getfile|x', 'x from ANN: that is you'],
  ['@ALL|getfile|x', 'a file is asked of one: @NAME|getfile|FILE'],
  ['@ME|getfile|x', 'x from ME: that is you'],
  ['@bob|getfile|../x', '../x from bob: a file name has no slash'],
] as const) {
  fetch(`${line} asks nobody`, () => {
    entered().follows([[`> ${line}`, `(${refusal})`]]);
  });
}

fetch('an owner who is not there', () => {
  const desk = entered();
  desk.do('> @bib|getfile|x');
  place(desk, 'bib', 'x');
  desk.pass(GAP_MS);
  const error = '< ERROR|Sorry, destination client not present in chatroom';
  desk.follows([[error, '=> abandon x of bib', '(x from bib: bib is not in this room)'], [error]]);
  // who of them is meant is not said
  desk.do('> @bob|getfile|x');
  desk.do('> @bib|hi');
  place(desk, 'bob', 'x');
  desk.follows([[error], ['+1000', '-> @bib|hi', '-> @bob|getfile|x', '-> @bob|10.0.0.2|46268']]);
});

fetch('an owner who has left may be waited for in vain', () => {
  const desk = entered();
  desk.do('> @Bob|getfile|x');
  place(desk, 'Bob', 'x');
  desk.follows([
    ['< INFO| User eve has left'],
    ['< INFO| User bob has left', '=> bob has left'],
    ['< #eve|INFO| User bob has left'],
  ]);
  desk.face.failed({ owner: 'Bob', file: 'x' }, 'Bob has left', desk.now);
  desk.follows([['< INFO| User bob has left']]);
});

fetch('a person is told that it comes through the server', () => {
  const x = { owner: 'alf', file: 'five.img' };
  assert.equal(entered().face.relaying(x).map(tell), [
    '(five.img from alf: not reached directly, it comes through the server)',
  ]);
  assert.equal(entered({ isPerson: false }).face.relaying(x), []);
});

fetch('a script waits for its files, and its status tells whether all came', () => {
  for (const [isMissed, leave] of [
    [false, '.'],
    [true, '.'],
    [false, '> @server|exit'],
  ] as const) {
    const desk = entered({ isPerson: false });
    desk.do('> @bob|getfile|x');
    desk.do('> @all|hi');
    desk.do(leave);
    place(desk, 'bob', 'x');
    assert.equal(desk.pass(60_000), ['-> @bob|getfile|x', '-> @bob|10.0.0.2|46268']);
    const x = { owner: 'bob', file: 'x' };
    const came = { ...x, path: 'folder/x', bytes: 1, ms: 1, way: 'classic', isVerified: false } as const;
    const told = isMissed ? desk.face.failed(x, 'no', desk.now) : desk.face.arrived(came, desk.now);
    assert.equal(told.map(tell).slice(1), ['-> @server|exit']);
    assert.equal(desk.do('<~ exit'), [GOODBYE, `exit ${isMissed ? 1 : 0}`]);
  }
});

// --- Tab -----------------------------------------------------------------------------------------------------------

const tab = suite('client-pipe: Tab');

tab('people, commands, files', () => {
  const desk = entered();
  for (const step of ['< INFO| New user berta has joined', '> @all|whohas|x.ogg', '< #bob|ME', '<~ #eve|hi'])
    desk.do(step);
  for (const [line, ...due] of [
    ['@b', '@berta|', '@bob|'],
    ['@e', '@eve|'],
    ['@al', '@all|'],
    ['@bob|', '@bob|whohas|', '@bob|getfile|'],
    ['@bob|g', '@bob|getfile|'],
    ['@bob|getfile|', '@bob|getfile|x.ogg'],
    ['@eve|getfile|'],
    ['@me|setw', '@me|setwindowsize|'],
    ['@me|clrshare|N', '@me|clrshare|Notes.md'],
    ['@server|get_p', '@server|get_peers', '@server|get_passwd'],
    ['@server|exit'],
    ['b'],
    [''],
  ] as const) {
    assert.equal(desk.face.complete(line), due, line);
  }
  desk.do('< INFO| User bob has left');
  assert.equal(desk.face.complete('@b'), ['@berta|']);
  desk.do('> @server|get_peers');
  desk.do('< ann|bernd|\x1b[2J');
  assert.equal(desk.face.complete('@be'), ['@bernd|', '@berta|']);
});

tab('on the way in', () => {
  const desk = new Desk().follows([
    ...GREETING,
    ['> ann', '-> ann'],
    ['< OK|Username ann accepted. Send create/join a chatroom'],
  ]);
  assert.equal(desk.face.complete('j'), ['join']);
  desk.do('> join');
  desk.do('< OK|Here is a list of chatrooms you can join.');
  desk.do('< den|diner|room');
  assert.equal(desk.face.complete('d'), ['den', 'diner']);
});

for (const one of [share, fetch, tab]) one.run();
