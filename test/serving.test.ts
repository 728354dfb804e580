import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Bans } from '../src/bans.ts';
import { Gate } from '../src/gate.ts';
import { readLimits } from '../src/limits.ts';
import { Serving } from '../src/serving.ts';
import { settle } from './fakes.ts';
import { FakeSource } from './guarded.ts';

const store = { putBan: async () => {}, dropBan: async () => {} };
const gate = new Gate(
  readLimits({ limits: [], trusted: [] }),
  new Bans(
    store,
    () => 0,
    () => {},
  ),
);

function source(ip: string): FakeSource {
  return new FakeSource(gate.enter(ip), ip);
}

const test = suite('serving');

test('knows on whose behalf, within the work and in the promises that follow from it', async () => {
  const serving = new Serving();
  const [ann, bob] = [source('10.0.0.1'), source('10.0.0.2')];
  const seen: string[] = [];
  const note = () => seen.push(serving.source?.remote.ip ?? 'nobody');
  const later = async () => {
    note();
    await settle();
    note();
  };
  note();
  const both: Array<Promise<void>> = [];
  serving.run(ann, () => {
    both.push(later());
    serving.run(bob, () => both.push(later()));
    serving.run(undefined, note);
    note();
  });
  await Promise.all(both);
  note();
  assert.equal(seen, ['nobody', '10.0.0.1', '10.0.0.2', 'nobody', '10.0.0.1', '10.0.0.1', '10.0.0.2', 'nobody']);
});

test('what throws does not leave it behind', () => {
  const serving = new Serving();
  assert.throws(() =>
    serving.run(source('10.0.0.1'), () => {
      throw new Error('a bug');
    }),
  );
  assert.is(serving.source, undefined);
});
test.run();
