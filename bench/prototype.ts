// The floor to measure the product against: a `lab` server that does nothing but fan out, with the write strategy that
// we found best. Lines are appended once to a buffer of their room; at the end of the turn every member's socket gets
// the same slice. No store, no limits, no log, no UDP; well-formed messages only. Not part of the product.
//
//   node bench/prototype.ts PORT      (0 takes a free port; prints `ready tcp=PORT`)
import net from 'node:net';
import { setImmediate } from 'node:timers';

const NEWLINE = 10;
const FIRST_BUFFER_BYTES = 2048;
const MAX_POLLS = 3;
const HOST = '127.0.0.1';

type Room = {
  name: string;
  ref: number;
  buffer: Buffer;
  length: number;
  members: Member[];
};

type Member = {
  socket: net.Socket;
  room: Room;
  /** What stands before the text of this member's posts; made once, so that a post only copies. */
  header: Buffer;
  /** Where in the room's buffer this member begins to hear: not 0 only in the turn in which it joined. */
  from: number;
};

/** What a connection is to us, kept on its socket: one handler then serves all sockets, no closure for each. */
type Client = { joinId: number; unfinished: Buffer | undefined; memberships: Member[] };
type ClientSocket = net.Socket & { client: Client };

const roomsByName = new Map<string, Room>();
const rooms: Room[] = [];
let joinIds = 0;
let listeningPort = 0;

const dirtyRooms: Room[] = [];
let lines = 0;
let linesSeen = 0;
let polls = 0;

/** Runs after all sockets that were readable have been read. Looks again while looking again brings more. */
function endOfTurn(): void {
  if (lines > linesSeen && polls < MAX_POLLS) {
    linesSeen = lines;
    polls++;
    setImmediate(endOfTurn);
    return;
  }
  lines = linesSeen = polls = 0;
  for (const room of dirtyRooms) flush(room);
  dirtyRooms.length = 0;
}

function flush(room: Room): void {
  const all = room.buffer.subarray(0, room.length);
  let queued = 0;
  for (const member of room.members) {
    member.socket.write(member.from === 0 ? all : all.subarray(member.from));
    member.from = 0;
    queued += member.socket.writableLength;
  }
  // A socket that could not take everything still holds the slice, so its bytes must not be overwritten.
  if (queued > 0) room.buffer = Buffer.allocUnsafeSlow(room.buffer.length);
  room.length = 0;
}

/** Adds a line to what the room will be sent at the end of this turn. */
function append(member: Member, text: Buffer, start: number, end: number): void {
  const { room, header } = member;
  if (room.length === 0) {
    if (dirtyRooms.length === 0) setImmediate(endOfTurn);
    dirtyRooms.push(room);
  }
  const needed = room.length + header.length + end - start;
  if (needed > room.buffer.length) {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, room.buffer.length * 2));
    room.buffer.copy(larger, 0, 0, room.length);
    room.buffer = larger;
  }
  room.buffer.set(header, room.length);
  text.copy(room.buffer, room.length + header.length, start, end);
  room.length = needed;
  lines++;
}

function openRoom(name: string): Room {
  let room = roomsByName.get(name);
  if (room === undefined) {
    room = { name, ref: rooms.length, buffer: Buffer.allocUnsafeSlow(FIRST_BUFFER_BYTES), length: 0, members: [] };
    roomsByName.set(name, room);
    rooms.push(room);
  }
  return room;
}

function join(socket: ClientSocket, roomName: string, handle: string): void {
  const { client } = socket;
  const room = openRoom(roomName);
  if (client.joinId === 0) client.joinId = ++joinIds;
  socket.write(
    `JOINED_CHATROOM: ${roomName}\nSERVER_IP: ${HOST}\nPORT: ${listeningPort}\n` +
      `ROOM_REF: ${room.ref}\nJOIN_ID: ${client.joinId}\n`,
  );
  if (client.memberships.some((member) => member.room === room)) return;
  const header = Buffer.from(`CHAT: ${room.ref}\nCLIENT_NAME: ${handle}\nMESSAGE: `);
  const member = { socket, room, header, from: room.length };
  client.memberships.push(member);
  room.members.push(member);
  const announcement = Buffer.from(`${handle} has joined this chatroom.\n\n`);
  append(member, announcement, 0, announcement.length);
}

/** The end of the line that begins at `from` (where its newline is), or -1. */
function lineEnd(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) if (bytes[at] === NEWLINE) return at;
  return -1;
}

function fieldValue(line: string): string {
  return line.slice(line.indexOf(':') + 1).trim();
}

/** Each `take…` handles the message at `from` and returns where it ended, or `from` when it isn't all there yet. */
function takeChat(socket: ClientSocket, bytes: Buffer, from: number): number {
  const refEnd = lineEnd(bytes, from);
  const idEnd = refEnd < 0 ? -1 : lineEnd(bytes, refEnd + 1);
  const nameEnd = idEnd < 0 ? -1 : lineEnd(bytes, idEnd + 1);
  if (nameEnd < 0) return from;
  const end = bytes.indexOf('\n\n', nameEnd + 1, 'latin1');
  if (end < 0) return from;
  let ref = 0;
  for (let at = from + 'CHAT: '.length; at < refEnd; at++) ref = ref * 10 + (bytes[at] as number) - 48;
  for (const member of socket.client.memberships) {
    if (member.room.ref === ref) append(member, bytes, nameEnd + 1 + 'MESSAGE: '.length, end + 2);
  }
  return end + 2;
}

function takeJoin(socket: ClientSocket, bytes: Buffer, from: number): number {
  let end = from - 1;
  for (let line = 0; line < 4; line++) {
    end = lineEnd(bytes, end + 1);
    if (end < 0) return from;
  }
  const [room = '', , , handle = ''] = bytes.toString('utf8', from, end).split('\n').map(fieldValue);
  join(socket, room, handle);
  return end + 1;
}

function takeHelo(socket: ClientSocket, bytes: Buffer, from: number): number {
  const end = lineEnd(bytes, from);
  if (end < 0) return from;
  socket.write(`${bytes.toString('utf8', from, end)}\nIP:${HOST}\nPort:${listeningPort}\nStudentID:0\n`);
  return end + 1;
}

function takeMessage(socket: ClientSocket, bytes: Buffer, from: number): number {
  switch (bytes[from]) {
    case NEWLINE:
      return from + 1;
    case 0x43: // C
      return takeChat(socket, bytes, from);
    case 0x4a: // J
      return takeJoin(socket, bytes, from);
    case 0x48: // H
      return takeHelo(socket, bytes, from);
    default:
      socket.destroy();
      return bytes.length;
  }
}

function onData(this: net.Socket, chunk: Buffer): void {
  const socket = this as ClientSocket;
  const { client } = socket;
  const bytes = client.unfinished === undefined ? chunk : Buffer.concat([client.unfinished, chunk]);
  let at = 0;
  while (at < bytes.length) {
    const next = takeMessage(socket, bytes, at);
    if (next === at) break;
    at = next;
  }
  client.unfinished = at < bytes.length ? Buffer.from(bytes.subarray(at)) : undefined;
}

function onClose(this: net.Socket): void {
  for (const member of (this as ClientSocket).client.memberships) {
    const { members } = member.room;
    members.splice(members.indexOf(member), 1);
  }
}

function ignoreError(): void {
  // A connection that breaks is closed; nothing else is to be done here.
}

function accept(socket: net.Socket): void {
  (socket as ClientSocket).client = { joinId: 0, unfinished: undefined, memberships: [] };
  socket.on('data', onData);
  socket.on('close', onClose);
  socket.on('error', ignoreError);
}

const server = net.createServer({ noDelay: true }, accept);
server.listen({ port: Number(process.argv[2] ?? 0), host: HOST, backlog: 1024 }, () => {
  listeningPort = (server.address() as net.AddressInfo).port;
  process.stdout.write(`ready tcp=${listeningPort}\n`);
});
