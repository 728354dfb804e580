// Plays `parley-client gbn` for the integration tests: a receiver that waits, a sender, and what came of them.

import fs from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { clientCommand, Program, pause, temporaryDirectory } from './launch.ts';

export const MB = 1_000_000;
/** Long enough for a busy machine. */
export const LONG_MS = 30_000;
/** So slow that it can be cut: some 2 MB/s. */
export const SLOW = ['--window', '10', '--packet', '1000', '--delay', '5'];
/** Until silence ends it. */
export const SHORT = ['--timeout', '3'];

export function gbn(...args: string[]): Program {
  return new Program({ command: [...clientCommand(), 'gbn'], port: 'none', args });
}

export interface Receiver {
  readonly program: Program;
  readonly port: number;
  readonly dir: string;
}

export async function receiver(dir = temporaryDirectory(), ...args: string[]): Promise<Receiver> {
  const program = gbn('recv', '0', '--dir', dir, ...args);
  const [, port] = await program.printed(/^(?:ready udp=|\{"event":"ready","port":)(\d+)/m, LONG_MS);
  return { program, port: Number(port), dir };
}

export function file(content: Uint8Array, name = 'song.mp3'): string {
  const at = path.join(temporaryDirectory(), name);
  fs.writeFileSync(at, content);
  return at;
}

export function sender(from: string, port: number, ...args: string[]): Program {
  return gbn('send', from, `127.0.0.1:${port}`, ...args);
}

export async function done(...programs: Program[]): Promise<void> {
  for (const program of programs) {
    const { status } = await program.exit(LONG_MS);
    assert.is(status, 0, program.stderr);
  }
}

/** Its line of stderr. */
export async function failed(program: Program): Promise<string> {
  const { status } = await program.exit(LONG_MS);
  assert.is(status, 1, program.stderr);
  return /^parley-client: (.*)$/m.exec(program.stderr)?.[1] ?? '';
}

interface Told {
  readonly ok: boolean;
  readonly offset: number;
  readonly size: number;
  readonly verified?: boolean;
  readonly dropped: number;
}

export function told({ stdout }: Program): Told {
  return JSON.parse(stdout.trim().split('\n').at(-1) as string);
}

export function has(dir: string, name: string, content: Uint8Array): void {
  assert.ok(Buffer.compare(fs.readFileSync(path.join(dir, name)), content) === 0, `${name} has other bytes`);
}

/** Until so much of it is in the part. */
export async function cut(dir: string, name: string, bytes: number): Promise<void> {
  const part = path.join(dir, `${name}.part`);
  for (let tries = 0; tries < LONG_MS / 10; tries++) {
    if ((fs.statSync(part, { throwIfNoEntry: false })?.size ?? 0) >= bytes) return;
    await pause(10);
  }
  assert.unreachable('it does not get on');
}
