import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readPattern } from '../src/file-pattern.ts';

const test = suite('file-pattern');

test('patterns are those of a shell', () => {
  const char = fc.constantFrom('a', 'b', '-', '.', '[', 'é', '😀');
  const part = fc.oneof(
    char.filter((one) => one !== '[').map((one) => [one, one.replace(/[.]/g, '\\$&')]),
    fc.constant(['*', '.*']),
    fc.constant(['?', '.']),
    fc.constant(['[ab]', '[ab]']),
    fc.constant(['[!ab]', '[^ab]']),
    fc.constant(['[a-é]', '[a-é]']),
    fc.constant(['[]x]', '[\\]x]']),
  );
  const name = fc.array(char, { maxLength: 8 }).map((chars) => chars.join(''));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), name, (parts, text) => {
      const model = new RegExp(`^(?:${parts.map(([, one]) => one).join('')})$`, 'su');
      assert.is(readPattern(parts.map(([one]) => one).join(''))(text), model.test(text));
    }),
    { numRuns: 3000 },
  );
});

test('no pattern takes for ever', () => {
  const isMeant = readPattern(`${'*a'.repeat(120)}b`);
  assert.is(isMeant('a'.repeat(240)), false);
  assert.is(readPattern('*'.repeat(300))('a'), false);
});

test.run();
