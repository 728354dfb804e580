import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProtocolError } from '../src/errors.ts';
import { type AdminAnswer, AnswerDecoder, encodeAnswer, encodeCommand, LineDecoder } from '../src/wire-admin.ts';

const test = suite('wire admin');

const ROWS: ReadonlyArray<readonly [text: string, hasFailed: boolean, wire: string]> = [
  ['', false, '.\n'],
  ['', true, '.failed\n'],
  ['nobody is here', false, 'nobody is here\n.\n'],
  ['a\nb', true, 'a\nb\n.failed\n'],
  ['.\n.failed\n..', false, '..\n..failed\n...\n.\n'],
];
for (const [text, hasFailed, wire] of ROWS) {
  test(`${JSON.stringify(text)} is ${JSON.stringify(wire)}`, () => {
    assert.is(encodeAnswer({ text, hasFailed }), wire);
    const decoder = new AnswerDecoder();
    for (const char of wire) {
      assert.is(decoder.next(), undefined);
      decoder.push(char);
    }
    assert.equal(decoder.next(), { text, hasFailed });
    assert.is(decoder.next(), undefined);
  });
}

test('any answers come back as they were', () => {
  const line = fc.oneof(
    fc.constantFrom('.', '..', '.failed', ''),
    fc.string().map((text) => text.replace(/[\r\n]/g, '')),
  );
  const answer = fc.record({ text: fc.array(line).map((lines) => lines.join('\n')), hasFailed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (answers, size) => {
      const wire = answers.map((one) => encodeAnswer(one)).join('');
      const decoder = new AnswerDecoder();
      const got: AdminAnswer[] = [];
      for (let at = 0; at < wire.length; at += size) {
        decoder.push(wire.slice(at, at + size));
        for (let next = decoder.next(); next; next = decoder.next()) got.push(next);
      }
      assert.equal(
        got,
        answers.map((one) => ({ ...one })),
      );
    }),
  );
});

test('an answer is no longer than the other side takes', () => {
  const text = Array.from({ length: 300_000 }, (_, i) => `.row ${i} ${'x'.repeat(20)}`).join('\n');
  const decoder = new AnswerDecoder();
  decoder.push(encodeAnswer({ text, hasFailed: false }));
  const lines = decoder.next()?.text.split('\n') ?? [];
  const [, left] = /^… and (\d+) more$/.exec(lines.at(-1) ?? '') ?? [];
  assert.is(lines.length - 1 + Number(left), 300_000);
  assert.ok(lines.length > 100_000, `${lines.length} lines`);
  assert.is(lines[0], `.row 0 ${'x'.repeat(20)}`);
  fc.assert(
    fc.property(fc.array(fc.constantFrom('', '.', 'ab', '.abcdef', 'x'.repeat(50))), fc.nat(200), (rows, spare) => {
      const max = 50 + spare;
      const wire = encodeAnswer({ text: rows.join('\n'), hasFailed: false }, max);
      assert.ok(wire.length <= max + '.\n'.length, JSON.stringify(wire));
    }),
  );
});

test('a command is one line', () => {
  assert.is(encodeCommand('say a\nb\r\nc'), 'say a b c\n');
  const lines = new LineDecoder();
  lines.push('who\r\nbans\nli');
  assert.equal([lines.next(), lines.next(), lines.next()], ['who', 'bans', undefined]);
});

test('a line has an end', () => {
  for (const text of ['x'.repeat(70_000), `${'x'.repeat(70_000)}\n`]) {
    const lines = new LineDecoder();
    lines.push(text);
    assert.throws(
      () => lines.next(),
      (error: Error) => error instanceof ProtocolError,
    );
  }
});
test.run();
