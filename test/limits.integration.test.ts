// Limits on real sockets: this machine is not trusted here. What honest people do passes; who does too much is slowed,
// told, turned away.

import { setTimeout } from 'node:timers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client, chat, Datagrams, join, limited, runToEnd, type Server, start, watchMain } from './launch.ts';

/** A server that trusts nobody. */
function strict(...limits: string[]): Promise<Server> {
  return start({ args: ['--trusted', 'none', '--pipe', '0', ...limits.flatMap((one) => ['--limit', one])] });
}

async function member(server: Server, name: string): Promise<Client> {
  const client = await Client.connect(server.tcp);
  client.send(join('main', name));
  await client.expect(new RegExp(`[\\s\\S]*${name} has joined this chatroom\\.\\n\\n`));
  return client;
}

const pass = suite('limits: what passes');
const pass_ = limited(pass);

pass_('a pasted page of 2,000 lines, and 200 people behind one address', async () => {
  const server = await strict();
  const watcher = await watchMain(server);
  const all = await Promise.all(Array.from({ length: 200 }, () => Client.connect(server.tcp)));
  for (const [at, one] of all.entries()) one.send(`user${at}\n`);
  await watcher.expect(/[\s\S]*user199 has joined/);
  const [first, last] = [all[0] as Client, all[199] as Client];
  first.send(Array.from({ length: 2000 }, (_, at) => `line ${at}\n`).join(''));
  await last.expect(/[\s\S]*user0: line 1999\n/);
});

pass_('anything, from who is trusted', async () => {
  const args = [
    '--trusted',
    'none',
    '--trusted',
    '127.0.0.0/30',
    '--limit',
    'messages=1+1/s',
    '--limit',
    'joins=1+1/s',
  ];
  const server = await start({ args });
  const [ann, bob] = [await member(server, 'ann'), await member(server, 'bob')];
  ann.send(Array.from({ length: 500 }, (_, at) => chat(0, 1, 'ann', `line ${at}`)).join(''));
  await bob.expect(/[\s\S]*MESSAGE: line 499\n\n/);
});
pass.run();

const stop = suite('limits: what does not');
const stop_ = limited(stop);

stop_('more connections of one network than there may be', async () => {
  const server = await strict('connections-each=3');
  const [first, ...others] = [await member(server, 'a'), await member(server, 'b'), await member(server, 'c')];
  const late = await Client.connect(server.tcp);
  await late.gone();
  await server.logged(/refused from=127\.0\.0\.1 reason=connections-each/);
  first.destroy();
  await (others[0] as Client).expect(/[\s\S]*a has left/);
  await member(server, 'd');
});

stop_('a connection that became HTTP’s counts as long as it is there', async () => {
  const server = await strict('connections-each=1');
  const http = await Client.connect(server.tcp);
  http.send('GET /nothing HTTP/1.1\r\nHost: a\r\n');
  await (await Client.connect(server.tcp)).gone();
  http.destroy();
  for (let tries = 0; ; tries++) {
    const next = await Client.connect(server.tcp);
    next.send('HELO x\n');
    const isIn = await next.expect(/HELO x\n/).then(
      () => true,
      () => false,
    );
    if (isIn) break;
    assert.ok(tries < 20);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

stop_('who is a little too fast is slowed: nothing is lost, others are not', async () => {
  const server = await strict('messages=20+100/s');
  const [ann, bob] = [await member(server, 'ann'), await member(server, 'bob')];
  ann.send(Array.from({ length: 150 }, (_, at) => chat(0, 1, 'ann', `line ${at}`)).join(''));
  ann.send(chat(0, 1, 'ann', 'last'));
  const heard = await bob.expect(/[\s\S]*MESSAGE: last\n\n/);
  assert.is(heard.match(/MESSAGE: line \d+\n/g)?.length, 150);
});

stop_('one read of many thousand messages is not passed on at once', async () => {
  const server = await strict('messages=300+1/s');
  const [ann, bob] = [await member(server, 'ann'), await member(server, 'bob')];
  const page = Array.from({ length: 1000 }, (_, at) => chat(0, 1, 'ann', `line ${at}`)).join('');
  ann.send(page);
  await bob.expect(/[\s\S]*MESSAGE: line 200\n\n/);
  bob.send(chat(0, 2, 'bob', 'I am heard'));
  const heard = await bob.expect(/[\s\S]*MESSAGE: I am heard\n\n/);
  assert.not.match(heard, /line 300\n/);
});

stop_('no line of a menu client is cut where it is slowed', async () => {
  const server = await strict('messages=20+100/s');
  const watcher = await watchMain(server);
  const ann = await Client.connect(server.tcp);
  ann.send('ann\n');
  await watcher.expect(/[\s\S]*ann has joined/);
  for (let i = 0; i < 150; i++) {
    ann.send(`line ${i} ${'x'.repeat(500)} end\nli`);
    ann.send(`ne ${i} and again\n`);
  }
  ann.send('last\n');
  const heard = await watcher.expect(/[\s\S]*MESSAGE: last\n/);
  assert.is(heard.match(/MESSAGE: line \d+ x{500} end\n/g)?.length, 150);
  assert.is(heard.match(/MESSAGE: line \d+ and again\n/g)?.length, 150);
});

const DIALECTS: ReadonlyArray<
  readonly [dialect: string, greet: (server: Server) => Promise<Client>, line: string, told: RegExp]
> = [
  ['lab', (server) => member(server, 'ann'), chat(0, 1, 'ann', 'x'), /ERROR_DESCRIPTION: .*too fast.*\n/],
  [
    'menu',
    async (server) => {
      const client = await Client.connect(server.tcp);
      client.send('ann\n');
      return client;
    },
    'x\n',
    /server: .*too fast.*\n/,
  ],
  [
    'pipe',
    async (server) => {
      const client = await Client.connect(server.ports.pipe as number);
      client.send('ann\ncreate\nhall\nno\n');
      await client.expect(/[\s\S]*Welcome to hall.*\n/);
      return client;
    },
    '@x|x\n',
    /ERROR\|.*too fast.*\nexit\n/,
  ],
];
for (const [dialect, greet, line, told] of DIALECTS) {
  stop_(`who goes on and on too fast is told so in ${dialect}, and put out`, async () => {
    const server = await strict('messages=20+50/s', 'patience=1');
    const client = await greet(server);
    let isOver = false;
    const flood = async () => {
      while (!isOver) {
        client.send(line.repeat(20));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const flooding = flood();
    await client.expect(new RegExp(`[\\s\\S]*${told.source}`), 15_000);
    await client.gone();
    isOver = true;
    await server.logged(new RegExp(`dropped .*dialect=${dialect} .*too fast`));
    await flooding;
  });
}

stop_('who enters more rooms than may be', async () => {
  const server = await strict('joins=2+1/s');
  const client = await Client.connect(server.tcp);
  client.send(join('a', 'ann') + join('b', 'ann') + join('c', 'ann'));
  await client.expect(
    /JOINED_CHATROOM: a[\s\S]*JOINED_CHATROOM: b[\s\S]*ERROR_DESCRIPTION: you have entered too many rooms.*\n/,
  );
});

stop_('a dialogue that never ends, and not who is in', async () => {
  const server = await strict('idle=1');
  const ann = await member(server, 'ann');
  const pipe = await Client.connect(server.ports.pipe as number);
  await pipe.expect(/[\s\S]*username\n/);
  const silent = await Client.connect(server.tcp);
  assert.is(await pipe.toEnd(), 'exit');
  await silent.gone();
  ann.send(chat(0, 1, 'ann', 'still here'));
  await ann.expect(/[\s\S]*MESSAGE: still here\n\n/);
});

stop_('answers to an address that may be somebody else’s', async () => {
  const server = await strict('answers=1000+1/s');
  const victim = await Datagrams.open();
  for (let i = 0; i < 300; i++) victim.send('HELO\n', server.udp);
  await victim.silent(0).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 500));
  const bytes = victim.rest().join('').length;
  assert.ok(bytes > 500 && bytes <= 1000 + 3 * 5 * 300 + 100, `${bytes} bytes`);
  await server.logged(/datagram refused why=answers from=127\.0\.0\.1/);
});

stop_('limits that are none: exit status 2, and what is wrong', async () => {
  for (const [args, why] of [
    [['--limit', 'messages=x'], /--limit messages = x/],
    [['--limit', 'mesages=5+5/s'], /there is no limit mesages/],
    [['--trusted', '10.0.0.0/64'], /--trusted 10\.0\.0\.0\/64/],
    [['--limits', '/nonexistent/limits'], /--limits \/nonexistent\/limits/],
  ] as const) {
    const { status, stderr } = await runToEnd({ port: 0, data: ':memory:', args });
    assert.equal([status, why.test(stderr)], [2, true], stderr);
  }
});

stop_('a server under its limits still serves who is trusted', async () => {
  const server = await start({ args: ['--limit', 'connections=1', '--limit', 'arrivals-each=1+1/s'] });
  await watchMain(server);
  await member(server, 'bob');
});
stop.run();
