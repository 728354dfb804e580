// Layer 5. Puts the parts together that keep files: the directory beside the database, the house's accounts, and who may
// bring files without one: whoever is in the house, from where they are.

import * as fs from 'node:fs/promises';
import type { Accounts } from './accounts.ts';
import { plainIp } from './addresses.ts';
import { type Bans, banEnds } from './bans.ts';
import { HouseError } from './errors.ts';
import type { Gate } from './gate.ts';
import type { GuardedHouse } from './guarded-house.ts';
import { HttpUploads } from './http-uploads.ts';
import { type Log, logBug } from './log.ts';
import type { UploadOptions } from './options.ts';
import type { ServerMetrics } from './server-metrics.ts';
import { isLoopback, networkOf } from './session.ts';
import { UploadDisk } from './upload-disk.ts';
import { Uploads } from './uploads.ts';

export interface UploadParts {
  readonly house: GuardedHouse;
  readonly accounts: Accounts;
  readonly bans: Bans;
  readonly gate: Gate;
  readonly log: Log;
  readonly metrics: ServerMetrics;
  readonly random: () => string;
}

/** Throws an Error whose message can be shown to the operator. */
export async function openUploads(
  wanted: UploadOptions,
  publicUrl: string | undefined,
  { house, accounts, bans, gate, log, metrics, random }: UploadParts,
): Promise<HttpUploads> {
  const disk = new UploadDisk(fs, wanted.directory);
  const uploads = new Uploads({
    policy: wanted,
    random,
    wall: Date.now,
    now: () => performance.now(),
    isTrusted: (ip) => gate.isTrusted(ip),
    forget: ({ id }) => void disk.remove(id).catch((error) => logBug(log, error)),
  });
  try {
    uploads.load(await disk.open());
  } catch (error) {
    throw new Error(`${wanted.directory}: ${(error as Error).message}`, { cause: error });
  }
  const login = async (name: string, password: string, ip: string) => {
    const ban = bans.ofName(name);
    if (ban) throw new HouseError('not-allowed', `the name ${ban.shown} is banned ${banEnds(ban)}`);
    return (await accounts.login(name, password, ip)).name;
  };
  const mayUpload = (ip: string) => !wanted.isAccountsOnly && (isLoopback(ip) || isThere(house, ip));
  return new HttpUploads({ uploads, disk, publicUrl, login, mayUpload, log, metrics });
}

/** Somebody of that network is in the house. */
function isThere(house: GuardedHouse, ip: string): boolean {
  const network = networkOf(ip);
  for (const { sources } of house.present()) {
    if (sources.some(({ remote, isGone }) => !isGone && networkOf(plainIp(remote.ip)) === network)) return true;
  }
  return false;
}
