// Models of the classic programs at both ends of a file transfer, as the reference pages describe them: what they send
// byte by byte, what they throw away, and what stops them for good. And the link between them and ours.

import type { Random } from './random.ts';

/** One character a byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

// --- the link ---------------------------------------------------------------------------------------------

export interface LinkOptions {
  readonly delayMs: number;
  /** More, at random: datagrams overtake each other. */
  readonly jitterMs?: number;
  /** Of one. */
  readonly loss?: number;
  readonly doubled?: number;
}

/** Both directions, and the clock. */
export class Link {
  now = 0;
  readonly #random: Random;
  readonly #options: LinkOptions;
  readonly #events: Array<{ at: number; run: () => void }> = [];

  constructor(random: Random, options: LinkOptions) {
    this.#random = random;
    this.#options = options;
  }

  carry(deliver: () => void): void {
    const { delayMs, jitterMs = 0, loss = 0, doubled = 0 } = this.#options;
    const copies = this.#random(1) < doubled ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#random(1) >= loss) this.at(this.now + delayMs + this.#random(jitterMs), deliver);
    }
  }

  at(at: number, run: () => void): void {
    let place = this.#events.length;
    while (place > 0 && (this.#events[place - 1] as { at: number }).at <= at) place--;
    this.#events.splice(place, 0, { at, run });
  }

  /** What is due next, or the machine's tick; false when there is nothing more. */
  step(machine: { deadline(): number; tick(now: number): void }): boolean {
    const event = this.#events.at(-1);
    const at = Math.min(event?.at ?? Number.POSITIVE_INFINITY, machine.deadline());
    if (at === Number.POSITIVE_INFINITY) return false;
    this.now = Math.max(this.now, at);
    if (event && event.at <= this.now) {
      this.#events.pop();
      event.run();
    } else machine.tick(this.now);
    return true;
  }
}

// --- the classic receiver ---------------------------------------------------------------------------------

export interface ClassicOptions {
  readonly window?: number;
  /** It throws packets away once in so many; 1: never. */
  readonly err?: number;
}

export class ClassicTaker {
  readonly #window: number;
  readonly #err: number;
  readonly #random: Random;
  readonly #send: (text: string) => void;
  readonly #written: string[] = [];
  #held: string[] = [];
  #expected = 0;
  #lastAcked = -1;
  /** It acknowledges everything, until `END`. */
  #isAgain = false;
  state: 'start' | 'data' | 'deaf until STA' | 'over' = 'start';
  /** It has thrown away. */
  throws = 0;

  constructor(random: Random, send: (text: string) => void, options: ClassicOptions = {}) {
    this.#random = random;
    this.#send = send;
    this.#window = options.window ?? 16;
    this.#err = options.err ?? 100;
  }

  get file(): Uint8Array {
    return bytesOf(this.#written.join(''));
  }

  receive(datagram: Uint8Array): void {
    const text = latin1(datagram.subarray(0, 2048));
    if (this.state === 'start') this.#begin(text);
    else if (this.state === 'deaf until STA') this.#hearAgain(text);
    else if (this.state === 'data') this.#hear(text);
  }

  #begin(text: string): void {
    const fields = text.split('|');
    this.state = text.startsWith('OK') && fields.length === 4 ? 'data' : 'over';
  }

  #hearAgain(text: string): void {
    if (!text.startsWith('STA')) return;
    this.state = 'data';
    this.#expected = (this.#lastAcked + 1) % this.#window;
  }

  #hear(text: string): void {
    if (text.startsWith('EOF')) {
      this.#write();
      this.state = 'over';
    } else if (text.startsWith('END')) this.#isAgain = false;
    else this.#hearPacket(text);
  }

  #hearPacket(text: string): void {
    // what follows a second separator is lost
    const [seq = '', data = ''] = text.split('|*)');
    if (!this.#isAgain && this.#err > 2 && this.#random(this.#err) < 1) return this.#throwAway();
    if (seq === String(this.#expected)) return this.#take(data);
    this.#send(`${this.#lastAcked}|ACK`);
    // so it counts in the original
    this.#expected = (this.#expected + this.#lastAcked + 1) % this.#window;
  }

  #throwAway(): void {
    this.throws++;
    this.#held = [];
    this.#send(`${this.#lastAcked}|ACK`);
    this.#isAgain = true;
    this.state = 'deaf until STA';
  }

  #take(data: string): void {
    this.#held.push(data);
    const seq = this.#expected;
    this.#expected = (seq + 1) % this.#window;
    if (!this.#isAgain && seq !== this.#window - 1 && this.#random(8) >= 3) return;
    this.#send(`${seq}|ACK`);
    this.#lastAcked = this.#expected - 1;
    this.#write();
  }

  #write(): void {
    this.#written.push(...this.#held);
    this.#held = [];
  }
}

// --- the classic sender -----------------------------------------------------------------------------------

export class ClassicGiver {
  readonly #file: string;
  readonly #window: number;
  readonly #send: (text: string) => void;
  #position = 0;
  #seq = 0;
  #free: number;
  #kept: Array<{ seq: number; text: string }> = [];
  #isAgain = false;
  #isEof = false;
  /** An ack came when it kept nothing. */
  isDead = false;

  constructor(file: Uint8Array, send: (text: string) => void, options: ClassicOptions = {}) {
    this.#file = latin1(file);
    this.#send = send;
    this.#window = options.window ?? 16;
    this.#free = this.#window;
  }

  start(): void {
    this.#send('OK| Sending file on port 48970 from |127.0.0.1|49652');
    this.#fill();
  }

  #fill(): void {
    while (!this.#isEof && this.#free > 0 && this.#position < this.#file.length) {
      const text = `${this.#seq}|*)${this.#file.slice(this.#position, this.#position + 2038)}`;
      this.#position += 2038;
      this.#keep(text);
      this.#free--;
      this.#seq = (this.#seq + 1) % this.#window;
    }
    if (this.#isEof || this.#position < this.#file.length) return;
    this.#isEof = true;
    this.#keep('EOF');
  }

  #keep(text: string): void {
    this.#kept.push({ seq: this.#seq, text });
    this.#send(text);
  }

  receive(datagram: Uint8Array): void {
    const [seq = '', word = ''] = latin1(datagram).split('|');
    if (this.isDead || !word.startsWith('ACK')) return;
    if (this.#isAgain) this.#hearAgain(seq);
    else this.#hear(Number(seq));
  }

  #hear(ack: number): void {
    const [oldest] = this.#kept;
    if (!oldest) {
      this.isDead = true;
      return;
    }
    if (oldest.seq > ack) {
      this.#isAgain = true;
      this.#send('STA');
      return this.#send(oldest.text);
    }
    for (let one = this.#drop(); one && one.seq !== ack; ) one = this.#drop();
    this.#send('END');
    this.#fill();
  }

  #hearAgain(ack: string): void {
    const [oldest] = this.#kept;
    if (oldest && ack === String(oldest.seq)) this.#drop();
    const [next] = this.#kept;
    if (next) return this.#send(next.text);
    this.#isAgain = false;
    this.#send('END');
    this.#fill();
  }

  #drop(): { seq: number } | undefined {
    const one = this.#kept.shift();
    if (one) this.#free++;
    return one;
  }
}
