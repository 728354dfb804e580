// Uploads and downloads in one process, on real sockets of the own machine and a real disk.

import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';
import disk from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { type DownloadOptions, GbnDownload } from '../src/gbn-download.ts';
import type { GbnTrace } from '../src/gbn-stats.ts';
import { GbnUpload, newTransferId, nextTransferId, type UploadOptions } from '../src/gbn-upload.ts';
import { PartLocks } from '../src/part-locks.ts';
import { Shelf } from '../src/shelf.ts';
import { encodeGbn } from '../src/wire-gbn.ts';
import { encodeClassic } from '../src/wire-gbn-classic.ts';
import { refusal } from './fakes.ts';

const test = suite('gbn download');

const HOST = '127.0.0.1';
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-download-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));
const content = randomBytes(300_000);
const shared = path.join(root, 'shared');
fs.mkdirSync(shared);
fs.writeFileSync(path.join(shared, 'song'), content);
let made = 0;

const ends: Array<GbnDownload | GbnUpload> = [];
test.after.each(() => {
  for (const end of ends.splice(0)) end.close();
});

function onBug(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
}

async function download(options: Partial<DownloadOptions> & Pick<DownloadOptions, 'wire'>): Promise<GbnDownload> {
  const directory = path.join(root, `${++made}`);
  fs.mkdirSync(directory);
  const locks = new PartLocks(path.join(root, 'locks'));
  const one = await GbnDownload.open({ disk, directory, locks, name: 'song', host: HOST, onBug, ...options });
  ends.push(one);
  return one;
}

async function upload(port: number, options: Partial<UploadOptions> & Pick<UploadOptions, 'wire'>): Promise<GbnUpload> {
  const peer = { ip: HOST, port };
  const shelf = new Shelf(disk, shared);
  const one = await GbnUpload.start({ shelf, name: 'song', peer, to: 'bob', host: HOST, onBug, ...options });
  ends.push(one);
  return one;
}

function sound(transferId: Uint8Array, onTrace?: (trace: GbnTrace) => void) {
  return { kind: 'sound' as const, transferId, window: 'auto' as const, packetBytes: 'auto' as const, onTrace };
}

async function say(port: number, ...datagrams: readonly Uint8Array[]): Promise<void> {
  const socket = dgram.createSocket('udp4');
  for (const datagram of datagrams) {
    await new Promise<void>((resolve) => socket.send(datagram, port, HOST, () => resolve()));
  }
  socket.close();
}

for (const kind of ['sound', 'first'] as const) {
  test(`a download that takes ${kind === 'first' ? 'either wire' : 'the sound one'}: sound`, async () => {
    const transferId = newTransferId();
    const to = await download({ wire: { kind, transferId }, patienceMs: 10_000 });
    assert.is(to.hasBegun, false);
    const from = await upload(to.port, { wire: sound(transferId), reachMs: 10_000 });
    const [sent, came] = await Promise.all([from.ended, to.ended]);
    assert.equal([sent.isDone, came.isDone, came.isVerified, to.isClassic], [true, true, true, false]);
    assert.equal([sent.size, sent.offset, came.size, came.offset], [content.length, 0, content.length, 0]);
    assert.ok(content.equals(fs.readFileSync(came.path as string)));
    assert.ok(from.isReached && to.hasBegun);
    assert.is(from.progress.done, content.length);
    assert.is(to.progress?.done, content.length);
    await to.closed;
  });
}

for (const kind of ['classic', 'first'] as const) {
  test(`a download that takes ${kind === 'first' ? 'either wire' : 'the classic one'}: classic`, async () => {
    const to = await download({ wire: { kind, ...(kind === 'first' && { transferId: newTransferId() }) } });
    const from = await upload(to.port, { wire: { kind: 'classic' } });
    const [sent, came] = await Promise.all([from.ended, to.ended]);
    assert.equal([sent.isDone, came.isDone, came.isVerified, to.isClassic], [true, true, false, true]);
    assert.equal([sent.isConfirmed, came.size], [true, content.length]);
    assert.ok(content.equals(fs.readFileSync(came.path as string)));
  });
}

test('a socket that is not to be had is a refusal, and no bug', async () => {
  const taken = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => taken.bind(0, HOST, () => resolve()));
  const { port } = taken.address();
  const rows = [
    [{ port }, /^can't open a UDP port: the port is taken by another program$/],
    // of the documentation's addresses
    [{ host: '192.0.2.1' }, /^can't open a UDP port: the address is none of this machine$/],
  ] as const;
  for (const [options, words] of rows) {
    for (const opening of [
      () => upload(9, { wire: sound(newTransferId()), ...options }),
      () => download({ wire: { kind: 'first', transferId: newTransferId() }, ...options }),
    ]) {
      const error = await opening().then(
        () => undefined,
        (refused) => refused,
      );
      assert.instance(error, HouseError);
      assert.is(error.code, 'disk');
      assert.match(error.message, words);
    }
  }
  taken.close();
});

test('a system without room for one more socket says so', async () => {
  const bind = dgram.Socket.prototype.bind;
  dgram.Socket.prototype.bind = function (this: dgram.Socket) {
    this.emit('error', Object.assign(new Error('bind EMFILE 0.0.0.0'), { code: 'EMFILE', syscall: 'bind' }));
    return this;
  } as typeof bind;
  try {
    const error = await upload(9, { wire: sound(newTransferId()) }).catch((refused) => refused);
    assert.equal(
      [error.code, error.message],
      ['disk', "can't open a UDP port: too many files and connections are open"],
    );
  } finally {
    dgram.Socket.prototype.bind = bind;
  }
});

test('another transfer’s sender is not heard', async () => {
  const transferId = newTransferId();
  const to = await download({ wire: { kind: 'sound', transferId } });
  const other = await upload(to.port, { wire: sound(newTransferId()), reachMs: 600 });
  const end = await other.ended;
  assert.equal([end.isDone, end.code, other.isReached], [false, 'aborted', false]);
  assert.match(end.text, /no answer/);
  assert.is(to.hasBegun, false);
});

test('nothing comes: it ends with that', async () => {
  const to = await download({ wire: { kind: 'first', transferId: newTransferId() }, patienceMs: 50 });
  const end = await to.ended;
  assert.equal([end.isDone, end.code, end.keptBytes, to.hasBegun], [false, 'silent', 0, false]);
  await to.closed;
});

test('a sender that is still reading its file is waited for', async () => {
  const transferId = newTransferId();
  const to = await download({ wire: { kind: 'first', transferId }, patienceMs: 500 });
  const wait = encodeGbn(transferId, { kind: 'wait', stamp: 0, heldUs: 0 });
  const from = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - from < 1500) void say(to.port, wait);
  }, 50);
  const end = await to.ended;
  clearInterval(timer);
  assert.is(end.code, 'silent');
  assert.ok(performance.now() - from >= 1500);
});

test('a refusal on either wire is told in its words', async () => {
  const transferId = newTransferId();
  const refusals = [
    [encodeGbn(transferId, { kind: 'end', code: 'refused', text: 'not for you' }), /not for you/],
    [encodeClassic({ kind: 'not-found' }), /no such file/],
    [encodeClassic({ kind: 'busy', requester: 'bob' }), /too many files/],
  ] as const;
  for (const [datagram, words] of refusals) {
    const to = await download({ wire: { kind: 'first', transferId } });
    await say(to.port, datagram);
    const end = await to.ended;
    assert.equal([end.isDone, end.code], [false, 'refused']);
    assert.match(end.text, words);
  }
});

test('ended by one, the other learns why', async () => {
  const transferId = newTransferId();
  const to = await download({ wire: { kind: 'sound', transferId } });
  const trouble = { loss: 0, duplicated: 0, reordered: 0, delayMs: 200, seed: 1 };
  const from = await upload(to.port, { wire: sound(transferId), trouble });
  to.abort('stopped');
  assert.match((await to.ended).text, /stopped/);
  const again = await download({ wire: { kind: 'sound', transferId }, port: to.port });
  from.abort('I am leaving');
  assert.match((await from.ended).text, /leaving/);
  assert.match((await again.ended).text, /leaving/);
});

test('a file that is not shared is refused before anything is sent', async () => {
  assert.is(await refusal(upload(9, { wire: sound(newTransferId()), name: 'nothing' })), 'no-such-file');
});

test('both ends trace: the same numbers', async () => {
  const transferId = newTransferId();
  const [sent, came]: [GbnTrace[], GbnTrace[]] = [[], []];
  const to = await download({ wire: { kind: 'sound', transferId, onTrace: (trace) => came.push(trace) } });
  const from = await upload(to.port, { wire: sound(transferId, (trace) => sent.push(trace)) });
  await Promise.all([from.ended, to.ended]);
  const numbers = (traces: GbnTrace[], kind: string) =>
    new Set(traces.filter((one) => one.kind === kind).map(({ seq }) => seq));
  assert.equal([...numbers(came, 'offer')], [...numbers(sent, 'offer')]);
  assert.equal([...numbers(came, 'data')].sort(), [...numbers(sent, 'data')].sort());
  assert.ok(came.some(({ kind, direction }) => kind === 'ack' && direction === 'out'));
});

test('the id of a transfer that begins again is another one, and both know it', () => {
  const id = newTransferId();
  const before = [...id];
  assert.not.equal([...nextTransferId(id)], before);
  assert.equal([...nextTransferId(nextTransferId(id))], before);
  assert.equal([...id], before);
  const view = Buffer.from(id);
  nextTransferId(view);
  assert.equal([...view], before);
});

test.run();
