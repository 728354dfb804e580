// Layer 4. The client's side of TLS: connections to a server in plain text or inside TLS, alike to whoever uses them.
// Nothing is sent inside before the server has shown that it is the one that is meant.

import type { RequestOptions } from 'node:http';
import net, { type Socket } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';

/** How a server shows who it is: by a certificate that this machine trusts, or by this very one. */
export interface TlsTrust {
  /** SHA-256 of the certificate, in lower case without colons. */
  readonly pin: string | undefined;
}

export interface Server {
  readonly host: string;
  readonly port: number;
  /** What it is called, where `host` is only where it was found. */
  readonly name?: string | undefined;
  /** Undefined: in plain text. */
  readonly tls?: TlsTrust | undefined;
}

export interface DialOptions {
  readonly keepAlive?: boolean;
  readonly keepAliveInitialDelay?: number;
  /** The dialect, where the server does not learn it from what is said. */
  readonly protocol?: string;
}

/**
 * A socket on its way to the server; `ready` is called when there is somebody to talk to. An error on that way, also
 * that the server is another one, is the socket's `error`.
 */
export function dial(
  { host, port, name = host, tls }: Server,
  options: DialOptions,
  ready: (socket: Socket) => void,
): Socket {
  const { protocol, ...rest } = options;
  if (!tls) {
    const socket = net.connect({ host, port, noDelay: true, ...rest });
    return socket.on('connect', () => ready(socket));
  }
  const socket = process.getBuiltinModule('node:tls').connect({
    host,
    port,
    ...rest,
    ...trustOf(tls),
    ...(protocol !== undefined && { ALPNProtocols: [protocol] }),
    // an address can't be asked for by name
    ...(net.isIP(name) === 0 && { servername: name }),
    minVersion: 'TLSv1.2',
  });
  socket.setNoDelay(true);
  return socket.on('secureConnect', () => {
    const problem = problemOf(socket, tls);
    if (problem === undefined) ready(socket);
    else socket.destroy(new Error(problem));
  });
}

/** For one request over HTTP to the server. */
export function requestOptions(server: Server): RequestOptions {
  const { host, port, tls } = server;
  if (!tls) return { host, port, agent: false };
  return {
    host,
    port,
    createConnection: (_options, done) => {
      const socket = dial(server, {}, () => done(null, socket.off('error', done)));
      socket.once('error', done);
      return undefined;
    },
  };
}

/** The certificate is looked at when it is there, so that what is wrong can be told in our words. */
function trustOf({ pin }: TlsTrust): ConnectionOptions {
  if (pin !== undefined) return { rejectUnauthorized: false };
  const { getCACertificates } = process.getBuiltinModule('node:tls');
  // what operators add to their machine counts, too
  return { rejectUnauthorized: false, ca: [...getCACertificates('default'), ...getCACertificates('system')] };
}

function problemOf(socket: TLSSocket, { pin }: TlsTrust): string | undefined {
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256 ?? '';
  if (pin !== undefined) {
    const isPinned = fingerprint.replaceAll(':', '').toLowerCase() === pin;
    return isPinned ? undefined : `the server's certificate is another one: its fingerprint is ${fingerprint}`;
  }
  if (socket.authorized) return undefined;
  // a code, whatever its type says
  const reason = String(
    (socket.authorizationError as NodeJS.ErrnoException | undefined)?.code ?? socket.authorizationError,
  );
  return `the server's certificate is not to be trusted (${reason}); if it is the right one: --tls-pin ${fingerprint}`;
}

/** What went wrong, for people, where TLS has codes of its own; otherwise undefined. */
export function explainTls({ code, message }: Partial<NodeJS.ErrnoException>): string | undefined {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'the server does not speak TLS on that port';
  }
  if (code?.startsWith('ERR_SSL_')) return `the server and this client can't agree on TLS (${code})`;
  return message?.startsWith("the server's certificate ") ? message : undefined;
}
