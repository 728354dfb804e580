// Layer 5. `parley-client -l PORT -p PORT`: the face of client-menu.ts on its sockets, disk and screen.

import fs from 'node:fs';
import disk from 'node:fs/promises';
import { setInterval } from 'node:timers';
import { type CommandLine, type Given, UsageError, wholeNumber } from './arguments.ts';
import { ChatLink } from './chat-link.ts';
import { type ClientRequest, MenuFace } from './client-menu.ts';
import { Fetcher } from './fetcher.ts';
import { PartLocks } from './part-locks.ts';
import { type Exit, Player } from './player.ts';
import { Sharer } from './sharer.ts';
import { Shelf } from './shelf.ts';
import { isTerminal } from './terminal.ts';
import type { MenuReply } from './wire-menu.ts';

const HOST = 'localhost';
/** How often progress is drawn. */
const DRAW_MS = 200;

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
  ],
  examples: ['parley-client -l 6002 -p 6001', 'parley-client -l 0 -p 6001 --host 10.0.0.5 --dir ~/share'],
};

interface MenuClientOptions {
  readonly listen: number;
  readonly server: { readonly host: string; readonly port: number };
  readonly directory: string;
  readonly direct: boolean;
}

export function openMenu(given: Given, _userName: string, exit: Exit): void {
  const options = readOptions(given);
  run(options, exit).catch((error) => exit(1, explainListen(options.listen, error)));
}

function readOptions(given: Given): MenuClientOptions {
  const directory = given.one('dir') ?? '.';
  const stat = fs.statSync(directory, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) throw new UsageError(`--dir ${directory}: there is no such directory`);
  return {
    listen: port('-l', given.one('listen-port'), 0),
    server: { host: given.one('host') ?? HOST, port: port('-p', given.one('port'), 1) },
    directory,
    direct: given.has('p2p'),
  };
}

function port(flag: string, value: string | undefined, least: number): number {
  if (value === undefined) throw new UsageError(`${flag} is missing, for example: parley-client -l 6002 -p 6001`);
  return wholeNumber(flag, value, least, 65_535);
}

async function run({ listen, server, directory, direct }: MenuClientOptions, exit: Exit): Promise<void> {
  const face = new MenuFace(isTerminal());
  const onBug = (error: unknown) => exit(1, (error as Error).stack ?? String(error));
  const link = new ChatLink(server, {
    received: (reply) => receive(reply),
    lost: () => {
      sharer.forget();
      player.play(face.lost());
    },
    closed: (error) => player.play(face.closed(explain(server, error))),
    drained: () => player.resume(),
  });
  const fetcher = new Fetcher({ disk, directory, locks: new PartLocks(), server, direct, token: () => link.token() });
  const sharer = new Sharer({
    shelf: new Shelf(disk, directory, process.platform === 'win32'),
    server,
    offer: (ticket, offer) => link.answer({ kind: 'offer', ticket, ...offer }),
    refuse: (ticket, status, reason) => link.answer({ kind: 'no', ticket, status, reason }),
    busy: (ticket) => link.answer({ kind: 'busy', ticket }),
    serving: () => face.serving(),
    served: (served) => {
      player.play(face.served(served));
      draw();
    },
    onBug,
  });
  const listening = await sharer.listen(listen);

  const receive = (reply: MenuReply): void => {
    if (reply.kind === 'want') sharer.want(reply);
    else if (reply.kind === 'push') sharer.push(reply.ticket, reply);
    else if (reply.kind === 'done') sharer.done(reply.ticket, reply.reason);
    else player.play(face.received(reply));
  };
  const send = (request: ClientRequest): boolean => {
    switch (request.kind) {
      case 'name':
        link.enter({ kind: 'name', client: 'full', name: request.name, listen: listening });
        return true;
      case 'fetch':
        fetcher
          .fetch(request.owner, request.file)
          .then((fetched) => {
            player.play(face.fetched(fetched));
            draw();
          })
          .catch(onBug);
        return true;
      // said by the end itself
      case 'exit':
        return true;
      default:
        return link.send(request);
    }
  };
  const end: Exit = (status, error) => {
    sharer.close();
    link.end(() => exit(status, error));
  };
  const player = new Player<ClientRequest>(face, { server: `${server.host} port ${server.port}`, send }, end);
  const draw = (): void => {
    const now = performance.now();
    player.status([...fetcher.active, ...sharer.active].map((progress) => progress.line(now)));
  };
  setInterval(() => {
    const due = face.tick(performance.now());
    if (due.length > 0) player.play(due);
    draw();
  }, DRAW_MS).unref();
  player.play(face.start());
  link.connect();
}

function explainListen(listen: number, error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return `port ${listen} is taken by another program (-l chooses another, 0 any)`;
  if (error.code === 'EACCES') return `no permission to listen on port ${listen}`;
  return `can't listen on port ${listen}: ${error.message}`;
}

function explain({ host, port }: { host: string; port: number }, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return `no server answers on ${host} port ${port}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `there is no host ${host}`;
  if (code === undefined) return message;
  return `can't reach ${host} port ${port}: ${message}`;
}
