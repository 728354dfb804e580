// Layer 3. The client's side of `lab` over UDP: any datagram may be lost, so a request is repeated until its
// answer has come. One request is out at a time; the next one waits. The server answers a repeated request
// again: only the first answer goes on to the face. Pure: time is an argument, datagrams are handed out by
// `next`.

import type { ClientRequest } from './client-lab.ts';
import { nameKey } from './names.ts';
import { decodeLabDatagram, encodeRequest, type LabReply, LabReplyDecoder, MAX_DATAGRAM_BYTES } from './wire-lab.ts';

const REPEAT_MS = 300;
const TRIES = 10;
/** DISCONNECT has no answer of its own; after this many the server has surely had one. */
const FAREWELLS = 3;
/** The answers to repeated CHATs come within this time, or are lost. */
const LATE_MS = 5000;

type ChatRequest = ClientRequest & { kind: 'chat' };
type ChatReply = LabReply & { kind: 'chat' };

/** A request that is on its way, as often as it takes. */
interface Sent {
  readonly request: ClientRequest;
  readonly bytes: Uint8Array;
  readonly echo: Echo | undefined;
  tries: number;
}

export class LabUdpLink {
  readonly #waiting: ClientRequest[] = [];
  readonly #outgoing: Uint8Array[] = [];
  #sent: Sent | undefined;
  /** Of CHATs that are answered, and may be again. */
  #echoes: Array<{ readonly echo: Echo; readonly until: number }> = [];
  #repeatAt = Number.POSITIVE_INFINITY;
  #seq = 0;
  #hasHeard = false;
  /** It has said goodbye, or has given up. */
  ended: 'no' | 'left' | 'no answer' | 'refused' = 'no';

  send(request: ClientRequest, now: number): void {
    this.#waiting.push(request.kind === 'chat' ? { ...request, seq: String(++this.#seq) } : request);
    if (!this.#sent) this.#nextRequest(now);
  }

  /** A datagram from the server; undefined for one that makes no sense, or that came before. */
  input(datagram: Uint8Array, now: number): LabReply | undefined {
    const reply = decode(datagram);
    if (!reply) return undefined;
    this.#hasHeard = true;
    if (reply.kind === 'chat') return this.#hearChat(reply, now) ? reply : undefined;
    const answered = this.#sent && answers(reply, this.#sent.request);
    if (answered) this.#nextRequest(now);
    return answered || reply.kind === 'error' ? reply : undefined;
  }

  tick(now: number): void {
    if (now < this.#repeatAt || !this.#sent) return;
    if (this.#sent.tries < (this.#sent.request.kind === 'disconnect' ? FAREWELLS : TRIES)) return this.#transmit(now);
    this.#end(this.#isLeaving ? 'left' : 'no answer');
  }

  deadline(): number {
    return this.#repeatAt;
  }

  /** The next datagram to send. */
  next(): Uint8Array | undefined {
    return this.#outgoing.shift();
  }

  /** The server's host says that nobody listens there: to a farewell, that it has been heard. */
  refused(): void {
    this.#end(this.#isLeaving && this.#hasHeard ? 'left' : 'refused');
  }

  get #isLeaving(): boolean {
    return this.#sent?.request.kind === 'disconnect' || this.#sent?.request.kind === 'kill';
  }

  #end(how: 'left' | 'no answer' | 'refused'): void {
    this.#repeatAt = Number.POSITIVE_INFINITY;
    this.ended = how;
  }

  /** False for one that is not to be shown: it was before, or will be in its turn. */
  #hearChat(chat: ChatReply, now: number): boolean {
    this.#echoes = this.#echoes.filter(({ until }) => until > now);
    if (this.#echoes.some(({ echo }) => echo.hear(chat) === 'again')) return false;
    const { echo } = this.#sent ?? {};
    const heard = echo?.hear(chat) ?? 'other';
    if (echo?.isWhole) this.#nextRequest(now);
    return heard === 'next' || heard === 'other';
  }

  #nextRequest(now: number): void {
    const { echo, tries = 0 } = this.#sent ?? {};
    if (echo && tries > 1) this.#echoes.push({ echo, until: now + LATE_MS });
    this.#sent = undefined;
    this.#repeatAt = Number.POSITIVE_INFINITY;
    const request = this.#waiting.shift();
    if (!request) return;
    const bytes = encodeRequest(request);
    this.#sent = { request, bytes, echo: request.kind === 'chat' ? new Echo(request, bytes) : undefined, tries: 0 };
    this.#transmit(now);
  }

  #transmit(now: number): void {
    if (!this.#sent) return;
    this.#sent.tries++;
    this.#sent.echo?.repeat();
    this.#repeatAt = now + REPEAT_MS;
    this.#outgoing.push(this.#sent.bytes);
  }
}

/** How a CHAT of one's own comes back: under one's own name, a long text in pieces, once for each time it was sent. */
class Echo {
  readonly #ref: string;
  readonly #nameKey: string;
  readonly #isLong: boolean;
  /** What has not come yet. Blanks do not count: at the ends of a piece they are lost. */
  #rest: string;
  readonly #timesHeard = new Map<string, number>();
  #timesSent = 0;

  constructor({ ref, name }: ChatRequest, bytes: Uint8Array) {
    this.#ref = ref;
    this.#nameKey = nameKey(name.trim());
    this.#isLong = bytes.length > MAX_DATAGRAM_BYTES;
    const asRead = decodeLabDatagram(bytes);
    this.#rest = asRead?.kind === 'chat' ? withoutBlanks(asRead.text) : '';
  }

  get isWhole(): boolean {
    return this.#rest === '' && this.#timesHeard.size > 0;
  }

  repeat(): void {
    this.#timesSent++;
  }

  /** The piece that was due, one that came before, one that comes too early, or something else. */
  hear({ ref, name, text }: ChatReply): 'next' | 'again' | 'early' | 'other' {
    if (ref !== this.#ref || nameKey(name) !== this.#nameKey) return 'other';
    const piece = withoutBlanks(text);
    const times = this.#timesHeard.get(piece) ?? 0;
    if (!this.isWhole && (this.#rest === piece || (this.#isLong && piece !== '' && this.#rest.startsWith(piece)))) {
      this.#rest = this.#rest.slice(piece.length);
      this.#timesHeard.set(piece, times + 1);
      return 'next';
    }
    if (times > 0 && times < this.#timesSent) {
      this.#timesHeard.set(piece, times + 1);
      return 'again';
    }
    return this.#isLong && piece !== '' && this.#rest.includes(piece) ? 'early' : 'other';
  }
}

function decode(datagram: Uint8Array): LabReply | undefined {
  const decoder = new LabReplyDecoder();
  decoder.push(datagram);
  decoder.end();
  try {
    return decoder.next();
  } catch {
    return undefined;
  }
}

/** Is this what the request waits for? */
function answers(reply: LabReply, request: ClientRequest): boolean {
  switch (reply.kind) {
    case 'error':
      return true;
    case 'helo':
      return request.kind === 'helo';
    case 'joined':
      return request.kind === 'join' && reply.room === request.room;
    case 'left':
      return request.kind === 'leave' && reply.ref === request.ref;
    case 'chat':
      return false;
  }
}

function withoutBlanks(text: string): string {
  return text.replace(/\s+/g, '');
}
