import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  filePath,
  pathParts,
  readContentRange,
  readDigest,
  readRange,
  readToken,
  type Span,
  writeDigest,
  writeRange,
} from '../src/http-files.ts';

// --- paths -------------------------------------------------------------------------------------------------

const paths = suite('http-files: paths');

for (const [target, parts] of [
  ['/files/alice/pic.jpg', ['files', 'alice', 'pic.jpg']],
  ['/relay/T1', ['relay', 'T1']],
  ['/', ['']],
  ['/files/alice/', ['files', 'alice', '']],
  ['//files//a', ['', 'files', '', 'a']],
  ['/files/a%20b/c%2Bd.txt', ['files', 'a b', 'c+d.txt']],
  ['/files/a+b/c', ['files', 'a+b', 'c']],
  ['/files/Zo%C3%AB/%e6%bc%a2', ['files', 'Zoë', '漢']],
  ['/files/alice/a%2Fb', ['files', 'alice', 'a/b']],
  ['/files/alice/a%5Cb', ['files', 'alice', 'a\\b']],
  ['/files/alice/%00%0A', ['files', 'alice', '\0\n']],
  ['/files/alice/100%25', ['files', 'alice', '100%']],
  ['/files/alice/%252e', ['files', 'alice', '%2e']],
  ['/files/../etc', ['files', '..', 'etc']],
  ['/files/alice/%2e%2E', ['files', 'alice', '..']],
  ['/files/./a', ['files', '.', 'a']],
  ['/files/alice/a?b=/c#d', ['files', 'alice', 'a']],
  ['/files/alice/a#b?c', ['files', 'alice', 'a']],
  ['/files/alice/a%3Fb%23c', ['files', 'alice', 'a?b#c']],
  ['/?/x', ['']],
  ['http://host:6001/files/alice/a', ['files', 'alice', 'a']],
  ['HTTPS://host/files/alice/a?x', ['files', 'alice', 'a']],
  ['http://[::1]:80/', ['']],
  ['/http://host/a', ['http:', '', 'host', 'a']],
  ['/files/alice/http://host/a', ['files', 'alice', 'http:', '', 'host', 'a']],
] as ReadonlyArray<readonly [string, string[]]>) {
  paths(`${target} has ${parts.length} part(s)`, () => assert.equal(pathParts(target), parts));
}

for (const target of [
  '',
  '*',
  'files/alice/a',
  'host:80',
  'http://host',
  'http://host?/a',
  'ftp://host/a',
  '?/a',
  '#/a',
  '/files/%',
  '/files/%2',
  '/files/%zz',
  '/files/%ff',
  '/files/%C3',
  '/files/%ed%a0%80',
  '/%u0041',
]) {
  paths(`${JSON.stringify(target)} has none`, () => assert.is(pathParts(target), undefined));
}

paths('of a file leads back to owner and name, whatever they are', () => {
  assert.is(filePath('alice', 'a b/c?.txt'), '/files/alice/a%20b%2Fc%3F.txt');
  const text = fc.string({ unit: 'binary' }).filter((one) => one.isWellFormed());
  fc.assert(
    fc.property(text, text, (owner, file) => {
      const path = filePath(owner, file);
      assert.match(path, /^[!-~]+$/);
      assert.equal(pathParts(path), ['files', owner, file]);
      assert.equal(pathParts(`http://host:1${path}?x`), ['files', owner, file]);
    }),
  );
});

paths('any target has parts or none, and is never an exception', () => {
  const piece = fc.constantFrom('/', '..', '%', '%2F', '%ff', '?', '#', 'http://', 'a', '\n', '\ud800');
  const target = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(target, (one) => {
      const parts = pathParts(one);
      assert.ok(parts === undefined || parts.length > 0);
    }),
  );
});
paths.run();

// --- ranges ------------------------------------------------------------------------------------------------

const ranges = suite('http-files: ranges');

for (const [header, size, due] of [
  ['bytes=0-', 10, { from: 0, to: 10 }],
  ['bytes=5-', 10, { from: 5, to: 10 }],
  ['bytes=5-9', 10, { from: 5, to: 10 }],
  ['bytes=0-0', 10, { from: 0, to: 1 }],
  ['bytes=9-9', 10, { from: 9, to: 10 }],
  ['bytes=2-4', 10, { from: 2, to: 5 }],
  ['bytes=5-100', 10, { from: 5, to: 10 }],
  ['bytes=007-008', 10, { from: 7, to: 9 }],
  ['bytes=-3', 10, { from: 7, to: 10 }],
  ['bytes=-10', 10, { from: 0, to: 10 }],
  ['bytes=-100', 10, { from: 0, to: 10 }],
  [' bytes=0- ', 10, { from: 0, to: 10 }],
  ['bytes=999999999999998-', 999_999_999_999_999, { from: 999_999_999_999_998, to: 999_999_999_999_999 }],
  ['bytes=10-', 10, 'unsatisfiable'],
  ['bytes=10-20', 10, 'unsatisfiable'],
  ['bytes=-0', 10, 'unsatisfiable'],
  ['bytes=0-', 0, 'unsatisfiable'],
  ['bytes=0-0', 0, 'unsatisfiable'],
  ['bytes=-0', 0, 'unsatisfiable'],
  [undefined, 10, 'whole'],
  [undefined, 0, 'whole'],
  ['', 10, 'whole'],
  ['bytes=', 10, 'whole'],
  ['bytes=-', 10, 'whole'],
  ['bytes', 10, 'whole'],
  ['bytes=9-5', 10, 'whole'],
  ['bytes=20-15', 10, 'whole'],
  ['bytes=0-1,3-4', 10, 'whole'],
  ['bytes=0-1, 3-4', 10, 'whole'],
  ['bytes=0-,', 10, 'whole'],
  ['bytes=a-b', 10, 'whole'],
  ['bytes=1.5-2', 10, 'whole'],
  ['bytes=--3', 10, 'whole'],
  ['bytes=-1-2', 10, 'whole'],
  ['bytes=0x1-', 10, 'whole'],
  ['bytes=1e3-', 10, 'whole'],
  ['bytes=٣-', 10, 'whole'],
  ['bytes =0-', 10, 'whole'],
  ['lines=0-', 10, 'whole'],
  ['bytes=0-\nbytes=5-', 10, 'whole'],
  [`bytes=${'9'.repeat(400)}-`, 10, 'whole'],
] as ReadonlyArray<readonly [string | undefined, number, Span | 'whole' | 'unsatisfiable']>) {
  ranges(`${JSON.stringify(header)?.slice(0, 30)} of ${size} bytes is ${JSON.stringify(due)}`, () => {
    assert.equal(readRange(header, size), due);
  });
}

ranges('as written are read again', () => {
  assert.is(writeRange({ from: 5, to: 10 }), 'bytes=5-9');
  fc.assert(
    fc.property(fc.nat(1e9), fc.integer({ min: 1, max: 1e9 }), fc.nat(1e9), (from, length, more) => {
      const span = { from, to: from + length };
      assert.equal(readRange(writeRange(span), span.to + more), span);
    }),
  );
});

ranges('whatever is asked for lies within the file', () => {
  const number = fc.oneof(fc.constant(''), fc.nat(20).map(String), fc.nat(1e15).map(String), fc.string());
  fc.assert(
    fc.property(number, number, fc.nat(20), (first, last, size) => {
      const found = readRange(`bytes=${first}-${last}`, size);
      if (typeof found === 'object') assert.ok(0 <= found.from && found.from < found.to && found.to <= size);
    }),
    { numRuns: 1000 },
  );
});

for (const [header, due] of [
  ['bytes 5-9/10', { from: 5, size: 10 }],
  ['bytes 0-0/1', { from: 0, size: 1 }],
  ['bytes 104857600-104857699/999999999999999', { from: 104_857_600, size: 999_999_999_999_999 }],
  ['bytes */10', undefined],
  ['bytes 5-9/*', undefined],
  ['bytes 5-/10', undefined],
  ['bytes=5-9/10', undefined],
  ['bytes 5-9/10, 11', undefined],
  ['bytes 5-9/10\n', undefined],
  [`bytes ${'9'.repeat(20)}-9/10`, undefined],
  ['5-9/10', undefined],
  ['', undefined],
  [undefined, undefined],
] as const) {
  ranges(`Content-Range ${JSON.stringify(header)} is ${JSON.stringify(due)}`, () => {
    assert.equal(readContentRange(header), due);
  });
}
ranges.run();

// --- digests and tokens ------------------------------------------------------------------------------------

const fields = suite('http-files: digests and tokens');

const EMPTY = createHash('sha256').digest('hex');
const EMPTY_BASE64 = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';

for (const [header, due] of [
  [`sha-256=:${EMPTY_BASE64}:`, EMPTY],
  [`sha-512=:AAAA:, sha-256=:${EMPTY_BASE64}:`, EMPTY],
  [`sha-256=:${EMPTY_BASE64}:,sha-512=:AAAA:`, EMPTY],
  [` sha-256=:${EMPTY_BASE64}:`, EMPTY],
  [`xsha-256=:${EMPTY_BASE64}:`, undefined],
  [`sha-512=:${EMPTY_BASE64}:`, undefined],
  [`sha-256=${EMPTY_BASE64}`, undefined],
  [`sha-256=:${EMPTY_BASE64.slice(4)}:`, undefined],
  [`sha-256=:${EMPTY_BASE64.replace('=', '')}:`, undefined],
  ['sha-256=:!!!!DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:', undefined],
  ['sha-256=::', undefined],
  ['', undefined],
  [undefined, undefined],
] as const) {
  fields(`the SHA-256 in ${JSON.stringify(header)?.slice(0, 40)} is ${due?.slice(0, 8)}`, () => {
    assert.is(readDigest(header), due);
  });
}

fields('a digest as written is read again', () => {
  assert.is(writeDigest(EMPTY), `sha-256=:${EMPTY_BASE64}:`);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const sha256 = Buffer.from(bytes).toString('hex');
      assert.is(readDigest(writeDigest(sha256)), sha256);
    }),
  );
});

for (const [header, due] of [
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['Bearer   a-b_c.~+/=', 'a-b_c.~+/='],
  ['Bearer', undefined],
  ['Bearer ', undefined],
  ['Bearerabc', undefined],
  ['Bearer a b', undefined],
  ['Basic YTpi', undefined],
  ['x Bearer abc', undefined],
  ['', undefined],
  [undefined, undefined],
] as const) {
  fields(`the token in ${JSON.stringify(header)} is ${due}`, () => assert.is(readToken(header), due));
}
fields.run();
