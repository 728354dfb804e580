// parley-client -l PORT -p PORT from pipes: its whole output as the exercise of the menu dialect fixes it.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Client,
  clientCommand,
  eventually,
  heard,
  limited,
  type MenuOptions,
  Program,
  pause,
  runToEnd,
  type Server,
  start,
  startMenu,
  temporaryDirectory,
  watchMain,
} from './launch.ts';

const test = suite('parley-client -l -p');
const test_ = limited(test);

const NAME = 'What is your name?\n';
const MENU = "Enter an option ('m', 'f', 'x'):\n  (M)essage (send)\n  (F)ile (request)\n e(X)it\n";
const MESSAGE = `Enter your message:\n${MENU}`;
const FILE = `Who owns the file?\nWhich file do you want?\n${MENU}`;
const GOODBYE = 'closing your sockets...goodbye\n';
/** How long the end of a client may take. */
const END_MS = 2000;

const messages = (lines: readonly string[]) => lines.map((line) => `m\n${line}\n`).join('');

/** What stands in the output besides the menu's own lines. */
function chatLines({ stdout }: { readonly stdout: string }): string[] {
  return stdout.split('\n').filter((line) => /^[^ ]+: /.test(line));
}

/** One that has entered. */
async function open(port: number, name: string, options: MenuOptions = {}) {
  const client = startMenu(port, options);
  client.type(`${name}\n`);
  await client.printed(/e\(X\)it\n/);
  return client;
}

/** All of its input at once, then its end. */
async function script(port: number, input: string, options: MenuOptions = {}) {
  const client = startMenu(port, options);
  client.type(input);
  client.endInput();
  const { status } = await client.exit();
  return { status, stdout: client.stdout, stderr: client.stderr };
}

async function again(server: Server): Promise<Server> {
  server.kill('SIGKILL');
  await server.exit();
  return start({ port: server.tcp, data: server.data });
}

// --- the exercise ----------------------------------------------------------------------------------------

test_("goes through the exercise's example, letter by letter", async () => {
  const server = await start();
  const [theirs, ours] = [temporaryDirectory(), temporaryDirectory()];
  const picture = randomBytes(123_456);
  fs.writeFileSync(path.join(theirs, 'Ameca_splendens.jpg'), picture);
  const client1 = await open(server.tcp, 'client1', { cwd: theirs });
  const client2 = await open(server.tcp, 'client2', { cwd: ours });
  client2.type('m\nhello!\n');
  await client1.printed(/^client2: hello!\n/m);
  client2.type('f\nclient1\nAmeca_splendens.jpg\n');
  await eventually(() => fs.existsSync(path.join(ours, 'Ameca_splendens.jpg')) || undefined, 'the file has not come');
  client2.type('m\nanother important message!\n');
  await client1.printed(/^client2: another important message!\n/m);
  client2.type('x\n');
  const { status } = await client2.exit(END_MS);
  assert.equal({ status, stderr: client2.stderr }, { status: 0, stderr: '' });
  assert.is(client2.stdout, NAME + MENU + MESSAGE + FILE + MESSAGE + GOODBYE);
  assert.ok(fs.readFileSync(path.join(ours, 'Ameca_splendens.jpg')).equals(picture));
  assert.equal(fs.readdirSync(ours), ['Ameca_splendens.jpg']);
  client1.type('x\n');
  assert.is((await client1.exit(END_MS)).status, 0);
  assert.is(client1.stdout, `${NAME}${MENU}client2: hello!\nclient2: another important message!\n${GOODBYE}`);
  assert.is(client1.stderr, '');
});

test_("two of them talk: each message is a line of its own, in order, and never one's own", async () => {
  const server = await start();
  const ann = await open(server.tcp, 'ann');
  const ben = await open(server.tcp, 'ben');
  for (let round = 0; round < 5; round++) {
    ann.type(`m\nfrom ann: ${round}\n`);
    await ben.printed(new RegExp(`^ann: from ann: ${round}\n`, 'm'));
    ben.type(`m\nfrom ben ${round}\n`);
    await ann.printed(new RegExp(`^ben: from ben ${round}\n`, 'm'));
  }
  for (const client of [ann, ben]) client.type('x\n');
  for (const client of [ann, ben]) assert.is((await client.exit(END_MS)).status, 0);
  assert.equal(
    chatLines(ben),
    [0, 1, 2, 3, 4].map((round) => `ann: from ann: ${round}`),
  );
  assert.equal(
    chatLines(ann),
    [0, 1, 2, 3, 4].map((round) => `ben: from ben ${round}`),
  );
});

test_('messages that come in between question and answer are lines too', async () => {
  const server = await start();
  const watcher = await watchMain(server);
  const ann = await open(server.tcp, 'ann');
  const bob = await Client.connect(server.tcp);
  bob.send('bob\n');
  await heard(watcher, 'bob has joined this chatroom.');
  const say = async (text: string) => {
    bob.send(`${text}\n`);
    await ann.printed(new RegExp(`^bob: ${text}\n`, 'm'));
  };
  for (const [typed, shown] of [
    ['m', /Enter your message:\n$/],
    ['hello', /e\(X\)it\n$/],
    ['f', /Who owns the file\?\n$/],
    ['bob', /Which file do you want\?\n$/],
    ['none', /none from bob: [^\n]+\n/],
  ] as const) {
    ann.type(`${typed}\n`);
    await ann.printed(shown);
    await say(`after ${typed}`);
  }
  ann.type('x\n');
  await ann.exit(END_MS);
  const expected = ['m', 'hello', 'f', 'bob', 'none'].map((typed) => `bob: after ${typed}`);
  assert.equal(
    ann.stdout.split('\n').filter((line) => line.startsWith('bob: ')),
    expected,
  );
  await bob.expect('ann: hello\n');
});

test_('a script that writes all at once and ends its input loses nothing', async () => {
  const server = await start();
  const ben = await open(server.tcp, 'ben');
  const { status, stdout, stderr } = await script(server.tcp, 'ann\nm\none\nm\ntwo\nx\n');
  assert.equal({ status, stderr }, { status: 0, stderr: '' });
  assert.is(stdout, NAME + MENU + MESSAGE + MESSAGE + GOODBYE);
  await ben.printed(/^ann: one\nann: two\n/m);
});

for (const [what, input, printed] of [
  ['in the menu', 'ann\nm\nhello\n', NAME + MENU + MESSAGE + GOODBYE],
  ['before a message', 'ann\nm\nhello\nm\n', `${NAME}${MENU}${MESSAGE}Enter your message:\n${GOODBYE}`],
  ['in a last message without its newline', 'ann\nm\nhello', NAME + MENU + MESSAGE + GOODBYE],
  ['with CRLF', 'ann\r\nm\r\nhello\r\nx\r\n', NAME + MENU + MESSAGE + GOODBYE],
] as const) {
  test_(`end of input acts as x: ${what}`, async () => {
    const server = await start();
    const ben = await open(server.tcp, 'ben');
    const { status, stdout, stderr } = await script(server.tcp, input);
    assert.equal({ status, stdout, stderr }, { status: 0, stdout: printed, stderr: '' });
    await ben.printed(/^ann: hello\n/m);
  });
}

test_('end of input while owner or file is asked for acts as x too', async () => {
  const server = await start();
  for (const [input, printed] of [
    ['ann\nf\n', `${NAME}${MENU}Who owns the file?\n${GOODBYE}`],
    ['ann\nf\nben\n', `${NAME}${MENU}Who owns the file?\nWhich file do you want?\n${GOODBYE}`],
    ['ann\n', NAME + MENU + GOODBYE],
    ['ann', NAME + MENU + GOODBYE],
  ] as const) {
    const { status, stdout, stderr } = await script(server.tcp, input);
    assert.equal({ status, stdout, stderr }, { status: 0, stdout: printed, stderr: '' });
  }
});

test_('end of input instead of a name ends silently', async () => {
  const server = await start();
  assert.equal(await script(server.tcp, ''), { status: 0, stdout: NAME, stderr: '' });
});

test_('end of input waits for a file on its way', async () => {
  const server = await start();
  const [theirs, ours] = [temporaryDirectory(), temporaryDirectory()];
  const bytes = randomBytes(8_000_000);
  fs.writeFileSync(path.join(theirs, 'big.bin'), bytes);
  await open(server.tcp, 'ben', { args: ['--dir', theirs] });
  const { status, stdout, stderr } = await script(server.tcp, 'ann\nf\nben\nbig.bin\n', { args: ['--dir', ours] });
  assert.equal({ status, stdout, stderr }, { status: 0, stdout: NAME + MENU + FILE + GOODBYE, stderr: '' });
  assert.ok(fs.readFileSync(path.join(ours, 'big.bin')).equals(bytes));
});

test_('takes upper case, and blanks around an option', async () => {
  const server = await start();
  const ben = await open(server.tcp, 'ben');
  const { status, stdout } = await script(server.tcp, 'ann\nM\n X and m \n m \ntwo\nF\nben\nnone\nX\n');
  await ben.printed(/^ann: {2}X and m \nann: two\n/m);
  assert.is(stdout.replace(/^none from ben: .*\n/m, ''), NAME + MENU + MESSAGE + MESSAGE + FILE + GOODBYE);
  assert.is(status, 0);
});

test_('an unknown option is told in one line, then the menu again', async () => {
  const server = await start();
  for (const option of ['q', '', 'message', 'mm', '7', 'hello there', 'ä']) {
    const { status, stdout, stderr } = await script(server.tcp, `ann\n${option}\nx\n`);
    assert.equal({ status, stderr }, { status: 0, stderr: '' });
    assert.match(stdout.slice((NAME + MENU).length), /^[^\n]+\n/);
    assert.is(stdout.replace(/^There is no option.*\n/m, ''), NAME + MENU + MENU + GOODBYE);
  }
});

test_('empty messages are messages', async () => {
  const server = await start();
  const ben = await open(server.tcp, 'ben');
  await script(server.tcp, 'ann\nm\n\nm\n \nm\nend\nx\n');
  await ben.printed(/^ann: \nann: {2}\nann: end\n/m);
});

test_('300 messages piped at once arrive in order', async () => {
  const server = await start();
  const ben = await open(server.tcp, 'ben');
  const lines = Array.from({ length: 300 }, (_, at) => `message ${at}`);
  const { stdout } = await script(server.tcp, `ann\n${messages(lines)}x\n`);
  assert.is(stdout, NAME + MENU + MESSAGE.repeat(300) + GOODBYE);
  await ben.printed(/^ann: message 299\n/m);
  assert.equal(
    chatLines(ben),
    lines.map((line) => `ann: ${line}`),
  );
});

test_('3000 messages piped at once arrive in order', async () => {
  const server = await start();
  const ben = await open(server.tcp, 'ben');
  const lines = Array.from({ length: 3000 }, (_, at) => `message ${at}`);
  const { status } = await script(server.tcp, `ann\n${messages(lines)}`);
  assert.is(status, 0);
  await ben.printed(/^ann: message 2999\n/m);
  assert.equal(
    chatLines(ben),
    lines.map((line) => `ann: ${line}`),
  );
});

test_('long messages in other scripts stay whole, both ways', async () => {
  const server = await start();
  const ben = await open(server.tcp, 'ben');
  const ann = await open(server.tcp, 'ann');
  const long = ['😀'.repeat(15_000), '日本語 '.repeat(6000), `e\u0301${'👩‍👩‍👧'.repeat(3000)}`];
  for (const text of long) assert.ok(Buffer.byteLength(text) > 50_000);
  ann.type(messages(long));
  ann.type('m\nend\n');
  await ben.printed(/^ann: end\n/m);
  assert.ok(ben.stdout === `${NAME}${MENU}${[...long, 'end'].map((text) => `ann: ${text}\n`).join('')}`);
  ann.type(`m\n${'x'.repeat(65_537)}\nm\nshorter\n`);
  await ben.printed(/^ann: shorter\n/m);
  assert.match(ann.stdout, /^A message has at most 65536 bytes\.\n/m);
});

test_('what others send can not drive the terminal', async () => {
  const server = await start();
  const watcher = await watchMain(server);
  const ann = await open(server.tcp, 'ann');
  const eve = await Client.connect(server.tcp);
  eve.send('eve\n');
  await heard(watcher, 'eve has joined this chatroom.');
  eve.send('\x1b]0;owned\x07\x1b[2J \x9b31m \x08\x7f \u202egnp.exe \x0b\x0c\n\x1ewelcome\tadmin\tx\nend\n');
  await ann.printed(/^eve: end\n/m);
  const shown = ann.stdout.slice((NAME + MENU).length);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them is to come through
  assert.not.match(shown, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
  assert.match(shown, /^eve: .*owned.*\neve: .*welcome.*\neve: end\n$/s);
});

// --- files: what can't be had ----------------------------------------------------------------------------

test_('a file that can not be had is told in one line, and the client lives on', async () => {
  const server = await start();
  const theirs = temporaryDirectory();
  fs.writeFileSync(path.join(theirs, '.hidden'), 'x');
  fs.mkdirSync(path.join(theirs, 'directory'));
  fs.symlinkSync('/etc/passwd', path.join(theirs, 'link'));
  await open(server.tcp, 'ben', { cwd: theirs });
  const ours = temporaryDirectory();
  const ann = await open(server.tcp, 'ann', { cwd: ours });
  for (const [owner, file] of [
    ['nobody', 'x.txt'],
    ['ben', 'missing.txt'],
    ['ben', 'directory'],
    ['ben', 'link'],
    ['ben', '.hidden'],
    ['ben', '../../etc/passwd'],
    ['ben', '/etc/passwd'],
    ['ben', ''],
    ['ben', '..'],
    ['ben', 'x'.repeat(300)],
    ['ben', 'a\x1b[2Jb'],
    ['', 'x.txt'],
    ['ann', 'x.txt'],
    ['ANN', 'x.txt'],
  ] as const) {
    const before = ann.stdout.length;
    ann.type(`f\n${owner}\n${file}\n`);
    const told = await eventually(
      () => {
        const rest = ann.stdout
          .slice(before)
          .replace('Who owns the file?\nWhich file do you want?\n', '')
          .replace(MENU, '');
        return /^[^\n]+\n$/.test(rest) ? rest : undefined;
      },
      `${owner} ${file}: ${JSON.stringify(ann.stdout.slice(before))}`,
    );
    assert.not.match(told, /[^\P{Cc}\n]|Error:|\bat \//u);
    assert.ok(file === '' || owner === '' || owner.toLowerCase() === 'ann' || told.includes(owner), told);
  }
  assert.equal(fs.readdirSync(ours), []);
  ann.endInput();
  assert.is((await ann.exit(END_MS)).status, 1, 'something has not come');
  assert.is(ann.stderr, '');
});

test_('the end of input right behind a request waits for the file', async () => {
  const server = await start();
  const [theirs, ours] = [temporaryDirectory(), temporaryDirectory()];
  const bytes = randomBytes(8_000_000);
  fs.writeFileSync(path.join(theirs, 'big.bin'), bytes);
  const ben = await open(server.tcp, 'ben', { args: ['--dir', theirs] });
  const ann = startMenu(server.tcp, { args: ['--dir', ours] });
  ann.type('ann\nf\nben\nbig.bin\n');
  ann.endInput();
  const { status } = await ann.exit();
  const { stdout, stderr } = ann;
  assert.equal({ status, stdout, stderr }, { status: 0, stdout: NAME + MENU + FILE + GOODBYE, stderr: '' });
  assert.ok(fs.readFileSync(path.join(ours, 'big.bin')).equals(bytes));
  assert.is(ben.stdout, NAME + MENU);
});

for (const [what, ends, status] of [
  ['x', (client: Program) => client.type('x\nm\nnever said\n'), 0],
  ['the end of input', (client: Program) => client.endInput(), 1],
] as const) {
  test_(`${what} behind a file that does not come ends with ${status}`, async () => {
    const server = await start();
    const watcher = await watchMain(server);
    const eve = await Client.connect(server.tcp); // answers late
    eve.send('eve\t0\n');
    await heard(watcher, 'eve has joined this chatroom.');
    const ann = await open(server.tcp, 'ann');
    ann.type('f\neve\nx.txt\n');
    const [, ticket = ''] = /want\t([^\t]+)\t[^\n]+\n$/.exec(await eve.expect(/[\s\S]*want\t[^\n]+\n/)) ?? [];
    ends(ann);
    if (status === 1) {
      await pause(300);
      assert.ok(ann.running, 'it waits');
      eve.send(`no\t${ticket}\t404\tthere is no x.txt\n`);
    }
    assert.is((await ann.exit(END_MS)).status, status);
    const told = status === 1 ? 'x.txt from eve: there is no x.txt\n' : '';
    assert.is(ann.stdout, `${NAME}${MENU}${FILE}${told}${GOODBYE}`);
    assert.is(ann.stderr, status === 1 ? '' : 'given up: x.txt, nothing of it has come\n');
  });
}

// --- names -----------------------------------------------------------------------------------------------

test_('one whose name is taken is known to others as name~2, and is told on stderr', async () => {
  const server = await start();
  const first = await open(server.tcp, 'ann');
  const second = await open(server.tcp, 'ann');
  second.type('m\nhello\n');
  await first.printed(/^ann~2: hello\n/m);
  first.type('m\nhi\n');
  await second.printed(/^ann: hi\n/m);
  assert.is(second.stdout.replace('ann: hi\n', ''), NAME + MENU + MESSAGE);
  assert.match(second.stderr, /^[^\n]*ann~2[^\n]*\n$/);
  first.type('f\nann~2\nnone\n');
  await first.printed(/^none from ann~2: [^\n]+\n/m);
});

test_('a name that can not be had is told in one line, and asked for again', async () => {
  const server = await start();
  for (const bad of ['', '  ', 'x'.repeat(65), 'a\x01b']) {
    const { status, stdout, stderr } = await script(server.tcp, `${bad}\nann\nx\n`);
    assert.equal({ status, stderr }, { status: 0, stderr: '' });
    const [first = '', told = '', ...rest] = stdout.split(/(?<=\n)/);
    assert.is(first, NAME);
    assert.match(told, /name.*\n/);
    assert.is(rest.join(''), NAME + MENU + GOODBYE);
  }
});

for (const name of ['HELO', 'KILL_SERVICE', 'GET /', 'NICK ann', 'JOIN_CHATROOM: r', 'CHAT0000x', 'Jo']) {
  test_(`a name may begin like another protocol's first line: ${name}`, async () => {
    const server = await start();
    const ben = await open(server.tcp, 'ben');
    const { status, stdout, stderr } = await script(server.tcp, `${name}\nm\nhello\nx\n`);
    assert.equal({ status, stdout, stderr }, { status: 0, stdout: NAME + MENU + MESSAGE + GOODBYE, stderr: '' });
    await ben.printed(new RegExp(`^${name}: hello\n`, 'm'));
    assert.ok(server.running);
  });
}

test_('names with blanks, TABs and other scripts', async () => {
  const server = await start();
  const ben = await open(server.tcp, 'ben');
  for (const [typed, name] of [
    ['Ann Lee', 'Ann Lee'],
    ['  ann  ', 'ann'],
    ['a\tb', 'a b'],
    ['日本', '日本'],
    ['a:b', 'a:b'],
    ['m', 'm'],
    ['x', 'x'],
  ] as const) {
    await script(server.tcp, `${typed}\nm\nI am ${name}\nx\n`);
    await ben.printed(new RegExp(`^${name}: I am ${name}\n`, 'm'));
  }
});

// --- command line ----------------------------------------------------------------------------------------

const WRONG: ReadonlyArray<readonly [readonly string[], RegExp]> = [
  [['-l', '0'], /-p is missing/],
  [['-p', '6001'], /-l is missing/],
  [['-l', '70000', '-p', '6001'], /-l.*70000/],
  [['-l', '0', '-p', '70000'], /-p.*70000/],
  [['-l', '0', '-p', '0'], /-p.*0/],
  [['-l', 'x', '-p', '6001'], /-l.*x/],
  [['-l', '-p', '6001'], /-l/],
  [['-l', '0', '-p', '6001', '--dir', '/nonexistent/here'], /nonexistent/],
  [['-l', '0', '-p', '6001', '--frobnicate'], /frobnicate/],
  [['-l', '0', '-p', '6001', 'extra'], /extra/],
  [['-l', '0', '-p', '6001', '-z'], /-z/],
];
for (const [args, reason] of WRONG) {
  test_(`says what is wrong with: ${args.join(' ')}`, async () => {
    const { status, stdout, stderr } = await runToEnd({ command: [...clientCommand(), ...args], port: 'none' });
    assert.equal({ status, stdout }, { status: 2, stdout: '' });
    assert.match(stderr, reason);
    assert.match(stderr, /^parley-client: [^\n]+\n$/);
  });
}

for (const args of [
  ['menu', '--help'],
  ['-l', '0', '--help'],
  ['-l', '0', '-p', '1', '-h'],
]) {
  test_(`${args.join(' ')} is short, on stdout, with 0`, async () => {
    const { status, stdout, stderr } = await runToEnd({ command: [...clientCommand(), ...args], port: 'none' });
    assert.equal({ status, stderr }, { status: 0, stderr: '' });
    for (const option of ['-l', '-p', '--host', '--dir']) assert.ok(stdout.includes(option));
    assert.ok(stdout.split('\n').length <= 25);
  });
}

test_('-p before -l, long options and --host', async () => {
  const server = await start();
  const words = ['--port', String(server.tcp), '--listen-port', '0', '--host', '127.0.0.1'];
  const client = new Program({ command: [...clientCommand(), ...words], port: 'none', cwd: temporaryDirectory() });
  client.type('ann\nx\n');
  assert.is((await client.exit()).status, 0);
  assert.is(client.stdout, NAME + MENU + GOODBYE);
});

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test_('no server: one line, status 1, within 5 s', async () => {
  const port = await freePort();
  const client = startMenu(port);
  client.type('ann\nm\nhello\n');
  assert.is((await client.exit(5000)).status, 1);
  assert.is(client.stderr, `parley-client: no server answers on localhost port ${port}\n`);
  assert.is(client.stdout, NAME);
});

test_('a server that is started a moment later is found', async () => {
  const port = await freePort();
  const client = startMenu(port);
  client.type('ann\nm\nhello\nx\n');
  await client.printed(/name\?/);
  await start({ port });
  assert.is((await client.exit()).status, 0);
  assert.is(client.stdout, NAME + MENU + MESSAGE + GOODBYE);
  assert.is(client.stderr, '');
});

test_('a host that is none: one line, status 1', async () => {
  const client = startMenu(6001, { args: ['--host', 'no-such-host.invalid'] });
  client.type('ann\n');
  assert.is((await client.exit(10_000)).status, 1);
  assert.match(client.stderr, /^parley-client: [^\n]*no-such-host\.invalid[^\n]*\n$/);
});

test_('a listen port that is taken: one line, status 1', async () => {
  const server = await start();
  const words = ['-l', String(server.tcp), '-p', String(server.tcp)];
  const { status, stderr } = await runToEnd({ command: [...clientCommand(), ...words], port: 'none' });
  assert.is(status, 1);
  assert.match(stderr, new RegExp(`^parley-client: [^\n]*${server.tcp}[^\n]*taken[^\n]*\n$`));
});

// --- a server that is killed -----------------------------------------------------------------------------

test_('the server is killed and started again: both talk on, and only chat is on stdout', async () => {
  let server = await start();
  const ann = await open(server.tcp, 'ann');
  const ben = await open(server.tcp, 'ben');
  for (let round = 1; round <= 3; round++) {
    server = await again(server);
    for (const one of [ann, ben]) await one.logged(new RegExp(`(?:[\\s\\S]*server is back[\\s\\S]*){${round}}`));
    ann.type(`m\nround ${round}\n`);
    await ben.printed(new RegExp(`^ann: round ${round}\n`, 'm'));
    ben.type(`m\nanswer ${round}\n`);
    await ann.printed(new RegExp(`^ben: answer ${round}\n`, 'm'));
  }
  for (const one of [ann, ben]) one.type('x\n');
  for (const one of [ann, ben]) assert.is((await one.exit(END_MS)).status, 0);
  assert.equal(chatLines(ben), ['ann: round 1', 'ann: round 2', 'ann: round 3']);
  const rest = ann.stdout.replace(/^ben: answer .\n/gm, '');
  assert.is(rest, NAME + MENU + MESSAGE.repeat(3) + GOODBYE);
  assert.match(ann.stderr, /^(?:[^\n]+\n){6}$/);
});

test_('what is said while the server is away is said when it is back', async () => {
  const server = await start();
  const ann = await open(server.tcp, 'ann');
  server.kill('SIGKILL');
  await ann.logged(/server is gone/);
  ann.type('m\none\nm\ntwo\n');
  await ann.printed(/e\(X\)it\n(?:[\s\S]*e\(X\)it\n){2}/);
  process.kill(ann.pid, 'SIGSTOP');
  const back = await start({ port: server.tcp, data: server.data });
  const watcher = await watchMain(back);
  process.kill(ann.pid, 'SIGCONT');
  await heard(watcher, 'ann has joined this chatroom.');
  await heard(watcher, 'one');
  await heard(watcher, 'two');
});

test_('much that is said while the server is away is said when it is back, or refused in a line', async () => {
  const server = await start();
  const ann = await open(server.tcp, 'ann');
  server.kill('SIGKILL');
  await ann.logged(/server is gone/);
  const lines = Array.from({ length: 1500 }, (_, at) => `message ${at}`);
  process.kill(ann.pid, 'SIGSTOP');
  ann.type(messages(lines));
  process.kill(ann.pid, 'SIGCONT');
  await eventually(() => ann.stdout.split(MENU).length === 1502 || undefined, 'not all were read');
  process.kill(ann.pid, 'SIGSTOP');
  const back = await start({ port: server.tcp, data: server.data });
  const watcher = await watchMain(back);
  process.kill(ann.pid, 'SIGCONT');
  ann.type('m\nend\n');
  await ann.logged(/server is back/);
  ann.type('m\nend of all\n');
  const all = await watcher.expect(/[\s\S]*MESSAGE: end of all\n\n/);
  const heardOf = all.match(/^MESSAGE: message \d+$/gm)?.length ?? 0;
  const told =
    ann.stdout.replace(NAME + MENU, '').replaceAll(MESSAGE, '') + ann.stderr.replace(/^The server.*\n/gm, '');
  assert.ok(heardOf === 1500 || told !== '', `${heardOf} of 1500 came, and no word of the others`);
});

test_('x while the server is away ends at once', async () => {
  const server = await start();
  const ann = await open(server.tcp, 'ann');
  server.kill('SIGKILL');
  await ann.logged(/server is gone/);
  ann.type('x\n');
  assert.is((await ann.exit(END_MS)).status, 0);
  assert.is(ann.stdout, NAME + MENU + GOODBYE);
});

test_('a message that was never sent is told at the end, status 1', async () => {
  const server = await start();
  const ann = await open(server.tcp, 'ann');
  server.kill('SIGKILL');
  await ann.logged(/server is gone/);
  ann.type('m\nhello\nx\n');
  assert.is((await ann.exit(END_MS)).status, 1);
  assert.is(ann.stdout, NAME + MENU + MESSAGE + GOODBYE);
  assert.match(ann.stderr, /^parley-client: a message was not sent: .+\n$/m);
});

for (const [what, input] of [
  ['x', 'ann\nx\n'],
  ['the end of input', 'ann\n'],
] as const) {
  test_(`${what} behind a name that no server takes ends it`, async () => {
    const server = await start();
    const ann = startMenu(server.tcp);
    await ann.printed(/name\?/);
    await pause(200); // it is connected
    server.kill('SIGKILL');
    await ann.logged(/server is gone/);
    ann.type(input);
    ann.endInput();
    assert.is((await ann.exit()).status, 0);
  });

  test_(`${what} behind a name that a server does not answer ends it`, async () => {
    const server = await start();
    process.kill(server.pid, 'SIGSTOP');
    const ann = startMenu(server.tcp);
    ann.type(input);
    ann.endInput();
    assert.is((await ann.exit()).status, 0);
  });
}

test_('a server that ends in order is waited for as well', async () => {
  const server = await start();
  const ann = await open(server.tcp, 'ann');
  server.kill('SIGTERM');
  await ann.printed(/^server: [^\n]+\n/m);
  await ann.logged(/server is gone/);
  await server.exit();
  const back = await start({ port: server.tcp, data: server.data });
  await ann.logged(/server is back/);
  const ben = await open(back.tcp, 'ben');
  ann.type('m\nhello\n');
  await ben.printed(/^ann: hello\n/m);
});

/** What accepts connections though the server is away, and closes them: a container's port, ssh -L. */
async function startProxy(port: number): Promise<{ readonly port: number; refused: number; close(): void }> {
  const sockets = new Set<net.Socket>();
  const proxy = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    upstream.on('error', () => state.refused++);
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = () => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  };
  const state = { port: (proxy.address() as net.AddressInfo).port, refused: 0, close };
  return state;
}

for (const [what, isIn] of [
  ['a member', true],
  ['somebody without a name yet', false],
] as const) {
  test_(`behind a proxy that accepts and closes ${what} waits for the server, and is told once`, async () => {
    const server = await start();
    const proxy = await startProxy(server.tcp);
    try {
      const ann = startMenu(proxy.port);
      if (isIn) ann.type('ann\n');
      await ann.printed(isIn ? /e\(X\)it\n/ : /name\?\n/);
      await pause(200); // it is connected
      server.kill('SIGKILL');
      await ann.logged(/server is gone/);
      await eventually(() => proxy.refused >= 5 || undefined, 'it does not try again');
      assert.is(ann.stderr, 'The server is gone; trying again ...\n');
      const back = await start({ port: server.tcp, data: server.data });
      const watcher = await watchMain(back);
      if (isIn) await ann.logged(/server is back/);
      ann.type(isIn ? 'm\nhello\nx\n' : 'ann\nm\nhello\nx\n');
      await heard(watcher, 'hello');
      assert.is((await ann.exit()).status, 0);
      assert.is(ann.stderr, 'The server is gone; trying again ...\nThe server is back.\n');
    } finally {
      proxy.close();
    }
  });
}

test_('a server that has never let it in, and closes, is given up', async () => {
  const closer = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.destroy());
  });
  await new Promise<void>((resolve) => closer.listen(0, '127.0.0.1', resolve));
  try {
    const ann = startMenu((closer.address() as net.AddressInfo).port);
    ann.type('ann\n');
    assert.is((await ann.exit()).status, 1);
    assert.match(ann.stderr, /^The server is gone[^\n]*\nparley-client: the server has closed the connection\n$/);
  } finally {
    closer.close();
  }
});

// --- where its output goes -------------------------------------------------------------------------------

function shell(command: string, port: number, cwd: string): Program {
  const client = clientCommand()
    .map((word) => `'${word}'`)
    .join(' ');
  const line = command.replace('CLIENT', `${client} -l 0 -p ${port}`);
  return new Program({ command: ['bash', '-c', line], port: 'none', cwd });
}

test_('each line is in a file at once', async () => {
  const server = await start();
  const directory = temporaryDirectory();
  const ann = shell('exec CLIENT >out', server.tcp, directory);
  const written = (text: string) =>
    eventually(
      () => {
        const now = fs.readFileSync(path.join(directory, 'out'), 'utf8');
        return now === text || undefined;
      },
      `${JSON.stringify(text)} is not in the file: ${fs.readFileSync(path.join(directory, 'out'), 'utf8')}`,
    );
  await eventually(() => fs.existsSync(path.join(directory, 'out')) || undefined, 'no file');
  await written(NAME);
  ann.type('ann\n');
  await written(NAME + MENU);
  const ben = await open(server.tcp, 'ben');
  ben.type('m\nhello\n');
  await written(`${NAME}${MENU}ben: hello\n`);
  ann.type('m\n');
  await written(`${NAME}${MENU}ben: hello\nEnter your message:\n`);
  ann.type('hi\nx\n');
  await ben.printed(/^ann: hi\n/m);
  assert.is((await ann.exit()).status, 0);
  await written(`${NAME}${MENU}ben: hello\n${MESSAGE}${GOODBYE}`);
});

test_('a reader that goes away early ends it without noise', async () => {
  const server = await start();
  const ben = await open(server.tcp, 'ben');
  const ann = shell('CLIENT | head -3', server.tcp, temporaryDirectory());
  ann.type('ann\n');
  await ann.printed(/\(M\)essage/);
  ben.type('m\nhello\nm\nhello\n');
  await pause(100);
  ben.type('m\nhello\n');
  await ann.exit();
  assert.is(
    ann.stdout,
    (NAME + MENU)
      .split(/(?<=\n)/)
      .slice(0, 3)
      .join(''),
  );
  assert.is(ann.stderr, '');
});

test_('input from a file and from /dev/null', async () => {
  const server = await start();
  const directory = temporaryDirectory();
  fs.writeFileSync(path.join(directory, 'in'), 'ann\nm\nhello\nx\n');
  const ben = await open(server.tcp, 'ben');
  const ann = shell('exec CLIENT <in', server.tcp, directory);
  assert.is((await ann.exit()).status, 0);
  assert.is(ann.stdout, NAME + MENU + MESSAGE + GOODBYE);
  await ben.printed(/^ann: hello\n/m);
  const nobody = shell('exec CLIENT </dev/null', server.tcp, directory);
  assert.is((await nobody.exit()).status, 0);
  assert.is(nobody.stdout, NAME);
});

test_(
  'as a grader drives it: pauses, a directory each, x and the end of input, and the next round on the same ports',
  async () => {
    let server = await start();
    const ports = [await freePort(), await freePort(), await freePort()];
    for (let round = 0; round < 3; round++) {
      const directories = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
      for (const [at, directory] of directories.entries())
        fs.writeFileSync(path.join(directory, `file${at + 1}`), randomBytes(50_000 * at));
      const clients = directories.map((cwd, at) => startMenu(server.tcp, { cwd, listen: ports[at] as number }));
      for (const [at, client] of clients.entries()) client.type(`client${at + 1}\n`);
      for (const client of clients) await client.printed(/e\(X\)it\n/);
      for (const [at, client] of clients.entries()) {
        client.type(`m\nmessage from ${at + 1}\n`);
        for (const other of clients)
          if (other !== client) await other.printed(new RegExp(`^client${at + 1}: message from ${at + 1}\n`, 'm'));
      }
      for (const [at, client] of clients.entries())
        client.type(`f\nclient${((at + 1) % 3) + 1}\nfile${((at + 1) % 3) + 1}\n`);
      for (const [at, directory] of directories.entries()) {
        const file = `file${((at + 1) % 3) + 1}`;
        const place = path.join(directory, file);
        await eventually(() => fs.existsSync(place) || undefined, `${file} has not come`, 2000);
        execFileSync('cmp', [place, path.join(directories[(at + 1) % 3] as string, file)]);
      }
      for (const client of clients) {
        client.type('x\n');
        client.endInput();
        assert.is((await client.exit(END_MS)).status, 0);
        assert.is(client.stderr, '');
      }
      server = await again(server);
    }
  },
  40,
);

test.run();
