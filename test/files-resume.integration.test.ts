// Files that are cut, by a kill of each of the three programs, and what becomes of the part that was there.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limited, start, temporaryDirectory } from './launch.ts';
import { ask, enter, has, MB, put, relayed, sizeOf, type User, until } from './users.ts';

const test = suite('files: resumed');
const test_ = limited(test);

// --- cut and resumed --------------------------------------------------------------------------------------

const BIG = 300 * MB;

async function half(user: User, file: string): Promise<void> {
  await until('half of it', () => sizeOf(user, `${file}.part`) > BIG / 4);
  assert.not(fs.existsSync(path.join(user.dir, file)), 'it was too fast to be cut');
}

test_(
  'a killed server that comes back: the same clients go on from where they were',
  async () => {
    const data = path.join(temporaryDirectory(), 'house.db');
    const before = await start({ data });
    const [ann, ben] = [await enter(before.tcp, 'ann'), await enter(before.tcp, 'ben')];
    const content = put(ann, 'big', randomBytes(BIG));
    ask(ben, 'ann', 'big');
    await half(ben, 'big');
    before.kill('SIGKILL');
    await before.exit();
    const after = await start({ data, port: before.tcp });
    await has(ben, 'big', content, 30_000);
    assert.ok(Math.max(...relayed(after)) < BIG * 0.8, `${relayed(after)} of ${BIG}`);
    assert.equal(fs.readdirSync(ben.dir), ['big']);
  },
  60,
);

test_(
  'a killed owner that comes back is asked again',
  async () => {
    const server = await start();
    const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
    const content = put(ann, 'big', randomBytes(BIG));
    ask(ben, 'ann', 'big');
    await half(ben, 'big');
    ann.program.kill('SIGKILL');
    await ann.program.exit();
    await enter(server.tcp, 'ann', { dir: ann.dir });
    await has(ben, 'big', content, 30_000);
    const last = relayed(server).at(-1) ?? 0;
    assert.ok(last > 0 && last < BIG * 0.8, `${relayed(server)} of ${BIG}`);
  },
  60,
);

test_(
  'a killed requester that asks again goes on from where it was',
  async () => {
    const server = await start();
    const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
    const content = put(ann, 'big', randomBytes(BIG));
    ask(ben, 'ann', 'big');
    await half(ben, 'big');
    ben.program.kill('SIGKILL');
    await ben.program.exit();
    const part = sizeOf(ben, 'big.part');
    assert.ok(part > 0);
    const again = await enter(server.tcp, 'ben', { dir: ben.dir });
    ask(again, 'ann', 'big');
    await has(again, 'big', content, 30_000);
    assert.is(relayed(server).at(-1), BIG - part);
    assert.equal(fs.readdirSync(ben.dir), ['big']);
  },
  60,
);

test_('a part of another content is started over', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  const content = put(ann, 'f', randomBytes(2 * MB));
  put(ben, 'f.part', randomBytes(MB));
  ask(ben, 'ann', 'f');
  await has(ben, 'f', content);
  await until('the log', () => relayed(server).length > 0);
  assert.is(relayed(server).at(-1), content.length);
});

test_('a part that is whole already needs no byte more', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  const content = put(ann, 'f', randomBytes(6 * MB));
  put(ben, 'f.part', content);
  ask(ben, 'ann', 'f');
  await has(ben, 'f', content);
  assert.is(relayed(server).at(-1), 0);
  // and one that is longer than the file is no part of it
  put(ben, 'g.part', Buffer.concat([content, Buffer.from('more')]));
  put(ann, 'g', content);
  ask(ben, 'ann', 'g');
  await has(ben, 'g', content);
});

test_(
  'a file that grows or changes while it is sent never stands there in a mixture',
  async () => {
    const server = await start();
    const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
    put(ann, 'big', randomBytes(BIG));
    ask(ben, 'ann', 'big');
    await half(ben, 'big');
    const changed = Buffer.alloc(20 * MB, 'x');
    put(ann, 'big', changed);
    await has(ben, 'big', changed, 30_000);
  },
  60,
);

test.run();
