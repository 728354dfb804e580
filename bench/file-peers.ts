// The processes that a file is fetched from or through, besides the server itself. Each prints `ready tcp=PORT`.
//
//   node bench/file-peers.ts owner [--server-port PORT] [--deaf]   has every file of file-bytes.ts, in memory; a full
//                                                                  `menu` client with --server-port, which no server
//                                                                  can connect to with --deaf
//   node bench/file-peers.ts proxy --to PORT                       the least that relays: two sockets and pipe()
//   node bench/file-peers.ts static --dir DIR                      a static file server of node:http
import { createReadStream, statSync } from 'node:fs';
import http from 'node:http';
import net, { type Server } from 'node:net';
import path from 'node:path';
import { setTimeout } from 'node:timers';
import { parseArgs } from 'node:util';
import { encodeRequest, type MenuReply, MenuReplyDecoder } from '../src/wire-menu.ts';
import { OWNER, sizeOf } from './file-bytes.ts';
import { push, serve, VERSION } from './file-owner.ts';

const HOST = '127.0.0.1';
/** Ends a peer whose parent is gone. */
const LIFETIME_MS = 120_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'server-port': { type: 'string' },
    deaf: { type: 'boolean', default: false },
    to: { type: 'string' },
    dir: { type: 'string' },
  },
});

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, HOST, () => resolve((server.address() as net.AddressInfo).port));
  });
}

function ready(port: number): void {
  process.stdout.write(`ready tcp=${port}\n`);
}

// --- owner ------------------------------------------------------------------------------------------------

async function runOwner(): Promise<void> {
  const port = options.deaf ? 0 : await listen(net.createServer({ noDelay: true }, serve));
  if (options['server-port'] === undefined) return ready(port);
  enter(Number(options['server-port']), port);
}

function enter(serverPort: number, listenPort: number): void {
  const decoder = new MenuReplyDecoder();
  const chat = net.connect({ host: HOST, port: serverPort, noDelay: true });
  const answer = (reply: MenuReply): void => {
    if (reply.kind === 'welcome') ready(listenPort);
    else if (reply.kind === 'push') push(serverPort, reply.ticket, reply.from, reply.to);
    else if (reply.kind === 'error') throw new Error(`the server says: ${reply.text}`);
    else if (reply.kind === 'want') {
      const { ticket, file } = reply;
      const size = sizeOf(file);
      chat.write(
        size === undefined
          ? encodeRequest({ kind: 'no', ticket, status: 404, reason: 'no such file' })
          : encodeRequest({ kind: 'offer', ticket, size, version: VERSION, sha256: undefined, same: false }),
      );
    }
  };
  chat.on('data', (bytes: Buffer) => {
    decoder.push(bytes);
    for (let reply = decoder.next(); reply; reply = decoder.next()) answer(reply);
  });
  chat.on('close', () => process.exit(1));
  chat.write(encodeRequest({ kind: 'name', client: 'full', name: OWNER, listen: listenPort }));
}

// --- proxy ------------------------------------------------------------------------------------------------

async function runProxy(): Promise<void> {
  const server = net.createServer({ noDelay: true }, (near) => {
    const far = net.connect({ host: HOST, port: Number(options.to), noDelay: true });
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.pipe(far);
    far.pipe(near);
  });
  ready(await listen(server));
}

// --- static -----------------------------------------------------------------------------------------------

async function runStatic(): Promise<void> {
  const directory = options.dir ?? '.';
  const server = http.createServer({ noDelay: true }, (request, response) => {
    const file = path.join(directory, path.basename(request.url ?? ''));
    response.writeHead(200, { 'Content-Length': statSync(file).size });
    createReadStream(file).pipe(response);
  });
  ready(await listen(server));
}

const peers: Record<string, () => Promise<void>> = { owner: runOwner, proxy: runProxy, static: runStatic };
const run = peers[positionals[0] ?? ''];
if (run === undefined) throw new Error(`which one: ${Object.keys(peers).join(', ')}?`);
setTimeout(() => process.exit(1), LIFETIME_MS);
await run();
