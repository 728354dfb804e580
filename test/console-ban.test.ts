import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readBan } from '../src/console-ban.ts';
import { CommandError } from '../src/console-error.ts';

const test = suite('console: who is to be banned');

const DAY = 24 * 60;
const UNDERSTOOD: ReadonlyArray<readonly [text: string, what: string, minutes: number | undefined]> = [
  ['bob', 'bob', undefined],
  ['  bob  ', 'bob', undefined],
  ['bob 5', 'bob', 5],
  ['bob 10m', 'bob', 10],
  ['bob 2H', 'bob', 120],
  ['bob 3d', 'bob', 3 * DAY],
  ['bob smith 5', 'bob smith', 5],
  ['bob smith 1h', 'bob smith', 60],
  ['"bob smith"', 'bob smith', undefined],
  ['"room 12"', 'room 12', undefined],
  ['"room 12" 5', 'room 12', 5],
  ['"4chan" 1d', '4chan', DAY],
  ['"x 1e9"', 'x 1e9', undefined],
  ['"1.2.3.4/33"', '1.2.3.4/33', undefined],
  ['user7', 'user7', undefined],
  ['bob~2', 'bob~2', undefined],
  ['a.b', 'a.b', undefined],
  ['198.51.100.7', '198.51.100.7', undefined],
  ['198.51.100.7 60', '198.51.100.7', 60],
  ['198.51.100.7 1h', '198.51.100.7', 60],
  ['198.51.100.7\t10m', '198.51.100.7', 10],
  ['10.0.0.0/8 2d', '10.0.0.0/8', 2 * DAY],
  ['::1', '::1', undefined],
  ['2001:db8::/32 10', '2001:db8::/32', 10],
  ['bob 366d', 'bob', 366 * DAY],
];
for (const [text, what, minutes] of UNDERSTOOD) {
  test(`${JSON.stringify(text)} is understood`, () => assert.equal(readBan(text), { what, minutes }));
}

const REFUSED: ReadonlyArray<readonly [text: string, why: RegExp]> = [
  ['', /who is to be banned/],
  ['""', /who is to be banned/],
  ['10.0.0.0/8 5 minutes', /how long/],
  ['198.51.100.7 5x', /how long/],
  ['198.51.100.7 bob', /how long/],
  ['198.51.100.7 198.51.100.8', /how long/],
  ['198.51.100.7 -5', /how long/],
  ['198.51.100.7 1.5h', /how long/],
  ['::1 1e9', /how long/],
  ['"bob smith" soon', /how long/],
  ['"bob"5', /quotes/],
  ['"198.51.100.7 1h"', /without quotes/],
  ['"10.0.0.0/8 5" 5', /without quotes/],
  ['"bob', /quot/],
  ['1.2.3.4/33', /no address and no network/],
  ['300.1.1.1', /no address and no network/],
  ['300.1.1.1 5', /no address and no network/],
  ['::1/200', /no address and no network/],
  ['1.2.3', /no address and no network/],
  ['1.2.3.4.5', /no address and no network/],
  ['1.2.3.*', /no address and no network/],
  ['1.2.3.4:5000', /no address and no network/],
  ['[::1]', /no address and no network/],
  ['10.0.0.1-10.0.0.9', /no address and no network/],
  ['2001:db8::g', /no address and no network/],
  ['fe80::1::2 5', /no address and no network/],
  ['10.0.0.0/', /no address and no network/],
  ['bob/8', /no address and no network/],
  ['bob smith', /"bob smith"/],
  ['x abc', /"x abc"/],
  ['x 1e9', /"x 1e9"/],
  ['bob 1.5', /"bob 1\.5"/],
  ['bob 1w', /"bob 1w"/],
  ['bob 5 minutes', /"bob 5 minutes"/],
  ['4chan', /"4chan"/],
  ['5', /who is to be banned/],
  ['10m', /who is to be banned/],
  ['bob 0', /1 to \d+ minutes/],
  ['bob 0h', /1 to \d+ minutes/],
  ['bob 367d', /1 to \d+ minutes/],
  ['bob 99999999999999999999', /1 to \d+ minutes/],
];
for (const [text, why] of REFUSED) {
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.throws(
      () => readBan(text),
      (error: Error) => error instanceof CommandError && why.test(error.message),
    );
  });
}

test('any text is understood or refused, and only what stands there is banned', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab 1.:/"\tm*-é') }), (text) => {
      try {
        const { what, minutes } = readBan(text);
        assert.ok(what !== '' && text.includes(what));
        if (minutes === undefined) assert.ok(!/\s/.test(text.trim()) || text.includes('"'));
      } catch (error) {
        assert.instance(error, CommandError);
      }
    }),
  );
});
test.run();
