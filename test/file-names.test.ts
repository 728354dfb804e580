import path from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { checkFileName } from '../src/file-names.ts';

const test = suite('file-names');

const DEVICES = ['CON', 'PRN', 'AUX', 'NUL', 'CONIN$', 'CONOUT$'].concat(
  [...'0123456789¹²³'].flatMap((n) => [`COM${n}`, `LPT${n}`]),
);

const BAD: Array<[string, string, RegExp]> = [
  ['nothing', '', /missing/],
  ['the directory', '.', /directory/],
  ['the directory above', '..', /directory/],
  ['a hidden file', '.profile', /dot/],
  ['three dots', '...', /dot/],
  ['a way up', '../etc/passwd', /slash/],
  ['a way down', 'a/b', /slash/],
  ['a way from the root', '/etc/passwd', /slash/],
  ['a slash behind', 'a/', /slash/],
  ['a way up on Windows', '..\\boot.ini', /backslash/],
  ['a backslash inside', 'a\\b', /backslash/],
  ['a NUL', 'pic.jpg\0.txt', /control/],
  ['a newline', 'a\nb', /control/],
  ['a return', 'a\rb', /control/],
  ['a tab', 'a\tb', /control/],
  ['an escape', '\x1b[2Jpic', /control/],
  ['a C1 control character', 'a\x9bb', /control/],
  ['a line separator', 'a\u2028b', /control/],
  ['text turned around', 'gpj.\u202eexe', /control/],
  ['an isolate', 'a\u2066b', /control/],
  ['half a surrogate pair', 'a\ud800', /control/],
  ['241 bytes', 'x'.repeat(241), /240 bytes/],
  ['242 bytes in 121 characters', 'é'.repeat(121), /240 bytes/],
  ['too many bytes in emoji', '🦜'.repeat(61), /240 bytes/],
  ['a device with an extension', 'nul.txt', /device/],
  ['a device with two', 'Aux.tar.gz', /device/],
  ['a device with a blank behind', 'con ', /device/],
  ['a device with a blank before the extension', 'con .txt', /device/],
  ['a device with a stream', 'con:x', /device/],
  ...DEVICES.flatMap(
    (name): Array<[string, string, RegExp]> => [
      [`the device ${name}`, name, /device/],
      [`the device ${name} in small letters`, name.toLowerCase(), /device/],
    ],
  ),
];
for (const [what, name, why] of BAD) {
  test(`${what} is no file name anywhere`, () => {
    assert.throws(() => checkFileName(name), refused(why));
    assert.throws(() => checkFileName(name, true), refused(why));
  });
}

const BAD_ON_WINDOWS: Array<[string, RegExp]> = [
  ...[...'<>:"|?*'].map((sign): [string, RegExp] => [`a${sign}b`, /none of/]),
  ['a.txt:stream', /none of/],
  ['dot.', /end/],
  ['blank ', /end/],
];
for (const [name, why] of BAD_ON_WINDOWS) {
  test(`${JSON.stringify(name)} is a file name except on Windows`, () => {
    assert.is(checkFileName(name), name);
    assert.throws(() => checkFileName(name, true), refused(why));
  });
}

const GOOD = [
  'a',
  'pic.jpg',
  'two words.txt',
  'a..b',
  'a~2',
  '~',
  '-rf',
  'con1',
  'console.log',
  'company.txt',
  'COM10',
  'com',
  'lpt.txt',
  'xnul',
  'Zo\u00eb',
  'Zoe\u0308',
  'Ω≈ç.txt',
  '🦜'.repeat(60),
  'x'.repeat(240),
];
for (const name of GOOD) {
  test(`${JSON.stringify(name)} is a file name and stays as it is`, () => {
    assert.is(checkFileName(name), name);
    assert.is(checkFileName(name, true), name);
  });
}

test('what is wrong is said in words of its own', () => {
  const said = ['', '.a', 'a/b', 'a\\b', 'a\nb', 'nul', 'x'.repeat(241)].map((name) => faultOf(name));
  assert.is(new Set(said).size, said.length);
  assert.is(faultOf('a/b'), 'a file name has no slash');
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('.', '/', '\\', '\0', '\n', 'a', 'C', ':', ' ', 'nul', '\ud800') }),
);

test('any string is refused or names a file directly in the directory, and no other', () => {
  fc.assert(
    fc.property(hostile, fc.boolean(), (name, windows) => {
      const fault = faultOf(name, windows);
      if (fault !== undefined) return !/[\n\r]/.test(fault);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      assert.not.match(name, /[\x00-\x1f/\\]/);
      assert.is(path.posix.dirname(path.posix.resolve('/d', name)), '/d');
      assert.is(path.posix.basename(path.posix.resolve('/d', name)), name);
      if (windows) assert.is(path.win32.dirname(path.win32.resolve('C:\\d', name)), 'C:\\d');
      return true;
    }),
    { numRuns: 2000 },
  );
});

/** Undefined for a name that stands. */
function faultOf(name: string, windows = false): string | undefined {
  try {
    assert.is(checkFileName(name, windows), name);
    return undefined;
  } catch (error) {
    assert.instance(error, HouseError);
    assert.is((error as HouseError).code, 'bad-file');
    return (error as HouseError).message;
  }
}

function refused(why: RegExp): (error: Error) => boolean {
  return (error) => error instanceof HouseError && error.code === 'bad-file' && why.test(error.message);
}

test.run();
