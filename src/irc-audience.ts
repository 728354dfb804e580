// Layer 3. The members of one room who are IRC clients. What is said is encoded once for each form in which they want it
// (with which tags), however many they are. What one has done itself goes to it alone, so that its label can be on it.

import type { Changed, HouseEvent, Invited, Joined, Left, Person, Post, Ruled, Signal, Titled } from './events.ts';
import { type Irc, type Said, timeOf } from './irc.ts';
import { VARIANT } from './irc-caps.ts';
import { messagesIn } from './irc-lines.ts';
import type { IrcSession } from './irc-session.ts';
import type { Audience, Member, Room } from './room.ts';
import type { Broadcast } from './session.ts';
import { encodeIrc, type IrcSent, type Tags } from './wire-irc.ts';

/** Those who get the same bytes. */
interface Group {
  readonly broadcast: Broadcast;
  size: number;
}

export class IrcAudience implements Audience {
  readonly room: Room;
  readonly #irc: Irc;
  readonly #sessionOf: (member: Member) => IrcSession;
  readonly #seated = new Map<string, IrcSession>();
  readonly #groups = new Map<number, Group>();
  /** The last post that was heard here. */
  #lastPost = 0;
  /** Whoever is about to be told what was said before, and the first post that it has heard itself. */
  readonly #listening = new Map<IrcSession, number>();

  constructor(irc: Irc, room: Room, sessionOf: (member: Member) => IrcSession) {
    this.#irc = irc;
    this.room = room;
    this.#sessionOf = sessionOf;
  }

  add(member: Member): void {
    const session = this.#sessionOf(member);
    this.#seated.set(member.person.id, session);
    this.#enrol(session, session.caps.variant);
    session.seated(this);
  }

  remove(member: Member): void {
    const session = this.#seated.get(member.person.id);
    if (!session) return;
    this.#seated.delete(member.person.id);
    this.#listening.delete(session);
    this.#strike(session, session.caps.variant);
    session.unseated(this, this.#lastPost);
  }

  /** It wants other tags from now on. */
  moved(session: IrcSession, before: number): void {
    this.#strike(session, before);
    this.#enrol(session, session.caps.variant);
  }

  hear(event: HouseEvent): void {
    switch (event.kind) {
      case 'post':
        return this.#post(event);
      case 'joined':
        return this.#joined(event);
      case 'left':
        return this.#left(event);
      case 'changed':
        return this.#changed(event);
      case 'ruled':
        return this.#ruled(event);
      case 'titled':
        return this.#titled(event);
      case 'signal':
        return this.#signal(event);
      case 'invited':
        return this.#invited(event);
    }
  }

  /** Which post that one hears first from now on: `endReplay` says so, infinity if none has come. */
  beginReplay(session: IrcSession): void {
    this.#listening.set(session, Number.POSITIVE_INFINITY);
  }

  endReplay(session: IrcSession): number {
    const first = this.#listening.get(session);
    this.#listening.delete(session);
    return first ?? Number.POSITIVE_INFINITY;
  }

  // --- what is heard ---------------------------------------------------------------------------------------

  #post(event: Post): void {
    this.#lastPost = event.id;
    for (const [session, first] of this.#listening) this.#listening.set(session, Math.min(first, event.id));
    const { who, at, text, notice, tags } = event;
    const own = this.#seated.get(who.id);
    const said = messagesIn({
      by: this.#irc.saidBy(who, at),
      command: notice ? 'NOTICE' : 'PRIVMSG',
      target: this.#irc.names.channelOf(this.room),
      text,
      isFromIrc: who.dialect === 'irc',
      msgid: this.#irc.msgidOf(event.id),
      client: tags,
    });
    for (const one of said) {
      this.#append(one, own);
      own?.echo(one);
    }
  }

  #joined(event: Joined): void {
    const { who, at } = event;
    const { names } = this.#irc;
    const own = this.#seated.get(who.id);
    const channel = names.channelOf(this.room);
    const said = this.#said({ source: names.prefixOf(who), command: 'JOIN', params: [channel] }, who, at);
    const joined = { ...said, extended: [who.account ?? '*', this.#irc.realNameOf(who)] };
    this.#append(joined, own);
    if (event.isOperator) {
      const params = [channel, '+o', names.nickOf(who)];
      this.#append(this.#said({ source: this.#irc.serverName, command: 'MODE', params }, undefined, at), own);
    }
    const away = this.#irc.awayOf(who);
    if (away !== undefined) {
      const line = this.#said({ source: names.prefixOf(who), command: 'AWAY', params: [away] }, who, at);
      this.#each((session) => session !== own && session.caps.has('away-notify') && session.hear(line));
    }
    own?.joined(this.room, joined);
  }

  #left(event: Left): void {
    const { who, at, by, quit, reason } = event;
    const { names } = this.#irc;
    const own = this.#seated.get(who.id);
    const channel = names.channelOf(this.room);
    if (by) {
      const params = [channel, names.nickOf(who), reason];
      const kick = this.#said({ source: names.prefixOf(by), command: 'KICK', params }, by, at);
      return this.#tellAll(kick, by);
    }
    const source = names.prefixOf(who);
    if (!quit) {
      const part = this.#said(
        { source, command: 'PART', params: reason === '' ? [channel] : [channel, reason] },
        who,
        at,
      );
      return this.#tellAll(part, who);
    }
    const line = this.#said({ source, command: 'QUIT', params: [reason] }, who, at);
    if (quit.length === 1) return this.#append(line, own);
    // who shares several rooms with them hears it once
    this.#each((session) => session !== own && session.isNew(quit) && session.hear(line));
  }

  #changed({ before, who, at }: Changed): void {
    const own = this.#seated.get(who.id);
    const source = this.#irc.names.prefixOf(before);
    if (before.name !== who.name) {
      const line = this.#said({ source, command: 'NICK', params: [this.#irc.names.nickOf(who)] }, who, at);
      this.#each((session) => session !== own && session.isNew(who) && session.hear(line));
    } else if (before.account !== who.account) {
      const line = this.#said({ source, command: 'ACCOUNT', params: [who.account ?? '*'] }, who, at);
      this.#each(
        (session) => session !== own && session.caps.has('account-notify') && session.isNew(who) && session.hear(line),
      );
    }
  }

  #ruled({ who, at, changes }: Ruled): void {
    const source = this.#irc.names.prefixOf(who);
    for (const params of this.#irc.modesOf(this.room, changes)) {
      this.#tellAll(this.#said({ source, command: 'MODE', params }, who, at), who);
    }
  }

  #titled({ who, at, text }: Titled): void {
    const params = [this.#irc.names.channelOf(this.room), text];
    this.#tellAll(this.#said({ source: this.#irc.names.prefixOf(who), command: 'TOPIC', params }, who, at), who);
  }

  #signal({ who, at, tags, id }: Signal): void {
    const own = this.#seated.get(who.id);
    const params = [this.#irc.names.channelOf(this.room)];
    const said = this.#said({ source: this.#irc.names.prefixOf(who), command: 'TAGMSG', params }, who, at);
    const full = { ...said, msgid: id, client: tags };
    this.#append(full, own, (variant) => (variant & VARIANT.tags) !== 0);
    own?.echo(full);
  }

  #invited({ who, whom, at }: Invited): void {
    const { names } = this.#irc;
    const params = [names.nickOf(whom), names.channelOf(this.room)];
    const line = this.#said({ source: names.prefixOf(who), command: 'INVITE', params }, who, at);
    const own = this.#seated.get(who.id);
    this.#each((session) => session !== own && session.caps.has('invite-notify') && session.hear(line));
  }

  // --- to whom ---------------------------------------------------------------------------------------------

  #said(message: IrcSent, who: Person | undefined, at: number): Said {
    return { ...message, at, account: who?.account, isBot: who && this.#irc.isBot(who) };
  }

  /** Who has done it, if that is one of these, hears it alone. */
  #tellAll(said: Said, by: Person): void {
    const own = this.#seated.get(by.id);
    this.#append(said, own);
    own?.tell(said);
  }

  #append(said: Said, except: IrcSession | undefined, isFor: (variant: number) => boolean = () => true): void {
    for (const [variant, { broadcast }] of this.#groups) {
      if (isFor(variant)) broadcast.append(encodeSaid(said, variant), except?.port);
    }
  }

  #each(work: (session: IrcSession) => unknown): void {
    for (const session of this.#seated.values()) work(session);
  }

  #enrol(session: IrcSession, variant: number): void {
    let group = this.#groups.get(variant);
    if (!group) {
      group = { broadcast: this.#irc.options.broadcast(), size: 0 };
      this.#groups.set(variant, group);
    }
    group.size++;
    group.broadcast.add(session.port);
  }

  #strike(session: IrcSession, variant: number): void {
    const group = this.#groups.get(variant);
    if (!group) return;
    group.broadcast.remove(session.port);
    if (--group.size === 0) this.#groups.delete(variant);
  }
}

/** As those want it who have asked for these tags. */
export function encodeSaid(said: Said, variant: number, more?: Tags): Uint8Array {
  const { source, command, params: plain = [], extended } = said;
  const params = extended && (variant & VARIANT.join) !== 0 ? [...plain, ...extended] : plain;
  if (variant === 0 && !more) return encodeIrc({ source, command, params });
  const { at, account, msgid, isBot, client } = said;
  const tags: Record<string, string> = { ...more };
  const hasAll = (variant & VARIANT.tags) !== 0;
  if (hasAll && msgid !== undefined) tags.msgid = msgid;
  if (hasAll && isBot) tags.bot = '';
  if ((variant & VARIANT.time) !== 0) tags.time = timeOf(at);
  if ((variant & VARIANT.account) !== 0 && account !== undefined) tags.account = account;
  // the server's come first: these may be as many as a line holds
  if (hasAll) Object.assign(tags, client);
  return encodeIrc({ source, command, params, tags });
}
