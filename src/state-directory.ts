// Layer 5. Where a server keeps its files unless told, and where the client looks for a server of this user.

import os from 'node:os';
import path from 'node:path';

export function stateDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const state = env.XDG_STATE_HOME;
  const base = state && path.isAbsolute(state) ? state : path.join(os.homedir(), '.local', 'state');
  return path.join(base, 'parley');
}

/** The admin socket of a server stands beside its database. */
export function socketBeside(data: string): string {
  return `${data.replace(/\.db$/, '')}.sock`;
}
