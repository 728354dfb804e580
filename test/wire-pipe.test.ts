import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  commandOf,
  encodeRelay,
  encodeReplies,
  encodeReply,
  encodeSaid,
  fieldsOf,
  isWord,
  listNames,
  MAX_MESSAGE_BYTES,
  MAX_WRITE_BYTES,
  type PipeReply,
  PipeReplyDecoder,
  type PipeRequest,
  PipeRequestDecoder,
  readAddress,
  readReply,
  saysWhere,
} from '../src/wire-pipe.ts';
import { bytesOf, drain, everyByte, feed, watchQueues } from './decoders.ts';

const textOf = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T>(model, { noNullPrototype: true });
const cuts = fc.array(fc.nat(), { maxLength: 6 });
const ended = (text: string): PipeRequest => ({ kind: 'said', text, isEnded: true });
const open = (text: string): PipeRequest => ({ kind: 'said', text, isEnded: false });

/** What is complete at once, and what only silence completes. */
function heard(text: string | Uint8Array, at?: readonly number[]): { atOnce: PipeRequest[]; later: PipeRequest[] } {
  const decoder = new PipeRequestDecoder();
  const atOnce = feed(decoder, typeof text === 'string' ? bytesOf(text) : text, at);
  decoder.lull();
  const later = drain(decoder);
  assert.not(decoder.pending);
  return { atOnce, later };
}

// --- what clients send ----------------------------------------------------------------------------------------

const requests = suite('wire-pipe: what clients send');

type Row = readonly [what: string, text: string, atOnce: PipeRequest[], later: PipeRequest[]];
const ROWS: readonly Row[] = [
  ['nothing', '', [], []],
  ['a message of a classic client', 'bob', [], [open('bob')]],
  ['a line', 'bob\n', [ended('bob')], []],
  ['a line as telnet sends it', 'bob\r\n', [ended('bob')], []],
  ['an empty line', '\r\n', [ended('')], []],
  ['a batch', 'erin\njoin\nmy room\n', [ended('erin'), ended('join'), ended('my room')], []],
  ['a line, and a message behind it', '@all|one\n@all|two', [ended('@all|one')], [open('@all|two')]],
  ['no more than one newline is taken off', 'a\r\r\n', [ended('a\r')], []],
  ['beyond ASCII', '@all|Zoë 漢字 🙂', [], [open('@all|Zoë 漢字 🙂')]],
  ['the two halves of a getfile by themselves', '@bob|getfile|song.mp3', [], [open('@bob|getfile|song.mp3')]],
  [
    'the two halves of a getfile, glued',
    '@bob|getfile|song.mp3@bob|10.0.0.2|46268',
    [],
    [open('@bob|getfile|song.mp3'), open('@bob|10.0.0.2|46268')],
  ],
  [
    'glued halves with a newline behind them',
    '@bob|getfile|song.mp3@bob|10.0.0.2|46268\n',
    [ended('@bob|getfile|song.mp3'), ended('@bob|10.0.0.2|46268')],
    [],
  ],
  [
    'two requests, all four halves glued',
    '@bob|getfile|a@bob|10.0.0.2|1@eve|GETFILE|b c@eve|10.0.0.2|65535',
    [],
    [open('@bob|getfile|a'), open('@bob|10.0.0.2|1'), open('@eve|GETFILE|b c'), open('@eve|10.0.0.2|65535')],
  ],
  [
    'a file name with @ in it',
    '@bob|getfile|a@b.txt@bob|10.0.0.2|46268',
    [],
    [open('@bob|getfile|a@b.txt'), open('@bob|10.0.0.2|46268')],
  ],
  [
    'our own second half by IPv6',
    '@bob|getfile|a@bob|2001:db8::7|46268|gbn2|aB-9_@bob|getfile|b@bob|::1|4|gbn2|x',
    [],
    [
      open('@bob|getfile|a'),
      open('@bob|2001:db8::7|46268|gbn2|aB-9_'),
      open('@bob|getfile|b'),
      open('@bob|::1|4|gbn2|x'),
    ],
  ],
  [
    'no second half: no classic client has an IPv6 address',
    '@bob|getfile|a@bob|::1|46268',
    [],
    [open('@bob|getfile|a@bob|::1|46268')],
  ],
  [
    'our own second half',
    '@bob|getfile|a@bob|10.0.0.2|46268|gbn2|aB-9_',
    [],
    [open('@bob|getfile|a'), open('@bob|10.0.0.2|46268|gbn2|aB-9_')],
  ],
  [
    'halves for two people are one message',
    '@bob|getfile|a@eve|10.0.0.2|1',
    [],
    [open('@bob|getfile|a@eve|10.0.0.2|1')],
  ],
  ['no address, no second half', '@bob|getfile|a@bob|host|1', [], [open('@bob|getfile|a@bob|host|1')]],
  ['a chat that looks a little like it', '@bob|mail a@bob|x', [], [open('@bob|mail a@bob|x')]],
];

for (const [what, text, atOnce, later] of ROWS) {
  requests(`${what}: whole, byte by byte`, () => {
    assert.equal(heard(text), { atOnce, later });
    assert.equal(heard(text, everyByte(bytesOf(text))), { atOnce, later });
  });
}

requests('silence completes what has come, and nothing that comes afterwards', () => {
  const decoder = new PipeRequestDecoder();
  assert.equal(feed(decoder, bytesOf('bob')), []);
  assert.ok(decoder.pending);
  decoder.lull();
  assert.equal(drain(decoder), [open('bob')]);
  assert.equal(feed(decoder, bytesOf('join')), []);
  decoder.lull();
  assert.equal(drain(decoder), [open('join')]);
});

requests('the end completes it too', () => {
  const decoder = new PipeRequestDecoder();
  decoder.push(bytesOf('@server|exit'));
  decoder.end();
  assert.equal(drain(decoder), [open('@server|exit')]);
});

requests('bytes that are not UTF-8 are Latin-1', () => {
  assert.equal(heard(Uint8Array.of(0x5a, 0x6f, 0xeb)).later, [open('Zoë')]);
});

requests('a message may have 64 KiB, and what is longer is one fault', () => {
  const most = 'x'.repeat(MAX_MESSAGE_BYTES);
  assert.equal(heard(`${most}\n`).atOnce, [ended(most)]);
  assert.equal(heard(`${most}\r\n`, [1, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES + 1]).atOnce, [ended(most)]);
  assert.equal(heard(most).later, [open(most)]);
  for (const over of [`${most}xx`, `${most}${most}${most}`]) {
    const { atOnce } = heard(`${over}\nbob\n`);
    assert.equal(
      atOnce.map((one) => (one.kind === 'said' ? one.text : one.kind)),
      ['fault', 'bob'],
    );
    const inPieces = heard(`${over}\nbob\n`, [70_000, 140_000]).atOnce;
    assert.equal(inPieces, atOnce);
    const bare = heard(over, [70_000]);
    assert.is([...bare.atOnce, ...bare.later].filter(({ kind }) => kind === 'fault').length, 1);
  }
});

requests('behind a fault that silence ended, what comes next is a message', () => {
  const decoder = new PipeRequestDecoder();
  assert.is(feed(decoder, bytesOf('x'.repeat(70_000)))[0]?.kind, 'fault');
  decoder.lull();
  assert.equal(drain(decoder), []);
  decoder.push(bytesOf('bob'));
  decoder.lull();
  assert.equal(drain(decoder), [open('bob')]);
});

requests('what our own client says is one line', () => {
  assert.is(textOf(encodeSaid('@all|a|b')), '@all|a|b\n');
  assert.is(textOf(encodeSaid('a\r\nb\n')), 'a b \n');
});

const ADDRESSES: ReadonlyArray<readonly [string, ReturnType<typeof readAddress>]> = [
  ['@all|a|b', { to: 'all', text: 'a|b' }],
  ['@all', { to: 'all', text: '' }],
  ['@', { to: '', text: '' }],
  ['@a b|', { to: 'a b', text: '' }],
  ['all|a', undefined],
  ['', undefined],
  [' @all|a', undefined],
];
for (const [message, due] of ADDRESSES) {
  requests(`${JSON.stringify(message)} is for ${due?.to}`, () => assert.equal(readAddress(message), due));
}

requests('tells commands, and where files are to go', () => {
  for (const text of ['getfile|a', 'GetFile', 'whohas|*', 'setshare|a', 'clrglobalshare', 'setwindowsize|4']) {
    assert.ok(commandOf(text), text);
  }
  for (const text of ['', 'get file', 'getfiles|a', '|getfile', 'constructor']) assert.not(commandOf(text), text);
  for (const text of ['10.0.0.2|46268', '10.0.0.2|46268|gbn2|T', '::1|4|gbn2|T', '2001:DB8::7|4|gbn2|T'])
    assert.ok(saysWhere(text), text);
  for (const text of ['10.0.0.2', '10.0.0.2|', 'host|1', '10.0.0.2|46268x', '', '::1|4', '::1|4|gbn3|T', 'a|4|gbn2|T'])
    assert.not(saysWhere(text), text);
  assert.equal(fieldsOf('a||b'), ['a', '', 'b']);
});
requests.run();

// --- what a server says -----------------------------------------------------------------------------------------

const replies = suite('wire-pipe: what a server says');

const REPLIES: ReadonlyArray<readonly [PipeReply, string]> = [
  [{ kind: 'ok', text: 'Please enter password.' }, 'OK|Please enter password.\n'],
  [{ kind: 'error', text: 'Max tries reached, closing connection.' }, 'ERROR|Max tries reached, closing connection.\n'],
  [{ kind: 'info', text: 'New user bob has joined' }, 'INFO| New user bob has joined\n'],
  [{ kind: 'relay', from: 'bob', text: 'getfile|song.mp3' }, '#bob|getfile|song.mp3\n'],
  [{ kind: 'relay', from: 'me', text: '' }, '#me|\n'],
  [{ kind: 'relay', from: 'Zoë', text: '漢字 🙂' }, '#Zoë|漢字 🙂\n'],
  [{ kind: 'line', text: 'Please enter your username' }, 'Please enter your username\n'],
  [{ kind: 'line', text: 'room2|room1' }, 'room2|room1\n'],
  [{ kind: 'exit' }, 'exit\n'],
  [{ kind: 'kill' }, 'kill\n'],
];

for (const [reply, text] of REPLIES) {
  replies(`${JSON.stringify(text)}: encodes, decodes, in pieces, without its newline`, () => {
    assert.is(textOf(encodeReply(reply)), text);
    assert.equal(feed(new PipeReplyDecoder(), bytesOf(text)), [reply]);
    assert.equal(feed(new PipeReplyDecoder(), bytesOf(text), everyByte(bytesOf(text))), [reply]);
    const bare = new PipeReplyDecoder();
    assert.equal(feed(bare, bytesOf(text.slice(0, -1))), []);
    bare.lull();
    assert.equal(drain(bare), [reply]);
  });
}

replies('exit and kill go to a classic client without a newline, all else with one', () => {
  for (const [reply, text] of REPLIES) {
    const isBare = reply.kind === 'exit' || reply.kind === 'kill';
    assert.is(textOf(encodeReply(reply, true)), isBare ? text.slice(0, -1) : text);
  }
});

replies('several are one piece', () => {
  const all = REPLIES.map(([reply]) => reply);
  const [bytes = new Uint8Array(), ...more] = encodeReplies(all);
  assert.equal(more, []);
  assert.is(textOf(bytes), REPLIES.map(([, text]) => text).join(''));
  assert.equal(feed(new PipeReplyDecoder(), bytes), all);
  assert.equal(encodeReplies([]), []);
});

replies('several that a classic client can’t read whole are as many pieces as it takes', () => {
  const long = (text: string): PipeReply => ({ kind: 'line', text: text.repeat(1500) });
  const pieces = encodeReplies([long('a'), long('b'), long('c'), { kind: 'ok', text: 'd' }]);
  assert.equal(
    pieces.map((piece) => textOf(piece).replace(/(.)\1+/g, '$1')),
    ['a\nb\n', 'c\nOK|d\n'],
  );
});

replies('knows the words that a client acts on', () => {
  for (const word of ['exit', 'QUIT', 'kill', 'getfile', 'WhoHas']) assert.ok(isWord(word), word);
  for (const word of ['', 'exits', 'me', 'constructor']) assert.not(isWord(word), word);
});

replies('any line is some reply', () => {
  assert.equal(readReply(''), { kind: 'line', text: '' });
  assert.equal(readReply('quit|now'), { kind: 'exit' });
  assert.equal(readReply('Exit'), { kind: 'exit' });
  assert.equal(readReply('OK'), { kind: 'line', text: 'OK' });
  assert.equal(readReply('#bob'), { kind: 'line', text: '#bob' });
  assert.equal(readReply('INFO|x'), { kind: 'info', text: 'x' });
  assert.equal(readReply('bob|ok|x'), { kind: 'line', text: 'bob|ok|x' });
});

replies('nothing in a reply ends its line', () => {
  assert.is(textOf(encodeReply({ kind: 'error', text: 'a\r\nexit' })), 'ERROR|a exit\n');
  assert.is(textOf(encodeReply({ kind: 'relay', from: 'a\nb', text: 'c\nd' })), '#a b|c d\n');
});

replies('come back as they were, for any text', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((one) => !/[\r\n]/.test(one));
  const from = text.filter((one) => !one.includes('|'));
  const reply = fc.oneof(
    record({ kind: fc.constantFrom('ok' as const, 'error' as const, 'info' as const), text }),
    record({ kind: fc.constant('relay' as const), from, text }),
    record({ kind: fc.constantFrom('exit' as const, 'kill' as const) }),
  );
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 6 }), cuts, (all, at) => {
      assert.equal(feed(new PipeReplyDecoder(), encodeReplies(all)[0] ?? new Uint8Array(), at), all);
    }),
  );
});

for (const [text, due] of [
  ['hello', ['hello']],
  ['', ['']],
  ['one\ntwo', ['one', 'two']],
  ['one\r\ntwo\rthree\n', ['one', 'two', 'three']],
  ['one\n\ntwo', ['one', '', 'two']],
] as const) {
  replies(`${JSON.stringify(text)} is ${due.length} message(s), each with the name`, () => {
    assert.equal(
      encodeRelay('ann', text).map(textOf),
      due.map((line) => `#ann|${line}\n`),
    );
  });
}

replies('a text of line ends does not grow without bound', () => {
  const pieces = encodeRelay('ann', `${'x\n'.repeat(20_000)}end`).map(textOf);
  assert.is(pieces[98], '#ann|x\n');
  assert.ok(pieces.length < 120, `${pieces.length} messages`);
  const rest = pieces.slice(99).map((piece) => piece.slice('#ann|'.length, -1));
  assert.is(rest.join(''), `${'x '.repeat(20_000 - 99)}end`);
});

replies('a long text is several messages that a classic client reads whole, cut between characters', () => {
  const name = 'ü'.repeat(64);
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 400 }),
      (unit, count) => {
        const text = unit.replace(/[\r\n]/g, '').repeat(count);
        const pieces = encodeRelay(name, text);
        for (const piece of pieces) assert.ok(piece.length <= MAX_WRITE_BYTES, `${piece.length} bytes`);
        const told = pieces.map((piece) => textOf(piece).slice(name.length + 2, -1));
        assert.is(told.join(''), text);
      },
    ),
    { numRuns: 50 },
  );
  const [first = new Uint8Array()] = encodeRelay('bob', 'x'.repeat(5000));
  assert.is(first.length, MAX_WRITE_BYTES);
});

replies('names are one list, or several where they are many; at some point no more', () => {
  assert.equal(listNames([]), [{ kind: 'line', text: '' }]);
  assert.equal(listNames(['ann']), [{ kind: 'line', text: 'ann' }]);
  assert.equal(listNames(['ann', 'bob']), [{ kind: 'line', text: 'ann|bob' }]);
  const names = Array.from({ length: 500 }, (_, i) => `name ${i} ü`);
  const lists = listNames(names).map(encodeReplyText);
  assert.ok(lists.length > 1);
  assert.equal(
    lists.flatMap((list) => list.trimEnd().split('|')),
    names,
  );
  for (const list of lists) assert.ok(bytesOf(list).length <= MAX_WRITE_BYTES);
  assert.is(listNames(Array.from({ length: 50_000 }, (_, i) => `name ${i}`)).length, 16);
});

function encodeReplyText(reply: PipeReply): string {
  return textOf(encodeReply(reply));
}
replies.run();

// --- any bytes --------------------------------------------------------------------------------------------------

const law = suite('wire-pipe: any bytes');

const anything = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .array(
      fc.constantFrom(
        '@bob|getfile|a',
        '@bob|1.2.3.4|5',
        '@',
        '|',
        '\n',
        '\r\n',
        '\r',
        'bob',
        'OK|',
        '#me|',
        'x'.repeat(70_000),
        '🙂',
      ),
      { maxLength: 20 },
    )
    .map((parts) => bytesOf(parts.join(''))),
);

law('are messages or faults, however they are cut; nothing is lost or made up', () => {
  fc.assert(
    fc.property(anything, cuts, (bytes, at) => {
      const whole = heard(bytes);
      assert.equal(heard(bytes, at), whole);
    }),
    { numRuns: 300 },
  );
});

law('with silences and the end anywhere: never an error', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(anything, fc.constantFrom('lull', 'end')), { maxLength: 10 }), (steps) => {
      const decoders = [new PipeRequestDecoder(), new PipeReplyDecoder()];
      for (const decoder of decoders) {
        for (const step of steps) {
          if (step === 'lull') decoder.lull();
          else if (step === 'end') decoder.end();
          else decoder.push(step as Uint8Array);
          drain<unknown>(decoder);
        }
      }
    }),
    { numRuns: 200 },
  );
});

law('no more is kept than a message and what came last', () => {
  const CHUNK = 64 * 1024;
  const { most } = watchQueues(() => {
    for (const fill of ['x', '|', '@', '\r', '@b|getfile|']) {
      const decoder = new PipeRequestDecoder();
      const chunk = bytesOf(fill.repeat(CHUNK).slice(0, CHUNK));
      for (let count = 0; count < 20; count++) {
        decoder.push(chunk);
        drain(decoder);
      }
    }
  });
  assert.ok(most > CHUNK && most <= 2 * CHUNK + 1024, `${most} bytes were kept`);
});

law('what looks like many glued halves is read in no time', () => {
  // 64 KiB each: what is quadratic takes minutes
  for (const unit of [
    '@b|getfile|',
    '@b|getfile|a@b|',
    '@b|getfile|a@b|1.2.3.4|5x',
    '@b|getfile|a@b|1.2.3.4|5',
    '@b|getfile|a@b|1:2|5|gbn2|',
  ]) {
    const text = unit.repeat(Math.floor(MAX_MESSAGE_BYTES / unit.length));
    assert.ok(heard(text).later.length >= 1);
  }
});
law.run();
