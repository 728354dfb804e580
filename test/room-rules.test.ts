import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Flag, MaskKind, Person, RuleChange } from '../src/events.ts';
import { MAX_MASKS, RoomRules } from '../src/room-rules.ts';

const person = (id: string, name = id): Person => ({ id, name, nick: name, dialect: 'fake' });
const named = (mask: string, { name }: Person) => mask === '*' || mask === name;
const add = (rule: RuleChange['rule'], param?: string | number): RuleChange => ({ isAdded: true, rule, param });
const drop = (rule: RuleChange['rule'], param?: string | number): RuleChange => ({ isAdded: false, rule, param });
const FLAGS: readonly Flag[] = ['inviteOnly', 'moderated', 'membersOnly', 'secret', 'topicLocked'];
const KINDS: readonly MaskKind[] = ['ban', 'exempt', 'invited'];

const changes = suite('room rules: changes');

changes('of nothing are for members only, with a topic that is locked, and not worth keeping', () => {
  const rules = new RoomRules();
  assert.equal(rules.flags(), ['membersOnly', 'topicLocked']);
  assert.equal([rules.limit, rules.topic, rules.kept()], [undefined, undefined, undefined]);
});

const ROWS: ReadonlyArray<readonly [name: string, before: RuleChange[], change: RuleChange, changes: boolean]> = [
  ['a flag that is off', [], add('moderated'), true],
  ['a flag that is on', [add('moderated')], add('moderated'), false],
  ['a flag away', [add('secret')], drop('secret'), true],
  ['a flag away that is off', [], drop('inviteOnly'), false],
  ['a flag that is on by itself', [], add('membersOnly'), false],
  ['an operator', [], add('operator', '1'), true],
  ['an operator twice', [add('operator', '1')], add('operator', '1'), false],
  ['a voice to an operator', [add('operator', '1')], add('voice', '1'), true],
  ['an operator away who is none', [add('voice', '1')], drop('operator', '1'), false],
  ['an operator without a name', [], add('operator'), false],
  ['a ban', [], add('ban', 'a'), true],
  ['a ban twice', [add('ban', 'a')], add('ban', 'a'), false],
  ['an exempt of a banned one', [add('ban', 'a')], add('exempt', 'a'), true],
  ['a ban away', [add('ban', 'a')], drop('ban', 'a'), true],
  ['a ban away that is another', [add('ban', 'a')], drop('ban', 'b'), false],
  ['a ban of nobody', [], add('ban', ''), false],
  ['a limit', [], add('limit', 5), true],
  ['the same limit', [add('limit', 5)], add('limit', 5), false],
  ['another limit', [add('limit', 5)], add('limit', 6), true],
  ['a limit of nobody', [], add('limit', 0), false],
  ['a limit in pieces', [], add('limit', 1.5), false],
  ['a limit in words', [], add('limit', '5'), false],
  ['a limit beyond all', [], add('limit', 2 ** 31), false],
  ['no limit where there was one', [add('limit', 5)], drop('limit'), true],
  ['no limit where there was none', [], drop('limit'), false],
  ['a key, which is the room’s to know', [], add('key', 'hash'), false],
];
for (const [name, before, change, expected] of ROWS) {
  changes(`${expected ? 'take' : 'do not take'} ${name}`, () => {
    const rules = new RoomRules();
    for (const one of before) assert.ok(rules.apply(one, 'ann', 1));
    assert.is(rules.apply(change, 'ann', 2), expected);
  });
}

changes('keep a hundred masks of each kind, with who set them and when', () => {
  const rules = new RoomRules();
  for (const kind of KINDS) {
    for (let i = 0; i < MAX_MASKS; i++) assert.ok(rules.apply(add(kind, `m${i}`), 'ann', i));
    assert.not(rules.apply(add(kind, 'one more'), 'ann', 1));
    assert.equal(rules.masks(kind)[7], { mask: 'm7', by: 'ann', at: 7 });
    assert.is(rules.masks(kind).length, MAX_MASKS);
  }
});

changes('are there again from what was kept, but for ranks and invitations', () => {
  const rules = new RoomRules();
  const all = [add('moderated'), drop('topicLocked'), add('limit', 9), add('operator', '1'), add('ban', 'x')];
  for (const one of [...all, add('exempt', 'y'), add('invited', 'z')]) rules.apply(one, 'ann', 3);
  rules.setTopic({ by: 'bob', at: 4 });
  rules.ask('2');
  const again = new RoomRules(JSON.parse(JSON.stringify(rules.kept())));
  assert.equal(again.kept(), rules.kept());
  assert.equal(again.flags(), ['moderated', 'membersOnly']);
  assert.equal([again.limit, again.topic], [9, { by: 'bob', at: 4 }]);
  assert.equal(again.masks('ban'), [{ mask: 'x', by: 'ann', at: 3 }]);
  assert.equal([again.isOperator('1'), again.isAsked('2')], [false, false]);
});

changes('that are all taken back leave nothing to keep', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.constantFrom(...FLAGS).map((flag) => ({ rule: flag, param: undefined })),
          fc.tuple(fc.constantFrom(...KINDS), fc.constantFrom('a', 'b', 'c')).map(([rule, param]) => ({ rule, param })),
          fc.integer({ min: 1, max: 3 }).map((param) => ({ rule: 'limit' as const, param })),
          fc.constantFrom('1', '2').map((param) => ({ rule: 'operator' as const, param })),
        ),
      ),
      fc.array(fc.boolean()),
      (those, ways) => {
        const rules = new RoomRules();
        for (const [at, one] of those.entries()) rules.apply({ ...one, isAdded: ways[at] ?? true }, 'ann', at);
        for (const flag of FLAGS) {
          rules.apply({ isAdded: flag === 'membersOnly' || flag === 'topicLocked', rule: flag }, 'ann', 0);
        }
        for (const kind of KINDS) for (const mask of ['a', 'b', 'c']) rules.apply(drop(kind, mask), 'ann', 0);
        rules.apply(drop('limit'), 'ann', 0);
        assert.is(rules.kept(), undefined);
        assert.equal(rules.flags(), new RoomRules().flags());
      },
    ),
  ),
);
changes.run();

const verdicts = suite('room rules: verdicts');

verdicts('silence the banned, unless they are exempt, or have a voice, or are operators', () => {
  const rules = new RoomRules();
  const ann = person('1', 'ann');
  assert.not(rules.isSilenced(ann, named));
  rules.apply(add('ban', 'ann'), 'op', 1);
  assert.ok(rules.isBanned(ann, named));
  assert.ok(rules.isSilenced(ann, named));
  assert.not(rules.isSilenced(person('2', 'bob'), named));
  rules.apply(add('voice', '1'), 'op', 1);
  assert.not(rules.isSilenced(ann, named));
  rules.apply(drop('voice', '1'), 'op', 1);
  rules.apply(add('exempt', 'ann'), 'op', 1);
  assert.not(rules.isBanned(ann, named));
  rules.apply(drop('exempt', 'ann'), 'op', 1);
  assert.ok(rules.isSilenced(ann, named));
  rules.apply(drop('ban', 'ann'), 'op', 1);
  assert.not(rules.isSilenced(ann, named));
});

verdicts('silence everybody without a voice where it is moderated', () => {
  const rules = new RoomRules();
  rules.apply(add('moderated'), 'op', 1);
  rules.apply(add('voice', '1'), 'op', 1);
  rules.apply(add('operator', '2'), 'op', 1);
  assert.equal(
    ['1', '2', '3'].map((id) => rules.isSilenced(person(id), named)),
    [false, false, true],
  );
});

verdicts('are found again for who has another name, and asked for once for who has not', () => {
  const rules = new RoomRules();
  let asked = 0;
  const counted = (mask: string, who: Person) => {
    asked++;
    return named(mask, who);
  };
  rules.apply(add('ban', 'bob'), 'op', 1);
  const ann = person('1', 'ann');
  for (let i = 0; i < 9; i++) assert.not(rules.isBanned(ann, counted));
  assert.is(asked, 1);
  assert.ok(rules.isBanned(person('1', 'bob'), counted));
  assert.not(rules.isBanned(person('1', 'carl'), counted));
  assert.not(rules.isBanned(ann, counted));
});

verdicts('of invitations hold until somebody comes, and are a hundred', () => {
  const rules = new RoomRules();
  for (let i = 0; i <= 100; i++) rules.ask(`${i}`);
  assert.equal([rules.isAsked('0'), rules.isAsked('1'), rules.isAsked('100')], [false, true, true]);
  rules.came('1', false);
  assert.not(rules.isAsked('1'));
});

verdicts('of ranks end with the stay', () => {
  const rules = new RoomRules();
  rules.came('1', true);
  rules.apply(add('voice', '1'), 'op', 1);
  assert.equal([rules.isOperator('1'), rules.hasVoice('1')], [true, true]);
  rules.left('1');
  assert.equal([rules.isOperator('1'), rules.hasVoice('1')], [false, false]);
});
verdicts.run();
