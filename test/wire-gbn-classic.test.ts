import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProtocolError } from '../src/errors.ts';
import {
  type ClassicDatagram,
  decodeClassic,
  encodeClassic,
  MAX_CLASSIC_BYTES,
  MAX_CLASSIC_DATA,
  packetEnd,
} from '../src/wire-gbn-classic.ts';
import { bytesOf, latin1 } from './gbn-classic-peers.ts';

const wire = suite('classic file wire');

const ROWS: Array<[string, ClassicDatagram, string]> = [
  [
    'the start',
    { kind: 'start', requesterPort: 48970, ip: '127.0.0.1', port: 49652 },
    'OK| Sending file on port 48970 from |127.0.0.1|49652',
  ],
  ['no such file', { kind: 'not-found' }, 'ERROR| File Not Found'],
  [
    'too many at once',
    { kind: 'busy', requester: 'bob' },
    '@bob|ERROR: Max file share connections reached. Please try later',
  ],
  ['another refusal', { kind: 'refused', text: 'No.' }, 'ERROR| No.'],
  ['a packet', { kind: 'data', seq: 7, bytes: bytesOf('a|b\n\x00\xff') }, '7|*)a|b\n\x00\xff'],
  ['an empty packet', { kind: 'data', seq: 0, bytes: bytesOf('') }, '0|*)'],
  ['a packet like an ack', { kind: 'data', seq: 12, bytes: bytesOf('12|ACK') }, '12|*)12|ACK'],
  ['a packet like the end', { kind: 'data', seq: 1, bytes: bytesOf('EOF') }, '1|*)EOF'],
  ['an ack', { kind: 'ack', seq: 15 }, '15|ACK'],
  ['an ack of nothing', { kind: 'ack', seq: -1 }, '-1|ACK'],
  ['again', { kind: 'again' }, 'STA'],
  ['again no more', { kind: 'again-over' }, 'END'],
  ['the end', { kind: 'eof' }, 'EOF'],
];

for (const [name, datagram, text] of ROWS) {
  wire(`writes and reads ${name}`, () => {
    assert.is(latin1(encodeClassic(datagram)), text);
    assert.equal(decodeClassic(bytesOf(text)), datagram);
  });
}

const READ_ONLY: Array<[string, string, ClassicDatagram]> = [
  ['an ack with a newline', '3|ACK\n', { kind: 'ack', seq: 3 }],
  ['an end with a newline', 'EOF\n', { kind: 'eof' }],
  ['a refusal with another text', '@bob|ERROR: Go away', { kind: 'refused', text: 'Go away' }],
  ['data up to a second separator', '3|*)a|*)b', { kind: 'data', seq: 3, bytes: bytesOf('a|*)b') }],
];
for (const [name, text, datagram] of READ_ONLY) {
  wire(`reads ${name}`, () => assert.equal(decodeClassic(bytesOf(text)), datagram));
}

for (const text of ['', 'x', '|*)data', '-1|*)data', '1|NACK', '123456|ACK', 'OK', 'OK| from |1.2.3.4|5']) {
  wire(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => decodeClassic(bytesOf(text)), isProtocolError));
}
for (const text of ['|999.1.1.1|7', '|1.2.3.4|0', '|1.2.3.4|65536', '|1.2.3|7', '|evil.example|7', '|1.2.3.4.|7']) {
  wire(`refuses the address ${text}`, () => {
    assert.throws(() => decodeClassic(bytesOf(`OK| Sending file on port 5 from ${text}`)), isProtocolError);
  });
}

function isProtocolError(error: unknown): boolean {
  return error instanceof ProtocolError;
}

wire('reads anything, or says that it is malformed', () => {
  const begins = fc.constantFrom(
    '',
    '1|*)',
    'OK| ',
    'ERROR|',
    '@a|ERROR: ',
    '5|A',
    'STA',
    'OK| Sending file on port 1',
  );
  fc.assert(
    fc.property(begins, fc.uint8Array({ maxLength: 3000 }), (begin, rest) => {
      try {
        decodeClassic(Buffer.concat([bytesOf(begin), rest]));
      } catch (error) {
        assert.ok(isProtocolError(error));
      }
    }),
  );
});

wire('takes no packet that a classic program would cut', () => {
  assert.throws(() => decodeClassic(bytesOf(`1|*)${'x'.repeat(MAX_CLASSIC_BYTES)}`)), isProtocolError);
  assert.throws(() => encodeClassic({ kind: 'data', seq: 1, bytes: new Uint8Array(MAX_CLASSIC_DATA + 1) }), RangeError);
  assert.throws(() => encodeClassic({ kind: 'data', seq: 1, bytes: bytesOf('a|*)b') }), RangeError);
});

const CUTS: Array<[string, string[]]> = [
  ['abc', ['abc']],
  ['ab|*)cd', ['ab|*', ')cd']],
  ['|*)|*)', ['|*', ')|*', ')']],
  ['||*)', ['||*', ')']],
  ['|*|*)', ['|*|*', ')']],
  ['|*', ['|*']],
  ['', []],
];
for (const [text, packets] of CUTS) {
  wire(`parts ${JSON.stringify(text)} so that no packet holds a separator`, () =>
    assert.equal(cut(bytesOf(text)), packets),
  );
}

function cut(bytes: Uint8Array): string[] {
  const packets: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + packetEnd(bytes.subarray(at));
    packets.push(latin1(bytes.subarray(at, end)));
    at = end;
  }
  return packets;
}

wire('parts any bytes, losing none', () => {
  const parts = fc.array(fc.constantFrom('|', '*', ')', '|*)', 'a', 'x'.repeat(2036)), { maxLength: 40 });
  fc.assert(
    fc.property(parts, (texts) => {
      const text = texts.join('');
      const packets = cut(bytesOf(text));
      assert.is(packets.join(''), text);
      assert.ok(packets.every((packet) => packet.length <= MAX_CLASSIC_DATA && !packet.includes('|*)')));
    }),
  );
});
wire.run();
