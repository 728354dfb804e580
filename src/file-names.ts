// Layer 2. Which names files may have. A peer's file name is safe to join to a directory when it has passed
// here, and not before. Pure: knows no disk, and leaves the name as it is.

import { Buffer } from 'node:buffer';
import { HouseError } from './errors.ts';
import { UNFIT } from './names.ts';

/** `.part` and the number of a backup must fit behind it, and file systems end at 255. */
export const MAX_FILE_NAME_BYTES = 240;

/** Windows takes these for devices with any extension too, and blanks before it. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:[.:]|$)/i;
const UNFIT_ON_WINDOWS = /[<>:"|?*]/;

/** The name itself, or a HouseError that says what is wrong with it. */
export function checkFileName(name: string, windows = false): string {
  const fault = faultOf(name) ?? (windows ? faultOnWindows(name) : undefined);
  if (fault !== undefined) throw new HouseError('bad-file', fault);
  return name;
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'a file name is missing';
  if (Buffer.byteLength(name) > MAX_FILE_NAME_BYTES) return `a file name has at most ${MAX_FILE_NAME_BYTES} bytes`;
  if (UNFIT.test(name)) return 'a file name has no control characters';
  if (name.includes('/')) return 'a file name has no slash';
  if (name.includes('\\')) return 'a file name has no backslash';
  if (name === '.' || name === '..') return `${name} is a directory, not a file name`;
  if (name.startsWith('.')) return 'a file name does not begin with a dot';
  if (DEVICE.test(name)) return `${name} is the name of a device on Windows`;
  return undefined;
}

function faultOnWindows(name: string): string | undefined {
  if (UNFIT_ON_WINDOWS.test(name)) return 'a file name on Windows has none of < > : " | ? *';
  if (/[. ]$/.test(name)) return 'a file name on Windows does not end in a dot or a space';
  return undefined;
}
