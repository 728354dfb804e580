import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Sniffed, sniff, sniffDatagram, sniffSilent } from '../src/sniff.ts';

/** One byte for each character. */
const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** What clients of each dialect send first. */
const OPENINGS: Record<Sniffed, readonly string[]> = {
  lab: [
    'HELO BASE_TEST\n',
    'HELO text\r\n',
    'HELO\n',
    'HELO\ttabbed\n',
    '\n\nHELO after blank lines\n',
    'KILL_SERVICE\n',
    'KILL_SERVICE',
    'JOIN_CHATROOM: room1\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ann\n',
    'JOIN_CHATROOM:room1\nCLIENT_IP:0\n',
    ' JOIN_CHATROOM: room1\n',
    'JOIN CHATROOM: room1\n',
    'join_chatroom: room1\n',
    'Join_Chatroom : room1\r\n',
    'LEAVE_CHATROOM: 0\nJOIN_ID: 1\n',
    'DISCONNECT: 0\nPORT: 0\n',
    'CHAT: 0\nJOIN_ID: 1\n',
    'CHAT:0\n',
    'CHAT : 0\n',
    'chat: 0\n',
  ],
  lobby: [
    'LGIN0042{"username": "griffin", "password": "123"}',
    'LTRQ0002{}',
    'HIST0027{"count": 5, "room": "den"}',
    'FIND0030{"words": "tea", "count": 20}',
    'LTRQ   2{}',
    'JOIN0022{"room": "griffsRoom"}',
    'JOIN  22{"room": "griffsRoom"}',
    'JOIN 122{"room": "a"}',
    'CUSR0038{"username": "a", "password": "b"}',
    'CHAT0102{"creator": "bob"}',
    'LOUT0018{"username": "a"}',
    'ROOM0013{"name": "x"}',
    'DELR0013{"name": "x"}',
    'CONN0002{}',
    'LTRQ0000',
    'LGIN0005hello',
    'GOOD0002[]',
  ],
  irc: [
    'CAP LS 302\r\n',
    'CAP LS\r\nNICK ann\r\nUSER ann 0 * :Ann\r\n',
    'NICK ann\r\n',
    'NICK :ann\r\n',
    'NICK ann\n',
    'USER guest 0 * :Real Name\r\n',
    'USER guest tolmoon tolsun :Ronnie Reagan\r\n',
    'PASS secret\r\nNICK ann\r\n',
    'AUTHENTICATE PLAIN\r\n',
    'WEBIRC password gateway host 10.0.0.1\r\n',
  ],
  http: [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n',
    'GET http://host/files/ann/pic.jpg HTTP/1.1\r\n',
    'GET HTTPS://host/ HTTP/1.1\r\n',
    'HEAD / HTTP/1.0\r\n',
    'POST /x HTTP/1.1\r\n',
    'PUT /relay/TICKET HTTP/1.1\r\n',
    'DELETE /x HTTP/1.1\r\n',
    'PATCH /x HTTP/1.1\r\n',
    'TRACE / HTTP/1.1\r\n',
    'OPTIONS * HTTP/1.1\r\n',
    'OPTIONS /x HTTP/1.1\r\n',
    'CONNECT example.org:443 HTTP/1.1\r\n',
    'CONNECT [2001:db8::1]:443 HTTP/1.1\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ],
  tls: ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '\x16\x03\x03\x00\xa5\x01\x00', '\x16\x03\x00\x00\x4a\x01'],
  menu: [
    ...['Ann', 'Heloise', 'HELOISE', 'HELO-Kitty', 'Nick Cave', 'Nick', 'NICK', 'Joe', 'Jo', 'JOE', 'JOIN', 'JOINT'],
    ...['CHATTY', 'CHAT', 'CHAT room', 'Chat', 'CHAT2026', 'CHAT   7', 'ROOM1234', 'Leave me alone', 'Disco', 'D'],
    ...['GET', 'GET up', 'GET house', 'GET *', 'PUT it', 'PUT hat on', 'HEAD', 'HEADless', 'POST hippie', 'DELETE me'],
    ...['CONNECT me', 'CONNECT me:up', 'PRI', 'PRISCILLA', 'OPTIONS', 'TRACEY', 'PATCH Adams', 'get /x', 'GET  /x'],
    ...[
      'USER 1',
      'USER',
      'USER a b',
      'USER 1 2 3',
      'CAP',
      'CAP  ',
      'Cap Nemo',
      'PASS',
      'PASSENGER',
      'nick ann',
      'CAPTAIN',
    ],
    ...['KILL', 'KILL_BILL', 'Killian', 'LGIN', 'LGIN12', 'LOUTish', 'GOOD', 'GOOD4321', 'ERROL', 'PREVIOUS', 'CONNIE'],
    ...[
      'ann: hello',
      'JOIN_ID: 1',
      'MESSAGE: x',
      '{}',
      '<html>',
      '0',
      '-',
      'Zo\xc3\xab',
      '\xe6\xbc\xa2\xe5\xad\x97',
      '\x1b[A',
    ],
    ...['Ann\t4000', 'HE\t4000', 'm\thello', 'x', 'ANYTHING 5828d335af7cc'],
  ].map((name) => `${name}\n`),
};
OPENINGS.menu = [
  ...OPENINGS.menu,
  ...OPENINGS.menu.map((line) => line.replace('\n', '\r\n')),
  '\x00\x03Ann',
  '\x00\x04HELO',
  '\x00\x0aJOIN_CHAT:',
  `\x01\x2c${'x'.repeat(300)}`,
  '\x16x',
  '\x80\x2e\x01\x03\x01',
];

const test = suite('sniff');

for (const [dialect, openings] of Object.entries(OPENINGS) as [Sniffed, readonly string[]][]) {
  for (const opening of openings) {
    test(`${JSON.stringify(opening)} is ${dialect}, and no prefix of it anything else`, () => {
      const bytes = bytesOf(opening);
      assert.is(sniff(bytes), dialect);
      assert.is(sniff(bytes, true), dialect, 'with nothing behind it');
      let decided = false;
      for (let length = 0; length <= bytes.length; length++) {
        const found = sniff(bytes.subarray(0, length));
        const prefix = JSON.stringify(opening.slice(0, length));
        assert.ok(found === 'more' || found === dialect, `${prefix} was taken for ${found}`);
        assert.not(decided && found === 'more', `${prefix} is undecided again`);
        decided = found !== 'more';
        const atEnd = sniff(bytes.subarray(0, length), true);
        assert.ok(
          atEnd === dialect || atEnd === 'menu' || isWholeOfAnother(opening.slice(0, length), atEnd),
          `${prefix}, ended: ${atEnd}`,
        );
      }
    });
  }
}

/** A prefix may be a whole opening of its own: `HELO`, of `HELO-Kitty`. */
function isWholeOfAnother(prefix: string, dialect: string): boolean {
  return (OPENINGS[dialect as Sniffed] ?? []).some((opening) => opening.trim() === prefix.trim());
}

test('is decided by the first bytes: what follows changes nothing', () => {
  const all = (Object.values(OPENINGS) as string[][]).flat().map(bytesOf);
  fc.assert(
    fc.property(fc.constantFrom(...all), fc.uint8Array({ maxLength: 6000 }), (opening, rest) => {
      const both = new Uint8Array(opening.length + rest.length);
      both.set(opening);
      both.set(rest, opening.length);
      assert.is(sniff(both), sniff(opening));
    }),
  );
});

test('any bytes: once decided, it stays', () => {
  const starts = (Object.values(OPENINGS) as string[][]).flat();
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .tuple(fc.constantFrom(...starts), fc.nat(20), fc.string({ maxLength: 20 }))
      .map(([a, cut, b]) => bytesOf(a.slice(0, cut) + b)),
  );
  fc.assert(
    fc.property(any, (bytes) => {
      let decided: string | undefined;
      for (let length = 0; length <= bytes.length; length++) {
        const found = sniff(bytes.subarray(0, length));
        if (decided !== undefined) assert.is(found, decided);
        if (found !== 'more') decided = found;
        assert.is.not(sniff(bytes.subarray(0, length), true), 'more');
      }
    }),
    { numRuns: 2000 },
  );
});

test('waits for the first word, however many blank lines come before it', () => {
  assert.is(sniff(bytesOf('')), 'more');
  assert.is(sniff(bytesOf('\r\n \n')), 'more');
  assert.is(sniff(bytesOf(''), true), 'menu');
});

test('looks at four KiB and no further', () => {
  assert.is(sniff(bytesOf(`${'\n'.repeat(5000)}HELO x\n`)), 'more');
});

for (const name of ['Jo', 'J', 'HE', 'CHAT', 'GET', 'NICK', 'NICK ', 'USER ann', 'LGIN', 'LGIN12', 'KILL', 'PRI *']) {
  test(`${JSON.stringify(name)} and then silence is a name`, () => {
    assert.is(sniff(bytesOf(name)), 'more');
    assert.is(sniffSilent(bytesOf(name)), 'menu');
    assert.is(sniffSilent(bytesOf(`\n ${name}`)), 'menu', 'behind blanks');
  });
}

for (const blank of ['', ' ', '\n', '\r\n\r\n', ' \t\n', '\0', '\0\x03', '\x16', '\x16\x03', '\x16\x03\x01']) {
  test(`${JSON.stringify(blank)} and then silence says nothing yet`, () => {
    assert.is(sniffSilent(bytesOf(blank)), 'more');
  });
}

for (const [opening, due] of [
  ['HELO', 'lab'],
  ['\nHELO', 'lab'],
  ['KILL_SERVICE', 'lab'],
  ['NICK ann', 'irc'],
  ['\0\x02J', 'menu'],
  ['\x80', 'menu'],
] as const) {
  test(`${JSON.stringify(opening)} and then silence is ${due}`, () => assert.is(sniffSilent(bytesOf(opening)), due));
}

test('silence decides as the end would, or not at all, and changes nothing that is decided', () => {
  const starts = (Object.values(OPENINGS) as string[][]).flat();
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(fc.constantFrom(...starts), fc.nat(30)).map(([opening, cut]) => bytesOf(opening.slice(0, cut))),
  );
  fc.assert(
    fc.property(any, (bytes) => {
      const found = sniffSilent(bytes);
      if (found === 'more') assert.not(/[^\0-\x20]/.test(String.fromCharCode(...bytes)));
      else {
        assert.is(found, sniff(bytes, true));
        const before = sniff(bytes);
        assert.ok(before === 'more' || before === found);
      }
    }),
    { numRuns: 2000 },
  );
});

test('tells datagrams', () => {
  assert.is(sniffDatagram(bytesOf('HELO x')), 'lab');
  assert.is(sniffDatagram(bytesOf('KILL_SERVICE')), 'lab');
  assert.is(sniffDatagram(bytesOf('JOIN_CHATROOM: r\nCLIENT_IP: 127.0.0.1\nPORT: 4000\nCLIENT_NAME: ann')), 'lab');
  assert.is(sniffDatagram(bytesOf('CHAT: 0')), 'lab');
  assert.is(sniffDatagram(bytesOf("{'type': 'freg', 'message': ('x', 3333)}")), 'datagram');
  for (const other of ['', 'CHAT', 'JOIN_CHA', 'hello', '\x00', '[1]'])
    assert.is(sniffDatagram(bytesOf(other)), 'unknown');
});

test.run();
