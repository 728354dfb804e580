import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ByteQueue } from '../src/wire.ts';
import {
  encodeIrc,
  fitText,
  IrcDecoder,
  type IrcHeard,
  type IrcSent,
  ircLine,
  MAX_CLIENT_TAG_BYTES,
  MAX_LINE_BYTES,
  MAX_TAG_BYTES,
  type Tags,
} from '../src/wire-irc.ts';
import { bytesOf, drain, everyByte, feed, join, watchQueues } from './decoders.ts';

const X = (count: number): string => 'x'.repeat(count);
const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
/** One byte for each character. */
const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

const message = (command: string, params: string[] = [], tags: Tags = {}, source?: string): IrcHeard => ({
  kind: 'message',
  tags,
  source,
  command,
  params,
});
const fault = (code: 'too-long' | 'not-utf8', command: string, label?: string): IrcHeard => ({
  kind: 'fault',
  code,
  command,
  label,
});

/** Whole, byte by byte and cut anywhere. */
function hears(bytes: Uint8Array, due: readonly IrcHeard[], why: string, numRuns = 20): void {
  assert.equal(feed(new IrcDecoder(), bytes), due, why);
  assert.equal(feed(new IrcDecoder(), bytes, everyByte(bytes)), due, `${why}, byte by byte`);
  fc.assert(
    fc.property(fc.array(fc.nat(100_000), { maxLength: 8 }), (cuts) => {
      assert.equal(feed(new IrcDecoder(), bytes, cuts), due, why);
    }),
    { numRuns },
  );
}

// --- reading -----------------------------------------------------------------------------------------------

const LINES: readonly (readonly [line: string, due: IrcHeard | undefined])[] = [
  ['foo bar baz asdf', message('FOO', ['bar', 'baz', 'asdf'])],
  [':coolguy foo bar baz :asdf quux', message('FOO', ['bar', 'baz', 'asdf quux'], {}, 'coolguy')],
  ['foo bar baz :', message('FOO', ['bar', 'baz', ''])],
  ['foo bar baz ::asdf', message('FOO', ['bar', 'baz', ':asdf'])],
  ['foo bar baz :  asdf quux ', message('FOO', ['bar', 'baz', '  asdf quux '])],
  ['foo bar :   ', message('FOO', ['bar', '   '])],
  ['foo bar :a\t', message('FOO', ['bar', 'a\t'])],
  ['foo b:ar c:', message('FOO', ['b:ar', 'c:'])],
  [':src AWAY', message('AWAY', [], {}, 'src')],
  [':src AWAY ', message('AWAY', [], {}, 'src')],
  [':src  AWAY   :  x', message('AWAY', ['  x'], {}, 'src')],
  ['\tfoo \tbar :\t', message('\tFOO', ['\tbar', '\t'])],
  [':cool\tguy foo bar baz', message('FOO', ['bar', 'baz'], {}, 'cool\tguy')],
  [':gate 432  #momo :Bad  name', message('432', ['#momo', 'Bad  name'], {}, 'gate')],
  [':gate MODE #tckk +n ', message('MODE', ['#tckk', '+n'], {}, 'gate')],
  ['   MODE   #a   +o   ann   ', message('MODE', ['#a', '+o', 'ann'])],
  [':op MODE #a +oo ann :ben', message('MODE', ['#a', '+oo', 'ann', 'ben'], {}, 'op')],
  ['PRIVMSG #a :\x01ACTION waves\x01', message('PRIVMSG', ['#a', '\x01ACTION waves\x01'])],
  ['PRIVMSG #a :\x02b\x0304,01red\x0f\x1d', message('PRIVMSG', ['#a', '\x02b\x0304,01red\x0f\x1d'])],
  ['privMsg Zoë :漢字 🙂 ', message('PRIVMSG', ['Zoë', '漢字 🙂 '])],
  ['PRIVMSG #a :\ufeffa', message('PRIVMSG', ['#a', '\ufeffa'])],
  ['jo\u0131n #a', message('JO\u0131N', ['#a'])],
  ['PR\0IVMSG #a :h\0i', message('PRIVMSG', ['#a', 'hi'])],
  ['NICK \0', message('NICK')],
  [
    'X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 :15',
    message('X', [...'123456789'].concat(['10', '11', '12', '13', '14', '15'])),
  ],
  [
    'X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 :17',
    message('X', [...'123456789'].concat(['10', '11', '12', '13', '14', '15 16 :17'])),
  ],
  ['', undefined],
  ['   ', undefined],
  ['\0', undefined],
  [':src', undefined],
  [':src  ', undefined],
  [':', undefined],
  ['@a=b', undefined],
  ['@a=b  ', undefined],
  ['@a=b :src ', undefined],
  ['@', undefined],
  [': X', message('X')],
  ['@ X', message('X')],
  ['@; X', message('X')],
  ['@a=b;c=32;k;rt=ql7 foo', message('FOO', [], { a: 'b', c: '32', k: '', rt: 'ql7' })],
  ['@a=b\\\\and\\nk;c=72\\s45;d=gh\\:764 foo', message('FOO', [], { a: 'b\\and\nk', c: '72 45', d: 'gh;764' })],
  ['@c;h=;a=b :quux ab cd', message('AB', ['cd'], { c: '', h: '', a: 'b' }, 'quux')],
  ['@a=b   :src   X   y', message('X', ['y'], { a: 'b' }, 'src')],
  ['@t=\\\\\\\\\\:\\\\s\\s\\r\\n X', message('X', [], { t: '\\\\;\\s \r\n' })],
  ['@t=value\\1\\🙂 X', message('X', [], { t: 'value1🙂' })],
  ['@t=value\\;u=\\ X', message('X', [], { t: 'value', u: '' })],
  ['@t=a=b==;u=: X', message('X', [], { t: 'a=b==', u: ':' })],
  ['@a=1;b=3;c=4;a=5;a X', message('X', [], { a: '', b: '3', c: '4' })],
  ['@a=1;b=3;a=5;vendor/b=8 X', message('X', [], { a: '5', b: '3', 'vendor/b': '8' })],
  [
    '@+draft/reply=1;+a.b-c.org/X-1=2;+typing=done X',
    message('X', [], { '+draft/reply': '1', '+a.b-c.org/X-1': '2', '+typing': 'done' }),
  ],
  ['@=1;+=2;++a=3;a/=4;/a=5;a/b/c=6;a_b=7;é=8;__proto__=9;a X', message('X', [], { a: '' })],
  ['@constructor=1 X', message('X', [], { constructor: '1' } as unknown as Tags)],
  ['@e=é漢🙂;n=a\0b X', message('X', [], { e: 'é漢🙂', n: 'ab' })],
];

const read = suite('wire-irc, reading');

for (const [line, due] of LINES) {
  read(`reads ${JSON.stringify(line)}`, () => hears(bytesOf(`${line}\r\n`), due ? [due] : [], line));
}

read('a line ends at LF, at CR LF, at CR; empty lines are nothing', () => {
  const due = [message('PING', ['a']), message('PING', ['b', 'c '])];
  for (const end of ['\n', '\r\n', '\r', '\r\r\n', '\n\r', '\r\n\r\n', '\n\n\n']) {
    hears(bytesOf(`${end}PING a${end}PING b :c ${end}`), due, JSON.stringify(end));
  }
});

read('a line without its end is one when no more comes', () => {
  const decoder = new IrcDecoder();
  assert.not(decoder.pending);
  assert.equal(feed(decoder, bytesOf('PING a\r\nPING b')), [message('PING', ['a'])]);
  assert.ok(decoder.pending);
  decoder.end();
  assert.equal(drain(decoder), [message('PING', ['b'])]);
  assert.not(decoder.pending);
});

read('bytes that are no UTF-8: what can be told is told, and the next line is read', () => {
  const PING = message('PING', ['a']);
  for (const [line, due] of [
    ['PRIVMSG #a :Zo\xeb', fault('not-utf8', 'PRIVMSG')],
    ['PRIVMSG #a :\xc3\xa9 and \xff', fault('not-utf8', 'PRIVMSG')],
    ['privmsg #a :\xed\xa0\x80', fault('not-utf8', 'PRIVMSG')],
    ['PRIVMSG #a :\xf0\x9f\x99 ', fault('not-utf8', 'PRIVMSG')],
    ['@a=1;label=x7 :me NICK \xe9', fault('not-utf8', 'NICK', 'x7')],
    ['@label=x;a=\xff NICK a', fault('not-utf8', 'NICK', 'x')],
    ['@label=\xff NICK a', fault('not-utf8', 'NICK')],
    ['N\xcdCK a', fault('not-utf8', '')],
    ['\xff', fault('not-utf8', '')],
    ['@a\xff', fault('not-utf8', '')],
  ] as const) {
    hears(latin1(`${line}\r\nPING a\r\n`), [due, PING], line);
  }
});

// --- limits ------------------------------------------------------------------------------------------------

const BODY = MAX_LINE_BYTES - 2;
const padded = (start: string, bytes: number): string => start + X(bytes - bytesOf(start).length);
/** With `@` and blank, as long as a client may make them. */
const FULL_TAGS = `${padded('@label=l1;+a=', MAX_CLIENT_TAG_BYTES + 1)} `;
const OVER_TAGS = `${padded('@label=l1;+a=', MAX_CLIENT_TAG_BYTES + 2)} `;

read('a line may have 512 bytes, and its tags 4,094 more', () => {
  const text = padded('PRIVMSG #a :', BODY);
  const params = ['#a', text.slice('PRIVMSG #a :'.length)];
  const tags = { label: 'l1', '+a': FULL_TAGS.slice('@label=l1;+a='.length, -1) };
  for (const end of ['\n', '\r\n']) {
    assert.equal(feed(new IrcDecoder(), bytesOf(text + end)), [message('PRIVMSG', params)]);
    hears(bytesOf(FULL_TAGS + text + end), [message('PRIVMSG', params, tags)], 'with tags', 5);
  }
});

const TOO_LONG: readonly (readonly [name: string, line: string, due: IrcHeard])[] = [
  ['a line by one byte', padded('PRIVMSG #a :', BODY + 1), fault('too-long', 'PRIVMSG')],
  ['a line of characters', `privmsg #a :${'漢'.repeat(167)}`, fault('too-long', 'PRIVMSG')],
  ['a line by far', padded(':src PRIVMSG #a :', 20_000), fault('too-long', 'PRIVMSG')],
  ['a line that is no UTF-8', `${padded('PRIVMSG #a :', 300)}${'\u00ff'.repeat(300)}`, fault('too-long', 'PRIVMSG')],
  ['a command', X(600), fault('too-long', '')],
  ['blanks', ' '.repeat(600), fault('too-long', '')],
  ['a command behind blanks', `${' '.repeat(BODY - 3)}NICKNAME ${X(100)}`, fault('too-long', '')],
  ['a line behind tags', `@label=7;a ${padded('NICK ', BODY + 1)}`, fault('too-long', 'NICK', '7')],
  ['a line behind tags by far', `@label=7;a ${padded('NICK ', 20_000)}`, fault('too-long', 'NICK', '7')],
  ['a line behind full tags', `${FULL_TAGS}${padded('NICK ', BODY + 1)}`, fault('too-long', 'NICK', 'l1')],
  ['tags by one byte', `${OVER_TAGS}NICK a`, fault('too-long', '', 'l1')],
  ['tags by one byte and a long line', `${OVER_TAGS}${padded('NICK ', BODY)}`, fault('too-long', '', 'l1')],
  ['tags by far', `@label=a\\sb;${X(20_000)} NICK a`, fault('too-long', '', 'a b')],
  ['tags without an end', `@${X(20_000)}`, fault('too-long', '')],
  ['tags without an end by one byte', `@${X(MAX_CLIENT_TAG_BYTES + 1)}`, fault('too-long', '')],
  ['a label', `@label=${X(5000)} NICK a`, fault('too-long', '')],
  ['a label behind too much', `@a=${X(5000)};label=x NICK a`, fault('too-long', '')],
];

for (const [name, line, due] of TOO_LONG) {
  read(`too long, ${name}: one fault, and the next line is read`, () => {
    hears(bytesOf(`${line}\r\nPING a\n`), [due, message('PING', ['a'])], name, 5);
  });
}

read('tags alone are nothing, as many as there may be', () => {
  hears(bytesOf(`@${X(MAX_CLIENT_TAG_BYTES)}\r\nPING a\n`), [message('PING', ['a'])], 'tags', 5);
});

read('a byte is looked at a few times, however a line is cut', () => {
  const { at } = ByteQueue.prototype;
  let count = 0;
  ByteQueue.prototype.at = function (this: ByteQueue, position: number): number {
    count++;
    return at.call(this, position);
  };
  try {
    const bytes = bytesOf(`${FULL_TAGS}${padded('PRIVMSG #a :', BODY)}\r\n`);
    assert.is(feed(new IrcDecoder(), bytes, everyByte(bytes)).length, 1);
    assert.ok(count <= 5 * bytes.length, `${count} looks at ${bytes.length} bytes`);
  } finally {
    ByteQueue.prototype.at = at;
  }
});

read('a client allows a server more tags', () => {
  const line = (bytes: number): Uint8Array => bytesOf(`${padded('@a=', bytes - 1)} PING a\r\n`);
  for (const at of [[], everyByte(line(MAX_TAG_BYTES))]) {
    assert.is(feed(new IrcDecoder(MAX_TAG_BYTES), line(MAX_TAG_BYTES), at)[0]?.kind, 'message');
    assert.equal(feed(new IrcDecoder(MAX_TAG_BYTES), line(MAX_TAG_BYTES + 1), at), [fault('too-long', '')]);
  }
});

read('bytes without an end are one fault, and none of them are kept', () => {
  for (const start of ['', '@', '@label=1 ', '@a=b;', ':src ']) {
    const { most } = watchQueues(() => {
      const decoder = new IrcDecoder();
      const found = Array.from({ length: 200 }, (_, index) =>
        feed(decoder, bytesOf((index ? '' : start) + X(500))),
      ).flat();
      assert.is(found.length, 1);
      assert.equal(feed(decoder, bytesOf(' \r\nPING a\r\n')), [message('PING', ['a'])]);
    });
    assert.ok(most <= MAX_CLIENT_TAG_BYTES + 2 + BODY + 512, `${most} bytes were held`);
  }
});

const noise = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40, size: 'max' }),
    fc
      .string({
        unit: fc.constantFrom('@', ':', ' ', ';', '=', '\\', '\r', '\n', '\0', 'a', 'é', '+'),
        maxLength: 40,
        size: 'max',
      })
      .map(bytesOf),
    fc
      .constantFrom('PRIVMSG #a :', '@label=1;+x=', ':src ', '\r\n', 'NICK', X(511), X(4094), `@${X(600)} `)
      .map(bytesOf),
  ),
  { maxLength: 30, size: 'max' },
);

read('whatever comes is a message or a fault, the same however it is cut, and little of it is kept', () => {
  fc.assert(
    fc.property(noise, fc.array(fc.nat(20_000), { maxLength: 30, size: 'max' }), (parts, cuts) => {
      const bytes = join(...parts);
      const whole = feed(new IrcDecoder(), bytes);
      const chunks = new IrcDecoder();
      assert.equal(feed(chunks, bytes, cuts), whole);
      for (const heard of whole) {
        assert.match(heard.command, heard.kind === 'fault' ? /^[A-Z0-9]{0,32}$/ : /^[^ \r\n\0a-z]+$/);
        if (heard.kind === 'message') assert.ok(heard.params.length <= 15);
      }
      const { most } = watchQueues(() => feed(new IrcDecoder(), bytes, everyByte(bytes)));
      assert.ok(most <= MAX_CLIENT_TAG_BYTES + 2 + BODY + 1, `${most} bytes were held`);
    }),
    { numRuns: 300 },
  );
});

read.run();

// --- writing -----------------------------------------------------------------------------------------------

const write = suite('wire-irc, writing');

const SENT: readonly (readonly [message: IrcSent, line: string])[] = [
  [{ command: 'PING' }, 'PING'],
  [{ command: '001', source: 'srv', params: ['ann', 'Welcome to it'] }, ':srv 001 ann :Welcome to it'],
  [{ command: 'PRIVMSG', params: ['#a', 'hi'] }, 'PRIVMSG #a hi'],
  [{ command: 'PRIVMSG', params: ['#a', ''] }, 'PRIVMSG #a :'],
  [{ command: 'PRIVMSG', params: ['#a', ':)'] }, 'PRIVMSG #a ::)'],
  [{ command: 'PRIVMSG', params: ['#a', ' x '] }, 'PRIVMSG #a : x '],
  [{ command: 'PRIVMSG', params: ['Zoë', '漢字 🙂'] }, 'PRIVMSG Zoë :漢字 🙂'],
  [{ command: 'X', source: '', tags: {} }, 'X'],
  [{ command: 'X', tags: { a: 'b', c: '', '+d/e': 'f g' } }, '@a=b;c;+d/e=f\\sg X'],
  [{ command: 'X', tags: { a: '\\;\r\n \0' } }, '@a=\\\\\\:\\r\\n\\s X'],
  [{ command: 'X', tags: { 'a b': '1', 'a=b': '2', 'a;b': '3', '': '4', 'a\n': '5', ok: '6' } }, '@ok=6 X'],
  [{ command: 'X', tags: { 'a b': '1' } }, 'X'],
  [{ command: 'X', params: ['a b', '', ':c', 'd'] }, 'X a_b * _c d'],
  [{ command: 'A B', source: 'c d' }, ':c_d A_B'],
  [{ command: '@a', params: ['@b'] }, '_a @b'],
  [{ command: '' }, '*'],
  [{ command: 'X', params: ['a', 'b\r\nQUIT'] }, 'X a :b QUIT'],
  [{ command: 'X', params: ['a\nb', 'c\0d\r'] }, 'X a_b :cd '],
  [{ command: 'X\r\nY', source: 's\nt', params: ['\0'] }, ':s_t X_Y :'],
  [{ command: 'X', params: [...'abcdefghijklmnopq'] }, 'X a b c d e f g h i j k l m n :o p q'],
  [{ command: 'X', params: ['a\ud800'] }, 'X a\ufffd'],
];

write('writes lines, with CR LF and without', () => {
  for (const [sent, line] of SENT) {
    assert.is(textOf(encodeIrc(sent)), `${line}\r\n`);
    assert.equal(bytesOf(ircLine(sent)), bytesOf(line));
  }
});

const word = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .map((text) => text.replace(/[\s\0]|^:/g, '_'));
const text = fc.string({ unit: 'grapheme', maxLength: 60, size: 'max' }).map((any) => any.replace(/[\r\n\0]/g, ''));
const tagKey = fc.stringMatching(/^\+?([a-z]{1,3}(\.[a-z]{1,3})?\/)?[A-Za-z0-9-]{1,8}$/);
const sendable = fc.record({
  tags: fc.dictionary(
    tagKey,
    fc.string({ unit: 'grapheme', maxLength: 20 }).map((any) => any.replaceAll('\0', '')),
    { maxKeys: 5 },
  ),
  source: fc.option(word, { nil: undefined }),
  command: fc.stringMatching(/^([A-Z]{1,12}|\d{3})$/),
  params: fc
    .tuple(fc.array(word, { maxLength: 8 }), fc.array(text, { maxLength: 1 }))
    .map(([words, last]) => [...words, ...last]),
});

write('what is written is read again', () => {
  fc.assert(
    fc.property(
      fc.array(sendable, { maxLength: 5, size: 'max' }),
      fc.array(fc.nat(3000), { maxLength: 8 }),
      (all, cuts) => {
        // what was cut is nearly as long as may be
        const fit = all.filter(({ tags: _, ...body }) => encodeIrc(body).length < MAX_LINE_BYTES - 100);
        const bytes = join(...fit.map((one) => encodeIrc(one).slice()));
        const due = fit.map(({ tags, source, command, params }) => message(command, params, { ...tags }, source));
        assert.equal(feed(new IrcDecoder(MAX_TAG_BYTES), bytes, cuts), due);
      },
    ),
    { numRuns: 300 },
  );
});

const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 700, size: 'max' }),
  fc.string({ unit: fc.constantFrom('a', ' ', '\t', ':', '@', '\n', '\0', ';', '🙂'), maxLength: 12 }),
);
write('whatever it is given, it is one line that is not too long, with its own command', () => {
  fc.assert(
    fc.property(
      fc.record({
        tags: fc.dictionary(fc.oneof(tagKey, anything), fc.string({ unit: 'binary', maxLength: 3000, size: 'max' }), {
          maxKeys: 6,
        }),
        source: fc.option(anything, { nil: undefined }),
        command: fc.oneof(anything, fc.constant('PRIVMSG')),
        params: fc.array(anything, { maxLength: 20, size: 'max' }),
      }),
      (sent) => {
        const line = textOf(encodeIrc(sent));
        assert.match(line, /^[^\r\n\0]+\r\n$/);
        assert.is(`${ircLine(sent).toWellFormed()}\r\n`, line);
        const tagEnd = line[0] === '@' ? line.indexOf(' ') + 1 : 0;
        assert.ok(bytesOf(line.slice(0, tagEnd)).length <= MAX_TAG_BYTES);
        assert.ok(bytesOf(line.slice(tagEnd)).length <= MAX_LINE_BYTES);
        const [heard, ...more] = feed(new IrcDecoder(MAX_TAG_BYTES), bytesOf(line));
        assert.equal(more, []);
        assert.is(heard?.kind, 'message');
        const isCut = bytesOf(line.slice(tagEnd)).length > MAX_LINE_BYTES - 40;
        if (heard?.kind === 'message' && !isCut) assert.is(heard.params.length, Math.min(15, sent.params.length));
      },
    ),
    { numRuns: 150 },
  );
});

write('cuts the last parameter between two characters', () => {
  const head = 'PRIVMSG #a :';
  for (const [char, bytes] of [
    ['x', 1],
    ['é', 2],
    ['漢', 3],
    ['🙂', 4],
    ['e\u0301', 3],
    ['👩‍👩‍👧', 18],
  ] as const) {
    for (const [shift, given] of [
      [0, 600],
      [1, 200],
      [2, 170],
      [3, 20],
    ] as const) {
      const start = `a ${X(shift)}`;
      const sent = { command: 'PRIVMSG', params: ['#a', start + char.repeat(given)] };
      const count = Math.min(given, Math.floor((BODY - head.length - start.length) / bytes));
      assert.is(textOf(encodeIrc(sent)), `${head}${start}${char.repeat(count)}\r\n`);
      assert.is(ircLine(sent), `${head}${start}${char.repeat(count)}`);
    }
  }
  const full = padded('PRIVMSG #a ', BODY);
  assert.is(textOf(encodeIrc({ command: 'PRIVMSG', params: ['#a', full.slice(11)] })), `${full}\r\n`);
  assert.is(textOf(encodeIrc({ command: 'PRIVMSG', params: ['#a', `${full.slice(11)}x`] })), `${full}\r\n`);
});

write('a source that leaves no room for the rest is left out', () => {
  const params = ['#a', X(600)];
  const line = textOf(encodeIrc({ source: '漢'.repeat(200), command: 'PRIVMSG', params }));
  assert.is(line, textOf(encodeIrc({ command: 'PRIVMSG', params })));
  const source = '漢'.repeat(133);
  assert.ok(textOf(encodeIrc({ source, command: 'PRIVMSG', params })).startsWith(`:${source} PRIVMSG #a xxx`));
});

write('tags are not counted with the line, and leave it as it is', () => {
  const tags = { a: 'é'.repeat(3000), time: 'now' };
  const params = ['#a', `a ${X(600)}`];
  const line = textOf(encodeIrc({ tags, command: 'PRIVMSG', params }));
  assert.is(line, `@a=${tags.a};time=now ${textOf(encodeIrc({ command: 'PRIVMSG', params }))}`);
});

write('tags that do not fit are left out', () => {
  const full = X(MAX_TAG_BYTES - '@a= '.length);
  assert.is(ircLine({ tags: { a: full }, command: 'X' }), `@a=${full} X`);
  assert.is(ircLine({ tags: { a: `${full}x` }, command: 'X' }), 'X');
  assert.is(ircLine({ tags: { a: full, time: 'now' }, command: 'X' }), `@a=${full} X`);
  assert.is(ircLine({ tags: { a: `${full}x`, time: 'now' }, command: 'X' }), '@time=now X');
});

write('lines that were written stay as they are while others are', () => {
  const lines = Array.from({ length: 500 }, (_, index) => encodeIrc({ command: 'X', params: [`${index}`, X(index)] }));
  for (const [index, bytes] of lines.entries()) assert.ok(textOf(bytes).startsWith(`X ${index} `));
});

write.run();

// --- texts -------------------------------------------------------------------------------------------------

const fitting = suite('wire-irc, fitText');

fitting('a line is a piece, and a long one is several', () => {
  for (const [whole, maxBytes, due] of [
    ['hi', 10, ['hi']],
    [' hi  there ', 20, [' hi  there ']],
    ['', 10, []],
    ['\r\n\n\r', 10, []],
    ['\0', 10, []],
    ['a\nb\r\nc\rd\n', 10, ['a', 'b', 'c', 'd']],
    ['\n\na\n\n\n b', 10, ['a', ' b']],
    ['abcdefgh\nij', 4, ['abcd', 'efgh', 'ij']],
    ['漢字漢', 7, ['漢字', '漢']],
    ['a\0b', 10, ['ab']],
  ] as const) {
    assert.equal(fitText(whole, maxBytes), due, JSON.stringify(whole));
  }
});

fitting('a text of very many lines does not become very many messages', () => {
  const pieces = fitText('a\n'.repeat(20_000), 400);
  assert.is(pieces.slice(0, 99).join(''), 'a'.repeat(99));
  assert.is(
    pieces.slice(99).join(''),
    Array(20_000 - 99)
      .fill('a')
      .join(' '),
  );
  assert.ok(pieces.length < 99 + 40_000 / 400 + 1);
});

fitting('no piece is empty, too long or more than a line, and nothing is lost', () => {
  const any = fc.string({
    unit: fc.constantFrom('a', ' ', 'é', '漢', '🙂', 'e\u0301', '\n', '\r', '\0'),
    maxLength: 120,
    size: 'max',
  });
  fc.assert(
    fc.property(any, fc.integer({ min: 4, max: 40 }), (whole, maxBytes) => {
      const pieces = fitText(whole, maxBytes);
      for (const piece of pieces) {
        assert.match(piece, /^[^\r\n\0]+$/);
        assert.ok(bytesOf(piece).length <= maxBytes);
      }
      assert.is(pieces.join(''), whole.replace(/[\r\n\0]/g, ''));
    }),
    { numRuns: 500 },
  );
});

fitting.run();
