// Layer 3. The members of one dialect on this node, each with the session that speaks for it.

import type { Owner } from './backbone.ts';
import type { Whisper } from './events.ts';
import type { Audience, Member, Room, Tongue } from './room.ts';
import type { House } from './rooms.ts';
import type { Address } from './session.ts';

/** Of a dialect without connections: see `Tongue`. */
export interface Afar<S> {
  expel(session: S, reason: string): void;
  addressOf(session: S): Address;
}

export class Members<S> {
  readonly #house: House;
  readonly #tongue: Tongue;
  readonly #sessions = new Map<Member, S>();

  /**
   * `audience` makes what a room is heard by; it is told whose session is whose. `whisper` tells one alone, and says
   * whether it could.
   */
  constructor(
    house: House,
    dialect: string,
    audience: (room: Room, sessionOf: (member: Member) => S) => Audience,
    whisper: (session: S, whisper: Whisper) => boolean,
    afar?: Afar<S>,
  ) {
    this.#house = house;
    this.#tongue = {
      dialect,
      audience: (room) => audience(room, (member) => this.#sessionOf(member)),
      whisper: (member, heard) => whisper(this.#sessionOf(member), heard),
      ...(afar && {
        expel: (member, reason) => afar.expel(this.#sessionOf(member), reason),
        addressOf: (member) => afar.addressOf(this.#sessionOf(member)),
      }),
    };
  }

  /** A name that is taken becomes an alias, unless it is asked for `exactly`. */
  async enter(
    name: string,
    session: S,
    { owner, exactly = false }: { owner?: Owner | undefined; exactly?: boolean } = {},
  ): Promise<Member> {
    const member = await this.#house.enter(name, this.#tongue, exactly ? 'exactly' : 'aliased', owner);
    this.#sessions.set(member, session);
    return member;
  }

  quit(member: Member, reason: string): void {
    this.#house.quit(member, reason);
    this.#sessions.delete(member);
  }

  #sessionOf(member: Member): S {
    const session = this.#sessions.get(member);
    if (!session) throw new Error(`${member.person.name} has no session`);
    return session;
  }
}
