// The client's `pipe` face without a server: what is typed and what the server says as a transcript, time as a number.

import * as assert from 'uvu/assert';
import { type ClientRequest, PipeFace, type PipeOptions } from '../src/client-pipe.ts';
import type { Action } from '../src/face.ts';
import { type PipeReply, readReply } from '../src/wire-pipe.ts';

/** An action as a reader would tell it: `->` goes to the server, `=>` to whoever carries files, (notes) are ours. */
export function tell(action: Action<ClientRequest>): string {
  switch (action.kind) {
    case 'send':
      return tellRequest(action.request);
    case 'print':
      return action.tone === 'note' || action.tone === 'aside' ? `(${action.text})` : action.text;
    case 'prompt':
      return `prompt ${action.text}${action.style ? ` ${JSON.stringify(action.style)}` : ''}`;
    case 'exit':
      return `exit ${action.status}${action.error === undefined ? '' : ` ${action.error}`}`;
  }
}

export function tellRequest(request: ClientRequest): string {
  switch (request.kind) {
    case 'lines':
      return `-> ${request.lines.join(' & ')}`;
    case 'fetch':
    case 'abandon':
      return `=> ${request.kind} ${request.wish.file} of ${request.wish.owner}`;
    case 'owner-left':
      return `=> ${request.owner} has left`;
    case 'window':
      return `=> window ${request.packets}`;
    default: {
      const { to, file, ip, port, token } = request.request;
      const reason = request.kind === 'refuse' ? ` ${request.reason}` : '';
      return `=> ${request.kind} ${file} to ${to} at ${ip}:${port}${token === undefined ? '' : ` ${token}`}${reason}`;
    }
  }
}

export class Desk {
  readonly face: PipeFace;
  now = 1000;

  constructor(options: Partial<PipeOptions> = {}) {
    this.face = new PipeFace({
      files: () => ['song.mp3', 'a b.txt', 'Notes.md'],
      isSharing: true,
      parallel: 2,
      usesServer: false,
      isPerson: true,
      ...options,
    });
  }

  /** `< ` the server says, `<~ ` it says without a newline, `> ` typed, `+N` ms pass, `.` the input ends. */
  do(step: string): string[] {
    const [, what = '', text = ''] = /^(<~|<|>|\+|\.) ?(.*)$/s.exec(step) ?? [];
    if (what === '+') return this.pass(Number(text));
    if (what === '>') return this.face.line(text, this.now).map(tell);
    if (what === '.') return this.face.inputEnded(this.now).map(tell);
    return this.face.received(readReply(text) as PipeReply, what === '<', this.now).map(tell);
  }

  pass(ms: number): string[] {
    const to = this.now + ms;
    const told: string[] = [];
    for (let at = this.face.deadline(); at <= to; at = this.face.deadline()) {
      this.now = Math.max(this.now, at);
      told.push(...this.face.tick(this.now).map(tell));
    }
    this.now = to;
    return told;
  }

  /** Step by step, with what comes of each besides that what the server says is shown. */
  follows(script: ReadonlyArray<readonly [string, ...string[]]>): this {
    for (const [step, ...due] of script) {
      const told = this.do(step);
      const shown = /^<~? ?/.test(step) ? [step.replace(/^<~? /, '').replace(/^(INFO.*)$/, '($1)')] : [];
      const isQuiet = shown.length > 0 && told[0] === shown[0];
      assert.equal(isQuiet ? told.slice(1) : told, due, `after ${step}`);
    }
    return this;
  }
}

export const GREETING = [
  ['< Connected to 127.0.0.1 at port 50100'],
  ['< Please enter your username'],
] as const satisfies ReadonlyArray<readonly [string]>;

/** In a room, with bob. */
export function entered(options: Partial<PipeOptions> = {}): Desk {
  return new Desk(options).follows([
    ...GREETING,
    ['> ann', '-> ann'],
    ['< OK|Username ann accepted. Send create/join a chatroom'],
    ['> join', '-> join'],
    ['< OK|Here is a list of chatrooms you can join.'],
    ['< den|room2'],
    ['> den', '-> den'],
    ['< OK|You have joined chatroom - den'],
    ['< Here is a list of peers in the room:'],
    ['< bob'],
    ['< Welcome to den. You are all set to pass messages'],
    ['+1000'],
  ]);
}
