import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProtocolError } from '../src/errors.ts';
import {
  decodeLabDatagram,
  encodeReply,
  encodeRequest,
  type LabReply,
  LabReplyDecoder,
  type LabRequest,
  LabRequestDecoder,
  MAX_TEXT_BYTES,
} from '../src/wire-lab.ts';
import { bytesOf, drain, everyByte, feed, join } from './decoders.ts';

type Sendable = Exclude<LabRequest, { kind: 'other' | 'fault' }>;

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const requests = (text: string | Uint8Array): LabRequest[] =>
  feed(new LabRequestDecoder(), typeof text === 'string' ? bytesOf(text) : text);

/** The same requests with the bytes of a line as text, to be compared and read in a failure. */
const plain = (messages: readonly (LabRequest | LabReply)[]): unknown[] =>
  messages.map((message) =>
    'line' in message && typeof message.line !== 'string' ? { ...message, line: textOf(message.line) } : message,
  );

const helo = (text: string): LabRequest => ({ kind: 'helo', line: bytesOf(text) });
const chat = (text: string, ref = '0', joinId = '1', name = 'ann'): LabRequest => ({
  kind: 'chat',
  ref,
  joinId,
  name,
  text,
});
const CHAT_HEAD = 'CHAT: 0\nJOIN_ID: 1\nCLIENT_NAME: ann\n';
const JOIN: LabRequest = { kind: 'join', room: 'room1', ip: '0', port: '0', name: 'ann' };
const LEAVE: LabRequest = { kind: 'leave', ref: '0', joinId: '1', name: 'ben' };
const DISCONNECT: LabRequest = { kind: 'disconnect', ip: '0', port: '0', name: 'ben' };

function same(found: readonly (LabRequest | LabReply)[], due: readonly (LabRequest | LabReply)[], why?: string): void {
  assert.equal(plain(found), plain(due), why);
}

function fault(request: LabRequest | undefined, code: string, detail: RegExp): void {
  assert.is(request?.kind, 'fault', JSON.stringify(request)?.slice(0, 200));
  if (request?.kind !== 'fault') return;
  assert.is(request.code, code);
  assert.match(request.detail, detail);
}

// --- the tables ------------------------------------------------------------------------------------------

/** As our own client writes them. */
const SENT: readonly (readonly [string, Sendable, string])[] = [
  ['HELO', { kind: 'helo', line: bytesOf('HELO BASE_TEST') }, 'HELO BASE_TEST\n'],
  ['HELO of several words', { kind: 'helo', line: bytesOf('HELO  to you: all ') }, 'HELO  to you: all \n'],
  ['HELO without text', { kind: 'helo', line: bytesOf('HELO') }, 'HELO\n'],
  ['KILL_SERVICE', { kind: 'kill' }, 'KILL_SERVICE\n'],
  ['JOIN', JOIN as Sendable, 'JOIN_CHATROOM: room1\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ann\n'],
  [
    'JOIN with empty fields',
    { kind: 'join', room: 'a room', ip: '', port: '', name: 'Zoë 漢字' },
    'JOIN_CHATROOM: a room\nCLIENT_IP: \nPORT: \nCLIENT_NAME: Zoë 漢字\n',
  ],
  [
    'JOIN with callbacks',
    { kind: 'join', room: 'r:s', ip: '10.0.0.7', port: '4000', name: 'a:b' },
    'JOIN_CHATROOM: r:s\nCLIENT_IP: 10.0.0.7\nPORT: 4000\nCLIENT_NAME: a:b\n',
  ],
  ['LEAVE', LEAVE as Sendable, 'LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ben\n'],
  ['DISCONNECT', DISCONNECT as Sendable, 'DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: ben\n'],
  ['CHAT', chat('hello') as Sendable, `${CHAT_HEAD}MESSAGE: hello\n\n`],
  ['CHAT without text', chat('') as Sendable, `${CHAT_HEAD}MESSAGE: \n\n`],
  ['CHAT with colons', chat('time is 10:30: ok') as Sendable, `${CHAT_HEAD}MESSAGE: time is 10:30: ok\n\n`],
  ['CHAT of several lines', chat('one\ntwo: 2\n three') as Sendable, `${CHAT_HEAD}MESSAGE: one\ntwo: 2\n three\n\n`],
  [
    'CHAT with long ids',
    chat('x', '9'.repeat(39), '8'.repeat(39)) as Sendable,
    `CHAT: ${'9'.repeat(39)}\nJOIN_ID: ${'8'.repeat(39)}\nCLIENT_NAME: ann\nMESSAGE: x\n\n`,
  ],
  [
    'CHAT with garbage for ids',
    chat('x', 'room1', "b'1'", 'undefined') as Sendable,
    "CHAT: room1\nJOIN_ID: b'1'\nCLIENT_NAME: undefined\nMESSAGE: x\n\n",
  ],
  [
    'CHAT of 64 KiB',
    chat('x'.repeat(MAX_TEXT_BYTES)) as Sendable,
    `${CHAT_HEAD}MESSAGE: ${'x'.repeat(MAX_TEXT_BYTES)}\n\n`,
  ],
  [
    'CHAT of 64 KiB in lines',
    chat('line of 16 bytes'.repeat(4095) + 'x'.repeat(16)) as Sendable,
    `${CHAT_HEAD}MESSAGE: ${'line of 16 bytes'.repeat(4095)}${'x'.repeat(16)}\n\n`,
  ],
];

/** As other programs write them; what is at the end of each was a whole request. */
const TOLERATED: readonly (readonly [string, readonly LabRequest[], string])[] = [
  ['no space after the colons', [JOIN], 'JOIN_CHATROOM:room1\nCLIENT_IP:0\nPORT:0\nCLIENT_NAME:ann\n'],
  ['blanks around', [JOIN], ' JOIN_CHATROOM:  room1 \n\tCLIENT_IP : 0\t\n  PORT: 0 \n CLIENT_NAME: ann  \n'],
  ['returns', [JOIN], 'JOIN_CHATROOM: room1\r\nCLIENT_IP: 0\r\nPORT: 0\r\nCLIENT_NAME: ann\r\n'],
  ['returns in a text', [chat('one\ntwo')], `${CHAT_HEAD.replaceAll('\n', '\r\n')}MESSAGE: one\r\ntwo\r\n\r\n`],
  ['fields in lower case', [JOIN], 'join_chatroom: room1\nclient_ip: 0\nPort: 0\nClient_Name: ann\n'],
  ['a blank for an underscore', [JOIN], 'JOIN CHATROOM: room1\nCLIENT IP: 0\nPORT: 0\nCLIENT  NAME: ann\n'],
  [
    'blank lines behind',
    [JOIN, LEAVE],
    '\n\r\n\nJOIN_CHATROOM: room1\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ann\n\n\n \nLEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ben\n\n',
  ],
  ['blank lines behind a CHAT', [chat('a'), chat('b')], `${CHAT_HEAD}MESSAGE: a\n\n\n\n${CHAT_HEAD}MESSAGE: b\n\n\n`],
  [
    'empty fields',
    [{ kind: 'join', room: '', ip: '', port: '', name: '' }],
    'JOIN_CHATROOM:\nCLIENT_IP: \nPORT:\nCLIENT_NAME:\n',
  ],
  ['a text on the next line', [chat('a')], `${CHAT_HEAD}MESSAGE:\na\n\n`],
  ['no text, no blank', [chat('')], `${CHAT_HEAD}MESSAGE:\n\n`],
  [
    'several paragraphs: the text ends at its blank line',
    [chat('one'), { kind: 'other', line: 'two' }],
    `${CHAT_HEAD}MESSAGE: one\n\ntwo\n\n`,
  ],
  [
    'CHAT followed at once by a request',
    [chat('hi'), LEAVE],
    `${CHAT_HEAD}MESSAGE: hi\nLEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ben\n`,
  ],
  ['CHAT followed at once by KILL_SERVICE', [chat('hi'), { kind: 'kill' }], `${CHAT_HEAD}MESSAGE: hi\nKILL_SERVICE\n`],
  ['CHAT followed at once by HELO', [chat('hi'), helo('HELO x')], `${CHAT_HEAD}MESSAGE: hi\r\nHELO x\r\n`],
  [
    'a text that only speaks of requests',
    [chat('say HELO you\nsay KILL_SERVICE\nKILL_SERVICES\nchat room')],
    `${CHAT_HEAD}MESSAGE: say HELO you\nsay KILL_SERVICE\nKILL_SERVICES\nchat room\n\n`,
  ],
  [
    'a request glued to a name',
    [{ kind: 'join', room: 'r', ip: '0', port: '0', name: 'ben' }, LEAVE],
    'JOIN_CHATROOM: r\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: benLEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ben\n',
  ],
  [
    'CHAT glued to a name',
    [LEAVE, chat('x')],
    `LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ben${CHAT_HEAD}MESSAGE: x\n\n`,
  ],
  ['HELO glued to a name', [DISCONNECT, helo('HELO x')], 'DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: benHELO x\n'],
  [
    'KILL_SERVICE glued to a name',
    [DISCONNECT, { kind: 'kill' }],
    'DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: benKILL_SERVICE\n',
  ],
  [
    'a request glued to an empty name',
    [{ ...LEAVE, name: '' } as LabRequest, DISCONNECT],
    'LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME:DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: ben\n',
  ],
  [
    'a request glued to a text belongs to it',
    [chat('roomDISCONNECT: 0'), helo('HELO x')],
    `${CHAT_HEAD}MESSAGE: roomDISCONNECT: 0\n\nHELO x\n`,
  ],
  [
    'junk on a line of its own',
    [{ kind: 'other', line: 'ANYTHING 5828d335af7cc' }, helo('HELO x')],
    'ANYTHING 5828d335af7cc\nHELO x\n',
  ],
  [
    'junk glued before HELO',
    [{ kind: 'other', line: 'ANYTHING 5828d335af7cc' }, helo('HELO x')],
    'ANYTHING 5828d335af7ccHELO x\n',
  ],
  [
    'junk glued before a request',
    [{ kind: 'other', line: 'ANYTHING' }, LEAVE],
    'ANYTHINGLEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ben\n',
  ],
  [
    'KILL_SERVICE with more behind it is none',
    [
      { kind: 'other', line: 'KILL_SERVICE now' },
      { kind: 'other', line: 'KILL_SERVICES' },
    ],
    'KILL_SERVICE now\nKILL_SERVICES\n',
  ],
  [
    'fields that belong to nothing',
    [
      { kind: 'other', line: 'JOIN_ID: 1' },
      { kind: 'other', line: 'SEQ: 4' },
    ],
    'JOIN_ID: 1\nSEQ: 4\n',
  ],
  [
    'a text that belongs to nothing is no request',
    [helo('HELO x')],
    'MESSAGE: bye KILL_SERVICE\nDISCONNECT KILL_SERVICE\n\nHELO x\n',
  ],
  [
    'bytes that are no UTF-8',
    [{ ...LEAVE, name: 'Zoë' } as LabRequest],
    'LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: Zo\xeb\n',
  ],
];

/** One byte for each character; the rows above are ASCII, but for that of the old program. */
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

const REPLIES: readonly (readonly [string, LabReply, string])[] = [
  [
    'HELO',
    { kind: 'helo', line: bytesOf('HELO BASE_TEST'), ip: '10.0.0.1', port: '5000', studentId: '1234' },
    'HELO BASE_TEST\nIP:10.0.0.1\nPort:5000\nStudentID:1234\n',
  ],
  [
    'JOINED',
    { kind: 'joined', room: 'room1', ip: '10.0.0.1', port: '5000', ref: '0', joinId: '1' },
    'JOINED_CHATROOM: room1\nSERVER_IP: 10.0.0.1\nPORT: 5000\nROOM_REF: 0\nJOIN_ID: 1\n',
  ],
  ['LEFT', { kind: 'left', ref: '0', joinId: '1' }, 'LEFT_CHATROOM: 0\nJOIN_ID: 1\n'],
  [
    'CHAT',
    { kind: 'chat', ref: '0', name: 'ann', text: 'ann has joined this chatroom.' },
    'CHAT: 0\nCLIENT_NAME: ann\nMESSAGE: ann has joined this chatroom.\n\n',
  ],
  [
    'CHAT that looks like two',
    { kind: 'chat', ref: '0', name: 'ann', text: 'a\nCHAT: 0\nHELO x' },
    'CHAT: 0\nCLIENT_NAME: ann\nMESSAGE: a\nCHAT: 0\nHELO x\n\n',
  ],
  [
    'CHAT beyond ASCII',
    { kind: 'chat', ref: '7', name: 'Zoë', text: '漢字 🙂' },
    'CHAT: 7\nCLIENT_NAME: Zoë\nMESSAGE: 漢字 🙂\n\n',
  ],
  [
    'ERROR',
    { kind: 'error', code: '1', description: 'CHAT, line 2: not "CHAT: 0"' },
    'ERROR_CODE: 1\nERROR_DESCRIPTION: CHAT, line 2: not "CHAT: 0"\n',
  ],
];

/** From other servers. */
const OTHER_REPLIES: readonly (readonly [string, readonly LabReply[], string])[] = [
  ['no spaces', [{ kind: 'left', ref: '0', joinId: '1' }], 'LEFT_CHATROOM:0\nJOIN_ID:1\n'],
  [
    'returns and blank lines',
    [
      { kind: 'left', ref: '0', joinId: '1' },
      { kind: 'error', code: '00', description: 'no' },
    ],
    'LEFT_CHATROOM: 0\r\nJOIN_ID: 1\r\n\r\nERROR_CODE:00\r\nERROR_DESCRIPTION: no\r\n\r\n',
  ],
  [
    'JOIN_ID in a CHAT',
    [{ kind: 'chat', ref: '0', name: 'ann', text: 'hi' }],
    'CHAT: 0\nJOIN_ID: 1\nCLIENT_NAME: ann\nMESSAGE: hi\n\n',
  ],
  [
    'a CHAT glued to JOINED',
    [
      { kind: 'left', ref: '0', joinId: '12' },
      { kind: 'chat', ref: '0', name: 'a', text: 'b' },
    ],
    'LEFT_CHATROOM: 0\nJOIN_ID: 12CHAT: 0\nCLIENT_NAME: a\nMESSAGE: b\n\n',
  ],
  [
    'spaces and capitals in HELO',
    [{ kind: 'helo', line: bytesOf('HELO x'), ip: '::1', port: '1', studentId: '2' }],
    'HELO x\nIP: ::1\nPORT: 1\nStudentID: 2\n',
  ],
  ['a line of no meaning', [{ kind: 'left', ref: '0', joinId: '1' }], 'Welcome!\nLEFT_CHATROOM: 0\nJOIN_ID: 1\n'],
];

const codec = suite('wire-lab');
const cuts = fc.array(fc.nat(200_000), { maxLength: 12 });

for (const [name, request, text] of SENT) {
  codec(`request, ${name}: encodes, decodes, whole and in pieces`, () => {
    assert.is(textOf(encodeRequest(request)), text);
    const bytes = bytesOf(text);
    same(feed(new LabRequestDecoder(), bytes), [request]);
    same(feed(new LabRequestDecoder(), bytes, everyByte(bytes)), [request], 'byte by byte');
    fc.assert(
      fc.property(cuts, (at) => same(feed(new LabRequestDecoder(), bytes, at), [request])),
      { numRuns: 30 },
    );
  });
}

for (const [name, due, text] of TOLERATED) {
  codec(`tolerates ${name}`, () => {
    const bytes = latin1(text);
    same(feed(new LabRequestDecoder(), bytes), due);
    same(feed(new LabRequestDecoder(), bytes, everyByte(bytes)), due, 'byte by byte');
    fc.assert(
      fc.property(cuts, (at) => same(feed(new LabRequestDecoder(), bytes, at), due)),
      { numRuns: 30 },
    );
  });
}

for (const [name, due, text] of [...REPLIES.map(([n, reply, t]) => [n, [reply], t] as const), ...OTHER_REPLIES]) {
  codec(`reply, ${name}: decodes, whole and in pieces`, () => {
    const bytes = bytesOf(text);
    same(feed(new LabReplyDecoder(), bytes), due);
    same(feed(new LabReplyDecoder(), bytes, everyByte(bytes)), due, 'byte by byte');
    fc.assert(
      fc.property(cuts, (at) => same(feed(new LabReplyDecoder(), bytes, at), due)),
      { numRuns: 30 },
    );
  });
}

codec('encodes the replies of the table', () => {
  for (const [name, reply, text] of REPLIES) assert.is(textOf(encodeReply(reply)), text, name);
});

codec('reads each request behind each other one', () => {
  const rows = [
    ...SENT.map(([name, request, text]) => [name, [request], bytesOf(text)] as const),
    ...TOLERATED.map(([name, due, text]) => [name, due, latin1(text)] as const),
  ];
  for (const [first, firstDue, firstBytes] of rows) {
    for (const [second, secondDue, secondBytes] of rows) {
      const both = join(firstBytes, secondBytes);
      same(
        feed(new LabRequestDecoder(), both, [firstBytes.length + 3]),
        [...firstDue, ...secondDue],
        `${first} + ${second}`,
      );
    }
  }
});

codec('reads each reply behind each other one', () => {
  for (const [first, a, aText] of REPLIES) {
    for (const [second, b, bText] of REPLIES) {
      same(feed(new LabReplyDecoder(), bytesOf(aText + bText)), [a, b], `${first} + ${second}`);
    }
  }
});

// --- requests without their last newline -------------------------------------------------------------------

for (const [name, request, text] of SENT) {
  const open = name.startsWith('CHAT') ? text.slice(0, -2) : text.slice(0, -1);

  codec(`${name} without its newline is complete after a silence`, () => {
    const decoder = new LabRequestDecoder();
    same(feed(decoder, bytesOf(open), everyByte(bytesOf(open)).slice(-40)), []);
    assert.ok(decoder.pending);
    decoder.lull();
    same(drain(decoder), [request]);
    assert.not(decoder.pending);
    same(feed(decoder, bytesOf('\n\nHELO again\n'), [6, 9]), [helo('HELO again')], 'the silence is over');
  });

  codec(`${name} without its newline is complete at the end`, () => {
    const decoder = new LabRequestDecoder();
    feed(decoder, bytesOf(open));
    decoder.end();
    same(drain(decoder), [request]);
  });

  codec(`${name} without its newline is complete where the next request begins`, () => {
    if (name.startsWith('HELO') || name.startsWith('KILL') || name.startsWith('CHAT')) return;
    same(requests(`${open}LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ben\n`), [request, LEAVE]);
  });
}

codec('waits through a silence in the middle of a request', () => {
  const text = 'JOIN_CHATROOM: room1\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ann\n';
  const lastBegun = text.lastIndexOf(':');
  for (let cut = 1; cut <= lastBegun; cut++) {
    const decoder = new LabRequestDecoder();
    same(feed(decoder, bytesOf(text.slice(0, cut))), []);
    decoder.lull();
    same(drain(decoder), [], `after ${JSON.stringify(text.slice(0, cut))}`);
    same(feed(decoder, bytesOf(text.slice(cut))), [JOIN]);
  }
});

codec('a silence before more bytes came does not complete them', () => {
  const decoder = new LabRequestDecoder();
  decoder.push(bytesOf(`${CHAT_HEAD}MESSAGE: hel`));
  decoder.lull();
  same(feed(decoder, bytesOf('lo')), []);
  same(feed(decoder, bytesOf('\n\n')), [chat('hello')]);
});

codec('junk without a newline is told after a silence, and the next request is understood', () => {
  const decoder = new LabRequestDecoder();
  same(feed(decoder, bytesOf('ANYTHING 5828d335af7cc')), []);
  decoder.lull();
  same(drain(decoder), [{ kind: 'other', line: 'ANYTHING 5828d335af7cc' }]);
  same(feed(decoder, bytesOf('HELO x\n')), [helo('HELO x')]);
});

codec('a silence after the first line of a text, then its end', () => {
  const decoder = new LabRequestDecoder();
  feed(decoder, bytesOf(`${CHAT_HEAD}MESSAGE: hi\n`));
  decoder.lull();
  same(drain(decoder), [chat('hi')]);
});

codec('a request begun and not finished at the end is a fault', () => {
  for (const text of [
    'JOIN_CHATROOM: r\n',
    'JOIN_CHATROOM: r',
    'CHAT: 0\nJOIN_ID: 1\nCLIENT_NAME: x',
    'LEAVE_CHATROOM: 0\nJOIN_I',
  ]) {
    const decoder = new LabRequestDecoder();
    decoder.push(bytesOf(text));
    decoder.end();
    fault(decoder.next(), 'malformed', /./);
  }
});

// --- requests that are wrong -------------------------------------------------------------------------------

const WRONG: readonly (readonly [string, string, RegExp])[] = [
  [
    'another order',
    'JOIN_CHATROOM: r\nPORT: 0\nCLIENT_IP: 0\nCLIENT_NAME: a\n',
    /JOIN_CHATROOM, line 2: CLIENT_IP was due, not "PORT: 0"/,
  ],
  ['a field missing', 'LEAVE_CHATROOM: 0\nCLIENT_NAME: a\n', /LEAVE_CHATROOM, line 2: JOIN_ID/],
  ['the next request too early', 'LEAVE_CHATROOM: 0\nJOIN_ID: 1\n', /LEAVE_CHATROOM, line 3: CLIENT_NAME/],
  ['junk between', 'DISCONNECT: 0\nPORT: 0\n?\nCLIENT_NAME: a\n', /line 3/],
  ['a blank line between', 'DISCONNECT: 0\n\nPORT: 0\nCLIENT_NAME: a\n', /line 2/],
  [
    'a CHAT whose text would be obeyed',
    'CHAT: 0\nJOIN_ID: 1\nMESSAGE: hi DISCONNECT: 0\nsay KILL_SERVICE\n\n',
    /line 3/,
  ],
];

for (const [name, text, detail] of WRONG) {
  codec(`${name}: one fault, and the next request is understood`, () => {
    const bytes = bytesOf(`${text}HELO x\n`);
    for (const at of [[], everyByte(bytes)]) {
      const found = feed(new LabRequestDecoder(), bytes, at);
      fault(found[0], 'malformed', detail);
      same(
        found.slice(1).filter((request) => request.kind !== 'other'),
        [helo('HELO x')],
      );
    }
  });
}

codec('a fault does not hide a request that is glued to its line', () => {
  const found = requests(
    'JOIN_CHATROOM: r\nPORT: 0\nCLIENT_NAME: benLEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ben\n',
  );
  fault(found[0], 'malformed', /line 2/);
  same(
    found.slice(1).filter((request) => request.kind !== 'other'),
    [LEAVE],
  );
});

const X = (count: number): string => 'x'.repeat(count);
const OVER = MAX_TEXT_BYTES + 1;
const MAX_LINE_BYTES = 4096;
const LINE_OVER = MAX_LINE_BYTES + 1;
const TOO_LONG: readonly (readonly [string, number, string])[] = [
  ['a text of one line', MAX_TEXT_BYTES, `${CHAT_HEAD}MESSAGE: ${X(OVER)}\n\n`],
  ['a text of far too many bytes', MAX_TEXT_BYTES, `${CHAT_HEAD}MESSAGE: ${X(3 * OVER)}\n\n`],
  ['a text of many lines', MAX_TEXT_BYTES, `${CHAT_HEAD}MESSAGE: ${'KILL_SERVICE or not\nline\n'.repeat(6000)}\n`],
  [
    'a text of two long lines',
    MAX_TEXT_BYTES,
    `${CHAT_HEAD}MESSAGE: ${X(OVER)}\nsay KILL_SERVICE\n${X(3 * OVER)}\nCHAT room\n\n`,
  ],
  ['a text that ends at a request', MAX_TEXT_BYTES, `${CHAT_HEAD}MESSAGE: ${X(2 * OVER)}\n`],
  ['a text of blanks', MAX_TEXT_BYTES, `${CHAT_HEAD}MESSAGE: ${' '.repeat(2 * OVER)}\n\n`],
  ['a text of multi-byte characters', MAX_TEXT_BYTES, `${CHAT_HEAD}MESSAGE: ${'漢'.repeat(21_846)}\n\n`],
  ['a room name', MAX_LINE_BYTES, `JOIN_CHATROOM: ${X(LINE_OVER)}\n`],
  ['a client name', MAX_LINE_BYTES, `LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ${X(2 * LINE_OVER)}\r\n`],
  [
    'a client name with a request glued to it',
    MAX_LINE_BYTES,
    `LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: ${X(4000)}CHAT: ${X(100)}\n`,
  ],
  ['a line by one byte', MAX_LINE_BYTES, `HELO ${X(LINE_OVER - 5)}\r\n`],
  ['a line of junk', MAX_LINE_BYTES, `${X(2 * LINE_OVER)}HELO you\n`],
  ['HELO', MAX_LINE_BYTES, `HELO ${X(20 * LINE_OVER)}\n`],
  ['a field name', MAX_LINE_BYTES, `${CHAT_HEAD}${X(2 * LINE_OVER)}: 1\n`],
  ['blanks before the name of a text', MAX_LINE_BYTES, `${CHAT_HEAD}${' '.repeat(LINE_OVER)}MESSAGE: x\n`],
];

for (const [name, limit, text] of TOO_LONG) {
  codec(`too long, ${name}: one fault, and the next request is understood`, () => {
    const bytes = bytesOf(`${text}HELO x\n`);
    const due = (at: number[]): void => {
      const found = feed(new LabRequestDecoder(), bytes, at);
      fault(found[0], 'too-long', new RegExp(`more than ${limit} bytes`));
      same(found.slice(1), [helo('HELO x')]);
    };
    due([]);
    due(everyByte(bytes).filter((at) => at % 1000 === 0));
    due(everyByte(bytes).filter((at) => Math.abs(at - limit) < 150 || bytes.length - at < 150));
    fc.assert(fc.property(cuts, due), { numRuns: 10 });
  });
}

codec('a line may have 4,096 bytes', () => {
  const line = `HELO ${X(MAX_LINE_BYTES - 5)}`;
  for (const end of ['\n', '\r\n']) {
    const bytes = bytesOf(line + end);
    same(feed(new LabRequestDecoder(), bytes), [helo(line)]);
    same(feed(new LabRequestDecoder(), bytes, everyByte(bytes)), [helo(line)], 'byte by byte');
  }
});

codec('a text that is not due is none of the lines that are too long: nothing in it is obeyed', () => {
  const text = `MESSAGE: ${X(2 * LINE_OVER)}\nsay KILL_SERVICE\n\nHELO x\n`;
  for (const [before, faults] of [
    ['', []],
    ['CHAT: 0\nJOIN_ID: 1\n', ['malformed']],
  ] as const) {
    const bytes = bytesOf(before + text);
    for (const at of [[], everyByte(bytes)]) {
      const found = feed(new LabRequestDecoder(), bytes, at);
      assert.equal(
        found.slice(0, -1).map((request) => request.kind === 'fault' && request.code),
        faults,
      );
      same(found.slice(-1), [helo('HELO x')]);
    }
  }
});

codec('bytes without an end: one fault, and after a silence the next request is understood', () => {
  const decoder = new LabRequestDecoder();
  const found = Array.from({ length: 50 }, () => feed(decoder, bytesOf(X(10_000)))).flat();
  assert.is(found.length, 1);
  fault(found[0], 'too-long', /./);
  decoder.lull();
  same(drain(decoder), []);
  same(feed(decoder, bytesOf('HELO x\n')), [helo('HELO x')]);
});

// --- encoding ----------------------------------------------------------------------------------------------

codec('a text keeps its lines apart from the end of the message', () => {
  const text = 'one\n\n\ntwo\r\n\r\r\nthree\n\n';
  const due = 'one\n \n \ntwo\n \nthree';
  same(requests(encodeRequest(chat(text) as Sendable)), [chat(due)]);
  assert.is(
    textOf(encodeReply({ kind: 'chat', ref: '0', name: 'a', text })),
    `CHAT: 0\nCLIENT_NAME: a\nMESSAGE: ${due}\n\n`,
  );
});

codec('a text of any returns and newlines: returns at the ends of lines and newlines at its end go', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '\r', '\n'), maxLength: 12 }), (text) => {
      const due = text
        .replace(/\r+\n/g, '\n')
        .replace(/\n+\r*$/, '')
        .replace(/\n(?=\n)/g, '\n ');
      const bytes = encodeReply({ kind: 'chat', ref: '0', name: 'a', text });
      assert.is(textOf(bytes), `CHAT: 0\nCLIENT_NAME: a\nMESSAGE: ${due}\n\n`);
    }),
    { numRuns: 1000 },
  );
});

// where the work grew with the square of these, this would not end before the test runner's patience does
codec('a text of a million returns or newlines is only a text', () => {
  const many = 2 ** 20;
  const filled = `a${'\n '.repeat(many - 1)}\nb`;
  for (const [text, due] of [
    ['\r'.repeat(many), '\r'.repeat(many)],
    [`a${'\r'.repeat(many)}b`, `a${'\r'.repeat(many)}b`],
    [`a${'\r'.repeat(many)}\nb`, 'a\nb'],
    ['\n'.repeat(many), ''],
    [`a${'\n'.repeat(many)}b`, filled],
    [`a${'\r\n'.repeat(many)}b`, filled],
    [`a${'\n\r'.repeat(many)}\nb`, `a${'\n '.repeat(many)}\nb`],
    [`a\n${'\r'.repeat(many)}`, 'a'],
    [`a${'\n\r'.repeat(many)}`, 'a'],
  ] as const) {
    // compared here: an assertion would look for the difference
    const isDue = textOf(encodeReply({ kind: 'chat', ref: '0', name: 'a', text })).endsWith(`: ${due}\n\n`);
    assert.ok(isDue, JSON.stringify(text.slice(0, 6)));
  }
});

codec('a text cannot pass for a request', () => {
  const found = requests(encodeRequest(chat('a\nKILL_SERVICE\nCHAT: 0\nHELO you') as Sendable));
  same(found, [chat('a\n KILL_SERVICE\n CHAT: 0\n HELO you')]);
});

codec('a value cannot end its line', () => {
  const bytes = encodeRequest({ kind: 'join', room: 'a\nb', ip: '0', port: '0', name: 'c\r\nHELO' });
  same(requests(bytes), [{ kind: 'join', room: 'a b', ip: '0', port: '0', name: 'c HELO' }]);
});

const value = fc
  .string({ unit: 'grapheme', maxLength: 20 })
  .map((text) => text.replace(/[\r\n]/g, '').trim())
  .filter((text) => !/[A-Z]{4}/.test(text));
const freeText = fc
  .array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 5 })
  .map((lines) => lines.map((line) => `x${line.replace(/[\r\n]/g, '')}x`).join('\n'));

const record = <K extends string, T>(kind: K, fields: { [P in keyof T]: fc.Arbitrary<T[P]> }) =>
  fc.record<T>(fields, { noNullPrototype: true }).map((rest) => ({ kind, ...rest }));

codec('what is encoded is decoded again, and encodes to the same bytes', () => {
  const request: fc.Arbitrary<Sendable> = fc.oneof(
    record('join', { room: value, ip: value, port: value, name: value }),
    record('leave', { ref: value, joinId: value, name: value }),
    record('disconnect', { ip: value, port: value, name: value }),
    record('chat', { ref: value, joinId: value, name: value, text: freeText }),
    value.map((text) => ({ kind: 'helo' as const, line: bytesOf(`HELO ${text}`) })),
  );
  fc.assert(
    fc.property(fc.array(request, { maxLength: 5 }), cuts, (all, at) => {
      const bytes = join(...all.map((one) => encodeRequest(one).slice()));
      const found = feed(new LabRequestDecoder(), bytes, at);
      same(found, all);
      assert.equal(join(...found.map((one) => encodeRequest(one as Sendable))), bytes);
    }),
  );
  const reply: fc.Arbitrary<LabReply> = fc.oneof(
    record('joined', { room: value, ip: value, port: value, ref: value, joinId: value }),
    record('left', { ref: value, joinId: value }),
    record('chat', { ref: value, name: value, text: freeText }),
    record('error', { code: value, description: value }),
  );
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 5 }), cuts, (all, at) => {
      const bytes = join(...all.map((one) => encodeReply(one)));
      const found = feed(new LabReplyDecoder(), bytes, at);
      same(found, all);
      assert.equal(join(...found.map((one) => encodeReply(one))), bytes);
    }),
  );
});

// --- datagrams ---------------------------------------------------------------------------------------------

const DATAGRAMS: readonly (readonly [string, LabRequest | undefined, string])[] = [
  ...SENT.map(([name, request, text]) => [name, request, text] as const),
  ...SENT.map(([name, request, text]) => [`${name}, no newline`, request, text.trimEnd()] as const).filter(
    ([, r]) => r.kind !== 'helo',
  ),
  ['SEQ behind the blank line', { ...chat('hi'), seq: '4' } as LabRequest, `${CHAT_HEAD}MESSAGE: hi\n\nSEQ: 4\n`],
  ['SEQ behind the blank line, open', { ...chat('hi'), seq: '4' } as LabRequest, `${CHAT_HEAD}MESSAGE: hi\n\nSEQ:4`],
  ['SEQ behind the text', { ...chat('hi'), seq: 'a9' } as LabRequest, `${CHAT_HEAD}MESSAGE: hi\nSEQ: a9\n\n`],
  [
    'SEQ behind the text, open',
    { ...chat('hi\nyou'), seq: '4' } as LabRequest,
    `${CHAT_HEAD}MESSAGE: hi\nyou\nseq : 4`,
  ],
  ['SEQ with returns', { ...chat('hi'), seq: '4' } as LabRequest, `${CHAT_HEAD}MESSAGE: hi\r\nSEQ: 4\r\n`],
  [
    'SEQ behind a text that ends like one',
    { ...chat('hi\nSEQ: 3'), seq: '4' } as LabRequest,
    `${CHAT_HEAD}MESSAGE: hi\nSEQ: 3\n\nSEQ: 4\n`,
  ],
  ['a text that speaks of SEQ', chat('SEQ: 4'), `${CHAT_HEAD}MESSAGE: SEQ: 4\n\n`],
  [
    'nothing is glued in a datagram',
    { ...LEAVE, name: 'benCHAT: 0' } as LabRequest,
    'LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: benCHAT: 0\n',
  ],
  ['a text that holds keywords', chat('a\nKILL_SERVICE\nCHAT: 0'), `${CHAT_HEAD}MESSAGE: a\nKILL_SERVICE\nCHAT: 0\n\n`],
  ['junk', { kind: 'other', line: 'junk' }, 'junk'],
  ['HELO with blank lines around', helo('HELO x'), '\nHELO x\r\n\n \n'],
  ['a server’s answer to HELO', undefined, 'HELO x\nIP:192.0.2.1\nPort:5000\nStudentID:1\n'],
  ['HELO and a text', undefined, 'HELO x\nMESSAGE: y\n'],
  ['nothing', undefined, ''],
];

codec('reads datagrams, with SEQ where it may be', () => {
  for (const [name, due, text] of DATAGRAMS) {
    const found = decodeLabDatagram(bytesOf(text));
    same(found ? [found] : [], due ? [due] : [], name);
  }
});

codec('a SEQ that is encoded is decoded', () => {
  const request = { ...chat('a\n\nSEQ: 3'), seq: '17' } as Sendable;
  same([decodeLabDatagram(encodeRequest(request)) as LabRequest], [{ ...request, text: 'a\n \nSEQ: 3' } as LabRequest]);
});

codec('a datagram that is wrong is a fault', () => {
  fault(decodeLabDatagram(bytesOf('JOIN_CHATROOM: r\nPORT: 0')), 'malformed', /line 2/);
  fault(decodeLabDatagram(bytesOf('JOIN_CHATROOM: r')), 'malformed', /ended before CLIENT_IP/);
  fault(decodeLabDatagram(bytesOf(`${CHAT_HEAD}MESSAGE: ${X(OVER)}`)), 'too-long', /./);
});

// --- any bytes ---------------------------------------------------------------------------------------------

/** Bytes that get past the first line: pieces of real messages, whole ones, and garbage. */
const PIECES = [
  'JOIN_CHATROOM: r\n',
  'CLIENT_IP: 0\n',
  'PORT: 0\n',
  'CLIENT_NAME: a\n',
  'CLIENT_NAME: a',
  'CHAT: 0\n',
  'JOIN_ID: 1\n',
  'MESSAGE: hi\n',
  'MESSAGE:',
  '\n',
  '\r\n',
  '\r',
  ' ',
  'HELO x',
  'KILL_SERVICE',
  'CHAT',
  'LEAVE_CHATROOM:',
  'SEQ: 1\n',
  'helo',
  'JOINED_CHATROOM: r\n',
  'SERVER_IP: 1\n',
  'ROOM_REF: 1\n',
  'LEFT_CHATROOM: 0\n',
  'ERROR_CODE: 1\n',
  'ERROR_DESCRIPTION: no\n',
  'IP: 1\nPort: 2\nStudentID: 3\n',
  `${CHAT_HEAD}MESSAGE: `,
  'x'.repeat(90),
  ' '.repeat(40),
  'ab cd\n'.repeat(12),
];
const anyBytes = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...PIECES.map(bytesOf)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) },
    ),
    { maxLength: 40 },
  )
  .map((parts) => join(...parts));

/** A cap so low that the limits are met often. */
const LOW = 100;
const KINDS = new Set([
  'helo',
  'kill',
  'join',
  'leave',
  'disconnect',
  'chat',
  'other',
  'fault',
  'joined',
  'left',
  'error',
]);

codec('any bytes, cut anywhere, are the same requests', () => {
  fc.assert(
    fc.property(anyBytes, cuts, fc.constantFrom(LOW, MAX_TEXT_BYTES), (bytes, at, cap) => {
      const run = (positions: number[]): LabRequest[] => {
        const decoder = new LabRequestDecoder(cap);
        const found = feed(decoder, bytes, positions);
        decoder.end();
        return [...found, ...drain(decoder)];
      };
      const whole = run([]);
      for (const request of whole) assert.ok(KINDS.has(request.kind));
      same(run(at), whole);
      same(run(everyByte(bytes)), whole, 'byte by byte');
    }),
    { numRuns: 1500 },
  );
});

codec('silences anywhere do no harm', () => {
  fc.assert(
    fc.property(anyBytes, cuts, (bytes, at) => {
      const decoder = new LabRequestDecoder(LOW);
      for (const position of [...at, 0]) {
        feed(decoder, bytes.subarray(position % (bytes.length + 1)));
        decoder.lull();
        for (const request of drain(decoder)) assert.ok(KINDS.has(request.kind));
      }
      // whatever came, after a silence a request is understood within a block
      decoder.push(bytesOf('\n\nHELO a\n\nHELO b\n'));
      same(drain(decoder).slice(-1), [helo('HELO b')]);
    }),
    { numRuns: 500 },
  );
});

codec('any bytes, cut anywhere, are the same replies or a ProtocolError that stays', () => {
  fc.assert(
    fc.property(anyBytes, cuts, (bytes, at) => {
      const run = (positions: number[]): unknown[] => {
        const decoder = new LabReplyDecoder(LOW);
        const found: LabReply[] = [];
        const collect = (): void => {
          for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) found.push(reply);
        };
        try {
          let from = 0;
          for (const to of [...new Set(positions.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)) {
            decoder.push(bytes.slice(from, to));
            from = to;
            collect();
          }
          decoder.push(bytes.slice(from));
          collect();
          decoder.end();
          collect();
        } catch (error) {
          assert.instance(error, ProtocolError);
          decoder.push(bytesOf('LEFT_CHATROOM: 0\nJOIN_ID: 1\n'));
          assert.throws(
            () => decoder.next(),
            (again: unknown) => again === error,
          );
          return [...plain(found), (error as ProtocolError).code];
        }
        return plain(found);
      };
      const whole = run([]);
      assert.equal(run(at), whole);
      assert.equal(run(everyByte(bytes)), whole);
    }),
    { numRuns: 500 },
  );
});

codec('a datagram of any bytes is a request, a fault or nothing', () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const request = decodeLabDatagram(bytes);
      assert.ok(request === undefined || KINDS.has(request.kind));
    }),
  );
});

codec.run();
