import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isSha256 } from '../src/offers.ts';
import type { Decoder } from '../src/wire.ts';
import {
  chatLines,
  decodeModified,
  encodeLines,
  encodeModified,
  encodeReply,
  encodeRequest,
  encodeUtf,
  MAX_TEXT_BYTES,
  type MenuKind,
  type MenuReply,
  MenuReplyDecoder,
  type MenuRequest,
  MenuRequestDecoder,
} from '../src/wire-menu.ts';
import { bytesOf, drain, everyByte, feed, join, watchQueues } from './decoders.ts';

/** One byte for each character. */
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
const X = (count: number): string => 'x'.repeat(count);
const HASH = '0123456789abcdef'.repeat(4);

const cuts = fc.array(fc.nat(200_000), { maxLength: 12 });

/** Whole, byte by byte, and cut at random: always the same. */
function decodes<M>(open: () => Decoder<M>, bytes: Uint8Array, due: readonly M[]): void {
  assert.equal(feed(open(), bytes), due, 'whole');
  if (bytes.length < 10_000) assert.equal(feed(open(), bytes, everyByte(bytes)), due, 'byte by byte');
  fc.assert(
    fc.property(cuts, (at) => assert.equal(feed(open(), bytes, at), due)),
    { numRuns: 30 },
  );
}

const name = (is: string, client: MenuKind = 'plain', listen = 0): MenuRequest => ({
  kind: 'name',
  client,
  name: is,
  listen,
});
const message = (text: string): MenuRequest => ({ kind: 'message', text });
const told = (messages: readonly MenuRequest[]): unknown[] =>
  messages.map((one) => (one.kind === 'fault' ? one.code : one.kind === 'message' ? one.text : one));

const plain = (): MenuRequestDecoder => new MenuRequestDecoder();

/** One that has said its name already. */
function named(first = 'ann\n'): MenuRequestDecoder {
  const decoder = new MenuRequestDecoder();
  assert.equal(
    feed(decoder, latin1(first)).map(({ kind }) => kind),
    ['name'],
  );
  return decoder;
}
const full = (): MenuRequestDecoder => named('ann\t4000\n');

/** In writeUTF, as Java does it: each UTF-16 unit by itself, NUL in two bytes. */
function utf(text: string): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 1 && unit <= 0x7f) bytes.push(unit);
    else if (unit <= 0x7ff) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 63));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 63), 0x80 | (unit & 63));
  }
  assert.ok(bytes.length <= 65_535);
  return Uint8Array.from([bytes.length >> 8, bytes.length & 0xff, ...bytes]);
}

// --- plain clients -----------------------------------------------------------------------------------------

const lines = suite('wire-menu: plain clients');

const PLAIN: ReadonlyArray<readonly [string, string | Uint8Array, readonly MenuRequest[]]> = [
  ['a name', 'ann\n', [name('ann')]],
  ['a name with blanks, which are left to the house', ' ann lee \n', [name(' ann lee ')]],
  ['an empty name', '\n', [name('')]],
  ['name and first message in one', 'ann\nhello!\n', [name('ann'), message('hello!')]],
  ['several messages glued', 'ann\n1\n2\n3\n', [name('ann'), message('1'), message('2'), message('3')]],
  ['returns', 'ann\r\nhello\r\n\r\n', [name('ann'), message('hello'), message('')]],
  ['a return within a line stays', 'ann\na\rb\n', [name('ann'), message('a\rb')]],
  ['empty messages', 'ann\n\n\n', [name('ann'), message(''), message('')]],
  ['blanks, colons and verbs are text', 'ann\n a: b \nx\nwho\n', [name('ann'), ...[' a: b ', 'x', 'who'].map(message)]],
  ['a TAB behind the name is text', 'ann\nm\tx\n\t\n', [name('ann'), message('m\tx'), message('\t')]],
  ['UTF-8', bytesOf('Zoë\n漢字 🙂\n'), [name('Zoë'), message('漢字 🙂')]],
  ['a byte order mark is text', bytesOf('ann\n\ufeffx\n'), [name('ann'), message('\ufeffx')]],
  ['Latin-1 where it is no UTF-8', 'Zo\xeb\ncaf\xe9 \xff\n', [name('Zoë'), message('café ÿ')]],
  ['what ends in the middle of a character', 'ann\n\xe6\xbc\n', [name('ann'), message('\xe6\xbc')]],
  ['NULs around a message', 'ann\0\0\n\0\0hello\0\0\n', [name('ann'), message('hello')]],
  [
    'buffers filled up with NULs',
    'ann\n\0\0\0\0hello\n\0\0world\n\0',
    [name('ann'), message('hello'), message('world')],
  ],
  ['a NUL within a message', 'ann\na\0b\n', [name('ann'), message('a\0b')]],
  ['the byte 0x1E', 'ann\n\x1ewho\n', [name('ann'), message('\x1ewho')]],
  ['64 KiB', `ann\n${X(MAX_TEXT_BYTES)}\r\n`, [name('ann'), message(X(MAX_TEXT_BYTES))]],
];

for (const [what, text, due] of PLAIN) {
  lines(`${what}: whole and in pieces`, () => decodes(plain, typeof text === 'string' ? latin1(text) : text, due));
}

/** Sent without a newline: what has been complete before the silence, and after it. */
const UNENDED: ReadonlyArray<readonly [string, string, readonly MenuRequest[], readonly MenuRequest[]]> = [
  ['a name', 'ann', [], [name('ann')]],
  ['a message behind a name', 'ann\nhello', [name('ann')], [message('hello')]],
  ['a buffer', 'ann\0\0\0\0\0', [], [name('ann')]],
  ['half a line end', 'ann\r', [], [name('ann')]],
  ['the rest of a buffer', 'ann\n\0\0\0', [name('ann')], []],
  ['a buffer with a newline in it', 'ann\nhi\n\0\0\0', [name('ann'), message('hi')], []],
  ['Latin-1', 'Zo\xeb', [], [name('Zoë')]],
];

for (const [what, text, before, after] of UNENDED) {
  lines(`${what} without a newline is complete after a silence`, () => {
    const decoder = plain();
    const bytes = latin1(text);
    assert.equal(feed(decoder, bytes, everyByte(bytes)), before);
    assert.ok(decoder.pending);
    decoder.lull();
    assert.equal(drain(decoder), after);
    assert.not(decoder.pending);
    decoder.lull();
    assert.equal(drain(decoder), [], 'only once');
  });

  lines(`${what} without a newline is complete at the end`, () => {
    const decoder = plain();
    feed(decoder, latin1(text));
    decoder.end();
    assert.equal(drain(decoder), after);
  });
}

lines('a client that never sends a newline: one send, one message', () => {
  const decoder = plain();
  for (const text of ['ann', 'hello', 'a\0b', '', ' ', 'more']) {
    assert.equal(feed(decoder, latin1(`${text}\0\0\0`)), []);
    decoder.lull();
    const due = text === 'ann' ? name(text) : message(text);
    assert.equal(drain(decoder), text === '' ? [] : [due], 'NULs alone are nothing');
  }
});

lines('a silence that is over ends nothing', () => {
  const decoder = named();
  decoder.push(latin1('hel'));
  decoder.lull();
  assert.equal(feed(decoder, latin1('lo')), []);
  assert.equal(feed(decoder, latin1('\nx')), [message('hello')]);
});

lines('a push of nothing does not end a silence', () => {
  const decoder = named();
  decoder.push(latin1('hello'));
  decoder.lull();
  decoder.push(new Uint8Array(0));
  assert.equal(drain(decoder), [message('hello')]);
});

lines('nothing is pending where everything had its newline', () => {
  const decoder = plain();
  assert.not(decoder.pending);
  feed(decoder, latin1('ann\nhi\n'));
  assert.not(decoder.pending);
});

lines('a name that can’t be worn: the next line is another one, and what kind of client it is is open again', () => {
  const decoder = plain();
  assert.equal(feed(decoder, latin1('\n')), [name('')]);
  decoder.again();
  assert.equal(feed(decoder, latin1('ann\t4000\nm\thi\n')), [name('ann', 'full', 4000), message('hi')]);
  const other = full();
  other.again();
  assert.equal(feed(other, latin1('ben\nm\thi\n')), [name('ben'), message('m\thi')]);
});

lines('names glued to each other are tried one after the other', () => {
  const decoder = plain();
  decoder.push(latin1('\n\x01\nann\nhi\n'));
  assert.equal(decoder.next(), name(''));
  decoder.again();
  assert.equal(decoder.next(), name('\x01'));
  decoder.again();
  assert.equal(drain(decoder), [name('ann'), message('hi')]);
});

lines('the first byte of all tells writeUTF: NULs behind a name that can’t be worn do not', () => {
  const decoder = plain();
  const first = latin1('b\x01d\n\0\0\0\0');
  assert.equal(feed(decoder, first), [name('b\x01d')]);
  decoder.again();
  assert.equal(feed(decoder, latin1('ann\n\0\0\0\0')), [name('ann')]);
});

const OVER = MAX_TEXT_BYTES + 1000;
for (const [what, first, long, next, due] of [
  ['a plain client’s line', 'ann\n', `${X(OVER)}\n`, 'hi\n', 'hi'],
  ['a line of far too many bytes', 'ann\n', `${X(5 * OVER)}\r\n`, 'hi\n', 'hi'],
  ['a line of NULs', 'ann\n', `${'\0'.repeat(OVER)}\n`, 'hi\n', 'hi'],
  ['a full client’s line', 'ann\t1\n', `m\t${X(OVER)}\n`, 'm\thi\n', 'hi'],
] as const) {
  lines(`${what} that is too long is one fault, however it is cut, and the next one is read`, () => {
    const bytes = latin1(long + next);
    const parts = [[], [10_000, 70_000], [65_600, 65_601], everyByte(bytes).filter((at) => at % 1021 === 0)];
    for (const at of parts) assert.equal(told(feed(named(first), bytes, at)), ['too-long', due]);
    fc.assert(
      fc.property(cuts, (at) => assert.equal(told(feed(named(first), bytes, at)), ['too-long', due])),
      { numRuns: 30 },
    );
  });
}

lines('a name that is too long is one fault, and the next line is a name', () => {
  const decoder = plain();
  assert.equal(told(feed(decoder, latin1(`${X(OVER)}\n`))), ['too-long']);
  decoder.again();
  assert.equal(feed(decoder, latin1('ann\n')), [name('ann')]);
});

for (const [what, at] of [
  ['in one piece', []],
  ['in pieces', [30_000, 60_000]],
  ['with a piece behind the limit', [66_000]],
] as const) {
  lines(`a message without a newline that is too long ends with a silence (${what}); the next one is read`, () => {
    const decoder = named();
    const found = feed(decoder, latin1(X(OVER)), at);
    decoder.lull();
    found.push(...drain(decoder));
    assert.equal(told(found), ['too-long']);
    assert.equal(feed(decoder, latin1('hello')), []);
    decoder.lull();
    assert.equal(drain(decoder), [message('hello')]);
  });
}
lines.run();

// --- full clients ------------------------------------------------------------------------------------------

const verbs = suite('wire-menu: full clients');

const OFFER = { kind: 'offer', ticket: 't1', size: 10, version: 'v-1.a_b', sha256: HASH, same: true } as const;

type Sendable = Exclude<MenuRequest, { kind: 'fault' }>;
/** As our own client writes them. */
const REQUESTS: ReadonlyArray<readonly [string, Sendable, string]> = [
  ['m', message('hello') as Sendable, 'm\thello\n'],
  ['m without text', message('') as Sendable, 'm\t\n'],
  ['m beyond ASCII', message('漢字 🙂') as Sendable, 'm\t漢字 🙂\n'],
  ['m with TABs, which are text', message('\ta\tb\t') as Sendable, 'm\t\ta\tb\t\n'],
  ['m that looks like a verb', message('x') as Sendable, 'm\tx\n'],
  ['m with NULs', message('\0a\0') as Sendable, 'm\t\0a\0\n'],
  ['m of 64 KiB', message(X(MAX_TEXT_BYTES)) as Sendable, `m\t${X(MAX_TEXT_BYTES)}\n`],
  ['who', { kind: 'who' }, 'who\n'],
  ['x', { kind: 'exit' }, 'x\n'],
  ['offer', OFFER, `offer\tt1\t10\tv-1.a_b\t${HASH}\tsame\n`],
  ['offer of another', { ...OFFER, same: false }, `offer\tt1\t10\tv-1.a_b\t${HASH}\tother\n`],
  ['offer without a digest', { ...OFFER, sha256: undefined }, 'offer\tt1\t10\tv-1.a_b\t-\tsame\n'],
  ['offer of nothing', { ...OFFER, size: 0 }, `offer\tt1\t0\tv-1.a_b\t${HASH}\tsame\n`],
  ['offer of much', { ...OFFER, size: 999_999_999_999_999 }, `offer\tt1\t999999999999999\tv-1.a_b\t${HASH}\tsame\n`],
  ['no', { kind: 'no', ticket: 't1', status: 404, reason: 'there is no a.txt' }, 'no\tt1\t404\tthere is no a.txt\n'],
  ['no without a reason', { kind: 'no', ticket: 't1', status: 503, reason: '' }, 'no\tt1\t503\t\n'],
  ['busy', { kind: 'busy', ticket: 't1' }, 'busy\tt1\n'],
];

for (const [what, request, text] of REQUESTS) {
  verbs(`${what}: encodes, decodes, whole and in pieces`, () => {
    assert.is(textOf(encodeRequest(request)), text);
    decodes(full, bytesOf(text), [request]);
    assert.equal(feed(full(), bytesOf(text.replace('\n', '\r\n'))), [request], 'with a return');
  });
}

verbs('each verb behind each other one, and behind the name', () => {
  for (const [first, a, aText] of REQUESTS) {
    for (const [second, b, bText] of REQUESTS) {
      const bytes = bytesOf(`ann\t4000\n${aText}${bText}`);
      assert.equal(feed(plain(), bytes), [name('ann', 'full', 4000), a, b], `${first} + ${second}`);
    }
  }
});

for (const [what, first, due] of [
  ['with a port', 'ann\t4000\n', name('ann', 'full', 4000)],
  ['with none', 'ann\t0\n', name('ann', 'full', 0)],
  ['with the last one', 'ann\t65535\r\n', name('ann', 'full', 65_535)],
  ['beyond ASCII', 'Zoë 漢\t1\n', name('Zoë 漢', 'full', 1)],
  ['that is empty', '\t1\n', name('', 'full', 1)],
] as const) {
  verbs(`a name ${what}`, () => decodes(plain, bytesOf(first), [due]));
}

verbs('encodes names', () => {
  assert.is(textOf(encodeRequest({ kind: 'name', client: 'full', name: 'ann', listen: 4000 })), 'ann\t4000\n');
  assert.is(textOf(encodeRequest({ kind: 'name', client: 'plain', name: 'Zoë', listen: 0 })), 'Zoë\n');
});

for (const port of ['', 'x', '65536', '-1', '1.5', '1\t2', ' 1', '9'.repeat(400)]) {
  verbs(`${JSON.stringify(port).slice(0, 12)} is no port: a fault, and another name may follow`, () => {
    const decoder = plain();
    assert.equal(told(feed(decoder, bytesOf(`ann\t${port}\n`))), ['malformed']);
    decoder.again();
    assert.equal(feed(decoder, bytesOf('ann\t1\n')), [name('ann', 'full', 1)]);
  });
}

const MALFORMED = [
  '',
  'hello',
  'm',
  'M\tx',
  ' m\tx',
  'mm\tx',
  '\tm',
  '\x1ewho',
  'constructor',
  '\xff\xfe',
  'offer',
  'offer\tt1',
  `offer\tt1\t-1\tv\t${HASH}\tsame`,
  `offer\tt1\t\tv\t${HASH}\tsame`,
  `offer\tt1\t1e3\tv\t${HASH}\tsame`,
  `offer\tt1\t${'9'.repeat(16)}\tv\t${HASH}\tsame`,
  `offer\tt1\t10\t\t${HASH}\tsame`,
  `offer\tt1\t10\ta"b\t${HASH}\tsame`,
  `offer\tt1\t10\t${X(65)}\t${HASH}\tsame`,
  'offer\tt1\t10\tv\t\tsame',
  'offer\tt1\t10\tv\tabc\tsame',
  `offer\tt1\t10\tv\t${HASH.toUpperCase()}\tsame`,
  `offer\tt1\t10\tv\t${HASH}0\tsame`,
  'no',
  'no\tt1',
  'no\tt1\t\treason',
  'no\tt1\t200\tfine',
  'no\tt1\t4040\treason',
  'no\tt1\tgone',
];
for (const line of MALFORMED) {
  verbs(`${JSON.stringify(line).slice(0, 30)} is a fault, and the next line is understood`, () => {
    const found = feed(full(), latin1(`${line}\nm\thi\n`));
    assert.equal(told(found), ['malformed', 'hi']);
    const [fault] = found;
    if (fault?.kind === 'fault') assert.match(fault.detail, /^\P{Cc}{1,100}$/u, 'told in one line');
  });
}

verbs('a file that differs is meant by anything but `same`', () => {
  for (const last of ['', '\tother', '\tSAME', '\tx']) {
    const [offer] = feed(full(), latin1(`offer\tt1\t10\tv\t-${last}\n`));
    assert.equal(offer, { ...OFFER, version: 'v', sha256: undefined, same: false });
  }
});

verbs('an unfinished line is never ended by silence', () => {
  for (const first of ['ann\t', 'ann\t40', 'ann\t4000', '\t', 'ann\t4000\r']) {
    const decoder = plain();
    feed(decoder, latin1(first));
    assert.not(decoder.pending, first);
    decoder.lull();
    assert.equal(drain(decoder), [], first);
  }
  for (const line of ['m', 'm\thel', 'x', 'who', 'm\thello\0\0']) {
    const decoder = full();
    feed(decoder, latin1(line));
    assert.not(decoder.pending, line);
    decoder.lull();
    assert.equal(drain(decoder), [], line);
  }
  const decoder = full();
  feed(decoder, latin1('m\thel'));
  decoder.lull();
  assert.equal(drain(decoder), []);
  assert.equal(feed(decoder, latin1('lo\n')), [message('hello')]);
});

verbs('the end ends a line', () => {
  const decoder = plain();
  feed(decoder, latin1('ann\t4000\nm\thi'));
  decoder.end();
  assert.equal(drain(decoder), [message('hi')]);
});

/** Compared with what has a prototype. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true });
const field = fc.string({ unit: 'binary' }).filter((text) => !/[\t\r\n]|\p{Surrogate}/u.test(text));
const sha256 = fc.option(fc.constantFrom(HASH, 'f'.repeat(64)), { nil: undefined });
const size = fc.nat(Number.MAX_SAFE_INTEGER).map((number) => number % 1e15);
const version = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/);

verbs('any request without TABs or line ends in its fields comes back as it was', () => {
  const request: fc.Arbitrary<Sendable> = fc.oneof(
    field.map((text) => message(text) as Sendable),
    fc.constantFrom<Sendable>({ kind: 'exit' }, { kind: 'who' }),
    record({ kind: fc.constant('offer' as const), ticket: field, size, version, sha256, same: fc.boolean() }),
    record({
      kind: fc.constant('no' as const),
      ticket: field,
      status: fc.integer({ min: 400, max: 599 }),
      reason: field,
    }),
    record({ kind: fc.constant('busy' as const), ticket: field }),
  );
  fc.assert(
    fc.property(fc.array(request, { maxLength: 6 }), cuts, (all, at) => {
      assert.equal(feed(full(), join(...all.map(encodeRequest)), at), all);
    }),
  );
  fc.assert(
    fc.property(field, fc.nat(65_535), (is, listen) => {
      fc.pre(!is.startsWith('\0'));
      const request = { kind: 'name', client: 'full', name: is.replaceAll('\0', ''), listen } as const;
      assert.equal(feed(plain(), encodeRequest(request)), [request]);
    }),
  );
});
verbs.run();

// --- writeUTF clients --------------------------------------------------------------------------------------

const java = suite('wire-menu: writeUTF clients');

const TEXTS: ReadonlyArray<readonly [string, string]> = [
  ['ASCII', 'hello'],
  ['nothing', ''],
  ['line ends and TABs', 'a\nb\r\nc\t'],
  ['a NUL', 'a\0b'],
  ['two bytes', 'Zoë'],
  ['three bytes', '漢字'],
  ['surrogates', '🙂 👩‍👧'],
  ['a length that looks like a newline', X(10)],
  ['a length of two bytes', X(300)],
  ['the longest', X(65_535)],
  ['the longest of three bytes', '漢'.repeat(21_845)],
];

for (const [what, text] of TEXTS) {
  java(`${what}: whole, and with its length and its characters cut anywhere`, () => {
    const due = [name('ann', 'utf'), message(text), message('next')];
    decodes(plain, join(utf('ann'), utf(text), utf('next')), due);
  });

  java(`${what} is written as Java reads it`, () => {
    assert.equal(encodeModified(text), utf(text).subarray(2));
    assert.is(decodeModified(utf(text).subarray(2)), text);
  });
}

java('the bytes of a NUL and of a surrogate pair', () => {
  assert.equal(encodeUtf(['a\0b']), Uint8Array.of(0, 4, 0x61, 0xc0, 0x80, 0x62));
  assert.equal(encodeUtf(['🙂']), Uint8Array.of(0, 6, 0xed, 0xa0, 0xbd, 0xed, 0xb9, 0x82));
  assert.equal(encodeUtf([]), new Uint8Array(0));
  assert.equal(encodeUtf(['']), Uint8Array.of(0, 0));
});

java('silence ends nothing, and nothing is pending', () => {
  const whole = join(utf('ann'), utf('hello'));
  for (let cut = 1; cut < whole.length; cut++) {
    const decoder = plain();
    const found = feed(decoder, whole.subarray(0, cut));
    assert.not(decoder.pending);
    decoder.lull();
    found.push(...drain(decoder), ...feed(decoder, whole.subarray(cut)));
    assert.equal(found, [name('ann', 'utf'), message('hello')], `cut at ${cut}`);
  }
});

java('what is unfinished at the end is nothing', () => {
  for (const rest of [[0], [0, 5], [0, 5, 0x61]]) {
    const decoder = plain();
    assert.equal(feed(decoder, join(utf('ann'), Uint8Array.from(rest))), [name('ann', 'utf')]);
    decoder.end();
    assert.equal(drain(decoder), []);
  }
});

java('after a name that can’t be worn the framing is the same', () => {
  const decoder = plain();
  assert.equal(feed(decoder, utf('')), [name('', 'utf')]);
  decoder.again();
  assert.equal(feed(decoder, join(utf('a\tb'), utf('hi'))), [name('a\tb', 'utf'), message('hi')]);
});

for (const [what, bytes, due] of [
  ['plain UTF-8 of four bytes', bytesOf('a🙂'), 'a🙂'],
  ['Latin-1', latin1('caf\xe9'), 'café'],
  ['what is cut in the middle', latin1('\xe6\xbc'), '\xe6\xbc'],
  ['a raw NUL', latin1('a\0'), 'a\0'],
] as const) {
  java(`${what} is read too`, () => {
    assert.is(decodeModified(bytes), due);
    const frame = join(Uint8Array.of(0, bytes.length), bytes);
    assert.equal(feed(plain(), join(utf('ann'), frame)), [name('ann', 'utf'), message(due)]);
  });
}

/** What a Java client would read. */
function framed(bytes: Uint8Array): string[] {
  const decoder = plain();
  const [first, ...rest] = feed(decoder, join(utf('j'), bytes));
  assert.is(first?.kind, 'name');
  decoder.end();
  assert.equal(drain(decoder), []);
  const sum = rest.reduce((all, one) => all + (one.kind === 'message' ? utf(one.text).length : 0), 0);
  assert.is(sum, bytes.length, 'nothing is left over');
  return rest.map((one) => (one.kind === 'message' ? one.text : one.kind));
}

for (const [what, text] of [
  ['65,535 bytes', X(65_535)],
  ['65,535 bytes of three each', '漢'.repeat(21_845)],
  ['40,000 bytes', X(40_000)],
  ['32,768 bytes of NULs', '\0'.repeat(16_384)],
] as const) {
  java(`a line of ${what} goes out as one: that fits into the length`, () => {
    assert.equal(
      framed(encodeUtf([text])).map(({ length }) => length),
      [text.length],
    );
  });
}

for (const [what, text] of [
  ['ASCII', X(65_536)],
  ['NULs', '\0'.repeat(65_536)],
  ['three bytes', '漢'.repeat(65_536)],
  ['surrogate pairs', `x${'🙂'.repeat(32_000)}`],
  ['everything', 'aë漢🙂\0'.repeat(10_000)],
] as const) {
  java(`a line of ${what} that is too long goes out as several, none cut inside a character`, () => {
    const found = framed(encodeUtf([text, 'next']));
    assert.is(found.pop(), 'next');
    assert.is(found.join(''), text);
    assert.ok(found.length > 1);
    for (const piece of found) assert.ok(piece.isWellFormed());
  });
}

java('any text comes back as it was', () => {
  const any = fc.string({
    unit: fc.oneof(fc.constantFrom('\0', '\ud800', '\udc00', '🙂'), fc.string({ unit: 'binary' })),
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 5 }), (all) => {
      assert.equal(framed(encodeUtf(all)), all);
      for (const one of all) assert.equal(encodeModified(one), utf(one).subarray(2));
    }),
  );
});
java.run();

// --- from the server ---------------------------------------------------------------------------------------

const replies = suite('wire-menu: replies');
const reader = (): MenuReplyDecoder => new MenuReplyDecoder();

const WANT = { kind: 'want', ticket: 't1', who: 'ben', have: 5, prefix: HASH, digest: true, file: 'a b.txt' } as const;
const REPLIES: ReadonlyArray<readonly [string, Exclude<MenuReply, { kind: 'other' }>, string]> = [
  ['a message', { kind: 'chat', line: 'ann: hello' }, 'ann: hello\n'],
  ['an empty message', { kind: 'chat', line: 'ann: ' }, 'ann: \n'],
  ['a message with TABs', { kind: 'chat', line: 'ann: a\tb' }, 'ann: a\tb\n'],
  ['a message beyond ASCII', { kind: 'chat', line: 'Zoë: 漢字 🙂' }, 'Zoë: 漢字 🙂\n'],
  ['a message with 0x1E in it', { kind: 'chat', line: 'ann: \x1ewelcome' }, 'ann: \x1ewelcome\n'],
  ['a message of 64 KiB', { kind: 'chat', line: `ann: ${X(MAX_TEXT_BYTES)}` }, `ann: ${X(MAX_TEXT_BYTES)}\n`],
  ['welcome', { kind: 'welcome', name: 'ann~2', token: 'T' }, '\x1ewelcome\tann~2\tT\n'],
  ['who, nobody', { kind: 'who', names: [] }, '\x1ewho\n'],
  ['who', { kind: 'who', names: ['ann', 'ben lee'] }, '\x1ewho\tann\tben lee\n'],
  ['error', { kind: 'error', text: 'a name is missing' }, '\x1eerror\ta name is missing\n'],
  ['want', WANT, `\x1ewant\tt1\tben\t5\t${HASH}\tdigest\ta b.txt\n`],
  [
    'want by a stranger who has nothing',
    { ...WANT, who: '', have: 0, prefix: undefined, digest: false },
    '\x1ewant\tt1\t\t0\t-\t-\ta b.txt\n',
  ],
  ['push', { kind: 'push', ticket: 't1', from: 5, to: 10 }, '\x1epush\tt1\t5\t10\n'],
  ['done', { kind: 'done', ticket: 't1', reason: 'they have broken off' }, '\x1edone\tt1\tthey have broken off\n'],
  ['done and well', { kind: 'done', ticket: 't1', reason: '' }, '\x1edone\tt1\t\n'],
];

for (const [what, reply, text] of REPLIES) {
  replies(`${what}: encodes, decodes, whole and in pieces`, () => {
    assert.is(textOf(encodeReply(reply)), text);
    decodes(reader, bytesOf(text), [reply]);
    decodes(reader, bytesOf(text.replace('\n', '\r\n')), [reply]);
  });
}

replies('each behind each other one', () => {
  for (const [first, a, aText] of REPLIES) {
    for (const [second, b, bText] of REPLIES) {
      assert.equal(feed(reader(), bytesOf(aText + bText)), [a, b], `${first} + ${second}`);
    }
  }
});

for (const line of [
  '\x1e',
  '\x1enews\tx',
  '\x1eWELCOME\tann\tT',
  '\x1econstructor',
  '\x1epush\tt1\tx\t2',
  '\x1epush\tt1',
  '\x1epush\tt1\t-1\t2',
  `\x1ewant\tt1\tben\tmany\t${HASH}\t-\ta.txt`,
  '\x1ewant\tt1\tben\t5\tabc\t-\ta.txt',
  '\x1ewant',
]) {
  replies(`${JSON.stringify(line).slice(0, 40)} is something newer, and the next line is understood`, () => {
    assert.equal(feed(reader(), bytesOf(`${line}\nann: hi\n`)), [{ kind: 'other' }, { kind: 'chat', line: 'ann: hi' }]);
  });
}

replies('a line without its newline waits for it, or for the end', () => {
  const decoder = reader();
  assert.equal(feed(decoder, bytesOf('ann: hel')), []);
  assert.equal(feed(decoder, bytesOf('lo')), []);
  decoder.end();
  assert.equal(drain(decoder), [{ kind: 'chat', line: 'ann: hello' }]);
  const nothing = reader();
  nothing.end();
  assert.equal(drain(nothing), []);
});

replies('a refusal and a reason are one line, whatever they quote', () => {
  assert.is(textOf(encodeReply({ kind: 'error', text: 'no\r\n\x1ewelcome\tyou' })), '\x1eerror\tno \x1ewelcome you\n');
  assert.is(textOf(encodeReply({ kind: 'done', ticket: 't', reason: 'a\nb\tc' })), '\x1edone\tt\ta b c\n');
});

replies('any reply without TABs or line ends in its fields comes back as it was', () => {
  const some = field.filter((text) => text !== '');
  const reply = fc.oneof(
    field.filter((text) => !text.startsWith('\x1e')).map((line) => ({ kind: 'chat' as const, line })),
    record({ kind: fc.constant('welcome' as const), name: field, token: field }),
    record({ kind: fc.constant('who' as const), names: fc.array(some, { maxLength: 4 }) }),
    record({ kind: fc.constant('error' as const), text: field }),
    record({
      kind: fc.constant('want' as const),
      ticket: field,
      who: field,
      have: size,
      prefix: sha256,
      digest: fc.boolean(),
      file: field,
    }),
    record({ kind: fc.constant('push' as const), ticket: field, from: size, to: size }),
    record({ kind: fc.constant('done' as const), ticket: field, reason: field }),
  );
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 6 }), cuts, (all, at) => {
      assert.equal(feed(reader(), join(...all.map(encodeReply)), at), all);
    }),
  );
});

for (const [text, due] of [
  ['hello', ['hello']],
  ['', ['']],
  ['one\ntwo', ['one', 'two']],
  ['one\r\ntwo\rthree', ['one', 'two', 'three']],
  ['one\n\ntwo', ['one', '', 'two']],
  ['one\n', ['one']],
  ['one\r\n', ['one']],
  ['one\n\n', ['one', '']],
  ['\n', ['']],
  ['\none', ['', 'one']],
] as const) {
  replies(`${JSON.stringify(text)} has ${due.length} line(s), each with the name`, () => {
    assert.equal(
      chatLines('ann', text),
      due.map((line) => `ann: ${line}`),
    );
  });
}

replies('a text of line ends does not grow without bound: the last line has the rest', () => {
  const lines = chatLines('ann', `${'x\n'.repeat(60_000)}end`);
  assert.is(lines.length, 100);
  assert.is(lines[98], 'ann: x');
  assert.is(lines[99], `ann: ${'x '.repeat(60_000 - 99)}end`);
});

replies('lines are ended by newlines', () => {
  assert.is(textOf(encodeLines(['ann: 1', 'ann: 2'])), 'ann: 1\nann: 2\n');
});

replies('what a digest looks like', () => {
  assert.ok(isSha256(HASH));
  for (const text of ['', '-', HASH.slice(1), `${HASH}0`, HASH.toUpperCase(), `${HASH}\n`, `${HASH.slice(1)}g`]) {
    assert.not(isSha256(text), text);
  }
});
replies.run();

// --- any bytes ---------------------------------------------------------------------------------------------

const law = suite('wire-menu: any bytes');

/** Anything, and what comes near to what is meant. */
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .array(
      fc.constantFrom(
        ...['ann', '\n', '\r\n', '\t', '4000', 'm\t', 'x', 'who', 'offer\tt1\t10', 'no\tt1\t404', 'busy', '\x1e', '-'],
        ...['\0', '\0\x03', 'ann\t1\n', HASH, '\xff', '\xc3', '\xed\xa0\xbd', X(1000), X(65_536), '\0'.repeat(300)],
      ),
      { maxLength: 30 },
    )
    .map((parts) => latin1(parts.join(''))),
);
const KINDS = ['name', 'message', 'exit', 'who', 'offer', 'no', 'busy', 'fault'];

law('gives requests or faults and never throws, with silences and the end anywhere', () => {
  const step = fc.oneof({ weight: 4, arbitrary: anything }, fc.constantFrom('lull', 'again', 'end'));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const decoder = plain();
      for (const one of steps) {
        if (one === 'lull') decoder.lull();
        else if (one === 'again') decoder.again();
        else if (one === 'end') decoder.end();
        else decoder.push(one);
        for (const request of drain(decoder)) {
          assert.ok(KINDS.includes(request.kind));
          if (request.kind === 'message') assert.ok(bytesOf(request.text).length < 3 * MAX_TEXT_BYTES);
          if (request.kind === 'fault') assert.not(/[\r\n\t]/.test(request.detail), request.detail);
        }
      }
    }),
    { numRuns: 300 },
  );
});

law('gives the same, however it is cut', () => {
  fc.assert(
    fc.property(anything, cuts, (bytes, at) => {
      const whole = feed(plain(), bytes);
      assert.equal(feed(plain(), bytes, at), whole);
      if (bytes.length < 5000) assert.equal(feed(plain(), bytes, everyByte(bytes)), whole);
    }),
    { numRuns: 300 },
  );
});

law('of a server too', () => {
  fc.assert(
    fc.property(anything, cuts, (bytes, at) => {
      const [whole, cut] = [reader(), reader()];
      const found = feed(whole, bytes);
      assert.equal(feed(cut, bytes, at), found);
      for (const one of [whole, cut]) one.end();
      assert.equal(drain(cut), drain(whole));
    }),
    { numRuns: 300 },
  );
});

law('never keeps more than a message and what came last', () => {
  const CHUNK = 64 * 1024;
  const { most } = watchQueues(() => {
    for (const first of ['', 'ann\n', 'ann\t4000\n', '\0\x03ann', '\t']) {
      for (const fill of ['x', '\0', '\t', '\xff', '\r', '\x1e']) {
        const decoder = plain();
        feed(decoder, latin1(first));
        const chunk = latin1(fill.repeat(CHUNK));
        for (let count = 0; count < 20; count++) {
          decoder.push(chunk);
          drain(decoder);
        }
      }
    }
  });
  assert.ok(most > CHUNK && most <= 2 * CHUNK + 1024, `${most} bytes were kept`);
});
law.run();
