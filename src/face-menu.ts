// Layer 5. `parley-client -l PORT -p PORT`: the face of client-menu.ts on its sockets, disk and screen.

import fs from 'node:fs';
import disk from 'node:fs/promises';
import { setInterval } from 'node:timers';
import { type CommandLine, type Given, UsageError, wholeNumber } from './arguments.ts';
import { ChatLink } from './chat-link.ts';
import { type ClientRequest, MenuFace } from './client-menu.ts';
import { HouseError } from './errors.ts';
import { Fetcher } from './fetcher.ts';
import { PartLocks } from './part-locks.ts';
import { type Exit, Player } from './player.ts';
import { Sharer } from './sharer.ts';
import { Shelf } from './shelf.ts';
import { explainTls, type Server } from './tls-client.ts';
import { readTls, TLS_OPTIONS } from './tls-options.ts';
import type { MenuReply } from './wire-menu.ts';

const HOST = 'localhost';
/** How often progress is drawn. */
const DRAW_MS = 200;
/** Of a terminal that does not tell. */
const COLUMNS = 80;

export const MENU_LINE: CommandLine = {
  name: 'parley-client',
  usage: 'menu',
  shownUsage: '-l <port> -p <port> [options]',
  about: 'Chat and swap files from a menu: m, f, x',
  options: [
    { flag: '-l, --listen-port <port>', help: 'Port on which others fetch your files, 0 for any free one' },
    { flag: '-p, --port <port>', help: "The server's port" },
    { flag: '--host <host>', help: 'Where the server is', shownDefault: HOST },
    { flag: '--dir <directory>', help: 'What you share, and where files arrive', shownDefault: 'the current one' },
    { flag: '--p2p', help: 'Fetch straight from the owner where that is possible' },
    ...TLS_OPTIONS,
  ],
  examples: ['parley-client -l 6002 -p 6001', 'parley-client -l 0 -p 6001 --host 10.0.0.5 --dir ~/share'],
};

interface MenuClientOptions {
  readonly listen: number;
  readonly server: Server;
  readonly directory: string;
  readonly direct: boolean;
}

export function openMenu(given: Given, _userName: string, exit: Exit): void {
  const options = readOptions(given);
  const { listen } = options;
  new MenuClient(options, exit).start(listen).catch((error) => exit(1, explainListen(listen, error)));
}

function readOptions(given: Given): MenuClientOptions {
  const directory = given.one('dir') ?? '.';
  const stat = fs.statSync(directory, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) throw new UsageError(`--dir ${directory}: there is no such directory`);
  const tls = readTls(given);
  if (tls && given.has('p2p')) throw new UsageError('--p2p: there is no TLS between members');
  return {
    listen: port('-l', given.one('listen-port'), 0),
    server: { host: given.one('host') ?? HOST, port: port('-p', given.one('port'), 1), tls },
    directory,
    direct: given.has('p2p'),
  };
}

function port(flag: string, value: string | undefined, least: number): number {
  if (value === undefined) throw new UsageError(`${flag} is missing, for example: parley-client -l 6002 -p 6001`);
  return wholeNumber(flag, value, least, 65_535);
}

/** The face with its connection, its two ways for files and its screen. */
class MenuClient {
  readonly #server: MenuClientOptions['server'];
  readonly #exit: Exit;
  /** A person is who types, whatever becomes of the output. */
  readonly #face = new MenuFace(process.stdin.isTTY === true);
  readonly #link: ChatLink;
  readonly #fetcher: Fetcher;
  readonly #sharer: Sharer;
  #listening = 0;
  #player: Player<ClientRequest> | undefined;

  constructor({ server, directory, direct }: MenuClientOptions, exit: Exit) {
    const link = new ChatLink(server, {
      received: (reply) => this.#receive(reply),
      lost: () => {
        this.#sharer.forget();
        this.#play(this.#face.lost());
      },
      closed: (error) => this.#play(this.#face.closed(explain(server, error))),
      drained: () => this.#player?.resume(),
    });
    this.#server = server;
    this.#exit = exit;
    this.#link = link;
    this.#fetcher = new Fetcher({ disk, directory, locks: new PartLocks(), server, direct, token: () => link.token() });
    this.#sharer = new Sharer({
      shelf: new Shelf(disk, directory, process.platform === 'win32'),
      server,
      answer: (answer) => link.answer(answer),
      serving: () => this.#face.serving(),
      served: (served) => this.#play(this.#face.served(served)),
      onBug: (error) => this.#fail(error),
    });
  }

  async start(listen: number): Promise<void> {
    this.#listening = await this.#sharer.listen(listen);
    const { host, port } = this.#server;
    const wire = { server: `${host} port ${port}`, send: (request: ClientRequest) => this.#send(request) };
    this.#player = new Player<ClientRequest>(this.#face, wire, (status, error) => this.#end(status, error));
    this.#play(this.#face.start());
    this.#link.connect();
    // where lines are being read in raw mode, Ctrl-C is input; the next one ends it whatever happens
    if (process.stdin.isTTY) process.once('SIGINT', () => this.#play(this.#face.interrupted()));
    setInterval(() => {
      const due = this.#face.tick(performance.now());
      if (due.length > 0) this.#play(due);
      else this.#draw();
    }, DRAW_MS).unref();
  }

  #play(actions: Parameters<Player<ClientRequest>['play']>[0]): void {
    this.#player?.play(actions);
    this.#draw();
  }

  #draw(): void {
    const now = performance.now();
    const transfers = [...this.#fetcher.active, ...this.#sharer.active];
    // the last column is the screen's own
    const room = (process.stdout.columns || COLUMNS) - 1;
    this.#player?.status(transfers.map((progress) => progress.line(now, room)));
  }

  #receive(reply: MenuReply): void {
    switch (reply.kind) {
      case 'want':
        if (!this.#face.isLeaving) return this.#sharer.want(reply);
        return this.#sharer.refuse(reply.ticket, new HouseError('owner-gone', 'the owner is leaving'));
      case 'push':
        return this.#sharer.push(reply.ticket, reply);
      case 'done':
        return this.#sharer.done(reply.ticket, reply.reason);
      default:
        return this.#play(this.#face.received(reply));
    }
  }

  #send(request: ClientRequest): boolean {
    switch (request.kind) {
      case 'name':
        this.#link.enter({ kind: 'name', client: 'full', name: request.name, listen: this.#listening });
        return true;
      case 'fetch':
        this.#fetcher
          .fetch(request.owner, request.file)
          .then((fetched) => this.#play(this.#face.fetched(fetched)))
          .catch((error) => this.#fail(error));
        return true;
      case 'give-up':
        this.#play(this.#face.givenUp(this.#fetcher.unfinished));
        return true;
      // said by the end itself
      case 'exit':
        return true;
      default:
        return this.#link.send(request);
    }
  }

  #end(status: number, error?: string): void {
    this.#sharer.close();
    this.#link.end((unsent) => {
      if (unsent === 0 || error !== undefined) return this.#exit(status, error);
      this.#exit(1, `${unsent === 1 ? 'a message was' : `${unsent} messages were`} not sent: the server is gone`);
    });
  }

  #fail(error: unknown): void {
    this.#exit(1, error instanceof Error ? error.stack : String(error));
  }
}

function explainListen(listen: number, error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return `port ${listen} is taken by another program (-l chooses another, 0 any)`;
  if (error.code === 'EACCES') return `no permission to listen on port ${listen}`;
  return `can't listen on port ${listen}: ${error.message}`;
}

function explain({ host, port }: Server, error: NodeJS.ErrnoException): string {
  const { code, message } = error;
  if (code === 'ECONNREFUSED') return `no server answers on ${host} port ${port}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `there is no host ${host}`;
  const trouble = explainTls(error);
  if (trouble !== undefined) return trouble;
  if (code === undefined) return message;
  return `can't reach ${host} port ${port}: ${message}`;
}
