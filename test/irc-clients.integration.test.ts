// Real IRC clients, irssi and WeeChat, each in a terminal of tmux as a person uses them: they connect, join, talk, and
// see what was said before, each other and members of other dialects. Skipped where one of them is missing.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, eventually, limited, type Server, start, temporaryDirectory } from './launch.ts';

const NEEDED = ['tmux', 'irssi', 'weechat'];
const missing = NEEDED.filter((name) => spawnSync(name, [name === 'tmux' ? '-V' : '--version']).status !== 0);
if (missing.length > 0) console.log(`skipped: ${missing.join(', ')} missing`);

const test = suite('irc: real clients');
const WAIT_MS = 20_000;

/** Terminals that are gone when the test is over. */
class Desk {
  readonly directory = temporaryDirectory();
  readonly #socket = path.join(this.directory, 'tmux');
  #opened = 0;

  open(nick: string, command: (home: string) => string): Screen {
    // a nick may come again
    const name = `${nick}-${++this.#opened}`;
    const run = (...args: string[]) => this.#tmux(...args);
    run(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-x',
      '120',
      '-y',
      '45',
      '-s',
      name,
      command(path.join(this.directory, name)),
    );
    return new Screen(name, run);
  }

  irssi(server: Server, nick: string): Screen {
    return this.open(nick, (home) => `irssi --home=${home} -c 127.0.0.1 -p ${server.tcp} -n ${nick}`);
  }

  /** `more` are settings of its server. */
  weechat(server: Server, nick: string, more: Readonly<Record<string, string>> = {}): Screen {
    const settings = { nicks: nick, tls: 'off', ...more };
    const set = (name: string, value: string) => `/set irc.server.here.${name} "${value}"`;
    // before version 4 the same options begin with ssl; what it doesn't know does no harm
    const words = Object.entries(settings).flatMap(([name, value]) => [
      set(name, value),
      ...(name.startsWith('tls') ? [set(name.replace('tls', 'ssl'), value)] : []),
    ]);
    const all = [`/server add here 127.0.0.1/${server.tcp}`, ...words, '/connect here'];
    return this.open(nick, (home) => `weechat -d ${home} ${all.map((one) => `-r '${one}'`).join(' ')}`);
  }

  close(): void {
    this.#tmux('kill-server');
  }

  #tmux(...args: string[]): string {
    const { stdout } = spawnSync('tmux', ['-S', this.#socket, ...args], {
      encoding: 'utf8',
      env: { ...process.env, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', TERM: 'xterm-256color' },
    });
    return stdout;
  }
}

class Screen {
  readonly #name: string;
  readonly #tmux: (...args: string[]) => string;

  constructor(name: string, tmux: (...args: string[]) => string) {
    this.#name = name;
    this.#tmux = tmux;
  }

  type(line: string): void {
    this.#tmux('send-keys', '-t', this.#name, '-l', line);
    this.#tmux('send-keys', '-t', this.#name, 'Enter');
  }

  get text(): string {
    return this.#tmux('capture-pane', '-p', '-t', this.#name);
  }

  async shows(pattern: RegExp): Promise<void> {
    try {
      await eventually(() => pattern.test(this.text) || undefined, '', WAIT_MS);
    } catch {
      throw new Error(`${this.#name} does not show ${pattern}:\n${this.text}`);
    }
  }
}

/** With a desk of its own, cleared away before the server is. */
function test_(name: string, work: (desk: Desk) => Promise<void>): void {
  if (missing.length > 0) return test.skip(name);
  const atDesk = async () => {
    const desk = new Desk();
    try {
      await work(desk);
    } finally {
      desk.close();
    }
  };
  limited(test)(name, atDesk, 120);
}

async function enter(screen: Screen, channel: string): Promise<void> {
  await screen.shows(/message of the day|End of \/MOTD|Welcome to the/);
  screen.type(`/join ${channel}`);
}

test_('irssi and WeeChat talk with each other and with a plain client', async (desk) => {
  const server = await start();
  const mary = await Client.connect(server.tcp);
  mary.send('mary\n');
  const irssi = desk.irssi(server, 'ilse');
  await enter(irssi, '#main');
  await irssi.shows(/\[[ @+]*mary\]/);
  const weechat = desk.weechat(server, 'wendy');
  await enter(weechat, '#main');
  await irssi.shows(/wendy \[\S+@127\.0\.0\.1\] has joined #main/);
  await weechat.shows(/│ ilse/);
  irssi.type('grüß euch 漢字');
  await weechat.shows(/ilse \| grüß euch 漢字/);
  await mary.expect('ilse: grüß euch 漢字\n');
  weechat.type('/me waves');
  await irssi.shows(/\* wendy waves/);
  await mary.expect(/wendy: [^\n]*waves\n/);
  mary.send('hi from menu\n');
  await irssi.shows(/< ?mary> hi from menu/);
  await weechat.shows(/mary \| hi from menu/);
  irssi.type('/msg wendy for you alone');
  await weechat.shows(/ilse/);
  irssi.type('/nick ilona');
  await weechat.shows(/ilse is now known as ilona/);
  irssi.type('/whois mary');
  irssi.type('/window 1');
  await irssi.shows(/mary \[menu@127\.0\.0\.1\][\s\S]*speaks menu/);
});

test_('both see what was said before the server was started again', async (desk) => {
  const first = await start();
  const irssi = desk.irssi(first, 'ilse');
  await enter(irssi, '#den');
  await irssi.shows(/Irssi: #den: Total of 1 nicks/);
  irssi.type('/topic What for');
  await irssi.shows(/ilse changed the topic of #den to: What for/);
  const plain = await Client.connect(first.tcp);
  plain.send('NICK paul\r\nUSER paul 0 * :paul\r\nJOIN #den\r\n');
  await plain.expect(/[\s\S]* 366 paul #den [^\n]*\n/);
  for (const word of ['one', 'two']) irssi.type(`number ${word}`);
  // it shows what it says before it has sent it
  await plain.expect(/[\s\S]*PRIVMSG #den :number two\r\n/, WAIT_MS);
  irssi.type('/quit');
  first.kill('SIGTERM');
  await first.exit();

  const second = await start({ data: first.data });
  const again = desk.irssi(second, 'anna');
  await enter(again, '#den');
  await again.shows(/Topic for #den: What for[\s\S]*< ?ilse> .*number one[\s\S]*< ?ilse> .*number two/);
  const weechat = desk.weechat(second, 'wendy');
  await enter(weechat, '#den');
  await weechat.shows(/ilse \| .*number one[\s\S]*ilse \| .*number two/);
});

test_('WeeChat by TLS and SASL, with an account that irssi has made', async (desk) => {
  const server = await start({ args: ['--tls-self'] });
  const irssi = desk.irssi(server, 'wendy');
  await irssi.shows(/Welcome to the/);
  irssi.type('/quote REGISTER * * sesame-street');
  await irssi.shows(/logged in as wendy/i);
  irssi.type('/quit');
  const weechat = desk.weechat(server, 'wendy', {
    tls: 'on',
    tls_verify: 'off',
    sasl_username: 'wendy',
    sasl_password: 'sesame-street',
  });
  await enter(weechat, '#den');
  await weechat.shows(/#den/);
  weechat.type('/whois wendy');
  weechat.type('/buffer here');
  await weechat.shows(/\[wendy\] .*secure connection/);
  assert.match(weechat.text, /\[wendy\] .*logged in as/);
});

test.run();
