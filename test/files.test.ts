import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HouseCode } from '../src/errors.ts';
import { type FileOwner, Files, type FilesOptions, type Requester, type Ticket } from '../src/files.ts';
import { codeOf, type Offer, statusOf, type Want } from '../src/offers.ts';
import type { Member } from '../src/room.ts';
import type { House } from '../src/rooms.ts';
import { FakeTongue, openHouse, refusal, settle } from './fakes.ts';

const WANTED = { have: 0, prefix: undefined, digest: false };
const OFFER: Offer = { size: 10, version: 'v1', sha256: undefined, same: true };
const STRANGER: Requester = { token: undefined, ip: '203.0.113.5' };

/** Notes what it is told. */
class Owner implements FileOwner {
  readonly member: Member;
  readonly address = undefined;
  readonly wants: Want[] = [];
  readonly heard: string[] = [];

  constructor(member: Member) {
    this.member = member;
  }

  want(want: Want): void {
    this.wants.push(want);
    this.heard.push(`want ${want.ticket} ${want.file}`);
  }

  push(ticket: string, from: number, to: number): void {
    this.heard.push(`push ${ticket} ${from} ${to}`);
  }

  done(ticket: string, reason: string): void {
    this.heard.push(`done ${ticket} ${reason}`.trimEnd());
  }

  take(): string[] {
    return this.heard.splice(0);
  }
}

interface Bench {
  readonly house: House;
  readonly files: Files;
  /** Comes in, shares files, and holds the token. */
  come(name: string, ...rooms: string[]): Promise<{ owner: Owner; token: string; requester: Requester }>;
}

/** Tokens and tickets are `#1`, `#2` … */
function bench(options: Partial<FilesOptions> = {}): Bench {
  const { house } = openHouse();
  let made = 0;
  const files = new Files({ random: () => `#${++made}`, isOpen: false, ...options });
  const come = async (name: string, ...rooms: string[]) => {
    const member = await house.enter(name, new FakeTongue(), 'aliased');
    for (const room of rooms) house.join(member, await house.openRoom(room));
    const owner = new Owner(member);
    const token = files.register(owner);
    return { owner, token, requester: { token, ip: '198.51.100.7' } };
  };
  return { house, files, come };
}

/** `undefined` for as long as nothing is known. */
async function outcome({ offered }: Ticket): Promise<Offer | string | undefined> {
  let found: Offer | string | undefined;
  offered.then(
    (offer) => {
      found = offer;
    },
    ({ code }) => {
      found = code;
    },
  );
  await settle();
  return found;
}

// --- who may ask -------------------------------------------------------------------------------------------

const may = suite('files: who may ask');

may('a member who shares a room with the owner; the owner learns who it is and what it has', async () => {
  const { files, come } = bench();
  const ann = await come('ann', 'a', 'main');
  const bob = await come('bob', 'b', 'main');
  const ticket = files.ask(bob.requester, 'ANN', 'pic.jpg', { have: 5, prefix: 'abc', digest: true });
  assert.equal(ann.owner.wants, [{ ticket: '#3', who: 'bob', have: 5, prefix: 'abc', digest: true, file: 'pic.jpg' }]);
  assert.equal([ticket.id, ticket.owner === ann.owner], ['#3', true]);
  assert.equal(bob.owner.heard, []);
});

may('nobody else: the owner is as unknown as one that is not there', async () => {
  const { files, house, come } = bench();
  const ann = await come('ann', 'a');
  const bob = await come('bob', 'b');
  const lost = await come('lost');
  const reasons = new Set<string>();
  for (const [requester, name] of [
    [bob.requester, 'ann'],
    [lost.requester, 'ann'],
    [bob.requester, 'lost'],
    [bob.requester, 'nemo'],
    [bob.requester, 'x'.repeat(1000)],
  ] as const) {
    try {
      files.ask(requester, name, 'f', WANTED);
      assert.unreachable(name);
    } catch (error) {
      assert.is((error as { code?: string }).code, 'no-such-file');
      reasons.add((error as Error).message.replace(name, 'NAME'));
    }
  }
  assert.is(await refusal(() => files.ask(bob.requester, '', 'f', WANTED)), 'no-such-file');
  assert.is(reasons.size, 1, [...reasons].join('\n'));
  assert.equal(ann.owner.heard, []);
  const room = await house.openRoom('a');
  house.join(bob.owner.member, room);
  assert.is(await refusal(() => files.ask(bob.requester, 'ann', 'f', WANTED)), 'no refusal');
  house.leave(bob.owner.member, room, 'left');
  assert.is(await refusal(() => files.ask(bob.requester, 'ann', 'f', WANTED)), 'no-such-file');
});

may('a stranger only when the server is open, and then whoever shares files, in any room', async () => {
  for (const isOpen of [false, true]) {
    const { files, come } = bench({ isOpen });
    const ann = await come('ann', 'a');
    const due = isOpen ? 'no refusal' : 'not-allowed';
    assert.is(await refusal(() => files.ask(STRANGER, 'ann', 'f', WANTED)), due);
    assert.equal(
      ann.owner.wants.map(({ who }) => who),
      isOpen ? [''] : [],
    );
    assert.is(await refusal(() => files.ask(STRANGER, 'bob', 'f', WANTED)), isOpen ? 'no-such-file' : 'not-allowed');
  }
});

may('nobody with a token that is none, also when the server is open', async () => {
  const { files, come } = bench({ isOpen: true });
  await come('ann', 'a');
  for (const token of ['', 'x', '#2', '__proto__']) {
    assert.is(await refusal(() => files.ask({ ...STRANGER, token }, 'ann', 'f', WANTED)), 'not-allowed');
  }
});

may('a token until its member has gone; another comes with each coming', async () => {
  const { files, come } = bench();
  const ann = await come('ann', 'a');
  const bob = await come('bob', 'a');
  files.unregister(bob.owner, bob.token);
  assert.is(await refusal(() => files.ask(bob.requester, 'ann', 'f', WANTED)), 'not-allowed');
  const again = files.register(bob.owner);
  assert.is.not(again, bob.token);
  assert.is(await refusal(() => files.ask(bob.requester, 'ann', 'f', WANTED)), 'not-allowed');
  assert.is(await refusal(() => files.ask({ token: again, ip: '' }, 'ann', 'f', WANTED)), 'no refusal');
  files.unregister(ann.owner, ann.token);
  assert.is(await refusal(() => files.ask({ token: again, ip: '' }, 'ann', 'f', WANTED)), 'no-such-file');
});

may('owners are listed for those who share a room with them, oneself left out, at most so many', async () => {
  const { files, house, come } = bench();
  const ann = await come('ann', 'a', 'b');
  const bob = await come('bob', 'b', 'c');
  const cy = await come('cy', 'c');
  const listed = ({ owner }: { owner: Owner }, most = 10) => files.ownersFor(owner.member, most);
  assert.equal([listed(ann), listed(bob), listed(cy)], [['bob'], ['ann', 'cy'], ['bob']]);
  assert.equal([listed(bob, 1), listed(bob, 0)], [['ann'], []]);
  const plain = await house.enter('plain', new FakeTongue(), 'exactly');
  house.join(plain, await house.openRoom('b'));
  assert.equal(files.ownersFor(plain, 10), ['ann', 'bob']);
  files.unregister(ann.owner, ann.token);
  assert.equal([listed(bob), files.ownersFor(plain, 10)], [['cy'], ['bob']]);
});
may.run();

// --- tickets -----------------------------------------------------------------------------------------------

const tickets = suite('files: tickets');

async function asked(options: Partial<FilesOptions> = {}) {
  const on = bench(options);
  const ann = await on.come('ann', 'a');
  const bob = await on.come('bob', 'a');
  const ticket = on.files.ask(bob.requester, 'ann', 'f', WANTED);
  ann.owner.take();
  return { ...on, ann, bob, ticket };
}

tickets('hold what the owner offers; the first answer counts', async () => {
  const { files, ann, ticket } = await asked();
  assert.is(await outcome(ticket), undefined);
  files.offered(ann.owner, ticket.id, OFFER);
  files.offered(ann.owner, ticket.id, { ...OFFER, size: 11 });
  files.refused(ann.owner, ticket.id, 404, 'no');
  assert.equal(await outcome(ticket), OFFER);
});

tickets('are the owner’s alone: what anybody else answers is nothing', async () => {
  const { files, bob, ticket } = await asked();
  ticket.onAlive = () => assert.unreachable('it is not bob who is at it');
  files.offered(bob.owner, ticket.id, OFFER);
  files.refused(bob.owner, ticket.id, 404, 'no');
  files.busy(bob.owner, ticket.id);
  assert.is(await outcome(ticket), undefined);
});

tickets('that are none, or are over, are nothing', async () => {
  const { files, ann, ticket } = await asked();
  let alive = 0;
  ticket.onAlive = () => alive++;
  files.busy(ann.owner, ticket.id);
  assert.is(alive, 1);
  ticket.end('given up');
  files.busy(ann.owner, ticket.id);
  for (const id of [ticket.id, '', '#99', '__proto__']) {
    files.offered(ann.owner, id, OFFER);
    files.refused(ann.owner, id, 404, 'no');
    files.busy(ann.owner, id);
  }
  assert.equal([await outcome(ticket), alive], [undefined, 1]);
});

tickets('are another one for each request, also of the same file', async () => {
  const { files, ann, bob, ticket } = await asked();
  const second = files.ask(bob.requester, 'ann', 'f', WANTED);
  assert.is.not(second.id, ticket.id);
  files.offered(ann.owner, second.id, OFFER);
  assert.equal([await outcome(ticket), await outcome(second)], [undefined, OFFER]);
});

tickets('let the owner bring the bytes, until they are over', async () => {
  const { ann, ticket } = await asked();
  ticket.push(3, 10);
  assert.equal(ann.owner.take(), [`push ${ticket.id} 3 10`]);
  ticket.end('the file has changed');
  ticket.push(3, 10);
  ticket.end('again');
  assert.equal(ann.owner.take(), [`done ${ticket.id} the file has changed`], 'told once');
});

tickets('that the requester takes to the owner itself stay good until the owner has seen them', async () => {
  const { files, ann, ticket } = await asked();
  files.offered(ann.owner, ticket.id, OFFER);
  ticket.isDirect = true;
  ticket.end('');
  assert.equal(ann.owner.take(), []);
  files.used(ann.owner, ticket.id);
  files.used(ann.owner, ticket.id);
  ticket.end('');
  assert.equal(ann.owner.take(), [], 'it is over');
});

tickets('that go through the server are not used up by a word', async () => {
  const { files, ann, ticket } = await asked();
  files.used(ann.owner, ticket.id);
  ticket.end('why');
  assert.equal(ann.owner.take(), [`done ${ticket.id} why`]);
});

tickets('that are released are over without a word to the owner', async () => {
  const { files, ann, ticket } = await asked();
  files.offered(ann.owner, ticket.id, OFFER);
  ticket.release();
  ticket.release();
  ticket.end('well');
  ticket.push(0, 10);
  files.busy(ann.owner, ticket.id);
  assert.equal(ann.owner.take(), []);
});

const STATUS: ReadonlyArray<readonly [number, HouseCode]> = [
  [400, 'bad-file'],
  [401, 'not-allowed'],
  [403, 'not-shared'],
  [404, 'no-such-file'],
  [409, 'file-changed'],
  [429, 'too-fast'],
  [503, 'owner-gone'],
  [504, 'stalled'],
];
for (const [status, code] of STATUS) {
  tickets(`that are refused with ${status} are refused as ${code}, and tell why`, async () => {
    const { files, ann, ticket } = await asked();
    files.refused(ann.owner, ticket.id, status, 'so it is');
    assert.is(await outcome(ticket), code);
    assert.is(await ticket.offered.catch((error: Error) => error.message), 'so it is');
    assert.equal([codeOf(status), statusOf(code)], [code, status]);
  });
}

tickets('that are refused with anything else have lost their owner', async () => {
  for (const status of [0, 200, 418, 500, 599, 1e9]) {
    const { files, ann, ticket } = await asked();
    files.refused(ann.owner, ticket.id, status, 'so it is');
    assert.is(await outcome(ticket), 'owner-gone');
  }
});

tickets('that are refused without a reason, or with a long one, still have one of a line’s length', async () => {
  for (const reason of ['', 'x'.repeat(65_536)]) {
    const { files, ann, ticket } = await asked();
    files.refused(ann.owner, ticket.id, 404, reason);
    const text = await ticket.offered.catch((error: Error) => error.message);
    assert.ok(typeof text === 'string' && text.length > 0 && text.length <= 200);
  }
});

tickets('whose refusal nobody waits for are no unhandled rejection', async () => {
  const { files, ann, ticket } = await asked();
  files.refused(ann.owner, ticket.id, 404, 'no');
  ticket.end('');
  await settle();
});

tickets('are refused when the owner goes before it has answered, and no others', async () => {
  const { files, come, ann, bob, ticket } = await asked();
  const cy = await come('cy', 'a');
  const second = files.ask(cy.requester, 'ann', 'g', WANTED);
  const other = files.ask(ann.requester, 'bob', 'h', WANTED);
  files.unregister(ann.owner, ann.token);
  assert.equal(
    [await outcome(ticket), await outcome(second), await outcome(other)],
    ['owner-gone', 'owner-gone', undefined],
  );
  assert.match(String(await ticket.offered.catch((error: Error) => error.message)), /ann/);
  files.offered(bob.owner, other.id, OFFER);
  assert.equal(await outcome(other), OFFER);
});

tickets('keep the offer of an owner that goes after it', async () => {
  const { files, ann, ticket } = await asked();
  files.offered(ann.owner, ticket.id, OFFER);
  files.unregister(ann.owner, ann.token);
  assert.equal(await outcome(ticket), OFFER);
});

tickets('belong to who was asked: another of the same name answers nothing', async () => {
  const { files, house, come, ann, ticket } = await asked();
  files.offered(ann.owner, ticket.id, OFFER);
  files.unregister(ann.owner, ann.token);
  house.quit(ann.owner.member, 'bye');
  const later = await come('ann', 'a');
  ticket.onAlive = () => assert.unreachable();
  files.busy(later.owner, ticket.id);
  ticket.push(0, 1);
  assert.equal(later.owner.heard, []);
});
tickets.run();

// --- limits ------------------------------------------------------------------------------------------------

const limits = suite('files: limits');

const EACH = 64;
const ALL = 1000;

limits('64 at once for each requester, by member and not by address', async () => {
  const { files, come } = bench();
  const ann = await come('ann', 'a');
  const [bob, cy] = [await come('bob', 'a'), await come('cy', 'a')];
  const held = Array.from({ length: EACH }, () => files.ask(bob.requester, 'ann', 'f', WANTED));
  ann.owner.take();
  const ask = ({ requester }: { requester: Requester }) => refusal(() => files.ask(requester, 'ann', 'f', WANTED));
  assert.is(await ask(bob), 'too-fast');
  assert.is(await ask({ requester: { ...bob.requester, ip: '192.0.2.99' } }), 'too-fast');
  assert.equal(ann.owner.take(), [], 'the owner hears nothing of it');
  assert.is(await ask(cy), 'no refusal');
  held[0]?.end('');
  assert.is(await ask(bob), 'no refusal');
  assert.is(await ask(bob), 'too-fast');
  held[1]?.release();
  assert.is(await ask(bob), 'no refusal');
  for (const ticket of held.slice(0, 2)) {
    ticket.end('');
    ticket.release();
  }
  assert.is(await ask(bob), 'too-fast', 'each counts down once');
});

limits('64 at once for the strangers of one address', async () => {
  const { files, come } = bench({ isOpen: true });
  await come('ann', 'a');
  const ask = (ip: string) => files.ask({ token: undefined, ip }, 'ann', 'f', WANTED);
  const held = Array.from({ length: EACH }, () => ask('203.0.113.5'));
  assert.is(await refusal(() => ask('203.0.113.5')), 'too-fast');
  assert.is(await refusal(() => ask('203.0.113.6')), 'no refusal');
  for (const ticket of held) ticket.end('');
  for (let count = 0; count < EACH; count++) ask('203.0.113.5');
  assert.is(await refusal(() => ask('203.0.113.5')), 'too-fast');
});

limits('1000 at once in all, and places that come free are taken again', async () => {
  const { files, come } = bench({ isOpen: true });
  await come('ann', 'a');
  const ask = (n: number) => files.ask({ token: undefined, ip: `ip${n}` }, 'ann', 'f', WANTED);
  for (let round = 0; round < 3; round++) {
    const held = Array.from({ length: ALL }, (_, n) => ask(Math.floor(n / EACH)));
    for (const n of [99, 100]) assert.is(await refusal(() => ask(n)), 'full');
    held[0]?.end('');
    held[0] = ask(100);
    assert.is(await refusal(() => ask(101)), 'full');
    for (const ticket of held) ticket.end('');
  }
});

limits('what is refused counts for nothing', async () => {
  const { files, come } = bench();
  const ann = await come('ann', 'a');
  const bob = await come('bob', 'a');
  for (let count = 0; count < 2 * EACH; count++) {
    assert.is(await refusal(() => files.ask(bob.requester, 'nobody', 'f', WANTED)), 'no-such-file');
    const ticket = files.ask(bob.requester, 'ann', 'f', WANTED);
    files.refused(ann.owner, ticket.id, 404, 'no');
    ticket.end('');
  }
});

limits('an owner that goes gives the places back when its requests end', async () => {
  const { files, come } = bench();
  const ann = await come('ann', 'a');
  const bob = await come('bob', 'a');
  await come('cy', 'a');
  const held = Array.from({ length: EACH }, () => files.ask(bob.requester, 'ann', 'f', WANTED));
  files.unregister(ann.owner, ann.token);
  for (const ticket of held) {
    assert.is(await outcome(ticket), 'owner-gone');
    ticket.end('the owner has gone');
  }
  for (let count = 0; count < EACH; count++) files.ask(bob.requester, 'cy', 'f', WANTED);
});
limits.run();
