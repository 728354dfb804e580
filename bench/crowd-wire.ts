// The dialects in which the load driver talks: how one joins a room, and what a post looks like on its way there and back.
// All posts of a run have one length; the text is the last thing in both.
import net from 'node:net';

const HOST = '127.0.0.1';

/** All sockets read into this one buffer: what is in it is dealt with before the next socket is read. */
export const inbox = Buffer.allocUnsafeSlow(256 * 1024);

/** What has come are the first `length` bytes; they are only there during the call. */
export type Receive = (length: number, bytes: Buffer) => void;

export type Connection = {
  socket: net.Socket;
  receive: Receive;
  /** What stands before the text of a post of its own, as it writes it and as the others get it. */
  request: string;
  block: string;
};

export interface Wire {
  /** Done when the connection is in the room and has heard so. */
  join(port: number, room: string, handle: string): Promise<Connection>;
  /** What ends a post, both ways. */
  readonly requestEnd: string;
  readonly blockEnd: string;
  /** So many come in at once: a server may let people in once a second. */
  readonly atOnce: number;
  /** Who posts gets the post back. */
  readonly echoes: boolean;
  /** A question that any connection may ask at once, or one that has registered, and its answer. */
  readonly question: string;
  readonly answer: RegExp;
}

/** A connection that hands its bytes to `connection.receive`; an end that nobody asked for ends the whole run. */
export function connect(port: number, receive: Receive): Connection {
  const callback = (length: number) => {
    connection.receive(length, inbox);
    return true;
  };
  const socket = net.connect({ port, host: HOST, noDelay: true, onread: { buffer: inbox, callback } });
  const connection: Connection = { socket, receive, request: '', block: '' };
  socket.on('error', (error) => {
    throw error;
  });
  socket.on('end', () => {
    throw new Error('the server closed a connection');
  });
  return connection;
}

function ignore(): void {
  // Announcements of others, to a connection that only has to be there.
}

/** Done when both the answer and the newcomer's own announcement are there. */
function joinLab(port: number, room: string, handle: string): Promise<Connection> {
  const announcement = `MESSAGE: ${handle} has joined this chatroom.\n\n`;
  return new Promise((resolve, reject) => {
    let text = '';
    const connection = connect(port, (length) => {
      text += inbox.toString('latin1', 0, length);
      if (text.startsWith('ERROR_CODE')) reject(new Error(`JOIN_CHATROOM was answered ${JSON.stringify(text)}`));
      const joined = /^JOINED_CHATROOM: .*\nSERVER_IP: .*\nPORT: .*\nROOM_REF: (\d+)\nJOIN_ID: (\d+)\n/.exec(text);
      if (joined === null || !text.includes(announcement, joined[0].length)) return;
      const [, ref = '', joinId = ''] = joined;
      const name = `CLIENT_NAME: ${handle}\nMESSAGE: `;
      // Servers disregard the JOIN_ID on TCP, so it may be padded to keep all requests of one length.
      connection.request = `CHAT: ${ref}\nJOIN_ID: ${joinId.padStart(10, '0')}\n${name}`;
      connection.block = `CHAT: ${ref}\n${name}`;
      connection.receive = ignore;
      resolve(connection);
    });
    connection.socket.write(`JOIN_CHATROOM: ${room}\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ${handle}\n`);
  });
}

/** Done with the end of the list of names. A server may ask whether one is there before it lets one in. */
function joinIrc(port: number, room: string, handle: string): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let text = '';
    const connection = connect(port, (length) => {
      text += inbox.toString('latin1', 0, length);
      const lines = text.split('\r\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const ping = /^(?::\S+ )?PING (.*)$/.exec(line);
        if (ping) connection.socket.write(`PONG ${ping[1]}\r\n`);
        const refused = /^(?:ERROR |:\S+ [45]\d\d )/.test(line) && !/ 422 /.test(line);
        if (refused) reject(new Error(`to a client was said ${line}`));
        if (/^:\S+ 001 /.test(line)) connection.socket.write(`JOIN #${room}\r\n`);
        const prefix = /^:(\S+) JOIN /.exec(line)?.[1];
        if (prefix?.startsWith(`${handle}!`)) connection.block = `:${prefix} PRIVMSG #${room} :`;
        if (!/^:\S+ 366 /.test(line)) continue;
        connection.request = `PRIVMSG #${room} :`;
        connection.receive = ignore;
        resolve(connection);
      }
    });
    connection.socket.write(`NICK ${handle}\r\nUSER bench 0 * :bench\r\n`);
  });
}

export const WIRES: Readonly<Record<string, Wire>> = {
  lab: {
    join: joinLab,
    atOnce: 64,
    requestEnd: '\n\n',
    blockEnd: '\n\n',
    echoes: true,
    question: 'HELO probe\n',
    answer: /^HELO probe\nIP:.*\nPort:.*\nStudentID:.*\n/,
  },
  irc: {
    join: joinIrc,
    atOnce: 2000,
    requestEnd: '\r\n',
    blockEnd: '\r\n',
    echoes: false,
    question: 'PING probe\r\n',
    answer: /^\S* ?PONG .*probe\r\n/,
  },
};
