import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCsv } from '../src/csv.ts';

const csv = suite('csv');

/** A file, and the rows that CPython 3.11 reads from it: `csv.reader(open(file, newline='', encoding='utf-8-sig'))`. */
const READ: ReadonlyArray<readonly [string, ReadonlyArray<readonly [number, ...string[]]>]> = [
  ['', []],
  ['\n', []],
  ['\r\n\r\n', []],
  ['a,b\n', [[1, 'a', 'b']]],
  ['a,b', [[1, 'a', 'b']]],
  ['a,b\r\n', [[1, 'a', 'b']]],
  ['a,b\r', [[1, 'a', 'b']]],
  [
    'a,b\nc,d\n',
    [
      [1, 'a', 'b'],
      [2, 'c', 'd'],
    ],
  ],
  [
    'a,b\rc,d\r',
    [
      [1, 'a', 'b'],
      [2, 'c', 'd'],
    ],
  ],
  [
    'a,b\r\nc,d\r\n',
    [
      [1, 'a', 'b'],
      [2, 'c', 'd'],
    ],
  ],
  [
    'a,b\n\nc,d\n',
    [
      [1, 'a', 'b'],
      [3, 'c', 'd'],
    ],
  ],
  ['\n\na\n', [[3, 'a']]],
  [
    'a\r\r\nb',
    [
      [1, 'a'],
      [3, 'b'],
    ],
  ],
  ['a,\n', [[1, 'a', '']]],
  [',', [[1, '', '']]],
  [',\n', [[1, '', '']]],
  [',,', [[1, '', '', '']]],
  ['a,', [[1, 'a', '']]],
  [',a', [[1, '', 'a']]],
  ['""', [[1, '']]],
  ['""\n', [[1, '']]],
  ['"",""', [[1, '', '']]],
  ['"a"', [[1, 'a']]],
  ['"a,b",c', [[1, 'a,b', 'c']]],
  ['"a""b",c', [[1, 'a"b', 'c']]],
  ['""""', [[1, '"']]],
  ['"""a"""', [[1, '"a"']]],
  [
    '"a\nb",c\nd',
    [
      [1, 'a\nb', 'c'],
      [3, 'd'],
    ],
  ],
  [
    '"a\r\nb",c\r\nd',
    [
      [1, 'a\r\nb', 'c'],
      [3, 'd'],
    ],
  ],
  [
    '"a\rb",c\rd',
    [
      [1, 'a\rb', 'c'],
      [3, 'd'],
    ],
  ],
  ['a"b,c', [[1, 'a"b', 'c']]],
  ['a"b"c,d', [[1, 'a"b"c', 'd']]],
  ['a,b"', [[1, 'a', 'b"']]],
  ['"a"b,c', [[1, 'ab', 'c']]],
  ['"a" ,b', [[1, 'a ', 'b']]],
  ['"a"b"c,d"', [[1, 'ab"c', 'd"']]],
  [' "a",b', [[1, ' "a"', 'b']]],
  [' a , b ', [[1, ' a ', ' b ']]],
  [' ', [[1, ' ']]],
  ['\t', [[1, '\t']]],
  ['"', [[1, '']]],
  ['a,"', [[1, 'a', '']]],
  ['"a', [[1, 'a']]],
  ['"a,b\nc,d\n', [[1, 'a,b\nc,d\n']]],
  [
    'x,y\n"a,b\nc',
    [
      [1, 'x', 'y'],
      [2, 'a,b\nc'],
    ],
  ],
  ['"a""', [[1, 'a"']]],
  ['"a\n', [[1, 'a\n']]],
  ['\ufeffa,b\n', [[1, 'a', 'b']]],
  ['\ufeff"a,b",c\n', [[1, 'a,b', 'c']]],
  ['a,\ufeffb', [[1, 'a', '\ufeffb']]],
  ['caf\u00e9,\u6f22\u5b57,\ud83d\ude42\n', [[1, 'caf\u00e9', '\u6f22\u5b57', '\ud83d\ude42']]],
  ['a\u0000b,c\n', [[1, 'a\u0000b', 'c']]],
  ['a;b\n', [[1, 'a;b']]],
  ["'a,b'\n", [[1, "'a", "b'"]]],
  ['a\\,b\n', [[1, 'a\\', 'b']]],
  ['"a\\",b\n', [[1, 'a\\', 'b']]],
  [
    'ann,secret\nben,pass word\n',
    [
      [1, 'ann', 'secret'],
      [2, 'ben', 'pass word'],
    ],
  ],
  ['ann,secretben,x', [[1, 'ann', 'secretben', 'x']]],
  ['a\u2028b,c\u0085d\u000be\ff\n', [[1, 'a\u2028b', 'c\u0085d\u000be\ff']]],
  [
    '"\n\n",x\n\ny,z',
    [
      [1, '\n\n', 'x'],
      [5, 'y', 'z'],
    ],
  ],
  [
    'a\n"b\r\nc\rd\ne"\nf\n',
    [
      [1, 'a'],
      [2, 'b\r\nc\rd\ne'],
      [6, 'f'],
    ],
  ],
  [
    '"a"\r"b"',
    [
      [1, 'a'],
      [2, 'b'],
    ],
  ],
  ['"a""""b",', [[1, 'a""b', '']]],
  [
    'a,b,c,d,e\n1\n',
    [
      [1, 'a', 'b', 'c', 'd', 'e'],
      [2, '1'],
    ],
  ],
];

for (const [text, rows] of READ) {
  csv(`${JSON.stringify(text)} is read as Python reads it`, () => {
    assert.equal(
      parseCsv(text),
      rows.map(([line, ...fields]) => ({ line, fields })),
    );
  });
}

const field = fc.string({ unit: fc.constantFrom('a', 'é', '🙂', ',', '"', '\n', '\r', '\r\n', ' ', '\0') });
const rows = fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 6 });
const end = fc.constantFrom('\n', '\r\n', '\r');

csv('what was written with quotes comes back, with the lines on which it began', () => {
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(rows, end, fc.boolean(), (all, lineEnd, isEnded) => {
      const lines = all.map((fields) => fields.map(quoted).join(','));
      const text = lines.join(lineEnd) + (isEnded ? lineEnd : '');
      const found = parseCsv(text);
      assert.equal(
        found.map(({ fields }) => fields),
        all,
      );
      let before = '';
      for (const [index, { line }] of found.entries()) {
        assert.is(line, before.split(/\r\n|\r|\n/).length);
        before += lines[index] + lineEnd;
      }
    }),
    { numRuns: 300 },
  );
});

csv('reads any text', () => {
  fc.assert(
    fc.property(field, (text) => {
      for (const row of parseCsv(text)) assert.ok(row.line >= 1 && row.fields.length >= 1);
    }),
    { numRuns: 500 },
  );
});

csv('takes time in proportion to the text', () => {
  for (const part of ['"', ',', '\n', 'a', '"a""b",c\r\n', '""']) {
    const since = performance.now();
    parseCsv(part.repeat(1_000_000 / part.length));
    assert.ok(performance.now() - since < 5000, JSON.stringify(part));
  }
});
csv.run();
