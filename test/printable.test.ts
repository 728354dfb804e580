import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { printable } from '../src/printable.ts';

const test = suite('printable');

const ROWS: Array<[string, string, string]> = [
  ['nothing', '', ''],
  [
    'letters of all kinds',
    'Grüße, 日本語, 👩‍👧, \u05e9\u05dc\u05d5\u05dd',
    'Grüße, 日本語, 👩‍👧, \u05e9\u05dc\u05d5\u05dd',
  ],
  ['newlines and tabs', 'a\tb\nc', 'a\tb\nc'],
  ['a carriage return', 'ann: hi\rbob: hi', 'ann: hi\ufffdbob: hi'],
  ['a colour', '\x1b[31mred', '\ufffd[31mred'],
  ['a control sequence of one byte', '\x9b2J', '\ufffd2J'],
  ['a bell, a null, a delete', '\x07\0\x7f', '\ufffd\ufffd\ufffd'],
  ['a turn of the direction of writing', 'fdp.\u202eexe', 'fdp.\ufffdexe'],
  ['an isolate', '\u2066a\u2069', '\ufffda\ufffd'],
];
for (const [what, text, shown] of ROWS) test(what, () => assert.is(printable(text), shown));

test.run();
