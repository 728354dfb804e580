import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Client,
  chat,
  Datagrams,
  hasIpv6Loopback,
  hasJoined,
  join,
  joined,
  limited,
  pause,
  runToEnd,
  type Server,
  said,
  start,
  temporaryDirectory,
} from './launch.ts';

/** What is queued has 2 s to go out when the server ends; then it ends. */
const STOP_MS = 2000;
const SLACK_MS = 800;

async function answersHelo(server: Server, host = '127.0.0.1', id = '00000000'): Promise<void> {
  const client = await Client.connect(server.tcp, host);
  client.send('HELO x\n');
  await client.expect(`HELO x\nIP:${host}\nPort:${server.tcp}\nStudentID:${id}\n`);
  client.destroy();
}

async function member(server: Server, name: string, id: number): Promise<Client> {
  const client = await Client.connect(server.tcp);
  client.send(join('room1', name));
  await client.expect(joined('room1', server, 0, id) + hasJoined(0, name));
  return client;
}

/** A member for whom more is waiting than the system takes, so that the server can't get rid of it. */
async function stuckMember(server: Server): Promise<void> {
  const ann = await member(server, 'ann', 1);
  const stuck = await member(server, 'stuck', 2);
  stuck.stopReading();
  await ann.expect(hasJoined(0, 'stuck'));
  const text = 'x'.repeat(60_000);
  const COUNT = 700; // 42 MB; the largest socket buffers of Linux have 4 MB and 32 MB
  ann.send(chat(0, 1, 'ann', text).repeat(COUNT));
  await ann.take(COUNT * said(0, 'ann', text).length, 15_000);
}

// --- the command line ------------------------------------------------------------------------------------

const command = suite('server command line');
const command_ = limited(command);

command_('prints its help to stdout and ends with 0', async () => {
  for (const flag of ['--help', '-h']) {
    const { status, stdout, stderr } = await runToEnd({ port: 'none', args: [flag] });
    assert.is(status, 0);
    assert.is(stderr, '');
    assert.match(stdout, /parley-server <port>/);
    for (const option of [
      'host',
      'listen',
      'data',
      'kill',
      'student-id',
      'advertise',
      'sendq',
      'udp-idle',
      'log-level',
    ]) {
      assert.match(stdout, new RegExp(`--${option} `));
    }
    const lines = stdout.split('\n');
    assert.ok(lines.length <= 64, `${lines.length} lines`);
    assert.ok(
      lines.every((line) => line.length <= 120),
      'no long line',
    );
  }
});

command_('prints its version and ends with 0', async () => {
  for (const flag of ['--version', '-v']) {
    const { status, stdout, stderr } = await runToEnd({ port: 'none', args: [flag] });
    assert.is(status, 0);
    assert.is(stderr, '');
    assert.match(stdout, /^parley-server\/\d+\.\d+\.\d+ .*\n$/);
  }
});

const BAD: ReadonlyArray<readonly [readonly string[], RegExp]> = [
  [[], /PORT is missing/],
  [[''], /PORT/],
  [['nonsense'], /PORT "nonsense".*whole number.*65535/],
  [['65536'], /PORT "65536".*65535/],
  [['-1'], /-1/],
  [['50.5'], /PORT "50\.5".*whole number/],
  [['0x50'], /PORT "0x50".*whole number/],
  [['1e3'], /PORT "1e3".*whole number/],
  [['0', '6000'], /6000/],
  [['0', '--nope'], /--nope/],
  [['0', '--host'], /--host/],
  [['0', '--host', 'not-an-address'], /--host not-an-address.*IP address/],
  [['0', '--listen', 'lab'], /--listen lab.*DIALECT:PORT/],
  [['0', '--listen', 'lab:x'], /--listen port "x".*whole number/],
  [['0', '--listen', 'lab:1:2'], /--listen lab:1:2.*DIALECT:PORT/],
  [['0', '--listen', 'smoke:0'], /--listen smoke.*lab/],
  [['0', '--kill', 'maybe'], /--kill maybe.*any, local, off/],
  [['0', '--student-id', 'a\nb'], /--student-id/],
  [['0', '--advertise', 'here'], /--advertise here.*IP address/],
  [['0', '--sendq', '12'], /--sendq "12".*65536/],
  [['0', '--udp-idle', '0'], /--udp-idle "0"/],
  [['0', '--log-level', 'loud'], /--log-level loud.*debug/],
  [['0', '--log-format', 'xml'], /--log-format xml.*json/],
  [['0', '--data'], /--data/],
];

command_('says in one line which argument is bad and why, and ends with 2', async () => {
  const rows = [...BAD];
  const lane = async () => {
    for (let row = rows.shift(); row; row = rows.shift()) {
      const [args, why] = row;
      const { status, stdout, stderr } = await runToEnd({ port: 'none', args });
      const shown = `${JSON.stringify(args)}: ${status} ${JSON.stringify(stdout + stderr)}`;
      assert.is(status, 2, shown);
      assert.is(stdout, '', shown);
      assert.match(stderr, /^parley-server: [^\n]+ \(see --help\)\n$/, shown);
      assert.match(stderr, why, shown);
    }
  };
  await Promise.all([lane(), lane()]);
});

command_('takes its options from the environment, and rather from the arguments', async () => {
  const data = path.join(temporaryDirectory(), 'from-env.db');
  const env = {
    PARLEY_PORT: '0',
    PARLEY_STUDENT_ID: '007',
    PARLEY_HOST: '127.0.0.1',
    PARLEY_DATA: data,
    PARLEY_LISTEN: 'lab:0, lab:0',
    PARLEY_LOG_FORMAT: 'json',
    PARLEY_KILL: 'off',
  };
  const server = await start({ port: 'none', data: 'none', env });
  await answersHelo(server, '127.0.0.1', '007');
  assert.match(server.stdout, /^ready tcp=\d+ udp=\d+ lab=\d+ lab=\d+\n$/);
  assert.ok(fs.existsSync(data));
  await server.logged(/^\{.*\}\n/);
  const client = await Client.connect(server.tcp);
  client.send('KILL_SERVICE\n');
  await client.expect(/ERROR_CODE: 9\n.*\n/);
  const other = await start({ env: { ...env, PARLEY_PORT: 'nonsense' }, args: ['--student-id', '42'] });
  await answersHelo(other, '127.0.0.1', '42');
  const { status, stderr } = await runToEnd({ env: { PARLEY_KILL: 'maybe' } });
  assert.is(status, 2);
  assert.match(stderr, /kill maybe/i);
});

command_('keeps what it stores in the state directory, for its owner alone', async () => {
  const state = temporaryDirectory();
  const probe = await start();
  const port = probe.tcp;
  probe.kill('SIGTERM');
  await probe.exit();
  await start({ port, data: 'none', env: { XDG_STATE_HOME: state } });
  const file = path.join(state, 'parley', `${port}.db`);
  assert.is(fs.statSync(file).mode & 0o777, 0o600);
  assert.is(fs.statSync(path.dirname(file)).mode & 0o777, 0o700);
});

command_('writes the ready line to stdout and nothing else', async () => {
  const server = await start({ args: ['--log-level', 'debug'] });
  assert.is(server.tcp, server.udp);
  await answersHelo(server);
  server.kill('SIGTERM');
  await server.exit();
  assert.is(server.stdout, `ready tcp=${server.tcp} udp=${server.udp}\n`);
});

command_('logs in text and in JSON, one line for each event', async () => {
  for (const format of ['text', 'json']) {
    const server = await start({ args: ['--log-level', 'debug', '--log-format', format] });
    const client = await Client.connect(server.tcp);
    client.send('NICK ann\x1b[31m\r\nQUIT\r\n');
    await client.toEnd();
    server.kill('SIGTERM');
    await server.exit();
    const lines = server.stderr.trimEnd().split('\n');
    if (format === 'json') {
      const events = lines.map((line) => JSON.parse(line));
      for (const { time, level } of events) assert.ok(Date.parse(time) > 0 && /^(?:info|debug)$/.test(level));
      const names = events.map(({ event }) => event);
      for (const event of ['ready', 'connected', 'disconnected', 'stopping']) {
        assert.ok(names.includes(event), `${event} in ${names}`);
      }
    } else {
      for (const line of lines) assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z (?:info|debug) +[a-z]+/);
      assert.match(server.stderr, /info +stopping reason=SIGTERM\n/);
    }
  }
});

command.run();

// --- ports and files -------------------------------------------------------------------------------------

const places = suite('server ports and files');
const places_ = limited(places);

places_('refuses a port that is taken, and leaves who has it alone', async () => {
  const server = await start();
  const ann = await member(server, 'ann', 1);
  const data = path.join(temporaryDirectory(), 'other.db');
  const { status, stdout, stderr } = await runToEnd({ port: server.tcp, data });
  assert.is(status, 1);
  assert.is(stdout, '');
  assert.match(stderr, new RegExp(`^parley-server: [^\n]*port ${server.tcp}[^\n]*taken[^\n]*\n$`));
  assert.not(fs.existsSync(data));
  ann.send(chat(0, 1, 'ann', 'still here'));
  await ann.expect(said(0, 'ann', 'still here'));
});

places_('refuses a port whose UDP half is taken', async () => {
  const holder = await Datagrams.open('0.0.0.0');
  const { status, stderr } = await runToEnd({ port: holder.port, data: ':memory:' });
  assert.is(status, 1);
  assert.match(stderr, /taken/);
});

places_('refuses data that is not its own, and leaves it as it is', async () => {
  const directory = temporaryDirectory();
  const make = (name: string, content: string | Uint8Array) => {
    const file = path.join(directory, name);
    fs.writeFileSync(file, content);
    return file;
  };
  const foreign = path.join(directory, 'foreign.db');
  const db = new DatabaseSync(foreign);
  db.exec('CREATE TABLE mine (a); INSERT INTO mine VALUES (1)');
  db.close();
  const ours = await start();
  ours.kill('SIGTERM');
  await ours.exit();
  const whole = fs.readFileSync(ours.data);
  const damaged = make('damaged.db', Buffer.concat([whole.subarray(0, 100), Buffer.alloc(8000, 'x')]));
  const cut = make('cut.db', whole.subarray(0, 2000));
  const newer = make('newer.db', whole);
  const later = new DatabaseSync(newer);
  later.exec('PRAGMA user_version = 99; PRAGMA journal_mode = DELETE');
  later.close();
  const rows: ReadonlyArray<readonly [string, RegExp]> = [
    [make('notes.txt', 'dear diary\n'), /not a Parley database/],
    [make('long.txt', 'dear diary\n'.repeat(1000)), /not a Parley database/],
    [foreign, /not a Parley database/],
    [damaged, /damaged/],
    [cut, /damaged/],
    [newer, /newer/],
    [directory, /is a directory/],
    [path.join(directory, 'nowhere', 'house.db'), /directory .*nowhere does not exist/],
    [path.join(directory, 'notes.txt', 'house.db'), /not a directory/],
  ];
  const listing = fs.readdirSync(directory).sort();
  const contents = new Map(listing.map((name) => [name, fs.readFileSync(path.join(directory, name), 'latin1')]));
  for (const [data, why] of rows) {
    const { status, stdout, stderr } = await runToEnd({ data });
    assert.is(status, 1, `${data}: ${stderr}`);
    assert.is(stdout, '');
    assert.match(stderr, /^parley-server: [^\n]+\n$/, stderr);
    assert.ok(stderr.includes(path.basename(data)) || stderr.includes(path.dirname(data)), `names the file: ${stderr}`);
    assert.match(stderr, why);
  }
  assert.equal(fs.readdirSync(directory).sort(), listing);
  for (const [name, content] of contents) {
    assert.ok(fs.readFileSync(path.join(directory, name), 'latin1') === content, `${name} is as it was`);
  }
});

places_('refuses data that another server has open', async () => {
  const server = await start();
  const { status, stderr } = await runToEnd({ data: server.data });
  assert.is(status, 1);
  assert.match(stderr, /^parley-server: [^\n]*house\.db is in use[^\n]*\n$/);
  const ann = await member(server, 'ann', 1);
  ann.send(chat(0, 1, 'ann', 'still here'));
  await ann.expect(said(0, 'ann', 'still here'));
});

places_('takes an empty file as a new one', async () => {
  const data = path.join(temporaryDirectory(), 'empty.db');
  fs.writeFileSync(data, '');
  await answersHelo(await start({ data }));
});

places_('speaks one dialect alone on a --listen port', async () => {
  const server = await start({ args: ['--listen', 'lab:0'] });
  const port = server.ports.lab as number;
  assert.match(server.stdout, /^ready tcp=\d+ udp=\d+ lab=\d+\n$/);
  const client = await Client.connect(port);
  client.send('GET / HTTP/1.1\r\n\r\nNICK bob\r\n');
  await client.silent(200);
  client.send(`${join('room1', 'ann')}HELO x\n`);
  await client.expect(`JOINED_CHATROOM: room1\nSERVER_IP: 127.0.0.1\nPORT: ${port}\nROOM_REF: 0\nJOIN_ID: 1\n`);
  await client.expect(`${hasJoined(0, 'ann')}HELO x\nIP:127.0.0.1\nPort:${port}\nStudentID:00000000\n`);
  const ben = await member(server, 'ben', 2);
  ben.send(chat(0, 2, 'ben', 'same house'));
  await client.expect(hasJoined(0, 'ben') + said(0, 'ben', 'same house'));
});

places_('listens on one address when told so', async () => {
  for (const host of ['127.0.0.1', 'localhost']) {
    const server = await start({ args: ['--host', host] });
    await answersHelo(server);
    if (hasIpv6Loopback()) {
      const refused = await Client.connect(server.tcp, '::1').then(
        () => 'connected',
        () => 'refused',
      );
      assert.is(refused, 'refused');
    }
  }
  const { status, stderr } = await runToEnd({ args: ['--host', '203.0.113.9'], data: ':memory:' });
  assert.is(status, 1);
  assert.match(stderr, /^parley-server: 203\.0\.113\.9 is not an address of this machine\n$/);
});

if (!hasIpv6Loopback()) console.log('skipped: no ::1 here');
(hasIpv6Loopback() ? places_ : limited(places.skip))('listens on IPv4 and IPv6', async () => {
  const server = await start();
  await answersHelo(server, '127.0.0.1');
  await answersHelo(server, '::1');
  const udp = await Datagrams.open('::1');
  udp.send('HELO x\n', server.udp, '::1');
  await udp.expect(`HELO x\nIP:::1\nPort:${server.udp}\nStudentID:00000000\n`);
  const only6 = await start({ args: ['--host', '::1'] });
  await answersHelo(only6, '::1');
});

places.run();

// --- the end ---------------------------------------------------------------------------------------------

const ending = suite('server end');
const ending_ = limited(ending);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  ending_(`tells its members at ${signal} and ends with 0`, async () => {
    const server = await start();
    const silent = await Client.connect(server.tcp); // accepted before ann is answered
    const ann = await member(server, 'ann', 1);
    const udp = await Datagrams.open();
    udp.send(join('room1', 'ursula', '127.0.0.1', udp.port), server.udp);
    await udp.expect(joined('room1', server, 0, 2));
    await udp.expect(hasJoined(0, 'ursula'));
    await ann.expect(hasJoined(0, 'ursula'));
    const since = performance.now();
    server.kill(signal);
    const farewell = /CHAT: 0\nCLIENT_NAME: server\nMESSAGE: [^\n]+\n\n/;
    await ann.expect(farewell);
    await udp.expect(farewell);
    assert.is(await ann.toEnd(), '');
    assert.is(await silent.toEnd(), '');
    assert.equal(await server.exit(), { status: 0, signal: null });
    assert.ok(performance.now() - since < 1000, 'nobody has to be waited for');
    assert.match(server.stderr, new RegExp(`stopping reason=${signal}\n`));
    assert.equal(fs.readdirSync(path.dirname(server.data)), ['house.db'], 'the database is closed properly');
  });
}

ending_('ends within 2 s although a client reads nothing', async () => {
  const server = await start({ args: ['--sendq', String(2 ** 28)] });
  await stuckMember(server);
  const since = performance.now();
  server.kill('SIGTERM');
  assert.equal(await server.exit(), { status: 0, signal: null });
  const ms = performance.now() - since;
  assert.ok(ms > 1000, `the client was waited for (${ms.toFixed(0)} ms)`);
  assert.ok(ms < STOP_MS + SLACK_MS, `${ms.toFixed(0)} ms`);
});

ending_('ends at once at the second signal', async () => {
  const server = await start({ args: ['--sendq', String(2 ** 28)] });
  await stuckMember(server);
  server.kill('SIGINT');
  await server.logged(/stopping/);
  const since = performance.now();
  server.kill('SIGINT');
  assert.is((await server.exit()).status, 1);
  assert.ok(performance.now() - since < 700);
});

ending_('starts on the same port and file at once after kill -9', async () => {
  const first = await start();
  const ann = await member(first, 'ann', 1);
  ann.send(chat(0, 1, 'ann', 'hi'));
  await ann.expect(said(0, 'ann', 'hi'));
  first.kill('SIGKILL');
  await first.exit();
  const second = await start({ port: first.tcp, data: first.data });
  await member(second, 'ann', 1);
});

ending.run();

// --- one port --------------------------------------------------------------------------------------------

const port = suite('server on one port');
const port_ = limited(port);

/** Dialects that are not built: [name, opening, the whole answer]. */
const NOT_BUILT: ReadonlyArray<readonly [string, string | Uint8Array, RegExp]> = [
  ['tls', Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03), /^$/],
];

port_('answers and closes what it does not speak yet, and logs it', async () => {
  const server = await start({ args: ['--log-level', 'debug'] });
  for (const [dialect, opening, answer] of NOT_BUILT) {
    const client = await Client.connect(server.tcp);
    client.send(opening);
    assert.match(await client.toEnd(), answer, dialect);
    await server.logged(
      new RegExp(`not built id=\\S+ from=127\\.0\\.0\\.1 dialect=${dialect}\n(?:.*\n)*.*disconnected`),
    );
  }
  await answersHelo(server);
});

/** Openings that can still become something else, and what makes them `lab` if that is possible. */
const UNDECIDED: ReadonlyArray<readonly [string, string?]> = [
  [''],
  ['H', 'ELO x\n'],
  ['HELO', ' x\n'],
  ['KILL_'],
  [' \r\n\r\n', 'HELO x\n'],
  ['J'],
  ['C'],
  ['chat '],
  ['LEAVE CHAT'],
  ['G'],
  ['GET'],
  ['LGIN00'],
  ['ROOM'],
  ['NICK '],
  ['USER bob'],
  ['\x16'],
];

port_('does not decide too early, and lets silent clients stay', async () => {
  const server = await start();
  const clients = await Promise.all(UNDECIDED.map(() => Client.connect(server.tcp)));
  for (const [i, [opening]] of UNDECIDED.entries()) (clients[i] as Client).send(opening);
  await Promise.all(clients.map((client) => client.silent(1000)));
  for (const [i, [, more]] of UNDECIDED.entries()) {
    if (more === undefined) continue;
    (clients[i] as Client).send(more);
    await (clients[i] as Client).expect(`HELO x\nIP:127.0.0.1\nPort:${server.tcp}\nStudentID:00000000\n`);
  }
});

port_('closes a connection that is undecided after 4 KiB', async () => {
  const server = await start();
  const client = await Client.connect(server.tcp);
  client.send('\n'.repeat(4095));
  await client.silent(200);
  client.send('\n');
  assert.is(await client.toEnd(), '');
  await server.logged(/dropped id=\S+ from=127\.0\.0\.1 reason="[^"]+"\n/);
  await answersHelo(server);
});

port_('takes what stops in the middle of a word for a name, or for a line without an end', async () => {
  const server = await start();
  const [ann, jo, lab] = [
    await Client.connect(server.tcp),
    await Client.connect(server.tcp),
    await Client.connect(server.tcp),
  ];
  ann.send('ann\n');
  jo.send('Jo');
  lab.send('HELO x');
  await lab.expect(/HELO x\n/);
  await pause(2500);
  jo.send('i am Jo');
  await ann.expect('Jo: i am Jo\n');
});

port_('closes a connection that is undecided 10 s after its first byte, not one that said nothing', async () => {
  const server = await start();
  const silent = await Client.connect(server.tcp);
  const client = await Client.connect(server.tcp);
  const since = performance.now();
  client.send('\r\n');
  assert.is(await client.toEnd(13_000), '');
  const ms = performance.now() - since;
  assert.ok(ms > 9000, `after ${ms.toFixed(0)} ms`);
  await silent.silent(0);
  silent.send('HELO x\n');
  await silent.expect(/HELO x\n/);
});

port.run();
