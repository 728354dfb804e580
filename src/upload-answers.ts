// Layer 4. Answers about uploads that are one line or none.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import { OPEN_TO_PAGES, PREFLIGHT } from './http-upload-fields.ts';
import { printable } from './printable.ts';
import { encodeText } from './wire.ts';

/** What is still coming when it was refused is read for a while, so that the answer is read, too. */
const LINGER_MS = 2000;
const LINGER_BYTES = 16 * 1024 ** 2;

/** Where there are no uploads; their address is nothing then. */
export function answerNoUploads(request: IncomingMessage, response: ServerResponse): void {
  request.on('error', () => {});
  answerAndRead(request, response, 404, 'this server keeps no files');
}

/** What may be done there; for pages of the web, too. */
export function answerOptions(response: ServerResponse, allowed: string): void {
  const accept = allowed.includes('POST') ? { 'Accept-Post': '*/*' } : {};
  response.writeHead(204, { Allow: allowed, ...accept, ...PREFLIGHT }).end();
}

/** In one plain line; closes when what is still coming was read, or is too much of it. */
export function answerAndRead(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  more: Readonly<Record<string, string>> = {},
): void {
  const line = encodeText(`${printable(text).replaceAll('\n', ' ')}\n`);
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': line.length,
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
    ...(status === 429 ? { 'Retry-After': '60' } : {}),
    ...OPEN_TO_PAGES,
    ...more,
  });
  if (request.complete || request.method === 'HEAD') return void response.end(line);
  response.write(line);
  let bytes = 0;
  const end = () => void response.end();
  const timer = setTimeout(end, LINGER_MS);
  request.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES) end();
  });
  request.on('close', () => clearTimeout(timer));
  request.on('end', end);
}
