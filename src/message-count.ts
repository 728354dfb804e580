// Layer 1. About how many messages some bytes are, whatever pieces they come in: good enough to tell who sends too
// many. Each dialect begins or ends its messages by bytes that are found without decoding them. Pure.

import { CR, LF } from './wire.ts';

/** A message of `lab` has some lines. */
const LAB_LINES = 4;
/** What has no end in it is a piece of something, and costs some work all the same. */
const PIECE = 0.25;
/** A frame of `lobby` begins with four capitals and four digits. */
const LOBBY_LETTERS = 4;
const LOBBY_DIGITS = 4;

export function countMessages(dialect: string | undefined, bytes: Uint8Array): number {
  let found = 0;
  for (let at = nextMark(dialect, bytes, 0); at !== undefined; at = nextMark(dialect, bytes, at)) found++;
  switch (dialect) {
    case 'lab':
      return Math.max(PIECE, found / LAB_LINES);
    // classic clients of these may send no newline: one piece is one message
    case 'menu':
    case 'pipe':
      return Math.max(1, found);
    default:
      return Math.max(PIECE, found);
  }
}

/** So many bytes that there are at most `most` messages in them; all if there are no more. */
export function afterMessages(dialect: string | undefined, bytes: Uint8Array, most: number): number {
  let left = dialect === 'lab' ? most * LAB_LINES : most;
  for (let at = nextMark(dialect, bytes, 0); at !== undefined; at = nextMark(dialect, bytes, at)) {
    if (--left === 0) return at;
  }
  return bytes.length;
}

/** The position behind what tells of the next message. */
function nextMark(dialect: string | undefined, bytes: Uint8Array, from: number): number | undefined {
  if (dialect === 'lobby') return behindHead(bytes, from);
  const [lf, cr] = [bytes.indexOf(LF, from), bytes.indexOf(CR, from)];
  // a line may end with either, or both
  if (cr >= 0 && (lf < 0 || cr < lf - 1)) return cr + 1;
  return lf < 0 ? undefined : lf + 1;
}

function behindHead(bytes: Uint8Array, from: number): number | undefined {
  let letters = 0;
  let digits = 0;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const isLetter = byte >= 0x41 && byte <= 0x5a;
    const isDigit = byte >= 0x30 && byte <= 0x39;
    if (isDigit && letters >= LOBBY_LETTERS && ++digits === LOBBY_DIGITS) return at + 1;
    if (isLetter) letters = digits > 0 ? 1 : letters + 1;
    else if (!isDigit) letters = 0;
    if (!isDigit) digits = 0;
  }
  return undefined;
}
