// What must not be sent, or can't be written; plain HTTP; owners that lie.

import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, clientCommand, limited, Program, pause, type Server, start, temporaryDirectory } from './launch.ts';
import { ask, enter, has, MB, put, raw, relayed, until } from './users.ts';

const test = suite('files: refused');
const test_ = limited(test);

// --- what is not shared -----------------------------------------------------------------------------------

test_('nothing but the regular files of the directory is ever sent, and each refusal is one line', async () => {
  const server = await start({ args: ['--open-files'] });
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  const outside = path.join(temporaryDirectory(), 'secret');
  fs.writeFileSync(outside, 'secret');
  put(ann, '.hidden', 'secret');
  put(ann, 'fine', 'fine');
  fs.mkdirSync(path.join(ann.dir, 'directory'));
  fs.symlinkSync(outside, path.join(ann.dir, 'out'));
  fs.symlinkSync('.hidden', path.join(ann.dir, 'hidden'));
  fs.symlinkSync('/dev/zero', path.join(ann.dir, 'zero'));
  fs.symlinkSync('nowhere', path.join(ann.dir, 'dangling'));
  fs.symlinkSync('fine', path.join(ann.dir, 'inside'));
  execFileSync('mkfifo', [path.join(ann.dir, 'fifo')]);
  const names = ['directory', 'out', 'hidden', 'zero', 'dangling', 'fifo', 'missing'];
  const bad = ['../secret', 'a/b', '..', '.', '.hidden', 'CON', 'nul.txt', 'a\\b', ' ', 'x'.repeat(300)];
  for (const name of [...names, ...bad]) ask(ben, 'ann', name);
  ask(ben, 'ann', 'inside');
  await has(ben, 'inside', Buffer.from('fine'));
  const lines = (name: string) =>
    ben.program.stdout.split('\n').filter((line) => line.startsWith(`${name} from ann: `));
  for (const name of names) {
    await until(`a line about ${name}`, () => lines(name).length > 0);
    assert.is(lines(name).length, 1, name);
  }
  for (const name of bad) assert.is(lines(name.trim()).length, 1, name);
  assert.equal(fs.readdirSync(ben.dir), ['inside']);
  for (const [target, status] of [
    ['/files/ann/..%2Fsecret', 400],
    ['/files/ann/%2Fetc%2Fpasswd', 400],
    ['/files/ann/.hidden', 400],
    ['/files/ann/a%00b', 400],
    ['/files/ann/a%0Ab', 400],
    ['/files/ann/CON', 400],
    ['/files/ann/', 400],
    ['/files/ann/out', 403],
    ['/files/ann/fifo', 403],
    ['/files/ann/directory', 403],
    ['/files/ann/missing', 404],
    ['/files/nobody/fine', 404],
    ['/files/../../etc/passwd', 404],
    ['/files/ann/%zz', 404],
    ['/etc/passwd', 404],
  ] as const) {
    const answer = await raw(server.tcp, 'GET', target);
    assert.is(answer.status, status, target);
    assert.match(answer.body, /^[^\n]+\n$/, target);
  }
  ask(ben, 'ann', 'fine');
  await has(ben, 'fine', Buffer.from('fine'));
});

test_('what can’t be written is told in one line, and the client lives on', async () => {
  const server = await start();
  const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
  for (const name of ['f', 'g', 'h']) put(ann, name, randomBytes(MB));
  fs.mkdirSync(path.join(ben.dir, 'f'));
  fs.mkdirSync(path.join(ben.dir, 'g.part'));
  const target = path.join(temporaryDirectory(), 'target');
  fs.writeFileSync(target, 'untouched');
  fs.symlinkSync(target, path.join(ben.dir, 'h.part'));
  for (const name of ['f', 'g', 'h']) {
    ask(ben, 'ann', name);
    await ben.program.printed(new RegExp(`^${name} from ann: .+$`, 'm'));
  }
  assert.is(fs.readFileSync(target, 'utf8'), 'untouched');
  fs.rmSync(ben.dir, { recursive: true });
  ask(ben, 'ann', 'f');
  await ben.program.printed(/^f from ann: can't write .+$/m);
  fs.mkdirSync(ben.dir);
  ask(ben, 'ann', 'f');
  await has(ben, 'f', fs.readFileSync(path.join(ann.dir, 'f')));
});

test_('a full disk is told in one line; with more room it goes on', async () => {
  const dir = temporaryDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', dir], { stdio: 'ignore' });
  } catch {
    process.stdout.write('  (a full disk: skipped, for nothing can be mounted here)\n');
    return;
  }
  try {
    const server = await start();
    const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben', { dir })];
    const content = put(ann, 'f', randomBytes(6 * MB));
    ask(ben, 'ann', 'f');
    await ben.program.printed(/^f from ann: .*disk is full.*$/m);
    assert.equal(fs.readdirSync(dir), ['f.part']);
    execFileSync('mount', ['-o', 'remount,size=20m', dir]);
    ask(ben, 'ann', 'f');
    await has(ben, 'f', content);
    assert.ok((relayed(server).at(-1) ?? 0) < 4 * MB);
    ben.program.type('x\n');
    await ben.program.exit();
  } finally {
    execFileSync('umount', ['-l', dir]);
  }
});

// --- plain HTTP -------------------------------------------------------------------------------------------

test_('curl and its like: GET, HEAD, ranges, and one plain line for each error', async () => {
  const server = await start({ args: ['--open-files'] });
  const ann = await enter(server.tcp, 'ann');
  put(ann, 'f', '0123456789');
  put(ann, 'empty', '');
  const digest = `sha-256=:${createHash('sha256').update('0123456789').digest('base64')}:`;
  const get = (headers: Record<string, string> = {}, name = 'f') =>
    raw(server.tcp, 'GET', `/files/ann/${name}`, headers);
  const whole = await get();
  assert.equal([whole.status, whole.body, whole.headers['content-length']], [200, '0123456789', '10']);
  assert.is(whole.headers['accept-ranges'], 'bytes');
  const head = await raw(server.tcp, 'HEAD', '/files/ann/f');
  assert.equal([head.status, head.headers['content-length'], head.headers['repr-digest']], [200, '10', digest]);
  assert.is(head.headers.etag, whole.headers.etag);
  assert.is((await get({}, 'empty')).status, 200);
  for (const [range, status, body, contentRange] of [
    ['bytes=3-', 206, '3456789', 'bytes 3-9/10'],
    ['bytes=3-4', 206, '34', 'bytes 3-4/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=0-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=1-2,4-5', 200, '0123456789', undefined],
    ['lines=1-2', 200, '0123456789', undefined],
    ['bytes=10-', 416, 'there is nothing behind that byte: the file has 10 bytes\n', 'bytes */10'],
  ] as const) {
    const answer = await get({ Range: range });
    assert.equal([answer.status, answer.body, answer.headers['content-range']], [status, body, contentRange], range);
  }
  const etag = String(whole.headers.etag);
  assert.is((await get({ Range: 'bytes=3-', 'If-Range': etag })).status, 206);
  assert.is((await get({ Range: 'bytes=3-', 'If-Range': '"other"' })).status, 200);
  assert.is((await raw(server.tcp, 'POST', '/files/ann/f')).status, 405);
  assert.is((await raw(server.tcp, 'PUT', '/relay/unknown')).status, 404);
  assert.is((await raw(server.tcp, 'GET', '/')).status, 404);
  assert.is((await get({ Authorization: 'Bearer wrong' })).status, 401);
  ann.program.kill('SIGKILL');
  await ann.program.exit();
  await until('a 404', () => true);
  const gone = await get();
  assert.ok(gone.status === 404 || gone.status === 503, String(gone.status));
});

test_('without --open-files only members get files', async () => {
  const server = await start();
  const ann = await enter(server.tcp, 'ann');
  put(ann, 'f', 'x');
  const refused = await raw(server.tcp, 'GET', '/files/ann/f');
  assert.is(refused.status, 401);
  assert.match(refused.body, /^[^\n]+\n$/);
  const member = await Client.connect(server.tcp);
  member.send('bob\t0\n');
  const token = /welcome\tbob\t(\S+)\n/.exec(await member.expect(/.welcome\tbob\t\S+\n/))?.[1];
  assert.is((await raw(server.tcp, 'GET', '/files/ann/f', { Authorization: `Bearer ${token}` })).body, 'x');
  member.destroy();
  await until('it has left', () => /.*/.test(server.stderr));
  await pause(100);
  assert.is((await raw(server.tcp, 'GET', '/files/ann/f', { Authorization: `Bearer ${token}` })).status, 401);
});

test_(
  'slow and endless headers are closed, others are served meanwhile',
  async () => {
    const server = await start({ args: ['--open-files'] });
    const ann = await enter(server.tcp, 'ann');
    put(ann, 'f', 'x');
    const slow = await Client.connect(server.tcp);
    slow.send('GET /files/ann/f HTTP/1.1\r\n');
    const endless = await Client.connect(server.tcp);
    endless.send(`GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`);
    await endless.gone();
    assert.is((await raw(server.tcp, 'GET', '/files/ann/f')).body, 'x');
    await slow.gone(15_000);
  },
  30,
);

test_('a prefix that is none is refused at once', async () => {
  const server = await start({ args: ['--open-files'] });
  const ann = await enter(server.tcp, 'ann');
  put(ann, 'f', '0123456789');
  const sha = '0'.repeat(64);
  for (const headers of [
    { Range: 'bytes=5-', 'Parley-Prefix': 'foo' },
    { Range: 'bytes=-5', 'Parley-Prefix': sha },
    { Range: 'bytes=1-2', 'Parley-Prefix': sha },
    { Range: 'bytes=5-', 'Parley-Prefix': `${sha}\tx` },
    { 'Parley-Prefix': sha },
  ]) {
    assert.is((await raw(server.tcp, 'GET', '/files/ann/f', headers as Record<string, string>)).status, 400);
  }
  const other = await raw(server.tcp, 'GET', '/files/ann/f', { Range: 'bytes=5-', 'Parley-Prefix': sha });
  assert.equal([other.status, other.body], [200, '0123456789']);
});

// --- a client's own port ----------------------------------------------------------------------------------

test_('nobody gets anything from a client’s port without a ticket', async () => {
  const server = await start();
  const dir = temporaryDirectory();
  const free = net.createServer();
  await new Promise<void>((resolve) => free.listen(0, resolve));
  const { port } = free.address() as net.AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const command = [...clientCommand(), '-l', String(port), '-p', String(server.tcp), '--dir', dir];
  const ann = new Program({ command, port: 'none' });
  ann.type('ann\n');
  await ann.printed(/e\(X\)it\n/);
  fs.writeFileSync(path.join(dir, 'f'), 'secret');
  for (const headers of [{}, { Authorization: 'Bearer x' }, { Authorization: 'Bearer ' }]) {
    const answer = await raw(port, 'GET', '/f', headers as Record<string, string>);
    assert.is(answer.status, 403);
    assert.not.match(answer.body, /secret/);
  }
  const junk = await Client.connect(port);
  junk.send(randomBytes(5000));
  await junk.gone();
  ann.type('m\nstill here\nx\n');
  assert.is((await ann.exit()).status, 0);
});

// --- hostile owners ---------------------------------------------------------------------------------------

/** An owner made of raw bytes: `answer` says what it does with a question. */
async function owner(
  server: Server,
  answer: (ticket: string, send: (line: string) => void) => void,
): Promise<Client & { pushes: string[] }> {
  const socket = net.connect(server.tcp, '127.0.0.1');
  const pushes: string[] = [];
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    text += bytes.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const want = /^.want\t(\S+)\t/.exec(line);
      if (want) answer(want[1] as string, (reply) => socket.write(reply));
      const push = /^.push\t(\S+)\t(\d+)\t(\d+)$/.exec(line);
      if (push) pushes.push(push[1] as string);
    }
  });
  socket.write('eve\t0\n');
  await until('eve', () => text !== '' || socket.bytesRead > 0);
  return Object.assign(new Client(socket), { pushes });
}

const LIE = 'f'.repeat(64);

const LIARS: ReadonlyArray<readonly [string, string, string]> = [
  ['a wrong digest', `offer\tTICKET\t5\tv1\t${LIE}\tother\n`, 'hello'],
  ['fewer bytes than announced', `offer\tTICKET\t500\tv1\t${LIE}\tother\n`, 'hello'],
  ['more bytes than announced', `offer\tTICKET\t5\tv1\t${LIE}\tother\n`, 'hello, hello'],
  ['a refusal with an escape sequence', 'no\tTICKET\t403\t\x1b[2Jgotcha\n', ''],
  ['an offer that is none, and leaves', 'offer\tTICKET\t-1\t../..\tx\ty\n', ''],
];

async function meetsLiar([name, offer, body]: (typeof LIARS)[number]): Promise<void> {
  const server = await start();
  const eve = await owner(server, (ticket, send) => send(offer.replace('TICKET', ticket)));
  const ben = await enter(server.tcp, 'ben');
  ask(ben, 'eve', 'f');
  const serve = setInterval(() => {
    for (const ticket of eve.pushes.splice(0)) {
      const put = net.connect(server.tcp, '127.0.0.1');
      put.on('error', () => {});
      const length = /\t(\d+)\t/.exec(offer)?.[1];
      put.end(`PUT /relay/${ticket} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`);
    }
  }, 10);
  try {
    if (name.endsWith('leaves')) {
      await pause(1000);
      eve.destroy();
    }
    await ben.program.printed(/^f from eve: .+$/m, 40_000);
    assert.not.ok(ben.program.stdout.includes('\x1b'), name);
    assert.not(fs.existsSync(path.join(ben.dir, 'f')), name);
  } finally {
    clearInterval(serve);
  }
  const ann = await enter(server.tcp, 'ann');
  const content = put(ann, 'f', 'fine');
  ask(ben, 'ann', 'f');
  await has(ben, 'f', content);
}

test_('an owner that leaves behind its offer is gone at once', async () => {
  const server = await start({ args: ['--open-files'] });
  const eve = await owner(server, (ticket, send) => send(`offer\t${ticket}\t5\tv1\t${LIE}\tother\n`));
  const answer = raw(server.tcp, 'GET', '/files/eve/f');
  await until('the push', () => eve.pushes.length > 0);
  eve.destroy();
  assert.is((await answer).status, 503);
});

test_('busy without end costs the server nothing', async () => {
  const server = await start({ args: ['--open-files'] });
  const eve = await owner(server, (ticket, send) => send(`busy\t${ticket}\n`.repeat(100_000)));
  const requester = await Client.connect(server.tcp);
  requester.send('GET /files/eve/f HTTP/1.1\r\nHost: x\r\n\r\n');
  await requester.expect(/HTTP\/1\.1 102 [\s\S]*/);
  const member = await enter(server.tcp, 'ben');
  member.program.type('m\nhello\n');
  await eve.expect(/[\s\S]*ben: hello\n/);
  requester.halfClose();
  assert.ok((await requester.expect(/[\s\S]*/)).length < 1000);
});

test_('a server that sends a client elsewhere is not followed without --p2p', async () => {
  let asked = 0;
  const fake = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const text = bytes.toString();
      if (!text.startsWith('GET')) return void (text.includes('\t') && socket.write('\x1ewelcome\tben\ttoken\n'));
      asked++;
      socket.end('HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/f\r\nContent-Length: 0\r\n\r\n');
    });
  });
  await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
  const ben = await enter((fake.address() as net.AddressInfo).port, 'ben');
  ask(ben, 'ann', 'f');
  await ben.program.printed(/^f from ann: .+$/m);
  assert.is(asked, 1);
  fake.close();
});

// all at once, for each is asked again with pauses that grow
test_(
  'an owner that lies gets nothing into the directory, and the requester lives on',
  async () => {
    await Promise.all(LIARS.map(meetsLiar));
  },
  60,
);

test.run();
