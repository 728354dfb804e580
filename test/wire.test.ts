import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteQueue, decodeText, encodeText, latin1Text, splitText } from '../src/wire.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const text = suite('wire, text');

text('encodes and decodes any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 5000 }), (any) => {
      assert.equal(encodeText(any), bytesOf(any));
      assert.is(decodeText(encodeText(any)), any);
    }),
  );
});

text('encoded texts stay as they are while others are encoded', () => {
  const texts = Array.from({ length: 2000 }, (_, index) => `text ${index} ${'é'.repeat(index % 50)}`);
  const encoded = texts.map(encodeText);
  for (const [index, bytes] of encoded.entries()) assert.is(decodeText(bytes), texts[index]);
});

text('a short encoded text does not keep much memory with it', () => {
  for (const length of [1, 100, 300]) assert.ok(encodeText('x'.repeat(length)).buffer.byteLength <= 4096);
});

text('encodes lone surrogates as the replacement character', () => {
  assert.equal(encodeText('a\ud800b'), bytesOf('a\ufffdb'));
});

text('takes bytes that are not UTF-8 as Latin-1', () => {
  assert.is(decodeText(Uint8Array.of(0x5a, 0x6f, 0xeb)), 'Zoë');
  assert.is(decodeText(Uint8Array.of(0xc3, 0xa9, 0xff)), 'Ã©ÿ');
  assert.is(decodeText(Uint8Array.of(0xed, 0xa0, 0x80)), 'í\u00a0\u0080');
  assert.is(decodeText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa');
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.type(decodeText(bytes), 'string')));
});

text('makes one character of each byte, however many', () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => index & 0xff);
  const chars = latin1Text(bytes);
  assert.is(chars.length, bytes.length);
  for (const at of [0, 127, 128, 255, 4095, 4096, 299_999]) assert.is(chars.charCodeAt(at), at & 0xff);
});

text.run();

const split = suite('wire, splitText');

split('pieces join to the text, fit, and cut no character', () => {
  const any = fc.string({
    unit: fc.constantFrom('a', 'é', '漢', '🙂', 'e\u0301', '👩‍👩‍👧', '\n', '\r\n', ' ', 'zß', '🇮🇪', '🏽'),
    maxLength: 80,
  });
  fc.assert(
    fc.property(any, fc.integer({ min: 4, max: 60 }), (whole, maxBytes) => {
      const pieces = splitText(whole, maxBytes);
      assert.is(pieces.join(''), whole);
      for (const piece of pieces) {
        assert.ok(bytesOf(piece).length <= maxBytes, `${piece} in ${maxBytes}`);
        assert.not.match(piece, /^[\udc00-\udfff]|[\ud800-\udbff]$/);
      }
      const ends = new Set<number>();
      let at = 0;
      for (const piece of pieces) {
        at += piece.length;
        ends.add(at);
      }
      for (const { index, segment } of new Intl.Segmenter('und').segment(whole)) {
        if (bytesOf(segment).length > maxBytes) continue;
        for (let inside = index + 1; inside < index + segment.length; inside++) assert.not(ends.has(inside));
      }
    }),
    { numRuns: 300 },
  );
});

split('looks for characters only near a cut, and not in ASCII', () => {
  const { Segmenter } = Intl;
  const { segment } = Segmenter.prototype;
  let made = 0;
  let looked = 0;
  class Counting extends Segmenter {
    constructor(...options: ConstructorParameters<typeof Segmenter>) {
      super(...options);
      made++;
    }
  }
  Reflect.set(Intl, 'Segmenter', Counting);
  Segmenter.prototype.segment = function (text: string) {
    looked += text.length;
    return segment.call(this, text);
  };
  try {
    assert.is(splitText('a text\n'.repeat(10_000), 1300).length, Math.ceil(70_000 / 1300));
    assert.equal([made, looked], [0, 0]);
    for (let times = 1; times <= 3; times++) {
      const whole = 'e\u0301'.repeat(20_000);
      assert.is(splitText(whole, 1300).join(''), whole);
      assert.ok(looked > 0 && looked <= times * 3 * whole.length, `${looked} characters`);
    }
    assert.ok(made <= 1, `${made} were made`);
  } finally {
    Reflect.set(Intl, 'Segmenter', Segmenter);
    Segmenter.prototype.segment = segment;
  }
});

split('fills its pieces', () => {
  assert.equal(splitText('abcdefghij', 4), ['abcd', 'efgh', 'ij']);
  assert.equal(splitText('ab', 100), ['ab']);
  assert.equal(splitText('abcdefgh', 8), ['abcdefgh']);
  assert.equal(splitText('', 10), ['']);
  assert.equal(splitText('ae\u0301', 4), ['ae\u0301']);
  assert.equal(splitText('aae\u0301', 4), ['aa', 'e\u0301']);
  assert.equal(splitText('abc\r\nd', 4), ['abc', '\r\nd']);
  assert.equal(splitText('abc\rd', 4), ['abc\r', 'd']);
  assert.equal(splitText('abcdef\u{1f3fd}', 8), ['abcde', 'f\u{1f3fd}']);
});

split('cuts a character that is longer than a piece between its code points', () => {
  assert.equal(splitText('👩‍👩‍👧', 8), ['👩‍', '👩‍', '👧']);
});

split('never makes pieces of less than a code point', () => {
  assert.equal(splitText('🙂🙂', 0), ['🙂', '🙂']);
});

split.run();

const queue = suite('wire, ByteQueue');

queue('holds what an array would hold', () => {
  const step = fc.oneof(fc.uint8Array({ maxLength: 900 }), fc.nat(1200));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bytes = new ByteQueue();
      let model: number[] = [];
      for (const one of steps) {
        if (typeof one === 'number') {
          bytes.drop(one);
          model = model.slice(one);
        } else {
          const chunk = one.slice();
          bytes.push(chunk);
          chunk.fill(0xaa);
          model.push(...one);
        }
        assert.is(bytes.length, model.length);
        assert.equal([...bytes.slice(0, bytes.length)], model);
        assert.is(bytes.indexOf(0x0a, 0), model.indexOf(0x0a));
        assert.is(bytes.indexOf(0x0a, 5), model.indexOf(0x0a, 5));
        assert.is(bytes.at(0), model[0] ?? -1);
        assert.is(bytes.at(model.length), -1);
        const head = Uint8Array.from(model.slice(0, 20));
        assert.is(bytes.text(0, head.length), decodeText(head).replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, ''));
        assert.ok(bytes.has(head, 0));
        assert.not(bytes.has(Uint8Array.of(0), model.length));
      }
    }),
  );
});

queue('finds nothing in what was dropped or is left from before', () => {
  const bytes = new ByteQueue();
  bytes.push(bytesOf('one\ntwo\n'));
  bytes.drop(4);
  assert.is(bytes.indexOf(0x0a, 0), 3);
  bytes.drop(4);
  bytes.push(bytesOf('x'));
  assert.is(bytes.indexOf(0x0a, 0), -1);
  assert.is(bytes.at(1), -1);
  assert.not(bytes.has(bytesOf('xn'), 0));
  bytes.drop(100);
  assert.is(bytes.length, 0);
});

queue('leaves out blanks and line ends, not past its limits', () => {
  const bytes = new ByteQueue();
  bytes.push(bytesOf('\n \tx y\r\n '));
  assert.is(bytes.trimStart(0, 9), 3);
  assert.is(bytes.trimStart(0, 2), 2);
  assert.is(bytes.trimEnd(3, 9), 6);
  assert.is(bytes.trimEnd(6, 9), 6);
  assert.is(bytes.text(0, 9), 'x y');
  assert.is(bytes.text(0, 2), '');
});

queue.run();
