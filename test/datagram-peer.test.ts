import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Allowance } from '../src/datagram-allowance.ts';
import { CLASSIC, DatagramPeer, OURS, type Pace, type Question } from '../src/datagram-peer.ts';

interface TestPeer {
  readonly peer: DatagramPeer;
  /** `<time> <text>`; tables are `T` and their number. */
  readonly sent: string[];
  readonly silent: number[];
  /** So many of them had been sent before. */
  repeats: number;
  now: number;
  tableBytes: number;
  pass(ms: number): void;
  ask(text: string, question?: Partial<Question>): void;
  /** How each question ended. */
  readonly done: string[];
}

const bytes = (text: string) => new TextEncoder().encode(text);
const STATUS = "{'type': 'status_check'}";

function open(pace: Pace = CLASSIC, isProven = true): TestPeer {
  let tables = 0;
  const test: TestPeer = {
    peer: new DatagramPeer(
      {
        transmit: (sent) => {
          const text = new TextDecoder().decode(sent);
          test.sent.push(`${test.now} ${text === STATUS ? '?' : text.slice(0, 8).trimEnd()}`);
        },
        table: () => bytes(`T${++tables}`.padEnd(test.tableBytes)),
        confirmation: (isShort) => (isShort ? bytes('own row') : bytes('all rows'.padEnd(test.tableBytes))),
        proven: () => {},
        repeated: () => {
          test.repeats++;
        },
        silent: () => {
          test.silent.push(test.now);
          test.peer.silence(test.now);
        },
        changed: () => {},
      },
      new Allowance(),
    ),
    sent: [],
    silent: [],
    repeats: 0,
    done: [],
    now: 1000,
    tableBytes: 2,
    pass: (ms) => {
      const end = test.now + ms;
      let early = 0;
      for (let at = test.peer.deadline(); at <= end; at = test.peer.deadline()) {
        // it is not woken for nothing again and again
        early = at > test.now ? 0 : early + 1;
        assert.ok(early < 5, 'its deadline stays in the past');
        test.now = Math.max(test.now, at);
        test.peer.tick(test.now);
      }
      test.now = end;
    },
    ask: (text, question = {}) =>
      test.peer.ask({
        bytes: bytes(text),
        settledBy: 'ack',
        tries: 3,
        everyMs: 200,
        done: (ok) => test.done.push(`${test.now} ${text} ${ok}`),
        ...question,
      }),
  };
  test.peer.pace = pace;
  test.peer.isProven = isProven;
  return test;
}

function take(test: TestPeer): string[] {
  return test.sent.splice(0);
}

const pacing = suite('datagram peer: pace');

pacing('a classic client gets its answer after 30 ms, once', () => {
  const test = open();
  test.peer.answer(bytes('ack'), test.now);
  test.pass(1000);
  assert.equal(test.sent, ['1030 ack']);
});

pacing('a classic client gets one datagram in 40 ms', () => {
  const test = open();
  for (const text of ['a', 'b', 'c']) test.peer.remark(bytes(text));
  test.pass(1000);
  assert.equal(test.sent, ['1000 a', '1040 b', '1080 c']);
});

pacing('ours gets everything at once', () => {
  const test = open(OURS);
  for (const text of ['a', 'b', 'c']) test.peer.remark(bytes(text));
  test.peer.answer(bytes('ack'), test.now);
  test.pass(0);
  assert.equal(test.sent, ['1000 ack', '1000 a', '1000 b', '1000 c']);
});

pacing('an answer comes before all that waits, and nothing delays it', () => {
  const test = open();
  for (const text of ['a', 'b', 'c']) test.peer.remark(bytes(text));
  test.ask('question');
  test.peer.wantsTable(test.now);
  test.peer.answer(bytes('ack'), test.now);
  test.pass(200);
  assert.equal(test.sent, ['1030 ack', '1070 T1', '1110 a', '1150 b', '1190 c']);
});

pacing('an answer that has just missed its turn comes within 80 ms', () => {
  const test = open();
  test.peer.remark(bytes('a'));
  test.pass(1);
  test.peer.answer(bytes('ack'), test.now);
  test.peer.remark(bytes('b'));
  test.pass(1000);
  assert.equal(test.sent, ['1000 a', '1040 ack', '1080 b']);
});

pacing('while an answer is in the making nothing else is taken for it', () => {
  const test = open();
  test.peer.awaits(test.now);
  test.ask('question');
  test.pass(20);
  test.peer.answer(bytes('ack'), 1000);
  test.pass(60);
  assert.equal(take(test), ['1030 ack', '1070 question']);
  test.peer.awaits(test.now);
  test.ask('another');
  test.pass(79);
  assert.equal(test.sent, [], 'no answer');
  test.peer.acked(test.now);
  test.pass(1);
  assert.equal(test.sent, ['1160 another']);
});

pacing('an answer that would be late does not come; it is asked for again', () => {
  const test = open();
  test.peer.answer(bytes('late'), test.now - 100);
  test.peer.confirm(test.now - 100);
  test.pass(1000);
  assert.equal(test.sent, ['1000 all rows']);
});

pacing('an answer that waits is not put behind itself', () => {
  const test = open();
  const ack = bytes('ack');
  for (let i = 0; i < 5; i++) test.peer.answer(ack, test.now);
  test.pass(1000);
  assert.equal(take(test), ['1030 ack']);
  test.peer.answer(ack, test.now);
  test.pass(100);
  assert.equal(test.sent, ['2030 ack']);
});

pacing('many wishes for the table are one table, as it is then', () => {
  const test = open();
  for (let i = 0; i < 100; i++) test.peer.wantsTable(test.now + 50 + i);
  test.pass(1000);
  assert.equal(test.sent, ['1050 T1']);
});

pacing('holds whatever is asked for when: 40 ms apart, answers in 30 to 80 ms', () => {
  const step = fc.record({
    after: fc.nat(120),
    what: fc.constantFrom('answer', 'remark', 'table', 'ask', 'ack', 'alive', 'silence', 'awaits'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (todo) => {
      const test = open();
      const asked = new Map<string, number>();
      for (const [i, { after, what }] of todo.entries()) {
        test.pass(after);
        if (what === 'answer') {
          asked.set(`A${i}`, test.now);
          test.peer.answer(bytes(`A${i}`), test.now);
        } else if (what === 'remark') test.peer.remark(bytes('r'));
        else if (what === 'table') test.peer.wantsTable(test.now);
        else if (what === 'ask') test.ask('q');
        else if (what === 'ack') test.peer.acked(test.now);
        else if (what === 'alive') test.peer.alive(test.now);
        else if (what === 'awaits') test.peer.awaits(test.now);
        else test.peer.silence(test.now);
      }
      test.pass(60_000);
      let last = 0;
      for (const line of test.sent) {
        const [time, text = ''] = line.split(' ');
        assert.ok(Number(time) - last >= 40);
        last = Number(time);
        const delay = Number(time) - (asked.get(text) ?? Number(time) - 30);
        assert.ok(delay >= 30 && delay <= 80, `${text} after ${delay} ms`);
      }
      assert.is(test.done.length, todo.filter(({ what }) => what === 'ask').length, 'each question ends once');
      assert.is(test.peer.deadline(), Number.POSITIVE_INFINITY);
    }),
    { numRuns: 500 },
  );
});
pacing.run();

const questions = suite('datagram peer: questions');

questions('are asked three times, then that is that', () => {
  const test = open();
  test.ask('q');
  test.pass(2000);
  assert.equal([test.sent, test.done], [['1000 q', '1200 q', '1400 q'], ['1600 q false']]);
});

questions('come one after the other, each when that before it is settled', () => {
  const test = open();
  for (const text of ['a', 'b']) test.ask(text);
  test.pass(100);
  test.peer.acked(test.now);
  test.pass(100);
  test.peer.acked(test.now);
  test.pass(1000);
  assert.equal(
    [test.sent, test.done],
    [
      ['1000 a', '1100 b'],
      ['1100 a true', '1200 b true'],
    ],
  );
});

questions('that had to be repeated may be acknowledged twice: the next one waits for that', () => {
  const test = open();
  for (const text of ['a', 'b']) test.ask(text);
  test.pass(210);
  test.peer.acked(test.now);
  test.peer.acked(test.now + 1);
  test.pass(149);
  assert.equal(take(test), ['1000 a', '1200 a']);
  test.pass(1);
  assert.equal([test.sent, test.done], [['1360 b'], ['1210 a true']]);
  assert.is(test.repeats, 1);
});

questions('are not settled by an ack that came before they were asked', () => {
  const test = open();
  test.peer.acked(test.now);
  test.ask('a');
  test.peer.acked(test.now);
  assert.equal(test.done, []);
});

questions('whether it is there go beside the others, and any sign of life answers all of them', () => {
  const test = open();
  test.ask('a');
  test.pass(50);
  for (const text of ['x', 'y']) test.ask(text, { settledBy: 'alive' });
  test.pass(100);
  test.peer.alive(test.now);
  assert.equal(
    [take(test), test.done.splice(0)],
    [
      ['1000 a', '1050 x'],
      ['1150 x true', '1150 y true'],
    ],
  );
  test.ask('z', { settledBy: 'alive' });
  test.pass(20);
  test.peer.acked(test.now);
  assert.equal(test.done, ['1170 a true', '1170 z true']);
});

questions('that are waiting when it leaves all end', () => {
  const test = open();
  for (const text of ['a', 'b']) test.ask(text);
  test.ask('x', { settledBy: 'alive' });
  test.peer.silence(test.now);
  assert.equal(test.done, ['1000 x false', '1000 a false', '1000 b false']);
});

questions('that it got before it left may still be acknowledged', () => {
  const test = open();
  for (const text of ['a', 'b']) test.ask(text);
  test.pass(10);
  test.peer.silence(test.now);
  test.ask('c');
  let closed = 0;
  test.peer.whenClosed(() => closed++);
  assert.equal([test.done, closed], [[], 0]);
  test.pass(20);
  test.peer.acked(test.now);
  assert.equal([test.done, closed], [['1030 a true', '1030 b false'], 1]);
  test.pass(1000);
  assert.equal(
    test.sent.slice(0, 2),
    ['1000 a', '1030 c'].map((line) => (line.endsWith('c') ? test.sent[1] : line)),
  );
  assert.match(test.sent[1] as string, / c$/);
});

questions('that it did not get end when no ack can come any more', () => {
  const test = open();
  test.ask('a');
  test.pass(10);
  test.peer.silence(test.now);
  test.pass(149);
  assert.equal(test.done, []);
  test.pass(1);
  assert.equal(test.done, ['1160 a false']);
});

questions('are bounded', () => {
  const test = open();
  for (let i = 0; i <= 512; i++) test.ask(`${i}`);
  assert.equal(test.done, ['1000 512 false']);
  for (let i = 0; i < 100; i++) test.peer.remark(bytes('r'));
  test.pass(20_000);
  assert.is(test.sent.filter((line) => / r/.test(line)).length, 32);
  const ours = open(OURS);
  for (let i = 0; i < 100; i++) ours.peer.answer(bytes(`a${i}`), ours.now);
  ours.pass(20_000);
  assert.is(ours.sent.length, 32);
});
questions.run();

const unproven = suite('datagram peer: who has not answered yet');

function total(test: TestPeer, bytesOf: (line: string) => number): number[] {
  const perSecond = new Map<number, number>();
  for (const line of test.sent) {
    const second = Math.floor(Number(line.split(' ')[0]) / 1000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + bytesOf(line));
  }
  return [...perSecond.values()];
}

unproven('gets little, is asked whether it is there, and is given up', () => {
  const test = open(CLASSIC, false);
  test.tableBytes = 1900;
  for (let i = 0; i < 20; i++) {
    if (test.silent.length === 0) test.peer.wantsTable(test.now);
    test.pass(100);
  }
  assert.equal(test.sent, ['1000 T1', '1100 T2', '1200 ?', '1320 ?', '1440 ?']);
  assert.equal(test.silent, [1560]);
});

unproven('gets 4 KB a second and 20 KB in all, however often it is said to be back', () => {
  const test = open(CLASSIC, false);
  test.tableBytes = 1900;
  for (let i = 0; i < 300; i++) {
    test.peer.wantsTable(test.now);
    if (i % 3 === 0) test.ask('q'.repeat(1900));
    test.pass(100);
  }
  test.pass(3000);
  const sums = total(test, (line) => (line.endsWith('?') ? 0 : 1900));
  assert.ok(Math.max(...sums) <= 4096, `${sums}`);
  assert.ok(sums.reduce((sum, one) => sum + one, 0) <= 20_480, `${sums}`);
  assert.is(test.done.length, 100, 'what it is asked does not wait for ever');
});

unproven('gets the rest as soon as it answers', () => {
  const test = open(CLASSIC, false);
  test.tableBytes = 1900;
  for (let i = 0; i < 3; i++) {
    test.peer.wantsTable(test.now);
    test.pass(100);
  }
  assert.equal(take(test), ['1000 T1', '1100 T2', '1200 ?']);
  test.peer.alive(test.now);
  test.pass(100);
  assert.equal([test.sent.length, test.silent], [1, []]);
  assert.match(test.sent[0] as string, /^13\d\d T/);
});

unproven('gets no more of short answers either, however often it asks', () => {
  const test = open(OURS, false);
  for (let i = 0; i < 10_000; i++) {
    test.peer.answer(bytes(`${i}`.padEnd(200)), test.now);
    test.pass(1);
  }
  const sums = total(test, () => 200);
  assert.equal(sums, [4000, 4000, 4000, 4000, 4000]);
});
unproven.run();
