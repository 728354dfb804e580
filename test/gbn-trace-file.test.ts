import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { GbnTrace } from '../src/gbn-stats.ts';
import { parseTrace } from '../src/gbn-trace.ts';
import { TraceFile, TraceFiles } from '../src/gbn-trace-file.ts';

const test = suite('gbn trace file');

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-trace-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));
let made = 0;
const fresh = () => path.join(root, `${++made}.trace`);

const OFFER: GbnTrace = { at: 5000.5, direction: 'out', kind: 'offer', seq: 1000, window: 4, why: 'new' };
const DATA: GbnTrace = { ...OFFER, at: 5010, kind: 'data', seq: 1001 };
const linesOf = (file: string) => parseTrace(fs.readFileSync(file, 'utf8'));

/** While nothing can be written. */
function onFullDisk(work: () => void): number {
  const write = fs.writeFileSync;
  let times = 0;
  fs.writeFileSync = () => {
    times++;
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  try {
    work();
  } finally {
    fs.writeFileSync = write;
  }
  return times;
}

test('time begins with the first packet, numbers with the first of the file', () => {
  const file = fresh();
  const trace = new TraceFile(file, 'send');
  assert.ok(trace.isEmpty);
  trace.note(OFFER);
  trace.note(DATA);
  trace.close();
  assert.equal(
    linesOf(file).map(({ at, kind, seq, window }) => [at, kind, seq, window]),
    [
      [0, 'offer', 0, [0, 3]],
      [9.5, 'data', 1, [0, 3]],
    ],
  );
  assert.is(trace.trouble, undefined);
});

test('a disk that is full ends the trace, and nothing else', () => {
  const trace = new TraceFile(fresh(), 'send');
  const times = onFullDisk(() => {
    for (let n = 0; n < 5000; n++) trace.note({ ...DATA, seq: 1000 + n });
    trace.close();
  });
  assert.equal([trace.trouble, times], ['the disk is full', 1]);
  trace.note(DATA);
  trace.close();
});

test('what can not be written is known when it is closed at the latest', () => {
  const trace = new TraceFile(fresh(), 'recv');
  trace.note(OFFER);
  onFullDisk(() => trace.close());
  assert.is(trace.trouble, 'the disk is full');
});

test('a file for each transfer, and none for one of which nothing was noted', () => {
  const file = fresh();
  const traces = new TraceFiles(file, 'recv');
  assert.is(traces.endTransfer(), undefined);
  for (let transfer = 0; transfer < 3; transfer++) {
    traces.note({ ...OFFER, at: 1000 * transfer });
    assert.is(traces.endTransfer(), undefined);
  }
  assert.is(traces.endTransfer(), undefined);
  traces.close();
  traces.note(OFFER);
  for (const name of [file, `${file}.2`, `${file}.3`])
    assert.equal(
      linesOf(name).map(({ at }) => at),
      [0],
    );
  assert.not(fs.existsSync(`${file}.4`));
});

test('what is wrong with one trace is said once, and the next one is whole', () => {
  const file = fresh();
  const traces = new TraceFiles(file, 'recv');
  traces.note(OFFER);
  onFullDisk(() => assert.is(traces.endTransfer(), `the trace ${file} is not whole: the disk is full`));
  assert.is(traces.endTransfer(), undefined);
  fs.mkdirSync(`${file}.2`);
  traces.note(OFFER);
  traces.note(DATA);
  assert.match(traces.endTransfer() ?? '', /\.2 can't be written: /);
  traces.note(OFFER);
  assert.is(traces.endTransfer(), undefined);
  assert.is(linesOf(`${file}.3`).length, 1);
  traces.close();
});

test('one that can not be made at all is an error at once', () => {
  assert.throws(() => new TraceFiles(path.join(root, 'nowhere', 'x'), 'send'), /ENOENT/);
});

test.run();
