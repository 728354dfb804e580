// Layer 1. The bytes of the `lab` dialect (docs/lab.md), both directions. Pure.

import { ProtocolError } from './errors.ts';
import { type Decoder, decodeText, encodeText } from './wire.ts';
import { type Block, FieldDecoder, type Grammar, grammar, type Messages } from './wire-fields.ts';

export type LabRequest =
  /** `line` is the whole request as sent, for the echo. */
  | { readonly kind: 'helo'; readonly line: Uint8Array }
  | { readonly kind: 'kill' }
  | { readonly kind: 'join'; readonly room: string; readonly ip: string; readonly port: string; readonly name: string }
  | { readonly kind: 'leave'; readonly ref: string; readonly joinId: string; readonly name: string }
  | { readonly kind: 'disconnect'; readonly ip: string; readonly port: string; readonly name: string }
  | {
      readonly kind: 'chat';
      readonly ref: string;
      readonly joinId: string;
      readonly name: string;
      readonly text: string;
      /** UDP only: tells a repeated datagram from a repeated text. */
      readonly seq?: string;
    }
  /** A line that begins no request: ignored, as the lab asks. */
  | { readonly kind: 'other'; readonly line: string }
  /** A request that is wrong; reading goes on at the next one. */
  | { readonly kind: 'fault'; readonly code: 'malformed' | 'too-long'; readonly detail: string };

/** References and ids are strings: other servers of this protocol use numbers of up to 39 digits. */
export type LabReply =
  | {
      readonly kind: 'helo';
      readonly line: Uint8Array;
      readonly ip: string;
      readonly port: string;
      readonly studentId: string;
    }
  | {
      readonly kind: 'joined';
      readonly room: string;
      readonly ip: string;
      readonly port: string;
      readonly ref: string;
      readonly joinId: string;
    }
  | { readonly kind: 'left'; readonly ref: string; readonly joinId: string }
  | { readonly kind: 'chat'; readonly ref: string; readonly name: string; readonly text: string }
  | { readonly kind: 'error'; readonly code: string; readonly description: string };

export const MAX_TEXT_BYTES = 65_536;
/** Over UDP, a CHAT that is longer comes in several pieces. */
export const MAX_DATAGRAM_BYTES = 1400;

const REQUEST_MESSAGES: Messages = {
  blocks: {
    CHAT: ['JOIN_ID', 'CLIENT_NAME', 'MESSAGE'],
    JOIN_CHATROOM: ['CLIENT_IP', 'PORT', 'CLIENT_NAME'],
    LEAVE_CHATROOM: ['JOIN_ID', 'CLIENT_NAME'],
    DISCONNECT: ['PORT', 'CLIENT_NAME'],
  },
  words: { HELO: [], KILL_SERVICE: [] },
  glued: ['JOIN_CHATROOM:', 'LEAVE_CHATROOM:', 'DISCONNECT:', 'CHAT:', 'HELO ', 'KILL_SERVICE\n'],
  text: 'MESSAGE',
  textEndsAtKeyword: true,
};

const REQUESTS = grammar(REQUEST_MESSAGES);

/** A datagram is whole, and nothing can be glued to it. */
const DATAGRAMS = grammar({ ...REQUEST_MESSAGES, glued: [], textEndsAtKeyword: false });

const REPLIES = grammar({
  blocks: {
    JOINED_CHATROOM: ['SERVER_IP', 'PORT', 'ROOM_REF', 'JOIN_ID'],
    LEFT_CHATROOM: ['JOIN_ID'],
    CHAT: ['JOIN_ID?', 'CLIENT_NAME', 'MESSAGE'],
    ERROR_CODE: ['ERROR_DESCRIPTION'],
  },
  words: { HELO: ['IP', 'PORT', 'STUDENTID'] },
  glued: ['JOINED_CHATROOM:', 'LEFT_CHATROOM:', 'CHAT:', 'ERROR_CODE:'],
  text: 'MESSAGE',
  // a text that holds `CHAT: 0` must not pass for a second CHAT
  textEndsAtKeyword: false,
  sentence: 'ERROR_DESCRIPTION',
});

/** Either direction: blocks of fields, read by a grammar. */
abstract class LabDecoder<M> implements Decoder<M> {
  protected readonly fields: FieldDecoder;

  constructor(rules: Grammar, maxBytes: number) {
    this.fields = new FieldDecoder(rules, maxBytes);
  }

  abstract next(): M | undefined;

  push(bytes: Uint8Array): void {
    this.fields.push(bytes);
  }

  /** There has been silence for a while: a message that lacks only its last newline is complete. */
  lull(): void {
    this.fields.lull();
  }

  end(): void {
    this.fields.end();
  }

  /** Something is unfinished that a silence could complete. */
  get pending(): boolean {
    return this.fields.pending;
  }
}

/** What a client sends, as the server reads it. Never throws: faults are messages. */
export class LabRequestDecoder extends LabDecoder<LabRequest> {
  constructor(maxBytes = MAX_TEXT_BYTES, rules = REQUESTS) {
    super(rules, maxBytes);
  }

  override next(): LabRequest | undefined {
    const block = this.fields.next();
    return block?.kind === 'block' ? requestOf(block) : block;
  }
}

function requestOf({ key, values, line }: Block & { kind: 'block' }): LabRequest {
  const { 0: a = '', 1: b = '', 2: c = '', 3: d = '' } = values;
  switch (key) {
    case 'HELO':
      return { kind: 'helo', line };
    case 'KILL_SERVICE':
      return a === '' ? { kind: 'kill' } : { kind: 'other', line: `${key} ${a}` };
    case 'JOIN_CHATROOM':
      return { kind: 'join', room: a, ip: b, port: c, name: d };
    case 'LEAVE_CHATROOM':
      return { kind: 'leave', ref: a, joinId: b, name: c };
    case 'DISCONNECT':
      return { kind: 'disconnect', ip: a, port: b, name: c };
    default:
      return { kind: 'chat', ref: a, joinId: b, name: c, text: d };
  }
}

/**
 * One datagram is one request; a CHAT may carry `SEQ: n` behind its text, or behind the blank line. HELO has
 * one line: more is a server's answer to it, and two servers would go on answering each other.
 */
export function decodeLabDatagram(bytes: Uint8Array): LabRequest | undefined {
  const decoder = new LabRequestDecoder(MAX_TEXT_BYTES, DATAGRAMS);
  decoder.push(bytes);
  decoder.end();
  const request = decoder.next();
  if (request?.kind === 'helo' && decodeText(bytes).trim().includes('\n')) return undefined;
  if (request?.kind !== 'chat') return request;
  const after = decoder.next();
  const behind = after?.kind === 'other' ? /^SEQ[ \t]*:[ \t]*(\S{1,20})$/i.exec(after.line) : null;
  if (behind) return { ...request, seq: behind[1] as string };
  const inText = /\n[ \t]*SEQ[ \t]*:[ \t]*(\S{1,20})$/i.exec(request.text);
  return inText ? { ...request, text: request.text.slice(0, inText.index), seq: inText[1] as string } : request;
}

/** What a server sends, as the client reads it. Throws ProtocolError on a server that makes no sense. */
export class LabReplyDecoder extends LabDecoder<LabReply> {
  #broken: ProtocolError | undefined;

  constructor(maxBytes = 2 * MAX_TEXT_BYTES) {
    super(REPLIES, maxBytes);
  }

  override next(): LabReply | undefined {
    if (this.#broken) throw this.#broken;
    for (;;) {
      const block = this.fields.next();
      if (block === undefined) return undefined;
      if (block.kind === 'block') return replyOf(block);
      if (block.kind === 'fault') {
        this.#broken = new ProtocolError(block.code, block.detail);
        throw this.#broken;
      }
    }
  }
}

function replyOf({ key, values, line }: Block & { kind: 'block' }): LabReply {
  const { 0: a = '', 1: b = '', 2: c = '', 3: d = '', 4: e = '' } = values;
  switch (key) {
    case 'HELO':
      return { kind: 'helo', line, ip: b, port: c, studentId: d };
    case 'JOINED_CHATROOM':
      return { kind: 'joined', room: a, ip: b, port: c, ref: d, joinId: e };
    case 'LEFT_CHATROOM':
      return { kind: 'left', ref: a, joinId: b };
    case 'ERROR_CODE':
      return { kind: 'error', code: a, description: b };
    default:
      return { kind: 'chat', ref: a, name: c, text: d };
  }
}

export function encodeReply(reply: LabReply): Uint8Array {
  switch (reply.kind) {
    case 'helo': {
      const rest = encodeText(`\nIP:${reply.ip}\nPort:${reply.port}\nStudentID:${oneLine(reply.studentId)}\n`);
      const bytes = new Uint8Array(reply.line.length + rest.length);
      bytes.set(reply.line);
      bytes.set(rest, reply.line.length);
      return bytes;
    }
    case 'joined':
      return encodeText(
        `JOINED_CHATROOM: ${oneLine(reply.room)}\nSERVER_IP: ${reply.ip}\nPORT: ${reply.port}\n` +
          `ROOM_REF: ${reply.ref}\nJOIN_ID: ${reply.joinId}\n`,
      );
    case 'left':
      return encodeText(`LEFT_CHATROOM: ${reply.ref}\nJOIN_ID: ${oneLine(reply.joinId)}\n`);
    case 'chat':
      return encodeText(
        `CHAT: ${reply.ref}\nCLIENT_NAME: ${oneLine(reply.name)}\nMESSAGE: ${freeText(reply.text)}\n\n`,
      );
    case 'error':
      return encodeText(`ERROR_CODE: ${reply.code}\nERROR_DESCRIPTION: ${oneLine(reply.description)}\n`);
  }
}

export function encodeRequest(request: Exclude<LabRequest, { kind: 'other' | 'fault' }>): Uint8Array {
  switch (request.kind) {
    case 'helo': {
      const bytes = new Uint8Array(request.line.length + 1);
      bytes.set(request.line);
      bytes[request.line.length] = 0x0a;
      return bytes;
    }
    case 'kill':
      return encodeText('KILL_SERVICE\n');
    case 'join':
      return encodeText(
        `JOIN_CHATROOM: ${oneLine(request.room)}\nCLIENT_IP: ${request.ip}\nPORT: ${request.port}\n` +
          `CLIENT_NAME: ${oneLine(request.name)}\n`,
      );
    case 'leave':
      return encodeText(
        `LEAVE_CHATROOM: ${oneLine(request.ref)}\nJOIN_ID: ${oneLine(request.joinId)}\nCLIENT_NAME: ${oneLine(request.name)}\n`,
      );
    case 'disconnect':
      return encodeText(`DISCONNECT: ${request.ip}\nPORT: ${request.port}\nCLIENT_NAME: ${oneLine(request.name)}\n`);
    case 'chat':
      return encodeText(
        `CHAT: ${oneLine(request.ref)}\nJOIN_ID: ${oneLine(request.joinId)}\nCLIENT_NAME: ${oneLine(request.name)}\n` +
          `MESSAGE: ${requestText(request.text)}\n\n${request.seq === undefined ? '' : `SEQ: ${oneLine(request.seq)}\n`}`,
      );
  }
}

/** A value must not end its line early. */
function oneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text;
}

/** Free text must not end at a blank line of its own: a space stands in each. */
function freeText(text: string): string {
  if (!text.includes('\n\n') && !text.includes('\r') && !text.endsWith('\n')) return text;
  // each run of returns is looked at once, from its start: a peer's megabyte of them costs no more than text
  const lines = text.split(/(?<!\r)\r*\n/);
  while (lines.length > 1 && /^\r*$/.test(lines.at(-1) as string)) lines.pop();
  return lines.map((line, index) => (line === '' && index > 0 ? ' ' : line)).join('\n');
}

/** ... nor, in a request, at a line that begins with a keyword: a space stands before it. */
function requestText(text: string): string {
  return freeText(text).replace(/\n(?=(?:JOIN_CHATROOM|LEAVE_CHATROOM|DISCONNECT|CHAT):|HELO |KILL_SERVICE)/g, '\n ');
}
