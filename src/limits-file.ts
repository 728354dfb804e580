// Layer 5. The limits that a server works with: what its file says, then its command line.

import { type Limits, parseLimitsFile, readLimits, type Written } from './limits.ts';
import { readRegularFile } from './regular-file.ts';

/** Throws an Error that can be shown. */
export function readLimitsOf(options: { readonly limitsFile: string | undefined; readonly limits: Written }): Limits {
  const { limitsFile: file, limits } = options;
  if (file === undefined) return readLimits(limits);
  try {
    return readLimits(parseLimitsFile(readRegularFile(file)), limits);
  } catch (error) {
    throw new Error(`--limits ${file}: ${(error as Error).message}`, { cause: error });
  }
}
