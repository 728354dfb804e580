// Layer 4. The server's side of TLS: a socket that began with a hello becomes one whose bytes are plain, or is gone.
// The certificate may be exchanged at any time; connections that are up keep what they have. node:tls is loaded
// with the first certificate.

import type { Socket } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Alarms, Sleeper } from './alarm.ts';
import { type CertificateFacts, judgePair, loadPair, type TlsSource } from './tls-files.ts';
import { HTTP_PROTOCOL, PIPE_PROTOCOL } from './tls-protocol.ts';

/** Whoever has not agreed with us by then never will. */
const HANDSHAKE_MS = 10_000;

const HTTP_2 = 'h2';

/** `protocol` is what the client asked for in its hello, if anything. */
export type Opened = (socket: Socket, protocol: string | undefined) => void;
export type Failed = (reason: string) => void;

export class TlsServer {
  readonly #source: TlsSource;
  readonly #open = new Set<Handshake>();
  #context: SecureContext;
  facts: CertificateFacts;

  /** Throws an Error whose message can be shown to the operator. */
  constructor(source: TlsSource) {
    this.#source = source;
    const { context, facts } = this.#load();
    this.#context = context;
    this.facts = facts;
  }

  /** The next hello gets what is on disk now; throws, and leaves what was, when that is no good. */
  reload(): void {
    // one that is kept nowhere would be another one
    if (this.#source.kind === 'self' && this.#source.file === undefined) return;
    const { context, facts } = this.#load();
    this.#context = context;
    this.facts = facts;
  }

  /** The socket speaks TLS, beginning with these bytes if some have been read. Calls back once, or never when the server stops before. */
  take(
    socket: Socket,
    first: Uint8Array | undefined,
    alarms: Alarms,
    now: () => number,
    opened: Opened,
    failed: Failed,
  ): void {
    const { TLSSocket } = process.getBuiltinModule('node:tls');
    if (first) socket.unshift(first);
    const inside = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#context,
      ALPNCallback: ({ protocols }) => chooseProtocol(protocols),
    });
    const handshake = new Handshake(inside, now() + HANDSHAKE_MS, (reason) => {
      alarms.forget(handshake);
      this.#open.delete(handshake);
      if (reason === undefined) opened(inside, inside.alpnProtocol || undefined);
      else failed(reason);
    });
    this.#open.add(handshake);
    alarms.update(handshake);
  }

  /** Nobody is waited for. */
  stop(): void {
    for (const handshake of this.#open) handshake.destroy();
  }

  #load(): { context: SecureContext; facts: CertificateFacts } {
    const source = this.#source;
    return judgePair(source, loadPair(source, new Date()));
  }
}

/** Ours, or what browsers mean; of others the first, whatever it is. HTTP/2 alone is refused: we do not speak it. */
function chooseProtocol(asked: readonly string[]): string | undefined {
  return (
    [PIPE_PROTOCOL, HTTP_PROTOCOL].find((protocol) => asked.includes(protocol)) ??
    asked.find((protocol) => protocol !== HTTP_2)
  );
}

/** Until both sides have agreed, or one has given up. */
class Handshake implements Sleeper {
  readonly #socket: TLSSocket;
  readonly #until: number;
  readonly #onError = (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message);
  readonly #onClose = () => this.#end('the connection was closed');
  readonly #onSecure = () => this.#end(undefined);
  #done: ((reason: string | undefined) => void) | undefined;

  constructor(socket: TLSSocket, until: number, done: (reason: string | undefined) => void) {
    this.#socket = socket;
    this.#until = until;
    this.#done = done;
    socket.on('secure', this.#onSecure).on('error', this.#onError).on('close', this.#onClose);
  }

  tick(now: number): void {
    if (now >= this.#until) this.#end('no agreement in time');
  }

  deadline(): number {
    return this.#done ? this.#until : Number.POSITIVE_INFINITY;
  }

  destroy(): void {
    this.#end('the server is going down');
  }

  #end(reason: string | undefined): void {
    const done = this.#done;
    if (!done) return;
    this.#done = undefined;
    const socket = this.#socket;
    socket.off('secure', this.#onSecure).off('close', this.#onClose);
    if (reason === undefined) {
      // a peer must not make us agree again and again
      socket.disableRenegotiation();
      socket.off('error', this.#onError);
    } else {
      // whatever else breaks in it is nobody's bug
      socket.on('error', () => {}).destroy();
    }
    done(reason);
  }
}
