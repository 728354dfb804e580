// Layer 3. The client's side of `lab` over UDP: any datagram may be lost, so a request is repeated until its
// answer has come. One request is out at a time; the next one waits. Pure: time is an argument, datagrams
// are handed out by `next`.

import type { ClientRequest } from './client-lab.ts';
import { encodeRequest, type LabReply, LabReplyDecoder } from './wire-lab.ts';

const REPEAT_MS = 300;
const TRIES = 10;
/** DISCONNECT has no answer of its own; after this many the server has surely had one. */
const FAREWELLS = 3;

export class LabUdpLink {
  readonly #waiting: ClientRequest[] = [];
  readonly #outgoing: Uint8Array[] = [];
  #request: ClientRequest | undefined;
  #bytes: Uint8Array | undefined;
  #tries = 0;
  #repeatAt = Number.POSITIVE_INFINITY;
  #seq = 0;
  /** It has said goodbye, or has given up. */
  ended: 'no' | 'left' | 'no answer' = 'no';

  send(request: ClientRequest, now: number): void {
    this.#waiting.push(request.kind === 'chat' ? { ...request, seq: String(++this.#seq) } : request);
    if (!this.#request) this.#nextRequest(now);
  }

  /** A datagram from the server; undefined for one that makes no sense. */
  input(datagram: Uint8Array, now: number): LabReply | undefined {
    const decoder = new LabReplyDecoder();
    decoder.push(datagram);
    decoder.end();
    let reply: LabReply | undefined;
    try {
      reply = decoder.next();
    } catch {
      return undefined;
    }
    if (reply && this.#request && answers(reply, this.#request)) this.#nextRequest(now);
    return reply;
  }

  tick(now: number): void {
    if (now < this.#repeatAt || !this.#request) return;
    const last = this.#request.kind === 'disconnect' ? FAREWELLS : TRIES;
    if (this.#tries < last) return this.#transmit(now);
    this.#repeatAt = Number.POSITIVE_INFINITY;
    this.ended = this.#request.kind === 'disconnect' || this.#request.kind === 'kill' ? 'left' : 'no answer';
  }

  deadline(): number {
    return this.#repeatAt;
  }

  /** The next datagram to send. */
  next(): Uint8Array | undefined {
    return this.#outgoing.shift();
  }

  #nextRequest(now: number): void {
    this.#request = this.#waiting.shift();
    this.#tries = 0;
    this.#repeatAt = Number.POSITIVE_INFINITY;
    if (!this.#request) return;
    this.#bytes = encodeRequest(this.#request);
    this.#transmit(now);
  }

  #transmit(now: number): void {
    this.#tries++;
    this.#repeatAt = now + REPEAT_MS;
    if (this.#bytes) this.#outgoing.push(this.#bytes);
  }
}

/** Is this what the request waits for? An error always is. */
function answers(reply: LabReply, request: ClientRequest): boolean {
  if (reply.kind === 'error') return true;
  switch (request.kind) {
    case 'helo':
      return reply.kind === 'helo';
    case 'join':
      return reply.kind === 'joined' && reply.room === request.room;
    case 'leave':
      return reply.kind === 'left';
    case 'chat':
      // a long text comes back in several pieces
      return reply.kind === 'chat' && reply.ref === request.ref && request.text.trim().startsWith(reply.text);
    case 'disconnect':
    case 'kill':
      return false;
  }
}
