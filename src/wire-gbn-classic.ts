// Layer 1. The datagrams by which classic `pipe` programs pass a file: text, and after `SEQ|*)` the file's bytes. Pure;
// knows nothing of windows and time. Sequence numbers are as they are written: what they are counted by, both ends know.

import { ProtocolError } from './errors.ts';
import { encodeText, latin1Text } from './wire.ts';

/** Of the file, in one datagram. */
export const MAX_CLASSIC_DATA = 2038;
/** A classic program reads no more of a datagram. */
export const MAX_CLASSIC_BYTES = 2048;
/** The separator; what follows it a second time is lost. */
const SEPARATOR = [0x7c, 0x2a, 0x29];
const MAX_SEQ_DIGITS = 5;
const MAX_TEXT_CHARS = 200;
const MAX_PORT = 65_535;

const START = /^OK\|[^|]*?(\d{1,5}) from \|([\d.]{7,15})\|(\d{1,5})$/;
const ACK = /^(-1|\d{1,5})\|ACK/;
/** `ERROR| …` and `@NAME|ERROR: …` */
const REFUSAL = /^(?:ERROR\|\s*|@[^|]*\|ERROR:\s*)(.*)$/s;
const NOT_FOUND = 'ERROR| File Not Found';

export type ClassicDatagram =
  /** From where the file will come; `requesterPort` is where it goes to. */
  | { readonly kind: 'start'; readonly requesterPort: number; readonly ip: string; readonly port: number }
  | { readonly kind: 'not-found' }
  /** Too many are being sent. */
  | { readonly kind: 'busy'; readonly requester: string }
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'data'; readonly seq: number; readonly bytes: Uint8Array }
  /** -1: nothing yet. */
  | { readonly kind: 'ack'; readonly seq: number }
  /** `STA`: what was not acknowledged comes again, one packet at a time. */
  | { readonly kind: 'again' }
  /** `END`: that is over. */
  | { readonly kind: 'again-over' }
  | { readonly kind: 'eof' };

export function encodeClassic(datagram: ClassicDatagram): Uint8Array {
  return datagram.kind === 'data' ? encodeData(datagram.seq, datagram.bytes) : encodeText(print(datagram));
}

function print(datagram: Exclude<ClassicDatagram, { kind: 'data' }>): string {
  switch (datagram.kind) {
    case 'start':
      return `OK| Sending file on port ${datagram.requesterPort} from |${datagram.ip}|${datagram.port}`;
    case 'not-found':
      return NOT_FOUND;
    case 'busy':
      return `@${datagram.requester}|ERROR: Max file share connections reached. Please try later`;
    case 'refused':
      return `ERROR| ${datagram.text}`;
    case 'ack':
      return `${datagram.seq}|ACK`;
    case 'again':
      return 'STA';
    case 'again-over':
      return 'END';
    case 'eof':
      return 'EOF';
  }
}

function encodeData(seq: number, bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_CLASSIC_DATA || separatorAt(bytes) >= 0) throw new RangeError('no packet can hold this');
  const head = encodeText(`${seq}|*)`);
  const datagram = new Uint8Array(head.length + bytes.length);
  datagram.set(head);
  datagram.set(bytes, head.length);
  return datagram;
}

/** The data is a view on what was given. */
export function decodeClassic(bytes: Uint8Array): ClassicDatagram {
  const text = latin1Text(bytes.subarray(0, MAX_TEXT_CHARS));
  const at = /^\d/.test(text) ? separatorAt(bytes.subarray(0, MAX_SEQ_DIGITS + SEPARATOR.length)) : -1;
  if (at > 0) return decodeData(bytes, at);
  const ack = ACK.exec(text);
  if (ack) return { kind: 'ack', seq: Number(ack[1]) };
  return decodeWord(text) ?? decodeStart(text) ?? decodeRefusal(text);
}

function decodeData(bytes: Uint8Array, at: number): ClassicDatagram {
  const digits = latin1Text(bytes.subarray(0, at));
  const data = bytes.subarray(at + SEPARATOR.length);
  if (!/^\d+$/.test(digits)) throw new ProtocolError('malformed', 'a packet without a number');
  if (bytes.length > MAX_CLASSIC_BYTES) throw new ProtocolError('too-long', `a packet of ${bytes.length} bytes`);
  return { kind: 'data', seq: Number(digits), bytes: data };
}

/** A classic program looks at three letters only. */
function decodeWord(text: string): ClassicDatagram | undefined {
  switch (text.slice(0, 3)) {
    case 'EOF':
      return { kind: 'eof' };
    case 'STA':
      return { kind: 'again' };
    case 'END':
      return { kind: 'again-over' };
    default:
      return undefined;
  }
}

function decodeStart(text: string): ClassicDatagram | undefined {
  const found = START.exec(text);
  if (!found) return undefined;
  const [requesterPort, port] = [Number(found[1]), Number(found[3])];
  const ip = found[2] as string;
  if (!isPort(requesterPort) || !isPort(port) || !isIpv4(ip)) throw new ProtocolError('malformed', 'no such address');
  return { kind: 'start', requesterPort, ip, port };
}

function decodeRefusal(text: string): ClassicDatagram {
  const said = REFUSAL.exec(text)?.[1]?.trim();
  if (said === undefined) throw new ProtocolError('malformed', 'not a datagram of a file transfer');
  if (text.startsWith(NOT_FOUND)) return { kind: 'not-found' };
  if (!said.startsWith('Max file share')) return { kind: 'refused', text: said };
  return { kind: 'busy', requester: text.startsWith('@') ? text.slice(1, text.indexOf('|')) : '' };
}

function isPort(port: number): boolean {
  return port >= 1 && port <= MAX_PORT;
}

function isIpv4(ip: string): boolean {
  const parts = ip.split('.');
  return parts.length === 4 && parts.every((part) => part !== '' && Number(part) <= 255);
}

// --- what a packet can hold -------------------------------------------------------------------------------

/** Where `|*)` begins, or -1. */
function separatorAt(bytes: Uint8Array): number {
  const [bar, star, close] = SEPARATOR as [number, number, number];
  for (let at = bytes.indexOf(bar); at >= 0; at = bytes.indexOf(bar, at + 1)) {
    if (bytes[at + 1] === star && bytes[at + 2] === close) return at;
  }
  return -1;
}

/** How many of these bytes the next packet holds: a separator in them is parted. */
export function packetEnd(bytes: Uint8Array): number {
  const most = bytes.subarray(0, MAX_CLASSIC_DATA);
  const at = separatorAt(most);
  return at < 0 ? most.length : at + SEPARATOR.length - 1;
}
