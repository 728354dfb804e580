import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createLog, type Level, type LogOptions } from '../src/log.ts';

function open(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const clock = { now: Date.UTC(2026, 0, 2, 3, 4, 5) };
  const write = (line: string) => lines.push(line);
  const log = createLog({ level: 'info', format: 'text', write, now: () => new Date(clock.now), ...options });
  return { log, lines, clock };
}

const test = suite('log');

test('writes one line for each event: time, level, event, fields', () => {
  const { log, lines } = open();
  log('warn', 'dropped', { id: 'c1', from: '192.0.2.1', port: 40_000, ok: true, none: undefined });
  assert.equal(lines, ['2026-01-02T03:04:05.000Z warn  dropped id=c1 from=192.0.2.1 port=40000 ok=true']);
});

test('writes JSON for programs', () => {
  const { log, lines } = open({ format: 'json' });
  log('error', 'bug', { stack: 'a\nb "c"', n: 2 });
  assert.is(lines.length, 1);
  assert.not(lines[0]?.includes('\n'));
  assert.equal(JSON.parse(lines[0] as string), {
    time: '2026-01-02T03:04:05.000Z',
    level: 'error',
    event: 'bug',
    stack: 'a\nb "c"',
    n: 2,
  });
});

const HOSTILE = ['two words', 'a\nb', 'a\r\n2026 info ready', '\x1b[2J', '\x9b2J', 'a"b', 'a=b', '', '\x7f', '\u0085'];
for (const value of HOSTILE) {
  test(`keeps ${JSON.stringify(value)} inside its line and its field`, () => {
    const { log, lines } = open();
    log('info', 'name', { name: value, after: 1 });
    assert.is(lines.length, 1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert.not(/[\x00-\x1f\x7f-\x9f]/.test(lines[0] as string), lines[0]);
    assert.match(lines[0] as string, / name="([^"\\]|\\.)*" after=1$/);
  });
}

const LEVELS: Array<[Level, string[]]> = [
  ['error', ['e']],
  ['warn', ['e', 'w']],
  ['info', ['e', 'w', 'i']],
  ['debug', ['e', 'w', 'i', 'd']],
];
for (const [level, wanted] of LEVELS) {
  test(`at ${level} tells ${wanted.join(', ')}`, () => {
    const { log, lines } = open({ level, format: 'json' });
    log('error', 'e');
    log('warn', 'w');
    log('info', 'i');
    log('debug', 'd');
    assert.equal(
      lines.map((line) => JSON.parse(line).event),
      wanted,
    );
  });
}

test('writes what peers cause without end 20 times in 10 s, and then how often it was', () => {
  const { log, lines, clock } = open();
  for (let i = 0; i < 120; i++) log('info', 'dropped', { i });
  log('info', 'other');
  assert.is(lines.length, 21);
  clock.now += 10_001;
  log('info', 'dropped', { i: 'again' });
  assert.equal(
    lines.slice(21).map((line) => line.slice(25)),
    ['info  repeated event=dropped hidden=100', 'info  dropped i=again'],
  );
});

test('writes all of it when debugging', () => {
  const { log, lines } = open({ level: 'debug' });
  for (let i = 0; i < 120; i++) log('debug', 'connected', { i });
  assert.is(lines.length, 120);
});

test('all that operators do is told', () => {
  const { log, lines } = open();
  for (let at = 0; at < 100; at++) log('info', 'operator', { command: 'who' });
  assert.is(lines.length, 100);
});

test.run();
