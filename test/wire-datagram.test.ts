import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProtocolError } from '../src/errors.ts';
import {
  type DatagramMessage,
  decodeDatagram,
  encodeDatagram,
  MAX_UDP_BYTES,
  type OfflineMessage,
  type TableRow,
} from '../src/wire-datagram.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true, fatal: true }).decode(bytes);
const size = (message: DatagramMessage): number => encodeDatagram(message).length;
const X = (count: number): string => 'x'.repeat(count);
const decode = (text: string): DatagramMessage => decodeDatagram(bytesOf(text));

function complaint(text: string): string {
  try {
    decode(text);
  } catch (error) {
    assert.instance(error, ProtocolError);
    assert.match((error as ProtocolError).message, /^[ -~]{1,120}$/);
    return (error as ProtocolError).message;
  }
  assert.unreachable(`taken: ${text}`);
  return '';
}

// --- what classic programs say -----------------------------------------------------------------------------

const frames = suite('wire-datagram: frames');

const rowX: TableRow = { name: 'x', ip: '127.0.0.1', port: 3333, online: true };
const rowY: TableRow = { name: 'y', ip: '127.0.0.1', port: 1111, online: true };

/** Captured from classic programs; then the rest. */
const FRAMES: ReadonlyArray<readonly [DatagramMessage, string]> = [
  [{ kind: 'freg', name: 'x', port: 3333, isOurs: false }, "{'type': 'freg', 'message': ('x', 3333)}"],
  [{ kind: 'conf_reg', table: [rowX] }, "{'type': 'conf_reg', 'table': {'x': ('x', '127.0.0.1', 3333, True)}}"],
  [
    { kind: 'table_update', table: [rowX, rowY] },
    "{'type': 'table_update', 'table': {'x': ('x', '127.0.0.1', 3333, True), 'y': ('y', '127.0.0.1', 1111, True)}}",
  ],
  [{ kind: 'msg', from: 'x', text: 'hi y from x' }, "{'type': 'msg', 'msg': 'hi y from x', 'name_from': 'x'}"],
  [{ kind: 'ack', from: 'y' }, "{'type': 'ack', 'from': 'y'}"],
  [{ kind: 'dereg', name: 'x' }, "{'type': 'dereg', 'name': 'x'}"],
  [{ kind: 'ack', from: 'server' }, "{'type': 'ack', 'from': 'server'}"],
  [
    { kind: 'to_offline', time: '03:20:57', to: 'x', from: 'y', text: 'hi offline x' },
    "{'timestamp': '03:20:57', 'type': 'to_offline', 'name_to': 'x', 'name_from': 'y', 'message': 'hi offline x'}",
  ],
  [{ kind: 'reg', name: 'x' }, "{'type': 'reg', 'name': 'x'}"],
  [
    { kind: 'offline_messages', messages: [{ from: 'y', time: '03:20:57', text: 'hi offline x', isGroup: false }] },
    "{'type': 'offline_messages', 'offline_messages': [['y', '03:20:57', 'hi offline x', False]]}",
  ],
  [
    { kind: 'msg', from: undefined, text: ' [Offline Message sent at 03:20:57 received by x.]' },
    "{'type': 'msg', 'msg': ' [Offline Message sent at 03:20:57 received by x.]', 'name_from': None}",
  ],
  [
    { kind: 'msg', from: undefined, text: 'it\'s "q" \\ ü' },
    "{'type': 'msg', 'msg': 'it\\'s \"q\" \\\\ ü', 'name_from': None}",
  ],
  [{ kind: 'freg', name: 'x', port: 65535, isOurs: true }, "{'type': 'freg', 'message': ('x', 65535, 'parley')}"],
  [{ kind: 'group', name: "O'Neil", text: 'a\nb' }, "{'type': 'GC', 'message': 'a\\nb', 'name': \"O'Neil\"}"],
  [{ kind: 'status_confirm', from: 'x' }, "{'type': 'status_confirm', 'from': 'x'}"],
  [{ kind: 'status_check' }, "{'type': 'status_check'}"],
  [{ kind: 'no_reg' }, "{'type': 'no_reg'}"],
  [{ kind: 'conf_reg', table: [] }, "{'type': 'conf_reg', 'table': {}}"],
  [{ kind: 'offline_messages', messages: [] }, "{'type': 'offline_messages', 'offline_messages': []}"],
  [
    {
      kind: 'offline_messages',
      messages: [
        { from: undefined, time: '00:00:00', text: ' [Offline]', isGroup: false },
        { from: 'y', time: '23:59:59', text: '', isGroup: true },
      ],
    },
    "{'type': 'offline_messages', 'offline_messages': [[None, '00:00:00', ' [Offline]', False], ['y', '23:59:59', '', True]]}",
  ],
  [{ kind: 'error', text: ' [Client x exists!!]' }, "{'type': 'error', 'message': ' [Client x exists!!]'}"],
  [
    { kind: 'table_update', table: [{ name: '🙂\u200b', ip: '::1', port: 1, online: false }] },
    "{'type': 'table_update', 'table': {'🙂\\u200b': ('🙂\\u200b', '::1', 1, False)}}",
  ],
];

for (const [message, text] of FRAMES) {
  frames(text.slice(0, 90), () => {
    assert.is(textOf(encodeDatagram(message)), text);
    assert.equal(decode(text), message);
  });
}

for (const [what, text, due] of [
  ['a port as text', "{'type': 'freg', 'message': ('x', '3333')}", FRAMES[0]?.[0]],
  ['a list for a tuple', "{'type': 'freg', 'message': ['x', 3333]}", FRAMES[0]?.[0]],
  ['another third member', "{'type': 'freg', 'message': ('x', 3333, 'other', 4)}", FRAMES[0]?.[0]],
  ['our third member in a list', "['x', 65535, 'parley']", FRAMES[12]?.[0]],
  ['JSON’s quotes', '{"message": ("x", 3333,), "type": "freg", }', FRAMES[0]?.[0]],
  ['keys of others', "{1: 2, None: 3, ('type',): 4, 'table': [], 'type': 'reg', 'name': 'x'}", FRAMES[8]?.[0]],
  ['keys twice', "{'type': 'dereg', 'name': 5, 'type': 'reg', 'name': 'x'}", FRAMES[8]?.[0]],
  ['no name_from', "{'type': 'msg', 'msg': 'a'}", { kind: 'msg', from: undefined, text: 'a' }],
  ['rows in lists', "{'type': 'conf_reg', 'table': {'x': ['x', '127.0.0.1', '3333', True, 5]}}", FRAMES[1]?.[0]],
  [
    'tuples of tuples',
    "{'type': 'offline_messages', 'offline_messages': (('y', '03:20:57', 'hi offline x', False, 1),)}",
    FRAMES[9]?.[0],
  ],
  ['an empty tuple', "{'type': 'offline_messages', 'offline_messages': ()}", FRAMES[18]?.[0]],
  ['blanks and lines', " {\n'type':'no_reg' , # yes\n}\n", { kind: 'no_reg' }],
  [
    'a name of 256 characters',
    `{'type': 'reg', 'name': '${'🙂'.repeat(256)}'}`,
    { kind: 'reg', name: '🙂'.repeat(256) },
  ],
  ['a name that is none', "{'type': 'reg', 'name': ''}", { kind: 'reg', name: '' }],
  ['an unpaired surrogate in a text', "{'type': 'error', 'message': 'a\\udce9'}", { kind: 'error', text: 'a\ufffd' }],
  ['... and in a name', "{'type': 'reg', 'name': 'a\\udce9'}", { kind: 'reg', name: 'a\udce9' }],
  ['__proto__', "{'__proto__': {'name': 'y'}, 'type': 'reg', 'name': 'x'}", FRAMES[8]?.[0]],
] as const) {
  frames(`reads ${what}`, () => {
    assert.equal(decode(text.startsWith('[') ? `{'type': 'freg', 'message': ${text}}` : text), due);
  });
}

const offline = (entry: string): string => `{'type': 'offline_messages', 'offline_messages': [${entry}]}`;
const table = (row: string): string => `{'type': 'conf_reg', 'table': {${row}}}`;
const freg = (message: string): string => `{'type': 'freg', 'message': ${message}}`;

for (const [text, due] of [
  ['', 'a value was due at character 0'],
  ["{'type': 'no_reg'", '} was due at character 17'],
  ['[]', 'a dict was due'],
  ["'type'", 'a dict was due'],
  ['{}', 'a dict without a type'],
  ["{'Type': 'no_reg'}", 'a dict without a type'],
  ["{'type': 1}", 'a dict without a type'],
  ["{'type': None}", 'a dict without a type'],
  ["{'type': 'gc', 'message': 'a', 'name': 'x'}", '"gc" is not a type'],
  ["{'type': '\\ud800\\n漢', 'name': 'x'}", '"\\ufffd\\n\\u6f22" is not a type'],
  [`{'type': '${X(1000)}'}`, '"xxxxxxxxxxxx" is not a type'],
  ["{'type': 'constructor'}", '"constructor" is not a type'],
  ["{'type': 'reg'}", 'reg: name is missing'],
  ["{'type': 'reg', 'name': None}", 'reg: name must be a name of at most 256 characters'],
  ["{'type': 'reg', 'name': 5}", 'reg: name must be a name of at most 256 characters'],
  [`{'type': 'reg', 'name': '${X(257)}'}`, 'reg: name must be a name of at most 256 characters'],
  [`{'type': 'reg', 'name': '${'🙂'.repeat(257)}'}`, 'reg: name must be a name of at most 256 characters'],
  ["{'type': 'ack'}", 'ack: from is missing'],
  ["{'type': 'status_confirm', 'from': []}", 'status_confirm: from must be a name of at most 256 characters'],
  ["{'type': 'GC', 'name': 'x'}", 'GC: message is missing'],
  ["{'type': 'GC', 'message': 'x'}", 'GC: name is missing'],
  ["{'type': 'GC', 'message': 5, 'name': 'x'}", 'GC: message must be text'],
  ["{'type': 'msg', 'name_from': 'x'}", 'msg: msg is missing'],
  ["{'type': 'msg', 'msg': 'a', 'name_from': 1}", 'msg: name_from must be None or a name of at most 256 characters'],
  ["{'timestamp': '1', 'type': 'to_offline', 'name_to': 'x', 'name_from': 'y'}", 'to_offline: message is missing'],
  ["{'type': 'to_offline', 'name_to': 'x', 'name_from': 'y', 'message': 'a'}", 'to_offline: timestamp is missing'],
  [`{'type': 'to_offline', 'timestamp': '${X(33)}'}`, 'to_offline: timestamp must be a time'],
  ["{'type': 'error'}", 'error: message is missing'],
  [freg("'x'"), 'freg: message must be (name, port)'],
  [freg("('x',)"), 'freg: message must be (name, port)'],
  ...["''", "'0'", "'65536'", "'1.0'", "' 1'", "'٣'", '0', '-1', '65536', 'True', 'None', '9007199254740993'].map(
    (port) => [freg(`('x', ${port})`), 'freg: message must be (name, port)'] as const,
  ),
  [freg('(5, 3333)'), 'freg: message must be (name, port)'],
  ["{'type': 'conf_reg'}", 'conf_reg: table is missing'],
  ...[
    ...["'x': ('x', 'ip', 1)", "'x': ('x', 'ip', 1, 1)", "'x': ('x', 'ip', 0, True)", "'x': ('x', 5, 1, True)"],
    ...["'x': 'xxxx'", "'x': None", "'y': ('x', 'ip', 1, True)", "1: (1, 'ip', 1, True)", "'x': {}"],
    "'y': ('y', 'ip', 1, True), 'x': ()",
  ].map((row) => [table(row), 'conf_reg: table must be a dict of names and (name, ip, port, online)'] as const),
  ["{'type': 'table_update', 'table': []}", 'table_update: table must be a dict of names and (name, ip, port, online)'],
  ...[
    "'y'",
    "['y', '1', 'a']",
    "['y', '1', 'a', None]",
    "['y', None, 'a', True]",
    "[1, '1', 'a', True]",
    '[]',
    '{}',
  ].map(
    (entry) =>
      [offline(entry), 'offline_messages: offline_messages must be a list of [name, time, text, is_group]'] as const,
  ),
] as const) {
  frames(`refuses ${text.slice(0, 80)}`, () => assert.is(complaint(text), due));
}

frames('no datagram is longer than UDP has them', () => {
  const around = size({ kind: 'error', text: '' });
  const longest: DatagramMessage = { kind: 'error', text: X(MAX_UDP_BYTES - around) };
  assert.equal(decodeDatagram(encodeDatagram(longest)), longest);
  const longer = { ...longest, text: `${longest.text}x` };
  assert.throws(
    () => encodeDatagram(longer),
    (error: unknown) => error instanceof RangeError,
  );
  assert.is(complaint(`{'type': 'error', 'message': '${longer.text}'}`), 'a datagram of 65508 bytes');
});

frames('what was encoded is nobody else’s memory', () => {
  const first = encodeDatagram({ kind: 'no_reg' });
  assert.is(first.buffer.byteLength, first.length);
});
frames.run();

// --- any ---------------------------------------------------------------------------------------------------

const law = suite('wire-datagram: any');

const unit = fc.oneof(
  fc.constantFrom(...'ab\'"\\\n\r\t\0 é漢🙂\u200b'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
);
const text = fc.string({ unit, maxLength: 40 }).map((some) => some.toWellFormed());
const name = fc.string({ unit, maxLength: 12 });
const is = <K extends string>(...kinds: K[]): fc.Arbitrary<K> => fc.constantFrom(...kinds);
const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
const none = fc.option(name, { nil: undefined });
const port = fc.integer({ min: 1, max: 65_535 });
const time = is('00:00:00', '23:59:59');
const row = record<TableRow>({ name, ip: is('10.0.0.1', '::1'), port, online: fc.boolean() });
const rows = fc.uniqueArray(row, { selector: (one) => one.name, maxLength: 6 });
const entry = record<OfflineMessage>({ from: none, time, text, isGroup: fc.boolean() });
const message: fc.Arbitrary<DatagramMessage> = fc.oneof(
  record({ kind: is('freg'), name, port, isOurs: fc.boolean() }),
  record({ kind: is('dereg', 'reg'), name }),
  record({ kind: is('group'), name, text }),
  record({ kind: is('to_offline'), time, to: name, from: name, text }),
  record({ kind: is('ack', 'status_confirm'), from: name }),
  record({ kind: is('conf_reg', 'table_update'), table: rows }),
  record({ kind: is('no_reg', 'status_check') }),
  record({ kind: is('msg'), from: none, text }),
  record({ kind: is('offline_messages'), messages: fc.array(entry, { maxLength: 6 }) }),
  record({ kind: is('error'), text }),
);

law('any message comes back as it was, and is of printable characters', () => {
  fc.assert(
    fc.property(message, (one) => {
      const bytes = encodeDatagram(one);
      assert.not(/[\p{C}\p{Zl}\p{Zp}]/u.test(textOf(bytes)));
      assert.equal(decodeDatagram(bytes), one);
    }),
    { numRuns: 1000 },
  );
});

const change = fc.tuple(
  fc.nat(200),
  fc.nat(3),
  is('', "'", '"', ',', '(', ')', '[', '}', 'None', '5', '\\', '\0', "'x'"),
);

law('what comes near to a message is one or a ProtocolError', () => {
  fc.assert(
    fc.property(message, fc.array(change, { maxLength: 3 }), (one, changes) => {
      let wire = textOf(encodeDatagram(one));
      for (const [at, count, other] of changes) wire = wire.slice(0, at) + other + wire.slice(at + count);
      let found: DatagramMessage;
      try {
        found = decode(wire);
      } catch {
        complaint(wire);
        return;
      }
      assert.equal(decodeDatagram(encodeDatagram(found)), found);
    }),
    { numRuns: 3000 },
  );
});

law('any bytes are a message or a ProtocolError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeDatagram(bytes);
      } catch (error) {
        assert.instance(error, ProtocolError);
      }
    }),
  );
});
law.run();
