import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CommandLine, oneOf, readCommandLine, UsageError, wholeNumber } from '../src/arguments.ts';
import { VERSION } from '../src/version.ts';

const LINE: CommandLine = {
  name: 'parley-test',
  usage: '[word]',
  about: 'What a test needs',
  words: [{ word: 'word', help: 'Any word', shownDefault: 'none' }],
  options: [
    { flag: '--some-name <name>', help: 'A name', shownDefault: 'nobody' },
    { flag: '--each <what>', help: 'Repeatable', repeats: true },
    { flag: '--loud', help: 'A switch' },
    { flag: '--two-words', help: 'Another' },
  ],
  examples: ['parley-test 007'],
};

function read(argv: string[], env: Record<string, string> = {}) {
  const given = readCommandLine(LINE, argv, env);
  if (!given) throw new Error('help or version');
  return given;
}

/** What is printed meanwhile. */
function printed(work: () => unknown): string {
  const lines: string[] = [];
  const { log, info } = console;
  console.log = (...parts: unknown[]) => void lines.push(parts.join(' '));
  console.info = console.log;
  try {
    work();
  } finally {
    console.log = log;
    console.info = info;
  }
  return lines.join('\n');
}

const test = suite('arguments');

test('are words and options, as they were written', () => {
  const given = read(['007', '--some-name', '0042', '--each', '1', '--each=02']);
  assert.equal(given.words, ['007']);
  assert.equal([given.one('some-name'), given.all('each')], ['0042', ['1', '02']]);
});

test('that are not given are undefined, or come from the environment', () => {
  assert.equal([read([]).one('some-name'), read([]).all('each'), read([]).has('loud')], [undefined, [], false]);
  const env = { PARLEY_SOME_NAME: 'a,b', PARLEY_EACH: '1, 02', PARLEY_LOUD: '1' };
  const given = read([], env);
  assert.equal([given.one('some-name'), given.all('each'), given.has('loud')], ['a,b', ['1', '02'], true]);
  assert.is(read(['--some-name', 'x'], env).one('some-name'), 'x');
});

const SWITCH: Array<[string, boolean]> = [
  ...['1', 'true', 'yes', 'on', 'TRUE', 'On', ' yes '].map((value): [string, boolean] => [value, true]),
  ...['0', 'false', 'no', 'off', 'False', 'OFF', 'No', '', ' '].map((value): [string, boolean] => [value, false]),
];
for (const [value, is] of SWITCH) {
  test(`a switch that is ${JSON.stringify(value)} is ${is ? 'on' : 'off'}`, () => {
    assert.is(read([], { PARLEY_LOUD: value }).has('loud'), is, 'in the environment');
    assert.is(read(['--loud'], { PARLEY_LOUD: value }).has('loud'), true);
    for (const said of ['', 'on', 'off']) {
      const given = read([`--loud=${value}`, 'word'], { PARLEY_LOUD: said });
      assert.equal([given.has('loud'), given.words], [is, ['word']]);
      assert.is(read([`--two-words=${value}`]).has('two-words'), is);
    }
  });
}

for (const value of ['maybe', 'n', 'none', 'y', '2', '-1', 'offf', 'on off']) {
  test(`a switch that is ${value} is neither on nor off`, () => {
    const fails = (work: () => unknown, why: string) =>
      assert.throws(work, (error: Error) => error instanceof UsageError && error.message === why);
    fails(() => read([], { PARLEY_TWO_WORDS: value }).has('two-words'), `PARLEY_TWO_WORDS ${value}: must be on or off`);
    fails(() => read([`--two-words=${value}`]), `--two-words ${value}: must be on or off`);
    assert.ok(read(['--two-words'], { PARLEY_TWO_WORDS: value }).has('two-words'));
  });
}

test('a switch takes no word that stands behind it, and the last one counts', () => {
  for (const flag of ['--loud', '--two-words', '--twoWords']) {
    assert.equal(read([flag, '5000']).words, ['5000'], flag);
  }
  const env = { PARLEY_LOUD: '1' };
  assert.not(read(['--no-loud'], env).has('loud'));
  assert.not(read(['--loud', '--loud=off'], env).has('loud'));
  assert.ok(read(['--no-loud', '--loud'], env).has('loud'));
  assert.not(read(['--', '--loud']).has('loud'));
});

test('--help prints usage, options with their defaults and examples, and is no command line', () => {
  let given: unknown = 'unset';
  const text = printed(() => {
    given = readCommandLine(LINE, ['--help'], {});
  });
  assert.is(given, undefined);
  for (const part of [
    'parley-test [word]\n\nWhat a test needs\n\nArguments:\n  word  Any word (default: none)\n',
    '--some-name <name>',
    'default: nobody',
    '--loud',
    'parley-test 007',
    'Environment:\n  Each option also as a variable: --some-name as PARLEY_SOME_NAME',
  ]) {
    assert.ok(text.includes(part), `${part} is not in ${text}`);
  }
});

test('a word that is required may come from the environment, as the help says', () => {
  const line = { ...LINE, usage: '<word>', options: [{ flag: '--name <name>', help: 'A name' }] };
  const words = (argv: string[], env: Record<string, string>) => readCommandLine(line, argv, env)?.words;
  assert.equal(words([], { PARLEY_WORD: 'w' }), ['w']);
  assert.equal(words(['v'], { PARLEY_WORD: 'w' }), ['v']);
  assert.equal(words([], {}), ['']);
  assert.equal(read([], { PARLEY_WORD: 'w' }).words, []);
  const text = printed(() => readCommandLine(line, ['--help'], {}));
  assert.match(text, /parley-test <word>\n/);
  assert.match(text, /: --name as PARLEY_NAME, <word> as PARLEY_WORD$/);
});

test('--version prints the version', () => {
  const text = printed(() => assert.is(readCommandLine(LINE, ['--version'], {}), undefined));
  assert.ok(text.includes(VERSION), text);
});

const BAD: Array<[string[], string]> = [
  [['--nonsense'], 'there is no option --nonsense'],
  [['--three-words=3'], 'there is no option --three-words'],
  [['-x'], 'there is no option -x'],
  [['--some-name'], '--some-name needs a value'],
  [['--some-name', '--loud'], '--some-name needs a value'],
  [['--each', 'a', '--each'], '--each needs a value'],
  [['--some-name', '--two-words', 'x'], '--some-name needs a value'],
  [['a', '6000'], 'one argument too many: 6000'],
  [['a', 'b', 'c'], '2 arguments too many: b c'],
];
for (const [argv, why] of BAD) {
  test(`${argv.join(' ')}: ${why}`, () => {
    assert.throws(
      () => read(argv),
      (error: Error) => error instanceof UsageError && error.message === why,
    );
  });
}

test('one of some choices is exactly that', () => {
  assert.is(oneOf('kill', 'any', ['any', 'off']), 'any');
  for (const value of ['', 'ANY', 'an', 'toString']) {
    assert.throws(() => oneOf('kill', value, ['any', 'off']), /--kill .*any, off/);
  }
});

test('a whole number is digits in bounds', () => {
  assert.equal(
    ['0', '007', '10'].map((text) => wholeNumber('N', text, 0, 10)),
    [0, 7, 10],
  );
  for (const text of ['', '-1', '11', '1.0', '1e1', '0x1', ' 1', '1\n', '٣', '9'.repeat(30)]) {
    assert.throws(() => wholeNumber('N', text, 0, 10), /^N .*from 0 to 10/, JSON.stringify(text));
  }
});

test.run();
