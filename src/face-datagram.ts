// Layer 5. `parley-client -c NAME SERVER_IP SERVER_PORT CLIENT_PORT`: the face of client-datagram.ts on its socket
// and screen. What it sends comes from the port where it listens.

import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { type CommandLine, type Given, UsageError, wholeNumber } from './arguments.ts';
import { DatagramFace } from './client-datagram.ts';
import type { Action, ClientDatagram } from './client-datagram-asking.ts';
import { PROMPT } from './client-datagram-words.ts';
import type { Face } from './face.ts';
import { UNFIT } from './names.ts';
import { type Exit, Player } from './player.ts';
import { clockTime, encodeDatagram, readDatagram } from './wire-datagram.ts';

const MAX_NAME_CHARS = 64;
const LEAST_PORT = 1024;
const MOST_PORT = 65_535;
/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1;

export const DATAGRAM_LINE: CommandLine = {
  name: 'parley-client',
  usage: 'datagram [name] [server-ip] [server-port] [client-port]',
  shownUsage: '-c <name> <server-ip> <server-port> <client-port>',
  about: 'Chat over UDP: send NAME TEXT, send_all TEXT, dereg, reg',
  words: [
    { word: 'name', help: 'Who you are to the others: one word' },
    { word: 'server-ip', help: 'Where the server is' },
    { word: 'server-port', help: 'Its port' },
    { word: 'client-port', help: 'Your own port, on which the others reach you' },
  ],
  options: [{ flag: '--json', help: 'Show what happens as JSON, one object a line' }],
  examples: ['parley-client -c ann 127.0.0.1 5000 3333', 'parley-client datagram ann 10.0.0.5 5000 3333 --json'],
};

interface DatagramClientOptions {
  readonly name: string;
  readonly host: string;
  readonly serverPort: number;
  readonly port: number;
  readonly json: boolean;
}

export function openDatagram(given: Given, _userName: string, exit: Exit): void {
  const options = readOptions(given);
  new DatagramClient(options, exit).start().catch((error) => exit(1, explain(options, error)));
}

function readOptions(given: Given): DatagramClientOptions {
  const [name = '', host = '', serverPort, port] = given.words;
  return {
    name: readName(name),
    host: readHost(host),
    serverPort: readPort('SERVER_PORT', serverPort),
    port: readPort('CLIENT_PORT', port),
    json: given.has('json'),
  };
}

function readName(name: string): string {
  if (name === '') throw missing('NAME');
  const what = `NAME ${JSON.stringify(name)}`;
  if (/\s/.test(name) || UNFIT.test(name)) throw new UsageError(`${what}: must be one word`);
  if ([...name].length > MAX_NAME_CHARS) throw new UsageError(`${what}: longer than ${MAX_NAME_CHARS} characters`);
  return name;
}

/** As in the reference an IP; a host's name does too. */
function readHost(host: string): string {
  if (host === '') throw missing('SERVER_IP');
  if (!net.isIPv4(host) && !/^(?=.*[a-z])[\w-]+(?:\.[\w-]+)*\.?$/i.test(host)) {
    throw new UsageError(`SERVER_IP ${JSON.stringify(host)}: is not an IPv4 address`);
  }
  return host === '0.0.0.0' ? '127.0.0.1' : host;
}

function readPort(what: string, value: string | undefined): number {
  if (value === undefined) throw missing(what);
  return wholeNumber(what, value, LEAST_PORT, MOST_PORT);
}

function missing(what: string): UsageError {
  return new UsageError(`${what} is missing, for example: parley-client -c ann 127.0.0.1 5000 3333`);
}

class DatagramClient {
  readonly #options: DatagramClientOptions;
  readonly #exit: Exit;
  readonly #socket = dgram.createSocket('udp4');
  #player: Player<ClientDatagram> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Handed to the system and not sent yet. */
  #sending = 0;
  #leave: (() => void) | undefined;

  constructor(options: DatagramClientOptions, exit: Exit) {
    this.#options = options;
    this.#exit = exit;
  }

  async start(): Promise<void> {
    const { name, host, serverPort, port, json } = this.#options;
    const { address } = await lookup(host, { family: 4 });
    await this.#bind(port);
    const server = { ip: address, port: serverPort };
    this.#open(new DatagramFace({ name, port, server, clock: () => clockTime(Date.now()), json }));
  }

  #bind(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.bind({ port, address: '0.0.0.0', exclusive: true }, () => {
        // what can't be sent or received is lost
        this.#socket.off('error', reject).on('error', () => {});
        resolve();
      });
    });
  }

  #open(face: DatagramFace): void {
    const wire = { server: this.#options.host, send: (request: ClientDatagram) => this.#send(request) };
    const leave: Exit = (status, error) => this.#end(() => this.#exit(status, error));
    const player = new Player<ClientDatagram>(this.#asPlayed(face), wire, leave);
    this.#player = player;
    this.#socket.on('message', (bytes, { address, port }) => {
      const message = readDatagram(bytes);
      if (message) this.#play(face, face.input(message, { ip: address, port }, performance.now()));
    });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => this.#play(face, face.interrupted(performance.now())));
    }
    this.#play(face, face.start(performance.now()));
  }

  /** The face with the time it is. */
  #asPlayed(face: DatagramFace): Face<ClientDatagram> {
    const timed = (actions: Action[]): Action[] => {
      this.#arm(face);
      return actions;
    };
    return {
      prompt: PROMPT,
      keepsTyped: true,
      get isWaiting() {
        return face.isWaiting;
      },
      // it tells by itself when an answer is late
      isAwaiting: false,
      line: (text) => timed(face.line(text, performance.now())),
      inputEnded: () => timed(face.inputEnded(performance.now())),
      complete: (line) => face.complete(line),
    };
  }

  #play(face: DatagramFace, actions: Action[]): void {
    this.#player?.play(actions);
    this.#arm(face);
  }

  #arm(face: DatagramFace): void {
    clearTimeout(this.#timer);
    const at = face.deadline();
    if (at === Number.POSITIVE_INFINITY) return;
    const ms = Math.min(LONGEST_MS, Math.max(0, Math.ceil(at - performance.now())));
    this.#timer = setTimeout(() => this.#play(face, face.tick(performance.now())), ms);
  }

  #send({ message, to }: ClientDatagram): boolean {
    // a name would be looked up, whatever a server has put into its table
    if (!net.isIPv4(to.ip)) return true;
    this.#sending++;
    this.#socket.send(encodeDatagram(message), to.port, to.ip, () => {
      this.#sending--;
      if (this.#sending === 0) this.#leave?.();
    });
    return true;
  }

  /** When what was said last has gone out. */
  #end(leave: () => void): void {
    clearTimeout(this.#timer);
    this.#leave = leave;
    if (this.#sending === 0) leave();
  }
}

function explain({ host, port }: DatagramClientOptions, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return `CLIENT_PORT ${port} is taken by another program`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `there is no host ${host} with an IPv4 address`;
  return `can't open CLIENT_PORT ${port}: ${message}`;
}
