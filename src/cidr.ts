// Layer 1. Addresses and networks as they are written (`10.0.0.0/8`, `2001:db8::/32`, one address alone), and which
// address is in which network. Pure.

/** The first `bits` of `bytes` count: 4 bytes are IPv4, 16 are IPv6. */
export interface Cidr {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** Undefined where that is no address and no network. What stands behind the bits that count is left out. */
export function parseCidr(text: string): Cidr | undefined {
  const [ip = '', length, ...rest] = text.trim().split('/');
  const bytes = parseIp(ip);
  if (!bytes || rest.length > 0) return undefined;
  const most = bytes.length * 8;
  if (length === undefined) return { bytes, bits: most };
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  return bits <= most ? cidrOf(bytes, bits) : undefined;
}

/** The network of so many bits that an address is in. */
export function cidrOf(bytes: readonly number[], bits: number): Cidr {
  return { bytes: bytes.map((byte, at) => byte & maskOf(at, bits)), bits };
}

export function formatCidr({ bytes, bits }: Cidr): string {
  const ip = formatIp(bytes);
  return bits === bytes.length * 8 ? ip : `${ip}/${bits}`;
}

/** An address is in no network of the other family. */
export function isInCidr({ bytes, bits }: Cidr, ip: readonly number[]): boolean {
  if (ip.length !== bytes.length) return false;
  return bytes.every((byte, at) => ((byte ^ (ip[at] as number)) & maskOf(at, bits)) === 0);
}

/** IPv4 is four numbers, also where it is written as IPv6 (`::ffff:1.2.3.4`); a zone (`%eth0`) is left out. */
export function parseIp(text: string): number[] | undefined {
  const bytes = addressBytes(text.replace(/%.*$/s, ''));
  return bytes && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** As it is written: 4 bytes or 16. */
export function addressBytes(ip: string): number[] | undefined {
  return ip.includes(':') ? parseV6(ip) : parseV4(ip);
}

/** Which bits of the byte at that place count. */
function maskOf(at: number, bits: number): number {
  const those = Math.min(8, Math.max(0, bits - 8 * at));
  return (0xff00 >> those) & 0xff;
}

function parseV4(ip: string): number[] | undefined {
  const parts = ip.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte < 256) ? bytes : undefined;
}

function parseV6(ip: string): number[] | undefined {
  const sides = ip.split('::');
  // an IPv4 address in it is its end
  if (sides.length > 2 || (sides.length === 2 && sides[0]?.includes('.'))) return undefined;
  const [front, back] = sides.map(groupsOf);
  if (!front || (sides.length === 2 && !back)) return undefined;
  if (!back) return front.length === 16 ? front : undefined;
  const missing = 16 - front.length - back.length;
  // `::` stands for one group at least
  return missing >= 2 ? [...front, ...new Array<number>(missing).fill(0), ...back] : undefined;
}

/** What stands on one side of `::`, as bytes; the last group may be an IPv4 address. */
function groupsOf(side: string): number[] | undefined {
  if (side === '') return [];
  const groups = side.split(':');
  const last = groups.at(-1) ?? '';
  const tail = last.includes('.') ? parseV4(last) : [];
  if (!tail) return undefined;
  if (last.includes('.')) groups.pop();
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return undefined;
  const numbers = groups.map((group) => Number.parseInt(group, 16));
  return [...numbers.flatMap((number) => [number >> 8, number & 0xff]), ...tail];
}

function isMapped(bytes: readonly number[]): boolean {
  return (
    bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  );
}

function formatIp(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16),
  );
  const [zeros = ''] = [...groups.join(':').matchAll(/\b0(?::0)+\b/g)]
    .map(([run]) => run)
    .sort((a, b) => b.length - a.length);
  const text = groups.join(':');
  if (zeros === '') return text;
  const at = text.search(new RegExp(`(?:^|(?<=:))${zeros}(?=:|$)`));
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + zeros.length).replace(/^:/, '')}`;
}
