// Layer 4. A UDP socket as everybody here wants one: bound, with large buffers, and for both address families where the
// system has both.

import dgram from 'node:dgram';
import net from 'node:net';
import { localIpFor } from './addresses.ts';

const BUFFER_BYTES = 4 * 1024 * 1024;

export type Lookup = NonNullable<dgram.SocketOptions['lookup']>;

export interface UdpSocket {
  readonly socket: dgram.Socket;
  /** An IPv4 address is spelt otherwise on it: see `asSent`. */
  readonly isV6: boolean;
}

/** `host` '' is every address. Rejects with the system's error; nobody listens to errors of what it gives. */
export async function openUdp(port: number, host: string, lookup?: Lookup): Promise<UdpSocket> {
  const isV6 = host === '' ? localIpFor('::1') === '::1' : net.isIPv6(host);
  const socket = dgram.createSocket({ type: isV6 ? 'udp6' : 'udp4', ...(lookup && { lookup }) });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ port, ...(host === '' ? {} : { address: host }), exclusive: true }, resolve);
  });
  socket.removeAllListeners('error');
  growBuffers(socket);
  return { socket, isV6 };
}

/** The address as that socket takes it. */
export function asSent(ip: string, isV6: boolean): string {
  return isV6 && net.isIPv4(ip) ? `::ffff:${ip}` : ip;
}

/** As far as the system allows. Deno allocates the whole buffer for each datagram, so not there. */
function growBuffers(socket: dgram.Socket): void {
  if ('Deno' in globalThis) return;
  try {
    socket.setRecvBufferSize(BUFFER_BYTES);
    socket.setSendBufferSize(BUFFER_BYTES);
  } catch {
    // the system's own size has to do
  }
}
