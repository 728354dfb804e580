// Layer 4. Addresses as people write them, and which of ours a peer can reach.

import { networkInterfaces } from 'node:os';

/** IPv4 as such, also where a socket for both families calls it ::ffff:1.2.3.4. */
export function plainIp(ip: string | undefined): string {
  if (ip === undefined) return '';
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(ip) ? ip.slice(7) : ip.replace(/%.*$/, '');
}

interface Interface {
  readonly address: string;
  readonly netmask: string;
  readonly family: string;
  readonly internal: boolean;
}

/** Our address on the network that `remote` is on; else the first that is not loopback. */
export function localIpFor(remote: string, interfaces: readonly Interface[] = allInterfaces()): string {
  const family = remote.includes(':') ? 'IPv6' : 'IPv4';
  const ours = interfaces.filter((one) => one.family === family);
  const near = ours.find((one) => sameNetwork(one.address, remote, one.netmask));
  return (near ?? ours.find((one) => !one.internal) ?? ours[0])?.address ?? (family === 'IPv6' ? '::1' : '127.0.0.1');
}

function allInterfaces(): Interface[] {
  return Object.values(networkInterfaces()).flatMap((list) => list ?? []);
}

function sameNetwork(a: string, b: string, netmask: string): boolean {
  const mask = groups(netmask);
  const other = groups(b);
  return groups(a).every((value, i) => ((value ^ (other[i] ?? 0)) & (mask[i] ?? 0)) === 0);
}

/** The numbers of an address: 4 of IPv4, 8 of IPv6. */
function groups(ip: string): number[] {
  if (!ip.includes(':')) return ip.split('.').map(Number);
  const [head = '', tail] = ip.split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const front = parse(head);
  const back = tail === undefined ? [] : parse(tail);
  return [...front, ...new Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
}
