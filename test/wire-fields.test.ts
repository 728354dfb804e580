import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteQueue } from '../src/wire.ts';
import { type Block, FieldDecoder, grammar } from '../src/wire-fields.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const GRAMMAR = grammar({
  blocks: { ITEM: ['COUNT?', 'A_NAME', 'NOTE'], DROP_ITEM: ['A_NAME'], NO: ['WHY'] },
  words: { PING: [], LIST: ['SIZE'] },
  glued: ['ITEM:', 'DROP_ITEM:', 'PING '],
  text: 'NOTE',
  textEndsAtKeyword: true,
  sentence: 'WHY',
});

function decoded(text: string): unknown[] {
  const decoder = new FieldDecoder(GRAMMAR, 1000);
  decoder.push(bytesOf(text));
  const blocks: unknown[] = [];
  for (let block = decoder.next(); block !== undefined; block = decoder.next()) {
    blocks.push(block.kind === 'block' ? [block.key, ...block.values] : block);
  }
  return blocks;
}

const test = suite('wire-fields');

test('gives the values of a block in the order of its fields', () => {
  assert.equal(decoded('ITEM: 1\nCOUNT: 2\nA_NAME: x\nNOTE: y\nz\n\n'), [['ITEM', '1', '2', 'x', 'y\nz']]);
  assert.equal(decoded('DROP_ITEM: 1\nA_NAME: x\n'), [['DROP_ITEM', '1', 'x']]);
});

test('a field that may be absent is then empty', () => {
  assert.equal(decoded('ITEM: 1\nA_NAME: x\nNOTE: y\n\n'), [['ITEM', '1', '', 'x', 'y']]);
});

test('reads words with what stands behind them, and the fields they have', () => {
  assert.equal(decoded('PING\nping  a b \nLIST all\nSIZE: 3\n'), [
    ['PING', ''],
    ['PING', 'a b'],
    ['LIST', 'all', '3'],
  ]);
});

test('takes names in any case, with blanks for an underscore and around', () => {
  assert.equal(decoded(' drop item : 1\nA \t Name:x\n'), [['DROP_ITEM', '1', 'x']]);
  assert.equal(decoded('dropitem: 1\n'), [{ kind: 'other', line: 'dropitem: 1' }]);
  assert.equal(decoded('drop__item: 1\n'), [{ kind: 'other', line: 'drop__item: 1' }]);
});

test('cuts the last field where a block is glued to it, but not a sentence', () => {
  assert.equal(decoded('DROP_ITEM: 1\nA_NAME: xPING you\n'), [
    ['DROP_ITEM', '1', 'x'],
    ['PING', 'you'],
  ]);
  assert.equal(decoded('NO: 1\nWHY: because PING you\n'), [['NO', '1', 'because PING you']]);
});

test('keeps the line of a word as it was sent', () => {
  const decoder = new FieldDecoder(GRAMMAR, 1000);
  decoder.push(bytesOf('  ping \tyou  \r\n'));
  const block = decoder.next() as Block & { kind: 'block' };
  assert.equal(block.line, bytesOf('  ping \tyou  '));
});

// the queue that a decoder uses is its own affair; what it holds is everybody's
test('holds no more than its limit and the last chunk', () => {
  const held = new Map<ByteQueue, number>();
  const { push } = ByteQueue.prototype;
  let most = 0;
  ByteQueue.prototype.push = function (bytes: Uint8Array): void {
    most = Math.max(most, this.length);
    held.set(this, this.length);
    push.call(this, bytes);
  };
  try {
    const limit = 500;
    const part = fc.constantFrom(
      'ITEM: 1\n',
      'A_NAME: x\n',
      'NOTE:',
      'NOTE: y\n',
      'x'.repeat(300),
      ' '.repeat(200),
      '\n',
      'PING ',
      'a\n'.repeat(90),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), fc.integer({ min: 1, max: 120 }), (parts, size) => {
        const decoder = new FieldDecoder(GRAMMAR, limit);
        const bytes = bytesOf(parts.join(''));
        for (let at = 0; at < bytes.length; at += size) {
          decoder.push(bytes.subarray(at, at + size));
          while (decoder.next() !== undefined);
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(held.size > 0);
    assert.ok(most > limit / 2, `only ${most} bytes were held: this tests nothing`);
    assert.ok(most <= limit + 128, `${most} bytes were held`);
  } finally {
    ByteQueue.prototype.push = push;
  }
});

test.run();
