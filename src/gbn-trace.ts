// Layer 1. What happened to the packets of a transfer at one end, a JSON object on a line for each. Pure; knows no
// protocol but the names of its packets.

import { ProtocolError } from './errors.ts';

export interface TracePacket {
  /** In ms, by the clock of that end. */
  readonly at: number;
  readonly end: 'send' | 'recv';
  readonly direction: 'out' | 'in';
  /** `offer`, `accept`, `data`, `repair`, `ack`, `end`, `abort`, `probe`, or whatever comes to be. */
  readonly kind: string;
  readonly seq: number;
  /** The first and the last number that may be under way. */
  readonly window: readonly [number, number];
  /** `first`, `timeout`, `gap`, `repair`: why it was sent. */
  readonly why?: string;
}

export const MAX_TRACE_PACKETS = 1_000_000;
/** Some thirty years. */
const MAX_MS = 1e12;
const MAX_LINE_CHARS = 1000;
const MAX_SHOWN_CHARS = 40;
const WORD = /^[a-z][a-z0-9-]{0,23}$/;

/** Without the newline. */
export function printTraceLine(packet: TracePacket): string {
  const { end, direction, kind, seq, window, why } = packet;
  const at = Math.round(packet.at * 1000) / 1000;
  return JSON.stringify({ at, end, direction, kind, seq, window, why });
}

/**
 * All packets of a trace. Empty lines count for nothing, nor does a last line that was cut off. Anything else that is
 * not of a trace is an error, which says on which line.
 */
export function parseTrace(text: string): TracePacket[] {
  const packets: TracePacket[] = [];
  let start = 0;
  for (let line = 1; start < text.length; line++) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const packet = parseLine(text, start, end, line, newline < 0);
    if (packet && packets.push(packet) > MAX_TRACE_PACKETS) {
      throw new ProtocolError('too-long', `a trace of more than ${MAX_TRACE_PACKETS} packets`);
    }
    start = end + 1;
  }
  return packets;
}

function parseLine(text: string, start: number, end: number, line: number, isCut: boolean): TracePacket | undefined {
  if (end - start > MAX_LINE_CHARS) throw new ProtocolError('too-long', `line ${line} is too long for a trace`);
  const written = text.slice(start, end).trim();
  if (written === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    if (isCut) return undefined;
    throw malformed(line, `it is not JSON: ${JSON.stringify(written.slice(0, MAX_SHOWN_CHARS))}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(line, 'it is not an object');
  return readPacket(new Map(Object.entries(value)), line);
}

function readPacket(fields: ReadonlyMap<string, unknown>, line: number): TracePacket {
  const why = fields.get('why');
  const packet = {
    at: readTime(fields.get('at'), line),
    end: oneOf(fields, 'end', ['send', 'recv'] as const, line),
    direction: oneOf(fields, 'direction', ['out', 'in'] as const, line),
    kind: readWord(fields.get('kind'), 'kind', line),
    seq: readCount(fields.get('seq'), 'seq', line),
    window: readWindow(fields.get('window'), line),
  };
  return why === undefined ? packet : { ...packet, why: readWord(why, 'why', line) };
}

function oneOf<T extends string>(
  fields: ReadonlyMap<string, unknown>,
  name: string,
  all: readonly T[],
  line: number,
): T {
  const found = all.find((one) => one === fields.get(name));
  if (!found) throw malformed(line, `"${name}" is neither ${all.join(' nor ')}`);
  return found;
}

function readWord(value: unknown, name: string, line: number): string {
  if (typeof value === 'string' && WORD.test(value)) return value;
  throw malformed(line, `"${name}" is not a word`);
}

function readTime(value: unknown, line: number): number {
  if (typeof value === 'number' && Math.abs(value) <= MAX_MS) return value;
  throw malformed(line, '"at" is not a number of milliseconds');
}

function readCount(value: unknown, name: string, line: number): number {
  if (isCount(value)) return value;
  throw malformed(line, `"${name}" is not the number of a packet`);
}

function readWindow(value: unknown, line: number): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2)
    throw malformed(line, '"window" is not the first and the last number');
  return [readCount(value[0], 'window', line), readCount(value[1], 'window', line)];
}

/** An empty window ends before it begins. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= -1;
}

function malformed(line: number, why: string): ProtocolError {
  return new ProtocolError('malformed', `line ${line} is not of a trace: ${why}`);
}
