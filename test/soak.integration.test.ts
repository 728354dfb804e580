// The soak and the fuzz of bench/ as programs, short ones, on the server under test; and the soak's own eyes: what it
// must find it finds.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Chance } from '../bench/soak-chance.ts';
import { Ear, Ledger } from '../bench/soak-ledger.ts';
import { limited, ROOT, serverCommand } from './launch.ts';

const MAX_MS = 115_000;

const eyes = suite('what a soak sees');

/** A ledger in which `ann` has said three texts, of which the second was acknowledged. */
function three(): { ledger: Ledger; texts: string[] } {
  const ledger = new Ledger();
  const said = [1, 2, 3].map(() => ledger.compose('ann', new Chance(1)));
  ledger.acked('ann.2');
  return { ledger, texts: said.map(({ text }) => text) };
}

const KEPT: ReadonlyArray<[name: string, kept: (texts: string[]) => string[], trouble: RegExp | undefined]> = [
  ['all', (texts) => texts, undefined],
  ['what nobody was told of may be lost', ([, second = '']) => [second], undefined],
  ['others have said something as well', (texts) => [...texts, 'hello'], undefined],
  [
    'an acknowledged one is lost',
    ([first = '', , third = '']) => [first, third],
    /^ann\.2 was acknowledged, and is lost$/,
  ],
  ['one is kept twice', (texts) => [...texts, texts[0] ?? ''], /^ann\.1 is kept 2 times$/],
  ['one is not as it was said', ([first = '', second = '']) => [`${first}x`, second], /^kept as /],
];

for (const [name, kept, trouble] of KEPT) {
  eyes(`kept: ${name}`, () => {
    const { ledger, texts } = three();
    ledger.judge(kept(texts));
    assert.is(ledger.troubles.length, trouble ? 1 : 0, ledger.troubles.join());
    if (trouble) assert.match(ledger.troubles[0] as string, trouble);
  });
}

const HEARD: ReadonlyArray<[name: string, heard: string[], mayRepeat: boolean, trouble: RegExp | undefined]> = [
  ['in order, from two', ['<ann.1> a', 'bob: <bob.7> b', '<ann.2> c'], false, undefined],
  ['some are missing', ['<ann.1> a', '<ann.9> c'], false, undefined],
  ['one twice', ['<ann.1> a', '<ann.1> a'], false, /^eve heard ann\.1 twice/],
  ['a datagram that is repeated at once', ['<ann.1> a', '<ann.1> a'], true, undefined],
  ['one late', ['<ann.2> a', '<ann.1> a'], false, /^eve heard ann\.1 after ann\.2$/],
];

for (const [name, heard, mayRepeat, trouble] of HEARD) {
  eyes(`heard: ${name}`, () => {
    const ledger = new Ledger();
    const ear = new Ear(ledger, 'eve', mayRepeat);
    for (const text of heard) ear.hear(text);
    assert.is(ledger.troubles.length, trouble ? 1 : 0, ledger.troubles.join());
    if (trouble) assert.match(ledger.troubles[0] as string, trouble);
  });
}

eyes('what was said while one was away may come behind what is said now', () => {
  const ledger = new Ledger();
  const ear = new Ear(ledger, 'eve', true);
  ear.hear('<ann.2> now');
  ear.catchUp('<ann.1> before');
  assert.equal(ledger.troubles, []);
});

eyes('the same seed makes the same choices, another one others', () => {
  const choices = (seed: number, whose: string) => {
    const chance = new Chance(seed, whose);
    return [chance.upTo(1000), chance.between(5, 500), chance.bytes(8).toString('hex'), chance.isOne(0.5)];
  };
  assert.equal(choices(7, 'ann'), choices(7, 'ann'));
  assert.not.equal(choices(7, 'ann'), choices(8, 'ann'));
  assert.not.equal(choices(7, 'ann'), choices(7, 'bob'));
});

const programs = suite('soak and fuzz');
const program_ = limited(programs);

type Report = Record<string, number> & { troubles: string[] };

/** Runs one of them to its end on the server under test; what it has found. */
function run(script: string, ...args: string[]): Promise<Report> {
  const words = [path.join(ROOT, 'bench', script), '--server', serverCommand().join(' '), ...args];
  return new Promise((resolve, reject) => {
    // at its own end it takes its server along, also when it is told to end
    execFile(process.execPath, words, { cwd: ROOT, timeout: MAX_MS, encoding: 'utf8' }, (error, stdout, stderr) => {
      const line = stdout.trim().split('\n').at(-1) ?? '';
      if (line.startsWith('{')) resolve(JSON.parse(line));
      else reject(new Error(`${script}: ${stderr || error?.message}`));
    });
  });
}

program_(
  'a minute with people of every dialect and a server that is killed',
  async () => {
    const report = await run('soak.ts', '--seconds', '60', '--seed', '1');
    assert.equal(report.troubles, [], JSON.stringify(report));
    for (const figure of ['acknowledged', 'heard', 'kept', 'files', 'kills', 'heard the roll']) {
      assert.ok((report[figure] as number) > 0, `${figure}: ${JSON.stringify(report)}`);
    }
  },
  120,
);

program_(
  'ten seconds of broken bytes into every listener',
  async () => {
    const report = await run('fuzz.ts', '--seconds', '10', '--seed', '1');
    assert.equal(report.troubles, [], JSON.stringify(report));
    for (const target of ['main', 'pipe', 'door', 'tls']) {
      assert.ok((report[`${target} connections`] as number) > 0, `${target}: ${JSON.stringify(report)}`);
    }
    assert.ok((report.datagrams as number) > 0);
  },
  80,
);

eyes.run();
programs.run();
