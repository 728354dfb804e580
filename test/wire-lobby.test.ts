import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProtocolError } from '../src/errors.ts';
import { pythonJson } from '../src/python-json.ts';
import type { Decoder } from '../src/wire.ts';
import {
  type Chat,
  chatTime,
  encodeReply,
  encodeRequest,
  type LobbyReply,
  LobbyReplyDecoder,
  type LobbyRequest,
  LobbyRequestDecoder,
  MAX_DATAGRAM_BYTES,
  MAX_FRAME_BYTES,
  type RoomList,
  readDatagram,
  roomsThatFit,
  splitChat,
} from '../src/wire-lobby.ts';
import { bytesOf, drain, everyByte, feed, join, watchQueues } from './decoders.ts';

type Sendable = Exclude<LobbyRequest, { kind: 'fault' }>;

const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
const X = (count: number): string => 'x'.repeat(count);
/** A frame with the size that it should have. */
const frame = (type: string, json: string): string => type + String(bytesOf(json).length).padStart(4, '0') + json;
const asks = (): LobbyRequestDecoder => new LobbyRequestDecoder();
const hears = (): LobbyReplyDecoder => new LobbyReplyDecoder();

const cuts = fc.array(fc.nat(200_000), { maxLength: 12 });

/** Whole, byte by byte, cut in two at every place, and at random: always the same. */
function decodes<M>(open: () => Decoder<M>, bytes: Uint8Array, due: readonly NoInfer<M>[]): void {
  assert.equal(feed(open(), bytes), due, 'whole');
  if (bytes.length < 12_000) assert.equal(feed(open(), bytes, everyByte(bytes)), due, 'byte by byte');
  if (bytes.length < 500) {
    for (const at of everyByte(bytes)) assert.equal(feed(open(), bytes, [at]), due, `cut at ${at}`);
  }
  fc.assert(
    fc.property(cuts, (at) => assert.equal(feed(open(), bytes, at), due)),
    { numRuns: 20 },
  );
}

/** Made without a prototype otherwise, and never with fields that are undefined. */
const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc
    .record(model, { noNullPrototype: true })
    .map((one) => Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)) as T);

/** The text of the ProtocolError that `run` throws. */
function complaint(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.instance(error, ProtocolError);
    assert.is((error as ProtocolError).code, 'malformed');
    return (error as ProtocolError).message;
  }
  assert.unreachable('nothing was thrown');
  return '';
}

const LIST: Sendable = { kind: 'list', all: false, skip: 0 };
const CHAT: Chat = { creator: 'bob', room: 'griffsRoom', contents: 'Hey Griff!', datetime: '03:53:24, 11/21/2026' };
const CHAT_JSON =
  '{"creator": "bob", "room": "griffsRoom", "contents": "Hey Griff!", "datetime": "03:53:24, 11/21/2026"}';

// --- requests ----------------------------------------------------------------------------------------------

const requests = suite('wire-lobby: requests');

/** Captured from classic programs, and what is ours. */
const REQUESTS: ReadonlyArray<readonly [string, Sendable, string]> = [
  ['login', { kind: 'login', name: 'griffin', password: '123' }, 'LGIN0042{"username": "griffin", "password": "123"}'],
  ['list', { kind: 'list', all: false, skip: 0 }, 'LTRQ0002{}'],
  ['join', { kind: 'join', room: 'griffsRoom', viaTcp: false }, 'JOIN0022{"room": "griffsRoom"}'],
  ['chat', { kind: 'chat', chat: CHAT }, `CHAT0102${CHAT_JSON}`],
  ['register', { kind: 'register', name: 'a', password: '' }, 'CUSR0033{"username": "a", "password": ""}'],
  ['logout', { kind: 'logout', name: 'griffin' }, 'LOUT0023{"username": "griffin"}'],
  ['make', { kind: 'make', room: 'r', description: '' }, 'ROOM0013{"name": "r"}'],
  ['delete', { kind: 'delete', room: 'r', owner: 'ann' }, 'DELR0029{"name": "r", "owner": "ann"}'],
  ['list all', { kind: 'list', all: true, skip: 120 }, 'LTRQ0026{"all": true, "skip": 120}'],
  [
    'join with all',
    { kind: 'join', room: 'r', password: 'p', viaTcp: true },
    'JOIN0044{"room": "r", "password": "p", "via": "tcp"}',
  ],
  [
    'join with an empty password',
    { kind: 'join', room: 'r', password: '', viaTcp: false },
    frame('JOIN', '{"room": "r", "password": ""}'),
  ],
  [
    'make with all',
    { kind: 'make', room: 'r', description: 'é', password: 'p' },
    'ROOM0055{"name": "r", "description": "\\u00e9", "password": "p"}',
  ],
  ['history', { kind: 'history', count: 10 }, 'HIST0013{"count": 10}'],
  [
    'history with all',
    { kind: 'history', room: 'r', count: 0, before: 7 },
    'HIST0038{"count": 0, "room": "r", "before": 7}',
  ],
  ['search', { kind: 'search', words: 'a "b"', count: 5 }, 'FIND0032{"words": "a \\"b\\"", "count": 5}'],
];

for (const [what, request, text] of REQUESTS) {
  requests(`${what}: encodes, decodes, whole and in pieces`, () => {
    assert.is(textOf(encodeRequest(request)), text);
    decodes(asks, bytesOf(text), [request]);
  });
}

requests('each behind each other one, glued', () => {
  for (const [first, a, aText] of REQUESTS) {
    for (const [second, b, bText] of REQUESTS) {
      assert.equal(feed(asks(), bytesOf(aText + bText)), [a, b], `${first} + ${second}`);
    }
  }
});

requests('the number of a chat is not sent to the server, nor taken from a client', () => {
  assert.is(textOf(encodeRequest({ kind: 'chat', chat: { ...CHAT, id: 5 } })), `CHAT0102${CHAT_JSON}`);
  const numbered = pythonJson({ ...CHAT, id: 5 });
  assert.equal(feed(asks(), bytesOf(frame('CHAT', numbered))), [{ kind: 'chat', chat: CHAT }]);
});

for (const [what, text, due] of [
  ['UTF-8 that is not escaped', frame('LOUT', '{"username":"Zoë 漢字 🙂"}'), 'Zoë 漢字 🙂'],
  ['blanks between all', frame('LOUT', ' {\r\n\t"username" : "a" } '), 'a'],
  ['keys twice: the last one', frame('LOUT', '{"username": "a", "username": "b"}'), 'b'],
  ['keys twice, of which the first is wrong', frame('LOUT', '{"username": 5, "username": "b"}'), 'b'],
  ['keys of others', frame('LOUT', '{"x": [1, {"y": null}], "username": "a", "id": "z"}'), 'a'],
  ['a key that is escaped', frame('LOUT', '{"\\u0075sername": "a"}'), 'a'],
  ['an unpaired surrogate', frame('LOUT', '{"username": "a\\ud800b\\udc00"}'), 'a\ufffdb\ufffd'],
  ['surrogates that are escaped', frame('LOUT', '{"username": "\\uD83D\\uDE42"}'), '🙂'],
  ['control characters', frame('LOUT', '{"username": "\\u0000\\n\\u001b"}'), '\0\n\x1b'],
  ['blanks for the zeros of the size', `LOUT  17{"username": "a"}`, 'a'],
  ['one blank', `LOUT 017{"username": "a"}`, 'a'],
  ['__proto__', frame('LOUT', '{"__proto__": {"username": "b"}, "username": "a", "constructor": 1}'), 'a'],
  ['deep nesting', frame('LOUT', `{"username": "a", "x": ${'['.repeat(4980)}${']'.repeat(4980)}}`), 'a'],
  ['numbers without bound', frame('LOUT', '{"username": "a", "x": 1e400, "y": -1e400, "z": 1e-999}'), 'a'],
  ['9,999 bytes', frame('LOUT', `{"username": "${X(9983)}"}`), X(9983)],
] as const) {
  requests(`reads ${what}`, () => {
    decodes(asks, bytesOf(text + frame('LTRQ', '{}')), [{ kind: 'logout', name: due }, LIST]);
  });
}

requests('two blanks and three', () => {
  decodes(asks, bytesOf('LTRQ   2{}LTRQ  02{}LTRQ 002{}'), [LIST, LIST, LIST]);
});

requests('whole numbers as JSON may write them', () => {
  for (const [written, count] of [
    ['7', 7],
    ['7.0', 7],
    ['7e2', 700],
    ['0', 0],
    ['-0', 0],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const) {
    const [found] = feed(asks(), bytesOf(frame('HIST', `{"count": ${written}}`)));
    assert.equal(found, { kind: 'history', count });
    assert.ok(found?.kind === 'history' && Object.is(found.count, count), written);
  }
});

/** Each is one fault, and the frame behind it is read. */
const FAULTS: ReadonlyArray<readonly [string, string]> = [
  [frame('LGIN', '{"username": "a"}'), 'LGIN: password is missing'],
  [frame('LGIN', '{"password": "a"}'), 'LGIN: username is missing'],
  [frame('LGIN', '{}'), 'LGIN: username is missing'],
  [frame('LGIN', '{"username": "a", "password": 123}'), 'LGIN: password must be text'],
  [frame('LGIN', '{"username": null, "password": "1"}'), 'LGIN: username must be text'],
  [frame('CUSR', '{"username": "a"}'), 'CUSR: password is missing'],
  [frame('CUSR', '{"username": ["a"], "password": ""}'), 'CUSR: username must be text'],
  [frame('LOUT', '{}'), 'LOUT: username is missing'],
  [frame('LOUT', '{"Username": "a"}'), 'LOUT: username is missing'],
  [frame('LOUT', '{"__proto__": {"username": "a"}}'), 'LOUT: username is missing'],
  [frame('LOUT', '{"constructor": {"username": "a"}, "toString": 1}'), 'LOUT: username is missing'],
  [frame('LTRQ', '{"all": 1}'), 'LTRQ: all must be true or false'],
  [frame('LTRQ', '{"all": "true"}'), 'LTRQ: all must be true or false'],
  [frame('LTRQ', '{"all": true, "skip": "1"}'), 'LTRQ: skip must be a whole number'],
  [frame('LTRQ', '{"all": true, "skip": -1}'), 'LTRQ: skip must be a whole number'],
  [frame('LTRQ', '{"all": true, "skip": 1.5}'), 'LTRQ: skip must be a whole number'],
  [frame('LTRQ', '{"all": true, "skip": 1e400}'), 'LTRQ: skip must be a whole number'],
  [frame('LTRQ', '{"all": true, "skip": 9007199254740992}'), 'LTRQ: skip must be a whole number'],
  [frame('LTRQ', '{"all": true, "skip": null}'), 'LTRQ: skip must be a whole number'],
  [frame('JOIN', '{}'), 'JOIN: room is missing'],
  [frame('JOIN', '{"room": {}}'), 'JOIN: room must be text'],
  [frame('JOIN', '{"room": "r", "password": 1}'), 'JOIN: password must be text'],
  [frame('JOIN', '{"room": "r", "via": "udp"}'), 'JOIN: via must be "tcp"'],
  [frame('JOIN', '{"room": "r", "via": true}'), 'JOIN: via must be "tcp"'],
  [frame('ROOM', '{"room": "r"}'), 'ROOM: name is missing'],
  [frame('ROOM', '{"name": "r", "description": 1}'), 'ROOM: description must be text'],
  [frame('ROOM', '{"name": "r", "password": false}'), 'ROOM: password must be text'],
  [frame('DELR', '{"name": "r"}'), 'DELR: owner is missing'],
  [frame('DELR', '{"owner": "r"}'), 'DELR: name is missing'],
  ...(['creator', 'room', 'contents', 'datetime'] as const).flatMap((field) => [
    [frame('CHAT', pythonJson({ ...CHAT, [field]: undefined })), `CHAT: ${field} is missing`] as const,
    [frame('CHAT', pythonJson({ ...CHAT, [field]: 7 })), `CHAT: ${field} must be text`] as const,
  ]),
  [frame('HIST', '{}'), 'HIST: count is missing'],
  [frame('HIST', '{"count": "5"}'), 'HIST: count must be a whole number'],
  [frame('HIST', '{"count": 5, "before": -2}'), 'HIST: before must be a whole number'],
  [frame('HIST', '{"count": 5, "room": 5}'), 'HIST: room must be text'],
  [frame('FIND', '{"words": "a"}'), 'FIND: count is missing'],
  [frame('FIND', '{"count": 1}'), 'FIND: words is missing'],
  ...['GOOD', 'ERRO', 'LTRS', 'CONN', 'PREV', 'lgin', 'Lgin', 'ABCD', 'TYPE'].map(
    (type) => [frame(type, '{}'), `${type} is not a request`] as const,
  ),
  [frame('GOOD', 'nonsense'), 'GOOD is not a request'],
  [frame('LG N', '{}'), '"LG N" is not a request'],
  [frame('\0\x1b"\n', '{}'), '"\\u0000\\u001b\\"\\n" is not a request'],
  [frame('éé', '{}'), '"\\u00c3\\u00a9\\u00c3\\u00a9" is not a request'],
  [frame('\r\n\r\n', '{}'), '"\\r\\n\\r\\n" is not a request'],
  [frame('LTRQ', ''), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', ' '), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '{'), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '{}}'), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '{} {}'), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', "{'a': 1}"), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '{"a": NaN}'), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '{"a": "\n"}'), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '\ufeff{}'), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '['.repeat(9999)), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '{"a":'.repeat(1999)), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '\0'.repeat(9999)), 'LTRQ: the payload is not JSON'],
  [frame('LTRQ', '[]'), 'LTRQ: an object was due'],
  [frame('LTRQ', '[{}]'), 'LTRQ: an object was due'],
  [frame('LTRQ', 'null'), 'LTRQ: an object was due'],
  [frame('LTRQ', '7'), 'LTRQ: an object was due'],
  [frame('LTRQ', '"{}"'), 'LTRQ: an object was due'],
  [frame('LTRQ', 'true'), 'LTRQ: an object was due'],
  [frame('LTRQ', `${'['.repeat(4999)}${']'.repeat(4999)}`), 'LTRQ: an object was due'],
];

for (const [text, detail] of FAULTS) {
  requests(`${JSON.stringify(text).slice(0, 60)} is a fault: ${detail}; the next one is read`, () => {
    const due = [
      { kind: 'fault', detail },
      { kind: 'logout', name: 'a' },
    ] as const;
    decodes(asks, bytesOf(text + frame('LOUT', '{"username": "a"}')), due);
  });
}

requests('what is not UTF-8 is a fault', () => {
  for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
    const payload = join(bytesOf('{"username": "'), Uint8Array.from(bad), bytesOf('"}'));
    const bytes = join(bytesOf(`LOUT00${payload.length}`), payload, bytesOf('LTRQ0002{}'));
    decodes(asks, bytes, [{ kind: 'fault', detail: 'LOUT: the payload is not UTF-8' }, LIST]);
  }
});

requests('nothing is put into the prototypes of all objects', () => {
  feed(asks(), bytesOf(frame('LTRQ', '{"__proto__": {"all": true}, "constructor": {"prototype": {"all": true}}}')));
  assert.is(Reflect.get({}, 'all'), undefined);
});

for (const size of [
  '002{',
  'abcd',
  '    ',
  '2   ',
  ' 2  ',
  '-002',
  '+002',
  '0x02',
  '2.00',
  '1e01',
  '1 00',
  '\t\t\t2',
  '٢',
  '00\0' + '2',
]) {
  requests(`${JSON.stringify(size)} is no size: the decoder is broken for good`, () => {
    const bytes = bytesOf(`LTRQ0002{}LTRQ${size}{}`);
    for (const at of [[], everyByte(bytes), [14], [17]]) {
      const decoder = asks();
      const found: LobbyRequest[] = [];
      const text = complaint(() => {
        let from = 0;
        for (const to of [...at, bytes.length]) {
          decoder.push(bytes.slice(from, to));
          for (let one = decoder.next(); one; one = decoder.next()) found.push(one);
          from = to;
        }
      });
      assert.match(text, /^a frame has its size in four digits, not "[ -~]*"$/);
      assert.is(found.length, 1);
      decoder.push(bytesOf('LTRQ0002{}'));
      assert.is(
        complaint(() => decoder.next()),
        text,
      );
      decoder.end();
      assert.is(
        complaint(() => decoder.next()),
        text,
      );
    }
  });
}

requests('a payload whose size counts characters puts the rest out of step', () => {
  const decoder = asks();
  decoder.push(bytesOf('LOUT0017{"username": "é"}LTRQ0002{}'));
  assert.equal(decoder.next(), { kind: 'fault', detail: 'LOUT: the payload is not JSON' });
  complaint(() => decoder.next());
});

requests('what is unfinished at the end is dropped', () => {
  const whole = bytesOf(frame('LOUT', '{"username": "a"}'));
  for (const at of everyByte(whole)) {
    const decoder = asks();
    assert.equal(feed(decoder, whole.subarray(0, at)), []);
    decoder.end();
    assert.equal(drain(decoder), []);
  }
  const decoder = asks();
  decoder.push(whole);
  decoder.push(bytesOf('LTR'));
  decoder.end();
  assert.equal(drain(decoder), [{ kind: 'logout', name: 'a' }]);
});

requests('what no frame can hold is a RangeError', () => {
  const chat = (length: number): Uint8Array => encodeRequest({ kind: 'chat', chat: { ...CHAT, contents: X(length) } });
  const empty = CHAT_JSON.length - CHAT.contents.length;
  assert.is(chat(9998 - empty).length, 8 + 9998);
  assert.is(textOf(chat(9999 - empty)).slice(0, 8), 'CHAT9999');
  assert.throws(
    () => chat(10_000 - empty),
    (error: unknown) => error instanceof RangeError,
  );
  assert.throws(() => encodeRequest({ kind: 'logout', name: 'é'.repeat(1700) }), /LOUT/);
});
requests.run();

// --- replies -----------------------------------------------------------------------------------------------

const replies = suite('wire-lobby: replies');

const ROOMS: RoomList = { kind: 'rooms', names: ['a', 'é'], more: { people: [2, 0], about: ['', 'x'], next: 9 } };
const REPLIES: ReadonlyArray<readonly [string, LobbyReply, string]> = [
  ['good', { kind: 'good', message: 'you are now logged in!' }, 'GOOD0037{"message": "you are now logged in!"}'],
  [
    'got your chat',
    { kind: 'good', message: 'got your chat: "Hey Griff!"' },
    'GOOD0044{"message": "got your chat: \\"Hey Griff!\\""}',
  ],
  ['rooms', { kind: 'rooms', names: ['griffsRoom'] }, 'LTRS0025{"rooms": ["griffsRoom"]}'],
  [
    'door',
    { kind: 'door', port: 45_107, group: '224.3.29.91', groupPort: 10_040, viaTcp: false },
    'CONN0057{"TCPport": 45107, "GRP": "224.3.29.91", "MCport": 10040}',
  ],
  ['no previous', { kind: 'previous', chats: [] }, 'PREV0013{"chats": []}'],
  ['chat', { kind: 'chat', chat: CHAT }, `CHAT0102${CHAT_JSON}`],
  [
    'error',
    { kind: 'error', message: 'invalad username or password.' },
    'ERRO0044{"message": "invalad username or password."}',
  ],
  ['no rooms', { kind: 'rooms', names: [] }, 'LTRS0013{"rooms": []}'],
  [
    'rooms with more',
    ROOMS,
    frame('LTRS', '{"rooms": ["a", "\\u00e9"], "people": [2, 0], "about": ["", "x"], "next": 9}'),
  ],
  [
    'no rooms with more',
    { kind: 'rooms', names: [], more: { people: [], about: [] } },
    frame('LTRS', '{"rooms": [], "people": [], "about": []}'),
  ],
  [
    'door via TCP',
    { kind: 'door', port: 1, group: '', groupPort: 0, viaTcp: true },
    frame('CONN', '{"TCPport": 1, "GRP": "", "MCport": 0, "via": "tcp"}'),
  ],
  [
    'previous',
    { kind: 'previous', chats: [{ ...CHAT, id: 7 }, CHAT] },
    frame('PREV', `{"chats": [${CHAT_JSON.slice(0, -1)}, "id": 7}, ${CHAT_JSON}]}`),
  ],
  [
    'chat with its number',
    { kind: 'chat', chat: { ...CHAT, id: 0 } },
    frame('CHAT', `${CHAT_JSON.slice(0, -1)}, "id": 0}`),
  ],
];

for (const [what, reply, text] of REPLIES) {
  replies(`${what}: encodes, decodes, whole and in pieces; as a datagram`, () => {
    assert.is(textOf(encodeReply(reply)), text);
    decodes(hears, bytesOf(text), [reply]);
    assert.equal(readDatagram(bytesOf(text)), reply);
  });
}

replies('each behind each other one, glued', () => {
  for (const [first, a, aText] of REPLIES) {
    for (const [second, b, bText] of REPLIES) {
      assert.equal(feed(hears(), bytesOf(aText + bText)), [a, b], `${first} + ${second}`);
    }
  }
});

/** Fields of ours that some other server means otherwise. */
for (const [text, due] of [
  [frame('LTRS', '{"rooms": ["a"], "people": 5}'), { kind: 'rooms', names: ['a'] }],
  [frame('LTRS', '{"rooms": ["a"], "people": ["b"], "about": [""]}'), { kind: 'rooms', names: ['a'] }],
  [frame('LTRS', '{"rooms": ["a"], "people": [1, 2], "about": [""]}'), { kind: 'rooms', names: ['a'] }],
  [frame('LTRS', '{"rooms": ["a"], "people": [1], "about": []}'), { kind: 'rooms', names: ['a'] }],
  [
    frame('LTRS', '{"rooms": ["a"], "people": [1], "about": [""], "next": "b"}'),
    { kind: 'rooms', names: ['a'], more: { people: [1], about: [''] } },
  ],
  [frame('CHAT', `${CHAT_JSON.slice(0, -1)}, "id": "abc"}`), { kind: 'chat', chat: CHAT }],
  [
    frame('CONN', '{"TCPport": 1, "GRP": "g", "MCport": 2, "via": 7}'),
    { kind: 'door', port: 1, group: 'g', groupPort: 2, viaTcp: false },
  ],
] as const) {
  replies(`${text.slice(0, 70)}: what is no field of ours is not looked at`, () => {
    assert.equal(feed(hears(), bytesOf(text)), [due as LobbyReply]);
  });
}

for (const [text, due] of [
  [frame('NEWS', '{}'), 'NEWS is not a reply'],
  [frame('good', '{"message": ""}'), 'good is not a reply'],
  [frame('LGIN', '{}'), 'LGIN is not a reply'],
  [frame('HTTP', '{}'), 'HTTP is not a reply'],
  [frame('GOOD', '{}'), 'GOOD: message is missing'],
  [frame('GOOD', '{"message": 1}'), 'GOOD: message must be text'],
  [frame('ERRO', '[]'), 'ERRO: an object was due'],
  [frame('GOOD', ''), 'GOOD: the payload is not JSON'],
  [frame('LTRS', '{}'), 'LTRS: rooms is missing'],
  [frame('LTRS', '{"rooms": "a"}'), 'LTRS: rooms must be a list of texts'],
  [frame('LTRS', '{"rooms": ["a", 1]}'), 'LTRS: rooms must be a list of texts'],
  [frame('CONN', '{"GRP": "g", "MCport": 1}'), 'CONN: TCPport is missing'],
  [frame('CONN', '{"TCPport": 1, "MCport": 1}'), 'CONN: GRP is missing'],
  [frame('CONN', '{"TCPport": 1, "GRP": "g"}'), 'CONN: MCport is missing'],
  [frame('CONN', '{"TCPport": "1", "GRP": "g", "MCport": 1}'), 'CONN: TCPport must be a port'],
  [frame('CONN', '{"TCPport": 65536, "GRP": "g", "MCport": 1}'), 'CONN: TCPport must be a port'],
  [frame('CONN', '{"TCPport": 1, "GRP": "g", "MCport": -1}'), 'CONN: MCport must be a port'],
  [frame('PREV', '{}'), 'PREV: chats is missing'],
  [frame('PREV', '{"chats": {}}'), 'PREV: chats must be a list'],
  [frame('PREV', '{"chats": [7]}'), 'PREV: an object was due'],
  [frame('PREV', '{"chats": [{"creator": ""}]}'), 'PREV: room is missing'],
  [frame('CHAT', '{"creator": "a"}'), 'CHAT: room is missing'],
  ['GOODabcd{}', 'a frame has its size in four digits, not "abcd"'],
  ['HTTP/1.1 400 Bad Request\r\n', 'a frame has its size in four digits, not "/1.1"'],
] as const) {
  replies(`${JSON.stringify(text).slice(0, 60)} breaks the client’s decoder: ${due}`, () => {
    const decoder = hears();
    decoder.push(bytesOf(`GOOD0015{"message": ""}${text}GOOD0015{"message": ""}`));
    assert.equal(decoder.next(), { kind: 'good', message: '' });
    for (let times = 0; times < 3; times++) {
      assert.is(
        complaint(() => decoder.next()),
        due,
      );
      decoder.push(bytesOf('GOOD0015{"message": ""}'));
      decoder.end();
    }
    if (!due.startsWith('a frame')) assert.is(readDatagram(bytesOf(text)), undefined);
  });
}

replies('a frame that is cut off by the end is told', () => {
  const whole = bytesOf('GOOD0015{"message": ""}');
  for (const at of everyByte(whole)) {
    const decoder = hears();
    assert.equal(feed(decoder, join(whole, whole.subarray(0, at))).length, 1);
    decoder.end();
    if (at === 0) assert.is(decoder.next(), undefined);
    else
      assert.is(
        complaint(() => decoder.next()),
        'the last frame was cut off',
      );
  }
});

replies('the size of a datagram is not looked at', () => {
  const chat = { kind: 'chat', chat: CHAT } as const;
  for (const size of ['0000', '9999', 'abcd', '    ', '0102']) {
    assert.equal(readDatagram(bytesOf(`CHAT${size}${CHAT_JSON}`)), chat);
  }
  for (const text of [
    '',
    'CHAT',
    'CHAT0102',
    `CHAT0102${CHAT_JSON.slice(1)}`,
    `CHAT0102${CHAT_JSON}x`,
    `chat0102${CHAT_JSON}`,
  ]) {
    assert.is(readDatagram(bytesOf(text)), undefined, text);
  }
  assert.is(readDatagram(Uint8Array.of(...bytesOf('CHAT0003{"'), 0xff)), undefined);
});
replies.run();

// --- what fits ---------------------------------------------------------------------------------------------

const fits = suite('wire-lobby: what fits');

function heard(reply: LobbyReply): LobbyReply {
  const bytes = encodeReply(reply);
  assert.ok(bytes.length <= MAX_FRAME_BYTES);
  assert.match(textOf(bytes), /^[ -~]*$/);
  const [found, ...others] = feed(hears(), bytes);
  assert.ok(found);
  assert.equal(others, []);
  return found;
}

for (const kind of ['good', 'error'] as const) {
  fits(`${kind}: a message of 9,999 bytes is whole, a longer one is cut short`, () => {
    const empty = '{"message": ""}'.length;
    for (const [payload, due] of [
      [9998, 9998],
      [9999, 9999],
      [10_000, 9999],
      [70_000, 9999],
    ] as const) {
      const message = X(payload - empty);
      assert.is(encodeReply({ kind, message }).length, 8 + due);
      const found = heard({ kind, message });
      assert.equal(found, { kind, message: payload <= 9999 ? message : `${X(9999 - empty - 6)}…` });
    }
  });
}

for (const unit of ['"', '\\', '\n', '\x01', 'é', '🙂', '👩‍👩‍👧', 'e\u0301', '\ud800', 'a\\"é']) {
  fits(`an answer that repeats a long chat of ${JSON.stringify(unit)} is cut at a character`, () => {
    for (let lead = 0; lead < 13; lead++) {
      const text = unit.repeat(9000).toWellFormed();
      const found = heard({ kind: 'good', message: `got your chat: "${X(lead)}${text}"` });
      assert.ok(found.kind === 'good' && found.message.endsWith('…'));
      const kept = found.message.slice(`got your chat: "${X(lead)}`.length, -1);
      assert.ok(text.startsWith(kept));
      if (unit !== 'a\\"é') assert.is(kept.length % unit.length, 0);
      assert.ok(pythonJson({ message: found.message }).length > 9999 - 60);
    }
  });
}

const chatOf = (contents: string, id?: number): Chat => ({ ...CHAT, contents, ...(id === undefined ? {} : { id }) });
/** A PREV with two chats has so many bytes when they are empty. */
const TWO_CHATS = pythonJson({ chats: [{ ...chatOf('') }, { ...chatOf('') }] }).length;

for (const [payload, due] of [
  [9998, 2],
  [9999, 2],
  [10_000, 1],
] as const) {
  fits(`two previous chats of ${payload} bytes: ${due} of them`, () => {
    const chats = [chatOf(X(payload - TWO_CHATS - 100)), chatOf('y'.repeat(100))];
    assert.is(pythonJson({ chats: chats.map((chat) => ({ ...chat })) }).length, payload);
    assert.equal(heard({ kind: 'previous', chats }), { kind: 'previous', chats: chats.slice(-due) });
  });
}

fits('of previous chats the newest are kept, the oldest of them first', () => {
  const chats = Array.from({ length: 40 }, (_, index) => chatOf('é'.repeat(100), index));
  const found = heard({ kind: 'previous', chats });
  assert.ok(found.kind === 'previous' && found.chats.length > 10);
  assert.equal(found.chats, chats.slice(-found.chats.length));
  assert.ok(pythonJson({ chats: chats.slice(-found.chats.length - 1).map((chat) => ({ ...chat })) }).length > 9999);
});

fits('behind a chat that is too long by itself none is kept: there are no gaps', () => {
  const chats = [chatOf('a'), chatOf(X(20_000)), chatOf('b')];
  assert.equal(heard({ kind: 'previous', chats }), { kind: 'previous', chats: chats.slice(2) });
  assert.equal(heard({ kind: 'previous', chats: [chatOf(X(20_000))] }), { kind: 'previous', chats: [] });
});

fits('a chat that no frame can hold is a RangeError', () => {
  assert.throws(
    () => encodeReply({ kind: 'chat', chat: chatOf(X(10_000)) }),
    (error: unknown) => error instanceof RangeError,
  );
});

for (const [payload, due] of [
  [9998, 3],
  [9999, 3],
  [10_000, 2],
] as const) {
  fits(`names of three rooms in ${payload} bytes: ${due} of them`, () => {
    const around = pythonJson({ rooms: ['', '', ''] }).length;
    const names = [X(5000), 'b', X(payload - around - 5001)];
    const list: RoomList = { kind: 'rooms', names };
    assert.is(roomsThatFit(list), due);
    assert.equal(heard(list), { kind: 'rooms', names: names.slice(0, due) });
  });

  fits(`three rooms with more in ${payload} bytes: ${due} of them`, () => {
    for (const next of [undefined, 3, 1000]) {
      const people = [0, 12, 345];
      const about = ['', 'é', X(3000)];
      const around = pythonJson({ rooms: ['', '', ''], people, about, next }).length;
      const names = [X(3000), 'b', X(payload - around - 3001)];
      const list: RoomList = { kind: 'rooms', names, more: { people, about, next } };
      assert.is(roomsThatFit(list), due);
      const found = heard(list);
      assert.ok(found.kind === 'rooms' && found.more);
      assert.equal(
        [found.names, found.more.people, found.more.about],
        [names, people, about].map((all) => all.slice(0, due)),
      );
      assert.is(found.more.next, next ?? (due === 3 ? undefined : 2), 'it goes on behind them');
    }
  });
}

fits('what is said of a room never keeps it out of the list', () => {
  const names = ['🙂'.repeat(32), 'b'];
  const about = ['é'.repeat(5000), 'x'];
  const found = heard({ kind: 'rooms', names, more: { people: [1, 2], about } });
  assert.ok(found.kind === 'rooms' && found.more);
  assert.equal(found.names, names);
  assert.ok(found.more.about[0]?.endsWith('é…'));
});

const name = fc.string({
  unit: fc.oneof(fc.constantFrom('a', 'é', '🙂', '"'), fc.string({ unit: 'binary', maxLength: 1 })),
  maxLength: 64,
});
const wellFormed = name.map((text) => text.toWellFormed());

fits('page after page, any list is told whole', () => {
  const room = record({ name: wellFormed, people: fc.nat(5000), about: wellFormed.map((text) => text.repeat(4)) });
  fc.assert(
    fc.property(fc.array(room, { minLength: 1, maxLength: 60, size: 'max' }), fc.boolean(), (all, isCut) => {
      const told: unknown[] = [];
      for (let skip = 0; skip < all.length; ) {
        const those = all.slice(skip);
        const list = {
          kind: 'rooms',
          names: those.map((one) => one.name),
          more: { people: those.map((one) => one.people), about: those.map((one) => one.about) },
        } as const;
        const fit = roomsThatFit(list);
        assert.ok(fit > 0);
        const next = fit === those.length ? undefined : skip + fit;
        const end = isCut ? fit : those.length;
        const cut: RoomList = {
          kind: 'rooms',
          names: list.names.slice(0, end),
          more: { people: list.more.people.slice(0, end), about: list.more.about.slice(0, end), next },
        };
        const found = heard(cut);
        assert.ok(found.kind === 'rooms' && found.more);
        assert.is(found.names.length, fit);
        assert.is(found.more.next, next);
        const { more } = found;
        told.push(...found.names.map((is, at) => ({ name: is, people: more.people[at], about: more.about[at] })));
        skip += fit;
      }
      assert.equal(told, all);
    }),
    { numRuns: 60 },
  );
});

fits('a list of very many rooms takes no longer than what fits', () => {
  const names = Array.from({ length: 100_000 }, (_, index) => `room ${index}`);
  const about = names.map(() => X(50));
  const list: RoomList = { kind: 'rooms', names, more: { people: names.map(() => 1), about } };
  const since = performance.now();
  for (let times = 0; times < 100; times++) assert.ok(roomsThatFit(list) > 100);
  assert.ok(performance.now() - since < 2000);
});
fits.run();

// --- splitting ---------------------------------------------------------------------------------------------

const split = suite('wire-lobby: splitChat');
const frameBytes = (chat: Chat): number => encodeReply({ kind: 'chat', chat }).length;
const FAMILY = '👩‍👩‍👧';

split('an empty chat is one piece, and so is one that just fits', () => {
  assert.equal(splitChat(chatOf(''), MAX_DATAGRAM_BYTES), [chatOf('')]);
  const room = MAX_DATAGRAM_BYTES - frameBytes(chatOf(''));
  for (const [unit, count] of [
    ['x', room],
    ['"', Math.floor(room / 2)],
    ['é', Math.floor(room / 6)],
    ['🙂', Math.floor(room / 12)],
  ] as const) {
    assert.equal(splitChat(chatOf(unit.repeat(count)), MAX_DATAGRAM_BYTES), [chatOf(unit.repeat(count))]);
    assert.equal(splitChat(chatOf(unit.repeat(count + 1)), MAX_DATAGRAM_BYTES), [
      chatOf(unit.repeat(count)),
      chatOf(unit),
    ]);
  }
  assert.is(frameBytes(chatOf(X(room))), MAX_DATAGRAM_BYTES);
});

split('a whole frame holds no more than its size can say', () => {
  for (const most of [MAX_FRAME_BYTES, 20_000]) {
    const pieces = splitChat(chatOf(X(20_000)), most);
    assert.is(frameBytes(pieces[0] as Chat), MAX_FRAME_BYTES);
    assert.is(pieces.length, 3);
  }
});

split('pieces keep creator, room, time and number', () => {
  for (const piece of splitChat({ ...chatOf(X(3000)), id: 7 }, MAX_DATAGRAM_BYTES)) {
    assert.equal({ ...piece, contents: '' }, { ...CHAT, contents: '', id: 7 });
    assert.ok(frameBytes(piece) <= MAX_DATAGRAM_BYTES);
  }
});

const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      'a',
      ' ',
      '"',
      '\\',
      '\n',
      '\r\n',
      '\x01',
      '\x7f',
      'é',
      '漢',
      '🙂',
      'e\u0301',
      FAMILY,
      '🇮🇪',
      '🏽',
      '\u0301',
      '\ud800',
      '\udc00',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 600,
  size: 'max',
});

split('pieces fit, join to the whole, and cut no character that fits', () => {
  fc.assert(
    fc.property(anyText, name, name, fc.integer({ min: 0, max: 400 }), (contents, creator, room, more) => {
      const chat = { ...CHAT, creator, room, contents };
      const around = frameBytes({ ...chat, contents: '' });
      const most = around + 12 + more;
      const pieces = splitChat(chat, most);
      assert.is(pieces.map((piece) => piece.contents).join(''), contents);
      const ends = new Set<number>();
      let at = 0;
      for (const piece of pieces) {
        assert.ok(frameBytes(piece) <= most);
        assert.ok(piece.contents !== '' || contents === '');
        at += piece.contents.length;
        ends.add(at);
      }
      for (let end = 1; end < contents.length; end++) {
        if (ends.has(end)) assert.not(/^[\ud800-\udbff][\udc00-\udfff]$/.test(contents.slice(end - 1, end + 1)));
      }
      for (const { index, segment } of new Intl.Segmenter('und').segment(contents)) {
        if (pythonJson(segment).length - 2 > 12 + more) continue;
        for (let inside = index + 1; inside < index + segment.length; inside++) assert.not(ends.has(inside));
      }
    }),
    { numRuns: 300 },
  );
});

for (const [what, longest] of [
  ['astral', '🙂'.repeat(32)],
  ['control', '\x01'.repeat(64)],
] as const) {
  split(`names of 64 ${what} characters leave room in a datagram`, () => {
    const chat = { creator: longest, room: longest, contents: `${FAMILY}é`.repeat(100), datetime: CHAT.datetime };
    const pieces = splitChat(chat, MAX_DATAGRAM_BYTES);
    assert.ok(pieces.every((piece) => frameBytes(piece) <= MAX_DATAGRAM_BYTES));
    assert.is(pieces.map((piece) => piece.contents).join(''), chat.contents);
    for (const { contents } of pieces) assert.match(contents, /^(?:é|👩‍👩‍👧)+$/u);
  });
}

split('no room at all is a RangeError, unless there is nothing to say', () => {
  const chat = { ...CHAT, creator: '\x01'.repeat(200), contents: 'hello, world!' };
  assert.throws(
    () => splitChat(chat, MAX_DATAGRAM_BYTES),
    (error: unknown) => error instanceof RangeError,
  );
  const around = frameBytes({ ...CHAT, contents: '' });
  assert.equal(splitChat(chatOf('hi'), around + 2), [chatOf('hi')]);
  assert.throws(
    () => splitChat(chatOf('hi!'), around + 2),
    (error: unknown) => error instanceof RangeError,
  );
});

split('64 KiB of any text are split in time that grows with the text only', () => {
  for (const unit of [
    'x',
    '"',
    '\x01',
    'é',
    '漢',
    '🙂',
    FAMILY,
    'e\u0301',
    '\u0301',
    '\u200d',
    '🇮🇪',
    '\r',
    '\r\n',
    'नि',
    '각',
    '\ud800',
  ]) {
    const contents = unit.repeat(Math.ceil(65_536 / unit.length));
    const since = performance.now();
    const pieces = splitChat(chatOf(contents), MAX_DATAGRAM_BYTES);
    assert.ok(performance.now() - since < 1500, `${JSON.stringify(unit)}: ${performance.now() - since} ms`);
    assert.is(pieces.map((piece) => piece.contents).join(''), contents);
    assert.ok(pieces.length < 1000);
  }
});

split('the time is local, and padded', () => {
  assert.is(chatTime(new Date(2026, 10, 21, 3, 53, 24).getTime()), '03:53:24, 11/21/2026');
  assert.is(chatTime(new Date(2026, 0, 2, 0, 0, 0, 999).getTime()), '00:00:00, 01/02/2026');
  assert.is(chatTime(new Date(1999, 11, 31, 23, 59, 59).getTime()), '23:59:59, 12/31/1999');
});
split.run();

// --- any bytes ---------------------------------------------------------------------------------------------

const law = suite('wire-lobby: any bytes');

const some = fc
  .string({
    unit: fc.oneof(fc.constantFrom('a', 'é', '🙂', '"', '\\', '\0'), fc.string({ unit: 'grapheme', maxLength: 1 })),
    maxLength: 30,
  })
  .map((text) => text.toWellFormed());
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
const whole = fc.maxSafeNat();
const is = <K extends string>(kind: K): fc.Arbitrary<K> => fc.constant(kind);

const chat = record<Chat>({ creator: some, room: some, contents: some, datetime: some });
const numbered = record<Chat>({ creator: some, room: some, contents: some, datetime: some, id: maybe(whole) });
const request: fc.Arbitrary<Sendable> = fc.oneof(
  record({ kind: fc.constantFrom('register', 'login'), name: some, password: some }),
  record({ kind: is('logout'), name: some }),
  fc.constant({ kind: 'list', all: false, skip: 0 } as const),
  record({ kind: is('list'), all: fc.constant(true), skip: whole }),
  record({ kind: is('join'), room: some, password: maybe(some), viaTcp: fc.boolean() }),
  record({ kind: is('make'), room: some, description: some, password: maybe(some) }),
  record({ kind: is('delete'), room: some, owner: some }),
  record({ kind: is('chat'), chat }),
  record({ kind: is('history'), room: maybe(some), count: whole, before: maybe(whole) }),
  record({ kind: is('search'), words: some, count: whole }),
);
const port = fc.nat(65_535);
const reply: fc.Arbitrary<LobbyReply> = fc.oneof(
  record({ kind: fc.constantFrom('good', 'error'), message: some }),
  record({ kind: is('rooms'), names: fc.array(some, { maxLength: 5 }) }),
  fc.tuple(fc.array(fc.tuple(some, whole, some), { maxLength: 4 }), maybe(whole)).map(([all, next]): LobbyReply => {
    const more = { people: all.map(([, people]) => people), about: all.map(([, , about]) => about) };
    return { kind: 'rooms', names: all.map(([first]) => first), more: next === undefined ? more : { ...more, next } };
  }),
  record({ kind: is('door'), port, group: some, groupPort: port, viaTcp: fc.boolean() }),
  record({ kind: is('previous'), chats: fc.array(numbered, { maxLength: 3 }) }),
  record({ kind: is('chat'), chat: numbered }),
);

law('any requests come back as they were, cut anywhere', () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 6 }), cuts, (all, at) => {
      const bytes = join(...all.map(encodeRequest));
      assert.match(textOf(bytes), /^[ -~]*$/);
      assert.equal(feed(asks(), bytes, at), all);
    }),
    { numRuns: 500 },
  );
});

law('any replies come back as they were, cut anywhere', () => {
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 6 }), cuts, (all, at) => {
      const bytes = join(...all.map(encodeReply));
      assert.match(textOf(bytes), /^[ -~]*$/);
      assert.equal(feed(hears(), bytes, at), all);
      for (const one of all) assert.equal(readDatagram(encodeReply(one)), one);
    }),
    { numRuns: 500 },
  );
});

/** Anything, what comes near to what is meant, and what is meant but for a few bytes. */
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .array(
      fc.constantFrom(
        ...[
          'LGIN',
          'LTRQ0002{}',
          'CHAT',
          'GOOD0015',
          '0000',
          '0002',
          '   2',
          '9999',
          '{',
          '}',
          '{}',
          '[]',
          'null',
          '"',
        ],
        ...[
          '"username"',
          '"room": "a"',
          ', ',
          ': ',
          '\\ud800',
          '\0',
          '漢',
          '{"message": ""}',
          '{"count": 1e400}',
          X(1000),
        ],
      ),
      { maxLength: 30 },
    )
    .map((parts) => bytesOf(parts.join(''))),
  fc
    .tuple(
      fc.array(fc.oneof(request.map(encodeRequest), reply.map(encodeReply)), { maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 3 }),
    )
    .map(([frames, changes]) => {
      const bytes = join(...frames);
      for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      return bytes;
    }),
);

/** What comes out, and the error at the end. */
function outcome<M>(decoder: Decoder<M>, bytes: Uint8Array, at: readonly number[]): unknown[] {
  const found: unknown[] = [];
  const ends = [...new Set(at.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  let error: unknown;
  for (const to of [...ends, bytes.length]) {
    decoder.push(bytes.slice(from, to));
    if (to === bytes.length) decoder.end();
    from = to;
    try {
      for (let one = decoder.next(); one !== undefined; one = decoder.next()) found.push(one);
    } catch (thrown) {
      assert.instance(thrown, ProtocolError);
      assert.ok(error === undefined || error === thrown, 'it stays broken');
      error = thrown;
    }
  }
  if (error) found.push((error as ProtocolError).message);
  return found;
}

law('give messages or a ProtocolError, the same however they are cut', () => {
  fc.assert(
    fc.property(anything, cuts, (bytes, at) => {
      for (const open of [asks, hears] as const) {
        const due = outcome<unknown>(open(), bytes, []);
        assert.equal(outcome<unknown>(open(), bytes, at), due);
        assert.equal(outcome<unknown>(open(), bytes, everyByte(bytes)), due);
      }
      readDatagram(bytes);
    }),
    { numRuns: 1000 },
  );
});

law('details are of ASCII and short, so that they can be sent and logged', () => {
  fc.assert(
    fc.property(anything, (bytes) => {
      for (const one of outcome<LobbyRequest>(asks(), bytes, []) as (LobbyRequest | string)[]) {
        const detail = typeof one === 'string' ? one : one.kind === 'fault' ? one.detail : '';
        assert.match(detail, /^[ -~]{0,80}$/);
      }
    }),
    { numRuns: 500 },
  );
});

law('never keep more than a frame and what came last; nothing once it is broken', () => {
  const CHUNK = 64 * 1024;
  const { most } = watchQueues((held) => {
    const good = bytesOf(frame('LTRQ', X(9999)).repeat(7)).subarray(0, CHUNK);
    for (const chunk of [good, bytesOf('1'.repeat(CHUNK)), bytesOf('x'.repeat(CHUNK))]) {
      for (const decoder of [asks(), hears()] as const) {
        held.pushes = 0;
        let isBroken = false;
        for (let count = 0; count < 20; count++) {
          decoder.push(chunk);
          try {
            drain<unknown>(decoder);
          } catch {
            isBroken = true;
          }
          if (isBroken) assert.ok(held.pushes <= 20);
        }
        if (chunk[0] === 0x78) assert.is(held.pushes, 1);
      }
    }
  });
  assert.ok(most > CHUNK && most <= CHUNK + MAX_FRAME_BYTES, `${most} bytes were kept`);
});

law('take time in proportion to their number, byte by byte too', () => {
  const bytes = bytesOf(frame('LTRQ', `{"x": "${X(9990)}"}`));
  const decoder = asks();
  const since = performance.now();
  for (let times = 0; times < 50; times++)
    for (const at of bytes.keys()) {
      decoder.push(bytes.subarray(at, at + 1));
      if (decoder.next()) assert.is(at, bytes.length - 1);
    }
  assert.ok(performance.now() - since < 3000);
});
law.run();
