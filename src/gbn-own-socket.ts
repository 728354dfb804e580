// Layer 4. A socket for one transfer. What the system says against it is told as a HouseError: too many open files, or a
// port that is taken, are no bug, and end that transfer alone.

import { systemCode } from './disk.ts';
import { HouseError } from './errors.ts';
import { GbnSocket, type GbnSocketOptions } from './gbn-socket.ts';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken by another program',
  EADDRNOTAVAIL: 'the address is none of this machine',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EMFILE: 'too many files and connections are open',
  ENFILE: 'too many files and connections are open',
  ENOBUFS: 'the system has no memory for it',
  ENOMEM: 'the system has no memory for it',
};

/** Throws `disk`. */
export async function openOwnSocket(options: GbnSocketOptions): Promise<GbnSocket> {
  try {
    return await GbnSocket.open(options);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw new HouseError('disk', `can't open a UDP port: ${REASONS[code] ?? code}`);
  }
}
