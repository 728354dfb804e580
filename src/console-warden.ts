// Layer 3. What an operator does about people: who is there and from where, out with them, bans, the limits. Pure: text
// in, text out; connections are closed through what is handed in.

import { type BanId, banEnds, type StoredBan } from './bans.ts';
import { isInCidr, parseCidr, parseIp } from './cidr.ts';
import { readBan } from './console-ban.ts';
import { CommandError } from './console-error.ts';
import type { Gate } from './gate.ts';
import type { GuardedHouse, Presence } from './guarded-house.ts';
import { showLimits } from './limits.ts';
import type { Member } from './room.ts';

const MAX_BUSIEST = 10;

export interface WardenOptions {
  readonly house: GuardedHouse;
  readonly gate: Gate;
  /** Closes the connections from there, telling them why; says how many. */
  expelFrom(isThere: (ip: string) => boolean, reason: string): number;
}

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
    const { name: shown } = presence.member.person;
    if (!this.#expel(presence, 'you were put out by the operator', operator)) {
      throw new CommandError(`where ${shown} is has not been heard since the server was started`);
    }
    return `${shown} is out`;
  }

  async ban(rest: string, operator: Member): Promise<string> {
    const { what, minutes } = readBan(rest);
    const isNetwork = parseCidr(what) !== undefined;
    const bans = isNetwork ? [this.#gate.bans.add(what, minutes)] : this.#banName(what, minutes);
    const reason = `you are banned ${bans[0] ? banEnds(bans[0]) : ''}`;
    const out = this.#expelAll(bans, isNetwork ? undefined : what, reason, operator);
    const lines = bans.map((ban) => `banned ${ban.shown} ${banEnds(ban)}`);
    if (out > 0) lines.push(`${out} put out`);
    return this.#kept(bans, lines.join('\n'));
  }

  async unban(what: string): Promise<string> {
    if (what === '') throw new CommandError('who is to be let in again? bans lists them');
    const removed = this.#gate.bans.remove(unquoted(what));
    if (!removed) throw new CommandError(`${what} is not banned: bans lists them`);
    return this.#kept([removed], `${what} may come in again`);
  }

  /** The newest first. */
  bans(): string[] {
    const all = this.#gate.bans.list().sort((a, b) => b.at - a.at);
    return all.length > 0 ? all.map((ban) => `${ban.shown} (${ban.kind}) ${banEnds(ban)}`) : ['nobody is banned'];
  }

  /** As `unban` takes them. */
  banned(): string[] {
    return this.#gate.bans.list().map(({ shown }) => shown);
  }

  /** It is done whatever the store says, and done again when the store has recovered. */
  async #kept(those: readonly BanId[], done: string): Promise<string> {
    try {
      await this.#gate.bans.kept(those);
      return done;
    } catch (error) {
      throw new CommandError(`${done}\nin force, but only until a restart: ${(error as Error).message}`);
    }
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
    const ips = new Set((presence?.sources ?? []).map(({ remote }) => remote.ip));
    const those = [...ips].filter((ip) => !this.#gate.isTrusted(ip));
    const { name: shown = name, nick = name } = presence?.member.person ?? {};
    if (shown !== nick && those.length === 0) {
      throw new CommandError(
        `${shown} calls itself ${nick}, and would be back as another: ban ${nick}, or its address`,
      );
    }
    return [name, ...those].map((what) => this.#gate.bans.add(what, minutes));
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
    const out = people.filter((presence) => this.#expel(presence, reason, operator));
    return out.length + this.#house.expelBanned(reason) + this.#expelFrom(isThere, reason);
  }

  /** Who has no connection, and no dialect that tells it, hears it as if something had been said to it alone. */
  #expel(presence: Presence, reason: string, operator: Member): boolean {
    const { member, sources } = presence;
    const isDatagram = sources.some((source) => source.isDatagram);
    if (isDatagram && !member.tongue.expel) this.#house.whisper(operator, member.person, reason);
    return this.#house.expel(presence, reason);
  }

  #presence(asked: string): Presence {
    const name = unquoted(asked);
    if (name === '') throw new CommandError('who? who lists everybody');
    const found = this.#house.presence(name);
    if (!found) throw new CommandError(`nobody called ${name} is here`);
    return found;
  }
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
