// parley-client -l PORT -p PORT on a pseudo-terminal: what a person sees there, row by row.

import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Client,
  clientCommand,
  eventually,
  hasTerminals,
  heard,
  limited,
  pause,
  type Server,
  start,
  startMenu,
  Terminal,
  temporaryDirectory,
  watchMain,
} from './launch.ts';

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const UP = '\x1b[A';
const LEFT = '\x1b[D';
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour begins with
const COLOUR = /\x1b\[[\d;]*m/;
const MENU = ["Enter an option ('m', 'f', 'x'):", '  (M)essage (send)', '  (F)ile (request)', ' e(X)it'];
const GOODBYE = 'closing your sockets...goodbye';
const FILE_BYTES = 30_000_000;

const test = suite('parley-client -l -p on a terminal');
const test_ = hasTerminals() ? limited(test) : (name: string) => test.skip(`${name} (needs python3)`);

function openTerminal(server: Server, cwd = temporaryDirectory(), env = {}, size = [24, 120]): Terminal {
  return new Terminal([...clientCommand(), '-l', '0', '-p', String(server.tcp)], cwd, env, size);
}

/** One that has entered. */
async function open(server: Server, name = 'ann', cwd?: string, env?: Record<string, string>): Promise<Terminal> {
  const terminal = openTerminal(server, cwd, env);
  await terminal.endsWith('What is your name?', '|');
  terminal.type(`${name}\r`);
  await terminal.endsWith('What is your name?', name, ...MENU, '|');
  return terminal;
}

interface House {
  readonly server: Server;
  readonly bob: Client;
  readonly watcher: Client;
}

/** With bob, a plain client. */
async function openHouse(): Promise<House> {
  const server = await start();
  const watcher = await watchMain(server);
  const bob = await Client.connect(server.tcp);
  bob.send('bob\n');
  await heard(watcher, 'bob has joined this chatroom.');
  return { server, bob, watcher };
}

/** A member that shares files, and is played by the test. */
async function enterOwner({ server, watcher }: House, name: string): Promise<Client> {
  const owner = await Client.connect(server.tcp);
  owner.send(`${name}\t0\n`);
  await heard(watcher, `${name} has joined this chatroom.`);
  await owner.expect(/.welcome[^\n]+\n/);
  return owner;
}

/** With a third of a file from eve, of which the rest does not come. */
async function openFetching(house: House, directory: string, env = {}, size = [24, 120]): Promise<Terminal> {
  const eve = await enterOwner(house, 'eve');
  const ann = openTerminal(house.server, directory, env, size);
  await ann.program.printed(/name\?/);
  ann.type('ann\r');
  await ann.program.printed(/e\(X\)it/);
  ann.type('f\reve\rbig.bin\r');
  const [, ticket = ''] = (await eve.expect(/.want\t[^\n]+\n/)).split('\t');
  eve.send(`offer\t${ticket}\t${FILE_BYTES}\tv1\t${'0'.repeat(64)}\tother\n`);
  await eve.expect(/.push\t[^\n]+\n/);
  const put = http.request({ port: house.server.tcp, method: 'PUT', path: `/relay/${ticket}`, agent: false });
  put.setHeader('Content-Length', FILE_BYTES);
  put.on('error', () => {});
  put.write(Buffer.alloc(FILE_BYTES / 3));
  const part = path.join(directory, 'big.bin.part');
  await eventually(() => (fs.existsSync(part) && fs.statSync(part).size > 8e6) || undefined, 'no part');
  return ann;
}

// --- what is typed ---------------------------------------------------------------------------------------

test_('what is typed stays whole when messages come in, and stands once after Enter', async () => {
  const { server, bob } = await openHouse();
  const ann = await open(server);
  ann.type('m\r');
  await ann.endsWith(...MENU, 'm', 'Enter your message:', '|');
  ann.type('half a line');
  await ann.endsWith('Enter your message:', 'half a line|');
  bob.send('hello\n');
  await ann.endsWith('Enter your message:', 'bob: hello', 'half a line|');
  ann.type(LEFT.repeat(4));
  await ann.endsWith('bob: hello', 'half a |line');
  bob.send(`${'long '.repeat(30)}\nanother\n`);
  await ann.endsWith('bob: hello', /^bob: (?:long )+/, /^(?:long )*/, 'bob: another', 'half a |line');
  ann.type('whole \r');
  await ann.endsWith('bob: another', 'half a whole line', ...MENU, '|');
  await bob.expect('ann: half a whole line\n');
  const rows = ann.rows();
  assert.is(rows.filter((row) => row.includes('half a')).length, 1);
  assert.is(rows.filter((row) => row === 'bob: hello').length, 1);
});

test_("the exercise's example looks the same as from a pipe", async () => {
  const { server, bob } = await openHouse();
  const ann = await open(server);
  for (const line of ['m', 'hello!', 'f', 'nobody', 'Ameca_splendens.jpg']) ann.type(`${line}\r`);
  await ann.endsWith(
    'f',
    'Who owns the file?',
    'nobody',
    'Which file do you want?',
    'Ameca_splendens.jpg',
    ...MENU,
    /Ameca_splendens\.jpg from nobody: ./,
    '|',
  );
  ann.type('m\ranother important message!\rx\r');
  assert.is((await ann.program.exit()).status, 0);
  await bob.expect('ann: hello!\nann: another important message!\n');
  const rows = ann.rows().filter((row) => !row.includes('from nobody'));
  assert.equal(rows, [
    ...['What is your name?', 'ann', ...MENU, 'm', 'Enter your message:', 'hello!', ...MENU, 'f', 'Who owns the file?'],
    ...['nobody', 'Which file do you want?', 'Ameca_splendens.jpg', ...MENU, 'm', 'Enter your message:'],
    ...['another important message!', ...MENU, 'x', GOODBYE, '|'],
  ]);
});

test_('arrow up brings back what was said, never a letter of the menu', async () => {
  const { server, bob } = await openHouse();
  const ann = await open(server);
  for (const text of ['first', 'second']) {
    ann.type(`m\r${text}\r`);
    await bob.expect(`ann: ${text}\n`);
  }
  ann.type('q\rm\r');
  await ann.endsWith('Enter your message:', '|');
  ann.type(UP);
  await ann.endsWith('Enter your message:', 'second|');
  ann.type(UP);
  await ann.endsWith('Enter your message:', 'first|');
  ann.type(' again\r');
  await bob.expect('ann: first again\n');
});

test_('Tab behind f completes the name of a member; of several they are listed', async () => {
  const house = await openHouse();
  for (const name of ['alice', 'albert', 'Zoë Q']) await enterOwner(house, name);
  const directory = temporaryDirectory();
  for (const name of ['alpha.txt', 'message', 'zebra']) fs.writeFileSync(path.join(directory, name), '');
  const ann = await open(house.server, 'ann', directory);
  ann.type('f\r');
  await ann.endsWith('Who owns the file?', '|');
  await pause(200); // the names come
  ann.type('z\t');
  await ann.endsWith('Who owns the file?', 'Zoë Q|');
  ann.type('\x15a\t');
  await ann.endsWith('Who owns the file?', 'al|');
  ann.type('\t');
  await ann.endsWith('Who owns the file?', /^(?:alice {2}albert|albert {2}alice)$/, 'al|');
  ann.type('i\t');
  await ann.endsWith('alice|');
  ann.type('\r');
  await ann.endsWith('alice', 'Which file do you want?', '|');
  ann.type('al\t');
  await pause(100);
  await ann.endsWith('Which file do you want?', 'al|');
});

test_('Tab elsewhere inserts nothing', async () => {
  const { server, bob } = await openHouse();
  const directory = temporaryDirectory();
  for (const name of ['alpha.txt', 'message', 'xylophone']) fs.writeFileSync(path.join(directory, name), '');
  const ann = openTerminal(server, directory);
  const tab = async (above: string, typed: string) => {
    ann.type(typed);
    await ann.endsWith(above, `${typed}|`);
    for (let times = 0; times < 2; times++) {
      ann.type('\t');
      await pause(100);
      await ann.endsWith(above, `${typed}|`);
    }
  };
  await ann.endsWith('What is your name?', '|');
  await tab('What is your name?', 'al');
  ann.type('\x15ann\r');
  await ann.endsWith(...MENU, '|');
  await tab(' e(X)it', 'm');
  ann.type('\r');
  await ann.endsWith('Enter your message:', '|');
  await tab('Enter your message:', 'al');
  ann.type('\r');
  await bob.expect('ann: al\n');
});

test_('what is pasted keeps its TABs', async () => {
  const { server, bob } = await openHouse();
  const ann = await open(server);
  ann.type('m\ra\tb\r');
  await bob.expect('ann: a\tb\n');
});

test_('much that is pasted at once is taken line by line', async () => {
  const { server, bob } = await openHouse();
  const ann = await open(server);
  const lines = Array.from({ length: 50 }, (_, at) => `line ${at}`);
  ann.type(`${lines.map((line) => `m\r${line}\r`).join('')}`);
  await bob.expect(lines.map((line) => `ann: ${line}\n`).join(''));
  await ann.endsWith('Enter your message:', 'line 49', ...MENU, '|');
});

// --- files -----------------------------------------------------------------------------------------------

test_('a file shows its progress above what is typed, and at its end one line with the place and SHA-256', async () => {
  const house = await openHouse();
  const { server, bob } = house;
  const eve = await enterOwner(house, 'eve');
  const directory = temporaryDirectory();
  const ann = await open(server, 'ann', directory);
  const bytes = randomBytes(FILE_BYTES);
  ann.type('f\reve\rbig.bin\r');
  const [, ticket = ''] = (await eve.expect(/.want\t[^\n]+\n/)).split('\t');
  await ann.endsWith(...MENU, /^big\.bin from eve .*asking/, '|');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  eve.send(`offer\t${ticket}\t${bytes.length}\tv1\t${sha256}\tother\n`);
  await eve.expect(/.push\t[^\n]+\n/);
  const put = http.request({ port: server.tcp, method: 'PUT', path: `/relay/${ticket}`, agent: false });
  put.setHeader('Content-Length', bytes.length);
  put.on('error', () => {});
  put.write(bytes.subarray(0, FILE_BYTES / 3));
  await ann.endsWith(...MENU, /^big\.bin from eve {2} 33 % {2}10\.0\/30\.0 MB {2}/, '|');
  ann.type('m\rwhat is ty');
  await ann.endsWith('m', 'Enter your message:', /^big\.bin from eve {2} 33 %/, 'what is ty|');
  bob.send('hello\n');
  await ann.endsWith('Enter your message:', 'bob: hello', /^big\.bin from eve {2} 33 %/, 'what is ty|');
  put.write(bytes.subarray(FILE_BYTES / 3, (2 * FILE_BYTES) / 3));
  await ann.endsWith(
    'Enter your message:',
    'bob: hello',
    /^big\.bin from eve {2} 66 % {2}20\.0\/30\.0 MB {2}/,
    'what is ty|',
  );
  ann.type('ped\r');
  await bob.expect('ann: what is typed\n');
  await ann.endsWith('bob: hello', 'what is typed', ...MENU, /^big\.bin from eve {2} 66 %/, '|');
  ann.type('half');
  put.end(bytes.subarray((2 * FILE_BYTES) / 3));
  await ann.endsWith(
    'what is typed',
    ...MENU,
    /^big\.bin from eve is in \S*big\.bin: 30\.0 MB in 0:\d\d, .*SHA-256/,
    'half|',
  );
  assert.is(ann.rows().filter((row) => row.startsWith('big.bin from')).length, 1);
  assert.ok(fs.readFileSync(path.join(directory, 'big.bin')).equals(bytes));
});

test_('a file between two of them, while messages come and both are typing', async () => {
  const { server, bob } = await openHouse();
  const [theirs, ours] = [temporaryDirectory(), temporaryDirectory()];
  const bytes = randomBytes(FILE_BYTES);
  fs.writeFileSync(path.join(theirs, 'big.bin'), bytes);
  const ben = await open(server, 'ben', theirs);
  const ann = await open(server, 'ann', ours);
  for (const one of [ann, ben]) {
    one.type('m\r');
    await one.endsWith('Enter your message:', '|');
  }
  ann.type('get it\rf\rben\rbig.bin\rm\r');
  let typed = '';
  const place = path.join(ours, 'big.bin');
  let said = 0;
  for (; !fs.existsSync(place) || said < 26; said++) {
    bob.send(`message ${said}\n`);
    if (typed.length < 26) {
      const letter = String.fromCharCode(97 + typed.length);
      typed += letter;
      for (const one of [ann, ben]) one.type(letter);
    }
    await pause(5);
  }
  await ann.endsWith(`${typed}|`);
  await ben.endsWith(`${typed}|`);
  const expected = Array.from({ length: said }, (_, at) => `bob: message ${at}`);
  for (const [one, news] of [
    [ann, /^big\.bin from ben is in \S*big\.bin: 30\.0 MB in .*SHA-256/],
    [ben, /^big\.bin to ann: sent/],
  ] as const) {
    await eventually(() => one.rows().filter((row) => news.test(row)).length === 1 || undefined, `no ${news}`);
    const rows = one.rows();
    assert.equal(
      rows.filter((row) => row.startsWith('bob: ')),
      expected,
    );
    assert.is(rows.filter((row) => row.includes(typed.slice(0, 3))).length, 1);
    const progress = () => one.rows().filter((row) => row.startsWith('big.bin '));
    await eventually(() => progress().length === 1 || undefined, `${progress()}`);
  }
  assert.ok(fs.readFileSync(place).equals(bytes));
});

test_('a file that is there already is kept, and the line says where', async () => {
  const { server } = await openHouse();
  const [theirs, ours] = [temporaryDirectory(), temporaryDirectory()];
  fs.writeFileSync(path.join(theirs, 'a.txt'), 'new');
  fs.writeFileSync(path.join(ours, 'a.txt'), 'old');
  startMenu(server.tcp, { cwd: theirs }).type('ben\n');
  const ann = await open(server, 'ann', ours);
  await pause(200); // ben enters
  ann.type('f\rben\ra.txt\r');
  await ann.endsWith(...MENU, /^a\.txt from ben is in \S*a\.txt: 3 B in 0:00, .*SHA-256.*a\.txt\.~1~$/, '|');
});

for (const [what, env, words] of [
  ['a dumb terminal', { TERM: 'dumb' }, (command: string[]) => command],
  [
    'a terminal whose output goes through a pipe',
    {},
    (command: string[]) => ['sh', '-c', '"$0" "$@" | cat', ...command],
  ],
] as const) {
  test_(`who types at ${what} is told that a file has come, and gone`, async () => {
    const { server } = await openHouse();
    const [theirs, ours] = [temporaryDirectory(), temporaryDirectory()];
    fs.writeFileSync(path.join(theirs, 'a.txt'), 'new');
    const people = [
      ['ben', theirs],
      ['ann', ours],
    ] as const;
    const [ben, ann] = people.map(([, cwd]) => {
      const command = words([...clientCommand(), '-l', '0', '-p', String(server.tcp)]);
      return new Terminal(command, cwd, env);
    }) as [Terminal, Terminal];
    ben.type('ben\r');
    await ben.program.printed(/e\(X\)it/);
    ann.type('ann\r');
    await ann.program.printed(/e\(X\)it/);
    ann.type('f\rben\ra.txt\r');
    await ann.program.printed(/a\.txt from ben is in \S*a\.txt: 3 B in 0:00, .*SHA-256/);
    await ben.program.printed(/a\.txt to ann: sent/);
  });
}

test_('in a narrow window the percentage stays', async () => {
  const ann = await openFetching(await openHouse(), temporaryDirectory(), {}, [24, 20]);
  await ann.endsWith('big.b…om eve   33 %', '|');
});

// --- colours ---------------------------------------------------------------------------------------------

for (const [what, env, coloured] of [
  ['colours', {}, true],
  ['NO_COLOR: no colours', { NO_COLOR: '1' }, false],
  ['a dumb terminal: no escapes at all', { TERM: 'dumb' }, false],
] as const) {
  test_(what, async () => {
    const { server, bob } = await openHouse();
    const ann = openTerminal(server, temporaryDirectory(), env);
    await ann.program.printed(/name\?/);
    ann.type('ann\r');
    await ann.program.printed(/e\(X\)it/);
    ann.type('q\r');
    await ann.program.printed(/no option/);
    bob.send('hello\n');
    await ann.program.printed(/: hello/);
    assert.is(COLOUR.test(ann.program.stdout), coloured);
    // what stands before may be Deno's, clearing its own progress
    const ours = ann.program.stdout.slice(ann.program.stdout.indexOf('What'));
    if ('TERM' in env) assert.not(ours.includes('\x1b'));
  });
}

// --- the end ---------------------------------------------------------------------------------------------

for (const [what, key] of [
  ['Ctrl-D', CTRL_D],
  ['Ctrl-C', CTRL_C],
] as const) {
  test_(`${what} says goodbye, status 0`, async () => {
    const { server } = await openHouse();
    const ann = await open(server);
    ann.type(key);
    assert.is((await ann.program.exit()).status, 0);
    const rows = ann.rows().filter((row) => row !== '');
    assert.equal(rows, ['What is your name?', 'ann', ...MENU, GOODBYE, '|']);
  });

  test_(`${what} instead of a name ends silently, status 0`, async () => {
    const { server } = await openHouse();
    const ann = openTerminal(server);
    await ann.endsWith('What is your name?', '|');
    ann.type(key);
    assert.is((await ann.program.exit()).status, 0);
    assert.equal(
      ann.rows().filter((row) => row !== '' && row !== '|'),
      ['What is your name?'],
    );
  });

  test_(`${what} behind a name that the server does not answer ends it`, async () => {
    const { server } = await openHouse();
    const ann = openTerminal(server);
    await ann.endsWith('What is your name?', '|');
    process.kill(server.pid, 'SIGSTOP');
    ann.type('ann\r');
    await ann.endsWith('What is your name?', 'ann', '|');
    ann.type(key);
    assert.is((await ann.program.exit()).status, 0);
  });
}

test_('Ctrl-C leaves what was begun standing', async () => {
  const { server } = await openHouse();
  const ann = await open(server);
  ann.type('m\rhalf a line');
  await ann.endsWith('Enter your message:', 'half a line|');
  ann.type(CTRL_C);
  assert.is((await ann.program.exit()).status, 0);
  await ann.endsWith('Enter your message:', 'half a line', GOODBYE, '|');
});

const GIVEN_UP = /^given up: big\.bin, (?:[89]\.\d|10\.0) MB are kept in big\.bin\.part$/;

test_('Ctrl-C waits for a file on its way, the next one gives it up', async () => {
  const ann = await openFetching(await openHouse(), temporaryDirectory());
  ann.type(CTRL_C);
  await ann.endsWith(/Ctrl-C gives up/, /^big\.bin from eve/, '|');
  ann.type(CTRL_C);
  assert.is((await ann.program.exit()).status, 130);
  await ann.endsWith(/Ctrl-C gives up/, GIVEN_UP, GOODBYE, '|');
});

test_('x ends at once, with a file on its way too, and says what is kept of it', async () => {
  const ann = await openFetching(await openHouse(), temporaryDirectory());
  await ann.endsWith(...MENU, /^big\.bin from eve/, '|');
  ann.type('x\r');
  assert.is((await ann.program.exit(2000)).status, 0);
  await ann.endsWith(...MENU, 'x', GIVEN_UP, GOODBYE, '|');
});

for (const [what, typed, status] of [
  ['x', 'x\r', 0],
  ['Ctrl-C', CTRL_C, 130],
] as const) {
  test_(`${what} on a dumb terminal gives up too`, async () => {
    const ann = await openFetching(await openHouse(), temporaryDirectory(), { TERM: 'dumb' });
    ann.type(typed);
    assert.is((await ann.program.exit(2000)).status, status);
    assert.match(ann.program.stdout, /given up: big\.bin, .* MB are kept in big\.bin\.part\r\nclosing your sockets/);
  });
}

test_('a server that is killed and started again leaves what is typed whole', async () => {
  const server = await start();
  const ann = await open(server);
  ann.type('m\rhalf a ');
  await ann.endsWith('Enter your message:', 'half a |');
  server.kill('SIGKILL');
  await ann.endsWith('Enter your message:', /server is gone/, 'half a |');
  await server.exit();
  const back = await start({ port: server.tcp, data: server.data });
  const watcher = await watchMain(back);
  await ann.endsWith('Enter your message:', /server is gone/, /server is back/, 'half a |');
  ann.type('line\r');
  await heard(watcher, 'half a line');
  await ann.endsWith(/server is back/, 'half a line', ...MENU, '|');
});

test.run();
