import fs from 'node:fs';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { IrcOpening, motdLines } from '../src/irc-opening.ts';
import { readServerOptions, type ServerOptions } from '../src/options.ts';
import { FakePort } from './fakes.ts';
import { temporaryDirectory } from './launch.ts';

const opening = suite('irc: what the server is called, and the like');

function optionsOf(...line: string[]): ServerOptions {
  return readServerOptions(['5000', ...line], { XDG_STATE_HOME: '/state' }) as ServerOptions;
}

for (const [host, wanted] of [
  ['chat.example.org', 'chat.example.org'],
  ['Marias-Laptop', 'Marias-Laptop'],
  ['my_host', 'my-host'],
  ['.x-', 'x'],
  ['h'.repeat(100), 'h'.repeat(63)],
  ['', 'parley'],
  ['___', 'parley'],
] as const) {
  opening(`a machine called ${JSON.stringify(host.slice(0, 20))} is ${wanted.slice(0, 20)}`, () => {
    assert.is(new IrcOpening(optionsOf(), 5000, host).settings.serverName, wanted);
  });
}

opening('what is given goes before that', () => {
  const { settings } = new IrcOpening(
    optionsOf('--name', 'irc.example', '--network', 'Our House', '--oper', 'Ann', '--oper', 'ben', '--replay', '0'),
    5000,
    'host',
  );
  assert.is(settings.serverName, 'irc.example');
  assert.is(settings.network, 'Our House');
  assert.equal([...settings.opers], ['ann', 'ben']);
  assert.is(settings.replay, 0);
  assert.equal(settings.motd, []);
  assert.is(settings.sts, undefined);
});

opening('sts is for certificates that clients can check', () => {
  const files = optionsOf('--tls-cert', 'c.pem', '--tls-key', 'k.pem');
  assert.is(new IrcOpening(files, 6697, 'host').settings.sts, 'port=6697,duration=2592000');
  assert.is(new IrcOpening(optionsOf('--tls-self'), 6697, 'host').settings.sts, undefined);
});

opening('files are brought to the main port, by TLS where the connection is', () => {
  const on = (...line: string[]) => new IrcOpening(optionsOf(...line), 5000, 'host').settings.fileHost;
  const local = { ip: '192.0.2.1', port: 6667 };
  const port = Object.assign(new FakePort(), { local });
  const secure = Object.assign(new FakePort(), { local, isEncrypted: true });
  assert.is(on()?.(port), 'http://192.0.2.1:5000/upload');
  assert.is(on()?.(secure), 'https://192.0.2.1:5000/upload');
  assert.is(on('--advertise', '2001:db8::1')?.(port), 'http://[2001:db8::1]:5000/upload');
  assert.is(on('--public-url', 'https://chat.example/')?.(port), 'https://chat.example/upload');
  assert.is(on('--public-url', 'http://chat.example')?.(secure), undefined);
  assert.is(on('--uploads', 'off'), undefined);
});

opening('the message of the day is a file, read again when asked', () => {
  const file = path.join(temporaryDirectory(), 'motd');
  assert.throws(() => new IrcOpening(optionsOf('--motd', file), 5000, 'host'), /^--motd .*ENOENT/);
  fs.writeFileSync(file, 'Welcome.\n');
  const irc = new IrcOpening(optionsOf('--motd', file), 5000, 'host');
  const { settings } = irc;
  assert.equal(settings.motd, ['Welcome.']);
  fs.writeFileSync(file, 'Hello.\r\n\r\nAll.\r\n');
  irc.reload();
  assert.equal(settings.motd, ['Hello.', '', 'All.']);
  fs.rmSync(file);
  assert.throws(() => irc.reload(), /ENOENT/);
  assert.equal(settings.motd, ['Hello.', '', 'All.']);
});

for (const [name, text, wanted] of [
  ['nothing', '', []],
  ['empty lines alone', ' \n\n', []],
  ['tabs', 'a\tb', ['a    b']],
  ['a long line', 'x'.repeat(500), ['x'.repeat(380), 'x'.repeat(120)]],
] as const) {
  opening(`a message of the day with ${name}`, () => assert.equal(motdLines(text), [...wanted]));
}

opening('a message of the day that has no end has one', () => {
  assert.is(motdLines('x\n'.repeat(10_000)).length, 500);
});

opening.run();
