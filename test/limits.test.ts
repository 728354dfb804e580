import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatCidr } from '../src/cidr.ts';
import {
  isTrusted,
  LIMIT_ROWS,
  LimitError,
  parseLimit,
  parseLimitsFile,
  readLimits,
  showLimits,
} from '../src/limits.ts';
import { firstMessages } from '../src/message-count.ts';

const NONE = { limits: [], trusted: [] };

const limits = suite('limits');

limits('have defaults that no pasted page and no class behind one address meets', () => {
  const { messages, messagesEach, bytes, connectionsEach, arrivals, joinsEach, loginsEach } = readLimits(NONE);
  assert.ok(messages.burst >= 2000);
  assert.ok(bytes.burst >= 2000 * 200);
  assert.ok(messagesEach.burst >= 200 * 100);
  assert.ok(connectionsEach >= 200 * 5);
  assert.ok(arrivals.burst >= 200 * 5);
  assert.ok(loginsEach.burst >= 200 * 5);
  assert.ok(joinsEach.burst >= 200 * 20);
});

limits('trust this machine, unless told otherwise', () => {
  for (const ip of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) assert.ok(isTrusted(readLimits(NONE), ip));
  for (const ip of ['10.0.0.1', '::2', '', 'x']) assert.not(isTrusted(readLimits(NONE), ip));
  assert.not(isTrusted(readLimits({ limits: [], trusted: ['none'] }), '127.0.0.1'));
  const ours = readLimits({ limits: [], trusted: ['10.0.0.0/8'] });
  assert.ok(isTrusted(ours, '10.1.1.1') && isTrusted(ours, '127.0.0.1'));
  const onlyOurs = readLimits({ limits: [], trusted: ['none', '10.0.0.0/8'] });
  assert.ok(isTrusted(onlyOurs, '10.1.1.1') && !isTrusted(onlyOurs, '127.0.0.1'));
});

limits('are read from a file, with comments, blank lines and any line ends', () => {
  const text =
    '\ufeff# ours\r\n\r\n messages = 100+5/s # few\nBytes=1M+64k/s\nidle=60\nconnections = off\ntrusted = 10.0.0.0/8, ::2\n';
  const { messages, bytes, idleMs, connections, trusted } = readLimits(parseLimitsFile(text));
  assert.equal(messages, { burst: 100, perSecond: 5 });
  assert.equal(bytes, { burst: 1_048_576, perSecond: 65_536 });
  assert.is(idleMs, 60_000);
  assert.is(connections, Number.POSITIVE_INFINITY);
  assert.equal(trusted.map(formatCidr), ['127.0.0.0/8', '::1', '10.0.0.0/8', '::2']);
});

limits('of options go before those of a file, later ones before earlier ones', () => {
  const file = parseLimitsFile('idle = 60\npatience = 5\npatience = 6');
  const options = { limits: [parseLimit('idle=90')], trusted: ['10.0.0.1'] };
  const { idleMs, patienceMs } = readLimits(file, options);
  assert.equal([idleMs, patienceMs], [90_000, 6000]);
});

const BAD_LINES: ReadonlyArray<readonly [text: string, names: RegExp]> = [
  ['messages', /line 1/],
  ['\nmessages =', /line 2/],
  ['= 5', /line 1/],
  ['mesages = 5+5/s', /mesages.*messages/],
  ['constructor = 5', /constructor/],
  ['messages = 5', /messages = 5: .*5000\+50\/s/],
  ['messages = 5/s', /messages/],
  ['messages = 5+0/s', /messages/],
  ['messages = 0+5/s', /messages/],
  ['messages = -1+5/s', /messages/],
  ['connections = many', /connections = many.*number/],
  ['connections = 0', /connections = 0/],
  ['idle = 5T', /idle = 5T/],
  ['trusted = 10.0.0.0/40', /trusted 10.0.0.0\/40/],
];
for (const [text, names] of BAD_LINES) {
  limits(`${JSON.stringify(text)} is refused, and named`, () => {
    assert.throws(
      () => readLimits(parseLimitsFile(text)),
      (error: Error) => error instanceof LimitError && names.test(error.message),
    );
  });
}

for (const text of ['', 'messages', 'messages=', 'messages=5', 'nothing=5', 'trusted=10.0.0.0/8', 'idle=x']) {
  limits(`the option ${JSON.stringify(text)} is refused`, () => {
    assert.throws(
      () => parseLimit(text),
      (error: Error) => error instanceof LimitError,
    );
  });
}

limits('are shown as they can be written down', () => {
  const odd = {
    limits: [
      ['messages', '7+3/s'],
      ['bytes', 'off'],
      ['connections', '3K'],
      ['idle', 'off'],
    ] as const,
    trusted: ['10.0.0.0/8'],
  };
  for (const written of [NONE, odd]) {
    const shown = readLimits(written);
    const text = showLimits(shown)
      .map(([name, value]) => `${name} = ${value}`)
      .join('\n');
    const again = readLimits(parseLimitsFile(text.replace('trusted = ', 'trusted = none, ')));
    assert.equal(again, shown);
    assert.is(showLimits(shown).length, LIMIT_ROWS.length + 1);
  }
});

limits('any file is read or refused', () => {
  const piece = fc.constantFrom('messages', ' = ', '5+5/s', '#', '\n', 'off', 'trusted', '10.0.0.0/8', ',');
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), (pieces) => {
      try {
        readLimits(parseLimitsFile(pieces.join('')));
      } catch (error) {
        assert.instance(error, LimitError);
      }
    }),
  );
});
limits.run();

const counts = suite('message count');
const ROWS: ReadonlyArray<readonly [dialect: string | undefined, text: string, count: number]> = [
  ['menu', 'a\nb\nc\n', 3],
  ['menu', 'no newline', 1],
  ['menu', 'a\rb\rc\r\nd\n', 4],
  ['pipe', '@all|hi', 1],
  ['lab', 'CHAT: 0\nJOIN_ID: 1\nCLIENT_NAME: a\nMESSAGE: b\n\n', 1.25],
  ['lobby', 'CHAT0010{"a":"b"}CHAT0010{"a":"b"}', 2],
  ['lobby', 'LTRQ0000LTRQ0000LTRQ0000', 3],
  ['lobby', 'CHAT0024{"contents": "}}}}}}}}"}', 1],
  ['lobby', 'xCHATS123 CHAT12', 0.25],
  ['irc', 'PRIVMSG #a :b\r\nPRIVMSG #a :c\r\n', 2],
  ['irc', 'P', 0.25],
  [undefined, 'HEL', 0.25],
];
for (const [dialect, text, count] of ROWS) {
  counts(`${JSON.stringify(text)} of ${dialect} is ${count}`, () => {
    assert.is(firstMessages(dialect, new TextEncoder().encode(text), Number.POSITIVE_INFINITY).count, count);
  });
}

counts('the first few of many messages are told from the rest', () => {
  for (const [dialect, text, most, first] of [
    ['menu', 'a\nb\nc', 2, 'a\nb\n'],
    ['menu', 'a\nb\nc', 3, 'a\nb\nc'],
    ['lab', 'a\nb\nc\n\ne\n', 1, 'a\nb\nc\n\n'],
    ['lobby', 'LTRQ0000LTRQ0000LTRQ0000', 2, 'LTRQ0000LTRQ0000'],
    ['pipe', '', 1, ''],
  ] as const) {
    assert.is(firstMessages(dialect, new TextEncoder().encode(text), most).end, first.length);
  }
});
counts.run();
