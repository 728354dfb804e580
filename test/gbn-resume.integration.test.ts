// Files that are cut, by a kill or Ctrl-C of either end, and what becomes of the part that was there.

import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { cut, done, failed, file, has, MB, receiver, SHORT, SLOW, sender, told } from './gbn-ends.ts';
import { limited } from './launch.ts';

const test = suite('gbn: resumed');
const test_ = limited(test);

// --- cut and resumed ---------------------------------------------------------------------------------------

test_(
  'a killed receiver: the sender says so, and the next try goes on from the part',
  async () => {
    const content = randomBytes(4 * MB);
    const from = file(content);
    const to = await receiver();
    const first = sender(from, to.port, ...SLOW, ...SHORT);
    await cut(to.dir, 'song.mp3', MB / 2);
    to.program.kill('SIGKILL');
    assert.match(await failed(first), /^song\.mp3 was not sent: nothing was heard for 3 s/);
    const again = await receiver(to.dir);
    const second = sender(from, again.port, '--json');
    await done(second, again.program);
    assert.ok(told(second).offset >= MB / 2);
    has(to.dir, 'song.mp3', content);
    assert.equal(fs.readdirSync(to.dir), ['song.mp3']);
  },
  40,
);

test_(
  'a killed sender: its next try goes on, with the same receiver',
  async () => {
    const content = randomBytes(4 * MB);
    const from = file(content);
    const to = await receiver();
    const first = sender(from, to.port, ...SLOW);
    await cut(to.dir, 'song.mp3', MB / 2);
    first.kill('SIGKILL');
    const second = sender(from, to.port, '--json');
    await done(second, to.program);
    assert.ok(told(second).offset >= MB / 2);
    has(to.dir, 'song.mp3', content);
    assert.equal(fs.readdirSync(to.dir), ['song.mp3']);
  },
  40,
);

for (const who of ['sender', 'receiver'] as const) {
  test_(`Ctrl-C at the ${who}: the other end learns why, and the part is kept`, async () => {
    const from = file(randomBytes(4 * MB));
    const to = await receiver();
    const one = sender(from, to.port, ...SLOW);
    await cut(to.dir, 'song.mp3', MB / 4);
    const [stopped, other] = who === 'sender' ? [one, to.program] : [to.program, one];
    stopped.kill('SIGINT');
    assert.match(await failed(other), new RegExp(`stopped by the ${who}`));
    await failed(stopped);
    await cut(to.dir, 'song.mp3', MB / 4);
  });
}

test_('another file of that name gets the next one, and the part is kept', async () => {
  const to = await receiver();
  const first = sender(file(randomBytes(4 * MB)), to.port, ...SLOW);
  await cut(to.dir, 'song.mp3', MB / 4);
  first.kill('SIGINT');
  await failed(to.program);
  const content = randomBytes(3 * MB);
  const again = await receiver(to.dir);
  const second = sender(file(content), again.port, '--json');
  await done(second, again.program);
  assert.is(told(second).offset, 0);
  has(to.dir, '1song.mp3', content);
  assert.equal(fs.readdirSync(to.dir).sort(), ['.song.mp3.part', '1song.mp3', 'song.mp3.part']);
});

test_('a part that is not what it is taken for: all of it is sent again', async () => {
  const content = randomBytes(2 * MB);
  const to = await receiver();
  fs.writeFileSync(path.join(to.dir, 'song.mp3.part'), randomBytes(MB));
  fs.writeFileSync(path.join(to.dir, '.song.mp3.part'), createHash('sha256').update(content).digest('hex'));
  const from = sender(file(content), to.port);
  await done(from, to.program);
  has(to.dir, 'song.mp3', content);
  assert.equal(fs.readdirSync(to.dir), ['song.mp3']);
});

test_('a file that changes while it is sent gets no name', async () => {
  const from = file(randomBytes(4 * MB));
  const to = await receiver();
  const one = sender(from, to.port, ...SLOW);
  await cut(to.dir, 'song.mp3', MB / 4);
  fs.truncateSync(from, MB);
  assert.match(await failed(one), /became shorter|has changed/);
  await failed(to.program);
  assert.not(fs.existsSync(path.join(to.dir, 'song.mp3')));
});

test.run();
