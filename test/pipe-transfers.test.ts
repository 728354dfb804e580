import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import disk from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { PipeTransfers } from '../src/pipe-transfers.ts';

const test = suite('pipe-transfers');
const WISH = { owner: 'alf', file: 'five.img' };
const REQUEST = { to: 'bob', file: 'song.mp3', ip: '127.0.0.1', port: 9, token: 'AAAAAAAAAAA' };

interface Bench {
  readonly transfers: PipeTransfers;
  readonly directory: string;
  /** The first that is told. */
  readonly told: Promise<string>;
}

function open(options: { trace?: string } = {}): Bench {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
  const told = Promise.withResolvers<string>();
  const trace = options.trace === undefined ? undefined : path.join(directory, options.trace);
  const transfers = new PipeTransfers(
    { directory, ip: '127.0.0.1', window: undefined, trouble: undefined, trace, timeoutMs: undefined, way: 'any' },
    { host: '127.0.0.1', answer: () => {}, shares: () => true, onBug: (error) => told.reject(error) },
    {
      arrived: ({ file }) => told.resolve(`${file} has arrived`),
      failed: (_wish, reason) => told.resolve(reason),
      relaying: () => told.resolve('relaying'),
      served: ({ file }) => told.resolve(`${file} is served`),
      notServed: (_request, reason) => told.resolve(reason),
      relayed: () => {},
    },
  );
  return { transfers, directory, told: told.promise };
}

function close({ transfers, directory }: Bench): void {
  transfers.close();
  fs.rmSync(directory, { recursive: true, force: true });
}

function tooMany(): never {
  throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
}

test('a system that gives no file or socket is a reason, and no bug', async () => {
  const { createSocket } = dgram;
  const bench = open();
  fs.writeFileSync(path.join(bench.directory, 'song.mp3'), 'song');
  try {
    dgram.createSocket = tooMany;
    bench.transfers.serve(REQUEST);
    assert.match(await bench.told, /^(?:it )?can't .*: .*too many/);
  } finally {
    dgram.createSocket = createSocket;
    close(bench);
  }
  const { open: openFile } = disk;
  const other = open();
  fs.writeFileSync(path.join(other.directory, 'song.mp3'), 'song');
  try {
    disk.open = async () => tooMany();
    other.transfers.serve(REQUEST);
    assert.match(await other.told, /can't/);
  } finally {
    disk.open = openFile;
    close(other);
  }
});

test('where nothing can be listened on, a fetch is refused and its trace is closed', async () => {
  const { createSocket } = dgram;
  const bench = open({ trace: 't' });
  try {
    dgram.createSocket = tooMany;
    const error = await bench.transfers.fetch(WISH).catch((reason: unknown) => reason);
    assert.ok(error instanceof HouseError && /^can't .*too many/.test(error.message));
    assert.equal(fs.readdirSync(bench.directory), []);
  } finally {
    dgram.createSocket = createSocket;
    close(bench);
  }
});

test('before anything has come it is said who is waited for', async () => {
  const bench = open();
  try {
    await bench.transfers.fetch(WISH);
    assert.equal(bench.transfers.lines(performance.now(), 80), ['five.img from alf  0 B  waiting for alf']);
  } finally {
    close(bench);
  }
});

test('an owner who has left before anything came is the reason', async () => {
  const bench = open();
  try {
    await bench.transfers.fetch(WISH);
    bench.transfers.ownerLeft('somebody else');
    bench.transfers.ownerLeft('ALF');
    assert.is(await bench.told, 'alf has left');
  } finally {
    close(bench);
  }
});

test('the classic wire leaves no trace', async () => {
  const bench = open({ trace: 't' });
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  try {
    await once(socket, 'listening');
    const place = await bench.transfers.fetch(WISH);
    socket.send('ERROR| File Not Found', place?.port ?? 0, '127.0.0.1');
    assert.is(await bench.told, 'there is no such file');
    bench.transfers.close();
    assert.equal(fs.readdirSync(bench.directory), []);
  } finally {
    socket.close();
    close(bench);
  }
});

test.run();
