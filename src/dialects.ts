// Layer 3. The table of dialects: what a connection or a datagram of each is handed to. A new dialect is a
// row here, a codec and a session. A connection of a row without `open` is handed on, or closed.

import { Datagram, type DatagramOptions } from './datagram.ts';
import { DatagramServer } from './datagram-session.ts';
import { Irc, type IrcOptions } from './irc.ts';
import { IrcAudience } from './irc-audience.ts';
import { IrcSession } from './irc-session.ts';
import { Lab, type LabOptions } from './lab.ts';
import { LabTcp } from './lab-session.ts';
import { LabUdp } from './lab-udp.ts';
import type { LobbyOptions } from './lobby.ts';
import { LobbySession, openLobby } from './lobby-session.ts';
import { Menu, type MenuOptions } from './menu-session.ts';
import type { PipeOptions } from './pipe.ts';
import { openPipe, PipeSession } from './pipe-session.ts';
import type { DatagramPort, DatagramSession, Port, Session } from './session.ts';

export const DIALECTS = ['lab', 'menu', 'pipe', 'datagram', 'lobby', 'irc', 'http', 'tls'] as const;
export type DialectName = (typeof DIALECTS)[number];

export interface Dialect {
  readonly name: DialectName;
  /** A connection has turned out to speak it. */
  open?(port: Port): Session;
  /** A socket may get datagrams of it. */
  openDatagrams?(port: DatagramPort): DatagramSession;
  /** The server is going down; its connections are to stay open for so many milliseconds. */
  close?(reason: string): number;
  /** What a client of a dialect that is not built is told before the connection closes. */
  readonly farewell?: string;
}

/** What the dialects are handed; each takes its part. */
export type DialectOptions = LabOptions & MenuOptions & LobbyOptions & DatagramOptions & PipeOptions & IrcOptions;

export type DialectTable = Readonly<Record<DialectName, Dialect>>;

/** Which dialects a build speaks, for `--listen` and `--help`. */
export const BUILT: readonly DialectName[] = ['lab', 'menu', 'lobby', 'datagram', 'pipe', 'irc', 'http'];

export function dialectTable(options: DialectOptions): DialectTable {
  const lab = new Lab(options);
  const labTcp = new LabTcp(lab);
  const menu = new Menu(options);
  const lobby = openLobby(options);
  const datagram = new Datagram(options);
  const pipe = openPipe(options);
  const irc = new Irc(options, (...given) => new IrcAudience(...given));
  return {
    lab: { name: 'lab', open: (port) => labTcp.open(port), openDatagrams: (port) => new LabUdp(lab, port) },
    menu: { name: 'menu', open: (port) => menu.open(port) },
    pipe: { name: 'pipe', open: (port) => new PipeSession(pipe, port), close: () => pipe.close() },
    datagram: { name: 'datagram', openDatagrams: (port) => new DatagramServer(datagram, port) },
    lobby: { name: 'lobby', open: (port) => new LobbySession(lobby, port) },
    irc: { name: 'irc', open: (port) => new IrcSession(irc, port), close: (reason) => irc.close(reason) },
    // its sockets are handed over, see http.ts
    http: { name: 'http' },
    // a TLS hello on a server without a certificate: nothing that it could read, closed at once
    tls: { name: 'tls', farewell: '' },
  };
}
