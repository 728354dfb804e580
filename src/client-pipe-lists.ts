// Layer 3. The lists of names that the client's `pipe` face waits for. In a list nothing is a command or a sentence:
// somebody, or some room, may be called `exit`, or `OK`.

import type { Step } from './client-pipe-dialogue.ts';
import type { PipeReply } from './wire-pipe.ts';

export type ListOf = 'people' | 'rooms';

const MAX_ASKED = 16;

export class Lists {
  /** Asked for by the user: what others say may come in between. */
  readonly #asked: ListOf[] = [];
  /** The server has said that it is the next line. */
  #announced: ListOf | undefined;

  ask(of: ListOf): void {
    if (this.#asked.length < MAX_ASKED) this.#asked.push(of);
  }

  /** On the way in: whether a list follows. */
  expect(reply: PipeReply): void {
    if (reply.kind === 'ok' && reply.text.startsWith('Here is a list of chatrooms')) this.#announced = 'rooms';
    if (reply.kind === 'line' && reply.text.startsWith('Here is a list of peers')) this.#announced = 'people';
  }

  /** What it is a list of; undefined for anything else. */
  take({ kind }: PipeReply, step: Step, isLeaving: boolean): ListOf | undefined {
    if (kind === 'kill') return undefined;
    const announced = this.#announced;
    this.#announced = undefined;
    if (announced !== undefined) return announced;
    const isList = step === 'chat' && (kind === 'line' || (kind === 'exit' && !isLeaving));
    return isList ? this.#asked.shift() : undefined;
  }
}
