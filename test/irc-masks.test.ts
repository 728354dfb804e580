import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  CHANNEL_CHARS,
  foldIrc,
  isChannel,
  isNick,
  MASK_BYTES,
  Mask,
  NICK_CHARS,
  spellChannel,
  spellNick,
} from '../src/irc-masks.ts';

const X = (count: number): string => 'x'.repeat(count);
const any = fc.string({ unit: 'binary', maxLength: 90, size: 'max' });

// --- names -------------------------------------------------------------------------------------------------

const names = suite('irc-masks, names');

names('folds the ASCII letters, and nothing else', () => {
  for (const [text, due] of [
    ['Ann', 'ann'],
    ['ann', 'ann'],
    ['#ZÖO', '#zÖo'],
    ['{}|^[]\\~', '{}|^[]\\~'],
    ['\u0130\u0131\u017f\u212a', '\u0130\u0131\u017f\u212a'],
    ['', ''],
  ] as const) {
    assert.is(foldIrc(text), due, text);
  }
});

const NICKS = [
  'ann',
  'Ann_2',
  'a',
  'bob~2',
  '[ann]',
  '`a`',
  '\\a^{}|',
  '_1',
  'a-1',
  'Zoë',
  '漢字',
  '🙂',
  X(NICK_CHARS),
];
const NO_NICKS = [
  '',
  X(NICK_CHARS + 1),
  ...['#', '&', ':', '$', '~', '@', '%', '+', '-', '1'].map((first) => `${first}ann`),
  ...[' ', ',', '*', '?', '!', '@', ':', '.', '\0', '\x01', '\x07', '\r', '\n', '\t', '\x7f', '\x85'].map(
    (c) => `a${c}b`,
  ),
  ...['\u00a0', '\u3000', '\u2028', '\u202e', '\u2066', '\ud800'].map((c) => `a${c}b`),
];

names('knows a nick', () => {
  for (const nick of NICKS) assert.ok(isNick(nick), JSON.stringify(nick));
  for (const nick of NO_NICKS) assert.not(isNick(nick), JSON.stringify(nick));
});

names('knows a channel', () => {
  for (const name of ['#main', '#a', '##', '#1', '#a.b:c!d@e*?', '#Zoë', '#漢字', `#${X(CHANNEL_CHARS - 1)}`]) {
    assert.ok(isChannel(name), name);
  }
  for (const name of [
    '',
    '#',
    'main',
    '&main',
    '+a',
    '#a b',
    '#a,b',
    '#a\x07',
    '#a\0',
    '#a\n',
    '#a\u2028b',
    '#a\u00a0b',
  ]) {
    assert.not(isChannel(name), JSON.stringify(name));
  }
  assert.not(isChannel(`#${X(CHANNEL_CHARS)}`));
});

names('spells a name of the house as a nick', () => {
  for (const [name, due] of [
    ['ann', 'ann'],
    ['bob~2', 'bob~2'],
    ['Nick Cave', 'Nick_Cave'],
    ['1234', '_1234'],
    ['-a', '_-a'],
    ['#a', '_#a'],
    ['@', '_'],
    ['', '_'],
    ['a.b@c', 'a_b_c'],
    ['Zoë', 'Zoë'],
    [`1${X(NICK_CHARS - 1)}`, `_1${X(NICK_CHARS - 2)}`],
    [`1${'🙂'.repeat(40)}`, `_1${'🙂'.repeat(31)}`],
  ] as const) {
    assert.is(spellNick(name), due, name);
  }
});

names('spells a room as a channel', () => {
  for (const [room, due] of [
    ['main', '#main'],
    ['a room, a', '#a_room__a'],
    ['#x', '##x'],
    ['', '#_'],
    [X(64), `#${X(64)}`],
    [X(70), `#${X(64)}`],
  ] as const) {
    assert.is(spellChannel(room), due, room);
  }
});

names('whatever is spelled is a nick or a channel, and what is one stays itself', () => {
  fc.assert(
    fc.property(any, (name) => {
      const nick = spellNick(name);
      assert.ok(isNick(nick), JSON.stringify([name, nick]));
      assert.is(spellNick(nick), nick);
      if (isNick(name)) assert.is(nick, name);
      const channel = spellChannel(name);
      assert.ok(isChannel(channel), JSON.stringify([name, channel]));
      assert.is(spellChannel(channel.slice(1)), channel);
    }),
    { numRuns: 1000 },
  );
});

names.run();

// --- masks -------------------------------------------------------------------------------------------------

const masks = suite('irc-masks, masks');

masks('has three parts', () => {
  for (const [text, due] of [
    ['ann', 'ann!*@*'],
    ['Ann*', 'ann*!*@*'],
    ['user@host', '*!user@host'],
    ['@Host', '*!*@host'],
    ['user@', '*!user@*'],
    ['ann!', 'ann!*@*'],
    ['ann!user', 'ann!user@*'],
    ['!user', '*!user@*'],
    ['ann!@host', 'ann!*@host'],
    ['ann!user@host', 'ann!user@host'],
    ['*', '*!*@*'],
    ['*!*@*', '*!*@*'],
    ['a***b!**@***', 'a*b!*@*'],
    ['192.0.2.*', '*!*@192.0.2.*'],
    ['2001:db8::*', '*!*@2001:db8::*'],
    ['::1', '*!*@::1'],
    [':ann!*@*', 'ann!*@*'],
    [':!a@b', '*!a@b'],
    ['a b,c\n', 'a?b?c?!*@*'],
    ['a!b!c@d@e', 'a!b!c@d@e'],
    ['', ''],
  ] as const) {
    assert.is(new Mask(text).text, due, text);
    assert.is(new Mask(due).text, due, 'again');
  }
});

masks('is one word of limited length, whatever it is made of, and stays the same', () => {
  const long = fc.string({
    unit: fc.constantFrom('a', '!', '@', '*', '?', ':', ' ', '.', '🙂', '\r', 'Z'),
    maxLength: 400,
    size: 'max',
  });
  fc.assert(
    fc.property(long, (text) => {
      const mask = new Mask(text).text;
      const bytes = new TextEncoder().encode(mask).length;
      assert.ok(bytes <= MASK_BYTES);
      assert.not.match(mask, /[\s,]|^:|[A-Z]|\*\*/);
      if (bytes < MASK_BYTES - 3) assert.is(new Mask(mask).text, mask);
      assert.type(new Mask(text).matches('ann!user@host'), 'boolean');
    }),
    { numRuns: 1000 },
  );
});

masks('means those who fit', () => {
  for (const [mask, prefix, due] of [
    ['ann', 'ann!u@h', true],
    ['ANN', 'ann!u@h', true],
    ['ann', 'anna!u@h', false],
    ['ann', 'xann!u@h', false],
    ['ann*', 'anna!u@h', true],
    ['?nn', 'ann!u@h', true],
    ['?nn', 'nn!u@h', false],
    ['??', '🙂é!u@h', true],
    ['*@192.0.2.?', 'ann!u@192.0.2.7', true],
    ['*@192.0.2.?', 'ann!u@192.0.2.77', false],
    ['192.0.2.*', 'ann!u@192.0.2.77', true],
    ['*!*b*a*@*', 'ann!ba@h', true],
    ['*!*b*a*@*', 'ann!ab@h', false],
    ['*a*a*a*', 'banana!u@h', true],
    ['*a*a*a*a*', 'banana!u@h', false],
    ['*', '!@', true],
    ['[a]', '[a]!u@h', true],
    ['[a]', 'a!u@h', false],
    ['a.c', 'abc!u@h', false],
    ['a\\*', 'a*!u@h', false],
    ['', 'ann!u@h', false],
  ] as const) {
    assert.is(new Mask(mask).matches(prefix), due, `${mask} ${prefix}`);
  }
});

/** The obvious way, for masks so short that its time does not matter. */
function fits(mask: string, text: string): boolean {
  if (mask === '') return text === '';
  if (mask[0] === '*') return fits(mask.slice(1), text) || (text !== '' && fits(mask, text.slice(1)));
  return text !== '' && (mask[0] === '?' || mask[0] === text[0]) && fits(mask.slice(1), text.slice(1));
}

masks('means the same as the obvious way to compare', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 6 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(part, text, (written, nick) => {
      const mask = new Mask(`${written}!u@h`);
      assert.is(mask.matches(`${nick}!u@h`), fits(mask.text, `${nick}!u@h`), `${written} ${nick}`);
    }),
    { numRuns: 2000 },
  );
});

masks('long masks mean the same as their pieces', () => {
  const piece = fc.string({ unit: fc.constantFrom('a', 'b', '?'), minLength: 1, maxLength: 100, size: 'max' });
  fc.assert(
    fc.property(piece, piece, fc.nat(40), (before, after, between) => {
      const mask = new Mask(`${before}*${after}b!u@h`);
      const text = `${before}${'x'.repeat(between)}${after}`.replaceAll('?', 'c');
      assert.ok(mask.matches(`${text}b!u@h`));
      assert.not(mask.matches(`${text}c!u@h`));
      assert.not(mask.matches(`${text}b!u@hh`));
      assert.not(mask.matches(`${'?'.repeat(before.length + after.length)}!u@h`), 'one too few');
    }),
    { numRuns: 300 },
  );
});

/** How many characters a comparison looks at. */
function lookedAt(work: () => void): number {
  const { get } = Map.prototype;
  let count = 0;
  Map.prototype.get = function (this: Map<unknown, unknown>, key: unknown): unknown {
    count++;
    return get.call(this, key);
  };
  try {
    work();
  } finally {
    Map.prototype.get = get;
  }
  return count;
}

masks('reads who is compared once, whatever the mask is', () => {
  for (const written of [
    '*a'.repeat(140),
    '*?'.repeat(140),
    `${'*a?'.repeat(90)}b`,
    `*${'a'.repeat(250)}b`,
    '?*'.repeat(140),
  ]) {
    const mask = new Mask(`${written}!*@*`);
    mask.matches('');
    for (const chars of [100, 1000, 10_000]) {
      const prefix = `${'a'.repeat(chars)}!u@h`;
      const steps = lookedAt(() => mask.matches(prefix));
      assert.ok(steps <= prefix.length, `${steps} steps for ${prefix.length} characters of ${written.slice(0, 6)}`);
    }
  }
});

masks('stops where nothing fits any more', () => {
  const mask = new Mask('ann!*@*');
  mask.matches('');
  assert.is(
    lookedAt(() => mask.matches(`ben${'x'.repeat(1000)}!u@h`)),
    1,
  );
});

masks.run();
