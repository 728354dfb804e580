// Layer 4. Everything that goes out, gathered for one turn of the event loop. What a room says is appended
// once to a buffer of the room (one for each dialect) and at the end of the turn every member's socket is
// given the same slice of it: one write for each socket and turn, and no copy for each member. What is
// meant for one port only goes between, in the order in which it was sent.
//
// The end of a turn is `setImmediate`: all readable sockets have been read by then. As long as that keeps
// bringing lines the loop may poll again, three times at most; under load this makes the slices larger,
// and a lone line waits for nothing.
//
// Bounds: a port with more than `softBytes` waiting is congested until it has drained; one with more than
// `hardBytes` waiting overflows. What that means is for the class that extends OutPort to say.

import { setImmediate } from 'node:timers';
import type { Broadcast, Port } from './session.ts';

const FIRST_BUFFER_BYTES = 2048;
/** A turn that brings more than this for one room is flushed before its end. */
const MAX_TURN_BYTES = 256 * 1024;
const MAX_POLLS = 3;

/** The part of a socket that is written to. */
export interface Sink {
  write(bytes: Uint8Array): boolean;
  cork(): void;
  uncork(): void;
  readonly writableLength: number;
}

export interface OutboxOptions {
  readonly softBytes: number;
  readonly hardBytes: number;
  /** Calls back when the turn is over; a test's own. */
  readonly schedule?: (flush: () => void) => void;
}

/** All ports and broadcasts that share a turn. */
export class Outbox {
  readonly softBytes: number;
  readonly hardBytes: number;
  readonly #schedule: (flush: () => void) => void;
  #dirtyRooms: RoomBuffer[] = [];
  #dirtyPorts: OutPort[] = [];
  #scheduled = false;
  #polls = 0;
  /** Counts what was queued, to see whether polling again brought more. */
  #queued = 0;
  #queuedBefore = 0;

  constructor({ softBytes, hardBytes, schedule = setImmediate }: OutboxOptions) {
    this.softBytes = softBytes;
    this.hardBytes = hardBytes;
    this.#schedule = schedule;
  }

  broadcast(): Broadcast {
    return new RoomBuffer(this);
  }

  dirtyRoom(room: RoomBuffer): void {
    this.#dirtyRooms.push(room);
    this.#arm();
  }

  dirtyPort(port: OutPort): void {
    this.#dirtyPorts.push(port);
    this.#arm();
  }

  count(): void {
    this.#queued++;
  }

  /** Writes out everything now. */
  flush(): void {
    const rooms = this.#dirtyRooms;
    this.#dirtyRooms = [];
    for (const room of rooms) room.handOut();
    const ports = this.#dirtyPorts;
    this.#dirtyPorts = [];
    for (const port of ports) port.write();
  }

  #arm(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#polls = 0;
    this.#queuedBefore = this.#queued;
    this.#schedule(this.#turnIsOver);
  }

  readonly #turnIsOver = (): void => {
    const grew = this.#queued !== this.#queuedBefore;
    if (grew && this.#polls++ < MAX_POLLS) {
      this.#queuedBefore = this.#queued;
      this.#schedule(this.#turnIsOver);
      return;
    }
    this.#scheduled = false;
    this.flush();
  };
}

/** A port's place in a room's buffer. */
interface Place {
  readonly port: OutPort;
  readonly room: RoomBuffer;
  /** What stands before this in the turn's lines is not for this port (or it has it already). */
  from: number;
}

/** The lines of one room in one dialect's form. */
export class RoomBuffer implements Broadcast {
  readonly #outbox: Outbox;
  readonly #places = new Map<OutPort, Place>();
  /** Only ever appended to: slices of it are on their way to sockets. */
  #memory: Buffer | undefined;
  /** The turn's lines are memory[start, end). */
  #start = 0;
  #end = 0;
  #lastTurnBytes = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  add(port: Port): void {
    const out = ours(port);
    if (this.#places.has(out)) return;
    const place: Place = { port: out, room: this, from: this.#end - this.#start };
    this.#places.set(out, place);
    out.places.push(place);
  }

  remove(port: Port): void {
    const out = ours(port);
    const place = this.#places.get(out);
    if (place) this.leave(place);
  }

  leave(place: Place): void {
    this.settle(place);
    this.#places.delete(place.port);
    place.port.places.splice(place.port.places.indexOf(place), 1);
  }

  append(bytes: Uint8Array, except?: Port): void {
    if (this.#places.size === 0) return;
    const place = except && this.#places.get(ours(except));
    if (place) this.settle(place);
    if (this.#start === this.#end) this.#outbox.dirtyRoom(this);
    const memory = this.#makeRoom(bytes.length);
    memory.set(bytes, this.#end);
    this.#end += bytes.length;
    if (place) place.from = this.#end - this.#start;
    this.#outbox.count();
    if (this.#end - this.#start > MAX_TURN_BYTES) this.#outbox.flush();
  }

  /** Queues what the place's port has not got yet of this turn's lines. */
  settle(place: Place): void {
    const length = this.#end - this.#start;
    if (place.from === length) return;
    const slice = this.#memory?.subarray(this.#start + place.from, this.#end);
    place.from = length;
    if (slice) place.port.queue(slice);
  }

  /** The end of the turn: everybody gets the slice. */
  handOut(): void {
    const slice = this.#memory?.subarray(this.#start, this.#end);
    if (!slice || slice.length === 0) return;
    for (const place of this.#places.values()) {
      if (place.from === 0) place.port.queue(slice);
      else {
        if (place.from < slice.length) place.port.queue(slice.subarray(place.from));
        place.from = 0;
      }
    }
    this.#start = this.#end;
    this.#lastTurnBytes = slice.length;
    if (this.#end < FIRST_BUFFER_BYTES) return;
    // the slices live on until they are written; the next turn starts a buffer of its own
    this.#memory = undefined;
    this.#start = 0;
    this.#end = 0;
  }

  #makeRoom(bytes: number): Buffer {
    if (this.#memory && this.#end + bytes <= this.#memory.length) return this.#memory;
    const pending = this.#end - this.#start;
    // a new turn is taken to be as large as the last, a growing one to double
    const wanted = pending > 0 ? 2 * (pending + bytes) : Math.max(bytes, 1.25 * this.#lastTurnBytes);
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BUFFER_BYTES, Math.ceil(wanted)));
    if (this.#memory) grown.set(this.#memory.subarray(this.#start, this.#end));
    this.#memory = grown;
    this.#start = 0;
    this.#end = pending;
    return grown;
  }
}

/** What waits for one socket in this turn. Connections extend it, so that a room can hand its slice to them. */
export abstract class OutPort {
  readonly places: Place[] = [];
  readonly #outbox: Outbox;
  readonly #sink: Sink;
  /** Almost always there is one piece: a room's slice. */
  #first: Uint8Array | undefined;
  #more: Uint8Array[] | undefined;
  /** Sent to this port alone in this turn. */
  #turnBytes = 0;
  #congested = false;
  #shut = false;

  constructor(outbox: Outbox, sink: Sink) {
    this.#outbox = outbox;
    this.#sink = sink;
  }

  /** More than the soft limit waits (true), or it has drained (false). Called in the middle of a turn. */
  protected abstract congested(is: boolean): void;
  /** More than the hard limit waits. Called in the middle of a flush: do nothing here that sends. */
  protected abstract overflowed(waitingBytes: number): void;

  /** Bytes for this port alone, behind what its rooms said before in this turn. */
  send(bytes: Uint8Array): void {
    for (const place of this.places) place.room.settle(place);
    this.queue(bytes);
    this.#outbox.count();
    this.#turnBytes += bytes.length;
    if (this.#turnBytes > this.#outbox.softBytes) this.#congest();
  }

  queue(piece: Uint8Array): void {
    if (this.#shut) return;
    if (this.#first === undefined) {
      this.#first = piece;
      this.#outbox.dirtyPort(this);
    } else if (this.#more) this.#more.push(piece);
    else this.#more = [piece];
  }

  /** Hands what waits to the socket. */
  write(): void {
    const first = this.#first;
    const more = this.#more;
    if (first === undefined || this.#shut) return;
    this.#first = undefined;
    this.#more = undefined;
    this.#turnBytes = 0;
    let fits: boolean;
    if (more) {
      this.#sink.cork();
      fits = this.#sink.write(first);
      for (const piece of more) fits = this.#sink.write(piece);
      this.#sink.uncork();
    } else fits = this.#sink.write(first);
    if (fits) this.drained();
    else this.#full();
  }

  /** The socket has written everything out. */
  protected drained(): void {
    if (!this.#congested) return;
    this.#congested = false;
    this.congested(false);
  }

  /** Writes what waits, gives up its places and takes no more. */
  protected shut(): void {
    if (this.#shut) return;
    for (const place of [...this.places]) place.room.leave(place);
    this.write();
    this.#shut = true;
  }

  #full(): void {
    const waiting = this.#sink.writableLength;
    if (waiting > this.#outbox.softBytes) this.#congest();
    if (waiting > this.#outbox.hardBytes) this.overflowed(waiting);
  }

  #congest(): void {
    if (this.#congested || this.#shut) return;
    this.#congested = true;
    this.congested(true);
  }
}

function ours(port: Port | OutPort): OutPort {
  if (port instanceof OutPort) return port;
  throw new TypeError('a broadcast takes ports of its own outbox only');
}
