// Files of `parley-client pipe`, with spawned clients: straight from one to the other, through the server, with members
// of `menu`, and with classic clients on raw sockets.

import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, eventually, limited, Program, pause, start, startMenu, temporaryDirectory } from './launch.ts';
import { wordsFor } from './pipe-people.ts';

const test = suite('pipe: files');
const test_ = limited(test);
const LONG_MS = 30_000;
const SIZES = [0, 1, 2038, 2039, 3_000_000];
/** Nothing that it sends arrives. */
const UNREACHABLE = ['--loss', '100'];
/** So slow that it can be cut. */
const SLOW = ['--window', '8', '--delay', '5'];

interface House {
  readonly tcp: number;
  readonly pipe: number;
}

interface Person {
  readonly program: Program;
  readonly dir: string;
}

async function openHouse(...args: string[]): Promise<House> {
  const server = await start({ args: ['--pipe', '0', ...args] });
  return { tcp: server.tcp, pipe: server.ports.pipe as number };
}

/** In the room `den`, unless told; the first one makes it. */
async function enter({ pipe }: House, name: string, args: string[] = [], how = 'join', dir = temporaryDirectory()) {
  const program = new Program({ command: wordsFor({ port: pipe }, dir, ...args), port: 'none' });
  const words = how === 'create' ? ['create', 'den', 'no'] : how === 'main' ? ['join', 'main'] : ['join', 'den'];
  program.type(`${[name, ...words].join('\n')}\n`);
  await program.printed(/^Welcome to /m);
  return { program, dir };
}

function put({ dir }: Person, name: string, bytes: number): Buffer {
  const content = randomBytes(bytes);
  fs.writeFileSync(path.join(dir, name), content);
  return content;
}

async function arrived({ program }: Person, file: string, how: RegExp, ms = LONG_MS): Promise<void> {
  const [line] = await program.printed(new RegExp(`^${file} from .*\n`, 'm'), ms);
  assert.match(line, how, `${line} after\n${program.stdout}${program.stderr}`);
}

function has({ dir }: Person, name: string, content: Uint8Array): void {
  assert.ok(fs.readFileSync(path.join(dir, name)).equals(content), `${name} is another`);
}

// --- between our own ---------------------------------------------------------------------------------------------

test_(
  'files of every size come straight, and an existing name gets a 1 in front',
  async () => {
    const house = await openHouse();
    const ann = await enter(house, 'ann', [], 'create');
    const ben = await enter(house, 'ben');
    for (const size of SIZES) {
      const content = put(ann, `f${size}`, size);
      ben.program.type(`@ann|getfile|f${size}\n`);
      await arrived(ben, `f${size}`, /straight from there, its SHA-256 is right/);
      has(ben, `f${size}`, content);
    }
    const other = put(ann, 'f1', 1);
    ben.program.type('@ann|getfile|f1\n');
    await eventually(() => fs.existsSync(path.join(ben.dir, '1f1')) || undefined, 'no 1f1');
    has(ben, '1f1', other);
    ben.program.type('@ann|getfile|nothing\n');
    await ben.program.printed(/^nothing from ann: there is no such file$/m);
    const isClean = () => !fs.readdirSync(ben.dir).some((name) => name.includes('.part'));
    await eventually(() => isClean() || undefined, 'a part stays');
  },
  60,
);

test_(
  'many at once arrive, two at a time',
  async () => {
    const house = await openHouse();
    const ann = await enter(house, 'ann', ['-p', '20'], 'create');
    const ben = await enter(house, 'ben');
    const contents = Array.from({ length: 20 }, (_, i) => put(ann, `n${i}`, 50_000 + i));
    ben.program.type(contents.map((_, i) => `@ann|getfile|n${i}\n`).join(''));
    for (const [i, content] of contents.entries()) {
      await arrived(ben, `n${i}`, /its SHA-256 is right/);
      has(ben, `n${i}`, content);
    }
  },
  60,
);

test_('those who do not reach each other have it through the server, and are told so', async () => {
  const house = await openHouse();
  const ann = await enter(house, 'ann', UNREACHABLE, 'create');
  const ben = await enter(house, 'ben');
  const content = put(ann, 'song.mp3', 500_000);
  ben.program.type('@ann|getfile|song.mp3\n');
  await arrived(ben, 'song.mp3', /through the server, its SHA-256 is right/);
  has(ben, 'song.mp3', content);
  await ann.program.printed(/^song\.mp3 to ben: they can.t be reached directly/m);
  const direct = await enter(house, 'direct', ['--direct-only']);
  direct.program.type('@ann|getfile|song.mp3\n');
  await direct.program.printed(/^song\.mp3 from ann: nothing came of it in 3 s$/m);
});

test_('--relay-only goes through the server at once', async () => {
  const house = await openHouse();
  const ann = await enter(house, 'ann', [], 'create');
  const ben = await enter(house, 'ben', ['--relay-only']);
  const content = put(ann, 'song.mp3', 500_000);
  ben.program.type('@ann|getfile|song.mp3\n');
  await arrived(ben, 'song.mp3', /through the server, its SHA-256 is right/);
  has(ben, 'song.mp3', content);
});

test_(
  'a transfer that was cut goes on where it stopped',
  async () => {
    const house = await openHouse();
    const ann = await enter(house, 'ann', SLOW, 'create');
    const content = put(ann, 'song.mp3', 8_000_000);
    const ben = await enter(house, 'ben');
    ben.program.type('@ann|getfile|song.mp3\n');
    const part = path.join(ben.dir, 'song.mp3.part');
    await eventually(
      () => (fs.existsSync(part) && fs.statSync(part).size > 1_000_000) || undefined,
      'no part',
      LONG_MS,
    );
    ben.program.kill('SIGKILL');
    await ben.program.exit();
    const kept = fs.statSync(part).size;
    await pause(200);
    const again = await enter(house, 'ben', [], 'join', ben.dir);
    again.program.type('@ann|getfile|song.mp3\n');
    await arrived(again, 'song.mp3', /straight from there, its SHA-256 is right/);
    has(again, 'song.mp3', content);
    const [, came = '0'] = /([\d.]+) MB in/.exec(again.program.stdout) ?? [];
    assert.ok(Number(came) * 1e6 <= 8_000_000 - kept + 1_000_000, `${came} MB came, ${kept} were there`);
  },
  60,
);

test_(
  'a file whose owner is gone ends soon, and what has come is kept',
  async () => {
    const house = await openHouse();
    const ann = await enter(house, 'ann', SLOW, 'create');
    put(ann, 'song.mp3', 8_000_000);
    const ben = await enter(house, 'ben');
    ben.program.type('@ann|getfile|song.mp3\n');
    const part = path.join(ben.dir, 'song.mp3.part');
    await eventually(() => (fs.existsSync(part) && fs.statSync(part).size > 100_000) || undefined, 'no part', LONG_MS);
    ann.program.kill('SIGKILL');
    await arrived(ben, 'song.mp3', /: ann has left; what has come is kept for the next try$/m);
  },
  60,
);

test_('files go straight over IPv6', async () => {
  const house = await openHouse();
  const loopback = ['--ip', '::1', '--direct-only'];
  const ann = await enter(house, 'ann', loopback, 'create');
  const ben = await enter(house, 'ben', loopback);
  const content = put(ann, 'song.mp3', 500_000);
  ben.program.type('@ann|getfile|song.mp3\n');
  await arrived(ben, 'song.mp3', /straight from there, its SHA-256 is right/);
  has(ben, 'song.mp3', content);
});

test_('one person asks without end: others are served all the same', async () => {
  const house = await openHouse();
  const ann = await enter(house, 'ann', [], 'create');
  const content = put(ann, 'song.mp3', 100_000);
  const eve = await classic(house, 'eve');
  const { socket, port } = await openUdp();
  for (let count = 0; count < 200; count++) eve.send(`@ann|getfile|none\n@ann|127.0.0.1|${port}\n`);
  const ben = await enter(house, 'ben');
  ben.program.type('@ann|getfile|song.mp3\n');
  await arrived(ben, 'song.mp3', /its SHA-256 is right/);
  has(ben, 'song.mp3', content);
  socket.close();
});

// --- with others -------------------------------------------------------------------------------------------------

test_('members of menu and curl have the files of pipe clients, and the other way round', async () => {
  const house = await openHouse('--open-files');
  const menuDir = temporaryDirectory();
  fs.writeFileSync(path.join(menuDir, 'menu.txt'), 'from menu');
  const mary = startMenu(house.tcp, { cwd: menuDir });
  mary.type('mary\n');
  await mary.printed(/e\(X\)it/);
  const ann = await enter(house, 'ann', [], 'main');
  const content = put(ann, 'song.mp3', 300_000);
  ann.program.type('@mary|getfile|menu.txt\n');
  await arrived(ann, 'menu.txt', /through the server, its SHA-256 is right/, 2500);
  has(ann, 'menu.txt', Buffer.from('from menu'));
  mary.type('f\nann\nsong.mp3\n');
  await eventually(() => fs.existsSync(path.join(menuDir, 'song.mp3')) || undefined, 'no file');
  assert.ok(fs.readFileSync(path.join(menuDir, 'song.mp3')).equals(content));
  const answer = await fetch(`http://127.0.0.1:${house.tcp}/files/ann/song.mp3`);
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(content));
  ann.program.type('@me|clrshare|song.mp3\n');
  await ann.program.printed(/^not shared: song\.mp3$/m);
  assert.is((await fetch(`http://127.0.0.1:${house.tcp}/files/ann/song.mp3`)).status, 404);
});

/** A classic client in the room `den`: no newlines, one write a message. */
async function classic({ pipe }: House, name: string): Promise<Client> {
  const client = await Client.connect(pipe);
  for (const [text, due] of [
    [name, /[\s\S]*Send create\/join[^\n]*\n/],
    ['join', /[\s\S]*list of chatrooms[^\n]*\nden\n/],
    ['den', /[\s\S]*Welcome to den[^\n]*\n/],
  ] as const) {
    await pause(60);
    client.send(text);
    await client.expect(due);
  }
  return client;
}

async function openUdp(): Promise<{ socket: dgram.Socket; port: number }> {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { socket, port: socket.address().port };
}

test_('a classic client gets a file, byte by byte', async () => {
  const house = await openHouse();
  const ann = await enter(house, 'ann', [], 'create');
  const content = Buffer.concat([put(ann, 'x', 9000), Buffer.from('|*)'), randomBytes(3000)]);
  fs.writeFileSync(path.join(ann.dir, 'x'), content);
  const ben = await classic(house, 'ben');
  const { socket, port } = await openUdp();
  const got: Buffer[] = [];
  let first = '';
  const whole = new Promise<void>((resolve) => {
    let next = 0;
    socket.on('message', (bytes, from) => {
      const text = bytes.toString('latin1');
      const data = /^(\d+)\|\*\)/.exec(text);
      if (text === 'EOF') return resolve();
      if (!data) {
        first ||= text;
        return;
      }
      if (Number(data[1]) !== next) return;
      // as a classic client does, up to the next separator
      got.push(Buffer.from(text.slice(data[0].length).split('|*)')[0] ?? '', 'latin1'));
      socket.send(`${next}|ACK`, from.port, from.address);
      next = (next + 1) % 16;
    });
  });
  ben.send('@ann|getfile|x');
  ben.send(`@ann|127.0.0.1|${port}`);
  await whole;
  assert.match(first, new RegExp(`^OK\\| Sending file on port ${port} from \\|[\\d.]+\\|\\d+$`));
  assert.ok(Buffer.concat(got).equals(content), `${Buffer.concat(got).length} bytes`);
  socket.close();
});

test_('a classic client gives a file, and nobody can say whether it is right', async () => {
  const house = await openHouse();
  const ann = await enter(house, 'ann', [], 'create');
  const ben = await classic(house, 'ben');
  ann.program.type('@ben|getfile|small.bin\n');
  const [, port = ''] =
    /#ann\|127\.0\.0\.1\|(\d+)/.exec(await ben.expect(/[\s\S]*#ann\|127\.0\.0\.1\|\d+[^\n]*\n/)) ?? [];
  const { socket, port: own } = await openUdp();
  const content = randomBytes(5000);
  const say = (bytes: string | Uint8Array) => socket.send(bytes, Number(port), '127.0.0.1');
  const acks: string[] = [];
  socket.on('message', (bytes) => {
    acks.push(bytes.toString());
    say('END');
  });
  say(`OK| Sending file on port ${port} from |127.0.0.1|${own}`);
  for (let at = 0, seq = 0; at < content.length; at += 2038, seq++) {
    say(Buffer.concat([Buffer.from(`${seq}|*)`), content.subarray(at, at + 2038)]));
  }
  say('EOF');
  await arrived(ann, 'small.bin', /nobody can say whether it is right/);
  has(ann, 'small.bin', content);
  assert.ok(acks.length > 0 && acks.every((text) => /^\d+\|ACK$/.test(text)), acks.join());
  socket.close();
});
test.run();
