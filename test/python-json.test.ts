import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Json, jsonPieceEnd, pythonJson, shortened } from '../src/python-json.ts';

const json = suite('python-json');

/** A value, and what `json.dumps` of CPython 3.11 makes of it. */
const DUMPED: ReadonlyArray<readonly [Json, string]> = [
  ['', '""'],
  ['a', '"a"'],
  ['hello world', '"hello world"'],
  [' lead and trail ', '" lead and trail "'],
  ['"', '"\\""'],
  ['\\', '"\\\\"'],
  ['\\\\"', '"\\\\\\\\\\""'],
  ['/', '"/"'],
  ['</script>', '"</script>"'],
  ["it's", '"it\'s"'],
  ['a\nb', '"a\\nb"'],
  ['a\r\nb', '"a\\r\\nb"'],
  ['\t', '"\\t"'],
  ['\b\f', '"\\b\\f"'],
  ['\u0000', '"\\u0000"'],
  ['\u0001\u0002\u001e\u001f', '"\\u0001\\u0002\\u001e\\u001f"'],
  ['\u000b', '"\\u000b"'],
  ['\u007f', '"\\u007f"'],
  ['\u0080\u009f', '"\\u0080\\u009f"'],
  ['\u00a0', '"\\u00a0"'],
  ['\u00ad', '"\\u00ad"'],
  ['caf\u00e9', '"caf\\u00e9"'],
  ['\u00ff', '"\\u00ff"'],
  ['\u0100', '"\\u0100"'],
  ['\u0416\u0443\u043a', '"\\u0416\\u0443\\u043a"'],
  ['\u05d0\u05d1', '"\\u05d0\\u05d1"'],
  ['\u0627\u0644', '"\\u0627\\u0644"'],
  ['\u20ac', '"\\u20ac"'],
  ['\u2028\u2029', '"\\u2028\\u2029"'],
  ['\u200d\u200b', '"\\u200d\\u200b"'],
  ['\ufeff', '"\\ufeff"'],
  ['\ufffd', '"\\ufffd"'],
  ['\ufffe\uffff', '"\\ufffe\\uffff"'],
  ['\u6f22\u5b57', '"\\u6f22\\u5b57"'],
  ['\uac00', '"\\uac00"'],
  ['e\u0301', '"e\\u0301"'],
  ['\ud83d\ude42', '"\\ud83d\\ude42"'],
  ['\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67', '"\\ud83d\\udc69\\u200d\\ud83d\\udc69\\u200d\\ud83d\\udc67"'],
  ['\ud83c\uddee\ud83c\uddea', '"\\ud83c\\uddee\\ud83c\\uddea"'],
  ['\ud83d\udc4d\ud83c\udffd', '"\\ud83d\\udc4d\\ud83c\\udffd"'],
  ['\ud800\udc00', '"\\ud800\\udc00"'],
  ['\udbff\udfff', '"\\udbff\\udfff"'],
  ['\\u0041', '"\\\\u0041"'],
  ['\\n', '"\\\\n"'],
  ['{}', '"{}"'],
  ['null', '"null"'],
  ['C:\\temp\\new', '"C:\\\\temp\\\\new"'],
  ['got your chat: "Hey Griff!"', '"got your chat: \\"Hey Griff!\\""'],
  ["~!@#$%^&*()_+`-=[]{}|;':,./<>?", '"~!@#$%^&*()_+`-=[]{}|;\':,./<>?"'],
  [{}, '{}'],
  [[], '[]'],
  [{ username: 'griffin', password: '123' }, '{"username": "griffin", "password": "123"}'],
  [{ rooms: [] }, '{"rooms": []}'],
  [{ rooms: ['griffsRoom'] }, '{"rooms": ["griffsRoom"]}'],
  [{ rooms: ['a', 'b', 'caf\u00e9'] }, '{"rooms": ["a", "b", "caf\\u00e9"]}'],
  [{ TCPport: 45107, GRP: '224.3.29.91', MCport: 10040 }, '{"TCPport": 45107, "GRP": "224.3.29.91", "MCport": 10040}'],
  [{ TCPport: 1, GRP: '', MCport: 0, via: 'tcp' }, '{"TCPport": 1, "GRP": "", "MCport": 0, "via": "tcp"}'],
  [{ all: true, skip: 0 }, '{"all": true, "skip": 0}'],
  [{ all: false }, '{"all": false}'],
  [null, 'null'],
  [true, 'true'],
  [0, '0'],
  [9007199254740991, '9007199254740991'],
  [-1, '-1'],
  [[1, 2, 3], '[1, 2, 3]'],
  [[[], {}, [[]]], '[[], {}, [[]]]'],
  [{ chats: [] }, '{"chats": []}'],
  [
    { chats: [{ creator: 'bob', room: 'r', contents: 'x\ny', datetime: '03:53:24, 11/21/2026', id: 7 }] },
    '{"chats": [{"creator": "bob", "room": "r", "contents": "x\\ny", "datetime": "03:53:24, 11/21/2026", "id": 7}]}',
  ],
  [{ '': '' }, '{"": ""}'],
  [{ '"\\': '\n' }, '{"\\"\\\\": "\\n"}'],
  [{ '\u00e9': '\ud83d\ude42' }, '{"\\u00e9": "\\ud83d\\ude42"}'],
  [{ a: { b: { c: [null, false, ''] } } }, '{"a": {"b": {"c": [null, false, ""]}}}'],
  [
    { message: 'got your chat: "\u00e9 \\ \ud83d\ude42"' },
    '{"message": "got your chat: \\"\\u00e9 \\\\ \\ud83d\\ude42\\""}',
  ],
];

for (const [value, due] of DUMPED) {
  json(`${due.slice(0, 60)} is written as Python writes it`, () => {
    assert.is(pythonJson(value), due);
    assert.equal(JSON.parse(pythonJson(value)), value);
  });
}

json('every UTF-16 unit by itself is ASCII and comes back', () => {
  for (let unit = 0; unit < 0x10000; unit++) {
    const text = String.fromCharCode(unit);
    const written = pythonJson(text);
    assert.match(written, /^"[ -~]{1,6}"$/);
    assert.is(JSON.parse(written), text.toWellFormed());
  }
});

json('what is undefined is left out', () => {
  assert.is(pythonJson({ a: undefined, b: 1, c: undefined }), '{"b": 1}');
});

json('an unpaired surrogate is written as the replacement character', () => {
  assert.is(pythonJson('a\ud800b\udc00'), '"a\\ufffdb\\ufffd"');
});

/** What a string takes between its quotes. */
const bytesOf = (text: string): number => pythonJson(text).length - 2;
const any = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      'a',
      '"',
      '\\',
      '\n',
      '\x01',
      '\x7f',
      'é',
      '漢',
      '🙂',
      'e\u0301',
      '👩‍👩‍👧',
      '\r\n',
      '🇮🇪',
      '\ud800',
      '\udc00',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 60,
});

json('a piece fits, is as long as can be, and does not end inside a character', () => {
  fc.assert(
    fc.property(any, fc.integer({ min: 12, max: 200 }), (text, maxBytes) => {
      const end = jsonPieceEnd(text, 0, maxBytes);
      assert.ok(bytesOf(text.slice(0, end)) <= maxBytes);
      if (end === text.length) return;
      const segments = [...new Intl.Segmenter('und').segment(text)];
      const cut = segments.find(({ index, segment }) => index < end && index + segment.length > end);
      if (cut) assert.ok(cut.index === 0 && bytesOf(cut.segment) > maxBytes, 'only one that is alone and too long');
      else assert.ok(bytesOf(text.slice(0, end) + segments.find(({ index }) => index === end)?.segment) > maxBytes);
    }),
    { numRuns: 1000 },
  );
});

for (const [text, maxBytes, due] of [
  ['', 12, ''],
  ['abcdefghijkl', 12, 'abcdefghijkl'],
  ['abcdefghijklm', 12, 'abcdef…'],
  ['éé', 12, 'éé'],
  ['ééé', 12, 'é…'],
  ['abcdeé!!', 12, 'abcde…'],
  ['"""""""', 12, '"""…'],
  ['abcdee\u0301fffff', 15, 'abcde…'],
] as const) {
  json(`${JSON.stringify(text)} in ${maxBytes} bytes is ${JSON.stringify(due)}`, () => {
    assert.is(shortened(text, maxBytes), due);
    assert.ok(bytesOf(due) <= maxBytes);
  });
}

json('what is cut short fits', () => {
  fc.assert(
    fc.property(any, fc.integer({ min: 18, max: 200 }), (text, maxBytes) => {
      const short = shortened(text, maxBytes);
      assert.ok(bytesOf(short) <= maxBytes);
      assert.is(short === text, bytesOf(text) <= maxBytes);
      if (short !== text) assert.ok(short.endsWith('…') && text.startsWith(short.slice(0, -1)));
    }),
    { numRuns: 500 },
  );
});
json.run();
