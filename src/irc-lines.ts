// Layer 3. What is said in the house as lines of IRC, and the other way round. A text of several lines, or a long one, is
// several messages; `/me waves` is an ACTION.

import type { ClientTags, KeptWhisper } from './events.ts';
import type { Irc, Said } from './irc.ts';
import { encodeText } from './wire.ts';
import { fitText, MAX_LINE_BYTES } from './wire-irc.ts';

const CTCP = '\x01';
const ACTION = `${CTCP}ACTION `;
/** What an action begins with in the house. */
export const ME = '/me ';
/** Of a list in one line, beside the numeric and who is told. */
const MAX_LIST_BYTES = 300;
/** `:` before the source, blanks, `:` before the text, CR LF. */
const AROUND_BYTES = 1 + 1 + 1 + 2 + 2;

/**
 * The last parameters of the messages that a text is. What came as one line of IRC stays one, as its readers expect: of
 * a line that is too long with its sender before it they get the beginning.
 */
export function linesOf(text: string, prefix: string, command: string, target: string, isFromIrc: boolean): string[] {
  const isAction = text.startsWith(ME);
  const said = isAction ? text.slice(ME.length) : text;
  // what another dialect sends can't be a request to a program
  const plain = isFromIrc && !isAction ? said : said.replaceAll(CTCP, '');
  const around = bytesOf(prefix) + command.length + bytesOf(target) + AROUND_BYTES + (isAction ? ACTION.length + 1 : 0);
  const all = fitText(plain, MAX_LINE_BYTES - around);
  const pieces = isFromIrc ? all.slice(0, 1) : all;
  return isAction ? pieces.map((piece) => `${ACTION}${piece}${CTCP}`) : pieces;
}

/** Something that is said, and by whom. */
export interface Spoken {
  readonly by: Pick<Said, 'at' | 'account' | 'isBot'> & { readonly source: string };
  readonly command: string;
  readonly target: string;
  readonly text: string;
  readonly isFromIrc: boolean;
  readonly msgid: string | undefined;
  readonly client: ClientTags | undefined;
}

/** The messages that this is: each has an id of its own. */
export function messagesIn({ by, command, target, text, isFromIrc, msgid, client }: Spoken): Said[] {
  return linesOf(text, by.source, command, target, isFromIrc).map((line, nth) => ({
    ...by,
    command,
    params: [target, line],
    msgid: msgid === undefined || nth === 0 ? msgid : `${msgid}.${nth}`,
    client,
  }));
}

/** What was kept, as it is told later. `note` stands before the text. */
export function messagesOf(irc: Irc, target: string, kept: Omit<KeptWhisper, 'to'>, note = ''): Said[] {
  const { id, who, at, text, notice, tags } = kept;
  return messagesIn({
    by: irc.saidBy(who, at),
    command: notice ? 'NOTICE' : 'PRIVMSG',
    target,
    text: text.startsWith(ME) ? ME + note + text.slice(ME.length) : note + text,
    isFromIrc: who.dialect === 'irc',
    msgid: irc.msgidOf(id),
    client: tags,
  });
}

/** Undefined for a request to a program, which is nothing that is said. */
export function textOf(line: string): string | undefined {
  if (!line.startsWith(CTCP)) return line;
  if (!line.startsWith(ACTION)) return undefined;
  const text = line.slice(ACTION.length, line.endsWith(CTCP) ? -CTCP.length : undefined);
  return text === '' ? undefined : ME + text;
}

/** Words in as few texts as there can be, none longer than that; what stands between them is one byte. */
export function packWords(words: Iterable<string>, maxBytes = MAX_LIST_BYTES, between = ' '): string[] {
  const texts: string[] = [];
  let text = '';
  let bytes = 0;
  for (const word of words) {
    const more = bytesOf(word);
    if (text !== '' && bytes + 1 + more > maxBytes) {
      texts.push(text);
      text = '';
    }
    bytes = text === '' ? more : bytes + 1 + more;
    text = text === '' ? word : text + between + word;
  }
  return text === '' ? texts : [...texts, text];
}

export function bytesOf(text: string): number {
  // all but a few are ASCII
  return /^\p{ASCII}*$/u.test(text) ? text.length : encodeText(text).length;
}
