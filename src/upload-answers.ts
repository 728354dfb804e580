// Layer 4. Answers about uploads that are one line or none.

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { answerAndRead } from './http-answers.ts';
import { OPEN_TO_PAGES, PREFLIGHT } from './http-upload-fields.ts';

const RETRY_S = 60;

/** Where there are no uploads; their address is nothing then. */
export function answerNoUploads(request: IncomingMessage, response: ServerResponse): void {
  request.on('error', () => {});
  refuseUpload(request, response, 404, 'this server keeps no files');
}

/** What may be done there; for pages of the web, too. */
export function answerOptions(response: ServerResponse, allowed: string): void {
  const accept = allowed.includes('POST') ? { 'Accept-Post': '*/*' } : {};
  response.writeHead(204, { Allow: allowed, ...accept, ...PREFLIGHT }).end();
}

export function refuseUpload(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  more: OutgoingHttpHeaders = {},
): void {
  const later = status === 429 ? { 'Retry-After': RETRY_S } : {};
  answerAndRead(request, response, status, text, { ...later, ...OPEN_TO_PAGES, ...more });
}
