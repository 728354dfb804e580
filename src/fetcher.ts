// Layer 4. Files that this client asked for: HTTP from the server (or straight from the owner) into a Landing.
// What is cut goes on from where it stopped, a few times; what stalls, or is refused, ends with one reason.

import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import type { Fetched, GivenUp } from './client-menu.ts';
import type { Disk } from './disk.ts';
import { HouseError } from './errors.ts';
import {
  DIRECT,
  FROM_HEADER,
  filePath,
  PREFIX_HEADER,
  pathParts,
  readContentRange,
  readDigest,
  TICKET_HEADER,
} from './http-files.ts';
import { Landing, type Locks } from './landing.ts';
import { codeOf, STALL_MS } from './offers.ts';
import { printable } from './printable.ts';
import { Progress } from './progress.ts';
import { StallWatch } from './stall.ts';
import { requestOptions, type Server } from './tls-client.ts';

/** After the first try; the waits between them double. */
const RETRIES = 5;
const FIRST_WAIT_MS = 500;
/** The others wait for their turn. */
const MAX_AT_ONCE = 32;
/** So much is written to the disk at once. */
const WRITE_BYTES = 1024 * 1024;
const CONNECT_MS = 3000;
const TICK_MS = 1000;
const MAX_REASON_BYTES = 1000;
/** A connection that breaks after so much silence was stalled: the other side's clock is ahead of ours. */
const NEARLY_STALLED_MS = STALL_MS * 0.8;

/** It broke off, and may go on. */
class Cut extends Error {}

export interface FetcherOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly locks: Locks;
  readonly server: Server;
  /** Under what a file is to be here; as it is there unless told. */
  nameFor?(file: string): Promise<string>;
  /** Ask owners directly where they can be reached. */
  readonly direct: boolean;
  /** What proves membership, as soon as there is a connection. */
  token(): Promise<string>;
}

export class Fetcher {
  readonly #options: FetcherOptions;
  /** With the landing, once there is one. */
  readonly #active = new Map<Progress, { readonly file: string; readonly landing?: Landing }>();
  readonly #waiting: Array<() => void> = [];
  #running = 0;
  /** The last fetch of each name: two that land in one place come one after the other. */
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  get active(): Iterable<Progress> {
    return this.#active.keys();
  }

  /** How far those are that are on their way; what is written stays for the next request. */
  get unfinished(): GivenUp[] {
    return [...this.#active.values()].map(({ file, landing }) => ({
      file,
      bytes: landing?.length ?? 0,
      path: landing?.partPath,
    }));
  }

  /** Never throws: what went wrong is in the answer. */
  async fetch(owner: string, file: string): Promise<Fetched> {
    const progress = new Progress(printable(`${file} from ${owner}`), performance.now());
    progress.note = 'waiting';
    this.#active.set(progress, { file });
    const before = this.#last.get(file);
    const work = this.#inTurn(before, () => this.#run(owner, file, progress));
    this.#last.set(file, work);
    try {
      return { kind: 'arrived', owner, file, ...(await work) };
    } catch (error) {
      return { kind: 'failed', owner, file, reason: reasonOf(error) };
    } finally {
      this.#active.delete(progress);
      if (this.#last.get(file) === work) this.#last.delete(file);
    }
  }

  async #inTurn<T>(before: Promise<unknown> | undefined, work: () => Promise<T>): Promise<T> {
    await before?.catch(() => {});
    if (this.#running >= MAX_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #run(owner: string, file: string, progress: Progress): Promise<Arrival> {
    const { disk, directory, locks, nameFor } = this.#options;
    const started = performance.now();
    const name = (await nameFor?.(file)) ?? file;
    const landing = await Landing.open({ disk, directory, name, locks, windows: process.platform === 'win32' });
    this.#active.set(progress, { file, landing });
    try {
      const transfer = new Transfer(this.#options, landing, owner, file, progress);
      const { path, kept } = await this.#withRetries(transfer, progress);
      return { path, kept, bytes: progress.done, ms: performance.now() - started };
    } finally {
      await landing.close();
    }
  }

  async #withRetries(transfer: Transfer, progress: Progress): Promise<{ path: string; kept?: string }> {
    for (let tries = 0; ; tries++) {
      try {
        return await transfer.run(tries > 0);
      } catch (error) {
        if (!(error instanceof Cut)) throw error;
        if (tries >= RETRIES)
          throw new HouseError('stalled', `${error.message}; what has come is kept for the next try`);
        const waitMs = FIRST_WAIT_MS * 2 ** tries;
        progress.note = `${error.message}; again in ${Math.ceil(waitMs / 1000)} s`;
        await pause(waitMs);
      }
    }
  }
}

interface Arrival {
  readonly path: string;
  readonly kept: string | undefined;
  readonly bytes: number;
  readonly ms: number;
}

/** One file on its way into its landing. */
class Transfer {
  readonly #options: FetcherOptions;
  readonly #landing: Landing;
  readonly #owner: string;
  readonly #file: string;
  readonly #progress: Progress;
  /** Not where it failed once. */
  #direct: boolean;

  constructor(options: FetcherOptions, landing: Landing, owner: string, file: string, progress: Progress) {
    this.#options = options;
    this.#landing = landing;
    this.#owner = owner;
    this.#file = file;
    this.#progress = progress;
    this.#direct = options.direct;
  }

  /** One try; throws Cut where another one may help. */
  async run(isRetry: boolean): Promise<{ path: string; kept?: string }> {
    this.#progress.note = 'asking';
    const answer = await this.#get(isRetry);
    const digest = (await this.#take(answer)) ?? (await this.#askDigest());
    return this.#finish(digest);
  }

  async #get(isRetry: boolean): Promise<IncomingMessage> {
    const { length } = this.#landing;
    const resume: OutgoingHttpHeaders =
      length > 0 ? { Range: `bytes=${length}-`, [PREFIX_HEADER]: this.#landing.prefixDigest() } : {};
    const answer = await this.#ask('GET', { ...resume, ...(this.#direct ? { Prefer: DIRECT } : {}) });
    const status = answer.statusCode ?? 0;
    if (status === 200 || status === 206 || status === 416) return answer;
    if (status === 307 && this.#direct) return this.#getDirectly(answer, isRetry);
    const reason = await readLine(answer);
    // who was there a moment ago, and its owner, may come back
    const isPassing = [401, 409, 429, 500, 502, 503].includes(status) || (isRetry && status === 404);
    throw isPassing ? new Cut(reason) : new HouseError(codeOf(status), reason);
  }

  async #getDirectly(redirect: IncomingMessage, isRetry: boolean): Promise<IncomingMessage> {
    const { location = '', etag, [TICKET_HEADER]: ticket, [FROM_HEADER]: from = '0' } = redirect.headers;
    redirect.resume();
    // whatever becomes of it, the next time goes through the server
    this.#direct = false;
    const headers = { Authorization: `Bearer ${ticket}`, ...(from === '0' ? {} : { Range: `bytes=${from}-` }) };
    try {
      const { protocol, pathname } = new URL(location);
      if (protocol !== 'http:' || pathParts(pathname)?.join() !== this.#file) throw new Error('not the owner');
      const answer = await answerOf(http.get(location, { headers, agent: false, timeout: CONNECT_MS }));
      const isWhole = answer.statusCode === 200 || answer.statusCode === 206;
      if (isWhole && answer.headers.etag === etag) {
        // the owner told the server, if it knew
        answer.headers['repr-digest'] ??= redirect.headers['repr-digest'];
        return answer;
      }
      answer.destroy();
    } catch {
      // through the server, then
    }
    return this.#get(isRetry);
  }

  /** Into the landing; the digest if it came along. */
  async #take(answer: IncomingMessage): Promise<string | undefined> {
    const landing = this.#landing;
    const digest = readDigest(answer.headers['repr-digest']?.toString());
    // there is nothing behind what we have: it is whole, or another file by now
    if (answer.statusCode === 416) {
      answer.resume();
      this.#progress.begin(landing.length, landing.length, performance.now());
      return digest;
    }
    const range = readContentRange(answer.headers['content-range']);
    const from = answer.statusCode === 206 ? range?.from : 0;
    if (from !== 0 && from !== landing.length) throw new Cut('the server sent another part');
    if (from === 0 && landing.length > 0) await landing.restart();
    const size = range?.size ?? Number(answer.headers['content-length']);
    if (!Number.isSafeInteger(size)) throw new Cut('the server did not say how much there is');
    this.#progress.begin(size, landing.length, performance.now());
    this.#progress.note = undefined;
    await this.#receive(answer, size);
    return digest;
  }

  /** Hashing and writing go on while the next bytes come. */
  async #receive(body: IncomingMessage, size: number): Promise<void> {
    const landing = this.#landing;
    const watch = new Patience(() => body.destroy());
    let batch: Uint8Array[] = [];
    let batched = 0;
    let writing: Promise<void> = Promise.resolve();
    const write = async (): Promise<void> => {
      const pieces = batch;
      batch = [];
      batched = 0;
      await writing;
      writing = landing.write(pieces);
      writing.catch(() => {});
    };
    let broken = false;
    try {
      for await (const chunk of body) {
        const bytes: Uint8Array = chunk;
        watch.touch();
        this.#progress.advance(bytes.length, performance.now());
        batch.push(bytes);
        batched += bytes.length;
        if (batched >= WRITE_BYTES) await write();
      }
    } catch (error) {
      if (error instanceof HouseError) throw error;
      broken = true;
    } finally {
      watch.stop();
      body.destroy();
    }
    await write();
    await writing;
    if (landing.length > size) throw new Cut('more came than was announced');
    if (broken || landing.length < size) throw watch.reason();
  }

  /** The owner may still have to read the file for it. */
  async #askDigest(): Promise<string> {
    this.#progress.note = 'checking';
    const answer = await this.#ask('HEAD', {});
    answer.resume();
    const digest = readDigest(answer.headers['repr-digest']?.toString());
    if (answer.statusCode !== 200 || digest === undefined)
      throw new Cut('the owner can’t say what the file’s digest is');
    return digest;
  }

  async #finish(digest: string): Promise<{ path: string; kept?: string }> {
    this.#progress.note = 'checking';
    try {
      return await this.#landing.finish(digest);
    } catch (error) {
      if (!(error instanceof HouseError) || error.code !== 'file-changed') throw error;
      await this.#landing.restart();
      throw new Cut('it changed while it was sent');
    }
  }

  /** The server's answer, or the reason why there is none. */
  async #ask(method: 'GET' | 'HEAD', headers: OutgoingHttpHeaders): Promise<IncomingMessage> {
    const { server, token } = this.#options;
    const request = http.request({
      ...requestOptions(server),
      method,
      path: filePath(this.#owner, this.#file),
      headers: { ...headers, Authorization: `Bearer ${await token()}` },
    });
    const watch = new Patience(() => request.destroy());
    // the owner is still reading
    request.on('information', () => watch.touch());
    request.end();
    try {
      return await answerOf(request);
    } catch {
      throw watch.reason();
    } finally {
      watch.stop();
    }
  }
}

/** Gives up after the time in which nothing has moved, and knows whether that was it. */
class Patience {
  readonly #watch: StallWatch;
  readonly #timer: ReturnType<typeof setInterval>;
  #touchedAt = performance.now();

  constructor(stalled: () => void) {
    this.#watch = new StallWatch(() => performance.now(), stalled);
    this.#timer = setInterval(() => this.#watch.tick(), TICK_MS);
  }

  touch(): void {
    this.#touchedAt = performance.now();
    this.#watch.touch();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Why it has ended early. */
  reason(): Error {
    const isStalled = performance.now() - this.#touchedAt >= NEARLY_STALLED_MS;
    return isStalled
      ? new HouseError('stalled', `nothing came for ${STALL_MS / 1000} s; what has come is kept for the next try`)
      : new Cut('the connection broke');
  }
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', (answer) => {
      request.setTimeout(0);
      resolve(answer);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', reject);
    request.on('close', () => reject(new Error('closed')));
  });
}

/** What a refusal says. */
async function readLine(answer: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of answer) {
      pieces.push(chunk);
      length += chunk.length;
      if (length > MAX_REASON_BYTES) break;
    }
  } catch {
    // what has come must do
  }
  const text = new TextDecoder().decode(Buffer.concat(pieces)).trim();
  return text.split('\n')[0] || `the server answers ${answer.statusCode}`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
