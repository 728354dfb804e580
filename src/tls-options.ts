// Layer 5. The options of our clients that concern TLS, and what their values mean.

import { type Given, UsageError } from './arguments.ts';
import type { TlsTrust } from './tls-client.ts';

/** Of each client that speaks TCP. */
export const TLS_OPTIONS = [
  { flag: '--tls', help: 'Speak TLS with the server, whose certificate must be good' },
  { flag: '--tls-pin <sha256>', help: 'Speak TLS, and with the server of this fingerprint only' },
] as const;

const PIN = /^[0-9a-f]{64}$/;

export function readTls(given: Given): TlsTrust | undefined {
  const pin = given.one('tls-pin');
  if (pin === undefined) return given.has('tls') ? { pin } : undefined;
  const digits = pin
    .toLowerCase()
    .replace(/^sha-?256[=:]/, '')
    .replaceAll(':', '');
  if (!PIN.test(digits)) throw new UsageError(`--tls-pin ${pin}: must be a SHA-256 fingerprint, 64 hexadecimal digits`);
  return { pin: digits };
}
