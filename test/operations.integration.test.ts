// What operators do with a server that runs: is it well, what has it done, a copy of its database, a look at what it
// would start with; and what systemd is told.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makePair } from '../src/tls-files.ts';
import {
  Client,
  chat,
  Datagrams,
  externalIp,
  hasJoined,
  isDeno,
  join,
  joined,
  limited,
  pause,
  ROOT,
  runToEnd,
  type Server,
  said,
  serverCommand,
  start,
  temporaryDirectory,
} from './launch.ts';

const TOKEN = 'a-token-of-some-length';
const DAY_MS = 86_400_000;

async function get(server: Server, page: string, headers: Record<string, string> = {}, host = '127.0.0.1') {
  const answer = await fetch(`http://${host}:${server.tcp}/${page}`, { headers });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
}

async function enter(server: Server, name: string): Promise<Client> {
  const client = await Client.connect(server.tcp);
  client.send(join('hall', name));
  await client.expect(joined('hall', server, 0, 1));
  await client.expect(hasJoined(0, name));
  return client;
}

async function say(client: Client, name: string, text: string): Promise<void> {
  client.send(chat(0, 1, name, text));
  await client.expect(said(0, name, text));
}

// --- health and metrics --------------------------------------------------------------------------------------

const health = suite('operations: health and metrics');
const health_ = limited(health);

health_('it is alive, ready, and tells what it has done', async () => {
  const server = await start();
  assert.equal(await get(server, 'healthz'), { status: 200, type: 'text/plain; charset=utf-8', text: 'ok\n' });
  assert.is((await get(server, 'readyz')).status, 200);
  const ann = await enter(server, 'ann');
  await say(ann, 'ann', 'one');
  await say(ann, 'ann', 'two');
  // the first reading starts the watch on the event loop
  await get(server, 'metrics');
  await pause(100);
  const { status, type, text } = await get(server, 'metrics');
  assert.is(status, 200);
  assert.is(type, 'text/plain; version=0.0.4; charset=utf-8');
  const lines = [
    /^parley_build_info\{version="[\d.]+[^"]*",runtime="v\d+[^"]*"\} 1$/m,
    /^parley_messages_total\{dialect="lab"\} 2$/m,
    /^parley_connections\{dialect="lab"\} 1$/m,
    /^parley_connections_total\{dialect="lab",tls="no"\} 1$/m,
    /^parley_connections_total\{dialect="http",tls="no"\} \d+$/m,
    /^parley_store_up 1$/m,
    /^parley_store_seconds_count [1-9]\d*$/m,
    /^parley_queue_bytes 0$/m,
    /^parley_transfer_bytes_total 0$/m,
    /^parley_event_loop_delay_seconds\{quantile="0\.99"\} [\d.e-]+$/m,
    /^process_resident_memory_bytes \d+$/m,
  ];
  for (const line of lines) assert.match(text, line);
});

health_('who was turned away is counted by reason', async () => {
  const server = await start();
  const lost = await Client.connect(server.tcp);
  lost.send(' '.repeat(5000));
  await lost.gone();
  const { text } = await get(server, 'metrics');
  assert.match(text, /^parley_rejects_total\{reason="unknown"\} 1$/m);
});

health_('other words at these addresses', async () => {
  const server = await start();
  const url = `http://127.0.0.1:${server.tcp}`;
  assert.is((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405);
  const head = await fetch(`${url}/metrics`, { method: 'HEAD' });
  assert.is(head.status, 200);
  assert.is(await head.text(), '');
  assert.is((await get(server, 'metrics/more')).status, 404);
});

const outside = externalIp();
const outside_ = limited(outside === undefined ? health.skip : health);

outside_('elsewhere only the token opens them', async () => {
  const closed = await start();
  const open = await start({ args: ['--metrics-token', TOKEN] });
  for (const page of ['healthz', 'readyz', 'metrics']) {
    assert.is((await get(closed, page, {}, outside)).status, 403, page);
    assert.is((await get(open, page, {}, outside)).status, 401, page);
    assert.is((await get(open, page, { Authorization: 'Bearer another-token' }, outside)).status, 401, page);
    assert.is((await get(open, page, { Authorization: `Bearer ${TOKEN}` }, outside)).status, 200, page);
    assert.is((await get(open, page)).status, 200, page);
    // a proxy on this machine does not make everybody one of this machine
    assert.is((await get(open, page, { 'X-Forwarded-For': '192.0.2.1' })).status, 401, page);
  }
});

health.run();

// --- backup --------------------------------------------------------------------------------------------------

const backups = suite('operations: backup');
const backups_ = limited(backups);

backups_('while it runs, with all that was acknowledged', async () => {
  const server = await start();
  const ann = await enter(server, 'ann');
  for (let i = 0; i < 50; i++) await say(ann, 'ann', `message ${i}`);
  await pause(50);
  const copy = path.join(temporaryDirectory(), 'copy.db');
  const { status, stdout, stderr } = await runToEnd({ args: ['--backup', copy], data: server.data, port: 'none' });
  assert.is(status, 0, stderr);
  assert.match(stdout, /^\S+copy\.db: \d+ bytes, checked, in \d+ ms\n$/);
  const db = new DatabaseSync(copy, { readOnly: true });
  assert.is(db.prepare('SELECT count(*) AS posts FROM posts').get()?.posts, 50);
  db.close();
  await say(ann, 'ann', 'and on');
  const again = await start({ data: copy });
  await enter(again, 'ben');
});

backups_('never writes over what is there', async () => {
  const server = await start();
  const copy = path.join(temporaryDirectory(), 'copy.db');
  fs.writeFileSync(copy, 'a letter');
  const { status, stderr } = await runToEnd({ args: ['--backup', copy], data: server.data, port: 'none' });
  assert.is(status, 1);
  assert.match(stderr, /there already/);
  assert.is(fs.readFileSync(copy, 'utf8'), 'a letter');
});

const WRONG: Array<[args: string[], names: RegExp]> = [
  [['--backup', '/x/y.db', '--data', ':memory:'], /--backup/],
  [['--backup', '/x/y.db'], /PORT/],
  [['--backup', '', '--data', 'x.db'], /--backup/],
];
for (const [args, names] of WRONG) {
  backups_(`${args.join(' ')} is no backup`, async () => {
    const { status, stderr } = await runToEnd({ args, port: 'none' });
    assert.is(status, 2, stderr);
    assert.match(stderr, names);
  });
}

backups.run();

// --- check ---------------------------------------------------------------------------------------------------

const checks = suite('operations: check');
const checks_ = limited(checks);

interface Checked {
  readonly status: number | null;
  readonly lines: readonly string[];
}

async function check(
  args: readonly string[],
  data: string,
  port: number | 'none' = 0,
  env: Readonly<Record<string, string>> = {},
): Promise<Checked> {
  const { status, stdout } = await runToEnd({ args: ['--check', ...args], data, port, env });
  return { status, lines: stdout.trimEnd().split('\n') };
}

/** The line about that. */
function about(checked: Checked, what: string): string {
  return checked.lines.find((line) => new RegExp(`^(?:ok|note|bad) +${what}: `).test(line)) ?? checked.lines.join('\n');
}

checks_('beside a server that runs', async () => {
  const server = await start();
  await say(await enter(server, 'ann'), 'ann', 'one');
  const before = fs.readdirSync(path.dirname(server.data));
  const checked = await check([], server.data, server.tcp);
  assert.is(checked.status, 0, checked.lines.join('\n'));
  assert.match(about(checked, 'database'), /^ok .*whole, version \d+$/);
  assert.match(about(checked, `port ${server.tcp}`), /^note .*taken/);
  assert.match(about(checked, 'certificate'), /^ok .*none/);
  assert.equal(fs.readdirSync(path.dirname(server.data)), before, 'it leaves nothing');
});

checks_('what is not there yet is made later', async () => {
  const data = path.join(temporaryDirectory(), 'new.db');
  const checked = await check(['--tls-self'], data);
  assert.is(checked.status, 0);
  assert.match(about(checked, 'database'), /^ok .*will be made/);
  assert.match(about(checked, 'certificate'), /^ok .*will be made/);
  assert.equal(fs.readdirSync(path.dirname(data)), []);
});

checks_('a directory that is missing', async () => {
  const checked = await check([], path.join(temporaryDirectory(), 'none', 'new.db'));
  assert.is(checked.status, 1);
  assert.match(about(checked, 'database'), /^bad .*does not exist/);
});

checks_('a damaged database, and one of somebody else', async () => {
  const directory = temporaryDirectory();
  const file = path.join(directory, 'text.db');
  fs.writeFileSync(file, 'a letter, and not a short one');
  assert.match(about(await check([], file), 'database'), /^bad /);
  const other = path.join(directory, 'other.db');
  const db = new DatabaseSync(other);
  db.exec('CREATE TABLE t (a)');
  db.close();
  const checked = await check([], other);
  assert.is(checked.status, 1);
  assert.match(about(checked, 'database'), /^bad .*not a Parley database/);
});

checks_('a message of the day, and one that is not there', async () => {
  const directory = temporaryDirectory();
  const file = path.join(directory, 'motd');
  const missing = await check(['--motd', file], path.join(directory, 'house.db'));
  assert.is(missing.status, 1);
  assert.match(about(missing, 'motd'), /^bad .*ENOENT/);
  fs.writeFileSync(file, 'one\ntwo\n');
  const checked = await check(['--motd', file], path.join(directory, 'house.db'));
  assert.is(checked.status, 0);
  assert.is(about(checked, 'motd'), 'ok   motd: 2 lines');
});

checks_('uploads: none yet, some, no place for them, and none at all', async () => {
  const data = path.join(temporaryDirectory(), 'house.db');
  const directory = `${data}.uploads`;
  assert.match(about(await check([], data), 'uploads'), /^ok .*will be made/);
  fs.mkdirSync(directory);
  for (const name of ['0123456789abcdef', '0123456789abcdef.json']) fs.writeFileSync(path.join(directory, name), '');
  assert.match(about(await check([], data), 'uploads'), /^ok .*, 1 of them$/);
  fs.rmSync(directory, { recursive: true });
  fs.writeFileSync(directory, '');
  const checked = await check([], data);
  assert.is(checked.status, 1);
  assert.match(about(checked, 'uploads'), /^bad .*no directory/);
  assert.is(about(await check(['--uploads', 'off'], data), 'uploads'), 'ok   uploads: off');
});

const CERTIFICATES: Array<[what: string, shiftDays: number, status: number, line: RegExp]> = [
  ['good', 0, 0, /^ok .*CN=.*until \d{4}-.* sha256 [0-9A-F:]{95}$/],
  ['ended', -3651, 1, /^bad .*has ended/],
  ['to come', 30, 1, /^bad .*not valid before/],
  ['about to end', -3640, 0, /^note .*\d days are left/],
];
for (const [what, shiftDays, status, line] of CERTIFICATES) {
  checks_(`a certificate: ${what}`, async () => {
    const directory = temporaryDirectory();
    const [cert, key] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')];
    const pair = makePair(new Date(Date.now() + shiftDays * DAY_MS));
    fs.writeFileSync(cert, pair.cert);
    fs.writeFileSync(key, pair.key);
    const checked = await check(['--tls-cert', cert, '--tls-key', key], ':memory:');
    assert.match(about(checked, 'certificate'), line);
    assert.is(checked.status, status);
  });
}

/** A certificate of OpenSSL's, which we would not make. */
function selfSignedRsa(bits: number, directory: string): string[] {
  const [cert, key] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')];
  const args = `req -x509 -newkey rsa:${bits} -nodes -days 30 -subj /CN=house -keyout ${key} -out ${cert}`.split(' ');
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  return ['--tls-cert', cert, '--tls-key', key];
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const withOpenssl = limited(hasOpenssl ? checks : checks.skip);
for (const [bits, status] of [
  [1024, 1],
  [2048, 0],
] as const) {
  withOpenssl(`a key of ${bits} bits: as the server has it`, async () => {
    const args = selfSignedRsa(bits, temporaryDirectory());
    const checked = await check(args, ':memory:');
    assert.is(checked.status, status, checked.lines.join('\n'));
    if (status === 0) return;
    assert.match(about(checked, 'certificate'), /^bad .*key too small$/);
    const served = await runToEnd({ args, data: ':memory:', port: 0 });
    assert.is(served.status, 1);
    assert.match(served.stderr, /^parley-server: TLS: .*cert\.pem: .*key too small$/m);
  });
}

checks_('limits that are wrong: the status of the server', async () => {
  const file = path.join(temporaryDirectory(), 'limits');
  fs.writeFileSync(file, 'messages = many');
  const checked = await check(['--limits', file], ':memory:');
  assert.match(about(checked, 'limits'), /^bad .*messages = many/);
  assert.is(checked.status, 2);
  assert.is((await runToEnd({ args: ['--limits', file], data: ':memory:', port: 0 })).status, 2);
});

checks_('a port that is asked for twice', async () => {
  const free = await start();
  const port = free.tcp;
  free.kill('SIGTERM');
  await free.exit();
  const checked = await check(['--listen', `lab:${port}`], ':memory:', port);
  assert.match(about(checked, `port ${port}`), /^bad .*asked for 2 times, by every dialect, lab$/);
  assert.is(checked.lines.filter((line) => line.includes(`port ${port}`)).length, 1);
  assert.is(checked.status, 1);
});

/** For TCP. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

checks_('a port whose UDP another program has', async () => {
  let port = 0;
  // somebody's connection may have that number
  do ({ port } = await Datagrams.open());
  while (!(await isFree(port)));
  const checked = await check([], ':memory:', port);
  assert.match(about(checked, `port ${port}`), /^bad .*UDP is taken/);
  assert.is(checked.status, 1);
  const onlyTcp = await check(['--listen', `menu:${port}`], ':memory:');
  assert.match(onlyTcp.lines.join('\n'), /^ok +port \d+: free$/m);
});

checks_('an address of another machine', async () => {
  const checked = await check(['--host', '192.0.2.1'], ':memory:', 50_099);
  assert.match(about(checked, 'port 50099'), /^bad .*192\.0\.2\.1 is not an address of this machine/);
});

checks_('files that are not there', async () => {
  const none = path.join(temporaryDirectory(), 'none');
  const users = await check(['--import-users', none], ':memory:');
  assert.match(about(users, 'users'), /^bad .*there is no \S+none$/);
  assert.is(users.status, 1);
  const rows = path.join(temporaryDirectory(), 'users.csv');
  fs.writeFileSync(rows, 'ann,secret\nbob,secret\n');
  assert.match(about(await check(['--import-users', rows], ':memory:'), 'users'), /^ok .*2 rows$/);
  const admin = await check(['--admin', path.join(none, 'a.sock')], ':memory:');
  assert.match(about(admin, 'admin socket'), /^bad .*none does not exist$/);
  assert.is(admin.status, 1);
  const file = await check(['--admin', rows], ':memory:');
  assert.match(about(file, 'admin socket'), /^bad .*is no socket$/);
});

checks_('a place that is too long for an admin socket is worth a word', async () => {
  const directory = path.join(temporaryDirectory(), 'x'.repeat(120));
  fs.mkdirSync(directory);
  const checked = await check([], path.join(directory, 'house.db'));
  assert.match(about(checked, 'admin socket'), /^note .*longer than 103 bytes$/);
  assert.match(about(checked, 'disk'), /^(?:ok|note) .* MB are free/);
  assert.is(checked.status, 0);
});

checks_('a variable that nobody knows is worth a word, here and in the log', async () => {
  const env = { PARLEY_TSL_SELF: 'on' };
  const checked = await check([], ':memory:', 0, env);
  assert.match(about(checked, 'PARLEY_TSL_SELF'), /^note /);
  assert.is(checked.status, 0);
  await (await start({ env })).logged(/warn {2}unknown variable name=PARLEY_TSL_SELF/);
});

checks_('nobody reads on, or nobody can', async () => {
  const words = [...serverCommand(), '0', '--data', ':memory:', '--check'];
  const shell = (line: string) =>
    spawnSync('sh', ['-c', `${words.map((one) => `'${one}'`).join(' ')} ${line}`], { encoding: 'utf8' });
  assert.equal([shell('| head -1').stdout, shell('| true').stderr], ['ok   options: understood\n', '']);
  if (!fs.existsSync('/dev/full') || isDeno) return;
  const full = shell('> /dev/full');
  assert.is(full.status, 1);
  assert.match(full.stderr, /^parley-server: standard output: ENOSPC/);
});

checks_('options that are wrong', async () => {
  assert.is((await check(['--require-tls'], ':memory:')).status, 2);
  assert.is((await check(['--no-such-thing'], ':memory:')).status, 2);
});

checks.run();

// --- certificates ----------------------------------------------------------------------------------------------

const certificates = suite('operations: certificates');
const certificates_ = limited(certificates);

certificates_('outside of its dates: the log says so, at the start and when it is read again', async () => {
  const directory = temporaryDirectory();
  const [cert, key] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')];
  const place = (shiftDays: number) => {
    const pair = makePair(new Date(Date.now() + shiftDays * DAY_MS));
    fs.writeFileSync(cert, pair.cert);
    fs.writeFileSync(key, pair.key);
  };
  place(-3651);
  const server = await start({ args: ['--tls-cert', cert, '--tls-key', key] });
  await server.logged(/warn {2}clients refuse the certificate reason="it has ended"/);
  place(30);
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/warn {2}clients refuse the certificate reason="not valid before/);
});

certificates_('one and limits that are no good: both are told', async () => {
  const directory = temporaryDirectory();
  const [cert, key, limits] = ['cert.pem', 'key.pem', 'limits'].map((name) => path.join(directory, name)) as [
    string,
    string,
    string,
  ];
  const pair = makePair(new Date());
  fs.writeFileSync(cert, pair.cert);
  fs.writeFileSync(key, pair.key);
  fs.writeFileSync(limits, '');
  const server = await start({ args: ['--tls-cert', cert, '--tls-key', key, '--limits', limits] });
  fs.writeFileSync(cert, '');
  fs.writeFileSync(limits, 'messages = many');
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/not read again reason=.*cert\.pem has no certificate.*; the old limits stay: .*messages = many/);
});

certificates.run();

// --- systemd -------------------------------------------------------------------------------------------------

const systemd = suite('operations: systemd');
const systemd_ = limited(systemd);

systemd_('it is told when the server is ready, and not before', async () => {
  const directory = temporaryDirectory();
  const told = path.join(directory, 'told');
  fs.writeFileSync(
    path.join(directory, 'systemd-notify'),
    `#!/bin/sh\necho "$@" > ${told}.new && mv ${told}.new ${told}\n`,
    {
      mode: 0o755,
    },
  );
  const env = { NOTIFY_SOCKET: '/none', PATH: `${directory}:${process.env.PATH}` };
  await start({ env });
  for (let tries = 0; !fs.existsSync(told) && tries < 100; tries++) await pause(20);
  assert.match(fs.readFileSync(told, 'utf8'), /--ready/);
});

systemd_('a server goes on where there is nobody to tell', async () => {
  const server = await start({ env: { NOTIFY_SOCKET: '/none' } });
  await server.logged(/systemd was not told/);
  await enter(server, 'ann');
});

systemd_('a restart loses nothing that was said', async () => {
  const first = await start();
  const ann = await enter(first, 'ann');
  for (let i = 0; i < 20; i++) await say(ann, 'ann', `message ${i}`);
  first.kill('SIGTERM');
  assert.equal(await first.exit(), { status: 0, signal: null });
  const db = new DatabaseSync(first.data, { readOnly: true });
  assert.is(db.prepare('SELECT count(*) AS posts FROM posts').get()?.posts, 20);
  db.close();
});

const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;
limited(hasAnalyze ? systemd : systemd.skip)('the unit file is one', async () => {
  const unit = path.join(temporaryDirectory(), 'parley.service');
  // what is to be started is not installed here
  const text = fs
    .readFileSync(path.join(ROOT, 'docs', 'parley.service'), 'utf8')
    .replaceAll(/^(Exec\w+=)\S+/gm, '$1/bin/true');
  fs.writeFileSync(unit, text);
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
  const ours = stderr.split('\n').filter((line) => line.includes('parley.service'));
  assert.equal(ours, [], `${status}: ${stderr}`);
});

systemd.run();
