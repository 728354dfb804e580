// Layer 3. MONITOR: who waits for whom to come and go.

import type { Person } from './events.ts';
import type { Irc } from './irc.ts';
import { foldIrc } from './irc-masks.ts';
import type { IrcSession } from './irc-session.ts';

export const MAX_MONITORED = 100;

export class Monitors {
  readonly #irc: Irc;
  /** By the nick that is watched for. */
  readonly #watchers = new Map<string, Set<IrcSession>>();
  /** What each watches for: by key, as it was asked for. */
  readonly #lists = new Map<IrcSession, Map<string, string>>();

  constructor(irc: Irc) {
    this.#irc = irc;
  }

  /** False when there are too many. */
  add(session: IrcSession, nick: string): boolean {
    const list = this.#lists.get(session) ?? new Map<string, string>();
    const key = foldIrc(nick);
    if (list.has(key)) return true;
    if (list.size >= MAX_MONITORED) return false;
    this.#lists.set(session, list.set(key, nick));
    const watchers = this.#watchers.get(key) ?? new Set();
    this.#watchers.set(key, watchers.add(session));
    return true;
  }

  remove(session: IrcSession, nick: string): void {
    const key = foldIrc(nick);
    this.#lists.get(session)?.delete(key);
    const watchers = this.#watchers.get(key);
    watchers?.delete(session);
    if (watchers?.size === 0) this.#watchers.delete(key);
  }

  forget(session: IrcSession): void {
    for (const nick of this.listOf(session)) this.remove(session, nick);
    this.#lists.delete(session);
  }

  listOf(session: IrcSession): string[] {
    return [...(this.#lists.get(session)?.values() ?? [])];
  }

  watchersOf(person: Person): Iterable<IrcSession> {
    return this.#watchers.get(foldIrc(this.#irc.names.nickOf(person))) ?? [];
  }

  came(person: Person): void {
    if (this.#watchers.size === 0) return;
    for (const session of this.watchersOf(person)) session.inform('RPL_MONONLINE', this.#irc.names.prefixOf(person));
  }

  went(person: Person): void {
    if (this.#watchers.size === 0) return;
    const nick = this.#irc.names.nickOf(person);
    for (const session of this.watchersOf(person)) session.inform('RPL_MONOFFLINE', nick);
  }

  /** They are logged in, or not any more: those who share a room hear it there. */
  accountChanged(after: Person): void {
    if (this.#watchers.size === 0) return;
    const { names, options } = this.#irc;
    const params = [after.account ?? '*'];
    const said = {
      source: names.prefixOf(after),
      command: 'ACCOUNT',
      params,
      at: options.wall(),
      account: after.account,
    };
    for (const session of this.watchersOf(after)) {
      if (session.member?.person.id === after.id || !session.caps.has('extended-monitor')) continue;
      if (session.caps.has('account-notify') && session.isNew(after)) session.hear(said);
    }
  }

  /** One who only changes how the name is written is the same to those who wait. */
  renamed(before: Person, after: Person): void {
    const { names } = this.#irc;
    if (foldIrc(names.nickOf(before)) === foldIrc(names.nickOf(after))) return;
    this.went(before);
    this.came(after);
  }
}
