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

export interface FirstMessages {
  /** The position behind them; the end of the bytes if there are no more. */
  readonly end: number;
  readonly count: number;
}

/** The first messages, `most` of them at most. */
export function firstMessages(dialect: string | undefined, bytes: Uint8Array, most: number): FirstMessages {
  const mostMarks = dialect === 'lab' ? most * LAB_LINES : most;
  let marks = 0;
  let end = 0;
  while (marks < mostMarks) {
    const at = nextMark(dialect, bytes, end);
    if (at === undefined) {
      end = bytes.length;
      break;
    }
    marks++;
    end = at;
  }
  return { end, count: countOf(dialect, marks) };
}

function countOf(dialect: string | undefined, marks: number): number {
  switch (dialect) {
    case 'lab':
      return Math.max(PIECE, marks / LAB_LINES);
    // classic clients of these may send no newline: one piece is one message
    case 'menu':
    case 'pipe':
      return Math.max(1, marks);
    default:
      return Math.max(PIECE, marks);
  }
}

/** The position behind what tells of the next message. */
function nextMark(dialect: string | undefined, bytes: Uint8Array, from: number): number | undefined {
  return dialect === 'lobby' ? behindHead(bytes, from) : behindLine(bytes, from);
}

/** A line may end with CR or LF, or both. It is not searched further than to its end: a read has thousands of lines. */
function behindLine(bytes: Uint8Array, from: number): number | undefined {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === LF || (byte === CR && bytes[at + 1] !== LF)) return at + 1;
  }
  return undefined;
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
