// Bytes that nobody should send: valid first messages of every dialect, and what can be made of them. KILL_SERVICE is
// not among them; whoever runs these has it turned off as well.

import type { Chance } from './soak-chance.ts';

const text = (one: string): Buffer => Buffer.from(one);
const frame = (type: string, json: string): Buffer => text(`${type}${String(json.length).padStart(4, '0')}${json}`);

/** A TLS 1.2 hello as far as its session: the rest of its record never comes. */
const TLS_HELLO = Buffer.from(
  `160301020001000 1fc0303${'ab'.repeat(32)}20${'cd'.repeat(32)}`.replaceAll(' ', ''),
  'hex',
);

export const SAMPLES: readonly Buffer[] = [
  text('HELO fuzz\n'),
  text('JOIN_CHATROOM: fuzz\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: fuzz\n'),
  text('CHAT: 0\nJOIN_ID: 1\nCLIENT_NAME: fuzz\nMESSAGE: hello\n\n'),
  text('LEAVE_CHATROOM: 0\nJOIN_ID: 1\nCLIENT_NAME: fuzz\n'),
  text('DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: fuzz\n'),
  text('fuzz\nhello\nhello again\n'),
  text('fuzz\t0\nwho\nm\thello\noffer\tT\t10\tv1\t-\tsame\nno\tT\t404\tnone\nx\n'),
  Buffer.from(
    '0004fuzz0005hello'.replace(/^0004|0005/g, (size) => String.fromCharCode(0, Number(size))),
    'latin1',
  ),
  text('fuzz\ncreate\nfuzz\nyes\npassword\n'),
  text('fuzz\njoin\nmain\n@all|hello\n@server|get_peers\n@fuzz|getfile|a@fuzz|127.0.0.1|40000\n@me|hello\n'),
  frame('CUSR', '{"username": "fuzz", "password": "sekret"}'),
  frame('LGIN', '{"username": "fuzz", "password": "wrong"}'),
  frame('LTRQ', '{}'),
  frame('JOIN', '{"room": "fuzz", "via": "tcp"}'),
  frame('ROOM', '{"name": "fuzz", "description": "d", "password": "p"}'),
  frame('CHAT', '{"creator": "fuzz", "room": "fuzz", "contents": "hello", "datetime": "22:22:54, 05/10/2023"}'),
  frame('HIST', '{"room": "fuzz", "count": 10, "before": 1000}'),
  frame('FIND', '{"words": "hello \\"fuzz\\" OR *", "count": 10}'),
  text('GET /files/fuzz/a%2e%2e/b HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\n\r\n'),
  text('PUT /relay/ticket HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789'),
  text('POST /relay/ticket HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'),
  text('GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer fuzz\r\n\r\n'),
  TLS_HELLO,
];

export const DATAGRAMS: readonly Buffer[] = [
  text("{'type': 'freg', 'message': ('fuzz', 40001)}"),
  text("{'type': 'freg', 'message': ('fuzz', 40001, 'parley')}"),
  text("{'type': 'dereg', 'name': 'fuzz'}"),
  text("{'type': 'reg', 'name': 'fuzz'}"),
  text("{'type': 'GC', 'message': 'hello', 'name': 'fuzz'}"),
  text("{'timestamp': '10:00:00', 'type': 'to_offline', 'name_to': 'x', 'name_from': 'fuzz', 'message': 'hello'}"),
  text("{'type': 'ack', 'from': 'fuzz'}"),
  text("{'type': 'status_confirm', 'from': 'fuzz'}"),
  text('HELO fuzz\n'),
  text('JOIN_CHATROOM: fuzz\nCLIENT_IP: 127.0.0.1\nPORT: 40001\nCLIENT_NAME: fuzz\n'),
  text('CHAT: 0\nJOIN_ID: 1\nCLIENT_NAME: fuzz\nMESSAGE: hello\n\nSEQ: 1\n'),
];

const MAX_RANDOM_BYTES = 4000;
const MAX_GLUED = 20;
const HUGE_BYTES = 300_000;
const NUMBERS = ['-1', '0', '65536', '4294967296', '99999999999999999999', '1e999', 'NaN', '0x7f'];
const NESTED = ['[', '{"a":', '(', "{'a': "];
const FRAGMENTS = [
  '\0',
  '\n',
  '\r\n\r\n',
  '\n\n',
  '|',
  '\t',
  '\x1e',
  '\xff\xfe',
  '%00',
  "'",
  '"',
  '\\',
  '../',
  '@all|',
];

/** One way of breaking a message, by chance. */
export function breakBytes(chance: Chance, sample: Buffer): Buffer {
  return chance.pick(WAYS)(chance, sample);
}

const WAYS: ReadonlyArray<(chance: Chance, sample: Buffer) => Buffer> = [
  (chance) => chance.bytes(chance.upTo(MAX_RANDOM_BYTES)),
  flip,
  flip,
  (chance, sample) => sample.subarray(0, chance.upTo(sample.length)),
  (chance, sample) => Buffer.concat(Array.from({ length: chance.between(2, MAX_GLUED) }, () => sample)),
  (chance, sample) => Buffer.concat([sample, chance.bytes(chance.upTo(100)), chance.pick(SAMPLES)]),
  renumber,
  insert,
  lengthen,
  (chance, sample) => Buffer.concat([sample, Buffer.from(chance.pick(NESTED).repeat(chance.upTo(5000)))]),
  // a frame that promises more than it has
  (chance, sample) =>
    Buffer.from(sample.toString('latin1').replace(/^([A-Z]{4})\d{4}/, `$1${chance.upTo(10_000)}`), 'latin1'),
  (_, sample) => sample,
];

function flip(chance: Chance, sample: Buffer): Buffer {
  const bytes = Buffer.from(sample);
  for (let left = chance.between(1, 8); left > 0; left--) bytes[chance.upTo(bytes.length)] = chance.upTo(256);
  return bytes;
}

/** Its numbers are others. */
function renumber(chance: Chance, sample: Buffer): Buffer {
  return Buffer.from(
    sample.toString('latin1').replace(/\d+/g, (number) => (chance.isOne(0.5) ? chance.pick(NUMBERS) : number)),
    'latin1',
  );
}

function insert(chance: Chance, sample: Buffer): Buffer {
  const at = chance.upTo(sample.length);
  const fragment = Buffer.from(chance.pick(FRAGMENTS).repeat(chance.between(1, 50)), 'latin1');
  return Buffer.concat([sample.subarray(0, at), fragment, sample.subarray(at)]);
}

/** One of its letters comes very often. */
function lengthen(chance: Chance, sample: Buffer): Buffer {
  const at = chance.upTo(sample.length);
  const letter = Buffer.alloc(chance.upTo(HUGE_BYTES), sample[at] ?? 0x41);
  return Buffer.concat([sample.subarray(0, at), letter, sample.subarray(at)]);
}
