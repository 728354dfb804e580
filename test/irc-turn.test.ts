// Whoever sends thousands of commands at once is served in turns, between which others are.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Turn } from '../src/irc-turn.ts';
import { gather, type IrcClient, openIrc, rest, type TestIrc } from './irc-stage.ts';

const turns = suite('irc turns');

turns('one ends after 20 ms of work, and not because of what was before', () => {
  const turn = new Turn();
  turn.goOn(1000);
  assert.not(turn.isOver(1000));
  assert.not(turn.isOver(1019.9));
  assert.ok(turn.isOver(1020));
  turn.begin(1020);
  assert.not(turn.isOver(1020));
});

turns('what comes at once belongs to it, what comes after a while is a new one', () => {
  const turn = new Turn();
  for (let at = 0; at < 20; at++) {
    turn.goOn(1000 + at);
    assert.not(turn.isOver(1000 + at + 0.5), `${at}`);
  }
  turn.goOn(1020);
  assert.ok(turn.isOver(1020));
  turn.goOn(1021);
  assert.not(turn.isOver(1021));
});

/** Each look at the clock finds it 1 ms later: everything takes long. Nobody is woken but by the test. */
function slow(on: TestIrc, { port }: IrcClient): void {
  port.session = undefined;
  let at = on.clock.now;
  Object.defineProperty(on.clock, 'now', { get: () => at++, set: () => {} });
}

turns('a long row of commands is answered in several, in order, and nothing more is read in between', async () => {
  const on = openIrc();
  const [ann] = (await gather(on, 'ann')) as [IrcClient];
  slow(on, ann);
  const wanted = Array.from({ length: 200 }, (_, n) => `:irc.example PONG irc.example ${n}`);
  assert.not(ann.send(wanted.map((line) => `PING ${line.split(' ').at(-1)}\r\n`).join('')));
  const first = ann.take();
  assert.ok(first.length > 0 && first.length < 100, `${first.length}`);
  const told = [...first];
  let rounds = 0;
  while (ann.session.deadline() <= on.clock.now) {
    ann.session.tick(on.clock.now);
    await rest();
    const more = ann.take();
    assert.ok(more.length < 100);
    told.push(...more);
    assert.ok(rounds++ < 200);
  }
  assert.equal(told, wanted);
  assert.ok(ann.port.resumed > 0);
});

turns('who has closed its side is answered all of it before the end', async () => {
  const on = openIrc();
  const [ann] = (await gather(on, 'ann')) as [IrcClient];
  slow(on, ann);
  ann.send('PING x\r\n'.repeat(100));
  ann.session.ended(on.clock.now);
  for (let round = 0; round < 200 && !ann.port.ended; round++) {
    ann.session.tick(on.clock.now);
    await rest();
  }
  assert.ok(ann.port.ended);
  const told = ann.take();
  assert.is(told.filter((line) => line.includes(' PONG ')).length, 100);
  assert.is(told.at(-1), 'ERROR :Connection closed');
});

turns.run();
