// Layer 3. What goes out to one IRC client: with the tags that it wants, in batches, with the label of the command that
// it answers.

import { type Said, timeOf } from './irc.ts';
import { encodeSaid } from './irc-audience.ts';
import { type Caps, VARIANT } from './irc-caps.ts';
import { encodeIrc, type IrcSent, type Tags } from './wire-irc.ts';

const MAX_LABEL_CHARS = 64;

type Line = { readonly said: Said } | { readonly message: IrcSent };

/** Where it goes: the connection itself, for an object of its own for each of them would cost memory. */
export interface Outlet {
  readonly caps: Caps;
  readonly source: string;
  /** The time of day in milliseconds. */
  readonly wall: number;
  write(bytes: Uint8Array): void;
  nextBatch(): string;
}

export class IrcOut {
  readonly #outlet: Outlet;
  /** The label of the command under way, and what has answered it. */
  #label: string | undefined;
  #held: Line[] | undefined;
  /** The batch of all that answers it, once a part of that has gone out. */
  #answer: string | undefined;
  /** The batch that is open. */
  #batch: string | undefined;

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** What is sent until `settle` answers a command of that label. */
  begin(label: string | undefined): void {
    if (!label || label.length > MAX_LABEL_CHARS || !this.#outlet.caps.has('labeled-response')) return;
    this.#label = label;
    this.#held = [];
  }

  /** What is there goes out, before what others say from now on; more may come. */
  flush(): void {
    const [label, held, source] = [this.#label, this.#held, this.#outlet.source];
    if (label === undefined || !held || this.#batch !== undefined || !this.#outlet.caps.has('batch')) return;
    const answer = this.#outlet.nextBatch();
    this.#label = undefined;
    this.#held = undefined;
    this.#write({ message: { source, command: 'BATCH', params: [`+${answer}`, 'labeled-response'] } }, { label });
    this.#answer = answer;
    for (const line of held) this.#put(line);
  }

  settle(): void {
    const [label, held, answer] = [this.#label, this.#held, this.#answer];
    this.#label = undefined;
    this.#held = undefined;
    this.#answer = undefined;
    if (answer !== undefined) {
      return this.#write({ message: { source: this.#outlet.source, command: 'BATCH', params: [`-${answer}`] } });
    }
    if (label === undefined || !held) return;
    const [first, last] = [held[0], held.at(-1)];
    if (!first || !last) return this.#write({ message: { source: this.#outlet.source, command: 'ACK' } }, { label });
    const reference = batchOf(first);
    const isOneBatch = reference !== undefined && batchOf(last) === `-${reference.slice(1)}`;
    if (held.length === 1 || isOneBatch || !this.#outlet.caps.has('batch')) {
      for (const [at, line] of held.entries()) this.#write(line, at === 0 ? { label } : {});
      return;
    }
    const batch = this.#outlet.nextBatch();
    const { source } = this.#outlet;
    this.#write({ message: { source, command: 'BATCH', params: [`+${batch}`, 'labeled-response'] } }, { label });
    for (const line of held) this.#write(line, isInBatch(line) ? {} : { batch });
    this.#write({ message: { source, command: 'BATCH', params: [`-${batch}`] } });
  }

  /** Answers and the like: no tags but the time, those of labels and batches, and its own. */
  send(message: IrcSent): void {
    const { tags = {}, ...rest } = message;
    this.#put({ message: { ...rest, tags: this.#batch === undefined ? tags : { ...tags, batch: this.#batch } } });
  }

  /** What somebody has said or done. */
  tell(said: Said): void {
    if (this.#batch === undefined) return this.#put({ said });
    this.#put({ said: { ...said, tags: { batch: this.#batch } } });
  }

  /** What others have said or done: it answers nothing. */
  news(line: Line): void {
    this.#write(line);
  }

  /** What `work` sends is one batch, for who knows batches. */
  batch(type: string, params: readonly string[], work: () => void): void {
    if (!this.#outlet.caps.has('batch')) return work();
    const { source } = this.#outlet;
    const reference = this.#outlet.nextBatch();
    this.send({ source, command: 'BATCH', params: [`+${reference}`, type, ...params] });
    const outer = this.#batch;
    this.#batch = reference;
    work();
    this.#batch = outer;
    this.send({ source, command: 'BATCH', params: [`-${reference}`] });
  }

  #put(line: Line): void {
    if (this.#held) this.#held.push(line);
    else if (this.#answer === undefined || isInBatch(line)) this.#write(line);
    else this.#write(line, { batch: this.#answer });
  }

  #write(line: Line, more: Tags = {}): void {
    const outlet = this.#outlet;
    if ('said' in line) {
      const { tags, ...said } = line.said;
      return outlet.write(encodeSaid(said, outlet.caps.variant, { ...tags, ...more }));
    }
    const { tags, ...message } = line.message;
    const all: Record<string, string> = { ...tags, ...more };
    // what is in a batch has times of its own
    if (message.command !== 'BATCH' && (outlet.caps.variant & VARIANT.time) !== 0) all.time = timeOf(outlet.wall);
    outlet.write(encodeIrc({ ...message, tags: all }));
  }
}

/** What a BATCH opens or closes. */
function batchOf(line: Line): string | undefined {
  return 'message' in line && line.message.command === 'BATCH' ? line.message.params?.[0] : undefined;
}

function isInBatch(line: Line): boolean {
  const tags = 'said' in line ? line.said.tags : line.message.tags;
  return tags?.batch !== undefined;
}
