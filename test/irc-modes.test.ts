import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { MODE_PARAMS, type ModeChange, readModes, type Takes, writeModes } from '../src/irc-modes.ts';
import { NUMERICS } from '../src/irc-numerics.ts';

const TAKES: Readonly<Record<string, Takes>> = {
  b: 'optional',
  e: 'optional',
  o: 'always',
  v: 'always',
  i: 'never',
  m: 'never',
  n: 'never',
};

/** As a channel takes them: a limit has a number when it is set. */
function takes(mode: string, isAdded: boolean): Takes {
  if (mode === 'l') return isAdded ? 'always' : 'never';
  if (mode === 'k') return isAdded ? 'always' : 'optional';
  return TAKES[mode] ?? 'unknown';
}

/** `+o ann -l`, one word for each change and its parameter. */
const shown = (changes: readonly ModeChange[]): string =>
  changes
    .map(({ isAdded, mode, param }) => `${isAdded ? '+' : '-'}${mode}${param === undefined ? '' : ` ${param}`}`)
    .join(' ');

const modes = suite('irc-modes');

const READ: readonly (readonly [params: string[], changes: string, unknown?: string, missing?: string])[] = [
  [[], ''],
  [[''], ''],
  [['+'], ''],
  [['i'], '+i'],
  [['+im-n'], '+i +m -n'],
  [['-+-i'], '-i'],
  [['+ov-l', 'ann', 'ben'], '+o ann +v ben -l'],
  [['+l-l+l', '5', '6'], '+l 5 -l +l 6'],
  [['b'], '+b'],
  [['+b', '*!*@h'], '+b *!*@h'],
  [['-b', ''], '-b'],
  [['bbebeb'], '+b +e'],
  [['+bb', 'a'], '+b a +b'],
  [['+bo', 'a'], '+b a', '', 'o'],
  [['+oo', 'ann'], '+o ann', '', 'o'],
  [['+ooo'], '', '', 'o'],
  [['+o', ''], '', '', 'o'],
  [['+k-k', 'key'], '+k key -k'],
  [['+k-k', 'key', 'key'], '+k key -k key'],
  [['+izyz-z'], '+i', 'zy'],
  [['+zo', 'ann'], '+o ann', 'z'],
  [['+i', 'ann', 'ben'], '+i'],
  [['+🙂i'], '+i', '🙂'],
  [['+o', '-x', '+y'], '+o -x'],
];

modes('reads changes', () => {
  for (const [params, changes, unknown = '', missing = ''] of READ) {
    const read = readModes(params, takes);
    assert.is(shown(read.changes), changes, params.join(' '));
    assert.is(read.unknown.join(''), unknown, params.join(' '));
    assert.is(read.missing.join(''), missing, params.join(' '));
  }
});

modes('a question is answered once, in a line full of it', () => {
  assert.is(readModes(['be'.repeat(250)], takes).changes.length, 2);
});

const change = (isAdded: boolean, mode: string, param?: string): ModeChange => ({ isAdded, mode, param });

modes('writes changes', () => {
  assert.equal(writeModes([]), []);
  assert.equal(writeModes([change(true, 'o', 'a'), change(true, 'v', 'b'), change(false, 'l')]), [['+ov-l', 'a', 'b']]);
  assert.equal(writeModes([change(false, 'i'), change(true, 'n'), change(true, 't')]), [['-i+nt']]);
});

modes('writes a second line where the parameters or the bytes are too many for one', () => {
  const many = Array.from({ length: MODE_PARAMS + 2 }, (_, index) => change(true, 'o', `n${index}`));
  const [first, second, ...more] = writeModes(many);
  assert.equal(more, []);
  assert.is(first?.[0], `+${'o'.repeat(MODE_PARAMS)}`);
  assert.equal(second, ['+oo', `n${MODE_PARAMS}`, `n${MODE_PARAMS + 1}`]);
  const long = 'é'.repeat(60);
  assert.equal(writeModes([change(true, 'b', long), change(false, 'b', long), change(false, 'i')], 150), [
    ['+b', long],
    ['-bi', long],
  ]);
  assert.equal(writeModes([change(true, 'b', long)], 10), [['+b', long]], 'what fits nowhere is alone');
});

modes('what is written is read again, line by line', () => {
  const one = fc.oneof(
    fc.record({
      isAdded: fc.boolean(),
      mode: fc.constantFrom('o', 'v', 'b'),
      param: fc.stringMatching(/^[a-z]{1,40}$/),
    }),
    fc.record({ isAdded: fc.boolean(), mode: fc.constantFrom('i', 'm', 'n'), param: fc.constant(undefined) }),
  );
  fc.assert(
    fc.property(
      fc.array(one, { maxLength: 40, size: 'max' }),
      fc.integer({ min: 10, max: 300 }),
      (changes, maxBytes) => {
        const lines = writeModes(changes, maxBytes);
        for (const line of lines) {
          assert.ok(line.length <= MODE_PARAMS + 1);
          assert.ok(line.join(' ').length <= maxBytes || line.length <= 2, line.join(' '));
        }
        assert.is(shown(lines.flatMap((line) => readModes(line, takes).changes)), shown(changes));
      },
    ),
    { numRuns: 300 },
  );
});

modes('any words are read', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 60 }), { maxLength: 15 }), (params) => {
      const { changes } = readModes(params, takes);
      assert.ok(changes.filter(({ param }) => param !== undefined).length < Math.max(1, params.length));
    }),
    { numRuns: 300 },
  );
});

modes.run();

const numerics = suite('irc-numerics');

numerics('each is three digits, and no two are one', () => {
  const all = Object.values(NUMERICS);
  for (const numeric of all) assert.match(numeric, /^\d{3}$/);
  assert.is(new Set(all).size, all.length);
});

numerics.run();
