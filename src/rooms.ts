// Layer 2. The house: who is in it, which rooms there are, who hears what. Knows no dialect, no socket and
// no clock. It never waits for a member: an event is handed once to each audience (the members of a room
// that hear it in the same form), which encodes it once for all of them.

import type { Owner } from './backbone.ts';
import { HouseError } from './errors.ts';
import type {
  ClientTags,
  Deleted,
  Draft,
  HouseEvent,
  Invited,
  Left,
  Person,
  RuleChange,
  Signal,
  Whisper,
} from './events.ts';
import { DEFAULT_LIMITS, type HouseOptions, type Newcomer, type Saying, type Whispering } from './house-options.ts';
import { HouseRooms } from './house-rooms.ts';
import { isForKeeping } from './kept-whispers.ts';
import { checkName, MAIN_ROOM, nameKey } from './names.ts';
import { People, type Watcher } from './people.ts';
import { Member, type Pass, type Room, type Tongue } from './room.ts';
import { checkEntry, checkInvitation, checkKick, checkOperator, checkSpeech, checkTitle } from './room-rights.ts';
import type { MaskMatcher } from './room-rules.ts';
import { WornNames } from './worn-names.ts';

export type { HouseOptions, Limits, Newcomer, Saying, Whispering } from './house-options.ts';
export { DEFAULT_LIMITS } from './house-options.ts';

export class House extends HouseRooms {
  readonly #onBug: (error: unknown) => void;
  readonly #matches: MaskMatcher;
  readonly #people: People;
  readonly #names: WornNames;
  #nextPerson = 1;
  #nextId = 1;
  /** When this run of the server began: ids of others begin otherwise. */
  readonly #began: string;
  /** Under way: they count, or many at once would pass the limits. */
  #entering = 0;
  #closed = false;

  constructor({ backbone, wall, onBug, limits, maskMatches = isNamed }: HouseOptions) {
    super(backbone, wall, { ...DEFAULT_LIMITS, ...limits });
    this.#onBug = onBug;
    this.#began = wall().toString(36);
    this.#matches = maskMatches;
    this.#people = new People(backbone.node, onBug);
    this.#names = new WornNames(backbone);
    backbone.listen((event) => this.#hear(event));
  }

  // --- people ----------------------------------------------------------------------------------------------

  get people(): number {
    return this.#people.size;
  }

  /** Those of this node. */
  members(): Iterable<Member> {
    return this.#people.members();
  }

  member(id: string): Member | undefined {
    return this.#people.member(id);
  }

  memberNamed(name: string): Member | undefined {
    return this.#people.named(name);
  }

  /** Of any node; those of others as long as they are in a room. */
  personNamed(name: string): Person | undefined {
    return this.#people.personNamed(name);
  }

  personById(id: string): Person | undefined {
    return this.#people.personById(id);
  }

  watch(watcher: Watcher): void {
    this.#people.watch(watcher);
  }

  /**
   * A person comes in. A taken name is refused (`exactly`) or becomes `name~2` for the others (`aliased`):
   * that is for dialects which can't refuse one. The name of an account or a contact is for its owner only.
   */
  async enter(
    nick: string,
    tongue: Tongue,
    as: 'exactly' | 'aliased',
    owner?: Owner,
    newcomer: Newcomer = {},
  ): Promise<Member> {
    const asked = checkName(nick);
    if (this.#people.size + this.#entering >= this.limits.people) throw new HouseError('full', 'the server is full');
    this.#entering++;
    try {
      const { name, key } = await this.#names.claim(asked, as, owner);
      const id = `${this.backbone.node}.${this.#nextPerson++}`;
      const { host, account = owner === 'account' ? name : undefined } = newcomer;
      const member = new Member(personOf({ id, name, nick: asked, dialect: tongue.dialect }, host, account), tongue);
      this.#people.add(member, key);
      return member;
    } finally {
      this.#entering--;
    }
  }

  /** Throws where somebody of that name is not welcome. */
  admit(_name: string): void {}

  /** The same for somebody who has logged in and may never enter; what is returned is to be called when that is over. */
  logIn(_name: string): () => void {
    return () => {};
  }

  /** The person leaves every room and the house. */
  quit(member: Member, reason: string): void {
    const leave = () => {
      const rooms = [...member.rooms.values()];
      const quit = rooms.map(({ key }) => key);
      for (const room of rooms) this.#leave(member, room, { reason, quit });
    };
    if (this.#people.remove(member, reason, leave)) this.#names.release(member.person);
  }

  /** Exactly that name from now on: `name-taken`, `name-registered`, `bad-name`. */
  async rename(member: Member, nick: string, owner?: Owner): Promise<void> {
    const asked = checkName(nick);
    const { person } = member;
    if ((asked === person.name && asked === person.nick) || !this.#isThere(member)) return;
    if (nameKey(asked) === nameKey(person.name)) this.#names.respell(person, asked);
    else {
      await this.#names.claim(asked, 'exactly', owner);
      const isThere = this.#isThere(member);
      this.#names.release(isThere ? member.person : { name: asked, nick: asked });
      if (!isThere) return;
    }
    this.#become(member, { ...member.person, name: asked, nick: asked });
  }

  /** The name of the account that they are logged in to, or none. */
  setAccount(member: Member, account: string | undefined): void {
    const { account: before, ...person } = member.person;
    if (before === account || !this.#isThere(member)) return;
    this.#become(member, account === undefined ? person : { ...person, account });
  }

  // --- in and out ------------------------------------------------------------------------------------------

  /** `isFounder`: they are an operator of it from the first moment; that is for `found` to say. */
  join(member: Member, room: Room, pass?: Pass, isFounder = false): void {
    if (member.rooms.has(room.key)) return;
    if (!this.#isThere(member)) throw new HouseError('not-allowed', 'you have left');
    checkEntry(member, room, pass, this.#matches);
    this.#checkThere(room);
    if (member.rooms.size >= this.limits.roomsEach) {
      throw new HouseError('not-allowed', `nobody is in more than ${this.limits.roomsEach} rooms`);
    }
    const isOperator = isFounder || room.isOwnedBy(member.person);
    member.rooms.set(room.key, room);
    const joined = { kind: 'joined', room: room.key, who: member.person, at: this.wall() } as const;
    this.#publish(isOperator ? { ...joined, isOperator } : joined);
  }

  /** The same; whoever finds it empty becomes its operator, unless it is somebody's or everybody's. */
  found(member: Member, room: Room, pass?: Pass): void {
    const isFree = room.people.size === 0 && room.settings.owner === undefined && room.key !== MAIN_ROOM;
    this.join(member, room, pass, isFree);
  }

  leave(member: Member, room: Room, reason: string): void {
    this.#leave(member, room, { reason });
  }

  /** Puts somebody out: `not-operator`, `not-in-room`, `not-allowed`. */
  kick(by: Member, room: Room, whom: Person, reason: string): void {
    checkKick(by, room, whom);
    this.#people.member(whom.id)?.rooms.delete(room.key);
    const who = room.people.get(whom.id) ?? whom;
    this.#publish({ kind: 'left', room: room.key, who, at: this.wall(), reason, by: by.person });
  }

  /** Asks somebody in, who is told; if an operator asks, nothing keeps that one out. */
  invite(by: Member, room: Room, whom: Person): void {
    checkInvitation(by, room);
    if (room.people.has(whom.id)) throw new HouseError('not-allowed', `${whom.name} is in ${room.name} already`);
    const isFromOperator = by.isWarden || room.rules.isOperator(by.person.id);
    const invited = { kind: 'invited', room: room.key, at: this.wall(), who: by.person, whom } as const;
    this.#publish(isFromOperator ? { ...invited, isFromOperator } : invited);
  }

  // --- what rules in a room --------------------------------------------------------------------------------

  /** What of that really changed something: `not-operator`, `not-in-room`. */
  rule(by: Member, room: Room, changes: readonly RuleChange[]): RuleChange[] {
    checkOperator(by, room);
    this.#checkThere(room);
    return this.#rule(by.person, room, changes);
  }

  /** What the room is about: `not-operator`, `not-in-room`, `too-long`. */
  title(by: Member, room: Room, text: string): void {
    checkTitle(by, room, text);
    this.#checkThere(room);
    this.#publish({ kind: 'titled', room: room.key, at: this.wall(), who: by.person, text });
  }

  // --- what is said ----------------------------------------------------------------------------------------

  /** `not-in-room`, `moderated`, `too-long`. Who is not in the room may speak where it is not for members only. */
  say(member: Member, room: Room, text: string, { stamp, notice, tags }: Saying = {}): void {
    checkSpeech(member, room, this.#matches);
    if (text.length > this.limits.textChars) throw new HouseError('too-long', 'the message is too long');
    const isOutside = this.#isOutside(member, room);
    this.list.used(room);
    const { isConfidential } = room;
    const post = { kind: 'post', room: room.key, who: member.person, at: this.wall(), text } as const;
    const isPlain = stamp === undefined && !notice && tags === undefined && !isOutside && !isConfidential;
    if (isPlain) return this.#publish(post);
    this.#publish({
      ...post,
      ...(stamp !== undefined && { stamp }),
      ...(notice && { notice }),
      ...(tags !== undefined && { tags }),
      ...(isOutside && { isOutside }),
      ...(isConfidential && { isConfidential }),
    });
  }

  /** What is no post is refused like one. */
  checkSpeech(member: Member, room: Room): void {
    checkSpeech(member, room, this.#matches);
  }

  /** Tags without a text; returns the id. */
  signal(member: Member, room: Room, tags: ClientTags): string {
    checkSpeech(member, room, this.#matches);
    const isOutside = this.#isOutside(member, room);
    const id = this.newId();
    const signal = { kind: 'signal', room: room.key, at: this.wall(), who: member.person, tags, id } as const;
    this.#publish(isOutside ? { ...signal, isOutside } : signal);
    return id;
  }

  /** To one person of this node alone; undefined when that one can't be told. Who of the two has an account keeps it. */
  whisper(from: Member, to: Person, text: string, { isPassing, ...more }: Whispering = {}): Whisper | undefined {
    const whom = this.#people.member(to.id);
    if (!whom || text.length > this.limits.textChars) return undefined;
    const isKept = !isPassing && this.limits.whisperMs > 0 && isForKeeping(from.person, whom.person) && !this.#closed;
    if (!isKept) return this.#whisper(from.person, whom, text, more);
    const keptAs = this.backbone.nextId();
    const whisper = this.#whisper(from.person, whom, text, more, keptAs);
    if (whisper) this.backbone.keepWhisper({ ...whisper, id: keptAs, to: whom.person });
    return whisper;
  }

  /** The same with tags and no text. */
  signalTo(from: Member, to: Person, tags: ClientTags, id: string = this.newId()): boolean {
    const member = this.#people.member(to.id);
    const signal: Signal = { kind: 'signal', room: '', at: this.wall(), who: from.person, tags, id };
    return member?.tongue.signal?.(member, signal) ?? false;
  }

  /** Of a whisper or a signal: no other one has it, also after the server was started again. */
  newId(): string {
    return `w${this.backbone.node}-${this.#began}-${this.#nextId++}`;
  }

  /** Tells everybody here that the server is going down. Nothing is published afterwards. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    const at = this.wall();
    for (const room of this.list.all.values()) {
      room.hear({ kind: 'closing', room: room.key, at, reason }, this.#onBug);
    }
  }

  // --- what the backbone tells -----------------------------------------------------------------------------

  #publish(draft: Draft): void {
    if (!this.#closed) this.backbone.publish(draft);
  }

  #hear(event: HouseEvent | Deleted): void {
    const room = this.list.get(event.room);
    if (!room) return;
    if (event.kind === 'deleted') return this.#deleted(room, event);
    if (event.kind !== 'post') this.#before(room, event);
    room.hear(event, this.#onBug);
    if (event.kind === 'left') this.#left(room, event);
    if (event.kind === 'invited') this.#invited(room, event);
  }

  /** The room is as it will be when its audiences hear of it; but who has left is still in it. */
  #before(room: Room, event: HouseEvent): void {
    switch (event.kind) {
      case 'joined': {
        const member = this.#people.member(event.who.id);
        room.people.set(event.who.id, event.who);
        room.rules.came(event.who.id, event.isOperator === true);
        this.list.entered(room);
        if (member) room.seat(member);
        break;
      }
      case 'changed':
        if (room.people.has(event.who.id)) room.people.set(event.who.id, event.who);
        break;
      case 'ruled':
        for (const change of event.changes) room.rule(change, event.who.name, event.at);
        if (event.changes.some(isKept)) this.#keep(room);
        break;
      case 'titled':
        room.title(event);
        this.#keep(room);
        break;
      case 'invited':
        if (event.isFromOperator) room.rules.ask(event.whom.id);
    }
    this.#people.heard(event);
  }

  #left(room: Room, { who, by, at }: Left): void {
    // put out by somebody of another node; who goes by themselves may be on their way in again
    if (by && !this.#people.isOurs(by.id)) this.#people.member(who.id)?.rooms.delete(room.key);
    room.people.delete(who.id);
    room.rules.left(who.id);
    room.unseat(who.id);
    if (room.people.size > 0) return;
    this.list.emptied(room);
    if (room.reopen(at)) this.#keep(room);
  }

  #invited({ name }: Room, event: Invited): void {
    const { who, whom } = event;
    const member = this.#people.member(whom.id);
    if (!member || member.tongue.invited?.(member, event)) return;
    this.#whisper(who, member, `${who.name} invites you to the room ${name}`);
  }

  #deleted(room: Room, { at }: Deleted): void {
    for (const who of room.people.values()) {
      this.#people.member(who.id)?.rooms.delete(room.key);
      this.#hear({ kind: 'left', room: room.key, who, at, reason: 'the room was deleted' });
    }
    this.list.deleted(room);
  }

  // --- one step each ---------------------------------------------------------------------------------------

  #leave(member: Member, room: Room, how: Pick<Left, 'reason' | 'quit'>): void {
    if (!member.rooms.delete(room.key)) return;
    this.#publish({ kind: 'left', room: room.key, who: member.person, at: this.wall(), ...how });
  }

  #become(member: Member, who: Person): void {
    const before = member.person;
    this.#people.replace(member, who);
    for (const room of member.rooms.values()) {
      this.#publish({ kind: 'changed', room: room.key, at: this.wall(), before, who });
      if (room.isOwnedBy(who)) this.#rule(who, room, [{ isAdded: true, rule: 'operator', param: who.id }]);
    }
  }

  #rule(who: Person, room: Room, changes: readonly RuleChange[]): RuleChange[] {
    const at = this.wall();
    const those = changes.filter((change) => room.rule(change, who.name, at));
    if (those.length === 0) return those;
    this.#publish({ kind: 'ruled', room: room.key, at, who, changes: those });
    return those;
  }

  #whisper(
    who: Person,
    member: Member,
    text: string,
    { notice, tags, id = this.newId() }: Whispering = {},
    keptAs?: number,
  ): Whisper | undefined {
    const kept = keptAs !== undefined && { keptAs };
    const more = { ...(notice && { notice }), ...(tags !== undefined && { tags }), ...kept };
    const whisper: Whisper = { kind: 'whisper', to: member.person.id, who, at: this.wall(), text, id, ...more };
    return member.tongue.whisper?.(member, whisper) ? whisper : undefined;
  }

  #keep(room: Room): void {
    this.backbone.keepRules(room.key, room.settings, room.rules.kept());
  }

  /** Who has quit meanwhile stays who they were. */
  #isThere(member: Member): boolean {
    return this.#people.member(member.person.id) === member;
  }

  #isOutside(member: Member, room: Room): boolean {
    if (member.rooms.has(room.key)) return false;
    this.#checkThere(room);
    return true;
  }

  #checkThere(room: Room): void {
    if (this.list.get(room.key) !== room) throw new HouseError('no-such-room', `${room.name} is gone`);
  }
}

/** Literals, each with what it has: there are many of them, and they stay as they are. */
function personOf({ id, name, nick, dialect }: Person, host: string | undefined, account: string | undefined): Person {
  if (host === undefined) {
    return account === undefined ? { id, name, nick, dialect } : { id, name, nick, dialect, account };
  }
  return account === undefined ? { id, name, nick, dialect, host } : { id, name, nick, dialect, host, account };
}

/** Who is an operator, or has a voice, is so until they leave. */
function isKept({ rule }: RuleChange): boolean {
  return rule !== 'operator' && rule !== 'voice';
}

function isNamed(mask: string, { name }: Person): boolean {
  return nameKey(mask) === nameKey(name);
}
