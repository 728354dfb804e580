import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ClientRequest, type Fetched, MenuFace, type Served } from '../src/client-menu.ts';
import type { Action } from '../src/face.ts';

const MENU = "Enter an option ('m', 'f', 'x'):\n  (M)essage (send)\n  (F)ile (request)\n e(X)it";
const GOODBYE = ['closing your sockets...goodbye', '-> exit', 'exit 0'];
/** From a pipe, when a file that was asked for has not come. */
const MISSED = ['closing your sockets...goodbye', '-> exit', 'exit 1'];
const ARRIVED: Fetched = {
  ...{ kind: 'arrived', owner: 'bob', file: 'a.txt', path: 'here/a.txt' },
  ...{ kept: undefined, bytes: 1_500_000, ms: 3000 },
};
const FAILED: Fetched = { kind: 'failed', owner: 'bob', file: 'a.txt', reason: 'there is no a.txt' };

/** An action as a reader would tell it; what is for a person only stands in brackets. */
function tell(action: Action<ClientRequest>): string {
  switch (action.kind) {
    case 'send':
      return `-> ${tellRequest(action.request)}`;
    case 'print':
      return action.tone === 'aside' ? `(${action.text})` : action.text;
    case 'prompt':
      return `prompt ${action.text}`;
    case 'exit':
      return `exit ${action.status}${action.error === undefined ? '' : ` ${action.error}`}`;
  }
}

function tellRequest(request: ClientRequest): string {
  switch (request.kind) {
    case 'name':
      return `name ${request.name}`;
    case 'message':
      return `message ${request.text}`;
    case 'fetch':
      return `fetch ${request.file} of ${request.owner}`;
    default:
      return request.kind;
  }
}

/** That others' names are asked for, for completion, is left out: it may be done at any time. */
function told(actions: Action<ClientRequest>[]): string[] {
  return actions.map(tell).filter((action) => action !== '-> who');
}

const welcome = (name: string) => ({ kind: 'welcome', name, token: 'T' }) as const;
const error = (text: string) => ({ kind: 'error', text }) as const;
const chat = (line: string) => ({ kind: 'chat', line }) as const;

/** The name is on its way. */
function naming(isPerson = false, name = 'ann'): MenuFace {
  const face = new MenuFace(isPerson);
  face.start();
  face.line(name);
  return face;
}

/** At the menu. From a pipe, unless it is a person. */
function entered(isPerson = false): MenuFace {
  const face = naming(isPerson);
  assert.equal(told(face.received(welcome('ann'))), [MENU]);
  return face;
}

/** What comes of all these lines together. */
function type(face: MenuFace, ...lines: string[]): string[] {
  return lines.flatMap((line) => told(face.line(line)));
}

/** A file that was asked for is on its way. */
function fetching(isPerson = false): MenuFace {
  const face = entered(isPerson);
  assert.equal(type(face, 'f', 'bob', 'a.txt').at(-2), '-> fetch a.txt of bob');
  return face;
}

/** Somebody has fetched a file from here. */
function serve(face: MenuFace, { who = 'bob', file = 'a.txt', trouble }: Partial<Served>): string[] {
  face.serving();
  return told(face.served({ who, file, trouble }));
}

// --- the screen --------------------------------------------------------------------------------------------

const screen = suite('client-menu: the screen');

screen('the example of the exercise, letter by letter', () => {
  const face = new MenuFace(false);
  const out: string[] = [];
  const sent: string[] = [];
  const play = (actions: Action<ClientRequest>[]) => {
    for (const action of actions) {
      if (action.kind === 'print') out.push(`${action.text}\n`);
      else sent.push(...told([action]));
    }
  };
  play(face.start());
  assert.is(out.splice(0).join(''), 'What is your name?\n');
  play(face.line('client2'));
  play(face.received(welcome('client2')));
  const arrived = () => face.fetched({ ...ARRIVED, owner: 'client1', file: 'Ameca_splendens.jpg' });
  for (const line of ['m', 'hello!', 'f', 'client1', 'Ameca_splendens.jpg', 'm', 'another important message!', 'x']) {
    out.push(`${line}\n`);
    play(face.line(line));
    if (line.endsWith('.jpg')) play(arrived());
  }
  const menu = `Enter an option ('m', 'f', 'x'):
  (M)essage (send)
  (F)ile (request)
 e(X)it
`;
  assert.is(
    out.join(''),
    `${menu}m
Enter your message:
hello!
${menu}f
Who owns the file?
client1
Which file do you want?
Ameca_splendens.jpg
${menu}m
Enter your message:
another important message!
${menu}x
closing your sockets...goodbye
`,
  );
  assert.equal(sent, [
    '-> name client2',
    '-> message hello!',
    '-> fetch Ameca_splendens.jpg of client1',
    '-> message another important message!',
    '-> exit',
    'exit 0',
  ]);
});

screen('has no prompt of its own, so that every line on it is whole', () => {
  const face = entered();
  assert.is(face.prompt, '');
  for (const line of ['m', 'hi', 'f', 'bob', 'a.txt', '?', 'x']) {
    for (const action of face.line(line)) assert.is.not(action.kind, 'prompt');
  }
});

screen('upper case and blanks around an option are taken too', () => {
  const face = entered();
  assert.equal(type(face, 'M', 'Hi'), ['Enter your message:', '-> message Hi', MENU]);
  assert.equal(type(face, ' F ', 'Bob', 'A.TXT'), [
    'Who owns the file?',
    'Which file do you want?',
    '-> fetch A.TXT of Bob',
    MENU,
  ]);
  assert.equal(told(face.fetched(ARRIVED)), []);
  assert.equal(type(face, 'X\r'), GOODBYE);
});

for (const option of ['', ' ', 'q', 'mm', 'message', 'm x', '/help', 'constructor', '漢']) {
  screen(`${JSON.stringify(option)} is no option: one line says so, and the menu comes again`, () => {
    const face = entered();
    const [said = '', ...rest] = type(face, option);
    assert.equal(rest, [MENU]);
    assert.not(said.includes('\n'));
    assert.ok(said.includes(`'${option.trim()}'`), said);
    assert.equal(type(face, 'x'), GOODBYE);
  });
}

screen('a message is sent as typed', () => {
  for (const text of ['', ' ', '  two  words ', 'x', 'm', 'f', '\ttab', 'bob: hi', '漢字 🙂', 'x'.repeat(65_536)]) {
    assert.equal(type(entered(), 'm', text), ['Enter your message:', `-> message ${text}`, MENU]);
  }
});

screen('a message that is too long is not sent, and one line says so', () => {
  for (const text of ['x'.repeat(65_537), '漢'.repeat(21_846)]) {
    const [, said = '', ...rest] = type(entered(), 'm', text);
    assert.match(said, /^A message has at most 65536 bytes\.$/);
    assert.equal(rest, [MENU]);
  }
});

screen('received messages are lines of their own, whatever is being asked for', () => {
  for (const lines of [[], ['m'], ['f'], ['f', 'bob']]) {
    const face = entered();
    type(face, ...lines);
    assert.equal(told(face.received(chat('bob: hello'))), ['bob: hello']);
    assert.equal(told(face.received(chat('bob: '))), ['bob: ']);
  }
  const [action] = entered().received(chat('bob lee: a: b'));
  assert.equal(action, { kind: 'print', tone: 'chat', text: 'bob lee: a: b', who: 'bob lee' });
});

screen('what is not for the screen does not come onto it', () => {
  const face = entered();
  const want = { ticket: 't', who: 'bob', have: 0, prefix: undefined, digest: false, file: 'a' };
  assert.equal(told(face.received({ kind: 'want', ...want })), []);
  assert.equal(told(face.received({ kind: 'push', ticket: 't', from: 0, to: 1 })), []);
  assert.equal(told(face.received({ kind: 'done', ticket: 't', reason: 'x' })), []);
  assert.equal(told(face.received({ kind: 'other' })), []);
});

screen('a refusal is a line, and the question that stands remains', () => {
  const face = entered();
  type(face, 'm');
  assert.equal(told(face.received(error('the message is too long'))), ['the message is too long']);
  assert.equal(type(face, 'hi'), ['-> message hi', MENU]);
});
screen.run();

// --- the name ----------------------------------------------------------------------------------------------

const names = suite('client-menu: the name');

names('lines typed before the welcome wait for it', () => {
  const face = new MenuFace(false);
  assert.equal(told(face.start()), ['What is your name?']);
  assert.not(face.isAwaiting);
  assert.equal(type(face, ' ann '), ['-> name ann']);
  assert.ok(face.isAwaiting);
  assert.not(face.isWaiting);
  assert.equal(type(face, 'm', 'hello', 'f', 'bob', 'a.txt', 'x', 'm'), []);
  assert.ok(face.isWaiting);
  assert.equal(told(face.received(chat('bob: hi'))), ['bob: hi']);
  assert.equal(told(face.received(welcome('ann'))), [
    MENU,
    'Enter your message:',
    '-> message hello',
    MENU,
    'Who owns the file?',
    'Which file do you want?',
    '-> fetch a.txt of bob',
    MENU,
    '-> give-up',
    ...GOODBYE,
  ]);
  assert.equal(type(face, 'm', 'x'), [], 'behind x nothing is taken any more');
});

names('a TAB in it does not make two fields of it', () => {
  assert.equal(type(new MenuFace(false), 'ann\t4000'), ['-> name ann 4000']);
});

names('one that is refused is asked for again', () => {
  const face = new MenuFace(false);
  face.start();
  assert.equal(type(face, ''), ['-> name ']);
  assert.equal(told(face.received(error('a name is missing'))), ['a name is missing', 'What is your name?']);
  assert.not(face.isAwaiting);
  assert.equal(type(face, 'ann'), ['-> name ann']);
  assert.equal(told(face.received(welcome('ann'))), [MENU]);
});

names('of the lines that wait, the first is the next name', () => {
  const face = new MenuFace(false);
  type(face, '', 'ann', 'x');
  assert.equal(told(face.received(error('a name is missing'))).at(-1), '-> name ann');
  assert.equal(told(face.received(welcome('ann'))), [MENU, ...GOODBYE]);
});

names('one that is taken: a note says what it is for the others', () => {
  const face = naming(true);
  const [note = '', ...rest] = told(face.received(welcome('ann~2')));
  assert.match(note, /^\(.*ann~2.*ann .*taken.*\)$/);
  assert.equal(rest, [MENU]);
});

names('another spelling of the same name is no alias', () => {
  for (const [typed, worn] of [
    ['ANN', 'ann'],
    ['Zoe\u0308', 'Zo\u00eb'],
  ] as const) {
    const face = naming(true, typed);
    assert.equal(told(face.received(welcome(worn))), [MENU]);
  }
});
names.run();

// --- files -------------------------------------------------------------------------------------------------

const files = suite('client-menu: files');

files('the menu comes at once, the file behind it', () => {
  const face = fetching();
  assert.equal(type(face, 'm', 'meanwhile'), ['Enter your message:', '-> message meanwhile', MENU]);
  assert.equal(type(face, 'f', ' carol ', ' b c.txt '), [
    'Who owns the file?',
    'Which file do you want?',
    '-> fetch b c.txt of carol',
    MENU,
  ]);
  assert.equal(told(face.fetched(ARRIVED)), [], 'a script sees the file');
  assert.equal(told(face.fetched({ ...ARRIVED, owner: 'carol', file: 'b c.txt' })), []);
  assert.equal(type(face, 'x'), GOODBYE);
});

files('a person is told that one has arrived, where it is, and what became of the one before', () => {
  const [said = '', ...rest] = told(fetching(true).fetched(ARRIVED));
  for (const part of ['a.txt from bob', 'here/a.txt', '1.5 MB', '0:03']) assert.ok(said.includes(part), said);
  assert.equal(rest, []);
  const [before = ''] = told(fetching(true).fetched({ ...ARRIVED, kept: 'here/a.txt.~1~' }));
  assert.ok(before.includes('here/a.txt.~1~'), before);
});

files('one that does not come is told in one line, to a script too', () => {
  for (const isPerson of [false, true]) {
    const face = fetching(isPerson);
    assert.equal(told(face.fetched(FAILED)), ['a.txt from bob: there is no a.txt']);
    assert.equal(type(face, 'm'), ['Enter your message:']);
  }
});

for (const name of ['', '.', '..', '.profile', 'a/b', '/etc/passwd', '../a', 'a\\b', 'nul', 'CON.txt', 'a\x1bb']) {
  files(`${JSON.stringify(name)} is no file name: one line says so, and nobody is asked`, () => {
    const face = entered();
    const [said = '', ...rest] = type(face, 'f', 'bob', name).slice(2);
    assert.match(said, / from bob: /);
    assert.not(said.includes('\x1b') || said.includes('\n'));
    assert.equal(rest, [MENU]);
    assert.equal(told(face.inputEnded()), MISSED, 'nothing is on its way');
  });
}

files('a file name of 240 bytes is asked for, a longer one is not', () => {
  assert.equal(type(entered(), 'f', 'bob', '漢'.repeat(80))[2], `-> fetch ${'漢'.repeat(80)} of bob`);
  assert.match(type(entered(), 'f', 'bob', '漢'.repeat(81))[2] ?? '', /at most 240 bytes/);
});

files('nobody owns the file, or oneself', () => {
  assert.equal(type(entered(), 'f', ' ', 'a.txt').slice(2), ['The owner is missing.', MENU]);
  for (const owner of ['ann', 'ANN', 'ann ']) {
    assert.equal(type(entered(), 'f', owner, 'a.txt').slice(2), [`${owner.trim()} is you.`, MENU]);
  }
});

files('under an alias, one’s own name is somebody else', () => {
  const face = naming();
  face.received(welcome('ann~2'));
  assert.equal(type(face, 'f', 'ann', 'a.txt')[2], '-> fetch a.txt of ann');
  assert.equal(type(face, 'f', 'ann~2', 'a.txt')[2], 'ann~2 is you.');
});

files('who shares files is asked for by the time that an owner is', () => {
  const face = entered();
  assert.ok(face.line('f').some((action) => tell(action) === '-> who'));
});

files('Tab completes owners, only where an owner is asked for', () => {
  const face = entered();
  face.received({ kind: 'who', names: ['bob', 'Bert', 'carol'] });
  assert.equal(face.complete('b'), []);
  type(face, 'f');
  assert.equal(told(face.received({ kind: 'who', names: ['bob', 'Bert', 'carol', 'b\x1b[2J'] })), []);
  assert.equal(face.complete('b'), ['bob', 'Bert', 'b\ufffd[2J']);
  assert.equal(face.complete('BE'), ['Bert']);
  assert.equal(face.complete('ol'), []);
  assert.equal(face.complete(''), []);
  type(face, 'bob');
  assert.equal(face.complete('b'), []);
  type(face, 'a.txt', 'm');
  assert.equal(face.complete('b'), []);
});

for (const [who, shown] of [
  ['bob', 'bob'],
  ['', 'a stranger'],
] as const) {
  files(`that ${shown} fetches is told to a person, and to all when it does not get there`, () => {
    for (const isPerson of [false, true]) {
      const face = entered(isPerson);
      assert.equal(serve(face, { who }), []);
      assert.equal([...told(face.tick(0)), ...told(face.tick(999))], []);
      assert.equal(told(face.tick(1000)), isPerson ? [`a.txt to ${shown}: sent`] : []);
      assert.equal(told(face.tick(9000)), [], 'told once');
      const trouble = 'they have broken off';
      assert.equal(serve(face, { who, trouble }), [`a.txt to ${shown}: they have broken off`]);
    }
  });
}

files('what is sent again and again within a second is told once', () => {
  const face = entered(true);
  for (let times = 0; times < 50; times++) {
    serve(face, { who: '' });
    assert.equal(told(face.tick(5000 + times)), []);
  }
  serve(face, { who: '', file: 'b.txt' });
  assert.equal(told(face.tick(6000)), ['a.txt to a stranger: sent (50 times)']);
  serve(face, { who: '' });
  assert.equal(told(face.tick(6999)), []);
  assert.equal(told(face.tick(7000)), ['b.txt to a stranger: sent']);
  assert.equal(type(face, 'x'), ['a.txt to a stranger: sent', ...GOODBYE], 'at the end at the latest');
});

files('what was sent is told before an end that nobody chose', () => {
  const face = entered(true);
  serve(face, {});
  assert.equal(told(face.closed('no server')), ['a.txt to bob: sent', 'exit 1 no server']);
});

files('the arrow keys bring back what was typed, but not the letters of the menu', () => {
  const face = new MenuFace(true);
  assert.ok(face.remembers());
  type(face, 'ann');
  face.received(welcome('ann'));
  assert.not(face.remembers());
  for (const line of ['m', 'hi', 'f', 'bob', 'a.txt', 'x']) {
    assert.is(face.remembers(), ['hi', 'bob', 'a.txt'].includes(line), line);
    type(face, line);
  }
});
files.run();

// --- the end -----------------------------------------------------------------------------------------------

const ends = suite('client-menu: the end');

for (const lines of [[], ['m'], ['f'], ['f', 'bob'], ['m', 'hi'], ['?']]) {
  ends(`the end of input behind ${JSON.stringify(lines)} is like x`, () => {
    const face = entered();
    type(face, ...lines);
    assert.equal(told(face.inputEnded()), GOODBYE);
  });
}

ends('x of a person ends at once, and what is given up is told', () => {
  const face = fetching(true);
  face.serving();
  assert.equal(type(face, 'x'), ['-> give-up', ...GOODBYE]);
  assert.equal(told(face.inputEnded()), []);
  assert.equal(told(face.interrupted()), []);
  assert.equal(told(face.served({ who: 'bob', file: 'a', trouble: undefined })), []);
  assert.equal(told(face.closed('gone')), [], 'once only');
});

ends('what is given up is a line for each file, with what is kept of it', () => {
  const files = [
    { file: 'big.bin', bytes: 12_345_678, path: 'here/big.bin.part' },
    { file: 'empty', bytes: 0, path: 'here/empty.part' },
    { file: 'wait\x1bing', bytes: 0, path: undefined },
  ];
  assert.equal(told(fetching(true).givenUp(files)), [
    'given up: big.bin, 12.3 MB are kept in here/big.bin.part',
    'given up: empty, nothing of it has come',
    'given up: wait\ufffding, nothing of it has come',
  ]);
});

ends('x from a pipe ends at once too, and well; what is given up is not among the lines that a script reads', () => {
  const face = fetching();
  face.serving();
  assert.equal(type(face, 'x'), ['-> give-up', ...GOODBYE]);
  const files = [{ file: 'big.bin', bytes: 12_345_678, path: 'big.bin.part' }];
  assert.equal(told(fetching().givenUp(files)), ['(given up: big.bin, 12.3 MB are kept in big.bin.part)']);
  const failed = fetching();
  failed.fetched(FAILED);
  assert.equal(type(failed, 'x'), GOODBYE);
});

ends('at the end of input from a pipe the status is 1 when a file that was asked for has not come', () => {
  const failed = fetching();
  failed.fetched(FAILED);
  assert.equal(told(failed.inputEnded()), MISSED);
  const later = fetching();
  assert.equal(told(later.inputEnded()), []);
  assert.equal(told(later.fetched(FAILED)), ['a.txt from bob: there is no a.txt', ...MISSED]);
  for (const [owner, file] of [
    ['', 'a.txt'],
    ['ann', 'a.txt'],
    ['bob', '../a.txt'],
  ] as const) {
    const refused = entered();
    type(refused, 'f', owner, file);
    assert.equal(told(refused.inputEnded()), MISSED);
  }
  const person = fetching(true);
  person.fetched(FAILED);
  assert.equal(told(person.inputEnded()), GOODBYE);
});

ends('a file that a server which does not answer was never asked for has not come either', () => {
  for (const [lines, status] of [
    [['f', 'bob', 'a.txt'], 1],
    [['f', 'bob', 'a.txt', 'x'], 0],
    [['m', 'f', 'x', 'f'], 0],
  ] as const) {
    const face = naming();
    type(face, ...lines);
    face.inputEnded();
    face.tick(0);
    assert.is(told(face.tick(3000)).at(-1), `exit ${status}`);
  }
});

ends('Ctrl-C where no line is read gives up what is on its way', () => {
  const face = fetching(true);
  face.inputEnded();
  assert.equal(told(face.interrupted()), ['-> give-up', ...GOODBYE.slice(0, 2), 'exit 130']);
  assert.equal(told(new MenuFace(true).interrupted()), ['exit 130']);
});

ends('the end of input waits for files on their way, in and out', () => {
  const face = fetching();
  type(face, 'f', 'bob', 'b.txt');
  face.serving();
  assert.equal(told(face.inputEnded()), []);
  assert.equal(told(face.received(chat('bob: still there'))), ['bob: still there']);
  assert.equal(told(face.fetched(ARRIVED)), []);
  face.serving();
  assert.equal(told(face.served({ who: 'bob', file: 'c.txt', trouble: undefined })), []);
  assert.equal(told(face.fetched(FAILED)), ['a.txt from bob: there is no a.txt']);
  assert.equal(told(face.served({ who: 'bob', file: 'c.txt', trouble: 'cut' })), ['c.txt to bob: cut', ...MISSED]);
});

ends('a person is told what is waited for', () => {
  const one = fetching(true);
  assert.match(told(one.inputEnded()).join(), /^\(Waiting for a file .*\)$/);
  const two = fetching(true);
  two.serving();
  assert.match(told(two.inputEnded()).join(), /^\(Waiting for 2 files .*\)$/);
  assert.equal(told(entered(true).inputEnded()), GOODBYE);
});

ends('without a name it is silent', () => {
  const face = new MenuFace(false);
  face.start();
  assert.equal(told(face.inputEnded()), ['exit 0']);
});

ends('after a name that was refused it is silent too', () => {
  const face = new MenuFace(false);
  type(face, '');
  assert.equal(told(face.inputEnded()), []);
  assert.equal(told(face.received(error('a name is missing'))), ['a name is missing', 'What is your name?', 'exit 0']);
});

ends('that comes before the welcome waits for it, and for what was typed', () => {
  const face = new MenuFace(false);
  type(face, 'ann', 'm', 'hi', 'f', 'bob', 'a.txt');
  assert.equal(told(face.inputEnded()), []);
  assert.equal(told(face.received(welcome('ann'))).slice(-2), ['-> fetch a.txt of bob', MENU]);
  assert.equal(told(face.fetched(ARRIVED)), GOODBYE);
});

ends('the end of input right behind the name', () => {
  const face = naming();
  assert.equal(told(face.inputEnded()), []);
  assert.equal(told(face.received(welcome('ann'))), [MENU, ...GOODBYE]);
});
ends.run();

// --- the server comes and goes -----------------------------------------------------------------------------

const server = suite('client-menu: the server comes and goes');

server('gone and back again: a person is told, the screen stays as it is', () => {
  const face = entered();
  type(face, 'm');
  assert.equal(told(face.lost()), ['(The server is gone; trying again ...)']);
  assert.equal(type(face, 'hi'), ['-> message hi', MENU], 'it goes out later');
  assert.equal(told(face.received(welcome('ann'))), ['(The server is back.)']);
  assert.equal(told(face.received(welcome('ann'))), [], 'told once');
});

server('gone while the name is on its way: the menu comes when it is back', () => {
  const face = new MenuFace(false);
  type(face, 'ann', 'm');
  face.lost();
  assert.not(face.isAwaiting);
  assert.equal(told(face.received(welcome('ann'))), ['(The server is back.)', MENU, 'Enter your message:']);
});

server('back, and the name is taken meanwhile: a note says so', () => {
  const face = entered();
  face.lost();
  const actions = told(face.received(welcome('ann~2')));
  assert.is(actions.length, 2);
  assert.match(actions.join(), /ann~2.*ann is taken/);
  assert.equal(type(face, 'f', 'ann~2', 'a.txt')[2], 'ann~2 is you.');
});

server('back, and the name one asked for has come free: nothing says that the alias was taken', () => {
  const face = naming();
  face.received(welcome('ann~2'));
  face.lost();
  const actions = told(face.received(welcome('ann'))).join(' ');
  assert.not.match(actions, /ann~2 is taken/);
  assert.equal(type(face, 'f', 'ann', 'a.txt')[2], 'ann is you.');
});

server('back under the same alias: there is nothing new to say', () => {
  const face = naming();
  face.received(welcome('ann~2'));
  face.lost();
  assert.equal(told(face.received(welcome('ann~2'))), ['(The server is back.)']);
});

server('gone for good: the client ends with 1 and says why', () => {
  for (const face of [new MenuFace(false), entered(), fetching()]) {
    assert.equal(told(face.closed('no server answers')), ['exit 1 no server answers']);
    assert.equal(told(face.inputEnded()), [], 'once only');
  }
});

server('gone, and the input has ended: it does not wait for it to come back', () => {
  const face = entered();
  face.lost();
  assert.equal(told(face.inputEnded()), GOODBYE);
});
server.run();

// --- what others send --------------------------------------------------------------------------------------

const evil = suite('client-menu: what others send can’t move the cursor');

const EVIL = 'a\x1b[31m\x07\r\u202eb';
const TAMED = 'a\ufffd[31m\ufffd\ufffd\ufffdb';

for (const [what, actions] of [
  ['a message', () => entered().received(chat(`${EVIL}: ${EVIL}`))],
  ['a refusal', () => entered().received(error(EVIL))],
  ['a refusal of the name', () => naming().received(error(EVIL))],
  ['a name', () => naming(true).received(welcome(EVIL))],
  ['why a file has not come', () => fetching().fetched({ ...FAILED, owner: EVIL, file: EVIL, reason: EVIL })],
  ['where a file is', () => fetching(true).fetched({ ...ARRIVED, owner: EVIL, file: EVIL, path: EVIL, kept: EVIL })],
  [
    'who gets a file',
    () => {
      const face = entered(true);
      face.served({ who: EVIL, file: EVIL, trouble: undefined });
      return face.line('x');
    },
  ],
  ['why somebody did not get it', () => entered().served({ who: EVIL, file: EVIL, trouble: EVIL })],
  ['an option', () => entered().line(EVIL)],
] as ReadonlyArray<readonly [string, () => Action<ClientRequest>[]]>) {
  evil(`${what}`, () => {
    const shown = actions()
      .filter((action) => action.kind === 'print')
      .map((action) => action.text + (action.who ?? ''))
      .join('\n');
    assert.ok(shown.includes(TAMED), shown);
    for (const char of ['\x1b', '\x07', '\r', '\u202e']) assert.not(shown.includes(char), JSON.stringify(shown));
  });
}
evil.run();
