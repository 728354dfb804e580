// Layer 0. Who people are and what happens in rooms, as plain data that is the same on every node.

export interface Person {
  readonly id: string;
  /** The one name nobody else in the house has. */
  readonly name: string;
  /** What they call themselves; shown where their own dialect can't be told of another name. */
  readonly nick: string;
  readonly dialect: string;
}

/** In all of these, `room` is the room's key and `at` the time of day in milliseconds. */
export interface Joined {
  readonly kind: 'joined';
  readonly room: string;
  readonly who: Person;
  readonly at: number;
}

export interface Left {
  readonly kind: 'left';
  readonly room: string;
  readonly who: Person;
  readonly at: number;
  readonly reason: string;
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
}

/** What stands before a whisper where it looks like any other message. */
export const WHISPERED = '(to you alone) ';

/** Said to one person alone; `to` is that one's id. It is not kept. */
export interface Whisper {
  readonly kind: 'whisper';
  readonly to: string;
  readonly who: Person;
  readonly at: number;
  readonly text: string;
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

export type HouseEvent = Joined | Left | Post | Closing;

/** What a house publishes; the backbone gives posts their ids. */
export type Draft = Joined | Left | Omit<Post, 'id'>;
