// Layer 5. Tells systemd that the server is ready, where it asks. There are no datagrams on Unix sockets in Node, so
// its own program does it.

import { spawn } from 'node:child_process';
import type { Log } from './log.ts';

export function tellReady(log: Log, env = process.env): void {
  if (env.NOTIFY_SOCKET === undefined) return;
  const program = spawn('systemd-notify', ['--ready', '--status=serving'], { stdio: 'ignore', env });
  program.on('error', ({ message }) => log('warn', 'systemd was not told', { reason: message }));
  program.on('exit', (status) => {
    if (status !== 0) log('warn', 'systemd was not told', { status: status ?? undefined });
  });
}
