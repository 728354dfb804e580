// What RFC 5280 says of a certificate, as Node and OpenSSL read it.

import { spawnSync } from 'node:child_process';
import { createHash, createPrivateKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addressBytes } from '../src/cidr.ts';
import { encodeCertificate, type SelfSigned } from '../src/self-signed.ts';
import { datesTrouble, factsOf, judgePair, loadPair, makePair, ownFile, readPair } from '../src/tls-files.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SPKI = publicKey.export({ type: 'spki', format: 'der' });
const FROM = new Date('2026-03-04T05:06:07Z');
const TO = new Date('2036-03-01T05:06:07Z');

function certificate(changed: Partial<SelfSigned> = {}): X509Certificate {
  const bytes = encodeCertificate({
    commonName: 'house',
    names: ['localhost', 'house.example'],
    addresses: ['127.0.0.1', 'fe80::1'].map((ip) => Uint8Array.from(addressBytes(ip) ?? [])),
    serial: Uint8Array.of(1, 2, 3),
    from: FROM,
    to: TO,
    publicKey: SPKI,
    keyId: createHash('sha1').update(SPKI).digest(),
    sign: (body) => sign('sha256', body, privateKey),
    ...changed,
  });
  return new X509Certificate(bytes);
}

// --- the certificate -----------------------------------------------------------------------------------------

const form = suite('self-signed: the certificate');

form('says what it was told', () => {
  const made = certificate();
  assert.is(made.subject, 'CN=house');
  assert.is(made.issuer, 'CN=house');
  assert.is(
    made.subjectAltName,
    'DNS:localhost, DNS:house.example, IP Address:127.0.0.1, IP Address:FE80:0:0:0:0:0:0:1',
  );
  assert.equal(new Date(made.validFrom), FROM);
  assert.equal(new Date(made.validTo), TO);
  assert.is(made.serialNumber, '010203');
  assert.is(made.ca, false, 'browsers take no authority for a server');
  assert.equal(made.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'for servers');
});

form('is signed by its own key, and by no other', () => {
  const made = certificate();
  assert.ok(made.verify(publicKey));
  assert.ok(made.checkPrivateKey(privateKey));
  assert.ok(made.checkIssued(made));
  assert.not.ok(made.verify(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey));
});

const YEARS: Array<[to: string, why: string]> = [
  ['2049-12-31T23:59:59Z', 'the last with two digits'],
  ['2050-01-01T00:00:00Z', 'the first with four'],
  ['2126-01-01T00:00:00Z', 'far away'],
];
for (const [to, why] of YEARS) {
  form(`ends in ${to}: ${why}`, () => {
    assert.equal(new Date(certificate({ to: new Date(to) }).validTo), new Date(to));
  });
}

form('cuts a common name to what X.509 allows', () => {
  assert.is(certificate({ commonName: 'x'.repeat(200) }).subject, `CN=${'x'.repeat(64)}`);
});

form('is sound whatever is in it', () => {
  const serials = fc.uint8Array({ minLength: 1, maxLength: 20 }).filter((bytes) => bytes.some((byte) => byte !== 0));
  const names = fc.array(fc.stringMatching(/^[a-z][a-z0-9-]{0,60}$/), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(serials, names, (serial, some) => {
      const made = certificate({ serial, names: some, addresses: [] });
      assert.ok(made.verify(publicKey));
      assert.is(made.subjectAltName, some.map((name) => `DNS:${name}`).join(', '));
      assert.is(BigInt(`0x${made.serialNumber}`), BigInt(`0x${Buffer.from(serial).toString('hex')}`));
    }),
    { numRuns: 50 },
  );
});

form.run();

// --- addresses -----------------------------------------------------------------------------------------------

const addresses = suite('self-signed: addresses');

const ADDRESSES: Array<[ip: string, hex: string]> = [
  ['10.0.0.255', '0a0000ff'],
  ['::1', '00000000000000000000000000000001'],
  ['::', '00000000000000000000000000000000'],
  ['2001:db8::', '20010db8000000000000000000000000'],
  ['2001:db8::a:b', '20010db80000000000000000000a000b'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['::ffff:192.168.1.2', '00000000000000000000ffffc0a80102'],
];
for (const [ip, hex] of ADDRESSES) {
  addresses(ip, () => assert.is(Buffer.from(addressBytes(ip) ?? []).toString('hex'), hex));
}

addresses.run();

// --- in use --------------------------------------------------------------------------------------------------

const use = suite('self-signed: in use');
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-test-'));
use.after(() => fs.rmSync(directory, { recursive: true, force: true }));

use('a client that has it trusts the server, by name and by address', async () => {
  const pair = makePair(new Date());
  const server = tls.createServer(pair, (socket) => socket.end('hello')).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const servername of ['localhost', '']) {
      const socket = tls.connect({ port, host: '127.0.0.1', servername, ca: pair.cert });
      await once(socket, 'secureConnect');
      assert.is(socket.authorized, true, String(socket.authorizationError));
      assert.is(socket.getPeerX509Certificate()?.fingerprint256, factsOf(pair).fingerprint);
      socket.destroy();
    }
  } finally {
    server.close();
  }
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
(hasOpenssl ? use : use.skip)('OpenSSL finds nothing wrong with it', () => {
  const file = path.join(directory, 'strict.pem');
  fs.writeFileSync(file, makePair(new Date()).cert);
  const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', file, file];
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  assert.is(status, 0, stdout + stderr);
});

use('it is made once, and nobody else may read it', () => {
  const file = path.join(directory, 'once.pem');
  const source = { kind: 'self', file } as const;
  assert.is(readPair(source), undefined, 'only looking makes none');
  const first = loadPair(source, new Date());
  assert.is(fs.statSync(file).mode & 0o777, 0o600);
  assert.equal(loadPair(source, new Date()), first);
  assert.equal(readPair(source), first);
});

use('what clients may have stands apart from the key', () => {
  const file = path.join(directory, 'apart.tls.pem');
  const { cert } = loadPair({ kind: 'self', file }, new Date());
  const apart = path.join(directory, 'apart.tls.crt');
  assert.is(fs.readFileSync(apart, 'utf8'), cert);
  fs.rmSync(apart);
  loadPair({ kind: 'self', file }, new Date());
  assert.is(fs.readFileSync(apart, 'utf8'), cert, 'also beside one that was there');
  fs.rmSync(apart);
  fs.mkdirSync(apart);
  assert.is(loadPair({ kind: 'self', file }, new Date()).cert, cert, 'a server can do without');
  fs.rmdirSync(apart);
  readPair({ kind: 'self', file });
  assert.not(fs.existsSync(apart), 'only looking makes none');
});

const GOOD = makePair(new Date());
const ENCRYPTED = createPrivateKey(GOOD.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
  .toString();
const FILES: ReadonlyArray<readonly [what: string, cert: string, key: string, why: RegExp]> = [
  ['an empty certificate', '', GOOD.key, /cert\.pem has no certificate/],
  ['a key instead of a certificate', GOOD.key, GOOD.key, /cert\.pem has no certificate/],
  ['an empty key', GOOD.cert, '', /key\.pem has no private key/],
  ['a certificate instead of a key', GOOD.cert, GOOD.cert, /key\.pem has no private key/],
  ['an encrypted key', GOOD.cert, ENCRYPTED, /key\.pem is encrypted/],
  ['a key of the old form that is encrypted', GOOD.cert, 'Proc-Type: 4,ENCRYPTED\n', /key\.pem is encrypted/],
];
for (const [what, cert, key, why] of FILES) {
  use(`${what} is told in plain words`, () => {
    const [certFile, keyFile] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')];
    fs.writeFileSync(certFile, cert);
    fs.writeFileSync(keyFile, key);
    const source = { kind: 'files', cert: certFile, key: keyFile } as const;
    assert.throws(() => loadPair(source, new Date()), why);
    assert.throws(() => readPair(source), why);
  });
}

use('a broken chain behind a good certificate is refused', () => {
  const source = { kind: 'files', cert: 'cert.pem', key: 'key.pem' } as const;
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  assert.throws(() => judgePair(source, { cert: GOOD.cert + broken, key: GOOD.key }), /^cert\.pem: /);
  assert.is(judgePair(source, GOOD).facts.fingerprint, factsOf(GOOD).fingerprint);
});

use('whether clients take it now', () => {
  const facts = factsOf(GOOD);
  assert.is(datesTrouble(facts, new Date()), undefined);
  assert.match(datesTrouble(facts, new Date(facts.from.getTime() - 1)) ?? '', /not valid before \d{4}/);
  assert.match(datesTrouble(facts, new Date(facts.to.getTime() + 1)) ?? '', /has ended/);
});

use('another is made when it has ended', () => {
  const source = { kind: 'self', file: path.join(directory, 'ended.pem') } as const;
  const first = factsOf(loadPair(source, new Date()));
  const later = new Date(first.to.getTime() + 1000);
  const second = factsOf(loadPair(source, later));
  assert.is.not(second.fingerprint, first.fingerprint);
  assert.ok(second.to > later);
});

use('what is no certificate is left as it is', () => {
  const file = path.join(directory, 'mine.txt');
  fs.writeFileSync(file, 'a letter');
  assert.throws(() => loadPair({ kind: 'self', file }, new Date()), /left as it is/);
  assert.is(fs.readFileSync(file, 'utf8'), 'a letter');
});

use('the key of another certificate is refused', () => {
  const { cert } = makePair(new Date());
  assert.throws(() => factsOf({ cert, key: makePair(new Date()).key }), /key/);
});

use('it stands beside the database', () => {
  assert.is(ownFile('/x/house.db'), '/x/house.db.tls.pem');
  assert.is(ownFile(':memory:'), undefined);
});

use.run();
