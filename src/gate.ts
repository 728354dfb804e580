// Layer 2. Who may come to the server and how much they may ask of it: caps on connections, bans, and buckets for what
// a connection, and a whole network (an IPv4 address, a /64 of IPv6), sends. Pure: time is passed in. What is done
// with who is too fast is layer 4's.

import type { Bans } from './bans.ts';
import { Bucket, type Rate } from './bucket.ts';
import { isTrusted, type Limits } from './limits.ts';
import { networkOf } from './session.ts';

const MAX_NETWORKS = 20_000;
const MAX_PEERS = 20_000;
const MAX_KNOWN = 10_000;
/** What a network owes at most. */
const MAX_DEBT_MS = 1000;
/** An answer may be so many times as long as what was asked. */
const ANSWER_FACTOR = 3;

/** What is known of one network. */
class Network {
  readonly name: string;
  connections = 0;
  readonly arrivals = new Bucket();
  readonly messages = new Bucket();
  readonly bytes = new Bucket();
  readonly logins = new Bucket();
  readonly joins = new Bucket();
  readonly answers = new Bucket();

  constructor(name: string) {
    this.name = name;
  }
}

/** What is known of one connection. */
class Own {
  readonly messages = new Bucket();
  readonly bytes = new Bucket();
  /** Its part in what its network sends. */
  readonly sharedMessages = new Bucket();
  readonly sharedBytes = new Bucket();
  readonly logins = new Bucket();
  readonly joins = new Bucket();
}

/** Why somebody can't come in, or is not answered: banned, or the name of a limit. */
export type Refusal =
  | 'banned'
  | 'connections'
  | 'connections-each'
  | 'arrivals-each'
  | 'messages-each'
  | 'bytes-each'
  | 'answers';

export class Gate {
  readonly bans: Bans;
  #limits: Limits;
  #connections = 0;
  /** Those with connections ... */
  readonly #there = new Map<string, Network>();
  /** ... and those without: who was seen last stands last. */
  readonly #gone = new Map<string, Network>();
  /** What each address and port is answered by UDP. */
  readonly #peers = new Map<string, Bucket>();
  /** Whether an address is trusted. */
  readonly #known = new Map<string, boolean>();

  constructor(limits: Limits, bans: Bans) {
    this.#limits = limits;
    this.bans = bans;
  }

  get limits(): Limits {
    return this.#limits;
  }

  set limits(limits: Limits) {
    this.#limits = limits;
    this.#known.clear();
  }

  get connections(): number {
    return this.#connections;
  }

  /** The networks with the most connections. */
  busiest(most: number): Array<readonly [network: string, connections: number]> {
    const all = [...this.#there.values()].map(({ name, connections }) => [name, connections] as const);
    return all.sort((a, b) => b[1] - a[1]).slice(0, most);
  }

  isTrusted(ip: string): boolean {
    const known = this.#known.get(ip);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const is = isTrusted(this.#limits, ip);
    this.#known.set(ip, is);
    return is;
  }

  // --- connections -----------------------------------------------------------------------------------------

  /** Why that one can't come in; undefined where it can. */
  refuses(ip: string, now: number): Refusal | undefined {
    if (this.bans.ofAddress(ip)) return 'banned';
    if (this.isTrusted(ip)) return undefined;
    const { connections, connectionsEach, arrivals } = this.#limits;
    const network = this.#network(ip);
    if (network.arrivals.take(arrivals, 1, now) > 0) return 'arrivals-each';
    if (network.connections >= connectionsEach) return 'connections-each';
    return this.#connections >= connections ? 'connections' : undefined;
  }

  /** It is there until `leave`. */
  enter(ip: string): Visit {
    this.#connections++;
    const network = this.#network(ip);
    network.connections++;
    this.#gone.delete(network.name);
    this.#there.set(network.name, network);
    return new Visit(this, network, this.isTrusted(ip));
  }

  left(network: Network): void {
    this.#connections--;
    if (--network.connections > 0) return;
    this.#there.delete(network.name);
    this.#keep(network);
  }

  // --- datagrams -------------------------------------------------------------------------------------------

  /** Why a datagram is not read; undefined where it is. */
  refusesDatagram(ip: string, port: number, bytes: number, now: number): Refusal | undefined {
    if (this.bans.ofAddress(ip)) return 'banned';
    if (this.isTrusted(ip)) return undefined;
    const { messagesEach, bytesEach } = this.#limits;
    const network = this.#network(ip);
    if (network.messages.take(messagesEach, 1, now) > 0) return 'messages-each';
    if (network.bytes.take(bytesEach, bytes, now) > 0) return 'bytes-each';
    network.answers.refund(ANSWER_FACTOR * bytes);
    this.#peer(ip, port).refund(ANSWER_FACTOR * bytes);
    return undefined;
  }

  /** Whether so much may go there by UDP: its address may be somebody else's, at whom this is aimed. */
  mayAnswer(ip: string, port: number, bytes: number, now: number): boolean {
    if (this.isTrusted(ip)) return true;
    const { answers, answersEach } = this.#limits;
    const peer = this.#peer(ip, port);
    if (peer.take(answers, bytes, now) > 0) return false;
    if (this.#network(ip).answers.take(answersEach, bytes, now) === 0) return true;
    peer.refund(bytes);
    return false;
  }

  /** Whether so much that can wait may go there too: half of what may go at once is kept for what can't. */
  hasRoomToSpare(ip: string, port: number, bytes: number, now: number): boolean {
    if (this.isTrusted(ip)) return true;
    const { answers, answersEach } = this.#limits;
    const has = (bucket: Bucket, rate: Rate) => bucket.has(rate, bytes + rate.burst / 2, now);
    return has(this.#peer(ip, port), answers) && has(this.#network(ip).answers, answersEach);
  }

  /** Somebody who came by UDP. */
  guest(ip: string): Visit {
    return new Visit(this, this.#network(ip), this.isTrusted(ip));
  }

  #network(ip: string): Network {
    const name = networkOf(ip);
    const there = this.#there.get(name);
    if (there) return there;
    const network = this.#gone.get(name) ?? new Network(name);
    this.#keep(network);
    return network;
  }

  /** What was asked for from there is remembered for a while. */
  #keep(network: Network): void {
    this.#gone.delete(network.name);
    this.#gone.set(network.name, network);
    for (const [first] of this.#gone) {
      if (this.#gone.size <= MAX_NETWORKS) return;
      this.#gone.delete(first);
    }
  }

  #peer(ip: string, port: number): Bucket {
    const name = `${ip} ${port}`;
    const known = this.#peers.get(name);
    if (known) return known;
    for (const [first] of this.#peers) {
      if (this.#peers.size < MAX_PEERS) break;
      this.#peers.delete(first);
    }
    const made = new Bucket();
    this.#peers.set(name, made);
    return made;
  }
}

/** What one connection has asked for. */
export class Visit {
  /** No limit is for it. */
  readonly isTrusted: boolean;
  readonly #gate: Gate;
  readonly #network: Network;
  /** None of one that is trusted: an idle connection costs little. */
  readonly #own: Own | undefined;
  /** Since when it has been too fast itself, without a pause. */
  #fastSince: number | undefined;
  #isOver = false;

  constructor(gate: Gate, network: Network, isTrusted: boolean) {
    this.isTrusted = isTrusted;
    this.#own = isTrusted ? undefined : new Own();
    this.#gate = gate;
    this.#network = network;
  }

  /** It has sent so much: for how many milliseconds nothing more should be read of it. */
  read(messages: number, bytes: number, now: number): number {
    if (!this.#own) return 0;
    // a pause that was long enough is one, whatever comes at once behind it
    if (this.#fastSince !== undefined && this.#isCalm(now)) this.#fastSince = undefined;
    const wait = this.#spend(this.#own, messages, bytes, now);
    if (wait === 0) this.#fastSince = undefined;
    else this.#fastSince ??= now;
    return wait;
  }

  /** For how many milliseconds nothing should be read of it as things are. */
  waits(now: number): number {
    return this.#own ? this.#spend(this.#own, 0, 0, now) : 0;
  }

  #spend(own: Own, messages: number, bytes: number, now: number): number {
    const { limits } = this.#gate;
    return Math.max(
      own.messages.spend(limits.messages, messages, now),
      own.bytes.spend(limits.bytes, bytes, now),
      this.#waitForOthers(own, messages, bytes, now),
    );
  }

  #isCalm(now: number): boolean {
    const { messages, bytes, messagesEach, bytesEach } = this.#gate.limits;
    const own = this.#own as Own;
    const { connections } = this.#network;
    return (
      own.messages.isFull(messages, now) &&
      own.bytes.isFull(bytes, now) &&
      own.sharedMessages.isFull(partOf(messagesEach, connections), now) &&
      own.sharedBytes.isFull(partOf(bytesEach, connections), now)
    );
  }

  /** When its network is too fast, those wait who send more than their part; others there are not slowed. */
  #waitForOthers(own: Own, messages: number, bytes: number, now: number): number {
    const { messagesEach, bytesEach } = this.#gate.limits;
    const { messages: allMessages, bytes: allBytes, connections } = this.#network;
    const isOwed =
      Math.max(
        allMessages.spend(messagesEach, messages, now, MAX_DEBT_MS),
        allBytes.spend(bytesEach, bytes, now, MAX_DEBT_MS),
      ) > 0;
    const wait = Math.max(
      own.sharedMessages.spend(partOf(messagesEach, connections), messages, now),
      own.sharedBytes.spend(partOf(bytesEach, connections), bytes, now),
    );
    return isOwed ? wait : 0;
  }

  /** It was slowed for so long that it should go. */
  isHopeless(now: number): boolean {
    return this.#fastSince !== undefined && now - this.#fastSince >= this.#gate.limits.patienceMs;
  }

  get idleMs(): number {
    return this.#gate.limits.idleMs;
  }

  /** How long until one more person may come in on it; 0 and one is. */
  login(now: number): number {
    const { logins, loginsEach } = this.#gate.limits;
    return this.#take(this.#own?.logins, logins, this.#network.logins, loginsEach, now);
  }

  /** The same for a room. */
  join(now: number): number {
    const { joins, joinsEach } = this.#gate.limits;
    return this.#take(this.#own?.joins, joins, this.#network.joins, joinsEach, now);
  }

  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gate.left(this.#network);
  }

  #take(own: Bucket | undefined, rate: Rate, ofAll: Bucket, rateOfAll: Rate, now: number): number {
    if (!own) return 0;
    const wait = own.take(rate, 1, now);
    if (wait > 0) return wait;
    const waitOfAll = ofAll.take(rateOfAll, 1, now);
    if (waitOfAll > 0) own.refund(1);
    return waitOfAll;
  }
}

function partOf({ burst, perSecond }: Rate, connections: number): Rate {
  const parts = Math.max(1, connections);
  return { burst: burst / parts, perSecond: perSecond / parts };
}
