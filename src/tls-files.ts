// Layer 4. The server's certificate and key on disk: read, made where there is none, and judged.

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { isIP } from 'node:net';
import os from 'node:os';
import type { SecureContext } from 'node:tls';
import { addressBytes } from './cidr.ts';
import { readRegularFile } from './regular-file.ts';
import { encodeCertificate } from './self-signed.ts';

/** Where certificate and key come from. */
export type TlsSource =
  | { readonly kind: 'files'; readonly cert: string; readonly key: string }
  /** Made by ourselves, and kept in this file; undefined keeps it nowhere. */
  | { readonly kind: 'self'; readonly file: string | undefined };

/** As PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/** What an operator wants to know of a certificate. */
export interface CertificateFacts {
  readonly subject: string;
  /** SHA-256, as clients pin it. */
  readonly fingerprint: string;
  readonly from: Date;
  readonly to: Date;
}

const DAY_MS = 86_400_000;
/** A fingerprint that people have written down should last. */
const VALID_DAYS = 3650;
const SERIAL_BYTES = 16;

/** As OpenSSL begins what it says. */
const ROUTINE = /^error:[\dA-F]+:[^:]*:[^:]*:/;

/** The pair and what is made new; throws an Error whose message can be shown to the operator. */
export function loadPair(source: TlsSource, now: Date): TlsPair {
  if (source.kind === 'files') return readFiles(source);
  const kept = source.file === undefined ? undefined : readOwn(source.file);
  const isGood = kept !== undefined && factsOf(kept).to > now;
  const pair = isGood ? kept : makePair(now);
  if (source.file === undefined) return pair;
  if (!isGood) writeOwn(source.file, pair);
  publish(source.file, pair);
  return pair;
}

/** Only what is there: nothing is made. */
export function readPair(source: TlsSource): TlsPair | undefined {
  if (source.kind === 'files') return readFiles(source);
  return source.file === undefined ? undefined : readOwn(source.file);
}

/** What connections get; throws an Error that can be shown when OpenSSL takes the pair for nothing. */
export function judgePair(source: TlsSource, pair: TlsPair): { context: SecureContext; facts: CertificateFacts } {
  const named = source.kind === 'files' ? source.cert : (source.file ?? 'the certificate of our own');
  try {
    const { createSecureContext } = process.getBuiltinModule('node:tls');
    return { context: createSecureContext({ ...pair, minVersion: 'TLSv1.2' }), facts: factsOf(pair) };
  } catch (error) {
    throw new Error(`${named}: ${(error as Error).message.replace(ROUTINE, '')}`, { cause: error });
  }
}

/** Why clients will not take it, if so. */
export function datesTrouble({ from, to }: CertificateFacts, now: Date): string | undefined {
  if (now < from) return `not valid before ${from.toISOString()}`;
  return now > to ? 'it has ended' : undefined;
}

/** Where a certificate of our own is kept: beside the database. */
export function ownFile(data: string): string | undefined {
  return data === ':memory:' ? undefined : `${data}.tls.pem`;
}

/** Throws when it is no certificate, or not of that key. */
export function factsOf({ cert, key }: TlsPair): CertificateFacts {
  const { X509Certificate, createPrivateKey } = crypto();
  const certificate = new X509Certificate(cert);
  if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is not the certificate’s');
  return {
    subject: (certificate.subject ?? '').replaceAll('\n', ', '),
    fingerprint: certificate.fingerprint256,
    from: new Date(certificate.validFrom),
    to: new Date(certificate.validTo),
  };
}

export function makePair(now: Date, names = ownNames()): TlsPair {
  const { createHash, generateKeyPairSync, randomBytes, sign } = crypto();
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const bytes = encodeCertificate({
    commonName: os.hostname() || 'localhost',
    names: names.filter((name) => isIP(name) === 0),
    addresses: names.flatMap((name) => (isIP(name) === 0 ? [] : Uint8Array.from(addressBytes(name) ?? []))),
    serial: randomBytes(SERIAL_BYTES),
    // clients' clocks differ
    from: new Date(now.getTime() - DAY_MS),
    to: new Date(now.getTime() + VALID_DAYS * DAY_MS),
    publicKey: spki,
    keyId: createHash('sha1').update(spki).digest(),
    sign: (body) => sign('sha256', body, privateKey),
  });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { cert: pem('CERTIFICATE', bytes), key };
}

/** By which clients may have reached us. Names that are no host names would make the certificate void. */
function ownNames(): string[] {
  const addresses = Object.values(os.networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  const all = ['localhost', os.hostname(), '127.0.0.1', '::1', ...addresses.map((ip) => ip.replace(/%.*$/, ''))];
  return [...new Set(all)].filter((name) => isIP(name) !== 0 || /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/i.test(name));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function readFiles({ cert, key }: { readonly cert: string; readonly key: string }): TlsPair {
  const pair = { cert: readPem(cert), key: readPem(key) };
  if (!/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/.test(pair.cert))
    throw new Error(`${cert} has no certificate (PEM)`);
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: .*ENCRYPTED/m.test(pair.key))
    throw new Error(`${key} is encrypted: nobody can be asked for its password`);
  if (!/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(pair.key)) throw new Error(`${key} has no private key (PEM)`);
  return pair;
}

function readPem(file: string): string {
  try {
    return readRegularFile(file);
  } catch (error) {
    throw new Error(explain(file, error as NodeJS.ErrnoException), { cause: error });
  }
}

/** Key and certificate in one file, as it was written. */
function readOwn(file: string): TlsPair | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(explain(file, error as NodeJS.ErrnoException), { cause: error });
  }
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/.exec(text)?.[0];
  const cert = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/.exec(text)?.[0];
  if (!key || !cert) throw new Error(`${file} is not the certificate that was kept there; it was left as it is`);
  return { cert, key };
}

/** Under its own name it is always whole, and never anybody else's to read. */
function writeOwn(file: string, { cert, key }: TlsPair): void {
  const made = `${file}.new`;
  try {
    rmSync(made, { force: true });
    const fd = openSync(made, 'wx', 0o600);
    try {
      writeSync(fd, key + cert);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(made, file);
  } catch (error) {
    throw new Error(explain(file, error as NodeJS.ErrnoException), { cause: error });
  }
}

/** What clients may have stands apart from the key, for an operator to give away. A server can do without. */
function publish(file: string, { cert }: TlsPair): void {
  const apart = `${file.replace(/\.pem$/, '')}.crt`;
  try {
    if (existsSync(apart) && readRegularFile(apart) === cert) return;
    rmSync(apart, { force: true });
    writeFileSync(apart, cert, { mode: 0o644, flag: 'wx' });
  } catch {
    // a full disk, a directory that has become read-only
  }
}

function explain(file: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return `there is no file ${file}`;
  if (code === 'EACCES' || code === 'EPERM') return `no permission to use ${file}`;
  if (code === 'EISDIR') return `${file} is a directory`;
  return `${file}: ${message}`;
}

/** Loaded when there is TLS: a server without it starts sooner. */
function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto');
}
