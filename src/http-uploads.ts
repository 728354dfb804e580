// Layer 4. Uploads over HTTP: `POST` and `PUT /upload`, `OPTIONS`, `GET` and `HEAD /upload/ID/NAME`. Who may bring a file
// is found out here; what is kept is uploads.ts's to say, where it lies upload-disk.ts's. How one is given back is
// upload-sending.ts.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { clearInterval, setInterval } from 'node:timers';
import type { TLSSocket } from 'node:tls';
import { plainIp } from './addresses.ts';
import { HouseError } from './errors.ts';
import { readDigest } from './http-files.ts';
import {
  isForm,
  OPEN_TO_PAGES,
  readBasic,
  readFileName,
  readLength,
  readType,
  uploadStatusOf,
} from './http-upload-fields.ts';
import { type Log, logBug } from './log.ts';
import type { ServerMetrics } from './server-metrics.ts';
import { StallWatch } from './stall.ts';
import { answerOptions, refuseUpload } from './upload-answers.ts';
import type { UploadDisk } from './upload-disk.ts';
import { baseAt, baseOfHost, spellUploadName, uploadLink } from './upload-links.ts';
import { sendUpload } from './upload-sending.ts';
import type { Upload, Uploads } from './uploads.ts';
import { encodeText } from './wire.ts';

const TICK_MS = 1000;
const SWEEP_MS = 600_000;
const CHALLENGE = 'Basic realm="Parley", charset="UTF-8"';
const SENDING = 'OPTIONS, POST, PUT';
const READING = 'GET, HEAD, OPTIONS';

export interface HttpUploadsOptions {
  readonly uploads: Uploads;
  readonly disk: UploadDisk;
  /** The address in links; where there is none, the one that was asked. */
  readonly publicUrl: string | undefined;
  /** Says the name of the account; throws when the password is wrong. */
  readonly login: (name: string, password: string, ip: string) => Promise<string>;
  /** Whether somebody from there may bring files without an account. */
  readonly mayUpload: (ip: string) => boolean;
  readonly log: Log;
  readonly metrics: ServerMetrics;
}

/** What is said of a file before it comes. */
interface About {
  readonly name: string;
  readonly type: string;
  readonly length: number | undefined;
  readonly digest: string | undefined;
}

export class HttpUploads {
  readonly #options: HttpUploadsOptions;
  readonly #watches = new Set<StallWatch>();
  #ticking: ReturnType<typeof setInterval> | undefined;
  #sweeping: ReturnType<typeof setInterval> | undefined;

  constructor(options: HttpUploadsOptions) {
    this.#options = options;
    options.metrics.readUploads(() => ({ files: options.uploads.count, bytes: options.uploads.keptBytes }));
    this.#sweeping = setInterval(() => options.uploads.sweep(), SWEEP_MS);
    this.#sweeping.unref();
  }

  stop(): void {
    clearInterval(this.#ticking);
    clearInterval(this.#sweeping);
  }

  /** `parts` begin with `upload`; `isExpecting`: the body comes when we have said so. */
  handle(parts: readonly string[], request: IncomingMessage, response: ServerResponse, isExpecting: boolean): void {
    // how it ends is seen where it is read
    request.on('error', () => {});
    response.on('error', () => {});
    const { method = '' } = request;
    const isFile = parts.length === 3 && parts[2] !== '';
    if (method === 'OPTIONS') return answerOptions(response, isFile ? READING : SENDING);
    if (parts.length > 3) return this.#refuse(request, response, nothingHere());
    if (!isFile && (method === 'POST' || method === 'PUT')) {
      return void this.#receive(request, response, parts[1] ?? '', isExpecting);
    }
    if (isFile && (method === 'GET' || method === 'HEAD')) {
      return void this.#send(request, response, parts[1] ?? '', parts[2] ?? '');
    }
    const allowed = isFile ? READING : SENDING;
    const help = `here is ${allowed}${isFile ? '' : '; for example curl -T FILE'}`;
    refuseUpload(request, response, 405, help, { Allow: allowed });
  }

  // --- bringing a file -------------------------------------------------------------------------------------

  async #receive(request: IncomingMessage, response: ServerResponse, named: string, isExpecting: boolean) {
    const { log, metrics } = this.#options;
    const started = performance.now();
    const ip = ipOf(request);
    let by: string | undefined;
    const note = (outcome: string, upload?: Upload) => {
      const ms = Math.round(performance.now() - started);
      log('info', 'upload', { from: ip, by, id: upload?.id, bytes: upload?.bytes, outcome, ms });
    };
    try {
      const about = readAbout(request, named);
      by = await this.#admit(request, ip);
      const upload = await this.#take(request, response, about, isExpecting);
      metrics.uploaded('kept');
      note('kept', upload);
      this.#answerCreated(request, response, upload);
    } catch (error) {
      const isRefusal = error instanceof HouseError;
      if (!isRefusal) logBug(log, error);
      metrics.uploaded(!isRefusal || isCut(error) ? 'failed' : 'refused');
      note(isRefusal ? error.message : 'bug');
      this.#refuse(request, response, isRefusal ? error : new HouseError('disk', 'the server has failed'));
    }
  }

  async #take(request: IncomingMessage, response: ServerResponse, about: About, isExpecting: boolean) {
    const { uploads, disk } = this.#options;
    const arrival = uploads.begin(ipOf(request), about.length);
    try {
      const writer = await disk.begin(arrival.id, about.length ?? 0);
      try {
        if (isExpecting) response.writeContinue();
        await this.#read(request, async (chunk) => {
          arrival.take(chunk.length);
          await writer.write(chunk);
        });
        const upload = await writer.keep((sha256) => {
          if (about.digest !== undefined && about.digest !== sha256) {
            throw new HouseError('bad-file', 'that is not the file of Repr-Digest');
          }
          return arrival.describe({ name: about.name, type: about.type, sha256 });
        });
        arrival.keep(upload);
        return upload;
      } catch (error) {
        await writer.giveUp();
        throw error;
      }
    } finally {
      arrival.giveUp();
    }
  }

  /** An account's name and password, if they are given, have to be right; the name, then. */
  async #admit(request: IncomingMessage, ip: string): Promise<string | undefined> {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const given = readBasic(authorization);
      if (!given) throw new HouseError('not-allowed', 'only Basic authorization is known here: a name and a password');
      return this.#options.login(given.name, given.password, ip);
    }
    if (this.#isOfOtherPage(request) || isForwarded(request) || !this.#options.mayUpload(ip)) {
      throw new HouseError('not-allowed', 'give the name and the password of an account (curl -u NAME)');
    }
    return undefined;
  }

  /** A page of somebody else's, read in a browser on a machine that may: it acts for itself, not for its reader. */
  #isOfOtherPage({ headers }: IncomingMessage): boolean {
    const { origin, host } = headers;
    if (origin === undefined) return false;
    const ours = [`http://${host}`, `https://${host}`, originOf(this.#options.publicUrl)];
    return !ours.includes(origin);
  }

  /** Chunk by chunk, no faster than they are taken. Throws when it breaks off or stalls. */
  async #read(request: IncomingMessage, take: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    const { metrics } = this.#options;
    let cut = new HouseError('stalled', 'they have broken off');
    const watch = this.#watch(() => {
      cut = new HouseError('stalled', 'nothing came for a while');
      request.destroy();
    });
    try {
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
        watch.touch();
        metrics.uploadBytes('in', chunk.length);
        await take(chunk);
        // a slow disk is not the peer's fault
        watch.touch();
      }
    } catch (error) {
      throw error instanceof HouseError || !request.destroyed ? error : cut;
    } finally {
      this.#unwatch(watch);
    }
    if (!request.complete) throw cut;
  }

  #answerCreated(request: IncomingMessage, response: ServerResponse, upload: Upload): void {
    const link = uploadLink(this.#base(request), upload);
    const body = encodeText(`${link}\n`);
    response.writeHead(201, {
      Location: link,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': body.length,
      'X-Content-Type-Options': 'nosniff',
      ...OPEN_TO_PAGES,
    });
    response.end(body);
  }

  #base({ headers, socket }: IncomingMessage): string {
    const isEncrypted = (socket as Partial<TLSSocket>).encrypted === true;
    const local = { ip: plainIp(socket.localAddress), port: socket.localPort ?? 0 };
    return this.#options.publicUrl ?? baseOfHost(headers.host, isEncrypted) ?? baseAt(local, isEncrypted);
  }

  // --- giving it back --------------------------------------------------------------------------------------

  async #send(request: IncomingMessage, response: ServerResponse, id: string, name: string): Promise<void> {
    const { uploads, disk, log, metrics } = this.#options;
    const watch = this.#watch(() => response.destroy());
    const moved = (bytes: number) => {
      watch.touch();
      metrics.uploadBytes('out', bytes);
    };
    watch.watch(response.socket);
    try {
      const upload = uploads.find(id);
      if (upload?.name !== name) throw nothingHere();
      const isThere = await sendUpload({ upload, leftMs: uploads.leftMs(upload), disk, request, response, moved });
      if (isThere) return;
      uploads.lost(id);
      throw nothingHere();
    } catch (error) {
      const isRefusal = error instanceof HouseError;
      if (!isRefusal) logBug(log, error);
      this.#refuse(request, response, isRefusal ? error : new HouseError('disk', 'the server has failed'));
    } finally {
      this.#unwatch(watch);
    }
  }

  // --- inside ------------------------------------------------------------------------------------------------

  #refuse(request: IncomingMessage, response: ServerResponse, error: HouseError): void {
    const { code, message } = error;
    this.#options.metrics.reject(`upload-${code}`);
    const isGone = request.destroyed && !request.complete;
    if (response.headersSent || isGone) return void response.destroy();
    const status = error instanceof UploadRefusal ? error.status : uploadStatusOf(code);
    refuseUpload(request, response, status, message, status === 401 ? { 'WWW-Authenticate': CHALLENGE } : undefined);
  }

  #watch(stalled: () => void): StallWatch {
    const watch = new StallWatch(() => performance.now(), stalled);
    this.#watches.add(watch);
    this.#ticking ??= setInterval(() => {
      for (const one of this.#watches) one.tick();
    }, TICK_MS);
    return watch;
  }

  #unwatch(watch: StallWatch): void {
    this.#watches.delete(watch);
    if (this.#watches.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }
}

/** What can be known before the body comes; throws what is wrong with it. */
function readAbout({ headers, method }: IncomingMessage, named: string): About {
  const type = headers['content-type'];
  const length = readLength(headers['content-length']);
  if (length === undefined && headers['transfer-encoding'] === undefined) {
    throw new UploadRefusal(411, 'Content-Length is missing');
  }
  if (isForm(type)) throw new UploadRefusal(415, 'the body is to be the file itself (curl -T FILE), not a form');
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') {
    throw new UploadRefusal(415, 'the body is to be the file itself, without Content-Encoding');
  }
  if (method === 'PUT' && headers['content-range'] !== undefined) {
    throw new HouseError('bad-file', 'a file is sent as a whole, without Content-Range');
  }
  const name = spellUploadName(readFileName(headers['content-disposition']) ?? named);
  const digest = readDigest(headers['repr-digest']?.toString()) ?? readDigest(headers['content-digest']?.toString());
  return { name, type: readType(type, name), length, digest };
}

/** A refusal for which HTTP has a status of its own. */
class UploadRefusal extends HouseError {
  readonly status: number;

  constructor(status: number, message: string) {
    super('bad-file', message);
    this.status = status;
  }
}

function ipOf({ socket }: IncomingMessage): string {
  return plainIp(socket.remoteAddress);
}

/** What another program of this machine passes on is not from this machine. */
function isForwarded({ headers }: IncomingMessage): boolean {
  return 'forwarded' in headers || 'x-forwarded-for' in headers;
}

function originOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : /^https?:\/\/[^/]+/.exec(url)?.[0];
}

function isCut({ code }: HouseError): boolean {
  return code === 'stalled';
}

function nothingHere(): HouseError {
  return new HouseError('no-such-file', 'there is no such file, or not any more');
}
