// Layer 5. The limits that a server works with: what its file says, then its command line.

import { readFileSync } from 'node:fs';
import { type Limits, parseLimitsFile, readLimits, type Written } from './limits.ts';

const MAX_FILE_BYTES = 1024 * 1024;

/** Throws an Error that can be shown. */
export function readLimitsOf(options: { readonly limitsFile: string | undefined; readonly limits: Written }): Limits {
  const { limitsFile: file, limits } = options;
  if (file === undefined) return readLimits(limits);
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > MAX_FILE_BYTES) throw new Error('it is too long');
    return readLimits(parseLimitsFile(text), limits);
  } catch (error) {
    throw new Error(`--limits ${file}: ${(error as Error).message}`, { cause: error });
  }
}
