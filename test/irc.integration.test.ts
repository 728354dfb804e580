// The `irc` dialect on a server: raw lines on sockets, as IRC clients send them.

import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makePair } from '../src/tls-files.ts';
import { Client, chat, join, limited, type Server, start, temporaryDirectory } from './launch.ts';

const HOST = '127.0.0.1';
const NAME = ['--name', 'irc.example', '--network', 'Test'];

/** Somebody who reads line by line, and skips what was not asked for. */
class IrcLine {
  readonly client: Client;
  readonly nick: string;

  constructor(client: Client, nick: string) {
    this.client = client;
    this.nick = nick;
  }

  /** `first` goes before NICK and USER, `behind` after. */
  static async enter(
    port: number,
    nick: string,
    first: readonly string[] = [],
    behind: readonly string[] = [],
  ): Promise<IrcLine> {
    return IrcLine.greet(await Client.connect(port), nick, first, behind);
  }

  static async greet(
    client: Client,
    nick: string,
    first: readonly string[],
    behind: readonly string[],
  ): Promise<IrcLine> {
    const line = new IrcLine(client, nick);
    line.send(...first, `NICK ${nick}`, `USER ${nick} 0 * :${nick}`, ...behind);
    await line.told(/ 001 /);
    await line.told(/ (?:376|422) /);
    return line;
  }

  send(...lines: readonly string[]): void {
    this.client.send(lines.map((line) => `${line}\r\n`).join(''));
  }

  /** The next line that has it. */
  async told(pattern: RegExp | string): Promise<string> {
    const wanted = typeof pattern === 'string' ? pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') : pattern.source;
    const text = await this.client.expect(
      new RegExp(`(?:[^\\r\\n]*\\r\\n)*?[^\\r\\n]*(?:${wanted})[^\\r\\n]*\\r\\n`, 'u'),
    );
    return text.trimEnd().split('\r\n').at(-1) as string;
  }

  /** All that was told so far is read. */
  async rest(): Promise<string[]> {
    this.send('PING :that is all');
    const text = await this.client.expect(/[\s\S]*PONG \S+ :that is all\r\n/);
    return text.trimEnd().split('\r\n').slice(0, -1);
  }
}

const test = suite('irc: a server');
const test_ = limited(test);

test_('two come in, talk and leave; whatever the segments are', async () => {
  const motd = path.join(temporaryDirectory(), 'motd');
  fs.writeFileSync(motd, 'Be kind.\n');
  const server = await start({ args: [...NAME, '--motd', motd] });
  const ann = new IrcLine(await Client.connect(server.tcp), 'ann');
  await ann.client.sendByByte('NICK ann\r\nUSER ann 0 * :Ann\r\n');
  await ann.told(':irc.example 001 ann :Welcome to the Test network, ann!ann@127.0.0.1');
  await ann.told(/:irc\.example 005 ann .*NETWORK=Test/);
  await ann.told(':irc.example 372 ann :- Be kind.');
  const ben = await IrcLine.enter(server.tcp, 'ben');
  ann.send('JOIN #den');
  await ann.told(':irc.example 366 ann #den ');
  ben.send('JOIN #den');
  await ben.told(/:irc\.example 353 ben = #den :.*@ann/);
  await ann.told(':ben!ben@127.0.0.1 JOIN #den');
  ben.send('PRIVMSG #den :Grüß dich, 漢字 🙂');
  await ann.told(':ben!ben@127.0.0.1 PRIVMSG #den :Grüß dich, 漢字 🙂');
  ann.send('PRIVMSG ben :psst');
  await ben.told(':ann!ann@127.0.0.1 PRIVMSG ben psst');
  ben.send('QUIT :bye');
  assert.match(await ben.client.toEnd(), /ERROR :Quit: bye\r\n$/);
  await ann.told(':ben!ben@127.0.0.1 QUIT :Quit: bye');
  fs.writeFileSync(motd, 'Read again.\n');
  process.kill(server.pid, 'SIGHUP');
  await server.logged(/limits read/);
  ann.send('MOTD');
  await ann.told(':irc.example 372 ann :- Read again.');
  server.kill('SIGTERM');
  assert.match(await ann.client.toEnd(), /ERROR :?SIGTERM\r\n$/);
  assert.is((await server.exit()).status, 0);
});

test_('a port of its own, and every client on it speaks IRC', async () => {
  const server = await start({ args: ['--listen', 'irc:0'] });
  const ann = new IrcLine(await Client.connect(server.ports.irc as number), 'ann');
  ann.send('HELO x');
  await ann.told(/ 451 /);
});

test_('what was said is there when the server was started again, as are accounts, topics and rules', async () => {
  const first = await start();
  const caps = ['CAP REQ :sasl batch server-time message-tags echo-message draft/chathistory'];
  const ann = await IrcLine.enter(first.tcp, 'ann', caps, ['CAP END']);
  ann.send('REGISTER * * :sesame street');
  await ann.told('REGISTER SUCCESS ann ');
  ann.send('JOIN #den', 'TOPIC #den :What for', 'MODE #den +sb eve', 'PRIVMSG #den :one', 'PRIVMSG #den :two');
  await ann.told(/msgid=\S+ .*PRIVMSG #den one/);
  const echo = await ann.told(/msgid=\S+ .*PRIVMSG #den two/);
  first.kill('SIGTERM');
  await first.exit();

  const second = await start({ data: first.data });
  const thief = await IrcLine.enter(second.tcp, 'eve');
  thief.send('NICK ann');
  await thief.told(' 433 eve ann ');
  // nobody owns it, and nobody was in it: it is secret still, and keeps nobody out
  thief.send('JOIN #den', 'MODE #den');
  await thief.told(' 324 eve #den +nst');
  const credentials = Buffer.from('\0ann\0sesame street').toString('base64');
  const again = await IrcLine.enter(
    second.tcp,
    'ann',
    [...caps, 'AUTHENTICATE PLAIN', `AUTHENTICATE ${credentials}`],
    ['CAP END'],
  );
  again.send('JOIN #den');
  await again.told(' 332 ann #den :What for');
  await again.told(' 366 ann #den ');
  again.send('CHATHISTORY LATEST #den * 10');
  await again.told(/BATCH \+\S+ chathistory #den/);
  await again.told(/PRIVMSG #den one/);
  const two = await again.told(/PRIVMSG #den two/);
  const msgid = (line: string) => /msgid=([^ ;]+)/.exec(line)?.[1];
  assert.ok(msgid(echo));
  assert.is(msgid(two), msgid(echo));
  const plain = await IrcLine.enter(second.tcp, 'old');
  plain.send('JOIN #den');
  await plain.told(/PRIVMSG #den :\[\d\d:\d\d\] two/);
});

test_('what two accounts said in private survives a SIGKILL, and is theirs alone', async () => {
  const caps = [
    'CAP REQ :sasl batch server-time message-tags account-tag echo-message draft/chathistory draft/read-marker',
  ];
  const login = (nick: string) => [...caps, 'AUTHENTICATE PLAIN', `AUTHENTICATE ${btoa(`\0${nick}\0sesame street`)}`];
  const first = await start();
  const ann = await IrcLine.enter(first.tcp, 'ann', caps, ['CAP END']);
  const ben = await IrcLine.enter(first.tcp, 'ben', caps, ['CAP END']);
  for (const one of [ann, ben]) {
    one.send('REGISTER * * :sesame street');
    await one.told(`REGISTER SUCCESS ${one.nick} `);
  }
  ann.send('PRIVMSG ben :psst, 漢字');
  const echo = await ann.told(/PRIVMSG ben/);
  assert.match(echo, /[;@]account=ann[; ]/);
  const tags = (line: string) => [...line.matchAll(/(?:msgid|time|account)=[^; ]+/g)].map(([tag]) => tag).sort();
  assert.equal(tags(await ben.told(/PRIVMSG ben/)), tags(echo));
  ben.send('NOTICE ann :got it');
  const answer = await ben.told(/NOTICE ann/);
  // the mark is told when it is on disk, and so is what was said before it
  ben.send(`MARKREAD ann timestamp=${/time=([^; ]+)/.exec(answer)?.[1]}`);
  const markIn = (line: string) => /MARKREAD ann (.*)/.exec(line)?.[1];
  const mark = await ben.told(/MARKREAD ann timestamp=/);
  first.kill('SIGKILL');
  await first.exit();

  const second = await start({ data: first.data });
  const again = await IrcLine.enter(second.tcp, 'ben', login('ben'), ['CAP END']);
  again.send('CHATHISTORY LATEST ann * 10');
  await again.told(/BATCH \+\S+ chathistory ann/);
  const told = await again.told(/PRIVMSG ben :psst, 漢字/);
  assert.equal(tags(told), tags(echo));
  assert.equal(tags(await again.told(/NOTICE ann :got it/)), tags(answer));
  again.send('MARKREAD ann');
  assert.is(markIn(await again.told('MARKREAD ann ')), markIn(mark));
  again.send('CHATHISTORY TARGETS timestamp=2000-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 10');
  await again.told(`CHATHISTORY TARGETS ann ${/time=([^; ]+)/.exec(answer)?.[1]}`);
  const eve = await IrcLine.enter(second.tcp, 'eve', caps, ['CAP END']);
  for (const target of ['ann', 'ben']) {
    eve.send(`CHATHISTORY LATEST ${target} * 10`);
    await eve.told(new RegExp(`BATCH \\+\\S+ chathistory ${target}`));
  }
  assert.equal(
    (await eve.rest()).filter((line) => /psst|got it/.test(line)),
    [],
  );
  second.kill('SIGTERM');
  await second.exit();
  assert.not.match(first.stderr + second.stderr, 'psst');

  const third = await start({ data: first.data, args: ['--private-days', '0'] });
  const last = await IrcLine.enter(third.tcp, 'ben', login('ben'), ['CAP END']);
  last.send('CHATHISTORY LATEST ann * 10');
  await last.told(/BATCH \+\S+ chathistory ann/);
  assert.equal(
    (await last.rest()).filter((line) => / (?:PRIVMSG|NOTICE) /.test(line)),
    [],
  );
});

test_('an operator of the server puts anybody out, whatever they speak', async () => {
  const server = await start({ args: ['--oper', 'Boss'] });
  const boss = await IrcLine.enter(server.tcp, 'boss');
  boss.send('REGISTER * * :sesame street');
  await boss.told('REGISTER SUCCESS boss ');
  boss.send('OPER boss wrong');
  await boss.told(' 464 boss ');
  boss.send('OPER boss :sesame street');
  await boss.told(' 381 boss ');
  const eve = await IrcLine.enter(server.tcp, 'eve');
  boss.send('KILL eve :enough');
  assert.match(await eve.client.toEnd(), /ERROR :[^\r\n]*enough[^\r\n]*\r\n$/);
  const mary = await Client.connect(server.tcp);
  mary.send('mary\n');
  boss.send('JOIN #main');
  await boss.told(' 366 boss #main ');
  mary.send('hello\n');
  await boss.told(/:mary!\S+ PRIVMSG #main hello/);
  boss.send('KILL mary :you too');
  await boss.told(/:mary!\S+ (?:QUIT|PART) /);
  assert.match(await mary.toEnd(), /you too/);
});

test_('a ban is for members of all dialects, by where they come from', async () => {
  const server = await start();
  const ann = await IrcLine.enter(server.tcp, 'ann');
  ann.send('JOIN #den', 'MODE #den +b *!lab@127.0.0.*');
  await ann.told('MODE #den +b *!lab@127.0.0.*');
  const larry = await Client.connect(server.tcp);
  larry.send(join('den', 'larry'));
  await larry.expect(/ERROR_CODE: ?\d+\nERROR_DESCRIPTION: ?[^\n]*banned[^\n]*\n/);
  ann.send('MODE #den -b *!lab@127.0.0.*');
  await ann.told('MODE #den -b *!lab@127.0.0.*');
  larry.send(join('den', 'larry'));
  const [, ref = '', id = ''] =
    /ROOM_REF: ?(\d+)\nJOIN_ID: ?(\d+)/.exec(await larry.expect(/[\s\S]*JOIN_ID: ?\d+\n/)) ?? [];
  larry.send(chat(ref, id, 'larry', 'hi'));
  await ann.told(/:larry!lab@127\.0\.0\.1 PRIVMSG #den hi/);
});

test_('inside TLS: FILEHOST is https, WHOIS says so, and plain connections are told of it', async () => {
  const directory = temporaryDirectory();
  const pair = makePair(new Date());
  const files = { cert: path.join(directory, 'cert.pem'), key: path.join(directory, 'key.pem') };
  fs.writeFileSync(files.cert, pair.cert);
  fs.writeFileSync(files.key, pair.key);
  const server = await start({ args: ['--tls-cert', files.cert, '--tls-key', files.key] });
  const plain = await Client.connect(server.tcp);
  plain.send('CAP LS 302\r\n');
  await plain.expect(new RegExp(`[^\\n]*sts=port=${server.tcp},duration=2592000[^\\n]*\\n`));
  const socket = tls.connect({ port: server.tcp, host: HOST, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const ann = new IrcLine(new Client(socket), 'ann');
  ann.send('NICK ann', 'USER ann 0 * :Ann');
  await ann.told(`soju.im/FILEHOST=https://127.0.0.1:${server.tcp}/upload`);
  ann.send('WHOIS ann');
  await ann.told(' 671 ann ann ');
  socket.destroy();
});

test_('a file that is brought to FILEHOST is had by its link', async () => {
  const server = await start();
  const ann = new IrcLine(await Client.connect(server.tcp), 'ann');
  ann.send('NICK ann', 'USER ann 0 * :Ann');
  const line = await ann.told(/soju\.im\/FILEHOST=http:/);
  const where = /soju\.im\/FILEHOST=(\S+)/.exec(line)?.[1] as string;
  const body = 'a picture, say';
  const answer = await fetch(where, {
    method: 'POST',
    body,
    headers: { 'Content-Disposition': 'attachment; filename="pic.txt"', 'Content-Type': 'text/plain' },
  });
  assert.is(answer.status, 201);
  const link = new URL(answer.headers.get('location') as string, where).href;
  const ben = await IrcLine.enter(server.tcp, 'ben', [], ['JOIN #main']);
  ann.send('JOIN #main', `PRIVMSG #main :${link}`);
  const told = await ben.told(/PRIVMSG #main :?http:/);
  assert.is(await (await fetch(/http:\S+/.exec(told)?.[0] as string)).text(), body);
});

/** What no client sends, with what is told of it. */
const HOSTILE: ReadonlyArray<readonly [name: string, bytes: string | Uint8Array, answer: RegExp]> = [
  ['a line without an end', `PRIVMSG #den :${'x'.repeat(5000)}\r\n`, / 417 ann :/],
  ['tags without an end', `@a=${'x'.repeat(9000)} PING x\r\n`, / 417 ann :/],
  ['bytes that are no text', Uint8Array.from([...Buffer.from('PRIVMSG #den :'), 0xff, 0xfe, 13, 10]), /INVALID_UTF8/],
  ['a NUL', 'PI\0NG x\r\nPING y\r\n', /PONG \S+ y/],
  ['a lone CR', 'PING 1\rPING 2\n', /PONG \S+ 2/],
  ['empty lines', `${'\r\n'.repeat(2000)}PING 3\r\n`, /PONG \S+ 3/],
  ['a control character for a command', '\x01\x02\r\n', / 421 ann /],
  ['very many parameters', `PRIVMSG ${'a '.repeat(100)}:b\r\n`, / 40[13] ann /],
  ['very many targets', `PRIVMSG ${Array.from({ length: 100 }, (_, n) => `n${n}`)} :b\r\n`, / 407 ann /],
  ['very many modes', `MODE #den +${'o'.repeat(400)}\r\n`, / (?:461|696) ann /],
];

test_('whatever comes, the server goes on', async () => {
  const server = await start();
  const ann = await IrcLine.enter(server.tcp, 'ann', [], ['JOIN #den']);
  await ann.told(' 366 ann #den ');
  for (const [name, bytes, answer] of HOSTILE) {
    ann.client.send(bytes);
    await ann.told(answer).catch((reason) => assert.unreachable(`${name}: ${reason.message}`));
    await ann.rest();
  }
  const gone = await IrcLine.enter(server.tcp, 'ben', [], ['JOIN #den']);
  await ann.told('ben!ben@127.0.0.1 JOIN #den');
  gone.client.reset();
  await ann.told('ben!ben@127.0.0.1 QUIT ');
});

test_('who reads nothing is dropped alone, and the others are told', async () => {
  const server = await start({ args: ['--sendq', '65536', '--limit', 'messages=off', '--limit', 'bytes=off'] });
  const ann = await IrcLine.enter(server.tcp, 'ann', [], ['JOIN #den']);
  const ben = await IrcLine.enter(server.tcp, 'ben', [], ['JOIN #den']);
  const slow = await IrcLine.enter(server.tcp, 'slow', [], ['JOIN #den']);
  await ann.told('slow!slow@127.0.0.1 JOIN #den');
  slow.client.stopReading();
  const flood = flooding(ann);
  await ben.told('slow!slow@127.0.0.1 QUIT ');
  flood.stop();
  await flood.over;
  ann.send('PRIVMSG #den :the last one');
  await ben.told('PRIVMSG #den :the last one');
});

function flooding(ann: IrcLine): { stop(): void; readonly over: Promise<void> } {
  const flood = { isOver: false };
  const run = async () => {
    while (!flood.isOver) {
      ann.send(...new Array(50).fill(`PRIVMSG #den :${'x'.repeat(400)}`));
      await ann.rest();
    }
  };
  const stop = () => {
    flood.isOver = true;
  };
  return { stop, over: run() };
}

test_('a taken name is told so in each dialect, and none are worn twice', async () => {
  const server: Server = await start();
  await IrcLine.enter(server.tcp, 'ann');
  const larry = await Client.connect(server.tcp);
  larry.send(join('main', 'ann'));
  await larry.expect(/[\s\S]*JOIN_ID: ?\d+\n/);
  const ben = await IrcLine.enter(server.tcp, 'ben', [], ['JOIN #main']);
  const names = await ben.told(/ 353 ben = #main :/);
  assert.match(names, /ann~2/);
});

test.run();
