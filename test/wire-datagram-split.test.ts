import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type DatagramMessage,
  encodeDatagram,
  MAX_CLASSIC_BYTES,
  MAX_OUR_BYTES,
  type OfflineMessage,
  splitMessage,
  splitOffline,
  type TableRow,
  tableThatFits,
} from '../src/wire-datagram.ts';

type Text = DatagramMessage & { kind: 'msg' | 'group' };

const size = (message: DatagramMessage): number => encodeDatagram(message).length;
const X = (count: number): string => 'x'.repeat(count);
const rowX: TableRow = { name: 'x', ip: '127.0.0.1', port: 3333, online: true };
const rowY: TableRow = { name: 'y', ip: '127.0.0.1', port: 1111, online: true };

// --- tables ------------------------------------------------------------------------------------------------

const tables = suite('wire-datagram: tableThatFits');
const rowsOf = (count: number, isOnline: (at: number) => boolean = () => true): TableRow[] =>
  Array.from({ length: count }, (_, at) => ({ name: `n${at}`, ip: '10.0.0.1', port: 5000, online: isOnline(at) }));

tables('all of it, if it fits to the byte', () => {
  for (const kind of ['conf_reg', 'table_update'] as const) {
    for (const rows of [[], [rowX], [rowX, rowY], rowsOf(30)]) {
      const whole = size({ kind, table: rows });
      assert.equal(tableThatFits(kind, rows, whole), rows);
      assert.is(tableThatFits(kind, rows, whole - 1).length, Math.max(0, rows.length - 1));
    }
  }
});

tables('online ones first, then in the order given; in table order', () => {
  const rows = rowsOf(100, (at) => at % 4 === 3);
  const fit = tableThatFits('conf_reg', rows, MAX_CLASSIC_BYTES);
  const ats = fit.map((row) => rows.indexOf(row));
  assert.equal(
    ats,
    ats.toSorted((a, b) => a - b),
  );
  assert.is(fit.filter(({ online }) => online).length, 25);
  const others = fit.filter(({ online }) => !online);
  assert.ok(others.length > 5);
  assert.equal(others, rows.filter(({ online }) => !online).slice(0, others.length));
});

tables('one that is too long makes room for others', () => {
  const long: TableRow = { ...rowX, name: X(1100) };
  assert.equal(tableThatFits('conf_reg', [rowX, long, rowY], MAX_CLASSIC_BYTES), [rowX, rowY]);
  assert.equal(tableThatFits('conf_reg', [rowX], 10), []);
});

tables('of 5,000 rows it is full', () => {
  for (const online of [true, false]) {
    const rows = rowsOf(5000, () => online);
    for (const most of [MAX_CLASSIC_BYTES, MAX_OUR_BYTES]) {
      const fit = tableThatFits('table_update', rows, most);
      assert.ok(most - size({ kind: 'table_update', table: fit }) < 50);
    }
  }
});
tables.run();

// --- splitting ---------------------------------------------------------------------------------------------

const split = suite('wire-datagram: splitting');
const FAMILY = '👩‍👩‍👧';
const textsOf = (all: readonly DatagramMessage[]): string[] => all.map((one) => ('text' in one ? one.text : ''));
const entry: OfflineMessage = { from: 'y', time: '03:20:57', text: 'hi', isGroup: false };
const entriesOf = (all: readonly DatagramMessage[]): OfflineMessage[] =>
  all.flatMap((one) => (one.kind === 'offline_messages' ? one.messages : []));

split('a message that fits is one', () => {
  for (const kind of ['msg', 'group'] as const) {
    const make = (text: string): Text => (kind === 'msg' ? { kind, from: 'ann', text } : { kind, name: 'ann', text });
    const room = MAX_CLASSIC_BYTES - size(make(''));
    assert.equal(splitMessage(make(''), MAX_CLASSIC_BYTES), [make('')]);
    for (const [unit, bytes] of [
      ['x', 1],
      ["'", 1],
      ['"', 1],
      ['\n', 2],
      ['é', 2],
      ['漢', 3],
      ['🙂', 4],
      ['\x01', 4],
      ['\ud800', 6],
      ['\u{10ffff}', 10],
    ] as const) {
      const most = unit.repeat(Math.floor(room / bytes));
      assert.equal(splitMessage(make(most), MAX_CLASSIC_BYTES), [make(most)]);
      assert.equal(splitMessage(make(most + unit), MAX_CLASSIC_BYTES), [make(most), make(unit)]);
    }
  }
});

split('no room at all is a RangeError, unless there is nothing to say', () => {
  const from = '\x01'.repeat(600);
  const isRange = (error: unknown): boolean => error instanceof RangeError;
  assert.throws(() => splitMessage({ kind: 'msg', from, text: 'hello' }, MAX_CLASSIC_BYTES), isRange);
  assert.throws(() => splitOffline([{ ...entry, from }], MAX_CLASSIC_BYTES), isRange);
  const around = size({ kind: 'msg', from, text: '' });
  assert.equal(textsOf(splitMessage({ kind: 'msg', from, text: 'hi' }, around + 2)), ['hi']);
  assert.equal(textsOf(splitMessage({ kind: 'msg', from, text: '' }, around)), ['']);
});

split('no offline messages are one datagram too', () => {
  assert.equal(splitOffline([], MAX_CLASSIC_BYTES), [{ kind: 'offline_messages', messages: [] }]);
});

split('offline messages fill datagrams to the byte, in their order', () => {
  const all = Array.from({ length: 40 }, (_, at) => ({ ...entry, text: `message ${at}`, isGroup: at % 3 === 0 }));
  const whole = size({ kind: 'offline_messages', messages: all });
  assert.equal(splitOffline(all, whole), [{ kind: 'offline_messages', messages: all }]);
  assert.equal(
    splitOffline(all, whole - 1).map((one) => entriesOf([one]).length),
    [39, 1],
  );
  assert.equal(entriesOf(splitOffline(all, 300)), all);
});

split('a text that fits in none is several of the same time', () => {
  const long: OfflineMessage = { from: undefined, time: '01:02:03', text: FAMILY.repeat(300), isGroup: true };
  const all = splitOffline([entry, long, entry], MAX_CLASSIC_BYTES);
  const entries = entriesOf(all);
  assert.equal(entries.at(0), entry);
  assert.equal(entries.at(-1), entry);
  const pieces = entries.slice(1, -1);
  assert.ok(pieces.length > 2 && all.length === pieces.length + 1);
  for (const piece of pieces) assert.equal({ ...piece, text: '' }, { ...long, text: '' });
  for (const { text } of pieces) assert.match(text, /^(?:👩‍👩‍👧)+$/u);
  assert.is(pieces.map(({ text }) => text).join(''), long.text);
});

const char = fc.oneof(
  fc.constantFrom(
    ...'ab\'"\\\n\r\t\0 é漢🙂',
    '\r\n',
    'e\u0301',
    FAMILY,
    '🇮🇪',
    '\u0301',
    '\ud800',
    '\udc00',
    '\u{e0001}',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
);
const any = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: char, maxLength, size: 'max' });
const boundary = new Intl.Segmenter('und');

function isCutWell(pieces: readonly string[], room: number): void {
  const whole = pieces.join('');
  const ends = new Set<number>();
  let at = 0;
  for (const piece of pieces) {
    at += piece.length;
    ends.add(at);
  }
  for (let end = 1; end < whole.length; end++) {
    if (ends.has(end)) assert.not(/^[\ud800-\udbff][\udc00-\udfff]$/.test(whole.slice(end - 1, end + 1)));
  }
  const around = size({ kind: 'error', text: '' });
  for (const { index, segment } of boundary.segment(whole)) {
    if (size({ kind: 'error', text: segment }) - around > room) continue;
    for (let inside = index + 1; inside < index + segment.length; inside++) assert.not(ends.has(inside));
  }
}

split('pieces of a message fit, join to the whole, and cut no character that fits', () => {
  fc.assert(
    fc.property(any(300), any(8), fc.boolean(), fc.integer({ min: 10, max: 200 }), (text, name, isGroup, room) => {
      const message: Text = isGroup ? { kind: 'group', name, text } : { kind: 'msg', from: name, text };
      const most = size({ ...message, text: '' }) + room;
      const all = splitMessage(message, most);
      const pieces = textsOf(all);
      assert.is(pieces.join(''), text);
      for (const one of all) {
        assert.equal({ ...one, text }, message);
        assert.ok(size(one) <= most);
      }
      assert.ok(pieces.length === 1 || pieces.every((piece) => piece !== ''));
      isCutWell(pieces, room);
    }),
    { numRuns: 300 },
  );
});

const message = fc.record<OfflineMessage>(
  { from: fc.option(any(4), { nil: undefined }), time: fc.constant('03:20:57'), text: any(60), isGroup: fc.boolean() },
  { noNullPrototype: true },
);

split('offline messages fit, and come out in order and whole', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), fc.integer({ min: 160, max: 600 }), (messages, most) => {
      const all = splitOffline(messages, most);
      for (const one of all) assert.ok(size(one) <= most);
      const left = entriesOf(all);
      for (const due of messages) {
        const pieces = [left.shift() as OfflineMessage];
        while (pieces.map(({ text }) => text).join('').length < due.text.length) pieces.push(left.shift() as never);
        assert.is(pieces.map(({ text }) => text).join(''), due.text);
        for (const piece of pieces) assert.equal({ ...piece, text: '' }, { ...due, text: '' });
      }
      assert.is(left.length, 0);
    }),
    { numRuns: 300 },
  );
});

split('work grows with what there is only', () => {
  for (const unit of ['x', "'", '"\'', '\x01', '漢', '🙂', FAMILY, '\u0301', '\u200d', '🇮🇪', '\r\n', 'नि', '\ud800']) {
    const text = unit.repeat(Math.ceil(65_536 / unit.length));
    const since = performance.now();
    const all = splitMessage({ kind: 'msg', from: 'y', text }, MAX_CLASSIC_BYTES);
    const more = splitOffline([{ ...entry, text }, ...Array.from({ length: 5000 }, () => entry)], MAX_CLASSIC_BYTES);
    assert.ok(performance.now() - since < 1500, `${JSON.stringify(unit)}: ${performance.now() - since} ms`);
    assert.ok(all.length < 400 && more.length < 600);
  }
});
split.run();
