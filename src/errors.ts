// Layer 0. The two kinds of failure that are not bugs. Each carries a stable code; a dialect turns
// the code into a reply of its own. Anything else that is thrown is a bug and costs that connection alone.

/** What a codec can find wrong with a peer's bytes. */
export type ProtocolCode = 'malformed' | 'too-long';

/** The peer's bytes are not what the protocol says. Thrown by codecs, which stay broken after it. */
export class ProtocolError extends Error {
  readonly code: ProtocolCode;

  constructor(code: ProtocolCode, message: string) {
    super(message);
    this.name = 'ProtocolError';
    this.code = code;
  }
}

/** For a catch: anything else is a bug, and is thrown on. */
export function protocolError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  throw error;
}

/** Why the house refuses a request. */
export type HouseCode =
  | 'bad-name'
  | 'bad-room'
  | 'name-taken'
  | 'name-registered'
  | 'wrong-password'
  | 'room-password'
  | 'no-such-room'
  | 'not-in-room'
  | 'banned'
  | 'invite-only'
  | 'room-full'
  | 'moderated'
  | 'not-operator'
  | 'too-long'
  | 'not-allowed'
  | 'too-fast'
  | 'full'
  | 'not-saved'
  | 'bad-file'
  | 'no-such-file'
  | 'not-shared'
  | 'file-changed'
  | 'owner-gone'
  | 'stalled'
  | 'disk';

/** The house refuses a request that was well formed. Thrown by layer 2, told to the one who asked. */
export class HouseError extends Error {
  readonly code: HouseCode;

  constructor(code: HouseCode, message: string) {
    super(message);
    this.name = 'HouseError';
    this.code = code;
  }
}

/** With the time until it may be tried again. */
export function tooFast(why: string, waitMs: number): HouseError {
  return new HouseError('too-fast', `${why}: try again in ${Math.ceil(waitMs / 1000)} s`);
}
