import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { KeptWhisper, Person } from '../src/events.ts';
import { charsOf, isForKeeping, newWhisper, whisperOf } from '../src/kept-whispers.ts';

const person = (name: string, account?: string): Person => {
  return { id: '1.1', name, nick: name, dialect: 'irc', ...(account !== undefined && { account }) };
};
const whisper = (who: Person, to: Person, more: Partial<KeptWhisper> = {}): KeptWhisper => {
  return { id: 7, who, to, at: 1000, text: 'psst', ...more };
};

const test = suite('kept whispers');

/** Of each side: owner, other, the other's name, and whether the owner said it. */
for (const [name, who, to, sides] of [
  [
    'two accounts',
    person('Ann', 'Ann'),
    person('ben', 'Ben'),
    [
      ['ann', 'ben', 'Ben', true],
      ['ben', 'ann', 'Ann', false],
    ],
  ],
  [
    'nicks that are not the account',
    person('x', 'Ann'),
    person('y', 'ben'),
    [
      ['ann', 'ben', 'ben', true],
      ['ben', 'ann', 'Ann', false],
    ],
  ],
  ['to who has none', person('ann', 'ann'), person('Cat'), [['ann', 'cat', 'Cat', true]]],
  ['from who has none', person('Cat'), person('x', 'Ann'), [['ann', 'cat', 'Cat', false]]],
  ['to oneself', person('ann', 'ann'), person('ann', 'ann'), [['ann', 'ann', 'ann', true]]],
  ['to another nick of the same account', person('ann', 'ann'), person('ann2', 'Ann'), [['ann', 'ann', 'Ann', true]]],
  ['between two who have none', person('cat'), person('dan'), []],
] as const) {
  test(`${name}: whose it is`, () => {
    assert.is(isForKeeping(who, to), sides.length > 0);
    assert.equal(
      newWhisper(whisper(who, to)).sides,
      sides.map(([owner, other, name, isOwn]) => ({ owner, other, name, isOwn })),
    );
  });
}

test('come back as they went', () => {
  const [ann, ben] = [person('ann', 'Ann'), person('ben', 'Ben')];
  for (const more of [{}, { notice: true as const }, { tags: { '+draft/reply': 'p3' } }]) {
    const { sides: _sides, ...row } = newWhisper(whisper(ann, ben, more));
    assert.equal(whisperOf(row), { ...whisper({ ...ann, id: '' }, ben, more), to: { name: 'ben' } });
  }
  const { sides: _sides, ...row } = newWhisper(whisper(person('cat'), ben));
  assert.not('account' in whisperOf(row).who);
});

test('count as often as they are written', () => {
  assert.is(charsOf(newWhisper(whisper(person('cat'), person('ann', 'ann')))), 4);
  assert.is(charsOf(newWhisper(whisper(person('ann', 'ann'), person('ben', 'ben')))) % 2, 0);
});

test.run();
