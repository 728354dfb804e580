// A house that knows where its people come from, with `pipe` clients in it: for the tests of what operators do.

import { Bans } from '../src/bans.ts';
import { HouseError } from '../src/errors.ts';
import { Gate, type Visit } from '../src/gate.ts';
import { GuardedHouse, type Source } from '../src/guarded-house.ts';
import { parseLimitsFile, readLimits } from '../src/limits.ts';
import { openPipe as openRealPipe } from '../src/pipe-session.ts';
import type { Address } from '../src/session.ts';
import { FakeBroadcast, openPipe, type TestPipe } from './fakes.ts';

/** Where somebody comes from; what it is told when it is put out. */
export class FakeSource implements Source {
  readonly remote: Address;
  readonly visit: Visit;
  readonly isDatagram: boolean;
  readonly isGone = false;
  readonly told: string[] = [];
  onExpelled: (reason: string, name: string) => void = () => {};

  constructor(visit: Visit, ip: string, isDatagram = false) {
    this.visit = visit;
    this.remote = { ip, port: 40_001 };
    this.isDatagram = isDatagram;
  }

  hasEntered(): void {}

  expel(reason: string, name: string): void {
    this.told.push(reason);
    this.onExpelled(reason, name);
  }
}

export interface Guarded extends TestPipe {
  readonly house: GuardedHouse;
  readonly gate: Gate;
  /** What the store of bans was told. */
  readonly kept: string[];
  /** From now on the store of bans says this, or keeps them again. */
  storeFails(reason: string | undefined): void;
  /** Whoever comes in from now on comes from there. */
  from(ip: string, isDatagram?: boolean): FakeSource;
}

export function openGuarded(limits = ''): Guarded {
  const base = openPipe();
  const kept: string[] = [];
  let failure: string | undefined;
  const keep = async (what: string) => {
    if (failure !== undefined) throw new HouseError('not-saved', failure);
    kept.push(what);
  };
  const store = {
    putBan: ({ key }: { key: string }) => keep(`+${key}`),
    dropBan: (_kind: string, key: string) => keep(`-${key}`),
  };
  const storeFails = (reason: string | undefined) => {
    failure = reason;
  };
  const wall = () => base.clock.now;
  const bans = new Bans(store, wall, (error) => error !== undefined && failure === undefined && base.bugs.push(error));
  const gate = new Gate(readLimits(parseLimitsFile(limits)), bans);
  let source: FakeSource | undefined;
  const { backbone, bugs, accounts, files } = base;
  const house = new GuardedHouse({
    backbone,
    wall,
    onBug: (error) => bugs.push(error),
    bans,
    now: wall,
    source: () => source,
  });
  const pipe = openRealPipe({
    house,
    accounts,
    advertise: undefined,
    files,
    filesPort: 5000,
    now: wall,
    broadcast: () => new FakeBroadcast(),
    toOperator: (name, text) => void base.said.push(`${name}: ${text}`),
  });
  const from = (ip: string, isDatagram = false) => {
    source = new FakeSource(gate.enter(ip), ip, isDatagram);
    return source;
  };
  return { ...base, house, pipe, gate, kept, storeFails, from };
}
