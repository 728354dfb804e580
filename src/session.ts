// Layer 0. What layer 3 (a dialect's session) and layer 4 (a socket) know of one another: plain types,
// so that a session runs on a real socket, on a datagram peer or on a test's array alike.

export interface Address {
  readonly ip: string;
  readonly port: number;
}

export function isLoopback(ip: string): boolean {
  return ip === '::1' || /^127\./.test(ip);
}

/** Those who share an address as far as limits are concerned: of IPv6 a whole /64 is one customer's. */
export function networkOf(ip: string): string {
  if (!ip.includes(':')) return ip;
  const [front = '', back] = ip.replace(/%.*$/, '').split('::');
  const head = front === '' ? [] : front.split(':');
  const tail = back ? back.split(':') : [];
  const groups =
    back === undefined ? head : [...head, ...new Array(Math.max(0, 8 - head.length - tail.length)).fill('0'), ...tail];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/** One side of a conversation, as a session sees it. */
export interface Port {
  /** Names the connection in logs. */
  readonly id: string;
  readonly local: Address;
  readonly remote: Address;
  /** Nobody on the way can read it. */
  readonly isEncrypted?: boolean;
  /** When it was opened, on the clock of `receive`. */
  readonly opened: number;
  /** Queues bytes; they go out at the end of this turn of the event loop, in the order sent. */
  send(bytes: Uint8Array): void;
  /** Closes after everything queued has gone out. Nothing can be sent afterwards. */
  end(): void;
  /** Reading goes on after `receive` returned false; the deadline may have changed. */
  resume(): void;
  /** The deadline of its session may have changed. */
  wake(): void;
  /** Its answers pile up: it is not read, and should not be answered further, until they have gone out. */
  readonly isCongested: boolean;
  /** Something was thrown that is a bug: logged, and this connection closed. */
  fail(error: unknown): void;
}

/** A socket for datagrams. */
export interface DatagramPort {
  /** The port number it is bound to. */
  readonly number: number;
  /** Our address as seen from there. */
  localIp(remoteIp: string): string;
  send(bytes: Uint8Array, to: Address): void;
  /** Whether so much that can wait may go there now: what can't wait needs some room too. */
  hasRoomToSpare?(length: number, to: Address): boolean;
  /** The deadline of its session may have changed. */
  wake(): void;
  /** One was not answered: counted, and in the log. */
  ignored(why: Ignored, from: Address): void;
  /** One goes out that was sent before, and not acknowledged: counted. */
  repeated?(): void;
  fail(error: unknown): void;
}

/** Not understood; in somebody's name from where that one is not; or not through TLS, where that is required. */
export type Ignored = 'broken' | 'forged' | 'plain';

/** A port of one's own for datagrams. */
export interface Mailbox {
  readonly port: number;
  close(): void;
}

export interface Mailboxes {
  /** Rejects when there is no port left. */
  open(receive: (bytes: Uint8Array, from: Address) => void): Promise<Mailbox>;
}

/** All peers of one dialect on one datagram socket. */
export interface DatagramSession {
  receive(bytes: Uint8Array, from: Address, now: number): void;
  tick(now: number): void;
  deadline(): number;
}

/** Listeners for one connection each. */
export interface Doors {
  /**
   * Opens one, for a while: the first connection from `ip` gets the session that `open` makes, others are turned
   * away. `unused` is called when none has come. Says its port; rejects with a HouseError, after `unused`, when there
   * can't be one. Whoever comes through an encrypted one has to speak TLS.
   */
  open(ip: string, open: (port: Port) => Session, unused: () => void, isEncrypted?: boolean): Promise<number>;
}

/** Datagrams to groups on the networks around. */
export interface Multicast {
  /** Why there can be none here; undefined when all is well. */
  trouble(): Promise<string | undefined>;
  send(bytes: Uint8Array, group: Address): void;
}

/** Bytes for many ports at once: appended once, written to each port as the same slice. */
export interface Broadcast {
  add(port: Port): void;
  remove(port: Port): void;
  /** Sends `bytes` to every port that was added, but for `except`. */
  append(bytes: Uint8Array, except?: Port): void;
}

/** What a connection of one dialect does. `now` is a monotonic time in milliseconds. */
export interface Session {
  /** Takes bytes from the peer; false asks for no more until `port.resume()`. */
  receive(bytes: Uint8Array, now: number): boolean;
  /** The peer will send no more, but may still read. */
  ended(now: number): void;
  /** The connection is gone, or is about to be for this reason. Called once. */
  closed(reason: string): void;
  /** The server drops this peer: a last word in the dialect's own form, if it has one. */
  dropped(reason: string): void;
  /** Called at `deadline()` or later; harmless when early or repeated. */
  tick(now: number): void;
  /** When `tick` wants to be called; Infinity for never. */
  deadline(): number;
}
