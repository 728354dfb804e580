// The client's end of the admin socket, against servers that do not behave.

import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AdminLink } from '../src/admin-link.ts';

const test = suite('admin link');
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
const servers: net.Server[] = [];
test.after(() => {
  for (const server of servers) server.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

async function serve(take: (socket: net.Socket) => void): Promise<string> {
  const file = path.join(directory, `${servers.length}.sock`);
  const server = net.createServer((socket) => take(socket.on('error', () => {})));
  servers.push(server);
  server.listen(file);
  await once(server, 'listening');
  return file;
}

async function failure(work: Promise<unknown>): Promise<string> {
  return work.then(
    (value) => `it went well: ${JSON.stringify(value)}`,
    (error) => error.message,
  );
}

test('one answer after the other', async () => {
  const file = await serve((socket) => socket.on('data', () => socket.write('one\ntwo\n.\n')));
  const link = await AdminLink.open(file);
  assert.equal(await link.ask('bans'), { text: 'one\ntwo', hasFailed: false });
  assert.equal(await link.ask('bans'), { text: 'one\ntwo', hasFailed: false });
  link.end();
});

test('a server that says nothing is not waited for without end', async () => {
  const link = await AdminLink.open(await serve(() => {}), 20);
  assert.is(await failure(link.ask('who')), 'the server has not answered within 0.02 s');
  link.end();
});

test('half an answer is none', async () => {
  const link = await AdminLink.open(await serve((socket) => socket.write('one\n')), 20);
  assert.match(await failure(link.ask('who')), /not answered/);
  link.end();
});

test('a server that goes away', async () => {
  const link = await AdminLink.open(await serve((socket) => socket.on('data', () => socket.destroy())));
  assert.is(await failure(link.ask('who')), 'the server has closed the connection');
  assert.is(await failure(link.ask('who')), 'the server has closed the connection');
});

test('nobody there', async () => {
  assert.match(await failure(AdminLink.open(path.join(directory, 'none.sock'))), /^there is no \S+none\.sock/);
});
test.run();
