// Who the tests of files are about: people with a parley-client in a directory of their own, and plain HTTP.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import * as assert from 'uvu/assert';
import { clientCommand, Program, pause, temporaryDirectory } from './launch.ts';

export const MB = 1_000_000;

export interface User {
  readonly program: Program;
  readonly name: string;
  readonly dir: string;
}

/** Somebody who is in, in a directory of their own unless told. */
export async function enter(
  port: number,
  name: string,
  options: { dir?: string; args?: string[] } = {},
): Promise<User> {
  const dir = options.dir ?? temporaryDirectory();
  const command = [...clientCommand(), '-l', '0', '-p', String(port), '--host', '127.0.0.1', '--dir', dir];
  const program = new Program({ command: [...command, ...(options.args ?? [])], port: 'none' });
  program.type(`${name}\n`);
  await program.printed(/e\(X\)it\n/);
  return { program, name, dir };
}

export function put(user: User, file: string, content: Uint8Array | string): Uint8Array {
  fs.writeFileSync(path.join(user.dir, file), content);
  return Buffer.from(content);
}

export function ask(user: User, owner: string, file: string): void {
  user.program.type(`f\n${owner}\n${file}\n`);
}

/** The file stands there, whole. */
export async function has(user: User, file: string, content: Uint8Array, ms = 10_000): Promise<void> {
  const at = path.join(user.dir, file);
  const until = performance.now() + ms;
  while (!fs.existsSync(at)) {
    assert.ok(performance.now() < until, `${file} did not come: ${user.program.stdout.slice(-500)}`);
    await pause(10);
  }
  assert.is(sha256(fs.readFileSync(at)), sha256(content), `${file} is another`);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function sizeOf(user: User, file: string): number {
  return fs.statSync(path.join(user.dir, file), { throwIfNoEntry: false })?.size ?? 0;
}

export async function until(what: string, isTrue: () => boolean, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!isTrue()) {
    assert.ok(performance.now() < end, `${what} did not happen`);
    await pause(5);
  }
}

/** How many bytes went through the server for each request, as its log has it. */
export function relayed(server: Program): number[] {
  return [...server.stderr.matchAll(/ file .*method=GET.* bytes=(\d+)/g)].map(([, bytes]) => Number(bytes));
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

export function raw(
  port: number,
  method: string,
  target: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path: target, headers, agent: false });
    request.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('end', () => {
        const body = Buffer.concat(pieces).toString('latin1');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}
