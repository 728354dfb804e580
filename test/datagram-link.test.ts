// Clients, classic ones and ours, on a link that loses, delays, doubles and reorders datagrams, under a virtual clock.
// What is acknowledged to its sender must in the end have been seen by everybody that it was for.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../src/session.ts';
import { type DatagramMessage, decodeDatagram, encodeDatagram } from '../src/wire-datagram.ts';
import { openDatagram, type Sent, settle, startedAgain, type TestDatagram } from './fakes.ts';
import { type Random, randomFrom } from './random.ts';

const SEEDS = Number(process.env.SEEDS ?? 1000);
const FIRST = Number(process.env.SEED ?? 1);
const END_MS = 6000;
/** What comes meanwhile is lost. */
const RESTART_MS = 200;
const RESTING_MS = 12_000;
const REPEAT_MS = 100;
const REPEATS = 5;
/** A classic client reopens its socket after each datagram. */
const DEAF_MS = 5;
const CLASSIC_TYPES: ReadonlySet<string> = new Set([
  'conf_reg',
  'no_reg',
  'table_update',
  'msg',
  'group',
  'ack',
  'offline_messages',
  'status_check',
  'error',
]);

interface Link {
  readonly loss: number;
  readonly doubled: number;
  readonly leastMs: number;
  readonly mostMs: number;
}

const PERFECT: Link = { loss: 0, doubled: 0, leastMs: 5, mostMs: 5 };

/** Something that its sender believes to be delivered. */
interface Promised {
  readonly from: Model;
  readonly text: string;
  readonly to: readonly Model[];
}

class World {
  readonly random: Random;
  link: Link;
  readonly models: Model[] = [];
  readonly promised: Promised[] = [];
  isClosing = false;
  server: TestDatagram;
  readonly #events: Array<{ at: number; run: () => void; isArrival: boolean }> = [];
  /** When each address was sent something. */
  readonly #sentAt = new Map<string, number>();

  constructor(seed: number, link: Link) {
    this.random = randomFrom(seed);
    this.link = link;
    this.server = openDatagram();
    this.#attach();
  }

  get now(): number {
    return this.server.clock.now;
  }

  at(ms: number, run: () => void, isArrival = false): void {
    const at = this.now + ms;
    const events = this.#events;
    let place = events.length;
    while (place > 0 && (events[place - 1] as { at: number }).at < at) place--;
    events.splice(place, 0, { at, run, isArrival });
  }

  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const event = this.#events.at(-1);
      const at = Math.min(event?.at ?? Number.POSITIVE_INFINITY, this.server.session.deadline());
      if (at > end) break;
      this.server.clock.now = Math.max(this.now, at);
      if (event && event.at <= this.now) {
        this.#events.pop();
        event.run();
      } else this.server.session.tick(this.now);
      await settle();
    }
    this.server.clock.now = end;
  }

  /** With what is on disk. */
  async restart(): Promise<void> {
    const { now } = this;
    assert.equal(this.server.bugs, []);
    for (const event of this.#events) if (event.at < now + RESTART_MS && event.isArrival) event.run = () => {};
    this.server.onSent = () => {};
    const store = startedAgain(this.server.store);
    this.server = openDatagram({ store });
    this.server.clock.now = now + RESTART_MS;
    this.#sentAt.clear();
    this.#attach();
    await settle();
  }

  /** Once, twice or not at all, some time later. */
  carry(isDoubled: boolean, deliver: () => void): void {
    const { loss, doubled, leastMs, mostMs } = this.link;
    const copies = isDoubled && this.random(1) < doubled ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.random(1) >= loss) this.at(leastMs + this.random(mostMs - leastMs), deliver, true);
    }
  }

  #attach(): void {
    this.server.onSent = (sent) => this.#toClient(sent);
  }

  #toClient({ at, to, bytes }: Sent): void {
    const model = this.models.find(({ address }) => `${address.ip}:${address.port}` === to);
    assert.ok(model, `${to} did not ask for anything`);
    if (!model.isOurs) {
      assert.ok(bytes.length <= 2048, `${bytes.length} bytes for a classic client`);
      assert.ok(at - (this.#sentAt.get(to) ?? -100) >= 39.999, 'classic clients get nothing within 40 ms');
      this.#sentAt.set(to, at);
    }
    // an ack does not say what it is for: two for one question can't be told from one each for two
    const { kind } = decodeDatagram(bytes);
    const isAsked = kind === 'group' || kind === 'msg' || kind === 'offline_messages';
    this.carry(!isAsked, () => model.receive(bytes));
  }
}

interface Pending {
  readonly message: DatagramMessage;
  readonly done: (answer: 'ack' | 'error' | undefined) => void;
}

class Model {
  readonly name: string;
  readonly address: Address;
  readonly isOurs: boolean;
  readonly #world: World;
  isRegistered = false;
  isOffline = false;
  isGone = false;
  /** It waits for what it has missed. */
  #isComing = false;
  #pending: Pending | undefined;
  #answered: Pending | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #said = 0;
  readonly seen: string[] = [];

  constructor(world: World, at: number, isOurs: boolean) {
    this.#world = world;
    this.name = `n${at}`;
    this.address = { ip: `198.51.100.${at + 1}`, port: 3000 + at };
    this.isOurs = isOurs;
  }

  register(): void {
    if (this.isRegistered || this.isGone) return;
    const { name, isOurs } = this;
    this.#send({ kind: 'freg', name, port: this.address.port, isOurs });
    this.#world.at(500, () => this.register());
  }

  /** Something at random, then again after a while. */
  act(): void {
    const { random } = this.#world;
    if (this.#world.isClosing) return;
    this.#world.at(300 + random(700), () => this.act());
    if (this.#pending || !this.isRegistered) return;
    const dice = random(1);
    if (this.isGone) {
      if (dice < 0.3) this.#returns();
    } else if (this.isOffline) {
      if (dice < 0.5) this.comeBack();
    } else if (dice < 0.1) {
      this.isGone = true;
    } else if (dice < 0.2) {
      this.#request({ kind: 'dereg', name: this.name }, (answer) => {
        this.isOffline = answer !== undefined;
      });
    } else if (dice < 0.65) this.#sayAll();
    else this.#sayTo();
  }

  comeBack(): void {
    this.isGone = false;
    this.isOffline = false;
    this.#isComing = true;
    this.#askBack();
  }

  receive(bytes: Uint8Array): void {
    const { now } = this.#world;
    if (this.isGone) return;
    if (!this.isOurs) {
      const wasDeaf = now - this.#lastAt < DEAF_MS;
      if (wasDeaf) return;
      this.#lastAt = now;
    }
    this.#heard(decodeDatagram(bytes));
  }

  #heard(message: DatagramMessage): void {
    assert.ok(CLASSIC_TYPES.has(message.kind), message.kind);
    switch (message.kind) {
      case 'conf_reg':
        this.isRegistered = true;
        return;
      case 'no_reg':
        throw new Error(`${this.name} was turned away`);
      case 'status_check':
        return this.#send({ kind: 'status_confirm', from: this.name });
      case 'ack':
      case 'error':
        return this.#settle(message.kind);
      case 'group':
        this.seen.push(message.text);
        return this.#ack();
      case 'msg':
        return this.#ack();
      case 'offline_messages':
        this.#isComing = false;
        for (const { from, text } of message.messages) if (from !== undefined) this.seen.push(text);
        return this.#ack();
      default:
        return;
    }
  }

  #returns(): void {
    // as it was, or started again
    if (this.#world.random(2) < 1) return this.comeBack();
    this.isGone = false;
    this.isRegistered = false;
    this.register();
  }

  #askBack(): void {
    if (!this.#isComing || this.isGone) return;
    this.#send({ kind: 'reg', name: this.name });
    this.#world.at(1500, () => this.#askBack());
  }

  #sayAll(): void {
    const text = `${this.name} all ${++this.#said}`;
    const to = this.#world.models.filter((other) => other !== this && other.isRegistered);
    this.#request({ kind: 'group', name: this.name, text }, (answer) => {
      if (answer) this.#world.promised.push({ from: this, text, to });
    });
  }

  #sayTo(): void {
    const { models, random, now } = this.#world;
    const others = models.filter((other) => other !== this && other.isRegistered);
    const other = others[Math.floor(random(others.length))];
    if (!other) return;
    const text = `${this.name} one ${++this.#said}`;
    const time = new Date(now).toTimeString().slice(0, 8);
    this.#request({ kind: 'to_offline', time, to: other.name, from: this.name, text }, (answer) => {
      if (answer === 'ack') this.#world.promised.push({ from: this, text, to: [other] });
    });
  }

  #request(message: DatagramMessage, done: Pending['done']): void {
    this.#pending = { message, done };
    this.#repeat(this.#pending, 0);
  }

  #repeat(pending: Pending, times: number): void {
    if (this.#pending !== pending || this.#answered === pending || this.isGone) return;
    if (times > REPEATS) return this.#settle(undefined);
    this.#send(pending.message);
    this.#world.at(REPEAT_MS, () => this.#repeat(pending, times + 1));
  }

  #settle(answer: 'ack' | 'error' | undefined): void {
    const pending = this.#pending;
    if (!pending || this.#answered === pending) return;
    this.#answered = pending;
    // what is on its way yet is not taken for the answer to what comes next
    this.#world.at(250, () => {
      if (this.#pending === pending) this.#pending = undefined;
    });
    pending.done(answer);
  }
  #ack(): void {
    this.#send({ kind: 'ack', from: this.name });
  }

  #send(message: DatagramMessage): void {
    const bytes = encodeDatagram(message);
    const world = this.#world;
    // it sends from a port of its own for each
    const from = { ip: this.address.ip, port: 30_000 + Math.floor(world.random(30_000)) };
    world.carry(message.kind !== 'ack', () => world.server.session.receive(bytes, from, world.now));
  }
}

async function play(seed: number, link: (random: Random) => Link, canRestart: boolean): Promise<void> {
  const world = new World(seed, PERFECT);
  const { random } = world;
  world.link = link(random);
  const count = 3 + Math.floor(random(3));
  for (let i = 0; i < count; i++) world.models.push(new Model(world, i, random(2) < 1));
  for (const model of world.models) {
    world.at(random(1500), () => model.register());
    world.at(500 + random(500), () => model.act());
  }
  if (canRestart && random(3) < 1) {
    await world.run(random(END_MS));
    await world.restart();
  }
  await world.run(END_MS);
  world.isClosing = true;
  world.link = PERFECT;
  await world.run(2000);
  for (const model of world.models) model.isRegistered ? model.comeBack() : model.register();
  await world.run(RESTING_MS);
  check(world, !canRestart);
}

function check({ server, models, promised }: World, isExact: boolean): void {
  assert.equal([server.bugs, server.port.bugs], [[], []]);
  assert.ok(server.store.posts.length <= 200, 'no more waits than is kept');
  for (const { from, text, to } of promised) {
    for (const model of to) {
      const times = model.seen.filter((one) => one === text).length;
      assert.ok(isExact ? times === 1 : times >= 1, `${model.name} saw “${text}” of ${from.name} ${times} times`);
    }
  }
  for (const model of models) {
    assert.not(
      model.seen.some((text) => text.startsWith(`${model.name} `)),
      'its own messages are not for it',
    );
    for (const from of models) {
      const due = promised.filter((one) => one.from === from && one.to.includes(model)).map(({ text }) => text);
      const first = [...new Set(model.seen)].filter((text) => due.includes(text));
      assert.equal(first, due, `${model.name} heard ${from.name} in order`);
    }
  }
  assert.equal(server.store.mail, [], 'nothing is kept for who has got it');
}

async function seeds(count: number, from: number, one: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = from; seed < from + count; seed++) {
    try {
      await one(seed);
    } catch (error) {
      (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
      throw error;
    }
  }
}

const link = suite('datagram: a simulated link');

link('that is clean: everything once, in order', async () => {
  const clean = (random: Random): Link => {
    const ms = random(40);
    return { loss: 0, doubled: 0, leastMs: ms, mostMs: ms };
  };
  await seeds(SEEDS * 0.3, FIRST, (seed) => play(seed, clean, false));
});

link('that loses, doubles, delays and reorders: everything at least once, in order', async () => {
  await seeds(SEEDS * 0.7, FIRST, (seed) =>
    play(seed, (random) => ({ loss: random(0.3), doubled: random(0.2), leastMs: 0, mostMs: 1 + random(59) }), true),
  );
});
link.run();
