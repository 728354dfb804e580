// Layer 0. Who people are and what happens in rooms, as plain data that is the same on every node.

export interface Person {
  readonly id: string;
  /** The one name nobody else in the house has. */
  readonly name: string;
  /** What they call themselves; shown where their own dialect can't be told of another name. */
  readonly nick: string;
  readonly dialect: string;
  /** Where they come from: an IP address as text. */
  readonly host?: string;
  /** The name of the account that they are logged in to. */
  readonly account?: string;
}

/** What members may send along with a message, by name; others are given it as it is. */
export type ClientTags = Readonly<Record<string, string>>;

/** In all of these, `room` is the room's key and `at` the time of day in milliseconds. */
export interface Joined {
  readonly kind: 'joined';
  readonly room: string;
  readonly who: Person;
  readonly at: number;
  /** An operator of the room from the first moment: they found it empty, or own it. */
  readonly isOperator?: true;
}

export interface Left {
  readonly kind: 'left';
  readonly room: string;
  readonly who: Person;
  readonly at: number;
  readonly reason: string;
  /** They were put out by that one. */
  readonly by?: Person;
  /** They leave the house: the keys of all the rooms that they leave by that, in the order of the events. */
  readonly quit?: readonly string[];
}

export interface Post {
  readonly kind: 'post';
  readonly id: number;
  readonly room: string;
  readonly who: Person;
  readonly at: number;
  readonly text: string;
  /** What the sender's own clock showed, where its dialect says so; only that dialect shows it. */
  readonly stamp?: string;
  /** Not to be answered by a machine. */
  readonly notice?: true;
  readonly tags?: ClientTags;
  /** Said by somebody who is not in the room. */
  readonly isOutside?: true;
  /** Said where not everybody could come in: it is not for those who come when everybody can. */
  readonly isConfidential?: true;
}

/** Another name, or another account; in the room's people it is `who` already. The id is the same. */
export interface Changed {
  readonly kind: 'changed';
  readonly room: string;
  readonly at: number;
  readonly before: Person;
  readonly who: Person;
}

/** What is switched on and off in a room. */
export type Flag = 'inviteOnly' | 'moderated' | 'membersOnly' | 'secret' | 'topicLocked';
/** Lists of those who may not come in or speak, who may all the same, and who are as good as invited. */
export type MaskKind = 'ban' | 'exempt' | 'invited';
export type Rule = 'operator' | 'voice' | MaskKind | Flag | 'limit' | 'key';

export interface RuleChange {
  readonly isAdded: boolean;
  readonly rule: Rule;
  /**
   * The id of a person (operator, voice), the text of a mask, how many may be in (limit), or the hash of a password
   * (key). The last two have none where they are taken away.
   */
  readonly param?: string | number | undefined;
}

/** Others may do other things now. */
export interface Ruled {
  readonly kind: 'ruled';
  readonly room: string;
  readonly at: number;
  readonly who: Person;
  readonly changes: readonly RuleChange[];
}

/** The room's description is another; '' takes it away. */
export interface Titled {
  readonly kind: 'titled';
  readonly room: string;
  readonly at: number;
  readonly who: Person;
  readonly text: string;
}

/** Tags without a text, as "is typing". Not kept. */
export interface Signal {
  readonly kind: 'signal';
  readonly room: string;
  readonly at: number;
  readonly who: Person;
  readonly tags: ClientTags;
  readonly id: string;
  readonly isOutside?: true;
}

export interface Invited {
  readonly kind: 'invited';
  readonly room: string;
  readonly at: number;
  readonly who: Person;
  readonly whom: Person;
  /** Whatever is closed to others is open to them: an operator of the room asks. */
  readonly isFromOperator?: true;
}

/** What stands before a whisper where it looks like any other message. */
export const WHISPERED = '(to you alone) ';

/** Said to one person alone; `to` is that one's id. */
export interface Whisper {
  readonly kind: 'whisper';
  readonly to: string;
  readonly who: Person;
  readonly at: number;
  readonly text: string;
  /** No other whisper of this node has it. */
  readonly id: string;
  /** Its id where it is kept: no other whisper, and no post, has it. */
  readonly keptAs?: number;
  readonly notice?: true;
  readonly tags?: ClientTags;
}

/** A whisper as it is read later. */
export interface KeptWhisper {
  readonly id: number;
  readonly who: Person;
  /** Of whom it was said to. */
  readonly to: Pick<Person, 'name' | 'account'>;
  readonly at: number;
  readonly text: string;
  readonly notice?: true;
  readonly tags?: ClientTags;
}

/** The server is going down; told to the members of one node. */
export interface Closing {
  readonly kind: 'closing';
  readonly room: string;
  readonly at: number;
  readonly reason: string;
}

/** The room is gone, with all that was said in it. Those who were in it hear that each of them has left. */
export interface Deleted {
  readonly kind: 'deleted';
  readonly room: string;
  readonly at: number;
}

/** What is no post comes back from the backbone as it was published. */
export type Happening = Joined | Left | Changed | Ruled | Titled | Signal | Invited;

export type HouseEvent = Happening | Post | Closing;

/** What a house publishes; the backbone gives posts their ids. */
export type Draft = Happening | Omit<Post, 'id'>;
