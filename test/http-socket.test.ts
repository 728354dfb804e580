import http from 'node:http';
import net from 'node:net';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeadEnd } from '../src/http-head.ts';
import { HttpSocket } from '../src/http-socket.ts';
import { bytesOf } from './decoders.ts';

const heads = suite('http: the end of a head');

heads('is found in whatever pieces it comes', () => {
  const all = bytesOf('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nPUT /b HTTP/1.1\r\n\r\nrest');
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: all.length }), (sizes) => {
      const [head, found] = [new HeadEnd(), [] as number[]];
      for (let at = 0; at < all.length; ) {
        const piece = all.subarray(at, at + (sizes[at] ?? 1));
        const end = head.push(piece);
        at += end ?? piece.length;
        if (end !== undefined) found.push(at);
      }
      assert.equal(found, [29, 48]);
    }),
  );
});
heads.run();

const socket = suite('http: sockets');

interface Stage {
  readonly client: net.Socket;
  /** Requests that have come and are not answered yet. */
  readonly asked: Array<{ readonly url: string; answer(): void }>;
  readonly bodies: string[];
  got: string;
  close(): void;
}

type Visit = ConstructorParameters<typeof HttpSocket>[2];

const FREE: Visit = { read: () => 0, isHopeless: () => false };

async function open(visit: Visit = FREE): Promise<Stage> {
  const server = http.createServer(async (request, response) => {
    (request.socket as unknown as HttpSocket).began(request, response);
    const { url = '' } = request;
    stage.asked.push({ url, answer: () => response.end(url) });
    if (request.method !== 'PUT') return;
    let body = '';
    for await (const chunk of request.setEncoding('latin1')) body += chunk;
    stage.bodies.push(body);
  });
  const listener = net.createServer({ pauseOnConnect: true }, (one) => {
    server.emit('connection', new HttpSocket(one, undefined, visit, () => 0));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const client = net.connect((listener.address() as net.AddressInfo).port, '127.0.0.1');
  const stage: Stage = {
    client,
    asked: [],
    bodies: [],
    got: '',
    close: () => {
      client.destroy();
      listener.close();
    },
  };
  client.on('data', (bytes) => {
    stage.got += bytes;
  });
  client.on('error', () => {});
  return stage;
}

/** Until it is so; the test's own time limit is the runner's. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

async function rest(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

const get = (url: string) => `GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`;

socket('the next request comes when the last has been answered', async () => {
  const stage = await open();
  stage.client.write([1, 2, 3].map((at) => get(`/${at}`)).join(''));
  for (const at of [1, 2, 3]) {
    await until(() => stage.asked.length === at);
    await rest();
    assert.is(stage.asked.length, at, 'no more than that');
    stage.asked[at - 1]?.answer();
  }
  await until(() => /\/1.*\/2.*\/3$/s.test(stage.got));
  stage.close();
});

const BODIES: ReadonlyArray<[name: string, head: string, body: string, whole: string]> = [
  ['with a length', `Content-Length: ${200_000}`, 'x'.repeat(200_000), 'x'.repeat(200_000)],
  [
    'in chunks',
    'Transfer-Encoding: chunked',
    `${`1000\r\n${'y'.repeat(4096)}\r\n`.repeat(9)}0\r\n\r\n`,
    'y'.repeat(9 * 4096),
  ],
  ['that is empty', 'Content-Length: 0', '', ''],
];

for (const [name, head, body, whole] of BODIES) {
  socket(`a body ${name} passes whole, and the next request is behind it`, async () => {
    const stage = await open();
    stage.client.write(`PUT /put HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${body}${get('/next')}`);
    await until(() => stage.bodies.length === 1);
    assert.ok(stage.bodies[0] === whole);
    stage.asked[0]?.answer();
    await until(() => stage.asked.length === 2);
    assert.is(stage.asked[1]?.url, '/next');
    stage.close();
  });
}

socket('who asks too fast waits', async () => {
  let asked = 0;
  const stage = await open({ read: () => (++asked > 2 ? 1e6 : 0), isHopeless: () => false });
  stage.client.write(get('/') + get('/') + get('/') + get('/'));
  for (const at of [1, 2, 3]) {
    await until(() => stage.asked.length === at);
    stage.asked[at - 1]?.answer();
  }
  await rest();
  assert.is(stage.asked.length, 3);
  stage.close();
});

socket('who goes is gone for who answers, and what is no HTTP gets a status', async () => {
  const stage = await open();
  stage.client.write(get('/'));
  await until(() => stage.asked.length === 1);
  stage.client.end();
  await until(() => stage.client.readableEnded);
  const other = await open();
  other.client.write('GET nonsense\r\n\r\n');
  await until(() => /^HTTP\/1\.1 400 /.test(other.got));
  stage.close();
  other.close();
});
socket.run();
