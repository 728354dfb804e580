import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { alias, checkName, checkRoomName, isReserved, MAX_NAME_CHARS, nameKey } from '../src/names.ts';

const test = suite('names');

const SAME: Array<[string, string, string]> = [
  ['case', 'Ann', 'aNN'],
  ['case outside ASCII', 'ÉLODIE', 'élodie'],
  ['composed and decomposed letters', 'Zo\u00eb', 'Zoe\u0308'],
  ['full width', '\uff41\uff4e\uff4e', 'ann'],
  ['a ligature', '\ufb01n', 'fin'],
  ['a zero-width space', 'an\u200bn', 'ann'],
  ['a soft hyphen', 'an\u00adn', 'ann'],
  ['a zero-width joiner', 'a\u200dnn', 'ann'],
  ['a byte order mark', '\ufeffann', 'ann'],
  ['a Hangul filler', 'an\u3164n', 'ann'],
  ['a blank before an invisible end', 'ann \u200b', 'ann'],
  ['an invisible beginning and a blank', '\u200b ann', 'ann'],
  ['an annotation mark', 'ann\ufff9', 'ann'],
  ['an empty braille cell', 'ann\u2800', 'ann'],
  ['how many blanks are in it', 'ann  lee', 'ann lee'],
  ['the form of a last letter', 'ΝΙΚΟΣ', 'νικος'],
];
for (const [what, a, b] of SAME) {
  test(`two names that differ by ${what} only are the same`, () => assert.is(nameKey(a), nameKey(b)));
}

test('a key is its own key', () => {
  for (const [, a, b] of SAME) for (const name of [a, b]) assert.is(nameKey(nameKey(name)), nameKey(name));
});

test('other names are other names', () => {
  assert.is.not(nameKey('ann'), nameKey('anna'));
  assert.is.not(nameKey('ann'), nameKey('änn'));
});

const BAD: Array<[string, string]> = [
  ['nothing', ''],
  ['blanks', ' \t '],
  ['invisible characters alone', '\u200b\u200d'],
  ['a Hangul filler alone', '\u3164'],
  ['a newline', 'a\nb'],
  ['a NUL', 'a\0b'],
  ['an escape', 'a\x1b[2Jb'],
  ['a C1 control character', 'a\x9bb'],
  ['a line separator', 'a\u2028b'],
  ['text turned around', 'a\u202eb'],
  ['an isolate', 'a\u2066b'],
  ['half a surrogate pair', 'a\ud800'],
  ['too many characters', 'x'.repeat(MAX_NAME_CHARS + 1)],
  ['far too many characters', `a${'\u0316\u0301'.repeat(30_000)}`],
  ['too many characters that are written as many more', 'e\u0301'.repeat(MAX_NAME_CHARS + 1)],
];
for (const [what, name] of BAD) {
  test(`a name or room name of ${what} is refused`, () => {
    assert.throws(() => checkName(name), isHouseError('bad-name'));
    assert.throws(() => checkRoomName(name), isHouseError('bad-room'));
  });
}

const GOOD: Array<[string, string]> = [
  ['ann', 'ann'],
  ['  ann ', 'ann'],
  ['Zoe\u0308', 'Zo\u00eb'],
  ['two words', 'two words'],
  ['a|b;c', 'a|b;c'],
  ['Ω≈ç', 'Ω≈ç'],
  ['🦜', '🦜'],
  ['x'.repeat(MAX_NAME_CHARS), 'x'.repeat(MAX_NAME_CHARS)],
  ['a\u0323\u0302'.repeat(MAX_NAME_CHARS), '\u1ead'.repeat(MAX_NAME_CHARS)],
];
for (const [name, stands] of GOOD) {
  test(`${JSON.stringify(name)} is a name and stands as ${JSON.stringify(stands)}`, () => {
    assert.is(checkName(name), stands);
    assert.is(checkRoomName(name), stands);
  });
}

// to put many combining marks in order takes the square of their number
test('what is too long for any name is never normalised, and has the key of no name', () => {
  const long = `a${'\u0316\u0301'.repeat(30_000)}`;
  const { normalize } = String.prototype;
  let longest = 0;
  String.prototype.normalize = function (form?: string) {
    longest = Math.max(longest, this.length);
    return normalize.call(this, form);
  };
  try {
    assert.throws(() => checkName(nameKey(long)), isHouseError('bad-name'));
    assert.throws(() => checkName(long), isHouseError('bad-name'));
    assert.throws(() => checkRoomName(` ${long} `), isHouseError('bad-room'));
  } finally {
    String.prototype.normalize = normalize;
  }
  assert.ok(longest <= 4 * MAX_NAME_CHARS, `${longest} characters`);
  const written = 'a\u0323\u0302'.repeat(MAX_NAME_CHARS);
  assert.is(nameKey(written), nameKey(checkName(written)), 'as long as a name may be written');
});

test('names that dialects give a meaning to are reserved', () => {
  for (const name of ['server', 'all', 'root', 'me']) assert.ok(isReserved(nameKey(name.toUpperCase())), name);
  assert.not(isReserved(nameKey('ann')));
});

test('an alias is the name with a number behind a tilde, from 2 on', () => {
  assert.equal(
    [1, 2, 3].map((n) => alias('ann', n)),
    ['ann', 'ann~2', 'ann~3'],
  );
});

function isHouseError(code: string): (error: Error) => boolean {
  return (error) => error instanceof HouseError && error.code === code && !error.message.includes('\n');
}

test.run();
