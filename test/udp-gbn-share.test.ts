// Go-Back-N beside others on one link, under a virtual clock: each is left its part.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { beside, share } from './udp-gbn-grid.ts';

const others = suite('udp-gbn: others on the link');

for (const rtt of [2, 20, 80]) {
  others(`${rtt} ms: two transfers share it within a factor of two`, () => {
    for (const [loss, later] of [
      [0, 0],
      [0, 1500],
      [1, 700],
    ] as const) {
      const [first, second] = share(rtt, loss, later, 1);
      assert.ok(Math.max(first, second) < 2 * Math.min(first, second), `${first} and ${second}`);
      assert.ok(first + second > 80, `${first + second} together`);
    }
  });

  others(`${rtt} ms: a TCP stream keeps a third of it`, () => {
    for (const kind of ['cubic', 'reno'] as const) {
      for (const isFirst of [true, false]) {
        const [ours, tcp] = beside(rtt, kind, isFirst, 1);
        assert.ok(tcp >= 100 / 3, `${kind}: ${tcp} beside ${ours}`);
        assert.ok(ours + tcp > 80, `${kind}: ${ours + tcp} together`);
      }
    }
  });
}
others.run();
