// Layer 1. About how many messages some bytes are, whatever pieces they come in: good enough to tell who sends too
// many. Each dialect ends its messages by a byte that is found without decoding them. Pure.

const NEWLINE = 0x0a;
const BRACE = 0x7d;
/** A message of `lab` has some lines. */
const LAB_LINES = 4;
/** What has no end in it is a piece of something, and costs some work all the same. */
const PIECE = 0.25;

export function countMessages(dialect: string | undefined, bytes: Uint8Array): number {
  const ends = count(bytes, endOf(dialect));
  switch (dialect) {
    case 'lab':
      return Math.max(PIECE, ends / LAB_LINES);
    // classic clients of these may send no newline: one piece is one message
    case 'menu':
    case 'pipe':
      return Math.max(1, ends);
    default:
      return Math.max(PIECE, ends);
  }
}

/** Where the first `most` messages end; the end of the bytes if there are no more. */
export function afterMessages(dialect: string | undefined, bytes: Uint8Array, most: number): number {
  const end = endOf(dialect);
  let left = dialect === 'lab' ? most * LAB_LINES : most;
  for (let at = bytes.indexOf(end); at >= 0; at = bytes.indexOf(end, at + 1)) if (--left === 0) return at + 1;
  return bytes.length;
}

function endOf(dialect: string | undefined): number {
  return dialect === 'lobby' ? BRACE : NEWLINE;
}

function count(bytes: Uint8Array, byte: number): number {
  let found = 0;
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) found++;
  return found;
}
