import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, externalIp, limited, Program, ROOT, runToEnd, Server, temporaryDirectory } from './launch.ts';

const OUTPUTS = ['dist/parley-server', 'dist/parley-client', 'dist/server.mjs', 'dist/client.mjs'];
const COMPILE = path.join(ROOT, 'compile.sh');
const START = path.join(ROOT, 'start.sh');
const BUILD_SECONDS = 100;

const test = suite('start.sh');
const elsewhere = process.env.PARLEY_SERVER !== undefined;
if (elsewhere) console.log('skipped: start.sh and compile.sh serve dist/, and PARLEY_SERVER names another server');
const test_ = limited(elsewhere ? test.skip : test);

function times(): number[] {
  return OUTPUTS.map((file) => fs.statSync(path.join(ROOT, file)).mtimeMs);
}

async function compile(): Promise<void> {
  const program = new Program({ command: [COMPILE], port: 'none', cwd: temporaryDirectory() });
  assert.is((await program.exit(BUILD_SECONDS * 1000)).status, 0, program.stderr);
}

async function startScript(args: readonly string[], cwd = temporaryDirectory()): Promise<Server> {
  const server = new Server({ command: [START], args, cwd, data: 'house.db' });
  server.ports = await server.ready();
  return server;
}

test_(
  'has a compile.sh that does nothing when all is fresh',
  async () => {
    await compile();
    const before = times();
    const { status, stdout, stderr } = await runToEnd({ command: [COMPILE], port: 'none', cwd: temporaryDirectory() });
    assert.equal({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
    assert.equal(times(), before);
  },
  BUILD_SECONDS,
);

test_('serves from another directory, builds nothing, and ends with 0 at SIGTERM', async () => {
  const before = times();
  const directory = temporaryDirectory();
  const server = await startScript(['--student-id', '0042'], directory);
  const client = await Client.connect(server.tcp);
  client.send('HELO x\n');
  await client.expect(`HELO x\nIP:127.0.0.1\nPort:${server.tcp}\nStudentID:0042\n`);
  assert.equal(
    fs.readdirSync(directory).filter((name) => !/-wal|-shm/.test(name)),
    ['house.db', 'house.sock'],
    "paths are the caller's",
  );
  assert.equal(times(), before);
  server.kill('SIGTERM');
  assert.equal(await server.exit(), { status: 0, signal: null });
  assert.is(await client.toEnd(), '');
  assert.is(server.stdout, `ready tcp=${server.tcp} udp=${server.udp}\n`);
});

test_('ends at KILL_SERVICE from anywhere, unless told otherwise', async () => {
  const address = externalIp() ?? '127.0.0.1';
  const server = await startScript([]);
  const client = await Client.connect(server.tcp, address);
  client.send('KILL_SERVICE\n');
  assert.is(await client.toEnd(), '');
  assert.equal(await server.exit(), { status: 0, signal: null });
  const careful = await startScript(['--kill', 'off']);
  const other = await Client.connect(careful.tcp);
  other.send('KILL_SERVICE\n');
  await other.expect(/ERROR_CODE: 9\n.*\n/);
});

test_('passes on status and words of a server that cannot start', async () => {
  const { status, stdout, stderr } = await runToEnd({ command: [START], port: 'none', args: ['nonsense'] });
  assert.is(status, 2);
  assert.is(stdout, '');
  assert.match(stderr, /^parley-server: PORT "nonsense"[^\n]*\n$/);
});

test_('works through a symbolic link', async () => {
  const directory = temporaryDirectory();
  fs.symlinkSync(START, path.join(directory, 'start'));
  const { status, stdout } = await runToEnd({
    command: [path.join(directory, 'start')],
    port: 'none',
    args: ['--version'],
  });
  assert.is(status, 0);
  assert.match(stdout, /^parley-server\//);
});

test.run();
