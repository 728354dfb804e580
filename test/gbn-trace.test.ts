import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProtocolError } from '../src/errors.ts';
import { parseTrace, printTraceLine, type TracePacket } from '../src/gbn-trace.ts';

const trace = suite('trace');

const DATA: TracePacket = {
  at: 12.3456,
  end: 'send',
  direction: 'out',
  kind: 'data',
  seq: 17,
  window: [17, 32],
  why: 'timeout',
};
const LINE = '{"at":12.346,"end":"send","direction":"out","kind":"data","seq":17,"window":[17,32],"why":"timeout"}';

trace('writes a packet as one line', () => assert.is(printTraceLine(DATA), LINE));

trace('leaves out what there is no reason for', () => {
  const { why: _, ...ack } = { ...DATA, kind: 'ack', direction: 'in' as const };
  const line = '{"at":12.346,"end":"send","direction":"in","kind":"ack","seq":17,"window":[17,32]}';
  assert.is(printTraceLine(ack), line);
  assert.equal(parseTrace(line), [{ ...ack, at: 12.346 }]);
});

const packets: fc.Arbitrary<TracePacket> = fc.record(
  {
    at: fc.integer({ min: 0, max: 1e9 }).map((us) => us / 1000),
    end: fc.constantFrom('send' as const, 'recv' as const),
    direction: fc.constantFrom('out' as const, 'in' as const),
    kind: fc.constantFrom('offer', 'accept', 'data', 'repair', 'ack', 'end', 'abort', 'probe', 'what-next2'),
    seq: fc.nat(),
    window: fc.tuple(fc.nat(), fc.integer({ min: -1 })),
    why: fc.constantFrom('first', 'timeout', 'gap', 'repair'),
  },
  { requiredKeys: ['at', 'end', 'direction', 'kind', 'seq', 'window'], noNullPrototype: true },
);

trace('reads what it writes, with either end of line, and without the last', () => {
  fc.assert(
    fc.property(fc.array(packets), fc.constantFrom('\n', '\r\n'), fc.boolean(), (all, newline, isClosed) => {
      const text = all.map(printTraceLine).join(newline) + (isClosed ? newline : '');
      assert.equal(parseTrace(text), all);
    }),
  );
});

trace('minds no empty lines, no further fields, and no last line that was cut anywhere', () => {
  assert.equal(parseTrace(''), []);
  assert.is(parseTrace(`\n${LINE}\n\n  \n${LINE}\n\n`).length, 2);
  assert.is(parseTrace(LINE.replace('{', '{"more":[1],')).length, 1);
  for (let end = 0; end < LINE.length; end++) assert.is(parseTrace(`${LINE}\n${LINE.slice(0, end)}`).length, 1);
});

const MALFORMED: Array<[string, string]> = [
  ['nonsense', 'it is not JSON: "nonsense"'],
  ['[]', 'it is not an object'],
  ['null', 'it is not an object'],
  [LINE.replace('12.346', '"soon"'), '"at" is not a number of milliseconds'],
  [LINE.replace('12.346', '1e300'), '"at" is not a number of milliseconds'],
  [LINE.replace('"send"', '"middle"'), '"end" is neither send nor recv'],
  [LINE.replace('"out"', '"up"'), '"direction" is neither out nor in'],
  [LINE.replace('"data"', '"<script>"'), '"kind" is not a word'],
  [LINE.replace('"data"', `"${'x'.repeat(25)}"`), '"kind" is not a word'],
  [LINE.replace('"timeout"', '7'), '"why" is not a word'],
  [LINE.replace('"seq":17', '"seq":1.5'), '"seq" is not the number of a packet'],
  [LINE.replace('"seq":17,', ''), '"seq" is not the number of a packet'],
  [LINE.replace('[17,32]', '[17]'), '"window" is not the first and the last number'],
  [LINE.replace('[17,32]', '[17,"x"]'), '"window" is not the number of a packet'],
];
for (const [line, why] of MALFORMED) {
  trace(`says on which line ${line.slice(0, 30)}… is wrong`, () => {
    assert.throws(
      () => parseTrace(`${LINE}\n\n${line}\n${LINE}\n`),
      (error: unknown) =>
        error instanceof ProtocolError &&
        error.code === 'malformed' &&
        error.message === `line 3 is not of a trace: ${why}`,
    );
  });
}

trace('takes no line that is too long, and reads names of prototypes as nothing else', () => {
  assert.throws(
    () => parseTrace(`${' '.repeat(1001)}\n`),
    (error: unknown) => error instanceof ProtocolError && error.code === 'too-long',
  );
  assert.throws(
    () => parseTrace('{"__proto__":{"at":1},"toString":2}\n'),
    (error: unknown) => error instanceof ProtocolError && error.code === 'malformed',
  );
});

trace('reads any text, or says what is wrong', () => {
  const lines = fc.array(fc.oneof(fc.string(), fc.json(), packets.map(printTraceLine)));
  fc.assert(
    fc.property(lines, (all) => {
      try {
        parseTrace(all.join('\n'));
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
    }),
  );
});
trace.run();
