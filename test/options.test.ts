import os from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UsageError } from '../src/arguments.ts';
import { readServerOptions, type ServerOptions, type UploadOptions, unknownVariables } from '../src/options.ts';

type Env = Record<string, string>;

function read(line: string[], env: Env = {}): ServerOptions {
  return readServerOptions(line, env) as ServerOptions;
}

/** One line that names the option and what is wrong with it. */
function isUsage(line: string[], env: Env, names: string): void {
  assert.throws(
    () => readServerOptions(line, env),
    (error: Error) => {
      assert.instance(error, UsageError, error.stack);
      assert.not(/[\n\0]/.test(error.message), JSON.stringify(error.message));
      assert.ok(error.message.includes(names), `${JSON.stringify(error.message)} does not name ${names}`);
      return error.message.length > names.length + 5;
    },
  );
}

const options = suite('options');

options('have these defaults', () => {
  assert.equal(read(['5000'], { XDG_STATE_HOME: '/state' }), {
    port: 5000,
    host: '',
    listen: [],
    pipe: 'auto',
    console: false,
    data: '/state/parley/5000.db',
    makeDirectory: true,
    kill: 'local',
    studentId: '00000000',
    advertise: undefined,
    sendqBytes: 1_048_576,
    udpIdleMs: 300_000,
    openFiles: false,
    uploads: {
      directory: '/state/parley/5000.db.uploads',
      fileBytes: 100 * 1024 ** 2,
      totalBytes: 2 * 1024 ** 3,
      keepMs: 30 * 86_400_000,
      isAccountsOnly: false,
    },
    publicUrl: undefined,
    whisperMs: 365 * 86_400_000,
    irc: { name: undefined, network: 'Parley', opers: [], replay: 20, motd: undefined },
    importUsers: undefined,
    strictLobby: false,
    multicastIf: undefined,
    verbose: false,
    logLevel: 'info',
    logFormat: 'text',
    limitsFile: undefined,
    limits: { limits: [], trusted: [] },
    admin: { path: '/state/parley/5000.sock', isAsked: false },
    tls: undefined,
    requireTls: false,
    metricsToken: undefined,
    backup: undefined,
    check: false,
  });
});

const IRC = { name: undefined, network: 'Parley', opers: [], replay: 20, motd: undefined };
type Row = [flag: string, value: string, field: keyof ServerOptions, wanted: unknown];
const ROWS: Row[] = [
  ['host', '127.0.0.1', 'host', '127.0.0.1'],
  ['host', '::', 'host', '::'],
  ['host', 'localhost', 'host', '127.0.0.1'],
  ['data', 'house.db', 'data', 'house.db'],
  ['data', '/x/house.db', 'data', '/x/house.db'],
  ['data', '007', 'data', '007'],
  ['data', ':memory:', 'data', ':memory:'],
  ['data', 'house.db', 'makeDirectory', false],
  ['kill', 'any', 'kill', 'any'],
  ['kill', 'local', 'kill', 'local'],
  ['kill', 'off', 'kill', 'off'],
  ['student-id', '0042', 'studentId', '0042'],
  ['student-id', '12345678', 'studentId', '12345678'],
  ['student-id', '1e3', 'studentId', '1e3'],
  ['student-id', '0x10', 'studentId', '0x10'],
  ['student-id', 'Infinity', 'studentId', 'Infinity'],
  ['student-id', 'true', 'studentId', 'true'],
  ['student-id', '12345678901234567890', 'studentId', '12345678901234567890'],
  ['student-id', 'ab cd', 'studentId', 'ab cd'],
  ['student-id', 'a=b', 'studentId', 'a=b'],
  ['advertise', '203.0.113.9', 'advertise', '203.0.113.9'],
  ['advertise', '2001:db8::1', 'advertise', '2001:db8::1'],
  ['sendq', '65536', 'sendqBytes', 65536],
  ['udp-idle', '1', 'udpIdleMs', 1000],
  ['log-level', 'debug', 'logLevel', 'debug'],
  ['log-level', 'error', 'logLevel', 'error'],
  ['log-format', 'json', 'logFormat', 'json'],
  ['limits', 'limits.conf', 'limitsFile', 'limits.conf'],
  ['limit', 'messages=9+1/s', 'limits', { limits: [['messages', '9+1/s']], trusted: [] }],
  ['trusted', '10.0.0.0/8', 'limits', { limits: [], trusted: ['10.0.0.0/8'] }],
  ['trusted', 'none', 'limits', { limits: [], trusted: ['none'] }],
  ['admin', '/run/parley.sock', 'admin', { path: '/run/parley.sock', isAsked: true }],
  ['admin', 'off', 'admin', undefined],
  ['data', ':memory:', 'admin', undefined],
  ['data', 'house.db', 'admin', { path: 'house.sock', isAsked: false }],
  ['pipe', 'auto', 'pipe', 'auto'],
  ['pipe', 'off', 'pipe', 'off'],
  ['pipe', '0', 'pipe', 0],
  ['pipe', '50003', 'pipe', 50_003],
  ['listen', 'irc:6667', 'listen', [{ dialect: 'irc', port: 6667 }]],
  ['name', 'irc.example.org', 'irc', { ...IRC, name: 'irc.example.org' }],
  ['network', 'Our House', 'irc', { ...IRC, network: 'Our House' }],
  ['oper', 'ann', 'irc', { ...IRC, opers: ['ann'] }],
  ['replay', '0', 'irc', { ...IRC, replay: 0 }],
  ['motd', 'motd.txt', 'irc', { ...IRC, motd: 'motd.txt' }],
  ['listen', 'pipe:0', 'pipe', 'off'],
  ['listen', 'lab:0', 'pipe', 'auto'],
  ['listen', 'lab:6000', 'listen', [{ dialect: 'lab', port: 6000 }]],
  ['listen', 'lab:0', 'listen', [{ dialect: 'lab', port: 0 }]],
  ['public-url', 'https://chat.example', 'publicUrl', 'https://chat.example'],
  ['public-url', 'http://chat.example:5000/', 'publicUrl', 'http://chat.example:5000'],
  ['public-url', 'HTTPS://Chat.Example/parley/', 'publicUrl', 'https://chat.example/parley'],
  ['metrics-token', 'a-long-token', 'metricsToken', 'a-long-token'],
  ['metrics-token', '12345678', 'metricsToken', '12345678'],
  ['backup', 'copy.db', 'backup', 'copy.db'],
];
for (const [flag, value, field, wanted] of ROWS) {
  const variable = `PARLEY_${flag.replace('-', '_').toUpperCase()}`;
  options(`--${flag} ${value} sets ${field}, behind the port, before it, with =, and as ${variable}`, () => {
    assert.equal(read(['5000', `--${flag}`, value])[field], wanted);
    assert.equal(read([`--${flag}`, value, '5000'])[field], wanted);
    assert.equal(read(['5000', `--${flag}=${value}`])[field], wanted);
    assert.equal(read(['5000'], { [variable]: value })[field], wanted);
  });
}

type UploadRow = [line: string, wanted: Partial<UploadOptions> | undefined];
const UPLOADS: UploadRow[] = [
  ['--data x.db', { directory: 'x.db.uploads', fileBytes: 100 * 1024 ** 2 }],
  ['--uploads 500K', { fileBytes: 512_000 }],
  ['--uploads 1g', { fileBytes: 1024 ** 3 }],
  ['--uploads 7', { fileBytes: 7 }],
  ['--uploads off', undefined],
  ['--uploads off --upload-total 5M', undefined],
  ['--data :memory:', undefined],
  ['--data :memory: --uploads off', undefined],
  ['--upload-total 10M', { fileBytes: 10 * 1024 ** 2, totalBytes: 10 * 1024 ** 2 }],
  ['--uploads 1T --upload-total 3T', { fileBytes: 1024 ** 4, totalBytes: 3 * 1024 ** 4 }],
  ['--upload-days 1', { keepMs: 86_400_000 }],
  ['--upload-accounts-only', { isAccountsOnly: true }],
];
for (const [line, wanted] of UPLOADS) {
  options(`${line} is understood`, () => {
    const { uploads } = read(['5000', ...line.split(' ')]);
    if (!wanted) return assert.is(uploads, undefined);
    for (const [field, value] of Object.entries(wanted)) assert.is(uploads?.[field as keyof UploadOptions], value);
  });
}

options('say for how many days private messages are kept', () => {
  assert.is(read(['5000', '--private-days', '0']).whisperMs, 0);
  assert.is(read(['5000'], { PARLEY_PRIVATE_DAYS: '7' }).whisperMs, 7 * 86_400_000);
});

options('of uploads may stand in the environment', () => {
  const env = {
    PARLEY_UPLOADS: '2M',
    PARLEY_UPLOAD_TOTAL: '5M',
    PARLEY_UPLOAD_DAYS: '3',
    PARLEY_UPLOAD_ACCOUNTS_ONLY: 'on',
  };
  const { uploads, publicUrl } = read(['5000'], { ...env, PARLEY_PUBLIC_URL: 'https://a.example' });
  assert.equal(
    [uploads?.fileBytes, uploads?.totalBytes, uploads?.keepMs, uploads?.isAccountsOnly, publicUrl],
    [2 * 1024 ** 2, 5 * 1024 ** 2, 3 * 86_400_000, true, 'https://a.example'],
  );
});

type TlsRow = [line: string, wanted: Partial<ServerOptions>];
const TLS: TlsRow[] = [
  ['5000', { tls: undefined, requireTls: false }],
  ['5000 --tls-cert c --tls-key k', { tls: { kind: 'files', cert: 'c', key: 'k' } }],
  ['5000 --tls-self --data x.db', { tls: { kind: 'self', file: 'x.db.tls.pem' } }],
  ['5000 --tls-self --data :memory:', { tls: { kind: 'self', file: undefined } }],
  ['0 --tls-self --require-tls', { tls: { kind: 'self', file: undefined }, requireTls: true }],
];
for (const [line, wanted] of TLS) {
  options(`${line} is understood`, () => {
    const found = read(line.split(' '));
    for (const [field, value] of Object.entries(wanted)) assert.equal(found[field as keyof ServerOptions], value);
  });
}

options('--backup needs the port, or the file that it stands for', () => {
  assert.equal(read(['--backup', 'copy.db', '--data', 'x.db']).data, 'x.db');
  assert.equal(read(['5000', '--backup', 'copy.db'], { XDG_STATE_HOME: '/state' }).data, '/state/parley/5000.db');
});

options('on the command line go before the environment', () => {
  const env = { PARLEY_KILL: 'any', PARLEY_LISTEN: 'lab:1', PARLEY_PORT: '7000', PARLEY_STUDENT_ID: '9' };
  const both = read(['5000', '--kill', 'off', '--listen', 'lab:2', '--student-id', '0'], env);
  assert.equal([both.port, both.kill, both.studentId, both.listen.map(({ port }) => port)], [5000, 'off', '0', [2]]);
});

options('that nobody knows are found in the environment', () => {
  const env = { PARLEY_PORT: '1', PARLEY_TLS_SELF: 'on', PARLEY_METRICS_TOKEN: 'x', PARLEY_NAME: 'ann', HOME: '/' };
  assert.equal(unknownVariables(env), []);
  assert.equal(unknownVariables({ ...env, PARLEY_TLS: 'on', PARLEY_STUDENTID: '1', PARLEY_: '' }), [
    'PARLEY_TLS',
    'PARLEY_STUDENTID',
    'PARLEY_',
  ]);
});

options('that are empty in the environment are not there', () => {
  assert.equal(
    read(['5000'], { PARLEY_KILL: '', PARLEY_STUDENT_ID: '', PARLEY_LISTEN: '', PARLEY_HOST: '' }).kill,
    'local',
  );
});

options('may be repeated: --listen adds, of the others the last one counts', () => {
  const twice = read(['5000', '--listen', 'lab:1', '--listen', 'lab:2', '--kill', 'any', '--kill', 'off']);
  assert.equal([twice.listen.map(({ port }) => port), twice.kill], [[1, 2], 'off']);
  assert.equal(
    read(['5000'], { PARLEY_LISTEN: 'lab:1, lab:2' }).listen.map(({ port }) => port),
    [1, 2],
  );
});

const PORTS: Array<[string, number]> = [
  ['0', 0],
  ['1', 1],
  ['65535', 65_535],
  ['05000', 5000],
];
for (const [text, port] of PORTS) {
  options(`PORT ${text} is ${port}`, () => {
    assert.is(read([text]).port, port);
    assert.is(read([], { PARLEY_PORT: text }).port, port);
  });
}

options('keep the data in the state directory, under the port', () => {
  assert.is(read(['5000']).data, path.join(os.homedir(), '.local/state/parley/5000.db'));
  assert.is(
    read(['5000'], { XDG_STATE_HOME: 'relative' }).data,
    path.join(os.homedir(), '.local/state/parley/5000.db'),
  );
  assert.is(read(['0'], { XDG_STATE_HOME: '/state' }).data, ':memory:');
});
options.run();

const bad = suite('options: bad values');

const BAD: Array<[flag: string, value: string]> = [
  ['limit', 'messages'],
  ['limit', 'messages=5'],
  ['limit', 'nothing=5'],
  ['trusted', 'everybody'],
  ['trusted', '10.0.0.0/33'],
  ['pipe', 'on'],
  ['pipe', '65536'],
  ['host', 'example.org'],
  ['host', '1.2.3'],
  ['host', '1.2.3.4.5'],
  ['listen', 'lab'],
  ['listen', 'lab:'],
  ['listen', ':6000'],
  ['listen', 'lab:x'],
  ['listen', 'lab:65536'],
  ['listen', 'lab:-1'],
  ['listen', 'lab:1:2'],
  ['listen', 'nonsense:6000'],
  ['listen', 'tls:6667'],
  ['name', 'irc example'],
  ['name', '-irc'],
  ['name', 'i'.repeat(64)],
  ['network', 'a\nb'],
  ['network', ' a'],
  ['network', 'n'.repeat(51)],
  ['oper', ' '],
  ['replay', '101'],
  ['kill', 'everybody'],
  ['kill', 'ANY'],
  ['student-id', 'x'.repeat(65)],
  ['student-id', 'a\nb'],
  ['student-id', 'ümlaut'],
  ['advertise', 'example.org'],
  ['advertise', '1.2.3'],
  ['sendq', '0'],
  ['sendq', '65535'],
  ['sendq', '1e9'],
  ['sendq', '99999999999'],
  ['sendq', 'much'],
  ['udp-idle', '0'],
  ['udp-idle', '1.5'],
  ['udp-idle', '86401'],
  ['log-level', 'loud'],
  ['log-format', 'xml'],
  ['uploads', '0'],
  ['uploads', 'on'],
  ['uploads', '5X'],
  ['uploads', '1.5M'],
  ['uploads', '2T'],
  ['upload-total', 'off'],
  ['upload-total', '2000T'],
  ['upload-days', '0'],
  ['upload-days', '36501'],
  ['upload-days', 'ever'],
  ['private-days', '1.5'],
  ['private-days', '36501'],
  ['private-days', 'ever'],
  ['public-url', 'chat.example'],
  ['public-url', 'ftp://chat.example'],
  ['public-url', 'https://'],
  ['public-url', 'https://user:word@chat.example'],
  ['public-url', 'https://chat.example/?x'],
  ['public-url', 'https://chat.example/#x'],
  ['public-url', 'https://chat example'],
  ['public-url', 'https://chat.example/\r\nX: y'],
  ['metrics-token', 'short'],
  ['metrics-token', 'with a blank'],
  ['metrics-token', 'x'.repeat(201)],
];
for (const [flag, value] of BAD) {
  bad(`--${flag} ${JSON.stringify(value.slice(0, 20))} is refused, in the environment too`, () => {
    isUsage(['5000', `--${flag}`, value], {}, `--${flag}`);
    isUsage(['5000', `--${flag}=${value}`], {}, `--${flag}`);
    isUsage(['5000'], { [`PARLEY_${flag.replace('-', '_').toUpperCase()}`]: value }, `--${flag}`);
  });
}

for (const flag of [
  'host',
  'listen',
  'data',
  'kill',
  'student-id',
  'advertise',
  'sendq',
  'udp-idle',
  'log-level',
  'uploads',
  'upload-total',
  'upload-days',
  'private-days',
  'public-url',
  'metrics-token',
  'backup',
  'tls-cert',
  'tls-key',
]) {
  bad(`--${flag} without a value, or with an empty one, is refused`, () => {
    isUsage(['5000', `--${flag}`], {}, `--${flag}`);
    isUsage(['5000', `--${flag}`, '--log-format', 'json'], {}, `--${flag}`);
    // an empty address is every address
    if (flag === 'host') return;
    isUsage(['5000', `--${flag}=`], {}, `--${flag}`);
    isUsage(['5000', `--${flag}`, ''], {}, `--${flag}`);
  });
}

const LINES: Array<[string[], string]> = [
  [[], 'PORT'],
  [[''], 'PORT'],
  [['x'], 'PORT'],
  [['65536'], 'PORT'],
  [['-1'], '1'],
  [['5000.5'], 'PORT'],
  [['1e3'], 'PORT'],
  [['0x10'], 'PORT'],
  [['5000', '6000'], '6000'],
  [['5000', '--nonsense'], 'nonsense'],
  [['5000', '--nonsense', '3'], 'nonsense'],
  [['5000', '-x'], 'x'],
  [['5000', '--no-kill'], 'kill'],
];
for (const [line, names] of LINES) {
  bad(`${JSON.stringify(line.join(' '))} is refused`, () => isUsage(line, {}, names));
}

const NOT_TOGETHER: Array<[line: string, names: string]> = [
  ['5000 --tls-cert c', '--tls-cert'],
  ['5000 --tls-key k', '--tls-key'],
  ['5000 --tls-cert c --tls-key k --tls-self', '--tls-self'],
  ['5000 --require-tls', '--require-tls'],
  ['5000 --uploads 10M --upload-total 5M', '--upload-total'],
  ['5000 --uploads 10M --data :memory:', '--uploads'],
  ['--backup copy.db', 'PORT'],
  ['0 --backup copy.db', '--backup'],
  ['5000 --backup copy.db --data :memory:', '--backup'],
];
for (const [line, names] of NOT_TOGETHER) {
  bad(`${line} is refused`, () => isUsage(line.split(' '), {}, names));
}

bad('PARLEY_PORT that is none is refused', () => isUsage([], { PARLEY_PORT: 'x' }, 'PORT'));
bad.run();
