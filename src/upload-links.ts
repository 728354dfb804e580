// Layer 1. How uploads are named in links, pure: the address where files are sent, the link of one that is kept, and
// names that are safe in both, whatever a peer calls its file.

import type { Address } from './session.ts';

/** Written out in a link a byte can be three characters, and a line of chat has some 400. */
export const MAX_UPLOAD_NAME_BYTES = 80;
/** What follows the last dot stays when a name is cut. */
const MAX_ENDING_BYTES = 12;
const ROOT = '/upload';
const NO_NAME = 'file';

/** Control, invisible and unpaired characters, those that turn the direction of text around, ends of lines. */
const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffd]/gu;
const UNFIT_ON_WINDOWS = /[<>:"|?*]/g;
/** Windows takes these for devices, whatever follows the dot. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)/i;
const encoder = new TextEncoder();

/** What of an upload stands in its link. */
export interface Linked {
  readonly id: string;
  readonly name: string;
}

/** Where files are sent; `base` is the server's own address in a form that reaches it, without a slash at its end. */
export function uploadUrl(base: string): string {
  return `${base}${ROOT}`;
}

export function uploadLink(base: string, { id, name }: Linked): string {
  return `${base}${ROOT}/${id}/${encodeName(name)}`;
}

/** The server's own address, as whoever has connected to `local` reaches it. */
export function baseAt({ ip, port }: Address, isEncrypted: boolean): string {
  const host = ip.includes(':') ? `[${ip}]` : ip;
  return `${schemeOf(isEncrypted)}://${host}:${port}`;
}

/** The same from a Host field; undefined where that is none. */
export function baseOfHost(host: string | undefined, isEncrypted: boolean): string | undefined {
  const isHost = /^(?:[a-z0-9](?:[a-z0-9._-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i.test(host ?? '');
  return isHost ? `${schemeOf(isEncrypted)}://${host}` : undefined;
}

/**
 * The address for the FILEHOST token of a connection; undefined where there is none that its client could use: it must
 * not send in plain text what it says through TLS.
 */
export function fileHostOf(isEncrypted: boolean, base: string): string | undefined {
  return isEncrypted && !base.startsWith('https:') ? undefined : uploadUrl(base);
}

/** The last part of whatever path it was, without what does harm in a file name, a header or on a screen. */
export function spellUploadName(name: string): string {
  const last = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  const fit = trim(last.normalize('NFC').replace(UNFIT, '').replace(/\s+/gu, ' ').replace(UNFIT_ON_WINDOWS, '_'));
  const free = DEVICE.test(fit) ? `_${fit}` : fit;
  return trim(shorten(free)) || NO_NAME;
}

/** As programs find links in a text: some take a bracket or a quote for the end. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function schemeOf(isEncrypted: boolean): string {
  return isEncrypted ? 'https' : 'http';
}

/** Hidden on Unix with a dot before it, not to be had on Windows with one behind it. */
function trim(name: string): string {
  return name.replace(/^[. ]+/, '').replace(/[. ]{1,1000}$/, '');
}

function shorten(name: string): string {
  if (encoder.encode(name).length <= MAX_UPLOAD_NAME_BYTES) return name;
  const [ending = ''] = /\.[^. ]{1,11}$/u.exec(name) ?? [];
  const bytes = encoder.encode(ending).length;
  if (ending === '' || bytes > MAX_ENDING_BYTES) return cut(name, MAX_UPLOAD_NAME_BYTES);
  return cut(name.slice(0, -ending.length), MAX_UPLOAD_NAME_BYTES - bytes) + ending;
}

/** At the end of a character. */
function cut(text: string, maxBytes: number): string {
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(maxBytes)).read);
}
