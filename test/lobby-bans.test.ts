// The lobby in a house where names are banned: they are not logged in to, made, or gone on with.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LocalBackbone } from '../src/backbone.ts';
import { Bans } from '../src/bans.ts';
import { Gate } from '../src/gate.ts';
import { GuardedHouse } from '../src/guarded-house.ts';
import { readLimits } from '../src/limits.ts';
import { LobbyClient, MemoryStore, openLobby, settle, type TestLobby } from './fakes.ts';
import { FakeSource } from './guarded.ts';

const WHY = 'the name griffin is banned for good';
const STRANGER = [['ERRO', { message: 'you are not logged in' }]];
const BANNED = [['ERRO', { message: WHY }]];
const PAIR = { username: 'griffin', password: '123' };

interface World {
  readonly on: TestLobby;
  readonly bans: Bans;
  readonly house: GuardedHouse;
  /** A connection to the lobby, or through a door, on its own behalf whatever it does. */
  come(door?: number): { client: LobbyClient; say(type: string, payload: unknown): Promise<unknown> };
}

async function open(): Promise<World> {
  const store = new MemoryStore();
  const backbone = new LocalBackbone(store);
  const clock = { now: 1000 };
  const onBug = (error: unknown) => {
    throw error;
  };
  const bans = new Bans({ putBan: async () => {}, dropBan: async () => {} }, () => clock.now, onBug);
  const gate = new Gate(readLimits({ limits: [], trusted: [] }), bans);
  let source: FakeSource | undefined;
  const now = () => clock.now;
  const house = new GuardedHouse({ backbone, wall: now, now, onBug, bans, source: () => source });
  const on = { ...openLobby({ store, backbone, house }), house };
  await on.accounts.register(PAIR.username, PAIR.password, '192.0.2.200');
  const come = (door?: number) => {
    const own = new FakeSource(gate.enter('198.51.100.7'), '198.51.100.7');
    source = own;
    const client = new LobbyClient(on, door);
    own.onExpelled = (reason) => {
      client.session.dropped?.(reason);
      client.session.closed(reason);
    };
    return {
      client,
      say: (type: string, payload: unknown) => {
        source = own;
        return client.say(type, payload);
      },
    };
  };
  return { on, bans, house, come };
}

const test = suite('lobby: bans');

test('a banned name is not logged in to, and not made', async () => {
  const { bans, come } = await open();
  bans.add('griffin');
  bans.add('newcomer');
  const { say } = come();
  assert.equal(await say('LGIN', PAIR), BANNED);
  assert.equal(await say('LGIN', { ...PAIR, password: 'wrong' }), [
    ['ERRO', { message: 'invalad username or password.' }],
  ]);
  assert.equal(await say('CUSR', { username: 'Newcomer', password: '1' }), [
    ['ERRO', { message: 'the name newcomer is banned for good' }],
  ]);
  assert.equal(await say('ROOM', { name: 'den' }), STRANGER);
});

test('a ban closes the connections that are logged in to that name, and no others', async () => {
  const { bans, house, come } = await open();
  const [first, second, third, guest] = [come(), come(), come(), come()];
  for (const { say } of [first, second, third]) await say('LGIN', PAIR);
  await second.say('LOUT', { username: 'griffin' });
  third.client.session.closed('gone');
  bans.add('griffin');
  assert.is(house.expelBanned(WHY), 1);
  await settle();
  assert.equal(first.client.take(), BANNED);
  assert.equal([second.client.take(), guest.client.take()], [[], []]);
  assert.equal(await second.say('LGIN', PAIR), BANNED);
});

test('a login does not go on with the next connection', async () => {
  const { bans, house, come } = await open();
  const lobby = come();
  await lobby.say('LGIN', PAIR);
  const asked = (await lobby.say('JOIN', { room: 'hall' })) as Array<[string, { TCPport: number }]>;
  lobby.client.session.closed('gone');
  come(asked[0]?.[1].TCPport);
  await settle();
  bans.add('griffin');
  const griffin = house.presence('griffin');
  assert.ok(griffin && house.expel(griffin, WHY));
  await settle();
  assert.is(house.people, 0);
  const next = come();
  assert.equal(await next.say('ROOM', { name: 'den' }), STRANGER);
  assert.is(house.expelBanned(WHY), 0);
});
test.run();
