// Files that the house keeps, over HTTP on the main port: as curl and IRC clients bring them, and as nobody should.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Client,
  eventually,
  externalIp,
  join,
  joined,
  limited,
  runToEnd,
  type Server,
  start,
  temporaryDirectory,
} from './launch.ts';

const MB = 1024 ** 2;
const CHUNK_BYTES = 64 * 1024;

const test = suite('uploads');
const test_ = limited(test);

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Request {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly host?: string;
  readonly body?: Uint8Array | string;
  /** Without Content-Length. */
  readonly isChunked?: boolean;
  readonly isTls?: boolean;
}

function ask(server: Server, target: string, given: Request = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, host = '127.0.0.1', body, isChunked, isTls } = given;
  const length = body === undefined || isChunked ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const options = { host, port: server.tcp, method, path: target, agent: false, headers: { ...length, ...headers } };
  return new Promise((resolve, reject) => {
    const request = isTls ? https.request({ ...options, rejectUnauthorized: false }) : http.request(options);
    request.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Brings a file; the path of its link. */
async function bring(server: Server, body: Uint8Array | string, given: Request = {}): Promise<string> {
  const { status, headers, body: said } = await ask(server, '/upload', { method: 'POST', body, ...given });
  assert.is(status, 201, said.toString());
  return new URL(headers.location ?? '').pathname;
}

const directoryOf = (server: Server) => `${server.data}.uploads`;
const filesOf = (server: Server) => (fs.existsSync(directoryOf(server)) ? fs.readdirSync(directoryOf(server)) : []);
const named = (name: string) => ({ headers: { 'Content-Disposition': `attachment; filename="${name}"` } });
const basic = (words: string) => ({ Authorization: `Basic ${Buffer.from(words).toString('base64')}` });

async function metric(server: Server, name: string): Promise<number> {
  const text = (await ask(server, '/metrics')).body.toString();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

// --- there and back ------------------------------------------------------------------------------------------

test_('an IRC client drops a picture: OPTIONS, POST, and everybody gets it by its link', async () => {
  const server = await start();
  const options = await ask(server, '/upload', { method: 'OPTIONS' });
  assert.is(options.status, 204);
  assert.is(options.headers.allow, 'OPTIONS, POST, PUT');
  assert.is(options.headers['accept-post'], '*/*');
  const picture = randomBytes(300_000);
  const sent = await ask(server, '/upload', {
    method: 'POST',
    body: picture,
    headers: { 'Content-Type': 'image/png', 'Content-Disposition': "attachment; filename*=UTF-8''gr%C3%BCn%201.png" },
  });
  assert.is(sent.status, 201);
  const { location = '' } = sent.headers;
  assert.match(location, new RegExp(`^http://127\\.0\\.0\\.1:${server.tcp}/upload/[\\w-]{22}/gr%C3%BCn%201\\.png$`));
  assert.is(sent.body.toString(), `${location}\n`);
  const link = new URL(location).pathname;
  const got = await ask(server, link);
  assert.is(got.status, 200);
  assert.ok(got.body.equals(picture));
  assert.is(got.headers['content-type'], 'image/png');
  assert.is(got.headers['content-disposition'], 'inline; filename="gr_n 1.png"; filename*=UTF-8\'\'gr%C3%BCn%201.png');
  assert.is(got.headers['x-content-type-options'], 'nosniff');
  assert.match(got.headers['content-security-policy']?.toString() ?? '', /default-src 'none'.*sandbox/);
  const head = await ask(server, link, { method: 'HEAD' });
  assert.equal([head.status, head.headers['content-length'], head.body.length], [200, '300000', 0]);
  assert.is(head.headers.etag, got.headers.etag);
});

const WAYS = [
  ['curl -T FILE URL/', 'PUT', '/upload/a%20b.txt', {}, 'a%20b.txt'],
  ['curl -T - URL', 'PUT', '/upload', {}, 'file'],
  ['curl --data-binary', 'POST', '/upload', { 'Content-Type': 'application/x-www-form-urlencoded' }, 'file'],
  ['a slash at the end', 'POST', '/upload/', {}, 'file'],
  ['both names', 'POST', '/upload/x', { 'Content-Disposition': 'attachment; filename=y' }, 'y'],
] as const;
test_('every way to bring a file works, told or not how long it is', async () => {
  const server = await start();
  for (const [title, method, target, headers, name] of WAYS) {
    for (const isChunked of [false, true]) {
      const body = randomBytes(200_000);
      const link = await bringTo(server, target, { method, headers, body, isChunked });
      assert.is(link.split('/').at(-1), name, title);
      assert.ok((await ask(server, link)).body.equals(body), title);
    }
  }
});

async function bringTo(server: Server, target: string, request: Request): Promise<string> {
  const { status, headers, body } = await ask(server, target, request);
  assert.is(status, 201, body.toString());
  return new URL(headers.location ?? '').pathname;
}

test_('files of every awkward size come back as they were', async () => {
  const server = await start();
  for (const size of [0, 1, 4095, 4096, 4097, 65_536, 65_537, 3 * MB + 1]) {
    const body = randomBytes(size);
    const { status, body: got } = await ask(server, await bring(server, body));
    assert.equal([status, got.length, got.equals(body)], [200, size, true]);
  }
});

test_('ranges, tags and dates', async () => {
  const server = await start();
  const body = randomBytes(100_000);
  const link = await bring(server, body, named('f.bin'));
  const { etag = '', 'last-modified': date = '' } = (await ask(server, link)).headers;
  const part = async (headers: Record<string, string>) => {
    const { status, headers: told, body: got } = await ask(server, link, { headers });
    return [status, told['content-range'], got.length];
  };
  assert.equal(await part({ Range: 'bytes=10-19' }), [206, 'bytes 10-19/100000', 10]);
  assert.ok((await ask(server, link, { headers: { Range: 'bytes=99990-' } })).body.equals(body.subarray(99_990)));
  assert.equal(await part({ Range: 'bytes=-5' }), [206, 'bytes 99995-99999/100000', 5]);
  assert.equal(await part({ Range: 'bytes=100000-' }), [416, 'bytes */100000', 0]);
  assert.equal(await part({ Range: 'bytes=0-1,5-6' }), [200, undefined, 100_000]);
  assert.equal(await part({ Range: 'bytes=0-9', 'If-Range': etag }), [206, 'bytes 0-9/100000', 10]);
  assert.equal(await part({ Range: 'bytes=0-9', 'If-Range': '"other"' }), [200, undefined, 100_000]);
  assert.equal(await part({ 'If-None-Match': `"x", ${etag}` }), [304, undefined, 0]);
  assert.equal(await part({ 'If-None-Match': '"x"', 'If-Modified-Since': date }), [200, undefined, 100_000]);
  assert.equal(await part({ 'If-Modified-Since': date }), [304, undefined, 0]);
});

test_('a page that somebody brings is saved, never shown', async () => {
  const server = await start();
  for (const [name, type] of [
    ['page.html', 'text/html'],
    ['pic.svg', 'image/svg+xml'],
    ['pic.png', 'text/html; charset=utf-8'],
  ] as const) {
    const headers = { 'Content-Type': type, ...named(name).headers };
    const got = await ask(server, await bring(server, '<script>alert(1)</script>', { headers }));
    assert.is(got.headers['content-type'], 'application/octet-stream');
    assert.match(got.headers['content-disposition'] ?? '', /^attachment; /);
  }
});

test_('a digest that is given must be the file’s', async () => {
  const server = await start();
  const hello = 'sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:';
  await bring(server, 'hello', { headers: { 'Repr-Digest': hello } });
  const { status } = await ask(server, '/upload', { method: 'POST', body: 'hallo', headers: { 'Repr-Digest': hello } });
  assert.is(status, 400);
  assert.is(filesOf(server).length, 2);
});

test_('who waits for 100 Continue gets it when the file can be taken, and not otherwise', async () => {
  const server = await start({ args: ['--uploads', '1000'] });
  const head = (length: number) =>
    `PUT /upload/f HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`;
  const client = await Client.connect(server.tcp);
  client.send(head(5));
  await client.expect('HTTP/1.1 100 Continue\r\n\r\n');
  client.send('hello');
  await client.expect(/HTTP\/1\.1 201 [\s\S]*\r\n\r\nhttp:\/\/a\/upload\/.*\/f\n/);
  const refused = await Client.connect(server.tcp);
  refused.send(head(2000));
  await refused.expect(/HTTP\/1\.1 413 [\s\S]*a file has at most 1000 bytes here\n/);
});

test_('the link is at the address that the operator gives, or the one that was asked', async () => {
  const server = await start({ args: ['--public-url', 'https://chat.example/parley/'] });
  const { headers } = await ask(server, '/upload/f', { method: 'PUT', body: 'x' });
  assert.match(headers.location ?? '', /^https:\/\/chat\.example\/parley\/upload\/[\w-]+\/f$/);
  const other = await start({ args: ['--tls-self'] });
  const sent = await ask(other, '/upload/f', { method: 'PUT', body: 'x', isTls: true, headers: { Host: 'my.host:1' } });
  assert.match(sent.headers.location ?? '', /^https:\/\/my\.host:1\/upload\//);
  const odd = await ask(other, '/upload/f', { method: 'PUT', body: 'x', headers: { Host: '"><script>' } });
  if (odd.status === 201) assert.match(odd.headers.location ?? '', /^http:\/\/127\.0\.0\.1:\d+\/upload\//);
});

test_('what comes and goes is counted', async () => {
  const server = await start({ args: ['--uploads', '1000'] });
  const link = await bring(server, 'x'.repeat(900));
  await ask(server, link);
  await ask(server, '/upload', { method: 'POST', body: 'x'.repeat(1001) });
  const names = [
    'parley_uploads_total{outcome="kept"}',
    'parley_uploads_total{outcome="refused"}',
    'parley_upload_files',
    'parley_upload_kept_bytes',
    'parley_upload_bytes_total{direction="in"}',
    'parley_upload_bytes_total{direction="out"}',
    'parley_rejects_total{reason="upload-too-long"}',
  ];
  assert.equal(await Promise.all(names.map((name) => metric(server, name))), [1, 1, 1, 900, 900, 900, 1]);
});

// --- what is not taken ---------------------------------------------------------------------------------------

test_('what is too large is refused: by its length, or as it comes', async () => {
  const server = await start({ args: ['--uploads', '100K'] });
  for (const isChunked of [false, true]) {
    const { status, body } = await ask(server, '/upload', { method: 'POST', body: randomBytes(3 * MB), isChunked });
    assert.equal([status, body.toString()], [413, 'a file has at most 102400 bytes here\n']);
  }
  await bring(server, randomBytes(100 * 1024));
  assert.is(filesOf(server).length, 2);
});

test_('a full house says so, and takes what still fits', async () => {
  const server = await start({ args: ['--uploads', '1M', '--upload-total', '2M'] });
  await bring(server, randomBytes(MB));
  for (const isChunked of [false, true]) {
    const { status, body } = await ask(server, '/upload', { method: 'POST', body: randomBytes(MB), isChunked });
    assert.is(status, 507);
    assert.match(body.toString(), /full/);
  }
  await bring(server, randomBytes(MB / 2));
  assert.is(filesOf(server).length, 4);
});

const REFUSED = [
  ['no length', 'POST /upload HTTP/1.1\r\nHost: a\r\n\r\n', 411, /Content-Length is missing/],
  [
    'a form',
    'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\nx',
    415,
    /not a form/,
  ],
  [
    'an encoding',
    'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Encoding: gzip\r\n\r\nx',
    415,
    /Content-Encoding/,
  ],
  [
    'a part',
    'PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Range: bytes 0-0/5\r\n\r\nx',
    400,
    /whole/,
  ],
  [
    'another way to authorize',
    'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nAuthorization: Bearer x\r\n\r\nx',
    401,
    /Basic/,
  ],
  ['GET without a file', 'GET /upload HTTP/1.1\r\nHost: a\r\n\r\n', 405, /curl -T FILE/],
  ['DELETE', 'DELETE /upload/aaaaaaaaaaaaaaaaaaaaaa/f HTTP/1.1\r\nHost: a\r\n\r\n', 405, /GET, HEAD/],
  [
    'POST to a file',
    'POST /upload/aaaaaaaaaaaaaaaaaaaaaa/f HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx',
    405,
    /GET, HEAD/,
  ],
  ['a path too deep', 'GET /upload/a/b/c HTTP/1.1\r\nHost: a\r\n\r\n', 404, /no such file/],
] as const;
test_('what can’t be understood is refused in one clear line', async () => {
  const server = await start();
  for (const [title, head, status, words] of REFUSED) {
    const client = await Client.connect(server.tcp);
    client.send(head);
    const answer = await client.toEnd();
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), title);
    assert.match(answer, words, title);
  }
  assert.equal(filesOf(server), []);
});

test_('lengths that lie, and bodies that are none', async () => {
  const server = await start();
  for (const head of [
    'Content-Length: -1',
    'Content-Length: 99999999999999999999999',
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Content-Length: 0x5',
    'Transfer-Encoding: chunked\r\n\r\nzz',
  ]) {
    const client = await Client.connect(server.tcp);
    client.send(`POST /upload HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\nhello`);
    client.halfClose();
    await client.gone();
  }
  await eventually(() => filesOf(server).length === 0 || undefined, 'something is left');
  await bring(server, 'x');
});

test_('no name leads anywhere else', async () => {
  const server = await start();
  const outside = path.join(path.dirname(server.data), 'outside');
  fs.writeFileSync(outside, 'precious');
  for (const target of [
    '/upload/..%2f..%2foutside',
    '/upload/%2e%2e%2foutside',
    '/upload/..%5c..%5coutside',
    `/upload/${encodeURIComponent(outside)}`,
    '/upload/%00outside',
    '/upload/outside%0d%0aX:%20y',
  ]) {
    const link = await bringTo(server, target, { method: 'PUT', body: 'x' });
    assert.match(link, /^\/upload\/[\w-]{22}\/outside/);
    const got = await ask(server, link);
    assert.equal([got.status, got.body.toString()], [200, 'x']);
    assert.is(got.headers.x, undefined);
  }
  assert.is(fs.readFileSync(outside, 'utf8'), 'precious');
  const [id = ''] = filesOf(server);
  for (const target of [
    '/upload/..%2f../outside',
    '/upload/..%2foutside/outside',
    `/upload/${id}.json/outside`,
    `/upload/${id}.json/x`,
    `/upload/${id.toLowerCase()}x/outside`,
    `/upload/${id}/other`,
    `/upload/${id}%00/outside`,
    '/upload/__proto__/x',
    '/upload/aaaaaaaaaaaaaaaaaaaaaa/x',
  ]) {
    assert.is((await ask(server, target)).status, 404, target);
  }
});

test_('a server that keeps nothing, or is told to, keeps no files', async () => {
  for (const started of [start({ data: ':memory:' }), start({ args: ['--uploads', 'off'] })]) {
    const server = await started;
    for (const method of ['POST', 'OPTIONS', 'GET']) {
      const { status } = await ask(server, '/upload', { method, ...(method === 'POST' ? { body: 'x' } : {}) });
      assert.is(status, 404);
    }
  }
});

test_('a directory that can’t be used is told at the start', async () => {
  const data = path.join(temporaryDirectory(), 'house.db');
  fs.writeFileSync(`${data}.uploads`, 'a file');
  const { status, stderr } = await runToEnd({ data });
  assert.is(status, 1);
  assert.match(stderr, /house\.db\.uploads: .*--uploads off/);
});
test.run();

// --- who may -------------------------------------------------------------------------------------------------

const who = suite('uploads, who may');
const who_ = limited(who);
const elsewhere = externalIp();

async function withAccounts(...args: string[]): Promise<Server> {
  const users = path.join(temporaryDirectory(), 'users.csv');
  fs.writeFileSync(users, 'ann,secret\nbob,other\n');
  return start({ args: ['--import-users', users, ...args] });
}

async function statusOf(server: Server, headers: Record<string, string> = {}, host = '127.0.0.1'): Promise<number> {
  const { status, headers: told } = await ask(server, '/upload', { method: 'POST', body: 'x', headers, host });
  if (status === 401) assert.match(told['www-authenticate'] ?? '', /^Basic realm=/);
  return status;
}

who_('an account’s name and password, if they are given, have to be right', async () => {
  const server = await withAccounts();
  assert.is(await statusOf(server), 201);
  assert.is(await statusOf(server, basic('ann:secret')), 201);
  assert.is(await statusOf(server, basic('ANN:secret')), 201);
  assert.is(await statusOf(server, basic('ann:wrong')), 401);
  assert.is(await statusOf(server, basic('nobody:secret')), 401);
  assert.match(server.stderr, /upload from=127\.0\.0\.1 by=ann /);
  assert.not.match(server.stderr, /secret/);
});

who_('passwords can’t be tried out without end', async () => {
  const server = await withAccounts('--trusted', 'none');
  for (let i = 0; i < 5; i++) assert.is(await statusOf(server, basic(`ann:${i}`)), 401);
  assert.is(await statusOf(server, basic('ann:secret')), 429);
});

who_('with --upload-accounts-only nobody else may', async () => {
  const server = await withAccounts('--upload-accounts-only');
  assert.is(await statusOf(server), 401);
  assert.is(await statusOf(server, basic('bob:other')), 201);
});

who_('what a proxy passes on, or a page of somebody else’s asks for, needs an account', async () => {
  const server = await withAccounts();
  const ours = `http://127.0.0.1:${server.tcp}`;
  assert.is(await statusOf(server, { 'X-Forwarded-For': '10.0.0.1' }), 401);
  assert.is(await statusOf(server, { Forwarded: 'for=10.0.0.1' }), 401);
  assert.is(await statusOf(server, { Origin: 'http://evil.example' }), 401);
  assert.is(await statusOf(server, { Origin: 'null' }), 401);
  assert.is(await statusOf(server, { Origin: ours }), 201);
  assert.is(await statusOf(server, { Origin: 'http://chat.example', ...basic('ann:secret') }), 201);
  const asked = await ask(server, '/upload', { method: 'OPTIONS', headers: { Origin: 'http://chat.example' } });
  assert.is(asked.headers['access-control-allow-origin'], '*');
  assert.match(asked.headers['access-control-allow-headers']?.toString() ?? '', /Authorization/);
});

if (elsewhere) {
  who_('who is in the house may, from where they are, as long as they are there', async () => {
    const server = await withAccounts();
    assert.is(await statusOf(server, {}, elsewhere), 401);
    assert.is(await statusOf(server, basic('ann:secret'), elsewhere), 201);
    const client = await Client.connect(server.tcp, elsewhere);
    client.send(join('room1', 'cy'));
    await client.expect(
      new RegExp(
        joined('room1', server, 1, 1)
          .replace('127.0.0.1', '[\\d.]+')
          .replace(/REF: 1/, 'REF: \\d+')
          .replace(/ID: 1/, 'ID: \\d+'),
      ),
    );
    assert.is(await statusOf(server, {}, elsewhere), 201);
    client.destroy();
    for (let tries = 0; (await statusOf(server, {}, elsewhere)) !== 401; tries++) assert.ok(tries < 500);
  });

  who_('so many files at once of one network, others are free', async () => {
    const server = await withAccounts('--trusted', 'none');
    const begun: Client[] = [];
    for (let i = 0; i < 64; i++) {
      const client = await Client.connect(server.tcp);
      client.send('PUT /upload/f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
      await client.expect(/HTTP\/1\.1 100 .*\r\n\r\n/);
      begun.push(client);
    }
    assert.is(await statusOf(server), 429);
    assert.is(await statusOf(server, basic('ann:secret'), elsewhere), 201);
    begun[0]?.send('hello');
    await begun[0]?.expect(/HTTP\/1\.1 201 /);
    assert.is(await statusOf(server), 201);
  });
}
who.run();

// --- what breaks off -----------------------------------------------------------------------------------------

const cut = suite('uploads, cut');
const cut_ = limited(cut);

/** Begins to bring a file of 10 MB; resolves when some of it is on the disk. */
async function begin(server: Server, framing: string): Promise<Client> {
  const client = await Client.connect(server.tcp);
  client.send(`PUT /upload/big HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
  const chunk = randomBytes(CHUNK_BYTES);
  const isChunked = framing.startsWith('Transfer');
  for (let i = 0; i < 10; i++) {
    client.send(
      isChunked ? Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]) : chunk,
    );
  }
  await eventually(() => partBytes(server) >= 10 * CHUNK_BYTES || undefined, 'the part did not grow');
  return client;
}

function partBytes(server: Server): number {
  const parts = filesOf(server).filter((name) => name.endsWith('.part'));
  return parts.reduce((sum, name) => sum + fs.statSync(path.join(directoryOf(server), name)).size, 0);
}

for (const framing of [`Content-Length: ${10 * MB}`, 'Transfer-Encoding: chunked']) {
  cut_(`what breaks off leaves nothing (${framing})`, async () => {
    const server = await start();
    for (const how of ['destroy', 'reset', 'halfClose'] as const) {
      const client = await begin(server, framing);
      client[how]();
      await eventually(() => filesOf(server).length === 0 || undefined, `something is left after ${how}`);
      client.destroy();
    }
    assert.is(await metric(server, 'parley_uploads_total{outcome="failed"}'), 3);
    await bring(server, 'x');
  });
}

cut_('after kill -9 everything that was answered is there, and nothing else', async () => {
  const first = await start();
  const contents = Array.from({ length: 20 }, (_, i) => randomBytes(i * 1000));
  const links: string[] = [];
  for (const [i, content] of contents.entries()) links.push(await bring(first, content, named(`f${i}`)));
  await begin(first, `Content-Length: ${10 * MB}`);
  // some are under way when it ends
  const kept: Array<readonly [string, Buffer]> = [];
  const more = Array.from({ length: 30 }, async () => {
    const content = randomBytes(50_000);
    kept.push([await bring(first, content, named('late')), content]);
  });
  await Promise.race(more);
  first.kill('SIGKILL');
  await first.exit();
  await Promise.allSettled(more);
  const second = await start({ data: first.data });
  for (const [i, link] of links.entries()) {
    const { status, body, headers } = await ask(second, link);
    assert.equal([status, body.equals(contents[i] as Buffer)], [200, true]);
    assert.match(headers['content-disposition'] ?? '', new RegExp(`filename="f${i}"`));
  }
  for (const [link, content] of kept) assert.ok((await ask(second, link)).body.equals(content));
  const left = filesOf(second);
  assert.equal(
    left.filter((name) => name.endsWith('.part')),
    [],
  );
  assert.is(left.length, 2 * (await metric(second, 'parley_upload_files')));
  const total = await metric(second, 'parley_upload_files');
  assert.ok(total >= links.length + kept.length && total <= links.length + more.length);
});

cut_('what is gone from the disk is not there, and no bug', async () => {
  const server = await start();
  const link = await bring(server, 'x');
  for (const name of filesOf(server)) fs.unlinkSync(path.join(directoryOf(server), name));
  assert.is((await ask(server, link)).status, 404);
  assert.is(await metric(server, 'parley_upload_files'), 0);
});

cut_('what is old at the start is gone', async () => {
  const first = await start();
  const [old, young] = [await bring(first, 'old'), await bring(first, 'young')];
  first.kill('SIGTERM');
  await first.exit();
  const note = path.join(`${first.data}.uploads`, `${old.split('/')[2]}.json`);
  const text = fs.readFileSync(note, 'utf8');
  fs.writeFileSync(note, text.replace(/"at":\d+/, `"at":${Date.now() - 86_500_000}`));
  const second = await start({ data: first.data, args: ['--upload-days', '1'] });
  assert.is((await ask(second, old)).status, 404);
  assert.is((await ask(second, young)).body.toString(), 'young');
  await eventually(() => filesOf(second).length === 2 || undefined, 'the old one is still on the disk');
});

cut_('who reads slowly, or not at all, keeps nobody else from it', async () => {
  const server = await start();
  const body = randomBytes(20 * MB);
  const link = await bring(server, body);
  const slow = await Client.connect(server.tcp);
  slow.stopReading();
  slow.send(`GET ${link} HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.ok((await ask(server, link)).body.equals(body));
  slow.destroy();
  assert.ok((await ask(server, link)).body.equals(body));
});

cut_(
  'memory does not grow with what comes and goes',
  async () => {
    const server = await start({ args: ['--uploads', '200M'] });
    const body = randomBytes(100 * MB);
    const link = await bring(server, body);
    await ask(server, link);
    assert.ok(server.memory() < 300, `${server.memory()} MB`);
  },
  60,
);
cut.run();
