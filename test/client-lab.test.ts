import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ClientRequest, LabFace } from '../src/client-lab.ts';
import type { Action } from '../src/face.ts';
import type { LabReply } from '../src/wire-lab.ts';

const test = suite('client-lab');
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function openFace(): LabFace {
  return new LabFace('ann', { ip: '0', port: '0' });
}

/** An action in a line, as a reader would tell it. */
function tell(action: Action<ClientRequest>): string {
  switch (action.kind) {
    case 'send':
      return `-> ${tellRequest(action.request)}`;
    case 'print':
      return action.text;
    case 'prompt':
      return `prompt ${action.text}`;
    case 'exit':
      return `exit ${action.status}${action.error === undefined ? '' : ` ${action.error}`}`;
  }
}

function tellRequest(request: ClientRequest): string {
  if (request.kind === 'helo') return text(request.line);
  if (request.kind === 'chat') return `chat ${request.ref} ${request.joinId} ${request.name}: ${request.text}`;
  if (request.kind === 'join') return `join ${request.room} as ${request.name} at ${request.ip}:${request.port}`;
  if (request.kind === 'leave') return `leave ${request.ref} ${request.joinId}`;
  return request.kind;
}

function told(actions: Action<ClientRequest>[]): string[] {
  return actions.map(tell);
}

const joined = (room: string, ref: string): LabReply => ({
  kind: 'joined',
  room,
  ip: '127.0.0.1',
  port: '5000',
  ref,
  joinId: '7',
});
const chat = (name: string, words: string, ref = '0'): LabReply => ({ kind: 'chat', ref, name, text: words });

function inRoom(): LabFace {
  const face = openFace();
  face.line('/join room1');
  face.received(joined('room1', '0'));
  return face;
}

test('enters a room, talks, leaves', () => {
  const face = openFace();
  assert.equal(told(face.line('/join my room')), ['-> join my room as ann at 0:0']);
  assert.equal(told(face.received(joined('my room', '3'))), [
    'You are in my room (ROOM_REF 3, JOIN_ID 7).',
    'prompt my room> ',
  ]);
  assert.equal(told(face.received(chat('ann', 'ann has joined this chatroom.', '3'))), [
    '[my room] ann has joined this chatroom.',
  ]);
  assert.equal(told(face.line('hello: all')), ['-> chat 3 7 ann: hello: all']);
  assert.equal(told(face.received(chat('ben', 'hi', '3'))), ['[my room] ben: hi']);
  assert.equal(told(face.line('/leave')), ['-> leave 3 7']);
  assert.equal(told(face.received({ kind: 'left', ref: '3', joinId: '7' })), [
    'You have left my room.',
    'prompt lab> ',
  ]);
  assert.equal(told(face.received(chat('ann', 'ann has left this chatroom.', '3'))), [
    '[my room] ann has left this chatroom.',
  ]);
});

test('lines wait for the answer to a command, as a script expects', () => {
  const face = openFace();
  assert.equal(told(face.line('/join room1')), ['-> join room1 as ann at 0:0']);
  assert.equal(told(face.line('first')), []);
  assert.equal(told(face.line('second')), []);
  assert.equal(told(face.inputEnded()), []);
  assert.ok(face.isWaiting);
  assert.equal(told(face.received(joined('room1', '0'))).slice(2), [
    '-> chat 0 7 ann: first',
    '-> chat 0 7 ann: second',
    '-> disconnect',
  ]);
  assert.not.ok(face.isWaiting);
  assert.equal(told(face.closed()), ['exit 0']);
});

test('an ERROR_CODE is shown and ends the client with 1', () => {
  const face = openFace();
  face.line('/join x');
  const error: LabReply = { kind: 'error', code: '5', description: 'bad \x1b[31mname' };
  assert.equal(told(face.received(error)), ['exit 1 ERROR_CODE 5: bad \ufffd[31mname']);
});

test('a connection that ends unasked is an error', () => {
  assert.equal(told(openFace().closed()), ['exit 1 the server has closed the connection']);
  assert.equal(told(openFace().closed('reset')), ['exit 1 reset']);
});

test('HELO and KILL_SERVICE', () => {
  const face = openFace();
  assert.equal(told(face.line('/helo BASE TEST')), ['-> HELO BASE TEST']);
  const line = new TextEncoder().encode('HELO BASE TEST');
  assert.equal(told(face.received({ kind: 'helo', line, ip: '1.2.3.4', port: '5', studentId: '9' })), [
    'HELO BASE TEST\nIP:1.2.3.4\nPort:5\nStudentID:9',
  ]);
  assert.equal(told(face.line('/kill')), ['-> kill']);
  assert.equal(told(face.closed()), ['exit 0']);
});

test('several rooms: the last entered is talked in, until another is chosen', () => {
  const face = inRoom();
  face.line('/join Room2');
  face.received(joined('Room2', '1'));
  assert.equal(told(face.line('a')), ['-> chat 1 7 ann: a']);
  assert.equal(told(face.line('/room ROOM1')), ['prompt room1> ']);
  assert.equal(told(face.line('b')), ['-> chat 0 7 ann: b']);
  assert.equal(told(face.line('/rooms')), ['* room1\n  Room2']);
  face.line('/leave');
  face.received({ kind: 'left', ref: '0', joinId: '7' });
  assert.is(face.prompt, 'Room2> ');
});

for (const [typed, answer] of [
  ['hello', 'You are in no room: /join ROOM first.'],
  ['/leave', 'You are in no room.'],
  ['/leave nowhere', 'You are not in nowhere.'],
  ['/room nowhere', 'You are not in nowhere.'],
  ['/room', 'Usage: /room ROOM'],
  ['/join', 'Usage: /join ROOM'],
  ['/name', 'Usage: /name NAME'],
  ['/say', 'Usage: /say TEXT'],
  ['/constructor', 'There is no /constructor: /help lists what there is.'],
  ['/name eve', 'You enter rooms as eve from now on.'],
  ['/rooms', 'You are in no room.'],
] as const) {
  test(`${typed}: ${answer}`, () => assert.equal(told(openFace().line(typed)), [answer]));
}

test('an empty line says nothing; /say says what begins with a slash', () => {
  assert.equal(told(inRoom().line('   ')), []);
  assert.equal(told(inRoom().line('/say /etc/hosts')), ['-> chat 0 7 ann: /etc/hosts']);
});

test('a name worn in a room stays: a new one is for rooms entered from then on', () => {
  const face = inRoom();
  face.line('/name eve');
  face.line('/join r2');
  face.received(joined('r2', '1'));
  assert.equal(told(face.line('a')), ['-> chat 1 7 eve: a']);
  face.line('/join room1');
  face.received(joined('room1', '0'));
  assert.equal(told(face.line('b')), ['-> chat 0 7 ann: b']);
});

test('it awaits answers and ends, and nothing else', () => {
  const face = openFace();
  assert.is(face.isAwaiting, false);
  face.line('/join room1');
  assert.is(face.isAwaiting, true);
  face.received(chat('ben', 'hi'));
  assert.is(face.isAwaiting, true);
  face.received(joined('room1', '0'));
  assert.is(face.isAwaiting, false);
  face.line('hello');
  assert.is(face.isAwaiting, false);
  face.line('/quit');
  assert.is(face.isAwaiting, true);
});

test('nothing that others send can move the cursor or pass for another line', () => {
  assert.equal(told(inRoom().received(chat('b\x1b[2Jen', 'x\r\x07\x9b\ny\u202e'))), [
    '[room1] b\ufffd[2Jen: x\ufffd\ufffd\ufffd\n  y\ufffd',
  ]);
});

const EVIL = '\x1b[2J';
const TAMED = '\ufffd[2J';
const REPLIES: ReadonlyArray<readonly [LabReply, string[]]> = [
  [
    { kind: 'helo', line: new TextEncoder().encode(`HELO ${EVIL}`), ip: EVIL, port: EVIL, studentId: EVIL },
    [`HELO ${TAMED}\nIP:${TAMED}\nPort:${TAMED}\nStudentID:${TAMED}`],
  ],
  [
    { kind: 'joined', room: EVIL, ip: EVIL, port: EVIL, ref: EVIL, joinId: EVIL },
    [`You are in ${TAMED} (ROOM_REF ${TAMED}, JOIN_ID ${TAMED}).`, `prompt ${TAMED}> `],
  ],
  [{ kind: 'left', ref: EVIL, joinId: EVIL }, [`You have left ${TAMED}.`, 'prompt lab> ']],
  [chat(EVIL, EVIL, EVIL), [`[${TAMED}] ${TAMED}: ${TAMED}`]],
  [{ kind: 'error', code: EVIL, description: EVIL }, [`exit 1 ERROR_CODE ${TAMED}: ${TAMED}`]],
];
for (const [reply, shown] of REPLIES) {
  test(`no field of ${reply.kind} can`, () => assert.equal(told(openFace().received(reply)), shown));
}

test('Tab completes commands; rooms after /room and /leave only', () => {
  const face = inRoom();
  assert.equal(face.complete('/jo'), ['/join ']);
  assert.equal(face.complete('/room'), ['/room ', '/rooms ']);
  for (const line of ['/room ', '/room r']) assert.equal(face.complete(line), ['/room room1']);
  assert.equal(face.complete('/leave '), ['/leave room1']);
  for (const line of ['', 'hel', '/join r', '/room x']) assert.equal(face.complete(line), []);
  assert.ok(face.complete('/').length > 8);
  assert.not(face.complete('/').some((candidate) => candidate.includes('room1')));
});

test.run();
