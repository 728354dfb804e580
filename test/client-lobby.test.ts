import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ClientRequest, LobbyFace } from '../src/client-lobby.ts';
import type { Action } from '../src/face.ts';
import type { Chat, LobbyReply } from '../src/wire-lobby.ts';

const NOW = '22:22:54, 05/10/2023';
const COMMAND = 'prompt enter a command> ';
const CHAT = 'prompt enter a chat ("\\quit" to leave)> \n';
/** What a terminal does with a prompt besides showing it. */
const STYLE = (style: object = {}) => (Object.keys(style).length > 0 ? ` ${JSON.stringify(style)}` : '');
const ENTERED = CHAT + STYLE({ keepsTyped: false, clears: true });
const PIPED = CHAT + STYLE({ keepsTyped: false });
const LEFT = ['Quitting', '-> leave', COMMAND + STYLE({ clears: true }), COMMAND];

/** An action as a reader would tell it. That a prompt is a line of its own from a pipe goes without saying. */
function tell(action: Action<ClientRequest>): string {
  switch (action.kind) {
    case 'send':
      return `-> ${tellRequest(action.request)}`;
    case 'print':
      return action.tone === 'note' ? `(${action.text})` : action.text;
    case 'prompt': {
      const { piped, ...style } = action.style ?? {};
      return `prompt ${action.text}${STYLE(style)}`;
    }
    case 'exit':
      return `exit ${action.status}${action.error === undefined ? '' : ` ${action.error}`}`;
  }
}

function tellRequest(request: ClientRequest): string {
  switch (request.kind) {
    case 'enter':
      return `enter ${request.door.port}`;
    case 'leave':
      return 'leave';
    default: {
      const { kind, ...fields } = request.request;
      return `${request.kind} ${kind} ${JSON.stringify(fields)}`;
    }
  }
}

const told = (actions: Action<ClientRequest>[]) => actions.map(tell);
const good = (message: string): LobbyReply => ({ kind: 'good', message });
const error = (message: string): LobbyReply => ({ kind: 'error', message });
const rooms = (...names: string[]): LobbyReply => ({ kind: 'rooms', names });
const door = (viaTcp: boolean): LobbyReply => ({
  ...{ kind: 'door', port: 56613, viaTcp },
  ...(viaTcp ? { group: '', groupPort: 0 } : { group: '224.3.29.91', groupPort: 10040 }),
});
const chatOf = (contents: string, creator = 'griffin', room = 'griffsRoom', id?: number): Chat => ({
  ...{ creator, room, contents, datetime: NOW },
  ...(id === undefined ? {} : { id }),
});
const previous = (...chats: Chat[]): LobbyReply => ({ kind: 'previous', chats });
const shown = (contents: string, creator = 'griffin') => `${contents}\n~${creator} @${NOW}\n`;
const OURS: LobbyReply = { kind: 'rooms', names: ['a'], more: { people: [1], about: [''] } };
const PROBE = '-> ask list {"all":true,"skip":0}';

function opened(): LobbyFace {
  const face = new LobbyFace(() => NOW);
  assert.equal(told(face.start()), ['Starting interface...', COMMAND]);
  return face;
}

function type(face: LobbyFace, ...lines: string[]): string[] {
  return lines.flatMap((line) => told(face.line(line)));
}

/** In griffsRoom, logged in as griffin. */
function entered(viaTcp: boolean, ...chats: Chat[]): LobbyFace {
  const face = opened();
  face.line('login griffin 123');
  face.received(good('you are now logged in!'));
  face.line('join griffsRoom');
  face.received(door(viaTcp));
  face.roomReceived(previous(...chats));
  return face;
}

function say(contents: string): string {
  return `-> tell chat ${JSON.stringify({ chat: chatOf(contents) })}`;
}

// --- the classic client's screens ----------------------------------------------------------------------------

const screens = suite('client-lobby: the screens');

screens('a new client is started', () => {
  const face = opened();
  const [help = '', after] = type(face, 'help');
  const seeds =
    'Commands:\n -"login <username> <password>"\n -"list"\n -"newuser <username> <password>"\n' +
    ' -"join <roomname>"\n -"logout"\n -"help"\n -"exit"';
  assert.is(help.slice(0, seeds.length), seeds);
  assert.is(after, COMMAND);
  assert.equal(type(face, 'login griffin 123'), ['loging in...', '-> ask login {"name":"griffin","password":"123"}']);
  assert.equal(told(face.received(good('you are now logged in!'))), ['you are now logged in!', COMMAND]);
  assert.equal(type(face, 'list'), ['listing...', '-> ask list {"all":false,"skip":0}']);
  assert.equal(told(face.received(rooms())), ['\n---Active Rooms---\n', COMMAND]);
  assert.equal(type(face, 'join griffsRoom'), ['joining room...', '-> ask join {"room":"griffsRoom","viaTcp":true}']);
  assert.equal(told(face.received(door(true))), ['attempting to connect to 56613', '-> enter 56613']);
  assert.equal(told(face.roomReceived(previous())), [ENTERED, PIPED]);
});

screens('another client comes online', () => {
  const face = opened();
  type(face, 'list');
  assert.equal(told(face.received(rooms('griffsRoom', 'b'))), [
    '\n---Active Rooms---\n',
    '  - griffsRoom\n',
    '  - b\n',
    COMMAND,
  ]);
  type(face, 'join griffsRoom');
  face.received(door(true));
  const chats = [chatOf('This is My Room!'), chatOf('Hey Griff!', 'bob')];
  assert.equal(told(face.roomReceived(previous(...chats))), [
    ...[ENTERED, shown('This is My Room!'), shown('Hey Griff!', 'bob'), PIPED],
  ]);
});

screens('accounts: created, taken, wrong, logged out', () => {
  const face = opened();
  assert.equal(type(face, 'newuser a b'), ['creating user...', '-> ask register {"name":"a","password":"b"}']);
  assert.equal(told(face.received(good('user created'))), ['user created', COMMAND]);
  type(face, 'login a c');
  const wrong = 'invalad username or password.';
  assert.equal(told(face.received(error(wrong))), [wrong, COMMAND]);
  assert.equal(type(face, 'logout'), ['logging out...', '-> ask logout {"name":""}']);
  assert.equal(told(face.received(error('Could not logout.'))), ['Could not logout.', COMMAND]);
  type(face, 'login a b');
  face.received(good('you are now logged in!'));
  assert.equal(type(face, 'logout'), ['logging out...', '-> ask logout {"name":"a"}']);
  assert.equal(told(face.received(good('you are now logged out!'))), ['you are now logged out!', COMMAND]);
  assert.equal(type(face, 'logout').at(-1), '-> ask logout {"name":""}');
});

for (const [line, ...answers] of [
  ['login', 'missing arguments. -"login <username> <password>"'],
  ['login a', 'missing arguments. -"login <username> <password>"'],
  ['newuser a', 'creating user...', 'missing arguments. -"newuser <name> <password>"'],
  ['join', 'missing arguments. -"join <roomname>"'],
  ['room', 'missing arguments. -"room <roomname> [description] [--password]"'],
  ['delete', 'missing arguments. -"delete <roomname>"'],
  ['search', 'missing arguments. -"search <words>"'],
  ['history', 'missing arguments. -"history <roomname> [count]"'],
  ['Login a b', 'Invalad command. -"help" for list off commands.'],
  ['constructor', 'Invalad command. -"help" for list off commands.'],
  [''],
  [' \t '],
] as const) {
  screens(`answers ${JSON.stringify(line)}`, () => assert.equal(type(opened(), line), [...answers, COMMAND]));
}

screens('splits at whitespace, whatever stands behind', () => {
  assert.equal(type(opened(), ' \tlogin  a\tb c ').at(-1), '-> ask login {"name":"a","password":"b"}');
});

screens('exit', () => assert.equal(type(opened(), 'exit', 'list'), ['exiting...', 'exit 0']));

screens('the help has our own commands behind the classic ones, and in a room its own', () => {
  const [help = ''] = type(opened(), 'help');
  assert.match(help, / -"exit"\n -"list --all"\n -"join <roomname> <password>"\n -"room .*"\n -"delete .*"\n/);
  assert.match(type(entered(true), '\\help').join('\n'), /^Commands:\n -"\\history \[count\]"\n[\s\S]* -"\\quit"$/);
});
screens.run();

// --- in a room -----------------------------------------------------------------------------------------------

const room = suite('client-lobby: in a room');

for (const [kind, viaTcp] of [
  ['our server', true],
  ['a classic server', false],
] as const) {
  room(`what is said is shown when it comes back, of ${kind}`, () => {
    const face = entered(viaTcp);
    assert.equal(type(face, 'Hey Griff!'), [say('Hey Griff!')]);
    assert.equal(told(face.roomReceived(good('got your chat: "Hey Griff!"'))), []);
    assert.equal(told(face.heard(chatOf('Hey Griff!'))), [shown('Hey Griff!')]);
    assert.equal(type(face, ''), [say('')]);
  });

  room(`lines are said one after another, and \\quit waits for them to come back, of ${kind}`, () => {
    const face = entered(viaTcp);
    assert.equal(type(face, 'one', 'two', '\\quit'), [say('one')]);
    assert.ok(face.isWaiting);
    assert.equal(told(face.heard(chatOf('one'))), [shown('one')]);
    assert.equal(told(face.roomReceived(good(''))), [say('two')]);
    assert.equal(told(face.roomReceived(good(''))), []);
    assert.equal(told(face.heard(chatOf('two', 'bob', viaTcp ? 'x' : 'griffsRoom'))), [shown('two', 'bob'), ...LEFT]);
    assert.not(face.isWaiting);
  });

  room(`\\quit does not wait for ever, of ${kind}`, () => {
    const face = entered(viaTcp);
    type(face, 'one', '\\quit');
    assert.equal(told(face.roomReceived(good(''))), []);
    assert.equal(told(face.overdue()), LEFT);
    assert.equal(told(face.overdue()), []);
    assert.equal(told(face.heard(chatOf('one'))), []);
    assert.equal(told(face.roomReceived(good('late'))), []);
  });

  room(`the end of input is like \\quit and exit, of ${kind}`, () => {
    const face = entered(viaTcp);
    type(face, 'one');
    assert.equal(told(face.inputEnded()), []);
    assert.equal(told(face.heard(chatOf('one'))), [shown('one')]);
    assert.equal(told(face.roomReceived(good(''))), [...LEFT, 'exiting...', 'exit 0']);
  });
}

room('a chat that is refused is not waited for', () => {
  const face = entered(true);
  type(face, 'one', '\\quit');
  assert.equal(told(face.roomReceived(error('no'))), ['no', ...LEFT]);
});

for (const text of ['\\quit it', '\\me', 'quit', 'exit', '\\help me', '\\history of Rome', '\\QUIT', ' \\quit']) {
  room(`${text} is said`, () => assert.equal(type(entered(true), text), [say(text)]));
}

room('a line too long for a frame becomes several, one after another', () => {
  const face = entered(false);
  const text = 'ä'.repeat(300);
  const first = type(face, text)[0] ?? '';
  const { contents } = JSON.parse(first.slice('-> tell chat '.length)).chat;
  assert.ok(contents.length > 100 && contents.length < 300);
  const [second = ''] = told(face.roomReceived(good('')));
  assert.is(contents + JSON.parse(second.slice('-> tell chat '.length)).chat.contents, text);
  assert.equal(told(face.roomReceived(good(''))), []);
  assert.equal(type(entered(true), text), [say(text)]);
});

room('names that leave no room for a chat are told', () => {
  const face = opened();
  type(face, `join ${'r'.repeat(1000)}`);
  face.received(door(false));
  face.roomReceived(previous());
  assert.match(type(face, 'hi').join(), /^\(the names of user and room are too long/);
  assert.equal(type(face, '\\quit'), LEFT);
});

room('a classic room may share its group with another', () => {
  const face = entered(false);
  assert.equal(told(face.heard(chatOf('psst', 'eve', 'other'))), []);
});

room('what is heard before the previous chats comes behind them, once', () => {
  const face = opened();
  type(face, 'join griffsRoom');
  face.received(door(false));
  assert.equal(told(face.heard(chatOf('one'))), []);
  assert.equal(told(face.heard(chatOf('two'))), []);
  assert.equal(told(face.roomReceived(previous(chatOf('one')))), [ENTERED, shown('one'), shown('two'), PIPED]);
});

room('the door says no: back in the lobby', () => {
  const face = opened();
  type(face, 'join griffsRoom', 'list');
  face.received(door(true));
  assert.equal(told(face.roomReceived(error('go away'))), [
    ...['-> leave', 'go away', COMMAND, 'listing...', '-> ask list {"all":false,"skip":0}'],
  ]);
});

room('the lobby says no', () => {
  const face = opened();
  type(face, 'join griffsRoom hush');
  assert.equal(told(face.received(error('wrong password'))), ['wrong password', COMMAND]);
});

room('a room that is gone while an answer is awaited', () => {
  const face = entered(true);
  type(face, 'one');
  const cleared = COMMAND + STYLE({ clears: true });
  assert.equal(told(face.roomClosed('the room has closed the connection')), [
    ...['-> leave', cleared, '(the room has closed the connection)', COMMAND],
  ]);
  assert.equal(told(face.roomClosed('again')), []);
});

room('the server goes away', () => {
  const gone = 'exit 1 the server has closed the connection';
  assert.equal(told(entered(true).closed()), [gone]);
  const face = opened();
  assert.equal(told(face.closed('no server answers')), ['exit 1 no server answers']);
  assert.equal(told(face.closed()), []);
});

room('an answer to something else ends it', () => {
  const face = opened();
  type(face, 'login a b');
  assert.equal(told(face.received(rooms())), ['exit 1 this is not a lobby server: rooms is no answer']);
});

room('of what nobody has asked for, errors are shown', () => {
  assert.equal(told(opened().received(error('you are too slow'))), ['you are too slow']);
  assert.equal(told(opened().received(good('really'))), []);
  assert.equal(told(entered(true).received(error('going down'))), ['going down']);
});
room.run();

// --- our own commands ----------------------------------------------------------------------------------------

const ours = suite('client-lobby: our own commands');

for (const line of ['room a', 'delete a', 'history a', 'search a', 'room a --password=x']) {
  ours(`${line} is not sent to a classic server`, () => {
    const face = opened();
    assert.is(type(face, line).at(-1), PROBE);
    assert.equal(told(face.received(rooms('a'))), ['(this server has no such command)', COMMAND]);
    assert.equal(type(face, 'search again'), ['(this server has no such command)', COMMAND]);
  });
}

for (const [line, request] of [
  ['room a', 'make {"room":"a","description":""}'],
  ['room a all of us --password=x', 'make {"room":"a","description":"all of us","password":"x"}'],
  ['delete a', 'delete {"room":"a","owner":"griffin"}'],
  ['history a', 'history {"count":20,"room":"a"}'],
  ['history a 5', 'history {"count":5,"room":"a"}'],
  ['history 42', 'history {"count":20,"room":"42"}'],
  ['history a 99999', 'history {"count":1000,"room":"a"}'],
  ['search two words', 'search {"words":"two words","count":20}'],
] as const) {
  ours(`${line} is sent to ours, which is asked only once`, () => {
    const face = opened();
    face.line('login griffin 123');
    face.received(good(''));
    assert.is(type(face, line).at(-1), PROBE);
    assert.equal(told(face.received(OURS)), [`-> ask ${request}`]);
    face.received(error('no'));
    assert.is(type(face, line).at(-1), `-> ask ${request}`);
  });
}

ours('a password is asked for', () => {
  const face = opened();
  const asked = `prompt password> ${STYLE({ secret: true })}`;
  assert.equal(type(face, 'room a for two --password'), [asked]);
  assert.equal(type(face, 'hush hush'), ['making room...', PROBE]);
  assert.equal(told(face.received(OURS)), ['-> ask make {"room":"a","description":"for two","password":"hush hush"}']);
  assert.equal(told(face.received(good('room a created'))), ['room a created', COMMAND]);
  assert.equal(type(face, 'room a --password', ''), [asked, '(no password, no room)', COMMAND]);
  type(face, 'room a --password');
  assert.equal(told(face.inputEnded()), ['exiting...', 'exit 0']);
});

ours('list --all, page by page', () => {
  const face = opened();
  assert.equal(type(face, 'list --all'), ['listing...', PROBE]);
  const page = (name: string, people: number, about: string, next?: number): LobbyReply => ({
    ...{ kind: 'rooms', names: [name] },
    more: { people: [people], about: [about], next },
  });
  assert.equal(told(face.received(page('a', 0, 'the first', 1))), [
    ...['\n---All Rooms---\n', '  - a (no people): the first\n', '-> ask list {"all":true,"skip":1}'],
  ]);
  assert.equal(told(face.received(page('b', 1, '', 2))), [
    ...['  - b (1 person)\n', '-> ask list {"all":true,"skip":2}'],
  ]);
  // a list that would never end
  assert.equal(told(face.received(page('c', 2, '', 2))), ['  - c (2 people)\n', COMMAND]);
  assert.equal(face.complete('join '), ['join a', 'join b', 'join c']);
});

ours('list --all of a classic server is the plain list', () => {
  const face = opened();
  type(face, 'list --all');
  assert.equal(told(face.received(rooms('a'))), ['\n---Active Rooms---\n', '  - a\n', COMMAND]);
});

ours('history goes back page by page, and ends with the room', () => {
  const face = opened();
  type(face, 'history griffsRoom 100');
  face.received(OURS);
  const page = (...ids: number[]) => previous(...ids.map((id) => chatOf(`chat ${id}`, 'griffin', 'griffsRoom', id)));
  const ask = (count: number, before: number) =>
    `-> ask history ${JSON.stringify({ count, before, room: 'griffsRoom' })}`;
  assert.equal(told(face.received(page(8, 9))), [ask(98, 8)]);
  assert.equal(told(face.received(page(5))), [ask(97, 5)]);
  const all = [5, 8, 9].map((id) => shown(`chat ${id}`));
  assert.equal(told(face.received(previous())), ['(3 chats from griffsRoom:)', ...all, COMMAND]);
  type(face, 'history griffsRoom 2');
  assert.equal(told(face.received(page(8, 9))), ['(2 chats from griffsRoom:)', ...all.slice(1), COMMAND]);
  // it does not go back
  type(face, 'history griffsRoom');
  face.received(page(9));
  assert.is(told(face.received(page(9))).length, 4);
});

ours('history of the room last left, and of the one it is in', () => {
  const face = entered(true);
  assert.equal(type(face, '\\history 3'), ['-> tell history {"count":3}']);
  assert.equal(told(face.roomReceived({ kind: 'chat', chat: chatOf('meanwhile') })), [shown('meanwhile')]);
  assert.equal(told(face.roomReceived(previous())), ['(no chats from griffsRoom:)']);
  type(face, '\\quit');
  assert.equal(type(face, 'history'), ['-> ask history {"count":20,"room":"griffsRoom"}']);
  face.received(previous());
  assert.equal(type(face, 'history 7'), ['-> ask history {"count":7,"room":"griffsRoom"}']);
});

ours('search shows where it was said', () => {
  const face = entered(true);
  assert.equal(type(face, '\\search', '\\search My Room'), [
    ...['missing arguments. -"\\search <words>"', '-> tell search {"words":"My Room","count":20}'],
  ]);
  assert.equal(told(face.roomReceived(previous(chatOf('This is My Room!')))), [
    ...['(1 chat with My Room:)', `This is My Room!\n~griffin @${NOW} in griffsRoom\n`],
  ]);
});

ours('a classic room has none of them; after it the server is asked anew', () => {
  const face = entered(false);
  assert.equal(type(face, '\\history', '\\search a'), Array(2).fill('(this server has no such command)'));
  type(face, '\\quit');
  assert.is(type(face, 'search a').at(-1), PROBE);
});
ours.run();

// --- typing --------------------------------------------------------------------------------------------------

const typing = suite('client-lobby: typing');

typing('lines typed ahead wait for the answer before', () => {
  const face = opened();
  assert.equal(type(face, 'login a b', 'list', 'help'), [
    ...['loging in...', '-> ask login {"name":"a","password":"b"}'],
  ]);
  assert.ok(face.isWaiting);
  assert.ok(face.isAwaiting);
  assert.equal(told(face.received(good('in'))), [
    ...['in', COMMAND, 'listing...', '-> ask list {"all":false,"skip":0}'],
  ]);
  assert.is(told(face.received(rooms())).length, 4);
  assert.not(face.isAwaiting);
});

typing('end of input', () => {
  const face = opened();
  type(face, 'list');
  assert.equal(told(face.inputEnded()), []);
  assert.equal(told(face.received(rooms())), ['\n---Active Rooms---\n', COMMAND, 'exiting...', 'exit 0']);
});

typing('passwords are not remembered', () => {
  const face = opened();
  const not = ['login a b', 'newuser a b', 'LOGIN a b', 'join a b', 'room a --password=x', 'room a x --password=x'];
  for (const line of not) assert.not(face.remembers(line), line);
  for (const line of ['list', 'join a', 'room a --password', 'room a words', 'search login']) {
    assert.ok(face.remembers(line), line);
  }
  face.line('room a --password');
  assert.not(face.remembers('hush'));
});

typing('a password typed ahead is not remembered', () => {
  const face = opened();
  type(face, 'list', 'room a --password');
  assert.not(face.remembers('hush'));
  face.line('hush');
  assert.ok(face.remembers('list'));
  assert.ok(entered(true).remembers('join the party'));
});

typing('Tab completes commands and rooms', () => {
  const face = opened();
  assert.equal(face.complete('l'), ['login ', 'list', 'logout']);
  assert.equal(face.complete(''), []);
  type(face, 'list');
  face.received(rooms('alpha', 'alps', 'two words', '\x1b[2J'));
  assert.equal(face.complete('join al'), ['join alpha', 'join alps']);
  assert.equal(face.complete('history '), ['history alpha', 'history alps']);
  assert.equal(face.complete('search al'), []);
  type(face, 'room a --password');
  assert.equal(face.complete('l'), []);
  const inRoom = entered(true);
  assert.equal(inRoom.complete('\\h'), ['\\history ', '\\help']);
  assert.equal(inRoom.complete('join '), []);
});

typing('hostile text moves no cursor, and can not pass for another chat', () => {
  const evil = '\x1b[2J\r\n\n~admin @now\n\nnext';
  const face = entered(true);
  const [text = ''] = told(face.heard({ creator: 'a\nb', room: 'r', contents: evil, datetime: '\x07now\n' }));
  assert.is(text, '\ufffd[2J\ufffd\n  \n  ~admin @now\n  \n  next\n~a b @\ufffdnow \n');
  const lobby = opened();
  type(lobby, 'list');
  assert.is(told(lobby.received(rooms('\x1b[31mred\nx')))[1], '  - \ufffd[31mred x\n');
  type(lobby, 'list');
  assert.is(told(lobby.received(error('\x1b]0;x\x07')))[0], '\ufffd]0;x\ufffd');
});
typing.run();
