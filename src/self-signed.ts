// Layer 1. A certificate that nobody but its own key has signed, as DER (RFC 5280): EC P-256, for a server that has
// no other. Pure: keys, signature, serial number, digest and time are handed in.

/** What is signed, and by what. */
export interface SelfSigned {
  readonly commonName: string;
  readonly names: readonly string[];
  /** IP addresses, each as its 4 or 16 bytes. */
  readonly addresses: readonly Uint8Array[];
  readonly serial: Uint8Array;
  readonly from: Date;
  readonly to: Date;
  /** The public key as a SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** A digest of the public key, by which it is named. */
  readonly keyId: Uint8Array;
  /** ECDSA with SHA-256, as DER. */
  sign(bytes: Uint8Array): Uint8Array;
}

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  altNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;

/** X.509 allows no longer common name. */
const MAX_COMMON_NAME = 64;
const VERSION_3 = Uint8Array.of(2);

export function encodeCertificate(wanted: SelfSigned): Uint8Array {
  const algorithm = der(TAG.sequence, oid(OID.ecdsaWithSha256));
  const name = nameOf(wanted.commonName);
  const body = der(
    TAG.sequence,
    context(0, der(TAG.integer, VERSION_3)),
    der(TAG.integer, positive(wanted.serial)),
    algorithm,
    name,
    der(TAG.sequence, time(wanted.from), time(wanted.to)),
    name,
    wanted.publicKey,
    context(3, der(TAG.sequence, ...extensions(wanted))),
  );
  return der(TAG.sequence, body, algorithm, der(TAG.bits, Uint8Array.of(0), wanted.sign(body)));
}

/**
 * No authority: browsers refuse one that is a server, too. Nor is it said what the key is for: one that may not sign
 * certificates would not be its own issuer.
 */
function extensions({ names, addresses, keyId }: SelfSigned): Uint8Array[] {
  const altNames = [
    ...names.map((name) => tagged(0x82, new TextEncoder().encode(name))),
    ...addresses.map((address) => tagged(0x87, address)),
  ];
  return [
    extension(OID.basicConstraints, true, der(TAG.sequence)),
    extension(OID.extendedKeyUsage, false, der(TAG.sequence, oid(OID.serverAuth))),
    extension(OID.altNames, false, der(TAG.sequence, ...altNames)),
    extension(OID.subjectKeyId, false, der(TAG.octets, keyId)),
    extension(OID.authorityKeyId, false, der(TAG.sequence, tagged(0x80, keyId))),
  ];
}

function extension(id: string, isCritical: boolean, value: Uint8Array): Uint8Array {
  const critical = isCritical ? [der(TAG.boolean, Uint8Array.of(0xff))] : [];
  return der(TAG.sequence, oid(id), ...critical, der(TAG.octets, value));
}

function nameOf(commonName: string): Uint8Array {
  const text = new TextEncoder().encode(commonName.slice(0, MAX_COMMON_NAME));
  return der(TAG.sequence, der(TAG.set, der(TAG.sequence, oid(OID.commonName), der(TAG.utf8, text))));
}

/** Two digits of the year until 2049, four from then on (RFC 5280, 4.1.2.5). */
function time(at: Date): Uint8Array {
  const digits = at.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const isShort = at.getUTCFullYear() < 2050;
  const text = `${isShort ? digits.slice(2) : digits}Z`;
  return der(isShort ? TAG.utcTime : TAG.generalizedTime, new TextEncoder().encode(text));
}

/** Without needless zeros, and with one where it would be negative. */
function positive(number: Uint8Array): Uint8Array {
  const first = number.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Uint8Array.of(0) : number.subarray(first);
  return (digits[0] as number) < 0x80 ? digits : joined([Uint8Array.of(0), digits]);
}

function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(TAG.oid, Uint8Array.from([40 * first + second, ...rest.flatMap(base128)]));
}

/** The highest digit first; all but the last are marked. */
function base128(number: number): number[] {
  const digits = [number & 0x7f];
  for (let rest = number >>> 7; rest > 0; rest >>>= 7) digits.unshift(0x80 | (rest & 0x7f));
  return digits;
}

function context(number: number, content: Uint8Array): Uint8Array {
  return tagged(0xa0 | number, content);
}

function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  return tagged(tag, joined(contents));
}

function tagged(tag: number, content: Uint8Array): Uint8Array {
  return joined([Uint8Array.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff);
  return [0x80 | bytes.length, ...bytes];
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
