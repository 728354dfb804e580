// Layer 5. What SIGHUP and an operator's `reload` read again: the certificate, the limits, the message of the day. Nobody
// is dropped; what is no good is not taken.

import type { Gate } from './gate.ts';
import type { IrcOpening } from './irc-opening.ts';
import { readLimitsOf } from './limits-file.ts';
import type { Log } from './log.ts';
import type { ServerOptions } from './options.ts';
import type { TlsServer } from './tls.ts';
import { datesTrouble } from './tls-files.ts';

export interface Reloadable {
  readonly tls: TlsServer | undefined;
  readonly gate: Gate;
  readonly irc: IrcOpening;
  readonly options: ServerOptions;
  readonly log: Log;
}

/** What can be read is; an Error says what can't. */
export function reload({ tls, gate, irc, options, log }: Reloadable): string {
  const troubles = [reloadTls(tls, log), reloadLimits(gate, options, log), reloadMotd(irc)];
  const found = troubles.filter((trouble) => trouble !== undefined);
  if (found.length > 0) throw new Error(found.join('; '));
  return 'read again';
}

function reloadTls(tls: TlsServer | undefined, log: Log): string | undefined {
  if (!tls) return undefined;
  try {
    tls.reload();
    log('info', 'certificate read', { sha256: tls.facts.fingerprint, until: tls.facts.to.toISOString() });
    warnOfDates(tls, log);
  } catch (error) {
    log('error', 'the old certificate stays', { reason: (error as Error).message });
    return `the old certificate stays: ${(error as Error).message}`;
  }
}

function reloadLimits(gate: Gate, options: ServerOptions, log: Log): string | undefined {
  try {
    gate.limits = readLimitsOf(options);
    log('info', 'limits read');
  } catch (error) {
    return `the old limits stay: ${(error as Error).message}`;
  }
}

function reloadMotd(irc: IrcOpening): string | undefined {
  try {
    irc.reload();
  } catch (error) {
    return `the old message of the day stays: ${(error as Error).message}`;
  }
}

/** Clients that look at the certificate will not come in. */
export function warnOfDates({ facts }: TlsServer, log: Log): void {
  const reason = datesTrouble(facts, new Date());
  if (reason !== undefined) log('warn', 'clients refuse the certificate', { reason, sha256: facts.fingerprint });
}
