// Both sides of TLS without a server around them: how long a handshake may take, and what is said before the other
// side is known. The clock is the test's.

import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Alarms } from '../src/alarm.ts';
import { type Given, readCommandLine, UsageError } from '../src/arguments.ts';
import { TlsServer } from '../src/tls.ts';
import { dial, explainTls, requestOptions, type TlsTrust } from '../src/tls-client.ts';
import { factsOf, makePair } from '../src/tls-files.ts';
import { readTls, TLS_OPTIONS } from '../src/tls-options.ts';

const HANDSHAKE_MS = 10_000;

// --- the server's side ---------------------------------------------------------------------------------------

const serving = suite('tls: the server’s side');

interface Taken {
  readonly socket: Socket;
  readonly protocol: string | undefined;
}

/** Takes whoever comes; `ring` is the one timer. */
async function listen() {
  let now = 1000;
  const alarms = new Alarms(() => {});
  const server = new TlsServer({ kind: 'self', file: undefined });
  const taken: Taken[] = [];
  const failed: string[] = [];
  const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.once('data', (first: Buffer) => {
      socket.pause();
      const opened = (inside: Socket, protocol: string | undefined) => {
        inside.on('error', () => {}).resume();
        taken.push({ socket: inside, protocol });
        listener.emit('opened');
      };
      server.take(
        socket,
        first,
        alarms,
        () => now,
        opened,
        (reason) => failed.push(reason),
      );
      listener.emit('taken');
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const pass = (ms: number) => {
    now += ms;
    alarms.ring(now);
  };
  const close = () => {
    server.stop();
    for (const { socket } of taken) socket.destroy();
    listener.close();
  };
  return { server, listener, port, taken, failed, pass, close };
}

serving('who stops in the middle of a handshake is given up, and nobody before', async () => {
  const { listener, port, failed, pass, close } = await listen();
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(Buffer.from('1603010200', 'hex'));
  await once(listener, 'taken');
  pass(HANDSHAKE_MS - 1);
  assert.equal(failed, []);
  pass(1);
  assert.equal(failed, ['no agreement in time']);
  await once(socket, 'close');
  pass(HANDSHAKE_MS);
  assert.is(failed.length, 1, 'it is told once');
  close();
});

const PROTOCOLS: Array<[asked: string[] | undefined, chosen: string | undefined]> = [
  [undefined, undefined],
  [['h2', 'http/1.1'], 'http/1.1'],
  [['http/1.1', 'parley-pipe'], 'parley-pipe'],
  [['irc'], 'irc'],
];
for (const [asked, chosen] of PROTOCOLS) {
  serving(`of ${asked ?? 'nothing'} it takes ${chosen ?? 'nothing'}`, async () => {
    const { listener, port, taken, close } = await listen();
    const socket = tls.connect({ port, rejectUnauthorized: false, ...(asked && { ALPNProtocols: asked }) });
    await Promise.all([once(socket, 'secureConnect'), once(listener, 'opened')]);
    assert.is(socket.alpnProtocol || undefined, chosen);
    assert.is(taken[0]?.protocol, chosen);
    socket.destroy();
    close();
  });
}

serving('who speaks HTTP/2 only is told so', async () => {
  const { port, failed, close } = await listen();
  const socket = tls.connect({ port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.on('error', resolve));
  assert.match(error.code ?? '', /NO_APPLICATION_PROTOCOL/);
  assert.is(failed.length, 1);
  close();
});

serving('a certificate that is kept nowhere stays the same when it is read again', () => {
  const server = new TlsServer({ kind: 'self', file: undefined });
  const { fingerprint } = server.facts;
  server.reload();
  assert.is(server.facts.fingerprint, fingerprint);
});

serving.run();

// --- the client's side ---------------------------------------------------------------------------------------

const dialing = suite('tls: the client’s side');
const PAIR = makePair(new Date());
const PIN = factsOf(PAIR).fingerprint.replaceAll(':', '').toLowerCase();

/** How a dial with this trust ends, and what the server was told; `greets` says something as soon as it can. */
async function meet(trust: TlsTrust, host = '127.0.0.1'): Promise<{ isReady: boolean; error: string; heard: string }> {
  let heard = '';
  const listener = tls.createServer(PAIR, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      heard += bytes;
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  let [isReady, error] = [false, ''];
  const socket = dial({ host, port, tls: trust }, {}, (ready) => {
    isReady = true;
    ready.end('secret');
  });
  socket.on('error', ({ message }) => {
    error = message;
  });
  socket.resume();
  await new Promise((resolve) => socket.on('close', resolve));
  await new Promise((resolve) => listener.close(resolve));
  return { isReady, error, heard };
}

dialing('the pinned server is told everything, under whatever name', async () => {
  const met = await meet({ pin: PIN });
  assert.equal(met, { isReady: true, error: '', heard: 'secret' });
});

dialing('another server is told nothing, and its fingerprint shown', async () => {
  const { isReady, error, heard } = await meet({ pin: '0'.repeat(64) });
  assert.equal([isReady, heard], [false, '']);
  assert.match(error, factsOf(PAIR).fingerprint);
});

dialing('one that nobody vouches for is told nothing', async () => {
  const { isReady, error, heard } = await meet({ pin: undefined });
  assert.equal([isReady, heard], [false, '']);
  assert.match(error, /not to be trusted/);
  assert.is(explainTls(new Error(error)), error);
});

dialing('a request over HTTP is not sent to another server', async () => {
  const { request } = await import('node:http');
  let heard = '';
  const listener = tls.createServer(PAIR, (socket) => {
    socket
      .on('error', () => {})
      .on('data', (bytes) => {
        heard += bytes;
      });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const asked = request({ ...requestOptions({ host: '127.0.0.1', port, tls: { pin: '0'.repeat(64) } }), path: '/x' });
  asked.setHeader('Authorization', 'Bearer secret');
  asked.end();
  const [error] = (await once(asked, 'error').catch((thrown) => [thrown])) as [Error];
  assert.match(error.message, /certificate is another one/);
  await new Promise((resolve) => listener.close(resolve));
  assert.is(heard, '');
});

function given(...argv: string[]): Given {
  const line = { name: 'x', usage: 'lab', about: '', options: TLS_OPTIONS, examples: [] };
  return readCommandLine(line, ['lab', ...argv], {}) as Given;
}

const COLONS = (PIN.toUpperCase().match(/../g) ?? []).join(':');
const READ: Array<[argv: string[], wanted: TlsTrust | undefined]> = [
  [[], undefined],
  [['--tls'], { pin: undefined }],
  [['--tls-pin', PIN], { pin: PIN }],
  [['--tls', '--tls-pin', COLONS], { pin: PIN }],
  [['--tls-pin', `sha256:${COLONS}`], { pin: PIN }],
  [['--tls-pin', `SHA256=${COLONS}`], { pin: PIN }],
];
for (const [argv, wanted] of READ) {
  dialing(`${argv.join(' ').slice(0, 40) || 'nothing'} is read`, () => assert.equal(readTls(given(...argv)), wanted));
}

for (const pin of ['', 'x', PIN.slice(1), `${PIN}0`, `sha1:${PIN}`]) {
  dialing(`--tls-pin ${pin.slice(0, 20)} is refused`, () => {
    assert.throws(
      () => readTls(given('--tls-pin', pin)),
      (error: Error) => error instanceof UsageError,
    );
  });
}

dialing.run();
