import fs from 'node:fs';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProtocolError } from '../src/errors.ts';
import {
  decodeLiteral,
  type Literal,
  literalPieceEnd,
  MAX_DEPTH,
  parseLiteral,
  printLiteral,
  Tuple,
} from '../src/python-literal.ts';

/** A value as the data file has it: `{int}` for a great one, `{tuple}`, `{dict}` as a list of pairs. */
type Told =
  | string
  | number
  | boolean
  | null
  | readonly Told[]
  | { int?: string; tuple?: Told[]; dict?: [Told, Told][] };

/** Made by CPython 3.11: what it reads, as what, and how it prints that; what it refuses; what only it reads. */
const data = JSON.parse(fs.readFileSync(new URL('./python-literals.json', import.meta.url), 'utf8')) as {
  read: [text: string, value: Told, printed: string][];
  refused: string[][];
  beyond: string[][];
  /** Code points as hexadecimal ranges, of those that Unicode 14 defines. */
  printable: string;
  unprintable: string;
};

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const X = (count: number): string => 'x'.repeat(count);

function told(value: Literal): Told {
  if (typeof value === 'bigint') return { int: String(value) };
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Tuple) return { tuple: value.items.map(told) };
  if (value instanceof Map) return { dict: Array.from(value, ([key, field]) => [told(key), told(field)]) };
  return (value as readonly Literal[]).map(told);
}

/** The text of the ProtocolError. */
function complaint(text: string | Uint8Array): string {
  try {
    if (typeof text === 'string') parseLiteral(text);
    else decodeLiteral(text);
  } catch (error) {
    assert.instance(error, ProtocolError);
    assert.is((error as ProtocolError).code, 'malformed');
    assert.match((error as ProtocolError).message, /^[ -~]{1,80}$/);
    return (error as ProtocolError).message;
  }
  assert.unreachable(`taken: ${text}`);
  return '';
}

// --- as CPython --------------------------------------------------------------------------------------------

const cpython = suite('python-literal: as CPython');

cpython('there are enough rows', () => {
  assert.ok(data.read.length > 270);
  assert.ok(data.refused.flat().length > 150);
});

for (const [text, value, printed] of data.read) {
  cpython(`reads ${JSON.stringify(text).slice(0, 80)}, and prints it`, () => {
    const found = parseLiteral(text);
    assert.equal(told(found), value);
    assert.is(printLiteral(found), printed);
    assert.equal(told(parseLiteral(printed)), value);
    assert.equal(told(decodeLiteral(bytesOf(text))), value);
  });
}

for (const text of data.refused.flat()) {
  cpython(`refuses ${JSON.stringify(text)}`, () => {
    complaint(text);
    complaint(bytesOf(text));
  });
}

for (const text of data.beyond.flat()) cpython(`reads ${text}, we do not`, () => assert.ok(complaint(text)));

for (const [text, value] of [
  ['\n 1', 1],
  ['# a\n\t[]', []],
  ['1\n ', 1],
  ['\f 1', 1],
] as const) {
  cpython(`refuses ${JSON.stringify(text)} for its indent, we do not`, () => assert.equal(parseLiteral(text), value));
}

function* codesOf(ranges: string): Generator<number> {
  for (const range of ranges.split(' ')) {
    const [first = 0, last = first] = range.split('-').map((hex) => Number.parseInt(hex, 16));
    for (let code = first; code <= last; code++) yield code;
  }
}

cpython('escapes what is not printable, of every character that is defined', () => {
  let count = 0;
  for (const code of codesOf(data.printable)) {
    const char = String.fromCodePoint(code);
    const due = { '\\': "'\\\\'", "'": `"'"` }[char] ?? `'${char}'`;
    if (printLiteral(char) !== due) assert.unreachable(`${code.toString(16)} is printable`);
    count++;
  }
  for (const code of codesOf(data.unprintable)) {
    const printed = printLiteral(String.fromCodePoint(code));
    const isShort = code === 9 || code === 10 || code === 13;
    const [what, digits] = code <= 0xff ? ['x', 2] : code <= 0xffff ? ['u', 4] : ['U', 8];
    const due = isShort ? `\\${'tn  r'[code - 9]}` : `\\${what}${code.toString(16).padStart(Number(digits), '0')}`;
    if (printed !== `'${due}'`) assert.unreachable(`${code.toString(16)} is not printable`);
    count++;
  }
  assert.ok(count > 280_000);
});

cpython('two escapes that make a pair are the one character, for JavaScript has no other', () => {
  assert.is(parseLiteral("'\\ud83d\\ude00'"), '😀');
  assert.is(parseLiteral("'\\ud83d' '\\ude00'"), '😀');
  assert.is(printLiteral('\ud83d\ude00'), "'😀'");
  assert.is(printLiteral('\ude00\ud83d'), "'\\ude00\\ud83d'");
});
cpython.run();

// --- limits ------------------------------------------------------------------------------------------------

const limits = suite('python-literal: limits');

for (const [open, inner, close] of [
  ['[', '', ']'],
  ['(', '', ')'],
  ['(', '1', ',)'],
  ['(', '1', ')'],
  ['{1:', '0', '}'],
] as const) {
  limits(`${open}…${close} may be nested ${MAX_DEPTH} deep`, () => {
    const end = inner === '' ? close.replace(',', '') : close;
    const nested = (depth: number): string =>
      `${open.repeat(depth - 1)}${open}${inner}${end}${close.repeat(depth - 1)}`;
    parseLiteral(nested(MAX_DEPTH));
    assert.match(complaint(nested(MAX_DEPTH + 1)), /^nested too deep/);
  });
}

limits('brackets beside each other are not nested', () => {
  assert.is((parseLiteral(`[${'[],'.repeat(1000)}]`) as unknown[]).length, 1000);
});

limits('a whole number has as many digits as CPython allows', () => {
  const nines = '9'.repeat(4300);
  assert.is(printLiteral(parseLiteral(nines)), nines);
  assert.is(printLiteral(parseLiteral(`-${nines}`)), `-${nines}`);
  complaint(`${nines}9`);
  const most = parseLiteral(`0x${'f'.repeat(3569)}`);
  assert.equal(parseLiteral(printLiteral(most)), most);
  for (const prefix of ['0x1', '0o1', '0b1']) complaint(prefix + '0'.repeat(3571));
});

limits('zero has no sign', () => {
  for (const text of ['-0', '- 0x0', '-0_0']) assert.ok(Object.is(parseLiteral(text), 0));
  assert.is(printLiteral(-0), '0');
});

limits('what is no whole number is not printed', () => {
  for (const number of [1.5, Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => printLiteral(number));
});

for (const [what, bytes] of [
  ['a byte alone', [0x27, 0xff, 0x27]],
  ['an overlong NUL', [0x27, 0xc0, 0x80, 0x27]],
  ['a surrogate', [0x27, 0xed, 0xa0, 0x80, 0x27]],
  ['a character beyond the last', [0x27, 0xf4, 0x90, 0x80, 0x80, 0x27]],
  ['a cut character', [0x27, 0xe6, 0xbc, 0x27]],
  ['Latin-1', [0x27, 0xe9, 0x27]],
  ['a byte order mark', [0xef, 0xbb, 0xbf, 0x31]],
  ['bad bytes in a comment', [0x31, 0x23, 0x80]],
  ['NUL in a comment', [0x31, 0x23, 0x00]],
] as const) {
  limits(`${what} is refused`, () => assert.ok(complaint(Uint8Array.from(bytes))));
}
limits.run();

// --- any -------------------------------------------------------------------------------------------------

const law = suite('python-literal: any');

const char = fc.oneof(
  fc.constantFrom(
    ...'ab\'"\\\n\r\t\0\x7f é漢🙂',
    '\ud800',
    '\udc00',
    '\u200d',
    '\u0301',
    '👩‍👩‍👧',
    '\u2028',
    '\u{e0001}',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
);
const text = fc.string({ unit: char, maxLength: 20 });
const scalar = fc.oneof(
  text,
  fc.boolean(),
  fc.constant(null),
  fc.maxSafeInteger().map((number) => number + 0),
  fc.bigInt().filter((number) => !Number.isSafeInteger(Number(number))),
);
/** Keys that Python tells apart: those of text. */
const { value } = fc.letrec<{ value: Literal }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Tuple(items)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie('value')), { maxLength: 4 }).map((fields) => new Map(fields)),
  ),
}));

law('what is printed is read as it was', () => {
  fc.assert(
    fc.property(value, (one) => {
      const printed = printLiteral(one);
      assert.equal(told(parseLiteral(printed)), told(one));
      assert.is(printLiteral(decodeLiteral(bytesOf(printed))), printed);
    }),
    { numRuns: 1000 },
  );
});

const PARTS = [
  ...'()[]{},:\'"\\#\n\r \t\0-+_u01xé',
  "'''",
  '"""',
  '\\x41',
  '\\ud800',
  '\\N',
  'True',
  'None',
  "'a'",
  '{1:',
];
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc.array(fc.constantFrom(...PARTS), { maxLength: 20 }).map((parts) => bytesOf(parts.join(''))),
  fc.tuple(value, fc.array(fc.tuple(fc.nat(500), fc.nat(255)), { maxLength: 2 })).map(([one, changes]) => {
    const bytes = bytesOf(printLiteral(one));
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return bytes;
  }),
);

law('any bytes are a literal or a ProtocolError', () => {
  fc.assert(
    fc.property(anything, (bytes) => {
      let found: Literal;
      try {
        found = decodeLiteral(bytes);
      } catch {
        complaint(bytes);
        return;
      }
      assert.equal(told(parseLiteral(printLiteral(found))), told(found));
    }),
    { numRuns: 3000 },
  );
});

const MOST = 65_507;
const LINE = '\\\n';
for (const unit of [
  ...[
    '[',
    '(',
    '{',
    '{1:',
    '[(',
    "'",
    '"',
    '\'"',
    "''",
    "'' ",
    '\\',
    "'\\",
    "\\'",
    '#',
    '#\n',
    '\n',
    ' ',
    '\t\n',
    LINE,
    ' \\',
  ],
  ...[
    '0',
    '9',
    '-',
    '1_',
    '0x',
    '_',
    '1,',
    '[],',
    '(),',
    'u',
    "u''",
    'é',
    '\\x',
    '\\u',
    '\\7',
    'True',
    '\r',
    '\r\n',
    'a',
  ],
]) {
  for (const before of ['', '[', "'", "'''", '0x', '{0:']) {
    law(`${before}, then 65,507 bytes of ${JSON.stringify(unit)}, take no time`, () => {
      const bytes = bytesOf(before + unit.repeat(MOST)).subarray(0, MOST - 4);
      const since = performance.now();
      for (const end of ['', "'", "'''", ']', '1}', '0']) {
        const all = new Uint8Array(MOST);
        all.set(bytes);
        all.set(bytesOf(end.padEnd(4)), bytes.length);
        try {
          decodeLiteral(all);
        } catch (error) {
          assert.instance(error, ProtocolError);
        }
      }
      assert.ok(performance.now() - since < 500, `${performance.now() - since} ms`);
    });
  }
}

law('a dict of very many keys takes no longer than it is long', () => {
  const since = performance.now();
  for (const key of ['(1,)', '()', "''", '1', 'True', `${'('.repeat(14)}1${',)'.repeat(14)}`]) {
    parseLiteral(`{${`${key}:0,`.repeat(MOST / (key.length + 3))}}`);
  }
  parseLiteral(`{${Array.from({ length: 9000 }, (_, at) => `${at}:0`).join()}}`);
  assert.ok(performance.now() - since < 1000);
});
law.run();

// --- pieces ------------------------------------------------------------------------------------------------

const pieces = suite('python-literal: pieces');
const size = (what: string): number => bytesOf(printLiteral(what)).length - 2;

pieces('a piece fits, is as long as can be, and does not end inside a character', () => {
  fc.assert(
    fc.property(fc.string({ unit: char, maxLength: 60 }), fc.integer({ min: 10, max: 120 }), (whole, maxBytes) => {
      const end = literalPieceEnd(whole, 0, maxBytes);
      assert.ok(size(whole.slice(0, end)) <= maxBytes);
      if (end === whole.length) return;
      const segments = [...new Intl.Segmenter('und').segment(whole)];
      const cut = segments.find(({ index, segment }) => index < end && index + segment.length > end);
      if (cut) assert.ok(cut.index === 0 && size(cut.segment) > maxBytes, 'only one that is alone and too long');
      else assert.ok(size(whole.slice(0, end) + segments.find(({ index }) => index === end)?.segment) > maxBytes);
    }),
    { numRuns: 1000 },
  );
});

for (const [whole, maxBytes, due] of [
  ['', 10, 0],
  ['a', 0, 1],
  [X(10), 10, 10],
  [X(11), 10, 10],
  ["'".repeat(11), 10, 10],
  ['"'.repeat(11), 10, 10],
  [`"${"'".repeat(11)}`, 10, 5],
  [`${"'".repeat(8)}"`, 10, 8],
  ['ééé', 4, 2],
  ['漢漢', 5, 1],
  ['🙂🙂', 7, 2],
  ['\u{e0001}a', 10, 2],
  ['\ud800a', 6, 1],
  ['\n\n\n', 5, 2],
  ['ae\u0301', 3, 1],
] as const) {
  pieces(`${JSON.stringify(whole)} in ${maxBytes} bytes ends at ${due}`, () => {
    assert.is(literalPieceEnd(whole, 0, maxBytes), due);
    assert.is(literalPieceEnd(`xx${whole}`, 2, maxBytes), 2 + due);
  });
}
pieces.run();
