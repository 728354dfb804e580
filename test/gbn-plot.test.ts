import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Diagram, isHalf, labelOf, layOut } from '../src/gbn-plot.ts';
import { renderSvg } from '../src/gbn-plot-svg.ts';
import { renderText } from '../src/gbn-plot-text.ts';
import { parseTrace, printTraceLine, type TracePacket } from '../src/gbn-trace.ts';
import { makeTraces, type TransferOptions } from './gbn-traces.ts';

const QUIET: TransferOptions = { packets: 8, window: 4, delayMs: 10, packetMs: 2, timeoutMs: 60 };
const BAD: TransferOptions = { ...QUIET, packets: 24, window: 6, lost: [5, 23], lostAcks: [12] };
const TITLE = { title: 'song.mp3', parameters: ['window 6', 'RTT 20 ms'] };

function both(options: TransferOptions): Diagram {
  const { sender, receiver } = makeTraces(options);
  return layOut([sender, receiver]);
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}

// --- what is in it ----------------------------------------------------------------------------------------

const plot = suite('diagram');

plot('pairs what one end sent with what came at the other', () => {
  const { arrows, remarks, notes, fromMs, toMs } = both(QUIET);
  assert.equal([remarks, notes, fromMs], [[], [], 0]);
  assert.ok(toMs > 0);
  assert.is(arrows.length, 2 + 8 + 8 + 1);
  for (const arrow of arrows) {
    assert.is(arrow.isLost, false);
    assert.is(arrow.arrivedAt, (arrow.leftAt as number) + 10);
    assert.is(arrow.isFromSender, !['accept', 'ack'].includes(arrow.kind));
  }
});

plot('knows what was lost, what was sent again, and why the sender went back', () => {
  const { arrows, notes } = both(BAD);
  const lost = arrows.filter(({ isLost }) => isLost).map(labelOf);
  assert.equal(lost, ['data 5, lost', 'ack 12, lost', 'data 23, lost']);
  const again = arrows.filter(({ isResent }) => isResent).map(({ seq }) => seq);
  assert.equal(again, [5, 6, 7, 8, 9, 10, 23]);
  assert.equal(
    notes.map(({ text }) => text),
    ['gap: back to 5', 'timeout: back to 23'],
  );
  for (const arrow of arrows) if (!arrow.isLost) assert.is(arrow.arrivedAt, (arrow.leftAt as number) + 10);
});

plot('moves the clock of the receiver where the two disagree, in either order of the traces', () => {
  for (const receiverClockMs of [5000, -70]) {
    const { sender, receiver } = makeTraces({ ...BAD, receiverClockMs });
    for (const traces of [
      [sender, receiver],
      [receiver, sender],
    ]) {
      const { arrows, remarks } = layOut(traces);
      assert.equal(remarks, [`The receiver's clock was moved by ${-receiverClockMs} ms to agree with the sender's.`]);
      for (const { leftAt, arrivedAt, isLost } of arrows) {
        if (!isLost) assert.ok(Math.abs((arrivedAt as number) - (leftAt as number) - 10) < 1e-6);
      }
    }
  }
});

plot('knows of one end what it can, and says so', () => {
  const { sender, receiver } = makeTraces(BAD);
  const ofSender = layOut([sender]);
  assert.is(ofSender.arrows.length, sender.length);
  assert.ok(ofSender.arrows.every(isHalf));
  assert.is(ofSender.oneWayMs, 10, 'half of the round trip');
  assert.match(ofSender.remarks.join(' '), /Only the sender was traced: .*half of 20 ms/);
  assert.is(ofSender.notes.length, 2);
  const ofReceiver = layOut([receiver]);
  assert.match(ofReceiver.remarks.join(' '), /Only the receiver was traced/);
  assert.is(ofReceiver.oneWayMs, 10, 'from its accept to the first data');
  assert.equal(ofReceiver.windows, []);
});

plot('calls nothing lost that the other end does not note', () => {
  const { sender, receiver } = makeTraces(QUIET);
  const { arrows, remarks } = layOut([
    sender,
    receiver.filter(({ direction, kind }) => direction === 'in' && kind === 'data'),
  ]);
  assert.ok(arrows.every(({ isLost }) => !isLost));
  assert.equal([...new Set(arrows.filter(isHalf).map(({ kind }) => kind))].sort(), ['accept', 'ack', 'end', 'offer']);
  assert.match(remarks.join(' '), /traced at one end only/);
});

plot('takes acks for a gap for new ones, and repair packets of one block for different ones', () => {
  const { sender, receiver } = makeTraces(QUIET);
  const acks = receiver.map((packet) => (packet.kind === 'ack' ? { ...packet, why: 'gap' } : packet));
  const repair = { ...(sender.at(-1) as TracePacket), kind: 'repair', seq: 0, why: 'repair' };
  const { arrows } = layOut([[...sender, repair, repair], acks]);
  assert.ok(arrows.every(({ isResent }) => !isResent));
});

plot('draws a packet that came twice twice', () => {
  const { sender, receiver } = makeTraces(QUIET);
  const at = receiver.findIndex(({ kind }) => kind === 'data');
  const doubled = receiver.toSpliced(at, 0, { ...(receiver[at] as TracePacket), at: 31 });
  const { arrows } = layOut([sender, doubled]);
  assert.is(arrows.filter(({ kind, seq }) => kind === 'data' && seq === 0).length, 2);
});

plot('shows how the window moves', () => {
  const { windows } = both(QUIET);
  assert.equal(
    windows.map(({ first, last }) => [first, last]),
    [[0, 3], ...[1, 2, 3, 4, 5, 6, 7].map((first) => [first, Math.min(first + 3, 7)]), [8, 7]],
  );
});

plot('draws the first packets of a long trace, or those of a time, and says so', () => {
  const { sender, receiver } = makeTraces({ ...QUIET, packets: 400 });
  const first = layOut([sender, receiver]);
  assert.is(first.arrows.length, 200);
  assert.match(first.remarks.join(' '), /The first 200 packets of 803 are drawn; --from MS and --to MS/);
  assert.is(layOut([sender, receiver], { maxPackets: 1e9, toMs: 1e9 }).arrows.length, 803);
  const part = layOut([sender, receiver], { fromMs: 100, toMs: 140 });
  assert.ok(part.fromMs >= 100 && part.toMs <= 150.001 && part.arrows.length > 10);
  assert.match(part.remarks.join(' '), /packets of 803 are drawn/);
  assert.ok((part.windows[0]?.at ?? 0) >= part.fromMs);
});

plot('moves the clock also where each trace begins at 0', () => {
  const { sender, receiver } = makeTraces({ ...BAD, receiverClockMs: -10 });
  const { arrows, remarks } = layOut([sender, receiver]);
  assert.equal(remarks, ["The receiver's clock was moved by 10 ms to agree with the sender's."]);
  const back = arrows.find(({ kind }) => kind === 'accept');
  assert.ok(Math.abs((back?.arrivedAt as number) - (back?.leftAt as number) - 10) < 1e-6);
});

plot('says of what time there is something to draw, where nothing was asked for', () => {
  const { sender, receiver } = makeTraces(QUIET);
  const last = Math.max(...sender.filter(({ direction }) => direction === 'out').map(({ at }) => at));
  for (const [options, reason] of [
    [{ fromMs: 90_000 }, /^there is no packet from 90000 ms: the traced ones go from 0 ms to \d[\d.]* ms$/],
    [{ fromMs: 80_000, toMs: 90_000 }, /^there is no packet from 80000 ms to 90000 ms: /],
  ] as const) {
    assert.throws(
      () => layOut([sender, receiver], options),
      (error: unknown) => error instanceof RangeError && reason.test(error.message),
    );
  }
  assert.ok(layOut([sender, receiver], { fromMs: last }).arrows.length > 0);
});

plot('has room for an empty trace, and for one packet', () => {
  assert.equal(layOut([[]]).arrows, []);
  const [one] = makeTraces(QUIET).sender;
  const { arrows, fromMs, toMs } = layOut([[one as TracePacket]]);
  assert.is(arrows.length, 1);
  assert.ok(toMs > fromMs);
});

plot('takes no two traces of the same end, and no third', () => {
  const { sender, receiver } = makeTraces(QUIET);
  assert.throws(() => layOut([sender, sender]), RangeError);
  assert.throws(() => layOut([sender, receiver, sender]), RangeError);
});
plot.run();

// --- SVG --------------------------------------------------------------------------------------------------

const TAG = /<(\/?)([a-z]+)((?: [a-zA-Z][a-zA-Z0-9-]*="[^"<&]*")*)\s*(\/?)>/y;
const TEXT = /(?:[^<&>\p{Cc}\ufffe\uffff]|\n|&#\d+;)+/uy;

/** Every tag closed, every attribute quoted and there once, no character that XML can't hold. */
function assertXml(text: string): void {
  const open: string[] = [];
  assert.ok(text.isWellFormed());
  for (let at = 0; at < text.length; ) {
    TAG.lastIndex = at;
    TEXT.lastIndex = at;
    const tag = TAG.exec(text);
    if (tag) {
      const [whole, isClosing, name = '', attributes = '', isEmpty] = tag;
      const names = [...attributes.matchAll(/ ([^=]+)=/g)].map(([, found]) => found);
      assert.is(new Set(names).size, names.length, `an attribute twice: ${whole}`);
      if (isClosing) assert.is(open.pop(), name);
      else if (!isEmpty) open.push(name);
      at = TAG.lastIndex;
    } else {
      assert.ok(TEXT.exec(text), `not XML: ${text.slice(at, at + 60)}`);
      at = TEXT.lastIndex;
    }
    if (open.length === 0) assert.is(text.slice(at).trim(), '', 'one element holds everything');
  }
  assert.equal(open, []);
}

const svg = suite('diagram as SVG');

svg('is XML, the same each time, with every number finite', () => {
  for (const options of [QUIET, BAD, { ...BAD, receiverClockMs: 500 }]) {
    const drawn = renderSvg(both(options), TITLE);
    assertXml(drawn);
    assert.is(drawn, renderSvg(both(options), TITLE));
    assert.not.match(drawn, /NaN|Infinity|undefined/);
    assert.ok(drawn.startsWith('<svg xmlns="http://www.w3.org/2000/svg" width="900"'));
  }
});

svg('has an arrow for each packet, a cross for each that was lost, dashes for what was sent again', () => {
  const diagram = both(BAD);
  const drawn = renderSvg(diagram, TITLE);
  const points = diagram.arrows.filter(({ isLost }) => !isLost).length;
  assert.is(countOf(drawn, '<polyline'), points);
  // one more of each in the legend
  assert.is(countOf(drawn, 'stroke="#a00000"'), 2 * (3 + 1));
  assert.is(countOf(drawn, 'stroke-dasharray="7 3"'), 7 + 1);
  for (const part of [
    'data 5, lost',
    'data 5 again',
    'ack 12, lost',
    'gap: back to 5',
    'timeout: back to 23',
    '6–11',
  ]) {
    assert.ok(drawn.includes(`>${part}<`), part);
  }
  for (const part of ['song.mp3', 'window 6, RTT 20 ms', 'sent again', 'repair packet', 'lost on the way']) {
    assert.ok(drawn.includes(part), part);
  }
});

svg('keeps everything on the page, below its head, and time going downward', () => {
  const { sender, receiver } = makeTraces({ ...BAD, packets: 60 });
  for (const traces of [[sender, receiver], [sender], [receiver]]) {
    const drawn = renderSvg(layOut(traces), TITLE);
    const height = Number(/height="(\d+)"/.exec(drawn)?.[1]);
    const top = Number(/<text x="[\d.]+" y="([\d.]+)"[^>]*>receiver</.exec(drawn)?.[1]);
    assert.ok(top > 50 && height > top);
    const lines = [...drawn.matchAll(/<line x1="([^"]+)" y1="([^"]+)" x2="([^"]+)" y2="([^"]+)"/g)].map((line) =>
      line.slice(1).map(Number),
    );
    const arrows = lines.filter(([x1, , x2]) => Math.min(x1 as number, x2 as number) >= 320);
    assert.ok(arrows.length > 100);
    for (const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] of lines) {
      assert.ok(Math.min(x1, x2) >= 0 && Math.max(x1, x2) <= 900 && Math.max(y1, y2) <= height);
      if (x1 >= 320 && Math.abs(x1 - x2) > 200) assert.ok(y2 >= y1 && y1 > top);
    }
  }
});

svg('puts labels that would stand on each other into one', () => {
  const drawn = renderSvg(
    both({ ...QUIET, packets: 16, window: 16, packetMs: 0.01, delayMs: 50, timeoutMs: 500 }),
    TITLE,
  );
  assert.match(drawn, />data 0–\d+</);
  assert.ok(countOf(drawn, '<text') < 60);
});

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><x y="',
  "' & &amp; ]]>",
  '\u0000\u001b[2J\u202e\ud800\ufffe',
  '\n'.repeat(50),
  'x'.repeat(5000),
];
for (const name of HOSTILE) {
  svg(`shows ${JSON.stringify(name.slice(0, 20))} as text`, () => {
    const drawn = renderSvg(both(QUIET), { title: name, parameters: Array.from({ length: 100 }, () => name) });
    assertXml(drawn);
    assert.not.match(drawn, /<script|<x|\u202e/);
    assert.ok(drawn.length < 60_000);
  });
}

svg('draws any trace', () => {
  const packets = fc.record({
    at: fc.double({ min: -1e6, max: 1e9, noNaN: true }),
    direction: fc.constantFrom('out' as const, 'in' as const),
    kind: fc.constantFrom('offer', 'accept', 'data', 'repair', 'ack', 'end', 'x'),
    seq: fc.nat({ max: 5 }),
    window: fc.tuple(fc.nat(), fc.nat()),
    why: fc.constantFrom(undefined, 'first', 'timeout', 'gap'),
  });
  const traces = fc.array(packets, { maxLength: 30 });
  const toTrace = (all: ReadonlyArray<Omit<TracePacket, 'end'>>, end: 'send' | 'recv'): TracePacket[] =>
    parseTrace(all.map((packet) => printTraceLine({ ...packet, end })).join('\n'));
  fc.assert(
    fc.property(traces, traces, fc.boolean(), fc.integer({ min: 0, max: 300 }), (first, second, isOne, columns) => {
      const sender = toTrace(first, 'send');
      const diagram = layOut(isOne ? [sender] : [sender, toTrace(second, 'recv')]);
      const drawn = renderSvg(diagram, TITLE);
      assertXml(drawn);
      assert.not.match(drawn, /NaN|Infinity|undefined/);
      const width = Math.min(Math.max(columns, 60), 200);
      assert.ok(renderText(diagram, { ...TITLE, columns }).every((line) => line.length <= width));
    }),
    { numRuns: 200 },
  );
});
svg.run();

// --- text -------------------------------------------------------------------------------------------------

const text = suite('diagram as text');

text('has a line for each packet', () => {
  const lines = renderText(both({ ...QUIET, packets: 4, window: 4, lost: [1], timeoutMs: 50 }), {
    ...TITLE,
    columns: 76,
  });
  assert.equal(lines, [
    'song.mp3',
    'window 6, RTT 20 ms',
    '--- first, === again, ... repair, X lost, ? not traced at that end, * the',
    'sender goes back',
    '',
    '  sender ms  window     |sender                       receiver| receiver ms',
    '          0  0-3        |-- offer 0 ------------------------->| 10',
    '         20             |<------------------------ accept 0 --| 10',
    '         20             |-- data 0 -------------------------->| 30',
    '         22             |-- data 1 -------X                   | lost',
    '         24             |-- data 2 -------------------------->| 34',
    '         26             |-- data 3 -------------------------->| 36',
    '         40             |<--------------------------- ack 1 --| 30',
    '         44             |<--------------------------- ack 1 --| 34',
    '         46             |<--------------------------- ack 1 --| 36',
    '                        |* gap: back to 1                     |',
    '         46  1-3        |== data 1 again ====================>| 56',
    '         48             |== data 2 again ====================>| 58',
    '         50             |== data 3 again ====================>| 60',
    '         66             |<--------------------------- ack 2 --| 56',
    '         68             |<--------------------------- ack 3 --| 58',
    '         70             |<--------------------------- ack 4 --| 60',
    '         70  4-3        |-- end 4 --------------------------->| 80',
  ]);
});

text('fits a terminal of any width', () => {
  const { sender } = makeTraces(BAD);
  for (const columns of [0, 60, 61, 80, 119, 200, 1000]) {
    const lines = renderText(layOut([sender]), { ...TITLE, columns });
    assert.ok(lines.every((line) => line.length <= Math.min(Math.max(columns, 60), 200)));
    assert.ok(lines.some((line) => line.includes('data 23')));
  }
});

text('lets no name reach the terminal as more than text', () => {
  for (const name of HOSTILE) {
    const lines = renderText(both(QUIET), { title: name, parameters: [name], columns: 80 });
    assert.ok(lines.every((line) => line.length <= 80 && !/[\p{Cc}\u202e]/u.test(line)));
  }
});
text.run();
