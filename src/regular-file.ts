// Layer 4. A small file that an operator has named, as text. Read while people are served: what never ends, or blocks
// (a pipe, a device), is refused, not waited for.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const MAX_BYTES = 1024 * 1024;

/** Throws an Error of the system's, or one whose message can be shown. */
export function readRegularFile(file: string): string {
  // without that, to open a pipe is to wait for who writes into it; elsewhere there is none such
  const fd = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' });
    if (!stat.isFile()) throw new Error('it is not a regular file');
    if (stat.size > MAX_BYTES) throw new Error('it is too long');
    return readText(fd);
  } finally {
    closeSync(fd);
  }
}

/** It may grow meanwhile. */
function readText(fd: number): string {
  const bytes = Buffer.alloc(MAX_BYTES + 1);
  let length = 0;
  for (let read = -1; read !== 0 && length < bytes.length; length += read) {
    read = readSync(fd, bytes, length, bytes.length - length, null);
  }
  if (length > MAX_BYTES) throw new Error('it is too long');
  return bytes.toString('utf8', 0, length);
}
