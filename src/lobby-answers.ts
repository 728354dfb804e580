// Layer 3. What a `lobby` connection is answered, in order.

import type { LobbyReply } from './wire-lobby.ts';

/** Answers go out in the order of the requests, whenever each of them is ready. */
export class Answers {
  readonly #send: (reply: LobbyReply) => void;
  readonly #slots: Array<{ reply?: LobbyReply }> = [];

  constructor(send: (reply: LobbyReply) => void) {
    this.#send = send;
  }

  get waiting(): number {
    return this.#slots.length;
  }

  /** A place in the order; call what is returned when the answer is there. */
  add(): (reply: LobbyReply) => void {
    const slot: { reply?: LobbyReply } = {};
    this.#slots.push(slot);
    return (reply) => {
      slot.reply = reply;
      for (let first = this.#slots[0]?.reply; first; first = this.#slots[0]?.reply) {
        this.#slots.shift();
        this.#send(first);
      }
    };
  }
}
