// Layer 5. `parley-client lab`: the face of client-lab.ts on a TCP or UDP socket.

import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { clearTimeout, setTimeout } from 'node:timers';
import { localIpFor } from './addresses.ts';
import { type CommandLine, type Given, UsageError, wholeNumber } from './arguments.ts';
import { type ClientRequest, LabFace } from './client-lab.ts';
import { LabUdpLink } from './client-lab-udp.ts';
import { type Exit, Player } from './player.ts';
import { dial, explainTls, type Server } from './tls-client.ts';
import { readTls, TLS_OPTIONS } from './tls-options.ts';
import { encodeRequest, LabReplyDecoder } from './wire-lab.ts';

/** A reply that lacks its last newline is complete after this much silence. */
const LULL_MS = 500;
const HOST = 'localhost';
const PORT = '5000';

export const LAB_LINE: CommandLine = {
  name: 'parley-client',
  usage: 'lab [host] [port]',
  about: 'Talk to a HELO / JOIN_CHATROOM server; type /help for the commands',
  words: [
    { word: 'host', help: 'Where the server is', shownDefault: HOST },
    { word: 'port', help: 'Its port', shownDefault: PORT },
  ],
  options: [
    { flag: '--name <name>', help: 'Your name in the rooms you enter', shownDefault: 'your user name' },
    { flag: '--room <room>', help: 'Enter this room at once' },
    { flag: '--udp', help: 'Over UDP, each request repeated until it is answered' },
    ...TLS_OPTIONS,
  ],
  examples: ['parley-client lab', 'parley-client lab 10.0.0.5 5000 --name ann --room main'],
};

export function openLab(given: Given, userName: string, exit: Exit): void {
  const server = {
    host: given.words[0] ?? HOST,
    port: wholeNumber('PORT', given.words[1] ?? PORT, 1, 65_535),
    tls: readTls(given),
  };
  if (server.tls && given.has('udp')) throw new UsageError('--tls: there is none over UDP');
  const name = given.one('name') ?? userName;
  const start = (face: LabFace, player: Player<ClientRequest>): void => {
    const room = given.one('room');
    if (room !== undefined) player.play(face.line(`/join ${room}`));
  };
  if (given.has('udp')) openUdp(server, name, start, exit).catch((error) => exit(1, explain(server, error)));
  else openTcp(server, name, start, exit);
}

type Start = (face: LabFace, player: Player<ClientRequest>) => void;

function openTcp(server: Server, name: string, start: Start, exit: Exit): void {
  const decoder = new LabReplyDecoder();
  const face = new LabFace(name, { ip: '0', port: '0' });
  let player: Player<ClientRequest> | undefined;
  let lull: ReturnType<typeof setTimeout> | undefined;

  const readReplies = (): void => {
    try {
      for (let reply = decoder.next(); reply; reply = decoder.next()) player?.play(face.received(reply));
    } catch (error) {
      player?.play(face.closed(`this is not a lab server: ${(error as Error).message}`));
    }
  };
  const socket = dial(server, {}, () => {
    const wire = { server: nameOf(server), send: (request: ClientRequest) => socket.write(encodeRequest(request)) };
    player = new Player(face, wire, exit);
    start(face, player);
  });
  socket.on('data', (bytes: Uint8Array) => {
    decoder.push(bytes);
    readReplies();
    clearTimeout(lull);
    if (!decoder.pending) return;
    lull = setTimeout(() => {
      decoder.lull();
      readReplies();
    }, LULL_MS);
  });
  socket.on('drain', () => player?.resume());
  socket.on('error', (error) => {
    const reason = explain(server, error);
    return player ? player.play(face.closed(reason)) : exit(1, reason);
  });
  socket.on('close', () => {
    decoder.end();
    readReplies();
    player?.play(face.closed());
  });
}

async function openUdp(server: Server, name: string, start: Start, exit: Exit): Promise<void> {
  const { address, family } = await lookup(server.host);
  const socket = dgram.createSocket(family === 6 ? 'udp6' : 'udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(server.port, address, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  const local = socket.address();
  // Deno names no address of its own for a connected socket
  const ip = /^(?:0\.0\.0\.0|::)$/.test(local.address) ? localIpFor(address) : local.address;
  const face = new LabFace(name, { ip, port: String(local.port) });
  const link = new LabUdpLink();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const failed = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'ECONNREFUSED') return player.play(face.closed(explain(server, error)));
    link.refused();
    pump();
  };
  const pump = (): void => {
    // one that can't be sent is one that was lost
    for (let bytes = link.next(); bytes; bytes = link.next()) socket.send(bytes, () => {});
    if (link.ended === 'left') player.play(face.closed());
    if (link.ended === 'refused') player.play(face.closed(explain(server, { code: 'ECONNREFUSED' })));
    if (link.ended === 'no answer') player.play(face.closed(`${nameOf(server)} does not answer over UDP`));
    clearTimeout(timer);
    if (link.deadline() === Number.POSITIVE_INFINITY) return;
    timer = setTimeout(
      () => {
        link.tick(performance.now());
        pump();
      },
      Math.max(0, link.deadline() - performance.now()),
    );
  };
  const send = (request: ClientRequest): boolean => {
    link.send(request, performance.now());
    pump();
    return true;
  };
  const player: Player<ClientRequest> = new Player(face, { server: nameOf(server), send }, exit);
  socket.on('message', (bytes) => {
    const reply = link.input(bytes, performance.now());
    if (reply) player.play(face.received(reply));
    pump();
  });
  socket.on('error', failed);
  start(face, player);
}

function nameOf({ host, port }: Server): string {
  return `${host} port ${port}`;
}

function explain(server: Server, error: Partial<NodeJS.ErrnoException>): string {
  const { code, message } = error;
  if (code === 'ECONNREFUSED') return `no server answers on ${nameOf(server)}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `there is no host ${server.host}`;
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'the server has closed the connection';
  const trouble = explainTls(error);
  if (trouble !== undefined) return trouble;
  return `can't reach ${nameOf(server)}: ${message}`;
}
