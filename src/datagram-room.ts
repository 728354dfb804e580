// Layer 3. The common room, as those `datagram` clients hear it who are online; and its other members, as they see them.

import type { Client } from './datagram-client.ts';
import type { Delivery } from './datagram-delivery.ts';
import type { Strangers } from './datagram-strangers.ts';
import type { Changed, HouseEvent, Person, Post } from './events.ts';
import type { Audience, Member, Room } from './room.ts';
import { encodeDatagram, splitMessage } from './wire-datagram.ts';

export class GroupAudience implements Audience {
  readonly #room: Room;
  readonly #clientOf: (member: Member) => Client;
  readonly #delivery: Delivery;
  readonly #strangers: Strangers;
  readonly #seated = new Map<string, Client>();

  constructor(room: Room, clientOf: (member: Member) => Client, delivery: Delivery, strangers: Strangers) {
    this.#room = room;
    this.#clientOf = clientOf;
    this.#delivery = delivery;
    this.#strangers = strangers;
  }

  add(member: Member): void {
    this.#seated.set(member.person.id, this.#clientOf(member));
    if (this.#seated.size === 1) for (const person of this.#room.people.values()) this.#came(person);
  }

  remove(member: Member): void {
    this.#seated.delete(member.person.id);
    if (this.#seated.size === 0) this.#strangers.clear();
  }

  hear(event: HouseEvent): void {
    switch (event.kind) {
      case 'joined':
        return this.#came(event.who);
      case 'left':
        return this.#strangers.left(event.who.id);
      case 'changed':
        return this.#rename(event);
      case 'post':
        return this.#tell(event);
    }
  }

  #came(person: Person): void {
    if (person.dialect !== 'datagram') this.#strangers.came(person);
  }

  /** It is as if one had left and another had come. */
  #rename({ before, who }: Changed): void {
    if (before.name === who.name) return;
    this.#strangers.left(who.id);
    this.#came(who);
  }

  #tell(post: Post): void {
    const own = this.#seated.get(post.who.id);
    const message = { kind: 'group', name: post.who.name, text: post.text } as const;
    const pieces = new Map<number, readonly Uint8Array[]>();
    // those who do not answer leave meanwhile
    for (const client of [...this.#seated.values()]) {
      if (client === own) continue;
      const { maxBytes } = client;
      const those = pieces.get(maxBytes) ?? splitMessage(message, maxBytes).map(encodeDatagram);
      pieces.set(maxBytes, those);
      this.#delivery.group(client, post, those);
    }
    own?.said.shift()?.(post);
  }
}
