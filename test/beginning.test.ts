// DESIGN.md, "One port": it never answers before it knows, decides on at most 4 KiB and 10 s, and a name that could
// still become another dialect's first word is one after 2 s of silence.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Beginning, type Told } from '../src/beginning.ts';

const START = 1000;

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

const beginnings = suite('beginning');

type Row = [what: string, isOwn: boolean, pieces: string[], told: Told[]];
const ROWS: Row[] = [
  ['a request in pieces', false, ['HE', 'LO', ' text\n'], ['more', 'more', 'lab']],
  ['a name', false, ['ann\n'], ['menu']],
  ['a hello', false, ['\x16', '\x03\x01'], ['more', 'tls']],
  ['on a port of its own: anything', true, ['H'], ['own']],
  ['on a port of its own: blanks', true, [' '], ['own']],
  ['on a port of its own: another dialect', true, ['GET / HTTP/1.1\r\n'], ['own']],
  ['on a port of its own: a hello', true, ['\x16', '\x03'], ['more', 'tls']],
  ['on a port of its own: nearly a hello', true, ['\x16', '\x04'], ['more', 'own']],
  ['blanks without end', false, [' '.repeat(4095), ' '], ['more', 'nothing']],
];
for (const [what, isOwn, pieces, told] of ROWS) {
  beginnings(what, () => {
    const beginning = new Beginning(isOwn, START);
    assert.equal(
      pieces.map((piece) => beginning.push(latin1(piece))),
      told,
    );
    assert.is(String.fromCharCode(...beginning.bytes), pieces.join(''));
  });
}

beginnings('a word that may go on is a name after silence, or at the end', () => {
  const beginning = new Beginning(false, START);
  assert.is(beginning.push(latin1('CHAT')), 'more');
  assert.is(beginning.patienceMs(START), 2000);
  assert.is(beginning.silent(START + 2000), 'menu');
  assert.is(beginning.end(), 'menu');
});

beginnings('what says nothing is given ten seconds from its first byte', () => {
  const beginning = new Beginning(false, START);
  assert.is(beginning.push(latin1(' ')), 'more');
  assert.is(beginning.patienceMs(START + 9500), 500);
  assert.is(beginning.silent(START + 9999), 'more');
  assert.is(beginning.leftMs(START + 9999), 1);
  assert.is(beginning.silent(START + 10_000), 'nothing');
});

beginnings('what was pushed is its own copy', () => {
  const beginning = new Beginning(false, START);
  const bytes = latin1('HE');
  beginning.push(bytes);
  bytes.fill(0);
  assert.is(beginning.push(latin1('LO x\n')), 'lab');
});

beginnings.run();
