import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCommandLine, UsageError } from '../src/arguments.ts';
import { GBN_LINE, readGbnOptions } from '../src/gbn-options.ts';

const test = suite('gbn options');

function read(words: string) {
  const given = readCommandLine(GBN_LINE, ['gbn', ...words.split(' ').filter((word) => word !== '')], {});
  if (!given) throw new Error('help or version');
  return readGbnOptions(given);
}

const PLAIN = {
  window: 'auto',
  packetBytes: 'auto',
  silentMs: undefined,
  trouble: undefined,
  trace: undefined,
  isClassic: false,
  isJson: false,
};
const CALM = { loss: 0, duplicated: 0, reordered: 0, delayMs: 0, seed: undefined };
const SEND = { kind: 'send', file: 'x', host: 'h', port: 1 };
const RECV = { kind: 'recv', port: 6000, directory: '.', name: undefined, isKeeping: false };

const RIGHT: ReadonlyArray<readonly [string, object]> = [
  ['send x h:1', { ...SEND, ...PLAIN }],
  ['send x 10.0.0.5:6000', { ...SEND, ...PLAIN, host: '10.0.0.5', port: 6000 }],
  ['send x [::1]:6000', { ...SEND, ...PLAIN, host: '::1', port: 6000 }],
  ['send x h:1 -w 16 --packet 1000', { ...SEND, ...PLAIN, window: 16, packetBytes: 1000 }],
  ['send x h:1 --window auto --packet auto', { ...SEND, ...PLAIN }],
  ['send x h:1 --timeout 5 --json', { ...SEND, ...PLAIN, silentMs: 5000, isJson: true }],
  ['send x h:1 --classic', { ...SEND, ...PLAIN, isClassic: true }],
  ['send x h:1 --loss 2.5 --seed 1', { ...SEND, ...PLAIN, trouble: { ...CALM, loss: 0.025, seed: 1 } }],
  ['send x h:1 --errprob 100', { ...SEND, ...PLAIN, trouble: { ...CALM, loss: 0.01 } }],
  // one in one is the seed's word for none
  ['send x h:1 -e 1', { ...SEND, ...PLAIN }],
  ['send x h:1 --dup 5 --reorder 10%', { ...SEND, ...PLAIN, trouble: { ...CALM, duplicated: 0.05, reordered: 0.1 } }],
  ['send x h:1 --delay 40', { ...SEND, ...PLAIN, trouble: { ...CALM, delayMs: 40 } }],
  ['recv 6000', { ...RECV, ...PLAIN }],
  ['recv 0 --keep --dir in', { ...RECV, ...PLAIN, port: 0, isKeeping: true, directory: 'in' }],
  ['recv 6000 --classic --name a', { ...RECV, ...PLAIN, name: 'a', isClassic: true }],
  ['recv 6000 --trace t', { ...RECV, ...PLAIN, trace: 't' }],
  ['plot a', { kind: 'plot', traces: ['a'], isText: false, fromMs: undefined, toMs: undefined }],
  ['plot a b --text --from 5 --to 9', { kind: 'plot', traces: ['a', 'b'], isText: true, fromMs: 5, toMs: 9 }],
];

for (const [words, expected] of RIGHT) {
  test(`gbn ${words}`, () => assert.equal(read(words), expected));
}

const WRONG: ReadonlyArray<readonly [string, RegExp]> = [
  ['', /send, recv or plot\?/],
  ['fly', /must be one of send, recv, plot/],
  ['send', /a file and where to send it/],
  ['send x', /a file and where to send it/],
  ['send x nowhere', /must be HOST:PORT/],
  ['send x ::1:5', /must be HOST:PORT/],
  ['send x h;rm:5', /must be HOST:PORT/],
  ['send x h:0', /must be a whole number from 1/],
  ['send x h:65536', /must be a whole number from 1/],
  ['send x h:1 y', /one argument too many: y/],
  ['send x h:1 --window 0', /--window "0": must be a whole number from 1/],
  ['send x h:1 --window many', /--window "many"/],
  ['send x h:1 --classic -w 1', /--window "1": must be a whole number from 2/],
  ['send x h:1 --packet 65001', /--packet "65001"/],
  ['send x h:1 --timeout 0', /--timeout "0"/],
  ['send x h:1 --loss 101', /--loss 101: must be a number from 0 to 100/],
  ['send x h:1 --loss=-1', /--loss -1: must be a number from 0 to 100/],
  ['send x h:1 --loss 1 --errprob 5', /say the same/],
  ['send x h:1 --classic --trace t', /--trace: not with --classic/],
  ['recv', /a port is due/],
  ['recv x', /must be a whole number from 0 to 65535/],
  ['recv 70000', /must be a whole number from 0 to 65535/],
  ['recv 6000 --classic', /give --name/],
  ['recv 6000 more', /one argument too many/],
  ['plot', /a trace is due/],
  ['plot a b c', /one argument too many/],
  ['plot x --from 5 --to 3', /--from must be before --to/],
  ['send x h:1 --nonsense', /there is no option --nonsense/],
];

for (const [words, reason] of WRONG) {
  test(`gbn ${words}: refused`, () => {
    assert.throws(
      () => read(words),
      (error: unknown) => error instanceof UsageError && reason.test(error.message),
    );
  });
}

test.run();
