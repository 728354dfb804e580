// Layer 3. What an operator does about people: who is there and from where, out with them, bans, the limits. Pure: text
// in, text out; connections are closed through what is handed in.

import { banEnds, type StoredBan } from './bans.ts';
import { isInCidr, parseCidr, parseIp } from './cidr.ts';
import type { Gate } from './gate.ts';
import type { GuardedHouse, Presence } from './guarded-house.ts';
import { showLimits } from './limits.ts';
import type { Member } from './room.ts';

const MAX_MINUTES = 60 * 24 * 366;
const MAX_BUSIEST = 10;

export interface WardenOptions {
  readonly house: GuardedHouse;
  readonly gate: Gate;
  /** Closes the connections from there, telling them why; says how many. */
  expelFrom(isThere: (ip: string) => boolean, reason: string): number;
}

/** A command can't be done: told to the operator, and a failure for a script. */
export class CommandError extends Error {}

export class Warden {
  readonly #house: GuardedHouse;
  readonly #gate: Gate;
  readonly #expelFrom: WardenOptions['expelFrom'];

  constructor({ house, gate, expelFrom }: WardenOptions) {
    this.#house = house;
    this.#gate = gate;
    this.#expelFrom = expelFrom;
  }

  names(): string[] {
    return [...this.#house.present()].map(({ member }) => member.person.name);
  }

  who(name: string): string[] {
    const those = name === '' ? [...this.#house.present()] : [this.#presence(name)];
    return those.length > 0 ? those.map(presenceLine) : ['nobody is here'];
  }

  // --- out with them -----------------------------------------------------------------------------------------

  kick(name: string, operator: Member): string {
    const presence = this.#presence(name);
    if (presence.sources.length === 0) {
      throw new CommandError(`where ${presence.member.person.name} is has not been heard since the server was started`);
    }
    this.#expel(presence, 'you were put out by the operator', operator);
    return `${presence.member.person.name} is out`;
  }

  ban(rest: string, operator: Member): string {
    const { what, minutes } = readBan(rest);
    const isNetwork = parseCidr(what) !== undefined;
    const bans = isNetwork ? [this.#gate.bans.add(what, minutes)] : this.#banName(what, minutes);
    const reason = `you are banned ${bans[0] ? banEnds(bans[0]) : ''}`;
    const out = this.#expelAll(bans, isNetwork ? undefined : what, reason, operator);
    const lines = bans.map((ban) => `banned ${ban.shown} ${banEnds(ban)}`);
    return [...lines, ...(out > 0 ? [`${out} put out`] : [])].join('\n');
  }

  unban(what: string): string {
    if (what === '') throw new CommandError('who is to be let in again? bans lists them');
    if (!this.#gate.bans.remove(unquoted(what))) throw new CommandError(`${what} is not banned: bans lists them`);
    return `${what} may come in again`;
  }

  bans(): string[] {
    const all = this.#gate.bans.list().map((ban) => `${ban.shown} (${ban.kind}) ${banEnds(ban)}`);
    return all.length > 0 ? all : ['nobody is banned'];
  }

  /** With what is in use. */
  limits(): string[] {
    const rows = showLimits(this.#gate.limits);
    const [names, values] = [
      Math.max(...rows.map(([name]) => name.length)),
      Math.max(...rows.map(([, v]) => v.length)),
    ];
    const busiest = this.#gate.busiest(MAX_BUSIEST).map(([network, connections]) => `${network}: ${connections}`);
    return [
      ...rows.map(([name, value, about]) => `${name.padEnd(names)}  ${value.padEnd(values)}  ${about}`),
      `connections now: ${this.#gate.connections}${busiest.length > 0 ? ` (${busiest.join(', ')})` : ''}`,
    ];
  }

  /** And where its wearer comes from, unless that is trusted: others there are not to be locked out. */
  #banName(name: string, minutes: number | undefined): StoredBan[] {
    const presence = this.#house.presence(name);
    const own = this.#gate.bans.add(name, minutes);
    const ips = new Set((presence?.sources ?? []).map(({ remote }) => remote.ip));
    const those = [...ips].filter((ip) => !this.#gate.isTrusted(ip));
    return [own, ...those.map((ip) => this.#gate.bans.add(ip, minutes))];
  }

  #expelAll(bans: readonly StoredBan[], name: string | undefined, reason: string, operator: Member): number {
    const cidrs = bans.flatMap(({ kind, key }) => (kind === 'network' ? (parseCidr(key) ?? []) : []));
    const isThere = (ip: string) => {
      const bytes = parseIp(ip);
      return bytes !== undefined && cidrs.some((cidr) => isInCidr(cidr, bytes));
    };
    const named = name === undefined ? undefined : this.#house.presence(name);
    const people = [...this.#house.present()].filter(
      (one) => one === named || one.sources.some(({ remote }) => isThere(remote.ip)),
    );
    for (const presence of people) this.#expel(presence, reason, operator);
    return people.length + this.#expelFrom(isThere, reason);
  }

  /** Who has no connection is told as if something had been said to it alone. */
  #expel(presence: Presence, reason: string, operator: Member): void {
    const isDatagram = presence.sources.some((source) => source.isDatagram);
    if (isDatagram) this.#house.whisper(operator, presence.member.person, reason);
    this.#house.expel(presence, reason);
  }

  #presence(asked: string): Presence {
    const name = unquoted(asked);
    if (name === '') throw new CommandError('who? who lists everybody');
    const found = this.#house.presence(name);
    if (!found) throw new CommandError(`nobody called ${name} is here`);
    return found;
  }
}

/** A name may have blanks, and end in a number where it stands in quotes. */
function readBan(rest: string): { what: string; minutes: number | undefined } {
  const [, quoted, plain = '', digits] = /^(?:"([^"]*)"|(.*?))(?:\s+(\d+))?$/s.exec(rest.trim()) ?? [];
  const what = (quoted ?? plain).trim();
  if (what === '')
    throw new CommandError('who is to be banned? a name, an address or a network; then minutes, if not for good');
  const minutes = digits === undefined ? undefined : Number(digits);
  if (minutes !== undefined && !(minutes >= 1 && minutes <= MAX_MINUTES)) {
    throw new CommandError(`a ban is for 1 to ${MAX_MINUTES} minutes, or for good`);
  }
  return { what, minutes };
}

function unquoted(name: string): string {
  return name
    .trim()
    .replace(/^"(.*)"$/s, '$1')
    .trim();
}

function presenceLine({ member: { person, rooms }, sources }: Presence): string {
  const from = sources.map(({ remote, isDatagram }) => `${shownAddress(remote)}${isDatagram ? ' (UDP)' : ''}`);
  const where = [...rooms.values()].map(({ name }) => name);
  const parts = [from.join(', ') || 'from somewhere', where.length > 0 ? `in ${where.join(', ')}` : 'in no room'];
  return `${person.name} (${person.dialect}) ${parts.join(' ')}`;
}

function shownAddress({ ip, port }: { readonly ip: string; readonly port: number }): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
