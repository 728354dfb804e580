// Files between members: parley-client at both ends, by every way that there is. What a transfer promises is
// looked at on the disk, and what went over the server in its log.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limited, type Server, start, temporaryDirectory } from './launch.ts';
import { ask, enter, has, MB, put, relayed, sha256, sizeOf, type User, until } from './users.ts';

const test = suite('files');
const test_ = limited(test);

// --- between clients --------------------------------------------------------------------------------------

test_('three clients swap files and messages at once', async () => {
  const server = await start();
  const users = await Promise.all(['ann', 'ben', 'cy'].map((name) => enter(server.tcp, name)));
  const contents = users.map((user) => put(user, `${user.name}.bin`, randomBytes(10 * MB)));
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  for (const user of users) {
    for (const other of users) if (other !== user) ask(user, other.name, `${other.name}.bin`);
    for (const i of numbers) user.program.type(`m\n${user.name} says ${i}\n`);
  }
  for (const user of users) {
    for (const [i, other] of users.entries()) {
      if (other === user) continue;
      await has(user, `${other.name}.bin`, contents[i] as Uint8Array);
      await user.program.printed(new RegExp(`^${other.name}: ${other.name} says 49$`, 'm'));
      const said = user.program.stdout.split('\n').filter((line) => line.startsWith(`${other.name}: `));
      assert.equal(
        said,
        numbers.map((n) => `${other.name}: ${other.name} says ${n}`),
      );
    }
    assert.not.match(user.program.stdout, new RegExp(`^${user.name}: `, 'm'));
    user.program.type('x\n');
    assert.is((await user.program.exit()).status, 0);
  }
});

test_('files of every awkward size arrive, and again over those that are there', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  const sizes = [0, 1, 65_535, 65_536, 1_048_576, 4_194_304, 4_194_305, 5_000_001];
  const contents = sizes.map((size) => put(ann, `f${size}`, randomBytes(size)));
  for (const round of [1, 2]) {
    for (const size of sizes) ask(ben, 'ann', `f${size}`);
    for (const [i, size] of sizes.entries()) await has(ben, `f${size}`, contents[i] as Uint8Array);
    if (round === 1) continue;
    ben.program.endInput();
    assert.is((await ben.program.exit(10_000)).status, 0);
  }
  // the same content needs no second copy
  assert.equal(fs.readdirSync(ben.dir).sort(), sizes.map((size) => `f${size}`).sort());
});

test_('names with blanks, letters of all kinds and percent signs arrive', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'Änn Öz'), await enter(server.tcp, 'ben')];
  for (const name of ['my file.txt', 'größe.txt', '漢字.bin', '100%25.txt', 'a+b&c=d?.txt', 'x#y', "it's", 'ends.']) {
    const content = put(ann, name, name);
    ask(ben, 'änn öz', name);
    await has(ben, name, content);
  }
});

test_('twenty files asked for at once by one client all arrive', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  const contents = Array.from({ length: 20 }, (_, i) => put(ann, `f${i}`, randomBytes((i + 1) * 300_000)));
  for (const i of contents.keys()) ask(ben, 'ann', `f${i}`);
  for (const [i, content] of contents.entries()) await has(ben, `f${i}`, content);
});

test_(
  'one file asked for by twenty clients arrives everywhere, and is hashed once',
  async () => {
    const server = await start();
    const ann = await enter(server.tcp, 'ann');
    const content = put(ann, 'big', randomBytes(10 * MB));
    const users: User[] = [];
    for (let i = 0; i < 20; i++) users.push(await enter(server.tcp, `user${i}`));
    for (const user of users) ask(user, 'ann', 'big');
    for (const user of users) await has(user, 'big', content, 30_000);
    const io = `/proc/${ann.program.pid}/io`;
    if (!fs.existsSync(io)) return;
    const read = Number(/^rchar: (\d+)/m.exec(fs.readFileSync(io, 'utf8'))?.[1]);
    // sent twenty times, read once more for its digest; 20 MB for the program itself and its sockets
    assert.ok(read < 21 * content.length + 20 * MB, `${Math.round(read / MB)} MB were read`);
  },
  60,
);

test_('twenty clients in one directory get one whole file', async () => {
  const server = await start();
  const ann = await enter(server.tcp, 'ann');
  const content = put(ann, 'f', randomBytes(6 * MB));
  const dir = temporaryDirectory();
  const users: User[] = [];
  for (let i = 0; i < 5; i++) users.push(await enter(server.tcp, `user${i}`, { dir }));
  for (const user of users) ask(user, 'ann', 'f');
  for (const user of users) user.program.endInput();
  for (const user of users) assert.is((await user.program.exit(20_000)).status, 0);
  assert.is(sha256(fs.readFileSync(path.join(dir, 'f'))), sha256(content));
  assert.equal(fs.readdirSync(dir), ['f']);
});

test_('a file that has the name already is kept beside the newcomer', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  const content = put(ann, 'f', 'the new one');
  put(ben, 'f', 'the old one');
  ask(ben, 'ann', 'f');
  await until('the backup', () => fs.existsSync(path.join(ben.dir, 'f.~1~')));
  await has(ben, 'f', content);
  assert.is(fs.readFileSync(path.join(ben.dir, 'f.~1~'), 'utf8'), 'the old one');
});

test_('the end of input waits for the files on their way', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  const content = put(ann, 'big', randomBytes(50 * MB));
  ask(ben, 'ann', 'big');
  ben.program.endInput();
  assert.is((await ben.program.exit(20_000)).status, 0);
  await has(ben, 'big', content, 0);
  assert.match(ben.program.stdout, /closing your sockets\.\.\.goodbye\n$/);
});

test_('x ends at once, whatever is on its way', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  put(ann, 'big', randomBytes(100 * MB));
  ask(ben, 'ann', 'big');
  await until('the part', () => sizeOf(ben, 'big.part') > MB);
  ben.program.type('x\n');
  assert.is((await ben.program.exit(3000)).status, 0);
  assert.not(fs.existsSync(path.join(ben.dir, 'big')));
  await ann.program.printed(/^big to ben: .+$/m);
});

// --- other ways than through the server to the owner's port -------------------------------------------------

/** Between a client and the server: as the server sees it, the client listens where nobody can connect. */
async function behindFirewall(server: Server): Promise<{ port: number; close(): void }> {
  const proxy = net.createServer((client) => {
    const upstream = net.connect(server.tcp, '127.0.0.1');
    client.once('data', (first) => {
      upstream.write(first.toString('latin1').replace(/^(\w+\t)\d+\n/, '$11\n'), 'latin1');
      client.pipe(upstream);
    });
    upstream.pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => {});
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return { port: (proxy.address() as net.AddressInfo).port, close: () => proxy.close() };
}

test_('an owner that nobody can connect to brings its files itself', async () => {
  const server = await start();
  const proxy = await behindFirewall(server);
  const [ann, ben] = [await enter(proxy.port, 'ann'), await enter(server.tcp, 'ben')];
  const content = put(ann, 'big', randomBytes(30 * MB));
  put(ann, 'empty', '');
  ask(ben, 'ann', 'big');
  ask(ben, 'ann', 'empty');
  await has(ben, 'big', content);
  await has(ben, 'empty', Buffer.alloc(0));
  proxy.close();
});

test_('--p2p fetches straight from the owner', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben', { args: ['--p2p'] })];
  const content = put(ann, 'big', randomBytes(30 * MB));
  const part = content.subarray(0, 10 * MB);
  put(ben, 'big.part', part);
  ask(ben, 'ann', 'big');
  await has(ben, 'big', content);
  assert.equal(
    relayed(server).filter((bytes) => bytes > 0),
    [],
  );
});

test_('--p2p goes through the server where it has to', async () => {
  const server = await start();
  const proxy = await behindFirewall(server);
  const [ann, ben] = [await enter(proxy.port, 'ann'), await enter(server.tcp, 'ben', { args: ['--p2p'] })];
  const content = put(ann, 'big', randomBytes(5 * MB));
  ask(ben, 'ann', 'big');
  await has(ben, 'big', content);
  proxy.close();
});

test.run();
