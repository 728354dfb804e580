// Layer 3. What waits for a `datagram` client that is offline: what was said in the group, and private messages, as
// datagrams. Pure.

import type { Post } from './events.ts';
import type { Mail } from './store.ts';
import { clockTime, encodeDatagram, type OfflineMessage, splitOffline } from './wire-datagram.ts';

export interface Entry extends OfflineMessage {
  readonly at: number;
  readonly post?: Post;
  readonly mail?: Mail;
}

export function entryOfPost(post: Post): Entry {
  const { who, at, text } = post;
  return { from: who.name, time: clockTime(at), text, isGroup: true, at, post };
}

export function entryOfMail(mail: Mail): Entry {
  const { sender, time, text, at } = mail;
  return { from: sender, time, text, isGroup: false, at, mail };
}

/** By time; those of one kind stay in their order, whatever the clock did. */
export function inOrder(posts: readonly Entry[], mails: readonly Entry[]): Entry[] {
  const [first, second] = [[...posts], [...mails]];
  const merged: Entry[] = [];
  for (let [post, mail] = [first.shift(), second.shift()]; post || mail; ) {
    if (post && (!mail || post.at <= mail.at)) {
      merged.push(post);
      post = first.shift();
    } else if (mail) {
      merged.push(mail);
      mail = second.shift();
    }
  }
  return merged;
}

/** Datagrams, each with the entries that are delivered when it is acknowledged: a long one with its last piece. */
export function datagramsOf(
  entries: readonly Entry[],
  maxBytes: number,
): Array<{ bytes: Uint8Array; entries: Entry[] }> {
  let at = 0;
  let chars = 0;
  return splitOffline(entries, maxBytes).map((message) => {
    const whole: Entry[] = [];
    for (const { text } of message.kind === 'offline_messages' ? message.messages : []) {
      const entry = entries[at] as Entry;
      chars += text.length;
      if (chars < entry.text.length) continue;
      whole.push(entry);
      at++;
      chars = 0;
    }
    return { bytes: encodeDatagram(message), entries: whole };
  });
}
