// Layer 5. `parley-client gbn`: one file from one end to the other, and drawings of how it went. What the two ends have
// in common is chosen by the sender: `recv` takes the first offer that comes to its port, and with it the transfer's id.

import dns from 'node:dns/promises';
import fs from 'node:fs';
import disk from 'node:fs/promises';
import path from 'node:path';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import { type Given, UsageError } from './arguments.ts';
import { isSameFile, systemCode, systemWords } from './disk.ts';
import { HouseError, ProtocolError } from './errors.ts';
import { type DownloadEnd, GbnDownload } from './gbn-download.ts';
import { type PlotOptions, type ReceiveOptions, readGbnOptions, type SendOptions } from './gbn-options.ts';
import { layOut } from './gbn-plot.ts';
import { renderSvg } from './gbn-plot-svg.ts';
import { renderText } from './gbn-plot-text.ts';
import { GbnSocket } from './gbn-socket.ts';
import { jsonOf, lineOf, linesOf, type Summary } from './gbn-summary.ts';
import { parseTrace } from './gbn-trace.ts';
import { TraceFiles } from './gbn-trace-file.ts';
import { GbnUpload, newTransferId, type UploadEnd } from './gbn-upload.ts';
import { PartLocks } from './part-locks.ts';
import type { Exit } from './player.ts';
import { printable } from './printable.ts';
import { formatBytes, Progress } from './progress.ts';
import { Shelf } from './shelf.ts';

export { GBN_LINE } from './gbn-options.ts';

/** How often progress is drawn. */
const DRAW_MS = 200;
/** Of a terminal that does not tell. */
const COLUMNS = 80;
/** The other end may not have heard that we have heard it. */
const LINGER_MS = 250;
/** Until it has heard what we know first; one that is silent hears nothing. */
const LAST_WORDS_MS = 5000;
const CLASSIC_WINDOW = 16;
const isWindows = process.platform === 'win32';

export function openGbn(given: Given, _userName: string, exit: Exit): void {
  const options = readGbnOptions(given);
  run(options).then(
    (error) => exit(error === undefined ? 0 : 1, error),
    (error) => {
      if (error instanceof UsageError) return exit(2, `${error.message} (see --help)`);
      const isExpected = error instanceof HouseError || systemCode(error) !== undefined || error.code !== undefined;
      exit(1, isExpected ? error.message : error.stack);
    },
  );
}

/** Why it failed. */
function run(options: SendOptions | ReceiveOptions | PlotOptions): Promise<string | undefined> {
  if (options.kind === 'plot') return plot(options);
  return options.kind === 'send' ? send(options) : receive(options);
}

// --- send ------------------------------------------------------------------------------------------------------

async function send(options: SendOptions): Promise<string | undefined> {
  const { file, host, port, trouble } = options;
  const ip = await addressOf(host);
  const real = await disk.realpath(file).catch((error) => {
    throw new HouseError('no-such-file', `${file}: ${systemWords(error)}`);
  });
  const name = path.basename(real);
  await checkTrace(options, real);
  const trace = openTrace(options, 'send');
  const reading = new Progress(printable(name), performance.now());
  reading.note = 'reading it';
  let upload: GbnUpload | undefined;
  const stop = watch(
    () => upload?.progress ?? reading,
    () => {
      if (upload) return upload.abort('stopped by the sender');
      stop();
      process.stderr.write(`parley-client: ${printable(name)} was not sent: stopped\n`);
      process.exit(1);
    },
  );
  try {
    upload = await GbnUpload.start({
      shelf: new Shelf(disk, path.dirname(real), isWindows),
      name,
      peer: { ip, port },
      to: host,
      wire: sendWire(options, trace),
      trouble,
      onBug,
    });
    const end = await upload.ended;
    stop();
    return await conclude(options, name, upload, end);
  } finally {
    stop();
    endTrace(trace);
    trace?.close();
  }
}

/** A trace would be the end of the file that is to be sent. */
async function checkTrace({ trace, file }: SendOptions, real: string): Promise<void> {
  if (trace === undefined) return;
  const [ours, theirs] = await Promise.all(
    [real, trace].map((one) => disk.stat(one, { bigint: true }).catch(() => undefined)),
  );
  if (ours && isSameFile(ours, theirs)) throw new UsageError(`--trace ${trace}: that is ${file} itself`);
}

/** Tells how it went, and lets the last words be said. */
async function conclude(
  options: SendOptions,
  name: string,
  upload: GbnUpload,
  end: UploadEnd,
): Promise<string | undefined> {
  const { host, port } = options;
  tell(options, { name, ...end, path: undefined });
  const isTold = ['done', 'refused', 'damaged', 'silent'].includes(end.code);
  await Promise.race([upload.closed, pause(isTold ? LINGER_MS : LAST_WORDS_MS)]);
  if (end.isDone) return undefined;
  const isUnheard = end.code === 'silent' && end.stats.packets === 0;
  return `${printable(name)} was not sent: ${isUnheard ? `nobody answers on ${host} port ${port}` : printable(end.text)}`;
}

function sendWire(options: SendOptions, trace: TraceFiles | undefined) {
  const { window, packetBytes, silentMs, isClassic } = options;
  if (isClassic) return { kind: 'classic' as const, window: window === 'auto' ? CLASSIC_WINDOW : window };
  return { kind: 'sound' as const, transferId: newTransferId(), window, packetBytes, silentMs, onTrace: trace?.note };
}

async function addressOf(host: string): Promise<string> {
  try {
    return (await dns.lookup(host)).address;
  } catch {
    throw new HouseError('owner-gone', `there is no host ${host}`);
  }
}

// --- receive ---------------------------------------------------------------------------------------------------

async function receive(options: ReceiveOptions): Promise<string | undefined> {
  checkDirectory(options.directory);
  const trace = openTrace(options, 'recv');
  const socket = await openSocket(options);
  announce(options, socket.port);
  for (let count = 0; ; ) {
    const { end, isStopped, hasBegun } = await receiveOne(options, socket, trace);
    endTrace(trace);
    if (end.isDone) count++;
    // one who has got files, and waits for more, may stop waiting
    const isFine = end.isDone || (isStopped && !hasBegun && count > 0);
    const error = isFine ? undefined : whyNot(end);
    const isGoingOn = !isStopped && (options.isKeeping || end.isReplaced);
    if (!isGoingOn) {
      socket.close();
      trace?.close();
      return error;
    }
    if (error !== undefined) process.stderr.write(`parley-client: ${error}\n`);
  }
}

/** To the last words; who stops it meanwhile does not wait for those. */
async function receiveOne(options: ReceiveOptions, socket: GbnSocket, trace: TraceFiles | undefined) {
  const download = await openDownload(options, socket, trace);
  const stopped = Promise.withResolvers<void>();
  let isStopped = false;
  let isOver = false;
  const unhear = hearStop(() => {
    isStopped = true;
    if (isOver) stopped.resolve();
    else download.abort('stopped by the receiver');
  });
  const stopDrawing = draw(() => download.progress);
  const end = await download.ended;
  isOver = true;
  stopDrawing();
  const { hasBegun } = download;
  if (hasBegun) tell(options, { ...end, name: end.name ?? '' });
  const patience = pause(end.code === 'silent' ? LINGER_MS : LAST_WORDS_MS);
  await Promise.race([download.closed, patience, stopped.promise]);
  download.close();
  unhear();
  return { end, isStopped, hasBegun };
}

function whyNot({ name, text, keptBytes }: DownloadEnd): string {
  const kept = keptBytes > 0 ? `; ${formatBytes(keptBytes)} of it are kept for the next try` : '';
  const what = name === undefined ? 'nothing was' : `${printable(name)} was not`;
  return `${what} received: ${printable(text)}${kept}`;
}

async function openSocket({ port, trouble }: ReceiveOptions): Promise<GbnSocket> {
  try {
    return await GbnSocket.open({ host: '', port, onBug, ...(trouble && { trouble }) });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new HouseError('full', `port ${port} is taken by another program`);
    if (code === 'EACCES') throw new HouseError('full', `no permission to use port ${port}`);
    throw new HouseError('full', `can't use port ${port}: ${message}`);
  }
}

function openDownload(options: ReceiveOptions, socket: GbnSocket, trace: TraceFiles | undefined): Promise<GbnDownload> {
  const { directory, name, window, silentMs, isClassic } = options;
  const wire = isClassic
    ? { kind: 'classic' as const, window: window === 'auto' ? CLASSIC_WINDOW : window }
    : { kind: 'sound' as const, silentMs, onTrace: trace?.note };
  return GbnDownload.open({ disk, directory, locks: new PartLocks(), name, wire, socket, onBug });
}

function checkDirectory(directory: string): void {
  const stat = fs.statSync(directory, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) throw new UsageError(`--dir ${directory}: there is no such directory`);
}

function announce({ isJson }: ReceiveOptions, port: number): void {
  process.stdout.write(isJson ? `${JSON.stringify({ event: 'ready', port })}\n` : `ready udp=${port}\n`);
}

// --- what is shown ---------------------------------------------------------------------------------------------

function tell({ isJson, kind }: SendOptions | ReceiveOptions, end: Summary): void {
  if (isJson) process.stdout.write(`${jsonOf(kind, end)}\n`);
  else if (kind === 'recv' && end.path !== undefined) process.stdout.write(`${end.path}\n`);
  if (isJson && !process.stderr.isTTY) return;
  process.stderr.write(process.stderr.isTTY ? linesOf(kind, end) : lineOf(kind, end));
}

/** Draws, and hears Ctrl-C, until the answer is called. */
function watch(progress: () => Progress | undefined, interrupted: () => void): () => void {
  const unhear = hearStop(interrupted);
  const stopDrawing = draw(progress);
  return () => {
    stopDrawing();
    unhear();
  };
}

function draw(progress: () => Progress | undefined): () => void {
  const { stderr } = process;
  if (stderr.isTTY !== true || process.env.TERM === 'dumb') return () => {};
  const timer = setInterval(() => {
    const line = progress()?.line(performance.now(), (stderr.columns || COLUMNS) - 1) ?? '';
    stderr.write(`\r\x1b[K${line}`);
  }, DRAW_MS);
  return () => {
    clearInterval(timer);
    stderr.write('\r\x1b[K');
  };
}

/** Ctrl-C, once: the second one ends the program as ever. */
function hearStop(interrupted: () => void): () => void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, interrupted);
  };
}

function openTrace({ trace }: SendOptions | ReceiveOptions, end: 'send' | 'recv'): TraceFiles | undefined {
  if (trace === undefined) return undefined;
  try {
    return new TraceFiles(trace, end);
  } catch (error) {
    throw new HouseError('disk', `${trace} can't be written: ${systemWords(error)}`);
  }
}

/** What is wrong with it spoils nothing else. */
function endTrace(trace: TraceFiles | undefined): void {
  const trouble = trace?.endTransfer();
  if (trouble !== undefined) process.stderr.write(`parley-client: ${trouble}\n`);
}

function onBug(error: unknown): never {
  process.stderr.write(`parley-client: ${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// --- plot ------------------------------------------------------------------------------------------------------

async function plot({ traces, isText, fromMs, toMs }: PlotOptions): Promise<undefined> {
  const read = await Promise.all(traces.map(readTrace));
  const options = { ...(fromMs !== undefined && { fromMs }), ...(toMs !== undefined && { toMs }) };
  const title = traces.map((file) => path.basename(file)).join(' and ');
  try {
    const diagram = layOut(read, options);
    const columns = process.stdout.columns || COLUMNS;
    const text = isText ? `${renderText(diagram, { title, columns }).join('\n')}\n` : renderSvg(diagram, { title });
    process.stdout.write(text);
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) throw new HouseError('bad-file', error.message);
    throw error;
  }
}

async function readTrace(file: string) {
  try {
    return parseTrace(await disk.readFile(file, 'utf8'));
  } catch (error) {
    if (error instanceof ProtocolError) throw new HouseError('bad-file', `${file}: ${error.message}`);
    throw new HouseError('no-such-file', `${file}: ${systemWords(error)}`);
  }
}
