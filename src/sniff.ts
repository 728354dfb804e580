// Layer 1. Which dialect does a connection speak? A pure function over the bytes that have come so far;
// who calls it holds the bytes, the cap and the clock. It never guesses early: as long as the bytes could
// still become another dialect's first message the answer is `more`.
//
// `menu` is what is left: its first message is a name, and a name can be anything, also the beginning of
// another dialect's first word. What stops there is therefore decided by its end, or by silence.

import { latin1Text, SPACE } from './wire.ts';

export type Sniffed = 'lab' | 'lobby' | 'irc' | 'http' | 'tls' | 'menu';

/** Undecided after this many bytes, or this long after the first byte: closed. */
export const SNIFF_MAX_BYTES = 4096;
export const SNIFF_MAX_MS = 10_000;
/** What stops in the middle of another dialect's first word is decided by so much silence. */
export const SNIFF_SILENCE_MS = 2000;

/** `yes`: it is this dialect. `maybe`: it could become it. `no`: it can't. */
type Verdict = 'yes' | 'maybe' | 'no';

const TESTS: readonly (readonly [Sniffed, (text: string) => Verdict])[] = [
  ['tls', looksLikeTls],
  ['http', looksLikeHttp],
  ['lobby', looksLikeLobby],
  ['irc', looksLikeIrc],
  ['lab', looksLikeLab],
];

/** What Parley's own `menu` client says first: a name, which may be any, and a port. */
const FULL_MENU_LINE = /^[^\t\r\n]+\t\d{1,5}\n/;

/** `ended`: no more bytes will come, so `more` is no answer. */
export function sniff(bytes: Uint8Array, ended = false): Sniffed | 'more' {
  // one character for each byte: all that is looked for is ASCII
  const text = latin1Text(bytes.subarray(0, SNIFF_MAX_BYTES));
  if (FULL_MENU_LINE.test(text)) return 'menu';
  let undecided = text === '';
  for (const [dialect, test] of TESTS) {
    const verdict = test(ended ? `${text}\n` : text);
    if (verdict === 'yes') return dialect;
    if (verdict === 'maybe') undecided = true;
  }
  return undecided && !ended ? 'more' : 'menu';
}

/** It has been silent for a while: a name that needs no end. Blanks alone say nothing yet, nor does a record of TLS. */
export function sniffSilent(bytes: Uint8Array): Sniffed | 'more' {
  const isName = bytes.some((byte) => byte > SPACE);
  return isName ? sniff(bytes, true) : 'more';
}

/** A datagram on the main port: whole by nature, so there is no `more`. */
export function sniffDatagram(bytes: Uint8Array): 'lab' | 'datagram' | 'unknown' {
  const text = `${latin1Text(bytes.subarray(0, 64))}\n`;
  if (looksLikeLab(text) === 'yes') return 'lab';
  return text.startsWith('{') ? 'datagram' : 'unknown';
}

/** A handshake record of TLS (or SSL 3): type 22, major version 3. */
function looksLikeTls(text: string): Verdict {
  if (text[0] !== '\x16') return 'no';
  return text.length < 2 ? 'maybe' : text[1] === '\x03' ? 'yes' : 'no';
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'PRI'];

/** A method and the beginning of a target: `GET /`, `OPTIONS *`, `GET http://`, `CONNECT host:80 H`. */
function looksLikeHttp(text: string): Verdict {
  const space = text.indexOf(' ');
  if (space < 0) return METHODS.some((method) => method.startsWith(text)) ? 'maybe' : 'no';
  const method = text.slice(0, space);
  if (!METHODS.includes(method)) return 'no';
  const target = text.slice(space + 1);
  if (method === 'CONNECT') {
    if (/^[^\s/]+:\d+ H/.test(target)) return 'yes';
    return /^[^\s/]*(?::\d+ )?$/.test(target) ? 'maybe' : 'no';
  }
  if (/^(?:\/|\* H|https?:\/\/)/i.test(target)) return 'yes';
  return ['* H', 'http://', 'https://'].some((form) => form.startsWith(target) || form.startsWith(target.toLowerCase()))
    ? 'maybe'
    : 'no';
}

const FRAMES = [
  'LGIN',
  'LOUT',
  'CUSR',
  'ROOM',
  'JOIN',
  'CONN',
  'CHAT',
  'DELR',
  'GOOD',
  'ERRO',
  'LTRQ',
  'LTRS',
  'PREV',
  'HIST',
  'FIND',
];

/**
 * A frame type, four digits (some programs pad with blanks), and then anything but the end of a line: that
 * would be a name like `CHAT2026`. Where the size was padded it must be a brace.
 */
function looksLikeLobby(text: string): Verdict {
  if (text.length < 4) return FRAMES.some((name) => name.startsWith(text)) ? 'maybe' : 'no';
  if (!FRAMES.includes(text.slice(0, 4))) return 'no';
  const size = text.slice(4, 8);
  if (!/^ *\d*$/.test(size)) return 'no';
  if (size === '0000') return 'yes';
  if (text.length < 9) return 'maybe';
  if (size.startsWith(' ')) return size.trim() !== '' && text[8] === '{' ? 'yes' : 'no';
  return text[8] === '\r' || text[8] === '\n' ? 'no' : 'yes';
}

/** What an IRC client says first. Upper case only: `Nick Cave` is a name. */
const IRC_VERBS = ['CAP ', 'NICK ', 'USER ', 'PASS ', 'AUTHENTICATE ', 'WEBIRC '];

/** A verb and a parameter; USER has four, with fewer it is somebody's name. */
function looksLikeIrc(text: string): Verdict {
  const verb = IRC_VERBS.find((v) => text.startsWith(v));
  if (verb === undefined) return IRC_VERBS.some((v) => v.startsWith(text)) ? 'maybe' : 'no';
  const end = text.indexOf('\n');
  const line = end < 0 ? text : text.slice(0, end);
  const enough = verb === 'USER ' ? /^USER +\S+ +\S+ +\S+ +\S/ : /^\S+ +\S/;
  return enough.test(line) ? 'yes' : end < 0 ? 'maybe' : 'no';
}

const LAB_FIELDS = ['JOIN_CHATROOM', 'LEAVE_CHATROOM', 'DISCONNECT', 'CHAT'];

/** `HELO text`, `KILL_SERVICE`, or a request's first field with its colon; blanks and empty lines may stand before. */
function looksLikeLab(text: string): Verdict {
  const line = text.replace(/^[ \t\r\n]+/, '');
  if (line === '') return 'maybe';
  if ('HELO'.startsWith(line) || 'KILL_SERVIC'.startsWith(line)) return 'maybe';
  if (/^(?:HELO[ \t\r\n]|KILL_SERVICE)/.test(line)) return 'yes';
  const field = /^([A-Za-z]+(?:[_ \t]+[A-Za-z]*)?)[ \t]*(:?)/.exec(line);
  if (!field) return 'no';
  const name = (field[1] as string)
    .trimEnd()
    .replace(/[ \t]+/g, '_')
    .toUpperCase();
  if (field[2] === ':') return LAB_FIELDS.includes(name) ? 'yes' : 'no';
  if (field[0].length < line.length) return 'no';
  return LAB_FIELDS.some((f) => f.startsWith(name)) ? 'maybe' : 'no';
}
