// Layer 5. `parley-client pipe`: the face of client-pipe.ts on its connection, folder, files' carrier and screen.

import net from 'node:net';
import { clearTimeout, setInterval, setTimeout } from 'node:timers';
import { type CommandLine, type Given, UsageError, wholeNumber } from './arguments.ts';
import { type ClientRequest, PipeFace } from './client-pipe.ts';
import type { TransferOptions, Wish } from './client-pipe-transfers.ts';
import { type Action, MAX_WINDOW, MIN_WINDOW } from './client-pipe-words.ts';
import { HouseError } from './errors.ts';
import type { Face } from './face.ts';
import { optionalNumber, readPath, readTrouble } from './gbn-options.ts';
import { Folder, isDirectlyIn } from './pipe-folder.ts';
import { type Connection, connect, findServer, PipeLink, type Server } from './pipe-link.ts';
import { PipeTransfers } from './pipe-transfers.ts';
import { type Exit, Player } from './player.ts';
import { explainTls, type TlsTrust } from './tls-client.ts';
import { readTls, TLS_OPTIONS } from './tls-options.ts';

const HOST = 'localhost';
/** Where servers listen unless told. */
const FIRST_PORT = 50_000;
const LAST_PORT = 50_009;
const DIRECTORY = 'folder';
const PARALLEL = '2';
const MAX_PARALLEL = 1000;
/** How often progress is drawn. */
const DRAW_MS = 200;
/** Of a terminal that does not tell. */
const COLUMNS = 80;
/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1;

export const PIPE_LINE: CommandLine = {
  name: 'parley-client',
  usage: 'pipe',
  shownUsage: 'pipe [options]',
  about: 'Talk and share files in rooms with passwords: @NAME|text, @all|text, @NAME|getfile|FILE, @server|exit',
  options: [
    { flag: '--ip <address>', help: 'Where the server is', shownDefault: HOST },
    { flag: '--port <port>', help: 'Its port', shownDefault: `the first of ${FIRST_PORT}-${LAST_PORT} that greets` },
    { flag: '-s, --share <0|1>', help: 'Whether others get your files', shownDefault: '1' },
    { flag: '-p, --parallel <count>', help: 'Files sent at once', shownDefault: PARALLEL },
    {
      flag: '-w, --window <packets>',
      help: 'Packets on their way at once',
      shownDefault: '16 with classic clients, else as the path takes it',
    },
    { flag: '-e, --errprob <n>', help: 'Lose one datagram in so many, for trying out; 1 is none', shownDefault: '1' },
    { flag: '--dir <directory>', help: 'What you share, and where files arrive', shownDefault: DIRECTORY },
    { flag: '--loss <percent>', help: 'Datagrams to lose, for trying out' },
    { flag: '--dup <percent>', help: 'Datagrams to send twice' },
    { flag: '--reorder <percent>', help: 'Datagrams to send late, behind others' },
    { flag: '--delay <ms>', help: 'How much later datagrams go out' },
    { flag: '--seed <number>', help: 'The same trouble each time' },
    { flag: '--trace <file>', help: 'A line of JSON for each packet' },
    { flag: '--timeout <seconds>', help: 'Silence that ends a transfer', shownDefault: '15' },
    { flag: '--direct-only', help: 'Files never go through the server' },
    { flag: '--relay-only', help: 'Files always go through the server' },
    ...TLS_OPTIONS,
  ],
  examples: ['parley-client pipe', 'parley-client pipe --ip 10.0.0.5 --port 50000 --dir ~/share -p 4'],
};

interface PipeClientOptions {
  readonly host: string;
  readonly port: number | undefined;
  readonly tls: TlsTrust | undefined;
  readonly isSharing: boolean;
  readonly parallel: number;
  readonly transfers: Omit<TransferOptions, 'ip'>;
}

export function openPipe(given: Given, _userName: string, exit: Exit): void {
  const options = readOptions(given);
  const folder = new Folder(options.transfers.directory);
  find(options).then(
    (found) => {
      if (found) new PipeClient(found, options, folder, exit);
      else exit(1, `no server greets on ${options.host} port ${FIRST_PORT} to ${LAST_PORT} (--ip, --port)`);
    },
    (error) => exit(1, explain({ host: options.host, port: options.port ?? FIRST_PORT }, error)),
  );
}

function find({ host, port, tls }: PipeClientOptions): Promise<Connection | undefined> {
  return port === undefined ? findServer(host, FIRST_PORT, LAST_PORT) : connect({ host, port, tls });
}

// --- options ---------------------------------------------------------------------------------------------------

export function readOptions(given: Given): PipeClientOptions {
  const host = readHost(given.one('ip') ?? HOST);
  const port = optionalNumber(given, 'port', 1, 65_535);
  const tls = readTls(given);
  if (tls && port === undefined) throw new UsageError('--tls: needs --port, the port that all protocols share');
  const directory = readFileName(given, 'dir') ?? DIRECTORY;
  return {
    host,
    port,
    tls,
    isSharing: (optionalNumber(given, 'share', 0, 1) ?? 1) === 1,
    parallel: wholeNumber('--parallel', given.one('parallel') ?? PARALLEL, 1, MAX_PARALLEL),
    transfers: {
      directory,
      window: optionalNumber(given, 'window', MIN_WINDOW, MAX_WINDOW),
      trouble: readTrouble(given),
      trace: readTrace(given, directory),
      timeoutMs: readTimeout(given),
      way: readWay(given, tls !== undefined),
    },
  };
}

function readHost(host: string): string {
  const isHost = net.isIP(host) !== 0 || /^(?=.*[a-z])[\w-]+(?:\.[\w-]+)*\.?$/i.test(host);
  if (!isHost) throw new UsageError(`--ip ${JSON.stringify(host)}: is not an address`);
  return host === '0.0.0.0' ? '127.0.0.1' : host;
}

function readFileName(given: Given, option: string): string | undefined {
  const value = given.one(option);
  return value === undefined ? undefined : readPath(`--${option}`, value);
}

/** In the folder it would be shared, or be what is being sent. */
function readTrace(given: Given, directory: string): string | undefined {
  const trace = readFileName(given, 'trace');
  if (trace === undefined || !isDirectlyIn(directory, trace)) return trace;
  throw new UsageError(`--trace ${trace}: it would be in --dir ${directory}, where others get it; put it elsewhere`);
}

function readTimeout(given: Given): number | undefined {
  const seconds = optionalNumber(given, 'timeout', 1, 86_400);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** Between members there is no TLS. */
function readWay(given: Given, isEncrypted: boolean): TransferOptions['way'] {
  const [direct, relay] = [given.has('direct-only'), given.has('relay-only')];
  if (direct && relay) throw new UsageError('--direct-only and --relay-only: give one');
  if (direct) return 'direct';
  return relay || isEncrypted ? 'relay' : 'any';
}

// --- the client --------------------------------------------------------------------------------------------------

class PipeClient {
  readonly #server: Server;
  readonly #exit: Exit;
  readonly #face: PipeFace;
  readonly #player: Player<ClientRequest>;
  readonly #link: PipeLink;
  readonly #transfers: PipeTransfers;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(found: Connection, options: PipeClientOptions, folder: Folder, exit: Exit) {
    const { host, port } = found.server;
    this.#server = found.server;
    this.#exit = exit;
    this.#face = new PipeFace({
      files: folder.names,
      isSharing: options.isSharing,
      parallel: options.parallel,
      usesServer: options.transfers.way !== 'direct',
      isPerson: process.stdin.isTTY === true,
    });
    const wire = { server: `${host} port ${port}`, send: (request: ClientRequest) => this.#send(request) };
    this.#player = new Player<ClientRequest>(this.#asPlayed(), wire, (status, error) => this.#end(status, error));
    this.#link = this.#openLink(found);
    this.#transfers = this.#openTransfers(options);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => this.#play(this.#face.interrupted(performance.now())));
    }
    setInterval(() => this.#draw(), DRAW_MS).unref();
  }

  #openLink(found: Connection): PipeLink {
    return new PipeLink(found, {
      received: (reply, isEnded) => this.#play(this.#face.received(reply, isEnded, performance.now())),
      noticed: (notice) => this.#transfers.noticed(notice),
      closed: (error) => this.#play(this.#face.closed(error && explain(this.#server, error))),
      drained: () => this.#player.resume(),
      lullMs: () => this.#face.lullMs,
    });
  }

  #openTransfers({ transfers, host, tls }: PipeClientOptions): PipeTransfers {
    const face = this.#face;
    const play = (actions: Action[]) => this.#play(actions);
    return new PipeTransfers(
      { ...transfers, ip: this.#link.ip },
      {
        host,
        tls,
        answer: (answer) => this.#link.answer(answer),
        shares: (file) => face.shares(file),
        onBug: (error) => this.#exit(1, error instanceof Error ? error.stack : String(error)),
      },
      {
        relayed: (who, file, trouble) => play(face.relayed(who, file, trouble, performance.now())),
        arrived: (file) => play(face.arrived(file, performance.now())),
        relaying: (wish) => play(face.relaying(wish)),
        failed: (wish, reason) => play(face.failed(wish, reason, performance.now())),
        served: (request, bytes, ms) => play(face.served(request, bytes, ms, performance.now())),
        notServed: (request, reason) => play(face.notServed(request, reason, performance.now())),
      },
    );
  }

  /** The face with the time it is. */
  #asPlayed(): Face<ClientRequest> {
    const face = this.#face;
    const timed = (actions: Action[]): Action[] => {
      this.#arm();
      return actions;
    };
    return {
      prompt: face.prompt,
      keepsTyped: true,
      get isWaiting() {
        return face.isWaiting;
      },
      get isAwaiting() {
        return face.isAwaiting;
      },
      line: (text) => timed(face.line(text, performance.now())),
      inputEnded: () => timed(face.inputEnded(performance.now())),
      remembers: () => face.remembers(),
      complete: (line) => face.complete(line),
    };
  }

  #play(actions: Action[]): void {
    this.#player.play(actions);
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const at = this.#face.deadline();
    if (at === Number.POSITIVE_INFINITY) return;
    const ms = Math.min(LONGEST_MS, Math.max(0, Math.ceil(at - performance.now())));
    this.#timer = setTimeout(() => this.#play(this.#face.tick(performance.now())), ms);
  }

  #draw(): void {
    // the last column is the screen's own
    const columns = (process.stdout.columns || COLUMNS) - 1;
    this.#player.status(this.#transfers.lines(performance.now(), columns));
  }

  #send(request: ClientRequest): boolean {
    switch (request.kind) {
      case 'lines':
        return this.#link.send(request.lines);
      case 'fetch':
        this.#fetch(request.wish);
        break;
      case 'abandon':
        this.#transfers.abandon(request.wish);
        break;
      case 'owner-left':
        this.#transfers.ownerLeft(request.owner);
        break;
      case 'serve':
        this.#transfers.serve(request.request);
        break;
      case 'refuse':
        this.#transfers.refuse(request.request, request.reason);
        break;
      case 'window':
        this.#transfers.setWindow(request.packets);
        break;
    }
    return true;
  }

  #fetch(wish: Wish): void {
    const face = this.#face;
    this.#transfers.fetch(wish).then(
      (place) => place && this.#play(face.invited(wish, place, performance.now())),
      (error) => {
        if (!(error instanceof HouseError)) return this.#exit(1, error instanceof Error ? error.stack : String(error));
        this.#play(face.failed(wish, error.message, performance.now()));
      },
    );
  }

  #end(status: number, error?: string): void {
    clearTimeout(this.#timer);
    this.#transfers.close();
    this.#link.end(() => this.#exit(status, error));
  }
}

/** Undefined where there is no more to say than that the connection is gone. */
function explain({ host, port }: Server, error: NodeJS.ErrnoException): string | undefined {
  const { code, message } = error;
  const trouble = explainTls(error);
  if (trouble !== undefined) return trouble;
  if (code === 'ECONNREFUSED') return `no server answers on ${host} port ${port}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `there is no host ${host}`;
  if (code === 'ECONNRESET' || code === 'EPIPE') return undefined;
  return `can't reach ${host} port ${port}: ${message}`;
}
