// Layer 1. Where the head of an HTTP request ends, whatever pieces it comes in. Pure.

import { CR, LF } from './wire.ts';

export class HeadEnd {
  /** Blank lines before a request belong to it. */
  #hasBegun = false;
  #lineBytes = 0;

  /** The position behind the head, if it ends in these bytes; else undefined. The next head begins there. */
  push(bytes: Uint8Array): number | undefined {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === CR) continue;
      if (byte !== LF) {
        this.#lineBytes++;
        this.#hasBegun = true;
      } else if (this.#hasBegun && this.#lineBytes === 0) {
        this.#hasBegun = false;
        return at + 1;
      } else this.#lineBytes = 0;
    }
    return undefined;
  }
}
