// Layer 3. The words of the client's `pipe` face: what a typed line or a relayed message asks for, what is answered in
// the classic client's own literals, and how things are shown. Nothing that goes on.

import type { ClientRequest } from './client-pipe-requests.ts';
import type { Arrived, Way } from './client-pipe-transfers.ts';
import type { Action as FaceAction, PromptStyle } from './face.ts';
import { nameKey } from './names.ts';
import { printable } from './printable.ts';
import { formatBytes, formatDuration } from './progress.ts';
import { fieldsOf, type PipeReply, readAddress } from './wire-pipe.ts';

export type Action = FaceAction<ClientRequest>;

/** Where a file is to be sent. Only our own clients name a token. */
export interface Place {
  readonly ip: string;
  readonly port: number;
  readonly token: string | undefined;
}

export const PROMPT = '> ';
const PASSWORD_PROMPT = 'password> ';
const SECRET: PromptStyle = { secret: true };
export const LEAVE = '@server|exit';
export const GOODBYE = 'Thank you for using the chat.';
/** The answer to a question for a file that is there. */
export const HAVE = 'ME';
export const NO_FILE_NAME = 'ERROR: Please specify filename';
export const MIN_WINDOW = 2;
export const MAX_WINDOW = 1024;
const MAX_PORT = 65_535;
const MAX_OCTET = 255;
/** The first octet of addresses that are a group's. */
const FIRST_GROUP = 224;
const IPV6_GROUPS = 8;

// --- what is typed ---------------------------------------------------------------------------------------------

export type Typed =
  /** `to` is somebody. */
  | { readonly kind: 'say'; readonly to: string | undefined }
  | { readonly kind: 'leave' }
  /** `to` may be anybody, or nobody that a file can be asked of. */
  | { readonly kind: 'getfile'; readonly to: string; readonly file: string }
  | { readonly kind: 'whohas'; readonly to: string | undefined; readonly of: string; readonly pattern: string }
  | { readonly kind: 'list'; readonly to?: undefined; readonly of: 'people' | 'rooms' };

export type Addressee = 'all' | 'me' | 'server' | 'somebody';

/** Whom a destination means; the server takes names for the same whatever their case. */
export function addresseeOf(to: string): Addressee {
  const key = nameKey(to);
  return key === 'all' || key === 'me' || key === 'server' ? key : 'somebody';
}

export function readTyped(line: string): Typed {
  const address = readAddress(line);
  if (!address) return { kind: 'say', to: undefined };
  const { to, text } = address;
  const said: Typed = { kind: 'say', to: addresseeOf(to) === 'somebody' ? to : undefined };
  const [word = '', argument = '', ...more] = fieldsOf(text);
  const command = word.trim().toLowerCase();
  if (addresseeOf(to) === 'server') return readAsked(command) ?? said;
  if (argument === '' || more.length > 0) return said;
  if (command === 'getfile') return { kind: 'getfile', to, file: argument };
  return command === 'whohas' ? { ...said, kind: 'whohas', of: to, pattern: argument } : said;
}

function readAsked(command: string): Typed | undefined {
  if (command === 'exit' || command === 'quit') return { kind: 'leave' };
  if (command === 'get_peers') return { kind: 'list', of: 'people' };
  return command === 'get_rooms' ? { kind: 'list', of: 'rooms' } : undefined;
}

/** Two messages: a classic client reads them one after the other. */
export function askForFile(owner: string, file: string, { ip, port, token }: Place): [string, string] {
  const sound = token === undefined ? '' : `|gbn2|${token}`;
  return [`@${owner}|getfile|${file}`, `@${owner}|${ip}|${port}${sound}`];
}

// --- what others say ---------------------------------------------------------------------------------------------

export type Relayed =
  | { readonly kind: 'whohas'; readonly pattern: string }
  /** `place` comes in a message of its own, mostly. */
  | { readonly kind: 'getfile'; readonly file: string; readonly place: Place | undefined }
  | { readonly kind: 'place'; readonly place: Place }
  /** Others have the file that they were asked for. */
  | { readonly kind: 'have' }
  /** A command without what it is about. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'own'; readonly command: string; readonly argument: string };

const NEED_A_NAME = ['whohas', 'getfile', 'setshare', 'clrshare'];
const OWN = ['setshare', 'clrshare', 'setglobalshare', 'clrglobalshare', 'getsharestatus', 'setwindowsize'];

/** Of a message that says something else, undefined. */
export function readRelayed(text: string): Relayed | undefined {
  const fields = fieldsOf(text);
  const [word = '', argument] = fields;
  const command = word.trim().toLowerCase();
  if (NEED_A_NAME.includes(command) && (argument === undefined || argument.trim() === '')) {
    return { kind: 'incomplete' };
  }
  if (command === 'whohas') return { kind: 'whohas', pattern: argument ?? '' };
  if (command === 'getfile') return { kind: 'getfile', file: argument ?? '', place: readPlace(fields.slice(2)) };
  if (OWN.includes(command)) return { kind: 'own', command, argument: argument ?? '' };
  if (text === HAVE) return { kind: 'have' };
  const place = readPlace(fields);
  return place && { kind: 'place', place };
}

/** `IP|PORT`, and `gbn2|TOKEN` behind it; with that the address may be an IPv6 one. */
export function readPlace([ip = '', port = '', wire, token]: readonly string[]): Place | undefined {
  const number = /^\d{1,5}$/.test(port.trim()) ? Number(port) : 0;
  const isSound = wire === 'gbn2' && /^[\w-]{1,64}$/.test(token ?? '');
  const isAddress = isOneIpv4(ip) || (isSound && isOneIpv6(ip));
  if (!isAddress || number < 1 || number > MAX_PORT) return undefined;
  return { ip, port: number, token: isSound ? token : undefined };
}

/** Of one machine: not everybody's, not a group's. */
function isOneIpv4(ip: string): boolean {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(ip)) return false;
  const octets = ip.split('.').map(Number);
  const [first = 0] = octets;
  return first > 0 && first < FIRST_GROUP && octets.every((octet) => octet <= MAX_OCTET);
}

/** A zone means something on one machine only, so there is none. */
function isOneIpv6(ip: string): boolean {
  const halves = ip.split('::');
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (halves.length > 2 || !groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return false;
  if (/^ff..(?::|$)/i.test(ip) || groups.every((group) => Number.parseInt(group, 16) === 0)) return false;
  return halves.length === 2 ? groups.length < IPV6_GROUPS : groups.length === IPV6_GROUPS;
}

export function readWindow(argument: string): number | undefined {
  const packets = /^\d{1,5}$/.test(argument) ? Number(argument) : 0;
  return packets >= MIN_WINDOW && packets <= MAX_WINDOW ? packets : undefined;
}

// --- what is shown -----------------------------------------------------------------------------------------------

export function send(...lines: readonly string[]): Action {
  return { kind: 'send', request: { kind: 'lines', lines } };
}

export function promptFor(isSecret: boolean): Action {
  return isSecret ? { kind: 'prompt', text: PASSWORD_PROMPT, style: SECRET } : { kind: 'prompt', text: PROMPT };
}

export function plain(text: string): Action {
  return { kind: 'print', tone: 'plain', text };
}

export function note(text: string): Action {
  return { kind: 'print', tone: 'note', text };
}

export function aside(text: string): Action {
  return { kind: 'print', tone: 'aside', text };
}

export function shown(reply: PipeReply): Action {
  const text = printable(textOf(reply));
  if (reply.kind === 'info') return note(text);
  return { kind: 'print', tone: reply.kind === 'relay' ? 'chat' : 'plain', text };
}

/** As it came. */
export function textOf(reply: PipeReply): string {
  switch (reply.kind) {
    case 'ok':
      return `OK|${reply.text}`;
    case 'error':
      return `ERROR|${reply.text}`;
    case 'info':
      return `INFO| ${reply.text}`;
    case 'relay':
      return `#${reply.from}|${reply.text}`;
    case 'line':
      return reply.text;
    default:
      return reply.kind;
  }
}

/** A classic server says back which password it has got. */
export function withoutPassword(reply: PipeReply): PipeReply {
  const isEcho = reply.kind === 'ok' && /^Password .* accepted\.$/.test(reply.text);
  return isEcho ? { kind: 'ok', text: 'Password accepted.' } : reply;
}

const WAYS: Readonly<Record<Way, string>> = {
  direct: 'straight from there',
  classic: 'on the classic wire',
  relay: 'through the server',
};

export function sentText(bytes: number, ms: number): string {
  return `sent, ${formatBytes(bytes)} in ${formatDuration(ms)}`;
}

export function arrivedText({ path, bytes, ms, way, isVerified }: Arrived): string {
  const check = isVerified ? 'its SHA-256 is right' : 'nobody can say whether it is right';
  return `it is in ${printable(path)}: ${formatBytes(bytes)} in ${formatDuration(ms)}, ${WAYS[way]}, ${check}`;
}
