// Layer 5. `parley-client lab`: the face of client-lab.ts on a TCP or UDP socket.

import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { localIpFor } from './addresses.ts';
import { type CommandLine, type Given, wholeNumber } from './arguments.ts';
import { type ClientRequest, LabFace } from './client-lab.ts';
import { LabUdpLink } from './client-lab-udp.ts';
import { type Exit, Player } from './player.ts';
import { encodeRequest, LabReplyDecoder } from './wire-lab.ts';

/** A reply that lacks its last newline is complete after this much silence. */
const LULL_MS = 500;

export const LAB_LINE: CommandLine = {
  name: 'parley-client',
  usage: 'lab [host] [port]',
  about: 'Talk to a HELO / JOIN_CHATROOM server',
  options: [
    { flag: '--name <name>', help: 'Your name in the rooms you enter', shownDefault: 'your user name' },
    { flag: '--room <room>', help: 'Enter this room at once' },
    { flag: '--udp', help: 'Over UDP, each request repeated until it is answered' },
  ],
  examples: ['parley-client lab', 'parley-client lab 10.0.0.5 5000 --name ann --room main'],
};

interface Server {
  readonly host: string;
  readonly port: number;
}

export function openLab(given: Given, userName: string, exit: Exit): void {
  const server = {
    host: given.words[0] ?? 'localhost',
    port: wholeNumber('PORT', given.words[1] ?? '5000', 1, 65_535),
  };
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
  const socket = net.connect({ ...server, noDelay: true });
  let player: Player<ClientRequest> | undefined;
  let lull: ReturnType<typeof setTimeout> | undefined;

  const readReplies = (): void => {
    try {
      for (let reply = decoder.next(); reply; reply = decoder.next()) player?.play(face.received(reply));
    } catch (error) {
      player?.play(face.closed(`this is not a lab server: ${(error as Error).message}`));
    }
  };
  socket.on('connect', () => {
    player = new Player(face, exit, (request) => socket.write(encodeRequest(request)));
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
  socket.on('error', (error) => (player ? player.play(face.closed(error.message)) : exit(1, explain(server, error))));
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

  const pump = (): void => {
    for (let bytes = link.next(); bytes; bytes = link.next()) socket.send(bytes, () => {});
    if (link.ended === 'left') player.play(face.closed());
    if (link.ended === 'no answer')
      player.play(face.closed(`${server.host} port ${server.port} does not answer over UDP`));
    clearTimeout(timer);
    if (link.deadline() === Number.POSITIVE_INFINITY) return;
    timer = setTimeout(() => {
      link.tick(performance.now());
      pump();
    }, link.deadline() - performance.now());
  };
  const player: Player<ClientRequest> = new Player(face, exit, (request) => {
    link.send(request, performance.now());
    pump();
    return true;
  });
  socket.on('message', (bytes) => {
    const reply = link.input(bytes, performance.now());
    if (reply) player.play(face.received(reply));
    pump();
  });
  socket.on('error', (error) => player.play(face.closed(error.message)));
  start(face, player);
}

function explain({ host, port }: Server, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return `no server answers on ${host} port ${port}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `there is no host ${host}`;
  return `can't reach ${host} port ${port}: ${message}`;
}
