// Layer 4. Addresses as people write them, and which of ours a peer can reach.

import { networkInterfaces } from 'node:os';

/** Interfaces come and go, but not many times a second. */
const KNOWN_MS = 5000;

/** As it is shown and compared: without a zone, which means something on one machine only. */
export function plainIp(ip: string | undefined): string {
  return peerIp(ip).replace(/%.*$/, '');
}

/**
 * As it can be sent to: IPv4 as such, also where a socket for both families calls it ::ffff:1.2.3.4, and
 * IPv6 with its zone (`fe80::1%eth0`), without which a link-local address leads nowhere.
 */
export function peerIp(ip = ''): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(ip) ? ip.slice(7) : ip;
}

/** It can't be listened on there for not being an address of this machine; Deno's word for that is EINVAL. */
export function isForeign(host: string, { code }: NodeJS.ErrnoException): boolean {
  return code === 'EADDRNOTAVAIL' || (code === 'EINVAL' && host !== '');
}

interface Interface {
  readonly address: string;
  readonly netmask: string;
  readonly family: string;
  readonly internal: boolean;
}

/** What the system said about our interfaces, asked again when that is old. */
export class Interfaces {
  readonly #ask: () => readonly Interface[];
  readonly #now: () => number;
  #known: readonly Interface[] = [];
  #knownUntil = Number.NEGATIVE_INFINITY;

  constructor(ask: () => readonly Interface[], now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** Never throws: without a free file descriptor the system can't say, and the old answer stands. */
  list(): readonly Interface[] {
    const now = this.#now();
    if (now < this.#knownUntil) return this.#known;
    try {
      this.#known = this.#ask();
      this.#knownUntil = now + KNOWN_MS;
    } catch {
      // it is asked again the next time
    }
    return this.#known;
  }
}

const ours = new Interfaces(
  () => Object.values(networkInterfaces()).flatMap((list) => list ?? []),
  () => performance.now(),
);

/** Our address on the smallest network that `remote` is on; else the first that is not loopback. */
export function localIpFor(remote: string, interfaces: readonly Interface[] = ours.list()): string {
  const ip = plainIp(remote);
  const family = ip.includes(':') ? 'IPv6' : 'IPv4';
  const those = interfaces.filter((one) => one.family === family);
  const [near] = those
    .filter((one) => isSameNetwork(one.address, ip, one.netmask))
    .sort((a, b) => ones(b.netmask) - ones(a.netmask));
  return (near ?? those.find((one) => !one.internal) ?? those[0])?.address ?? (family === 'IPv6' ? '::1' : '127.0.0.1');
}

function isSameNetwork(a: string, b: string, netmask: string): boolean {
  const mask = groups(netmask);
  const other = groups(b);
  return groups(a).every((value, i) => ((value ^ (other[i] ?? 0)) & (mask[i] ?? 0)) === 0);
}

/** The more ones a netmask has, the greater this is. */
function ones(netmask: string): number {
  return groups(netmask).reduce((sum, value) => sum + value, 0);
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
