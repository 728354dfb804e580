import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Person } from '../src/events.ts';
import { MaskCache } from '../src/irc-mask-cache.ts';

const cache = suite('irc: masks of rooms');
const ANN: Person = { id: '1', name: 'Ann', nick: 'Ann', dialect: 'menu', host: '192.0.2.7' };
const BEN: Person = { id: '2', name: 'ben ~x', nick: 'ben', dialect: 'lab' };

for (const [mask, person, wanted] of [
  ['ann', ANN, true],
  ['ANN!*@*', ANN, true],
  ['*!*@192.0.2.*', ANN, true],
  ['192.0.2.7', ANN, true],
  ['*!menu@*', ANN, true],
  ['*!lab@*', ANN, false],
  ['ben', ANN, false],
  ['ben_~x', BEN, true],
  ['*!*@192.0.2.*', BEN, false],
  ['', ANN, false],
] as const) {
  cache(`${JSON.stringify(mask)} is ${wanted ? '' : 'not '}for ${person.name}`, () => {
    assert.is(new MaskCache().matches(mask, person), wanted);
  });
}

cache('who spells people is asked once for each', () => {
  const masks = new MaskCache();
  const asked: string[] = [];
  masks.spellWith(({ name }) => {
    asked.push(name);
    return `${name}!User@Host.Example`;
  });
  assert.ok(masks.matches('*!user@host.example', ANN));
  assert.not(masks.matches('*!user@other', ANN));
  assert.ok(masks.matches('doris', { ...ANN, name: 'Doris' }));
  assert.equal(asked, ['Ann', 'Doris']);
});

cache('keeps so many and no more', () => {
  const masks = new MaskCache(10);
  for (let n = 0; n < 100; n++) assert.not(masks.matches(`nick${n}`, ANN));
  assert.is(masks.size, 10);
  assert.ok(masks.matches('ann', ANN));
  assert.ok(masks.matches('ann', ANN));
  assert.is(masks.size, 10);
});

cache.run();
