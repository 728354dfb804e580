// Layer 3. What happens in the client's `datagram` face, and how it is told: a classic client's screens word for
// word, or JSON. Nothing that goes on.
//
// The classic client prints `>>> ` before most lines, and as its prompt; what comes in stands behind a prompt that
// waits, and then none comes until something is typed. Here it always comes back, so a line is never without it.

import type { Action, Tone } from './face.ts';
import { printable } from './printable.ts';
import type { OfflineMessage, TableRow } from './wire-datagram.ts';

export type DatagramEvent =
  | { readonly event: 'registered'; readonly name: string }
  | { readonly event: 'table'; readonly table: readonly TableRow[] }
  /** What came in. */
  | { readonly event: 'message'; readonly from: string; readonly text: string }
  | { readonly event: 'group'; readonly from: string; readonly text: string }
  | { readonly event: 'offline'; readonly messages: readonly OfflineMessage[]; readonly continues: boolean }
  | { readonly event: 'receipt'; readonly text: string }
  /** What became of what was typed. */
  | { readonly event: 'acked'; readonly to: string }
  | { readonly event: 'unacked'; readonly to: string }
  | { readonly event: 'saved'; readonly to: string; readonly time: string }
  | { readonly event: 'undelivered'; readonly to: string }
  | { readonly event: 'group-acked' }
  | { readonly event: 'deregistered' }
  | { readonly event: 'registering' }
  | { readonly event: 'error'; readonly text: string };

export const PROMPT = '>>> ';
export const COMMANDS = ['send ', 'send_all ', 'dereg'];
export const OFFLINE_COMMANDS = ['reg'];

/** The receipt that a server makes of a saved message. */
export function receiptOf(to: string, time: string): string {
  return ` [Offline Message sent at ${time} received by ${to}.]`;
}

/** What a line of commands can name. */
export function isTypeable(name: string): boolean {
  return /^\S+$/.test(name) && printable(name) === name;
}

/** `isFresh`: a prompt waits that nothing has come behind yet. */
export function shown(event: DatagramEvent, isFresh: boolean): Action<never>[] {
  const text = screenOf(event, isFresh ? PROMPT : '');
  if (text === undefined) return [];
  const isFromPerson = event.event === 'message' || event.event === 'group';
  return [isFromPerson ? print(text, 'chat', nameOf(event.from)) : print(text, 'plain')];
}

/** One line. All that could move a cursor is escaped. */
export function asJson(event: DatagramEvent): Action<never>[] {
  const text = JSON.stringify(jsonOf(event));
  const escaped = text.replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return [print(escaped, 'plain')];
}

function jsonOf(event: DatagramEvent): object {
  if (event.event === 'group-acked') return { event: 'acked', group: true };
  if (event.event !== 'offline') return event;
  const messages = event.messages.map(({ from, time, text, isGroup }) => ({
    ...{ from: from ?? null, time, text, group: isGroup },
  }));
  return { event: 'offline', messages };
}

function print(text: string, tone: Tone, who?: string): Action<never> {
  return { kind: 'print', text, tone, who };
}

/** `waiting` is the prompt behind which a group's line came, where it came first. */
function screenOf(event: DatagramEvent, waiting: string): string | undefined {
  switch (event.event) {
    case 'table':
      return undefined;
    case 'group':
      return `${waiting}${PROMPT}Group Chat ${nameOf(event.from)}:  ${textOf(event.text)}`;
    case 'offline': {
      const rows = event.messages.map((message) => PROMPT + offlineRow(message));
      return [...(event.continues ? [] : [`${waiting}${PROMPT}[You have offline messages:]`]), ...rows].join('\n');
    }
    default:
      return PROMPT + wordsOf(event);
  }
}

function wordsOf(event: Exclude<DatagramEvent, { event: 'table' | 'group' | 'offline' }>): string {
  switch (event.event) {
    case 'registered':
      return '[Welcome, You are registered.]';
    case 'message':
      return `${nameOf(event.from)}: ${textOf(event.text)}`;
    case 'acked':
      return `[Message received by ${nameOf(event.to)}.]`;
    case 'unacked':
      return `[No ACK from ${nameOf(event.to)}, message sent to server.]`;
    case 'saved':
      return `[Offline Message sent at ${event.time} received by the server and saved.]`;
    case 'undelivered':
      return `[Message not delivered to ${nameOf(event.to)}.]`;
    case 'group-acked':
      return '[Group Message received by Server.]';
    case 'deregistered':
      return '[You are Offline. Bye.]';
    case 'registering':
      return '[RegSent]';
    case 'receipt':
    case 'error':
      return textOf(event.text);
  }
}

function offlineRow({ from, time, text, isGroup }: OfflineMessage): string {
  if (from === undefined) return textOf(text);
  return `${isGroup ? 'Group Chat ' : ''}${nameOf(from)}: ${nameOf(time)} ${textOf(text)}`;
}

function nameOf(name: string): string {
  return printable(name).replace(/[\n\t]/g, ' ');
}

/** No row of it can pass for a line of its own. */
function textOf(text: string): string {
  return printable(text).replaceAll('\n', '\n    ');
}
