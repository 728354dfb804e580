// Layer 3. The `lab` dialect over UDP: one datagram is one request, and answers go to the callback address
// that the client gave. A peer is known by that address; of its later messages the JOIN_ID and the source IP
// are the identity. Every request may be repeated, because any datagram may be lost.

import { HouseError } from './errors.ts';
import type { HouseEvent, Post, Whisper } from './events.ts';
import {
  encodeFault,
  encodeRefusal,
  type Lab,
  LabError,
  MALFORMED,
  NOT_YOUR_ID,
  refOf,
  wireChats,
  wireWhisper,
} from './lab.ts';
import { UdpPeer } from './lab-udp-peer.ts';
import { Members } from './members.ts';
import type { Audience, Member, Room } from './room.ts';
import type { Address, DatagramPort, DatagramSession } from './session.ts';
import { splitText } from './wire.ts';
import { decodeLabDatagram, encodeReply, type LabRequest, MAX_DATAGRAM_BYTES } from './wire-lab.ts';

const MAX_PEERS = 10_000;
/** One host can't take them all. */
const MAX_PEERS_EACH_IP = 250;

type Join = LabRequest & { kind: 'join' };
type Chat = LabRequest & { kind: 'chat' };

export class LabUdp implements DatagramSession {
  readonly #lab: Lab;
  readonly #port: DatagramPort;
  readonly #members: Members<UdpPeer>;
  /** By callback address, the one that was silent longest first. */
  readonly #peers = new Map<string, UdpPeer>();
  readonly #byJoinId = new Map<string, UdpPeer>();
  readonly #perIp = new Map<string, number>();
  #now = 0;

  constructor(lab: Lab, port: DatagramPort) {
    this.#lab = lab;
    this.#port = port;
    const quit = (member: Member) => this.#members.quit(member, 'left');
    this.#members = new Members(
      lab.house,
      'lab',
      (room, peerOf) => new UdpAudience(room, peerOf, quit),
      (peer, whisper) => tellAlone(peer, whisper),
    );
  }

  receive(bytes: Uint8Array, from: Address, now: number): void {
    this.#now = now;
    const request = decodeLabDatagram(bytes);
    if (!request) return;
    try {
      this.#handle(request, from, bytes);
    } catch (error) {
      this.#port.send(encodeRefusal(error), from);
    }
  }

  tick(now: number): void {
    this.#now = now;
    for (const peer of this.#peers.values()) {
      if (this.#leavesAt(peer) > now) break;
      this.#drop(peer, 'was silent for too long');
    }
  }

  deadline(): number {
    for (const peer of this.#peers.values()) return this.#leavesAt(peer);
    return Number.POSITIVE_INFINITY;
  }

  #leavesAt(peer: UdpPeer): number {
    return peer.lastSeen + this.#lab.options.udpIdleMs;
  }

  #handle(request: LabRequest, from: Address, bytes: Uint8Array): void {
    switch (request.kind) {
      case 'helo':
        return this.#port.send(this.#lab.helo(request.line, this.#local(from)), from);
      case 'kill':
        return this.#lab.kill(from.ip);
      case 'join':
        return this.#join(request, from);
      case 'leave':
        return this.#leave(request.ref, request.joinId, from);
      case 'disconnect': {
        const peer = this.#peers.get(keyOf(callback(request.ip, request.port, from)));
        if (peer) this.#drop(peer, 'disconnected');
        return;
      }
      case 'chat':
        return this.#chat(request, from, bytes);
      case 'fault':
        return this.#port.send(encodeFault(request), from);
      case 'other':
        return;
    }
  }

  #local(remote: Address): Address {
    return { ip: this.#port.localIp(remote.ip), port: this.#port.number };
  }

  // --- JOIN ----------------------------------------------------------------------------------------------

  #join(request: Join, from: Address): void {
    const address = callback(request.ip, request.port, from);
    const peer = this.#peers.get(keyOf(address)) ?? this.#newPeer(address);
    this.#seen(peer);
    // a JOIN that is under way is being repeated: its answer comes
    if (peer.joining) return;
    const { ip, port } = this.#lab.address(this.#local(from));
    const answer = (ref: string) =>
      peer.send(encodeReply({ kind: 'joined', room: request.room, ip, port, ref, joinId: peer.joinId }));
    const there = this.#lab.house.findRoom(request.room);
    for (const seat of peer.seats.values()) if (seat.room === there) return answer(refOf(there));
    peer.joining = true;
    this.#enter(peer, request, answer)
      .catch((error) => peer.send(encodeRefusal(error)))
      .catch((error) => this.#port.fail(error))
      .then(() => {
        peer.joining = false;
      });
  }

  #newPeer(address: Address): UdpPeer {
    const ofThisIp = this.#perIp.get(address.ip) ?? 0;
    if (ofThisIp >= MAX_PEERS_EACH_IP) throw new HouseError('full', 'too many clients at your address');
    if (this.#peers.size >= MAX_PEERS) this.#makePlace();
    this.#perIp.set(address.ip, ofThisIp + 1);
    const joinId = this.#lab.newJoinId();
    const peer = new UdpPeer(joinId, address, (bytes) => this.#port.send(bytes, address), this.#lab);
    this.#peers.set(keyOf(address), peer);
    this.#byJoinId.set(joinId, peer);
    return peer;
  }

  /** Of the peers that are in no room, the one that was silent longest goes. */
  #makePlace(): void {
    for (const peer of this.#peers.values()) if (peer.seats.size === 0 && !peer.joining) return this.#forget(peer);
    throw new HouseError('full', 'the server is full');
  }

  async #enter(peer: UdpPeer, { room: roomName, name }: Join, answer: (ref: string) => void): Promise<void> {
    const { house } = this.#lab;
    this.#lab.checkPlace(peer.seats);
    const member = peer.seats.memberOf(name) ?? (await this.#members.enter(name, peer));
    try {
      const room = await house.openRoom(roomName);
      const ref = String(await house.refOf(room, 'lab'));
      if (peer.gone) return;
      peer.answers.set(room.key, answer);
      try {
        house.join(member, room);
      } catch (error) {
        peer.answers.delete(room.key);
        throw error;
      }
      peer.seats.set(ref, { member, room });
    } finally {
      if (member.rooms.size === 0) this.#members.quit(member, 'not in any room');
    }
  }

  // --- what members send ---------------------------------------------------------------------------------

  /** The peer of a JOIN_ID, if the datagram comes from its address. */
  #identify(joinId: string, from: Address): UdpPeer | undefined {
    const peer = this.#byJoinId.get(joinId);
    if (peer?.address.ip !== from.ip) return undefined;
    this.#seen(peer);
    return peer;
  }

  /** Who left long ago is not known any more, and may still ask to leave. */
  #leave(ref: string, joinId: string, from: Address): void {
    const peer = this.#identify(joinId, from);
    if (!peer && this.#byJoinId.has(joinId)) throw notYours(joinId);
    this.#answering(peer, from, (send) => {
      const seat = peer?.seats.find(ref);
      send(encodeReply({ kind: 'left', ref: seat ? refOf(seat.room) : this.#lab.refOutside(ref), joinId }));
      if (!seat) return;
      this.#lab.house.leave(seat.member, seat.room, 'left');
    });
  }

  #chat(request: Chat, from: Address, bytes: Uint8Array): void {
    const peer = this.#identify(request.joinId, from);
    if (!peer) throw notYours(request.joinId);
    const key = hash(bytes);
    if (peer.repeats(key, this.#now)) return;
    this.#answering(peer, from, () => {
      const { member, room } = peer.seats.find(request.ref) ?? this.#lab.refuse(request.ref);
      const said = peer.remember({ key, hasSeq: request.seq !== undefined, room: room.key, at: this.#now });
      try {
        this.#lab.house.say(member, room, request.text);
      } catch (error) {
        peer.forget(said);
        throw error;
      }
    });
  }

  /** A known peer is answered where it takes answers, refusals too. */
  #answering(peer: UdpPeer | undefined, from: Address, work: (send: (bytes: Uint8Array) => void) => void): void {
    const send = peer?.send ?? ((bytes: Uint8Array) => this.#port.send(bytes, from));
    try {
      work(send);
    } catch (error) {
      send(encodeRefusal(error));
    }
  }

  #seen(peer: UdpPeer): void {
    peer.lastSeen = this.#now;
    const key = keyOf(peer.address);
    if (!this.#peers.delete(key)) return;
    this.#peers.set(key, peer);
  }

  #drop(peer: UdpPeer, reason: string): void {
    for (const member of peer.seats.members()) this.#members.quit(member, reason);
    this.#forget(peer);
  }

  #forget(peer: UdpPeer): void {
    if (!this.#byJoinId.delete(peer.joinId)) return;
    const left = (this.#perIp.get(peer.address.ip) ?? 1) - 1;
    if (left > 0) this.#perIp.set(peer.address.ip, left);
    else this.#perIp.delete(peer.address.ip);
    peer.gone = true;
    this.#peers.delete(keyOf(peer.address));
  }
}

/** The members of one room that are here over UDP. */
class UdpAudience implements Audience {
  readonly #ref: string;
  readonly #peerOf: (member: Member) => UdpPeer;
  readonly #quit: (member: Member) => void;
  readonly #peers = new Map<string, UdpPeer>();

  /** `quit`: for who is in no room any more. */
  constructor(room: Room, peerOf: (member: Member) => UdpPeer, quit: (member: Member) => void) {
    this.#ref = refOf(room);
    this.#peerOf = peerOf;
    this.#quit = quit;
  }

  add(member: Member): void {
    this.#peers.set(member.person.id, this.#peerOf(member));
  }

  remove(member: Member): void {
    this.#peers.delete(member.person.id);
    if (member.rooms.size === 0) this.#quit(member);
  }

  hear(event: HouseEvent): void {
    if (event.kind === 'joined') this.#answerJoin(event);
    if (event.kind === 'left') this.#left(event);
    const datagrams = wireChats(event).flatMap((chat) => encodeChats(this.#ref, chat));
    const own = event.kind === 'post' ? event.who.id : undefined;
    for (const [id, peer] of this.#peers) {
      if (id === own) peer.heardOwn(event as Post, datagrams);
      else for (const bytes of datagrams) peer.send(bytes);
    }
  }

  /** Who is put out has left, and is told so before the announcement to all. */
  #left({ who, by }: HouseEvent & { kind: 'left' }): void {
    const peer = this.#peers.get(who.id);
    peer?.seats.delete(this.#ref);
    if (by) peer?.send(encodeReply({ kind: 'left', ref: this.#ref, joinId: peer.joinId }));
  }

  /** One's own JOINED comes first, then the announcement to all. */
  #answerJoin({ who, room }: HouseEvent & { kind: 'joined' }): void {
    const peer = this.#peers.get(who.id);
    peer?.answers.get(room)?.(this.#ref);
    peer?.answers.delete(room);
  }
}

function notYours(joinId: string): LabError {
  return new LabError(NOT_YOUR_ID, `JOIN_ID ${joinId.slice(0, 20)} is not yours`);
}

function tellAlone(peer: UdpPeer, whisper: Whisper): boolean {
  const seat = peer.seats.of(whisper.to);
  if (!seat || peer.gone) return false;
  for (const bytes of encodeChats(refOf(seat.room), wireWhisper(whisper))) peer.send(bytes);
  return true;
}

/** One CHAT, or several that each fit in a datagram. */
function encodeChats(ref: string, { name, text }: { name: string; text: string }): Uint8Array[] {
  const whole = encodeReply({ kind: 'chat', ref, name, text });
  if (whole.length <= MAX_DATAGRAM_BYTES) return [whole];
  const around = encodeReply({ kind: 'chat', ref, name, text: '' }).length;
  // where blank lines are filled, a piece grows by as many bytes as it has newlines
  return splitText(text.replace(/\n(?=\n)/g, '\n '), MAX_DATAGRAM_BYTES - around).map((piece) =>
    encodeReply({ kind: 'chat', ref, name, text: piece }),
  );
}

/** Where the client wants its answers; only its own address is taken, or one host could aim at another. */
function callback(ip: string, port: string, from: Address): Address {
  const own = withoutZone(from.ip);
  const sameIp = ip === '' || ip === '0' || withoutZone(ip) === own;
  if (!sameIp) throw new HouseError('not-allowed', `CLIENT_IP must be ${own}, the address you send from`);
  if (port === '' || port === '0') return from;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (number < 1 || number > 65_535) throw new LabError(MALFORMED, 'PORT must be a number from 1 to 65535');
  return { ip: from.ip, port: number };
}

/** A zone (`%eth0`) means something on its own machine only. */
function withoutZone(ip: string): string {
  return ip.replace(/%.*$/, '');
}

function keyOf({ ip, port }: Address): string {
  return `${ip} ${port}`;
}

/** Tells datagrams of one peer apart (FNV-1a over two lanes, and the length). */
function hash(bytes: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b);
  }
  return `${bytes.length}.${a >>> 0}.${b >>> 0}`;
}
