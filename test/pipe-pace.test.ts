import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Pace } from '../src/pipe-pace.ts';
import { FakePort } from './fakes.ts';

/** What was written when, on a clock that goes from deadline to deadline. */
class Timeline {
  readonly written: Array<readonly [at: number, text: string]> = [];
  readonly pace: Pace;
  now = 1000;

  constructor() {
    const port = new FakePort();
    port.send = (bytes) => void this.written.push([this.now, new TextDecoder().decode(bytes)]);
    port.wake = () => {};
    this.pace = new Pace(port, () => this.now);
  }

  send(text: string, isAlone = false): void {
    const bytes = new TextEncoder().encode(text);
    this.pace.send(bytes, isAlone);
    // what is kept is a copy
    if (this.written.at(-1)?.[1] !== text) bytes.fill(0);
  }

  half(which: 'first' | 'second', of: string, text: string): void {
    const bytes = new TextEncoder().encode(text);
    if (which === 'first') this.pace.sendFirst(bytes, of);
    else this.pace.sendSecond(bytes, of);
  }

  pass(ms: number): this {
    const end = this.now + ms;
    for (let at = this.pace.deadline(); at <= end; at = this.pace.deadline()) {
      assert.ok(at >= this.now || this.written.length === 0, 'a deadline in the past would spin');
      this.now = Math.max(this.now, at);
      this.pace.tick(this.now);
    }
    this.now = end;
    return this;
  }

  /** Since the beginning: `ms text`. */
  told(): string[] {
    return this.written.map(([at, text]) => `${at - 1000} ${text}`);
  }
}

const pace = suite('pipe pace');

pace('a lone message goes out at once, those behind it one by one', () => {
  const line = new Timeline();
  for (const text of ['a', 'b', 'c']) line.send(text);
  line.pass(100);
  line.send('d');
  assert.equal(line.told(), ['0 a', '5 b', '10 c', '100 d']);
});

pace('what a client acts on has 50 ms before and behind it', () => {
  const line = new Timeline();
  line.send('a');
  line.send('B', true);
  line.send('c');
  line.send('D', true);
  line.pass(1000);
  assert.equal(line.told(), ['0 a', '50 B', '100 c', '150 D']);
});

pace('halves belong together: queued, waited for, or given up', () => {
  const queued = new Timeline();
  queued.send('a');
  queued.half('first', 'x', '1');
  queued.send('b');
  queued.half('second', 'x', '2');
  queued.pass(1000);
  assert.equal(queued.told(), ['0 a', '50 1', '100 2', '150 b']);

  const late = new Timeline();
  late.half('first', 'x', '1');
  late.send('b');
  late.half('first', 'y', '3');
  late.half('second', 'y', '4');
  late.pass(200);
  late.half('second', 'x', '2');
  late.pass(1000);
  assert.equal(late.told(), ['0 1', '200 2', '250 b', '300 3', '350 4']);

  const never = new Timeline();
  never.half('first', 'x', '1');
  never.send('b');
  never.pass(1000);
  never.half('second', 'x', '2');
  never.pass(1000);
  assert.equal(never.told(), ['0 1', '300 b', '1000 2']);
});

pace('two requests of one person keep their halves', () => {
  const line = new Timeline();
  for (const [which, text] of [
    ['first', '1'],
    ['second', '2'],
    ['first', '3'],
    ['second', '4'],
  ] as const) {
    line.half(which, 'x', text);
  }
  line.pass(1000);
  assert.equal(line.told(), ['0 1', '50 2', '100 3', '150 4']);
});

pace('the end comes when all is out and had its time', () => {
  const line = new Timeline();
  let endedAt = 0;
  line.send('a');
  line.send('exit', true);
  line.pace.whenDone(() => {
    endedAt = line.now;
  });
  line.pass(1000);
  assert.equal(line.told(), ['0 a', '50 exit']);
  assert.is(endedAt, 1100);
  assert.is(line.pace.deadline(), Number.POSITIVE_INFINITY);
});

pace('a crowd of messages shares writes that are read at once, in order', () => {
  const line = new Timeline();
  const due = Array.from({ length: 2000 }, (_, i) => `#eve|message ${i}\n`);
  for (const text of due) line.send(text);
  line.pass(2000);
  assert.is(line.written.map(([, text]) => text).join(''), due.join(''));
  assert.ok(line.written.every(([, text]) => text.length <= 4096));
  assert.ok(line.written.length < 200, `${line.written.length} writes`);
});

pace('more than it keeps goes out at once', () => {
  const line = new Timeline();
  const text = `${'x'.repeat(4000)}\n`;
  for (let i = 0; i < 100; i++) line.send(text);
  assert.ok(line.written.length >= 65);
  line.pass(2000);
  assert.is(
    line.written.reduce((sum, [, one]) => sum + one.length, 0),
    100 * text.length,
  );
});

pace('a flush is everything, now', () => {
  const line = new Timeline();
  line.half('first', 'x', '1');
  line.send('b');
  line.send('C', true);
  line.pace.flush();
  assert.equal(line.told(), ['0 1', '0 b', '0 C']);
  assert.is(line.pace.deadline(), Number.POSITIVE_INFINITY);
});

pace('whatever is sent when: all of it, once, apart, in order but for second halves', () => {
  const step = fc.record({
    kind: fc.constantFrom('plain', 'alone', 'first', 'second', 'pass'),
    of: fc.constantFrom('x', 'y'),
    ms: fc.integer({ min: 0, max: 400 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const line = new Timeline();
      const due: string[] = [];
      for (const [i, { kind, of, ms }] of steps.entries()) {
        if (kind === 'pass') line.pass(ms);
        else if (kind === 'first' || kind === 'second') line.half(kind, of, `${kind}${of}${i}`);
        else line.send(`${kind}${i}`, kind === 'alone');
        if (kind !== 'pass') due.push(kind === 'first' || kind === 'second' ? `${kind}${of}${i}` : `${kind}${i}`);
      }
      line.pass(100_000);
      const written = line.written.map(([, text]) => text);
      assert.equal([...written].sort(), [...due].sort());
      const others = (texts: string[]) => texts.filter((text) => !text.startsWith('second'));
      assert.equal(others(written), others(due));
      for (let i = 1; i < written.length; i++) {
        const isAlone = !/^plain/.test(written[i] ?? '') || !/^plain/.test(written[i - 1] ?? '');
        const gap = (line.written[i]?.[0] ?? 0) - (line.written[i - 1]?.[0] ?? 0);
        assert.ok(gap >= (isAlone ? 50 : 5), `${gap} ms between ${written[i - 1]} and ${written[i]}`);
      }
    }),
    { numRuns: 300 },
  );
});
pace.run();
