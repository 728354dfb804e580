// Layer 4. What operators and their programs read over HTTP: is it alive, is it ready, how is it doing. For this
// machine, and for whoever has the token.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { plainIp } from './addresses.ts';
import { answerLine } from './http-answers.ts';
import { readToken } from './http-files.ts';
import type { ServerMetrics } from './server-metrics.ts';
import { isLoopback } from './session.ts';

const PAGES: readonly string[] = ['healthz', 'readyz', 'metrics'];
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export class OperatorPages {
  readonly #metrics: ServerMetrics;
  readonly #token: string | undefined;

  constructor(metrics: ServerMetrics, token: string | undefined) {
    this.#metrics = metrics;
    this.#token = token;
  }

  static has(parts: readonly string[]): boolean {
    return parts.length === 1 && PAGES.includes(parts[0] as string);
  }

  answer(page: string | undefined, request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return answerLine(response, 405, 'only GET and HEAD here', { Allow: 'GET, HEAD' });
    }
    if (!this.#isAllowed(request)) return this.#refuse(response);
    if (page === 'healthz') return answerLine(response, 200, 'ok');
    if (page === 'metrics') return this.#sendMetrics(request, response);
    const { trouble } = this.#metrics;
    answerLine(response, trouble === undefined ? 200 : 503, trouble ?? 'ready');
  }

  /** What another program of this machine passes on is not from this machine. */
  #isAllowed({ headers, socket }: IncomingMessage): boolean {
    const isForwarded = 'forwarded' in headers || 'x-forwarded-for' in headers;
    if (!isForwarded && isLoopback(plainIp(socket.remoteAddress))) return true;
    const given = readToken(headers.authorization);
    return this.#token !== undefined && given !== undefined && isSame(given, this.#token);
  }

  #refuse(response: ServerResponse): void {
    this.#metrics.reject('metrics-token');
    if (this.#token === undefined) return answerLine(response, 403, 'for this machine only: see --metrics-token');
    answerLine(response, 401, 'this needs the token of --metrics-token', { 'WWW-Authenticate': 'Bearer' });
  }

  #sendMetrics(request: IncomingMessage, response: ServerResponse): void {
    const body = Buffer.from(this.#metrics.text());
    response.writeHead(200, {
      'Content-Type': METRICS_TYPE,
      'Content-Length': body.length,
      'Cache-Control': 'no-store',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }
}

/** In a time that tells nothing about the token. */
function isSame(given: string, wanted: string): boolean {
  const { createHash, timingSafeEqual } = process.getBuiltinModule('node:crypto');
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
