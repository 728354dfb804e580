import { scryptSync } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { Passwords } from '../src/passwords.ts';

/** As an older or newer server would have made it. */
function made(password: string, cost: { N: number; r: number; p: number }): string {
  const salt = Buffer.from('0123456789abcdef');
  const hash = scryptSync(password, salt, 32, { ...cost, maxmem: 512 * 1024 * 1024 });
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

async function thrown(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return undefined;
}

const passwords = suite('passwords');

passwords('are right or wrong', async () => {
  const keeper = new Passwords();
  const hash = await keeper.hash('pä$$wörd 🔑');
  assert.is(await keeper.verify('pä$$wörd 🔑', hash), true);
  for (const wrong of ['', 'pä$$wörd 🔒', 'pä$$wörd 🔑 ', 'PÄ$$WÖRD 🔑']) {
    assert.is(await keeper.verify(wrong, hash), false, wrong);
  }
});

passwords('are not in their hashes; the salt and the cost are, and no salt comes twice', async () => {
  const keeper = new Passwords();
  const [one, other] = await Promise.all([keeper.hash('secret-123'), keeper.hash('secret-123')]);
  assert.is.not(one, other);
  const [kind, n, r, p, salt, hash] = one.split('$');
  assert.is(kind, 'scrypt');
  assert.ok(Number(n) >= 16_384 && Number(r) >= 8 && Number(p) >= 1);
  assert.ok(Buffer.from(salt as string, 'base64url').length >= 16);
  assert.ok(Buffer.from(hash as string, 'base64url').length >= 32);
  assert.is.not(salt, other.split('$')[4]);
  assert.not(one.includes('secret-123'));
  assert.not(keeper.isOld(one));
});

passwords('that were hashed at another cost stay good, and only those of less are old', async () => {
  const keeper = new Passwords();
  const cheap = made('123', { N: 1024, r: 8, p: 1 });
  assert.equal([await keeper.verify('123', cheap), await keeper.verify('124', cheap)], [true, false]);
  assert.is(keeper.isOld(cheap), true);
  const dear = made('123', { N: 32_768, r: 8, p: 1 });
  assert.equal([await keeper.verify('123', dear), await keeper.verify('124', dear)], [true, false]);
  assert.is(keeper.isOld(dear), false, 'a better hash is not replaced by a worse one');
});

passwords('whose hash is damaged are a bug, not a wrong password, and cost no gigabytes', async () => {
  const keeper = new Passwords();
  const [salt, hash] = ['MDEyMzQ1Njc4OWFiY2RlZg', 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY'];
  for (const damaged of [
    '',
    '123',
    `md5$16384$8$1$${salt}$${hash}`,
    `scrypt$16384$8$1$${salt}$`,
    `scrypt$16384$8$1$$${hash}`,
    `scrypt$16385$8$1$${salt}$${hash}`,
    `scrypt$1073741824$8$1$${salt}$${hash}`,
    `scrypt$1048576$32$16$${salt}$${hash}`,
    `scrypt$16384$8$999999$${salt}$${hash}`,
  ]) {
    const error = await thrown(keeper.verify('123', damaged));
    assert.ok(error instanceof Error && !(error instanceof HouseError), damaged);
  }
  assert.is(await keeper.verify('x', await keeper.hash('x')), true, 'it goes on');
});

passwords('are hashed a few at a time; who finds too many waiting is told so at once', async () => {
  const keeper = new Passwords();
  const cheap = made('123', { N: 2, r: 1, p: 1 });
  const all = await Promise.all(
    Array.from({ length: 600 }, () =>
      keeper.verify('123', cheap).catch((error) => (error instanceof HouseError ? error.code : String(error))),
    ),
  );
  assert.equal([...new Set(all)], [true, 'too-fast']);
  assert.ok(all.filter((one) => one === true).length >= 500);
  assert.is(await keeper.verify('123', cheap), true);
});

passwords('take as long when they are wrong', async () => {
  const keeper = new Passwords();
  const hash = await keeper.hash('x'.repeat(100));
  const times = { right: [] as number[], wrong: [] as number[] };
  for (let i = 0; i < 7; i++) {
    for (const [kind, password] of [
      ['right', 'x'.repeat(100)],
      ['wrong', 'y'],
    ] as const) {
      const start = performance.now();
      await keeper.verify(password, hash);
      times[kind].push(performance.now() - start);
    }
  }
  const least = (all: number[]) => Math.min(...all);
  const [right, wrong] = [least(times.right), least(times.wrong)];
  assert.ok(wrong > right / 2 && right > wrong / 2, `right ${right} ms, wrong ${wrong} ms`);
});
passwords.run();
