// Layer 3. A member whose client shares files, as files.ts knows it: what it is asked goes to the client, and what the
// client answers comes back here. The same for each dialect whose clients can share.

import type { FileOwner, Files } from './files.ts';
import type { Member } from './room.ts';
import type { Address } from './session.ts';
import type { OwnerAnswer, OwnerQuestion } from './wire-owner.ts';

export class FileDesk {
  /** Lets it ask others for files over HTTP. */
  readonly token: string;
  readonly #files: Files;
  readonly #owner: FileOwner;

  /** `address`: where its client takes connections, if it does. */
  constructor(files: Files, member: Member, address: Address | undefined, ask: (question: OwnerQuestion) => void) {
    this.#files = files;
    this.#owner = {
      member,
      address,
      want: (want) => ask({ kind: 'want', ...want }),
      push: (ticket, from, to) => ask({ kind: 'push', ticket, from, to }),
      done: (ticket, reason) => ask({ kind: 'done', ticket, reason }),
    };
    this.token = files.register(this.#owner);
  }

  /** Whom it may ask; at most so many. */
  others(most: number): string[] {
    return this.#files.ownersFor(this.#owner.member, most);
  }

  answered(answer: OwnerAnswer): void {
    switch (answer.kind) {
      case 'offer':
        return this.#files.offered(this.#owner, answer.ticket, answer);
      case 'no':
        return this.#files.refused(this.#owner, answer.ticket, answer.status, answer.reason);
      case 'busy':
        return this.#files.busy(this.#owner, answer.ticket);
      case 'used':
        return this.#files.used(this.#owner, answer.ticket);
    }
  }

  close(): void {
    this.#files.unregister(this.#owner, this.token);
  }
}
