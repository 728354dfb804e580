// Transfers in which nothing moves any more, and one in which little does. The limit is 30 s, and it takes
// as long: all of them run at once.

import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { limited, pause, type Server, start } from './launch.ts';
import { ask, enter, MB, put, type User } from './users.ts';

const test = suite('files: stalled');
const test_ = limited(test);

const LATE_MS = 45_000;
const SLOW_BYTES = 64 * 1024;

/** An owner that sends half of a file, and then nothing. */
function sleepyOwner(server: Server): void {
  const socket = net.connect(server.tcp, '127.0.0.1');
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    text += bytes.toString();
    const want = /want\t(\S+)\t.*\n/.exec(text);
    const push = /push\t(\S+)\t.*\n/.exec(text);
    if (want || push) text = '';
    if (want) socket.write(`offer\t${want[1]}\t1000\tv1\t${'0'.repeat(64)}\tother\n`);
    if (!push) return;
    const half = net.connect(server.tcp, '127.0.0.1');
    half.on('error', () => {});
    half.write(`PUT /relay/${push[1]} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(500)}`);
  });
  socket.write('sleepy\t0\n');
}

/** Asks for a file over plain HTTP and reads nothing of it until told. */
function fetchRaw(server: Server, file: string): net.Socket {
  const socket = net.connect(server.tcp, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`GET /files/ann/${file} HTTP/1.1\r\nHost: x\r\n\r\n`);
  socket.pause();
  return socket;
}

/** `file` is sparse: no time goes into writing it. */
function large(user: User, file: string): void {
  put(user, file, '');
  fs.truncateSync(path.join(user.dir, file), 100 * MB);
}

test_(
  '30 s without a byte end a transfer with a line at both ends; a slow one goes on',
  async () => {
    const server = await start({ args: ['--open-files'] });
    const [ann, ben] = [await enter(server.tcp, 'ann'), await enter(server.tcp, 'ben')];
    for (const file of ['stopped', 'slow']) large(ann, file);
    sleepyOwner(server);
    const since = performance.now();
    const seconds = () => (performance.now() - since) / 1000;
    const stopped = fetchRaw(server, 'stopped');
    const slow = fetchRaw(server, 'slow');
    const sip = setInterval(() => slow.read(SLOW_BYTES), 500);
    try {
      await ben.program.printed(/e\(X\)it\n/);
      ask(ben, 'sleepy', 'f');
      await ben.program.printed(/^f from sleepy: nothing came for 30 s.*$/m, LATE_MS);
      assert.ok(seconds() > 25, `after ${seconds()} s`);
      await ann.program.printed(/^stopped to a stranger: nothing was taken for 30 s$/m, LATE_MS);
      assert.ok(seconds() > 25, `after ${seconds()} s`);
      assert.equal(fs.readdirSync(ben.dir), ['f.part']);
      if (process.platform !== 'linux') return;
      await pause(Math.max(0, LATE_MS - seconds() * 1000));
      assert.not(slow.closed, 'the slow one was ended');
      assert.not.match(ann.program.stdout, /^slow to/m);
    } finally {
      clearInterval(sip);
      stopped.destroy();
      slow.destroy();
    }
    // both are still at their menus
    ben.program.type('m\nhello\n');
    await ann.program.printed(/^ben: hello$/m);
  },
  100,
);

test.run();
