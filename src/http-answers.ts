// Layer 4. Answers of HTTP that are one plain line of text.

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import type { HouseError } from './errors.ts';
import { statusOf } from './offers.ts';
import { printable } from './printable.ts';
import { encodeText } from './wire.ts';

/** What is still coming when it was refused is read for a while, so that the answer is read, too. */
const LINGER_MS = 2000;
const LINGER_BYTES = 16 * 1024 ** 2;

/** In one plain line; or, in the middle of an answer, by breaking off. */
export function refuse(response: ServerResponse, { code, message }: HouseError): void {
  if (response.headersSent) response.destroy();
  else answerLine(response, statusOf(code), message);
}

/** Closes afterwards: what else the other side may be sending is not read. */
export function answerLine(
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): void {
  response.end(startLine(response, status, text, headers));
}

/** Closes when what is still coming was read, or is too much of it. */
export function answerAndRead(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const line = startLine(response, status, text, headers);
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

function startLine(response: ServerResponse, status: number, text: string, headers: OutgoingHttpHeaders): Uint8Array {
  const line = encodeText(`${printable(text).replaceAll('\n', ' ')}\n`);
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': line.length,
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
    ...(status === 429 || status === 503 ? { 'Retry-After': 1 } : {}),
    ...headers,
  });
  return line;
}
