// `parley-client gbn send` and `gbn recv`: two processes, real sockets, real disks. What is on the wire is in
// docs/udp-gbn.md; what the machines do with loss is tested under a virtual clock in udp-gbn.test.ts.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeGbn, type Offer } from '../src/wire-gbn.ts';
import { cut, done, failed, file, has, LONG_MS, MB, receiver, SLOW, sender, told } from './gbn-ends.ts';
import { clientCommand, Datagrams, limited, pause, runToEnd, temporaryDirectory } from './launch.ts';

const test = suite('gbn');
const test_ = limited(test);

// --- whole files -------------------------------------------------------------------------------------------

test_(
  'files of all sizes, one after the other',
  async () => {
    const to = await receiver(undefined, '--keep');
    for (const size of [0, 1, 2038, 2039, MB]) {
      const content = randomBytes(size);
      await done(sender(file(content, `f${size}`), to.port));
      await to.program.printed(new RegExp(`/f${size}\n`), LONG_MS);
      has(to.dir, `f${size}`, content);
    }
    assert.equal(fs.readdirSync(to.dir).sort(), ['f0', 'f1', 'f1000000', 'f2038', 'f2039']);
    const before = to.program.stderr;
    to.program.kill('SIGINT');
    await done(to.program);
    assert.is(to.program.stderr, before, 'it has nothing to complain of');
  },
  60,
);

const TROUBLES: ReadonlyArray<readonly [string, ...string[]]> = [
  ['auto', '--packet', '1400'],
  ['auto, long packets'],
  ['a window', '--window', '16', '--packet', '1000'],
  ['a window of one', '--window', '1', '--packet', '8000'],
];

for (const [name, ...args] of TROUBLES) {
  test_(
    `lost, repeated and late datagrams: ${name}`,
    async () => {
      const trouble = ['--loss', '5', '--dup', '5', '--reorder', '5', '--seed', '7'];
      const content = randomBytes(MB);
      const to = await receiver(undefined, '--json', ...trouble);
      const from = sender(file(content), to.port, '--json', ...args, ...trouble);
      await done(from, to.program);
      has(to.dir, 'song.mp3', content);
      assert.ok(told(from).dropped > 0);
      assert.ok(told(to.program).verified);
    },
    40,
  );
}

test_('one datagram in so many is lost', async () => {
  const content = randomBytes(MB);
  const to = await receiver();
  const from = sender(file(content), to.port, '--errprob', '20', '--window', '16', '--packet', '1000', '--json');
  await done(from, to.program);
  has(to.dir, 'song.mp3', content);
  const { dropped } = told(from);
  assert.ok(dropped > 20 && dropped < 200, `${dropped}`);
});

test_('what it tells: where the file is, a line, JSON', async () => {
  const to = await receiver();
  const content = randomBytes(5000);
  const from = sender(file(content), to.port);
  await done(from, to.program);
  assert.is(to.program.stdout.split('\n')[1], path.join(to.dir, 'song.mp3'));
  assert.match(to.program.stderr, /^song\.mp3: 5\.0 kB received in [\d.]+ s, .*, SHA-256 is right, packets \d+, .*\n$/);
  assert.match(
    from.stderr,
    /^song\.mp3: 5\.0 kB sent in .*, timeouts \d+, fast go-backs \d+, duplicate acks \d+, .*\n$/,
  );
  assert.is(from.stdout, '');
});

test_('the classic wire', async () => {
  const content = randomBytes(200_000);
  const to = await receiver(undefined, '--classic', '--name', 'here.mp3');
  const from = sender(file(content), to.port, '--classic');
  await done(from, to.program);
  has(to.dir, 'here.mp3', content);
  assert.equal(fs.readdirSync(to.dir), ['here.mp3']);
});

// --- names and places --------------------------------------------------------------------------------------

test_('a name that is taken gets a 1 put in front', async () => {
  const to = await receiver(undefined, '--keep');
  const contents = [randomBytes(1000), randomBytes(2000), randomBytes(3000)];
  for (const [n, content] of contents.entries()) {
    await done(sender(file(content), to.port));
    await to.program.printed(new RegExp(`/${'1'.repeat(n)}song.mp3\n`));
  }
  for (const [n, content] of contents.entries()) has(to.dir, `${'1'.repeat(n)}song.mp3`, content);
  assert.is(fs.readdirSync(to.dir).length, 3);
});

test_('the name that the receiver chose is the one that counts', async () => {
  const content = randomBytes(1000);
  const to = await receiver(undefined, '--name', 'mine');
  await done(sender(file(content), to.port), to.program);
  has(to.dir, 'mine', content);
});

test_('a folder that can not be written: both ends say why', async () => {
  const to = await receiver();
  fs.rmSync(to.dir, { recursive: true });
  const from = sender(file(randomBytes(1000)), to.port);
  assert.match(await failed(from), /^song\.mp3 was not sent: can't write in .*: there is no such directory$/);
  assert.match(await failed(to.program), /can't write in .*: there is no such directory/);
});

test_('nobody there', async () => {
  const free = await Datagrams.open();
  assert.match(
    await failed(sender(file(randomBytes(10)), free.port, '--timeout', '1')),
    /^song\.mp3 was not sent: nobody answers on 127\.0\.0\.1 port \d+$/,
  );
});

// --- the network -------------------------------------------------------------------------------------------

const OFFER: Offer = {
  kind: 'offer',
  firstSeq: 5,
  index: 0,
  count: 1,
  packetBytes: 1400,
  leastBytes: 1400,
  blockPackets: 0,
  window: 16,
  size: 100,
  sha256: 'ab'.repeat(32),
  name: 'song.mp3',
  version: 'v1',
  stamp: 0,
  roomBytes: 0,
};

test_('an offer of a name that leads elsewhere is refused', async () => {
  const to = await receiver();
  const socket = await Datagrams.open();
  socket.send(encodeGbn(randomBytes(8), { ...OFFER, name: '../song.mp3' }), to.port);
  assert.match(await failed(to.program), /a file name has no slash/);
  assert.equal(fs.readdirSync(to.dir), []);
});

test_(
  'what strangers send meanwhile changes nothing',
  async () => {
    const content = randomBytes(4 * MB);
    const to = await receiver();
    const from = sender(file(content), to.port, ...SLOW, '--json');
    await cut(to.dir, 'song.mp3', 1);
    const stranger = await Datagrams.open();
    const id = randomBytes(8);
    for (let n = 0; n < 300; n++) {
      stranger.send(randomBytes(n), to.port);
      stranger.send(encodeGbn(id, { ...OFFER, firstSeq: n }), to.port);
      stranger.send(encodeGbn(id, { kind: 'end', code: 'aborted', text: 'no' }), to.port);
      stranger.send(encodeGbn(id, { kind: 'data', seq: n, tx: n, stamp: n, bytes: randomBytes(1000) }), to.port);
      await pause(1);
    }
    await done(from, to.program);
    has(to.dir, 'song.mp3', content);
    assert.equal(stranger.rest(), []);
  },
  30,
);

// --- traces ------------------------------------------------------------------------------------------------

test_('traces of both ends, drawn', async () => {
  const dir = temporaryDirectory();
  const traces = ['send', 'recv'].map((end) => path.join(dir, `${end}.trace`)) as [string, string];
  const to = await receiver(undefined, '--trace', traces[1]);
  const args = ['--window', '4', '--packet', '1000', '--loss', '10', '--seed', '3', '--delay', '5'];
  await done(sender(file(randomBytes(20_000)), to.port, ...args, '--trace', traces[0]), to.program);
  for (const trace of traces) {
    const lines = fs.readFileSync(trace, 'utf8').trim().split('\n');
    assert.ok(lines.length >= 20, `${lines.length} lines`);
    for (const line of lines) assert.ok(JSON.parse(line).seq <= 20, line);
  }
  const command = [...clientCommand(), 'gbn', 'plot'];
  const svg = await runToEnd({ command, port: 'none', args: traces });
  assert.is(svg.status, 0, svg.stderr);
  assert.match(svg.stdout, /^(<\?xml[^>]*>\s*)?<svg [\s\S]*<\/svg>\s*$/);
  const text = await runToEnd({ command, port: 'none', args: [traces[0], '--text', '--from', '0', '--to', '100000'] });
  assert.is(text.status, 0, text.stderr);
  assert.match(text.stdout, /data 0/);
});

test_('one trace for each file that is received', async () => {
  const trace = path.join(temporaryDirectory(), 'recv.trace');
  const to = await receiver(undefined, '--keep', '--trace', trace);
  for (const name of ['a', 'b']) {
    await done(sender(file(randomBytes(5000), name), to.port, '--packet', '1000'));
    await to.program.printed(new RegExp(`/${name}\n`));
  }
  to.program.kill('SIGINT');
  await done(to.program);
  assert.equal(fs.readdirSync(path.dirname(trace)).sort(), ['recv.trace', 'recv.trace.2']);
  for (const one of [trace, `${trace}.2`]) {
    const lines = fs.readFileSync(one, 'utf8').trim().split('\n');
    assert.is(JSON.parse(lines[0] as string).at, 0);
    assert.is(lines.filter((line) => JSON.parse(line).kind === 'data').length, 5);
  }
});

test_('a file is not its own trace', async () => {
  const content = randomBytes(100);
  const at = file(content);
  const link = path.join(temporaryDirectory(), 'link');
  fs.symlinkSync(at, link);
  for (const trace of [at, link]) {
    const command = [...clientCommand(), 'gbn', 'send', at, '127.0.0.1:9', '--trace', trace];
    const { status, stderr } = await runToEnd({ command, port: 'none' });
    assert.is(status, 2);
    assert.match(stderr, /^parley-client: --trace .*: that is .*song\.mp3 itself[^\n]*\n$/);
  }
  has(path.dirname(at), 'song.mp3', content);
});

test_('a trace that can not be written harms nothing', async () => {
  if (!fs.existsSync('/dev/full')) return;
  const content = randomBytes(300_000);
  const to = await receiver(undefined, '--trace', '/dev/full');
  const from = sender(file(content), to.port, '--trace', '/dev/full');
  await done(from, to.program);
  has(to.dir, 'song.mp3', content);
  for (const { stderr } of [from, to.program]) {
    assert.is(stderr.match(/the trace \/dev\/full is not whole: the disk is full/g)?.length, 1, stderr);
  }
});

test_('a time of which nothing was traced: one line, status 1', async () => {
  const trace = path.join(temporaryDirectory(), 'send.trace');
  const to = await receiver();
  await done(sender(file(randomBytes(100)), to.port, '--trace', trace), to.program);
  const { status, stdout, stderr } = await runToEnd({
    command: [...clientCommand(), 'gbn', 'plot'],
    port: 'none',
    args: [trace, '--from', '900000'],
  });
  assert.equal([status, stdout], [1, '']);
  assert.match(
    stderr,
    /^parley-client: there is no packet from 900000 ms: the traced ones go from 0 ms to [\d.]+ ms\n$/,
  );
});

// --- arguments ---------------------------------------------------------------------------------------------

const WRONG: ReadonlyArray<readonly [string, RegExp]> = [
  ['send x nowhere', /must be HOST:PORT/],
  ['recv 6000 --dir /nowhere/at/all', /there is no such directory/],
];

test_(
  'bad arguments: status 2 and one line',
  async () => {
    for (const [words, reason] of WRONG) {
      const command = [...clientCommand(), 'gbn', ...words.split(' ').filter((word) => word !== '')];
      const { status, stdout, stderr } = await runToEnd({ command, port: 'none' });
      assert.is(status, 2, `${words}: ${stderr}`);
      assert.is(stdout, '');
      assert.match(stderr, reason);
      assert.match(stderr, /^parley-client: [^\n]+\n$/);
    }
  },
  60,
);

test_('a file that is not there: status 1', async () => {
  assert.match(await failed(sender('/nowhere/song.mp3', 6000)), /song\.mp3/);
});

test.run();
