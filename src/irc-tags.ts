// Layer 1. The tags before a line of the `irc` dialect, as IRCv3 has them: `@time=…;+draft/reply=…`. Pure.

import { encodeText } from './wire.ts';

/** A tag without a value is ''. */
export type Tags = Readonly<Record<string, string>>;

/** Of the tags, with their `@` and blank. */
export const MAX_TAG_BYTES = 8191;
/** What a client may use of these, without `@` and blank. */
export const MAX_CLIENT_TAG_BYTES = 4094;
const MAX_BYTES_PER_CHAR = 3;

/** Most tags are these. */
const COMMON_KEYS: ReadonlySet<string> = new Set(['time', 'msgid', 'account', 'batch', 'label', '+typing']);
const TAG_KEY = /^\+?(?:[A-Za-z0-9.-]+\/)?[A-Za-z0-9-]+$/;
const TO_ESCAPE = /[\0\r\n ;\\]/;
const ALL_TO_ESCAPE = new RegExp(TO_ESCAPE, 'g');
const ESCAPES: ReadonlyMap<string, string> = new Map([
  [';', '\\:'],
  [' ', '\\s'],
  ['\\', '\\\\'],
  ['\r', '\\r'],
  ['\n', '\\n'],
  ['\0', ''],
]);
const ESCAPED: ReadonlyMap<string, string> = new Map([
  [':', ';'],
  ['s', ' '],
  ['r', '\r'],
  ['n', '\n'],
]);

/** What stands between `@` and the blank. Of a key that is there twice the last counts; what is no key is left out. */
export function readTags(text: string): Tags {
  const tags: Record<string, string> = {};
  for (let at = 0; at < text.length; ) {
    const semicolon = text.indexOf(';', at);
    const end = semicolon < 0 ? text.length : semicolon;
    readTag(text.slice(at, end), tags);
    at = end + 1;
  }
  return tags;
}

function readTag(tag: string, tags: Record<string, string>): void {
  const equals = tag.indexOf('=');
  const key = equals < 0 ? tag : tag.slice(0, equals);
  if (isTagKey(key)) tags[key] = equals < 0 ? '' : unescapeValue(tag.slice(equals + 1));
}

function unescapeValue(value: string): string {
  if (!value.includes('\\') && !value.includes('\0')) return value;
  return value.replaceAll('\0', '').replace(/\\(.?)/gsu, (_, char: string) => ESCAPED.get(char) ?? char);
}

/** With `@` and blank, or nothing. */
export function writeTags(tags: Tags): string {
  let text = '';
  for (const key in tags) {
    if (!isTagKey(key)) continue;
    const tag = writeTag(key, tags[key] as string);
    text = text === '' ? `@${tag}` : `${text};${tag}`;
  }
  const isLong = text.length * MAX_BYTES_PER_CHAR >= MAX_TAG_BYTES && encodeText(text).length >= MAX_TAG_BYTES;
  const fit = isLong ? fitTags(text) : text;
  return fit === '' ? '' : `${fit} `;
}

/** As many of these as may be sent. */
function fitTags(text: string): string {
  let bytes = 1;
  const fit = text
    .slice(1)
    .split(';')
    .filter((tag) => {
      const more = encodeText(tag).length + 1;
      if (bytes + more > MAX_TAG_BYTES) return false;
      bytes += more;
      return true;
    });
  return fit.length === 0 ? '' : `@${fit.join(';')}`;
}

function writeTag(key: string, value: string): string {
  if (value === '') return key;
  if (!TO_ESCAPE.test(value)) return `${key}=${value}`;
  return `${key}=${value.replace(ALL_TO_ESCAPE, (char) => ESCAPES.get(char) as string)}`;
}

function isTagKey(key: string): boolean {
  return COMMON_KEYS.has(key) || TAG_KEY.test(key);
}
