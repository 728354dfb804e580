// The HTTP of an owner of the files of file-bytes.ts. By hand: node:http would be the slowest part of a measurement.
import net, { type Socket } from 'node:net';
import { send, sizeOf } from './file-bytes.ts';

const HOST = '127.0.0.1';
/** Of all its files. */
export const VERSION = 'v1';

/** One GET for each connection, of the whole or of one range. */
export function serve(socket: Socket): void {
  let request = '';
  // whoever breaks off is done
  socket.on('error', () => {});
  socket.on('data', (bytes: Buffer) => {
    request += bytes.toString('latin1');
    if (!request.includes('\r\n\r\n')) return;
    socket.removeAllListeners('data').resume();
    const size = sizeOf(/^GET \/(?:files\/\w+\/)?([\w-]+) /.exec(request)?.[1] ?? '');
    if (size === undefined) return void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    const [, first, last] = /^range: bytes=(\d+)-(\d+)\r$/im.exec(request) ?? [];
    const from = Number(first ?? 0);
    const to = last === undefined ? size : Number(last) + 1;
    const status = first === undefined ? '200 OK' : '206 Partial Content';
    const range = first === undefined ? '' : `Content-Range: bytes ${from}-${to - 1}/${size}\r\n`;
    const length = `Content-Length: ${to - from}\r\n`;
    const head = `HTTP/1.1 ${status}\r\n${length}${range}ETag: "${VERSION}"\r\nConnection: close\r\n\r\n`;
    send(socket, head, from, to, () => socket.end());
  });
}

/** What the server asks to be brought. It closes, when it has answered. */
export function push(serverPort: number, ticket: string, from: number, to: number): void {
  const socket = net.connect({ host: HOST, port: serverPort, noDelay: true });
  socket.on('error', () => {});
  socket.resume();
  const length = `Content-Length: ${to - from}\r\n`;
  const head = `PUT /relay/${ticket} HTTP/1.1\r\nHost: ${HOST}\r\n${length}Connection: close\r\n\r\n`;
  send(socket, head, from, to, () => {});
}
