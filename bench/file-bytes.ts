// What the files of the benchmark consist of: a repeated block of random bytes, the same one in every process, so that
// a source sends from memory and a sink can tell whether each byte is the one that belongs there.
import { createCipheriv } from 'node:crypto';
import type { Socket } from 'node:net';

/** The name under which the owner of such files is known. */
export const OWNER = 'owner';

/** A prime: a piece that is lost, repeated or out of place does not go unnoticed. */
const PERIOD = 1_000_003;

const block = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(PERIOD));

/** The name says how large the file is: an owner of such files has them all. */
export function fileNameOf(size: number): string {
  return `bytes-${size}`;
}

export function sizeOf(fileName: string): number | undefined {
  const [, size] = /^bytes-(\d{1,15})$/.exec(fileName) ?? [];
  return size === undefined ? undefined : Number(size);
}

/** The bytes from `at` on, as many as there are in one piece; at most up to `to`. */
function piece(at: number, to: number): Uint8Array {
  const offset = at % PERIOD;
  return block.subarray(offset, Math.min(PERIOD, offset + to - at));
}

/** Are these the bytes that a file has at that place? */
export function matches(bytes: Uint8Array, at: number): boolean {
  for (let done = 0; done < bytes.length; ) {
    const expected = piece(at + done, at + bytes.length);
    if (Buffer.compare(expected, bytes.subarray(done, done + expected.length)) !== 0) return false;
    done += expected.length;
  }
  return true;
}

/** Writes a head and those bytes of a file as fast as they are taken. */
export function send(socket: Socket, head: string, from: number, to: number, sent: () => void): void {
  let at = from;
  const pump = (): void => {
    while (at < to) {
      const next = piece(at, to);
      at += next.length;
      if (!socket.write(next)) return;
    }
    socket.off('drain', pump);
    sent();
  };
  socket.on('drain', pump);
  if (socket.write(head)) pump();
}
