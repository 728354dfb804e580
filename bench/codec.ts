// The `lab` codec alone: how fast CHAT requests are decoded and CHAT replies encoded, without a socket.
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/bad-link.ts';
import { encodeReply, encodeRequest, type LabRequest, LabRequestDecoder } from '../src/wire-lab.ts';
import { formatCount, formatNumber, median, printMachine, printTable } from './harness.ts';

const USAGE = `Usage: node bench/codec.ts [--quick] [--help]

Decodes and encodes CHAT messages of 100 bytes in memory and prints a Markdown table.
`;

const MESSAGES = 10_000;
const TEXT = 'A text of a hundred bytes, as people write them; with a colon: here, and a newline\nbefore these words.';
const CHUNK_BYTES = 64 * 1024;
/** About two messages: nearly every message is cut somewhere. */
const MAX_CUT_BYTES = 300;
const PASSES = 5;

type Work = { name: string; bytes: number; run: () => void };

function makeStream(): Uint8Array {
  const requests = Array.from({ length: MESSAGES }, (_, index) =>
    encodeRequest({ kind: 'chat', ref: '0', joinId: String(index % 100), name: `m${index % 100}`, text: TEXT }),
  );
  return Buffer.concat(requests);
}

function cut(stream: Uint8Array, nextLength: () => number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; ) {
    const chunk = stream.subarray(at, at + nextLength());
    chunks.push(chunk);
    at += chunk.length;
  }
  return chunks;
}

/** Decodes it all, and makes sure that all of it came out. */
function decodeAll(chunks: Uint8Array[]): void {
  const decoder = new LabRequestDecoder();
  let count = 0;
  let last: LabRequest | undefined;
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let request = decoder.next(); request !== undefined; request = decoder.next()) {
      last = request;
      count++;
    }
  }
  if (count !== MESSAGES || last?.kind !== 'chat' || last.text !== TEXT) {
    throw new Error(`${count} of ${MESSAGES} messages decoded, the last: ${JSON.stringify(last)}`);
  }
}

function encodeAll(): number {
  let bytes = 0;
  for (let index = 0; index < MESSAGES; index++) {
    bytes += encodeReply({ kind: 'chat', ref: '0', name: 'm00001', text: TEXT }).length;
  }
  return bytes;
}

function works(): Work[] {
  const stream = makeStream();
  const random = seededRandom(1);
  const whole = cut(stream, () => CHUNK_BYTES);
  const pieces = cut(stream, () => 1 + Math.floor(random() * MAX_CUT_BYTES));
  return [
    { name: 'decode CHAT requests, 64 KiB at a time', bytes: stream.length, run: () => decodeAll(whole) },
    {
      name: `decode CHAT requests, cut at random every 1–${MAX_CUT_BYTES} bytes`,
      bytes: stream.length,
      run: () => decodeAll(pieces),
    },
    { name: 'encode CHAT replies', bytes: encodeAll(), run: encodeAll },
  ];
}

/** How often a second it can be run. */
function timesPerSecond(run: () => void, durationMs: number): number {
  const start = performance.now();
  let times = 0;
  let elapsedMs = 0;
  do {
    run();
    times++;
    elapsedMs = performance.now() - start;
  } while (elapsedMs < durationMs);
  return (times * 1000) / elapsedMs;
}

function measure({ name, bytes, run }: Work, quick: boolean): string[] {
  const passMs = quick ? 100 : 400;
  timesPerSecond(run, passMs);
  const rates = Array.from({ length: PASSES }, () => timesPerSecond(run, passMs));
  const typical = median(rates);
  const megabytes = formatNumber((typical * bytes) / 1e6, 3);
  return [name, formatCount(typical * MESSAGES), megabytes, formatCount(Math.max(...rates) * MESSAGES)];
}

export function runCodec(args: string[]): void {
  const { values } = parseArgs({
    args,
    options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  printMachine();
  const rows = works().map((work) => measure(work, values.quick));
  printTable('The lab codec, CHATs of 100 bytes', ['what', 'messages/s', 'MB/s', 'best messages/s'], rows);
}

if (import.meta.main) runCodec(process.argv.slice(2));
