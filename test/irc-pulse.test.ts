import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Pulse, SILENCE_MS } from '../src/irc-pulse.ts';

const pulse = suite('irc pulse');

pulse('who is silent is asked once, and then given up', () => {
  const one = new Pulse(1000);
  assert.is(one.deadline(), 121_000);
  assert.equal([one.tick(120_999), one.tick(121_000), one.tick(121_001)], [undefined, 'ask', undefined]);
  assert.is(one.deadline(), 1000 + SILENCE_MS);
  assert.is(one.tick(1000 + SILENCE_MS), 'give up');
});

pulse('whoever answers is asked again later', () => {
  const one = new Pulse(0);
  assert.is(one.tick(125_000), 'ask');
  one.heard(126_000);
  assert.equal([one.tick(126_000), one.deadline()], [undefined, 246_000]);
});

pulse('a tick that is early or repeated does no harm; nobody who speaks in time is given up', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 59_999 })), (waits) => {
      let now = 0;
      const one = new Pulse(now);
      for (const wait of waits) {
        now += wait;
        assert.is.not(one.tick(now), 'give up');
        assert.is.not(one.tick(now), 'give up');
        one.heard(now);
      }
    }),
  );
});

pulse.run();
