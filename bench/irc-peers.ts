// IRC servers of others, as a benchmark starts them: on a free port of the loopback, without limits on what a client may
// send, with nothing that waits for the outside world (ident, DNS).
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Candidate } from './fanout-rounds.ts';
import type { Server } from './harness.ts';

const START_MS = 5000;

interface Peer {
  readonly name: string;
  readonly program: string;
  args(configFile: string): string[];
  config(port: number, dir: string): string;
}

const PEERS: readonly Peer[] = [
  {
    name: 'InspIRCd',
    program: '/usr/sbin/inspircd',
    args: (file) => ['--config', file, '--nofork', '--nopid', '--runasroot'],
    config: (port, dir) => `
<server name="bench.local" description="bench" network="bench" id="00B">
<admin name="bench" nick="bench" email="bench@bench.local">
<bind address="127.0.0.1" port="${port}" type="clients">
<path configdir="${dir}" datadir="${dir}" logdir="${dir}" runtimedir="${dir}">
<connect name="all" allow="*" timeout="20" pingfreq="300" hardsendq="100M" softsendq="100M" recvq="1M"
 threshold="1000000" commandrate="1000000000" fakelag="no" localmax="100000" globalmax="100000" maxchans="200"
 useident="no" resolvehostnames="no" maxconnwarn="no" limit="100000">
<performance softlimit="100000" somaxconn="4096" netbuffersize="65534" quietbursts="yes">
<options prefixquit="" defaultmodes="nt" splitwhois="no">
<limits maxnick="30" maxchan="64">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="${dir}/inspircd.log">
`,
  },
  {
    name: 'ngIRCd',
    program: '/usr/sbin/ngircd',
    args: (file) => ['--nodaemon', '--config', file],
    config: (port) => `
[Global]
Name = bench.local
Info = bench
Listen = 127.0.0.1
Ports = ${port}
MotdPhrase = bench
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 20
MaxPenaltyTime = 0
PingTimeout = 300
PongTimeout = 300
[Options]
Ident = no
DNS = no
PAM = no
RequireAuthPing = no
`,
  },
];

export function installedPeers(): Candidate[] {
  return PEERS.filter(({ program }) => existsSync(program)).map((peer) => ({
    name: peer.name,
    start: (dir) => start(peer, dir),
  }));
}

async function start({ name, program, args, config }: Peer, dir: string): Promise<Server> {
  const port = await freePort();
  const file = path.join(dir, `${name}.conf`);
  writeFileSync(file, config(port, dir));
  const child = spawn(program, args(file), { stdio: ['ignore', 'pipe', 'pipe'], detached: false });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
  }
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = () => {
    process.off('exit', kill);
    kill();
    return ended;
  };
  for (const until = performance.now() + START_MS; performance.now() < until; await sleep(20)) {
    if (child.exitCode !== null) break;
    if (await isOpen(port)) return { pid: child.pid as number, port, stop };
  }
  await stop();
  throw new Error(`${name} did not start: ${said.trim()}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
