// Layer 4. What node:http is given in place of a socket. It parses all that one read has brought at once, and of small
// requests that are thousands; here the next one comes to it when the last has been answered, and not sooner than
// whoever sends them may. The body of a request passes as fast as it is read.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { TLSSocket } from 'node:tls';
import type { Visit } from './gate.ts';
import { HeadEnd } from './http-head.ts';

/** Only the parser knows where a body in chunks ends: it is given little more than that. */
const CHUNKED_BYTES = 1024;

export class HttpSocket extends Duplex {
  readonly #inner: Socket;
  readonly #visit: Pick<Visit, 'read' | 'isHopeless'>;
  readonly #now: () => number;
  readonly #head = new HeadEnd();
  #headBytes = 0;
  /** What is passed on: a head, nothing until it is answered, so much of a body, or a body in chunks. */
  #phase: 'head' | 'nothing' | 'body' | 'chunks' = 'head';
  #bodyLeft = 0;
  #isAnswered = true;
  #waitMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Read, and not passed on. */
  #held: Uint8Array | undefined;
  #isAsked = false;
  #hasEnded = false;

  /** The socket is paused; `first` was read from it. */
  constructor(
    inner: Socket,
    first: Uint8Array | undefined,
    visit: Pick<Visit, 'read' | 'isHopeless'>,
    now: () => number,
  ) {
    super();
    this.#inner = inner;
    this.#visit = visit;
    this.#now = now;
    this.#held = first;
    inner.on('data', (bytes: Uint8Array) => this.#take(bytes)).on('end', () => this.#end());
    inner.on('timeout', () => this.emit('timeout')).on('close', () => this.destroy());
    inner.on('error', () => {});
  }

  /** The head that was passed on has been understood. */
  began(request: IncomingMessage, response: ServerResponse): void {
    const { 'transfer-encoding': encoding, 'content-length': length = '0' } = request.headers;
    this.#isAnswered = false;
    this.#bodyLeft = Number(length);
    this.#phase = encoding === undefined ? 'body' : 'chunks';
    if (this.#phase === 'body' && this.#bodyLeft === 0) this.#phase = 'nothing';
    if (this.#phase === 'chunks') request.on('end', () => this.#chunksPassed());
    response.on('close', () => {
      this.#isAnswered = true;
      this.#goOn();
    });
    // the parser is not done with the head
    queueMicrotask(() => this.#feed());
  }

  /** It has been asking too fast for so long that it should go. */
  get isTooFast(): boolean {
    return this.#visit.isHopeless(this.#now());
  }

  // --- what node:http wants of a socket ----------------------------------------------------------------------

  get remoteAddress(): string | undefined {
    return this.#inner.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#inner.remotePort;
  }

  get localAddress(): string | undefined {
    return this.#inner.localAddress;
  }

  get localPort(): number | undefined {
    return this.#inner.localPort;
  }

  get encrypted(): boolean {
    return (this.#inner as Partial<TLSSocket>).encrypted === true;
  }

  setTimeout(ms: number, callback?: () => void): this {
    this.#inner.setTimeout(ms);
    if (callback) this.once('timeout', callback);
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  destroySoon(): void {
    this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  // --- in ----------------------------------------------------------------------------------------------------

  override _read(): void {
    this.#isAsked = true;
    this.#feed();
  }

  #take(bytes: Uint8Array): void {
    this.#inner.pause();
    this.#held = bytes;
    this.#feed();
  }

  #end(): void {
    this.#hasEnded = true;
    this.#feed();
  }

  #feed(): void {
    if (!this.#isAsked || this.destroyed) return;
    const held = this.#held;
    if (held) {
      if (this.#phase === 'nothing') return;
      const piece = held.subarray(0, this.#mayPass(held));
      this.#held = piece.length < held.length ? held.subarray(piece.length) : undefined;
      this.#isAsked = false;
      this.push(piece);
    } else if (this.#hasEnded) {
      this.#isAsked = false;
      this.push(null);
    } else this.#inner.resume();
  }

  /** How much of it goes on. */
  #mayPass(bytes: Uint8Array): number {
    if (this.#phase === 'chunks') return Math.min(bytes.length, CHUNKED_BYTES);
    if (this.#phase === 'body') {
      const passing = Math.min(bytes.length, this.#bodyLeft);
      this.#bodyLeft -= passing;
      if (this.#bodyLeft === 0) this.#phase = 'nothing';
      return passing;
    }
    const end = this.#head.push(bytes);
    this.#headBytes += end ?? bytes.length;
    if (end === undefined) return bytes.length;
    this.#waitMs = this.#visit.read(1, this.#headBytes, this.#now());
    this.#headBytes = 0;
    this.#phase = 'nothing';
    return end;
  }

  #chunksPassed(): void {
    this.#phase = 'nothing';
    this.#goOn();
  }

  /** To the next request, when this one is over. */
  #goOn(): void {
    if (!this.#isAnswered || this.#phase !== 'nothing' || this.#timer || this.destroyed) return;
    const next = () => {
      this.#timer = undefined;
      this.#phase = 'head';
      this.#feed();
    };
    // not at once: what one connection asks for is not answered before anybody else is heard
    if (this.#waitMs === 0) setImmediate(next);
    else this.#timer = setTimeout(next, this.#waitMs);
  }

  // --- out ---------------------------------------------------------------------------------------------------

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#inner.write(bytes, done);
  }

  override _writev(pieces: Array<{ chunk: Uint8Array }>, done: (error?: Error | null) => void): void {
    this.#inner.cork();
    for (const [at, { chunk }] of pieces.entries())
      this.#inner.write(chunk, at === pieces.length - 1 ? done : undefined);
    this.#inner.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#inner.destroy();
    done(error);
  }
}
